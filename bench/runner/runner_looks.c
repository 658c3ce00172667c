/* SPDX-License-Identifier: MIT */
/* The looks of a run that has a target: whether, behind a block, every variant's ratio to the
 * reference of its group is known well enough (stats/looks.h). What is found depends on the records
 * alone, so that a run that is taken up stops where one that was never interrupted does. */
#include "runner/runner_internal.h"

#include <stdlib.h>
#include <string.h>

/* Whether two cells are compared with one another: they differ in the variant alone. */
static bool same_group(const struct pb_cell_spec *a, const struct pb_cell_spec *b)
{
    return strcmp(a->workload, b->workload) == 0 && strcmp(a->params, b->params) == 0 &&
           a->threads == b->threads && strcmp(a->pin, b->pin) == 0 &&
           strcmp(a->memory, b->memory) == 0 && strcmp(a->start, b->start) == 0 &&
           strcmp(a->arrival, b->arrival) == 0 && strcmp(a->delay, b->delay) == 0 &&
           a->dispatch == b->dispatch;
}

/* The cell that another is compared with, or NULL. */
static const struct pb_plan_cell *reference_of(const struct pb_work *s,
                                               const struct pb_plan_cell *cell)
{
    for (size_t i = 0; i < s->plan->cells_n; i++) {
        const struct pb_plan_cell *other = &s->plan->cells[i];
        if (other != cell && !other->spec.alias &&
            strcmp(other->spec.variant, s->matrix->settings.reference) == 0 &&
            same_group(&cell->spec, &other->spec))
            return other;
    }
    return NULL;
}

/* The blocks in which both have a value: into `a` and `b`. Returns how many. */
static size_t pair_up(const struct pb_work *s, const struct pb_plan_cell *variant,
                      const struct pb_plan_cell *reference, unsigned blocks, double *a, double *b)
{
    size_t n = 0;
    for (unsigned block = 0; block < blocks; block++) {
        const struct pb_plan_slot of_a = {block, (size_t)(variant - s->plan->cells)};
        const struct pb_plan_slot of_b = {block, (size_t)(reference - s->plan->cells)};
        const struct pb_work_slot *x = pb_work_at(s, &of_a), *y = pb_work_at(s, &of_b);
        if (x->recorded && y->recorded && x->value > 0 && y->value > 0) {
            a[n] = x->value;
            b[n++] = y->value;
        }
    }
    return n;
}

/* Whether a cell is known not to run here: the plan says so, or a child said it. */
static bool cannot_run(const struct pb_work *s, const struct pb_plan_cell *cell)
{
    return cell->mark != PB_OK || s->settled[cell - s->plan->cells];
}

/* Whether the plan has a variant that runs here beside a reference that does. */
static bool compares(const struct pb_work *s)
{
    for (size_t i = 0; i < s->plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &s->plan->cells[i], *reference = reference_of(s, cell);
        if (reference != NULL && !cannot_run(s, cell) && !cannot_run(s, reference))
            return true;
    }
    return false;
}

int pb_work_check_target(struct pb_work *s, const json_t *options)
{
    bool target = s->matrix->target > 0;
    if (!target && json_object_get(options, "most_blocks") != NULL)
        snprintf(s->message, sizeof s->message,
                 "--most-blocks: it is the last look of a run with a target, and there is none; "
                 "give --target 2%% too, or --blocks instead");
    else if (target && json_object_get(options, "blocks") != NULL)
        snprintf(s->message, sizeof s->message,
                 "--blocks: with a target (%s) blocks are added until it is met; give "
                 "--most-blocks, or --target off",
                 s->matrix->settings.target);
    else if (target && !compares(s))
        snprintf(
            s->message, sizeof s->message,
            "target %.30s: nothing that can run here is compared with the reference %.100s; give "
            "another --reference, or --target off",
            s->matrix->settings.target, s->matrix->settings.reference);
    else
        return PB_EXIT_GOOD;
    return PB_EXIT_USAGE;
}

/* `values`: room for 2 x cells x blocks, `pairs`: for all cells. Returns 0 or -errno. */
static int decide(const struct pb_work *s, unsigned blocks, double *values,
                  struct pb_looks_pair *pairs, struct pb_looks_decision *decision)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &s->plan->cells[i], *reference = reference_of(s, cell);
        double *a = values + 2 * i * blocks, *b = a + blocks;
        if (reference != NULL)
            pairs[n++] =
                (struct pb_looks_pair){.name = cell->name,
                                       .variant = a,
                                       .reference = b,
                                       .n = pair_up(s, cell, reference, blocks, a, b),
                                       .tried = !cannot_run(s, cell) && !cannot_run(s, reference)};
    }
    return pb_looks_decide(pairs, n, blocks, s->plan->blocks, s->matrix->target, decision);
}

const char *pb_work_look(struct pb_work *s, unsigned blocks)
{
    struct pb_looks_decision decision = {.answer = PB_LOOKS_CONTINUE};
    if (!(s->matrix->target > 0) || pb_looks_next(blocks - 1, s->plan->blocks) != blocks)
        return NULL;
    double *values = calloc(2 * s->plan->cells_n * blocks, sizeof *values);
    struct pb_looks_pair *pairs = calloc(s->plan->cells_n, sizeof *pairs);
    if (values != NULL && pairs != NULL && decide(s, blocks, values, pairs, &decision) == 0) {
        json_array_append_new(s->looks, json_integer(blocks));
        snprintf(s->looked, sizeof s->looked, "%s", decision.reason);
    }
    free(values);
    free(pairs);
    if (decision.answer == PB_LOOKS_PRECISE)
        return "target";
    return decision.answer == PB_LOOKS_LAST ? "looks" : NULL;
}
