/* SPDX-License-Identifier: MIT */
/* poolmon of a table in a file: how it is called, and what is printed where more was freed with a
 * tag than allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool/tags.h"
#include "pool/tags_file.h"
#include "runner/poolmon.h"
#include "runner/poolmon_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096, TAG_FRED = 0x64657246, TAG_CARL = 0x6C726143 };

/* What is on the stream since its beginning. */
static void read_text(FILE *file, char *text)
{
    assert_int_equal(fflush(file), 0);
    ssize_t bytes = pread(fileno(file), text, TEXT_BYTES - 1, 0);
    text[bytes > 0 ? bytes : 0] = '\0';
}

/* What `poolbench poolmon PATH` writes to standard output. */
static void poolmon_of(char *path, char *text)
{
    const struct pb_args args = {.rest = &path, .rest_n = 1};
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    int code = pb_poolmon(&args);
    (void)fflush(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    read_text(file, text);
    fclose(file);
    assert_int_equal(code, 0);
}

/* A table in which a block of Fred's was freed as Carl's. */
static struct pool_tags *make_table(const char *path, const char *label)
{
    struct pool_tags_file table;
    setenv("PB_POOLMON", path, 1);
    setenv("PB_POOLMON_LABEL", label, 1);
    assert_int_equal(pb_pool_tags_file_open(&table), 0);
    struct pool_tags *tags = pb_pool_tags_open(64, 2, table.file);
    assert_non_null(tags);
    assert_int_equal(pb_pool_tags_file_close(&table, true), 0);
    unsetenv("PB_POOLMON");
    unsetenv("PB_POOLMON_LABEL");
    pb_pool_tags_allocated(tags, TAG_FRED, false, 128);
    pb_pool_tags_allocated(tags, TAG_CARL, false, 128);
    pb_pool_tags_freed(tags, TAG_CARL, false, 128);
    pb_pool_tags_freed(tags, TAG_CARL, false, 128);
    return tags;
}

static void a_table_has_its_name_and_figures_below_zero(void **state)
{
    static const char heads[] = "Tag  Type      Allocs  (delta)      Frees  (delta)     Diff      "
                                "Bytes  (delta) Per Alloc\n";
    static const char rows[] = "Carl Nonp           1      (0)          2      (0)       -1       "
                               "-128      (0)         -\n"
                               "Fred Nonp           1      (0)          0      (0)        1        "
                               "128      (0)       128\n";
    char folder[] = "test_poolmon.XXXXXX", path[64], text[TEXT_BYTES], expected[TEXT_BYTES];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tags", folder);
    struct pool_tags *tags = make_table(path, "pair/alloc:pool:tags=on\033");
    poolmon_of(path, text);
    snprintf(expected, sizeof expected, "pair/alloc:pool:tags=on?\n%s%s", heads, rows);
    assert_string_equal(text, expected);
    pb_pool_tags_close(tags);
    tags = make_table(path, "");
    poolmon_of(path, text);
    snprintf(expected, sizeof expected, "%s%s", heads, rows);
    assert_string_equal(text, expected);
    pb_pool_tags_close(tags);
    unlink(path);
    rmdir(folder);
}

static void rows_are_sorted_by_signed_figures(void **state)
{
    struct pb_poolmon_row rows[] = {
        {.now = {TAG_CARL, false, 1, 2, (uint64_t)-128}},
        {.now = {TAG_FRED, false, 2, 2, 0}},
        {.now = {TAG_FRED, true, 3, 2, 64}},
    };
    (void)state;
    pb_poolmon_sort(rows, 3, PB_POOLMON_BYTES);
    assert_int_equal(rows[0].now.allocs, 3);
    assert_int_equal(rows[2].now.allocs, 1);
    pb_poolmon_sort(rows, 3, PB_POOLMON_TAG);
    pb_poolmon_sort(rows, 3, PB_POOLMON_DIFF);
    assert_int_equal(rows[0].now.allocs, 3);
    assert_int_equal(rows[1].now.allocs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_has_its_name_and_figures_below_zero),
        cmocka_unit_test(rows_are_sorted_by_signed_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
