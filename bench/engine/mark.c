/* SPDX-License-Identifier: MIT */
/* Marks: mark.h. A kernel that returns from an interrupt or a switch to a thread whose rseq area
 * points to a section compares the thread's place with it, and takes the pointer away where the
 * thread is not inside. It kills the thread if the four bytes before the section's abort address
 * are not the signature that the area was registered with. Newer kernels look only on the way back
 * from an interrupt, not from a system call: what a thread gives up by itself, getrusage tells.
 * Threads: each its own. May touch: the calling thread's rseq area. */
#include "engine/mark.h"

#include <stddef.h>
#include <sys/resource.h>

#if defined(__has_include)
#if __has_include(<sys/rseq.h>) && (defined(__x86_64__) || defined(__aarch64__))
#include <sys/rseq.h>
#define MARK_HAS_RSEQ 1
#endif
#endif

const char *const pb_mark_names[] = {"switches", "rseq", NULL};

struct pb_mark_section pb_mark_section;

#if defined(MARK_HAS_RSEQ) && defined(RSEQ_SIG)

enum { POINTER_AT = 8, CPU_AT = 4, AREA_BYTES = 20 }; /* in struct rseq, by linux/rseq.h */

static const struct {
    uint32_t signature, none;
} abort_handler = {RSEQ_SIG, 0};

static unsigned char *area_now(void)
{
    unsigned char *thread;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(thread));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(thread));
#endif
    return thread + __rseq_offset;
}

/* A registered area holds the number of the processor; one that is not, a negative number. */
enum pb_mark_way pb_mark_best(void)
{
    if (__rseq_size < AREA_BYTES || *(const volatile int32_t *)(void *)(area_now() + CPU_AT) < 0)
        return PB_MARK_SWITCHES;
    pb_mark_section.start = (uintptr_t)&abort_handler.signature;
    pb_mark_section.bytes = 1;
    pb_mark_section.abort_at = (uintptr_t)&abort_handler.none;
    return PB_MARK_RSEQ;
}

static volatile uint64_t *pointer_now(void)
{
    return (volatile uint64_t *)(void *)(area_now() + POINTER_AT);
}

#else

enum pb_mark_way pb_mark_best(void)
{
    return PB_MARK_SWITCHES;
}

static volatile uint64_t *pointer_now(void)
{
    return NULL;
}

#endif

/* No page faults: a fault in a call is the strategy's own cost. */
static long switches_now(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw + usage.ru_nvcsw;
}

void pb_mark_begin(struct pb_mark *mark, enum pb_mark_way way)
{
    mark->area = way == PB_MARK_RSEQ ? pointer_now() : NULL;
    mark->switches = switches_now();
}

void pb_mark_end(struct pb_mark *mark)
{
    if (mark->area != NULL)
        *mark->area = 0;
    mark->area = NULL;
}

bool pb_mark_has_switched(struct pb_mark *mark)
{
    long now = switches_now(), before = mark->switches;
    mark->switches = now;
    return now != before;
}
