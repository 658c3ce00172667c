/* SPDX-License-Identifier: MIT */
/* Profiles: what differs between the releases of NT, as data, and the shape that a pool has once
 * its options are settled.
 * Source:  G. Chappell, "GENERAL_LOOKASIDE", "PP_LOOKASIDE_LIST" (numbers of lists, eras); ReactOS,
 *          expool (2003, 32 bits); Mandt, "Kernel Pool Exploitation on Windows 7", 2011 (64 bits);
 *          Microsoft KB Q234578 (NT 4's table of big pages). Differs: where one of them speaks of
 *          Windows 7 alone, Vista is taken to do the same.
 * Threads: const. May include: pool/options.h. */
#ifndef PB_POOL_PROFILE_H
#define PB_POOL_PROFILE_H

#include "pool/options.h"

#include <stdbool.h>

/* In the order of the option's choices. */
#define POOL_PROFILES(X) X(nt4) X(w2k) X(xp) X(x64) X(vista) X(vista86) X(win8) X(win8_86)

#define POOL_PROFILE_ENUM(name) POOL_PROFILE_##name,
enum pool_profile_id { POOL_PROFILES(POOL_PROFILE_ENUM) POOL_PROFILE_COUNT };

struct pool_profile {
    unsigned char granule_shift; /* a granule is 1 << this */
    unsigned char header_bytes;
    unsigned char list_sizes; /* blocks of 1 to this many granules have lookaside lists */
    bool processor_lists;     /* a set of lists for each processor */
    bool shared_lists;        /* one set behind them; NT 4: the only one */
    bool list_locks;          /* lists are guarded by a spin lock each, not lock-free */
    bool nx;                  /* memory that is not executable is a class of its own */
    bool delayed_frees, link_checks, tail_reuse;
    bool must_succeed; /* the types are served; XP refuses them */
    bool big_grows;    /* the big-page table */
    unsigned big_entries; /* it begins with */
};
extern const struct pool_profile pb_pool_profiles[POOL_PROFILE_COUNT];

/* A profile with the options over it. `wide` chooses between two forms of blocks, which are
 * compiled each on its own: 16-byte granule and header, links are pointers; 8-byte header, links
 * are 32-bit offsets in the arena, which is 4 GiB at most. */
struct pool_shape {
    bool wide;
    unsigned char shift;
    unsigned granule, header_bytes;
    unsigned alignment;     /* of every block */
    unsigned page_granules; /* and free lists */
    unsigned least_listed;  /* granules: a shorter free block has no room for links */
    unsigned list_sizes;
    size_t largest;         /* bytes that blocks serve; more is whole pages */
    unsigned search_ahead;  /* 1: the search begins one list above the exact one */
    unsigned aligned_types; /* POOL_TYPE bits that ask for a cache line */
    bool processor_lists, shared_lists, list_locks;
    bool nx, delayed_frees, link_checks, page_walk, tail_reuse, checked;
    bool verify; /* link_checks or page_walk */
};

void pb_pool_shape(const struct pool_options *options, struct pool_shape *shape);

#endif
