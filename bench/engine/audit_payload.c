/* SPDX-License-Identifier: MIT */
/* The payload pattern: word k of a block is a mix of the address where it lies. Blocks need not be
 * aligned, so words are copied.
 * Threads: a block's owner. May touch: the block. */
#include "engine/audit_payload.h"

#include "workloads/workload.h"

#include <string.h>

enum { WORD = 8 };
_Static_assert((int)PB_STAMP_BYTES == (int)WORD, "the pattern begins at the second word");

static uint64_t word_at(uintptr_t address)
{
    uint64_t mixed = (address ^ UINT64_C(0xa0761d6478bd642f)) * UINT64_C(0xe7037ed1a0b428db);
    return mixed ^ mixed >> 29;
}

static size_t word_bytes(size_t offset, size_t bytes)
{
    return bytes - offset < WORD ? bytes - offset : WORD;
}

void pb_audit_fill(void *block, size_t bytes)
{
    for (size_t at = PB_STAMP_BYTES; at < bytes; at += WORD) {
        uint64_t word = word_at((uintptr_t)block + at);
        memcpy((unsigned char *)block + at, &word, word_bytes(at, bytes));
    }
}

unsigned char pb_audit_byte(uintptr_t as, size_t offset)
{
    uint64_t word = word_at(as + offset / WORD * WORD);
    unsigned char out[WORD];
    memcpy(out, &word, WORD);
    return out[offset % WORD];
}

size_t pb_audit_changed(const void *block, uintptr_t as, size_t bytes)
{
    const unsigned char *at = block;
    for (size_t i = PB_STAMP_BYTES; i < bytes; i += WORD) {
        uint64_t word = word_at(as + i);
        size_t length = word_bytes(i, bytes);
        if (memcmp(at + i, &word, length) == 0)
            continue;
        while (at[i] == pb_audit_byte(as, i))
            i++;
        return i;
    }
    return bytes;
}
