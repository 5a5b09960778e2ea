/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line that says why. */
#include "emu/base/why.h"

#include <stdarg.h>
#include <stdio.h>

int emu_fail(struct emu_why *why, int err, const char *format, ...)
{
    if (why != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
        for (char *c = why->text; *c != '\0'; c++) { /* texts of libraries may have several lines */
            *c = *c == '\n' || *c == '\r' ? ' ' : *c;
        }
    }
    return err;
}
