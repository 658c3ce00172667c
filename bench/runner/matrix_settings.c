/* SPDX-License-Identifier: MIT */
/* A matrix's settings: what there are, and how their texts are read, wherever they come from. */
#include "runner/matrix.h"

#include "engine/perf_events.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING(name_, type_, unit_, standard_, min_, max_, help_)                                 \
    {                                                                                              \
        .name = #name_, .type = type_, .offset = offsetof(struct pb_settings, name_),              \
        .unit = unit_, .standard = standard_, .min = min_, .max = max_, .help = help_              \
    }

const struct pb_option pb_setting_rows[] = {
    SETTING(name, PB_OPTION_TEXT, NULL, "", 0, 0, "the matrix's name"),
    SETTING(title, PB_OPTION_TEXT, NULL, "", 0, 0, "one line: what it asks"),
    SETTING(reference, PB_OPTION_TEXT, NULL, "jemalloc", 0, 0,
            "the variant others are compared with"),
    SETTING(exploratory, PB_OPTION_FLAG, NULL, "off", 0, 0, "too few blocks for a claim"),
    SETTING(aa, PB_OPTION_FLAG, NULL, "on", 0, 0, "run the reference twice: the noise floor"),
    SETTING(audit, PB_OPTION_FLAG, NULL, "on", 0, 0, "check every block in a pass of its own"),
    SETTING(blocks, PB_OPTION_UINT, "blocks", "11", 1, 1000, "repetitions of every cell"),
    SETTING(seed, PB_OPTION_UINT, NULL, "1", 0, INT64_MAX, "of the op streams and of the order"),
    SETTING(timeout, PB_OPTION_UINT, "s", "60", 1, 86400, "a cell that takes longer is ended"),
    SETTING(memory_limit, PB_OPTION_UINT, "bytes", "4G", 0, 1ull << 46,
            "that a strategy may make writable; 0: any"),
    SETTING(sample_gap, PB_OPTION_UINT, "steps", "256", 0, 1ull << 32,
            "mean steps between two timed operations; 0: off"),
    SETTING(counters, PB_OPTION_TEXT, NULL, "default", 0, 0,
            "events of the processor to count: default, off, or names as 'perf list' has them"),
    SETTING(target, PB_OPTION_TEXT, NULL, "off", 0, 0,
            "\"2%\": blocks until every ratio is known within that; in place of `blocks`"),
    SETTING(most_blocks, PB_OPTION_UINT, "blocks", "45", 1, 1000, "where there is a target"),
    SETTING(budget, PB_OPTION_TEXT, NULL, "off", 0, 0,
            "\"90s\", \"10m\", \"2h\": no block begins that would end later"),
    SETTING(retries, PB_OPTION_UINT, NULL, "2", 0, 100,
            "how often a repetition is repeated that something disturbed"),
    {.type = PB_OPTION_END},
};

int pb_scale_parse(const char *text, double *scale, char *message, size_t message_size)
{
    char *end;
    double value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !isfinite(value) || value <= 0 || value > 1e6) {
        snprintf(message, message_size, "scale '%s' is out of range; allowed: above 0, to 1000000",
                 text);
        return -EINVAL;
    }
    *scale = value;
    return 0;
}

/* "2%" -> 0.02; "off" -> 0. */
static int parse_target(const char *text, double *target, char *message, size_t message_size)
{
    char *end;
    double value = strtod(text, &end);
    bool off = strcmp(text, "off") == 0;
    if (!off && (end == text || strcmp(end, "%") != 0 || !(value > 0 && value < 100))) {
        snprintf(message, message_size,
                 "target '%s' is not a share; allowed: off, above 0%% and below 100%%", text);
        return -EINVAL;
    }
    *target = off ? 0 : value / 100;
    return 0;
}

/* "10m" -> 600; "off" -> 0. */
static int parse_budget(const char *text, double *seconds, char *message, size_t message_size)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}};
    char *end;
    double value = strtod(text, &end), unit = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != text && strcmp(end, units[i].name) == 0)
            unit = units[i].seconds;
    bool off = strcmp(text, "off") == 0, good = value > 0 && value * unit > 0 && value <= 1e6;
    if (!off && !good) {
        snprintf(message, message_size,
                 "budget '%s' is not a time; allowed: off, or a number with its unit: 90s, 10m, 2h",
                 text);
        return -EINVAL;
    }
    *seconds = off ? 0 : value * unit;
    return 0;
}

bool pb_setting_known(const char *key)
{
    return strcmp(key, "scale") == 0 || pb_option_find(pb_setting_rows, key) != NULL;
}

int pb_setting_set(struct pb_matrix *matrix, const char *key, const char *text, char *message,
                   size_t message_size)
{
    static const struct {
        const char *key;
        size_t offset;
        int (*parse)(const char *, double *, char *, size_t);
    } numbers[] = {{"scale", offsetof(struct pb_matrix, scale), pb_scale_parse},
                   {"target", offsetof(struct pb_matrix, target), parse_target},
                   {"budget", offsetof(struct pb_matrix, budget), parse_budget}};
    char label[PB_VARIANT_MAX];
    struct pb_perf_set events;
    if (strcmp(key, "counters") == 0 && pb_perf_parse(text, &events, message, message_size) != 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double *value = (double *)(void *)((char *)matrix + numbers[i].offset);
        if (strcmp(numbers[i].key, key) == 0 &&
            numbers[i].parse(text, value, message, message_size) != 0)
            return -EINVAL;
    }
    if (strcmp(key, "scale") == 0)
        return 0;
    if (strcmp(key, "reference") == 0) {
        if (pb_axis_canonical(PB_AXIS_ALLOC, text, label, sizeof label, message, message_size) != 0)
            return -EINVAL;
        text = label;
    }
    return pb_option_set(pb_setting_rows, &matrix->settings, key, strlen(key), text, strlen(text),
                         message, message_size) == 0
               ? 0
               : -EINVAL;
}

unsigned pb_matrix_blocks(const struct pb_matrix *matrix)
{
    return (unsigned)(matrix->target > 0 ? matrix->settings.most_blocks : matrix->settings.blocks);
}
