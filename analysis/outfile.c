/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole files: a new one beside the old one, then renamed over it. */
#include "analysis/outfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"

static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int io_failed(struct ana_error *error, const char *path)
{
    return ana_fail(error, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

int ana_outfile_check(const char *path, bool force, struct ana_error *error)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            errno = EISDIR;
            return io_failed(error, path);
        }
        if (S_ISREG(st.st_mode) && !force) {
            return ana_fail(error, QKD_ERR_EXISTS,
                            "%s: exists already; --force overwrites it, or choose another name",
                            path);
        }
    }
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";
    if (slash != NULL && (size_t)(slash - path) < sizeof folder) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        memcpy(folder, path, len);
        folder[len] = '\0';
    }
    return access(folder, W_OK | X_OK) == 0 || is_special(path) ? QKD_OK : io_failed(error, path);
}

/* Writes and flushes; false with errno set if anything failed. Closes file in every case. */
static bool write_and_close(FILE *file, struct ana_bytes bytes)
{
    bool ok = fwrite(bytes.bytes, 1, bytes.len, file) == bytes.len && fflush(file) == 0;
    int saved = errno;
    if (fclose(file) != 0 && ok) {
        return false;
    }
    errno = saved;
    return ok;
}

static int write_special(const char *path, struct ana_bytes bytes, struct ana_error *error)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || !write_and_close(file, bytes)) {
        return io_failed(error, path);
    }
    return QKD_OK;
}

static int write_beside(const char *path, struct ana_bytes bytes, struct ana_error *error)
{
    size_t size = strlen(path) + sizeof ".partial";
    char *partial = malloc(size);
    if (partial == NULL) {
        return ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", path);
    }
    snprintf(partial, size, "%s.partial", path);
    int err = QKD_OK;
    FILE *file = fopen(partial, "wb");
    if (file == NULL) {
        err = io_failed(error, path);
    } else if (!write_and_close(file, bytes) || rename(partial, path) != 0) {
        err = io_failed(error, path);
        remove(partial);
    }
    free(partial);
    return err;
}

int ana_outfile_write(const char *path, bool force, struct ana_bytes bytes, struct ana_error *error)
{
    if (is_special(path)) {
        return write_special(path, bytes, error);
    }
    int err = ana_outfile_check(path, force, error);
    return err != QKD_OK ? err : write_beside(path, bytes, error);
}
