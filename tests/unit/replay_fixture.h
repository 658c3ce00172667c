/* SPDX-License-Identifier: MIT */
/* What the tests of the workload `trace` share: one heap, one play, and a replay of a file by them.
 */
#ifndef PB_TEST_REPLAY_FIXTURE_H
#define PB_TEST_REPLAY_FIXTURE_H

#include "trace_text.h"
#include "workload_play.h"

static struct play_heap heap;
static struct play play;

/* Replays one phase; the play stays open for the caller to look at and close. */
static inline struct play_outcome replay(const char *path, uint32_t window, double scale,
                                         enum pb_phase phase, bool segmented)
{
    char options[200];
    struct play_outcome out;

    snprintf(options, sizeof(options), "file=%s,window=%u", path, window);
    play_open(&play, "trace", options, 0, 1, scale);
    assert_int_equal(play.error, 0);
    assert_in_range(play.c.workers, 1, PLAY_WORKERS);
    out = play_phase(&play, &heap, phase, segmented);
    return out;
}

#endif
