/* SPDX-License-Identifier: MIT */
/* Runs for the tests of comparisons and exports: those of reading_run.h, with a cell of its own for
 * each name and with what a run says of its machine, its build and its work. Include after
 * reading_run.h. Threads: main. */
#ifndef PB_COMPARED_RUNS_H
#define PB_COMPARED_RUNS_H

#include "reading_run.h"
#include "runner/compare.h"
#include "runner/json_line.h"

static void put_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

/* Completes a made run. */
static struct pb_run *completed(struct pb_run *run, const char *id)
{
    json_t *machine = json_object_get(run->header, "machine");
    json_t *suite = json_object_get(run->header, "suite");
    put_text(run->header, "run", id);
    put_text(run->header, "t_utc", "2026-11-21T09:00:00Z");
    json_object_set_new(run->header, "seed", json_integer(1));
    put_text(machine, "governor", "performance");
    put_text(suite, "compiler", "gcc 12.2.0");
    put_text(suite, "flags", "-O2");
    put_text(suite, "sanitizer", "");
    json_object_set_new(suite, "check", json_integer(0));
    json_object_set_new(suite, "dirty", json_false());
    for (size_t i = 0; i < run->reps_n; i++) {
        struct pb_rep *rep = &run->reps[i];
        char hash[17];
        json_t *name = json_string(rep->name);
        assert_int_equal(pb_hash_json(name, hash), 0);
        json_decref(name);
        put_text(rep->json, "cell", hash);
        rep->cell = json_string_value(json_object_get(rep->json, "cell"));
        json_object_set_new(rep->json, "seed", json_integer(1));
        json_object_set_new(rep->json, "scale", json_real(1));
        put_text(rep->json, "stream_hash", rep->status == PB_OK ? "00000000000000aa" : "");
        put_text(rep->json, "t_utc", "2026-11-21T09:00:05Z");
        json_object_set_new(rep->json, "wall_ns", json_integer(1000000));
    }
    return run;
}

/* `n` values about `ns`, a few per mille apart, in an order that `salt` decides. */
__attribute__((unused)) static struct made_cell about(const char *alloc, unsigned threads,
                                                      double ns, size_t n, unsigned salt)
{
    struct made_cell cell = {alloc, threads, n, {0}};
    for (size_t i = 0; i < n; i++)
        cell.ns[i] = ns * (1 + 0.001 * (double)((i * 7 + salt) % 11));
    return cell;
}

static char message[1024];

__attribute__((unused)) static struct pb_gate gate_of(const char *text)
{
    struct pb_gate gate = {.n = 0};
    if (text != NULL && pb_gate_add(text, &gate, message, sizeof message) != 0)
        fail_msg("%s", message);
    return gate;
}

/* Compares two runs made of cells, at a gate. Frees the runs with the comparison by drop(). */
__attribute__((unused)) static struct pb_compare compared(const struct made_cell *base,
                                                          size_t base_n,
                                                          const struct made_cell *fresh,
                                                          size_t fresh_n, const char *gate_text)
{
    struct pb_compare compare;
    struct pb_gate gate = gate_of(gate_text);
    const struct pb_compare_options options = {.gate = &gate};
    struct pb_compare_side a = {completed(made_run("pool", base, base_n), "base"), NULL};
    struct pb_compare_side b = {completed(made_run("pool", fresh, fresh_n), "new"), NULL};
    if (pb_compare_make(a, b, &options, &compare, message, sizeof message) != 0)
        fail_msg("%s", message);
    return compare;
}

__attribute__((unused)) static void drop(struct pb_compare *compare)
{
    struct pb_run *base = (struct pb_run *)(uintptr_t)compare->base.run;
    struct pb_run *fresh = (struct pb_run *)(uintptr_t)compare->fresh.run;
    pb_compare_free(compare);
    made_free(base);
    if (fresh != base)
        made_free(fresh);
}

__attribute__((unused)) static bool noted(const struct pb_compare *compare, const char *text)
{
    for (size_t i = 0; i < compare->notes.n; i++)
        if (strstr(compare->notes.notes[i].text, text) != NULL ||
            strstr(compare->notes.notes[i].head, text) != NULL)
            return true;
    return false;
}

#endif
