/* SPDX-License-Identifier: MIT */
/* TOML files as JSON text, and where in the file a value stands: all that the suite reads of
 * TOML 1.0. May include: libc.
 *
 * Source:  toml++ 3.3 behind an extern "C" shim; nothing of C++ passes.
 *
 * Threads: any. */
#ifndef PB_TOML_H
#define PB_TOML_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads the file and returns its contents as one JSON object in *json, which the caller frees.
 * Integers keep their 64 bits; dates and times become strings; the order of keys is lost. Returns
 * 0; -errno of the file ("FILE: reason" in message); -EINVAL for what is not TOML, or a number that
 * is not finite ("FILE:LINE:COLUMN: message"); -ENOMEM. *json is untouched on failure. */
int pb_toml_to_json(const char *path, char **json, char *message, size_t message_size);

/* Where in the file the value at `dotted_path` begins: "axes.alloc", "workload[1].size", and
 * "axes.\"a.b\"" for a key that is not bare. Of a table it is its header or opening brace, of the
 * empty path the beginning. Lines and columns count from 1, columns in code points. Reads the file
 * anew. Returns 0; -ENOENT: no such value; -errno of the file; -EINVAL for what is not TOML or not
 * a path; -ENOMEM. */
int pb_toml_position(const char *path, const char *dotted_path, int *line, int *column);

#ifdef __cplusplus
}
#endif

#endif
