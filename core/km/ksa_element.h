/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The key supply agent's state, shared by its files (FG QIT4N D2.3 clauses 7.1.3 ... 7.1.6, 7.2.1):
 *
 *   ksa.c           life and events            ksa_directory.c  who may ask what for whom
 *   ksa_sessions.c  intake and answers at Ak   ksa_supply.c     master: from need to supply
 *   ksa_slave.c     slave: compare, by ID      ksa_delete.c     key deletion
 *   ksa_multicast.c master: several slaves
 *   ksa_resolve.c   applications named by address; where this KSA is
 *   ksa_list.c      slave: several by ID       ksa_persist.c    what survives a restart
 *   ksa_store.c     KSA-keys held, expiry      ksa_status.c     the status table
 *   ksa_records.c   life cycle, accounts       ksa_tag.c        what the KSAs compare
 *   ksa_reserve.c   sessions with a guaranteed rate
 *   ksa_access.c    access list, highest rates
 *
 * A request of a master:
 *
 *   KEY_SUPPLY ─checks─▶ NEED at KMI ──▶ pieces, each one KMA-key ("batch") ──last piece──▶ end
 *                 │ 0x03                     │                          timeout: 0x03 ▲
 *
 * A batch, the keys that came with one KMA-key (one sub-session):
 *
 *   master:  KMI_SUPPLY ──▶ COMPARING ──match──▶ all keys supplied ──▶ gone, or HELD (preserved)
 *                              │ mismatch, no answer, request over: wiped
 *            (multicast: COLLECTED until all pieces for all slaves are there, and again from its match
 *            until all match)
 *   slave:   SUPPLY_NOTIFY ──▶ FETCHING ──KMI_SUPPLY, match──▶ HELD (keys waiting, then supplied)
 *                              │ mismatch, no key: wiped            │ fetch time over: wiped
 *
 * After its supply a key is deleted, or kept until expiry when the policy is to preserve. */
#ifndef QKD_KM_KSA_ELEMENT_H
#define QKD_KM_KSA_ELEMENT_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/base/timers.h"
#include "core/channel/channel.h"
#include "core/channel/reports.h"
#include "core/km/ksa.h"
#include "core/km/ksa_pool.h"
#include "core/km/ksa_recent.h"
#include "core/wire/codec.h"

enum {
    KSA_ID_LEN = 16,
    KSA_KEYS_PER_BATCH = 64,   /* most keys with one KMA-key */
    KSA_TIMEOUT_MS = 5000,     /* of a request that names none */
    KSA_TOLD = 16,             /* supplies whose persisted fact is kept */
    KSA_APPLICATIONS = 262144, /* directory entries */
    KSA_RULES = 1024,          /* of the access list */
    KSA_CHANNELS = 262144,     /* applications, other KSAs, KMA, KMC */
    KSA_SLOT_BITS = 26         /* a key is named by batch slot and place in the batch */
};

/* A highest rate: a bucket that holds what comes in one second. */
struct ksa_bucket {
    uint64_t max_bps;     /* 0: any */
    uint64_t credit_bits; /* what may be asked for, as of credit_at */
    uint64_t debt_bits;   /* what a request beyond a full credit took in advance */
    struct qkd_time credit_at;
};

/* A directory entry (WIRE_CFG_APP) and the account of its application. */
struct ksa_app {
    struct qkd_eid app;
    struct qkd_eid peer_app; /* whom it may share keys with */
    struct qkd_eid *more;    /* and further ones, NULL if there are none */
    uint32_t more_count;
    uint8_t level;          /* enum wire_level: policy, the stricter of it and the request wins */
    uint8_t role;           /* of its node, enum wire_node_role; 0: not stated */
    uint8_t class_number;   /* of the configuration, from 1; 0: none */
    uint8_t relay, paths;   /* of its keys, enum wire_relay */
    uint32_t operator_id;   /* of its node; 0: not stated */
    uint32_t community;     /* the same */
    struct wire_b32 name;   /* cut at 32 bytes, zero-padded */
    struct ksa_bucket rate; /* of what it asks for outside sessions */
    struct qkd_time second; /* when the second that is counted began */
    uint32_t asked, heard;  /* requests in it, and messages with one */
    uint64_t keys, bits, refused, otp_bits; /* since the last accounting report */
};

/* What an answer at Ak repeats of its command (D23-GM-02). */
struct ksa_echo {
    uint64_t message_id;
    struct qkd_eid source_id, target_id;
    uint64_t session_id;
    uint8_t application_code;
    bool has_key_amount, has_key_id, has_key_size;
    uint32_t key_amount, key_size;
    struct qkd_id key_id;
};

/* A master's request under way. */
/* What is asked of the KMA. */
struct ksa_need {
    struct qkd_eid app, target;
    uint32_t key_size, amount, timeout_ms;
    uint8_t level;
    uint8_t relay, paths;
    uint8_t wait;
    uint8_t class_number;
    bool is_guaranteed;             /* within the rate of a session */
    bool barred;                    /* status only: the two may not share keys */
    struct wire_bytes more_targets; /* multicast: applications, 8 bytes each; while it is opened */
};

struct ksa_request {
    struct ksa_echo echo;
    struct qkd_eid app, target; /* source and target application */
    uint64_t need_id;           /* Message ID of the NEED, 0: over */
    uint32_t key_size;          /* bits */
    uint32_t amount;            /* keys asked for */
    uint8_t level;              /* enum wire_level */
    struct ksa_need asked;
    uint32_t lost;        /* pooled keys that the other end lost, to be asked for anew */
    uint8_t again;        /* how often that was done */
    uint32_t received;    /* keys that came from the KMA */
    uint32_t supplied;    /* keys answered */
    uint32_t pieces;      /* count_id of the last piece from the KMA */
    uint32_t count_id;    /* of the last sub-session answered */
    uint32_t comparing;   /* batches under comparison */
    uint32_t first_batch; /* of those, chained by next */
    uint32_t timer;
    uint32_t group;      /* multicast: slot; else QKD_SLAB_NONE */
    struct qkd_time end; /* of its time */
    uint8_t reason;      /* enum wire_reason of the first failure */
};

/* What a request for several slaves has beyond others. */
struct ksa_group {
    struct qkd_eid targets[WIRE_TARGETS_MAX];
    uint64_t have[WIRE_TARGETS_MAX]; /* bit per key that is at this target's node */
    uint64_t seen;                   /* bit per key that is in buf */
    uint32_t count;                  /* targets */
    uint32_t unmatched;              /* comparisons without an answer */
    uint8_t grade;                   /* the weakest */
    struct ksa_buf buf;              /* IDs of all keys, then the keys */
};

enum ksa_session_state {
    KSA_SESSION_OPENING, /* the KMC has not answered */
    KSA_SESSION_OPEN,    /* admitted; the application says within `life` that it is there */
    KSA_SESSION_CLOSING  /* over: RELEASE is repeated until the KMC has it */
};

/* A session with a guaranteed rate, from its SESSION_OPEN on. */
struct ksa_session {
    struct qkd_eid app, target;          /* applications */
    uint64_t session_id;                 /* the application's */
    uint64_t number;                     /* ours at KMI: never used twice */
    uint64_t open_id;                    /* Message ID of its last SESSION_OPEN */
    struct qkd_eid source_id, target_id; /* as it named them */
    uint32_t key_size, key_amount;
    uint64_t rate_bps;
    struct ksa_bucket rate; /* what of it is within the guaranteed rate */
    struct qkd_span life;
    uint32_t incarnation; /* of the application's channel */
    uint32_t timer;
    uint8_t state; /* enum ksa_session_state */
    uint8_t tries; /* RESERVE or RELEASE sent */
    bool was_open;
};

enum ksa_phase { KSA_COMPARING, KSA_FETCHING, KSA_HELD, KSA_COLLECTED };
enum ksa_key_state { KSA_KEY_GONE, KSA_KEY_WAITING, KSA_KEY_SUPPLIED };

/* Keys that came with one KMA-key. Buffer: IDs, then a state per key, then the keys. */
struct ksa_batch {
    struct qkd_id kma_id;
    uint64_t session_id; /* key-supply session at Ak */
    struct qkd_eid source_app, target_app;
    uint32_t key_size; /* bits */
    uint8_t count;     /* keys at first */
    uint8_t live;      /* keys not gone */
    uint8_t place;     /* multicast: of the first among those of its request */
    uint8_t grade;     /* enum wire_method */
    uint8_t phase;     /* enum ksa_phase */
    bool is_pooled;    /* master: it was relayed ahead of need */
    bool slave;
    uint8_t tries;   /* SUPPLY_NOTIFY sent */
    bool spoken;     /* the last one through a channel that was up, not to wait for it */
    uint8_t tag[16]; /* own (master) or received (slave) digest */
    struct ksa_buf buf;
    uint32_t request; /* master, comparing: slot */
    uint32_t timer;
    uint32_t next, prev;          /* HELD: same session; COMPARING: same request */
    uint64_t command_id;          /* outstanding: NOTIFY (master) or FETCH (slave) */
    uint64_t notify_id;           /* slave: Message ID of the NOTIFY to be answered */
    struct qkd_span fetch_within; /* slave */
    bool fetch_over;              /* slave: the time to fetch has passed */
    struct qkd_time fetch_until;  /* wall, for the persisted entry of a waiting key */
    struct qkd_time keep_until;   /* wall, for that of a supplied key */
};

struct ksa {
    const struct km_config *config; /* the host's */
    struct qkd_eid self, kma, kmc;
    struct chan_set *chans;
    uint64_t next_message_id;
    struct qkd_time account_at; /* end of the accounting period, QKD_NEVER: nothing to account */
    bool started;
    struct qkd_timers timers; /* tag: enum ksa_timer << 32 | slot */
    struct chan_reports reports;
    struct qkd_slab apps, requests, batches, sessions, groups;
    struct wire_access_rule *rules; /* the access list, in order; NULL if there is none */
    uint32_t rule_count;
    struct qkd_map by_app;      /* application eid -> apps */
    struct qkd_map outstanding; /* Message ID of own command -> KSA_COMMAND_... | slot */
    struct qkd_map by_key;      /* KSA-key ID -> batch slot * 64 + place */
    struct qkd_map by_session;  /* (application, session, slave) -> newest batch */
    struct qkd_map by_opened;   /* (application, session) -> sessions */
    struct qkd_map by_number;   /* own number of a session -> sessions */
    struct ksa_pool pool;
    struct ksa_recent recent;
    uint32_t keys_held;           /* keys in batches, not gone */
    struct qkd_id told[KSA_TOLD]; /* keys supplied and deleted last, a ring */
    uint64_t told_count;          /* ever put into it */
    bool has_address;             /* it is dynamic: drawn at this start */
    struct wire_b16 address;
    struct qkd_rng rng;
};

enum ksa_timer {
    KSA_TIMER_REQUEST = 1,
    KSA_TIMER_BATCH = 2,
    KSA_TIMER_SESSION = 3,
    KSA_TIMER_STATUS = 4,
    KSA_TIMER_RESOLVE = 5
};

/* `outstanding` tells needs (requests) and questions for the stock (requests that ask for no key) from
 * notifications and fetches (batches) by these bits. */
#define KSA_COMMAND_NEED UINT32_C(0x80000000)
#define KSA_COMMAND_STOCK UINT32_C(0x40000000)
#define KSA_COMMAND_RESOLVE UINT32_C(0x20000000)
#define KSA_COMMAND_OF_REQUEST (KSA_COMMAND_NEED | KSA_COMMAND_STOCK | KSA_COMMAND_RESOLVE)

static inline struct ksa_request *ksa_request_at(const struct ksa *ksa, uint32_t slot)
{
    return qkd_slab_at(&ksa->requests, slot);
}

static inline struct ksa_batch *ksa_batch_at(const struct ksa *ksa, uint32_t slot)
{
    return qkd_slab_at(&ksa->batches, slot);
}

/* ---- ksa.c ---- */

/* Head of a new message at `rp`; orig: Message ID answered, or 0. */
struct wire_head ksa_head(struct ksa *ksa, enum qkd_rp rp, uint64_t orig);

/* Where a message goes, and its encoded bytes; NULL: memory ended. */
struct ksa_to {
    enum qkd_rp rp;
    struct qkd_eid peer;
    uint32_t flags; /* enum qkd_send_flags */
    uint8_t *bytes;
};

/* Seals and sends `len` encoded bytes: 0, QKD_ERR_AGAIN or an error, also that of the encoder. */
int ksa_send(struct ksa *ksa, const struct qkd_event *event, const struct ksa_to *to, int len,
             struct qkd_out *out);

/* Encodes `message`, a struct wire_NAME, and sends it to `to`, a struct ksa_to. */
#define KSA_SEND(ksa, event, to, name, message, out)                                               \
    ((to).bytes = qkd_out_scratch((out), wire_##name##_size(message)),                             \
     ksa_send((ksa), (event), &(to),                                                               \
              (to).bytes == NULL                                                                   \
                  ? QKD_ERR_NOMEM                                                                  \
                  : wire_##name##_encode((message), (to).bytes, wire_##name##_size(message)),      \
              (out)))

void ksa_bad_bytes(const struct ksa *ksa, const struct chan_message *message, int err,
                   struct qkd_out *out);

/* ---- ksa_directory.c ---- */
int ksa_directory_put(struct ksa *ksa, const struct wire_cfg_app *entry);
void ksa_directory_fini(struct ksa *ksa);
struct ksa_app *ksa_directory_find(const struct ksa *ksa, struct qkd_eid app);

/* Whether source may share keys with target: NONE, UNKNOWN_APPLICATION or UNAUTHORIZED. */
/* Whether an application takes one-time padded keys only. */
bool ksa_directory_strict(const struct ksa *ksa, struct qkd_eid app);
enum wire_reason ksa_directory_check(const struct ksa *ksa, struct qkd_eid source,
                                     struct qkd_eid target);

/* ---- ksa_access.c ---- */
int ksa_access_put(struct ksa *ksa, const struct wire_cfg_access *config);

/* Whether the access list lets source ask for keys with target: NONE or ACCESS_DENIED. */
enum wire_reason ksa_access_check(const struct ksa *ksa, struct qkd_eid source,
                                  struct qkd_eid target);

/* Whether so many bits are within a rate, which are taken of it then. */
bool ksa_bucket_take(struct ksa_bucket *bucket, struct qkd_time now, uint64_t bits);

/* Counts a request of an application: NONE, OVER_RATE; drop: without an answer. */
struct ksa_asked {
    struct qkd_eid app;
    uint64_t message_id;
};
enum wire_reason ksa_quota(struct ksa *ksa, const struct qkd_event *event,
                           const struct ksa_asked *asked, bool *drop);
/* Whether so many bits are within the application's highest rate, which are taken of it then: NONE or
 * OVER_RATE. */
enum wire_reason ksa_access_rate(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                                 uint64_t bits);

/* ---- ksa_sessions.c ---- */
void ksa_on_application(struct ksa *ksa, const struct qkd_event *event,
                        const struct chan_message *message, struct qkd_out *out);

/* The target may be named by its KM instead (Table 7-4): then the application's only partner. */
struct qkd_eid ksa_target_of(const struct ksa *ksa, struct qkd_eid app, struct qkd_eid target);

/* The source is the application that asks, or the KM that receives the command (Table 7-4). */
bool ksa_source_good(const struct ksa *ksa, struct qkd_eid app, struct qkd_eid source);

/* Answers 0x03 and remembers it. */
void ksa_answer_refused(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                        const struct ksa_echo *echo, enum wire_reason reason, struct qkd_out *out);

/* A request whose target is known: authorised, then served. NONE, or why not. */
enum wire_reason ksa_request_admit(struct ksa *ksa, const struct qkd_event *event,
                                   const struct ksa_echo *echo, const struct ksa_need *need,
                                   struct qkd_out *out);

/* Answers keys of a batch: all of them (place < 0), or the one at `place`. */
struct ksa_answer_keys {
    struct qkd_eid app;
    const struct ksa_echo *echo;
    const struct ksa_batch *batch;
    int place;
    uint32_t count_id;
    uint8_t code; /* WIRE_SUCCESS or WIRE_SUFFICIENT */
};
void ksa_answer_supply(struct ksa *ksa, const struct qkd_event *event,
                       const struct ksa_answer_keys *keys, struct qkd_out *out);

/* One answer with keys of one size: a sub-session. */
struct ksa_part {
    struct qkd_eid app;
    const struct ksa_echo *echo;
    struct wire_bytes ids, keys;
    struct wire_bytes more_targets; /* of its command */
    uint32_t key_size;              /* bits */
    uint32_t count_id;
    uint8_t code; /* WIRE_SUCCESS or WIRE_SUFFICIENT */
    uint8_t grade;
};
void ksa_answer_part(struct ksa *ksa, const struct qkd_event *event, const struct ksa_part *part,
                     struct qkd_out *out);

/* Answers code 0x04 with a wire_key_status record. */
void ksa_answer_status(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                       const struct ksa_echo *echo, struct wire_bytes status, struct qkd_out *out);

/* A request that is under way comes again: if the KMA has not answered anything yet, it is asked again, in
 * the same bytes. */
void ksa_request_again(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                       const struct ksa_answer *known, struct qkd_out *out);

/* ---- ksa_supply.c: master ---- */
enum wire_reason ksa_request_open(struct ksa *ksa, const struct qkd_event *event,
                                  const struct ksa_echo *echo, const struct ksa_need *need,
                                  struct qkd_out *out);
void ksa_piece_arrived(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                       const struct wire_kmi_supply *supply, struct qkd_out *out);
void ksa_notify_answered(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                         const struct wire_supply_notify_rsp *answer, struct qkd_out *out);
/* The channel to a KSA came up anew: what went out through the old one is lost, and is said again. */
void ksa_notify_channel_up(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid peer,
                           struct qkd_out *out);
void ksa_notify_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                        struct qkd_out *out);
void ksa_request_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out);

/* Answers 0x03 and forgets the request; what was supplied before stays valid. */
void ksa_request_fail(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      enum wire_reason reason, struct qkd_out *out);
void ksa_request_free(struct ksa *ksa, uint32_t slot, struct qkd_out *out);
/* Takes a batch from the line of those under comparison. */
void ksa_comparing_unlink(struct ksa *ksa, struct ksa_request *request, struct ksa_batch *batch);
/* IDs of KSA-keys, 16 bytes each. */
void ksa_ids_make(struct ksa *ksa, uint8_t *ids, uint32_t count);
/* Asks the other KSA to compare a batch that has IDs and tag; false at a limit. */
bool ksa_notify_begin(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out);

/* ---- ksa_multicast.c: master ---- */
/* Whether the further targets may have keys with the application: NONE, or why not. */
enum wire_reason ksa_group_check(const struct ksa *ksa, const struct ksa_need *need);
int ksa_group_open(struct ksa *ksa, struct ksa_request *request, const struct ksa_need *need);
void ksa_group_close(struct ksa *ksa, struct ksa_request *request);
void ksa_group_piece(struct ksa *ksa, const struct qkd_event *event, uint32_t request_slot,
                     const struct wire_kmi_supply *supply, struct qkd_out *out);
/* One of the slaves' KSAs has compared. */
void ksa_group_matched(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                       struct qkd_out *out);

/* ---- ksa_resolve.c ---- */
/* Whether a command names the other application by address. */
bool ksa_resolve_wanted(const struct wire_key_supply *command);
enum wire_reason ksa_resolve_open(struct ksa *ksa, const struct qkd_event *event,
                                  const struct wire_key_supply *command,
                                  const struct ksa_echo *echo, const struct ksa_need *need,
                                  struct qkd_out *out);
/* RESOLVE_RSP of the KMC; false: it is another message. */
bool ksa_on_resolved(struct ksa *ksa, const struct qkd_event *event,
                     const struct chan_message *message, struct qkd_out *out);
void ksa_resolve_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out);
int ksa_address_configure(struct ksa *ksa, const struct qkd_event *event,
                          const struct wire_cfg_serves *config, struct qkd_out *out);
/* Tells the KMC, which may have come anew, where this KSA is. */
void ksa_address_tell(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out);

/* ---- ksa_reserve.c ---- */
void ksa_on_session_open(struct ksa *ksa, const struct qkd_event *event,
                         const struct chan_message *message, struct qkd_out *out);
void ksa_on_session_close(struct ksa *ksa, const struct qkd_event *event,
                          const struct chan_message *message, struct qkd_out *out);

/* Whether an application's session with a target is open. */
bool ksa_session_is_open(const struct ksa *ksa, struct qkd_eid app, struct qkd_eid target,
                         uint64_t session_id);

/* Whether so many bits are within the guaranteed rate of that session: then they are taken of it. */
bool ksa_session_rate(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                      uint64_t session_id, uint64_t bits);

/* RESERVE_RSP and RELEASE_RSP of the KMC. */
void ksa_on_kmc(struct ksa *ksa, const struct qkd_event *event, const struct chan_message *message,
                struct qkd_out *out);
void ksa_session_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out);

/* A channel is up: an application that restarted has left its sessions; a KMC that did is told. */
void ksa_sessions_up(struct ksa *ksa, const struct qkd_event *event,
                     const struct chan_message *message, struct qkd_out *out);

/* ---- ksa_status.c ---- */
enum wire_reason ksa_status_open(struct ksa *ksa, const struct qkd_event *event,
                                 const struct ksa_echo *echo, const struct ksa_need *need,
                                 struct qkd_out *out);

/* STOCK_RSP of the KMC; false: it is another message. */
bool ksa_on_stock(struct ksa *ksa, const struct qkd_event *event,
                  const struct chan_message *message, struct qkd_out *out);
void ksa_status_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                        struct qkd_out *out);

/* ---- ksa_slave.c ---- */
void ksa_on_notify(struct ksa *ksa, const struct qkd_event *event,
                   const struct chan_message *message, struct qkd_out *out);
void ksa_key_fetched(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                     const struct wire_kmi_supply *supply, struct qkd_out *out);
void ksa_fetch_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t batch_slot,
                       struct qkd_out *out);
void ksa_supply_by_id(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                      const struct ksa_echo *echo, struct qkd_out *out);

/* ---- ksa_list.c ---- */
void ksa_supply_list(struct ksa *ksa, const struct qkd_event *event,
                     const struct wire_key_supply *command, const struct ksa_echo *echo,
                     struct qkd_out *out);

/* ---- ksa_delete.c ---- */
void ksa_on_delete(struct ksa *ksa, const struct qkd_event *event,
                   const struct chan_message *message, struct qkd_out *out);

/* ---- ksa_store.c ---- */
void ksa_store_init(struct ksa *ksa, const uint8_t salt[16]);
void ksa_store_fini(struct ksa *ksa);

/* A batch with room for `count` keys, and `more` bytes behind them; QKD_SLAB_NONE: no room. */
uint32_t ksa_batch_room(struct ksa *ksa, uint32_t count, uint32_t key_size, size_t more);
uint32_t ksa_batch_new(struct ksa *ksa, uint32_t count, uint32_t key_size);

/* Wipes and forgets a batch, its timer and its outstanding command; persisted entries go. */
void ksa_batch_drop(struct ksa *ksa, uint32_t slot, struct qkd_out *out);

/* Parts of a batch's buffer. */
uint8_t *ksa_batch_ids(const struct ksa *ksa, const struct ksa_batch *batch);
uint8_t *ksa_batch_states(const struct ksa *ksa, const struct ksa_batch *batch);
uint8_t *ksa_batch_keys(const struct ksa *ksa, const struct ksa_batch *batch);
struct qkd_id ksa_batch_id(const struct ksa *ksa, const struct ksa_batch *batch, uint32_t place);

/* COMPARING or FETCHING -> HELD: its keys can be found by ID and by session. QKD_ERR_EXISTS if an
 * ID is known, QKD_ERR_NOMEM: nothing has changed then. */
int ksa_batch_hold(struct ksa *ksa, uint32_t slot, enum ksa_key_state state);

/* The batch and place of a KSA-key; QKD_SLAB_NONE if there is none. */
uint32_t ksa_key_find(const struct ksa *ksa, const struct qkd_id *id, uint32_t *place);

/* The newest batch of an application's session on one side; QKD_SLAB_NONE. Next: batch->next. */
uint32_t ksa_session_find(const struct ksa *ksa, struct qkd_eid app, uint64_t session_id,
                          bool slave);

/* A key was answered to its application: persists that, and deletes it unless it is preserved. The
 * batch stays, even without any key. */
void ksa_key_supplied(struct ksa *ksa, uint32_t slot, uint32_t place, struct qkd_out *out);

/* Notes that the fact of a supply is persisted; the oldest such fact goes. */
void ksa_told_add(struct ksa *ksa, const struct qkd_id *id, struct qkd_out *out);

/* Wipes one key, its persisted entry and its ID. The batch stays, even without any key. */
void ksa_key_gone(struct ksa *ksa, uint32_t slot, uint32_t place, struct qkd_out *out);

/* Starts the time of a HELD batch: how long its keys wait, linger or are preserved. */
bool ksa_batch_linger(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      struct qkd_span left);

/* How long a HELD batch stays at first, and until when by the wall clock, from its policy. */
struct qkd_span ksa_batch_times(const struct ksa *ksa, const struct qkd_event *event,
                                struct ksa_batch *batch);
void ksa_batch_expire(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out);

/* Drops the batch if no key is left in it. */
void ksa_batch_settle(struct ksa *ksa, uint32_t slot, struct qkd_out *out);

/* ---- ksa_persist.c ---- */
void ksa_key_persist(struct ksa *ksa, const struct ksa_batch *batch, uint32_t place,
                     struct qkd_out *out);
void ksa_key_unpersist(struct ksa *ksa, const struct qkd_id *id, struct qkd_out *out);

/* At START: what was persisted. An error means that the store is not ours or is too large. */
int ksa_restore(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out);

/* ---- ksa_records.c ---- */
void ksa_life_batch(struct ksa *ksa, const struct qkd_event *event, const struct ksa_batch *batch,
                    enum wire_action action, enum wire_reason reason, struct qkd_out *out);
/* A batch was received and found genuine at once. */
void ksa_life_accepted(struct ksa *ksa, const struct qkd_event *event,
                       const struct ksa_batch *batch, struct qkd_out *out);
/* Keys of a batch that stand one behind the other, and the same is done with: one record. */
struct ksa_run {
    const struct ksa_batch *batch;
    uint32_t from, count;
    enum wire_action then; /* done with them at the same instant; 0: nothing */
};
void ksa_life_keys(struct ksa *ksa, const struct qkd_event *event, const struct ksa_run *run,
                   enum wire_action action, struct qkd_out *out);
/* They were supplied, and so deleted, or preserved if the policy is so. */
void ksa_life_supplied(struct ksa *ksa, const struct qkd_event *event, struct ksa_run *run,
                       struct qkd_out *out);
void ksa_life_key(struct ksa *ksa, const struct qkd_event *event, const struct ksa_batch *batch,
                  uint32_t place, enum wire_action action, struct qkd_out *out);
void ksa_account_supplied(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                          const struct ksa_batch *batch, uint32_t keys);
void ksa_account_refused(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app);
void ksa_accounts_timeout(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out);

/* ---- ksa_tag.c ---- */

/* The digest of Kx-2: Wegman-Carter tag (r ‖ s = compare) over KSA-key IDs ‖ KMA-key ID ‖ source
 * application ‖ target application (8 bytes each) ‖ key size in bits (4) ‖ grade (1) ‖ keys; integers
 * big-endian. The compare key must never be used again. */
void ksa_tag(const struct ksa_batch *batch, struct wire_bytes key_ids, struct wire_bytes keys,
             const uint8_t compare[32], uint8_t tag[16]);

#endif
