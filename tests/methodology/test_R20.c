/* SPDX-License-Identifier: MIT */
/* R20: no window of the rate or of the latency pass reads a file: what the kernel counts of each
 * worker's reads (syscr of /proc/thread-self/io) is between its edges what looking at it costs, and
 * no more. Memory is told from the audit, a pass of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cell_window.h"
#include "skip.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Thread_local long own_reads;
static atomic_uint windows, reads; /* of all workers; relaxed: read behind their end */

/* Reads that the calling thread has made; -1 where the kernel does not say. */
static long reads_now(void)
{
    char text[512];
    int fd = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, "syscr:");
    long found = -1;
    return at != NULL && sscanf(at, "syscr: %ld", &found) == 1 ? found : -1;
}

static void before(void *state)
{
    (void)state;
    own_reads = reads_now();
}

static void after(void *state)
{
    long more = reads_now() - own_reads - 1; /* the look before is one */
    (void)state;
    atomic_fetch_add_explicit(&reads, (unsigned)more, memory_order_relaxed);
    atomic_fetch_add_explicit(&windows, 1, memory_order_relaxed);
}

static void run_counted(const char *variant, const char *workload, unsigned threads,
                        const char *arrival, void (*plant)(void))
{
    windows = reads = 0;
    run_between(variant, workload, threads, arrival, before, after, plant);
    assert_int_equal(windows, (strcmp(arrival, "closed") == 0 ? 3 : 2) * threads);
}

static void need_counts(void)
{
    long first = reads_now();
    if (first < 0)
        skip_because("the kernel does not count a thread's reads");
    assert_int_equal(reads_now() - first, 1);
}

static void no_window_reads_a_file(void **state)
{
    static const char *const workloads[] = {"pair", "batch", "larson", "handoff"};
    (void)state;
    need_counts();
    for (size_t w = 0; w < sizeof workloads / sizeof *workloads; w++) {
        run_counted("pool", workloads[w], 2, "closed", NULL);
        if (reads != 0)
            fail_msg("%s: %u reads", workloads[w], reads);
    }
    run_counted("pool", "pair", 2, "fixed:200000", NULL);
    assert_int_equal(reads, 0);
}

static void read_procfs(void)
{
    char text[64];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (read(fd, text, sizeof text) < 0)
        text[0] = '\0';
    close(fd);
}

static void a_planted_read_of_procfs_is_found(void **state)
{
    (void)state;
    need_counts();
    run_counted("pool", "pair", 1, "closed", read_procfs);
    assert_int_equal(reads, 1); /* in the window RATE */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_reads_a_file),
        cmocka_unit_test(a_planted_read_of_procfs_is_found),
    };
    return cmocka_run_group_tests(tests, load_topology, free_topology);
}
