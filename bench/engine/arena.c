/* SPDX-License-Identifier: MIT */
/* Arena: one range of address space, inaccessible until it is taken. Then shared memory is mapped
 * over its front, at least 1 MiB and as much again as there is, and what is taken is written to.
 * Shared, so that the system counts neither RLIMIT_DATA nor anonymous resident bytes for it: both
 * are then the strategy's. Piece by piece, as shared memory is accounted when it is mapped and a
 * reservation is not. Huge pages are refused: what is resident is what was taken, whatever the
 * machine's setting.
 * Threads: one. May touch: the system's mappings. */
#include "engine/arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARENA_LEAST_STEP = 1 << 20 };

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

/* Makes the first `bytes` of the reservation accessible. */
static bool arena_reach(struct pb_arena *arena, size_t bytes)
{
    size_t had = arena->mapped_bytes, most = arena->reserved_bytes - had;
    if (bytes <= had)
        return true;
    size_t step = had > ARENA_LEAST_STEP ? had : ARENA_LEAST_STEP;
    if (step < bytes - had)
        step = round_up(bytes - had, ARENA_LEAST_STEP);
    step = step < most ? step : most;
    void *at = mmap(arena->base + had, step, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (at == MAP_FAILED)
        return false;
    (void)madvise(at, step, MADV_NOHUGEPAGE); /* a kernel without huge pages refuses: as well */
    arena->mapped_bytes += step;
    return true;
}

int pb_arena_open(struct pb_arena *arena, size_t reserve_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (reserve_bytes == 0 || reserve_bytes > SIZE_MAX / 2)
        return -ENOMEM;
    size_t bytes = round_up(reserve_bytes, page);
    void *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -ENOMEM;
    *arena = (struct pb_arena){.base = base, .reserved_bytes = bytes};
    return 0;
}

void pb_arena_close(struct pb_arena *arena)
{
    if (arena->base != NULL)
        munmap(arena->base, arena->reserved_bytes);
    *arena = (struct pb_arena){0};
}

void *pb_arena_take(struct pb_arena *arena, size_t bytes, size_t alignment)
{
    size_t start = round_up(arena->used_bytes, alignment);
    if (start > arena->reserved_bytes || bytes > arena->reserved_bytes - start)
        return NULL;
    if (!arena_reach(arena, start + bytes))
        return NULL;
    arena->used_bytes = start + bytes;
    return memset(arena->base + start, 0, bytes);
}
