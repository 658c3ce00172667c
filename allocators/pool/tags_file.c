/* SPDX-License-Identifier: MIT */
/* Making the file of a table of tags: tags_file.h. */
#include "pool/tags_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int pb_pool_tags_file_open(struct pool_tags_file *table)
{
    table->path = getenv("PB_POOLMON");
    if (table->path == NULL || *table->path == '\0')
        return -ENODATA;
    int length = snprintf(table->made, sizeof table->made, "%s.XXXXXX", table->path);
    if (length < 0 || (size_t)length >= sizeof table->made)
        return -ENAMETOOLONG;
    table->file = mkostemp(table->made, O_CLOEXEC);
    if (table->file < 0)
        return -errno;
    (void)fchmod(table->file, 0644); /* refused, others cannot read it: they will say so */
    return 0;
}

int pb_pool_tags_file_close(struct pool_tags_file *table, bool made)
{
    int error = made && rename(table->made, table->path) != 0 ? -errno : 0;
    if (!made || error != 0)
        (void)unlink(table->made);
    (void)close(table->file);
    return error;
}
