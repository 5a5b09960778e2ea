/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts of analysis errors. */
#include "analysis/error.h"

#include <stdarg.h>
#include <stdio.h>

int ana_fail(struct ana_error *error, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return err;
}
