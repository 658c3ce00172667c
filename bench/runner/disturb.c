/* SPDX-License-Identifier: MIT */
/* The rules of disturb.h and what they are held against. */
#include "runner/disturb.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    RULE_OVERLAP,
    RULE_GAPS,
    RULE_MARKED,
    RULE_BEFORE,
    RULE_AFTER,
    RULE_STEAL,
    RULE_MIGRATED,
    RULE_FAULTS,
    RULE_WAIT,
    RULES
};

/* Where cells share processing units their workers wait for each other: that is the case, not an
 * accident. A claim is of 2 % at the least, so shares of a window may be half of that. */
const struct pb_disturb_rule pb_disturb_rules[] = {
    [RULE_OVERLAP] =
        {"overlap", "overlap", 0.95,
         "two workers or more ran at once for less than 95 % of the time: lost overlap hides "
         "contention"},
    [RULE_GAPS] =
        {"gaps", "gap_share", 0.10,
         "more than 10 % of 2 ms beside the window were gaps that nothing explains; a timer's tick "
         "alone is 1 to 3 %"},
    [RULE_MARKED] = {"marked", "preempted_share", 0.01,
                     "more than 1 % of the timed calls were preempted within: p99 would be theirs"},
    [RULE_BEFORE] = {"sentinel-before", "sentinel_before_ns", 2,
                     "the workers' lines took twice the run's best time before the window"},
    [RULE_AFTER] = {"sentinel-after", "sentinel_after_ns", 2,
                    "the workers' lines took twice the run's best time behind the window"},
    [RULE_STEAL] = {"steal", "steal_share", 0.01,
                    "the hypervisor gave more than 1 % of the time to others"},
    [RULE_MIGRATED] = {"migrated", "migrated", 0, "a worker that is pinned was moved"},
    [RULE_FAULTS] = {"major-faults", "major_faults", 0, "a page came from a disk"},
    [RULE_WAIT] = {"run-wait", "run_wait_ns", 0.01,
                   "workers were ready and had no processor for more than 1 % of their windows"},
    [RULES] = {0},
};

struct pb_disturb_best {
    char *placement;
    double ns;
};

void pb_disturb_close(struct pb_disturb *disturb)
{
    for (size_t i = 0; i < disturb->n; i++)
        free(disturb->best[i].placement);
    free(disturb->best);
    *disturb = (struct pb_disturb){0};
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text != NULL ? text : "";
}

/* A metric, NAN where there is none. */
static double metric_of(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(json_object_get(line, "m"), key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static struct pb_disturb_best *find(const struct pb_disturb *disturb, const char *placement)
{
    for (size_t i = 0; i < disturb->n; i++)
        if (strcmp(disturb->best[i].placement, placement) == 0)
            return &disturb->best[i];
    return NULL;
}

/* The quicker of a line's own two sentinels, INFINITY without. */
static double own_best(const json_t *line)
{
    double best = (double)INFINITY;
    for (int rule = RULE_BEFORE; rule <= RULE_AFTER; rule++) {
        double ns = metric_of(line, pb_disturb_rules[rule].metric);
        if (ns > 0 && ns < best)
            best = ns;
    }
    return best;
}

void pb_disturb_learn(struct pb_disturb *disturb, const json_t *line)
{
    const char *placement = text_of(line, "placement");
    struct pb_disturb_best *best = find(disturb, placement);
    double ns = own_best(line);
    if (!isfinite(ns))
        return;
    if (best == NULL) {
        char *copy = strdup(placement);
        struct pb_disturb_best *more =
            copy != NULL ? realloc(disturb->best, (disturb->n + 1) * sizeof *more) : NULL;
        if (more == NULL) {
            free(copy);
            return;
        }
        disturb->best = more;
        best = &more[disturb->n++];
        *best = (struct pb_disturb_best){copy, ns};
    }
    if (ns < best->ns)
        best->ns = ns;
}

/* What a rule's threshold is held against; NAN where the rule does not apply. */
static double measured(const struct pb_disturb *disturb, const json_t *line, int rule)
{
    double value = metric_of(line, pb_disturb_rules[rule].metric), best = own_best(line);
    double wall = json_number_value(json_object_get(line, "wall_ns"));
    json_int_t workers = json_integer_value(json_object_get(line, "workers"));
    bool shared = json_is_true(json_object_get(line, "oversubscribed"));
    bool pinned = strcmp(text_of(line, "pin"), "none") != 0;
    const struct pb_disturb_best *seen = find(disturb, text_of(line, "placement"));
    switch (rule) {
    case RULE_OVERLAP:
        return workers > 1 && !shared ? value : (double)NAN;
    case RULE_GAPS:
    case RULE_MARKED:
        return shared ? (double)NAN : value;
    case RULE_BEFORE:
    case RULE_AFTER:
        if (seen != NULL && seen->ns < best)
            best = seen->ns;
        return shared ? (double)NAN : value / best;
    case RULE_MIGRATED:
        return pinned ? value : (double)NAN;
    case RULE_WAIT:
        return shared || !(wall > 0) || workers < 1 ? (double)NAN
                                                    : value / (wall * (double)workers);
    default:
        return value;
    }
}

json_t *pb_disturb_judge(const struct pb_disturb *disturb, const json_t *line)
{
    json_t *broken = json_array();
    if (strcmp(text_of(line, "status"), "ok") != 0)
        return broken;
    for (int i = 0; pb_disturb_rules[i].id != NULL; i++) {
        const struct pb_disturb_rule *rule = &pb_disturb_rules[i];
        double value = measured(disturb, line, i);
        if (i == RULE_OVERLAP ? value < rule->threshold : value > rule->threshold)
            json_array_append_new(broken, json_string(rule->id));
    }
    return broken;
}
