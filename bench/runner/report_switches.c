/* SPDX-License-Identifier: MIT */
/* What one option changes: every two variants of a group of which the second sets one option more
 * than the first, and nothing else, are an ablation. Their difference is estimated over paired
 * blocks, as every ratio is. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SWITCHES_MANY = 20 };

/* "name:key=value,key=value" taken apart: where the settings begin, and how many there are. */
static size_t settings_of(const char *alloc, const char **settings)
{
    size_t n = 1, name = strcspn(alloc, ":");
    *settings = alloc + name + (alloc[name] == ':');
    if (**settings == '\0')
        return 0;
    for (const char *at = *settings; *at != '\0'; at++)
        n += *at == ',';
    return n;
}

/* Whether the settings hold this one, which ends at a comma or with the text. */
static bool holds(const char *settings, const char *one, size_t length)
{
    while (*settings != '\0') {
        size_t end = strcspn(settings, ",");
        if (end == length && strncmp(settings, one, length) == 0)
            return true;
        settings += end + (settings[end] == ',');
    }
    return false;
}

/* The one setting that `more` has beyond `base`, into `out`; false where it is not just one. */
static bool one_setting_more(const char *base, const char *more, char *out, size_t size)
{
    const char *has, *adds;
    size_t base_n = settings_of(base, &has), more_n = settings_of(more, &adds), common = 0;
    if (more_n != base_n + 1 || strcspn(base, ":") != strcspn(more, ":") ||
        strncmp(base, more, strcspn(base, ":")) != 0)
        return false;
    while (*adds != '\0') {
        size_t length = strcspn(adds, ",");
        if (holds(has, adds, length))
            common++;
        else
            snprintf(out, size, "%.*s", (int)length, adds);
        adds += length + (adds[length] == ',');
    }
    return common == base_n;
}

/* "+1.24 ns [1.10, 1.38]", "-4.00 KiB [-4.10 KiB, -3.90 KiB]"; without an interval "+1.24 ns -". */
static void gap_words(const struct pb_estimate *gap, const char *unit, char *out, size_t size)
{
    char value[64], low[64], high[64], interval[160];
    bool time = strcmp(unit, "ns") == 0;
    pb_text_value(gap->value, unit, value, sizeof value);
    pb_text_value(gap->low, unit, low, sizeof low);
    pb_text_value(gap->high, unit, high, sizeof high);
    if (time || isnan(gap->low) || pb_report_no_width(gap))
        pb_report_interval(gap, interval, sizeof interval);
    else
        snprintf(interval, sizeof interval, "[%s, %s]", low, high);
    snprintf(out, size, "%s%s%s %s", gap->value > 0 ? "+" : "", value, time ? " ns" : "", interval);
}

static int note_switch(struct pb_notes *notes, const struct pb_summary *summary,
                       const struct pb_summary_group *group, const struct pb_summary_row *base,
                       const struct pb_summary_row *row, const char *setting)
{
    struct pb_estimate gap, ratio;
    char cost[256], times[32], interval[64];
    int error = pb_summary_gap(&row->series, &base->series, &gap);
    if (error == 0)
        error = pb_summary_pair(&row->series, &base->series, &ratio);
    if (error != 0)
        return error == -ENOENT ? 0 : error;
    gap_words(&gap, summary->unit, cost, sizeof cost);
    pb_text_number(ratio.value, times, sizeof times);
    pb_report_interval(&ratio, interval, sizeof interval);
    const char *judged = isnan(ratio.low)                             ? "no interval"
                         : !pb_summary_counts(&ratio, group->bound)   ? "no difference shown"
                         : (ratio.value > 1) == (summary->better > 0) ? "better"
                                                                      : "worse";
    pb_notes_add(notes, PB_NOTE_SWITCHES, group->title, "%s with %s: %s, %sx %s%s%s", base->alloc,
                 setting, cost, times, interval, summary->better != 0 ? "; " : "",
                 summary->better != 0 ? judged : "");
    return 0;
}

/* The lines of a group. */
static void notes_of_group(struct pb_notes *notes, const struct pb_summary *summary,
                           const struct pb_summary_group *group)
{
    char setting[PB_VARIANT_MAX];
    for (size_t b = 0; b < group->rows_n && !group->streams_differ; b++) {
        const struct pb_summary_row *base = &group->rows[b];
        for (size_t k = 0; k < group->rows_n && !base->floor && notes->error == 0; k++)
            if (one_setting_more(base->alloc, group->rows[k].alloc, setting, sizeof setting))
                notes->error = note_switch(notes, summary, group, base, &group->rows[k], setting);
    }
}

void pb_notes_switches(struct pb_notes *notes, const struct pb_summary *summary)
{
    size_t before = notes->n;
    for (size_t i = 0; i < summary->groups_n; i++)
        notes_of_group(notes, summary, &summary->groups[i]);
    if (notes->n - before >= SWITCHES_MANY)
        pb_notes_add(notes, PB_NOTE_SWITCHES, "read as",
                     "%zu intervals of 95 %%: about one in 20 misses by chance; the bound beside "
                     "them is the A/A twin's",
                     notes->n - before);
}
