/* SPDX-License-Identifier: MIT */
/* Reports for programs, and names out of a file: they come back whole from CSV and JSON and harm no
 * terminal, spreadsheet or page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report_text.h"

#include <math.h>

/* --- formats for programs -------------------------------------------------------------------- */

/* Reads one field of RFC 4180 at *at; returns whether more of the record follows. */
static bool csv_field(const char **at, char *out, size_t size)
{
    size_t used = 0;
    bool quoted = **at == '"';
    const char *c = *at + quoted;
    while (*c != '\0' && (quoted || (*c != ',' && *c != '\r'))) {
        if (quoted && *c == '"' && *++c != '"')
            break;
        assert_true(used + 1 < size);
        out[used++] = *c++;
    }
    out[used] = '\0';
    assert_true(*c == ',' || strncmp(c, "\r\n", 2) == 0);
    bool more = *c == ',';
    *at = c + (more ? 1 : 2);
    return more;
}

static size_t csv_record(const char **at, char fields[][2048], size_t most)
{
    size_t n = 0;
    bool more = true;
    while (more) {
        assert_true(n < most);
        more = csv_field(at, fields[n++], 2048);
    }
    return n;
}

static void csv_has_a_row_a_cell_and_equal_fields(void **state)
{
    (void)state;
    static char head[40][2048], fields[40][2048];
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_CSV});
    const char *at = text;
    size_t n = csv_record(&at, head, 40), rows = 0, crashed = 0;
    assert_string_equal(head[2], "alloc");
    while (*at != '\0') {
        assert_int_equal(csv_record(&at, fields, 40), n);
        crashed += strcmp(fields[n - 2], "crashed") == 0;
        rows++;
    }
    assert_int_equal(rows, 5 * 10 + 4);
    assert_int_equal(crashed, 1);
    free(text);
    pb_run_free(run);
}

static void json_is_strict_and_complete(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_JSON});
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(report);
    assert_int_equal(json_array_size(json_object_get(report, "groups")), 6);
    assert_int_equal(json_array_size(json_object_get(report, "failures")), 4);
    const json_t *group = json_array_get(json_object_get(report, "groups"), 0);
    const json_t *pool = json_array_get(json_object_get(group, "variants"), 1);
    assert_string_equal(json_string_value(json_object_get(pool, "alloc")), "pool");
    assert_string_equal(json_string_value(json_object_get(pool, "verdict")), "worse");
    const json_t *ratio = json_object_get(json_object_get(pool, "comparison"), "ratio");
    assert_true(json_number_value(json_array_get(json_object_get(ratio, "interval"), 0)) > 1);
    json_decref(report);
    free(text);
    pb_run_free(run);
}

/* --- hostile names --------------------------------------------------------------------------- */

static void hostile_names_stay_text_in_the_table(void **state)
{
    (void)state;
    struct pb_run *run = hostile_run();
    char *text = report_text(run, (struct pb_report_options){.width = 120});
    for (const char *c = text; *c != '\0'; c++)
        assert_true((unsigned char)*c >= ' ' || *c == '\n');
    assert_non_null(strstr(text, "`touch pwned`"));
    assert_non_null(strstr(text, "?[31mred????line"));
    assert_non_null(strstr(text, "\xe2\x80\xa6"));
    free(text);
    made_free(run);
}

static void hostile_names_come_back_from_csv_and_json(void **state)
{
    (void)state;
    static char fields[40][2048];
    struct pb_run *run = hostile_run();
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_CSV});
    const char *at = text;
    bool seen[HOSTILE] = {false};
    while (*at != '\0') {
        csv_record(&at, fields, 40);
        for (size_t i = 0; i < HOSTILE; i++)
            seen[i] |= strcmp(fields[2], hostile[i]) == 0;
    }
    for (size_t i = 0; i < HOSTILE; i++)
        assert_int_equal(seen[i], hostile[i][0] != '\033'); /* control characters are cleaned */
    free(text);
    text = report_text(run, (struct pb_report_options){.format = PB_REPORT_JSON});
    json_t *report = json_loads(text, 0, NULL);
    assert_non_null(report);
    json_decref(report);
    free(text);
    made_free(run);
}

static void hostile_names_make_no_markup(void **state)
{
    (void)state;
    struct pb_run *run = hostile_run();
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_MARKDOWN});
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, " `touch"));
    assert_non_null(strstr(text, "&lt;script&gt;"));
    assert_non_null(strstr(text, "under\\_score"));
    free(text);
    made_free(run);
}

/* --- text ------------------------------------------------------------------------------------ */

static void text_is_cut_between_characters_and_shows_it(void **state)
{
    (void)state;
    char out[16];
    pb_text_fit("abcdef", 4, out, sizeof out);
    assert_string_equal(out, "abc\xe2\x80\xa6");
    pb_text_fit("abcd", 4, out, sizeof out);
    assert_string_equal(out, "abcd");
    pb_text_fit("\xc3\xbc\xc3\xbc\xc3\xbc", 2, out, sizeof out);
    assert_string_equal(out, "\xc3\xbc\xe2\x80\xa6");
    pb_text_fit("\xf0\x9f\x90\x8c\xf0\x9f\x90\x8c\xf0\x9f\x90\x8c\xf0\x9f\x90\x8c", 9, out, 10);
    assert_true(strlen(out) < 10);
    assert_int_equal(pb_text_clean("\xff\xc0\xaf\xed\xa0\x80", out, sizeof out), 6);
    assert_string_equal(out, "??????");
    assert_int_equal(pb_text_width("\xc3\xbc\xe2\x80\xa6x"), 3);
}

static void text_is_cut_in_the_middle_before_its_last_option(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t width;
        const char *fits;
    } cases[] = {
        {"pool:lists=off", 14, "pool:lists=off"},
        {"pool:lists=off,merge=off", 20, "pool:list\u2026,merge=off"},
        {"pool:lists=off,shared=off,merge=off", 20, "pool:list\u2026,merge=off"},
        {"pool:lists=off,shared_lists=off", 26, "pool:lis\u2026,shared_lists=off"},
        {"abcdefghijklmnopqrst", 9, "abcd\u2026qrst"},
        {"abcdefghijklmnopqrst", 3, "a\u2026t"},
        {"abcdefghijklmnopqrst", 1, "\u2026"},
        {"\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc", 5, "\u00fc\u00fc\u2026\u00fc\u00fc"},
    };
    char out[64], little[12];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pb_text_fit_middle(cases[i].text, cases[i].width, out, sizeof out);
        assert_string_equal(out, cases[i].fits);
    }
    pb_text_fit_middle("pool:lists=off,merge=off", 20, little, sizeof little);
    assert_true(strlen(little) < sizeof little);
}

static void text_is_broken_between_words_at_the_width(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at, indent, width;
        const char *lines;
    } cases[] = {
        {"one two  three", 0, 0, 0, "one two  three"},
        {"one two  three", 0, 2, 8, "one two\n  three"},
        {"one two  three", 4, 4, 14, "one two\n    three"},
        {"abcdefghij k", 0, 1, 4, "abcd\n efg\n hij\n k"},
        {"\xc3\xbc\xc3\xbc \xc3\xbc\xc3\xbc\n", 0, 0, 3, "\xc3\xbc\xc3\xbc\n\xc3\xbc\xc3\xbc?"},
        {"ab", 5, 5, 3, "a\n     b"},
        {"", 2, 2, 9, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        pb_text_wrap(out, cases[i].text, cases[i].at, cases[i].indent, cases[i].width);
        fclose(out);
        assert_string_equal(text, cases[i].lines);
        free(text);
    }
}

static void numbers_have_three_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *unit, *text;
    } cases[] = {
        {0.0123, "ns", "0.012"},     {0.31, "ns", "0.31"},
        {9.994, "ns", "9.99"},       {9.996, "ns", "10.0"},
        {99.97, "ns", "100"},        {1234.5, "ns", "1234"},
        {NAN, "bytes", "-"},         {512, "bytes", "512 B"},
        {1536, "bytes", "1.50 KiB"}, {3.5 * (1 << 20), "bytes", "3.50 MiB"},
        {2.5e8, "1/s", "250 M"},
    };
    char out[32];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pb_text_value(cases[i].value, cases[i].unit, out, sizeof out);
        assert_string_equal(out, cases[i].text);
    }
    pb_text_group("larson/size:64/dispatch:inline/threads:1", out, sizeof out);
    assert_string_equal(out, "larson, size=64, dispatch=inlin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_has_a_row_a_cell_and_equal_fields),
        cmocka_unit_test(json_is_strict_and_complete),
        cmocka_unit_test(hostile_names_stay_text_in_the_table),
        cmocka_unit_test(hostile_names_come_back_from_csv_and_json),
        cmocka_unit_test(hostile_names_make_no_markup),
        cmocka_unit_test(text_is_cut_between_characters_and_shows_it),
        cmocka_unit_test(text_is_cut_in_the_middle_before_its_last_option),
        cmocka_unit_test(text_is_broken_between_words_at_the_width),
        cmocka_unit_test(numbers_have_three_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
