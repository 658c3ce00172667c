/* SPDX-License-Identifier: MIT */
/* The parts of a report, shared by the files that write one: report.c makes the summary and picks
 * the writer, report_notes.c and report_words.c put into sentences what stands around the tables.
 */
#ifndef PB_REPORT_INTERNAL_H
#define PB_REPORT_INTERNAL_H

#include "runner/report.h"
#include "runner/report_summary.h"

enum pb_note_section {
    PB_NOTE_HEADER,   /* what was run, where, and how to read it */
    PB_NOTE_WARNING,  /* what a reader should doubt */
    PB_NOTE_FAILURE,  /* cells without a figure, and why */
    PB_NOTE_SWITCHES, /* what one option changes; head is the group */
    PB_NOTE_WORDS,    /* the result in words; head is the group */
    PB_NOTE_SECTIONS
};

/* One line: "head  text". */
struct pb_note {
    enum pb_note_section section;
    char *head, *text;
};

struct pb_notes {
    struct pb_note *notes;
    size_t n;
    int error; /* the first -ENOMEM; later additions do nothing */
};

__attribute__((format(printf, 4, 5))) void pb_notes_add(struct pb_notes *notes,
                                                        enum pb_note_section section,
                                                        const char *head, const char *format, ...);
void pb_notes_free(struct pb_notes *notes);

/* Header, warnings and failures; among the warnings what was disturbed, what the values look like
 * that one estimate hides, and why "-" stands where a figure is missing; the result in words; of
 * variants that differ in one option, what that option changes. */
void pb_notes_run(struct pb_notes *notes, const struct pb_summary *summary);
void pb_notes_doubts(struct pb_notes *notes, const struct pb_summary *summary);
void pb_notes_shapes(struct pb_notes *notes, const struct pb_summary *summary);
void pb_notes_missing(struct pb_notes *notes, const struct pb_summary *summary);
void pb_notes_words(struct pb_notes *notes, const struct pb_summary *summary);
void pb_notes_switches(struct pb_notes *notes, const struct pb_summary *summary);

enum { PB_REPORT_LIMITS_MAX = 512 }; /* bytes that pb_report_limits may need */

/* "A/A of jemalloc 0.99 [0.97, 1.02]; floor: null 1.42; empty loop 0.31". The twin is that of the
 * run's reference, whatever ratios refer to. */
void pb_report_limits(const struct pb_summary *summary, const struct pb_summary_group *group,
                      char *out, size_t size);

/* Whether an interval has shrunk to a point: values in steps, not a certainty. */
bool pb_report_no_width(const struct pb_estimate *estimate);

/* "[0.97, 1.02]", with digits enough to tell its ends apart; "no spread" of one without width; "-"
 * without an interval. */
void pb_report_interval(const struct pb_estimate *estimate, char *out, size_t size);

/* The writers. Return 0, -ENOMEM, -EIO. */
struct pb_report_job {
    const struct pb_report_options *options;
    const struct pb_summary *summary;
    const struct pb_notes *notes;
    FILE *out;
};
typedef int pb_report_writer(const struct pb_report_job *job);
pb_report_writer pb_report_table, pb_report_markdown, pb_report_csv, pb_report_json;

#endif
