/* SPDX-License-Identifier: MIT */
/* The memory manager under stress: descriptors of shared buffers locked, mapped, divided and let
 * go; contiguous and non-cached memory. Each worker has a word of its own in each page of the
 * buffers, which it writes by one mapping and reads by the other.
 * Threads: any. */
#include "nt/stress_pool.h"

#include "nt/resident.h"

#include <poolbench/nt/mdl.h>
#include <poolbench/nt/mm.h>
#include <poolbench/nt/status.h>

#include <sys/mman.h>
#include <unistd.h>

enum { BUFFER_PAGES = 64, SPAN_MOST = 32, HUGE_BYTES = 2 << 20 };

static unsigned char *shared; /* a memfd's */
static unsigned char *pooled; /* paged pool's, which is a file's too */
static unsigned char *nonpaged;
static struct stress_view views[2];

static uint64_t *word_at(unsigned char *page, const struct stress_worker *worker)
{
    return (uint64_t *)(void *)(page + worker->index * sizeof(uint64_t));
}

static bool lock(PMDL mdl)
{
    volatile bool locked = false;
    PB_TRY
    {
        MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
        locked = true;
    }
    PB_EXCEPT
    {
        locked = false;
    }
    PB_END_TRY
    return locked;
}

/* Writes by the mapping `at`, of `pages` pages from `from` on, and reads by the buffer itself. */
static void use(struct stress_worker *worker, unsigned char *at, unsigned char *from, size_t pages)
{
    for (size_t i = 0; i < pages; i++) {
        uint64_t value = pb_rng_next(&worker->rng);
        *word_at(at + i * PAGE_SIZE, worker) = value;
        __asm__ volatile("" : : : "memory"); /* two addresses of one word */
        if (*word_at(from + i * PAGE_SIZE, worker) != value)
            stress_found(FOUND_BROKEN, "MDL: the mapping at %p is not of the memory at %p",
                         (void *)at, (void *)from);
    }
}

/* Part of a locked buffer, by a descriptor of its own. */
static void use_part(struct stress_worker *worker, PMDL source, unsigned char *from, size_t pages)
{
    size_t first = stress_below(worker, pages), n = 1 + stress_below(worker, pages - first);
    unsigned char *at = from + first * PAGE_SIZE;
    PMDL part = IoAllocateMdl(at, (ULONG)(n * PAGE_SIZE), FALSE, FALSE, NULL);
    if (part == NULL) {
        stress_refused(worker);
        return;
    }
    IoBuildPartialMdl(source, part, at, (ULONG)(n * PAGE_SIZE));
    unsigned char *mapped = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
    if (mapped != NULL)
        use(worker, mapped, at, n);
    else
        stress_refused(worker);
    IoFreeMdl(part);
}

static void turn_mdl(struct stress_worker *worker, const struct stress_actor *actor)
{
    unsigned char *buffer = pooled != NULL && stress_below(worker, 2) != 0 ? pooled : shared;
    size_t first = stress_below(worker, BUFFER_PAGES);
    size_t most = BUFFER_PAGES - first < SPAN_MOST ? BUFFER_PAGES - first : SPAN_MOST;
    size_t pages = 1 + stress_below(worker, most);
    unsigned char *from = buffer + first * PAGE_SIZE;
    PMDL mdl = IoAllocateMdl(from, (ULONG)(pages * PAGE_SIZE), FALSE, FALSE, NULL);
    (void)actor;
    if (mdl == NULL) {
        stress_refused(worker);
        return;
    }
    if (!lock(mdl))
        stress_found(FOUND_BROKEN, "MDL: %zu pages at %p cannot be locked", pages, (void *)from);
    if (stress_below(worker, 2) == 0)
        use_part(worker, mdl, from, pages);
    unsigned char *mapped = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    if (mapped != NULL)
        use(worker, mapped, from, pages);
    else
        stress_refused(worker);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

static void turn_nonpaged(struct stress_worker *worker, const struct stress_actor *actor)
{
    unsigned char *from = nonpaged + stress_below(worker, BUFFER_PAGES) * PAGE_SIZE;
    (void)actor;
    PMDL mdl = nonpaged != NULL ? IoAllocateMdl(from, (ULONG)PAGE_SIZE, FALSE, FALSE, NULL) : NULL;
    if (mdl == NULL) {
        stress_refused(worker);
        return;
    }
    MmBuildMdlForNonPagedPool(mdl);
    use(worker, MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), from, 1);
    IoFreeMdl(mdl);
}

static void turn_contiguous(struct stress_worker *worker, const struct stress_actor *actor)
{
    const PHYSICAL_ADDRESS anywhere = {.QuadPart = -1};
    SIZE_T bytes =
        1 + stress_below(worker, stress_below(worker, 32) != 0 ? PAGE_SIZE : 8 * PAGE_SIZE);
    void *at = MmAllocateContiguousMemory(bytes, anywhere);
    if (at == NULL) {
        stress_refused(worker);
        return;
    }
    struct stress_block *block = stress_claim(worker, actor, at, bytes, bytes);
    bool pool = stress_in_pool(at);
    block->which = pool;
    stress_post(worker, block, BOOK_RESIDENT, pool ? ROUND_TO_PAGES(bytes) : HUGE_BYTES);
    if (pool) {
        struct stress_view view = stress_view(at);
        stress_post(worker, block, stress_tag_book(&view), view.granted);
    }
    stress_publish(worker, block);
}

static void give_contiguous(struct stress_worker *worker, struct stress_block *block)
{
    (void)worker;
    MmFreeContiguousMemory(atomic_load_explicit(&block->at, memory_order_relaxed)); /* own */
}

static void turn_noncached(struct stress_worker *worker, const struct stress_actor *actor)
{
    SIZE_T bytes = 1 + stress_below(worker, 4 * PAGE_SIZE);
    void *at = MmAllocateNonCachedMemory(bytes);
    if (at == NULL) {
        stress_refused(worker);
        return;
    }
    struct stress_block *block = stress_claim(worker, actor, at, bytes, bytes);
    stress_post(worker, block, BOOK_RESIDENT, ROUND_TO_PAGES(bytes));
    stress_publish(worker, block);
}

static void give_noncached(struct stress_worker *worker, struct stress_block *block)
{
    void *at = atomic_load_explicit(&block->at, memory_order_relaxed); /* the owner's own */
    if (!stress_plant(worker, PLANT_RESIDENT))
        MmFreeNonCachedMemory(at, block->asked);
}

static const struct stress_actor actors[] = {
    {"MDLs", 3, turn_mdl, NULL, NULL},
    {"MDLs of nonpaged pool", 2, turn_nonpaged, NULL, NULL},
    {"MmAllocateContiguousMemory", 2, turn_contiguous, give_contiguous, NULL},
    {"MmAllocateNonCachedMemory", 2, turn_noncached, give_noncached, NULL}};

static unsigned char *buffer_of(POOL_TYPE type, struct stress_view *view)
{
    unsigned char *at =
        ExAllocatePoolWithTag(type, BUFFER_PAGES * PAGE_SIZE, stress_tags[TAG_BUFFER]);
    if (at == NULL)
        return NULL;
    *view = stress_view(at);
    struct stress_sum *sum = &stress_run.workers[0].books[stress_tag_book(view)];
    sum->blocks++;
    sum->bytes += (int64_t)view->granted;
    return at;
}

static void give_buffer(unsigned char *at, const struct stress_view *view)
{
    if (at == NULL)
        return;
    struct stress_sum *sum = &stress_run.workers[0].books[stress_tag_book(view)];
    sum->blocks--;
    sum->bytes -= (int64_t)view->granted;
    ExFreePoolWithTag(at, stress_tags[TAG_BUFFER]);
}

static void open(void)
{
    if (shared == NULL) {
        int file = memfd_create("stress", MFD_CLOEXEC);
        void *at = MAP_FAILED;
        if (file >= 0 && ftruncate(file, (off_t)(BUFFER_PAGES * PAGE_SIZE)) == 0)
            at = mmap(NULL, BUFFER_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (at == MAP_FAILED)
            stress_found(FOUND_BROKEN, "there is no shared buffer");
        (void)close(file);
        shared = at;
    }
    pooled = buffer_of(PagedPool, &views[0]);
    nonpaged = buffer_of(NonPagedPool, &views[1]);
}

static void check(void)
{
    struct stress_sum ours = stress_sum(BOOK_RESIDENT);
    int64_t bytes = (int64_t)pb_resident_total() << PAGE_SHIFT;
    stress_compare(BOOK_RESIDENT, "pages counted as locked", ours.blocks, bytes);
}

static void give_all(void)
{
    check();
    give_buffer(pooled, &views[0]);
    give_buffer(nonpaged, &views[1]);
}

const struct stress_part stress_mm = {open, check, give_all, actors,
                                      sizeof actors / sizeof *actors};
