/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of cells of X.1712, clause 8, and of the attacks built so far. Capabilities: P, A, Q as in
 * enum scn_capability; F floods; X reaches an element itself. */
#include "scenarios/threats.h"

#include <string.h>

#include "core/base/measure.h"

/* clang-format off */
#define CELL(id, surface, threat, extra, capability, requirements, attack, measure, missing)       \
    {id, SCN_SURFACE_##surface, SCN_THREAT_##threat, extra, capability, requirements, attack,       \
     measure, missing}
const struct scn_cell scn_cells[SCN_CELLS] = {
    CELL("E-K1", K1, EAVESDROPPING, false, "P Q", "3 15",
         "copies key files on their way from a module to its KMA",
         "a boundary around the node, or encryption",
         ""),
    CELL("E-K2-1", K2_1, EAVESDROPPING, false, "P Q", "1 2 14 15",
         "records all frames between two KMAs and looks for keys and metadata in them",
         "one-time padded relay; keys that crossed a hop under AES-256 say so",
         ""),
    CELL("E-K3", K3, EAVESDROPPING, false, "P Q", "4 15 16",
         "copies what a KMA hands over to its KSA",
         "a boundary around the node, or encryption",
         ""),
    CELL("E-A1", A1, EAVESDROPPING, false, "P Q", "5 16",
         "listens between a KSA and an application outside the node",
         "mutually authenticated encryption",
         "clients without TLS (live world)"),
    CELL("E-K2-2", K2_2, EAVESDROPPING, false, "P Q", "16",
         "collects key IDs and comparison tags between KSAs",
         "encryption; a tag that tells nothing of the key",
         "dictionary search over short keys"),
    CELL("E-C", C, EAVESDROPPING, false, "P Q", "22 25",
         "rebuilds topology, key amounts and routes from what passes between key manager and controller",
         "encryption; readers are authorized",
         ""),
    CELL("E-M", M, EAVESDROPPING, false, "P Q", "15 16 17 21 22 25",
         "follows the life of keys and the alarms on their way to the manager",
         "encryption; readers are authorized",
         ""),
    CELL("E-C&M", CM, EAVESDROPPING, false, "P Q", "22",
         "learns status and key rate of a module",
         "encryption",
         ""),
    CELL("E-KMA", KMA, EAVESDROPPING, false, "P Q A X", "1 2 6 10 17 21",
         "combines what passes on all links of one KMA; asks it questions; takes its store",
         "relay under pads, authorization before any answer, encryption at rest",
         ""),
    CELL("E-KSA", KSA, EAVESDROPPING, false, "P Q A X", "5 6 10 16 17 21",
         "combines what passes on all links of one KSA; asks it for keys of others; takes its store",
         "encryption, authorization before any answer, encryption at rest",
         ""),
    CELL("D-K1", K1, CORRUPTION, false, "A", "7 18 23",
         "flips bits of key files, drops and exchanges them",
         "authenticated records, the check of each file, resending",
         ""),
    CELL("D-K2-1", K2_1, CORRUPTION, false, "A", "7 18 23",
         "flips bits of relayed keys, their metadata and heads; drops, repeats, splices frames",
         "a tag over all of a frame, sequence numbers, resending",
         ""),
    CELL("D-K3", K3, CORRUPTION, false, "A", "8 19",
         "flips bits of keys and key IDs handed over",
         "authenticated records, comparison at Kx-2",
         ""),
    CELL("D-A1", A1, CORRUPTION, false, "A", "8 19",
         "alters keys and key IDs in answers, drops answers",
         "authenticated records, each key once",
         ""),
    CELL("D-K2-2", K2_2, CORRUPTION, false, "A", "19 20 23",
         "alters the comparison so that equal keys look different and different ones equal",
         "authenticated records",
         "different keys made to look equal"),
    CELL("D-C", C, CORRUPTION, false, "A", "23 24",
         "alters routes and status, drops new routes",
         "authenticated records",
         ""),
    CELL("D-M", M, CORRUPTION, false, "A", "13 23",
         "deletes and alters reports and alarms",
         "authenticated records, numbered reports",
         ""),
    CELL("D-C&M", CM, CORRUPTION, false, "A", "23 24",
         "alters status and key rate, drops commands",
         "authenticated records, stale status is seen",
         ""),
    CELL("D-KMA", KMA, CORRUPTION, false, "A X", "7 9 18 20",
         "sends malformed lengths, conflicting duplicates and commands out of order; rots the store",
         "strict parsing after authentication, integrity at rest",
         ""),
    CELL("D-KSA", KSA, CORRUPTION, false, "A X", "8 10 19 21",
         "sends malformed requests and commands for sessions of others; rots the store",
         "strict parsing after authentication, authorization, integrity at rest",
         ""),
    CELL("O-K1", K1, DENIAL, false, "A F", "9 11",
         "cuts the way of key files, floods it with junk",
         "a store that lasts, checks before costly work",
         ""),
    CELL("O-K2-1", K2_1, DENIAL, false, "A F", "12",
         "cuts links between KMAs, floods them with forged frames",
         "rerouting; a forged frame burns no pad",
         ""),
    CELL("O-K3", K3, DENIAL, false, "A F", "9",
         "cuts the hand-over, floods it",
         "authenticated peers only, bounded queues",
         ""),
    CELL("O-A1", A1, DENIAL, false, "F", "10",
         "floods the KSA with requests, opens connections without end",
         "quotas and rate limits for each application",
         ""),
    CELL("O-K2-2", K2_2, DENIAL, false, "A F", "19",
         "cuts or floods the comparison",
         "no release without a comparison",
         ""),
    CELL("O-C", C, DENIAL, false, "A F", "12",
         "cuts key managers off from the controller, floods it",
         "cached routes, a second controller",
         ""),
    CELL("O-M", M, DENIAL, false, "A F", "13 24",
         "cuts key managers off from the manager, floods it with alarms",
         "reports are kept and numbered, authentication before parsing",
         ""),
    CELL("O-C&M", CM, DENIAL, false, "A F", "23",
         "cuts the status of a module, floods its port",
         "status with its age",
         ""),
    CELL("S-KMA", KMA, SPOOFING, false, "A", "9 10 20 21",
         "speaks as a peer KMA, module, KSA: without credentials, with those of another role, with recorded ones",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-KSA", KSA, SPOOFING, false, "A", "9 10 20 21",
         "speaks as another application, as a peer KSA, as a KMA, as a KSA to an application",
         "mutual authentication, then authorization by role and right",
         ""),
    CELL("X-KMA", KMA, DESTRUCTION, false, "X", "6 11 12 13",
         "destroys a KMA with its store; it comes back empty",
         "rerouting, no ID or pad is used again, the manager still knows",
         ""),
    CELL("X-KSA", KSA, DESTRUCTION, false, "X", "13",
         "destroys a KSA with its store",
         "half supplied keys are void at both ends",
         ""),
    CELL("S-K1", K1, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-K2-1", K2_1, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-K3", K3, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-A1", A1, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-K2-2", K2_2, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-C", C, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-M", M, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("S-C&M", CM, SPOOFING, true, "A", "9 20 24",
         "speaks in the name of an end of this link",
         "mutual authentication, then authorization by role",
         ""),
    CELL("X-K1", K1, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-K2-1", K2_1, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-K3", K3, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-A1", A1, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-K2-2", K2_2, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-C", C, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-M", M, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("X-C&M", CM, DESTRUCTION, true, "X", "12",
         "destroys this link for good",
         "rerouting, topology without it",
         ""),
    CELL("O-KMA", KMA, DENIAL, true, "F", "9",
         "exhausts a KMA by authenticated peers",
         "bounded memory, rate limits",
         ""),
    CELL("O-KSA", KSA, DENIAL, true, "F", "10",
         "exhausts a KSA by authenticated applications",
         "bounded memory, rate limits",
         ""),
};

#define KEYS "key data"
#define META "metadata"
#define INFO "control and management information"
#define SEALED QKD_OFF(RECORD_ENCRYPTION)
#define SIGNED QKD_OFF(RECORD_AUTHENTICATION)
#define UNLIMITED (QKD_OFF(RATE_LIMIT) | QKD_OFF(PEER_FILTER))
/* cell, name, class, what, messages, part, off, later, proof, later proof, percent, inside, asset */
#define VARIANT(cell, name, class, what, message, part, off, later, proof, later_proof, percent,   \
                inside, asset)                                                                             \
    {cell, name, SCN_CAPABILITY_##class, SCN_ATTACK_##what, SCN_MESSAGE_##message, SCN_PART_##part, off,  \
     later, SCN_PROOF_##proof, SCN_PROOF_##later_proof, percent, inside, asset, SCN_FLOOD_JUNK, 0, false}
#define LISTENS(cell, name, class, message, off, proof, asset)                                     \
    VARIANT(cell, name, class, LISTEN, message, ANY, off, 0, proof, proof, 100, false, asset)
#define FLIPS(cell, name, message, part, off, asset)                                               \
    VARIANT(cell, name, A, FLIP, message, part, off, 0, ACCEPTED, ACCEPTED, 100, false, asset)
#define REPEATS(cell, name, message, off, asset)                                                   \
    VARIANT(cell, name, A, REPLAY, message, ANY, off, 0, ACCEPTED, ACCEPTED, 100, false, asset)
#define FORGES(cell, name, message, off, asset)                                                    \
    VARIANT(cell, name, A, FORGE, message, ANY, off, 0, ACCEPTED, ACCEPTED, 100, false, asset)
#define BY_X(cell, name, what, off, proof, asset)                                                  \
    VARIANT(cell, name, X, what, ANY, ANY, off, 0, proof, proof, 100, false, asset)
#define BY_A(cell, name, what, message, off, proof, percent, asset)                                \
    VARIANT(cell, name, A, what, message, ANY, off, 0, proof, proof, percent, false, asset)
#define RECORDED(cell)                                                                             \
    {cell, "recorded-handshake", SCN_CAPABILITY_A, SCN_ATTACK_REPLAY, SCN_MESSAGE_HANDSHAKE,        \
     SCN_PART_ANY, QKD_OFF(REPLAY_WINDOW), 0, SCN_PROOF_ACCEPTED, SCN_PROOF_ACCEPTED, 100, false,  \
     INFO, SCN_FLOOD_JUNK, 0, true}
#define USURPS(cell)                                                                               \
    BY_A(cell, "another-element", USURP, ANY, QKD_OFF(AUTHORIZATION), ACCEPTED, 100, INFO)
#define REFLECTS(cell) BY_A(cell, "reflected", REFLECT, ANY, SIGNED, ACCEPTED, 100, INFO)
#define FLOODS(cell, name, flood, off, asset)                                                     \
    {cell, name, SCN_CAPABILITY_F, SCN_ATTACK_FLOOD, SCN_MESSAGE_ANY, SCN_PART_ANY, off, 0,            \
     SCN_PROOF_LOST_MUCH, SCN_PROOF_LOST_MUCH, 100, false, asset, SCN_FLOOD_##flood, 0, false}
#define STORMS(cell, name, flood, off, asset)                                                     \
    {cell, name, SCN_CAPABILITY_F, SCN_ATTACK_FLOOD, SCN_MESSAGE_ANY, SCN_PART_ANY, off, 0,            \
     SCN_PROOF_UNTOLD, SCN_PROOF_UNTOLD, 100, false, asset, SCN_FLOOD_##flood, 20000, false}
#define CUTS(cell, name, off, proof, for_ms, asset)                                                \
    {cell, name, SCN_CAPABILITY_A, SCN_ATTACK_DROP, SCN_MESSAGE_ANY, SCN_PART_ANY, off, 0,              \
     SCN_PROOF_##proof, SCN_PROOF_##proof, 100, false, asset, SCN_FLOOD_JUNK, for_ms, false}
#define POSES(cell)                                                                                \
    VARIANT(cell, "wrong-role", A, POSE, ANY, ANY, QKD_OFF(AUTHORIZATION), 0, ACCEPTED, ACCEPTED,  \
            100, false, INFO)
const struct scn_variant scn_variants[] = {
    LISTENS("E-K1", "key-data", P, KEY_FILE, SEALED, LEAKED_BITS, KEYS),
    LISTENS("E-K1", "metadata", P, ANY, SEALED, READ, META),
    LISTENS("E-K2-1", "key-data", P, RELAY, QKD_OFF(RELAY_ENCRYPTION), LEAKED_BITS, KEYS),
    LISTENS("E-K2-1", "key-data-unbounded", Q, RELAY, QKD_OFF(RELAY_ENCRYPTION), LEAKED_BITS, KEYS),
    LISTENS("E-K2-1", "metadata", P, RELAY, QKD_OFF(RELAY_ENCRYPTION), READ, META),
    LISTENS("E-K2-1", "control", P, ANY, SEALED, READ, INFO),
    LISTENS("E-K3", "key-data", P, HAND_OVER, SEALED, LEAKED_BITS, KEYS),
    LISTENS("E-K3", "metadata", P, ANY, SEALED, READ, META),
    LISTENS("E-A1", "key-data", P, KEY_SUPPLY, SEALED, LEAKED_BITS, KEYS),
    LISTENS("E-A1", "metadata", P, ANY, SEALED, READ, META),
    LISTENS("E-K2-2", "metadata", P, COMPARE, SEALED, READ, META),
    LISTENS("E-C", "control", P, ANY, SEALED, READ, INFO),
    LISTENS("E-M", "management", P, REPORT, SEALED, READ, INFO),
    BY_A("E-C", "reader-without-rights", USURP, ANY, QKD_OFF(AUTHORIZATION), ACCEPTED, 100, INFO),
    BY_A("E-M", "reader-without-rights", USURP, ANY, QKD_OFF(AUTHORIZATION), ACCEPTED, 100, INFO),
    LISTENS("E-C&M", "status", P, STATUS, SEALED, READ, INFO),
    LISTENS("E-KMA", "all-links", P, ANY, SEALED | QKD_OFF(RELAY_ENCRYPTION), LEAKED_BITS, KEYS),
    VARIANT("E-KMA", "all-links-unbounded", Q, LISTEN, ANY, ANY, QKD_OFF(RELAY_ENCRYPTION), 0, LEAKED_BITS, LEAKED_BITS, 100, true, KEYS),
    BY_A("E-KMA", "crafted-questions", USURP, ANY, QKD_OFF(AUTHORIZATION), ACCEPTED, 100, KEYS),
    BY_X("E-KMA", "store-image", IMAGE, QKD_OFF(STORAGE_PROTECTION), LEAKED_BITS, KEYS),
    LISTENS("E-KSA", "all-links", P, ANY, SEALED, LEAKED_BITS, KEYS),
    BY_A("E-KSA", "id-probing", PROBE, ANY, QKD_OFF(AUTHORIZATION), ACCEPTED, 100, META),
    BY_X("E-KSA", "store-image", IMAGE, QKD_OFF(STORAGE_PROTECTION), LEAKED_BITS, KEYS),
    FLIPS("D-K1", "key-data", KEY_FILE, BODY, SIGNED, KEYS),
    BY_A("D-K1", "truncated", TRUNCATE, KEY_FILE, SIGNED, ACCEPTED, 100, KEYS),
    BY_A("D-K1", "exchanged", SPLICE, KEY_FILE, SIGNED, ACCEPTED, 100, KEYS),
    REPEATS("D-K1", "replay", KEY_FILE, QKD_OFF(REPLAY_WINDOW), META),
    VARIANT("D-K2-1", "key-data", A, FLIP, RELAY, KEYS, QKD_OFF(RELAY_TAG), QKD_OFF(COMPARE),
            ACCEPTED, MISMATCHED, 100, false, KEYS),
    FLIPS("D-K2-1", "metadata", RELAY, BODY, QKD_OFF(RELAY_TAG), META),
    VARIANT("D-K2-1", "splice", A, SPLICE, RELAY, ANY, QKD_OFF(RELAY_TAG), 0, ACCEPTED, ACCEPTED,
            100, false, META),
    VARIANT("D-K2-1", "drop", A, DROP, RELAY, ANY, QKD_OFF(RESEND), 0, LOST, LOST, 30, false, KEYS),
    REPEATS("D-K2-1", "replay", RELAY, QKD_OFF(FRAME_SEQUENCE), META),
    FLIPS("D-K2-1", "control", ANY, BODY, SIGNED, INFO),
    VARIANT("D-K3", "key-data", A, FLIP, HAND_OVER, BODY, SIGNED, QKD_OFF(COMPARE), ACCEPTED, MISMATCHED,
            100, false, KEYS),
    BY_A("D-K3", "exchanged", SPLICE, HAND_OVER, SIGNED, ACCEPTED, 100, META),
    REPEATS("D-K3", "replay", HAND_OVER, QKD_OFF(REPLAY_WINDOW), META),
    FLIPS("D-A1", "key-data", KEY_SUPPLY, BODY, SIGNED, KEYS),
    REPEATS("D-A1", "replay", KEY_SUPPLY, QKD_OFF(REPLAY_WINDOW), META),
    FLIPS("D-K2-2", "compare", COMPARE, BODY, SIGNED, META),
    REPEATS("D-K2-2", "replay", COMPARE, QKD_OFF(REPLAY_WINDOW), META),
    FLIPS("D-C", "status", STATUS, BODY, SIGNED, INFO),
    FLIPS("D-C", "route", ROUTE, BODY, SIGNED, INFO),
    FORGES("D-C", "chosen-route", ROUTE, SEALED | SIGNED, INFO),
    BY_A("D-C", "drop-routes", DROP, ROUTE, QKD_OFF(KEPT_ROUTES), LOST, 100, INFO),
    REPEATS("D-C", "replay", ANY, QKD_OFF(REPLAY_WINDOW), INFO),
    FLIPS("D-M", "reports", REPORT, BODY, SIGNED, INFO),
    BY_A("D-M", "deleted", DROP, REPORT, QKD_OFF(RESEND), MISSED, 30, INFO),
    REPEATS("D-M", "replay", REPORT, QKD_OFF(REPLAY_WINDOW), INFO),
    FLIPS("D-C&M", "status", STATUS, BODY, SIGNED, INFO),
    BY_A("D-C&M", "drop", DROP, STATUS, QKD_OFF(STALE_STATUS), UNSEEN, 100, INFO),
    REPEATS("D-C&M", "replay", STATUS, QKD_OFF(REPLAY_WINDOW), INFO),
    FLIPS("D-KMA", "malformed", ANY, BODY, SIGNED | QKD_OFF(RELAY_TAG), META),
    BY_A("D-KMA", "truncated", TRUNCATE, ANY, SIGNED | QKD_OFF(RELAY_TAG), ACCEPTED, 100, META),
    REPEATS("D-KMA", "duplicates", ANY, QKD_OFF(REPLAY_WINDOW) | QKD_OFF(FRAME_SEQUENCE), META),
    FORGES("D-KMA", "conflicting-files", KEY_FILE, SEALED | SIGNED, KEYS),
    BY_X("D-KMA", "store-rots", ROT, QKD_OFF(STORAGE_PROTECTION), ACCEPTED, KEYS),
    FLIPS("D-KSA", "malformed", ANY, BODY, SIGNED, META),
    BY_A("D-KSA", "truncated", TRUNCATE, ANY, SIGNED, ACCEPTED, 100, META),
    BY_X("D-KSA", "store-rots", ROT, QKD_OFF(STORAGE_PROTECTION), ACCEPTED, KEYS),
    BY_A("D-KSA", "deletes-keys-of-others", DELETE, ANY, QKD_OFF(AUTHORIZATION), ACCEPTED, 100, KEYS),
    CUTS("O-K1", "interruption", QKD_OFF(STORED_KEYS), LOST, 0, KEYS),
    FLOODS("O-K1", "junk", JUNK, UNLIMITED, KEYS),
    FLOODS("O-K1", "forged", FORGED, UNLIMITED, KEYS),
    CUTS("O-K2-1", "interruption", QKD_OFF(RESEND), LOST, 500, KEYS),
    FLOODS("O-K2-1", "junk", JUNK, UNLIMITED, KEYS),
    FLOODS("O-K2-1", "forged", FORGED, UNLIMITED, KEYS),
    FLOODS("O-K2-1", "replayed", REPLAYED, QKD_OFF(FRAME_SEQUENCE) | QKD_OFF(REPLAY_WINDOW), KEYS),
    VARIANT("O-K2-1", "forged-frames", A, FORGE, RELAY, ANY, QKD_OFF(RELAY_TAG), 0, LOST, LOST, 100, false, KEYS),
    CUTS("O-K3", "interruption", QKD_OFF(RESEND), LOST, 500, KEYS),
    FLOODS("O-K3", "junk", JUNK, UNLIMITED, KEYS),
    FLOODS("O-K3", "forged", FORGED, UNLIMITED, KEYS),
    CUTS("O-A1", "interruption", QKD_OFF(RESEND), LOST, 500, KEYS),
    FLOODS("O-A1", "requests", REQUESTS, QKD_OFF(RATE_LIMIT), KEYS),
    FLOODS("O-A1", "forged", FORGED, UNLIMITED, KEYS),
    FLOODS("O-A1", "connections", STRANGERS, UNLIMITED, KEYS),
    CUTS("O-K2-2", "interruption", QKD_OFF(RESEND), LOST, 500, META),
    FLOODS("O-K2-2", "junk", JUNK, UNLIMITED, META),
    FLOODS("O-K2-2", "forged", FORGED, UNLIMITED, META),
    VARIANT("O-C", "cut", A, DROP, ANY, ANY, QKD_OFF(KEPT_ROUTES), 0, LOST, LOST, 100, false, INFO),
    FLOODS("O-C", "junk", JUNK, UNLIMITED | QKD_OFF(KEPT_ROUTES), INFO),
    FLOODS("O-C", "forged", FORGED, UNLIMITED | QKD_OFF(KEPT_ROUTES), INFO),
    CUTS("O-M", "interruption", QKD_OFF(RESEND), MISSED, 0, INFO),
    STORMS("O-M", "junk", JUNK, UNLIMITED, INFO),
    STORMS("O-M", "alarms", FORGED, UNLIMITED, INFO),
    CUTS("O-C&M", "interruption", QKD_OFF(STALE_STATUS), UNSEEN, 0, INFO),
    FLOODS("O-C&M", "junk", JUNK, UNLIMITED, INFO),
    FLOODS("O-C&M", "forged", FORGED, UNLIMITED, INFO),
    FORGES("S-KMA", "as-kma", RELAY, QKD_OFF(RELAY_ENCRYPTION) | QKD_OFF(RELAY_TAG), KEYS),
    FORGES("S-KMA", "as-module", KEY_FILE, SEALED | SIGNED, KEYS),
    FORGES("S-KMA", "any-message", ANY, SEALED | SIGNED | QKD_OFF(RELAY_TAG), INFO),
    FORGES("S-KMA", "as-ksa", REQUEST, SEALED | SIGNED, INFO),
    POSES("S-KMA"),
    RECORDED("S-KMA"),
    FORGES("S-KSA", "as-application", REQUEST, SEALED | SIGNED, INFO),
    FORGES("S-KSA", "as-ksa", COMPARE, SEALED | SIGNED, META),
    FORGES("S-KSA", "as-ksa-to-application", KEY_SUPPLY, SEALED | SIGNED, KEYS),
    FORGES("S-KSA", "as-kma", HAND_OVER, SEALED | SIGNED, KEYS),
    POSES("S-KSA"),
    {"X-KSA", "comes-back-empty", SCN_CAPABILITY_X, SCN_ATTACK_DESTROY, SCN_MESSAGE_ANY, SCN_PART_ANY,
     QKD_OFF(FRESH_START), 0, SCN_PROOF_LOST_MUCH, SCN_PROOF_LOST_MUCH, 100, false, KEYS, SCN_FLOOD_JUNK, 1000, false},
    BY_X("X-KMA", "comes-back-empty", DESTROY, QKD_OFF(FRESH_START), BROKEN, KEYS),
    VARIANT("S-KSA", "keys-of-others", A, STEAL, ANY, ANY, QKD_OFF(AUTHORIZATION), 0, LEAKED_BITS, LEAKED_BITS, 100, false, KEYS),
    FORGES("S-K1", "without-credentials", ANY, SEALED | SIGNED, KEYS),
    POSES("S-K1"),
    RECORDED("S-K1"),
    REFLECTS("S-K1"),
    FORGES("S-K2-1", "without-credentials", ANY, SEALED | SIGNED, INFO),
    POSES("S-K2-1"),
    RECORDED("S-K2-1"),
    REFLECTS("S-K2-1"),
    FORGES("S-K3", "without-credentials", ANY, SEALED | SIGNED, KEYS),
    POSES("S-K3"),
    RECORDED("S-K3"),
    USURPS("S-K3"),
    REFLECTS("S-K3"),
    FORGES("S-A1", "without-credentials", ANY, SEALED | SIGNED, KEYS),
    POSES("S-A1"),
    RECORDED("S-A1"),
    REFLECTS("S-A1"),
    FORGES("S-K2-2", "without-credentials", ANY, SEALED | SIGNED, META),
    POSES("S-K2-2"),
    RECORDED("S-K2-2"),
    REFLECTS("S-K2-2"),
    FORGES("S-C", "without-credentials", ANY, SEALED | SIGNED, INFO),
    POSES("S-C"),
    RECORDED("S-C"),
    USURPS("S-C"),
    REFLECTS("S-C"),
    FORGES("S-M", "without-credentials", ANY, SEALED | SIGNED, INFO),
    POSES("S-M"),
    RECORDED("S-M"),
    USURPS("S-M"),
    REFLECTS("S-M"),
    FORGES("S-C&M", "without-credentials", ANY, SEALED | SIGNED, INFO),
    POSES("S-C&M"),
    RECORDED("S-C&M"),
    USURPS("S-C&M"),
    REFLECTS("S-C&M"),
};
/* clang-format on */
const size_t scn_variant_count = sizeof scn_variants / sizeof scn_variants[0];

size_t scn_cell_find(const char *id)
{
    size_t i = 0;
    while (i < SCN_CELLS && strcmp(scn_cells[i].id, id) != 0) {
        i++;
    }
    return i;
}

size_t scn_variant_find(const char *cell, const char *name)
{
    bool first = name == NULL || name[0] == '\0';
    for (size_t i = 0; i < scn_variant_count; i++) {
        if (strcmp(scn_variants[i].cell, cell) == 0 &&
            (first || strcmp(scn_variants[i].name, name) == 0)) {
            return i;
        }
    }
    return SIZE_MAX;
}

const char *scn_surface_name(enum scn_surface surface)
{
    static const char *const names[SCN_SURFACES] = {"K1", "K2-1", "K3",  "A1",  "K2-2",
                                                    "C",  "M",    "C&M", "KMA", "KSA"};
    return names[surface];
}

const char *scn_surface_point(enum scn_surface surface)
{
    static const char *const names[SCN_SURFACES] = {"Kq-1",        "Kx-1", "KMA-KSA",
                                                    "Ak",          "Kx-2", "Ck",
                                                    "Mk",          "Kq-2", "all of a KMA",
                                                    "all of a KSA"};
    return names[surface];
}

const char *scn_threat_name(enum scn_threat threat)
{
    static const char *const names[SCN_THREATS] = {"spoofing", "eavesdropping",
                                                   "deletion or corruption", "destruction",
                                                   "denial of service"};
    return names[threat];
}

const char *scn_proof_name(enum scn_proof proof)
{
    static const char *const names[SCN_PROOFS] = {
        "leaked_bits",  "read",      "accepted", "mismatched_pairs", "lost",
        "rules_broken", "lost_much", "unseen",   "missed",           "untold"};
    return names[proof];
}
