/* SPDX-License-Identifier: MIT */
/* Finding the placements of a program: layout.h. */
#include "runner/layout.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opens one that is executable. Returns the descriptor, or -1. */
static int open_program(const char *program, unsigned layout)
{
    char path[2 * PATH_MAX];
    const char *name = strrchr(program, '/');
    if (name == NULL)
        return -1;
    snprintf(path, sizeof path, "%.*s/layouts%s-%u", (int)(name - program), program, name, layout);
    return access(path, X_OK) == 0 ? open(path, O_PATH | O_CLOEXEC) : -1;
}

void pb_layouts_open(struct pb_layouts *layouts, const char *program)
{
    char *real = program != NULL ? realpath(program, NULL) : NULL;
    unsigned n = 1;
    *layouts = (struct pb_layouts){.n = 1, .first = program};
    for (unsigned i = 0; i < PB_LAYOUTS; i++)
        layouts->fds[i] = -1;
    for (; real != NULL && n < PB_LAYOUTS; n++) {
        layouts->fds[n] = open_program(real, n);
        if (layouts->fds[n] < 0)
            break;
        snprintf(layouts->paths[n], sizeof layouts->paths[n], "/proc/self/fd/%d", layouts->fds[n]);
    }
    free(real);
    if (n < PB_LAYOUTS)
        pb_layouts_close(layouts);
    else
        layouts->n = PB_LAYOUTS;
}

void pb_layouts_close(struct pb_layouts *layouts)
{
    for (unsigned i = 1; i < PB_LAYOUTS; i++) {
        if (layouts->fds[i] >= 0)
            close(layouts->fds[i]);
        layouts->fds[i] = -1;
    }
    layouts->n = 1;
}

const char *pb_layouts_program(const struct pb_layouts *layouts, unsigned layout)
{
    return layout == 0 ? layouts->first : layouts->paths[layout];
}
