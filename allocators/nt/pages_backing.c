/* SPDX-License-Identifier: MIT */
/* The Linux side of pages.h for memory that is locked and for memory that is a file's.
 *
 * Locked memory is mlocked, which faults it in: no later touch faults. What is dropped of it stays
 * locked on paper, against RLIMIT_MEMLOCK, and needs MADV_DONTNEED_LOCKED (Linux 5.18); an older
 * system refuses to drop it.
 *
 * A file has no name, so that it ends with the process; its pages are mapped shared and read one by
 * one (MADV_RANDOM), so that each one evicted is a fault of its own. Room on the disk is allocated
 * before a page is used: storing into a page that the disk has no room for would be SIGBUS. What is
 * cleared keeps its room where the file system can zero a range in place, else it is a hole.
 *
 * Source: mlock(2), madvise(2), open(2), fallocate(2), posix_fadvise(2). Threads: any.
 * May touch: the system. */
#include "nt/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

enum { BACKING_PATH_MAX = 4096, BACKING_MINCORE = 512, BACKING_EVICTIONS = 4 };

static int linux_lock(void *at, size_t bytes)
{
    if (mlock2(at, bytes, 0) == 0) /* mlock, but one that sanitizers do not make a no-op of */
        return 0;
    int error = -errno;
    (void)munlock(at, bytes); /* what was locked before the refusal; nothing, as a rule */
    return error;
}

static int linux_execute(void *at, size_t bytes)
{
    return mprotect(at, bytes, PROT_READ | PROT_WRITE | PROT_EXEC) == 0 ? 0 : -errno;
}

static int linux_drop(void *at, size_t bytes)
{
    return madvise(at, bytes, MADV_DONTNEED_LOCKED) == 0 ? 0 : -errno;
}

/* For file systems that cannot make a file without a name. */
static int backing_unlinked(const char *dir)
{
    char path[BACKING_PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/poolbench.XXXXXX", dir);
    if (length < 0 || (size_t)length >= sizeof path)
        return -ENAMETOOLONG;
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        return -errno;
    if (unlink(path) != 0) {
        int error = -errno;
        (void)close(file);
        return error;
    }
    return file;
}

static int linux_file(const char *dir)
{
    int file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, S_IRUSR | S_IWUSR);
    if (file >= 0)
        return file;
    /* a file system without it says EOPNOTSUPP, a kernel without it EISDIR */
    return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? backing_unlinked(dir)
                                                                     : -errno;
}

static int linux_map(int file, void *at, size_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes)
        return -EFBIG; /* asked for, it would come as a signal */
    if (ftruncate(file, (off_t)bytes) != 0)
        return -errno;
    if (mmap(at, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file, 0) == MAP_FAILED)
        return -errno;
    return madvise(at, bytes, MADV_RANDOM) == 0 ? 0 : -errno;
}

static int linux_allocate(int file, size_t from, size_t bytes)
{
    int error;
    do
        error = posix_fallocate(file, (off_t)from, (off_t)bytes);
    while (error == EINTR);
    return -error;
}

/* The last resort, where the file system can neither zero a range nor make a hole, writes zeros. */
static int linux_clear(int file, size_t from, void *at, size_t bytes)
{
    static const int modes[] = {FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (fallocate(file, modes[i], (off_t)from, (off_t)bytes) == 0)
            return 0;
        if (errno != EOPNOTSUPP && errno != ENOSYS)
            return -errno;
    }
    memset(at, 0, bytes);
    return madvise(at, bytes, MADV_DONTNEED) == 0 ? 0 : -errno;
}

/* 1 if a page of the piece is in memory, 0 if none, or -errno. */
static int backing_resident(unsigned char *at, size_t bytes)
{
    unsigned char in_core[BACKING_MINCORE];
    const size_t page = pb_page_bytes();
    while (bytes > 0) {
        size_t piece = bytes < BACKING_MINCORE * page ? bytes : BACKING_MINCORE * page;
        if (mincore(at, piece, in_core) != 0)
            return -errno;
        for (size_t i = 0; i < piece / page; i++)
            if (in_core[i] & 1)
                return 1;
        at += piece;
        bytes -= piece;
    }
    return 0;
}

/* Unmaps the pages (which leaves their content with the file), writes them out and drops them. */
static int backing_evict_once(int file, size_t from, void *at, size_t bytes)
{
    if (madvise(at, bytes, MADV_DONTNEED) != 0 || msync(at, bytes, MS_SYNC) != 0)
        return -errno;
    (void)madvise(at, bytes, MADV_PAGEOUT); /* helps where another process has them mapped */
    return -posix_fadvise(file, (off_t)from, (off_t)bytes, POSIX_FADV_DONTNEED);
}

/* The system may hold a page for a moment longer: then it is asked again. */
static int linux_evict(int file, size_t from, void *at, size_t bytes)
{
    struct statfs fs;
    if (fstatfs(file, &fs) != 0)
        return -errno;
    if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
        return -ENOTSUP;
    int error = 0, resident = 1;
    for (unsigned i = 0; i < BACKING_EVICTIONS && error == 0 && resident == 1; i++) {
        error = backing_evict_once(file, from, at, bytes);
        resident = error == 0 ? backing_resident(at, bytes) : 0;
    }
    if (error != 0)
        return error;
    return resident == 1 ? -EAGAIN : resident;
}

const struct pb_pages_backing_system pb_pages_backing_linux = {.lock = linux_lock,
                                                               .execute = linux_execute,
                                                               .drop = linux_drop,
                                                               .file = linux_file,
                                                               .map = linux_map,
                                                               .allocate = linux_allocate,
                                                               .clear = linux_clear,
                                                               .evict = linux_evict};
const struct pb_pages_backing_system *pb_pages_backing_system = &pb_pages_backing_linux;
