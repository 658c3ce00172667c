/* SPDX-License-Identifier: MIT */
/* The harness's arena: zeroed, aligned, disjoint, resident when taken, and finite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/arena.h"
#include "engine/audit.h"
#include "runner/machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void pieces_are_zeroed_aligned_and_in_order(void **state)
{
    (void)state;
    struct pb_arena arena;
    assert_int_equal(pb_arena_open(&arena, 4 << 20), 0);
    unsigned char *end = arena.base;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        unsigned char *piece = pb_arena_take(&arena, 100 + alignment, alignment);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % alignment, 0);
        assert_true(piece >= end);
        for (size_t i = 0; i < 100 + alignment; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 0xff, 100 + alignment);
        end = piece + 100 + alignment;
    }
    assert_ptr_equal(end, arena.base + arena.used_bytes);
    pb_arena_close(&arena);
    assert_null(arena.base);
}

static void what_is_taken_is_resident(void **state)
{
    (void)state;
    struct pb_arena arena;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 1000;
    unsigned char resident[1000] = {0};
    assert_int_equal(pb_arena_open(&arena, (size_t)64 << 20), 0);
    unsigned char *piece = pb_arena_take(&arena, pages * page, page);
    assert_non_null(piece);
    assert_int_equal(mincore(piece, pages * page, resident), 0);
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(resident[i] & 1, 1);
    pb_arena_close(&arena);
}

static uint64_t data_in_use(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmData: %lu", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (uint64_t)kib * 1024;
}

/* So that limits and readings of memory are of others. */
static void what_is_taken_is_neither_data_nor_anonymous(void **state)
{
    (void)state;
    struct pb_arena arena;
    const size_t bytes = 40 << 20;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    uint64_t data = data_in_use(), resident = pb_resident_bytes();
    assert_true(data > 0 && resident > 0);
    assert_int_equal(pb_arena_open(&arena, (size_t)1 << 36), 0);
    assert_non_null(pb_arena_take(&arena, 100, 1));
    assert_non_null(pb_arena_take(&arena, bytes, 1));
    assert_true(data_in_use() < data + (4 << 20));
    assert_true(pb_resident_bytes() < resident + (4 << 20));
    assert_true(arena.mapped_bytes < 2 * bytes + (4 << 20)); /* the reservation is not mapped */
    pb_arena_close(&arena);
}

static void a_used_up_arena_returns_null_and_keeps_what_it_gave(void **state)
{
    (void)state;
    struct pb_arena arena;
    assert_int_equal(pb_arena_open(&arena, 64 << 10), 0);
    unsigned char *piece = pb_arena_take(&arena, 60 << 10, 16);
    assert_non_null(piece);
    piece[0] = 7;
    assert_null(pb_arena_take(&arena, 8 << 10, 16));
    assert_null(pb_arena_take(&arena, SIZE_MAX, 16));
    assert_non_null(pb_arena_take(&arena, 4 << 10, 16));
    assert_null(pb_arena_take(&arena, 1, 1));
    assert_int_equal(piece[0], 7);
    pb_arena_close(&arena);
}

static void a_reservation_that_cannot_be_had_is_an_error(void **state)
{
    (void)state;
    struct pb_arena arena;
    assert_int_equal(pb_arena_open(&arena, SIZE_MAX), -ENOMEM);
    assert_int_equal(pb_arena_open(&arena, SIZE_MAX / 4), -ENOMEM);
    assert_int_equal(pb_arena_open(&arena, 0), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_in_order),
        cmocka_unit_test(what_is_taken_is_resident),
        cmocka_unit_test(what_is_taken_is_neither_data_nor_anonymous),
        cmocka_unit_test(a_used_up_arena_returns_null_and_keeps_what_it_gave),
        cmocka_unit_test(a_reservation_that_cannot_be_had_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
