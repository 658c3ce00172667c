/* SPDX-License-Identifier: MIT */
/* For tests of locked pages and of what a process without rights gets: memory of several kinds,
 * what the system says is locked, and children. Include after cmocka. */
#ifndef PB_TEST_MM_H
#define PB_TEST_MM_H

#include "nt/fixup.h"

#include <poolbench/nt/page.h>

#include <linux/capability.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka puts its handlers over ours at the start of each test: ours go in front again. */
static inline void mm_catch_faults(void)
{
    assert_int_equal(pb_fixup_install(), 0);
}

/* KiB of the process that mlock holds; -1 if it cannot be known. */
static inline long mm_locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmLck: %ld", &kib) == 1)
            break;
    if (file != NULL)
        (void)fclose(file);
    return kib;
}

/* Whether mlock takes these many bytes here. */
static inline int mm_can_lock(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int can = at != MAP_FAILED && syscall(SYS_mlock, at, bytes) == 0;
    if (at != MAP_FAILED)
        (void)munmap(at, bytes);
    return can;
}

static inline unsigned char *mm_private(size_t pages, int rights)
{
    void *at = mmap(NULL, pages * PAGE_SIZE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    return at;
}

/* A shared mapping of a memfd. */
static inline unsigned char *mm_shared(size_t pages)
{
    int file = memfd_create("mdl", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)(pages * PAGE_SIZE)), 0);
    void *at = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(at != MAP_FAILED);
    (void)close(file);
    return at;
}

static inline void mm_unmap(void *at, size_t pages)
{
    assert_int_equal(munmap(at, pages * PAGE_SIZE), 0);
}

/* What `run` returns in a child (below 100), or 100 + the signal that ended it. */
static inline int mm_in_child(int (*run)(void))
{
    int status;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* Takes every capability away from the process and limits what it may lock; 0 or -1. */
static inline int mm_drop_rights(size_t lock_bytes)
{
    struct rlimit limit = {lock_bytes, lock_bytes};
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && syscall(SYS_capset, &head, none) == 0 ? 0 : -1;
}

#endif
