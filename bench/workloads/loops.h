/* SPDX-License-Identifier: MIT */
/* Compiles a workload's loop once for each path of each strategy and each dispatch. A workload file
 * defines two bodies,
 *
 *     PB_INLINE uint64_t body_run(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
 *                                 pb_free_fn *release)
 *     PB_INLINE uint64_t body_timed(struct pb_worker *w, struct pb_timing *timing,
 *                                   pb_alloc_fn *alloc, pb_free_fn *release)
 *
 * and says PB_LOOPS_FIXED (every request has one size) or PB_LOOPS_MIXED (fixed-size strategies are
 * reached through their bank). Constant function pointers fold: the calls become direct. The file then
 * has body_loop(heap, dispatch), the workload's `loop`. */
#ifndef PB_LOOPS_H
#define PB_LOOPS_H

#include "bank_hot.h"
#include "workloads/workload.h"

#define PB_LOOP_MAKE(kind, p, alloc, release)                                                      \
    static uint64_t kind##_run_##p(struct pb_worker *w, uint64_t steps)                            \
    {                                                                                              \
        return body_run(w, steps, alloc, release);                                                 \
    }                                                                                              \
    static uint64_t kind##_timed_##p(struct pb_worker *w, struct pb_timing *timing)                \
    {                                                                                              \
        return body_timed(w, timing, alloc, release);                                              \
    }

#define PB_LOOP_NONE(p)
#define PB_LOOP_CALL(p)      PB_LOOP_MAKE(call, p, pb_##p##_alloc, pb_##p##_free)
#define PB_LOOP_BOTH(p)      PB_LOOP_CALL(p) PB_LOOP_MAKE(inlined, p, p##_alloc, p##_free)
#define PB_LOOP_NATIVE(p)    PB_LOOP_MAKE(call, p, p##_alloc, p##_free)
#define PB_LOOP_BANK(p)      PB_LOOP_BOTH(bank_##p)
#define PB_ROW_CALL(p)       {&pb_hot_##p, call_run_##p, call_timed_##p},
#define PB_ROW_INLINE(p)     {&pb_hot_##p, inlined_run_##p, inlined_timed_##p},
#define PB_ROW_BANK(p)       PB_ROW_CALL(bank_##p)
#define PB_ROW_BANK_INLINE(p) PB_ROW_INLINE(bank_##p)

#define PB_LOOPS_LOOKUP                                                                            \
    static uint64_t table_run(struct pb_worker *w, uint64_t steps)                                 \
    {                                                                                              \
        return body_run(w, steps, w->heap->alloc, w->heap->free);                                  \
    }                                                                                              \
    static uint64_t table_timed(struct pb_worker *w, struct pb_timing *timing)                     \
    {                                                                                              \
        return body_timed(w, timing, w->heap->alloc, w->heap->free);                               \
    }                                                                                              \
    static const struct pb_loop *body_loop(const struct pb_heap *heap, enum pb_dispatch dispatch)  \
    {                                                                                              \
        static const struct pb_loop table = {NULL, table_run, table_timed};                        \
        const struct pb_loop *loop = dispatch == PB_DISPATCH_CALL ? call_loops : inlined_loops;    \
        if (dispatch == PB_DISPATCH_TABLE)                                                         \
            return &table;                                                                         \
        while (loop->hot != NULL && loop->hot != heap->hot)                                        \
            loop++;                                                                                \
        return loop->hot != NULL ? loop : NULL;                                                    \
    }

#define PB_LOOPS_FIXED                                                                             \
    PB_HOT_ALL(PB_LOOP_BOTH, PB_LOOP_CALL, PB_LOOP_NATIVE)                                         \
    static const struct pb_loop call_loops[] = {                                                   \
        PB_HOT_ALL(PB_ROW_CALL, PB_ROW_CALL, PB_ROW_CALL){NULL, NULL, NULL}};                      \
    static const struct pb_loop inlined_loops[] = {                                                \
        PB_HOT_ALL(PB_ROW_INLINE, PB_LOOP_NONE, PB_LOOP_NONE){NULL, NULL, NULL}};                  \
    PB_LOOPS_LOOKUP

#define PB_LOOPS_MIXED                                                                             \
    PB_HOT_ALL(PB_LOOP_BANK, PB_LOOP_CALL, PB_LOOP_NATIVE)                                         \
    static const struct pb_loop call_loops[] = {                                                   \
        PB_HOT_ALL(PB_ROW_BANK, PB_ROW_CALL, PB_ROW_CALL){NULL, NULL, NULL}};                      \
    static const struct pb_loop inlined_loops[] = {                                                \
        PB_HOT_ALL(PB_ROW_BANK_INLINE, PB_LOOP_NONE, PB_LOOP_NONE){NULL, NULL, NULL}};             \
    PB_LOOPS_LOOKUP

#endif
