/* SPDX-License-Identifier: MIT */
/* Placement: golden placements on synthetic machines, worked out by hand from each policy's
 * definition; every refusal. Binding itself: test_binding.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "placement/placement.h"
#include "placement/topology.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 6, BIG = -E2BIG, NO = -ENOTSUP };
static const unsigned columns[COLUMNS] = {1, 2, 3, 4, 8, 16};

/* Two packages, each with its memory and L3: cores are the pairs (0,1) (2,3) .. (14,15). */
#define PACKAGES "pack:2 numa:1 l3:1 core:4 pu:2"
/* One package with two L3: units as above. */
#define CACHES "pack:1 l3:2 core:4 pu:2"
/* The same, numbered as Linux does: core c has units c and c + 8. (The name of that order,
 * "indexes=core:pu", makes hwloc up to 2.13 read uninitialised memory: its pull request 796.) */
#define LINUX "pack:1 l3:2 core:4 pu:2(indexes=2*8:1*2)"
/* No L3, no SMT. */
#define PLAIN    "pack:2 core:3 pu:1"
#define FOUR_WAY "pack:1 l3:1 core:2 pu:4"
#define ONE_UNIT "core:1 pu:1"

/* What a policy gives for each of `columns`: the first workers of `list`, or an error. `only`
 * replaces `list` where the placement of n workers does not begin with that of fewer. */
static const struct golden {
    const char *machine, *policy, *list;
    int error[COLUMNS];
    const char *only[COLUMNS];
} goldens[] = {
    {PACKAGES, "compact", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", {0}, {0}},
    {PACKAGES, "core", "0,2,4,6,8,10,12,14,1,3,5,7,9,11,13,15", {0}, {0}},
    {PACKAGES,
     "scatter",
     "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
     {0},
     {"0", "0,8", "0,4,8", "0,4,8,12", "0,2,4,6,8,10,12,14"}},
    {PACKAGES, "llc", "0,2,4,6,1,3,5,7", {0, 0, 0, 0, 0, NO}, {0}},
    {PACKAGES, "cross", "0,8,2,10,4,12,6,14,1,9,3,11,5,13,7,15", {0}, {0}},
    {PACKAGES, "smt", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", {0}, {0}},
    {PACKAGES, "explicit:15,0,7", "15,0,7", {0, 0, 0, BIG, BIG, BIG}, {0}},

    {CACHES, "compact", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", {0}, {0}},
    {CACHES, "core", "0,2,4,6,8,10,12,14,1,3,5,7,9,11,13,15", {0}, {0}},
    {CACHES,
     "scatter",
     "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
     {0},
     {"0", "0,8", "0,4,8", "0,4,8,12", "0,2,4,6,8,10,12,14"}},
    {CACHES, "llc", "0,2,4,6,1,3,5,7", {0, 0, 0, 0, 0, NO}, {0}},
    {CACHES, "cross", "0,8,2,10,4,12,6,14,1,9,3,11,5,13,7,15", {0}, {0}},
    {CACHES, "smt", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", {0}, {0}},

    {LINUX, "compact", "0,8,1,9,2,10,3,11,4,12,5,13,6,14,7,15", {0}, {0}},
    {LINUX, "core", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", {0}, {0}},
    {LINUX,
     "scatter",
     "0,8,1,9,2,10,3,11,4,12,5,13,6,14,7,15",
     {0},
     {"0", "0,4", "0,2,4", "0,2,4,6", "0,1,2,3,4,5,6,7"}},
    {LINUX, "llc", "0,1,2,3,8,9,10,11", {0, 0, 0, 0, 0, NO}, {0}},
    {LINUX, "cross", "0,4,1,5,2,6,3,7,8,12,9,13,10,14,11,15", {0}, {0}},
    {LINUX, "smt", "0,8,1,9,2,10,3,11,4,12,5,13,6,14,7,15", {0}, {0}},

    {PLAIN, "compact", "0,1,2,3,4,5", {0, 0, 0, 0, BIG, BIG}, {0}},
    {PLAIN, "core", "0,1,2,3,4,5", {0, 0, 0, 0, BIG, BIG}, {0}},
    {PLAIN, "scatter", "0,1,2,3,4,5", {0, 0, 0, 0, BIG, BIG}, {"0", "0,3", "0,1,3", "0,1,3,4"}},
    {PLAIN, "llc", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {PLAIN, "cross", "0,3,1,4,2,5", {0, 0, 0, 0, BIG, BIG}, {0}},
    {PLAIN, "smt", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {PLAIN, "explicit:5", "5", {0, BIG, BIG, BIG, BIG, BIG}, {0}},

    {FOUR_WAY, "compact", "0,1,2,3,4,5,6,7", {0, 0, 0, 0, 0, BIG}, {0}},
    {FOUR_WAY, "core", "0,4,1,5,2,6,3,7", {0, 0, 0, 0, 0, BIG}, {0}},
    {FOUR_WAY, "scatter", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {FOUR_WAY, "llc", "0,4,1,5,2,6,3,7", {0, 0, 0, 0, 0, BIG}, {0}},
    {FOUR_WAY, "cross", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {FOUR_WAY, "smt", "0,1,4,5,2,3,6,7", {0, 0, 0, 0, 0, BIG}, {0}},

    {ONE_UNIT, "compact", "0", {0, BIG, BIG, BIG, BIG, BIG}, {0}},
    {ONE_UNIT, "core", "0", {0, BIG, BIG, BIG, BIG, BIG}, {0}},
    {ONE_UNIT, "scatter", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {ONE_UNIT, "llc", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {ONE_UNIT, "cross", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {ONE_UNIT, "smt", "", {NO, NO, NO, NO, NO, NO}, {0}},

    /* a memory beside all of the machine is no third side; two memories of one place are one */
    {"pack:1 [numa] l3:2 [numa] core:2 pu:1", "cross", "0,2,1,3", {0, 0, 0, 0, BIG, BIG}, {0}},
    {"pack:1 [numa] [numa] core:2 pu:1", "cross", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {"pack:1 [numa] [numa] core:2 pu:1", "scatter", "", {NO, NO, NO, NO, NO, NO}, {0}},
    /* three sides: the third is on the even workers' side, and a fifth worker has no partner */
    {"pack:3 l3:1 core:2 pu:1", "cross", "0,2,1,3", {0, 0, 0, 0, BIG, BIG}, {0}},
    /* cores are not known */
    {"pu:4", "compact", "0,1,2,3", {0, 0, 0, 0, BIG, BIG}, {0}},
    {"pu:4", "core", "", {NO, NO, NO, NO, NO, NO}, {0}},
    {"pu:4", "smt", "", {NO, NO, NO, NO, NO, NO}, {0}},
};

static struct pb_topology *load(const char *synthetic)
{
    struct pb_topology *topology = NULL;
    assert_int_equal(pb_topology_load(synthetic, &topology), 0);
    assert_non_null(topology);
    return topology;
}

/* Cuts a synthetic machine down, as a cpuset or taskset does to a real one. */
static struct pb_topology *load_restricted(const char *synthetic, const char *units)
{
    struct pb_topology *topology = load(synthetic);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    assert_non_null(set);
    assert_int_equal(hwloc_bitmap_list_sscanf(set, units), 0);
    assert_int_equal(hwloc_topology_restrict(topology->tree, set, 0), 0);
    assert_int_equal(hwloc_topology_refresh(topology->tree), 0);
    hwloc_bitmap_free(set);
    return topology;
}

static void add_kind(struct pb_topology *topology, const char *units, int efficiency)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    assert_non_null(set);
    assert_int_equal(hwloc_bitmap_list_sscanf(set, units), 0);
#if HWLOC_API_VERSION >= 0x00030000
    int rc = hwloc_cpukinds_register(topology->tree, set, efficiency, NULL, 0);
#else
    int rc = hwloc_cpukinds_register(topology->tree, set, efficiency, 0, NULL, 0);
#endif
    assert_int_equal(rc, 0);
    hwloc_bitmap_free(set);
}

/* The placement as "0,2,5". */
static void spell(const struct pb_placement *placement, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < placement->workers && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%u", i ? "," : "", placement->os_index[i]);
}

/* Plans, and checks that it gives `expect`: "0,2,5", prefixed by '*' if units are shared. */
static void assert_plan(const struct pb_topology *topology, const char *policy, unsigned workers,
                        bool oversubscribe, const char *expect)
{
    struct pb_placement placement;
    char reason[160] = "old", is[1024];
    int rc = pb_placement_plan(topology, policy, workers, oversubscribe, &placement, reason,
                               sizeof(reason));
    if (rc)
        print_error("%s, %u workers: %d, %s\n", policy, workers, rc, reason);
    assert_int_equal(rc, 0);
    assert_string_equal(reason, "");
    assert_string_equal(placement.policy, policy);
    assert_int_equal(placement.workers, workers);
    assert_true(placement.bound);
    assert_int_equal(placement.oversubscribed, *expect == '*');
    spell(&placement, is, sizeof(is));
    assert_string_equal(is, *expect == '*' ? expect + 1 : expect);
}

/* Plans, and checks that it is refused with `error`, a reason that names `word`, and no other
 * trace. */
static void assert_refused(const struct pb_topology *topology, const char *policy, unsigned workers,
                           bool oversubscribe, int error, const char *word)
{
    struct pb_placement placement, before;
    char reason[160] = "";
    memset(&placement, 0x5a, sizeof(placement));
    before = placement;
    int rc = pb_placement_plan(topology, policy, workers, oversubscribe, &placement, reason,
                               sizeof(reason));
    if (rc != error || !strstr(reason, word))
        print_error("%s, %u workers: %d, %s\n", policy, workers, rc, reason);
    assert_int_equal(rc, error);
    assert_non_null(strstr(reason, word));
    assert_memory_equal(&placement, &before, sizeof(before));
    assert_int_equal(
        pb_placement_plan(topology, policy, workers, oversubscribe, &placement, NULL, 0), error);
}

/* The first n entries of "a,b,c". */
static void first_of(const char *list, unsigned n, char *out, size_t size)
{
    const char *end = list;
    for (unsigned i = 0; i < n && end; i++)
        end = strchr(end + (i > 0), ',');
    size_t length = end ? (size_t)(end - list) : strlen(list);
    assert_true(length < size);
    memcpy(out, list, length);
    out[length] = '\0';
}

static void every_policy_gives_the_units_its_definition_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
        const struct golden *golden = &goldens[i];
        struct pb_topology *topology = load(golden->machine);
        char expect[128], name[16];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(golden->policy, ":"), golden->policy);
        for (int c = 0; c < COLUMNS; c++) {
            first_of(golden->only[c] ? golden->only[c] : golden->list, columns[c], expect,
                     sizeof(expect));
            if (golden->error[c])
                assert_refused(topology, golden->policy, columns[c], false, golden->error[c], name);
            else
                assert_plan(topology, golden->policy, columns[c], false, expect);
        }
        pb_topology_free(topology);
    }
}

static void none_binds_nobody_on_any_machine(void **state)
{
    (void)state;
    struct pb_topology *topology = load(PLAIN);
    struct pb_placement placement;
    assert_int_equal(pb_placement_plan(topology, "none", 6, false, &placement, NULL, 0), 0);
    assert_false(placement.bound);
    assert_false(placement.oversubscribed);
    assert_int_equal(pb_placement_bind(topology, &placement, 5), 0);
    assert_int_equal(pb_placement_verify(topology, &placement, 5), 0);
    assert_int_equal(pb_placement_bind(topology, &placement, 6), -EINVAL);
    assert_int_equal(pb_placement_verify(topology, &placement, 6), -EINVAL);
    assert_refused(topology, "none", 7, false, -E2BIG, "7 workers, 6 units");
    assert_int_equal(pb_placement_plan(topology, "none", 7, true, &placement, NULL, 0), 0);
    assert_true(placement.oversubscribed);
    pb_topology_free(topology);
}

static void workers_share_units_in_turn_only_if_told(void **state)
{
    (void)state;
    struct pb_topology *plain = load(PLAIN), *caches = load(LINUX), *four = load(FOUR_WAY);
    struct pb_topology *three = load("pack:3 l3:1 core:2 pu:1");
    assert_plan(plain, "compact", 8, true, "*0,1,2,3,4,5,0,1");
    assert_plan(plain, "scatter", 8, true, "*0,1,2,3,4,5,0,1");
    assert_plan(plain, "compact", 3, true, "0,1,2");
    assert_plan(plain, "explicit:4,1", 5, true, "*4,1,4,1,4");
    assert_plan(caches, "llc", 10, true, "*0,1,2,3,8,9,10,11,0,1");
    assert_plan(four, "smt", 10, true, "*0,1,4,5,2,3,6,7,0,1");
    assert_refused(four, "cross", 2, true, -ENOTSUP, "no other side");
    assert_refused(plain, "smt", 2, true, -ENOTSUP, "two permitted units");
    /* a lone fifth worker is placed; a sixth would be without its other side */
    assert_plan(three, "cross", 5, false, "0,2,1,3,4");
    assert_refused(three, "cross", 6, false, -ENOTSUP, "5 of the 6 units");
    assert_plan(three, "cross", 6, true, "*0,2,1,3,0,2");
    pb_topology_free(plain);
    pb_topology_free(caches);
    pb_topology_free(four);
    pb_topology_free(three);
}

static void a_restricted_machine_uses_what_is_left(void **state)
{
    (void)state;
    struct pb_topology *plain = load_restricted(PLAIN, "1,2,4");
    assert_int_equal(pb_topology_units(plain), 3);
    assert_plan(plain, "compact", 3, false, "1,2,4");
    assert_plan(plain, "core", 3, false, "1,2,4");
    /* two of the first package's three to one of the second: still one worker in each */
    assert_plan(plain, "scatter", 2, false, "1,4");
    assert_plan(plain, "cross", 3, false, "1,4,2");
    assert_refused(plain, "compact", 4, false, -E2BIG, "3 units");
    assert_refused(plain, "explicit:1,3", 2, false, -ENOTSUP, "unit 3");
    pb_topology_free(plain);
    /* the second package has kept its memory, but no unit */
    struct pb_topology *half = load_restricted(PACKAGES, "0-7");
    assert_refused(half, "cross", 2, false, -ENOTSUP, "no other side");
    assert_refused(half, "scatter", 2, false, -ENOTSUP, "nothing lies apart");
    assert_plan(half, "core", 5, false, "0,2,4,6,1");
    pb_topology_free(half);
    /* one core has lost its sibling, one L3 most of its units */
    struct pb_topology *uneven = load_restricted(PACKAGES, "1-7,12");
    assert_plan(uneven, "smt", 3, false, "2,3,4");
    assert_refused(uneven, "smt", 7, false, -ENOTSUP, "6 of the 8 units");
    assert_plan(uneven, "llc", 5, false, "1,2,4,6,3");
    assert_plan(uneven, "scatter", 2, false, "1,12");
    assert_plan(uneven, "scatter", 8, false, "1,2,3,4,5,6,7,12");
    pb_topology_free(uneven);
}

static void llc_takes_the_first_cache_with_enough_units(void **state)
{
    (void)state;
    struct pb_topology *topology = load_restricted(CACHES, "6-15");
    assert_plan(topology, "llc", 2, false, "6,7");
    assert_plan(topology, "llc", 3, false, "8,10,12");
    assert_refused(topology, "llc", 9, false, -ENOTSUP, "8 of the 10 units");
    pb_topology_free(topology);
}

static void kinds_of_cores_are_never_mixed(void **state)
{
    (void)state;
    struct pb_topology *few = load("pack:2 l3:1 core:4 pu:1");
    add_kind(few, "2-7", 0);
    add_kind(few, "0-1", 1);
    assert_plan(few, "compact", 2, false, "0,1");
    assert_plan(few, "compact", 3, false, "2,3,4");
    assert_plan(few, "core", 6, false, "2,3,4,5,6,7");
    assert_refused(few, "compact", 7, false, -ENOTSUP, "2 of the 8 units");
    assert_refused(few, "compact", 9, false, -E2BIG, "8 units");
    assert_plan(few, "compact", 7, true, "*0,1,0,1,0,1,0");
    /* the fast kind lies in one package, the frugal one in both */
    assert_plan(few, "scatter", 2, false, "2,4");
    assert_plan(few, "cross", 4, false, "2,4,3,5");
    assert_plan(few, "cross", 5, true, "*2,4,3,5,2");
    assert_plan(few, "explicit:1,2", 2, false, "1,2");
    pb_topology_free(few);
    /* fast cores 0-3 with SMT under one L3, frugal ones without under the other */
    struct pb_topology *mixed = load_restricted(CACHES, "0-7,8,10,12,14");
    add_kind(mixed, "0-7", 1);
    add_kind(mixed, "8,10,12,14", 0);
    assert_plan(mixed, "core", 8, false, "0,2,4,6,1,3,5,7");
    assert_plan(mixed, "smt", 4, false, "0,1,2,3");
    assert_plan(mixed, "llc", 3, false, "0,2,4");
    assert_refused(mixed, "scatter", 2, false, -ENOTSUP, "nothing lies apart");
    assert_refused(mixed, "cross", 2, false, -ENOTSUP, "no other side");
    assert_refused(mixed, "core", 9, false, -ENOTSUP, "8 of the 12 units");
    pb_topology_free(mixed);
}

static void an_explicit_list_is_checked(void **state)
{
    (void)state;
    static const char *const malformed[] = {"a",
                                            "0,,1",
                                            "0,",
                                            ",0",
                                            "0-1",
                                            "-1",
                                            " 0",
                                            "0,1 ",
                                            "0x1",
                                            "4294967295",
                                            "99999999999999999999",
                                            "7,x"};
    struct pb_topology *topology = load(PLAIN);
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        char policy[64];
        snprintf(policy, sizeof(policy), "explicit:%s", malformed[i]);
        assert_refused(topology, policy, 1, false, -EINVAL,
                       "numbers separated by commas wanted at");
    }
    assert_refused(topology, "explicit", 1, false, -EINVAL, "needs a list");
    assert_refused(topology, "explicit:", 1, false, -EINVAL, "needs a list");
    assert_refused(topology, "explicit:1,0,1", 1, false, -EINVAL, "1 is named twice");
    assert_refused(topology, "explicit:0,6", 1, false, -ENOTSUP, "unit 6 is absent");
    assert_refused(topology, "explicit:0,1,2,3,4,5,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24", 1,
                   false, -EINVAL, "too long");
    assert_plan(topology, "explicit:5,0,3", 2, false, "5,0");
    assert_refused(topology, "explicit:5,0,3", 4, false, -E2BIG, "4 workers, 3 units");
    pb_topology_free(topology);
}

static void unknown_policies_and_counts_are_refused(void **state)
{
    (void)state;
    static const char *const unknown[] = {"", "Compact", "comp", "compact:", "compact:0", "spread"};
    struct pb_topology *topology = load(PLAIN);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_refused(topology, unknown[i], 1, false, -EINVAL, "unknown placement policy");
    assert_refused(topology, "compact", 0, false, -EINVAL, "no worker");
    assert_refused(topology, "compact", PB_PLACEMENT_MAX + 1, true, -E2BIG, "at most 1024");
    struct pb_placement placement;
    assert_int_equal(
        pb_placement_plan(topology, "compact", PB_PLACEMENT_MAX, true, &placement, NULL, 0), 0);
    assert_int_equal(placement.os_index[PB_PLACEMENT_MAX - 1], (PB_PLACEMENT_MAX - 1) % 6);
    char reason[8] = "";
    assert_int_equal(
        pb_placement_plan(topology, "smt", 1, false, &placement, reason, sizeof(reason)), -ENOTSUP);
    assert_string_equal(reason, "smt: no");
    pb_topology_free(topology);
}

static void every_listed_policy_is_known_and_explained(void **state)
{
    (void)state;
    struct pb_topology *topology = load(PACKAGES);
    unsigned count = 0;
    for (; pb_policies[count].name; count++) {
        struct pb_placement placement;
        char policy[32];
        bool list = !strcmp(pb_policies[count].name, "explicit");
        snprintf(policy, sizeof(policy), "%s%s", pb_policies[count].name, list ? ":0" : "");
        assert_int_equal(pb_placement_plan(topology, policy, 1, false, &placement, NULL, 0), 0);
        assert_true(strlen(pb_policies[count].help) > 10);
    }
    assert_int_equal(count, 8);
    pb_topology_free(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_gives_the_units_its_definition_says),
        cmocka_unit_test(none_binds_nobody_on_any_machine),
        cmocka_unit_test(workers_share_units_in_turn_only_if_told),
        cmocka_unit_test(a_restricted_machine_uses_what_is_left),
        cmocka_unit_test(llc_takes_the_first_cache_with_enough_units),
        cmocka_unit_test(kinds_of_cores_are_never_mixed),
        cmocka_unit_test(an_explicit_list_is_checked),
        cmocka_unit_test(unknown_policies_and_counts_are_refused),
        cmocka_unit_test(every_listed_policy_is_known_and_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
