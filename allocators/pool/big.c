/* SPDX-License-Identifier: MIT */
/* The table of big allocations: big.h says what it is and where it comes from.
 * I2       what stands before a never-used entry in the order of probing is in use or was: an entry
 *          freed right before a never-used one becomes never used itself, and those before it
 * I3       count is the number of entries in use, at most the capacity
 * Locks    latch, for one insertion, look-up or removal, and for the move into a table of another
 *          size; the memory for that is taken before and given back after, without it. */
#include "pool/big.h"
#include "nt/latch.h"

#include <poolbench/nt/page.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Bit 0 of va: free. Never used: nothing but that. */
enum { BIG_FREE = 1, BIG_NEVER = BIG_FREE };
enum { BIG_ENTRIES_MIN = 64, BIG_PROBES_MANY = 16 };

struct pool_big {
    struct pb_latch latch PB_CACHE_ALIGNED;
    /* guarded by latch; the two counters may be read without */
    struct pool_big_entry *entries;
    _Atomic size_t capacity; /* a power of two */
    _Atomic size_t count;
    size_t least; /* the capacity that it was opened with */
    bool grows;
};

static struct pool_big_entry *big_map(size_t entries)
{
    struct pool_big_entry *map = NULL;
    if (entries <= SIZE_MAX / sizeof *map)
        map = pb_pages_map(entries * sizeof *map);
    for (size_t i = 0; map != NULL && i < entries; i++)
        map[i].va = BIG_NEVER;
    return map;
}

static void big_unmap(struct pool_big_entry *map, size_t entries)
{
    pb_pages_unmap(map, entries * sizeof *map);
}

/* Relaxed, here and below: written under the latch; without it a figure of some moment. */
static size_t big_capacity(const struct pool_big *big)
{
    return atomic_load_explicit(&big->capacity, memory_order_relaxed);
}

static size_t big_count(const struct pool_big *big)
{
    return atomic_load_explicit(&big->count, memory_order_relaxed);
}

static void big_set_count(struct pool_big *big, size_t count)
{
    atomic_store_explicit(&big->count, count, memory_order_relaxed);
}

struct pool_big *pb_pool_big_open(size_t entries, bool grows)
{
    size_t capacity = BIG_ENTRIES_MIN;
    while (capacity < entries && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    struct pool_big *big = pb_pages_map(sizeof *big);
    if (big == NULL)
        return NULL;
    big->entries = big_map(capacity);
    if (big->entries == NULL) {
        pb_pages_unmap(big, sizeof *big);
        return NULL;
    }
    atomic_init(&big->capacity, capacity);
    big->least = capacity;
    big->grows = grows;
    return big;
}

void pb_pool_big_close(struct pool_big *big)
{
    if (big == NULL)
        return;
    big_unmap(big->entries, big_capacity(big));
    pb_pages_unmap(big, sizeof *big);
}

/* Puts an entry into the first free place from its hash on. Returns how many were looked at, 0 if
 * the table is full. */
static size_t big_place(struct pool_big_entry *entries, size_t capacity,
                        const struct pool_big_entry *entry)
{
    const size_t mask = capacity - 1;
    size_t at = pb_pool_big_hash((const void *)entry->va, mask);
    for (size_t probes = 1; probes <= capacity; probes++, at = (at + 1) & mask)
        if (entries[at].va & BIG_FREE) {
            entries[at] = *entry;
            return probes;
        }
    return 0;
}

/* The entry of a page, or NULL. Latch held. */
static struct pool_big_entry *big_seek(const struct pool_big *big, const void *va)
{
    const size_t capacity = big_capacity(big), mask = capacity - 1;
    size_t at = pb_pool_big_hash(va, mask);
    for (size_t probes = 0; probes < capacity; probes++, at = (at + 1) & mask) {
        if (big->entries[at].va == (uintptr_t)va)
            return &big->entries[at];
        if (big->entries[at].va == BIG_NEVER)
            return NULL;
    }
    return NULL;
}

/* Moves the entries into `into`, of `capacity`. Returns the old ones. Latch held. */
static struct pool_big_entry *big_move(struct pool_big *big, struct pool_big_entry *into,
                                       size_t capacity)
{
    struct pool_big_entry *old = big->entries;
    for (size_t i = 0; i < big_capacity(big); i++)
        if (!(old[i].va & BIG_FREE))
            (void)big_place(into, capacity, &old[i]); /* there is room: the caller looked */
    big->entries = into;
    atomic_store_explicit(&big->capacity, capacity, memory_order_relaxed);
    return old;
}

/* From `from` entries to `to`, unless another thread was quicker or filled what would be too small.
 * False if there is no memory. */
static bool big_resize(struct pool_big *big, size_t from, size_t to)
{
    struct pool_big_entry *map = big_map(to);
    if (map == NULL)
        return false;
    size_t surplus = to;
    pb_latch_lock(&big->latch);
    if (big_capacity(big) == from && big_count(big) <= to / 2) {
        map = big_move(big, map, to);
        surplus = from;
    }
    pb_latch_unlock(&big->latch);
    big_unmap(map, surplus);
    return true;
}

bool pb_pool_big_insert(struct pool_big *big, const struct pool_big_entry *entry)
{
    for (;;) {
        pb_latch_lock(&big->latch);
        size_t capacity = big_capacity(big), count = big_count(big);
        size_t probes = big_place(big->entries, capacity, entry);
        if (probes != 0)
            big_set_count(big, ++count);
        pb_latch_unlock(&big->latch);
        bool crowded = probes >= BIG_PROBES_MANY && count > capacity / 4 * 3;
        if (probes != 0 && !(crowded && big->grows))
            return true;
        bool grown =
            big->grows && capacity <= SIZE_MAX / 2 && big_resize(big, capacity, 2 * capacity);
        if (probes != 0 || !grown)
            return probes != 0;
    }
}

bool pb_pool_big_find(struct pool_big *big, const void *va, struct pool_big_entry *entry)
{
    pb_latch_lock(&big->latch);
    const struct pool_big_entry *found = big_seek(big, va);
    if (found != NULL)
        *entry = *found;
    pb_latch_unlock(&big->latch);
    return found != NULL;
}

/* Frees a place (I2). Latch held. */
static void big_clear(struct pool_big *big, struct pool_big_entry *entry)
{
    const size_t mask = big_capacity(big) - 1;
    size_t at = (size_t)(entry - big->entries);
    entry->va |= BIG_FREE;
    if (big->entries[(at + 1) & mask].va != BIG_NEVER)
        return;
    for (; big->entries[at].va & BIG_FREE && big->entries[at].va != BIG_NEVER; at = (at - 1) & mask)
        big->entries[at].va = BIG_NEVER;
}

bool pb_pool_big_remove(struct pool_big *big, const void *va, struct pool_big_entry *entry)
{
    pb_latch_lock(&big->latch);
    size_t capacity = big_capacity(big), count = big_count(big);
    struct pool_big_entry *found = big_seek(big, va);
    if (found != NULL) {
        *entry = *found;
        big_clear(big, found);
        big_set_count(big, --count);
    }
    pb_latch_unlock(&big->latch);
    if (found != NULL && big->grows && capacity > big->least && count < capacity / 8)
        (void)big_resize(big, capacity,
                         capacity / 2); /* without memory it stays as large as it is */
    return found != NULL;
}

size_t pb_pool_big_count(const struct pool_big *big)
{
    return big_count(big);
}

size_t pb_pool_big_capacity(const struct pool_big *big)
{
    return big_capacity(big);
}

static int __attribute__((format(printf, 3, 4)))
big_fault(char *message, size_t message_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, message_size, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* An entry in use is what a search for it finds. */
static int big_check_entry(const struct pool_big *big, size_t at, char *message,
                           size_t message_size)
{
    const struct pool_big_entry *entry = &big->entries[at];
    const void *va = (const void *)entry->va;
    if (BYTE_OFFSET(va) != 0 || va == NULL || entry->pages == 0)
        return big_fault(message, message_size, "big pages: entry %zu is no page: %p, %zu pages",
                         at, va, entry->pages);
    const struct pool_big_entry *found = big_seek(big, va);
    if (found == NULL)
        return big_fault(message, message_size,
                         "big pages: entry %zu of %p cannot be found from its hash", at, va);
    if (found != entry)
        return big_fault(message, message_size, "big pages: %p is in entries %zu and %zu", va,
                         (size_t)(found - big->entries), at);
    return 0;
}

int pb_pool_big_check(const struct pool_big *big, char *message, size_t message_size)
{
    size_t used = 0;
    for (size_t i = 0; i < big_capacity(big); i++) {
        if (big->entries[i].va & BIG_FREE)
            continue;
        int error = big_check_entry(big, i, message, message_size);
        if (error != 0)
            return error;
        used++;
    }
    if (used != big_count(big))
        return big_fault(message, message_size, "big pages: %zu entries in use, counted %zu", used,
                         big_count(big));
    return 0;
}
