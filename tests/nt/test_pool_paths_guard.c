/* SPDX-License-Identifier: MIT */
/* Both paths of the strategy's calls change blocks under their pool's lock, at DISPATCH_LEVEL. A
 * page of blocks is made unwritable: the first store into it faults, and the handler sees how the
 * lock and the level are at that moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_paths.h"

#include <signal.h>
#include <sys/mman.h>

enum { LARGE = 600 };

static struct {
    const struct pb_lock *lock;
    void *page;
    volatile sig_atomic_t faults, locked, level;
} watched;

/* The page can be written to when this returns. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if (PAGE_ALIGN(info->si_addr) != watched.page || watched.faults != 0)
        _exit(1);
    watched.faults = 1;
    watched.locked = watched.lock->word.fas.value != 0;
    watched.level = pb_irql;
    (void)mprotect(watched.page, PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void watch(void)
{
    watched.faults = watched.locked = watched.level = 0;
    assert_int_equal(mprotect(watched.page, PAGE_SIZE, PROT_READ), 0);
}

static void expect_guarded(void)
{
    assert_int_equal(watched.faults, 1);
    assert_int_equal(watched.locked, 1);
    assert_int_equal(watched.level, DISPATCH_LEVEL);
    assert_int_equal(pb_irql, PASSIVE_LEVEL);
}

/* Of a page that another block keeps. */
static void cut_and_join(struct paths_heap *h)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, before;
    void *kept = paths_alloc(h, 0, LARGE);
    watched.lock = &h->space->descriptors[h->space->first].guard.lock;
    watched.page = PAGE_ALIGN(kept);
    assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
    watch();
    void *block = paths_alloc(h, 0, LARGE);
    expect_guarded();
    paths_note_block(h, block);
    assert_ptr_equal(PAGE_ALIGN(block), watched.page);
    watch();
    paths_free(h, 0, block, LARGE);
    expect_guarded();
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
    assert_int_equal(watched.lock->word.fas.value, 0);
    paths_free(h, 0, kept, LARGE);
    paths_check(h);
    paths_note_counters(h);
}

static void blocks_change_under_the_lock(void **state)
{
    (void)state;
    paths_both("", WAY_QUICK, cut_and_join);
    paths_both("lists=off,shared_lists=off", WAY_QUICK, cut_and_join);
    paths_both("link_checks=on", WAY_COMMON, cut_and_join);
    paths_both("tags=on", WAY_GENERAL, cut_and_join);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        paths_test("straight: blocks are cut and joined under their pool's lock, at its level",
                   blocks_change_under_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
