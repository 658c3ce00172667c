/* SPDX-License-Identifier: MIT */
/* A table from an address to two words, for books that are kept by page or by block outside of the
 * memory itself: open addressing in a mapping of its own, doubled when three quarters are full.
 * Layout:  entries by hash of the key, linear probing with wrap; key 0 = empty
 * I1       from an entry's hash slot to the entry there is no empty slot
 * Threads: the owner's lock. May touch: mappings of its own. May include: nt/pages.h. */
#ifndef PB_NT_VATABLE_H
#define PB_NT_VATABLE_H

#include "nt/pages.h"

struct pb_vatable_entry {
    uintptr_t key; /* not 0 */
    size_t value, extra;
};

/* All zero is an empty table. */
struct pb_vatable {
    struct pb_vatable_entry *slots;
    size_t capacity, count;
};

/* Makes room for `more` keys. Returns 0 or -ENOMEM. */
int pb_vatable_reserve(struct pb_vatable *table, size_t more);

/* NULL if there is none. An entry stays where it is until the next reserve, insert or remove. */
struct pb_vatable_entry *pb_vatable_find(const struct pb_vatable *table, uintptr_t key);

/* The key's entry, new ones with zero words; room must have been made. */
struct pb_vatable_entry *pb_vatable_insert(struct pb_vatable *table, uintptr_t key);

void pb_vatable_remove(struct pb_vatable *table, struct pb_vatable_entry *entry);

/* Empties the table and unmaps it. */
void pb_vatable_close(struct pb_vatable *table);

#endif
