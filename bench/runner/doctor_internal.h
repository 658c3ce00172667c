/* SPDX-License-Identifier: MIT */
/* Doctor's table and what judges its rows, shared by doctor's own files. */
#ifndef PB_DOCTOR_INTERNAL_H
#define PB_DOCTOR_INTERNAL_H

#include "runner/doctor.h"

struct pb_doctor_row {
    const char *id, *from; /* `from`: a file, or files, or a call */
    /* Fills the value; the level of what it found. May write over the cost and the mend
     * that the row has. */
    enum pb_doctor_level (*judge)(const struct pb_doctor_seen *seen,
                                  const struct pb_doctor_row *row, struct pb_finding *finding);
    enum pb_doctor_level bad; /* of a word that is not good, and of other judges' plain "bad" */
    const char *good[4];      /* words that are good */
    const char *cost, *source, *mend;
};

extern const struct pb_doctor_row pb_doctor_rows[]; /* ends with a NULL id */

/* Judges. The first reads the one line of `from` and looks for it among `good`; a file that is not
 * there is good. */
typedef enum pb_doctor_level pb_judge_fn(const struct pb_doctor_seen *seen,
                                         const struct pb_doctor_row *row,
                                         struct pb_finding *finding);
pb_judge_fn pb_judge_word, pb_judge_units, pb_judge_load, pb_judge_tsc, pb_judge_clock,
    pb_judge_offset, pb_judge_virtual, pb_judge_steal, pb_judge_cpu_quota, pb_judge_memory_limit,
    pb_judge_memlock, pb_judge_nofile, pb_judge_core, pb_judge_paranoid, pb_judge_counters,
    pb_judge_privileges, pb_judge_mitigations, pb_judge_swap, pb_judge_daemons, pb_judge_disk,
    pb_judge_huge_pages, pb_judge_build, pb_judge_hiccups, pb_judge_ping_pong;

/* Measures: 200 ms on every processor at once, at most 64. */
void pb_doctor_hiccups(struct pb_hiccups *hiccups);

/* Programs and libraries that the suite needs; each is a finding. */
void pb_doctor_needs(const char *program, struct pb_findings *findings);

/* A finding to fill; the last again where there is no more room. */
struct pb_finding *pb_doctor_add(struct pb_findings *findings, const char *id, const char *from);

#endif
