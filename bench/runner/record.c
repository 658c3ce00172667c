/* SPDX-License-Identifier: MIT */
/* Making the lines of a run: record.h. */
#include "runner/record.h"

#include "runner/json_line.h"
#include "runner/machine.h"
#include "runner/params.h"
#include "runner/store.h"
#include "runner/wire.h"

#include <stdio.h>
#include <string.h>

enum { SCHEMA = 1 };

static json_t *line_of(const char *kind, const char *run)
{
    char now[32];
    pb_utc_now(now, sizeof now);
    return json_pack("{s:i, s:s, s:s, s:s}", "v", SCHEMA, "kind", kind, "run", run, "t_utc", now);
}

static json_t *matrix_json(const struct pb_matrix *matrix)
{
    char hash[17];
    const struct pb_settings *s = &matrix->settings;
    snprintf(hash, sizeof hash, "%016llx",
             (unsigned long long)pb_hash_text(matrix->text, strlen(matrix->text)));
    return json_pack("{s:s, s:s, s:s, s:s}", "name", s->name, "title", s->title, "hash", hash,
                     "text", matrix->text);
}

json_t *pb_record_run(const char *run, const struct pb_matrix *matrix, const json_t *options,
                      const struct pb_topology *topology)
{
    const struct pb_settings *s = &matrix->settings;
    json_t *line = line_of("run", run);
    json_object_set_new(line, "matrix", matrix_json(matrix));
    json_object_set_new(line, "options", json_deep_copy(options));
    json_object_set_new(line, "seed", json_integer((json_int_t)s->seed));
    json_object_set_new(line, "blocks", json_integer(pb_matrix_blocks(matrix)));
    json_object_set_new(line, "target", json_real(matrix->target));
    json_object_set_new(line, "budget", json_real(matrix->budget));
    json_object_set_new(line, "retries", json_integer((json_int_t)s->retries));
    json_object_set_new(line, "reference", json_string(s->reference));
    json_object_set_new(line, "exploratory", json_boolean(s->exploratory != 0));
    json_object_set_new(line, "metrics", pb_metric_facts());
    json_object_set_new(line, "suite", pb_suite_facts());
    json_object_set_new(line, "machine", pb_machine_facts("", topology, pb_clock_open()));
    return line;
}

/* What the plan says of the cell. */
static void put_cell(json_t *line, const struct pb_plan_cell *cell)
{
    char label[PB_VARIANT_MAX + 4];
    const struct pb_cell_spec *spec = &cell->spec;
    const struct pb_workload *workload = pb_workload_find(spec->workload);
    json_t *all = pb_wire_spec_to_json(spec);
    snprintf(label, sizeof label, "%s%s", spec->variant, spec->alias ? "@aa" : "");
    json_object_del(all, "variant");
    json_object_del(all, "alias");
    json_object_update(line, all);
    json_decref(all);
    json_object_set_new(line, "alloc", json_string(label));
    json_object_set_new(line, "cell", json_string(cell->id));
    json_object_set_new(line, "name", json_string(cell->name));
    if (workload != NULL)
        json_object_set_new(line, "params", pb_params_json(workload, spec->params));
}

static void put_status(json_t *line, enum pb_status status, const char *reason)
{
    json_t *string = json_string(reason);
    json_object_set_new(line, "status", json_string(pb_status_names[status]));
    json_object_set_new(line, "reason", string != NULL ? string : json_string("(not UTF-8)"));
}

/* What the child answered, if that is a result. */
static bool put_answer(json_t *line, const char *answer)
{
    json_t *result = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
    const char *status = json_string_value(json_object_get(result, "status"));
    bool good = status != NULL && pb_status_find(status) >= 0 &&
                json_is_string(json_object_get(result, "reason")) &&
                (strcmp(status, pb_status_names[PB_OK]) != 0 ||
                 json_integer_value(json_object_get(result, "wall_ns")) > 0);
    if (good)
        json_object_update(line, result);
    json_decref(result);
    return good;
}

/* What chance gave the process; what the child itself drew from the seed is there already. */
static void put_setup(json_t *line, const struct pb_record_place *place)
{
    json_t *setup = json_object_get(line, "setup");
    if (!json_is_object(setup)) {
        setup = json_object();
        json_object_set_new(line, "setup", setup);
    }
    json_object_set_new(setup, "seed", json_integer((json_int_t)place->setup.seed));
    json_object_set_new(setup, "env_bytes", json_integer((json_int_t)place->setup.env_bytes));
    json_object_set_new(line, "layout", json_integer(place->layout));
}

json_t *pb_record_rep(const char *run, const struct pb_plan_cell *cell,
                      const struct pb_record_place *place, const struct pb_outcome *outcome)
{
    json_t *line = line_of("rep", run);
    json_object_set_new(line, "warn", json_array());
    json_object_set_new(line, "m", json_object());
    json_object_set_new(line, "hist", json_object());
    if (outcome == NULL)
        put_status(line, cell->mark, cell->reason);
    else if (outcome->status != PB_OK)
        put_status(line, outcome->status, outcome->reason);
    else if (outcome->answer == NULL || !put_answer(line, outcome->answer))
        put_status(line, PB_FAILED, "the child's answer is not a result");
    put_cell(line, cell);
    json_object_set_new(line, "block", json_integer(place->block));
    json_object_set_new(line, "order", json_integer(place->order));
    json_object_set_new(line, "session", json_integer(place->session));
    if (outcome == NULL)
        return line;
    json_object_set_new(line, "pid", json_integer(outcome->pid));
    json_object_set_new(line, "attempt", json_integer(place->attempt));
    put_setup(line, place);
    return line;
}

json_t *pb_record_end(const char *run, bool done, const size_t counts[PB_STATUSES])
{
    json_t *line = line_of("end", run);
    json_object_set_new(line, "status", json_string(done ? "done" : "interrupted"));
    for (int status = 0; status < PB_STATUSES; status++)
        json_object_set_new(line, pb_status_names[status],
                            json_integer((json_int_t)counts[status]));
    return line;
}
