/* SPDX-License-Identifier: MIT */
/* The library that a variant needs in its child, as the parent knows it: from the file. Whether it
 * really answers, the child knows (malloc/baselines.h). Threads: any. May touch: nothing. */
#ifndef PB_PRELOAD_H
#define PB_PRELOAD_H

#include "registry.h"

/* The file to preload for a variant, written into `path`; NULL where none is needed. */
const char *pb_preload_for(const struct pb_variant *variant, char *path, size_t size);

/* Whether the variant cannot run in a child of this machine, and why. */
bool pb_preload_unavailable(const struct pb_variant *variant, unsigned threads, char *reason,
                            size_t reason_size);

/* The Debian package that has a library, "" if none is needed. */
const char *pb_preload_package(const char *library);

#endif
