/* SPDX-License-Identifier: MIT */
/* The handler behind fixup.h. The table is what the linker gathered from every pb_fixup_load: pairs
 * of distances from the entry itself, so that it needs no relocation. It is short (one entry a load
 * in the program text) and searched from its start.
 * Threads: the handler runs on the thread that faulted and touches only its registers, the table,
 * a thread-local, what was there before (one atomic word a signal, as somebody may install again
 * meanwhile) and one atomic counter; it is async-signal-safe.
 * May touch: the process's SIGSEGV and SIGBUS actions. */
#include "nt/fixup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

pb_fault_hook_fn *_Atomic pb_fault_hook;
pb_fault_witness_fn *_Atomic pb_fault_witness;
atomic_bool pb_fixup_refused;

bool pb_fixup_present(void)
{
    /* relaxed: set before any thread asks */
    return PB_FIXUP != 0 && !atomic_load_explicit(&pb_fixup_refused, memory_order_relaxed);
}

#if PB_FIXUP

struct fixup {
    int32_t load, resume; /* from their own addresses */
};

/* The linker names the ends of a section so; both are absent if no load was compiled in. */
extern const struct fixup __start_pb_fixup[] __attribute__((weak, visibility("hidden")));
extern const struct fixup __stop_pb_fixup[] __attribute__((weak, visibility("hidden")));

enum { SIGNALS = 2, STACK_ALIGNMENT = 16, RED_ZONE = 128, WRITE_ERROR = 2, DIRECTION_FLAG = 0x400 };
static const int signals[SIGNALS] = {SIGSEGV, SIGBUS};

/* The action that was there before ours, by signal: its handler, shifted left by one, and whether
 * it takes three arguments. One word, so that a handler sees an action or another, never a mix. 0
 * is SIG_DFL. */
static _Atomic uint64_t before[SIGNALS];
enum { BEFORE_INFO = 1, BEFORE_SHIFT = 1 };
_Static_assert(sizeof(uintptr_t) <= sizeof(uint64_t), "an address of user space leaves a bit");

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of who installs */
static _Atomic uint64_t fixed;

/* The fault that the thread is passing on, and from which depth of its stack. */
static _Thread_local struct {
    void *volatile context;
    void *volatile frame;
} passing;

static uintptr_t place(const int32_t *distance)
{
    return (uintptr_t)distance + (uintptr_t)(intptr_t)*distance;
}

/* Where to go on from a fault at `at`; 0 if it is none of ours. */
static uintptr_t find_resume(uintptr_t at)
{
    for (const struct fixup *f = __start_pb_fixup; f != __stop_pb_fixup; f++)
        if (place(&f->load) == at)
            return place(&f->resume);
    return 0;
}

/* Lets the signal do what it does by default. */
static void end_by(int number, const siginfo_t *info)
{
    (void)signal(number, SIG_DFL);
    if (info->si_code <= 0)
        (void)raise(number); /* a fault comes back by itself, a signal that was sent does not */
}

/* Whether this fault comes back from the handler that it was passed on to: that one was put over
 * ours and passes on to it, and ours was put again over that one. A handler may also have left by
 * longjmp, so that `passing` is stale: then a new fault is not deeper in the stack. */
static bool comes_back(const void *context, const void *frame)
{
    return passing.context == context && (uintptr_t)frame < (uintptr_t)passing.frame;
}

static uint64_t packed(const struct sigaction *action)
{
    if ((action->sa_flags & SA_SIGINFO) != 0)
        return (uint64_t)(uintptr_t)action->sa_sigaction << BEFORE_SHIFT | BEFORE_INFO;
    return (uint64_t)(uintptr_t)action->sa_handler << BEFORE_SHIFT;
}

static void unpack(uint64_t word, struct sigaction *action)
{
    action->sa_flags = (word & BEFORE_INFO) != 0 ? SA_SIGINFO : 0;
    if (action->sa_flags != 0)
        action->sa_sigaction =
            (void (*)(int, siginfo_t *, void *))(uintptr_t)(word >> BEFORE_SHIFT);
    else
        action->sa_handler = (void (*)(int))(uintptr_t)(word >> BEFORE_SHIFT);
}

/* Does what would have been done without us. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct sigaction old;
    void *frame = __builtin_frame_address(0);
    /* acquire: pairs with install, so that what its caller made ready for that handler is there */
    unpack(atomic_load_explicit(&before[number == signals[0] ? 0 : 1], memory_order_acquire), &old);
    bool named = (old.sa_flags & SA_SIGINFO) != 0 ||
                 (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN);
    if (!named && old.sa_handler == SIG_IGN && info->si_code <= 0)
        return; /* sent, not a fault, and to be ignored */
    if (!named || comes_back(context, frame)) {
        end_by(number, info);
        return;
    }
    passing.context = context;
    passing.frame = frame;
    if ((old.sa_flags & SA_SIGINFO) != 0)
        old.sa_sigaction(number, info, context);
    else
        old.sa_handler(number);
    passing.context = NULL;
}

/* Makes the thread resume as the ABI has it at a function's start: below what the interrupted one
 * may use, 8 off the stack's alignment, as if it had been called, and with the direction flag
 * clear. */
static void resume_in(greg_t *registers, pb_fault_resume_fn *resume)
{
    uintptr_t stack = (uintptr_t)registers[REG_RSP] - RED_ZONE;
    registers[REG_RSP] = (greg_t)((stack & ~(uintptr_t)(STACK_ALIGNMENT - 1)) - sizeof(void *));
    registers[REG_RIP] = (greg_t)(uintptr_t)resume;
    registers[REG_EFL] &= ~(greg_t)DIRECTION_FLAG;
}

/* Whether the hook takes the fault. If not, it has a witness, but for one that comes back. */
static bool is_hooked(const siginfo_t *info, ucontext_t *context, const void *frame)
{
    /* acquire, both: pairs with the store of who set it up */
    pb_fault_hook_fn *hook = atomic_load_explicit(&pb_fault_hook, memory_order_acquire);
    pb_fault_witness_fn *witness = atomic_load_explicit(&pb_fault_witness, memory_order_acquire);
    greg_t *registers = context->uc_mcontext.gregs;
    const struct pb_fault fault = {.address = (uintptr_t)info->si_addr,
                                   .instruction = (uintptr_t)registers[REG_RIP],
                                   .write = (registers[REG_ERR] & WRITE_ERROR) != 0};
    pb_fault_resume_fn *resume = hook != NULL ? hook(&fault) : NULL;
    if (resume != NULL)
        resume_in(registers, resume);
    else if (witness != NULL && !comes_back(context, frame))
        witness(&fault);
    return resume != NULL;
}

static void handle(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    bool fault = info->si_code > 0; /* else a signal that somebody sent */
    uintptr_t resume = fault ? find_resume((uintptr_t)registers[REG_RIP]) : 0;
    if (resume != 0) {
        registers[REG_RIP] = (greg_t)resume;
        atomic_fetch_add_explicit(&fixed, 1, memory_order_relaxed); /* a count, orders nothing */
    } else if (!fault || !is_hooked(info, context, __builtin_frame_address(0))) {
        pass_on(number, info, context);
    }
}

/* Puts ours in front of what is there, unless that is ours. What is there is published first: ours
 * may be called as soon as it is in front. */
static int install(int number, _Atomic uint64_t *old)
{
    struct sigaction now, action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaction(number, NULL, &now) != 0)
        return -errno;
    sigemptyset(&action.sa_mask);
    if (now.sa_sigaction != handle)
        atomic_store_explicit(old, packed(&now), memory_order_release); /* with pass_on's acquire */
    else if ((now.sa_flags & SA_SIGINFO) != 0)
        return 0; /* else somebody put ours back by signal(), which forgets its flags */
    return sigaction(number, &action, NULL) == 0 ? 0 : -errno;
}

int pb_fixup_install(void)
{
    int error = 0;
    if (!pb_fixup_present())
        return -ENOTSUP;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < SIGNALS && error == 0; i++)
        error = install(signals[i], &before[i]);
    pthread_mutex_unlock(&mutex);
    return error;
}

uint64_t pb_fixup_count(void)
{
    return atomic_load_explicit(&fixed, memory_order_relaxed);
}

#else

int pb_fixup_install(void)
{
    return -ENOTSUP;
}

uint64_t pb_fixup_count(void)
{
    return 0;
}

#endif
