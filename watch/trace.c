/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest of a run: entries are gathered and folded in batches, in order. */
#include "watch/trace.h"

#include <string.h>

#include "core/crypto/crypto.h"

enum { TAIL = 16 };

/* The digest so far keys the hash of the next batch, so that order and place count. */
static uint64_t fold(const struct watch_trace *trace)
{
    uint8_t key[16] = "qkdn tr";
    memcpy(key + 8, &trace->digest, sizeof(trace->digest));
    return crypto_hash64(key, trace->batch, (size_t)trace->fill * WATCH_TRACE_ENTRY);
}

void watch_trace_add(struct watch_trace *trace, const struct watch_trace_event *event)
{
    uint8_t *entry = trace->batch[trace->fill];
    uint64_t head[4] = {(uint64_t)event->now_ns, event->from.v, event->to.v,
                        ((uint64_t)event->what << 32) ^ event->len};
    memcpy(entry, head, sizeof(head));
    size_t tail = event->len < TAIL ? event->len : TAIL;
    memset(entry + 32, 0, TAIL);
    if (tail > 0) {
        memcpy(entry + 32, event->bytes + event->len - tail, tail);
    }
    trace->count++;
    trace->fill++;
    if (trace->fill == WATCH_TRACE_BATCH) {
        trace->digest = fold(trace);
        trace->fill = 0;
    }
}

uint64_t watch_trace_digest(const struct watch_trace *trace)
{
    return trace->fill == 0 ? trace->digest : fold(trace);
}
