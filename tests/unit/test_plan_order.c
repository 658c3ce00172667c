/* SPDX-License-Identifier: MIT */
/* What chance decides of a plan: the placements of the code rotate over the blocks, every process
 * has a setup of its own, and one seed gives one manifest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_fixture.h"

#include "runner/layout.h"

#include <stdio.h>

static void the_placements_rotate_over_the_blocks_from_one_that_the_seed_draws(void **state)
{
    bool first[PB_LAYOUTS] = {false};
    (void)state;
    for (unsigned seed = 0; seed < 40; seed++) {
        char text[512];
        snprintf(text, sizeof text, "seed = %u\n" PAIR, seed);
        struct pb_plan *plan = make_plan(text, NULL);
        assert_int_equal(pb_plan_layout(plan, 3), 0); /* one placement, until there are more */
        plan->layouts = PB_LAYOUTS;
        for (unsigned block = 0; block + 1 < plan->blocks; block++)
            assert_int_equal(pb_plan_layout(plan, block + 1),
                             (pb_plan_layout(plan, block) + 1) % PB_LAYOUTS);
        first[pb_plan_layout(plan, 0)] = true;
        pb_plan_free(plan);
    }
    for (unsigned i = 0; i < PB_LAYOUTS; i++)
        assert_true(first[i]);
}

static void every_process_has_a_setup_of_its_own_and_keeps_it(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(PAIR, NULL), *again = make_plan(PAIR, NULL);
    size_t small = 0;
    for (size_t i = 0; i < plan->order_n; i++) {
        struct pb_plan_setup a = pb_plan_setup(plan, &plan->order[i]);
        struct pb_plan_setup b = pb_plan_setup(again, &again->order[i]);
        assert_int_equal(a.seed, b.seed);
        assert_int_equal(a.env_bytes, b.env_bytes);
        assert_in_range(a.env_bytes, 0, 4096);
        small += a.env_bytes < 2048;
        for (size_t k = 0; k < i; k++)
            assert_true(pb_plan_setup(plan, &plan->order[k]).seed != a.seed);
    }
    assert_in_range(small, plan->order_n / 4, plan->order_n * 3 / 4);
    pb_plan_free(plan);
    pb_plan_free(again);
}

/* The manifest of a matrix; freed by the caller. */
static char *manifest_of(const char *text)
{
    char *out = NULL;
    size_t size = 0;
    struct pb_plan *plan = make_plan(text, NULL);
    FILE *file = open_memstream(&out, &size);
    plan->layouts = PB_LAYOUTS;
    assert_int_equal(pb_plan_manifest(plan, file), 0);
    fclose(file);
    pb_plan_free(plan);
    return out;
}

static void one_seed_gives_one_manifest_and_another_seed_another(void **state)
{
    (void)state;
    char *first = manifest_of("seed = 5\n" PAIR), *same = manifest_of("seed = 5\n" PAIR);
    char *other = manifest_of("seed = 6\n" PAIR);
    assert_string_equal(first, same);
    assert_string_not_equal(first, other);
    free(first);
    free(same);
    free(other);
}

static void a_manifest_holds_each_block_with_each_cell_once(void **state)
{
    unsigned cells = 0, reps = 0, in_block[5] = {0};
    char *text = manifest_of(PAIR), *rest = text;
    (void)state;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        json_t *object = json_loads(line, 0, NULL);
        const char *kind = json_string_value(json_object_get(object, "kind"));
        assert_non_null(kind);
        if (strcmp(kind, "plan") == 0) {
            assert_int_equal(json_integer_value(json_object_get(object, "layouts")), PB_LAYOUTS);
            assert_int_equal(json_integer_value(json_object_get(object, "blocks")), 5);
        } else if (strcmp(kind, "cell") == 0) {
            cells++;
        } else {
            json_int_t block = json_integer_value(json_object_get(object, "block"));
            assert_in_range(block, 0, 4);
            in_block[block]++;
            assert_int_equal(json_integer_value(json_object_get(object, "order")), reps++);
        }
        json_decref(object);
    }
    for (unsigned block = 0; block < 5; block++)
        assert_int_equal(in_block[block], cells);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_placements_rotate_over_the_blocks_from_one_that_the_seed_draws),
        cmocka_unit_test(every_process_has_a_setup_of_its_own_and_keeps_it),
        cmocka_unit_test(one_seed_gives_one_manifest_and_another_seed_another),
        cmocka_unit_test(a_manifest_holds_each_block_with_each_cell_once),
    };
    return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
