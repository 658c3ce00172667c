/* SPDX-License-Identifier: MIT */
/* What children have to be started with: preload.h. */
#include "runner/preload.h"

#include "malloc/baselines.h"
#include "runner/machine.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *library, *package;
} packages[] = {
    {"jemalloc", "libjemalloc2"},
    {"mimalloc", "libmimalloc2.0"},
    {"tcmalloc", "libtcmalloc-minimal4"},
};

const char *pb_preload_package(const char *library)
{
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++)
        if (strcmp(packages[i].library, library) == 0)
            return packages[i].package;
    return "";
}

const char *pb_preload_for(const struct pb_variant *variant, char *path, size_t size)
{
    const char *library = pb_baseline_for(variant);
    const char *file = library != NULL ? pb_baseline_preload(library, path, size) : NULL;
    return file != NULL && file[0] != '\0' ? file : NULL;
}

bool pb_preload_unavailable(const struct pb_variant *variant, unsigned threads, char *reason,
                            size_t reason_size)
{
    char path[1024] = "";
    const char *library = pb_baseline_for(variant);
    if (library == NULL)
        return pb_variant_unavailable(variant, threads, reason, reason_size);
    if (pb_suite_sanitizer[0] != '\0') {
        snprintf(reason, reason_size, "malloc belongs to the sanitizer (%s) in this build",
                 pb_suite_sanitizer);
        return true;
    }
    if (pb_baseline_preload(library, path, sizeof path) != NULL)
        return false;
    snprintf(reason, reason_size, "%s is not installed (%.120s): apt-get install %s", library, path,
             pb_preload_package(library));
    return true;
}
