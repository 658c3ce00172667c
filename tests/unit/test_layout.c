/* SPDX-License-Identifier: MIT */
/* The placements of a program: all six or none, and those that a run began with to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/layout.h"
#include "runner/spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[32];

static const char *below(const char *name)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A program of the system's under another name. */
static void copy(const char *from, const char *name)
{
    char command[160];
    snprintf(command, sizeof command, "cp %s %s/.new && mv %s/.new %s/%s", from, folder, folder,
             folder, name);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): fixed words */
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "layout-XXXXXX");
    if (mkdtemp(folder) == NULL || mkdir(below("layouts"), 0700) != 0)
        return -1;
    copy("/bin/true", "program");
    for (int i = 1; i < PB_LAYOUTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "layouts/program-%d", i);
        copy("/bin/true", name);
    }
    return 0;
}

static int drop_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c): fixed words */
}

/* How a placement ends. */
static struct pb_outcome start(const struct pb_layouts *layouts, unsigned layout)
{
    static const char *const argv[] = {"program", NULL};
    const struct pb_child child = {
        .program = pb_layouts_program(layouts, layout), .argv = argv, .input = "", .timeout = 30};
    struct pb_outcome outcome = {.status = PB_OK};
    assert_int_equal(pb_spawn(&child, &outcome), 0);
    free(outcome.answer);
    return outcome;
}

static void all_six_are_found_and_start(void **state)
{
    struct pb_layouts layouts;
    char program[96];
    (void)state;
    snprintf(program, sizeof program, "%s", below("program"));
    pb_layouts_open(&layouts, program);
    assert_int_equal(layouts.n, PB_LAYOUTS);
    for (unsigned i = 0; i < PB_LAYOUTS; i++)
        assert_string_equal(start(&layouts, i).reason, "ended without a result");
    pb_layouts_close(&layouts);
}

static void with_one_missing_there_is_only_the_program_itself(void **state)
{
    struct pb_layouts layouts;
    char program[96];
    int first = dup(STDIN_FILENO), next;
    (void)state;
    close(first);
    snprintf(program, sizeof program, "%s", below("program"));
    unlink(below("layouts/program-4"));
    pb_layouts_open(&layouts, program);
    assert_int_equal(layouts.n, 1);
    assert_string_equal(pb_layouts_program(&layouts, 0), program);
    next = dup(STDIN_FILENO);
    close(next);
    assert_int_equal(next, first); /* none stays open */
    pb_layouts_close(&layouts);
    pb_layouts_open(&layouts, NULL);
    assert_int_equal(layouts.n, 1);
}

static void one_that_is_built_anew_is_not_mixed_in(void **state)
{
    struct pb_layouts layouts;
    char program[96];
    (void)state;
    snprintf(program, sizeof program, "%s", below("program"));
    pb_layouts_open(&layouts, program);
    copy("/bin/false", "layouts/program-2");
    assert_string_equal(start(&layouts, 2).reason, "ended without a result");
    pb_layouts_close(&layouts);
    pb_layouts_open(&layouts, program);
    assert_string_equal(start(&layouts, 2).reason, "exit status 1");
    pb_layouts_close(&layouts);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(all_six_are_found_and_start),
        IN_A_FOLDER(with_one_missing_there_is_only_the_program_itself),
        IN_A_FOLDER(one_that_is_built_anew_is_not_mixed_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
