/* SPDX-License-Identifier: MIT */
/* Pool tags: who allocated how much. A table of tags, found by hash without a lock; only making an
 * entry takes one. Counters are per processor (by the low bits of the caller's processor number)
 * and summed when read. When the table is full an allocation goes uncounted, and that is counted.
 * Source:  the classic pool manager's tracker table, as documented by ReactOS (expool) and WDK,
 *          "PoolMon Display". Differs: counters are per processor; of the 64 known tags that NT
 *          seeds the table with, four are: "None", "BIG ", and the executive's own "Mdl ", "MmCm".
 * Layout:  page-aligned mapping | head | tags by slot | counters [processor][slot][paged] |
 *          in a file, where one is given, so that another process can read it (poolmon)
 * I1       a slot's tag is written once, before any counter of it, and never changes
 * Threads: any. May include: nt/, allocator.h. */
#ifndef PB_POOL_TAGS_H
#define PB_POOL_TAGS_H

#include "allocator.h"

#include <poolbench/nt/pool.h>

#include <stdbool.h>

struct pool_tags;

/* A table of `slots` tags (64 to 65536, rounded up to a power of two) and one spare for all that do
 * not fit. `file`: a descriptor to map the table on (it is made as long as needed), or -1. Returns
 * NULL when there is no memory. */
struct pool_tags *pb_pool_tags_open(unsigned slots, unsigned processors, int file);
void pb_pool_tags_close(struct pool_tags *tags);

/* Counts an allocation, a free of `bytes` (headers included; whole pages). The top bit of the tag
 * (PROTECTED_POOL) is ignored; tag 0 counts as "None". */
void pb_pool_tags_allocated(struct pool_tags *tags, uint32_t tag, bool paged, size_t bytes);
void pb_pool_tags_freed(struct pool_tags *tags, uint32_t tag, bool paged, size_t bytes);

/* Writes up to `count` rows with at least one allocation, by tag; returns how many tags have one.
 */
unsigned pb_pool_tags_read(const struct pool_tags *tags, SYSTEM_POOLTAG *rows, unsigned count);
uint64_t pb_pool_tags_uncounted(const struct pool_tags *tags);

/* The same by kind, as the contract's slot `tags` has it: counts in full, where NT's have 32 bits.
 */
size_t pb_pool_tags_rows(const struct pool_tags *tags, struct pb_tag_row *rows, size_t count);

/* Maps the table in `file`, which another process writes, to read. Returns 0, -EINVAL if it is
 * none, or -errno. Ended by pb_pool_tags_close. */
int pb_pool_tags_attach(int file, struct pool_tags **tags);

/* Whether a file begins as a table does. */
bool pb_pool_tags_in(int file);

/* The slot that the search for a tag begins at; `mask` is slots - 1. r = 40543 * tag in 64 bits,
 * low half XOR high half: 'Fred' of 2048 slots is 904. */
static inline unsigned pb_pool_tags_hash(uint32_t tag, uint32_t mask)
{
    uint64_t r = (uint64_t)40543 * tag;
    return ((uint32_t)r ^ (uint32_t)(r >> 32)) & mask;
}

#endif
