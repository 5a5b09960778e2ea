/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qkdn-mgrd: the QKDN manager as a process. */
#include "emu/daemon/daemon.h"

int main(int argc, char **argv)
{
    return emu_daemon_main(argc, argv, EMU_MGRD);
}
