/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The threats of ITU-T X.1712 (10/2021), clause 8, as data: ten attack surfaces, five kinds of threat,
 * fifty cells, of which 32 are in its text and 18 are extra; and of each cell the attacks that this
 * laboratory can run, its variants. `attacks` of a scenario may name a cell; `qkdn threats` runs them
 * (docs/security.md). A cell without a variant has not been built yet and is never judged. */
#ifndef SCN_THREATS_H
#define SCN_THREATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scn_surface {
    SCN_SURFACE_K1,   /* module - KMA, Kq-1 */
    SCN_SURFACE_K2_1, /* KMA - KMA, Kx-1 */
    SCN_SURFACE_K3,   /* KMA - KSA, inside a key manager */
    SCN_SURFACE_A1,   /* KSA - application, Ak */
    SCN_SURFACE_K2_2, /* KSA - KSA, Kx-2 */
    SCN_SURFACE_C,    /* key manager - controller, Ck */
    SCN_SURFACE_M,    /* key manager - manager, Mk */
    SCN_SURFACE_CM,   /* key manager - module, Kq-2 */
    SCN_SURFACE_KMA,  /* a KMA through all its links */
    SCN_SURFACE_KSA,  /* a KSA through all its links */
    SCN_SURFACES
};

enum scn_threat {
    SCN_THREAT_SPOOFING,
    SCN_THREAT_EAVESDROPPING,
    SCN_THREAT_CORRUPTION,
    SCN_THREAT_DESTRUCTION,
    SCN_THREAT_DENIAL,
    SCN_THREATS
};

/* What an attacker can do. */
enum scn_capability {
    SCN_CAPABILITY_P, /* listens */
    SCN_CAPABILITY_A, /* in the middle: drops, delays, changes, repeats, makes up */
    SCN_CAPABILITY_F, /* sends as much as it likes, in whose name it likes */
    SCN_CAPABILITY_Q, /* listens, and no cipher that rests on computing withstands it */
    SCN_CAPABILITY_X, /* reaches an element itself: its power and its disk */
    SCN_CAPABILITIES
};

/* What it does with a message that it meets. */
enum scn_attack_what {
    SCN_ATTACK_LISTEN,
    SCN_ATTACK_FLIP,    /* XORs a mask over bytes of it */
    SCN_ATTACK_DROP,    /* it never arrives */
    SCN_ATTACK_DELAY,   /* it arrives later */
    SCN_ATTACK_REPLAY,  /* it arrives, and once more later */
    SCN_ATTACK_SPLICE,  /* the head of this one goes on with the body of the last one */
    SCN_ATTACK_FORGE,   /* it goes on, and after it one made up in the same name */
    SCN_ATTACK_STEAL,   /* none: it is an application itself, and asks for keys of others */
    SCN_ATTACK_POSE,    /* none: it is an element itself, with a valid credential of another role */
    SCN_ATTACK_USURP,   /* none: one of the right role, but not the one that is meant there */
    SCN_ATTACK_PROBE,   /* none: an application that asks whether keys of others exist */
    SCN_ATTACK_DELETE,  /* none: one that deletes keys of others */
    SCN_ATTACK_REFLECT, /* it arrives, and once more where it came from */
    SCN_ATTACK_TRUNCATE, /* it arrives without its second half */
    SCN_ATTACK_IMAGE,    /* none: it takes a copy of stores */
    SCN_ATTACK_ROT,      /* none: it stops a key manager, flips bits in its store, and starts it */
    SCN_ATTACK_DESTROY, /* none: it destroys a key manager with its store; an empty one comes back */
    SCN_ATTACK_FLOOD,   /* sends messages of its own at a rate */
    SCN_ATTACK_WHATS
};

/* What a flood is made of. */
enum scn_flood {
    SCN_FLOOD_JUNK,      /* bytes of chance in the name of a peer */
    SCN_FLOOD_FORGED,    /* with the head of the peer's next message */
    SCN_FLOOD_REPLAYED,  /* the peer's last message, again and again */
    SCN_FLOOD_STRANGERS, /* handshakes that nobody goes on with, each in another name */
    SCN_FLOOD_REQUESTS,  /* an application asks, and asks */
    SCN_FLOODS
};

/* Which messages an attacker goes for. It knows sealed ones by their length and time: the world tells
 * it, as if it were never wrong. */
enum scn_message_kind {
    SCN_MESSAGE_ANY,
    SCN_MESSAGE_RELAY,      /* frames with relayed keys */
    SCN_MESSAGE_TAKE,       /* frames that name link key */
    SCN_MESSAGE_KEY_FILE,   /* QKD-keys */
    SCN_MESSAGE_KEY_SUPPLY, /* answers with keys for an application */
    SCN_MESSAGE_HAND_OVER,  /* answers with keys from KMA to KSA */
    SCN_MESSAGE_COMPARE,    /* comparison of keys between KSAs */
    SCN_MESSAGE_ROUTE,      /* routes from a controller */
    SCN_MESSAGE_STATUS,     /* status reports */
    SCN_MESSAGE_REPORT,     /* reports to a manager */
    SCN_MESSAGE_REQUEST,    /* requests for keys, of applications and of KSAs */
    SCN_MESSAGE_HANDSHAKE, /* what opens a channel */
    SCN_MESSAGE_KINDS
};

/* Which part of a message it changes. */
enum scn_part {
    SCN_PART_ANY,  /* any byte */
    SCN_PART_HEAD, /* what travels in clear */
    SCN_PART_BODY, /* what is sealed or under a pad; of a frame with keys what stands before them */
    SCN_PART_KEYS, /* of a frame the keys */
    SCN_PART_TAG,
    SCN_PARTS
};

struct scn_cell {
    const char *id; /* "D-K2-1" */
    enum scn_surface surface;
    enum scn_threat threat;
    bool extra; /* not in the text of X.1712 */
    const char *capability;
    const char *requirements; /* numbers of SReq, with blanks between */
    const char *attack;       /* what an attacker does */
    const char *measure;      /* what must hold */
    const char *missing;      /* attacks of it that have not been built yet, where some have */
};

enum { SCN_CELLS = 50 };
extern const struct scn_cell scn_cells[SCN_CELLS];

/* What shows that an attack had success: a figure of attacks[] that is above 0. */
enum scn_proof {
    SCN_PROOF_LEAKED_BITS, /* bits of key the attacker is certain of */
    SCN_PROOF_READ,        /* messages it could read */
    SCN_PROOF_ACCEPTED,    /* messages it changed or repeated that were taken for genuine */
    SCN_PROOF_MISMATCHED,  /* pairs of supplied keys that differ */
    SCN_PROOF_LOST,        /* requests that were not served, of those that the benign run serves */
    SCN_PROOF_BROKEN,      /* rules of the oracle that were broken */
    SCN_PROOF_LOST_MUCH,   /* the same beyond 5 % of those: what a flood may cost */
    SCN_PROOF_UNSEEN,      /* 1: no alarm about it was raised at the manager */
    SCN_PROOF_MISSED,      /* reports that the manager did not get */
    SCN_PROOF_UNTOLD, /* that it has not got when the run ends, beyond 5 % of the benign run's */
    SCN_PROOFS
};

struct scn_variant {
    const char *cell, *name; /* "D-K2-1", "key-data" */
    enum scn_capability class;
    enum scn_attack_what what;
    enum scn_message_kind message;
    enum scn_part part;
    uint32_t off;   /* measures without which it must succeed (base/measure.h) */
    uint32_t later; /* further ones, which catch behind these what they let pass */
    enum scn_proof proof;
    enum scn_proof later_proof; /* of the run without the later ones, too */
    uint32_t percent;           /* of the messages that it touches, unless the scenario says */
    bool inside;                /* judged with all nodes inside the demarcation boundary */
    const char *asset;          /* "key data", "metadata", "control and management information" */
    enum scn_flood flood;       /* flood: of what */
    uint32_t for_ms;            /* how long the judge lets it last; 0: as the others */
    bool from_start;            /* the judge lets it begin at 0 */
};

extern const struct scn_variant scn_variants[];
extern const size_t scn_variant_count;

/* By id; SCN_CELLS and SIZE_MAX if there is none. A name of NULL or "" is the first of the cell. */
size_t scn_cell_find(const char *id);
size_t scn_variant_find(const char *cell, const char *name);

const char *scn_surface_name(enum scn_surface surface);  /* "K2-1" */
const char *scn_surface_point(enum scn_surface surface); /* "Kx-1" */
const char *scn_threat_name(enum scn_threat threat);     /* "eavesdropping" */
const char *scn_proof_name(enum scn_proof proof);        /* "leaked_bits" */

#endif
