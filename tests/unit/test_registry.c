/* SPDX-License-Identifier: MIT */
/* The registry's check and what it must find, variants and their labels, opening with what stands
 * behind, and the baselines.
 * Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bank.h"
#include "hot.h"
#include "malloc/baselines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct pb_allocator *const nothing[] = {NULL};

/* A strategy that passes the check; each planted fault is a copy of it with one thing wrong. */
static int dummy_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    (void)config, (void)heap;
    return -ENOMEM;
}

static void dummy_close(struct pb_heap *heap)
{
    (void)heap;
}

static int dummy_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    (void)heap, (void)index, (void)thread;
    return -ENOMEM;
}

static void dummy_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread;
}

static void dummy_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    (void)heap, (void)stats;
}

static bool dummy_unavailable(const struct pb_heap_config *config, char *reason, size_t reason_size)
{
    snprintf(reason, reason_size, "not with %u threads", config->threads);
    return config->threads > 2;
}

static const struct pb_option no_options[] = {{.type = PB_OPTION_END}};
static const struct pb_option twice[] = {
    {.name = "a", .type = PB_OPTION_FLAG, .standard = "on", .help = "a"},
    {.name = "a", .type = PB_OPTION_FLAG, .standard = "on", .help = "a"},
    {.type = PB_OPTION_END}};
static const struct pb_option outside[] = {
    {.name = "a", .type = PB_OPTION_FLAG, .offset = 8, .standard = "on", .help = "a"},
    {.type = PB_OPTION_END}};
static const struct pb_option bad_default[] = {
    {.name = "a", .type = PB_OPTION_FLAG, .standard = "maybe", .help = "a"},
    {.type = PB_OPTION_END}};
static const struct pb_option no_help[] = {{.name = "a", .type = PB_OPTION_FLAG, .standard = "on"},
                                           {.type = PB_OPTION_END}};
static const struct pb_option flag_backing[] = {
    {.name = "backing", .type = PB_OPTION_FLAG, .standard = "on", .help = "a"},
    {.type = PB_OPTION_END}};

static struct pb_allocator sound(void)
{
    return (struct pb_allocator){.name = "dummy",
                                 .summary = "none",
                                 .source = "the test",
                                 .options = no_options,
                                 .unavailable = dummy_unavailable,
                                 .open = dummy_open,
                                 .close = dummy_close,
                                 .attach = dummy_attach,
                                 .detach = dummy_detach,
                                 .stats = dummy_stats};
}

static int check_with(const struct pb_allocator *ops, char *message, size_t size)
{
    const struct pb_allocator *const more[] = {ops, NULL};
    pb_registry_extend(more);
    int error = pb_registry_check(message, size);
    pb_registry_extend(nothing);
    return error;
}

static void the_strategies_that_there_are_pass(void **state)
{
    char message[200] = "";
    struct pb_allocator dummy = sound();
    (void)state;
    if (pb_registry_check(message, sizeof message) != 0)
        fail_msg("%s", message);
    assert_int_equal(check_with(&dummy, message, sizeof message), 0);
}

static void expect_finding(const struct pb_allocator *ops, const char *words)
{
    char message[200] = "";
    assert_int_equal(check_with(ops, message, sizeof message), -EINVAL);
    if (strstr(message, words) == NULL)
        fail_msg("'%s' lacks '%s'", message, words);
}

static void a_row_with_a_wrong_slot_is_found(void **state)
{
    struct pb_allocator ops;
    (void)state;
    ops = sound();
    ops.name = "Bad name";
    expect_finding(&ops, "name");
    ops = sound();
    ops.name = "zone";
    expect_finding(&ops, "two strategies");
    ops = sound();
    ops.summary = NULL;
    expect_finding(&ops, "summary");
    ops = sound();
    ops.options = NULL;
    expect_finding(&ops, "PB_OPTION_END");
    ops = sound();
    ops.stats = NULL;
    expect_finding(&ops, "missing");
    ops = sound();
    ops.capabilities = PB_CAP_LIBRARY | PB_CAP_FIXED_SIZE;
    expect_finding(&ops, "library");
    ops.capabilities = PB_CAP_ONE_BLOCK;
    expect_finding(&ops, "floor");
    ops.capabilities = PB_CAP_BACKING;
    expect_finding(&ops, "backing");
}

static void a_row_with_a_wrong_option_is_found(void **state)
{
    static const struct {
        const struct pb_option *options;
        const char *words;
    } cases[] = {{twice, "one name"},
                 {outside, "outside"},
                 {bad_default, "default"},
                 {no_help, "help"},
                 {flag_backing, "not a text"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_allocator ops = sound();
        ops.options = cases[i].options;
        ops.option_bytes = 8;
        expect_finding(&ops, cases[i].words);
    }
}

static void names_find_rows_and_the_end_is_null(void **state)
{
    size_t n = 0;
    (void)state;
    while (pb_registry_at(n) != NULL) {
        assert_ptr_equal(pb_registry_find(pb_registry_at(n)->name), pb_registry_at(n));
        n++;
    }
    assert_true(n >= 6);
    assert_null(pb_registry_at(n + 5));
    assert_null(pb_registry_find("nosuch"));
    assert_string_equal(pb_registry_at(0)->name, "null");
}

static void every_counter_has_one_row_and_sums_know_the_unknown(void **state)
{
    struct pb_heap_stats a, b;
    size_t n = 0;
    (void)state;
    for (; pb_stat_rows[n].name != NULL; n++)
        assert_int_equal(pb_stat_rows[n].offset, n * sizeof(uint64_t));
    assert_int_equal(n * sizeof(uint64_t), sizeof a);
    pb_stats_unknown(&a);
    pb_stats_unknown(&b);
    a.allocs = 1;
    b.allocs = 2;
    b.frees = 3;
    pb_stats_add(&a, &b);
    assert_int_equal(a.allocs, 3);
    assert_int_equal(a.frees, 3);
    assert_int_equal(a.hits, PB_STAT_UNKNOWN);
}

static void labels_are_canonical(void **state)
{
    static const char *const cases[][2] = {
        {"null", "null"},
        {"floor:kind=empty", "floor"},
        {"floor:kind=cas", "floor:kind=cas"},
        {"malloc", "glibc"},
        {"malloc:lib=glibc", "glibc"},
        {"malloc:lib=jemalloc", "jemalloc"},
        {"jemalloc", "jemalloc"},
        {"tcmalloc", "tcmalloc"},
        {"lookaside:backing=pool,scope=list,depth=256", "lookaside"},
        {"lookaside:scope=thread,depth=64", "lookaside:depth=64,scope=thread"},
        {"lookaside:backing=malloc:lib=mimalloc", "lookaside:backing=mimalloc"},
        {"lookaside:backing=(malloc:lib=tcmalloc),depth=1k",
         "lookaside:depth=1024,backing=tcmalloc"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_variant variant, again;
        char message[300] = "";
        if (pb_variant_parse(cases[i][0], &variant, message, sizeof message) != 0)
            fail_msg("%s: %s", cases[i][0], message);
        assert_string_equal(variant.label, cases[i][1]);
        assert_int_equal(pb_variant_parse(variant.label, &again, message, sizeof message), 0);
        assert_memory_equal(&variant, &again, sizeof variant);
    }
}

static void the_backing_is_named_by_its_label(void **state)
{
    struct pb_variant variant;
    char message[300] = "";
    (void)state;
    assert_int_equal(pb_variant_parse("lookaside", &variant, message, sizeof message), 0);
    assert_string_equal(variant.backing, "pool");
    assert_int_equal(
        pb_variant_parse("lookaside:backing=malloc", &variant, message, sizeof message), 0);
    assert_string_equal(variant.backing, "glibc");
    assert_int_equal(pb_variant_parse("null", &variant, message, sizeof message), 0);
    assert_string_equal(variant.backing, "");
}

static void a_malformed_variant_is_refused_in_one_clear_line(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *words[3];
    } cases[] = {
        {"nosuch", -ENOENT, {"'nosuch'", "zone", "jemalloc"}},
        {"", -ENOENT, {"''", "zone", "jemalloc"}},
        {"zone:lock=foo", -EINVAL, {"zone:", "'foo'", "fas, "}},
        {"zone:lock", -EINVAL, {"zone:", "'lock' needs a value", "fas, "}},
        {"zone:bogus=1", -ENOENT, {"zone:", "'bogus'", "lock"}},
        {"zone:", -EINVAL, {"zone:", "missing", "colon"}},
        {"null:a=1", -ENOENT, {"null:", "'a'", "none"}},
        {"jemalloc:lib=glibc", -EINVAL, {"jemalloc", "malloc:lib=jemalloc", "no options"}},
        {"lookaside:depth=0", -ERANGE, {"lookaside:", "'0' is out of range", "1 to 32768"}},
        {"lookaside:depth=65536", -ERANGE, {"lookaside:", "'65536'", "1 to 32768"}},
        {"lookaside:depth=99999999999999999999", -ERANGE, {"lookaside:", "range", "1 to 32768"}},
        {"lookaside:backing=nosuch", -ENOENT, {"lookaside:", "'nosuch'", "pool"}},
        {"lookaside:backing=null", -EINVAL, {"lookaside:", "'backing'", "null cannot stand"}},
        {"lookaside:backing=lookaside", -EINVAL, {"lookaside:", "'backing'", "cannot stand"}},
        {"lookaside:backing=malloc:lib=x", -EINVAL, {"malloc:", "'x'", "mimalloc"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_variant variant = {.label = "as before"};
        char message[300] = "";
        int error = pb_variant_parse(cases[i].text, &variant, message, sizeof message);
        if (error != cases[i].error)
            fail_msg("%s: %d, %s", cases[i].text, error, message);
        assert_string_equal(variant.label, "as before");
        assert_null(strchr(message, '\n'));
        for (size_t k = 0; k < 3; k++)
            if (strstr(message, cases[i].words[k]) == NULL)
                fail_msg("%s: '%s' lacks '%s'", cases[i].text, message, cases[i].words[k]);
    }
}

static void a_variant_that_is_unavailable_says_why(void **state)
{
    struct pb_allocator dummy = sound();
    const struct pb_allocator *const more[] = {&dummy, NULL};
    struct pb_variant variant;
    struct pb_heap_request request = {64, 3, 0};
    struct pb_opened opened;
    char message[200] = "";
    (void)state;
    pb_registry_extend(more);
    assert_int_equal(pb_variant_parse("dummy", &variant, message, sizeof message), 0);
    assert_false(pb_variant_unavailable(&variant, 2, message, sizeof message));
    assert_true(pb_variant_unavailable(&variant, 3, message, sizeof message));
    assert_string_equal(message, "not with 3 threads");
    assert_int_equal(pb_variant_open(&variant, &request, &opened, message, sizeof message),
                     -ENOTSUP);
    assert_string_equal(message, "not with 3 threads");
    request.threads = 2;
    assert_int_equal(pb_variant_open(&variant, &request, &opened, message, sizeof message),
                     -ENOMEM);
    assert_non_null(strstr(message, "dummy"));
    pb_registry_extend(nothing);
}

static void a_heap_opens_with_what_stands_behind_it(void **state)
{
    static const struct {
        const char *variant;
        size_t block_bytes;
        bool banked, backing, larger;
    } cases[] = {
        {"null", 64, false, false, false},
        {"null", 0, true, false, true},
        {"pool", 64, false, false, false},
        {"pool", 0, false, false, false},
        {"lookaside:scope=thread", 64, false, true, false},
        {"lookaside:scope=thread", 0, true, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_variant variant;
        struct pb_heap_request request = {cases[i].block_bytes, 2, 0};
        struct pb_opened opened;
        char message[200] = "";
        assert_int_equal(pb_variant_parse(cases[i].variant, &variant, message, sizeof message), 0);
        assert_int_equal(pb_variant_open(&variant, &request, &opened, message, sizeof message), 0);
        assert_int_equal(opened.banked, cases[i].banked);
        assert_int_equal(opened.backing != NULL, cases[i].backing);
        assert_int_equal(opened.larger != NULL, cases[i].larger);
        assert_ptr_equal(opened.heap->ops, cases[i].banked ? &pb_allocator_bank : variant.ops);
        assert_ptr_equal(opened.heap->alloc, opened.heap->hot->alloc);
        pb_variant_close(&opened);
    }
}

static void a_baseline_is_what_a_variant_needs(void **state)
{
    static const char *const cases[][2] = {{"jemalloc", "jemalloc"},
                                           {"malloc", "glibc"},
                                           {"lookaside:backing=tcmalloc", "tcmalloc"},
                                           {"lookaside", NULL},
                                           {"zone", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_variant variant;
        char message[200] = "";
        assert_int_equal(pb_variant_parse(cases[i][0], &variant, message, sizeof message), 0);
        const char *lib = pb_baseline_for(&variant);
        assert_int_equal(lib != NULL, cases[i][1] != NULL);
        if (lib != NULL)
            assert_string_equal(lib, cases[i][1]);
    }
}

static void a_library_to_preload_is_a_file_or_named_as_missing(void **state)
{
    char path[512];
    (void)state;
    for (size_t i = 0; pb_baseline_names[i] != NULL; i++) {
        const char *found = pb_baseline_preload(pb_baseline_names[i], path, sizeof path);
        if (i == 0)
            assert_string_equal(found, "");
        else if (found != NULL)
            assert_int_equal(access(found, R_OK), 0);
        else
            assert_non_null(strstr(path, "is not installed: no lib"));
    }
    assert_null(pb_baseline_preload("nosuch", path, sizeof path));
}

static void only_the_library_that_answers_is_believed(void **state)
{
    char who[200];
    unsigned answering = 0;
    (void)state;
    for (size_t i = 0; pb_baseline_names[i] != NULL; i++) {
        int error = pb_baseline_verify(pb_baseline_names[i], who, sizeof who);
        answering += error == 0;
        if (error == 0)
            assert_non_null(strstr(who, "("));
        else
            assert_non_null(strstr(who, "is not what answers malloc here"));
    }
    assert_true(answering <= 1); /* none where a sanitizer answers */
    assert_int_equal(pb_baseline_verify("nosuch", who, sizeof who), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strategies_that_there_are_pass),
        cmocka_unit_test(a_row_with_a_wrong_slot_is_found),
        cmocka_unit_test(a_row_with_a_wrong_option_is_found),
        cmocka_unit_test(names_find_rows_and_the_end_is_null),
        cmocka_unit_test(every_counter_has_one_row_and_sums_know_the_unknown),
        cmocka_unit_test(labels_are_canonical),
        cmocka_unit_test(the_backing_is_named_by_its_label),
        cmocka_unit_test(a_malformed_variant_is_refused_in_one_clear_line),
        cmocka_unit_test(a_variant_that_is_unavailable_says_why),
        cmocka_unit_test(a_heap_opens_with_what_stands_behind_it),
        cmocka_unit_test(a_baseline_is_what_a_variant_needs),
        cmocka_unit_test(a_library_to_preload_is_a_file_or_named_as_missing),
        cmocka_unit_test(only_the_library_that_answers_is_believed),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
