/* SPDX-License-Identifier: MIT */
/* What the memory manager's routines cannot do, for `describe` and for whoever reads a result: each
 * row has a question that is asked of the system when the table is made.
 * Threads: any. May touch: a few mappings of its own, /proc. */
#include "nt/mm.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local char lock_limit[96];

static bool always(void)
{
    return true;
}

static bool frames_hidden(void)
{
    volatile unsigned char here = 0; /* on the stack: in memory */
    ULONG_PTR frame;
    return pb_frames((const void *)(uintptr_t)&here, 1, &frame) == 0;
}

static bool may_lock_all(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & (1u << CAP_IPC_LOCK)) != 0;
}

static bool locking_limited(void)
{
    struct rlimit limit;
    if (may_lock_all() || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    (void)snprintf(lock_limit, sizeof lock_limit,
                   "RLIMIT_MEMLOCK is %llu KiB: pages beyond it are brought in, not held",
                   (unsigned long long)limit.rlim_cur / 1024);
    return true;
}

static bool no_huge_pages(void)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
    void *at = mmap(NULL, PB_HUGE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    return at == MAP_FAILED || munmap(at, PB_HUGE_BYTES) != 0;
}

static bool advice_refused(int advice, bool huge)
{
    size_t bytes = huge ? (size_t)2 * PB_HUGE_BYTES : PAGE_SIZE; /* two: one lies aligned in them */
    unsigned char *at =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return true;
    *at = 1; /* something to act on */
    bool refused = madvise(at, bytes, advice) != 0;
    (void)munmap(at, bytes);
    return refused;
}

static bool no_transparent(void)
{
    return advice_refused(MADV_HUGEPAGE, true);
}

static bool no_populate(void)
{
    return advice_refused(MADV_POPULATE_WRITE, false);
}

static bool no_pageout(void)
{
    return advice_refused(MADV_PAGEOUT, false);
}

/* The file's first line is a heading. */
static bool no_swap(void)
{
    char line[256];
    FILE *file = fopen("/proc/swaps", "re");
    bool none = file == NULL || fgets(line, sizeof line, file) == NULL ||
                fgets(line, sizeof line, file) == NULL;
    if (file != NULL)
        (void)fclose(file);
    return none;
}

static const struct {
    struct pb_mm_limit limit;
    bool (*holds)(void);
} rows[] = {
    {{"MmGetPhysicalAddress", "frame numbers are hidden (CAP_SYS_ADMIN reads them): 0"},
     frames_hidden},
    {{"MmProbeAndLockPages", NULL /* lock_limit */}, locking_limited},
    {{"MmProbeAndLockPages", "locked pages may still be migrated to other frames"}, always},
    {{"MmProbeAndLockPages", "no MADV_POPULATE (Linux 5.14): pages are touched one by one"},
     no_populate},
    {{"MmGetSystemAddressForMdl",
      "private anonymous memory cannot be mapped a second time, and no copy stands in for that"},
     always},
    {{"MmAllocateContiguousMemory", "no address limit can be asked for, only checked"}, always},
    {{"MmAllocateContiguousMemory", "frame numbers are hidden: nothing longer than a huge page"},
     frames_hidden},
    {{"MmAllocateContiguousMemory", "no huge page is free (vm.nr_hugepages)"}, no_huge_pages},
    {{"MmAllocateContiguousMemory", "no transparent huge pages in this kernel"}, no_transparent},
    {{"MmAllocateNonCachedMemory", PB_NONCACHED_LABEL}, always},
    {{"MmPageEntireDriver", "no MADV_PAGEOUT (Linux 5.4): pages leave when the system wants them"},
     no_pageout},
    {{"MmPageEntireDriver", "no swap: only pages that a file backs can leave memory"}, no_swap},
    {{"MmMapIoSpace", "absent: no program maps a device's memory without a driver for that"},
     always},
};
_Static_assert(sizeof rows / sizeof *rows <= PB_MM_LIMITS_MAX, "they fit");

unsigned pb_mm_limits(struct pb_mm_limit limits[PB_MM_LIMITS_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].holds())
            continue;
        limits[count] = rows[i].limit;
        if (limits[count].what == NULL)
            limits[count].what = lock_limit;
        count++;
    }
    return count;
}
