/* SPDX-License-Identifier: MIT */
/* How far the clocks of the processors lie apart, by ping-pong of readings between two threads,
 * each pinned to a processor of its own: one reads, the other reads when it sees that, the first
 * reads again. The second reading lies between the other two, so each round bounds the difference
 * of the clocks, and all rounds together bound it by the tightest of them.
 * Source:  Mills, "Internet time synchronization", IEEE Trans. Commun. 39 (1991), the same bound.
 * Threads: one; it starts one more. May touch: the affinity of its own threads, put back. */
#ifndef PB_CLOCK_OFFSET_H
#define PB_CLOCK_OFFSET_H

#include <stdint.h>

struct pb_clock_offset {
    unsigned cpus;     /* that were compared with the first */
    double offset_ns;  /* of the processor that lies farthest from the first: the middle */
    double bound_ns;   /* no processor lies farther from the first than this */
    double one_way_ns; /* half the fastest round trip: what a line costs from one to another */
    double usual_ns;   /* half the median round trip, of the slowest pair */
};

/* Bounds of one pair's difference (second less first), in ticks. Starts as wide as can be. */
struct pb_offset_bounds {
    int64_t least, most;
};

/* One round: the first's reading, the second's, the first's again. */
void pb_clock_offset_round(struct pb_offset_bounds *bounds, uint64_t first, uint64_t second,
                           uint64_t again);

/* Compares the processors that this thread may use, at most 32: at most 5 ms a pair once its second
 * answers, 150 ms for all. Returns 0; -ENOTSUP where there is one alone; -EBUSY where no pair
 * answered in its time; -errno. */
int pb_clock_offset_measure(struct pb_clock_offset *offset);

#endif
