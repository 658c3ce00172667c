/* SPDX-License-Identifier: MIT */
/* An epoch's options: the profiles take turns, and each switch of the executive is drawn anew; so
 * is whether its checks are on. Threads: the main one, while all workers wait. */
#include "nt/stress.h"

#include <poolbench/nt/irql.h>

#include <stdio.h>
#include <string.h>

enum { VALUES_MOST = 8 };

static const char *const profiles[] = {"x64",   "nt4",     "w2k",  "xp",
                                       "vista", "vista86", "win8", "win8_86"};

/* A value that is named more than once is drawn more often. */
static const struct {
    const char *name;
    const char *values[VALUES_MOST];
} switches[] = {{"lock", {"fas", "fas", "fas", "dec", "mutex"}},
                {"lists", {"auto", "auto", "auto", "off", "on"}},
                {"shared_lists", {"auto", "auto", "auto", "off", "on"}},
                {"list_depth", {"4", "4", "0", "64", "300"}},
                {"processors", {"0", "0", "1", "5"}},
                {"tune", {"off", "on"}},
                {"search", {"exact", "exact", "exact", "next"}},
                {"delayed_frees", {"auto", "auto", "off", "on"}},
                {"link_checks", {"auto", "auto", "off", "on"}},
                {"page_walk", {"off", "off", "off", "off", "off", "off", "on"}},
                {"tail_reuse", {"auto", "auto", "off", "on"}},
                {"paged_pools", {"4", "1", "16"}},
                {"nonpaged_pools", {"1", "1", "3"}},
                {"tag_slots", {"2048", "64"}},
                {"big_entries", {"4096", "4096", "64"}},
                {"checked", {"off", "on"}},
                {"cache_aligned", {"off", "on"}},
                {"resident", {"on", "off", "off"}},
                {"release", {"0", "0", "0", "64k"}},
                {"special", {"off", "off", "off", "off", "off", "off", "off", "overrun"}},
                {"nonpaged_limit", {"0", "0", "0", "0", "0", "16M"}},
                {"paged_limit", {"0", "0", "0", "0", "0", "16M"}}};

static const char *value_of(const char *const values[VALUES_MOST])
{
    unsigned n = 0;
    while (n < VALUES_MOST && values[n] != NULL)
        n++;
    return values[pb_rng_below(&stress_run.rng, n)];
}

/* The reserve of the must-succeed types has room for all that limits can refuse. */
void stress_choose_options(void)
{
    size_t n = sizeof profiles / sizeof *profiles, size = sizeof stress_run.options;
    const char *profile =
        stress_run.profile != NULL ? stress_run.profile : profiles[stress_run.epoch % n];
    int length =
        snprintf(stress_run.options, size, "profile=%s,must_succeed=2048,tags=on", profile);
    for (unsigned i = 0; i < sizeof switches / sizeof *switches; i++)
        length += snprintf(stress_run.options + length, size - (size_t)length, ",%s=%s",
                           switches[i].name, value_of(switches[i].values));
    PbNtChecked = (BOOLEAN)pb_rng_below(&stress_run.rng, 2);
}
