/* SPDX-License-Identifier: MIT */
/* Seeded random numbers, the same on every machine: splitmix64 to seed, xoshiro256** to draw.
 * Source: Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 2021.
 * Threads: one generator a thread. Everything is drawn before a window, nothing inside it. */
#ifndef PB_RNG_H
#define PB_RNG_H

#include <stdint.h>

struct pb_rng {
    uint64_t s[4];
};

static inline uint64_t pb_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A generator for stream `stream` of `seed`. */
static inline void pb_rng_seed(struct pb_rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t state = seed ^ (stream + 1) * 0xd1342543de82ef95u;
    for (int i = 0; i < 4; i++)
        rng->s[i] = pb_splitmix64(&state);
}

static inline uint64_t pb_rng_next(struct pb_rng *rng)
{
    uint64_t *s = rng->s, x = s[1] * 5, t = s[1] << 17;
    uint64_t result = (x << 7 | x >> 57) * 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* Uniform in 0..bound-1; bound >= 1. The bias is below bound / 2^64. */
static inline uint64_t pb_rng_below(struct pb_rng *rng, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)pb_rng_next(rng) * bound >> 64);
}

/* Uniform in [0, 1). */
static inline double pb_rng_unit(struct pb_rng *rng)
{
    return (double)(pb_rng_next(rng) >> 11) * 0x1.0p-53;
}

#endif
