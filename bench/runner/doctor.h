/* SPDX-License-Identifier: MIT */
/* What of this machine is wrong for measuring: a table of findings, each with how it is read, what
 * it costs and from where that is known, and the command that mends it. The environment's findings
 * go into every run's header; those that take time (hiccups, ping-pong, the mallocs) are doctor's
 * own.
 * Threads: one; measuring starts more for 0.2 s. May touch: reads /proc, /sys, the folders of PATH
 * and of libraries; starts a process for each malloc. */
#ifndef PB_DOCTOR_H
#define PB_DOCTOR_H

#include "engine/clock.h"
#include "engine/clock_offset.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum pb_doctor_level { PB_DOCTOR_OK, PB_DOCTOR_NOTE, PB_DOCTOR_WARNING, PB_DOCTOR_MISSING };
extern const char *const pb_doctor_levels[]; /* "ok", "note", "warning", "missing", NULL */

enum { PB_FINDINGS_MAX = 64, PB_FINDING_TEXT_MAX = 512 };

struct pb_finding {
    const char *id, *from; /* what is read, and where */
    enum pb_doctor_level level;
    char value[PB_FINDING_TEXT_MAX];
    char cost[PB_FINDING_TEXT_MAX]; /* what it does to a measurement; "" where it is ok */
    const char *source;             /* of that cost: "measured here", or who says so */
    char mend[PB_FINDING_TEXT_MAX]; /* the command, or that it cannot be changed */
};

struct pb_findings {
    size_t n;
    struct pb_finding at[PB_FINDINGS_MAX];
};

/* One processor's share of time lost to gaps between readings of the clock, and the longest. */
struct pb_hiccups {
    unsigned cpus;
    int worst_cpu;
    double lost, longest_ns; /* of the worst: 0.007, 800000 */
};

/* What the findings are made of, beside the files below the root. A test makes one up. */
struct pb_doctor_seen {
    const char *root; /* "" for this machine */
    unsigned units;   /* that the process may use */
    const struct pb_clock *clock;
    const char *sanitizer;
    int check;            /* PB_CHECK */
    const char *counters; /* pb_perf_kind, and the reason */
    char counters_reason[160];
    char results[512];             /* where runs go */
    double free_bytes;             /* there; NAN: not known */
    struct pb_clock_offset offset; /* no cpus: not measured */
    struct pb_hiccups hiccups;     /* the same */
    double syscall_ns;             /* NAN: not measured */
};

/* This machine. `measure`: what takes time too. `events`: what a run would count (perf_events.h).
 */
void pb_doctor_see(struct pb_doctor_seen *seen, unsigned units, const char *events, bool measure);

/* The environment's findings. */
void pb_doctor_find(const struct pb_doctor_seen *seen, struct pb_findings *findings);

/* The first finding of level warning or worse as one line with its remedy. Returns whether there is
 * one. */
bool pb_doctor_refuses(const struct pb_findings *findings, char *line, size_t size);

/* New reference: [{id, level, value}], for a run's header. */
json_t *pb_doctor_facts(const struct pb_findings *findings);

/* How doctor is asked. */
struct pb_doctor_request {
    const char *program; /* started anew with each malloc preloaded (preload.h) */
    bool json, strict;
};

/* Prints the facts and all findings, those on programs and libraries among them. Returns whether
 * the machine will do: nothing is missing, and if strict no warning; else `line` says what. */
bool pb_doctor(const struct pb_doctor_request *request, FILE *out, char *line, size_t size);

#endif
