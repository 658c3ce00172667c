/* SPDX-License-Identifier: MIT */
/* Workloads of equal and mixed sizes: what they execute, whatever the heap, the segments and the
 * phase. (test_replay.c has the workload `trace`.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workload_play.h"

/* The cases of the general tests. `halves`: a worker's step is one call, the other half is its
 * partner's. `draws`: the seed matters. */
static const struct sample {
    const char *workload, *options;
    unsigned workers;
    bool halves, draws;
    uint64_t steps; /* of each worker */
} samples[] = {
    {"pair", "ops=5000", 1, false, false, 5000},
    {"pair", "ops=2000,size=3", 3, false, false, 2000},
    {"pair", "ops=2000,live=7", 2, false, false, 2000},
    {"batch", "ops=5000,n=32", 1, false, false, 5024},
    {"batch", "ops=3000,n=100,order=fifo", 2, false, false, 3000},
    {"batch", "ops=6000,n=50,order=random,size=1", 2, false, true, 6000},
    {"batch", "ops=300,n=1", 1, false, false, 300},
    {"larson", "ops=6000,chunks=500", 1, false, true, 6000},
    {"larson", "ops=3000,chunks=64,min=1,max=40", 3, false, true, 3000},
    {"handoff", "ops=5000", 2, true, false, 5000},
    {"handoff", "ops=2000,batch=7,depth=3,size=24", 4, true, false, 2000},
    {"handoff", "ops=999,batch=1,depth=1", 2, true, false, 999},
};
enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static struct play_heap heap;

static struct play_outcome play_once(const struct sample *s, uint64_t seed, bool rich,
                                     bool segmented)
{
    struct play play;
    struct play_outcome out;

    play_heap_init(&heap, rich);
    play_open(&play, s->workload, s->options, s->workers, seed, 1.0);
    assert_int_equal(play.error, 0);
    out = play_phase(&play, &heap, PB_PHASE_RATE, segmented);
    play_close(&play);
    return out;
}

static void every_step_allocates_and_frees(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        const struct play_outcome out = play_once(s, 1, false, false);
        const uint64_t steps = s->steps * s->workers, pairs = s->halves ? steps / 2 : steps;
        assert_int_equal(out.steps, steps);
        assert_int_equal(out.tally.allocs, pairs);
        assert_int_equal(out.tally.frees, pairs);
        assert_int_equal(out.tally.exhausted, 0);
        assert_int_equal(out.tally.damaged, 0);
        assert_int_equal(heap.live, 0);
        assert_int_equal(heap.wrong_sizes, 0);
        assert_true(heap.allocs >= pairs);
    }
}

static void segments_heaps_and_repetition_leave_the_hash(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        const struct play_outcome first = play_once(s, 7, false, false);
        const struct play_outcome again = play_once(s, 7, true, false);
        const struct play_outcome parts = play_once(s, 7, false, true);
        assert_true(first.tally.hash != 0);
        assert_true(first.tally.hash == again.tally.hash);
        assert_true(first.tally.hash == parts.tally.hash);
        assert_int_equal(first.steps, parts.steps);
        assert_int_equal(first.tally.allocs, parts.tally.allocs);
        assert_int_equal(first.tally.frees, parts.tally.frees);
        assert_int_equal(parts.tally.damaged, 0);
        assert_int_equal(heap.live, 0);
        assert_true(parts.timed_allocs > 0);
        assert_true(parts.timed_frees > 0);
    }
}

static void phases_on_one_cell_execute_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct play play;
        uint64_t hash = 0;
        play_heap_init(&heap, false);
        heap.fills = true;
        play_open(&play, s->workload, s->options, s->workers, 3, 1.0);
        assert_int_equal(play.error, 0);
        for (int phase = PB_PHASE_AUDIT; phase <= PB_PHASE_TAIL; phase++) {
            const struct play_outcome out =
                play_phase(&play, &heap, (enum pb_phase)phase, phase == PB_PHASE_TAIL);
            if (phase == PB_PHASE_AUDIT)
                hash = out.tally.hash;
            assert_true(out.tally.hash == hash);
            assert_int_equal(heap.live, 0);
            assert_int_equal(heap.overwritten, 0); /* at most the first 8 bytes are written */
        }
        play_close(&play);
    }
}

/* Nothing orders the workers but the workload: for ThreadSanitizer. */
static void a_heap_without_locks_serves_every_workload(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct play play;
        play_heap_bare(&heap);
        play_open(&play, s->workload, s->options, s->workers, 3, 1.0);
        assert_int_equal(play.error, 0);
        for (int segmented = 0; segmented < 2; segmented++) {
            const struct play_outcome out = play_phase(&play, &heap, PB_PHASE_TAIL, segmented);
            assert_int_equal(out.steps, s->steps * s->workers);
            assert_int_equal(out.tally.damaged, 0);
        }
        play_close(&play);
    }
}

static void a_limit_cuts_every_stream_short_without_a_leak(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct play play;
        play_heap_init(&heap, false);
        play_open(&play, s->workload, s->options, s->workers, 3, 1.0);
        assert_int_equal(play.error, 0);
        for (uint64_t limit = 1; limit < 200; limit += 66) {
            play.limit = limit;
            const struct play_outcome out = play_phase(&play, &heap, PB_PHASE_WARM, limit > 100);
            assert_int_equal(out.steps, limit * s->workers);
            assert_int_equal(heap.live, 0);
        }
        play_close(&play);
    }
}

static void the_seed_changes_what_is_drawn_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct play_outcome one = play_once(&samples[i], 1, false, false);
        const struct play_outcome two = play_once(&samples[i], 2, false, false);
        assert_int_equal(one.tally.hash != two.tally.hash, samples[i].draws);
        assert_int_equal(one.steps, two.steps);
    }
}

static void workers_have_streams_of_their_own(void **state)
{
    struct play play;

    (void)state;
    play_heap_init(&heap, false);
    play_open(&play, "larson", "ops=1000,chunks=50", 2, 1, 1.0);
    assert_int_equal(play.error, 0);
    play_phase(&play, &heap, PB_PHASE_RATE, false);
    assert_true(play.workers[0].tally.hash != play.workers[1].tally.hash);
    play_close(&play);
}

static void exhausted_memory_ends_the_phase(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES * 2; i++) {
        const struct sample *s = &samples[i / 2];
        struct play play;
        play_heap_init(&heap, false);
        heap.budget = 700;
        play_open(&play, s->workload, s->options, s->workers, 1, 1.0);
        assert_int_equal(play.error, 0);
        const bool runs_out = s->steps * s->workers > 1400;
        const struct play_outcome out = play_phase(&play, &heap, PB_PHASE_RATE, i % 2 == 1);
        assert_int_equal(out.tally.exhausted > 0, runs_out);
        assert_int_equal(out.steps < s->steps * s->workers, runs_out);
        assert_int_equal(heap.live, 0);
        /* with memory again, the next phase is whole */
        heap.budget = UINT64_MAX;
        const struct play_outcome next = play_phase(&play, &heap, PB_PHASE_RATE, false);
        assert_int_equal(next.tally.exhausted, 0);
        assert_int_equal(next.steps, s->steps * s->workers);
        assert_int_equal(heap.live, 0);
        play_close(&play);
    }
}

/* `pair` has no block alive while it calls the heap: nothing of this heap's can come between. */
static void a_heap_that_spoils_blocks_is_found_out(void **state)
{
    static const struct sample spoiled[] = {
        {"batch", "ops=6400,n=64", 1, false, false, 6400},
        {"batch", "ops=6400,n=64,order=random", 1, false, false, 6400},
        {"larson", "ops=6000,chunks=500", 1, false, true, 6000},
        /* a ring as long as the stream: what is spoilt is not yet handed over */
        {"handoff", "ops=6400,batch=50,depth=128", 2, true, false, 6400},
    };

    (void)state;
    for (unsigned i = 0; i < 2 * sizeof(spoiled) / sizeof(spoiled[0]); i++) {
        const struct sample *s = &spoiled[i / 2];
        struct play play;
        play_heap_init(&heap, false);
        heap.corrupt_every = 10;
        play_open(&play, s->workload, s->options, s->workers, 1, 1.0);
        assert_int_equal(play.error, 0);
        const struct play_outcome out = play_phase(&play, &heap, PB_PHASE_RATE, false);
        assert_in_range(out.tally.damaged, 500, 700);
        play_close(&play);
    }
}

/* --- what each does -------------------------------------------------------------------------- */

/* Checks that the heap saw rounds of n allocations and n frees, the frees in an order such that
 * place(i) of the fill is freed as number i; -1: any, each once. */
static void check_rounds(unsigned n, unsigned rounds, int first, int step, bool drawn)
{
    bool moved = false;

    assert_int_equal(heap.called, 2 * n * rounds);
    for (unsigned r = 0; r < rounds; r++) {
        const struct play_call *fill = &heap.calls[(size_t)2 * n * r], *drain = fill + n;
        uint64_t seen = 0;
        for (unsigned i = 0; i < n; i++) {
            assert_false(fill[i].frees);
            assert_true(drain[i].frees);
            for (unsigned k = 0; k < n; k++)
                seen |= (uint64_t)(drain[k].block == fill[i].block) << i;
            if (!drawn)
                assert_ptr_equal(drain[i].block, fill[first + (int)i * step].block);
            moved |= drain[i].block != fill[i].block;
        }
        assert_true(seen == (1u << n) - 1);
    }
    assert_int_equal(moved, drawn || step < 0);
}

static void batch_frees_in_the_order_asked_for(void **state)
{
    static const struct sample lifo = {"batch", "ops=40,n=8", 1, false, false, 40};
    static const struct sample fifo = {"batch", "ops=40,n=8,order=fifo", 1, false, false, 40};
    static const struct sample drawn = {"batch", "ops=40,n=8,order=random", 1, false, true, 40};

    (void)state;
    for (int segmented = 0; segmented < 2; segmented++) {
        play_once(&lifo, 1, false, segmented);
        check_rounds(8, 5, 7, -1, false);
        play_once(&fifo, 1, false, segmented);
        check_rounds(8, 5, 0, 1, false);
        play_once(&drawn, 1, false, segmented);
        check_rounds(8, 5, 0, 0, true);
    }
}

static void handoff_frees_nothing_where_it_was_allocated(void **state)
{
    static const struct sample s = {"handoff", "ops=1000", 4, true, false, 1000};

    (void)state;
    play_once(&s, 1, false, false);
    assert_int_equal(heap.foreign, 2000);
    for (size_t i = 0; i < heap.called; i++)
        assert_int_equal(heap.calls[i].thread % 2, heap.calls[i].frees);
}

static void handoff_bounds_what_is_in_flight(void **state)
{
    static const struct sample s = {"handoff", "ops=1500,batch=5,depth=4", 2, true, false, 1500};
    int live = 0;

    (void)state;
    play_once(&s, 1, false, false);
    assert_int_equal(heap.called, 3000);
    for (size_t i = 0; i < heap.called; i++) {
        live += heap.calls[i].frees ? -1 : 1;
        assert_in_range(live, 0, 20);
    }
}

static void handoff_refuses_workers_that_make_no_pairs(void **state)
{
    const struct pb_workload *handoff = pb_workload_find("handoff");
    char reason[100] = "";

    (void)state;
    assert_false(handoff->unsuitable(NULL, 2, reason, sizeof(reason)));
    assert_string_equal(reason, "");
    assert_true(handoff->unsuitable(NULL, 1, reason, sizeof(reason)));
    assert_non_null(strstr(reason, "1 is odd"));
    assert_true(handoff->unsuitable(NULL, 3, reason, sizeof(reason)));
}

static void larson_keeps_its_sizes_and_its_live_set(void **state)
{
    static const struct sample s = {"larson", "ops=1000,chunks=60,min=20,max=29", 1, false, true,
                                    1000};
    unsigned sizes = 0, live = 0;

    (void)state;
    play_once(&s, 1, false, false);
    assert_int_equal(heap.called, 2 * 1060);
    for (size_t i = 0; i < heap.called - 60; i++) {
        assert_in_range(heap.calls[i].bytes, 20, 29);
        sizes |= 1u << (heap.calls[i].bytes - 20);
        live += heap.calls[i].frees ? ~0u : 1u;
        if (i >= 60)
            assert_in_range(live, 59, 60);
    }
    assert_int_equal(sizes, 0x3ff);
}

/* Before anything runs, and again where it would be drawn from. */
static void larson_refuses_a_range_that_is_upside_down(void **state)
{
    static const char what[] = "min=100 is above max=99; lower min or raise max";
    struct play play;
    char message[100] = "";

    (void)state;
    play_open(&play, "larson", "min=100,max=99", 1, 1, 1.0);
    assert_int_equal(play.error, -EINVAL);
    assert_string_equal(play.message, what);
    assert_int_equal(play.workload->check(play.options, message, sizeof(message)), -EINVAL);
    assert_string_equal(message, what);
    play_close(&play);
    message[0] = '\0';
    play_open(&play, "larson", "min=99,max=99", 1, 1, 1.0);
    assert_int_equal(play.error, 0);
    assert_int_equal(play.workload->check(play.options, message, sizeof(message)), 0);
    assert_string_equal(message, "");
    play_close(&play);
}

static void the_scale_multiplies_steps(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, "batch", "ops=1000,n=30", 1, 1, 0.25);
    play.workers[0].cursor = play.c.cursors[0];
    assert_int_equal(play.workload->steps(&play.workers[0]), 270); /* whole rounds of 30 */
    play_close(&play);
    play_open(&play, "pair", "ops=1000", 1, 1, 1e-9);
    play.workers[0].cursor = play.c.cursors[0];
    assert_int_equal(play.workload->steps(&play.workers[0]), 1);
    play_close(&play);
}

/* --- the registry ---------------------------------------------------------------------------- */

static void every_workload_is_complete_and_found_by_name(void **state)
{
    const struct pb_workload *w;
    char message[100];
    size_t n = 0;

    (void)state;
    for (; (w = pb_workload_at(n)) != NULL; n++) {
        uint64_t options[64] = {0};
        assert_ptr_equal(pb_workload_find(w->name), w);
        assert_true(w->option_bytes <= sizeof(options));
        assert_int_equal(pb_option_defaults(w->options, options), 0);
        assert_non_null(w->summary);
        assert_non_null(w->source);
        assert_non_null(w->reading);
        assert_non_null(w->step);
        assert_non_null(w->setup);
        assert_non_null(w->steps);
        if (w->check != NULL)
            assert_int_equal(w->check(options, message, sizeof(message)), 0);
        assert_int_equal(w->workers != NULL, (w->flags & PB_WORKLOAD_OWN_THREADS) != 0);
    }
    assert_true(n > 0);
    assert_null(pb_workload_at(n + 100));
    assert_null(pb_workload_find("no such workload"));
}

static void a_heap_without_paths_is_reached_by_table_alone(void **state)
{
    (void)state;
    play_heap_init(&heap, false);
    for (size_t i = 0; pb_workload_at(i) != NULL; i++) {
        const struct pb_workload *w = pb_workload_at(i);
        assert_non_null(w->loop(&heap.head, PB_DISPATCH_TABLE));
        assert_null(w->loop(&heap.head, PB_DISPATCH_CALL));
        assert_null(w->loop(&heap.head, PB_DISPATCH_INLINE));
    }
    assert_string_equal(pb_dispatch_names[PB_DISPATCH_INLINE], "inline");
    assert_null(pb_dispatch_names[PB_DISPATCHES]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_allocates_and_frees),
        cmocka_unit_test(segments_heaps_and_repetition_leave_the_hash),
        cmocka_unit_test(phases_on_one_cell_execute_the_same),
        cmocka_unit_test(a_heap_without_locks_serves_every_workload),
        cmocka_unit_test(a_limit_cuts_every_stream_short_without_a_leak),
        cmocka_unit_test(the_seed_changes_what_is_drawn_and_nothing_else),
        cmocka_unit_test(workers_have_streams_of_their_own),
        cmocka_unit_test(exhausted_memory_ends_the_phase),
        cmocka_unit_test(a_heap_that_spoils_blocks_is_found_out),
        cmocka_unit_test(batch_frees_in_the_order_asked_for),
        cmocka_unit_test(handoff_frees_nothing_where_it_was_allocated),
        cmocka_unit_test(handoff_bounds_what_is_in_flight),
        cmocka_unit_test(handoff_refuses_workers_that_make_no_pairs),
        cmocka_unit_test(larson_keeps_its_sizes_and_its_live_set),
        cmocka_unit_test(larson_refuses_a_range_that_is_upside_down),
        cmocka_unit_test(the_scale_multiplies_steps),
        cmocka_unit_test(every_workload_is_complete_and_found_by_name),
        cmocka_unit_test(a_heap_without_paths_is_reached_by_table_alone),
    };
    return cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
