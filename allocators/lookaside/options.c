/* SPDX-License-Identifier: MIT */
/* The lookaside's option table (options.h). Where a default is not NT's, the help says so.
 * Threads: const. */
#include "lookaside/options.h"

#include "lookaside/list.h"

const char *const pb_lookaside_scopes[] = {"list", "thread", "percpu", NULL};
static const char *const tune_names[] = {"off", "adaptive", NULL};

const struct pb_option pb_lookaside_options[] = {
    {.name = "depth",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct lookaside_options, depth),
     .unit = "blocks",
     .standard = "256",
     .min = 1,
     .max = PB_LOOKASIDE_DEPTH_MOST,
     .help =
         "blocks that a list keeps; frees beyond it go to the backing. With tune=adaptive where "
         "it begins (NT: 4)"},
    {.name = "scope",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct lookaside_options, scope),
     .standard = "list",
     .choices = pb_lookaside_scopes,
     .help = "one lock-free list that all threads share, as NT's, a stack a thread, or a list a "
             "processor, as in front of NT's pool"},
    {.name = "backing",
     .type = PB_OPTION_TEXT,
     .offset = offsetof(struct lookaside_options, backing),
     .standard = "pool",
     .help = "the variant that serves what the list cannot"},
    {.name = "shared",
     .type = PB_OPTION_FLAG,
     .offset = offsetof(struct lookaside_options, shared),
     .standard = "on",
     .help = "scope=percpu: one list more behind those of the processors, as NT had up to 2003"},
    {.name = "tune",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct lookaside_options, tune),
     .standard = "off",
     .choices = tune_names,
     .help = "adjust the depth of each list each tune_period by the tune_ options"},
    {.name = "max_depth",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct lookaside_options, max_depth),
     .unit = "blocks",
     .standard = "256",
     .min = 1,
     .max = PB_LOOKASIDE_DEPTH_MOST,
     .help = "tune=adaptive: depth never rises above"},
    PB_TUNING_ROWS(struct lookaside_options){.type = PB_OPTION_END},
};
