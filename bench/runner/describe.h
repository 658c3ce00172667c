/* SPDX-License-Identifier: MIT */
/* What there is, from the registries themselves: strategies, workloads, probes, policies, matrices
 * and figures. Threads: one. May touch: standard output, matrices' folders. */
#ifndef PB_DESCRIBE_H
#define PB_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Lists the kinds of those names (NULL-terminated; none: all). Returns 0, or -EINVAL with one line.
 */
int pb_list(char *const *kinds, size_t n, bool json, FILE *out, char *message, size_t message_size);

/* All about a strategy, variant, workload, probe, metric or pin policy. Returns 0, or -ENOENT with
 * one line. */
int pb_describe(const char *name, FILE *out, char *message, size_t message_size);

#endif
