/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The port, outward half: what an element wants done. step() appends; the world makes all of
 * `persist` durable by one commit, then executes `send` and `report` in order, then resets.
 * Nothing leaves before everything persisted in the same batch.
 *
 * A reply (an answer at Ak) is a send with QKD_SEND_REPLY set: worlds that must find the waiting
 * client look at the flag, the others need not.
 *
 * Bytes live in one arena and are named by offset, so that growth moves nothing that is held.
 * `observed` is the message before sealing: only the oracle and the trace read it; it is wiped
 * at reset together with everything else.
 *
 * Working memory of a step (an opened record, a message under construction) comes from here too:
 * one piece of it, always warm, serves all elements of a world. */
#ifndef QKD_BASE_OUT_H
#define QKD_BASE_OUT_H

#include <stddef.h>

#include "core/base/id.h"
#include "core/base/time.h"

/* A range of the arena. */
struct qkd_slice {
    uint32_t at;
    uint32_t len;
};

enum qkd_send_flags {
    QKD_SEND_REPLY = 1,     /* answer to an application (Ak) */
    QKD_SEND_DELIVERED = 2, /* the host already handed it to a sibling element: only observe it */
    QKD_SEND_KEYS = 4 /* key in clear, for inside this node: never onto a network or into a log */
};

struct qkd_send {
    enum qkd_rp rp;
    uint32_t flags; /* enum qkd_send_flags */
    struct qkd_eid from;
    struct qkd_eid to;
    struct qkd_slice bytes;    /* what leaves */
    struct qkd_slice observed; /* the same message before sealing; len 0 for handshakes */
};

struct qkd_persist {
    struct qkd_eid owner; /* element whose store it is */
    bool del;             /* delete instead of put */
    uint8_t kind;         /* enum wire_persist_kind */
    uint8_t key_len;
    uint8_t key[32];
    struct qkd_slice value;
};

/* Facts for metrics and logs; they never steer anything. */
enum qkd_report_code {
    QKD_REPORT_WANT_SECRET,  /* who needs CFG_PEER for peer at rp (a = rp) */
    QKD_REPORT_BAD_BYTES,    /* a = rp, b = -err, peer = claimed sender */
    QKD_REPORT_AUTH_FAILURE, /* a = rp, peer = claimed sender */
    QKD_REPORT_PEER_UP,      /* a = rp: channel to peer authenticated both ways; KMA, b = 1: the
                                adjacency with its neighbour is made */
    QKD_REPORT_PEER_DOWN,    /* a = rp; b = 1: the adjacency is lost */
    QKD_REPORT_REQUEST,      /* app: request opened; id = request, a = bits, b = keys */
    QKD_REPORT_OUTCOME,      /* app: id = request, a = enum wire_outcome, b = enum wire_reason,
                                c = supplied bits, d = grade */
    QKD_REPORT_FETCHED,      /* slave app: id = KSA-key ID, a = bits, peer = master app */
    QKD_REPORT_FETCH_FAILED, /* slave app: id = KSA-key ID, a = enum wire_reason */
    QKD_REPORT_KEY,          /* master app: id = request, id2 = KSA-key ID it was answered with */
    QKD_REPORT_POOL,         /* KMA: a = link, b = own free payload bits, c = the peer's,
                                d = stored bits, e = own bits without tails that pay no key */
    QKD_REPORT_POOL_EMPTY,   /* KMA: a = link, b = 1 exhausted, 0 recovered */
    QKD_REPORT_ROUTE,        /* KMA: id = request's first KMA-key ID, a = hops, b = 1 rerouted,
                                c = 1 unasked, 2 used on without a controller: d = its age
                                in ms, 3 of the controller's table: d = its version */
    QKD_REPORT_RELAY,        /* KMA: id = KMA-key ID, a = link, b = hop number, c = bits of pad */
    QKD_REPORT_PIECE,        /* KMA: id = KMA-key ID made for a need, a = that need's message ID */
    QKD_REPORT_RETRANSMIT,   /* KMA: a = link, b = frame type */
    QKD_REPORT_TAG_FAILURE,  /* KMA: a = link */
    QKD_REPORT_ALARM,        /* manager: a = enum wire_fault_code, b = 1 raised, 0 cleared,
                                peer = element concerned, c = object */
    QKD_REPORT_LIFE,         /* manager: one life-cycle record in `bytes` (wire_life) */
    QKD_REPORT_SESSION,      /* app: id = session, a = enum qkd_session_event, b = enum
                                wire_reason, c = bits of key per second */
    QKD_REPORT_RESERVED,     /* controller: a = link, b = bits per second reserved on it from now
                                on, c = bits per second that may be */
    QKD_REPORT_REROUTE,      /* controller: a = link that is no good any more, b = routes over it
                                for which there is another one, c = for which there is none,
                                d = enum qkd_worse */
    QKD_REPORT_FALLBACK,     /* KMA: a = link, b = 1 keys cross it under AES-256 from now on, 0 no
                                longer, 2 one does: id = its KMA-key ID */
    QKD_REPORT_TERM,  /* controller: a = the term in which it is in charge from now on, 0: it is
                                not; b = the highest it knows of */
    QKD_REPORT_SHARE, /* KMA: peer = source application, a = link whose key it has its share of
                         already, b = bytes that it lacks there, c = 1 within its guaranteed rate */
    QKD_REPORT_TAKEN, /* a RECV event that was to be told of was taken for genuine: a = rp, peer =
                                claimed sender, b = 1: a frame by its tag, 2: a handshake that was answered */
    QKD_REPORT_COUNT
};

/* Why a link is no good any more. */
enum qkd_worse { QKD_WORSE_DOWN, QKD_WORSE_LOW, QKD_WORSE_NOISE, QKD_WORSE_TAGS };

/* What becomes of a session with a guaranteed rate, as its application sees it. */
enum qkd_session_event {
    QKD_SESSION_OFFERED,
    QKD_SESSION_ADMITTED,
    QKD_SESSION_REFUSED, /* never admitted */
    QKD_SESSION_CLOSED,  /* at its end */
    QKD_SESSION_BROKEN   /* before */
};

struct qkd_report {
    enum qkd_report_code code;
    struct qkd_eid who;  /* the element that reports */
    struct qkd_eid peer; /* the other party, if any */
    struct qkd_id id;
    struct qkd_id id2;
    uint64_t a, b, c, d, e; /* as the code says */
    struct qkd_slice bytes; /* as the code says; else empty */
};

struct qkd_scratch; /* a piece of working memory */

struct qkd_out {
    struct qkd_send *send;
    size_t send_count, send_cap;
    struct qkd_persist *persist;
    size_t persist_count, persist_cap;
    struct qkd_report *report;
    size_t report_count, report_cap;
    uint8_t *arena;
    size_t arena_len, arena_cap;
    size_t arena_limit;          /* bytes; appending beyond it is QKD_ERR_LIMIT */
    struct qkd_scratch *scratch; /* the newest piece */
    uint32_t checks; /* of tags, in this step: the dearest that a stranger's bytes can cost */
    bool failed;     /* an append failed: the batch must be dropped with the element's error */
};

/* Heap-free when unused; grows on demand up to `arena_limit` bytes and keeps what it has. */
void qkd_out_init(struct qkd_out *out, size_t arena_limit);
void qkd_out_fini(struct qkd_out *out);

/* Wipes what was used and forgets all entries; keeps the memory. */
void qkd_out_reset(struct qkd_out *out);

/* Exchanges what two batches hold. The working memory stays with each, wiped: no output lies in it. */
void qkd_out_swap(struct qkd_out *a, struct qkd_out *b);

/* Room for `len` bytes: returns their offset slice with len as given; write through
 * qkd_out_at(). On failure sets out->failed and returns a slice of length 0. */
struct qkd_slice qkd_out_reserve(struct qkd_out *out, size_t len);

/* Gives back the tail of the most recent reservation. */
void qkd_out_shrink(struct qkd_out *out, struct qkd_slice *slice, size_t used);

/* Copies bytes into the arena. */
struct qkd_slice qkd_out_copy(struct qkd_out *out, const void *bytes, size_t len);

/* Pointer to a slice; valid until the next reservation. */
static inline uint8_t *qkd_out_at(const struct qkd_out *out, struct qkd_slice s)
{
    return out->arena + s.at;
}

/* Working memory for `len` bytes, not zeroed: stays where it is until the next reset, which wipes
 * it. NULL if memory ends; out->failed is not set. */
void *qkd_out_scratch(struct qkd_out *out, size_t len);

/* Appends a send; never fails loudly: sets out->failed if memory ends. */
void qkd_out_send(struct qkd_out *out, const struct qkd_send *send);

/* Appends put or delete of (kind, key) for `owner`; value may be empty. */
void qkd_out_put(struct qkd_out *out, const struct qkd_persist *entry);

/* Appends a report. */
void qkd_out_report(struct qkd_out *out, const struct qkd_report *report);

#endif
