#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the golden vectors of tests/unit/test_rank_sum.c, from definitions only.

The C code uses a recurrence on probabilities; this script tries every choice of ranks where there are few
and above that multiplies out the Gaussian binomial in whole numbers. With scipy installed it also
holds the p-values against scipy.stats.mannwhitneyu, which is somebody else's code."""

import itertools
import math
import statistics
from fractions import Fraction


def sample(i):
    """The same exact doubles as sample() of the test."""
    return 100 + (i * 7919 + 13) % 1009 / 16


def other(i):
    return 100 + (i * 10473 + 5) % 997 / 16


def orders(n, m):
    """How many of the C(n + m, n) orders give each U."""
    if math.comb(n + m, n) <= 200000:
        counts = [0] * (n * m + 1)
        for ranks in itertools.combinations(range(n + m), n):
            counts[sum(ranks) - n * (n - 1) // 2] += 1
        return counts
    product = [1]
    for i in range(1, n + 1):  # times (1 - q^(m+i)) / (1 - q^i)
        up = product + [0] * (m + i)
        for u, c in enumerate(product):
            up[u + m + i] -= c
        for u in range(i, len(up)):
            up[u] += up[u - i]
        product = up[: m * i + 1]
    return product


def cut(n, m, confidence):
    """The largest c of which the interval has the confidence, and its coverage."""
    counts, all_orders = orders(n, m), math.comb(n + m, n)
    best, below = (0, Fraction(0)), 0
    for c in range(1, n * m // 2 + 1):
        below += counts[c - 1]
        inside = 1 - Fraction(2 * below, all_orders)
        if inside < confidence:
            break
        best = (c, inside)
    return best


def normal_cut(n, m, confidence):
    normal = statistics.NormalDist(n * m / 2, math.sqrt(n * m * (n + m + 1) / 12))
    best = (0, 0.0)
    for c in range(1, n * m // 2 + 1):
        inside = 1 - 2 * normal.cdf(c - 1 + 0.5)
        if inside < confidence:
            break
        best = (c, inside)
    return best


def p_value(a, b):
    above = sum(x >= y for x in a for y in b)
    below = sum(x <= y for x in a for y in b)
    counts = orders(len(a), len(b))
    tail = Fraction(sum(counts[: min(above, below) + 1]), math.comb(len(a) + len(b), len(a)))
    return min(1.0, float(2 * tail))


def main():
    for n, m, confidence in ((3, 3, 0.95), (4, 4, 0.95), (6, 6, 0.95), (6, 6, 0.99), (6, 11, 0.95),
                             (11, 6, 0.999), (11, 11, 0.95), (20, 30, 0.95), (50, 50, 0.95),
                             (51, 40, 0.95)):
        a, b = [sample(i) for i in range(n)], [other(i) for i in range(m)]
        d = sorted(math.log(x) - math.log(y) for x in a for y in b)
        exact = n <= 50 and m <= 50
        c, inside = cut(n, m, Fraction(confidence)) if exact else normal_cut(n, m, confidence)
        low, high = (math.exp(d[c - 1]), math.exp(d[len(d) - c])) if c else (math.nan, math.nan)
        print("{%d, %d, %s, %.17g, %.17g, %.17g, %.17g}," % (
            n, m, confidence, math.exp(statistics.median(d)), low, high, float(inside)))
    for n, m, shift in ((3, 3, 0.03125), (6, 6, 0.03125), (6, 6, 40.03125), (11, 11, 12.03125),
                        (8, 25, 9.03125), (30, 40, 10.03125)):
        a, b = [sample(i) + shift for i in range(n)], [other(i) for i in range(m)]
        p = p_value(a, b)
        try:
            from scipy.stats import mannwhitneyu
            assert math.isclose(p, mannwhitneyu(a, b, method="exact").pvalue, rel_tol=1e-9)
        except ImportError:
            print("(without scipy)")
        print("{%d, %d, %s, %.17g}," % (n, m, shift, p))


main()
