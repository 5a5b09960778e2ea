/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads unlock secrets. read(2), not stdio, so that no buffer of the C library keeps a copy. */
#include "emu/store/unlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"

#define EMU_UNLOCK_ROOM                                                                            \
    (EMU_UNLOCK_MAX + 2) /* a line end, and one more to see that it is too long */

/* Takes the secret out of what was read. */
static int take(struct emu_unlock *unlock, const uint8_t *bytes, size_t len, const char *place,
                struct emu_why *why)
{
    if (len > 0 && bytes[len - 1] == '\n') {
        len--;
    }
    if (len < EMU_UNLOCK_MIN || len > EMU_UNLOCK_MAX) {
        return emu_fail(why, QKD_ERR_RANGE, "%s: an unlock secret has %d to %d bytes", place,
                        EMU_UNLOCK_MIN, EMU_UNLOCK_MAX);
    }
    memcpy(unlock->bytes, bytes, len);
    unlock->len = len;
    return 0;
}

static int read_open(struct emu_unlock *unlock, int fd, const char *file, struct emu_why *why)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return emu_fail(why, QKD_ERR_IO, "%s: not a regular file", file);
    }
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return emu_fail(why, QKD_ERR_DENIED,
                        "%s: an unlock secret must be closed to group and others (chmod 600)",
                        file);
    }
    uint8_t bytes[EMU_UNLOCK_ROOM];
    size_t len = 0;
    ssize_t n = 1;
    while (n != 0 && len < sizeof bytes) {
        n = read(fd, bytes + len, sizeof bytes - len);
        if (n < 0 && errno != EINTR) {
            crypto_wipe(bytes, sizeof bytes);
            return emu_fail(why, QKD_ERR_IO, "%s: cannot be read: %s", file, strerror(errno));
        }
        len += n > 0 ? (size_t)n : 0;
    }
    int err = take(unlock, bytes, len, file, why);
    crypto_wipe(bytes, sizeof bytes);
    return err;
}

static int read_file(struct emu_unlock *unlock, const char *file, struct emu_why *why)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return emu_fail(why, errno == ENOENT ? QKD_ERR_UNKNOWN : QKD_ERR_IO,
                        "%s: cannot be read: %s", file, strerror(errno));
    }
    int err = read_open(unlock, fd, file, why);
    (void)close(fd);
    return err;
}

int emu_unlock_read(struct emu_unlock *unlock, const char *file, const char *variable,
                    struct emu_why *why)
{
    QKD_ASSERT(file != NULL || variable != NULL);
    unlock->len = 0;
    if (file != NULL) {
        return read_file(unlock, file, why);
    }
    char *text = getenv(variable);
    if (text == NULL) {
        return emu_fail(why, QKD_ERR_UNKNOWN, "the environment variable %s is not set", variable);
    }
    size_t len = strlen(text);
    int err = take(unlock, (const uint8_t *)text, len, variable, why);
    crypto_wipe(text, len);
    (void)unsetenv(variable);
    return err;
}

void emu_unlock_wipe(struct emu_unlock *unlock)
{
    crypto_wipe(unlock, sizeof *unlock);
}
