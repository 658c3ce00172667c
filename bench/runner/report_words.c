/* SPDX-License-Identifier: MIT */
/* The result in words: for each group the fastest, leanest and steadiest variant, where the data
 * show one. A variant leads only if every other differs from it by more than the group's noise
 * and, for times of one call, by more than the clock can tell; those that do not are named beside
 * it. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_TIED_MAX = 4 };

/* One variant's standing in a comparison of a group. */
struct contender {
    const struct pb_summary_row *row;
    struct pb_series series;
    double median;
    struct pb_comparison lead; /* the best against it: above 1 where the best is ahead */
    bool tied;                 /* with the best */
    bool same;                 /* shown to be so, not only no difference shown */
};

/* Where the values of a contest come from. */
typedef int series_fn(const struct pb_summary *summary, const struct pb_summary_row *row,
                      struct pb_series *series);

/* What a contest is about. */
struct subject {
    const char *what, *unit;
    int better;
    series_fn *values;
    double least; /* medians that differ by no more are tied */
    double floor; /* a value no higher is an upper limit; negative: none */
};

struct contest {
    const struct subject *subject;
    struct contender *contenders;
    size_t n, best, next; /* next: the best that is not tied; n if there is none */
};

static int series_of_metric(const struct pb_summary *summary, const struct pb_summary_row *row,
                            struct pb_series *series)
{
    return pb_summary_series(row, summary->metric, series);
}

static int series_of_lean(const struct pb_summary *summary, const struct pb_summary_row *row,
                          struct pb_series *series)
{
    (void)summary;
    return pb_summary_lean(row, series);
}

/* The p99 of an allocation; what the clock cannot resolve counts as its resolution. */
static int series_of_p99(const struct pb_summary *summary, const struct pb_summary_row *row,
                         struct pb_series *series)
{
    size_t n = row->p99_alloc.n;
    series->n = n;
    series->values = calloc(n + 1, sizeof *series->values);
    series->blocks = calloc(n + 1, sizeof *series->blocks);
    if (series->values == NULL || series->blocks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        series->values[i] = fmax(row->p99_alloc.values[i], summary->resolution);
        series->blocks[i] = row->p99_alloc.blocks[i];
    }
    return 0;
}

static bool better_than(const struct contest *contest, size_t a, size_t b)
{
    double left = contest->contenders[a].median, right = contest->contenders[b].median;
    return contest->subject->better > 0 ? left > right : left < right;
}

/* The ratio by which the best is ahead of another, above 1 when it is. */
static int lead_over(struct contest *contest, struct contender *other)
{
    const struct pb_series *best = &contest->contenders[contest->best].series;
    return contest->subject->better > 0 ? pb_summary_compare(best, &other->series, &other->lead)
                                        : pb_summary_compare(&other->series, best, &other->lead);
}

/* Compares the best with every other, and adjusts p for their number. */
static int contest_compare(const struct pb_summary *summary, struct contest *contest)
{
    double *p = calloc(contest->n + 1, sizeof *p);
    int error = p == NULL ? -ENOMEM : 0;
    for (size_t i = 0; error == 0 && i < contest->n; i++) {
        struct contender *other = &contest->contenders[i];
        error = i == contest->best ? 0 : lead_over(contest, other);
        p[i] = i == contest->best ? NAN : other->lead.p;
    }
    if (error == 0)
        error = pb_summary_adjust(summary, p, contest->n);
    for (size_t i = 0; error == 0 && i < contest->n; i++)
        contest->contenders[i].lead.p = p[i];
    free(p);
    return error;
}

/* Finds the best, those tied with it, and the next. */
static int contest_decide(const struct pb_summary *summary, struct contest *contest, double bound)
{
    contest->best = 0;
    for (size_t i = 1; i < contest->n; i++)
        contest->best = better_than(contest, i, contest->best) ? i : contest->best;
    contest->next = contest->n;
    int error = contest_compare(summary, contest);
    for (size_t i = 0; error == 0 && i < contest->n; i++) {
        struct contender *other = &contest->contenders[i];
        double gap = other->median - contest->contenders[contest->best].median;
        if (i == contest->best) {
            other->tied = other->same = true;
            continue;
        }
        other->lead.bound = bound;
        other->lead.delta = PB_VERDICT_DELTA;
        other->lead.better = 1;
        enum pb_verdict verdict = pb_verdict(&other->lead);
        other->same = verdict == PB_VERDICT_SAME;
        other->tied = verdict != PB_VERDICT_BETTER || fabs(gap) <= contest->subject->least;
        if (!other->tied && (contest->next == contest->n || better_than(contest, i, contest->next)))
            contest->next = i;
    }
    return error;
}

/* The noise of these values: how far the twin is from what it is the twin of. */
static int contest_noise(const struct pb_summary *summary, const struct pb_summary_group *group,
                         const struct contest *contest, double *bound)
{
    struct pb_series twin = {0};
    struct pb_estimate ratio;
    int error = 0;
    *bound = 0;
    if (group->twin == NULL)
        return 0;
    error = contest->subject->values(summary, group->twin, &twin);
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

/* Takes the allocators of a group that have values enough for an interval and mostly ran as their
 * cell says. */
static int contest_open(const struct pb_summary *summary, const struct pb_summary_group *group,
                        struct contest *contest)
{
    int error = 0;
    contest->contenders = calloc(group->rows_n + 1, sizeof *contest->contenders);
    if (contest->contenders == NULL)
        return -ENOMEM;
    for (size_t i = 0; error == 0 && i < group->rows_n; i++) {
        struct contender *contender = &contest->contenders[contest->n];
        if (group->rows[i].floor ||
            pb_mostly_disturbed(group->rows[i].disturbed, group->rows[i].counts[PB_OK]))
            continue;
        contender->row = &group->rows[i];
        error = contest->subject->values(summary, contender->row, &contender->series);
        contender->median = pb_series_median(&contender->series);
        if (contender->series.n >= PB_SUMMARY_BLOCKS_MIN)
            contest->n++;
        else
            pb_series_free(&contender->series);
    }
    return error;
}

/* "30 ns", "<=20 ns", "4.20 MiB". */
static void subject_value(const struct subject *subject, double value, char *out, size_t size)
{
    char number[64];
    pb_text_value(value, subject->unit, number, sizeof number);
    snprintf(out, size, "%s%s%s", value <= subject->floor ? "<=" : "", number,
             strcmp(subject->unit, "ns") == 0 ? " ns" : "");
}

/* ", 1.40x [1.39, 1.44] ahead of mimalloc, 2.10 ns against 2.94 ns"; of an interval without width
 * the two values. */
static void lead_words(const struct contest *contest, char *out, size_t size)
{
    const struct contender *best = &contest->contenders[contest->best];
    const struct contender *next = &contest->contenders[contest->next];
    char lead[32], interval[64], values[2][80];
    pb_text_number(next->lead.ratio.value, lead, sizeof lead);
    pb_report_interval(&next->lead.ratio, interval, sizeof interval);
    subject_value(contest->subject, best->median, values[0], sizeof values[0]);
    subject_value(contest->subject, next->median, values[1], sizeof values[1]);
    if (pb_report_no_width(&next->lead.ratio) || best->median <= contest->subject->floor)
        snprintf(out, size, ", %s, ahead of %s, %s", values[0], next->row->alloc, values[1]);
    else
        snprintf(out, size, ", %sx %s ahead of %s, %s against %s", lead, interval, next->row->alloc,
                 values[0], values[1]);
}

static void contest_words(const struct contest *contest, char *out, size_t size)
{
    size_t used = 0, tied = 0, same = 0;
    out[0] = '\0';
    for (size_t i = 0; i < contest->n; i++) {
        if (!contest->contenders[i].tied)
            continue;
        same += contest->contenders[i].same;
        if (tied++ < WORDS_TIED_MAX && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", tied > 1 ? ", " : "",
                                     contest->contenders[i].row->alloc);
    }
    if (tied > WORDS_TIED_MAX && used < size)
        used += (size_t)snprintf(out + used, size - used, " and %zu more", tied - WORDS_TIED_MAX);
    if (tied > 1 && used < size)
        used += same == tied ? (size_t)snprintf(out + used, size - used,
                                                ": the same within %.0f %%", 100 * PB_VERDICT_DELTA)
                             : (size_t)snprintf(out + used, size - used,
                                                ": no difference shown between them");
    if (tied == 1 && contest->next < contest->n && used < size)
        lead_words(contest, out + used, size - used);
}

/* One sentence about a group. */
static int words_about(struct pb_notes *notes, const struct pb_summary *summary,
                       const struct pb_summary_group *group, const struct subject *subject)
{
    struct contest contest = {.subject = subject};
    char words[1024];
    double bound;
    int error = contest_open(summary, group, &contest);
    if (error == 0)
        error = contest_noise(summary, group, &contest, &bound);
    if (error == 0 && contest.n >= 2)
        error = contest_decide(summary, &contest, bound);
    if (error == 0 && contest.n >= 2) {
        contest_words(&contest, words, sizeof words);
        pb_notes_add(notes, PB_NOTE_WORDS, group->title, "%-9s  %s", subject->what, words);
    }
    if (contest.contenders != NULL)
        contest_close(&contest, group->rows_n);
    return error == -ENOENT ? 0 : error;
}

void pb_notes_words(struct pb_notes *notes, const struct pb_summary *summary)
{
    bool time = strcmp(summary->metric, PB_KEY_TIME) == 0;
    const struct subject subjects[] = {
        {time ? "fastest" : "best", summary->unit, summary->better, series_of_metric, 0, -1},
        {"leanest", "1", -1, series_of_lean, 0, -1},
        {"steadiest", "ns", -1, series_of_p99, summary->step, summary->resolution},
    };
    if (summary->groups_n > 0)
        pb_notes_add(notes, PB_NOTE_WORDS, "read as",
                     "fastest by %s, leanest by resident over live bytes (live sets above 1 MiB), "
                     "steadiest by p99 of an allocation (at most %.0f ns apart is a tie); a lead "
                     "counts as a sign does",
                     summary->metric, summary->step);
    for (size_t i = 0; i < summary->groups_n && notes->error == 0; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        size_t before = notes->n;
        for (size_t k = 0; k < sizeof subjects / sizeof subjects[0] && !group->streams_differ;
             k++) {
            int error =
                subjects[k].better != 0 ? words_about(notes, summary, group, &subjects[k]) : 0;
            if (error != 0)
                notes->error = error;
        }
        if (group->streams_differ)
            pb_notes_add(notes, PB_NOTE_WORDS, group->title,
                         "nothing can be said: its cells executed different op streams");
        else if (notes->n == before)
            pb_notes_add(notes, PB_NOTE_WORDS, group->title,
                         "nothing can be said: fewer than two allocators with %d blocks that "
                         "were not mostly disturbed",
                         PB_SUMMARY_BLOCKS_MIN);
    }
}
