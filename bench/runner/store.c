/* SPDX-License-Identifier: MIT */
/* Folders of runs: store.h. */
#include "runner/store.h"

#include "runner/json_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void pb_utc_now(char *out, size_t size)
{
    time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void new_name(char *out, size_t size)
{
    unsigned random = 0;
    time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(out, size, "%Y%m%d-%H%M%S-", &utc);
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (unsigned)getpid();
    snprintf(out + used, size - used, "%06x", random & 0xffffffu);
}

int pb_store_make_folders(const char *path, bool *made)
{
    char part[PATH_MAX];
    for (size_t i = 1;; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        made[i] = mkdir(part, 0777) == 0;
        if (!made[i] && errno != EEXIST) /* not a folder? what comes next will tell */
            return -errno;
        if (path[i] == '\0')
            return 0;
    }
}

static int make_folders(struct pb_store *store)
{
    store->made = calloc(strlen(store->folder) + 1, sizeof *store->made);
    return store->made != NULL ? pb_store_make_folders(store->folder, store->made) : -ENOMEM;
}

/* Removes those that were made, the last one first. */
static void drop_folders(const struct pb_store *store)
{
    char part[PATH_MAX];
    for (size_t i = strlen(store->folder); i > 0; i--) {
        snprintf(part, sizeof part, "%.*s", (int)i, store->folder);
        if (store->made[i])
            rmdir(part);
    }
}

static int write_synced(int fd, const char *text)
{
    int error = pb_write_whole(fd, text, strlen(text));
    return error == 0 && fsync(fd) != 0 ? -errno : error;
}

/* Writes a file that has no name, then gives it one that is free. Returns 0 or -errno. */
static int put_unnamed(const char *folder, const char *path, const char *text)
{
    char by_fd[32];
    int fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    int error = write_synced(fd, text);
    snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", fd);
    if (error == 0 && linkat(AT_FDCWD, by_fd, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0)
        error = -errno;
    close(fd);
    return error;
}

/* Gives a file its name, and takes no other's. Returns 0 or -errno. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EINVAL && rename(from, to) == 0) /* a file system that cannot look and rename */
        return 0;
    return -errno;
}

/* The same under another name first: `whole`, which may be somebody's. */
static int put_renamed(const char *whole, const char *path, const char *text)
{
    int fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    int error = write_synced(fd, text);
    if (close(fd) != 0 && error == 0)
        error = -errno;
    if (error == 0)
        error = rename_new(whole, path);
    if (error != 0)
        unlink(whole);
    return error;
}

/* What can be had no more of, and how to have more of it. */
static const struct {
    int error;
    const char *remedy;
} shortages[] = {
    {ENOSPC, "free some space there"},
    {EDQUOT, "free some of your quota there"},
    {EFBIG, "raise the limit on the size of files (ulimit -f)"},
    {EIO, "look after the disk (dmesg says more)"},
    {EMFILE, "raise the limit on open files (ulimit -n)"},
    {ENFILE, "the whole system has no more open files: end something, or raise fs.file-max"},
    {EAGAIN, "raise the limit on processes (ulimit -u, or the cgroup's pids.max)"},
    {ENOMEM, "free some memory"},
};

const char *pb_shortage(int error)
{
    for (size_t i = 0; i < sizeof shortages / sizeof *shortages; i++)
        if (shortages[i].error == -error)
            return shortages[i].remedy;
    return NULL;
}

void pb_store_say(const char *path, int error, const char *otherwise, char *message, size_t size)
{
    const char *shortage = pb_shortage(error), *remedy = shortage != NULL ? shortage : otherwise;
    snprintf(message, size, "%s: %s%s%s", path, strerror(-error), remedy != NULL ? "; " : "",
             remedy != NULL ? remedy : "");
}

/* Opens and locks records.jsonl. Returns 0 or -errno. */
static int open_records(struct pb_store *store, int flags)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/records.jsonl", store->folder);
    store->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0666);
    if (store->fd < 0)
        return -errno;
    return flock(store->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
}

bool pb_store_busy(const char *folder)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/records.jsonl", folder) >= sizeof path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool busy = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd); /* and with it the lock */
    return busy;
}

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int name_run(const char *folder, struct pb_store *store)
{
    char root[PATH_MAX / 2], path[PATH_MAX];
    *store = (struct pb_store){.fd = -1};
    new_name(store->run, sizeof store->run);
    pb_store_root(root, sizeof root);
    snprintf(path, sizeof path, "%s/%s", root, store->run);
    store->folder = strdup(folder != NULL ? folder : path);
    if (store->folder == NULL)
        return -ENOMEM;
    for (size_t end = strlen(store->folder); end > 1 && store->folder[end - 1] == '/'; end--)
        store->folder[end - 1] = '\0';
    return 0;
}

/* Whether a path is free (0), a file with just this text (1), or anything else (-EEXIST). */
static int compare_text(const char *path, const char *text)
{
    struct stat st;
    size_t length = strlen(text);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size != length)
        return -EEXIST;
    FILE *file = fopen(path, "re");
    char *there = malloc(length + 1);
    bool same = file != NULL && there != NULL && fread(there, 1, length, file) == length &&
                memcmp(there, text, length) == 0;
    free(there);
    if (file != NULL)
        fclose(file);
    return same ? 1 : -EEXIST;
}

int pb_store_put_matrix(struct pb_store *store, const char *text, char *message,
                        size_t message_size)
{
    char path[PATH_MAX], whole[PATH_MAX + sizeof ".new"];
    if ((size_t)snprintf(path, sizeof path, "%s/matrix.toml", store->folder) >= sizeof path) {
        pb_store_say(store->folder, -ENAMETOOLONG, NULL, message, message_size);
        return -ENAMETOOLONG;
    }
    snprintf(whole, sizeof whole, "%s.new", path);
    int error = compare_text(path, text);
    if (error == 1)
        return 0;
    if (error == 0)
        error = put_unnamed(store->folder, path, text);
    const char *blamed = path;
    if (error == -EOPNOTSUPP || error == -EISDIR || error == -ENOENT) { /* no O_TMPFILE, no /proc */
        error = put_renamed(whole, path, text);
        blamed = error == -EEXIST && compare_text(path, text) == 0 ? whole : path;
    }
    if (error == -EEXIST)
        snprintf(message, message_size, "%s: is there already and not of this run; move it away",
                 blamed);
    else if (error != 0)
        pb_store_say(blamed, error, NULL, message, message_size);
    store->put = error == 0;
    sync_folder(store->folder);
    return error;
}

static int one_line(void *context, json_t *object, size_t number)
{
    (void)context;
    (void)object;
    return (int)number; /* not 0: it is enough */
}

/* There are records already, or something of their name. */
static void say_taken(const char *folder, char *message, size_t message_size)
{
    char path[PATH_MAX + sizeof "/records.jsonl"];
    struct pb_lines lines;
    snprintf(path, sizeof path, "%s/records.jsonl", folder);
    (void)pb_lines_read(path, one_line, NULL, &lines, message, message_size);
    if (lines.lines > 0)
        snprintf(message, message_size,
                 "%s: holds a run already; go on with it by 'poolbench resume %s'", folder, folder);
    else
        snprintf(message, message_size, "%s: is there already; give another --out", path);
}

/* Why there is no new run. */
static void say_refused(const struct pb_store *store, int error, char *message, size_t message_size)
{
    const char *folder = store->folder != NULL ? store->folder : "?";
    size_t used;
    if (error == -EEXIST && message[0] == '\0') {
        say_taken(folder, message, message_size);
        return;
    }
    if (error == -ENOTDIR) {
        snprintf(message, message_size,
                 "%s: it, or what it lies in, is not a folder; give another --out", folder);
        return;
    }
    if (message[0] == '\0')
        pb_store_say(folder, error, NULL, message, message_size);
    used = strlen(message);
    snprintf(message + used, message_size - used, "%s",
             pb_shortage(error) != NULL || error == -EEXIST ? ", or give another --out"
                                                            : "; give another --out");
}

int pb_store_create(const char *folder, const char *matrix_text, struct pb_store *store,
                    char *message, size_t message_size)
{
    message[0] = '\0';
    if (folder != NULL && folder[0] == '\0') {
        snprintf(message, message_size, "--out: the folder's name is empty");
        return -EINVAL;
    }
    int error = name_run(folder, store);
    if (error == 0)
        error = make_folders(store);
    if (error == 0)
        error = open_records(store, O_CREAT | O_EXCL);
    if (error == 0)
        error = pb_store_put_matrix(store, matrix_text, message, message_size);
    if (error == 0)
        return 0;
    say_refused(store, error, message, message_size);
    pb_store_discard(store);
    return error;
}

void pb_store_discard(struct pb_store *store)
{
    char path[PATH_MAX];
    static const char *const names[] = {"records.jsonl", "matrix.toml"};
    for (size_t i = 0; i < 2 && store->fd >= 0; i++)
        if ((i == 0 || store->put) && /* a matrix.toml that was there before is its owner's */
            (size_t)snprintf(path, sizeof path, "%s/%s", store->folder, names[i]) < sizeof path)
            unlink(path);
    if (store->made != NULL)
        drop_folders(store);
    pb_store_close(store);
}

static int ignore_line(void *context, json_t *object, size_t number)
{
    const char *run = json_string_value(json_object_get(object, "run"));
    if (number == 1 && run != NULL)
        snprintf(context, PB_RUN_NAME_MAX, "%s", run);
    return 0;
}

int pb_store_reopen(const char *folder, struct pb_store *store, char *message, size_t message_size)
{
    char path[PATH_MAX];
    struct pb_lines lines;
    *store = (struct pb_store){.fd = -1, .folder = strdup(folder)};
    int error = store->folder != NULL ? open_records(store, 0) : -ENOMEM;
    snprintf(path, sizeof path, "%s/records.jsonl", folder);
    if (error == -EWOULDBLOCK)
        snprintf(message, message_size, "%s: another poolbench is writing this run", folder);
    else if (error != 0)
        pb_store_say(path, error, NULL, message, message_size);
    if (error == 0)
        error = pb_lines_read(path, ignore_line, store->run, &lines, message, message_size);
    if (error == 0) {
        store->torn = lines.torn;
        store->good_bytes = lines.good_bytes;
    } else {
        pb_store_close(store);
    }
    return error;
}

int pb_store_cut(struct pb_store *store, char *message, size_t message_size)
{
    char path[PATH_MAX + sizeof "/records.jsonl"];
    int error = 0;
    if (!store->torn)
        return 0;
    snprintf(path, sizeof path, "%s/records.jsonl", store->folder);
    if (store->good_bytes == 0) { /* whose file is it? */
        snprintf(message, message_size, "%s: not one record in it; it is left alone", path);
        return -EINVAL;
    }
    if (ftruncate(store->fd, store->good_bytes) != 0) {
        error = -errno;
        pb_store_say(path, error, NULL, message, message_size);
    }
    store->torn = error != 0;
    return error;
}

void pb_store_close(struct pb_store *store)
{
    if (store->fd >= 0)
        close(store->fd);
    free(store->folder);
    free(store->made);
    *store = (struct pb_store){.fd = -1};
}

int pb_store_append(struct pb_store *store, const json_t *line, char *message, size_t message_size)
{
    char path[PATH_MAX + sizeof "/records.jsonl"];
    int error = pb_line_append(store->fd, line);
    snprintf(path, sizeof path, "%s/records.jsonl", store->folder);
    if (error != 0)
        pb_store_say(path, error, NULL, message, message_size);
    return error;
}
