/* SPDX-License-Identifier: MIT */
/* For tests of traces: texts as files in memory, and random traces. Threads: one. */
#ifndef PB_TEST_TRACE_TEXT_H
#define PB_TEST_TRACE_TEXT_H

#include "engine/rng.h"
#include "trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_EVENTS_MAX = 20000, TEXT_BYTES_MAX = TEXT_EVENTS_MAX * 32, TEXT_LIVE_MAX = 150 };

/* A file without a name; its path opens it from the start. */
struct text_file {
    int fd;
    char path[64];
};

static inline struct text_file text_file_make(const void *bytes, size_t size)
{
    struct text_file f = {.fd = memfd_create("trace", MFD_CLOEXEC)};

    snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
    if (f.fd < 0 || write(f.fd, bytes, size) != (ssize_t)size)
        abort();
    return f;
}

/* One event of a random trace. An object's size after it is `bytes`, which no other event has, so
 * that a heap knows an event by the size; a free has the size that its object had. */
struct text_event {
    char letter;
    uint32_t thread, id, bytes, alignment_log2;
};

struct text_trace {
    uint32_t n, threads;
    struct text_event events[TEXT_EVENTS_MAX + 1]; /* by order, from 1 */
    uint32_t peak;                                 /* most objects alive */
    uint64_t peak_bytes;
    char text[TEXT_BYTES_MAX];
    size_t length;
};

static inline void text_append(struct text_trace *t, const struct text_event *e)
{
    char *at = t->text + t->length;
    const size_t room = sizeof(t->text) - t->length;

    if (e->letter == 'f')
        t->length += (size_t)snprintf(at, room, "f %u %u\n", e->thread, e->id);
    else if (e->letter == 'm')
        t->length += (size_t)snprintf(at, room, "m %u %u %u %u\n", e->thread, e->id, e->bytes,
                                      1u << e->alignment_log2);
    else
        t->length +=
            (size_t)snprintf(at, room, "%c %u %u %u\n", e->letter, e->thread, e->id, e->bytes);
}

/* Draws a trace of `n` events. Threads come in order; any thread touches any object. */
static inline void text_draw(struct text_trace *t, uint32_t n, uint32_t threads, uint64_t seed)
{
    static struct text_event alive[TEXT_LIVE_MAX];
    uint32_t live = 0, ids = 0;
    uint64_t bytes = 0;
    struct pb_rng rng;

    memset(t, 0, sizeof(*t));
    t->n = n;
    t->threads = threads;
    pb_rng_seed(&rng, seed, 0);
    for (uint32_t order = 1; order <= n; order++) {
        struct text_event e = {.thread = order <= threads ? order - 1
                                                          : (uint32_t)pb_rng_below(&rng, threads),
                               .bytes = order + 20};
        const uint32_t at = live > 0 ? (uint32_t)pb_rng_below(&rng, live) : 0;
        const uint64_t roll = pb_rng_below(&rng, 100);
        if (live > 0 && (roll < 40 || live == TEXT_LIVE_MAX)) {
            e.letter = 'f';
            e.id = alive[at].id;
            e.bytes = alive[at].bytes;
            bytes -= e.bytes;
            alive[at] = alive[--live];
        } else if (live > 0 && roll < 55) {
            e.letter = 'r';
            e.id = alive[at].id;
            bytes += (uint64_t)e.bytes - alive[at].bytes;
            alive[at].bytes = e.bytes;
        } else {
            e.letter = roll < 90 ? 'a' : roll < 95 ? 'z' : 'm';
            e.alignment_log2 = e.letter == 'm' ? (uint32_t)pb_rng_below(&rng, 13) : 0;
            e.id = ++ids;
            bytes += e.bytes;
            alive[live++] = e;
        }
        t->peak = live > t->peak ? live : t->peak;
        t->peak_bytes = bytes > t->peak_bytes ? bytes : t->peak_bytes;
        t->events[order] = e;
        text_append(t, &e);
    }
}

/* bench/traces beside this source file. */
static inline const char *text_shipped_folder(void)
{
    static char folder[4096];
    const char *slash = strrchr(__FILE__, '/');

    snprintf(folder, sizeof(folder), "%.*s/../../bench/traces",
             slash != NULL ? (int)(slash - __FILE__) : 1, slash != NULL ? __FILE__ : ".");
    return folder;
}

#endif
