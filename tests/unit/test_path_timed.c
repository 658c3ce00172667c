/* SPDX-License-Identifier: MIT */
/* What a timed step hands over of the way its calls took: what was noted in that call and nothing
 * else, and whether another worker allocated the block.
 * Threads: a worker each; what they found is asserted on the main thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "path.h"
#include "replay_fixture.h"

#include <stdatomic.h>
#include <unistd.h>

enum { OBJECTS = 2000, FIRST_BYTES = 64, SECOND_BYTES = 128 };

static _Thread_local size_t freed_bytes; /* by this thread's last free */
static _Atomic uint64_t allocs, frees, remotes, wrong;

/* Each call notes its own; what the call before noted is still there where nobody clears it. */
static void note(void *context, unsigned thread, size_t now, size_t before)
{
    (void)context, (void)thread;
    pb_path_note(now != 0 ? PB_PATH_MISS : PB_PATH_OVERFLOW);
    freed_bytes = before;
}

static void look_at(const struct pb_timing *timing, bool remote)
{
    if ((timing->made & PB_TIMED_ALLOC) != 0) {
        allocs++;
        wrong += timing->alloc_path != PB_PATH_MISS;
    }
    if ((timing->made & PB_TIMED_FREE) != 0) {
        frees++;
        remotes += remote;
        wrong += timing->free_path != (PB_PATH_OVERFLOW | (remote ? PB_PATH_REMOTE : 0u));
    }
}

static void look_own(const struct pb_worker *w, const struct pb_timing *timing)
{
    (void)w;
    look_at(timing, false);
}

static void look_handed(const struct pb_worker *w, const struct pb_timing *timing)
{
    (void)w;
    look_at(timing, true);
}

/* By its length a block says who allocated it. */
static void look_traced(const struct pb_worker *w, const struct pb_timing *timing)
{
    look_at(timing, freed_bytes != (w->index == 0 ? FIRST_BYTES : SECOND_BYTES));
}

static void begin(void)
{
    play_heap_init(&heap, false);
    heap.witness = note;
    allocs = frees = remotes = wrong = 0;
}

static void each_call_hands_over_its_own_way(void **state)
{
    static const struct {
        const char *workload, *options;
        unsigned workers;
        void (*timed)(const struct pb_worker *w, const struct pb_timing *timing);
    } cases[] = {
        {"pair", "ops=20000", 1, look_own},
        {"batch", "ops=20000,n=32", 1, look_own},
        {"batch", "ops=20000,n=32,order=random", 1, look_own},
        {"larson", "ops=20000,chunks=100", 2, look_own},
        {"handoff", "ops=20000", 2, look_handed},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        play_open(&play, cases[i].workload, cases[i].options, cases[i].workers, 1, 1.0);
        assert_int_equal(play.error, 0);
        play.timed = cases[i].timed;
        (void)play_phase(&play, &heap, PB_PHASE_TAIL, true);
        play_close(&play);
        assert_int_equal(wrong, 0);
        assert_true(allocs > 0 && frees > 0);
        assert_int_equal(remotes, cases[i].timed == look_handed ? frees : 0);
    }
}

/* Two threads allocate in turn; every third object is freed by the other one. */
static void write_trace(const char *path)
{
    FILE *trace = fopen(path, "w");
    assert_non_null(trace);
    for (unsigned id = 1; id <= OBJECTS; id++) {
        const unsigned thread = (id + 1) % 2, by = id % 3 == 0 ? !thread : thread;
        fprintf(trace, "a %u %u %d\n", thread, id, thread == 0 ? FIRST_BYTES : SECOND_BYTES);
        fprintf(trace, "f %u %u\n", by, id);
    }
    assert_int_equal(fclose(trace), 0);
}

static void a_replay_knows_whose_block_it_frees(void **state)
{
    static const char path[] = "path-timed.txt";
    (void)state;
    begin();
    write_trace(path);
    play_open(&play, "trace", "file=path-timed.txt", 0, 1, 1.0);
    unlink(path);
    assert_int_equal(play.error, 0);
    assert_int_equal(play.c.workers, 2);
    play.timed = look_traced;
    (void)play_phase(&play, &heap, PB_PHASE_TAIL, true);
    play_close(&play);
    assert_int_equal(wrong, 0);
    assert_true(allocs > 0);
    assert_true(remotes > 0 && remotes < frees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_hands_over_its_own_way),
        cmocka_unit_test(a_replay_knows_whose_block_it_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
