/* SPDX-License-Identifier: MIT */
/* Accounts: reads what the kernel keeps. /proc/stat is read piece by piece and only to the end of
 * the processors' lines, which come first.
 * Cost     schedstat: some 5 us. /proc/stat: some 50 us, and more with many processors; a jiffy is 10 ms,
 *          so that a short time shows none or too much */
#include "engine/accounts.h"

#include "engine/clock.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 2048 }; /* longer than a processor's line can be: 11 numbers */

uint64_t pb_run_wait_now(void)
{
    char text[96];
    uint64_t wait = UINT64_MAX;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return UINT64_MAX;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%*u %" SCNu64, &wait) == 1 ? wait : UINT64_MAX;
}

int pb_taken_parse(const char *line, unsigned *cpu, uint64_t *jiffies)
{
    unsigned number;
    uint64_t steal, guest, guest_nice; /* behind user nice system idle iowait irq softirq */
    if (strncmp(line, "cpu", 3) != 0 || isdigit((unsigned char)line[3]) == 0)
        return -1; /* the sum of all has a blank there */
    if (sscanf(line, "cpu%u %*u %*u %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64, &number,
               &steal, &guest, &guest_nice) != 4)
        return -1;
    *cpu = number;
    *jiffies = steal + guest + guest_nice;
    return 0;
}

static bool is_among(unsigned cpu, const unsigned *cpus, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cpus[i] == cpu)
            return true;
    return false;
}

/* Adds the whole lines of `text` and returns the length of what is left; -1 behind the processors'.
 */
static ssize_t add_lines(char *text, const unsigned *cpus, size_t n, struct pb_taken *taken)
{
    char *end;
    for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        unsigned cpu;
        uint64_t jiffies;
        *end = '\0';
        if (strncmp(text, "cpu", 3) != 0)
            return -1;
        if (pb_taken_parse(text, &cpu, &jiffies) == 0 && is_among(cpu, cpus, n)) {
            taken->jiffies += jiffies;
            taken->cpus++;
        }
    }
    return (ssize_t)strlen(text);
}

void pb_taken_read(const unsigned *cpus, size_t n, struct pb_taken *taken)
{
    char text[PIECE];
    size_t kept = 0;
    *taken = (struct pb_taken){.ticks = pb_ticks_begin()};
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (;;) {
        ssize_t got = read(fd, text + kept, sizeof text - 1 - kept);
        if (got <= 0)
            break;
        size_t length = kept + (size_t)got;
        text[length] = '\0';
        ssize_t left = add_lines(text, cpus, n, taken);
        if (left < 0)
            break;
        kept = (size_t)left;
        memmove(text, text + length - kept, kept);
    }
    close(fd);
}

double pb_taken_share(const struct pb_taken *before, const struct pb_taken *after)
{
    double second = (double)sysconf(_SC_CLK_TCK), wall = pb_clock_ns(after->ticks - before->ticks);
    if (before->cpus == 0 || before->cpus != after->cpus || second <= 0.0 || wall <= 0.0)
        return NAN;
    double taken =
        after->jiffies > before->jiffies ? (double)(after->jiffies - before->jiffies) : 0.0;
    return fmin(taken / second * 1e9 / (wall * before->cpus), 1.0);
}
