/* SPDX-License-Identifier: MIT */
/* Where runs lie, and which one a name means: store.h. */
#include "runner/store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_records(const char *folder)
{
    char path[PATH_MAX];
    return (size_t)snprintf(path, sizeof path, "%s/records.jsonl", folder) < sizeof path &&
           access(path, F_OK) == 0;
}

void pb_store_root(char *out, size_t size)
{
    const char *given = getenv("PB_RESULTS_PATH");
    if ((given == NULL || given[0] == '\0') && is_folder(PB_SOURCE_DIR "/results"))
        given = PB_SOURCE_DIR "/results";
    snprintf(out, size, "%s", given != NULL && given[0] != '\0' ? given : "results");
}

/* When a run was last written to. */
static struct timespec written(const char *folder)
{
    char path[PATH_MAX];
    struct stat st = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/records.jsonl", folder) < sizeof path)
        (void)stat(path, &st);
    return st.st_mtim;
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Runs are named by their time, so the last name is the newest; within its second (what follows the
 * time is drawn at random) the one that was written to last. */
static bool newest(const char *root, char *out, size_t size)
{
    struct dirent **list;
    bool found = false;
    char path[PATH_MAX], second[sizeof "20260101-000000-"] = "";
    int n = scandir(root, &list, NULL, alphasort);
    for (int i = n; i-- > 0;) {
        const char *name = list[i]->d_name;
        int length = snprintf(path, sizeof path, "%s/%s", root, name);
        bool rival = !found || strncmp(name, second, sizeof second - 1) == 0;
        if (rival && length < (int)sizeof path && name[0] != '.' && has_records(path) &&
            (!found || is_later(written(path), written(out)))) {
            snprintf(out, size, "%s", path);
            snprintf(second, sizeof second, "%.*s", (int)sizeof second - 1, name);
            found = true;
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return found;
}

/* A path as it was given, without slashes at its end; of records.jsonl itself, its folder. */
static void folder_of(const char *name, char *out, size_t size)
{
    static const char file[] = "records.jsonl";
    const size_t file_length = sizeof file - 1;
    snprintf(out, size, "%s", name);
    size_t end = strlen(out);
    while (end > 1 && out[end - 1] == '/')
        out[--end] = '\0';
    if (is_folder(out) || end < file_length || strcmp(out + end - file_length, file) != 0)
        return;
    if (end == file_length)
        snprintf(out, size, ".");
    else if (end > file_length + 1 && out[end - file_length - 1] == '/')
        out[end - file_length - 1] = '\0';
}

int pb_store_find(const char *name, char *out, size_t size, char *message, size_t message_size)
{
    char root[PATH_MAX];
    pb_store_root(root, sizeof root);
    if (name == NULL || name[0] == '\0') {
        if (newest(root, out, size))
            return 0;
        snprintf(message, message_size, "there is no run in %s yet", root);
        return -ENOENT;
    }
    folder_of(name, out, size);
    if (has_records(out))
        return 0;
    if (name[0] == '/') {
        snprintf(message, message_size, "there is no run '%s': no records.jsonl in it", name);
        return -ENOENT;
    }
    snprintf(out, size, "%s/%s", root, name);
    if (has_records(out))
        return 0;
    snprintf(message, message_size, "there is no run '%s': no records.jsonl in it, nor in %s", name,
             out);
    return -ENOENT;
}
