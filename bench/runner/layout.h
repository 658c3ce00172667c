/* SPDX-License-Identifier: MIT */
/* The program in several placements of its code. A loop that moves within a binary may run a third
 * faster or slower, so the timed code is linked six times over from the same objects, each time
 * moved by some bytes against the lines of the cache, and the blocks of a run rotate over the six:
 * one
 * placement is one sample. Source: Mytkowicz et al., "Producing Wrong Data Without Doing Anything
 * Obviously Wrong!", ASPLOS 2009. Threads: one. May touch: opens the programs. */
#ifndef PB_LAYOUT_H
#define PB_LAYOUT_H

enum { PB_LAYOUTS = 6 };

/* Programs that run children. They are opened once, so that one that is built anew meanwhile is not
 * mixed with those that a run began with. */
struct pb_layouts {
    unsigned n; /* PB_LAYOUTS, or 1 where the others are not there */
    const char *first;
    int fds[PB_LAYOUTS];
    char paths[PB_LAYOUTS][32];
};

/* Finds the placements of a program: itself, and DIR/layouts/NAME-1 to NAME-5 where it is DIR/NAME.
 * `program` outlives the table. */
void pb_layouts_open(struct pb_layouts *layouts, const char *program);
void pb_layouts_close(struct pb_layouts *layouts);

/* What to start for a placement. */
const char *pb_layouts_program(const struct pb_layouts *layouts, unsigned layout);

#endif
