#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints the critical values of bench/stats/modes.c by simulation: needs numpy.

For each n, sets without two modes are drawn from five distributions: normal, uniform (the least
favourable of those with one mode, as in Hartigan's dip), exponential and lognormal (skew, with sigma
1), Student's t with 2 degrees of freedom (heavy tails). The critical value is the largest of their
99 % quantiles, so that none of them is called bimodal in more than about one set of 100."""

import math

import numpy

SETS = 40000
DRAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.random(size),
    "exponential": lambda rng, size: rng.exponential(size=size),
    "lognormal": lambda rng, size: numpy.exp(rng.normal(size=size)),
    "t2": lambda rng, size: rng.standard_t(2, size=size),
}


def deviation(part):
    return numpy.abs(part - numpy.median(part, axis=1, keepdims=True)).sum(axis=1)


def statistic(x):
    """Of each row: the largest gap between neighbours that leaves a fifth of the values, two at
    least, on either side, over the mean absolute deviation from the medians of the two sides."""
    x = numpy.sort(x, axis=1)
    n = x.shape[1]
    least = max(2, math.ceil(n / 5))
    best = numpy.zeros(x.shape[0])
    for k in range(least, n - least + 1):
        spread = (deviation(x[:, :k]) + deviation(x[:, k:])) / n
        best = numpy.maximum(best, (x[:, k] - x[:, k - 1]) / spread)
    return best


def critical(n):
    rng = numpy.random.default_rng([20260101, n])
    return max(numpy.quantile(statistic(draw(rng, (SETS, n))), 0.99) for draw in DRAWS.values())


def main():
    for n in range(6, 51):
        print("%.2f," % critical(n), end="\n" if n % 10 == 0 else " ", flush=True)


main()
