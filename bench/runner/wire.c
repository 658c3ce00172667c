/* SPDX-License-Identifier: MIT */
/* Spec and result to JSON and back, from tables of their fields: wire.h. */
#include "runner/wire.h"

#include "runner/tags.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_type { TEXT, BOOL, UNSIGNED, U64, HASH, REAL, DISPATCH };

struct field {
    const char *key;
    enum field_type type;
    size_t offset, size;
};

#define FIELD(s, type, key, member)                                                                \
    {                                                                                              \
        key, type, offsetof(struct s, member), sizeof(((struct s *)NULL)->member)                  \
    }

static const struct field spec_fields[] = {
    FIELD(pb_cell_spec, TEXT, "variant", variant),
    FIELD(pb_cell_spec, BOOL, "alias", alias),
    FIELD(pb_cell_spec, TEXT, "workload", workload),
    FIELD(pb_cell_spec, TEXT, "params", params),
    FIELD(pb_cell_spec, UNSIGNED, "threads", threads),
    FIELD(pb_cell_spec, TEXT, "pin", pin),
    FIELD(pb_cell_spec, TEXT, "memory", memory),
    FIELD(pb_cell_spec, TEXT, "start", start),
    FIELD(pb_cell_spec, TEXT, "arrival", arrival),
    FIELD(pb_cell_spec, TEXT, "delay", delay),
    FIELD(pb_cell_spec, DISPATCH, "dispatch", dispatch),
    FIELD(pb_cell_spec, BOOL, "oversubscribe", oversubscribe),
    FIELD(pb_cell_spec, U64, "seed", seed),
    FIELD(pb_cell_spec, REAL, "scale", scale),
    FIELD(pb_cell_spec, U64, "sample_gap", sample_gap),
    FIELD(pb_cell_spec, BOOL, "audit", audit),
    {NULL, TEXT, 0, 0},
};

/* Of every result; `status` and `reason` beside them. */
static const struct field state_fields[] = {
    FIELD(pb_cell_result, UNSIGNED, "workers", workers),
    FIELD(pb_cell_result, TEXT, "version", version),
    FIELD(pb_cell_result, TEXT, "placement", placement),
    FIELD(pb_cell_result, BOOL, "oversubscribed", oversubscribed),
    FIELD(pb_cell_result, BOOL, "banked", banked),
    {NULL, TEXT, 0, 0},
};

/* Of a good one. */
static const struct field figure_fields[] = {
    FIELD(pb_cell_result, HASH, "stream_hash", stream_hash),
    FIELD(pb_cell_result, U64, "wall_ns", wall_ns),
    FIELD(pb_cell_result, BOOL, "paths", paths),
    FIELD(pb_cell_result, TEXT, "mark", mark),
    {NULL, TEXT, 0, 0},
};

/* Of a process that was told how to set itself up. */
static const struct field setup_fields[] = {
    FIELD(pb_setup, U64, "seed", seed),
    FIELD(pb_setup, U64, "mmap_pad", mmap_pad),
    FIELD(pb_setup, U64, "brk_pad", brk_pad),
    FIELD(pb_setup, BOOL, "aslr", aslr),
    {NULL, TEXT, 0, 0},
};

static const struct field tally_fields[] = {
    FIELD(pb_tally, U64, "allocs", allocs),
    FIELD(pb_tally, U64, "frees", frees),
    FIELD(pb_tally, U64, "reallocs", reallocs),
    FIELD(pb_tally, U64, "exhausted", exhausted),
    FIELD(pb_tally, U64, "damaged", damaged),
    FIELD(pb_tally, U64, "waits", waits),
    {NULL, TEXT, 0, 0},
};

static int index_of(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

int pb_status_find(const char *name)
{
    return index_of(pb_status_names, name);
}

static json_t *field_value(const struct field *f, const void *from)
{
    const char *at = (const char *)from + f->offset;
    char hex[17];
    switch (f->type) {
    case TEXT:
        return json_string(at);
    case BOOL:
        return json_boolean(*(const bool *)at);
    case UNSIGNED:
        return json_integer(*(const unsigned *)(const void *)at);
    case U64:
        return json_integer((json_int_t) * (const uint64_t *)(const void *)at);
    case HASH:
        snprintf(hex, sizeof hex, "%016" PRIx64, *(const uint64_t *)(const void *)at);
        return json_string(hex);
    case REAL:
        return json_real(*(const double *)(const void *)at);
    case DISPATCH:
        return json_string(pb_dispatch_names[*(const enum pb_dispatch *)(const void *)at]);
    }
    return NULL;
}

static int put_fields(json_t *object, const struct field *fields, const void *from)
{
    int error = 0;
    for (const struct field *f = fields; f->key != NULL; f++)
        error |= json_object_set_new(object, f->key, field_value(f, from));
    return error;
}

static bool take_text(const json_t *value, char *out, size_t size)
{
    if (!json_is_string(value) || json_string_length(value) >= size)
        return false;
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool take_hash(const json_t *value, uint64_t *out)
{
    char *end;
    if (!json_is_string(value) || json_string_length(value) != 16)
        return false;
    *out = strtoull(json_string_value(value), &end, 16);
    return *end == '\0';
}

static bool take_field(const struct field *f, const json_t *value, void *into)
{
    char *at = (char *)into + f->offset;
    json_int_t number = json_integer_value(value);
    int index;
    switch (f->type) {
    case TEXT:
        return take_text(value, at, f->size);
    case BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value);
    case UNSIGNED:
        *(unsigned *)(void *)at = (unsigned)number;
        return json_is_integer(value) && number >= 0 && number <= UINT32_MAX;
    case U64:
        *(uint64_t *)(void *)at = (uint64_t)number;
        return json_is_integer(value);
    case HASH:
        return take_hash(value, (uint64_t *)(void *)at);
    case REAL:
        *(double *)(void *)at = json_number_value(value);
        return json_is_number(value);
    case DISPATCH:
        index = json_is_string(value) ? index_of(pb_dispatch_names, json_string_value(value)) : -1;
        *(enum pb_dispatch *)(void *)at = (enum pb_dispatch)index;
        return index >= 0;
    }
    return false;
}

static int take_fields(const json_t *object, const struct field *fields, void *into, char *message,
                       size_t message_size)
{
    for (const struct field *f = fields; f->key != NULL; f++) {
        const json_t *value = json_object_get(object, f->key);
        if (!take_field(f, value, into)) {
            snprintf(message, message_size, "'%s' is %s", f->key,
                     value == NULL ? "missing" : "not what it should be");
            return -EINVAL;
        }
    }
    return 0;
}

json_t *pb_wire_spec_to_json(const struct pb_cell_spec *spec)
{
    json_t *object = json_object();
    if (object != NULL && put_fields(object, spec_fields, spec) != 0) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

int pb_wire_spec_from_json(const json_t *json, struct pb_cell_spec *spec, char *message,
                           size_t message_size)
{
    struct pb_cell_spec read = {0};
    int error = take_fields(json, spec_fields, &read, message, message_size);
    if (error == 0)
        *spec = read;
    return error;
}

/* What is not counted in nanoseconds says so. */
static json_t *hist_json(const struct pb_hist *hist, const char *unit)
{
    json_t *object = NULL;
    char *text = malloc(PB_HIST_TEXT_MAX);
    if (text != NULL && pb_hist_encode(hist, text, PB_HIST_TEXT_MAX) > 0)
        object =
            json_pack("{s:s, s:I, s:s}", "codec", "hdr2", "n", (json_int_t)hist->n, "data", text);
    free(text);
    if (object != NULL && strcmp(unit, "ns") != 0)
        json_object_set_new(object, "unit", json_string(unit));
    return object;
}

static int put_hists(json_t *hist, struct pb_hist *const *hists)
{
    int error = 0;
    for (int i = 0; i < PB_VIEW_N; i++)
        if (hists[i] != NULL)
            error |= json_object_set_new(hist, pb_view_rows[i].name,
                                         hist_json(hists[i], pb_view_rows[i].unit));
    return error;
}

/* Each of the lines. */
static int put_warnings(json_t *warn, const char *lines)
{
    int error = 0;
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        error |= json_array_append_new(warn, json_stringn(lines, length));
        lines += length + (lines[length] != '\0');
    }
    return error;
}

/* Metrics by key; the infinite ones go to `warn`. */
static int put_metrics(json_t *m, json_t *warn, const double *values)
{
    const struct pb_probe *probe;
    size_t at = 0;
    int error = 0;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL; i++)
        for (const struct pb_metric *metric = probe->metrics; metric->key != NULL; metric++) {
            double value = values[at++];
            if (isfinite(value))
                error |= json_object_set_new(m, metric->key, json_real(value));
            else if (isinf(value))
                error |= json_array_append_new(warn, json_sprintf("%s is infinite", metric->key));
        }
    return error;
}

static int put_figures(json_t *object, const struct pb_cell_result *result)
{
    json_t *ops = json_object(), *audit = json_object(), *m = json_object();
    json_t *hist = json_object(), *warn = json_array();
    int error = put_fields(object, figure_fields, result);
    error |= put_fields(ops, tally_fields, &result->rate);
    error |= json_object_set_new(ops, "steps", json_integer((json_int_t)result->steps));
    error |= put_fields(audit, tally_fields, &result->audit);
    error |= put_metrics(m, warn, result->values);
    error |= put_warnings(warn, result->warn);
    error |= put_hists(hist, result->hists);
    error |= json_object_set_new(object, "ops", ops);
    error |= json_object_set_new(object, "audit_ops", audit);
    error |= json_object_set_new(object, "m", m);
    error |= json_object_set_new(object, "hist", hist);
    error |= json_object_set_new(object, "warn", warn);
    return error;
}

static int put_setup(json_t *object, const struct pb_setup *setup)
{
    json_t *json = setup->given ? json_object() : NULL;
    if (!setup->given)
        return 0;
    int error = put_fields(json, setup_fields, setup);
    return error | json_object_set_new(object, "setup", json);
}

json_t *pb_wire_result_to_json(const struct pb_cell_result *result)
{
    bool empty = result->status == PB_OK && result->wall_ns == 0;
    enum pb_status status = empty ? PB_FAILED : result->status;
    json_t *object =
        json_pack("{s:s, s:s, s:{}, s:{}}", "status", pb_status_names[status], "reason",
                  empty ? "the timed window has no length" : result->reason, "m", "hist");
    int error = object == NULL || put_fields(object, state_fields, result) != 0 ||
                put_setup(object, &result->setup) != 0;
    if (error == 0 && status == PB_OK)
        error = put_figures(object, result);
    if (error == 0)
        error = pb_tags_to_json(result, object);
    if (error != 0) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static int take_hists(const json_t *hist, struct pb_hist *into, struct pb_hist **slots,
                      char *message, size_t message_size)
{
    for (int i = 0; i < PB_VIEW_N; i++) {
        const char *name = pb_view_rows[i].name;
        const json_t *one = json_object_get(hist, name);
        const char *data = json_string_value(json_object_get(one, "data"));
        slots[i] = NULL;
        if (one == NULL)
            continue;
        if (data == NULL || pb_hist_decode(&into[i], data) != 0) {
            snprintf(message, message_size, "the histogram '%s' cannot be decoded", name);
            return -EINVAL;
        }
        slots[i] = &into[i];
    }
    return 0;
}

static int take_setup(const json_t *json, struct pb_setup *setup, char *message,
                      size_t message_size)
{
    setup->given = json != NULL;
    return json != NULL ? take_fields(json, setup_fields, setup, message, message_size) : 0;
}

static void take_metrics(const json_t *m, double *values)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; i < PB_METRICS_MAX; i++)
        values[i] = (double)NAN;
    json_object_foreach((json_t *)m, key, value)
    {
        int index = pb_metric_index(key);
        if (index >= 0 && json_is_number(value))
            values[index] = json_number_value(value);
    }
}

int pb_wire_result_from_json(const json_t *json, struct pb_cell_result *result,
                             struct pb_hist *hists, char *message, size_t message_size)
{
    const char *name = json_string_value(json_object_get(json, "status"));
    int status = name != NULL ? pb_status_find(name) : -1;
    const json_t *ops = json_object_get(json, "ops"), *hist = json_object_get(json, "hist");
    *result = (struct pb_cell_result){.status = (enum pb_status)status};
    take_metrics(json_object_get(json, "m"), result->values);
    if (status < 0 ||
        !take_text(json_object_get(json, "reason"), result->reason, sizeof result->reason)) {
        snprintf(message, message_size, "'%s' is not what it should be",
                 status < 0 ? "status" : "reason");
        return -EINVAL;
    }
    int error = take_fields(json, state_fields, result, message, message_size);
    if (error == 0)
        error = take_setup(json_object_get(json, "setup"), &result->setup, message, message_size);
    if (error != 0 || result->status != PB_OK)
        return error;
    result->steps = (uint64_t)json_integer_value(json_object_get(ops, "steps"));
    error = take_fields(json, figure_fields, result, message, message_size);
    if (error == 0 && (result->wall_ns == 0 || result->wall_ns > INT64_MAX)) {
        snprintf(message, message_size, "'wall_ns' is not what it should be");
        error = -EINVAL;
    }
    if (error == 0)
        error = take_fields(ops, tally_fields, &result->rate, message, message_size);
    if (error == 0)
        error = take_fields(json_object_get(json, "audit_ops"), tally_fields, &result->audit,
                            message, message_size);
    if (error == 0)
        error = take_hists(hist, hists, result->hists, message, message_size);
    return error;
}
