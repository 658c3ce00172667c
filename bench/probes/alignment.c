/* SPDX-License-Identifier: MIT */
/* Alignment: where blocks lie relative to cache lines and pages, from the audit pass. Addresses
 * alone, no clock: with one thread the figures are exact and repeat.
 * Source:  Berger et al., "Hoard", ASPLOS 2000, section 2 (false sharing by the allocator); Liu et
 *          al., "PREDATOR", PPoPP 2014 (virtual lines of twice the size).
 * Layout:  shares are of all blocks handed out; alignment[k] counts those whose address is
 *          divisible by 2^k and no more, the last one all above
 * I1       aligned_16 >= aligned_32 >= aligned_64 >= aligned_4096
 * Cost     none in a timed window: a pass of its own */
#include "probes/probe.h"

#include <math.h>

enum { ALIGNED_16, ALIGNED_32, ALIGNED_64, ALIGNED_4096, LEAST, STRADDLE, SHARED_64, SHARED_128 };

static const struct pb_metric metrics[] = {
    [ALIGNED_16] = {"aligned_16", "1", 0, "share of blocks aligned to at least 16 bytes"},
    [ALIGNED_32] = {"aligned_32", "1", 0, "share of blocks aligned to at least 32 bytes"},
    [ALIGNED_64] = {"aligned_64", "1", 0, "share of blocks aligned to at least 64 bytes"},
    [ALIGNED_4096] = {"aligned_4096", "1", 0, "share of blocks aligned to at least 4096 bytes"},
    [LEAST] = {"alignment_min", "bytes", 0, "the least alignment of a block, 4096 at most"},
    [STRADDLE] = {"straddle_share", "1", -1, "share of blocks of at most 64 bytes on two lines"},
    [SHARED_64] = {"shared_64", "1", -1,
                   "share of blocks on a 64-byte line of another thread's block"},
    [SHARED_128] = {"shared_128", "1", -1,
                    "share of blocks on 128 bytes with another thread's block"},
    {NULL, NULL, 0, NULL},
};

static double blocks_from(const struct pb_audit_result *a, unsigned log2)
{
    uint64_t sum = 0;
    for (unsigned i = log2; i < PB_AUDIT_ALIGNMENTS; i++)
        sum += a->alignment[i];
    return (double)sum;
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    static const unsigned log2[] = {
        [ALIGNED_16] = 4, [ALIGNED_32] = 5, [ALIGNED_64] = 6, [ALIGNED_4096] = 12};
    (void)rate;
    (void)tail;
    const struct pb_audit_result *a = o->audit;
    double blocks = a != NULL ? blocks_from(a, 0) : 0.0;
    for (size_t i = 0; metrics[i].key != NULL; i++)
        values[i] = NAN;
    if (blocks <= 0.0)
        return;
    for (size_t i = ALIGNED_16; i <= ALIGNED_4096; i++)
        values[i] = blocks_from(a, log2[i]) / blocks;
    unsigned least = 0;
    while (a->alignment[least] == 0)
        least++;
    values[LEAST] = (double)(1u << least);
    values[STRADDLE] = (double)a->straddling / blocks;
    values[SHARED_64] = (double)a->shared_64 / blocks;
    values[SHARED_128] = (double)a->shared_128 / blocks;
}

const struct pb_probe pb_probe_alignment = {
    .name = "alignment",
    .summary = "alignment of blocks, straddled lines, lines shared between threads",
    .source = "Berger et al., ASPLOS 2000; Liu et al., PPoPP 2014",
    .metrics = metrics,
    .report = report,
};
