/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest of a run: a keyed 64-bit hash over every message as it reaches its element (when, from, to,
 * reference point, length, last 16 bytes). Sealed messages end in their authentication tag, so that
 * the digest covers all of their bytes. Same seed, same digest (per binary: numbers are hashed as
 * they lie in memory). */
#ifndef WATCH_TRACE_H
#define WATCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"

enum { WATCH_TRACE_ENTRY = 48, WATCH_TRACE_BATCH = 32 };

struct watch_trace {
    uint64_t digest; /* of the batches folded so far */
    uint64_t count;  /* entries in all */
    uint32_t fill;   /* entries not yet folded */
    uint8_t batch[WATCH_TRACE_BATCH][WATCH_TRACE_ENTRY];
};

struct watch_trace_event {
    int64_t now_ns;
    struct qkd_eid from, to;
    uint32_t what; /* reference point, or a code of the world's */
    const uint8_t *bytes;
    size_t len;
};

/* Zero-initialise. */
void watch_trace_add(struct watch_trace *trace, const struct watch_trace_event *event);

/* The digest of all entries so far. */
uint64_t watch_trace_digest(const struct watch_trace *trace);

#endif
