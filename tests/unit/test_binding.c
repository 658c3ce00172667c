/* SPDX-License-Identifier: MIT */
/* Binding on this machine: workers are where they were put, and a worker that strays is caught;
 * units that the process may not use do not exist; memory policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "placement/placement.h"
#include "placement/topology.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 2 };

static struct pb_topology *load(const char *synthetic)
{
    struct pb_topology *topology = NULL;
    assert_int_equal(pb_topology_load(synthetic, &topology), 0);
    assert_non_null(topology);
    return topology;
}

/* A worker each on its own unit of this machine; skips the test where there are fewer units. */
static void plan_workers(struct pb_topology *topology, struct pb_placement *placement)
{
    if (pb_topology_units(topology) < WORKERS) {
        pb_topology_free(topology);
        skip_because("one unit only: nothing to move between");
    }
    assert_int_equal(pb_placement_plan(topology, "compact", WORKERS, false, placement, NULL, 0), 0);
}

static int move_to(unsigned unit)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(unit, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : -errno;
}

/* What one worker saw; checked after the join. */
struct worker {
    const struct pb_topology *topology;
    const struct pb_placement *placement;
    unsigned index;
    int bound, verified, unit;
    int widened, loose; /* its set was widened: it still runs on its unit */
    int moved, strayed; /* it was moved behind our back */
    int returned, verified_again;
};

static void *work(void *arg)
{
    struct worker *me = arg;
    const unsigned *units = me->placement->os_index;
    cpu_set_t both;
    me->bound = pb_placement_bind(me->topology, me->placement, me->index);
    me->verified = pb_placement_verify(me->topology, me->placement, me->index);
    me->unit = sched_getcpu();
    CPU_ZERO(&both);
    CPU_SET(units[0], &both);
    CPU_SET(units[1], &both);
    me->widened = sched_setaffinity(0, sizeof(both), &both);
    me->loose = pb_placement_verify(me->topology, me->placement, me->index);
    me->moved = move_to(units[1 - me->index]);
    me->strayed = pb_placement_verify(me->topology, me->placement, me->index);
    me->returned = pb_placement_bind(me->topology, me->placement, me->index);
    me->verified_again = pb_placement_verify(me->topology, me->placement, me->index);
    return NULL;
}

static void workers_run_where_they_are_bound_and_a_stray_is_caught(void **state)
{
    (void)state;
    struct pb_topology *topology = load(NULL);
    struct pb_placement placement;
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    plan_workers(topology, &placement);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] =
            (struct worker){.topology = topology, .placement = &placement, .index = i, .unit = -1};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(workers[i].bound, 0);
        assert_int_equal(workers[i].verified, 0);
        assert_int_equal(workers[i].unit, placement.os_index[i]);
        assert_int_equal(workers[i].moved, 0);
        assert_int_equal(workers[i].strayed, -EXDEV);
        assert_int_equal(workers[i].widened, 0);
        assert_int_equal(workers[i].loose, -EXDEV);
        assert_int_equal(workers[i].returned, 0);
        assert_int_equal(workers[i].verified_again, 0);
    }
    /* the main thread was never bound */
    assert_int_equal(pb_placement_verify(topology, &placement, 0), -EXDEV);
    assert_int_equal(pb_placement_verify(topology, &placement, WORKERS), -EINVAL);
    assert_int_equal(pb_placement_bind(topology, &placement, WORKERS), -EINVAL);
    pb_topology_free(topology);
}

/* Asserts that binding is refused, not silently accepted, and moves nobody. */
static void assert_unbindable(const struct pb_topology *topology)
{
    struct pb_placement placement;
    cpu_set_t before, after;
    assert_int_equal(pb_placement_plan(topology, "compact", 2, false, &placement, NULL, 0), 0);
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(pb_placement_bind(topology, &placement, 0), -ENOTSUP);
    assert_int_equal(pb_placement_verify(topology, &placement, 0), -ENOTSUP);
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void a_synthetic_machine_refuses_to_bind(void **state)
{
    (void)state;
    struct pb_topology *topology = load("pack:2 numa:1 core:2 pu:1");
    assert_unbindable(topology);
    assert_int_equal(pb_placement_bind_memory(topology, "local"), -ENOTSUP);
    assert_int_equal(pb_placement_bind_memory(topology, "interleave"), -ENOTSUP);
    assert_int_equal(pb_placement_bind_memory(topology, "default"), 0);
    pb_topology_free(topology);
}

static void a_machine_from_the_environment_does_not_pass_for_this_one(void **state)
{
    (void)state;
    assert_int_equal(setenv("HWLOC_SYNTHETIC", "core:5 pu:1", 1), 0);
    struct pb_topology *topology = load(NULL);
    assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
    assert_int_equal(pb_topology_units(topology), 5);
    assert_unbindable(topology);
    pb_topology_free(topology);
}

/* What is wrong in a process that may use `unit` only: 0, or one bit for each fault. */
static int faults_with_only(unsigned unit)
{
    struct pb_topology *topology = NULL;
    struct pb_placement placement;
    char policy[32];
    if (pb_topology_load(NULL, &topology) != 0)
        return 64;
    snprintf(policy, sizeof(policy), "explicit:%u", unit);
    int faults = pb_topology_units(topology) == 1 ? 0 : 1;
    if (pb_placement_plan(topology, policy, 1, false, &placement, NULL, 0) != 0)
        faults |= 2;
    else if (pb_placement_bind(topology, &placement, 0) != 0)
        faults |= 4;
    if (pb_placement_plan(topology, "compact", 2, false, &placement, NULL, 0) != -E2BIG)
        faults |= 8;
    pb_topology_free(topology);
    return faults;
}

/* The faults in a child that may use `unit` only, as taskset starts it: bound before the fork,
 * since a sanitizer's own thread would otherwise keep the wider set. It expects `claimed`. */
static int faults_of_child(unsigned unit, unsigned claimed)
{
    cpu_set_t before;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(move_to(unit), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(faults_with_only(claimed));
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_restricted_process_sees_only_its_unit(void **state)
{
    (void)state;
    struct pb_topology *topology = load(NULL);
    struct pb_placement placement;
    plan_workers(topology, &placement);
    assert_int_equal(faults_of_child(placement.os_index[1], placement.os_index[1]), 0);
    assert_int_equal(faults_of_child(placement.os_index[0], placement.os_index[0]), 0);
    /* planted: the other unit is claimed to be the permitted one */
    assert_int_equal(faults_of_child(placement.os_index[0], placement.os_index[1]), 2);
    pb_topology_free(topology);
}

/* The calling thread's policy, and in *nodes its nodes. */
static hwloc_membind_policy_t policy_of(const struct pb_topology *topology, hwloc_bitmap_t nodes)
{
    hwloc_membind_policy_t policy = HWLOC_MEMBIND_MIXED;
    assert_int_equal(hwloc_get_membind(topology->tree, nodes, &policy,
                                       HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET),
                     0);
    return policy;
}

static void memory_is_bound_to_the_node_and_released(void **state)
{
    (void)state;
    struct pb_topology *topology = load(NULL);
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    assert_non_null(nodes);
    assert_int_equal(pb_placement_bind_memory(topology, "near"), -EINVAL);
    assert_int_equal(pb_placement_bind_memory(topology, ""), -EINVAL);
    assert_int_equal(pb_placement_bind_memory(topology, "default"), 0);
    int several = hwloc_get_nbobjs_by_type(topology->tree, HWLOC_OBJ_NUMANODE) > 1;
    int rc = pb_placement_bind_memory(topology, "local");
    if (rc == -ENOTSUP) {
        print_message("this system binds no memory\n");
    } else {
        assert_int_equal(rc, 0);
        assert_int_equal(policy_of(topology, nodes), HWLOC_MEMBIND_BIND);
        assert_int_equal(hwloc_bitmap_weight(nodes), 1);
        assert_int_equal(pb_placement_bind_memory(topology, "default"), 0);
        assert_int_not_equal(policy_of(topology, nodes), HWLOC_MEMBIND_BIND);
        assert_int_equal(pb_placement_bind_memory(topology, "interleave"), several ? 0 : -ENOTSUP);
        assert_int_equal(policy_of(topology, nodes) == HWLOC_MEMBIND_INTERLEAVE, several);
    }
    hwloc_bitmap_free(nodes);
    pb_topology_free(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_run_where_they_are_bound_and_a_stray_is_caught),
        cmocka_unit_test(a_synthetic_machine_refuses_to_bind),
        cmocka_unit_test(a_machine_from_the_environment_does_not_pass_for_this_one),
        cmocka_unit_test(a_restricted_process_sees_only_its_unit),
        cmocka_unit_test(memory_is_bound_to_the_node_and_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
