/* SPDX-License-Identifier: MIT */
/* The lookaside tuner under stress, on a clock that turns move: whoever moves it waits until the
 * tuner has done what was due, so that nothing is adjusted while structures are checked.
 * Threads: any, one at a time moves the clock; the tuner's. */
#include "nt/stress.h"

#include "nt/tuner.h"

#include <poolbench/nt/lookaside.h>

#include <errno.h>

static pthread_mutex_t turning = PTHREAD_MUTEX_INITIALIZER;
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t now_ns, deadline_ns; /* guarded; deadline 0: nobody waits */
    bool woken;
} hands = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static uint64_t now_ns(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&hands.mutex);
    uint64_t now = hands.now_ns;
    (void)pthread_mutex_unlock(&hands.mutex);
    return now;
}

static int wait_until(void *context, uint64_t deadline_ns)
{
    (void)context;
    (void)pthread_mutex_lock(&hands.mutex);
    hands.deadline_ns = deadline_ns;
    (void)pthread_cond_broadcast(&hands.changed);
    while (!hands.woken && hands.now_ns < deadline_ns)
        (void)pthread_cond_wait(&hands.changed, &hands.mutex);
    bool woken = hands.woken;
    hands.woken = false;
    hands.deadline_ns = 0;
    (void)pthread_mutex_unlock(&hands.mutex);
    return woken ? -EINTR : 0;
}

static void wake(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&hands.mutex);
    hands.woken = true;
    (void)pthread_cond_broadcast(&hands.changed);
    (void)pthread_mutex_unlock(&hands.mutex);
}

static void advance(uint64_t ns)
{
    (void)pthread_mutex_lock(&hands.mutex);
    hands.now_ns += ns;
    (void)pthread_cond_broadcast(&hands.changed);
    while (hands.woken || hands.deadline_ns <= hands.now_ns)
        (void)pthread_cond_wait(&hands.changed, &hands.mutex);
    (void)pthread_mutex_unlock(&hands.mutex);
}

static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    (void)actor;
    if (stress_below(worker, 4) == 0) {
        ExAdjustLookasideDepth();
        return;
    }
    if (pthread_mutex_trylock(&turning) != 0) {
        stress_refused(worker);
        return;
    }
    advance(1000000000);
    (void)pthread_mutex_unlock(&turning);
}

/* The tuner's life is the epoch's. */
static void open(void)
{
    static const struct pb_tuner_clock clock = {now_ns, wait_until, wake, NULL};
    int error = pb_tuner_set_clock(&clock);
    if (error == 0)
        error = PbStartLookasideTuner();
    if (error != 0)
        stress_found(FOUND_BROKEN, "the tuner does not start: error %d", -error);
}

static const struct stress_actor actors[] = {{"ExAdjustLookasideDepth", 3, turn, NULL, NULL}};

const struct stress_part stress_tuner = {open, NULL, PbStopLookasideTuner, actors, 1};
