/* SPDX-License-Identifier: MIT */
/* Pages that stay in memory: bringing them in, and mlock(2) with a count a page, because mlock does
 * not nest (two locks and one unlock leave the page unlocked). MDLs, sections and contiguous memory
 * share the counts. A page that somebody else had locked before (the nonpaged pool) is counted and
 * left to them.
 * Source:  mlock(2), msync(2), madvise(2). Beyond RLIMIT_MEMLOCK pages are counted and not held.
 * I1       a page is in the table if and only if its count is above 0
 * Locks    one mutex; held over the system calls, so that nobody sees a count before its lock
 * Threads: any. May include: nt/. A child of fork inherits the counts without the locks. */
#ifndef PB_NT_RESIDENT_H
#define PB_NT_RESIDENT_H

#include <poolbench/nt/irql.h>
#include <poolbench/nt/page.h>

#include <stdbool.h>

/* Brings pages in, `write`: such that a write does not fault either. Returns 0, or -EFAULT if the
 * rights are missing or something is not mapped. */
int pb_resident_populate(void *at, size_t bytes, bool write);

/* Whether all are in memory now. */
bool pb_resident_now(const void *at, size_t bytes);

/* Adds 1 to the count of each page and holds those that were at 0. Returns 0, or -ENOMEM and
 * nothing is counted. */
int pb_resident_lock(const void *at, size_t bytes);

/* Takes 1 off. Returns 0, or -EINVAL if a page's count is 0, and nothing is taken. */
int pb_resident_unlock(const void *at, size_t bytes);

/* Pages of the range (of PAGE_SIZE) that are counted and held; pages counted in the process. */
size_t pb_resident_held(const void *at, size_t bytes);
size_t pb_resident_total(void);

/* The frame numbers of `count` pages of PAGE_SIZE, from the one that `at` lies in; 0 for those that
 * are not in memory or that the system does not tell (pagemap without CAP_SYS_ADMIN). Returns how
 * many are known. */
size_t pb_frames(const void *at, size_t count, ULONG_PTR *frames);

/* Checked mode: bugchecks and returns true when the thread is above `highest`. */
static inline bool pb_irql_above(KIRQL highest, const void *address)
{
    if (!PbNtChecked || KeGetCurrentIrql() <= highest)
        return false;
    KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)address, KeGetCurrentIrql(), highest, 0);
    return true;
}

#endif
