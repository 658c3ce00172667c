/* SPDX-License-Identifier: MIT */
/* Reading a run back from its records: run.h. Nothing is trusted: a line may be of another program.
 */
#include "runner/run.h"

#include "runner/json_line.h"
#include "runner/store.h"
#include "runner/wire.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA = 1 };

struct loader {
    struct pb_run *run;
    size_t room;
    const char *path;
    char *message;
    size_t message_size;
};

static int refuse(const struct loader *l, size_t line, const char *what)
{
    snprintf(l->message, l->message_size, "%s:%zu: %s", l->path, line, what);
    return -EINVAL;
}

/* The same, where the file does without that line. */
static int refuse_line(const struct loader *l, size_t line, const char *what)
{
    refuse(l, line, what);
    pb_line_remedy(l->path, line, l->message, l->message_size);
    return -EINVAL;
}

/* The name without "/alloc:LABEL"; malloc'ed. */
static char *group_of(const char *name, const char *alloc)
{
    char *group = strdup(name), *at = group != NULL ? strstr(group, "/alloc:") : NULL;
    size_t length = strlen(alloc) + 7;
    if (at != NULL && strncmp(at + 7, alloc, strlen(alloc)) == 0 &&
        (at[length] == '/' || at[length] == '\0'))
        memmove(at, at + length, strlen(at + length) + 1);
    return group;
}

static bool number(const json_t *object, const char *key, unsigned *out)
{
    const json_t *value = json_object_get(object, key);
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || n > UINT_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

int pb_rep_of_line(json_t *line, struct pb_rep *rep)
{
    const struct {
        const char *key, **slot;
    } texts[] = {
        {"name", &rep->name},     {"cell", &rep->cell},         {"alloc", &rep->alloc},
        {"reason", &rep->reason}, {"workload", &rep->workload}, {"dispatch", &rep->dispatch},
        {"pin", &rep->pin}};
    *rep = (struct pb_rep){.json = line};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i].slot = json_string_value(json_object_get(line, texts[i].key));
        if (*texts[i].slot == NULL)
            return -EINVAL;
    }
    const char *status = json_string_value(json_object_get(line, "status"));
    int found = status != NULL ? pb_status_find(status) : -1;
    rep->status = (enum pb_status)found;
    return found >= 0 && number(line, "block", &rep->block) && number(line, "order", &rep->order) &&
                   number(line, "threads", &rep->threads)
               ? 0
               : -EINVAL;
}

static int load_rep(struct loader *l, json_t *object, size_t line)
{
    struct pb_run *run = l->run;
    struct pb_rep rep;
    if (pb_rep_of_line(object, &rep) != 0)
        return refuse_line(l, line, "a repetition lacks a field that results/README.md names");
    if (run->reps_n == l->room) {
        size_t room = l->room != 0 ? 2 * l->room : 256;
        struct pb_rep *reps = realloc(run->reps, room * sizeof *reps);
        if (reps == NULL)
            return -ENOMEM;
        run->reps = reps;
        l->room = room;
    }
    rep.group = group_of(rep.name, rep.alloc);
    if (rep.group == NULL)
        return -ENOMEM;
    json_incref(object);
    run->reps[run->reps_n++] = rep;
    return 0;
}

static int load_line(void *context, json_t *object, size_t line)
{
    struct loader *l = context;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *status = json_string_value(json_object_get(object, "status"));
    if (json_integer_value(json_object_get(object, "v")) != SCHEMA)
        return refuse(l, line, "the schema is not 1: written by another version of poolbench");
    if (kind == NULL || (line == 1) != (strcmp(kind, "run") == 0))
        return refuse_line(l, line, "the first line, and no other, is of kind 'run'");
    l->run->complete = strcmp(kind, "end") == 0 && status != NULL && strcmp(status, "done") == 0;
    if (line == 1)
        l->run->header = json_incref(object);
    if (strcmp(kind, "end") == 0) {
        json_decref(l->run->end);
        l->run->end = json_incref(object);
    }
    return strcmp(kind, "rep") == 0 ? load_rep(l, object, line) : 0;
}

static int by_cell(const void *left, const void *right)
{
    const struct pb_rep *a = *(const struct pb_rep *const *)left;
    const struct pb_rep *b = *(const struct pb_rep *const *)right;
    int by = strcmp(a->cell, b->cell);
    by = by != 0 ? by : (a->block > b->block) - (a->block < b->block);
    return by != 0 ? by : (a > b) - (a < b);
}

static void clear_rep(struct pb_rep *rep)
{
    free((void *)(uintptr_t)rep->group); /* ours, though const to readers */
    json_decref(rep->json);
    *rep = (struct pb_rep){0};
}

/* Of several repetitions of a cell in one block the last counts. */
static int drop_superseded(struct pb_run *run)
{
    size_t kept = 0, n = run->reps_n;
    struct pb_rep **sorted = calloc(n + 1, sizeof *sorted);
    if (sorted == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &run->reps[i];
    qsort(sorted, n, sizeof(struct pb_rep *), by_cell);
    for (size_t i = 0; i + 1 < n; i++)
        if (sorted[i]->block == sorted[i + 1]->block &&
            strcmp(sorted[i]->cell, sorted[i + 1]->cell) == 0)
            clear_rep(sorted[i]);
    for (size_t i = 0; i < n; i++)
        if (run->reps[i].json != NULL)
            run->reps[kept++] = run->reps[i];
    run->superseded = n - kept;
    run->reps_n = kept;
    free(sorted);
    return 0;
}

int pb_run_load(const char *folder, struct pb_run **out, char *message, size_t message_size)
{
    char path[PATH_MAX];
    struct pb_lines lines;
    struct pb_run *run = calloc(1, sizeof *run);
    struct loader l = {.run = run, .path = path, .message = message, .message_size = message_size};
    int error = run != NULL ? 0 : -ENOMEM;
    if (error == 0)
        error = pb_store_find(folder, path, sizeof path, message, message_size);
    if (error == 0 && (run->folder = strdup(path)) == NULL)
        error = -ENOMEM;
    if (error == 0) {
        strncat(path, "/records.jsonl", sizeof path - strlen(path) - 1);
        error = pb_lines_read(path, load_line, &l, &lines, message, message_size);
    }
    if (error == 0 && run->header == NULL) {
        snprintf(message, message_size,
                 "%s: not one whole line in it; if it is of a run that had not begun, remove that "
                 "file and start anew",
                 path);
        error = -EINVAL;
    }
    if (error == 0)
        error = drop_superseded(run);
    if (error != 0) {
        pb_run_free(run);
        if (error == -ENOMEM)
            snprintf(message, message_size, "%s: out of memory", folder);
        return error;
    }
    run->torn = lines.torn;
    *out = run;
    return 0;
}

void pb_run_free(struct pb_run *run)
{
    if (run == NULL)
        return;
    for (size_t i = 0; i < run->reps_n; i++)
        clear_rep(&run->reps[i]);
    free(run->reps);
    json_decref(run->header);
    json_decref(run->end);
    free(run->folder);
    free(run);
}

double pb_rep_metric(const struct pb_rep *rep, const char *key)
{
    const json_t *value = json_object_get(json_object_get(rep->json, "m"), key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

int pb_rep_hist(const struct pb_rep *rep, const char *which, struct pb_hist *hist)
{
    const json_t *one = json_object_get(json_object_get(rep->json, "hist"), which);
    const char *codec = json_string_value(json_object_get(one, "codec"));
    const char *data = json_string_value(json_object_get(one, "data"));
    if (one == NULL)
        return -ENOENT;
    if (codec == NULL || strcmp(codec, "hdr2") != 0 || data == NULL)
        return -EINVAL;
    return pb_hist_decode(hist, data);
}

double pb_rep_hist_per_ns(const struct pb_rep *rep, const char *which)
{
    const json_t *one = json_object_get(json_object_get(rep->json, "hist"), which);
    const json_t *unit = json_object_get(one, "unit");
    const char *name = unit != NULL ? json_string_value(unit) : "ns";
    if (name == NULL)
        return 0;
    return strcmp(name, "ns") == 0 ? 1 : strcmp(name, "ps") == 0 ? 1000 : 0;
}

const char *pb_run_checks(const struct pb_run *run)
{
    const json_t *suite = json_object_get(run->header, "suite");
    const char *sanitizer = json_string_value(json_object_get(suite, "sanitizer"));
    if (sanitizer != NULL && sanitizer[0] != '\0')
        return sanitizer;
    return json_integer_value(json_object_get(suite, "check")) > 0 ? "debug" : "";
}
