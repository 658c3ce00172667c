/* SPDX-License-Identifier: MIT */
/* A word of 16 bytes that is compared and exchanged as a whole: what an SLIST head is made of.
 * Source:  Intel SDM, CMPXCHG16B; GCC manual, "Legacy __sync Built-in Functions" (a full barrier),
 *          which both compilers inline under -mcx16 where the __atomic ones call a library.
 * Where a build or a processor has none, pb_cas16_present says so and nothing here is called.
 * Threads: any. May touch: the word it is given. */
#ifndef PB_NT_CAS16_H
#define PB_NT_CAS16_H

#include "hot.h"

#include <stdatomic.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Two halves, which are loaded one by one. */
struct pb_word16 {
    _Alignas(16) _Atomic uint64_t low;
    _Atomic uint64_t high;
};

struct pb_value16 {
    uint64_t low, high;
};

static inline bool pb_cas16_present(void)
{
#if !defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
    return false;
#elif defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_CMPXCHG16B) != 0;
#else
    return true;
#endif
}

/* Exchanges `word` for `next` if it is `seen`. Returns whether it was. Orders everything before it
 * before everything after it. */
PB_INLINE bool pb_cas16(struct pb_word16 *word, struct pb_value16 seen, struct pb_value16 next)
{
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
    __extension__ typedef unsigned __int128 wide __attribute__((may_alias));
    return __sync_bool_compare_and_swap((wide *)(void *)word, (wide)seen.high << 64 | seen.low,
                                        (wide)next.high << 64 | next.low);
#else
    (void)word, (void)seen, (void)next;
    __builtin_trap();
#endif
}

#endif
