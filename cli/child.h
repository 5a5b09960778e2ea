/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processes that work for this one and must not outlive it. */
#ifndef QKD_CLI_CHILD_H
#define QKD_CLI_CHILD_H

#include <sys/types.h>

/* fork(); the child is killed when its parent ends, however that ends (SIGKILL too). */
pid_t cli_child_fork(void);

#endif
