/* SPDX-License-Identifier: MIT */
/* A run digested: sorted into groups and rows, each row with its estimates. See report_summary.h.
 */
#include "runner/report_summary.h"

#include "runner/report_text.h"
#include "stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char twin_suffix[] = "@aa";

const char *pb_status_word(enum pb_status status)
{
    static const char *const words[PB_STATUSES] = {
        [PB_OK] = "",           [PB_FAILED] = "fail",
        [PB_CRASHED] = "crash", [PB_TIMEOUT] = "timeout",
        [PB_OOM] = "oom",       [PB_CORRUPT] = "corrupt",
        [PB_SKIPPED] = "skip",  [PB_UNAVAILABLE] = "absent",
    };
    return words[status];
}

const char *pb_run_text(const struct pb_run *run, const char *section, const char *key)
{
    const json_t *from = section != NULL ? json_object_get(run->header, section) : run->header;
    const char *text = json_string_value(json_object_get(from, key));
    return text != NULL ? text : "";
}

bool pb_summary_base(const char *alloc, char *base, size_t size)
{
    size_t length = strlen(alloc), suffix = sizeof twin_suffix - 1;
    bool twin = length > suffix && strcmp(alloc + length - suffix, twin_suffix) == 0;
    snprintf(base, size, "%.*s", (int)(twin ? length - suffix : length), alloc);
    return twin;
}

/* --- order ----------------------------------------------------------------------------------- */

/* A repetition with what it is sorted by. */
struct entry {
    const struct pb_rep *rep;
    size_t workload, dispatch, rank;
    char stem[PB_CELL_NAME_MAX];
};

/* The group's name without its dispatch and threads. */
static void group_stem(const char *group, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    while (*group != '\0' && used < size) {
        size_t length = strcspn(group, "/");
        if (strncmp(group, "dispatch:", 9) != 0 && strncmp(group, "threads:", 8) != 0)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s", used > 0 ? "/" : "",
                                     (int)length, group);
        group += length + (group[length] == '/');
    }
}

/* The place of the variant's strategy in the registry; unknown ones come last. */
static size_t variant_rank(const char *alloc)
{
    struct pb_variant variant;
    char base[PB_VARIANT_MAX], message[256];
    size_t rank = 0;
    pb_summary_base(alloc, base, sizeof base);
    if (pb_variant_parse(base, &variant, message, sizeof message) != 0)
        return SIZE_MAX;
    while (pb_registry_at(rank) != NULL && pb_registry_at(rank) != variant.ops)
        rank++;
    return rank;
}

static size_t workload_rank(const char *name)
{
    size_t rank = 0;
    while (pb_workload_at(rank) != NULL && strcmp(pb_workload_at(rank)->name, name) != 0)
        rank++;
    return rank;
}

static size_t dispatch_rank(const char *name)
{
    size_t rank = 0;
    while (pb_dispatch_names[rank] != NULL && strcmp(pb_dispatch_names[rank], name) != 0)
        rank++;
    return rank;
}

static int order(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int entry_order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int by = order(a->dispatch, b->dispatch);
    by = by != 0 ? by : order(a->workload, b->workload);
    by = by != 0 ? by : strverscmp(a->stem, b->stem);
    by = by != 0 ? by : order(a->rep->threads, b->rep->threads);
    by = by != 0 ? by : strcmp(a->rep->group, b->rep->group);
    by = by != 0 ? by : order(a->rank, b->rank);
    by = by != 0 ? by : strverscmp(a->rep->alloc, b->rep->alloc);
    by = by != 0 ? by : order(a->rep->block, b->rep->block);
    return by != 0 ? by : (a->rep > b->rep) - (a->rep < b->rep);
}

static struct entry *sorted_entries(const struct pb_run *run)
{
    struct entry *entries = calloc(run->reps_n + 1, sizeof *entries);
    if (entries == NULL)
        return NULL;
    for (size_t i = 0; i < run->reps_n; i++) {
        const struct pb_rep *rep = &run->reps[i];
        entries[i].rep = rep;
        entries[i].workload = workload_rank(rep->workload);
        entries[i].dispatch = dispatch_rank(rep->dispatch);
        entries[i].rank = variant_rank(rep->alloc);
        group_stem(rep->group, entries[i].stem, sizeof entries[i].stem);
    }
    qsort(entries, run->reps_n, sizeof *entries, entry_order);
    return entries;
}

/* --- rows and groups ------------------------------------------------------------------------- */

/* The medians of the two groups of values that the modes tell. */
static int row_modes(struct pb_summary_row *row)
{
    size_t n = row->series.n;
    double *values = malloc(n * sizeof *values);
    if (values == NULL)
        return -ENOMEM;
    memcpy(values, row->series.values, n * sizeof *values);
    pb_sort(values, n);
    int error = pb_median(values, row->modes.low_n, PB_SUMMARY_CONFIDENCE, &row->mode[0]);
    if (error == 0)
        error = pb_median(values + row->modes.low_n, row->modes.high_n, PB_SUMMARY_CONFIDENCE,
                          &row->mode[1]);
    free(values);
    return error;
}

/* What the values of a row look like: median, outliers, modes. A metric that may be 0 has no modes.
 */
static int row_shape(struct pb_summary_row *row)
{
    const double *values = row->series.values;
    size_t n = row->series.n;
    int error = pb_median(values, n, PB_SUMMARY_CONFIDENCE, &row->median);
    if (error == 0)
        error = pb_outliers(values, n, NULL, &row->outliers);
    if (error == 0)
        error = pb_modes(values, n, &row->modes);
    error = error == -EDOM ? 0 : error;
    return error == 0 && row->modes.two ? row_modes(row) : error;
}

/* Takes the repetitions of one cell. */
static int row_fill(struct pb_summary_row *row, const struct entry *entries, size_t n,
                    const char *metric)
{
    row->alloc = entries[0].rep->alloc;
    row->rank = entries[0].rank;
    row->floor = strncmp(row->alloc, "null", 4) == 0 || strncmp(row->alloc, "floor", 5) == 0;
    row->reason = "";
    row->reps = calloc(n, sizeof *row->reps);
    if (row->reps == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        row->reps[row->reps_n++] = entries[i].rep;
    for (size_t i = row->reps_n; i-- > 0;) {
        const struct pb_rep *rep = row->reps[i];
        row->counts[rep->status]++;
        row->disturbed += pb_summary_disturbed(rep);
        if (rep->status != PB_OK) {
            row->status = rep->status;
            row->reason = rep->reason;
        }
    }
    row->median = row->ratio = row->narrow = row->bootstrap =
        (struct pb_estimate){.value = NAN, .low = NAN, .high = NAN};
    row->p = row->adjusted = NAN;
    int error = pb_summary_series(row, metric, &row->series);
    if (error == 0 && row->series.n > 0)
        error = row_shape(row);
    return error;
}

static void row_free(struct pb_summary_row *row)
{
    free(row->reps);
    pb_series_free(&row->series);
    pb_summary_percentiles_free(row);
}

static size_t same_cell(const struct entry *entries, size_t n)
{
    size_t k = 1;
    while (k < n && strcmp(entries[k].rep->alloc, entries[0].rep->alloc) == 0)
        k++;
    return k;
}

static size_t same_group(const struct entry *entries, size_t n)
{
    size_t k = 1;
    while (k < n && strcmp(entries[k].rep->group, entries[0].rep->group) == 0)
        k++;
    return k;
}

/* Makes the rows of one group; the twin is taken out of them. */
static int group_fill(struct pb_summary_group *group, const struct entry *entries, size_t n,
                      const char *metric)
{
    char base[PB_VARIANT_MAX];
    int error = 0;
    group->first = entries[0].rep;
    group->name = group->first->group;
    memcpy(group->stem, entries[0].stem, sizeof group->stem);
    pb_text_group(group->name, group->title, sizeof group->title);
    group->rows = calloc(n, sizeof *group->rows);
    if (group->rows == NULL)
        return -ENOMEM;
    for (size_t at = 0, cell; error == 0 && at < n; at += cell) {
        cell = same_cell(entries + at, n - at);
        struct pb_summary_row *row = &group->rows[group->rows_n];
        if (pb_summary_base(entries[at].rep->alloc, base, sizeof base) && group->twin == NULL) {
            row = group->twin = calloc(1, sizeof *group->twin);
            if (row == NULL)
                return -ENOMEM;
        } else {
            group->rows_n++;
        }
        error = row_fill(row, entries + at, cell, metric);
    }
    return error;
}

static void group_free(struct pb_summary_group *group)
{
    for (size_t i = 0; i < group->rows_n; i++)
        row_free(&group->rows[i]);
    if (group->twin != NULL)
        row_free(group->twin);
    free(group->twin);
    free(group->rows);
}

struct pb_summary_row *pb_summary_find(const struct pb_summary_group *group, const char *alloc)
{
    for (size_t i = 0; i < group->rows_n; i++) {
        if (strcmp(group->rows[i].alloc, alloc) == 0)
            return &group->rows[i];
    }
    return NULL;
}

const struct pb_summary_row *pb_summary_empty(const struct pb_summary *summary,
                                              const struct pb_summary_group *group)
{
    struct pb_variant variant;
    char message[256];
    const char *label = "floor:kind=empty";
    if (pb_variant_parse(label, &variant, message, sizeof message) == 0)
        label = variant.label;
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *other = &summary->groups[i];
        if (other->first->threads != group->first->threads ||
            strcmp(other->stem, group->stem) != 0 ||
            strcmp(other->first->dispatch, pb_dispatch_names[PB_DISPATCH_INLINE]) != 0)
            continue; /* called, it is not a loop that is empty */
        const struct pb_summary_row *row = pb_summary_find(other, label);
        if (row != NULL && row->series.n > 0)
            return row;
    }
    return NULL;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int find_metric(struct pb_summary *summary, char *message, size_t size)
{
    json_t *metrics = json_object_get(summary->run->header, "metrics");
    const json_t *metric = json_object_get(metrics, summary->metric);
    if (metric != NULL) {
        const char *unit = json_string_value(json_object_get(metric, "unit"));
        summary->unit = unit != NULL ? unit : "1";
        summary->better = (int)json_integer_value(json_object_get(metric, "better"));
        return 0;
    }
    size_t used =
        (size_t)snprintf(message, size, "no metric '%s' in this run; it has", summary->metric);
    const char *key;
    json_t *value;
    json_object_foreach(metrics, key, value)
    {
        if (used < size)
            used += (size_t)snprintf(message + used, size - used, " %s", key);
    }
    return -EINVAL;
}

static int find_reference(struct pb_summary *summary, const char *reference, char *message,
                          size_t size)
{
    summary->reference =
        reference != NULL ? reference : pb_run_text(summary->run, NULL, "reference");
    for (size_t i = 0; i < summary->run->reps_n; i++) {
        if (reference == NULL || strcmp(summary->run->reps[i].alloc, reference) == 0)
            return 0;
    }
    if (reference == NULL)
        return 0;
    snprintf(message, size, "no variant '%s' in this run to compare with", reference);
    return -ENOENT;
}

static void find_clock(struct pb_summary *summary)
{
    const json_t *machine = json_object_get(summary->run->header, "machine");
    const json_t *clock = json_object_get(machine, "clock");
    double quantum = json_number_value(json_object_get(clock, "quantum_ns"));
    const json_t *least = json_object_get(clock, "resolution_ns");
    if (least == NULL) /* an older record: what the probe did not cut off, this does */
        least = json_object_get(clock, "overhead_ns");
    summary->resolution = fmax(quantum, json_number_value(least));
    summary->step = summary->resolution + quantum;
}

static int group_finish(const struct pb_summary *summary, struct pb_summary_group *group,
                        struct pb_hist *hist)
{
    int error = 0;
    group->reference = pb_summary_find(group, summary->reference);
    group->null = pb_summary_find(group, "null");
    for (size_t i = 0; error == 0 && i < group->rows_n; i++)
        error = pb_summary_percentiles(&group->rows[i], hist);
    return error == 0 ? pb_summary_judge(summary, group) : error;
}

int pb_summary_make(const struct pb_run *run, const char *metric, const char *reference,
                    struct pb_summary *summary, char *message, size_t message_size)
{
    *summary = (struct pb_summary){
        .run = run,
        .metric = metric,
        .exploratory = json_is_true(json_object_get(run->header, "exploratory")),
    };
    find_clock(summary);
    int error = find_metric(summary, message, message_size);
    if (error == 0)
        error = find_reference(summary, reference, message, message_size);
    if (error != 0)
        return error;
    struct entry *entries = sorted_entries(run);
    struct pb_hist *hist = calloc(1, sizeof *hist);
    summary->groups = calloc(run->reps_n + 1, sizeof *summary->groups);
    if (entries == NULL || hist == NULL || summary->groups == NULL)
        error = -ENOMEM;
    for (size_t at = 0, n; error == 0 && at < run->reps_n; at += n) {
        n = same_group(entries + at, run->reps_n - at);
        error = group_fill(&summary->groups[summary->groups_n++], entries + at, n, metric);
    }
    for (size_t i = 0; error == 0 && i < summary->groups_n; i++)
        error = group_finish(summary, &summary->groups[i], hist);
    free(hist);
    free(entries);
    if (error != 0)
        snprintf(message, message_size, "cannot digest the run: %s", strerror(-error));
    return error;
}

void pb_summary_free(struct pb_summary *summary)
{
    for (size_t i = 0; i < summary->groups_n; i++)
        group_free(&summary->groups[i]);
    free(summary->groups);
    *summary = (struct pb_summary){0};
}
