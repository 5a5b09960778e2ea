/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hexadecimal text to bytes. */
#include "tests/lib/hex.h"

#include "core/base/err.h"

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    QKD_ASSERT(c >= 'a' && c <= 'f');
    return (unsigned)(c - 'a') + 10;
}

size_t hex_bytes(const char *text, uint8_t *to, size_t cap)
{
    size_t count = 0;
    for (const char *at = text; *at != '\0';) {
        if (*at == ' ') {
            at++;
            continue;
        }
        QKD_ASSERT(count < cap);
        to[count++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
        at += 2;
    }
    return count;
}
