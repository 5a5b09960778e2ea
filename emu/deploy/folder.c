/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files and folders. */
#include "emu/deploy/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/file.h"

#define DEPTH 8
#define COPY_MAX (1U << 20)

int emu_path_join(char to[EMU_PATH_SIZE], const char *folder, const char *name, struct emu_why *why)
{
    const char *slash = name[0] == '\0' || folder[0] == '\0' ? "" : "/";
    int len = snprintf(to, EMU_PATH_SIZE, "%s%s%s", folder, slash, name);
    if (len < 0 || len >= EMU_PATH_SIZE) {
        return emu_fail(why, QKD_ERR_RANGE, "%.80s...: the path is too long", folder);
    }
    return QKD_OK;
}

static int failed(struct emu_why *why, const char *path)
{
    return emu_fail(why, errno == EEXIST ? QKD_ERR_EXISTS : QKD_ERR_IO, "%s: cannot be made: %s",
                    path, strerror(errno));
}

int emu_folder_make(const char *path, mode_t mode, struct emu_why *why)
{
    if (mkdir(path, mode) != 0 || chmod(path, mode) != 0) {
        return failed(why, path);
    }
    return QKD_OK;
}

int emu_file_write(const char *path, mode_t mode, const void *bytes, size_t len,
                   struct emu_why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return failed(why, path);
    }
    bool good = fchmod(fd, mode) == 0 && emu_file_put(fd, bytes, len);
    int saved = errno;
    if (close(fd) != 0 && good) {
        saved = errno;
        good = false;
    }
    errno = saved;
    return good ? QKD_OK : failed(why, path);
}

int emu_file_copy(const char *from, const char *to, mode_t mode, struct emu_why *why)
{
    const struct emu_file_rule rule = {NULL, COPY_MAX};
    struct emu_file file;
    int err = emu_file_read(from, &rule, &file, why);
    if (err == QKD_OK) {
        err = emu_file_write(to, mode, file.bytes, file.len, why);
    }
    emu_file_wipe(&file); /* it may be a private key */
    return err;
}

/* Recursion: at most DEPTH deep. */
static bool remove_in(int folder, const char *name, unsigned depth)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) {
        return true;
    }
    if ((errno != EISDIR && errno != EPERM) || depth == DEPTH) {
        return false;
    }
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    bool good = true;
    const struct dirent *entry = readdir(list);
    for (; entry != NULL; entry = readdir(list)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            good = remove_in(fd, entry->d_name, depth + 1) && good;
        }
    }
    (void)closedir(list);
    return good && unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

int emu_folder_remove(const char *path, struct emu_why *why)
{
    if (!remove_in(AT_FDCWD, path, 0)) {
        return emu_fail(why, QKD_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
    }
    return QKD_OK;
}

int emu_file_shred(const char *path, struct emu_why *why)
{
    static const char zeros[4096];
    struct stat about;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        return QKD_OK;
    }
    bool good = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    for (off_t at = 0; good && at < about.st_size; at += (off_t)sizeof zeros) {
        off_t left = about.st_size - at;
        good = emu_file_put(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros);
    }
    good = good && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    good = unlink(path) == 0 && good;
    return good ? QKD_OK
                : emu_fail(why, QKD_ERR_IO, "%s: cannot be wiped: %s", path, strerror(errno));
}
