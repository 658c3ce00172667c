/* SPDX-License-Identifier: MIT */
/* Audit: a heap that calls the one behind it and keeps books (audit_books.c) of what passes.
 * Order:   a block leaves the books before the heap behind gets it back and enters them after the
 *          heap gave it, so that no correct heap can ever show a block twice. That heap is called
 *          with no lock of ours held: its own races stay what they are.
 * Faults:  the first is described, all are counted. A block at fault is never given back: the
 *          strategy might fall over it, and the message would be lost.
 * RSS:     resident anonymous bytes, less what there was at open; our own arena is shared memory
 *          and not among them. Some kernels keep part of the count by processor or thread: there a
 *          reading may be some 64 pages behind for each.
 * Locks    audit->lock guards the books and the result; a payload is its block's owner's
 * Cost     a microsecond or so an operation; a checkpoint some 5, and what the stats cost */
#include "engine/audit_internal.h"
#include "engine/audit_payload.h"
#include "workloads/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OTHER_THREADS = 8, OWNERS_MOST = 1 << 15 };
static const size_t reserve_most = (size_t)64 << 30, reserve_least = (size_t)64 << 20;

/* --- resident memory ------------------------------------------------------------------------- */

static int statm_open(void)
{
    return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

static uint64_t statm_bytes(int fd)
{
    char text[128];
    uint64_t resident, shared;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%*u %" SCNu64 " %" SCNu64, &resident, &shared) != 2 || shared > resident)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t pb_resident_bytes(void)
{
    int fd = statm_open();
    if (fd < 0)
        return 0;
    uint64_t bytes = statm_bytes(fd);
    close(fd);
    return bytes;
}

static uint64_t rss_of_strategy(const struct pb_audit *audit)
{
    uint64_t now = statm_bytes(audit->statm), before = audit->result.rss_baseline_bytes;
    return now > before ? now - before : 0;
}

static void inner_stats(const struct pb_audit *audit, struct pb_heap_stats *stats)
{
    pb_stats_unknown(stats);
    audit->inner->ops->stats(audit->inner, stats);
    if (stats->requested_bytes == PB_STAT_UNKNOWN)
        stats->requested_bytes = audit->result.live_bytes; /* that one we know exactly */
}

static void checkpoint(struct pb_audit *audit)
{
    struct pb_audit_result *r = &audit->result;
    uint64_t rss = rss_of_strategy(audit);
    bool first = r->checkpoints++ == 0;
    if (first || rss > r->rss_peak_bytes) {
        r->rss_peak_bytes = rss;
        r->live_at_rss_peak_bytes = r->live_bytes;
    }
    if (first || r->live_bytes > audit->live_at_peak) {
        audit->live_at_peak = r->live_bytes;
        r->rss_at_live_peak_bytes = rss;
        inner_stats(audit, &r->at_live_peak);
    }
}

static void operation_done(struct pb_audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    if (++audit->operations % audit->checkpoint_ops == 0)
        checkpoint(audit);
    pthread_mutex_unlock(&audit->lock);
}

/* --- the heap -------------------------------------------------------------------------------- */

static struct pb_audit *audit_of(struct pb_heap *heap)
{
    return (struct pb_audit *)heap;
}

static void exhausted(struct pb_audit *audit, const char *call, size_t bytes)
{
    pthread_mutex_lock(&audit->lock);
    pb_audit_fault(audit, PB_FAULT_EXHAUSTED,
                   "%s of %zu bytes returned NULL to thread %u with %" PRIu64 " bytes live", call,
                   bytes, pb_audit_self(audit), audit->result.live_bytes);
    pthread_mutex_unlock(&audit->lock);
}

/* What all kinds of allocation do with what came back. */
static void *receive(struct pb_audit *audit, struct pb_thread *thread, void *block, size_t bytes,
                     size_t alignment)
{
    if (block == NULL) {
        exhausted(audit, "an allocation", bytes);
        return NULL;
    }
    pthread_mutex_lock(&audit->lock);
    int sound = pb_audit_admit(audit, (uintptr_t)block, bytes, alignment);
    audit->result.allocs += sound >= 0;
    pthread_mutex_unlock(&audit->lock);
    if (sound < 0) {
        audit->inner->free(audit->inner, thread, block, bytes);
        return NULL;
    }
    if (sound > 0)
        pb_audit_fill(block, bytes);
    operation_done(audit);
    return block;
}

/* What the contract promises for a plain allocation. */
static size_t natural_alignment(const struct pb_audit *audit, size_t bytes)
{
    size_t most = pb_heap_alignment(audit->inner);
    return bytes >= most ? most : (size_t)1 << (63 - __builtin_clzll(bytes));
}

static void *audit_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_audit *audit = audit_of(heap);
    void *block = audit->inner->alloc(audit->inner, thread, bytes);
    return receive(audit, thread, block, bytes, natural_alignment(audit, bytes));
}

static void *audit_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                           size_t bytes)
{
    struct pb_audit *audit = audit_of(heap);
    void *block = audit->inner->ops->aligned(audit->inner, thread, alignment, bytes);
    return receive(audit, thread, block, bytes, alignment);
}

static void audit_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    struct pb_audit *audit = audit_of(heap);
    pthread_mutex_lock(&audit->lock);
    size_t size = pb_audit_dismiss(audit, (uintptr_t)block, bytes);
    audit->result.frees++;
    pthread_mutex_unlock(&audit->lock);
    if (size > 0)
        audit->inner->free(audit->inner, thread, block, size);
    operation_done(audit);
}

/* As far as the counts go, a block that is resized is given back and handed out again. A block at
 * fault cannot be resized by the heap behind: a new one takes its place. */
static void *replace(struct pb_heap *heap, struct pb_thread *thread, const void *block,
                     size_t old_bytes, size_t bytes)
{
    void *fresh = audit_alloc(heap, thread, bytes);
    size_t kept = old_bytes < bytes ? old_bytes : bytes;
    if (fresh != NULL)
        memcpy(fresh, block, kept < PB_STAMP_BYTES ? kept : PB_STAMP_BYTES);
    return fresh;
}

static void check_kept(struct pb_audit *audit, const void *block, uintptr_t old, size_t kept)
{
    size_t changed = pb_audit_changed(block, old, kept);
    if (changed == kept)
        return;
    pthread_mutex_lock(&audit->lock);
    pb_audit_fault(audit, PB_FAULT_CORRUPT,
                   "realloc moved 0x%" PRIxPTR " to 0x%" PRIxPTR " and lost byte %zu of %zu", old,
                   (uintptr_t)block, changed, kept);
    pthread_mutex_unlock(&audit->lock);
}

static void *audit_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block,
                           size_t old_bytes, size_t bytes)
{
    struct pb_audit *audit = audit_of(heap);
    uintptr_t old = (uintptr_t)block;
    pthread_mutex_lock(&audit->lock);
    size_t size = pb_audit_dismiss(audit, old, old_bytes);
    audit->result.frees++;
    pthread_mutex_unlock(&audit->lock);
    if (size == 0)
        return replace(heap, thread, block, old_bytes, bytes);
    void *moved = audit->inner->ops->realloc(audit->inner, thread, block, size, bytes);
    if (moved == NULL) {
        exhausted(audit, "a realloc", bytes);
        pthread_mutex_lock(&audit->lock);
        pb_audit_restore(audit, old, size);
        audit->result.frees--;
        pthread_mutex_unlock(&audit->lock);
        return NULL;
    }
    check_kept(audit, moved, old, size < bytes ? size : bytes);
    return receive(audit, thread, moved, bytes, natural_alignment(audit, bytes));
}

static int audit_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    struct pb_heap *inner = audit_of(heap)->inner;
    return inner->ops->attach(inner, index, thread);
}

static void audit_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    struct pb_heap *inner = audit_of(heap)->inner;
    inner->ops->detach(inner, thread);
}

static size_t audit_alignment(const struct pb_heap *heap)
{
    return pb_heap_alignment(((const struct pb_audit *)(const void *)heap)->inner);
}

static void audit_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct pb_heap *inner = audit_of(heap)->inner;
    inner->ops->stats(inner, stats);
}

/* The table of the heap in front: what the heap behind can do with blocks, seen by us. What
 * concerns the heap as a whole (trim, check, version, close) is asked of the heap behind. */
static struct pb_allocator ops_in_front(const struct pb_allocator *inner)
{
    struct pb_allocator ops = *inner;
    ops.unavailable = NULL;
    ops.open = NULL;
    ops.close = NULL;
    ops.attach = audit_attach;
    ops.detach = audit_detach;
    ops.realloc = inner->realloc != NULL ? audit_realloc : NULL;
    ops.aligned = inner->aligned != NULL ? audit_aligned : NULL;
    ops.alignment = audit_alignment;
    ops.trim = NULL;
    ops.stats = audit_stats;
    ops.check = NULL;
    ops.version = NULL;
    return ops;
}

static int arena_open(struct pb_arena *arena)
{
    size_t bytes = reserve_most;
    while (pb_arena_open(arena, bytes) != 0)
        if ((bytes /= 2) < reserve_least)
            return -ENOMEM;
    return 0;
}

int pb_audit_open(struct pb_heap *inner, unsigned threads, uint64_t checkpoint_ops,
                  struct pb_audit **result)
{
    static const struct pb_hot hot = {"audit", audit_alloc, audit_free};
    struct pb_arena arena;
    if (arena_open(&arena) != 0)
        return -ENOMEM;
    unsigned owners = threads < OWNERS_MOST ? threads + OTHER_THREADS : OWNERS_MOST;
    struct pb_audit *audit = pb_arena_take(&arena, sizeof *audit, PB_STAMP_BYTES * 2);
    pthread_t *seen = pb_arena_take(&arena, owners * sizeof *seen, PB_STAMP_BYTES);
    if (audit == NULL || seen == NULL) {
        pb_arena_close(&arena);
        return -ENOMEM;
    }
    audit->arena = arena;
    audit->ops = ops_in_front(inner->ops);
    audit->heap = (struct pb_heap){&audit->ops, &hot, hot.alloc, hot.free, inner->block_bytes};
    audit->inner = inner;
    audit->owners = seen;
    audit->owners_max = owners;
    audit->threads = threads;
    audit->checkpoint_ops = checkpoint_ops > 0 ? checkpoint_ops : 1;
    pthread_mutex_init(&audit->lock, NULL);
    pb_stats_unknown(&audit->result.at_live_peak);
    audit->statm = statm_open();
    audit->result.rss_baseline_bytes = statm_bytes(audit->statm);
    *result = audit;
    return 0;
}

struct pb_heap *pb_audit_heap(struct pb_audit *audit)
{
    return &audit->heap;
}

void pb_audit_finish(struct pb_audit *audit, struct pb_audit_result *result)
{
    pthread_mutex_lock(&audit->lock);
    if (audit->result.checkpoints == 0)
        checkpoint(audit);
    inner_stats(audit, &audit->result.at_end);
    audit->result.rss_end_bytes = rss_of_strategy(audit);
    *result = audit->result;
    pthread_mutex_unlock(&audit->lock);
}

void pb_audit_close(struct pb_audit *audit)
{
    struct pb_arena arena = audit->arena; /* the audit lies in it */
    if (audit->statm >= 0)
        close(audit->statm);
    pthread_mutex_destroy(&audit->lock);
    pb_arena_close(&arena);
}
