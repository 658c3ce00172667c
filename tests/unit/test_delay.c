/* SPDX-License-Identifier: MIT */
/* Where a plan skips a cell because its delay cannot be planted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_fixture.h"
#include "runner/delay.h"

static const char *of(const char *text, const char *delay)
{
    struct pb_variant variant;
    assert_int_equal(pb_variant_parse(text, &variant, message, sizeof message), 0);
    return pb_delay_impossible(&variant, delay);
}

static void no_delay_reaches_into_a_library(void **state)
{
    static const char *const libraries[] = {"malloc", "glibc", "jemalloc", "tcmalloc"};
    (void)state;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        assert_null(of(libraries[i], "none"));
        assert_string_equal(of(libraries[i], "slow:100"),
                            "the delay cannot be planted in a library");
        assert_string_equal(of(libraries[i], "lock:100"),
                            "the delay cannot be planted in a library");
    }
}

/* A lookaside's misses are its own, wherever they lead; its locks are its backing's. */
static void a_front_is_delayed_in_what_is_its_own(void **state)
{
    (void)state;
    assert_null(of("lookaside:backing=malloc", "none"));
    assert_null(of("lookaside:backing=malloc", "slow:100"));
    assert_non_null(of("lookaside:backing=malloc", "lock:100"));
    assert_non_null(of("lookaside:backing=jemalloc", "lock:100"));
    assert_null(of("lookaside", "lock:100"));
    assert_null(of("lookaside:backing=pool:list_depth=0", "lock:100"));
}

static void ours_are_delayed_where_they_have_something_to_delay_and_run_where_not(void **state)
{
    static const char *const ours[] = {"null", "floor", "pool", "zone", "lookaside"};
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        assert_null(of(ours[i], "slow:2000"));
        assert_null(of(ours[i], "lock:2000"));
    }
}

static void the_plan_says_so(void **state)
{
    static const char text[] = "blocks = 1\n[axes]\nalloc = [\"pool\", \"malloc\"]\n"
                               "delay = [\"none\", \"slow:100\", \"lock:0\"]\n"
                               "[[workload]]\nname = \"pair\"\n";
    struct pb_plan *plan;
    unsigned skipped = 0;
    (void)state;
    plan = make_plan(text, NULL);
    for (size_t i = 0; i < plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &plan->cells[i];
        const bool expected =
            strncmp(cell->spec.variant, "pool", 4) != 0 && strcmp(cell->spec.delay, "none") != 0;
        assert_int_equal(cell->mark == PB_SKIPPED, expected);
        skipped += expected;
        if (expected)
            assert_string_equal(cell->reason, "the delay cannot be planted in a library");
    }
    assert_true(skipped >= 2);
    pb_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_delay_reaches_into_a_library),
        cmocka_unit_test(a_front_is_delayed_in_what_is_its_own),
        cmocka_unit_test(ours_are_delayed_where_they_have_something_to_delay_and_run_where_not),
        cmocka_unit_test(the_plan_says_so),
    };
    return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
