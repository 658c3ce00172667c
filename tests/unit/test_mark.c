/* SPDX-License-Identifier: MIT */
/* Marks: threads that are disturbed on purpose, and threads that are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/mark.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 200, QUIET_TIMES = 20000 };

static void doze(void)
{
    struct timespec nap = {0, 50 * 1000};
    nanosleep(&nap, NULL);
}

static void on_signal(int number)
{
    (void)number;
}

static void signal_self(void)
{
    raise(SIGUSR1);
}

/* To another processor and back; each is a switch to the thread that moves it. */
static void move(void)
{
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (size_t i = 0, here = (size_t)sched_getcpu(); i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && i != here) {
            CPU_SET(i, &one);
            break;
        }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

/* How often the mark tells `disturb`, of TIMES; by rseq, by what getrusage counts, by either. */
struct told {
    unsigned rseq, switches, either;
};

static struct told tell(void (*disturb)(void))
{
    struct told told = {0};
    struct pb_mark mark;
    pb_mark_begin(&mark, PB_MARK_RSEQ);
    for (unsigned i = 0; i < TIMES; i++) {
        pb_mark_set(&mark);
        disturb();
        bool hit = pb_mark_is_hit(&mark), switched = pb_mark_has_switched(&mark);
        told.rseq += hit;
        told.switches += switched;
        told.either += hit || switched;
    }
    pb_mark_end(&mark);
    return told;
}

static void need_rseq(void)
{
    if (pb_mark_best() != PB_MARK_RSEQ)
        skip_because("the C library has not registered an rseq area");
}

static void a_signal_is_marked(void **state)
{
    (void)state;
    need_rseq();
    signal(SIGUSR1, on_signal);
    assert_int_equal(tell(signal_self).rseq, TIMES);
}

/* Kernels that look at the area only behind interrupts leave a sleeper to getrusage. */
static void a_sleep_is_marked(void **state)
{
    (void)state;
    need_rseq();
    struct told told = tell(doze);
    assert_int_equal(told.switches, TIMES);
    assert_int_equal(told.either, TIMES);
}

static void a_migration_is_marked(void **state)
{
    cpu_set_t all;
    (void)state;
    need_rseq();
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2)
        skip_because("there is one processor");
    assert_int_equal(tell(move).either, TIMES);
}

static volatile unsigned counted;

static void count(void)
{
    counted++;
}

/* Not all: the machine may take the processor away at any time. */
static void who_is_left_alone_is_mostly_not_marked(void **state)
{
    struct pb_mark mark;
    unsigned hits = 0;
    (void)state;
    need_rseq();
    pb_mark_begin(&mark, PB_MARK_RSEQ);
    for (unsigned i = 0; i < QUIET_TIMES; i++) {
        pb_mark_set(&mark);
        count();
        hits += pb_mark_is_hit(&mark);
    }
    pb_mark_end(&mark);
    assert_true(hits < QUIET_TIMES / 10);
}

/* It is the strategy's own cost. Not all: the machine may take the processor away at any time. */
static void a_page_fault_is_no_switch(void **state)
{
    struct pb_mark mark;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned switched = 0;
    (void)state;
    volatile unsigned char *at =
        mmap(NULL, TIMES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    pb_mark_begin(&mark, PB_MARK_SWITCHES);
    for (size_t i = 0; i < TIMES; i++) {
        at[i * page] = 1;
        switched += pb_mark_has_switched(&mark);
    }
    assert_true(switched < TIMES / 2);
    pb_mark_end(&mark);
    munmap((void *)(uintptr_t)at, TIMES * page);
}

static void without_an_area_nothing_is_hit(void **state)
{
    struct pb_mark mark;
    (void)state;
    pb_mark_begin(&mark, PB_MARK_SWITCHES);
    assert_null(mark.area);
    pb_mark_set(&mark);
    doze();
    assert_false(pb_mark_is_hit(&mark));
    assert_true(pb_mark_has_switched(&mark));
    pb_mark_end(&mark);
    assert_string_equal(pb_mark_names[PB_MARK_SWITCHES], "switches");
    assert_string_equal(pb_mark_names[PB_MARK_RSEQ], "rseq");
    assert_null(pb_mark_names[PB_MARK_WAYS]);
}

static void the_area_is_left_as_it_was(void **state)
{
    struct pb_mark mark;
    (void)state;
    need_rseq();
    pb_mark_begin(&mark, PB_MARK_RSEQ);
    volatile uint64_t *area = mark.area;
    pb_mark_set(&mark);
    pb_mark_end(&mark);
    assert_int_equal(*area, 0);
    assert_null(mark.area);
}

/* The C library's own switch (glibc.pthread.rseq): this program again, which then finds no area. */
static void a_library_told_not_to_register_leaves_switches(void **state)
{
    int status = 0;
    (void)state;
    need_rseq();
    pid_t pid = fork();
    if (pid == 0) {
        setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
        execl("/proc/self/exe", "test_mark", "--best", (char *)NULL);
        _exit(126);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PB_MARK_SWITCHES);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_marked),
        cmocka_unit_test(a_sleep_is_marked),
        cmocka_unit_test(a_migration_is_marked),
        cmocka_unit_test(who_is_left_alone_is_mostly_not_marked),
        cmocka_unit_test(a_page_fault_is_no_switch),
        cmocka_unit_test(without_an_area_nothing_is_hit),
        cmocka_unit_test(the_area_is_left_as_it_was),
        cmocka_unit_test(a_library_told_not_to_register_leaves_switches),
    };
    if (argc > 1 && strcmp(argv[1], "--best") == 0)
        return (int)pb_mark_best();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
