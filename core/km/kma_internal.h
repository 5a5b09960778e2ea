/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the KMA share. The element is one dispatcher (kma.c) over these concepts:
 *
 *   kma_file.c    key files at Kq-1, confirmation of blocks (7.1.1, 7.1.2)
 *   kma_match.c   what one end has of a link and the other has lost
 *   kma_link.c    adjacency at Kx-1: HELLO, keep-alive, status (Table 7-8)
 *   kma_frame.c   frames that take pads: send, receive, acknowledge, repeat (rules 2, 3)
 *   kma_grant.c   GRANT, SKIP, expiry: ownership of chunks (rule 1)
 *   kma_relay.c   a relay frame at a hop and at the destination (7.1.3)
 *   kma_fallback.c  a hop that cannot pay pads: AES-256 (X.1712 note 5)
 *   kma_ahead.c   source: keys relayed ahead of need
 *   kma_multicast.c  source: one key for several destinations
 *   kma_sum.c     relay to the destination at a hop
 *   kma_gather.c  keys that come to the destination in parts
 *   kma_session.c SESSION and UPDATE at hops and destination (Tables 7-9, 7-10)
 *   kma_flow.c    source: route and session of an application pair
 *   kma_source.c  source: a need of the KSA, served piece by piece
 *   kma_piece.c   source: how a piece travels
 *   kma_share.c   what keys of an application may take of a link, where they begin and where they cross
 *   kma_life.c    life-cycle records
 *
 * A flow (application pair at its source KMA):
 *
 *   IDLE ─need─▶ ROUTING ─ROUTE_RSP─▶ SETUP ─SESSION_RSP─▶ READY ─validity over─▶ ROUTING
 *                   │                    │                   └ no_session, reroute ▶ ROUTING
 *                   └─ failure: needs fail ◀┘ (retries used)
 *
 * A piece (keys of one frame): drawn or taken ─▶ sent ─RELAY_DONE─▶ handed to the KSA
 *                                           └ time-out, gone: relayed anew under fresh pads */
#ifndef QKD_KM_KMA_INTERNAL_H
#define QKD_KM_KMA_INTERNAL_H

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/base/rng.h"
#include "core/base/timers.h"
#include "core/channel/channel.h"
#include "core/channel/reports.h"
#include "core/crypto/crypto.h"
#include "core/km/kma.h"
#include "core/km/pool.h"
#include "core/km/secbuf.h"
#include "core/km/share.h"
#include "core/wire/frame.h"

#define KMA_FRAME_MAX KM_SECBUF_MAX
#define KMA_WINDOW 1024       /* frames in flight per link and direction; receive window */
#define KMA_ACK_EVERY 8       /* frames per acknowledgement */
#define KMA_ACK_DELAY_MS 20   /* an acknowledgement waits at most so long */
#define KMA_GONE_MAX 16       /* `gone` numbers in one acknowledgement */
#define KMA_GONE_TOLD 64      /* frames after it of which an acknowledgement tells it still */
#define KMA_HOP_MAX 255       /* length of a route */
#define KMA_CONFIRM_QUEUE 16  /* confirmations waiting for our own file, per link */
#define KMA_SILENCE_PERIODS 3 /* without a word: the link is down */
#define KMA_TAG_ALARM 16      /* wrong tags per period that make a security event */

/* A frame in flight. */
struct kma_tx {
    uint32_t seq; /* 0: slot free */
    uint8_t type;
    uint8_t tries;
    uint8_t attempt; /* of the relayed key */
    uint32_t block, offset, length;
    uint32_t buf, len;     /* the frame's bytes, for repetition */
    struct qkd_time due;   /* of the next repetition */
    struct qkd_eid source; /* RELAY, TAKE: whose key */
    struct qkd_id key_id;
    uint64_t session;
};

#define KMA_FALLBACK_KEYS 4                     /* of the peer, remembered for late frames */
#define KMA_FALLBACK_FRAMES (UINT64_C(1) << 32) /* under one key */
#define KMA_FALLBACK_BYTES (UINT64_C(1) << 36)  /* the same */

/* What a link keeps for AES-256 frames. A key is named by where it was taken. */
struct kma_fallback {
    bool is_on;     /* keys that may fall back do so, until there is more than `leave` */
    uint64_t leave; /* own bytes */
    struct kma_fallback_key {
        bool is_there;
        uint32_t block, offset;
        uint8_t key[CRYPTO_GCM_KEY_LEN];
    } tx, rx[KMA_FALLBACK_KEYS]; /* rx: ring */
    uint32_t rx_next;
    uint64_t count, bytes; /* frames, and bytes of theirs, under tx: `count` is the next nonce */
    struct qkd_time since; /* tx was taken */
};

struct kma_link {
    uint32_t id;
    struct kma_fallback *fallback; /* NULL: the scenario has none */
    struct km_share *share;        /* of its key among applications; NULL: no classes */
    struct qkd_eid peer, module, peer_module;
    char peer_name[64];
    uint8_t peer_ip[16];
    uint64_t store_bytes;
    struct km_pool pool;
    bool lower;      /* this KMA has the lower ID */
    bool up;         /* adjacency */
    bool known;      /* peer_epoch is valid */
    bool configured; /* CFG_LINK came; before it only recovered key is known */
    bool booted;     /* the bootstrap was taken in, now or before a restart */
    uint32_t peer_epoch;
    uint64_t hello_id;     /* message ID of the peer's latest HELLO */
    struct qkd_time heard; /* last authenticated message */
    uint64_t hello_asked;  /* message ID of our last HELLO that is no reply; 0: answered */
    struct qkd_time hello_asked_at;
    uint64_t round_trip_ns; /* smoothed; 0: not measured yet */
    uint8_t tx_key[16], rx_key[16], hello_key[32];
    /* sending */
    uint32_t seq;      /* next */
    uint32_t oldest;   /* first that may be unacknowledged */
    struct kma_tx *tx; /* ring of tx_cap by seq */
    uint32_t tx_cap;
    uint32_t rto_timer;
    /* receiving */
    struct qkd_guard guard; /* of frames in the name of the peer */
    bool quarantined;       /* the alarm stands */
    uint32_t rx_next;       /* all below were received */
    uint64_t rx_seen[KMA_WINDOW / 64];
    uint32_t ack_due; /* frames received since the last acknowledgement */
    uint32_t ack_timer;
    uint32_t gone[KMA_GONE_MAX]; /* the latest that were void here: ring; 0: none */
    uint32_t gone_next;
    /* blocks */
    struct kma_confirm_wait {
        struct qkd_id id;
        uint32_t number, length;
        struct qkd_time asked;
    } * confirm; /* oldest first; room for confirm_cap */
    uint32_t confirm_count, confirm_cap;
    bool confirm_again;         /* lower KMA: some question was not sent, or did not arrive */
    uint32_t block_counter;     /* lower KMA: blocks numbered in this incarnation */
    bool paused;                /* module was told that the store is full */
    uint32_t paused_bytes;      /* what it wanted to store */
    uint32_t file_bytes;        /* of the last file that was stored; 0: none yet */
    bool empty;                 /* a payload was refused of late: the fault pool_low stands */
    struct qkd_time refused_at; /* last */
    uint32_t missing; /* bytes in a row that a payload last lacked in this status period; 0: none */
    uint32_t frame_most[2]; /* bytes of the longest payload asked for at either end in this status
                               period, and in the one before; 0: none */
    uint32_t frame_least
        [2]; /* of the shortest that may be asked for here, which carries one key: in this
                                status period, and in the last one before that saw any; 0: none */
    struct qkd_time grant_asked;
    uint32_t grants_open; /* own GRANT frames not yet acknowledged */
    /* counters since start, bits where not said otherwise */
    struct kma_counters {
        uint64_t generated, pads, tags, relayed_as_key, expired, discarded, fallback_keys;
        uint64_t retransmissions, tag_failures; /* frames */
        uint64_t last_generated, last_consumed; /* at the last status */
        uint64_t rate_bps, consumption_bps;     /* averaged */
        uint64_t tag_failures_period;
    } n;
};

/* A session as hops and destination know it (Tables 7-9, 7-10). */
struct kma_session {
    uint64_t id;
    struct qkd_id base;
    uint8_t hash[32];
    struct qkd_eid source, source_app, target_app;
    struct qkd_eid next; /* next hop; NOBODY: we are the destination */
    uint32_t generation;
    uint32_t flow;        /* the source's number of it ... */
    uint8_t class_number; /* ... and its class, from 1; 0: none */
    uint8_t paths,
        paths_seen; /* multipath, destination: ways in all; bit per way whose UPDATE came */
    bool has_session, has_update;
    struct qkd_time until;
};

/* A relayed key that waits for its KSA, and afterwards its memory. */
struct kma_stored {
    struct qkd_id key_id;
    uint64_t session;
    struct qkd_eid source, source_app, target_app, relay_source;
    struct qkd_time generated, relayed; /* wall */
    struct qkd_time until;
    uint32_t key_size;
    uint16_t count;
    uint8_t grade, hop, method;
    bool is_pooled;       /* relayed ahead of need: for whom its source's KSA says */
    uint8_t digest[32];   /* SHA-256 of keys and compare key: a duplicate is told from a conflict */
    uint32_t buf;         /* keys, then the compare key; NONE once fetched */
    uint32_t prev, after; /* in waiting, pooled or fetched of the KMA, in order of `until` */
};

struct kma_list {
    uint32_t first, last;
};

/* A route that the controller told before it was asked for (mode proactive), by destination. */
struct kma_table_route {
    struct qkd_eid destination;
    uint64_t version; /* of the table; it never goes back */
    struct qkd_time at;
    uint8_t *route; /* element IDs, 8 bytes each */
    uint32_t len;   /* bytes */
};

#define KMA_FLOW_KEY 17 /* bytes: source and target application, and whether for several */

enum kma_flow_state { KMA_FLOW_IDLE, KMA_FLOW_ROUTING, KMA_FLOW_SETUP, KMA_FLOW_READY };

struct kma_flow {
    struct qkd_eid source_app, target_app, destination; /* destination: KMA */
    enum kma_flow_state state;
    uint64_t session;
    struct qkd_id base;
    uint64_t counter; /* keys named so far */
    uint32_t generation;
    struct qkd_eid *route; /* from this KMA to the destination */
    uint32_t route_len;    /* of the first route; others follow it, each up to the destination */
    uint32_t all_len, route_cap;
    uint8_t paths, wanted; /* routes there are, and asked for: 1, or with multipath more */
    bool by_table;         /* the route is that of the controller's table */
    bool direct;           /* neighbours: pool units, no session */
    bool drawn;            /* multicast: no link key, whatever `relay` says */
    uint8_t relay;         /* how keys cross more than one link, enum wire_relay */
    uint8_t class_number;  /* of its application, from 1; 0: none */
    struct qkd_time route_until, session_until;
    struct qkd_time route_at;              /* when the controller gave it */
    struct qkd_span validity;              /* for how long it did */
    uint64_t route_message;                /* of the ROUTE under way; 0: none */
    bool route_again;                      /* it asks again after the last route could not pay */
    struct qkd_eid failed_from, failed_to; /* the hop that could not: for the next ROUTE */
    uint32_t tries, timer;
    bool spoken; /* SESSION went out through a channel that was up, not to wait for it */
    uint32_t needs, last_need; /* needs with keys to launch, oldest first */
};

struct kma_need {
    uint64_t message_id; /* of the KSA's KMI_NEED */
    uint32_t flow;
    uint32_t key_size, count;
    uint32_t launched, done, pieces; /* keys; pieces in flight */
    uint32_t count_id;
    uint8_t level;
    uint8_t class_number; /* of the configuration, from 1; 0: none */
    bool is_guaranteed;   /* within the rate of a session */
    bool over_share;      /* it lacked a share of a link's key when it was last tried */
    bool is_barred;       /* ... and that link is on the way: no other try on this route */
    bool wait;
    uint32_t most; /* keys in a frame, after a longer one found no room; 0: as configured */
    bool is_ahead; /* it fills a pool: no KSA has asked */
    bool graced;   /* it waited for a GRANT once */
    bool rerouted; /* its route was asked again */
    bool retried;  /* so it was, since it was last tried from the beginning */
    struct qkd_eid destination, source_app, target_app;
    struct qkd_time deadline;
    uint32_t timer;
    uint32_t group;      /* multicast: of the needs with the same keys; else QKD_SLAB_NONE */
    uint64_t placed;     /* multicast: bit per key that is under way or done */
    bool waits;          /* in its flow's list */
    uint32_t prev, next; /* in that list */
};

struct kma_piece {
    struct qkd_id key_id;
    uint32_t need;
    uint16_t count;
    uint8_t place; /* multicast: of its first key */
    uint8_t attempt;
    bool direct;                        /* pool units, for the neighbour */
    bool taken;                         /* pool units of the first link: not drawn */
    bool poor;                          /* no share of pads is left to it: AES-256 at once */
    uint32_t buf;                       /* keys, then the compare key */
    uint8_t paths;                      /* shares of them; 1: they go as they are */
    uint8_t sent;                       /* shares of this attempt */
    uint32_t share[WIRE_PATHS_MAX - 1]; /* buffers of all but the first, which is the rest */
    uint64_t session;                   /* with several: that they are sent in, and its */
    uint32_t generation;                /* generation: shares never change their way */
    struct qkd_time drawn;              /* monotonic: for the Timer of its ID */
    struct qkd_time drawn_wall;
    uint32_t timer;
};

/* A key at a hop, or at its source, that waits for a GRANT. */
struct kma_hold {
    uint32_t link;         /* index */
    uint32_t buf, len;     /* encoded body, and after it: */
    uint32_t upstream_len; /* relay to the destination: key of the link before; else 0 */
    uint8_t hop;
    struct qkd_eid destination;
    struct qkd_eid source;
    struct qkd_id key_id;
    uint64_t session;
    uint8_t attempt;
    uint8_t fall;
    bool guaranteed;
    bool over_share; /* what it lacked is a share */
    uint32_t timer;
};

/* A sum of two link keys on its way to the destination. */
struct kma_sum {
    struct qkd_id key_id;
    struct qkd_eid source, destination;
    uint64_t session;
    uint32_t buf, len;
    uint8_t hop, tries;
    uint32_t timer;
};

/* A key that comes in parts, whose XOR it is. */
struct kma_gather {
    struct kma_stored item; /* as that of a key that came whole; valid if parts > 0 */
    uint64_t have;          /* bit per part */
    uint8_t parts;          /* 0: how many is not known yet */
    uint8_t attempt;
    uint32_t buf, len; /* XOR of the parts that came: keys, then the compare key */
};

/* Needs that are given the same keys. */
struct kma_group {
    uint64_t message_id;              /* of the KSA's KMI_NEED */
    uint32_t needs[WIRE_TARGETS_MAX]; /* QKD_SLAB_NONE: its destination has all of them */
    uint32_t count, open;             /* needs; of which not over */
    uint32_t buf;                     /* the keys */
    uint32_t count_id;
    bool is_weak; /* some of them may have crossed a hop under AES-256 and were lost */
};

/* Marks IDs of needs that no KSA has asked. */
#define KMA_AHEAD_NEED (UINT64_C(1) << 63)

/* A key that the other end has too, and nobody has asked for yet. */
struct kma_ahead_key {
    struct qkd_id id;
    uint32_t buf;  /* keys, then their compare key */
    uint16_t keys; /* that one request gets together */
    uint8_t hops;
    struct qkd_time drawn, drawn_wall;
    uint32_t next; /* in its pool, oldest first */
};

/* Keys for one destination. */
struct kma_ahead {
    struct qkd_eid destination;
    uint32_t incarnation;        /* of it, as its channel said last; 0: not known */
    uint32_t first, last, count; /* count: of keys */
    uint32_t each;   /* keys that are refilled together: requests ask for so many, or a multiple */
    uint32_t coming; /* keys under way; no other refill meanwhile */
    struct qkd_time again_at; /* no refill before */
};

struct kma {
    const struct km_config *config;
    struct qkd_eid self;
    uint32_t incarnation;
    struct qkd_guard crowd; /* of frames in the name of nobody known */
    bool replaced;          /* its store: an earlier one took the bootstraps in, and is lost */
    bool started;
    struct chan_set *chan;
    uint64_t message_id; /* next */
    struct qkd_timers timers;
    struct chan_reports reports;
    struct qkd_rng rng;
    struct km_store store;
    struct km_secbuf bufs;
    struct kma_link *links;
    uint32_t link_count, link_cap;
    struct qkd_map link_by_id, link_by_peer;
    struct qkd_slab sessions, stored, flows, needs, pieces, holds, sums, gathers;
    struct qkd_map session_map, stored_map, flow_map, piece_map, need_map, route_map;
    struct qkd_slab table;              /* struct kma_table_route */
    struct qkd_map table_map;           /* by destination */
    struct qkd_map sum_map, gather_map; /* by KMA-key ID */
    struct qkd_slab groups;             /* struct kma_group */
    struct qkd_map group_map;           /* by Message ID of the need */
    struct qkd_slab aheads, ahead_keys;
    struct qkd_map ahead_map;                 /* by destination */
    uint64_t ahead_id;                        /* of the last refill */
    struct kma_list waiting, pooled, fetched; /* of stored */
    struct kma_grant_record {                 /* GRANTs without acknowledgement and not in flight */
        uint32_t link;
        struct wire_grant_body grant;
    } * grants;
    uint32_t grant_count, grant_cap;
    struct kma_skip_record { /* SKIPs that could not be paid, or that did not arrive */
        uint32_t link, block, start, end;
        uint8_t reason;
    } * skips;
    uint32_t skip_count, skip_cap;
};

/* One step's arguments, passed along together. */
struct kma_step {
    struct kma *kma;
    const struct qkd_event *event;
    struct qkd_out *out;
};

enum kma_timer_kind {
    KMA_TIMER_TICK = 1,
    KMA_TIMER_ACK,
    KMA_TIMER_RTO,
    KMA_TIMER_NEED,
    KMA_TIMER_FLOW,
    KMA_TIMER_PIECE,
    KMA_TIMER_HOLD,
    KMA_TIMER_SUM
};

static inline uint64_t kma_tag(enum kma_timer_kind kind, uint32_t index)
{
    return ((uint64_t)kind << 56) | index;
}

static inline struct qkd_time kma_after(const struct kma_step *s, struct qkd_span span)
{
    return qkd_time_add(s->event->now, span);
}

/* kma.c */
struct wire_head kma_head(struct kma *kma, enum qkd_rp rp, uint64_t orig);
void kma_send(const struct kma_step *s, enum qkd_rp rp, struct qkd_eid peer,
              const struct wire_bytes *message);
struct kma_link *kma_link_of(struct kma *kma, struct qkd_eid peer);
void kma_report(const struct kma_step *s, struct qkd_report report);

/* Encodes a message of type `name` and sends it. */
#define KMA_SEND(s, name, rp, peer, message)                                                       \
    do {                                                                                           \
        size_t kma_size_ = wire_##name##_size(message);                                            \
        uint8_t *kma_to_ = qkd_out_scratch((s)->out, kma_size_);                                   \
        int kma_len_ = kma_to_ == NULL ? QKD_ERR_NOMEM                                             \
                                       : wire_##name##_encode(message, kma_to_, kma_size_);        \
        if (kma_len_ > 0) {                                                                        \
            kma_send(s, rp, peer, &(struct wire_bytes){kma_to_, (size_t)kma_len_});                \
        }                                                                                          \
    } while (0)

/* kma_state.c */

/* Link state from a neighbour: to the KMC. */
void kma_state_receive(const struct kma_step *s, struct qkd_eid peer,
                       const struct wire_link_state *state);
/* Link state from the KMC: to the neighbours it is for. */
void kma_state_tell(const struct kma_step *s, const struct wire_link_state *state);

/* kma_file.c */
void kma_file_receive(const struct kma_step *s, struct qkd_eid module,
                      const struct wire_key_file *file);
/* The lower KMA asks the peer about a file. */
void kma_file_ask(const struct kma_step *s, struct kma_link *link, uint32_t slot);
/* Forgets that the peer asked about a file that is not here. */
void kma_file_forget(struct kma_link *link, const struct qkd_id *id);
/* Drops a file that waits for its match. */
void kma_file_drop(const struct kma_step *s, struct kma_link *link, uint32_t slot, uint8_t reason);
void kma_file_confirm_all(const struct kma_step *s, struct kma_link *link);
/* Asks and answers again what could not be paid, or did not arrive. */
void kma_file_confirm_again(const struct kma_step *s, struct kma_link *link);
/* A CONFIRM was given up. */
void kma_file_confirm_lost(struct kma_link *link, const struct wire_confirm_body *body);
void kma_file_confirm(const struct kma_step *s, struct kma_link *link,
                      const struct wire_frame *frame);
/* Slot of a file of at least `bytes` that we have asked the peer to confirm as this block; NONE. */
uint32_t kma_file_asked(const struct kma_link *link, uint32_t number, uint32_t bytes);
/* Slot of the waiting file that this frame, a question under pads of its own block, asks about; NONE. */
uint32_t kma_file_asking(const struct kma_step *s, const struct kma_link *link,
                         const struct wire_frame *frame);
/* The peer waits for the answer about a block: if we confirmed it, its state as the peer will see it then,
 * all of our half is to come. */
void kma_file_awaited(const struct kma_step *s, const struct kma_link *link,
                      struct wire_rx_state *state);
/* Where the half of the higher KMA begins. */
uint32_t kma_file_half(const struct kma_step *s, const struct km_block *block);
/* The peer disposes of this block: it confirmed it, though its answer may have died with it. */
void kma_file_implied(const struct kma_step *s, struct kma_link *link, uint32_t number);
void kma_file_room(const struct kma_step *s, struct kma_link *link);

/* kma_match.c */
/* Adds to a HELLO what its sender owns, and which files find no match. Scratch of the step. */
void kma_match_tell(const struct kma_step *s, struct kma_link *link, struct wire_hello *hello);
/* Adds to the answer of a HELLO which of its unmatched files are not here and do not come. */
void kma_match_answer(const struct kma_step *s, struct kma_link *link, struct wire_bytes unmatched,
                      struct wire_hello *answer);
/* Drops, step by step, files that the peer says it does not have. */
void kma_match_answered(const struct kma_step *s, struct kma_link *link, struct wire_bytes unknown);
/* Drops what the peer owned and has lost, before a new adjacency, when it cannot SKIP it. */
void kma_match_lost(const struct kma_step *s, struct kma_link *link,
                    const struct wire_hello *hello);

/* kma_link.c */
/* The link of this number, made if new; NULL: limit or memory. Pointers into kma->links move. */
struct kma_link *kma_link_make(const struct kma_step *s, uint32_t id);
int kma_link_configure(const struct kma_step *s, const struct wire_cfg_link *config);
void kma_link_channel_up(const struct kma_step *s, struct qkd_eid peer);
void kma_link_hello(const struct kma_step *s, struct qkd_eid peer, const struct wire_hello *hello);
/* Where a BOOTED mark stands among the FRAME records: this block number. */
#define KMA_BOOT_MARK UINT32_MAX
void kma_link_tick(const struct kma_step *s);
void kma_link_status(const struct kma_step *s);
/* The pool could not pay what was asked of it: a fault until it can pay a key again. */
void kma_link_exhausted(const struct kma_step *s, struct kma_link *link);
/* Bytes of the shortest frame that payload takes of the link these days. */
uint32_t kma_link_piece(const struct kma *kma, const struct kma_link *link);
void kma_link_mark(const struct kma_step *s, struct kma_link *link);

/* kma_frame.c */
struct kma_ask { /* a question whose tag the block that it asks about pays */
    uint32_t slot, mid;
};
struct kma_send {
    uint8_t type;              /* enum wire_frame_type */
    bool is_aes;               /* RELAY: under AES-256 and not under a pad */
    const struct kma_ask *ask; /* CONFIRM; NULL: the pool pays */
    const uint8_t *body;
    uint32_t body_len;
    uint32_t key_len; /* TAKE: key and compare bytes before the tag's pad */
    uint8_t *keys;    /* TAKE: receives them */
    bool as_pad;      /* TAKE: they are no key, but what one is summed with */
    struct qkd_eid source;
    struct qkd_id key_id;
    uint64_t session;
    uint8_t attempt;
};
/* 0, QKD_ERR_INSUFFICIENT (nothing changed), QKD_ERR_LIMIT (window or buffers full). */
int kma_frame_send(const struct kma_step *s, struct kma_link *link, const struct kma_send *send,
                   struct km_take *take);
void kma_frame_receive(const struct kma_step *s, struct qkd_eid from, const uint8_t *bytes,
                       size_t len);
/* Whether a control frame would leave at once, if it can be paid. */
bool kma_frame_ready(const struct kma_step *s, struct kma_link *link);
/* Frames of a type in flight. */
uint32_t kma_frame_flying(const struct kma_link *link, uint8_t type);
/* Questions in flight that are paid by the block that they ask about; whether one is about this block. */
uint32_t kma_frame_asks(const struct kma_link *link);
bool kma_frame_asks_about(const struct kma_link *link, uint32_t number);
/* Gives the oldest of them up. */
void kma_frame_ask_withdraw(const struct kma_step *s, struct kma_link *link);
/* Gives all CONFIRMs about a block up: they are not sent any more. */
void kma_frame_confirm_withdraw(const struct kma_step *s, struct kma_link *link, uint32_t number);
void kma_frame_acked(const struct kma_step *s, struct qkd_eid peer, const struct wire_hop_ack *ack);
void kma_frame_ack_now(const struct kma_step *s, struct kma_link *link);
void kma_frame_repeat(const struct kma_step *s, struct kma_link *link);
/* All frames of the peer below a number were received or given up by it; never moves back. */
/* Reports a frame that is none, while it may cost that. */
void kma_frame_refuse(const struct kma_step *s, struct qkd_eid from, int err);
/* Clears the alarm of a quarantine that is over. */
void kma_frame_tick(const struct kma_step *s, struct kma_link *link);
void kma_frame_closed(struct kma_link *link, uint32_t below);
/* The peer lost its receive state: voids all in flight. */
void kma_frame_void(const struct kma_step *s, struct kma_link *link);

/* kma_grant.c */
/* level: whose need it is (km/share.h). */
void kma_grant_want(const struct kma_step *s, struct kma_link *link, uint64_t bytes, uint8_t level);
void kma_grant_request(const struct kma_step *s, struct qkd_eid peer,
                       const struct wire_grant_request *request);
void kma_grant_receive(const struct kma_step *s, struct kma_link *link,
                       const struct wire_frame *frame);
void kma_grant_acked(const struct kma_step *s, struct kma_link *link,
                     const struct wire_grant_body *grant);
/* Keeps a GRANT that was not acknowledged for kma_grant_resend(). */
void kma_grant_pend(const struct kma_step *s, struct kma_link *link,
                    const struct wire_grant_body *grant);
void kma_grant_resend(const struct kma_step *s, struct kma_link *link);
void kma_skip_send(const struct kma_step *s, struct kma_link *link, uint32_t block,
                   const struct km_range *range, uint8_t reason);
/* Keeps a SKIP for kma_skip_resend(). */
void kma_skip_pend(const struct kma_step *s, const struct kma_link *link,
                   const struct wire_skip_body *skip);
void kma_skip_resend(const struct kma_step *s, struct kma_link *link);
/* Forgets what is kept: a new adjacency finds all gaps by itself. */
void kma_skip_forget(const struct kma_step *s, const struct kma_link *link);
/* Whether there is room to note what a SKIP says; body not yet trusted. */
bool kma_skip_fits(const struct kma_link *link, const struct wire_frame *frame);
void kma_skip_receive(const struct kma_step *s, struct kma_link *link,
                      const struct wire_frame *frame);
/* Whether no file has room in the own store. */
bool kma_store_full(const struct kma_link *link);
void kma_trim(const struct kma_step *s, struct kma_link *link);
void kma_expire(const struct kma_step *s, struct kma_link *link);

/* kma_relay.c */
void kma_relay_receive(const struct kma_step *s, struct kma_link *link,
                       const struct wire_frame *frame, const uint8_t *body,
                       const struct km_take *pad);
void kma_take_receive(const struct kma_step *s, struct kma_link *link,
                      const struct wire_frame *frame, const uint8_t *keys,
                      const struct km_take *pad);
/* Sends or holds an encoded relay body on a link, or with an upstream key an encoded take body: 0, or a
 * negative error (nothing was sent). */
struct kma_forward {
    const uint8_t *body;
    uint32_t len;
    const uint8_t *upstream; /* relay to the destination: key of the link before, NULL if none */
    uint32_t upstream_len;
    uint8_t hop;                /* with it: that brought this key */
    struct qkd_eid destination; /* with it */
    struct qkd_eid source;
    struct qkd_id key_id;
    uint64_t session;
    uint8_t attempt;
    uint8_t fall;    /* enum wire_fall: what hops may do that cannot pay pads */
    bool guaranteed; /* within the rate of a session */
    bool poor;       /* AES-256 at once: its source's share of pads is used up */
};
/* QKD_ERR_AGAIN: it has used up its share of the link's key. */
int kma_relay_forward(const struct kma_step *s, struct kma_link *link,
                      const struct kma_forward *forward);
void kma_relay_fail(const struct kma_step *s, const struct kma_forward *forward, uint8_t reason);
/* A key as it arrived at its destination. */
struct kma_arrival {
    struct kma_stored item; /* all but digest, buf, lists */
    struct wire_bytes keys;
    const uint8_t *compare;
};
/* Keeps it for the KSA and tells the source. */
void kma_arrived(const struct kma_step *s, const struct kma_arrival *a,
                 const struct kma_forward *key);
void kma_hold_timeout(const struct kma_step *s, uint32_t slot);
void kma_hold_retry(const struct kma_step *s, struct kma_link *link);
void kma_fetch(const struct kma_step *s, const struct wire_kmi_fetch *fetch);
void kma_drop(const struct kma_step *s, const struct wire_kmi_drop *drop);
void kma_stored_sweep(const struct kma_step *s);
/* Sends a KMI_SUPPLY to the KSA; the encoded bytes, which hold key data, are wiped. */
void kma_supply_send(const struct kma_step *s, const struct wire_kmi_supply *supply);

/* kma_fallback.c */
/* What hops may do with a key of this level: the stricter of it and the scenario. */
uint8_t kma_fall(const struct kma_step *s, uint8_t level);
/* The weaker of two methods of encryption. */
uint8_t kma_grade_weaker(uint8_t a, uint8_t b);
/* Whether this key is to go under AES-256 without a look for pads: the link is short of them, and was
 * not well off since. */
bool kma_fallback_now(const struct kma_step *s, struct kma_link *link,
                      const struct kma_forward *forward);
/* A RELAY frame under pads, or under the cipher: 0 or as kma_frame_send(). In kma_relay.c. */
int kma_relay_send(const struct kma_step *s, struct kma_link *link,
                   const struct kma_forward *forward, bool is_aes);
/* Sends it so, if it may: 0 or as kma_frame_send(). */
int kma_fallback_forward(const struct kma_step *s, struct kma_link *link,
                         const struct kma_forward *forward);
/* Leaves the state of need if there is key enough. */
void kma_fallback_tick(const struct kma_step *s, struct kma_link *link);
/* Whether `len` more bytes need a new key: none is there, or it has served 2^32 frames, 2^36 bytes, or
 * for `rekey`. */
bool kma_fallback_due(const struct kma_fallback *f, struct qkd_time now, uint32_t len,
                      struct qkd_span rekey);
void kma_fallback_begin(struct kma_link *link, const struct km_take *take, const uint8_t *key,
                        struct qkd_time now);
/* This frame of ours will not be received: if it begins a key, that is done with. */
void kma_fallback_lost(struct kma_link *link, const struct kma_tx *tx);
/* A new adjacency: all keys are done with. */
void kma_fallback_void(struct kma_link *link);
/* aad: sender, receiver, header. Writes plain.len + WIRE_AES_MORE bytes. */
void kma_fallback_seal(struct kma_link *link, const uint8_t *aad, struct wire_bytes plain,
                       uint8_t *body);
/* Whether a frame begins a key, or is under one that is known. */
bool kma_fallback_known(const struct kma_link *link, const struct wire_frame *frame);
/* Takes the key in that a genuine frame begins. */
void kma_fallback_take(struct kma_link *link, const struct wire_frame *frame, const uint8_t *key);
/* Decrypts to frame->body_len - WIRE_AES_MORE bytes (room for 16 more); false if it is not genuine. */
bool kma_fallback_open(const struct kma_link *link, const struct wire_frame *frame,
                       const uint8_t *aad, uint8_t *to);

/* kma_ahead.c */
/* The ID of key `index` of a frame of pooled keys: both ends name it so. */
void kma_ahead_key_id(const struct qkd_id *frame, uint32_t index, struct qkd_id *id);
/* Serves a need from its pool: true, and the need is over. Sees to the pool either way. */
bool kma_ahead_serve(const struct kma_step *s, uint32_t need);
/* A frame of keys that the destination has. */
struct kma_ahead_frame {
    struct qkd_id key_id;
    struct qkd_eid destination;
    const uint8_t *bytes; /* of each entry: its keys, and their compare key behind them */
    uint16_t count;       /* of entries */
    uint32_t entry_bits;  /* keys and compare key */
    uint8_t hops;
    struct qkd_time drawn, drawn_wall;
};
/* Entries in one frame that fills a pool. */
uint32_t kma_ahead_batch(const struct kma *kma, uint32_t entry_bits);
void kma_ahead_take_in(const struct kma_step *s, const struct kma_ahead_frame *frame);
/* A refill has ended, well or not. */
void kma_ahead_over(const struct kma_step *s, struct qkd_eid destination);
void kma_ahead_tick(const struct kma_step *s);
/* The destination has lost its copies. */
void kma_ahead_void(const struct kma_step *s, struct qkd_eid destination);
/* The channel to a KMA came up anew. */
void kma_ahead_peer(const struct kma_step *s, struct qkd_eid peer, uint32_t incarnation);

/* kma_multicast.c */
/* A need for several destinations, of which `like` says what is alike: NONE, or why not. */
uint8_t kma_group_receive(const struct kma_step *s, const struct wire_kmi_need *need,
                          const struct kma_need *like);
/* Gives all its needs up; nothing is answered. */
void kma_group_end(const struct kma_step *s, uint32_t group);
/* A need is over. */
void kma_group_leave(const struct kma_step *s, uint32_t group, uint32_t need);
/* The first key that is to be sent, and of those behind it how many, at most `count`. */
uint32_t kma_group_gap(const struct kma_need *need, uint16_t *count);
/* The keys of a piece are under way, or are to be sent again. */
void kma_group_place(struct kma_need *need, const struct kma_piece *piece, bool is_sent);
/* A piece was lost: what is sent in its place has the same bits. */
void kma_group_lost(const struct kma_step *s, const struct kma_need *need);
/* The grade of a piece that came as `grade`. */
uint8_t kma_group_grade(const struct kma *kma, const struct kma_need *need, uint8_t grade);
/* Copies the keys of a piece. */
void kma_group_copy(struct kma *kma, const struct kma_need *need, const struct kma_piece *piece,
                    uint8_t *to);
/* Number of the next answer to the KSA, and whether it is the last. */
uint32_t kma_group_count(struct kma *kma, const struct kma_need *need, bool *is_last);

/* kma_sum.c */
/* At a hop: takes as much of the next link as came from the link before, and sums. */
void kma_sum_onward(const struct kma_step *s, const struct wire_take_body *take,
                    struct wire_bytes upstream, const struct kma_forward *key);
/* Sends the sum of a forward whose TAKE is under way. */
void kma_sum_send(const struct kma_step *s, const struct kma_forward *forward, const uint8_t *sum);
void kma_sum_receive(const struct kma_step *s, struct qkd_eid peer,
                     const struct wire_relay_sum *sum);
void kma_sum_acked(const struct kma_step *s, struct qkd_eid peer,
                   const struct wire_relay_sum_ack *ack);
void kma_sum_timeout(const struct kma_step *s, uint32_t sum);

/* kma_gather.c */
struct kma_part {
    struct qkd_id key_id;
    uint8_t index; /* from 0 */
    uint8_t parts; /* how many there are, at most 64; 0: this one does not say */
    uint8_t attempt;
    const struct kma_stored *item; /* with parts > 0 */
    struct wire_bytes bytes;       /* keys and compare key, or what is summed to them */
};
/* Takes a part in; with the last one the key has arrived. */
void kma_gather_add(const struct kma_step *s, const struct kma_part *part);
/* The key of this part came whole before: its source is told again. */
void kma_arrived_again(const struct kma_step *s, const struct kma_part *part);
void kma_gather_sweep(const struct kma_step *s);

/* kma_session.c */
/* The session of this source that ends here, both halves of it, while it lives; NULL: none. */
const struct kma_session *kma_session_here(const struct kma_step *s, uint64_t id,
                                           struct qkd_eid source);
/* The next hop of a session that this source may use here; NOBODY: none. */
struct qkd_eid kma_session_next(const struct kma_step *s, uint64_t id, struct qkd_eid source);
void kma_session_command(const struct kma_step *s, struct qkd_eid peer,
                         const struct wire_session *session);
void kma_session_update(const struct kma_step *s, struct qkd_eid peer,
                        const struct wire_update *update);
struct kma_session *kma_session_find(struct kma *kma, uint64_t id);
void kma_session_sweep(const struct kma_step *s);

/* kma_flow.c */
uint32_t kma_flow_get(const struct kma_step *s, const struct wire_kmi_need *need);
void kma_flow_go(const struct kma_step *s, uint32_t flow);
/* Asks for another route because this one could not pay or broke. */
/* Keys in a frame of this need, at most. */
uint32_t kma_need_batch(const struct kma *kma, const struct kma_need *need);
void kma_flow_reroute(const struct kma_step *s, uint32_t flow);
/* The far end forgot the session: SESSION and UPDATE again. */
void kma_flow_forgotten(const struct kma_step *s, uint32_t flow);
void kma_flow_route(const struct kma_step *s, const struct wire_route_rsp *rsp);
/* The channel to a KMA came up anew: a SESSION that went out through the old one is said again. */
void kma_flow_channel_up(const struct kma_step *s, struct qkd_eid peer);
/* A session over the flow's route: SESSION and UPDATE; renew: a new one. */
void kma_session_begin(const struct kma_step *s, uint32_t flow, bool renew);
/* KMAs of all routes of an answer; 0 unless there are as many routes as asked for, each begins here with a
 * live neighbour and ends at the destination, and no KMA is on the way twice. */
uint32_t kma_route_usable(const struct kma_step *s, const struct kma_flow *flow,
                          const struct wire_route_rsp *rsp);
/* The `total` KMAs of an answer in place of the routes that were there; same: they are those, and a session
 * goes over them. False without memory. */
bool kma_route_take(struct kma_flow *flow, const struct wire_route_rsp *rsp, uint32_t total,
                    bool *same);

/* kma_table.c: routes that were not asked for */
void kma_table_init(struct kma *kma, const uint8_t *salt);
void kma_table_fini(struct kma *kma);
void kma_table_receive(const struct kma_step *s, const struct wire_route_table *table);
/* Whether the flow goes on with a route of the table; else it has to ask. */
bool kma_table_use(const struct kma_step *s, uint32_t flow);

/* kma_flow.c */
void kma_flow_session(const struct kma_step *s, struct qkd_eid peer,
                      const struct wire_session_rsp *rsp);
void kma_flow_timeout(const struct kma_step *s, uint32_t flow);
/* A need ran out of time: what the flow waits for may be lost (no memory, a full queue) and is asked
 * for anew. */
void kma_flow_overdue(const struct kma_step *s, uint32_t flow);
/* Tries again after `retransmit`, by when a GRANT may have come. */
void kma_flow_wait(const struct kma_step *s, uint32_t flow);
/* The KMAs of a route of the flow, index below flow->paths. */
const struct qkd_eid *kma_flow_path(const struct kma_flow *flow, uint32_t index, uint32_t *len);
/* KMAs of the longest. */
uint32_t kma_flow_longest(const struct kma_flow *flow);
void kma_flow_key_id(struct kma_flow *flow, struct qkd_id *id);

/* kma_piece.c */
/* Sends the piece over its flow's route: 0 or a negative error. What is taken from the pool is in its
 * buffer then. */
int kma_piece_send(const struct kma_step *s, uint32_t piece);
/* Draws the shares of a piece of several: 0 or QKD_ERR_LIMIT. */
int kma_piece_split(const struct kma_step *s, uint32_t piece);

/* kma_share.c */
bool kma_share_new(const struct kma *kma, struct kma_link *link);
void kma_share_free(struct kma_link *link);
/* Whether a need may have so many keys in one frame: then what they cost is taken of its share of each
 * first link. */
bool kma_share_take(const struct kma_step *s, const struct kma_need *need, uint32_t count);
/* They did not leave. */
void kma_share_give(const struct kma_step *s, const struct kma_need *need, uint32_t count);
/* Level of a class by its number, and of what is within a guaranteed rate; of another KM's key. */
uint8_t kma_share_level(const struct km_config *config, uint8_t class_number, bool is_guaranteed);
uint8_t kma_share_level_of(struct kma *kma, const struct kma_forward *forward);
/* Of what would be asked of the other end, what accounts could save; a frame at least. */
uint64_t kma_share_want(const struct kma_link *link, uint64_t bytes, uint8_t level);
/* Own bytes of a link of which a GRANT for a need of that level may give: not what is kept for guaranteed rates,
 * and what more important levels have saved. */
uint64_t kma_share_spare(const struct kma_step *s, struct kma_link *link, uint8_t level);
/* Whether a key of another KM may cross a link now: then what it costs is taken of its share. */
bool kma_share_pass(const struct kma_step *s, struct kma_link *link,
                    const struct kma_forward *forward);
/* It did not leave. */
void kma_share_stay(const struct kma_step *s, struct kma_link *link,
                    const struct kma_forward *forward);

/* kma_source.c */
/* Whether a flow's keys are pool units of the first link; else they are drawn. */
bool kma_flow_takes(const struct kma_flow *flow);
void kma_need_receive(const struct kma_step *s, const struct wire_kmi_need *need);
/* The need of a flow, with its timer; QKD_SLAB_NONE at a limit. */
uint32_t kma_need_add(const struct kma_step *s, const struct kma_need *what, uint32_t flow);
/* Forgets a need and what is under way for it. */
void kma_need_give(const struct kma_step *s, uint32_t need);
/* A need of our own, all but its flow and timer filled in; false at a limit. */
bool kma_need_begin(const struct kma_step *s, const struct kma_need *need);
/* Hands keys to the KSA; the need is over with the last of them. */
struct kma_supplied {
    struct qkd_id key_id;
    const uint8_t *bytes; /* keys, then the compare key */
    uint16_t count;
    uint8_t place; /* multicast */
    uint8_t hops, grade, method;
    bool is_pooled;
    struct qkd_time drawn_wall;
};
void kma_need_supply(const struct kma_step *s, uint32_t need, const struct kma_supplied *keys);
/* Launches what the flow's needs still lack. */
void kma_need_run(const struct kma_step *s, uint32_t flow);
/* Fails every need of a flow that has keys to launch. */
void kma_need_fail_all(const struct kma_step *s, uint32_t flow, uint8_t reason);
void kma_need_fail(const struct kma_step *s, uint32_t need, uint8_t reason);
/* The KSA gave this need up: pieces under way are discarded, nothing is answered. */
void kma_need_drop(const struct kma_step *s, uint64_t message_id);
void kma_need_timeout(const struct kma_step *s, uint32_t need);
void kma_piece_timeout(const struct kma_step *s, uint32_t piece);
void kma_piece_done(const struct kma_step *s, struct qkd_eid peer,
                    const struct wire_relay_done *done);
/* Needs that wait: key has come; a status period is over. */
void kma_source_tick(const struct kma_step *s);
void kma_source_again(const struct kma_step *s);

/* kma_life.c */
struct kma_life {
    uint8_t action, key_class;
    struct qkd_id id, parent; /* parent zero: none */
    uint32_t length_bits;     /* 0: said by an earlier record */
    struct qkd_eid source, destination;
    uint8_t method, hop, reason;
    const struct kma_link *link; /* NULL: none */
};
void kma_life(const struct kma_step *s, const struct kma_life *life);

#endif
