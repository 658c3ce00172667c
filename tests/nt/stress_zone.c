/* SPDX-License-Identifier: MIT */
/* Zones under stress, by the interlocked calls, extended while others allocate. The segments are
 * blocks of the pool. A zone's free blocks are the carved ones less those that our books have.
 * Threads: any; a zone is extended by one at a time. */
#include "nt/stress_pool.h"

#include <poolbench/nt/zone.h>

enum { SEGMENTS = 24, FIRST_BYTES = 4096, SEGMENT_BYTES = 8192 };

struct zone {
    ZONE_HEADER header;
    KSPIN_LOCK lock;
    pthread_mutex_t growing;
    ULONG block_bytes;
    POOL_TYPE type; /* of the segments */
    /* guarded by growing */
    unsigned segments_n, carved;
    ULONG total;
    struct {
        unsigned char *at;
        ULONG bytes;
        struct stress_view view;
    } segments[SEGMENTS];
};

static struct zone zones[STRESS_ZONES] = {
    {.growing = PTHREAD_MUTEX_INITIALIZER, .block_bytes = 8, .type = NonPagedPool},
    {.growing = PTHREAD_MUTEX_INITIALIZER, .block_bytes = 120, .type = NonPagedPoolNx},
    {.growing = PTHREAD_MUTEX_INITIALIZER, .block_bytes = 1000, .type = PagedPool}};

/* A segment's memory, noted; `growing` is held. False: the pool has none. */
static bool add_segment(struct zone *zone, ULONG bytes)
{
    unsigned char *at = ExAllocatePoolWithTag(zone->type, bytes, stress_tags[TAG_SEGMENT]);
    unsigned n = (unsigned)((bytes - sizeof(ZONE_SEGMENT_HEADER)) / zone->block_bytes);
    if (at == NULL)
        return false;
    zone->segments[zone->segments_n].at = at;
    zone->segments[zone->segments_n].bytes = bytes;
    zone->segments[zone->segments_n++].view = stress_view(at);
    zone->carved += n;
    zone->total += (ULONG)sizeof(ZONE_SEGMENT_HEADER) + n * zone->block_bytes;
    return true;
}

static void extend(struct stress_worker *worker, struct zone *zone)
{
    if (pthread_mutex_trylock(&zone->growing) != 0)
        return;
    if (zone->segments_n < SEGMENTS && add_segment(zone, SEGMENT_BYTES)) {
        unsigned last = zone->segments_n - 1;
        struct stress_view *view = &zone->segments[last].view;
        struct stress_sum *sum = &worker->books[stress_tag_book(view)];
        sum->blocks++;
        sum->bytes += (int64_t)view->granted;
        if (ExInterlockedExtendZone(&zone->header, zone->segments[last].at, SEGMENT_BYTES,
                                    &zone->lock) != STATUS_SUCCESS)
            stress_found(FOUND_BROKEN, "a zone refuses a segment");
    }
    (void)pthread_mutex_unlock(&zone->growing);
}

/* A zone that is full is extended now and then, until it has all its segments. */
static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    unsigned which = (unsigned)stress_below(worker, STRESS_ZONES);
    struct zone *zone = &zones[which];
    KIRQL before = stress_raise(worker, false);
    void *at = ExIsFullZone(&zone->header)
                   ? NULL
                   : ExInterlockedAllocateFromZone(&zone->header, &zone->lock);
    KeLowerIrql(before);
    if (at == NULL) {
        stress_refused(worker);
        if (stress_below(worker, 8) == 0)
            extend(worker, zone);
        return;
    }
    struct stress_block *block =
        stress_claim(worker, actor, at, zone->block_bytes, zone->block_bytes);
    block->which = which;
    stress_post(worker, block, BOOK_ZONE + which, zone->block_bytes);
    stress_publish(worker, block);
}

static void give(struct stress_worker *worker, struct stress_block *block)
{
    struct zone *zone = &zones[block->which];
    void *at = atomic_load_explicit(&block->at, memory_order_relaxed); /* the owner's own */
    KIRQL before = stress_raise(worker, false);
    if (!stress_plant(worker, PLANT_ZONE))
        (void)ExInterlockedFreeToZone(&zone->header, at, &zone->lock);
    KeLowerIrql(before);
}

static const struct stress_actor actors[] = {{"zones", 90, turn, give, NULL}};

/* The first segments are the main thread's in the books of worker 0. */
static void open(void)
{
    for (unsigned i = 0; i < STRESS_ZONES; i++) {
        struct zone *zone = &zones[i];
        zone->segments_n = zone->carved = zone->total = 0;
        KeInitializeSpinLock(&zone->lock);
        if (!add_segment(zone, FIRST_BYTES) ||
            ExInitializeZone(&zone->header, zone->block_bytes, zone->segments[0].at, FIRST_BYTES) !=
                STATUS_SUCCESS)
            stress_found(FOUND_BROKEN, "a zone of %u bytes a block cannot be made",
                         (unsigned)zone->block_bytes);
        struct stress_view *view = &zone->segments[0].view;
        struct stress_sum *sum = &stress_run.workers[0].books[stress_tag_book(view)];
        sum->blocks++;
        sum->bytes += (int64_t)view->granted;
    }
}

static bool is_of(const struct zone *zone, const unsigned char *at)
{
    for (unsigned i = 0; i < zone->segments_n; i++) {
        size_t offset = (size_t)(at - zone->segments[i].at) - sizeof(ZONE_SEGMENT_HEADER);
        if (at > zone->segments[i].at && offset < zone->segments[i].bytes)
            return offset % zone->block_bytes == 0;
    }
    return false;
}

static void check(void)
{
    for (unsigned i = 0; i < STRESS_ZONES; i++) {
        const struct zone *zone = &zones[i];
        unsigned segments = 0, n = 0;
        for (PSINGLE_LIST_ENTRY at = zone->header.SegmentList.Next; at != NULL; at = at->Next)
            segments++;
        for (PSINGLE_LIST_ENTRY at = zone->header.FreeList.Next; at != NULL; at = at->Next, n++)
            if (n > zone->carved || !is_of(zone, (const unsigned char *)at))
                stress_found(FOUND_STRUCTURE, "zone %u: its list leads to no block of its", i);
        if (segments != zone->segments_n || zone->header.TotalSegmentSize != zone->total)
            stress_found(FOUND_STRUCTURE, "zone %u: %u segments of %u bytes, where %u of %u are in",
                         i, segments, (unsigned)zone->header.TotalSegmentSize, zone->segments_n,
                         (unsigned)zone->total);
        int64_t live = (int64_t)zone->carved - n;
        stress_compare(BOOK_ZONE + i, "zone", live, live * zone->block_bytes);
    }
}

static void close(void)
{
    check();
    for (unsigned i = 0; i < STRESS_ZONES; i++) {
        for (unsigned n = 0; n < zones[i].segments_n; n++) {
            struct stress_view *view = &zones[i].segments[n].view;
            struct stress_sum *sum = &stress_run.workers[0].books[stress_tag_book(view)];
            sum->blocks--;
            sum->bytes -= (int64_t)view->granted;
            ExFreePoolWithTag(zones[i].segments[n].at, stress_tags[TAG_SEGMENT]);
        }
    }
}

const struct stress_part stress_zone = {open, check, close, actors, 1};
