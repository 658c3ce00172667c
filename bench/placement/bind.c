/* SPDX-License-Identifier: MIT */
/* Binding: a worker to its unit, a range to its memory, and the proof that the worker is there.
 * Source:  hwloc 2.9 documentation, "CPU binding", "Memory binding"; mbind(2).
 * Why:     on a synthetic or imported topology hwloc accepts a binding and does nothing, so it is
 *          refused here; and a binding is believed only after it was read back
 * Range    bound before its first touch; hwloc widens it to whole pages
 * Threads  each function acts on the calling thread or the range; the topology is only read
 * Cost     bind 3 system calls, verify 1 or 2; hwloc allocates bitmaps meanwhile, so neither
 *          belongs inside a window */
#include "placement/placement.h"

#include "placement/topology.h"

#include <errno.h>
#include <string.h>

/* The set of one unit, NULL without memory. */
static hwloc_bitmap_t unit_set(unsigned os_index)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set && hwloc_bitmap_only(set, os_index) != 0) {
        hwloc_bitmap_free(set);
        set = NULL;
    }
    return set;
}

/* Whether threads can be bound, and looked up, on this topology. */
static int can_bind(const struct pb_topology *topology)
{
    if (!hwloc_topology_is_thissystem(topology->tree))
        return -ENOTSUP;
    const struct hwloc_topology_cpubind_support *can =
        hwloc_topology_get_support(topology->tree)->cpubind;
    return can->set_thisthread_cpubind && can->get_thisthread_cpubind &&
                   can->get_thisthread_last_cpu_location
               ? 0
               : -ENOTSUP;
}

/* -errno of the hwloc call that failed; what hwloc or the kernel lacks, or a container forbids, is
 * -ENOTSUP. */
static int bind_failure(void)
{
    if (errno == ENOSYS || errno == EXDEV || errno == EPERM)
        return -ENOTSUP;
    return errno ? -errno : -EIO;
}

/* Reads the binding and the location of the calling thread; both must be `want`. */
static int compare_thread(hwloc_topology_t tree, hwloc_const_bitmap_t want)
{
    hwloc_bitmap_t is = hwloc_bitmap_alloc();
    int rc = 0;
    if (!is)
        return -ENOMEM;
    errno = 0;
    if (hwloc_get_cpubind(tree, is, HWLOC_CPUBIND_THREAD) != 0)
        rc = bind_failure();
    else if (!hwloc_bitmap_isequal(is, want))
        rc = -EXDEV;
    else if (hwloc_get_last_cpu_location(tree, is, HWLOC_CPUBIND_THREAD) != 0)
        rc = bind_failure();
    else if (!hwloc_bitmap_isequal(is, want))
        rc = -EXDEV;
    hwloc_bitmap_free(is);
    return rc;
}

int pb_placement_verify(const struct pb_topology *topology, const struct pb_placement *placement,
                        unsigned index)
{
    if (index >= placement->workers)
        return -EINVAL;
    if (!placement->bound)
        return 0;
    int rc = can_bind(topology);
    if (rc)
        return rc;
    hwloc_bitmap_t want = unit_set(placement->os_index[index]);
    if (!want)
        return -ENOMEM;
    rc = compare_thread(topology->tree, want);
    hwloc_bitmap_free(want);
    return rc;
}

int pb_placement_bind(const struct pb_topology *topology, const struct pb_placement *placement,
                      unsigned index)
{
    if (index >= placement->workers)
        return -EINVAL;
    if (!placement->bound)
        return 0;
    int rc = can_bind(topology);
    if (rc)
        return rc;
    hwloc_bitmap_t want = unit_set(placement->os_index[index]);
    if (!want)
        return -ENOMEM;
    errno = 0;
    if (hwloc_set_cpubind(topology->tree, want, HWLOC_CPUBIND_THREAD | HWLOC_CPUBIND_STRICT) != 0)
        rc = bind_failure();
    else
        rc = compare_thread(topology->tree, want);
    hwloc_bitmap_free(want);
    return rc;
}

/* The node nearest to where the calling thread runs: the first whose units include that one. */
static int nearest_node(hwloc_topology_t tree, hwloc_bitmap_t nodes)
{
    hwloc_bitmap_t here = hwloc_bitmap_alloc();
    if (!here)
        return -ENOMEM;
    int rc = -ENOTSUP;
    errno = 0;
    if (hwloc_get_last_cpu_location(tree, here, HWLOC_CPUBIND_THREAD) != 0) {
        rc = bind_failure();
        goto out_free;
    }
    for (hwloc_obj_t node = NULL; rc == -ENOTSUP;) {
        node = hwloc_get_next_obj_by_type(tree, HWLOC_OBJ_NUMANODE, node);
        if (!node)
            break;
        if (hwloc_bitmap_isincluded(here, node->cpuset))
            rc = hwloc_bitmap_only(nodes, node->os_index) == 0 ? 0 : -ENOMEM;
    }
out_free:
    hwloc_bitmap_free(here);
    return rc;
}

/* Takes back what an earlier call bound. Where mbind is absent or forbidden, nothing was. */
static int memory_default(const struct pb_topology *topology)
{
    hwloc_const_nodeset_t all = hwloc_topology_get_topology_nodeset(topology->tree);
    if (!hwloc_topology_is_thissystem(topology->tree))
        return 0;
    errno = 0;
    if (hwloc_set_membind(topology->tree, all, HWLOC_MEMBIND_DEFAULT,
                          HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET) == 0)
        return 0;
    int rc = bind_failure();
    return rc == -ENOTSUP ? 0 : rc;
}

/* Pages come from the node that the thread runs on or not at all. */
static int memory_local(const struct pb_topology *topology)
{
    if (!hwloc_topology_is_thissystem(topology->tree) ||
        !hwloc_topology_get_support(topology->tree)->membind->set_thisthread_membind)
        return -ENOTSUP;
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    if (!nodes)
        return -ENOMEM;
    int rc = nearest_node(topology->tree, nodes);
    if (rc)
        goto out_free;
    errno = 0;
    if (hwloc_set_membind(topology->tree, nodes, HWLOC_MEMBIND_BIND,
                          HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_STRICT | HWLOC_MEMBIND_BYNODESET) !=
        0)
        rc = bind_failure();
out_free:
    hwloc_bitmap_free(nodes);
    return rc;
}

/* With one node it would be `local` under another name: refused. */
static int memory_interleave(const struct pb_topology *topology)
{
    if (!hwloc_topology_is_thissystem(topology->tree) ||
        !hwloc_topology_get_support(topology->tree)->membind->interleave_membind ||
        hwloc_get_nbobjs_by_type(topology->tree, HWLOC_OBJ_NUMANODE) < 2)
        return -ENOTSUP;
    errno = 0;
    if (hwloc_set_membind(topology->tree, hwloc_topology_get_topology_nodeset(topology->tree),
                          HWLOC_MEMBIND_INTERLEAVE,
                          HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_STRICT | HWLOC_MEMBIND_BYNODESET) !=
        0)
        return bind_failure();
    return 0;
}

static const struct {
    const char *name;
    int (*bind)(const struct pb_topology *topology);
} memory_policies[] = {
    {"default", memory_default},
    {"local", memory_local},
    {"interleave", memory_interleave},
};

int pb_placement_bind_memory(const struct pb_topology *topology, const char *policy)
{
    for (size_t i = 0; i < sizeof(memory_policies) / sizeof(memory_policies[0]); i++)
        if (!strcmp(memory_policies[i].name, policy))
            return memory_policies[i].bind(topology);
    return -EINVAL;
}
