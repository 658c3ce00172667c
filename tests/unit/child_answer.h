/* SPDX-License-Identifier: MIT */
/* For tests: one repetition in a process of its own, as under the runner, and its answer. Include
 * after cmocka. May touch: processes and pipes of its own. */
#ifndef PB_TEST_CHILD_ANSWER_H
#define PB_TEST_CHILD_ANSWER_H

#include "runner/child.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_ANSWER_MAX = 1 << 18 };

static inline size_t child_read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    ssize_t more;
    while ((more = read(fd, out + n, size - 1 - n)) > 0)
        n += (size_t)more;
    out[n] = '\0';
    return n;
}

/* `input` (taken) is what the child reads; `prepare` (may be NULL) runs in it first. Returns the
 * answer, a new reference. */
static inline json_t *child_answer(json_t *input, void (*prepare)(void *), void *context)
{
    static char answer[CHILD_ANSWER_MAX];
    int in[2], out[2], ended = 0;
    char *text = json_dumps(input, JSON_COMPACT);
    json_decref(input);
    assert_true(pipe(in) == 0 && pipe(out) == 0);
    assert_int_equal(write(in[1], text, strlen(text)), (ssize_t)strlen(text));
    free(text);
    pid_t pid = fork();
    if (pid == 0) {
        close(in[1]);
        if (prepare != NULL)
            prepare(context);
        _exit(pb_child_run(in[0], out[1]));
    }
    assert_true(pid > 0);
    close(in[0]);
    close(in[1]);
    close(out[1]);
    child_read_all(out[0], answer, sizeof answer);
    close(out[0]);
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    json_t *json = json_loads(answer, 0, NULL);
    assert_non_null(json);
    return json;
}

#endif
