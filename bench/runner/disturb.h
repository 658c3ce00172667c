/* SPDX-License-Identifier: MIT */
/* Which repetitions something else than the cell disturbed: the rules, declared before the run,
 * with their thresholds and reasons. What they find is kept and flagged and, for as long as the
 * plan allows,
 * repeated; nothing is ever dropped because of its result. Source: methodology R14, R15, R24. A metric
 * that a record lacks disturbs nothing. Threads: one. */
#ifndef PB_DISTURB_H
#define PB_DISTURB_H

#include <jansson.h>
#include <stddef.h>

struct pb_disturb_rule {
    const char *id;     /* in the record's `disturbed` */
    const char *metric; /* in its `m` */
    double threshold;
    const char *reason; /* one line: what it means, and why this threshold */
};

/* Ends with a NULL id. */
extern const struct pb_disturb_rule pb_disturb_rules[];

/* What a run has seen so far: the quickest sentinel of each placement. */
struct pb_disturb {
    size_t n;
    struct pb_disturb_best *best;
};

void pb_disturb_close(struct pb_disturb *disturb);

/* Takes a repetition's line as seen. Without memory the rules that compare with it find less. */
void pb_disturb_learn(struct pb_disturb *disturb, const json_t *line);

/* The ids of the rules that a line of status ok breaks, in the order of the rules. New reference.
 */
json_t *pb_disturb_judge(const struct pb_disturb *disturb, const json_t *line);

#endif
