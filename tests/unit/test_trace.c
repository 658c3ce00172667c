/* SPDX-License-Identifier: MIT */
/* Traces: the text reader with every error it reports, and what a trace compiles to. (test_replay.c
 * has the workload.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace_text.h"

#include <errno.h>
#include <stdbool.h>
#include <zstd.h>

enum { MESSAGE = 400, PACKED_MAX = TEXT_BYTES_MAX + 4096, BIG_LINES = 100 * 1000 };

static struct text_trace drawn;
static unsigned char packed[PACKED_MAX];

/* Compresses into packed[], with a checksum. */
static size_t pack(const char *text, size_t length)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    size_t n;

    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    n = ZSTD_compress2(zstd, packed, sizeof(packed), text, length);
    ZSTD_freeCCtx(zstd);
    assert_false(ZSTD_isError(n));
    return n;
}

static int scan(const void *bytes, size_t size, struct pb_trace_summary *summary, char *message)
{
    const struct text_file file = text_file_make(bytes, size);
    const int error = pb_trace_scan(file.path, UINT64_MAX, summary, message, MESSAGE);

    if (error != 0) /* messages name the file first */
        assert_memory_equal(message, file.path, strlen(file.path));
    if (error != 0)
        memmove(message, message + strlen(file.path), strlen(message + strlen(file.path)) + 1);
    close(file.fd);
    return error;
}

/* --- text ------------------------------------------------------------------------------------ */

static void every_kind_of_line_is_read(void **state)
{
    static const char text[] = "a 0 1 48\nz 1 2 0\nm 0 3 100 4096\nr 1 1 4294967295\nf 0 3\n";
    static const struct pb_trace_line expected[] = {
        {PB_TRACE_ALLOC, 0, 1, 48, 0, 1},     {PB_TRACE_ZEROED, 1, 2, 0, 0, 2},
        {PB_TRACE_ALIGNED, 0, 3, 100, 12, 3}, {PB_TRACE_REALLOC, 1, 1, UINT32_MAX, 0, 4},
        {PB_TRACE_FREE, 0, 3, 0, 0, 5},
    };
    struct text_file file = text_file_make(text, sizeof(text) - 1);
    struct pb_trace_reader *reader;
    struct pb_trace_line line;
    char message[MESSAGE];

    (void)state;
    assert_int_equal(pb_trace_open(file.path, &reader, message, MESSAGE), 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(pb_trace_next(reader, &line, message, MESSAGE), 1);
        assert_int_equal(line.op, expected[i].op);
        assert_int_equal(line.thread, expected[i].thread);
        assert_int_equal(line.id, expected[i].id);
        assert_int_equal(line.bytes, expected[i].bytes);
        assert_int_equal(line.alignment_log2, expected[i].alignment_log2);
        assert_int_equal(line.number, expected[i].number);
    }
    assert_int_equal(pb_trace_next(reader, &line, message, MESSAGE), 0);
    assert_int_equal(pb_trace_next(reader, &line, message, MESSAGE), 0);
    pb_trace_close(reader);
    close(file.fd);
}

static void every_fault_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *message;
    } faults[] = {
        {"", ": no event in it"},
        {"a 0 1 8\n\n", ":2: an empty line"},
        {"a 0 1 8\nx 0 1\n", ":2: unknown event 'x'"},
        {"a 0 1 8\r\n", ":1: ends in CR LF; a line ends in LF alone"},
        {"a 0 1\n", ":1: malformed; expected `a THREAD ID SIZE`"},
        {"z 0 1 8 9\n", ":1: malformed; expected `z THREAD ID SIZE`"},
        {"m 0 1 8\n", ":1: malformed; expected `m THREAD ID SIZE ALIGNMENT`"},
        {"a 0 1 8\nf 0 1 8\n", ":2: malformed; expected `f THREAD ID`"},
        {"a  0 1 8\n", ":1: malformed; expected `a THREAD ID SIZE`"},
        {"a 0 1 8 \n", ":1: malformed; expected `a THREAD ID SIZE`"},
        {"a 0 1 -8\n", ":1: malformed; expected `a THREAD ID SIZE`"},
        {"a 0 1 0x8\n", ":1: malformed; expected `a THREAD ID SIZE`"},
        {"a0 1 8\n", ":1: malformed; expected `a THREAD ID SIZE`"},
        {"r\n", ":1: malformed; expected `r THREAD ID SIZE`"},
        {"a 256 1 8\n", ":1: thread is not in 0..255"},
        {"a 0 0 8\n", ":1: id is not in 1..268435456"},
        {"a 0 268435457 8\n", ":1: id is not in 1..268435456"},
        {"a 0 1 4294967296\n", ":1: size is not in 0..4294967295"},
        {"a 0 1 99999999999999999999999\n", ":1: size is not in 0..4294967295"},
        {"m 0 1 8 0\n", ":1: alignment is not in 1..2147483648"},
        {"m 0 1 8 4294967296\n", ":1: alignment is not in 1..2147483648"},
        {"m 0 1 8 24\n", ":1: alignment is not a power of two"},
        {"a 1 1 8\n", ":1: threads are numbered in order of their first appearance"},
        {"a 0 1 8\na 2 2 8\n", ":2: threads are numbered in order of their first appearance"},
        {"a 0 1 8\na 0 1 8\n", ":2: id 1 is allocated a second time"},
        {"a 0 1 8\nf 0 1\nz 0 1 8\n", ":3: id 1 is allocated a second time"},
        {"a 0 1 8\nf 0 2\n", ":2: id 2 was never allocated"},
        {"r 0 7 8\n", ":1: id 7 was never allocated"},
        {"a 0 1 8\nf 0 1\nf 0 1\n", ":3: id 1 was freed before"},
        {"a 0 1 8\nf 0 1\nr 0 1 8\n", ":3: id 1 was freed before"},
        {"a 0 1 8\nf 0 1", ":2: truncated: the last line does not end in a newline"},
    };
    struct pb_trace_summary summary;
    char message[MESSAGE], line[300];

    (void)state;
    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const int error = scan(faults[i].text, strlen(faults[i].text), &summary, message);
        assert_int_equal(error, -EINVAL);
        assert_string_equal(message, faults[i].message);
    }
    memset(line, '1', sizeof(line));
    memcpy(line, "a 0 ", 4);
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(scan(line, sizeof(line), &summary, message), -EINVAL);
    assert_string_equal(message, ":1: a line of more than 127 bytes");
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct pb_trace_summary summary;
    char message[MESSAGE];

    (void)state;
    assert_int_equal(pb_trace_scan("no/such/file", UINT64_MAX, &summary, message, sizeof(message)),
                     -ENOENT);
    assert_non_null(strstr(message, "no/such/file: "));
}

/* --- zstd ------------------------------------------------------------------------------------ */

static void assert_same(const struct pb_trace_summary *a, const struct pb_trace_summary *b)
{
    assert_memory_equal(a, b, sizeof(*a));
}

static void compressed_text_reads_as_plain_text_does(void **state)
{
    struct pb_trace_summary plain, unpacked;
    char message[MESSAGE];

    (void)state;
    text_draw(&drawn, TEXT_EVENTS_MAX, 3, 1); /* more than one buffer */
    memset(&plain, 0, sizeof(plain));
    memset(&unpacked, 0, sizeof(unpacked));
    assert_int_equal(scan(drawn.text, drawn.length, &plain, message), 0);
    assert_int_equal(scan(packed, pack(drawn.text, drawn.length), &unpacked, message), 0);
    assert_same(&plain, &unpacked);
    assert_int_equal(plain.events, TEXT_EVENTS_MAX);
}

/* Text that compresses so well that zstd holds more than a buffer when the file has ended. */
static void text_that_outlives_its_file_is_read_to_the_end(void **state)
{
    static char text[BIG_LINES * 8 + 8];
    struct pb_trace_summary summary;
    char message[MESSAGE];

    (void)state;
    memcpy(text, "a 0 1 8\n", 8);
    for (size_t i = 1; i <= BIG_LINES; i++)
        memcpy(text + 8 * i, "r 0 1 8\n", 8);
    assert_int_equal(scan(packed, pack(text, sizeof(text)), &summary, message), 0);
    assert_int_equal(summary.reallocs, BIG_LINES);
}

static void frames_follow_one_another(void **state)
{
    struct pb_trace_summary summary;
    char message[MESSAGE];
    static unsigned char both[2000];
    size_t n = pack("a 0 1 8\nf 0", 11);

    (void)state;
    memcpy(both, packed, n);
    const size_t m = pack(" 1\na 0 2 8\n", 11);
    memcpy(both + n, packed, m);
    assert_int_equal(scan(both, n + m, &summary, message), 0);
    assert_int_equal(summary.events, 3);
}

static void a_cut_or_damaged_frame_is_found(void **state)
{
    struct pb_trace_summary summary;
    char message[MESSAGE];
    const char *text = "a 0 1 8\nf 0 1\n";

    (void)state;
    text_draw(&drawn, TEXT_EVENTS_MAX, 2, 5);
    const size_t n = pack(drawn.text, drawn.length);
    unsigned long at = 0;
    assert_int_equal(scan(packed, n / 2, &summary, message), -EINVAL);
    assert_int_equal(sscanf(message, ":%lu: truncated: ", &at), 1);
    assert_in_range(at, 1, TEXT_EVENTS_MAX);
    for (size_t cut = 1; cut < 20; cut++) {
        assert_int_equal(scan(packed, n - cut, &summary, message), -EINVAL);
        assert_non_null(strstr(message, ": truncated: the compressed data are not complete"));
    }
    const size_t small = pack(text, strlen(text));
    packed[small - 1] ^= 1; /* the checksum */
    assert_int_equal(scan(packed, small, &summary, message), -EINVAL);
    assert_non_null(strstr(message, ":1: damaged: "));
    assert_non_null(strstr(message, "checksum"));
}

/* --- compiled -------------------------------------------------------------------------------- */

/* What was compiled, back in the recorded order: by_order[o] is event o and whose it is. */
struct owned {
    const struct pb_trace_event *event;
    uint32_t thread;
};

static void by_order(const struct pb_trace *trace, struct owned *owned)
{
    uint64_t seen = 0;

    for (uint32_t t = 0; t < trace->summary.threads; t++) {
        uint32_t last = 0;
        for (uint64_t i = 0; i < trace->summary.thread_events[t]; i++, seen++) {
            const struct pb_trace_event *e = &trace->events[t][i];
            assert_in_range(e->order, last + 1, trace->summary.events);
            last = e->order;
            owned[e->order] = (struct owned){e, t};
        }
    }
    assert_int_equal(seen, trace->summary.events);
}

/* Each event against the text, and its links against the chain of its slot, found by walking. */
static void check_events(const struct text_trace *text, const struct owned *owned)
{
    static const char letters[] = "azmrf";
    static uint32_t last[TEXT_LIVE_MAX], holder[TEXT_LIVE_MAX];

    memset(last, 0, sizeof(last));
    memset(holder, 0, sizeof(holder));
    for (uint32_t o = 1; o <= text->n; o++) {
        const struct pb_trace_event *e = owned[o].event;
        const struct text_event *expected = &text->events[o];
        const uint32_t before = last[e->slot];
        const bool crosses = before != 0 && owned[before].thread != owned[o].thread;

        assert_int_equal(letters[e->op], expected->letter);
        assert_int_equal(owned[o].thread, expected->thread);
        assert_int_equal(e->bytes, expected->bytes);
        assert_int_equal(e->alignment_log2, expected->alignment_log2);
        assert_true(e->slot < text->peak);
        if (expected->letter == 'r' || expected->letter == 'f')
            assert_int_equal(holder[e->slot], expected->id);
        else
            assert_int_equal(holder[e->slot], 0);
        holder[e->slot] = expected->letter == 'f' ? 0 : expected->id;
        assert_int_equal(e->after, crosses ? before : 0);
        if (before != 0)
            assert_int_equal(owned[before].event->posts, crosses);
        last[e->slot] = o;
    }
    for (uint32_t slot = 0; slot < text->peak; slot++)
        assert_int_equal(owned[last[slot]].event->posts, 0);
}

static void random_traces_compile_to_what_they_say(void **state)
{
    static struct owned owned[TEXT_EVENTS_MAX + 1];
    struct pb_trace_summary summary;
    char message[MESSAGE];

    (void)state;
    assert_int_equal(sizeof(struct pb_trace_event), 16);
    for (uint32_t threads = 1; threads <= 4; threads++) {
        struct pb_arena arena;
        struct pb_trace trace;
        text_draw(&drawn, 5000, threads, threads);
        const struct text_file file = text_file_make(drawn.text, drawn.length);
        assert_int_equal(pb_arena_open(&arena, 1 << 20), 0);
        assert_int_equal(pb_trace_scan(file.path, UINT64_MAX, &summary, message, MESSAGE), 0);
        assert_int_equal(pb_trace_compile(file.path, &summary, &arena, &trace, message, MESSAGE),
                         0);
        assert_int_equal(trace.summary.threads, threads);
        assert_int_equal(trace.summary.slots, drawn.peak);
        assert_int_equal(trace.summary.live_peak_bytes, drawn.peak_bytes);
        by_order(&trace, owned);
        check_events(&drawn, owned);
        pb_arena_close(&arena);
        close(file.fd);
    }
}

static void a_limit_compiles_the_first_events_alone(void **state)
{
    /* the fault is behind the limit */
    static const char text[] = "a 0 1 10\na 0 2 0\na 1 3 30\nf 1 1\na 0 4 5\nf 0 9\n";
    const struct text_file file = text_file_make(text, sizeof(text) - 1);
    struct pb_trace_summary summary;
    struct pb_trace trace;
    struct pb_arena arena;
    char message[MESSAGE];

    (void)state;
    assert_int_equal(pb_trace_scan(file.path, 4, &summary, message, MESSAGE), 0);
    assert_int_equal(summary.events, 4);
    assert_int_equal(summary.slots, 3);
    assert_int_equal(summary.live_peak_bytes, 41); /* a size of 0 counts as 1 */
    assert_int_equal(summary.live, 2);
    assert_int_equal(summary.live_bytes, 31);
    assert_int_equal(pb_arena_open(&arena, 4096), 0);
    assert_int_equal(pb_trace_compile(file.path, &summary, &arena, &trace, message, MESSAGE), 0);
    assert_int_equal(trace.events[1][1].op, PB_TRACE_FREE);
    assert_int_equal(trace.events[1][1].bytes, 10);
    assert_int_equal(trace.events[0][1].bytes, 1);
    pb_arena_close(&arena);
    close(file.fd);
}

static void a_trace_too_large_for_the_arena_is_refused(void **state)
{
    struct pb_trace_summary summary;
    struct pb_trace trace;
    struct pb_arena arena;
    char message[MESSAGE];

    (void)state;
    text_draw(&drawn, 5000, 2, 1);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    assert_int_equal(pb_arena_open(&arena, 40000), 0);
    assert_int_equal(pb_trace_scan(file.path, UINT64_MAX, &summary, message, MESSAGE), 0);
    assert_int_equal(pb_trace_compile(file.path, &summary, &arena, &trace, message, MESSAGE),
                     -ENOMEM);
    assert_non_null(strstr(message, "5000 events"));
    pb_arena_close(&arena);
    close(file.fd);
}

/* A file that changed between the scan and the compilation must not overrun the arrays. */
static void a_file_that_changed_is_refused(void **state)
{
    static const char before[] = "a 0 1 8\na 0 2 8\na 1 3 8\n",
                      after[] = "a 0 1 8\na 0 2 8\na 0 3 8\n";
    const struct text_file file = text_file_make(before, sizeof(before) - 1);
    struct pb_trace_summary summary;
    struct pb_trace trace;
    struct pb_arena arena;
    char message[MESSAGE];

    (void)state;
    assert_int_equal(pb_arena_open(&arena, 4096), 0);
    assert_int_equal(pb_trace_scan(file.path, UINT64_MAX, &summary, message, MESSAGE), 0);
    assert_int_equal(pwrite(file.fd, after, sizeof(after) - 1, 0), sizeof(after) - 1);
    assert_int_equal(pb_trace_compile(file.path, &summary, &arena, &trace, message, MESSAGE),
                     -EINVAL);
    assert_non_null(strstr(message, ":3: "));
    assert_non_null(strstr(message, "changed"));
    pb_arena_close(&arena);
    close(file.fd);
}

/* --- where traces are ------------------------------------------------------------------------ */

static void the_shipped_traces_compile(void **state)
{
    static const struct {
        const char *name;
        uint64_t events, frees, live_peak_bytes;
        uint32_t threads, slots;
    } shipped[] = {{"sqlite", 237618, 90440, 4303102, 1, 776},
                   {"redis", 1500000, 713022, 4706609, 3, 47232}};
    char path[PB_TRACE_PATH_MAX], message[MESSAGE];

    (void)state;
    pb_trace_set_folder(text_shipped_folder());
    for (unsigned i = 0; i < 2; i++) {
        struct pb_trace_summary summary;
        struct pb_trace trace;
        struct pb_arena arena;
        assert_int_equal(pb_trace_find(shipped[i].name, path, sizeof(path), message, MESSAGE), 0);
        assert_int_equal(pb_trace_scan(path, UINT64_MAX, &summary, message, MESSAGE), 0);
        assert_int_equal(summary.events, shipped[i].events);
        assert_int_equal(summary.frees, shipped[i].frees);
        assert_int_equal(summary.threads, shipped[i].threads);
        assert_int_equal(summary.slots, shipped[i].slots);
        assert_int_equal(summary.live_peak_bytes, shipped[i].live_peak_bytes);
        assert_int_equal(pb_arena_open(&arena, (size_t)48 << 20), 0);
        assert_int_equal(pb_trace_compile(path, &summary, &arena, &trace, message, MESSAGE), 0);
        assert_int_equal(trace.summary.events, shipped[i].events);
        assert_int_equal(trace.summary.live, summary.allocs - summary.frees);
        pb_arena_close(&arena);
    }
}

static void a_trace_is_found_by_path_then_in_the_environment_then_in_the_folder(void **state)
{
    char path[PB_TRACE_PATH_MAX], message[MESSAGE], by_name[PB_TRACE_PATH_MAX + 64], list[8300];
    const char *folder = text_shipped_folder();

    (void)state;
    unsetenv("PB_TRACE_PATH");
    pb_trace_set_folder("no/such/folder");
    assert_int_equal(pb_trace_find("redis", path, sizeof(path), message, MESSAGE), -ENOENT);
    assert_non_null(strstr(message, "'redis'"));
    assert_non_null(strstr(message, "no/such/folder"));
    pb_trace_set_folder(folder);
    assert_int_equal(pb_trace_find("redis", path, sizeof(path), message, MESSAGE), 0);
    snprintf(by_name, sizeof(by_name), "%s/redis.txt.zst", folder);
    assert_string_equal(path, by_name);
    pb_trace_set_folder("no/such/folder");
    assert_int_equal(pb_trace_find(by_name, path, sizeof(path), message, MESSAGE), 0);
    assert_string_equal(path, by_name);
    assert_int_equal(pb_trace_find("x/redis.txt", path, sizeof(path), message, MESSAGE), -ENOENT);
    snprintf(list, sizeof(list), ":also/none:%s:", folder);
    setenv("PB_TRACE_PATH", list, 1);
    assert_int_equal(pb_trace_find("redis", path, sizeof(path), message, MESSAGE), 0);
    assert_string_equal(path, by_name);
    assert_int_equal(pb_trace_find("", path, sizeof(path), message, MESSAGE), -ENOENT);
    unsetenv("PB_TRACE_PATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_line_is_read),
        cmocka_unit_test(every_fault_is_named_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(compressed_text_reads_as_plain_text_does),
        cmocka_unit_test(text_that_outlives_its_file_is_read_to_the_end),
        cmocka_unit_test(frames_follow_one_another),
        cmocka_unit_test(a_cut_or_damaged_frame_is_found),
        cmocka_unit_test(random_traces_compile_to_what_they_say),
        cmocka_unit_test(a_limit_compiles_the_first_events_alone),
        cmocka_unit_test(a_trace_too_large_for_the_arena_is_refused),
        cmocka_unit_test(a_file_that_changed_is_refused),
        cmocka_unit_test(the_shipped_traces_compile),
        cmocka_unit_test(a_trace_is_found_by_path_then_in_the_environment_then_in_the_folder),
    };
    return cmocka_run_group_tests_name("traces", tests, NULL, NULL);
}
