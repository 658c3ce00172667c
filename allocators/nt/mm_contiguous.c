/* SPDX-License-Identifier: MIT */
/* Contiguous memory: places where the system may have it, tried in order; what a place gives is
 * kept only if it is contiguous for certain: it lies in one huge page, or its frame numbers say so.
 * Source:  WDK, MmAllocateContiguousMemory; ReactOS, as documented (contmem), for the order: pool
 *          first; Linux, Documentation/admin-guide/mm/{hugetlbpage,transhuge}.rst.
 * I1       the table has every block that was given and not freed: address -> bytes, place
 * Locks    one mutex guards the table
 * Cost     a block above a page costs at least 2 MiB unless the pool had it */
#include "nt/mm.h"
#include "nt/vatable.h"

#include <poolbench/nt/pool.h>

#include <pthread.h>

enum { CONTIGUOUS_TAG = 0x6D436D4D }; /* "MmCm" */
enum { PHYSICAL_BITS = 52 };          /* no processor has more */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pb_vatable given;

/* Where memory may come from. `sure`: what it gave is contiguous for certain. */
struct place {
    void *(*take)(size_t bytes, bool *sure);
    void (*give)(void *at, size_t bytes);
    bool huge; /* locked in whole huge pages: one that is locked in part may be cut up */
};

static void *pool_take(size_t bytes, bool *sure)
{
    void *at = ExAllocatePoolWithTag(NonPagedPool, bytes, CONTIGUOUS_TAG);
    *sure = bytes <= PAGE_SIZE;
    return at;
}

static void pool_give(void *at, size_t bytes)
{
    (void)bytes;
    ExFreePoolWithTag(at, 0);
}

static size_t huge_round(size_t bytes)
{
    return (bytes + PB_HUGE_BYTES - 1) & ~((size_t)PB_HUGE_BYTES - 1);
}

static void huge_give(void *at, size_t bytes)
{
    (void)munmap(at, huge_round(bytes));
}

static void *huge_take(size_t bytes, bool *sure)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT; /* 2 MiB */
    void *at = mmap(NULL, huge_round(bytes), PROT_READ | PROT_WRITE, flags, -1, 0);
    *sure = bytes <= PB_HUGE_BYTES;
    if (at == MAP_FAILED)
        return NULL;
    if (pb_resident_populate(at, huge_round(bytes), true) == 0)
        return at;
    huge_give(at, bytes);
    return NULL;
}

/* A mapping that begins at a huge page's boundary. */
static unsigned char *map_aligned(size_t bytes)
{
    size_t room = bytes + PB_HUGE_BYTES;
    unsigned char *at =
        mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    size_t before = huge_round((uintptr_t)at) - (uintptr_t)at;
    if (before != 0)
        (void)munmap(at, before);
    (void)munmap(at + before + bytes, room - before - bytes);
    return at + before;
}

static void *transparent_take(size_t bytes, bool *sure)
{
    size_t whole = huge_round(bytes);
    unsigned char *at = map_aligned(whole);
    if (at == NULL)
        return NULL;
    (void)madvise(at, whole, MADV_HUGEPAGE); /* refused where there are none */
    if (pb_resident_populate(at, whole, true) != 0) {
        huge_give(at, bytes);
        return NULL;
    }
    *sure = madvise(at, whole, MADV_COLLAPSE) == 0 && bytes <= PB_HUGE_BYTES;
    return at;
}

enum { PLACES = 3, PLACES_AT_DISPATCH = 1 };
static const struct place places[PLACES] = {{pool_take, pool_give, false},
                                            {huge_take, huge_give, true},
                                            {transparent_take, huge_give, true}};

static size_t locked_bytes(size_t place, size_t bytes)
{
    return places[place].huge ? huge_round(bytes) : bytes;
}

/* Whether the frames are known, follow each other and end at or below `highest`. */
static bool frames_follow(const unsigned char *at, size_t pages, uint64_t highest)
{
    ULONG_PTR first = 0, frame;
    for (size_t i = 0; i < pages; i++) {
        if (pb_frames(at + i * PAGE_SIZE, 1, &frame) != 1 || (i != 0 && frame != first + i))
            return false;
        first = i == 0 ? frame : first;
    }
    return ((uint64_t)(first + pages) << PAGE_SHIFT) - 1 <= highest;
}

static int note_given(const void *at, size_t bytes, size_t place)
{
    pthread_mutex_lock(&mutex);
    int error = pb_vatable_reserve(&given, 1);
    if (error == 0) {
        struct pb_vatable_entry *entry = pb_vatable_insert(&given, (uintptr_t)at);
        entry->value = bytes;
        entry->extra = place;
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

/* One place's memory, locked, or NULL. */
static void *take_from(size_t place, size_t bytes, uint64_t highest)
{
    size_t held = locked_bytes(place, bytes);
    bool sure = false, limited = highest < ((uint64_t)1 << PHYSICAL_BITS) - 1;
    void *at = places[place].take(bytes, &sure);
    if (at == NULL)
        return NULL;
    if (pb_resident_populate(at, bytes, true) != 0 || pb_resident_lock(at, held) != 0)
        goto out_give;
    if ((limited || !sure) && !frames_follow(at, BYTES_TO_PAGES(bytes), highest))
        goto out_unlock;
    if (note_given(at, bytes, place) == 0)
        return at;
out_unlock:
    (void)pb_resident_unlock(at, held);
out_give:
    places[place].give(at, bytes);
    return NULL;
}

PVOID MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress)
{
    size_t bytes = NumberOfBytes <= PAGE_SIZE ? PAGE_SIZE : ROUND_TO_PAGES(NumberOfBytes);
    size_t tried = KeGetCurrentIrql() <= APC_LEVEL ? PLACES : PLACES_AT_DISPATCH;
    uint64_t highest = (uint64_t)HighestAcceptableAddress.QuadPart;
    if (pb_irql_above(DISPATCH_LEVEL, NULL) || NumberOfBytes > SIZE_MAX / 2)
        return NULL;
    for (size_t i = 0; i < tried; i++) {
        void *at = take_from(i, bytes, highest);
        if (at != NULL)
            return at;
    }
    return NULL;
}

/* Takes the block out of the table; false if it is not there. */
static bool forget_given(const void *at, struct pb_vatable_entry *block)
{
    pthread_mutex_lock(&mutex);
    struct pb_vatable_entry *entry = pb_vatable_find(&given, (uintptr_t)at);
    bool found = entry != NULL;
    if (found) {
        *block = *entry;
        pb_vatable_remove(&given, entry);
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

static void give_back(const struct pb_vatable_entry *block)
{
    void *at = (void *)block->key; /* NOLINT: the table keeps addresses as numbers */
    (void)pb_resident_unlock(at, locked_bytes(block->extra, block->value));
    places[block->extra].give(at, block->value);
}

void MmFreeContiguousMemory(PVOID BaseAddress)
{
    struct pb_vatable_entry block;
    if (pb_irql_above(DISPATCH_LEVEL, BaseAddress))
        return;
    if (BaseAddress != NULL && forget_given(BaseAddress, &block))
        give_back(&block);
    else
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_NOT_CONTIGUOUS, (ULONG_PTR)BaseAddress, 0, 0);
}

void pb_mm_reset(void)
{
    for (size_t i = 0; i < given.capacity; i++)
        if (given.slots[i].key != 0)
            give_back(&given.slots[i]);
    pb_vatable_close(&given);
}
