/* SPDX-License-Identifier: MIT */
/* Making the file of a table of tags: tags_file.h. What has the name already goes only if it is
 * nothing anybody could miss: the name is often mistyped, and the program may be root's.
 * Layout   table | label, a last piece of fixed length | */
#include "pool/tags_file.h"

#include "pool/tags.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char label_magic[8] = "label 1"; /* layout 1 */

struct tags_label {
    char magic[sizeof label_magic];
    char text[POOL_TAGS_LABEL_MAX];
};

/* Whether the name is free: 0; -EEXIST if something has it that is no table; or -errno. */
static int tags_file_free(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(status.st_mode))
        return -EEXIST;
    if (status.st_size == 0)
        return 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (file < 0)
        return -EEXIST;
    int error = pb_pool_tags_in(file) ? 0 : -EEXIST;
    (void)close(file);
    return error;
}

int pb_pool_tags_file_open(struct pool_tags_file *table)
{
    table->path = getenv("PB_POOLMON");
    if (table->path == NULL || *table->path == '\0')
        return -ENODATA;
    int length = snprintf(table->made, sizeof table->made, "%s.XXXXXX", table->path);
    if (length < 0 || (size_t)length >= sizeof table->made)
        return -ENAMETOOLONG;
    int error = tags_file_free(table->path);
    if (error != 0)
        return error;
    table->file = mkostemp(table->made, O_CLOEXEC);
    if (table->file < 0)
        return -errno;
    (void)fchmod(table->file, 0644); /* refused, others cannot read it: they will say so */
    return 0;
}

/* Without room for it the table has no label. */
static void tags_file_put_label(int file)
{
    const char *text = getenv("PB_POOLMON_LABEL");
    struct tags_label label = {.text = ""};
    struct stat status;
    if (text == NULL || *text == '\0' || fstat(file, &status) != 0)
        return;
    memcpy(label.magic, label_magic, sizeof label.magic);
    (void)snprintf(label.text, sizeof label.text, "%s", text);
    ssize_t written = pwrite(file, &label, sizeof label, status.st_size);
    (void)written; /* a part of it is none */
}

void pb_pool_tags_file_label(int file, char *out, size_t size)
{
    struct tags_label label;
    struct stat status;
    out[0] = '\0';
    if (fstat(file, &status) != 0 || status.st_size < (off_t)sizeof label ||
        pread(file, &label, sizeof label, status.st_size - (off_t)sizeof label) !=
            (ssize_t)sizeof label ||
        memcmp(label.magic, label_magic, sizeof label.magic) != 0)
        return;
    label.text[sizeof label.text - 1] = '\0';
    (void)snprintf(out, size, "%s", label.text);
}

int pb_pool_tags_file_close(struct pool_tags_file *table, bool made)
{
    int error = 0;
    if (made) {
        tags_file_put_label(table->file);
        error = tags_file_free(table->path); /* still */
        if (error == 0 && rename(table->made, table->path) != 0)
            error = -errno;
    }
    if (!made || error != 0)
        (void)unlink(table->made);
    (void)close(table->file);
    return error;
}
