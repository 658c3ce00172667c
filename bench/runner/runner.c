/* SPDX-License-Identifier: MIT */
/* Running a plan: runner.h. What is left of one is runner_resume.c's. */
#include "runner/runner.h"

#include "runner/header.h"
#include "runner/machine.h"
#include "runner/record.h"
#include "runner/runner_internal.h"
#include "runner/tags.h"
#include "runner/wire.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Applied in this order, whatever the order on the command line: what runs before what it is given.
 */
static const char *const override_order[] = {
    "workload",  "trace",   "alloc", "threads",       "pin",          "dispatch",   "memory",
    "start",     "arrival", "delay", "oversubscribe", "blocks",       "target",     "most_blocks",
    "budget",    "retries", "seed",  "timeout",       "memory_limit", "sample_gap", "scale",
    "reference", "aa",      "audit", "counters",      "set"};

static int apply_options(struct pb_work *s, const json_t *options)
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

void pb_work_open(struct pb_work *s, const char *program)
{
    *s = (struct pb_work){.store.fd = -1, .interrupts.fd = -1};
    pb_layouts_open(&s->layouts, program);
    signal(SIGXFSZ,
           SIG_IGN); /* a file that may not grow is an error of write(2) like a full disk */
}

int pb_work_prepare(struct pb_work *s, const char *path, const json_t *options)
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
        return error == -ENOENT ? PB_EXIT_NOTHING : pb_exit_of(error);
    s->plan->layouts = s->layouts.n;
    s->slots = calloc(s->plan->cells_n * s->plan->blocks, sizeof *s->slots);
    s->settled = calloc(s->plan->cells_n, sizeof *s->settled);
    s->looks = json_array();
    if (s->slots == NULL || s->settled == NULL || s->looks == NULL) {
        snprintf(s->message, sizeof s->message, "out of memory");
        return PB_EXIT_MACHINE;
    }
    return PB_EXIT_GOOD;
}

/* What a request asks for, planned. Returns an exit code. */
static int prepare_new(struct pb_work *s, const struct pb_request *request)
{
    char path[PATH_MAX];
    int code = PB_EXIT_USAGE;
    if (pb_matrix_find(request->matrix, path, sizeof path, s->message, sizeof s->message) == 0)
        code = pb_work_prepare(s, path, request->options);
    return code == PB_EXIT_GOOD ? pb_work_check_target(s, request->options) : code;
}

/* Where the table of tags of the child at work is, for poolmon; one that a run left behind that did
 * not reach its end is nobody's. Of a path that is too long there is none. */
static void open_poolmon(struct pb_work *s)
{
    int length = snprintf(s->poolmon, sizeof s->poolmon, "%s/" PB_STORE_TAGS, s->store.folder);
    if (length < 0 || (size_t)length >= sizeof s->poolmon)
        s->poolmon[0] = '\0';
    else
        unlink(s->poolmon);
}

void pb_work_close(struct pb_work *s)
{
    if (s->poolmon[0] != '\0')
        unlink(s->poolmon); /* before the lock goes: then it is another's */
    pb_store_close(&s->store);
    pb_interrupts_close(&s->interrupts);
    pb_layouts_close(&s->layouts);
    pb_plan_free(s->plan);
    if (s->topology != NULL)
        pb_topology_free(s->topology);
    pb_matrix_free(s->matrix);
    pb_disturb_close(&s->disturb);
    json_decref(s->looks);
    free(s->slots);
    free(s->settled);
}

int pb_exit_of(int error)
{
    return pb_shortage(error) != NULL ? PB_EXIT_MACHINE : PB_EXIT_USAGE;
}

int pb_work_complain(const struct pb_work *s, int code)
{
    fprintf(stderr, "%s\n", s->message);
    return code;
}

static bool some_failed(const size_t counts[PB_STATUSES])
{
    return counts[PB_FAILED] + counts[PB_CRASHED] + counts[PB_TIMEOUT] + counts[PB_OOM] +
               counts[PB_CORRUPT] >
           0;
}

/* Something that the matrix asks for is not on this machine, or nothing could be measured at all:
 * one line that says so. */
static bool missing(const struct pb_work *s, const size_t counts[PB_STATUSES])
{
    const struct pb_plan_cell *cell = NULL;
    for (size_t i = 0; i < s->plan->cells_n; i++)
        if (s->plan->cells[i].mark != PB_OK && (cell == NULL || cell->mark != PB_UNAVAILABLE))
            cell = &s->plan->cells[i];
    const char *others = some_failed(counts) ? "" : "; the others are measured";
    const char *rest = counts[PB_OK] > 0 ? others : "; nothing was measured";
    bool planned = cell != NULL && cell->mark == PB_UNAVAILABLE;
    if (!planned && s->absent[0] != '\0')
        fprintf(stderr, "%s%s\n", s->absent, rest);
    else if (planned || (cell != NULL && counts[PB_OK] == 0))
        fprintf(stderr, "%s could not run here: %s%s\n", cell->name, cell->reason, rest);
    else
        return false;
    return true;
}

static int open_progress(struct pb_work *s, bool quiet)
{
    unsigned *todo = calloc(s->plan->cells_n, sizeof *todo);
    int error = todo != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; error == 0 && i < s->plan->order_n; i++)
        todo[s->plan->order[i].cell] += pb_work_is_todo(s, &s->plan->order[i]);
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

/* What makes all of a run worth less: a build that checks itself (methodology R22); memory, or
 * code, that lies alike in every repetition (R5). */
static void say_conditions(const struct pb_work *s)
{
    bool sanitized = pb_suite_sanitizer[0] != '\0';
    if (PB_CHECK > 0 || sanitized)
        fprintf(stderr, "this build checks itself (PB_CHECK=%d%s%s): its times are no results\n",
                PB_CHECK, sanitized ? ", sanitizer " : "", pb_suite_sanitizer);
    if (!pb_spawn_randomizes())
        fputs("memory is not laid out at random (ASLR is off): every repetition has the same luck; "
              "see poolbench doctor\n",
              stderr);
    if (s->layouts.n == 1)
        fputs("the code has one placement (there are no layouts/ beside the program): every "
              "repetition has the same luck\n",
              stderr);
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

int pb_work_verdict(const struct pb_work *s)
{
    size_t counts[PB_STATUSES];
    pb_work_count(s, counts);
    int code = missing(s, counts) ? PB_EXIT_MACHINE : PB_EXIT_GOOD;
    return some_failed(counts) ? PB_EXIT_FAILED : code;
}

/* Why a run ends before its time, and how it goes on. */
static void say_stopped(const struct pb_work *s, const char *why)
{
    if (s->part)
        fprintf(stderr, "%s\n", why);
    else
        fprintf(stderr, "%s; go on with: poolbench resume %s\n", why, s->store.folder);
}

static int stop(struct pb_work *s)
{
    size_t used = strlen(s->message);
    snprintf(s->message + used, sizeof s->message - used, "; what is measured is kept");
    say_stopped(s, s->message);
    return PB_EXIT_MACHINE;
}

/* The last line: what the run was like. */
static json_t *end_line(const struct pb_work *s, bool done)
{
    const struct pb_plan_slot *order = s->plan->order;
    size_t counts[PB_STATUSES], still = 0, whole = 0;
    pb_work_count(s, counts);
    json_t *line = pb_record_end(s->store.run, done, counts);
    for (size_t i = 0; i < s->plan->order_n; i++)
        still += pb_work_at(s, &order[i])->disturbed;
    while (whole < s->plan->order_n && !pb_work_is_todo(s, &order[whole]))
        whole++;
    json_object_set_new(
        line, "blocks",
        json_integer(whole < s->plan->order_n ? order[whole].block : s->plan->blocks));
    json_object_set_new(line, "session", json_integer(s->session));
    json_object_set_new(line, "disturbed", json_integer((json_int_t)s->disturbed));
    json_object_set_new(line, "repeated", json_integer((json_int_t)s->repeated));
    json_object_set_new(line, "still_disturbed", json_integer((json_int_t)still));
    if (s->stopped_by != NULL)
        json_object_set_new(line, "stopped_by", json_string(s->stopped_by));
    if (s->matrix->target > 0) {
        json_object_set(line, "looks", s->looks);
        json_object_set_new(line, "look", json_string(s->looked));
    }
    return line;
}

static void say_end(const struct pb_work *s, const json_t *line, bool quiet)
{
    long long disturbed = json_integer_value(json_object_get(line, "disturbed"));
    if (disturbed > 0 && !quiet)
        fprintf(stderr,
                "%lld repetition%s disturbed, %lld repeated; %lld stay so, and are flagged\n",
                disturbed, disturbed == 1 ? " was" : "s were",
                json_integer_value(json_object_get(line, "repeated")),
                json_integer_value(json_object_get(line, "still_disturbed")));
    if (s->stopped_by != NULL && strcmp(s->stopped_by, "budget") == 0)
        fprintf(stderr,
                "the budget of %s is used up: %lld of %u blocks are done; go on with: poolbench "
                "resume %s\n",
                s->matrix->settings.budget, json_integer_value(json_object_get(line, "blocks")),
                s->plan->blocks, s->store.folder);
}

int pb_work_run(struct pb_work *s, bool quiet)
{
    int error = pb_interrupts_open(&s->interrupts);
    if (error == 0)
        error = open_progress(s, quiet);
    if (error != 0) {
        const char *remedy = pb_shortage(error);
        snprintf(s->message, sizeof s->message, "the run cannot begin: %s%s%s", strerror(-error),
                 remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
        return stop(s);
    }
    open_poolmon(s);
    sanitizers_abort();
    say_conditions(s);
    say_dropped();
    error = pb_work_blocks(s);
    pb_progress_close(&s->progress);
    if (error != 0 && error != -EINTR)
        return stop(s);
    json_t *line = end_line(s, error == 0);
    int ended = pb_store_append(&s->store, line, s->message, sizeof s->message);
    if (ended == 0)
        say_end(s, line, quiet);
    json_decref(line);
    if (ended != 0)
        return stop(s);
    if (error == -EINTR) {
        say_stopped(s, "interrupted");
        return PB_EXIT_INTERRUPTED;
    }
    return pb_work_verdict(s);
}

int pb_runner_plan(const struct pb_request *request, FILE *out)
{
    struct pb_work s;
    pb_work_open(&s, request->program);
    int code = prepare_new(&s, request);
    if (code != PB_EXIT_GOOD)
        pb_work_complain(&s, code);
    else if (!request->json)
        pb_plan_print(s.plan, s.matrix, out);
    else if (pb_plan_manifest(s.plan, out) != 0)
        code = PB_EXIT_MACHINE;
    pb_work_close(&s);
    return code;
}

/* The folder and its first line. Returns an exit code. */
static int begin(struct pb_work *s, const struct pb_request *request)
{
    static struct pb_findings findings;
    struct pb_doctor_seen seen;
    char why[PB_MESSAGE_MAX - 16];
    pb_doctor_see(&seen, pb_topology_units(s->topology), s->matrix->settings.counters, false);
    pb_doctor_find(&seen, &findings);
    if (request->strict && pb_doctor_refuses(&findings, why, sizeof why)) {
        snprintf(s->message, sizeof s->message, "--strict-env: %s", why);
        return PB_EXIT_MACHINE;
    }
    int error =
        pb_store_create(request->out, s->matrix->text, &s->store, s->message, sizeof s->message);
    if (error != 0)
        return pb_exit_of(error);
    json_t *line = pb_record_run(s->store.run, s->matrix, request->options, s->topology);
    json_object_set_new(line, "layouts", json_integer(s->plan->layouts));
    json_object_set_new(line, "aslr", json_boolean(pb_spawn_randomizes()));
    pb_header_complete(line, &seen, &findings);
    error = pb_header_check(line, s->message, sizeof s->message);
    if (error == 0)
        error = pb_store_append(&s->store, line, s->message, sizeof s->message);
    json_decref(line);
    if (error == 0)
        return PB_EXIT_GOOD;
    size_t used = strlen(s->message);
    snprintf(s->message + used, sizeof s->message - used, ", or give another --out");
    pb_store_discard(&s->store);
    return PB_EXIT_MACHINE;
}

int pb_runner_run(const struct pb_request *request, char *folder, size_t size)
{
    struct pb_work s;
    folder[0] = '\0';
    pb_work_open(&s, request->program);
    s.part = request->part;
    int code = prepare_new(&s, request);
    if (code == PB_EXIT_GOOD)
        code = begin(&s, request);
    if (code != PB_EXIT_GOOD) {
        pb_work_complain(&s, code);
    } else {
        snprintf(folder, size, "%s", s.store.folder);
        code = pb_work_run(&s, request->quiet);
    }
    pb_work_close(&s);
    return code;
}
