/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every message of every reference point, as field lists. One list makes the struct, the encoder,
 * the decoder and the fuzz target (wire/codec.h). Clauses are those of FG QIT4N D2.3 unless named;
 * readings of its anomalies are in docs/decisions.md.
 *
 * Layout (big-endian): head of 32 bytes (wire_head), u32 bitmap of the optional fields present (bit
 * i = i-th optional field), then the fields in order. `str` and `blob` carry a u16 / u32 length.
 * Everything a decoder returns by pointer lies in the input and lives as long as it.
 *
 *   M(kind, name)  always present        O(kind, name)  optional: `has_name` says whether
 *
 * kinds: u8 u16 u32 u64 | time (i64 ns UTC) span (i64 ns) | eid (8) | id (16) | b16 b32 | str blob
 *
 * Message ID, OrigMessage ID, Command code and Sender ID of the tables are in wire_head (D23-AU-01
 * ... 04, KS-01 ... 04, KD-01 ... 04, CT-05 ... 07, CT-10 ... 13, CT-16 ... 18, CT-22 ... 25). */
#ifndef QKD_WIRE_MESSAGES_H
#define QKD_WIRE_MESSAGES_H

#include "core/base/id.h"
#include "core/base/time.h"

#define WIRE_VERSION 1
#define WIRE_HEAD_LEN 32
#define WIRE_MAX_MESSAGE 16777216 /* bytes of one encoded message */

/* ---- response codes (Tables 7-3, 7-5, 7-7, 8-2, 8-4) ---- */
enum wire_code {
    WIRE_SUCCESS = 1,
    WIRE_FAILURE = 2,      /* 7-3, 7-7, 8-2, 8-4 */
    WIRE_SUFFICIENT = 2,   /* 7-5: the whole amount is covered (AN-4) */
    WIRE_INSUFFICIENT = 3, /* 7-5 */
    WIRE_STATUS_TABLE = 4  /* 7-5 */
};
enum wire_application_code {
    WIRE_FOR_ENCRYPTION = 1,
    WIRE_FOR_DECRYPTION = 2,
    WIRE_FOR_POOL =
        3 /* of a relayed frame: keys that nobody has asked for yet, each with a compare key */
};

/* How a key travelled ("key relay encryption method", Table 7-1): per hop; end to end weakest. */
enum wire_method {
    WIRE_METHOD_NONE = 0,
    WIRE_METHOD_OTP = 1,
    WIRE_METHOD_AES = 2,
    WIRE_METHOD_POOL = 3
};
/* What hops may do that cannot pay a pad: bits beside the method in the grade of a relayed key. None of
 * them: the key is refused. */
enum wire_fall {
    WIRE_FALL_LAST = 0x40,  /* AES-256 where no GRANT helps */
    WIRE_FALL_FIRST = 0x80, /* AES-256 at once */
    WIRE_FALL_MASK = 0xc0
};
/* Another such bit: the key is within the rate that a session is guaranteed, and hops weigh it so. */
#define WIRE_GRADE_GUARANTEED 0x20
#define WIRE_GRADE_MARKS (WIRE_FALL_MASK | WIRE_GRADE_GUARANTEED)
/* Security level an application asks for; the stricter of it and the policy wins. */
enum wire_level { WIRE_LEVEL_ANY = 0, WIRE_LEVEL_OTP_PREFERRED = 1, WIRE_LEVEL_OTP_ONLY = 2 };

/* How a key crosses more than one link: "relay" of a scenario. HOP_BY_HOP draws it at random; with
 * FIRST_KEY and DESTINATION it is the first link's. */
enum wire_relay {
    WIRE_RELAY_HOP_BY_HOP = 0,
    WIRE_RELAY_FIRST_KEY = 1,
    WIRE_RELAY_DESTINATION =
        2, /* nodes on the way send the sum of two link keys to the destination */
    WIRE_RELAY_MULTIPATH = 3, /* drawn, and cut into shares that take ways without a common node */
    WIRE_RELAY_COUNT
};

#define WIRE_PATHS_MAX 4 /* most ways of multipath relay */

/* Multicast: one key for several applications at several nodes. */
#define WIRE_TARGETS_MAX 16        /* that are given the same keys */
#define WIRE_MULTICAST_KEYS_MAX 64 /* of one request */

/* How a request ended (one per request) and why. */
/* The lists are laid out by hand: clang-format indents each line of them more than the last. */
/* clang-format off */
#define WIRE_OUTCOME_MAP(X)                                                                        \
    X(0, PENDING, "pending")                                                                       \
    X(1, SERVED, "served")                                                                         \
    X(2, REFUSED, "refused")                                                                       \
    X(3, TIMED_OUT, "timed_out")                                                                   \
    X(4, FAILED, "failed")
#define WIRE_REASON_MAP(X)                                                                         \
    X(0, NONE, "none")                                                                             \
    X(1, INSUFFICIENT_KEY, "insufficient_key")       /* a pool on the route cannot pay now */      \
    X(2, NO_ROUTE, "no_route")                       /* controller: no path, or none can pay */    \
    X(3, TIMEOUT, "timeout")                         /* the request's own timeout passed */        \
    X(4, RELAY_FAILED, "relay_failed")               /* a hop gave up after its retries */         \
    X(5, MISMATCH, "mismatch")                       /* Kx-2 comparison said no */                 \
    X(6, UNAUTHORIZED, "unauthorized")               /* not authenticated or not entitled */       \
    X(7, UNKNOWN_APPLICATION, "unknown_application") /* target not in the directory */             \
    X(8, UNKNOWN_KEY, "unknown_key")                 /* no such key ID, or already supplied */     \
    X(9, BAD_REQUEST, "bad_request")                 /* sizes or amounts out of range */           \
    X(10, OVERLOAD, "overload")                      /* a table or queue of the KM is full */      \
    X(11, RESTARTED, "restarted")                    /* an element crashed under the request */    \
    X(12, UNREACHABLE, "unreachable")                /* peer KM or controller does not answer */   \
    X(13, EXPIRED, "expired")                        /* key's Timer or fetch time passed */        \
    X(14, DELETED, "deleted")                        /* by a deletion command */                   \
    X(15, POLICY, "policy")                          /* no route of the security level asked */    \
    X(16, GONE, "gone")                              /* pads void at a restarted hop (internal) */ \
    X(17, NO_SESSION, "no_session")                  /* hop does not know it (internal) */         \
    X(18, DUPLICATE, "duplicate")                    /* conflicting duplicate of a key ID */       \
    X(19, ACCESS_DENIED, "access_denied")            /* by a rule of the KSA's access list */        \
    X(20, NO_CAPACITY, "no_capacity")                /* no way whose links can guarantee the rate */\
    X(21, OVER_RATE, "over_rate")                    /* beyond the application's highest rate */    \
    X(22, OVER_SHARE, "over_share")                  /* beyond its share of a link's key */
/* clang-format on */
#define WIRE_ENUM_OUTCOME(n, name, text) WIRE_OUTCOME_##name = (n),
#define WIRE_ENUM_REASON(n, name, text) WIRE_REASON_##name = (n),
enum wire_outcome { WIRE_OUTCOME_MAP(WIRE_ENUM_OUTCOME) WIRE_OUTCOME_COUNT };
enum wire_reason { WIRE_REASON_MAP(WIRE_ENUM_REASON) WIRE_REASON_COUNT };
const char *wire_outcome_text(unsigned outcome); /* "served"; "?" if unknown */
const char *wire_reason_text(unsigned reason);

/* Life-cycle actions of 7.1.6, and on which class of key. */
/* clang-format off */
#define WIRE_ACTION_MAP(X)                                                                         \
    X(1, RECEPTION, "reception")                                                                   \
    X(2, STORAGE, "storage")                                                                       \
    X(3, FORMATTING, "formatting")                                                                 \
    X(4, RELAY, "relay")                                                                           \
    X(5, SYNCHRONIZATION, "synchronization")                                                       \
    X(6, AUTHENTICATION, "authentication")                                                         \
    X(7, SUPPLY, "supply")                                                                         \
    X(8, DELETION, "deletion")                                                                     \
    X(9, PRESERVATION, "preservation")                                                             \
    X(10, EXPIRY, "expiry")                                                                        \
    X(11, DISCARD, "discard")                                                                      \
    X(12, GENERATION, "generation")
/* clang-format on */
#define WIRE_ENUM_ACTION(n, name, text) WIRE_ACTION_##name = (n),
enum wire_action { WIRE_ACTION_MAP(WIRE_ENUM_ACTION) WIRE_ACTION_COUNT };
const char *wire_action_text(unsigned action);
enum wire_key_class { WIRE_CLASS_QKD = 1, WIRE_CLASS_KMA = 2, WIRE_CLASS_KSA = 3 };

/* Faults and security events (F and S of FCAPS). */
/* clang-format off */
#define WIRE_FAULT_MAP(X)                                                                          \
    X(1, LINK_DOWN, "link_down")             /* object: link; neighbour KMA not heard of */        \
    X(2, POOL_LOW, "pool_low")               /* object: link; free bits under the low mark */      \
    X(3, NO_KEY, "no_key")                   /* object: link; optics run, three blocks overdue */  \
    X(4, MODULE_DOWN, "module_down")         /* object: link; no module status for 3 periods */    \
    X(5, CONTROLLER_LOST, "controller_lost") /* object: 0 */                                       \
    X(6, MANAGER_LOST, "manager_lost")       /* object: 0 */                                       \
    X(7, KEY_MISMATCH, "key_mismatch")       /* object: link or 0; comparison failed */            \
    X(8, TAG_FAILURE, "tag_failure")         /* object: link; Wegman-Carter tag (security) */      \
    X(9, AUTH_FAILURE, "auth_failure")       /* object: reference point (security) */              \
    X(10, DENIED, "denied")                  /* object: reference point (security) */              \
    X(11, QBER_HIGH, "qber_high")            /* object: link */                                    \
    X(12, STORE_LIMIT, "store_limit")        /* object: 0; a table is full */                      \
    X(13, FALLBACK, "fallback")              /* object: link; keys cross it under AES-256 */        \
    X(14, OPTICAL_DOWN, "optical_down")      /* object: link; its switch or relay point is silent */    \
    X(15, PEER_QUARANTINED, "peer_quarantined") /* object: element that bad frames name; 0: strangers */
/* clang-format on */
#define WIRE_ENUM_FAULT(n, name, text) WIRE_FAULT_##name = (n),
enum wire_fault_code { WIRE_FAULT_MAP(WIRE_ENUM_FAULT) WIRE_FAULT_COUNT };
const char *wire_fault_text(unsigned fault);

/* ---- field lists: messages ---- */
/* clang-format off */

/* Table 7-2 / 7-3, any reference point (channel/) */
#define WIRE_AUTH(M, O) M(blob, info)
#define WIRE_AUTH_RSP(M, O) M(u8, code)

/* Table 7-4 / 7-5 at Ak. key_amount in keys, key_size in bits (AN-2, AN-8). Amount 0 with code
 * 0x01 asks for the status table (D23-PR-06). level, timeout_ms and wait are ours. So is key_ids, with
 * code 0x02 in place of key_id: all of these keys or none; target_id, where it is an application, must
 * be the master of each. */
#define WIRE_KEY_SUPPLY(M, O)                                                                      \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) M(u8, application_code)                 \
    O(u32, key_amount) O(id, key_id) O(u32, key_size) O(u8, level) O(u32, timeout_ms)              \
    O(u8, wait) O(blob, key_ids) /* 16 bytes each */                                               \
    O(u8, reserved)              /* 1: within the session that session_id opened */            \
    O(blob, more_targets) /* multicast: further applications that get the same keys, 8 bytes each */ \
    O(b16, target_address) /* instead of target_id: its address in a user network (IPv4 mapped), */ \
    O(str, target_network) /* or the name of its user network */
#define WIRE_KEY_SUPPLY_RSP(M, O)                                                                  \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) M(u8, application_code)                 \
    O(u32, key_amount) O(id, key_id) O(u32, key_size)                                              \
    O(u32, count_id)  /* number of this sub-session, from 1 */                                     \
    O(blob, key_ids)  /* KSA-key IDs, 16 bytes each */                                             \
    O(blob, key_data) /* the keys one after the other, key_size bits each */                       \
    O(u8, grade)      /* enum wire_method, weakest hop */                                          \
    O(blob, status)   /* one wire_key_status record, code 0x04 */                                  \
    O(u8, reason)     /* enum wire_reason, code 0x03 */                                            \
    M(u8, code) O(blob, more_targets)

/* Table 7-6 / 7-7 at Ak. key_ids narrows the deletion (AN-6); 7-6's response code is not sent. */
#define WIRE_KEY_DELETE(M, O)                                                                      \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) M(u8, application_code)                 \
    O(blob, key_ids)
#define WIRE_KEY_DELETE_RSP(M, O)                                                                  \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) M(u8, application_code)                 \
    O(u32, deleted) /* keys wiped */                                                               \
    M(u8, code)

/* Table 8-1 / 8-2 at Ck, Cq and Kq-2; also pushed KMA -> KMC at KMI. period_ms absent: once; 0:
 * stop. table: bitmap, enum wire_status_item. OrigMessage ID 0: pushed. links: wire_link_status
 * records; modules: wire_module_status records. */
enum wire_status_item {
    WIRE_STATUS_KEY_AMOUNT = 1,
    WIRE_STATUS_CONSUMPTION = 2,
    WIRE_STATUS_KM_LINK = 4,
    WIRE_STATUS_KEY_RATE = 8,
    WIRE_STATUS_QKD_LINK = 16,
    WIRE_STATUS_DELAY = 32 /* of a KM link */
};
#define WIRE_STATUS(M, O) O(u32, period_ms) M(u32, table) O(u64, term)
#define WIRE_STATUS_RSP(M, O)                                                                      \
    M(u32, table) O(blob, links) O(blob, modules) M(u8, code)                                      \
    O(blob, networks) O(blob, ksa) /* KMC: what it serves, see LINK_STATE */                       \
    O(blob, opticals) /* wire_optical_status, at Cops and Cqrp */

/* Table 8-3 / 8-4 at Ck, and KMA -> KMC at KMI. key_amount counts keys of key_size bits in frames
 * of `batch` keys: what a hop pays is wire_hop_cost_bits(). route: element IDs of the KMAs from
 * source to destination, 8 bytes each. relay: enum wire_relay; absent: HOP_BY_HOP. paths, with MULTIPATH:
 * so many routes that share no node but their ends; `others` of the answer are those after the first, one after
 * the other. */
#define WIRE_ROUTE(M, O)                                                                           \
    M(eid, source_id) M(eid, destination_id) M(u32, key_amount) M(u32, key_size) M(u32, batch)     \
    O(u8, level) O(u8, reroute) /* 1: the last route could not pay */                              \
    O(eid, failed_from) O(eid, failed_to) /* the hop that could not */                             \
    O(u8, relay) O(u8, paths)                                                                      \
    O(u8, fallback) /* 1: hops that cannot pay pads may use AES-256 */                             \
    O(u8, drawn)    /* 1: the key is drawn also where source and destination are neighbours */
#define WIRE_ROUTE_RSP(M, O)                                                                       \
    M(eid, source_id) M(eid, destination_id) O(blob, route) O(u32, validity_ms) O(u8, reason)      \
    O(blob, others) M(u8, code)                                                                    \
    O(u8, grade) /* AES: some hop cannot pay pads now; absent: OTP */                              \
    O(u64, term)

/* Routes that the controller tells unasked (8-4 without OrigMessage ID), controller -> KMC (Ck) and on
 * to the KMA (KMI), when routes that it gave are no good any more: wire_route_entry records. The KMC
 * acknowledges at Ck; until then the controller says it again, under a new Message ID and with all
 * that is still to be told. */
#define WIRE_ROUTE_TABLE(M, O)                                                                     \
    M(u32, validity_ms) M(blob, entries)                                                           \
    O(u64, version) /* mode proactive: of the table; failed_from and failed_to may be nobody */    \
    O(u64, term)
#define WIRE_ROUTE_TABLE_ACK(M, O) M(u8, code)

/* Sessions with a guaranteed rate. rate_bps: bits of application key per second, asked for as
 * key_amount keys of key_size bits at a time. At Ak an application opens a session and says so again
 * within timeout_ms, or it is closed; its answer may also come later, code 0x03: the session is over.
 * At KMI and Ck the KM reserves for it: what that takes of a link is wire_rate_cost_bps(), of which
 * link_bps and links (u32 each) of the answer tell. renew 1: reserved before. RELEASE_RSP is also
 * sent unasked (OrigMessage ID 0) when the controller ends a reservation by itself; code 1: it was
 * reserved until now. */
#define WIRE_SESSION_OPEN(M, O)                                                                    \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) M(u32, key_size) M(u32, key_amount)     \
    M(u64, rate_bps) M(u32, timeout_ms)
#define WIRE_SESSION_OPEN_RSP(M, O)                                                                \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) O(u8, reason) M(u8, code)
#define WIRE_SESSION_CLOSE(M, O) M(eid, source_id) M(eid, target_id) M(u64, session_id)
#define WIRE_SESSION_CLOSE_RSP(M, O)                                                               \
    M(eid, source_id) M(eid, target_id) M(u64, session_id) M(u8, code)
#define WIRE_RESERVE(M, O)                                                                         \
    M(eid, source_id) M(eid, destination_id) M(u64, session_id) M(u32, key_size)                   \
    M(u32, key_amount) M(u32, batch) M(u64, rate_bps) M(u8, renew)
#define WIRE_RESERVE_RSP(M, O)                                                                     \
    M(eid, source_id) M(eid, destination_id) M(u64, session_id) O(blob, links) O(u64, link_bps)    \
    O(u8, reason) M(u8, code) O(u64, term)
#define WIRE_RELEASE(M, O) M(u64, session_id)
#define WIRE_RELEASE_RSP(M, O) M(u64, session_id) M(u8, reason) M(u8, code) O(u64, term)

/* How many keys of key_size in frames of `batch` one request could have now: KSA -> KMC (KMI) -> controller
 * (Ck). Nothing is promised. reason: why keys is 0, enum wire_reason. */
#define WIRE_STOCK(M, O) M(eid, source_id) M(eid, destination_id) M(u32, key_size) M(u32, batch)
#define WIRE_STOCK_RSP(M, O)                                                                       \
    M(eid, source_id) M(eid, destination_id) M(u32, keys) M(u8, reason) O(u64, term)

/* Which of two controllers is the one in charge (docs/protocol.md, "A standby controller"). term: the highest
 * that the sender knows of; each belongs to one start of one controller, and what a controller says to a KM
 * carries its own. At Cx: active 1: the sender is in charge of that term. Controller -> KMC (Ck): the
 * same. KMC -> controller that it does not follow (Ck): active 1: it hears the one of that term. */
#define WIRE_TERM(M, O) M(u64, term) M(u8, active)

/* Key generation control at Cq (controller -> module), Kq-2 (KMC -> module), KMI (KMA -> KMC), and at Cqrp
 * (controller -> quantum relay point, which module_id names). */
#define WIRE_GENERATION(M, O)                                                                      \
    M(eid, module_id) M(u8, run) /* 1 start or resume, 0 stop or pause */                          \
    O(u64, term)                                                                                   \
    O(u32, hold_ms) /* run 0: for so long, then resume unless it is said again; absent: until told */
#define WIRE_GENERATION_RSP(M, O) M(eid, module_id) M(u8, code)

/* Cops, controller -> optical switch: connect the modules of this link. Answered when light can pass, or
 * at once with code 2: not this link, not this controller, or another connection is in work. */
#define WIRE_LIGHT_PATH(M, O) M(eid, switch_id) M(u32, link) O(u64, term)
#define WIRE_LIGHT_PATH_RSP(M, O) M(eid, switch_id) M(u32, link) M(u8, code)

/* Table 7-8 HELLO at Kx-1. IP addresses are 16 bytes (IPv4 mapped). rx: wire_rx_state records: per
 * chunk owned by the receiver of this HELLO the first offset its sender can still decrypt.
 * own: the same of what its sender owns, told where no tag is left to SKIP the rest.
 * unmatched: QKD-key IDs of files that fill the sender's store and find no match; unknown, in the answer:
 * those of them that never come to its sender.
 * reply 1 answers a HELLO; a HELLO every status period is the keep-alive. */
#define WIRE_HELLO(M, O)                                                                           \
    M(b16, sender_ip) M(str, sender_name) M(str, community) M(b32, auth_info) M(u32, link)         \
    M(u32, epoch) M(u32, peer_epoch) /* the receiver's, as known; 0: not */                        \
    M(u32, next_seq)                 /* all frames of the sender below are closed */               \
    M(u8, reply) O(blob, rx) O(blob, own) O(blob, unmatched) O(blob, unknown)

/* Table 7-9 SESSION, source KMA <-> destination KMA at Kx-1, directly. timer in seconds. hash:
 * SHA-256 of the session's base KMA-key ID, which UPDATE distributes. */
#define WIRE_SESSION(M, O)                                                                         \
    M(u64, session_id) M(u32, timer_s) M(b32, key_id_hash) M(eid, source_id)                       \
    M(eid, destination_id) M(eid, source_app) M(eid, target_app)
#define WIRE_SESSION_RSP(M, O) M(u64, session_id) M(u8, code) O(u8, reason)

/* Table 7-10 UPDATE, hop by hop along the route at Kx-1; installs the next hop of a session.
 * key_id: the base KMA-key ID. qos: enum wire_level. route: the whole route, hop: index of the
 * receiver in it. generation grows when the source reroutes. flow: the source's number of the application
 * pair, class_number: its class (from 1; 0: none), by which hops share out the key of their links. */
#define WIRE_UPDATE(M, O)                                                                          \
    M(b16, sender_ip) M(b16, receiver_ip) M(id, key_id) M(u8, qos) M(u64, session_id)              \
    M(u32, timer_s) M(blob, route) M(u8, hop) M(u32, generation)                                   \
    O(u8, path) O(u8, paths) /* multipath: which of so many ways */                                \
    O(u8, class_number) O(u32, flow)

/* mode distributed: the state of a KM's links as its KMC says it, flooded: from neighbour to neighbour
 * at Kx-1, and between KMA and KMC at KMI. seq: grows with each word of the origin; age_ms: since it was
 * said. links: wire_link_status, modules: wire_module_status of its own ones. At KMI neighbour is the KMA
 * that told it; from the KMC it is who shall not be told, or with only 1 who alone shall. */
#define WIRE_LINK_STATE(M, O)                                                                      \
    M(eid, origin) M(u64, seq) M(u32, age_ms) M(blob, links) M(blob, modules)                      \
    O(eid, neighbour) O(u8, only)                                                                  \
    O(blob, networks) /* wire_user_network records: that the origin serves */                      \
    O(blob, ksa)      /* wire_ksa_status: who serves them, and where it is */

/* Which KM serves an address, or the user network of a name (clause 7.2.2.1 (1)): KSA -> KMC (KMI) ->
 * controller (Ck). km_id: KMA of that node. */
#define WIRE_RESOLVE(M, O) M(eid, source_id) O(b16, address) O(str, name)
#define WIRE_RESOLVE_RSP(M, O)                                                                     \
    M(eid, source_id) M(eid, km_id) M(u8, reason) O(eid, ksa_id) O(b16, ksa_address) O(u64, term)

/* KSA -> KMC: its address is dynamic, and now this. */
#define WIRE_KSA_ADDRESS(M, O) M(b16, address)

/* Key relay completion (Q.4163 8.2): destination, or the hop that failed, -> source KMA. */
#define WIRE_RELAY_DONE(M, O)                                                                      \
    M(id, key_id) M(u64, session_id) M(u8, attempt) M(u8, reason) M(eid, at) O(u8, grade)

/* Relay to the destination: a KMA on the way -> destination KMA, straight; repeated until acknowledged.
 * hop: of the frame that brought it the key of the link before; sum: XOR of that link's key and the
 * next one's, keys and compare key. */
#define WIRE_RELAY_SUM(M, O) M(id, key_id) M(u64, session_id) M(eid, source) M(u8, hop) M(blob, sum)
#define WIRE_RELAY_SUM_ACK(M, O) M(id, key_id) M(u8, hop)

/* Hop acknowledgement, cumulative: all sequence numbers < next, and next + 1 + i for bit i.
 * ungranted: frames of this epoch that were `gone` (below the receive lease), u32 each. */
#define WIRE_HOP_ACK(M, O) M(u32, link) M(u32, epoch) M(u32, next) M(u64, bitmap) O(blob, gone)
#define WIRE_GRANT_REQUEST(M, O)                                                                   \
    M(u32, link) M(u32, wanted) /* bytes */                                                        \
    O(u32, piece)               /* so many of them in a row, or they are of no use */              \
    O(u8, level)                /* with classes, whose needs they are for: 0 what a session is     \
                                   guaranteed, 1 + priority of a class, 9 none; absent: nobody's */

/* Supply notification and response at Kx-2 (Q.4163 8.3, 8.4; D23-OP-15). sync: one wire_sync_item
 * (id = KMA-key ID, length, tag of KSA-key IDs, applications and key data). */
#define WIRE_SUPPLY_NOTIFY(M, O)                                                                   \
    M(blob, sync) M(blob, key_ids) M(u64, session_id) M(eid, source_app) M(eid, target_app)        \
    M(u32, key_size) M(u8, grade) M(u32, fetch_within_ms)
#define WIRE_SUPPLY_NOTIFY_RSP(M, O) M(id, key_id) M(u8, match) M(u8, reason)

/* KMA - KSA hand-over at KMI (X.1712 T_K3). NEED asks for count keys toward target; FETCH asks for
 * a relayed key by KMA-key ID; SUPPLY answers both (piece by piece for NEED: count_id, last). With
 * more_targets (applications, 8 bytes each) the same keys go to the nodes of all of them: each piece
 * says for which node (destination_id) and which of the keys (place: of its first) it is. */
#define WIRE_KMI_NEED(M, O)                                                                        \
    M(eid, destination_id) M(eid, source_app) M(eid, target_app) M(u32, key_size) M(u32, count)    \
    M(u8, level) M(u8, wait) M(u32, timeout_ms) O(u8, relay) O(u8, paths) /* as in ROUTE */        \
    O(blob, more_targets)                                                                          \
    O(u8, class_number) O(u8, guaranteed) /* 1: of a session with a guaranteed rate, and within it */
#define WIRE_KMI_FETCH(M, O) M(id, key_id) M(eid, source_app) M(eid, target_app)
#define WIRE_KMI_SUPPLY(M, O)                                                                      \
    M(u8, code) M(u8, reason) O(id, key_id) O(u32, key_size) O(blob, key_data)                     \
    O(b32, compare) /* r and s of the Kx-2 tag, used once */                                       \
    O(u8, grade) O(u8, hops) O(eid, source_id) O(eid, destination_id) O(blob, metadata)            \
    O(u32, count_id) O(u8, last) O(u8, rerouted)                                                   \
    O(u8, pooled) /* 1: it was relayed ahead of need */                                            \
    O(u8, place)
#define WIRE_KMI_DROP(M, O)                                                                        \
    M(id, key_id) M(u8, reason) /* KSA gives a key or a need up */                                 \
    O(eid, destination_id)      /* KMA that has lost its copy of a pooled key: and so of all */

/* Key file push at Kq-1 (7.1.1; Table 7-1 group 1) and its acknowledgement. form 0: key is the
 * bits; form 1: key is a 32-byte seed (virtual worlds), expanded by crypto_expand(). */
#define WIRE_KEY_FILE(M, O)                                                                        \
    O(id, qkd_key_id) O(u32, key_length) O(eid, module_id) O(eid, matching_module_id)              \
    O(time, generated) O(b32, hash) M(u32, link) M(u8, form) M(blob, key)
enum wire_file_code {
    WIRE_FILE_STORED = 1,
    WIRE_FILE_REFUSED = 2, /* malformed, wrong module, missing mandatory item, hash wrong */
    WIRE_FILE_FULL = 3     /* no room: keep the file and pause the device until told to run */
};
#define WIRE_KEY_FILE_ACK(M, O) M(id, qkd_key_id) M(u8, code)

/* FCAPS and life-cycle reports at Mk, Mc, Mq, and KMA/KSA -> KMC at KMI. seq numbers a sender's
 * reports so that a gap is seen; after: the report before it that the sender still keeps, 0 if there is
 * none; source: the element that recorded. */
#define WIRE_REPORT_FIELDS(M, O) M(u64, seq) M(u64, after) M(eid, source) M(blob, records)
#define WIRE_FAULT(M, O) WIRE_REPORT_FIELDS(M, O)         /* wire_fault_record */
#define WIRE_CONFIGURATION(M, O) WIRE_REPORT_FIELDS(M, O) /* wire_link_config */
#define WIRE_ACCOUNTING(M, O) WIRE_REPORT_FIELDS(M, O)    /* wire_account_record */
#define WIRE_PERFORMANCE(M, O) WIRE_REPORT_FIELDS(M, O)   /* wire_link_status */
#define WIRE_SECURITY(M, O) WIRE_REPORT_FIELDS(M, O)      /* wire_fault_record */
#define WIRE_METADATA(M, O) WIRE_REPORT_FIELDS(M, O)      /* wire_life */
#define WIRE_REPORT_ACK(M, O) M(u64, seq)                 /* all up to seq are stored */

/* Above this QBER no BB84 key can be had: h(Q) = 1/2 (Shor and Preskill 2000). */
#define WIRE_QBER_LIMIT_PPM 110000

/* Optics -> module agent: a block is ready; or how noisy the light is, where that is news and there is
 * no block to say it. Module agent -> optics: run or stop. */
#define WIRE_Q_BLOCK(M, O)                                                                         \
    M(id, qkd_key_id) M(u32, key_length) M(u8, form) M(blob, key) M(u32, qber_ppm)                 \
    M(u64, rate_bps)
#define WIRE_Q_CONTROL(M, O) M(u8, run)
#define WIRE_Q_NOISE(M, O) M(u32, qber_ppm)
/* Agent of an optical switch or quantum relay point -> its optics: the light of this link may pass, or
 * not. */
#define WIRE_Q_LIGHT(M, O) M(u32, link) M(u8, on)

/* Load -> application agent: ask for `count` keys now; with `hold`: open a session that lasts so long
 * once it is admitted. Application -> application: key IDs. */
#define WIRE_LOAD(M, O) M(u32, count) O(span, hold)
#define WIRE_APP_NOTIFY(M, O) M(u64, session_id) M(u32, key_size) M(blob, key_ids)

/* Whoever acts for an SAE (QKD_ROLE_LOAD) <-> application agent at QKD_RP_SAE: plain messages inside
 * one process, each answered once under its Message ID. target, source: the other SAE; 0: the agent's
 * partner. Keys absent unless reason is NONE: key_ids 16 bytes each, key_sizes u32 (bits) each,
 * key_data one after the other, in the order asked for by ID. FETCH is all or nothing; what of a
 * GET's keys came before it failed is wiped. status: one wire_key_status. */
#define WIRE_SAE_GET(M, O)                                                                         \
    M(eid, target) M(u32, number) O(u32, key_size) O(u32, timeout_ms) O(blob, more_targets)
#define WIRE_SAE_FETCH(M, O) M(eid, source) M(blob, key_ids)
#define WIRE_SAE_STATUS(M, O) M(eid, target)
#define WIRE_SAE_KEYS(M, O)                                                                        \
    M(u8, reason) O(blob, key_ids) O(blob, key_sizes) O(blob, key_data) O(u8, grade)
#define WIRE_SAE_STATUS_RSP(M, O) M(u8, reason) O(blob, status)

/* CONFIG events. CFG_PEER: pairwise secret. CFG_APP: directory entry (which KM serves it), to KSAs
 * and KMAs; operator and community (numbers; 0: not stated) and role of its node are what access rules speak of.
 * CFG_LINK: a QKD link and its neighbour, to KMA and KMC. CFG_ACCESS: to KSAs: who may ask for keys
 * with whom; wire_access_rule records, the first that fits decides, none: allowed. It replaces the
 * list that was there. */
enum wire_node_role { WIRE_NODE_USER = 1, WIRE_NODE_RELAY = 2, WIRE_NODE_BORDER = 3 };
#define WIRE_CFG_PEER(M, O) M(u8, rp) M(eid, peer) M(b32, secret)
#define WIRE_CFG_APP(M, O)                                                                         \
    M(eid, app) M(str, name) M(eid, peer_app) M(u8, level) O(u32, operator_id) O(u8, role)         \
    O(u8, relay) /* of its keys, enum wire_relay; absent: HOP_BY_HOP */                            \
    O(u8, paths) /* with MULTIPATH */                                                              \
    O(u64, max_bps) /* bits of key per second, outside sessions; absent: any */                    \
    O(blob, more_peers) /* further applications that it may share keys with, 8 bytes each */       \
    O(u8, class_number) /* of the KMs' classes, from 1; absent: none */                            \
    O(u32, community)   /* of its node's users, a number; 0: not stated */
#define WIRE_CFG_ACCESS(M, O) M(blob, rules)
/* To KMC and KSA of a node: the user networks that it serves (wire_user_network records), in place of those
 * before; the address of its KSA, or with less than 128 bits the network in which the KSA draws one
 * (dynamic); apart: the KSA is a process of its own. */
#define WIRE_CFG_SERVES(M, O) M(blob, networks) O(b16, ksa_address) O(u8, ksa_bits) M(u8, apart)
#define WIRE_CFG_LINK(M, O)                                                                        \
    M(u32, link) M(eid, peer) M(str, peer_name) M(b16, peer_ip) M(eid, module)                     \
    M(eid, peer_module) M(blob, bootstrap) M(u64, store_bits)                                      \
    O(u8, commanded) /* 1: its modules wait for the controller before they run */                  \
    O(u32, expanded) /* bootstrap is a seed of 32 bytes, which gives so many (virtual worlds) */
/* CFG_LIGHT: a link whose generation the controller governs, to controllers. windows: when it is
 * maintained, wire_window records in order of time. CFG_OPTICAL: what an optical switch or relay point
 * serves (u32 each), to it and to controllers. */
enum wire_switching { WIRE_BY_SCHEDULE = 0, WIRE_BY_DEMAND = 1 };
#define WIRE_CFG_LIGHT(M, O)                                                                       \
    M(u32, link) M(eid, module_a) M(eid, module_b) M(u64, store_bits) O(blob, windows)
#define WIRE_CFG_OPTICAL(M, O)                                                                     \
    M(eid, optical) M(blob, links) O(u8, by) /* enum wire_switching */                             \
    O(span, dwell) /* at least so long on each link */

/* name, struct suffix, command code */
#define WIRE_MESSAGES(X)                                                                           \
    X(AUTH, auth, 0x01)                                                                            \
    X(AUTH_RSP, auth_rsp, 0x81)                                                                    \
    X(KEY_SUPPLY, key_supply, 0x02)                                                                \
    X(KEY_SUPPLY_RSP, key_supply_rsp, 0x82)                                                        \
    X(KEY_DELETE, key_delete, 0x03)                                                                \
    X(KEY_DELETE_RSP, key_delete_rsp, 0x83)                                                        \
    X(SESSION_OPEN, session_open, 0x04)                                                            \
    X(SESSION_OPEN_RSP, session_open_rsp, 0x84)                                                    \
    X(SESSION_CLOSE, session_close, 0x05)                                                          \
    X(SESSION_CLOSE_RSP, session_close_rsp, 0x85)                                                  \
    X(STATUS, status, 0x10)                                                                        \
    X(STATUS_RSP, status_rsp, 0x90)                                                                \
    X(ROUTE, route, 0x11)                                                                          \
    X(ROUTE_RSP, route_rsp, 0x91)                                                                  \
    X(TERM, term, 0x17)                                                                            \
    X(ROUTE_TABLE, route_table, 0x16)                                                              \
    X(ROUTE_TABLE_ACK, route_table_ack, 0x96)                                                      \
    X(RESOLVE, resolve, 0x18)                                                                      \
    X(RESOLVE_RSP, resolve_rsp, 0x98)                                                              \
    X(STOCK, stock, 0x15)                                                                          \
    X(STOCK_RSP, stock_rsp, 0x95)                                                                  \
    X(GENERATION, generation, 0x12)                                                                \
    X(GENERATION_RSP, generation_rsp, 0x92)                                                        \
    X(LIGHT_PATH, light_path, 0x19)                                                                \
    X(LIGHT_PATH_RSP, light_path_rsp, 0x99)                                                        \
    X(RESERVE, reserve, 0x13)                                                                      \
    X(RESERVE_RSP, reserve_rsp, 0x93)                                                              \
    X(RELEASE, release, 0x14)                                                                      \
    X(RELEASE_RSP, release_rsp, 0x94)                                                              \
    X(HELLO, hello, 0x20)                                                                          \
    X(SESSION, session, 0x21)                                                                      \
    X(SESSION_RSP, session_rsp, 0xA1)                                                              \
    X(UPDATE, update, 0x22)                                                                        \
    X(LINK_STATE, link_state, 0x23)                                                                \
    X(RELAY_DONE, relay_done, 0x31)                                                                \
    X(RELAY_SUM, relay_sum, 0x34)                                                                  \
    X(RELAY_SUM_ACK, relay_sum_ack, 0xB4)                                                          \
    X(SUPPLY_NOTIFY, supply_notify, 0x32)                                                          \
    X(SUPPLY_NOTIFY_RSP, supply_notify_rsp, 0x33)                                                  \
    X(FAULT, fault, 0x40)                                                                          \
    X(CONFIGURATION, configuration, 0x41)                                                          \
    X(ACCOUNTING, accounting, 0x42)                                                                \
    X(PERFORMANCE, performance, 0x43)                                                              \
    X(SECURITY, security, 0x44)                                                                    \
    X(METADATA, metadata, 0x45)                                                                    \
    X(REPORT_ACK, report_ack, 0xC0)                                                                \
    X(KMI_NEED, kmi_need, 0x50)                                                                    \
    X(KMI_FETCH, kmi_fetch, 0x51)                                                                  \
    X(KMI_SUPPLY, kmi_supply, 0xD0)                                                                \
    X(KSA_ADDRESS, ksa_address, 0x53)                                                              \
    X(KMI_DROP, kmi_drop, 0x52)                                                                    \
    X(KEY_FILE, key_file, 0x60)                                                                    \
    X(KEY_FILE_ACK, key_file_ack, 0xE0)                                                            \
    X(GRANT_REQUEST, grant_request, 0x65)                                                          \
    X(HOP_ACK, hop_ack, 0x66)                                                                      \
    X(Q_BLOCK, q_block, 0x70)                                                                      \
    X(Q_CONTROL, q_control, 0x71)                                                                  \
    X(Q_NOISE, q_noise, 0x74)                                                                      \
    X(Q_LIGHT, q_light, 0x7C)                                                                      \
    X(LOAD, load, 0x72)                                                                            \
    X(APP_NOTIFY, app_notify, 0x73)                                                                \
    X(SAE_GET, sae_get, 0x75)                                                                      \
    X(SAE_FETCH, sae_fetch, 0x76)                                                                  \
    X(SAE_STATUS, sae_status, 0x77)                                                                \
    X(SAE_KEYS, sae_keys, 0xF5)                                                                    \
    X(SAE_STATUS_RSP, sae_status_rsp, 0xF7)                                                        \
    X(CFG_PEER, cfg_peer, 0x78)                                                                    \
    X(CFG_APP, cfg_app, 0x79)                                                                      \
    X(CFG_LINK, cfg_link, 0x7A)                                                                    \
    X(CFG_ACCESS, cfg_access, 0x7B)                                                                \
    X(CFG_SERVES, cfg_serves, 0x7D)                                                                \
    X(CFG_LIGHT, cfg_light, 0x7E)                                                                  \
    X(CFG_OPTICAL, cfg_optical, 0x7F)

/* ---- field lists: records (inside blobs and in the store) ---- */

/* Table 8-1's parameters of a KM link. Bits are free payload bits (the tag reserve is not in them);
 * own_bits: this KMA may use at once; peer_bits: owned by the neighbour. */
#define WIRE_LINK_STATUS(M, O)                                                                     \
    M(u32, link) M(eid, peer) M(u8, up) M(u64, own_bits) M(u64, peer_bits) M(u64, stored_bits)     \
    M(u64, rate_bps)        /* confirmed key per second, averaged */                               \
    M(u64, consumption_bps) /* pads, tags and pool keys per second, averaged */                    \
    M(u64, generated_bits) M(u64, pad_bits) M(u64, tag_bits) M(u64, relayed_as_key_bits)           \
    M(u64, expired_bits) M(u64, discarded_bits) M(u64, retransmissions) M(u64, tag_failures)       \
    O(u32, delay_ns) /* one way to the neighbour, smoothed; as far as it is measured */            \
    O(u8, fallback)  /* 1: keys that may do so cross it under AES-256 now; absent: never */        \
    O(u64, fallback_bits)    /* own bits that tags and keys of AES-256 frames may take */          \
    O(u64, fallback_key_bits) /* that its keys have taken */
/* A route toward destination_id in place of those that lead over the hop that failed; absent: there is
 * none. destination_id nobody: whatever leads over that hop is to be asked for again. */
#define WIRE_ROUTE_ENTRY(M, O)                                                                     \
    M(eid, destination_id) M(eid, failed_from) M(eid, failed_to)                                   \
    O(blob, route) /* element IDs of KMAs as in ROUTE_RSP */
#define WIRE_MODULE_STATUS(M, O)                                                                   \
    M(eid, module) M(u32, link) M(u8, generating) M(u64, rate_bps) M(u32, qber_ppm)                \
    M(u64, blocks) M(u32, queued) /* key files not yet acknowledged */                             \
    M(u64, dropped)
/* A user network: its first `bits` bits of addresses (IPv4 mapped), or its name. */
#define WIRE_USER_NETWORK(M, O) O(b16, address) O(u8, bits) O(str, name)
/* A KSA as part of the topology (7.2.2.1): with its KMs or apart, at a static or dynamic address. */
#define WIRE_KSA_STATUS(M, O) M(eid, ksa) M(b16, address) M(u8, dynamic) M(u8, apart)
/* link: the one whose light may pass; WIRE_NO_LINK: none. */
#define WIRE_NO_LINK UINT32_MAX
#define WIRE_OPTICAL_STATUS(M, O) M(eid, optical) M(u32, link)
#define WIRE_WINDOW(M, O) M(time, from) M(time, to)
#define WIRE_LINK_CONFIG(M, O) M(u32, link) M(eid, a) M(eid, b) M(eid, module) M(u64, store_bits)
/* end: of the chunk; 0: the block is not confirmed here, all of it can still be received. */
#define WIRE_RX_STATE(M, O) M(u32, block) M(u32, offset) M(u32, end)
/* One mechanism for Kx-1 (QKD-key blocks) and Kx-2 (KSA-keys): D23-RP-06. digest: at Kx-1 zero (the
 * frame has its own tag), at Kx-2 the Wegman-Carter tag keyed by the compare key. */
#define WIRE_SYNC_ITEM(M, O) M(id, id) M(u32, length) M(b16, digest)
/* ETSI GS QKD 014 Table 9, the example Table 7-5 names. */
#define WIRE_KEY_STATUS(M, O)                                                                      \
    M(eid, source_km) M(eid, target_km) M(eid, master_app) M(eid, slave_app) M(u32, key_size)      \
    M(u32, stored_key_count) M(u32, max_key_count) M(u32, max_key_per_request)                     \
    M(u32, max_key_size) M(u32, min_key_size) M(u32, max_sae_id_count)
/* Life-cycle record (7.1.6) with the Table 7-1 metadata that the action concerns. */
#define WIRE_LIFE(M, O)                                                                            \
    M(time, when) M(eid, at) M(u8, action) M(u8, key_class) M(id, id)                              \
    O(id, parent) /* KSA-key -> KMA-key; KMA-key -> QKD-key whose bits padded or formed it */      \
    O(u32, key_length) O(eid, source) O(eid, destination) O(u8, method) O(eid, source_app)         \
    O(eid, target_app) O(u32, link) O(u8, hop) O(u8, reason)                                       \
    O(b32, application) /* its name, cut at 32 bytes, zero-padded (Table 7-1 group 4) */               \
    O(blob, more_ids)   /* further keys of which all this holds, 16 bytes each */                      \
    O(blob, then)       /* further actions on these keys at the same instant, a byte each */
/* A rule of CFG_ACCESS: fits a request if all that it names is so of the application that asks
 * (source) and of its partner (target). */
#define WIRE_ACCESS_RULE(M, O)                                                                     \
    M(u8, allow) O(eid, source_id) O(u32, source_node) O(u32, source_operator) O(u8, source_role)  \
    O(eid, target_id) O(u32, target_node) O(u32, target_operator) O(u8, target_role)               \
    O(u8, level) /* the application's, enum wire_level */                                          \
    O(u32, source_community) O(u32, target_community)
#define WIRE_ACCOUNT_RECORD(M, O)                                                                  \
    M(eid, app) M(eid, peer_app) M(u64, keys) M(u64, bits) M(u64, refused) M(u64, otp_bits)
#define WIRE_FAULT_RECORD(M, O)                                                                    \
    M(time, when) M(eid, at) M(u8, fault) M(u64, object) M(u8, raised) M(u64, count)
/* Table 7-1 groups 2 and 3, carried with a relayed key and kept with it. */
#define WIRE_KEY_METADATA(M, O)                                                                    \
    O(id, kma_key_id) O(u32, key_length) O(u8, key_type) /* enum wire_application_code */          \
    O(eid, kma_id) O(eid, matching_kma_id) O(time, generated) O(eid, module_id)                    \
    O(eid, matching_module_id) O(b32, hash) O(eid, relay_source) O(eid, relay_destination)         \
    O(time, relayed) O(u8, method)
/* Table 7-1 group 2 of the source KMA-key as it travels under the pad of each hop: the mandatory
 * items and what the far end cannot know otherwise. */
#define WIRE_RELAY_METADATA(M, O)                                                                  \
    M(id, kma_key_id) M(u8, key_type) M(eid, matching_kma_id) M(time, generated)
/* What a relay frame carries under its pad. The receiver itself appends the relay information of
 * this hop (source = sender, destination = itself, its time, the frame's method: D23-OP-11, -12).
 * metadata: one wire_relay_metadata. keys: count keys of key_size bits; compare: 256 bits. */
/* grade: weakest enum wire_method so far, and enum wire_fall: what later hops may do; and
 * WIRE_GRADE_GUARANTEED. */
#define WIRE_RELAY_BODY(M, O)                                                                      \
    M(u64, session_id) M(id, key_id) M(eid, source) M(eid, destination) M(u8, attempt)             \
    M(u8, hop) M(u8, grade) M(u32, key_size) M(u16, count) M(b32, compare) M(blob, metadata)       \
    M(blob, keys)                                                                                  \
    O(u8, share) O(u8, shares) /* multipath: keys and compare key are this share of them */
/* Bodies of the other Kx-1 frames (wire/frame.h); they travel in the record layer. */
#define WIRE_CONFIRM_BODY(M, O) M(u8, answer) M(u32, block) M(blob, sync)
/* turn: how often these bytes have changed hands with this GRANT; an older one is not obeyed. */
#define WIRE_GRANT_BODY(M, O) M(u32, block) M(u32, start) M(u32, end) M(u32, turn)
#define WIRE_SKIP_BODY(M, O) M(u32, block) M(u32, start) M(u32, end) M(u8, reason)
#define WIRE_TAKE_BODY(M, O)                                                                       \
    M(u64, session_id) M(id, key_id) M(eid, source) M(eid, destination) M(u32, key_size)           \
    M(u16, count) M(time, taken) M(eid, source_app) M(eid, target_app) M(blob, metadata)           \
    O(u8, hop)  /* relay to the destination: number of this hop, from 1 */                         \
    O(u8, fall) /* first link's key: enum wire_fall for the hops that follow */                    \
    O(u8, guaranteed) /* 1: within the rate of a session */
/* Persisted values (keys of the entries: see enum wire_persist_kind). */
#define WIRE_P_BLOCK(M, O)                                                                         \
    M(u32, link) M(id, qkd_key_id) M(u32, number) M(u8, confirmed) M(u32, bytes) M(u8, form)       \
    M(time, stored) M(blob, key)
#define WIRE_P_CHUNK(M, O)                                                                         \
    M(u32, link)                                                                                   \
    M(u32, block) M(u32, start) M(u32, end) M(u8, mine) M(u32, lease) M(u32, turn)
#define WIRE_P_FRAME(M, O) M(u32, link) M(u32, block) M(u32, offset) M(blob, frame)
#define WIRE_P_TERM(M, O) M(u64, term) M(eid, controller)
#define WIRE_P_KEY(M, O)                                                                           \
    M(id, key_id) M(id, parent) M(u64, session_id) M(eid, source_app) M(eid, target_app)           \
    M(u32, key_size) M(u8, grade) M(u8, slave) M(u8, state) M(time, until) M(blob, key)

#define WIRE_RECORDS(X)                                                                            \
    X(link_status, WIRE_LINK_STATUS)                                                               \
    X(route_entry, WIRE_ROUTE_ENTRY)                                                               \
    X(module_status, WIRE_MODULE_STATUS)                                                           \
    X(user_network, WIRE_USER_NETWORK)                                                             \
    X(ksa_status, WIRE_KSA_STATUS)                                                                 \
    X(optical_status, WIRE_OPTICAL_STATUS)                                                         \
    X(window, WIRE_WINDOW)                                                                         \
    X(link_config, WIRE_LINK_CONFIG)                                                               \
    X(rx_state, WIRE_RX_STATE)                                                                     \
    X(sync_item, WIRE_SYNC_ITEM)                                                                   \
    X(key_status, WIRE_KEY_STATUS)                                                                 \
    X(life, WIRE_LIFE)                                                                             \
    X(access_rule, WIRE_ACCESS_RULE)                                                               \
    X(account_record, WIRE_ACCOUNT_RECORD)                                                         \
    X(fault_record, WIRE_FAULT_RECORD)                                                             \
    X(key_metadata, WIRE_KEY_METADATA)                                                             \
    X(relay_metadata, WIRE_RELAY_METADATA)                                                         \
    X(relay_body, WIRE_RELAY_BODY)                                                                 \
    X(confirm_body, WIRE_CONFIRM_BODY)                                                             \
    X(grant_body, WIRE_GRANT_BODY)                                                                 \
    X(skip_body, WIRE_SKIP_BODY)                                                                   \
    X(take_body, WIRE_TAKE_BODY)                                                                   \
    X(p_block, WIRE_P_BLOCK)                                                                       \
    X(p_chunk, WIRE_P_CHUNK)                                                                       \
    X(p_frame, WIRE_P_FRAME)                                                                       \
    X(p_key, WIRE_P_KEY)                                                                           \
    X(p_term, WIRE_P_TERM)
/* clang-format on */

/* Kinds of persisted entries and their keys. */
enum wire_persist_kind {
    WIRE_PERSIST_BLOCK = 1, /* KMA: link u32, QKD-key ID 16 */
    WIRE_PERSIST_CHUNK = 2, /* KMA: link u32, block u32, start u32; value names owner and lease */
    WIRE_PERSIST_FRAME = 3, /* KMA: link u32, block u32, offset u32: an unacknowledged GRANT */
    WIRE_PERSIST_KEY = 4,   /* KSA: KSA-key ID 16; a deleted or expired key has no entry */
    WIRE_PERSIST_TERM = 5   /* u8 0: KMC: whom it follows; controller: its own last term */
};
/* State of a persisted KSA-key: a slave's that waits to be fetched, or one that was supplied. */
enum wire_key_state { WIRE_KEY_WAITING = 1, WIRE_KEY_SUPPLIED = 2 };

#endif
