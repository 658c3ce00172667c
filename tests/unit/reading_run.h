/* SPDX-License-Identifier: MIT */
/* Runs for the tests of tables and figures: the fixture of tests/golden/report, and runs made by
 * hand from a few figures. Include after cmocka.h. Threads: main. */
#ifndef PB_READING_RUN_H
#define PB_READING_RUN_H

#include "runner/report.h"
#include "runner/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE PB_SOURCE_DIR "/tests/golden/report"

enum { MADE_BLOCKS = 32 };

/* One cell: its values by block; a negative value is a repetition that crashed. */
struct made_cell {
    const char *alloc;
    unsigned threads;
    size_t n;
    double ns[MADE_BLOCKS];
};

__attribute__((unused)) static struct pb_run *fixture_load(void)
{
    struct pb_run *run = NULL;
    char message[512] = "";
    if (pb_run_load(FIXTURE, &run, message, sizeof message) != 0)
        fail_msg("%s", message);
    return run;
}

static json_t *made_header(const char *reference)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:b, s:{s:{s:s, s:i, s:s}, s:{s:s, s:i, s:s}},"
                     " s:{s:s, s:s}, s:{s:s, s:s, s:s, s:i}}",
                     "v", 1, "kind", "run", "run", "made", "reference", reference, "blocks", 6,
                     "title", "made", "exploratory", 0, "metrics", "ns_per_op", "unit", "ns",
                     "better", -1, "help", "time", "ops_per_s", "unit", "1/s", "better", 1, "help",
                     "rate", "suite", "version", "1", "git", "0", "machine", "host", "h", "cpu",
                     "c", "kernel", "k", "units", 2);
}

static void made_rep(struct pb_run *run, const struct made_cell *cell, unsigned block)
{
    char name[1024], group[64];
    double ns = cell->ns[block];
    bool ok = ns > 0;
    snprintf(name, sizeof name, "pair/alloc:%s/threads:%u", cell->alloc, cell->threads);
    snprintf(group, sizeof group, "pair/threads:%u", cell->threads);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "alloc", cell->alloc, "reason",
                             ok ? "" : "killed by signal 11", "group", group);
    if (ok)
        json_object_set_new(
            json, "m",
            json_pack("{s:f, s:f}", "ns_per_op", ns, "ops_per_s", cell->threads * 1e9 / ns));
    run->reps[run->reps_n] = (struct pb_rep){
        .name = json_string_value(json_object_get(json, "name")),
        .cell = "0123456789abcdef",
        .alloc = json_string_value(json_object_get(json, "alloc")),
        .workload = "pair",
        .group = json_string_value(json_object_get(json, "group")),
        .block = block,
        .order = (unsigned)run->reps_n,
        .threads = cell->threads,
        .status = ok ? PB_OK : PB_CRASHED,
        .reason = json_string_value(json_object_get(json, "reason")),
        .dispatch = "call",
        .pin = "core",
        .json = json,
    };
    run->reps_n++;
}

__attribute__((unused)) static struct pb_run *made_run(const char *reference,
                                                       const struct made_cell *cells, size_t n)
{
    struct pb_run *run = calloc(1, sizeof *run);
    run->folder = strdup("made");
    run->complete = true;
    run->header = made_header(reference);
    run->reps = calloc(n * MADE_BLOCKS, sizeof *run->reps);
    assert_non_null(run->header);
    for (size_t i = 0; i < n; i++) {
        for (unsigned b = 0; b < cells[i].n; b++)
            made_rep(run, &cells[i], b);
    }
    return run;
}

__attribute__((unused)) static void made_free(struct pb_run *run)
{
    for (size_t i = 0; i < run->reps_n; i++)
        json_decref(run->reps[i].json);
    free(run->reps);
    json_decref(run->header);
    free(run->folder);
    free(run);
}

/* Labels that a file may hold and that must do no harm where they are printed. */
#define HOSTILE_LONG                                                                               \
    "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x8c\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x8c\xc3\xbc\xe2\x82\xac" \
    "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x8c\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x8c\xc3\xbc\xe2\x82\xac"
static const char *const hostile[] __attribute__((unused)) = {
    "`touch pwned`",
    "a\"b'c, d|e",
    "<script>alert(1)</script>&amp;",
    "under_score{x}^2@y",
    "\033[31mred\007\r\n\tline",
    "$(touch pwned) #no %d %s \\n",
    HOSTILE_LONG HOSTILE_LONG HOSTILE_LONG HOSTILE_LONG HOSTILE_LONG HOSTILE_LONG,
};
enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

/* A run whose variants have those names, with two thread counts; the first is the reference. */
__attribute__((unused)) static struct pb_run *hostile_run(void)
{
    struct made_cell cells[2 * HOSTILE];
    for (size_t i = 0; i < 2 * HOSTILE; i++) {
        cells[i] = (struct made_cell){hostile[i / 2], (unsigned)(i % 2 + 1), 6, {0}};
        for (size_t b = 0; b < 6; b++)
            cells[i].ns[b] = 10 + (double)i + 0.1 * (double)b;
    }
    return made_run(hostile[0], cells, 2 * HOSTILE);
}

/* A report as text; free it. */
__attribute__((unused)) static char *report_text(const struct pb_run *run,
                                                 struct pb_report_options options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(pb_report(run, &options, out), 0);
    fclose(out);
    return text;
}

/* A whole file as text; "" if there is none. Free it. */
__attribute__((unused)) static char *slurp(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    if (file != NULL)
        fclose(file);
    return text;
}

/* Fails unless `text` is what tests/golden/report/NAME holds. PB_GOLDEN_UPDATE=1 writes it instead.
 */
__attribute__((unused)) static void assert_golden(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, FIXTURE "/%s", name);
    if (getenv("PB_GOLDEN_UPDATE") != NULL) {
        FILE *out = fopen(path, "we");
        assert_non_null(out);
        fputs(text, out);
        assert_int_equal(fclose(out), 0);
    }
    char *golden = slurp(path);
    for (const char *a = text, *b = golden; *a != '\0' || *b != '\0';) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (n != m || strncmp(a, b, n) != 0)
            fail_msg("%s differs:\n  is     %.*s\n  golden %.*s", name, (int)n, a, (int)m, b);
        a += n + (a[n] == '\n');
        b += m + (b[m] == '\n');
    }
    free(golden);
}

#endif
