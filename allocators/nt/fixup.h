/* SPDX-License-Identifier: MIT */
/* Loads that may fault and go on: NT's answer to the pop of an SLIST, which reads the link of an
 * entry that another processor may have popped and unmapped meanwhile. The load is one instruction;
 * its address, and where to go on if it faults, are put into a section of their own. A handler of
 * SIGSEGV and SIGBUS looks the faulting instruction up and resumes behind it; the value loaded is
 * then PB_FIXUP_POISON. It costs nothing when nothing faults. Any other fault goes to whatever
 * handler was there before.
 * Source:  ReactOS, sdk/lib/rtl/amd64/slist.S, for what NT does (ExpInterlockedPopEntrySListFault);
 *          the Linux kernel's exception tables for the section of addresses.
 * Threads: any. A handler that is installed after ours must pass on to the one before it, or such a
 * load is fatal; pb_fixup_install, called again, goes in front of it. */
#ifndef PB_NT_FIXUP_H
#define PB_NT_FIXUP_H

#include "hot.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Not an address: an entry is aligned to 16. */
#define PB_FIXUP_POISON ((uintptr_t)1)

#if defined(__x86_64__)
#define PB_FIXUP 1
#else
#define PB_FIXUP 0
#endif

/* Whether such faults can be survived on this processor. Set `pb_fixup_refused`, before any thread,
 * to have it as on one where they cannot: for tests. */
extern atomic_bool pb_fixup_refused;
bool pb_fixup_present(void);

/* Makes the faults of pb_fixup_load survivable, for the process. Called again, it goes in front of
 * a handler that was put in front of it; other threads may fault meanwhile. Returns 0; -errno;
 * -ENOTSUP where pb_fixup_present is false. */
int pb_fixup_install(void);

/* Faults that were fixed up since the start. */
uint64_t pb_fixup_count(void);

/* Any other fault of the processor, before it is passed on. */
struct pb_fault {
    uintptr_t address, instruction;
    bool write;
};

/* Where a thread goes on after its fault: on its stack, with its signals as they were. Never
 * returns. */
typedef void pb_fault_resume_fn(void);

/* Asked in the handler, on the thread that faulted; NULL: not its fault, to be passed on. */
typedef pb_fault_resume_fn *pb_fault_hook_fn(const struct pb_fault *fault);
extern pb_fault_hook_fn *_Atomic pb_fault_hook; /* NULL if there is none */

/* Told in the handler of a fault that nobody took, before it is passed on. */
typedef void pb_fault_witness_fn(const struct pb_fault *fault);
extern pb_fault_witness_fn *_Atomic pb_fault_witness; /* NULL if there is none */

/* The pointer at `at`, or PB_FIXUP_POISON if it cannot be read. Acquire: x86-64 orders loads, and
 * the compiler moves nothing across it. */
PB_INLINE void *pb_fixup_load(void *const *at)
{
#if PB_FIXUP
    void *value = (void *)PB_FIXUP_POISON; /* NOLINT: a value that is no address is meant */
    __asm__ volatile("1:\tmovq %1, %0\n"
                     "2:\n\t"
                     ".pushsection pb_fixup, \"a\"\n\t"
                     ".balign 4\n\t"
                     ".long 1b - ., 2b - .\n\t"
                     ".popsection"
                     : "+r"(value)
                     : "m"(*at)
                     : "memory");
    return value;
#else
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
#endif
}

/* The same of 32 bits. */
PB_INLINE uint32_t pb_fixup_load32(const uint32_t *at)
{
#if PB_FIXUP
    uint32_t value = PB_FIXUP_POISON;
    __asm__ volatile("1:\tmovl %1, %0\n"
                     "2:\n\t"
                     ".pushsection pb_fixup, \"a\"\n\t"
                     ".balign 4\n\t"
                     ".long 1b - ., 2b - .\n\t"
                     ".popsection"
                     : "+r"(value)
                     : "m"(*at)
                     : "memory");
    return value;
#else
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
#endif
}

#endif
