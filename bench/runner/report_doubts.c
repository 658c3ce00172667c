/* SPDX-License-Identifier: MIT */
/* What a reader of a report should doubt: how the run went. What the values look like:
 * report_shapes.c. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <math.h>
#include <string.h>

enum { NOTE_WARNINGS_MAX = 12, NOTE_LIST_MAX = 512, REASONS_MAX = 8 };

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
        low += pb_summary_overlap_low(rep);
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

/* The reasons that records give for being disturbed, up to a colon, each with its count. */
struct reasons {
    char name[REASONS_MAX][48];
    size_t count[REASONS_MAX], n;
};

static void count_reason(struct reasons *reasons, const char *text)
{
    char name[48];
    size_t at = 0;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, ":"), text);
    while (at < reasons->n && strcmp(reasons->name[at], name) != 0)
        at++;
    if (at == REASONS_MAX)
        return;
    memcpy(reasons->name[at], name, sizeof name);
    reasons->count[at]++;
    reasons->n = at == reasons->n ? at + 1 : reasons->n;
}

/* What the runner itself found disturbed, tried again, and not steady. */
static void note_disturbed(struct pb_notes *notes, const struct pb_run *run)
{
    struct reasons reasons = {.n = 0};
    size_t disturbed = 0, again = 0, unsteady = 0, used = 0;
    char words[NOTE_LIST_MAX] = "";
    for (size_t i = 0; i < run->reps_n; i++) {
        const json_t *list = json_object_get(run->reps[i].json, "disturbed"), *value;
        size_t at;
        disturbed += json_array_size(list) > 0;
        again += json_integer_value(json_object_get(run->reps[i].json, "attempt")) > 1;
        unsteady += fabs(pb_rep_metric(&run->reps[i], PB_KEY_STEADY)) <= 0;
        json_array_foreach(list, at, value)
        {
            if (json_is_string(value))
                count_reason(&reasons, json_string_value(value));
        }
    }
    for (size_t i = 0; i < reasons.n && used < sizeof words; i++)
        used += (size_t)snprintf(words + used, sizeof words - used, "%s%s %zu",
                                 used > 0 ? ", " : "", reasons.name[i], reasons.count[i]);
    if (disturbed > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "disturbed", "%zu of %zu repetitions that count: %s",
                     disturbed, run->reps_n, words);
    if (again > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "repeated",
                     "%zu of %zu repetitions were tried again: an earlier attempt was disturbed",
                     again, run->reps_n);
    if (unsteady > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "unsteady",
                     "in %zu of %zu repetitions the rate still changed when the warm-up ended",
                     unsteady, run->reps_n);
}

static json_int_t session_of(const struct pb_rep *rep)
{
    return json_integer_value(json_object_get(rep->json, "session"));
}

/* Pairs of a row with its reference, by block; those of them whose halves different processes of
 * the program measured. */
static void count_sessions(const struct pb_summary_row *row, const struct pb_summary_row *reference,
                           size_t *pairs, size_t *apart)
{
    for (size_t i = 0, k = 0; i < row->reps_n; i++) {
        const struct pb_rep *rep = row->reps[i];
        while (k < reference->reps_n && reference->reps[k]->block < rep->block)
            k++;
        if (k == reference->reps_n)
            return;
        const struct pb_rep *other = reference->reps[k];
        if (rep->status != PB_OK || other->status != PB_OK || other->block != rep->block)
            continue;
        *pairs += 1;
        *apart += session_of(rep) != session_of(other);
    }
}

/* Pairs that a run that was taken up has torn apart: what drifts between two sessions is in their
 * ratio. */
static void note_sessions(struct pb_notes *notes, const struct pb_summary *summary)
{
    size_t pairs = 0, apart = 0;
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        if (group->reference == NULL)
            continue;
        for (size_t k = 0; k < group->rows_n; k++)
            if (&group->rows[k] != group->reference)
                count_sessions(&group->rows[k], group->reference, &pairs, &apart);
        if (group->twin != NULL)
            count_sessions(group->twin, group->reference, &pairs, &apart);
    }
    if (apart > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "sessions",
                     "%zu of %zu pairs cross sessions: the run was taken up between their halves, "
                     "and what the machine did meanwhile is in their ratio",
                     apart, pairs);
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

void pb_notes_doubts(struct pb_notes *notes, const struct pb_summary *summary)
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
    note_disturbed(notes, run);
    note_sessions(notes, summary);
    note_warnings(notes, run);
    pb_notes_shapes(notes, summary);
    pb_notes_missing(notes, summary);
}
