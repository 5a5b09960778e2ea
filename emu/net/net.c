/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Peers, their queues, and the turn of the loop. */
#include "emu/net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/net/net_internal.h"

#define HANDSHAKES_PER_S 25 /* a few % of a processor */
#define BURST_S 4           /* what so many seconds allow may begin at once */
#define WAITING 256         /* connections that wait for their handshake to begin */
#define TICK_MAX_MS 250

const char *emu_net_fault_text(enum emu_net_fault fault)
{
    static const char *const texts[] = {
#define FAULT_TEXT(name, text) text,
        EMU_NET_FAULT_MAP(FAULT_TEXT)
#undef FAULT_TEXT
    };
    return (unsigned)fault < EMU_NET_FAULT_COUNT ? texts[fault] : "unknown";
}

void emu_net_fault_note(struct emu_net *net, size_t peer, enum emu_net_fault fault,
                        const char *text)
{
    struct emu_net_counters *counters = peer == EMU_NET_NOBODY ? &net->nobody
                                                               : &net->peers[peer].counters;
    counters->faults[fault]++;
    if (net->calls.fault != NULL && !net->stopping) {
        net->calls.fault(net->calls.ctx, peer, fault, text);
    }
}

void emu_net_handle_gone(struct emu_net *net)
{
    net->handles--;
    if (net->handles == 0 && net->stopping && net->stopped != NULL) {
        net->stopped(net->stopped_ctx);
    }
}

/* ---- queues ---- */

static size_t used(const struct emu_bytes *bytes)
{
    return bytes->tail - bytes->head;
}

static size_t length_at(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static void length_put(uint8_t *at, size_t length)
{
    at[0] = (uint8_t)(length >> 24);
    at[1] = (uint8_t)(length >> 16);
    at[2] = (uint8_t)(length >> 8);
    at[3] = (uint8_t)length;
}

static int drop_note(struct emu_peer *peer, size_t len, int err)
{
    peer->counters.frames_dropped++;
    peer->counters.bytes_dropped += len;
    return err;
}

static void dirty_add(struct emu_peer *peer)
{
    if (!peer->dirty) {
        peer->dirty = true;
        peer->dirty_next = peer->net->dirty;
        peer->net->dirty = peer;
    }
}

size_t emu_peer_next(struct emu_peer *peer, size_t most)
{
    size_t waiting = used(&peer->queue);
    size_t taken = 0;
    most = waiting < most ? waiting : most;
    while (taken < most) {
        if (peer->frame_left == 0) {
            /* A whole frame is in the queue, or none of it. */
            size_t length = length_at(peer->queue.at + peer->queue.head + taken);
            peer->frame_left = EMU_NET_HEAD + length;
            peer->counters.frames_out += length > 0;
            peer->counters.bytes_out += length;
        }
        size_t step = peer->frame_left < most - taken ? peer->frame_left : most - taken;
        taken += step;
        peer->frame_left -= step;
    }
    peer->old_bytes -= taken < peer->old_bytes ? taken : peer->old_bytes;
    return taken;
}

void emu_peer_cut(struct emu_peer *peer)
{
    if (peer->frame_left > 0) {
        size_t left = peer->frame_left;
        peer->old_bytes -= left < peer->old_bytes ? left : peer->old_bytes;
        emu_bytes_drop(&peer->queue, left);
        (void)drop_note(peer, left, 0);
        peer->frame_left = 0;
    }
}

/* Frames without a connection are of no use for ever: what came before the last hold_ms goes. */
static void held_drop(struct emu_peer *peer)
{
    size_t old = peer->old_bytes;
    while (old > 0) {
        size_t length = length_at(peer->queue.at + peer->queue.head);
        emu_bytes_drop(&peer->queue, EMU_NET_HEAD + length);
        old -= EMU_NET_HEAD + length;
        if (length > 0) {
            (void)drop_note(peer, length, 0);
        }
    }
    peer->old_bytes = used(&peer->queue);
}

int emu_peer_ping(struct emu_peer *peer)
{
    if (emu_bytes_reserve(&peer->queue, EMU_NET_HEAD) != QKD_OK) {
        return QKD_ERR_NOMEM;
    }
    length_put(peer->queue.at + peer->queue.tail, 0);
    peer->queue.tail += EMU_NET_HEAD;
    dirty_add(peer);
    return QKD_OK;
}

int emu_net_send(struct emu_net *net, size_t number, const struct emu_net_part *parts, size_t count)
{
    QKD_ASSERT(number < net->peer_count);
    struct emu_peer *peer = &net->peers[number];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len < net->frame_bytes ? parts[i].len : (size_t)net->frame_bytes + 1;
    }
    if (net->stopping || len == 0 || len > net->frame_bytes) {
        return drop_note(peer, len, net->stopping ? QKD_ERR_STATE : QKD_ERR_RANGE);
    }
    if (!peer->has_address) {
        return drop_note(peer, len, QKD_ERR_UNKNOWN);
    }
    if (used(&peer->queue) + EMU_NET_HEAD + len > net->queue_bytes) {
        return drop_note(peer, len, QKD_ERR_LIMIT);
    }
    if (emu_bytes_reserve(&peer->queue, EMU_NET_HEAD + len) != QKD_OK) {
        return drop_note(peer, len, QKD_ERR_NOMEM);
    }
    length_put(peer->queue.at + peer->queue.tail, len);
    peer->queue.tail += EMU_NET_HEAD;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(peer->queue.at + peer->queue.tail, parts[i].at, parts[i].len);
            peer->queue.tail += parts[i].len;
        }
    }
    dirty_add(peer);
    return QKD_OK;
}

void emu_net_flush(struct emu_net *net)
{
    while (net->dirty != NULL) {
        struct emu_peer *peer = net->dirty;
        net->dirty = peer->dirty_next;
        peer->dirty = false;
        if (peer->out != NULL) {
            emu_conn_pump(peer->out);
        } else if (!net->stopping) {
            peer->wanted = true;
            emu_peer_dial(peer);
        }
    }
}

/* ---- the turn of the loop ---- */

static void on_prepare(uv_prepare_t *prepare)
{
    emu_net_flush(prepare->data);
}

static void on_check(uv_check_t *check)
{
    emu_net_flush(check->data);
}

static void on_tick(uv_timer_t *timer)
{
    struct emu_net *net = timer->data;
    uint64_t now_ms = uv_now(net->loop);
    struct emu_conn *next;
    /* After a long step, or a halt of the machine, timers come before what waits in the sockets. */
    uint64_t passed_ms = now_ms - net->ticked_ms;
    uint64_t late_ms = passed_ms > net->tick_ms ? passed_ms - net->tick_ms : 0;
    net->ticked_ms = now_ms;
    for (struct emu_conn *conn = net->conns; conn != NULL && late_ms > net->tick_ms;
         conn = conn->next) {
        emu_conn_spare(conn, late_ms);
    }
    if (net->door != NULL) {
        uint64_t away = emu_door_turned_away(net->door);
        net->nobody.faults[EMU_NET_FAULT_CROWD] += away - net->turned_away;
        net->turned_away = away;
    }
    for (struct emu_conn *conn = net->conns; conn != NULL; conn = next) {
        next = conn->next; /* a connection that is closed stays in the list until its callback */
        emu_conn_tick(conn, now_ms);
    }
    if (now_ms - net->held_ms >= net->times.hold_ms) {
        net->held_ms = now_ms;
        for (size_t i = 0; i < net->peer_count; i++) {
            if (!emu_net_is_up(net, i)) {
                held_drop(&net->peers[i]);
            }
        }
    }
}

/* ---- new and free ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void times_set(struct emu_net_times *times, const struct emu_net_times *given)
{
    times->handshake_ms = or_default(given->handshake_ms, 5000);
    times->ping_ms = or_default(given->ping_ms, 2000);
    times->dead_ms = or_default(given->dead_ms, 6000);
    times->hold_ms = or_default(given->hold_ms, 2000);
    times->pause_ms = or_default(given->pause_ms, 50);
    times->pause_max_ms = or_default(given->pause_max_ms, 2000);
}

static int address_set(struct emu_peer *peer, const char *text, struct emu_why *why)
{
    struct emu_address address;
    int err = emu_address_parse(text, &address, why);
    if (err == QKD_OK && (address.host[0] == '\0' || strcmp(address.port, "0") == 0)) {
        err = emu_fail(why, QKD_ERR_INVALID, "'%.80s': expected a host and a port to dial", text);
    }
    if (err == QKD_OK) {
        peer->address = address;
        peer->has_address = true;
    }
    return err;
}

static int peer_set(struct emu_net *net, size_t number, const struct emu_net_peer *given,
                    struct emu_why *why)
{
    struct emu_peer *peer = &net->peers[number];
    peer->net = net;
    peer->number = number;
    peer->pause_ms = net->times.pause_ms;
    if (!emu_identity_valid(given->name)) {
        return emu_fail(why, QKD_ERR_INVALID, "peer '%.80s': no name of a daemon", given->name);
    }
    for (size_t i = 0; i < number; i++) {
        if (strcmp(net->peers[i].name, given->name) == 0) {
            return emu_fail(why, QKD_ERR_INVALID, "peer '%s' is there twice", given->name);
        }
    }
    snprintf(peer->name, sizeof peer->name, "%s", given->name);
    return given->address == NULL ? QKD_OK : address_set(peer, given->address, why);
}

static int peers_set(struct emu_net *net, const struct emu_net_config *config, struct emu_why *why)
{
    net->peers = calloc(config->peer_count + 1, sizeof *net->peers);
    if (net->peers == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory for %zu peers", config->peer_count);
    }
    int err = QKD_OK;
    for (size_t i = 0; i < config->peer_count && err == QKD_OK; i++) {
        err = peer_set(net, i, &config->peers[i], why);
    }
    net->peer_count = config->peer_count;
    return err;
}

static int tls_set(struct emu_net *net, const struct emu_net_config *config, struct emu_why *why)
{
    int err = emu_tls_context_new(&config->files, &net->tls, why);
    if (err == QKD_OK && strcmp(emu_tls_context_name(net->tls), config->name) != 0) {
        err = emu_fail(why, QKD_ERR_INVALID,
                       "%s: is the certificate of '%s', expected that of '%s'",
                       config->files.certificate, emu_tls_context_name(net->tls), config->name);
    }
    return err;
}

/* From here on the loop knows us; nothing of it fails but for want of what was checked before. */
static void handles_start(struct emu_net *net)
{
    uint32_t shortest = net->times.ping_ms;
    shortest = net->times.handshake_ms < shortest ? net->times.handshake_ms : shortest;
    shortest = net->times.hold_ms < shortest ? net->times.hold_ms : shortest;
    net->tick_ms = shortest / 4 > TICK_MAX_MS ? TICK_MAX_MS : shortest / 4 + 1;
    QKD_ASSERT(uv_timer_init(net->loop, &net->tick) == 0);
    QKD_ASSERT(uv_prepare_init(net->loop, &net->before_poll) == 0);
    QKD_ASSERT(uv_check_init(net->loop, &net->after_poll) == 0);
    net->tick.data = net;
    net->before_poll.data = net;
    net->after_poll.data = net;
    net->handles = 3;
    net->held_ms = uv_now(net->loop);
    net->ticked_ms = net->held_ms;
    QKD_ASSERT(uv_timer_start(&net->tick, on_tick, net->tick_ms, net->tick_ms) == 0);
    QKD_ASSERT(uv_prepare_start(&net->before_poll, on_prepare) == 0);
    QKD_ASSERT(uv_check_start(&net->after_poll, on_check) == 0);
    for (size_t i = 0; i < net->peer_count; i++) {
        QKD_ASSERT(uv_timer_init(net->loop, &net->peers[i].again) == 0);
        net->peers[i].again.data = &net->peers[i];
        net->handles++;
    }
}

/* Handshakes begin at a limited rate; all peers may come at once, and again. */
static int door_open(struct emu_net *net, int fd, unsigned per_s, struct emu_why *why)
{
    per_s = or_default(per_s, HANDSHAKES_PER_S);
    struct emu_door_config door = {.loop = net->loop,
                                   .fd = fd,
                                   .per_s = per_s,
                                   .burst = BURST_S * per_s + 4 * (unsigned)net->peer_count,
                                   .queue = WAITING + (unsigned)net->peer_count,
                                   .wait_ms = net->times.handshake_ms,
                                   .enter = emu_net_accept,
                                   .ctx = net};
    int err = emu_door_open(&door, &net->door);
    net->port = err == QKD_OK ? emu_port_of(fd) : 0;
    return err == QKD_OK ? err : emu_fail(why, err, "cannot poll the socket for other daemons");
}

int emu_net_new(const struct emu_net_config *config, struct emu_net **out, struct emu_why *why)
{
    struct emu_net *net = calloc(1, sizeof *net);
    int fd = -1;
    if (net == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory for connections");
    }
    net->loop = config->loop;
    net->calls = config->calls;
    net->queue_bytes = or_default(config->queue_bytes, EMU_NET_QUEUE_BYTES);
    net->frame_bytes = or_default(config->frame_bytes, EMU_NET_FRAME_MAX);
    times_set(&net->times, &config->times);
    int err = peers_set(net, config, why);
    if (err == QKD_OK) {
        err = tls_set(net, config, why);
    }
    if (err == QKD_OK && config->listen[0] != '\0') {
        err = emu_listen(config->listen, &fd, why);
    }
    if (err == QKD_OK && fd >= 0) {
        err = door_open(net, fd, config->handshakes_per_s, why);
        if (err != QKD_OK) {
            (void)close(fd);
        }
    }
    if (err != QKD_OK) {
        emu_net_free(net);
        return err;
    }
    handles_start(net);
    *out = net;
    return QKD_OK;
}

static void on_closed(uv_handle_t *handle)
{
    emu_net_handle_gone(handle->data);
}

static void on_pause_closed(uv_handle_t *handle)
{
    const struct emu_peer *peer = handle->data;
    emu_net_handle_gone(peer->net);
}

void emu_net_stop(struct emu_net *net, void (*stopped)(void *ctx), void *ctx)
{
    if (net->stopping) {
        return;
    }
    emu_net_flush(net);
    net->stopping = true;
    net->stopped = stopped;
    net->stopped_ctx = ctx;
    for (struct emu_conn *conn = net->conns; conn != NULL; conn = conn->next) {
        emu_conn_close(conn);
    }
    for (size_t i = 0; i < net->peer_count; i++) {
        struct emu_peer *peer = &net->peers[i];
        if (peer->resolving) {
            (void)uv_cancel((uv_req_t *)&peer->lookup);
        }
        uv_close((uv_handle_t *)&peer->again, on_pause_closed);
    }
    uv_close((uv_handle_t *)&net->tick, on_closed);
    uv_close((uv_handle_t *)&net->before_poll, on_closed);
    uv_close((uv_handle_t *)&net->after_poll, on_closed);
    emu_door_close(net->door);
    net->door = NULL;
}

void emu_net_free(struct emu_net *net)
{
    if (net == NULL) {
        return;
    }
    QKD_ASSERT(net->handles == 0);
    for (size_t i = 0; i < net->peer_count; i++) {
        emu_bytes_fini(&net->peers[i].queue);
    }
    free(net->peers);
    emu_tls_context_free(net->tls);
    free(net);
}

int emu_net_dial(struct emu_net *net, size_t number, const char *address)
{
    QKD_ASSERT(number < net->peer_count);
    struct emu_peer *peer = &net->peers[number];
    int err = address == NULL ? QKD_OK : address_set(peer, address, NULL);
    if (err != QKD_OK || !peer->has_address || net->stopping) {
        return err != QKD_OK ? err : net->stopping ? QKD_ERR_STATE : QKD_ERR_UNKNOWN;
    }
    peer->wanted = true;
    if (address != NULL) { /* what failed at the old place says nothing about the new one */
        peer->pause_ms = net->times.pause_ms;
        (void)uv_timer_stop(&peer->again);
    }
    emu_peer_dial(peer);
    return QKD_OK;
}

/* ---- what is known ---- */

bool emu_net_is_up(const struct emu_net *net, size_t peer)
{
    QKD_ASSERT(peer < net->peer_count);
    return net->peers[peer].out != NULL && net->peers[peer].out->state == EMU_CONN_UP;
}

bool emu_net_is_heard(const struct emu_net *net, size_t peer)
{
    QKD_ASSERT(peer < net->peer_count);
    return net->peers[peer].in != NULL;
}

const struct emu_net_counters *emu_net_counters(const struct emu_net *net, size_t peer)
{
    QKD_ASSERT(peer < net->peer_count || peer == EMU_NET_NOBODY);
    return peer == EMU_NET_NOBODY ? &net->nobody : &net->peers[peer].counters;
}

size_t emu_net_waiting(const struct emu_net *net, size_t peer)
{
    QKD_ASSERT(peer < net->peer_count);
    return used(&net->peers[peer].queue);
}

unsigned emu_net_port(const struct emu_net *net)
{
    return net->port;
}
