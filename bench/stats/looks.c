/* SPDX-License-Identifier: MIT */
/* Sequential stopping at declared looks: looks.h. */
#include "stats/looks.h"

#include "stats/stats.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static const unsigned looks[] = {11, 16, 23, 32, 45};
enum { LOOKS = sizeof looks / sizeof looks[0] };

unsigned pb_looks_next(unsigned blocks, unsigned most)
{
    for (size_t i = 0; i < LOOKS; i++)
        if (looks[i] > blocks && (most == 0 || looks[i] < most))
            return looks[i];
    return most > blocks ? most : 0;
}

/* Whether blocks were counted up to a look. */
static bool is_look(unsigned blocks, unsigned most)
{
    unsigned look = 0;
    do
        look = pb_looks_next(look, most);
    while (look != 0 && look < blocks);
    return look == blocks;
}

/* Half of the interval over the ratio; NAN without an interval, or without a value. */
static int relative_half_width(const struct pb_looks_pair *pair, double *half)
{
    struct pb_estimate ratio;
    *half = (double)NAN;
    if (pair->n == 0)
        return 0;
    int rc = pb_paired_ratio(pair->variant, pair->reference, pair->n, PB_LOOKS_CONFIDENCE, &ratio);
    if (rc == 0)
        *half = (ratio.high - ratio.low) / 2 / ratio.value;
    return rc;
}

/* The widest of all, the first that lacks its interval before any other; NAN of none. *compared:
 * those that count. */
static int find_widest(const struct pb_looks_pair *pairs, size_t pairs_n,
                       struct pb_looks_decision *out, size_t *compared)
{
    out->widest = 0;
    for (size_t i = 0; i < pairs_n; i++) {
        double half = 0;
        if (pairs[i].n == 0 && !pairs[i].tried)
            continue;
        int rc = relative_half_width(&pairs[i], &half);
        if (rc)
            return rc;
        *compared += 1;
        if (!isnan(out->widest) && !(half <= out->widest)) {
            out->widest = half;
            out->widest_at = i;
        }
    }
    if (*compared == 0)
        out->widest = (double)NAN;
    return 0;
}

/* "zone +-3.1 %", "zone has no interval yet", "nothing is compared". */
static void widest_words(const struct pb_looks_pair *pairs, const struct pb_looks_decision *found,
                         size_t compared, char *out, size_t size)
{
    const char *name = compared ? pairs[found->widest_at].name : "";
    if (compared == 0)
        snprintf(out, size, "nothing is compared");
    else if (isnan(found->widest))
        snprintf(out, size, "%.60s has no interval yet", name);
    else
        snprintf(out, size, "widest %.60s +-%.2f %%", name, 100 * found->widest);
}

static enum pb_looks_answer answer_at(unsigned blocks, unsigned most, double half_width,
                                      double widest)
{
    if (is_look(blocks, most) && widest <= half_width)
        return PB_LOOKS_PRECISE;
    return pb_looks_next(blocks, most) ? PB_LOOKS_CONTINUE : PB_LOOKS_LAST;
}

int pb_looks_decide(const struct pb_looks_pair *pairs, size_t pairs_n, unsigned blocks,
                    unsigned most, double half_width, struct pb_looks_decision *decision)
{
    static const char *const words[] = {
        [PB_LOOKS_CONTINUE] = "goes on",
        [PB_LOOKS_PRECISE] = "precise",
        [PB_LOOKS_LAST] = "last look",
    };
    struct pb_looks_decision made = {.answer = PB_LOOKS_CONTINUE};
    char widest[96];
    size_t compared = 0;
    if (!(half_width > 0 && half_width < 1))
        return -EINVAL;
    int rc = find_widest(pairs, pairs_n, &made, &compared);
    if (rc)
        return rc;
    made.answer = answer_at(blocks, most, half_width, made.widest);
    made.next = made.answer == PB_LOOKS_CONTINUE ? pb_looks_next(blocks, most) : 0;
    widest_words(pairs, &made, compared, widest, sizeof widest);
    snprintf(made.reason, sizeof made.reason, "%s after %u blocks: target +-%g %%, %s",
             words[made.answer], blocks, 100 * half_width, widest);
    *decision = made;
    return 0;
}
