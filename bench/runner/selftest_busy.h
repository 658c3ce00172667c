/* SPDX-License-Identifier: MIT */
/* A neighbour that keeps one processing unit busy: a process that spins until it is stopped, or
 * until
 * its parent ends. Threads: one. */
#ifndef PB_SELFTEST_BUSY_H
#define PB_SELFTEST_BUSY_H

#include <sys/types.h>

/* Starts one on the system's unit number `unit` (P#). Returns its process, or -1 with errno. */
pid_t pb_busy_start(int unit);

/* Ends it and waits for it. Nothing for -1. */
void pb_busy_stop(pid_t neighbour);

#endif
