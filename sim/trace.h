/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest of a run: a keyed 64-bit hash over every message as it reaches its element (when, from, to,
 * reference point, length, last 16 bytes). Sealed messages end in their authentication tag, so that
 * the digest covers all of their bytes. Same seed, same digest (per binary: numbers are hashed as
 * they lie in memory). */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"

enum { SIM_TRACE_ENTRY = 48, SIM_TRACE_BATCH = 32 };

struct sim_trace {
    uint64_t digest; /* of the batches folded so far */
    uint64_t count;  /* entries in all */
    uint32_t fill;   /* entries not yet folded */
    uint8_t batch[SIM_TRACE_BATCH][SIM_TRACE_ENTRY];
};

struct sim_trace_event {
    int64_t now_ns;
    struct qkd_eid from, to;
    uint32_t what; /* reference point, or a code of the world's */
    const uint8_t *bytes;
    size_t len;
};

/* Zero-initialise. */
void sim_trace_add(struct sim_trace *trace, const struct sim_trace_event *event);

/* The digest of all entries so far. */
uint64_t sim_trace_digest(const struct sim_trace *trace);

#endif
