/* SPDX-License-Identifier: MIT */
/* For tests of cells: one repetition of a cell of `batch`, in a process of its own, and what its
 * answer says. Include after cmocka. May touch: processes of its own. */
#ifndef PB_TEST_CELL_FIXTURE_H
#define PB_TEST_CELL_FIXTURE_H

#include "child_answer.h"

#include "engine/kind.h"
#include "runner/wire.h"

#include <math.h>
#include <stdio.h>

static json_t *answer;

/* A cell of `batch`, which holds 100 KiB at a time: glibc gives back what is more. */
static inline struct pb_cell_spec batch_of(const char *variant)
{
    struct pb_cell_spec spec = {.workload = "batch",
                                .params = "size=256,n=400,ops=12000",
                                .pin = "none",
                                .memory = "default",
                                .start = "warm",
                                .arrival = "closed",
                                .delay = "none",
                                .threads = 1,
                                .oversubscribe = true,
                                .seed = 7,
                                .scale = 1,
                                .sample_gap = 16,
                                .audit = true};
    snprintf(spec.variant, sizeof spec.variant, "%s", variant);
    return spec;
}

static inline void run(const struct pb_cell_spec *spec)
{
    if (answer != NULL)
        json_decref(answer);
    json_t *input = pb_wire_spec_to_json(spec);
    json_object_set_new(input, "setup", json_pack("{s:i}", "seed", 5));
    answer = child_answer(input, NULL, NULL);
}

static inline const char *text_of(const char *key)
{
    const char *text = json_string_value(json_object_get(answer, key));
    return text != NULL ? text : "";
}

static inline void run_well(const struct pb_cell_spec *spec)
{
    run(spec);
    assert_string_equal(text_of("reason"), "");
    assert_string_equal(text_of("status"), "ok");
}

/* NAN where it is absent. */
static inline double metric(const char *key)
{
    const json_t *value = json_object_get(json_object_get(answer, "m"), key);
    return value != NULL ? json_number_value(value) : (double)NAN;
}

static inline uint64_t samples(const char *view)
{
    const json_t *hist = json_object_get(json_object_get(answer, "hist"), view);
    return (uint64_t)json_integer_value(json_object_get(hist, "n"));
}

static inline bool has(const char *view)
{
    return json_object_get(json_object_get(answer, "hist"), view) != NULL;
}

static inline bool warns(const char *words)
{
    const json_t *list = json_object_get(answer, "warn"), *line;
    size_t i;
    json_array_foreach(list, i,
                       line) if (strstr(json_string_value(line), words) != NULL) return true;
    return false;
}

static inline void forget_answer(void)
{
    if (answer != NULL)
        json_decref(answer);
    answer = NULL;
}

#endif
