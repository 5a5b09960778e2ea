/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files and folders of a deployment: written once, whole, with the mode that is meant. */
#ifndef EMU_FOLDER_H
#define EMU_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "emu/base/why.h"

#define EMU_PATH_SIZE 1024 /* bytes of a path, with its final zero */

/* Joins two parts of a path with a slash; the second may be "". QKD_ERR_RANGE: too long. */
int emu_path_join(char to[EMU_PATH_SIZE], const char *folder, const char *name,
                  struct emu_why *why);

/* Makes a folder; whether its owner alone may enter is up to mode, not to the umask. QKD_ERR_EXISTS,
 * QKD_ERR_IO. */
int emu_folder_make(const char *path, mode_t mode, struct emu_why *why);

/* Writes a new file with this very mode. QKD_ERR_EXISTS, QKD_ERR_IO. */
int emu_file_write(const char *path, mode_t mode, const void *bytes, size_t len,
                   struct emu_why *why);

/* Copies a regular file of at most 1 MiB to a new one. QKD_ERR_EXISTS, QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_file_copy(const char *from, const char *to, mode_t mode, struct emu_why *why);

/* Removes a folder and all that is in it, to a depth of eight; links are removed, not followed.
 * QKD_ERR_IO; what is not there is no error. */
int emu_folder_remove(const char *path, struct emu_why *why);

/* Overwrites a file with zeros, and removes it. What lies below the file system (copies on write, worn
 * cells) is out of reach. None there: QKD_OK. QKD_ERR_IO. */
int emu_file_shred(const char *path, struct emu_why *why);

#endif
