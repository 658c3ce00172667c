/* SPDX-License-Identifier: MIT */
/* One repetition's child: what it is given, and what became of it (runner_internal.h). */
#include "engine/perf_events.h"
#include "runner/limit.h"
#include "runner/machine.h"
#include "runner/preload.h"
#include "runner/runner_internal.h"
#include "runner/tags.h"
#include "runner/wire.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A sanitizer's own memory is larger than any limit that makes sense. */
static uint64_t memory_limit(const struct pb_work *s)
{
    return pb_suite_sanitizer[0] == '\0' ? s->matrix->settings.memory_limit : 0;
}

/* What the child reads: the spec, the limit that it sets itself, the events that it counts and
 * whose turn it is of their groups, and the seed of its setup.
 * malloc'ed.
 */
static char *child_input(const struct pb_work *s, const struct pb_plan_slot *slot,
                         const struct pb_plan_setup *setup)
{
    struct pb_perf_set set;
    char events[PB_PERF_TEXT_MAX], message[PB_MESSAGE_MAX];
    json_t *json = pb_wire_spec_to_json(&s->plan->cells[slot->cell].spec);
    if (json == NULL)
        return NULL;
    if (pb_perf_parse(s->matrix->settings.counters, &set, message, sizeof message) != 0 ||
        pb_perf_to_text(&set, events, sizeof events) != 0)
        events[0] = '\0';
    json_object_set_new(json, "counters", json_string(events));
    json_object_set_new(json, "turn", json_integer((json_int_t)slot->block));
    json_object_set_new(json, "memory_limit", json_integer((json_int_t)memory_limit(s)));
    json_object_set_new(json, "setup", json_pack("{s:I}", "seed", (json_int_t)setup->seed));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* Where a library has no memory it may crash instead of saying so. */
static void name_limit(const struct pb_work *s, struct pb_outcome *outcome)
{
    struct pb_limit limit;
    pb_limit_open(&limit, memory_limit(s));
    if (outcome->status == PB_CRASHED && pb_limit_is_small(&limit))
        pb_limit_name(&limit, outcome->reason, sizeof outcome->reason);
}

int pb_work_child(struct pb_work *s, const struct pb_plan_slot *slot, struct pb_outcome *outcome)
{
    static const char *const argv[] = {"poolbench", "child", NULL};
    const struct pb_cell_spec *spec = &s->plan->cells[slot->cell].spec;
    struct pb_variant variant;
    char library[PATH_MAX];
    const struct pb_plan_setup setup = pb_plan_setup(s->plan, slot);
    char *input = child_input(s, slot, &setup);
    int error = input != NULL ? pb_variant_parse(spec->variant, &variant, outcome->reason,
                                                 sizeof outcome->reason)
                              : -ENOMEM;
    if (error == 0) {
        struct pb_child child = {
            .program = pb_layouts_program(&s->layouts, pb_plan_layout(s->plan, slot->block)),
            .argv = argv,
            .input = input,
            .preload = pb_preload_for(&variant, library, sizeof library),
            .poolmon = s->poolmon[0] != '\0' && pb_tags_counted(&variant) ? s->poolmon : NULL,
            .label = s->plan->cells[slot->cell].name,
            .padding = setup.env_bytes,
            .timeout = (double)s->matrix->settings.timeout,
            .interrupts = &s->interrupts};
        error = pb_spawn(&child, outcome);
    }
    free(input);
    if (error == 0)
        name_limit(s, outcome);
    if (error != 0 && pb_shortage(error) != NULL) {
        snprintf(s->message, sizeof s->message, "a child cannot be started or watched: %s; %s",
                 strerror(-error), pb_shortage(error));
    } else if (error != 0 && error != -EINTR) {
        *outcome = (struct pb_outcome){.status = PB_FAILED};
        snprintf(outcome->reason, sizeof outcome->reason,
                 "the child cannot be started or watched: %s", strerror(-error));
        error = 0;
    }
    return error;
}
