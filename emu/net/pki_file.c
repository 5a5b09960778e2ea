/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairs of files: both grow beside their places, then take them. Between the two renames nothing can
 * fail but the file system itself; then a new key without its certificate is taken away again. */
#include "emu/net/pki_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/file.h"

#define PARTIAL ".partial"

static int io_failed(struct emu_why *why, const char *path)
{
    return emu_fail(why, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

static int place_check(const char *path, bool force, struct emu_why *why)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? QKD_OK : io_failed(why, path);
    }
    if (!force) {
        return emu_fail(why, QKD_ERR_EXISTS, "%s: exists already; --force overwrites it", path);
    }
    return S_ISREG(st.st_mode)
               ? QKD_OK
               : emu_fail(why, QKD_ERR_INVALID,
                          "%s: is not a regular file and cannot be replaced by one", path);
}

int emu_pki_pair_check(const struct emu_pki_files *files, bool force, struct emu_why *why)
{
    int err = place_check(files->key, force, why);
    return err == QKD_OK ? place_check(files->certificate, force, why) : err;
}

/* What goes where. */
struct piece {
    const char *path;
    char partial[EMU_PKI_PATH_SIZE + sizeof PARTIAL];
    const void *bytes;
    size_t len;
    mode_t mode;
};

static int grow(struct piece *piece, struct emu_why *why)
{
    snprintf(piece->partial, sizeof piece->partial, "%s" PARTIAL, piece->path);
    (void)unlink(piece->partial); /* left by an earlier try */
    int fd = open(piece->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, piece->mode);
    if (fd < 0) {
        return io_failed(why, piece->path);
    }
    bool good = emu_file_put(fd, piece->bytes, piece->len) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    errno = saved;
    return good ? QKD_OK : io_failed(why, piece->path);
}

static int place(const struct piece *piece, bool force, struct emu_why *why)
{
    if (force) {
        return rename(piece->partial, piece->path) == 0 ? QKD_OK : io_failed(why, piece->path);
    }
    if (link(piece->partial, piece->path) != 0) { /* unlike rename() it never replaces */
        int err = errno == EEXIST ? QKD_ERR_EXISTS : QKD_ERR_IO;
        (void)io_failed(why, piece->path);
        return err;
    }
    return QKD_OK;
}

int emu_pki_pair_write(const struct emu_pki_files *files, const struct emu_pki_pair *pair,
                       bool force, struct emu_why *why)
{
    struct piece key = {files->key, "", pair->key, pair->key_len, 0600};
    struct piece certificate = {files->certificate, "", pair->certificate, pair->certificate_len,
                                0644};
    int err = emu_pki_pair_check(files, force, why);
    if (err != QKD_OK) {
        return err;
    }
    err = grow(&key, why);
    if (err == QKD_OK) {
        err = grow(&certificate, why);
    }
    if (err == QKD_OK) {
        err = place(&key, force, why);
        if (err == QKD_OK) {
            err = place(&certificate, force, why);
            if (err != QKD_OK) {
                (void)unlink(key.path);
            }
        }
    }
    (void)unlink(key.partial);
    (void)unlink(certificate.partial);
    return err;
}
