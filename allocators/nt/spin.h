/* SPDX-License-Identifier: MIT */
/* The bracket around the executive's interlocked calls: the level raised to HIGH_LEVEL, the
 * caller's spin lock taken. A lock is taken so, or by the calls of irql.h, each in its turn.
 * Threads: any. May include: poolbench/nt/. */
#ifndef PB_NT_SPIN_H
#define PB_NT_SPIN_H

#include <poolbench/nt/irql.h>

/* FALSE after a bugcheck (checked mode: the thread has the lock already); then nothing is changed.
 */
BOOLEAN pb_interlock(PKSPIN_LOCK lock, PKIRQL before);
void pb_interlock_end(PKSPIN_LOCK lock, KIRQL before);

#endif
