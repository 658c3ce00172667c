/* SPDX-License-Identifier: MIT */
/* Whether something took the processor from a thread between two moments, for a store and a load.
 * The thread's rseq area (restartable sequences; glibc registers it since 2.35) holds a pointer to
 * the critical section that the thread is in. Ours is one that no instruction lies in, so whenever
 * the kernel puts the thread off its processor, moves it or delivers a signal it takes the pointer
 * away and does nothing else.
 * Where there is no such area, or the strategy uses it itself, getrusage tells what happened over a
 * batch of calls instead: context switches.
 * Source:  linux/rseq.h; methodology 3.4.
 * Threads: each its own mark. May touch: the calling thread's rseq area. */
#ifndef PB_MARK_H
#define PB_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pb_mark_way { PB_MARK_SWITCHES, PB_MARK_RSEQ, PB_MARK_WAYS };
extern const char *const pb_mark_names[]; /* "switches", "rseq", NULL */

struct pb_mark {
    volatile uint64_t *area; /* where the pointer is; NULL: no rseq */
    long switches;           /* of the thread when getrusage was read last */
};

/* What the threads of this process can have. */
enum pb_mark_way pb_mark_best(void);

/* Readies the calling thread's mark; `way` as pb_mark_best, or SWITCHES. */
void pb_mark_begin(struct pb_mark *mark, enum pb_mark_way way);
void pb_mark_end(struct pb_mark *mark);

/* A section that contains no code, whose abort address has the signature that the kernel wants. */
struct pb_mark_section {
    uint32_t version, flags;
    uint64_t start, bytes, abort_at;
} __attribute__((aligned(32)));
extern struct pb_mark_section pb_mark_section;

static inline void pb_mark_set(const struct pb_mark *mark)
{
    if (mark->area != NULL)
        *mark->area = (uintptr_t)&pb_mark_section;
}

/* Whether the thread was disturbed since pb_mark_set; never without an area. */
static inline bool pb_mark_is_hit(const struct pb_mark *mark)
{
    return mark->area != NULL && *mark->area == 0;
}

/* Whether a context switch happened to the thread since this was asked last (or since
 * pb_mark_begin). A system call. */
bool pb_mark_has_switched(struct pb_mark *mark);

#endif
