/* SPDX-License-Identifier: MIT */
/* What stands around the tables of a report: what was run and where, what a reader should doubt,
 * and which cells have no figure. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE_MAX = 2048, NOTE_NAMED_MAX = 3, NOTE_WARNINGS_MAX = 12 };

void pb_notes_add(struct pb_notes *notes, enum pb_note_section section, const char *head,
                  const char *format, ...)
{
    char raw[NOTE_MAX], text[NOTE_MAX], clean_head[NOTE_MAX];
    va_list list;
    if (notes->error != 0)
        return;
    va_start(list, format);
    vsnprintf(raw, sizeof raw, format, list);
    va_end(list);
    pb_text_clean(raw, text, sizeof text);
    pb_text_clean(head, clean_head, sizeof clean_head);
    struct pb_note *more = realloc(notes->notes, (notes->n + 1) * sizeof *more);
    if (more == NULL) {
        notes->error = -ENOMEM;
        return;
    }
    notes->notes = more;
    more[notes->n] = (struct pb_note){section, strdup(clean_head), strdup(text)};
    if (more[notes->n].head == NULL || more[notes->n].text == NULL)
        notes->error = -ENOMEM;
    notes->n++;
}

void pb_notes_free(struct pb_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) {
        free(notes->notes[i].head);
        free(notes->notes[i].text);
    }
    free(notes->notes);
    *notes = (struct pb_notes){0};
}

/* --- header ---------------------------------------------------------------------------------- */

static void note_run(struct pb_notes *notes, const struct pb_run *run)
{
    const json_t *suite = json_object_get(run->header, "suite");
    const json_t *matrix = json_object_get(run->header, "matrix");
    const char *title = json_string_value(json_object_get(matrix, "title"));
    const char *name = json_string_value(json_object_get(matrix, "name"));
    pb_notes_add(notes, PB_NOTE_HEADER, "run", "%s, matrix %s%s%s", pb_run_text(run, NULL, "run"),
                 name != NULL ? name : "?", title != NULL && title[0] != '\0' ? ": " : "",
                 title != NULL ? title : "");
    pb_notes_add(notes, PB_NOTE_HEADER, "suite", "poolbench %s, git %s%s, %s",
                 pb_run_text(run, "suite", "version"), pb_run_text(run, "suite", "git"),
                 json_is_true(json_object_get(suite, "dirty")) ? " with changes" : "",
                 pb_run_text(run, "suite", "compiler"));
}

static void note_machine(struct pb_notes *notes, const struct pb_summary *summary)
{
    const struct pb_run *run = summary->run;
    const json_t *machine = json_object_get(run->header, "machine");
    char units[64];
    pb_text_count((unsigned long)json_integer_value(json_object_get(machine, "units")),
                  "processing unit", units, sizeof units);
    pb_notes_add(notes, PB_NOTE_HEADER, "machine", "%s: %s, %s, %s, %s",
                 pb_run_text(run, "machine", "host"), pb_run_text(run, "machine", "cpu"), units,
                 pb_run_text(run, "machine", "kernel"), pb_run_text(run, "machine", "libc"));
    if (summary->resolution > 0)
        pb_notes_add(notes, PB_NOTE_HEADER, "clock",
                     "one call is timed to %.0f ns at best: a percentile below that reads <=%.0f",
                     summary->resolution, summary->resolution);
}

static const char *direction(int better)
{
    return better < 0 ? ", lower is better" : better > 0 ? ", higher is better" : "";
}

static void note_reading(struct pb_notes *notes, const struct pb_summary *summary)
{
    const json_t *header = summary->run->header;
    const json_t *metric = json_object_get(json_object_get(header, "metrics"), summary->metric);
    const char *help = json_string_value(json_object_get(metric, "help"));
    pb_notes_add(notes, PB_NOTE_HEADER, "metric", "%s [%s]%s: %s", summary->metric, summary->unit,
                 direction(summary->better), help != NULL ? help : "");
    pb_notes_add(
        notes, PB_NOTE_HEADER, "reference",
        "%s; ratio = variant / reference, Hodges-Lehmann over paired blocks, 95 %% interval",
        summary->reference);
    pb_notes_add(notes, PB_NOTE_HEADER, "blocks", "%lld, each repetition a process of its own%s",
                 (long long)json_integer_value(json_object_get(header, "blocks")),
                 json_is_true(json_object_get(header, "exploratory"))
                     ? "; exploratory: too few for a conclusion, a standard run has 11"
                     : "");
    pb_notes_add(notes, PB_NOTE_HEADER, "dispatch",
                 "every comparison with malloc uses direct calls (call); "
                 "a group with another dispatch says so");
    if (summary->better != 0)
        pb_notes_add(notes, PB_NOTE_HEADER, "signs",
                     "+ better, - worse, ~ no difference shown: the interval contains 1, "
                     "or the difference is within the A/A noise or 2 %%");
}

static void note_comparisons(struct pb_notes *notes, const struct pb_summary *summary)
{
    size_t ratios = 0;
    char count[64];
    for (size_t i = 0; i < summary->groups_n; i++) {
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            ratios += summary->groups[i].rows[k].ratio.n > 0;
    }
    pb_text_count(ratios, "comparison", count, sizeof count);
    if (ratios > 0)
        pb_notes_add(notes, PB_NOTE_HEADER, "compared",
                     "%s, each at 95 %%, not adjusted for their number", count);
}

/* --- warnings -------------------------------------------------------------------------------- */

static void note_interference(struct pb_notes *notes, const struct pb_run *run)
{
    size_t ok = 0, low = 0, disturbed = 0, shared = 0;
    double preemptions = 0;
    for (size_t i = 0; i < run->reps_n; i++) {
        const struct pb_rep *rep = &run->reps[i];
        double taken = pb_rep_metric(rep, PB_KEY_PREEMPTIONS);
        if (rep->status != PB_OK)
            continue;
        if (pb_summary_oversubscribed(rep)) {
            shared++;
            continue;
        }
        ok++;
        low += pb_summary_disturbed(rep);
        if (taken > 0) {
            disturbed++;
            preemptions += taken;
        }
    }
    if (low > 0)
        pb_notes_add(
            notes, PB_NOTE_WARNING, "overlap",
            "below %.2f in %zu of %zu repetitions (%.1f %%): their workers ran less at the "
            "same time than the cell says; a row of which more than half is disturbed so is "
            "left out of the words",
            PB_SUMMARY_OVERLAP, low, ok, 100.0 * (double)low / (double)ok);
    if (disturbed > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "preempted",
                     "workers were taken off their processing units %.0f times, in %zu of %zu "
                     "repetitions",
                     preemptions, disturbed, ok);
    if (shared > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "shared",
                     "%zu repetitions are oversubscribed by design: their workers take turns, "
                     "their overlap and preemptions are not held against them",
                     shared);
}

/* Groups that cannot be compared, or in which the same differs from itself. */
static void note_groups(struct pb_notes *notes, const struct pb_summary *summary)
{
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        const struct pb_estimate *twin = group->twin != NULL ? &group->twin->ratio : NULL;
        char name[PB_VARIANT_MAX];
        if (group->streams_differ)
            pb_notes_add(notes, PB_NOTE_WARNING, "stream",
                         "%s: its cells executed different op streams; their figures do not "
                         "compare",
                         group->title);
        if (twin == NULL || twin->n == 0 || !(twin->low > 1 || twin->high < 1))
            continue; /* an interval that is not there (NAN) says nothing either */
        pb_summary_base(group->twin->alloc, name, sizeof name);
        pb_notes_add(notes, PB_NOTE_WARNING, "A/A",
                     "%s: %s differs from its own twin [%.3f, %.3f]: do not trust differences of "
                     "that size",
                     group->title, name, twin->low, twin->high);
    }
}

/* Whether an earlier repetition has that warning already. */
static bool warned_before(const struct pb_run *run, size_t end, const char *text)
{
    for (size_t i = 0; i < end; i++) {
        const json_t *list = json_object_get(run->reps[i].json, "warn"), *value;
        size_t at;
        json_array_foreach(list, at, value)
        {
            if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
                return true;
        }
    }
    return false;
}

static size_t warned_times(const struct pb_run *run, const char *text)
{
    size_t times = 0;
    for (size_t i = 0; i < run->reps_n; i++) {
        const json_t *list = json_object_get(run->reps[i].json, "warn"), *value;
        size_t at;
        json_array_foreach(list, at, value) times +=
            json_is_string(value) && strcmp(json_string_value(value), text) == 0;
    }
    return times;
}

/* What the repetitions' own lists say, each text once. */
static void note_warnings(struct pb_notes *notes, const struct pb_run *run)
{
    size_t shown = 0;
    for (size_t i = 0; i < run->reps_n && shown < NOTE_WARNINGS_MAX; i++) {
        const json_t *list = json_object_get(run->reps[i].json, "warn"), *value;
        size_t at;
        json_array_foreach(list, at, value)
        {
            const char *text = json_string_value(value);
            if (text == NULL || shown == NOTE_WARNINGS_MAX || warned_before(run, i, text))
                continue;
            pb_notes_add(notes, PB_NOTE_WARNING, "warned", "%s (%zu of %zu repetitions)", text,
                         warned_times(run, text), run->reps_n);
            shown++;
        }
    }
}

/* What doctor warned of when the run began. */
static void note_doctor(struct pb_notes *notes, const struct pb_run *run)
{
    const json_t *findings = json_object_get(run->header, "doctor"), *one;
    size_t i;
    json_array_foreach(findings, i, one)
    {
        const char *id = json_string_value(json_object_get(one, "id"));
        const char *level = json_string_value(json_object_get(one, "level"));
        const char *value = json_string_value(json_object_get(one, "value"));
        if (id != NULL && level != NULL && value != NULL && strcmp(level, "warning") == 0)
            pb_notes_add(notes, PB_NOTE_WARNING, "doctor", "%s was %s when the run began", id,
                         value);
    }
}

static void note_doubts(struct pb_notes *notes, const struct pb_summary *summary)
{
    const struct pb_run *run = summary->run;
    const json_t *suite = json_object_get(run->header, "suite");
    const char *sanitizer = pb_run_text(run, "suite", "sanitizer");
    if (!run->complete)
        pb_notes_add(notes, PB_NOTE_WARNING, "incomplete",
                     "the run did not reach its end; poolbench resume continues it");
    if (run->torn)
        pb_notes_add(notes, PB_NOTE_WARNING, "torn",
                     "the last line of records.jsonl was cut off and is left out");
    if (sanitizer[0] != '\0')
        pb_notes_add(notes, PB_NOTE_WARNING, "checked",
                     "built with the sanitizers %s: the times mean nothing", sanitizer);
    else if (json_integer_value(json_object_get(suite, "check")) > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "checked",
                     "a debug build with checks: the times mean nothing");
    note_doctor(notes, run);
    note_groups(notes, summary);
    note_interference(notes, run);
    note_warnings(notes, run);
    pb_notes_missing(notes, summary);
}

/* --- failures -------------------------------------------------------------------------------- */

static bool same_failure(const struct pb_summary_row *a, const struct pb_summary_row *b)
{
    return a->status == b->status && strcmp(a->alloc, b->alloc) == 0 &&
           strcmp(a->reason, b->reason) == 0;
}

/* Adds " in TITLE (k of n)" for each group where the variant failed so, from group `from` on; the
 * first few by name. */
static void failure_places(const struct pb_summary *summary, size_t from,
                           const struct pb_summary_row *failed, char *out, size_t size)
{
    size_t places = 0, used = 0;
    out[0] = '\0';
    for (size_t i = from; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        const struct pb_summary_row *row = pb_summary_find(group, failed->alloc);
        if (row == NULL || row->status == PB_OK || !same_failure(row, failed))
            continue;
        if (places++ < NOTE_NAMED_MAX && used < size)
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s (%zu of %zu)", used > 0 ? "; " : "",
                                 group->title, row->counts[row->status], row->reps_n);
    }
    if (places > NOTE_NAMED_MAX && used < size)
        snprintf(out + used, size - used, "; and %zu more groups", places - NOTE_NAMED_MAX);
}

static bool failed_before(const struct pb_summary *summary, size_t end,
                          const struct pb_summary_row *failed)
{
    for (size_t i = 0; i < end; i++) {
        const struct pb_summary_row *row = pb_summary_find(&summary->groups[i], failed->alloc);
        if (row != NULL && row->status != PB_OK && same_failure(row, failed))
            return true;
    }
    return false;
}

static void note_failures(struct pb_notes *notes, const struct pb_summary *summary)
{
    char places[NOTE_MAX / 2], head[64];
    for (size_t i = 0; i < summary->groups_n; i++) {
        for (size_t k = 0; k < summary->groups[i].rows_n; k++) {
            const struct pb_summary_row *row = &summary->groups[i].rows[k];
            if (row->status == PB_OK || failed_before(summary, i, row))
                continue;
            failure_places(summary, i, row, places, sizeof places);
            snprintf(head, sizeof head, "%s", pb_status_names[row->status]);
            pb_notes_add(notes, PB_NOTE_FAILURE, head, "%s: %s: %s", row->alloc, row->reason,
                         places);
        }
    }
}

void pb_notes_run(struct pb_notes *notes, const struct pb_summary *summary)
{
    note_run(notes, summary->run);
    note_machine(notes, summary);
    note_reading(notes, summary);
    note_comparisons(notes, summary);
    note_doubts(notes, summary);
    note_failures(notes, summary);
}
