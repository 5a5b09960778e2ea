/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the recorder remembers. For recorder*.c only. */
#ifndef WATCH_RECORDER_STATE_H
#define WATCH_RECORDER_STATE_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "watch/recorder.h"

/* Identifiers that are remembered; the oldest leave first. A request brings about a dozen. */
#define WATCH_NAMES ((uint32_t)1 << 20)

/* An identifier: a key's, a message's, a session's or a frame's. */
struct watch_name {
    struct qkd_id id;
    uint64_t request; /* 0: of none, or of that of `of` */
    struct qkd_id of; /* KMA-keys: the message that asked for them */
    uint32_t sendings;
    bool acknowledged;    /* frames */
    uint8_t hop, attempt; /* RELAY frames */
};

/* A message on its way. */
struct watch_note {
    struct scn_message row;
    uint32_t copies; /* that have neither arrived nor been lost */
    uint32_t next;   /* slot + 1 of the note of another request that it serves; 0: none */
    bool arrived, silent;
};

struct watch_recorder {
    const struct scn_sink *sink;
    struct qkd_slab notes;
    struct qkd_map name_map;
    struct watch_name *names; /* ring */
    uint32_t name_cap, name_next;
    uint64_t number;
    bool failed;
};

enum { WATCH_SERVED_MOST = 64 }; /* requests that one HOP_ACK serves */

/* What a message says of itself. */
struct watch_reading {
    const char *name;
    uint32_t link, hop, attempt, sending;
    uint8_t reason;
    uint64_t requests[WATCH_SERVED_MOST];
    uint32_t count; /* 0: of no request */
};

/* ---- recorder_names.c ---- */
void watch_recorder_read(struct watch_recorder *recorder, const struct watch_recorder_sight *sight,
                         struct watch_reading *reading);

#endif
