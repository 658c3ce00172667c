/* SPDX-License-Identifier: MIT */
/* What one option changes: every two variants of a group of which the second sets one option more
 * than the first, and nothing else, are an ablation. Their difference is estimated over paired
 * blocks, as every ratio is. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"
#include "stats/multiple.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* One ablation. */
struct switched {
    const struct pb_summary_row *base, *row;
    char setting[PB_VARIANT_MAX];
    struct pb_estimate gap;
    struct pb_comparison comparison;
};

/* The ablations of a group. */
struct switches {
    struct switched *at;
    size_t n;
};

static int add_switch(struct switches *list, const struct pb_summary_row *base,
                      const struct pb_summary_row *row, const char *setting)
{
    struct switched *more = realloc(list->at, (list->n + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    list->at = more;
    struct switched *made = &more[list->n];
    *made = (struct switched){.base = base, .row = row};
    snprintf(made->setting, sizeof made->setting, "%s", setting);
    int error = pb_summary_gap(&row->series, &base->series, &made->gap);
    if (error == 0)
        error = pb_summary_compare(&row->series, &base->series, &made->comparison);
    list->n += error == 0;
    return error == -ENOENT ? 0 : error;
}

static int find_switches(const struct pb_summary_group *group, struct switches *list)
{
    char setting[PB_VARIANT_MAX];
    int error = 0;
    for (size_t b = 0; b < group->rows_n && !group->streams_differ; b++) {
        const struct pb_summary_row *base = &group->rows[b];
        for (size_t k = 0; k < group->rows_n && !base->floor && error == 0; k++)
            if (one_setting_more(base->alloc, group->rows[k].alloc, setting, sizeof setting))
                error = add_switch(list, base, &group->rows[k], setting);
    }
    return error;
}

/* All of them were looked for, none was planned: adjusted by Benjamini and Hochberg. */
static int judge_switches(const struct pb_summary *summary, const struct pb_summary_group *group,
                          struct switches *list)
{
    double *p = calloc(list->n + 1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        p[i] = list->at[i].comparison.p;
    int error = pb_benjamini_hochberg(p, list->n, p);
    for (size_t i = 0; i < list->n; i++) {
        struct pb_comparison *comparison = &list->at[i].comparison;
        comparison->p = p[i];
        comparison->bound = group->bound;
        comparison->delta = PB_VERDICT_DELTA;
        comparison->better = summary->better;
    }
    free(p);
    return error;
}

static void note_switch(struct pb_notes *notes, const struct pb_summary *summary,
                        const struct pb_summary_group *group, const struct switched *made)
{
    char cost[256], times[32], interval[64], from[64];
    bool time = strcmp(summary->unit, "ns") == 0;
    enum pb_verdict verdict = pb_verdict(&made->comparison);
    gap_words(&made->gap, summary->unit, cost, sizeof cost);
    pb_text_number(made->comparison.ratio.value, times, sizeof times);
    pb_report_interval(&made->comparison.ratio, interval, sizeof interval);
    pb_text_value(made->base->median.value, summary->unit, from, sizeof from);
    const char *judged = verdict == PB_VERDICT_UNKNOWN ? "no interval" : pb_verdict_word(verdict);
    pb_notes_add(notes, PB_NOTE_SWITCHES, group->title, "%s with %s: %s, %sx %s of %s%s%s%s",
                 made->base->alloc, made->setting, cost, times, interval, from, time ? " ns" : "",
                 summary->better != 0 ? "; " : "", summary->better != 0 ? judged : "");
}

/* The lines of a group. */
static void notes_of_group(struct pb_notes *notes, const struct pb_summary *summary,
                           const struct pb_summary_group *group)
{
    struct switches list = {0};
    int error = find_switches(group, &list);
    if (error == 0)
        error = judge_switches(summary, group, &list);
    for (size_t i = 0; error == 0 && i < list.n; i++)
        note_switch(notes, summary, group, &list.at[i]);
    notes->error = notes->error != 0 ? notes->error : error;
    free(list.at);
}

void pb_notes_switches(struct pb_notes *notes, const struct pb_summary *summary)
{
    size_t before = notes->n;
    for (size_t i = 0; i < summary->groups_n; i++)
        notes_of_group(notes, summary, &summary->groups[i]);
    if (notes->n > before)
        pb_notes_add(notes, PB_NOTE_SWITCHES, "read as",
                     "p adjusted by Benjamini and Hochberg among the lines of a table, intervals "
                     "are not: of the 95 %% about one in 20 misses by chance; the bound beside "
                     "them is the A/A twin's");
}
