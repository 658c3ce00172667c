/* SPDX-License-Identifier: MIT */
/* The header of a block, in both forms.
 * Source:  ReactOS, pool.h (32 bits); Mandt, "Kernel Pool Exploitation on Windows 7", 2011 (64).
 * Layout:  low to high; sizes are in granules, header included
 *          narrow  | PreviousSize 9, PoolIndex 7 | BlockSize 9, PoolType 7 | tag 32 |
 *          wide    | PreviousSize 8, PoolIndex 8 | BlockSize 8, PoolType 8 | tag 32 | owner 64 |
 *          PoolType: 0 free; in use the POOL_TYPE's bits 1, 2, 4, 8, 32, plus 1; 64 cached
 * Threads: a block's owner reads and writes its second half and its tag; the first half is written
 *          under the guard of the block's pool, for it belongs to the block below. The owner reads
 *          PoolIndex there, and neighbours read PoolType: so both halves are atomic and relaxed,
 *          each accessed as a whole. What they say is ordered by the guard, or does not change.
 *          Who makes a block has it alone, and writes both and the tag in one store.
 * May include: nt/, hot.h. */
#ifndef PB_POOL_HEADER_H
#define PB_POOL_HEADER_H

#include "hot.h"

#include <poolbench/nt/process.h>

#include <stdatomic.h>

struct pool_header {
    union {
        struct {
            _Atomic uint16_t previous; /* PreviousSize, PoolIndex */
            _Atomic uint16_t size;     /* BlockSize, PoolType */
            uint32_t tag;
        };
        _Atomic uint64_t whole; /* of a block that is being made */
    };
    PEPROCESS owner; /* wide only: a narrow header ends before it */
};

enum {
    POOL_HEADER_NARROW = 8,
    POOL_HEADER_WIDE = 16,
    POOL_TYPE_FREE = 0,
    POOL_TYPE_CACHED = 64,               /* checked: in a lookaside list or delayed */
    POOL_TYPE_KEPT = 1 | 2 | 4 | 8 | 32, /* of a POOL_TYPE */
    POOL_TYPE_PAGED = 1,
    POOL_TYPE_CACHE_ALIGNED = 4,
    POOL_TYPE_CHARGED = 8,
    POOL_TAG_NONE = 0x656E6F4E, /* "None" */
    POOL_TAG_BIG = 0x20474942   /* "BIG " */
};
_Static_assert(sizeof(struct pool_header) == POOL_HEADER_WIDE, "the x64 header");
_Static_assert(offsetof(struct pool_header, owner) == POOL_HEADER_NARROW, "the x86 header");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "`whole` has the members low to high");
_Static_assert(POOL_TYPE_KEPT + 1 < POOL_TYPE_CACHED, "what is kept does not reach the mark");

PB_INLINE unsigned pool_size_bits(bool wide)
{
    return wide ? 8 : 9;
}

PB_INLINE unsigned pool_size_mask(bool wide)
{
    return (1u << pool_size_bits(wide)) - 1;
}

/* Relaxed, all of them: see above. */
PB_INLINE unsigned pool_previous_half(const struct pool_header *header)
{
    return atomic_load_explicit(&header->previous, memory_order_relaxed);
}

PB_INLINE unsigned pool_size_half(const struct pool_header *header)
{
    return atomic_load_explicit(&header->size, memory_order_relaxed);
}

PB_INLINE unsigned pool_previous(const struct pool_header *header, bool wide)
{
    return pool_previous_half(header) & pool_size_mask(wide);
}

PB_INLINE unsigned pool_index(const struct pool_header *header, bool wide)
{
    return pool_previous_half(header) >> pool_size_bits(wide);
}

PB_INLINE unsigned pool_size(const struct pool_header *header, bool wide)
{
    return pool_size_half(header) & pool_size_mask(wide);
}

PB_INLINE unsigned pool_type(const struct pool_header *header, bool wide)
{
    return pool_size_half(header) >> pool_size_bits(wide);
}

PB_INLINE void pool_set_first(struct pool_header *header, unsigned half)
{
    atomic_store_explicit(&header->previous, (uint16_t)half, memory_order_relaxed);
}

PB_INLINE void pool_set_previous(struct pool_header *header, unsigned previous, unsigned index,
                                 bool wide)
{
    pool_set_first(header, previous | index << pool_size_bits(wide));
}

PB_INLINE void pool_set_size(struct pool_header *header, size_t granules, unsigned type, bool wide)
{
    uint16_t half = (uint16_t)(granules | type << pool_size_bits(wide));
    atomic_store_explicit(&header->size, half, memory_order_relaxed);
}

/* What the header of a block in use says besides sizes and pool, in its place. */
PB_INLINE uint64_t pool_mark(unsigned type, uint32_t tag, bool wide)
{
    return (uint64_t)tag << 32 | (uint64_t)type << (16 + pool_size_bits(wide));
}

/* The header of a new block. `half`: its first. */
PB_INLINE void pool_set_whole(struct pool_header *header, unsigned half, size_t granules,
                              uint64_t mark)
{
    atomic_store_explicit(&header->whole, mark | granules << 16 | half, memory_order_relaxed);
}

/* What stands in a block for a tag. */
PB_INLINE uint32_t pool_tag_stored(uint32_t tag)
{
    return tag != 0 ? tag : POOL_TAG_NONE;
}

/* PoolType of a block in use, and the way back. */
PB_INLINE unsigned pool_type_used(unsigned type)
{
    return (type & POOL_TYPE_KEPT) + 1;
}

PB_INLINE unsigned pool_type_bits(unsigned pool_type)
{
    return (pool_type & (POOL_TYPE_CACHED - 1)) - 1;
}

PB_INLINE size_t pool_header_bytes(bool wide)
{
    return wide ? POOL_HEADER_WIDE : POOL_HEADER_NARROW;
}

/* The user's area behind a header, and the header before it. */
PB_INLINE void *pool_user(struct pool_header *header, bool wide)
{
    return (unsigned char *)header + pool_header_bytes(wide);
}

PB_INLINE struct pool_header *pool_header_before(const void *user, bool wide)
{
    return (struct pool_header *)((uintptr_t)user - pool_header_bytes(wide));
}

/* The header so many granules behind (before) another. */
PB_INLINE struct pool_header *pool_behind(const struct pool_header *header, size_t granules,
                                          unsigned shift)
{
    return (struct pool_header *)((uintptr_t)header + (granules << shift));
}

PB_INLINE struct pool_header *pool_before(const struct pool_header *header, size_t granules,
                                          unsigned shift)
{
    return (struct pool_header *)((uintptr_t)header - (granules << shift));
}

/* Where the process that a block is charged to stands: in the header, or in the last pointer of a
 * narrow block, which has `bytes` in all. */
PB_INLINE PEPROCESS *pool_owner(struct pool_header *header, size_t bytes, bool wide)
{
    return wide ? &header->owner : (PEPROCESS *)((uintptr_t)header + bytes - sizeof(PEPROCESS));
}

#endif
