/* SPDX-License-Identifier: MIT */
/* The rows of poolmon: poolmon_table.h. */
#include "runner/poolmon_table.h"

#include "runner/tags.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 10, FIELD_MAX = 24 };

#define NO_PER_ALLOC INT64_MIN

const char *const pb_poolmon_sorts[] = {"tag",   "allocs",    "frees", "diff",
                                        "bytes", "per-alloc", NULL};

static const struct {
    const char *head;
    int least; /* as wide at least, so that a live table keeps still */
    bool left;
} columns[COLUMNS] = {
    {"Tag", 4, true},      {"Type", 5, true},       {"Allocs", 10, false}, {"(delta)", 8, false},
    {"Frees", 10, false},  {"(delta)", 8, false},   {"Diff", 8, false},    {"Bytes", 10, false},
    {"(delta)", 8, false}, {"Per Alloc", 9, false},
};

void pb_poolmon_compare(const struct pb_tag_row *before, size_t before_n,
                        const struct pb_tag_row *now, size_t n, struct pb_poolmon_row *rows)
{
    static const struct pb_tag_row nothing = {0};
    for (size_t i = 0, k = 0; i < n; i++) {
        while (before != NULL && k < before_n && pb_tag_order(&before[k], &now[i]) < 0)
            k++;
        const struct pb_tag_row *old = &nothing;
        if (before == NULL)
            old = &now[i];
        else if (k < before_n && pb_tag_order(&before[k], &now[i]) == 0)
            old = &before[k];
        rows[i] = (struct pb_poolmon_row){.now = now[i],
                                          .allocs = (int64_t)(now[i].allocs - old->allocs),
                                          .frees = (int64_t)(now[i].frees - old->frees),
                                          .bytes = (int64_t)(now[i].bytes - old->bytes)};
    }
}

/* Live blocks. Below 0 where blocks of another tag were freed with this one. */
static int64_t diff_of(const struct pb_tag_row *row)
{
    return (int64_t)(row->allocs - row->frees);
}

/* NO_PER_ALLOC: there is none. */
static int64_t per_alloc(const struct pb_tag_row *row)
{
    return diff_of(row) > 0 ? (int64_t)row->bytes / diff_of(row) : NO_PER_ALLOC;
}

static int64_t key_of(const struct pb_tag_row *row, enum pb_poolmon_sort by)
{
    switch (by) {
    case PB_POOLMON_ALLOCS:
        return (int64_t)row->allocs;
    case PB_POOLMON_FREES:
        return (int64_t)row->frees;
    case PB_POOLMON_DIFF:
        return diff_of(row);
    case PB_POOLMON_BYTES:
        return (int64_t)row->bytes;
    case PB_POOLMON_PER_ALLOC:
        return per_alloc(row);
    case PB_POOLMON_TAG:
        break;
    }
    return 0;
}

static int compare_rows(const void *left, const void *right, void *context)
{
    const struct pb_poolmon_row *a = left, *b = right;
    const enum pb_poolmon_sort *by = context;
    int64_t first = key_of(&a->now, *by), second = key_of(&b->now, *by);
    return first != second ? (first < second) - (first > second) : pb_tag_order(&a->now, &b->now);
}

void pb_poolmon_sort(struct pb_poolmon_row *rows, size_t n, enum pb_poolmon_sort by)
{
    if (n > 1)
        qsort_r(rows, n, sizeof *rows, compare_rows, &by);
}

typedef char fields[COLUMNS][FIELD_MAX];

static void format_row(const struct pb_poolmon_row *row, fields out)
{
    const struct pb_tag_row *now = &row->now;
    char tag[PB_TAG_TEXT];
    pb_tag_print(now->tag, tag);
    snprintf(out[0], FIELD_MAX, "%s", tag);
    snprintf(out[1], FIELD_MAX, "%s", pb_tag_type(now->paged));
    snprintf(out[2], FIELD_MAX, "%" PRIu64, now->allocs);
    snprintf(out[3], FIELD_MAX, "(%" PRId64 ")", row->allocs);
    snprintf(out[4], FIELD_MAX, "%" PRIu64, now->frees);
    snprintf(out[5], FIELD_MAX, "(%" PRId64 ")", row->frees);
    snprintf(out[6], FIELD_MAX, "%" PRId64, diff_of(now));
    snprintf(out[7], FIELD_MAX, "%" PRId64, (int64_t)now->bytes);
    snprintf(out[8], FIELD_MAX, "(%" PRId64 ")", row->bytes);
    if (per_alloc(now) != NO_PER_ALLOC)
        snprintf(out[9], FIELD_MAX, "%" PRId64, per_alloc(now));
    else
        snprintf(out[9], FIELD_MAX, "-");
}

static void print_fields(fields row, const int widths[COLUMNS], FILE *out)
{
    for (int i = 0; i < COLUMNS; i++)
        fprintf(out, columns[i].left ? "%s%-*s" : "%s%*s", i > 0 ? " " : "", widths[i], row[i]);
    fputc('\n', out);
}

void pb_poolmon_print(const struct pb_poolmon_row *rows, size_t n, FILE *out)
{
    int widths[COLUMNS];
    fields row;
    for (int i = 0; i < COLUMNS; i++)
        widths[i] = columns[i].least;
    for (size_t k = 0; k < n; k++) {
        format_row(&rows[k], row);
        for (int i = 0; i < COLUMNS; i++)
            widths[i] = (int)strlen(row[i]) > widths[i] ? (int)strlen(row[i]) : widths[i];
    }
    for (int i = 0; i < COLUMNS; i++)
        snprintf(row[i], FIELD_MAX, "%s", columns[i].head);
    print_fields(row, widths, out);
    for (size_t k = 0; k < n; k++) {
        format_row(&rows[k], row);
        print_fields(row, widths, out);
    }
}
