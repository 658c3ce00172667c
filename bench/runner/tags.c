/* SPDX-License-Identifier: MIT */
/* Rows of tags, from a heap into a record and back: tags.h. */
#include "runner/tags.h"

#include "nt/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAKS_NAMED = 8, LEAK_TEXT_MAX = 160 };

static const char *const types[] = {"Nonp", "Paged"};

void pb_tag_print(uint32_t tag, char out[PB_TAG_TEXT])
{
    for (unsigned i = 0; i < 4; i++, tag >>= 8)
        out[i] = (tag & 0xff) >= 0x20 && (tag & 0xff) < 0x7f ? (char)(tag & 0xff) : '.';
    out[4] = '\0';
}

const char *pb_tag_type(bool paged)
{
    return types[paged];
}

int pb_tag_order(const struct pb_tag_row *a, const struct pb_tag_row *b)
{
    uint32_t first = __builtin_bswap32(a->tag), second = __builtin_bswap32(b->tag);
    return first != second ? (first > second) - (first < second) : a->paged - b->paged;
}

static int by_tag(const void *left, const void *right)
{
    return pb_tag_order(left, right);
}

void pb_tags_sort(struct pb_tag_row *rows, size_t n)
{
    if (n > 1)
        qsort(rows, n, sizeof *rows, by_tag);
}

static bool counts(const struct pb_variant *variant)
{
    const struct pb_option *row = pb_option_find(variant->ops->options, "tags");
    uint64_t value;
    if (variant->ops->tags == NULL || row == NULL || row->type != PB_OPTION_FLAG)
        return false;
    memcpy(&value, variant->options + row->offset, sizeof value);
    return value != 0;
}

bool pb_tags_counted(const struct pb_variant *variant)
{
    struct pb_variant behind;
    char ignored[256];
    if (variant->backing[0] == '\0')
        return counts(variant);
    return pb_variant_parse(variant->backing, &behind, ignored, sizeof ignored) == 0 &&
           counts(&behind);
}

void pb_tags_read(struct pb_heap *heap, struct pb_cell_result *result)
{
    const struct pb_allocator *ops = heap->ops;
    size_t n = ops->tags != NULL ? ops->tags(heap, NULL, 0) : 0;
    if (n == 0 || (result->status != PB_OK && result->status != PB_FAILED))
        return;
    struct pb_tag_row *rows = pb_pages_map(n * sizeof *rows);
    if (rows == NULL)
        return; /* the figures matter more */
    if (ops->trim != NULL)
        (void)ops->trim(heap);
    size_t now = ops->tags(heap, rows, n);
    result->tags = rows;
    result->tags_mapped = n;
    result->tags_n = now < n ? now : n;
    pb_tags_sort(rows, result->tags_n);
}

/* What was never freed, as one line: "2 blocks of 128 bytes with tag w001 were never freed". False,
 * and nothing written, if as much was freed as allocated. */
static bool print_leak(const struct pb_tag_row *row, char *out, size_t size)
{
    char tag[PB_TAG_TEXT];
    uint64_t blocks = row->allocs - row->frees;
    pb_tag_print(row->tag, tag);
    if (row->frees == row->allocs)
        return false;
    if (row->frees > row->allocs)
        snprintf(out, size, "%" PRIu64 " more frees than allocations with tag %s",
                 row->frees - row->allocs, tag);
    else if (row->bytes % blocks == 0)
        snprintf(out, size, "%" PRIu64 " block%s of %" PRIu64 " bytes with tag %s %s never freed",
                 blocks, blocks == 1 ? "" : "s", row->bytes / blocks, tag,
                 blocks == 1 ? "was" : "were");
    else
        snprintf(out, size,
                 "%" PRIu64 " blocks of %" PRIu64 " bytes in all with tag %s were never freed",
                 blocks, row->bytes, tag);
    return true;
}

static int put_leaks(const struct pb_cell_result *result, json_t *record)
{
    char text[LEAK_TEXT_MAX];
    size_t leaks = 0;
    int error = 0;
    if (json_object_get(record, "warn") == NULL)
        error = json_object_set_new(record, "warn", json_array());
    json_t *warn = json_object_get(record, "warn");
    for (size_t i = 0; i < result->tags_n; i++)
        if (print_leak(&result->tags[i], text, sizeof text) && leaks++ < LEAKS_NAMED)
            error |= json_array_append_new(warn, json_string(text));
    if (leaks > LEAKS_NAMED)
        error |= json_array_append_new(
            warn,
            json_sprintf("%zu more tags have blocks that were never freed", leaks - LEAKS_NAMED));
    return error;
}

int pb_tags_to_json(const struct pb_cell_result *result, json_t *record)
{
    if (result->tags_n == 0)
        return 0;
    json_t *list = json_array();
    int error = 0;
    for (size_t i = 0; i < result->tags_n; i++) {
        const struct pb_tag_row *row = &result->tags[i];
        char tag[PB_TAG_TEXT];
        pb_tag_print(row->tag, tag);
        error |= json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:I, s:I}", "tag", tag, "type", types[row->paged],
                            "allocs", (json_int_t)row->allocs, "frees", (json_int_t)row->frees,
                            "bytes", (json_int_t)row->bytes));
    }
    error |= json_object_set_new(record, "tags", list);
    return error | put_leaks(result, record);
}

static bool take_count(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool take_row(const json_t *object, struct pb_tag_row *row)
{
    const json_t *tag = json_object_get(object, "tag");
    const char *type = json_string_value(json_object_get(object, "type"));
    if (json_string_length(tag) != 4 || type == NULL)
        return false;
    row->tag = 0;
    for (unsigned i = 0; i < 4; i++)
        row->tag |= (uint32_t)(unsigned char)json_string_value(tag)[i] << 8 * i;
    row->paged = strcmp(type, types[1]) == 0;
    return (row->paged || strcmp(type, types[0]) == 0) &&
           take_count(object, "allocs", &row->allocs) && take_count(object, "frees", &row->frees) &&
           take_count(object, "bytes", &row->bytes);
}

size_t pb_tags_from_json(const json_t *record, struct pb_tag_row *rows, size_t count)
{
    const json_t *list = json_object_get(record, "tags"), *object;
    struct pb_tag_row row;
    size_t at, n = 0;
    json_array_foreach(list, at, object)
    {
        if (take_row(object, &row) && n++ < count)
            rows[n - 1] = row;
    }
    return n;
}
