/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads unlock secrets. */
#include "emu/store/unlock.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "emu/base/file.h"

static int length_failed(const char *place, struct emu_why *why)
{
    return emu_fail(why, QKD_ERR_RANGE, "%s: an unlock secret has %d to %d bytes", place,
                    EMU_UNLOCK_MIN, EMU_UNLOCK_MAX);
}

/* Takes the secret out of what was read. */
static int take(struct emu_unlock *unlock, const uint8_t *bytes, size_t len, const char *place,
                struct emu_why *why)
{
    if (len > 0 && bytes[len - 1] == '\n') {
        len--;
    }
    if (len < EMU_UNLOCK_MIN || len > EMU_UNLOCK_MAX) {
        return length_failed(place, why);
    }
    memcpy(unlock->bytes, bytes, len);
    unlock->len = len;
    return 0;
}

static int read_file(struct emu_unlock *unlock, const char *path, struct emu_why *why)
{
    const struct emu_file_rule rule = {"an unlock secret", EMU_UNLOCK_MAX + 1}; /* a line end */
    struct emu_file file;
    int err = emu_file_read(path, &rule, &file, why);
    if (err == QKD_ERR_RANGE) {
        return length_failed(path, why);
    }
    err = err == 0 ? take(unlock, file.bytes, file.len, path, why) : err;
    emu_file_wipe(&file);
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
