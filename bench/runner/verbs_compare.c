/* SPDX-License-Identifier: MIT */
/* The verbs that compare, name and hand on runs: compare, baseline, export, index. See
 * verbs_shared.h; what they call says what it does. */
#include "runner/verbs_shared.h"

#include "runner/baseline.h"
#include "runner/compare.h"
#include "runner/export.h"
#include "runner/index.h"
#include "runner/matrix.h"
#include "runner/runner.h"
#include "runner/store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int exit_of(int error)
{
    switch (error) {
    case 0:
        return PB_EXIT_GOOD;
    case -EINVAL:
        return PB_EXIT_USAGE;
    case -ENODATA:
        return PB_EXIT_NOTHING;
    case -EPERM: /* what measured, not what was asked */
        return PB_EXIT_MACHINE;
    default:
        return pb_exit_of(error);
    }
}

/* --- compare --------------------------------------------------------------------------------- */

enum { ITEM_MAX = 512 };

/* A side as it was given, and what it became. */
struct side {
    char run[PATH_MAX];
    bool given; /* else the newest */
    const char *variant;
    struct pb_variant parsed;
    struct pb_run *loaded;
};

struct asked {
    struct side base, fresh;
    char variants[2][ITEM_MAX];
    char keys[PB_COMPARE_METRICS_MAX][PB_METRIC_KEY_MAX];
    const char *metrics[PB_COMPARE_METRICS_MAX];
    struct pb_gate gate;
    struct pb_compare_options options;
};

static bool is_run(const char *text)
{
    char folder[PATH_MAX], found[PATH_MAX], message[PB_VERB_MESSAGE_MAX];
    return pb_baseline_resolve(text, folder, sizeof folder, message, sizeof message) == 0 &&
           pb_store_find(folder, found, sizeof found, message, sizeof message) == 0;
}

/* "RUN" or "RUN:VARIANT"; either may hold colons: the run is the shortest part that is one. */
static void split_side(const char *text, struct side *side)
{
    snprintf(side->run, sizeof side->run, "%s", text);
    side->given = true;
    side->variant = NULL;
    if (is_run(text))
        return;
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        snprintf(side->run, sizeof side->run, "%.*s", (int)(colon - text), text);
        if (colon > text && colon[1] != '\0' && is_run(side->run)) {
            side->variant = pb_verb_variant(colon + 1, &side->parsed);
            return;
        }
    }
    snprintf(side->run, sizeof side->run, "%s", text); /* for the message that there is none */
}

/* --variants A,B: both of BASE. */
static int take_variants(struct asked *asked, const char *list)
{
    const char *rest = list;
    size_t n = 0;
    char more[ITEM_MAX];
    while (n < 2 && pb_matrix_next_item(PB_AXIS_ALLOC, &rest, asked->variants[n], ITEM_MAX))
        n++;
    if (n != 2 || pb_matrix_next_item(PB_AXIS_ALLOC, &rest, more, sizeof more))
        return pb_verb_complain("--variants: two of them: A,B", PB_EXIT_USAGE);
    if (asked->base.variant != NULL)
        return pb_verb_complain("--variants: BASE names a variant already", PB_EXIT_USAGE);
    asked->fresh = asked->base;
    asked->base.variant = pb_verb_variant(asked->variants[0], &asked->base.parsed);
    asked->fresh.variant = pb_verb_variant(asked->variants[1], &asked->fresh.parsed);
    return 0;
}

static int take_sides(struct asked *asked, const struct pb_args *args)
{
    const char *variants = pb_args_value(args, "variants");
    split_side(args->rest[0], &asked->base);
    if (args->rest_n > 1)
        split_side(args->rest[1], &asked->fresh);
    if (variants != NULL && args->rest_n > 1)
        return pb_verb_complain("--variants: of one run; leave NEW out", PB_EXIT_USAGE);
    if (variants != NULL)
        return take_variants(asked, variants);
    return 0;
}

/* One of the options that gather: --metric, --fail-on. */
static int take_option(struct asked *asked, const char *name, const char *value)
{
    char message[PB_VERB_MESSAGE_MAX];
    if (strcmp(name, "fail-on") == 0 &&
        pb_gate_add(value, &asked->gate, message, sizeof message) != 0)
        return pb_verb_complain(message, PB_EXIT_USAGE);
    if (strcmp(name, "metric") != 0)
        return 0;
    for (bool more = true; more;) {
        size_t length = strcspn(value, ","), n = asked->options.metrics_n;
        if (length == 0)
            return pb_verb_complain("--metric: an empty name in the list of metrics",
                                    PB_EXIT_USAGE);
        if (length >= PB_METRIC_KEY_MAX || n == PB_COMPARE_METRICS_MAX)
            return pb_verb_complain("--metric: too long, or too many", PB_EXIT_USAGE);
        snprintf(asked->keys[n], PB_METRIC_KEY_MAX, "%.*s", (int)length, value);
        asked->metrics[n] = asked->keys[n];
        asked->options.metrics_n++;
        more = value[length] == ',';
        value += length + more;
    }
    return 0;
}

static int take_options(struct asked *asked, const struct pb_args *args)
{
    int code = pb_verb_check(args);
    asked->options =
        (struct pb_compare_options){.metrics = asked->metrics,
                                    .gate = &asked->gate,
                                    .filter = pb_args_value(args, "filter"),
                                    .any_machine = pb_args_value(args, "any-machine") != NULL,
                                    .any_build = pb_args_value(args, "any-build") != NULL};
    for (size_t i = 0; code == 0 && i < args->given_n; i++)
        code = take_option(asked, args->given[i].flag->name, args->given[i].value);
    return code != 0 ? code : take_sides(asked, args);
}

static bool same_folder(const char *a, const char *b)
{
    char left[PATH_MAX], right[PATH_MAX];
    return realpath(a, left) != NULL && realpath(b, right) != NULL && strcmp(left, right) == 0;
}

static int load_sides(struct asked *asked)
{
    struct side *base = &asked->base, *fresh = &asked->fresh;
    int code = pb_verb_load(base->run, &base->loaded);
    if (code == 0)
        code = pb_verb_load(fresh->given ? fresh->run : NULL, &fresh->loaded);
    if (code == 0 && (base->variant == NULL) != (fresh->variant == NULL))
        code = pb_verb_complain("a variant on one side alone; write RUN:A RUN:B, or --variants A,B",
                                PB_EXIT_USAGE);
    if (code != 0 || !same_folder(base->loaded->folder, fresh->loaded->folder))
        return code;
    if (base->variant == NULL)
        return pb_verb_complain(
            "BASE and NEW are one run; name two variants of it: RUN:A RUN:B, or --variants A,B",
            PB_EXIT_USAGE);
    if (strcmp(base->variant, fresh->variant) == 0)
        return pb_verb_complain("BASE and NEW are one variant; its twin has '@aa' behind its name",
                                PB_EXIT_USAGE);
    pb_run_free(fresh->loaded);
    fresh->loaded = base->loaded; /* one run: that is what pairs them */
    return 0;
}

/* What the gate says. */
static int verdict(const struct pb_compare *compare)
{
    char message[PB_VERB_MESSAGE_MAX] = "--fail-on: ";
    size_t used = strlen(message);
    if (!compare->has_gate)
        return PB_EXIT_GOOD;
    if (compare->regressions > 0)
        return PB_EXIT_REGRESSION;
    if (compare->lost > 0) {
        snprintf(message + used, sizeof message - used,
                 "%zu cell%s of BASE lost repetitions in NEW; the comparison names them",
                 compare->lost, compare->lost == 1 ? "" : "s");
        return pb_verb_complain(message, PB_EXIT_FAILED);
    }
    if (compare->gated == 0)
        return pb_verb_complain("--fail-on: there is no ratio to judge", PB_EXIT_NOTHING);
    if (compare->unjudged == 0)
        return PB_EXIT_GOOD;
    pb_compare_gate_text(compare, message + used, sizeof message - used);
    return pb_verb_complain(message, PB_EXIT_NOTHING);
}

static int compare_sides(const struct asked *asked, const struct pb_args *args)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    struct pb_compare compare;
    const struct pb_compare_side base = {asked->base.loaded, asked->base.variant};
    const struct pb_compare_side fresh = {asked->fresh.loaded, asked->fresh.variant};
    int format = pb_verb_format(pb_args_value(args, "format"));
    int error = pb_compare_make(base, fresh, &asked->options, &compare, message, sizeof message);
    int code = exit_of(error);
    if (error != 0) {
        pb_verb_complain(message, code);
    } else {
        error = pb_compare_print(&compare, (enum pb_report_format)format, pb_verb_columns(stdout),
                                 stdout);
        code = error == -ENOMEM ? pb_verb_complain("out of memory", PB_EXIT_MACHINE)
                                : verdict(&compare);
    }
    pb_compare_free(&compare);
    return code;
}

int pb_verb_compare(const struct pb_args *args)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL)
        return pb_verb_complain("out of memory", PB_EXIT_MACHINE);
    int code = take_options(asked, args);
    if (code == 0)
        code = load_sides(asked);
    if (code == 0)
        code = compare_sides(asked, args);
    if (asked->fresh.loaded != asked->base.loaded)
        pb_run_free(asked->fresh.loaded);
    pb_run_free(asked->base.loaded);
    free(asked);
    return code;
}

/* --- baseline -------------------------------------------------------------------------------- */

static int baseline_set(char **words)
{
    char message[PB_VERB_MESSAGE_MAX] = "", before[PB_RUN_NAME_MAX];
    int error = pb_baseline_set(words[0], words[1], before, message, sizeof message);
    if (error != 0)
        return pb_verb_complain(message, exit_of(error));
    if (message[0] != '\0')
        fprintf(stderr, "%s\n", message);
    fprintf(stderr, "@%s is %s%s%s\n", words[0], words[1], before[0] != '\0' ? "; it was " : "",
            before);
    return PB_EXIT_GOOD;
}

static int baseline_list(char **words)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    (void)words;
    int error = pb_baseline_list(stdout, message, sizeof message);
    return error == 0 ? PB_EXIT_GOOD : pb_verb_complain(message, exit_of(error));
}

static int baseline_remove(char **words)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    int error = pb_baseline_remove(words[0], message, sizeof message);
    if (error == 0)
        return PB_EXIT_GOOD;
    return pb_verb_complain(message, exit_of(error));
}

int pb_verb_baseline(const struct pb_args *args)
{
    static const struct {
        const char *word;
        int words;
        int (*act)(char **words);
    } acts[] = {
        {"set", 2, baseline_set}, {"list", 0, baseline_list}, {"remove", 1, baseline_remove}};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].word, args->rest[0]) == 0 && args->rest_n == acts[i].words + 1)
            return acts[i].act(args->rest + 1);
    return pb_verb_complain("baseline: set NAME RUN, list, or remove NAME", PB_EXIT_USAGE);
}

/* --- export ---------------------------------------------------------------------------------- */

static int unknown_format(const char *to)
{
    fprintf(stderr, "--to: %s%s%s; there are", to != NULL ? "unknown format '" : "which format",
            to != NULL ? to : "", to != NULL ? "'" : "");
    for (size_t i = 0; pb_exporter_at(i) != NULL; i++)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", pb_exporter_at(i)->name);
    fputc('\n', stderr);
    return PB_EXIT_USAGE;
}

int pb_verb_export(const struct pb_args *args)
{
    char message[PB_VERB_MESSAGE_MAX] = "";
    const char *to = pb_args_value(args, "to"), *out = pb_args_value(args, "out");
    const struct pb_exporter *exporter = to != NULL ? pb_exporter_find(to) : NULL;
    struct pb_run *run = NULL;
    size_t left_out = 0;
    if (exporter == NULL)
        return unknown_format(to);
    int code = pb_verb_load(args->rest_n > 0 ? args->rest[0] : NULL, &run);
    if (code != 0)
        return code;
    int error = pb_export(run, exporter, pb_args_value(args, "filter"),
                          pb_args_value(args, "any-build") != NULL, out, stdout, &left_out, message,
                          sizeof message);
    if (error != 0 &&
        (out != NULL || !ferror(stdout))) /* of standard output it is said at the end */
        code = pb_verb_complain(message, exit_of(error));
    if (error == 0 && out != NULL)
        fprintf(stderr, "%s  %s\n", to, out);
    if (left_out > 0)
        fprintf(stderr, "%zu left out: what did not end well, or is not finite, has no figures\n",
                left_out);
    pb_run_free(run);
    return code;
}

/* --- index ----------------------------------------------------------------------------------- */

int pb_verb_index(const struct pb_args *args)
{
    char message[PB_VERB_MESSAGE_MAX] = "", path[PATH_MAX], folders[64][PATH_MAX];
    const char *runs[64];
    struct pb_index_counts counts;
    for (int i = 0; i < args->rest_n; i++) {
        if (pb_baseline_resolve(args->rest[i], folders[i], PATH_MAX, message, sizeof message) != 0)
            return pb_verb_complain(message, PB_EXIT_USAGE);
        runs[i] = folders[i];
    }
    int error = pb_index_refresh(runs, (size_t)args->rest_n, pb_args_value(args, "rebuild") != NULL,
                                 stdout, stderr, &counts, message, sizeof message);
    if (error != 0)
        return pb_verb_complain(message, exit_of(error));
    pb_index_path(path, sizeof path);
    fprintf(stderr, "index  %s: %zu runs; %zu read, %zu as before, %zu gone, %zu refused\n", path,
            counts.runs, counts.read, counts.unchanged, counts.gone, counts.refused);
    return counts.refused > 0 ? PB_EXIT_USAGE : PB_EXIT_GOOD;
}
