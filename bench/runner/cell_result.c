/* SPDX-License-Identifier: MIT */
/* What became of a cell: the checks that decide its status, the figures that the probes make of
 * what was observed, and its name. */
#include "runner/cell_internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const pb_status_names[] = {"ok",      "failed",  "crashed",     "timeout", "oom",
                                       "corrupt", "skipped", "unavailable", NULL};

void pb_cell_warn(struct pb_cell *cell, const char *text)
{
    char *warn = cell->result->warn;
    size_t used = strlen(warn);
    snprintf(warn + used, sizeof cell->result->warn - used, "%s%s", used > 0 ? "\n" : "", text);
}

void pb_cell_add_tallies(const struct pb_cell *cell, struct pb_tally *sum)
{
    *sum = (struct pb_tally){0};
    for (unsigned i = 0; i < cell->n; i++) {
        const struct pb_tally *t = &cell->workers[i].tally;
        sum->allocs += t->allocs;
        sum->frees += t->frees;
        sum->reallocs += t->reallocs;
        sum->exhausted += t->exhausted;
        sum->damaged += t->damaged;
        sum->hash += t->hash;
        sum->waits += t->waits;
    }
}

/* Every worker did all of its stream, up to `limit` steps; of BODY the whole batches in them. */
static bool all_steps_done(const struct pb_cell *cell, enum pb_phase phase, uint64_t limit)
{
    for (unsigned i = 0; i < cell->n; i++) {
        uint64_t steps = cell->workload->steps(&cell->workers[i]);
        steps = limit < steps ? limit : steps;
        if (phase == PB_PHASE_BODY)
            steps -= steps % cell->session.batch;
        if (cell->session.windows[phase][i].steps != steps)
            return false;
    }
    return true;
}

int pb_cell_judge_phase(struct pb_cell *cell, enum pb_phase phase, uint64_t limit,
                        struct pb_tally *sum)
{
    struct pb_tally tally;
    char message[160];
    pb_cell_add_tallies(cell, &tally);
    if (sum != NULL)
        *sum = tally;
    if (tally.damaged != 0) {
        snprintf(message, sizeof message,
                 "%" PRIu64
                 " blocks did not hold what their owner wrote: handed out twice or overwritten",
                 tally.damaged);
        return pb_cell_refuse(cell, PB_CORRUPT, message);
    }
    if (tally.exhausted != 0) {
        snprintf(message, sizeof message, "%" PRIu64 " allocations returned NULL", tally.exhausted);
        return pb_cell_refuse(cell, PB_OOM, message);
    }
    if (phase == PB_PHASE_WARM)
        return 0; /* of as many steps as it took */
    if (!all_steps_done(cell, phase, limit))
        return pb_cell_refuse(cell, PB_FAILED, "a worker ended before its stream did");
    if (phase != PB_PHASE_RATE && phase != PB_PHASE_TAIL)
        return 0; /* where a part ends, allocations and frees need not */
    uint64_t steps = pb_cell_steps(cell) * cell->workload->step_workers;
    if (tally.allocs + tally.frees + tally.reallocs != steps * cell->workload->step_calls ||
        (cell->workload->step_calls == 2 && tally.allocs != tally.frees)) {
        snprintf(message, sizeof message,
                 "%" PRIu64 " allocations, %" PRIu64 " frees and %" PRIu64
                 " reallocs do not add up to %" PRIu64 " steps",
                 tally.allocs, tally.frees, tally.reallocs, steps);
        return pb_cell_refuse(cell, PB_FAILED, message);
    }
    return 0;
}

int pb_cell_judge_audit(struct pb_cell *cell, const struct pb_audit_result *audit)
{
    static const enum pb_status status[] = {
        [PB_FAULT_NONE] = PB_OK,         [PB_FAULT_EXHAUSTED] = PB_OOM,
        [PB_FAULT_TWICE] = PB_CORRUPT,   [PB_FAULT_MISALIGNED] = PB_CORRUPT,
        [PB_FAULT_CORRUPT] = PB_CORRUPT, [PB_FAULT_UNKNOWN] = PB_FAILED,
        [PB_FAULT_NO_BOOKS] = PB_FAILED,
    };
    const struct pb_tally *tally = &cell->result->audit;
    char message[256];
    if (audit->fault != PB_FAULT_NONE)
        return pb_cell_refuse(cell, status[audit->fault], audit->message);
    if (audit->live_bytes != 0) {
        snprintf(message, sizeof message, "%" PRIu64 " bytes are live after everything was freed",
                 audit->live_bytes);
        return pb_cell_refuse(cell, PB_FAILED, message);
    }
    if (tally->damaged != 0)
        return pb_cell_refuse(cell, PB_CORRUPT, "a block did not hold what its owner wrote");
    const struct pb_heap *heap = cell->opened.heap;
    if (heap->ops->check != NULL &&
        heap->ops->check(cell->opened.heap, message, sizeof message) != 0)
        return pb_cell_refuse(cell, PB_CORRUPT, message);
    return 0;
}

double pb_cell_wall_ns(const struct pb_cell *cell)
{
    const struct pb_window *w = cell->session.windows[PB_PHASE_RATE];
    uint64_t last = 0;
    for (unsigned i = 0; i < cell->n; i++)
        last = w[i].ended > last ? w[i].ended : last;
    return pb_clock_ns(last - w[0].go);
}

/* Levels after the window, counters over it. */
static struct pb_heap_stats stats_of_window(const struct pb_cell *cell)
{
    struct pb_heap_stats stats = cell->after;
    static const size_t counters[] = {
        offsetof(struct pb_heap_stats, allocs),
        offsetof(struct pb_heap_stats, frees),
        offsetof(struct pb_heap_stats, hits),
        offsetof(struct pb_heap_stats, misses),
        offsetof(struct pb_heap_stats, overflows),
        offsetof(struct pb_heap_stats, refills),
        offsetof(struct pb_heap_stats, os_calls),
        offsetof(struct pb_heap_stats, fallthrough),
        offsetof(struct pb_heap_stats, lock_contended),
        offsetof(struct pb_heap_stats, native_reallocs),
        offsetof(struct pb_heap_stats, lock_acquisitions),
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        uint64_t before, after;
        memcpy(&before, (const char *)&cell->before + counters[i], sizeof before);
        memcpy(&after, (const char *)&stats + counters[i], sizeof after);
        if (before != PB_STAT_UNKNOWN && after != PB_STAT_UNKNOWN)
            after -= before;
        memcpy((char *)&stats + counters[i], &after, sizeof after);
    }
    return stats;
}

/* Of one worker, what of its histograms is part of the view. */
static void merge_worker(const struct pb_session *s, unsigned worker, enum pb_view_index index,
                         struct pb_hist *into)
{
    const struct pb_view *view = &pb_view_rows[index];
    for (int kind = 0; kind < PB_KINDS; kind++) {
        if ((view->kinds & 1u << kind) == 0)
            continue;
        pb_hist_merge(into, &s->samples[worker].kinds[kind][0]);
        if (!view->clean)
            pb_hist_merge(into, &s->samples[worker].kinds[kind][1]);
    }
    if (index == PB_VIEW_BODY)
        pb_hist_merge(into, &s->body_hists[worker]);
    if (index == PB_VIEW_OPEN)
        pb_hist_merge(into, &s->open_hists[worker]);
}

/* Whether the cell has the window that a view comes from. */
static bool has_view(const struct pb_cell *cell, enum pb_view_index index)
{
    if (index == PB_VIEW_OPEN)
        return cell->session.open_hists != NULL;
    return cell->session.samples != NULL && (cell->result->paths || !pb_view_rows[index].by_path);
}

/* Workers' histograms into one for the cell, on mappings of their own: the result outlives the
 * arena. Kinds that never were are left out, and clean ones that are the whole. */
static void merge_hists(struct pb_cell *cell)
{
    struct pb_hist **hists = cell->result->hists;
    for (int i = 0; i < PB_VIEW_N; i++) {
        bool first = i <= PB_VIEW_FREE_CLEAN; /* always there */
        struct pb_hist *all =
            has_view(cell, (enum pb_view_index)i) ? pb_pages_map(sizeof *all) : NULL;
        if (all == NULL)
            continue;
        pb_hist_clear(all);
        for (unsigned worker = 0; worker < cell->n; worker++)
            merge_worker(&cell->session, worker, (enum pb_view_index)i, all);
        bool whole =
            !first && pb_view_rows[i].clean && hists[i - 1] != NULL && hists[i - 1]->n == all->n;
        if ((first || all->n > 0) && !whole)
            hists[i] = all;
        else
            pb_pages_unmap(all, sizeof *all);
    }
}

/* Memory that opening the heap took counts as the strategy's. */
static void add_opening(struct pb_audit_result *audit, uint64_t opening)
{
    audit->rss_peak_bytes += opening;
    audit->rss_at_live_peak_bytes += opening;
    audit->rss_end_bytes += opening;
}

/* A library serves the whole process: what it had handed out and held before is not the workload's.
 */
static void forget_others(struct pb_heap_stats *stats, const struct pb_heap_stats *at_open)
{
    uint64_t *const values[] = {&stats->granted_bytes, &stats->held_bytes, &stats->held_peak_bytes};
    const uint64_t before[] = {at_open->granted_bytes, at_open->held_bytes, at_open->held_bytes};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (*values[i] != PB_STAT_UNKNOWN && before[i] != PB_STAT_UNKNOWN)
            *values[i] = *values[i] > before[i] ? *values[i] - before[i] : 0;
}

/* NAN where nothing was sampled, or the thread's rseq area was not there to tell. */
static double rseq_hits(const struct pb_cell *cell)
{
    double hits = 0.0;
    if (cell->session.samples == NULL || cell->session.mark != PB_MARK_RSEQ)
        return (double)NAN;
    for (unsigned i = 0; i < cell->n; i++)
        hits += (double)cell->session.samples[i].hits;
    return hits;
}

static void probe_values(struct pb_cell *cell)
{
    struct pb_cell_result *result = cell->result;
    const struct pb_session *s = &cell->session;
    bool sampled = s->samples != NULL;
    char warn[160] = "";
    struct pb_observation o = {.workers = cell->n,
                               .step_workers = cell->workload->step_workers,
                               .makespan = (cell->workload->flags & PB_WORKLOAD_OWN_THREADS) != 0,
                               .rate = s->windows[PB_PHASE_RATE],
                               .tail = sampled ? s->windows[PB_PHASE_TAIL] : NULL,
                               .rate_tally = result->rate,
                               .tail_tally = cell->tail_tally,
                               .hits = rseq_hits(cell),
                               .open = pb_cell_is_open(cell) ? s->windows[PB_PHASE_OPEN] : NULL,
                               .batch = s->batch,
                               .batch_ns = cell->batch_ns,
                               .paths = result->paths,
                               .warm = pb_cell_is_cold(cell) ? NULL : &s->warm,
                               .pretouched_bytes = cell->pretouched_bytes,
                               .audit = cell->audited ? &cell->audit : NULL,
                               .watch = &cell->watch,
                               .stats = stats_of_window(cell),
                               .warn = warn,
                               .warn_size = sizeof warn};
    memcpy(o.hists, result->hists, sizeof o.hists);
    const struct pb_probe *probe;
    size_t value = 0;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL; i++) {
        size_t metrics = 0;
        while (probe->metrics[metrics].key != NULL)
            metrics++;
        probe->report(&o, s->hook_states[PB_PHASE_RATE][i],
                      sampled ? s->hook_states[PB_PHASE_TAIL][i] : NULL, result->values + value);
        value += metrics;
    }
    if (warn[0] != '\0')
        pb_cell_warn(cell, warn);
}

static void describe_placement(const struct pb_cell *cell, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", cell->placement.bound ? "" : "unbound");
    for (unsigned i = 0; cell->placement.bound && i < cell->n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%sP#%u", i == 0 ? "" : ",",
                                 cell->placement.os_index[i]);
}

/* A library serves the whole process, which the harness's own libraries have run in by then. */
static void warn_of_cold(struct pb_cell *cell)
{
    struct pb_variant behind;
    char message[256];
    unsigned capabilities = cell->variant.ops->capabilities;
    if (cell->variant.backing[0] != '\0' &&
        pb_variant_parse(cell->variant.backing, &behind, message, sizeof message) == 0)
        capabilities |= behind.ops->capabilities;
    if (pb_cell_is_cold(cell) && (capabilities & PB_CAP_LIBRARY) != 0)
        pb_cell_warn(cell, "cold is not untouched: a library's heap is the process's, and the "
                           "harness's libraries had used it before the window");
}

void pb_cell_finish(struct pb_cell *cell)
{
    struct pb_cell_result *result = cell->result;
    struct pb_heap *heap = cell->opened.heap;
    result->stream_hash = result->rate.hash;
    result->steps = pb_cell_steps(cell);
    result->wall_ns = (uint64_t)pb_cell_wall_ns(cell);
    result->paths = (cell->variant.ops->capabilities & PB_CAP_PATHS) != 0;
    merge_hists(cell);
    if (cell->audited) {
        add_opening(&cell->audit, cell->opening_bytes);
        forget_others(&cell->audit.at_live_peak, &cell->at_open);
        forget_others(&cell->audit.at_end, &cell->at_open);
    }
    if (heap->ops->version == NULL ||
        heap->ops->version(heap, result->version, sizeof result->version) != 0)
        snprintf(result->version, sizeof result->version, "poolbench");
    describe_placement(cell, result->placement, sizeof result->placement);
    probe_values(cell);
    warn_of_cold(cell);
}

void pb_cell_result_free(struct pb_cell_result *result)
{
    for (int i = 0; i < PB_VIEW_N; i++) {
        if (result->hists[i] != NULL)
            pb_pages_unmap(result->hists[i], sizeof *result->hists[i]);
        result->hists[i] = NULL;
    }
    if (result->tags != NULL)
        pb_pages_unmap(result->tags, result->tags_mapped * sizeof *result->tags);
    result->tags = NULL;
    result->tags_n = result->tags_mapped = 0;
}

int pb_metric_index(const char *key)
{
    const struct pb_probe *probe;
    int index = 0;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL; i++)
        for (const struct pb_metric *m = probe->metrics; m->key != NULL; m++, index++)
            if (strcmp(m->key, key) == 0)
                return index;
    return -1;
}

/* "size=64,n=32" -> "/size:64/n:32"; a path in a value is reduced to its file name. */
static void append_params(char *out, size_t size, const char *params)
{
    size_t used = strlen(out);
    while (*params != '\0' && used + 1 < size) {
        size_t length = strcspn(params, ","), key = strcspn(params, "=");
        const char *value = params + (key < length ? key + 1 : length);
        size_t value_length = length - (size_t)(value - params);
        for (size_t i = value_length; i-- > 0;)
            if (value[i] == '/') {
                value_length -= i + 1;
                value += i + 1;
                break;
            }
        used +=
            (size_t)snprintf(out + used, size - used, "/%.*s:%.*s",
                             (int)(key < length ? key : length), params, (int)value_length, value);
        params += length + (params[length] == ',');
    }
}

int pb_cell_name(const struct pb_cell_spec *spec, char *out, size_t size)
{
    snprintf(out, size, "%s/alloc:%s%s", spec->workload, spec->variant, spec->alias ? "@aa" : "");
    append_params(out, size, spec->params);
    const struct {
        const char *key, *value, *standard;
    } parts[] = {{"dispatch", pb_dispatch_names[spec->dispatch], "call"},
                 {"pin", spec->pin, "core"},
                 {"memory", spec->memory, "default"},
                 {"start", spec->start, "warm"},
                 {"arrival", spec->arrival, "closed"},
                 {"delay", spec->delay, "none"}};
    size_t used = strlen(out);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && used < size; i++)
        if (strcmp(parts[i].value, parts[i].standard) != 0)
            used +=
                (size_t)snprintf(out + used, size - used, "/%s:%s", parts[i].key, parts[i].value);
    if (used < size)
        used += (size_t)snprintf(out + used, size - used, "/threads:%u", spec->threads);
    return used < size ? (int)used : -ENOSPC;
}
