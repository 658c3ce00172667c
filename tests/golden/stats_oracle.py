#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the golden vectors of tests/unit/test_stats.c and test_stats_signed_rank.c,
from definitions only.

The C code counts sums of ranks; this script tries every choice of signs up to n = 16 and above
that multiplies polynomials packed in one big integer. Binomials are exact fractions."""

import itertools
import math
import statistics
from fractions import Fraction


def sample(i):
    """The same exact doubles as sample() of the test."""
    return 100 + (i * 7919 + 13) % 1009 / 16


def other(i):
    return 100 + (i * 10473 + 5) % 997 / 16


def sums_of_signs(halves):
    """How many choices of signs give each sum of the ranks (in halves) with a plus."""
    if len(halves) <= 16:
        counts = {}
        for signs in itertools.product((0, 1), repeat=len(halves)):
            total = sum(s * h for s, h in zip(signs, halves))
            counts[total] = counts.get(total, 0) + 1
        return counts
    packed, width = 1, len(halves) + 1
    for h in halves:
        packed += packed << (h * width)
    mask = (1 << width) - 1
    return {t: packed >> (t * width) & mask for t in range(sum(halves) + 1)}


def at_most(halves, t):
    counts = sums_of_signs(halves)
    return Fraction(sum(c for s, c in counts.items() if s <= t), 2 ** len(halves))


def median_interval(n, confidence):
    """Symmetric ranks, the innermost with the coverage: (rank, coverage) or (0, 0)."""
    best = (0, Fraction(0))
    outside = Fraction(0)
    for k in range(1, n // 2 + 1):
        outside += 2 * Fraction(math.comb(n, k - 1), 2**n)
        if 1 - outside >= confidence:
            best = (k, 1 - outside)
    return best


def signed_rank_cut(n, confidence):
    halves = [2 * (i + 1) for i in range(n)]
    counts = sums_of_signs(halves)
    best, below = (0, Fraction(0)), 0
    for c in range(1, n * (n + 1) // 4 + 1):
        below += counts.get(2 * (c - 1), 0)
        inside = 1 - Fraction(2 * below, 2**n)
        if inside >= confidence:
            best = (c, inside)
    return best


def paired(n, confidence):
    d = [math.log(sample(i)) - math.log(other(i)) for i in range(n)]
    walsh = sorted((d[i] + d[j]) / 2 for i in range(n) for j in range(i, n))
    if n <= 50:
        cut, inside = signed_rank_cut(n, confidence)
    else:
        mean, sd = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        normal, cut, inside = statistics.NormalDist(mean, sd), 0, 0.0
        for c in range(1, len(walsh) // 2 + 1):
            now = 1 - 2 * normal.cdf(c - 1 + 0.5)
            if now >= confidence:
                cut, inside = c, now
    centre = statistics.median(walsh)
    if not cut:
        return math.exp(centre), None, None, 0.0
    return math.exp(centre), math.exp(walsh[cut - 1]), math.exp(walsh[-cut]), float(inside)


def halves_of(d):
    """Mid-ranks of |d|, in halves: values not above, plus values below, plus one."""
    return [sum(abs(y) <= abs(x) for y in d) + sum(abs(y) < abs(x) for y in d) + 1 for x in d]


def signed_rank_p(d):
    d = [x for x in d if x]
    halves = halves_of(d)
    positive = sum(h for h, x in zip(halves, d) if x > 0)
    low = min(positive, sum(halves) - positive)
    if len(d) <= 50:
        return float(min(Fraction(1), 2 * at_most(halves, low)))
    mean = sum(halves) / 2
    sd = math.sqrt(sum(h * h for h in halves) / 4)
    return min(1.0, 2 * statistics.NormalDist(mean, sd).cdf(low + 1))


def number(x):
    return "NAN" if x is None else repr(float(x))


def print_all():
    print("medians: n, confidence, value, low, high, coverage")
    for n, confidence in [(1, .95), (2, .95), (5, .95), (6, .95), (7, .95), (11, .95), (11, .99),
                          (12, .9), (20, .5), (40, .95)]:
        x = sorted(map(sample, range(n)))
        k, inside = median_interval(n, Fraction(confidence))
        low, high = (x[k - 1], x[n - k]) if k else (None, None)
        print("    {%d, %r, %s}," % (n, confidence, ", ".join(
            map(number, (statistics.median(x), low, high, inside)))))
    print("median ranks: n, confidence, rank, coverage")
    for n, confidence in [(5, .95), (6, .95), (9, .95), (15, .95), (20, .95), (11, .95), (7, .99),
                          (8, .99), (100, .95), (1000, .95), (1074, .99), (1200, .95), (5000, .95)]:
        k, inside = median_interval(n, Fraction(confidence))
        print("    {%d, %r, %d, %s}," % (n, confidence, k, number(inside)))
    print("quantiles and MAD of sample(0..10)")
    x = sorted(map(sample, range(11)))
    print("   ", ", ".join(map(number, statistics.quantiles(x, n=8, method="inclusive"))))
    middle = statistics.median(x)
    print("   ", number(1.4826 * statistics.median(abs(v - middle) for v in x)))
    print("paired ratios: n, confidence, value, low, high, coverage")
    for n, confidence in [(1, .95), (5, .95), (6, .95), (7, .95), (7, .99), (11, .95), (11, .99),
                          (12, .8), (16, .95), (23, .95), (32, .99), (45, .95), (50, .95),
                          (50, .99), (51, .95), (60, .99)]:
        print("    {%d, %r, %s}," % (n, confidence, ", ".join(map(number, paired(n, confidence)))))
    print("signed rank p: values, p")
    for d in [[1], [-1, 2], [1, 2, 3, 4, 5, 6], [0, 0, 1, -2, 3], [0, 0], [1, 1, 1, -1, 1, 1, 1],
              [1, -1], [2, 2, -1, 3, 3, 3, -2, 5], [.5, -.25, 0, .5, .75, -.5, 1, 1, 2.5]]:
        print("    {{%s}, %d, %s}," % (", ".join(map(str, d)), len(d), number(signed_rank_p(d))))
    print("signed rank p of sample(i) - 118: n, p")
    for n in (10, 16, 25, 50, 51, 80):
        print("    {%d, %s}," % (n, number(signed_rank_p([sample(i) - 118 for i in range(n)]))))
    print("the same, rounded down to halves of 8 (ties, zeros): n, p")
    for n in (10, 16, 25, 50, 60, 80):
        d = [math.floor((sample(i) - 128) / 8) / 2 for i in range(n)]
        print("    {%d, %s}," % (n, number(signed_rank_p(d))))


print_all()
