/* SPDX-License-Identifier: MIT */
/* From a variant's name to an open heap (registry.h).
 *
 * What may stand behind a heap is opened here, never by a strategy: the heap of its option
 * `backing`, and, where a fixed-size strategy meets mixed sizes, a bank with a PB_BANK_BACKING of
 * its own for what is larger than the largest class. These are two heaps even if both are the same
 * variant: so the counters of what fell through are not mixed with those of what missed a lookaside
 * list.
 * Threads: parse and unavailable any; open and close one. May touch: the registry, pages. */
#include "bank.h"
#include "nt/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *stands_for;
} aliases[] = {
#define PB_ALIAS(name, variant) {#name, variant},
#include "malloc/aliases.def"
#undef PB_ALIAS
};

enum { ALIASES = sizeof aliases / sizeof *aliases, MESSAGE_MAX = 512 };

static bool named(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

static const struct pb_allocator *find_strategy(const char *text, size_t len)
{
    const struct pb_allocator *ops;
    for (size_t i = 0; (ops = pb_registry_at(i)) != NULL; i++)
        if (named(ops->name, text, len))
            return ops;
    return NULL;
}

static const char *find_alias(const char *text, size_t len)
{
    for (size_t i = 0; i < ALIASES; i++)
        if (named(aliases[i].name, text, len))
            return aliases[i].stands_for;
    return NULL;
}

static int refuse_name(const char *text, size_t len, char *message, size_t message_size)
{
    char list[MESSAGE_MAX] = "";
    const struct pb_allocator *ops;
    size_t used = 0;
    for (size_t i = 0; (ops = pb_registry_at(i)) != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i != 0 ? ", " : "",
                                 ops->name);
    for (size_t i = 0; i < ALIASES && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, ", %s", aliases[i].name);
    snprintf(message, message_size, "there is no strategy '%.*s'; there is: %s",
             (int)(len < 80 ? len : 80), text, list);
    return -ENOENT;
}

/* Appends the options that differ from their defaults. */
static int write_label(struct pb_variant *variant)
{
    static const char *const joints[] = {":", ","};
    _Alignas(16) unsigned char standard[PB_VARIANT_OPTIONS_MAX] = {0};
    char value[PB_OPTION_TEXT_MAX + 2], usual[PB_OPTION_TEXT_MAX + 2];
    size_t used = (size_t)snprintf(variant->label, sizeof variant->label, "%s", variant->ops->name);
    bool any = false;
    pb_option_defaults(variant->ops->options, standard);
    for (const struct pb_option *row = variant->ops->options; row->type != PB_OPTION_END; row++) {
        pb_option_print(row, variant->options, value, sizeof value);
        pb_option_print(row, standard, usual, sizeof usual);
        if (strcmp(value, usual) == 0)
            continue;
        if (used < sizeof variant->label)
            used += (size_t)snprintf(variant->label + used, sizeof variant->label - used, "%s%s=%s",
                                     joints[any], row->name, value);
        any = true;
    }
    return used < sizeof variant->label ? 0 : -EINVAL;
}

static int parse_named(const char *text, struct pb_variant *variant, char *message,
                       size_t message_size);

/* Settles the option `backing`: it must be a variant that can stand there; its label is canonical.
 */
static int settle_backing(struct pb_variant *variant, char *message, size_t message_size)
{
    const struct pb_option *row = pb_option_find(variant->ops->options, "backing");
    struct pb_variant behind;
    if (row == NULL)
        return 0;
    int error =
        parse_named((const char *)variant->options + row->offset, &behind, message, message_size);
    if (error != 0)
        return error;
    if ((behind.ops->capabilities & PB_CAP_BACKING) == 0 || behind.backing[0] != '\0') {
        snprintf(message, message_size, "option 'backing': %s cannot stand behind another strategy",
                 behind.ops->name);
        return -EINVAL;
    }
    memcpy(variant->backing, behind.label, sizeof variant->backing);
    return pb_option_set(variant->ops->options, variant->options, row->name, strlen(row->name),
                         behind.label, strlen(behind.label), message, message_size);
}

static int parse_options(const char *text, struct pb_variant *variant, char *message,
                         size_t message_size)
{
    const struct pb_option *table = variant->ops->options;
    int error = pb_option_defaults(table, variant->options);
    if (error != 0) {
        snprintf(message, message_size, "the default of an option does not parse");
        return error;
    }
    if (text != NULL && *text == '\0') {
        snprintf(message, message_size, "an option is missing after the colon");
        return -EINVAL;
    }
    if (text != NULL)
        error = pb_option_parse(table, variant->options, text, message, message_size);
    if (error == 0)
        error = settle_backing(variant, message, message_size);
    if (error == 0 && write_label(variant) != 0) {
        snprintf(message, message_size, "the variant is longer than %d bytes", PB_VARIANT_MAX - 1);
        error = -EINVAL;
    }
    return error;
}

/* Parses "strategy" or "strategy:options"; the label is that of the strategy. */
static int parse_plain(const char *text, struct pb_variant *variant, char *message,
                       size_t message_size)
{
    char wrong[MESSAGE_MAX] = "";
    const char *colon = strchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
    *variant = (struct pb_variant){.ops = find_strategy(text, len)};
    if (variant->ops == NULL)
        return refuse_name(text, len, message, message_size);
    int error = parse_options(colon != NULL ? colon + 1 : NULL, variant, wrong, sizeof wrong);
    if (error != 0)
        snprintf(message, message_size, "%s: %s", variant->ops->name, wrong);
    return error;
}

/* The alias that stands for this very variant takes the label's place. */
static void prefer_alias(struct pb_variant *variant)
{
    struct pb_variant other;
    char ignored[MESSAGE_MAX];
    for (size_t i = 0; i < ALIASES; i++) {
        if (strncmp(aliases[i].stands_for, variant->ops->name, strlen(variant->ops->name)) != 0 ||
            parse_plain(aliases[i].stands_for, &other, ignored, sizeof ignored) != 0 ||
            strcmp(other.label, variant->label) != 0)
            continue;
        snprintf(variant->label, sizeof variant->label, "%s", aliases[i].name);
        return;
    }
}

static int parse_named(const char *text, struct pb_variant *variant, char *message,
                       size_t message_size)
{
    const char *colon = strchr(text, ':');
    const char *alias = find_alias(text, colon != NULL ? (size_t)(colon - text) : strlen(text));
    if (alias != NULL && colon != NULL) {
        snprintf(message, message_size, "%.*s stands for %s and takes no options",
                 (int)(colon - text), text, alias);
        return -EINVAL;
    }
    int error = parse_plain(alias != NULL ? alias : text, variant, message, message_size);
    if (error == 0)
        prefer_alias(variant);
    return error;
}

int pb_variant_parse(const char *text, struct pb_variant *variant, char *message,
                     size_t message_size)
{
    struct pb_variant parsed;
    int error = parse_named(text, &parsed, message, message_size);
    if (error == 0)
        *variant = parsed;
    return error;
}

/* Whether a strategy says no. A backing that is not open yet is shown as a bare head, which says
 * which strategy it will be. */
static bool strategy_refuses(const struct pb_variant *variant, unsigned threads,
                             const struct pb_allocator *behind, char *reason, size_t reason_size)
{
    struct pb_heap head = {.ops = behind};
    struct pb_heap_config config = {
        .options = variant->options, .threads = threads, .backing = behind != NULL ? &head : NULL};
    return variant->ops->unavailable != NULL &&
           variant->ops->unavailable(&config, reason, reason_size);
}

bool pb_variant_unavailable(const struct pb_variant *variant, unsigned threads, char *reason,
                            size_t reason_size)
{
    struct pb_variant behind;
    if (variant->backing[0] == '\0')
        return strategy_refuses(variant, threads, NULL, reason, reason_size);
    if (pb_variant_parse(variant->backing, &behind, reason, reason_size) != 0)
        return true;
    return strategy_refuses(&behind, threads, NULL, reason, reason_size) ||
           strategy_refuses(variant, threads, behind.ops, reason, reason_size);
}

static size_t thread_table_bytes(unsigned threads)
{
    return threads * sizeof(struct pb_thread *);
}

static void close_backing(struct pb_heap *heap, struct pb_thread **threads, unsigned n)
{
    if (heap == NULL)
        return;
    for (unsigned i = 0; i < n; i++)
        if (threads[i] != NULL)
            heap->ops->detach(heap, threads[i]);
    pb_pages_unmap(threads, thread_table_bytes(n));
    heap->ops->close(heap);
}

/* Opens the variant `text` as something that others stand on, with a thread of it for each of
 * theirs. */
static int open_backing(const char *text, unsigned n, struct pb_heap **out,
                        struct pb_thread ***out_threads, char *message, size_t message_size)
{
    struct pb_variant variant;
    struct pb_heap *heap = NULL;
    int error = pb_variant_parse(text, &variant, message, message_size);
    if (error != 0)
        return error;
    if (pb_variant_unavailable(&variant, n, message, message_size))
        return -ENOTSUP;
    struct pb_heap_config config = {.options = variant.options, .threads = n};
    struct pb_thread **threads = pb_pages_map(thread_table_bytes(n));
    error = threads != NULL ? variant.ops->open(&config, &heap) : -ENOMEM;
    if (error != 0)
        goto out_unmap;
    for (unsigned i = 0; i < n && error == 0; i++)
        error = variant.ops->attach(heap, i, &threads[i]);
    if (error != 0)
        goto out_close;
    *out = heap;
    *out_threads = threads;
    return 0;

out_close:
    close_backing(heap, threads, n);
    threads = NULL;
out_unmap:
    if (threads != NULL)
        pb_pages_unmap(threads, thread_table_bytes(n));
    snprintf(message, message_size, "%s cannot be opened: %s", variant.label, strerror(-error));
    return error;
}

static bool wants_bank(const struct pb_variant *variant, const struct pb_heap_request *request)
{
    return (variant->ops->capabilities & PB_CAP_FIXED_SIZE) != 0 && request->block_bytes == 0;
}

/* Opens the strategy itself, or a bank of it. */
static int open_front(const struct pb_variant *variant, const struct pb_heap_request *request,
                      struct pb_opened *opened)
{
    bool fixed = (variant->ops->capabilities & PB_CAP_FIXED_SIZE) != 0;
    struct pb_heap_config config = {.options = variant->options,
                                    .block_bytes = fixed ? request->block_bytes : 0,
                                    .threads = request->threads,
                                    .expected_blocks = request->expected_blocks,
                                    .backing = opened->backing,
                                    .backing_threads = opened->backing_threads};
    if (opened->banked)
        return pb_bank_open(variant->ops, &config, opened->larger, opened->larger_threads,
                            &opened->heap);
    return variant->ops->open(&config, &opened->heap);
}

int pb_variant_open(const struct pb_variant *variant, const struct pb_heap_request *request,
                    struct pb_opened *opened, char *message, size_t message_size)
{
    struct pb_opened o = {.threads = request->threads, .banked = wants_bank(variant, request)};
    if (pb_variant_unavailable(variant, request->threads, message, message_size))
        return -ENOTSUP;
    int error = 0;
    if (variant->backing[0] != '\0')
        error = open_backing(variant->backing, o.threads, &o.backing, &o.backing_threads, message,
                             message_size);
    if (error != 0)
        return error;
    if (o.banked)
        error = open_backing(PB_BANK_BACKING, o.threads, &o.larger, &o.larger_threads, message,
                             message_size);
    if (error != 0)
        goto out_backing;
    error = open_front(variant, request, &o);
    if (error != 0) {
        snprintf(message, message_size,
                 "%s cannot be opened for requests of %zu bytes (0: mixed): %s", variant->label,
                 request->block_bytes, strerror(-error));
        goto out_larger;
    }
    *opened = o;
    return 0;

out_larger:
    close_backing(o.larger, o.larger_threads, o.threads);
out_backing:
    close_backing(o.backing, o.backing_threads, o.threads);
    return error;
}

void pb_variant_close(struct pb_opened *opened)
{
    opened->heap->ops->close(opened->heap);
    close_backing(opened->larger, opened->larger_threads, opened->threads);
    close_backing(opened->backing, opened->backing_threads, opened->threads);
    *opened = (struct pb_opened){0};
}
