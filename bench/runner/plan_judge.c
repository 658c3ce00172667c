/* SPDX-License-Identifier: MIT */
/* What of a plan cannot run on this machine, and the plan in print. What only an open heap can tell
 * (a path without a loop) is left to the child, which says so in its record. */
#include "runner/plan.h"

#include "runner/delay.h"
#include "runner/preload.h"
#include "stats/looks.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { RECORD_BYTES = 5000 }; /* of a repetition on disk: two histograms and the metrics */

static void mark(struct pb_plan_cell *cell, enum pb_status status, const char *reason)
{
    cell->mark = status;
    snprintf(cell->reason, sizeof cell->reason, "%s", reason);
}

/* More workers than units: the reason in the record, and what is wrong if they were asked for by
 * hand. `why` is the placement's own word, for what leave to share would not mend or a pin list. */
static void mark_crowded(struct pb_plan_cell *cell, unsigned units, const char *why, char *message,
                         size_t message_size)
{
    static const char leave[] = "; --oversubscribe lets them share";
    char reason[256];
    unsigned threads = cell->spec.threads;
    if (threads > PB_PLACEMENT_MAX)
        snprintf(reason, sizeof reason, "%s", why);
    else if (threads <= units)
        snprintf(reason, sizeof reason, "%s%s", why, leave);
    else
        snprintf(reason, sizeof reason, "%u threads, %u processing unit%s%s", threads, units,
                 units == 1 ? "" : "s", leave);
    mark(cell, PB_SKIPPED, reason);
    snprintf(message, message_size, "%s", reason);
}

/* What the strategy cannot do in this cell or by this dispatch, or NULL. */
static const char *impossible(const struct pb_plan_cell *cell, const struct pb_workload *workload,
                              unsigned capabilities)
{
    const char *why = pb_cell_impossible(&cell->spec, workload, capabilities, cell->spec.threads);
    if (why != NULL)
        return why;
    if ((capabilities & PB_CAP_FIXED_SIZE) == 0 && cell->spec.dispatch == PB_DISPATCH_INLINE)
        return "dispatch=inline: only fixed-size strategies are header functions";
    return NULL;
}

int pb_plan_judge(struct pb_plan_cell *cell, const struct pb_workload *workload,
                  const void *options, const struct pb_topology *topology, char *message,
                  size_t message_size)
{
    struct pb_placement placement;
    struct pb_variant variant;
    char reason[256] = "";
    const struct pb_cell_spec *spec = &cell->spec;
    if (pb_variant_parse(spec->variant, &variant, message, message_size) != 0)
        return -EINVAL;
    int error = pb_placement_plan(topology, spec->pin, spec->threads, spec->oversubscribe,
                                  &placement, reason, sizeof reason);
    if (error == -E2BIG) {
        mark_crowded(cell, pb_topology_units(topology), reason, message, message_size);
        return error;
    }
    if (error != 0 && error != -ENOTSUP) {
        snprintf(message, message_size, "%s", reason[0] != '\0' ? reason : strerror(-error));
        return -EINVAL;
    }
    const char *why = impossible(cell, workload, variant.ops->capabilities);
    if (why == NULL)
        why = pb_delay_impossible(&variant, spec->delay);
    if (error == -ENOTSUP)
        mark(cell, PB_SKIPPED, reason);
    else if (workload->unsuitable != NULL &&
             workload->unsuitable(options, spec->threads, reason, sizeof reason))
        mark(cell, PB_SKIPPED, reason);
    else if (why != NULL)
        mark(cell, PB_SKIPPED, why);
    else if (pb_preload_unavailable(&variant, spec->threads, reason, sizeof reason))
        mark(cell, PB_UNAVAILABLE, reason);
    return 0;
}

/* Nominal seconds of the whole. */
static double plan_seconds(const struct pb_plan *plan)
{
    double seconds = 0;
    for (size_t i = 0; i < plan->order_n; i++) {
        const struct pb_plan_cell *cell = &plan->cells[plan->order[i].cell];
        seconds += cell->mark == PB_OK ? cell->estimate : 0;
    }
    return seconds;
}

/* Says why there will be no ratios, if there will be none: no cell of the reference, or none that
 * runs. */
static void print_reference(const struct pb_plan *plan, const char *reference, FILE *out)
{
    const struct pb_plan_cell *marked = NULL;
    for (size_t i = 0; i < plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &plan->cells[i];
        if (strcmp(cell->spec.variant, reference) != 0)
            continue;
        if (cell->mark == PB_OK)
            return;
        if (marked == NULL)
            marked = cell;
    }
    if (marked == NULL)
        fprintf(out,
                "the reference %s is not among the variants planned: there will be no ratios\n",
                reference);
    else
        fprintf(out, "the reference %s is %s here, so there will be no ratios: %s\n", reference,
                pb_status_names[marked->mark], marked->reason);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

void pb_plan_print(const struct pb_plan *plan, const struct pb_matrix *matrix, FILE *out)
{
    size_t marked = 0;
    for (size_t i = 0; i < plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &plan->cells[i];
        marked += cell->mark != PB_OK;
        if (cell->mark == PB_OK)
            fprintf(out, "%s  %s\n", cell->id, cell->name);
        else
            fprintf(out, "%s  %s  %s: %s\n", cell->id, cell->name, pb_status_names[cell->mark],
                    cell->reason);
    }
    double minutes = ceil(plan_seconds(plan) / 60);
    double mib = (double)plan->order_n * RECORD_BYTES / 1048576;
    size_t repetitions = plan->order_n - marked;
    char looks[256] = "";
    for (unsigned look = 0; (look = pb_looks_next(look, plan->blocks)) != 0;) {
        char text[16];
        snprintf(text, sizeof text, "%u", look);
        pb_list_append(looks, sizeof looks, text);
    }
    fprintf(out, "\n%s: %zu cell%s, %zu of them cannot run here; ",
            matrix->settings.name[0] != '\0' ? matrix->settings.name : matrix->path, plan->cells_n,
            plural(plan->cells_n), marked);
    if (matrix->target > 0)
        fprintf(out, "at most ");
    fprintf(out, "%u block%s, %zu repetition%s in an order drawn from seed %llu\n", plan->blocks,
            plural(plan->blocks), repetitions, plural(repetitions),
            (unsigned long long)matrix->settings.seed);
    if (matrix->target > 0)
        fprintf(out, "looks at %s blocks whether every ratio is known within %s\n", looks,
                matrix->settings.target);
    if (matrix->budget > 0)
        fprintf(out, "no block begins that would end later than %s\n", matrix->settings.budget);
    fprintf(out, "about %.0f %s and %.1f MiB of records (nominal: 20 ns a step)\n", minutes,
            minutes == 1 ? "minute" : "minutes", mib);
    print_reference(plan, matrix->settings.reference, out);
}
