/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests that name the other application by its address in a user network (D23-KR-07): which KM serves
 * it is asked of the KMC, and the master's partner there is the one that is meant. And where this KSA is,
 * where its address is dynamic (D23-KR-13): drawn in its network at each start, and told to the KMC. */
#include <string.h>

#include "core/base/err.h"
#include "core/km/ksa_element.h"

enum { ADDRESS_BITS = 128 };

/* ---- whom an address means ---- */

bool ksa_resolve_wanted(const struct wire_key_supply *command)
{
    return command->application_code == WIRE_FOR_ENCRYPTION &&
           (command->has_target_address || command->has_target_network);
}

enum wire_reason ksa_resolve_open(struct ksa *ksa, const struct qkd_event *event,
                                  const struct wire_key_supply *command,
                                  const struct ksa_echo *echo, const struct ksa_need *need,
                                  struct qkd_out *out)
{
    bool is_plain = need->more_targets.len == 0 && !(command->has_reserved && command->reserved);
    if (!is_plain || command->has_target_address == command->has_target_network ||
        need->amount == 0) {
        return WIRE_REASON_BAD_REQUEST; /* several, sessions and the status name applications */
    }
    uint32_t slot = qkd_slab_take(&ksa->requests);
    if (slot == QKD_SLAB_NONE) {
        return WIRE_REASON_OVERLOAD;
    }
    struct wire_resolve question = {.head = ksa_head(ksa, QKD_RP_KMI, 0),
                                    .source_id = ksa->kma,
                                    .has_address = command->has_target_address,
                                    .address = command->target_address,
                                    .has_name = command->has_target_network,
                                    .name = command->target_network};
    struct qkd_time end = qkd_time_add(event->now, qkd_span_ms(need->timeout_ms));
    struct ksa_request *request = ksa_request_at(ksa, slot);
    *request = (struct ksa_request){.echo = *echo,
                                    .app = need->app,
                                    .asked = *need,
                                    .need_id = question.head.message_id,
                                    .end = end,
                                    .first_batch = QKD_SLAB_NONE,
                                    .group = QKD_SLAB_NONE};
    request->timer = qkd_timers_set(&ksa->timers, end, (uint64_t)KSA_TIMER_RESOLVE << 32 | slot);
    int err = request->timer == QKD_TIMER_NONE ? QKD_ERR_NOMEM : QKD_OK;
    err = err == QKD_OK
              ? qkd_map_put(&ksa->outstanding, &request->need_id, KSA_COMMAND_RESOLVE | slot)
              : err;
    struct ksa_to to = {QKD_RP_KMI, ksa->kmc, 0, NULL};
    err = err == QKD_OK ? KSA_SEND(ksa, event, to, resolve, &question, out) : err;
    if (err != QKD_OK && err != QKD_ERR_AGAIN) {
        ksa_request_free(ksa, slot, out);
        return WIRE_REASON_OVERLOAD;
    }
    return WIRE_REASON_NONE;
}

/* The application's partner at a node; QKD_NOBODY: it has none there. */
static struct qkd_eid partner_at(const struct ksa *ksa, struct qkd_eid app, uint32_t node)
{
    const struct ksa_app *entry = ksa_directory_find(ksa, app);
    if (entry == NULL || qkd_eid_node(entry->peer_app) == node) {
        return entry == NULL ? QKD_NOBODY : entry->peer_app;
    }
    for (uint32_t i = 0; i < entry->more_count; i++) {
        if (qkd_eid_node(entry->more[i]) == node) {
            return entry->more[i];
        }
    }
    return QKD_NOBODY;
}

static void resolved(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                     const struct wire_resolve_rsp *rsp, struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    struct ksa_need need = request->asked;
    struct ksa_echo echo = request->echo;
    enum wire_reason reason = rsp->reason < WIRE_REASON_COUNT ? (enum wire_reason)rsp->reason
                                                              : WIRE_REASON_UNREACHABLE;
    if (reason == WIRE_REASON_NONE) {
        need.target = partner_at(ksa, need.app, qkd_eid_node(rsp->km_id));
        reason = need.target.v == 0 ? WIRE_REASON_UNKNOWN_APPLICATION : WIRE_REASON_NONE;
    }
    int64_t left_ns = qkd_time_sub(request->end, event->now).ns;
    need.timeout_ms = left_ns > QKD_NS_PER_MS ? (uint32_t)(left_ns / QKD_NS_PER_MS) : 1;
    ksa_request_free(ksa, slot, out);
    if (reason == WIRE_REASON_NONE) {
        reason = ksa_request_admit(ksa, event, &echo, &need, out);
    }
    if (reason != WIRE_REASON_NONE) {
        ksa_answer_refused(ksa, event, need.app, &echo, reason, out);
    }
}

bool ksa_on_resolved(struct ksa *ksa, const struct qkd_event *event,
                     const struct chan_message *message, struct qkd_out *out)
{
    struct wire_resolve_rsp rsp;
    struct wire_head head;
    if (wire_head_decode(&head, message->bytes, message->len) != QKD_OK ||
        head.command != WIRE_CMD_RESOLVE_RSP) {
        return false;
    }
    int err = wire_resolve_rsp_decode(&rsp, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return true;
    }
    uint32_t found = qkd_map_get(&ksa->outstanding, &rsp.head.orig_message_id);
    if (found != QKD_MAP_NONE && (found & KSA_COMMAND_OF_REQUEST) == KSA_COMMAND_RESOLVE) {
        resolved(ksa, event, found & ~KSA_COMMAND_RESOLVE, &rsp, out);
    }
    return true;
}

void ksa_resolve_timeout(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out)
{
    struct ksa_request *request = ksa_request_at(ksa, slot);
    request->timer = QKD_TIMER_NONE;
    ksa_answer_refused(ksa, event, request->app, &request->echo, WIRE_REASON_TIMEOUT, out);
    ksa_request_free(ksa, slot, out);
}

/* ---- where this KSA is ---- */

void ksa_address_tell(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    if (!ksa->has_address) {
        return;
    }
    struct wire_ksa_address here = {.head = ksa_head(ksa, QKD_RP_KMI, 0), .address = ksa->address};
    struct ksa_to to = {QKD_RP_KMI, ksa->kmc, 0, NULL};
    (void)KSA_SEND(ksa, event, to, ksa_address, &here,
                   out); /* lost: said when the channel is up anew */
}

int ksa_address_configure(struct ksa *ksa, const struct qkd_event *event,
                          const struct wire_cfg_serves *config, struct qkd_out *out)
{
    bool dynamic = config->has_ksa_address && config->has_ksa_bits &&
                   config->ksa_bits < ADDRESS_BITS;
    if (!dynamic) {
        ksa->has_address = false;
        return QKD_OK;
    }
    uint8_t drawn[sizeof ksa->address.b];
    qkd_rng_bytes(&ksa->rng, drawn, sizeof drawn);
    ksa->address = config->ksa_address;
    for (uint32_t i = config->ksa_bits; i < ADDRESS_BITS; i++) { /* the host's part of it */
        uint8_t bit = (uint8_t)(0x80U >> (i % 8));
        ksa->address.b[i / 8] = (uint8_t)((ksa->address.b[i / 8] & ~bit) | (drawn[i / 8] & bit));
    }
    ksa->has_address = true;
    ksa_address_tell(ksa, event, out);
    return QKD_OK;
}
