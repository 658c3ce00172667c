/* SPDX-License-Identifier: MIT */
/* The numbers of a summary: values by block, paired ratios, percentiles. See report_summary.h. */
#include "runner/report_summary.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int series_reserve(struct pb_series *series, size_t n)
{
    series->n = 0;
    series->values = calloc(n + 1, sizeof *series->values);
    series->blocks = calloc(n + 1, sizeof *series->blocks);
    return series->values == NULL || series->blocks == NULL ? -ENOMEM : 0;
}

static void series_add(struct pb_series *series, unsigned block, double value)
{
    series->values[series->n] = value;
    series->blocks[series->n++] = block;
}

void pb_series_free(struct pb_series *series)
{
    free(series->values);
    free(series->blocks);
    *series = (struct pb_series){0};
}

double pb_series_median(const struct pb_series *series)
{
    struct pb_estimate median = {.value = NAN};
    if (series->n == 0 || pb_median(series->values, series->n, PB_SUMMARY_CONFIDENCE, &median) != 0)
        return NAN;
    return median.value;
}

int pb_summary_series(const struct pb_summary_row *row, const char *metric,
                      struct pb_series *series)
{
    if (series_reserve(series, row->reps_n) != 0) {
        pb_series_free(series);
        return -ENOMEM;
    }
    for (size_t i = 0; i < row->reps_n; i++) {
        double value = pb_rep_metric(row->reps[i], metric);
        if (row->reps[i]->status == PB_OK && isfinite(value))
            series_add(series, row->reps[i]->block, value);
    }
    return 0;
}

int pb_summary_lean(const struct pb_summary_row *row, struct pb_series *series)
{
    int error = pb_summary_series(row, PB_KEY_LIVE, series);
    bool enough = pb_series_median(series) >= PB_SUMMARY_LIVE_MIN;
    pb_series_free(series);
    return error != 0 || !enough ? error : pb_summary_series(row, PB_KEY_LEAN, series);
}

int pb_summary_pairs(const struct pb_series *a, const struct pb_series *b, struct pb_pairs *pairs)
{
    size_t most = a->n < b->n ? a->n : b->n, n = 0;
    double *x = calloc(3 * most + 1, sizeof *x), *y = x + most, *block = y + most;
    if (x == NULL)
        return -ENOMEM;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        if (a->blocks[i] != b->blocks[k]) {
            *(a->blocks[i] < b->blocks[k] ? &i : &k) += 1;
            continue;
        }
        double ratio = a->values[i] / b->values[k];
        if (b->values[k] > 0 && ratio > 0 && isfinite(ratio)) {
            x[n] = a->values[i];
            y[n] = b->values[k];
            block[n++] = a->blocks[i];
        }
        i++;
        k++;
    }
    *pairs = (struct pb_pairs){n, x, y, block};
    if (n == 0)
        free(x);
    return n == 0 ? -ENOENT : 0;
}

typedef int paired_fn(const double *a, const double *b, size_t n, double confidence,
                      struct pb_estimate *out);

static int pair_with(const struct pb_series *a, const struct pb_series *b, paired_fn *paired,
                     struct pb_estimate *out)
{
    struct pb_pairs pairs;
    int error = pb_summary_pairs(a, b, &pairs);
    if (error != 0)
        return error;
    error = paired(pairs.a, pairs.b, pairs.n, PB_SUMMARY_CONFIDENCE, out);
    free(pairs.a);
    return error;
}

int pb_summary_pair(const struct pb_series *a, const struct pb_series *b, struct pb_estimate *ratio)
{
    return pair_with(a, b, pb_paired_ratio, ratio);
}

int pb_summary_gap(const struct pb_series *a, const struct pb_series *b, struct pb_estimate *gap)
{
    return pair_with(a, b, pb_paired_difference, gap);
}

int pb_summary_compare(const struct pb_series *a, const struct pb_series *b,
                       struct pb_comparison *comparison)
{
    struct pb_pairs pairs;
    int error = pb_summary_pairs(a, b, &pairs);
    if (error != 0)
        return error;
    error = pb_paired_ratio(pairs.a, pairs.b, pairs.n, PB_SUMMARY_CONFIDENCE, &comparison->ratio);
    if (error == 0)
        error = pb_paired_ratio(pairs.a, pairs.b, pairs.n, PB_EQUIVALENCE_CONFIDENCE,
                                &comparison->narrow);
    for (size_t i = 0; error == 0 && i < pairs.n; i++)
        pairs.a[i] = log(pairs.a[i]) - log(pairs.b[i]);
    if (error == 0)
        error = pb_signed_rank_p(pairs.a, pairs.n, &comparison->p);
    free(pairs.a);
    return error;
}

const struct pb_percentile pb_percentiles[] = {
    {"p99_alloc_ns", "alloc", 0.99, offsetof(struct pb_summary_row, p99_alloc)},
    {"p99_free_ns", "free", 0.99, offsetof(struct pb_summary_row, p99_free)},
    {"p999_alloc_ns", "alloc", 0.999, offsetof(struct pb_summary_row, p999_alloc)},
    {"p999_free_ns", "free", 0.999, offsetof(struct pb_summary_row, p999_free)},
    {NULL, NULL, 0, 0},
};

const struct pb_series *pb_percentile_series(const struct pb_summary_row *row,
                                             const struct pb_percentile *percentile)
{
    return (const struct pb_series *)((const char *)row + percentile->series);
}

static struct pb_series *own_series(struct pb_summary_row *row,
                                    const struct pb_percentile *percentile)
{
    return (struct pb_series *)((char *)row + percentile->series);
}

/* Adds the percentiles of one histogram of a repetition, if enough values lie beyond them. */
static void add_percentiles(struct pb_summary_row *row, const struct pb_rep *rep, const char *which,
                            struct pb_hist *hist)
{
    if (pb_rep_hist(rep, which, hist) != 0)
        return;
    for (const struct pb_percentile *p = pb_percentiles; p->key != NULL; p++)
        if (strcmp(p->hist, which) == 0 && pb_quantile_holds((double)hist->n, p->quantile))
            series_add(own_series(row, p), rep->block, (double)pb_hist_value_at(hist, p->quantile));
}

int pb_summary_percentiles(struct pb_summary_row *row, struct pb_hist *hist)
{
    for (const struct pb_percentile *p = pb_percentiles; p->key != NULL; p++)
        if (series_reserve(own_series(row, p), row->reps_n) != 0)
            return -ENOMEM;
    for (size_t i = 0; i < row->reps_n; i++) {
        if (row->reps[i]->status != PB_OK)
            continue;
        add_percentiles(row, row->reps[i], "alloc", hist);
        add_percentiles(row, row->reps[i], "free", hist);
    }
    return 0;
}

void pb_summary_percentiles_free(struct pb_summary_row *row)
{
    for (const struct pb_percentile *p = pb_percentiles; p->key != NULL; p++)
        pb_series_free(own_series(row, p));
}

bool pb_summary_oversubscribed(const struct pb_rep *rep)
{
    return json_is_true(json_object_get(rep->json, "oversubscribed"));
}

bool pb_summary_overlap_low(const struct pb_rep *rep)
{
    const json_t *workers = json_object_get(rep->json, "workers");
    json_int_t n = json_is_integer(workers) ? json_integer_value(workers) : rep->threads;
    return n > 1 && rep->status == PB_OK && !pb_summary_oversubscribed(rep) &&
           pb_rep_metric(rep, PB_KEY_OVERLAP) < PB_SUMMARY_OVERLAP;
}

bool pb_summary_disturbed(const struct pb_rep *rep)
{
    const json_t *named = json_object_get(rep->json, "disturbed");
    return pb_summary_overlap_low(rep) || (rep->status == PB_OK && json_array_size(named) > 0);
}
