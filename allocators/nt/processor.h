/* SPDX-License-Identifier: MIT */
/* Which processor the calling thread runs on, as cheaply as the system tells: the kernel keeps the
 * number up to date in the thread's rseq area, which the C library registers (glibc 2.35);
 * elsewhere sched_getcpu. The answer may be out of date as soon as it is there: what is chosen by
 * it must be safe for any processor, and only gains from the right one. Source: glibc manual,
 * "Restartable Sequences"; sched_getcpu(3). Threads: any. May touch: nothing. */
#ifndef PB_NT_PROCESSOR_H
#define PB_NT_PROCESSOR_H

#include "hot.h"

#include <limits.h>
#include <sched.h>
#if defined(__has_include) && defined(__has_builtin)
#if __has_include(<sys/rseq.h>) && __has_builtin(__builtin_thread_pointer)
#include <sys/rseq.h>
#define PB_PROCESSOR_RSEQ 1
#endif
#endif

static PB_NOINLINE unsigned pb_processor_ask(void)
{
    int cpu = sched_getcpu();
    return cpu >= 0 ? (unsigned)cpu : 0; /* a system that cannot say: all threads meet on one */
}

/* Without asking the system; above INT_MAX where only that would tell. */
PB_INLINE unsigned pb_processor_known(void)
{
#ifdef PB_PROCESSOR_RSEQ
    const char *area = (const char *)__builtin_thread_pointer() + __rseq_offset;
    /* volatile: the kernel writes it, whenever the thread moves */
    const volatile struct rseq *rseq = (const volatile struct rseq *)(const void *)area;
    return rseq->cpu_id; /* negative as an int: not registered */
#else
    return UINT_MAX;
#endif
}

PB_INLINE unsigned pb_processor(void)
{
    unsigned cpu = pb_processor_known();
    return PB_LIKELY(cpu <= INT_MAX) ? cpu : pb_processor_ask();
}

#endif
