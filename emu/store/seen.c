/* SPDX-License-Identifier: GPL-3.0-or-later */
/* opened.NAME: one decimal number and a line end, replaced whole. */
#include "emu/store/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/file.h"

enum { PATH_ROOM = 4096, NUMBER_ROOM = 16, DECIMAL = 10 };

static bool path_of(const char *store, const char *ending, char path[PATH_ROOM])
{
    const char *slash = strrchr(store, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - store);
    int n = snprintf(path, PATH_ROOM, "%.*sopened.%s%s", folder, store, store + folder, ending);
    return n > 0 && n < PATH_ROOM;
}

static int read_number(const char *path, uint32_t *count, struct emu_why *why)
{
    struct emu_file file = {.bytes = NULL};
    const struct emu_file_rule rule = {NULL, NUMBER_ROOM};
    int err = emu_file_read(path, &rule, &file, why);
    if (err == QKD_ERR_UNKNOWN) {
        return 0; /* never opened */
    }
    if (err == 0) {
        char *end = NULL;
        const char *text = (const char *)file.bytes;
        unsigned long long number = strtoull(text, &end, DECIMAL);
        bool good = file.len > 1 && text[0] >= '1' && text[0] <= '9' &&
                    end == text + file.len - 1 && *end == '\n' && number <= UINT32_MAX;
        *count = good ? (uint32_t)number : 0;
        err = good ? 0 : QKD_ERR_FORMAT;
    } else if (err == QKD_ERR_RANGE) {
        err = QKD_ERR_FORMAT;
    }
    emu_file_wipe(&file);
    return err == QKD_ERR_FORMAT ? emu_fail(why, err,
                                            "%s: damaged: expected how often the key store was "
                                            "opened, and no more",
                                            path)
                                 : err;
}

int emu_seen_get(const char *store, uint32_t *count, struct emu_why *why)
{
    char path[PATH_ROOM];
    *count = 0;
    return path_of(store, "", path) ? read_number(path, count, why)
                                    : emu_fail(why, QKD_ERR_IO, "%s: too long a name", store);
}

static bool flush_folder(char *path)
{
    int fd = open(dirname(path), O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

int emu_seen_put(const char *store, uint32_t count, struct emu_why *why)
{
    char path[PATH_ROOM];
    char place[PATH_ROOM];
    char text[NUMBER_ROOM];
    if (!path_of(store, "", path) || !path_of(store, ".new", place)) {
        return emu_fail(why, QKD_ERR_IO, "%s: too long a name", store);
    }
    int len = snprintf(text, sizeof text, "%lu\n", (unsigned long)count);
    int fd = open(place, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && emu_file_put(fd, text, (size_t)len) && fsync(fd) == 0;
    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    if (!good || rename(place, path) != 0) {
        return emu_fail(why, QKD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    }
    return flush_folder(place)
               ? 0
               : emu_fail(why, QKD_ERR_IO, "%s: its folder cannot be flushed", path);
}
