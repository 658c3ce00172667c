/* SPDX-License-Identifier: MIT */
/* The audit's books:
 *   held    every byte of every live block, one bit each: no two blocks may share one
 *   blocks  address -> size and owner of each live block
 *   lines   (line, thread) and (line, anybody) -> ends of live blocks on that line; a line that one
 *           block fills cannot be shared and is left out
 *   quiet   address -> hand-outs of what was live already: as many frees of it pass without a word
 * I1       held is the disjoint union of the ranges in blocks
 * I2       a line's count for anybody is the sum of its counts for threads
 * Locks    audit->lock, the caller's
 * Cost     some 100 bytes for a small live block, 1/8 byte for each byte of address space in use */
#include "engine/audit_internal.h"
#include "engine/audit_payload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    OWNER_BITS = 16,    /* of a block's entry and of a line's key */
    LINE_KEYS = 8,      /* a block has two ends, on lines of two sizes, each counted twice */
    NEIGHBOUR = 1 << 20 /* how far back a message looks for where a block begins */
};

void pb_audit_fault(struct pb_audit *audit, enum pb_fault what, const char *format, ...)
{
    struct pb_audit_result *r = &audit->result;
    if (r->faults++ > 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->message, sizeof r->message, format, arguments);
    va_end(arguments);
    r->fault = what;
}

unsigned pb_audit_self(struct pb_audit *audit)
{
    pthread_t self = pthread_self();
    for (unsigned i = 0; i < audit->owners_n; i++)
        if (pthread_equal(audit->owners[i], self))
            return i;
    if (audit->owners_n < audit->owners_max)
        audit->owners[audit->owners_n++] = self;
    return audit->owners_n - 1;
}

static uint64_t entry_pack(size_t bytes, unsigned owner)
{
    return (uint64_t)bytes << OWNER_BITS | owner;
}

static size_t entry_bytes(uint64_t entry)
{
    return (size_t)(entry >> OWNER_BITS);
}

static unsigned entry_owner(uint64_t entry)
{
    return (unsigned)(entry & ((1u << OWNER_BITS) - 1));
}

static void fault_twice(struct pb_audit *audit, uintptr_t at, size_t bytes, unsigned owner,
                        uintptr_t taken)
{
    const uint64_t *entry = NULL;
    uintptr_t start = taken;
    while ((entry = pb_audit_map_find(&audit->blocks, start)) == NULL && taken - start < NEIGHBOUR)
        start--;
    pb_audit_fault(
        audit, PB_FAULT_TWICE,
        "%zu bytes at 0x%" PRIxPTR " handed to thread %u %s the live block of %zu bytes at "
        "0x%" PRIxPTR " of thread %u",
        bytes, at, owner, start == at ? "are" : "overlap", entry != NULL ? entry_bytes(*entry) : 0,
        start, entry != NULL ? entry_owner(*entry) : 0);
}

/* --- lines ----------------------------------------------------------------------------------- */

/* `who`: 0 anybody, else a thread's number + 1. */
static uint64_t line_key(uintptr_t at, unsigned shift, unsigned who)
{
    return ((uint64_t)(at >> shift) << 1 | (shift & 1)) << OWNER_BITS | who;
}

/* Counts one end of a block on its line; true if somebody else has a block there. */
static bool line_count(struct pb_audit *audit, uintptr_t at, unsigned shift, unsigned owner,
                       int change)
{
    uint64_t anybody = line_key(at, shift, 0), mine = line_key(at, shift, owner + 1);
    const uint64_t *all = pb_audit_map_find(&audit->lines, anybody);
    uint64_t of_all = all != NULL ? *all : 0;
    const uint64_t *own = pb_audit_map_find(&audit->lines, mine);
    bool shared = of_all != (own != NULL ? *own : 0);
    pb_audit_map_count(&audit->lines, anybody, change);
    pb_audit_map_count(&audit->lines, mine, change);
    return shared;
}

/* Counts a block on the lines where it begins and ends; true if it shares one of them. */
static bool lines_count(struct pb_audit *audit, uintptr_t at, size_t bytes, unsigned shift,
                        unsigned owner, int change)
{
    uintptr_t last = at + bytes - 1, line = (uintptr_t)1 << shift;
    bool starts = (at & (line - 1)) != 0, ends = ((last + 1) & (line - 1)) != 0;
    bool one = at >> shift == last >> shift, shared = false;
    if (starts || (one && ends))
        shared = line_count(audit, at, shift, owner, change);
    if (ends && !one && line_count(audit, last, shift, owner, change))
        shared = true;
    return shared;
}

static void lines_both(struct pb_audit *audit, uintptr_t at, size_t bytes, unsigned owner,
                       int change)
{
    if (audit->threads == 1)
        return; /* nobody to share with */
    bool on_64 = lines_count(audit, at, bytes, 6, owner, change);
    bool on_128 = lines_count(audit, at, bytes, 7, owner, change);
    if (change < 0)
        return;
    audit->result.shared_64 += on_64;
    audit->result.shared_128 += on_128;
}

/* --- blocks in and out of the books ---------------------------------------------------------- */

static bool books_reserve(struct pb_audit *audit, uintptr_t at, size_t bytes)
{
    return pb_audit_set_reserve(&audit->held, &audit->arena, at, bytes) &&
           pb_audit_map_reserve(&audit->blocks, &audit->arena, 1) &&
           pb_audit_map_reserve(&audit->quiet, &audit->arena, 1) &&
           pb_audit_map_reserve(&audit->lines, &audit->arena, LINE_KEYS);
}

static void note_place(struct pb_audit *audit, uintptr_t at, size_t bytes)
{
    unsigned zeros = (unsigned)__builtin_ctzll(at);
    audit->result.alignment[zeros < PB_AUDIT_ALIGNMENTS ? zeros : PB_AUDIT_ALIGNMENTS - 1]++;
    if (bytes <= 64 && at >> 6 != (at + bytes - 1) >> 6)
        audit->result.straddling++;
}

static void enter(struct pb_audit *audit, uintptr_t at, size_t bytes, unsigned owner)
{
    struct pb_audit_result *r = &audit->result;
    pb_audit_set_add(&audit->held, at, bytes);
    pb_audit_map_put(&audit->blocks, at, entry_pack(bytes, owner));
    lines_both(audit, at, bytes, owner, 1);
    r->live_bytes += bytes;
    if (r->live_bytes > r->live_peak_bytes)
        r->live_peak_bytes = r->live_bytes;
}

static void leave(struct pb_audit *audit, uintptr_t at, uint64_t entry)
{
    size_t bytes = entry_bytes(entry);
    pb_audit_set_remove(&audit->held, at, bytes);
    pb_audit_map_remove(&audit->blocks, at);
    lines_both(audit, at, bytes, entry_owner(entry), -1);
    audit->result.live_bytes -= bytes;
}

int pb_audit_admit(struct pb_audit *audit, uintptr_t at, size_t bytes, size_t alignment)
{
    unsigned owner = pb_audit_self(audit);
    if (!books_reserve(audit, at, bytes)) {
        pb_audit_fault(audit, PB_FAULT_NO_BOOKS, "the harness has no memory for the audit's books");
        return -ENOMEM;
    }
    audit->result.requested_total_bytes += bytes;
    uintptr_t taken = pb_audit_set_first(&audit->held, at, bytes);
    if (taken != 0) {
        fault_twice(audit, at, bytes, owner, taken);
        pb_audit_map_count(&audit->quiet, at, 1);
        return 0;
    }
    if ((at & (alignment - 1)) != 0)
        pb_audit_fault(audit, PB_FAULT_MISALIGNED,
                       "%zu bytes at 0x%" PRIxPTR " handed to thread %u are not aligned to %zu",
                       bytes, at, owner, alignment);
    note_place(audit, at, bytes);
    enter(audit, at, bytes, owner);
    return 1;
}

size_t pb_audit_dismiss(struct pb_audit *audit, uintptr_t at, size_t bytes)
{
    unsigned owner = pb_audit_self(audit);
    if (pb_audit_map_find(&audit->quiet, at) != NULL) {
        pb_audit_map_count(&audit->quiet, at, -1);
        return 0;
    }
    const uint64_t *found = pb_audit_map_find(&audit->blocks, at);
    if (found == NULL) {
        pb_audit_fault(audit, PB_FAULT_UNKNOWN,
                       "thread %u freed %zu bytes at 0x%" PRIxPTR ", which are not live", owner,
                       bytes, at);
        return 0;
    }
    uint64_t entry = *found;
    size_t size = entry_bytes(entry);
    if (size != bytes)
        pb_audit_fault(audit, PB_FAULT_UNKNOWN,
                       "thread %u freed the block at 0x%" PRIxPTR " as %zu bytes; it has %zu",
                       owner, at, bytes, size);
    size_t changed = pb_audit_changed((const void *)at, at, size);
    if (changed < size)
        pb_audit_fault(audit, PB_FAULT_CORRUPT,
                       "byte %zu of the %zu bytes at 0x%" PRIxPTR
                       " of thread %u is 0x%02x, not 0x%02x, when "
                       "thread %u frees them",
                       changed, size, at, entry_owner(entry), ((const unsigned char *)at)[changed],
                       pb_audit_byte(at, changed), owner);
    leave(audit, at, entry);
    return changed < size ? 0 : size;
}

void pb_audit_restore(struct pb_audit *audit, uintptr_t at, size_t bytes)
{
    enter(audit, at, bytes, pb_audit_self(audit)); /* its room is there still */
}
