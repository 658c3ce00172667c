/* SPDX-License-Identifier: MIT */
/* The harness's own memory: one mapping, handed out front to back, never through malloc, touched when
 * it is taken, so that nothing of ours is an allocation or a fault inside a window (R10). It is shared
 * memory: no part of it is counted by RLIMIT_DATA or among the process's anonymous resident bytes.
 * Threads: taking is one thread's, before the workers start. */
#ifndef PB_ARENA_H
#define PB_ARENA_H

#include <stddef.h>

struct pb_arena {
    unsigned char *base;
    size_t reserved_bytes, mapped_bytes, used_bytes;
};

/* Reserves address space. Returns 0 or -ENOMEM. */
int pb_arena_open(struct pb_arena *arena, size_t reserve_bytes);
void pb_arena_close(struct pb_arena *arena);

/* `bytes` of zeroed, touched memory aligned to `alignment` (a power of two, at most the page), valid
 * until close. NULL when the reservation is used up. */
void *pb_arena_take(struct pb_arena *arena, size_t bytes, size_t alignment);

#endif
