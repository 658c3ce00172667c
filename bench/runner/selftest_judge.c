/* SPDX-License-Identifier: MIT */
/* What the experiments of the selftest count: selftest.h. Pure: they read a summary. */
#include "runner/report_summary.h"
#include "runner/selftest.h"
#include "stats/verdict.h"

#include <math.h>

static void note(struct pb_selftest_tally *tally, const struct pb_estimate *ratio, bool counts)
{
    bool first = tally->comparisons == 0;
    tally->least = first ? ratio->value : fmin(tally->least, ratio->value);
    tally->most = first ? ratio->value : fmax(tally->most, ratio->value);
    tally->widest = fmax(tally->widest, ratio->high / ratio->low - 1);
    tally->comparisons++;
    tally->counted += counts;
}

/* Whether a comparison was made: one without an interval is none, and the experiment lacks it. */
static bool has_interval(const struct pb_estimate *ratio)
{
    return ratio->n > 0 && !isnan(ratio->low);
}

void pb_selftest_count_twins(const struct pb_summary *summary, struct pb_selftest_tally *tally)
{
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_row *twin = summary->groups[i].twin;
        if (twin != NULL && has_interval(&twin->ratio))
            note(tally, &twin->ratio, pb_differs(&twin->ratio, 0));
    }
}

/* The row of a variant in a group where it was compared, or NULL. */
static const struct pb_summary_row *compared(const struct pb_summary_group *group,
                                             const char *alloc)
{
    const struct pb_summary_row *row = pb_summary_find(group, alloc);
    return row != NULL && has_interval(&row->ratio) ? row : NULL;
}

void pb_selftest_count_sign(const struct pb_summary *summary, const char *alloc, char sign,
                            struct pb_selftest_tally *tally)
{
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_row *row = compared(&summary->groups[i], alloc);
        if (row != NULL)
            note(tally, &row->ratio, row->sign == sign);
    }
}

void pb_selftest_count_covered(const struct pb_summary *summary, const char *alloc, double truth,
                               struct pb_selftest_tally *tally)
{
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_row *row = compared(&summary->groups[i], alloc);
        if (row != NULL)
            note(tally, &row->ratio, row->ratio.low <= truth && truth <= row->ratio.high);
    }
}

double pb_selftest_truth(double half, double t_half, double reference, double t_reference,
                         double links)
{
    double slope = (t_reference - t_half) / (reference - half);
    double call = t_reference - slope * reference;
    return (call + slope * links) / t_reference;
}
