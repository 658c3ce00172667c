/* SPDX-License-Identifier: MIT */
/* For tests of memory descriptor lists: descriptors that are there or fail the test. Include after
 * cmocka. */
#ifndef PB_TEST_MDL_H
#define PB_TEST_MDL_H

#include <poolbench/nt/mdl.h>

static inline PMDL mdl_make(void *at, size_t bytes)
{
    PMDL mdl = IoAllocateMdl(at, (ULONG)bytes, FALSE, FALSE, NULL);
    assert_non_null(mdl);
    return mdl;
}

static inline PMDL mdl_make_locked(void *at, size_t bytes)
{
    PMDL mdl = mdl_make(at, bytes);
    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    assert_true((mdl->MdlFlags & MDL_PAGES_LOCKED) != 0);
    return mdl;
}

static inline void mdl_unlock_and_free(PMDL mdl)
{
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

#endif
