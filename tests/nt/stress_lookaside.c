/* SPDX-License-Identifier: MIT */
/* Lookaside lists under stress: every kind, on the pool and on routines of their owner's (which map
 * and unmap pages, so that entries vanish under slow poppers), their depths adjusted meanwhile, by
 * call and by the tuner on a clock that a turn moves; and lists that live for one turn.
 * A list and its callers hold what its routines gave: what is in the list is what they gave less
 * what our books say. Threads: any, and the tuner's. */
#include "nt/stress_pool.h"

#include <poolbench/nt/lookaside.h>

#include <sys/mman.h>

enum { FIXED_DEPTH = 7, MAPPED_BYTES = 4096 };

static NPAGED_LOOKASIDE_LIST npaged, npaged_mapped;
static PAGED_LOOKASIDE_LIST paged, paged_mapped;
static LOOKASIDE_LIST_EX ex, ex_mapped;

/* Blocks that the owner's routines gave and have not had back. */
static _Atomic int64_t mapped[STRESS_LOOKASIDES];

struct kind {
    const char *name;
    void *(*take)(void);
    void (*give)(void *entry);
    void (*flush)(void);
    PSLIST_HEADER head;
    SIZE_T bytes;
    bool paged, on_pool;
};

static void *map_for(unsigned list)
{
    void *at = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    /* relaxed: a count, read while all wait */
    atomic_fetch_add_explicit(&mapped[list], 1, memory_order_relaxed);
    return at;
}

static void unmap_for(unsigned list, void *at)
{
    (void)munmap(at, MAPPED_BYTES);
    atomic_fetch_sub_explicit(&mapped[list], 1, memory_order_relaxed);
}

static PVOID map_npaged(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    (void)type, (void)bytes, (void)tag;
    return map_for(3);
}

static void unmap_npaged(PVOID at)
{
    unmap_for(3, at);
}

static PVOID map_paged(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    (void)type, (void)bytes, (void)tag;
    return map_for(4);
}

static void unmap_paged(PVOID at)
{
    unmap_for(4, at);
}

static PVOID map_ex(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    (void)type, (void)bytes, (void)tag;
    return list == &ex_mapped ? map_for(5) : NULL;
}

static void unmap_ex(PVOID at, PLOOKASIDE_LIST_EX list)
{
    if (list == &ex_mapped)
        unmap_for(5, at);
}

#define CALLS(name, kind, list)                                                                    \
    static void *take_##name(void)                                                                 \
    {                                                                                              \
        return ExAllocateFrom##kind(&(list));                                                      \
    }                                                                                              \
    static void give_##name(void *entry)                                                           \
    {                                                                                              \
        ExFreeTo##kind(&(list), entry);                                                            \
    }
CALLS(npaged, NPagedLookasideList, npaged)
CALLS(paged, PagedLookasideList, paged)
CALLS(ex, LookasideListEx, ex)
CALLS(npaged_mapped, NPagedLookasideList, npaged_mapped)
CALLS(paged_mapped, PagedLookasideList, paged_mapped)
CALLS(ex_mapped, LookasideListEx, ex_mapped)

static void flush_ex(void)
{
    ExFlushLookasideListEx(&ex);
}

static void flush_ex_mapped(void)
{
    ExFlushLookasideListEx(&ex_mapped);
}

static struct kind kinds[STRESS_LOOKASIDES] = {
    {"NPAGED", take_npaged, give_npaged, NULL, &npaged.L.ListHead, 72, false, true},
    {"PAGED", take_paged, give_paged, NULL, &paged.L.ListHead, 600, true, true},
    {"EX", take_ex, give_ex, flush_ex, &ex.L.ListHead, 200, false, true},
    {"NPAGED of pages", take_npaged_mapped, give_npaged_mapped, NULL, &npaged_mapped.L.ListHead,
     MAPPED_BYTES, false, false},
    {"PAGED of pages", take_paged_mapped, give_paged_mapped, NULL, &paged_mapped.L.ListHead,
     MAPPED_BYTES, true, false},
    {"EX of pages", take_ex_mapped, give_ex_mapped, flush_ex_mapped, &ex_mapped.L.ListHead,
     MAPPED_BYTES, true, false}};

static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    unsigned list = (unsigned)stress_below(worker, STRESS_LOOKASIDES);
    struct kind *kind = &kinds[list];
    if (kind->flush != NULL && stress_below(worker, 200) == 0)
        kind->flush();
    KIRQL before = stress_raise(worker, kind->paged);
    void *at = kind->take();
    KeLowerIrql(before);
    if (at == NULL) {
        stress_refused(worker);
        return;
    }
    struct stress_block *block = stress_claim(worker, actor, at, kind->bytes, kind->bytes);
    block->which = list;
    stress_post(worker, block, BOOK_LOOKASIDE + list, kind->bytes);
    if (kind->on_pool) {
        struct stress_view view = stress_view(at);
        stress_post(worker, block, stress_tag_book(&view), view.granted);
        if (view.special)
            stress_post(worker, block, BOOK_SPECIAL, PAGE_SIZE);
    }
    stress_publish(worker, block);
}

static void give(struct stress_worker *worker, struct stress_block *block)
{
    struct kind *kind = &kinds[block->which];
    KIRQL before = stress_raise(worker, kind->paged);
    if (!stress_plant(worker, PLANT_LOOKASIDE))
        kind->give(atomic_load_explicit(&block->at, memory_order_relaxed)); /* the owner's own */
    KeLowerIrql(before);
}

/* A list that is made, used and deleted while the tuner goes through the chains. */
static void turn_short(struct stress_worker *worker, const struct stress_actor *actor)
{
    NPAGED_LOOKASIDE_LIST own;
    void *entries[FIXED_DEPTH + 2];
    unsigned n = (unsigned)stress_below(worker, FIXED_DEPTH + 2);
    (void)actor;
    ExInitializeNPagedLookasideList(&own, NULL, NULL, 0, 48, stress_tags[TAG_LOOKASIDE],
                                    stress_below(worker, 2) != 0 ? FIXED_DEPTH : 0);
    for (unsigned i = 0; i < n; i++) {
        entries[i] = ExAllocateFromNPagedLookasideList(&own);
        if (entries[i] != NULL)
            stress_hold(entries[i], 48, UINT32_MAX - worker->index - 1);
    }
    for (unsigned i = 0; i < n; i++) {
        if (entries[i] == NULL)
            continue;
        stress_unhold(entries[i], 48, UINT32_MAX - worker->index - 1);
        ExFreeToNPagedLookasideList(&own, entries[i]);
    }
    USHORT depth = ExQueryDepthSList(&own.L.ListHead);
    if (depth > n || depth > own.L.MaximumDepth)
        stress_found(FOUND_STRUCTURE, "a list of %u has %u entries", n, depth);
    ExDeleteNPagedLookasideList(&own);
}

static const struct stress_actor actors[] = {
    {"lookaside lists", 150, turn, give, NULL},
    {"a lookaside list for a turn", 5, turn_short, NULL, NULL}};

/* The lists that are on the pool have a tag each. */
static void open(void)
{
    const ULONG *tags = &stress_tags[TAG_LOOKASIDE];
    ExInitializeNPagedLookasideList(&npaged, NULL, NULL, 0, kinds[0].bytes, tags[0], 0);
    ExInitializePagedLookasideList(&paged, NULL, NULL, 0, kinds[1].bytes, tags[1], 0);
    NTSTATUS status = ExInitializeLookasideListEx(&ex, NULL, NULL, NonPagedPoolNx, 0,
                                                  kinds[2].bytes, tags[2], FIXED_DEPTH);
    ExInitializeNPagedLookasideList(&npaged_mapped, map_npaged, unmap_npaged, 0, MAPPED_BYTES, 0,
                                    FIXED_DEPTH);
    ExInitializePagedLookasideList(&paged_mapped, map_paged, unmap_paged, 0, MAPPED_BYTES, 0, 0);
    if (NT_SUCCESS(status))
        status = ExInitializeLookasideListEx(&ex_mapped, map_ex, unmap_ex, PagedPool,
                                             EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, MAPPED_BYTES,
                                             0, 0);
    if (!NT_SUCCESS(status))
        stress_found(FOUND_BROKEN, "ExInitializeLookasideListEx: 0x%x", (unsigned)status);
}

/* Walks a list; returns its length. */
static unsigned length_of(const struct kind *kind)
{
    unsigned n = 0;
    for (PSLIST_ENTRY at = FirstEntrySList(kind->head); at != NULL; at = at->Next)
        if (n++ > PB_LOOKASIDE_MAXIMUM_DEPTH + stress_run.threads)
            stress_found(FOUND_STRUCTURE, "%s: the list is longer than it may be", kind->name);
    if (n != ExQueryDepthSList(kind->head))
        stress_found(FOUND_STRUCTURE, "%s: %u entries, and a depth of %u", kind->name, n,
                     ExQueryDepthSList(kind->head));
    return n;
}

struct stress_sum stress_lookaside_cached(unsigned book)
{
    struct stress_sum sum = {0, 0};
    for (unsigned i = 0; i < STRESS_LOOKASIDES; i++) {
        PSLIST_ENTRY at = kinds[i].on_pool ? FirstEntrySList(kinds[i].head) : NULL;
        for (; at != NULL; at = at->Next) {
            struct stress_view view = stress_view(at);
            if (book !=
                (book == BOOK_SPECIAL && view.special ? BOOK_SPECIAL : stress_tag_book(&view)))
                continue;
            sum.blocks++;
            sum.bytes += (int64_t)view.granted;
        }
    }
    return sum;
}

static void check(void)
{
    for (unsigned i = 0; i < STRESS_LOOKASIDES; i++) {
        int64_t n = length_of(&kinds[i]);
        int64_t live = atomic_load_explicit(&mapped[i], memory_order_relaxed) - n;
        if (!kinds[i].on_pool) /* what is on the pool, its tag counts */
            stress_compare(BOOK_LOOKASIDE + i, kinds[i].name, live, live * MAPPED_BYTES);
    }
}

static void close(void)
{
    check();
    ExDeleteNPagedLookasideList(&npaged);
    ExDeletePagedLookasideList(&paged);
    ExDeleteLookasideListEx(&ex);
    ExDeleteNPagedLookasideList(&npaged_mapped);
    ExDeletePagedLookasideList(&paged_mapped);
    ExDeleteLookasideListEx(&ex_mapped);
    for (unsigned i = 0; i < STRESS_LOOKASIDES; i++)
        if (atomic_load_explicit(&mapped[i], memory_order_relaxed) != 0)
            stress_found(FOUND_LOST, "%s: not every entry came back when it was deleted",
                         kinds[i].name);
}

const struct stress_part stress_lookaside = {open, check, close, actors,
                                             sizeof actors / sizeof *actors};
