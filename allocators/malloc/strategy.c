/* SPDX-License-Identifier: MIT */
/* Malloc: the allocator that people really use, as a strategy: glibc's, or the library that the
 * process was started with in LD_PRELOAD.
 * Source:  malloc(3); the libraries are in baselines.c.
 * Layout:  heap | head, library |; a thread is one byte of it: the libraries keep their own state
 * I1       the library that answers is the one that was asked for   (unavailable)
 * Locks    the library's
 * Cost     the library's. Nothing is counted here: the counters are the library's own, of the whole
 *          process, and it does not know what was asked for. */
#include "malloc/baselines.h"
#include "malloc/hot.h"
#include "nt/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct malloc_options {
    uint64_t lib;
};

struct malloc_heap {
    struct pb_heap base;
    const char *lib;
    size_t bytes;            /* of this mapping */
    unsigned char threads[]; /* what a thread's state points to */
};

static const struct pb_option malloc_options[] = {
    {.name = "lib",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct malloc_options, lib),
     .standard = "glibc",
     .choices = pb_baseline_names,
     .help = "the library that must answer malloc; not glibc: the process is started with it "
             "preloaded"},
    {.type = PB_OPTION_END},
};

void *pb_malloc_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    return malloc_alloc(heap, thread, bytes);
}

void pb_malloc_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    malloc_free(heap, thread, block, bytes);
}

PB_HOT_TABLE(malloc)

extern const struct pb_allocator pb_allocator_malloc;

static struct malloc_heap *heap_of(struct pb_heap *heap)
{
    return (struct malloc_heap *)(void *)heap;
}

static const char *lib_of(const struct pb_heap_config *config)
{
    const struct malloc_options *options = config->options;
    return pb_baseline_names[options->lib];
}

static bool malloc_unavailable(const struct pb_heap_config *config, char *reason,
                               size_t reason_size)
{
    char who[160], path[512];
    const char *lib = lib_of(config);
    if (pb_baseline_verify(lib, who, sizeof who) == 0)
        return false;
    if (pb_baseline_preload(lib, path, sizeof path) == NULL)
        snprintf(reason, reason_size, "%s", path);
    else if (path[0] != '\0' && strstr(who, "Sanitizer") == NULL)
        snprintf(reason, reason_size, "%s; start the process with LD_PRELOAD=%s", who, path);
    else
        snprintf(reason, reason_size, "%s", who);
    return true;
}

static int malloc_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    size_t bytes = sizeof(struct malloc_heap) + config->threads;
    struct malloc_heap *heap = pb_pages_map(bytes);
    if (heap == NULL)
        return -ENOMEM;
    heap->base =
        (struct pb_heap){&pb_allocator_malloc, &pb_hot_malloc, pb_malloc_alloc, pb_malloc_free, 0};
    heap->lib = lib_of(config);
    heap->bytes = bytes;
    *out = &heap->base;
    return 0;
}

static void malloc_close(struct pb_heap *heap)
{
    pb_pages_unmap(heap, heap_of(heap)->bytes);
}

static int malloc_attach(struct pb_heap *heap, unsigned index, struct pb_thread **out)
{
    *out = (struct pb_thread *)(void *)&heap_of(heap)->threads[index];
    return 0;
}

static void malloc_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread;
}

static void *malloc_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block,
                            size_t old_bytes, size_t bytes)
{
    (void)heap, (void)thread, (void)old_bytes;
    return realloc(block, bytes);
}

static void *malloc_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                            size_t bytes)
{
    void *block = NULL;
    (void)heap, (void)thread;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

static size_t malloc_trim_library(struct pb_heap *heap)
{
    return pb_baseline_trim(heap_of(heap)->lib);
}

static void malloc_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    pb_baseline_stats(heap_of(heap)->lib, stats);
}

static int malloc_version(struct pb_heap *heap, char *out, size_t size)
{
    return pb_baseline_verify(heap_of(heap)->lib, out, size);
}

const struct pb_allocator pb_allocator_malloc = {
    .name = "malloc",
    .summary = "the process's malloc: glibc, or jemalloc, mimalloc, tcmalloc where preloaded",
    .source = "malloc(3); jemalloc 5.3, mimalloc 2.0, gperftools 2.10",
    .options = malloc_options,
    .option_bytes = sizeof(struct malloc_options),
    .capabilities = PB_CAP_REMOTE_FREE | PB_CAP_LIBRARY | PB_CAP_BACKING,
    .unavailable = malloc_unavailable,
    .open = malloc_open,
    .close = malloc_close,
    .attach = malloc_attach,
    .detach = malloc_detach,
    .realloc = malloc_realloc,
    .aligned = malloc_aligned,
    .trim = malloc_trim_library,
    .stats = malloc_stats,
    .version = malloc_version,
};
