/* SPDX-License-Identifier: MIT */
/* Matrix files and what the command line changes in them: what a good one becomes, and what is said
 * of every bad one, word for word where the words are ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/matrix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[32], message[PB_MESSAGE_MAX];

static int make_file(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "matrix-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void fill(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static struct pb_matrix *read_good(const char *text)
{
    struct pb_matrix *matrix = NULL;
    fill(text);
    message[0] = '\0';
    if (pb_matrix_read(path, &matrix, message, sizeof message) != 0)
        fail_msg("%s", message);
    return matrix;
}

/* The texts of an array, separated by blanks. */
static const char *joined(const json_t *values)
{
    static char text[512];
    size_t i;
    json_t *value;
    text[0] = '\0';
    json_array_foreach((json_t *)values, i, value)
    {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i == 0 ? "" : " ",
                 json_string_value(value));
    }
    return text;
}

#define SMALL                                                                                      \
    "name = \"x\"\n"                                                                               \
    "[axes]\n"                                                                                     \
    "alloc = [\"pool\", \"zone:lock=fas\"]\n"                                                      \
    "[[workload]]\n"                                                                               \
    "name = \"pair\"\n"

static void a_small_matrix_has_the_documented_defaults(void **state)
{
    (void)state;
    struct pb_matrix *m = read_good(SMALL);
    assert_string_equal(m->settings.name, "x");
    assert_string_equal(m->settings.reference, "jemalloc");
    assert_int_equal(m->settings.blocks, 11);
    assert_int_equal(m->settings.seed, 1);
    assert_int_equal(m->settings.aa, 1);
    assert_int_equal(m->settings.exploratory, 0);
    assert_int_equal(m->settings.timeout, 60);
    assert_int_equal(m->settings.memory_limit, 4ull << 30);
    assert_int_equal(m->settings.sample_gap, 256);
    assert_true(m->scale >= 1 && m->scale <= 1);
    assert_false(m->oversubscribe);
    assert_string_equal(joined(m->axes[PB_AXIS_ALLOC]), "pool zone");
    assert_string_equal(joined(m->axes[PB_AXIS_THREADS]), "1");
    assert_string_equal(joined(m->axes[PB_AXIS_PIN]), "core");
    assert_string_equal(joined(m->axes[PB_AXIS_DISPATCH]), "call");
    assert_string_equal(joined(m->axes[PB_AXIS_MEMORY]), "default");
    assert_string_equal(m->text, SMALL);
    pb_matrix_free(m);
}

static void every_key_is_read(void **state)
{
    (void)state;
    struct pb_matrix *m =
        read_good("name = \"n\"\ntitle = \"t\"\nexploratory = true\nblocks = 6\n"
                  "seed = 9\nreference = \"glibc\"\naa = false\naudit = false\n"
                  "timeout = 7\nmemory_limit = \"64M\"\nsample_gap = 0\nscale = 0.5\n"
                  "[axes]\nalloc = \"pool\"\nthreads = [1, 2, 2]\npin = \"none\"\n"
                  "dispatch = [\"table\", \"inline\"]\nmemory = \"local\"\n"
                  "oversubscribe = true\n"
                  "[[workload]]\nname = \"batch\"\nsize = [64, \"4k\", 4096]\n"
                  "order = \"random\"\nthreads = 3\nscale = 2\n"
                  "[[include]]\nworkload = \"pair\"\nalloc = \"null\"\n"
                  "[[exclude]]\nthreads = 2\nsize = 4096\n");
    assert_string_equal(m->settings.title, "t");
    assert_string_equal(m->settings.reference, "glibc");
    assert_int_equal(m->settings.blocks, 6);
    assert_int_equal(m->settings.memory_limit, 64 << 20);
    assert_int_equal(m->settings.sample_gap, 0);
    assert_int_equal(m->settings.audit, 0);
    assert_true(m->scale * 2 >= 1 && m->scale * 2 <= 1);
    assert_true(m->oversubscribe);
    assert_string_equal(joined(m->axes[PB_AXIS_THREADS]), "1 2");
    assert_string_equal(joined(m->axes[PB_AXIS_DISPATCH]), "table inline");
    assert_int_equal(m->workloads.n, 1);
    const struct pb_entry *batch = &m->workloads.at[0];
    assert_string_equal(batch->workload->name, "batch");
    assert_string_equal(joined(json_object_get(batch->params, "size")), "64 4k");
    assert_string_equal(joined(json_object_get(batch->params, "order")), "random");
    assert_string_equal(joined(batch->axes[PB_AXIS_THREADS]), "3");
    assert_true(batch->scale >= 2 && batch->scale <= 2);
    assert_int_equal(m->includes.n, 1);
    assert_string_equal(joined(m->includes.at[0].axes[PB_AXIS_ALLOC]), "null");
    assert_int_equal(m->excludes.n, 1);
    assert_null(m->excludes.at[0].workload);
    pb_matrix_free(m);
}

/* What is wrong, and what the line says behind FILE: ; `rest` NULL: only the place is checked. */
static const struct bad {
    const char *text, *place, *rest;
} bads[] = {
    {"blokcs = 3\n" SMALL, "1:1",
     "unknown key 'blokcs'; allowed: name, title, reference, exploratory, "
     "aa, audit, blocks, seed, timeout, memory_limit, sample_gap, counters, target, "
     "most_blocks, budget, retries, scale, axes, workload, include, exclude"},
    {"blocks = 0\n" SMALL, "1:10", NULL},
    {"blocks = 1001\n" SMALL, "1:10", NULL},
    {"blocks = -1\n" SMALL, "1:10", NULL},
    {"blocks = \"many\"\n" SMALL, "1:10", NULL},
    {"blocks = [1, 2]\n" SMALL, "1:10", "a text, a number, true or false is needed here"},
    {"scale = 0.0\n" SMALL, "1:9", "scale '0' is out of range; allowed: above 0, to 1000000"},
    {"reference = \"nosuch\"\n" SMALL, "1:13", NULL},
    {"target = \"0.02\"\n" SMALL, "1:10",
     "target '0.02' is not a share; allowed: off, above 0% and below 100%"},
    {"target = \"100%\"\n" SMALL, "1:10", NULL},
    {"budget = 10\n" SMALL, "1:10",
     "budget '10' is not a time; allowed: off, or a number with its unit: 90s, 10m, 2h"},
    {"budget = \"0m\"\n" SMALL, "1:10", NULL},
    {"most_blocks = 0\n" SMALL, "1:15", NULL},
    {"[axes]\nallok = [\"pool\"]\n", "2:1",
     "unknown axis 'allok'; allowed: alloc, threads, pin, dispatch, memory, start, arrival, "
     "delay, oversubscribe"},
    {"[axes]\nalloc = [\"pool\", \"nosuch\"]\n[[workload]]\nname = \"pair\"\n", "2:18", NULL},
    {"[axes]\nalloc = [\"zone:lock=foo\"]\n[[workload]]\nname = \"pair\"\n", "2:10", NULL},
    {"[axes]\nalloc = [\"zone:bogus=1\"]\n[[workload]]\nname = \"pair\"\n", "2:10", NULL},
    {"[axes]\nalloc = []\n[[workload]]\nname = \"pair\"\n", "2:9", "the list is empty"},
    {"[axes]\nalloc = \"pool\"\nthreads = [1, 0]\n[[workload]]\nname = \"pair\"\n", "3:15",
     "threads '0' is out of range; allowed: 1 to 1024"},
    {"[axes]\nalloc = \"pool\"\nthreads = 1025\n[[workload]]\nname = \"pair\"\n", "3:11",
     "threads '1025' is out of range; allowed: 1 to 1024"},
    {"[axes]\nalloc = \"pool\"\nthreads = 1.5\n[[workload]]\nname = \"pair\"\n", "3:11",
     "threads '1.5' is out of range; allowed: 1 to 1024"},
    {"[axes]\nalloc = \"pool\"\ndispatch = \"fast\"\n[[workload]]\nname = \"pair\"\n", "3:12",
     "unknown dispatch 'fast'; allowed: call, inline, table"},
    {"[axes]\nalloc = \"pool\"\nmemory = \"near\"\n[[workload]]\nname = \"pair\"\n", "3:10",
     "unknown memory policy 'near'; allowed: default, local, interleave"},
    {"[axes]\nalloc = \"pool\"\npin = \"wide\"\n[[workload]]\nname = \"pair\"\n", "3:7", NULL},
    {"[axes]\nalloc = \"pool\"\noversubscribe = 1\n[[workload]]\nname = \"pair\"\n", "3:17",
     "oversubscribe is true or false"},
    {"[[include]]\nworkload = \"pair\"\n", "1:1", "alloc is missing: here, or for all in [axes]"},
    {"axes = 1\n[[workload]]\nname = \"pair\"\n", "1:8", "axes is a table: [axes]"},
    {"[[workload]]\nname = \"pair\"\n", "", "axes.alloc is missing: which variants are compared"},
    {"[axes]\nalloc = \"pool\"\n", "1:1", "there is no [[workload]]: nothing to run"},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"nosuch\"\n", "4:8",
     "unknown workload 'nosuch'; allowed: pair, batch, larson, handoff, trace"},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nname = 3\n", "4:8",
     "unknown workload '?'; allowed: pair, batch, larson, handoff, trace"},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nsize = 64\n", "3:1",
     "'name' is missing: which workload is it"},
    {"[axes]\nalloc = \"pool\"\n[workload]\nname = \"pair\"\n", "3:1",
     "workload is a list of tables: [[workload]]"},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"pair\"\nsise = 64\n", "5:1",
     "unknown option of workload pair 'sise'; allowed: size, live, ops, alloc, threads, pin, "
     "dispatch, "
     "memory, start, arrival, delay, scale, name"},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"pair\"\nsize = [64, 0]\n", "5:13", NULL},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"pair\"\nscale = -1\n", "5:9",
     "scale '-1' is out of range; allowed: above 0, to 1000000"},
    {"[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"batch\"\norder = \"up\"\n", "5:9", NULL},
    {SMALL "[[include]]\nname = \"pair\"\n", "6:1", "'workload' is missing: which workload is it"},
    {SMALL "[[exclude]]\n", "6:1", "an exclude that names nothing would drop everything"},
    {SMALL "[[exclude]]\nscale = 1\n", "7:1",
     "unknown option 'scale'; allowed: alloc, threads, pin, dispatch, memory, start, arrival, "
     "delay, scale, workload"},
    {SMALL "[[exclude]]\nworkload = \"pair\"\norder = \"lifo\"\n", "8:1", NULL},
    {"name = \"x\"\nblocks = [1,\n", "2:14", NULL},
};

/* Where no place is known the table is missing altogether. */
static void every_bad_input_is_one_line_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        char want[PB_MESSAGE_MAX];
        struct pb_matrix *matrix = NULL;
        fill(bads[i].text);
        message[0] = '\0';
        int error = pb_matrix_read(path, &matrix, message, sizeof message);
        if (error != -EINVAL)
            fail_msg("%zu: %s: %d %s", i, bads[i].text, error, message);
        assert_null(matrix);
        assert_null(strchr(message, '\n'));
        snprintf(want, sizeof want, "%s:%s%s %s", path, bads[i].place, bads[i].place[0] ? ":" : "",
                 bads[i].rest != NULL ? bads[i].rest : "");
        bool same = bads[i].rest != NULL ? strcmp(message, want) == 0
                                         : strncmp(message, want, strlen(want)) == 0;
        if (!same)
            fail_msg("%zu: '%s' and not '%s'", i, message, want);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct pb_matrix *matrix = NULL;
    (void)state;
    assert_int_not_equal(pb_matrix_read("no-such.toml", &matrix, message, sizeof message), 0);
    assert_non_null(strstr(message, "no-such.toml"));
    char found[256];
    assert_int_equal(pb_matrix_find("no-such.toml", found, sizeof found, message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "no-such.toml"));
    assert_int_equal(pb_matrix_find("nosuch", found, sizeof found, message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "there is no matrix 'nosuch'"));
}

static void override(struct pb_matrix *m, const char *key, const char *value)
{
    message[0] = '\0';
    if (pb_matrix_override(m, key, value, message, sizeof message) != 0)
        fail_msg("%s", message);
}

static void a_list_keeps_what_belongs_together(void **state)
{
    (void)state;
    struct pb_matrix *m = read_good(SMALL);
    override(m, "alloc", "zone:lock=ticket,segment=128k,pool,lookaside:depth=4,scope=thread");
    assert_int_equal(json_array_size(m->axes[PB_AXIS_ALLOC]), 3);
    assert_string_equal(joined(m->axes[PB_AXIS_ALLOC]),
                        "zone:lock=ticket,segment=128k pool lookaside:depth=4,scope=thread");
    override(m, "pin", "explicit:0,2,5,none");
    assert_string_equal(joined(m->axes[PB_AXIS_PIN]), "explicit:0,2,5 none");
    override(m, "threads", "1,2,1");
    assert_string_equal(joined(m->axes[PB_AXIS_THREADS]), "1 2");
    pb_matrix_free(m);
}

static void the_command_line_replaces_an_axis_but_not_in_an_include(void **state)
{
    (void)state;
    struct pb_matrix *m =
        read_good(SMALL "threads = 4\n[[include]]\nworkload = \"pair\"\nthreads = 8\n");
    override(m, "threads", "2");
    assert_null(m->workloads.at[0].axes[PB_AXIS_THREADS]);
    assert_string_equal(joined(m->includes.at[0].axes[PB_AXIS_THREADS]), "8");
    char where[64];
    pb_matrix_where(m, &m->workloads.at[0], PB_AXIS_THREADS, where, sizeof where);
    assert_string_equal(where, "--threads");
    pb_matrix_free(m);
}

static void settings_params_workloads_and_a_trace_can_be_given(void **state)
{
    (void)state;
    struct pb_matrix *m =
        read_good(SMALL "[[workload]]\nname = \"larson\"\n[[include]]\nworkload = \"pair\"\n");
    override(m, "blocks", "3");
    assert_int_equal(pb_matrix_blocks(m), 3);
    override(m, "target", "2.5%");
    assert_true(m->target > 0.0249 && m->target < 0.0251);
    assert_int_equal(pb_matrix_blocks(m), 45);
    override(m, "most_blocks", "20");
    assert_int_equal(pb_matrix_blocks(m), 20);
    override(m, "target", "off");
    assert_int_equal(pb_matrix_blocks(m), 3);
    override(m, "budget", "1.5h");
    assert_true(m->budget > 5399 && m->budget < 5401);
    override(m, "retries", "0");
    override(m, "sample_gap", "0");
    override(m, "scale", "0.25");
    override(m, "reference", "zone:lock=fas");
    override(m, "oversubscribe", "");
    override(m, "set", "size=128,4096");
    override(m, "set", "pair.ops=8k");
    assert_int_equal(m->settings.blocks, 3);
    assert_int_equal(m->settings.sample_gap, 0);
    assert_string_equal(m->settings.reference, "zone");
    assert_true(m->oversubscribe);
    assert_string_equal(joined(json_object_get(m->workloads.at[0].params, "size")), "128 4k");
    assert_string_equal(joined(json_object_get(m->workloads.at[0].params, "ops")), "8192");
    assert_string_equal(joined(json_object_get(m->includes.at[0].params, "ops")), "8192");
    assert_null(json_object_get(m->workloads.at[1].params, "ops"));
    override(m, "workload", "handoff,larson");
    assert_int_equal(m->workloads.n, 2);
    assert_string_equal(m->workloads.at[0].workload->name, "larson");
    assert_string_equal(m->workloads.at[1].workload->name, "handoff");
    assert_int_equal(m->includes.n, 0);
    override(m, "trace", "some.txt");
    assert_int_equal(m->workloads.n, 1);
    assert_string_equal(m->workloads.at[0].workload->name, "trace");
    assert_string_equal(joined(json_object_get(m->workloads.at[0].params, "file")), "some.txt");
    pb_matrix_free(m);
}

static void a_bad_option_of_the_command_line_is_named(void **state)
{
    static const struct {
        const char *key, *value, *begins;
    } cases[] = {
        {"threads", "0", "--threads: threads '0' is out of range; allowed: 1 to 1024"},
        {"threads", "x", "--threads: threads 'x' is out of range"},
        {"threads", "", "--threads: the list is empty"},
        {"alloc", "pool,nosuch", "--alloc: "},
        {"pin", "wide", "--pin: unknown pin policy 'wide'"},
        {"dispatch", "fast", "--dispatch: unknown dispatch 'fast'"},
        {"start", "hot", "--start: unknown start 'hot'; allowed: warm, cold"},
        {"arrival", "poisson", "--arrival: unknown arrival 'poisson'; allowed: closed, poisson:N"},
        {"arrival", "poisson:0", "--arrival: unknown arrival 'poisson:0'"},
        {"arrival", "poisson:1x", "--arrival: unknown arrival 'poisson:1x'"},
        {"arrival", "burst:10", "--arrival: unknown arrival 'burst:10'"},
        {"delay", "slow:-1", "--delay: unknown delay 'slow:-1'; allowed: none, slow:NS, lock:NS"},
        {"delay", "lock:", "--delay: unknown delay 'lock:'"},
        {"delay", "lock:1000001", "--delay: unknown delay 'lock:1000001'"},
        {"blocks", "0", "--blocks: '0' is out of range; allowed: 1 "},
        {"retries", "-1", "--retries: '-1' is not a value of it; allowed: 0 "},
        {"scale", "x", "--scale: scale 'x' is out of range"},
        {"workload", "nosuch", "--workload: unknown workload 'nosuch'; allowed: pair, "},
        {"set", "size", "--set: 'size' is not [WORKLOAD.]KEY=VALUE"},
        {"set", "size=0", "--set: "},
        {"set", "size=", "--set: the value is empty"},
        {"set", "order=lifo", "--set: no workload of this matrix has an option 'order'"},
        {"set", "larson.size=1", "--set: no workload of this matrix has an option 'size'"},
        {"reference", "nosuch", "--reference: "},
        {"memory_limit", "1x", "--memory-limit: "},
        {"sample_gap", "x", "--sample-gap: "},
    };
    (void)state;
    struct pb_matrix *m = read_good(SMALL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        message[0] = '\0';
        int error = pb_matrix_override(m, cases[i].key, cases[i].value, message, sizeof message);
        if (error != -EINVAL || strncmp(message, cases[i].begins, strlen(cases[i].begins)) != 0)
            fail_msg("--%s %s: %d '%s'", cases[i].key, cases[i].value, error, message);
        assert_null(strchr(message, '\n'));
    }
    assert_string_equal(joined(m->axes[PB_AXIS_THREADS]), "1");
    pb_matrix_free(m);
}

#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_FILE(a_small_matrix_has_the_documented_defaults),
        ON_A_FILE(every_key_is_read),
        ON_A_FILE(every_bad_input_is_one_line_with_its_place),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        ON_A_FILE(a_list_keeps_what_belongs_together),
        ON_A_FILE(the_command_line_replaces_an_axis_but_not_in_an_include),
        ON_A_FILE(settings_params_workloads_and_a_trace_can_be_given),
        ON_A_FILE(a_bad_option_of_the_command_line_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
