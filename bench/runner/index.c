/* SPDX-License-Identifier: MIT */
/* The index as a file, and which runs are in it: index.h.
 * Locks    results/ itself is locked (flock) while the index is written, so that of two processes the
 *          second waits, and a damaged index can be taken away without another writing to it */
#include "runner/index.h"

#include "index_sql.h"
#include "runner/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OURS = 0x706f6f6c, VERSION = 2 };

#define WAIT_MS 60000 /* for a reader that looks at a large table meanwhile */

struct work {
    sqlite3 *db;
    char root[PATH_MAX / 2], path[PATH_MAX];
    FILE *notices;
    struct pb_index_counts *counts;
    char **outside; /* runs that lie elsewhere and that an index which is made anew had */
    size_t outside_n;
    char *message;
    size_t message_size;
};

void pb_index_path(char *out, size_t size)
{
    char root[PATH_MAX / 2];
    pb_store_root(root, sizeof root);
    snprintf(out, size, "%s/index.sqlite", root);
}

/* --- the file -------------------------------------------------------------------------------- */

static int say(const struct work *w, const char *what)
{
    int code = sqlite3_errcode(w->db) & 0xff;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
        snprintf(w->message, w->message_size,
                 "%s: damaged, or no database; 'poolbench index --rebuild' makes it anew, and "
                 "nothing is lost",
                 w->path);
        return -EBADMSG;
    }
    snprintf(w->message, w->message_size, "%s: %s%s", w->path, what, sqlite3_errmsg(w->db));
    return -EIO;
}

static int execute(const struct work *w, const char *sql)
{
    return sqlite3_exec(w->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : say(w, "");
}

/* A statement's one number. */
static int number(const struct work *w, const char *sql, long long *out)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(w->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    *out = good ? sqlite3_column_int64(statement, 0) : 0;
    int error = good ? 0 : say(w, "");
    sqlite3_finalize(statement);
    return error;
}

static int open_file(struct work *w, int flags)
{
    if (sqlite3_open_v2(w->path, &w->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return say(w, "");
    sqlite3_busy_timeout(w->db, WAIT_MS);
    return 0;
}

/* Takes the file away with what SQLite left beside it. */
static void take_away(struct work *w)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    char name[PATH_MAX + 16];
    sqlite3_close(w->db);
    w->db = NULL;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(name, sizeof name, "%s%s", w->path, suffixes[i]);
        unlink(name);
    }
}

/* Whose file it is. 0: ours, of this version; 1: empty, or ours of another version; -EEXIST. */
static int whose(const struct work *w)
{
    long long owner, version, tables;
    int error = number(w, "PRAGMA application_id", &owner);
    if (error == 0)
        error = number(w, "PRAGMA user_version", &version);
    if (error == 0)
        error = number(w, "SELECT count(*) FROM sqlite_master", &tables);
    if (error != 0)
        return error;
    if (owner == OURS)
        return version == VERSION ? 0 : 1;
    if (tables == 0)
        return 1;
    snprintf(w->message, w->message_size, "%s: is a database of another program; move it away",
             w->path);
    return -EEXIST;
}

/* Keeps the names of runs that lie elsewhere: no look at results/ would find them again. */
static int keep_outside(struct work *w)
{
    sqlite3_stmt *s = NULL;
    int error = 0;
    if (sqlite3_prepare_v2(w->db, "SELECT folder FROM run WHERE folder LIKE '/%'", -1, &s, NULL) !=
        SQLITE_OK)
        return 0; /* it has no runs at all */
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        char **more = realloc(w->outside, (w->outside_n + 1) * sizeof *more);
        if (more != NULL)
            w->outside = more;
        char *folder = more != NULL ? strdup((const char *)sqlite3_column_text(s, 0)) : NULL;
        if (folder != NULL)
            w->outside[w->outside_n++] = folder;
        else
            error = -ENOMEM;
    }
    sqlite3_finalize(s);
    return error;
}

static int open_index(struct work *w, bool rebuild)
{
    static const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int state = open_file(w, flags);
    if (state == 0)
        state = whose(w);
    if (state == -EEXIST || (state < 0 && !(rebuild && state == -EBADMSG)))
        return state;
    if (state != 0 || rebuild) {
        if (state < 0)
            fprintf(w->notices, "%s: was damaged; name runs that lie elsewhere again\n", w->path);
        else if (keep_outside(w) != 0)
            return -ENOMEM;
        take_away(w);
        state = open_file(w, flags);
        if (state == 0)
            state = execute(w, "PRAGMA page_size = 8192");
        if (state == 0)
            state = execute(w, index_sql);
    }
    /* many values go into few places of a large table: let them stay in memory */
    return state == 0 ? execute(w, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -131072; "
                                   "PRAGMA temp_store = MEMORY")
                      : state;
}

/* --- what changed ---------------------------------------------------------------------------- */

/* The crc of the last whole line. */
static void last_crc(int fd, off_t bytes, char out[9])
{
    enum { TAIL = 4096, BEHIND = 10 /* xxxxxxxx"} */ };
    char tail[TAIL];
    out[0] = '\0';
    for (off_t end = bytes; end > 0; end -= TAIL - BEHIND) {
        size_t want = end < TAIL ? (size_t)end : TAIL;
        ssize_t got = pread(fd, tail, want, end - (off_t)want);
        const char *at = got == (ssize_t)want ? memrchr(tail, '\n', want) : NULL;
        if (at != NULL && at - tail >= BEHIND) {
            snprintf(out, 9, "%.8s", at - BEHIND);
            return;
        }
        if (got != (ssize_t)want || want < TAIL)
            return;
    }
}

static int stamp_of(const char *path, struct pb_index_stamp *stamp)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 || fstat(fd, &st) != 0 ? -errno : 0;
    if (error == 0) {
        stamp->bytes = st.st_size;
        stamp->mtime_ns = (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        last_crc(fd, st.st_size, stamp->crc);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

/* Whether the index has the run as it is. */
static int is_known(const struct work *w, const char *folder, const struct pb_index_stamp *stamp,
                    bool *known)
{
    sqlite3_stmt *s = NULL;
    int error = 0;
    *known = false;
    if (sqlite3_prepare_v2(w->db, "SELECT bytes, mtime_ns, last_crc FROM run WHERE folder = ?", -1,
                           &s, NULL) != SQLITE_OK ||
        sqlite3_bind_text(s, 1, folder, -1, SQLITE_STATIC) != SQLITE_OK)
        error = say(w, "");
    int step = error == 0 ? sqlite3_step(s) : SQLITE_DONE;
    if (step == SQLITE_ROW)
        *known = sqlite3_column_int64(s, 0) == stamp->bytes &&
                 sqlite3_column_int64(s, 1) == stamp->mtime_ns &&
                 strcmp((const char *)sqlite3_column_text(s, 2), stamp->crc) == 0;
    else if (step != SQLITE_DONE)
        error = say(w, "");
    sqlite3_finalize(s);
    return error;
}

/* --- runs ------------------------------------------------------------------------------------ */

/* The folder as the index names it: below the root without the root. */
static const char *name_of(const struct work *w, const char *folder)
{
    size_t length = strlen(w->root);
    bool below = strncmp(folder, w->root, length) == 0 && folder[length] == '/';
    return below ? folder + length + 1 : folder;
}

/* Reads a run anew, whole or not at all; one that is refused is not in the index. */
static int read_run(struct work *w, const char *folder, const char *path,
                    const struct pb_index_stamp *stamp)
{
    char why[1024] = "";
    bool torn = false;
    const char *name = name_of(w, folder);
    int error = execute(w, "BEGIN IMMEDIATE");
    if (error != 0)
        return error;
    error = pb_index_drop(w->db, name, why, sizeof why);
    if (error == 0 && (error = execute(w, "SAVEPOINT run")) == 0) {
        error = pb_index_read(w->db, name, path, stamp, &torn, why, sizeof why);
        if (error != 0 && error != -EIO && error != -ENOMEM &&
            sqlite3_exec(w->db, "ROLLBACK TO run", NULL, NULL, NULL) == 0) {
            fprintf(w->notices, "%s\n", why);
            w->counts->refused++;
            return execute(w, "COMMIT");
        }
    }
    if (error == 0)
        error = execute(w, "COMMIT");
    if (error != 0) {
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
        if (why[0] != '\0')
            snprintf(w->message, w->message_size, "%s: %s", folder, why);
        return error;
    }
    if (torn && !pb_store_busy(folder))
        fprintf(w->notices, "%s: the last line was cut off and is left out\n", folder);
    w->counts->read++;
    return 0;
}

static int refresh_run(struct work *w, const char *folder)
{
    char path[PATH_MAX + 16];
    struct pb_index_stamp stamp;
    bool known = false;
    snprintf(path, sizeof path, "%s/records.jsonl", folder);
    int error = stamp_of(path, &stamp);
    if (error != 0) {
        fprintf(w->notices, "%s: %s\n", path, strerror(-error));
        w->counts->refused++;
        return 0;
    }
    error = is_known(w, name_of(w, folder), &stamp, &known);
    if (error == 0 && known)
        w->counts->unchanged++;
    return error != 0 || known ? error : read_run(w, folder, path, &stamp);
}

static int refresh_root(struct work *w)
{
    char folder[PATH_MAX], path[PATH_MAX + 16];
    struct dirent **list;
    int error = 0, n = scandir(w->root, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(folder, sizeof folder, "%s/%s", w->root, list[i]->d_name);
        snprintf(path, sizeof path, "%s/records.jsonl", folder);
        if (error == 0 && list[i]->d_name[0] != '.' && access(path, F_OK) == 0)
            error = refresh_run(w, folder);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return error;
}

/* A run given by name, found as every verb finds it. */
static int refresh_named(struct work *w, const char *name)
{
    char folder[PATH_MAX], real[PATH_MAX], root[PATH_MAX];
    int error = pb_store_find(name, folder, sizeof folder, w->message, w->message_size);
    if (error != 0)
        return error;
    if (realpath(folder, real) == NULL || realpath(w->root, root) == NULL)
        return refresh_run(w, folder);
    size_t length = strlen(root);
    if (strncmp(real, root, length) == 0 &&
        real[length] == '/') /* one name, however it is written */
        snprintf(folder, sizeof folder, "%s%s", w->root, real + length);
    else
        snprintf(folder, sizeof folder, "%s", real);
    return refresh_run(w, folder);
}

/* Reads the runs that an index made anew had from elsewhere. */
static int refresh_outside(struct work *w)
{
    char path[PATH_MAX + 16];
    int error = 0;
    for (size_t i = 0; error == 0 && i < w->outside_n; i++) {
        snprintf(path, sizeof path, "%s/records.jsonl", w->outside[i]);
        if (access(path, F_OK) == 0)
            error = refresh_run(w, w->outside[i]);
        else
            w->counts->gone++;
    }
    return error;
}

/* Drops the runs whose records are not there any more. */
static int drop_gone(struct work *w)
{
    char path[2 * PATH_MAX];
    sqlite3_stmt *s = NULL;
    int error = 0;
    if (sqlite3_prepare_v2(w->db, "SELECT folder FROM run", -1, &s, NULL) != SQLITE_OK)
        return say(w, "");
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        const char *folder = (const char *)sqlite3_column_text(s, 0);
        snprintf(path, sizeof path, "%s%s%s/records.jsonl", folder[0] == '/' ? "" : w->root,
                 folder[0] == '/' ? "" : "/", folder);
        if (access(path, F_OK) == 0)
            continue;
        error = pb_index_drop(w->db, folder, w->message, w->message_size);
        w->counts->gone++;
    }
    sqlite3_finalize(s);
    return error;
}

/* A line for each run in it, by name. */
static int list_runs(const struct work *w, FILE *out)
{
    static const char sql[] =
        "SELECT run, run.t_utc, matrix, run.status, "
        "count(rep_id) FILTER (WHERE NOT superseded), "
        "count(rep_id) FILTER (WHERE NOT superseded AND rep.status = 'ok'), folder "
        "FROM run LEFT JOIN rep USING (run_id) GROUP BY run_id ORDER BY run, folder";
    sqlite3_stmt *s = NULL;
    int step = SQLITE_ROW;
    if (sqlite3_prepare_v2(w->db, sql, -1, &s, NULL) != SQLITE_OK)
        return say(w, "");
    while ((step = sqlite3_step(s)) == SQLITE_ROW)
        fprintf(out, "%s  %s  %s  %s  %lld repetitions, %lld ok  %s\n", sqlite3_column_text(s, 0),
                sqlite3_column_text(s, 1), sqlite3_column_text(s, 2), sqlite3_column_text(s, 3),
                sqlite3_column_int64(s, 4), sqlite3_column_int64(s, 5), sqlite3_column_text(s, 6));
    int error = step == SQLITE_DONE ? 0 : say(w, "");
    sqlite3_finalize(s);
    return error;
}

static int refresh(struct work *w, const char *const *runs, size_t n, bool rebuild, FILE *list)
{
    long long in = 0;
    int error = open_index(w, rebuild);
    for (size_t i = 0; error == 0 && i < n; i++)
        error = refresh_named(w, runs[i]);
    if (error == 0 && n == 0)
        error = refresh_root(w);
    if (error == 0)
        error = refresh_outside(w);
    if (error == 0)
        error = execute(w, "BEGIN IMMEDIATE");
    if (error == 0)
        error = drop_gone(w);
    if (error == 0)
        error = execute(w, "COMMIT");
    if (error == 0)
        error = number(w, "SELECT count(*) FROM run", &in);
    w->counts->runs = (size_t)in;
    if (error == 0 && list != NULL)
        error = list_runs(w, list);
    sqlite3_close(w->db);
    return error;
}

int pb_index_refresh(const char *const *runs, size_t n, bool rebuild, FILE *list, FILE *notices,
                     struct pb_index_counts *counts, char *message, size_t message_size)
{
    struct work w = {
        .notices = notices, .counts = counts, .message = message, .message_size = message_size};
    *counts = (struct pb_index_counts){0};
    pb_store_root(w.root, sizeof w.root);
    pb_index_path(w.path, sizeof w.path);
    int lock = open(w.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) {
        int why = -errno;
        pb_store_say(w.root, why, "PB_RESULTS_PATH names the folder of runs", message,
                     message_size);
        return why;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fprintf(notices, "another poolbench refreshes the index: waiting for it\n");
        while (flock(lock, LOCK_EX) != 0 && errno == EINTR)
            ;
    }
    int error = refresh(&w, runs, n, rebuild, list);
    close(lock); /* and with it the lock */
    for (size_t i = 0; i < w.outside_n; i++)
        free(w.outside[i]);
    free(w.outside);
    if (error == -ENOMEM)
        snprintf(message, message_size, "out of memory");
    return error;
}
