/* SPDX-License-Identifier: MIT */
/* What a reader of a comparison should know beside its figures: compare.h. */
#include "runner/compare.h"

#include <math.h>
#include <string.h>

static void note_side(struct pb_compare *c, const struct pb_compare_side *side, const char *which)
{
    const json_t *suite = json_object_get(side->run->header, "suite");
    if (json_is_true(json_object_get(suite, "dirty")))
        pb_notes_add(&c->notes, PB_NOTE_WARNING, which,
                     "built from git %.12s with changes that are in no commit",
                     pb_run_text(side->run, "suite", "git"));
    if (!side->run->complete)
        pb_notes_add(&c->notes, PB_NOTE_WARNING, which, "the run is not complete");
}

/* Another version of an allocator is a thing to compare, and to know. */
static void note_versions(struct pb_compare *c)
{
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct pb_compare_row *row = &c->rows[i];
        if (row->base->ok == 0 || row->fresh->ok == 0 || row->metric != c->metrics)
            continue;
        const json_t *a = json_object_get(row->base->reps[0]->json, "version");
        const json_t *b = json_object_get(row->fresh->reps[0]->json, "version");
        if (!json_is_string(a) || !json_is_string(b) || json_equal(a, b))
            continue;
        pb_notes_add(&c->notes, PB_NOTE_WARNING, "version", "%s was %s and is %s", row->base->alloc,
                     json_string_value(a), json_string_value(b));
        return; /* one will do */
    }
}

/* How far apart one variant and itself are. */
static void note_noise(struct pb_compare *c)
{
    const struct pb_compare_row *most = NULL;
    for (size_t i = 0; i < c->rows_n; i++)
        if (c->rows[i].noise > (most != NULL ? most->noise : 0))
            most = &c->rows[i];
    if (most != NULL)
        pb_notes_add(&c->notes, PB_NOTE_WARNING, "noise",
                     "the A/A twins show ratios of up to %.3g (%s, %s); in each group a difference "
                     "within its own does not count",
                     exp(most->noise), most->base->group, most->metric->key);
}

/* What the rules of disturbance say of a side's repetitions in the rows. */
static void note_side_disturbed(struct pb_compare *c, bool fresh, const char *which)
{
    size_t disturbed = 0, low = 0, ok = 0;
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct pb_compare_row *row = &c->rows[i];
        const struct pb_cell_reps *cell = fresh ? row->fresh : row->base;
        if (row->metric != c->metrics)
            continue;
        ok += cell->ok;
        disturbed += fresh ? row->new_disturbed : row->base_disturbed;
        for (size_t k = 0; k < cell->n; k++)
            low += pb_summary_overlap_low(cell->reps[k]);
    }
    if (disturbed > 0)
        pb_notes_add(&c->notes, PB_NOTE_WARNING, which,
                     "%zu of %zu repetitions were disturbed (overlap below %.2f in %zu); the gate "
                     "cannot judge a cell of which more than half were",
                     disturbed, ok, PB_SUMMARY_OVERLAP, low);
}

static void note_disturbed(struct pb_compare *c)
{
    note_side_disturbed(c, false, "base");
    note_side_disturbed(c, true, "new");
}

/* What BASE has and NEW lost, by name. */
static void note_lost(struct pb_compare *c)
{
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct pb_compare_row *row = &c->rows[i];
        const struct pb_cell_reps *fresh = row->fresh;
        if (row->metric == c->metrics && pb_compare_lost(row->base, fresh))
            pb_notes_add(&c->notes, PB_NOTE_FAILURE, row->name, "%zu of %zu %s in NEW: %s",
                         fresh->n - fresh->ok, fresh->n, pb_status_names[fresh->status],
                         fresh->reason);
    }
    for (size_t i = 0; c->has_gate && i < c->base_cells.n; i++) {
        const struct pb_cell_reps *base = &c->base_cells.cells[i];
        if (pb_compare_takes(&c->base, base) && pb_compare_counterpart(c, base) == NULL &&
            pb_compare_lost(base, NULL))
            pb_notes_add(&c->notes, PB_NOTE_FAILURE, base->name,
                         "has figures in BASE and is not in NEW at all");
    }
}

void pb_compare_notes(struct pb_compare *c)
{
    bool one_run = c->base.run == c->fresh.run;
    if (!c->paired)
        pb_notes_add(&c->notes, PB_NOTE_WARNING, "sessions",
                     "two sessions: whatever changed on the machine between them is in the ratios "
                     "too, and no interval tells it apart");
    note_noise(c);
    note_side(c, &c->base, one_run ? "run" : "base");
    if (!one_run) {
        note_side(c, &c->fresh, "new");
        if (c->base.variant == NULL)
            note_versions(c);
    }
    if (c->only_base > 0)
        pb_notes_add(&c->notes, PB_NOTE_WARNING, "only base", "%zu cell%s not in NEW", c->only_base,
                     c->only_base == 1 ? "" : "s");
    if (c->only_new > 0)
        pb_notes_add(&c->notes, PB_NOTE_WARNING, "only new", "%zu cell%s not in BASE", c->only_new,
                     c->only_new == 1 ? "" : "s");
    note_disturbed(c);
    note_lost(c);
}
