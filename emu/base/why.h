/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a call of the live world failed, as one line for people. */
#ifndef EMU_WHY_H
#define EMU_WHY_H

#define EMU_WHY_SIZE 512

struct emu_why {
    char text[EMU_WHY_SIZE]; /* no final dot or line end; cut if too long */
};

/* Writes the line as printf (why NULL: nowhere) and returns err. */
int emu_fail(struct emu_why *why, int err, const char *format, ...);

#endif
