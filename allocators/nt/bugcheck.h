/* SPDX-License-Identifier: MIT */
/* What becomes of a corrupt structure: the executive stops the machine with a code and four
 * parameters (KeBugCheckEx). Here a hook is called; the standard one writes one line and aborts. A
 * test's hook may return: the caller then abandons what it was doing and leaves its structures as
 * they were. Source: Windows Driver Kit documentation, "Bug Check Code Reference" (codes and
 * parameters). Threads: any; no lock of ours is held during the call. May include: libc. */
#ifndef PB_NT_BUGCHECK_H
#define PB_NT_BUGCHECK_H

#include <stdint.h>

enum { BAD_POOL_HEADER = 0x19, BAD_POOL_CALLER = 0xC2 };

typedef void pb_bugcheck_fn(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4);

extern pb_bugcheck_fn *pb_bugcheck_hook; /* never NULL; set by tests, before any thread */
pb_bugcheck_fn pb_bugcheck;              /* calls the hook */
pb_bugcheck_fn pb_bugcheck_abort;        /* the standard hook; does not return */

#endif
