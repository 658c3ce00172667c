/* SPDX-License-Identifier: MIT */
/* The pool's one path: a function, as ExAllocatePoolWithTag is. */
#ifndef PB_POOL_HOT_H
#define PB_POOL_HOT_H

#include <hot.h> /* the contract's: in quotes it would be this file */

#define PB_HOT_pool(FIXED, ANY, NATIVE) ANY(pool)

PB_HOT_pool(PB_HOT_DECLARE, PB_HOT_DECLARE, PB_HOT_DECLARE)

#endif
