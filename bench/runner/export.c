/* SPDX-License-Identifier: MIT */
/* The table of formats and what they share: export.h. */
#include "runner/export.h"

#include "runner/report_text.h"
#include "runner/store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct pb_exporter exporters[] = {
    {"gb", "Google Benchmark's JSON, every repetition: compare.py, Conbench", false, pb_export_gb},
    {"gb-medians", "the same, one entry a cell: github-action-benchmark", false,
     pb_export_gb_medians},
    {"csv", "a row a repetition and metric (RFC 4180)", false, pb_export_csv},
    {"md", "the report as Markdown", false, pb_export_markdown},
    {"hgrm", "HdrHistogram percentile distributions; with -o a folder, a file each", true,
     pb_export_hgrm},
    {"hlog", "HdrHistogram interval log, V2 compressed", false, pb_export_hlog},
    {"bmf", "Bencher Metric Format: medians with their intervals", false, pb_export_bmf},
    {"openmetrics", "OpenMetrics text: medians with their intervals", false, pb_export_openmetrics},
};

const struct pb_exporter *pb_exporter_at(size_t i)
{
    return i < sizeof exporters / sizeof *exporters ? &exporters[i] : NULL;
}

const struct pb_exporter *pb_exporter_find(const char *name)
{
    for (size_t i = 0; i < sizeof exporters / sizeof *exporters; i++)
        if (strcmp(exporters[i].name, name) == 0)
            return &exporters[i];
    return NULL;
}

void pb_export_marked(const struct pb_export_job *job, const struct pb_rep *rep, char *out,
                      size_t size)
{
    bool marked = job->mark[0] != '\0';
    int room = (int)(marked ? size - strlen("/build:") - strlen(job->mark) - 1 : size - 1);
    snprintf(out, size, "%.*s%s%s", room > 0 ? room : 0, rep->name, marked ? "/build:" : "",
             job->mark);
}

int pb_export_json(struct pb_export_job *job, const json_t *all)
{
    if (json_dumpf(all, job->out, JSON_INDENT(2) | JSON_REAL_PRECISION(PB_EXPORT_DIGITS)) != 0)
        return -EIO;
    fputc('\n', job->out);
    return 0;
}

void pb_export_name(const struct pb_export_job *job, const struct pb_rep *rep, char *out,
                    size_t size)
{
    char name[PB_EXPORT_NAME_MAX], text[PB_EXPORT_NAME_MAX];
    size_t used = 0;
    pb_export_marked(job, rep, name, sizeof name);
    const char *alloc = strstr(name, "/alloc:");
    size_t alloc_at = alloc != NULL ? (size_t)(alloc - name) + 7 : SIZE_MAX;
    size_t alloc_end = alloc != NULL ? alloc_at + strlen(rep->alloc) : SIZE_MAX;
    for (size_t i = 0; name[i] != '\0' && used + 1 < sizeof text; i++) {
        char c = name[i];
        bool within = i >= alloc_at && i < alloc_end;
        size_t part = c == '/' ? strcspn(name + i + 1, "/") : 0;
        if (c == '/' && (within || memchr(name + i + 1, ':', part) == NULL))
            c = '_'; /* of a path, not between parts */
        text[used++] = strchr(" \t\"'`\\<>&|$", c) != NULL ? '_' : c;
    }
    text[used] = '\0';
    pb_text_clean(text, out, size);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '?' ? '_' : *c;
}

int pb_export_metrics(const struct pb_run *run, pb_export_metric_fn *each, void *context)
{
    json_t *metrics = json_object_get(run->header, "metrics");
    const char *key;
    json_t *facts;
    json_object_foreach(metrics, key, facts)
    {
        int stop = each(context, key, facts);
        if (stop != 0)
            return stop;
    }
    return 0;
}

double pb_export_seconds(const char *utc)
{
    struct tm tm = {0};
    char end;
    if (utc == NULL || sscanf(utc, "%4d-%2d-%2dT%2d:%2d:%2d%c", &tm.tm_year, &tm.tm_mon,
                              &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 7)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (double)timegm(&tm);
}

/* --- where it goes --------------------------------------------------------------------------- */

static int write_to(const struct pb_exporter *exporter, struct pb_export_job *job)
{
    errno = 0;
    int error = exporter->write(job);
    if (error == 0 && (fflush(job->out) != 0 || ferror(job->out)))
        error = errno != 0 ? -errno : -EIO;
    return error;
}

/* Under another name first, so that a file there stays whole until this one is. */
static int write_file(const struct pb_exporter *exporter, struct pb_export_job *job,
                      const char *path)
{
    char whole[PATH_MAX];
    if ((size_t)snprintf(whole, sizeof whole, "%s.%d", path, (int)getpid()) >= sizeof whole)
        return -ENAMETOOLONG;
    job->out = fopen(whole, "wxe");
    if (job->out == NULL)
        return -errno;
    int error = write_to(exporter, job);
    if (error == 0 && fsync(fileno(job->out)) != 0)
        error = -errno;
    if (fclose(job->out) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(whole, path) != 0)
        error = -errno;
    if (error != 0)
        unlink(whole);
    return error;
}

static int write_somewhere(const struct pb_exporter *exporter, struct pb_export_job *job,
                           const char *path)
{
    struct stat st;
    if (path == NULL)
        return write_to(exporter, job);
    if (!exporter->split) { /* a pipe or a terminal has no name to take */
        if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
            return write_file(exporter, job, path);
        job->out = fopen(path, "we");
        if (job->out == NULL)
            return -errno;
        int error = write_to(exporter, job);
        return fclose(job->out) != 0 && error == 0 ? -errno : error;
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return -errno;
    job->folder = path;
    return exporter->write(job);
}

static int may_leave(const struct pb_run *run, bool any_build, const char *path, char *message,
                     size_t size)
{
    const char *build = pb_run_checks(run);
    if (path != NULL && path[0] == '\0') {
        snprintf(message, size, "--out is empty: give the name of a file");
        return -EINVAL;
    }
    if (build[0] == '\0' || any_build)
        return 0;
    snprintf(message, size,
             "%s was measured by a build with checks (%.64s), whose figures are none of an "
             "allocator; export a release build's run, or --any-build if you know better",
             run->folder, build);
    return -EPERM;
}

int pb_export(const struct pb_run *run, const struct pb_exporter *exporter, const char *filter,
              bool any_build, const char *path, FILE *out, size_t *left_out, char *message,
              size_t message_size)
{
    struct pb_run_cells cells = {0};
    int error = may_leave(run, any_build, path, message, message_size);
    if (error == 0)
        error = pb_run_cells(run, filter, &cells, message, message_size);
    if (error != 0)
        return error;
    struct pb_export_job job = {
        .run = run, .cells = &cells, .out = out, .mark = pb_run_checks(run)};
    error = cells.n > 0 ? write_somewhere(exporter, &job, path) : -ENODATA;
    *left_out = job.left_out;
    if (error == -ENODATA)
        snprintf(message, message_size, "%s: nothing to export as %s%s", run->folder,
                 exporter->name,
                 filter != NULL ? " among the cells that --filter lets through" : "");
    else if (error != 0)
        pb_store_say(path != NULL ? path : "standard output", error,
                     path != NULL ? "give another --out" : NULL, message, message_size);
    pb_run_cells_free(&cells);
    return error;
}
