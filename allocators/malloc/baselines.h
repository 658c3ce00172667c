/* SPDX-License-Identifier: MIT */
/* The mallocs that strategies are compared with, and which of them answers in this process. A
 * library other than glibc answers because the process was started with it in LD_PRELOAD; it cannot
 * be brought in later (dlopen of jemalloc fails on Debian 12: static TLS).
 *
 * Who starts children asks pb_baseline_for which library a variant needs, pb_baseline_preload for
 * the file, and puts that into the child's LD_PRELOAD. The child asks pb_baseline_verify, which
 * believes only two witnesses together: where `malloc` lies, and what the library says of itself.
 * Errors: 0 or -errno. Threads: any. May include: registry.h, libc. */
#ifndef PB_BASELINES_H
#define PB_BASELINES_H

#include "registry.h"

/* The names, in the order of the option `lib`: "glibc", "jemalloc", "mimalloc", "tcmalloc", NULL.
 */
extern const char *const pb_baseline_names[];

/* The library that a variant, or the backing it stands on, needs as the process's malloc; NULL if
 * it does not care. */
const char *pb_baseline_for(const struct pb_variant *variant);

/* The file to put into LD_PRELOAD so that `lib` answers malloc, written into `path`, which is
 * returned: "" for glibc, which needs none. NULL if it is not installed (or no such name), then
 * `path` says which files were looked for. Nothing is loaded. */
const char *pb_baseline_preload(const char *lib, char *path, size_t size);

/* Whether `lib` answers malloc in this process. Returns 0 and its version with the witness,
 * "5.3.0 (mallctl, libjemalloc.so.2)"; -ENOENT if another library answers, -EINVAL for an unknown
 * name: then `version` is one line that says who answers. */
int pb_baseline_verify(const char *lib, char *version, size_t size);

/* The counters that `lib` keeps for the whole process; what it does not tell stays as it is. Only
 * where it was verified. */
void pb_baseline_stats(const char *lib, struct pb_heap_stats *stats);

/* Lets `lib` give free memory back to the system. Returns bytes given back where it tells, else 0.
 */
size_t pb_baseline_trim(const char *lib);

#endif
