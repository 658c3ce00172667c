/* SPDX-License-Identifier: MIT */
/* One child process: started in a process group of its own, given a text on its standard input,
 * watched until it ends. Its answer is the last line of its standard output. Whatever becomes of it
 * is an outcome, never an error of ours. Source: posix_spawn(3), pidfd_open(2), signalfd(2).
 * Threads: one child at a time. May touch: processes that it started, by their id. */
#ifndef PB_SPAWN_H
#define PB_SPAWN_H

#include "runner/cell.h"

#include <sys/types.h>

/* SIGINT, SIGTERM and SIGHUP, taken through a descriptor. The first asks for an end after the child
 * that is running, the second ends it at once. */
struct pb_interrupts {
    int fd; /* -1: none are taken */
    unsigned count;
};

/* Blocks the signals and opens the descriptor. Returns 0 or -errno. */
int pb_interrupts_open(struct pb_interrupts *interrupts);
void pb_interrupts_close(struct pb_interrupts *interrupts);

/* Reads what has come; returns the count so far. */
unsigned pb_interrupts_take(struct pb_interrupts *interrupts);

struct pb_child {
    const char *program;
    const char *const *argv; /* NULL-terminated */
    const char *input;       /* for its standard input */
    const char *preload;     /* LD_PRELOAD, or NULL for none */
    const char *poolmon;     /* PB_POOLMON, or NULL for none */
    const char *label;       /* PB_POOLMON_LABEL where there is a poolmon, or NULL */
    size_t padding;          /* bytes of environment that move its stack (methodology R5) */
    double timeout;          /* seconds */
    struct pb_interrupts *interrupts; /* or NULL */
};

struct pb_outcome {
    enum pb_status
        status;       /* PB_OK: it ended well and left an answer; else crashed, timeout, failed */
    char reason[256]; /* one line, "" when ok */
    char *answer;     /* its last line, malloc'ed; NULL if there is none */
    pid_t pid;
};

/* Runs a child to its end. Returns 0; -EINTR if a second interrupt ended it (there is no outcome
 * then); -errno if it cannot be started or watched, or how it ended is not known. The caller frees
 * outcome->answer. SIGCHLD has its default meaning meanwhile. */
int pb_spawn(const struct pb_child *child, struct pb_outcome *outcome);

/* Whether the kernel places what a child maps at random (methodology R5). */
bool pb_spawn_randomizes(void);

/* Whether a child is started without this entry, "NAME=value", of our environment: it would change
 * what is measured. */
bool pb_spawn_drops(const char *entry);

#endif
