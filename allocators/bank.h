/* SPDX-License-Identifier: MIT */
/* A bank serves mixed sizes with a strategy that knows one size: a heap of it for each size class, and
 * a backing for what is larger than the largest class. The classes, the largest class and the
 * backing are the same for every strategy, so that fixed-size strategies can be compared on the same
 * load; the share of requests that fell through to the backing is counted (stats.fallthrough).
 *
 * Classes: 16 to 128 bytes in steps of 16, then four to a doubling (160, 192, 224, 256, 320, ...) up to
 * PB_BANK_LARGEST. Internal waste is thus at most 15 bytes below 128, and 20 % above.
 * Source: size-class spacing as in Bonwick and Adams, "Magazines and Vmem", USENIX 2001, section 4,
 * and jemalloc's four classes a doubling (jemalloc(3), "size classes").
 * Threads: as the strategy underneath. */
#ifndef PB_BANK_H
#define PB_BANK_H

#include "registry.h"

enum { PB_BANK_LARGEST = 4096, PB_BANK_CLASSES = 28, PB_BANK_GRAIN = 16 };

/* The backing of every bank, as a variant. */
#define PB_BANK_BACKING "pool"

extern const struct pb_allocator pb_allocator_bank; /* not in the registry: opened by pb_variant_open */

/* The class of a request of 1..PB_BANK_LARGEST bytes, and the bytes of a class. */
unsigned pb_bank_class(size_t bytes);
size_t pb_bank_class_bytes(unsigned index);

/* Opens a bank of `ops` heaps. `config` is for each class's heap (its block_bytes and expected_blocks
 * are ignored), config->backing included; `larger`, an open heap with its attached threads by index,
 * serves what is larger than the largest class and outlives the bank. Returns 0, -ENOMEM or what
 * open returned. */
int pb_bank_open(const struct pb_allocator *ops, const struct pb_heap_config *config,
                 struct pb_heap *larger, struct pb_thread *const *larger_threads,
                 struct pb_heap **bank);

#endif
