/* SPDX-License-Identifier: MIT */
/* nt_stress: threads that make random calls of the whole executive until time is over. stress.h
 * says what the parts are.
 * Exit: 0 nothing is wrong, or with --plant: the fault was found, as what it is; 1 a planted
 * fault was not found, or as another or in another book; 2 usage. What is found wrong without one
 * aborts, so that a debugger shows all threads. What a thread does follows from the seed; how
 * threads meet does not.
 * Threads: the main one and the workers. May touch: a file of its own in TMPDIR. */
#include "nt/stress.h"

#include <poolbench/nt/irql.h>

#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct stress_run stress_run = {.threads = 16, .seconds = 60, .seed = 1, .expected = FOUND_NOTHING};

/* In the order in which they are made; the executive takes the clock that it finds. */
static const struct stress_part *const parts[] = {&stress_tuner,     &stress_books, &stress_pool,
                                                  &stress_lookaside, &stress_zone,  &stress_lists,
                                                  &stress_locks,     &stress_mm,    &stress_heaps};
enum { PARTS = sizeof parts / sizeof *parts };

static const struct stress_actor *actors[STRESS_ACTORS_MOST];
static unsigned actors_n, weights;

static const char *const kinds[] = {
    [FOUND_DOUBLE] = "doubled block", [FOUND_OVERLAP] = "overlap",
    [FOUND_CORRUPT] = "corruption",   [FOUND_LOST] = "lost block or byte",
    [FOUND_STRUCTURE] = "structure",  [FOUND_BUGCHECK] = "bugcheck",
    [FOUND_BROKEN] = "broken promise"};

/* What is found must be of that kind, and in that book. */
static const struct {
    const char *name;
    enum stress_plant plant;
    enum stress_kind kind;
    const char *text;
} plants[] = {
    {"double", PLANT_DOUBLE, FOUND_DOUBLE, "*"},
    {"lost", PLANT_LOST, FOUND_LOST, "tag ????*: *"},
    {"overlap", PLANT_OVERLAP, FOUND_OVERLAP, "*"},
    {"corrupt", PLANT_CORRUPT, FOUND_CORRUPT, "*: a block of *"},
    {"header", PLANT_HEADER, FOUND_STRUCTURE, "pool: *"},
    {"zone", PLANT_ZONE, FOUND_LOST, "zone: *"},
    {"lookaside", PLANT_LOOKASIDE, FOUND_LOST, "@(tag StL*|* of pages): *"},
    {"slist", PLANT_SLIST, FOUND_LOST, "SLIST: * entries *"},
    {"list", PLANT_LIST, FOUND_LOST, "LIST_ENTRY: * entries *"},
    {"lock", PLANT_LOCK, FOUND_LOST, "*spin lock: * counts *"},
    {"heap", PLANT_HEAP, FOUND_LOST, "heap *: *"},
    {"resident", PLANT_RESIDENT, FOUND_LOST, "pages counted as locked: *"},
};

/* The first finder ends the program; others wait for that. */
void stress_found(enum stress_kind kind, const char *format, ...)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    static char text[1024];
    va_list arguments;
    (void)pthread_mutex_lock(&once);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "nt_stress: %s: %s\n", kinds[kind], text);
    fprintf(stderr, "  --seed %llu --threads %u, epoch %llu, round %llu, PbNtChecked %u\n  %s\n",
            (unsigned long long)stress_run.seed, stress_run.threads,
            (unsigned long long)stress_run.epoch, (unsigned long long)stress_run.round, PbNtChecked,
            stress_run.options);
    (void)unlink(stress_run.poolmon);
    if (stress_run.plant == PLANT_NONE)
        abort();
    _exit(kind == stress_run.expected && fnmatch(stress_run.expected_text, text, FNM_EXTMATCH) == 0
              ? 0
              : 1);
}

static void bugcheck(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    const char *name = pb_bugcheck_name(code);
    stress_found(FOUND_BUGCHECK, "%s (0x%x, 0x%llx, 0x%llx, 0x%llx, 0x%llx)",
                 name != NULL ? name : "?", code, (unsigned long long)p1, (unsigned long long)p2,
                 (unsigned long long)p3, (unsigned long long)p4);
}

enum phase { PHASE_RUN, PHASE_DRAIN, PHASE_END };
static enum phase phase;  /* written by the main thread while all workers wait */
static atomic_bool stops; /* relaxed: seen soon enough */
static pthread_barrier_t begin, end;

static void make_turn(struct stress_worker *worker)
{
    uint64_t draw = stress_below(worker, weights);
    unsigned i = 0;
    while (draw >= actors[i]->weight)
        draw -= actors[i++]->weight;
    worker->actor = i;
    worker->turns[i]++;
    actors[i]->turn(worker, actors[i]);
    if (pb_irql != PASSIVE_LEVEL)
        stress_found(FOUND_BROKEN, "%s: the turn ended at level %u", actors[i]->name, pb_irql);
}

static void *work(void *argument)
{
    struct stress_worker *worker = argument;
    for (;;) {
        (void)pthread_barrier_wait(&begin);
        if (phase == PHASE_END)
            return NULL;
        if (phase == PHASE_DRAIN)
            stress_retire_all(worker);
        else
            while (!atomic_load_explicit(&stops, memory_order_relaxed))
                make_turn(worker);
        (void)pthread_barrier_wait(&end);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec rest = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&rest, &rest) != 0)
        continue;
}

/* Lets all workers do what the phase is, for so long (0: until it is done). */
static void run_phase(enum phase what, uint64_t ms)
{
    phase = what;
    atomic_store_explicit(&stops, false, memory_order_relaxed);
    (void)pthread_barrier_wait(&begin);
    if (ms != 0)
        sleep_ms(ms);
    atomic_store_explicit(&stops, true, memory_order_relaxed);
    (void)pthread_barrier_wait(&end);
}

static void check_all(void)
{
    stress_check_blocks();
    for (unsigned i = 0; i < PARTS; i++)
        if (parts[i]->check != NULL)
            parts[i]->check();
}

/* Nothing is live: every book is at 0, but for what parts keep as their own. */
static void close_all(void)
{
    for (unsigned i = PARTS; i-- > 0;)
        if (parts[i]->close != NULL)
            parts[i]->close();
    for (unsigned book = 0; book < STRESS_BOOKS; book++)
        stress_compare(book, "after the drain", 0, 0);
}

static void run_epoch(uint64_t rounds, uint64_t ms)
{
    stress_choose_options();
    for (unsigned i = 0; i < PARTS; i++)
        if (parts[i]->open != NULL)
            parts[i]->open();
    for (uint64_t i = 0; i < rounds; i++) {
        run_phase(PHASE_RUN, ms);
        check_all();
        stress_run.round++;
    }
    run_phase(PHASE_DRAIN, 0);
    check_all();
    close_all();
    stress_run.epoch++;
}

static void start(void)
{
    (void)pthread_barrier_init(&begin, NULL, stress_run.threads + 1);
    (void)pthread_barrier_init(&end, NULL, stress_run.threads + 1);
    for (unsigned i = 0; i < stress_run.threads; i++) {
        struct stress_worker *worker = &stress_run.workers[i];
        worker->index = i;
        pb_rng_seed(&worker->rng, stress_run.seed, i + 1);
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            fprintf(stderr, "nt_stress: thread %u cannot be made\n", i);
            exit(2);
        }
    }
}

static void stop(void)
{
    phase = PHASE_END;
    (void)pthread_barrier_wait(&begin);
    for (unsigned i = 0; i < stress_run.threads; i++)
        (void)pthread_join(stress_run.workers[i].thread, NULL);
}

/* What each actor did; one that only got refusals would have tested nothing. */
static void report(void)
{
    bool idle = false;
    printf("%llu epochs, %llu rounds\n%-32s %12s %12s\n", (unsigned long long)stress_run.epoch,
           (unsigned long long)stress_run.round, "actor", "turns", "refused");
    for (unsigned a = 0; a < actors_n; a++) {
        uint64_t turns = 0, refused = 0;
        for (unsigned i = 0; i < stress_run.threads; i++) {
            turns += stress_run.workers[i].turns[a];
            refused += stress_run.workers[i].refused[a];
        }
        idle |= refused >= turns;
        printf("%-32s %12llu %12llu\n", actors[a]->name, (unsigned long long)turns,
               (unsigned long long)refused);
    }
    if (idle)
        stress_found(FOUND_BROKEN, "an actor did nothing");
}

static void gather_actors(void)
{
    for (unsigned i = 0; i < PARTS; i++)
        for (size_t a = 0; a < parts[i]->actors_n && actors_n < STRESS_ACTORS_MOST; a++) {
            actors[actors_n++] = &parts[i]->actors[a];
            weights += parts[i]->actors[a].weight;
        }
}

__attribute__((noreturn)) static void usage(void)
{
    fprintf(stderr, "usage: nt_stress [--seconds N] [--threads N] [--seed N] [--profile NAME]\n"
                    "                 [--plant FAULT]\nfaults:");
    for (unsigned i = 0; i < sizeof plants / sizeof *plants; i++)
        fprintf(stderr, " %s", plants[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static void choose_plant(const char *name)
{
    for (unsigned i = 0; i < sizeof plants / sizeof *plants; i++)
        if (strcmp(name, plants[i].name) == 0) {
            stress_run.plant = plants[i].plant;
            stress_run.expected = plants[i].kind;
            stress_run.expected_text = plants[i].text;
            return;
        }
    usage();
}

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
    char *behind;
    unsigned long value = strtoul(text, &behind, 0);
    if (*text == '\0' || *behind != '\0' || value < least || value > most)
        usage();
    return value;
}

static void read_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'}, {"threads", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'r'},    {"profile", required_argument, NULL, 'o'},
        {"plant", required_argument, NULL, 'p'},   {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            stress_run.seconds = (unsigned)number(optarg, 1, 1000000);
        else if (option == 't')
            stress_run.threads = (unsigned)number(optarg, 1, STRESS_THREADS_MOST);
        else if (option == 'r')
            stress_run.seed = number(optarg, 0, ULONG_MAX);
        else if (option == 'o')
            stress_run.profile = optarg;
        else if (option == 'p')
            choose_plant(optarg);
        else
            usage();
    }
    if (optind != argc)
        usage();
}

/* The executive's table of tags, in a file of this process. */
static void name_file(void)
{
    const char *folder = getenv("TMPDIR");
    (void)snprintf(stress_run.poolmon, sizeof stress_run.poolmon, "%s/nt_stress.%ld",
                   folder != NULL && *folder != '\0' ? folder : P_tmpdir, (long)getpid());
    (void)setenv("PB_POOLMON", stress_run.poolmon, 1);
}

int main(int argc, char **argv)
{
    static struct stress_worker workers[STRESS_THREADS_MOST];
    read_arguments(argc, argv);
    printf("nt_stress --seconds %u --threads %u --seed %llu\n", stress_run.seconds,
           stress_run.threads, (unsigned long long)stress_run.seed);
    (void)fflush(stdout);
    bool brief = stress_run.seconds < 30;
    uint64_t until = now_ms() + (uint64_t)stress_run.seconds * 1000;
    name_file();
    pb_bugcheck_hook = bugcheck;
    stress_run.workers = workers;
    pb_rng_seed(&stress_run.rng, stress_run.seed, 0);
    stress_oracle_open();
    gather_actors();
    start();
    while (now_ms() < until)
        run_epoch(brief ? 1 : 2, brief ? 200 : 1000);
    stop();
    (void)unlink(stress_run.poolmon);
    report();
    if (stress_run.plant == PLANT_NONE)
        return 0;
    fprintf(stderr, "nt_stress: the planted fault was not found\n");
    return 1;
}
