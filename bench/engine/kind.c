/* SPDX-License-Identifier: MIT */
/* The kinds of calls and the published histograms: kind.h. */
#include "engine/kind.h"

#include "path.h"

#include <stddef.h>

enum pb_kind pb_kind_of_alloc(unsigned paths)
{
    if ((paths & PB_PATH_OS) != 0)
        return PB_KIND_ALLOC_OS;
    return (paths & PB_PATH_MISS) != 0 ? PB_KIND_ALLOC_MISS : PB_KIND_ALLOC_HIT;
}

enum pb_kind pb_kind_of_free(unsigned paths)
{
    if ((paths & PB_PATH_OS) != 0)
        return PB_KIND_FREE_OS;
    if ((paths & PB_PATH_OVERFLOW) != 0)
        return PB_KIND_FREE_OVERFLOW;
    return (paths & PB_PATH_REMOTE) != 0 ? PB_KIND_FREE_REMOTE : PB_KIND_FREE_LOCAL;
}

enum {
    ALLOCS = 1 << PB_KIND_ALLOC_HIT | 1 << PB_KIND_ALLOC_MISS | 1 << PB_KIND_ALLOC_OS,
    FREES = 1 << PB_KIND_FREE_LOCAL | 1 << PB_KIND_FREE_REMOTE | 1 << PB_KIND_FREE_OVERFLOW |
            1 << PB_KIND_FREE_OS
};

const struct pb_view pb_view_rows[] = {
    [PB_VIEW_ALLOC] = {"alloc", ALLOCS, false, false, "ns"},
    [PB_VIEW_FREE] = {"free", FREES, false, false, "ns"},
    [PB_VIEW_ALLOC_CLEAN] = {"alloc_clean", ALLOCS, true, false, "ns"},
    [PB_VIEW_FREE_CLEAN] = {"free_clean", FREES, true, false, "ns"},
    [PB_VIEW_ALLOC_HIT] = {"alloc_hit", 1 << PB_KIND_ALLOC_HIT, false, true, "ns"},
    [PB_VIEW_ALLOC_HIT_CLEAN] = {"alloc_hit_clean", 1 << PB_KIND_ALLOC_HIT, true, true, "ns"},
    [PB_VIEW_ALLOC_MISS] = {"alloc_miss", 1 << PB_KIND_ALLOC_MISS, false, true, "ns"},
    [PB_VIEW_ALLOC_MISS_CLEAN] = {"alloc_miss_clean", 1 << PB_KIND_ALLOC_MISS, true, true, "ns"},
    [PB_VIEW_ALLOC_OS] = {"alloc_os", 1 << PB_KIND_ALLOC_OS, false, true, "ns"},
    [PB_VIEW_ALLOC_OS_CLEAN] = {"alloc_os_clean", 1 << PB_KIND_ALLOC_OS, true, true, "ns"},
    [PB_VIEW_FREE_LOCAL] = {"free_local", 1 << PB_KIND_FREE_LOCAL, false, false, "ns"},
    [PB_VIEW_FREE_LOCAL_CLEAN] = {"free_local_clean", 1 << PB_KIND_FREE_LOCAL, true, false, "ns"},
    [PB_VIEW_FREE_REMOTE] = {"free_remote", 1 << PB_KIND_FREE_REMOTE, false, false, "ns"},
    [PB_VIEW_FREE_REMOTE_CLEAN] = {"free_remote_clean", 1 << PB_KIND_FREE_REMOTE, true, false,
                                   "ns"},
    [PB_VIEW_FREE_OVERFLOW] = {"free_overflow", 1 << PB_KIND_FREE_OVERFLOW, false, true, "ns"},
    [PB_VIEW_FREE_OVERFLOW_CLEAN] = {"free_overflow_clean", 1 << PB_KIND_FREE_OVERFLOW, true, true,
                                     "ns"},
    [PB_VIEW_FREE_OS] = {"free_os", 1 << PB_KIND_FREE_OS, false, true, "ns"},
    [PB_VIEW_FREE_OS_CLEAN] = {"free_os_clean", 1 << PB_KIND_FREE_OS, true, true, "ns"},
    [PB_VIEW_BODY] = {"body", 0, false, false, "ps"},
    [PB_VIEW_OPEN] = {"open", 0, false, false, "ns"},
    [PB_VIEW_N] = {NULL, 0, false, false, NULL},
};
