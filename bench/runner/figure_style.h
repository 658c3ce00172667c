/* SPDX-License-Identifier: MIT */
/* How a variant looks in every figure: a colour, a dash and a marker bound to its label, never
 * dealt anew. The eight colours differ by at least 0.128 in OKLab under simulated protanopia,
 * deuteranopia and tritanopia (Machado 2009) and have a contrast of at least 3:1 on white. Threads:
 * pure functions. */
#ifndef PB_FIGURE_STYLE_H
#define PB_FIGURE_STYLE_H

#include <stdbool.h>
#include <stddef.h>

struct pb_style {
    unsigned rgb; /* 0xRRGGBB */
    int dash;     /* gnuplot's dash type, 1 solid */
    int point;    /* gnuplot's point type */
};

#define PB_STYLE_GREY 0x9a9aa2u /* of what is not in the foreground */

/* The style of a label; labels that no table names get one from a hash of the label. */
struct pb_style pb_style_of(const char *alloc);

/* The fill of a heat map for a ratio where less is better: blue below 1, red above, clamped at 1/4
 * and 4; `ink` is the colour of text on it. */
unsigned pb_style_heat(double ratio, unsigned *ink);

/* Moves the `n` wished positions as little as is needed so that neighbours are `gap` apart and all
 * lie in [low, high]; keeps their order. */
void pb_style_spread(double *positions, size_t n, double gap, double low, double high);

#endif
