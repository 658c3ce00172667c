/* SPDX-License-Identifier: MIT */
/* For the tests of figures: a folder of the test's own, and drawing into it with and without
 * gnuplot. Include after cmocka.h. Threads: main. */
#ifndef PB_FIGURE_FIXTURE_H
#define PB_FIGURE_FIXTURE_H

#include "reading_run.h"
#include "runner/figures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_ROOM = 512 };

static char folder[PATH_ROOM]; /* of the test that runs */

/* Holds until the next call. */
__attribute__((unused)) static char *made_path(const char *name)
{
    static char path[PATH_ROOM + 256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

__attribute__((unused)) static int make_folder(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/figures-XXXXXX", parent != NULL ? parent : P_tmpdir);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

__attribute__((unused)) static int drop_folder(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.')
            unlink(made_path(entry->d_name));
    }
    closedir(dir);
    return rmdir(folder);
}

__attribute__((unused)) static char *made_file(const char *name)
{
    return slurp(made_path(name));
}

__attribute__((unused)) static bool has_file(const char *name)
{
    return access(made_path(name), F_OK) == 0;
}

/* Runs a program quietly. Returns its exit code, -1 if it is not there. */
__attribute__((unused)) static int run_quietly(char *const arguments[])
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

__attribute__((unused)) static bool have_gnuplot(void)
{
    char *const arguments[] = {(char[]){"gnuplot"}, (char[]){"--version"}, NULL};
    return run_quietly(arguments) == 0;
}

/* Writes figures into the folder; the log goes to `said`, which may be NULL. */
__attribute__((unused)) static int draw(const struct pb_run *run, const char *const *names,
                                        char **said, char *message, size_t size)
{
    char *text = NULL;
    size_t n = 0;
    FILE *log = open_memstream(&text, &n);
    int error = pb_figures(run, names, NULL, folder, log, message, size);
    fclose(log);
    if (said != NULL)
        *said = text;
    else
        free(text);
    return error;
}

/* Draws with no gnuplot to be found: data and scripts alone. */
__attribute__((unused)) static int
draw_without_gnuplot(const struct pb_run *run, const char *const *names, char *message, size_t size)
{
    char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    setenv("PATH", "/nonexistent", 1);
    int error = draw(run, names, NULL, message, size);
    setenv("PATH", path, 1);
    free(path);
    return error;
}

/* The data of one figure; free it. */
__attribute__((unused)) static char *drawn_data(const struct pb_run *run, const char *figure)
{
    const char *const names[] = {figure, NULL};
    char message[512] = "", name[64];
    assert_int_equal(draw_without_gnuplot(run, names, message, sizeof message), -ENOENT);
    snprintf(name, sizeof name, "%s.tsv", figure);
    return made_file(name);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

#endif
