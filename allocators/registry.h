/* SPDX-License-Identifier: MIT */
/* The strategies there are, and how a variant's name becomes an open heap. */
#ifndef PB_REGISTRY_H
#define PB_REGISTRY_H

#include "allocator.h"

/* The strategies in the order of allocators.def, then those added; NULL past the end. */
const struct pb_allocator *pb_registry_at(size_t index);
const struct pb_allocator *pb_registry_find(const char *name);

/* Adds strategies (NULL-terminated, caller owns) behind the built-in ones; test doubles come in this
 * way. Once, before any thread. */
void pb_registry_extend(const struct pb_allocator *const *more);

/* Checks every row: required slots, unique names, exclusive flags, options whose defaults parse.
 * Returns 0, or -EINVAL and one line. */
int pb_registry_check(char *message, size_t message_size);

enum { PB_VARIANT_MAX = 256, PB_VARIANT_OPTIONS_MAX = 2048 };

/* A parsed variant. `label` is canonical: the strategy, then the options that differ from their
 * defaults, in table order; an alias (`jemalloc`) stays an alias. */
struct pb_variant {
    const struct pb_allocator *ops;
    char label[PB_VARIANT_MAX];
    _Alignas(16) unsigned char options[PB_VARIANT_OPTIONS_MAX];
    char backing[PB_VARIANT_MAX]; /* the value of the option `backing`, "" where there is none */
};

/* Parses "name" or "name:key=value,...", or an alias of aliases.def. Returns 0; -ENOENT unknown
 * strategy (the message lists those there are); -EINVAL or -ERANGE as pb_option_set. */
int pb_variant_parse(const char *text, struct pb_variant *variant, char *message,
                     size_t message_size);

/* What a heap will be used for. */
struct pb_heap_request {
    size_t block_bytes;     /* every request has this size; 0: mixed sizes */
    unsigned threads;
    size_t expected_blocks; /* hint, 0 = unknown */
};

/* Opens a variant for a use, with all that stands behind it: its backing, and a bank (bank.h) where a
 * fixed-size strategy meets mixed sizes. Returns 0; -ENOTSUP with the reason in `message` if it is
 * unavailable here; -ENOMEM; -EINVAL. Close with pb_variant_close. One thread. */
struct pb_opened {
    struct pb_heap *heap;          /* what the workload uses: the bank or the strategy itself */
    struct pb_heap *backing;       /* of the strategy's option `backing`, or NULL */
    struct pb_thread **backing_threads;
    struct pb_heap *larger;        /* a bank's backing for what is larger than its classes, or NULL */
    struct pb_thread **larger_threads;
    unsigned threads;
    bool banked;
};
int pb_variant_open(const struct pb_variant *variant, const struct pb_heap_request *request,
                    struct pb_opened *opened, char *message, size_t message_size);
void pb_variant_close(struct pb_opened *opened);

/* Whether the variant cannot run here with that many threads, and why. Any thread. */
bool pb_variant_unavailable(const struct pb_variant *variant, unsigned threads, char *reason,
                            size_t reason_size);

#endif
