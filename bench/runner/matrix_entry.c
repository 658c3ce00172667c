/* SPDX-License-Identifier: MIT */
/* The tables of a matrix that name a workload: its options, axes of its own, its scale. */
#include "runner/matrix_reader.h"
#include "runner/params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct param_context {
    const struct pb_workload *workload;
    const char *key;
    bool raw; /* an exclude: checked, kept as written */
};

/* Without a workload: some workload must accept it. */
static int param_text(const void *context, const char *text, char *out, char *message,
                      size_t message_size)
{
    const struct param_context *c = context;
    const struct pb_workload *workload = c->workload;
    int error = -ENOENT;
    if (workload != NULL)
        error = pb_params_canonical(workload, c->key, text, out, PB_READER_TEXT_MAX, message,
                                    message_size);
    for (size_t i = 0; c->workload == NULL && error != 0 && (workload = pb_workload_at(i)) != NULL;
         i++)
        if (pb_option_find(workload->options, c->key) != NULL)
            error = pb_params_canonical(workload, c->key, text, out, PB_READER_TEXT_MAX, message,
                                        message_size);
    if (error == 0 && c->raw)
        snprintf(out, PB_READER_TEXT_MAX, "%s", text);
    return error;
}

static bool has_option(const struct pb_workload *workload, const char *key)
{
    const struct pb_workload *any;
    if (workload != NULL)
        return pb_option_find(workload->options, key) != NULL;
    for (size_t i = 0; (any = pb_workload_at(i)) != NULL; i++)
        if (pb_option_find(any->options, key) != NULL)
            return true;
    return false;
}

static int unknown_key(const struct pb_reader *r, const char *where, const struct pb_entry *entry,
                       const char *key, const char *name_key)
{
    char allowed[PB_MESSAGE_MAX] = "", what[96];
    const struct pb_workload *workload = entry->workload;
    if (workload != NULL)
        for (const struct pb_option *o = workload->options; o->type != PB_OPTION_END; o++)
            pb_list_append(allowed, sizeof allowed, o->name);
    for (int axis = 0; axis < PB_AXES; axis++)
        pb_list_append(allowed, sizeof allowed, pb_axis_names[axis]);
    pb_list_append(allowed, sizeof allowed, "scale");
    pb_list_append(allowed, sizeof allowed, name_key);
    snprintf(what, sizeof what, "option%s%s", workload != NULL ? " of workload " : "",
             workload != NULL ? workload->name : "");
    return pb_reader_fail_key(r, where, key, what, allowed);
}

/* Which tables there are, under which key they name their workload, and how they are read. */
struct kind {
    const char *key, *name_key;
    size_t offset; /* of the entries in the matrix */
    bool exclude;
};

static const struct kind kinds[] = {
    {"workload", "name", offsetof(struct pb_matrix, workloads), false},
    {"include", "workload", offsetof(struct pb_matrix, includes), false},
    {"exclude", "workload", offsetof(struct pb_matrix, excludes), true},
};

static int read_entry_key(const struct pb_reader *r, const struct kind *kind,
                          struct pb_entry *entry, const char *key, const json_t *value)
{
    char where[PB_WHERE_MAX + 64], text[PB_READER_TEXT_MAX], message[PB_MESSAGE_MAX];
    int axis = pb_axis_find(key);
    snprintf(where, sizeof where, "%s.%s", entry->where, key);
    if (strcmp(key, kind->name_key) == 0)
        return 0;
    if (axis >= 0)
        return pb_reader_axis(r, where, axis, value, &entry->axes[axis]);
    if (strcmp(key, "scale") == 0 && !kind->exclude) {
        if (pb_reader_text(r, where, value, text) != 0)
            return -EINVAL;
        return pb_scale_parse(text, &entry->scale, message, sizeof message) == 0
                   ? 0
                   : pb_reader_fail(r, where, "%s", message);
    }
    if (!has_option(entry->workload, key))
        return unknown_key(r, where, entry, key, kind->name_key);
    struct param_context context = {entry->workload, key, kind->exclude};
    json_t *values = pb_reader_values(r, where, value, param_text, &context);
    return values == NULL ? -EINVAL : json_object_set_new(entry->params, key, values);
}

static int read_entry_workload(const struct pb_reader *r, const struct kind *kind,
                               struct pb_entry *entry, const json_t *name)
{
    char where[PB_WHERE_MAX + 64], allowed[256] = "";
    const struct pb_workload *workload;
    snprintf(where, sizeof where, "%s.%s", entry->where, kind->name_key);
    if (name == NULL && kind->exclude)
        return 0;
    if (name == NULL)
        return pb_reader_fail(r, entry->where, "'%s' is missing: which workload is it",
                              kind->name_key);
    if (json_is_string(name))
        entry->workload = pb_workload_find(json_string_value(name));
    for (size_t i = 0; (workload = pb_workload_at(i)) != NULL; i++)
        pb_list_append(allowed, sizeof allowed, workload->name);
    if (entry->workload == NULL)
        return pb_reader_fail(r, where, "unknown workload '%s'; allowed: %s",
                              json_is_string(name) ? json_string_value(name) : "?", allowed);
    return 0;
}

static const struct kind *kind_find(const char *key)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].key, key) == 0)
            return &kinds[i];
    return NULL;
}

bool pb_reader_has_entries(const char *key)
{
    return kind_find(key) != NULL;
}

int pb_reader_entries(const struct pb_reader *r, const char *name, const json_t *tables)
{
    const struct kind *kind = kind_find(name);
    struct pb_entries *entries = (void *)((char *)r->matrix + kind->offset);
    size_t i;
    json_t *table, *value;
    const char *key;
    if (!json_is_array(tables))
        return pb_reader_fail(r, kind->key, "%s is a list of tables: [[%s]]", kind->key, kind->key);
    json_array_foreach((json_t *)tables, i, table)
    {
        struct pb_entry *entry = pb_entries_add(entries);
        if (entry == NULL)
            return -ENOMEM;
        snprintf(entry->where, sizeof entry->where, "%s[%zu]", kind->key, i);
        if (!json_is_object(table))
            return pb_reader_fail(r, entry->where, "%s is a list of tables: [[%s]]", kind->key,
                                  kind->key);
        if (kind->exclude && json_object_size(table) == 0)
            return pb_reader_fail(r, entry->where,
                                  "an exclude that names nothing would drop everything");
        if (read_entry_workload(r, kind, entry, json_object_get(table, kind->name_key)) != 0)
            return -EINVAL;
        json_object_foreach(table, key, value)
        {
            if (read_entry_key(r, kind, entry, key, value) != 0)
                return -EINVAL;
        }
    }
    return 0;
}
