/* SPDX-License-Identifier: MIT */
/* Allocating and freeing under the caller's rules (front.h). */
#include "pool/front.h"

#include "nt/pages.h"
#include "nt/process_internal.h"
#include "pool/header.h"

#include <poolbench/nt/page.h>
#include <poolbench/nt/status.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Special pool: each block in use cuts the address space into two more pieces, and Linux has 65530
 * for a process. */
enum { SPECIAL_PAGES = 16384, SPECIAL_QUARANTINE = 256, SPECIAL_ALIGNMENT = 16 };

const char *pb_front_refuses(const struct pool_options *options)
{
    if (options->normal_water > options->low_water)
        return "option 'normal_water' must not be above low_water: low priority fails first";
    return NULL;
}

int pb_front_open(const struct pool_options *options, unsigned classes, struct pool_front **front,
                  char *message, size_t message_size)
{
    static const unsigned special_flags[] = {0, POOL_ASK_SPECIAL,
                                             POOL_ASK_SPECIAL | POOL_ASK_UNDERRUN};
    const char *refused = pb_front_refuses(options);
    if (refused != NULL) {
        snprintf(message, message_size, "%s", refused);
        return -EINVAL;
    }
    struct pool_front *new = pb_pages_map(sizeof *new);
    if (new == NULL)
        return -ENOMEM;
    new->options = *options;
    new->special_flags = special_flags[options->special];
    new->serves_must_succeed = pb_pool_profiles[options->profile].must_succeed;
    pb_pool_shape(options, &new->shape);
    (void)pthread_mutex_init(&new->making_special, NULL); /* fails for no plain mutex */
    int error = -ENOMEM;
    if (new->serves_must_succeed && options->must_succeed != 0) {
        new->reserve = pb_pool_reserve_open(options->must_succeed);
        if (new->reserve == NULL)
            goto out_unmap;
    }
    error = pb_pool_open(options, classes, &new->pool, message, message_size);
    if (error != 0)
        goto out_reserve;
    new->tags = pb_pool_tags(new->pool);
    *front = new;
    return 0;

out_reserve:
    if (new->reserve != NULL)
        pb_pool_reserve_close(new->reserve);
out_unmap:
    (void)pthread_mutex_destroy(&new->making_special);
    pb_pages_unmap(new, sizeof *new);
    return error;
}

static struct pool_special *special_of(const struct pool_front *front)
{
    /* acquire: what its maker wrote */
    return atomic_load_explicit(&front->special, memory_order_acquire);
}

void pb_front_close(struct pool_front *front)
{
    struct pool_special *special = special_of(front);
    pb_pool_close(front->pool);
    if (special != NULL)
        pb_pool_special_close(special);
    if (front->reserve != NULL)
        pb_pool_reserve_close(front->reserve);
    (void)pthread_mutex_destroy(&front->making_special);
    pb_pages_unmap(front, sizeof *front);
}

/* The special pool, made if there is none; NULL: no memory for it. */
static struct pool_special *special_made(struct pool_front *front)
{
    struct pool_special *special = special_of(front);
    if (special != NULL)
        return special;
    (void)pthread_mutex_lock(&front->making_special);
    special = special_of(front);
    if (special == NULL) {
        special = pb_pool_special_open(SPECIAL_PAGES, SPECIAL_QUARANTINE);
        /* release: pairs with special_of */
        atomic_store_explicit(&front->special, special, memory_order_release);
    }
    (void)pthread_mutex_unlock(&front->making_special);
    return special;
}

static void count_allocated(const struct pool_front *front, uint32_t tag, unsigned type,
                            size_t bytes)
{
    if (front->tags != NULL)
        pb_pool_tags_allocated(front->tags, tag, (type & POOL_BIT_PAGED) != 0, bytes);
}

static void count_freed(const struct pool_front *front, uint32_t tag, unsigned type, size_t bytes)
{
    if (front->tags != NULL)
        pb_pool_tags_freed(front->tags, tag, (type & POOL_BIT_PAGED) != 0, bytes);
}

static void *allocate_special(struct pool_front *front, const struct pool_ask *ask, unsigned flags)
{
    struct pool_special *special = NULL;
    if (ask->bytes < PAGE_SIZE && ask->alignment <= SPECIAL_ALIGNMENT)
        special = special_made(front);
    if (special == NULL)
        return NULL;
    void *block =
        pb_pool_special_allocate(special, ask->type, ask->bytes, pool_tag_stored(ask->tag),
                                 (flags & POOL_ASK_UNDERRUN) != 0);
    if (block != NULL)
        count_allocated(front, ask->tag, ask->type, PAGE_SIZE);
    return block;
}

static void *allocate_pool(struct pool_front *front, const struct pool_ask *ask, bool charged)
{
    const struct pool_request request = {.bytes = ask->bytes,
                                         .type = ask->type | (charged ? POOL_BIT_CHARGED : 0),
                                         .tag = ask->tag,
                                         .alignment = ask->alignment,
                                         .owner = charged ? ask->owner : NULL};
    void *block = pb_pool_allocate(front->pool, &request);
    if (block != NULL && ask->bytes > PAGE_SIZE && (ask->type & POOL_BIT_PAGED) == 0)
        /* relaxed: a figure for a report */
        atomic_fetch_add_explicit(&front->above_page, 1, memory_order_relaxed);
    return block;
}

/* Where there is room: special pool, the pool. */
static void *allocate_somewhere(struct pool_front *front, const struct pool_ask *ask, bool charged)
{
    unsigned flags = ask->flags | front->special_flags;
    void *block = NULL;
    if (!pb_front_has_room(front, ask))
        return NULL;
    if ((flags & POOL_ASK_SPECIAL) != 0)
        block = allocate_special(front, ask, flags);
    return block != NULL ? block : allocate_pool(front, ask, charged);
}

/* Charges what was allocated to be charged. False: the process has no quota left. Whole pages and
 * special pool are never charged. */
static bool charge(struct pool_front *front, void *block, const struct pool_ask *ask)
{
    struct pool_special *special = special_of(front);
    struct pool_block found;
    if (special != NULL && pb_pool_special_owns(special, block))
        return true;
    if (!pb_pool_inspect(front->pool, block, &found) || found.owner == NULL)
        return true;
    if (NT_SUCCESS(PsChargeProcessPoolQuota(ask->owner, (POOL_TYPE)ask->type, found.granted)))
        return true;
    (void)pb_pool_release(front->pool, block, &found);
    return false;
}

/* A request grows by the owner's pointer, which may make whole pages of it. */
static void *allocate_charged(struct pool_front *front, const struct pool_ask *ask,
                              NTSTATUS *status)
{
    struct pool_ask grown = *ask;
    grown.bytes += sizeof(PVOID);
    void *block = allocate_somewhere(front, &grown, true);
    if (block == NULL || charge(front, block, ask))
        return block;
    *status = STATUS_QUOTA_EXCEEDED;
    return NULL;
}

static bool is_charged(const struct pool_front *front, const struct pool_ask *ask)
{
    return (ask->flags & POOL_ASK_QUOTA) != 0 && ask->owner != PsInitialSystemProcess &&
           ask->bytes <= PAGE_SIZE - front->shape.granule - sizeof(PVOID);
}

/* The reserve's block, or NULL: then the machine has stopped. */
static void *allocate_reserved(struct pool_front *front, const struct pool_ask *ask)
{
    struct pool_reserve_block found;
    void *block = pb_front_last_resort(front, ask);
    if (block == NULL || !pb_pool_reserve_find(front->reserve, block, &found))
        return NULL;
    count_allocated(front, ask->tag, ask->type, found.bytes);
    atomic_fetch_add_explicit(&front->reserved, 1, memory_order_relaxed); /* a figure */
    return block;
}

void *pb_front_allocate(struct pool_front *front, const struct pool_ask *ask)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    if (!pb_front_allows(front, ask))
        return NULL;
    void *block = is_charged(front, ask) ? allocate_charged(front, ask, &status)
                                         : allocate_somewhere(front, ask, false);
    bool must = (ask->type & POOL_BIT_MUST_SUCCEED) != 0 && status != STATUS_QUOTA_EXCEEDED;
    if (block == NULL && must)
        block = allocate_reserved(front, ask);
    else if (block == NULL && (ask->flags & POOL_ASK_RAISE) != 0)
        ExRaiseStatus(status);
    if (block != NULL && (ask->flags & POOL_ASK_ZERO) != 0)
        memset(block, 0, ask->bytes);
    return block;
}

/* Where a block lies, and what it is. */
struct found {
    enum { FOUND_POOL, FOUND_SPECIAL, FOUND_RESERVE } where;
    struct pool_block block;
};

static bool find_special(const struct pool_special *special, const void *at, struct found *found)
{
    struct pool_special_block block;
    if (!pb_pool_special_find(special, at, &block))
        return false;
    found->where = FOUND_SPECIAL;
    found->block = (struct pool_block){
        .type = block.type, .tag = block.tag, .granted = PAGE_SIZE, .usable = block.bytes};
    return true;
}

static bool find_reserve(const struct pool_reserve *reserve, const void *at, struct found *found)
{
    struct pool_reserve_block block;
    if (!pb_pool_reserve_find(reserve, at, &block))
        return false;
    found->where = FOUND_RESERVE;
    found->block = (struct pool_block){
        .type = block.type, .tag = block.tag, .granted = block.bytes, .usable = block.bytes};
    return true;
}

/* False after a bugcheck: the free of what is no block says what is wrong with it. */
static bool find(struct pool_front *front, void *at, struct found *found)
{
    struct pool_special *special = special_of(front);
    if (special != NULL && pb_pool_special_owns(special, at)) {
        if (find_special(special, at, found))
            return true;
        (void)pb_pool_special_free(special, at);
        return false;
    }
    if (front->reserve != NULL && pb_pool_reserve_owns(front->reserve, at)) {
        if (find_reserve(front->reserve, at, found))
            return true;
        (void)pb_pool_reserve_free(front->reserve, at);
        return false;
    }
    found->where = FOUND_POOL;
    return pb_pool_inspect(front->pool, at, &found->block);
}

/* Whether a block may be freed under `tag`. One that the big-page table had no room for is booked
 * under "BIG ": which tag it was allocated with is not known, so any is right. */
static bool tag_fits(const struct pool_block *block, uint32_t tag)
{
    if (tag == block->tag || (block->big && block->tag == POOL_TAG_BIG))
        return true;
    return tag == 0 && (block->tag & PROTECTED_POOL) == 0;
}

/* The rules of a free, in NT's order. */
static bool may_free(const struct found *found, const void *at, uint32_t tag)
{
    const struct pool_block *block = &found->block;
    KIRQL level = KeGetCurrentIrql();
    if (level > pb_front_level(block->type)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_FREE_IRQL, level, block->type, (ULONG_PTR)at);
        return false;
    }
    if (!tag_fits(block, tag)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_TAG, (ULONG_PTR)at, block->tag, tag);
        return false;
    }
    if ((block->type & POOL_BIT_CHARGED) != 0 && !pb_process_valid(block->owner)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_QUOTA, (ULONG_PTR)at, block->tag,
                     (ULONG_PTR)block->owner);
        return false;
    }
    return true;
}

bool pb_front_free(struct pool_front *front, void *block, uint32_t tag)
{
    struct found found;
    bool freed = false;
    if (!find(front, block, &found) || !may_free(&found, block, tag))
        return false;
    const struct pool_block *b = &found.block;
    switch (found.where) {
    case FOUND_POOL:
        freed = pb_pool_release(front->pool, block, b);
        if (freed && b->owner != NULL)
            PsReturnPoolQuota(b->owner, (POOL_TYPE)b->type, b->granted);
        break;
    case FOUND_SPECIAL:
        freed = pb_pool_special_free(special_of(front), block);
        if (freed)
            count_freed(front, b->tag, b->type, b->granted);
        break;
    case FOUND_RESERVE:
        freed = pb_pool_reserve_free(front->reserve, block);
        if (!freed)
            break;
        count_freed(front, b->tag, b->type, b->granted);
        atomic_fetch_sub_explicit(&front->reserved, 1, memory_order_relaxed); /* a figure */
        break;
    }
    return freed;
}

size_t pb_front_usable(struct pool_front *front, const void *block, bool *charged)
{
    struct found found;
    if (!find(front, (void *)(uintptr_t)block, &found))
        return 0;
    if (charged != NULL)
        *charged = found.block.owner != NULL;
    return found.block.usable;
}

size_t pb_front_special_count(struct pool_front *front)
{
    struct pool_special *special = special_of(front);
    return special != NULL ? pb_pool_special_count(special) : 0;
}
