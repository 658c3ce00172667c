/* SPDX-License-Identifier: MIT */
/* The programs and libraries that a run needs, each asked in the way in which a run would. */
#include "runner/doctor_internal.h"

#include "malloc/baselines.h"
#include "runner/machine.h"
#include "runner/preload.h"
#include "runner/store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASKED "asked here, as a run would"

static bool in_path(const char *program, char *out, size_t size)
{
    const char *path = getenv("PATH");
    for (; path != NULL && *path != '\0'; path += path[0] == ':') {
        size_t length = strcspn(path, ":");
        if ((size_t)snprintf(out, size, "%.*s/%s", (int)length, path, program) < size &&
            access(out, X_OK) == 0)
            return true;
        path += length;
    }
    return false;
}

static void need_gnuplot(struct pb_findings *findings)
{
    struct pb_finding *f = pb_doctor_add(findings, "gnuplot", "PATH");
    char path[PATH_MAX];
    if (in_path("gnuplot", path, sizeof path)) {
        snprintf(f->value, sizeof f->value, "%.500s", path);
        return;
    }
    f->level = PB_DOCTOR_MISSING;
    snprintf(f->value, sizeof f->value, "not in PATH");
    snprintf(f->cost, sizeof f->cost, "no figures can be drawn");
    f->source = "poolbench plot";
    snprintf(f->mend, sizeof f->mend, "apt-get install gnuplot-nox");
}

/* One library, as a cell's child would get it: a file that is there may still not load. */
static void need_library(struct pb_findings *findings, const char *program, const char *name)
{
    struct pb_finding *f = pb_doctor_add(findings, name, "a process with it preloaded");
    char path[PATH_MAX], line[256];
    const char *file = pb_baseline_preload(name, path, sizeof path);
    const char *package = pb_preload_package(name);
    int error = file == NULL ? -ENOENT : pb_preload_ask(program, name, line, sizeof line);
    if (file == NULL) {
        snprintf(f->value, sizeof f->value, "not installed");
        snprintf(f->mend, sizeof f->mend, "apt-get install %s", package);
    } else {
        snprintf(f->value, sizeof f->value, "%.200s%s%s", file[0] != '\0' ? file : "the C library",
                 error == 0        ? ", "
                 : file[0] != '\0' ? " does not load: "
                                   : " does not answer: ",
                 line);
        snprintf(f->mend, sizeof f->mend,
                 package[0] != '\0' ? "apt-get install --reinstall %s" : "see /etc/ld.so.preload%s",
                 package);
    }
    if (error != 0) {
        f->level = PB_DOCTOR_MISSING;
        snprintf(f->cost, sizeof f->cost, "its cells will be 'unavailable'");
        f->source = ASKED;
    }
}

static void need_libraries(struct pb_findings *findings, const char *program)
{
    if (pb_suite_sanitizer[0] != '\0') {
        struct pb_finding *f = pb_doctor_add(findings, "malloc", "this program");
        f->level = PB_DOCTOR_NOTE;
        snprintf(f->value, sizeof f->value, "belongs to the sanitizer (%.60s) in this build",
                 pb_suite_sanitizer);
        snprintf(f->cost, sizeof f->cost, "cells of glibc and the others need a build without one");
        f->source = "by design: a process has one malloc";
        snprintf(f->mend, sizeof f->mend, "scripts/build release");
        return;
    }
    for (size_t i = 0; pb_baseline_names[i] != NULL; i++)
        need_library(findings, program, pb_baseline_names[i]);
}

static void need_results(struct pb_findings *findings)
{
    struct pb_finding *f = pb_doctor_add(findings, "results", "access(2)");
    pb_store_root(f->value, sizeof f->value);
    if (access(f->value, W_OK) == 0)
        return;
    f->level = PB_DOCTOR_NOTE;
    snprintf(f->cost, sizeof f->cost, "not there or not writable: it is made when a run begins");
    f->source = ASKED;
    snprintf(f->mend, sizeof f->mend, "mkdir it, or give --out");
}

void pb_doctor_needs(const char *program, struct pb_findings *findings)
{
    need_gnuplot(findings);
    need_libraries(findings, program);
    need_results(findings);
}
