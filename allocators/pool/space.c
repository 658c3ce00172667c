/* SPDX-License-Identifier: MIT */
/* Opening and closing of a pool and its spaces, and the page layer's calls. */
#include "pool/space.h"
#include "path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SPACE_NARROW_SHIFT = 32 }; /* a narrow link is an offset of so many bits */

static int space_open_layer(struct pool_space *space, const struct pool_options *options,
                            char *message, size_t message_size)
{
    size_t reserve = options->reserve;
    size_t release = options->release != 0 ? options->release : SIZE_MAX;
    if (!space->shape.wide && reserve > (size_t)1 << SPACE_NARROW_SHIFT)
        reserve = (size_t)1 << SPACE_NARROW_SHIFT;
    if (space->class == POOL_PAGED) {
        /* a list's pop may read a page that its file has no room for any more: slist8.h */
        (void)pb_fixup_install(); /* refused where there is none */
        return pb_page_bitmap_open(&space->bitmap, reserve, PB_BACKING_FILE, options->paged_dir,
                                   message, message_size);
    }
    enum pb_backing backing = PB_BACKING_ANONYMOUS;
    if (options->resident)
        backing = space->class == POOL_NONPAGED_NX ? PB_BACKING_LOCKED : PB_BACKING_LOCKED_EXEC;
    return pb_page_runs_open(&space->runs, reserve, release, backing, message, message_size);
}

static void space_close_layer(struct pool_space *space)
{
    if (space->class == POOL_PAGED)
        pb_page_bitmap_close(&space->bitmap);
    else
        pb_page_runs_close(&space->runs);
}

static size_t space_descriptors(const struct pool_space *space)
{
    return space->first + space->pools;
}

static size_t space_map_bytes(const struct pool_space *space)
{
    return (space->reserved >> PAGE_SHIFT) * sizeof *space->map;
}

static void descriptor_init(struct pool_descriptor *descriptor, unsigned index,
                            struct pool_space *space)
{
    const struct pool_shape *shape = &space->shape;
    descriptor->space = space;
    descriptor->index = index;
    descriptor->place = index << pool_size_bits(shape->wide);
    atomic_init(&descriptor->listed[shape->page_granules / 64], (uint64_t)1 << 63);
    for (unsigned list = 0; shape->wide && list < POOL_PAGE_WIDE; list++)
        InitializeListHead(&descriptor->heads.wide[list]);
}

static int space_open_descriptors(struct pool_space *space)
{
    size_t count = space_descriptors(space);
    space->descriptors = pb_pages_map(count * sizeof *space->descriptors);
    if (space->descriptors == NULL)
        return -ENOMEM;
    int error = 0;
    size_t done = 0;
    for (; done < count && error == 0; done++) {
        descriptor_init(&space->descriptors[done], (unsigned)done, space);
        error = pb_pool_guard_init(space->mode, &space->descriptors[done].guard);
    }
    if (error == 0)
        return 0;
    for (done--; done > 0; done--)
        pb_pool_guard_fini(space->mode, &space->descriptors[done - 1].guard);
    pb_pages_unmap(space->descriptors, count * sizeof *space->descriptors);
    return error;
}

static void space_close_descriptors(struct pool_space *space)
{
    size_t count = space_descriptors(space);
    for (size_t i = 0; i < count; i++)
        pb_pool_guard_fini(space->mode, &space->descriptors[i].guard);
    pb_pages_unmap(space->descriptors, count * sizeof *space->descriptors);
}

unsigned pb_pool_processors(const struct pool_options *options)
{
    long online = sysconf(_SC_NPROCESSORS_CONF);
    if (options->processors != 0)
        return (unsigned)options->processors;
    return online > 0 ? (unsigned)online : 1;
}

static void space_settle(struct pool_space *space, const struct pool *pool, enum pool_class class)
{
    const struct pool_options *options = &pool->options;
    bool paged = class == POOL_PAGED;
    uint64_t lock = options->lock;
    pb_pool_shape(options, &space->shape);
    space->class = class;
    space->type = paged ? POOL_TYPE_PAGED : class == POOL_NONPAGED_NX ? NonPagedPoolNx : 0;
    space->mode.raises = !paged;
    /* paged pool sleeps, as its guarded mutex does, unless there is no lock at all */
    space->mode.lock =
        (unsigned char)(paged && lock != POOL_LOCK_NONE ? (uint64_t)POOL_LOCK_MUTEX : lock);
    if (pb_path_asks_in_locks() && lock != POOL_LOCK_NONE)
        space->mode.lock |= POOL_LOCK_DELAYED;
    space->first = paged; /* paged: 0 is for whole pages */
    space->pools = (unsigned)(paged ? options->paged_pools : options->nonpaged_pools);
    space->tags = pool->tags;
    space->big = pool->big;
}

/* What of quick.h's conditions holds. */
static void space_settle_quick(struct pool_space *space, const struct pool_options *options)
{
    const struct pool_shape *shape = &space->shape;
    space->common = options->straight && shape->wide && !shape->checked && space->tags == NULL;
    if (space->common && space->pools == 1 && pool_guard_plain(space->mode) && !shape->verify &&
        !shape->delayed_frees)
        space->quick = &space->descriptors[space->first];
}

/* What hangs on the arena, which is open. */
static int space_open_rest(struct pool_space *space, const struct pool_options *options)
{
    const struct pb_pages *arena =
        space->class == POOL_PAGED ? &space->bitmap.arena : &space->runs.arena;
    space->base = arena->base;
    space->reserved = arena->reserved_bytes;
    space->map = pb_pages_map_zeros(space_map_bytes(space));
    if (space->map == NULL)
        return -ENOMEM;
    int error = space_open_descriptors(space);
    if (error != 0)
        goto out_map;
    error = pb_pool_guard_init(space->mode, &space->guard);
    if (error != 0)
        goto out_descriptors;
    error = pb_pool_lists_open(space, pb_pool_processors(options), (unsigned)options->list_depth);
    if (error == 0) {
        space_settle_quick(space, options);
        return 0;
    }

    pb_pool_guard_fini(space->mode, &space->guard);
out_descriptors:
    space_close_descriptors(space);
out_map:
    pb_pages_unmap(space->map, space_map_bytes(space));
    return error;
}

int pb_pool_space_open(struct pool *pool, enum pool_class class, struct pool_space **made,
                       char *message, size_t message_size)
{
    struct pool_space *space = pb_pages_map(sizeof *space);
    if (space == NULL)
        return -ENOMEM;
    space_settle(space, pool, class);
    int error = space_open_layer(space, &pool->options, message, message_size);
    if (error != 0)
        goto out_unmap;
    error = space_open_rest(space, &pool->options);
    if (error != 0)
        goto out_layer;
    *made = space;
    return 0;

out_layer:
    space_close_layer(space);
out_unmap:
    pb_pages_unmap(space, sizeof *space);
    return error;
}

void pb_pool_space_close(struct pool_space *space)
{
    if (space == NULL)
        return;
    pb_pool_lists_close(space);
    pb_pool_guard_fini(space->mode, &space->guard);
    space_close_descriptors(space);
    pb_pages_unmap(space->map, space_map_bytes(space));
    space_close_layer(space);
    pb_pages_unmap(space, sizeof *space);
}

/* Under the guard. */
static void space_give_run(struct pool_space *space, void *at)
{
    if (space->class == POOL_PAGED)
        pb_page_bitmap_give(&space->bitmap, at);
    else
        pb_page_runs_give(&space->runs, at);
}

/* Makes the page map's entries of a run writable. */
static bool space_map_reaches(struct pool_space *space, const void *at, size_t pages)
{
    size_t last = (((uintptr_t)at - (uintptr_t)space->base) >> PAGE_SHIFT) + pages;
    return pb_pages_widen(space->map, space_map_bytes(space), &space->map_writable,
                          last * sizeof *space->map) == 0;
}

void *pb_pool_pages_take(struct pool_space *space, size_t pages, size_t align, size_t big)
{
    struct pool_hold hold;
    pool_guard_lock(space->mode, &space->guard, &hold);
    void *at = space->class == POOL_PAGED ? pb_page_bitmap_take(&space->bitmap, pages, align)
                                          : pb_page_runs_take(&space->runs, pages, align);
    if (at != NULL && !space_map_reaches(space, at, pages)) {
        space_give_run(space, at);
        at = NULL;
    }
    if (at != NULL && big != 0) {
        space->big_counts.allocs++;
        space->big_counts.pages += pages;
        space->big_counts.bytes += big;
    }
    pool_guard_unlock(space->mode, &space->guard, &hold);
    return at;
}

void pb_pool_pages_give(struct pool_space *space, void *at, size_t pages, size_t keep, size_t big)
{
    struct pool_hold hold;
    bool paged = space->class == POOL_PAGED;
    pool_guard_lock(space->mode, &space->guard, &hold);
    if (keep > 0 && paged)
        pb_page_bitmap_split(&space->bitmap, at, pages - keep);
    else if (keep > 0)
        pb_page_runs_split(&space->runs, at, pages - keep);
    space_give_run(space, at);
    if (big != 0) {
        space->big_counts.frees++;
        space->big_counts.pages -= pages;
        space->big_counts.bytes -= big;
    }
    pool_guard_unlock(space->mode, &space->guard, &hold);
}

void pb_pool_page_free(struct pool_space *space, void *page)
{
    pool_page_set(space, page, POOL_PAGE_NONE);
    pb_pool_pages_give(space, page, 1, 0, 0);
}

size_t pb_pool_pages_run(const struct pool_space *space, const void *at)
{
    return space->class == POOL_PAGED ? pb_page_bitmap_length(&space->bitmap, at)
                                      : pb_page_runs_length(&space->runs, at);
}
