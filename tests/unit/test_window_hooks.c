/* SPDX-License-Identifier: MIT */
/* Hooks of a window, one within the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "window_script.h"

/* The order of two hooks' calls on a worker; the outer one keeps it at its end. */
static _Thread_local char calls[8];
static _Thread_local unsigned calls_n;

#define NOTES(name, what)                                                                          \
    static void name(void *state)                                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        calls[calls_n++] = what;                                                                   \
    }
NOTES(outer_ready, 'R')
NOTES(inner_ready, 'r')
NOTES(outer_before, 'B')
NOTES(inner_before, 'b')
NOTES(inner_after, 'a')

static void outer_after(void *state)
{
    calls[calls_n++] = 'A';
    memcpy(state, calls, sizeof calls);
}

static void hooks_nest(void **state)
{
    static const struct pb_hook nested[] = {
        {.ready = outer_ready, .before = outer_before, .after = outer_after, .state_bytes = 8},
        {.ready = inner_ready, .before = inner_before, .after = inner_after},
    };
    struct pb_session session = {.hooks = nested, .hooks_n = 2};
    (void)state;
    open_session(&session, WORKERS);
    pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_memory_equal((const char *)session.hook_states[PB_PHASE_RATE][0] + i * 8, "RrBbaA",
                            6);
    close_session(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hooks_nest)};
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
