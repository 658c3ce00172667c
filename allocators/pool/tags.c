/* SPDX-License-Identifier: MIT */
/* Pool tags: the table of tags.h, which says what it is and where it comes from.
 * Layout:  mapping | head | tags by slot | a set of counters | a set of counters | ... |
 *          set     | slot 0: nonpaged, paged | slot 1 | ... | the spare |   a line a slot
 * I2       a thread's counts go to the set of its processor, so sums are exact when nobody counts,
 *          and a snapshot never shows more frees than allocations: frees are read first
 * I3       what is in the mapping is plain data without addresses; a reader believes none of it
 *          that it did not check
 * Locks    latch, around the making of an entry. Everything else is atomic counters
 * Cost     two relaxed fetch-and-adds a call, on a line that few share; a line a slot and set. In a
 *          full table a tag that is not in it costs a look at every slot. */
#include "pool/tags.h"
#include "nt/latch.h"
#include "nt/processor.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAGS_SLOTS_MIN = 64, TAGS_SLOTS_MAX = 65536, TAGS_SETS_MAX = 4096, TAGS_LINE = 128 };

static const uint64_t TAGS_MAGIC = 0x7367617462700001u; /* layout 1 */
static const uint32_t TAGS_NONE = 0x656E6F4Eu;          /* "None" */

/* There from the beginning, so that they are counted however full the table becomes. NT seeds 64
 * known tags; no document read lists them. These are the two that one names (requests without a
 * tag, and what the table of big allocations had no room for) and those that the executive's own
 * parts book under: descriptors (nt/mdl.c) and contiguous memory (nt/mm_contiguous.c). */
static const uint32_t tags_seeds[] = {0x656E6F4Eu /* "None" */, 0x20474942u /* "BIG " */,
                                      0x206C644Du /* "Mdl " */, 0x6D436D4Du /* "MmCm" */};

struct tags_head {
    _Atomic uint64_t magic; /* written last */
    uint32_t slots, sets;
};

/* Bytes stand apart from bytes given back, so that all counters only rise. */
struct tags_count {
    _Atomic uint64_t allocs, alloc_bytes, frees, free_bytes;
};

struct tags_slot {
    struct tags_count kind[2]; /* by `paged` */
};
_Static_assert(sizeof(struct tags_slot) == 64, "a line a slot");

struct pool_tags {
    unsigned char *base;
    size_t bytes, set_bytes;
    uint32_t slots; /* a power of two; the spare stands behind */
    uint32_t sets;  /* a power of two */
    bool shared;    /* a file's, mapped here and not by pages.h */
    struct pb_latch latch PB_CACHE_ALIGNED;
};

static uint32_t tags_power_of_two(unsigned wanted, uint32_t least, uint32_t most)
{
    uint32_t power = least;
    while (power < wanted && power < most)
        power *= 2;
    return power;
}

static size_t tags_round(size_t bytes)
{
    return (bytes + TAGS_LINE - 1) / TAGS_LINE * TAGS_LINE;
}

static size_t tags_sets_offset(uint32_t slots)
{
    return tags_round(TAGS_LINE + slots * sizeof(uint32_t));
}

static _Atomic uint32_t *tags_slot_tag(const struct pool_tags *tags, uint32_t slot)
{
    return (_Atomic uint32_t *)(void *)(tags->base + TAGS_LINE) + slot;
}

static struct tags_count *tags_counter(const struct pool_tags *tags, uint32_t set, uint32_t slot,
                                       bool paged)
{
    unsigned char *at = tags->base + tags_sets_offset(tags->slots) + set * tags->set_bytes;
    return &((struct tags_slot *)(void *)at)[slot].kind[paged];
}

/* A handle without a mapping. */
static struct pool_tags *tags_handle(uint32_t slots, uint32_t sets, bool shared)
{
    struct pool_tags *tags = pb_pages_map(sizeof *tags);
    if (tags == NULL)
        return NULL;
    tags->slots = slots;
    tags->sets = sets;
    tags->shared = shared;
    tags->set_bytes = tags_round((slots + 1) * sizeof(struct tags_slot));
    tags->bytes = tags_sets_offset(slots) + sets * tags->set_bytes;
    return tags;
}

/* Empties the file, makes it as long as the table and maps it. Returns 0 or -errno. */
static int tags_map_file(struct pool_tags *tags, int file)
{
    if (ftruncate(file, 0) != 0 || ftruncate(file, (off_t)tags->bytes) != 0)
        return -errno;
    int error = pb_pages_backing_system->allocate(file, 0, tags->bytes);
    if (error != 0)
        return error;
    void *at = mmap(NULL, tags->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED)
        return -errno;
    tags->base = at;
    return 0;
}

/* The slot of a tag, or the first empty one on its way, or the spare if there is neither. Relaxed:
 * a slot's tag never changes, and its counters were zero before it was written. */
static uint32_t tags_probe(const struct pool_tags *tags, uint32_t tag, uint32_t *seen)
{
    const uint32_t mask = tags->slots - 1;
    uint32_t slot = pb_pool_tags_hash(tag, mask);
    for (uint32_t i = 0; i < tags->slots; i++, slot = (slot + 1) & mask) {
        *seen = atomic_load_explicit(tags_slot_tag(tags, slot), memory_order_relaxed);
        if (*seen == tag || *seen == 0)
            return slot;
    }
    return tags->slots;
}

/* Another thread may have made the entry, or filled the slot with another tag, meanwhile. */
static PB_NOINLINE uint32_t tags_make(struct pool_tags *tags, uint32_t tag)
{
    uint32_t seen;
    pb_latch_lock(&tags->latch);
    uint32_t slot = tags_probe(tags, tag, &seen);
    if (slot < tags->slots && seen == 0)
        atomic_store_explicit(tags_slot_tag(tags, slot), tag, memory_order_relaxed);
    pb_latch_unlock(&tags->latch);
    return slot;
}

struct pool_tags *pb_pool_tags_open(unsigned slots, unsigned processors, int file)
{
    struct pool_tags *tags =
        tags_handle(tags_power_of_two(slots, TAGS_SLOTS_MIN, TAGS_SLOTS_MAX),
                    tags_power_of_two(processors, 1, TAGS_SETS_MAX), file >= 0);
    if (tags == NULL)
        return NULL;
    if (file < 0)
        tags->base = pb_pages_map(tags->bytes);
    if (file < 0 ? tags->base == NULL : tags_map_file(tags, file) != 0) {
        pb_pages_unmap(tags, sizeof *tags);
        return NULL;
    }
    struct tags_head *head = (struct tags_head *)(void *)tags->base;
    head->slots = tags->slots;
    head->sets = tags->sets;
    for (unsigned i = 0; i < sizeof tags_seeds / sizeof *tags_seeds; i++)
        (void)tags_make(tags, tags_seeds[i]);
    /* release: whoever sees the magic sees what the table's shape is */
    atomic_store_explicit(&head->magic, TAGS_MAGIC, memory_order_release);
    return tags;
}

void pb_pool_tags_close(struct pool_tags *tags)
{
    if (tags == NULL)
        return;
    if (tags->shared)
        (void)munmap(tags->base, tags->bytes); /* an address and a length that mmap returned */
    else
        pb_pages_unmap(tags->base, tags->bytes);
    pb_pages_unmap(tags, sizeof *tags);
}

static bool tags_head_sound(const struct tags_head *head)
{
    /* relaxed: the head was copied out of the file by a system call */
    return atomic_load_explicit(&head->magic, memory_order_relaxed) == TAGS_MAGIC &&
           head->slots >= TAGS_SLOTS_MIN && head->slots <= TAGS_SLOTS_MAX &&
           (head->slots & (head->slots - 1)) == 0 && head->sets >= 1 &&
           head->sets <= TAGS_SETS_MAX && (head->sets & (head->sets - 1)) == 0;
}

bool pb_pool_tags_in(int file)
{
    uint64_t magic;
    return pread(file, &magic, sizeof magic, 0) == (ssize_t)sizeof magic && magic == TAGS_MAGIC;
}

int pb_pool_tags_attach(int file, struct pool_tags **attached)
{
    struct tags_head head;
    struct stat status;
    if (fstat(file, &status) != 0)
        return -errno;
    ssize_t got = pread(file, &head, sizeof head, 0);
    if (got < 0)
        return -errno;
    if ((size_t)got != sizeof head || !tags_head_sound(&head))
        return -EINVAL;
    struct pool_tags *tags = tags_handle(head.slots, head.sets, true);
    if (tags == NULL)
        return -ENOMEM;
    int error = (uint64_t)status.st_size < tags->bytes ? -EINVAL : 0;
    void *at = error == 0 ? mmap(NULL, tags->bytes, PROT_READ, MAP_SHARED, file, 0) : NULL;
    if (at == MAP_FAILED)
        error = -errno;
    if (error != 0) {
        pb_pages_unmap(tags, sizeof *tags);
        return error;
    }
    tags->base = at;
    *attached = tags;
    return 0;
}

static uint32_t tags_plain(uint32_t tag)
{
    tag &= ~PROTECTED_POOL;
    return tag != 0 ? tag : TAGS_NONE;
}

static uint32_t tags_own_set(const struct pool_tags *tags)
{
    return pb_processor() & (tags->sets - 1);
}

void pb_pool_tags_allocated(struct pool_tags *tags, uint32_t tag, bool paged, size_t bytes)
{
    uint32_t seen;
    tag = tags_plain(tag);
    uint32_t slot = tags_probe(tags, tag, &seen);
    if (PB_UNLIKELY(slot < tags->slots && seen == 0))
        slot = tags_make(tags, tag);
    struct tags_count *count = tags_counter(tags, tags_own_set(tags), slot, paged);
    /* relaxed: a count alone; that it comes before its free, the block's way to who frees it says
     */
    atomic_fetch_add_explicit(&count->allocs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&count->alloc_bytes, bytes, memory_order_relaxed);
}

void pb_pool_tags_freed(struct pool_tags *tags, uint32_t tag, bool paged, size_t bytes)
{
    uint32_t seen;
    uint32_t slot = tags_probe(tags, tags_plain(tag), &seen);
    if (PB_UNLIKELY(slot < tags->slots && seen == 0))
        slot = tags->slots; /* never counted as allocated: the spare keeps the odd one */
    struct tags_count *count = tags_counter(tags, tags_own_set(tags), slot, paged);
    /* release: a reader who sees this free sees its allocation (I2) */
    atomic_fetch_add_explicit(&count->frees, 1, memory_order_release);
    atomic_fetch_add_explicit(&count->free_bytes, bytes, memory_order_release);
}

struct tags_sum {
    uint64_t allocs, frees, used;
};

static struct tags_sum tags_sum(const struct pool_tags *tags, uint32_t slot, bool paged)
{
    struct tags_sum sum = {0, 0, 0};
    uint64_t freed = 0;
    for (uint32_t set = 0; set < tags->sets; set++) {
        struct tags_count *count = tags_counter(tags, set, slot, paged);
        /* acquire: with the release of a free, its allocation is seen below */
        sum.frees += atomic_load_explicit(&count->frees, memory_order_acquire);
        freed += atomic_load_explicit(&count->free_bytes, memory_order_acquire);
    }
    for (uint32_t set = 0; set < tags->sets; set++) {
        struct tags_count *count = tags_counter(tags, set, slot, paged);
        /* relaxed: may be newer than the frees, never older */
        sum.allocs += atomic_load_explicit(&count->allocs, memory_order_relaxed);
        sum.used += atomic_load_explicit(&count->alloc_bytes, memory_order_relaxed);
    }
    sum.used -= freed;
    return sum;
}

/* As poolmon orders them: by their characters. */
static bool tags_before(const SYSTEM_POOLTAG *a, const SYSTEM_POOLTAG *b)
{
    return memcmp(a->Tag, b->Tag, sizeof a->Tag) < 0;
}

/* Moves the row at `at` down to its place in a heap whose root is the last in order. */
static void tags_sift(SYSTEM_POOLTAG *rows, unsigned count, unsigned at)
{
    for (;;) {
        unsigned child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && tags_before(&rows[child], &rows[child + 1]))
            child++;
        if (!tags_before(&rows[at], &rows[child]))
            return;
        SYSTEM_POOLTAG row = rows[at];
        rows[at] = rows[child];
        rows[child] = row;
        at = child;
    }
}

/* The first `count` of all rows stay, in a heap once there are so many. */
static void tags_keep(SYSTEM_POOLTAG *rows, unsigned count, unsigned seen,
                      const SYSTEM_POOLTAG *row)
{
    if (seen < count) {
        rows[seen] = *row;
        if (seen + 1 == count)
            for (unsigned at = count / 2; at-- > 0;)
                tags_sift(rows, count, at);
    } else if (count > 0 && tags_before(row, &rows[0])) {
        rows[0] = *row;
        tags_sift(rows, count, 0);
    }
}

static void tags_sort(SYSTEM_POOLTAG *rows, unsigned count)
{
    for (unsigned at = count / 2; at-- > 0;)
        tags_sift(rows, count, at);
    while (count > 1) {
        SYSTEM_POOLTAG last = rows[0];
        rows[0] = rows[--count];
        rows[count] = last;
        tags_sift(rows, count, 0);
    }
}

unsigned pb_pool_tags_read(const struct pool_tags *tags, SYSTEM_POOLTAG *rows, unsigned count)
{
    unsigned seen = 0;
    for (uint32_t slot = 0; slot < tags->slots; slot++) {
        /* relaxed: an entry made just now may be missed */
        uint32_t tag = atomic_load_explicit(tags_slot_tag(tags, slot), memory_order_relaxed);
        if (tag == 0)
            continue;
        struct tags_sum paged = tags_sum(tags, slot, true);
        struct tags_sum nonpaged = tags_sum(tags, slot, false);
        if (paged.allocs + nonpaged.allocs == 0)
            continue;
        SYSTEM_POOLTAG row = {.TagUlong = tag,
                              .PagedAllocs = (ULONG)paged.allocs,
                              .PagedFrees = (ULONG)paged.frees,
                              .PagedUsed = paged.used,
                              .NonPagedAllocs = (ULONG)nonpaged.allocs,
                              .NonPagedFrees = (ULONG)nonpaged.frees,
                              .NonPagedUsed = nonpaged.used};
        tags_keep(rows, count, seen++, &row);
    }
    tags_sort(rows, seen < count ? seen : count);
    return seen;
}

uint64_t pb_pool_tags_uncounted(const struct pool_tags *tags)
{
    return tags_sum(tags, tags->slots, false).allocs + tags_sum(tags, tags->slots, true).allocs;
}

size_t pb_pool_tags_rows(const struct pool_tags *tags, struct pb_tag_row *rows, size_t count)
{
    size_t seen = 0;
    for (uint32_t slot = 0; slot < tags->slots; slot++) {
        /* relaxed: as in pb_pool_tags_read */
        uint32_t tag = atomic_load_explicit(tags_slot_tag(tags, slot), memory_order_relaxed);
        for (int paged = 0; tag != 0 && paged < 2; paged++) {
            struct tags_sum sum = tags_sum(tags, slot, paged != 0);
            if (sum.allocs != 0 && seen++ < count)
                rows[seen - 1] =
                    (struct pb_tag_row){tag, paged != 0, sum.allocs, sum.frees, sum.used};
        }
    }
    return seen;
}
