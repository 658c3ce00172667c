/* SPDX-License-Identifier: MIT */
/* What chance decides of a plan, drawn from its seed: the order within each block, the placement of
 * the code, the setup of each process; and all of it in print. See plan.h. */
#include "engine/rng.h"
#include "runner/layout.h"
#include "runner/plan.h"

#include <errno.h>
#include <stdlib.h>

/* Streams of the seed; the op streams are drawn from the seed itself by the workloads. */
enum { STREAM_ORDER = 0x706c616e, STREAM_SETUP = 0x70616464, STREAM_LAYOUT = 0x6c61796f };

enum { ENV_BYTES_MAX = 4096 };

/* Every block: a permutation by Fisher and Yates. */
int pb_plan_order(struct pb_plan *plan)
{
    struct pb_rng rng;
    plan->order = calloc(plan->blocks * plan->cells_n, sizeof *plan->order);
    if (plan->order == NULL)
        return -ENOMEM;
    pb_rng_seed(&rng, plan->seed, STREAM_LAYOUT);
    plan->layouts = 1;
    plan->first_layout = (unsigned)pb_rng_below(&rng, PB_LAYOUTS);
    pb_rng_seed(&rng, plan->seed, STREAM_ORDER);
    for (unsigned block = 0; block < plan->blocks; block++) {
        struct pb_plan_slot *first = plan->order + plan->order_n;
        size_t n = 0;
        for (size_t i = 0; i < plan->cells_n; i++)
            if (block == 0 || plan->cells[i].mark == PB_OK)
                first[n++] = (struct pb_plan_slot){block, i};
        for (size_t i = n; i > 1; i--) {
            size_t j = (size_t)pb_rng_below(&rng, i);
            struct pb_plan_slot slot = first[i - 1];
            first[i - 1] = first[j];
            first[j] = slot;
        }
        plan->order_n += n;
    }
    return 0;
}

unsigned pb_plan_layout(const struct pb_plan *plan, unsigned block)
{
    return (plan->first_layout + block) % plan->layouts;
}

struct pb_plan_setup pb_plan_setup(const struct pb_plan *plan, const struct pb_plan_slot *slot)
{
    struct pb_rng rng;
    struct pb_plan_setup setup;
    pb_rng_seed(&rng, plan->seed, STREAM_SETUP + ((uint64_t)slot->block << 32) + slot->cell);
    setup.env_bytes = (size_t)pb_rng_below(&rng, ENV_BYTES_MAX + 1);
    setup.seed = pb_rng_next(&rng) >> 11; /* what every reader of JSON keeps exactly */
    return setup;
}

/* Prints a line and drops it. Returns 0 or -ENOMEM. */
static int put_line(json_t *line, FILE *out)
{
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text != NULL)
        fprintf(out, "%s\n", text);
    free(text);
    json_decref(line);
    return text != NULL ? 0 : -ENOMEM;
}

static int put_slot(const struct pb_plan *plan, size_t order, FILE *out)
{
    const struct pb_plan_slot *slot = &plan->order[order];
    const struct pb_plan_cell *cell = &plan->cells[slot->cell];
    json_t *line =
        json_pack("{s:s, s:I, s:I, s:s, s:s}", "kind", "rep", "order", (json_int_t)order, "block",
                  (json_int_t)slot->block, "cell", cell->id, "name", cell->name);
    struct pb_plan_setup setup = pb_plan_setup(plan, slot);
    if (cell->mark == PB_OK) {
        json_object_set_new(line, "layout", json_integer(pb_plan_layout(plan, slot->block)));
        json_object_set_new(line, "setup",
                            json_pack("{s:I, s:I}", "seed", (json_int_t)setup.seed, "env_bytes",
                                      (json_int_t)setup.env_bytes));
    }
    return put_line(line, out);
}

int pb_plan_manifest(const struct pb_plan *plan, FILE *out)
{
    int error =
        put_line(json_pack("{s:s, s:I, s:I, s:I, s:I}", "kind", "plan", "seed",
                           (json_int_t)plan->seed, "blocks", (json_int_t)plan->blocks, "layouts",
                           (json_int_t)plan->layouts, "cells", (json_int_t)plan->cells_n),
                 out);
    for (size_t i = 0; error == 0 && i < plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &plan->cells[i];
        error = put_line(json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "cell", "cell", cell->id,
                                   "name", cell->name, "status", pb_status_names[cell->mark],
                                   "reason", cell->reason),
                         out);
    }
    for (size_t i = 0; error == 0 && i < plan->order_n; i++)
        error = put_slot(plan, i, out);
    return error;
}
