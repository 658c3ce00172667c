/* SPDX-License-Identifier: MIT */
/* A pool as a whole: opening and closing, counters, what is given back, what is said of it. The
 * calls for blocks are in engine.c. Source, layout, locks: engine.h, space.h. */
#include "pool/pending.h"
#include "pool/space.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a type is served from: without a class of its own, memory that is not executable is
 * nonpaged pool like any other. */
static enum pool_class pool_class_of(bool nx, unsigned type)
{
    if ((type & POOL_TYPE_PAGED) != 0)
        return POOL_PAGED;
    return nx && (type & NonPagedPoolNx) != 0 ? POOL_NONPAGED_NX : POOL_NONPAGED;
}

enum pool_class pb_pool_class(const struct pool *pool, unsigned type)
{
    return pool_class_of(pb_pool_profiles[pool->options.profile].nx, type);
}

/* Opens the classes whose bits are set, one after the other. */
static int pool_open_spaces(struct pool *pool, unsigned classes, char *message, size_t message_size)
{
    int error = 0;
    for (unsigned class = 0; class < POOL_CLASSES && error == 0; class ++) {
        if ((classes >> class & 1) == 0)
            continue;
        struct pool_space *space;
        error = pb_pool_space_open(pool, (enum pool_class) class, &space, message, message_size);
        if (error != 0)
            break;
        pool->spaces[class] = space;
        pool->ranges[class] = (struct pool_range){(uintptr_t)space->base, space->reserved};
    }
    for (unsigned slot = 0; slot < 4; slot++) {
        unsigned type = (slot & POOL_TYPE_PAGED) | ((slot & 2) != 0 ? NonPagedPoolNx : 0);
        pool->by_type[slot] = pool->spaces[pb_pool_class(pool, type)];
    }
    return error;
}

static void pool_close_spaces(struct pool *pool)
{
    for (unsigned class = 0; class < POOL_CLASSES; class ++)
        pb_pool_space_close(pool->spaces[class]);
}

int pb_pool_open(const struct pool_options *options, unsigned classes, struct pool **made,
                 char *message, size_t message_size)
{
    const struct pool_profile *profile = &pb_pool_profiles[options->profile];
    struct pool_shape shape;
    struct pool *pool = pb_pages_map(sizeof *pool);
    int error = -ENOMEM;
    if (pool == NULL)
        return error;
    pb_pool_shape(options, &shape);
    pool->options = *options;
    pool->wide = shape.wide;
    pool->listless = shape.list_sizes == 0 && shape.wide && !pb_cas16_present();
    if (!profile->nx && (classes & 1u << POOL_NONPAGED_NX) != 0)
        classes = (classes & ~(1u << POOL_NONPAGED_NX)) | 1u << POOL_NONPAGED;
    pool->big =
        pb_pool_big_open(options->big_entries != 0 ? options->big_entries : profile->big_entries,
                         profile->big_grows);
    if (pool->big == NULL)
        goto out_unmap;
    if (options->tags) {
        pool->tags = pb_pool_tags_open((unsigned)options->tag_slots, pb_pool_processors(options),
                                       (int)options->tags_file - 1);
        if (pool->tags == NULL)
            goto out_big;
    }
    error = pool_open_spaces(pool, classes, message, message_size);
    if (error != 0)
        goto out_spaces;
    *made = pool;
    return 0;

out_spaces:
    pool_close_spaces(pool);
    if (pool->tags != NULL)
        pb_pool_tags_close(pool->tags);
out_big:
    pb_pool_big_close(pool->big);
out_unmap:
    pb_pages_unmap(pool, sizeof *pool);
    return error;
}

void pb_pool_close(struct pool *pool)
{
    pool_close_spaces(pool);
    if (pool->tags != NULL)
        pb_pool_tags_close(pool->tags);
    pb_pool_big_close(pool->big);
    pb_pages_unmap(pool, sizeof *pool);
}

struct pool_tags *pb_pool_tags(struct pool *pool)
{
    return pool->tags;
}

/* A snapshot's lock is not the load's. */
static void counts_lock(const struct pool_space *space, union pool_guard *guard,
                        struct pool_hold *hold)
{
    pool_guard_lock(space->mode, guard, hold);
    if (space->mode.lock != POOL_LOCK_NONE)
        guard->lock.acquisitions--;
}

static void counts_of_guard(const union pool_guard *guard, struct pool_counts *counts)
{
    counts->lock_acquisitions += guard->lock.acquisitions;
    if (guard->lock.contended == PB_STAT_UNKNOWN)
        counts->lock_contended = PB_STAT_UNKNOWN;
    else
        counts->lock_contended += guard->lock.contended;
}

static void counts_of_descriptor(const struct pool_space *space, struct pool_descriptor *descriptor,
                                 struct pool_counts *counts)
{
    struct pool_hold hold;
    counts_lock(space, &descriptor->guard, &hold);
    counts->running_allocs += descriptor->RunningAllocs;
    counts->running_frees += descriptor->RunningDeAllocs;
    counts->total_pages += descriptor->TotalPages;
    counts->total_bytes += descriptor->TotalBytes;
    counts->pages_taken += descriptor->pages_taken;
    counts_of_guard(&descriptor->guard, counts);
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    /* relaxed: a figure for a snapshot */
    counts->cached_blocks += pool_pending_depth(
        atomic_load_explicit(&descriptor->pending, memory_order_relaxed));
    counts->cached_bytes += pb_pool_pending_bytes(space, descriptor);
}

static const struct pb_pages *space_arena(const struct pool_space *space)
{
    return space->class == POOL_PAGED ? &space->bitmap.arena : &space->runs.arena;
}

static void counts_of_layer(struct pool_space *space, struct pool_counts *counts)
{
    struct pool_hold hold;
    const struct pb_pages *arena = space_arena(space);
    counts_lock(space, &space->guard, &hold);
    size_t map = space->class == POOL_PAGED ? 0 : space->runs.map.held_bytes; /* only grows */
    counts->running_allocs += space->big_counts.allocs;
    counts->running_frees += space->big_counts.frees;
    counts->total_big_pages = space->big_counts.pages;
    counts->total_bytes += space->big_counts.bytes;
    counts->held_bytes = arena->held_bytes + map;
    counts->held_peak_bytes = arena->held_peak_bytes + map;
    counts->locked_bytes = arena->locked_bytes;
    counts->os_calls =
        arena->os_calls + (space->class == POOL_PAGED ? 0 : space->runs.map.os_calls);
    counts_of_guard(&space->guard, counts);
    pool_guard_unlock(space->mode, &space->guard, &hold);
}

void pb_pool_counts(const struct pool *pool, enum pool_class class, struct pool_counts *counts)
{
    struct pool_space *space = pool->spaces[class];
    memset(counts, 0, sizeof *counts);
    if (space == NULL)
        return;
    counts_of_layer(space, counts);
    for (unsigned i = 0; i < space->pools; i++)
        counts_of_descriptor(space, &space->descriptors[space->first + i], counts);
    pb_pool_lists_counts(space, counts);
    counts->failures = atomic_load_explicit(&space->failures, memory_order_relaxed);
    /* not read at one moment, and lists that threads share lose counts: no difference is below 0 */
    if (counts->cached_bytes > counts->total_bytes)
        counts->cached_bytes = counts->total_bytes;
    if (counts->list_hits > counts->list_allocates)
        counts->list_allocates = counts->list_hits;
    if (counts->list_free_hits > counts->list_frees)
        counts->list_frees = counts->list_free_hits;
}

static void trim_block(struct pool_space *space, struct pool_header *header)
{
    (void)pb_pool_free_now(space, header);
}

size_t pb_pool_trim(struct pool *pool)
{
    size_t bytes = 0;
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        struct pool_space *space = pool->spaces[class];
        if (space == NULL)
            continue;
        size_t before = space_arena(space)->held_bytes;
        pb_pool_lists_flush(space, trim_block);
        (void)pb_pool_drain(space);
        if (space->class != POOL_PAGED) /* paged: what is free is gone already */
            (void)pb_page_runs_trim(&space->runs);
        bytes += before - space_arena(space)->held_bytes;
    }
    return bytes;
}

void pb_pool_tune(struct pool *pool, const struct pb_tuning *tuning)
{
    for (unsigned class = 0; class < POOL_CLASSES; class ++)
        if (pool->spaces[class] != NULL)
            pb_pool_lists_tune(pool->spaces[class], tuning);
}

static void note(char *out, size_t size, const char *text)
{
    size_t length = strlen(out);
    snprintf(out + length, size - length, "%s%s", length > 0 ? "; " : "", text);
}

/* One class: whether all of it that was taken could be locked and made executable. */
static void notes_of_space(struct pool_space *space, const char *name, char *out, size_t size)
{
    struct pool_hold hold;
    char text[160];
    const struct pb_pages *arena = space_arena(space);
    counts_lock(space, &space->guard, &hold);
    size_t locked = arena->locked_bytes;
    size_t taken = arena->taken_bytes;
    int lock_error = arena->lock_error;
    int exec_error = arena->exec_error;
    pool_guard_unlock(space->mode, &space->guard, &hold);
    if (lock_error != 0) {
        snprintf(text, sizeof text, "%s pool: %zu KiB of %zu KiB locked: %s", name,
                 (locked < taken ? locked : taken) >> 10, taken >> 10, strerror(-lock_error));
        note(out, size, text);
    }
    if (exec_error != 0) {
        snprintf(text, sizeof text, "%s pool: not executable: %s", name, strerror(-exec_error));
        note(out, size, text);
    }
}

void pb_pool_notes(const struct pool *pool, char *out, size_t size)
{
    static const char *const names[POOL_CLASSES] = {"nonpaged", "nonpaged nx", "paged"};
    if (size == 0)
        return;
    out[0] = '\0';
    for (unsigned class = 0; class < POOL_CLASSES; class ++)
        if (pool->spaces[class] != NULL)
            notes_of_space(pool->spaces[class], names[class], out, size);
    if (pool->listless)
        note(out, size, "no lookaside lists: the processor has no 16-byte compare-exchange");
}
