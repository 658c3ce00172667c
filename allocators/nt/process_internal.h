/* SPDX-License-Identifier: MIT */
/* What the pools need of processes besides poolbench/nt/process.h: to tell an owner from a corrupt
 * pointer.
 * Threads: any. May include: poolbench/nt/. */
#ifndef PB_NT_PROCESS_INTERNAL_H
#define PB_NT_PROCESS_INTERNAL_H

#include <poolbench/nt/process.h>

#include <stdbool.h>

/* Whether it is a process that lives, or lives on because bytes are charged to it. Any pointer may
 * be asked about: nothing is read that is no process. */
bool pb_process_valid(PEPROCESS process);

#endif
