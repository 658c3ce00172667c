/* SPDX-License-Identifier: MIT */
/* Which differences count, and which fail the gate: compare.h.
 * Why:     a difference is shown by the rule of the report, each at 95 %. A gate must not fail by
 *          chance, and among many comparisons some intervals lie beyond a limit by chance. Holm's
 *          procedure takes the K of them by their p-values and asks 1 - 0.05 / K of the first,
 *          1 - 0.05 / (K - 1) of the second, ..., up to the first that fails; so all that it lets
 *          through are right together with 95 %
 * I1       a difference counts if its interval does not hold 1, and its size is above that between
 *          the A/A twins and above PB_SUMMARY_LEAST_EFFECT
 * I2       a regression: the interval that Holm asks for lies wholly beyond the threshold, on the bad
 *          side; its size is above that between the A/A twins; and there are PB_SUMMARY_BLOCKS_MIN
 *          values on each side
 * Threads: any */
#include "runner/compare.h"
#include "stats/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LEVEL (1 - PB_SUMMARY_CONFIDENCE)

int pb_compare_ratio(const struct pb_compare *compare, const struct pb_compare_row *row,
                     double confidence, struct pb_estimate *out)
{
    if (compare->paired)
        return pb_paired_ratio(row->new_values, row->base_values, row->base_n, confidence, out);
    return pb_unpaired_ratio(row->new_values, row->new_n, row->base_values, row->base_n, confidence,
                             out);
}

/* What a row is tested against: a limit on its ratio. */
struct trial {
    struct pb_compare_row *row;
    double limit, p;
};

/* Two-sided p of the test that the ratio is `limit`. */
static int p_against(const struct pb_compare *compare, const struct pb_compare_row *row,
                     double limit, double *p)
{
    size_t n = row->new_n;
    double *d = malloc(n * sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        d[i] = compare->paired ? log(row->new_values[i]) - log(row->base_values[i]) - log(limit)
                               : row->new_values[i] / limit;
    int error = compare->paired ? pb_signed_rank_p(d, n, p)
                                : pb_rank_sum_p(d, n, row->base_values, row->base_n, p);
    free(d);
    return error;
}

static int by_p(const void *left, const void *right)
{
    const struct trial *a = left, *b = right;
    int by = (a->p > b->p) - (a->p < b->p);
    return by != 0 ? by : (a->row > b->row) - (a->row < b->row);
}

/* Beyond the limit on its own side of 1. */
static bool beyond_limit(const struct trial *trial)
{
    const struct pb_estimate *judged = &trial->row->judged;
    return trial->row->metric->better < 0 ? judged->low > trial->limit
                                          : judged->high < trial->limit;
}

static void count_regression(struct pb_compare_row *row)
{
    row->regression = fabs(log(row->ratio.value)) > row->noise &&
                      row->base_n >= PB_SUMMARY_BLOCKS_MIN && row->new_n >= PB_SUMMARY_BLOCKS_MIN;
}

/* Holm's procedure. Each trial's row gets its interval, also those behind the first that fails. */
static int holm(const struct pb_compare *compare, struct trial *trials, size_t n)
{
    bool open = true;
    int error = 0;
    if (n > 0)
        qsort(trials, n, sizeof *trials, by_p);
    for (size_t i = 0; error == 0 && i < n; i++) {
        struct pb_compare_row *row = trials[i].row;
        row->asked = 1 - LEVEL / (double)(n - i);
        error = pb_compare_ratio(compare, row, row->asked, &row->judged);
        open = open && error == 0 && beyond_limit(&trials[i]);
        if (open)
            count_regression(row);
    }
    return error;
}

/* The rows that are judged at all: with a ratio, and a metric that knows better from worse. */
static void signs(struct pb_compare *compare)
{
    for (size_t i = 0; i < compare->rows_n; i++) {
        struct pb_compare_row *row = &compare->rows[i];
        double better = row->metric->better * log(row->ratio.value);
        row->sign = ' ';
        if (row->ratio.n == 0 || row->metric->better == 0 || isnan(row->ratio.low))
            continue;
        compare->family++;
        row->sign = '~';
        if (pb_differs(&row->ratio, row->noise))
            row->sign = better > 0 ? '+' : '-';
    }
}

static int gate(struct pb_compare *compare, struct trial *trials)
{
    size_t n = 0;
    int error = 0;
    for (size_t i = 0; error == 0 && i < compare->rows_n; i++) {
        struct pb_compare_row *row = &compare->rows[i];
        double factor = row->metric->factor;
        if (row->ratio.n == 0 || row->metric->better == 0 || !(factor > 0))
            continue;
        struct trial *trial = &trials[n++];
        *trial = (struct trial){
            .row = row, .limit = row->metric->better < 0 ? factor : 1 / factor, .p = 1};
        if (row->metric->better < 0 ? row->ratio.value > trial->limit
                                    : row->ratio.value < trial->limit)
            error = p_against(compare, row, trial->limit, &trial->p);
    }
    compare->gated = n;
    if (error == 0)
        error = holm(compare, trials, n);
    for (size_t i = 0; i < compare->rows_n; i++)
        compare->regressions += compare->rows[i].regression;
    return error;
}

/* With few values even samples that do not overlap cannot reach the level that many comparisons ask
 * for: then silence says nothing. */
static void note_reach(struct pb_compare *compare)
{
    size_t base = SIZE_MAX, fresh = SIZE_MAX;
    for (size_t i = 0; i < compare->rows_n; i++)
        if (compare->rows[i].ratio.n > 0) {
            base = compare->rows[i].base_n < base ? compare->rows[i].base_n : base;
            fresh = compare->rows[i].new_n < fresh ? compare->rows[i].new_n : fresh;
        }
    double least = compare->paired ? fmin(1, ldexp(2, -(int)fmin((double)base, 1000)))
                                   : pb_rank_sum_least_p(base, fresh);
    if (least > LEVEL / (double)compare->gated)
        pb_notes_add(&compare->notes, PB_NOTE_WARNING, "too few",
                     "%zu comparisons at once ask for intervals of %.4g %%, which %zu and %zu "
                     "repetitions cannot give: more --blocks, or fewer cells (--filter)",
                     compare->gated, 100 * (1 - LEVEL / (double)compare->gated), base, fresh);
}

int pb_compare_judge(struct pb_compare *compare)
{
    struct trial *trials = calloc(compare->rows_n + 1, sizeof *trials);
    int error = trials != NULL ? 0 : -ENOMEM;
    signs(compare);
    if (error == 0)
        error = gate(compare, trials);
    if (error == 0 && compare->gated > 0)
        note_reach(compare);
    if (error == 0 && compare->family > 1)
        pb_notes_add(
            &compare->notes, PB_NOTE_WARNING, "chance",
            "%zu comparisons, each at 95 %%: one in 20 may show a difference that is none%s",
            compare->family,
            compare->gated > 0 ? "; the gate's intervals are made wider for that" : "");
    free(trials);
    return error;
}
