/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text that grows, for the printers. Internal to scenarios/. */
#ifndef SCN_BUFFER_H
#define SCN_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct scn_buffer {
    char *text; /* zero-terminated once anything was added */
    size_t len, room;
    bool failed; /* memory ended: nothing is added any more */
};

/* Appends, as printf; at most 512 bytes at a time. */
void scn_buffer_add(struct scn_buffer *buffer, const char *format, ...);

/* Appends a text of any length. */
void scn_buffer_text(struct scn_buffer *buffer, const char *text);

/* Appends a text in double quotes, escaped as JSON (which is YAML too). */
void scn_buffer_quoted(struct scn_buffer *buffer, const char *text);

/* Moves the text out (to be freed with free()); NULL if memory ended. */
char *scn_buffer_take(struct scn_buffer *buffer);

#endif
