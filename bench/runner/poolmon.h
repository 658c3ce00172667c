/* SPDX-License-Identifier: MIT */
/* The verb poolmon: who allocated how much, by tag, as poolmon shows it. Of a run that goes on or
 * of another program, from the table that it counts in, again and again; of a run that is done,
 * from its records. Source: WDK, "PoolMon Display". Threads: one. May touch: standard output and
 * error; what the target is, to read. */
#ifndef PB_POOLMON_H
#define PB_POOLMON_H

#include "runner/args.h"

/* Returns an exit code; what went wrong is one line on standard error. */
int pb_poolmon(const struct pb_args *args);

#endif
