/* SPDX-License-Identifier: MIT */
/* Starting and watching one child: spawn.h. */
#include "runner/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { ANSWER_MAX = 1 << 22, ERRORS_KEPT = 4096, PADDING_MAX = 1 << 16 };
/* Reads at a time: more than a pipe holds, yet who never stops writing holds nobody up. */
enum { READS_MAX = 64 };
enum { POLL_INPUT, POLL_OUTPUT, POLL_ERRORS, POLL_END, POLL_SIGNALS, POLLED };

/* A child at work. */
struct watch {
    const struct pb_child *child;
    pid_t pid;
    int pidfd, input, output, errors;
    size_t sent; /* of the input */
    char *answer;
    size_t answer_n;
    char tail[ERRORS_KEPT]; /* the end of what it wrote to standard error */
    size_t tail_n;
    double deadline;
    bool timed_out, interrupted;
};

int pb_interrupts_open(struct pb_interrupts *interrupts)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    *interrupts = (struct pb_interrupts){.fd = -1};
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    interrupts->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return interrupts->fd >= 0 ? 0 : -errno;
}

void pb_interrupts_close(struct pb_interrupts *interrupts)
{
    if (interrupts->fd >= 0)
        close(interrupts->fd);
    interrupts->fd = -1;
}

unsigned pb_interrupts_take(struct pb_interrupts *interrupts)
{
    struct signalfd_siginfo info;
    while (interrupts->fd >= 0 && read(interrupts->fd, &info, sizeof info) == (ssize_t)sizeof info)
        interrupts->count++;
    return interrupts->count;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Google Benchmark reads its flags from BENCHMARK_*, glibc and the allocators read their tuning
 * from the others: a cell would not be what its name says. */
static const char *const dropped_prefixes[] = {
    "BENCHMARK_", "MALLOC_",         "_RJEM_MALLOC_CONF=", "MIMALLOC_",
    "TCMALLOC_",  "GLIBC_TUNABLES=", "LD_PRELOAD=",
};

bool pb_spawn_drops(const char *entry)
{
    for (size_t i = 0; i < sizeof dropped_prefixes / sizeof *dropped_prefixes; i++)
        if (strncmp(entry, dropped_prefixes[i], strlen(dropped_prefixes[i])) == 0)
            return true;
    return false;
}

bool pb_spawn_randomizes(void)
{
    FILE *file = fopen("/proc/sys/kernel/randomize_va_space", "re");
    int level = file != NULL ? fgetc(file) : EOF;
    if (file != NULL)
        fclose(file);
    int own = personality(0xffffffff); /* what setarch -R sets is inherited */
    return level == '2' && (own == -1 || (own & ADDR_NO_RANDOMIZE) == 0);
}

/* What the child is given anew, or not at all. */
static bool replaced(const char *entry)
{
    return strncmp(entry, "PB_PADDING=", 11) == 0 || strncmp(entry, "PB_POOLMON=", 11) == 0 ||
           strncmp(entry, "PB_POOLMON_LABEL=", 17) == 0;
}

/* An entry of the environment, made at `*text`, which goes on behind it; none without a value. */
static size_t put_entry(char **list, size_t kept, char **text, const char *name, const char *value)
{
    if (value == NULL)
        return kept;
    list[kept++] = *text;
    *text += sprintf(*text, "%s=%s", name, value) + 1;
    return kept;
}

/* The environment without what is dropped, with our preload, poolmon and padding; one block, freed
 * by the caller. */
static char **make_environment(const struct pb_child *child)
{
    size_t n = 0, kept = 0, padding = child->padding < PADDING_MAX ? child->padding : PADDING_MAX;
    size_t bytes = padding + 96; /* names and ends */
    bytes += child->preload != NULL ? strlen(child->preload) : 0;
    bytes += child->poolmon != NULL ? strlen(child->poolmon) : 0;
    bytes += child->label != NULL ? strlen(child->label) : 0;
    while (environ[n] != NULL)
        n++;
    char **list = malloc((n + 5) * sizeof *list + bytes);
    if (list == NULL)
        return NULL;
    char *text = (char *)(list + n + 5);
    for (size_t i = 0; i < n; i++)
        if (!pb_spawn_drops(environ[i]) && !replaced(environ[i]))
            list[kept++] = environ[i];
    kept = put_entry(list, kept, &text, "LD_PRELOAD", child->preload);
    kept = put_entry(list, kept, &text, "PB_POOLMON", child->poolmon);
    kept = put_entry(list, kept, &text, "PB_POOLMON_LABEL",
                     child->poolmon != NULL ? child->label : NULL);
    list[kept++] = text;
    text += sprintf(text, "PB_PADDING=");
    memset(text, 'x', padding);
    text[padding] = '\0';
    list[kept] = NULL;
    return list;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, standard;
    sigemptyset(&none);
    sigfillset(&standard);
    int error = posix_spawnattr_init(attributes);
    if (error != 0)
        return error;
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &standard);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

/* Starts the process with its three pipes. Returns 0 or -errno. */
static int start(struct watch *w)
{
    const struct pb_child *child = w->child;
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, error = 0;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment = make_environment(child);
    if (environment == NULL)
        return -ENOMEM;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        error = errno;
        goto out_pipes;
    }
    if ((error = posix_spawn_file_actions_init(&actions)) != 0)
        goto out_pipes;
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    if ((error = set_attributes(&attributes)) == 0) {
        error = posix_spawn(&w->pid, child->program, &actions, &attributes,
                            (char *const *)child->argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        goto out_pipes;
    w->input = in[1], w->output = out[0], w->errors = err[0];
    in[1] = out[0] = err[0] = -1;
    fcntl(w->input, F_SETFL, O_NONBLOCK);
    fcntl(w->output, F_SETFL, O_NONBLOCK);
    fcntl(w->errors, F_SETFL, O_NONBLOCK);
out_pipes:
    close_pair(in);
    close_pair(out);
    close_pair(err);
    free(environment);
    return -error;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void send_input(struct watch *w)
{
    size_t left = strlen(w->child->input) - w->sent;
    ssize_t n = left > 0 ? write(w->input, w->child->input + w->sent, left) : 0;
    if (n > 0)
        w->sent += (size_t)n;
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || (size_t)(n > 0 ? n : 0) == left)
        close_one(&w->input);
}

static void take_output(struct watch *w)
{
    char text[4096];
    ssize_t n;
    for (int reads = 0; w->output >= 0; reads++) {
        if (reads == READS_MAX)
            return;
        if ((n = read(w->output, text, sizeof text)) == 0)
            break;
        if (n < 0 && errno != EINTR)
            return;
        if (n < 0 || w->answer_n + (size_t)n > ANSWER_MAX)
            continue;
        char *more = realloc(w->answer, w->answer_n + (size_t)n + 1);
        if (more == NULL)
            continue;
        w->answer = more;
        memcpy(more + w->answer_n, text, (size_t)n);
        w->answer_n += (size_t)n;
        more[w->answer_n] = '\0';
    }
    close_one(&w->output);
}

/* Keeps the end of what is written. */
static void take_errors(struct watch *w)
{
    char text[ERRORS_KEPT / 2];
    ssize_t n;
    for (int reads = 0; w->errors >= 0; reads++) {
        if (reads == READS_MAX)
            return;
        if ((n = read(w->errors, text, sizeof text)) == 0)
            break;
        if (n < 0 && errno != EINTR)
            return;
        if (n < 0)
            continue;
        if (w->tail_n + (size_t)n >= sizeof w->tail) {
            size_t drop = w->tail_n + (size_t)n - sizeof w->tail + 1;
            memmove(w->tail, w->tail + drop, w->tail_n - drop);
            w->tail_n -= drop;
        }
        memcpy(w->tail + w->tail_n, text, (size_t)n);
        w->tail_n += (size_t)n;
        w->tail[w->tail_n] = '\0';
    }
    close_one(&w->errors);
}

/* Waits for what comes next; true when the process has ended. */
static bool wait_event(struct watch *w)
{
    struct pb_interrupts *interrupts = w->child->interrupts;
    struct pollfd polled[POLLED] = {
        [POLL_INPUT] = {w->input, POLLOUT, 0},
        [POLL_OUTPUT] = {w->output, POLLIN, 0},
        [POLL_ERRORS] = {w->errors, POLLIN, 0},
        [POLL_END] = {w->pidfd, POLLIN, 0},
        [POLL_SIGNALS] = {interrupts != NULL ? interrupts->fd : -1, POLLIN, 0},
    };
    double left = w->deadline - now();
    if (left <= 0) {
        w->timed_out = true;
        return true;
    }
    if (poll(polled, POLLED, (int)fmin(ceil(left * 1000), 3600e3)) < 0)
        return false;
    if (polled[POLL_INPUT].revents != 0)
        send_input(w);
    if (polled[POLL_OUTPUT].revents != 0)
        take_output(w);
    if (polled[POLL_ERRORS].revents != 0)
        take_errors(w);
    if (polled[POLL_SIGNALS].revents != 0 && pb_interrupts_take(interrupts) >= 2) {
        w->interrupted = true;
        return true;
    }
    return polled[POLL_END].revents != 0;
}

/* The last line that is not empty; the rest is cut away. NULL if there is none. */
static char *last_line(char *text)
{
    if (text == NULL)
        return NULL;
    size_t end = strlen(text);
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r' || text[end - 1] == ' '))
        end--;
    text[end] = '\0';
    char *line = memrchr(text, '\n', end);
    line = line != NULL ? line + 1 : text;
    return *line != '\0' ? line : NULL;
}

static void describe(struct watch *w, int status, struct pb_outcome *outcome)
{
    char how[96], *said = last_line(w->tail_n > 0 ? w->tail : NULL);
    outcome->status = PB_FAILED;
    if (w->timed_out) {
        outcome->status = PB_TIMEOUT;
        snprintf(how, sizeof how, "ended after %g s", w->child->timeout);
    } else if (WIFSIGNALED(status)) {
        outcome->status = PB_CRASHED;
        snprintf(how, sizeof how, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(status));
    } else if (outcome->answer == NULL) {
        snprintf(how, sizeof how, "ended without a result");
    } else {
        outcome->status = PB_OK;
        outcome->reason[0] = '\0';
        return;
    }
    snprintf(outcome->reason, sizeof outcome->reason, "%s%s%.150s", how, said != NULL ? ": " : "",
             said != NULL ? said : "");
}

int pb_spawn(const struct pb_child *child, struct pb_outcome *outcome)
{
    struct watch w = {.child = child, .pidfd = -1, .input = -1, .output = -1, .errors = -1};
    void (*pipes)(int) =
        signal(SIGPIPE, SIG_IGN); /* a child may die before it has read its input */
    /* where it is inherited as ignored, the kernel forgets how a child ended */
    void (*children)(int) = signal(SIGCHLD, SIG_DFL);
    int status = 0, error = start(&w);
    if (error != 0)
        goto out_signals;
    w.deadline = now() + child->timeout;
    w.pidfd = pidfd_open(w.pid, 0);
    if (w.pidfd < 0)
        error = -errno;
    while (error == 0 && !wait_event(&w))
        ;
    kill(-w.pid, SIGKILL); /* the child where it is still there, and whatever it has started */
    pid_t ended;
    while ((ended = waitpid(w.pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (error == 0 && ended < 0)
        error = -errno;
    take_output(&w);
    take_errors(&w);
    close_one(&w.input);
    close_one(&w.output);
    close_one(&w.errors);
    close_one(&w.pidfd);
    if (w.interrupted)
        error = -EINTR;
    if (error == 0) {
        char *line = last_line(w.answer);
        *outcome = (struct pb_outcome){.pid = w.pid, .answer = line != NULL ? strdup(line) : NULL};
        describe(&w, status, outcome);
    }
    free(w.answer);
out_signals:
    signal(SIGCHLD, children);
    signal(SIGPIPE, pipes);
    return error;
}
