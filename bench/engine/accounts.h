/* SPDX-License-Identifier: MIT */
/* Accounts: what the kernel says of processor time: how long a thread was ready and had no
 * processor, and what others took of a processor.
 * Source: proc(5), /proc/stat and schedstat. Threads: any. May touch: those files; never malloc. */
#ifndef PB_ACCOUNTS_H
#define PB_ACCOUNTS_H

#include <stddef.h>
#include <stdint.h>

/* Time that the calling thread has been ready to run and not running, in ns; UINT64_MAX if the
 * kernel does not say. */
uint64_t pb_run_wait_now(void);

/* Time that was taken from processors: steal, which a hypervisor gave to others, and guest, which
 * went to virtual machines that run on them. */
struct pb_taken {
    uint64_t
        jiffies;    /* of sysconf(_SC_CLK_TCK) a second, since the start, summed over processors */
    unsigned cpus;  /* that were found */
    uint64_t ticks; /* when it was read */
};

/* A line of /proc/stat: the processor's number and sum. Returns 0; -1, with nothing written, for
 * any other line and for one that does not tell them all. */
int pb_taken_parse(const char *line, unsigned *cpu, uint64_t *jiffies);

/* Sums over the processors among `cpus` (the system's numbers; some may be equal). What cannot be
 * read is not found. */
void pb_taken_read(const unsigned *cpus, size_t n, struct pb_taken *taken);

/* What was taken between two readings, as a share of the processors' time; NAN where none was
 * found. */
double pb_taken_share(const struct pb_taken *before, const struct pb_taken *after);

#endif
