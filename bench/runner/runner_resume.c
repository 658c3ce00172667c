/* SPDX-License-Identifier: MIT */
/* Taking a run up again: what of it is on disk, whether it may go on here, and what is left of it
 * (runner.h). What was measured is not measured again; what was unavailable is tried again, as its
 * library may have come. */
#include "runner/json_line.h"
#include "runner/machine.h"
#include "runner/run.h"
#include "runner/runner_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Whether a record is made anew: what could not run, where the plan finds nothing amiss any longer;
 * and, if that is asked for, what went wrong. */
static bool is_tried_again(const struct pb_plan_cell *cell, enum pb_status status, bool failed)
{
    if (status == PB_UNAVAILABLE)
        return cell->mark != PB_UNAVAILABLE;
    return failed && status != PB_OK && status != PB_SKIPPED;
}

static void note_rep(struct pb_work *s, const struct pb_rep *rep, bool failed)
{
    for (size_t i = 0; i < s->plan->cells_n; i++) {
        struct pb_plan_slot slot = {rep->block, i};
        if (strcmp(s->plan->cells[i].id, rep->cell) != 0 || rep->block >= s->plan->blocks)
            continue;
        bool settled = s->settled[i];
        pb_work_note(s, &slot, rep->json);
        pb_work_at(s, &slot)->earlier = true;
        if (is_tried_again(&s->plan->cells[i], rep->status, failed)) {
            pb_work_at(s, &slot)->again = true;
            s->settled[i] = settled;
        }
        return;
    }
    s->others[rep->status]++;
}

/* A file whole, or NULL: errno says why. */
static char *whole_file(const char *path)
{
    size_t room = 0;
    char *text = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    if (getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = ferror(file) != 0 ? NULL : strdup("");
    }
    fclose(file);
    return text;
}

/* The records hold the matrix too: what is gone is put back, and what is another is refused.
 * Returns an exit code. */
static int check_matrix(struct pb_work *s, const struct pb_run *run, const char *path)
{
    const json_t *matrix = json_object_get(run->header, "matrix");
    const char *then = json_string_value(json_object_get(matrix, "text"));
    int error = 0;
    if (then == NULL) {
        snprintf(s->message, sizeof s->message,
                 "%s/records.jsonl:1: the matrix's text is not there; start a new run",
                 run->folder);
        return PB_EXIT_USAGE;
    }
    char *now = whole_file(path);
    if (now == NULL && errno == ENOENT) {
        error = pb_store_put_matrix(&s->store, then, s->message, sizeof s->message);
        if (error == 0)
            fprintf(stderr, "%s was gone; it is put back from the records\n", path);
    } else if (now == NULL) {
        error = -errno;
        snprintf(s->message, sizeof s->message, "%.400s: %s", path, strerror(-error));
    } else if (strcmp(now, then) != 0) {
        error = -EINVAL;
        snprintf(
            s->message, sizeof s->message,
            "%.300s: not the matrix that the run began with; remove it and resume puts the right "
            "one back, or start a new run",
            path);
    }
    free(now);
    return error == 0 ? PB_EXIT_GOOD : pb_exit_of(error);
}

/* Finds, locks and reads the run, then plans it. The lock comes first, so that nobody writes behind
 * what is read here. Returns an exit code. */
static int take_up(struct pb_work *s, const char *name, char *folder, size_t size,
                   struct pb_run **run)
{
    char path[PATH_MAX + 16], what[64];
    int error = pb_store_find(name, folder, size, s->message, sizeof s->message);
    if (error == 0)
        error = pb_store_reopen(folder, &s->store, s->message, sizeof s->message);
    if (error == -EWOULDBLOCK)
        return PB_EXIT_USAGE;
    if (error == 0)
        error = pb_run_load(folder, run, s->message, sizeof s->message);
    if (error != 0)
        return pb_exit_of(error);
    snprintf(path, sizeof path, "%s/matrix.toml", (*run)->folder);
    int code = check_matrix(s, *run, path);
    if (code == PB_EXIT_GOOD)
        code = pb_work_prepare(s, path, json_object_get((*run)->header, "options"));
    if (code == PB_EXIT_GOOD && !pb_machine_same((*run)->header, s->topology, what, sizeof what)) {
        snprintf(s->message, sizeof s->message,
                 "%s: %s is not what the run began with; start a new run", (*run)->folder, what);
        code = PB_EXIT_MACHINE;
    }
    const json_t *layouts = json_object_get((*run)->header, "layouts");
    if (code == PB_EXIT_GOOD && json_is_integer(layouts) &&
        json_integer_value(layouts) != s->plan->layouts) {
        snprintf(s->message, sizeof s->message,
                 "%s: it began with %lld placements of the code, here are %u: build all of the "
                 "program (layouts/ beside it), or start a new run",
                 (*run)->folder, (long long)json_integer_value(layouts), s->plan->layouts);
        code = PB_EXIT_MACHINE;
    }
    return code;
}

/* Says how many are tried again: cells that could not run, repetitions that went wrong. */
static void say_again(const struct pb_work *s)
{
    size_t cells = 0, failed = 0;
    for (size_t i = 0; i < s->plan->cells_n * s->plan->blocks; i++) {
        bool absent = s->slots[i].status == PB_UNAVAILABLE;
        cells += s->slots[i].again && absent;
        failed += s->slots[i].again && !absent;
    }
    if (cells > 0)
        fprintf(stderr, "%zu cell%s that could not run %s tried again\n", cells,
                cells == 1 ? "" : "s", cells == 1 ? "is" : "are");
    if (failed > 0)
        fprintf(stderr, "%zu repetition%s that went wrong %s made again\n", failed,
                failed == 1 ? "" : "s", failed == 1 ? "is" : "are");
}

/* What every line tells of the run, those of superseded repetitions too: it is another session's.
 */
static int look_at_line(void *context, json_t *line, size_t number)
{
    struct pb_work *s = context;
    const char *kind = json_string_value(json_object_get(line, "kind"));
    json_int_t session = json_integer_value(json_object_get(line, "session"));
    (void)number;
    if (session >= s->session && session < UINT_MAX)
        s->session = (unsigned)session + 1;
    if (kind == NULL || strcmp(kind, "rep") != 0)
        return 0;
    s->disturbed += json_array_size(json_object_get(line, "disturbed")) > 0;
    s->repeated += json_integer_value(json_object_get(line, "attempt")) > 1;
    pb_disturb_learn(&s->disturb, line);
    return 0;
}

/* All that is on disk, as it was noted when it was written. Returns an exit code. */
static int look_back(struct pb_work *s, const struct pb_run *run, bool retry_failed)
{
    char path[PATH_MAX + 16];
    struct pb_lines lines;
    snprintf(path, sizeof path, "%s/records.jsonl", run->folder);
    int error = pb_lines_read(path, look_at_line, s, &lines, s->message, sizeof s->message);
    if (error != 0)
        return pb_work_complain(s, pb_exit_of(error));
    for (size_t i = 0; i < run->reps_n; i++)
        note_rep(s, &run->reps[i], retry_failed);
    return PB_EXIT_GOOD;
}

/* Runs what is left, if anything is; where nothing is, the records stay byte for byte. */
static int go_on(struct pb_work *s, const struct pb_run *run, const struct pb_taking_up *how)
{
    int code = look_back(s, run, how->retry_failed);
    if (code != PB_EXIT_GOOD)
        return code;
    say_again(s);
    if (run->complete && !pb_work_is_left(s))
        return pb_work_verdict(s);
    if (s->store.torn) {
        int error = pb_store_cut(&s->store, s->message, sizeof s->message);
        if (error != 0)
            return pb_work_complain(s, pb_exit_of(error));
        fprintf(stderr, "%s: the last line was cut off and is dropped\n", run->folder);
    }
    return pb_work_run(s, how->quiet);
}

int pb_runner_resume(const struct pb_taking_up *how, char *folder, size_t size)
{
    struct pb_work s;
    struct pb_run *run = NULL;
    folder[0] = '\0';
    pb_work_open(&s, how->program);
    int code = take_up(&s, how->run, folder, size, &run);
    if (code == PB_EXIT_GOOD) {
        code = go_on(&s, run, how);
    } else {
        folder[0] = '\0';
        pb_work_complain(&s, code);
    }
    pb_run_free(run);
    pb_work_close(&s);
    return code;
}
