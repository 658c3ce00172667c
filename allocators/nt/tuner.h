/* SPDX-License-Identifier: MIT */
/* The tuner: who adjusts the depths of lookaside lists, and when. NT's balance set manager wakes
 * each second and has all lists adjusted; here one thread serves jobs, each with a rule and a
 * period of its own. The thread lives from the first job's start to the last one's stop; it is not
 * woken otherwise. The executive is one job: ExAdjustLookasideDepth, whose rule is set here, goes
 * through its chains of lists and through whatever was registered. A heap of a strategy is a job of
 * its own.
 * Source:  nt/tuning.h, the rule; Windows Internals, 6th ed., 2012, "Balance Set Manager".
 * Threads: any, but an adjusting routine starts, stops, registers and unregisters nothing.
 *          May include: nt/tuning.h. */
#ifndef PB_NT_TUNER_H
#define PB_NT_TUNER_H

#include "nt/tuning.h"

/* Adjusts, once, the lists that `context` stands for. On the tuner's thread, or on that of a caller
 * of ExAdjustLookasideDepth, at APC_LEVEL or below; no spin lock is held. */
typedef void pb_tuner_fn(void *context, const struct pb_tuning *tuning);

/* The executive's rule. Until it is set it has the defaults of PB_TUNING_ROWS. */
void pb_tuner_set(const struct pb_tuning *tuning);
void pb_tuner_get(struct pb_tuning *tuning);

/* What ExAdjustLookasideDepth adjusts besides its chains, by the executive's rule. Returns 0, or
 * -ENOSPC: there is room for PB_TUNER_REGISTERED. Once unregistered, `adjust` no longer runs. */
enum { PB_TUNER_REGISTERED = 16 };
int pb_tuner_register(pb_tuner_fn *adjust, void *context);
void pb_tuner_unregister(pb_tuner_fn *adjust, void *context);
void pb_tuner_adjust_registered(const struct pb_tuning *tuning);

/* Something to adjust each period. The memory is the caller's until it is stopped; it sets the
 * first two members before it starts it. */
struct pb_tuner_job {
    pb_tuner_fn *adjust;
    void *context;
    struct pb_tuning tuning; /* this and what follows: the tuner's */
    uint64_t due_ns;
    struct pb_tuner_job *next;
};

/* By a rule that is copied. The first adjustment comes one period later. Returns 0; -EALREADY; or
 * -EAGAIN, no thread can be made. */
int pb_tuner_start(struct pb_tuner_job *job, const struct pb_tuning *tuning);

/* Nothing if the job was not started. Once it returns, the job's routine no longer runs. */
void pb_tuner_stop(struct pb_tuner_job *job);

/* Time, replaceable by a test. `wait_until` returns 0 at the deadline and -EINTR if it was woken:
 * by a wake before it, too, unless another wait has ended by that. */
struct pb_tuner_clock {
    uint64_t (*now_ns)(void *context);
    int (*wait_until)(void *context, uint64_t deadline_ns);
    void (*wake)(void *context);
    void *context;
};

/* NULL: the system's monotonic clock. Returns 0, or -EBUSY while a job is started. */
int pb_tuner_set_clock(const struct pb_tuner_clock *clock);

#endif
