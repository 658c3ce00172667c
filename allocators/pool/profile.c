/* SPDX-License-Identifier: MIT */
/* The table of profiles, and how options change one. */
#include "pool/profile.h"

#include "nt/cas16.h"
#include "pool/header.h"

#include <poolbench/nt/page.h>

#define TABLE .big_grows = true, .big_entries = 4096
#define VISTA TABLE, .delayed_frees = true, .link_checks = true, .tail_reuse = true

const struct pool_profile pb_pool_profiles[POOL_PROFILE_COUNT] = {
    [POOL_PROFILE_nt4] = {5, 8, 8, .shared_lists = true, .list_locks = true, .must_succeed = true,
                          .big_entries = 2048},
    [POOL_PROFILE_w2k] = {5, 8, 8, .processor_lists = true, .shared_lists = true,
                          .must_succeed = true, TABLE},
    [POOL_PROFILE_xp] = {3, 8, 32, .processor_lists = true, .shared_lists = true, TABLE},
    [POOL_PROFILE_x64] = {4, 16, 32, .processor_lists = true, .shared_lists = true, TABLE},
    [POOL_PROFILE_vista] = {4, 16, 32, .processor_lists = true, VISTA},
    [POOL_PROFILE_vista86] = {3, 8, 32, .processor_lists = true, VISTA},
    [POOL_PROFILE_win8] = {4, 16, 32, .processor_lists = true, .nx = true, VISTA},
    [POOL_PROFILE_win8_86] = {3, 8, 32, .processor_lists = true, .nx = true, VISTA},
};

static bool shape_switch(uint64_t option, bool profile)
{
    return option == POOL_AUTO ? profile : option == POOL_ON;
}

void pb_pool_shape(const struct pool_options *options, struct pool_shape *shape)
{
    const struct pool_profile *profile = &pb_pool_profiles[options->profile];
    unsigned granule = 1u << profile->granule_shift;
    unsigned links = profile->header_bytes == POOL_HEADER_WIDE ? 2 * sizeof(void *) : 8;
    bool lists = profile->header_bytes != POOL_HEADER_WIDE || pb_cas16_present();
    *shape = (struct pool_shape){
        .wide = profile->header_bytes == POOL_HEADER_WIDE,
        .shift = profile->granule_shift,
        .granule = granule,
        .header_bytes = profile->header_bytes,
        .alignment = profile->header_bytes,
        .page_granules = (unsigned)PAGE_SIZE / granule,
        .least_listed = (profile->header_bytes + links + granule - 1) / granule,
        .largest = PAGE_SIZE - profile->header_bytes - granule,
        .search_ahead = options->search == POOL_SEARCH_NEXT,
        .aligned_types = options->cache_aligned ? POOL_TYPE_CACHE_ALIGNED : 0,
        .processor_lists = lists && shape_switch(options->lists, profile->processor_lists),
        .shared_lists = lists && shape_switch(options->shared_lists, profile->shared_lists),
        .list_locks = profile->list_locks,
        .nx = profile->nx,
        .delayed_frees = shape_switch(options->delayed_frees, profile->delayed_frees),
        .link_checks = shape_switch(options->link_checks, profile->link_checks),
        .page_walk = options->page_walk != 0,
        .tail_reuse = shape_switch(options->tail_reuse, profile->tail_reuse),
        .checked = options->checked != 0 || options->checked_build,
    };
    shape->verify = shape->link_checks || shape->page_walk;
    if (shape->processor_lists || shape->shared_lists)
        shape->list_sizes = profile->list_sizes;
}
