/* SPDX-License-Identifier: MIT */
/* What the interference probe keeps of one worker's window; here so that a test can make one up. */
#ifndef PB_INTERFERENCE_H
#define PB_INTERFERENCE_H

#include <stdint.h>

struct pb_interference_reading {
    uint64_t ticks, cpu_ns; /* the clock, and the processor time of the thread at the same moment */
    int64_t preemptions, voluntary, minor_faults, major_faults;
    uint64_t run_wait_ns; /* runnable and not running; UINT64_MAX if the kernel does not say */
};

struct pb_interference {
    struct pb_interference_reading before, after;
};

#endif
