/* SPDX-License-Identifier: MIT */
/* Each probe on observations made up here, against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe_value.h"

#include "probes/interference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct pb_interference no_states[4];
static struct pb_hist alloc_hist, free_hist;

/* --- the registry ---------------------------------------------------------------------------- */

static void keys_are_unique_and_tables_are_complete(void **state)
{
    (void)state;
    const char *keys[VALUES_MAX];
    size_t n = 0;
    const struct pb_probe *probe;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL; i++) {
        assert_ptr_equal(pb_probe_find(probe->name), probe);
        assert_true(strlen(probe->summary) > 0 && strlen(probe->source) > 0);
        assert_true((probe->before != NULL || probe->after != NULL) == (probe->worker_bytes > 0));
        for (const struct pb_metric *m = probe->metrics; m->key != NULL; m++) {
            assert_true(n < VALUES_MAX);
            for (size_t k = 0; k < n; k++)
                assert_string_not_equal(keys[k], m->key);
            keys[n++] = m->key;
            assert_true(m->better >= -1 && m->better <= 1);
            assert_non_null(m->help);
            assert_true(strcmp(m->unit, "ns") == 0 || strcmp(m->unit, "bytes") == 0 ||
                        strcmp(m->unit, "1") == 0 || strcmp(m->unit, "1/s") == 0);
        }
    }
    assert_null(pb_probe_find("none"));
    assert_null(pb_probe_at(1000));
    assert_true(n > 0);
}

/* --- throughput ------------------------------------------------------------------------------ */

static double throughput(const struct pb_observation *o, const char *key)
{
    return value_of("throughput", o, NULL, NULL, key);
}

static void rates_of_independent_workers_add_up(void **state)
{
    (void)state;
    /* 1 and 3 steps in 1000 ticks; 100 ticks apart */
    static const struct pb_window windows[] = {
        {.go = 900, .begun = 1000, .ended = 3000, .steps = 2},
        {.go = 900, .begun = 1100, .ended = 2100, .steps = 3},
    };
    struct pb_observation o = {.step_workers = 1, .workers = 2, .rate = windows};
    double tick = pb_clock_ns(1);
    assert_near(throughput(&o, "ns_per_op"), 2.0 / (0.001 + 0.003) * tick);
    assert_near(throughput(&o, "ops_per_s"), 0.004 / tick * 1e9);
    assert_near(throughput(&o, "start_skew_ns"), 100 * tick);
    assert_near(throughput(&o, "stop_skew_ns"), 900 * tick);
    assert_near(throughput(&o, "common_share"), (2100.0 - 1100.0) / 2000.0);
    assert_near(throughput(&o, "thread_share_min"), 0.5);
    assert_near(throughput(&o, "thread_share_max"), 1.5);
}

static void the_sampled_pass_has_a_rate_of_its_own(void **state)
{
    (void)state;
    static const struct pb_window rate[] = {{.go = 0, .begun = 0, .ended = 1000, .steps = 10}};
    static const struct pb_window tail[] = {{.go = 0, .begun = 0, .ended = 1200, .steps = 10}};
    struct pb_observation o = {.step_workers = 1, .workers = 1, .rate = rate, .tail = tail};
    assert_near(throughput(&o, "sampled_ns_per_op"), 120 * pb_clock_ns(1));
    assert_near(throughput(&o, "ns_per_op"), 100 * pb_clock_ns(1));
    o.makespan = true;
    assert_near(throughput(&o, "sampled_ns_per_op"), 120 * pb_clock_ns(1));
    o.tail = NULL; /* sampling off */
    assert_true(isnan(throughput(&o, "sampled_ns_per_op")));
}

static void a_makespan_lasts_to_the_last_end(void **state)
{
    (void)state;
    static const struct pb_window windows[] = {
        {.go = 900, .begun = 1000, .ended = 2900, .steps = 2},
        {.go = 900, .begun = 1100, .ended = 2100, .steps = 3},
    };
    struct pb_observation o = {.step_workers = 1, .workers = 2, .makespan = true, .rate = windows};
    double tick = pb_clock_ns(1);
    assert_near(throughput(&o, "ns_per_op"), 2000.0 / 5 * tick);
    assert_near(throughput(&o, "ops_per_s"), 5 / (2000.0 * tick) * 1e9);
}

static void workers_that_never_ran_together_have_no_common_window(void **state)
{
    (void)state;
    static const struct pb_window windows[] = {{.begun = 10, .ended = 20, .steps = 1},
                                               {.begun = 30, .ended = 50, .steps = 1}};
    struct pb_observation o = {.step_workers = 1, .workers = 2, .rate = windows};
    assert_near(throughput(&o, "common_share"), 0.0);
}

static void a_window_without_steps_has_no_rate(void **state)
{
    (void)state;
    static const struct pb_window none = {.go = 10, .begun = 10, .ended = 20};
    static const struct pb_window empty = {.go = 10, .begun = 10, .ended = 10, .steps = 5};
    struct pb_observation o = {.step_workers = 1, .workers = 1, .rate = &none};
    assert_true(isnan(throughput(&o, "ns_per_op")));
    assert_true(isnan(throughput(&o, "thread_share_min")));
    o.rate = &empty;
    assert_true(isnan(throughput(&o, "ops_per_s")));
    assert_true(isnan(throughput(&o, "common_share")));
}

/* --- latency --------------------------------------------------------------------------------- */

static double latency(const char *key)
{
    struct pb_observation o = {
        .hists = {[PB_VIEW_ALLOC] = &alloc_hist, [PB_VIEW_FREE] = &free_hist}};
    return value_of("latency", &o, NULL, NULL, key);
}

static void record_many(struct pb_hist *hist, uint64_t ns, unsigned n)
{
    while (n-- > 0)
        pb_hist_record(hist, ns);
}

static void percentiles_are_those_of_the_histogram(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    pb_hist_clear(&alloc_hist);
    pb_hist_clear(&free_hist);
    record_many(&alloc_hist, 1000, 9000);
    record_many(&alloc_hist, 100000, 990);
    record_many(&alloc_hist, 9000000, 10);
    assert_near(latency("alloc_p50"), (double)pb_hist_value_at(&alloc_hist, 0.5));
    assert_near(latency("alloc_p50"), 1003.0); /* 1000..1003 share a counter */
    assert_near(latency("alloc_p90"), 1003.0);
    assert_near(latency("alloc_p99"), (double)pb_hist_value_at(&alloc_hist, 0.99));
    assert_near(latency("alloc_p999"), (double)pb_hist_value_at(&alloc_hist, 0.999));
    assert_true(latency("alloc_p999") >= 100000.0 && latency("alloc_p999") < 101000.0);
    assert_near(latency("alloc_max"), 9000000.0);
    assert_near(latency("alloc_samples"), 10000.0);
    assert_near(latency("alloc_mean"),
                (9000 * 1e3 + 990 * 1e5 + 10 * 9e6) / 10000 - clock->overhead_ns);
    assert_near(latency("free_samples"), 0.0);
    assert_true(isnan(latency("free_p50")) && isnan(latency("free_max")));
    assert_true(isnan(latency("free_mean")));
}

static void a_percentile_needs_ten_samples_beyond_it(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        unsigned needs;
    } cases[] = {{"free_p50", 20}, {"free_p90", 100}, {"free_p99", 1000}, {"free_p999", 10000}};
    pb_hist_clear(&alloc_hist);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pb_hist_clear(&free_hist);
        record_many(&free_hist, 5000, cases[i].needs - 1);
        assert_true(isnan(latency(cases[i].key)));
        record_many(&free_hist, 5000, 1);
        assert_true(latency(cases[i].key) > 0.0);
    }
}

static void nothing_is_finer_than_the_clock(void **state)
{
    (void)state;
    pb_hist_clear(&alloc_hist);
    pb_hist_clear(&free_hist);
    record_many(&alloc_hist, 0, 100);
    assert_near(latency("alloc_p50"), pb_clock_resolution_ns());
    assert_near(latency("alloc_p90"), pb_clock_resolution_ns());
    assert_near(latency("alloc_mean"), 0.0); /* never below nothing */
}

static void without_samples_latency_says_nothing(void **state)
{
    (void)state;
    struct pb_observation o = {.step_workers = 1, .workers = 1};
    assert_true(isnan(value_of("latency", &o, NULL, NULL, "alloc_samples")));
    assert_true(isnan(value_of("latency", &o, NULL, NULL, "free_p99")));
}

/* --- memory, alignment ----------------------------------------------------------------------- */

static void memory_ratios_are_those_of_johnstone_and_wilson(void **state)
{
    (void)state;
    struct pb_audit_result audit = {.live_peak_bytes = 1000,
                                    .rss_peak_bytes = 4000,
                                    .live_at_rss_peak_bytes = 800,
                                    .rss_at_live_peak_bytes = 3000,
                                    .rss_end_bytes = 500};
    pb_stats_unknown(&audit.at_live_peak);
    pb_stats_unknown(&audit.at_end);
    audit.at_live_peak.requested_bytes = 900;
    audit.at_live_peak.granted_bytes = 1200;
    audit.at_live_peak.held_bytes = 2000;
    audit.at_end.held_peak_bytes = 2500;
    static const struct {
        const char *key;
        double value;
    } cases[] = {
        {"live_peak_bytes", 1000}, {"rss_peak_bytes", 4000},  {"rss_over_live", 4.0},
        {"rss_at_live_peak", 3.0}, {"realized", 5.0},         {"held_peak_bytes", 2500},
        {"held_over_live", 2.5},   {"granted_at_peak", 1200}, {"internal", 0.25},
        {"external", 0.4},         {"rss_end_bytes", 500},    {"residual", 0.125},
    };
    struct pb_observation o = {.step_workers = 1, .workers = 1, .audit = &audit};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_near(value_of("memory", &o, NULL, NULL, cases[i].key), cases[i].value);
    assert_true(isnan(value_of("memory", &o, NULL, NULL, "cached_at_peak")));
    audit.at_end.held_peak_bytes = PB_STAT_UNKNOWN; /* then what was held at a checkpoint */
    assert_near(value_of("memory", &o, NULL, NULL, "held_peak_bytes"), 2000);
}

static void what_is_not_known_is_not_a_number(void **state)
{
    (void)state;
    static const char *const keys[] = {"rss_over_live",   "rss_at_live_peak", "realized",
                                       "held_peak_bytes", "granted_at_peak",  "internal",
                                       "external",        "residual"};
    struct pb_audit_result audit = {.live_peak_bytes = 0};
    pb_stats_unknown(&audit.at_live_peak);
    pb_stats_unknown(&audit.at_end);
    struct pb_observation o = {.step_workers = 1, .workers = 1, .audit = &audit};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(isnan(value_of("memory", &o, NULL, NULL, keys[i])));
    o.audit = NULL;
    assert_true(isnan(value_of("memory", &o, NULL, NULL, "live_peak_bytes")));
    assert_true(isnan(value_of("alignment", &o, NULL, NULL, "aligned_16")));
}

static void alignment_shares_are_of_all_blocks(void **state)
{
    (void)state;
    struct pb_audit_result audit = {
        .alignment = {[3] = 10, [4] = 20, [5] = 30, [6] = 15, [11] = 20, [12] = 5},
        .straddling = 25,
        .shared_64 = 10,
        .shared_128 = 40};
    static const struct {
        const char *key;
        double value;
    } cases[] = {
        {"aligned_16", 0.9},    {"aligned_32", 0.7},    {"aligned_64", 0.4},
        {"aligned_4096", 0.05}, {"alignment_min", 8.0}, {"straddle_share", 0.25},
        {"shared_64", 0.1},     {"shared_128", 0.4},
    };
    struct pb_observation o = {.step_workers = 1, .workers = 1, .audit = &audit};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_near(value_of("alignment", &o, NULL, NULL, cases[i].key), cases[i].value);
}

/* --- interference ---------------------------------------------------------------------------- */

static double interference(const struct pb_observation *o, const struct pb_interference *rate,
                           const struct pb_interference *tail, const char *key)
{
    return value_of("interference", o, rate, tail, key);
}

static void interference_adds_up_over_workers(void **state)
{
    (void)state;
    static const struct pb_window windows[] = {
        {.begun = 0, .ended = 1, .cpu_first = 0, .cpu_last = 0},
        {.begun = 0, .ended = 1, .cpu_first = 1, .cpu_last = 0},
        {.begun = 0, .ended = 1, .cpu_first = PB_CPU_UNKNOWN, .cpu_last = 0}};
    struct pb_interference states[3] = {
        {{.preemptions = 5, .voluntary = 1, .minor_faults = 100, .run_wait_ns = 10},
         {.preemptions = 7, .voluntary = 4, .minor_faults = 110, .run_wait_ns = 15}},
        {{.major_faults = 1, .run_wait_ns = 20}, {.major_faults = 3, .run_wait_ns = 120}},
        {{.preemptions = 3}, {.preemptions = 4}}};
    struct pb_observation o = {.step_workers = 1, .workers = 3, .rate = windows};
    assert_near(interference(&o, states, NULL, "preemptions"), 3);
    assert_near(interference(&o, states, NULL, "voluntary_switches"), 3);
    assert_near(interference(&o, states, NULL, "minor_faults"), 10);
    assert_near(interference(&o, states, NULL, "major_faults"), 2);
    assert_near(interference(&o, states, NULL, "migrated"), 1);
    assert_near(interference(&o, states, NULL, "run_wait_ns"), 105);
    assert_true(isnan(interference(&o, states, NULL, "tail_preemptions")));
    assert_near(interference(&o, no_states, states, "tail_preemptions"), 3);
    assert_near(interference(&o, no_states, states, "preemptions"), 0);
    states[1].after.run_wait_ns = UINT64_MAX;
    assert_true(isnan(interference(&o, states, NULL, "run_wait_ns")));
}

static void overlap_is_what_the_workers_time_off_leaves(void **state)
{
    (void)state;
    uint64_t ticks = pb_clock_ticks(1e9);
    double wall = pb_clock_ns(ticks);
    struct pb_window windows[2] = {{.begun = 0, .ended = ticks}, {.begun = 0, .ended = ticks}};
    struct pb_interference states[2] = {{{0}, {.ticks = ticks}}, {{0}, {.ticks = ticks}}};
    struct pb_observation o = {.step_workers = 1, .workers = 2, .rate = windows};
    states[0].after.cpu_ns = (uint64_t)wall - 200000000; /* 20 % off */
    states[1].after.cpu_ns = (uint64_t)wall - 100000000; /* 10 % off */
    assert_true(fabs(interference(&o, states, NULL, "overlap") - 0.7) < 1e-6);
    states[1].after.cpu_ns = (uint64_t)wall + 5000; /* clocks differ a little: not more than all */
    assert_true(fabs(interference(&o, states, NULL, "overlap") - 0.8) < 1e-6);
    states[0].after.cpu_ns = states[1].after.cpu_ns = 1000; /* never on */
    assert_near(interference(&o, states, NULL, "overlap"), 0.0);
}

/* The hooks read the system: touching fresh pages and sleeping show up as counts. */
static void the_hooks_see_faults_and_sleeps(void **state)
{
    (void)state;
    const struct pb_probe *probe = pb_probe_find("interference");
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 50;
    struct pb_interference seen = {{0}, {0}};
    unsigned char *fresh =
        mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(fresh, MAP_FAILED);
    madvise(fresh, pages * page, MADV_NOHUGEPAGE);
    assert_int_equal(probe->worker_bytes, sizeof seen);
    probe->before(&seen);
    for (size_t i = 0; i < pages; i++)
        ((volatile unsigned char *)fresh)[i * page] = 1;
    usleep(1000);
    probe->after(&seen);
    munmap(fresh, pages * page);
    struct pb_window window = {.begun = seen.before.ticks, .ended = seen.after.ticks};
    struct pb_observation o = {.step_workers = 1, .workers = 1, .rate = &window};
    assert_true(interference(&o, &seen, NULL, "minor_faults") >= (double)pages);
    assert_true(interference(&o, &seen, NULL, "voluntary_switches") >= 1.0);
    assert_true(interference(&o, &seen, NULL, "overlap") < 1.0);
    assert_true(seen.after.cpu_ns >= seen.before.cpu_ns);
}

/* --- strategy -------------------------------------------------------------------------------- */

static void counters_and_their_rates(void **state)
{
    (void)state;
    struct pb_observation o = {.step_workers = 1, .workers = 1};
    pb_stats_unknown(&o.stats);
    o.stats.allocs = 200;
    o.stats.hits = 150;
    o.stats.misses = 50;
    o.stats.lock_acquisitions = 40;
    o.stats.lock_contended = 10;
    o.stats.fallthrough = 20;
    static const struct {
        const char *key;
        double value;
    } cases[] = {
        {"allocs", 200},           {"hits", 150},          {"misses", 50},
        {"hit_rate", 0.75},        {"lock_contended", 10}, {"lock_acquisitions", 40},
        {"contended_share", 0.25}, {"fallthrough", 20},    {"fallthrough_share", 0.1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_near(value_of("strategy", &o, NULL, NULL, cases[i].key), cases[i].value);
    assert_true(isnan(value_of("strategy", &o, NULL, NULL, "overflows")));
    assert_true(isnan(value_of("strategy", &o, NULL, NULL, "cached_bytes")));
    o.stats.misses = PB_STAT_UNKNOWN;
    assert_true(isnan(value_of("strategy", &o, NULL, NULL, "hit_rate")));
    o.stats.lock_acquisitions = o.stats.lock_contended = 0;
    assert_true(isnan(value_of("strategy", &o, NULL, NULL, "contended_share")));
}

int main(void)
{
    pb_clock_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_unique_and_tables_are_complete),
        cmocka_unit_test(rates_of_independent_workers_add_up),
        cmocka_unit_test(the_sampled_pass_has_a_rate_of_its_own),
        cmocka_unit_test(a_makespan_lasts_to_the_last_end),
        cmocka_unit_test(workers_that_never_ran_together_have_no_common_window),
        cmocka_unit_test(a_window_without_steps_has_no_rate),
        cmocka_unit_test(percentiles_are_those_of_the_histogram),
        cmocka_unit_test(a_percentile_needs_ten_samples_beyond_it),
        cmocka_unit_test(nothing_is_finer_than_the_clock),
        cmocka_unit_test(without_samples_latency_says_nothing),
        cmocka_unit_test(memory_ratios_are_those_of_johnstone_and_wilson),
        cmocka_unit_test(what_is_not_known_is_not_a_number),
        cmocka_unit_test(alignment_shares_are_of_all_blocks),
        cmocka_unit_test(interference_adds_up_over_workers),
        cmocka_unit_test(overlap_is_what_the_workers_time_off_leaves),
        cmocka_unit_test(the_hooks_see_faults_and_sleeps),
        cmocka_unit_test(counters_and_their_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
