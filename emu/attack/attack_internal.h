/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the attackers. Internal to emu/attack. */
#ifndef EMU_ATTACK_INTERNAL_H
#define EMU_ATTACK_INTERNAL_H

#include "core/base/rng.h"
#include "emu/attack/attack.h"
#include "emu/base/bytes.h"
#include "emu/net/tls.h"

#define TLS_HEAD 5                  /* bytes before a record's body */
#define TLS_TAG 16                  /* of AES-GCM, its last bytes */
#define TLS_DATA 23                 /* type of records with a sealed body */
#define RECORD_MOST (16384 + 256)   /* RFC 8446, 5.2 */
#define QUEUED_MOST (4U << 20)      /* bytes that wait in a lane before it reads on */
#define SAID_MOST (UINT32_C(65536)) /* bytes of a connection kept for its repetition */

struct emu_attacker {
    const struct scn_attack *plan;
    struct scn_attack_summary sum;
    uint64_t connections; /* that it stood in the middle of */
    uint64_t bytes;       /* that passed it */
    uint64_t ended;       /* connections that ended after it had touched them */
    uint64_t tried;       /* connections of its own, with these: */
    uint64_t served;      /* in which it was dialled instead of who was meant */
    int file;             /* what it saw; -1: not kept */
    uint64_t kept;
    int64_t due_ms; /* its next own connection */
    double owed;    /* flood: connections that are due */
    struct qkd_rng rng;
};

/* Bytes to be sent at a time, or later. */
struct emu_piece {
    struct emu_piece *next;
    int64_t due_ms;
    size_t at, len;
    bool late; /* it waits for its time beside the others, and does not hold them up */
    uint8_t bytes[];
};

/* One direction. */
struct emu_lane {
    struct emu_bytes in; /* read and not yet cut into records */
    struct emu_piece *first;
    struct emu_piece *late; /* repetitions that are not due */
    size_t queued;
    bool plain;      /* this is no TLS */
    bool over;       /* nothing comes any more */
    uint8_t *before; /* the last record with data */
    size_t before_len;
};

struct emu_tapped {
    struct emu_tapped *next;
    struct emu_attack_place *place;
    int fds[2]; /* 0: who dialled, 1: who is meant */
    struct emu_lane lanes[2];
    struct emu_bytes said;        /* what who dialled has said first, for a repetition */
    struct emu_attacker *touched; /* who did first; NULL: nobody */
    bool dead;
};

struct emu_attack_place {
    const struct emu_tap *tap;
    int fd;
    uint8_t *stands; /* by attacker */
};

/* A connection of an attacker's own. */
struct emu_stranger {
    struct emu_stranger *next;
    struct emu_attacker *of;
    int fd;
    int64_t until_ms, again_ms;
    struct emu_bytes out;
    struct emu_tls *tls;   /* NULL: it only sends bytes */
    bool serves;           /* it has been dialled by one that meant somebody else */
    bool asked;            /* said what it has to say */
    struct emu_bytes drip; /* a flood's: what it says byte by byte, one a second */
    bool let_in;
    bool dead;
};

/* Credentials of those who pose. */
enum emu_false { EMU_FALSE_ROLE, EMU_FALSE_NAME, EMU_FALSE_CA, EMU_FALSE_COUNT };

struct emu_attack {
    struct emu_attack_options options;
    int64_t epoch_ns;
    struct emu_attacker *attackers;
    struct emu_attack_place *places;
    struct emu_tapped *tapped;
    struct emu_stranger *strangers;
    struct emu_tls_context *contexts[EMU_FALSE_COUNT];
    size_t stranger_count;
};

/* ---- attack.c ---- */

int64_t emu_attack_now_ms(void); /* monotonic */

/* Whether an attacker is at work now. */
bool emu_attacker_acts(const struct emu_attack *attack, const struct emu_attacker *attacker);

/* It has read or touched something. */
void emu_attacker_first(const struct emu_attack *attack, struct emu_attacker *attacker);

/* ---- lane.c ---- */

/* Takes in what was read, lets attackers do with it what they do, queues what goes on. QKD_ERR_NOMEM. */
int emu_lane_take(struct emu_attack *attack, struct emu_tapped *tapped, unsigned side);

/* Sends what is due; false: the connection is gone. */
bool emu_lane_send(struct emu_lane *lane, int fd, int64_t now_ms);

/* When something is due; INT64_MAX: nothing is. */
int64_t emu_lane_due(const struct emu_lane *lane);
void emu_lane_fini(struct emu_lane *lane);

/* ---- strangers.c ---- */

/* Loads or makes the credentials of those who pose, if there are any. */
int emu_strangers_prepare(struct emu_attack *attack, struct emu_why *why);

/* One that dialled somebody else is served with a false credential; the socket is taken. */
void emu_stranger_serve(struct emu_attack *attack, struct emu_attacker *attacker, int fd);

/* Says to whom a tap leads what was said to it before. */
void emu_stranger_repeat(struct emu_attack *attack, struct emu_attacker *attacker,
                         const struct emu_tap *tap, const struct emu_bytes *said);

/* A connection of the attacker's own to whom a tap leads; the socket is taken. NULL: there are too many. */
struct emu_stranger *emu_stranger_new(struct emu_attack *attack, struct emu_attacker *attacker,
                                      int fd);

/* Own connections that are due begin. */
void emu_strangers_tick(struct emu_attack *attack);

/* After poll(2): what has come, what can be sent. */
void emu_stranger_turn(struct emu_attack *attack, struct emu_stranger *stranger);
void emu_stranger_free(struct emu_stranger *stranger);

/* A socket on its way to an address, which does not block; -1. An attacker's own connections come from an address
 * of his own, where the machine has one to spare (127.0.0.0/8): limits by host are about him then, not about those in
 * whose middle he stands. */
int emu_attack_dial(const char *address, bool own);

/* ---- flood.c ---- */

/* Floods begin the connections that are due. */
void emu_floods_tick(struct emu_attack *attack);

/* A stranger of a flood that goes on byte by byte. */
void emu_flood_drip(struct emu_stranger *stranger);

#endif
