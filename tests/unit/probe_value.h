/* SPDX-License-Identifier: MIT */
/* For tests of probes: what one says of an observation. Include after cmocka. Pure. */
#ifndef PB_TEST_PROBE_VALUE_H
#define PB_TEST_PROBE_VALUE_H

#include "probes/probe.h"

#include <math.h>
#include <string.h>

enum { VALUES_MAX = 192 };

/* The value of `key` when `probe` reports on `o`. */
static inline double value_of(const char *probe_name, const struct pb_observation *o,
                              const void *rate, const void *tail, const char *key)
{
    const struct pb_probe *probe = pb_probe_find(probe_name);
    double values[VALUES_MAX];
    assert_non_null(probe);
    for (size_t i = 0; i < VALUES_MAX; i++)
        values[i] = -12345.0;
    probe->report(o, rate, tail, values);
    size_t found = VALUES_MAX, n = 0;
    for (; probe->metrics[n].key != NULL; n++)
        if (strcmp(probe->metrics[n].key, key) == 0)
            found = n;
    assert_true(found < n);
    for (size_t i = 0; i < VALUES_MAX; i++)
        assert_true((values[i] == -12345.0) == (i >= n)); /* every metric, and no more */
    return values[found];
}

static inline void assert_near(double got, double expected)
{
    assert_true(fabs(got - expected) <= fabs(expected) * 1e-9 + 1e-12);
}

#endif
