/* SPDX-License-Identifier: MIT */
/* Where workers run: the topology and pin policies (hwloc), binding and its verification.
 * Thread: load and plan are one thread's; bind, verify and current are the worker's own.
 * Source: hwloc 2.9 documentation; policies after methodology section 6. */
#ifndef PB_PLACEMENT_H
#define PB_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

struct pb_topology; /* opaque */

/* Loads this machine, restricted to what the process may use; or, for tests, a synthetic description
 * ("pack:2 numa:1 l3:1 core:4 pu:2"), on which binding is refused. Returns 0 or -errno. */
int pb_topology_load(const char *synthetic, struct pb_topology **topology);
void pb_topology_free(struct pb_topology *topology);

/* Processing units that the process may use. */
unsigned pb_topology_units(const struct pb_topology *topology);

/* "pack:1 ... pu:2": the synthetic string of the topology, for records. Returns the length or -ENOSPC. */
int pb_topology_describe(const struct pb_topology *topology, char *out, size_t size);

/* The topology as hwloc's XML, malloc'ed: two machines whose XML is the same are alike to a planner.
 * Returns 0 or -errno. */
int pb_topology_xml(const struct pb_topology *topology, char **xml);

enum { PB_PLACEMENT_MAX = 1024 };

/* Which unit each worker gets. `os_index` are the system's numbers (P#), in worker order. */
struct pb_placement {
    char policy[64];
    bool bound; /* false: policy none, the system decides */
    bool oversubscribed;
    unsigned workers;
    unsigned os_index[PB_PLACEMENT_MAX];
};

/* Applies a policy: none, compact, core, scatter, llc, cross, smt, explicit:0,2,5. `oversubscribe` lets
 * workers share units, in turn. Returns 0; -ENOTSUP if this machine cannot express it (the cell is
 * skipped, `reason` says why); -EINVAL for an unknown policy or a malformed list; -E2BIG for more
 * workers than units without `oversubscribe`. */
int pb_placement_plan(const struct pb_topology *topology, const char *policy, unsigned workers,
                      bool oversubscribe, struct pb_placement *placement, char *reason,
                      size_t reason_size);

/* Binds the calling thread to worker `index`'s unit. Returns 0 or -errno. */
int pb_placement_bind(const struct pb_topology *topology, const struct pb_placement *placement,
                      unsigned index);

/* Whether the calling thread is bound to that unit and runs there. Returns 0; -EXDEV if it is or runs
 * elsewhere. policy none: always 0. */
int pb_placement_verify(const struct pb_topology *topology, const struct pb_placement *placement,
                        unsigned index);

/* Where the pages come from that the calling thread touches first from now on, whichever allocator asked
 * for them: "default" (first touch), "local" (the thread's own node, strictly), "interleave" (all
 * nodes in turn). Returns 0; -ENOTSUP where the machine cannot; -EINVAL unknown. */
int pb_placement_bind_memory(const struct pb_topology *topology, const char *policy);

/* The names of the policies, NULL-terminated, with one line of help each, for `list`. */
struct pb_policy {
    const char *name;
    const char *help;
};
extern const struct pb_policy pb_policies[];

#endif
