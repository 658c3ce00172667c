/* SPDX-License-Identifier: MIT */
/* fixup.h: whom a fault is passed on to, also while somebody installs again, and what a processor
 * without fix-ups says. The fix-up itself is in test_slist.c.
 * Threads: one, and three that fault. May touch: SIGSEGV's action. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/fixup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

enum { THREADS = 3, FAULTS = 2000, TURNS = 2000 };

static _Atomic unsigned plain_calls, informed_calls, wrong;

static void plain(int number)
{
    plain_calls++;
    wrong += number != SIGSEGV;
}

static void informed(int number, siginfo_t *info, void *context)
{
    informed_calls++;
    wrong += number != SIGSEGV || info == NULL || info->si_signo != SIGSEGV || context == NULL;
}

/* Puts a handler of one kind or the other there, and ours in front. */
static int install_over(unsigned which)
{
    struct sigaction action = {.sa_handler = plain};
    if (which % 2 != 0) {
        action.sa_sigaction = informed;
        action.sa_flags = SA_SIGINFO;
    }
    return sigaction(SIGSEGV, &action, NULL) != 0 ? -errno : pb_fixup_install();
}

static void a_handler_of_either_kind_is_called_as_it_was_put_there(void **state)
{
    struct sigaction was;
    (void)state;
    if (!pb_fixup_present())
        skip_because("faulting loads have no fix-up on this processor");
    (void)sigaction(SIGSEGV, NULL, &was);
    plain_calls = informed_calls = wrong = 0;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(install_over(i), 0);
        assert_int_equal(pb_fixup_install(), 0); /* in front already: what is behind stays */
        (void)raise(SIGSEGV);
        assert_int_equal(plain_calls + informed_calls, i + 1);
        assert_int_equal(informed_calls, (i + 1) / 2);
    }
    assert_int_equal(wrong, 0);
    (void)sigaction(SIGSEGV, &was, NULL);
}

static void *fault(void *argument)
{
    for (unsigned i = 0; i < FAULTS; i++)
        (void)raise(SIGSEGV);
    return argument;
}

/* That no mix of two actions is called is for the race detector to see; that none is lost, for all.
 */
static void faults_are_passed_on_while_it_is_installed_again(void **state)
{
    struct sigaction was;
    pthread_t threads[THREADS];
    unsigned refused = 0;
    (void)state;
    if (!pb_fixup_present())
        skip_because("faulting loads have no fix-up on this processor");
    (void)sigaction(SIGSEGV, NULL, &was);
    plain_calls = informed_calls = wrong = 0;
    assert_int_equal(install_over(0), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fault, NULL), 0);
    for (unsigned i = 1; i < TURNS; i++)
        refused += install_over(i) != 0;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(refused, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(plain_calls + informed_calls, THREADS * FAULTS);
    (void)sigaction(SIGSEGV, &was, NULL);
}

static void where_there_is_no_fix_up_it_is_refused(void **state)
{
    (void)state;
    atomic_store(&pb_fixup_refused, true);
    bool present = pb_fixup_present();
    int error = pb_fixup_install();
    atomic_store(&pb_fixup_refused, false);
    assert_false(present);
    assert_int_equal(error, -ENOTSUP);
    assert_int_equal(pb_fixup_install(), pb_fixup_present() ? 0 : -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_of_either_kind_is_called_as_it_was_put_there),
        cmocka_unit_test(faults_are_passed_on_while_it_is_installed_again),
        cmocka_unit_test(where_there_is_no_fix_up_it_is_refused),
    };
    return cmocka_run_group_tests_name("fixup", tests, NULL, NULL);
}
