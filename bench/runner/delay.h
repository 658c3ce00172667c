/* SPDX-License-Identifier: MIT */
/* Whether the causal knob reaches a cell's strategy (the axis `delay`; path.h says what it is).
 * Threads: any. May include: registry.h. */
#ifndef PB_DELAY_H
#define PB_DELAY_H

#include "registry.h"

/* Why `delay`, in the axis's canonical text, cannot be planted in this variant; NULL if it can. */
const char *pb_delay_impossible(const struct pb_variant *variant, const char *delay);

#endif
