/* SPDX-License-Identifier: MIT */
/* What a matrix is made of: what an axis accepts, and where a matrix is found. */
#include "runner/matrix.h"

#include "placement/placement.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const pb_axis_names[] = {"alloc", "threads", "pin",   "dispatch", "memory",
                                     "start", "arrival", "delay", NULL};

static const char *const memory_policies[] = {"default", "local", "interleave", NULL};
static const char *const starts[] = {"warm", "cold", NULL};

/* Values of the form KIND:NUMBER, and the one without a number. */
struct numbered {
    const char *what, *plain, *kinds[3], *allowed;
    unsigned long min, max;
};
static const struct numbered arrivals = {
    "arrival",
    "closed",
    {"poisson", "fixed", NULL},
    "closed, poisson:N, fixed:N (steps a second of each worker, 1 to 10000000)",
    1,
    10000000};
static const struct numbered delays = {
    "delay", "none", {"slow", "lock", NULL}, "none, slow:NS, lock:NS (0 to 1000000 ns)",
    0,       1000000};

void pb_list_append(char *out, size_t size, const char *name)
{
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used == 0 ? "" : ", ", name);
}

static void list_names(const char *const *names, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; names[i] != NULL; i++)
        pb_list_append(out, size, names[i]);
}

static int choice(const char *const *names, const char *text, const char *what, char *out,
                  size_t size, char *message, size_t message_size)
{
    char allowed[256];
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], text) == 0) {
            snprintf(out, size, "%s", text);
            return 0;
        }
    list_names(names, allowed, sizeof allowed);
    snprintf(message, message_size, "unknown %s '%s'; allowed: %s", what, text, allowed);
    return -EINVAL;
}

static int thread_count(const char *text, char *out, size_t size, char *message,
                        size_t message_size)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || n < 1 || n > PB_PLACEMENT_MAX) {
        snprintf(message, message_size, "threads '%s' is out of range; allowed: 1 to %d", text,
                 PB_PLACEMENT_MAX);
        return -EINVAL;
    }
    snprintf(out, size, "%ld", n);
    return 0;
}

/* A policy's name ends at a colon; what follows is judged with the topology. */
static int pin_policy(const char *text, char *out, size_t size, char *message, size_t message_size)
{
    char allowed[256] = "";
    size_t length = strcspn(text, ":");
    for (const struct pb_policy *p = pb_policies; p->name != NULL; p++) {
        pb_list_append(allowed, sizeof allowed, p->name);
        if (strcspn(p->name, ":") == length && strncmp(p->name, text, length) == 0) {
            if ((size_t)snprintf(out, size, "%s", text) < size)
                return 0;
        }
    }
    snprintf(message, message_size, "unknown pin policy '%s'; allowed: %s", text, allowed);
    return -EINVAL;
}

/* The number without leading zeros or a sign. */
static int numbered(const struct numbered *n, const char *text, char *out, size_t size,
                    char *message, size_t message_size)
{
    size_t length = strcspn(text, ":");
    bool known = strcmp(text, n->plain) == 0;
    if (known)
        snprintf(out, size, "%s", text);
    for (size_t i = 0; !known && n->kinds[i] != NULL; i++) {
        const char *digits = text + length + 1;
        if (strlen(n->kinds[i]) != length || strncmp(n->kinds[i], text, length) != 0 ||
            text[length] != ':' || !isdigit((unsigned char)digits[0]))
            continue;
        char *end;
        unsigned long value = strtoul(digits, &end, 10);
        known = *end == '\0' && value >= n->min && value <= n->max;
        snprintf(out, size, "%s:%lu", n->kinds[i], value);
    }
    if (!known)
        snprintf(message, message_size, "unknown %s '%s'; allowed: %s", n->what, text, n->allowed);
    return known ? 0 : -EINVAL;
}

static int variant_label(const char *text, char *out, size_t size, char *message,
                         size_t message_size)
{
    struct pb_variant variant;
    if (pb_variant_parse(text, &variant, message, message_size) != 0)
        return -EINVAL;
    snprintf(out, size, "%s", variant.label);
    return 0;
}

int pb_axis_canonical(enum pb_axis axis, const char *text, char *out, size_t size, char *message,
                      size_t message_size)
{
    switch (axis) {
    case PB_AXIS_ALLOC:
        return variant_label(text, out, size, message, message_size);
    case PB_AXIS_THREADS:
        return thread_count(text, out, size, message, message_size);
    case PB_AXIS_PIN:
        return pin_policy(text, out, size, message, message_size);
    case PB_AXIS_DISPATCH:
        return choice(pb_dispatch_names, text, "dispatch", out, size, message, message_size);
    case PB_AXIS_MEMORY:
        return choice(memory_policies, text, "memory policy", out, size, message, message_size);
    case PB_AXIS_START:
        return choice(starts, text, "start", out, size, message, message_size);
    case PB_AXIS_ARRIVAL:
        return numbered(&arrivals, text, out, size, message, message_size);
    case PB_AXIS_DELAY:
        return numbered(&delays, text, out, size, message, message_size);
    case PB_AXES:
        break;
    }
    return -EINVAL;
}

struct pb_entry *pb_entries_add(struct pb_entries *entries)
{
    struct pb_entry *at = realloc(entries->at, (entries->n + 1) * sizeof *at);
    if (at == NULL)
        return NULL;
    entries->at = at;
    at[entries->n] = (struct pb_entry){.params = json_object(), .set = json_object(), .scale = 1};
    return &at[entries->n++];
}

void pb_entry_clear(struct pb_entry *entry)
{
    for (int axis = 0; axis < PB_AXES; axis++)
        json_decref(entry->axes[axis]);
    json_decref(entry->params);
    json_decref(entry->set);
    *entry = (struct pb_entry){.scale = 1};
}

int pb_values_add(json_t *array, const char *text)
{
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value)
    {
        if (strcmp(json_string_value(value), text) == 0)
            return 0;
    }
    return json_array_append_new(array, json_string(text)) == 0 ? 0 : -ENOMEM;
}

static void entries_free(struct pb_entries *entries)
{
    for (size_t i = 0; i < entries->n; i++)
        pb_entry_clear(&entries->at[i]);
    free(entries->at);
}

void pb_matrix_free(struct pb_matrix *matrix)
{
    if (matrix == NULL)
        return;
    entries_free(&matrix->workloads);
    entries_free(&matrix->includes);
    entries_free(&matrix->excludes);
    for (int axis = 0; axis < PB_AXES; axis++)
        json_decref(matrix->axes[axis]);
    free(matrix->path);
    free(matrix->text);
    free(matrix);
}

/* --- where a matrix is found ------------------------------------------------------------------ */

/* The folder at `index`, or false past the last. */
static bool search_folder(size_t index, char *out, size_t size)
{
    const char *path = getenv("PB_MATRIX_PATH");
    for (; path != NULL && *path != '\0'; path += path[0] == ':') {
        size_t length = strcspn(path, ":");
        if (index-- == 0) {
            snprintf(out, size, "%.*s", (int)length, path);
            return true;
        }
        path += length;
    }
    if (index-- == 0) {
        snprintf(out, size, "%s/bench/matrices", PB_SOURCE_DIR);
        return true;
    }
    snprintf(out, size, "bench/matrices");
    return index == 0;
}

static int is_toml(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".toml") == 0;
}

void pb_matrix_each(void (*each)(void *context, const char *name, const char *path), void *context)
{
    char folder[1024], path[2048], name[256];
    json_t *seen = json_object();
    for (size_t f = 0; search_folder(f, folder, sizeof folder); f++) {
        struct dirent **list;
        int n = scandir(folder, &list, is_toml, alphasort);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "%.*s", (int)(strlen(list[i]->d_name) - 5),
                     list[i]->d_name);
            snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
            if (json_object_get(seen, name) == NULL)
                each(context, name, path);
            json_object_set_new(seen, name, json_true());
            free(list[i]);
        }
        if (n >= 0)
            free(list);
    }
    json_decref(seen);
}

struct names {
    char text[256];
};

static void collect_name(void *context, const char *name, const char *path)
{
    struct names *names = context;
    (void)path;
    pb_list_append(names->text, sizeof names->text, name);
}

int pb_matrix_find(const char *name, char *path, size_t size, char *message, size_t message_size)
{
    char folder[1024];
    size_t length = strlen(name);
    struct names names = {""};
    if (strchr(name, '/') != NULL || (length > 5 && strcmp(name + length - 5, ".toml") == 0)) {
        snprintf(path, size, "%s", name);
        if (access(path, R_OK) == 0)
            return 0;
        snprintf(message, message_size, "%s: %s", path, strerror(errno));
        return -ENOENT;
    }
    for (size_t f = 0; search_folder(f, folder, sizeof folder); f++) {
        snprintf(path, size, "%s/%s.toml", folder, name);
        if (access(path, R_OK) == 0)
            return 0;
    }
    pb_matrix_each(collect_name, &names);
    snprintf(message, message_size, "there is no matrix '%s'; there are: %s (or give a path)", name,
             names.text[0] != '\0' ? names.text : "none, see PB_MATRIX_PATH");
    return -ENOENT;
}
