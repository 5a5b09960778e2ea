/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recorder: which message between elements was sent for which request, and what became of it. It
 * sees what the oracle sees (sends with `observed`, reports, arrivals) and exists only if the sink
 * wants messages. It steers nothing and keeps no key bits.
 *
 * A message belongs to the request whose identifiers it carries: its own message ID if it was sent
 * before, the ID of the message that it answers, KMA-key or KSA-key ID, frame numbers. Messages that
 * carry none (route, session, grant request, the record layer's handshake) belong to the request
 * whose message made their sender send them; they may serve others too, which then have fewer.
 *   recorder.c        messages on their way, rows for the sink
 *   recorder_names.c  from identifiers to requests */
#ifndef WATCH_RECORDER_H
#define WATCH_RECORDER_H

#include "core/base/out.h"
#include "scenarios/outcome.h"
#include "watch/fate.h"

struct watch_recorder;

/* NULL without memory. The sink must outlive it. */
struct watch_recorder *watch_recorder_new(const struct scn_sink *sink);
void watch_recorder_free(struct watch_recorder *recorder);

/* Takes in what a step reports, before its sends: requests get the numbers from opened + 1, as
 * statistics will give them. 0 or QKD_ERR_NOMEM. */
int watch_recorder_facts(struct watch_recorder *recorder, const struct qkd_out *out,
                         uint64_t opened);

/* A message as it is sent. */
struct watch_recorder_sight {
    const struct qkd_send *send;
    const uint8_t *bytes, *observed; /* observed: NULL if none */
    int64_t now_ns;
    uint64_t cause; /* request whose message its sender answers to; 0: none */
};

/* The handle for its packet; 0: no request's, or handed over already. */
uint32_t watch_recorder_send(struct watch_recorder *recorder,
                             const struct watch_recorder_sight *sight);

/* A handle that only hands `cause` on to whom it reaches. */
uint32_t watch_recorder_carry(struct watch_recorder *recorder, uint64_t cause);

/* A packet with a handle was copied or dropped on its way. */
void watch_recorder_fate(struct watch_recorder *recorder, uint32_t handle, enum watch_fate fate);

/* It arrived; present: somebody was there. The request that it belongs to; 0: several. */
uint64_t watch_recorder_arrive(struct watch_recorder *recorder, uint32_t handle, int64_t now_ns,
                               bool present);

/* The end of the run: what is still on its way. */
void watch_recorder_finish(struct watch_recorder *recorder);

/* An allocation failed; some messages are missing. */
bool watch_recorder_failed(const struct watch_recorder *recorder);

#endif
