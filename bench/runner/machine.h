/* SPDX-License-Identifier: MIT */
/* What a record says of where it was made: the machine, and the suite that measured. Facts that
 * cannot be read are empty. Source: methodology R21; proc(5); the kernel's Documentation/ABI.
 * Threads: one. May touch: reads /proc and /sys below a root, so that tests can give a recorded
 * tree; the names of our environment's variables. */
#ifndef PB_MACHINE_H
#define PB_MACHINE_H

#include "engine/clock.h"
#include "placement/placement.h"

#include <jansson.h>

/* New reference: results/README.md, `machine`. `root`: "" for this machine. `topology` and `clock`
 * may be NULL: their facts are left out. */
json_t *pb_machine_facts(const char *root, const struct pb_topology *topology,
                         const struct pb_clock *clock);

/* New reference: results/README.md, `suite`. */
json_t *pb_suite_facts(void);

/* New reference: the names of our environment's variables that no child is given (spawn.h). */
json_t *pb_machine_dropped(void);

/* Whether a run with this header can go on here: the same suite; the same processor, microcode,
 * units, kernel, libc and /etc/malloc.conf. Otherwise `what` is the first fact that differs:
 * "machine.kernel". */
bool pb_machine_same(const json_t *header, const struct pb_topology *topology, char *what,
                     size_t size);

/* New reference: every metric that a record may hold: unit, better, help. */
json_t *pb_metric_facts(void);

extern const char pb_suite_version[];
extern const char pb_suite_sanitizer[]; /* "address,undefined", "thread", "" */

#endif
