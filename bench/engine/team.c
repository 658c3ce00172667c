/* SPDX-License-Identifier: MIT */
/* Team: threads that sleep on a condition variable between jobs, so that they burn nothing while
 * the owner works, and a barrier that spins, so that they begin a window together.
 * Barrier: every arrival takes a number; the last of a round writes `go`, a moment a little ahead
 *          of its clock, and then publishes the round. All, the last too, spin until `go`. One
 *          slot is enough: the last arrival of a round comes after all have left the one before.
 * Threads: pb_team_* is the owner's; line_up the workers', by all of them or by none.
 * May touch: one mapping for itself, never malloc. */
#include "engine/team.h"

#include "engine/clock.h"
#include "hot.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

/* How far ahead of the last arrival all go: enough for its word to reach every worker. */
static const double team_ahead_ns = 20000.0;

struct team_worker {
    pthread_t id;
    struct pb_team *team;
    unsigned index;
    int error; /* of the last job; written by the worker, read by the owner after it finished */
};

struct pb_team {
    pthread_mutex_t lock; /* guards job, context, posts, running, stop */
    pthread_cond_t posted, finished;
    pb_job_fn *job;
    void *context;
    uint64_t posts;   /* jobs posted so far */
    unsigned running; /* workers that have not finished the current one */
    bool stop;
    bool yields;
    unsigned workers;
    size_t mapped_bytes;
    uint64_t ahead_ticks;
    PB_CACHE_ALIGNED _Atomic uint64_t arrivals;
    PB_CACHE_ALIGNED _Atomic uint64_t rounds; /* complete rounds of the barrier */
    uint64_t go;                              /* of the last complete round */
    PB_CACHE_ALIGNED struct team_worker worker[];
};

static void *worker_main(void *argument)
{
    struct team_worker *self = argument;
    struct pb_team *team = self->team;
    uint64_t seen = 0;
    pthread_mutex_lock(&team->lock);
    for (;;) {
        while (team->posts == seen && !team->stop)
            pthread_cond_wait(&team->posted, &team->lock);
        if (team->stop)
            break;
        seen = team->posts;
        pb_job_fn *job = team->job;
        void *context = team->context;
        pthread_mutex_unlock(&team->lock);
        self->error = job(context, self->index);
        pthread_mutex_lock(&team->lock);
        if (--team->running == 0)
            pthread_cond_signal(&team->finished);
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

static struct pb_team *team_map(unsigned workers, bool yields)
{
    size_t bytes = sizeof(struct pb_team) + workers * sizeof(struct team_worker);
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    struct pb_team *team = at;
    team->mapped_bytes = bytes;
    team->yields = yields;
    team->ahead_ticks = pb_clock_ticks(team_ahead_ns);
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->posted, NULL);
    pthread_cond_init(&team->finished, NULL);
    return team;
}

int pb_team_open(unsigned workers, bool yields, pb_job_fn *bind, void *context,
                 struct pb_team **result)
{
    pb_clock_open();
    struct pb_team *team = team_map(workers, yields);
    int error = 0;
    if (team == NULL)
        return -EAGAIN;
    while (team->workers < workers) {
        struct team_worker *worker = &team->worker[team->workers];
        worker->team = team;
        worker->index = team->workers;
        if (pthread_create(&worker->id, NULL, worker_main, worker) != 0) {
            error = -EAGAIN;
            goto out_team;
        }
        team->workers++;
    }
    if (bind != NULL)
        error = pb_team_run(team, bind, context);
    if (error != 0)
        goto out_team;
    *result = team;
    return 0;
out_team:
    pb_team_close(team);
    return error;
}

int pb_team_run(struct pb_team *team, pb_job_fn *job, void *context)
{
    pthread_mutex_lock(&team->lock);
    team->job = job;
    team->context = context;
    team->running = team->workers;
    team->posts++;
    pthread_cond_broadcast(&team->posted);
    while (team->running > 0)
        pthread_cond_wait(&team->finished, &team->lock);
    pthread_mutex_unlock(&team->lock);
    for (unsigned i = 0; i < team->workers; i++)
        if (team->worker[i].error != 0)
            return team->worker[i].error;
    return 0;
}

void pb_team_close(struct pb_team *team)
{
    pthread_mutex_lock(&team->lock);
    team->stop = true;
    pthread_cond_broadcast(&team->posted);
    pthread_mutex_unlock(&team->lock);
    for (unsigned i = 0; i < team->workers; i++)
        pthread_join(team->worker[i].id, NULL);
    pthread_cond_destroy(&team->finished);
    pthread_cond_destroy(&team->posted);
    pthread_mutex_destroy(&team->lock);
    munmap(team, team->mapped_bytes);
}

void pb_team_relax(const struct pb_team *team)
{
    if (team->yields) {
        sched_yield();
        return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" : : : "memory");
#endif
}

uint64_t pb_team_line_up(struct pb_team *team)
{
    /* acq_rel: what every worker wrote before the line is seen by all behind it */
    uint64_t number = atomic_fetch_add_explicit(&team->arrivals, 1, memory_order_acq_rel);
    uint64_t round = number / team->workers;
    if (number % team->workers == team->workers - 1) {
        team->go = pb_ticks_begin() + team->ahead_ticks;
        /* release: go, and what the arrivals brought, before the round */
        atomic_store_explicit(&team->rounds, round + 1, memory_order_release);
    } else {
        /* acquire: pairs with it */
        while (atomic_load_explicit(&team->rounds, memory_order_acquire) <= round)
            pb_team_relax(team);
    }
    uint64_t go = team->go;
    while (pb_ticks_begin() < go)
        pb_team_relax(team);
    return go;
}
