/* SPDX-License-Identifier: MIT */
/* Clock: decides once whether the TSC can be trusted, and measures it. Trusted means: the processor
 * says that it is invariant (it ticks at one rate, in every sleep state), it has rdtscp, the kernel
 * keeps its own time by it, and two intervals against CLOCK_MONOTONIC_RAW agree within 50 ppm. Else
 * ticks are nanoseconds of clock_gettime.
 * Source:  Intel SDM volume 3B, 17.17.1 "Invariant TSC"; AMD APM volume 3, CPUID Fn8000_0007.
 * Threads: pb_clock_open before any other; constant afterwards. May touch: sysfs, once.
 * Cost     about 20 ms, most of it asleep */
#include "engine/clock.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum {
    CLOCK_INTERVAL_NS = 8000000, /* each of the two; a reading is off by some 30 ns: 4 ppm */
    CLOCK_ATTEMPTS = 3,          /* each with intervals twice as long as the one before */
    CLOCK_BRACKETS = 16,         /* readings of which the tightest counts */
    CLOCK_PAIRS = 100000,        /* empty begin/end pairs */
    CLOCK_PAIRS_WARM = 1000,
    CLOCK_STEPS = 20000,    /* readings for the quantum */
    CLOCK_ACCIDENTS = 1000, /* a step is real if one reading in so many makes it */
    CLOCK_BINS = 4096       /* ticks; a pair that takes longer was interrupted and is left out */
};

static const double CLOCK_AGREES = 50e-6;

/* What there is until pb_clock_open has found something better. */
static struct pb_clock the_clock = {.source = "clock_gettime", .ns_per_tick = 1.0, .objection = ""};
static bool opened;

const char *pb_clock_objection(const struct pb_clock_evidence *evidence)
{
    if (!evidence->invariant)
        return "the processor does not say that its TSC is invariant";
    if (evidence->kernel_source[0] != '\0' && strcmp(evidence->kernel_source, "tsc") != 0)
        return "the kernel does not keep its time by the TSC";
    if (!(evidence->first > 0.0) || !(evidence->second > 0.0))
        return "the TSC did not advance";
    if (!(fabs(evidence->second / evidence->first - 1.0) < CLOCK_AGREES))
        return "two calibrations of the TSC disagree by more than 50 ppm";
    return "";
}

#if defined(__x86_64__)
bool pb_clock_has_tsc;

static uint64_t tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* Linux derives constant_tsc and nonstop_tsc from the one bit of 80000007. */
static bool tsc_is_invariant(void)
{
    unsigned a, b, c, extended = 0, power = 0;
    if (__get_cpuid(0x80000001u, &a, &b, &c, &extended) == 0 ||
        __get_cpuid(0x80000007u, &a, &b, &c, &power) == 0)
        return false;
    return (extended & 1u << 27) != 0 && (power & 1u << 8) != 0;
}

static void kernel_source(char *out, size_t size)
{
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

struct instant {
    uint64_t ticks, ns;
};

/* Both clocks at the same moment: the reading of nanoseconds with the fewest ticks around it. */
static struct instant instant_now(void)
{
    struct instant best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < CLOCK_BRACKETS; i++) {
        uint64_t before = tsc_read(), ns = pb_ticks_fallback(), after = tsc_read();
        if (after - before < least) {
            least = after - before;
            best = (struct instant){before + (after - before) / 2, ns};
        }
    }
    return best;
}

static double rate_between(struct instant a, struct instant b)
{
    return (double)(b.ns - a.ns) / (double)(b.ticks - a.ticks);
}

/* Two calibrations, until they agree. Returns ns per tick over both. */
static double tsc_calibrate(struct pb_clock_evidence *evidence)
{
    struct timespec nap = {0, CLOCK_INTERVAL_NS};
    double rate = 0.0;
    for (int attempt = 0; attempt < CLOCK_ATTEMPTS; attempt++, nap.tv_nsec *= 2) {
        struct instant at[3];
        for (int i = 0; i < 3; i++) {
            if (i > 0)
                clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
            at[i] = instant_now();
        }
        evidence->first = evidence->second = 0.0;
        if (at[1].ticks <= at[0].ticks || at[2].ticks <= at[1].ticks)
            break;
        evidence->first = rate_between(at[0], at[1]);
        evidence->second = rate_between(at[1], at[2]);
        rate = rate_between(at[0], at[2]);
        if (pb_clock_objection(evidence)[0] == '\0')
            break;
    }
    return rate;
}

static double disagreement(const struct pb_clock_evidence *evidence)
{
    return evidence->first > 0.0 ? fabs(evidence->second / evidence->first - 1.0) : 0.0;
}

static void choose_source(void)
{
    char source[64] = "";
    kernel_source(source, sizeof source);
    struct pb_clock_evidence evidence = {
        .invariant = tsc_is_invariant(), .kernel_source = source, .first = 1.0, .second = 1.0};
    the_clock.objection = pb_clock_objection(&evidence);
    if (the_clock.objection[0] != '\0')
        return;
    double rate = tsc_calibrate(&evidence);
    the_clock.disagreement_ppm = disagreement(&evidence) * 1e6;
    the_clock.objection = pb_clock_objection(&evidence);
    if (the_clock.objection[0] != '\0')
        return;
    the_clock.source = "tsc";
    the_clock.ns_per_tick = rate;
    pb_clock_has_tsc = true;
}

static uint64_t bare_ticks(void)
{
    return pb_clock_has_tsc ? tsc_read() : pb_ticks_fallback();
}
#else
static void choose_source(void)
{
    the_clock.objection = "this processor has no TSC";
}

static uint64_t bare_ticks(void)
{
    return pb_ticks_fallback();
}
#endif

/* The smallest step that is no accident: a TSC that advances by 26 at a time has been seen to
 * advance by 1 in one of a million readings. */
static void measure_quantum(void)
{
    uint32_t bins[CLOCK_BINS] = {0};
    uint64_t last = bare_ticks();
    for (int i = 0; i < CLOCK_STEPS; i++) {
        uint64_t now = bare_ticks(), step = now - last;
        if (step < CLOCK_BINS)
            bins[step]++;
        last = now;
    }
    size_t quantum = 1;
    while (quantum < CLOCK_BINS - 1 && bins[quantum] < CLOCK_STEPS / CLOCK_ACCIDENTS)
        quantum++;
    the_clock.quantum_ns = pb_clock_ns(quantum);
}

static double overhead_range_ns; /* the interquartile range of an empty begin/end pair */

static void measure_overhead(void)
{
    uint32_t bins[CLOCK_BINS] = {0};
    uint64_t sum = 0;
    uint32_t kept = 0, below = 0;
    for (int i = -CLOCK_PAIRS_WARM; i < CLOCK_PAIRS; i++) {
        uint64_t begin = pb_ticks_begin(), ticks = pb_ticks_end() - begin;
        if (i < 0 || ticks >= CLOCK_BINS)
            continue;
        bins[ticks]++;
        sum += ticks;
        kept++;
    }
    if (kept == 0)
        return;
    size_t quarter[4] = {0}; /* [i]: i quarters of the pairs took at most this */
    for (size_t i = 1, ticks = 0; i <= 3; i++) {
        while ((below + bins[ticks]) * 4 < kept * i)
            below += bins[ticks++];
        quarter[i] = ticks;
    }
    the_clock.overhead_ticks = quarter[2];
    overhead_range_ns = pb_clock_ns(quarter[3] - quarter[1]);
    the_clock.overhead_ns = (double)sum / kept * the_clock.ns_per_tick;
}

const struct pb_clock *pb_clock_open(void)
{
    if (!opened) {
        choose_source();
        measure_quantum();
        measure_overhead();
        opened = true;
    }
    return &the_clock;
}

double pb_clock_ns(uint64_t ticks)
{
    return (double)ticks * the_clock.ns_per_tick;
}

double pb_clock_resolution_ns(void)
{
    const struct pb_clock *clock = pb_clock_open();
    return fmax(clock->quantum_ns, overhead_range_ns);
}

uint64_t pb_clock_ticks(double ns)
{
    return ns <= 0.0 ? 0 : (uint64_t)(ns / the_clock.ns_per_tick + 0.5);
}
