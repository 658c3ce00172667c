/* SPDX-License-Identifier: MIT */
/* For tests of what is written to standard error. Include after cmocka. */
#ifndef PB_TEST_TOLD_H
#define PB_TEST_TOLD_H

#include <stdio.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096 };

/* What `call` writes to standard error. */
static inline void captured(void (*call)(void), char *text)
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    call();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    ssize_t bytes = pread(fileno(file), text, TEXT_BYTES - 1, 0);
    text[bytes > 0 ? bytes : 0] = '\0';
    fclose(file);
}

#endif
