/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The status table at Ak (D23-PR-06: the fields of ETSI GS QKD 014 Table 9). Keys are not kept in stock, each
 * is relayed on demand: what is deliverable is what the links on the way can pay now, which the controller
 * knows (STOCK, by way of the KMC). Where it cannot be asked, none is known to be. */
#include "core/base/err.h"
#include "core/km/ksa_element.h"

/* Further slaves that a request for keys with this target may name: one at a node. */
static uint32_t slaves_of(const struct ksa *ksa, const struct ksa_request *request)
{
    const struct ksa_app *app = ksa_directory_find(ksa, request->app);
    uint32_t count = 0;
    for (uint32_t i = 0; app != NULL && i < app->more_count; i++) {
        count += qkd_eid_node(app->more[i]) != qkd_eid_node(request->target);
    }
    return count < WIRE_TARGETS_MAX ? count : WIRE_TARGETS_MAX - 1;
}

static void table_send(struct ksa *ksa, const struct qkd_event *event,
                       const struct ksa_request *request, uint32_t keys, struct qkd_out *out)
{
    uint32_t limit = ksa->config->key_limit;
    struct wire_key_status status = {
        .source_km = ksa->kma,
        .target_km = qkd_eid_sibling(request->target, QKD_ROLE_KMA),
        .master_app = request->app,
        .slave_app = request->target,
        .key_size = request->key_size,
        .stored_key_count = keys < limit ? keys : limit,
        .max_key_count = limit,
        .max_key_per_request = KSA_KEYS_PER_REQUEST,
        .max_key_size = KSA_KEY_BITS_MOST,
        .min_key_size = KSA_KEY_BITS_LEAST,
        .max_sae_id_count = slaves_of(ksa, request),
    };
    uint8_t record[128];
    int len = wire_key_status_encode(&status, record, sizeof record);
    QKD_ASSERT(len > 0);
    ksa_answer_status(ksa, event, request->app, &request->echo,
                      (struct wire_bytes){record, (size_t)len}, out);
}

static void status_close(struct ksa *ksa, uint32_t slot)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    (void)qkd_map_del(&ksa->outstanding, &request->need_id);
    qkd_timers_cancel(&ksa->timers, &request->timer);
    qkd_slab_give(&ksa->requests, slot);
}

enum wire_reason ksa_status_open(struct ksa *ksa, const struct qkd_event *event,
                                 const struct ksa_echo *echo, const struct ksa_need *need,
                                 struct qkd_out *out)
{
    struct ksa_request asked = {.echo = *echo,
                                .app = need->app,
                                .target = need->target,
                                .key_size = need->key_size,
                                .first_batch = QKD_SLAB_NONE,
                                .group = QKD_SLAB_NONE};
    if (need->barred) {
        table_send(ksa, event, &asked, 0, out); /* nothing is deliverable to whom nothing may be */
        return WIRE_REASON_NONE;
    }
    uint32_t slot = qkd_slab_take(&ksa->requests);
    if (slot == QKD_SLAB_NONE) {
        return WIRE_REASON_OVERLOAD;
    }
    struct wire_stock stock = {.head = ksa_head(ksa, QKD_RP_KMI, 0),
                               .source_id = ksa->kma,
                               .destination_id = qkd_eid_sibling(need->target, QKD_ROLE_KMA),
                               .key_size = need->key_size,
                               .batch = ksa->config->batch};
    struct qkd_time end = qkd_time_add(event->now, qkd_span_ms(need->timeout_ms));
    struct ksa_to to = {QKD_RP_KMI, ksa->kmc, 0, NULL};
    asked.need_id = stock.head.message_id;
    asked.timer = qkd_timers_set(&ksa->timers, end, (uint64_t)KSA_TIMER_STATUS << 32 | slot);
    *ksa_request_at(ksa, slot) = asked;
    int err = QKD_ERR_NOMEM;
    if (asked.timer != QKD_TIMER_NONE) {
        err = qkd_map_put(&ksa->outstanding, &asked.need_id, KSA_COMMAND_STOCK | slot);
    }
    if (err == QKD_OK) {
        err = KSA_SEND(ksa, event, to, stock, &stock, out);
    }
    if (err != QKD_OK && err != QKD_ERR_AGAIN) {
        status_close(ksa, slot);
        return WIRE_REASON_OVERLOAD;
    }
    return WIRE_REASON_NONE;
}

bool ksa_on_stock(struct ksa *ksa, const struct qkd_event *event,
                  const struct chan_message *message, struct qkd_out *out)
{
    struct wire_stock_rsp rsp;
    struct wire_head head;
    if (wire_head_decode(&head, message->bytes, message->len) != QKD_OK ||
        head.command != WIRE_CMD_STOCK_RSP) {
        return false;
    }
    int err = wire_stock_rsp_decode(&rsp, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return true;
    }
    uint32_t found = qkd_map_get(&ksa->outstanding, &rsp.head.orig_message_id);
    if (found == QKD_MAP_NONE || (found & KSA_COMMAND_OF_REQUEST) != KSA_COMMAND_STOCK) {
        return true; /* D23-GM-01: answers nothing that is outstanding */
    }
    uint32_t slot = found & ~KSA_COMMAND_STOCK;
    table_send(ksa, event, ksa_request_at(ksa, slot), rsp.keys, out);
    status_close(ksa, slot);
    return true;
}

void ksa_status_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                        struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    request->timer = QKD_TIMER_NONE;
    table_send(ksa, event, request, 0, out);
    status_close(ksa, slot);
}
