/* SPDX-License-Identifier: MIT */
/* From an estimate to a word: verdict.h. */
#include "stats/verdict.h"

#include <math.h>

bool pb_equivalent(const struct pb_estimate *narrow, double delta)
{
    /* a missing end is NAN and compares false */
    return narrow->n > 0 && narrow->low >= 1 / (1 + delta) && narrow->high <= 1 + delta;
}

bool pb_differs(const struct pb_estimate *ratio, double bound)
{
    double least = fmax(log1p(PB_VERDICT_LEAST_EFFECT), bound);
    return (ratio->low > 1 || ratio->high < 1) && fabs(log(ratio->value)) > least;
}

enum pb_verdict pb_verdict(const struct pb_comparison *comparison)
{
    const struct pb_estimate *ratio = &comparison->ratio;
    if (ratio->n == 0 || isnan(ratio->low) || isnan(ratio->high))
        return PB_VERDICT_UNKNOWN;
    if (pb_equivalent(&comparison->narrow, comparison->delta) &&
        comparison->bound <= log1p(comparison->delta))
        return PB_VERDICT_SAME;
    if (comparison->better == 0 || !(comparison->p <= PB_VERDICT_ALPHA) ||
        !pb_differs(ratio, comparison->bound))
        return PB_VERDICT_NONE;
    return (ratio->value > 1) == (comparison->better > 0) ? PB_VERDICT_BETTER : PB_VERDICT_WORSE;
}

static const struct {
    char sign;
    const char *word;
} verdicts[PB_VERDICTS] = {
    [PB_VERDICT_UNKNOWN] = {' ', ""},    [PB_VERDICT_NONE] = {'~', "no difference shown"},
    [PB_VERDICT_SAME] = {'=', "same"},   [PB_VERDICT_BETTER] = {'+', "better"},
    [PB_VERDICT_WORSE] = {'-', "worse"},
};

char pb_verdict_sign(enum pb_verdict verdict)
{
    return verdicts[verdict].sign;
}

const char *pb_verdict_word(enum pb_verdict verdict)
{
    return verdicts[verdict].word;
}
