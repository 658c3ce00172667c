/* SPDX-License-Identifier: MIT */
/* Lines of JSON with a checksum: json_line.h says what and why. */
#include "runner/json_line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* `,"crc":"xxxxxxxx"}` */
enum { CRC_TAIL = 18, LET_GO = 16 << 20 /* bytes of a file that were read and are let go */ };

uint64_t pb_hash_text(const char *text, size_t length)
{
    uint64_t x = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        x = (x ^ (unsigned char)text[i]) * 0x100000001b3u;
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* The canonical text: keys sorted, no spaces, reals with 15 digits. malloc'ed; NULL without memory.
 */
static char *canonical_text(const json_t *value)
{
    return json_dumps(value,
                      JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

int pb_hash_json(const json_t *value, char out[17])
{
    char *text = canonical_text(value);
    if (text == NULL)
        return -ENOMEM;
    snprintf(out, 17, "%016" PRIx64, pb_hash_text(text, strlen(text)));
    free(text);
    return 0;
}

static unsigned crc_of(const char *text, size_t length)
{
    return (unsigned)crc32(crc32(0, NULL, 0), (const Bytef *)text, (uInt)length);
}

/* The line with its crc and its end; malloc'ed, NULL without memory. */
static char *line_text(const json_t *object, size_t *length)
{
    char *text = canonical_text(object), *line = NULL;
    if (text == NULL)
        return NULL;
    size_t body = strlen(text) - 1; /* without the closing brace */
    line = malloc(body + CRC_TAIL + 2);
    if (line != NULL) {
        memcpy(line, text, body);
        snprintf(line + body, CRC_TAIL + 2, ",\"crc\":\"%08x\"}\n", crc_of(text, body));
        *length = body + CRC_TAIL + 1;
    }
    free(text);
    return line;
}

int pb_write_whole(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

int pb_line_append(int fd, const json_t *object)
{
    size_t length = 0;
    struct stat before;
    int error = 0;
    if (json_object_size(object) == 0 || json_object_get(object, "crc") != NULL)
        return -EINVAL;
    if (fstat(fd, &before) != 0)
        return -errno;
    char *line = line_text(object, &length);
    if (line == NULL)
        return -ENOMEM;
    error = pb_write_whole(fd, line, length);
    if (error != 0)
        (void)!ftruncate(fd, before.st_size); /* what cannot be cut off is a torn line to readers */
    else if (fdatasync(fd) != 0 && errno != EINVAL && errno != EROFS) /* a pipe cannot be synced */
        error = -errno;
    free(line);
    return error;
}

int pb_line_parse(const char *line, size_t length, json_t **object)
{
    unsigned crc;
    char tail[CRC_TAIL + 1];
    if (length <= CRC_TAIL)
        return -EINVAL;
    size_t body = length - CRC_TAIL;
    memcpy(tail, line + body, CRC_TAIL);
    tail[CRC_TAIL] = '\0';
    if (strncmp(tail, ",\"crc\":\"", 8) != 0 || strcmp(tail + 16, "\"}") != 0 ||
        sscanf(tail + 8, "%8x", &crc) != 1 || crc != crc_of(line, body))
        return -EINVAL;
    json_t *parsed = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(parsed)) {
        json_decref(parsed);
        return -EINVAL;
    }
    json_object_del(parsed, "crc");
    *object = parsed;
    return 0;
}

void pb_line_remedy(const char *path, size_t number, char *message, size_t message_size)
{
    size_t used = strlen(message);
    if (number == 1)
        snprintf(message + used, message_size - used,
                 "; nothing can be read without it: put a good copy of the file in its place, or "
                 "start a new run");
    else
        snprintf(message + used, message_size - used,
                 "; to go on without it: sed -i %zud '%s', and resume measures again what it held",
                 number, path);
}

/* Walks the lines of a mapped file. */
static int walk(const char *path, char *text, size_t bytes, pb_line_fn *each, void *context,
                struct pb_lines *lines, char *message, size_t message_size)
{
    size_t at = 0, kept = 0;
    int error = 0;
    while (error == 0 && at < bytes) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end != NULL ? (size_t)(end - (text + at)) : bytes - at;
        json_t *object = NULL;
        lines->torn = end == NULL;
        if (lines->torn)
            return 0;
        if (pb_line_parse(text + at, length, &object) != 0) {
            snprintf(message, message_size, "%s:%zu: the line is damaged: its crc does not match",
                     path, lines->lines + 1);
            pb_line_remedy(path, lines->lines + 1, message, message_size);
            return -EINVAL;
        }
        error = each(context, object, ++lines->lines);
        json_decref(object);
        at += length + 1;
        lines->good_bytes = (off_t)at;
        if (at - kept >= LET_GO) { /* a file may be larger than memory */
            size_t whole = (at - kept) & ~(size_t)(LET_GO - 1);
            madvise(text + kept, whole, MADV_DONTNEED);
            kept += whole;
        }
    }
    return error;
}

int pb_lines_read(const char *path, pb_line_fn *each, void *context, struct pb_lines *lines,
                  char *message, size_t message_size)
{
    struct stat st;
    int error = 0;
    *lines = (struct pb_lines){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        error = -errno;
        snprintf(message, message_size, "%s: %s", path, strerror(-error));
        goto out_close;
    }
    if (st.st_size == 0)
        goto out_close;
    size_t bytes = (size_t)st.st_size;
    char *text = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) {
        error = -errno;
        snprintf(message, message_size, "%s: %s", path, strerror(-error));
        goto out_close;
    }
    error = walk(path, text, bytes, each, context, lines, message, message_size);
    munmap(text, bytes);
out_close:
    if (fd >= 0)
        close(fd);
    return error;
}
