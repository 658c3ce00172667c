/* SPDX-License-Identifier: MIT */
/* For tests: matrices written on the spot, and their plans on a machine of two units, so that they
 * are the same everywhere. Include after cmocka. One thread; a file in the working folder. */
#ifndef PB_TEST_PLAN_FIXTURE_H
#define PB_TEST_PLAN_FIXTURE_H

#include "placement/placement.h"
#include "runner/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[32], message[PB_MESSAGE_MAX];
static struct pb_topology *two_units;

static inline int plan_setup(void **state)
{
    (void)state;
    return pb_topology_load("core:2 pu:1", &two_units);
}

static inline int plan_teardown(void **state)
{
    (void)state;
    pb_topology_free(two_units);
    return 0;
}

static inline struct pb_matrix *read_matrix(const char *text)
{
    struct pb_matrix *matrix = NULL;
    snprintf(path, sizeof path, "plan-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int error = pb_matrix_read(path, &matrix, message, sizeof message);
    if (error != 0)
        fail_msg("%s", message);
    return matrix;
}

static inline int try_plan(const char *text, const char *filter, struct pb_plan **plan)
{
    struct pb_matrix *matrix = read_matrix(text);
    *plan = NULL;
    message[0] = '\0';
    int error = pb_plan_make(matrix, two_units, filter, plan, message, sizeof message);
    pb_matrix_free(matrix);
    unlink(path);
    return error;
}

static inline struct pb_plan *make_plan(const char *text, const char *filter)
{
    struct pb_plan *plan;
    int error = try_plan(text, filter, &plan);
    if (error != 0)
        fail_msg("%d %s", error, message);
    return plan;
}

#define AXES                                                                                       \
    "blocks = 5\nreference = \"glibc\"\n[axes]\nalloc = [\"null\", \"pool\", \"zone\"]\n"          \
    "threads = [1, 2]\n"
#define PAIR AXES "[[workload]]\nname = \"pair\"\nsize = [64, 128]\n"

#endif
