/* SPDX-License-Identifier: MIT */
/* What the command line changes in a matrix. A list is written with commas; a variant's own options
 * and an explicit pin list hold commas too, and stay together: "zone:lock=fas,segment=64k,pool" is
 * two variants, "explicit:0,2,core" two policies. Commas in parentheses never end an item. */
#include "runner/matrix.h"

#include "runner/params.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_MAX = 512 };

/* Whether a piece of a list belongs to the item before it. */
static bool continues(enum pb_axis axis, const char *piece, size_t length)
{
    const char *equals = memchr(piece, '=', length), *colon = memchr(piece, ':', length);
    if (axis == PB_AXIS_ALLOC)
        return equals != NULL && (colon == NULL || equals < colon);
    return axis == PB_AXIS_PIN && length > 0 && isdigit((unsigned char)piece[0]);
}

/* Bytes up to the next comma outside parentheses, or to the end. */
static size_t piece_length(const char *text)
{
    size_t length = 0;
    for (int depth = 0; text[length] != '\0' && (text[length] != ',' || depth > 0); length++)
        depth += (text[length] == '(') - (text[length] == ')');
    return length;
}

bool pb_matrix_next_item(enum pb_axis axis, const char **rest, char *item, size_t size)
{
    const char *at = *rest;
    size_t length = piece_length(at);
    if (*at == '\0')
        return false;
    while (at[length] == ',') {
        const char *piece = at + length + 1;
        size_t more = piece_length(piece);
        if (!continues(axis, piece, more))
            break;
        length += 1 + more;
    }
    snprintf(item, size, "%.*s", (int)length, at);
    *rest = at + length + (at[length] == ',');
    return true;
}

static int override_axis(struct pb_matrix *matrix, enum pb_axis axis, const char *list,
                         char *message, size_t message_size)
{
    char item[ITEM_MAX], text[ITEM_MAX], what[PB_MESSAGE_MAX];
    json_t *values = json_array();
    int error = 0;
    snprintf(what, sizeof what, "the list is empty");
    while (error == 0 && pb_matrix_next_item(axis, &list, item, sizeof item)) {
        error = pb_axis_canonical(axis, item, text, sizeof text, what, sizeof what);
        if (error == 0)
            pb_values_add(values, text);
    }
    if (error != 0 || json_array_size(values) == 0) {
        snprintf(message, message_size, "--%s: %s", pb_axis_names[axis], what);
        json_decref(values);
        return -EINVAL;
    }
    json_decref(matrix->axes[axis]);
    matrix->axes[axis] = values;
    matrix->replaced |= 1u << axis;
    for (size_t i = 0; i < matrix->workloads.n; i++) {
        json_decref(matrix->workloads.at[i].axes[axis]);
        matrix->workloads.at[i].axes[axis] = NULL;
    }
    return 0;
}

static bool in_list(const char *list, const char *name)
{
    char item[ITEM_MAX];
    while (pb_matrix_next_item(PB_AXES, &list, item, sizeof item))
        if (strcmp(item, name) == 0)
            return true;
    return false;
}

/* Drops the entries of other workloads. */
static void keep_listed(struct pb_entries *entries, const char *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < entries->n; i++) {
        if (in_list(list, entries->at[i].workload->name))
            entries->at[kept++] = entries->at[i];
        else
            pb_entry_clear(&entries->at[i]);
    }
    entries->n = kept;
}

static bool has_entry(const struct pb_entries *entries, const struct pb_workload *workload)
{
    for (size_t i = 0; i < entries->n; i++)
        if (entries->at[i].workload == workload)
            return true;
    return false;
}

/* A listed workload that the matrix does not have runs with its defaults. */
static int override_workload(struct pb_matrix *matrix, const char *list, char *message,
                             size_t message_size)
{
    char item[ITEM_MAX], allowed[256] = "";
    const struct pb_workload *workload;
    const char *rest = list;
    for (size_t i = 0; (workload = pb_workload_at(i)) != NULL; i++)
        pb_list_append(allowed, sizeof allowed, workload->name);
    while (pb_matrix_next_item(PB_AXES, &rest, item, sizeof item)) {
        workload = pb_workload_find(item);
        if (workload == NULL) {
            snprintf(message, message_size, "--workload: unknown workload '%s'; allowed: %s", item,
                     allowed);
            return -EINVAL;
        }
        if (!has_entry(&matrix->workloads, workload)) {
            struct pb_entry *entry = pb_entries_add(&matrix->workloads);
            if (entry == NULL)
                return -ENOMEM;
            entry->workload = workload;
        }
    }
    keep_listed(&matrix->workloads, list);
    keep_listed(&matrix->includes, list);
    return 0;
}

static void clear_entries(struct pb_entries *entries)
{
    for (size_t i = 0; i < entries->n; i++)
        pb_entry_clear(&entries->at[i]);
    entries->n = 0;
}

/* The workload that replays files, and the option that names one. */
static const struct pb_workload *replaying(void)
{
    const struct pb_workload *workload;
    for (size_t i = 0; (workload = pb_workload_at(i)) != NULL; i++)
        if ((workload->flags & PB_WORKLOAD_OWN_THREADS) != 0 &&
            pb_option_find(workload->options, "file") != NULL)
            return workload;
    return NULL;
}

static int override_trace(struct pb_matrix *matrix, const char *file, char *message,
                          size_t message_size)
{
    char text[ITEM_MAX], what[PB_MESSAGE_MAX] = "no workload replays files";
    const struct pb_workload *workload = replaying();
    if (workload == NULL ||
        pb_params_canonical(workload, "file", file, text, sizeof text, what, sizeof what) != 0) {
        snprintf(message, message_size, "--trace: %s", what);
        return -EINVAL;
    }
    clear_entries(&matrix->workloads);
    clear_entries(&matrix->includes);
    struct pb_entry *entry = pb_entries_add(&matrix->workloads);
    if (entry == NULL)
        return -ENOMEM;
    entry->workload = workload;
    return json_object_set_new(entry->params, "file", json_pack("[s]", text));
}

/* Sets one option of every workload of `entries` that has it (and is `only`, if given), and notes
 * the assignment there. Returns how many had it, or -EINVAL. */
static int set_param(struct pb_entries *entries, const char *only, const char *key,
                     const char *assignment, char *what, size_t what_size)
{
    const char *list = strchr(assignment, '=') + 1;
    char item[ITEM_MAX], text[ITEM_MAX];
    int had = 0;
    for (size_t i = 0; i < entries->n; i++) {
        struct pb_entry *entry = &entries->at[i];
        const char *rest = list;
        if ((only != NULL && strcmp(only, entry->workload->name) != 0) ||
            pb_option_find(entry->workload->options, key) == NULL)
            continue;
        json_t *values = json_array();
        int error = 0;
        while (error == 0 && pb_matrix_next_item(PB_AXES, &rest, item, sizeof item)) {
            error =
                pb_params_canonical(entry->workload, key, item, text, sizeof text, what, what_size);
            if (error == 0)
                pb_values_add(values, text);
        }
        if (error != 0 || json_array_size(values) == 0) {
            json_decref(values);
            return -EINVAL;
        }
        json_object_set_new(entry->params, key, values);
        json_object_set_new(entry->set, key, json_string(assignment));
        had++;
    }
    return had;
}

static int override_set(struct pb_matrix *matrix, const char *assignment, char *message,
                        size_t message_size)
{
    char copy[ITEM_MAX], what[PB_MESSAGE_MAX] = "the value is empty", *only = NULL, *key = copy;
    snprintf(copy, sizeof copy, "%s", assignment);
    char *value = strchr(copy, '=');
    if (value == NULL) {
        snprintf(message, message_size, "--set: '%s' is not [WORKLOAD.]KEY=VALUE", assignment);
        return -EINVAL;
    }
    *value = '\0';
    char *dot = strchr(copy, '.');
    if (dot != NULL) {
        *dot = '\0';
        only = copy;
        key = dot + 1;
    }
    int had = set_param(&matrix->workloads, only, key, assignment, what, sizeof what);
    int more =
        had < 0 ? had : set_param(&matrix->includes, only, key, assignment, what, sizeof what);
    if (more < 0)
        snprintf(message, message_size, "--set: %s", what);
    else if (had + more == 0)
        snprintf(message, message_size, "--set: no workload of this matrix has an option '%s'%s%s",
                 key, only != NULL ? " and the name " : "", only != NULL ? only : "");
    return more < 0 || had + more == 0 ? -EINVAL : 0;
}

/* What is wrong, without the name of the option that stands before it: the flag's is there. */
static const char *without_name(const char *what, const char *key)
{
    char name[64];
    int length = snprintf(name, sizeof name, "option '%.40s': ", key);
    return strncmp(what, name, (size_t)length) == 0 ? what + length : what;
}

static int override_setting(struct pb_matrix *matrix, const char *key, const char *value,
                            char *message, size_t message_size)
{
    char what[PB_MESSAGE_MAX] = "", flag[32];
    if (pb_setting_set(matrix, key, value, what, sizeof what) == 0)
        return 0;
    snprintf(flag, sizeof flag, "%s", key);
    for (char *at = flag; (at = strchr(at, '_')) != NULL;)
        *at = '-'; /* its name on the command line */
    snprintf(message, message_size, "--%s: %s", flag, without_name(what, key));
    return -EINVAL;
}

int pb_matrix_override(struct pb_matrix *matrix, const char *key, const char *value, char *message,
                       size_t message_size)
{
    static const struct {
        const char *key;
        int (*apply)(struct pb_matrix *, const char *, char *, size_t);
    } others[] = {
        {"workload", override_workload}, {"trace", override_trace}, {"set", override_set}};
    for (int axis = 0; axis < PB_AXES; axis++)
        if (strcmp(pb_axis_names[axis], key) == 0)
            return override_axis(matrix, (enum pb_axis)axis, value, message, message_size);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].key, key) == 0)
            return others[i].apply(matrix, value, message, message_size);
    if (strcmp(key, "oversubscribe") == 0) {
        matrix->oversubscribe = true;
        return 0;
    }
    return override_setting(matrix, key, value, message, message_size);
}
