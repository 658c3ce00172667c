/* SPDX-License-Identifier: MIT */
/* Which differences count, which fail the gate, and of what the gate can say nothing: compare.h.
 * Why:     a verdict is that of the report (stats/verdict.h), its p adjusted for the table that the
 *          row stands in. A gate must not fail by chance, and among many comparisons some intervals
 *          lie beyond a limit by chance. Holm's
 *          procedure takes the K of them by their p-values and asks 1 - 0.05 / K of the first,
 *          1 - 0.05 / (K - 1) of the second, ..., up to the first that fails; so all that it lets
 *          through are right together with 95 %
 * I1       a regression: the interval that Holm asks for lies wholly beyond the threshold, on the bad
 *          side; its size is above that between the A/A twins; there are PB_SUMMARY_BLOCKS_MIN
 * values on each side, and not more than half of a side's repetitions were disturbed
 * I2       a row is judged if it could be a regression: it has a ratio and all that I1 asks of its
 *          repetitions, and samples so large that do not overlap reach the level of the first step.
 *          A row that is not stays in the family: what happened must not choose it
 * Threads: any */
#include "runner/compare.h"

#include "runner/report_text.h"
#include "stats/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static bool too_few(const struct pb_compare_row *row)
{
    return row->base_n < PB_SUMMARY_BLOCKS_MIN || row->new_n < PB_SUMMARY_BLOCKS_MIN;
}

static bool too_disturbed(const struct pb_compare_row *row)
{
    return pb_mostly_disturbed(row->base_disturbed, row->base->ok) ||
           pb_mostly_disturbed(row->new_disturbed, row->fresh->ok);
}

static void count_regression(struct pb_compare_row *row)
{
    row->regression =
        fabs(log(row->ratio.value)) > row->noise && !too_few(row) && !too_disturbed(row);
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
        if (row->ratio.n == 0) { /* nothing to reject, now or behind it */
            open = false;
            continue;
        }
        row->asked = 1 - LEVEL / (double)(n - i);
        error = pb_compare_ratio(compare, row, row->asked, &row->judged);
        open = open && error == 0 && beyond_limit(&trials[i]);
        if (open)
            count_regression(row);
    }
    return error;
}

/* --- verdicts -------------------------------------------------------------------------------- */

static bool in_family(const struct pb_compare_row *row, const struct pb_compare_metric *metric)
{
    return row->metric == metric && metric->better != 0 && row->due;
}

/* Adjusts the p of one table; what has no ratio shows nothing, and counts. */
static int adjust(const struct pb_compare *compare, const struct pb_compare_metric *metric,
                  double *p)
{
    const struct pb_summary kind = {
        .exploratory = json_is_true(json_object_get(compare->base.run->header, "exploratory")) &&
                       json_is_true(json_object_get(compare->fresh.run->header, "exploratory"))};
    for (size_t i = 0; i < compare->rows_n; i++) {
        const struct pb_compare_row *row = &compare->rows[i];
        p[i] = !in_family(row, metric) ? (double)NAN : isnan(row->p) ? 1 : row->p;
    }
    int error = pb_summary_adjust(&kind, p, compare->rows_n);
    for (size_t i = 0; error == 0 && i < compare->rows_n; i++)
        if (!isnan(p[i]))
            compare->rows[i].adjusted = p[i];
    return error;
}

static void say_verdict(struct pb_compare *compare, struct pb_compare_row *row)
{
    enum pb_verdict verdict = pb_verdict(
        &(struct pb_comparison){.ratio = row->ratio,
                                .narrow = row->narrow,
                                .p = row->adjusted,
                                .bound = fmax(log1p(PB_SUMMARY_LEAST_EFFECT), row->noise),
                                .delta = PB_VERDICT_DELTA,
                                .better = row->metric->better});
    bool judged = row->metric->better != 0;
    row->sign = judged ? pb_verdict_sign(verdict) : ' ';
    row->verdict = judged ? pb_verdict_word(verdict) : "";
    compare->family += judged && verdict != PB_VERDICT_UNKNOWN;
}

static int verdicts(struct pb_compare *compare)
{
    double *p = calloc(compare->rows_n + 1, sizeof *p);
    int error = p != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; error == 0 && i < compare->rows_n; i++) {
        struct pb_compare_row *row = &compare->rows[i];
        row->p = row->adjusted = NAN;
        if (row->ratio.n > 0)
            error = p_against(compare, row, 1, &row->p);
    }
    for (size_t m = 0; error == 0 && m < compare->metrics_n; m++)
        error = adjust(compare, &compare->metrics[m], p);
    for (size_t i = 0; error == 0 && i < compare->rows_n; i++)
        say_verdict(compare, &compare->rows[i]);
    free(p);
    return error;
}

/* --- the gate -------------------------------------------------------------------------------- */

/* The smallest p that samples of these sizes can reach. */
static double least_p(const struct pb_compare *compare, size_t base_n, size_t new_n)
{
    return compare->paired ? fmin(1, ldexp(2, -(int)fmin((double)base_n, 1000)))
                           : pb_rank_sum_least_p(base_n, new_n);
}

static bool is_gated(const struct pb_compare_row *row)
{
    return row->due && row->metric->better != 0 && row->metric->factor > 0;
}

/* Of what the gate can say nothing, and how many blocks would do. */
static void find_unjudged(struct pb_compare *compare)
{
    double level = LEVEL / (double)compare->gated;
    bool few = false;
    for (size_t i = 0; i < compare->rows_n; i++) {
        struct pb_compare_row *row = &compare->rows[i];
        if (!is_gated(row) || row->regression)
            continue;
        bool short_of =
            row->ratio.n > 0 && (too_few(row) || least_p(compare, row->base_n, row->new_n) > level);
        row->unjudged = row->ratio.n == 0    ? "no ratio"
                        : too_disturbed(row) ? "disturbed"
                        : short_of           ? "too few values"
                                             : "";
        compare->unjudged += row->unjudged[0] != '\0';
        few |= short_of;
    }
    for (size_t n = PB_SUMMARY_BLOCKS_MIN; few && compare->needs == 0; n++)
        compare->needs = least_p(compare, n, n) <= level ? n : 0;
}

static int gate(struct pb_compare *compare, struct trial *trials)
{
    size_t n = 0;
    int error = 0;
    for (size_t i = 0; error == 0 && i < compare->rows_n; i++) {
        struct pb_compare_row *row = &compare->rows[i];
        double factor = row->metric->factor;
        if (!is_gated(row))
            continue;
        struct trial *trial = &trials[n++];
        *trial = (struct trial){
            .row = row, .limit = row->metric->better < 0 ? factor : 1 / factor, .p = 1};
        if (row->ratio.n > 0 && (row->metric->better < 0 ? row->ratio.value > trial->limit
                                                         : row->ratio.value < trial->limit))
            error = p_against(compare, row, trial->limit, &trial->p);
    }
    compare->gated = n;
    if (error == 0)
        error = holm(compare, trials, n);
    for (size_t i = 0; i < compare->rows_n; i++) {
        struct pb_compare_row *row = &compare->rows[i];
        if (!row->regression)
            continue;
        compare->regressions++;
        row->sign = '-'; /* of any size that the threshold names */
        row->verdict = "regression";
    }
    if (error == 0)
        find_unjudged(compare);
    return error;
}

static void count_reason(const struct pb_compare *compare, const char *reason, char *out,
                         size_t size)
{
    size_t n = 0, used = strlen(out);
    for (size_t i = 0; i < compare->rows_n; i++)
        n += strcmp(compare->rows[i].unjudged, reason) == 0;
    if (n > 0)
        snprintf(out + used, size - used, "%s %zu %s", used > 0 ? "," : "", n, reason);
}

void pb_compare_gate_text(const struct pb_compare *compare, char *out, size_t size)
{
    static const char *const reasons[] = {"too few values", "disturbed", "no ratio"};
    char judged[64], why[128] = "", needs[64] = "";
    pb_text_count(compare->gated, "comparison", judged, sizeof judged);
    int used = compare->regressions > 0
                   ? snprintf(out, size, "%zu regression%s in %s", compare->regressions,
                              compare->regressions == 1 ? "" : "s", judged)
                   : 0;
    if (compare->unjudged == 0) {
        if (compare->regressions == 0)
            snprintf(out, size, "no regression shown in %s", judged);
        return;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        count_reason(compare, reasons[i], why, sizeof why);
    if (compare->needs > 0)
        snprintf(needs, sizeof needs, "; needs %zu blocks, or fewer cells (--filter)",
                 compare->needs);
    snprintf(out + used, size - (size_t)used, "%s%zu of %s cannot be judged:%s%s",
             used > 0 ? "; " : "", compare->unjudged, judged, why, needs);
}

int pb_compare_judge(struct pb_compare *compare)
{
    struct trial *trials = calloc(compare->rows_n + 1, sizeof *trials);
    int error = trials != NULL ? verdicts(compare) : -ENOMEM;
    if (error == 0)
        error = gate(compare, trials);
    free(trials);
    return error;
}
