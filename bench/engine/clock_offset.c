/* SPDX-License-Identifier: MIT */
/* The clocks of two processors compared: clock_offset.h.
 * I1       second less first lies in [second - again, second - first] of every round, whatever
 *          delayed it: a delay only widens that round
 * Cost     a round of two lines' way, some 100 to 200 ns; 2000 rounds a pair */
#include "engine/clock_offset.h"

#include "engine/clock.h"
#include "hot.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { ROUNDS = 2000, PAIRS_MAX = 32 };

static const double PAIR_NS = 5e6, ALL_NS = 150e6;

/* A ball: odd numbers are the first's, even ones the second's. */
struct table {
    PB_CACHE_ALIGNED _Atomic uint64_t ball;
    uint64_t second;    /* its reading of the round, published by the ball */
    _Atomic bool ended; /* the first gave up or has finished */
    int cpu;            /* of the second */
    int error;
};

static int pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return -pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *second_main(void *argument)
{
    struct table *table = argument;
    table->error = pin(table->cpu);
    for (uint64_t round = 0; round <= ROUNDS; round++) {
        /* acquire: the first's reading comes before what follows here */
        while (atomic_load_explicit(&table->ball, memory_order_acquire) != 2 * round + 1)
            if (atomic_load_explicit(&table->ended, memory_order_relaxed)) /* only a wish to end */
                return NULL;
        table->second = pb_ticks_begin();
        atomic_store_explicit(&table->ball, 2 * round + 2, memory_order_release); /* publishes it */
    }
    return NULL;
}

void pb_clock_offset_round(struct pb_offset_bounds *bounds, uint64_t first, uint64_t second,
                           uint64_t again)
{
    int64_t least = (int64_t)(second - again), most = (int64_t)(second - first);
    bounds->least = least > bounds->least ? least : bounds->least;
    bounds->most = most < bounds->most ? most : bounds->most;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The first's side. Returns the rounds played; the one before them meets a thread that starts. */
static unsigned play(struct table *table, uint64_t deadline, struct pb_offset_bounds *bounds,
                     uint64_t *trips)
{
    unsigned played = 0;
    for (uint64_t round = 0; round <= ROUNDS; round++) {
        uint64_t first = pb_ticks_begin(), again;
        atomic_store_explicit(&table->ball, 2 * round + 1,
                              memory_order_release); /* after the reading */
        do {
            again = pb_ticks_begin();
            if (again > deadline)
                goto ended;
            /* acquire: the second's reading is there */
        } while (atomic_load_explicit(&table->ball, memory_order_acquire) != 2 * round + 2);
        again = pb_ticks_begin();
        if (round == 0) { /* it is there: from now on it has its time */
            uint64_t last = again + pb_clock_ticks(PAIR_NS);
            deadline = last < deadline ? last : deadline;
            continue;
        }
        pb_clock_offset_round(bounds, first, table->second, again);
        trips[played++] = again - first;
    }
ended:
    atomic_store_explicit(&table->ended, true, memory_order_relaxed); /* only a wish to end */
    return played;
}

/* One pair, on two threads, of which this is the first. Returns 0 or -errno. */
static int compare(int cpu, uint64_t deadline, struct pb_clock_offset *offset)
{
    static uint64_t trips[ROUNDS];
    struct table table = {.cpu = cpu};
    struct pb_offset_bounds bounds = {INT64_MIN, INT64_MAX};
    pthread_t second;
    int error = -pthread_create(&second, NULL, second_main, &table);
    if (error != 0)
        return error;
    unsigned played = play(&table, deadline, &bounds, trips);
    pthread_join(second, NULL);
    if (table.error != 0)
        return table.error;
    if (played == 0)
        return -EBUSY;
    qsort(trips, played, sizeof *trips, by_size);
    double tick = pb_clock_ns(1);
    double least = (double)bounds.least * tick, most = (double)bounds.most * tick;
    double middle = (least + most) / 2.0, bound = -least > most ? -least : most;
    double one_way = (double)trips[0] * tick / 2.0, usual = (double)trips[played / 2] * tick / 2.0;
    if (bound > offset->bound_ns) {
        offset->bound_ns = bound;
        offset->offset_ns = middle;
    }
    if (offset->cpus == 0 || one_way < offset->one_way_ns)
        offset->one_way_ns = one_way;
    offset->usual_ns = usual > offset->usual_ns ? usual : offset->usual_ns;
    offset->cpus++;
    return 0;
}

int pb_clock_offset_measure(struct pb_clock_offset *offset)
{
    cpu_set_t allowed;
    int first = -1, pairs = 0, last = -ENOTSUP;
    *offset = (struct pb_clock_offset){0};
    pb_clock_open();
    uint64_t deadline = pb_ticks_begin() + pb_clock_ticks(ALL_NS);
    int error = -pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed);
    for (int cpu = 0; error == 0 && cpu < CPU_SETSIZE && pairs < PAIRS_MAX; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &allowed))
            continue;
        if (first < 0) {
            first = cpu;
            continue;
        }
        if (pairs++ == 0)
            error = pin(first);
        if (error == 0)
            last = compare(cpu, deadline, offset);
    }
    if (pairs > 0)
        pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
    if (error != 0)
        return error;
    return offset->cpus > 0 ? 0 : last;
}
