/* SPDX-License-Identifier: MIT */
/* The result in words: for each group the fastest, leanest and steadiest variant, where the data
 * show one. A variant leads only if every other differs from it by more than the group's noise;
 * those that do not are named beside it. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORDS_TIED_MAX = 4,
    WORDS_LIVE_MIN = 1 << 20 /* bytes; of a smaller live set resident memory says nothing */
};

/* One variant's standing in a comparison of a group. */
struct contender {
    const struct pb_summary_row *row;
    struct pb_series series;
    double median;
    bool tied; /* with the best */
};

struct contest {
    struct contender *contenders;
    size_t n, best, next; /* next: the best that is not tied; n if there is none */
    int better;
    struct pb_estimate lead; /* next against best, >= 1 */
};

/* Where the values of a contest come from. */
typedef int series_fn(const struct pb_summary *summary, const struct pb_summary_row *row,
                      struct pb_series *series);

static int series_of_metric(const struct pb_summary *summary, const struct pb_summary_row *row,
                            struct pb_series *series)
{
    return pb_summary_series(row, summary->metric, series);
}

static int series_of_lean(const struct pb_summary *summary, const struct pb_summary_row *row,
                          struct pb_series *series)
{
    (void)summary;
    int error = pb_summary_series(row, PB_KEY_LIVE, series);
    double live = pb_series_median(series);
    pb_series_free(series);
    if (error != 0 || live < WORDS_LIVE_MIN)
        return error;
    return pb_summary_series(row, PB_KEY_LEAN, series);
}

static int series_of_tail(const struct pb_summary *summary, const struct pb_summary_row *row,
                          struct pb_series *series)
{
    (void)summary;
    size_t n = row->tail.n;
    series->n = n;
    series->values = calloc(n + 1, sizeof *series->values);
    series->blocks = calloc(n + 1, sizeof *series->blocks);
    if (series->values == NULL || series->blocks == NULL)
        return -ENOMEM;
    if (n > 0) {
        memcpy(series->values, row->tail.values, n * sizeof *series->values);
        memcpy(series->blocks, row->tail.blocks, n * sizeof *series->blocks);
    }
    return 0;
}

static bool better_than(const struct contest *contest, size_t a, size_t b)
{
    double left = contest->contenders[a].median, right = contest->contenders[b].median;
    return contest->better > 0 ? left > right : left < right;
}

/* The ratio by which the best is ahead of another, >= 1 when it is. */
static int lead_over(const struct contest *contest, size_t other, struct pb_estimate *lead)
{
    const struct pb_series *best = &contest->contenders[contest->best].series;
    const struct pb_series *rest = &contest->contenders[other].series;
    return contest->better > 0 ? pb_summary_pair(best, rest, lead)
                               : pb_summary_pair(rest, best, lead);
}

/* Finds the best, those tied with it, and the next. */
static int contest_decide(struct contest *contest, double bound)
{
    contest->best = 0;
    for (size_t i = 1; i < contest->n; i++)
        contest->best = better_than(contest, i, contest->best) ? i : contest->best;
    contest->next = contest->n;
    for (size_t i = 0; i < contest->n; i++) {
        struct pb_estimate lead;
        int error = i == contest->best ? 0 : lead_over(contest, i, &lead);
        if (error != 0)
            return error;
        contest->contenders[i].tied =
            i == contest->best || !(lead.value > 1 && pb_summary_counts(&lead, bound));
        if (!contest->contenders[i].tied &&
            (contest->next == contest->n || better_than(contest, i, contest->next))) {
            contest->next = i;
            contest->lead = lead;
        }
    }
    return 0;
}

/* The noise of these values: how far the twin is from what it is the twin of. */
static int contest_noise(const struct pb_summary *summary, const struct pb_summary_group *group,
                         const struct contest *contest, series_fn *values, double *bound)
{
    struct pb_series twin = {0};
    struct pb_estimate ratio;
    int error = 0;
    *bound = 0;
    if (group->twin == NULL)
        return 0;
    error = values(summary, group->twin, &twin);
    for (size_t i = 0; error == 0 && i < contest->n; i++) {
        const char *alloc = contest->contenders[i].row->alloc;
        if (strncmp(group->twin->alloc, alloc, strlen(alloc)) != 0 ||
            strcmp(group->twin->alloc + strlen(alloc), "@aa") != 0)
            continue;
        error = pb_summary_pair(&twin, &contest->contenders[i].series, &ratio);
        if (error == 0 && !isnan(ratio.low))
            *bound = fmax(fabs(log(ratio.low)), fabs(log(ratio.high)));
        error = error == -ENOENT ? 0 : error;
    }
    pb_series_free(&twin);
    return error;
}

static void contest_close(struct contest *contest, size_t most)
{
    for (size_t i = 0; i < most; i++)
        pb_series_free(&contest->contenders[i].series);
    free(contest->contenders);
}

/* Takes the allocators of a group that have values enough for an interval. */
static int contest_open(const struct pb_summary *summary, const struct pb_summary_group *group,
                        series_fn *values, struct contest *contest)
{
    int error = 0;
    contest->contenders = calloc(group->rows_n + 1, sizeof *contest->contenders);
    if (contest->contenders == NULL)
        return -ENOMEM;
    for (size_t i = 0; error == 0 && i < group->rows_n; i++) {
        struct contender *contender = &contest->contenders[contest->n];
        if (group->rows[i].floor)
            continue;
        contender->row = &group->rows[i];
        error = values(summary, contender->row, &contender->series);
        contender->median = pb_series_median(&contender->series);
        if (contender->series.n >= PB_SUMMARY_BLOCKS_MIN)
            contest->n++;
        else
            pb_series_free(&contender->series);
    }
    return error;
}

static void contest_words(const struct contest *contest, char *out, size_t size)
{
    char lead[32], interval[64];
    size_t used = 0, tied = 0;
    out[0] = '\0';
    for (size_t i = 0; i < contest->n; i++) {
        if (!contest->contenders[i].tied)
            continue;
        if (tied++ < WORDS_TIED_MAX && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", tied > 1 ? ", " : "",
                                     contest->contenders[i].row->alloc);
    }
    if (tied > WORDS_TIED_MAX && used < size)
        used += (size_t)snprintf(out + used, size - used, " and %zu more", tied - WORDS_TIED_MAX);
    if (tied > 1 && used < size)
        used += (size_t)snprintf(out + used, size - used, ": no difference shown between them");
    if (tied > 1 || contest->next == contest->n || used >= size)
        return;
    pb_text_number(contest->lead.value, lead, sizeof lead);
    pb_report_interval(&contest->lead, interval, sizeof interval);
    snprintf(out + used, size - used, ", %sx %s ahead of %s", lead, interval,
             contest->contenders[contest->next].row->alloc);
}

/* One sentence about a group, `what` being "fastest" and so on. */
static int words_about(struct pb_notes *notes, const struct pb_summary *summary,
                       const struct pb_summary_group *group, const char *what, int better,
                       series_fn *values)
{
    struct contest contest = {.better = better};
    char words[1024];
    double bound;
    int error = contest_open(summary, group, values, &contest);
    if (error == 0)
        error = contest_noise(summary, group, &contest, values, &bound);
    if (error == 0 && contest.n >= 2)
        error = contest_decide(&contest, bound);
    if (error == 0 && contest.n >= 2) {
        contest_words(&contest, words, sizeof words);
        pb_notes_add(notes, PB_NOTE_WORDS, group->title, "%-9s  %s", what, words);
    }
    if (contest.contenders != NULL)
        contest_close(&contest, group->rows_n);
    return error == -ENOENT ? 0 : error;
}

void pb_notes_words(struct pb_notes *notes, const struct pb_summary *summary)
{
    bool time = strcmp(summary->metric, PB_KEY_TIME) == 0;
    if (summary->groups_n > 0)
        pb_notes_add(notes, PB_NOTE_WORDS, "read as",
                     "fastest by %s, leanest by resident over live bytes (live sets above 1 MiB), "
                     "steadiest by p99 / p50 of "
                     "an allocation; a lead counts as a sign does",
                     summary->metric);
    for (size_t i = 0; i < summary->groups_n && notes->error == 0; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        size_t before = notes->n;
        int error = 0;
        if (summary->better != 0)
            error = words_about(notes, summary, group, time ? "fastest" : "best", summary->better,
                                series_of_metric);
        if (error == 0)
            error = words_about(notes, summary, group, "leanest", -1, series_of_lean);
        if (error == 0)
            error = words_about(notes, summary, group, "steadiest", -1, series_of_tail);
        if (error != 0)
            notes->error = error;
        if (notes->n == before)
            pb_notes_add(notes, PB_NOTE_WORDS, group->title,
                         "nothing can be said: fewer than two allocators with %d blocks",
                         PB_SUMMARY_BLOCKS_MIN);
    }
}
