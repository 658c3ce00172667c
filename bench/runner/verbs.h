/* SPDX-License-Identifier: MIT */
/* The program's verbs. bench/main.c is nothing but this call; a program with further strategies
 * (pb_registry_extend) calls it too. Threads: the main thread. */
#ifndef PB_VERBS_H
#define PB_VERBS_H

#include "runner/args.h"

/* Started anew for each repetition; also under a name of its own (poolbench-doubles). */
#define PB_SELF "/proc/self/exe"

/* The verbs whose options change the matrix; of what has just these, the key in the matrix is the
 * name with "_" for "-". */
#define PB_VERBS_OF_MATRIX "plan run"

/* Every verb's options (verbs_flags.c). */
extern const struct pb_flag pb_verb_flags[];

/* Runs the command line; returns the exit code. */
int pb_verbs_main(int argc, char **argv);

#endif
