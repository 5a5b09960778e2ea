/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Private to watch/oracle*.c: what the oracle remembers. docs/oracle.md says what it checks and why.
 *
 *   oracle.c         entry points: order of checks, verdict, cost   oracle_key.c    rules 4, 5
 *   oracle_block.c   bytes of a block and who may use them (1, 2)   oracle_leak.c   key bits in clear
 *   oracle_chunk.c   what KMAs persist: leases (2, 6)               oracle_place.c  who speaks where
 *   oracle_frame.c   Kx-1 frames that take pads (1, 2, 3)           oracle_ledger.c rule 6
 *   oracle_control.c CONFIRM, GRANT, SKIP (1)                       oracle_mail.c   under way
 *   oracle_fallback.c frames under AES-256 (2, 3, 8)
 *   oracle_life.c    life-cycle records: keys given up (6)   oracle_session.c  reservations
 *
 * The two ends of a link are its sides: 0 the KMA with the lower ID, 1 the other. */
#ifndef WATCH_ORACLE_STATE_H
#define WATCH_ORACLE_STATE_H

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/wire/frame.h"
#include "watch/oracle.h"

#define WATCH_ORC_SAMPLE 64   /* one frame of so many is opened with the key of its block */
#define WATCH_ORC_WINDOW 1024 /* most frames in flight per side that are told from new ones */
#define WATCH_ORC_CLOSED 1024 /* settled KMA-keys whose ID is still known */
#define WATCH_ORC_RECENT 8192 /* 8-byte windows of keys that are looked for on the links */
#define WATCH_ORC_RECENT_COMPARE 256 /* compare keys remembered, to see them used again */
#define WATCH_ORC_SCRATCH 4096       /* bytes; frames are shorter */
#define WATCH_ORC_AUDIT 65536        /* calls between two recounts of the ledgers, at least */

/* Where a bit of a link is; the order is that of struct scn_bits. */
enum watch_orc_class {
    WATCH_ORC_STORED,
    WATCH_ORC_PADS,
    WATCH_ORC_TAGS,
    WATCH_ORC_HASH_KEYS,
    WATCH_ORC_FALLBACK,
    WATCH_ORC_POSTPROC,
    WATCH_ORC_RELAYED,
    WATCH_ORC_EXPIRED,
    WATCH_ORC_DISCARDED,
    WATCH_ORC_IN_FLIGHT,
    WATCH_ORC_CLASSES
};

/* What became of bytes of a confirmed block. `side` of a segment is their owner; of GRANTED bytes
 * the one who gives. */
enum watch_orc_kind {
    WATCH_ORC_FREE,
    WATCH_ORC_GRANTED,        /* GRANT sent, not yet delivered */
    WATCH_ORC_DROPPED,        /* the owner can or will not use them and has not said so */
    WATCH_ORC_SKIP_EXPIRED,   /* SKIP sent, not yet delivered */
    WATCH_ORC_SKIP_DISCARDED, /* the same with another reason than age */
    WATCH_ORC_USED,           /* by a frame */
    WATCH_ORC_GONE            /* out of use at both ends */
};

struct watch_orc_segment {
    uint32_t start, end;
    uint8_t kind, side;
};

/* A persisted chunk record of a KMA. */
struct watch_orc_chunk {
    uint32_t start, end, lease;
    uint32_t empty; /* bytes below are lost to a crash of this KMA */
    uint8_t side;   /* whose record */
    bool mine;      /* it owns the bytes */
    bool deleted;
};

/* A GRANT that was sent: said again, also in a new frame, it gives nothing anew. */
struct watch_orc_given {
    uint32_t start, end, turn;
    uint8_t side;
};

struct watch_orc_block {
    struct qkd_id id;
    uint32_t link, number, bytes;
    uint32_t asked;          /* number in the last CONFIRM 0 sent */
    uint32_t asked_received; /* number in the last CONFIRM 0 delivered */
    uint32_t asks;           /* tags from its start that questions about it took, a bit each */
    uint32_t asks_end;       /* no question may take one before this byte */
    uint8_t form;
    uint8_t modules, filed, stored; /* bit per side: handed to module, sent at Kq-1, persisted */
    bool generated;                 /* counted */
    bool lost;                      /* can never be confirmed */
    bool forsaken;                  /* who answered lost its store before the answer arrived */
    bool durable;                   /* the higher KMA persisted that it confirmed */
    bool answered;                  /* the higher KMA confirmed: it may use its half */
    bool confirmed;                 /* and the lower KMA heard of it */
    uint8_t seed[32];
    uint8_t *bits; /* form 0 */
    uint64_t digest;
    int64_t dropped_ns; /* bytes were last given up without a word */
    struct watch_orc_segment *segment;
    uint32_t segments, segment_cap;
    struct watch_orc_chunk *chunk;
    uint32_t chunks, chunk_cap;
    struct watch_orc_given *given;
    uint32_t givens, given_cap;
};

/* A frame that its sender may still repeat. */
struct watch_orc_frame {
    uint32_t seq; /* 0: none */
    uint32_t block, offset, length;
    uint32_t payload_bytes; /* of the class below; the rest of the range are tags */
    uint8_t payload;        /* enum watch_orc_class */
    bool open;              /* not yet delivered: its bits are in flight */
    uint64_t hash;          /* of all its bytes */
    uint64_t tag;           /* first 8 bytes of its tag */
};

/* The key of AES-256 of a side. */
struct watch_orc_aes {
    bool is_there;
    uint32_t block, offset; /* where it was taken */
    uint64_t next;          /* least nonce that is not used */
    int64_t since_ns;
};

struct watch_orc_side {
    struct qkd_eid kma;
    struct watch_orc_aes aes;
    uint32_t epoch;
    uint32_t top;   /* highest seq sent */
    uint32_t acked; /* all below were acknowledged, and the sender knows */
    bool restarted; /* the next frame must have a higher epoch */
    bool lost;      /* its store was, once */
    bool mute;      /* its store is lost, and no block was confirmed since: it has no tag */
    struct watch_orc_frame *ring;
    uint32_t ring_cap;
    uint8_t hash_key[16];
    int64_t heard_ns; /* a frame of this side was last delivered to the other */
};

struct watch_orc_link {
    struct watch_orc_side side[2];
    uint32_t boot_block;                 /* slot of block 0 or QKD_SLAB_NONE */
    uint32_t highest;                    /* block number answered so far */
    uint64_t generated, bootstrap;       /* bytes */
    uint64_t bytes[WATCH_ORC_CLASSES];   /* incremental ledger */
    uint64_t settled[WATCH_ORC_CLASSES]; /* part of `bytes` that no live block or frame holds */
    bool configured;
    uint64_t rate_bps; /* the most that its optics ever said */
    uint64_t reserved_bps;
};

/* What a KMC asked to be reserved for a session, and what the controller said. */
#define WATCH_ORC_HOPS 64
struct watch_orc_session {
    uint8_t key[16];                /* KMC, session ID */
    uint32_t source, destination;   /* nodes */
    uint64_t direct_bps, relay_bps; /* what it takes of a link */
    int64_t said_ns;                /* last message about it */
    uint64_t held_bps;
    uint8_t hops;  /* > 0: held */
    bool released; /* by its KM: for good */
    uint32_t links[WATCH_ORC_HOPS];
};

/* Who began a term: a controller, in its start of this number. */
struct watch_orc_term {
    uint64_t term;
    struct qkd_eid controller;
    uint32_t start;
};

/* Of two controllers; empty without a standby. */
struct watch_orc_terms {
    uint64_t *of_km; /* per node: the highest that its KM obeyed */
    struct watch_orc_term *known;
    uint32_t count, cap;
    uint32_t starts[2]; /* of the first, of the standby: how often it fell */
    uint64_t highest;   /* whose reservations count */
};

/* An application with a highest rate. */
struct watch_orc_rate {
    uint64_t bits;   /* supplied */
    uint32_t starts; /* of its KM, after the first */
};

/* A sealed message between its send and its delivery: what delivery will mean. */
enum watch_orc_mail_kind { WATCH_ORC_MAIL_FRAME, WATCH_ORC_MAIL_ACK, WATCH_ORC_MAIL_MATCH };
struct watch_orc_mail {
    uint64_t tail; /* last 8 bytes of the record: of its GCM tag */
    int64_t sent_ns;
    struct qkd_eid to;
    struct qkd_id id; /* QKD-key ID of CONFIRM, KMA-key ID of MATCH */
    uint32_t link, seq, epoch, block, start, end;
    uint32_t turn;       /* of a GRANT */
    uint32_t pad_block;  /* of a frame: the block that its pad is from */
    uint32_t prev, next; /* in order of age */
    uint8_t kind, type, side, detail;
};

enum watch_orc_key_flag {
    WATCH_ORC_SLAVE_WAITS = 1,    /* persisted at the slave's KSA */
    WATCH_ORC_MASTER_PERSIST = 2, /* persisted as supplied */
    WATCH_ORC_SLAVE_PERSIST = 4,
    WATCH_ORC_MASTER_SENT = 8,
    WATCH_ORC_SLAVE_SENT = 16,
    WATCH_ORC_NAMED = 32
};

/* Multipath: the shares of a key whose source has not sent them all, and who has carried which. */
#define WATCH_ORC_CARRIERS 64
struct watch_orc_shares {
    struct qkd_id id;
    int64_t born_ns;
    bool weak;                            /* one crossed a hop under AES-256 */
    uint8_t shares, have;                 /* bit per share that left the source */
    uint64_t hash[WIRE_PATHS_MAX];        /* of each share */
    uint32_t carrier[WATCH_ORC_CARRIERS]; /* nodes on the way */
    uint8_t carried[WATCH_ORC_CARRIERS];  /* their share */
    uint32_t carriers;
    uint32_t len;
    uint8_t sum[WATCH_ORC_SCRATCH]; /* keys and compare key: XOR of those */
};

struct watch_orc_ksa_key {
    struct qkd_id id;
    uint64_t hash;  /* of the bits that travelled */
    uint64_t given; /* of the bits first supplied */
    uint32_t kma;   /* slot of the KMA-key it is part of */
    uint32_t next;
    uint32_t bits;
    uint8_t flags;
    uint8_t end;   /* enum watch_orc_end: where the end-to-end ledger has it */
    uint32_t draw; /* multicast: slot of its bits, which have that place; else QKD_SLAB_NONE */
    uint32_t also; /* multicast: the copy for another slave, with the same ID */
};

/* Multicast: the bits of a key that travels to several nodes. */
struct watch_orc_draw {
    uint64_t hash;
    struct qkd_eid source;
    uint32_t bits;
    uint32_t copies, open; /* KSA-keys; of which still in flight */
    uint8_t end;           /* enum watch_orc_end */
};

struct watch_orc_kma_key {
    struct qkd_id id;
    struct qkd_eid source, destination; /* KMAs */
    struct qkd_eid master, slave;       /* applications, once named */
    uint64_t compare;                   /* hash of the compare key */
    int64_t born_ns;
    uint32_t key_size;
    uint32_t count, open; /* KSA-keys; not yet supplied on both sides */
    uint32_t first;       /* KSA-key */
    uint32_t prev, next;  /* in order of age */
    bool named, matched;
    bool taken, direct; /* link key, not drawn; straight to its destination */
    bool is_pooled;     /* it left its source ahead of need */
    bool is_frame;      /* of pooled keys, which have IDs of their own: it has none */
    bool weak;          /* it crossed a hop under AES-256 */
    bool padded;        /* it crossed a link in a RELAY frame */
    uint8_t shares;     /* multipath: how many; else 0 */
    uint8_t hop, sums;  /* relay to the destination: last hop whose link key was named; sums sent */
    uint64_t print[2];  /* fingerprints of the keys of that hop's link and of the one before */
    bool dead;          /* its source crashed or gave it up: the master may not supply it */
    bool closed;        /* its KSA-keys are forgotten */
};

/* Windows of 8 bytes of recent keys: all 8 phases of each key, so that only every 8th offset of a
 * message must be looked at. */
struct watch_orc_leak {
    uint64_t bits[WATCH_ORC_RECENT]; /* which 19-bit hashes occur: 64 bits per window */
    uint16_t head[WATCH_ORC_RECENT]; /* chains through `next`, index + 1 */
    uint16_t next[WATCH_ORC_RECENT];
    uint64_t window[WATCH_ORC_RECENT];
    uint32_t count;  /* windows ever entered */
    uint32_t stride; /* offsets between two looks: 8, or 1 once a key of less than 15 bytes came */
};

struct watch_oracle {
    const struct scn_scenario *scenario;
    struct watch_oracle_verdict verdict;
    uint32_t unit_bytes;
    int64_t horizon_ns; /* a KMA-key that old is over */
    int64_t now_ns;
    struct watch_orc_link *links;
    struct qkd_slab blocks;
    struct qkd_map block_by_id, block_by_number; /* number: link u32, number u32 */
    struct qkd_slab mails;
    struct qkd_map mail_by_tail;
    int64_t lost_after_ns; /* what did not arrive this long after it was sent never does */
    uint32_t mail_first, mail_last;
    struct qkd_slab kma_keys, ksa_keys, shares;
    bool is_multicast; /* the scenario has applications that share keys */
    struct qkd_slab draws;
    struct qkd_map draw_by_hash;
    struct qkd_map shares_by_id;
    struct qkd_map kma_by_id, ksa_by_id;
    uint32_t key_first, key_last;
    uint32_t closed[WATCH_ORC_CLOSED];
    uint32_t closed_count;                           /* ever */
    uint64_t compare_seen[WATCH_ORC_RECENT_COMPARE]; /* hashes of compare keys, by their low bits */
    uint64_t key_bits[5];                            /* end to end: enum watch_orc_end */
    uint64_t drawn_bits, taken_bits;
    struct watch_orc_leak leak;
    struct watch_orc_deleted { /* own chunk records deleted in the step under way */
        uint32_t block, start, end;
        uint8_t side;
    } * deleted;
    uint32_t deleted_count, deleted_cap;
    int64_t deleted_ns;
    struct qkd_slab sessions;
    struct qkd_map session_by_key;
    bool forged; /* an attacker's message was taken for genuine */
    bool losing; /* a store is lost: its records go without anybody's will */
    struct watch_orc_terms terms;
    uint8_t *light; /* per link: what lets its light pass; NULL: no switches, no relay points */
    struct watch_orc_rate *rates;       /* per application; NULL: none has a highest rate */
    struct watch_orc_fair **fair_nodes; /* per node; NULL: there are no classes to judge */
    struct qkd_slab fair_needs;
    struct qkd_map fair_need_map;
    struct watch_orc_hop *hops; /* per end of a link; NULL: there are no classes to judge */
    struct qkd_slab hop_sessions;
    struct qkd_map hop_session_map;
    struct watch_orc_promise *promises; /* per application; NULL: no guaranteed rates to judge */
    struct qkd_slab promise_needs;
    struct qkd_map promise_need_map;
    uint32_t session_ends; /* since those that are over were last forgotten */
    uint32_t meets[QKD_RP_COUNT][QKD_ROLE_COUNT]; /* bit per role spoken to */
    uint32_t places[256];                         /* command -> bit per reference point */
    uint64_t calls, audit_at, frames;
    uint64_t cost_ns;
    int64_t clock_cost_ns;
    uint8_t scratch[WATCH_ORC_SCRATCH]; /* key bytes of the frame under check */
};

enum watch_orc_end {
    WATCH_ORC_KEY_IN_FLIGHT,
    WATCH_ORC_KEY_POOLED, /* nobody has asked for it yet */
    WATCH_ORC_KEY_SUPPLIED,
    WATCH_ORC_KEY_EXPIRED,
    WATCH_ORC_KEY_DISCARDED
};

/* ---- oracle.c ---- */

/* Where something went wrong; zero fields are not printed. */
struct watch_orc_scene {
    struct qkd_eid from, to;
    const struct qkd_id *id;
    bool has_range;
    uint32_t link, block, start, end, seq;
    unsigned rp, command;
};
void watch_orc_fail(struct watch_oracle *o, const char *what, const struct watch_orc_scene *scene);

/* Counts a check; `what` starts with the rule. Gives cond back. */
static inline bool watch_orc_check(struct watch_oracle *o, bool cond, const char *what,
                                   const struct watch_orc_scene *scene)
{
    o->verdict.checks++;
    if (!cond) {
        watch_orc_fail(o, what, scene);
    }
    return cond;
}

/* A fast 64-bit hash of key or frame bytes; not for enemies. */
static inline uint64_t watch_orc_hash(const uint8_t *bytes, size_t len)
{
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t a = len * k;
    uint64_t b = ~a;
    uint64_t w[2];
    for (; len >= 16; len -= 16, bytes += 16) {
        memcpy(w, bytes, 16);
        a = (a ^ w[0]) * k;
        b = (b ^ w[1]) * UINT64_C(0xc2b2ae3d27d4eb4f);
        a ^= a >> 29;
        b ^= b >> 31;
    }
    w[0] = w[1] = 0;
    if (len > 0) {
        memcpy(w, bytes, len);
    }
    a = (a ^ w[0]) * k;
    b = (b ^ w[1]) * UINT64_C(0xc2b2ae3d27d4eb4f);
    a ^= b ^ (a >> 32) ^ (b << 7);
    return (a ^ (a >> 29)) * k;
}

static inline uint64_t watch_orc_word(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* ---- oracle_session.c ---- */
void watch_orc_session_init(struct watch_oracle *o);
void watch_orc_session_fini(struct watch_oracle *o);
/* RESERVE of a KMC; RESERVE_RSP and RELEASE_RSP of the controller, at Ck. */
void watch_orc_reserve(struct watch_oracle *o, const struct qkd_send *send,
                       const uint8_t *observed);
void watch_orc_reserve_rsp(struct watch_oracle *o, const struct qkd_send *send,
                           const uint8_t *observed);
void watch_orc_release_rsp(struct watch_oracle *o, const struct qkd_send *send,
                           const uint8_t *observed);
/* ---- oracle_light.c ---- */

int watch_orc_light_init(struct watch_oracle *o);
/* WIRE_Q_LIGHT; a block of a link. */
void watch_orc_light_sent(struct watch_oracle *o, const struct qkd_send *send,
                          const uint8_t *observed);
void watch_orc_light_block(struct watch_oracle *o, uint32_t link, const struct wire_q_block *block,
                           struct qkd_eid module);

/* oracle_rate.c */
int watch_orc_rate_init(struct watch_oracle *o);
void watch_orc_rate_crash(struct watch_oracle *o, uint32_t node);
/* So many bits are supplied to the application that asked for them. */
void watch_orc_rate(struct watch_oracle *o, const struct qkd_send *send, uint64_t bits);

/* oracle_guarantee.c */
int watch_orc_guarantee_init(struct watch_oracle *o);
void watch_orc_guarantee_free(struct watch_oracle *o);
void watch_orc_guarantee_crash(struct watch_oracle *o, uint32_t node);
/* A message at KMI. */
void watch_orc_guarantee(struct watch_oracle *o, const struct qkd_send *send,
                         const uint8_t *observed, uint8_t command);

/* oracle_hops.c */
int watch_orc_hops_init(struct watch_oracle *o);
void watch_orc_hops_free(struct watch_oracle *o);
void watch_orc_hops_crash(struct watch_oracle *o, uint32_t node);
/* SESSION and RELAY_DONE at Kx-1; a new RELAY frame. */
void watch_orc_hops_session(struct watch_oracle *o, const struct qkd_send *send,
                            const uint8_t *observed);
void watch_orc_hops_done(struct watch_oracle *o, const struct qkd_send *send,
                         const uint8_t *observed);
void watch_orc_hops_frame(struct watch_oracle *o, const struct wire_frame *frame,
                          struct qkd_eid from, const struct wire_relay_body *body);

/* oracle_fair.c */
int watch_orc_fair_init(struct watch_oracle *o);
void watch_orc_fair_free(struct watch_oracle *o);
void watch_orc_fair_crash(struct watch_oracle *o, uint32_t node);
/* A KMI_NEED or KMI_SUPPLY. */
void watch_orc_fair(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed,
                    uint8_t command);

/* oracle_term.c */
int watch_orc_term_init(struct watch_oracle *o);
void watch_orc_term_fini(struct watch_oracle *o);
void watch_orc_term_crash(struct watch_oracle *o, uint32_t node);
void watch_orc_term_sent(struct watch_oracle *o, const struct qkd_send *send,
                         const uint8_t *observed);
/* A KM that lost its store follows whomever it hears of first. */
void watch_orc_term_persist(struct watch_oracle *o, const struct qkd_persist *entry);
/* Whether what a controller of a term says of reservations counts: it is in charge. */
bool watch_orc_term_rules(struct watch_oracle *o, bool has_term, uint64_t term);

/* The controller's table went with its node. */
void watch_orc_session_crash(struct watch_oracle *o);

/* ---- oracle_block.c ---- */

struct watch_orc_block *watch_orc_block_at(const struct watch_oracle *o, uint32_t slot);
/* Slot of block `number` of a link, QKD_SLAB_NONE if it is not confirmed or is used up. */
uint32_t watch_orc_block_find(const struct watch_oracle *o, uint32_t link, uint32_t number);
uint32_t watch_orc_block_new(struct watch_oracle *o, uint32_t link,
                             const struct wire_q_block *from);
void watch_orc_block_name(struct watch_oracle *o, uint32_t slot, uint32_t number);
/* Cuts [first, mid) and [mid, bytes) into the halves of both owners and names it. */
void watch_orc_block_halve(struct watch_oracle *o, uint32_t slot, uint32_t number, uint32_t first,
                           uint32_t mid);
/* The higher KMA confirmed it under this number: halves it as rule 1 says. */
void watch_orc_block_answer(struct watch_oracle *o, uint32_t slot, uint32_t number);
void watch_orc_block_confirmed(struct watch_oracle *o, uint32_t slot);
/* A frame under pads of the block was delivered: who sent it has confirmed the block. */
void watch_orc_block_shown(struct watch_oracle *o, uint32_t link, uint32_t side, uint32_t number);
/* Forgets a block of which nothing is left to watch. */
void watch_orc_block_settle(struct watch_oracle *o, uint32_t slot);
void watch_orc_block_free(struct watch_oracle *o, uint32_t slot);
/* Copies key bytes. */
void watch_orc_block_read(const struct watch_orc_block *block, uint32_t offset, uint8_t *to,
                          size_t len);

/* Turns the bytes of [start, end) that are (kind, side) into (to_kind, to_side); how many. */
struct watch_orc_paint {
    uint32_t start, end;
    uint8_t kind, side, to_kind, to_side;
};
uint32_t watch_orc_paint(struct watch_oracle *o, struct watch_orc_block *block,
                         const struct watch_orc_paint *paint);
/* The segment that holds a byte, NULL outside of all. */
const struct watch_orc_segment *watch_orc_segment_at(const struct watch_orc_block *block,
                                                     uint32_t offset);

enum { WATCH_ORC_ASKS_END = 128 }; /* where the tags of questions about a block end */

/* A question of the lower KMA takes its tag from the block that it asks about: checks rules 1 and 2. True
 * if the bytes were free. */
bool watch_orc_ask(struct watch_oracle *o, const struct wire_frame *frame,
                   const struct watch_orc_scene *scene);
/* What questions took of a block before its confirmation. */
uint32_t watch_orc_asked_bytes(const struct watch_orc_block *block);

/* A frame of `side` consumes [offset, offset + length): checks rules 1 and 2. True if the bytes were
 * free: they are in flight now. */
bool watch_orc_use(struct watch_oracle *o, uint32_t side, const struct wire_frame *frame,
                   const struct watch_orc_scene *scene);
/* ---- oracle_chunk.c ---- */

/* What the owner gave up and the other end can no longer use either is gone. */
void watch_orc_follow(struct watch_oracle *o, uint32_t slot);
void watch_orc_persist_block(struct watch_oracle *o, const struct qkd_persist *entry,
                             const uint8_t *value);
void watch_orc_persist_chunk(struct watch_oracle *o, const struct qkd_persist *entry,
                             const uint8_t *value);
/* Own chunk records that were deleted: what was left in them is given up. */
void watch_orc_flush(struct watch_oracle *o);
/* The KMA of a node fell, its modules with it or not; the module of a link at one side fell. */
void watch_orc_block_crash(struct watch_oracle *o, uint32_t node, bool modules);
void watch_orc_module_crash(struct watch_oracle *o, uint32_t link, uint32_t side);

/* ---- oracle_frame.c ---- */

/* A frame under check. */
struct watch_orc_sight {
    struct wire_frame frame;
    const struct qkd_send *send;
    const uint8_t *bytes; /* the frame as tagged: RELAY encrypted */
    size_t len;
    const uint8_t *observed; /* NULL: a RELAY sent again */
    const uint8_t *record;   /* what leaves: for its tail */
    size_t record_len;
    uint32_t side;
    struct watch_orc_scene scene;
};

/* ---- oracle_fallback.c ---- */

/* A new RELAY of method AES. */
void watch_orc_aes_new(struct watch_oracle *o, const struct watch_orc_sight *s);
/* Whether it is what its key makes of what was observed. */
void watch_orc_aes_verify(struct watch_oracle *o, const struct watch_orc_sight *s);

/* The link's side that an element is, 0 or 1; 2 if it is neither end. */
uint32_t watch_orc_side_of(const struct watch_oracle *o, uint32_t link, struct qkd_eid kma);
void watch_orc_frame_sent(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                          const uint8_t *observed);
void watch_orc_relay_delivered(struct watch_oracle *o, const struct watch_oracle_frame *frame);
void watch_orc_frame_meant(struct watch_oracle *o, const struct watch_orc_mail *mail);
void watch_orc_ack_sent(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                        const uint8_t *observed);
void watch_orc_ack_meant(struct watch_oracle *o, const struct watch_orc_mail *mail);
void watch_orc_frame_crash(struct watch_oracle *o, uint32_t node);
/* Frames of `side` not delivered whose pads lie in the range never will be. */
struct watch_orc_range {
    uint32_t block, start, end;
};
void watch_orc_frame_close(struct watch_oracle *o, uint32_t link, uint32_t side,
                           const struct watch_orc_range *range);

/* ---- oracle_control.c ---- */

/* Reads CONFIRM, GRANT, SKIP into what their delivery will mean; true for other frames. */
bool watch_orc_control_read(const struct wire_frame *frame, struct watch_orc_mail *mail);
void watch_orc_control_new(struct watch_oracle *o, struct watch_orc_sight *s,
                           const struct watch_orc_mail *mail);
void watch_orc_control_meant(struct watch_oracle *o, const struct watch_orc_mail *mail);
void watch_orc_key_file(struct watch_oracle *o, const struct qkd_send *send,
                        const uint8_t *observed);

/* ---- oracle_mail.c ---- */

void watch_orc_mail_post(struct watch_oracle *o, const struct watch_orc_mail *mail);
/* True if `tail` was under way to `to`: it is no more. */
bool watch_orc_mail_take(struct watch_oracle *o, uint64_t tail, struct qkd_eid to,
                         struct watch_orc_mail *mail);

/* ---- oracle_key.c ---- */

/* A key leaves its source, or crosses a further hop. */
struct watch_orc_travel {
    struct qkd_eid source, destination;
    const struct qkd_id *id;
    const uint8_t *keys, *compare;
    uint32_t key_size, count;
    bool first;            /* it is the source that sends */
    bool taken;            /* pool units */
    bool weak;             /* under AES-256 */
    bool pooled;           /* keys for a pool, each with its compare key behind it */
    bool unasked;          /* one of those */
    uint8_t share, shares; /* multipath: keys and compare key are this share; shares 0: none */
    bool direct;           /* over the one link between source and destination */
};
void watch_orc_key_travels(struct watch_oracle *o, const struct watch_orc_travel *travel,
                           const struct watch_orc_scene *scene);
/* Multipath: a share leaves its source, or crosses a further hop, to `to`. */
void watch_orc_key_share(struct watch_oracle *o, const struct watch_orc_travel *travel,
                         struct qkd_eid to, const struct watch_orc_scene *scene);
/* Relay to the destination: key of a further link is named; a node on the way sends a sum. */
void watch_orc_key_summed(struct watch_oracle *o, const struct watch_orc_travel *travel,
                          uint8_t hop, const struct watch_orc_scene *scene);
void watch_orc_sum(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed);
void watch_orc_notify(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed);
void watch_orc_notify_rsp(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                          const uint8_t *observed);
void watch_orc_match_meant(struct watch_oracle *o, const struct watch_orc_mail *mail);
void watch_orc_supply(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed);
void watch_orc_persist_key(struct watch_oracle *o, const struct qkd_persist *entry,
                           const uint8_t *value);
/* An element recorded that it holds a KMA-key no more: WATCH_ORC_KEY_EXPIRED or _DISCARDED. */
/* ---- oracle_multicast.c ---- */

/* Whether some applications share keys; whether this one does. */
bool watch_orc_multicast_any(const struct scn_scenario *scenario);
bool watch_orc_multicast_for(const struct watch_oracle *o, struct qkd_eid app);
/* A copy of bits leaves their source; false: memory ended. */
bool watch_orc_draw_add(struct watch_oracle *o, struct watch_orc_ksa_key *key,
                        const struct watch_orc_travel *travel);
void watch_orc_draw_settle(struct watch_oracle *o, struct watch_orc_ksa_key *key,
                           enum watch_orc_end end);
/* Bits of draws that are in flight. */
uint64_t watch_orc_draws_flying(const struct watch_oracle *o);
/* A KSA-key gets its ID, alone or beside the copies for others; false: memory ended. */
bool watch_orc_chain_add(struct watch_oracle *o, uint32_t k, const uint8_t *id,
                         const struct wire_supply_notify *notify);
/* It is forgotten. */
void watch_orc_chain_leave(struct watch_oracle *o, uint32_t k);
/* The copy for this slave; `head` if there is none. */
uint32_t watch_orc_chain_slave(const struct watch_oracle *o, uint32_t head, struct qkd_eid slave);
/* What is asked of all copies when one of them is supplied. */
void watch_orc_chain_supply(struct watch_oracle *o, uint32_t head, bool master,
                            const struct wire_key_supply_rsp *rsp,
                            const struct watch_orc_scene *scene);

/* ---- oracle_key.c ---- */

void watch_orc_key_over(struct watch_oracle *o, const struct qkd_id *id, struct qkd_eid by,
                        enum watch_orc_end end);
void watch_orc_key_crash(struct watch_oracle *o, uint32_t node);
void watch_orc_key_age(struct watch_oracle *o);

/* ---- oracle_life.c ---- */

/* METADATA of a KMA or KSA: the KMA-keys that it recorded as expired or discarded are over. */
void watch_orc_life(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *observed);

/* ---- oracle_leak.c ---- */

void watch_orc_leak_add(struct watch_orc_leak *leak, const uint8_t *key, size_t len);
/* Whether 8 bytes in a row are the start of a recent key. */
bool watch_orc_leak_found(const struct watch_orc_leak *leak, const uint8_t *bytes, size_t len);

/* ---- oracle_place.c ---- */

void watch_orc_place_init(struct watch_oracle *o);
/* Checks roles, reference point and head of a message. */
void watch_orc_place_check(struct watch_oracle *o, const struct qkd_send *send,
                           const uint8_t *observed);

/* ---- oracle_ledger.c ---- */

static inline void watch_orc_move(struct watch_orc_link *link, uint8_t from, uint8_t to,
                                  uint64_t bytes)
{
    link->bytes[from] -= bytes;
    link->bytes[to] += bytes;
}
/* Recounts everything and compares. */
void watch_orc_audit(struct watch_oracle *o);
/* At the end: bits that vanished. */
void watch_orc_ledger_finish(struct watch_oracle *o);

#endif
