/* SPDX-License-Identifier: MIT */
/* A workload's options in text, struct and JSON: params.h. */
#include "runner/params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct options {
    _Alignas(16) unsigned char bytes[PB_PARAMS_OPTIONS_MAX];
};

int pb_params_parse(const struct pb_workload *workload, const char *params, void *options,
                    char *message, size_t message_size)
{
    if (workload->option_bytes > PB_PARAMS_OPTIONS_MAX) {
        snprintf(message, message_size, "the options of %s are larger than a cell holds",
                 workload->name);
        return -EINVAL;
    }
    memset(options, 0, PB_PARAMS_OPTIONS_MAX);
    int error = pb_option_defaults(workload->options, options);
    return error != 0 ? error
                      : pb_option_parse(workload->options, options, params, message, message_size);
}

int pb_params_canonical(const struct pb_workload *workload, const char *key, const char *text,
                        char *out, size_t size, char *message, size_t message_size)
{
    struct options options;
    const struct pb_option *row = pb_option_find(workload->options, key);
    int error = pb_params_parse(workload, "", options.bytes, message, message_size);
    if (error == 0)
        error = pb_option_set(workload->options, options.bytes, key, strlen(key), text,
                              strlen(text), message, message_size);
    if (error != 0)
        return error;
    int length = pb_option_print(row, options.bytes, out, size);
    if (length < 0 || (size_t)length >= size || strchr(out, ',') != NULL) {
        snprintf(message, message_size, "%s: the value is too long or holds a comma", key);
        return -EINVAL;
    }
    return 0;
}

int pb_params_value(const struct pb_workload *workload, const char *params, const char *key,
                    char *out, size_t size)
{
    struct options options;
    char message[256];
    const struct pb_option *row = pb_option_find(workload->options, key);
    if (row == NULL)
        return -ENOENT;
    int error = pb_params_parse(workload, params, options.bytes, message, sizeof message);
    if (error == 0 && pb_option_print(row, options.bytes, out, size) >= (int)size)
        error = -EINVAL;
    return error;
}

static json_t *number_of(const struct pb_option *row, const unsigned char *options)
{
    uint64_t value;
    memcpy(&value, options + row->offset, sizeof value);
    return json_integer((json_int_t)value);
}

static json_t *text_of(const struct pb_option *row, const unsigned char *options)
{
    char text[PB_OPTION_TEXT_MAX + 32];
    pb_option_print(row, options, text, sizeof text);
    return json_string(text);
}

json_t *pb_params_json(const struct pb_workload *workload, const char *params)
{
    struct options options;
    char message[256];
    json_t *object = json_object();
    if (pb_params_parse(workload, params, options.bytes, message, sizeof message) != 0)
        return object;
    for (const char *at = params; *at != '\0'; at += at[0] == ',') {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(at, "=,"), at);
        const struct pb_option *row = pb_option_find(workload->options, key);
        if (row != NULL)
            json_object_set_new(object, key,
                                row->type == PB_OPTION_UINT ? number_of(row, options.bytes)
                                                            : text_of(row, options.bytes));
        at += strcspn(at, ",");
    }
    return object;
}

json_t *pb_params_identity(const struct pb_workload *workload, const char *params)
{
    struct options options;
    char message[256];
    json_t *object = json_object();
    if (pb_params_parse(workload, params, options.bytes, message, sizeof message) != 0)
        return object;
    for (const struct pb_option *row = workload->options; row->type != PB_OPTION_END; row++)
        json_object_set_new(object, row->name, text_of(row, options.bytes));
    return object;
}
