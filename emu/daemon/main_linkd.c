/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qkdn-linkd: both ends of a QKD link as a process. */
#include "emu/daemon/daemon.h"

int main(int argc, char **argv)
{
    return emu_daemon_main(argc, argv, EMU_LINKD);
}
