/* SPDX-License-Identifier: MIT */
/* The clock: one, monotone, and its conversions undo each other. No test asserts how long something
 * took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"
#include "engine/clock_offset.h"
#include "skip.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>

static void there_is_one_clock(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    double rate = clock->ns_per_tick;
    assert_ptr_equal(pb_clock_open(), clock);
    assert_true(clock->ns_per_tick == rate);
}

static void the_source_is_named_and_agrees_with_the_rate(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    assert_true(clock->ns_per_tick > 0.0);
    if (strcmp(clock->source, "clock_gettime") == 0)
        assert_true(clock->ns_per_tick == 1.0);
    else
        assert_string_equal(clock->source, "tsc");
}

static void quantum_and_overhead_are_measured(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    assert_true(isfinite(clock->quantum_ns) && clock->quantum_ns > 0.0);
    assert_true(isfinite(clock->overhead_ns) && clock->overhead_ns >= 0.0);
    assert_true(clock->overhead_ticks < 4096);
    assert_true(pb_clock_resolution_ns() >= clock->quantum_ns);
    assert_true(isfinite(pb_clock_resolution_ns()));
}

static void readings_never_go_back(void **state)
{
    (void)state;
    pb_clock_open();
    uint64_t last = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t begin = pb_ticks_begin(), end = pb_ticks_end();
        assert_true(begin >= last);
        assert_true(end >= begin);
        last = end;
    }
}

static void ticks_and_ns_undo_each_other(void **state)
{
    (void)state;
    pb_clock_open();
    const uint64_t cases[] = {0, 1, 26, 1000, 123456789, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pb_clock_ticks(pb_clock_ns(cases[i])), cases[i]);
    assert_int_equal(pb_clock_ticks(-1.0), 0);
}

/* Between two instants of one clock lie instants of the other: so the rate is the right one, to the
 * width of the brackets. */
static void ticks_count_the_nanoseconds_of_the_system(void **state)
{
    (void)state;
    pb_clock_open();
    uint64_t outer = pb_ticks_begin(), from = pb_ticks_fallback(), inner = pb_ticks_end();
    struct timespec nap = {0, 5000000};
    nanosleep(&nap, NULL);
    uint64_t inner_end = pb_ticks_begin(), to = pb_ticks_fallback(), outer_end = pb_ticks_end();
    double ns = (double)(to - from), slack = ns * 1e-3 + 1000.0;
    assert_true(pb_clock_ns(inner_end - inner) <= ns + slack);
    assert_true(pb_clock_ns(outer_end - outer) >= ns - slack);
}

static void a_tsc_is_used_only_where_nothing_speaks_against_it(void **state)
{
    static const struct {
        struct pb_clock_evidence evidence;
        const char *objection;
    } cases[] = {
        {{true, "tsc", 0.385, 0.385}, ""},
        {{true, "", 0.385, 0.385}, ""}, /* a kernel that does not say */
        {{true, "tsc", 0.385, 0.385 * (1 + 49e-6)}, ""},
        {{true, "tsc", 0.385, 0.385 * (1 - 49e-6)}, ""},
        {{false, "tsc", 0.385, 0.385}, "invariant"},
        {{true, "hpet", 0.385, 0.385}, "the kernel"},
        {{true, "kvm-clock", 0.385, 0.385}, "the kernel"},
        {{true, "tsc", 0.385, 0.385 * (1 + 51e-6)}, "50 ppm"},
        {{true, "tsc", 0.385, 0.385 * (1 - 51e-6)}, "50 ppm"},
        {{true, "tsc", 0.0, 0.385}, "advance"},
        {{true, "tsc", 0.385, 0.0}, "advance"},
        {{true, "tsc", NAN, 0.385}, "advance"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *objection = pb_clock_objection(&cases[i].evidence);
        assert_int_equal(objection[0] == '\0', cases[i].objection[0] == '\0');
        assert_non_null(strstr(objection, cases[i].objection));
    }
    const struct pb_clock *clock = pb_clock_open();
    assert_int_equal(clock->objection[0] == '\0', strcmp(clock->source, "tsc") == 0);
    assert_true(clock->disagreement_ppm >= 0.0 && clock->disagreement_ppm < 1e6);
}

/* Planted: the second's clock is ahead by so much; way and way back take what they take. */
static void a_planted_offset_lies_within_its_bounds(void **state)
{
    static const int64_t offsets[] = {0, 1000, -1000, INT64_C(1) << 40};
    static const uint64_t ways[][2] = {{100, 100}, {60, 300}, {5000, 70}, {65, 90}};
    (void)state;
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct pb_offset_bounds bounds = {INT64_MIN, INT64_MAX};
        uint64_t now = UINT64_C(1) << 50;
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++, now += 100000)
            pb_clock_offset_round(&bounds, now, now + ways[k][0] + (uint64_t)offsets[i],
                                  now + ways[k][0] + ways[k][1]);
        assert_int_equal(bounds.least, offsets[i] - 70); /* the fastest way back */
        assert_int_equal(bounds.most, offsets[i] + 60);  /* the fastest way there */
    }
}

static void the_processors_clocks_are_compared(void **state)
{
    struct pb_clock_offset offset;
    cpu_set_t before, after;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    int error = pb_clock_offset_measure(&offset);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after)); /* put back */
    if (error == -ENOTSUP || error == -EBUSY)
        skip_because(error == -EBUSY ? "no pair of processors answered in its time"
                                     : "one processor alone");
    assert_int_equal(error, 0);
    assert_true(offset.cpus >= 1);
    assert_true(offset.bound_ns > 0.0 && fabs(offset.offset_ns) <= offset.bound_ns);
    assert_true(offset.one_way_ns > 0.0 && offset.usual_ns >= offset.one_way_ns);
}

static void one_processor_has_nothing_to_be_compared_with(void **state)
{
    struct pb_clock_offset offset;
    cpu_set_t before, one;
    int cpu = sched_getcpu();
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pb_clock_offset_measure(&offset), -ENOTSUP);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_clock),
        cmocka_unit_test(the_source_is_named_and_agrees_with_the_rate),
        cmocka_unit_test(quantum_and_overhead_are_measured),
        cmocka_unit_test(readings_never_go_back),
        cmocka_unit_test(ticks_and_ns_undo_each_other),
        cmocka_unit_test(ticks_count_the_nanoseconds_of_the_system),
        cmocka_unit_test(a_tsc_is_used_only_where_nothing_speaks_against_it),
        cmocka_unit_test(a_planted_offset_lies_within_its_bounds),
        cmocka_unit_test(the_processors_clocks_are_compared),
        cmocka_unit_test(one_processor_has_nothing_to_be_compared_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
