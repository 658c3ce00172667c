/* SPDX-License-Identifier: MIT */
/* Records as lines: the checksum, what a cut or a damaged line does, and what a failed write
 * leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "full_disk.h"
#include "runner/json_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

static char file[] = "json-line-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    strcpy(file + sizeof file - 7, "XXXXXX");
    int fd = mkstemp(file);
    close(fd);
    return fd >= 0 ? 0 : -1;
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(file);
}

static void append(int n)
{
    int fd = open(file, O_RDWR | O_APPEND);
    assert_true(fd >= 0);
    json_t *line = json_pack("{s:i, s:s, s:f}", "n", n, "kind", "rep", "x", 0.1);
    assert_int_equal(pb_line_append(fd, line), 0);
    json_decref(line);
    close(fd);
}

static size_t read_whole(char *out, size_t size)
{
    FILE *in = fopen(file, "r");
    size_t n = fread(out, 1, size - 1, in);
    out[n] = '\0';
    fclose(in);
    return n;
}

static void write_whole(const char *text, size_t n)
{
    FILE *out = fopen(file, "w");
    assert_int_equal(fwrite(text, 1, n, out), n);
    fclose(out);
}

struct seen {
    size_t n, last;
    json_int_t sum;
    int stop_at;
};

static int count(void *context, json_t *object, size_t number)
{
    struct seen *seen = context;
    assert_null(json_object_get(object, "crc"));
    seen->n++;
    seen->last = number;
    seen->sum += json_integer_value(json_object_get(object, "n"));
    return (int)number == seen->stop_at ? -ECANCELED : 0;
}

static void a_line_ends_with_the_crc_of_what_stands_before_it(void **state)
{
    char text[256], want[32];
    (void)state;
    append(7);
    size_t n = read_whole(text, sizeof text);
    assert_int_equal(text[n - 1], '\n');
    const char *crc = strstr(text, ",\"crc\":");
    assert_non_null(crc);
    snprintf(want, sizeof want, ",\"crc\":\"%08lx\"}\n",
             crc32(crc32(0, NULL, 0), (const Bytef *)text, (uInt)(crc - text)));
    assert_string_equal(crc, want);
    assert_memory_equal(text, "{\"kind\":\"rep\",\"n\":7,\"x\":0.1,\"crc\"", 33);
}

static void lines_come_back_in_order(void **state)
{
    struct pb_lines lines;
    struct seen seen = {0};
    char message[256];
    (void)state;
    for (int i = 1; i <= 5; i++)
        append(i);
    assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message), 0);
    assert_int_equal(seen.n, 5);
    assert_int_equal(seen.sum, 15);
    assert_false(lines.torn);
    assert_int_equal(lines.lines, 5);
}

/* Cut at every byte of the last line: the first two lines always stay, the third never comes. */
static void a_last_line_cut_anywhere_is_dropped_and_said(void **state)
{
    char text[512], message[256];
    (void)state;
    for (int i = 1; i <= 3; i++)
        append(i);
    size_t whole = read_whole(text, sizeof text), two = whole / 3 * 2;
    for (size_t cut = two + 1; cut < whole; cut++) {
        struct pb_lines lines;
        struct seen seen = {0};
        write_whole(text, cut);
        assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message), 0);
        assert_int_equal(seen.n, 2);
        assert_true(lines.torn);
        assert_int_equal(lines.good_bytes, two);
    }
}

/* Every bit of the first line's text: none of the changes goes unnoticed. */
static void a_damaged_line_that_is_not_the_last_is_named(void **state)
{
    char text[512], message[512], want[300];
    (void)state;
    append(1);
    append(2);
    size_t whole = read_whole(text, sizeof text);
    snprintf(want, sizeof want,
             "%s:1: the line is damaged: its crc does not match; nothing can be read without it: "
             "put a good copy of the file in its place, or start a new run",
             file);
    for (size_t at = 0; at < whole / 2 - 1; at++) {
        struct pb_lines lines;
        struct seen seen = {0};
        text[at] ^= 2;
        if (text[at] != '\n') {
            write_whole(text, whole);
            assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message),
                             -EINVAL);
            assert_string_equal(message, want);
            assert_int_equal(seen.n, 0);
        }
        text[at] ^= 2;
    }
}

/* A line that has its end was written whole: what is wrong with it came later. */
static void a_damaged_last_line_that_has_its_end_is_named_and_not_torn(void **state)
{
    char text[512], message[512], want[128];
    struct pb_lines lines;
    (void)state;
    for (int i = 1; i <= 3; i++)
        append(i);
    size_t whole = read_whole(text, sizeof text);
    snprintf(want, sizeof want, "%s:3: the line is damaged: its crc does not match; to go on",
             file);
    text[whole - 8] ^= 1;
    for (int foreign = 0; foreign < 2; foreign++) {
        struct seen seen = {0};
        if (foreign == 1)
            strcpy(text + whole / 3 * 2, "not a record\n");
        write_whole(text, foreign == 1 ? strlen(text) : whole);
        assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message),
                         -EINVAL);
        assert_int_equal(strncmp(message, want, strlen(want)), 0);
        assert_non_null(strstr(message, "sed -i 3d"));
        assert_false(lines.torn);
        assert_int_equal(seen.n, 2);
    }
}

static void the_reader_stops_where_it_is_told(void **state)
{
    struct pb_lines lines;
    struct seen seen = {.stop_at = 2};
    char message[256];
    (void)state;
    for (int i = 1; i <= 4; i++)
        append(i);
    assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message),
                     -ECANCELED);
    assert_int_equal(seen.n, 2);
}

static void a_missing_file_is_an_error_with_its_name(void **state)
{
    struct pb_lines lines;
    struct seen seen = {0};
    char message[256];
    (void)state;
    assert_int_equal(pb_lines_read("/nonexistent/x", count, &seen, &lines, message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "/nonexistent/x"));
}

static void an_empty_object_and_one_with_a_crc_are_refused(void **state)
{
    (void)state;
    int fd = open(file, O_RDWR | O_APPEND);
    json_t *empty = json_object(), *crc = json_pack("{s:s}", "crc", "0");
    assert_int_equal(pb_line_append(fd, empty), -EINVAL);
    assert_int_equal(pb_line_append(fd, crc), -EINVAL);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    json_decref(empty);
    json_decref(crc);
    close(fd);
}

/* A full disk, played by a limit on the file's size: a write that does not fit leaves nothing
 * behind. */
static void a_line_that_does_not_fit_leaves_the_file_as_it_was(void **state)
{
    char text[512];
    (void)state;
    append(1);
    size_t whole = read_whole(text, sizeof text);
    int fd = open(file, O_RDWR | O_APPEND);
    json_t *line = json_pack("{s:s}", "kind", "rep");
    struct rlimit before = limit_files(whole + 10);
    int error = pb_line_append(fd, line);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(error, -EFBIG); /* as the system called it */
    assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)whole);
    json_decref(line);
    close(fd);
}

static void a_full_device_is_named_as_such(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_RDWR | O_APPEND);
    json_t *line = json_pack("{s:s}", "kind", "rep");
    assert_true(fd >= 0);
    assert_int_equal(pb_line_append(fd, line), -ENOSPC);
    assert_int_equal(pb_write_whole(fd, "text", 4), -ENOSPC);
    assert_int_equal(pb_write_whole(fd, "", 0), 0);
    json_decref(line);
    close(fd);
}

/* The remedy is a command that does it. */
static void a_damaged_line_in_the_middle_can_be_taken_out_as_its_message_says(void **state)
{
    char text[512], message[256], *command;
    struct pb_lines lines;
    struct seen seen = {0};
    (void)state;
    for (int i = 1; i <= 3; i++)
        append(i);
    size_t whole = read_whole(text, sizeof text);
    text[whole / 2] ^= 1;
    write_whole(text, whole);
    assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message), -EINVAL);
    assert_int_equal(strncmp(message, file, strlen(file)), 0);
    assert_non_null(strstr(message, ":2: the line is damaged"));
    assert_non_null(command = strstr(message, "sed -i"));
    *strchr(command, ',') = '\0';
    assert_int_equal(system(command), 0);
    seen = (struct seen){0};
    assert_int_equal(pb_lines_read(file, count, &seen, &lines, message, sizeof message), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.sum, 1 + 3);
}

static void the_hash_does_not_depend_on_the_order_of_keys(void **state)
{
    char a[17], b[17], c[17];
    (void)state;
    json_t *one = json_pack("{s:i, s:i}", "a", 1, "b", 2),
           *two = json_pack("{s:i, s:i}", "b", 2, "a", 1);
    json_t *other = json_pack("{s:i, s:i}", "b", 1, "a", 2);
    assert_int_equal(pb_hash_json(one, a), 0);
    assert_int_equal(pb_hash_json(two, b), 0);
    assert_int_equal(pb_hash_json(other, c), 0);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_int_equal(strlen(a), 16);
    json_decref(one);
    json_decref(two);
    json_decref(other);
}

#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, drop_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_FILE(a_line_ends_with_the_crc_of_what_stands_before_it),
        ON_A_FILE(lines_come_back_in_order),
        ON_A_FILE(a_last_line_cut_anywhere_is_dropped_and_said),
        ON_A_FILE(a_damaged_line_that_is_not_the_last_is_named),
        ON_A_FILE(a_damaged_last_line_that_has_its_end_is_named_and_not_torn),
        ON_A_FILE(the_reader_stops_where_it_is_told),
        cmocka_unit_test(a_missing_file_is_an_error_with_its_name),
        ON_A_FILE(an_empty_object_and_one_with_a_crc_are_refused),
        ON_A_FILE(a_line_that_does_not_fit_leaves_the_file_as_it_was),
        cmocka_unit_test(a_full_device_is_named_as_such),
        ON_A_FILE(a_damaged_line_in_the_middle_can_be_taken_out_as_its_message_says),
        cmocka_unit_test(the_hash_does_not_depend_on_the_order_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
