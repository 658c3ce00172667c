/* SPDX-License-Identifier: MIT */
/* The mark of a call's way and the causal knob: path.h. */
#include "path.h"

#include <time.h>

_Thread_local unsigned pb_path_taken;
struct pb_path_delays pb_path_delays;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void spin(uint64_t ns)
{
    const uint64_t end = now_ns() + ns;
    while (now_ns() < end)
        ;
}

void (*pb_path_wait)(uint64_t ns) = spin;
