/* SPDX-License-Identifier: MIT */
/* The single-threaded checks of checks.h, and opening and closing a subject.
 * A block's pattern is made from its address and length, so a block handed out twice or overlapping
 * another is found by whoever is freed second, and by its address before that.
 * Threads: one. May touch: the heap under test. */
#include "conformance/checks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SIZE_MAX_TRIED = 5000 };

int breach(struct subject *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (s->fault[0] == '\0')
        vsnprintf(s->fault, sizeof s->fault, format, arguments);
    va_end(arguments);
    return -1;
}

bool is_floor(const struct pb_variant *variant)
{
    return (variant->ops->capabilities & PB_CAP_ONE_BLOCK) != 0;
}

static void detach_all(struct subject *s)
{
    for (unsigned i = 0; i < SUBJECT_THREADS; i++)
        if (s->threads[i] != NULL)
            s->heap->ops->detach(s->heap, s->threads[i]);
    memset(s->threads, 0, sizeof s->threads);
}

int subject_open(struct subject *s, const struct pb_variant *variant, size_t block_bytes,
                 unsigned threads)
{
    char message[FAULT_BYTES] = "";
    *s = (struct subject){.variant = variant, .request = {block_bytes, threads, LIVE}};
    int error = pb_variant_open(variant, &s->request, &s->opened, message, sizeof message);
    if (error != 0)
        return error;
    s->heap = s->opened.heap;
    for (unsigned i = 0; i < threads && error == 0; i++)
        error = s->heap->ops->attach(s->heap, i, &s->threads[i]);
    if (error == 0)
        return 0;
    detach_all(s);
    pb_variant_close(&s->opened);
    return error;
}

uint64_t stat_of(struct subject *s, const char *name)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    s->heap->ops->stats(s->heap, &stats);
    for (const struct pb_stat_row *row = pb_stat_rows; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return *(uint64_t *)(void *)((unsigned char *)&stats + row->offset);
    return 0;
}

/* A counter that is known must be `expected`. */
static int counts(struct subject *s, const char *name, uint64_t expected)
{
    uint64_t value = stat_of(s, name);
    if (value == PB_STAT_UNKNOWN || value == expected)
        return 0;
    return breach(s, "%s does not add up: %llu instead of %llu", name, (unsigned long long)value,
                  (unsigned long long)expected);
}

static int adds_up(struct subject *s)
{
    uint64_t allocs = stat_of(s, "allocs"), frees = stat_of(s, "frees");
    uint64_t granted = stat_of(s, "granted_bytes"), hits = stat_of(s, "hits");
    if ((s->variant->ops->capabilities & PB_CAP_LIBRARY) != 0)
        return 0; /* counters of the whole process */
    if (allocs != PB_STAT_UNKNOWN && frees != PB_STAT_UNKNOWN && allocs - frees != s->live)
        return breach(s, "allocs %llu less frees %llu do not add up to %llu live blocks",
                      (unsigned long long)allocs, (unsigned long long)frees,
                      (unsigned long long)s->live);
    if (granted != PB_STAT_UNKNOWN && granted < s->live_bytes)
        return breach(s, "granted %llu bytes are fewer than the %llu that are live",
                      (unsigned long long)granted, (unsigned long long)s->live_bytes);
    if (granted != PB_STAT_UNKNOWN && (granted != 0) != (s->live != 0))
        return breach(s, "granted %llu bytes do not add up to %llu live blocks",
                      (unsigned long long)granted, (unsigned long long)s->live);
    if (!s->opened.banked && hits != PB_STAT_UNKNOWN && hits > allocs)
        return breach(s, "more hits than allocs");
    return counts(s, "requested_bytes", s->live_bytes);
}

static int structures_hold(struct subject *s)
{
    char message[FAULT_BYTES] = "";
    if (s->heap->ops->check == NULL || s->heap->ops->check(s->heap, message, sizeof message) == 0)
        return 0;
    return breach(s, "check: %s", message);
}

int still_sound(struct subject *s)
{
    return adds_up(s) != 0 ? -1 : structures_hold(s);
}

int subject_close(struct subject *s)
{
    bool sound = s->fault[0] == '\0' && still_sound(s) == 0;
    detach_all(s);
    if (sound && s->live == 0) {
        if (s->heap->ops->trim != NULL)
            (void)s->heap->ops->trim(s->heap);
        sound = counts(s, "cached_bytes", 0) == 0 && still_sound(s) == 0;
    }
    pb_variant_close(&s->opened);
    return sound ? 0 : -1;
}

static unsigned char pattern_of(const struct live *block)
{
    return (unsigned char)(block->serial * 31u + block->bytes);
}

static size_t alignment_due(const struct subject *s, size_t bytes)
{
    size_t due = pb_heap_alignment(s->heap);
    while (due > bytes)
        due /= 2;
    return due;
}

static int address_holds(struct subject *s, const struct live *block, const struct live *others,
                         size_t n)
{
    if ((uintptr_t)block->at % alignment_due(s, block->bytes) != 0)
        return breach(s, "a block of %zu bytes is not aligned to %zu", block->bytes,
                      alignment_due(s, block->bytes));
    for (size_t i = 0; i < n; i++) {
        const struct live *other = &others[i];
        if (other->at != NULL && other != block && block->at < other->at + other->bytes &&
            other->at < block->at + block->bytes)
            return breach(s, "a block of %zu bytes lies in one of %zu bytes that is live",
                          block->bytes, other->bytes);
    }
    return 0;
}

int fill_block(struct subject *s, struct live *block, void *at, size_t bytes,
               const struct live *others, size_t n)
{
    static _Atomic unsigned serials;
    struct live made = {at, bytes, ++serials};
    if (address_holds(s, &made, others, n) != 0)
        return -1;
    memset(made.at, pattern_of(&made), bytes);
    *block = made;
    return 0;
}

int take_block_if_any(struct subject *s, struct pb_thread *thread, struct live *block, size_t bytes,
                      const struct live *others, size_t n)
{
    void *at = s->heap->alloc(s->heap, thread, bytes);
    return at != NULL ? fill_block(s, block, at, bytes, others, n) : 0;
}

int take_block(struct subject *s, struct pb_thread *thread, struct live *block, size_t bytes,
               const struct live *others, size_t n)
{
    *block = (struct live){0};
    if (take_block_if_any(s, thread, block, bytes, others, n) != 0)
        return -1;
    return block->at != NULL ? 0 : breach(s, "alloc of %zu bytes returned NULL", bytes);
}

int give_block(struct subject *s, struct pb_thread *thread, struct live *block)
{
    for (size_t i = 0; i < block->bytes; i++)
        if (block->at[i] != pattern_of(block))
            return breach(s, "byte %zu of a live block of %zu bytes was changed", i, block->bytes);
    s->heap->free(s->heap, thread, block->at, block->bytes);
    *block = (struct live){0};
    return 0;
}

int take_live(struct subject *s, struct live *blocks, size_t slot, size_t bytes)
{
    if (take_block(s, s->threads[0], &blocks[slot], bytes, blocks, LIVE) != 0)
        return -1;
    s->live++;
    s->live_bytes += bytes;
    return 0;
}

int give_live(struct subject *s, struct live *blocks, size_t slot)
{
    size_t bytes = blocks[slot].bytes;
    if (blocks[slot].at == NULL)
        return 0;
    if (give_block(s, s->threads[0], &blocks[slot]) != 0)
        return -1;
    s->live--;
    s->live_bytes -= bytes;
    return 0;
}

int give_all(struct subject *s, struct live *blocks)
{
    int wrong = 0;
    for (size_t i = 0; i < LIVE && wrong == 0; i++)
        wrong = give_live(s, blocks, i * 37 % LIVE);
    return wrong;
}

int check_single(struct subject *s, const struct pb_variant *variant)
{
    static const size_t sizes[] = {1, 8, 16, 24, 64, 100, 256, 1000, 4096};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct live block[LIVE] = {{0}};
        if (subject_open(s, variant, sizes[k], 1) != 0)
            return breach(s, "cannot be opened for blocks of %zu bytes", sizes[k]);
        int wrong = 0;
        for (unsigned i = 0; i < 200 && wrong == 0; i++)
            wrong = take_live(s, block, 0, sizes[k]) != 0 ? -1 : give_live(s, block, 0);
        if (subject_close(s) != 0 || wrong != 0)
            return -1;
    }
    return 0;
}

/* Keeps LIVE blocks; each new one replaces the one that a stride away from a power of two picks, so
 * frees come neither first in, first out nor last in, first out. */
static int churn_sizes(struct subject *s, size_t first, size_t last)
{
    struct live blocks[LIVE] = {{0}};
    int wrong = 0;
    for (size_t bytes = first; bytes <= last && wrong == 0; bytes++) {
        size_t slot = bytes * 2654435761u % LIVE;
        wrong = give_live(s, blocks, slot);
        if (wrong == 0)
            wrong = take_live(s, blocks, slot,
                              s->request.block_bytes != 0 ? s->request.block_bytes : bytes);
        if (wrong == 0 && bytes % 500 == 0)
            wrong = still_sound(s);
    }
    return wrong == 0 ? give_all(s, blocks) : wrong;
}

int check_sizes(struct subject *s, const struct pb_variant *variant)
{
    if (subject_open(s, variant, 0, 1) != 0)
        return breach(s, "cannot be opened for mixed sizes");
    int wrong = churn_sizes(s, 1, SIZE_MAX_TRIED);
    return subject_close(s) != 0 ? -1 : wrong;
}

int check_fixed(struct subject *s, const struct pb_variant *variant)
{
    static const size_t sizes[] = {1, 16, 40, 64, 200, 1024, 4000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        if (subject_open(s, variant, sizes[k], 1) != 0)
            return breach(s, "cannot be opened for blocks of %zu bytes", sizes[k]);
        int wrong = churn_sizes(s, 1, 1000);
        if (subject_close(s) != 0 || wrong != 0)
            return -1;
    }
    return 0;
}

/* Grows and shrinks a block; its contents up to the smaller size must move with it. */
static int resize(struct subject *s, struct live *block, size_t bytes)
{
    struct live old = *block;
    size_t kept = old.bytes < bytes ? old.bytes : bytes;
    unsigned char *at = s->heap->ops->realloc(s->heap, s->threads[0], old.at, old.bytes, bytes);
    if (at == NULL)
        return breach(s, "realloc from %zu to %zu bytes returned NULL", old.bytes, bytes);
    for (size_t i = 0; i < kept; i++)
        if (at[i] != pattern_of(&old))
            return breach(s, "realloc from %zu to %zu bytes lost byte %zu", old.bytes, bytes, i);
    *block = (struct live){at, bytes, old.serial};
    memset(at, pattern_of(block), bytes);
    s->live_bytes += bytes - old.bytes;
    return 0;
}

static int check_realloc(struct subject *s, struct live *blocks)
{
    static const size_t steps[] = {16, 17, 100, 100, 40, 500, 4096, 4097, 20000, 4000, 1, 6000, 64};
    int wrong = take_live(s, blocks, 0, 10);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && wrong == 0; i++) {
        wrong = resize(s, &blocks[0], steps[i]);
        if (wrong == 0)
            wrong = take_live(s, blocks, i + 1, steps[i]);
    }
    return wrong != 0 ? wrong : give_all(s, blocks);
}

int check_resize(struct subject *s, const struct pb_variant *variant)
{
    struct live blocks[LIVE] = {{0}};
    if (subject_open(s, variant, 0, 1) != 0)
        return breach(s, "cannot be opened for mixed sizes");
    int wrong = 0;
    if (s->heap->ops->realloc != NULL)
        wrong = check_realloc(s, blocks);
    return subject_close(s) != 0 ? -1 : wrong;
}
