/* SPDX-License-Identifier: MIT */
/* Lets gnuplot draw a script, and gives the SVG a name that a reader of it can use: gnuplot calls
 * every drawing "Gnuplot" and every plot in it "gnuplot_plot_1". No shell is involved. See
 * figure_page.h. */
#include "runner/figure_page.h"

#include "runner/report_text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAW_PATH_MAX = 4096, DRAW_SAID_MAX = 1024 };

/* Reads what gnuplot says; keeps the first part. Closes `fd`. */
static void read_said(int fd, char *said, size_t size)
{
    char rest[512];
    size_t used = 0;
    ssize_t n;
    while (used + 1 < size && (n = read(fd, said + used, size - 1 - used)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        used += n > 0 ? (size_t)n : 0;
    }
    said[used] = '\0';
    while ((n = read(fd, rest, sizeof rest)) > 0 || (n < 0 && errno == EINTR))
        ;
    close(fd);
}

/* Starts gnuplot in `folder` with its standard error on `said`. Returns 0 or -errno. */
static int spawn_gnuplot(const char *folder, const char *script, int said, pid_t *pid)
{
    char *const arguments[] = {(char[]){"gnuplot"}, (char[]){"-d"}, (char *)(uintptr_t)script,
                               NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return -error;
    error = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp(pid, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

/* The first line with a letter in it that gnuplot said. */
static const char *first_line(char *said)
{
    for (char *line = strtok(said, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strspn(line, " \t^") < strlen(line))
            return line + strspn(line, " \t");
    }
    return "it said nothing";
}

static int run_gnuplot(const char *out_dir, const char *base, char *message, size_t size)
{
    char script[PB_PAGE_NAME_MAX + 4], said[DRAW_SAID_MAX];
    int ends[2], status = 0;
    pid_t pid;
    snprintf(script, sizeof script, "%s.gp", base);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    int error = spawn_gnuplot(out_dir, script, ends[1], &pid);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        if (error == -ENOENT)
            snprintf(message, size,
                     "gnuplot is not installed: data and scripts are in %s; apt-get install "
                     "gnuplot-nox, then plot again",
                     out_dir);
        else
            snprintf(message, size, "cannot start gnuplot: %s", strerror(-error));
        return error;
    }
    read_said(ends[0], said, sizeof said);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0)
        return 0;
    snprintf(message, size, "gnuplot failed on %s/%s: %s", out_dir, script, first_line(said));
    return -EIO;
}

/* --- the name of an SVG ---------------------------------------------------------------------- */

static char *file_read(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* What gnuplot writes and what stands there instead; %T and %D: title and description. */
static const struct {
    const char *from, *until, *to; /* from `from` up to and with `until` */
} rewrites[] = {
    {"<title>Gnuplot</title>", NULL, "<title id=\"pb-title\">%T</title>"},
    {"<desc>Produced by GNUPLOT", "</desc>", "<desc id=\"pb-desc\">%D</desc>"},
    {"<title>gnuplot_plot_", "</title>", ""},
    {" id=\"gnuplot_plot_", "\"", ""},
    {"<svg ", NULL, "<svg role=\"img\" aria-labelledby=\"pb-title pb-desc\" "},
    {"font-family=\"DejaVu Sans:Bold\"", NULL,
     "font-family=\"DejaVu Sans, Verdana, Helvetica, sans-serif\" font-weight=\"bold\""},
    {"font-family=\"DejaVu Sans\"", NULL,
     "font-family=\"DejaVu Sans, Verdana, Helvetica, sans-serif\""},
};

static void write_rewrite(FILE *out, const char *to, const char *title, const char *description)
{
    for (; *to != '\0'; to++) {
        if (to[0] == '%' && (to[1] == 'T' || to[1] == 'D'))
            pb_text_xml(out, *++to == 'T' ? title : description);
        else
            fputc(*to, out);
    }
}

/* Writes one piece of the SVG; returns what comes after it. */
static const char *rewrite_piece(FILE *out, const char *at, const char *title,
                                 const char *description)
{
    for (size_t i = 0; i < sizeof rewrites / sizeof rewrites[0]; i++) {
        size_t length = strlen(rewrites[i].from);
        if (strncmp(at, rewrites[i].from, length) != 0)
            continue;
        const char *end = at + length;
        if (rewrites[i].until != NULL) {
            end = strstr(end, rewrites[i].until);
            if (end == NULL)
                break;
            end += strlen(rewrites[i].until);
        }
        write_rewrite(out, rewrites[i].to, title, description);
        return end;
    }
    fputc(*at, out);
    return at + 1;
}

static int name_svg(const char *path, const char *title, const char *description)
{
    char fresh[DRAW_PATH_MAX + 8];
    int error = 0;
    char *text = file_read(path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *out = text != NULL ? fopen(fresh, "we") : NULL;
    if (out == NULL) {
        error = -errno;
        goto out_text;
    }
    for (const char *at = text; *at != '\0';)
        at = rewrite_piece(out, at, title, description);
    if (fclose(out) != 0 || rename(fresh, path) != 0)
        error = -errno;
out_text:
    free(text);
    return error;
}

int pb_figure_draw(const char *out_dir, const char *base, const char *title,
                   const char *description, char *message, size_t message_size)
{
    char path[DRAW_PATH_MAX];
    int error = run_gnuplot(out_dir, base, message, message_size);
    if (error != 0)
        return error;
    snprintf(path, sizeof path, "%s/%s.svg", out_dir, base);
    error = name_svg(path, title, description);
    if (error != 0)
        snprintf(message, message_size, "%s: %s", path, strerror(-error));
    return error;
}
