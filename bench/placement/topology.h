/* SPDX-License-Identifier: MIT */
/* The topology's inside, shared by the files of this folder, and by tests that restrict a synthetic
 * machine or give it kinds of cores.
 * Threads: read-only after the load; whoever changes `tree` calls hwloc_topology_refresh. */
#ifndef PB_PLACEMENT_TOPOLOGY_H
#define PB_PLACEMENT_TOPOLOGY_H

#include <hwloc.h>

struct pb_topology {
    hwloc_topology_t tree; /* restricted to what the process may use */
};

/* hwloc's objects of `type` that hold units of `set` of their own: the object after `after` (NULL:
 * the first). Left out: objects without a unit, and one of several that name the same units (two
 * memories of one socket), and one that spans smaller ones of its type (a memory beside all). */
hwloc_obj_t pb_topology_next_domain(const struct pb_topology *topology, hwloc_obj_type_t type,
                                    hwloc_const_cpuset_t set, hwloc_obj_t after);

/* How many there are. */
unsigned pb_topology_domains(const struct pb_topology *topology, hwloc_obj_type_t type,
                             hwloc_const_cpuset_t set);

/* Kind `kind` of core, its units into `set`; kinds are numbered from the frugal to the fast.
 * Returns 0 or -1 with errno, as hwloc does. */
int pb_topology_kind(const struct pb_topology *topology, unsigned kind, hwloc_bitmap_t set);

/* Writes min(n, units in set) units of `set`, all distinct and as far apart as possible, in logical
 * order. `set` holds units of the topology only. Returns their number. */
unsigned pb_topology_spread(const struct pb_topology *topology, hwloc_const_cpuset_t set,
                            unsigned n, unsigned *os_index);

#endif
