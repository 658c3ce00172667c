/* SPDX-License-Identifier: MIT */
/* A Google Benchmark reporter in C that records rows for a test to judge after the run: an
 * assertion must not jump over the library's frames. One a test program. */
#ifndef PB_GBENCH_RECORDER_H
#define PB_GBENCH_RECORDER_H

#include "gbench/gbench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct row {
    char name[96], message[96], label[96];
    bool error, aggregate;
    int64_t iterations;
    double accumulated, adjusted;
    size_t counters_n;
    struct pb_gb_counter counters[8];
    char counter_names[8][32];
};

static struct row rows[64];
static size_t rows_n;
static size_t finalized;

static inline void record_row(const struct pb_gb_run *run, struct row *row)
{
    *row = (struct row){.error = pb_gb_run_error_occurred(run),
                        .aggregate = pb_gb_run_is_aggregate(run),
                        .iterations = pb_gb_run_iterations(run),
                        .accumulated = pb_gb_run_real_accumulated_time(run),
                        .adjusted = pb_gb_run_adjusted_real_time(run),
                        .counters_n = pb_gb_run_counters_n(run)};
    snprintf(row->name, sizeof row->name, "%s", pb_gb_run_benchmark_name(run));
    snprintf(row->message, sizeof row->message, "%s", pb_gb_run_error_message(run));
    snprintf(row->label, sizeof row->label, "%s", pb_gb_run_label(run));
    for (size_t i = 0; i < row->counters_n && i < 8; i++) {
        const char *name = "";
        pb_gb_run_counter_at(run, i, &name, &row->counters[i]);
        snprintf(row->counter_names[i], sizeof row->counter_names[i], "%s", name);
    }
}

static inline void record(const struct pb_gb_run *const *runs, size_t n, void *context)
{
    (void)context;
    for (size_t i = 0; i < n && rows_n < 64; i++)
        record_row(runs[i], &rows[rows_n++]);
}

static inline void record_end(void *context)
{
    (void)context;
    finalized++;
}

static const struct pb_gb_reporter_ops recorder = {.runs = record, .finalize = record_end};

static inline int run_with(const struct pb_gb_reporter_ops *ops, const char *spec, size_t *matched)
{
    struct pb_gb_reporter *reporter = NULL;
    rows_n = finalized = 0;
    assert_int_equal(pb_gb_reporter_create(ops, NULL, &reporter), 0);
    int error = pb_gb_run_specified_benchmarks(spec, reporter, NULL, matched);
    pb_gb_reporter_destroy(reporter);
    return error;
}

static inline void run_all(void)
{
    assert_int_equal(run_with(&recorder, "all", NULL), 0);
    assert_int_equal(finalized, 1);
}

static inline int initialize(const char *flag)
{
    char program[] = "test", copy[96];
    snprintf(copy, sizeof copy, "%s", flag);
    char *argv[] = {program, copy, NULL};
    int argc = 2;
    return pb_gb_initialize(&argc, argv, NULL);
}

static inline int fresh(void **unused)
{
    (void)unused;
    return pb_gb_clear_registered_benchmarks() != 0 ||
           initialize("--benchmark_min_time=0.001") != 0;
}

static inline struct pb_gb_benchmark *add(const char *name, pb_gb_body body, void *context)
{
    struct pb_gb_benchmark *benchmark = NULL;
    assert_int_equal(pb_gb_register_benchmark(name, body, context, &benchmark), 0);
    return benchmark;
}

static inline const struct pb_gb_counter *counter_of(const struct row *row, const char *name)
{
    for (size_t i = 0; i < row->counters_n; i++)
        if (strcmp(row->counter_names[i], name) == 0)
            return &row->counters[i];
    fail_msg("%s has no counter %s", row->name, name);
    return NULL;
}

/* A body: one second of manual time an iteration. */
static inline void second_each(struct pb_gb_state *state, void *context)
{
    (void)context;
    while (pb_gb_state_keep_running(state))
        pb_gb_state_set_iteration_time(state, 1.0);
}

#endif
