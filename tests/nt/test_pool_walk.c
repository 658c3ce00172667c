/* SPDX-License-Identifier: MIT */
/* What the walk over the whole pool finds, by planting it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

static void the_walk_finds_what_is_planted(void **state)
{
    (void)state;
    void *first = take(64), *block = take(64), *big = take(5000);
    void *rest = behind(first, 5);
    struct pool_header *header = header_of(block);
    pool_set_size(header, 5 ^ 2, 1, true);
    check_finds("BlockSize does not lead");
    pool_set_size(header, 5, 1, true);
    plant(block, false, 7);
    check_finds("PreviousSize is not the size");
    plant(block, false, 246);
    pool_set_size(header, 5, 1 + 16, true);
    check_finds("PoolType unknown");
    pool_set_size(header, 5, 2, true);
    check_finds("PoolType of another pool");
    pool_set_size(header, 5, POOL_TYPE_FREE, true);
    check_finds("two free blocks are neighbours");
    pool_set_size(header, 5, 1, true);
    pool_set_size(header_of(rest), 246, 1, true);
    check_finds("list leads to what is no free block");
    pool_set_size(header_of(rest), 246, POOL_TYPE_FREE, true);
    (void)RemoveEntryList((PLIST_ENTRY)rest);
    check_finds("bitmap disagrees");
    pool_set_listed(desc, 246, false);
    check_finds("free blocks that no list holds");
    pool_set_listed(desc, 246, true);
    InsertHeadList(&desc->heads.wide[245], (PLIST_ENTRY)rest);
    check_sound();
    desc->TotalBytes += 16;
    check_finds("counters disagree with the blocks");
    desc->TotalBytes -= 16;
    desc->TotalPages++;
    check_finds("counters disagree with the pages");
    desc->TotalPages--;
    space->big_counts.bytes++;
    check_finds("counters disagree with the big");
    space->big_counts.bytes--;
    pool_page_set(space, big, POOL_PAGE_NONE);
    check_finds("neither of blocks nor big");
    pool_page_set(space, big, POOL_PAGE_UNTRACKED);
    check_finds("page map and big-page table disagree");
    pool_page_set(space, big, POOL_PAGE_BIG);
    space->runs.entries[((unsigned char *)big - space->base) >> PAGE_SHIFT].pages++;
    check_finds("");
    space->runs.entries[((unsigned char *)big - space->base) >> PAGE_SHIFT].pages--;
    check_sound();
}

static void the_walk_finds_what_is_planted_in_the_bitmaps(void **state)
{
    (void)state;
    reopen(BARE ",type=paged,paged_pools=1");
    void *block = take(64), *big = take(5000);
    struct page_bitmap *map = &space->bitmap;
    (void)block;
    assert_ptr_equal(big, space->base + PAGE_SIZE); /* pages 1 and 2 */
    give(take(8 * PAGE_SIZE));                      /* 3 to 10 are known, and free */
    map->last[0] ^= 1 << 2;
    check_finds("");
    map->last[0] ^= 1 << 2 | 1 << 5;
    check_finds("a free page ends a run");
    map->last[0] ^= 1 << 5;
    map->taken[0] ^= 1 << 6;
    check_finds("a run has no end");
    map->taken[0] ^= 1 << 6;
    size_t hint = map->hint;
    map->hint = 9;
    check_finds("below the hint");
    map->hint = hint;
    map->gone[0] ^= 1 << 2;
    check_finds("given to the system");
    map->gone[0] ^= 1 << 2;
    check_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A15: the walk finds what is planted", the_walk_finds_what_is_planted),
        POOL_NAMED("A6: the walk finds what is planted in the bitmaps",
                   the_walk_finds_what_is_planted_in_the_bitmaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
