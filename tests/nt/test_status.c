/* SPDX-License-Identifier: MIT */
/* Raising and catching a status; faults of the processor inside and outside of a body; levels;
 * frames that nest and threads that have their own. Threads: one, and some. May touch: SIGSEGV's
 * action. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/nt_test.h"
#include <poolbench/nt/slist.h>
#include <poolbench/nt/status.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, THREADS = 4, ROUNDS = 300 };

typedef void routine(void *argument);

/* The status that `run` raised, STATUS_SUCCESS if it returned. */
static NTSTATUS caught(routine *run, void *argument)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    PB_TRY
    {
        run(argument);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    return status;
}

static void do_nothing(void *argument)
{
    (void)argument;
}

static void raise_it(void *argument)
{
    ExRaiseStatus(*(NTSTATUS *)argument);
}

static void raise_access_violation(void *argument)
{
    (void)argument;
    ExRaiseAccessViolation();
}

static void raise_misalignment(void *argument)
{
    (void)argument;
    ExRaiseDatatypeMisalignment();
}

static void raised_is_caught(void **state)
{
    NTSTATUS quota = STATUS_QUOTA_EXCEEDED, resources = STATUS_INSUFFICIENT_RESOURCES;
    (void)state;
    assert_int_equal(caught(do_nothing, NULL), STATUS_SUCCESS);
    assert_int_equal(caught(raise_it, &quota), STATUS_QUOTA_EXCEEDED);
    assert_int_equal(caught(raise_it, &resources), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(caught(raise_access_violation, NULL), STATUS_ACCESS_VIOLATION);
    assert_int_equal(caught(raise_misalignment, NULL), STATUS_DATATYPE_MISALIGNMENT);
}

static void bodies_nest_in_one_function(void **state)
{
    volatile int trail = 0;
    volatile NTSTATUS inner = 0, outer = 0;
    (void)state;
    PB_TRY
    {
        PB_TRY
        {
            ExRaiseStatus(STATUS_QUOTA_EXCEEDED);
        }
        PB_EXCEPT
        {
            inner = PbGetExceptionCode();
            trail = 1;
        }
        PB_END_TRY
        PB_TRY
        {
            trail = trail * 10 + 2;
        }
        PB_EXCEPT
        {
            trail = -1;
        }
        PB_END_TRY
        ExRaiseStatus(STATUS_NOT_SUPPORTED); /* caught by the outer one again */
    }
    PB_EXCEPT
    {
        outer = PbGetExceptionCode();
        trail = trail * 10 + 3;
    }
    PB_END_TRY
    assert_int_equal(inner, STATUS_QUOTA_EXCEEDED);
    assert_int_equal(outer, STATUS_NOT_SUPPORTED);
    assert_int_equal(trail, 123);
}

static void raise_in_a_handler(void *argument)
{
    (void)argument;
    PB_TRY
    {
        ExRaiseStatus(STATUS_QUOTA_EXCEEDED);
    }
    PB_EXCEPT
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    PB_END_TRY
}

static void a_handler_raises_to_the_next_frame(void **state)
{
    (void)state;
    assert_int_equal(caught(raise_in_a_handler, NULL), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(PbGetExceptionCode(), STATUS_INSUFFICIENT_RESOURCES);
}

static void raise_to_dispatch_and_fail(void *argument)
{
    (void)KeRaiseIrqlToDpcLevel();
    raise_it(argument);
}

static void the_level_is_restored(void **state)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    KIRQL before;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &before);
    assert_int_equal(caught(raise_to_dispatch_and_fail, &status), status);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(before);
}

/* Checked: raising is for APC_LEVEL and below, and said; then it is raised all the same. */
static void raising_at_dispatch(void **state)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    (void)state;
    assert_int_equal(caught(raise_to_dispatch_and_fail, &status), status);
    assert_int_equal(nt_seen.n, 1);
    assert_int_equal(nt_seen.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    nt_forget();
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static sigjmp_buf out;

static void record_and_jump(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    nt_record(code, p1, p2, p3, p4);
    siglongjmp(out, 1);
}

static void nobody_catches(void **state)
{
    (void)state;
    pb_bugcheck_hook = record_and_jump;
    if (sigsetjmp(out, 0) == 0)
        ExRaiseStatus(STATUS_QUOTA_EXCEEDED);
    pb_bugcheck_hook = nt_record;
    assert_int_equal(nt_seen.n, 1);
    assert_int_equal(nt_seen.code, KMODE_EXCEPTION_NOT_HANDLED);
    assert_int_equal(nt_seen.p[0], (ULONG)STATUS_QUOTA_EXCEEDED);
    nt_forget();
}

/* The signal that ends a child which runs `run`; 0 if none does. */
static int ends_by(routine *run, void *argument)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's would print and exit */
        (void)alarm(10);
        run(argument);
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_hook_that_returns_cannot_go_on(void **state)
{
    NTSTATUS status = STATUS_QUOTA_EXCEEDED;
    (void)state;
    assert_int_equal(ends_by(raise_it, &status), SIGABRT);
}

static void *map_pages(int protection)
{
    void *at = mmap(NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    return at;
}

static void touch(void *at)
{
    *(volatile unsigned char *)at = 1;
}

static void look(void *at)
{
    (void)*(volatile unsigned char *)at;
}

static void faults_raise(void **state)
{
    unsigned char *gone = map_pages(PROT_NONE), *constant = map_pages(PROT_READ);
    (void)state;
    if (!nt_catch_faults())
        skip_because("faults cannot be caught on this processor");
    (void)munmap(gone, PAGE);
    for (unsigned i = 0; i < 3; i++) { /* the signal is not left blocked */
        assert_int_equal(caught(look, gone), STATUS_ACCESS_VIOLATION);
        assert_int_equal(caught(touch, gone), STATUS_ACCESS_VIOLATION);
        assert_int_equal(caught(look, constant), STATUS_SUCCESS);
        assert_int_equal(caught(touch, constant), STATUS_ACCESS_VIOLATION);
    }
    (void)munmap(constant, PAGE);
}

static void copy_from(void *at)
{
    char room[64];
    memcpy(room, at, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static void faults_in_a_library_raise(void **state)
{
    unsigned char *page = map_pages(PROT_NONE);
    (void)state;
    if (!nt_catch_faults())
        skip_because("faults cannot be caught on this processor");
    assert_int_equal(caught(copy_from, page), STATUS_ACCESS_VIOLATION);
    (void)munmap(page, PAGE);
}

static void touch_at_dispatch(void *at)
{
    (void)KeRaiseIrqlToDpcLevel();
    touch(at);
}

static void look_at_dispatch(void *at)
{
    (void)KeRaiseIrqlToDpcLevel();
    look(at);
}

static void a_fault_at_dispatch_is_a_bugcheck(void **state)
{
    unsigned char *page = map_pages(PROT_NONE);
    NTSTATUS status = STATUS_SUCCESS;
    (void)state;
    if (!nt_catch_faults())
        skip_because("faults cannot be caught on this processor");
    expect_bugcheck(status = caught(touch_at_dispatch, page + 8), IRQL_NOT_LESS_OR_EQUAL, page + 8);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    assert_int_equal(nt_seen.p[2], 1); /* a write */
    assert_int_not_equal(nt_seen.p[3], 0);
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    expect_bugcheck(status = caught(look_at_dispatch, page), IRQL_NOT_LESS_OR_EQUAL, page);
    assert_int_equal(nt_seen.p[2], 0);
    (void)munmap(page, PAGE);
}

static void touch_outside(void *at)
{
    (void)caught(do_nothing, NULL); /* a body that has ended */
    touch(at);
}

static void a_fault_outside_is_passed_on(void **state)
{
    unsigned char *page = map_pages(PROT_NONE);
    (void)state;
    if (!PB_FIXUP)
        skip_because("faults cannot be caught on this processor");
    assert_int_equal(ends_by(touch_outside, page), SIGSEGV);
    (void)munmap(page, PAGE);
}

static void overflow(void *argument)
{
    volatile char room[4 * PAGE];
    room[0] = 1;
    if (room[0] == 1)
        overflow(argument);
    room[1] = 1; /* no tail call */
}

static void catch_overflow(void *argument)
{
    static char stack[16 * PAGE];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    (void)sigaltstack(&other, NULL);
    (void)caught(overflow, argument);
}

static void a_stack_that_ended_ends_the_program(void **state)
{
    (void)state;
    if (!PB_FIXUP)
        skip_because("faults cannot be caught on this processor");
    assert_int_equal(ends_by(catch_overflow, NULL), SIGSEGV);
}

/* Pops an entry that is not there any more: a fix-up's matter, inside a body as outside. */
static void pop_the_gone(void *list)
{
    (void)ExInterlockedPopEntrySList(list, NULL);
}

static struct {
    SLIST_HEADER list;
    struct sigaction ours;
    volatile sig_atomic_t faults;
} race;

static void empty_the_list(int number, siginfo_t *info, void *context)
{
    race.faults++;
    (void)ExInterlockedFlushSList(&race.list);
    race.ours.sa_sigaction(number, info, context);
}

static void a_pops_fault_does_not_raise(void **state)
{
    struct sigaction action = {.sa_sigaction = empty_the_list, .sa_flags = SA_SIGINFO};
    PSLIST_ENTRY gone = map_pages(PROT_READ | PROT_WRITE);
    (void)state;
    if (!nt_catch_faults() || !pb_slist_available())
        skip_because("faults cannot be caught, or there is no 16-byte compare-exchange");
    ExInitializeSListHead(&race.list);
    (void)caught(do_nothing, NULL); /* the handler is there */
    (void)ExInterlockedPushEntrySList(&race.list, gone, NULL);
    (void)munmap(gone, PAGE);
    (void)sigaction(SIGSEGV, &action, &race.ours);
    assert_int_equal(caught(pop_the_gone, &race.list), STATUS_SUCCESS);
    (void)sigaction(SIGSEGV, &race.ours, NULL);
    assert_int_equal(race.faults, 1);
}

struct load {
    unsigned char *page;
    BOOLEAN catches;
    unsigned raised[THREADS], faulted[THREADS], levels[THREADS];
};

static void raise_and_fault(void *shared, unsigned index)
{
    struct load *load = shared;
    for (unsigned i = 0; i < ROUNDS; i++) {
        NTSTATUS mine = STATUS_INSUFFICIENT_RESOURCES + (NTSTATUS)index;
        load->raised[index] += caught(raise_it, &mine) == mine;
        if (load->catches)
            load->faulted[index] += caught(look, load->page) == STATUS_ACCESS_VIOLATION;
        load->levels[index] += KeGetCurrentIrql();
    }
}

static void threads_have_their_own_frames(void **state)
{
    struct load load = {.page = map_pages(PROT_NONE), .catches = nt_catch_faults()};
    (void)state;
    nt_run_threads(THREADS, raise_and_fault, &load);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(load.raised[i], ROUNDS);
        assert_int_equal(load.faulted[i], load.catches ? ROUNDS : 0);
        assert_int_equal(load.levels[i], 0);
    }
    (void)munmap(load.page, PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("F: a status raised in a body is caught, with its code", raised_is_caught),
        nt_test("F: bodies nest", bodies_nest_in_one_function),
        nt_test("F: a status raised in PB_EXCEPT goes to the next frame",
                a_handler_raises_to_the_next_frame),
        nt_test_free("F: the IRQL at which the body began is restored", the_level_is_restored),
        nt_test("F: ExRaiseStatus <= APC, else IRQL_NOT_LESS_OR_EQUAL in checked mode",
                raising_at_dispatch),
        nt_test("F: nobody catches: KMODE_EXCEPTION_NOT_HANDLED", nobody_catches),
        nt_test("F: after that the program ends, if the hook returns",
                a_hook_that_returns_cannot_go_on),
        nt_test("F: a fault in a body raises STATUS_ACCESS_VIOLATION, again and again",
                faults_raise),
        nt_test("F: a fault in a C library routine raises too", faults_in_a_library_raise),
        nt_test("F: a fault at DISPATCH_LEVEL is IRQL_NOT_LESS_OR_EQUAL",
                a_fault_at_dispatch_is_a_bugcheck),
        nt_test("F: a fault outside of all bodies is passed on", a_fault_outside_is_passed_on),
        nt_test("F: a stack that ended in a body ends the program",
                a_stack_that_ended_ends_the_program),
        nt_test("D: the pop of an unmapped entry restarts in a body too",
                a_pops_fault_does_not_raise),
        nt_test("F: threads raise and fault each for itself", threads_have_their_own_frames),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
