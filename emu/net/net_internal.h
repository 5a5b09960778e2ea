/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of emu/net/net.h: peers and their queues (net.c), connections (net_conn.c), how they come about
 * (net_dial.c). */
#ifndef EMU_NET_INTERNAL_H
#define EMU_NET_INTERNAL_H

#include "emu/base/address.h"
#include "emu/base/bytes.h"
#include "emu/base/door.h"
#include "emu/net/net.h"

#define EMU_NET_HEAD 4          /* bytes of a frame's length */
#define EMU_NET_READ_SIZE 65536 /* at a time from TCP */

enum emu_conn_state {
    EMU_CONN_CONNECTING, /* TCP */
    EMU_CONN_SHAKING,    /* TLS; of what we dialled, also until the first sign of life */
    EMU_CONN_UP,
    EMU_CONN_CLOSING
};

/* A connection. Freed by libuv's close callback, so it can be looked at after it was closed within a
 * turn. */
struct emu_conn {
    struct emu_net *net;
    struct emu_conn *next, *previous; /* all of a net, the newest first */
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uv_write_t writing;
    struct emu_tls *tls;
    struct emu_bytes in;     /* plain bytes, up to a frame that is not complete */
    struct emu_bytes flight; /* sealed bytes on their way */
    size_t peer;             /* EMU_NET_NOBODY: not known yet */
    enum emu_conn_state state;
    bool dialled;
    bool named;         /* the certificate was looked at, and is good */
    bool is_writing;    /* uv_write() has not ended: flight may not move */
    bool owes_sign;     /* of what we accepted: a sign of life is to be answered */
    uint64_t since_ms;  /* when the state began */
    uint64_t heard_ms;  /* last sign of life */
    uint64_t pinged_ms; /* last sign of ours */
};

struct emu_peer {
    struct emu_net *net;
    size_t number;
    char name[EMU_IDENTITY_SIZE];
    struct emu_address address;
    bool has_address;
    bool wanted;    /* something was sent, or we were told: dial until the end */
    bool resolving; /* uv_getaddrinfo() has not ended */
    bool dirty;     /* in the list of those to flush */
    struct emu_peer *dirty_next;
    struct emu_bytes queue; /* frames with their lengths */
    size_t frame_left;      /* bytes at the front of the queue that end a frame cut in two */
    size_t old_bytes;       /* bytes of the queue that were there when hold_ms began */
    struct emu_conn *out;   /* what we dialled */
    struct emu_conn *in;    /* what it dialled, up */
    uv_timer_t again;       /* pause before dialling */
    uv_getaddrinfo_t lookup;
    uint32_t pause_ms; /* next one */
    unsigned tries;    /* which of a name's addresses is next */
    struct emu_net_counters counters;
};

struct emu_net {
    uv_loop_t *loop;
    struct emu_tls_context *tls;
    struct emu_peer *peers;
    size_t peer_count;
    struct emu_net_calls calls;
    struct emu_net_times times;
    uint32_t queue_bytes, frame_bytes;
    struct emu_net_counters nobody;
    struct emu_conn *conns;
    size_t strangers; /* accepted connections whose certificate was not seen yet */
    struct emu_peer *dirty;
    uv_timer_t tick;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    struct emu_door *door; /* NULL: does not listen */
    unsigned port;
    uint64_t turned_away;        /* of the door's, those counted as a crowd already */
    uint64_t tick_ms, ticked_ms; /* between looks at the times; the last one */
    uint64_t held_ms;            /* when hold_ms began */
    size_t handles;              /* and requests that libuv still knows */
    bool stopping;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    uint8_t read[EMU_NET_READ_SIZE]; /* sealed bytes, for the length of one callback */
};

/* ---- net.c ---- */

/* One handle or request less; calls `stopped` after the last. */
void emu_net_handle_gone(struct emu_net *net);

/* Counts and tells; `peer` may be EMU_NET_NOBODY. */
void emu_net_fault_note(struct emu_net *net, size_t peer, enum emu_net_fault fault,
                        const char *text);

/* Adds a sign of life; QKD_ERR_NOMEM. */
int emu_peer_ping(struct emu_peer *peer);

/* Bytes to seal next, at most `most`; frame_left is that after they are gone. 0: nothing waits. */
size_t emu_peer_next(struct emu_peer *peer, size_t most);

/* The connection that took the front of a cut frame is gone: the rest is no use. */
void emu_peer_cut(struct emu_peer *peer);

/* ---- net_conn.c ---- */

/* NULL: no memory. */
struct emu_conn *emu_conn_new(struct emu_net *net, bool dialled);

/* TCP is there: starts TLS. */
void emu_conn_start(struct emu_conn *conn);

/* Seals what waits and hands it to TCP, as much as that takes. */
void emu_conn_pump(struct emu_conn *conn);

/* Ends it for a reason, which is counted and told. Nothing if it is closing already. */
void emu_conn_fail(struct emu_conn *conn, enum emu_net_fault fault, const char *text);

/* Ends it with a good-bye, and without telling. */
void emu_conn_close(struct emu_conn *conn);

/* Its times stand still while we do: nothing could be heard then. */
void emu_conn_spare(struct emu_conn *conn, uint64_t ms);

/* Looks at its times. */
void emu_conn_tick(struct emu_conn *conn, uint64_t now_ms);

/* ---- net_dial.c ---- */

/* Dials, unless that is under way. */
void emu_peer_dial(struct emu_peer *peer);

/* What was dialled is gone or did not come about: dials again after a pause. */
void emu_peer_lost(struct emu_peer *peer, bool was_up_long);

/* The door lets somebody in. */
void emu_net_accept(void *ctx, int fd, const struct sockaddr *from, socklen_t len);

#endif
