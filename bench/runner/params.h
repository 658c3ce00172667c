/* SPDX-License-Identifier: MIT */
/* The options of a workload as a cell carries them: "size=64,n=32", those that were given, in the
 * order of the workload's table, each as the table prints it. Threads: any. May touch: nothing
 * else. */
#ifndef PB_PARAMS_H
#define PB_PARAMS_H

#include "workloads/workload.h"

#include <jansson.h>

enum { PB_PARAMS_OPTIONS_MAX = 2048 }; /* of a workload's option struct */

/* One value as the table prints it ("4096" -> "4k"). Returns 0; -ENOENT for an unknown key,
 * -EINVAL, -ERANGE with one line that says what is allowed. */
int pb_params_canonical(const struct pb_workload *workload, const char *key, const char *text,
                        char *out, size_t size, char *message, size_t message_size);

/* The option's value in a cell, its default where it was not given. Returns 0 or as above. */
int pb_params_value(const struct pb_workload *workload, const char *params, const char *key,
                    char *out, size_t size);

/* Parses into `options`, which has PB_PARAMS_OPTIONS_MAX bytes aligned to 16. As pb_option_parse.
 */
int pb_params_parse(const struct pb_workload *workload, const char *params, void *options,
                    char *message, size_t message_size);

/* Those given, as an object: numbers as numbers, the rest as text. NULL without memory. */
json_t *pb_params_json(const struct pb_workload *workload, const char *params);

/* All of them with their defaults, as an object of texts: what tells two cells apart. */
json_t *pb_params_identity(const struct pb_workload *workload, const char *params);

#endif
