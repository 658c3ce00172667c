/* SPDX-License-Identifier: MIT */
/* What children have to be started with: preload.h. */
#include "runner/preload.h"

#include "malloc/baselines.h"
#include "runner/machine.h"
#include "runner/spawn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_SECONDS = 20 };

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
    /* `path` says what was looked for */
    snprintf(reason, reason_size, "%.160s; apt-get install %s", path, pb_preload_package(library));
    return true;
}

int pb_preload_answer(const char *library, FILE *out)
{
    char line[256] = "";
    int error = pb_baseline_verify(library, line, sizeof line);
    fprintf(out, "%s\n", line);
    return error;
}

int pb_preload_ask(const char *program, const char *library, char *line, size_t size)
{
    char path[1024] = "";
    const char *file = pb_baseline_preload(library, path, sizeof path);
    const char *const argv[] = {"poolbench", PB_PRELOAD_VERB, library, NULL};
    const struct pb_child child = {.program = program,
                                   .argv = argv,
                                   .input = "",
                                   .preload = file != NULL && file[0] != '\0' ? file : NULL,
                                   .timeout = ASK_SECONDS};
    struct pb_outcome outcome = {.answer = NULL};
    if (file == NULL) {
        snprintf(line, size, "%s", path);
        return -ENOENT;
    }
    int error = pb_spawn(&child, &outcome);
    if (error != 0)
        snprintf(line, size, "no process could be started with it: %s", strerror(-error));
    else
        snprintf(line, size, "%s", outcome.answer != NULL ? outcome.answer : outcome.reason);
    if (error == 0 && outcome.status != PB_OK)
        error = -EIO;
    free(outcome.answer);
    return error;
}
