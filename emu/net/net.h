/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames between daemons: TCP, TLS 1.3 with certificates on both sides (emu/net/tls.h), on a libuv loop.
 *
 * Simplex: a daemon listens once and dials each peer that it sends to. Frames to a peer leave on the
 * connection that we dialled, in the order of sending; its frames come on the one that it dialled.
 *
 *   frame   u32 length (big-endian), then as many bytes; length 0 is a sign of life
 *
 *      dialling daemon                                 listening daemon
 *      (idle) --send or dial--> CONNECTING             (accept) --> SHAKING
 *      CONNECTING --TCP is there--> SHAKING            SHAKING --certificate names a peer--> UP,
 *      SHAKING --certificate names this very peer,               and sends length 0
 *                and length 0 came--> UP               UP --length 0--> sends length 0 back,
 *                                                       one for all that came while TCP was full
 *      UP: sends length 0 every ping_ms                UP --frame--> recv()
 *      any --fault--> (idle), dials again after a pause that doubles   any --fault--> closed
 *
 * A peer is what its certificate says: one that names no configured peer, or another than the one
 * dialled, is cut off before a byte of it is looked at. What was lost with a connection stays lost:
 * repeating is the business of those above, as in the virtual worlds. Frames wait while there is no
 * connection, at most twice hold_ms. Sending never blocks and never fails for want of a connection. */
#ifndef EMU_NET_H
#define EMU_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "core/wire/messages.h"
#include "emu/base/why.h"
#include "emu/net/tls.h"

#define EMU_NET_FRAME_MAX (WIRE_MAX_MESSAGE + 64) /* bytes of a frame, without its length */
#define EMU_NET_QUEUE_BYTES (UINT32_C(2) * EMU_NET_FRAME_MAX)
#define EMU_NET_NOBODY SIZE_MAX /* in place of a peer: not known who it was */

/* Why a connection ended or did not come about. */
#define EMU_NET_FAULT_MAP(X)                                                                       \
    X(CONNECT, "connect")         /* nobody there, or no such host */                              \
    X(TLS, "tls")                 /* not TLS 1.3, or changed on the way */                         \
    X(CERTIFICATE, "certificate") /* not signed by the CA, expired, missing; theirs or ours */     \
    X(NAME, "name")               /* a good certificate of somebody else */                        \
    X(SLOW, "slow")               /* the handshake took too long */                                \
    X(CROWD, "crowd")             /* too many handshakes at once: the oldest goes */               \
    X(OVERSIZE, "oversize")       /* a frame longer than allowed */                                \
    X(PROTOCOL, "protocol")       /* frames against the direction of the connection */             \
    X(DEAD, "dead")               /* no sign of life */                                            \
    X(LOST, "lost")               /* broken off without good-bye */                                \
    X(CLOSED, "closed")           /* the peer said good-bye */                                     \
    X(REPLACED, "replaced")       /* the peer has dialled anew */                                  \
    X(MEMORY, "memory")           /* we have none left for it */

enum emu_net_fault {
#define EMU_NET_FAULT_ENUM(name, text) EMU_NET_FAULT_##name,
    EMU_NET_FAULT_MAP(EMU_NET_FAULT_ENUM)
#undef EMU_NET_FAULT_ENUM
        EMU_NET_FAULT_COUNT
};

/* One word, for logs and metrics. */
const char *emu_net_fault_text(enum emu_net_fault fault);

struct emu_net_peer {
    const char *name;    /* daemon name, as in its certificate */
    const char *address; /* "host:port" where it listens; NULL: not known (yet), it dials us */
};

/* Called from the loop. They may call emu_net_send(), emu_net_dial() and emu_net_stop(). */
struct emu_net_calls {
    void *ctx;
    /* A frame came; the bytes are gone after the call. */
    void (*recv)(void *ctx, size_t peer, const uint8_t *bytes, size_t len);
    /* What we dialled is up (the peer has accepted us), or no longer; may be NULL. */
    void (*up)(void *ctx, size_t peer, bool up);
    /* For logs; peer may be EMU_NET_NOBODY. Strangers can cause many of them; may be NULL. */
    void (*fault)(void *ctx, size_t peer, enum emu_net_fault fault, const char *text);
};

/* 0 stands for what is said here. */
struct emu_net_times {
    uint32_t handshake_ms; /* longest way from TCP to UP; 5000 */
    uint32_t ping_ms;      /* between signs of life; 2000 */
    uint32_t dead_ms;      /* silence after which a peer is dead; 6000 */
    uint32_t hold_ms;      /* frames without a connection wait once to twice this; 2000 */
    uint32_t pause_ms;     /* first pause before dialling again; 50 */
    uint32_t pause_max_ms; /* longest; 2000. Pauses vary by a quarter up or down */
};

struct emu_net_config {
    uv_loop_t *loop;
    const char *name;   /* ours; must be the one in the certificate */
    const char *listen; /* "host:port"; port 0: a free one; "": do not listen */
    struct emu_tls_files files;
    const struct emu_net_peer *peers;
    size_t peer_count;
    uint32_t queue_bytes;      /* most that may wait for one peer; 0: EMU_NET_QUEUE_BYTES */
    uint32_t frame_bytes;      /* longest frame; 0: EMU_NET_FRAME_MAX */
    unsigned handshakes_per_s; /* to begin with strangers, see emu/base/door.h; 0: 25 */
    struct emu_net_times times;
    struct emu_net_calls calls;
};

/* Since the beginning. Bytes are those of frames, without their lengths. */
struct emu_net_counters {
    uint64_t frames_out, bytes_out;         /* sealed */
    uint64_t frames_in, bytes_in;           /* given to recv() */
    uint64_t frames_dropped, bytes_dropped; /* queue full, waited too long, cut off in the middle */
    uint64_t dials;                         /* connections tried */
    uint64_t ups_out, ups_in;               /* connections that came up, dialled and accepted */
    uint64_t writes;                        /* pieces handed to TCP */
    uint64_t faults[EMU_NET_FAULT_COUNT];
};

struct emu_net;

/* Copies what it needs of the config; listens at once, dials nobody yet. QKD_ERR_INVALID (address, name,
 * certificate files), QKD_ERR_EXISTS (the address is in use), QKD_ERR_IO, QKD_ERR_NOMEM. */
int emu_net_new(const struct emu_net_config *config, struct emu_net **out, struct emu_why *why);

/* Ends all connections, with what TCP takes at once of what still waits, and says good-bye. No calls
 * follow but `stopped`, when nothing is left in the loop: then emu_net_free() is allowed. */
void emu_net_stop(struct emu_net *net, void (*stopped)(void *ctx), void *ctx);

/* After `stopped` only. NULL: nothing. */
void emu_net_free(struct emu_net *net);

/* Dials a peer and keeps at it. address: a new place ("host:port"), dialled without a pause; a connection
 * to the old place stays until it breaks. NULL: the known one.
 * QKD_ERR_INVALID; QKD_ERR_UNKNOWN: no address is known; QKD_ERR_NOMEM. */
int emu_net_dial(struct emu_net *net, size_t peer, const char *address);

/* A piece of a frame. */
struct emu_net_part {
    const void *at;
    size_t len;
};

/* Sends the parts as one frame; they are copied. Frames wait until emu_net_flush() or the end of the
 * loop's turn, and leave together. Dropped and counted: QKD_ERR_LIMIT (the peer's queue is full),
 * QKD_ERR_UNKNOWN (no address is known), QKD_ERR_RANGE (0 bytes, or more than a frame may have),
 * QKD_ERR_NOMEM, QKD_ERR_STATE (stopping). */
int emu_net_send(struct emu_net *net, size_t peer, const struct emu_net_part *parts, size_t count);

/* Lets all leave that waits. */
void emu_net_flush(struct emu_net *net);

/* Whether what we dialled is up. */
bool emu_net_is_up(const struct emu_net *net, size_t peer);

/* Whether what the peer dialled is up. */
bool emu_net_is_heard(const struct emu_net *net, size_t peer);

/* Of a peer, or of EMU_NET_NOBODY: faults of those who never said who they were. */
const struct emu_net_counters *emu_net_counters(const struct emu_net *net, size_t peer);

/* Bytes that wait for a peer. */
size_t emu_net_waiting(const struct emu_net *net, size_t peer);

/* The port that we listen on; 0 if we do not. */
unsigned emu_net_port(const struct emu_net *net);

#endif
