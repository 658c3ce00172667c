/* SPDX-License-Identifier: MIT */
/* Finds the file of a trace by its name. Threads: the folder is set before any starts; else any. */
#include "trace/trace.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *find_folder = "bench/traces";

void pb_trace_set_folder(const char *folder)
{
    find_folder = folder;
}

/* FOLDER/NAME.txt.zst, else FOLDER/NAME.txt. */
static bool find_in(const char *folder, size_t length, const char *name, char *path, size_t size)
{
    static const char *const extensions[] = {".txt.zst", ".txt"};

    for (unsigned i = 0; length > 0 && i < 2; i++) {
        const int n = snprintf(path, size, "%.*s/%s%s", (int)length, folder, name, extensions[i]);
        if (n > 0 && (size_t)n < size && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

int pb_trace_find(const char *name, char *path, size_t path_size, char *message,
                  size_t message_size)
{
    const char *folders = getenv("PB_TRACE_PATH");

    if (strchr(name, '/') != NULL || strchr(name, '.') != NULL) {
        if (access(name, R_OK) == 0 && strlen(name) < path_size) {
            memcpy(path, name, strlen(name) + 1);
            return 0;
        }
        snprintf(message, message_size, "no trace %s: %s", name, strerror(errno));
        return -ENOENT;
    }
    for (const char *at = folders; at != NULL; at += *at == ':') {
        const size_t length = strcspn(at, ":");
        if (find_in(at, length, name, path, path_size))
            return 0;
        at += length;
        if (*at == '\0')
            break;
    }
    if (name[0] != '\0' && find_in(find_folder, strlen(find_folder), name, path, path_size))
        return 0;
    snprintf(message, message_size, "no trace '%s': no %s.txt.zst or .txt in %s%s%s", name, name,
             folders != NULL ? folders : "", folders != NULL ? ":" : "", find_folder);
    return -ENOENT;
}
