/* SPDX-License-Identifier: MIT */
/* What stands around the tables of a report: what was run and where, what a reader should doubt,
 * and which cells have no figure. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE_MAX = 2048, NOTE_NAMED_MAX = 3 };

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

/* How many blocks are whole, of how many: "11 of at most 45" of a run with a target, which stops
 * where it knows enough. A run that was killed has no last line to say it, one of older records
 * has none that does. */
static void blocks_words(const struct pb_run *run, char *out, size_t size)
{
    const json_t *whole = json_object_get(run->end, "blocks");
    long long planned = json_integer_value(json_object_get(run->header, "blocks"));
    bool target = json_number_value(json_object_get(run->header, "target")) > 0;
    if (!json_is_integer(whole))
        snprintf(out, size, "%lld%s", planned, run->complete ? "" : " planned");
    else if (json_integer_value(whole) < planned)
        snprintf(out, size, "%lld of %s%lld", (long long)json_integer_value(whole),
                 target ? "at most " : "", planned);
    else
        snprintf(out, size, "%lld", planned);
}

static void note_reading(struct pb_notes *notes, const struct pb_summary *summary)
{
    const json_t *header = summary->run->header;
    const json_t *metric = json_object_get(json_object_get(header, "metrics"), summary->metric);
    const char *help = json_string_value(json_object_get(metric, "help"));
    char blocks[64];
    blocks_words(summary->run, blocks, sizeof blocks);
    pb_notes_add(notes, PB_NOTE_HEADER, "metric", "%s [%s]%s: %s", summary->metric, summary->unit,
                 direction(summary->better), help != NULL ? help : "");
    pb_notes_add(
        notes, PB_NOTE_HEADER, "reference",
        "%s; ratio = variant / reference, Hodges-Lehmann over paired blocks, 95 %% interval",
        summary->reference);
    pb_notes_add(notes, PB_NOTE_HEADER, "blocks", "%s, each repetition a process of its own%s",
                 blocks,
                 json_is_true(json_object_get(header, "exploratory"))
                     ? "; exploratory: too few for a conclusion, a standard run has 11"
                     : "");
    pb_notes_add(notes, PB_NOTE_HEADER, "dispatch",
                 "every comparison with malloc uses direct calls (call); "
                 "a group with another dispatch says so");
    if (summary->better != 0)
        pb_notes_add(
            notes, PB_NOTE_HEADER, "signs",
            "+ better, - worse, = the same within %.0f %%, as A/A is: shown of its row by itself, "
            "not "
            "adjusted; ~ no difference shown: p is above 0.05, or the difference is within the A/A "
            "noise or 2 %%; none: too few pairs",
            100 * PB_VERDICT_DELTA);
}

/* How many comparisons there are, in what families, and what adjusts their p. */
static void note_comparisons(struct pb_notes *notes, const struct pb_summary *summary)
{
    size_t all = 0, tables = 0, least = SIZE_MAX, most = 0;
    char comparisons[64], families[64], sizes[64];
    for (size_t i = 0; i < summary->groups_n; i++) {
        size_t n = summary->groups[i].family;
        all += n;
        tables += n > 0;
        least = n > 0 && n < least ? n : least;
        most = n > most ? n : most;
    }
    pb_text_count(all, "comparison", comparisons, sizeof comparisons);
    snprintf(families, sizeof families, "%zu %s", tables, tables == 1 ? "family" : "families");
    snprintf(sizes, sizeof sizes, least < most ? "%zu to %zu" : "%zu", least, most);
    if (all > 0)
        pb_notes_add(notes, PB_NOTE_HEADER, "compared",
                     "%s in %s of %s, a table each (null and floor are limits, alone); p is "
                     "adjusted by %s within a family, intervals are not",
                     comparisons, families, sizes,
                     summary->exploratory ? "Benjamini and Hochberg (exploratory)" : "Holm");
}

/* How far A/A reaches, from table to table. */
static void note_noise(struct pb_notes *notes, const struct pb_summary *summary)
{
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_row *twin = summary->groups[i].twin;
        if (twin == NULL || twin->ratio.n == 0 || isnan(twin->ratio.low))
            continue;
        double reach = fmax(fabs(log(twin->ratio.low)), fabs(log(twin->ratio.high)));
        least = fmin(least, expm1(reach));
        most = fmax(most, expm1(reach));
    }
    if (least <= most)
        pb_notes_add(notes, PB_NOTE_HEADER, "noise",
                     "A/A, the reference under another name, reaches %.1f to %.1f %%; below that "
                     "of its table, or 2 %%, a difference does not count",
                     100 * least, 100 * most);
    else if (summary->groups_n > 0)
        pb_notes_add(notes, PB_NOTE_HEADER, "noise", "not measured: no A/A twin with %d blocks",
                     PB_SUMMARY_BLOCKS_MIN);
}

/* What has no part in the figures. Nothing is left out for being far from the rest. */
static void note_left_out(struct pb_notes *notes, const struct pb_run *run)
{
    size_t counts[PB_STATUSES] = {0}, used = 0;
    char words[256] = "none";
    for (size_t i = 0; i < run->reps_n; i++)
        counts[run->reps[i].status]++;
    for (int status = PB_OK + 1; status < PB_STATUSES; status++) {
        if (counts[status] > 0 && used < sizeof words)
            used += (size_t)snprintf(words + used, sizeof words - used, "%s%zu %s",
                                     used > 0 ? ", " : "", counts[status], pb_status_names[status]);
    }
    pb_notes_add(
        notes, PB_NOTE_HEADER, "left out",
        "%zu repetitions without a figure (%s), %zu superseded by a later attempt; no value is "
        "dropped for being far out",
        run->reps_n - counts[PB_OK], words, run->superseded);
}

/* What ended the run, where blocks were added until it was precise enough. */
static void note_stopped(struct pb_notes *notes, const struct pb_run *run)
{
    const json_t *by = json_object_get(run->end, "stopped_by");
    const json_t *looks = json_object_get(run->end, "looks"), *look;
    char at[256] = "";
    size_t i, used = 0;
    by = by != NULL ? by : json_object_get(run->header, "stopped_by");
    looks = looks != NULL ? looks : json_object_get(run->header, "looks");
    json_array_foreach(looks, i, look)
    {
        if (json_is_integer(look) && used < sizeof at)
            used += (size_t)snprintf(at + used, sizeof at - used, "%s%lld",
                                     used > 0 ? ", " : "; looked at ",
                                     (long long)json_integer_value(look));
    }
    if (json_is_string(by))
        pb_notes_add(notes, PB_NOTE_HEADER, "stopped", "%s%s%s", json_string_value(by), at,
                     used > 0 ? " blocks, as declared" : "");
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
    note_noise(notes, summary);
    note_left_out(notes, summary->run);
    note_stopped(notes, summary->run);
    pb_notes_doubts(notes, summary);
    note_failures(notes, summary);
}
