/* SPDX-License-Identifier: MIT */
/* From a matrix to cells and their order: plan.h. An entry's params multiply first, then its axes
 * with the variants innermost, so that the cells of one comparison are neighbours. */
#include "runner/plan.h"

#include "runner/json_line.h"
#include "runner/params.h"
#include "runner/toml.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct builder {
    const struct pb_matrix *matrix;
    const struct pb_topology *topology;
    regex_t filter;
    bool filtered;
    struct pb_plan *plan;
    size_t room, seen; /* seen: cells before the filter */
    char *message;
    size_t message_size;

    /* the entry and params that are being spanned */
    const struct pb_entry *entry;
    char params[PB_CELL_PARAMS_MAX];
    _Alignas(16) unsigned char options[PB_PARAMS_OPTIONS_MAX];
    unsigned own_threads;       /* what the data ask for, 0: the axis decides */
    char fault[PB_MESSAGE_MAX]; /* why these params do not fit together; "": they do */
};

static const json_t *axis_values(const struct builder *b, enum pb_axis axis)
{
    return b->entry->axes[axis] != NULL ? b->entry->axes[axis] : b->matrix->axes[axis];
}

/* Fills id, from the rest of the cell. Returns 0 or -ENOMEM. */
static int identify(struct pb_plan_cell *cell, const struct pb_workload *workload)
{
    const struct pb_cell_spec *spec = &cell->spec;
    json_t *all =
        json_pack("{s:s, s:o, s:s, s:b, s:i, s:s, s:s, s:s}", "workload", spec->workload, "params",
                  pb_params_identity(workload, spec->params), "alloc", spec->variant, "alias",
                  (int)spec->alias, "threads", (int)spec->threads, "pin", spec->pin, "memory",
                  spec->memory, "dispatch", pb_dispatch_names[spec->dispatch]);
    const struct {
        const char *key, *value, *standard;
    } later[] = {{"start", spec->start, "warm"},
                 {"arrival", spec->arrival, "closed"},
                 {"delay", spec->delay, "none"}};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (strcmp(later[i].value, later[i].standard) != 0)
            json_object_set_new(all, later[i].key, json_string(later[i].value));
    int error = all != NULL ? pb_hash_json(all, cell->id) : -ENOMEM;
    json_decref(all);
    return error;
}

/* Whether a value of the cell is among those of an exclude. */
static bool listed(const json_t *values, const char *text)
{
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)values, i, value)
    {
        if (strcmp(json_string_value(value), text) == 0)
            return true;
    }
    return false;
}

static bool params_match(const struct pb_entry *exclude, const struct pb_workload *workload,
                         const char *params)
{
    char has[PB_OPTION_TEXT_MAX], wants[PB_OPTION_TEXT_MAX], message[PB_MESSAGE_MAX];
    const char *key;
    json_t *values, *value;
    size_t i;
    json_object_foreach(exclude->params, key, values)
    {
        bool match = false;
        if (pb_params_value(workload, params, key, has, sizeof has) != 0)
            return false;
        json_array_foreach(values, i, value)
        {
            match |= pb_params_canonical(workload, key, json_string_value(value), wants,
                                         sizeof wants, message, sizeof message) == 0 &&
                     strcmp(has, wants) == 0;
        }
        if (!match)
            return false;
    }
    return true;
}

static bool excluded(const struct builder *b, const struct pb_cell_spec *spec)
{
    char threads[16];
    snprintf(threads, sizeof threads, "%u", spec->threads);
    const char *const values[PB_AXES] = {
        [PB_AXIS_ALLOC] = spec->variant,   [PB_AXIS_THREADS] = threads,
        [PB_AXIS_PIN] = spec->pin,         [PB_AXIS_DISPATCH] = pb_dispatch_names[spec->dispatch],
        [PB_AXIS_MEMORY] = spec->memory,   [PB_AXIS_START] = spec->start,
        [PB_AXIS_ARRIVAL] = spec->arrival, [PB_AXIS_DELAY] = spec->delay};
    for (size_t i = 0; i < b->matrix->excludes.n; i++) {
        const struct pb_entry *x = &b->matrix->excludes.at[i];
        bool match = x->workload == NULL || x->workload == b->entry->workload;
        for (int axis = 0; match && axis < PB_AXES; axis++)
            match = x->axes[axis] == NULL || listed(x->axes[axis], values[axis]);
        if (match && params_match(x, b->entry->workload, spec->params))
            return true;
    }
    return false;
}

static struct pb_plan_cell *new_cell(struct builder *b)
{
    struct pb_plan *plan = b->plan;
    if (plan->cells_n == b->room) {
        size_t room = b->room != 0 ? 2 * b->room : 64;
        struct pb_plan_cell *cells = realloc(plan->cells, room * sizeof *cells);
        if (cells == NULL)
            return NULL;
        plan->cells = cells;
        b->room = room;
    }
    return &plan->cells[plan->cells_n];
}

static bool known(const struct pb_plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->cells_n; i++)
        if (strcmp(plan->cells[i].id, id) == 0)
            return true;
    return false;
}

/* Seconds of a repetition: a step is taken to cost 20 ns in each of the warm-up, the rate window,
 * the tail and a quarter of a window of batches, and each cell a twentieth of a second around them.
 */
static double nominal_seconds(const struct builder *b)
{
    static const double step = 65e-9, around = 0.05, unknown_steps = 2e6;
    const struct pb_option *row = pb_option_find(b->entry->workload->options, "ops");
    double steps = unknown_steps;
    uint64_t ops;
    if (row != NULL && row->type == PB_OPTION_UINT) {
        memcpy(&ops, b->options + row->offset, sizeof ops);
        steps = ops != 0 ? (double)ops : unknown_steps;
    }
    return around + steps * step * b->matrix->scale * b->entry->scale;
}

/* Whether the command line says how many threads (plan.h). */
static bool threads_by_hand(const struct builder *b)
{
    return b->own_threads == 0 && b->entry->axes[PB_AXIS_THREADS] == NULL &&
           (b->matrix->replaced & 1u << PB_AXIS_THREADS) != 0;
}

/* Whether a text has "key=" in it, as a word of its own. */
static bool names_option(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = text; (at = strstr(at, key)) != NULL; at++)
        if (at[length] == '=' && (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')))
            return true;
    return false;
}

/* "--set min=5 --set max=9": what of the command line set the options that the fault names; "" if
 * nothing did. What is too long ends in "...". */
static void blamed_sets(const struct builder *b, char *out, size_t size)
{
    size_t used = 0;
    const char *key;
    json_t *assignment;
    out[0] = '\0';
    json_object_foreach(b->entry->set, key, assignment)
    {
        if (used + 1 < size && names_option(b->fault, key))
            used += (size_t)snprintf(out + used, size - used, "%s--set %s", used > 0 ? " " : "",
                                     json_string_value(assignment));
    }
    if (used >= size)
        snprintf(out + size - 4, 4, "...");
}

/* Refuses the params of the entry: what of the command line is at fault, or where they stand in the
 * file, and what is wrong. */
static int refuse_params(struct builder *b)
{
    const char *name = b->entry->workload->name;
    char set[160];
    int line, column;
    blamed_sets(b, set, sizeof set);
    if (set[0] != '\0')
        snprintf(b->message, b->message_size, "%s: %s: %s", set, name, b->fault);
    else if (b->entry->where[0] != '\0' &&
             pb_toml_position(b->matrix->path, b->entry->where, &line, &column) == 0)
        snprintf(b->message, b->message_size, "%s:%d:%d: %s: %s", b->matrix->path, line, column,
                 name, b->fault);
    else
        snprintf(b->message, b->message_size, "%s: %s: %s", b->matrix->path, name, b->fault);
    return -EINVAL;
}

/* Completes a cell whose spec is set, and keeps it unless it is filtered or there already. */
static int add_cell(struct builder *b, const struct pb_cell_spec *spec)
{
    char where[PB_MESSAGE_MAX], message[PB_MESSAGE_MAX] = "";
    struct pb_plan_cell *cell = new_cell(b);
    if (cell == NULL)
        return -ENOMEM;
    *cell = (struct pb_plan_cell){.spec = *spec, .mark = PB_OK, .estimate = nominal_seconds(b)};
    int error = pb_cell_name(&cell->spec, cell->name, sizeof cell->name);
    if (error < 0) {
        snprintf(b->message, b->message_size, "the name of a cell of %s is too long",
                 spec->workload);
        return -EINVAL;
    }
    if (identify(cell, b->entry->workload) != 0)
        return -ENOMEM;
    b->seen++;
    if (known(b->plan, cell->id) ||
        (b->filtered && regexec(&b->filter, cell->name, 0, NULL, 0) != 0))
        return 0;
    if (b->fault[0] != '\0')
        return refuse_params(b);
    error =
        pb_plan_judge(cell, b->entry->workload, b->options, b->topology, message, sizeof message);
    if (error != 0 && !(error == -E2BIG && !threads_by_hand(b))) {
        enum pb_axis axis = error == -E2BIG ? PB_AXIS_THREADS : PB_AXIS_PIN;
        pb_matrix_where(b->matrix, b->entry, axis, where, sizeof where);
        snprintf(b->message, b->message_size, "%s: %s", where, message);
        return -EINVAL;
    }
    b->plan->cells_n++;
    return 0;
}

/* One point of the axes: a cell, and its twin where it is the reference. */
static int span_point(struct builder *b, const size_t *at)
{
    const char *value[PB_AXES];
    const struct pb_settings *settings = &b->matrix->settings;
    struct pb_cell_spec spec = {.oversubscribe = b->matrix->oversubscribe || b->own_threads != 0,
                                .seed = settings->seed,
                                .scale = b->matrix->scale * b->entry->scale,
                                .sample_gap = settings->sample_gap,
                                .audit = settings->audit != 0};
    for (int axis = 0; axis < PB_AXES; axis++)
        value[axis] =
            json_string_value(json_array_get(axis_values(b, (enum pb_axis)axis), at[axis]));
    snprintf(spec.variant, sizeof spec.variant, "%s", value[PB_AXIS_ALLOC]);
    snprintf(spec.workload, sizeof spec.workload, "%s", b->entry->workload->name);
    snprintf(spec.params, sizeof spec.params, "%s", b->params);
    snprintf(spec.pin, sizeof spec.pin, "%s", value[PB_AXIS_PIN]);
    snprintf(spec.memory, sizeof spec.memory, "%s", value[PB_AXIS_MEMORY]);
    snprintf(spec.start, sizeof spec.start, "%s", value[PB_AXIS_START]);
    snprintf(spec.arrival, sizeof spec.arrival, "%s", value[PB_AXIS_ARRIVAL]);
    snprintf(spec.delay, sizeof spec.delay, "%s", value[PB_AXIS_DELAY]);
    spec.threads = b->own_threads != 0 ? b->own_threads : (unsigned)atoi(value[PB_AXIS_THREADS]);
    for (int i = 0; i < PB_DISPATCHES; i++)
        if (strcmp(pb_dispatch_names[i], value[PB_AXIS_DISPATCH]) == 0)
            spec.dispatch = (enum pb_dispatch)i;
    if (excluded(b, &spec))
        return 0;
    int error = add_cell(b, &spec);
    if (error == 0 && settings->aa && strcmp(spec.variant, settings->reference) == 0) {
        spec.alias = true;
        error = add_cell(b, &spec);
    }
    return error;
}

/* Every point of the axes, the variants turning fastest. */
static int span_axes(struct builder *b)
{
    static const enum pb_axis order[PB_AXES] = {PB_AXIS_ALLOC,   PB_AXIS_THREADS, PB_AXIS_DISPATCH,
                                                PB_AXIS_PIN,     PB_AXIS_MEMORY,  PB_AXIS_START,
                                                PB_AXIS_ARRIVAL, PB_AXIS_DELAY};
    size_t at[PB_AXES] = {0};
    for (;;) {
        int turned = 0, error = span_point(b, at);
        if (error != 0)
            return error;
        for (; turned < PB_AXES; turned++) {
            enum pb_axis axis = order[turned];
            size_t n = json_array_size(axis_values(b, axis));
            if (axis == PB_AXIS_THREADS && b->own_threads != 0)
                n = 1;
            if (++at[axis] < n)
                break;
            at[axis] = 0;
        }
        if (turned == PB_AXES)
            return 0;
    }
}

/* With all params chosen: whether they fit together, what the data ask for, then the axes. A fault
 * waits for the first cell that is kept: arrays multiply, and an exclude or the filter may drop the
 * combinations that make no sense. */
static int span_params_done(struct builder *b)
{
    char message[PB_MESSAGE_MAX] = "";
    const struct pb_workload *workload = b->entry->workload;
    int error = pb_params_parse(workload, b->params, b->options, message, sizeof message);
    b->own_threads = 0;
    b->fault[0] = '\0';
    if (error == 0 && workload->check != NULL)
        workload->check(b->options, b->fault, sizeof b->fault);
    if (error == 0 && (workload->flags & PB_WORKLOAD_OWN_THREADS) != 0)
        error = workload->workers(b->options, &b->own_threads, message, sizeof message);
    if (error != 0) {
        snprintf(b->message, b->message_size, "%s: %s", workload->name, message);
        return error == -ENOMEM ? error : -EINVAL;
    }
    return span_axes(b);
}

/* Chooses a value for each option given, from the row `row` of the workload's table on. */
static int span_params(struct builder *b, const struct pb_option *row)
{
    size_t used = strlen(b->params), i;
    json_t *values, *value;
    while (row->type != PB_OPTION_END && json_object_get(b->entry->params, row->name) == NULL)
        row++;
    if (row->type == PB_OPTION_END)
        return span_params_done(b);
    values = json_object_get(b->entry->params, row->name);
    json_array_foreach(values, i, value)
    {
        size_t room = sizeof b->params - used;
        int length = snprintf(b->params + used, room, "%s%s=%s", used != 0 ? "," : "", row->name,
                              json_string_value(value));
        if (length < 0 || (size_t)length >= room) {
            snprintf(b->message, b->message_size, "the options of %s are too long",
                     b->entry->workload->name);
            return -EINVAL;
        }
        int error = span_params(b, row + 1);
        if (error != 0)
            return error;
    }
    b->params[used] = '\0';
    return 0;
}

static int span_entries(struct builder *b, const struct pb_entries *entries)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < entries->n; i++) {
        b->entry = &entries->at[i];
        b->params[0] = '\0';
        if (axis_values(b, PB_AXIS_ALLOC) == NULL) { /* an entry of the command line's own */
            snprintf(b->message, b->message_size, "%s: axes.alloc is missing; give --alloc",
                     b->matrix->path);
            return -EINVAL;
        }
        error = span_params(b, b->entry->workload->options);
    }
    return error;
}

int pb_plan_make(const struct pb_matrix *matrix, const struct pb_topology *topology,
                 const char *filter, struct pb_plan **out, char *message, size_t message_size)
{
    char what[256];
    struct builder b = {.matrix = matrix,
                        .topology = topology,
                        .plan = calloc(1, sizeof *b.plan),
                        .message = message,
                        .message_size = message_size};
    int error = b.plan != NULL ? 0 : -ENOMEM;
    snprintf(message, message_size, "out of memory");
    if (filter != NULL && error == 0) {
        int code = regcomp(&b.filter, filter, REG_EXTENDED | REG_NOSUB);
        if (code != 0) {
            regerror(code, &b.filter, what, sizeof what);
            snprintf(message, message_size, "--filter: '%s': %s", filter, what);
            error = -EINVAL;
        }
        b.filtered = code == 0;
    }
    if (error == 0)
        error = span_entries(&b, &matrix->workloads);
    if (error == 0)
        error = span_entries(&b, &matrix->includes);
    if (b.filtered)
        regfree(&b.filter);
    if (error == 0 && b.plan->cells_n == 0) {
        snprintf(message, message_size, "nothing matched: none of %zu cell%s%s%s", b.seen,
                 b.seen == 1 ? "" : "s", filter != NULL ? " has a name that matches " : "",
                 filter != NULL ? filter : "");
        error = -ENOENT;
    }
    if (error == 0) {
        b.plan->blocks = pb_matrix_blocks(matrix);
        b.plan->seed = matrix->settings.seed;
        error = pb_plan_order(b.plan);
    }
    if (error == 0)
        *out = b.plan;
    else
        pb_plan_free(b.plan);
    return error;
}

void pb_plan_free(struct pb_plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->cells);
    free(plan->order);
    free(plan);
}
