/* SPDX-License-Identifier: MIT */
/* The table of vatable.h. A removal closes the gap by moving entries back, so that searches never
 * pass over dead ones. Source: Knuth, TAOCP 3, section 6.4, algorithms L and R. */
#include "nt/vatable.h"

#include <errno.h>

enum { VATABLE_FIRST = 256 };

/* Keys are pages and blocks: their low bits say nothing. */
static size_t home(const struct pb_vatable *table, uintptr_t key)
{
    uint64_t spread = (uint64_t)(key >> 4) * 0x9E3779B97F4A7C15u;
    return (size_t)(spread >> 32) & (table->capacity - 1);
}

static struct pb_vatable_entry *slot_of(const struct pb_vatable *table, uintptr_t key)
{
    size_t i = home(table, key);
    while (table->slots[i].key != 0 && table->slots[i].key != key)
        i = (i + 1) & (table->capacity - 1);
    return &table->slots[i];
}

int pb_vatable_reserve(struct pb_vatable *table, size_t more)
{
    size_t capacity = table->capacity != 0 ? table->capacity : VATABLE_FIRST;
    while (capacity / 4 * 3 < table->count + more)
        capacity *= 2;
    if (capacity == table->capacity)
        return 0;
    struct pb_vatable bigger = {.capacity = capacity, .count = table->count};
    bigger.slots = pb_pages_map(capacity * sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].key != 0)
            *slot_of(&bigger, table->slots[i].key) = table->slots[i];
    pb_pages_unmap(table->slots, table->capacity * sizeof *table->slots);
    *table = bigger;
    return 0;
}

struct pb_vatable_entry *pb_vatable_find(const struct pb_vatable *table, uintptr_t key)
{
    if (table->count == 0)
        return NULL;
    struct pb_vatable_entry *entry = slot_of(table, key);
    return entry->key != 0 ? entry : NULL;
}

struct pb_vatable_entry *pb_vatable_insert(struct pb_vatable *table, uintptr_t key)
{
    struct pb_vatable_entry *entry = slot_of(table, key);
    if (entry->key == 0) {
        *entry = (struct pb_vatable_entry){.key = key};
        table->count++;
    }
    return entry;
}

void pb_vatable_remove(struct pb_vatable *table, struct pb_vatable_entry *entry)
{
    size_t mask = table->capacity - 1, hole = (size_t)(entry - table->slots);
    table->count--;
    for (size_t i = (hole + 1) & mask; table->slots[i].key != 0; i = (i + 1) & mask) {
        /* an entry may move back to the hole unless its home lies behind it */
        if (((i - home(table, table->slots[i].key)) & mask) >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole] = (struct pb_vatable_entry){0};
}

void pb_vatable_close(struct pb_vatable *table)
{
    if (table->slots != NULL)
        pb_pages_unmap(table->slots, table->capacity * sizeof *table->slots);
    *table = (struct pb_vatable){0};
}
