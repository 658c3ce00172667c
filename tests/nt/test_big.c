/* SPDX-License-Identifier: MIT */
/* A8: the big-page table: hash, probing with wrap, growth and shrinking, threads, and what its
 * check finds when a fault is planted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pages.h"
#include "pool/big.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const void *page(uint64_t number)
{
    return (const void *)(uintptr_t)(number << 12);
}

static struct pool_big_entry entry_of(uint64_t number)
{
    return (struct pool_big_entry){.va = (uintptr_t)(number << 12),
                                   .tag = (uint32_t)number,
                                   .type = 1,
                                   .pages = 2 + number % 5};
}

static bool insert(struct pool_big *big, uint64_t number)
{
    struct pool_big_entry entry = entry_of(number);
    return pb_pool_big_insert(big, &entry);
}

static bool has(struct pool_big *big, uint64_t number)
{
    struct pool_big_entry entry, wanted = entry_of(number);
    return pb_pool_big_find(big, page(number), &entry) && entry.va == wanted.va &&
           entry.tag == wanted.tag && entry.type == wanted.type && entry.pages == wanted.pages;
}

static bool take(struct pool_big *big, uint64_t number)
{
    struct pool_big_entry entry;
    return pb_pool_big_remove(big, page(number), &entry) && entry.tag == (uint32_t)number;
}

static void sound(struct pool_big *big)
{
    char message[256] = "";
    if (pb_pool_big_check(big, message, sizeof message) != 0)
        fail_msg("%s", message);
}

static void the_hash_folds_the_page_number_by_bytes(void **state)
{
    (void)state;
    static const struct {
        uintptr_t va;
        size_t mask, slot;
    } rows[] = {
        {0x1000, 4095, 1},
        {0x12345000, 4095, 0x267},     /* 0x345 ^ 0x123 ^ 1 */
        {0x12345FFF, 4095, 0x267},     /* the page alone counts */
        {0x7FFF12345000, 4095, 0xA68}, /* 0x345 ^ 0x123 ^ 0xFF1 ^ 0x7FF */
        {0x7FFF12345000, 63, 0xA68 & 63},
        {0xFFFFF000, 63, 0x3F ^ 0x3F ^ 0xF},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(pb_pool_big_hash((const void *)rows[i].va, rows[i].mask), rows[i].slot);
}

static void what_was_inserted_is_found_once_and_removed_once(void **state)
{
    (void)state;
    struct pool_big_entry entry = {.va = 77};
    struct pool_big *big = pb_pool_big_open(64, false);
    assert_non_null(big);
    assert_false(pb_pool_big_find(big, page(5), &entry));
    assert_int_equal(entry.va, 77); /* untouched */
    assert_true(insert(big, 5));
    assert_true(has(big, 5));
    assert_false(has(big, 6));
    assert_int_equal(pb_pool_big_count(big), 1);
    assert_true(take(big, 5));
    assert_false(take(big, 5));
    assert_false(has(big, 5));
    assert_int_equal(pb_pool_big_count(big), 0);
    sound(big);
    pb_pool_big_close(big);
}

static void probing_wraps_at_the_end_of_the_table(void **state)
{
    (void)state;
    struct pool_big *big = pb_pool_big_open(64, false);
    assert_non_null(big);
    static const uint64_t same[] = {63, 1 << 8 | (63 ^ 1), 2 << 8 | (63 ^ 2), 3 << 8 | (63 ^ 3)};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pb_pool_big_hash(page(same[i]), 63), 63);
        assert_true(insert(big, same[i]));
    }
    sound(big);
    for (unsigned i = 0; i < 4; i++)
        assert_true(has(big, same[i]));
    assert_true(take(big, same[0])); /* a hole before the others */
    sound(big);
    assert_true(has(big, same[3]));
    assert_true(take(big, same[3]));
    assert_true(take(big, same[2]));
    assert_true(has(big, same[1]));
    assert_true(insert(big, same[3]));
    sound(big);
    assert_int_equal(pb_pool_big_count(big), 2);
    pb_pool_big_close(big);
}

static void a_table_that_does_not_grow_refuses_when_it_is_full(void **state)
{
    (void)state;
    struct pool_big *big = pb_pool_big_open(1, false); /* the least is 64 */
    assert_non_null(big);
    assert_int_equal(pb_pool_big_capacity(big), 64);
    for (uint64_t n = 1; n <= 64; n++)
        assert_true(insert(big, n));
    assert_false(insert(big, 65));
    assert_int_equal(pb_pool_big_count(big), 64);
    sound(big);
    assert_false(has(big, 65)); /* in a full table the search ends, too */
    for (uint64_t n = 1; n <= 64; n++)
        assert_true(has(big, n));
    assert_true(take(big, 17));
    assert_true(insert(big, 65));
    sound(big);
    assert_int_equal(pb_pool_big_capacity(big), 64);
    pb_pool_big_close(big);
}

static void a_table_that_grows_doubles_when_crowded_and_halves_when_empty(void **state)
{
    (void)state;
    struct pool_big *big = pb_pool_big_open(64, true);
    assert_non_null(big);
    for (uint64_t n = 1; n <= 64; n++) /* one place each: long probes never come about */
        assert_true(insert(big, n));
    assert_int_equal(pb_pool_big_capacity(big), 64);
    assert_true(insert(big, 65)); /* full */
    assert_int_equal(pb_pool_big_capacity(big), 128);
    for (uint64_t n = 66; n <= 1000; n++)
        assert_true(insert(big, n));
    assert_int_equal(pb_pool_big_capacity(big), 1024);
    sound(big);
    for (uint64_t n = 1; n <= 1000; n++)
        assert_true(has(big, n));
    for (uint64_t n = 1; n <= 872; n++)
        assert_true(take(big, n));
    assert_int_equal(pb_pool_big_capacity(big), 1024); /* 128 left: an eighth */
    assert_true(take(big, 873));
    assert_int_equal(pb_pool_big_capacity(big), 512);
    for (uint64_t n = 874; n <= 1000; n++)
        assert_true(take(big, n));
    assert_int_equal(pb_pool_big_capacity(big), 64); /* never below what it was opened with */
    assert_int_equal(pb_pool_big_count(big), 0);
    sound(big);
    pb_pool_big_close(big);
}

static void long_probes_alone_grow_the_table_only_above_three_quarters(void **state)
{
    (void)state;
    struct pool_big *big = pb_pool_big_open(256, true);
    assert_non_null(big);
    for (uint64_t i = 0; i < 40; i++) /* all of one hash */
        assert_true(insert(big, i << 8 | (i ^ 9)));
    assert_int_equal(pb_pool_big_hash(page(39 << 8 | (39 ^ 9)), 255), 9);
    assert_int_equal(pb_pool_big_capacity(big), 256);
    for (uint64_t i = 40; i < 193; i++)
        assert_true(insert(big, i << 8 | (i ^ 9)));
    assert_int_equal(pb_pool_big_count(big), 193);
    assert_int_equal(pb_pool_big_capacity(big), 512);
    sound(big);
    pb_pool_big_close(big);
}

static void *reserve_nothing(size_t bytes)
{
    (void)bytes;
    return NULL;
}

static void without_memory_to_grow_a_full_table_refuses(void **state)
{
    (void)state;
    struct pool_big *big = pb_pool_big_open(64, true);
    assert_non_null(big);
    for (uint64_t n = 1; n <= 64; n++)
        assert_true(insert(big, n));
    struct pb_pages_system empty = pb_pages_linux;
    empty.reserve = reserve_nothing;
    pb_pages_system = &empty;
    bool inserted = insert(big, 65);
    struct pool_big *none = pb_pool_big_open(64, true);
    pb_pages_system = &pb_pages_linux;
    assert_false(inserted);
    assert_null(none);
    assert_true(insert(big, 65));
    sound(big);
    pb_pool_big_close(big);
}

static void many_rounds_of_random_use_agree_with_a_model(void **state)
{
    (void)state;
    static bool model[3000];
    uint64_t random = 88172645463325252u;
    size_t live = 0;
    struct pool_big *big = pb_pool_big_open(64, true);
    assert_non_null(big);
    for (unsigned round = 0; round < 60000; round++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        unsigned wide = round / 20000 == 1 ? 100 : 3000; /* it shrinks in the middle */
        uint64_t n = random % wide;
        uint64_t number = 1 + n * 257;
        if (model[n] != has(big, number))
            fail_msg("round %u", round);
        if (model[n])
            assert_true(take(big, number));
        else if (wide == 3000 || random >> 60 == 0)
            assert_true(insert(big, number));
        else
            continue;
        model[n] = !model[n];
        live += model[n] ? 1 : (size_t)-1;
        assert_int_equal(pb_pool_big_count(big), live);
        if (round % 10000 == 0)
            sound(big);
    }
    sound(big);
    pb_pool_big_close(big);
}

enum { THREADS = 4, PAGES = 600, COMMON = 300 };

struct worker {
    struct pool_big *big;
    unsigned index;
    unsigned won; /* removals of the common entries */
    bool good;
    atomic_uint *ready;
};

static void *insert_and_remove(void *argument)
{
    struct worker *worker = argument;
    const uint64_t own = 100000 + (uint64_t)worker->index * PAGES;
    worker->good = true;
    /* release and acquire: nobody begins before all are there */
    atomic_fetch_add_explicit(worker->ready, 1, memory_order_release);
    while (atomic_load_explicit(worker->ready, memory_order_acquire) < THREADS)
        continue;
    for (unsigned i = 0; i < PAGES; i++) {
        worker->good =
            insert(worker->big, own + i) && has(worker->big, own + i / 2) && worker->good;
        if (i % 2 == 0)
            worker->won += take(worker->big, 1 + i / 2);
    }
    for (unsigned i = 0; i < PAGES; i++)
        worker->good = take(worker->big, own + i) && worker->good;
    return NULL;
}

static void of_threads_that_remove_one_entry_one_gets_it(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    atomic_uint ready = 0;
    unsigned won = 0;
    struct pool_big *big = pb_pool_big_open(64, true);
    assert_non_null(big);
    for (unsigned i = 0; i < COMMON; i++)
        assert_true(insert(big, 1 + i));
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.big = big, .index = i, .ready = &ready};
        assert_int_equal(pthread_create(&threads[i], NULL, insert_and_remove, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(workers[i].good);
        won += workers[i].won;
    }
    assert_int_equal(won, COMMON);
    assert_int_equal(pb_pool_big_count(big), 0);
    sound(big);
    pb_pool_big_close(big);
}

static void the_check_finds_an_entry_that_is_twice_in_the_table(void **state)
{
    (void)state;
    char message[256] = "";
    struct pool_big *big = pb_pool_big_open(64, false);
    assert_non_null(big);
    assert_true(insert(big, 5));
    assert_true(insert(big, 5));
    assert_int_equal(pb_pool_big_check(big, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "entries 5 and 6"));
    pb_pool_big_close(big);
}

static void the_check_finds_an_entry_that_is_no_page(void **state)
{
    (void)state;
    char message[256] = "";
    static const struct pool_big_entry bad[] = {{.va = 0x5010, .pages = 1}, {.va = 0x5000}};
    for (unsigned i = 0; i < 2; i++) {
        struct pool_big *big = pb_pool_big_open(64, false);
        assert_non_null(big);
        assert_true(pb_pool_big_insert(big, &bad[i]));
        assert_int_equal(pb_pool_big_check(big, message, sizeof message), -EINVAL);
        assert_non_null(strstr(message, "entry 5 is no page"));
        pb_pool_big_close(big);
    }
}

static void the_check_finds_an_entry_that_its_hash_does_not_lead_to(void **state)
{
    (void)state;
    char message[256] = "";
    const struct pool_big_entry never_used = {.va = 1, .pages = 1}; /* hash 0 */
    struct pool_big *big = pb_pool_big_open(64, false);
    assert_non_null(big);
    assert_true(insert(big, 1 << 8 | 1)); /* hash 0, all three */
    assert_true(insert(big, 2 << 8 | 2));
    assert_true(insert(big, 3 << 8 | 3));
    assert_true(take(big, 1 << 8 | 1));
    sound(big);
    assert_true(pb_pool_big_insert(big, &never_used));
    assert_int_equal(pb_pool_big_check(big, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "entry 1 "));
    assert_non_null(strstr(message, "cannot be found"));
    pb_pool_big_close(big);
}

static void the_check_finds_a_wrong_count(void **state)
{
    (void)state;
    char message[256] = "";
    const struct pool_big_entry freed = {.va = 0x5001, .pages = 1};
    struct pool_big *big = pb_pool_big_open(64, false);
    assert_non_null(big);
    assert_true(pb_pool_big_insert(big, &freed));
    assert_int_equal(pb_pool_big_check(big, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "0 entries in use, counted 1"));
    pb_pool_big_close(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_folds_the_page_number_by_bytes),
        cmocka_unit_test(what_was_inserted_is_found_once_and_removed_once),
        cmocka_unit_test(probing_wraps_at_the_end_of_the_table),
        cmocka_unit_test(a_table_that_does_not_grow_refuses_when_it_is_full),
        cmocka_unit_test(a_table_that_grows_doubles_when_crowded_and_halves_when_empty),
        cmocka_unit_test(long_probes_alone_grow_the_table_only_above_three_quarters),
        cmocka_unit_test(without_memory_to_grow_a_full_table_refuses),
        cmocka_unit_test(many_rounds_of_random_use_agree_with_a_model),
        cmocka_unit_test(of_threads_that_remove_one_entry_one_gets_it),
        cmocka_unit_test(the_check_finds_an_entry_that_is_twice_in_the_table),
        cmocka_unit_test(the_check_finds_an_entry_that_is_no_page),
        cmocka_unit_test(the_check_finds_an_entry_that_its_hash_does_not_lead_to),
        cmocka_unit_test(the_check_finds_a_wrong_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
