/* SPDX-License-Identifier: MIT */
/* Plans: which cells a matrix spans, that blocks are complete and permuted, what is marked and what
 * is refused. On synthetic topologies, so that they are the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_fixture.h"

static const struct pb_plan_cell *find(const struct pb_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->cells_n; i++)
        if (strcmp(plan->cells[i].name, name) == 0)
            return &plan->cells[i];
    return NULL;
}

static void arrays_multiply_with_the_variants_as_neighbours(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(PAIR, NULL);
    assert_int_equal(plan->cells_n, 3 * 2 * 2);
    assert_string_equal(plan->cells[0].name, "pair/alloc:null/size:64/threads:1");
    assert_string_equal(plan->cells[1].name, "pair/alloc:pool/size:64/threads:1");
    assert_string_equal(plan->cells[11].name, "pair/alloc:zone/size:128/threads:2");
    assert_string_equal(plan->cells[11].spec.params, "size=128");
    pb_plan_free(plan);
}

static void every_block_holds_every_cell_once_in_an_order_of_its_own(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(PAIR, NULL);
    assert_int_equal(plan->blocks, 5);
    assert_int_equal(plan->order_n, 5 * 12);
    unsigned same = 0;
    for (unsigned block = 0; block < 5; block++) {
        unsigned seen = 0, in_place = 0;
        for (size_t i = 0; i < 12; i++) {
            const struct pb_plan_slot *slot = &plan->order[block * 12 + i];
            assert_int_equal(slot->block, block);
            seen |= 1u << slot->cell;
            in_place += slot->cell == i;
            same += slot->cell == plan->order[i].cell;
        }
        assert_int_equal(seen, (1u << 12) - 1);
        assert_true(in_place < 12);
    }
    assert_true(same < 12 + 4 * 6); /* block 0 with itself, and little more than chance */
    pb_plan_free(plan);
}

static void the_seed_decides_the_order_and_nothing_else(void **state)
{
    (void)state;
    struct pb_plan *a = make_plan(PAIR, NULL), *b = make_plan(PAIR, NULL);
    struct pb_plan *c = make_plan("seed = 2\n" PAIR, NULL);
    assert_memory_equal(a->order, b->order, a->order_n * sizeof *a->order);
    assert_memory_not_equal(a->order, c->order, a->order_n * sizeof *a->order);
    for (size_t i = 0; i < a->cells_n; i++) {
        assert_string_equal(a->cells[i].id, b->cells[i].id);
        assert_string_equal(a->cells[i].id, c->cells[i].id);
    }
    pb_plan_free(a);
    pb_plan_free(b);
    pb_plan_free(c);
}

static void ids_are_unique_and_the_same_however_a_value_is_written(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(PAIR, NULL);
    for (size_t i = 0; i < plan->cells_n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(plan->cells[i].id, plan->cells[k].id);
    struct pb_plan *other = make_plan("scale = 0.5\nblocks = 2\n[axes]\nalloc = \"zone:lock=fas\"\n"
                                      "[[workload]]\nname = \"pair\"\nsize = \"128\"\n",
                                      NULL);
    assert_string_equal(find(plan, "pair/alloc:zone/size:128/threads:1")->id, other->cells[0].id);
    pb_plan_free(other);
    /* the default, given or not, is the same cell */
    other = make_plan("[axes]\nalloc = \"zone\"\n[[workload]]\nname = \"pair\"\n", NULL);
    assert_string_equal(find(plan, "pair/alloc:zone/size:64/threads:1")->id, other->cells[0].id);
    pb_plan_free(other);
    pb_plan_free(plan);
}

static void a_cell_that_is_asked_for_twice_runs_once(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(PAIR "[[workload]]\nname = \"pair\"\nsize = 64\n"
                                          "[[include]]\nworkload = \"pair\"\nsize = 64\n",
                                     NULL);
    assert_int_equal(plan->cells_n, 12);
    pb_plan_free(plan);
}

static void an_include_adds_and_an_exclude_drops_what_matches_all_of_it(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(PAIR "[[include]]\nworkload = \"pair\"\nsize = 64\n"
                                          "alloc = \"floor:kind=lock\"\nthreads = 1\n"
                                          "dispatch = [\"call\", \"inline\"]\n"
                                          "[[exclude]]\nthreads = 2\nsize = \"128\"\n"
                                          "[[exclude]]\nworkload = \"batch\"\nthreads = 1\n"
                                          "[[exclude]]\nalloc = [\"zone:lock=fas\"]\nthreads = 1\n",
                                     NULL);
    assert_int_equal(plan->cells_n, 12 - 3 - 2 + 2);
    assert_non_null(find(plan, "pair/alloc:floor:kind=lock/size:64/dispatch:inline/threads:1"));
    assert_null(find(plan, "pair/alloc:pool/size:128/threads:2"));
    assert_null(find(plan, "pair/alloc:zone/size:64/threads:1"));
    assert_non_null(find(plan, "pair/alloc:zone/size:64/threads:2"));
    pb_plan_free(plan);
}

static void the_reference_has_a_twin_in_every_group_unless_it_is_switched_off(void **state)
{
    static const char text[] = "reference = \"pool\"\n[axes]\nalloc = [\"pool\", \"zone\"]\n"
                               "threads = [1, 2]\n[[workload]]\nname = \"pair\"\n";
    (void)state;
    struct pb_plan *plan = make_plan(text, NULL);
    assert_int_equal(plan->cells_n, 6);
    const struct pb_plan_cell *twin = find(plan, "pair/alloc:pool@aa/threads:2");
    assert_non_null(twin);
    assert_true(twin->spec.alias);
    assert_string_equal(twin->spec.variant, "pool");
    assert_string_not_equal(twin->id, find(plan, "pair/alloc:pool/threads:2")->id);
    pb_plan_free(plan);
    char off[256];
    snprintf(off, sizeof off, "aa = false\n%s", text);
    plan = make_plan(off, NULL);
    assert_int_equal(plan->cells_n, 4);
    pb_plan_free(plan);
}

static void a_filter_keeps_names_that_match_and_nothing_is_said(void **state)
{
    struct pb_plan *none;
    (void)state;
    struct pb_plan *plan = make_plan(PAIR, "^pair/.*(size:64|zone).*threads:2$");
    assert_int_equal(plan->cells_n, 4);
    pb_plan_free(plan);
    assert_int_equal(try_plan(PAIR, "nosuch", &none), -ENOENT);
    assert_string_equal(message,
                        "nothing matched: none of 12 cells has a name that matches nosuch");
    assert_int_equal(try_plan(PAIR, "(", &none), -EINVAL);
    assert_int_equal(strncmp(message, "--filter: '(': ", 15), 0);
}

static void more_threads_than_units_are_skipped_with_the_reason(void **state)
{
    struct pb_plan *plan;
    (void)state;
    plan = make_plan("[axes]\nalloc = \"pool\"\nthreads = [1, 3]\n[[workload]]\nname = \"pair\"\n",
                     NULL);
    assert_int_equal(plan->cells_n, 2);
    assert_int_equal(plan->cells[0].mark, PB_OK);
    assert_int_equal(plan->cells[1].mark, PB_SKIPPED);
    assert_string_equal(plan->cells[1].reason,
                        "3 threads, 2 processing units; --oversubscribe lets them share");
    pb_plan_free(plan);
    /* asked for by hand it is an error */
    struct pb_matrix *matrix =
        read_matrix("[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"pair\"\n");
    assert_int_equal(pb_matrix_override(matrix, "threads", "1,3", message, sizeof message), 0);
    assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message),
                     -EINVAL);
    assert_string_equal(
        message, "--threads: 3 threads, 2 processing units; --oversubscribe lets them share");
    pb_matrix_free(matrix);
    unlink(path);
    /* what the filter drops is not there */
    plan = make_plan("[axes]\nalloc = \"pool\"\nthreads = [1, 3]\n[[workload]]\nname = \"pair\"\n",
                     "threads:1");
    assert_int_equal(plan->cells_n, 1);
    pb_plan_free(plan);
    plan = make_plan("[axes]\nalloc = \"pool\"\nthreads = 3\noversubscribe = true\n"
                     "[[workload]]\nname = \"pair\"\n",
                     NULL);
    assert_int_equal(plan->cells[0].mark, PB_OK);
    assert_true(plan->cells[0].spec.oversubscribe);
    pb_plan_free(plan);
}

static void a_malformed_pin_list_is_refused_with_its_place(void **state)
{
    struct pb_plan *plan;
    char want[64];
    (void)state;
    assert_int_equal(
        try_plan("[axes]\nalloc = \"pool\"\npin = \"explicit:x\"\n[[workload]]\nname = \"pair\"\n",
                 NULL, &plan),
        -EINVAL);
    snprintf(want, sizeof want, "%s:3:7: ", path);
    assert_int_equal(strncmp(message, want, strlen(want)), 0);
}

/* What cannot run is in the plan with its reason, in block 0 alone. */
static void what_cannot_run_is_marked_and_planned_once(void **state)
{
    (void)state;
    struct pb_plan *plan =
        make_plan("blocks = 4\n[axes]\nalloc = [\"floor\", \"pool\"]\n"
                  "pin = [\"core\", \"smt\"]\ndispatch = [\"call\", \"inline\"]\n"
                  "[[workload]]\nname = \"pair\"\n[[workload]]\nname = \"batch\"\n",
                  NULL);
    assert_int_equal(find(plan, "pair/alloc:pool/threads:1")->mark, PB_OK);
    assert_int_equal(find(plan, "pair/alloc:floor/dispatch:inline/threads:1")->mark, PB_OK);
    const struct pb_plan_cell *cell = find(plan, "batch/alloc:floor/threads:1");
    assert_int_equal(cell->mark, PB_SKIPPED);
    assert_string_equal(cell->reason, "a floor has one block a thread; this workload holds more");
    cell = find(plan, "pair/alloc:pool/dispatch:inline/threads:1");
    assert_int_equal(cell->mark, PB_SKIPPED);
    cell = find(plan, "pair/alloc:pool/pin:smt/threads:1");
    assert_int_equal(cell->mark, PB_SKIPPED);
    assert_true(cell->reason[0] != '\0');
    size_t marked = 0, in_order = 0;
    for (size_t i = 0; i < plan->cells_n; i++)
        marked += plan->cells[i].mark != PB_OK;
    for (size_t i = 0; i < plan->order_n; i++) {
        bool is_marked = plan->cells[plan->order[i].cell].mark != PB_OK;
        in_order += is_marked;
        assert_true(!is_marked || plan->order[i].block == 0);
    }
    assert_int_equal(in_order, marked);
    assert_int_equal(plan->order_n, plan->cells_n + 3 * (plan->cells_n - marked));
    pb_plan_free(plan);
}

static void a_workload_that_one_thread_cannot_run_is_skipped(void **state)
{
    (void)state;
    struct pb_plan *plan = make_plan(AXES "[[workload]]\nname = \"handoff\"\n", NULL);
    assert_int_equal(find(plan, "handoff/alloc:pool/threads:1")->mark, PB_SKIPPED);
    assert_int_equal(find(plan, "handoff/alloc:pool/threads:2")->mark, PB_OK);
    pb_plan_free(plan);
}

static void a_trace_runs_once_on_the_threads_of_its_data(void **state)
{
    char text[512];
    (void)state;
    FILE *trace = fopen("plan-trace.txt", "w");
    assert_non_null(trace);
    fputs("a 0 1 64\na 1 2 64\na 2 3 64\nf 0 2\n", trace);
    fclose(trace);
    snprintf(text, sizeof text, "%s[[workload]]\nname = \"trace\"\nfile = \"plan-trace.txt\"\n",
             AXES);
    struct pb_plan *plan = make_plan(text, NULL);
    assert_int_equal(plan->cells_n, 3);
    assert_string_equal(plan->cells[1].name, "trace/alloc:pool/file:plan-trace.txt/threads:3");
    assert_true(plan->cells[1].spec.oversubscribe);
    assert_int_equal(plan->cells[1].mark, PB_OK);
    pb_plan_free(plan);
    trace = fopen("plan-trace.txt", "w");
    fputs("a 0 1 64\nf 0 2\n", trace);
    fclose(trace);
    assert_int_equal(try_plan(text, NULL, &plan), -EINVAL);
    assert_non_null(strstr(message, "plan-trace.txt:2: "));
    unlink("plan-trace.txt");
}

static void the_printed_plan_names_cells_and_reasons(void **state)
{
    char *text = NULL;
    size_t size = 0;
    (void)state;
    struct pb_matrix *matrix = read_matrix(AXES "[[workload]]\nname = \"handoff\"\n");
    struct pb_plan *plan = NULL;
    assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message), 0);
    FILE *out = open_memstream(&text, &size);
    pb_plan_print(plan, matrix, out);
    fclose(out);
    assert_non_null(strstr(text, "handoff/alloc:pool/threads:2\n"));
    assert_non_null(strstr(text, "handoff/alloc:pool/threads:1  skipped: "));
    assert_non_null(strstr(text, "6 cells, 3 of them cannot run here; 5 blocks, 15 repetitions"));
    assert_non_null(strstr(text, "the reference glibc is not among the variants"));
    free(text);
    pb_plan_free(plan);
    pb_matrix_free(matrix);
    unlink(path);
}

static void the_printed_plan_tells_the_looks_and_the_budget(void **state)
{
    char *text = NULL;
    size_t size = 0;
    (void)state;
    struct pb_matrix *matrix =
        read_matrix("target = \"3%\"\nmost_blocks = 20\nbudget = \"2h\"\n" PAIR);
    struct pb_plan *plan = NULL;
    assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message), 0);
    FILE *out = open_memstream(&text, &size);
    pb_plan_print(plan, matrix, out);
    fclose(out);
    assert_non_null(strstr(text, "; at most 20 blocks, "));
    assert_non_null(strstr(text, "looks at 11, 16, 20 blocks whether every ratio is known within "
                                 "3%\n"));
    assert_non_null(strstr(text, "no block begins that would end later than 2h\n"));
    free(text);
    pb_plan_free(plan);
    pb_matrix_free(matrix);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_multiply_with_the_variants_as_neighbours),
        cmocka_unit_test(every_block_holds_every_cell_once_in_an_order_of_its_own),
        cmocka_unit_test(the_seed_decides_the_order_and_nothing_else),
        cmocka_unit_test(ids_are_unique_and_the_same_however_a_value_is_written),
        cmocka_unit_test(a_cell_that_is_asked_for_twice_runs_once),
        cmocka_unit_test(an_include_adds_and_an_exclude_drops_what_matches_all_of_it),
        cmocka_unit_test(the_reference_has_a_twin_in_every_group_unless_it_is_switched_off),
        cmocka_unit_test(a_filter_keeps_names_that_match_and_nothing_is_said),
        cmocka_unit_test(more_threads_than_units_are_skipped_with_the_reason),
        cmocka_unit_test(a_malformed_pin_list_is_refused_with_its_place),
        cmocka_unit_test(what_cannot_run_is_marked_and_planned_once),
        cmocka_unit_test(a_workload_that_one_thread_cannot_run_is_skipped),
        cmocka_unit_test(a_trace_runs_once_on_the_threads_of_its_data),
        cmocka_unit_test(the_printed_plan_names_cells_and_reasons),
        cmocka_unit_test(the_printed_plan_tells_the_looks_and_the_budget),
    };
    return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
