/* SPDX-License-Identifier: MIT */
/* Which cells of two sides belong together, and their estimates: compare.h. */
#include "runner/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- metrics --------------------------------------------------------------------------------- */

static const struct pb_threshold *threshold_of(const struct pb_gate *gate, const char *key)
{
    const struct pb_threshold *found = NULL;
    for (size_t i = 0; gate != NULL && i < gate->n; i++) {
        const struct pb_threshold *t = &gate->thresholds[i];
        if (strcmp(t->metric, key) ==
            0) /* its own goes before the general one; later before earlier */
            found = t;
        else if (t->metric[0] == '\0' && (found == NULL || found->metric[0] == '\0'))
            found = t;
    }
    return found;
}

static int add_metric(struct pb_compare *c, const char *key, const struct pb_gate *gate,
                      char *message, size_t size)
{
    const json_t *metrics = json_object_get(c->base.run->header, "metrics");
    const json_t *facts = json_object_get(metrics, key);
    for (size_t i = 0; i < c->metrics_n; i++)
        if (strcmp(c->metrics[i].key, key) == 0)
            return 0;
    if (facts == NULL) {
        snprintf(message, size, "no metric '%s' in %s; 'poolbench describe PROBE' shows them", key,
                 c->base.run->folder);
        return -EINVAL;
    }
    if (c->metrics_n == PB_COMPARE_METRICS_MAX) {
        snprintf(message, size, "--metric: more than %d", PB_COMPARE_METRICS_MAX);
        return -EINVAL;
    }
    const char *unit = json_string_value(json_object_get(facts, "unit"));
    const struct pb_threshold *threshold = threshold_of(gate, key);
    int better = (int)json_integer_value(json_object_get(facts, "better"));
    if (threshold != NULL && threshold->metric[0] != '\0' && better == 0) {
        snprintf(message, size, "--fail-on: neither more nor less of %s is worse", key);
        return -EINVAL;
    }
    c->metrics[c->metrics_n++] =
        (struct pb_compare_metric){.key = key,
                                   .unit = unit != NULL ? unit : "1",
                                   .better = better,
                                   .factor = threshold != NULL ? threshold->factor : 0};
    return 0;
}

/* Those that were asked for; without any, the time, unless the gate has nothing to say of it; and
 * those that the gate names. */
static int add_metrics(struct pb_compare *c, const struct pb_compare_options *options,
                       char *message, size_t size)
{
    const struct pb_gate *gate = options->gate;
    int error = 0;
    for (size_t i = 0; error == 0 && i < options->metrics_n; i++)
        error = add_metric(c, options->metrics[i], gate, message, size);
    if (options->metrics_n == 0 &&
        (gate == NULL || gate->n == 0 || threshold_of(gate, PB_KEY_TIME) != NULL))
        error = add_metric(c, PB_KEY_TIME, gate, message, size);
    for (size_t i = 0; error == 0 && gate != NULL && i < gate->n; i++)
        if (gate->thresholds[i].metric[0] != '\0')
            error = add_metric(c, gate->thresholds[i].metric, gate, message, size);
    return error;
}

/* --- which cells ----------------------------------------------------------------------------- */

bool pb_compare_takes(const struct pb_compare_side *side, const struct pb_cell_reps *cell)
{
    char base[PB_VARIANT_MAX + 4];
    if (side->variant != NULL)
        return strcmp(cell->alloc, side->variant) == 0;
    return !pb_summary_base(cell->alloc, base, sizeof base); /* a twin is there for the noise */
}

const struct pb_cell_reps *pb_compare_counterpart(const struct pb_compare *c,
                                                  const struct pb_cell_reps *cell)
{
    if (c->fresh.variant == NULL)
        return pb_run_cells_find(&c->new_cells, cell->cell);
    return pb_run_cells_variant(&c->new_cells, cell->group, c->fresh.variant);
}

static int check_variant(const struct pb_compare_side *side, const struct pb_run_cells *cells,
                         char *message, size_t size)
{
    if (side->variant == NULL)
        return 0;
    for (size_t i = 0; i < cells->n; i++)
        if (strcmp(cells->cells[i].alloc, side->variant) == 0)
            return 0;
    snprintf(message, size, "no variant '%s' in %s%s", side->variant, side->run->folder,
             cells->n < side->run->reps_n ? " (or none that --filter lets through)" : "");
    return -ENODATA;
}

bool pb_compare_lost(const struct pb_cell_reps *base, const struct pb_cell_reps *fresh)
{
    size_t base_failed = base->n - base->ok, failed = fresh != NULL ? fresh->n - fresh->ok : 0;
    if (base->ok == 0 || fresh == NULL)
        return base->ok > 0;
    return failed > 0 && (fresh->ok < base->ok || failed > base_failed);
}

static size_t count_disturbed(const struct pb_cell_reps *cell)
{
    size_t n = 0;
    for (size_t i = 0; i < cell->n; i++)
        n += pb_summary_disturbed(cell->reps[i]);
    return n;
}

/* A row for each metric of each cell that both sides have. */
static int add_rows(struct pb_compare *c)
{
    size_t cells = 0, in_new = 0;
    c->rows = calloc(c->base_cells.n * c->metrics_n + 1, sizeof *c->rows);
    if (c->rows == NULL)
        return -ENOMEM;
    for (size_t m = 0; m < c->metrics_n; m++)
        for (size_t i = 0; i < c->base_cells.n; i++) {
            const struct pb_cell_reps *base = &c->base_cells.cells[i];
            if (!pb_compare_takes(&c->base, base))
                continue;
            const struct pb_cell_reps *fresh = pb_compare_counterpart(c, base);
            cells += m == 0 && fresh != NULL;
            c->only_base += m == 0 && fresh == NULL;
            if (m == 0 && (fresh != NULL || c->has_gate))
                c->lost += pb_compare_lost(base, fresh);
            if (fresh == NULL)
                continue;
            c->rows[c->rows_n++] =
                (struct pb_compare_row){.name = c->base.variant != NULL ? base->group : base->name,
                                        .metric = &c->metrics[m],
                                        .base = base,
                                        .fresh = fresh,
                                        .p = NAN,
                                        .verdict = "",
                                        .unjudged = "",
                                        .why = ""};
        }
    for (size_t i = 0; i < c->new_cells.n; i++)
        in_new += pb_compare_takes(&c->fresh, &c->new_cells.cells[i]);
    c->only_new = in_new - cells;
    return 0;
}

/* --- figures --------------------------------------------------------------------------------- */

/* Keeps the blocks that both have. */
static size_t keep_pairs(double *a, const unsigned *a_blocks, size_t n, double *b,
                         const unsigned *b_blocks, size_t m)
{
    size_t kept = 0;
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (a_blocks[i] == b_blocks[k]) {
            a[kept] = a[i++];
            b[kept++] = b[k++];
        } else if (a_blocks[i] < b_blocks[k]) {
            i++;
        } else {
            k++;
        }
    }
    return kept;
}

static int take_values(const struct pb_compare *c, struct pb_compare_row *row)
{
    unsigned *blocks = calloc(row->base->n + row->fresh->n + 1, sizeof *blocks);
    unsigned *new_blocks = blocks + row->base->n;
    row->base_values = calloc(row->base->n + 1, sizeof *row->base_values);
    row->new_values = calloc(row->fresh->n + 1, sizeof *row->new_values);
    if (blocks == NULL || row->base_values == NULL || row->new_values == NULL) {
        free(blocks);
        return -ENOMEM;
    }
    row->base_n = pb_cell_values(row->base, row->metric->key, row->base_values, blocks);
    row->new_n = pb_cell_values(row->fresh, row->metric->key, row->new_values, new_blocks);
    row->due = row->base_n > 0 && row->fresh->ok > 0;
    if (c->paired)
        row->base_n = row->new_n = keep_pairs(row->base_values, blocks, row->base_n,
                                              row->new_values, new_blocks, row->new_n);
    free(blocks);
    return 0;
}

/* Why there are no figures to compare. */
static const char *missing(const struct pb_compare_row *row)
{
    if (row->fresh->ok == 0 || row->base->ok == 0)
        return pb_status_word(row->fresh->ok == 0 ? row->fresh->status : row->base->status);
    return "no value";
}

static int estimate(struct pb_compare *c, struct pb_compare_row *row)
{
    const struct pb_estimate none = {.value = NAN, .low = NAN, .high = NAN};
    row->base_median = row->new_median = row->ratio = row->narrow = row->judged = none;
    row->base_disturbed = count_disturbed(row->base);
    row->new_disturbed = count_disturbed(row->fresh);
    int error = take_values(c, row);
    if (error == 0 && row->base_n > 0)
        error = pb_median(row->base_values, row->base_n, PB_SUMMARY_CONFIDENCE, &row->base_median);
    if (error == 0 && row->new_n > 0)
        error = pb_median(row->new_values, row->new_n, PB_SUMMARY_CONFIDENCE, &row->new_median);
    if (error != 0)
        return error;
    if (row->base_n == 0 || row->new_n == 0) {
        row->why = missing(row);
        return 0;
    }
    error = pb_compare_ratio(c, row, PB_SUMMARY_CONFIDENCE, &row->ratio);
    if (error == 0)
        error = pb_compare_ratio(c, row, PB_EQUIVALENCE_CONFIDENCE, &row->narrow);
    if (error == -EDOM) {
        row->ratio = row->narrow = none;
        row->why = "no ratio of 0";
    }
    return error == -EDOM ? 0 : error;
}

/* |ln ratio| that the A/A twins of a group reach at the most. */
static double twin_noise(const struct pb_summary *summary, const char *group)
{
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_row *twin = summary->groups[i].twin;
        if (twin == NULL || strcmp(summary->groups[i].name, group) != 0)
            continue;
        return isnan(twin->ratio.low)
                   ? 0
                   : fmax(fabs(log(twin->ratio.low)), fabs(log(twin->ratio.high)));
    }
    return 0;
}

static int add_noise(struct pb_compare *c, const struct pb_run *run, char *message, size_t size)
{
    int error = 0;
    for (size_t m = 0; error == 0 && m < c->metrics_n; m++) {
        struct pb_summary summary;
        error = pb_summary_make(run, c->metrics[m].key, NULL, &summary, message, size);
        for (size_t i = 0; error == 0 && i < c->rows_n; i++)
            if (c->rows[i].metric == &c->metrics[m])
                c->rows[i].noise =
                    fmax(c->rows[i].noise, twin_noise(&summary, c->rows[i].base->group));
        pb_summary_free(&summary);
    }
    return error;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int fill(struct pb_compare *c, const struct pb_compare_options *options, char *message,
                size_t size)
{
    int error = pb_run_cells(c->base.run, options->filter, &c->base_cells, message, size);
    if (error == 0)
        error = pb_run_cells(c->fresh.run, options->filter, &c->new_cells, message, size);
    if (error == 0)
        error = check_variant(&c->base, &c->base_cells, message, size);
    if (error == 0)
        error = check_variant(&c->fresh, &c->new_cells, message, size);
    if (error == 0)
        error = add_metrics(c, options, message, size);
    if (error == 0)
        error = pb_compare_runs_alike(c, options, message, size);
    if (error == 0)
        error = add_rows(c);
    if (error == 0 && c->rows_n == 0) {
        snprintf(message, size, "no cell is in both: %s, %s", c->base.run->folder,
                 c->fresh.run->folder);
        error = -ENODATA;
    }
    if (error == 0)
        error = pb_compare_cells_alike(c, message, size);
    for (size_t i = 0; error == 0 && i < c->rows_n; i++)
        error = estimate(c, &c->rows[i]);
    if (error == 0)
        error = add_noise(c, c->base.run, message, size);
    if (error == 0 && c->fresh.run != c->base.run)
        error = add_noise(c, c->fresh.run, message, size);
    return error;
}

int pb_compare_make(struct pb_compare_side base, struct pb_compare_side fresh,
                    const struct pb_compare_options *options, struct pb_compare *compare,
                    char *message, size_t message_size)
{
    *compare = (struct pb_compare){.base = base,
                                   .fresh = fresh,
                                   .paired = base.run == fresh.run,
                                   .has_gate = options->gate != NULL && options->gate->n > 0};
    compare->metrics = calloc(PB_COMPARE_METRICS_MAX, sizeof *compare->metrics);
    int error = compare->metrics != NULL ? fill(compare, options, message, message_size) : -ENOMEM;
    if (error == 0)
        pb_compare_notes(compare);
    if (error == 0)
        error = pb_compare_judge(compare);
    if (error == 0)
        error = compare->notes.error;
    if (error == -ENOMEM)
        snprintf(message, message_size, "out of memory");
    return error;
}

void pb_compare_free(struct pb_compare *compare)
{
    for (size_t i = 0; i < compare->rows_n; i++) {
        free(compare->rows[i].base_values);
        free(compare->rows[i].new_values);
    }
    free(compare->rows);
    free(compare->metrics);
    pb_run_cells_free(&compare->base_cells);
    pb_run_cells_free(&compare->new_cells);
    pb_notes_free(&compare->notes);
    *compare = (struct pb_compare){0};
}
