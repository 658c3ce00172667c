/* SPDX-License-Identifier: MIT */
/* For tests: the system of pages.h with a call that it refuses. Include after cmocka. One thread.
 */
#ifndef PB_TEST_REFUSE_H
#define PB_TEST_REFUSE_H

#include "nt/pages.h"

#include <errno.h>
#include <stdbool.h>

static struct {
    unsigned calls;   /* of reserve and commit so far */
    unsigned refuse;  /* the one refused, counted from 1; 0: none */
    bool onward;      /* and every one after it */
    size_t largest;   /* reservations above this are refused; 0: none are */
    size_t reserved;  /* bytes reserved and not given back */
    size_t asked[64]; /* the reservations asked for, in order */
    unsigned asked_count;
} refuse_state;

static inline bool refuse_call(void)
{
    unsigned call = ++refuse_state.calls;
    return refuse_state.refuse != 0 &&
           (call == refuse_state.refuse || (refuse_state.onward && call > refuse_state.refuse));
}

static inline void *refuse_reserve(size_t bytes)
{
    if (refuse_state.asked_count < 64)
        refuse_state.asked[refuse_state.asked_count++] = bytes;
    if (refuse_call() || (refuse_state.largest != 0 && bytes > refuse_state.largest))
        return NULL;
    void *at = pb_pages_linux.reserve(bytes);
    refuse_state.reserved += at != NULL ? bytes : 0;
    return at;
}

static inline int refuse_commit(void *at, size_t bytes)
{
    return refuse_call() ? -ENOMEM : pb_pages_linux.commit(at, bytes);
}

static inline int refuse_release(void *at, size_t bytes)
{
    return pb_pages_linux.release(at, bytes);
}

static inline void refuse_unreserve(void *at, size_t bytes)
{
    refuse_state.reserved -= bytes;
    pb_pages_linux.unreserve(at, bytes);
}

/* Counts calls anew and refuses the n-th of them (0: none), and all after it if `onward`. */
static inline void refuse_nth(unsigned n, bool onward)
{
    refuse_state.calls = 0;
    refuse_state.refuse = n;
    refuse_state.onward = onward;
    refuse_state.asked_count = 0;
}

static inline int refuse_install(void **state)
{
    static const struct pb_pages_system refusing = {refuse_reserve, refuse_commit, refuse_release,
                                                    refuse_unreserve};
    (void)state;
    refuse_nth(0, false);
    refuse_state.largest = 0;
    refuse_state.reserved = 0;
    pb_pages_system = &refusing;
    return 0;
}

static inline int refuse_remove(void **state)
{
    (void)state;
    pb_pages_system = &pb_pages_linux;
    return 0;
}

#endif
