/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key supply agent: its life and its events; what it does is in the files that ksa_element.h
 * lists. A step switches on the event, a received message on its reference point and command. */
#include "core/km/ksa.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"

static bool config_good(const struct km_config *config)
{
    return config->unit_bits >= KSA_KEY_BITS_LEAST && config->unit_bits <= KSA_KEY_BITS_MOST &&
           config->unit_bits % 8 == 0 && config->retransmit.ns > 0 && config->fetch_within.ns > 0 &&
           config->expiry.ns > 0 && config->status_period.ns > 0 && config->request_limit > 0 &&
           config->key_limit > 0 && config->request_limit < UINT32_C(1) << KSA_SLOT_BITS &&
           config->key_limit < UINT32_C(1) << KSA_SLOT_BITS && config->retries < UINT8_MAX;
}

int ksa_new(const struct km_config *config, struct ksa **ksa)
{
    *ksa = NULL;
    if (!config_good(config)) {
        return QKD_ERR_INVALID;
    }
    struct ksa *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    made->config = config;
    made->self = qkd_eid_make(QKD_ROLE_KSA, 0, config->node);
    made->kma = qkd_eid_sibling(made->self, QKD_ROLE_KMA);
    made->kmc = qkd_eid_sibling(made->self, QKD_ROLE_KMC);
    ksa_store_init(made, (const uint8_t[16]){0});
    struct chan_config chans = {.self = made->self,
                                .limit = KSA_CHANNELS,
                                .retransmit = config->retransmit,
                                .off = config->measures_off,
                                .guard = config->guard};
    struct chan_reports_config reports = {
        .self = made->self, .to = made->kmc, .rp = QKD_RP_KMI, .period = config->status_period};
    int err = chan_set_new(&chans, &made->chans);
    if (err == QKD_OK) {
        err = chan_reports_init(&made->reports, &reports);
    }
    if (err != QKD_OK) {
        ksa_free(made);
        return err;
    }
    *ksa = made;
    return QKD_OK;
}

void ksa_free(struct ksa *ksa)
{
    if (ksa == NULL) {
        return;
    }
    chan_reports_fini(&ksa->reports);
    chan_set_free(ksa->chans);
    ksa_store_fini(ksa);
    qkd_rng_fini(&ksa->rng);
    free(ksa->rules);
    free(ksa);
}

/* ---- sending ---- */

struct wire_head ksa_head(struct ksa *ksa, enum qkd_rp rp, uint64_t orig)
{
    return (struct wire_head){.rp = (uint8_t)rp,
                              .message_id = ksa->next_message_id++,
                              .orig_message_id = orig,
                              .sender = ksa->self};
}

int ksa_send(struct ksa *ksa, const struct qkd_event *event, const struct ksa_to *to, int len,
             struct qkd_out *out)
{
    if (len < 0) {
        return len;
    }
    struct chan_send send = {to->rp, to->peer, to->bytes, (size_t)len, to->flags};
    return chan_send(ksa->chans, event, &send, out);
}

void ksa_bad_bytes(const struct ksa *ksa, const struct chan_message *message, int err,
                   struct qkd_out *out)
{
    qkd_out_report(out, &(struct qkd_report){.code = QKD_REPORT_BAD_BYTES,
                                             .who = ksa->self,
                                             .peer = message->peer,
                                             .a = message->rp,
                                             .b = (uint64_t)-err});
}

/* ---- events ---- */

static int on_start(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    uint8_t salt[16];
    ksa->started = true;
    ksa->next_message_id = ((uint64_t)event->u.start.incarnation << 40) + 1;
    qkd_rng_init(&ksa->rng, event->u.start.seed);
    qkd_rng_bytes(&ksa->rng, salt, sizeof salt);
    ksa_store_init(ksa, salt); /* nothing is in it yet */
    chan_set_start(ksa->chans, event->u.start.incarnation, &ksa->rng);
    chan_reports_start(&ksa->reports, ksa->chans, &ksa->next_message_id);
    ksa->account_at = QKD_NEVER;
    int err = ksa_restore(ksa, event, out);
    if (err == QKD_OK) {
        (void)chan_open(ksa->chans, event, QKD_RP_KMI, ksa->kma, out);
        (void)chan_open(ksa->chans, event, QKD_RP_KMI, ksa->kmc, out);
    }
    return err;
}

static int on_config(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    const uint8_t *bytes = event->u.config.bytes;
    size_t len = event->u.config.len;
    struct wire_head head;
    int err = wire_head_decode(&head, bytes, len);
    if (err != QKD_OK) {
        return err;
    }
    switch (head.command) {
    case WIRE_CMD_CFG_PEER: {
        struct wire_cfg_peer peer;
        err = wire_cfg_peer_decode(&peer, bytes, len);
        if (err == QKD_OK) {
            err = chan_provision(ksa->chans, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b,
                                 out);
        }
        crypto_wipe(&peer, sizeof peer);
        return err;
    }
    case WIRE_CMD_CFG_APP: {
        struct wire_cfg_app app;
        err = wire_cfg_app_decode(&app, bytes, len);
        return err == QKD_OK ? ksa_directory_put(ksa, &app) : err;
    }
    case WIRE_CMD_CFG_ACCESS: {
        struct wire_cfg_access access;
        err = wire_cfg_access_decode(&access, bytes, len);
        return err == QKD_OK ? ksa_access_put(ksa, &access) : err;
    }
    case WIRE_CMD_CFG_SERVES: {
        struct wire_cfg_serves serves;
        err = wire_cfg_serves_decode(&serves, bytes, len);
        return err == QKD_OK ? ksa_address_configure(ksa, event, &serves, out) : err;
    }
    default:
        return QKD_OK; /* not for KSAs */
    }
}

/* The slot of the own command that a message answers (D23-GM-01). */
static uint32_t outstanding(const struct ksa *ksa, uint64_t message_id)
{
    return qkd_map_get(&ksa->outstanding, &message_id);
}

/* Table 7-1 group 2 of a KMA-key: the mandatory items, and what is there says what came (MD-T1). */
static bool metadata_good(const struct wire_kmi_supply *supply)
{
    struct wire_key_metadata m;
    return supply->has_metadata &&
           wire_key_metadata_decode(&m, supply->metadata.at, supply->metadata.len) > 0 &&
           m.has_kma_key_id && qkd_id_eq(&m.kma_key_id, &supply->key_id) && m.has_matching_kma_id &&
           qkd_eid_role(m.matching_kma_id) == QKD_ROLE_KMA &&
           (!m.has_key_length || m.key_length == supply->key_size);
}

static void on_kmi(struct ksa *ksa, const struct qkd_event *event,
                   const struct chan_message *message, struct qkd_out *out)
{
    struct wire_kmi_supply supply;
    if (!qkd_eid_eq(message->peer, ksa->kma)) {
        if (!ksa_on_stock(ksa, event, message, out) && !ksa_on_resolved(ksa, event, message, out)) {
            ksa_on_kmc(ksa, event, message, out);
        }
        return;
    }
    int err = wire_kmi_supply_decode(&supply, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    if (supply.code == WIRE_SUCCESS && supply.has_key_data && !metadata_good(&supply)) {
        ksa_bad_bytes(ksa, message, QKD_ERR_FORMAT, out);
        supply.code = WIRE_INSUFFICIENT;
        supply.reason = WIRE_REASON_RELAY_FAILED;
    }
    uint32_t slot = outstanding(ksa, supply.head.orig_message_id);
    if (slot != QKD_MAP_NONE && (slot & KSA_COMMAND_NEED) != 0) {
        ksa_piece_arrived(ksa, event, slot & ~KSA_COMMAND_NEED, &supply, out);
    } else if (slot != QKD_MAP_NONE && (slot & KSA_COMMAND_OF_REQUEST) == 0 &&
               ksa_batch_at(ksa, slot)->phase == KSA_FETCHING) {
        ksa_key_fetched(ksa, event, slot, &supply, out);
    }
    crypto_wipe(&supply, sizeof supply); /* the compare key is used once */
}

static void on_notify_rsp(struct ksa *ksa, const struct qkd_event *event,
                          const struct chan_message *message, struct qkd_out *out)
{
    struct wire_supply_notify_rsp answer;
    int err = wire_supply_notify_rsp_decode(&answer, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    uint32_t slot = outstanding(ksa, answer.head.orig_message_id);
    if (slot == QKD_MAP_NONE || (slot & KSA_COMMAND_OF_REQUEST) != 0) {
        return;
    }
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    if (batch->phase == KSA_COMPARING &&
        qkd_eid_eq(message->peer, qkd_eid_sibling(batch->target_app, QKD_ROLE_KSA))) {
        ksa_notify_answered(ksa, event, slot, &answer, out);
    }
}

static void on_kx2(struct ksa *ksa, const struct qkd_event *event,
                   const struct chan_message *message, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    switch (head.command) {
    case WIRE_CMD_SUPPLY_NOTIFY:
        ksa_on_notify(ksa, event, message, out);
        break;
    case WIRE_CMD_SUPPLY_NOTIFY_RSP:
        on_notify_rsp(ksa, event, message, out);
        break;
    default:
        if (head.orig_message_id == 0) { /* D23-GM-03 */
            struct wire_supply_notify_rsp answer = {.head = ksa_head(ksa, QKD_RP_KX2,
                                                                     head.message_id),
                                                    .reason = WIRE_REASON_BAD_REQUEST};
            struct ksa_to to = {QKD_RP_KX2, message->peer, 0, NULL};
            (void)KSA_SEND(ksa, event, to, supply_notify_rsp, &answer, out);
        }
    }
}

static void on_message(struct ksa *ksa, const struct qkd_event *event,
                       const struct chan_message *message, struct qkd_out *out)
{
    switch (message->rp) {
    case QKD_RP_AK:
        ksa_on_application(ksa, event, message, out);
        break;
    case QKD_RP_KMI:
        on_kmi(ksa, event, message, out);
        break;
    case QKD_RP_KX2:
        on_kx2(ksa, event, message, out);
        break;
    default:
        break;
    }
}

static void on_timer(struct ksa *ksa, const struct qkd_event *event, uint64_t tag,
                     struct qkd_out *out)
{
    uint32_t slot = (uint32_t)tag;
    if (tag >> 32 == KSA_TIMER_STATUS) {
        ksa_status_timeout(ksa, event, slot, out);
        return;
    }
    if (tag >> 32 == KSA_TIMER_RESOLVE) {
        ksa_resolve_timeout(ksa, event, slot, out);
        return;
    }
    if (tag >> 32 == KSA_TIMER_REQUEST) {
        ksa_request_timeout(ksa, event, slot, out);
        return;
    }
    if (tag >> 32 == KSA_TIMER_SESSION) {
        ksa_session_timeout(ksa, event, slot, out);
        return;
    }
    struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    batch->timer = QKD_TIMER_NONE;
    switch ((enum ksa_phase)batch->phase) {
    case KSA_COMPARING:
        ksa_notify_timeout(ksa, event, slot, out);
        break;
    case KSA_FETCHING:
        ksa_fetch_timeout(ksa, event, slot, out);
        break;
    case KSA_HELD:
        ksa_batch_expire(ksa, event, slot, out);
        break;
    case KSA_COLLECTED:
        break; /* the request's own timer runs */
    }
}

static void on_timeout(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    uint64_t tag;
    chan_timeout(ksa->chans, event, out);
    while (qkd_timers_pop(&ksa->timers, event->now, &tag)) {
        on_timer(ksa, event, tag, out);
    }
    ksa_accounts_timeout(ksa, event, out);
    chan_reports_timeout(&ksa->reports, event, out);
}

static void on_recv(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message message = {0};
    switch (chan_receive(ksa->chans, event, out, &message)) {
    case CHAN_DATA:
        on_message(ksa, event, &message, out);
        break;
    case CHAN_UP:
        ksa_sessions_up(ksa, event, &message, out);
        if (message.rp == QKD_RP_KX2) {
            ksa_notify_channel_up(ksa, event, message.peer, out);
        } else if (message.rp == QKD_RP_KMI && qkd_eid_eq(message.peer, ksa->kmc)) {
            ksa_address_tell(ksa, event, out);
        }
        break;
    case CHAN_NONE:
        break;
    }
    chan_report_channels(&ksa->reports, event, out);
}

int ksa_step(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    int err = QKD_OK;
    if (ksa->started == (event->type == QKD_EV_START)) {
        return QKD_ERR_STATE;
    }
    switch (event->type) {
    case QKD_EV_START:
        err = on_start(ksa, event, out);
        break;
    case QKD_EV_RECV:
        on_recv(ksa, event, out);
        break;
    case QKD_EV_TIMEOUT:
        on_timeout(ksa, event, out);
        break;
    case QKD_EV_PEER:
        break; /* a hint: channels and repetitions cope without it */
    case QKD_EV_CONFIG:
        err = on_config(ksa, event, out);
        break;
    }
    return err != QKD_OK ? err : out->failed ? QKD_ERR_NOMEM : QKD_OK;
}

struct qkd_time ksa_deadline(const struct ksa *ksa)
{
    if (!ksa->started) {
        return QKD_NEVER;
    }
    struct qkd_time own = qkd_time_min(qkd_timers_next(&ksa->timers), ksa->account_at);
    struct qkd_time below = qkd_time_min(chan_deadline(ksa->chans),
                                         chan_reports_deadline(&ksa->reports));
    return qkd_time_min(own, below);
}
