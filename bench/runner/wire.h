/* SPDX-License-Identifier: MIT */
/* A cell's spec and result as JSON: what crosses between the runner and a child, and, key for key,
 * what a record of kind "rep" holds of them (results/README.md). Threads: any. May touch: nothing
 * else. */
#ifndef PB_WIRE_H
#define PB_WIRE_H

#include "runner/cell.h"

#include <jansson.h>

/* New references; NULL without memory. */
json_t *pb_wire_spec_to_json(const struct pb_cell_spec *spec);

/* A status other than ok has no figures: only what says what happened, tags among it. An ok result
 * has a wall_ns above 0; one without is written as failed. An infinite metric is left out and named
 * in `warn`; one that is not a number does not apply and is left out. */
json_t *pb_wire_result_to_json(const struct pb_cell_result *result);

/* Return 0, or -EINVAL with one line that names the key. Unknown keys are ignored. */
int pb_wire_spec_from_json(const json_t *json, struct pb_cell_spec *spec, char *message,
                           size_t message_size);

/* An ok result whose wall_ns is not above 0 is refused too. `hists` is the caller's, PB_VIEW_N
 * of them; result points to those that the record has. Tags are left to pb_tags_from_json. */
int pb_wire_result_from_json(const json_t *json, struct pb_cell_result *result,
                             struct pb_hist *hists, char *message, size_t message_size);

/* The status of that name, or -1. */
int pb_status_find(const char *name);

#endif
