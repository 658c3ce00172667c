/* SPDX-License-Identifier: MIT */
/* Spec and result crossing as JSON: what goes in comes out, and what is malformed is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/params.h"
#include "runner/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char message[256];
static struct pb_hist alloc_hist, free_hist, body_hist, backs[PB_VIEW_N];

static const struct pb_cell_spec a_spec = {
    .variant = "zone:lock=ticket",
    .alias = true,
    .workload = "batch",
    .params = "size=64,order=fifo",
    .threads = 3,
    .pin = "explicit:0,2,5",
    .memory = "interleave",
    .start = "cold",
    .arrival = "poisson:10000",
    .delay = "lock:500",
    .dispatch = PB_DISPATCH_TABLE,
    .oversubscribe = true,
    .seed = 0x7fffffffffffffff,
    .scale = 0.1,
    .sample_gap = 256,
    .audit = true,
};

/* Through the text, as between two processes. */
static json_t *through_text(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    assert_non_null(text);
    assert_null(strchr(text, '\n'));
    json_t *back = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(back);
    return back;
}

static void a_spec_crosses_unchanged(void **state)
{
    struct pb_cell_spec back;
    (void)state;
    json_t *json = through_text(pb_wire_spec_to_json(&a_spec));
    assert_int_equal(pb_wire_spec_from_json(json, &back, message, sizeof message), 0);
    assert_string_equal(back.variant, a_spec.variant);
    assert_string_equal(back.workload, a_spec.workload);
    assert_string_equal(back.params, a_spec.params);
    assert_string_equal(back.pin, a_spec.pin);
    assert_string_equal(back.memory, a_spec.memory);
    assert_int_equal(back.threads, 3);
    assert_int_equal(back.dispatch, PB_DISPATCH_TABLE);
    assert_true(back.alias && back.oversubscribe && back.audit);
    assert_true(back.seed == a_spec.seed);
    assert_true(back.scale >= a_spec.scale && back.scale <= a_spec.scale);
    assert_int_equal(back.sample_gap, 256);
    json_decref(json);
}

static void a_spec_with_any_key_missing_or_of_another_type_is_refused(void **state)
{
    const char *key;
    json_t *value;
    (void)state;
    json_t *whole = pb_wire_spec_to_json(&a_spec);
    json_object_foreach(whole, key, value)
    {
        struct pb_cell_spec back = {.threads = 99};
        json_t *less = json_copy(whole);
        char want[128];
        json_object_del(less, key);
        assert_int_equal(pb_wire_spec_from_json(less, &back, message, sizeof message), -EINVAL);
        snprintf(want, sizeof want, "'%s' is missing", key);
        assert_string_equal(message, want);
        json_object_set_new(less, key, json_array());
        assert_int_equal(pb_wire_spec_from_json(less, &back, message, sizeof message), -EINVAL);
        snprintf(want, sizeof want, "'%s' is not what it should be", key);
        assert_string_equal(message, want);
        assert_int_equal(back.threads, 99); /* untouched */
        json_decref(less);
    }
    json_decref(whole);
}

static void texts_that_are_too_long_are_refused(void **state)
{
    struct pb_cell_spec back;
    char text[PB_VARIANT_MAX + 1];
    (void)state;
    memset(text, 'x', PB_VARIANT_MAX);
    text[PB_VARIANT_MAX] = '\0';
    json_t *json = pb_wire_spec_to_json(&a_spec);
    json_object_set_new(json, "variant", json_string(text));
    assert_int_equal(pb_wire_spec_from_json(json, &back, message, sizeof message), -EINVAL);
    text[PB_VARIANT_MAX - 1] = '\0';
    json_object_set_new(json, "variant", json_string(text));
    assert_int_equal(pb_wire_spec_from_json(json, &back, message, sizeof message), 0);
    json_decref(json);
}

static struct pb_cell_result a_result(void)
{
    struct pb_cell_result result = {.status = PB_OK,
                                    .workers = 2,
                                    .stream_hash = 0xfedcba9876543210,
                                    .rate = {.allocs = 10, .frees = 9, .reallocs = 8, .waits = 7},
                                    .audit = {.allocs = 5, .frees = 5},
                                    .version = "5.3.0 (mallctl)",
                                    .placement = "P#0,P#1",
                                    .banked = true,
                                    .wall_ns = 123456789,
                                    .steps = 4000000};
    for (size_t i = 0; i < PB_METRICS_MAX; i++)
        result.values[i] = (double)NAN;
    return result;
}

static void a_result_crosses_with_its_histograms(void **state)
{
    struct pb_cell_result result = a_result(), back;
    (void)state;
    pb_hist_clear(&alloc_hist);
    pb_hist_clear(&free_hist);
    for (uint64_t i = 1; i < 1000; i++)
        pb_hist_record(&alloc_hist, i * i);
    pb_hist_record(&free_hist, 20);
    result.hists[PB_VIEW_ALLOC] = &alloc_hist;
    result.hists[PB_VIEW_FREE] = &free_hist;
    pb_hist_clear(&body_hist);
    pb_hist_record(&body_hist, 1250);
    result.hists[PB_VIEW_BODY] = &body_hist;
    result.paths = true;
    snprintf(result.mark, sizeof result.mark, "rseq");
    int index = pb_metric_index("ns_per_op");
    assert_true(index >= 0);
    result.values[index] = 3.25;
    json_t *json = through_text(pb_wire_result_to_json(&result));
    assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message), 0);
    assert_int_equal(back.status, PB_OK);
    assert_true(back.stream_hash == result.stream_hash);
    assert_string_equal(json_string_value(json_object_get(json, "stream_hash")),
                        "fedcba9876543210");
    assert_memory_equal(&back.rate.allocs, &result.rate.allocs, 3 * sizeof(uint64_t));
    assert_int_equal(back.rate.waits, 7);
    assert_int_equal(back.audit.allocs, 5);
    assert_int_equal(back.wall_ns, result.wall_ns);
    assert_int_equal(back.steps, result.steps);
    assert_int_equal(back.workers, 2);
    assert_true(back.banked && !back.oversubscribed);
    assert_string_equal(back.version, result.version);
    assert_true(back.values[index] >= 3.25 && back.values[index] <= 3.25);
    assert_ptr_equal(back.hists[PB_VIEW_ALLOC], &backs[PB_VIEW_ALLOC]);
    assert_memory_equal(backs[PB_VIEW_ALLOC].counts, alloc_hist.counts, sizeof alloc_hist.counts);
    assert_int_equal(backs[PB_VIEW_FREE].n, 1);
    assert_int_equal(json_object_size(json_object_get(json, "hist")), 3); /* what is there */
    const json_t *hist = json_object_get(json, "hist");
    assert_null(json_object_get(json_object_get(hist, "alloc"), "unit"));
    assert_string_equal(json_string_value(json_object_get(json_object_get(hist, "body"), "unit")),
                        "ps");
    assert_int_equal(backs[PB_VIEW_BODY].n, 1);
    assert_true(back.paths);
    assert_string_equal(back.mark, "rseq");
    assert_false(back.setup.given);
    json_decref(json);
}

/* Whatever became of the cell. */
static void a_setup_crosses_with_every_status(void **state)
{
    (void)state;
    for (int status = PB_OK; status < PB_STATUSES; status++) {
        struct pb_cell_result result = a_result(), back;
        result.status = (enum pb_status)status;
        result.setup = (struct pb_setup){
            .given = true, .seed = 7, .mmap_pad = 8192, .brk_pad = 48, .aslr = true};
        json_t *json = through_text(pb_wire_result_to_json(&result));
        assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message), 0);
        assert_true(back.setup.given && back.setup.aslr);
        assert_int_equal(back.setup.seed, 7);
        assert_int_equal(back.setup.mmap_pad, 8192);
        assert_int_equal(back.setup.brk_pad, 48);
        json_object_del(json_object_get(json, "setup"), "brk_pad");
        assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message),
                         -EINVAL);
        assert_non_null(strstr(message, "brk_pad"));
        json_decref(json);
    }
}

static void infinite_metrics_are_left_out_and_named(void **state)
{
    struct pb_cell_result result = a_result();
    (void)state;
    int index = pb_metric_index("ns_per_op");
    result.values[index] = (double)INFINITY;
    json_t *json = through_text(pb_wire_result_to_json(&result));
    assert_int_equal(json_object_size(json_object_get(json, "m")), 0);
    const json_t *warn = json_object_get(json, "warn");
    assert_int_equal(json_array_size(warn), 1);
    assert_string_equal(json_string_value(json_array_get(warn, 0)), "ns_per_op is infinite");
    json_decref(json);
}

static void a_result_that_is_not_ok_has_a_reason_and_no_figures(void **state)
{
    (void)state;
    for (int status = PB_FAILED; status < PB_STATUSES; status++) {
        struct pb_cell_result result = a_result(), back;
        result.status = (enum pb_status)status;
        snprintf(result.reason, sizeof result.reason, "because \"of\" \\ this");
        json_t *json = through_text(pb_wire_result_to_json(&result));
        assert_int_equal(json_object_size(json_object_get(json, "m")), 0);
        assert_int_equal(json_object_size(json_object_get(json, "hist")), 0);
        assert_null(json_object_get(json, "wall_ns"));
        assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message), 0);
        assert_int_equal(back.status, status);
        assert_string_equal(back.reason, result.reason);
        assert_null(back.hists[PB_VIEW_ALLOC]);
        json_decref(json);
    }
}

static void a_result_with_an_unknown_status_or_a_broken_histogram_is_refused(void **state)
{
    struct pb_cell_result result = a_result(), back;
    (void)state;
    pb_hist_clear(&alloc_hist);
    pb_hist_record(&alloc_hist, 1);
    result.hists[PB_VIEW_ALLOC] = &alloc_hist;
    json_t *json = pb_wire_result_to_json(&result);
    json_t *hist = json_object_get(json_object_get(json, "hist"), "alloc");
    json_object_set_new(hist, "data", json_string("HISTFAAAA"));
    assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message),
                     -EINVAL);
    assert_string_equal(message, "the histogram 'alloc' cannot be decoded");
    json_object_set_new(json, "status", json_string("fine"));
    assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message),
                     -EINVAL);
    assert_string_equal(message, "'status' is not what it should be");
    json_decref(json);
}

static void an_ok_result_whose_window_has_no_length_is_no_result(void **state)
{
    static const json_int_t lengths[] = {0, -5};
    struct pb_cell_result result = a_result(), back;
    (void)state;
    json_t *json = pb_wire_result_to_json(&result);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        json_object_set_new(json, "wall_ns", json_integer(lengths[i]));
        assert_int_equal(pb_wire_result_from_json(json, &back, backs, message, sizeof message),
                         -EINVAL);
        assert_string_equal(message, "'wall_ns' is not what it should be");
    }
    json_decref(json);
    result.wall_ns = 0;
    json = through_text(pb_wire_result_to_json(&result));
    assert_string_equal(json_string_value(json_object_get(json, "status")), "failed");
    assert_string_equal(json_string_value(json_object_get(json, "reason")),
                        "the timed window has no length");
    assert_null(json_object_get(json, "ops"));
    json_decref(json);
}

static void params_are_numbers_where_the_option_is_one(void **state)
{
    char out[64];
    (void)state;
    const struct pb_workload *batch = pb_workload_find("batch");
    json_t *json = pb_params_json(batch, "size=4k,order=fifo");
    assert_int_equal(json_integer_value(json_object_get(json, "size")), 4096);
    assert_string_equal(json_string_value(json_object_get(json, "order")), "fifo");
    assert_int_equal(json_object_size(json), 2);
    json_decref(json);
    assert_int_equal(pb_params_value(batch, "size=4096", "size", out, sizeof out), 0);
    assert_string_equal(out, "4k");
    assert_int_equal(pb_params_value(batch, "size=4096", "order", out, sizeof out), 0);
    assert_string_equal(out, "lifo");
    assert_int_equal(pb_params_value(batch, "", "nosuch", out, sizeof out), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_crosses_unchanged),
        cmocka_unit_test(a_spec_with_any_key_missing_or_of_another_type_is_refused),
        cmocka_unit_test(texts_that_are_too_long_are_refused),
        cmocka_unit_test(a_result_crosses_with_its_histograms),
        cmocka_unit_test(a_setup_crosses_with_every_status),
        cmocka_unit_test(infinite_metrics_are_left_out_and_named),
        cmocka_unit_test(a_result_that_is_not_ok_has_a_reason_and_no_figures),
        cmocka_unit_test(a_result_with_an_unknown_status_or_a_broken_histogram_is_refused),
        cmocka_unit_test(an_ok_result_whose_window_has_no_length_is_no_result),
        cmocka_unit_test(params_are_numbers_where_the_option_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
