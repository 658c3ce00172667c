/* SPDX-License-Identifier: MIT */
/* Pool: what happens when the system refuses, when a header or a link is corrupt, and when several
 * threads are in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void the_pool_stays_sound_wherever_the_system_refuses(void **state)
{
    unsigned n = 1;
    teardown(state);
    for (refuse_install(state), refuse_nth(n, true); try_open("", 1) != 0; refuse_nth(++n, true))
        assert_int_equal(refuse_state.reserved, 0);
    pb_allocator_pool.close(heap);
    bool refused = true;
    for (n = 1; refused; n++) {
        refuse_nth(0, false);
        open_pool("", 1);
        refuse_nth(n, n % 2 == 0);
        unsigned failures = churn(600);
        refused = refuse_state.calls >= n;
        assert_int_equal(failures != 0, refused);
        check_sound();
        refuse_nth(0, false);
        assert_non_null(take(100000)); /* works again as soon as the system does */
        check_sound();
        pb_allocator_pool.detach(heap, thread);
        pb_allocator_pool.close(heap);
        assert_int_equal(refuse_state.reserved, 0);
    }
    assert_true(n > 3);
    setup(state);
}

/* What is done to the header of a block in use, or to the one behind it, and what free must say. */
static void corrupt_headers_stop_the_free(void **state)
{
    static const struct {
        unsigned char at;    /* 0: the block's own header; 1: that of the block behind */
        unsigned char field; /* byte in the header */
        unsigned char value;
        uint64_t code, kind;
    } cases[] = {
        {0, 3, 0, BAD_POOL_CALLER, 7},   {0, 2, 0, BAD_POOL_HEADER, 8},
        {0, 2, 255, BAD_POOL_HEADER, 9}, {0, 2, 4, BAD_POOL_HEADER, 5},
        {0, 0, 0, BAD_POOL_HEADER, 7},   {0, 0, 255, BAD_POOL_HEADER, 6},
        {0, 0, 3, BAD_POOL_HEADER, 5},   {1, 0, 9, BAD_POOL_HEADER, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reopen(state, "", 1);
        void *first = take(64), *behind = take(64), *block = take(64);
        (void)first;
        unsigned char *byte = (unsigned char *)header_of(cases[i].at ? behind : block);
        unsigned char good = byte[cases[i].field];
        uint64_t frees = stats().frees;
        byte[cases[i].field] = cases[i].value;
        assert_int_not_equal(good, cases[i].value);
        check_finds(""); /* any finding will do here */
        give(block, 64);
        assert_int_equal(bugcheck[0], cases[i].code);
        assert_int_equal(bugcheck[1], cases[i].kind);
        assert_int_equal(stats().frees, frees); /* abandoned: as if it had not been called */
        byte[cases[i].field] = good;
        bugcheck[0] = 0;
        check_sound();
        give(block, 64);
        check_sound();
    }
}

static void a_second_free_is_caught(void **state)
{
    (void)state;
    void *fence = take(64), *block = take(64), *big = take(5000);
    (void)fence;
    give(block, 64);
    give(block, 64);
    assert_int_equal(bugcheck[0], BAD_POOL_CALLER);
    assert_int_equal(bugcheck[1], 7);
    assert_int_equal(bugcheck[4], (uintptr_t)block);
    give(big, 5000);
    bugcheck[0] = 0;
    give(big, 5000);
    assert_int_equal(bugcheck[0], BAD_POOL_CALLER);
    bugcheck[0] = 0;
    check_sound();
}

static void the_standard_bugcheck_writes_one_line_and_aborts(void **state)
{
    (void)state;
    char line[200] = "";
    int ends[2], status;
    void *fence = take(64), *block = take(64);
    (void)fence;
    give(block, 64);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        pb_bugcheck_hook = pb_bugcheck_abort;
        signal(SIGABRT, SIG_DFL);
        give(block, 64);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_ptr_equal(strstr(line, "bugcheck 0xC2 (0x7, "), line);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    close(ends[0]);
    close(ends[1]);
}

static void addresses_that_the_pool_never_gave_are_refused(void **state)
{
    (void)state;
    static _Alignas(4096) unsigned char foreign[8192];
    unsigned char *block = take(64), *big = take(12288);
    unsigned char *const wrong[] = {foreign, foreign + 64, block + 8, big + 4096, big + 64};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        give(wrong[i], 64);
        assert_int_equal(bugcheck[0], BAD_POOL_CALLER);
        bugcheck[0] = 0;
        check_sound();
    }
}

static void broken_list_links_are_found_before_they_are_used(void **state)
{
    (void)state;
    void *blocks[5];
    for (int i = 0; i < 5; i++)
        blocks[i] = take(64);
    give(blocks[1], 64); /* highest; behind blocks[2] */
    PLIST_ENTRY entry = blocks[1];
    PLIST_ENTRY good = entry->Blink;
    LIST_ENTRY stray = {&stray, &stray};
    entry->Blink = &stray;
    check_finds("list links disagree");
    assert_ptr_not_equal(take(64), blocks[1]); /* goes on to the next list */
    assert_int_equal(bugcheck[0], BAD_POOL_HEADER);
    assert_int_equal(bugcheck[1], 3);
    bugcheck[0] = 0;
    give(blocks[2], 64); /* would unlink it to join it */
    assert_int_equal(bugcheck[0], BAD_POOL_HEADER);
    assert_int_equal(bugcheck[1], 3);
    bugcheck[0] = 0;
    entry->Blink = good;
    check_sound();
}

static void the_checker_finds_what_is_planted(void **state)
{
    void *first = take(64), *block = take(64), *big = take(5000);
    POOL_HEADER *free_block = header_of(first) + 5;
    struct page_entry *run =
        &pool->runs.entries[((unsigned char *)big - pool->runs.arena.base) >> PAGE_SHIFT];
    (void)state;
    header_of(block)->BlockSize ^= 2;
    check_finds("BlockSize does not lead");
    header_of(block)->BlockSize ^= 2;
    header_of(block)->PreviousSize ^= 1;
    check_finds("PreviousSize is not the size");
    header_of(block)->PreviousSize ^= 1;
    header_of(block)->PoolType ^= 0x40;
    check_finds("PoolType unknown");
    header_of(block)->PoolType ^= 0x40;
    header_of(block)->PoolType = POOL_TYPE_FREE;
    check_finds("two free blocks are neighbours");
    header_of(block)->PoolType = POOL_TYPE_NONPAGED;
    header_of(first)->PoolType = POOL_TYPE_FREE;
    check_finds("two free blocks are neighbours");
    header_of(first)->PoolType = POOL_TYPE_NONPAGED;
    free_block->PoolType = POOL_TYPE_NONPAGED;
    check_finds("list leads to what is no free block");
    free_block->PoolType = POOL_TYPE_FREE;
    PLIST_ENTRY entry = (PLIST_ENTRY)(void *)(free_block + 1);
    RemoveEntryList(entry);
    check_finds("bitmap disagrees");
    InsertHeadList(&pool->ListHeads[free_block->BlockSize - 1], entry);
    pool->TotalBytes += 16;
    check_finds("counters disagree with the blocks");
    pool->TotalBytes -= 16;
    pool->TotalPages++;
    check_finds("counters disagree with the pages");
    pool->TotalPages--;
    run->pages++;
    check_finds("page run");
    run->pages--;
    check_sound();
}

static void lock_none_is_unavailable_to_two_threads(void **state)
{
    char reason[100] = "";
    reopen(state, "lock=none", 1);
    struct pb_heap_config config = {.options = options, .threads = 1};
    assert_false(pb_allocator_pool.unavailable(&config, reason, sizeof reason));
    config.threads = 2;
    assert_true(pb_allocator_pool.unavailable(&config, reason, sizeof reason));
    assert_string_equal(reason, "lock=none is for one thread, not 2");
    struct pb_heap *refused = NULL;
    assert_int_equal(pb_allocator_pool.open(&config, &refused), -EINVAL);
}

/* Threads that free what others allocated, through slots. */
enum { EXCHANGE_THREADS = 3, EXCHANGE_SLOTS = 16 };

struct exchange {
    unsigned index, rounds, failed, damaged;
    void *_Atomic *slots;
    pthread_t thread;
};

static void *exchange_run(void *argument)
{
    struct exchange *e = argument;
    struct pb_thread *mine;
    uint64_t random = e->index + 1;
    pb_allocator_pool.attach(heap, e->index, &mine);
    for (unsigned round = 0; round < e->rounds; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t bytes = 8 + (random >> 40) % (round % 16 == 0 ? 9000 : 500);
        size_t *block = heap->alloc(heap, mine, bytes);
        e->failed += block == NULL;
        *block = bytes;
        /* acq_rel: the block's bytes go with its address */
        size_t *other =
            atomic_exchange_explicit(&e->slots[random >> 60], block, memory_order_acq_rel);
        if (other != NULL) {
            e->damaged += *other < 8 || *other > 9008;
            heap->free(heap, mine, other, *other);
        }
    }
    pb_allocator_pool.detach(heap, mine);
    return NULL;
}

static void every_lock_kind_survives_frees_from_other_threads(void **state)
{
    static const char *const kinds[] = {"fas", "dec", "ticket", "mcs", "clh", "anderson"};
    for (size_t kind = 0; kind < 6; kind++) {
        struct exchange e[EXCHANGE_THREADS];
        void *_Atomic slots[EXCHANGE_SLOTS];
        char text[32];
        snprintf(text, sizeof text, "lock=%s", kinds[kind]);
        reopen(state, text, EXCHANGE_THREADS);
        for (unsigned i = 0; i < EXCHANGE_SLOTS; i++)
            atomic_init(&slots[i], NULL);
        for (unsigned i = 0; i < EXCHANGE_THREADS; i++) {
            e[i] = (struct exchange){.index = i, .rounds = kind < 2 ? 3000 : 60, .slots = slots};
            assert_int_equal(pthread_create(&e[i].thread, NULL, exchange_run, &e[i]), 0);
        }
        for (unsigned i = 0; i < EXCHANGE_THREADS; i++) {
            assert_int_equal(pthread_join(e[i].thread, NULL), 0);
            assert_int_equal(e[i].failed + e[i].damaged, 0);
        }
        check_sound();
        for (unsigned i = 0; i < EXCHANGE_SLOTS; i++) {
            size_t *block = atomic_load_explicit(&slots[i], memory_order_relaxed); /* joined */
            if (block != NULL)
                give(block, *block);
        }
        assert_int_equal(stats().requested_bytes, 0);
        assert_int_equal(pool->TotalPages + pool->TotalBigPages, 0);
        check_sound();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(the_pool_stays_sound_wherever_the_system_refuses),
        POOL_TEST(corrupt_headers_stop_the_free),
        POOL_TEST(a_second_free_is_caught),
        POOL_TEST(the_standard_bugcheck_writes_one_line_and_aborts),
        POOL_TEST(addresses_that_the_pool_never_gave_are_refused),
        POOL_TEST(broken_list_links_are_found_before_they_are_used),
        POOL_TEST(the_checker_finds_what_is_planted),
        POOL_TEST(lock_none_is_unavailable_to_two_threads),
        POOL_TEST(every_lock_kind_survives_frees_from_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
