/* SPDX-License-Identifier: MIT */
/* The pool's one path: a function, as ExAllocatePool is. A pb_thread is a slot of the lock. */
#ifndef PB_POOL_HOT_H
#define PB_POOL_HOT_H

#include "nt/lock.h"

#define PB_HOT_pool(FIXED, ANY, NATIVE) ANY(pool)

PB_HOT_pool(PB_HOT_DECLARE, PB_HOT_DECLARE, PB_HOT_DECLARE)

#endif
