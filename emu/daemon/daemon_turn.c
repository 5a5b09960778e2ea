/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A turn of the loop: what came in is stepped as it comes; before the loop sleeps again, one commit,
 * then everything leaves (emu/daemon/hosted.h). Frame between daemons: u8 reference point, u64 from, u64 to
 * (element IDs, big-endian), then the element's bytes. */
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "emu/daemon/daemon_state.h"
#include "host/unit.h"

enum {
    FRAME_HEAD = 17,
    RETRY_MS = 200,      /* until a refused commit is tried again: at first, then twice as long, */
    RETRY_MAX_MS = 2000, /* up to this: each try seals and writes all that waits */
    TELL_S = 10,         /* between lines of the log about it */
    STRANGERS_TOLD = 10  /* faulty connections of strangers that the log hears of in that time */
};

/* Whether a fault of the scenario takes the frame; looked at where it departs and where it arrives. */
static bool is_cut(struct emu_daemon *daemon, enum qkd_rp rp, struct qkd_eid from,
                   struct qkd_eid to)
{
    struct qkd_time now = {emu_now().ns - daemon->zero_ns};
    const struct qkd_eid ends[2] = {from, to};
    bool cut = daemon->cuts != NULL && emu_faults_take(daemon->cuts, now, rp, ends);
    daemon->figures.cut += cut ? 1 : 0;
    return cut;
}

/* ---- in ---- */

static void on_recv(void *ctx, size_t peer, const uint8_t *bytes, size_t len)
{
    struct emu_daemon *daemon = ctx;
    if (len < FRAME_HEAD || bytes[0] == QKD_RP_NONE || bytes[0] >= QKD_RP_COUNT) {
        daemon->figures.malformed++;
        return;
    }
    struct host_message message = {.rp = (enum qkd_rp)bytes[0],
                                   .from = {wire_get_u64(bytes + 1)},
                                   .to = {wire_get_u64(bytes + 9)},
                                   .bytes = bytes + FRAME_HEAD,
                                   .len = len - FRAME_HEAD};
    /* What no other daemon says: optics, load and SAEs stand beside their element. */
    bool inner = message.rp == QKD_RP_Q || message.rp == QKD_RP_LOAD || message.rp == QKD_RP_SAE;
    if (inner || emu_place_of(daemon->plan, message.from) != daemon->config->peers[peer].number) {
        daemon->figures.spoofed++;
        return;
    }
    if (is_cut(daemon, message.rp, message.from, message.to)) {
        return;
    }
    int rc = emu_hosted_recv(daemon->hosted, &message);
    emu_daemon_fail(daemon, rc == QKD_ERR_AGAIN ? 0 : rc, "message");
}

static void on_up(void *ctx, size_t peer, bool up)
{
    struct emu_daemon *daemon = ctx;
    struct emu_log_field fields[] = {emu_log_text("peer", daemon->config->peers[peer].name)};
    emu_log(daemon->log, EMU_LOG_INFO, up ? "connected" : "disconnected", fields, 1);
    for (uint32_t i = 0; i < daemon->plan->unit_count && daemon->hosted != NULL; i++) {
        struct qkd_eid eids[3];
        uint32_t parts[3];
        uint32_t count = host_unit_elements(daemon->plan, &daemon->plan->units[i], eids, parts);
        bool there = count > 0 &&
                     emu_place_of(daemon->plan, eids[0]) == daemon->config->peers[peer].number;
        for (uint32_t e = 0; e < count && there; e++) {
            int rc = emu_hosted_peer(daemon->hosted, eids[e], up);
            emu_daemon_fail(daemon, rc == QKD_ERR_AGAIN ? 0 : rc, "connection");
        }
    }
}

/* Anybody can make as many faulty connections as he likes: the log hears of the first few in a while.
 * false: not of this one; else the field says how many were passed over. */
static bool stranger_told(struct emu_daemon *daemon, struct emu_log_field *passed_over)
{
    struct qkd_time now = emu_now();
    if (qkd_time_sub(now, daemon->strangers_since).ns >= TELL_S * QKD_NS_PER_S) {
        daemon->strangers_since = now;
        *passed_over = emu_log_uint("not_told", daemon->strangers_passed);
        daemon->strangers_told = daemon->strangers_passed = 0;
    }
    if (daemon->strangers_told == STRANGERS_TOLD) {
        daemon->strangers_passed++;
        return false;
    }
    daemon->strangers_told++;
    return true;
}

static void on_fault(void *ctx, size_t peer, enum emu_net_fault fault, const char *text)
{
    struct emu_daemon *daemon = ctx;
    const char *name = peer == EMU_NET_NOBODY ? "(unknown)" : daemon->config->peers[peer].name;
    struct emu_log_field fields[] = {emu_log_text("peer", name),
                                     emu_log_text("fault", emu_net_fault_text(fault)),
                                     emu_log_text("text", text), emu_log_uint("not_told", 0)};
    if (peer == EMU_NET_NOBODY && !stranger_told(daemon, &fields[3])) {
        return;
    }
    bool usual = fault == EMU_NET_FAULT_CONNECT || fault == EMU_NET_FAULT_CLOSED ||
                 fault == EMU_NET_FAULT_REPLACED;
    emu_log(daemon->log, usual ? EMU_LOG_DEBUG : EMU_LOG_WARN, "connection_fault", fields, 4);
}

/* ---- out ---- */

static void frame_send(struct emu_daemon *daemon, const struct qkd_send *send, const uint8_t *bytes)
{
    uint32_t place = emu_place_of(daemon->plan, send->to);
    if (place == EMU_NOWHERE || daemon->peer_of[place] == EMU_NOWHERE) {
        return; /* nobody there, as far as this daemon was told */
    }
    if (is_cut(daemon, send->rp, send->from, send->to)) {
        return;
    }
    uint8_t head[FRAME_HEAD] = {(uint8_t)send->rp};
    wire_put_u64(head + 1, send->from.v);
    wire_put_u64(head + 9, send->to.v);
    struct emu_net_part parts[2] = {{head, sizeof(head)}, {bytes, send->bytes.len}};
    (void)emu_net_send(daemon->net, daemon->peer_of[place], parts, 2); /* lost: counted there */
}

static void on_send(void *ctx, const struct qkd_send *send, const uint8_t *bytes)
{
    struct emu_daemon *daemon = ctx;
    if (send->rp == QKD_RP_Q) {
        emu_drive_control(daemon, send, bytes);
    } else if (send->rp == QKD_RP_SAE) {
        if (daemon->sae != NULL) {
            emu_sae_answer(daemon->sae, bytes, send->bytes.len);
        }
    } else {
        frame_send(daemon, send, bytes);
    }
}

static void on_report(void *ctx, const struct qkd_report *report, const uint8_t *bytes)
{
    (void)bytes;
    emu_status_report(ctx, report);
}

/* The daemon that hosts an element. */
static bool peer_name(const struct emu_daemon *daemon, struct qkd_eid element,
                      char name[EMU_PLACE_NAME_SIZE])
{
    uint32_t place = emu_place_of(daemon->plan, element);
    if (place != EMU_NOWHERE) {
        emu_place_name(daemon->config->scenario, place, name);
    }
    return place != EMU_NOWHERE;
}

static bool on_secret(void *ctx, enum qkd_rp rp, const struct qkd_eid sides[2], uint8_t secret[32])
{
    const struct emu_daemon *daemon = ctx;
    struct emu_secrets_ends ends = {rp, sides[0], sides[1]};
    char peer[EMU_PLACE_NAME_SIZE];
    return peer_name(daemon, sides[1], peer) &&
           emu_secrets_pair(daemon->secrets, peer, &ends, secret) == 0;
}

static void on_bootstrap(void *ctx, uint32_t link, uint8_t *to, size_t len)
{
    const struct emu_daemon *daemon = ctx;
    const struct scn_link *of = &daemon->config->scenario->links[link];
    uint32_t far = of->a == daemon->config->index ? of->b : of->a;
    char peer[EMU_PLACE_NAME_SIZE];
    memset(to, 0, len);
    if (peer_name(daemon, qkd_eid_make(QKD_ROLE_KMA, 0, far), peer)) {
        (void)emu_secrets_bootstrap(daemon->secrets, peer, of->id, to, len);
    }
}

static void on_committed(void *ctx, struct qkd_span took)
{
    const struct emu_daemon *daemon = ctx;
    emu_gauges_commit(daemon->gauges, took);
}

/* ---- the turn ---- */

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* the turn's end does the work */
}

/* Sleeps until `at` (emu_now()), at least a millisecond if anything is due at all. */
static void timer_set(struct emu_daemon *daemon, struct qkd_time at)
{
    uint64_t wait_ms = UINT64_MAX;
    if (at.ns != QKD_NEVER.ns) {
        int64_t wait_ns = at.ns - emu_now().ns;
        wait_ms = wait_ns <= 0 ? 1 : (uint64_t)(wait_ns + QKD_NS_PER_MS - 1) / QKD_NS_PER_MS;
    }
    if (wait_ms == UINT64_MAX) {
        (void)uv_timer_stop(&daemon->timer);
        return;
    }
    uv_update_time(&daemon->loop);
    (void)uv_timer_start(&daemon->timer, on_timer, wait_ms, 0);
}

/* The store refused a commit: waits, tells, and tries again later. */
static void refused(struct emu_daemon *daemon, const struct emu_why *why)
{
    struct qkd_time now = emu_now();
    uint32_t doubled = daemon->refusals < 4 ? (uint32_t)daemon->refusals : 4;
    int64_t wait_ms = (int64_t)RETRY_MS << doubled;
    wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
    daemon->refused_until = qkd_time_add(now, qkd_span_ms(wait_ms));
    daemon->refusal = *why;
    daemon->figures.refused++;
    if (daemon->refusals++ == 0 ||
        qkd_time_sub(now, daemon->refusal_told).ns >= TELL_S * QKD_NS_PER_S) {
        struct emu_log_field fields[] = {emu_log_text("why", why->text),
                                         emu_log_uint("refusals", daemon->refusals)};
        emu_log(daemon->log, EMU_LOG_ERROR, "commit_refused", fields, 2);
        daemon->refusal_told = now;
    }
}

/* Commits and executes, unless the store refused so lately that it is left alone. */
static void settle(struct emu_daemon *daemon)
{
    if (daemon->error != 0 ||
        (daemon->refusals > 0 && qkd_time_before(emu_now(), daemon->refused_until))) {
        return;
    }
    struct emu_why why = {.text = ""};
    int rc = emu_hosted_settle(daemon->hosted, &why);
    if (rc == QKD_ERR_AGAIN) {
        refused(daemon, &why);
        return;
    }
    if (rc == 0 && daemon->refusals > 0) {
        struct emu_log_field fields[] = {emu_log_uint("refusals", daemon->refusals)};
        emu_log(daemon->log, EMU_LOG_INFO, "commit_accepted", fields, 1);
        daemon->refusals = 0;
    }
    emu_daemon_fail(daemon, rc, why.text[0] != '\0' ? why.text : "commit");
}

static void on_turn(uv_prepare_t *turn)
{
    struct emu_daemon *daemon = turn->data;
    if (daemon->stopping) {
        return;
    }
    emu_drive_tick(daemon);
    int rc = emu_hosted_tick(daemon->hosted);
    emu_daemon_fail(daemon, rc == QKD_ERR_AGAIN ? 0 : rc, "time-out");
    settle(daemon);
    if (daemon->sae != NULL) {
        emu_daemon_fail(daemon, emu_sae_error(daemon->sae), "question of an SAE");
    }
    emu_net_flush(daemon->net);
    if (!daemon->stopping) {
        struct qkd_time at = qkd_time_min(emu_hosted_deadline(daemon->hosted),
                                          emu_drive_deadline(daemon));
        timer_set(daemon, daemon->refusals > 0 ? qkd_time_min(at, daemon->refused_until) : at);
    }
}

/* ---- start and stop ---- */

static int net_start(struct emu_daemon *daemon, struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    struct emu_net_peer *peers = calloc(config->peer_count + 1, sizeof(*peers));
    if (peers == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < config->peer_count; i++) {
        peers[i] = (struct emu_net_peer){config->peers[i].name, config->peers[i].address};
        daemon->peer_of[config->peers[i].number] = (uint32_t)i;
    }
    struct emu_net_config net = {
        .loop = &daemon->loop,
        .name = config->daemon,
        .listen = config->listen,
        .files = {config->certificates.authority, config->certificates.certificate,
                  config->certificates.key, false},
        .peers = peers,
        .peer_count = config->peer_count,
        .calls = {daemon, on_recv, on_up, on_fault},
    };
    int rc = emu_net_new(&net, &daemon->net, why);
    free(peers);
    return rc;
}

int emu_turn_start(struct emu_daemon *daemon, struct emu_why *why)
{
    uint32_t places = emu_place_count(daemon->config->scenario);
    daemon->peer_of = malloc(places * sizeof(*daemon->peer_of));
    if (daemon->peer_of == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < places; i++) {
        daemon->peer_of[i] = EMU_NOWHERE;
    }
    int rc = net_start(daemon, why);
    if (rc != 0) {
        return rc;
    }
    struct emu_hosted_config hosted = {
        .plan = daemon->plan,
        .units = daemon->units,
        .unit_count = daemon->unit_count,
        .store = daemon->store,
        .flight = daemon->flight,
        .calls = {daemon, on_send, on_report, on_secret, on_bootstrap, on_committed},
    };
    rc = emu_hosted_new(&hosted, &daemon->hosted);
    if (rc != 0) {
        return emu_fail(why, rc, "out of memory");
    }
    QKD_ASSERT(uv_timer_init(&daemon->loop, &daemon->timer) == 0);
    QKD_ASSERT(uv_prepare_init(&daemon->loop, &daemon->turn) == 0);
    daemon->turn.data = daemon;
    return uv_prepare_start(&daemon->turn, on_turn) == 0 ? 0 : QKD_ERR_IO;
}

void emu_turn_stop(struct emu_daemon *daemon)
{
    if (daemon->turn.data != NULL) {
        uv_close((uv_handle_t *)&daemon->turn, NULL);
        uv_close((uv_handle_t *)&daemon->timer, NULL);
    }
}
