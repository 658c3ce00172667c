/* SPDX-License-Identifier: MIT */
/* Histograms against a sorted list of the same values, and their text against HdrHistogram's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/hist.h"
#include "engine/rng.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HIGHEST UINT64_C(3600000000000)

/* Encoded by HdrHistogram_c 0.11.10: 1 .. 3600 s, two digits, {25: 3, 40: 1, 1000: 2, 123456: 1}.
 */
static const char golden[] = "HISTFAAAACx4nJNpmSzMwMDAxQABTFCakYGB2c1gxwIG+w8QAUM2aaaF7CyveZkA"
                             "hI4GTg==";

static struct pb_hist hist, other, third;
static char text[PB_HIST_TEXT_MAX];

static void record_golden(struct pb_hist *into)
{
    static const uint64_t values[] = {25, 25, 25, 40, 1000, 1000, 123456};
    pb_hist_clear(into);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        pb_hist_record(into, values[i]);
}

static void record_random(struct pb_hist *into, uint64_t *values, size_t n, uint64_t seed)
{
    struct pb_rng rng;
    pb_rng_seed(&rng, seed, 0);
    pb_hist_clear(into);
    for (size_t i = 0; i < n; i++) {
        uint64_t value = pb_rng_next(&rng) >> (23 + pb_rng_below(&rng, 41)); /* all magnitudes */
        if (values != NULL)
            values[i] = value;
        pb_hist_record(into, value);
    }
}

static void an_empty_histogram_has_nothing(void **state)
{
    (void)state;
    pb_hist_clear(&hist);
    assert_int_equal(hist.n, 0);
    assert_int_equal(hist.min, UINT64_MAX);
    assert_int_equal(pb_hist_value_at(&hist, 0.5), 0);
}

/* One value alone: its bucket's upper edge is at or above it, by less than 1/128. */
static void one_value_is_within_the_error_bound(uint64_t value)
{
    pb_hist_clear(&hist);
    pb_hist_record(&hist, value);
    uint64_t read = pb_hist_value_at(&hist, 1.0);
    assert_true(read >= value);
    assert_true(read - value <= value / 128);
    if (value < 256)
        assert_int_equal(read, value);
}

static void every_value_of_the_range_is_within_the_error_bound(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 300; value++)
        one_value_is_within_the_error_bound(value);
    for (unsigned bit = 8; bit < 42; bit++)
        for (int offset = -2; offset <= 2; offset++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset;
            one_value_is_within_the_error_bound(value < HIGHEST ? value : HIGHEST);
        }
    one_value_is_within_the_error_bound(HIGHEST);
}

static void values_above_the_range_are_counted_in_the_last_bucket(void **state)
{
    (void)state;
    pb_hist_clear(&hist);
    pb_hist_record(&hist, HIGHEST);
    uint64_t top = pb_hist_value_at(&hist, 1.0);
    pb_hist_record(&hist, HIGHEST * 2);
    pb_hist_record(&hist, UINT64_MAX);
    assert_int_equal(hist.n, 3);
    assert_int_equal(hist.max, UINT64_MAX); /* exact, whatever the bucket */
    assert_int_equal(hist.min, HIGHEST);
    assert_int_equal(pb_hist_value_at(&hist, 0.0), top);
    assert_int_equal(pb_hist_value_at(&hist, 1.0), top);
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void quantiles_agree_with_a_sorted_list(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint64_t values[N];
    static const double quantiles[] = {0.0, 0.07, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0};
    record_random(&hist, values, N, 1);
    qsort(values, N, sizeof *values, ascending);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        size_t rank = (size_t)ceil(quantiles[i] * N - 1e-9);
        uint64_t exact = values[rank > 0 ? rank - 1 : 0];
        uint64_t read = pb_hist_value_at(&hist, quantiles[i]);
        assert_true(read >= exact);
        assert_true(read - exact <= exact / 128);
    }
    assert_int_equal(hist.min, values[0]);
    assert_int_equal(hist.max, values[N - 1]);
}

/* 0.07 * 100 is above 7 in floating point; the 7th of 100 is meant. */
static void ranks_do_not_suffer_from_rounding(void **state)
{
    (void)state;
    pb_hist_clear(&hist);
    for (uint64_t value = 1; value <= 100; value++)
        pb_hist_record(&hist, value);
    for (unsigned percent = 1; percent <= 100; percent++)
        assert_int_equal(pb_hist_value_at(&hist, percent / 100.0), percent);
}

static void merging_is_recording_together(void **state)
{
    (void)state;
    enum { N = 2000 };
    static uint64_t values[2][N];
    record_random(&hist, values[0], N, 2);
    record_random(&other, values[1], N, 3);
    pb_hist_clear(&third);
    for (size_t i = 0; i < N; i++) {
        pb_hist_record(&third, values[0][i]);
        pb_hist_record(&third, values[1][i]);
    }
    pb_hist_merge(&hist, &other);
    assert_memory_equal(hist.counts, third.counts, sizeof hist.counts);
    assert_int_equal(hist.n, third.n);
    assert_int_equal(hist.min, third.min);
    assert_int_equal(hist.max, third.max);
    assert_true(fabs(hist.sum - third.sum) <= third.sum * 1e-12);
    pb_hist_clear(&other);
    pb_hist_merge(&hist, &other); /* nothing changes nothing */
    assert_int_equal(hist.min, third.min);
    assert_int_equal(hist.n, third.n);
}

static void the_text_is_that_of_hdrhistogram(void **state)
{
    (void)state;
    record_golden(&hist);
    assert_int_equal(pb_hist_encode(&hist, text, sizeof text), sizeof golden - 1);
    assert_string_equal(text, golden);
}

static void the_text_of_hdrhistogram_is_read(void **state)
{
    (void)state;
    record_golden(&hist);
    assert_int_equal(pb_hist_decode(&other, golden), 0);
    assert_memory_equal(hist.counts, other.counts, sizeof hist.counts);
    assert_int_equal(other.n, 7);
    assert_int_equal(other.min, 25);
    assert_int_equal(other.max, 123903);
}

static void a_round_trip_keeps_every_count(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        record_random(&hist, NULL, (size_t)1 << (2 * seed), seed);
        if (seed == 7)
            hist.counts[200] += UINT64_C(1) << 62; /* fills the ninth byte */
        assert_true(pb_hist_encode(&hist, text, sizeof text) > 0);
        assert_memory_equal(text, "HISTF", 5);
        assert_int_equal(pb_hist_decode(&other, text), 0);
        assert_memory_equal(hist.counts, other.counts, sizeof hist.counts);
    }
    pb_hist_clear(&hist);
    assert_true(pb_hist_encode(&hist, text, sizeof text) > 0);
    assert_int_equal(pb_hist_decode(&other, text), 0);
    assert_memory_equal(&hist, &other, sizeof hist);
}

/* The worst there is: every counter full of bits that do not compress. */
static void the_longest_text_fits(void **state)
{
    (void)state;
    struct pb_rng rng;
    pb_rng_seed(&rng, 4, 0);
    pb_hist_clear(&hist);
    pb_hist_record(&hist, HIGHEST);
    for (size_t i = 0; i < 4562; i++)
        hist.counts[i] = pb_rng_next(&rng) >> 14; /* their sum stays below 2^64 */
    int length = pb_hist_encode(&hist, text, sizeof text);
    assert_true(length > 40000);
    assert_int_equal(strlen(text), length);
    assert_int_equal(pb_hist_decode(&other, text), 0);
    assert_memory_equal(hist.counts, other.counts, sizeof hist.counts);
}

static void too_small_a_buffer_is_refused_and_untouched(void **state)
{
    (void)state;
    char small[sizeof golden];
    memset(small, 'x', sizeof small);
    record_golden(&hist);
    assert_int_equal(pb_hist_encode(&hist, small, sizeof golden - 1), -ENOSPC);
    assert_int_equal(small[0], 'x');
    assert_int_equal(pb_hist_encode(&hist, small, sizeof golden), sizeof golden - 1);
}

static void damaged_text_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "H",
        "====",
        "HIST",
        "HISTFAAA",
        "not base64 at all!!",
        "HISTFAAAACx4nJNp",
        "AAAAAAAAAAAAAAAAAAAA",
        "HISTFAAAACx4nJNpmSzMwMDAxQABTFCakYGB2c1gxwIG+w8QAUM2aaaF7CyveZk=",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pb_hist_decode(&other, cases[i]), -EINVAL);
    for (size_t at = 0; at < sizeof golden - 3; at++) {
        char damaged[sizeof golden];
        memcpy(damaged, golden, sizeof golden);
        damaged[at] = damaged[at] == 'A' ? 'B' : 'A';
        if (pb_hist_decode(&other, damaged) != 0)
            assert_int_equal(other.n, 0); /* not half of one */
    }
    memset(text, 'A', sizeof text);
    char *endless = malloc(sizeof text + 1024);
    assert_non_null(endless);
    memset(endless, 'A', sizeof text + 1023);
    endless[sizeof text + 1023] = '\0';
    assert_int_equal(pb_hist_decode(&other, endless), -EINVAL);
    free(endless);
}

/* The oracle prints the histogram as HIGHEST COUNT lines; they must be ours. */
static void an_independent_decoder_reads_our_text(void **state)
{
    (void)state;
    static char command[PB_HIST_TEXT_MAX + 1024];
    char script[512], line[64];
    snprintf(script, sizeof script, "%.*s/../golden/hdr_decode.py",
             (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
    if (access("/usr/bin/python3", X_OK) != 0 || access(script, R_OK) != 0)
        skip_because("there is no /usr/bin/python3, or no decoder");
    record_random(&hist, NULL, 3000, 9);
    assert_true(pb_hist_encode(&hist, text, sizeof text) > 0);
    snprintf(command, sizeof command, "/usr/bin/python3 '%s' '%s'", script, text);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    uint64_t n = 0, value, count;
    bool fits = fgets(line, sizeof line, out) != NULL && sscanf(line, "n %" SCNu64, &n) == 1;
    pb_hist_clear(&other);
    while (fgets(line, sizeof line, out) != NULL) {
        fits = fits && sscanf(line, "%" SCNu64 " %" SCNu64, &value, &count) == 2;
        for (uint64_t i = 0; fits && i < count; i++)
            pb_hist_record(&other, value);
    }
    assert_int_equal(pclose(out), 0);
    assert_true(fits);
    assert_int_equal(n, hist.n);
    assert_memory_equal(hist.counts, other.counts, sizeof hist.counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_nothing),
        cmocka_unit_test(every_value_of_the_range_is_within_the_error_bound),
        cmocka_unit_test(values_above_the_range_are_counted_in_the_last_bucket),
        cmocka_unit_test(quantiles_agree_with_a_sorted_list),
        cmocka_unit_test(ranks_do_not_suffer_from_rounding),
        cmocka_unit_test(merging_is_recording_together),
        cmocka_unit_test(the_text_is_that_of_hdrhistogram),
        cmocka_unit_test(the_text_of_hdrhistogram_is_read),
        cmocka_unit_test(a_round_trip_keeps_every_count),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(too_small_a_buffer_is_refused_and_untouched),
        cmocka_unit_test(damaged_text_is_refused),
        cmocka_unit_test(an_independent_decoder_reads_our_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
