/* SPDX-License-Identifier: MIT */
/* Special pool: special.h says what it is and where it comes from.
 * Layout:  range | guard | page 0 | guard | page 1 | ... | guard |   guards are never accessible
 *          page  | pattern | block | pattern |   overrun: the block ends within 15 bytes of the end
 *                | block | pattern |             underrun
 * I1       a page is accessible if and only if its slot is live, claimed, or on its way there
 * I2       a slot is live, claimed by one thread that frees it, or in the queue of the freed, which
 *          is reused from its other end; the last `quarantine` of the queue are not
 * Locks    latch, around slots and queue; no call of the system is made with it held
 *          A fault on a guard or a freed page is told, by the handler of nt/fixup.h, in NT's line
 * Cost     two calls of the system an allocation and a free, and a page filled and read */
#include "pool/special.h"
#include "nt/fixup.h"
#include "nt/latch.h"
#include "path.h"

#include <poolbench/nt/page.h>

#include <string.h>
#include <sys/mman.h>

enum { SPECIAL_PATTERN = 0xA7, SPECIAL_GRANULE = 16, SPECIAL_WATCHED = 16 };
static const uint32_t SPECIAL_END = UINT32_MAX; /* of the queue */

enum special_state { SPECIAL_NEVER, SPECIAL_FREED, SPECIAL_LIVE, SPECIAL_CLAIMED };

struct special_slot {
    unsigned char *block; /* of a freed one: what it was */
    unsigned type;
    uint32_t tag;
    uint32_t bytes;
    uint32_t next; /* in the queue */
    enum special_state state;
};

struct pool_special {
    unsigned char *base;
    size_t range_bytes;
    size_t page_bytes; /* the system's: protection has no smaller unit */
    uint32_t pages;
    uint32_t quarantine;
    struct pb_latch latch PB_CACHE_ALIGNED;
    /* guarded by latch */
    struct special_slot *slots;
    _Atomic uint32_t fresh; /* slots from here on were never used; a witness reads it without */
    uint32_t oldest, newest, queued;
    uint32_t count;
};

/* Those whose faults have a witness; who finds no place has none. */
static _Atomic(struct pool_special *) watched[SPECIAL_WATCHED];

/* What NT would stop with, by its line: the fault itself goes on to whoever handles it, and ends
 * the program where it happened. In the handler of the fault. */
static void special_witness(const struct pb_fault *fault)
{
    for (unsigned i = 0; i < SPECIAL_WATCHED; i++) {
        /* acquire: pairs with special_watch */
        struct pool_special *special = atomic_load_explicit(&watched[i], memory_order_acquire);
        if (special == NULL || !pb_pool_special_owns(special, (const void *)fault->address))
            continue;
        size_t index = (fault->address - (uintptr_t)special->base) / special->page_bytes;
        bool freed = index % 2 == 1 &&
                     index / 2 < atomic_load_explicit(&special->fresh, memory_order_relaxed);
        pb_bugcheck_tell(freed ? PAGE_FAULT_IN_FREED_SPECIAL_POOL
                               : PAGE_FAULT_BEYOND_END_OF_ALLOCATION,
                         fault->address, fault->write, fault->instruction, 0);
        return;
    }
}

/* Puts `now` where `before` is, if that is there. */
static void special_watch(struct pool_special *before, struct pool_special *now)
{
    for (unsigned i = 0; i < SPECIAL_WATCHED; i++) {
        struct pool_special *there = before;
        /* acq_rel: pairs with the witness's load */
        if (atomic_compare_exchange_strong_explicit(&watched[i], &there, now, memory_order_acq_rel,
                                                    memory_order_relaxed))
            return;
    }
}

struct pool_special *pb_pool_special_open(size_t pages, unsigned quarantine)
{
    const size_t page = pb_page_bytes();
    if (pages == 0 || pages >= SPECIAL_END || pages > (SIZE_MAX / page - 1) / 2)
        return NULL;
    struct pool_special *special = pb_pages_map(sizeof *special);
    if (special == NULL)
        return NULL;
    special->page_bytes = page;
    special->range_bytes = (2 * pages + 1) * page;
    special->pages = (uint32_t)pages;
    special->quarantine = quarantine;
    special->oldest = special->newest = SPECIAL_END;
    special->slots = pb_pages_map(pages * sizeof *special->slots);
    if (special->slots == NULL)
        goto out_special;
    special->base = pb_pages_system->reserve(special->range_bytes);
    if (special->base == NULL)
        goto out_slots;
    special_watch(NULL, special);
    /* release: the witness sees what was set up before */
    atomic_store_explicit(&pb_fault_witness, special_witness, memory_order_release);
    (void)pb_fixup_install(); /* refused only where no fault can be caught */
    return special;

out_slots:
    pb_pages_unmap(special->slots, pages * sizeof *special->slots);
out_special:
    pb_pages_unmap(special, sizeof *special);
    return NULL;
}

void pb_pool_special_close(struct pool_special *special)
{
    if (special == NULL)
        return;
    special_watch(special, NULL);
    pb_pages_system->unreserve(special->base, special->range_bytes);
    pb_pages_unmap(special->slots, special->pages * sizeof *special->slots);
    pb_pages_unmap(special, sizeof *special);
}

static unsigned char *special_page(const struct pool_special *special, uint32_t slot)
{
    return special->base + (2 * (size_t)slot + 1) * special->page_bytes;
}

/* A slot to use, or SPECIAL_END. Latch held. */
static uint32_t special_pop(struct pool_special *special)
{
    /* relaxed: the latch orders it, and a witness asks for a slot that was freed before its fault
     */
    uint32_t fresh = atomic_load_explicit(&special->fresh, memory_order_relaxed);
    if (fresh < special->pages) {
        atomic_store_explicit(&special->fresh, fresh + 1, memory_order_relaxed);
        return fresh;
    }
    if (special->queued <= special->quarantine)
        return SPECIAL_END;
    uint32_t slot = special->oldest;
    special->oldest = special->slots[slot].next;
    if (--special->queued == 0)
        special->newest = SPECIAL_END;
    return slot;
}

/* Latch held. */
static void special_push(struct pool_special *special, uint32_t slot)
{
    special->slots[slot].next = SPECIAL_END;
    special->slots[slot].state = SPECIAL_FREED;
    if (special->queued++ == 0)
        special->oldest = slot;
    else
        special->slots[special->newest].next = slot;
    special->newest = slot;
}

static void special_give_back(struct pool_special *special, uint32_t slot)
{
    pb_latch_lock(&special->latch);
    special_push(special, slot);
    pb_latch_unlock(&special->latch);
}

void *pb_pool_special_allocate(struct pool_special *special, unsigned type, size_t bytes,
                               uint32_t tag, bool underrun)
{
    if (bytes >= PAGE_SIZE)
        return NULL;
    pb_latch_lock(&special->latch);
    uint32_t slot = special_pop(special);
    pb_latch_unlock(&special->latch);
    if (slot == SPECIAL_END)
        return NULL;
    unsigned char *page = special_page(special, slot);
    pb_path_note(PB_PATH_OS);
    if (pb_pages_system->commit(page, special->page_bytes) != 0) {
        special_give_back(special, slot);
        return NULL;
    }
    memset(page, SPECIAL_PATTERN, special->page_bytes);
    size_t whole = (bytes > 0 ? bytes : 1) + SPECIAL_GRANULE - 1;
    whole -= whole % SPECIAL_GRANULE;
    unsigned char *block = underrun ? page : page + special->page_bytes - whole;
    pb_latch_lock(&special->latch);
    special->slots[slot] = (struct special_slot){
        .block = block, .type = type, .tag = tag, .bytes = (uint32_t)bytes, .state = SPECIAL_LIVE};
    special->count++;
    pb_latch_unlock(&special->latch);
    return block;
}

bool pb_pool_special_owns(const struct pool_special *special, const void *p)
{
    /* not below: a difference that wraps is above the range */
    return (uintptr_t)p - (uintptr_t)special->base < special->range_bytes;
}

/* The slot of the page that an address lies in, or SPECIAL_END for a guard or a stranger. */
static uint32_t special_slot_of(const struct pool_special *special, const void *p)
{
    if (!pb_pool_special_owns(special, p))
        return SPECIAL_END;
    size_t index = ((uintptr_t)p - (uintptr_t)special->base) / special->page_bytes;
    return index % 2 == 1 ? (uint32_t)(index / 2) : SPECIAL_END;
}

bool pb_pool_special_find(const struct pool_special *special, const void *p,
                          struct pool_special_block *block)
{
    struct pool_special *own = (struct pool_special *)special; /* for its latch */
    uint32_t slot = special_slot_of(special, p);
    if (slot == SPECIAL_END)
        return false;
    pb_latch_lock(&own->latch);
    struct special_slot seen = special->slots[slot];
    pb_latch_unlock(&own->latch);
    if (seen.state != SPECIAL_LIVE || seen.block != p)
        return false;
    *block = (struct pool_special_block){.type = seen.type, .tag = seen.tag, .bytes = seen.bytes};
    return true;
}

/* Why an address cannot be freed; `slot` is its page's. Latch not held. */
static void special_refuse(const struct special_slot *slot, const void *p)
{
    const bool freed = slot->state == SPECIAL_FREED || slot->state == SPECIAL_CLAIMED;
    if (freed && slot->block == p)
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE, 0, slot->tag, (ULONG_PTR)p);
    else if (slot->state == SPECIAL_LIVE)
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK, (ULONG_PTR)p, 0, 0);
    else
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_NOT_POOL, (ULONG_PTR)p, 0, 0);
}

/* Makes a live block the caller's to free: of two threads, one gets it. What it is, or was. */
static bool special_claim(struct pool_special *special, uint32_t slot, const void *p,
                          struct special_slot *seen)
{
    pb_latch_lock(&special->latch);
    *seen = special->slots[slot];
    bool claimed = seen->state == SPECIAL_LIVE && seen->block == p;
    if (claimed)
        special->slots[slot].state = SPECIAL_CLAIMED;
    pb_latch_unlock(&special->latch);
    return claimed;
}

/* The first byte outside of the block that is not the pattern, or NULL. */
static const unsigned char *special_changed(const struct pool_special *special, uint32_t slot,
                                            const struct special_slot *block)
{
    const unsigned char *page = special_page(special, slot), *end = page + special->page_bytes;
    for (const unsigned char *at = page; at < block->block; at++)
        if (*at != SPECIAL_PATTERN)
            return at;
    for (const unsigned char *at = block->block + block->bytes; at < end; at++)
        if (*at != SPECIAL_PATTERN)
            return at;
    return NULL;
}

bool pb_pool_special_free(struct pool_special *special, void *p)
{
    struct special_slot block = {.state = SPECIAL_NEVER};
    uint32_t slot = special_slot_of(special, p);
    if (slot == SPECIAL_END || !special_claim(special, slot, p, &block)) {
        special_refuse(&block, p);
        return false;
    }
    const unsigned char *changed = special_changed(special, slot, &block);
    if (changed != NULL) {
        pb_latch_lock(&special->latch);
        special->slots[slot].state = SPECIAL_LIVE;
        pb_latch_unlock(&special->latch);
        KeBugCheckEx(BAD_POOL_HEADER, BAD_HEADER_OVERRUN, (ULONG_PTR)p, (ULONG_PTR)changed,
                     *changed);
        return false;
    }
    unsigned char *page = special_page(special, slot);
    pb_path_note(PB_PATH_OS);
    /* if the system refuses either, the page is only not as strict or not as free as it could be */
    (void)mprotect(page, special->page_bytes, PROT_NONE);
    (void)pb_pages_system->release(page, special->page_bytes);
    pb_latch_lock(&special->latch);
    special_push(special, slot);
    special->count--;
    pb_latch_unlock(&special->latch);
    return true;
}

size_t pb_pool_special_count(const struct pool_special *special)
{
    struct pool_special *own = (struct pool_special *)special; /* for its latch */
    pb_latch_lock(&own->latch);
    size_t count = special->count;
    pb_latch_unlock(&own->latch);
    return count;
}
