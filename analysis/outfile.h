/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing a whole file so that it is there completely or not at all. */
#ifndef ANA_OUTFILE_H
#define ANA_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "analysis/error.h"

/* Checks that path may be created: QKD_ERR_EXISTS if a file is there and force is false,
 * QKD_ERR_INVALID if a folder is there (or anything but a file beside it under the name that the new
 * file has until it is complete), QKD_ERR_IO if its folder cannot be written to; 0 otherwise. A device
 * or pipe is good: it is written to as it is. */
int ana_outfile_check(const char *path, bool force, struct ana_error *error);

/* The same for a file that takes the place of what is there by its name: QKD_ERR_INVALID also for a
 * device or pipe, with or without force. */
int ana_outfile_replace_check(const char *path, bool force, struct ana_error *error);

/* What a command reads and what it writes; names may be NULL, or "-" for standard output. */
struct ana_files {
    const char *const *inputs;
    size_t input_count;
    const char *const *outputs;
    size_t output_count;
};

/* Checks that no output is one of the inputs and that no two outputs are the same, by what the names
 * stand for and not by the names. 0 or QKD_ERR_INVALID. Not a matter of force. */
int ana_outfile_apart(const struct ana_files *files, struct ana_error *error);

/* What goes into a file. */
struct ana_bytes {
    const char *bytes;
    size_t len;
};

/* Writes a new file, or replaces an old one if force is true. On an error nothing new is left and an
 * old file is as it was. Devices and pipes are written to as they are. */
int ana_outfile_write(const char *path, bool force, struct ana_bytes bytes,
                      struct ana_error *error);

/* The same piece by piece: what is written to .file stands beside the old file until the end. */
struct ana_outfile {
    FILE *file;
    char *path, *partial; /* partial NULL: written as it is (device, pipe, standard output) */
};

/* path "-" is standard output. QKD_ERR_EXISTS, QKD_ERR_IO, QKD_ERR_NOMEM. */
int ana_outfile_begin(struct ana_outfile *out, const char *path, bool force,
                      struct ana_error *error);

/* keep false: leaves everything as it was. 0 or QKD_ERR_IO. */
int ana_outfile_end(struct ana_outfile *out, bool keep, struct ana_error *error);

#endif
