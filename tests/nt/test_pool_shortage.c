/* SPDX-License-Identifier: MIT */
/* A3, A4.8, A8, A13, A14: when something runs short: pages, a limit, the big-page table, room for
 * delayed frees, counts that threads lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/fixup.h"
#include "nt/pool_engine_fixture.h"
#include "pool/front.h"

#include <sys/mman.h>

enum { BIGS = 80, FULL = 256 };

static struct pool_front *open_front(const char *text, unsigned classes)
{
    char message[200] = "";
    struct pool_options options;
    struct pool_front *front = NULL;
    read_options(text, &options);
    assert_int_equal(pb_front_open(&options, classes, &front, message, sizeof message), 0);
    return front;
}

static void what_is_cached_serves_at_the_limit(void **state)
{
    static void *blocks[1024];
    (void)state;
    static const char *const forms[] = {"nonpaged_limit=64k,processors=1",
                                        "nonpaged_limit=64k," BARE ",profile=vista"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct pool_front *front = open_front(forms[i], 1);
        const struct pool_ask asked = {.bytes = 48, .tag = TAG_TEST};
        unsigned n = 0;
        while (n < COUNT_OF(blocks) && (blocks[n] = pb_front_allocate(front, &asked)) != NULL)
            n++;
        assert_int_equal(n, 1024);
        assert_null(pb_front_allocate(front, &asked));
        pb_front_free(front, blocks[500], 0); /* into a list, or delayed */
        blocks[500] = pb_front_allocate(front, &asked);
        assert_non_null(blocks[500]);
        assert_null(pb_front_allocate(front, &asked));
        pb_front_close(front);
    }
}

static void an_untracked_allocation_is_freed_under_any_tag(void **state)
{
    void *blocks[BIGS];
    unsigned untracked = 0;
    (void)state;
    struct pool_front *front = open_front("profile=nt4,big_entries=64", 1);
    const struct pool_ask asked = {.bytes = 5000, .tag = TAG_TEST | PROTECTED_POOL};
    for (unsigned i = 0; i < BIGS; i++) {
        struct pool_block found;
        blocks[i] = pb_front_allocate(front, &asked);
        assert_true(pb_pool_inspect(front->pool, blocks[i], &found));
        untracked += found.tag == POOL_TAG_BIG;
    }
    assert_true(untracked >= BIGS - 64);
    for (unsigned i = 0; i < BIGS; i++)
        pb_front_free(front, blocks[i], TAG_TEST | PROTECTED_POOL);
    assert_int_equal(bugcheck[0], 0);
    assert_int_equal(pb_front_live(front), 0);
    pb_front_close(front);
}

static void tables_are_as_long_as_the_profile_says(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        size_t entries;
    } rows[] = {{"profile=nt4", 2048},
                {"profile=w2k", 4096},
                {"profile=xp", 4096},
                {"profile=win8", 4096},
                {"profile=nt4,big_entries=8192", 8192}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        reopen(rows[i].options);
        assert_int_equal(pb_pool_big_capacity(pool->big), rows[i].entries);
    }
}

static void no_tag_is_none_in_special_pool_and_the_reserve_too(void **state)
{
    static const struct {
        const char *options;
        unsigned type;
    } rows[] = {{"special=overrun", NonPagedPool},
                {"profile=nt4,nonpaged_limit=1", NonPagedPoolMustSucceed},
                {"", NonPagedPool}};
    const BOOLEAN checked = PbNtChecked;
    (void)state;
    PbNtChecked = FALSE; /* a checked build wants a tag */
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pool_front *front = open_front(rows[i].options, 1);
        const struct pool_ask asked = {.bytes = 48, .type = rows[i].type};
        void *block = pb_front_allocate(front, &asked);
        assert_non_null(block);
        pb_front_free(front, block, POOL_TAG_NONE);
        assert_int_equal(bugcheck[0], 0);
        assert_int_equal(pb_front_live(front), 0);
        pb_front_close(front);
    }
    PbNtChecked = checked;
}

static void failures_are_counted(void **state)
{
    (void)state;
    reopen(BARE ",reserve=1M");
    for (unsigned i = 0; i < FULL; i++)
        (void)take(3000);
    assert_int_equal(counts().failures, 0);
    assert_null(ask(3000, 0, TAG_TEST, 0));
    assert_null(ask(5000, 0, TAG_TEST, 0));
    assert_int_equal(counts().failures, 2);
    assert_int_equal(counts().running_allocs, FULL);
}

static void a_pool_without_pages_takes_what_another_has(void **state)
{
    static void *blocks[2 * FULL]; /* two a page, and nothing that is as long beside them */
    (void)state;
    reopen(BARE ",reserve=1M,nonpaged_pools=4");
    for (unsigned i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = take(2000);
    assert_null(ask(2000, 0, TAG_TEST, 0));
    for (unsigned turn = 0; turn < 4; turn++) { /* one pool has room, whoever is asked first */
        give(blocks[9]);
        blocks[9] = take(2000);
        assert_null(ask(2000, 0, TAG_TEST, 0));
        (void)take(16); /* one call more, so that the turn goes on by three */
    }
    check_sound();
}

static void a_full_stack_of_delayed_frees_takes_no_more(void **state)
{
    _Atomic uint64_t head = 0;
    (void)state;
    reopen(BARE ",profile=vista86,delayed_frees=on");
    void *block = take(4000);
    const unsigned granules = size_of(block);
    for (unsigned i = 1; i <= PENDING_FULL; i++) {
        unsigned now = pool_pending_push(&head, header_of(block), 1, granules, false);
        assert_int_equal(now, i);
    }
    uint64_t full = atomic_load(&head);
    assert_int_equal(pool_pending_offset(full), 1);
    assert_int_equal(pool_pending_granules(full), PENDING_FULL * granules);
    assert_int_equal(pool_pending_push(&head, header_of(block), 1, granules, false), 0);
    assert_true(atomic_load(&head) == full);
    atomic_store(&desc->pending, full); /* as if so many threads were held up */
    give(block);
    assert_int_equal(counts().running_frees, 1); /* done at once */
    atomic_store(&desc->pending, 0);
    check_sound();
}

static void lost_counts_never_make_a_difference_negative(void **state)
{
    (void)state;
    reopen("processors=1,shared_lists=off");
    give(take(64));
    (void)take(64);
    GENERAL_LOOKASIDE *list = &space->lists.processors[4].general;
    list->AllocateHits += 5;
    list->FreeHits += 5;
    assert_int_equal(counts().list_allocates, counts().list_hits);
    assert_int_equal(counts().list_frees, counts().list_free_hits);
    list->ListHead.Alignment += 100; /* a depth that is not there yet when bytes are read */
    assert_int_equal(counts().cached_bytes, counts().total_bytes);
    list->ListHead.Alignment -= 100;
    check_sound();
}

/* What a slow popper reads when a full disk has taken the page's room. */
static void a_pop_survives_an_entry_whose_page_is_gone(void **state)
{
    uint64_t head = 0;
    (void)state;
    if (pb_fixup_install() != 0)
        skip_because("faulting loads have no fix-up on this processor");
    unsigned char *base =
        mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    pool_slist8_push(&head, base, base + PAGE_SIZE);
    uint64_t before = pb_fixup_count();
    assert_int_equal(mprotect(base + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    assert_ptr_equal(pool_slist8_pop(&head, base), base + PAGE_SIZE);
    assert_int_equal(pb_fixup_count(), before + 1);
    munmap(base, 2 * PAGE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A14: at the limit, a cached or delayed block still serves",
                   what_is_cached_serves_at_the_limit),
        POOL_NAMED("A8: an allocation booked under BIG is freed under any tag",
                   an_untracked_allocation_is_freed_under_any_tag),
        POOL_NAMED("A8: the big-page table begins with 4096 entries, NT 4's with 2048",
                   tables_are_as_long_as_the_profile_says),
        POOL_NAMED("A9: no tag is None in special pool and the reserve too",
                   no_tag_is_none_in_special_pool_and_the_reserve_too),
        POOL_NAMED("A4.8: failures are counted", failures_are_counted),
        POOL_NAMED("A13: a pool without pages takes what another has",
                   a_pool_without_pages_takes_what_another_has),
        POOL_NAMED("A5.6: a full stack of delayed frees takes no more",
                   a_full_stack_of_delayed_frees_takes_no_more),
        POOL_NAMED("A4.3: lost counts never make a difference negative",
                   lost_counts_never_make_a_difference_negative),
        POOL_NAMED("A4.3: a pop survives an entry whose page is gone",
                   a_pop_survives_an_entry_whose_page_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
