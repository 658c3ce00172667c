/* SPDX-License-Identifier: MIT */
/* R10: the harness's memory never comes from the allocator under test and is touched beforehand: no
 * worker calls malloc between the edges of a window, whatever it runs, and a run of null leaves as
 * many pages resident as there were. malloc is this program's own, which counts each thread's
 * calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cell_window.h"
#include "skip.h"

#include "runner/machine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { PAGE = 4096 };

static _Thread_local uint64_t own_calls;
static _Thread_local long own_faults;
static atomic_uint windows, calls, faults; /* of all workers; relaxed: read behind their end */

/* A sanitizer has a malloc of its own. */
#ifndef PB_COUNTS_CALLS
#define PB_COUNTS_CALLS 0
#endif
#if PB_COUNTS_CALLS
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void __libc_free(void *block);

void *malloc(size_t bytes)
{
    own_calls++;
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    own_calls++;
    return __libc_calloc(n, bytes);
}

void *realloc(void *block, size_t bytes)
{
    own_calls++;
    return __libc_realloc(block, bytes);
}

void free(void *block)
{
    own_calls++;
    __libc_free(block);
}
#endif

static long faults_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

static void before(void *state)
{
    (void)state;
    own_faults = faults_now();
    own_calls = 0;
}

static void after(void *state)
{
    uint64_t called = own_calls;
    (void)state;
    atomic_fetch_add_explicit(&calls, (unsigned)called, memory_order_relaxed);
    atomic_fetch_add_explicit(&faults, (unsigned)(faults_now() - own_faults), memory_order_relaxed);
    atomic_fetch_add_explicit(&windows, 1, memory_order_relaxed);
}

static void run_counted(const char *variant, const char *workload, unsigned threads,
                        const char *arrival, void (*plant)(void))
{
    windows = calls = faults = 0;
    run_between(variant, workload, threads, arrival, before, after, plant);
    assert_int_equal(windows, (strcmp(arrival, "closed") == 0 ? 3 : 2) * threads);
}

static void no_worker_calls_malloc_in_a_window(void **state)
{
    static const struct {
        const char *variant, *workload;
    } cells[] = {{"null", "pair"},    {"null", "larson"}, {"pool", "larson"},
                 {"pool", "handoff"}, {"zone", "batch"},  {"lookaside", "pair"}};
    (void)state;
    if (!PB_COUNTS_CALLS)
        skip_because("this build's malloc is not the C library's");
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        run_counted(cells[i].variant, cells[i].workload, 2, "closed", NULL);
        if (calls != 0)
            fail_msg("%s on %s: %u calls of malloc", cells[i].workload, cells[i].variant, calls);
    }
    run_counted("pool", "pair", 2, "fixed:200000", NULL);
    assert_int_equal(calls, 0);
}

static void call_malloc(void)
{
    free(malloc(100));
}

static void a_planted_call_of_malloc_is_found(void **state)
{
    (void)state;
    if (!PB_COUNTS_CALLS)
        skip_because("this build's malloc is not the C library's");
    run_counted("null", "pair", 1, "closed", call_malloc);
    assert_int_equal(calls, 2); /* of the window RATE */
}

/* A page that becomes resident is a fault. */
static void a_run_of_null_makes_no_page_resident(void **state)
{
    static const char *const workloads[] = {"pair", "batch", "larson"};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    for (size_t w = 0; w < sizeof workloads / sizeof *workloads; w++) {
        run_counted("null", workloads[w], 1, "closed", NULL);
        if (faults != 0)
            fail_msg("%s: %u pages", workloads[w], faults);
    }
}

static void touch_a_page(void)
{
    volatile char *page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    page[0] = 1;
    munmap((void *)(uintptr_t)page, PAGE);
}

static void a_planted_page_is_found(void **state)
{
    (void)state;
    run_counted("null", "pair", 1, "closed", touch_a_page);
    assert_true(faults >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_worker_calls_malloc_in_a_window),
        cmocka_unit_test(a_planted_call_of_malloc_is_found),
        cmocka_unit_test(a_run_of_null_makes_no_page_resident),
        cmocka_unit_test(a_planted_page_is_found),
    };
    return cmocka_run_group_tests(tests, load_topology, free_topology);
}
