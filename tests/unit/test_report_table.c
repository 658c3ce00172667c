/* SPDX-License-Identifier: MIT */
/* How a report is laid out: the golden ones, and what becomes of them on a narrow terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report_text.h"

static void golden_report(const char *name, struct pb_report_options options)
{
    struct pb_run *run = fixture_load();
    char *text = report_text(run, options);
    assert_golden(name, text);
    free(text);
    pb_run_free(run);
}

static void table_is_the_golden_one(void **state)
{
    (void)state;
    golden_report("table.txt", (struct pb_report_options){0});
}

static void json_and_csv_are_the_golden_ones(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_JSON});
    assert_golden("report.json", text);
    free(text);
    text = report_text(run, (struct pb_report_options){.format = PB_REPORT_CSV});
    assert_golden("report.csv", text);
    free(text);
    pb_run_free(run);
}

static void markdown_is_the_golden_one(void **state)
{
    (void)state;
    golden_report("report.md", (struct pb_report_options){.format = PB_REPORT_MARKDOWN});
}

static void another_reference_and_metric_are_the_golden_ones(void **state)
{
    (void)state;
    golden_report("rate_glibc.txt",
                  (struct pb_report_options){.metric = "ops_per_s", .reference = "glibc"});
}

/* How often a text is in another. */
static size_t times(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    static const unsigned widths[] = {132, 100, 80, 60, 40, 24};
    struct pb_run *run = fixture_load();
    char *whole = report_text(run, (struct pb_report_options){0});
    size_t names = times(whole, "lookaside:scope=thread");
    free(whole);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        char *text = report_text(run, (struct pb_report_options){.width = widths[i]});
        if (widths[i] >= 40) /* names are broken nowhere */
            assert_int_equal(times(text, "lookaside:scope=thread"), names);
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            assert_true(pb_text_width(line) <= widths[i]);
            assert_true(line[strlen(line) - 1] != ' ');
        }
        free(text);
    }
    pb_run_free(run);
}

static void narrow_table_leaves_out_columns_by_name(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.width = 80});
    assert_non_null(strstr(text, "left out for width: p99 free ns, peak RSS, RSS/live, faults\n"));
    assert_non_null(strstr(text,
                           "  variant                 ns/op  ratio  95 % interval     p99 alloc "
                           "ns  n\n"));
    free(text);
    pb_run_free(run);
}

static void what_has_no_column_has_a_line_of_its_own(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.width = 60});
    assert_non_null(strstr(text, "\n  pool                      103   28.7  [28.2, 29.1]   -  6\n"
                                 "    1 of 6 disturbed\n"));
    free(text);
    text = report_text(run, (struct pb_report_options){.width = 40});
    assert_non_null(strstr(text, "\n  pool\n    103   28.7  [28.2, 29.1]   -  6\n"
                                 "    1 of 6 disturbed\n"));
    assert_non_null(strstr(text, "\n  tcmalloc\n      -      -  -                 0\n"
                                 "    absent\n"));
    assert_non_null(strstr(text, "\nWarnings\n  overlap\n    below 0.95 in 8 of 334"));
    free(text);
    pb_run_free(run);
}

#define LONG_NAME "pool:lists=off,shared_lists=off,profile=w2k,paged_pools=4"
#define ELLIPSIS  "\u2026"

static struct pb_run *long_run(void)
{
    static const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10.1, 10.2, 10.1, 10, 10.3}},
        {LONG_NAME, 1, 6, {20, 20.1, 20.2, 20.1, 20, 20.3}},
    };
    return made_run("jemalloc", cells, sizeof cells / sizeof *cells);
}

/* Whether a variant has a row under that name. */
static bool has_row(const char *text, const char *name)
{
    char row[128];
    snprintf(row, sizeof row, "\n  %s  ", name);
    return strstr(text, row) != NULL;
}

static void variants_are_whole_where_there_is_room(void **state)
{
    (void)state;
    static const struct pb_report_options whole[] = {{.width = 0}, {.width = 400}, {.width = 200}};
    struct pb_run *run = long_run();
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        char *text = report_text(run, whole[i]);
        assert_true(has_row(text, LONG_NAME));
        assert_int_equal(times(text, ELLIPSIS), 0);
        free(text);
    }
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_MARKDOWN});
    assert_non_null(
        strstr(text, "| pool:lists=off,shared\\_lists=off,profile=w2k,paged\\_pools=4 |"));
    assert_int_equal(times(text, ELLIPSIS), 0);
    free(text);
    made_free(run);
}

static void variants_are_cut_in_their_middle(void **state)
{
    (void)state;
    struct pb_run *run = long_run();
    for (unsigned width = 80; width <= 200; width++) {
        char *text = report_text(run, (struct pb_report_options){.width = width});
        assert_non_null(strstr(text, ",paged_pools=4  ")); /* the last option stays */
        assert_non_null(strstr(text, "\n  pool:lists=off"));
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
            assert_true(pb_text_width(line) <= width);
        free(text);
    }
    char *text = report_text(run, (struct pb_report_options){.width = 80});
    assert_true(has_row(text, "pool:lists=off,shared" ELLIPSIS "ile=w2k,paged_pools=4"));
    free(text);
    made_free(run);
}

static void floor_is_shown_once_a_group(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){0});
    assert_int_equal(times(text, "; floor: null "), 6);
    assert_int_equal(times(text, "  floor  "), 1); /* the variant of that name */
    free(text);
    pb_run_free(run);
}

static void noise_is_called_by_the_name_of_its_twin(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.reference = "glibc"});
    assert_non_null(strstr(text, "reference  glibc; "));
    assert_int_equal(times(text, "A/A of jemalloc "), 5);
    assert_int_equal(times(text, "A/A of "), 5);
    free(text);
    pb_run_free(run);
}

/* Takes the escape sequences out of a text. */
static void strip_colour(char *text)
{
    char *out = text;
    for (; *text != '\0'; text++) {
        if (*text == '\033')
            text += strcspn(text, "m");
        else
            *out++ = *text;
    }
    *out = '\0';
}

static void colour_only_repeats_what_signs_say(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *plain = report_text(run, (struct pb_report_options){0});
    char *colour = report_text(run, (struct pb_report_options){.colour = true});
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(colour, "\033[32m+\033[0m"));
    strip_colour(colour);
    assert_string_equal(colour, plain);
    free(plain);
    free(colour);
    pb_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_golden_one),
        cmocka_unit_test(markdown_is_the_golden_one),
        cmocka_unit_test(json_and_csv_are_the_golden_ones),
        cmocka_unit_test(another_reference_and_metric_are_the_golden_ones),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(narrow_table_leaves_out_columns_by_name),
        cmocka_unit_test(what_has_no_column_has_a_line_of_its_own),
        cmocka_unit_test(variants_are_whole_where_there_is_room),
        cmocka_unit_test(variants_are_cut_in_their_middle),
        cmocka_unit_test(floor_is_shown_once_a_group),
        cmocka_unit_test(noise_is_called_by_the_name_of_its_twin),
        cmocka_unit_test(colour_only_repeats_what_signs_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
