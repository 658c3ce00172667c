/* SPDX-License-Identifier: MIT */
/* Places, messages and values of a matrix file: matrix_reader.h. */
#include "runner/matrix_reader.h"

#include "runner/toml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pb_reader_fail(const struct pb_reader *r, const char *where, const char *format, ...)
{
    int line, column, used;
    if (pb_toml_position(r->matrix->path, where, &line, &column) == 0)
        used = snprintf(r->message, r->message_size, "%s:%d:%d: ", r->matrix->path, line, column);
    else
        used = snprintf(r->message, r->message_size, "%s: ", r->matrix->path);
    if (used >= 0 && (size_t)used < r->message_size) {
        va_list args;
        va_start(args, format);
        vsnprintf(r->message + used, r->message_size - (size_t)used, format, args);
        va_end(args);
    }
    return -EINVAL;
}

/* The column of a key in its line, from 1, in code points; 0 if it is not there. */
static int key_column(const char *text, int line, const char *key)
{
    int column = 1;
    while (text != NULL && --line > 0)
        text = (text = strchr(text, '\n')) != NULL ? text + 1 : NULL;
    const char *end = text != NULL ? text + strcspn(text, "\n") : NULL;
    const char *at = text != NULL ? strstr(text, key) : NULL;
    if (at == NULL || at >= end)
        return 0;
    for (; text < at; text++)
        column += ((unsigned char)*text & 0xc0) != 0x80;
    return column;
}

int pb_reader_fail_key(const struct pb_reader *r, const char *where, const char *key,
                       const char *what, const char *allowed)
{
    int line, column, of_key;
    char place[64] = "";
    if (pb_toml_position(r->matrix->path, where, &line, &column) == 0) {
        of_key = key_column(r->matrix->text, line, key);
        snprintf(place, sizeof place, "%d:%d:", line, of_key > 0 ? of_key : column);
    }
    snprintf(r->message, r->message_size, "%s:%s unknown %s '%s'; allowed: %s", r->matrix->path,
             place, what, key, allowed);
    return -EINVAL;
}

int pb_reader_text(const struct pb_reader *r, const char *where, const json_t *value, char *out)
{
    int length = PB_READER_TEXT_MAX;
    if (json_is_string(value))
        length = snprintf(out, PB_READER_TEXT_MAX, "%s", json_string_value(value));
    else if (json_is_integer(value))
        length =
            snprintf(out, PB_READER_TEXT_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        length = snprintf(out, PB_READER_TEXT_MAX, "%.17g", json_real_value(value));
    else if (json_is_boolean(value))
        length = snprintf(out, PB_READER_TEXT_MAX, "%s", json_is_true(value) ? "on" : "off");
    else
        return pb_reader_fail(r, where, "a text, a number, true or false is needed here");
    return length < PB_READER_TEXT_MAX ? 0 : pb_reader_fail(r, where, "the text is too long");
}

json_t *pb_reader_values(const struct pb_reader *r, const char *where, const json_t *value,
                         pb_canonical_fn *canonical, const void *context)
{
    char text[PB_READER_TEXT_MAX], out[PB_READER_TEXT_MAX], at[PB_WHERE_MAX + 16],
        message[PB_MESSAGE_MAX];
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    json_t *values = json_array();
    if (n == 0) {
        pb_reader_fail(r, where, "the list is empty");
        goto out_values;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;
        snprintf(at, sizeof at, "%s", where);
        if (json_is_array(value))
            snprintf(at, sizeof at, "%s[%zu]", where, i);
        if (pb_reader_text(r, at, one, text) != 0)
            goto out_values;
        if (canonical(context, text, out, message, sizeof message) != 0) {
            pb_reader_fail(r, at, "%s", message);
            goto out_values;
        }
        pb_values_add(values, out);
    }
    return values;
out_values:
    json_decref(values);
    return NULL;
}

static int axis_text(const void *context, const char *text, char *out, char *message,
                     size_t message_size)
{
    return pb_axis_canonical(*(const enum pb_axis *)context, text, out, PB_READER_TEXT_MAX, message,
                             message_size);
}

int pb_axis_find(const char *key)
{
    for (int axis = 0; axis < PB_AXES; axis++)
        if (strcmp(pb_axis_names[axis], key) == 0)
            return axis;
    return -1;
}

int pb_reader_axis(const struct pb_reader *r, const char *where, int index, const json_t *value,
                   json_t **slot)
{
    enum pb_axis axis = (enum pb_axis)index;
    json_t *values = pb_reader_values(r, where, value, axis_text, &axis);
    if (values == NULL)
        return -EINVAL;
    json_decref(*slot);
    *slot = values;
    return 0;
}
