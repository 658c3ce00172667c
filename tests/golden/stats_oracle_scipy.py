#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the golden vectors of tests/unit/test_stats_*.c, from scipy, numpy and definitions.

What scipy has is asked of scipy; what it has not is computed in another way than the C code does:
Holm by closed testing over all subsets, the slope's interval by counting the inversions of all
permutations (n <= 8) or by exact products of polynomials, runs by trying every order, the bootstrap
by sorting the Walsh averages of every resample. Needs python3-scipy (Debian)."""

import itertools
import math
from fractions import Fraction

import numpy
from scipy import stats

from modes_critical import statistic


def sample(i):
    """The same exact doubles as sample() of the tests."""
    return 100 + (i * 7919 + 13) % 1009 / 16


def other(i):
    return 100 + (i * 10473 + 5) % 997 / 16


def numbers(values):
    return ", ".join("NAN" if v is None else repr(float(v)) for v in values)


# --- families -------------------------------------------------------------------------------------


def holm(p):
    """Closed testing with Bonferroni's test of every subset."""
    adjusted = [0.0] * len(p)
    for size in range(1, len(p) + 1):
        for subset in itertools.combinations(range(len(p)), size):
            local = min(1.0, size * min(p[i] for i in subset))
            for i in subset:
                adjusted[i] = max(adjusted[i], local)
    return adjusted


def benjamini_hochberg(p):
    """The least level at which the step-up procedure rejects each."""
    n = len(p)
    levels = sorted({min(1.0, n / k * q) for k in range(1, n + 1) for q in p} | {1.0})
    adjusted = []
    for q in p:
        for level in levels:
            rank = max([k for k in range(1, n + 1) if sorted(p)[k - 1] <= k / n * level * (1 + 1e-12)],
                       default=0)
            if rank and q <= sorted(p)[rank - 1]:
                adjusted.append(level)
                break
        else:
            adjusted.append(1.0)
    return adjusted


# --- trend ----------------------------------------------------------------------------------------


def inversions(n):
    if n <= 8:
        counts = [0] * (n * (n - 1) // 2 + 1)
        for order in itertools.permutations(range(n)):
            counts[sum(a > b for a, b in itertools.combinations(order, 2))] += 1
        return counts
    counts = [1]
    for m in range(2, n + 1):
        grown = [0] * (len(counts) + m - 1)
        for k, c in enumerate(counts):
            for add in range(m):
                grown[k + add] += c
        counts = grown
    return counts


def slope(x, y, confidence):
    n = len(x)
    slopes = sorted((y[j] - y[i]) / (x[j] - x[i]) for i in range(n) for j in range(i + 1, n))
    value = stats.theilslopes(y, x)[0]
    cut, inside, below = 0, 0.0, 0
    if n <= 50:
        counts, every = inversions(n), math.factorial(n)
        for c in range(1, len(slopes) // 2 + 1):
            below += counts[c - 1]
            if 1 - Fraction(2 * below, every) >= Fraction(confidence):
                cut, inside = c, float(1 - Fraction(2 * below, every))
    else:
        mean, sd = n * (n - 1) / 4, math.sqrt(n * (n - 1) * (2 * n + 5) / 72)
        for c in range(1, len(slopes) // 2 + 1):
            now = 1 - 2 * stats.norm.cdf((c - 0.5 - mean) / sd)
            if now >= confidence:
                cut, inside = c, now
    if not cut:
        return value, None, None, 0.0
    return value, slopes[cut - 1], slopes[-cut], inside


def runs(d):
    middle = numpy.median(d)
    sides = [v > middle for v in d if v != middle]
    above = sum(sides)

    def count(order):
        return 1 + sum(a != b for a, b in zip(order, order[1:])) if order else 0

    seen = count(sides)
    if not 0 < above < len(sides):
        return above, len(sides) - above, seen, 1.0
    orders = [[i in chosen for i in range(len(sides))]
              for chosen in map(set, itertools.combinations(range(len(sides)), above))]
    low = Fraction(sum(count(o) <= seen for o in orders), len(orders))
    high = Fraction(sum(count(o) >= seen for o in orders), len(orders))
    return above, len(sides) - above, seen, float(min(Fraction(1), 2 * min(low, high)))


# --- bootstrap ------------------------------------------------------------------------------------

MASK = (1 << 64) - 1


def splitmix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


def centre(d):
    d = numpy.asarray(d)
    i, j = numpy.triu_indices(len(d))
    return float(numpy.median((d[i] + d[j]) / 2))


def widened(n, confidence):
    return math.sqrt(n / (n - 1)) * stats.t.ppf((1 - confidence) / 2, n - 1)


def bca(d, confidence, resamples, state):
    n, value, found = len(d), centre(d), []
    for _ in range(resamples):
        picked = []
        for _ in range(n):
            state, z = splitmix(state)
            picked.append(d[(z >> 32) * n >> 32])
        found.append(centre(picked))
    found = numpy.array(found)
    share = stats.percentileofscore(found, value, "mean") / 100
    z0, z = stats.norm.ppf(share), widened(n, confidence)
    left = numpy.array([centre(d[:i] + d[i + 1:]) for i in range(n)])
    gaps = left.mean() - left
    a = (gaps**3).sum() / (6 * (gaps**2).sum() ** 1.5)
    ends = [stats.norm.cdf(z0 + (z0 + q) / (1 - a * (z0 + q))) for q in (z, -z)]
    return (value, *numpy.quantile(found, ends))


def bca_of_scipy(d, confidence):
    made = stats.bootstrap((d,), centre, vectorized=False, n_resamples=9999, method="BCa",
                           confidence_level=1 - 2 * stats.norm.cdf(widened(len(d), confidence)),
                           random_state=numpy.random.default_rng(1))
    return made.confidence_interval


def print_all():
    print("normal quantiles: p, x")
    for p in (1e-300, 1e-20, 1e-9, 0.0005, 0.005, 0.025, 0.05, 0.074, 0.076, 0.3, 0.5, 0.8, 0.975,
              0.9995, 0.999999):
        print("    {%r, %r}," % (p, float(stats.norm.ppf(p))))
    print("Student's t: p, freedom, t")
    for p, freedom in ((0.005, 19), (0.025, 19), (0.025, 44), (0.05, 22), (0.5, 30), (0.975, 999)):
        print("    {%r, %d, %r}," % (p, freedom, float(stats.t.ppf(p, freedom))))
    for name, adjust in (("Holm", holm), ("Benjamini-Hochberg", benjamini_hochberg)):
        print(name)
        for p in ([0.04], [0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.02, 0.02, 0.9, 1.0],
                  [0.0009765625] * 8 + [0.3], [0.0, 1.0, 0.2]):
            print("    {%s}, -> {%s}," % (numbers(p), numbers(adjust(p))))
    print("slope: n, confidence, value, low, high, coverage; y = sample(i * i) + i, x = i")
    for n, confidence in ((2, .95), (4, .95), (5, .95), (6, .95), (7, .9), (8, .95), (11, .95),
                          (11, .99), (20, .95), (45, .95), (50, .95), (51, .95), (60, .99)):
        y = [sample(i * i) + i for i in range(n)]
        print("    {%d, %r, %s}," % (n, confidence,
                                    numbers(slope(list(range(n)), y, confidence))))
    print("runs: values; above, below, runs, p")
    for d in ([1, 2, 3, 4, 5, 6], [1, 6, 2, 5, 3, 4], [1, 9, 1, 9, 1, 9, 1, 9, 1, 9],
              [3, 3, 3, 3], [5, 1, 3, 2, 4], [sample(i) for i in range(16)],
              [sample(i) + 3 * i for i in range(17)]):
        print("    {{%s}, %d, {%d, %d, %d, %r}}," % ((numbers(d), len(d)) + runs(d)))
    print("lag 1 of sample(0..n)")
    for n in (2, 11, 45):
        d = numpy.array([sample(i) for i in range(n)]) - numpy.mean([sample(i) for i in range(n)])
        print("    {%d, %r}," % (n, float((d[1:] * d[:-1]).sum() / (d * d).sum())))
    print("bootstrap of ln sample - ln other: n, confidence, resamples, seed, value, low, high")
    print("    and scipy's own interval from 9999 other resamples")
    for n, confidence, resamples, seed in ((20, .95, 1000, 1), (23, .9, 2000, 7),
                                           (45, .95, 1000, 20260101)):
        d = [math.log(sample(i)) - math.log(other(i)) for i in range(n)]
        print("    {%d, %r, %d, %d, %s, %s}," % (n, confidence, resamples, seed,
                                                numbers(bca(d, confidence, resamples, seed)),
                                                numbers(bca_of_scipy(d, confidence))))
    print("the gap statistic of sample(0..n), and with 400 added to every third")
    for n in (6, 11, 12, 20, 45):
        x = numpy.array([sample(i) for i in range(n)])
        y = x + 400 * (numpy.arange(n) % 3 == 0)
        print("    {%d, %s}," % (n, numbers((statistic(x[None, :])[0], statistic(y[None, :])[0]))))
    print("signed rank p of sample(i) - 118.01 (no ties) by scipy: n, p")
    for n in (10, 16, 25, 50):
        print("    {%d, %r}," % (n, float(stats.wilcoxon([sample(i) - 118.01 for i in range(n)],
                                                        mode="exact").pvalue)))
    print("harmonic mean of 1 and 3:", float(stats.hmean([1, 3])))


print_all()
