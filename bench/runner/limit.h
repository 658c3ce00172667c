/* SPDX-License-Identifier: MIT */
/* The memory limit of a cell, by RLIMIT_DATA: on private memory that the process made writable,
 * resident or not. All that the harness has at work is there before the heap is opened (stacks too)
 * or is shared memory (arena.h), which does not count; so whatever comes on top from then on is the
 * strategy's, and one number, taken there, is the limit. It is off while the harness uses malloc.
 * Source:  getrlimit(2), proc_pid_status(5).
 * Threads: one. May touch: the process's RLIMIT_DATA, downwards and back. */
#ifndef PB_LIMIT_H
#define PB_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pb_limit {
    uint64_t bytes; /* that the strategy may take; 0: as many as there are */
    uint64_t users; /* the user's own RLIMIT_DATA on all of the process; UINT64_MAX: none */
    uint64_t data;  /* what RLIMIT_DATA is while it is on; 0: not taken yet */
};

/* Nothing is limited yet. */
void pb_limit_open(struct pb_limit *limit, uint64_t bytes);

/* Takes what the process has as the harness's, and puts the limit on: a user's own that is lower
 * stays. Returns 0 or -errno. */
int pb_limit_take(struct pb_limit *limit);

/* Lifts the limit, and puts it on again; nothing where there is none. */
void pb_limit_off(const struct pb_limit *limit);
void pb_limit_on(const struct pb_limit *limit);

/* Whether it is the user's own limit that counts. */
bool pb_limit_is_users(const struct pb_limit *limit);

/* Whether the limit that counts is so small that whatever goes wrong may be its doing; that, or the
 * process has come near it. */
bool pb_limit_is_small(const struct pb_limit *limit);
bool pb_limit_is_near(const struct pb_limit *limit);

/* Appends to a reason which limit counts and what to do about it; nothing where there is none. What
 * is too long is cut in the reason. */
void pb_limit_name(const struct pb_limit *limit, char *reason, size_t size);

#endif
