/* SPDX-License-Identifier: MIT */
/* What of this machine helps or hinders measuring, and how to change it. Threads: one. May touch:
 * reads /proc, /sys, the folders of PATH and of libraries; starts a process for each malloc. */
#ifndef PB_DOCTOR_H
#define PB_DOCTOR_H

#include <stdio.h>

/* Prints the facts and the advice. `program` is started anew with each malloc preloaded, to see
 * whether it answers (preload.h). Returns how many things that the suite needs are missing; advice
 * on noise is not counted. */
int pb_doctor(const char *program, FILE *out);

#endif
