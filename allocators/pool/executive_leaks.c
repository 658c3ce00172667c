/* SPDX-License-Identifier: MIT */
/* What the executive's users never freed, as text (executive.h). Written with dprintf: the
 * program's
 * heap may stand on this pool. Source: WDK, "PoolMon Display". Threads: any. */
#include "pool/executive.h"

#include "nt/pages.h"

#include <inttypes.h>
#include <stdio.h>

/* A tag, its bytes that cannot be shown as dots. */
static void print_tag(const UCHAR tag[4], char shown[5])
{
    for (unsigned i = 0; i < 4; i++)
        shown[i] = tag[i] >= 0x20 && tag[i] < 0x7F ? (char)tag[i] : '.';
    shown[4] = '\0';
}

/* A line of poolmon's, if anything is in use or was freed too often: then Diff is below 0. */
static unsigned print_leak(int file, const UCHAR tag[4], const char *type, ULONG allocs,
                           ULONG frees, SIZE_T bytes)
{
    int32_t in_use = (int32_t)(allocs - frees);
    char shown[5], each[24] = "-";
    print_tag(tag, shown);
    if (in_use == 0)
        return 0;
    if (in_use > 0)
        snprintf(each, sizeof each, "%" PRId64, (int64_t)bytes / in_use);
    dprintf(file, "%-4s %-5s %10" PRIu32 " %10" PRIu32 " %10" PRId32 " %12" PRId64 " %10s\n", shown,
            type, allocs, frees, in_use, (int64_t)bytes, each);
    return 1;
}

static unsigned print_leaks(int file, const SYSTEM_POOLTAG *rows, ULONG count)
{
    unsigned lines = 0;
    for (ULONG i = 0; i < count; i++) {
        const SYSTEM_POOLTAG *row = &rows[i];
        bool leaks =
            row->PagedAllocs != row->PagedFrees || row->NonPagedAllocs != row->NonPagedFrees;
        if (leaks && lines == 0)
            dprintf(file, "poolbench: never freed:\n%-4s %-5s %10s %10s %10s %12s %10s\n", "Tag",
                    "Type", "Allocs", "Frees", "Diff", "Bytes", "Per Alloc");
        lines += print_leak(file, row->Tag, "Nonp", row->NonPagedAllocs, row->NonPagedFrees,
                            row->NonPagedUsed);
        lines +=
            print_leak(file, row->Tag, "Paged", row->PagedAllocs, row->PagedFrees, row->PagedUsed);
    }
    return lines;
}

static unsigned print_rows(int file)
{
    ULONG count = PbQueryPoolTags(NULL, 0);
    SYSTEM_POOLTAG *rows = count != 0 ? pb_pages_map(count * sizeof *rows) : NULL;
    if (rows == NULL)
        return 0;
    ULONG there = PbQueryPoolTags(rows, count);
    unsigned lines = print_leaks(file, rows, there < count ? there : count);
    pb_pages_unmap(rows, count * sizeof *rows);
    return lines;
}

/* Blocks in use, and nothing is touched to count them: a list may hold a block twice. Below 0 where
 * more was freed than allocated. */
static int64_t blocks_in_use(struct pool_front *front)
{
    /* relaxed: a figure for a report */
    uint64_t live = atomic_load_explicit(&front->reserved, memory_order_relaxed);
    live += pb_front_special_count(front);
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        struct pool_counts counts;
        pb_pool_counts(front->pool, (enum pool_class) class, &counts);
        live += counts.running_allocs - counts.running_frees - counts.cached_blocks;
    }
    return (int64_t)live;
}

/* Without the rows, or not all of them. */
static void print_live(int file, int64_t live, const char *more)
{
    if (live < 0)
        dprintf(file, "poolbench: %" PRId64 " more frees than allocations; %s\n", -live, more);
    else
        dprintf(file, "poolbench: %" PRId64 " block%s never freed; %s\n", live,
                live == 1 ? " was" : "s were", more);
}

unsigned pb_executive_leaks(int file)
{
    struct pool_front *front = pb_executive_begun();
    if (front == NULL)
        return 0;
    unsigned lines = front->tags != NULL ? print_rows(file) : 0;
    bool full = front->tags != NULL && pb_pool_tags_uncounted(front->tags) != 0;
    int64_t live = full || front->tags == NULL ? blocks_in_use(front) : 0;
    if (front->tags == NULL && live != 0)
        print_live(file, live, "tags=on says whose");
    else if (full && (live != 0 || lines != 0))
        print_live(file, live,
                   "rows are missing above: the table of tags was full, a larger tag_slots= has "
                   "them all");
    return lines;
}
