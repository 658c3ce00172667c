/* SPDX-License-Identifier: MIT */
/* Names of events to what the kernel is asked for, by libpfm4: perf_events.h. The runner does this;
 * a cell's child is given numbers, so that the library allocates nothing there.
 * Source:  libpfm 4.13, pfm_get_os_event_encoding(3). */
#include "engine/perf_events.h"

#include <errno.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <string.h>

/* Small groups of what most processors count, then what every kernel does. */
static const char standard[] = "cycles,instructions,branch-misses,"
                               "L1-dcache-load-misses,LLC-load-misses,dTLB-load-misses,"
                               "cache-references,cache-misses,"
                               "task-clock,context-switches,cpu-migrations,page-faults";

static int encode(const char *name, int levels, struct perf_event_attr *attr)
{
    pfm_perf_encode_arg_t argument = {.attr = attr, .size = sizeof argument};
    *attr = (struct perf_event_attr){.size = sizeof *attr};
    return pfm_get_os_event_encoding(name, levels, PFM_OS_PERF_EVENT, &argument);
}

/* Software events are the kernel's own: seen from user mode alone, most of them never happen. */
static int resolve(const char *name, struct pb_perf_event *event, char *message, size_t size)
{
    struct perf_event_attr attr;
    int error = pfm_initialize();
    if (error == PFM_SUCCESS)
        error = encode(name, PFM_PLM3, &attr);
    if (error == PFM_SUCCESS && attr.type == PERF_TYPE_SOFTWARE)
        error = encode(name, PFM_PLM0 | PFM_PLM3, &attr);
    if (error != PFM_SUCCESS) {
        snprintf(message, size,
                 "unknown event '%.*s': %s; allowed: off, default, or events as "
                 "'perf list' and libpfm4 name them",
                 PB_PERF_NAME_MAX, name, pfm_strerror(error));
        return -EINVAL;
    }
    *event = (struct pb_perf_event){.type = attr.type,
                                    .config = attr.config,
                                    .config1 = attr.config1,
                                    .config2 = attr.config2,
                                    .no_user = attr.exclude_user,
                                    .no_kernel = attr.exclude_kernel,
                                    .no_hypervisor = attr.exclude_hv};
    snprintf(event->name, sizeof event->name, "%s", name);
    return 0;
}

int pb_perf_parse(const char *list, struct pb_perf_set *set, char *message, size_t message_size)
{
    *set = (struct pb_perf_set){0};
    if (strcmp(list, "off") == 0)
        return 0;
    const char *at = strcmp(list, "default") == 0 ? standard : list;
    for (bool more = true; more;) {
        char name[PB_PERF_NAME_MAX];
        struct pb_perf_event event;
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof name || memchr(at, '=', length) != NULL) {
            snprintf(message, message_size,
                     "'%.*s' is no event; allowed: off, default, or events as "
                     "'perf list' and libpfm4 name them, with commas",
                     (int)(length % 100), at);
            return -EINVAL;
        }
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        if (resolve(name, &event, message, message_size) != 0)
            return -EINVAL;
        if (pb_perf_add(set, &event) != 0) {
            snprintf(message, message_size, "more than %d events", PB_PERF_EVENTS_MAX);
            return -EINVAL;
        }
        more = at[length] == ',';
        at += length + more;
    }
    return 0;
}
