/* SPDX-License-Identifier: MIT */
/* The checks of checks.h that take several threads, and the one that takes the system's memory
 * away. Workers record into structs of their own; the main thread judges after joining them.
 * Threads: started and joined within a check. May touch: the heap under test, pb_pages_system. */
#include "conformance/checks.h"
#include "nt/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    REMOTE_BLOCKS = 200,
    ROUNDS = 5,
    SLOTS = 64,
    CHURN_STEPS = 6000,
    MAILBOXES = 16,
    CHURN_SECONDS = 2
};

static bool may_free_remotely(const struct pb_variant *variant)
{
    return (variant->ops->capabilities & PB_CAP_REMOTE_FREE) != 0;
}

static size_t size_of_draw(const struct subject *s, uint64_t draw)
{
    if (s->request.block_bytes != 0)
        return s->request.block_bytes;
    return draw % 16 == 0 ? 1 + draw / 16 % 6000 : 1 + draw / 16 % 300;
}

struct remote {
    struct subject *s, own; /* own: where a worker records its breach */
    struct live blocks[REMOTE_BLOCKS];
    unsigned thread;
};

static void *free_all(void *argument)
{
    struct remote *r = argument;
    r->own.heap = r->s->heap;
    for (size_t i = 0; i < REMOTE_BLOCKS; i++)
        if (give_block(&r->own, r->s->threads[r->thread], &r->blocks[i]) != 0)
            break;
    return NULL;
}

static int remote_round(struct subject *s, struct remote *r, unsigned round)
{
    pthread_t worker;
    memset(r->blocks, 0, sizeof r->blocks);
    for (size_t i = 0; i < REMOTE_BLOCKS; i++) {
        size_t bytes = size_of_draw(s, (uint64_t)(i + round) * 2654435761u);
        if (take_block(s, s->threads[0], &r->blocks[i], bytes, r->blocks, i) != 0)
            return -1;
    }
    if (pthread_create(&worker, NULL, free_all, r) != 0)
        return breach(s, "no thread can be started");
    pthread_join(worker, NULL);
    return r->own.fault[0] == '\0' ? 0 : breach(s, "freed by another thread: %s", r->own.fault);
}

int check_remote(struct subject *s, const struct pb_variant *variant)
{
    static const size_t uses[] = {64, 0};
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++) {
        struct remote r = {.s = s, .thread = 1};
        if (subject_open(s, variant, uses[k], 2) != 0)
            return breach(s, "cannot be opened for two threads");
        int wrong = 0;
        for (unsigned round = 0; round < ROUNDS && wrong == 0 && may_free_remotely(variant);
             round++)
            wrong = remote_round(s, &r, round);
        if (subject_close(s) != 0 || wrong != 0)
            return -1;
    }
    return 0;
}

/* Blocks in passing between threads. */
struct mailbox {
    pthread_mutex_t mutex;
    struct live block;
};

struct churner {
    struct subject *s, own;
    struct mailbox *boxes; /* NULL where blocks must not be passed on */
    unsigned thread;
    struct live blocks[SLOTS];
};

static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Queue locks crawl where there are more threads than processors: a time bounds the churn. */
static bool has_time(time_t until)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) != 0 || now.tv_sec < until;
}

static time_t churn_end(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + CHURN_SECONDS;
}

static void trade(struct churner *c, size_t slot, uint64_t box)
{
    struct live mine = c->blocks[slot];
    pthread_mutex_lock(&c->boxes[box].mutex);
    c->blocks[slot] = c->boxes[box].block;
    c->boxes[box].block = mine;
    pthread_mutex_unlock(&c->boxes[box].mutex);
}

static void *churn(void *argument)
{
    struct churner *c = argument;
    struct pb_thread *thread = c->s->threads[c->thread];
    uint64_t state = c->thread + 1;
    time_t until = churn_end();
    int wrong = 0;
    c->own.heap = c->s->heap;
    for (unsigned step = 0; step < CHURN_STEPS && wrong == 0; step++) {
        if (step % 64 == 0 && !has_time(until))
            break;
        size_t slot = draw(&state) % SLOTS;
        if (c->boxes != NULL && step % 8 == 0)
            trade(c, slot, draw(&state) % MAILBOXES);
        else if (c->blocks[slot].at != NULL)
            wrong = give_block(&c->own, thread, &c->blocks[slot]);
        else
            wrong = take_block(&c->own, thread, &c->blocks[slot], size_of_draw(c->s, draw(&state)),
                               c->blocks, SLOTS);
    }
    for (size_t i = 0; i < SLOTS && wrong == 0; i++)
        if (c->blocks[i].at != NULL)
            wrong = give_block(&c->own, thread, &c->blocks[i]);
    return NULL;
}

static int churn_together(struct subject *s, struct churner *churners, struct mailbox *boxes)
{
    pthread_t workers[SUBJECT_THREADS];
    unsigned started = 0;
    for (; started < SUBJECT_THREADS; started++) {
        churners[started].s = s;
        churners[started].boxes = may_free_remotely(s->variant) ? boxes : NULL;
        churners[started].thread = started;
        if (pthread_create(&workers[started], NULL, churn, &churners[started]) != 0)
            break;
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(workers[i], NULL);
    for (unsigned i = 0; i < started; i++)
        if (churners[i].own.fault[0] != '\0')
            return breach(s, "four threads: %s", churners[i].own.fault);
    return started == SUBJECT_THREADS ? 0 : breach(s, "no thread can be started");
}

/* Gives back what was left in the mailboxes. */
static int empty_boxes(struct subject *s, struct mailbox *boxes, int wrong)
{
    for (size_t i = 0; i < MAILBOXES; i++) {
        if (wrong == 0 && boxes[i].block.at != NULL)
            wrong = give_block(s, s->threads[0], &boxes[i].block);
        pthread_mutex_destroy(&boxes[i].mutex);
    }
    return wrong;
}

int check_churn(struct subject *s, const struct pb_variant *variant)
{
    static const size_t uses[] = {48, 0};
    static struct churner churners[SUBJECT_THREADS];
    static struct mailbox boxes[MAILBOXES];
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++) {
        memset(churners, 0, sizeof churners);
        memset(boxes, 0, sizeof boxes);
        for (size_t i = 0; i < MAILBOXES; i++)
            pthread_mutex_init(&boxes[i].mutex, NULL);
        if (subject_open(s, variant, uses[k], SUBJECT_THREADS) != 0)
            return breach(s, "cannot be opened for four threads");
        int wrong = empty_boxes(s, boxes, churn_together(s, churners, boxes));
        if (subject_close(s) != 0 || wrong != 0)
            return -1;
    }
    return 0;
}

/* The system with its n-th call for memory refused, and, if it persists, all after it. */
static struct {
    _Atomic long calls, reserved;
    long refuse;
    bool persists;
} rationed;

static bool refused(void)
{
    long call = ++rationed.calls;
    return call == rationed.refuse || (rationed.persists && call > rationed.refuse);
}

static void *rationed_reserve(size_t bytes)
{
    void *at = refused() ? NULL : pb_pages_linux.reserve(bytes);
    rationed.reserved += at != NULL;
    return at;
}

static int rationed_commit(void *at, size_t bytes)
{
    return refused() ? -ENOMEM : pb_pages_linux.commit(at, bytes);
}

static int rationed_release(void *at, size_t bytes)
{
    return pb_pages_linux.release(at, bytes);
}

static void rationed_unreserve(void *at, size_t bytes)
{
    rationed.reserved--;
    pb_pages_linux.unreserve(at, bytes);
}

static const struct pb_pages_system rationed_system = {rationed_reserve, rationed_commit,
                                                       rationed_release, rationed_unreserve};

/* Uses a heap as far as it goes without memory; nothing may break and nothing may stay mapped. */
static int use_rationed(struct subject *s, const struct pb_variant *variant, size_t use)
{
    struct live blocks[REMOTE_BLOCKS] = {{0}};
    int error = subject_open(s, variant, use, 1);
    if (error != 0 && error != -ENOMEM)
        return breach(s, "open without memory returned %d instead of -ENOMEM", error);
    if (error != 0)
        return 0;
    for (size_t i = 0; i < REMOTE_BLOCKS; i++) {
        struct live *block = &blocks[i];
        block->bytes = size_of_draw(s, i * 2654435761u);
        if (take_block_if_any(s, s->threads[0], block, block->bytes, blocks, i) != 0)
            break;
    }
    for (size_t i = 0; i < REMOTE_BLOCKS && s->fault[0] == '\0'; i++)
        if (blocks[i].at != NULL)
            (void)give_block(s, s->threads[0], &blocks[i]);
    rationed.refuse = 0;
    rationed.persists = false;
    return subject_close(s);
}

static int ration(struct subject *s, const struct pb_variant *variant, size_t use, bool persists)
{
    int wrong = 0;
    bool reached = true;
    for (long n = 1; reached && wrong == 0; n += 1 + n / 16) {
        rationed.calls = rationed.reserved = 0;
        rationed.refuse = n;
        rationed.persists = persists;
        wrong = use_rationed(s, variant, use);
        reached = rationed.calls >= n;
        if (wrong == 0 && rationed.reserved != 0)
            wrong = breach(s, "%ld mappings stay behind when call %ld is refused",
                           (long)rationed.reserved, n);
    }
    return wrong;
}

int check_exhaustion(struct subject *s, const struct pb_variant *variant)
{
    int wrong = 0;
    pb_pages_system = &rationed_system;
    for (unsigned way = 0; way < 4 && wrong == 0; way++)
        wrong = ration(s, variant, way % 2 == 0 ? 64 : 0, way / 2 == 0);
    pb_pages_system = &pb_pages_linux;
    return wrong;
}
