/* SPDX-License-Identifier: MIT */
/* Raising a status, and a form of try/except for C compilers that have none:
 *
 *     PB_TRY {
 *         block = ExAllocatePoolWithQuotaTag(PagedPool, n, 'tseT');
 *     } PB_EXCEPT {
 *         status = PbGetExceptionCode();
 *     } PB_END_TRY
 *
 * The body must not be left by return, goto or break. A local that the body changes and that is read
 * afterwards is volatile, as with setjmp. Frames nest; a thread has its own.
 * Inside a body a fault of the processor on an address that is not there or may not be written
 * raises STATUS_ACCESS_VIOLATION, as in kernel mode on a user address, if the thread's IRQL is below
 * DISPATCH_LEVEL; at DISPATCH_LEVEL it is IRQL_NOT_LESS_OR_EQUAL, and raised all the same if the hook
 * returns. (On x86-64; elsewhere, and outside of all bodies, a fault does what it did before.)
 * A handler of SIGSEGV that a program installs after its first body passes on what it does not know.
 * The executive raises with no lock of its own held and the IRQL at which it was called.
 * A status raised with no frame on the thread is KMODE_EXCEPTION_NOT_HANDLED, and then abort().
 * Cost: a frame is one setjmp (which saves no signal mask on Linux) and a thread-local link; raising
 * is a longjmp. Source: WDK, "Handling Exceptions", ExRaiseStatus. */
#ifndef POOLBENCH_NT_STATUS_H
#define POOLBENCH_NT_STATUS_H

#include <poolbench/nt/types.h>

#include <setjmp.h>

struct pb_try_frame {
    jmp_buf at;
    struct pb_try_frame *outer;
    UCHAR irql; /* the thread's when the body began: restored when a status is raised */
};

/* For the macros alone. pb_try_push returns `frame`; it also makes faults of the processor raise, once
 * for the process. */
struct pb_try_frame *pb_try_push(struct pb_try_frame *frame);
void pb_try_pop(void);

/* The frame has no name, so that one body may stand in another; it lives as long as the `if`. */
#define PB_TRY                                                                                     \
    do {                                                                                           \
        if (setjmp(pb_try_push(&(struct pb_try_frame){.irql = 0})->at) == 0) {
#define PB_EXCEPT                                                                                  \
            pb_try_pop();                                                                          \
        } else {
#define PB_END_TRY                                                                                 \
        }                                                                                          \
    }                                                                                              \
    while (0);

/* The status that the PB_EXCEPT part of the calling thread was entered with last. */
NTSTATUS PbGetExceptionCode(void);

/* Ends the innermost PB_TRY body of the calling thread with `Status`. Never returns. IRQL <= APC. */
__attribute__((noreturn)) void ExRaiseStatus(NTSTATUS Status);
__attribute__((noreturn)) void ExRaiseAccessViolation(void);
__attribute__((noreturn)) void ExRaiseDatatypeMisalignment(void);

#endif
