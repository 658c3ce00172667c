/* SPDX-License-Identifier: MIT */
/* Topology: descriptions can be loaded again, a malformed one is refused, domains are counted
 * once, units are spread evenly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "placement/placement.h"
#include "placement/topology.h"

#include <errno.h>
#include <string.h>

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

static void a_description_gives_the_same_machine_again(void **state)
{
    (void)state;
    static const char *const machines[] = {"pack:2 numa:1 l3:1 core:4 pu:2",
                                           "pack:1 l3:2 core:4 pu:2(indexes=2*8:1*2)",
                                           "pack:2 core:3 pu:1", "core:1 pu:1"};
    for (size_t m = 0; m < sizeof(machines) / sizeof(machines[0]); m++) {
        struct pb_topology *topology = load(machines[m]);
        char text[256], again[256];
        int length = pb_topology_describe(topology, text, sizeof(text));
        assert_int_equal(length, strlen(text));
        assert_int_equal(pb_topology_describe(topology, again, (size_t)length), -ENOSPC);
        struct pb_topology *copy = load(text);
        assert_int_equal(pb_topology_describe(copy, again, sizeof(again)), length);
        assert_string_equal(again, text);
        struct pb_placement a, b;
        unsigned units = pb_topology_units(topology);
        assert_int_equal(pb_topology_units(copy), units);
        assert_int_equal(pb_placement_plan(topology, "core", units, false, &a, NULL, 0), 0);
        assert_int_equal(pb_placement_plan(copy, "core", units, false, &b, NULL, 0), 0);
        assert_memory_equal(a.os_index, b.os_index, sizeof(a.os_index));
        pb_topology_free(copy);
        pb_topology_free(topology);
    }
}

static void an_uneven_machine_is_described_by_its_counts(void **state)
{
    (void)state;
    struct pb_topology *topology = load_restricted("pack:2 numa:1 l3:1 core:4 pu:2", "1-7,12");
    static const char expect[] = "uneven pack:2 numa:2 l3:2 core:5 pu:8 units=1-7,12";
    char text[128];
    assert_int_equal(pb_topology_describe(topology, text, sizeof(text)), sizeof(expect) - 1);
    assert_string_equal(text, expect);
    for (size_t size = 1; size < sizeof(expect); size++)
        assert_int_equal(pb_topology_describe(topology, text, size), -ENOSPC);
    assert_int_equal(pb_topology_describe(topology, text, sizeof(expect)), sizeof(expect) - 1);
    pb_topology_free(topology);
}

static void a_malformed_machine_is_refused(void **state)
{
    (void)state;
    struct pb_topology *topology = NULL;
    assert_int_equal(pb_topology_load("four sockets", &topology), -EINVAL);
    assert_null(topology);
    pb_topology_free(NULL);
}

/* Counts of packages, NUMA nodes and L3 caches that name units of their own. */
static void objects_that_name_the_same_units_count_once(void **state)
{
    (void)state;
    static const struct {
        const char *machine, *units;
        unsigned packages, nodes, caches;
    } cases[] = {
        {"pack:2 numa:1 l3:1 core:4 pu:2", "0-15", 2, 2, 2},
        {"pack:2 numa:1 l3:1 core:4 pu:2", "8-15", 1, 1, 1}, /* the first kept its memory */
        {"pack:1 [numa] l3:2 [numa] core:2 pu:1", "0-3", 1, 2, 2},
        {"pack:1 [numa] l3:2 [numa] core:2 pu:1", "2", 1, 1, 1},
        {"pack:2 [numa] [numa] core:2 pu:1", "0-3", 2, 2, 0},
        {"pu:4", "0-3", 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_topology *topology = load_restricted(cases[i].machine, cases[i].units);
        hwloc_const_cpuset_t set = hwloc_topology_get_topology_cpuset(topology->tree);
        assert_int_equal(pb_topology_domains(topology, HWLOC_OBJ_PACKAGE, set), cases[i].packages);
        assert_int_equal(pb_topology_domains(topology, HWLOC_OBJ_NUMANODE, set), cases[i].nodes);
        assert_int_equal(pb_topology_domains(topology, HWLOC_OBJ_L3CACHE, set), cases[i].caches);
        pb_topology_free(topology);
    }
}

static void this_machine_has_units_and_a_description(void **state)
{
    (void)state;
    struct pb_topology *topology = load(NULL);
    char text[4096];
    assert_true(pb_topology_units(topology) >= 1);
    int length = pb_topology_describe(topology, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    assert_int_equal(hwloc_get_nbobjs_by_type(topology->tree, HWLOC_OBJ_PCI_DEVICE), 0);
    assert_int_equal(hwloc_get_nbobjs_by_type(topology->tree, HWLOC_OBJ_OS_DEVICE), 0);
    pb_topology_free(topology);
}

/* hwloc's own distribution is the oracle on even machines. */
static void a_spread_agrees_with_hwloc_where_objects_are_even(void **state)
{
    (void)state;
    static const char *const machines[] = {"pack:2 numa:1 l3:1 core:4 pu:2",
                                           "pack:1 l3:2 core:4 pu:2(indexes=2*8:1*2)",
                                           "pack:2 core:3 pu:1", "pack:3 l3:2 core:5 pu:2", "pu:7"};
    for (size_t m = 0; m < sizeof(machines) / sizeof(machines[0]); m++) {
        struct pb_topology *topology = load(machines[m]);
        hwloc_obj_t root = hwloc_get_root_obj(topology->tree);
        for (unsigned n = 1; n <= pb_topology_units(topology); n++) {
            hwloc_cpuset_t sets[64];
            unsigned units[64];
            assert_int_equal(pb_topology_spread(topology, root->cpuset, n, units), n);
            assert_int_equal(hwloc_distrib(topology->tree, &root, 1, sets, n, 64, 0), 0);
            for (unsigned i = 0; i < n; i++) {
                assert_int_equal(units[i], hwloc_bitmap_first(sets[i]));
                hwloc_bitmap_free(sets[i]);
            }
        }
        pb_topology_free(topology);
    }
}

/* Where they are not, hwloc crowds: two workers on the six units of one package, none on the
 * other's one. */
static void a_spread_of_uneven_objects_still_uses_all_of_them(void **state)
{
    (void)state;
    struct pb_topology *topology = load_restricted("pack:2 l3:1 core:6 pu:1", "0-5,11");
    hwloc_const_cpuset_t set = hwloc_topology_get_topology_cpuset(topology->tree);
    static const unsigned expect[][4] = {{0}, {0, 11}, {0, 3, 11}, {0, 2, 4, 11}};
    for (unsigned n = 1; n <= 4; n++) {
        unsigned units[8];
        assert_int_equal(pb_topology_spread(topology, set, n, units), n);
        assert_memory_equal(units, expect[n - 1], n * sizeof(units[0]));
    }
    unsigned all[8];
    assert_int_equal(pb_topology_spread(topology, set, 8, all), 7);
    pb_topology_free(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_gives_the_same_machine_again),
        cmocka_unit_test(an_uneven_machine_is_described_by_its_counts),
        cmocka_unit_test(a_malformed_machine_is_refused),
        cmocka_unit_test(objects_that_name_the_same_units_count_once),
        cmocka_unit_test(a_spread_agrees_with_hwloc_where_objects_are_even),
        cmocka_unit_test(a_spread_of_uneven_objects_still_uses_all_of_them),
        cmocka_unit_test(this_machine_has_units_and_a_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
