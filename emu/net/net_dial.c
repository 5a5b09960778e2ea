/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How connections come about: accepting, looking names up, dialling, and the pauses between. */
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "core/base/err.h"
#include "emu/net/net_internal.h"

/* ---- accepting ---- */

/* How many strangers may shake hands at once. */
static size_t strangers_max(const struct emu_net *net)
{
    return 64 + 2 * net->peer_count;
}

/* Honest peers take milliseconds, so the one that takes longest is the least loss. */
static void oldest_stranger_close(struct emu_net *net)
{
    struct emu_conn *oldest = NULL;
    for (struct emu_conn *conn = net->conns; conn != NULL; conn = conn->next) {
        if (!conn->dialled && !conn->named && conn->state == EMU_CONN_SHAKING) {
            oldest = conn; /* the newest is first */
        }
    }
    if (oldest != NULL) {
        emu_conn_fail(oldest, EMU_NET_FAULT_CROWD, "too many handshakes at once");
    }
}

void emu_net_accept(void *ctx, int fd, const struct sockaddr *from, socklen_t len)
{
    struct emu_net *net = ctx;
    (void)from;
    (void)len;
    struct emu_conn *conn = emu_conn_new(net, false);
    if (conn == NULL) {
        (void)close(fd);
        emu_net_fault_note(net, EMU_NET_NOBODY, EMU_NET_FAULT_MEMORY, "no memory to accept");
        return;
    }
    if (uv_tcp_open(&conn->tcp, fd) != 0) {
        (void)close(fd);
        emu_conn_close(conn);
        return;
    }
    if (net->strangers >= strangers_max(net)) {
        oldest_stranger_close(net);
    }
    net->strangers++;
    emu_conn_start(conn);
}

/* ---- dialling ---- */

static void on_pause(uv_timer_t *timer)
{
    emu_peer_dial(timer->data);
}

void emu_peer_lost(struct emu_peer *peer, bool was_up_long)
{
    struct emu_net *net = peer->net;
    uint8_t chance = 128;
    if (net->stopping || !peer->wanted) {
        return;
    }
    if (was_up_long) {
        peer->pause_ms = net->times.pause_ms;
    }
    /* A quarter up or down, so that many who lost one peer do not come back at once. */
    (void)RAND_bytes(&chance, 1);
    uint64_t pause_ms = peer->pause_ms - peer->pause_ms / 4 +
                        (uint64_t)peer->pause_ms * chance / 512;
    uint64_t doubled = (uint64_t)peer->pause_ms * 2;
    peer->pause_ms = doubled < net->times.pause_max_ms ? (uint32_t)doubled
                                                       : net->times.pause_max_ms;
    (void)uv_timer_start(&peer->again, on_pause, pause_ms, 0);
}

static void dial_failed(struct emu_peer *peer, const char *text)
{
    emu_net_fault_note(peer->net, peer->number, EMU_NET_FAULT_CONNECT, text);
    emu_peer_lost(peer, false);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct emu_conn *conn = request->data;
    if (conn->state != EMU_CONN_CONNECTING) {
        return;
    }
    if (status < 0) {
        emu_conn_fail(conn, EMU_NET_FAULT_CONNECT, uv_strerror(status));
    } else {
        emu_conn_start(conn);
    }
}

static void connect_to(struct emu_peer *peer, const struct sockaddr *address)
{
    struct emu_conn *conn = emu_conn_new(peer->net, true);
    if (conn == NULL) {
        dial_failed(peer, "no memory to dial");
        return;
    }
    conn->peer = peer->number;
    peer->out = conn;
    conn->connecting.data = conn;
    int status = uv_tcp_connect(&conn->connecting, &conn->tcp, address, on_connect);
    if (status < 0) {
        emu_conn_fail(conn, EMU_NET_FAULT_CONNECT, uv_strerror(status));
    }
}

/* A name may stand for several addresses: one after the other, at each try the next. */
static const struct addrinfo *pick(const struct addrinfo *found, unsigned number)
{
    unsigned count = 0;
    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        count++;
    }
    for (number %= count; number > 0; number--) {
        found = found->ai_next;
    }
    return found;
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct emu_peer *peer = request->data;
    struct emu_net *net = peer->net;
    peer->resolving = false;
    if (!net->stopping) {
        if (status < 0 || found == NULL) {
            dial_failed(peer, status < 0 ? uv_strerror(status) : "no such host");
        } else {
            connect_to(peer, pick(found, peer->tries++)->ai_addr);
        }
    }
    uv_freeaddrinfo(found);
    emu_net_handle_gone(net);
}

void emu_peer_dial(struct emu_peer *peer)
{
    struct emu_net *net = peer->net;
    struct sockaddr_storage address;
    if (peer->out != NULL || peer->resolving || net->stopping ||
        uv_is_active((uv_handle_t *)&peer->again)) {
        return;
    }
    peer->counters.dials++;
    if (emu_address_numeric(&peer->address, &address)) {
        connect_to(peer, (const struct sockaddr *)&address);
        return;
    }
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    peer->lookup.data = peer;
    int status = uv_getaddrinfo(net->loop, &peer->lookup, on_lookup, peer->address.host,
                                peer->address.port, &wanted);
    if (status < 0) {
        dial_failed(peer, uv_strerror(status));
        return;
    }
    peer->resolving = true;
    net->handles++;
}
