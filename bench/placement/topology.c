/* SPDX-License-Identifier: MIT */
/* Topology: hwloc's picture of the machine, cut down to the units this process may run on.
 * Source:  hwloc 2.9 documentation, "Topology Object", "Restrict", "Synthetic topologies".
 * Why:     hwloc hides what a cgroup forbids, but shows all units under taskset, so the load
 *          intersects with the process's own binding. It does not use RESTRICT_TO_CPUBINDING: that
 *          flag wants IS_THISSYSTEM, with which a topology from HWLOC_SYNTHETIC would pass for
 *          this machine.
 * I1       every PU of `tree` is permitted to at least one thread of the process at load time
 * Threads  load and free are one thread's; the rest reads
 * Cost     one discovery, some milliseconds; I/O devices are not looked for */
#include "placement/placement.h"

#include "placement/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* errno of the hwloc call that failed, never 0. */
static int failure(void)
{
    return errno ? -errno : -EIO;
}

/* Removes the units that no thread of the process may use. A synthetic machine permits all of its
 * own. */
static int restrict_to_process(hwloc_topology_t tree)
{
    int rc = 0;
    if (!hwloc_topology_is_thissystem(tree))
        return 0;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return -ENOMEM;
    if (hwloc_get_cpubind(tree, set, HWLOC_CPUBIND_PROCESS) != 0)
        rc = errno == ENOSYS ? 0 : failure();
    else if (hwloc_topology_restrict(tree, set, 0) != 0 || hwloc_topology_refresh(tree) != 0)
        rc = failure();
    hwloc_bitmap_free(set);
    return rc;
}

static int load_tree(hwloc_topology_t tree, const char *synthetic)
{
    errno = 0;
    if (synthetic && hwloc_topology_set_synthetic(tree, synthetic) != 0)
        return failure();
    if (hwloc_topology_set_io_types_filter(tree, HWLOC_TYPE_FILTER_KEEP_NONE) != 0 ||
        hwloc_topology_load(tree) != 0)
        return failure();
    return restrict_to_process(tree);
}

int pb_topology_load(const char *synthetic, struct pb_topology **topology)
{
    struct pb_topology *made = malloc(sizeof(*made));
    if (!made)
        return -ENOMEM;
    errno = 0;
    int rc = hwloc_topology_init(&made->tree) == 0 ? 0 : failure();
    if (rc)
        goto out_free;
    rc = load_tree(made->tree, synthetic);
    if (rc)
        goto out_destroy;
    *topology = made;
    return 0;
out_destroy:
    hwloc_topology_destroy(made->tree);
out_free:
    free(made);
    return rc;
}

void pb_topology_free(struct pb_topology *topology)
{
    if (!topology)
        return;
    hwloc_topology_destroy(topology->tree);
    free(topology);
}

unsigned pb_topology_units(const struct pb_topology *topology)
{
    return (unsigned)hwloc_get_nbobjs_by_type(topology->tree, HWLOC_OBJ_PU);
}

/* A machine cut down unevenly has no synthetic string: its counts and units instead. */
static int describe_uneven(const struct pb_topology *topology, char *out, size_t size)
{
    hwloc_topology_t tree = topology->tree;
    hwloc_const_cpuset_t set = hwloc_topology_get_topology_cpuset(tree);
    int at =
        snprintf(out, size, "uneven pack:%u numa:%u l3:%u core:%u pu:%u units=",
                 pb_topology_domains(topology, HWLOC_OBJ_PACKAGE, set),
                 pb_topology_domains(topology, HWLOC_OBJ_NUMANODE, set),
                 pb_topology_domains(topology, HWLOC_OBJ_L3CACHE, set),
                 pb_topology_domains(topology, HWLOC_OBJ_CORE, set), pb_topology_units(topology));
    if (at < 0 || (size_t)at >= size)
        return -ENOSPC;
    int list = hwloc_bitmap_list_snprintf(out + at, size - (size_t)at, set);
    return list < 0 || (size_t)list >= size - (size_t)at ? -ENOSPC : at + list;
}

int pb_topology_describe(const struct pb_topology *topology, char *out, size_t size)
{
    int length = hwloc_topology_export_synthetic(topology->tree, out, size, 0);
    if (length < 0)
        return describe_uneven(topology, out, size);
    return (size_t)length >= size ? -ENOSPC : length;
}

int pb_topology_xml(const struct pb_topology *topology, char **xml)
{
    char *made = NULL;
    int length = 0;
    if (hwloc_topology_export_xmlbuffer(topology->tree, &made, &length, 0) != 0)
        return failure();
    *xml = strdup(made);
    hwloc_free_xmlbuffer(topology->tree, made);
    return *xml != NULL ? 0 : -ENOMEM;
}

/* Whether `one` should stand for its units: no other of its type names a part of them, and none
 * before it names exactly them. */
static bool is_domain(hwloc_topology_t tree, hwloc_obj_t one, hwloc_const_cpuset_t set)
{
    if (!hwloc_bitmap_intersects(one->cpuset, set))
        return false;
    hwloc_obj_t other = NULL;
    while ((other = hwloc_get_next_obj_by_type(tree, one->type, other))) {
        if (other == one || !hwloc_bitmap_intersects(other->cpuset, set) ||
            !hwloc_bitmap_isincluded(other->cpuset, one->cpuset))
            continue;
        if (!hwloc_bitmap_isequal(other->cpuset, one->cpuset) ||
            other->logical_index < one->logical_index)
            return false;
    }
    return true;
}

hwloc_obj_t pb_topology_next_domain(const struct pb_topology *topology, hwloc_obj_type_t type,
                                    hwloc_const_cpuset_t set, hwloc_obj_t after)
{
    hwloc_obj_t next = after;
    while ((next = hwloc_get_next_obj_by_type(topology->tree, type, next)))
        if (is_domain(topology->tree, next, set))
            return next;
    return NULL;
}

unsigned pb_topology_domains(const struct pb_topology *topology, hwloc_obj_type_t type,
                             hwloc_const_cpuset_t set)
{
    unsigned count = 0;
    hwloc_obj_t domain = NULL;
    while ((domain = pb_topology_next_domain(topology, type, set, domain)))
        count++;
    return count;
}

int pb_topology_kind(const struct pb_topology *topology, unsigned kind, hwloc_bitmap_t set)
{
#if HWLOC_API_VERSION >= 0x00030000
    int rc = hwloc_cpukinds_get_info(topology->tree, kind, set, NULL, NULL, 0);
#else
    int rc = hwloc_cpukinds_get_info(topology->tree, kind, set, NULL, NULL, NULL, 0);
#endif
    if (rc == 0)
        rc = hwloc_bitmap_and(set, set, hwloc_topology_get_topology_cpuset(topology->tree));
    return rc;
}
