/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text that grows. */
#include "scenarios/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/mem.h"

static void bytes_add(struct scn_buffer *buffer, const char *text, size_t len)
{
    if (buffer->failed) {
        return;
    }
    if (buffer->len + len + 1 > buffer->room) {
        size_t room = (buffer->len + len + 1) * 2;
        char *grown = scn_mem_resize(buffer->text, room, 1);
        if (grown == NULL) {
            buffer->failed = true;
            return;
        }
        buffer->text = grown;
        buffer->room = room;
    }
    memcpy(buffer->text + buffer->len, text, len);
    buffer->len += len;
    buffer->text[buffer->len] = '\0';
}

void scn_buffer_add(struct scn_buffer *buffer, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text) {
        buffer->failed = true;
        return;
    }
    bytes_add(buffer, text, (size_t)len);
}

void scn_buffer_text(struct scn_buffer *buffer, const char *text)
{
    bytes_add(buffer, text, strlen(text));
}

void scn_buffer_quoted(struct scn_buffer *buffer, const char *text)
{
    bytes_add(buffer, "\"", 1);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            char pair[2] = {'\\', *text};
            bytes_add(buffer, pair, 2);
        } else if (c < 0x20 || c == 0x7f) {
            scn_buffer_add(buffer, "\\u%04x", c);
        } else {
            bytes_add(buffer, text, 1);
        }
    }
    bytes_add(buffer, "\"", 1);
}

char *scn_buffer_take(struct scn_buffer *buffer)
{
    if (buffer->failed) {
        scn_mem_free(buffer->text);
        buffer->text = NULL;
    }
    char *text = buffer->text;
    *buffer = (struct scn_buffer){0};
    return text;
}
