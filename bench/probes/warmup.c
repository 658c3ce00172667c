/* SPDX-License-Identifier: MIT */
/* Warm-up: whether the rate had settled when the timed windows began, and what was touched before.
 * Source:  Georges, Buytaert and Eeckhout, OOPSLA 2007 (startup and steady state are different
 *          experiments); methodology R6, R7, R10.
 * Layout:  steady by the slope of the last 5 of at most 20 windows, which are the stream, at two
 *          looks in a row; a window is a millisecond at the least, and where there are not 6 there
 *          is no verdict; of a replay, which cannot be cut, by the last 2 of at most 3. A replay of
 * more than half a second is run once: then there is no verdict. A cold cell has none either
 * Cost     none in a timed window */
#include "probes/probe.h"

#include <math.h>

enum { STEADY, WINDOWS, PRETOUCHED };

static const struct pb_metric metrics[] = {
    [STEADY] = {"steady", "1", 1,
                "1 if the rate changed by less than 1 % a window at the end of the warm-up"},
    [WINDOWS] = {"warm_windows", "1", 0, "windows, of a trace replays, that the warm-up took"},
    [PRETOUCHED] = {"pretouched_bytes", "bytes", 0,
                    "memory that was touched and given back before the strategy was timed"},
    {NULL, NULL, 0, NULL},
};

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    (void)rate;
    (void)tail;
    values[STEADY] = o->warm != NULL && o->warm->judged ? (double)o->warm->steady : NAN;
    values[WINDOWS] = o->warm != NULL ? (double)o->warm->n : NAN;
    values[PRETOUCHED] = (double)o->pretouched_bytes;
}

const struct pb_probe pb_probe_warmup = {
    .name = "warmup",
    .summary = "whether the timed windows began in a steady state",
    .source = "Georges, Buytaert and Eeckhout, OOPSLA 2007",
    .metrics = metrics,
    .report = report,
};
