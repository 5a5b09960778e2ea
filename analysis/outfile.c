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

static int outfile_open(struct ana_outfile *out, struct ana_error *error)
{
    const char *name = out->partial != NULL ? out->partial : out->path;
    if (strcmp(out->path, "-") == 0) {
        out->file = stdout;
        return QKD_OK;
    }
    out->file = fopen(name, "wb");
    return out->file == NULL ? io_failed(error, out->path) : QKD_OK;
}

int ana_outfile_begin(struct ana_outfile *out, const char *path, bool force,
                      struct ana_error *error)
{
    *out = (struct ana_outfile){0};
    bool direct = strcmp(path, "-") == 0 || is_special(path);
    int err = direct ? QKD_OK : ana_outfile_check(path, force, error);
    if (err != QKD_OK) {
        return err;
    }
    size_t size = strlen(path) + sizeof ".partial";
    out->path = malloc(size);
    out->partial = direct ? NULL : malloc(size);
    if (out->path == NULL || (!direct && out->partial == NULL)) {
        err = ana_fail(error, QKD_ERR_NOMEM, "%s: no memory", path);
    } else {
        snprintf(out->path, size, "%s", path);
        if (!direct) {
            snprintf(out->partial, size, "%s.partial", path);
        }
        err = outfile_open(out, error);
    }
    if (err != QKD_OK) {
        free(out->path);
        free(out->partial);
    }
    return err;
}

int ana_outfile_end(struct ana_outfile *out, bool keep, struct ana_error *error)
{
    bool ok = fflush(out->file) == 0 && !ferror(out->file);
    int saved = errno;
    if (out->file != stdout && fclose(out->file) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (ok && keep && out->partial != NULL && rename(out->partial, out->path) != 0) {
        ok = false;
        saved = errno;
    }
    errno = saved;
    int err = ok || !keep ? QKD_OK : io_failed(error, out->path);
    if (out->partial != NULL && (!ok || !keep)) {
        (void)remove(out->partial);
    }
    free(out->path);
    free(out->partial);
    *out = (struct ana_outfile){0};
    return err;
}

int ana_outfile_write(const char *path, bool force, struct ana_bytes bytes, struct ana_error *error)
{
    struct ana_outfile out;
    int err = ana_outfile_begin(&out, path, force, error);
    if (err != QKD_OK) {
        return err;
    }
    (void)fwrite(bytes.bytes, 1, bytes.len, out.file); /* the end looks for errors */
    return ana_outfile_end(&out, true, error);
}
