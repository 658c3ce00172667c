/* SPDX-License-Identifier: MIT */
/* The gate's words: ">5%", ">1.05x", "ns_per_op>5%,rss_peak_bytes>1.1x". See compare.h. */
#include "runner/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "N%" or "Nx" as a factor of at least 1; NAN for anything else. */
static double factor_of(const char *text, size_t length)
{
    char number[32], *end;
    if (length < 2 || length > sizeof number || strspn(text, "0123456789.") + 1 != length)
        return NAN;
    memcpy(number, text, length - 1);
    number[length - 1] = '\0';
    double value = strtod(number, &end);
    if (*end != '\0' || end == number)
        return NAN;
    double factor = text[length - 1] == '%' ? 1 + value / 100 : value;
    if (text[length - 1] != '%' && text[length - 1] != 'x')
        return NAN;
    return factor >= 1 && factor <= 1000 ? factor : (double)NAN;
}

static int add_one(const char *text, size_t length, struct pb_gate *gate)
{
    const char *above = memchr(text, '>', length);
    size_t key = above != NULL ? (size_t)(above - text) : 0;
    if (above == NULL || key >= PB_METRIC_KEY_MAX || gate->n == PB_COMPARE_METRICS_MAX)
        return -EINVAL;
    struct pb_threshold *threshold = &gate->thresholds[gate->n];
    *threshold = (struct pb_threshold){.factor = factor_of(above + 1, length - key - 1)};
    memcpy(threshold->metric, text, key);
    if (isnan(threshold->factor))
        return -EINVAL;
    gate->n++;
    return 0;
}

int pb_gate_add(const char *text, struct pb_gate *gate, char *message, size_t message_size)
{
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        if (add_one(at, length, gate) != 0) {
            snprintf(message, message_size,
                     "--fail-on: '%.*s' is no threshold; write >5%%, >1.05x or METRIC>5%%, "
                     "in quotes",
                     (int)length, at);
            return -EINVAL;
        }
        at += length;
        if (*at == '\0')
            return 0;
    }
}
