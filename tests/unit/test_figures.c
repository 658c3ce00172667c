/* SPDX-License-Identifier: MIT */
/* Figures: golden data and script heads, drawings that are well formed and named, a machine without
 * gnuplot, names that try to break out, and the placing of labels. Pictures are not compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "figure_fixture.h"
#include "runner/figure_page.h"
#include "runner/figure_style.h"

#include <math.h>

static void without_gnuplot_data_and_scripts_are_kept(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char message[512] = "", name[64];
    assert_int_equal(draw_without_gnuplot(run, NULL, message, sizeof message), -ENOENT);
    assert_non_null(strstr(message, "gnuplot is not installed"));
    assert_non_null(strstr(message, "apt-get install gnuplot-nox"));
    assert_non_null(strstr(message, folder));
    assert_null(strchr(message, '\n'));
    for (size_t i = 0; pb_figure_at(i) != NULL; i++) {
        snprintf(name, sizeof name, "%s.tsv", pb_figure_at(i)->name);
        assert_true(has_file(name));
        snprintf(name, sizeof name, "%s.gp", pb_figure_at(i)->name);
        assert_true(has_file(name));
        snprintf(name, sizeof name, "%s.svg", pb_figure_at(i)->name);
        assert_false(has_file(name));
    }
    assert_true(has_file("latency-2.tsv")); /* later pages too */
    pb_run_free(run);
}

static void data_and_script_heads_are_the_golden_ones(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char message[512] = "", name[64];
    assert_int_equal(draw_without_gnuplot(run, NULL, message, sizeof message), -ENOENT);
    for (size_t i = 0; pb_figure_at(i) != NULL; i++) {
        snprintf(name, sizeof name, "%s.gp", pb_figure_at(i)->name);
        char *script = made_file(name), *templates = strstr(script, "\n# SPDX");
        assert_non_null(templates);
        *templates = '\0'; /* the templates are in plots/ */
        assert_golden(name, script);
        free(script);
        snprintf(name, sizeof name, "%s.tsv", pb_figure_at(i)->name);
        char *data = made_file(name);
        if (strcmp(pb_figure_at(i)->name, "latency") != 0)
            assert_golden(name, data);
        free(data);
    }
    pb_run_free(run);
}

/* Counts rows of a kind and checks that along a line x grows and y never falls. */
static void percentiles_grow_and_end_ten_samples_before_the_last(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char kind[16], before[64] = "", *data = drawn_data(run, "latency");
    double x, y, last_x = 0, last_y = 0, highest = 0;
    unsigned panel, variant, rows = 0;
    for (char *line = strtok(data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (sscanf(line, "%15s\t%u\t%u\t%lf\t%lf", kind, &panel, &variant, &x, &y) != 5 ||
            strcmp(kind, "line") != 0)
            continue;
        char now[64];
        snprintf(now, sizeof now, "%u/%u", panel, variant);
        assert_true(strcmp(now, before) == 0 ? x > last_x && y >= last_y : x == 1);
        strcpy(before, now);
        last_x = x;
        last_y = y;
        highest = fmax(highest, x);
        rows++;
    }
    assert_true(rows > 1000);
    /* 6 repetitions of 2500 samples: 10 lie beyond up to x = 1500 */
    assert_true(highest <= 1500 && highest > 1500 / 1.2);
    free(data);
    pb_run_free(run);
}

static void assert_well_formed(const char *name)
{
    char *text = made_file(name);
    size_t length = strlen(text);
    assert_true(length > 1000);
    assert_memory_equal(text, "<?xml", 5);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    assert_memory_equal(text + length - 6, "</svg>", 6);
    assert_null(strstr(text, "gnuplot_plot_"));
    assert_null(strstr(text, "<title>Gnuplot"));
    assert_non_null(strstr(text, "<title id=\"pb-title\">"));
    assert_non_null(strstr(text, "<desc id=\"pb-desc\">"));
    free(text);
    char *const arguments[] = {(char[]){"xmllint"}, (char[]){"--noout"}, made_path(name), NULL};
    int code = run_quietly(arguments);
    assert_true(code == 0 || code == -1); /* -1: there is no xmllint here */
}

static void every_figure_is_drawn_named_and_well_formed(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip_because("there is no gnuplot");
    struct pb_run *run = fixture_load();
    char message[512] = "", name[64], *said = NULL;
    int error = draw(run, NULL, &said, message, sizeof message);
    if (error != 0)
        fail_msg("%s", message);
    for (size_t i = 0; pb_figure_at(i) != NULL; i++) {
        snprintf(name, sizeof name, "%s.svg", pb_figure_at(i)->name);
        assert_well_formed(name);
        assert_non_null(strstr(said, name));
        snprintf(name, sizeof name, "%s.png", pb_figure_at(i)->name);
        assert_true(has_file(name));
    }
    assert_non_null(strstr(said, "latency: latency.svg, latency-2.svg in ")); /* every page */
    char *svg = made_file("matrix.svg");
    assert_non_null(strstr(svg, ">crash<"));
    assert_non_null(strstr(svg, ">absent<"));
    assert_non_null(strstr(svg, "lower is better"));
    assert_non_null(strstr(svg, "20250302-101112-c0ffee"));
    free(svg);
    free(said);
    pb_run_free(run);
}

static void hostile_names_neither_run_nor_break_out(void **state)
{
    (void)state;
    struct pb_run *run = hostile_run();
    const char *const names[] = {"forest", "scaling", "matrix", NULL};
    char message[512] = "", name[64];
    if (!have_gnuplot())
        skip_because("there is no gnuplot");
    int error = draw(run, names, NULL, message, sizeof message);
    if (error != 0)
        fail_msg("%s", message);
    assert_false(has_file("pwned"));
    assert_int_equal(access("pwned", F_OK), -1);
    for (size_t i = 0; names[i] != NULL; i++) {
        snprintf(name, sizeof name, "%s.svg", names[i]);
        assert_well_formed(name);
        char *svg = made_file(name);
        assert_null(strstr(svg, "<script"));
        assert_non_null(strstr(svg, "`touch pwned`"));
        assert_non_null(strstr(svg, "under_score{x}^2@y"));
        free(svg);
    }
    made_free(run);
}

/* Whether what gnuplot would expand stands in single quotes, and these are closed on each line. */
static bool is_safely_quoted(const char *script)
{
    bool quoted = false;
    for (const char *c = script; *c != '\0'; c++) {
        if (*c == '\'')
            quoted = !quoted; /* a doubled one leaves and enters again */
        else if (quoted ? *c == '\n' : strchr("`\"$", *c) != NULL)
            return false;
    }
    return !quoted;
}

static void scripts_hold_names_in_single_quotes_only(void **state)
{
    (void)state;
    struct pb_run *run = hostile_run();
    assert_true(is_safely_quoted("A = 'it''s `x`'\nB = 1\n"));
    assert_false(is_safely_quoted("A = \"`x`\"\n"));
    assert_false(is_safely_quoted("A = 'it's `x`'\n"));
    for (size_t i = 0; i < HOSTILE; i++) {
        json_object_set_new(run->header, "reference", json_string(hostile[i]));
        free(drawn_data(run, "forest"));
        char *script = made_file("forest.gp"), *end = strstr(script, "\n# SPDX");
        assert_non_null(end);
        *end = '\0';
        assert_true(is_safely_quoted(strchr(script, '\n')));
        free(script);
    }
    made_free(run);
}

static void pages_of_an_earlier_drawing_do_not_stay(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    const char *const names[] = {"latency", "matrix", NULL};
    const char *const stale[] = {"latency-3.svg", "latency-3.tsv", "latency-3.png", "matrix-2.gp"};
    char message[512] = "";
    if (!have_gnuplot()) {
        pb_run_free(run);
        skip_because("there is no gnuplot");
    }
    fclose(
        fopen(made_path("latency-2.svg"), "we")); /* the chain of pages that leads to the third */
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        fclose(fopen(made_path(stale[i]), "we"));
    assert_int_equal(draw(run, names, NULL, message, sizeof message), 0);
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        assert_false(has_file(stale[i]));
    assert_true(has_file("latency-2.tsv"));
    pb_run_free(run);
}

static void unknown_figure_is_refused_before_anything_is_written(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    const char *const names[] = {"forest", "pie", NULL};
    char message[512] = "";
    assert_int_equal(draw(run, names, NULL, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "pie"));
    assert_non_null(strstr(message, "forest scaling latency matrix"));
    assert_false(has_file("forest.tsv"));
    pb_run_free(run);
}

static void figure_without_data_is_said_and_passed_over(void **state)
{
    (void)state;
    const struct made_cell cells[] = {{"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
                                      {"pool", 1, 6, {-1, -1, -1, -1, -1, -1}}};
    struct pb_run *run = made_run("glibc", cells, 2);
    char message[512] = "", *said = NULL;
    assert_int_equal(draw(run, NULL, &said, message, sizeof message), 0);
    assert_non_null(strstr(said, "forest: nothing to draw: no group has a figure of glibc"));
    assert_non_null(strstr(said, "scaling: nothing to draw"));
    assert_non_null(strstr(said, "latency: nothing to draw"));
    assert_non_null(strstr(said, "matrix: nothing to draw"));
    free(said);
    made_free(run);
}

static void folder_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char message[512] = "", *out = made_path("none/plots");
    assert_int_equal(pb_figures(run, NULL, NULL, out, stderr, message, sizeof message), -ENOTDIR);
    assert_non_null(strstr(message, out));
    pb_run_free(run);
}

/* --- style ----------------------------------------------------------------------------------- */

static void colours_stay_with_their_label(void **state)
{
    (void)state;
    static const char *const labels[] = {"zone:lock=mcs", "lookaside:scope=percpu,depth=64", "x"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        struct pb_style a = pb_style_of(labels[i]), b = pb_style_of(labels[i]);
        assert_memory_equal(&a, &b, sizeof a);
        assert_true(a.dash >= 2 && a.dash <= 5 && a.point >= 4 && a.point <= 13);
    }
    assert_int_equal(pb_style_of("jemalloc").rgb, 0xbf310c);
    assert_int_equal(pb_style_of("null").rgb, PB_STYLE_GREY);
    struct pb_style mcs = pb_style_of("zone:lock=mcs"), clh = pb_style_of("zone:lock=clh");
    assert_memory_not_equal(&mcs, &clh, sizeof mcs);
}

static void heat_is_blue_below_one_and_its_ink_is_readable(void **state)
{
    (void)state;
    unsigned ink;
    static const double ratios[] = {1, 0.25, 0.01, 4, 1000};
    static const unsigned fills[] = {0xf7f7f7, 0x2166ac, 0x2166ac, 0xb2182b, 0xb2182b};
    for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
        assert_int_equal(pb_style_heat(ratios[i], &ink), fills[i]);
        assert_int_equal(ink, i == 0 ? 0 : 0xffffff);
    }
}

static void spread_labels_keep_order_gap_and_bounds(void **state)
{
    (void)state;
    static const double wishes[][6] = {
        {50, 50, 50, 50, 50, 50}, {0, 1, 2, 3, 4, 5},       {100, 99, 98, 3, 2, 1},
        {10, 40, 42, 44, 80, 99}, {0, 20, 40, 60, 80, 100}, {100, 100, 100, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        double places[6];
        memcpy(places, wishes[i], sizeof places);
        pb_style_spread(places, 6, 12, 0, 100);
        for (size_t a = 0; a < 6; a++) {
            assert_true(places[a] >= -1e-9 && places[a] <= 100 + 1e-9);
            for (size_t b = 0; b < 6; b++) {
                assert_true(a == b || fabs(places[a] - places[b]) > 12 - 1e-9);
                assert_true(!(wishes[i][a] < wishes[i][b]) || places[a] < places[b]);
            }
        }
    }
    double apart[] = {0, 20, 40, 60, 80, 100}, many[] = {5, 5, 5};
    pb_style_spread(apart, 6, 12, 0, 100);
    for (size_t a = 0; a < 6; a++)
        assert_true(fabs(apart[a] - 20.0 * (double)a) < 1e-9); /* nothing moves without need */
    pb_style_spread(many, 3, 100, 0, 10);                      /* more than there is room for */
    assert_true(many[0] >= 0 && many[2] <= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(without_gnuplot_data_and_scripts_are_kept),
        IN_FOLDER(data_and_script_heads_are_the_golden_ones),
        IN_FOLDER(percentiles_grow_and_end_ten_samples_before_the_last),
        IN_FOLDER(every_figure_is_drawn_named_and_well_formed),
        IN_FOLDER(hostile_names_neither_run_nor_break_out),
        IN_FOLDER(scripts_hold_names_in_single_quotes_only),
        IN_FOLDER(pages_of_an_earlier_drawing_do_not_stay),
        IN_FOLDER(unknown_figure_is_refused_before_anything_is_written),
        IN_FOLDER(figure_without_data_is_said_and_passed_over),
        IN_FOLDER(folder_that_cannot_be_made_is_named),
        cmocka_unit_test(colours_stay_with_their_label),
        cmocka_unit_test(heat_is_blue_below_one_and_its_ink_is_readable),
        cmocka_unit_test(spread_labels_keep_order_gap_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
