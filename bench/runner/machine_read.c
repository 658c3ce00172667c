/* SPDX-License-Identifier: MIT */
/* Lines, fields and limits of the machine's files: machine_read.h. */
#include "runner/machine_read.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

FILE *pb_read_open(const char *root, const char *path)
{
    char whole[PATH_MAX];
    if ((size_t)snprintf(whole, sizeof whole, "%s%s", root, path) >= sizeof whole)
        return NULL;
    return fopen(whole, "re");
}

bool pb_read_line(const char *root, const char *path, char *out, size_t size)
{
    FILE *file = pb_read_open(root, path);
    bool read = file != NULL && fgets(out, (int)size, file) != NULL;
    if (!read)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
    return read;
}

void pb_read_choose(char *text)
{
    char *open = strchr(text, '['), *end = open != NULL ? strchr(open, ']') : NULL;
    if (end == NULL)
        return;
    *end = '\0';
    memmove(text, open + 1, strlen(open + 1) + 1);
}

char *pb_read_value(char *line, const char *key)
{
    size_t length = strlen(key);
    char *colon = strchr(line, ':');
    if (strncmp(line, key, length) != 0 || colon == NULL)
        return NULL;
    for (char *p = line + length; p < colon; p++)
        if (!isspace((unsigned char)*p))
            return NULL;
    colon++;
    while (isspace((unsigned char)*colon))
        colon++;
    colon[strcspn(colon, "\n")] = '\0';
    return colon;
}

bool pb_read_field(const char *root, const char *path, const char *key, char *out, size_t size)
{
    char *line = NULL, *value = NULL;
    size_t room = 0;
    FILE *file = pb_read_open(root, path);
    out[0] = '\0';
    while (file != NULL && value == NULL && getline(&line, &room, file) >= 0)
        if ((value = pb_read_value(line, key)) != NULL)
            snprintf(out, size, "%s", value);
    free(line);
    if (file != NULL)
        fclose(file);
    return value != NULL;
}

bool pb_read_has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

void pb_read_folder(const char *root, const char *path,
                    void (*each)(void *context, const char *name), void *context)
{
    char whole[PATH_MAX];
    struct dirent **list = NULL;
    if ((size_t)snprintf(whole, sizeof whole, "%s%s", root, path) >= sizeof whole)
        return;
    int n = scandir(whole, &list, is_visible, alphasort);
    for (int i = 0; i < n; i++) {
        each(context, list[i]->d_name);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

/* --- cgroups ---------------------------------------------------------------------------------- */

/* What one folder's file allows: "150000 100000" are 1.5 processors; NAN: it does not say. */
static double cgroup_limit(const char *root, const char *folder, bool bytes, bool v2)
{
    char path[PATH_MAX], line[128], period[128];
    const char *file = bytes ? (v2 ? "memory.max" : "memory.limit_in_bytes")
                             : (v2 ? "cpu.max" : "cpu.cfs_quota_us");
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file) >= sizeof path ||
        !pb_read_line(root, path, line, sizeof line))
        return (double)NAN;
    char *end;
    double value = strtod(line, &end), of = v2 ? strtod(end, NULL) : 0.0;
    if (end == line || value < 0.0) /* "max", or -1 */
        return (double)INFINITY;
    if (bytes)
        return value >= 0x1p60 ? (double)INFINITY : value; /* version 1's "none" */
    if (!v2) {
        snprintf(path, sizeof path, "%.*s/cpu.cfs_period_us", PATH_MAX - 32, folder);
        pb_read_line(root, path, period, sizeof period);
        of = strtod(period, NULL);
    }
    return of > 0.0 ? value / of : (double)NAN;
}

/* The tightest from a cgroup's folder up to where its hierarchy is mounted. */
static void climb(const char *root, const char *mount, const char *below, bool bytes, bool v2,
                  double *limit)
{
    char folder[PATH_MAX];
    size_t least = strlen(mount);
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", mount,
                         strcmp(below, "/") == 0 ? "" : below) >= sizeof folder)
        return;
    for (char *slash; strlen(folder) >= least; *slash = '\0') {
        *limit = fmin(*limit, cgroup_limit(root, folder, bytes, v2)); /* NAN does not count */
        slash = strrchr(folder, '/');
    }
}

/* "4:memory:/below" and "0::/below". */
static void climb_line(const char *root, char *line, bool bytes, double *limit)
{
    char mount[PATH_MAX], *rest = line;
    line[strcspn(line, "\n")] = '\0';
    strsep(&rest, ":");
    const char *controllers = strsep(&rest, ":"), *wanted = bytes ? "memory" : "cpu";
    if (controllers == NULL || rest == NULL)
        return;
    if (controllers[0] == '\0') {
        climb(root, "/sys/fs/cgroup", rest, bytes, true, limit);
        climb(root, "/sys/fs/cgroup/unified", rest, bytes, true, limit); /* beside version 1 */
        return;
    }
    for (const char *at = controllers; at[0] != '\0'; at += strcspn(at, ","), at += at[0] == ',')
        if (strcspn(at, ",") == strlen(wanted) && strncmp(at, wanted, strlen(wanted)) == 0) {
            snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controllers);
            climb(root, mount, rest, bytes, false, limit);
        }
}

bool pb_read_cgroup(const char *root, bool bytes, double *limit)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = pb_read_open(root, "/proc/self/cgroup");
    *limit = (double)NAN;
    while (file != NULL && getline(&line, &room, file) >= 0)
        climb_line(root, line, bytes, limit);
    free(line);
    if (file != NULL)
        fclose(file);
    return !isnan(*limit);
}

void pb_read_rlimit(const char *root, const char *name, char *out, size_t size)
{
    char *line = NULL;
    size_t room = 0, length = strlen(name);
    FILE *file = pb_read_open(root, "/proc/self/limits");
    out[0] = '\0';
    while (file != NULL && getline(&line, &room, file) >= 0)
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            const char *value = line + length + strspn(line + length, " ");
            snprintf(out, size, "%.*s", (int)strcspn(value, " "), value);
        }
    free(line);
    if (file != NULL)
        fclose(file);
}
