/* SPDX-License-Identifier: MIT */
/* Reading the table of tags that another process counts in (PbReadPoolTags of poolbench/nt/pool.h).
 * Source:  tags.h. The file is mapped for the time of the call and written by nobody here.
 * Threads: any. May include: nt/, pool/. */
#include "pool/tags.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file, and nothing whose opening or reading could wait. */
static int tags_open(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return -errno;
    int error = fstat(file, &status) != 0 ? -errno : 0;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = -EINVAL;
    if (error == 0)
        return file;
    (void)close(file);
    return error;
}

int PbReadPoolTags(const char *File, PSYSTEM_POOLTAG Rows, ULONG Count, PULONG Found)
{
    struct pool_tags *tags;
    int file = tags_open(File);
    if (file < 0)
        return file;
    int error = pb_pool_tags_attach(file, &tags);
    (void)close(file); /* the mapping stays */
    if (error != 0)
        return error;
    *Found = pb_pool_tags_read(tags, Rows, Count);
    pb_pool_tags_close(tags);
    return 0;
}
