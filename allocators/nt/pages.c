/* SPDX-License-Identifier: MIT */
/* Arenas of pages, and the Linux side of the plain ones. Address space is reserved without access
 * and without being accounted (PROT_NONE, MAP_NORESERVE), made usable piece by piece by mprotect,
 * and given back by madvise, which leaves it mapped. What locked memory and files need besides is
 * in pages_backing.c. Source: mmap(2), mprotect(2), madvise(2). Threads: as pages.h says. May
 * touch: the system. */
#include "nt/pages.h"
#include "path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES_COMMIT_STEP = 1 << 20, PAGES_WIDEN_STEP = 64 << 10 };

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

static int pages_open(struct pb_pages *pages, size_t bytes, enum pb_backing backing, int file)
{
    void *base = pb_pages_system->reserve(bytes);
    if (base == NULL)
        return -ENOMEM;
    int error = file >= 0 ? pb_pages_backing_system->map(file, base, bytes) : 0;
    if (error != 0) {
        pb_pages_system->unreserve(base, bytes);
        return error;
    }
    *pages = (struct pb_pages){.base = base,
                               .reserved_bytes = bytes,
                               .os_calls = file >= 0 ? 2 : 1,
                               .backing = backing,
                               .file = file};
    return 0;
}

int pb_pages_open(struct pb_pages *pages, size_t reserve_bytes)
{
    size_t bytes;
    if (!pages_round(reserve_bytes, &bytes) || bytes == 0)
        return -EINVAL;
    return pages_open(pages, bytes, PB_BACKING_ANONYMOUS, -1);
}

/* What share of the limit on address space, or of `wanted`, an arena asks for first. */
static size_t pages_share(size_t wanted, size_t least, unsigned share)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur / share < wanted)
        wanted = (size_t)limit.rlim_cur / share;
    return wanted < least ? least : wanted;
}

static int pages_open_shrinking(struct pb_pages *pages, size_t bytes, size_t least,
                                enum pb_backing backing, int file)
{
    for (;;) {
        size_t rounded;
        if (!pages_round(bytes, &rounded) || rounded == 0)
            return -EINVAL;
        int error = pages_open(pages, rounded, backing, file);
        if ((error != -ENOMEM && error != -EFBIG) || bytes <= least)
            return error;
        bytes = bytes / 2 > least ? bytes / 2 : least;
    }
}

int pb_pages_open_within(struct pb_pages *pages, size_t reserve_bytes, size_t least_bytes,
                         unsigned share)
{
    return pages_open_shrinking(pages, pages_share(reserve_bytes, least_bytes, share), least_bytes,
                                PB_BACKING_ANONYMOUS, -1);
}

/* Where a file is made, and who says so. */
static const char *pages_dir(const char *dir, const char **from)
{
    *from = "paged_dir";
    if (dir != NULL && *dir != '\0')
        return dir;
    dir = getenv("TMPDIR");
    *from = "TMPDIR; set it, or paged_dir=DIR";
    if (dir != NULL && *dir != '\0')
        return dir;
    *from = "neither TMPDIR nor paged_dir is set; set one";
    return "/var/tmp";
}

int pb_pages_open_backed(struct pb_pages *pages, size_t reserve_bytes, size_t least_bytes,
                         unsigned share, enum pb_backing backing, const char *dir, char *message,
                         size_t message_size)
{
    size_t bytes = pages_share(reserve_bytes, least_bytes, share);
    const char *from;
    if (backing != PB_BACKING_FILE)
        return pages_open_shrinking(pages, bytes, least_bytes, backing, -1);
    dir = pages_dir(dir, &from);
    int file = pb_pages_backing_system->file(dir);
    int error = file < 0 ? file : pages_open_shrinking(pages, bytes, least_bytes, backing, file);
    if (error != 0 && error != -ENOMEM)
        (void)snprintf(message, message_size, "%s: no file for paged memory: %s (%s)", dir,
                       strerror(-error), from);
    if (error != 0 && file >= 0)
        (void)close(file);
    return error;
}

void pb_pages_close(struct pb_pages *pages)
{
    if (pages->base != NULL) {
        pb_pages_system->unreserve(pages->base, pages->reserved_bytes);
        if (pages->backing == PB_BACKING_FILE)
            (void)close(pages->file); /* nothing in it is wanted any more */
    }
    *pages = (struct pb_pages){.file = -1};
}

static size_t pages_offset(const struct pb_pages *pages, const void *at)
{
    return (size_t)((const unsigned char *)at - pages->base);
}

static bool pages_locks(const struct pb_pages *pages)
{
    return pages->backing == PB_BACKING_LOCKED || pages->backing == PB_BACKING_LOCKED_EXEC;
}

/* Locks a piece just made usable, which follows the locked ones if none was refused. */
static void pages_lock(struct pb_pages *pages, void *at, size_t bytes)
{
    if (!pages_locks(pages) || pages->lock_error != 0)
        return;
    pages->os_calls++;
    pages->lock_error = pb_pages_backing_system->lock(at, bytes);
    if (pages->lock_error == 0)
        pages->locked_bytes += bytes;
}

static void pages_execute(struct pb_pages *pages, void *at, size_t bytes)
{
    if (pages->backing != PB_BACKING_LOCKED_EXEC || pages->exec_error != 0)
        return;
    pages->os_calls++;
    pages->exec_error = pb_pages_backing_system->execute(at, bytes);
}

/* A piece of a file has its room on the disk before it can be written: 0 on other backings. */
static int pages_allocate(struct pb_pages *pages, const void *at, size_t bytes)
{
    if (pages->backing != PB_BACKING_FILE)
        return 0;
    pages->os_calls++;
    return pb_pages_backing_system->allocate(pages->file, pages_offset(pages, at), bytes);
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
    unsigned char *at = pages->base + pages->committed_bytes;
    int error = pages_allocate(pages, at, step);
    if (error != 0)
        return error;
    pages->os_calls++;
    error = pb_pages_system->commit(at, step);
    if (error != 0)
        return error;
    pages->committed_bytes += step;
    pages_execute(pages, at, step); /* first: a locked piece is made resident as it will be used */
    pages_lock(pages, at, step);
    return 0;
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
    pb_path_note(PB_PATH_OS); /* committed ahead or not: the system has yet to give the pages */
    if (pages_commit(pages, pages->taken_bytes + rounded) != 0)
        return NULL;
    void *at = pages->base + pages->taken_bytes;
    pages->taken_bytes += rounded;
    pages_hold(pages, rounded);
    return at;
}

/* Whether a piece is whole pages of what is committed. */
static bool pages_whole(const struct pb_pages *pages, const void *at, size_t bytes)
{
    size_t from = pages_offset(pages, at);
    return ((from | bytes) & (pb_page_bytes() - 1)) == 0 && from <= pages->committed_bytes &&
           bytes <= pages->committed_bytes - from;
}

int pb_pages_release(struct pb_pages *pages, void *at, size_t bytes)
{
    int error;
    if (!pages_whole(pages, at, bytes))
        return -EINVAL;
    pages->os_calls++;
    pb_path_note(PB_PATH_OS);
    if (pages->backing == PB_BACKING_FILE)
        error = pb_pages_backing_system->clear(pages->file, pages_offset(pages, at), at, bytes);
    else if (pages_locks(pages))
        error = pb_pages_backing_system->drop(at, bytes);
    else
        error = pb_pages_system->release(at, bytes);
    if (error == 0)
        pages->held_bytes -= bytes;
    return error;
}

/* Brings the pages of a piece back that were locked when it was released. A refusal leaves them to
 * be faulted in, and is remembered. */
static void pages_relock(struct pb_pages *pages, void *at, size_t bytes)
{
    size_t from = pages_offset(pages, at);
    if (!pages_locks(pages) || from >= pages->locked_bytes)
        return;
    size_t left = pages->locked_bytes - from;
    pages->os_calls++;
    int error = pb_pages_backing_system->lock(at, bytes < left ? bytes : left);
    if (pages->lock_error == 0)
        pages->lock_error = error;
}

int pb_pages_reuse(struct pb_pages *pages, void *at, size_t bytes)
{
    pb_path_note(PB_PATH_OS);
    int error = pages_allocate(pages, at, bytes);
    if (error != 0)
        return error;
    pages_relock(pages, at, bytes);
    pages_hold(pages, bytes); /* anonymous memory comes back when it is touched: no call */
    return 0;
}

int pb_pages_evict(struct pb_pages *pages, void *at, size_t bytes)
{
    if (pages->backing != PB_BACKING_FILE)
        return -ENOTSUP;
    if (!pages_whole(pages, at, bytes))
        return -EINVAL;
    pages->os_calls++;
    return pb_pages_backing_system->evict(pages->file, pages_offset(pages, at), at, bytes);
}

void *pb_pages_map(size_t bytes)
{
    size_t rounded;
    if (!pages_round(bytes, &rounded) || rounded == 0)
        return NULL;
    pb_path_note(PB_PATH_OS);
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
    if (at == NULL || !pages_round(bytes, &rounded))
        return;
    pb_path_note(PB_PATH_OS);
    pb_pages_system->unreserve(at, rounded);
}

void *pb_pages_map_zeros(size_t bytes)
{
    size_t rounded;
    if (!pages_round(bytes, &rounded) || rounded == 0)
        return NULL;
    void *at = pb_pages_system->reserve(rounded);
    if (at != NULL && mprotect(at, rounded, PROT_READ) != 0) {
        pb_pages_system->unreserve(at, rounded);
        return NULL;
    }
    return at;
}

int pb_pages_widen(void *table, size_t all, size_t *writable, size_t bytes)
{
    size_t end, most, step = PAGES_WIDEN_STEP;
    if (bytes <= *writable)
        return 0;
    if (!pages_round((bytes + step - 1) / step * step, &end) || !pages_round(all, &most))
        return -ENOMEM;
    end = end < most ? end : most;
    pb_path_note(PB_PATH_OS);
    int error = pb_pages_system->commit((unsigned char *)table + *writable, end - *writable);
    if (error == 0)
        *writable = end;
    return error;
}
