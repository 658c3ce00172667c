/* SPDX-License-Identifier: MIT */
/* Figures on a disk that takes no more, and a gnuplot that fails: the line names the file and the
 * reason, no part of a file stays, and what was drawn before does. A limit on the size of files
 * stands for the full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "figure_fixture.h"
#include "full_disk.h"

#include <sys/resource.h>
#include <sys/stat.h>

static const char *const matrix[] = {"matrix", NULL};

static rlim_t made_size(const char *name)
{
    struct stat info;
    assert_int_equal(stat(made_path(name), &info), 0);
    return (rlim_t)info.st_size;
}

/* Draws the fixture's matrix while no file may grow beyond `most` bytes. */
static int draw_within(rlim_t most, bool gnuplot, char *message, size_t size)
{
    struct pb_run *run = fixture_load();
    struct rlimit before = limit_files(most);
    int error = gnuplot ? draw(run, matrix, NULL, message, size)
                        : draw_without_gnuplot(run, matrix, message, size);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    pb_run_free(run);
    return error;
}

static void assert_names(const char *message, const char *name, const char *reason)
{
    assert_non_null(strstr(message, made_path(name)));
    assert_non_null(strstr(message, reason));
    assert_null(strchr(message, '\n'));
}

static void data_and_script_that_cannot_be_written_are_named(void **state)
{
    (void)state;
    char message[1024] = "";
    assert_int_equal(draw_within(100, false, message, sizeof message), -EFBIG);
    assert_names(message, "matrix.tsv", strerror(EFBIG));
    assert_false(has_file("matrix.tsv")); /* a part of a file is none */
    assert_false(has_file("matrix.gp"));
    assert_int_equal(draw_within(RLIM_INFINITY, false, message, sizeof message), -ENOENT);
    rlim_t data = made_size("matrix.tsv"), script = made_size("matrix.gp");
    assert_true(data < script);
    assert_int_equal(draw_within(script - 1, false, message, sizeof message), -EFBIG);
    assert_names(message, "matrix.gp", strerror(EFBIG));
    assert_int_equal(made_size("matrix.tsv"), data);
    assert_int_equal(made_size("matrix.gp"), script);
}

static void drawing_that_gnuplot_cuts_off_is_no_success(void **state)
{
    (void)state;
    char message[1024] = "";
    if (!have_gnuplot())
        skip_because("there is no gnuplot");
    assert_int_equal(draw_within(RLIM_INFINITY, true, message, sizeof message), 0);
    rlim_t script = made_size("matrix.gp"), svg = made_size("matrix.svg");
    rlim_t png = made_size("matrix.png");
    assert_true(script < svg / 2 && svg < png / 2);
    assert_int_equal(draw_within(svg / 2, true, message, sizeof message), -EIO);
    assert_names(message, "matrix.svg", "did not finish it");
    assert_int_equal(draw_within(png / 2 + 1, true, message, sizeof message), -EIO);
    assert_names(message, "matrix.png", "did not finish it");
    assert_int_equal(made_size("matrix.svg"), svg); /* the older drawing */
    assert_int_equal(made_size("matrix.png"), png);
    assert_int_equal(made_size("matrix.gp"), script);
}

static void drawings_stay_where_gnuplot_is_gone(void **state)
{
    (void)state;
    char message[1024] = "";
    if (!have_gnuplot())
        skip_because("there is no gnuplot");
    assert_int_equal(draw_within(RLIM_INFINITY, true, message, sizeof message), 0);
    rlim_t svg = made_size("matrix.svg");
    assert_int_equal(draw_within(RLIM_INFINITY, false, message, sizeof message), -ENOENT);
    assert_int_equal(made_size("matrix.svg"), svg);
}

/* A gnuplot that runs `commands` in a shell, on a PATH of its own. */
static int draw_with_other_gnuplot(const char *commands, char *message, size_t size)
{
    struct pb_run *run = fixture_load();
    char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    FILE *file = fopen(made_path("gnuplot"), "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", commands);
    fclose(file);
    assert_int_equal(chmod(made_path("gnuplot"), 0700), 0);
    setenv("PATH", folder, 1);
    int error = draw(run, matrix, NULL, message, size);
    setenv("PATH", path, 1);
    free(path);
    pb_run_free(run);
    return error;
}

static void gnuplot_that_fails_is_quoted(void **state)
{
    (void)state;
    char message[1024] = "";
    assert_int_equal(
        draw_with_other_gnuplot("echo no such terminal >&2; exit 3", message, sizeof message),
        -EIO);
    assert_non_null(strstr(message, made_path("matrix.gp")));
    assert_non_null(strstr(message, "no such terminal"));
}

static void gnuplot_that_draws_nothing_is_no_success(void **state)
{
    (void)state;
    char message[1024] = "";
    assert_int_equal(draw_with_other_gnuplot("exit 0", message, sizeof message), -EIO);
    assert_non_null(strstr(message, made_path("matrix.svg")));
    assert_int_equal(draw_with_other_gnuplot("echo '<svg>' >matrix.svg", message, sizeof message),
                     -EIO);
    assert_non_null(strstr(message, made_path("matrix.svg")));
    assert_false(has_file("matrix.svg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(data_and_script_that_cannot_be_written_are_named),
        IN_FOLDER(drawing_that_gnuplot_cuts_off_is_no_success),
        IN_FOLDER(drawings_stay_where_gnuplot_is_gone),
        IN_FOLDER(gnuplot_that_fails_is_quoted),
        IN_FOLDER(gnuplot_that_draws_nothing_is_no_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
