/* SPDX-License-Identifier: MIT */
/* Options as data: parsing, limits, messages, printing. Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct values {
    uint64_t depth, bytes, checks, lock, any;
    char backing[PB_OPTION_TEXT_MAX];
};

static const char *const locks[] = {"none", "fas", "ticket", NULL};

static const struct pb_option table[] = {
    {.name = "depth",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct values, depth),
     .unit = "blocks",
     .standard = "256",
     .min = 1,
     .max = 65535,
     .help = "depth"},
    {.name = "bytes",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct values, bytes),
     .unit = "bytes",
     .standard = "64k",
     .min = 0,
     .max = UINT64_MAX,
     .help = "bytes"},
    {.name = "checks",
     .type = PB_OPTION_FLAG,
     .offset = offsetof(struct values, checks),
     .standard = "off",
     .help = "checks"},
    {.name = "lock",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct values, lock),
     .standard = "fas",
     .choices = locks,
     .help = "lock"},
    {.name = "backing",
     .type = PB_OPTION_TEXT,
     .offset = offsetof(struct values, backing),
     .standard = "pool",
     .help = "backing"},
    {.type = PB_OPTION_END},
};

static struct values defaults(void)
{
    struct values values = {0};
    assert_int_equal(pb_option_defaults(table, &values), 0);
    return values;
}

static void defaults_are_what_the_rows_say(void **state)
{
    struct values values = defaults();
    (void)state;
    assert_int_equal(values.depth, 256);
    assert_int_equal(values.bytes, 65536);
    assert_int_equal(values.checks, 0);
    assert_int_equal(values.lock, 1);
    assert_string_equal(values.backing, "pool");
}

static void a_default_that_does_not_parse_is_refused(void **state)
{
    static const struct pb_option wrong[] = {
        {.name = "depth", .type = PB_OPTION_UINT, .standard = "70000", .min = 1, .max = 65535},
        {.type = PB_OPTION_END}};
    struct values values = {0};
    (void)state;
    assert_int_equal(pb_option_defaults(wrong, &values), -EINVAL);
}

static void every_kind_of_value_parses(void **state)
{
    struct values values = defaults();
    char message[200] = "";
    (void)state;
    assert_int_equal(pb_option_parse(table, &values,
                                     "depth=4,bytes=3M,checks=on,lock=ticket,backing=zone:lock=fas",
                                     message, sizeof message),
                     0);
    assert_int_equal(values.depth, 4);
    assert_int_equal(values.bytes, 3 << 20);
    assert_int_equal(values.checks, 1);
    assert_int_equal(values.lock, 2);
    assert_string_equal(values.backing, "zone:lock=fas");
    assert_int_equal(pb_option_parse(table, &values, "", message, sizeof message), 0);
}

static void commas_in_parentheses_belong_to_the_value(void **state)
{
    struct values values = defaults();
    char message[200] = "", printed[100];
    (void)state;
    assert_int_equal(pb_option_parse(table, &values, "backing=(pool:a=1,b=(x,y),depth=7),depth=9",
                                     message, sizeof message),
                     0);
    assert_string_equal(values.backing, "pool:a=1,b=(x,y),depth=7");
    assert_int_equal(values.depth, 9);
    pb_option_print(pb_option_find(table, "backing"), &values, printed, sizeof printed);
    assert_string_equal(printed, "(pool:a=1,b=(x,y),depth=7)");
}

static void suffixes_are_powers_of_1024(void **state)
{
    static const struct {
        const char *text;
        int error;
        uint64_t value;
    } cases[] = {
        {"bytes=0", 0, 0},
        {"bytes=1k", 0, 1024},
        {"bytes=1K", 0, 1024},
        {"bytes=2G", 0, (uint64_t)2 << 30},
        {"bytes=1T", 0, (uint64_t)1 << 40},
        {"bytes=18446744073709551615", 0, UINT64_MAX},
        {"bytes=18446744073709551616", -ERANGE, 65536},
        {"bytes=16777216T", -ERANGE, 65536},
        {"bytes=18014398509481984k", -ERANGE, 65536},
        {"bytes=", -EINVAL, 65536},
        {"bytes=k", -EINVAL, 65536},
        {"bytes=1kk", -EINVAL, 65536},
        {"bytes=-1", -EINVAL, 65536},
        {"bytes=0x10", -EINVAL, 65536},
        {"bytes= 1", -EINVAL, 65536},
    };
    char message[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values values = defaults();
        int error = pb_option_parse(table, &values, cases[i].text, message, sizeof message);
        if (error != cases[i].error || values.bytes != cases[i].value)
            fail_msg("%s: error %d, value %llu", cases[i].text, error,
                     (unsigned long long)values.bytes);
    }
}

static void what_is_wrong_is_said_in_one_line(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *words[3];
    } cases[] = {
        {"bogus=1", -ENOENT, {"'bogus'", "depth", "backing"}},
        {"bogus", -ENOENT, {"'bogus'", "depth", "backing"}},
        {"depth", -EINVAL, {"'depth'", "needs a value", "1 to 65535 blocks"}},
        {"depth=0", -ERANGE, {"'depth'", "'0' is out of range", "1 to 65535 blocks"}},
        {"depth=65536", -ERANGE, {"'depth'", "'65536' is out of range", "1 to 65535 blocks"}},
        {"depth=ten", -EINVAL, {"'depth'", "'ten'", "1 to 65535 blocks"}},
        {"lock=foo", -EINVAL, {"'lock'", "'foo'", "none, fas, ticket"}},
        {"lock=", -EINVAL, {"'lock'", "''", "none, fas, ticket"}},
        {"checks=maybe", -EINVAL, {"'checks'", "'maybe'", "on, off"}},
        {"depth=4,", -EINVAL, {"missing", "comma", ""}},
        {",depth=4", -EINVAL, {"missing", "comma", ""}},
        {"=4", -ENOENT, {"''", "depth", ""}},
        {"depth=4,depth=5", -EINVAL, {"'depth'", "given twice", ""}},
        {"lock=fas,backing=(lock=none,depth=1),depth=2,lock=fas", -EINVAL, {"'lock'", "twice", ""}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values values = defaults();
        char message[200] = "";
        int error = pb_option_parse(table, &values, cases[i].text, message, sizeof message);
        assert_int_equal(error, cases[i].error);
        assert_null(strchr(message, '\n'));
        for (size_t k = 0; k < 3; k++)
            if (strstr(message, cases[i].words[k]) == NULL)
                fail_msg("%s: '%s' lacks '%s'", cases[i].text, message, cases[i].words[k]);
    }
}

static void a_refused_value_leaves_the_old_one(void **state)
{
    struct values values = defaults(), before = values;
    char message[200], text[2 * PB_OPTION_TEXT_MAX];
    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(pb_option_set(table, &values, "depth", 5, "99999", 5, message, sizeof message),
                     -ERANGE);
    assert_int_equal(
        pb_option_set(table, &values, "backing", 7, text, sizeof text, message, sizeof message),
        -EINVAL);
    assert_memory_equal(&values, &before, sizeof values);
}

static void values_print_as_they_are_written(void **state)
{
    static const char *const texts[] = {"depth=1024", "bytes=64k", "bytes=1000",
                                        "bytes=0",    "bytes=5T",  "checks=on",
                                        "checks=off", "lock=none", "backing=zone:lock=fas"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct values values = defaults();
        char message[200], printed[100], key[20] = "";
        size_t key_len = strcspn(texts[i], "=");
        memcpy(key, texts[i], key_len);
        assert_int_equal(pb_option_parse(table, &values, texts[i], message, sizeof message), 0);
        int length = pb_option_print(pb_option_find(table, key), &values, printed, sizeof printed);
        assert_string_equal(printed, texts[i] + key_len + 1);
        assert_int_equal(length, strlen(printed));
    }
}

static void a_short_message_buffer_is_not_overrun(void **state)
{
    struct values values = defaults();
    char guarded[12];
    (void)state;
    memset(guarded, '#', sizeof guarded);
    assert_int_equal(pb_option_parse(table, &values, "bogus=1", guarded, 8), -ENOENT);
    assert_int_equal(guarded[7], '\0');
    assert_int_equal(guarded[8], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_what_the_rows_say),
        cmocka_unit_test(a_default_that_does_not_parse_is_refused),
        cmocka_unit_test(every_kind_of_value_parses),
        cmocka_unit_test(commas_in_parentheses_belong_to_the_value),
        cmocka_unit_test(suffixes_are_powers_of_1024),
        cmocka_unit_test(what_is_wrong_is_said_in_one_line),
        cmocka_unit_test(a_refused_value_leaves_the_old_one),
        cmocka_unit_test(values_print_as_they_are_written),
        cmocka_unit_test(a_short_message_buffer_is_not_overrun),
    };
    return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
