/* SPDX-License-Identifier: MIT */
/* Groups of perf events over one thread's window: perf_events.h.
 * I1       between start and stop no call is made
 * I2       a count is a difference of two readings modulo 2^64, so one that wraps is right
 * Cost     some 10 us an event to open and close, 1 us a group to start and stop */
#include "engine/perf_events.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HARDWARE_GROUP = 3 };

static const double LEAST_RUNNING = 0.5;

/* --- the kernel ------------------------------------------------------------------------------- */

static int linux_open(const struct perf_event_attr *attr, int leader)
{
    long fd = syscall(SYS_perf_event_open, attr, 0, -1, leader, PERF_FLAG_FD_CLOEXEC);
    return fd >= 0 ? (int)fd : -errno;
}

static int linux_control(int fd, unsigned long request)
{
    return ioctl(fd, request, 0) == 0 ? 0 : -errno;
}

static ssize_t linux_read(int fd, void *to, size_t size)
{
    ssize_t n = read(fd, to, size);
    return n >= 0 ? n : -errno;
}

static void linux_close(int fd)
{
    close(fd);
}

const struct pb_perf_kernel pb_perf_linux = {linux_open, linux_control, linux_read, linux_close};

/* --- sets ------------------------------------------------------------------------------------- */

static bool is_software(const struct pb_perf_event *event)
{
    return event->type == PERF_TYPE_SOFTWARE;
}

int pb_perf_add(struct pb_perf_set *set, const struct pb_perf_event *event)
{
    unsigned at = set->n, members = 0;
    if (at == PB_PERF_EVENTS_MAX)
        return -E2BIG;
    unsigned group = at > 0 ? set->group[at - 1] : 0;
    for (unsigned i = 0; i < at; i++)
        members += set->group[i] == group;
    unsigned room = is_software(event) ? PB_PERF_GROUP_MAX : HARDWARE_GROUP;
    bool joins =
        at == 0 || (members < room && is_software(event) == is_software(&set->events[at - 1]));
    set->events[at] = *event;
    set->group[at] = (unsigned char)(joins ? group : group + 1);
    set->n++;
    return 0;
}

int pb_perf_to_text(const struct pb_perf_set *set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < set->n; i++) {
        const struct pb_perf_event *e = &set->events[i];
        unsigned not_in =
            (unsigned)e->no_user | (unsigned)e->no_kernel << 1 | (unsigned)e->no_hypervisor << 2;
        used += (size_t)snprintf(
            out + used, size - used, "%s%s=%" PRIu32 ":%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%u",
            i == 0 ? "" : ",", e->name, e->type, e->config, e->config1, e->config2, not_in);
        if (used >= size)
            return -ENOSPC;
    }
    return 0;
}

int pb_perf_from_text(struct pb_perf_set *set, const char *text)
{
    *set = (struct pb_perf_set){0};
    while (*text != '\0') {
        struct pb_perf_event e = {0};
        unsigned not_in;
        int length = 0;
        size_t name = strcspn(text, "=");
        if (name == 0 || name >= sizeof e.name ||
            sscanf(text + name, "=%" SCNu32 ":%" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%u%n", &e.type,
                   &e.config, &e.config1, &e.config2, &not_in, &length) != 5)
            return -EINVAL;
        memcpy(e.name, text, name);
        e.no_user = not_in & 1;
        e.no_kernel = not_in >> 1 & 1;
        e.no_hypervisor = not_in >> 2 & 1;
        text += name + (size_t)length;
        if ((*text != '\0' && *text != ',') || pb_perf_add(set, &e) != 0)
            return -EINVAL;
        text += *text == ',';
    }
    return 0;
}

/* --- one thread's window ---------------------------------------------------------------------- */

/* The first event of a group that is open; n: none is. */
static unsigned leader_of(const struct pb_perf_set *set, const struct pb_perf_counts *counts,
                          unsigned group)
{
    unsigned i = 0;
    while (i < set->n && (set->group[i] != group || counts->fd[i] < 0))
        i++;
    return i;
}

static unsigned groups_of(const struct pb_perf_set *set)
{
    return set->n > 0 ? set->group[set->n - 1] + 1u : 0;
}

static void open_one(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                     struct pb_perf_counts *counts, unsigned i)
{
    const struct pb_perf_event *e = &set->events[i];
    unsigned leader = leader_of(set, counts, set->group[i]);
    struct perf_event_attr attr = {
        .type = e->type,
        .size = sizeof attr,
        .config = e->config,
        .config1 = e->config1,
        .config2 = e->config2,
        .read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED |
                       PERF_FORMAT_TOTAL_TIME_RUNNING,
        .disabled = leader == set->n, /* the others follow their leader */
        .exclude_user = e->no_user,
        .exclude_kernel = e->no_kernel,
        .exclude_hv = e->no_hypervisor};
    int fd = kernel->open(&attr, leader < set->n ? counts->fd[leader] : -1);
    counts->fd[i] = fd >= 0 ? fd : -1;
    counts->error[i] = fd >= 0 ? 0 : fd;
}

/* A group's times, and the values and ids of its open events. */
struct reading {
    uint64_t members, enabled, running;
    struct {
        uint64_t value, id;
    } of[PB_PERF_GROUP_MAX];
};

/* Returns 0 or -errno. */
static int read_group(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                      const struct pb_perf_counts *counts, unsigned group, struct reading *reading)
{
    unsigned leader = leader_of(set, counts, group), members = 0;
    *reading = (struct reading){0};
    for (unsigned i = leader; i < set->n; i++)
        members += set->group[i] == group && counts->fd[i] >= 0;
    size_t want = offsetof(struct reading, of) + members * sizeof *reading->of;
    ssize_t got = kernel->read(counts->fd[leader], reading, want);
    if (got < 0)
        return (int)got;
    return (size_t)got == want && reading->members == members ? 0 : -EIO;
}

/* Its value of one event; false: it has none with that id. */
static bool find_value(const struct reading *reading, uint64_t id, uint64_t *value)
{
    for (uint64_t k = 0; k < reading->members; k++)
        if (reading->of[k].id == id) {
            *value = reading->of[k].value;
            return true;
        }
    return false;
}

/* What the group had counted when it was opened, and the ids: events are read in the order of their
 * opening. */
static void take_base(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                      struct pb_perf_counts *counts, unsigned group)
{
    struct reading reading;
    unsigned leader = leader_of(set, counts, group), k = 0;
    if (leader == set->n)
        return;
    int error = read_group(kernel, set, counts, group, &reading);
    counts->base_enabled[group] = reading.enabled;
    counts->base_running[group] = reading.running;
    for (unsigned i = leader; i < set->n; i++)
        if (set->group[i] == group && counts->fd[i] >= 0) {
            counts->id[i] = reading.of[k].id;
            counts->base[i] = reading.of[k++].value;
            counts->error[i] = error;
        }
}

void pb_perf_open(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                  struct pb_perf_counts *counts)
{
    counts->opened = true;
    for (unsigned i = 0; i < set->n; i++) {
        counts->fd[i] = -1;
        counts->value[i] = counts->running[i] = (double)NAN;
    }
    for (unsigned i = 0; i < set->n; i++)
        open_one(kernel, set, counts, i);
    for (unsigned group = 0; group < groups_of(set); group++)
        take_base(kernel, set, counts, group);
}

void pb_perf_start(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                   const struct pb_perf_counts *counts)
{
    for (unsigned group = 0; group < groups_of(set); group++) {
        unsigned leader = leader_of(set, counts, group);
        if (leader < set->n)
            kernel->control(counts->fd[leader], PERF_EVENT_IOC_ENABLE);
    }
}

/* One count scaled to the whole time, or why there is none. */
static void finish_one(struct pb_perf_counts *counts, unsigned i, const struct reading *reading,
                       double share)
{
    uint64_t value;
    if (!find_value(reading, counts->id[i], &value)) {
        counts->error[i] = -EIO;
        return;
    }
    counts->running[i] = share;
    if (share < LEAST_RUNNING)
        counts->error[i] = -EAGAIN;
    else
        counts->value[i] = (double)(value - counts->base[i]) / share;
}

static void finish_group(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                         struct pb_perf_counts *counts, unsigned group)
{
    struct reading reading;
    unsigned leader = leader_of(set, counts, group);
    if (leader == set->n)
        return;
    int error = counts->error[leader];
    if (error == 0)
        error = read_group(kernel, set, counts, group, &reading);
    for (unsigned i = leader; i < set->n && error != 0; i++)
        if (set->group[i] == group && counts->fd[i] >= 0)
            counts->error[i] = error;
    if (error != 0)
        return;
    uint64_t enabled = reading.enabled - counts->base_enabled[group];
    uint64_t running = reading.running - counts->base_running[group];
    double share = enabled > 0 ? (double)running / (double)enabled : 0.0;
    for (unsigned i = leader; i < set->n; i++)
        if (set->group[i] == group && counts->fd[i] >= 0)
            finish_one(counts, i, &reading, share);
}

void pb_perf_stop(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                  struct pb_perf_counts *counts)
{
    for (unsigned group = 0; group < groups_of(set); group++) {
        unsigned leader = leader_of(set, counts, group);
        if (leader < set->n)
            kernel->control(counts->fd[leader], PERF_EVENT_IOC_DISABLE);
    }
    for (unsigned group = 0; group < groups_of(set); group++)
        finish_group(kernel, set, counts, group);
    for (unsigned i = set->n; i-- > 0;) { /* a leader last */
        if (counts->fd[i] >= 0)
            kernel->close(counts->fd[i]);
        counts->fd[i] = -1;
    }
    counts->opened = false;
}

/* --- words ------------------------------------------------------------------------------------ */

static const struct reason {
    int error;
    bool always;
    const char *why;
} reasons[] = {
    {0, false, ""},
    {-EAGAIN, false, "it was on the counters for less than half of the time"},
    {-ENOENT, true, "this machine has no such counter"},
    {-ENODEV, true, "this machine has no such counter"},
    {-EOPNOTSUPP, true, "this machine has no such counter"},
    {-EINVAL, true, "the kernel does not take it, or not in this group"},
    {-EACCES, true, "not permitted: sysctl kernel.perf_event_paranoid=1, or be root"},
    {-EPERM, true, "not permitted: sysctl kernel.perf_event_paranoid=1, or a seccomp filter"},
    {-ENOSYS, true, "the kernel was built without perf events, or a seccomp filter"},
    {-EMFILE, false, "no more file descriptors: ulimit -n"},
    {-ENFILE, false, "no more file descriptors on this machine"},
    {-EBUSY, false, "somebody else has the counters"},
    {-EIO, false, "a reading fell short"},
};

static const struct reason *reason_of(int error)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].error == error)
            return &reasons[i];
    return NULL;
}

const char *pb_perf_why(int error)
{
    const struct reason *reason = reason_of(error);
    return reason != NULL ? reason->why : strerror(-error);
}

bool pb_perf_is_always(int error)
{
    const struct reason *reason = reason_of(error);
    return reason != NULL && reason->always;
}

const char *pb_perf_kind(const struct pb_perf_kernel *kernel, const struct pb_perf_set *set,
                         char *reason, size_t size)
{
    struct pb_perf_counts counts = {0};
    bool hardware = false, software = false;
    unsigned first = set->n, refused = 0;
    char more[32] = "";
    reason[0] = '\0';
    pb_perf_open(kernel, set, &counts);
    for (unsigned i = set->n; i-- > 0;) {
        bool good = counts.error[i] == 0;
        hardware |= good && !is_software(&set->events[i]);
        software |= good && is_software(&set->events[i]);
        refused += !good;
        first = good ? first : i;
    }
    if (refused > 1)
        snprintf(more, sizeof more, " and %u more", refused - 1);
    if (refused > 0)
        snprintf(reason, size, "%s%s: %s", set->events[first].name, more,
                 pb_perf_why(counts.error[first]));
    pb_perf_stop(kernel, set, &counts);
    return hardware ? "hardware" : software ? "software" : "none";
}
