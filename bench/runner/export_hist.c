/* SPDX-License-Identifier: MIT */
/* Latency histograms for HdrHistogram's tools: percentile distributions (.hgrm, what its plotter
 * reads) and interval logs (.hlog, V2 compressed). Values are nanoseconds in both: neither format
 * has a place for another unit that its readers look at. What was counted in picoseconds has its
 * decimals in a distribution, and is counted anew in whole nanoseconds for a log.
 * Source: HdrHistogram 2.1, AbstractHistogram.outputPercentileDistribution, HistogramLogWriter;
 * HdrHistogram_c, hdr_histogram_log.c: a line of the header has 126 characters at the most, no
 * comment stands behind the first row, a tag has no comma, space or newline, and the second field
 * of a row is a length. */
#include "runner/export.h"

#include "engine/hist_layout.h"
#include "runner/report_summary.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDES_MAX = 32, TICKS = 5 /* points for each halving of what is left */ };

/* Which histograms a cell has: "alloc", "free", and whatever else its repetitions tell apart. */
static size_t sides_of(const struct pb_cell_reps *cell, const char *sides[SIDES_MAX])
{
    size_t n = 0;
    for (size_t k = 0; k < cell->n; k++) {
        json_t *hists = json_object_get(cell->reps[k]->json, "hist"), *hist;
        const char *key;
        json_object_foreach(hists, key, hist)
        {
            size_t i = 0;
            while (i < n && strcmp(sides[i], key) != 0)
                i++;
            if (i == n && n < SIDES_MAX)
                sides[n++] = key;
        }
    }
    return n;
}

/* --- percentile distributions ----------------------------------------------------------------- */

static double mid(size_t index)
{
    return 0.5 * ((double)pb_hist_lower_edge(index) + (double)pb_hist_upper_edge(index));
}

static void moments(const struct pb_hist *hist, double *mean, double *deviation)
{
    double sum = 0, squares = 0, n = (double)hist->n;
    for (size_t i = 0; i < PB_HIST_COUNTS; i++)
        sum += (double)hist->counts[i] * mid(i);
    *mean = sum / n;
    for (size_t i = 0; i < PB_HIST_COUNTS; i++)
        squares += (double)hist->counts[i] * (mid(i) - *mean) * (mid(i) - *mean);
    *deviation = sqrt(squares / n);
}

/* The next level, in percent: TICKS steps until half of what is left to 100 is done. */
static double next_level(double level)
{
    double halvings = floor(log2(100 / (100 - level))) + 1;
    return level + 100 / (TICKS * exp2(halvings));
}

/* Values that are `per_ns` to a nanosecond. The last line has no fourth column: it would be
 * infinite. */
static void write_levels(FILE *out, const struct pb_hist *hist, double per_ns)
{
    uint64_t below = 0;
    double level = 0;
    for (size_t i = 0; i < PB_HIST_COUNTS && below < hist->n; i++) {
        if (hist->counts[i] == 0)
            continue;
        below += hist->counts[i];
        double done = 100 * (double)below / (double)hist->n;
        double value = (double)pb_hist_upper_edge(i) / per_ns;
        while (level <= done && below < hist->n) {
            fprintf(out, "%12.3f %2.12f %10llu %14.2f\n", value, level / 100,
                    (unsigned long long)below, 1 / (1 - level / 100));
            level = next_level(level);
        }
        if (below == hist->n)
            fprintf(out, "%12.3f %2.12f %10llu\n", value, 1.0, (unsigned long long)below);
    }
}

static void write_distribution(FILE *out, const struct pb_hist *hist, double per_ns)
{
    double mean, deviation;
    size_t last = PB_HIST_COUNTS - 1;
    while (last > 0 && hist->counts[last] == 0)
        last--;
    moments(hist, &mean, &deviation);
    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    write_levels(out, hist, per_ns);
    fprintf(out,
            "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
            "#[Max     = %12.3f, Total count    = %12llu]\n"
            "#[Buckets = %12d, SubBuckets     = %12d]\n",
            mean / per_ns, deviation / per_ns, (double)pb_hist_upper_edge(last) / per_ns,
            (unsigned long long)hist->n, PB_HIST_TOP_BITS - PB_HIST_SUB_BITS + 1,
            1 << PB_HIST_SUB_BITS);
}

/* All repetitions of a cell together: those in the unit of the first. Returns how many of its
 * values are a nanosecond. */
static double merge(struct pb_export_job *job, const struct pb_cell_reps *cell, const char *side,
                    struct pb_hist *all, struct pb_hist *one)
{
    double unit = 0;
    pb_hist_clear(all);
    for (size_t k = 0; k < cell->n; k++) {
        double per_ns = pb_rep_hist_per_ns(cell->reps[k], side);
        int error =
            cell->reps[k]->status == PB_OK ? pb_rep_hist(cell->reps[k], side, one) : -ENOENT;
        if (error == 0 && per_ns > 0 && (all->n == 0 || per_ns == unit)) {
            pb_hist_merge(all, one);
            unit = per_ns;
        } else if (error != -ENOENT) {
            job->left_out++;
        }
    }
    return unit;
}

/* The file of one distribution; its name is the cell's with '_' for what a file's name has not. */
static int write_file(const struct pb_export_job *job, const char *name, const char *side,
                      const struct pb_hist *hist, double per_ns)
{
    char path[PATH_MAX], safe[PB_EXPORT_NAME_MAX];
    snprintf(safe, sizeof safe, "%.200s", name);
    for (char *c = safe; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr(":=@.-", *c) == NULL)
            *c = '_';
    if ((size_t)snprintf(path, sizeof path, "%s/%s.%s.hgrm", job->folder, safe, side) >=
        sizeof path)
        return -ENAMETOOLONG;
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return -errno;
    write_distribution(out, hist, per_ns);
    int error = ferror(out) ? -EIO : 0;
    if (fclose(out) != 0 && error == 0)
        error = -errno;
    return error;
}

/* All distributions of a cell; *written counts them. */
static int write_cell(struct pb_export_job *job, const struct pb_cell_reps *cell,
                      struct pb_hist hists[2], size_t *written)
{
    const char *sides[SIDES_MAX];
    char name[PB_EXPORT_NAME_MAX];
    int error = 0;
    size_t n = sides_of(cell, sides);
    pb_export_name(job, cell->reps[0], name, sizeof name);
    for (size_t i = 0; error == 0 && i < n; i++) {
        double per_ns = merge(job, cell, sides[i], &hists[0], &hists[1]);
        if (hists[0].n == 0)
            continue;
        if (job->folder != NULL) {
            error = write_file(job, name, sides[i], &hists[0], per_ns);
        } else {
            fprintf(job->out, "%s#[%s %s, ns]\n", *written > 0 ? "\n" : "", name, sides[i]);
            write_distribution(job->out, &hists[0], per_ns);
        }
        ++*written;
    }
    return error;
}

int pb_export_hgrm(struct pb_export_job *job)
{
    struct pb_hist *hists = calloc(2, sizeof *hists);
    int error = hists != NULL ? 0 : -ENOMEM;
    size_t written = 0;
    for (size_t i = 0; error == 0 && i < job->cells->n; i++)
        error = write_cell(job, &job->cells->cells[i], hists, &written);
    free(hists);
    return error == 0 && written == 0 ? -ENODATA : error;
}

/* --- the interval log ------------------------------------------------------------------------- */

static void log_head(struct pb_export_job *job, double start)
{
    fprintf(job->out,
            "#[Logged with poolbench %.40s, run %.40s]\n"
            "#[Histogram log format version 1.3]\n"
            "#[Values are nanoseconds]\n"
            "#[StartTime: %.3f (seconds since epoch), %.40s]\n"
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
            "\"Interval_Compressed_Histogram\"\n",
            pb_run_text(job->run, "suite", "version"), pb_run_text(job->run, NULL, "run"), start,
            pb_run_text(job->run, NULL, "t_utc"));
}

/* Counts a histogram anew in nanoseconds. */
static void to_ns(const struct pb_hist *from, double per_ns, struct pb_hist *to)
{
    pb_hist_clear(to);
    for (size_t i = 0; i < PB_HIST_COUNTS; i++) {
        uint64_t ns = (uint64_t)llround(mid(i) / per_ns);
        if (from->counts[i] == 0)
            continue;
        to->counts[pb_hist_index(ns)] += from->counts[i];
        to->n += from->counts[i];
        to->min = to->min < ns ? to->min : ns;
        to->max = to->max > ns ? to->max : ns;
    }
}

/* Room for a row: what was read, the same in nanoseconds, and that as text. */
struct log_room {
    struct pb_hist read, ns;
    char text[PB_HIST_TEXT_MAX];
};

/* A histogram of a repetition as text, in nanoseconds, and its highest value. Returns 0; -ENOENT;
 * -EINVAL for one that is none, or of a unit that is unknown. */
static int log_text(const struct pb_rep *rep, const char *side, struct log_room *room,
                    const char **text, uint64_t *max)
{
    const json_t *one = json_object_get(json_object_get(rep->json, "hist"), side);
    double per_ns = pb_rep_hist_per_ns(rep, side);
    int error = pb_rep_hist(rep, side, &room->read);
    if (error != 0 || per_ns == 0)
        return error != 0 ? error : -EINVAL;
    *text = json_string_value(json_object_get(one, "data"));
    *max = room->read.max;
    if (per_ns == 1)
        return 0;
    to_ns(&room->read, per_ns, &room->ns);
    *text = room->text;
    *max = room->ns.max;
    int length = pb_hist_encode(&room->ns, room->text, sizeof room->text);
    return length < 0 ? length : 0;
}

/* One row: when its window began after the run's start, how long it was, its highest value in ms.
 */
static bool log_row(struct pb_export_job *job, const struct pb_rep *rep, const char *side,
                    double start, struct log_room *room, bool first)
{
    char tag[PB_EXPORT_NAME_MAX];
    const json_t *wall = json_object_get(rep->json, "wall_ns");
    const char *ended = json_string_value(json_object_get(rep->json, "t_utc")), *text;
    uint64_t max;
    int error = log_text(rep, side, room, &text, &max);
    if (error != 0) {
        job->left_out += error != -ENOENT;
        return false;
    }
    if (first)
        log_head(job, start);
    double length = json_number_value(wall) / 1e9;
    double began = fmax(0, pb_export_seconds(ended) - start - length);
    pb_export_name(job, rep, tag, sizeof tag);
    for (char *c = tag; *c != '\0'; c++)
        *c = *c == ',' ? ';' : *c;
    fprintf(job->out, "Tag=%s/%s,%.3f,%.3f,%.3f,%s\n", tag, side, began, length, (double)max / 1e6,
            text);
    return true;
}

int pb_export_hlog(struct pb_export_job *job)
{
    double start = pb_export_seconds(pb_run_text(job->run, NULL, "t_utc"));
    struct log_room *room = malloc(sizeof *room);
    size_t written = 0;
    if (room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < job->run->reps_n; i++) { /* in the order in which they ended */
        const struct pb_rep *rep = &job->run->reps[i];
        if (rep->status != PB_OK || pb_run_cells_find(job->cells, rep->cell) == NULL)
            continue;
        json_t *one;
        const char *side;
        json_object_foreach(json_object_get(rep->json, "hist"), side, one)
        {
            written += log_row(job, rep, side, start, room, written == 0);
        }
    }
    free(room);
    return written == 0 ? -ENODATA : 0;
}
