/* SPDX-License-Identifier: MIT */
/* The library that a variant needs in its child, as the parent knows it: from the file. Whether it
 * really answers, only a process started with it knows (malloc/baselines.h): pb_preload_ask starts
 * one. Threads: any; asking, one. May touch: standard output of the process that is asked. */
#ifndef PB_PRELOAD_H
#define PB_PRELOAD_H

#include "registry.h"

#include <stdio.h>

/* The hidden verb under which a program calls pb_preload_answer. */
#define PB_PRELOAD_VERB "answer"

/* The file to preload for a variant, written into `path`; NULL where none is needed. */
const char *pb_preload_for(const struct pb_variant *variant, char *path, size_t size);

/* Whether the variant cannot run in a child of this machine, and why. */
bool pb_preload_unavailable(const struct pb_variant *variant, unsigned threads, char *reason,
                            size_t reason_size);

/* The Debian package that has a library, "" if none is needed. */
const char *pb_preload_package(const char *library);

/* Starts `program` anew, with the library preloaded, and asks it which malloc answers there.
 * Returns 0 and "5.3.0 (mallctl, libjemalloc.so.2)"; -ENOENT where no file is found, -EIO where
 * another malloc answers or the process ended badly, -errno where none could be started: then
 * `line` says why. */
int pb_preload_ask(const char *program, const char *library, char *line, size_t size);

/* The other side of it: one line on who answers malloc in this process. Returns as
 * pb_baseline_verify. */
int pb_preload_answer(const char *library, FILE *out);

#endif
