/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads whole files into memory that is wiped. */
#include "emu/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "core/base/err.h"

static int check(const char *path, const struct emu_file_rule *rule, int fd, struct emu_why *why)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return emu_fail(why, QKD_ERR_IO, "%s: not a regular file", path);
    }
    if (rule->secret != NULL && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return emu_fail(why, QKD_ERR_DENIED,
                        "%s: %s must be closed to group and others (chmod 600)", path,
                        rule->secret);
    }
    return 0;
}

/* As much as is there when it is read, whatever its size was before. */
static int fill(const char *path, const struct emu_file_rule *rule, int fd, struct emu_file *file,
                struct emu_why *why)
{
    ssize_t n = 1;
    while (n != 0 && file->len <= rule->most) {
        n = read(fd, file->bytes + file->len, rule->most + 1 - file->len);
        if (n < 0 && errno != EINTR) {
            return emu_fail(why, QKD_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        }
        file->len += n > 0 ? (size_t)n : 0;
    }
    if (file->len > rule->most) {
        return emu_fail(why, QKD_ERR_RANGE, "%s: is longer than %zu bytes", path, rule->most);
    }
    file->bytes[file->len] = 0;
    return 0;
}

bool emu_file_put(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

int emu_file_read(const char *path, const struct emu_file_rule *rule, struct emu_file *file,
                  struct emu_why *why)
{
    *file = (struct emu_file){.bytes = NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return emu_fail(why, errno == ENOENT ? QKD_ERR_UNKNOWN : QKD_ERR_IO,
                        "%s: cannot be read: %s", path, strerror(errno));
    }
    int err = check(path, rule, fd, why);
    if (err == 0) {
        file->bytes = malloc(rule->most + 1);
        err = file->bytes == NULL ? emu_fail(why, QKD_ERR_NOMEM, "no memory for %s", path)
                                  : fill(path, rule, fd, file, why);
    }
    (void)close(fd);
    if (err != 0) {
        emu_file_wipe(file);
    }
    return err;
}

void emu_file_wipe(struct emu_file *file)
{
    if (file->bytes != NULL) {
        sodium_memzero(file->bytes, file->len);
        free(file->bytes);
    }
    *file = (struct emu_file){.bytes = NULL};
}
