/* SPDX-License-Identifier: MIT */
/* strategy_refuses.h: one line for each reason. Threads: any. May touch: a file in the folder of
 * paged memory, for a moment. */
#include "pool/strategy_refuses.h"

#include "nt/cas16.h"
#include "nt/fixup.h"
#include "nt/pages.h"
#include "pool/front.h"

#include <errno.h>
#include <stdio.h>

enum { PROBE_BYTES = 1 << 20 };

static bool wants_lists(const struct pool_options *options)
{
    return options->lists == POOL_ON || options->shared_lists == POOL_ON;
}

/* Whether a page under a list's pop may be gone: a lookaside list over special pool may read the
 * link of an entry whose page is, and a list of the pool's own one that its file has no room for
 * any more (slist8.h). */
static bool needs_fixup(const struct pool_options *options, const struct pool_shape *shape)
{
    return options->special != POOL_SPECIAL_OFF ||
           (options->type == POOL_TYPE_OPTION_PAGED && shape->list_sizes != 0);
}

/* Whether the file behind paged memory can be made. */
static bool paged_refused(const struct pool_options *options, char *reason, size_t reason_size)
{
    struct pb_pages probe;
    int error = pb_pages_open_backed(&probe, PROBE_BYTES, PROBE_BYTES, 1, PB_BACKING_FILE,
                                     options->paged_dir, reason, reason_size);
    if (error == 0)
        pb_pages_close(&probe);
    return error != 0 && error != -ENOMEM; /* a shortage is open's to tell */
}

bool pb_pool_heap_refuses(const struct pb_heap_config *config, char *reason, size_t reason_size)
{
    const struct pool_options *options = config->options;
    const char *refused = pb_front_refuses(options);
    struct pool_shape shape;
    pb_pool_shape(options, &shape);
    if (refused != NULL) {
        snprintf(reason, reason_size, "%s", refused);
        return true;
    }
    if (options->lock == POOL_LOCK_NONE && config->threads > 1) {
        snprintf(reason, reason_size, "lock=none is for one thread, not %u", config->threads);
        return true;
    }
    if (wants_lists(options) && shape.wide && !pb_cas16_present()) {
        snprintf(reason, reason_size,
                 "lists need a 16-byte compare-exchange, which this processor or build lacks");
        return true;
    }
    if (needs_fixup(options, &shape) && !pb_fixup_present()) {
        snprintf(reason, reason_size,
                 "%s unmaps pages that a list may still read, and this processor has no fix-up of "
                 "such a fault",
                 options->special != POOL_SPECIAL_OFF ? "special pool" : "a file without room");
        return true;
    }
    return options->type == POOL_TYPE_OPTION_PAGED && paged_refused(options, reason, reason_size);
}
