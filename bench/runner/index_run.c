/* SPDX-License-Identifier: MIT */
/* One run into the index: index.h. Line by line, so that memory does not grow with the run; every
 * statement is prepared once.
 * Cost     a lookup of its cell and one insertion a repetition, one insertion a metric */
#include "runner/index.h"

#include "runner/json_line.h"
#include "runner/report_summary.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA = 1, NAMES_MAX = 2 * PB_METRICS_MAX, KEY_MAX = 64 };

enum statement {
    ADD_MACHINE,
    FIND_MACHINE,
    ADD_BUILD,
    FIND_BUILD,
    ADD_RUN,
    SET_END,
    ADD_CELL,
    FIND_CELL,
    ADD_REP,
    ADD_NAME,
    FIND_NAME,
    ADD_METRIC,
    SUPERSEDE,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [ADD_MACHINE] = "INSERT OR IGNORE INTO machine (fingerprint, host, cpu, kernel, libc, facts) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
    [FIND_MACHINE] = "SELECT machine_id FROM machine WHERE fingerprint = ?",
    [ADD_BUILD] = "INSERT OR IGNORE INTO build (fingerprint, version, git, sanitizer, facts) "
                  "VALUES (?, ?, ?, ?, ?)",
    [FIND_BUILD] = "SELECT build_id FROM build WHERE fingerprint = ?",
    [ADD_RUN] = "INSERT INTO run (folder, run, t_utc, matrix, matrix_hash, reference, last_crc, "
                "seed, blocks, machine_id, build_id, bytes, mtime_ns, status, lines, torn) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', 0, 0)",
    [SET_END] = "UPDATE run SET status = ?1, lines = ?2, torn = ?3 WHERE run_id = ?4",
    [ADD_CELL] = "INSERT INTO cell (cell, name, workload, alloc, dispatch, pin, threads) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?)",
    [FIND_CELL] = "SELECT cell_id FROM cell WHERE cell = ? AND name = ?",
    [ADD_REP] = "INSERT INTO rep (status, reason, t_utc, stream_hash, version, disturbed, run_id, "
                "cell_id, block, place, line, wall_ns, attempt, layout) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_NAME] = "INSERT OR IGNORE INTO metric_name (key, unit, better) VALUES (?1, ?2, ?3)",
    [FIND_NAME] = "SELECT mid FROM metric_name WHERE key = ?1 AND unit = ?2 AND better = ?3",
    [ADD_METRIC] = "INSERT INTO metric (mid, rep_id, value) VALUES (?, ?, ?)",
    [SUPERSEDE] = "UPDATE rep SET superseded = 1 WHERE run_id = ?1 AND rep_id NOT IN "
                  "(SELECT max(rep_id) FROM rep WHERE run_id = ?1 GROUP BY cell_id, block)",
};

struct reader {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    const char *folder, *path;
    const struct pb_index_stamp *stamp;
    sqlite3_int64 run_id;
    const char *status; /* of the run, so far */
    struct {
        char key[KEY_MAX];
        sqlite3_int64 mid;
    } names[NAMES_MAX];   /* in the order of their keys, as the records have them */
    size_t names_n, next; /* next: where the key after the last one probably is */
    char *message;
    size_t message_size;
};

static int say(const struct reader *r)
{
    snprintf(r->message, r->message_size, "the index: %s", sqlite3_errmsg(r->db));
    return -EIO;
}

static int refuse(const struct reader *r, size_t line, const char *what)
{
    snprintf(r->message, r->message_size, "%s:%zu: %s", r->path, line, what);
    return -EINVAL;
}

/* --- statements ------------------------------------------------------------------------------ */

static int prepare(struct reader *r)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(r->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &r->statements[i],
                               NULL) != SQLITE_OK)
            return say(r);
    return 0;
}

static void finalize(struct reader *r)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(r->statements[i]);
}

/* Binds texts from parameter 1 on (a NULL stays NULL), then integers behind them. The texts must
 * live until the statement was run. */
static sqlite3_stmt *bind(struct reader *r, enum statement which, const char *const *strings,
                          int strings_n, const sqlite3_int64 *numbers, int numbers_n)
{
    sqlite3_stmt *statement = r->statements[which];
    for (int i = 0; i < strings_n; i++)
        sqlite3_bind_text(statement, i + 1, strings[i], -1, SQLITE_STATIC);
    for (int i = 0; i < numbers_n; i++)
        sqlite3_bind_int64(statement, strings_n + i + 1, numbers[i]);
    return statement;
}

/* Runs a statement that gives no row. */
static int run(struct reader *r, sqlite3_stmt *statement)
{
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    int error = good ? 0 : say(r);
    sqlite3_reset(statement);
    return error;
}

/* Runs one that gives an id. Returns 0; -ENOENT without a row; -EIO. */
static int get(struct reader *r, sqlite3_stmt *statement, sqlite3_int64 *id)
{
    int step = sqlite3_step(statement);
    int error = step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? -ENOENT : say(r);
    if (error == 0)
        *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return error;
}

/* --- the header ------------------------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* Adds a row of facts unless it is there, and finds it. texts[0] and the last are filled in here:
 * the fingerprint, and the facts themselves. */
static int facts(struct reader *r, enum statement add, enum statement look, const json_t *from,
                 const char **strings, int n, sqlite3_int64 *id)
{
    char hash[17];
    char *all = json_dumps(from, JSON_COMPACT | JSON_SORT_KEYS);
    int error = all != NULL && from != NULL ? pb_hash_json(from, hash) : -ENOMEM;
    strings[0] = hash;
    strings[n - 1] = all;
    if (error == 0)
        error = run(r, bind(r, add, strings, n, NULL, 0));
    if (error == 0)
        error = get(r, bind(r, look, strings, 1, NULL, 0), id);
    free(all);
    return error;
}

static int add_name(struct reader *r, const char *key, const json_t *about)
{
    const json_t *better = json_object_get(about, "better");
    const char *unit = json_string_value(json_object_get(about, "unit"));
    const char *const strings[] = {key, unit != NULL ? unit : "1"};
    json_int_t sense = json_integer_value(better);
    const sqlite3_int64 number[] = {sense > 0 ? 1 : sense < 0 ? -1 : 0};
    if (r->names_n == NAMES_MAX || strlen(key) >= KEY_MAX)
        return refuse(r, 1, "a metric's name is too long, or there are too many");
    int error = run(r, bind(r, ADD_NAME, strings, 2, number, 1));
    if (error == 0)
        error = get(r, bind(r, FIND_NAME, strings, 2, number, 1), &r->names[r->names_n].mid);
    if (error == 0)
        snprintf(r->names[r->names_n++].key, KEY_MAX, "%s", key);
    return error;
}

static int add_header(struct reader *r, const json_t *header)
{
    const json_t *suite = json_object_get(header, "suite");
    const json_t *matrix = json_object_get(header, "matrix");
    json_t *machine = json_copy(json_object_get(header, "machine")), *about;
    json_t *metrics = json_object_get(header, "metrics");
    sqlite3_int64 machine_id = 0, build_id = 0;
    const char *key;
    static const char *const of_the_moment[] = {"load", "clock", "memory_bytes", "topology"};
    for (size_t i = 0; i < sizeof of_the_moment / sizeof *of_the_moment; i++)
        json_object_del(machine, of_the_moment[i]);
    const char *machine_texts[] = {"",
                                   text_of(machine, "host"),
                                   text_of(machine, "cpu"),
                                   text_of(machine, "kernel"),
                                   text_of(machine, "libc"),
                                   ""};
    const char *build_texts[] = {"", text_of(suite, "version"), text_of(suite, "git"),
                                 text_of(suite, "sanitizer"), ""};
    if (machine == NULL || suite == NULL || text_of(header, "run")[0] == '\0') {
        json_decref(machine);
        return refuse(r, 1, "the run's line lacks a field that results/README.md names");
    }
    int error = facts(r, ADD_MACHINE, FIND_MACHINE, machine, machine_texts, 6, &machine_id);
    if (error == 0)
        error = facts(r, ADD_BUILD, FIND_BUILD, suite, build_texts, 5, &build_id);
    json_decref(machine);
    const char *const strings[] = {r->folder,
                                   text_of(header, "run"),
                                   text_of(header, "t_utc"),
                                   text_of(matrix, "name"),
                                   text_of(matrix, "hash"),
                                   text_of(header, "reference"),
                                   r->stamp->crc};
    const sqlite3_int64 numbers[] = {json_integer_value(json_object_get(header, "seed")),
                                     json_integer_value(json_object_get(header, "blocks")),
                                     machine_id,
                                     build_id,
                                     r->stamp->bytes,
                                     r->stamp->mtime_ns};
    if (error == 0)
        error = run(r, bind(r, ADD_RUN, strings, 7, numbers, 6));
    r->run_id = sqlite3_last_insert_rowid(r->db);
    if (error == 0)
        json_object_foreach(metrics, key, about)
        {
            if ((error = add_name(r, key, about)) != 0)
                break;
        }
    return error;
}

/* --- repetitions ----------------------------------------------------------------------------- */

static int find_cell(struct reader *r, const struct pb_rep *rep, sqlite3_int64 *id)
{
    const char *const strings[] = {rep->cell,  rep->name,     rep->workload,
                                   rep->alloc, rep->dispatch, rep->pin};
    const sqlite3_int64 threads[] = {rep->threads};
    int error = get(r, bind(r, FIND_CELL, strings, 2, NULL, 0), id);
    if (error != -ENOENT)
        return error;
    error = run(r, bind(r, ADD_CELL, strings, 6, threads, 1));
    *id = sqlite3_last_insert_rowid(r->db);
    return error;
}

/* The number of a metric's name: most often the one behind the last. */
static int find_name(struct reader *r, const char *key, sqlite3_int64 *mid)
{
    for (size_t tried = 0; tried < r->names_n; tried++) {
        size_t at = (r->next + tried) % r->names_n;
        if (strcmp(r->names[at].key, key) != 0)
            continue;
        *mid = r->names[at].mid;
        r->next = at + 1;
        return 0;
    }
    int error = add_name(r, key, NULL); /* one that the header does not know */
    *mid = error == 0 ? r->names[r->names_n - 1].mid : 0;
    return error;
}

static int add_metrics(struct reader *r, const struct pb_rep *rep, sqlite3_int64 rep_id)
{
    json_t *metrics = json_object_get(rep->json, "m"), *value;
    sqlite3_stmt *add = r->statements[ADD_METRIC];
    sqlite3_int64 mid;
    const char *key;
    sqlite3_bind_int64(add, 2, rep_id);
    json_object_foreach(metrics, key, value)
    {
        if (!json_is_number(value))
            continue;
        int error = find_name(r, key, &mid);
        if (error != 0)
            return error;
        sqlite3_bind_int64(add, 1, mid);
        sqlite3_bind_double(add, 3, json_number_value(value));
        if (sqlite3_step(add) != SQLITE_DONE)
            error = say(r);
        sqlite3_reset(add);
        if (error != 0)
            return error;
    }
    return 0;
}

/* What disturbed a repetition, with commas; NULL where the record does not tell. */
static const char *disturbed(const json_t *line, char *out, size_t size)
{
    const json_t *list = json_object_get(line, "disturbed"), *value;
    size_t i, used = 0;
    if (!json_is_array(list))
        return NULL;
    out[0] = '\0';
    json_array_foreach(list, i, value)
    {
        const char *text = json_string_value(value);
        int n =
            snprintf(out + used, size - used, "%s%s", i > 0 ? "," : "", text != NULL ? text : "?");
        used = used + (size_t)n < size ? used + (size_t)n : size - 1;
    }
    return out;
}

static int add_rep(struct reader *r, json_t *line, size_t number)
{
    static const struct {
        const char *key;
        int at;
    } numbers_or_null[] = {{"wall_ns", 12}, {"attempt", 13}, {"layout", 14}};
    char reasons[512];
    struct pb_rep rep;
    sqlite3_int64 cell = 0;
    if (pb_rep_of_line(line, &rep) != 0) {
        refuse(r, number, "a repetition lacks a field that results/README.md names");
        pb_line_remedy(r->path, number, r->message, r->message_size);
        return -EINVAL;
    }
    int error = find_cell(r, &rep, &cell);
    if (error != 0)
        return error;
    const char *const strings[] = {pb_status_names[rep.status],
                                   rep.reason,
                                   json_string_value(json_object_get(line, "t_utc")),
                                   json_string_value(json_object_get(line, "stream_hash")),
                                   json_string_value(json_object_get(line, "version")),
                                   disturbed(line, reasons, sizeof reasons)};
    const sqlite3_int64 numbers[] = {r->run_id, cell, rep.block, rep.order, (sqlite3_int64)number};
    sqlite3_stmt *add = bind(r, ADD_REP, strings, 6, numbers, 5);
    for (size_t i = 0; i < sizeof numbers_or_null / sizeof *numbers_or_null; i++) {
        const json_t *value = json_object_get(line, numbers_or_null[i].key);
        if (json_is_integer(value))
            sqlite3_bind_int64(add, numbers_or_null[i].at, json_integer_value(value));
        else
            sqlite3_bind_null(add, numbers_or_null[i].at);
    }
    error = run(r, add);
    return error == 0 ? add_metrics(r, &rep, sqlite3_last_insert_rowid(r->db)) : error;
}

static int add_line(void *context, json_t *line, size_t number)
{
    struct reader *r = context;
    const char *kind = text_of(line, "kind");
    if (json_integer_value(json_object_get(line, "v")) != SCHEMA)
        return refuse(r, number, "the schema is not 1: written by another version of poolbench");
    if ((number == 1) != (strcmp(kind, "run") == 0)) {
        refuse(r, number, "the first line, and no other, is of kind 'run'");
        pb_line_remedy(r->path, number, r->message, r->message_size);
        return -EINVAL;
    }
    if (number == 1)
        return add_header(r, line);
    bool done = strcmp(text_of(line, "status"), "done") == 0;
    bool end = strcmp(kind, "end") == 0;
    r->status = !end ? "open" : done ? "done" : "interrupted";
    return strcmp(kind, "rep") == 0 ? add_rep(r, line, number) : 0;
}

int pb_index_read(struct sqlite3 *db, const char *folder, const char *path,
                  const struct pb_index_stamp *stamp, bool *torn, char *message,
                  size_t message_size)
{
    struct pb_lines lines;
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        snprintf(message, message_size, "out of memory");
        return -ENOMEM;
    }
    r->db = db;
    r->folder = folder;
    r->path = path;
    r->stamp = stamp;
    r->status = "open";
    r->message = message;
    r->message_size = message_size;
    int error = prepare(r);
    if (error == 0)
        error = pb_lines_read(path, add_line, r, &lines, message, message_size);
    if (error == 0 && lines.lines == 0)
        error = refuse(r, 1, "not one whole line in it");
    if (error == 0)
        error = run(r, bind(r, SUPERSEDE, NULL, 0, &r->run_id, 1));
    if (error == 0) {
        const sqlite3_int64 numbers[] = {(sqlite3_int64)lines.lines, lines.torn, r->run_id};
        error = run(r, bind(r, SET_END, &r->status, 1, numbers, 3));
        *torn = lines.torn;
    }
    finalize(r);
    free(r);
    return error;
}

int pb_index_drop(struct sqlite3 *db, const char *folder, char *message, size_t message_size)
{
    static const char *const drops[] = {
        /* those of a run follow one another: for each name one stretch of the table */
        "DELETE FROM metric WHERE mid IN (SELECT mid FROM metric_name) AND rep_id BETWEEN "
        "(SELECT min(rep_id) FROM rep JOIN run USING (run_id) WHERE folder = ?1) AND "
        "(SELECT max(rep_id) FROM rep JOIN run USING (run_id) WHERE folder = ?1)",
        "DELETE FROM rep WHERE run_id = (SELECT run_id FROM run WHERE folder = ?1)",
        "DELETE FROM run WHERE folder = ?1",
    };
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++) {
        sqlite3_stmt *statement = NULL;
        bool good = sqlite3_prepare_v2(db, drops[i], -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_DONE;
        if (!good)
            snprintf(message, message_size, "the index: %s", sqlite3_errmsg(db));
        sqlite3_finalize(statement);
        if (!good)
            return -EIO;
    }
    return 0;
}
