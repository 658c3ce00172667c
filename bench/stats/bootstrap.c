/* SPDX-License-Identifier: MIT */
/* BCa bootstrap of the Hodges-Lehmann centre: bootstrap.h.
 * Why:     a resample has the Walsh averages of the sample, only oftener: the averages are sorted
 *          once, and of each resample its counts alone are drawn; with counts c the average of i
 * and j occurs c_i c_j times, that of i and i c_i (c_i + 1) / 2 times. The jackknife is the same
 * with one count 0
 * Threads: any; pure
 * Cost     n^2 / 2 averages of 16 bytes, sorted; then up to n^2 / 2 additions a resample */
#include "stats/bootstrap.h"

#include "stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct walsh {
    double average;
    uint32_t i, j;
};

struct sample {
    size_t n, pairs;
    struct walsh *walsh; /* by average */
    uint32_t *counts;
};

/* --- the normal distribution ----------------------------------------------------------------- */

static double ratio_of(const double *numerator, const double *denominator, double x)
{
    double above = 0, below = 0;
    for (int i = 7; i >= 0; i--) {
        above = above * x + numerator[i];
        below = below * x + denominator[i];
    }
    return above / below;
}

double pb_normal_quantile(double p)
{
    static const double centre[2][8] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
         1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
         3.3430575583588128105e4, 2.5090809287301226727e3},
        {1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
         2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
         5.2264952788528545610e3}};
    static const double tail[2][8] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
         3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
         2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
         1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
         1.05075007164441684324e-9}};
    static const double far[2][8] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
         2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
         2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
         2.04426310338993978564e-15}};
    double q = p - 0.5;
    if (!(p > 0 && p < 1))
        return NAN;
    if (fabs(q) <= 0.425)
        return q * ratio_of(centre[0], centre[1], 0.180625 - q * q);
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double x = r <= 5 ? ratio_of(tail[0], tail[1], r - 1.6) : ratio_of(far[0], far[1], r - 5);
    return q < 0 ? -x : x;
}

static double normal_below(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

/* --- resamples ------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): what
 * counts values must not depend on the engine, which is not below it. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void resample(struct sample *s, uint64_t *state)
{
    for (size_t i = 0; i < s->n; i++)
        s->counts[i] = 0;
    for (size_t i = 0; i < s->n; i++) /* 32 bits times n: the bias is below n / 2^32 */
        s->counts[(draw(state) >> 32) * s->n >> 32]++;
}

/* The median of the averages of `values` values, of which s->counts tells how often each occurs. */
static double centre_of(const struct sample *s, size_t values)
{
    size_t total = values * (values + 1) / 2, seen = 0, at = 0;
    size_t first = (total - 1) / 2, second = total / 2; /* ranks from 0, equal where total is odd */
    double low = NAN;
    for (;; at++) {
        const struct walsh *w = &s->walsh[at];
        size_t times = s->counts[w->i];
        seen += w->i == w->j ? times * (times + 1) / 2 : times * s->counts[w->j];
        if (isnan(low) && seen > first)
            low = w->average;
        if (seen > second)
            return 0.5 * low + 0.5 * w->average;
    }
}

static int by_average(const void *left, const void *right)
{
    double a = ((const struct walsh *)left)->average, b = ((const struct walsh *)right)->average;
    return (a > b) - (a < b);
}

static int sample_open(struct sample *s, const double *d, size_t n)
{
    *s = (struct sample){.n = n};
    s->walsh = malloc(n * (n + 1) / 2 * sizeof *s->walsh);
    s->counts = malloc(n * sizeof *s->counts);
    if (!s->walsh || !s->counts)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        s->counts[i] = 1;
        for (size_t j = i; j < n; j++)
            s->walsh[s->pairs++] =
                (struct walsh){0.5 * d[i] + 0.5 * d[j], (uint32_t)i, (uint32_t)j};
    }
    qsort(s->walsh, s->pairs, sizeof *s->walsh, by_average);
    return 0;
}

static void sample_close(struct sample *s)
{
    free(s->walsh);
    free(s->counts);
}

/* --- the interval ---------------------------------------------------------------------------- */

/* A sixth of the skewness of the centres that leave one value out; `left` is room for n. */
static double acceleration(struct sample *s, double *left)
{
    double mean = 0, squares = 0, cubes = 0;
    for (size_t i = 0; i < s->n; i++)
        s->counts[i] = 1;
    for (size_t i = 0; i < s->n; i++) {
        s->counts[i] = 0;
        left[i] = centre_of(s, s->n - 1);
        s->counts[i] = 1;
        mean += left[i] / (double)s->n;
    }
    for (size_t i = 0; i < s->n; i++) {
        double gap = mean - left[i];
        squares += gap * gap;
        cubes += gap * gap * gap;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

/* How far the resamples lie to one side of the estimate, in standard deviations. */
static double bias(const double *sorted, size_t n, double value)
{
    double below = 0;
    for (size_t i = 0; i < n && sorted[i] <= value; i++)
        below += sorted[i] < value ? 1 : 0.5;
    double share = below / (double)n, least = 0.5 / (double)n;
    return pb_normal_quantile(fmin(fmax(share, least), 1 - least));
}

/* The quantile to read for the one that is `z` standard deviations off the middle. */
static double corrected(double z, double z0, double a)
{
    return normal_below(z0 + (z0 + z) / (1 - a * (z0 + z)));
}

int pb_bootstrap_centre(const double *d, size_t n, double confidence, size_t resamples,
                        uint64_t seed, struct pb_estimate *out)
{
    struct sample s = {.n = 0};
    double *centres = NULL;
    if (n < PB_BOOTSTRAP_LEAST || n > PB_BOOTSTRAP_MOST || resamples < 1000 ||
        resamples > (size_t)1 << 30 || !(confidence > 0 && confidence < 1))
        return -EINVAL;
    int rc = pb_check_finite(d, n);
    if (!rc)
        rc = sample_open(&s, d, n);
    if (!rc && !(centres = malloc(resamples * sizeof *centres)))
        rc = -ENOMEM;
    if (rc)
        goto out;
    double value = centre_of(&s, n), a = acceleration(&s, centres);
    for (size_t i = 0; i < resamples; i++) {
        resample(&s, &seed);
        centres[i] = centre_of(&s, n);
    }
    pb_sort(centres, resamples);
    double z0 = bias(centres, resamples, value), z = pb_normal_quantile((1 - confidence) / 2);
    *out = (struct pb_estimate){
        .value = value,
        .low = pb_quantile_sorted(centres, resamples, corrected(z, z0, a)),
        .high = pb_quantile_sorted(centres, resamples, corrected(-z, z0, a)),
        .confidence = confidence,
        .n = n,
    };
out:
    free(centres);
    sample_close(&s);
    return rc;
}
