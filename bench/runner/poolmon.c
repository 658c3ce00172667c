/* SPDX-License-Identifier: MIT */
/* poolmon's targets and their snapshots: poolmon.h. A table is read through a descriptor that stays
 * open until the next one is: each child of a run makes a table of its own in the same place, and a
 * file that is open shares its number with no other. */
#include "runner/poolmon.h"

#include "pool/tags_file.h"
#include "runner/baseline.h"
#include "runner/cell.h"
#include "runner/poolmon_table.h"
#include "runner/report_text.h"
#include "runner/run.h"
#include "runner/runner.h"
#include "runner/store.h"
#include "runner/tags.h"

#include <poolbench/nt/pool.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MAX = 512, SLACK = 64 };

enum types { TYPES_NONPAGED = 1, TYPES_PAGED = 2, TYPES_BOTH = 3 };

struct wishes {
    double interval;
    unsigned long count; /* 0: until the end */
    enum pb_poolmon_sort sort;
    unsigned types;
    const char *cell; /* a regular expression, or NULL */
};

struct snapshot {
    struct pb_tag_row *rows; /* sorted by tag */
    size_t n;
};

static int complain(int code, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return code;
}

/* --- what is asked for ------------------------------------------------------------------------ */

static int choice(const char *text, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

static int take_wishes(const struct pb_args *args, struct wishes *w)
{
    static const char *const types[] = {"nonp", "paged", "both", NULL};
    const char *interval = pb_args_value(args, "interval"), *count = pb_args_value(args, "count");
    const char *sort = pb_args_value(args, "sort"), *type = pb_args_value(args, "type");
    char *end = NULL;
    int by = sort != NULL ? choice(sort, pb_poolmon_sorts) : 0;
    int of = type != NULL ? choice(type, types) : 2;
    *w = (struct wishes){.interval = 5,
                         .count = isatty(STDOUT_FILENO) ? 0 : 1,
                         .sort = (enum pb_poolmon_sort)by,
                         .types = (unsigned)of + 1,
                         .cell = pb_args_value(args, "cell")};
    if (by < 0)
        return complain(PB_EXIT_USAGE, "--sort",
                        "allowed: tag, allocs, frees, diff, bytes, per-alloc");
    if (of < 0)
        return complain(PB_EXIT_USAGE, "--type", "allowed: nonp, paged, both");
    if (interval != NULL)
        w->interval = strtod(interval, &end);
    if (interval != NULL &&
        (end == interval || *end != '\0' || !(w->interval >= 0.01 && w->interval <= 86400)))
        return complain(PB_EXIT_USAGE, "--interval", "allowed: seconds, 0.01 to 86400");
    if (count != NULL) {
        errno = 0;
        w->count = strtoul(count, &end, 10);
    }
    if (count != NULL && (errno != 0 || *end != '\0' || strspn(count, "0123456789") == 0))
        return complain(PB_EXIT_USAGE, "--count", "allowed: a number of tables; 0: until the end");
    return 0;
}

/* --- one table -------------------------------------------------------------------------------- */

/* Rows of the wished types, compared and printed. */
static int show(const struct snapshot *now, const struct snapshot *before, const struct wishes *w)
{
    struct pb_poolmon_row *rows = calloc(now->n + 1, sizeof *rows);
    size_t n = 0;
    if (rows == NULL)
        return complain(PB_EXIT_MACHINE, "poolmon", strerror(ENOMEM));
    pb_poolmon_compare(before != NULL ? before->rows : NULL, before != NULL ? before->n : 0,
                       now->rows, now->n, rows);
    for (size_t i = 0; i < now->n; i++)
        if ((w->types & (rows[i].now.paged ? TYPES_PAGED : TYPES_NONPAGED)) != 0)
            rows[n++] = rows[i];
    pb_poolmon_sort(rows, n, w->sort);
    pb_poolmon_print(rows, n, stdout);
    free(rows);
    return PB_EXIT_GOOD;
}

/* --- records ---------------------------------------------------------------------------------- */

/* Adds what a record counted into rows of the same tag and type; the new ones behind them. */
static int add_record(struct snapshot *sum, const struct pb_rep *rep)
{
    size_t n = pb_tags_from_json(rep->json, NULL, 0), known = sum->n;
    if (n == 0)
        return 0;
    struct pb_tag_row *rows = realloc(sum->rows, (sum->n + n) * sizeof *rows);
    if (rows == NULL)
        return -ENOMEM;
    sum->rows = rows;
    pb_tags_from_json(rep->json, rows + known, n);
    pb_tags_sort(rows, known + n);
    sum->n = 1;
    for (size_t i = 1; i < known + n; i++) {
        struct pb_tag_row *last = &rows[sum->n - 1];
        if (pb_tag_order(last, &rows[i]) != 0) {
            rows[sum->n++] = rows[i];
            continue;
        }
        last->allocs += rows[i].allocs;
        last->frees += rows[i].frees;
        last->bytes += rows[i].bytes;
    }
    return 0;
}

/* The cell of a repetition, if that is the first of it and anything was counted. */
static int show_cell(const struct pb_run *run, size_t first, const struct wishes *w, size_t *shown)
{
    char name[PB_CELL_NAME_MAX], count[64];
    const struct pb_rep *rep = &run->reps[first];
    struct snapshot sum = {0};
    unsigned long reps = 0;
    int code = 0;
    for (size_t i = 0; i < first; i++)
        if (strcmp(run->reps[i].cell, rep->cell) == 0)
            return 0;
    for (size_t i = first; i < run->reps_n && code == 0; i++) {
        if (strcmp(run->reps[i].cell, rep->cell) != 0)
            continue;
        reps += pb_tags_from_json(run->reps[i].json, NULL, 0) > 0;
        code = add_record(&sum, &run->reps[i]);
    }
    if (code == 0 && sum.n > 0) {
        pb_text_clean(rep->name, name, sizeof name);
        pb_text_count(reps, "repetition", count, sizeof count);
        printf("%s%s, %s\n", (*shown)++ > 0 ? "\n" : "", name, count);
        code = show(&sum, NULL, w);
    }
    free(sum.rows);
    return code == -ENOMEM ? complain(PB_EXIT_MACHINE, "poolmon", strerror(ENOMEM)) : code;
}

static int show_records(const struct pb_run *run, const struct wishes *w)
{
    regex_t pattern;
    char wrong[MESSAGE_MAX];
    size_t shown = 0, matched = 0;
    int code = w->cell != NULL ? regcomp(&pattern, w->cell, REG_EXTENDED | REG_NOSUB) : 0;
    if (code != 0) {
        (void)regerror(code, &pattern, wrong, sizeof wrong);
        return complain(PB_EXIT_USAGE, "--cell: not a regular expression", wrong);
    }
    for (size_t i = 0; i < run->reps_n && code == 0; i++) {
        if (w->cell != NULL && regexec(&pattern, run->reps[i].name, 0, NULL, 0) != 0)
            continue;
        matched++;
        code = show_cell(run, i, w, &shown);
    }
    if (w->cell != NULL)
        regfree(&pattern);
    if (code != 0 || shown > 0)
        return code;
    if (matched == 0 && w->cell != NULL)
        return complain(PB_EXIT_NOTHING, run->folder, "no cell's name matches --cell");
    return complain(
        PB_EXIT_NOTHING, run->folder,
        "nothing in it was counted by tag; run a variant with tags=on, as pool:tags=on");
}

static int show_run(const char *folder, const struct wishes *w)
{
    char message[MESSAGE_MAX] = "";
    struct pb_run *run = NULL;
    if (pb_run_load(folder, &run, message, sizeof message) != 0) {
        fprintf(stderr, "%s\n", message);
        return PB_EXIT_USAGE;
    }
    int code = show_records(run, w);
    pb_run_free(run);
    return code;
}

/* --- a table that another process counts in --------------------------------------------------- */

struct follower {
    const char *path;
    const char *run; /* the folder of the run that makes it, or NULL */
    int file;        /* of the last snapshot, -1: none */
    struct stat status;
    struct snapshot last;
};

/* 32 bits of a counter that only rises, in full. */
static uint64_t widen(uint64_t before, ULONG now)
{
    return before + (ULONG)(now - (ULONG)before);
}

static const struct pb_tag_row *find(const struct snapshot *in, const struct pb_tag_row *row)
{
    size_t low = 0, high = in->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = pb_tag_order(&in->rows[middle], row);
        if (order == 0)
            return &in->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void add_kind(struct snapshot *to, const struct snapshot *last, struct pb_tag_row row,
                     ULONG allocs, ULONG frees)
{
    const struct pb_tag_row *before = find(last, &row);
    if (allocs == 0 && frees == 0)
        return;
    row.allocs = widen(before != NULL ? before->allocs : 0, allocs);
    row.frees = widen(before != NULL ? before->frees : 0, frees);
    if (row.frees > row.allocs && (int32_t)(allocs - frees) > 0)
        row.allocs += (uint64_t)1 << 32; /* they went round before we looked */
    to->rows[to->n++] = row;
}

/* Reads the table behind a descriptor. Returns 0 or -errno. */
static int read_table(int file, const struct snapshot *last, struct snapshot *out)
{
    char path[64];
    ULONG found = 0, room = 0;
    SYSTEM_POOLTAG *rows = NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int error = PbReadPoolTags(path, NULL, 0, &found);
    while (error == 0 && (rows == NULL || found > room)) {
        room = found + SLACK; /* there may be more by then */
        free(rows);
        rows = calloc(room, sizeof *rows);
        error = rows != NULL ? PbReadPoolTags(path, rows, room, &found) : -ENOMEM;
    }
    *out = (struct snapshot){0};
    if (error == 0 && (out->rows = calloc(2 * (size_t)found + 1, sizeof *out->rows)) == NULL)
        error = -ENOMEM;
    for (ULONG i = 0; error == 0 && i < found; i++) {
        const SYSTEM_POOLTAG *row = &rows[i];
        add_kind(out, last, (struct pb_tag_row){.tag = row->TagUlong, .bytes = row->NonPagedUsed},
                 row->NonPagedAllocs, row->NonPagedFrees);
        add_kind(out, last,
                 (struct pb_tag_row){.tag = row->TagUlong, .paged = true, .bytes = row->PagedUsed},
                 row->PagedAllocs, row->PagedFrees);
    }
    free(rows);
    return error;
}

/* What the table behind a descriptor is called: the cell at work, of a run. */
static void print_label(int file)
{
    char path[64], label[PB_CELL_NAME_MAX], name[PB_CELL_NAME_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int readable = open(path, O_RDONLY | O_CLOEXEC);
    if (readable < 0)
        return;
    pb_pool_tags_file_label(readable, label, sizeof label);
    close(readable);
    pb_text_clean(label, name, sizeof name);
    if (name[0] != '\0')
        printf("%s\n", name);
}

/* A snapshot, shown beside the last one. Returns 0, -errno, or an exit code above 0. */
static int refresh(struct follower *f, const struct wishes *w)
{
    static const struct snapshot nothing = {0};
    struct stat status;
    struct snapshot now;
    int file = open(f->path, O_PATH | O_CLOEXEC);
    if (file < 0)
        return -errno;
    int error = fstat(file, &status) != 0 ? -errno : 0;
    bool same = f->file >= 0 && error == 0 && status.st_ino == f->status.st_ino &&
                status.st_dev == f->status.st_dev;
    if (error == 0)
        error = read_table(file, same ? &f->last : &nothing, &now);
    if (error != 0) {
        close(file);
        return error;
    }
    print_label(file);
    int code = show(&now, f->file < 0 ? NULL : same ? &f->last : &nothing, w);
    if (f->file >= 0)
        close(f->file);
    free(f->last.rows);
    f->file = file;
    f->status = status;
    f->last = now;
    return code;
}

static void pause_for(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* Between two tables: a new page on a terminal, an empty line elsewhere. */
static void next_table(void)
{
    fputs(isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "\n", stdout);
}

/* Until as many tables are shown as wished, or nobody makes it any more. */
static int follow(struct follower *f, const struct wishes *w)
{
    int error = refresh(f, w);
    for (unsigned long shown = 1; error == 0 && (w->count == 0 || shown < w->count); shown++) {
        if (fflush(stdout) != 0)
            break; /* said once, at the end */
        pause_for(w->interval);
        if (f->run != NULL && !pb_store_busy(f->run))
            break;
        next_table();
        error = refresh(f, w);
    }
    bool seen = f->file >= 0;
    if (seen)
        close(f->file);
    free(f->last.rows);
    if (error >= 0 || (seen && error == -ENOENT))
        return error > 0 ? error : PB_EXIT_GOOD;
    if (f->run != NULL && error == -ENOENT) /* it has just ended */
        return show_run(f->run, w);
    return complain(PB_EXIT_USAGE, f->path,
                    error == -EINVAL ? "not a table of tags; give a run, or a file that "
                                       "PB_POOLMON named where it was written"
                                     : strerror(-error));
}

/* --- targets ---------------------------------------------------------------------------------- */

/* A file that is not a run's records. */
static bool is_table(const char *target)
{
    static const char records[] = "records.jsonl";
    struct stat status;
    const char *base = strrchr(target, '/');
    base = base != NULL ? base + 1 : target;
    return stat(target, &status) == 0 && !S_ISDIR(status.st_mode) && strcmp(base, records) != 0;
}

int pb_poolmon(const struct pb_args *args)
{
    struct wishes w;
    char folder[PATH_MAX], path[PATH_MAX + sizeof "/" PB_STORE_TAGS], message[MESSAGE_MAX] = "";
    const char *target = args->rest[0];
    struct follower f = {.path = target, .file = -1};
    int code = take_wishes(args, &w);
    if (code != 0)
        return code;
    if (target[0] == '\0')
        return complain(PB_EXIT_USAGE, "TARGET is empty", "give a run, or a table of tags");
    if (is_table(target))
        return w.cell == NULL ? follow(&f, &w)
                              : complain(PB_EXIT_USAGE, "--cell", "a table of tags has no cells");
    if (pb_baseline_resolve(target, path, sizeof path, message, sizeof message) != 0 ||
        pb_store_find(path, folder, sizeof folder, message, sizeof message) != 0) {
        fprintf(stderr, "%s\n", message);
        return PB_EXIT_USAGE;
    }
    snprintf(path, sizeof path, "%s/" PB_STORE_TAGS, folder);
    if (w.cell != NULL || access(path, R_OK) != 0 || !pb_store_busy(folder))
        return show_run(folder, &w);
    f.path = path;
    f.run = folder;
    return follow(&f, &w);
}
