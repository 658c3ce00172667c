/* SPDX-License-Identifier: MIT */
/* A clock that a test turns: the tuner's thread waits on it, and nobody waits for real time.
 *     fake_clock_install(); start jobs; fake_clock_advance(ms) returns when all that was due is
 * done Include after cmocka. Threads: the test's main thread and the tuner's. */
#ifndef PB_TEST_FAKE_CLOCK_H
#define PB_TEST_FAKE_CLOCK_H

#include "nt/tuner.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    uint64_t now_ns, deadline_ns; /* deadline 0: nobody waits */
    bool woken;
} fake_time = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static inline uint64_t fake_now_ns(void *context)
{
    (void)context;
    pthread_mutex_lock(&fake_time.mutex);
    uint64_t now = fake_time.now_ns;
    pthread_mutex_unlock(&fake_time.mutex);
    return now;
}

static inline int fake_wait_until(void *context, uint64_t deadline_ns)
{
    (void)context;
    pthread_mutex_lock(&fake_time.mutex);
    fake_time.deadline_ns = deadline_ns;
    pthread_cond_broadcast(&fake_time.changed);
    while (!fake_time.woken && fake_time.now_ns < deadline_ns)
        pthread_cond_wait(&fake_time.changed, &fake_time.mutex);
    bool woken = fake_time.woken;
    fake_time.woken = false;
    fake_time.deadline_ns = 0;
    pthread_mutex_unlock(&fake_time.mutex);
    return woken ? -EINTR : 0;
}

static inline void fake_wake(void *context)
{
    (void)context;
    pthread_mutex_lock(&fake_time.mutex);
    fake_time.woken = true;
    pthread_cond_broadcast(&fake_time.changed);
    pthread_mutex_unlock(&fake_time.mutex);
}

static inline void fake_clock_install(void)
{
    static const struct pb_tuner_clock clock = {fake_now_ns, fake_wait_until, fake_wake, NULL};
    assert_int_equal(pb_tuner_set_clock(&clock), 0);
}

/* Turns the clock, then waits until the tuner has nothing more to do before a later time. A job
 * must be started. */
static inline void fake_clock_advance(uint64_t ms)
{
    pthread_mutex_lock(&fake_time.mutex);
    fake_time.now_ns += ms * 1000000;
    pthread_cond_broadcast(&fake_time.changed);
    while (fake_time.woken || fake_time.deadline_ns <= fake_time.now_ns)
        pthread_cond_wait(&fake_time.changed, &fake_time.mutex);
    pthread_mutex_unlock(&fake_time.mutex);
}

#endif
