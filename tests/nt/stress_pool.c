/* SPDX-License-Identifier: MIT */
/* The pool under stress: every routine that allocates, in every type of memory that the profile
 * has, freed by any of the routines that free. What the pool says of each new block is held against
 * what was asked for. Threads: any. */
#include "nt/stress_pool.h"

#include <poolbench/nt/process.h>
#include <poolbench/nt/status.h>

#include "pool/executive.h"

static PEPROCESS processes[STRESS_PROCESSES];

/* One request. */
struct ask {
    struct stress_worker *worker;
    POOL_TYPE type;
    POOL_FLAGS flags; /* ExAllocatePool2 and 3 */
    SIZE_T bytes;
    ULONG tag;
};

/* How an API family asks. `take` may raise if `raises`. */
struct family {
    void *(*take)(const struct ask *ask);
    enum stress_tag tag;
    bool raises, by_flags, tells_tag;
};

static void *take_plain(const struct ask *ask)
{
    return ExAllocatePool(ask->type, ask->bytes);
}

static void *take_tagged(const struct ask *ask)
{
    return ExAllocatePoolWithTag(ask->type, ask->bytes, ask->tag);
}

static void *take_quota(const struct ask *ask)
{
    return ExAllocatePoolWithQuota(ask->type, ask->bytes);
}

static void *take_quota_tagged(const struct ask *ask)
{
    int fails = stress_below(ask->worker, 2) != 0 ? POOL_QUOTA_FAIL_INSTEAD_OF_RAISE : 0;
    return ExAllocatePoolWithQuotaTag((POOL_TYPE)((int)ask->type | fails), ask->bytes, ask->tag);
}

/* Special pool costs two calls of the system: seldom. */
static EX_POOL_PRIORITY priority_of(struct stress_worker *worker)
{
    static const EX_POOL_PRIORITY plain[] = {LowPoolPriority, NormalPoolPriority, HighPoolPriority};
    static const EX_POOL_PRIORITY special[] = {
        LowPoolPrioritySpecialPoolOverrun, NormalPoolPrioritySpecialPoolUnderrun,
        HighPoolPrioritySpecialPoolOverrun, HighPoolPrioritySpecialPoolUnderrun};
    return stress_below(worker, 8) != 0 ? plain[stress_below(worker, 3)]
                                        : special[stress_below(worker, 4)];
}

static void *take_priority(const struct ask *ask)
{
    return ExAllocatePoolWithTagPriority(ask->type, ask->bytes, ask->tag, priority_of(ask->worker));
}

static void *take_flags(const struct ask *ask)
{
    return ExAllocatePool2(ask->flags, ask->bytes, ask->tag);
}

static void *take_extended(const struct ask *ask)
{
    const POOL_EXTENDED_PARAMETER parameters[] = {
        {{.Type = PoolExtendedParameterPriority}, .Priority = priority_of(ask->worker)},
        {{.Type = PoolExtendedParameterNumaNode, .Optional = 1}, .Reserved2 = 0}};
    return ExAllocatePool3(ask->flags, ask->bytes, ask->tag, parameters,
                           (ULONG)stress_below(ask->worker, 3));
}

/* Mostly small; the edges of blocks and pages; now and then many pages. */
static SIZE_T some_bytes(struct stress_worker *worker)
{
    static const struct {
        unsigned below; /* of 1000 */
        SIZE_T from, span;
    } rows[] = {{550, 1, 512},      {820, 1, 4096},       {900, 3980, 240},
                {995, 4090, 16000}, {999, 16384, 160000}, {1000, 131072, 1 << 20}};
    uint64_t draw = stress_below(worker, 1000);
    unsigned row = 0;
    while (draw >= rows[row].below)
        row++;
    return rows[row].from + stress_below(worker, rows[row].span);
}

static POOL_TYPE some_type(struct stress_worker *worker)
{
    static const POOL_TYPE types[] = {NonPagedPool,
                                      PagedPool,
                                      NonPagedPoolNx,
                                      PagedPool,
                                      NonPagedPoolCacheAligned,
                                      PagedPoolCacheAligned,
                                      NonPagedPoolNxCacheAligned,
                                      NonPagedPoolSession,
                                      PagedPoolSession,
                                      NonPagedPoolMustSucceed};
    const struct pool_front *front = pb_executive();
    uint64_t n = sizeof types / sizeof *types;
    if (front == NULL || !front->serves_must_succeed)
        n--;
    return types[stress_below(worker, n)];
}

static POOL_FLAGS some_flags(struct stress_worker *worker)
{
    static const POOL_FLAGS kinds[] = {POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE,
                                       POOL_FLAG_PAGED};
    static const POOL_FLAGS more[] = {POOL_FLAG_USE_QUOTA, POOL_FLAG_UNINITIALIZED,
                                      POOL_FLAG_SESSION, POOL_FLAG_CACHE_ALIGNED};
    POOL_FLAGS flags = kinds[stress_below(worker, 3)];
    uint64_t bits = pb_rng_next(&worker->rng);
    for (unsigned i = 0; i < sizeof more / sizeof *more; i++)
        flags |= (bits >> i & 1) != 0 ? more[i] : 0;
    if (stress_below(worker, 32) == 0)
        flags |= POOL_FLAG_SPECIAL_POOL;
    return flags;
}

KIRQL stress_raise(struct stress_worker *worker, bool paged)
{
    static const KIRQL levels[] = {PASSIVE_LEVEL, PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL};
    KIRQL before;
    KeRaiseIrql(levels[stress_below(worker, paged ? 3 : 4)], &before);
    return before;
}

/* NULL: refused, be it by a status. */
static void *take(const struct family *family, const struct ask *ask, bool paged)
{
    void *volatile at = NULL;
    if (!family->raises) {
        KIRQL before = stress_raise(ask->worker, paged);
        at = family->take(ask);
        KeLowerIrql(before);
        return at;
    }
    (void)PbEnterProcess(processes[stress_below(ask->worker, STRESS_PROCESSES)]);
    PB_TRY
    {
        at = family->take(ask);
    }
    PB_EXCEPT
    {
        at = NULL;
    }
    PB_END_TRY
    return at;
}

static bool is_zero(const unsigned char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != 0)
            return false;
    return true;
}

/* Holds a new block against its request. */
static void judge(const struct ask *ask, const struct family *family, const unsigned char *at,
                  const struct stress_view *view)
{
    const struct pool_front *front = pb_executive();
    bool by_flags = family->by_flags;
    bool paged = by_flags ? (ask->flags & POOL_FLAG_PAGED) != 0 : (ask->type & PagedPool) != 0;
    bool lines = by_flags ? (ask->flags & POOL_FLAG_CACHE_ALIGNED) != 0
                          : (ask->type & NonPagedPoolCacheAligned) != 0;
    size_t aligned = ask->bytes >= PAGE_SIZE ? PAGE_SIZE : front->shape.alignment;
    if (lines && front->options.cache_aligned && ask->bytes < PAGE_SIZE && !view->special)
        aligned = 64;
    if (view->special)
        aligned = 16;
    const char *wrong = NULL;
    if (view->usable < ask->bytes)
        wrong = "it is too short";
    else if (view->paged != paged)
        wrong = "it is of the other kind of memory";
    else if ((uintptr_t)at % aligned != 0)
        wrong = "it is not aligned";
    else if (ask->bytes <= PAGE_SIZE && BYTE_OFFSET(at) + ask->bytes > PAGE_SIZE)
        wrong = "it crosses a page";
    else if (by_flags && (ask->flags & POOL_FLAG_UNINITIALIZED) == 0 && !is_zero(at, ask->bytes))
        wrong = "it is not zeroed";
    if (wrong != NULL)
        stress_found(FOUND_BROKEN, "%zu bytes of type 0x%x, flags 0x%llx at %p: %s", ask->bytes,
                     (unsigned)ask->type, (unsigned long long)ask->flags, (const void *)at, wrong);
}

static void book(struct stress_worker *worker, struct stress_block *block,
                 const struct stress_view *view)
{
    stress_post(worker, block, stress_tag_book(view), view->granted);
    if (view->special)
        stress_post(worker, block, BOOK_SPECIAL, PAGE_SIZE);
    if (!view->charged)
        return;
    unsigned process = 0;
    while (processes[process] != PsGetCurrentProcess())
        process++;
    stress_post(worker, block, BOOK_QUOTA + 2 * process + view->paged, view->granted);
}

/* A request of 0 bytes is allowed, but for what the checks say. */
static bool may_be_nothing(void)
{
    const struct pool_front *front = pb_executive();
    return !PbNtChecked && front != NULL && front->options.checked == 0;
}

/* What a faulty pool would give for a right address: it was given before, or lies inside of what
 * was. */
static void *spoil_address(struct stress_worker *worker, void *at, SIZE_T bytes)
{
    static _Thread_local unsigned char *before;
    unsigned char *last = before;
    if (stress_run.plant != PLANT_DOUBLE && stress_run.plant != PLANT_OVERLAP)
        return at;
    before = bytes >= 64 ? at : NULL;
    if (last == NULL)
        return at;
    if (stress_plant(worker, PLANT_DOUBLE))
        return last;
    return stress_plant(worker, PLANT_OVERLAP) ? last + 16 : at;
}

static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    const struct family *family = actor->row;
    struct ask ask = {.worker = worker,
                      .type = some_type(worker),
                      .flags = some_flags(worker),
                      .bytes = some_bytes(worker),
                      .tag = stress_tags[family->tag]};
    bool paged =
        family->by_flags ? (ask.flags & POOL_FLAG_PAGED) != 0 : (ask.type & PagedPool) != 0;
    if (family->tells_tag && stress_below(worker, 4) == 0)
        ask.tag |= PROTECTED_POOL;
    if (!family->by_flags && (ask.type & NonPagedPoolMustSucceed) != 0) /* the reserve is small */
        ask.bytes = 1 + ask.bytes % (PAGE_SIZE - 1);
    if (may_be_nothing() && stress_below(worker, 256) == 0)
        ask.bytes = 0;
    unsigned char *at = take(family, &ask, paged);
    if (at == NULL) {
        stress_refused(worker);
        return;
    }
    void *given = spoil_address(worker, at, ask.bytes);
    struct stress_view view = stress_view(at);
    judge(&ask, family, at, &view);
    struct stress_block *block = stress_claim(worker, actor, given, ask.bytes, view.usable);
    block->tag = family->tag == TAG_NONE ? stress_tags[TAG_NONE] : ask.tag;
    block->which = view.paged;
    book(worker, block, &view);
    if (view.usable > ask.bytes && stress_plant(worker, PLANT_CORRUPT))
        at[ask.bytes] ^= 1;
    stress_publish(worker, block);
}

static void give(struct stress_worker *worker, struct stress_block *block)
{
    void *at = atomic_load_explicit(&block->at, memory_order_relaxed); /* the owner's own */
    KIRQL before = stress_raise(worker, block->which != 0);
    if (stress_plant(worker, PLANT_LOST))
        goto out;
    switch (stress_below(worker, 3)) {
    case 0:
        ExFreePoolWithTag(at, block->tag);
        break;
    case 1:
        ExFreePool2(at, block->tag, NULL, 0);
        break;
    default: /* a protected block has to be freed by its tag */
        if ((block->tag & PROTECTED_POOL) != 0)
            ExFreePoolWithTag(at, block->tag);
        else
            ExFreePool(at);
        break;
    }
out:
    KeLowerIrql(before);
}

/* The tables of tags are read while they are written: no row may say nonsense. */
static void turn_read(struct stress_worker *worker, const struct stress_actor *actor)
{
    SYSTEM_POOLTAG rows[2 * STRESS_TAGS];
    ULONG found = 0;
    int error = 0;
    (void)actor;
    if (stress_below(worker, 2) == 0)
        found = PbQueryPoolTags(rows, 2 * STRESS_TAGS);
    else
        error = PbReadPoolTags(stress_run.poolmon, rows, 2 * STRESS_TAGS, &found);
    if (error != 0)
        stress_found(FOUND_BROKEN, "PbReadPoolTags: error %d", -error);
    if (found > 2 * STRESS_TAGS)
        stress_found(FOUND_BROKEN, "%u tags, where there are %u", (unsigned)found, TAGS);
    for (ULONG i = 0; i < found; i++) {
        const SYSTEM_POOLTAG *row = &rows[i];
        if ((LONG)(row->PagedAllocs - row->PagedFrees) < 0 ||
            (LONG)(row->NonPagedAllocs - row->NonPagedFrees) < 0 || (LONG64)row->PagedUsed < 0 ||
            (LONG64)row->NonPagedUsed < 0)
            stress_found(FOUND_BROKEN, "tag %.4s: more was freed than allocated", row->Tag);
    }
}

static const struct family plain = {take_plain, TAG_NONE, false, false, false};
static const struct family tagged = {take_tagged, TAG_TAGGED, false, false, true};
static const struct family quota = {take_quota, TAG_NONE, true, false, false};
static const struct family quota_tagged = {take_quota_tagged, TAG_QUOTA, true, false, true};
static const struct family priority = {take_priority, TAG_PRIORITY, false, false, true};
static const struct family flags = {take_flags, TAG_FLAGS, true, true, false};
static const struct family extended = {take_extended, TAG_EXTENDED, true, true, false};

static const struct stress_actor actors[] = {
    {"ExAllocatePool", 60, turn, give, &plain},
    {"ExAllocatePoolWithTag", 120, turn, give, &tagged},
    {"ExAllocatePoolWithQuota", 40, turn, give, &quota},
    {"ExAllocatePoolWithQuotaTag", 60, turn, give, &quota_tagged},
    {"ExAllocatePoolWithTagPriority", 40, turn, give, &priority},
    {"ExAllocatePool2", 60, turn, give, &flags},
    {"ExAllocatePool3", 30, turn, give, &extended},
    {"PbReadPoolTags", 2, turn_read, NULL, NULL}};

/* The last two processes have limits that are met. */
static void open_processes(void)
{
    static const SIZE_T limits[STRESS_PROCESSES] = {SIZE_MAX, SIZE_MAX, 1 << 17, 1 << 15};
    for (unsigned i = 0; i < STRESS_PROCESSES; i++) {
        processes[i] = PbCreateProcess(limits[i], limits[i]);
        if (processes[i] == NULL)
            stress_found(FOUND_LOST, "there are no processes left: ended ones are not buried");
    }
}

static void check_quota(void)
{
    for (unsigned i = 0; i < 2 * STRESS_PROCESSES; i++) {
        POOL_TYPE type = (i & 1) != 0 ? PagedPool : NonPagedPool;
        stress_compare(BOOK_QUOTA + i, "a process's quota", stress_sum(BOOK_QUOTA + i).blocks,
                       (int64_t)PbProcessQuota(processes[i / 2], type, NULL));
    }
}

static void close_processes(void)
{
    check_quota();
    for (unsigned i = 0; i < STRESS_PROCESSES; i++)
        PbEndProcess(processes[i]);
}

const struct stress_part stress_pool = {open_processes, check_quota, close_processes, actors,
                                        sizeof actors / sizeof *actors};
