/* SPDX-License-Identifier: MIT */
/* A process's setup: setup.h. */
#include "runner/setup.h"

#include "engine/rng.h"
#include "runner/machine_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

enum { BRK_STEP = 16, SPARE_SHARE = 4 };

void pb_setup_draw(struct pb_setup *setup)
{
    struct pb_rng rng;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    pb_rng_seed(&rng, setup->seed, 0);
    setup->mmap_pad = pb_rng_below(&rng, PB_SETUP_MMAP_PAGES + 1) * page;
    setup->brk_pad = pb_rng_below(&rng, PB_SETUP_BRK_BYTES / BRK_STEP + 1) * BRK_STEP;
}

static bool has_aslr(void)
{
    int level = 0;
    FILE *file = fopen("/proc/sys/kernel/randomize_va_space", "re");
    if (file != NULL) {
        if (fscanf(file, "%d", &level) != 1)
            level = 0;
        fclose(file);
    }
    int now = personality(0xffffffff);
    return level > 0 && (now == -1 || (now & ADDR_NO_RANDOMIZE) == 0);
}

void pb_setup_apply(struct pb_setup *setup)
{
    if (setup->mmap_pad != 0 &&
        mmap(NULL, setup->mmap_pad, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0) == MAP_FAILED)
        setup->mmap_pad = 0;
    if (setup->brk_pad != 0 && sbrk((intptr_t)setup->brk_pad) == (void *)-1)
        setup->brk_pad = 0;
    setup->aslr = has_aslr();
}

uint64_t pb_setup_spare(const char *root)
{
    char available[64];
    double bytes = (double)NAN, allowed = (double)NAN;
    if (pb_read_field(root, "/proc/meminfo", "MemAvailable", available, sizeof available))
        bytes = strtod(available, NULL) * 1024.0;
    pb_read_cgroup(root, true, &allowed);
    bytes = fmin(bytes, allowed); /* NAN does not count */
    return isfinite(bytes) ? (uint64_t)bytes / SPARE_SHARE : 0;
}

uint64_t pb_setup_pretouch(uint64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)bytes & ~(page - 1);
    if (size == 0)
        return 0;
    volatile unsigned char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return 0;
    for (size_t i = 0; i < size; i += page)
        at[i] = 1;
    munmap((void *)(uintptr_t)at, size);
    return size;
}
