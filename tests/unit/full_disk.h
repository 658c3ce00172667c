/* SPDX-License-Identifier: MIT */
/* A full disk, played by a limit on the size of files. Include after cmocka. */
#ifndef PB_TEST_FULL_DISK_H
#define PB_TEST_FULL_DISK_H

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

/* Files have room for `bytes` from here on. Returns what the limit was, for setrlimit to restore. */
static inline struct rlimit limit_files(size_t bytes)
{
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

#endif
