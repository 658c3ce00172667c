/* SPDX-License-Identifier: MIT */
/* The blocks of a run at work: each in the plan's order, what was disturbed in it repeated at its
 * end, and whether there is another one: the looks, the budget (runner_internal.h). */
#include "runner/record.h"
#include "runner/runner_internal.h"
#include "runner/wire.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char primary_metric[] = "ns_per_op";

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct pb_work_slot *pb_work_at(const struct pb_work *s, const struct pb_plan_slot *slot)
{
    return &s->slots[slot->cell * s->plan->blocks + slot->block];
}

bool pb_work_is_todo(const struct pb_work *s, const struct pb_plan_slot *slot)
{
    const struct pb_work_slot *at = pb_work_at(s, slot);
    return (!at->recorded || at->again) && !s->settled[slot->cell];
}

bool pb_work_is_repeated(const struct pb_work *s, const struct pb_plan_slot *slot)
{
    const struct pb_work_slot *at = pb_work_at(s, slot);
    return at->disturbed && !at->earlier && at->attempt <= s->matrix->settings.retries;
}

void pb_work_note(struct pb_work *s, const struct pb_plan_slot *slot, const json_t *line)
{
    const json_t *attempt = json_object_get(line, "attempt");
    const json_t *value = json_object_get(json_object_get(line, "m"), primary_metric);
    int status = pb_status_find(json_string_value(json_object_get(line, "status")));
    *pb_work_at(s, slot) = (struct pb_work_slot){
        .recorded = true,
        .status = (enum pb_status)status,
        .disturbed = json_array_size(json_object_get(line, "disturbed")) > 0,
        .attempt = json_is_integer(attempt) ? (unsigned)json_integer_value(attempt) : 1,
        .value = json_is_number(value) ? json_number_value(value) : (double)NAN};
    pb_disturb_learn(&s->disturb, line);
    if (status == PB_SKIPPED || status == PB_UNAVAILABLE)
        s->settled[slot->cell] = true;
}

void pb_work_count(const struct pb_work *s, size_t counts[PB_STATUSES])
{
    memcpy(counts, s->others, sizeof s->others);
    for (size_t i = 0; i < s->plan->cells_n * s->plan->blocks; i++)
        if (s->slots[i].recorded)
            counts[s->slots[i].status]++;
}

/* Says what went wrong; of what is unavailable the first is kept for the end. */
static void say_bad(struct pb_work *s, const json_t *line)
{
    int status = pb_status_find(json_string_value(json_object_get(line, "status")));
    const char *name = json_string_value(json_object_get(line, "name"));
    const char *reason = json_string_value(json_object_get(line, "reason"));
    if (status == PB_UNAVAILABLE && s->absent[0] == '\0')
        snprintf(s->absent, sizeof s->absent, "%s could not run here: %s", name, reason);
    else if (status != PB_OK && status != PB_SKIPPED && status != PB_UNAVAILABLE)
        pb_progress_say(&s->progress, "%s: %s: %s", pb_status_names[status], name, reason);
}

/* One repetition's line. `outcome` is NULL for a cell that the plan marks. */
static json_t *make_line(const struct pb_work *s, size_t order, const struct pb_outcome *outcome)
{
    const struct pb_plan_slot *slot = &s->plan->order[order];
    const struct pb_record_place place = {
        .block = slot->block,
        .order = (unsigned)order,
        .session = s->session,
        .layout = pb_plan_layout(s->plan, slot->block),
        .attempt = pb_work_is_repeated(s, slot) ? pb_work_at(s, slot)->attempt + 1 : 1,
        .setup = pb_plan_setup(s->plan, slot)};
    json_t *line = pb_record_rep(s->store.run, &s->plan->cells[slot->cell], &place, outcome);
    if (outcome != NULL)
        json_object_set_new(line, "disturbed", pb_disturb_judge(&s->disturb, line));
    return line;
}

/* One repetition and its line. Returns 0; -EINTR; -errno when it cannot be run or written, with one
 * line. */
static int run_slot(struct pb_work *s, size_t order)
{
    const struct pb_plan_slot *slot = &s->plan->order[order];
    bool marked = s->plan->cells[slot->cell].mark != PB_OK;
    bool repeated = pb_work_is_repeated(s, slot), first = !pb_work_at(s, slot)->recorded;
    struct pb_outcome outcome = {.status = PB_FAILED};
    double began = now();
    pb_progress_show(&s->progress, slot);
    int error = marked ? 0 : pb_work_child(s, slot, &outcome);
    if (error != 0)
        return error;
    json_t *line = make_line(s, order, marked ? NULL : &outcome);
    error = pb_store_append(&s->store, line, s->message, sizeof s->message);
    if (error == 0) {
        pb_work_note(s, slot, line);
        s->repeated += repeated;
        s->made++;
        s->first_made += first;
        s->disturbed += pb_work_at(s, slot)->disturbed;
        if (!repeated)
            pb_progress_took(&s->progress, slot, now() - began);
        say_bad(s, line);
    }
    json_decref(line);
    free(outcome.answer);
    return error;
}

/* Seconds of the budget that are left. */
static double time_left(const struct pb_work *s)
{
    double budget = s->matrix->budget;
    return budget > 0 ? budget - (now() - s->began) : (double)INFINITY;
}

/* What is to be done in a block, those from `first` up to `end` of the plan's order. */
struct block {
    size_t first, end;
    bool busy, fresh; /* anything at all; anything that was never measured */
};

/* Whether the budget leaves room for a block: all of it, unless it is the first fresh one that this
 * process begins, which takes what time there is; one that only repeats goes before it, but does
 * not stand for it. */
static bool block_fits(const struct pb_work *s, const struct block *block)
{
    double seconds = 0;
    for (size_t i = block->first; i < block->end; i++)
        if (pb_work_is_todo(s, &s->plan->order[i]))
            seconds += pb_progress_estimate(&s->progress, s->plan->order[i].cell);
    bool always = block->fresh ? s->blocks_begun == 0 : s->made == 0;
    return always || seconds <= time_left(s);
}

/* Whether a repetition runs in this pass: the first over a block, or one that repeats. */
static bool is_wanted(const struct pb_work *s, const struct pb_plan_slot *slot, bool repeating)
{
    if (!repeating)
        return pb_work_is_todo(s, slot);
    return pb_work_is_repeated(s, slot) &&
           pb_progress_estimate(&s->progress, slot->cell) <= time_left(s);
}

/* Returns 0; -EINTR; -errno; or -ETIME where the budget ends within the first block. */
static int run_pass(struct pb_work *s, const struct block *block, bool repeating)
{
    int error = 0;
    for (size_t i = block->first; error == 0 && i < block->end; i++) {
        if (pb_interrupts_take(&s->interrupts) > 0)
            error = -EINTR;
        else if (!is_wanted(s, &s->plan->order[i], repeating))
            continue;
        else if (s->blocks_begun == 1 && s->first_made > 0 && time_left(s) <= 0)
            error = -ETIME;
        else
            error = run_slot(s, i);
    }
    return error;
}

/* A block, and its disturbed repetitions again, one round after another. Returns as run_pass. */
static int run_block(struct pb_work *s, const struct block *block)
{
    s->blocks_begun += block->fresh;
    int error = run_pass(s, block, false);
    for (uint64_t round = 0; error == 0 && round < s->matrix->settings.retries; round++)
        error = run_pass(s, block, true);
    return error;
}

/* The block that begins at `first`; behind the last one it is empty. */
static struct block block_at(const struct pb_work *s, size_t first)
{
    const struct pb_plan_slot *order = s->plan->order;
    struct block block = {.first = first, .end = first};
    for (; block.end < s->plan->order_n && order[block.end].block == order[first].block;
         block.end++) {
        bool todo = pb_work_is_todo(s, &order[block.end]);
        block.busy |= todo;
        block.fresh |= todo && !pb_work_at(s, &order[block.end])->recorded;
    }
    return block;
}

bool pb_work_is_left(struct pb_work *s)
{
    struct block block = {.busy = false};
    for (size_t first = 0; first < s->plan->order_n && !block.busy; first = block.end) {
        block = block_at(s, first);
        if (!block.busy && pb_work_look(s, s->plan->order[first].block + 1) != NULL)
            break;
    }
    json_array_clear(s->looks); /* the blocks look again */
    return block.busy;
}

int pb_work_blocks(struct pb_work *s)
{
    int error = 0;
    struct block block = {.end = 0};
    s->began = now();
    while (error == 0 && s->stopped_by == NULL) {
        block = block_at(s, block.end);
        if (block.end == block.first) {
            s->stopped_by = s->passed_over ? "budget" : "blocks";
        } else if (block.busy && !block_fits(s, &block)) {
            s->stopped_by = block.fresh ? "budget" : NULL;
            s->passed_over = true;
        } else {
            if (block.busy)
                error = run_block(s, &block);
            if (error == 0)
                s->stopped_by = pb_work_look(s, s->plan->order[block.first].block + 1);
        }
    }
    if (error == -ETIME)
        s->stopped_by = "budget";
    return error == -ETIME ? 0 : error;
}
