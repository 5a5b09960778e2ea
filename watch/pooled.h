/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of pooled keys as the watch sees them: several keys that nobody has asked for yet, each with a compare
 * key behind it and an ID of its own, which follows from that of the frame (docs/protocol.md, "Pooled supply").
 * Written against the protocol, not against core/km. */
#ifndef WATCH_POOLED_H
#define WATCH_POOLED_H

#include "core/wire/codec.h"

/* Whether the keys of a relay body are for a pool. */
bool watch_is_pooled(const struct wire_relay_body *body);

/* The ID of key `index` of a frame. */
void watch_pooled_id(const struct qkd_id *frame, uint32_t index, struct qkd_id *id);

#endif
