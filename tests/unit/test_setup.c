/* SPDX-License-Identifier: MIT */
/* A process's setup: what is drawn, that it is put in place, and that nothing of it stays resident.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/audit.h"
#include "runner/machine.h"
#include "runner/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void the_same_seed_draws_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct pb_setup one = {.seed = seed}, again = {.seed = seed};
        pb_setup_draw(&one);
        pb_setup_draw(&again);
        assert_int_equal(one.mmap_pad, again.mmap_pad);
        assert_int_equal(one.brk_pad, again.brk_pad);
    }
}

static void pads_fill_their_ranges(void **state)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), most_mmap = 0, most_brk = 0;
    uint64_t least_mmap = UINT64_MAX, least_brk = UINT64_MAX;
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct pb_setup s = {.seed = seed};
        pb_setup_draw(&s);
        assert_true(s.mmap_pad % page == 0 && s.brk_pad % 16 == 0);
        most_mmap = s.mmap_pad > most_mmap ? s.mmap_pad : most_mmap;
        least_mmap = s.mmap_pad < least_mmap ? s.mmap_pad : least_mmap;
        most_brk = s.brk_pad > most_brk ? s.brk_pad : most_brk;
        least_brk = s.brk_pad < least_brk ? s.brk_pad : least_brk;
    }
    assert_true(most_mmap <= 256 * page && most_mmap >= 254 * page && least_mmap <= 2 * page);
    assert_true(most_brk <= 65536 && most_brk >= 65000 && least_brk <= 500);
}

/* The kernel counts resident pages on each processor first, 32 or more of them. */
enum { COUNTED_LATE = 512 << 10 };

static void pads_move_the_break_and_leave_nothing_resident(void **state)
{
    struct pb_setup s = {.mmap_pad = 256 * (uint64_t)sysconf(_SC_PAGESIZE), .brk_pad = 65536};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    s.aslr = true;
    struct pb_setup none = {0};
    pb_setup_apply(&none); /* whatever reading the machine takes */
    uint64_t before = pb_resident_bytes();
    char *end = sbrk(0);
    pb_setup_apply(&s);
    assert_int_equal(s.brk_pad, 65536);
    assert_ptr_equal(sbrk(0), end + 65536);
    assert_int_equal(s.mmap_pad, 256 * (uint64_t)sysconf(_SC_PAGESIZE));
    assert_true(pb_resident_bytes() <= before + COUNTED_LATE);
}

static void what_the_system_refuses_is_not_there(void **state)
{
    struct pb_setup s = {.mmap_pad = (uint64_t)1 << 62, .brk_pad = (uint64_t)1 << 46};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer ends the program where memory is refused");
    pb_setup_apply(&s);
    assert_int_equal(s.mmap_pad, 0);
    assert_int_equal(s.brk_pad, 0);
    assert_int_equal(pb_setup_pretouch((uint64_t)1 << 62), 0);
}

static long faults_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* Planted: memory that is touched and kept. */
static void pretouched_memory_is_touched_and_given_back(void **state)
{
    enum { BYTES = 8 << 20 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    uint64_t before = pb_resident_bytes();
    long faults = faults_now();
    assert_int_equal(pb_setup_pretouch(BYTES + 1), BYTES);
    assert_true(faults_now() - faults >= 1); /* one at the least: pages may be huge */
    assert_true(pb_resident_bytes() <= before + COUNTED_LATE);
    assert_int_equal(pb_setup_pretouch(page - 1), 0);
    volatile unsigned char *kept = test_malloc(BYTES);
    for (size_t i = 0; i < BYTES; i += page)
        kept[i] = 1;
    assert_true(pb_resident_bytes() >= before + BYTES / 2);
    test_free((void *)(uintptr_t)kept);
}

static void write_below(const char *root, const char *path, const char *text)
{
    char whole[300];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
        *at = '\0';
        mkdir(whole, 0755);
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A quarter of the least of what the machine and the cgroups have. */
static void what_can_be_spared_is_a_quarter_of_what_there_is(void **state)
{
    char root[] = "/tmp/poolbench-setup-XXXXXX", command[80];
    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(pb_setup_spare(root), 0);
    write_below(root, "/proc/meminfo", "MemTotal: 9999 kB\nMemAvailable:    4096 kB\n");
    assert_int_equal(pb_setup_spare(root), 1 << 20);
    write_below(root, "/proc/self/cgroup", "0::/a/b\n");
    write_below(root, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(pb_setup_spare(root), 1 << 20);
    write_below(root, "/sys/fs/cgroup/a/memory.max", "2097152\n");
    assert_int_equal(pb_setup_spare(root), 512 << 10);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_draws_the_same),
        cmocka_unit_test(pads_fill_their_ranges),
        cmocka_unit_test(pads_move_the_break_and_leave_nothing_resident),
        cmocka_unit_test(what_the_system_refuses_is_not_there),
        cmocka_unit_test(what_can_be_spared_is_a_quarter_of_what_there_is),
        cmocka_unit_test(pretouched_memory_is_touched_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
