/* SPDX-License-Identifier: MIT */
/* Named runs: baseline.h. */
#include "runner/baseline.h"

#include "runner/json_line.h"
#include "runner/run.h"
#include "runner/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".json"

enum { NAME_LONGEST = 64 };

static int check_name(const char *name, char *message, size_t size)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strspn(name, allowed);
    if (length > 0 && length <= NAME_LONGEST && name[length] == '\0' && name[0] != '.' &&
        name[0] != '-')
        return 0;
    snprintf(message, size,
             "'%.80s' is no name of a baseline: letters, digits, '.', '_' and '-', %d at the most, "
             "a letter or digit first",
             name, NAME_LONGEST);
    return -EINVAL;
}

static int say(const char *path, int error, char *message, size_t size)
{
    pb_store_say(path, error, "it must be a place that may be written to", message, size);
    return error;
}

/* results/baselines, and the file of a name in it. */
static void paths(const char *name, char *folder, char *file, size_t size)
{
    char root[PATH_MAX / 2];
    pb_store_root(root, sizeof root);
    snprintf(folder, size, "%s/baselines", root);
    snprintf(file, size, "%s/baselines/%s" SUFFIX, root, name);
}

/* The folder as it is written down: below the root without the root, else in full. */
static void portable(const char *folder, char *out, size_t size)
{
    char root[PATH_MAX], real_root[PATH_MAX], real[PATH_MAX];
    pb_store_root(root, sizeof root);
    if (realpath(folder, real) == NULL)
        snprintf(real, sizeof real, "%s", folder);
    if (realpath(root, real_root) == NULL)
        snprintf(real_root, sizeof real_root, "%s", root);
    size_t length = strlen(real_root);
    bool below = strncmp(real, real_root, length) == 0 && real[length] == '/';
    snprintf(out, size, "%s", below ? real + length + 1 : real);
}

/* --- reading --------------------------------------------------------------------------------- */

static int keep_line(void *context, json_t *object, size_t number)
{
    json_t **line = context;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (number == 1 && kind != NULL && strcmp(kind, "baseline") == 0)
        *line = json_incref(object);
    return 0;
}

static int read_line(const char *path, json_t **line, char *message, size_t size)
{
    struct pb_lines lines;
    *line = NULL;
    int error = pb_lines_read(path, keep_line, line, &lines, message, size);
    if (error == 0 && (*line == NULL || !json_is_string(json_object_get(*line, "run")) ||
                       !json_is_string(json_object_get(*line, "folder")))) {
        snprintf(message, size, "%s: is no baseline; set it again", path);
        error = -EINVAL;
    }
    if (error != 0) {
        json_decref(*line);
        *line = NULL;
    }
    return error;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text != NULL ? text : "";
}

static int first_line(void *context, json_t *object, size_t number)
{
    snprintf(context, PB_RUN_NAME_MAX, "%s", text_of(object, "run"));
    return (int)number; /* not 0: it is enough */
}

/* Whether the folder holds the run of that id. */
static bool holds(const char *folder, const char *run)
{
    char path[PATH_MAX + 16], found[PB_RUN_NAME_MAX] = "", message[256];
    struct pb_lines lines;
    snprintf(path, sizeof path, "%s/records.jsonl", folder);
    (void)pb_lines_read(path, first_line, found, &lines, message, sizeof message);
    return strcmp(found, run) == 0;
}

/* Where the run of a baseline lies: where it was, or under its own name. */
static bool find(const json_t *line, char *folder, size_t size)
{
    char root[PATH_MAX / 2];
    const char *run = text_of(line, "run"), *where = text_of(line, "folder");
    pb_store_root(root, sizeof root);
    if (where[0] == '/')
        snprintf(folder, size, "%s", where);
    else
        snprintf(folder, size, "%s/%s", root, where);
    if (holds(folder, run))
        return true;
    snprintf(folder, size, "%s/%s", root, run);
    return holds(folder, run);
}

int pb_baseline_resolve(const char *text, char *folder, size_t size, char *message,
                        size_t message_size)
{
    char dir[PATH_MAX], path[PATH_MAX];
    json_t *line;
    if (text[0] == '\0') { /* not the newest: that is said by saying nothing */
        snprintf(message, message_size, "RUN is empty: a folder, or a name under results");
        return -EINVAL;
    }
    if (text[0] != '@') {
        snprintf(folder, size, "%s", text);
        return 0;
    }
    int error = check_name(text + 1, message, message_size);
    if (error != 0)
        return error;
    paths(text + 1, dir, path, sizeof path);
    if (access(path, F_OK) != 0) {
        snprintf(message, message_size,
                 "there is no baseline '%s'; 'poolbench baseline list' shows those there are",
                 text + 1);
        return -ENOENT;
    }
    error = read_line(path, &line, message, message_size);
    if (error != 0)
        return error;
    if (!find(line, folder, size)) {
        snprintf(message, message_size,
                 "the baseline '%s' is run %s, which is not there any more (it was %s): bring it "
                 "back, or set the baseline anew",
                 text + 1, text_of(line, "run"), text_of(line, "folder"));
        error = -ENOENT;
    }
    json_decref(line);
    return error;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Whole or not at all: under another name first. */
static int put(const char *folder, const char *path, const json_t *line, char *message, size_t size)
{
    char whole[PATH_MAX + 16];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return say(folder, -errno, message, size);
    snprintf(whole, sizeof whole, "%s.%d", path, (int)getpid());
    int fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    int error = fd >= 0 ? pb_line_append(fd, line) : -errno;
    if (fd >= 0 && close(fd) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(whole, path) != 0)
        error = -errno;
    if (error != 0 && fd >= 0)
        unlink(whole);
    return error == 0 ? 0 : say(path, error, message, size);
}

int pb_baseline_set(const char *name, const char *run, char *before, char *message,
                    size_t message_size)
{
    char folder[PATH_MAX], path[PATH_MAX], now[32], where[PATH_MAX];
    struct pb_run *loaded = NULL;
    json_t *line = NULL, *old = NULL;
    before[0] = '\0';
    int error = check_name(name, message, message_size);
    if (error == 0)
        error = pb_baseline_resolve(run, folder, sizeof folder, message, message_size);
    if (error == 0)
        error = pb_run_load(folder, &loaded, message, message_size);
    if (error != 0)
        return error;
    paths(name, folder, path, sizeof path);
    if (access(path, F_OK) == 0 && read_line(path, &old, where, sizeof where) == 0)
        snprintf(before, PB_RUN_NAME_MAX, "%s", text_of(old, "run"));
    pb_utc_now(now, sizeof now);
    portable(loaded->folder, where, sizeof where);
    line = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "v", 1, "kind", "baseline", "name", name,
                     "run", text_of(loaded->header, "run"), "folder", where, "t_utc", now);
    error = line != NULL ? put(folder, path, line, message, message_size) : -ENOMEM;
    if (error == -ENOMEM)
        snprintf(message, message_size, "out of memory, or %s is not UTF-8", loaded->folder);
    bool complete = loaded->complete;
    if (error == 0)
        snprintf(message, message_size, "%s%s", complete ? "" : loaded->folder,
                 complete ? "" : ": the run is not complete; 'poolbench resume' goes on with it");
    json_decref(line);
    json_decref(old);
    pb_run_free(loaded);
    return error;
}

int pb_baseline_remove(const char *name, char *message, size_t message_size)
{
    char folder[PATH_MAX], path[PATH_MAX];
    int error = check_name(name, message, message_size);
    if (error != 0)
        return error;
    paths(name, folder, path, sizeof path);
    if (unlink(path) == 0)
        return 0;
    if (errno != ENOENT)
        return say(path, -errno, message, message_size);
    snprintf(message, message_size, "there is no baseline '%s'", name);
    return -ENOENT;
}

static int list_one(const char *path, const char *name, FILE *out, char *message, size_t size)
{
    char folder[PATH_MAX];
    json_t *line;
    int error = read_line(path, &line, message, size);
    if (error != 0)
        return error;
    fprintf(out, "%-16s %s  %s  %s%s\n", name, text_of(line, "run"), text_of(line, "t_utc"),
            text_of(line, "folder"), find(line, folder, sizeof folder) ? "" : "  (not there)");
    json_decref(line);
    return 0;
}

static int is_baseline(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), suffix = sizeof SUFFIX - 1;
    return length > suffix && strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

int pb_baseline_list(FILE *out, char *message, size_t message_size)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct dirent **list;
    int first = 0;
    paths("", folder, path, sizeof path);
    int n = scandir(folder, &list, is_baseline, alphasort);
    for (int i = 0; i < n; i++) {
        char name[NAME_MAX + 1], why[512];
        snprintf(name, sizeof name, "%.*s", (int)(strlen(list[i]->d_name) - sizeof SUFFIX + 1),
                 list[i]->d_name);
        paths(name, folder, path, sizeof path);
        int error = list_one(path, name, out, why, sizeof why);
        if (error != 0 && first == 0) {
            snprintf(message, message_size, "%s", why);
            first = error;
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return first;
}
