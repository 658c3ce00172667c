/* SPDX-License-Identifier: MIT */
/* The command line by tables: what is parsed, what is refused, and that help and manual have every
 * row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/args.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pb_args got;
static char said[1024];

static int keep(const struct pb_args *args)
{
    got = *args;
    return 42;
}

static const struct pb_flag flags[] = {
    {"run plan", "blocks", 'n', "N", "repetitions", "How"},
    {"run", "memory-limit", 0, "SIZE", "of a cell", "How"},
    {"run", "figures", 0, NULL, "draw", "Output"},
    {"*", "help", 'h', NULL, "this page", "Output"},
    {0},
};

static const struct pb_verb verbs[] = {
    {"run", "[MATRIX]", 0, 1, "run a matrix", "First.\n.second", keep},
    {"plan", "MATRIX", 1, 1, "print a plan", NULL, keep},
    {"child", "", 0, 0, NULL, NULL, keep},
    {0},
};

static const struct pb_program program = {"prog", "1.2", "does things",
                                          verbs,  flags, "  0  good\n"};

/* Runs a command line with standard error caught in `said`. */
static int run(const char *line)
{
    char copy[256], *argv[16], *rest = copy, *word;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    while (argc < 15 && (word = strsep(&rest, " ")) != NULL)
        argv[argc++] = word;
    argv[argc] = NULL;
    got = (struct pb_args){0};
    fflush(stderr);
    char name[] = "args-XXXXXX";
    int before = dup(STDERR_FILENO), file = mkstemp(name);
    dup2(file, STDERR_FILENO);
    int code = pb_args_main(&program, argc, argv);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    ssize_t n = pread(file, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(before);
    close(file);
    unlink(name);
    return code;
}

static void options_and_arguments_are_told_apart_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(run("prog run quick -n 3 --memory-limit=4G --figures --blocks 7"), 42);
    assert_string_equal(got.verb->name, "run");
    assert_string_equal(pb_args_value(&got, "blocks"), "7"); /* the last one counts */
    assert_string_equal(pb_args_value(&got, "memory-limit"), "4G");
    assert_string_equal(pb_args_value(&got, "figures"), "");
    assert_null(pb_args_value(&got, "help"));
    assert_int_equal(got.given_n, 4);
    assert_int_equal(run("prog plan -n5 -- -x"), 42);
    assert_int_equal(got.rest_n, 1);
    assert_string_equal(pb_args_value(&got, "blocks"), "5");
}

static void what_is_wrong_is_one_line(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"prog", "prog: which verb? see prog --help\n"},
        {"prog rnu", "prog: unknown verb 'rnu'; did you mean 'run'; see prog --help\n"},
        {"prog xyzzy", "prog: unknown verb 'xyzzy'; see prog --help\n"},
        {"prog --bogus", "prog: unknown option '--bogus' before a verb; see prog --help\n"},
        {"prog run --blokcs=3",
         "prog run: unknown option '--blokcs'; did you mean --blocks; see prog run --help\n"},
        {"prog run -x", "prog run: unknown option '-x'; see prog run --help\n"},
        {"prog plan --figures", "prog plan: unknown option '--figures'; see prog plan --help\n"},
        {"prog run --blocks", "prog run: option '--blocks' needs an argument\n"},
        {"prog plan", "prog plan: MATRIX is missing; see prog plan --help\n"},
        {"prog run a b", "prog run: 'b' is one too many; see prog run --help\n"},
        {"prog help rnu", "prog: unknown verb 'rnu'; did you mean 'run'; see prog --help\n"},
        {"prog help run plan", "prog help: 'plan' is one too many; see prog --help\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run(cases[i].line), 2);
        assert_string_equal(said, cases[i].says);
    }
}

static void distances_are_those_of_levenshtein(void **state)
{
    (void)state;
    assert_int_equal(pb_args_distance("kitten", "sitting"), 3);
    assert_int_equal(pb_args_distance("", "abc"), 3);
    assert_int_equal(pb_args_distance("abc", ""), 3);
    assert_int_equal(pb_args_distance("same", "same"), 0);
}

static char *page(const struct pb_verb *verb, int manual)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (manual)
        pb_args_man(&program, out);
    else
        pb_args_help(&program, verb, out);
    fclose(out);
    return text;
}

static void help_and_manual_have_every_row_that_is_not_hidden(void **state)
{
    (void)state;
    char *all = page(NULL, 0), *help = page(&verbs[0], 0), *manual = page(NULL, 1);
    assert_non_null(strstr(all, "  run        run a matrix\n"));
    assert_non_null(strstr(all, "  plan       print a plan\n"));
    assert_null(strstr(all, "child"));
    assert_non_null(strstr(help, "usage: prog run [option...] [MATRIX]"));
    assert_non_null(strstr(help, "  -n, --blocks=N"));
    assert_non_null(strstr(help, "      --memory-limit=SIZE"));
    assert_non_null(strstr(help, "\nOutput\n"));
    assert_non_null(strstr(manual, ".SS plan MATRIX\n"));
    assert_non_null(strstr(manual, "\\fB\\-\\-memory\\-limit\\fR=\\fISIZE\\fR\n"));
    assert_non_null(strstr(manual, "\n\\&.second\n"));
    assert_null(strstr(manual, "child"));
    free(all);
    free(help);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_are_told_apart_in_any_order),
        cmocka_unit_test(what_is_wrong_is_one_line),
        cmocka_unit_test(distances_are_those_of_levenshtein),
        cmocka_unit_test(help_and_manual_have_every_row_that_is_not_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
