/* SPDX-License-Identifier: MIT */
/* The NT executive's memory in user space: pool, zones, lookaside lists and what they stand on, under
 * NT's own names and with NT's results. One header for a program; each part can be had alone.
 *     cc driver.c $(pkg-config --cflags --libs poolbench)
 * C11 and later, Linux. Names that begin with Pb or pb_ are poolbench's own, all others are NT's.
 * Source: Windows Driver Kit documentation; each part names its own. */
#ifndef POOLBENCH_NTMM_H
#define POOLBENCH_NTMM_H

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/irql.h>
#include <poolbench/nt/list.h>
#include <poolbench/nt/lookaside.h>
#include <poolbench/nt/mdl.h>
#include <poolbench/nt/mm.h>
#include <poolbench/nt/page.h>
#include <poolbench/nt/pool.h>
#include <poolbench/nt/process.h>
#include <poolbench/nt/rtl.h>
#include <poolbench/nt/section.h>
#include <poolbench/nt/slist.h>
#include <poolbench/nt/status.h>
#include <poolbench/nt/system.h>
#include <poolbench/nt/types.h>
#include <poolbench/nt/zone.h>

#endif
