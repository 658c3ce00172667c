/* SPDX-License-Identifier: MIT */
/* What may be held against what: compare.h. A figure of another machine, of a build with checks or
 * of other work says nothing about an allocator. */
#include "runner/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a run says of its machine and decides how fast it is. Load, host and names of the kernel's
 * build do not; how much memory there is changes under a virtual machine, and the topology's text
 * says it too. */
static const char *const machine_keys[] = {
    "cpu",        "microcode",      "cpus",       "units",
    "kernel",     "kernel_options", "libc",       "thp",
    "huge_pages", "governor",       "boost",      "no_turbo",
    "smt",        "clocksource",    "hypervisor", "overcommit",
    "aslr",       "cgroup_cpu_max", "virtual_by", "malloc_conf_file",
};
static const char *const suite_keys[] = {"compiler", "flags"};
static const char *const layout_keys[] = {"layouts"}; /* of the run itself */
static const char *const address_keys[] = {"aslr"};

/* What a repetition says of its work. */
static const char *const work_keys[] = {"seed",    "scale",  "sample_gap",   "audit",
                                        "workers", "memory", "oversubscribe"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Whether a record tells nothing of a fact: it is older than the fact, or the machine did not say.
 */
static bool untold(const json_t *value)
{
    return value == NULL || (json_is_string(value) && json_string_length(value) == 0);
}

/* A fact as text; free it. */
static char *fact(const json_t *value)
{
    if (untold(value))
        return strdup(value == NULL ? "not recorded" : "not told");
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
}

/* "SECTION.KEY is A in base and B in new". */
static void say(const char *section, const char *key, const json_t *a, const json_t *b, char *out,
                size_t size)
{
    char *left = fact(a), *right = fact(b);
    snprintf(out, size, "%s.%s is %.100s in BASE and %.100s in NEW%s", section, key,
             left != NULL ? left : "?", right != NULL ? right : "?",
             untold(a) != untold(b) ? ": whether they are alike is not known" : "");
    free(left);
    free(right);
}

/* A build that measures its checks. */
static bool checks(const struct pb_run *run, const char *side, char *out, size_t size)
{
    const char *build = pb_run_checks(run);
    if (strcmp(build, "debug") == 0)
        snprintf(out, size, "%s was measured by a debug build (suite.check is above 0)", side);
    else if (build[0] != '\0')
        snprintf(out, size, "%s was measured by a sanitizer's build (%.64s)", side, build);
    return build[0] != '\0';
}

/* Refuses, or notes what is let pass. */
static int refuse(struct pb_compare *c, bool pass, const char *what, const char *flag,
                  const char *advice, char *message, size_t size)
{
    if (pass) {
        pb_notes_add(&c->notes, PB_NOTE_WARNING, "unlike", "%s (%s)", what, flag);
        return 0;
    }
    snprintf(message, size, "%s; %s, or %s if you know better", what, advice, flag);
    return -EPERM;
}

/* What a run says of itself, and what is done where two say different things. */
struct facts {
    const char *section; /* of the header; "run": its own */
    const char *const *keys;
    size_t n;
    const char *flag, *advice;
};

/* Refuses the first fact that differs, or notes each. */
static int facts_alike(struct pb_compare *c, const struct facts *facts, bool pass, char *message,
                       size_t size)
{
    const json_t *a = c->base.run->header, *b = c->fresh.run->header;
    char what[512];
    int error = 0;
    if (strcmp(facts->section, "run") != 0) {
        a = json_object_get(a, facts->section);
        b = json_object_get(b, facts->section);
    }
    for (size_t i = 0; error == 0 && i < facts->n; i++) {
        const char *key = facts->keys[i];
        const json_t *left = json_object_get(a, key), *right = json_object_get(b, key);
        if ((untold(left) && untold(right)) || json_equal(left, right))
            continue;
        say(facts->section, key, left, right, what, sizeof what);
        error = refuse(c, pass, what, facts->flag, facts->advice, message, size);
    }
    return error;
}

static int builds_alike(struct pb_compare *c, bool pass, char *message, size_t size)
{
    static const char flag[] = "--any-build", advice[] = "compare release builds";
    static const struct facts build = {"suite", suite_keys, COUNT(suite_keys), flag,
                                       "build both alike"};
    static const struct facts layouts = {
        "run", layout_keys, COUNT(layout_keys), flag,
        "measure both with the program as it is installed, with its other layouts"};
    char what[512];
    int error = 0;
    if (checks(c->base.run, "BASE", what, sizeof what))
        error = refuse(c, pass, what, flag, advice, message, size);
    if (error == 0 && c->fresh.run != c->base.run && checks(c->fresh.run, "NEW", what, sizeof what))
        error = refuse(c, pass, what, flag, advice, message, size);
    if (error == 0)
        error = facts_alike(c, &build, pass, message, size);
    return error == 0 ? facts_alike(c, &layouts, pass, message, size) : error;
}

/* A metric must mean the same on both sides. */
static int metrics_alike(const struct pb_compare *c, char *message, size_t size)
{
    const json_t *a = json_object_get(c->base.run->header, "metrics");
    const json_t *b = json_object_get(c->fresh.run->header, "metrics");
    static const char *const meaning[] = {"unit", "better"};
    for (size_t i = 0; i < c->metrics_n; i++) {
        const char *key = c->metrics[i].key;
        for (size_t k = 0; k < COUNT(meaning); k++) {
            const json_t *left = json_object_get(json_object_get(a, key), meaning[k]);
            const json_t *right = json_object_get(json_object_get(b, key), meaning[k]);
            if (json_equal(left, right))
                continue;
            say(key, meaning[k], left, right, message, size);
            return -EINVAL;
        }
    }
    return 0;
}

static int machines_alike(struct pb_compare *c, bool pass, char *message, size_t size)
{
    static const char flag[] = "--any-machine",
                      advice[] = "compare runs of one machine as it is now";
    static const struct facts machine = {"machine", machine_keys, COUNT(machine_keys), flag,
                                         advice};
    static const struct facts addresses = {"run", address_keys, COUNT(address_keys), flag, advice};
    int error = facts_alike(c, &machine, pass, message, size);
    return error == 0 ? facts_alike(c, &addresses, pass, message, size) : error;
}

int pb_compare_runs_alike(struct pb_compare *compare, const struct pb_compare_options *options,
                          char *message, size_t message_size)
{
    char what[512];
    const json_t *seeds[] = {json_object_get(compare->base.run->header, "seed"),
                             json_object_get(compare->fresh.run->header, "seed")};
    int error = builds_alike(compare, options->any_build, message, message_size);
    if (error == 0)
        error = machines_alike(compare, options->any_machine, message, message_size);
    if (error == 0 && seeds[0] != NULL && !json_equal(seeds[0], seeds[1])) {
        say("run", "seed", seeds[0], seeds[1], what, sizeof what);
        snprintf(message, message_size, "%s: other operations; run both with one --seed", what);
        error = -EINVAL;
    }
    return error != 0 ? error : metrics_alike(compare, message, message_size);
}

/* A key of the repetitions that are ok: of either side, the first value that differs from *seen. */
static const json_t *other_value(const struct pb_cell_reps *cell, const char *key,
                                 const json_t **seen)
{
    for (size_t i = 0; i < cell->n; i++) {
        const json_t *value = json_object_get(cell->reps[i]->json, key);
        if (cell->reps[i]->status != PB_OK || value == NULL)
            continue;
        if (*seen != NULL && !json_equal(*seen, value))
            return value;
        *seen = value;
    }
    return NULL;
}

static int cell_alike(const struct pb_compare_row *row, const char *key, const char *remedy,
                      char *message, size_t size)
{
    char what[256];
    const json_t *seen = NULL, *other = other_value(row->base, key, &seen);
    if (other == NULL)
        other = other_value(row->fresh, key, &seen);
    if (other == NULL)
        return 0;
    char *left = fact(seen), *right = fact(other);
    snprintf(what, sizeof what, "%s is %.40s here and %.40s there", key, left != NULL ? left : "?",
             right != NULL ? right : "?");
    snprintf(message, size, "%s: %s: unlike work is never compared; %s", row->name, what, remedy);
    free(left);
    free(right);
    return -EINVAL;
}

int pb_compare_cells_alike(const struct pb_compare *compare, char *message, size_t message_size)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < compare->rows_n; i++) {
        const struct pb_compare_row *row = &compare->rows[i];
        for (size_t k = 0; error == 0 && k < COUNT(work_keys); k++)
            error =
                cell_alike(row, work_keys[k], "run both alike, or leave the cell out (--filter)",
                           message, message_size);
        if (error == 0)
            error = cell_alike(row, "stream_hash",
                               "the workload is another one; leave the cell out (--filter)",
                               message, message_size);
    }
    return error;
}
