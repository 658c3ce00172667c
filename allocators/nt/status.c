/* SPDX-License-Identifier: MIT */
/* Raising, as poolbench/nt/status.h says. A fault of the processor becomes a status in two steps:
 * the handler of nt/fixup.c asks catch_fault, which notes it and names raise_fault; the thread goes
 * on there, on its own stack and with its signals as they were, and raises. So no jump leaves a
 * signal handler, and the body's frame needs no signal mask.
 * Source:  WDK, "Handling Exceptions", ExRaiseStatus.
 * I1       `innermost` is the frame of the body that the thread is in, NULL outside of all
 * I2       a fault between catch_fault and raise_fault (no stack is left) is not caught again
 * Threads: each has its own frames. May touch: SIGSEGV's and SIGBUS's actions, once. */
#include <poolbench/nt/status.h>

#include "nt/fixup.h"
#include <poolbench/nt/irql.h>

#include <pthread.h>
#include <stdlib.h>

static _Thread_local struct pb_try_frame *innermost;
static _Thread_local NTSTATUS entered_with;
static _Thread_local struct pb_fault noted;
static _Thread_local volatile bool raising;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Ends the innermost body. */
static __attribute__((noreturn)) void unwind(NTSTATUS status)
{
    struct pb_try_frame *frame = innermost;
    innermost = frame->outer;
    pb_irql = frame->irql;
    entered_with = status;
    longjmp(frame->at, 1);
}

static void raise_fault(void)
{
    const struct pb_fault fault = noted;
    raising = false;
    if (pb_irql >= DISPATCH_LEVEL)
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, fault.address, pb_irql, fault.write,
                     fault.instruction);
    unwind(STATUS_ACCESS_VIOLATION);
}

static pb_fault_resume_fn *catch_fault(const struct pb_fault *fault)
{
    if (innermost == NULL || raising)
        return NULL;
    noted = *fault;
    raising = true;
    return raise_fault;
}

static void install(void)
{
    /* release: the handler, on any thread, sees what was set up before */
    atomic_store_explicit(&pb_fault_hook, catch_fault, memory_order_release);
    (void)pb_fixup_install(); /* refused only where no fault can be caught */
}

struct pb_try_frame *pb_try_push(struct pb_try_frame *frame)
{
    (void)pthread_once(&once, install);
    frame->outer = innermost;
    frame->irql = pb_irql;
    innermost = frame;
    atomic_signal_fence(memory_order_seq_cst); /* the body's accesses stay behind */
    return frame;
}

void pb_try_pop(void)
{
    atomic_signal_fence(memory_order_seq_cst); /* and before */
    innermost = innermost->outer;
}

NTSTATUS PbGetExceptionCode(void)
{
    return entered_with;
}

/* `from`: where the status is raised. */
static __attribute__((noreturn)) void raise_status(NTSTATUS status, const void *from)
{
    if (PbNtChecked && pb_irql > APC_LEVEL)
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)from, pb_irql, (ULONG)status, 0);
    if (innermost == NULL) {
        KeBugCheckEx(KMODE_EXCEPTION_NOT_HANDLED, (ULONG)status, (ULONG_PTR)from, 0, 0);
        abort(); /* a hook may jump; to return leads nowhere */
    }
    unwind(status);
}

void ExRaiseStatus(NTSTATUS Status)
{
    raise_status(Status, __builtin_return_address(0));
}

void ExRaiseAccessViolation(void)
{
    raise_status(STATUS_ACCESS_VIOLATION, __builtin_return_address(0));
}

void ExRaiseDatatypeMisalignment(void)
{
    raise_status(STATUS_DATATYPE_MISALIGNMENT, __builtin_return_address(0));
}
