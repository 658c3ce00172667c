/* SPDX-License-Identifier: MIT */
/* The table of baselines (baselines.h): where each library's file is found, how it is recognised,
 * and what it tells of itself. Every library is spoken to through names looked up at run time, so
 * nothing here links against one.
 * Source:  jemalloc(3), "MALLCTL NAMESPACE"; gperftools, malloc_extension_c.h; mimalloc.h;
 *          mallinfo2(3).
 * Threads: any; the counters are the whole process's.
 * May touch: the dynamic linker's tables, the libraries' own counters; files are looked for, not
 * opened. */
#include "malloc/baselines.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER "AddressSanitizer"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER "ThreadSanitizer"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER "AddressSanitizer"
#elif __has_feature(thread_sanitizer)
#define SANITIZER "ThreadSanitizer"
#endif
#endif
#ifndef SANITIZER
#define SANITIZER ""
#endif

enum { FILES_MAX = 2, PATH_BYTES = 512 };

struct baseline {
    const char *name;
    const char
        *files[FILES_MAX + 1]; /* to preload, the preferred one first; none: nothing to preload */
    const char *owner;         /* how the name of the file that holds `malloc` begins */
    const char *witness;       /* what answered `version` */
    bool (*version)(char *out, size_t size);
    void (*stats)(struct pb_heap_stats *stats);
    void (*trim)(void);
};

typedef int mallctl_fn(const char *, void *, size_t *, void *, size_t);
typedef int property_fn(const char *, size_t *);

/* Looks a function up among what is loaded; false if there is none. `function` is the address of a
 * pointer to function, which ISO C does not let one cast. */
static bool look_up(const char *name, void *function)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static bool glibc_version(char *out, size_t size)
{
    snprintf(out, size, "%s", gnu_get_libc_version());
    return true;
}

/* What is granted stays unknown: glibc counts chunks in a tcache or a fast bin as in use. */
static void glibc_stats(struct pb_heap_stats *stats)
{
    struct mallinfo2 info = mallinfo2();
    stats->held_bytes = info.arena + info.hblkhd;
}

static void glibc_trim(void)
{
    (void)malloc_trim(0);
}

static bool jemalloc_version(char *out, size_t size)
{
    mallctl_fn *mallctl;
    const char *version = NULL;
    size_t bytes = sizeof version;
    if (!look_up("mallctl", &mallctl) || mallctl("version", &version, &bytes, NULL, 0) != 0)
        return false;
    snprintf(out, size, "%s", version);
    return true;
}

static uint64_t jemalloc_size(mallctl_fn *mallctl, const char *name)
{
    size_t value, bytes = sizeof value;
    return mallctl(name, &value, &bytes, NULL, 0) == 0 ? value : PB_STAT_UNKNOWN;
}

/* jemalloc keeps a copy of its counters, which writing an epoch renews. */
static void jemalloc_stats(struct pb_heap_stats *stats)
{
    mallctl_fn *mallctl;
    uint64_t epoch = 1;
    if (!look_up("mallctl", &mallctl) || mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) != 0)
        return;
    /* what threads cache counts as allocated there; 4096 stands for all arenas (MALLCTL_ARENAS_ALL) */
    uint64_t allocated = jemalloc_size(mallctl, "stats.allocated");
    uint64_t cached = jemalloc_size(mallctl, "stats.arenas.4096.tcache_bytes");
    stats->cached_bytes = cached;
    if (allocated != PB_STAT_UNKNOWN && cached != PB_STAT_UNKNOWN && cached <= allocated)
        stats->granted_bytes = allocated - cached;
    stats->held_bytes = jemalloc_size(mallctl, "stats.mapped");
}

static void jemalloc_trim(void)
{
    mallctl_fn *mallctl;
    if (!look_up("mallctl", &mallctl))
        return;
    (void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    (void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all of them */
}

static bool mimalloc_version(char *out, size_t size)
{
    int (*version)(void);
    if (!look_up("mi_version", &version))
        return false;
    int number = version();
    snprintf(out, size, "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
    return true;
}

/* mimalloc 2.0 prints its counters and tells them to nobody. */
static void mimalloc_stats(struct pb_heap_stats *stats)
{
    (void)stats;
}

static void mimalloc_trim(void)
{
    void (*collect)(bool);
    if (look_up("mi_collect", &collect))
        collect(true);
}

static bool tcmalloc_version(char *out, size_t size)
{
    const char *(*version)(int *, int *, const char **);
    property_fn *property;
    int major = 0, minor = 0;
    const char *patch = "";
    if (!look_up("tc_version", &version) ||
        !look_up("MallocExtension_GetNumericProperty", &property))
        return false;
    (void)version(&major, &minor, &patch);
    snprintf(out, size, "%d.%d%s", major, minor, patch);
    return true;
}

static void tcmalloc_stats(struct pb_heap_stats *stats)
{
    property_fn *property;
    size_t allocated, heap, unmapped;
    if (!look_up("MallocExtension_GetNumericProperty", &property) ||
        property("generic.current_allocated_bytes", &allocated) == 0 ||
        property("generic.heap_size", &heap) == 0 ||
        property("tcmalloc.pageheap_unmapped_bytes", &unmapped) == 0)
        return;
    stats->granted_bytes = allocated;
    stats->held_bytes = heap - unmapped;
}

static void tcmalloc_trim(void)
{
    void (*release)(void);
    if (look_up("MallocExtension_ReleaseFreeMemory", &release))
        release();
}

static const struct baseline baselines[] = {
    {"glibc", {NULL}, "libc.so", "gnu_get_libc_version", glibc_version, glibc_stats, glibc_trim},
    {"jemalloc",
     {"libjemalloc.so.2", NULL},
     "libjemalloc.so",
     "mallctl",
     jemalloc_version,
     jemalloc_stats,
     jemalloc_trim},
    {"mimalloc",
     {"libmimalloc.so.2", NULL},
     "libmimalloc.so",
     "mi_version",
     mimalloc_version,
     mimalloc_stats,
     mimalloc_trim},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", NULL},
     "libtcmalloc",
     "tc_version",
     tcmalloc_version,
     tcmalloc_stats,
     tcmalloc_trim},
};
enum { BASELINES = sizeof baselines / sizeof *baselines };

const char *const pb_baseline_names[] = {"glibc", "jemalloc", "mimalloc", "tcmalloc", NULL};
_Static_assert(sizeof pb_baseline_names / sizeof *pb_baseline_names == BASELINES + 1,
               "a name for each");

static const struct baseline *find_baseline(const char *lib)
{
    for (size_t i = 0; i < BASELINES; i++)
        if (strcmp(baselines[i].name, lib) == 0)
            return &baselines[i];
    return NULL;
}

const char *pb_baseline_for(const struct pb_variant *variant)
{
    struct pb_variant behind;
    char value[64] = "", ignored[256];
    const struct pb_option *row = pb_option_find(variant->ops->options, "lib");
    if (variant->backing[0] != '\0' &&
        pb_variant_parse(variant->backing, &behind, ignored, sizeof ignored) == 0)
        return pb_baseline_for(&behind);
    if ((variant->ops->capabilities & PB_CAP_LIBRARY) == 0 || row == NULL)
        return NULL;
    pb_option_print(row, variant->options, value, sizeof value);
    const struct baseline *baseline = find_baseline(value);
    return baseline != NULL ? baseline->name : NULL;
}

/* Finds the folder of the C library that is loaded: its neighbours are there. */
static int see_object(struct dl_phdr_info *info, size_t size, void *folder)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    (void)size;
    if (slash == NULL || strncmp(slash + 1, "libc.so", 7) != 0)
        return 0;
    snprintf(folder, PATH_BYTES, "%.*s", (int)(slash - info->dlpi_name), info->dlpi_name);
    return 1;
}

static bool readable(char *path, size_t size, const char *folder, int folder_len, const char *file)
{
    int length = snprintf(path, size, "%.*s/%s", folder_len, folder, file);
    return length > 0 && (size_t)length < size && access(path, R_OK) == 0;
}

/* Looks for `file` where the dynamic linker would: LD_LIBRARY_PATH, the C library's folder, the
 * usual ones. */
static bool find_file(const char *file, char *path, size_t size)
{
    static const char *const usual[] = {"/usr/local/lib", "/usr/lib64", "/usr/lib", "/lib64",
                                        "/lib"};
    char folder[PATH_BYTES] = "";
    const char *list = getenv("LD_LIBRARY_PATH");
    for (const char *at = list; at != NULL && *at != '\0'; at += strspn(at, ":")) {
        size_t length = strcspn(at, ":");
        if (length > 0 && length < PATH_BYTES && readable(path, size, at, (int)length, file))
            return true;
        at += length;
    }
    (void)dl_iterate_phdr(see_object, folder);
    if (folder[0] != '\0' && readable(path, size, folder, PATH_BYTES, file))
        return true;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (readable(path, size, usual[i], PATH_BYTES, file))
            return true;
    return false;
}

const char *pb_baseline_preload(const char *lib, char *path, size_t size)
{
    const struct baseline *baseline = find_baseline(lib);
    if (baseline == NULL) {
        snprintf(path, size, "there is no baseline '%s'", lib);
        return NULL;
    }
    if (baseline->files[0] == NULL) {
        path[0] = '\0';
        return path;
    }
    for (size_t i = 0; baseline->files[i] != NULL; i++)
        if (find_file(baseline->files[i], path, size))
            return path;
    const char *other = baseline->files[1];
    snprintf(path, size, "%s is not installed: no %s%s%s", lib, baseline->files[0],
             other != NULL ? " or " : "", other != NULL ? other : "");
    return NULL;
}

/* The file that holds the `malloc` which this program calls. */
static const char *malloc_owner(void)
{
    void *(*function)(size_t) = malloc;
    void *address;
    Dl_info info;
    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL)
        return "an unknown file";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash != NULL ? slash + 1 : info.dli_fname;
}

int pb_baseline_verify(const char *lib, char *version, size_t size)
{
    char number[64] = "";
    const struct baseline *baseline = find_baseline(lib);
    const char *owner = malloc_owner();
    if (baseline == NULL) {
        snprintf(version, size, "there is no baseline '%s'", lib);
        return -EINVAL;
    }
    if (SANITIZER[0] != '\0') {
        snprintf(version, size,
                 "%s is not what answers malloc here: %s is, as in all of its builds", lib,
                 SANITIZER);
        return -ENOENT;
    }
    if (strncmp(owner, baseline->owner, strlen(baseline->owner)) != 0) {
        snprintf(version, size, "%s is not what answers malloc here: %s is", lib, owner);
        return -ENOENT;
    }
    if (!baseline->version(number, sizeof number)) {
        snprintf(version, size, "%s answers malloc but not %s", owner, baseline->witness);
        return -ENOENT;
    }
    snprintf(version, size, "%s (%s, %s)", number, baseline->witness, owner);
    return 0;
}

void pb_baseline_stats(const char *lib, struct pb_heap_stats *stats)
{
    const struct baseline *baseline = find_baseline(lib);
    if (baseline != NULL)
        baseline->stats(stats);
}

size_t pb_baseline_trim(const char *lib)
{
    struct pb_heap_stats before, after;
    const struct baseline *baseline = find_baseline(lib);
    if (baseline == NULL)
        return 0;
    pb_stats_unknown(&before);
    pb_stats_unknown(&after);
    baseline->stats(&before);
    baseline->trim();
    baseline->stats(&after);
    if (before.held_bytes == PB_STAT_UNKNOWN || after.held_bytes >= before.held_bytes)
        return 0;
    return before.held_bytes - after.held_bytes;
}
