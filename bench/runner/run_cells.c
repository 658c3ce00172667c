/* SPDX-License-Identifier: MIT */
/* Repetitions by cell: run_cells.h. */
#include "runner/run_cells.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *left, const void *right)
{
    const struct pb_rep *a = *(const struct pb_rep *const *)left;
    const struct pb_rep *b = *(const struct pb_rep *const *)right;
    int by = strverscmp(a->name, b->name);
    by = by != 0 ? by : strcmp(a->cell, b->cell);
    return by != 0 ? by : (a->block > b->block) - (a->block < b->block);
}

static int by_cell(const void *left, const void *right)
{
    const struct pb_cell_reps *a = *(const struct pb_cell_reps *const *)left;
    const struct pb_cell_reps *b = *(const struct pb_cell_reps *const *)right;
    return strcmp(a->cell, b->cell);
}

/* The cell whose repetitions begin at reps[0]. */
static struct pb_cell_reps one_cell(const struct pb_rep *const *reps, size_t most)
{
    struct pb_cell_reps cell = {.cell = reps[0]->cell,
                                .name = reps[0]->name,
                                .alloc = reps[0]->alloc,
                                .group = reps[0]->group,
                                .reps = reps,
                                .reason = ""};
    for (; cell.n < most && strcmp(reps[cell.n]->cell, cell.cell) == 0 &&
           strcmp(reps[cell.n]->name, cell.name) == 0;
         cell.n++) {
        cell.ok += reps[cell.n]->status == PB_OK;
        if (reps[cell.n]->status != PB_OK && cell.status == PB_OK) {
            cell.status = reps[cell.n]->status;
            cell.reason = reps[cell.n]->reason;
        }
    }
    return cell;
}

static int compile(const char *filter, regex_t *regex, char *message, size_t size)
{
    char why[128];
    int error = regcomp(regex, filter != NULL ? filter : "", REG_EXTENDED | REG_NOSUB);
    if (error == 0)
        return 0;
    regerror(error, regex, why, sizeof why);
    snprintf(message, size, "--filter: '%s' is not a regular expression: %s", filter, why);
    return -EINVAL;
}

int pb_run_cells(const struct pb_run *run, const char *filter, struct pb_run_cells *cells,
                 char *message, size_t message_size)
{
    regex_t regex;
    size_t n = 0;
    *cells = (struct pb_run_cells){0};
    int error = compile(filter, &regex, message, message_size);
    if (error != 0)
        return error;
    cells->reps = calloc(run->reps_n + 1, sizeof *cells->reps);
    cells->cells = calloc(run->reps_n + 1, sizeof *cells->cells);
    cells->by_cell = calloc(run->reps_n + 1, sizeof *cells->by_cell);
    if (cells->reps == NULL || cells->cells == NULL || cells->by_cell == NULL) {
        snprintf(message, message_size, "out of memory");
        pb_run_cells_free(cells);
        error = -ENOMEM;
    }
    for (size_t i = 0; error == 0 && i < run->reps_n; i++)
        if (regexec(&regex, run->reps[i].name, 0, NULL, 0) == 0)
            cells->reps[n++] = &run->reps[i];
    regfree(&regex);
    if (n > 0)
        qsort(cells->reps, n, sizeof *cells->reps, by_name);
    for (size_t at = 0; at < n; at += cells->cells[cells->n++].n)
        cells->cells[cells->n] = one_cell(cells->reps + at, n - at);
    for (size_t i = 0; i < cells->n; i++)
        cells->by_cell[i] = &cells->cells[i];
    if (cells->n > 1)
        qsort(cells->by_cell, cells->n, sizeof *cells->by_cell, by_cell);
    return error;
}

void pb_run_cells_free(struct pb_run_cells *cells)
{
    free(cells->reps);
    free(cells->cells);
    free(cells->by_cell);
    *cells = (struct pb_run_cells){0};
}

const struct pb_cell_reps *pb_run_cells_find(const struct pb_run_cells *cells, const char *cell)
{
    const struct pb_cell_reps key = {.cell = cell}, *wanted = &key;
    const struct pb_cell_reps **found =
        cells->n > 0 ? bsearch(&wanted, cells->by_cell, cells->n, sizeof *found, by_cell) : NULL;
    return found != NULL ? *found : NULL;
}

const struct pb_cell_reps *pb_run_cells_variant(const struct pb_run_cells *cells, const char *group,
                                                const char *alloc)
{
    for (size_t i = 0; i < cells->n; i++)
        if (strcmp(cells->cells[i].alloc, alloc) == 0 && strcmp(cells->cells[i].group, group) == 0)
            return &cells->cells[i];
    return NULL;
}

size_t pb_cell_values(const struct pb_cell_reps *cell, const char *key, double *values,
                      unsigned *blocks)
{
    size_t n = 0;
    for (size_t i = 0; i < cell->n; i++) {
        double value =
            cell->reps[i]->status == PB_OK ? pb_rep_metric(cell->reps[i], key) : (double)NAN;
        if (!isfinite(value))
            continue;
        if (blocks != NULL)
            blocks[n] = cell->reps[i]->block;
        values[n++] = value;
    }
    return n;
}

int pb_cell_median(const struct pb_cell_reps *cell, const char *key, struct pb_estimate *out)
{
    *out = (struct pb_estimate){.value = NAN, .low = NAN, .high = NAN};
    double *values = malloc(cell->n * sizeof *values);
    if (values == NULL)
        return -ENOMEM;
    size_t n = pb_cell_values(cell, key, values, NULL);
    int error = n > 0 ? pb_median(values, n, 0.95, out) : -ENOENT;
    free(values);
    return error;
}
