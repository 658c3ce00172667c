/* SPDX-License-Identifier: MIT */
/* Every switch of the pool, as one table that serves the strategy (variant text, `describe`,
 * matrices) and PbNtConfigure. `auto` means: as the profile says (profile.c).
 * Threads: const. May include: nt/, option.h. */
#ifndef PB_POOL_OPTIONS_H
#define PB_POOL_OPTIONS_H

#include "nt/tuning.h"

#include <stdbool.h>

enum pool_switch { POOL_AUTO, POOL_OFF, POOL_ON }; /* {"auto", "off", "on"} */
enum pool_search { POOL_SEARCH_EXACT, POOL_SEARCH_NEXT };
enum pool_lock_option { /* names as nt/lock.h has them; a mutex sleeps, as the paged pool's does */
    POOL_LOCK_FAS,
    POOL_LOCK_NONE,
    POOL_LOCK_DEC,
    POOL_LOCK_TICKET,
    POOL_LOCK_MCS,
    POOL_LOCK_MUTEX
};
enum pool_type_option { POOL_TYPE_OPTION_NONPAGED, POOL_TYPE_OPTION_NX, POOL_TYPE_OPTION_PAGED };
enum pool_special_mode { POOL_SPECIAL_OFF, POOL_SPECIAL_OVERRUN, POOL_SPECIAL_UNDERRUN };

struct pool_options {
    uint64_t profile;        /* nt4, w2k, xp, x64 (default), vista, vista86, win8, win8_86 */
    uint64_t type;           /* strategy only: nonpaged (default), nx, paged */
    uint64_t lock;           /* fas (default), none, dec, ticket, mcs, mutex */
    uint64_t lists;          /* enum pool_switch: per-processor lists P */
    uint64_t shared_lists;   /* shared lists L behind them */
    uint64_t straight;       /* the common case has a path of its own: quick.h */
    uint64_t list_depth;     /* 4; 0..32768 */
    uint64_t tune;           /* flag: adjust list depths by the tuning rule; default off */
    uint64_t search;         /* exact, next: where the search of the free lists begins */
    uint64_t delayed_frees;  /* enum pool_switch */
    uint64_t link_checks;    /* enum pool_switch: list links and neighbours before they are believed */
    uint64_t page_walk;      /* flag: each slow call walks the block's page */
    uint64_t tail_reuse;     /* enum pool_switch: the tail of a big allocation's last page is listed */
    uint64_t paged_pools;    /* 1..16; 4 */
    uint64_t nonpaged_pools; /* 1..16; 1 */
    uint64_t processors;     /* sets of P lists; 0 = those of the system */
    uint64_t tags;           /* flag: count by tag; the strategy's default is off */
    uint64_t tag_slots;      /* 2048 */
    uint64_t big_entries;    /* 0: as the profile says */
    uint64_t quota;          /* strategy only, flag: allocate with quota */
    uint64_t checked;        /* flag: find what only a checked build finds */
    uint64_t special;        /* enum pool_special_mode: every allocation below a page */
    uint64_t must_succeed;   /* pages in reserve; 4; 0..4096; profiles from xp on refuse the type */
    uint64_t nonpaged_limit; /* bytes; 0 = none */
    uint64_t paged_limit;
    uint64_t low_water;      /* per cent of a limit: 10 */
    uint64_t normal_water;   /* 2 */
    uint64_t cache_aligned;  /* flag: the cache-aligned types deliver lines; off, as NT */
    uint64_t resident;       /* flag: nonpaged memory is locked; the strategy's default is off */
    uint64_t reserve;        /* bytes of address space an arena */
    uint64_t release;        /* bytes: a freed run goes back to the system from this length on; 0 never */
    char paged_dir[PB_OPTION_TEXT_MAX]; /* where the paged arena's file is made */
    struct pb_tuning tuning;
    /* not rows: what PB_POOLMON and PbNtChecked ask of the executive when it begins */
    int64_t tags_file; /* the table of tags is mapped on descriptor `tags_file` - 1; 0: on none */
    bool checked_build; /* the pool marks what it caches, as with `checked` */
};

extern const struct pb_option pb_pool_option_table[];

#endif
