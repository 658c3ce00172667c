/* SPDX-License-Identifier: MIT */
/* The memory limit of a cell: limit.h. */
#include "runner/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { SMALL = 256 << 20, REASON_KEPT = 150 };

void pb_limit_open(struct pb_limit *limit, uint64_t bytes)
{
    struct rlimit own;
    *limit = (struct pb_limit){.bytes = bytes, .users = UINT64_MAX};
    if (getrlimit(RLIMIT_DATA, &own) == 0 && own.rlim_cur != RLIM_INFINITY)
        limit->users = own.rlim_cur;
}

/* What counts against RLIMIT_DATA so far; 0 if unreadable. */
static uint64_t data_in_use(void)
{
    char line[128];
    uint64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmData: %" SCNu64, &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib * 1024;
}

/* Lowers what is in force, or raises it again, up to what the process began with. */
static int set(uint64_t data)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_DATA, &now) != 0)
        return -errno;
    now.rlim_cur = data != UINT64_MAX ? (rlim_t)data : RLIM_INFINITY;
    return setrlimit(RLIMIT_DATA, &now) == 0 ? 0 : -errno;
}

int pb_limit_take(struct pb_limit *limit)
{
    if (limit->bytes == 0)
        return 0;
    uint64_t used = data_in_use();
    if (used == 0)
        return -ENOTSUP;
    limit->data = limit->bytes + used;
    if (limit->data > limit->users)
        limit->data = limit->users;
    return set(limit->data);
}

void pb_limit_off(const struct pb_limit *limit)
{
    if (limit->data != 0)
        (void)set(limit->users);
}

void pb_limit_on(const struct pb_limit *limit)
{
    if (limit->data != 0)
        (void)set(limit->data);
}

bool pb_limit_is_users(const struct pb_limit *limit)
{
    if (limit->users == UINT64_MAX)
        return false;
    return limit->bytes == 0 || limit->users <= (limit->data != 0 ? limit->data : limit->bytes);
}

/* The one that counts; 0: there is none. */
static uint64_t bytes_of(const struct pb_limit *limit)
{
    return pb_limit_is_users(limit) ? limit->users : limit->bytes;
}

bool pb_limit_is_small(const struct pb_limit *limit)
{
    return bytes_of(limit) != 0 && bytes_of(limit) < SMALL;
}

bool pb_limit_is_near(const struct pb_limit *limit)
{
    struct rusage usage = {0};
    uint64_t bytes = bytes_of(limit);
    getrusage(RUSAGE_SELF, &usage);
    return pb_limit_is_small(limit) ||
           (bytes != 0 && (uint64_t)usage.ru_maxrss * 1024 >= bytes / 2);
}

void pb_limit_name(const struct pb_limit *limit, char *reason, size_t size)
{
    uint64_t bytes = bytes_of(limit);
    char amount[32];
    size_t used = strlen(reason);
    used = used < REASON_KEPT ? used : REASON_KEPT;
    if (bytes == 0)
        return;
    if (bytes < 1 << 20)
        snprintf(amount, sizeof amount, "%" PRIu64 " B", bytes);
    else
        snprintf(amount, sizeof amount, "%.1f MiB", (double)bytes / 1048576);
    snprintf(reason + used, size - used,
             pb_limit_is_users(limit)
                 ? "; the limit on data (ulimit -d) is %s: raise it"
                 : "; the memory limit is %s: raise --memory-limit, or 0 for none",
             amount);
}
