/* SPDX-License-Identifier: MIT */
/* The pool's calls for blocks: allocate, look up, free. engine.h is the contract, space.h says what
 * the pool is made of, block.h how blocks are cut and joined, whole.c what becomes of requests that
 * take whole pages. Each path is one always-inline function of `wide`, compiled twice. */
#include "path.h"
#include "pool/block.h"
#include "pool/pending.h"
#include "pool/shadow.h"
#include "pool/verify.h"
#include "pool/whole.h"

#include <poolbench/nt/bugcheck.h>

#include <string.h>

/* Takes the head of a list; NULL if another thread was faster, or something is corrupt. */
PB_INLINE struct pool_header *engine_take(struct pool_space *space,
                                          struct pool_descriptor *descriptor, unsigned list,
                                          const struct pool_want *want, struct pool_fault *fault,
                                          bool wide)
{
    struct pool_hold hold;
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    struct pool_header *header = pool_first(space, descriptor, list, wide);
    if (PB_UNLIKELY(space->shape.verify) && header != NULL &&
        !pb_pool_verify_free(space, descriptor, header, list, fault))
        header = NULL;
    if (PB_LIKELY(header != NULL)) {
        unsigned lead = pool_lead(space, header, list + 1, want, wide);
        bool emptied = pool_unlink(space, descriptor, header, list + 1, wide);
        header = pool_carve(space, descriptor, header, list + 1, emptied, lead, want, wide);
        descriptor->TotalBytes += (size_t)want->granules << pool_shift(space, wide);
        descriptor->RunningAllocs++;
    }
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    return header;
}

/* Searches the lists upward. NULL: they have nothing, or *fault. */
PB_INLINE struct pool_header *engine_search(struct pool_space *space,
                                            struct pool_descriptor *descriptor,
                                            const struct pool_want *want, struct pool_fault *fault,
                                            bool wide)
{
    size_t size = want->granules + want->align - 1 + space->shape.search_ahead;
    fault->code = 0;
    for (size = pool_search(descriptor, size); size < pool_page_granules(space, wide);
         size = pool_search(descriptor, size + 1)) {
        unsigned list = (unsigned)size - 1;
        struct pool_header *header = engine_take(space, descriptor, list, want, fault, wide);
        if (PB_LIKELY(header != NULL) || fault->code != 0)
            return header;
    }
    return NULL;
}

/* Takes a page and carves the block out of it. */
static PB_NOINLINE struct pool_header *engine_take_page(struct pool_space *space,
                                                        struct pool_descriptor *descriptor,
                                                        const struct pool_want *want, bool wide)
{
    struct pool_hold hold;
    struct pool_header *header = pb_pool_pages_take(space, 1, 1, 0);
    if (header == NULL)
        return NULL;
    pool_set_previous(header, 0, descriptor->index,
                      wide); /* faults the page in, without the guard */
    pool_page_set(space, header, POOL_PAGE_BLOCKS);
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    header = pool_carve(space, descriptor, header, pool_page_granules(space, wide), false,
                        want->align - 1, want, wide);
    descriptor->TotalBytes += (size_t)want->granules << pool_shift(space, wide);
    descriptor->TotalPages++;
    descriptor->RunningAllocs++;
    descriptor->pages_taken++;
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    return header;
}

/* There is no page either: what delayed frees keep may do, or what another pool has. */
static PB_NOINLINE struct pool_header *engine_last_resort(struct pool_space *space,
                                                          struct pool_descriptor *descriptor,
                                                          const struct pool_want *want,
                                                          struct pool_fault *fault, bool wide)
{
    struct pool_header *header = NULL;
    bool drained = pb_pool_drain(space);
    for (unsigned i = 0; i < space->pools && header == NULL && fault->code == 0; i++)
        header = engine_search(space, &space->descriptors[space->first + i], want, fault, wide);
    if (header == NULL && fault->code == 0 && drained)
        header = engine_take_page(space, descriptor, want, wide);
    if (header == NULL && fault->code == 0)
        pool_count_failure(space);
    return header;
}

/* Whether the pool's lookaside lists would be asked first: else the free lists are the first level.
 */
PB_INLINE bool engine_is_listed(const struct pool_space *space, const struct pool_want *want)
{
    return want->granules <= space->lists.sizes && want->align == 1;
}

/* A block from the lists or a new page. */
PB_INLINE struct pool_header *engine_slow(struct pool_space *space, const struct pool_want *want,
                                          bool wide)
{
    struct pool_fault fault;
    struct pool_descriptor *descriptor = pool_next_descriptor(space);
    struct pool_header *header = engine_search(space, descriptor, want, &fault, wide);
    if (PB_UNLIKELY(header == NULL) && fault.code == 0) {
        if (!engine_is_listed(space, want))
            pb_path_slow(PB_PATH_MISS);
        header = engine_take_page(space, descriptor, want, wide);
    }
    if (PB_UNLIKELY(header == NULL) && fault.code == 0)
        header = engine_last_resort(space, descriptor, want, &fault, wide);
    if (PB_UNLIKELY(fault.code != 0))
        pb_pool_report(&fault);
    return header;
}

struct pool_header *pb_pool_carve(struct pool_space *space, struct pool_want want)
{
    return engine_slow(space, &want, true);
}

/* Checked: whether a block that came from a list is as it was put there. */
static PB_NOINLINE bool engine_cached_intact(const struct pool_header *header, unsigned granules,
                                             bool wide)
{
    if ((pool_type(header, wide) & POOL_TYPE_CACHED) != 0 && pool_size(header, wide) == granules)
        return true;
    KeBugCheckEx(BAD_POOL_HEADER, BAD_HEADER_OVERRUN, (uintptr_t)header, pool_size(header, wide),
                 granules);
    return false;
}

PB_INLINE uint64_t engine_mark(const struct pool_request *request, bool wide)
{
    return pool_mark(pool_type_used(request->type), pool_tag_stored(request->tag), wide);
}

/* What stands in a new block, whose header says what it is; returns its address. */
PB_INLINE void *engine_finish(const struct pool_space *space, struct pool_header *header,
                              unsigned granules, const struct pool_request *request, bool wide)
{
    uint32_t tag = pool_tag_stored(request->tag);
    size_t bytes = (size_t)granules << pool_shift(space, wide);
    memset(pool_user(header, wide), 0, wide ? 16 : 8); /* two pointers: no links are shown */
    if (PB_UNLIKELY((request->type & POOL_TYPE_CHARGED) != 0))
        *pool_owner(header, bytes, wide) = request->owner;
    if (PB_UNLIKELY(space->tags != NULL))
        pb_pool_tags_allocated(space->tags, tag, space->class == POOL_PAGED, bytes);
    return pool_user(header, wide);
}

/* Makes a new block of one that came from the lookaside lists; NULL after a bugcheck. */
PB_INLINE void *engine_renew(const struct pool_space *space, void *user,
                             const struct pool_want *want, const struct pool_request *request,
                             bool wide)
{
    struct pool_header *header = pool_header_before(user, wide);
    if (PB_UNLIKELY(space->shape.checked) && !engine_cached_intact(header, want->granules, wide))
        return NULL;
    pool_set_size(header, want->granules, pool_type_used(request->type), wide);
    header->tag = pool_tag_stored(request->tag);
    return engine_finish(space, header, want->granules, request, wide);
}

/* What the plain path does not do: alignment, and requests larger than blocks. */
static PB_NOINLINE void *engine_special(struct pool_space *space,
                                        const struct pool_request *request, bool wide)
{
    struct pool_request exact = *request;
    if ((request->type & space->shape.aligned_types) != 0) {
        if (exact.alignment < PB_LOCK_LINE)
            exact.alignment = PB_LOCK_LINE;
        if (exact.bytes < PAGE_SIZE)
            exact.bytes =
                (exact.bytes + (exact.bytes == 0) + PB_LOCK_LINE - 1) / PB_LOCK_LINE * PB_LOCK_LINE;
    }
    size_t align = exact.alignment > space->shape.alignment ? exact.alignment : 0;
    if (exact.bytes > space->shape.largest || align >= PAGE_SIZE)
        return pb_pool_whole_allocate(space, &exact);
    struct pool_want want = {pool_granules(space, exact.bytes, wide), 1, engine_mark(&exact, wide)};
    bool offset = align != 0 && space->shape.granule != space->shape.header_bytes;
    if (offset) /* the block is long enough to choose an aligned place in */
        want.granules = pool_granules(space, exact.bytes + align, wide);
    else if (align != 0)
        want.align = (unsigned)(align >> pool_shift(space, wide));
    if (want.granules + want.align > pool_page_granules(space, wide))
        return pb_pool_whole_allocate(space, &exact);
    struct pool_header *header = engine_slow(space, &want, wide);
    if (header == NULL)
        return NULL;
    void *user = engine_finish(space, header, want.granules, &exact, wide);
    return offset ? pool_shadow_make(header, align) : user;
}

PB_INLINE void *engine_allocate(const struct pool *pool, const struct pool_request *request,
                                bool wide)
{
    struct pool_space *space = pool->by_type[pool_type_slot(request->type)];
    if (PB_UNLIKELY(space == NULL))
        return NULL;
    if (PB_UNLIKELY(request->bytes > (wide ? POOL_LARGEST_WIDE : space->shape.largest)) ||
        PB_UNLIKELY(request->alignment > pool_header_bytes(wide)) ||
        PB_UNLIKELY((request->type & space->shape.aligned_types) != 0))
        return engine_special(space, request, wide);
    const struct pool_want want = {pool_granules(space, request->bytes, wide), 1,
                                   engine_mark(request, wide)};
    void *cached = NULL;
    if (want.granules <= space->lists.sizes)
        cached = pool_lists_take(&space->lists, want.granules, wide);
    if (cached != NULL)
        return engine_renew(space, cached, &want, request, wide);
    struct pool_header *header = engine_slow(space, &want, wide);
    if (PB_UNLIKELY(header == NULL))
        return NULL;
    return engine_finish(space, header, want.granules, request, wide);
}

void *pb_pool_allocate(struct pool *pool, const struct pool_request *request)
{
    return PB_LIKELY(pool->wide) ? engine_allocate(pool, request, true)
                                 : engine_allocate(pool, request, false);
}

static PB_NOINLINE bool engine_refuse(uint64_t kind, const void *block, uint32_t tag)
{
    if (kind == BAD_CALLER_DOUBLE_FREE)
        KeBugCheckEx(BAD_POOL_CALLER, kind, 0, tag, (uintptr_t)block);
    else
        KeBugCheckEx(BAD_POOL_CALLER, kind, (uintptr_t)block, 0, 0);
    return false;
}

/* The header of the block at `block`, which lies in a page of blocks whose map entry is `kind`;
 * NULL if no block can begin there. */
PB_INLINE struct pool_header *engine_header(const struct pool_space *space, const void *block,
                                            unsigned kind, bool wide)
{
    struct pool_header *header = pool_header_before(block, wide);
    unsigned granule = 1u << pool_shift(space, wide);
    if (PB_UNLIKELY(((uintptr_t)header & (granule - 1)) != 0))
        header = wide ? NULL : pool_shadow_header(space, block);
    /* in the last page of a big allocation blocks begin behind it */
    size_t start = (size_t)(kind & POOL_PAGE_START) << pool_shift(space, wide);
    if (PB_UNLIKELY(start != 0) && header != NULL && BYTE_OFFSET(header) <= start)
        return NULL;
    return header;
}

PB_INLINE bool engine_inspect(const struct pool *pool, const void *block, struct pool_block *found,
                              bool wide)
{
    struct pool_space *space = pool_space_of(pool, block);
    if (PB_UNLIKELY(space == NULL))
        return engine_refuse(BAD_CALLER_NOT_POOL, block, 0);
    if (PB_UNLIKELY(BYTE_OFFSET(block) == 0))
        return pb_pool_whole_inspect(space, block, found);
    unsigned kind = pool_page_kind(space, block);
    if (PB_UNLIKELY((kind & POOL_PAGE_BLOCKS) == 0))
        return engine_refuse(kind == POOL_PAGE_NONE ? BAD_CALLER_NOT_POOL : BAD_CALLER_INSIDE_BLOCK,
                             block, 0);
    struct pool_header *header = engine_header(space, block, kind, wide);
    if (PB_UNLIKELY(header == NULL))
        return engine_refuse(BAD_CALLER_INSIDE_BLOCK, block, 0);
    unsigned half = pool_size_half(header);
    unsigned type = half >> pool_size_bits(wide);
    if (PB_UNLIKELY(type == POOL_TYPE_FREE || (type & POOL_TYPE_CACHED) != 0))
        return engine_refuse(BAD_CALLER_DOUBLE_FREE, block, header->tag);
    size_t bytes = (size_t)(half & pool_size_mask(wide)) << pool_shift(space, wide);
    unsigned bits = pool_type_bits(type);
    found->class = space->class;
    found->type = bits | space->type;
    found->tag = header->tag;
    found->granted = bytes;
    found->usable = bytes - ((uintptr_t)block - (uintptr_t)header);
    found->owner = NULL;
    found->big = false;
    if (PB_UNLIKELY((bits & POOL_TYPE_CHARGED) != 0)) {
        found->owner = *pool_owner(header, bytes, wide);
        found->usable -= wide ? 0 : sizeof found->owner;
    }
    return true;
}

bool pb_pool_inspect(struct pool *pool, const void *block, struct pool_block *found)
{
    return PB_LIKELY(pool->wide) ? engine_inspect(pool, block, found, true)
                                 : engine_inspect(pool, block, found, false);
}

/* Joins a block with its neighbours, now. False after a bugcheck: then it is as it was. */
PB_INLINE bool engine_free(struct pool_space *space, struct pool_header *header, bool wide)
{
    struct pool_hold hold;
    struct pool_fault fault;
    void *page = NULL;
    unsigned index = pool_index(header, wide);
    if (PB_UNLIKELY(index - space->first >= space->pools)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_HEADER, (uintptr_t)header, index, 0);
        return false;
    }
    struct pool_descriptor *descriptor = &space->descriptors[index];
    fault.code = 0;
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    if (PB_LIKELY(!space->shape.verify) ||
        PB_LIKELY(pb_pool_verify_used(space, descriptor, header, &fault))) {
        unsigned size = pool_size(header, wide);
        descriptor->TotalBytes -= (size_t)size << pool_shift(space, wide);
        descriptor->RunningDeAllocs++;
        page = pool_coalesce(space, descriptor, header, size, wide);
    }
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    if (PB_UNLIKELY(page != NULL))
        pb_pool_page_free(space, page);
    if (PB_UNLIKELY(fault.code != 0))
        pb_pool_report(&fault);
    return fault.code == 0;
}

bool pb_pool_free_now(struct pool_space *space, struct pool_header *header)
{
    return space->shape.wide ? engine_free(space, header, true) : engine_free(space, header, false);
}

/* Puts the block on the stack of delayed frees, and does them all if they are many. A stack that is
 * full takes none: those whose pushes made it so are about to empty it. */
static PB_NOINLINE bool engine_delay(struct pool_space *space, struct pool_header *header,
                                     unsigned granules, bool wide)
{
    uint64_t offset = ((uintptr_t)header - (uintptr_t)space->base) >> pool_shift(space, wide);
    unsigned index = pool_index(header, wide);
    if (PB_UNLIKELY(index - space->first >= space->pools)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_HEADER, (uintptr_t)header, index, 0);
        return false;
    }
    struct pool_descriptor *descriptor = &space->descriptors[index];
    unsigned waiting = pool_pending_push(&descriptor->pending, header, offset, granules, wide);
    if (PB_UNLIKELY(waiting == 0))
        return engine_free(space, header, wide);
    if (waiting >= PENDING_BATCH)
        (void)pb_pool_drain_one(space, descriptor);
    return true;
}

/* To the delayed frees, or back at once. */
PB_INLINE bool engine_give_back(struct pool_space *space, struct pool_header *header,
                                unsigned granules, bool wide)
{
    if (PB_UNLIKELY(space->shape.delayed_frees))
        return engine_delay(space, header, granules, wide);
    return engine_free(space, header, wide);
}

bool pb_pool_give_back(struct pool_space *space, struct pool_header *header)
{
    return engine_give_back(space, header, pool_size(header, true), true);
}

/* To a list, or past them. */
PB_INLINE bool engine_give(struct pool_space *space, struct pool_header *header, unsigned granules,
                           bool wide)
{
    if (granules - 1 < space->lists.sizes && /* a corrupt 0 is for engine_free to find */
        PB_LIKELY(pool_lists_give(&space->lists, pool_user(header, wide), granules, wide)))
        return true;
    return engine_give_back(space, header, granules, wide);
}

PB_INLINE bool engine_release(const struct pool *pool, void *block, const struct pool_block *found,
                              bool wide)
{
    struct pool_space *space = pool->spaces[found->class];
    if (PB_UNLIKELY(found->big))
        return pb_pool_whole_release(space, block, found);
    struct pool_header *header = pool_header_before(block, wide);
    unsigned granules = (unsigned)(found->granted >> pool_shift(space, wide));
    if (!wide && PB_UNLIKELY(((uintptr_t)header & (space->shape.granule - 1u)) != 0))
        header = pool_shadow_header(space, block);
    unsigned type = pool_type_used(found->type);
    if (PB_UNLIKELY(space->shape.checked))
        pool_set_size(header, granules, type | POOL_TYPE_CACHED, wide);
    if (PB_UNLIKELY(!engine_give(space, header, granules, wide))) {
        if (space->shape.checked)
            pool_set_size(header, granules, type, wide);
        return false;
    }
    if (PB_UNLIKELY(space->tags != NULL))
        pb_pool_tags_freed(space->tags, found->tag, space->class == POOL_PAGED, found->granted);
    return true;
}

bool pb_pool_release(struct pool *pool, void *block, const struct pool_block *found)
{
    return PB_LIKELY(pool->wide) ? engine_release(pool, block, found, true)
                                 : engine_release(pool, block, found, false);
}

PB_INLINE bool engine_free_block(const struct pool *pool, void *block, bool wide)
{
    struct pool_block found;
    return engine_inspect(pool, block, &found, wide) && engine_release(pool, block, &found, wide);
}

bool pb_pool_free_block(struct pool *pool, void *block)
{
    return PB_LIKELY(pool->wide) ? engine_free_block(pool, block, true)
                                 : engine_free_block(pool, block, false);
}
