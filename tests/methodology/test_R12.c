/* SPDX-License-Identifier: MIT */
/* R12: no report shows a percentile of single calls that the clock cannot resolve: it says "<=" and
 * what the clock can. What the clock says of itself is in rules/R12.jq. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/hist.h"
#include "unit/reading_run.h"

enum { CALL_NS = 7, QUANTUM_NS = 20 };

/* A run whose every call took 7 ns by a clock that moves on by 20, or that does not say. */
static struct pb_run *run_of_short_calls(bool says)
{
    static struct pb_hist hist;
    static char text[PB_HIST_TEXT_MAX];
    const struct made_cell cells[] = {{"pool", 1, 6, {10, 10, 10, 10, 10, 10}}};
    struct pb_run *run = made_run("pool", cells, 1);
    pb_hist_clear(&hist);
    for (int i = 0; i < 2000; i++)
        pb_hist_record(&hist, CALL_NS);
    assert_true(pb_hist_encode(&hist, text, sizeof text) > 0);
    for (size_t i = 0; i < run->reps_n; i++)
        json_object_set_new(
            run->reps[i].json, "hist",
            json_pack("{s:{s:s, s:i, s:s}}", "alloc", "codec", "hdr2", "n", 2000, "data", text));
    if (says)
        json_object_set_new(json_object_get(run->header, "machine"), "clock",
                            json_pack("{s:i, s:f}", "quantum_ns", QUANTUM_NS, "overhead_ns", 1.0));
    return run;
}

/* Whether a format shows the calls' 99th percentile as what the clock can tell. */
static bool is_bounded(struct pb_run *run, enum pb_report_format format)
{
    static const char *const words[] = {[PB_REPORT_TABLE] = " <=20  ",
                                        [PB_REPORT_JSON] = "\"at_most\"",
                                        [PB_REPORT_CSV] = ",<=20,",
                                        [PB_REPORT_MARKDOWN] = "| &lt;=20 |"};
    char *text = report_text(run, (struct pb_report_options){.format = format});
    bool found = strstr(text, words[format]) != NULL;
    free(text);
    return found;
}

static void a_percentile_below_the_quantum_reads_at_most(void **state)
{
    struct pb_run *run = run_of_short_calls(true);
    (void)state;
    for (int format = PB_REPORT_TABLE; format <= PB_REPORT_MARKDOWN; format++)
        assert_true(is_bounded(run, (enum pb_report_format)format));
    made_free(run);
}

static void a_report_that_does_not_know_the_quantum_is_found(void **state)
{
    struct pb_run *run = run_of_short_calls(false);
    (void)state;
    for (int format = PB_REPORT_TABLE; format <= PB_REPORT_MARKDOWN; format++)
        assert_false(is_bounded(run, (enum pb_report_format)format));
    made_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percentile_below_the_quantum_reads_at_most),
        cmocka_unit_test(a_report_that_does_not_know_the_quantum_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
