/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sender of FCAPS and life-cycle reports (docs/protocol.md, "Management"), the same in module, KMA,
 * KSA, KMC and controller. Records are encoded straight into one open batch per kind; a batch
 * leaves when it is full or `period` after its first record. Reports are numbered from 1 in each
 * incarnation. With keep_bytes, a report is kept until acknowledged and repeated after 1 s; when
 * that room is full the oldest leaves and the gap shows in the numbers.
 *
 * An element that starts again (incarnation > 1) first reports a fault record with fault 0, raised 0:
 * whatever it had raised before is void.
 *
 * Nothing here fails its element: what cannot be reported is counted in `lost`. Without a receiver
 * (QKD_NOBODY) records are dropped at once. Buffers start empty and grow once to their limit. */
#ifndef QKD_CHANNEL_REPORTS_H
#define QKD_CHANNEL_REPORTS_H

#include "core/channel/channel.h"
#include "core/wire/codec.h"

#define CHAN_REPORT_FLUSH_BYTES 32768 /* default of flush_bytes */
#define CHAN_REPORT_KEEP_BYTES 262144 /* default of keep_bytes where reports are acknowledged */
#define CHAN_REPORT_REPEAT_MS 1000    /* unacknowledged reports are sent again after this */
#define CHAN_REPORT_KINDS 6           /* FAULT ... METADATA */
#define CHAN_REPORT_EVENTS 4          /* different security events under way per period */

struct chan_reports_config {
    struct qkd_eid self; /* who records and sends */
    struct qkd_eid to;   /* KMC (KMI) or manager (Mk, Mc, Mq); QKD_NOBODY: drop everything */
    enum qkd_rp rp;
    struct qkd_span period; /* a record waits at most so long; > 0 */
    uint32_t flush_bytes;   /* a batch leaves at this size; 0: CHAN_REPORT_FLUSH_BYTES */
    uint32_t keep_bytes;    /* room for unacknowledged reports; 0: no acknowledgement (KMI) */
    uint32_t fault_limit;   /* most standing faults; 0: 4096 */
};

/* One open batch: an encoded message with room for more records at its end. */
struct chan_report_batch {
    uint8_t *bytes;
    uint32_t len, cap; /* len 0: closed */
};

/* A standing fault, and a security event counted since the last flush. */
struct chan_report_fault {
    uint64_t object;
    uint64_t count; /* times raised while standing, or events */
    uint8_t fault;  /* enum wire_fault_code */
};

/* Fields are private to reports.c, but `lost` and `repeated` may be read. */
struct chan_reports {
    struct chan_set *set;                     /* borrowed */
    struct qkd_time flush_at;                 /* QKD_NEVER: nothing waits */
    struct qkd_time repeat_at;                /* QKD_NEVER: nothing unacknowledged */
    uint64_t seen_auth_failures, seen_denied; /* of chan_stats() */
    uint64_t next_seq;                        /* of the next report, from 1 */
    uint64_t kept_last_seq;                   /* of the newest report that is kept, if one is */
    uint64_t *next_message_id;                /* the element's counter, borrowed */
    struct chan_reports_config config;
    struct chan_report_batch batch[CHAN_REPORT_KINDS]; /* by command - WIRE_CMD_FAULT */
    struct chan_report_fault *standing;                /* sorted by (fault, object) */
    uint32_t standing_count, standing_cap;
    struct chan_report_fault events[CHAN_REPORT_EVENTS];
    uint32_t event_count;
    uint8_t *kept; /* encoded reports, oldest first, one after the other: [head, tail) */
    uint32_t kept_head, kept_tail, kept_cap;
    bool restarted;    /* incarnation > 1 and not yet said */
    uint64_t lost;     /* records and reports dropped for want of room */
    uint64_t repeated; /* reports sent again */
};

/* 0 or QKD_ERR_INVALID. No memory is taken yet. */
int chan_reports_init(struct chan_reports *r, const struct chan_reports_config *config);
void chan_reports_fini(struct chan_reports *r);

/* At START of the element: the channels to send by and the element's message-ID counter (the next
 * ID to use, (incarnation << 40) + 1 at first). Both outlive r. Records may be made from now on. */
void chan_reports_start(struct chan_reports *r, struct chan_set *set, uint64_t *next_message_id);

/* One record each; the caller fills every field (when = event->wall, at = itself). An account
 * record carries what was added since the last one of the same (app, peer_app), not totals. */
void chan_report_life(struct chan_reports *r, const struct qkd_event *event,
                      const struct wire_life *item, struct qkd_out *out);
void chan_report_account(struct chan_reports *r, const struct qkd_event *event,
                         const struct wire_account_record *item, struct qkd_out *out);
void chan_report_link(struct chan_reports *r, const struct qkd_event *event,
                      const struct wire_link_status *item, struct qkd_out *out);
void chan_report_configuration(struct chan_reports *r, const struct qkd_event *event,
                               const struct wire_link_config *item, struct qkd_out *out);

/* Raises or clears the fault (enum wire_fault_code) on an object. A fault that stands is not raised
 * twice (its count grows), one that does not is not cleared. True if the state changed. */
bool chan_report_raise(struct chan_reports *r, const struct qkd_event *event, uint8_t fault,
                       uint64_t object, struct qkd_out *out);
bool chan_report_clear(struct chan_reports *r, const struct qkd_event *event, uint8_t fault,
                       uint64_t object, struct qkd_out *out);

/* Whether the fault stands. */
bool chan_report_stands(const struct chan_reports *r, uint8_t fault, uint64_t object);

/* A security event (TAG_FAILURE, AUTH_FAILURE, DENIED, KEY_MISMATCH). Equal ones of one period
 * leave as one record with their count, so that a flood makes no flood of reports. */
void chan_report_security(struct chan_reports *r, const struct qkd_event *event, uint8_t fault,
                          uint64_t object, struct qkd_out *out);

/* After chan_receive() of a RECV event: reports what chan_stats() counted new (AUTH_FAILURE, DENIED;
 * object: reference point), and raises PEER_QUARANTINED; chan_reports_timeout() clears it. */
void chan_report_channels(struct chan_reports *r, const struct qkd_event *event,
                          struct qkd_out *out);

/* The element that recorded what a report says; false if the bytes are no report. The records in
 * it are not looked at. */
bool chan_report_source(struct wire_bytes message, struct qkd_eid *source);

/* Passes another element's encoded report on under own number and sender; source and records stay
 * as they are. Nothing is sent if `message` is no report. */
void chan_report_forward(struct chan_reports *r, const struct qkd_event *event,
                         struct wire_bytes message, struct qkd_out *out);

/* Sends all open batches now. */
void chan_reports_flush(struct chan_reports *r, const struct qkd_event *event, struct qkd_out *out);

/* Whether a report waits for its acknowledgement. */
bool chan_reports_waiting(const struct chan_reports *r);

/* REPORT_ACK: everything up to seq is stored. */
void chan_reports_ack(struct chan_reports *r, uint64_t seq);

/* Flushes and repeats what is due; call on TIMEOUT. */
void chan_reports_timeout(struct chan_reports *r, const struct qkd_event *event,
                          struct qkd_out *out);
struct qkd_time chan_reports_deadline(const struct chan_reports *r);

#endif
