/* SPDX-License-Identifier: MIT */
/* A kernel for perf events that a test plays: all of the hardware, counters that take turns, none
 * at all, not permitted, no descriptors, readings that fall short or wrap. For the tests of the
 * groups and of the probe. */
#ifndef PB_PERF_DOUBLE_H
#define PB_PERF_DOUBLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/perf_events.h"

#include <errno.h>
#include <string.h>

enum { FDS = 64, FIRST_FD = 100 };

/* What the kernel does. */
static struct {
    int refuse_hardware, refuse_software; /* -errno of opening such an event */
    uint64_t refuse_config;               /* of generic hardware events, this one alone: -ENOENT */
    bool refuses_config;
    unsigned descriptors; /* it has so many, then -EMFILE */
    double share;         /* of the time that a hardware group is on the counters */
    bool short_read, fails_read, turns_round, other_ids;
    uint64_t start;   /* what every count and time begins at */
    uint64_t enabled; /* of a window */
} play;

static struct {
    bool open, leads, counting;
    int leader;
    struct perf_event_attr attr;
} files[FDS];
static unsigned opened, controls, reads;

static void begin_play(void)
{
    memset(files, 0, sizeof files);
    memset(&play, 0, sizeof play);
    play.descriptors = FDS;
    play.share = 1.0;
    play.enabled = 1000000;
    opened = controls = reads = 0;
}

static int fake_open(const struct perf_event_attr *attr, int leader)
{
    bool software = attr->type == PERF_TYPE_SOFTWARE;
    int refusal = software ? play.refuse_software : play.refuse_hardware;
    assert_int_equal(attr->inherit, 0);
    assert_int_equal(attr->read_format, PERF_FORMAT_GROUP | PERF_FORMAT_ID |
                                            PERF_FORMAT_TOTAL_TIME_ENABLED |
                                            PERF_FORMAT_TOTAL_TIME_RUNNING);
    assert_int_equal(attr->disabled, leader < 0);
    if (refusal != 0)
        return refusal;
    if (!software && play.refuses_config && attr->config == play.refuse_config)
        return -ENOENT;
    if (opened >= play.descriptors)
        return -EMFILE;
    assert_true(leader < 0 || (files[leader - FIRST_FD].open && files[leader - FIRST_FD].leads));
    files[opened].open = true;
    files[opened].leads = leader < 0;
    files[opened].leader = leader < 0 ? (int)opened : leader - FIRST_FD;
    files[opened].attr = *attr;
    return FIRST_FD + (int)opened++;
}

static int fake_control(int fd, unsigned long request)
{
    assert_true(files[fd - FIRST_FD].open && files[fd - FIRST_FD].leads);
    files[fd - FIRST_FD].counting = request == PERF_EVENT_IOC_ENABLE;
    controls++;
    return 0;
}

/* A count is 1000 for each unit of config, and 7 for type 0's first: so each event is told apart.
 */
static uint64_t count_of(const struct perf_event_attr *attr)
{
    return attr->config * 1000 + attr->type * 100 + 7;
}

static bool ran; /* a window has passed since the opening */

static ssize_t fake_read(int fd, void *to, size_t size)
{
    int leader = fd - FIRST_FD;
    uint64_t raw[3 + 2 * PB_PERF_GROUP_MAX] = {0};
    double share = files[leader].attr.type == PERF_TYPE_SOFTWARE ? 1.0 : play.share;
    assert_true(files[leader].open && files[leader].leads);
    reads++;
    if (play.fails_read && ran)
        return -EIO;
    raw[1] = play.start + (ran ? play.enabled : 0);
    raw[2] = play.start + (ran ? (uint64_t)((double)play.enabled * share) : 0);
    for (unsigned k = 0; k < opened; k++) {
        unsigned i = play.turns_round && ran ? opened - 1 - k : k;
        if (files[i].open && files[i].leader == leader) {
            double seen = ran ? (double)count_of(&files[i].attr) * share : 0.0;
            raw[3 + 2 * raw[0]] = play.start + (uint64_t)seen;
            raw[4 + 2 * raw[0]++] = i + (play.other_ids && ran ? FDS : 0);
        }
    }
    size_t bytes = (3 + 2 * raw[0]) * sizeof *raw;
    assert_int_equal(size, bytes); /* as many as there are in the group */
    if (play.short_read && ran)
        bytes -= sizeof *raw;
    memcpy(to, raw, bytes);
    return (ssize_t)bytes;
}

static void fake_close(int fd)
{
    assert_true(files[fd - FIRST_FD].open);
    files[fd - FIRST_FD].open = false;
}

static const struct pb_perf_kernel fake = {fake_open, fake_control, fake_read, fake_close};

static unsigned still_open(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < FDS; i++)
        n += files[i].open;
    return n;
}

#endif
