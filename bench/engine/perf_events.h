/* SPDX-License-Identifier: MIT */
/* The processor's counters, and the kernel's, over one thread's window: small groups of events,
 * opened by the thread for itself, enabled and read at the window's edges alone.
 * Source:  perf_event_open(2); methodology 5(d): pid 0, cpu -1, inherit 0, at most three events of
 *          the hardware a group, read as GROUP|ID|TOTAL_TIME_ENABLED|TOTAL_TIME_RUNNING, a count
 *          scaled by enabled/running and refused where running is less than half of it.
 * Threads: names and sets, one; what is a worker's, that worker alone. May touch: the kernel,
 *          through a table of four calls that a test can put itself in the place of. */
#ifndef PB_PERF_EVENTS_H
#define PB_PERF_EVENTS_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PB_PERF_EVENTS_MAX = 16,
    PB_PERF_GROUP_MAX = 4, /* of the hardware three: more would have to take turns */
    PB_PERF_NAME_MAX = 64,
    PB_PERF_TEXT_MAX = 2048
};

/* What the kernel does for us. Each returns as the call does, but -errno for an error. */
struct pb_perf_kernel {
    int (*open)(const struct perf_event_attr *attr, int leader); /* of the calling thread */
    int (*control)(int fd, unsigned long request);
    ssize_t (*read)(int fd, void *to, size_t size);
    void (*close)(int fd);
};
extern const struct pb_perf_kernel pb_perf_linux;

struct pb_perf_event {
    char name[PB_PERF_NAME_MAX]; /* as asked for */
    uint32_t type;
    uint64_t config, config1, config2;
    bool no_user, no_kernel, no_hypervisor; /* not counted there */
};

struct pb_perf_set {
    unsigned n;
    struct pb_perf_event events[PB_PERF_EVENTS_MAX];
    unsigned char group[PB_PERF_EVENTS_MAX]; /* rising from 0 */
};

/* One thread's window. Zeroed: nothing is open. */
struct pb_perf_counts {
    bool opened;
    int fd[PB_PERF_EVENTS_MAX];
    uint64_t id[PB_PERF_EVENTS_MAX], base[PB_PERF_EVENTS_MAX];
    uint64_t base_enabled[PB_PERF_EVENTS_MAX], base_running[PB_PERF_EVENTS_MAX]; /* by group */
    int error[PB_PERF_EVENTS_MAX];      /* 0, or why there is no value: -errno; -EAGAIN: on the
                                           counters for less than half of the time */
    double value[PB_PERF_EVENTS_MAX];   /* NAN where there is an error */
    double running[PB_PERF_EVENTS_MAX]; /* share of the time on the counters; NAN: not known */
};

/* Appends an event and gives it a group. Returns 0 or -E2BIG. */
int pb_perf_add(struct pb_perf_set *set, const struct pb_perf_event *event);

/* A set as a text that crosses to a child, and back: "cycles=0:0:0:0:6,...". Return 0; -ENOSPC;
 * -EINVAL. "" is the empty set. */
int pb_perf_to_text(const struct pb_perf_set *set, char *out, size_t size);
int pb_perf_from_text(struct pb_perf_set *set, const char *text);

/* Opens every event for the calling thread, still. What cannot be opened has its error; the rest
 * counts. */
void pb_perf_open(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                  struct pb_perf_counts *counts);

/* The window's edges, on the same thread: start as the last thing before it, stop as the first
 * behind it. */
void pb_perf_start(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                   const struct pb_perf_counts *counts);
void pb_perf_stop(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                  struct pb_perf_counts *counts);

/* Why there is no value, as a clause: "this machine has no such counter". */
const char *pb_perf_why(int error);

/* Whether that is so on this machine every time, and so is said once, in a run's header. */
bool pb_perf_is_always(int error);

/* What of a set can be opened here: "hardware", "software" (only events that the kernel counts) or
 * "none". `reason` gets the first event that cannot, how many more, and why; "" if all can. */
const char *pb_perf_kind(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                         char *reason, size_t size);

/* The set that a list names: "off", "default", or event names of libpfm4 with commas (perf list has
 * many of them; `:u` and `:k` behind one say where it counts, else hardware counts in user mode).
 * Returns 0, or -EINVAL with one line. Allocates: never in a cell's child. */
int pb_perf_parse(const char *list, struct pb_perf_set *set, char *message, size_t message_size);

#endif
