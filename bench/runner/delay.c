/* SPDX-License-Identifier: MIT */
/* Where a delay cannot be planted: delay.h. */
#include "runner/delay.h"

#include <string.h>

static bool is_library(const struct pb_variant *variant)
{
    return (variant->ops->capabilities & PB_CAP_LIBRARY) != 0;
}

/* A front's slow path is its own, but its locks are its backing's. */
const char *pb_delay_impossible(const struct pb_variant *variant, const char *delay)
{
    struct pb_variant behind;
    char message[1];
    bool locks = strncmp(delay, "lock:", strlen("lock:")) == 0;
    if (!locks && strncmp(delay, "slow:", strlen("slow:")) != 0)
        return NULL;
    if (is_library(variant))
        return "the delay cannot be planted in a library";
    if (!locks || variant->backing[0] == '\0' ||
        pb_variant_parse(variant->backing, &behind, message, sizeof message) != 0 ||
        !is_library(&behind))
        return NULL;
    return "the delay cannot be planted in a library, and its locks are the ones behind";
}
