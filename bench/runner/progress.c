/* SPDX-License-Identifier: MIT */
/* Progress on standard error: progress.h. No colour is used, so NO_COLOR asks for nothing more. */
#include "runner/progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 24, LINE_SECONDS = 30, COLUMNS_UNKNOWN = 80 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int pb_progress_open(struct pb_progress *progress, const struct pb_plan *plan, const unsigned *todo,
                     bool quiet)
{
    const char *term = getenv("TERM");
    *progress = (struct pb_progress){.plan = plan, .quiet = quiet, .block = ~0u, .said = now()};
    progress->terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    progress->seconds = calloc(plan->cells_n * plan->blocks, sizeof *progress->seconds);
    progress->measured = calloc(plan->cells_n, sizeof *progress->measured);
    progress->left = calloc(plan->cells_n, sizeof *progress->left);
    progress->median = calloc(plan->cells_n, sizeof *progress->median);
    if (progress->seconds == NULL || progress->measured == NULL || progress->left == NULL ||
        progress->median == NULL) {
        pb_progress_close(progress);
        return -ENOMEM;
    }
    for (size_t i = 0; i < plan->cells_n; i++) {
        progress->left[i] = todo[i];
        progress->total += todo[i];
    }
    return 0;
}

static void wipe(struct pb_progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

void pb_progress_close(struct pb_progress *progress)
{
    wipe(progress);
    free(progress->seconds);
    free(progress->measured);
    free(progress->left);
    free(progress->median);
    *progress = (struct pb_progress){0};
}

double pb_progress_estimate(const struct pb_progress *progress, size_t cell)
{
    double ratio = progress->nominal_sum > 0 ? progress->measured_sum / progress->nominal_sum : 1;
    return progress->measured[cell] > 0 ? progress->median[cell]
                                        : progress->plan->cells[cell].estimate * ratio;
}

static double seconds_left(const struct pb_progress *progress)
{
    double seconds = 0;
    for (size_t i = 0; i < progress->plan->cells_n; i++)
        seconds += progress->left[i] * pb_progress_estimate(progress, i);
    return seconds;
}

/* "3 s", "4 min 10 s", "2 h 5 min" into `out`. */
static void print_time(double seconds, char *out, size_t size)
{
    unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;
    if (s < 60)
        snprintf(out, size, "%lu s", s);
    else if (s < 3600)
        snprintf(out, size, "%lu min %lu s", s / 60, s % 60);
    else
        snprintf(out, size, "%lu h %lu min", s / 3600, s / 60 % 60);
}

static void draw_bar(struct pb_progress *p, const char *left, const char *name)
{
    struct winsize window = {0};
    char line[1024], bar[BAR_WIDTH + 1];
    size_t full = p->total > 0 ? p->done * BAR_WIDTH / p->total : 0;
    int columns = COLUMNS_UNKNOWN;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        columns = window.ws_col;
    for (size_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    snprintf(line, sizeof line, "[%s] %zu/%zu  block %u of %u  %s left  %s", bar, p->done, p->total,
             p->block + 1, p->plan->blocks, left, name);
    fprintf(stderr, "\r\033[K%.*s", columns - 1, line);
    fflush(stderr);
    p->drawn = true;
}

void pb_progress_show(struct pb_progress *progress, const struct pb_plan_slot *slot)
{
    char left[48];
    bool fresh = slot->block != progress->block;
    progress->block = slot->block;
    if (progress->quiet)
        return;
    print_time(seconds_left(progress), left, sizeof left);
    if (progress->terminal) {
        draw_bar(progress, left, progress->plan->cells[slot->cell].name);
    } else if (fresh || now() - progress->said >= LINE_SECONDS) {
        fprintf(stderr, "block %u of %u, repetition %zu of %zu, about %s left\n", slot->block + 1,
                progress->plan->blocks, progress->done + 1, progress->total, left);
        progress->said = now();
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void pb_progress_took(struct pb_progress *progress, const struct pb_plan_slot *slot, double seconds)
{
    size_t cell = slot->cell;
    float *mine = progress->seconds + cell * progress->plan->blocks;
    unsigned n = ++progress->measured[cell];
    mine[n - 1] = (float)seconds;
    qsort(mine, n, sizeof *mine, by_value);
    progress->median[cell] = (double)(mine[(n - 1) / 2] + mine[n / 2]) / 2;
    progress->measured_sum += seconds;
    progress->nominal_sum += progress->plan->cells[cell].estimate;
    progress->left[cell] -= progress->left[cell] > 0;
    progress->done++;
}

void pb_progress_say(struct pb_progress *progress, const char *format, ...)
{
    va_list args;
    wipe(progress);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
