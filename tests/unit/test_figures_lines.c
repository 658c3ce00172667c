/* SPDX-License-Identifier: MIT */
/* Figures: which lines stand in the foreground, how the others and the harness are drawn, what the
 * captions say of them, and what a forest shows of intervals and noise. Read from the scripts and
 * the data, without gnuplot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "figure_fixture.h"
#include "runner/figure_lines.h"

#include <math.h>

enum { LOOKS = 40, GREY = PB_STYLE_GREY };

/* A variant, its time at one and at two threads, and whether it is to be in focus. */
struct look {
    const char *alloc;
    double ns;
    bool focus;
};

/* Draws a figure of a run with those variants at one and two threads: its script and data.
 * Free both. */
static void drawn_looks(const char *figure, const char *reference, const struct look *looks,
                        size_t n, char **script, char **data)
{
    struct made_cell cells[2 * LOOKS];
    char name[64];
    for (size_t i = 0; i < 2 * n; i++) {
        cells[i] = (struct made_cell){looks[i / 2].alloc, (unsigned)(i % 2 + 1), 6, {0}};
        for (size_t b = 0; b < 6; b++)
            cells[i].ns[b] = looks[i / 2].ns * (1 + 0.001 * (double)b);
    }
    struct pb_run *run = made_run(reference, cells, 2 * n);
    *data = drawn_data(run, figure);
    snprintf(name, sizeof name, "%s.gp", figure);
    *script = made_file(name);
    made_free(run);
}

/* Element `at` (from 1) of an array of the script. */
static double element(const char *script, const char *array, size_t at)
{
    char head[64];
    snprintf(head, sizeof head, "array %s[", array);
    const char *from = strstr(script, head);
    assert_non_null(from);
    from = strstr(from, "] = [");
    assert_non_null(from);
    for (from += 5; at > 1; at--) {
        from = strpbrk(from, ",]");
        assert_int_equal(*from, ',');
        from++;
    }
    return strtod(from, NULL);
}

/* The number of a variant, by its label in the first panel of the data; 0 if it has none. */
static size_t number_of(const char *data, const char *alloc)
{
    char end[128];
    snprintf(end, sizeof end, "\t%s\n", alloc);
    for (const char *line = data; (line = strstr(line, "\nlabel\t1\t")) != NULL; line++) {
        const char *tail = strstr(line, end);
        if (tail != NULL && memchr(line + 1, '\n', (size_t)(tail - line)) == NULL)
            return strtoul(line + 9, NULL, 10);
    }
    return 0;
}

/* Each variant is thick and coloured when in focus, else thin and grey. */
static void assert_looks(const char *reference, const struct look *looks, size_t n)
{
    char *script, *data;
    drawn_looks("scaling", reference, looks, n, &script, &data);
    for (size_t i = 0; i < n; i++) {
        size_t at = number_of(data, looks[i].alloc);
        if (at == 0)
            fail_msg("%s has no label", looks[i].alloc);
        bool thick = element(script, "THICK", at) > 1.5;
        bool grey = element(script, "COLOUR", at) == GREY;
        if (thick != looks[i].focus || grey == looks[i].focus)
            fail_msg("%s: thick %d, grey %d", looks[i].alloc, thick, grey);
    }
    free(script);
    free(data);
}

static void strategies_come_into_focus_before_their_variants_and_mallocs(void **state)
{
    (void)state;
    static const struct look looks[] = {
        {"pool", 300, true},
        {"zone", 310, true},
        {"lookaside", 320, true},
        {"zone:lock=ticket", 60, true},
        {"zone:lock=mcs", 90, false}, /* the worst variants have no place left */
        {"zone:lock=clh", 70, true},
        {"zone:lock=anderson", 80, true},
        {"lookaside:scope=thread", 50, true},
        {"lookaside:depth=32", 100, false},
        {"jemalloc", 40, true}, /* the reference */
        {"tcmalloc", 8, false},
    };
    assert_looks("jemalloc", looks, sizeof looks / sizeof looks[0]);
}

static void mallocs_take_the_places_that_are_left_the_best_first(void **state)
{
    (void)state;
    static const struct look looks[] = {
        {"pool", 300, true},
        {"zone", 310, true},
        {"lookaside", 320, true},
        {"zone:lock=ticket", 60, true},
        {"lookaside:scope=thread", 50, true},
        {"glibc", 20, false},
        {"jemalloc", 40, true}, /* the reference: slower than every other malloc */
        {"mimalloc", 10, true},
        {"tcmalloc", 8, true},
    };
    assert_looks("jemalloc", looks, sizeof looks / sizeof looks[0]);
}

static void reference_has_a_place_though_it_is_the_worst_of_all(void **state)
{
    (void)state;
    static const struct look looks[] = {
        {"pool", 30, true},          {"zone", 31, true},
        {"lookaside", 32, true},     {"zone:lock=ticket", 41, true},
        {"zone:lock=mcs", 42, true}, {"zone:lock=clh", 43, true},
        {"zone:lock=fas", 44, true}, {"zone:lock=anderson", 45, false},
        {"mimalloc", 900, true},
    };
    assert_looks("mimalloc", looks, sizeof looks / sizeof looks[0]);
}

/* The floors are the fastest, so that the focus would be theirs. */
static const struct look with_floors[] = {
    {"null", 1, false},     {"floor:kind=lock", 2, false}, {"pool", 30, true},
    {"jemalloc", 40, true}, {"jemalloc@aa", 41, false},
};
enum { WITH_FLOORS = sizeof with_floors / sizeof with_floors[0] };

static void null_is_a_thin_dotted_line_without_marks_and_never_in_focus(void **state)
{
    (void)state;
    char *script, *data;
    drawn_looks("scaling", "jemalloc", with_floors, WITH_FLOORS, &script, &data);
    size_t at = number_of(data, "null");
    assert_int_not_equal(at, 0);
    assert_true(element(script, "THICK", at) < 1);
    assert_int_equal(element(script, "COLOUR", at), GREY);
    assert_int_equal(element(script, "DASH", at), 3);
    assert_int_equal(element(script, "DRAW", 1), at); /* behind the others */
    char row[32];
    snprintf(row, sizeof row, "\nfloor\t1\t%zu\t", at);
    assert_non_null(strstr(data, row));
    snprintf(row, sizeof row, "\nline\t1\t%zu\t", at);
    assert_null(strstr(data, row));
    free(script);
    free(data);
}

static void floors_and_twins_are_no_lines(void **state)
{
    (void)state;
    char *script, *data;
    drawn_looks("scaling", "jemalloc", with_floors, WITH_FLOORS, &script, &data);
    assert_null(strstr(data, "floor:kind"));
    assert_null(strstr(data, "@aa"));
    assert_non_null(strstr(script, "\nVARIANTS = 3\n")); /* null, pool, jemalloc */
    free(script);
    free(data);
}

static void a_panel_of_the_harness_alone_is_not_drawn(void **state)
{
    (void)state;
    const struct made_cell cells[] = {{"null", 1, 6, {1, 1, 1, 1, 1, 1}},
                                      {"null", 2, 6, {1, 1, 1, 1, 1, 1}},
                                      {"pool", 1, 6, {9, 9, 9, 9, 9, 9}}};
    const char *const names[] = {"scaling", NULL};
    char message[512] = "", *said = NULL;
    struct pb_run *run = made_run("pool", cells, 3);
    assert_int_equal(draw(run, names, &said, message, sizeof message), 0);
    assert_non_null(strstr(said, "scaling: nothing to draw: no workload was run with more"));
    free(said);
    made_free(run);
}

static void caption_names_grey_and_dotted_lines_where_there_are_any(void **state)
{
    (void)state;
    static const char grey[] = "; thin grey: further variants", null[] = "; thin dotted: null, the";
    static const struct look nine[] = {
        {"pool", 1, true},     {"zone", 1, true},          {"lookaside", 1, true},
        {"glibc", 1, true},    {"jemalloc", 1, true},      {"mimalloc", 1, true},
        {"tcmalloc", 1, true}, {"zone:lock=mcs", 1, true}, {"zone:lock=clh", 1, true},
    };
    const struct {
        const struct look *looks;
        size_t n;
        bool grey, null;
    } cases[] = {
        {nine, 9, true, false}, {nine, 8, false, false}, {with_floors, WITH_FLOORS, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *script, *data;
        drawn_looks("scaling", "jemalloc", cases[i].looks, cases[i].n, &script, &data);
        assert_int_equal(strstr(script, grey) != NULL, cases[i].grey);
        assert_int_equal(strstr(script, null) != NULL, cases[i].null);
        free(script);
        free(data);
    }
}

static int number_order(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* More lines than a panel's height has room for: grey ones go without a label. */
static void labels_keep_apart_and_those_in_focus_have_one(void **state)
{
    (void)state;
    struct look looks[LOOKS];
    char names[LOOKS][16], *script, *data;
    double places[LOOKS];
    size_t n = 0;
    for (size_t i = 0; i < LOOKS; i++) {
        snprintf(names[i], sizeof names[i], "other%02zu", i);
        looks[i] = (struct look){i == 7 ? "pool" : names[i], 10 + (double)i, false};
    }
    drawn_looks("scaling", "pool", looks, LOOKS, &script, &data);
    for (const char *line = data; (line = strstr(line, "\nlabel\t1\t")) != NULL; line++) {
        assert_true(n < LOOKS);
        assert_int_equal(sscanf(line, "\nlabel\t1\t%*u\t%*f\t%lf", &places[n]), 1);
        n++;
    }
    assert_in_range(n, 15, LOOKS - 1);
    qsort(places, n, sizeof *places, number_order);
    double pixels = 250 / log(element(script, "Y_HIGH", 1) / element(script, "Y_LOW", 1));
    for (size_t i = 1; i < n; i++)
        assert_true(log(places[i] / places[i - 1]) * pixels > 12.9);
    for (size_t i = 0, focused = 0; i < LOOKS; i++) {
        size_t at = number_of(data, looks[i].alloc);
        focused += at != 0 && element(script, "THICK", at) > 1.5;
        assert_true(i + 1 < LOOKS || focused == PB_LINES_FOCUS);
    }
    free(script);
    free(data);
}

/* --- forest ---------------------------------------------------------------------------------- */

static const char beyond_caption[] = "; arrow head: goes on beyond the axis";

static void interval_beyond_the_axis_ends_in_an_arrow_head(void **state)
{
    (void)state;
    const struct made_cell cells[] = {{"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
                                      {"zone", 1, 6, {0.5, 5, 6, 7, 8, 9}},
                                      {"pool", 1, 6, {15, 20, 22, 25, 30, 200}}};
    struct pb_run *run = made_run("jemalloc", cells, 3);
    char *data = drawn_data(run, "forest"), *script = made_file("forest.gp");
    assert_non_null(strstr(data, "\nestimate\t1\t0\t"));
    assert_non_null(strstr(data, "\nbeyond\t1\t0\t0.125\t"));
    assert_non_null(strstr(data, "\nbeyond\t1\t2\t8\t"));
    assert_null(strstr(data, "\nbeyond\t1\t0\t8\t"));
    assert_null(strstr(data, "\nbeyond\t1\t2\t0.125\t"));
    assert_null(strstr(data, "\nbeyond\t1\t1\t")); /* the reference */
    assert_non_null(strstr(script, beyond_caption));
    free(script);
    free(data);
    made_free(run);
}

static void interval_within_the_axis_has_no_arrow_head(void **state)
{
    (void)state;
    static const struct look looks[] = {{"jemalloc", 10, true}, {"pool", 70, true}};
    char *script, *data;
    drawn_looks("forest", "jemalloc", looks, 2, &script, &data);
    assert_non_null(strstr(data, "\nestimate\t1\t1\t7\t"));
    assert_null(strstr(data, "\nbeyond\t"));
    assert_null(strstr(script, beyond_caption));
    free(script);
    free(data);
}

static void noise_note_names_the_factor_or_the_least_effect(void **state)
{
    (void)state;
    static const struct {
        double twin; /* ns; the reference has 10 */
        const char *note;
    } cases[] = {
        {12, "jemalloc: 10.0 ns/op; grey band: A/A noise x1.20'"},
        {8, "grey band: A/A noise x1.25'"},
        {162, "grey band: A/A noise x16.2'"},
        {1500, "grey band: A/A noise x150'"},
        {10, "jemalloc: 10.0 ns/op; grey band: least effect x1.02'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct look looks[] = {
            {"jemalloc", 10, true}, {"jemalloc@aa", cases[i].twin, false}, {"pool", 20, true}};
        char *script, *data;
        drawn_looks("forest", "jemalloc", looks, 3, &script, &data);
        char *note = strstr(script, "array PANEL_NOTE[");
        assert_non_null(note);
        *strchr(note, '\n') = '\0';
        if (strstr(note, cases[i].note) == NULL)
            fail_msg("%s is not in %s", cases[i].note, note);
        assert_null(strstr(data, "@aa"));
        free(script);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(strategies_come_into_focus_before_their_variants_and_mallocs),
        IN_FOLDER(mallocs_take_the_places_that_are_left_the_best_first),
        IN_FOLDER(reference_has_a_place_though_it_is_the_worst_of_all),
        IN_FOLDER(null_is_a_thin_dotted_line_without_marks_and_never_in_focus),
        IN_FOLDER(floors_and_twins_are_no_lines),
        IN_FOLDER(a_panel_of_the_harness_alone_is_not_drawn),
        IN_FOLDER(caption_names_grey_and_dotted_lines_where_there_are_any),
        IN_FOLDER(labels_keep_apart_and_those_in_focus_have_one),
        IN_FOLDER(interval_beyond_the_axis_ends_in_an_arrow_head),
        IN_FOLDER(interval_within_the_axis_has_no_arrow_head),
        IN_FOLDER(noise_note_names_the_factor_or_the_least_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
