/* SPDX-License-Identifier: MIT */
/* Arena: one range of address space, inaccessible until it is taken, then made accessible in steps
 * of 1 MiB and written to. Huge pages are refused, so that what is resident is what was taken,
 * whatever the machine's setting, and the audit can subtract it from the process's resident bytes.
 * Threads: one. May touch: the system's mappings. */
#include "engine/arena.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARENA_STEP_BYTES = 1 << 20 };

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

/* How much is accessible once `used` bytes are taken. */
static size_t committed_bytes(const struct pb_arena *arena, size_t used)
{
    size_t bytes = round_up(used, ARENA_STEP_BYTES);
    return bytes < arena->reserved_bytes ? bytes : arena->reserved_bytes;
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
    (void)madvise(base, bytes, MADV_NOHUGEPAGE); /* a kernel without huge pages refuses: as well */
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
    size_t had = committed_bytes(arena, arena->used_bytes);
    size_t need = committed_bytes(arena, start + bytes);
    if (need > had && mprotect(arena->base + had, need - had, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    arena->used_bytes = start + bytes;
    return memset(arena->base + start, 0, bytes);
}
