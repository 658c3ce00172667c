/* SPDX-License-Identifier: MIT */
/* What a heap of the strategy's is refused for: options that contradict each other, or that this
 * processor, build or folder cannot serve. Threads: any. May include: allocator.h. */
#ifndef PB_POOL_STRATEGY_REFUSES_H
#define PB_POOL_STRATEGY_REFUSES_H

#include "allocator.h"

/* The contract's slot `unavailable`. */
bool pb_pool_heap_refuses(const struct pb_heap_config *config, char *reason, size_t reason_size);

#endif
