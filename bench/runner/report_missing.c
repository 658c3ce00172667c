/* SPDX-License-Identifier: MIT */
/* Why "-" stands in a report's tables where a figure could be: one line a reason, if it occurs. See
 * report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <math.h>

enum { WORD_MAX = 64 };

/* Groups and rows of which a figure is missing, by reason. */
struct missing {
    bool interval, ratio;
    size_t few, untimed;      /* p99: too few calls beyond it, no call at all */
    size_t small, unmeasured; /* memory: too little alive, no audit */
};

/* Whether single calls were timed in any repetition. */
static bool was_timed(const struct pb_summary_row *row)
{
    for (size_t i = 0; i < row->reps_n; i++) {
        if (json_object_get(json_object_get(row->reps[i]->json, "hist"), "alloc") != NULL)
            return true;
    }
    return false;
}

/* What a row that ended well lacks; the others stand among the failures. */
static void look_at_row(struct missing *missing, const struct pb_summary_row *row)
{
    struct pb_series live = {0};
    if (row->counts[PB_OK] == 0)
        return;
    if (row->p99_alloc.n == 0 || row->p99_free.n == 0)
        *(was_timed(row) ? &missing->few : &missing->untimed) += 1;
    if (pb_summary_series(row, PB_KEY_LIVE, &live) == 0 && live.n > 0)
        missing->small += pb_series_median(&live) < PB_SUMMARY_LIVE_MIN;
    else
        missing->unmeasured++;
    pb_series_free(&live);
}

static struct missing look(const struct pb_summary *summary)
{
    struct missing missing = {.interval = false};
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        missing.ratio |= group->reference == NULL || group->reference->series.n == 0;
        for (size_t k = 0; k < group->rows_n; k++) {
            const struct pb_estimate *ratio = &group->rows[k].ratio;
            missing.interval |= ratio->n > 0 && isnan(ratio->low);
            look_at_row(&missing, &group->rows[k]);
        }
    }
    return missing;
}

void pb_notes_missing(struct pb_notes *notes, const struct pb_summary *summary)
{
    const struct missing missing = look(summary);
    char rows[WORD_MAX];
    if (missing.interval)
        pb_notes_add(
            notes, PB_NOTE_WARNING, "interval",
            "\"-\" where fewer than %d blocks are paired: no interval of 95 %% exists then",
            PB_SUMMARY_BLOCKS_MIN);
    if (missing.ratio)
        pb_notes_add(notes, PB_NOTE_WARNING, "ratio", "\"-\" in groups where %s has no figure",
                     summary->reference);
    pb_text_count(missing.few, "row", rows, sizeof rows);
    if (missing.few > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "p99",
                     "\"-\" in %s: no repetition timed the %d calls that leave %d beyond it; a "
                     "smaller --sample-gap or a larger --scale times more",
                     rows, 100 * PB_SAMPLES_BEYOND, PB_SAMPLES_BEYOND);
    pb_text_count(missing.untimed, "row", rows, sizeof rows);
    if (missing.untimed > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "p99",
                     "\"-\" in %s: no single call was timed there (--sample-gap=0?)", rows);
    pb_text_count(missing.small, "row", rows, sizeof rows);
    if (missing.small > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "RSS/live",
                     "\"-\" in %s: less than 1 MiB was alive at the most, too little to hold "
                     "resident pages against",
                     rows);
    pb_text_count(missing.unmeasured, "row", rows, sizeof rows);
    if (missing.unmeasured > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "memory",
                     "\"-\" in %s: the audit, which measures it, did not run there (--audit=off?)",
                     rows);
}
