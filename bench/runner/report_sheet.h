/* SPDX-License-Identifier: MIT */
/* The cells of a report's tables as text, for the terminal's and Markdown's writer alike. */
#ifndef PB_REPORT_SHEET_H
#define PB_REPORT_SHEET_H

#include "runner/report_internal.h"

enum {
    PB_SHEET_CELL_MAX = 512,
    PB_SHEET_VARIANT_WIDTH = 34, /* of the variant's column, before others are left out for it */
    PB_SHEET_GAP = 2             /* before each column */
};

typedef char pb_sheet_cell[PB_SHEET_CELL_MAX];

enum pb_column {
    PB_COLUMN_VARIANT,
    PB_COLUMN_VALUE,
    PB_COLUMN_RATIO,
    PB_COLUMN_INTERVAL,
    PB_COLUMN_SIGN,
    PB_COLUMN_P99_ALLOC,
    PB_COLUMN_P99_FREE,
    PB_COLUMN_RSS,
    PB_COLUMN_LEAN,
    PB_COLUMN_FAULTS,
    PB_COLUMN_N,
    PB_COLUMN_STATUS,
    PB_COLUMNS
};

/* Every cell of every row as text, and how wide the columns are. */
struct pb_sheet {
    const struct pb_report_job *job;
    pb_sheet_cell (*cells)[PB_COLUMNS];
    pb_sheet_cell heads[PB_COLUMNS];
    size_t widths[PB_COLUMNS];
    bool empty[PB_COLUMNS]; /* of no use in this run: nowhere, and not said to be left out */
    bool shown[PB_COLUMNS]; /* a status that is not shown has a line of its own below its row */
    bool folded;            /* the variant has a line of its own above its row */
    size_t rows_n;
};

/* Fills a sheet with every row of every group, in order. Returns 0 or -ENOMEM; free cells after
 * both. */
int pb_sheet_open(struct pb_sheet *sheet, const struct pb_report_job *job);

/* Cuts variants, in their middle, and leaves out columns until the rest fits into `limit` (0: all
 * do); writes the names of those that are gone. Ratio, interval and n outlast the variant's column.
 */
void pb_sheet_fit(struct pb_sheet *sheet, size_t limit, char *left_out, size_t size);

/* Whether a column is aligned to the left. */
bool pb_sheet_left(int column);

#endif
