/* SPDX-License-Identifier: MIT */
/* Colours, dashes, markers and the placing of labels. See figure_style.h. */
#include "runner/figure_style.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const unsigned palette[] = {0x1797fc, 0xbf310c, 0x027568, 0xf638bc,
                                   0x022e5d, 0xb28d59, 0x632501, 0x000000};

/* The variants that ship in matrices; gnuplot's points: 4 5 square, 6 7 circle, 8 9 up, 10 11 down,
 * 12 13 diamond, odd ones filled. */
static const struct {
    const char *label;
    struct pb_style style;
} bound[] = {
    {"null", {PB_STYLE_GREY, 3, 6}},
    {"pool", {0x632501, 1, 5}},
    {"zone", {0x022e5d, 1, 9}},
    {"zone:lock=ticket", {0x022e5d, 2, 8}},
    {"lookaside", {0x1797fc, 1, 7}},
    {"lookaside:scope=thread", {0xf638bc, 1, 13}},
    {"lookaside:backing=malloc", {0x1797fc, 2, 6}},
    {"glibc", {0x000000, 1, 11}},
    {"jemalloc", {0xbf310c, 1, 7}},
    {"mimalloc", {0x027568, 1, 9}},
    {"tcmalloc", {0xb28d59, 1, 5}},
};

struct pb_style pb_style_of(const char *alloc)
{
    static const int dashes[] = {2, 4, 5};
    static const int points[] = {4, 6, 8, 10, 12, 5, 7, 9, 11, 13};
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a (Fowler, Noll, Vo 1991) */
    for (size_t i = 0; i < sizeof bound / sizeof bound[0]; i++) {
        if (strcmp(bound[i].label, alloc) == 0)
            return bound[i].style;
    }
    for (const char *c = alloc; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    if (strncmp(alloc, "floor", 5) == 0)
        return (struct pb_style){PB_STYLE_GREY, 3, points[hash % 5]};
    return (struct pb_style){palette[hash % 8], dashes[hash / 8 % 3], points[hash / 24 % 10]};
}

/* Relative luminance (WCAG 2.1). */
static double luminance(const double channels[3])
{
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double c = channels[i] / 255;
        sum += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

unsigned pb_style_heat(double ratio, unsigned *ink)
{
    static const double middle[] = {0xf7, 0xf7, 0xf7};
    static const double ends[2][3] = {{0x21, 0x66, 0xac}, {0xb2, 0x18, 0x2b}};
    double t = log(ratio) / log(4), channels[3];
    const double *end = ends[t > 0];
    unsigned rgb = 0;
    t = fmin(fabs(t), 1);
    for (int i = 0; i < 3; i++) {
        channels[i] = round(middle[i] + t * (end[i] - middle[i]));
        rgb = rgb << 8 | (unsigned)channels[i];
    }
    *ink = luminance(channels) > 0.179 ? 0x000000 : 0xffffff;
    return rgb;
}

struct wish {
    double at;
    size_t index;
};

static int wish_order(const void *left, const void *right)
{
    const struct wish *a = left, *b = right;
    int by = (a->at > b->at) - (a->at < b->at);
    return by != 0 ? by : (a->index > b->index) - (a->index < b->index);
}

/* Pools neighbours that are too near into blocks around their mean (isotonic regression by pooling
 * adjacent violators, Ayer et al. 1955), on positions from which the gaps are taken out. */
static void pool_neighbours(const struct wish *wishes, size_t n, double gap, double *out)
{
    size_t blocks = 0, sizes[64];
    double means[64];
    for (size_t i = 0; i < n; i++) {
        means[blocks] = wishes[i].at - gap * (double)i;
        sizes[blocks++] = 1;
        while (blocks > 1 && means[blocks - 2] > means[blocks - 1]) {
            size_t a = sizes[blocks - 2], b = sizes[blocks - 1];
            means[blocks - 2] =
                (means[blocks - 2] * (double)a + means[blocks - 1] * (double)b) / (double)(a + b);
            sizes[blocks - 2] = a + b;
            blocks--;
        }
    }
    for (size_t k = 0, i = 0; k < blocks; k++) {
        for (size_t left = sizes[k]; left > 0; left--, i++)
            out[i] = means[k] + gap * (double)i;
    }
}

void pb_style_spread(double *positions, size_t n, double gap, double low, double high)
{
    struct wish wishes[64];
    double out[64];
    if (n == 0 || n > 64)
        return;
    if (n > 1 && gap * (double)(n - 1) > high - low)
        gap = (high - low) / (double)(n - 1);
    for (size_t i = 0; i < n; i++)
        wishes[i] = (struct wish){positions[i], i};
    qsort(wishes, n, sizeof *wishes, wish_order);
    pool_neighbours(wishes, n, gap, out);
    for (size_t i = 0; i < n; i++) {
        double least = low + gap * (double)i, most = high - gap * (double)(n - 1 - i);
        positions[wishes[i].index] = fmin(fmax(out[i], least), most);
    }
}
