/* SPDX-License-Identifier: MIT */
/* The workload `trace`: that a replay makes the recorded calls, in the recorded order where it
 * matters, on any number of threads. A heap knows each event of a random trace by its size
 * (trace_text.h) and logs the order in which the events came; the log is judged afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay_fixture.h"

#include <stdatomic.h>

static struct text_trace drawn;

/* --- the log --------------------------------------------------------------------------------- */

struct entry {
    uint32_t order, thread;
};

static struct replay_log {
    _Atomic uint32_t n;
    struct entry entries[TEXT_EVENTS_MAX + 1];
    uint32_t made_by[TEXT_EVENTS_MAX + 64];  /* [size]: the event that gave an object that size */
    uint32_t freed_by[TEXT_EVENTS_MAX + 64]; /* [size]: the event that freed it */
} record;

static void log_prepare(const struct text_trace *t)
{
    memset(&record, 0, sizeof(record));
    for (uint32_t o = 1; o <= t->n; o++) {
        uint32_t *by = t->events[o].letter == 'f' ? record.freed_by : record.made_by;
        by[t->events[o].bytes] = o;
    }
}

/* From inside the heap's calls. */
static void log_witness(void *context, unsigned thread, size_t now, size_t before)
{
    const uint32_t order = now != 0 ? record.made_by[now] : record.freed_by[before];
    /* relaxed: the modification order of n alone is the log */
    const uint32_t at = atomic_fetch_add_explicit(&record.n, 1, memory_order_relaxed);

    (void)context;
    if (order != 0 && at < TEXT_EVENTS_MAX)
        record.entries[at] = (struct entry){order, thread};
}

/* What is wrong with the log, NULL if nothing. */
static const char *log_judge(const struct text_trace *t, uint32_t window)
{
    static uint32_t place[TEXT_EVENTS_MAX + 1], last_of_id[TEXT_EVENTS_MAX + 1];
    uint32_t last_of_thread[PLAY_WORKERS] = {0}, furthest = 0;

    memset(place, 0, sizeof(place));
    memset(last_of_id, 0, sizeof(last_of_id));
    if (record.n != t->n)
        return "not as many calls as events";
    for (uint32_t i = 0; i < t->n; i++) {
        const struct entry e = record.entries[i];
        const struct text_event *event = &t->events[e.order];
        if (e.order == 0 || place[e.order] != 0)
            return "an event that is not recorded, or twice";
        place[e.order] = i + 1;
        if (e.thread != event->thread)
            return "another thread";
        if (e.order < last_of_thread[e.thread])
            return "out of order in its thread";
        if (event->letter != 'a' && event->letter != 'z' && event->letter != 'm' &&
            last_of_id[event->id] == 0)
            return "before the allocation";
        if (e.order < last_of_id[event->id])
            return "out of order on its object";
        if (furthest > e.order + window)
            return "another ran ahead of the window";
        last_of_thread[e.thread] = last_of_id[event->id] = e.order;
        furthest = e.order > furthest ? e.order : furthest;
    }
    return NULL;
}

/* --- replays --------------------------------------------------------------------------------- */

static void the_recorded_order_is_kept_on_any_number_of_threads(void **state)
{
    static const uint32_t windows[] = {1, 64, 4096};
    uint64_t waits = 0;

    (void)state;
    for (uint32_t i = 0; i < 24; i++) {
        const uint32_t threads = 1 + i % 4, window = windows[i / 4 % 3];
        text_draw(&drawn, 3000, threads, i);
        log_prepare(&drawn);
        play_heap_init(&heap, true);
        heap.witness = log_witness;
        const struct text_file file = text_file_make(drawn.text, drawn.length);
        const struct play_outcome out = replay(file.path, window, 1.0, PB_PHASE_TAIL, i >= 12);
        assert_int_equal(play.c.workers, threads);
        assert_int_equal(play.c.expected_blocks, drawn.peak);
        assert_int_equal(play.c.live_peak_bytes, drawn.peak_bytes);
        assert_int_equal(out.steps, drawn.n);
        assert_int_equal(out.tally.damaged, 0);
        assert_int_equal(heap.live, 0);
        assert_int_equal(heap.wrong_sizes, 0);
        record.n = drawn.n < record.n ? drawn.n : record.n; /* the survivors' frees come last */
        const char *fault = log_judge(&drawn, window);
        if (fault != NULL)
            fail_msg("%u threads, window %u: %s", threads, window, fault);
        waits += threads > 1 ? out.tally.waits : 0;
        assert_true(threads > 1 || out.tally.waits == 0);
        play_close(&play);
        close(file.fd);
    }
    assert_true(waits > 0);
}

/* The judge itself: a log as recorded is right, and each way to spoil it is found. */
static void the_judge_finds_planted_faults(void **state)
{
    (void)state;
    text_draw(&drawn, 2000, 3, 9);
    for (unsigned plant = 0; plant < 7; plant++) {
        log_prepare(&drawn);
        record.n = drawn.n;
        for (uint32_t o = 1; o <= drawn.n; o++)
            record.entries[o - 1] = (struct entry){o, drawn.events[o].thread};
        uint32_t at = 500, next = 501; /* two events of one object, of different threads */
        while (drawn.events[at + 1].id != drawn.events[next + 1].id ||
               drawn.events[at + 1].thread == drawn.events[next + 1].thread)
            if (++next == drawn.n)
                next = ++at + 1;
        const struct entry first = record.entries[at];
        if (plant == 1) {
            record.entries[at] = record.entries[next];
            record.entries[next] = first;
        } else if (plant == 2) {
            record.entries[at].thread = (first.thread + 1) % 3;
        } else if (plant == 3) {
            record.entries[at] = record.entries[next];
        } else if (plant == 4) {
            record.n--;
        } else if (plant == 5) {
            record.entries[at].order = 0;
        } else if (plant == 6) { /* thread 2's last event far ahead */
            uint32_t last = drawn.n - 1;
            while (record.entries[last].thread != 2)
                last--;
            const struct entry ahead = record.entries[last];
            while (last > 0 && record.entries[last - 1].thread != 2 &&
                   drawn.events[record.entries[last - 1].order].id !=
                       drawn.events[ahead.order].id) {
                record.entries[last] = record.entries[last - 1];
                last--;
            }
            record.entries[last] = ahead;
            assert_null(log_judge(&drawn, 4096));
        }
        assert_int_equal(log_judge(&drawn, plant == 6 ? 0 : 4096) != NULL, plant != 0);
    }
}

static void counts_and_hash_are_the_traces_own(void **state)
{
    uint64_t hash = 0;

    (void)state;
    text_draw(&drawn, 4000, 3, 4);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    for (unsigned i = 0; i < 8; i++) {
        play_heap_init(&heap, i & 1);
        const struct play_outcome out =
            replay(file.path, i & 4 ? 50 : 4096, 1.0, PB_PHASE_TAIL, i & 2);
        uint64_t counts[3] = {0};
        for (uint32_t o = 1; o <= drawn.n; o++)
            counts[drawn.events[o].letter == 'f' ? 1 : drawn.events[o].letter == 'r' ? 2 : 0]++;
        assert_int_equal(out.tally.allocs, counts[0]);
        assert_int_equal(out.tally.frees, counts[1]);
        assert_int_equal(out.tally.reallocs, counts[2]);
        assert_int_equal(heap.reallocs, i & 1 ? counts[2] : 0);
        assert_int_equal(out.tally.damaged, 0);
        assert_int_equal(heap.live, 0);
        if (i == 0)
            hash = out.tally.hash;
        assert_true(out.tally.hash == hash);
        assert_int_equal(out.timed_allocs > 0 && out.timed_frees > 0, (i & 2) != 0);
        play_close(&play);
    }
    close(file.fd);
}

static void phases_repeat_the_trace_and_the_audit_finds_its_bytes(void **state)
{
    uint64_t hash = 0;

    (void)state;
    text_draw(&drawn, 4000, 4, 8);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    for (unsigned rich = 0; rich < 2; rich++) {
        play_heap_init(&heap, rich);
        heap.fills = true;
        hash = replay(file.path, 4096, 1.0, PB_PHASE_AUDIT, false).tally.hash;
        assert_int_equal(heap.overwritten, 0);
        heap.fills = false;
        for (int phase = PB_PHASE_WARM; phase <= PB_PHASE_TAIL; phase++) {
            const struct play_outcome out =
                play_phase(&play, &heap, (enum pb_phase)phase, phase == PB_PHASE_TAIL);
            assert_true(out.tally.hash == hash);
            assert_int_equal(out.tally.damaged, 0);
            assert_int_equal(heap.live, 0);
        }
        play_close(&play);
    }
    close(file.fd);
}

/* Nothing orders the threads but the replay: for ThreadSanitizer. */
static void a_heap_without_locks_is_enough(void **state)
{
    (void)state;
    text_draw(&drawn, 8000, 4, 12);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    play_heap_bare(&heap);
    assert_int_equal(replay(file.path, 300, 1.0, PB_PHASE_TAIL, false).tally.damaged, 0);
    for (int segmented = 0; segmented < 2; segmented++) {
        const struct play_outcome out = play_phase(&play, &heap, PB_PHASE_TAIL, segmented);
        assert_int_equal(out.steps, drawn.n);
        assert_int_equal(out.tally.damaged, 0);
    }
    play_close(&play);
    close(file.fd);
}

static void exhausted_memory_ends_every_thread(void **state)
{
    static const uint64_t budgets[] = {0, 1, 100, 700};

    (void)state;
    text_draw(&drawn, 3000, 4, 2);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    for (unsigned i = 0; i < 16; i++) {
        play_heap_init(&heap, i & 1);
        heap.budget = budgets[i / 4];
        struct play_outcome out = replay(file.path, 100, 1.0, PB_PHASE_TAIL, i & 2);
        assert_in_range(out.tally.exhausted, 1, 4);
        assert_in_range(out.steps, 0, drawn.n - 1);
        assert_int_equal(heap.live, 0);
        heap.budget = UINT64_MAX;
        out = play_phase(&play, &heap, PB_PHASE_RATE, false);
        assert_int_equal(out.steps, drawn.n);
        assert_int_equal(heap.live, 0);
        play_close(&play);
    }
    close(file.fd);
}

static void a_heap_that_spoils_objects_is_found_out(void **state)
{
    (void)state;
    text_draw(&drawn, 5000, 1, 3);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    for (unsigned rich = 0; rich < 2; rich++) {
        play_heap_init(&heap, rich);
        heap.corrupt_every = 10;
        const struct play_outcome out = replay(file.path, 4096, 1.0, PB_PHASE_RATE, false);
        assert_in_range(out.tally.damaged, 100, 400);
        play_close(&play);
    }
    close(file.fd);
}

static void the_scale_replays_the_first_part(void **state)
{
    (void)state;
    text_draw(&drawn, 3000, 3, 6);
    const struct text_file file = text_file_make(drawn.text, drawn.length);
    play_heap_init(&heap, false);
    assert_int_equal(replay(file.path, 4096, 0.25, PB_PHASE_RATE, false).steps, 750);
    play_close(&play);
    /* so short that one thread has nothing to do */
    assert_int_equal(replay(file.path, 4096, 1e-6, PB_PHASE_RATE, false).steps, 1);
    assert_int_equal(play.c.workers, 3);
    play_close(&play);
    assert_int_equal(replay(file.path, 4096, 4.0, PB_PHASE_RATE, false).steps, 3000);
    play_close(&play);
    close(file.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recorded_order_is_kept_on_any_number_of_threads),
        cmocka_unit_test(the_judge_finds_planted_faults),
        cmocka_unit_test(counts_and_hash_are_the_traces_own),
        cmocka_unit_test(phases_repeat_the_trace_and_the_audit_finds_its_bytes),
        cmocka_unit_test(a_heap_without_locks_is_enough),
        cmocka_unit_test(exhausted_memory_ends_every_thread),
        cmocka_unit_test(a_heap_that_spoils_objects_is_found_out),
        cmocka_unit_test(the_scale_replays_the_first_part),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
