/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks daemons at /healthz whether they are ready: many at a time, without waiting for any of them. */
#ifndef EMU_PROBE_H
#define EMU_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_PROBE_TEXT 1024

/* One question. Zero-initialised is none. */
struct emu_probe {
    bool open; /* under way */
    int fd;
    size_t sent, len;
    int64_t until_ms; /* monotonic: given up then */
    char text[EMU_PROBE_TEXT];
    char line[256]; /* the answer: first line of the body, or why there is none */
    int code;       /* of HTTP; 0: no answer */
};

/* Milliseconds of a clock that only goes forward. */
int64_t emu_probe_now_ms(void);

/* Asks at "127.0.0.1:7101" (an IP address); what comes of it is there when it is no longer open. */
void emu_probe_begin(struct emu_probe *probe, const char *address, unsigned limit_ms);

/* Goes on with all that are open, waiting for the net at most so long; ends early when one is over, or
 * at a signal. */
void emu_probe_turn(struct emu_probe *probes, size_t count, unsigned ms);

/* Gives up. */
void emu_probe_end(struct emu_probe *probe);

#endif
