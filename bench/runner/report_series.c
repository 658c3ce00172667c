/* SPDX-License-Identifier: MIT */
/* The numbers of a summary: values by block, paired ratios, percentiles. See report_summary.h. */
#include "runner/report_summary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

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

typedef int paired_fn(const double *a, const double *b, size_t n, double confidence,
                      struct pb_estimate *out);

/* Estimates from the blocks that both have, where both values are above 0. */
static int pair_blocks(const struct pb_series *a, const struct pb_series *b, paired_fn *paired,
                       struct pb_estimate *out)
{
    size_t most = a->n < b->n ? a->n : b->n;
    double *x = calloc(2 * most + 1, sizeof *x);
    if (x == NULL)
        return -ENOMEM;
    double *y = x + most;
    size_t n = 0;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        if (a->blocks[i] != b->blocks[k]) {
            *(a->blocks[i] < b->blocks[k] ? &i : &k) += 1;
            continue;
        }
        if (a->values[i] > 0 && b->values[k] > 0) {
            x[n] = a->values[i];
            y[n++] = b->values[k];
        }
        i++;
        k++;
    }
    int error = n == 0 ? -ENOENT : paired(x, y, n, PB_SUMMARY_CONFIDENCE, out);
    free(x);
    return error;
}

int pb_summary_pair(const struct pb_series *a, const struct pb_series *b, struct pb_estimate *ratio)
{
    return pair_blocks(a, b, pb_paired_ratio, ratio);
}

int pb_summary_gap(const struct pb_series *a, const struct pb_series *b, struct pb_estimate *gap)
{
    return pair_blocks(a, b, pb_paired_difference, gap);
}

bool pb_summary_counts(const struct pb_estimate *ratio, double bound)
{
    if (ratio->n == 0 || isnan(ratio->low) || isnan(ratio->high))
        return false;
    double least = log1p(PB_SUMMARY_LEAST_EFFECT);
    return (ratio->low > 1 || ratio->high < 1) &&
           fabs(log(ratio->value)) > (bound > least ? bound : least);
}

/* A percentile of a histogram, NAN where too few samples lie beyond it. */
static double percentile(const struct pb_hist *hist, double quantile)
{
    if ((double)hist->n * (1 - quantile) < PB_SUMMARY_SAMPLES_BEYOND - 1e-6)
        return NAN;
    return (double)pb_hist_value_at(hist, quantile);
}

int pb_summary_percentiles(struct pb_summary_row *row, struct pb_hist *hist)
{
    if (series_reserve(&row->p99_alloc, row->reps_n) != 0 ||
        series_reserve(&row->p99_free, row->reps_n) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < row->reps_n; i++) {
        const struct pb_rep *rep = row->reps[i];
        double p99;
        if (rep->status != PB_OK)
            continue;
        if (pb_rep_hist(rep, "alloc", hist) == 0 && !isnan(p99 = percentile(hist, 0.99)))
            series_add(&row->p99_alloc, rep->block, p99);
        if (pb_rep_hist(rep, "free", hist) == 0 && !isnan(p99 = percentile(hist, 0.99)))
            series_add(&row->p99_free, rep->block, p99);
    }
    return 0;
}

bool pb_summary_oversubscribed(const struct pb_rep *rep)
{
    return json_is_true(json_object_get(rep->json, "oversubscribed"));
}

bool pb_summary_disturbed(const struct pb_rep *rep)
{
    const json_t *workers = json_object_get(rep->json, "workers");
    json_int_t n = json_is_integer(workers) ? json_integer_value(workers) : rep->threads;
    return n > 1 && rep->status == PB_OK && !pb_summary_oversubscribed(rep) &&
           pb_rep_metric(rep, PB_KEY_OVERLAP) < PB_SUMMARY_OVERLAP;
}
