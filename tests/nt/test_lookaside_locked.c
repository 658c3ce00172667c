/* SPDX-License-Identifier: MIT */
/* The row NT 4 of the table of releases: its lookaside lists are guarded by the lock behind their
 * record, those of later releases are not.
 * Threads: a worker that is kept waiting; four that share a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"
#include "path.h"
#include <poolbench/nt/lookaside.h>

#include <sched.h>

enum { BLOCK = 64, TAG = 0x6b6f6f4c, PATIENCE = 2000, WORKERS = 4, ROUNDS = 2000, HELD = 4 };

static NPAGED_LOOKASIDE_LIST npaged;
static PAGED_LOOKASIDE_LIST paged;

static void make(const char *profile)
{
    char options[40];
    (void)snprintf(options, sizeof options, "profile=%s", profile);
    configure(options);
    ExInitializeNPagedLookasideList(&npaged, NULL, NULL, 0, BLOCK, TAG, 0);
    ExInitializePagedLookasideList(&paged, NULL, NULL, 0, BLOCK, TAG, 0);
}

static void delete_both(void)
{
    ExDeleteNPagedLookasideList(&npaged);
    ExDeletePagedLookasideList(&paged);
}

struct call {
    bool of_paged;
    _Atomic bool began, ended;
};

static void *allocate_and_free(void *argument)
{
    struct call *call = argument;
    call->began = true;
    if (call->of_paged)
        ExFreeToPagedLookasideList(&paged, ExAllocateFromPagedLookasideList(&paged));
    else
        ExFreeToNPagedLookasideList(&npaged, ExAllocateFromNPagedLookasideList(&npaged));
    call->ended = true;
    return NULL;
}

/* Whether a call ends while this thread holds the list's lock. Where it does not, it ends behind.
 */
static bool ends_under_the_lock(bool of_paged)
{
    struct call call = {.of_paged = of_paged};
    pthread_t thread;
    KIRQL before = PASSIVE_LEVEL;
    if (of_paged)
        ExAcquireFastMutex(&paged.Lock__ObsoleteButDoNotDelete);
    else
        KeAcquireSpinLock(&npaged.Lock__ObsoleteButDoNotDelete, &before);
    int error = pthread_create(&thread, NULL, allocate_and_free, &call);
    while (error == 0 && !call.began)
        sched_yield();
    for (unsigned i = 0; error == 0 && i < PATIENCE && !call.ended; i++)
        sched_yield();
    bool ended = call.ended;
    if (of_paged)
        ExReleaseFastMutex(&paged.Lock__ObsoleteButDoNotDelete);
    else
        KeReleaseSpinLock(&npaged.Lock__ObsoleteButDoNotDelete, before);
    assert_int_equal(error, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(call.ended);
    return ended;
}

static void nt_4_has_locks(void **state)
{
    (void)state;
    make("nt4");
    assert_false(ends_under_the_lock(false));
    assert_false(ends_under_the_lock(true));
    assert_int_equal(npaged.L.TotalAllocates, 1);
    assert_int_equal(npaged.L.TotalFrees, 1);
    assert_int_equal(paged.L.TotalFrees, 1);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    delete_both();
}

/* The locks are made ready all the same here, to be held: those lists leave them alone. */
static void later_releases_have_none(void **state)
{
    static const char *const profiles[] = {"w2k", "xp", "x64", "vista", "win8"};
    (void)state;
    for (unsigned i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        PbNtReset(NULL);
        make(profiles[i]);
        KeInitializeSpinLock(&npaged.Lock__ObsoleteButDoNotDelete);
        ExInitializeFastMutex(&paged.Lock__ObsoleteButDoNotDelete);
        struct call calls[2] = {{.of_paged = false}, {.of_paged = true}};
        KIRQL before;
        KeAcquireSpinLock(&npaged.Lock__ObsoleteButDoNotDelete, &before);
        ExAcquireFastMutexUnsafe(&paged.Lock__ObsoleteButDoNotDelete);
        for (unsigned n = 0; n < 2; n++) {
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, allocate_and_free, &calls[n]), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        ExReleaseFastMutexUnsafe(&paged.Lock__ObsoleteButDoNotDelete);
        KeReleaseSpinLock(&npaged.Lock__ObsoleteButDoNotDelete, before);
        delete_both();
    }
}

static void locked_lists_are_lists(void **state)
{
    void *blocks[HELD + 2];
    (void)state;
    make("nt4");
    for (unsigned i = 0; i < HELD + 2; i++)
        blocks[i] = ExAllocateFromNPagedLookasideList(&npaged);
    for (unsigned i = 0; i < HELD + 2; i++)
        ExFreeToNPagedLookasideList(&npaged, blocks[i]);
    assert_int_equal(npaged.L.AllocateMisses, HELD + 2);
    assert_int_equal(npaged.L.FreeMisses, 2);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), HELD);
    for (unsigned i = HELD; i-- > 0;)
        assert_ptr_equal(ExAllocateFromNPagedLookasideList(&npaged), blocks[i]);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 0);
    for (unsigned i = 0; i < HELD; i++)
        ExFreeToNPagedLookasideList(&npaged, blocks[i]);
    delete_both(); /* pool_teardown finds what this loses */
}

static uint64_t waits;

static void counting_wait(uint64_t ns)
{
    waits += ns;
}

/* A hit has that lock and no other. */
static void a_delay_inside_locks_is_one_wait_a_hit(void **state)
{
    void (*const spin)(uint64_t) = pb_path_wait;
    (void)state;
    make("nt4");
    ExFreeToNPagedLookasideList(&npaged, ExAllocateFromNPagedLookasideList(&npaged));
    ExFreeToPagedLookasideList(&paged, ExAllocateFromPagedLookasideList(&paged));
    waits = 0;
    pb_path_wait = counting_wait;
    pb_path_delays.lock_ns = 1;
    ExFreeToNPagedLookasideList(&npaged, ExAllocateFromNPagedLookasideList(&npaged));
    assert_int_equal(waits, 2);
    ExFreeToPagedLookasideList(&paged, ExAllocateFromPagedLookasideList(&paged));
    assert_int_equal(waits, 4);
    pb_path_delays.lock_ns = 0;
    pb_path_wait = spin;
    delete_both();
}

static void a_double_free_is_still_found(void **state)
{
    (void)state;
    make("nt4");
    PbNtChecked = TRUE;
    void *block = ExAllocateFromNPagedLookasideList(&npaged);
    ExFreeToNPagedLookasideList(&npaged, block);
    expect_bugcheck(ExFreeToNPagedLookasideList(&npaged, block), DRIVER_VERIFIER_DETECTED_VIOLATION,
                    BAD_CALLER_DOUBLE_FREE);
    delete_both();
    PbNtChecked = FALSE;
}

static void use_both(void *shared, unsigned index)
{
    _Atomic unsigned *wrong = shared;
    unsigned *held[HELD];
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool of_paged = (i & 1) != 0;
        for (unsigned n = 0; n < HELD; n++) {
            held[n] = of_paged ? ExAllocateFromPagedLookasideList(&paged)
                               : ExAllocateFromNPagedLookasideList(&npaged);
            held[n][4] = index * HELD + n; /* beyond the link and the mark */
        }
        for (unsigned n = 0; n < HELD; n++) {
            *wrong += held[n][4] != index * HELD + n;
            if (of_paged)
                ExFreeToPagedLookasideList(&paged, held[n]);
            else
                ExFreeToNPagedLookasideList(&npaged, held[n]);
        }
    }
}

static void threads_lose_and_double_no_entry(void **state)
{
    _Atomic unsigned wrong = 0;
    (void)state;
    make("nt4");
    nt_run_threads(WORKERS, use_both, &wrong);
    assert_int_equal(wrong, 0);
    assert_in_range(ExQueryDepthSList(&npaged.L.ListHead), 0, PB_LOOKASIDE_MAXIMUM_DEPTH);
    delete_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("C1: NT 4's lists are guarded by the spin lock, or the fast mutex, behind them",
                  nt_4_has_locks),
        pool_test("C1: from 2000 on nobody uses those locks", later_releases_have_none),
        pool_test("C3: a list with a lock serves, counts and overflows like any",
                  locked_lists_are_lists),
        pool_test("C1: a delay planted inside locks is one wait a hit",
                  a_delay_inside_locks_is_one_wait_a_hit),
        pool_test("C3: checked: a second free to a list with a lock is found",
                  a_double_free_is_still_found),
        pool_test("C3: four threads in a list with a lock lose and double no entry",
                  threads_lose_and_double_no_entry),
    };
    return cmocka_run_group_tests_name("lookaside lists with locks", tests, NULL, NULL);
}
