/* SPDX-License-Identifier: MIT */
/* The comparisons of a summary: what a table's variants say against its reference, how many they
 * are, and the verdict on each. A family is one table: its variants times the one metric of the
 * report. See report_summary.h; the rule itself is stats/verdict.h. */
#include "runner/report_summary.h"

#include "stats/bootstrap.h"
#include "stats/multiple.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether a row executed another stream than *stream, the first that is seen. */
static bool row_differs(const struct pb_summary_row *row, const char **stream)
{
    for (size_t i = 0; i < row->reps_n; i++) {
        const struct pb_rep *rep = row->reps[i];
        const char *hash = json_string_value(json_object_get(rep->json, "stream_hash"));
        if (rep->status != PB_OK || hash == NULL)
            continue;
        if (*stream != NULL && strcmp(*stream, hash) != 0)
            return true;
        *stream = hash;
    }
    return false;
}

static bool streams_differ(const struct pb_summary_group *group)
{
    const char *stream = NULL;
    bool differ = group->twin != NULL && row_differs(group->twin, &stream);
    for (size_t i = 0; !differ && i < group->rows_n; i++)
        differ = row_differs(&group->rows[i], &stream);
    return differ;
}

/* The A/A ratio and the bound that it sets. */
static int group_noise(struct pb_summary_group *group)
{
    char base[PB_VARIANT_MAX];
    group->bound = log1p(PB_SUMMARY_LEAST_EFFECT);
    if (group->twin == NULL || group->streams_differ)
        return 0;
    pb_summary_base(group->twin->alloc, base, sizeof base);
    const struct pb_summary_row *row = pb_summary_find(group, base);
    struct pb_estimate *ratio = &group->twin->ratio;
    int error = row != NULL ? pb_summary_pair(&group->twin->series, &row->series, ratio) : -ENOENT;
    if (error == 0 && !isnan(ratio->low)) {
        double noise = fmax(fabs(log(ratio->low)), fabs(log(ratio->high)));
        group->bound = fmax(group->bound, noise);
    }
    return error == -ENOENT ? 0 : error;
}

int pb_summary_adjust(const struct pb_summary *summary, double *p, size_t n)
{
    int (*const adjust)(const double *, size_t, double *) =
        summary->exploratory ? pb_benjamini_hochberg : pb_holm;
    double *counted = calloc(n + 1, sizeof *counted);
    size_t m = 0, at = 0;
    if (counted == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!isnan(p[i]))
            counted[m++] = p[i];
    int error = adjust(counted, m, counted);
    for (size_t i = 0; error == 0 && i < n; i++)
        if (!isnan(p[i]))
            p[i] = counted[at++];
    free(counted);
    return error;
}

static int row_compare(struct pb_summary_row *row, const struct pb_summary_row *reference)
{
    struct pb_comparison comparison;
    int error = pb_summary_compare(&row->series, &reference->series, &comparison);
    if (error != 0)
        return error == -ENOENT ? 0 : error;
    row->ratio = comparison.ratio;
    row->narrow = comparison.narrow;
    row->p = row->adjusted = comparison.p;
    return 0;
}

/* Whether a row was to be compared and was tried. One that crashed is a comparison that shows
 * nothing: to leave it out would let what happened choose the family. */
static bool in_family(const struct pb_summary_group *group, const struct pb_summary_row *row)
{
    return !row->floor && row != group->reference &&
           row->counts[PB_SKIPPED] + row->counts[PB_UNAVAILABLE] < row->reps_n;
}

/* Adjusts the p of the family. */
static int group_adjust(const struct pb_summary *summary, struct pb_summary_group *group)
{
    double *p = calloc(group->rows_n + 1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < group->rows_n; i++) {
        const struct pb_summary_row *row = &group->rows[i];
        p[i] = !in_family(group, row) ? NAN : isnan(row->p) ? 1 : row->p;
        group->family += isnan(p[i]) ? 0 : 1;
    }
    int error = pb_summary_adjust(summary, p, group->rows_n);
    for (size_t i = 0; error == 0 && i < group->rows_n; i++)
        if (!isnan(p[i]) && !isnan(group->rows[i].p))
            group->rows[i].adjusted = p[i];
    free(p);
    return error;
}

int pb_summary_judge(const struct pb_summary *summary, struct pb_summary_group *group)
{
    group->streams_differ = streams_differ(group);
    bool compared = group->reference != NULL && !group->streams_differ;
    int error = group_noise(group);
    for (size_t i = 0; error == 0 && compared && i < group->rows_n; i++)
        if (&group->rows[i] != group->reference)
            error = row_compare(&group->rows[i], group->reference);
    if (error == 0 && compared)
        error = group_adjust(summary, group);
    for (size_t i = 0; error == 0 && i < group->rows_n; i++) {
        struct pb_summary_row *row = &group->rows[i];
        row->verdict = pb_verdict(&(struct pb_comparison){
            .ratio = row->ratio,
            .narrow = row->narrow,
            .p = row->adjusted,
            .bound = group->bound,
            .delta = PB_VERDICT_DELTA,
            .better = summary->better,
        });
        row->sign = summary->better != 0 ? pb_verdict_sign(row->verdict) : ' ';
    }
    return error;
}

/* --- the bootstrap --------------------------------------------------------------------------- */

static int row_bootstrap(const struct pb_summary *summary, struct pb_summary_row *row,
                         const struct pb_summary_row *reference)
{
    uint64_t seed = (uint64_t)json_integer_value(json_object_get(summary->run->header, "seed"));
    struct pb_estimate *made = &row->bootstrap;
    struct pb_pairs pairs;
    int error = pb_summary_pairs(&row->series, &reference->series, &pairs);
    if (error != 0)
        return error;
    for (size_t i = 0; i < pairs.n; i++)
        pairs.a[i] = log(pairs.a[i]) - log(pairs.b[i]);
    error = pb_bootstrap_centre(pairs.a, pairs.n, PB_SUMMARY_CONFIDENCE, PB_BOOTSTRAP_RESAMPLES,
                                seed, made);
    if (error == 0) {
        made->value = exp(made->value);
        made->low = exp(made->low);
        made->high = exp(made->high);
    }
    free(pairs.a);
    return error;
}

int pb_summary_bootstrap(struct pb_summary *summary)
{
    int error = 0;
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        for (size_t k = 0; error == 0 && k < group->rows_n; k++) {
            size_t n = group->rows[k].ratio.n;
            if (n >= PB_BOOTSTRAP_LEAST && n <= PB_BOOTSTRAP_MOST)
                error = row_bootstrap(summary, &group->rows[k], group->reference);
        }
    }
    return error;
}
