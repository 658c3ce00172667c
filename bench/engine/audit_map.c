/* SPDX-License-Identifier: MIT */
/* The audit's map and set. Map: linear probing, removal by shifting back, growth by doubling; the
 * old slots stay in the arena, at most as many again as the new. Set: 256 KiB of addresses a chunk,
 * whose bits fill 32 KiB; a range is worked on a word (64 addresses) at a time.
 * Source:  Knuth, The Art of Computer Programming, volume 3, 2nd ed., 6.4, algorithms L and R.
 * Threads: the caller's lock. May touch: the arena. */
#include "engine/audit_map.h"

enum { MAP_FIRST = 1024, CHUNK_BITS = 18, CHUNK_WORDS = 1 << (CHUNK_BITS - 6) };

static size_t home_of(const struct pb_audit_map *map, uint64_t key)
{
    uint64_t mixed = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed ^ mixed >> 32) & (map->size - 1);
}

/* The slot of a key, or the empty one where it belongs. */
static struct pb_audit_slot *slot_of(const struct pb_audit_map *map, uint64_t key)
{
    size_t i = home_of(map, key);
    while (map->slots[i].key != 0 && map->slots[i].key != key)
        i = (i + 1) & (map->size - 1);
    return &map->slots[i];
}

bool pb_audit_map_reserve(struct pb_audit_map *map, struct pb_arena *arena, size_t more)
{
    if ((map->used + more) * 2 <= map->size)
        return true;
    struct pb_audit_map grown = {.size = map->size == 0 ? MAP_FIRST : map->size, .used = map->used};
    while ((map->used + more) * 2 > grown.size)
        grown.size *= 2;
    grown.slots = pb_arena_take(arena, grown.size * sizeof *grown.slots, sizeof *grown.slots);
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < map->size; i++)
        if (map->slots[i].key != 0)
            *slot_of(&grown, map->slots[i].key) = map->slots[i];
    *map = grown;
    return true;
}

uint64_t *pb_audit_map_find(const struct pb_audit_map *map, uint64_t key)
{
    if (map->size == 0)
        return NULL;
    struct pb_audit_slot *slot = slot_of(map, key);
    return slot->key == key ? &slot->value : NULL;
}

void pb_audit_map_put(struct pb_audit_map *map, uint64_t key, uint64_t value)
{
    *slot_of(map, key) = (struct pb_audit_slot){key, value};
    map->used++;
}

void pb_audit_map_remove(struct pb_audit_map *map, uint64_t key)
{
    size_t mask = map->size - 1, hole = (size_t)(slot_of(map, key) - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].key != 0; i = (i + 1) & mask) {
        /* move back whoever may stand in the hole: not one whose home lies behind it */
        if (((i - home_of(map, map->slots[i].key)) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].key = 0;
    map->used--;
}

void pb_audit_map_count(struct pb_audit_map *map, uint64_t key, int change)
{
    uint64_t *count = pb_audit_map_find(map, key);
    if (count == NULL)
        pb_audit_map_put(map, key, (uint64_t)change);
    else if ((*count += (uint64_t)(int64_t)change) == 0)
        pb_audit_map_remove(map, key);
}

/* --- the set --------------------------------------------------------------------------------- */

bool pb_audit_set_reserve(struct pb_audit_set *set, struct pb_arena *arena, uintptr_t at,
                          size_t bytes)
{
    for (uint64_t chunk = at >> CHUNK_BITS; chunk <= (at + bytes - 1) >> CHUNK_BITS; chunk++) {
        if (pb_audit_map_find(&set->chunks, chunk + 1) != NULL)
            continue;
        if (!pb_audit_map_reserve(&set->chunks, arena, 1))
            return false;
        uint64_t *words = pb_arena_take(arena, CHUNK_WORDS * sizeof *words, sizeof *words);
        if (words == NULL)
            return false;
        pb_audit_map_put(&set->chunks, chunk + 1, (uintptr_t)words);
    }
    return true;
}

/* The word that holds the bit of `at`. */
static uint64_t *word_of(const struct pb_audit_set *set, uintptr_t at)
{
    uint64_t *words =
        (uint64_t *)(uintptr_t)*pb_audit_map_find(&set->chunks, (at >> CHUNK_BITS) + 1);
    return &words[at >> 6 & (CHUNK_WORDS - 1)];
}

/* The bits of at most `left` addresses from `at` on in its word; *taken: how many. */
static uint64_t bits_of(uintptr_t at, size_t left, size_t *taken)
{
    unsigned first = at & 63;
    *taken = left < 64 - first ? left : 64 - first;
    return UINT64_MAX >> (64 - *taken) << first;
}

uintptr_t pb_audit_set_first(const struct pb_audit_set *set, uintptr_t at, size_t bytes)
{
    for (size_t taken; bytes > 0; at += taken, bytes -= taken) {
        uint64_t found = bits_of(at, bytes, &taken) & *word_of(set, at);
        if (found != 0)
            return (at & ~(uintptr_t)63) + (unsigned)__builtin_ctzll(found);
    }
    return 0;
}

void pb_audit_set_add(struct pb_audit_set *set, uintptr_t at, size_t bytes)
{
    for (size_t taken; bytes > 0; at += taken, bytes -= taken)
        *word_of(set, at) |= bits_of(at, bytes, &taken);
}

void pb_audit_set_remove(struct pb_audit_set *set, uintptr_t at, size_t bytes)
{
    for (size_t taken; bytes > 0; at += taken, bytes -= taken)
        *word_of(set, at) &= ~bits_of(at, bytes, &taken);
}
