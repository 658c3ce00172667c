/* SPDX-License-Identifier: MIT */
/* What the first line of a run says beside the matrix: what of the machine takes a moment to find
 * out (libraries, the clocks' offsets, counters, doctor's findings), and the check that nothing of
 * the
 * full disclosure is missing. Source: methodology R12, R21; results/README.md. Threads: one. May
 * touch: what doctor does; the list of Debian's packages. */
#ifndef PB_HEADER_H
#define PB_HEADER_H

#include "runner/doctor.h"

#include <jansson.h>

/* Adds machine.libraries, .counters_kind, .counters_reason, the clock's offsets, and `doctor`. */
void pb_header_complete(json_t *line, const struct pb_doctor_seen *seen,
                        const struct pb_findings *findings);

/* New reference: {"jansson": "2.14 (libjansson4 2.14-2)", ...}; "" where nothing is known. */
json_t *pb_header_libraries(const char *root);

/* Whether every key that a header must have is there and of its type. Returns 0, or -EINVAL with
 * one line that names the first that is not: "machine.kernel is missing". */
int pb_header_check(const json_t *line, char *message, size_t size);

/* The dotted name of the key at `index` of those that are checked; NULL past the end. */
const char *pb_header_key(size_t index);

#endif
