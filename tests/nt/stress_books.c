/* SPDX-License-Identifier: MIT */
/* The executive's own books under stress, held against ours: the pool's structures, its counters,
 * and what it says of each tag; and its life, which ends with nothing in use.
 * Threads: what checks is the main thread's, while all workers wait; the rest any. */
#include "nt/stress_pool.h"

#include "pool/executive.h"
#include "pool/space.h"

#include <string.h>

#define TAG(a, b, c, d) ((ULONG)(a) | (ULONG)(b) << 8 | (ULONG)(c) << 16 | (ULONG)(d) << 24)

const ULONG stress_tags[TAGS] = {
    [TAG_NONE] = TAG('N', 'o', 'n', 'e'),          [TAG_BIG] = TAG('B', 'I', 'G', ' '),
    [TAG_TAGGED] = TAG('S', 't', 'T', 'g'),        [TAG_QUOTA] = TAG('S', 't', 'Q', 't'),
    [TAG_PRIORITY] = TAG('S', 't', 'P', 'r'),      [TAG_FLAGS] = TAG('S', 't', 'P', '2'),
    [TAG_EXTENDED] = TAG('S', 't', 'P', '3'),      [TAG_SEGMENT] = TAG('S', 't', 'Z', 'n'),
    [TAG_BUFFER] = TAG('S', 't', 'B', 'f'),        [TAG_CONTIGUOUS] = TAG('M', 'm', 'C', 'm'),
    [TAG_LOOKASIDE] = TAG('S', 't', 'L', '0'),     [TAG_LOOKASIDE + 1] = TAG('S', 't', 'L', '1'),
    [TAG_LOOKASIDE + 2] = TAG('S', 't', 'L', '2'), [TAG_MDL] = TAG('M', 'd', 'l', ' ')};

static struct pool_front *front(void)
{
    struct pool_front *begun = pb_executive();
    if (begun == NULL)
        stress_found(FOUND_BROKEN, "the executive did not begin");
    return begun;
}

bool stress_in_pool(const void *at)
{
    return pool_space_of(front()->pool, at) != NULL;
}

struct stress_view stress_view(const void *at)
{
    struct pool_front *f = front();
    struct pool_special *special = atomic_load_explicit(&f->special, memory_order_acquire);
    struct pool_special_block alone;
    struct pool_reserve_block reserved;
    struct pool_block block;
    if (special != NULL && pb_pool_special_find(special, at, &alone))
        return (struct stress_view){alone.bytes,           PAGE_SIZE, alone.tag,
                                    (alone.type & 1) != 0, false,     true};
    if (f->reserve != NULL && pb_pool_reserve_find(f->reserve, at, &reserved))
        return (struct stress_view){reserved.bytes, reserved.bytes, reserved.tag,
                                    false,          false,          false};
    if (!pb_pool_inspect(f->pool, at, &block))
        stress_found(FOUND_BROKEN, "the pool does not know the block at %p that it gave", at);
    return (struct stress_view){block.usable,          block.granted,       block.tag,
                                (block.type & 1) != 0, block.owner != NULL, false};
}

static unsigned tag_place(ULONG tag)
{
    unsigned place = 0;
    while (place < TAGS && stress_tags[place] != (tag & ~PROTECTED_POOL))
        place++;
    if (place == TAGS)
        stress_found(FOUND_BROKEN, "a tag that nobody gave: 0x%x", (unsigned)tag);
    return place;
}

unsigned stress_tag_book(const struct stress_view *view)
{
    return BOOK_TAG + 2 * tag_place(view->tag) + view->paged;
}

static int64_t bytes_of_tags(const SYSTEM_POOLTAG *rows, ULONG n)
{
    int64_t bytes = 0;
    for (ULONG i = 0; i < n; i++)
        bytes += (int64_t)(rows[i].PagedUsed + rows[i].NonPagedUsed);
    return bytes;
}

/* A tag that has no row has nothing in use. */
static void check_tag(unsigned place, const SYSTEM_POOLTAG *rows, ULONG n)
{
    SYSTEM_POOLTAG row = {.TagUlong = stress_tags[place]};
    char name[] = "tag 1234, paged";
    for (ULONG i = 0; i < n; i++)
        if (rows[i].TagUlong == stress_tags[place])
            row = rows[i];
    memcpy(name + 4, row.Tag, sizeof row.Tag);
    unsigned book = BOOK_TAG + 2 * place;
    struct stress_sum cached = stress_lookaside_cached(book + 1);
    stress_compare(book + 1, name, (LONG)(row.PagedAllocs - row.PagedFrees) - cached.blocks,
                   (int64_t)row.PagedUsed - cached.bytes);
    name[8] = '\0';
    cached = stress_lookaside_cached(book);
    stress_compare(book, name, (LONG)(row.NonPagedAllocs - row.NonPagedFrees) - cached.blocks,
                   (int64_t)row.NonPagedUsed - cached.bytes);
}

/* What the pool's own counters say is in use: all that the tags count but special pool and the
 * reserve. */
static int64_t bytes_of_pool(struct pool_front *f)
{
    int64_t bytes = (int64_t)pb_front_special_count(f) << PAGE_SHIFT;
    if (f->reserve != NULL)
        bytes += (int64_t)(f->options.must_succeed << PAGE_SHIFT) -
                 (int64_t)pb_pool_reserve_count_free_bytes(f->reserve);
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        struct pool_counts counts;
        pb_pool_counts(f->pool, (enum pool_class) class, &counts);
        bytes += (int64_t)(counts.total_bytes - counts.cached_bytes);
    }
    return bytes;
}

static bool is_small(const struct stress_block *block)
{
    return block->actor->row != NULL && block->bytes < 2048 &&
           block->entries[0].book < BOOK_QUOTA && block->booked == 1;
}

/* PLANT_HEADER: BlockSize of some block, which stands 2 bytes into its header. */
static void spoil_header(const struct pool_front *f)
{
    struct stress_block *block = stress_find(is_small);
    if (block == NULL)
        return;
    unsigned char *at = atomic_load_explicit(&block->at, memory_order_relaxed); /* nobody moves */
    at[2 - (int)f->shape.header_bytes] ^= 1;
}

/* The descriptors that MDLs keep, where each small block is of special pool. */
static int64_t mdl_special(const struct pool_front *f, const SYSTEM_POOLTAG *rows, ULONG n)
{
    for (ULONG i = 0; i < n && f->special_flags != 0; i++)
        if (rows[i].TagUlong == stress_tags[TAG_MDL])
            return (LONG)(rows[i].NonPagedAllocs - rows[i].NonPagedFrees);
    return 0;
}

static void check(void)
{
    static SYSTEM_POOLTAG rows[2 * STRESS_TAGS];
    char message[256] = "";
    struct pool_front *f = front();
    if (stress_run.plant == PLANT_HEADER)
        spoil_header(f);
    if (PbNtCheck(message, sizeof message) != 0)
        stress_found(FOUND_STRUCTURE, "pool: %s", message);
    ULONG n = PbQueryPoolTags(rows, 2 * STRESS_TAGS);
    for (ULONG i = 0; i < n; i++)
        (void)tag_place(rows[i].TagUlong);
    for (unsigned place = 0; place < TAG_MDL; place++)
        check_tag(place, rows, n);
    int64_t tags = bytes_of_tags(rows, n), pool = bytes_of_pool(f);
    if (tags != pool)
        stress_found(FOUND_LOST, "pool: %lld bytes in use by its counters, %lld by its tags",
                     (long long)pool, (long long)tags);
    int64_t special = (int64_t)pb_front_special_count(f) -
                      stress_lookaside_cached(BOOK_SPECIAL).blocks - mdl_special(f, rows, n);
    stress_compare(BOOK_SPECIAL, "special pool", special, special << PAGE_SHIFT);
}

static void open(void)
{
    char message[256] = "";
    if (PbNtConfigure(stress_run.options, message, sizeof message) != 0)
        stress_found(FOUND_BROKEN, "PbNtConfigure(%s): %s", stress_run.options, message);
    (void)front();
}

static void close(void)
{
    size_t leaked = 0;
    check();
    PbNtReset(&leaked);
    if (leaked != 0)
        stress_found(FOUND_LOST, "PbNtReset: %zu blocks are in use, and all were freed", leaked);
}

const struct stress_part stress_books = {open, check, close, NULL, 0};
