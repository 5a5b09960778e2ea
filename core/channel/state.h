/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a set of channels holds, for the files of this folder only.
 *
 * A channel costs little while it idles: the session that serves, the secret, a few numbers. All
 * that only a handshake needs lives in a second slab while the handshake lasts:
 *
 *   attempt  our OPEN is out and no ACCEPT has come (timer: send it again)
 *   next     NONE     no session under way
 *            PENDING  we answered an OPEN; nothing has come under the new keys yet
 *            AUTH     both hold the new keys: 7-2 and 7-3 in both directions (timer: 7-2 again);
 *                     when both proofs are accepted, next becomes the serving session: UP
 *
 * The old session serves until then, unless the peer has restarted and so has lost it. */
#ifndef QKD_CHANNEL_STATE_H
#define QKD_CHANNEL_STATE_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/base/timers.h"
#include "core/channel/channel.h"
#include "core/channel/keys.h"
#include "core/crypto/crypto.h"

struct chan_session {
    uint64_t sent;        /* counter of our next record */
    uint64_t top;         /* one above the highest counter opened */
    uint64_t window;      /* bit i: counter top - 1 - i was opened */
    uint32_t id;          /* in every header */
    uint32_t incarnation; /* of the peer */
    uint8_t seal[32];     /* AES-256 key of what we send */
    uint8_t open[32];     /* AES-256 key of what we receive */
};

enum chan_next { CHAN_NEXT_NONE, CHAN_NEXT_PENDING, CHAN_NEXT_AUTH };

struct chan_shake {
    struct chan_session next;
    uint8_t exporter[32];
    uint8_t nonce[CHAN_NONCE_LEN];        /* of our OPEN */
    uint8_t answer_nonce[CHAN_NONCE_LEN]; /* of our ACCEPT */
    uint8_t peer_nonce[CHAN_NONCE_LEN];   /* of the OPEN we answered */
    uint64_t auth_id;                     /* Message ID of our 7-2 */
    uint32_t timer;
    uint32_t tries;   /* timeouts since the peer last showed life */
    uint32_t repeats; /* timeouts in this phase: the interval doubles with each */
    enum chan_next phase;
    bool initiator; /* of `next` */
    bool attempt;
    bool self_ok; /* the peer accepted our proof */
    bool peer_ok; /* we accepted the peer's */
};

/* What each message needs comes first: in a large network every line of memory is a wait. */
struct chan_channel {
    struct qkd_eid peer;
    uint32_t shake; /* slot of the handshake under way or QKD_SLAB_NONE */
    uint8_t rp;
    bool serves; /* `serving` is UP */
    bool has_secret;
    bool wanted; /* WANT_SECRET was reported */
    struct chan_session serving;
    uint8_t secret[32];
    struct qkd_time answer_at; /* earliest next RESET or prompt to this peer */
    struct qkd_time reopen_at; /* earliest time a RESET may make us open again */
    uint32_t queue;            /* slot of the waiting messages or QKD_SLAB_NONE */
    uint32_t serial;           /* of our last OPEN */
    uint32_t peer_incarnation; /* newest authenticated, 0: none yet */
    uint32_t peer_serial;      /* of the newest OPEN of that incarnation */
    uint32_t guard;            /* slot of its guard (guard.c) or QKD_SLAB_NONE */
    bool asked;                /* chan_open() wants it */
    bool peer_open_used;       /* the newest OPEN led to a session: seen again it is a replay */
};

/* One message that waits for UP; bytes on the heap, wiped when it leaves. */
struct chan_waiting {
    uint8_t *bytes;
    uint32_t len;
    uint32_t flags;
};

struct chan_queue {
    struct chan_waiting item[CHAN_QUEUE];
    uint32_t count;
    uint32_t bytes;
};

enum { CHAN_FEW = 16 }; /* so many are looked through; with more there is a map */

/* What each message needs comes first here too. */
struct chan_set {
    struct chan_config config;
    struct chan_stats stats;
    struct qkd_slab channels;
    uint16_t tag[CHAN_FEW]; /* of the first slots: a hash of (rp, peer), true or stale */
    struct qkd_timers timers;
    struct qkd_map by_peer; /* (rp, peer) -> slot in channels; empty while there are CHAN_FEW */
    struct qkd_rng *rng;
    uint32_t incarnation;
    uint32_t evict_at;        /* where the search for an entry to evict goes on */
    uint64_t next_message_id; /* of our 7-2 and 7-3 */
    struct qkd_slab shakes;
    struct qkd_slab queues;
    uint8_t first_strangers;  /* let in before anybody counts them */
    struct chan_watch *watch; /* guards; NULL until something bad arrived */
};

/* Whether an experiment switched a measure off. */
static inline bool chan_is_off(const struct chan_set *set, enum qkd_measure measure)
{
    return set->config.off != 0 && qkd_is_off(set->config.off, measure);
}

/* One call from outside about one channel. */
struct chan_call {
    struct chan_set *set;
    struct qkd_time now;
    struct qkd_out *out;
    uint32_t slot;
    struct chan_channel *channel;
};

/* ---- record.c: sealing, opening, sending, reporting ---- */

/* Seals a message under `session` and appends it (send's rp and peer are those of the channel). */
void chan_record_send(const struct chan_call *call, struct chan_session *session,
                      enum chan_frame_type type, const struct chan_send *send);

/* Opens a record into working memory, *plain: 0, QKD_ERR_REPLAY, QKD_ERR_AUTH, QKD_ERR_NOMEM. */
int chan_record_open(const struct chan_call *call, struct chan_session *session,
                     const struct chan_frame *frame, const struct crypto_part *bytes,
                     struct crypto_part *plain);

/* weak.c: the same with a measure of records off: sealing, opening. */
int chan_weak_seal(const struct chan_set *set, const uint8_t key[32], const uint8_t nonce[12],
                   const struct crypto_gcm_text *text, uint8_t *to);
int chan_weak_open(const struct chan_set *set, const uint8_t key[32], const uint8_t nonce[12],
                   const struct crypto_gcm_text *text, uint8_t *to);

/* Appends clear bytes to the peer. */
void chan_clear_send(const struct chan_call *call, const uint8_t *bytes, size_t len);

/* Reports about the peer; a = rp. */
void chan_report(const struct chan_call *call, enum qkd_report_code code, uint64_t b);

/* Counts and reports a wrong MAC, tag or proof. */
void chan_auth_failure(const struct chan_call *call);

/* ---- guard.c: what peers and strangers may cost ---- */

void chan_watch_free(struct chan_set *set);
/* Whether a tag that stands in the name of the call's channel may be looked at; counted if not. */
bool chan_guard_may_check(const struct chan_call *call);
/* Whether its peer is in quarantine. */
bool chan_guard_is_strict(const struct chan_call *call);
/* Whether a record of this session and counter may be looked at. */
bool chan_guard_lets_pass(const struct chan_call *call, const struct chan_session *session,
                          uint64_t counter);
/* A tag was right; only where channel->guard is not QKD_SLAB_NONE need it be called. */
void chan_guard_good(const struct chan_call *call);
/* A bad frame (channel NULL: in the name of nobody known); checked: it cost a look at its tag. False: nobody
 * is to be told of it. */
bool chan_guard_bad(const struct chan_call *call, bool checked);
/* Whether one more stranger may have an entry; remembers the entry it got, and gives the slot of one that
 * is to go for it or QKD_SLAB_NONE. */
bool chan_stranger_may_come(const struct chan_call *call);
uint32_t chan_stranger_came(const struct chan_call *call);
void chan_guard_timeout(struct chan_set *set, struct qkd_time now);
struct qkd_time chan_guard_deadline(const struct chan_set *set);

/* ---- channel.c ---- */

/* Points the call at the channel to (rp, peer); false if there is none. */
bool chan_find(struct chan_call *call, enum qkd_rp rp, struct qkd_eid peer);

/* ---- queue.c: messages waiting for UP ---- */

int chan_queue_add(const struct chan_call *call, const struct chan_send *send);
void chan_queue_flush(const struct chan_call *call);
/* Wipes and frees what waits; the number of messages lost. */
uint32_t chan_queue_drop(struct chan_set *set, struct chan_channel *channel);

/* ---- shake.c: OPEN, ACCEPT, RESET and the timer ---- */

/* Opens the channel unless it is up or under way; asks for the secret if it is missing. */
int chan_shake_want(const struct chan_call *call);
/* Starts with a new OPEN. */
int chan_shake_begin(const struct chan_call *call);
void chan_shake_end(const struct chan_call *call);
void chan_on_open(const struct chan_call *call, const struct chan_frame *frame,
                  const uint8_t *bytes);
void chan_on_accept(const struct chan_call *call, const struct chan_frame *frame,
                    const uint8_t *bytes);
void chan_on_reset(const struct chan_call *call, const struct chan_frame *frame);
void chan_on_timer(const struct chan_call *call);
/* The handshake under way, or NULL. */
struct chan_shake *chan_shake_of(const struct chan_set *set, const struct chan_channel *channel);
/* The first record under PENDING keys was opened: the peer holds them and the OPEN was fresh. */
void chan_shake_confirm(const struct chan_call *call, struct chan_shake *shake);

/* ---- auth.c: Tables 7-2 and 7-3 ---- */

/* Sends our 7-2 (again). */
void chan_auth_send(const struct chan_call *call, struct chan_shake *shake);
/* A 7-2 or 7-3 has been opened under `session`; whether the channel came UP by it. */
bool chan_on_control(const struct chan_call *call, struct chan_session *session,
                     const uint8_t *bytes, size_t len);

#endif
