/* SPDX-License-Identifier: MIT */
/* For tests of the executive: a bugcheck hook that records and returns, a fixture that holds each
 * test to what it expects, and threads that start together. Include after cmocka.
 *
 *     static void pop_of_nothing(void **state) { ... expect_bugcheck(call(), CODE, p1); ... }
 *     nt_test("D: ...", pop_of_nothing)         in checked mode
 *     nt_test_free("D: ...", pop_of_nothing)    as on a free build
 *
 * A test fails that ends above PASSIVE_LEVEL or after a bugcheck that it did not expect. */
#ifndef PB_TEST_NT_H
#define PB_TEST_NT_H

#include "nt/fixup.h"
#include <poolbench/nt/irql.h>

#include <pthread.h>
#include <stdio.h>

enum { NT_THREADS_MOST = 8 };

/* The bugchecks since nt_forget, and the last of them. */
static struct nt_seen {
    unsigned n;
    ULONG code;
    ULONG_PTR p[4]; /* p[0] is what the documents call parameter 1 */
    KIRQL irql;     /* of the thread, in the hook */
} nt_seen;
static pthread_mutex_t nt_mutex = PTHREAD_MUTEX_INITIALIZER;
static BOOLEAN nt_was_checked;

static inline void nt_record(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    pthread_mutex_lock(&nt_mutex);
    nt_seen = (struct nt_seen){nt_seen.n + 1, code, {p1, p2, p3, p4}, pb_irql};
    pthread_mutex_unlock(&nt_mutex);
}

static inline void nt_forget(void)
{
    nt_seen = (struct nt_seen){.n = 0};
}

/* Runs the statement, which must end in that one bugcheck with that first parameter; the others are
 * then in nt_seen.p[1] to [3]. */
#define expect_bugcheck(statement, expected_code, p1)                                              \
    do {                                                                                           \
        assert_int_equal(nt_seen.n, 0);                                                            \
        statement;                                                                                 \
        assert_int_equal(nt_seen.n, 1);                                                            \
        assert_int_equal(nt_seen.code, (expected_code));                                           \
        assert_int_equal(nt_seen.p[0], (ULONG_PTR)(p1));                                           \
        nt_seen.n = 0;                                                                             \
    } while (0)

static inline int nt_begin(BOOLEAN checked)
{
    nt_was_checked = PbNtChecked;
    PbNtChecked = checked;
    pb_bugcheck_hook = nt_record;
    nt_forget();
    return 0;
}

static inline int nt_setup(void **state)
{
    (void)state;
    return nt_begin(TRUE);
}

static inline int nt_setup_free(void **state)
{
    (void)state;
    return nt_begin(FALSE);
}

static inline int nt_teardown(void **state)
{
    int bad = nt_seen.n != 0 || pb_irql != PASSIVE_LEVEL;
    (void)state;
    if (bad)
        fprintf(stderr,
                "ended at level %u, after %u bugchecks not expected, the last 0x%X 0x%llX\n",
                pb_irql, nt_seen.n, nt_seen.code, (unsigned long long)nt_seen.p[0]);
    pb_bugcheck_hook = pb_bugcheck_abort;
    PbNtChecked = nt_was_checked;
    pb_irql = PASSIVE_LEVEL;
    return bad ? -1 : 0;
}

#define nt_test(sentence, function)                                                                \
    {                                                                                              \
        sentence, function, nt_setup, nt_teardown, NULL                                            \
    }
#define nt_test_free(sentence, function)                                                           \
    {                                                                                              \
        sentence, function, nt_setup_free, nt_teardown, NULL                                       \
    }

/* For a test in which a body's fault is to raise, or a pop's to be fixed up: cmocka puts a handler
 * of its own around each test, and this one in front of that. FALSE where no fault can be caught.
 */
static inline BOOLEAN nt_catch_faults(void)
{
    return (BOOLEAN)(pb_fixup_install() == 0);
}

struct nt_worker {
    void (*work)(void *shared, unsigned index);
    void *shared;
    unsigned index;
    pthread_barrier_t *start;
    pthread_t thread;
};

static inline void *nt_worker_main(void *argument)
{
    struct nt_worker *worker = argument;
    pthread_barrier_wait(worker->start);
    worker->work(worker->shared, worker->index);
    return NULL;
}

/* Runs `work` on so many threads at once, at most NT_THREADS_MOST, each with its index from 0, and
 * waits for them. Workers assert nothing: they write what they saw into `shared`. */
static inline void nt_run_threads(unsigned threads, void (*work)(void *shared, unsigned index),
                                  void *shared)
{
    struct nt_worker workers[NT_THREADS_MOST];
    pthread_barrier_t start;
    assert_true(threads <= NT_THREADS_MOST);
    assert_int_equal(pthread_barrier_init(&start, NULL, threads), 0);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] =
            (struct nt_worker){.work = work, .shared = shared, .index = i, .start = &start};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, nt_worker_main, &workers[i]), 0);
    }
    for (unsigned i = 0; i < threads; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    pthread_barrier_destroy(&start);
}

#endif
