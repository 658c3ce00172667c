/* SPDX-License-Identifier: MIT */
/* A matrix: the TOML file that spans the cells, checked and in canonical form.
 *
 *     name = "quick"          # also title, exploratory, blocks, seed, reference, aa, audit,
 *     blocks = 6              # timeout (s), memory_limit ("4G"), sample_gap, counters, scale,
 *                             # target, most_blocks, budget, retries
 *     [axes]                  # also dispatch, memory, start, arrival, delay, oversubscribe
 *     alloc = ["pool", "zone:lock=fas"]
 *     threads = [1, 2]
 *     pin = "core"
 *     [[workload]]            # its options; axes of its own; scale
 *     name = "pair"
 *     size = [64, 256]
 *     [[include]]             # further cells
 *     workload = "pair"
 *     alloc = "floor:kind=lock"
 *     [[exclude]]             # drops the cells that match all of it
 *     workload = "handoff"
 *     threads = 1
 *
 * Arrays multiply. Whatever is wrong is one line "FILE:LINE:COLUMN: what; allowed: ...". The
 * command line replaces an axis in [axes] and in every [[workload]]; an [[include]] keeps what it
 * names itself. Threads: one. May touch: the file. */
#ifndef PB_MATRIX_H
#define PB_MATRIX_H

#include "registry.h"
#include "workloads/workload.h"

#include <jansson.h>

enum pb_axis {
    PB_AXIS_ALLOC,
    PB_AXIS_THREADS,
    PB_AXIS_PIN,
    PB_AXIS_DISPATCH,
    PB_AXIS_MEMORY,
    PB_AXIS_START,
    PB_AXIS_ARRIVAL,
    PB_AXIS_DELAY,
    PB_AXES
};
extern const char *const pb_axis_names[]; /* "alloc", "threads", ..., NULL */

enum { PB_WHERE_MAX = 96, PB_MESSAGE_MAX = 512 };

/* A [[workload]], [[include]] or [[exclude]]. Values are arrays of canonical texts; in an exclude
 * the params are as written. */
struct pb_entry {
    const struct pb_workload *workload; /* NULL in an exclude: any */
    json_t *axes[PB_AXES];              /* NULL: the matrix's; in an exclude: any */
    json_t *params;                     /* object: option -> array */
    double scale;                       /* times the matrix's */
    char where[PB_WHERE_MAX];           /* "workload[1]", "" from the command line */
    json_t *set;                        /* object: option -> the last --set of it, as given */
};

struct pb_entries {
    size_t n;
    struct pb_entry *at;
};

struct pb_settings {
    char name[PB_OPTION_TEXT_MAX], title[PB_OPTION_TEXT_MAX], reference[PB_OPTION_TEXT_MAX];
    uint64_t exploratory, aa, audit, blocks, seed;
    uint64_t timeout;      /* seconds a cell */
    uint64_t memory_limit; /* bytes that the strategy may make writable in a child; 0 = any */
    uint64_t sample_gap;   /* mean steps between two samples; 0 = off */
    char counters[PB_OPTION_TEXT_MAX]; /* events to count: perf_events.h, pb_perf_parse */
    char target[PB_OPTION_TEXT_MAX], budget[PB_OPTION_TEXT_MAX];
    uint64_t most_blocks, retries;
};
extern const struct pb_option pb_setting_rows[];

struct pb_matrix {
    char *path, *text; /* text: the file's, byte for byte */
    struct pb_settings settings;
    bool oversubscribe;
    double scale;
    double target; /* relative half-width at which a run stops (stats/looks.h); 0: off */
    double budget; /* seconds; 0: off */
    json_t *axes[PB_AXES];
    unsigned replaced; /* a bit for each axis that the command line gave */
    struct pb_entries workloads, includes, excludes;
};

/* The most blocks that a run of it may have. */
unsigned pb_matrix_blocks(const struct pb_matrix *matrix);

/* Finds a matrix: a path (with a slash, or ending in .toml), or NAME for NAME.toml in a folder of
 * PB_MATRIX_PATH, in the source tree's bench/matrices or in ./bench/matrices. Returns 0, or -ENOENT
 * with one line that lists those there are. */
int pb_matrix_find(const char *name, char *path, size_t size, char *message, size_t message_size);

/* Calls `each` for every matrix that a name finds. */
void pb_matrix_each(void (*each)(void *context, const char *name, const char *path), void *context);

/* Reads and checks. Returns 0 and *matrix; -EINVAL, -ENOENT, -ENOMEM with one line. */
int pb_matrix_read(const char *path, struct pb_matrix **matrix, char *message, size_t message_size);
void pb_matrix_free(struct pb_matrix *matrix);

/* Applies one option of the command line: an axis (a list with commas), a setting, `scale`,
 * `oversubscribe`, `workload` (a list), `set` ("[WORKLOAD.]KEY=VALUE,VALUE") or `trace` (a file; it
 * takes the place of all workloads and includes). Returns 0, or -EINVAL with one line "--KEY:
 * what". */
int pb_matrix_override(struct pb_matrix *matrix, const char *key, const char *value, char *message,
                       size_t message_size);

/* The next item of a list with commas: copies it and moves *rest on; what belongs to a variant, a
 * pin list or parentheses stays together. False at the end. */
bool pb_matrix_next_item(enum pb_axis axis, const char **rest, char *item, size_t size);

/* "FILE:LINE:COLUMN" of an axis of an entry, or "--threads". */
void pb_matrix_where(const struct pb_matrix *matrix, const struct pb_entry *entry,
                     enum pb_axis axis, char *out, size_t size);

/* --- shared by the matrix's own files ------------------------------------------------------------
 */

/* One value of an axis in canonical form. Returns 0, or -EINVAL and what is wrong and allowed. */
int pb_axis_canonical(enum pb_axis axis, const char *text, char *out, size_t size, char *message,
                      size_t message_size);

/* A setting by its name, `scale` among them. Set returns 0, or -EINVAL with what is wrong. */
bool pb_setting_known(const char *key);
int pb_setting_set(struct pb_matrix *matrix, const char *key, const char *text, char *message,
                   size_t message_size);

/* Checks and sets `scale`, of the matrix or of an entry. Returns 0 or -EINVAL. */
int pb_scale_parse(const char *text, double *scale, char *message, size_t message_size);

/* Appends a zeroed entry. NULL without memory. */
struct pb_entry *pb_entries_add(struct pb_entries *entries);
void pb_entry_clear(struct pb_entry *entry);

/* Appends a text to an array unless it is there. */
int pb_values_add(json_t *array, const char *text);

/* "a, b, c" into `out`, cut off where it does not fit. */
void pb_list_append(char *out, size_t size, const char *name);

#endif
