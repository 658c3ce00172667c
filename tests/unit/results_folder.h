/* SPDX-License-Identifier: MIT */
/* A results folder of a test's own, with one run in it: the fixture's. Include after reading_run.h.
 * Threads: main. May touch: a folder below the current one, PB_RESULTS_PATH. */
#ifndef PB_RESULTS_FOLDER_H
#define PB_RESULTS_FOLDER_H

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN "20250302-101112-aaaaaa"

static char root[64], message[1024];
static char *records; /* of the fixture */
static size_t lines;  /* in them */

static char *path_of(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", root, name);
    return path;
}

static void write_text(const char *name, const char *text, size_t length)
{
    FILE *out = fopen(path_of(name), "we");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, length, out), length);
    fclose(out);
}

static void make_run(const char *name)
{
    char file[128];
    assert_int_equal(mkdir(path_of(name), 0777), 0);
    snprintf(file, sizeof file, "%s/records.jsonl", name);
    write_text(file, records, strlen(records));
}

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "index-XXXXXX");
    if (mkdtemp(root) == NULL || setenv("PB_RESULTS_PATH", root, 1) != 0)
        return -1;
    records = slurp(FIXTURE "/records.jsonl");
    lines = 0;
    for (const char *at = records; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    make_run(RUN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    free(records);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

#endif
