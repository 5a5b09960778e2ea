/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: one dispatcher over events and messages; the concepts are in kma_*.c (kma_internal.h). */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <stdlib.h>
#include <string.h>

#define CHANNELS_PER_KMA 65536

/* ---- shared by the parts ---- */

struct wire_head kma_head(struct kma *kma, enum qkd_rp rp, uint64_t orig)
{
    return (struct wire_head){.rp = (uint8_t)rp,
                              .message_id = kma->message_id++,
                              .orig_message_id = orig,
                              .sender = kma->self};
}

void kma_send(const struct kma_step *s, enum qkd_rp rp, struct qkd_eid peer,
              const struct wire_bytes *message)
{
    struct chan_send send = {.rp = rp, .peer = peer, .message = message->at, .len = message->len};
    /* A full queue towards a silent peer drops: everything that matters is repeated. */
    (void)chan_send(s->kma->chan, s->event, &send, s->out);
}

struct kma_link *kma_link_of(struct kma *kma, struct qkd_eid peer)
{
    uint32_t index = qkd_map_get(&kma->link_by_peer, &peer.v);
    return index == QKD_MAP_NONE ? NULL : &kma->links[index];
}

void kma_report(const struct kma_step *s, struct qkd_report report)
{
    report.who = s->kma->self;
    qkd_out_report(s->out, &report);
}

/* ---- life ---- */

static void containers_init(struct kma *kma, const struct km_config *config)
{
    uint32_t n = config->request_limit;
    qkd_timers_init(&kma->timers, 8 * n + 4 * config->link_limit + 64);
    km_store_init(&kma->store, 65536 * config->link_limit, 4 * 65536 * config->link_limit);
    km_secbuf_init(&kma->bufs, 8 * n + KMA_WINDOW * config->link_limit);
    qkd_map_init(&kma->link_by_id, 4, config->link_limit, NULL);
    qkd_map_init(&kma->link_by_peer, 8, config->link_limit, NULL);
    qkd_slab_init(&kma->sessions, sizeof(struct kma_session), 16, n);
    qkd_slab_init(&kma->stored, sizeof(struct kma_stored), 16, config->key_limit);
    qkd_slab_init(&kma->flows, sizeof(struct kma_flow), 4, n);
    qkd_slab_init(&kma->needs, sizeof(struct kma_need), 16, n);
    qkd_slab_init(&kma->pieces, sizeof(struct kma_piece), 16, 4 * n);
    qkd_slab_init(&kma->holds, sizeof(struct kma_hold), 4, n);
    qkd_slab_init(&kma->sums, sizeof(struct kma_sum), 4, n);
    qkd_slab_init(&kma->groups, sizeof(struct kma_group), 4, n);
    qkd_slab_init(&kma->aheads, sizeof(struct kma_ahead), 4, n);
    qkd_slab_init(&kma->ahead_keys, sizeof(struct kma_ahead_key), 64, config->key_limit);
    qkd_slab_init(&kma->gathers, sizeof(struct kma_gather), 4, n);
    kma->waiting = kma->pooled = kma->fetched = (struct kma_list){QKD_SLAB_NONE, QKD_SLAB_NONE};
}

static void maps_init(struct kma *kma)
{
    uint8_t salt[16];
    uint32_t n = kma->config->request_limit;
    qkd_rng_bytes(&kma->rng, salt, sizeof salt);
    qkd_map_init(&kma->session_map, 8, n, salt);
    qkd_map_init(&kma->stored_map, 16, kma->config->key_limit, salt);
    qkd_map_init(&kma->flow_map, KMA_FLOW_KEY, n, salt);
    qkd_map_init(&kma->group_map, 8, n, salt);
    qkd_map_init(&kma->piece_map, 16, 4 * n, salt);
    qkd_map_init(&kma->need_map, 8, n, salt);
    qkd_map_init(&kma->route_map, 8, n, salt);
    kma_table_init(kma, salt);
    qkd_map_init(&kma->sum_map, 16, n, salt);
    qkd_map_init(&kma->ahead_map, 8, n, salt);
    qkd_map_init(&kma->gather_map, 16, n, salt);
    crypto_wipe(salt, sizeof salt);
}

int kma_new(const struct km_config *config, struct kma **to)
{
    struct kma *kma = calloc(1, sizeof *kma);
    if (kma == NULL) {
        return QKD_ERR_NOMEM;
    }
    kma->config = config;
    kma->self = qkd_eid_make(QKD_ROLE_KMA, 0, config->node);
    containers_init(kma, config);
    struct chan_config chan = {.self = kma->self,
                               .limit = CHANNELS_PER_KMA,
                               .retransmit = config->retransmit,
                               .off = config->measures_off,
                               .guard = config->guard};
    struct chan_reports_config reports = {.self = kma->self,
                                          .to = qkd_eid_sibling(kma->self, QKD_ROLE_KMC),
                                          .rp = QKD_RP_KMI,
                                          .period = config->status_period};
    int err = chan_set_new(&chan, &kma->chan);
    err = err == 0 ? chan_reports_init(&kma->reports, &reports) : err;
    if (err != 0) {
        kma_free(kma);
        return err;
    }
    *to = kma;
    return 0;
}

void kma_free(struct kma *kma)
{
    if (kma == NULL) {
        return;
    }
    for (uint32_t i = 0; i < kma->link_count; i++) {
        km_pool_fini(&kma->links[i].pool);
        free(kma->links[i].tx);
        kma_fallback_void(&kma->links[i]);
        free(kma->links[i].fallback);
        kma_share_free(&kma->links[i]);
        free(kma->links[i].confirm);
    }
    if (kma->links != NULL) {
        crypto_wipe(kma->links, kma->link_cap * sizeof *kma->links);
    }
    for (uint32_t i = 0; i < kma->flows.top; i++) {
        if (qkd_slab_live(&kma->flows, i)) {
            free(((struct kma_flow *)qkd_slab_at(&kma->flows, i))->route);
        }
    }
    kma_table_fini(kma);
    free(kma->links);
    free(kma->grants);
    free(kma->skips);
    km_store_fini(&kma->store);
    km_secbuf_fini(&kma->bufs);
    struct qkd_slab *slabs[] = {&kma->sessions, &kma->stored,     &kma->flows, &kma->needs,
                                &kma->pieces,   &kma->holds,      &kma->sums,  &kma->gathers,
                                &kma->aheads,   &kma->ahead_keys, &kma->groups};
    for (size_t i = 0; i < sizeof slabs / sizeof slabs[0]; i++) {
        qkd_slab_fini(slabs[i]);
    }
    struct qkd_map *maps[] = {&kma->link_by_id, &kma->link_by_peer, &kma->session_map,
                              &kma->stored_map, &kma->flow_map,     &kma->piece_map,
                              &kma->group_map,  &kma->need_map,     &kma->route_map,
                              &kma->sum_map,    &kma->gather_map,   &kma->ahead_map};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        qkd_map_fini(maps[i]);
    }
    qkd_timers_fini(&kma->timers);
    chan_reports_fini(&kma->reports);
    chan_set_free(kma->chan);
    qkd_rng_fini(&kma->rng);
    crypto_wipe(kma, sizeof *kma);
    free(kma);
}

/* ---- START and CONFIG ---- */

static int recover(const struct kma_step *s, const struct qkd_record *r)
{
    struct wire_p_block block;
    struct wire_p_chunk chunk;
    struct wire_p_frame frame;
    struct wire_grant_body grant;
    struct kma_link *link = r->key_len < 4 ? NULL : kma_link_make(s, wire_get_u32(r->key));
    if (link == NULL) {
        return QKD_ERR_FORMAT;
    }
    switch (r->kind) {
    case WIRE_PERSIST_BLOCK:
        return wire_p_block_decode(&block, r->value, r->value_len) > 0
                   ? km_pool_recover_block(&link->pool, &block, s->event->now)
                   : QKD_ERR_FORMAT;
    case WIRE_PERSIST_CHUNK:
        return wire_p_chunk_decode(&chunk, r->value, r->value_len) > 0
                   ? km_pool_recover_chunk(&link->pool, &chunk, s->out)
                   : QKD_ERR_FORMAT;
    case WIRE_PERSIST_FRAME:
        if (wire_p_frame_decode(&frame, r->value, r->value_len) <= 0) {
            return QKD_ERR_FORMAT;
        }
        if (frame.block == KMA_BOOT_MARK) {
            link->booted = true;
        } else if (wire_grant_body_decode(&grant, frame.frame.at, frame.frame.len) > 0) {
            kma_grant_pend(s, link, &grant);
        }
        return 0;
    default:
        return QKD_ERR_FORMAT;
    }
}

static int start(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    const struct qkd_event *event = s->event;
    if (kma->started) {
        return QKD_ERR_STATE;
    }
    kma->incarnation = event->u.start.incarnation;
    kma->replaced = event->u.start.replaced && !QKDN_MUTANT(BOOT_AGAIN);
    kma->message_id = ((uint64_t)kma->incarnation << 40) + 1;
    qkd_rng_init(&kma->rng, event->u.start.seed);
    maps_init(kma);
    chan_set_start(kma->chan, kma->incarnation, &kma->rng);
    chan_reports_start(&kma->reports, kma->chan, &kma->message_id);
    for (size_t i = 0; i < event->u.start.count; i++) {
        int err = recover(s, &event->u.start.records[i]);
        if (err != 0) {
            return err;
        }
    }
    for (uint32_t i = 0; i < kma->link_count; i++) {
        km_pool_recovered(&kma->links[i].pool, s->out);
    }
    kma->started = true;
    (void)qkd_timers_set(&kma->timers, kma_after(s, kma->config->status_period),
                         kma_tag(KMA_TIMER_TICK, 0));
    (void)chan_open(kma->chan, event, QKD_RP_KMI, qkd_eid_sibling(kma->self, QKD_ROLE_KMC), s->out);
    return 0;
}

static int configure(const struct kma_step *s)
{
    const uint8_t *bytes = s->event->u.config.bytes;
    size_t len = s->event->u.config.len;
    struct wire_head head;
    struct wire_cfg_peer peer;
    struct wire_cfg_link link;
    int err = wire_head_decode(&head, bytes, len);
    if (err != 0) {
        return err;
    }
    switch (head.command) {
    case WIRE_CMD_CFG_PEER:
        err = wire_cfg_peer_decode(&peer, bytes, len);
        return err != 0 ? err
                        : chan_provision(s->kma->chan, s->event, (enum qkd_rp)peer.rp, peer.peer,
                                         peer.secret.b, s->out);
    case WIRE_CMD_CFG_LINK:
        err = wire_cfg_link_decode(&link, bytes, len);
        return err != 0 ? err : kma_link_configure(s, &link);
    default:
        return 0; /* for another part */
    }
}

/* ---- RECV ---- */

static void heard(const struct kma_step *s, struct qkd_eid peer)
{
    struct kma_link *link = kma_link_of(s->kma, peer);
    if (link != NULL) {
        link->heard = s->event->now;
    }
}

/* Decodes into a local of the message's type and calls its handler. */
#define KMA_CASE(NAME, name, call)                                                                 \
    case WIRE_CMD_##NAME: {                                                                        \
        struct wire_##name msg;                                                                    \
        if (wire_##name##_decode(&msg, m->bytes, m->len) == 0) {                                   \
            call;                                                                                  \
            return true;                                                                           \
        }                                                                                          \
        return false;                                                                              \
    }

static bool on_kx1(const struct kma_step *s, const struct chan_message *m, uint8_t command)
{
    switch (command) {
        KMA_CASE(HELLO, hello, kma_link_hello(s, m->peer, &msg))
        KMA_CASE(SESSION, session, kma_session_command(s, m->peer, &msg))
        KMA_CASE(SESSION_RSP, session_rsp, kma_flow_session(s, m->peer, &msg))
        KMA_CASE(UPDATE, update, kma_session_update(s, m->peer, &msg))
        KMA_CASE(LINK_STATE, link_state, kma_state_receive(s, m->peer, &msg))
        KMA_CASE(RELAY_DONE, relay_done, kma_piece_done(s, m->peer, &msg))
        KMA_CASE(RELAY_SUM, relay_sum, kma_sum_receive(s, m->peer, &msg))
        KMA_CASE(RELAY_SUM_ACK, relay_sum_ack, kma_sum_acked(s, m->peer, &msg))
        KMA_CASE(HOP_ACK, hop_ack, kma_frame_acked(s, m->peer, &msg))
        KMA_CASE(GRANT_REQUEST, grant_request, kma_grant_request(s, m->peer, &msg))
    default:
        return false;
    }
}

static bool on_kmi(const struct kma_step *s, const struct chan_message *m, uint8_t command)
{
    bool from_ksa = qkd_eid_role(m->peer) == QKD_ROLE_KSA;
    bool from_kmc = qkd_eid_role(m->peer) == QKD_ROLE_KMC;
    if (from_ksa) {
        switch (command) {
            KMA_CASE(KMI_NEED, kmi_need, kma_need_receive(s, &msg))
            KMA_CASE(KMI_FETCH, kmi_fetch, kma_fetch(s, &msg))
            KMA_CASE(KMI_DROP, kmi_drop, kma_drop(s, &msg))
        default:
            return false;
        }
    }
    switch (command) {
        KMA_CASE(ROUTE_RSP, route_rsp, kma_flow_route(s, &msg))
        KMA_CASE(ROUTE_TABLE, route_table, kma_table_receive(s, &msg))
        KMA_CASE(LINK_STATE, link_state, kma_state_tell(s, &msg))
    default:
        return from_kmc && command == WIRE_CMD_GENERATION_RSP; /* nothing to do */
    }
}

static bool on_kq1(const struct kma_step *s, const struct chan_message *m, uint8_t command)
{
    switch (command) {
        KMA_CASE(KEY_FILE, key_file, kma_file_receive(s, m->peer, &msg))
    default:
        return false;
    }
}

static void on_data(const struct kma_step *s, const struct chan_message *m)
{
    struct wire_head head;
    bool good = false;
    if (m->rp == QKD_RP_KX1) {
        heard(s, m->peer);
        if (m->len > 1 && m->bytes[0] == WIRE_FRAME_MAGIC) {
            if (m->bytes[1] != WIRE_FRAME_RELAY) {
                kma_frame_receive(s, m->peer, m->bytes, m->len);
                return;
            }
        }
    }
    if (wire_head_decode(&head, m->bytes, m->len) == 0 && qkd_eid_eq(head.sender, m->peer)) {
        good = m->rp == QKD_RP_KX1   ? on_kx1(s, m, head.command)
               : m->rp == QKD_RP_KMI ? on_kmi(s, m, head.command)
               : m->rp == QKD_RP_KQ1 ? on_kq1(s, m, head.command)
                                     : false;
    }
    if (!good) { /* GM-03: unknown or malformed: no state change */
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                          .peer = m->peer,
                                          .a = m->rp,
                                          .b = -QKD_ERR_FORMAT});
    }
}

static void receive(const struct kma_step *s)
{
    const struct qkd_event *event = s->event;
    struct chan_message m;
    bool frame = event->u.recv.rp == QKD_RP_KX1 && event->u.recv.len > 1 &&
                 event->u.recv.bytes[0] == WIRE_FRAME_MAGIC;
    if (frame) {
        if (event->u.recv.bytes[1] == WIRE_FRAME_RELAY) {
            kma_frame_receive(s, event->u.recv.from, event->u.recv.bytes, event->u.recv.len);
        } else {
            kma_frame_refuse(s, event->u.recv.from, QKD_ERR_DENIED);
        }
        return;
    }
    switch (chan_receive(s->kma->chan, event, s->out, &m)) {
    case CHAN_UP:
        if (m.rp == QKD_RP_KX1) {
            kma_link_channel_up(s, m.peer);
            kma_flow_channel_up(s, m.peer);
            kma_ahead_peer(s, m.peer, m.peer_incarnation);
        }
        break;
    case CHAN_DATA:
        on_data(s, &m);
        break;
    default:
        chan_report_channels(&s->kma->reports, event, s->out);
        break;
    }
}

/* ---- TIMEOUT ---- */

static void tick(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    (void)qkd_timers_set(&kma->timers, kma_after(s, kma->config->status_period),
                         kma_tag(KMA_TIMER_TICK, 0));
    kma_link_tick(s);
    kma_session_sweep(s);
    kma_stored_sweep(s);
    kma_gather_sweep(s);
    kma_source_again(s);
    kma_ahead_tick(s);
}

static void timer_fired(const struct kma_step *s, uint64_t tag)
{
    uint32_t index = (uint32_t)tag;
    switch ((enum kma_timer_kind)(tag >> 56)) {
    case KMA_TIMER_TICK:
        tick(s);
        break;
    case KMA_TIMER_ACK:
        s->kma->links[index].ack_timer = QKD_TIMER_NONE;
        if (s->kma->links[index].ack_due > 0) {
            kma_frame_ack_now(s, &s->kma->links[index]);
        }
        break;
    case KMA_TIMER_RTO:
        s->kma->links[index].rto_timer = QKD_TIMER_NONE;
        kma_frame_repeat(s, &s->kma->links[index]);
        break;
    case KMA_TIMER_NEED:
        kma_need_timeout(s, index);
        break;
    case KMA_TIMER_FLOW:
        kma_flow_timeout(s, index);
        break;
    case KMA_TIMER_PIECE:
        kma_piece_timeout(s, index);
        break;
    case KMA_TIMER_HOLD:
        kma_hold_timeout(s, index);
        break;
    case KMA_TIMER_SUM:
        kma_sum_timeout(s, index);
        break;
    }
}

static void timeout(const struct kma_step *s)
{
    uint64_t tag;
    while (qkd_timers_pop(&s->kma->timers, s->event->now, &tag)) {
        timer_fired(s, tag);
    }
    chan_timeout(s->kma->chan, s->event, s->out);
    chan_reports_timeout(&s->kma->reports, s->event, s->out);
}

int kma_step(struct kma *kma, const struct qkd_event *event, struct qkd_out *out)
{
    struct kma_step s = {.kma = kma, .event = event, .out = out};
    int err = 0;
    if (event->type == QKD_EV_START) {
        err = start(&s);
    } else if (!kma->started) {
        err = QKD_ERR_STATE;
    } else {
        switch (event->type) {
        case QKD_EV_RECV:
            receive(&s);
            break;
        case QKD_EV_TIMEOUT:
            timeout(&s);
            break;
        case QKD_EV_CONFIG:
            err = configure(&s);
            break;
        default: /* PEER is a hint: HELLO and its silence decide */
            break;
        }
    }
    return out->failed ? QKD_ERR_NOMEM : err;
}

struct qkd_time kma_deadline(const struct kma *kma)
{
    struct qkd_time at = qkd_timers_next(&kma->timers);
    at = qkd_time_min(at, chan_deadline(kma->chan));
    return qkd_time_min(at, chan_reports_deadline(&kma->reports));
}
