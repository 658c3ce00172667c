/* SPDX-License-Identifier: MIT */
/* What a sampled call was, by the way it took (path.h), and the histograms that are made of the kinds:
 * each kind is counted twice, calls that nothing disturbed (clean) and the others (marked), so that
 * every published histogram is a merge of some of them. The table is the only place that names them.
 * Threads: constant. May include: path.h. */
#ifndef PB_KIND_H
#define PB_KIND_H

#include <stdbool.h>

enum pb_kind {
    PB_KIND_ALLOC_HIT,
    PB_KIND_ALLOC_MISS,
    PB_KIND_ALLOC_OS,
    PB_KIND_FREE_LOCAL,
    PB_KIND_FREE_REMOTE,
    PB_KIND_FREE_OVERFLOW,
    PB_KIND_FREE_OS,
    PB_KINDS
};

/* The kind of a call that noted `paths` (PB_PATH_*): OS before MISS and OVERFLOW, these before REMOTE. */
enum pb_kind pb_kind_of_alloc(unsigned paths);
enum pb_kind pb_kind_of_free(unsigned paths);

/* What is published, in the order of records; rows of pb_view_rows. */
enum pb_view_index {
    PB_VIEW_ALLOC,
    PB_VIEW_FREE,
    PB_VIEW_ALLOC_CLEAN,
    PB_VIEW_FREE_CLEAN,
    PB_VIEW_ALLOC_HIT,
    PB_VIEW_ALLOC_HIT_CLEAN,
    PB_VIEW_ALLOC_MISS,
    PB_VIEW_ALLOC_MISS_CLEAN,
    PB_VIEW_ALLOC_OS,
    PB_VIEW_ALLOC_OS_CLEAN,
    PB_VIEW_FREE_LOCAL,
    PB_VIEW_FREE_LOCAL_CLEAN,
    PB_VIEW_FREE_REMOTE,
    PB_VIEW_FREE_REMOTE_CLEAN,
    PB_VIEW_FREE_OVERFLOW,
    PB_VIEW_FREE_OVERFLOW_CLEAN,
    PB_VIEW_FREE_OS,
    PB_VIEW_FREE_OS_CLEAN,
    PB_VIEW_BODY,
    PB_VIEW_OPEN,
    PB_VIEW_N
};

struct pb_view {
    const char *name; /* "alloc_miss_clean"; NULL ends the table */
    unsigned kinds;   /* 1 << PB_KIND_* of those merged; 0: of a window of its own */
    bool clean;       /* without the marked calls */
    bool by_path;     /* only a strategy that notes its paths (PB_CAP_PATHS) can tell it apart */
    const char *unit; /* of the values: "ns" or "ps" */
};

extern const struct pb_view pb_view_rows[];

#endif
