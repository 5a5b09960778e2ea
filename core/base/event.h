/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The port, inward half: what a world may tell an element. The outward half is base/out.h.
 *
 *   int      X_step(struct X *x, const struct qkd_event *event, struct qkd_out *out);
 *   qkd_time X_deadline(const struct X *x);
 *
 * START comes first and once. RECV hands over bytes that crossed a reference point. TIMEOUT says
 * that the deadline has come (an early one is legal and does nothing). PEER says that a transport
 * to a peer went up or down (a hint: channels may lose anything at any time). CONFIG carries one
 * encoded configuration message (WIRE_CFG_* in wire/messages.h).
 *
 * A negative return leaves the element unchanged and means a programming or resource error; bad
 * bytes from a peer are never an error: they are counted, reported, dropped. */
#ifndef QKD_BASE_EVENT_H
#define QKD_BASE_EVENT_H

#include <stddef.h>

#include "core/base/id.h"
#include "core/base/time.h"

enum qkd_event_type { QKD_EV_START, QKD_EV_RECV, QKD_EV_TIMEOUT, QKD_EV_PEER, QKD_EV_CONFIG };

/* One live persisted entry, handed back at START in (kind, key) order. */
struct qkd_record {
    uint8_t kind;         /* enum wire_persist_kind */
    uint8_t key_len;      /* bytes of key, at most 32 */
    uint8_t key[32];      /* the entry's key */
    const uint8_t *value; /* encoded value; valid during the step */
    size_t value_len;     /* bytes of value */
};

struct qkd_event {
    enum qkd_event_type type;
    struct qkd_time now;  /* monotonic at this node; void after a restart */
    struct qkd_time wall; /* UTC at this node; may jump, never compared between nodes */
    union {
        struct {
            const struct qkd_record *records; /* recovered state of this element */
            size_t count;                     /* number of records */
            uint8_t seed[32];                 /* fresh randomness for this incarnation */
            uint32_t incarnation;             /* 1, 2, 3, ...: grows at each start */
            bool replaced;                    /* the store was made in place of one that was lost */
        } start;
        struct {
            enum qkd_rp rp;       /* reference point the bytes crossed */
            struct qkd_eid from;  /* as the transport says: not authenticated */
            struct qkd_eid to;    /* the element addressed */
            const uint8_t *bytes; /* untrusted */
            size_t len;
            bool told; /* whoever takes this for genuine shall say so: QKD_REPORT_TAKEN */
        } recv;
        struct {
            struct qkd_eid peer; /* the other element */
            bool up;
        } peer;
        struct {
            struct qkd_eid to;    /* the element addressed (a host serves several) */
            const uint8_t *bytes; /* one WIRE_CFG_* message; trusted */
            size_t len;
        } config;
    } u;
};

#endif
