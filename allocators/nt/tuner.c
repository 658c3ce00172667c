/* SPDX-License-Identifier: MIT */
/* The tuner's thread, its jobs and its clock (tuner.h).
 * I1       the thread lives if and only if there is a job
 * I2       a job's routine is called with neither lock held, and never after its stop returned
 * Locks    lifecycle, then mutex: one start or stop at a time; mutex guards the jobs. `registering`
 *          guards the registrations and is held while they are called
 * Cost     nothing between two periods; a period looks through all jobs
 * Source:  tuner.h. Threads: one of its own. May touch: libc. */
#include "nt/tuner.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#define NS_PER_MS 1000000u
#define NS_PER_S  1000000000u

enum { STACK_BYTES = 256 * 1024 };

/* The system's clock. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool woken;
} sleeper = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct executive {
    struct pb_tuning tuning;
} executive; /* guarded by registering */

static const struct pb_option executive_rows[] = {
    PB_TUNING_ROWS(struct executive){.type = PB_OPTION_END},
};

static void begin(void)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sleeper.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    (void)pb_option_defaults(executive_rows, &executive);
}

static uint64_t system_now_ns(void *context)
{
    struct timespec now;
    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int system_wait_until(void *context, uint64_t deadline_ns)
{
    struct timespec deadline = {(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};
    int error = 0;
    (void)context;
    pthread_mutex_lock(&sleeper.mutex);
    while (!sleeper.woken && error == 0)
        error = pthread_cond_timedwait(&sleeper.changed, &sleeper.mutex, &deadline);
    bool woken = sleeper.woken;
    sleeper.woken = false;
    pthread_mutex_unlock(&sleeper.mutex);
    return woken ? -EINTR : 0;
}

static void system_wake(void *context)
{
    (void)context;
    pthread_mutex_lock(&sleeper.mutex);
    sleeper.woken = true;
    pthread_cond_signal(&sleeper.changed);
    pthread_mutex_unlock(&sleeper.mutex);
}

static const struct pb_tuner_clock system_clock = {system_now_ns, system_wait_until, system_wake,
                                                   NULL};

static struct {
    pthread_mutex_t lifecycle;
    pthread_t thread; /* guarded by lifecycle */
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* no job is running */
    /* guarded by mutex */
    struct pb_tuner_job *jobs, *running;
    struct pb_tuner_clock clock;
    bool quit;
} tuner = {.lifecycle = PTHREAD_MUTEX_INITIALIZER,
           .mutex = PTHREAD_MUTEX_INITIALIZER,
           .idle = PTHREAD_COND_INITIALIZER,
           .clock = {system_now_ns, system_wait_until, system_wake, NULL}};

static uint64_t period_ns(const struct pb_tuner_job *job)
{
    return job->tuning.period_ms * NS_PER_MS;
}

static struct pb_tuner_job *earliest(void)
{
    struct pb_tuner_job *first = tuner.jobs;
    for (struct pb_tuner_job *job = tuner.jobs; job != NULL; job = job->next)
        if (job->due_ns < first->due_ns)
            first = job;
    return first;
}

/* Periods that were slept through are not made up for. */
static void run(struct pb_tuner_job *job, uint64_t now)
{
    job->due_ns += period_ns(job);
    if (job->due_ns <= now)
        job->due_ns = now + period_ns(job);
    tuner.running = job;
    pthread_mutex_unlock(&tuner.mutex);
    job->adjust(job->context, &job->tuning);
    pthread_mutex_lock(&tuner.mutex);
    tuner.running = NULL;
    pthread_cond_broadcast(&tuner.idle);
}

static void *tuner_main(void *argument)
{
    pthread_mutex_lock(&tuner.mutex);
    while (!tuner.quit) {
        struct pb_tuner_job *job = earliest(); /* there is one: else quit was set */
        uint64_t now = tuner.clock.now_ns(tuner.clock.context), due = job->due_ns;
        if (due <= now) {
            run(job, now);
            continue;
        }
        pthread_mutex_unlock(&tuner.mutex);
        (void)tuner.clock.wait_until(tuner.clock.context, due);
        pthread_mutex_lock(&tuner.mutex);
    }
    pthread_mutex_unlock(&tuner.mutex);
    return argument;
}

/* Makes the thread, deaf to all signals but those of its own faults. */
static int make_thread(void)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigset_t deaf, before;
    pthread_attr_t attributes;
    sigfillset(&deaf);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++)
        sigdelset(&deaf, own_faults[i]);
    if (pthread_attr_init(&attributes) != 0)
        return -EAGAIN;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &deaf, &before);
    int error = pthread_create(&tuner.thread, &attributes, tuner_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0 ? 0 : -EAGAIN;
}

/* Where the job is linked, or the end of the chain. */
static struct pb_tuner_job **place_of(const struct pb_tuner_job *job)
{
    struct pb_tuner_job **at = &tuner.jobs;
    while (*at != NULL && *at != job)
        at = &(*at)->next;
    return at;
}

int pb_tuner_start(struct pb_tuner_job *job, const struct pb_tuning *tuning)
{
    int error = 0;
    (void)pthread_once(&once, begin);
    pthread_mutex_lock(&tuner.lifecycle);
    pthread_mutex_lock(&tuner.mutex);
    bool first = tuner.jobs == NULL;
    struct pb_tuner_job **at = place_of(job);
    if (*at != NULL) {
        error = -EALREADY;
        goto out;
    }
    job->tuning = *tuning;
    job->due_ns = tuner.clock.now_ns(tuner.clock.context) + period_ns(job);
    job->next = NULL;
    *at = job;
    if (!first) {
        tuner.clock.wake(tuner.clock.context); /* it may be due before what is waited for */
        goto out;
    }
    tuner.quit = false;
    error = make_thread();
    if (error != 0)
        *at = NULL;
out:
    pthread_mutex_unlock(&tuner.mutex);
    pthread_mutex_unlock(&tuner.lifecycle);
    return error;
}

void pb_tuner_stop(struct pb_tuner_job *job)
{
    pthread_mutex_lock(&tuner.lifecycle);
    pthread_mutex_lock(&tuner.mutex);
    struct pb_tuner_job **at = place_of(job);
    bool started = *at != NULL;
    if (started) {
        *at = job->next;
        tuner.quit = tuner.jobs == NULL;
    }
    while (tuner.running == job)
        pthread_cond_wait(&tuner.idle, &tuner.mutex);
    bool last = started && tuner.quit;
    pthread_mutex_unlock(&tuner.mutex);
    if (last) {
        tuner.clock.wake(tuner.clock.context);
        pthread_join(tuner.thread, NULL);
    }
    pthread_mutex_unlock(&tuner.lifecycle);
}

int pb_tuner_set_clock(const struct pb_tuner_clock *clock)
{
    int error = -EBUSY;
    pthread_mutex_lock(&tuner.lifecycle);
    pthread_mutex_lock(&tuner.mutex);
    if (tuner.jobs == NULL) {
        tuner.clock = clock != NULL ? *clock : system_clock;
        error = 0;
    }
    pthread_mutex_unlock(&tuner.mutex);
    pthread_mutex_unlock(&tuner.lifecycle);
    return error;
}

static pthread_mutex_t registering = PTHREAD_MUTEX_INITIALIZER;

static struct {
    pb_tuner_fn *adjust; /* NULL: the place is free */
    void *context;
} registered[PB_TUNER_REGISTERED];

/* The first place that holds the pair, or PB_TUNER_REGISTERED. */
static unsigned registration_of(pb_tuner_fn *adjust, const void *context)
{
    unsigned i = 0;
    while (i < PB_TUNER_REGISTERED &&
           (registered[i].adjust != adjust || registered[i].context != context))
        i++;
    return i;
}

int pb_tuner_register(pb_tuner_fn *adjust, void *context)
{
    pthread_mutex_lock(&registering);
    unsigned i = registration_of(NULL, NULL);
    if (i < PB_TUNER_REGISTERED) {
        registered[i].adjust = adjust;
        registered[i].context = context;
    }
    pthread_mutex_unlock(&registering);
    return i < PB_TUNER_REGISTERED ? 0 : -ENOSPC;
}

void pb_tuner_unregister(pb_tuner_fn *adjust, void *context)
{
    pthread_mutex_lock(&registering);
    unsigned i = registration_of(adjust, context);
    if (i < PB_TUNER_REGISTERED) {
        registered[i].adjust = NULL;
        registered[i].context = NULL;
    }
    pthread_mutex_unlock(&registering);
}

void pb_tuner_adjust_registered(const struct pb_tuning *tuning)
{
    pthread_mutex_lock(&registering);
    for (unsigned i = 0; i < PB_TUNER_REGISTERED; i++)
        if (registered[i].adjust != NULL)
            registered[i].adjust(registered[i].context, tuning);
    pthread_mutex_unlock(&registering);
}

void pb_tuner_set(const struct pb_tuning *tuning)
{
    (void)pthread_once(&once, begin);
    pthread_mutex_lock(&registering);
    executive.tuning = *tuning;
    pthread_mutex_unlock(&registering);
}

void pb_tuner_get(struct pb_tuning *tuning)
{
    (void)pthread_once(&once, begin);
    pthread_mutex_lock(&registering);
    *tuning = executive.tuning;
    pthread_mutex_unlock(&registering);
}
