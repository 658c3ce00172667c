/* SPDX-License-Identifier: MIT */
/* The workloads there are: the one place that expands workloads.def. Threads: any. */
#include "workloads/workload.h"

#include <string.h>

const char *const pb_dispatch_names[] = {"call", "inline", "table", NULL};

#define PB_WORKLOAD(name) extern const struct pb_workload pb_workload_##name;
#include "workloads/workloads.def"
#undef PB_WORKLOAD

#define PB_WORKLOAD(name) &pb_workload_##name,
static const struct pb_workload *const workloads[] = {
#include "workloads/workloads.def"
    NULL};
#undef PB_WORKLOAD

const struct pb_workload *pb_workload_at(size_t index)
{
    const size_t count = sizeof(workloads) / sizeof(workloads[0]) - 1;
    return index < count ? workloads[index] : NULL;
}

const struct pb_workload *pb_workload_find(const char *name)
{
    for (size_t i = 0; workloads[i] != NULL; i++)
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    return NULL;
}
