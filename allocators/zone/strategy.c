/* SPDX-License-Identifier: MIT */
/* Zone, as a strategy: an executive zone behind one spin lock, extended by a segment when empty.
 * Source:  Windows NT 4.0 DDK, zone routines. Differs: the DDK advises to fall back to the pool
 *          when a zone is exhausted; here the zone grows, so that its own cost is seen.
 * Layout:  segments follow each other in one arena: the first, sized for the expected blocks, then
 *          others of the option's length. Blocks are rounded up to 16 bytes and are 16-aligned.
 * I1       free list + live blocks == carved blocks
 * Paths    no miss: the list is the only level. A segment added is a slow call, and the system's
 * I2       a free block lies in a segment, a whole number of blocks behind the segment's header
 * Locks    one of nt/lock.h's kinds guards the zone, its counters and its arena
 * Cost     a pair: two lock pairs, a pop and a push. Carving touches a whole segment at once: the
 *          first at open, by the thread that opens; a further one by whom it is added, lock held */
#include "nt/colour.h"
#include "path.h"
#include "zone/hot.h"

#include <errno.h>
#include <stdio.h>

enum {
    ZONE_GRAIN = 16,
    ZONE_RESERVE_SHARE = 64,    /* of RLIMIT_AS: a bank opens many zones */
    ZONE_SEGMENT_MAX = 1 << 30, /* bytes; a segment's length is 32 bits wide */
    ZONE_BLOCK_MAX = 1 << 29
};

struct zone_options {
    uint64_t lock, segment, reserve;
};

static const char *const zone_locks[] = {PB_LOCK_KINDS(PB_LOCK_CHOICE) NULL};

static const struct pb_option zone_options[] = {
    {.name = "lock",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct zone_options, lock),
     .standard = "fas",
     .choices = zone_locks,
     .help = "spin lock that guards the free list; none is for one thread"},
    {.name = "segment",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct zone_options, segment),
     .unit = "bytes",
     .standard = "64k",
     .min = 4096,
     .max = ZONE_SEGMENT_MAX,
     .help = "length of the segments that extend the zone"},
    {.name = "reserve",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct zone_options, reserve),
     .unit = "bytes",
     .standard = "16G",
     .min = 1 << 20,
     .max = (uint64_t)1 << 40,
     .help = "address space set aside, less where the system has less"},
    {.type = PB_OPTION_END}};

#define ZONE_DEFINE(kind) PB_HOT_DEFINE(zone_##kind)
PB_LOCK_KINDS(ZONE_DEFINE)
ZONE_DEFINE(delayed)

#define ZONE_HOT(kind) &pb_hot_zone_##kind,
static const struct pb_hot *const zone_hots[] = {PB_LOCK_KINDS(ZONE_HOT)};

static struct zone_heap *zone_of(struct pb_heap *heap)
{
    return (struct zone_heap *)(void *)heap;
}

/* Without a lock there is nothing to be delayed in. */
static const struct pb_hot *zone_path(uint64_t lock)
{
    return pb_path_asks_in_locks() && lock != PB_LOCK_none ? &pb_hot_zone_delayed : zone_hots[lock];
}

PB_NOINLINE void pb_zone_lock_delayed(struct zone_heap *zone, struct pb_lock_slot *slot)
{
    pb_lock_lock(zone->kind, &zone->lock, slot);
    pb_path_locked();
}

void *pb_zone_extend(struct zone_heap *zone)
{
    pb_path_slow(PB_PATH_OS);
    void *segment = pb_pages_take(&zone->pages, zone->segment_bytes);
    if (segment == NULL ||
        ExExtendZone(&zone->zone, segment, (ULONG)zone->segment_bytes) != STATUS_SUCCESS)
        return NULL;
    zone->segments++;
    zone->carved += (zone->segment_bytes - sizeof(ZONE_SEGMENT_HEADER)) / zone->zone.BlockSize;
    return ExAllocateFromZone(&zone->zone);
}

static bool zone_unavailable(const struct pb_heap_config *config, char *reason, size_t reason_size)
{
    const struct zone_options *options = config->options;
    if (options->lock != PB_LOCK_none || config->threads <= 1)
        return false;
    snprintf(reason, reason_size, "lock=none is for one thread, not %u", config->threads);
    return true;
}

static size_t zone_round(size_t bytes)
{
    size_t mask = pb_page_bytes() - 1;
    return (bytes + mask) & ~mask;
}

/* The lengths of segments: at least a block each, the first at least what is expected, both in
 * range. */
static void zone_lengths(struct zone_heap *zone, const struct pb_heap_config *config, ULONG block)
{
    const struct zone_options *options = config->options;
    size_t least = sizeof(ZONE_SEGMENT_HEADER) + block;
    size_t most = (ZONE_SEGMENT_MAX - sizeof(ZONE_SEGMENT_HEADER)) / block;
    size_t expected = config->expected_blocks < most ? config->expected_blocks : most;
    size_t first = zone_round(sizeof(ZONE_SEGMENT_HEADER) + expected * block);
    zone->segment_bytes = zone_round(options->segment > least ? options->segment : least);
    zone->first_bytes = expected == 0 || first < zone_round(least) ? zone->segment_bytes : first;
}

/* Makes the first segment and the zone over it. */
static int zone_first(struct zone_heap *zone, ULONG block)
{
    void *segment = pb_pages_take(&zone->pages, zone->first_bytes);
    if (segment == NULL)
        return -ENOMEM;
    if (ExInitializeZone(&zone->zone, block, segment, (ULONG)zone->first_bytes) != STATUS_SUCCESS)
        return -EINVAL;
    zone->segments = 1;
    zone->carved = (zone->first_bytes - sizeof(ZONE_SEGMENT_HEADER)) / block;
    return 0;
}

static int zone_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    const struct zone_options *options = config->options;
    if (config->block_bytes == 0 || config->block_bytes > ZONE_BLOCK_MAX ||
        (options->lock == PB_LOCK_none && config->threads > 1))
        return -EINVAL;
    ULONG block = (ULONG)((config->block_bytes + ZONE_GRAIN - 1) & ~(size_t)(ZONE_GRAIN - 1));
    struct zone_heap *zone = pb_colour_map(sizeof *zone, config->block_bytes, config->threads);
    if (zone == NULL)
        return -ENOMEM;
    const struct pb_hot *hot = zone_path(options->lock);
    zone->head =
        (struct pb_heap){&pb_allocator_zone, hot, hot->alloc, hot->free, config->block_bytes};
    zone->threads = config->threads;
    zone->kind = (enum pb_lock_kind)options->lock;
    zone_lengths(zone, config, block);
    int error = pb_lock_init(zone->kind, &zone->lock, config->threads + 1);
    if (error != 0)
        goto out_unmap;
    zone->stats_slot = pb_lock_slot(&zone->lock, config->threads);
    error = pb_pages_open_within(&zone->pages, options->reserve,
                                 zone->first_bytes + zone->segment_bytes, ZONE_RESERVE_SHARE);
    if (error != 0)
        goto out_lock;
    error = zone_first(zone, block);
    if (error != 0)
        goto out_pages;
    *heap = &zone->head;
    return 0;

out_pages:
    pb_pages_close(&zone->pages);
out_lock:
    pb_lock_fini(&zone->lock);
out_unmap:
    pb_colour_unmap(zone, sizeof *zone, config->block_bytes, config->threads);
    return error;
}

static void zone_close(struct pb_heap *heap)
{
    struct zone_heap *zone = zone_of(heap);
    pb_pages_close(&zone->pages);
    pb_lock_fini(&zone->lock);
    pb_colour_unmap(zone, sizeof *zone, heap->block_bytes, zone->threads);
}

static int zone_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    *thread = (struct pb_thread *)(void *)pb_lock_slot(&zone_of(heap)->lock, index);
    return 0;
}

static void zone_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread; /* a slot is the heap's, and serves the next thread of its index */
}

static void zone_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct zone_heap *zone = zone_of(heap);
    pb_lock_lock(zone->kind, &zone->lock, zone->stats_slot);
    if (zone->kind != PB_LOCK_none)
        zone->lock.acquisitions--; /* this one is not the load's */
    stats->requested_bytes = zone->requested_bytes;
    stats->granted_bytes = (zone->allocs - zone->frees) * zone->zone.BlockSize;
    stats->held_bytes = zone->pages.held_bytes;
    stats->held_peak_bytes = zone->pages.held_peak_bytes;
    stats->cached_bytes = 0;
    stats->allocs = zone->allocs;
    stats->frees = zone->frees;
    stats->refills = zone->segments;
    stats->os_calls = zone->pages.os_calls;
    stats->lock_acquisitions = zone->lock.acquisitions;
    stats->lock_contended = zone->lock.contended;
    pb_lock_unlock(zone->kind, &zone->lock, zone->stats_slot);
}

/* I2. Segments are consecutive, so the block's address tells its segment. */
static bool zone_owns(const struct zone_heap *zone, const void *block)
{
    size_t offset = (size_t)((uintptr_t)block - (uintptr_t)zone->pages.base);
    size_t length = zone->first_bytes;
    if (offset >= zone->pages.taken_bytes)
        return false;
    if (offset >= zone->first_bytes) {
        offset = (offset - zone->first_bytes) % zone->segment_bytes;
        length = zone->segment_bytes;
    }
    size_t size = zone->zone.BlockSize;
    return offset >= sizeof(ZONE_SEGMENT_HEADER) && offset + size <= length &&
           (offset - sizeof(ZONE_SEGMENT_HEADER)) % size == 0;
}

static int zone_check(struct pb_heap *heap, char *message, size_t message_size)
{
    const struct zone_heap *zone = zone_of(heap);
    uint64_t live = zone->allocs - zone->frees;
    uint64_t listed = 0;
    const SINGLE_LIST_ENTRY *entry = zone->zone.FreeList.Next;
    for (; entry != NULL && listed <= zone->carved; entry = entry->Next, listed++) {
        if (!zone_owns(zone, entry)) {
            snprintf(message, message_size, "entry %llu of the free list is no block of the zone",
                     (unsigned long long)listed);
            return -EINVAL;
        }
    }
    if (entry == NULL && listed + live == zone->carved)
        return 0;
    snprintf(message, message_size, "%llu%s free and %llu live blocks of %llu carved",
             (unsigned long long)listed, entry == NULL ? "" : " or more", (unsigned long long)live,
             (unsigned long long)zone->carved);
    return -EINVAL;
}

const struct pb_allocator pb_allocator_zone = {
    .name = "zone",
    .summary = "fixed-size blocks carved from segments, one free list, one spin lock",
    .source = "Windows NT 4.0 DDK, ExInitializeZone, 1996",
    .options = zone_options,
    .option_bytes = sizeof(struct zone_options),
    .capabilities = PB_CAP_FIXED_SIZE | PB_CAP_REMOTE_FREE | PB_CAP_STAYS_MAPPED | PB_CAP_PATHS,
    .unavailable = zone_unavailable,
    .open = zone_open,
    .close = zone_close,
    .attach = zone_attach,
    .detach = zone_detach,
    .stats = zone_stats,
    .check = zone_check,
};
