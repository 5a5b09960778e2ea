/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deliberate faults, to see that the fuzzer and the oracle notice them (docs/oracle.md, "Mutation
 * check"). They exist only in the objects that cmake/tests_mutants.cmake builds with QKDN_MUTANTS; in
 * all others QKDN_MUTANT() is the constant false. Each stands in one line, where it bites. */
#ifndef QKD_BASE_MUTANT_H
#define QKD_BASE_MUTANT_H

#include <stdbool.h>

/* clang-format off */
#define QKD_MUTANTS(X)                                                                             \
    X(LEASE_UNSAVED,  "pool: a lease is not persisted")                                            \
    X(LEASE_LATE,     "pool: a lease is persisted as it was before it grew")                       \
    X(LEASE_SHORT,    "pool: a lease ends one byte early")                                         \
    X(PAD_AGAIN,      "pool: after a restart a chunk begins again, not behind its lease")          \
    X(PAD_OVERLAP,    "pool: the next pad begins one byte early")                                  \
    X(GRANT_TWICE,    "pool: a GRANT that is sent again counts again")                             \
    X(GRANT_KEPT,     "pool: the owner goes on using what it granted")                             \
    X(GRANT_ORDER,    "pool: a GRANT that overtook another one is dropped")                        \
    X(SKIP_IGNORED,   "pool: a SKIP is acknowledged and ignored")                                  \
    X(READ_STALE,     "pool: the window of expanded key is not moved")                             \
    X(HALF_WRONG,     "file: the higher KMA cuts a block one unit off")                            \
    X(CONFIRM_BLIND,  "file: a block is used before the other end confirmed it")                   \
    X(ASK_AGAIN,      "file: questions paid by their own block take the same pad again")          \
    X(ASK_UNSAVED,    "file: what a question takes of its own block is not persisted")            \
    X(POOR_SILENT,    "file: without tags nothing is confirmed any more")                         \
    X(ASK_OLDEST,     "file: without tags the oldest block alone is asked about")                  \
    X(LENGTH_BLIND,   "file: a block is used although its length was not agreed")                  \
    X(GRANT_FORGOT,   "grant: a GRANT without acknowledgement is not sent again")                  \
    X(GRANT_UNSAVED,  "grant: a GRANT is not persisted until it is acknowledged")                  \
    X(EXPIRE_SILENT,  "grant: what expires is not SKIPped")                                        \
    X(AGE_AT_ONCE,    "expire: a full store keeps its key until all of it expires")                \
    X(TAG_BODY,       "frame: the tag does not cover IDs and keys")                                \
    X(TAG_HASH_KEY,   "frame: both directions share a hash key")                                   \
    X(BODY_CLEAR,     "frame: the body of a RELAY is not encrypted")                               \
    X(REPEAT_CHANGED, "frame: a repetition differs from the first sending")                        \
    X(SEQ_RESET,      "frame: sequence numbers begin again with each adjacency")                   \
    X(EPOCH_STUCK,    "frame: the epoch does not grow with a restart")                             \
    X(REPLAY,         "frame: a frame that comes twice is taken twice")                            \
    X(GONE_ONCE,      "frame: a void frame that comes again is acknowledged as received")          \
    X(SKIP_LOST,      "frame: a SKIP whose tag became void is not sent again")                     \
    X(GIVE_UP_SILENT, "frame: the pads of a frame that is given up are not SKIPped")               \
    X(ACK_LOST,       "frame: nothing is acknowledged")                                            \
    X(TAILS_KEPT,     "trim: a full store keeps pieces too short for what is asked")               \
    X(HOP_AGAIN,      "source: the controller is not told which hop failed")                       \
    X(OWN_UNTOLD,     "match: what the other end has lost, and cannot SKIP, is kept")                \
    X(LET_GO_NEVER,   "match: files that the other end has lost are kept")                           \
    X(HELLO_BLIND,    "link: what the peer can no longer decrypt is not given up")                 \
    X(HOP_FLIPS,      "relay: a hop hands on other bits")                                          \
    X(SUM_FLIPS,      "sum: a hop sends another sum than that of its link keys")                   \
    X(SHARE_IS_KEY,   "source: all shares but one are zero")                                       \
    X(RETRY_DRAWS,    "source: a retry draws new bits under the same ID")                          \
    X(SCHEME_IGNORED, "source: a key that should be the first link's is drawn")                    \
    X(COMPARE_AGAIN,  "source: compare keys are not fresh")                                        \
    X(ROUTE_STUCK,    "source: a route that cannot pay is kept")                                   \
    X(COMPARE_SKIP,   "supply: keys are released whatever the comparison says")                     \
    X(MATCH_UNSAVED,  "supply: `match` before the slave's keys are durable")                       \
    X(SUPPLY_UNSAVED, "supply: that a key was supplied is not persisted")                          \
    X(WRONG_SLAVE,    "supply: the key goes to another application")                               \
    X(BOOT_AGAIN,     "link: after a loss of the store the initial secret is taken in again")       \
    X(GRADE_LOST,     "relay: a key that crossed a hop under AES-256 is told as one-time padded")   \
    X(NONCE_AGAIN,    "fallback: the nonce does not count")                                        \
    X(FALL_ANYWAY,    "fallback: keys of the level otp-only fall back, too")                       \
    X(RATE_BLIND,     "access: an application gets more than its highest rate")                   \
    X(SHARE_ALIKE,    "share: priorities and guarantees are ignored")                             \
    X(SHARE_TWICE,    "share: what comes in counts twice for one application")                    \
    X(SHARE_UNKEPT,   "share: what a session is guaranteed is not kept")                          \
    X(SHARE_TRANSIT,  "share: keys on their way take what they find at a hop")                    \
    X(SHARE_HOP,      "share: at a hop all classes are equals")                                    \
    X(TERM_BLIND,     "kmc: routes of a controller that was overtaken are obeyed")                \
    X(TERM_UNSAVED,   "term: a controller does not persist the term it begins")                   \
    X(FOLLOW_UNSAVED, "kmc: whom it follows is not persisted")                                    \
    X(POOLED_FOREVER, "ahead: pooled keys do not expire at their source")                          \
    X(POOLED_MIXED,   "ahead: the keys of a frame are taken in in another order")                  \
    X(MULTICAST_APART, "multicast: some destinations are sent another key")                        \
    X(MULTICAST_SOME, "multicast: the master is supplied when one slave has compared")              \
    X(SWITCH_BOTH,    "optical: a switch lets the light of the last link pass, too")             \
    X(SWITCH_STUCK,   "light: a switch stays at its first link")                                   \
    X(ALARM_STANDS,   "reports: an alarm is never cleared")                                        \
    X(CHECKS_UNBOUND, "guard: failing checks have no budget")                                      \
    X(GOOD_UNPAID,    "guard: good messages pay for no checks")                                    \
    X(STRICT_NEVER,   "guard: a quarantine changes nothing")                                       \
    X(STRICT_SHUT,    "guard: a quarantine shuts the honest peer out")                             \
    X(STRANGERS_ALL,  "guard: strangers fill the table of channels")                              \
    X(QUOTA_BLIND,    "quota: an application may ask as often as it likes")                              \
    /* what only an attacker shows */                                                              \
    X(ROLE_BLIND,     "channel: an authenticated element of any role may speak")                   \
    X(NODE_BLIND,     "channel: elements of other nodes may speak inside a key manager")           \
    X(TAG_UNREAD,     "record: its tag is not looked at")                                          \
    X(WINDOW_OPEN,    "record: one that is older than the window is taken again")                  \
    X(WINDOW_ONE,     "record: the window against replay is one too wide")                         \
    X(WINDOW_LAST,    "record: the newest may come again")                                         \
    X(OPEN_AGAIN,     "channel: a handshake that was recorded is answered")                        \
    X(SHAKE_SAME,     "channel: keys are the same after a restart, and counters begin again")      \
    X(ONE_KEY,        "channel: nothing binds a record to its direction")                          \
    X(AUTH_MUTE,      "channel: nobody is told of records that do not authenticate")               \
    X(TAG_TAIL,       "frame: the last byte of a tag is not compared")                             \
    X(RIGHTS_BLIND,   "supply: an application has the keys of others by their ID")                 \
    X(PROBE_TELLS,    "supply: an answer tells whether a key of others exists")                    \
    X(DELETE_ANYBODY, "delete: an application deletes keys of others")                             \
    X(CONTROLLER_ANY, "kmc: any controller is obeyed")                                             \
    X(MANAGER_ANY,    "kmc: any manager may acknowledge reports")                                  \
    X(MODULE_ANY,     "kmc: modules of other nodes may tell their status")
/* clang-format on */

#define QKD_MUTANT_ENUM(name, text) QKD_MUTANT_##name,
enum qkd_mutant { QKD_MUTANT_NONE, QKD_MUTANTS(QKD_MUTANT_ENUM) QKD_MUTANT_COUNT };

#ifdef QKDN_MUTANTS
extern enum qkd_mutant qkd_mutant; /* the one in force; tests/mutants/mutants.c */
#define QKDN_MUTANT(name) (qkd_mutant == QKD_MUTANT_##name)
#else
#define QKDN_MUTANT(name) false
#endif

#endif
