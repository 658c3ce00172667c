/* SPDX-License-Identifier: MIT */
/* Compiled paths. The cost of the call itself is a factor that poolbench measures, so the loops of a
 * workload are compiled once for each path of each strategy. A strategy's hot.h lists its paths:
 *
 *     #define PB_HOT_zone(FIXED, ANY, NATIVE) FIXED(zone_none) FIXED(zone_fas)
 *
 * FIXED(p)   p serves one size and is a header function: hot.h defines, static inline,
 *              void *p_alloc(struct pb_heap *, struct pb_thread *, size_t) and
 *              void p_free(struct pb_heap *, struct pb_thread *, void *, size_t).
 *            dispatch=inline folds these into the loop (as the NT headers do with ExAllocateFromZone);
 *            dispatch=call calls pb_p_alloc and pb_p_free, which strategy.c defines out of line by
 *            PB_HOT_DEFINE(p). bank.c makes the bank's path of it in the same way.
 * ANY(p)     p serves any size and is a function of its own (as ExAllocatePool is): strategy.c defines
 *            pb_p_alloc and pb_p_free and says PB_HOT_TABLE(p). There is nothing to fold: no inline.
 * NATIVE(p)  p is a library's own call (malloc): p_alloc and p_free are static inline and only forward
 *            to it, so dispatch=call compiles them into the loop and the library's call is the call.
 *
 * CMake writes hot_all.h, which includes every strategy's hot.h and defines PB_HOT_ALL over them.
 * A strategy without paths (a test double) is reached by dispatch=table alone. */
#ifndef PB_HOT_H
#define PB_HOT_H

#include "allocator.h"

#define PB_NOINLINE      __attribute__((noinline))
#define PB_INLINE        static inline __attribute__((always_inline))
#define PB_LIKELY(x)     __builtin_expect(!!(x), 1)
#define PB_UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define PB_CACHE_ALIGNED __attribute__((aligned(128))) /* a line, and the one fetched with it */

#define PB_HOT_DECLARE(p)                                                                          \
    void *pb_##p##_alloc(struct pb_heap *, struct pb_thread *, size_t);                            \
    void pb_##p##_free(struct pb_heap *, struct pb_thread *, void *, size_t);                      \
    extern const struct pb_hot pb_hot_##p;

#define PB_HOT_TABLE(p) const struct pb_hot pb_hot_##p = {#p, pb_##p##_alloc, pb_##p##_free};

#define PB_HOT_DEFINE(p)                                                                           \
    PB_NOINLINE void *pb_##p##_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes) \
    {                                                                                              \
        return p##_alloc(heap, thread, bytes);                                                     \
    }                                                                                              \
    PB_NOINLINE void pb_##p##_free(struct pb_heap *heap, struct pb_thread *thread, void *block,    \
                                   size_t bytes)                                                   \
    {                                                                                              \
        p##_free(heap, thread, block, bytes);                                                      \
    }                                                                                              \
    PB_HOT_TABLE(p)

#endif
