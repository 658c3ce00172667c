/* SPDX-License-Identifier: MIT */
/* Names of runs: set, found wherever the results lie, refused when they are paths, and said to be
 * gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "results_folder.h"
#include "runner/baseline.h"
#include "runner/store.h"

#include <errno.h>

static void a_baseline_finds_its_run_wherever_the_results_are(void **state)
{
    (void)state;
    char before[PB_RUN_NAME_MAX], folder[PATH_MAX], list[1024] = "", moved[80];
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    assert_string_equal(before, "");
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    assert_true(before[0] != '\0');
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     0);
    assert_string_equal(folder, path_of(RUN));
    FILE *out = fmemopen(list, sizeof list, "w");
    assert_int_equal(pb_baseline_list(out, message, sizeof message), 0);
    fclose(out);
    assert_int_equal(strncmp(list, "main ", 5), 0);
    assert_non_null(strstr(list, RUN));
    snprintf(moved, sizeof moved, "%s-moved", root);
    assert_int_equal(rename(root, moved), 0);
    setenv("PB_RESULTS_PATH", moved, 1);
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     0);
    assert_int_equal(strncmp(folder, moved, strlen(moved)), 0);
    assert_int_equal(rename(moved, root), 0);
    setenv("PB_RESULTS_PATH", root, 1);
    assert_int_equal(pb_baseline_resolve("plain", folder, sizeof folder, message, sizeof message),
                     0);
    assert_string_equal(folder, "plain");
}

static void a_baseline_whose_run_is_gone_says_so(void **state)
{
    (void)state;
    char before[PB_RUN_NAME_MAX], folder[PATH_MAX], list[1024] = "";
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    unlink(path_of(RUN "/records.jsonl"));
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "is not there any more"));
    FILE *out = fmemopen(list, sizeof list, "w");
    assert_int_equal(pb_baseline_list(out, message, sizeof message), 0);
    fclose(out);
    assert_non_null(strstr(list, "(not there)"));
    assert_int_equal(pb_baseline_remove("main", message, sizeof message), 0);
    assert_int_equal(pb_baseline_remove("main", message, sizeof message), -ENOENT);
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "there is no baseline 'main'"));
}

static void names_that_are_paths_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "-x",
        ".hidden",
        "a b",
        "\n",
        ("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
         "ggggg")};
    char before[PB_RUN_NAME_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(pb_baseline_set(bad[i], RUN, before, message, sizeof message), -EINVAL);
        assert_non_null(strstr(message, "is no name of a baseline"));
    }
    assert_int_equal(pb_baseline_set("good-1.x_y", "nosuch", before, message, sizeof message),
                     -ENOENT);
}

static void a_damaged_baseline_is_named(void **state)
{
    (void)state;
    char before[PB_RUN_NAME_MAX], folder[PATH_MAX];
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    write_text("baselines/main.json", "{\"v\":1}\n", 8);
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     -EINVAL);
    assert_non_null(strstr(message, "baselines/main.json"));
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     0);
}

static void an_empty_run_is_not_the_newest(void **state)
{
    (void)state;
    char before[PB_RUN_NAME_MAX], folder[PATH_MAX];
    assert_int_equal(pb_baseline_set("main", "", before, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "RUN is empty"));
    assert_int_equal(pb_baseline_resolve("", folder, sizeof folder, message, sizeof message),
                     -EINVAL);
    assert_int_equal(pb_baseline_resolve("@main", folder, sizeof folder, message, sizeof message),
                     -ENOENT);
}

static void a_run_that_is_not_complete_is_said_to_be_so(void **state)
{
    (void)state;
    char before[PB_RUN_NAME_MAX];
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    assert_string_equal(message, "");
    assert_int_equal(pb_baseline_set("other", "@main", before, message, sizeof message), 0);
    const char *last = records + strlen(records) - 1; /* without the line of kind "end" */
    while (last[-1] != '\n')
        last--;
    write_text(RUN "/records.jsonl", records, (size_t)(last - records));
    assert_int_equal(pb_baseline_set("main", RUN, before, message, sizeof message), 0);
    assert_non_null(strstr(message, "the run is not complete"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_baseline_finds_its_run_wherever_the_results_are),
        T(a_baseline_whose_run_is_gone_says_so),
        T(names_that_are_paths_are_refused),
        T(a_damaged_baseline_is_named),
        T(an_empty_run_is_not_the_newest),
        T(a_run_that_is_not_complete_is_said_to_be_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
