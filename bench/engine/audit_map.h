/* SPDX-License-Identifier: MIT */
/* What the audit remembers: a hash map of numbers, and a set of addresses with one bit a byte,
 * because blocks of less than 16 bytes may begin anywhere. All memory is taken from an arena.
 * Threads: the caller's lock. */
#ifndef PB_AUDIT_MAP_H
#define PB_AUDIT_MAP_H

#include "engine/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pb_audit_slot {
    uint64_t key, value; /* key 0: empty */
};

/* Open addressing, at most half full. Zeroed, a map is empty. */
struct pb_audit_map {
    struct pb_audit_slot *slots;
    size_t size, used; /* size is 0 or a power of two */
};

/* Room for `more` new keys: puts that cannot fail. False when the arena is used up. */
bool pb_audit_map_reserve(struct pb_audit_map *map, struct pb_arena *arena, size_t more);

/* The value of a key, or NULL; valid until the next put, remove or reserve. */
uint64_t *pb_audit_map_find(const struct pb_audit_map *map, uint64_t key);

/* Adds a key, not 0 and not there yet; room is reserved. */
void pb_audit_map_put(struct pb_audit_map *map, uint64_t key, uint64_t value);
void pb_audit_map_remove(struct pb_audit_map *map, uint64_t key); /* it is there */

/* Adds to the count of a key, which is absent while its count is 0; room is reserved. */
void pb_audit_map_count(struct pb_audit_map *map, uint64_t key, int change);

/* A set of addresses. Zeroed, it is empty. */
struct pb_audit_set {
    struct pb_audit_map chunks; /* number of a chunk + 1 -> its bits */
};

/* Room for a range; false when the arena is used up. */
bool pb_audit_set_reserve(struct pb_audit_set *set, struct pb_arena *arena, uintptr_t at,
                          size_t bytes);

/* The first address of the range in the set, or 0; room is reserved. */
uintptr_t pb_audit_set_first(const struct pb_audit_set *set, uintptr_t at, size_t bytes);
void pb_audit_set_add(struct pb_audit_set *set, uintptr_t at, size_t bytes);
void pb_audit_set_remove(struct pb_audit_set *set, uintptr_t at, size_t bytes);

#endif
