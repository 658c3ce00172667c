/* SPDX-License-Identifier: MIT */
/* Spread: units as far apart as the machine allows, the list behind policy scatter.
 * Source:  hwloc 2.9, hwloc_distrib. Differs: hwloc shares out by the number of units, so that two
 *          workers over packages of 6 and 1 permitted units both land in the first; here every
 *          object gets the same share until it is full. On even machines the two agree, unit for
 *          unit.
 * I1       the units are distinct: n, or all where there are fewer
 * Threads  any; reads the topology only
 * Cost     no allocation; units x units at worst, once per cell */
#include "placement/topology.h"

/* How many units of `set` an object holds. */
static unsigned weight_of(hwloc_obj_t object, hwloc_const_cpuset_t set)
{
    unsigned weight = 0;
    for (int unit = -1; (unit = hwloc_bitmap_next(object->cpuset, unit)) >= 0;)
        weight += hwloc_bitmap_isset(set, (unsigned)unit) ? 1 : 0;
    return weight;
}

/* n units are poured into the children: each holds `level` or is full, and `extra` of the `roomy`
 * ones hold one more. */
struct share {
    unsigned level, extra, roomy;
};

/* The sum of what the children hold at `level`; *roomy counts those that could hold more. */
static unsigned poured(hwloc_obj_t parent, hwloc_const_cpuset_t set, unsigned level,
                       unsigned *roomy)
{
    unsigned sum = 0;
    *roomy = 0;
    for (hwloc_obj_t child = parent->first_child; child; child = child->next_sibling) {
        unsigned weight = weight_of(child, set);
        sum += weight < level ? weight : level;
        *roomy += weight > level ? 1 : 0;
    }
    return sum;
}

static struct share share_out(hwloc_obj_t parent, hwloc_const_cpuset_t set, unsigned n)
{
    struct share share = {.level = 0};
    unsigned sum = poured(parent, set, share.level, &share.roomy);
    while (share.roomy && sum + share.roomy <= n)
        sum = poured(parent, set, ++share.level, &share.roomy);
    share.extra = n - sum;
    return share;
}

/* Whether the k-th roomy child is one of those with one more: they are evenly spaced. */
static unsigned extra_of(const struct share *share, unsigned k)
{
    unsigned before = (k * share->extra + share->roomy - 1) / share->roomy;
    unsigned after = ((k + 1) * share->extra + share->roomy - 1) / share->roomy;
    return after - before;
}

/* Writes n units of `object`, or all that it holds. Recursion: the depth of the topology. Returns
 * the end of what was written. */
static unsigned *spread(hwloc_obj_t object, hwloc_const_cpuset_t set, unsigned n, unsigned *at)
{
    if (object->type == HWLOC_OBJ_PU) {
        *at = object->os_index;
        return at + 1;
    }
    struct share share = share_out(object, set, n);
    unsigned k = 0;
    for (hwloc_obj_t child = object->first_child; child; child = child->next_sibling) {
        unsigned weight = weight_of(child, set);
        unsigned count = weight < share.level ? weight : share.level;
        if (weight > share.level)
            count += extra_of(&share, k++);
        if (count)
            at = spread(child, set, count, at);
    }
    return at;
}

unsigned pb_topology_spread(const struct pb_topology *topology, hwloc_const_cpuset_t set,
                            unsigned n, unsigned *os_index)
{
    return (unsigned)(spread(hwloc_get_root_obj(topology->tree), set, n, os_index) - os_index);
}
