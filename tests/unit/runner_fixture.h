/* SPDX-License-Identifier: MIT */
/* For tests of whole runs: a folder, a matrix of two cells in it, a shell script in the place of
 * the child, and what is said and on disk afterwards. Include after cmocka. One thread; below the
 * working folder. */
#ifndef PB_TEST_RUNNER_FIXTURE_H
#define PB_TEST_RUNNER_FIXTURE_H

#include "runner/json_line.h"
#include "runner/run.h"
#include "runner/runner.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD        "echo '{\"status\":\"ok\",\"reason\":\"\",\"wall_ns\":5}'"
#define UNAVAILABLE "echo '{\"status\":\"unavailable\",\"reason\":\"not here\"}'"
#define ZONE        "*zone*) " /* a pattern of the spec that the child reads */

#define MATRIX_OF(settings)                                                                        \
    "name = \"m\"\nreference = \"pool\"\naa = false\n" settings                                    \
    "[axes]\nalloc = [\"pool\", \"zone\"]\n[[workload]]\nname = \"pair\"\nops = 1000\n"
#define MATRIX MATRIX_OF("blocks = 3\n")

static const char *matrix_text; /* MATRIX, unless a test says otherwise */
static bool retry_failed;
static char folder[64], said[4096];

static inline char *below(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void put(const char *name, const char *text, unsigned mode)
{
    FILE *file = fopen(below(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(below(name), mode);
}

/* The child: `cases` answer to what they match, anything else is good. $n is the number of the
 * call, from 1. */
static inline void put_child(const char *cases)
{
    static const char text[] = "#!/bin/sh\necho >>${0%%/*}/calls; n=$(wc -l <${0%%/*}/calls)\n"
                               "case $(cat) in\n%s*) " GOOD " ;;\nesac\n";
    char script[2048];
    snprintf(script, sizeof script, text, cases);
    put("child", script, 0755);
}

/* How often the child was started. */
static inline size_t calls(void)
{
    struct stat st = {0};
    return stat(below("calls"), &st) == 0 ? (size_t)st.st_size : 0;
}

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "runner-XXXXXX");
    matrix_text = MATRIX;
    retry_failed = false;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int drop_folder(void **state)
{
    static const char *const names[] = {
        "run/records.jsonl", "run/matrix.toml", "run", "m.toml", "child", "calls", "said"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(below(names[i]));
    return rmdir(folder);
}

/* Catches what is said on standard error. */
static inline int hush(void)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    int fd = open(below("said"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return kept;
}

/* Takes out what is said of the build and the machine: it depends on where the test runs. */
static inline void forget_conditions(void)
{
    static const char *const begins[] = {"this build checks itself", "memory is not laid out",
                                         "the code has one placement"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        char *at = strstr(said, begins[i]), *end = at != NULL ? strchr(at, '\n') : NULL;
        if (end != NULL)
            memmove(at, end + 1, strlen(end + 1) + 1);
    }
}

static inline void listen_again(int kept)
{
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    FILE *file = fopen(below("said"), "r");
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    forget_conditions();
}

static inline size_t lines_said(void)
{
    size_t n = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
        n++;
    return n;
}

static inline int run(void)
{
    char out[128], program[128], matrix[128], made[PATH_MAX];
    snprintf(out, sizeof out, "%s/run", folder);
    snprintf(program, sizeof program, "%s/child", folder);
    snprintf(matrix, sizeof matrix, "./%s/m.toml", folder);
    put("m.toml", matrix_text, 0644);
    json_t *options = json_object();
    const struct pb_request request = {
        .matrix = matrix, .options = options, .out = out, .program = program, .quiet = true};
    int kept = hush();
    int code = pb_runner_run(&request, made, sizeof made);
    listen_again(kept);
    json_decref(options);
    return code;
}

static inline int resume(void)
{
    char out[128], program[128], made[PATH_MAX];
    snprintf(out, sizeof out, "%s/run", folder);
    snprintf(program, sizeof program, "%s/child", folder);
    int kept = hush();
    const struct pb_taking_up how = {
        .run = out, .program = program, .quiet = true, .retry_failed = retry_failed};
    int code = pb_runner_resume(&how, made, sizeof made);
    listen_again(kept);
    return code;
}

/* The repetitions that count, of that status. */
static inline size_t count(enum pb_status status)
{
    struct pb_run *loaded = NULL;
    char message[512] = "";
    size_t n = 0;
    if (pb_run_load(below("run"), &loaded, message, sizeof message) != 0)
        fail_msg("%s", message);
    for (size_t i = 0; i < loaded->reps_n; i++)
        n += loaded->reps[i].status == status;
    pb_run_free(loaded);
    return n;
}

static inline off_t records_size(void)
{
    struct stat st = {0};
    assert_int_equal(stat(below("run/records.jsonl"), &st), 0);
    return st.st_size;
}

/* The last line, which is of kind "end": its value for a key; the caller's own reference. */
static inline json_t *end_value(const char *key)
{
    char line[8192] = "", last[8192] = "";
    json_t *object = NULL;
    FILE *file = fopen(below("run/records.jsonl"), "r");
    while (fgets(line, sizeof line, file) != NULL)
        if (strchr(line, '\n') != NULL)
            strcpy(last, line);
    fclose(file);
    assert_int_equal(pb_line_parse(last, strcspn(last, "\n"), &object), 0);
    assert_string_equal(json_string_value(json_object_get(object, "kind")), "end");
    json_t *value = json_incref(json_object_get(object, key));
    json_decref(object);
    return value;
}

/* A number of it: how many repetitions of a status it counts, or another. */
static inline json_int_t ended_with(const char *key)
{
    json_t *value = end_value(key);
    json_int_t n = json_integer_value(value);
    json_decref(value);
    return n;
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

#endif
