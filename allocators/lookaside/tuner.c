/* SPDX-License-Identifier: MIT */
/* The executive's adjustment of depths: by call, or each period on the tuner's thread.
 * A list's A and M (nt/tuning.h) are its counters less those of the last adjustment. They are 32
 * bits and plain: what wrapped is put right by the subtraction, and a count that a stalled
 * processor set back is none. A list that counts some 4 * 10^9 allocations in one period is judged
 * by the rest.
 * Source:  Windows Internals, 6th ed., 2012, "Look-Aside Lists" and "Balance Set Manager"
 * Threads: any; the chains' locks make adjustments of one list come one after another. May touch:
 *          nt/. */
#include "nt/tuner.h"
#include "lookaside/list.h"

/* A difference this close below 2^32 is a count that was set back. */
#define SET_BACK ((ULONG)1 << 28)

static ULONG grown(ULONG now, ULONG before)
{
    ULONG by = now - before;
    return by > UINT32_MAX - SET_BACK ? 0 : by;
}

void pb_general_adjust(pb_general *list, const struct pb_tuning *tuning)
{
    /* relaxed: recent values do */
    ULONG allocates = __atomic_load_n(&list->TotalAllocates, __ATOMIC_RELAXED);
    ULONG misses = __atomic_load_n(&list->AllocateMisses, __ATOMIC_RELAXED);
    ULONG a = grown(allocates, list->LastTotalAllocates);
    ULONG m = grown(misses, list->LastAllocateMisses);
    unsigned depth = pb_tuning_depth(tuning, __atomic_load_n(&list->Depth, __ATOMIC_RELAXED),
                                     list->MaximumDepth, a, m);
    __atomic_store_n(&list->Depth, (USHORT)depth, __ATOMIC_RELAXED);
    list->LastTotalAllocates = allocates;
    list->LastAllocateMisses = misses;
}

void ExAdjustLookasideDepth(void)
{
    struct pb_tuning tuning;
    PAGED_CODE();
    pb_tuner_get(&tuning);
    pb_general_adjust_chains(&tuning);
    pb_tuner_adjust_registered(&tuning);
}

/* The executive's rule may have changed since the start: the job's copy is for the period alone. */
static void adjust(void *context, const struct pb_tuning *tuning)
{
    (void)context, (void)tuning;
    ExAdjustLookasideDepth();
}

static struct pb_tuner_job executive = {.adjust = adjust};

int PbStartLookasideTuner(void)
{
    struct pb_tuning tuning;
    pb_tuner_get(&tuning);
    return pb_tuner_start(&executive, &tuning);
}

void PbStopLookasideTuner(void)
{
    pb_tuner_stop(&executive);
}
