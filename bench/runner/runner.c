/* SPDX-License-Identifier: MIT */
/* Running a plan, and what is left of one: runner.h. */
#include "runner/runner.h"

#include "engine/rng.h"
#include "runner/json_line.h"
#include "runner/machine.h"
#include "runner/preload.h"
#include "runner/progress.h"
#include "runner/record.h"
#include "runner/run.h"
#include "runner/store.h"
#include "runner/wire.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PADDING_BYTES = 4096, STREAM_PADDING = 0x70616464 };

struct session {
    struct pb_matrix *matrix;
    struct pb_topology *topology;
    struct pb_plan *plan;
    struct pb_store store;
    struct pb_interrupts interrupts;
    struct pb_progress progress;
    const char *program;
    bool *done;    /* [cell][block] */
    bool *settled; /* [cell]: it said that it cannot run here; once is enough */
    size_t counts[PB_STATUSES];
    char message[PB_MESSAGE_MAX];
};

/* Applied in this order, whatever the order on the command line: what runs before what it is given.
 */
static const char *const override_order[] = {
    "workload",   "trace",         "alloc",     "threads", "pin",     "dispatch",
    "memory",     "oversubscribe", "blocks",    "seed",    "timeout", "memory_limit",
    "sample_gap", "scale",         "reference", "aa",      "audit",   "set"};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int apply_options(struct session *s, const json_t *options)
{
    int error = 0;
    for (size_t i = 0; i < sizeof override_order / sizeof *override_order; i++) {
        const char *key = override_order[i];
        const json_t *value = json_object_get(options, key);
        size_t n = json_is_array(value) ? json_array_size(value) : value != NULL;
        for (size_t k = 0; error == 0 && k < n; k++) {
            const json_t *one = json_is_array(value) ? json_array_get(value, k) : value;
            if (json_is_string(one))
                error = pb_matrix_override(s->matrix, key, json_string_value(one), s->message,
                                           sizeof s->message);
        }
    }
    return error;
}

/* Reads the matrix, applies the options, looks at the machine and plans. Returns an exit code. */
static int prepare(struct session *s, const char *path, const json_t *options)
{
    const char *filter = json_string_value(json_object_get(options, "filter"));
    if (pb_matrix_read(path, &s->matrix, s->message, sizeof s->message) != 0 ||
        apply_options(s, options) != 0)
        return PB_EXIT_USAGE;
    if (pb_topology_load(NULL, &s->topology) != 0) {
        snprintf(s->message, sizeof s->message, "hwloc cannot read this machine's topology");
        return PB_EXIT_MACHINE;
    }
    int error =
        pb_plan_make(s->matrix, s->topology, filter, &s->plan, s->message, sizeof s->message);
    if (error != 0)
        return error == -ENOENT ? PB_EXIT_NOTHING : PB_EXIT_USAGE;
    s->done = calloc(s->plan->cells_n * s->plan->blocks, sizeof *s->done);
    s->settled = calloc(s->plan->cells_n, sizeof *s->settled);
    if (s->done == NULL || s->settled == NULL) {
        snprintf(s->message, sizeof s->message, "out of memory");
        return PB_EXIT_MACHINE;
    }
    return PB_EXIT_GOOD;
}

static void session_close(struct session *s)
{
    pb_store_close(&s->store);
    pb_interrupts_close(&s->interrupts);
    pb_plan_free(s->plan);
    if (s->topology != NULL)
        pb_topology_free(s->topology);
    pb_matrix_free(s->matrix);
    free(s->done);
    free(s->settled);
}

static int complain(const struct session *s, int code)
{
    fprintf(stderr, "%s\n", s->message);
    return code;
}

static bool *done_at(struct session *s, size_t cell, unsigned block)
{
    return &s->done[cell * s->plan->blocks + block];
}

static bool is_todo(struct session *s, const struct pb_plan_slot *slot)
{
    return !*done_at(s, slot->cell, slot->block) && !s->settled[slot->cell];
}

/* What the child reads: the spec, and the limit that it sets itself. A sanitizer's own memory is
 * larger than any limit that makes sense. malloc'ed. */
static char *child_input(const struct session *s, const struct pb_cell_spec *spec)
{
    json_t *json = pb_wire_spec_to_json(spec);
    uint64_t limit = pb_suite_sanitizer[0] == '\0' ? s->matrix->settings.memory_limit : 0;
    if (json == NULL)
        return NULL;
    json_object_set_new(json, "memory_limit", json_integer((json_int_t)limit));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* Runs a cell in a child. Returns 0; -EINTR; an error of starting it is an outcome too. */
static int run_child(struct session *s, const struct pb_plan_slot *slot, struct pb_outcome *outcome)
{
    static const char *const argv[] = {"poolbench", "child", NULL};
    const struct pb_cell_spec *spec = &s->plan->cells[slot->cell].spec;
    struct pb_variant variant;
    struct pb_rng rng;
    char library[PATH_MAX];
    char *input = child_input(s, spec);
    int error = input != NULL ? pb_variant_parse(spec->variant, &variant, outcome->reason,
                                                 sizeof outcome->reason)
                              : -ENOMEM;
    if (error == 0) {
        pb_rng_seed(&rng, spec->seed, STREAM_PADDING + ((uint64_t)slot->block << 32) + slot->cell);
        struct pb_child child = {.program = s->program,
                                 .argv = argv,
                                 .input = input,
                                 .preload = pb_preload_for(&variant, library, sizeof library),
                                 .padding = (size_t)pb_rng_below(&rng, PADDING_BYTES + 1),
                                 .timeout = (double)s->matrix->settings.timeout,
                                 .interrupts = &s->interrupts};
        error = pb_spawn(&child, outcome);
    }
    free(input);
    if (error != 0 && error != -EINTR) {
        *outcome = (struct pb_outcome){.status = PB_FAILED};
        snprintf(outcome->reason, sizeof outcome->reason,
                 "the child cannot be started or watched: %s", strerror(-error));
        error = 0;
    }
    return error;
}

/* Counts a record, and keeps what it means for the rest of the run. */
static void note(struct session *s, const struct pb_plan_slot *slot, enum pb_status status)
{
    s->counts[status]++;
    *done_at(s, slot->cell, slot->block) = true;
    if (status == PB_SKIPPED || status == PB_UNAVAILABLE)
        s->settled[slot->cell] = true;
}

static void say_bad(struct session *s, const json_t *line)
{
    int status = pb_status_find(json_string_value(json_object_get(line, "status")));
    if (status != PB_OK && status != PB_SKIPPED && status != PB_UNAVAILABLE)
        pb_progress_say(&s->progress, "%s: %s: %s", pb_status_names[status],
                        json_string_value(json_object_get(line, "name")),
                        json_string_value(json_object_get(line, "reason")));
}

/* One repetition and its line. Returns 0; -EINTR; -errno when it cannot be written. */
static int run_slot(struct session *s, size_t order)
{
    const struct pb_plan_slot *slot = &s->plan->order[order];
    const struct pb_plan_cell *cell = &s->plan->cells[slot->cell];
    struct pb_outcome outcome = {.status = PB_FAILED};
    double began = now();
    int error = 0;
    pb_progress_show(&s->progress, slot);
    if (cell->mark == PB_OK)
        error = run_child(s, slot, &outcome);
    if (error != 0)
        return error;
    json_t *line = pb_record_rep(s->store.run, cell, slot->block, (unsigned)order,
                                 cell->mark == PB_OK ? &outcome : NULL);
    error = pb_store_append(&s->store, line, s->message, sizeof s->message);
    if (error == 0) {
        const char *status = json_string_value(json_object_get(line, "status"));
        note(s, slot, (enum pb_status)pb_status_find(status));
        pb_progress_took(&s->progress, slot, now() - began);
        say_bad(s, line);
    }
    json_decref(line);
    free(outcome.answer);
    return error;
}

static bool some_failed(const struct session *s)
{
    return s->counts[PB_FAILED] + s->counts[PB_CRASHED] + s->counts[PB_TIMEOUT] +
               s->counts[PB_OOM] + s->counts[PB_CORRUPT] >
           0;
}

/* Something that the matrix asks for is not on this machine, or nothing could be measured at all: one
 * line that says so. */
static bool missing(const struct session *s)
{
    const struct pb_plan_cell *cell = NULL;
    for (size_t i = 0; i < s->plan->cells_n; i++)
        if (s->plan->cells[i].mark != PB_OK && (cell == NULL || cell->mark != PB_UNAVAILABLE))
            cell = &s->plan->cells[i];
    if (cell == NULL || (cell->mark != PB_UNAVAILABLE && s->counts[PB_OK] > 0))
        return false;
    fprintf(stderr, "%s could not run here: %s%s\n", cell->name, cell->reason,
            s->counts[PB_OK] > 0 ? "; the others are measured" : "; nothing was measured");
    return true;
}

static int open_progress(struct session *s, bool quiet)
{
    unsigned *todo = calloc(s->plan->cells_n, sizeof *todo);
    int error = todo != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; error == 0 && i < s->plan->order_n; i++)
        todo[s->plan->order[i].cell] += is_todo(s, &s->plan->order[i]);
    if (error == 0)
        error = pb_progress_open(&s->progress, s->plan, todo, quiet);
    free(todo);
    return error;
}

/* A sanitizer ends the process with an exit status of its own where there would have been a signal.
 * Told to abort, a crash is a crash in these builds too. */
static void sanitizers_abort(void)
{
    static const char *const names[] = {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"};
    char value[1024];
    for (size_t i = 0; pb_suite_sanitizer[0] != '\0' && i < sizeof names / sizeof *names; i++) {
        const char *given = getenv(names[i]);
        snprintf(value, sizeof value, "%s%sabort_on_error=1", given != NULL ? given : "",
                 given != NULL ? ":" : "");
        setenv(names[i], value, 1);
    }
}

static void say_dropped(void)
{
    json_t *names = pb_machine_dropped(), *name;
    size_t i;
    json_array_foreach(names, i, name)
        fprintf(stderr, "%s%s",
                i == 0 ? "the cells run without these variables of the environment: " : ", ",
                json_string_value(name));
    if (json_array_size(names) > 0)
        fputc('\n', stderr);
    json_decref(names);
}

/* Everything that is to be done, then the last line. Returns an exit code. */
static int run_all(struct session *s, bool quiet)
{
    int error = pb_interrupts_open(&s->interrupts);
    if (error == 0)
        error = open_progress(s, quiet);
    if (error != 0) {
        snprintf(s->message, sizeof s->message, "the run cannot begin: %s", strerror(-error));
        return complain(s, PB_EXIT_MACHINE);
    }
    sanitizers_abort();
    say_dropped();
    for (size_t i = 0; error == 0 && i < s->plan->order_n; i++) {
        if (pb_interrupts_take(&s->interrupts) > 0)
            error = -EINTR;
        else if (is_todo(s, &s->plan->order[i]))
            error = run_slot(s, i);
    }
    pb_progress_close(&s->progress);
    if (error != 0 && error != -EINTR)
        return complain(s, PB_EXIT_FAILED);
    json_t *line = pb_record_end(s->store.run, error == 0, s->counts);
    int ended = pb_store_append(&s->store, line, s->message, sizeof s->message);
    json_decref(line);
    if (ended != 0)
        return complain(s, PB_EXIT_FAILED);
    if (error == -EINTR) {
        fprintf(stderr, "interrupted; go on with: poolbench resume %s\n", s->store.folder);
        return PB_EXIT_INTERRUPTED;
    }
    if (some_failed(s))
        return PB_EXIT_FAILED;
    return missing(s) ? PB_EXIT_MACHINE : PB_EXIT_GOOD;
}

int pb_runner_plan(const struct pb_request *request, FILE *out)
{
    struct session s = {.store.fd = -1, .interrupts.fd = -1};
    char path[PATH_MAX];
    int code = PB_EXIT_USAGE;
    if (pb_matrix_find(request->matrix, path, sizeof path, s.message, sizeof s.message) == 0)
        code = prepare(&s, path, request->options);
    if (code == PB_EXIT_GOOD)
        pb_plan_print(s.plan, s.matrix, out);
    else
        complain(&s, code);
    session_close(&s);
    return code;
}

int pb_runner_run(const struct pb_request *request, char *folder, size_t size)
{
    struct session s = {.store.fd = -1, .interrupts.fd = -1, .program = request->program};
    char path[PATH_MAX];
    int code = PB_EXIT_USAGE;
    folder[0] = '\0';
    if (pb_matrix_find(request->matrix, path, sizeof path, s.message, sizeof s.message) == 0)
        code = prepare(&s, path, request->options);
    if (code == PB_EXIT_GOOD &&
        pb_store_create(request->out, s.matrix->text, &s.store, s.message, sizeof s.message) != 0)
        code = PB_EXIT_USAGE;
    if (code == PB_EXIT_GOOD) {
        json_t *line = pb_record_run(s.store.run, s.matrix, request->options, s.topology);
        if (pb_store_append(&s.store, line, s.message, sizeof s.message) != 0)
            code = PB_EXIT_USAGE;
        json_decref(line);
    }
    if (code != PB_EXIT_GOOD) {
        complain(&s, code);
    } else {
        snprintf(folder, size, "%s", s.store.folder);
        code = run_all(&s, request->quiet);
    }
    session_close(&s);
    return code;
}

/* --- resume ----------------------------------------------------------------------------------- */

static void note_rep(struct session *s, const struct pb_rep *rep)
{
    for (size_t i = 0; i < s->plan->cells_n; i++) {
        struct pb_plan_slot slot = {rep->block, i};
        if (strcmp(s->plan->cells[i].id, rep->cell) == 0 && rep->block < s->plan->blocks) {
            note(s, &slot, rep->status);
            return;
        }
    }
    s->counts[rep->status]++;
}

/* Whether the run can go on here: the same matrix, machine and suite. */
static int check_same(struct session *s, const struct pb_run *run)
{
    char hash[17], what[64];
    const json_t *matrix = json_object_get(run->header, "matrix");
    const char *said = json_string_value(json_object_get(matrix, "hash"));
    snprintf(hash, sizeof hash, "%016llx",
             (unsigned long long)pb_hash_text(s->matrix->text, strlen(s->matrix->text)));
    if (said == NULL || strcmp(said, hash) != 0) {
        snprintf(s->message, sizeof s->message,
                 "%s/matrix.toml: not the matrix that the run began with; start a new run",
                 run->folder);
        return PB_EXIT_USAGE;
    }
    if (!pb_machine_same(run->header, s->topology, what, sizeof what)) {
        snprintf(s->message, sizeof s->message,
                 "%s: %s is not what the run began with; start a new run", run->folder, what);
        return PB_EXIT_MACHINE;
    }
    return PB_EXIT_GOOD;
}

int pb_runner_resume(const char *name, const char *program, bool quiet, char *folder, size_t size)
{
    struct session s = {.store.fd = -1, .interrupts.fd = -1, .program = program};
    struct pb_run *run = NULL;
    char path[PATH_MAX + 16];
    int code = PB_EXIT_USAGE;
    folder[0] = '\0';
    /* the lock comes first, so that nobody writes behind what is read here */
    if (pb_store_find(name, folder, size, s.message, sizeof s.message) == 0 &&
        pb_store_reopen(folder, &s.store, s.message, sizeof s.message) == 0 &&
        pb_run_load(folder, &run, s.message, sizeof s.message) == 0) {
        snprintf(path, sizeof path, "%s/matrix.toml", run->folder);
        code = prepare(&s, path, json_object_get(run->header, "options"));
    }
    if (code == PB_EXIT_GOOD)
        code = check_same(&s, run);
    if (code != PB_EXIT_GOOD) {
        folder[0] = '\0';
        complain(&s, code);
    } else {
        if (s.store.torn)
            fprintf(stderr, "%s: the last line was cut off; its repetition runs again\n", folder);
        for (size_t i = 0; i < run->reps_n; i++)
            note_rep(&s, &run->reps[i]);
        if (run->complete)
            code = some_failed(&s) ? PB_EXIT_FAILED : PB_EXIT_GOOD;
        else
            code = run_all(&s, quiet);
    }
    pb_run_free(run);
    session_close(&s);
    return code;
}
