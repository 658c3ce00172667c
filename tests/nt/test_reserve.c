/* SPDX-License-Identifier: MIT */
/* A14, H19: the must-succeed reserve: how many blocks of a size it has, where they lie, and what
 * its check and its free find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pages.h"
#include "pool/reserve.h"

#include <poolbench/nt/page.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum { DERF = 0x64657246, PAGES = 4, MOST = PAGES * 256 };

static struct pool_reserve *open_reserve(void)
{
    struct pool_reserve *reserve = pb_pool_reserve_open(PAGES);
    assert_non_null(reserve);
    assert_int_equal(pb_pool_reserve_count_free_bytes(reserve), PAGES * PAGE_SIZE);
    return reserve;
}

static void sound(struct pool_reserve *reserve)
{
    char message[256] = "";
    if (pb_pool_reserve_check(reserve, message, sizeof message) != 0)
        fail_msg("%s", message);
}

static void of_one_size_it_has_so_many_and_again_after_they_were_freed(void **state)
{
    static const struct {
        size_t bytes;
        unsigned count;
        size_t left; /* free bytes, when it is empty */
    } rows[] = {
        {0, 1024, 0},    {1, 1024, 0},    {16, 1024, 0}, {17, 512, 0},      {64, 256, 0},
        {256, 64, 0},    {1000, 16, 256}, {1024, 16, 0}, {1500, 8, 4352},   {2048, 8, 0},
        {2049, 4, 8128}, {4080, 4, 64},   {4095, 4, 0},  {4096, 4, 0},      {4097, 2, 0},
        {8192, 2, 0},    {8193, 1, 4096}, {16384, 1, 0}, {16385, 0, 16384}, {SIZE_MAX, 0, 16384},
    };
    static unsigned char *blocks[MOST];
    (void)state;
    struct pool_reserve *reserve = open_reserve();
    for (size_t r = 0; r < 2 * sizeof rows / sizeof *rows; r++) {
        const size_t i = r / 2, bytes = rows[i].bytes;
        unsigned count = 0;
        unsigned char *block;
        while ((block = pb_pool_reserve_allocate(reserve, bytes, DERF, 2)) != NULL) {
            assert_true(count < rows[i].count);
            assert_int_equal((uintptr_t)block % (bytes < PAGE_SIZE ? 16 : PAGE_SIZE), 0);
            if (bytes < PAGE_SIZE && bytes > 0)
                assert_ptr_equal(PAGE_ALIGN(block), PAGE_ALIGN(block + bytes - 1));
            memset(block, (int)count, bytes);
            blocks[count++] = block;
        }
        assert_int_equal(count, rows[i].count);
        assert_int_equal(pb_pool_reserve_count_free_bytes(reserve), rows[i].left);
        sound(reserve);
        for (unsigned n = 0; n < count; n++) {
            if (bytes > 0) {
                assert_int_equal(blocks[n][0], n & 0xFF);
                assert_int_equal(blocks[n][bytes - 1], n & 0xFF);
            }
            pb_pool_reserve_free(reserve, blocks[n]);
        }
        assert_int_equal(pb_pool_reserve_count_free_bytes(reserve), PAGES * PAGE_SIZE);
    }
    pb_pool_reserve_close(reserve);
}

static void freed_neighbours_are_one_room_again(void **state)
{
    unsigned char *small[8];
    (void)state;
    struct pool_reserve *reserve = open_reserve();
    for (unsigned i = 0; i < 8; i++) {
        small[i] = pb_pool_reserve_allocate(reserve, 512, DERF, 2);
        assert_non_null(small[i]);
    }
    assert_null(pb_pool_reserve_allocate(reserve, 4 * PAGE_SIZE, DERF, 2));
    unsigned char *large = pb_pool_reserve_allocate(reserve, 3 * PAGE_SIZE, DERF, 2);
    assert_ptr_equal(large, small[0] + PAGE_SIZE); /* pages are contiguous */
    assert_null(pb_pool_reserve_allocate(reserve, 1, DERF, 2));
    pb_pool_reserve_free(reserve, small[3]);
    pb_pool_reserve_free(reserve, small[5]);
    assert_null(pb_pool_reserve_allocate(reserve, 1024, DERF, 2));
    pb_pool_reserve_free(reserve, small[4]);
    assert_ptr_equal(pb_pool_reserve_allocate(reserve, 1536, DERF, 2), small[3]);
    pb_pool_reserve_free(reserve, large);
    assert_ptr_equal(pb_pool_reserve_allocate(reserve, 16, DERF, 2), large);
    sound(reserve);
    pb_pool_reserve_close(reserve);
}

static void find_tells_what_a_block_is_and_owns_where_it_lies(void **state)
{
    struct pool_reserve_block found = {.type = 77};
    int stranger;
    (void)state;
    struct pool_reserve *reserve = open_reserve();
    unsigned char *a = pb_pool_reserve_allocate(reserve, 100, DERF, NonPagedPoolMustSucceed);
    unsigned char *b = pb_pool_reserve_allocate(reserve, 5000, DERF, NonPagedPoolMustSucceed);
    assert_true(pb_pool_reserve_owns(reserve, a));
    assert_true(pb_pool_reserve_owns(reserve, a + 500));
    assert_true(pb_pool_reserve_owns(reserve, a + PAGES * PAGE_SIZE - 1));
    assert_false(pb_pool_reserve_owns(reserve, a + PAGES * PAGE_SIZE));
    assert_false(pb_pool_reserve_owns(reserve, a - 1));
    assert_false(pb_pool_reserve_owns(reserve, &stranger));
    assert_false(pb_pool_reserve_find(reserve, a + 16, &found));
    assert_false(pb_pool_reserve_find(reserve, a + 1, &found));
    assert_false(pb_pool_reserve_find(reserve, &stranger, &found));
    assert_int_equal(found.type, 77);
    assert_true(pb_pool_reserve_find(reserve, a, &found));
    assert_int_equal(found.type, NonPagedPoolMustSucceed);
    assert_int_equal(found.tag, DERF);
    assert_int_equal(found.bytes, 112);
    assert_true(pb_pool_reserve_find(reserve, b, &found));
    assert_int_equal(found.bytes, 8192);
    pb_pool_reserve_free(reserve, a);
    assert_false(pb_pool_reserve_find(reserve, a, &found));
    pb_pool_reserve_close(reserve);
}

static void frees_of_what_is_no_block_are_found(void **state)
{
    (void)state;
    struct pool_reserve *reserve = open_reserve();
    unsigned char *a = pb_pool_reserve_allocate(reserve, 100, DERF, 2);
    unsigned char *b = pb_pool_reserve_allocate(reserve, 3 * PAGE_SIZE, DERF, 2);
    assert_non_null(a);
    assert_non_null(b);
    expect_bugcheck(pb_pool_reserve_free(reserve, a + 16), BAD_POOL_CALLER,
                    BAD_CALLER_INSIDE_BLOCK);
    expect_bugcheck(pb_pool_reserve_free(reserve, a + 8), BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK);
    expect_bugcheck(pb_pool_reserve_free(reserve, b + 2 * PAGE_SIZE), BAD_POOL_CALLER,
                    BAD_CALLER_INSIDE_BLOCK);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)(b + 2 * PAGE_SIZE));
    pb_pool_reserve_free(reserve, a);
    expect_bugcheck(pb_pool_reserve_free(reserve, a), BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    assert_int_equal(nt_seen.p[2], DERF);
    assert_int_equal(nt_seen.p[3], (ULONG_PTR)a);
    assert_int_equal(pb_pool_reserve_count_free_bytes(reserve), PAGE_SIZE);
    pb_pool_reserve_free(reserve, b);
    sound(reserve);
    pb_pool_reserve_close(reserve);
}

static void a_reserve_of_no_pages_is_empty(void **state)
{
    (void)state;
    struct pool_reserve *reserve = pb_pool_reserve_open(0);
    assert_non_null(reserve);
    assert_null(pb_pool_reserve_allocate(reserve, 0, DERF, 2));
    assert_null(pb_pool_reserve_allocate(reserve, 1, DERF, 2));
    assert_int_equal(pb_pool_reserve_count_free_bytes(reserve), 0);
    assert_false(pb_pool_reserve_owns(reserve, NULL));
    assert_false(pb_pool_reserve_owns(reserve, reserve));
    sound(reserve);
    pb_pool_reserve_close(reserve);
    assert_null(pb_pool_reserve_open(SIZE_MAX));
}

static void its_pages_are_resident_from_the_start(void **state)
{
    unsigned char in_core[PAGES];
    (void)state;
    struct pool_reserve *reserve = open_reserve();
    unsigned char *block = pb_pool_reserve_allocate(reserve, PAGES * PAGE_SIZE, DERF, 2);
    assert_non_null(block);
    assert_int_equal(mincore(block, PAGES * PAGE_SIZE, in_core), 0);
    for (size_t i = 0; i < PAGES * PAGE_SIZE / pb_page_bytes(); i++)
        assert_int_equal(in_core[i] & 1, 1);
    pb_pool_reserve_close(reserve);
}

static unsigned refused_call, calls;

static void *counting_reserve(size_t bytes)
{
    return ++calls == refused_call ? NULL : pb_pages_linux.reserve(bytes);
}

static int counting_commit(void *at, size_t bytes)
{
    return ++calls == refused_call ? -12 : pb_pages_linux.commit(at, bytes);
}

static void a_refusal_of_the_system_fails_the_open(void **state)
{
    static struct pb_pages_system counting;
    (void)state;
    counting = pb_pages_linux;
    counting.reserve = counting_reserve;
    counting.commit = counting_commit;
    for (refused_call = 1; refused_call <= 6; refused_call++) {
        calls = 0;
        pb_pages_system = &counting;
        struct pool_reserve *reserve = pb_pool_reserve_open(PAGES);
        pb_pages_system = &pb_pages_linux;
        assert_null(reserve);
    }
    calls = 0, refused_call = 7; /* there is no seventh */
    pb_pages_system = &counting;
    struct pool_reserve *reserve = pb_pool_reserve_open(PAGES);
    pb_pages_system = &pb_pages_linux;
    assert_non_null(reserve);
    pb_pool_reserve_close(reserve);
}

/* The second mapping is the map: 12 bytes a granule, the first four how many granules its block
 * has. */
static unsigned char *mappings[3];

static void *recording_reserve(size_t bytes)
{
    unsigned char *at = pb_pages_linux.reserve(bytes);
    if (calls < 3)
        mappings[calls++] = at;
    return at;
}

static void plant(uint32_t granule, uint32_t granules)
{
    memcpy(mappings[1] + (size_t)granule * 12, &granules, sizeof granules);
}

static void its_check_finds_planted_faults(void **state)
{
    static const struct {
        uint32_t at, granules;
        const char *finding;
    } faults[] = {{1, 1, "a block of 16 bytes at 16: another lies over it"},
                  {255, 2, "a block of 32 bytes at 4080: it crosses a page"},
                  {1023, 2, "it crosses a page"},
                  {17, 256, "it crosses a page"},
                  {256, 300, "it crosses a page"},
                  {512, 1, "48 bytes granted and 16352 free, of 16384"},
                  {0, 0, "0 bytes granted and 16352 free, of 16384"}};
    static struct pb_pages_system recording;
    char message[256] = "";
    (void)state;
    calls = 0;
    recording = pb_pages_linux;
    recording.reserve = recording_reserve;
    pb_pages_system = &recording;
    struct pool_reserve *reserve = pb_pool_reserve_open(PAGES);
    pb_pages_system = &pb_pages_linux;
    assert_non_null(reserve);
    assert_ptr_equal(pb_pool_reserve_allocate(reserve, 32, DERF, 2), mappings[2]);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sound(reserve);
        plant(faults[i].at, faults[i].granules);
        assert_int_equal(pb_pool_reserve_check(reserve, message, sizeof message), -EINVAL);
        assert_non_null(strstr(message, faults[i].finding));
        plant(faults[i].at, 0);
        plant(0, 2);
    }
    pb_pool_reserve_close(reserve);
}

enum { THREADS = 4, ROUNDS = 500 };

struct shared {
    struct pool_reserve *reserve;
    _Atomic unsigned spoiled;
};

static void allocate_and_free(void *argument, unsigned index)
{
    struct shared *shared = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t bytes = 1 + (i * 37 + index * 101) % 5000;
        unsigned char *block = pb_pool_reserve_allocate(shared->reserve, bytes, DERF, index);
        if (block == NULL)
            continue;
        struct pool_reserve_block found;
        memset(block, (int)index, bytes);
        if (!pb_pool_reserve_find(shared->reserve, block, &found) || found.type != index ||
            found.bytes < bytes || block[0] != index || block[bytes - 1] != index)
            shared->spoiled++;
        pb_pool_reserve_free(shared->reserve, block);
    }
}

static void threads_get_blocks_of_their_own(void **state)
{
    struct shared shared = {.reserve = open_reserve()};
    (void)state;
    nt_run_threads(THREADS, allocate_and_free, &shared);
    assert_int_equal(shared.spoiled, 0);
    assert_int_equal(pb_pool_reserve_count_free_bytes(shared.reserve), PAGES * PAGE_SIZE);
    sound(shared.reserve);
    pb_pool_reserve_close(shared.reserve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("H19: of one size it has exactly so many blocks",
                of_one_size_it_has_so_many_and_again_after_they_were_freed),
        nt_test("A14: freed neighbours are one room again", freed_neighbours_are_one_room_again),
        nt_test("A14: find and owns", find_tells_what_a_block_is_and_owns_where_it_lies),
        nt_test("A15: 0xC2/7 and 0xC2/99 at free", frees_of_what_is_no_block_are_found),
        nt_test("A14: a reserve of no pages is empty", a_reserve_of_no_pages_is_empty),
        nt_test("A14: its pages are resident from the start",
                its_pages_are_resident_from_the_start),
        nt_test("A14: a refusal of the system fails the open",
                a_refusal_of_the_system_fails_the_open),
        nt_test("A14: its check finds planted faults", its_check_finds_planted_faults),
        nt_test("A14: threads get blocks of their own", threads_get_blocks_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
