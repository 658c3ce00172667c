/* SPDX-License-Identifier: MIT */
/* The table of big allocations: whole pages carry no header, so their tag and size stand here.
 * Source:  the classic pool manager's big-page table, as documented by ReactOS (expool); growth and
 *          shrinking as its newer versions do.
 * Layout:  entries by hash of the page number, linear probing with wrap; bit 0 of va = free
 * I1       an entry lies between its hash slot and the first free-and-never-used one after it
 * Locks    one spin lock of its own
 * Cost     24 bytes an entry; O(1) below 75 % full. May include: nt/. */
#ifndef PB_POOL_BIG_H
#define PB_POOL_BIG_H

#include <poolbench/nt/pool.h>

#include <stdbool.h>

struct pool_big;

struct pool_big_entry {
    uintptr_t va; /* the first page */
    uint32_t tag;
    uint32_t type; /* POOL_TYPE bits */
    size_t pages;
};

/* `entries` (64 to 2^20, a power of two). `grows`: doubles when an insertion probed 16 or more and
 * the table is over 75 % full, or is full; halves below 12.5 %; never below `entries`. NT 4 does not
 * grow. NULL: no memory. */
struct pool_big *pb_pool_big_open(size_t entries, bool grows);
void pb_pool_big_close(struct pool_big *big);

/* False if there is no room: the caller books the allocation under the tag "BIG ". */
bool pb_pool_big_insert(struct pool_big *big, const struct pool_big_entry *entry);

/* Copies the entry of that page into *entry. False if there is none. */
bool pb_pool_big_find(struct pool_big *big, const void *va, struct pool_big_entry *entry);

/* As find, and takes it out. Of two threads that remove one entry, one gets it. */
bool pb_pool_big_remove(struct pool_big *big, const void *va, struct pool_big_entry *entry);

size_t pb_pool_big_count(const struct pool_big *big);
size_t pb_pool_big_capacity(const struct pool_big *big);

/* I1. Returns 0, or -EINVAL and one line. No other thread may be in it. */
int pb_pool_big_check(const struct pool_big *big, char *message, size_t message_size);

/* N = va >> 12: (N >> 24 ^ N >> 16 ^ N >> 8 ^ N) & mask. */
static inline size_t pb_pool_big_hash(const void *va, size_t mask)
{
    uintptr_t n = (uintptr_t)va >> 12;
    return (n >> 24 ^ n >> 16 ^ n >> 8 ^ n) & mask;
}

#endif
