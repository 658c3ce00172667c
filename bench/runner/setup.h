/* SPDX-License-Identifier: MIT */
/* How a repetition's process is set up before it measures: what is drawn from its seed (methodology
 * R5: one binary in one environment is one sample, so addresses vary from process to process), and
 * memory that it touches and gives back, so that what the strategy gets later is the machine's own.
 * Source:  Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009.
 * Threads: the main thread, before any other. May touch: the process's break and mappings. */
#ifndef PB_SETUP_H
#define PB_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PB_SETUP_MMAP_PAGES = 256, PB_SETUP_BRK_BYTES = 64 << 10 };

struct pb_setup {
    bool given; /* the runner said how; else all of it is 0 */
    uint64_t seed;
    uint64_t mmap_pad; /* bytes that lie inaccessible in front of later mappings */
    uint64_t brk_pad;  /* bytes that the break was moved by */
    bool aslr;         /* the kernel varies addresses of this process */
};

/* Draws the pads from the seed. Pure. */
void pb_setup_draw(struct pb_setup *setup);

/* Puts the pads in place, and finds out whether there is ASLR. A pad that the system refuses
 * becomes 0. */
void pb_setup_apply(struct pb_setup *setup);

/* A quarter of the memory that there is: of MemAvailable, or of what our cgroups allow where that
 * is less; 0 if neither is told. `root` is "", or a recorded tree's. */
uint64_t pb_setup_spare(const char *root);

/* Maps `bytes`, writes to each page and unmaps it again. Returns the bytes, 0 if the system
 * refused. */
uint64_t pb_setup_pretouch(uint64_t bytes);

#endif
