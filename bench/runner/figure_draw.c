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
    if (pipe2(ends, O_CLOEXEC) != 0) {
        int no_pipe = errno;
        snprintf(message, size, "cannot start gnuplot: %s", strerror(no_pipe));
        return -no_pipe;
    }
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

/* --- what gnuplot has drawn ------------------------------------------------------------------ */

/* gnuplot ends with 0 when it could not write all of a drawing; the drawing's end tells. */
static const char svg_end[] = "</svg>", png_end[] = "IEND\xae\x42\x60\x82";

static bool drawn_ends(FILE *file, const char *end)
{
    char last[16];
    return fseek(file, -(long)sizeof last, SEEK_END) == 0 &&
           fread(last, 1, sizeof last, file) == sizeof last &&
           memmem(last, sizeof last, end, strlen(end)) != NULL;
}

/* Checks that a drawing is finished. Reads it if `text` is not NULL; free that. */
static int drawn_read(const char *path, const char *end, char **text, char *message,
                      size_t message_size)
{
    size_t room = 0;
    FILE *file = fopen(path, "re");
    bool finished = file != NULL && drawn_ends(file, end);
    if (finished && text != NULL)
        finished = fseek(file, 0, SEEK_SET) == 0 && getdelim(text, &room, '\0', file) >= 0;
    if (file != NULL)
        fclose(file);
    if (finished)
        return 0;
    unlink(path);
    snprintf(message, message_size,
             "%s: gnuplot did not finish it, and does not say why: is the disk full?", path);
    return -EIO;
}

/* --- the name of an SVG ---------------------------------------------------------------------- */

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

static int name_svg(const char *path, const char *text, const char *title, const char *description,
                    char *message, size_t message_size)
{
    char *named = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&named, &size);
    if (out != NULL) {
        for (const char *at = text; *at != '\0';)
            at = rewrite_piece(out, at, title, description);
    }
    int error = out == NULL || ferror(out) ? -ENOMEM : 0;
    if (out != NULL && fclose(out) != 0)
        error = -ENOMEM;
    if (error == 0)
        error = pb_page_save(path, named, size, message, message_size);
    else
        snprintf(message, message_size, "%s: %s", path, strerror(-error));
    free(named);
    return error;
}

int pb_figure_draw(const char *out_dir, const char *base, const char *title,
                   const char *description, char *message, size_t message_size)
{
    char svg[DRAW_PATH_MAX], png[DRAW_PATH_MAX], *text = NULL;
    int error = run_gnuplot(out_dir, base, message, message_size);
    if (error != 0)
        return error;
    snprintf(svg, sizeof svg, "%s/%s.svg", out_dir, base);
    snprintf(png, sizeof png, "%s/%s.png", out_dir, base);
    error = drawn_read(svg, svg_end, &text, message, message_size);
    if (error == 0)
        error = name_svg(svg, text, title, description, message, message_size);
    free(text);
    if (error == 0)
        error = drawn_read(png, png_end, NULL, message, message_size);
    return error;
}
