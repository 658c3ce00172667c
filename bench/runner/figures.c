/* SPDX-License-Identifier: MIT */
/* The figures there are, and the writing of those asked for. See figures.h. */
#include "runner/figures.h"

#include "runner/figure_list.h"
#include "runner/figure_page.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct pb_figure figures[] = {
    {"forest", "Which strategies are faster or slower than the reference?", pb_figure_forest},
    {"scaling", "What do more threads bring?", pb_figure_scaling},
    {"latency", "How long does one call take, from the typical to the worst?", pb_figure_latency},
    {"matrix", "Which strategy suits which workload?", pb_figure_matrix},
};

enum { FIGURES = sizeof figures / sizeof figures[0] };

const struct pb_figure *pb_figure_at(size_t index)
{
    return index < FIGURES ? &figures[index] : NULL;
}

static const struct pb_figure *find_figure(const char *name)
{
    for (size_t i = 0; i < FIGURES; i++) {
        if (strcmp(figures[i].name, name) == 0)
            return &figures[i];
    }
    return NULL;
}

static int check_names(const char *const *names, char *message, size_t size)
{
    for (; names != NULL && *names != NULL; names++) {
        if (find_figure(*names) != NULL)
            continue;
        size_t used = (size_t)snprintf(message, size, "no figure '%s'; there are", *names);
        for (size_t i = 0; i < FIGURES && used < size; i++)
            used += (size_t)snprintf(message + used, size - used, " %s", figures[i].name);
        return -EINVAL;
    }
    return 0;
}

static bool is_wanted(const struct pb_figure *figure, const char *const *names)
{
    if (names == NULL || *names == NULL)
        return true;
    for (; *names != NULL; names++) {
        if (strcmp(figure->name, *names) == 0)
            return true;
    }
    return false;
}

/* Every page, and that each is there as PNG as well. */
static void log_drawn(const char *name, const char *out_dir, FILE *log)
{
    char pages[1024];
    pb_page_drawn(name, out_dir, pages, sizeof pages);
    fprintf(log, "%s: %s in %s, PNGs beside them\n", name, pages, out_dir);
}

/* --- drawing aside: what stands in the folder stays until all of the new is there --------------
 */

/* Moves every file of `aside` into `out_dir`, or takes it away. */
static int empty_aside(const char *aside, const char *out_dir, bool keep)
{
    char from[PATH_MAX], to[PATH_MAX];
    int error = 0;
    DIR *folder = opendir(aside);
    if (folder == NULL)
        return -errno;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(from, sizeof from, "%s/%s", aside, entry->d_name);
        snprintf(to, sizeof to, "%s/%s", out_dir, entry->d_name);
        if ((keep ? rename(from, to) : unlink(from)) != 0 && error == 0)
            error = -errno;
    }
    closedir(folder);
    return rmdir(aside) != 0 && error == 0 ? -errno : error;
}

/* Messages name the folder that was asked for. */
static void forget_aside(char *why, const char *aside, const char *out_dir)
{
    char *at = strstr(why, aside);
    if (at != NULL)
        memmove(at + strlen(out_dir), at + strlen(aside), strlen(at + strlen(aside)) + 1);
}

/* Draws one figure. What cannot be drawn changes nothing; without gnuplot its data and script are
 * left for another machine, unless an older drawing of the same name would then belie them. */
static int draw_figure(const struct pb_figure *figure, const struct pb_run *run,
                       const char *reference, const char *out_dir, char *why, size_t why_size)
{
    char aside[PATH_MAX], older[1024];
    int length = snprintf(aside, sizeof aside, "%s/.drawing-XXXXXX", out_dir);
    if (length >= (int)sizeof aside || mkdtemp(aside) == NULL) {
        int error = length >= (int)sizeof aside ? ENAMETOOLONG : errno;
        snprintf(why, why_size, "%s: %s", out_dir, strerror(error));
        return error == ENOENT ? -ENOTDIR : -error; /* -ENOENT says that gnuplot is not there */
    }
    int error = figure->write(run, reference, aside, why, why_size);
    forget_aside(why, aside, out_dir);
    pb_page_drawn(figure->name, out_dir, older, sizeof older);
    bool keep = error == 0 || (error == -ENOENT && older[0] == '\0');
    if (keep)
        pb_page_forget(figure->name, 0, out_dir);
    int moved = empty_aside(aside, out_dir, keep);
    if (moved == 0 || error != 0)
        return error;
    snprintf(why, why_size, "%s: %s", out_dir, strerror(-moved));
    return moved;
}

int pb_figures(const struct pb_run *run, const char *const *names, const char *reference,
               const char *out_dir, FILE *log, char *message, size_t message_size)
{
    char why[1024];
    int result = check_names(names, message, message_size);
    if (result != 0)
        return result;
    if (mkdir(out_dir, 0777) != 0 && errno != EEXIST) {
        int error = errno;
        snprintf(message, message_size, "%s: %s", out_dir, strerror(error));
        return error == ENOENT ? -ENOTDIR : -error; /* -ENOENT says that gnuplot is not there */
    }
    for (size_t i = 0; i < FIGURES; i++) {
        if (!is_wanted(&figures[i], names))
            continue;
        int error = draw_figure(&figures[i], run, reference, out_dir, why, sizeof why);
        if (error == 0)
            log_drawn(figures[i].name, out_dir, log);
        else if (error == -ENODATA)
            fprintf(log, "%s: nothing to draw: %s\n", figures[i].name, why);
        else if (result == 0 || result == -ENOENT) {
            result = error;
            snprintf(message, message_size, "%s", why);
        }
    }
    return result;
}
