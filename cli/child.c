/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processes that do not outlive their parent: see cli/child.h. */
#include "cli/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

pid_t cli_child_fork(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        /* The parent may have ended before the kernel was asked. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
            _exit(1);
        }
    }
    return pid;
}
