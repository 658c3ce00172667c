/* SPDX-License-Identifier: MIT */
/* The Linux side of pages.h. Address space is reserved without access and without being accounted
 * (PROT_NONE, MAP_NORESERVE), made usable piece by piece by mprotect, and given back by madvise,
 * which leaves it mapped. Source: mmap(2), mprotect(2), madvise(2). Threads: as pages.h says. May
 * touch: the system. */
#include "nt/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES_COMMIT_STEP = 1 << 20 };

static void *linux_reserve(size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *at = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static int linux_commit(void *at, size_t bytes)
{
    return mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
}

static int linux_release(void *at, size_t bytes)
{
    return madvise(at, bytes, MADV_DONTNEED) == 0 ? 0 : -errno;
}

static void linux_unreserve(void *at, size_t bytes)
{
    (void)munmap(at, bytes); /* fails only for arguments that reserve never returned */
}

const struct pb_pages_system pb_pages_linux = {linux_reserve, linux_commit, linux_release,
                                               linux_unreserve};
const struct pb_pages_system *pb_pages_system = &pb_pages_linux;

size_t pb_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Rounds up to pages; false when that overflows. */
static bool pages_round(size_t bytes, size_t *rounded)
{
    size_t mask = pb_page_bytes() - 1;
    if (bytes > SIZE_MAX - mask)
        return false;
    *rounded = (bytes + mask) & ~mask;
    return true;
}

int pb_pages_open(struct pb_pages *pages, size_t reserve_bytes)
{
    size_t bytes;
    if (!pages_round(reserve_bytes, &bytes) || bytes == 0)
        return -EINVAL;
    void *base = pb_pages_system->reserve(bytes);
    if (base == NULL)
        return -ENOMEM;
    *pages = (struct pb_pages){.base = base, .reserved_bytes = bytes, .os_calls = 1};
    return 0;
}

int pb_pages_open_within(struct pb_pages *pages, size_t reserve_bytes, size_t least_bytes,
                         unsigned share)
{
    struct rlimit limit;
    size_t bytes = reserve_bytes;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur / share < bytes)
        bytes = (size_t)limit.rlim_cur / share;
    if (bytes < least_bytes)
        bytes = least_bytes;
    int error = pb_pages_open(pages, bytes);
    while (error == -ENOMEM && bytes > least_bytes) {
        bytes = bytes / 2 > least_bytes ? bytes / 2 : least_bytes;
        error = pb_pages_open(pages, bytes);
    }
    return error;
}

void pb_pages_close(struct pb_pages *pages)
{
    if (pages->base != NULL)
        pb_pages_system->unreserve(pages->base, pages->reserved_bytes);
    memset(pages, 0, sizeof *pages);
}

/* Makes the first `bytes` of the arena usable. */
static int pages_commit(struct pb_pages *pages, size_t bytes)
{
    if (bytes <= pages->committed_bytes)
        return 0;
    size_t left = pages->reserved_bytes - pages->committed_bytes;
    size_t step = bytes - pages->committed_bytes;
    if (step < PAGES_COMMIT_STEP)
        step = left < PAGES_COMMIT_STEP ? left : PAGES_COMMIT_STEP;
    pages->os_calls++;
    int error = pb_pages_system->commit(pages->base + pages->committed_bytes, step);
    if (error == 0)
        pages->committed_bytes += step;
    return error;
}

static void pages_hold(struct pb_pages *pages, size_t bytes)
{
    pages->held_bytes += bytes;
    if (pages->held_bytes > pages->held_peak_bytes)
        pages->held_peak_bytes = pages->held_bytes;
}

void *pb_pages_take(struct pb_pages *pages, size_t bytes)
{
    size_t rounded;
    if (!pages_round(bytes, &rounded) || rounded > pages->reserved_bytes - pages->taken_bytes)
        return NULL;
    if (pages_commit(pages, pages->taken_bytes + rounded) != 0)
        return NULL;
    void *at = pages->base + pages->taken_bytes;
    pages->taken_bytes += rounded;
    pages_hold(pages, rounded);
    return at;
}

int pb_pages_release(struct pb_pages *pages, void *at, size_t bytes)
{
    pages->os_calls++;
    int error = pb_pages_system->release(at, bytes);
    if (error == 0)
        pages->held_bytes -= bytes;
    return error;
}

void pb_pages_reuse(struct pb_pages *pages, void *at, size_t bytes)
{
    (void)at; /* the system needs no call: a released page comes back when it is touched */
    pages_hold(pages, bytes);
}

void *pb_pages_map(size_t bytes)
{
    size_t rounded;
    if (!pages_round(bytes, &rounded) || rounded == 0)
        return NULL;
    void *at = pb_pages_system->reserve(rounded);
    if (at == NULL)
        return NULL;
    if (pb_pages_system->commit(at, rounded) != 0) {
        pb_pages_system->unreserve(at, rounded);
        return NULL;
    }
    return at;
}

void pb_pages_unmap(void *at, size_t bytes)
{
    size_t rounded;
    if (at != NULL && pages_round(bytes, &rounded))
        pb_pages_system->unreserve(at, rounded);
}
