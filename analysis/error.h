/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What went wrong in analysis, in words for people. */
#ifndef ANA_ERROR_H
#define ANA_ERROR_H

#define ANA_ERROR_SIZE 1024

/* Set by functions that return an error code; untouched by those that succeed. */
struct ana_error {
    char text[ANA_ERROR_SIZE];
};

/* Writes a printf-like text (cut to fit) and returns err, for `return ana_fail(...)`. */
int ana_fail(struct ana_error *error, int err, const char *format, ...);

#endif
