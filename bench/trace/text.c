/* SPDX-License-Identifier: MIT */
/* Reads the text of a trace line by line, through zstd if the file begins with its magic number.
 * Source:  bench/traces/README.md; Zstandard frames: RFC 8878.
 * Layout:  one mapping: the reader, with a buffer of compressed bytes and one of text. Lines are
 *          parsed where they lie; what is left of a line moves to the front before the next fill.
 * I1       text[at..filled-1] is decompressed and not yet parsed; `number` lines are parsed
 * I2       memory is constant: the reader and, for a compressed file, zstd's window
 * Locks    none; one thread a reader
 * Cost     one pass; a line is parsed byte by byte */
/* For ZSTD_createDCtx_advanced: zstd's memory must not come from the malloc under test. */
#define ZSTD_STATIC_LINKING_ONLY
#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { INPUT_BYTES = 128 * 1024, TEXT_BYTES = 256 * 1024, LINE_BYTES = 128, MAP_HEADER = 64 };

struct pb_trace_reader {
    int fd;
    ZSTD_DCtx *zstd; /* NULL: plain text */
    ZSTD_inBuffer input;
    bool open_frame;   /* a frame has begun and not ended */
    bool ended;        /* of the file */
    uint64_t number;   /* of the last line parsed */
    size_t at, filled; /* in text */
    char path[PB_TRACE_PATH_MAX];
    unsigned char raw[INPUT_BYTES];
    char text[TEXT_BYTES];
};

/* zstd's memory: a mapping each (it asks for a handful), its length in front. */
static void *map_alloc(void *opaque, size_t bytes)
{
    size_t *map =
        mmap(NULL, bytes + MAP_HEADER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)opaque;
    if (map == MAP_FAILED)
        return NULL;
    map[0] = bytes + MAP_HEADER;
    return (unsigned char *)map + MAP_HEADER;
}

static void map_free(void *opaque, void *block)
{
    (void)opaque;
    if (block != NULL) {
        size_t *map = (size_t *)(void *)((unsigned char *)block - MAP_HEADER);
        munmap(map, map[0]);
    }
}

/* Reads more raw bytes. Returns 0 or -EIO; ended at the end of the file. */
static int text_read(struct pb_trace_reader *r, void *into, size_t size, size_t *got, char *message,
                     size_t message_size)
{
    ssize_t n;

    do
        n = read(r->fd, into, size);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        snprintf(message, message_size, "%s: %s", r->path, strerror(errno));
        return -EIO;
    }
    r->ended = n == 0;
    *got = (size_t)n;
    return 0;
}

static int text_truncated(const struct pb_trace_reader *r, const char *why, char *message,
                          size_t message_size)
{
    snprintf(message, message_size, "%s:%llu: truncated: %s", r->path,
             (unsigned long long)r->number + 1, why);
    return -EINVAL;
}

/* Decompresses until there is more text or the file ends. */
static int text_inflate(struct pb_trace_reader *r, char *message, size_t message_size)
{
    ZSTD_outBuffer out = {r->text, TEXT_BYTES, r->filled};
    int error;

    while (out.pos == r->filled) {
        /* with no input left, zstd may still hold text that did not fit the last time */
        if (r->open_frame || r->input.pos < r->input.size) {
            const size_t left = ZSTD_decompressStream(r->zstd, &out, &r->input);
            if (ZSTD_isError(left)) {
                snprintf(message, message_size, "%s:%llu: damaged: %s", r->path,
                         (unsigned long long)r->number + 1, ZSTD_getErrorName(left));
                return -EINVAL;
            }
            r->open_frame = left != 0;
        }
        if (out.pos > r->filled || r->input.pos < r->input.size)
            continue;
        r->input.pos = 0;
        error = text_read(r, r->raw, INPUT_BYTES, &r->input.size, message, message_size);
        if (error != 0)
            return error;
        if (r->ended)
            return r->open_frame ? text_truncated(r, "the compressed data are not complete",
                                                  message, message_size)
                                 : 0;
    }
    r->filled = out.pos;
    return 0;
}

/* Moves the rest of a line to the front and reads more behind it. */
static int text_fill(struct pb_trace_reader *r, char *message, size_t message_size)
{
    size_t got = 0;
    int error;

    memmove(r->text, r->text + r->at, r->filled - r->at);
    r->filled -= r->at;
    r->at = 0;
    if (r->zstd != NULL)
        return text_inflate(r, message, message_size);
    error = text_read(r, r->text + r->filled, TEXT_BYTES - r->filled, &got, message, message_size);
    r->filled += got;
    return error;
}

/* The next line without its newline, or NULL in *line at the end. */
static int text_line(struct pb_trace_reader *r, const char **line, size_t *length, char *message,
                     size_t message_size)
{
    const char *newline;

    *line = NULL;
    for (;;) {
        const size_t left = r->filled - r->at;
        newline = memchr(r->text + r->at, '\n', left < LINE_BYTES ? left : LINE_BYTES);
        if (newline != NULL)
            break;
        if (left >= LINE_BYTES) {
            snprintf(message, message_size, "%s:%llu: a line of more than %d bytes", r->path,
                     (unsigned long long)r->number + 1, LINE_BYTES - 1);
            return -EINVAL;
        }
        if (r->ended && left == 0)
            return 0;
        if (r->ended)
            return text_truncated(r, "the last line does not end in a newline", message,
                                  message_size);
        const int error = text_fill(r, message, message_size);
        if (error != 0)
            return error;
    }
    *line = r->text + r->at;
    *length = (size_t)(newline - *line);
    r->at += *length + 1;
    r->number++;
    return 0;
}

/* --- one line -------------------------------------------------------------------------------- */

/* An event: its letter, its fields after it, and how it is written. */
static const struct text_event {
    char letter;
    enum pb_trace_op op;
    unsigned fields;
    const char *form;
} text_events[] = {
    {'a', PB_TRACE_ALLOC, 3, "a THREAD ID SIZE"},
    {'z', PB_TRACE_ZEROED, 3, "z THREAD ID SIZE"},
    {'m', PB_TRACE_ALIGNED, 4, "m THREAD ID SIZE ALIGNMENT"},
    {'r', PB_TRACE_REALLOC, 3, "r THREAD ID SIZE"},
    {'f', PB_TRACE_FREE, 2, "f THREAD ID"},
};

/* The fields' names and ranges, in the order in which they are written. */
static const struct text_field {
    const char *name;
    uint64_t min, max;
} text_fields[] = {
    {"thread", 0, PB_TRACE_THREADS_MAX - 1},
    {"id", 1, PB_TRACE_ID_MAX},
    {"size", 0, UINT32_MAX},
    {"alignment", 1, 1ull << PB_TRACE_ALIGNMENT_LOG2_MAX},
};

/* Reads " DIGITS" at *at; false if that is not there. Numbers beyond 64 bits become UINT64_MAX. */
static bool text_number(const char **at, const char *end, uint64_t *value)
{
    const char *p = *at;
    uint64_t v = 0;

    if (end - p < 2 || p[0] != ' ' || p[1] < '0' || p[1] > '9')
        return false;
    for (p++; p < end && *p >= '0' && *p <= '9'; p++) {
        const uint64_t digit = (uint64_t)(*p - '0');
        v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
    }
    *at = p;
    *value = v;
    return true;
}

/* What is wrong with a line, "" if nothing. */
static void text_parse(const char *p, size_t length, struct pb_trace_line *line, char *what,
                       size_t size)
{
    const char *end = p + length;
    const struct text_event *event = NULL;
    uint64_t values[4] = {0, 0, 0, 1};
    unsigned n = 0;

    what[0] = '\0';
    for (size_t i = 0; length > 0 && i < sizeof(text_events) / sizeof(text_events[0]); i++)
        if (text_events[i].letter == *p)
            event = &text_events[i];
    if (length > 0 && end[-1] == '\r') {
        snprintf(what, size, "ends in CR LF; a line ends in LF alone");
    } else if (length == 0) {
        snprintf(what, size, "an empty line");
    } else if (event == NULL) {
        snprintf(what, size, "unknown event '%c'", *p >= ' ' && *p <= '~' ? *p : '?');
    } else {
        for (p++; n < event->fields && text_number(&p, end, &values[n]); n++)
            ;
        if (n < event->fields || p != end)
            snprintf(what, size, "malformed; expected `%s`", event->form);
        for (unsigned i = 0; i < n && what[0] == '\0'; i++)
            if (values[i] < text_fields[i].min || values[i] > text_fields[i].max)
                snprintf(what, size, "%s is not in %llu..%llu", text_fields[i].name,
                         (unsigned long long)text_fields[i].min,
                         (unsigned long long)text_fields[i].max);
        if (what[0] == '\0' && (values[3] & (values[3] - 1)) != 0)
            snprintf(what, size, "alignment is not a power of two");
    }
    if (what[0] != '\0')
        return;
    line->op = event->op;
    line->thread = (uint32_t)values[0];
    line->id = (uint32_t)values[1];
    line->bytes = (uint32_t)values[2];
    line->alignment_log2 = (uint32_t)__builtin_ctzll(values[3]);
}

int pb_trace_next(struct pb_trace_reader *reader, struct pb_trace_line *line, char *message,
                  size_t message_size)
{
    const char *text;
    char what[80];
    size_t length;
    const int error = text_line(reader, &text, &length, message, message_size);

    if (error != 0 || text == NULL)
        return error;
    text_parse(text, length, line, what, sizeof(what));
    if (what[0] != '\0') {
        snprintf(message, message_size, "%s:%llu: %s", reader->path,
                 (unsigned long long)reader->number, what);
        return -EINVAL;
    }
    line->number = reader->number;
    return 1;
}

/* --- open and close -------------------------------------------------------------------------- */

/* Reads the first bytes and decides whether they are zstd's. */
static int text_begin(struct pb_trace_reader *r, char *message, size_t message_size)
{
    static const unsigned char magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
    size_t got = 0;
    int error;

    do {
        error = text_read(r, r->raw + r->input.size, INPUT_BYTES - r->input.size, &got, message,
                          message_size);
        r->input.size += got;
    } while (error == 0 && got != 0 && r->input.size < sizeof(magic));
    if (error != 0)
        return error;
    r->input.src = r->raw;
    if (r->input.size < sizeof(magic) || memcmp(r->raw, magic, sizeof(magic)) != 0) {
        memcpy(r->text, r->raw, r->input.size);
        r->filled = r->input.size;
        return 0;
    }
    r->zstd = ZSTD_createDCtx_advanced((ZSTD_customMem){map_alloc, map_free, NULL});
    r->open_frame = true;
    r->ended = false;
    return r->zstd == NULL ? -ENOMEM : 0;
}

/* Opens a regular file; a pipe without a writer must not make anybody wait. Returns 0 or -errno. */
static int text_file(struct pb_trace_reader *r, char *message, size_t message_size)
{
    struct stat st;
    int error = 0;

    r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        error = -errno;
        snprintf(message, message_size, "%s: %s", r->path, strerror(-error));
    } else if (!S_ISREG(st.st_mode)) {
        error = -EINVAL;
        snprintf(message, message_size, "%s: not a regular file", r->path);
    }
    if (error != 0 && r->fd >= 0)
        close(r->fd);
    return error;
}

int pb_trace_open(const char *path, struct pb_trace_reader **reader, char *message,
                  size_t message_size)
{
    struct pb_trace_reader *r =
        mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error;

    if (r == MAP_FAILED) {
        snprintf(message, message_size, "%s: no memory for the reader", path);
        return -ENOMEM;
    }
    snprintf(r->path, sizeof(r->path), "%s", path);
    error = text_file(r, message, message_size);
    if (error != 0)
        goto out_unmap;
    error = text_begin(r, message, message_size);
    if (error == -ENOMEM)
        snprintf(message, message_size, "%s: no memory for zstd", path);
    if (error != 0)
        goto out_close;
    *reader = r;
    return 0;

out_close:
    close(r->fd);
out_unmap:
    munmap(r, sizeof(*r));
    return error;
}

void pb_trace_close(struct pb_trace_reader *reader)
{
    ZSTD_freeDCtx(reader->zstd); /* NULL is fine */
    close(reader->fd);
    munmap(reader, sizeof(*reader));
}
