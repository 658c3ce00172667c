/* SPDX-License-Identifier: MIT */
/* The workload `trace`: what single events become (aligned, zeroed, empty requests), and the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay_fixture.h"

/* --- single calls ---------------------------------------------------------------------------- */

/* What was stamped where in the one block that is freed. */
struct seen {
    size_t bytes;   /* given back */
    size_t first;   /* the first byte that is not the pattern's, from the block's start */
    size_t changed; /* how many there are */
    uintptr_t address;
};

static void look_at_the_block(void *context, unsigned thread, size_t now, size_t before)
{
    struct seen *seen = (struct seen *)context;
    const struct play_call *call = &heap.calls[0];
    const unsigned char *block = (const unsigned char *)call->block;

    (void)thread;
    if (now != 0)
        return;
    seen->bytes = before;
    seen->first = before;
    for (size_t i = before; i-- > 8;) {
        if (block[i] == PLAY_FILL)
            continue;
        seen->first = i;
        seen->changed++;
    }
    seen->address = (uintptr_t)block;
}

static void an_aligned_object_is_made_of_a_larger_one_where_it_must(void **state)
{
    static const char text[] = "m 0 1 100 256\nf 0 1\n";
    const struct text_file file = text_file_make(text, sizeof(text) - 1);
    struct seen seen = {0};

    (void)state;
    play_heap_init(&heap, false);
    heap.fills = true;
    heap.witness = look_at_the_block;
    heap.context = &seen;
    replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
    assert_int_equal(seen.bytes, 356);
    const size_t shift = (size_t)(-seen.address & 255);
    if (shift != 0) {
        assert_int_equal(seen.changed, 8); /* the stamp alone */
        assert_int_equal(seen.first, shift);
    }
    assert_int_equal(heap.wrong_sizes, 0);
    play_close(&play);
    play_heap_init(&heap, true);
    replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
    assert_int_equal(heap.calls[0].bytes, 100);
    assert_int_equal((uintptr_t)heap.calls[0].block % 256, 0);
    play_close(&play);
    close(file.fd);
}

static void no_alignment_is_taken_as_met_that_the_heap_does_not_promise(void **state)
{
    static const char text[] = "m 0 1 100 16\nf 0 1\n";
    const struct text_file file = text_file_make(text, sizeof(text) - 1);

    (void)state;
    for (size_t promised = 8; promised <= 16; promised += 8) {
        play_heap_init(&heap, false);
        heap.alignment = promised;
        replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
        assert_int_equal(heap.calls[0].bytes, promised < 16 ? 116 : 100);
        play_close(&play);
        play_heap_init(&heap, true);
        heap.alignment = promised;
        replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
        assert_int_equal(heap.calls[0].bytes, 100);
        assert_int_equal((uintptr_t)heap.calls[0].block % 16, 0);
        play_close(&play);
    }
    close(file.fd);
}

static void calloc_zeroes_all_of_its_object(void **state)
{
    static const char text[] = "z 0 1 300\nf 0 1\n";
    const struct text_file file = text_file_make(text, sizeof(text) - 1);
    struct seen seen = {0};

    (void)state;
    play_heap_init(&heap, false);
    heap.fills = true;
    heap.witness = look_at_the_block;
    heap.context = &seen;
    replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
    assert_int_equal(seen.bytes, 300);
    assert_int_equal(seen.first, 8);
    assert_int_equal(seen.changed, 292);
    play_close(&play);
    close(file.fd);
}

static void a_size_of_zero_asks_for_one_byte(void **state)
{
    static const char text[] = "a 0 1 0\nr 0 1 0\nz 0 2 0\nf 0 1\n";
    const struct text_file file = text_file_make(text, sizeof(text) - 1);

    (void)state;
    play_heap_init(&heap, false);
    const struct play_outcome out = replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
    assert_int_equal(out.steps, 4);
    for (size_t i = 0; i < heap.called; i++)
        assert_int_equal(heap.calls[i].bytes, 1);
    assert_int_equal(heap.live, 0);
    play_close(&play);
    close(file.fd);
}

/* --- files ----------------------------------------------------------------------------------- */

static void the_shipped_traces_replay(void **state)
{
    static const struct {
        const char *name;
        uint64_t steps;
        unsigned workers;
    } shipped[] = {{"sqlite", 59405, 1}, {"redis", 375000, 3}};

    (void)state;
    pb_trace_set_folder(text_shipped_folder());
    for (unsigned i = 0; i < 2; i++) {
        play_heap_init(&heap, false);
        const struct play_outcome out = replay(shipped[i].name, 4096, 0.25, PB_PHASE_RATE, false);
        assert_int_equal(play.c.workers, shipped[i].workers);
        assert_int_equal(out.steps, shipped[i].steps);
        assert_int_equal(out.tally.damaged, 0);
        assert_int_equal(heap.live, 0);
        assert_int_equal(heap.wrong_sizes, 0);
        play_close(&play);
    }
}

static void the_workers_are_asked_of_the_file(void **state)
{
    const struct pb_workload *trace = pb_workload_find("trace");
    uint64_t options[64] = {0};
    char message[300];
    unsigned workers = 0;

    (void)state;
    pb_trace_set_folder(text_shipped_folder());
    assert_int_equal(pb_option_parse(trace->options, options, "file=redis", message, 300), 0);
    assert_int_equal(trace->workers(options, &workers, message, sizeof(message)), 0);
    assert_int_equal(workers, 3);
    assert_int_equal(pb_option_parse(trace->options, options, "file=nothing", message, 300), 0);
    assert_int_equal(trace->workers(options, &workers, message, sizeof(message)), -EINVAL);
    assert_non_null(strstr(message, "'nothing'"));
    assert_int_equal(workers, 3);
}

static void setup_reports_a_malformed_file(void **state)
{
    static const char text[] = "a 0 1 8\nf 0 2\n";
    const struct text_file file = text_file_make(text, sizeof(text) - 1);
    char options[100];

    (void)state;
    snprintf(options, sizeof(options), "file=%s", file.path);
    play_open(&play, "trace", options, 1, 1, 1.0);
    assert_int_equal(play.error, -EINVAL);
    assert_non_null(strstr(play.message, ":2: id 2 was never allocated"));
    play_close(&play);
    close(file.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_aligned_object_is_made_of_a_larger_one_where_it_must),
        cmocka_unit_test(no_alignment_is_taken_as_met_that_the_heap_does_not_promise),
        cmocka_unit_test(calloc_zeroes_all_of_its_object),
        cmocka_unit_test(a_size_of_zero_asks_for_one_byte),
        cmocka_unit_test(the_shipped_traces_replay),
        cmocka_unit_test(the_workers_are_asked_of_the_file),
        cmocka_unit_test(setup_reports_a_malformed_file),
    };
    return cmocka_run_group_tests_name("replay_calls", tests, NULL, NULL);
}
