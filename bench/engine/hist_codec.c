/* SPDX-License-Identifier: MIT */
/* Histogram text: HdrHistogram's V2 compressed encoding in base64, which every viewer of that
 * family reads. Each layer is one pair of functions:
 *   counts   a count is ZigZag LEB128 in at most 9 bytes (the 9th whole); k zeros in a row are -k
 *   raw      40 bytes of big-endian head, then the counts up to that of the maximum
 *   packed   cookie, length, zlib stream of raw
 *   text     base64 of packed
 * Source:  HdrHistogram_c 0.11, hdr_histogram_log.c and hdr_encoding.c.
 * Threads: any, one histogram each. May touch: one mapping for the buffers and for zlib, which
 *          never sees malloc: that may be the allocator under test. */
#include "engine/hist_layout.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

enum {
    RAW_HEAD = 40,
    PACKED_HEAD = 8,
    COUNT_BYTES = 9,
    RAW_MAX = RAW_HEAD + PB_HIST_COUNTS * COUNT_BYTES,
    PACKED_MAX = PB_HIST_TEXT_MAX / 4 * 3,
    ZLIB_MAX = 512 << 10, /* deflate wants 268 KiB */
    COOKIE_RAW = 0x1c849313,
    COOKIE_PACKED = 0x1c849314
};

struct space {
    unsigned char raw[RAW_MAX], packed[PACKED_MAX];
    size_t zlib_used;
    _Alignas(16) unsigned char zlib[ZLIB_MAX];
};

static struct space *space_open(void)
{
    void *at = mmap(NULL, sizeof(struct space), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void space_close(struct space *space)
{
    munmap(space, sizeof *space);
}

static void *zlib_take(void *opaque, unsigned items, unsigned size)
{
    struct space *space = opaque;
    size_t bytes = ((size_t)items * size + 15) & ~(size_t)15;
    if (bytes > ZLIB_MAX - space->zlib_used)
        return NULL;
    space->zlib_used += bytes;
    return space->zlib + space->zlib_used - bytes;
}

static void zlib_give(void *opaque, void *at)
{
    (void)opaque;
    (void)at; /* all of it goes with the mapping */
}

/* --- big-endian numbers ---------------------------------------------------------------------- */

static void put(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
}

static uint64_t get(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* --- counts ---------------------------------------------------------------------------------- */

static unsigned char *put_count(unsigned char *at, int64_t count)
{
    uint64_t rest = (uint64_t)count << 1 ^ (count < 0 ? UINT64_MAX : 0);
    for (int i = 0; i < COUNT_BYTES - 1 && rest > 0x7f; i++, rest >>= 7)
        *at++ = (unsigned char)(rest | 0x80);
    *at++ = (unsigned char)rest;
    return at;
}

/* Returns what follows, or NULL if the bytes end within. */
static const unsigned char *get_count(const unsigned char *at, const unsigned char *end,
                                      int64_t *count)
{
    uint64_t value = 0;
    for (unsigned i = 0; at < end; i++) {
        uint64_t byte = *at++;
        bool last = i == COUNT_BYTES - 1;
        value |= (last ? byte : byte & 0x7f) << 7 * i;
        if (last || byte < 0x80) {
            *count = (int64_t)(value >> 1 ^ (0 - (value & 1)));
            return at;
        }
    }
    return NULL;
}

static size_t counts_encode(const struct pb_hist *hist, unsigned char *out)
{
    uint64_t max = hist->max < PB_HIST_HIGHEST ? hist->max : PB_HIST_HIGHEST;
    size_t limit = pb_hist_index(max) + 1;
    unsigned char *at = out;
    for (size_t i = 0; i < limit;) {
        size_t zeros = 0;
        while (i + zeros < limit && hist->counts[i + zeros] == 0)
            zeros++;
        at = put_count(at, zeros > 0 ? -(int64_t)zeros : (int64_t)hist->counts[i]);
        i += zeros > 0 ? zeros : 1;
    }
    return (size_t)(at - out);
}

static void count_restore(struct pb_hist *hist, size_t index, uint64_t count)
{
    uint64_t low = pb_hist_lower_edge(index), high = pb_hist_upper_edge(index);
    hist->counts[index] = count;
    hist->n += count;
    hist->sum += ((double)low + (double)high) / 2 * (double)count;
    hist->max = high;
    if (low < hist->min)
        hist->min = low;
}

static int counts_decode(struct pb_hist *hist, const unsigned char *at, size_t bytes)
{
    const unsigned char *end = at + bytes;
    size_t index = 0;
    while (at < end) {
        int64_t count;
        at = get_count(at, end, &count);
        if (at == NULL || count < -(int64_t)(PB_HIST_COUNTS - index))
            return -EINVAL;
        if (count < 0) {
            index += (size_t)-count;
            continue;
        }
        if (index == PB_HIST_COUNTS || (uint64_t)count > UINT64_MAX - hist->n)
            return -EINVAL;
        if (count > 0)
            count_restore(hist, index, (uint64_t)count);
        index++;
    }
    return 0;
}

/* --- raw ------------------------------------------------------------------------------------- */

static const double ratio_one = 1.0;

static size_t raw_encode(const struct pb_hist *hist, unsigned char *raw)
{
    uint64_t ratio;
    memcpy(&ratio, &ratio_one, sizeof ratio);
    size_t bytes = counts_encode(hist, raw + RAW_HEAD);
    put(raw, COOKIE_RAW, 4);
    put(raw + 4, bytes, 4);
    put(raw + 8, 0, 4); /* normalizing index offset */
    put(raw + 12, PB_HIST_DIGITS, 4);
    put(raw + 16, PB_HIST_LOWEST, 8);
    put(raw + 24, PB_HIST_HIGHEST, 8);
    put(raw + 32, ratio, 8);
    return RAW_HEAD + bytes;
}

static int raw_decode(struct pb_hist *hist, const unsigned char *raw, size_t bytes)
{
    if (bytes < RAW_HEAD || get(raw, 4) != COOKIE_RAW || get(raw + 8, 4) != 0 ||
        get(raw + 12, 4) != PB_HIST_DIGITS || get(raw + 16, 8) != PB_HIST_LOWEST)
        return -EINVAL;
    if (get(raw + 4, 4) != bytes - RAW_HEAD)
        return -EINVAL;
    return counts_decode(hist, raw + RAW_HEAD, bytes - RAW_HEAD);
}

/* --- packed ---------------------------------------------------------------------------------- */

static int packed_encode(struct space *space, size_t raw_bytes, size_t *packed_bytes)
{
    z_stream z = {.zalloc = zlib_take, .zfree = zlib_give, .opaque = space};
    if (deflateInit(&z, Z_DEFAULT_COMPRESSION) != Z_OK)
        return -ENOMEM;
    z.next_in = space->raw;
    z.avail_in = (unsigned)raw_bytes;
    z.next_out = space->packed + PACKED_HEAD;
    z.avail_out = PACKED_MAX - PACKED_HEAD;
    int done = deflate(&z, Z_FINISH);
    size_t bytes = z.total_out;
    deflateEnd(&z);
    if (done != Z_STREAM_END)
        return -ENOSPC;
    put(space->packed, COOKIE_PACKED, 4);
    put(space->packed + 4, bytes, 4);
    *packed_bytes = PACKED_HEAD + bytes;
    return 0;
}

static int packed_decode(struct space *space, size_t packed_bytes, size_t *raw_bytes)
{
    if (packed_bytes < PACKED_HEAD || get(space->packed, 4) != COOKIE_PACKED ||
        get(space->packed + 4, 4) != packed_bytes - PACKED_HEAD)
        return -EINVAL;
    z_stream z = {.zalloc = zlib_take, .zfree = zlib_give, .opaque = space};
    if (inflateInit(&z) != Z_OK)
        return -ENOMEM;
    z.next_in = space->packed + PACKED_HEAD;
    z.avail_in = (unsigned)(packed_bytes - PACKED_HEAD);
    z.next_out = space->raw;
    z.avail_out = RAW_MAX;
    int done = inflate(&z, Z_FINISH);
    *raw_bytes = z.total_out;
    inflateEnd(&z);
    return done == Z_STREAM_END ? 0 : -EINVAL;
}

/* --- text ------------------------------------------------------------------------------------ */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void text_encode(const unsigned char *in, size_t bytes, char *out)
{
    for (size_t i = 0; i < bytes; i += 3, out += 4) {
        size_t have = bytes - i < 3 ? bytes - i : 3;
        unsigned char three[3] = {0};
        memcpy(three, in + i, have);
        unsigned group = (unsigned)get(three, 3);
        for (size_t k = 0; k < 4; k++)
            out[k] = k > have ? '=' : letters[group >> (18 - 6 * k) & 63];
    }
    *out = '\0';
}

/* Returns the bytes written to `out`, or -EINVAL. */
static int text_decode(const char *text, size_t length, unsigned char *out)
{
    if (length % 4 != 0 || length == 0)
        return -EINVAL;
    size_t pads = (size_t)(text[length - 1] == '=') + (text[length - 2] == '=');
    for (size_t i = 0; i < length; i += 4, out += 3) {
        unsigned group = 0;
        for (size_t k = 0; k < 4; k++) {
            bool pad = i + k >= length - pads;
            const char *letter = pad ? letters : memchr(letters, text[i + k], 64);
            if (letter == NULL)
                return -EINVAL;
            group = group << 6 | (unsigned)(letter - letters);
        }
        put(out, group, 3);
    }
    return (int)(length / 4 * 3 - pads);
}

int pb_hist_encode(const struct pb_hist *hist, char *out, size_t size)
{
    struct space *space = space_open();
    if (space == NULL)
        return -ENOMEM;
    size_t packed = 0;
    int result = packed_encode(space, raw_encode(hist, space->raw), &packed);
    if (result < 0)
        goto out_space;
    size_t length = (packed + 2) / 3 * 4;
    result = length < size ? (int)length : -ENOSPC;
    if (result >= 0)
        text_encode(space->packed, packed, out);
out_space:
    space_close(space);
    return result;
}

int pb_hist_decode(struct pb_hist *hist, const char *text)
{
    size_t length = strnlen(text, PB_HIST_TEXT_MAX + 1), raw = 0;
    if (length > PB_HIST_TEXT_MAX)
        return -EINVAL;
    struct space *space = space_open();
    if (space == NULL)
        return -ENOMEM;
    pb_hist_clear(hist);
    int result = text_decode(text, length, space->packed);
    if (result >= 0)
        result = packed_decode(space, (size_t)result, &raw);
    if (result == 0)
        result = raw_decode(hist, space->raw, raw);
    if (result != 0)
        pb_hist_clear(hist); /* not half of one */
    space_close(space);
    return result;
}
