/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One connection: TLS over TCP, and the frames in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "emu/net/net_internal.h"

#define SEAL_BYTES 131072 /* sealed before TCP is asked again */
#define KEEPALIVE_S 10

static struct emu_peer *peer_of(const struct emu_conn *conn)
{
    return conn->peer == EMU_NET_NOBODY ? NULL : &conn->net->peers[conn->peer];
}

static void state_set(struct emu_conn *conn, enum emu_conn_state state)
{
    conn->state = state;
    conn->since_ms = uv_now(conn->net->loop);
}

/* ---- beginning and end ---- */

struct emu_conn *emu_conn_new(struct emu_net *net, bool dialled)
{
    struct emu_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->tls = emu_tls_new(net->tls, !dialled);
    if (conn->tls == NULL || uv_tcp_init(net->loop, &conn->tcp) != 0) {
        emu_tls_free(conn->tls);
        free(conn);
        return NULL;
    }
    conn->net = net;
    conn->peer = EMU_NET_NOBODY;
    conn->dialled = dialled;
    conn->tcp.data = conn;
    conn->writing.data = conn;
    state_set(conn, EMU_CONN_CONNECTING);
    conn->next = net->conns;
    if (net->conns != NULL) {
        net->conns->previous = conn;
    }
    net->conns = conn;
    net->handles++;
    return conn;
}

static void on_closed(uv_handle_t *handle)
{
    struct emu_conn *conn = handle->data;
    struct emu_net *net = conn->net;
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        net->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    emu_tls_free(conn->tls);
    emu_bytes_fini(&conn->in);
    emu_bytes_fini(&conn->flight);
    free(conn);
    emu_net_handle_gone(net);
}

/* Takes it out of all that knows it; what it leaves to be said goes if TCP takes it at once. */
static void detach(struct emu_conn *conn)
{
    struct emu_net *net = conn->net;
    struct emu_peer *peer = peer_of(conn);
    bool was_up = conn->state == EMU_CONN_UP;
    bool was_long = was_up && uv_now(net->loop) - conn->since_ms >= net->times.pause_max_ms;
    if (!conn->dialled && !conn->named && conn->state == EMU_CONN_SHAKING) {
        net->strangers--;
    }
    if (!conn->is_writing && emu_tls_has_out(conn->tls)) {
        emu_bytes_drop(&conn->flight, conn->flight.tail - conn->flight.head);
        emu_tls_take_out(conn->tls, &conn->flight);
        uv_buf_t rest = uv_buf_init((char *)conn->flight.at + conn->flight.head,
                                    (unsigned)(conn->flight.tail - conn->flight.head));
        (void)uv_try_write((uv_stream_t *)&conn->tcp, &rest, 1);
    }
    state_set(conn, EMU_CONN_CLOSING);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    if (peer != NULL && peer->in == conn) {
        peer->in = NULL;
    }
    if (peer != NULL && peer->out == conn) {
        peer->out = NULL;
        emu_peer_cut(peer);
        emu_peer_lost(peer, was_long);
        if (was_up && net->calls.up != NULL && !net->stopping) {
            net->calls.up(net->calls.ctx, conn->peer, false);
        }
    }
}

void emu_conn_fail(struct emu_conn *conn, enum emu_net_fault fault, const char *text)
{
    if (conn->state == EMU_CONN_CLOSING) {
        return;
    }
    struct emu_net *net = conn->net;
    size_t peer = conn->peer;
    detach(conn);
    emu_net_fault_note(net, peer, fault, text);
}

void emu_conn_close(struct emu_conn *conn)
{
    if (conn->state != EMU_CONN_CLOSING) {
        emu_tls_close(conn->tls);
        detach(conn);
    }
}

/* ---- sending ---- */

static void on_written(uv_write_t *request, int status)
{
    struct emu_conn *conn = request->data;
    conn->is_writing = false;
    emu_bytes_drop(&conn->flight, conn->flight.tail - conn->flight.head);
    if (conn->state == EMU_CONN_CLOSING) {
        return;
    }
    if (status < 0) {
        emu_conn_fail(conn, EMU_NET_FAULT_LOST, uv_strerror(status));
        return;
    }
    conn->heard_ms = uv_now(conn->net->loop); /* TCP was full, and the peer's took some */
    emu_conn_pump(conn);
}

/* Seals the sign of life that is owed. One answers all that came while TCP was full: what a peer makes us say
 * and does not read may not pile up. */
static bool seal_sign(struct emu_conn *conn)
{
    static const uint8_t sign[EMU_NET_HEAD];
    if (!conn->owes_sign) {
        return false;
    }
    conn->owes_sign = false;
    if (emu_tls_write(conn->tls, sign, sizeof sign) != QKD_OK) {
        emu_conn_fail(conn, EMU_NET_FAULT_MEMORY, "no memory for a sign of life");
        return false;
    }
    return true;
}

/* Seals some of the queue; false: nothing waits, or it failed. */
static bool seal(struct emu_conn *conn)
{
    struct emu_peer *peer = peer_of(conn);
    if (!conn->dialled) {
        return seal_sign(conn);
    }
    if (conn->state != EMU_CONN_UP) {
        return false;
    }
    size_t len = emu_peer_next(peer, SEAL_BYTES);
    if (len == 0) {
        return false;
    }
    int err = emu_tls_write(conn->tls, peer->queue.at + peer->queue.head, len);
    emu_bytes_drop(&peer->queue, len);
    if (err != QKD_OK) {
        emu_conn_fail(conn, err == QKD_ERR_NOMEM ? EMU_NET_FAULT_MEMORY : EMU_NET_FAULT_TLS,
                      emu_tls_error(conn->tls));
    }
    return err == QKD_OK;
}

/* Hands what is sealed to TCP; false: it cannot take more now. */
static bool hand_over(struct emu_conn *conn)
{
    struct emu_bytes *flight = &conn->flight;
    emu_tls_take_out(conn->tls, flight);
    uv_buf_t buf = uv_buf_init((char *)flight->at + flight->head,
                               (unsigned)(flight->tail - flight->head));
    int n = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    struct emu_peer *peer = peer_of(conn);
    if (peer != NULL) {
        peer->counters.writes++;
    }
    if (n > 0) {
        emu_bytes_drop(flight, (size_t)n);
    }
    if (flight->head == flight->tail) {
        return true;
    }
    if (n < 0 && n != UV_EAGAIN) {
        emu_conn_fail(conn, EMU_NET_FAULT_LOST, uv_strerror(n));
        return false;
    }
    buf = uv_buf_init((char *)flight->at + flight->head, (unsigned)(flight->tail - flight->head));
    n = uv_write(&conn->writing, (uv_stream_t *)&conn->tcp, &buf, 1, on_written);
    if (n < 0) {
        emu_conn_fail(conn, EMU_NET_FAULT_LOST, uv_strerror(n));
    } else {
        conn->is_writing = true;
    }
    return false;
}

void emu_conn_pump(struct emu_conn *conn)
{
    bool more = conn->state == EMU_CONN_SHAKING || conn->state == EMU_CONN_UP;
    while (more && !conn->is_writing && conn->state != EMU_CONN_CLOSING) {
        more = seal(conn);
        if (conn->state != EMU_CONN_CLOSING && emu_tls_has_out(conn->tls)) {
            more = hand_over(conn) && more;
        }
    }
}

/* ---- receiving ---- */

/* What we dialled has accepted us. */
static void came_up(struct emu_conn *conn)
{
    struct emu_net *net = conn->net;
    struct emu_peer *peer = peer_of(conn);
    state_set(conn, EMU_CONN_UP);
    conn->pinged_ms = conn->since_ms;
    peer->counters.ups_out++;
    if (net->calls.up != NULL) {
        net->calls.up(net->calls.ctx, conn->peer, true);
    }
}

/* One frame of len > 0, or a sign of life. */
static void frame_take(struct emu_conn *conn, const uint8_t *bytes, size_t len)
{
    struct emu_net *net = conn->net;
    struct emu_peer *peer = peer_of(conn);
    if (len > 0 && conn->dialled) {
        emu_conn_fail(conn, EMU_NET_FAULT_PROTOCOL, "a frame from the listening side");
    } else if (len > 0) {
        peer->counters.frames_in++;
        peer->counters.bytes_in += len;
        net->calls.recv(net->calls.ctx, conn->peer, bytes, len);
    } else if (!conn->dialled) {
        conn->owes_sign = true;
    } else if (conn->state == EMU_CONN_SHAKING) {
        came_up(conn);
    }
}

static void frames_take(struct emu_conn *conn)
{
    struct emu_bytes *in = &conn->in;
    size_t at = in->head;
    while (conn->state != EMU_CONN_CLOSING && in->tail - at >= EMU_NET_HEAD) {
        const uint8_t *head = in->at + at;
        size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (len > conn->net->frame_bytes) {
            char text[80];
            snprintf(text, sizeof text, "a frame of %zu bytes; the most is %u", len,
                     (unsigned)conn->net->frame_bytes);
            emu_conn_fail(conn, EMU_NET_FAULT_OVERSIZE, text);
            return;
        }
        if (in->tail - at - EMU_NET_HEAD < len) {
            break;
        }
        frame_take(conn, head + EMU_NET_HEAD, len);
        at += EMU_NET_HEAD + len;
    }
    emu_bytes_drop(in, at - in->head);
}

static size_t peer_find(const struct emu_net *net, const char *name)
{
    for (size_t i = 0; i < net->peer_count; i++) {
        if (strcmp(net->peers[i].name, name) == 0) {
            return i;
        }
    }
    return EMU_NET_NOBODY;
}

/* A stranger has shown its certificate, and is peer `number`. */
static void came_in(struct emu_conn *conn, size_t number)
{
    struct emu_peer *peer = &conn->net->peers[number];
    struct emu_conn *before = peer->in;
    conn->net->strangers--;
    conn->named = true;
    conn->peer = number;
    peer->in = conn;
    peer->counters.ups_in++;
    state_set(conn, EMU_CONN_UP);
    conn->owes_sign = true;
    if (before != NULL) {
        emu_conn_fail(before, EMU_NET_FAULT_REPLACED, "the peer has dialled anew");
    }
}

/* TLS is through: who is it? */
static void name_check(struct emu_conn *conn)
{
    char name[EMU_IDENTITY_SIZE];
    char text[160];
    if (emu_tls_peer_name(conn->tls, name) != QKD_OK) {
        emu_conn_fail(conn, EMU_NET_FAULT_NAME, "the certificate names no daemon");
        return;
    }
    size_t number = peer_find(conn->net, name);
    if (conn->dialled ? number == conn->peer : number != EMU_NET_NOBODY) {
        if (conn->dialled) {
            conn->named = true;
        } else {
            came_in(conn, number);
        }
        return;
    }
    if (conn->dialled) {
        snprintf(text, sizeof text, "the certificate is that of '%s'", name);
    } else {
        snprintf(text, sizeof text, "'%s' is no peer of ours", name);
    }
    emu_conn_fail(conn, EMU_NET_FAULT_NAME, text);
}

static void read_failed(struct emu_conn *conn, int err)
{
    enum emu_net_fault fault = err == QKD_ERR_STATE   ? EMU_NET_FAULT_CLOSED
                               : err == QKD_ERR_AUTH  ? EMU_NET_FAULT_CERTIFICATE
                               : err == QKD_ERR_NOMEM ? EMU_NET_FAULT_MEMORY
                                                      : EMU_NET_FAULT_TLS;
    emu_conn_fail(conn, fault, emu_tls_error(conn->tls));
}

/* Opens what came and takes the frames in it. */
static void open_all(struct emu_conn *conn)
{
    while (conn->state != EMU_CONN_CLOSING) {
        if (emu_bytes_reserve(&conn->in, 16384) != QKD_OK) {
            emu_conn_fail(conn, EMU_NET_FAULT_MEMORY, "no memory for a frame");
            return;
        }
        int n = emu_tls_read(conn->tls, conn->in.at + conn->in.tail, conn->in.size - conn->in.tail);
        if (n < 0 && n != QKD_ERR_AGAIN) {
            read_failed(conn, n);
            return;
        }
        if (!conn->named && emu_tls_ready(conn->tls)) {
            name_check(conn);
        }
        if (n == QKD_ERR_AGAIN || conn->state == EMU_CONN_CLOSING) {
            return;
        }
        conn->in.tail += (size_t)n;
        frames_take(conn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct emu_conn *conn = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)conn->net->read, sizeof conn->net->read);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct emu_conn *conn = stream->data;
    if (n == 0 || conn->state == EMU_CONN_CLOSING) {
        return;
    }
    if (n < 0) {
        emu_conn_fail(conn, EMU_NET_FAULT_LOST, n == UV_EOF ? "cut off" : uv_strerror((int)n));
        return;
    }
    if (conn->named) {
        conn->heard_ms = uv_now(conn->net->loop);
    }
    emu_tls_feed(conn->tls, (const uint8_t *)buf->base, (size_t)n);
    open_all(conn);
    if (conn->state != EMU_CONN_CLOSING) {
        emu_conn_pump(conn);
    }
}

void emu_conn_start(struct emu_conn *conn)
{
    state_set(conn, EMU_CONN_SHAKING);
    conn->heard_ms = conn->since_ms;
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    (void)uv_tcp_keepalive(&conn->tcp, 1, KEEPALIVE_S);
    int status = uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    if (status < 0) {
        emu_conn_fail(conn, EMU_NET_FAULT_LOST, uv_strerror(status));
        return;
    }
    open_all(conn); /* the side that dialled begins */
    if (conn->state != EMU_CONN_CLOSING) {
        emu_conn_pump(conn);
    }
}

/* ---- time ---- */

static uint64_t later(uint64_t at_ms, uint64_t ms, uint64_t now_ms)
{
    return at_ms + ms < now_ms ? at_ms + ms : now_ms;
}

void emu_conn_spare(struct emu_conn *conn, uint64_t ms)
{
    uint64_t now_ms = uv_now(conn->net->loop);
    conn->since_ms = later(conn->since_ms, ms, now_ms);
    conn->heard_ms = later(conn->heard_ms, ms, now_ms);
    conn->pinged_ms = later(conn->pinged_ms, ms, now_ms);
}

void emu_conn_tick(struct emu_conn *conn, uint64_t now_ms)
{
    const struct emu_net_times *times = &conn->net->times;
    if (conn->state == EMU_CONN_CLOSING) {
        return;
    }
    if (conn->state != EMU_CONN_UP) {
        if (now_ms - conn->since_ms >= times->handshake_ms) {
            emu_conn_fail(conn,
                          conn->state == EMU_CONN_CONNECTING ? EMU_NET_FAULT_CONNECT
                                                             : EMU_NET_FAULT_SLOW,
                          "the handshake took too long");
        }
        return;
    }
    if (now_ms - conn->heard_ms >= times->dead_ms) {
        emu_conn_fail(conn, EMU_NET_FAULT_DEAD, "no sign of life");
    } else if (conn->dialled && now_ms - conn->pinged_ms >= times->ping_ms) {
        conn->pinged_ms = now_ms;
        if (emu_peer_ping(peer_of(conn)) != QKD_OK) {
            emu_conn_fail(conn, EMU_NET_FAULT_MEMORY, "no memory for a sign of life");
        }
    }
}
