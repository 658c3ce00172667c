/* SPDX-License-Identifier: MIT */
/* The lookaside's switches, as one table that serves variant text, `describe` and matrices.
 * Threads: const. May include: nt/, option.h. */
#ifndef PB_LOOKASIDE_OPTIONS_H
#define PB_LOOKASIDE_OPTIONS_H

#include "nt/tuning.h"

enum lookaside_tune { TUNE_OFF, TUNE_ADAPTIVE };

struct lookaside_options {
    uint64_t depth;
    uint64_t scope;
    char backing[PB_OPTION_TEXT_MAX];
    uint64_t shared;
    uint64_t tune;
    uint64_t max_depth;
    struct pb_tuning tuning;
};

extern const struct pb_option pb_lookaside_options[];
extern const char *const pb_lookaside_scopes[]; /* by enum lookaside_scope */

#endif
