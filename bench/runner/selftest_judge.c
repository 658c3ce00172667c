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

size_t pb_selftest_wrong(size_t n, double rate)
{
    double chance = pow(1 - rate, (double)n), below = chance; /* of just k, and of k or fewer */
    size_t k = 0;
    for (; k < n && 1 - below > PB_SELFTEST_ALPHA; k++) {
        chance *= (double)(n - k) / (double)(k + 1) * rate / (1 - rate);
        below += chance;
    }
    return k;
}

bool pb_selftest_busy_holds(char calm, char loud)
{
    return calm == '-' && (loud == '-' || loud == '~' || loud == ' ');
}

double pb_selftest_truth(double half, double t_half, double reference, double t_reference,
                         double links)
{
    double slope = (t_reference - t_half) / (reference - half);
    double call = t_reference - slope * reference;
    return (call + slope * links) / t_reference;
}
