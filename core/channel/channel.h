/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Authenticated, encrypted record layer between two elements at one reference point, used in every
 * world at every reference point except inside Kx-1 frames (rule 9 of docs/architecture.md).
 * It follows FG QIT4N D2.3 clause 7.2.1.1a and Tables 7-2/7-3 for authentication.
 *
 *   initiator                                   responder
 *   CLOSED ── OPEN {nonce, incarnation, MAC} ─────▶  checks MAC, derives keys       (clear, MACed)
 *          ◀── ACCEPT {nonce, incarnation, MAC} ──   PENDING (old session still serves)
 *   OPEN   ── 7-2 authentication ─────────────────▶  first record under the new keys replaces old
 *          ◀── 7-3 result, 7-2 the other way ─────
 *   UP     ── 7-3 result ─────────────────────────▶  UP
 *
 * Keys: HKDF-SHA-256 over the provisioned pairwise secret, both nonces and both incarnations, with
 * both identities, roles and the reference point as info; one AES-256-GCM key per direction, the
 * record counter as nonce, a 64-record replay window. Associated data: clear header, both element
 * identities (role included) and reference point. Authenticated first (record), authorised second
 * (does this peer hold a role that may speak here: config), parsed third (by the caller).
 * Lost handshake messages are repeated; two OPENs that cross: that of the lower element ID wins.
 * A record of an unknown session is answered by RESET, which only makes the peer (re-)open, rate
 * limited, and never drops a session by itself.
 *
 * Messages handed over before UP wait in a small bounded queue, in order. While messages wait or
 * chan_open() asked for it, a lost handshake is repeated for ever (at most 8 x slower than at
 * first); otherwise it is given up after 8 tries. A message that reaches a side that is not UP yet
 * is dropped. A peer of the wrong role is reported as QKD_REPORT_BAD_BYTES with b = 6 (denied).
 * Message IDs of 7-2 and 7-3 have bit 63 set: elements count theirs from below. An OPEN that finds
 * no secret is dropped and repeated: provisioning both ends at once saves that interval. */
#ifndef QKD_CHANNEL_CHANNEL_H
#define QKD_CHANNEL_CHANNEL_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/measure.h"
#include "core/base/out.h"
#include "core/base/rng.h"

#define CHAN_OVERHEAD 32       /* bytes a record adds to its message: header 16, GCM tag 16 */
#define CHAN_QUEUE 16          /* messages waiting for UP per channel */
#define CHAN_QUEUE_BYTES 65536 /* bytes waiting for UP per channel */

/* All channels of one element. Opaque. Idle channels cost at most 256 bytes each. */
struct chan_set;

struct chan_config {
    struct qkd_eid self;        /* the element that speaks */
    uint32_t limit;             /* most channels */
    struct qkd_span retransmit; /* first repetition of a lost handshake message; doubles, 8x cap */
    uint32_t off;               /* measures that an experiment switched off: base/measure.h */
    struct qkd_guard_config
        guard; /* what a peer, or a stranger in its name, may cost; zeros: anything */
};

/* What a received message meant. */
enum chan_event {
    CHAN_NONE, /* handled inside (handshake, authentication, replay, garbage: counted) */
    CHAN_UP,   /* the peer is now authenticated and authorised in both directions */
    CHAN_DATA  /* a message of an authenticated peer: see chan_message */
};

struct chan_message {
    enum qkd_rp rp;
    struct qkd_eid peer;
    const uint8_t *bytes; /* plaintext in the working memory of `out`: valid until its reset */
    size_t len;
    uint32_t peer_incarnation; /* changes when the peer restarted */
};

/* Counters since start. */
struct chan_stats {
    uint64_t sealed, opened;
    uint64_t auth_failures; /* MAC, GCM tag or 7-2 proof wrong */
    uint64_t denied;        /* authenticated, but the role may not speak here */
    uint64_t replays;       /* outside the window or seen before */
    uint64_t queue_drops;   /* waiting messages dropped */
    uint64_t limited;       /* dropped unseen: the budget of checks was used up */
    uint64_t filtered;      /* dropped unseen: by quarantine, too many strangers, chan_mute() */
    uint64_t quarantines;   /* begun */
};

int chan_set_new(const struct chan_config *config, struct chan_set **set);
void chan_set_free(struct chan_set *set);

/* After START: the incarnation and the element's rng (borrowed, outlives the set). */
void chan_set_start(struct chan_set *set, uint32_t incarnation, struct qkd_rng *rng);

/* Installs the pairwise secret for (rp, peer); the channel may then be opened by either side.
 * Also opens it if messages wait. 0, QKD_ERR_LIMIT, QKD_ERR_NOMEM. */
int chan_provision(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
                   struct qkd_eid peer, const uint8_t secret[32], struct qkd_out *out);

/* Seals and appends one encoded message for (rp, peer), opening the channel if needed: without a
 * secret it reports QKD_REPORT_WANT_SECRET once and queues. `flags` as in qkd_send. Returns 0,
 * QKD_ERR_AGAIN (queued), or QKD_ERR_LIMIT (dropped: queue full). `message` must not lie in
 * out's arena (it may move). */
struct chan_send {
    enum qkd_rp rp;
    struct qkd_eid peer;
    const uint8_t *message;
    size_t len;
    uint32_t flags;
};
int chan_send(struct chan_set *set, const struct qkd_event *event, const struct chan_send *send,
              struct qkd_out *out);

/* Starts opening the channel to (rp, peer) without a message. */
int chan_open(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
              struct qkd_eid peer, struct qkd_out *out);

/* The transport to this peer has come back (a hint, QKD_EV_PEER): it may have restarted and have forgotten
 * us. Opens a channel anew that is up, at the rate of a RESET; the old session serves until then. A channel
 * that is being opened, or is not wanted, is left alone. */
void chan_greet(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
                struct qkd_eid peer, struct qkd_out *out);

/* Hands in the bytes of a RECV event. Bad bytes are counted and reported, never an error. */
enum chan_event chan_receive(struct chan_set *set, const struct qkd_event *event,
                             struct qkd_out *out, struct chan_message *message);

/* Repeats what is due. */
void chan_timeout(struct chan_set *set, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time chan_deadline(const struct chan_set *set);

/* Drops all that comes from (rp, peer) until then, before it is opened: the peer has used up a quota. Without
 * a guard in the configuration nothing is dropped. */
void chan_mute(struct chan_set *set, const struct qkd_event *event, enum qkd_rp rp,
               struct qkd_eid peer, struct qkd_time until);

/* A quarantine that began or ended, not told of before; false: there is none. */
struct chan_quarantine {
    struct qkd_eid peer; /* 0: strangers */
    bool begins;
};
bool chan_quarantine_next(struct chan_set *set, struct chan_quarantine *what);

/* Whether (rp, peer) is UP. */
bool chan_is_up(const struct chan_set *set, enum qkd_rp rp, struct qkd_eid peer);

const struct chan_stats *chan_stats(const struct chan_set *set);

/* Whether an element of role `peer` may speak to one of role `self` at `rp`: the authorization
 * table of the reference points (standards: D2.3 clause 11, X.1712 SReq.9, 20, 24). */
bool chan_role_allowed(enum qkd_rp rp, enum qkd_role self, enum qkd_role peer);

#endif
