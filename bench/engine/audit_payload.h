/* SPDX-License-Identifier: MIT */
/* What the audit writes into a block: from PB_STAMP_BYTES on, words made from the block's address,
 * so that a block's bytes are those of no other and each of them is touched.
 * Threads: a block's owner. */
#ifndef PB_AUDIT_PAYLOAD_H
#define PB_AUDIT_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

void pb_audit_fill(void *block, size_t bytes);

/* The offset of the first byte of `block` that is not what pb_audit_fill wrote into a block at
 * address `as`, or `bytes`. */
size_t pb_audit_changed(const void *block, uintptr_t as, size_t bytes);

/* What belongs at `offset` of a block at address `as`. */
unsigned char pb_audit_byte(uintptr_t as, size_t offset);

#endif
