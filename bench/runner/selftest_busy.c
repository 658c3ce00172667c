/* SPDX-License-Identifier: MIT */
/* The busy neighbour: selftest_busy.h. */
#include "runner/selftest_busy.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void spin(int unit, pid_t parent)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)unit, &set);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || sched_setaffinity(0, sizeof set, &set) != 0)
        _exit(1);
    for (volatile unsigned long turns = 0;; turns++)
        ;
}

pid_t pb_busy_start(int unit)
{
    if (unit < 0 || unit >= CPU_SETSIZE) {
        errno = EINVAL;
        return -1;
    }
    pid_t parent = getpid(), neighbour = fork();
    if (neighbour == 0)
        spin(unit, parent);
    return neighbour;
}

void pb_busy_stop(pid_t neighbour)
{
    if (neighbour <= 0)
        return;
    kill(neighbour, SIGKILL);
    while (waitpid(neighbour, NULL, 0) < 0 && errno == EINTR)
        ;
}
