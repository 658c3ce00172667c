/* SPDX-License-Identifier: MIT */
/* Reading a matrix file: every key and value is checked here, and what is wrong is said with its
 * place in the file. */
#include "runner/matrix_reader.h"

#include "runner/toml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_axes(const struct pb_reader *r, const json_t *axes)
{
    const char *key;
    json_t *value;
    char where[PB_WHERE_MAX];
    if (!json_is_object(axes))
        return pb_reader_fail(r, "axes", "axes is a table: [axes]");
    json_object_foreach((json_t *)axes, key, value)
    {
        int axis = pb_axis_find(key);
        snprintf(where, sizeof where, "axes.%s", key);
        if (strcmp(key, "oversubscribe") == 0) {
            if (!json_is_boolean(value))
                return pb_reader_fail(r, where, "oversubscribe is true or false");
            r->matrix->oversubscribe = json_is_true(value);
        } else if (axis < 0) {
            return pb_reader_fail_key(
                r, where, key, "axis",
                "alloc, threads, pin, dispatch, memory, start, arrival, delay, "
                "oversubscribe");
        } else if (pb_reader_axis(r, where, axis, value, &r->matrix->axes[axis]) != 0) {
            return -EINVAL;
        }
    }
    return 0;
}

static int read_setting(const struct pb_reader *r, const char *key, const json_t *value)
{
    char text[PB_READER_TEXT_MAX], message[PB_MESSAGE_MAX], allowed[PB_MESSAGE_MAX] = "";
    if (!pb_setting_known(key)) {
        for (const struct pb_option *o = pb_setting_rows; o->type != PB_OPTION_END; o++)
            pb_list_append(allowed, sizeof allowed, o->name);
        pb_list_append(allowed, sizeof allowed, "scale, axes, workload, include, exclude");
        return pb_reader_fail_key(r, key, key, "key", allowed);
    }
    if (pb_reader_text(r, key, value, text) != 0)
        return -EINVAL;
    if (pb_setting_set(r->matrix, key, text, message, sizeof message) != 0)
        return pb_reader_fail(r, key, "%s", message);
    return 0;
}

static int read_root(const struct pb_reader *r, const json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)root, key, value)
    {
        int error = pb_reader_has_entries(key) ? pb_reader_entries(r, key, value)
                    : strcmp(key, "axes") == 0 ? read_axes(r, value)
                                               : read_setting(r, key, value);
        if (error != 0)
            return error;
    }
    return 0;
}

/* What a matrix must have. */
static int read_whole(const struct pb_reader *r)
{
    struct pb_matrix *m = r->matrix;
    if (m->workloads.n + m->includes.n == 0)
        return pb_reader_fail(r, "", "there is no [[workload]]: nothing to run");
    for (size_t i = 0; i < m->workloads.n && m->axes[PB_AXIS_ALLOC] == NULL; i++)
        if (m->workloads.at[i].axes[PB_AXIS_ALLOC] == NULL)
            return pb_reader_fail(r, "axes", "axes.alloc is missing: which variants are compared");
    for (size_t i = 0; i < m->includes.n && m->axes[PB_AXIS_ALLOC] == NULL; i++)
        if (m->includes.at[i].axes[PB_AXIS_ALLOC] == NULL)
            return pb_reader_fail(r, m->includes.at[i].where,
                                  "alloc is missing: here, or for all in [axes]");
    return 0;
}

/* What a file says nothing about. */
static int defaults(struct pb_matrix *m, const char *path)
{
    static const char *const standard[PB_AXES] = {NULL,      "1",    "core",   "call",
                                                  "default", "warm", "closed", "none"};
    m->path = strdup(path);
    m->scale = 1;
    for (int axis = 0; axis < PB_AXES; axis++)
        if (standard[axis] != NULL)
            m->axes[axis] = json_pack("[s]", standard[axis]);
    return m->path == NULL ? -ENOMEM : pb_option_defaults(pb_setting_rows, &m->settings);
}

static char *file_text(const char *path)
{
    size_t used = 0;
    char *text = NULL;
    FILE *file = fopen(path, "r");
    if (file != NULL && getdelim(&text, &used, '\0', file) < 0 && text != NULL)
        text[0] = '\0';
    if (file != NULL)
        fclose(file);
    return text;
}

int pb_matrix_read(const char *path, struct pb_matrix **matrix, char *message, size_t message_size)
{
    char *text = NULL;
    struct pb_matrix *m = calloc(1, sizeof *m);
    struct pb_reader r = {m, message, message_size};
    if (m == NULL || defaults(m, path) != 0) {
        pb_matrix_free(m);
        return -ENOMEM;
    }
    message[0] = '\0';
    int error = pb_toml_to_json(path, &text, message, message_size);
    if (error == 0) {
        m->text = file_text(path);
        json_t *root = json_loads(text, 0, NULL);
        error = root == NULL || m->text == NULL ? -ENOMEM : read_root(&r, root);
        json_decref(root);
        free(text);
    }
    if (error == 0)
        error = read_whole(&r);
    if (error == 0)
        *matrix = m;
    else
        pb_matrix_free(m);
    if (error == -ENOMEM && message[0] == '\0')
        snprintf(message, message_size, "%s: out of memory", path);
    return error;
}

void pb_matrix_where(const struct pb_matrix *matrix, const struct pb_entry *entry,
                     enum pb_axis axis, char *out, size_t size)
{
    char where[PB_WHERE_MAX + 64];
    int line, column;
    snprintf(where, sizeof where, "%s.%s", entry->axes[axis] != NULL ? entry->where : "axes",
             pb_axis_names[axis]);
    if (entry->axes[axis] == NULL && (matrix->replaced & 1u << axis) != 0)
        snprintf(out, size, "--%s", pb_axis_names[axis]);
    else if (pb_toml_position(matrix->path, where, &line, &column) == 0)
        snprintf(out, size, "%s:%d:%d", matrix->path, line, column);
    else
        snprintf(out, size, "%s", matrix->path);
}
