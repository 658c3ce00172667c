/* SPDX-License-Identifier: MIT */
/* Metrics for other programs: CSV in long form, Markdown, Bencher Metric Format, OpenMetrics.
 * Source: RFC 4180; bencher.dev, "Bencher Metric Format"; OpenMetrics 1.0 (prometheus/docs,
 * specs/om/open_metrics_spec.md): families without a gap, UTF-8, "# EOF" at the end. */
#include "runner/export.h"

#include "runner/report.h"
#include "runner/report_summary.h"
#include "runner/report_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- CSV, Markdown --------------------------------------------------------------------------- */

static void csv_rep(struct pb_export_job *job, const struct pb_rep *rep)
{
    char name[PB_EXPORT_NAME_MAX];
    pb_export_marked(job, rep, name, sizeof name);
    const char *const texts[] = {pb_run_text(job->run, NULL, "run"),
                                 rep->cell,
                                 name,
                                 rep->workload,
                                 rep->alloc,
                                 rep->dispatch,
                                 rep->pin};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pb_text_csv(job->out, texts[i]);
        fputc(',', job->out);
    }
    fprintf(job->out, "%u,%u,%u,%s,", rep->threads, rep->block, rep->order,
            pb_status_names[rep->status]);
    pb_text_csv(job->out, rep->reason);
    fputc(',', job->out);
}

static void csv_metrics(struct pb_export_job *job, const struct pb_rep *rep)
{
    const json_t *facts = json_object_get(job->run->header, "metrics");
    json_t *metrics = json_object_get(rep->json, "m"), *value;
    const char *key;
    json_object_foreach(metrics, key, value)
    {
        double number = json_is_number(value) ? json_number_value(value) : (double)NAN;
        const char *unit = json_string_value(json_object_get(json_object_get(facts, key), "unit"));
        if (!isfinite(number)) {
            job->left_out++;
            continue;
        }
        csv_rep(job, rep);
        pb_text_csv(job->out, key);
        fputc(',', job->out);
        pb_text_csv(job->out, unit != NULL ? unit : "1");
        fprintf(job->out, ",%.*g\r\n", PB_EXPORT_DIGITS, number);
    }
}

int pb_export_csv(struct pb_export_job *job)
{
    fputs("run,cell,name,workload,alloc,dispatch,pin,threads,block,order,status,reason,metric,unit,"
          "value\r\n",
          job->out);
    for (size_t i = 0; i < job->cells->n; i++)
        for (size_t k = 0; k < job->cells->cells[i].n; k++) {
            const struct pb_rep *rep = job->cells->cells[i].reps[k];
            if (rep->status == PB_OK) {
                csv_metrics(job, rep);
            } else { /* a failure is data: a row without a figure */
                csv_rep(job, rep);
                fputs(",,\r\n", job->out);
            }
        }
    return 0;
}

/* The report of the cells that were asked for. */
int pb_export_markdown(struct pb_export_job *job)
{
    struct pb_run part = *job->run;
    size_t n = 0;
    part.reps = calloc(job->run->reps_n + 1, sizeof *part.reps);
    if (part.reps == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < job->run->reps_n; i++)
        if (pb_run_cells_find(job->cells, job->run->reps[i].cell) != NULL)
            part.reps[n++] = job->run->reps[i];
    part.reps_n = n;
    if (n > 0 && job->mark[0] != '\0')
        fprintf(job->out, "> Measured by a build with checks (%s): not an allocator's figures.\n\n",
                job->mark);
    int error = n > 0 ? pb_report(&part, &(struct pb_report_options){.format = PB_REPORT_MARKDOWN},
                                  job->out)
                      : -ENODATA;
    free(part.reps);
    return error;
}

/* --- Bencher --------------------------------------------------------------------------------- */

struct measures {
    const struct pb_cell_reps *cell;
    json_t *into;
};

/* Metrics that know better from worse: of others no bound means anything. */
static int add_measure(void *context, const char *key, const json_t *facts)
{
    struct measures *m = context;
    struct pb_estimate is;
    if (json_integer_value(json_object_get(facts, "better")) == 0)
        return 0;
    int error = pb_cell_median(m->cell, key, &is);
    if (error != 0 || !isfinite(is.value))
        return error == -ENOENT ? 0 : error;
    json_t *measure = json_pack("{s:f}", "value", is.value);
    if (isfinite(is.low) && isfinite(is.high)) {
        json_object_set_new(measure, "lower_value", json_real(is.low));
        json_object_set_new(measure, "upper_value", json_real(is.high));
    }
    return json_object_set_new(m->into, key, measure) == 0 ? 0 : -ENOMEM;
}

int pb_export_bmf(struct pb_export_job *job)
{
    json_t *all = json_object();
    int error = 0;
    for (size_t i = 0; error == 0 && i < job->cells->n; i++) {
        const struct pb_cell_reps *cell = &job->cells->cells[i];
        char name[PB_EXPORT_NAME_MAX];
        struct measures m = {cell, json_object()};
        pb_export_name(job, cell->reps[0], name, sizeof name);
        error = pb_export_metrics(job->run, add_measure, &m);
        if (json_object_size(m.into) > 0 && json_object_get(all, name) == NULL)
            json_object_set(all, name, m.into);
        else
            job->left_out++;
        json_decref(m.into);
    }
    if (error == 0 && json_object_size(all) == 0)
        error = -ENODATA;
    if (error == 0)
        error = pb_export_json(job, all);
    json_decref(all);
    return error;
}

/* --- OpenMetrics ----------------------------------------------------------------------------- */

static void label(FILE *out, const char *key, const char *value, bool last)
{
    char clean[2 * PB_CELL_NAME_MAX];
    pb_text_clean(value, clean, sizeof clean);
    fprintf(out, "%s=\"", key);
    for (const char *c = clean; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"')
            fputc('\\', out);
        fputc(*c, out);
    }
    fprintf(out, "\"%s", last ? "" : ",");
}

static void sample(struct pb_export_job *job, const char *family, const struct pb_cell_reps *cell,
                   const char *of, double value)
{
    const struct pb_rep *rep = cell->reps[0];
    char threads[16], name[PB_EXPORT_NAME_MAX];
    pb_export_marked(job, rep, name, sizeof name);
    snprintf(threads, sizeof threads, "%u", rep->threads);
    fprintf(job->out, "%s{", family);
    label(job->out, "run", pb_run_text(job->run, NULL, "run"), false);
    label(job->out, "cell", cell->cell, false);
    label(job->out, "name", name, false);
    label(job->out, "workload", rep->workload, false);
    label(job->out, "alloc", cell->alloc, false);
    label(job->out, "threads", threads, false);
    label(job->out, "of", of, true);
    fprintf(job->out, "} %.*g\n", PB_EXPORT_DIGITS, value);
}

/* The name of a family: letters, digits and '_'; none of the endings that mean a type. */
static void family_name(const char *key, char *out, size_t size)
{
    snprintf(out, size, "poolbench_%s", key);
    for (char *c = out; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) || (unsigned char)*c > 127)
            *c = '_';
}

static void help(FILE *out, const char *family, const char *text)
{
    char clean[512];
    pb_text_clean(text, clean, sizeof clean);
    fprintf(out, "# HELP %s ", family);
    for (const char *c = clean; *c != '\0'; c++)
        fputs(*c == '\\' ? "\\\\" : *c == '"' ? "\\\"" : (const char[]){*c, '\0'}, out);
    fputc('\n', out);
}

static int write_family(void *context, const char *key, const json_t *facts)
{
    struct pb_export_job *job = context;
    const char *text = json_string_value(json_object_get(facts, "help"));
    const char *unit = json_string_value(json_object_get(facts, "unit"));
    char family[256], about[384];
    bool begun = false;
    family_name(key, family, sizeof family);
    snprintf(about, sizeof about, "%s (%s)", text != NULL ? text : key, unit != NULL ? unit : "1");
    for (size_t i = 0; i < job->cells->n; i++) {
        struct pb_estimate is;
        int error = pb_cell_median(&job->cells->cells[i], key, &is);
        if (error == -ENOMEM)
            return error;
        if (error != 0 || !isfinite(is.value))
            continue;
        if (!begun) {
            fprintf(job->out, "# TYPE %s gauge\n", family);
            help(job->out, family, about);
        }
        begun = true;
        sample(job, family, &job->cells->cells[i], "median", is.value);
        if (!isfinite(is.low) || !isfinite(is.high))
            continue;
        sample(job, family, &job->cells->cells[i], "low", is.low);
        sample(job, family, &job->cells->cells[i], "high", is.high);
    }
    return 0;
}

int pb_export_openmetrics(struct pb_export_job *job)
{
    static const char family[] = "poolbench_repetitions";
    fprintf(job->out, "# TYPE %s gauge\n", family);
    help(job->out, family, "repetitions of the cell that count, and of them those that are ok");
    for (size_t i = 0; i < job->cells->n; i++) {
        sample(job, family, &job->cells->cells[i], "all", (double)job->cells->cells[i].n);
        sample(job, family, &job->cells->cells[i], "ok", (double)job->cells->cells[i].ok);
    }
    int error = pb_export_metrics(job->run, write_family, job);
    fputs("# EOF\n", job->out);
    return error;
}
