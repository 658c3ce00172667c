/* SPDX-License-Identifier: MIT */
/* Policies: a name becomes the list of units that the workers get, in worker order.
 * Source:  the table of methodology section 6; hwloc 2.9 documentation, "Kinds of CPU cores".
 * Layout:  a policy yields its units, all distinct, best first; plan() hands them out and alone
 *          decides what too few of them mean
 * I1       a policy that the machine cannot express is refused with a reason, never weakened
 * I2       units repeat only if the caller said `oversubscribe`
 * I3       several kinds of cores: none and explicit aside, all workers run on one kind, the
 *          fastest that has enough units for this policy; if none has, the fastest on which the
 *          policy works at all, which is too small: refused or, oversubscribed, shared in turn.
 *          Where hwloc cannot rank the kinds, its last one counts as the fastest
 * Threads  any; reads the topology only
 * Cost     units x units at worst, once per cell */
#include "placement/placement.h"

#include "placement/topology.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Units in worker order. Of PB_PLACEMENT_MAX workers none asks for more. */
struct units {
    unsigned n;
    unsigned os_index[PB_PLACEMENT_MAX];
};

/* What a policy is given. `set`: the permitted units, of one kind of core if it wants that. */
struct request {
    const struct pb_topology *topology;
    hwloc_const_cpuset_t set;
    unsigned workers;
    const char *list; /* of explicit; NULL: none was given */
    char *reason;
    size_t reason_size;
};

typedef int (*policy_fn)(const struct request *request, struct units *units);

/* Why something is refused. The first cause stands. Returns `rc`. */
static int __attribute__((format(printf, 3, 4)))
refuse(const struct request *request, int rc, const char *format, ...)
{
    if (!request->reason || request->reason_size == 0 || request->reason[0] != '\0')
        return rc;
    va_list args;
    va_start(args, format);
    vsnprintf(request->reason, request->reason_size, format, args);
    va_end(args);
    return rc;
}

static void push(struct units *units, unsigned os_index)
{
    if (units->n < PB_PLACEMENT_MAX)
        units->os_index[units->n++] = os_index;
}

static hwloc_obj_t core_of(const struct pb_topology *topology, hwloc_obj_t pu)
{
    return hwloc_get_ancestor_obj_by_type(topology->tree, HWLOC_OBJ_CORE, pu);
}

/* The units of `set` in logical order: `pu` NULL starts, NULL ends. */
static hwloc_obj_t next_pu(const struct request *request, hwloc_const_cpuset_t set, hwloc_obj_t pu)
{
    while ((pu = hwloc_get_next_obj_by_type(request->topology->tree, HWLOC_OBJ_PU, pu)))
        if (hwloc_bitmap_isset(set, pu->os_index))
            return pu;
    return NULL;
}

/* How many units of `set` come before `pu` in its core. A unit without a core is its own. */
static unsigned rank_in_core(const struct request *request, hwloc_const_cpuset_t set,
                             hwloc_obj_t pu)
{
    unsigned rank = 0;
    hwloc_obj_t core = core_of(request->topology, pu);
    for (hwloc_obj_t before = pu->prev_cousin; core && before; before = before->prev_cousin) {
        if (core_of(request->topology, before) != core)
            break;
        rank += hwloc_bitmap_isset(set, before->os_index) ? 1 : 0;
    }
    return rank;
}

/* The first unit of every core of `set`, then the second ones, and so on. */
static void push_by_core(const struct request *request, hwloc_const_cpuset_t set,
                         struct units *units)
{
    unsigned before = UINT_MAX;
    for (unsigned rank = 0; units->n != before; rank++) {
        before = units->n;
        for (hwloc_obj_t pu = NULL; (pu = next_pu(request, set, pu));)
            if (rank_in_core(request, set, pu) == rank)
                push(units, pu->os_index);
    }
}

/* push_by_core for the units of one object. */
static int push_domain(const struct request *request, hwloc_obj_t domain, struct units *units)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return -ENOMEM;
    int rc = hwloc_bitmap_and(set, domain->cpuset, request->set) == 0 ? 0 : -ENOMEM;
    if (rc == 0)
        push_by_core(request, set, units);
    hwloc_bitmap_free(set);
    return rc;
}

/* compact, and none: there the list only says how many workers have a unit each. */
static int policy_compact(const struct request *request, struct units *units)
{
    for (hwloc_obj_t pu = NULL; (pu = next_pu(request, request->set, pu));)
        push(units, pu->os_index);
    return 0;
}

static int policy_none(const struct request *request, struct units *units)
{
    return policy_compact(request, units);
}

static int policy_core(const struct request *request, struct units *units)
{
    if (hwloc_get_nbobjs_by_type(request->topology->tree, HWLOC_OBJ_CORE) <= 0)
        return refuse(request, -ENOTSUP, "core: the topology shows no cores");
    push_by_core(request, request->set, units);
    return 0;
}

/* What lies apart, the farthest first. */
static const hwloc_obj_type_t distances[] = {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_NUMANODE,
                                             HWLOC_OBJ_L3CACHE};

/* The first of them of which there are several; HWLOC_OBJ_MACHINE if the machine is one piece. */
static hwloc_obj_type_t widest_split(const struct request *request)
{
    for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++)
        if (pb_topology_domains(request->topology, distances[i], request->set) > 1)
            return distances[i];
    return HWLOC_OBJ_MACHINE;
}

static int policy_scatter(const struct request *request, struct units *units)
{
    if (widest_split(request) == HWLOC_OBJ_MACHINE)
        return refuse(request, -ENOTSUP,
                      "scatter: one package, one NUMA node and at most one L3: nothing lies apart");
    units->n =
        pb_topology_spread(request->topology, request->set, request->workers, units->os_index);
    return 0;
}

/* The first L3 with enough units; if there is none, the largest, and plan() says what it lacks. */
static int policy_llc(const struct request *request, struct units *units)
{
    struct units trial;
    hwloc_obj_t cache = NULL;
    while ((cache = pb_topology_next_domain(request->topology, HWLOC_OBJ_L3CACHE, request->set,
                                            cache))) {
        trial.n = 0;
        int rc = push_domain(request, cache, &trial);
        if (rc)
            return rc;
        if (trial.n > units->n)
            *units = trial;
        if (units->n >= request->workers)
            return 0;
    }
    if (units->n == 0)
        return refuse(request, -ENOTSUP, "llc: the topology shows no L3 cache");
    return 0;
}

/* Packages if there are several, else NUMA nodes, else L3 caches: even workers on the even ones,
 * odd workers on the odd ones, filling the first pair first, one unit per core first. */
static int policy_cross(const struct request *request, struct units *units)
{
    struct units side[2] = {{.n = 0}, {.n = 0}};
    hwloc_obj_type_t type = widest_split(request);
    if (type == HWLOC_OBJ_MACHINE)
        return refuse(request, -ENOTSUP,
                      "cross: one package, one NUMA node and at most one L3: no other side");
    hwloc_obj_t domain = NULL;
    for (unsigned i = 0;; i++) {
        domain = pb_topology_next_domain(request->topology, type, request->set, domain);
        if (!domain)
            break;
        int rc = push_domain(request, domain, &side[i % 2]);
        if (rc)
            return rc;
    }
    for (unsigned k = 0; k < side[0].n && k <= side[1].n; k++) {
        push(units, side[0].os_index[k]);
        if (k < side[1].n)
            push(units, side[1].os_index[k]);
    }
    return 0;
}

/* The first two units of every core, then the next two where cores have four. */
static int policy_smt(const struct request *request, struct units *units)
{
    unsigned before = UINT_MAX;
    for (unsigned rank = 1; units->n != before; rank += 2) {
        before = units->n;
        hwloc_obj_t last = NULL;
        for (hwloc_obj_t pu = NULL; (pu = next_pu(request, request->set, pu)); last = pu) {
            if (rank_in_core(request, request->set, pu) != rank)
                continue;
            push(units, last->os_index);
            push(units, pu->os_index);
        }
    }
    if (units->n == 0)
        return refuse(request, -ENOTSUP, "smt: no core has two permitted units");
    return 0;
}

/* One number of the list, 0..UINT_MAX - 1 (UINT_MAX: malformed); moves `at` behind it and its
 * comma. */
static unsigned parse_unit(const char **at)
{
    char *end = NULL;
    if (**at < '0' || **at > '9')
        return UINT_MAX;
    errno = 0;
    unsigned long value = strtoul(*at, &end, 10);
    if (errno || value >= UINT_MAX || (*end != ',' && *end != '\0') || (*end && !end[1]))
        return UINT_MAX;
    *at = *end ? end + 1 : end;
    return (unsigned)value;
}

static int policy_explicit(const struct request *request, struct units *units)
{
    const char *at = request->list;
    if (!at || *at == '\0')
        return refuse(request, -EINVAL, "explicit: needs a list of units, as in explicit:0,2,5");
    while (*at) {
        unsigned unit = parse_unit(&at);
        if (unit == UINT_MAX)
            return refuse(request, -EINVAL, "explicit: numbers separated by commas wanted at '%s'",
                          at);
        for (unsigned i = 0; i < units->n; i++)
            if (units->os_index[i] == unit)
                return refuse(request, -EINVAL, "explicit: unit %u is named twice", unit);
        push(units, unit);
    }
    for (unsigned i = 0; i < units->n; i++)
        if (!hwloc_bitmap_isset(request->set, units->os_index[i]))
            return refuse(request, -ENOTSUP, "explicit: unit %u is absent or not permitted",
                          units->os_index[i]);
    return 0;
}

/* X(name, one kind of core only, workers come in pairs, help) */
#define POLICIES(X)                                                                                \
    X(none, false, false, "the system decides; nothing is bound")                                  \
    X(compact, true, false, "the next unit, SMT siblings first")                                   \
    X(core, true, false, "one unit per core, neighbours first; then the cores' second units")      \
    X(scatter, true, false, "as far apart as possible; needs two packages, NUMA nodes or L3s")     \
    X(llc, true, false, "all inside one L3, one unit per core first")                              \
    X(cross, true, true, "workers 2k and 2k+1 in different packages, else NUMA nodes, else L3s")   \
    X(smt, true, true, "workers 2k and 2k+1 on SMT siblings of one core")                          \
    X(explicit, false, false, "explicit:0,2,5: these units, as the system numbers them (P#)")

#define HELP(name, one_kind, paired, help)   {#name, help},
#define POLICY(name, one_kind, paired, help) {policy_##name, one_kind, paired},

const struct pb_policy pb_policies[] = {POLICIES(HELP){NULL, NULL}};

/* In the order of pb_policies. */
static const struct {
    policy_fn units;
    bool one_kind, paired;
} policies[] = {POLICIES(POLICY)};

/* The index of "name" or "name:list", -1 if unknown; *list gets what follows the colon, or NULL. */
static int find_policy(const char *text, const char **list)
{
    size_t length = strcspn(text, ":");
    *list = text[length] ? text + length + 1 : NULL;
    for (int i = 0; pb_policies[i].name; i++)
        if (strlen(pb_policies[i].name) == length && !strncmp(pb_policies[i].name, text, length))
            return *list && policies[i].units != policy_explicit ? -1 : i;
    return -1;
}

/* Tries the kinds of cores, the fastest first (I3). */
static int units_of_one_kind(struct request *request, policy_fn policy, int kinds,
                             hwloc_bitmap_t set, struct units *units)
{
    struct units trial;
    int best = 1; /* nothing tried */
    request->set = set;
    for (int kind = kinds - 1; kind >= 0; kind--) {
        if (pb_topology_kind(request->topology, (unsigned)kind, set) != 0)
            return -ENOMEM;
        if (hwloc_bitmap_iszero(set))
            continue;
        trial.n = 0;
        int rc = policy(request, &trial);
        if (rc && rc != -ENOTSUP)
            return rc;
        bool enough = rc == 0 && trial.n >= request->workers;
        if (enough || best > 0 || (best && rc == 0)) {
            *units = trial;
            best = rc;
        }
        if (enough)
            break;
    }
    return best > 0 ? refuse(request, -ENOTSUP, "no kind of core has a permitted unit") : best;
}

static int units_of(struct request *request, int policy, struct units *units)
{
    int kinds = hwloc_cpukinds_get_nr(request->topology->tree, 0);
    if (kinds <= 1 || !policies[policy].one_kind) {
        request->set = hwloc_topology_get_topology_cpuset(request->topology->tree);
        return policies[policy].units(request, units);
    }
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return -ENOMEM;
    int rc = units_of_one_kind(request, policies[policy].units, kinds, set, units);
    hwloc_bitmap_free(set);
    return rc;
}

/* Fewer units than workers, and no leave to share them. */
static int too_few(const struct request *request, const char *policy, unsigned units)
{
    unsigned all = pb_topology_units(request->topology);
    if (request->list || request->workers > all)
        return refuse(request, -E2BIG, "%s: %u workers, %u units", policy, request->workers,
                      request->list ? units : all);
    return refuse(request, -ENOTSUP, "%s: %u workers, but %u of the %u units fit the policy",
                  policy, request->workers, units, all);
}

static int check_request(const struct request *request, const char *policy, int index)
{
    if (index < 0)
        return refuse(request, -EINVAL, "unknown placement policy '%s'", policy);
    if (strlen(policy) >= sizeof(((struct pb_placement *)NULL)->policy))
        return refuse(request, -EINVAL, "%s: the list is too long for a record",
                      pb_policies[index].name);
    if (request->workers == 0)
        return refuse(request, -EINVAL, "%s: no worker", policy);
    if (request->workers > PB_PLACEMENT_MAX)
        return refuse(request, -E2BIG, "%s: %u workers, at most %d", policy, request->workers,
                      (int)PB_PLACEMENT_MAX);
    return 0;
}

int pb_placement_plan(const struct pb_topology *topology, const char *policy, unsigned workers,
                      bool oversubscribe, struct pb_placement *placement, char *reason,
                      size_t reason_size)
{
    struct units units = {.n = 0};
    struct request request = {
        .topology = topology, .workers = workers, .reason = reason, .reason_size = reason_size};
    if (reason && reason_size)
        reason[0] = '\0';
    int index = find_policy(policy, &request.list);
    int rc = check_request(&request, policy, index);
    if (rc == 0)
        rc = units_of(&request, index, &units);
    if (rc)
        return rc;
    if (reason && reason_size) /* a kind of core that was passed over may have left one */
        reason[0] = '\0';
    if (units.n < workers && (!oversubscribe || units.n == 0))
        return too_few(&request, policy, units.n);
    bool bound = policies[index].units != policy_none;
    unsigned turn = policies[index].paired && units.n < workers ? units.n & ~1u : units.n;
    *placement = (struct pb_placement){
        .bound = bound, .oversubscribed = units.n < workers, .workers = workers};
    snprintf(placement->policy, sizeof(placement->policy), "%s", policy);
    for (unsigned i = 0; bound && i < workers; i++)
        placement->os_index[i] = units.os_index[i % turn];
    return 0;
}
