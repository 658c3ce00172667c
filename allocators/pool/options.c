/* SPDX-License-Identifier: MIT */
/* The pool's option table (options.h). Where a default is not NT's, the help says so.
 * Threads: const. */
#include "pool/options.h"

static const char *const switch_names[] = {"auto", "off", "on", NULL};
static const char *const profile_names[] = {"nt4",     "w2k",  "xp",      "x64", "vista",
                                            "vista86", "win8", "win8_86", NULL};
static const char *const type_names[] = {"nonpaged", "nx", "paged", NULL};
static const char *const lock_names[] = {"fas", "none", "dec", "ticket", "mcs", "mutex", NULL};
static const char *const search_names[] = {"exact", "next", NULL};
static const char *const special_names[] = {"off", "overrun", "underrun", NULL};

#define ROW_CHOICE(member, value, names, text)                                                     \
    {                                                                                              \
        .name = #member, .type = PB_OPTION_CHOICE,                                                 \
        .offset = offsetof(struct pool_options, member), .standard = value, .choices = names,      \
        .help = text                                                                               \
    }
#define ROW_FLAG(member, value, text)                                                              \
    {                                                                                              \
        .name = #member, .type = PB_OPTION_FLAG, .offset = offsetof(struct pool_options, member),  \
        .standard = value, .help = text                                                            \
    }
#define ROW_UINT(member, of, value, least, most, text)                                             \
    {                                                                                              \
        .name = #member, .type = PB_OPTION_UINT, .offset = offsetof(struct pool_options, member),  \
        .unit = of, .standard = value, .min = least, .max = most, .help = text                     \
    }

#define TERABYTE ((uint64_t)1 << 40)

const struct pb_option pb_pool_option_table[] = {
    ROW_CHOICE(profile, "x64", profile_names,
               "which NT: granule, header, lists and what came and went; nt4, w2k, xp and those in "
               "86 are of 32 bits and align to 8"),
    ROW_CHOICE(type, "nonpaged", type_names,
               "of a heap: its kind of memory; PbNtConfigure refuses it"),
    ROW_CHOICE(lock, "fas", lock_names, "lock that guards each pool; none is for one thread"),
    ROW_CHOICE(lists, "auto", switch_names, "lookaside lists of each processor before the pool"),
    ROW_CHOICE(shared_lists, "auto", switch_names,
               "lists that all processors share, behind their own"),
    ROW_UINT(list_depth, "blocks", "4", 0, 32768, "depth of each of the pool's lists at first"),
    ROW_FLAG(tune, "off", "adjust the depth of the pool's lists by the tune_ options"),
    ROW_CHOICE(search, "exact", search_names,
               "free list that the search begins at: the size's own, or the next larger"),
    ROW_CHOICE(delayed_frees, "auto", switch_names, "frees wait and are done 32 at a time"),
    ROW_CHOICE(link_checks, "auto", switch_names,
               "check headers and list links before they are used, and stop on corruption"),
    ROW_FLAG(page_walk, "off", "each slow call walks every block of the page"),
    ROW_CHOICE(tail_reuse, "auto", switch_names,
               "the rest of a big allocation's last page serves small requests"),
    ROW_FLAG(straight, "on",
             "what is common (no check, tag or quota, 16-byte granules) takes a way of its own, "
             "inlined; off: the general one, as all with a switch take it that the short one lacks"),
    ROW_UINT(paged_pools, "pools", "4", 1, 16, "paged pools that threads take turns with"),
    ROW_UINT(nonpaged_pools, "pools", "1", 1, 16, "nonpaged pools that threads take turns with"),
    ROW_UINT(processors, "processors", "0", 0, 1024,
             "sets of the pool's lists; 0: as many as the system has processors"),
    ROW_FLAG(tags, "off", "count allocations by tag; the executive's default is on"),
    ROW_UINT(tag_slots, "tags", "2048", 64, 65536, "size of the table of tags"),
    ROW_UINT(big_entries, "entries", "0", 0, 1 << 20,
             "size of the table of big allocations at first; 0: 4096, or nt4's 2048"),
    ROW_FLAG(quota, "off",
             "of a heap: charge every allocation to a process; PbNtConfigure refuses it"),
    ROW_FLAG(checked, "off", "look for what only a checked build of NT finds"),
    ROW_CHOICE(special, "off", special_names,
               "each allocation below a page alone on one, so that an overrun or underrun faults"),
    ROW_UINT(must_succeed, "pages", "4", 0, 4096,
             "reserve of the must-succeed types, which profiles from xp on refuse"),
    ROW_UINT(nonpaged_limit, "bytes", "0", 0, TERABYTE,
             "nonpaged pool, headers included, that can be in use; 0: no limit"),
    ROW_UINT(paged_limit, "bytes", "0", 0, TERABYTE,
             "paged pool, headers included, that can be in use; 0: no limit"),
    ROW_UINT(low_water, "per cent", "10", 0, 100,
             "of a limit: low priority fails when less is free; a figure of ours"),
    ROW_UINT(normal_water, "per cent", "2", 0, 100,
             "of a limit: normal priority fails when less is free; a figure of ours"),
    ROW_FLAG(cache_aligned, "off",
             "the cache-aligned types deliver whole lines, which NT's do not"),
    ROW_FLAG(resident, "off", "lock nonpaged memory; the executive's default is on"),
    ROW_UINT(reserve, "bytes", "64G", 1 << 20, TERABYTE,
             "address space set aside, less where the system has less"),
    ROW_UINT(release, "bytes", "0", 0, TERABYTE,
             "a freed run of whole pages goes back to the system from this length on; 0: never, as "
             "nonpaged pool"),
    {.name = "paged_dir",
     .type = PB_OPTION_TEXT,
     .offset = offsetof(struct pool_options, paged_dir),
     .standard = "",
     .help = "folder where the file behind paged pool is made; empty: TMPDIR, else /var/tmp"},
    PB_TUNING_ROWS(struct pool_options){.type = PB_OPTION_END},
};
