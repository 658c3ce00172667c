/* SPDX-License-Identifier: MIT */
/* A9: tag tracking: the hash, the table, what a full one does, threads, and another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool/tags.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRED = 0x46726564, DERF = 0x64657246, NONE = 0x656E6F4E };
enum { SEEDS = 4, FREE_OF_64 = 64 - SEEDS };

static void fred_begins_at_slot_904_of_2048(void **state)
{
    (void)state;
    assert_int_equal(pb_pool_tags_hash(FRED, 2047), 904);
    assert_int_equal(pb_pool_tags_hash(FRED, 63), 904 & 63);
}

static void a_tag_counts_allocations_frees_and_bytes_of_each_kind(void **state)
{
    (void)state;
    SYSTEM_POOLTAG rows[4];
    struct pool_tags *tags = pb_pool_tags_open(2048, 4, -1);
    assert_non_null(tags);
    assert_int_equal(pb_pool_tags_read(tags, rows, 4), 0);
    pb_pool_tags_allocated(tags, DERF, false, 80);
    pb_pool_tags_allocated(tags, DERF, false, 4096);
    pb_pool_tags_freed(tags, DERF, false, 80);
    pb_pool_tags_allocated(tags, DERF, true, 32);
    assert_int_equal(pb_pool_tags_read(tags, rows, 4), 1);
    assert_memory_equal(rows[0].Tag, "Fred", 4);
    assert_int_equal(rows[0].NonPagedAllocs, 2);
    assert_int_equal(rows[0].NonPagedFrees, 1);
    assert_int_equal(rows[0].NonPagedUsed, 4096);
    assert_int_equal(rows[0].PagedAllocs, 1);
    assert_int_equal(rows[0].PagedFrees, 0);
    assert_int_equal(rows[0].PagedUsed, 32);
    assert_int_equal(pb_pool_tags_uncounted(tags), 0);
    pb_pool_tags_close(tags);
}

static void the_protected_bit_is_no_part_of_a_tag_and_tag_0_is_none(void **state)
{
    (void)state;
    SYSTEM_POOLTAG rows[4];
    struct pool_tags *tags = pb_pool_tags_open(64, 1, -1);
    assert_non_null(tags);
    pb_pool_tags_allocated(tags, DERF | PROTECTED_POOL, false, 16);
    pb_pool_tags_freed(tags, DERF, false, 16);
    pb_pool_tags_allocated(tags, 0, false, 32);
    pb_pool_tags_allocated(tags, PROTECTED_POOL, false, 32);
    assert_int_equal(pb_pool_tags_read(tags, rows, 4), 2);
    assert_int_equal(rows[0].TagUlong, DERF);
    assert_int_equal(rows[0].NonPagedFrees, 1);
    assert_int_equal(rows[1].TagUlong, NONE);
    assert_int_equal(rows[1].NonPagedAllocs, 2);
    pb_pool_tags_close(tags);
}

static uint32_t tag_of(unsigned number)
{
    char text[8];
    uint32_t tag;
    (void)snprintf(text, sizeof text, "%04u", number);
    memcpy(&tag, text, sizeof tag);
    return tag;
}

static void
rows_come_in_the_order_of_their_characters_and_the_first_ones_if_not_all_fit(void **state)
{
    (void)state;
    static SYSTEM_POOLTAG rows[600];
    struct pool_tags *tags = pb_pool_tags_open(1024, 2, -1);
    assert_non_null(tags);
    for (unsigned i = 0; i < 500; i++)
        pb_pool_tags_allocated(tags, tag_of(i * 7 % 500), (i & 1) != 0, 16);
    assert_int_equal(pb_pool_tags_read(tags, rows, 600), 500);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(rows[i].TagUlong, tag_of(i));
    memset(rows, 0, sizeof rows);
    assert_int_equal(pb_pool_tags_read(tags, rows, 7), 500);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(rows[i].TagUlong, tag_of(i));
    assert_int_equal(rows[7].TagUlong, 0);
    assert_int_equal(pb_pool_tags_read(tags, NULL, 0), 500);
    pb_pool_tags_close(tags);
}

static void in_a_full_table_a_new_tag_goes_uncounted_and_that_is_counted(void **state)
{
    (void)state;
    static SYSTEM_POOLTAG rows[128];
    struct pool_tags *tags = pb_pool_tags_open(1, 2, -1); /* the least is 64 */
    assert_non_null(tags);
    for (unsigned i = 0; i < 100; i++)
        pb_pool_tags_allocated(tags, tag_of(i), i % 3 == 0, 16);
    assert_int_equal(pb_pool_tags_uncounted(tags), 100 - FREE_OF_64);
    assert_int_equal(pb_pool_tags_read(tags, rows, 128), FREE_OF_64);
    for (unsigned i = 0; i < 100; i++)
        pb_pool_tags_freed(tags, tag_of(i), i % 3 == 0, 16);
    assert_int_equal(pb_pool_tags_read(tags, rows, 128), FREE_OF_64);
    for (unsigned i = 0; i < FREE_OF_64; i++) {
        assert_int_equal(rows[i].TagUlong, tag_of(i));
        assert_int_equal(rows[i].PagedAllocs + rows[i].NonPagedAllocs, 1);
        assert_int_equal(rows[i].PagedFrees + rows[i].NonPagedFrees, 1);
        assert_int_equal(rows[i].PagedUsed + rows[i].NonPagedUsed, 0);
    }
    pb_pool_tags_allocated(tags, tag_of(3), false, 16); /* one that is in is still counted */
    assert_int_equal(pb_pool_tags_uncounted(tags), 100 - FREE_OF_64);
    pb_pool_tags_close(tags);
}

static void known_tags_are_there_however_full_the_table_is(void **state)
{
    static const char *const known[SEEDS] = {"BIG ", "Mdl ", "MmCm", "None"};
    SYSTEM_POOLTAG rows[SEEDS + 1];
    (void)state;
    struct pool_tags *tags = pb_pool_tags_open(64, 2, -1);
    assert_non_null(tags);
    assert_int_equal(pb_pool_tags_read(tags, rows, SEEDS), 0); /* no row before it is used */
    for (unsigned i = 0; i < 100; i++)
        pb_pool_tags_allocated(tags, tag_of(i), false, 16);
    uint64_t uncounted = pb_pool_tags_uncounted(tags);
    for (unsigned i = 0; i < SEEDS; i++) {
        uint32_t tag;
        memcpy(&tag, known[i], sizeof tag);
        pb_pool_tags_allocated(tags, tag, true, 32);
    }
    assert_int_equal(pb_pool_tags_uncounted(tags), uncounted);
    assert_int_equal(pb_pool_tags_read(tags, NULL, 0), 64);
    for (unsigned i = 0; i < 100; i++)
        pb_pool_tags_freed(tags, tag_of(i), false, 16);
    assert_int_equal(pb_pool_tags_uncounted(tags), uncounted);
    pb_pool_tags_close(tags);
}

static void slots_are_rounded_up_to_a_power_of_two(void **state)
{
    (void)state;
    struct pool_tags *tags = pb_pool_tags_open(65, 3, -1);
    assert_non_null(tags);
    for (unsigned i = 0; i < 129; i++)
        pb_pool_tags_allocated(tags, tag_of(i), false, 16);
    assert_int_equal(pb_pool_tags_read(tags, NULL, 0), 128 - SEEDS);
    assert_int_equal(pb_pool_tags_uncounted(tags), 1 + SEEDS);
    pb_pool_tags_close(tags);
}

enum { THREADS = 4, ROUNDS = 3000, TAGS = 40 };

struct worker {
    struct pool_tags *tags;
    unsigned index;
    atomic_bool *stop;
    bool sane; /* the reader's finding */
};

static void *count_tags(void *argument)
{
    struct worker *worker = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t tag = tag_of((i + worker->index) % TAGS);
        pb_pool_tags_allocated(worker->tags, tag, (i & 1) != 0, 48);
        pb_pool_tags_freed(worker->tags, tag, (i & 1) != 0, 48);
    }
    pb_pool_tags_allocated(worker->tags, tag_of(worker->index), false, 64);
    return NULL;
}

static void *read_tags(void *argument)
{
    struct worker *worker = argument;
    SYSTEM_POOLTAG rows[TAGS];
    worker->sane = true;
    while (!atomic_load_explicit(worker->stop, memory_order_relaxed)) { /* a flag alone */
        unsigned count = pb_pool_tags_read(worker->tags, rows, TAGS);
        worker->sane = worker->sane && count <= TAGS;
        for (unsigned i = 0; i < count && worker->sane; i++)
            worker->sane = rows[i].PagedFrees <= rows[i].PagedAllocs &&
                           rows[i].NonPagedFrees <= rows[i].NonPagedAllocs;
    }
    return NULL;
}

static void threads_make_each_tag_once_and_lose_no_count(void **state)
{
    (void)state;
    pthread_t threads[THREADS], reader;
    struct worker workers[THREADS], reading;
    SYSTEM_POOLTAG rows[TAGS + 1];
    atomic_bool stop = false;
    struct pool_tags *tags = pb_pool_tags_open(64, 2, -1);
    assert_non_null(tags);
    reading = (struct worker){tags, 0, &stop, false};
    assert_int_equal(pthread_create(&reader, NULL, read_tags, &reading), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){tags, i, &stop, true};
        assert_int_equal(pthread_create(&threads[i], NULL, count_tags, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_true(reading.sane);
    assert_int_equal(pb_pool_tags_read(tags, rows, TAGS + 1), TAGS);
    uint64_t allocs = 0, frees = 0, used = 0;
    for (unsigned i = 0; i < TAGS; i++) {
        allocs += rows[i].PagedAllocs + rows[i].NonPagedAllocs;
        frees += rows[i].PagedFrees + rows[i].NonPagedFrees;
        used += rows[i].PagedUsed + rows[i].NonPagedUsed;
    }
    assert_int_equal(allocs, THREADS * (ROUNDS + 1));
    assert_int_equal(frees, THREADS * ROUNDS);
    assert_int_equal(used, THREADS * 64);
    assert_int_equal(pb_pool_tags_uncounted(tags), 0);
    pb_pool_tags_close(tags);
}

static void a_table_in_a_file_is_read_by_whoever_attaches_to_it(void **state)
{
    (void)state;
    SYSTEM_POOLTAG rows[2];
    struct pool_tags *reader;
    int file = memfd_create("tags", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pb_pool_tags_attach(file, &reader), -EINVAL);
    struct pool_tags *tags = pb_pool_tags_open(64, 2, file);
    assert_non_null(tags);
    pb_pool_tags_allocated(tags, DERF, true, 4096);
    assert_int_equal(pb_pool_tags_attach(file, &reader), 0);
    pb_pool_tags_allocated(tags, DERF, true, 4096);
    assert_int_equal(pb_pool_tags_read(reader, rows, 2), 1);
    assert_memory_equal(rows[0].Tag, "Fred", 4);
    assert_int_equal(rows[0].PagedUsed, 8192);
    pb_pool_tags_close(tags);
    assert_int_equal(pb_pool_tags_read(reader, rows, 2), 1); /* the file outlives the writer */
    pb_pool_tags_close(reader);
    tags = pb_pool_tags_open(64, 2, file); /* begun anew */
    assert_int_equal(pb_pool_tags_read(tags, rows, 2), 0);
    pb_pool_tags_close(tags);
    assert_int_equal(close(file), 0);
}

/* Writes 32 bits at an offset of a sound table and attaches to that. */
static int attach_damaged(off_t at, uint32_t value, off_t length)
{
    struct pool_tags *reader;
    int file = memfd_create("tags", MFD_CLOEXEC);
    assert_true(file >= 0);
    struct pool_tags *tags = pb_pool_tags_open(64, 1, file);
    assert_non_null(tags);
    pb_pool_tags_close(tags);
    assert_int_equal(pwrite(file, &value, sizeof value, at), sizeof value);
    if (length >= 0)
        assert_int_equal(ftruncate(file, length), 0);
    int error = pb_pool_tags_attach(file, &reader);
    if (error == 0)
        pb_pool_tags_close(reader);
    assert_int_equal(close(file), 0);
    return error;
}

static void a_damaged_file_is_refused(void **state)
{
    (void)state;
    struct pool_tags *reader;
    assert_int_equal(attach_damaged(8, 64, -1), 0); /* as it was: nothing planted */
    assert_int_equal(attach_damaged(0, 0, -1), -EINVAL);
    assert_int_equal(attach_damaged(8, 63, -1), -EINVAL);
    assert_int_equal(attach_damaged(8, 0, -1), -EINVAL);
    assert_int_equal(attach_damaged(8, 0x80000000u, -1), -EINVAL);
    assert_int_equal(attach_damaged(8, 65536, -1), -EINVAL);
    assert_int_equal(attach_damaged(12, 0, -1), -EINVAL);
    assert_int_equal(attach_damaged(12, 3, -1), -EINVAL);
    assert_int_equal(attach_damaged(12, 1, 256), -EINVAL);
    assert_int_equal(attach_damaged(12, 1, 10), -EINVAL);
    assert_int_equal(pb_pool_tags_attach(-1, &reader), -EBADF);
}

static void a_file_that_cannot_be_written_gives_no_table(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_null(pb_pool_tags_open(64, 1, pipes[1]));
    assert_int_equal(close(pipes[0]), 0);
    assert_int_equal(close(pipes[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fred_begins_at_slot_904_of_2048),
        cmocka_unit_test(a_tag_counts_allocations_frees_and_bytes_of_each_kind),
        cmocka_unit_test(the_protected_bit_is_no_part_of_a_tag_and_tag_0_is_none),
        cmocka_unit_test(
            rows_come_in_the_order_of_their_characters_and_the_first_ones_if_not_all_fit),
        cmocka_unit_test(in_a_full_table_a_new_tag_goes_uncounted_and_that_is_counted),
        cmocka_unit_test(known_tags_are_there_however_full_the_table_is),
        cmocka_unit_test(slots_are_rounded_up_to_a_power_of_two),
        cmocka_unit_test(threads_make_each_tag_once_and_lose_no_count),
        cmocka_unit_test(a_table_in_a_file_is_read_by_whoever_attaches_to_it),
        cmocka_unit_test(a_damaged_file_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_written_gives_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
