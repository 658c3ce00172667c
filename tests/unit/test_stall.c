/* SPDX-License-Identifier: MIT */
/* The double that stalls, on a clock that each reading moves on by a millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doubles/doubles.h"
#include "registry.h"

enum { BLOCK = 64, MS = 1000 * 1000, EVERY = 100, LENGTH = 10, PERIODS = 7 };

static uint64_t readings;

static uint64_t counting_clock(void)
{
    return readings++ * MS;
}

/* In each period of 100 readings one allocation takes 10 of them beside its own. */
static void one_allocation_a_period_stalls_for_the_length(void **state)
{
    struct pb_variant variant;
    struct pb_opened opened;
    struct pb_thread *thread;
    const struct pb_heap_request request = {BLOCK, 1, 1};
    char message[200] = "";
    unsigned long_ones = 0;
    (void)state;
    pb_stall_clock = counting_clock;
    assert_int_equal(
        pb_variant_parse("stall:every=100,length=10", &variant, message, sizeof message), 0);
    assert_int_equal(pb_variant_open(&variant, &request, &opened, message, sizeof message), 0);
    assert_int_equal(opened.heap->ops->attach(opened.heap, 0, &thread), 0);
    assert_int_equal(readings, 1);
    for (unsigned i = 0; i < EVERY - 1 + PERIODS * (EVERY - LENGTH); i++) {
        const uint64_t before = readings;
        void *block = opened.heap->alloc(opened.heap, thread, BLOCK);
        assert_non_null(block);
        opened.heap->free(opened.heap, thread, block, BLOCK);
        assert_true(readings - before == 1 || readings - before == 1 + LENGTH);
        long_ones += readings - before != 1;
    }
    assert_int_equal(long_ones, PERIODS);
    assert_int_equal(pb_stalls, PERIODS);
    assert_int_equal(readings, EVERY + PERIODS * EVERY);
    opened.heap->ops->detach(opened.heap, thread);
    pb_variant_close(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_allocation_a_period_stalls_for_the_length),
    };
    pb_registry_extend(pb_doubles);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
