/* SPDX-License-Identifier: MIT */
/* Google Benchmark's JSON. Source: google/benchmark 1.7.1, src/json_reporter.cc and docs/tools.md.
 * compare.py takes entries by name and asks each for real_time, cpu_time and time_unit; Conbench
 * takes items_per_second; Bencher wants `caches`. An entry without a time spoils a geometric mean,
 * so what did not end well is left out. */
#include "runner/export.h"

#include "runner/report_summary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Names that mean something else to a reader of this format. */
static const char *const reserved[] = {
    "name",
    "run_name",
    "run_type",
    "repetitions",
    "repetition_index",
    "threads",
    "iterations",
    "real_time",
    "cpu_time",
    "time_unit",
    "label",
    "family_index",
    "per_family_instance_index",
    "aggregate_name",
    "aggregate_unit",
    "error_occurred",
    "error_message",
    "skipped",
    "skip_message",
    "items_per_second",
    "bytes_per_second",
    "allocs_per_iter",
    "max_bytes_used",
    "total_allocated_bytes",
    "net_heap_growth",
    "cpu_coefficient",
    "real_coefficient",
    "big_o",
    "rms",
    "poolbench",
};

static void counter_name(const char *key, char *out, size_t size)
{
    bool taken = false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        taken |= strcmp(reserved[i], key) == 0;
    snprintf(out, size, "%s%s", taken ? "m_" : "", key);
}

/* As Google Benchmark has it: whether the clock's rate may change. A machine that has no governor
 * does not tell. */
static void add_scaling(json_t *context, const struct pb_run *run)
{
    const char *governor = pb_run_text(run, "machine", "governor");
    if (governor[0] != '\0')
        json_object_set_new(context, "cpu_scaling_enabled",
                            json_boolean(strcmp(governor, "performance") != 0));
}

static json_t *context_of(const struct pb_run *run)
{
    const json_t *machine = json_object_get(run->header, "machine");
    double tick =
        json_number_value(json_object_get(json_object_get(machine, "clock"), "ns_per_tick"));
    double mhz = tick > 0 ? floor(1000 / tick + 0.5) : 0;
    json_t *context =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:[], s:[], s:s, s:i, s:{s:s, s:s, s:s}}", "date",
                  pb_run_text(run, NULL, "t_utc"), "host_name", pb_run_text(run, "machine", "host"),
                  "executable", "poolbench", "num_cpus",
                  (json_int_t)json_integer_value(json_object_get(machine, "cpus")), "mhz_per_cpu",
                  (json_int_t)(mhz < 1e6 ? mhz : 0), "caches", "load_avg", "library_build_type",
                  pb_run_checks(run)[0] != '\0' ? "debug" : "release", "json_schema_version", 1,
                  "poolbench", "run", pb_run_text(run, NULL, "run"), "version",
                  pb_run_text(run, "suite", "version"), "git", pb_run_text(run, "suite", "git"));
    add_scaling(context, run);
    return context;
}

/* What an entry's times are made of: each a figure of one repetition, or a median. */
struct figures {
    double real, cpu, rate, iterations;
};

static double number_at(const struct pb_rep *rep, const char *object, const char *key)
{
    const json_t *value = json_object_get(json_object_get(rep->json, object), key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static double or_else(double value, double otherwise)
{
    return isfinite(value) && value > 0 ? value : otherwise;
}

static struct figures figures_of(const struct pb_rep *rep)
{
    struct figures f;
    f.real = or_else(number_at(rep, "gbench", "real_time"), pb_rep_metric(rep, PB_KEY_TIME));
    f.cpu = or_else(number_at(rep, "gbench", "cpu_time"), f.real);
    f.rate = or_else(pb_rep_metric(rep, PB_KEY_RATE), 1e9 / f.real);
    f.iterations =
        or_else(or_else(number_at(rep, "gbench", "iterations"), number_at(rep, "ops", "steps")), 1);
    return f;
}

static json_t *entry_of(const struct pb_export_job *job, const struct pb_cell_reps *cell,
                        const struct figures *f, size_t index, size_t n, json_int_t block)
{
    char name[PB_EXPORT_NAME_MAX];
    pb_export_name(job, cell->reps[0], name, sizeof name);
    json_t *entry = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:s, s:{s:s, s:s}}", "name", name,
        "run_name", name, "run_type", "iteration", "repetitions", (json_int_t)n, "repetition_index",
        (json_int_t)index, "threads", (json_int_t)cell->reps[0]->threads, "iterations",
        (json_int_t)fmin(f->iterations, 9e18), "real_time", f->real, "cpu_time", f->cpu,
        "time_unit", "ns", "poolbench", "cell", cell->cell, "alloc", cell->alloc);
    if (entry != NULL && isfinite(f->rate))
        json_object_set_new(entry, "items_per_second", json_real(f->rate));
    if (entry != NULL && block >= 0)
        json_object_set_new(json_object_get(entry, "poolbench"), "block", json_integer(block));
    return entry;
}

static bool has_times(const struct figures *f)
{
    return isfinite(f->real) && f->real > 0 && isfinite(f->cpu);
}

/* Writes what it was given as {"context": ..., "benchmarks": ...}. */
static int finish(struct pb_export_job *job, json_t *entries)
{
    size_t n = json_array_size(entries);
    json_t *all = json_pack("{s:o?, s:o}", "context", context_of(job->run), "benchmarks", entries);
    int error = all == NULL ? -ENOMEM : 0;
    if (error == 0 && n == 0)
        error = -ENODATA;
    if (error == 0)
        error = pb_export_json(job, all);
    json_decref(all);
    return error;
}

/* --- every repetition ------------------------------------------------------------------------ */

static void add_counters(struct pb_export_job *job, json_t *entry, const struct pb_rep *rep)
{
    char name[128];
    const char *key;
    json_t *value, *metrics = json_object_get(rep->json, "m");
    json_object_foreach(metrics, key, value)
    {
        counter_name(key, name, sizeof name);
        if (json_is_number(value) && isfinite(json_number_value(value)))
            json_object_set(entry, name, value);
        else
            job->left_out++;
    }
}

int pb_export_gb(struct pb_export_job *job)
{
    json_t *entries = json_array();
    for (size_t i = 0; i < job->cells->n; i++) {
        const struct pb_cell_reps *cell = &job->cells->cells[i];
        for (size_t k = 0, index = 0; k < cell->n; k++) {
            const struct pb_rep *rep = cell->reps[k];
            struct figures f = figures_of(rep);
            if (rep->status != PB_OK || !has_times(&f)) {
                job->left_out++;
                continue;
            }
            json_t *entry = entry_of(job, cell, &f, index++, cell->ok, (json_int_t)rep->block);
            add_counters(job, entry, rep);
            json_array_append_new(entries, entry);
        }
    }
    return finish(job, entries);
}

/* --- medians --------------------------------------------------------------------------------- */

static double median(const double *values, size_t n)
{
    struct pb_estimate is;
    return n > 0 && pb_median(values, n, PB_SUMMARY_CONFIDENCE, &is) == 0 ? is.value : (double)NAN;
}

/* The median of each figure. Returns the repetitions that have times. */
static size_t median_figures(const struct pb_cell_reps *cell, double *room, struct figures *out)
{
    enum { FIELDS = 4 };
    size_t n = 0;
    for (size_t k = 0; k < cell->n; k++) {
        struct figures f = figures_of(cell->reps[k]);
        const double fields[FIELDS] = {f.real, f.cpu, f.rate, f.iterations};
        if (cell->reps[k]->status != PB_OK || !has_times(&f))
            continue;
        for (size_t i = 0; i < FIELDS; i++)
            room[i * cell->n + n] = fields[i];
        n++;
    }
    *out = (struct figures){median(room, n), median(room + cell->n, n),
                            median(room + 2 * cell->n, n), median(room + 3 * cell->n, n)};
    return n;
}

struct medians {
    json_t *entry;
    const struct pb_cell_reps *cell;
};

static int add_median(void *context, const char *key, const json_t *facts)
{
    struct medians *m = context;
    struct pb_estimate is;
    char name[128];
    (void)facts;
    int error = pb_cell_median(m->cell, key, &is);
    counter_name(key, name, sizeof name);
    if (error == 0 && isfinite(is.value))
        json_object_set_new(m->entry, name, json_real(is.value));
    return error == -ENOENT ? 0 : error;
}

int pb_export_gb_medians(struct pb_export_job *job)
{
    json_t *entries = json_array();
    int error = 0;
    for (size_t i = 0; error == 0 && i < job->cells->n; i++) {
        const struct pb_cell_reps *cell = &job->cells->cells[i];
        struct figures f;
        double *room = calloc(4 * cell->n, sizeof *room);
        if (room == NULL)
            error = -ENOMEM;
        else if (median_figures(cell, room, &f) == 0) {
            job->left_out++;
        } else {
            struct medians m = {entry_of(job, cell, &f, 0, 1, -1), cell};
            error = pb_export_metrics(job->run, add_median, &m);
            json_array_append_new(entries, m.entry);
        }
        free(room);
    }
    if (error == 0)
        return finish(job, entries);
    json_decref(entries);
    return error;
}
