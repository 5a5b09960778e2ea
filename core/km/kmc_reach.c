/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMC: which user networks this KM serves, and at which address its KSA is (FG QIT4N D2.3 clause 7.2.2.1;
 * D23-KR-07, -13). It is configured, or for a KSA whose address is dynamic told by the KSA; the controller
 * learns it with the status, other KMs without a controller with the link state. Questions of the KSA which
 * KM serves an address go to whoever knows: the controller, or the own map. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/kmc_state.h"

enum { WHOLE = 128, ANSWER_BYTES = 128 };

void kmc_reach_fini(struct kmc *kmc)
{
    free(kmc->serves.networks);
}

/* What is served has changed: those who should know hear of it at once. */
static void serves_tell(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    struct kmc_serves *serves = &kmc->serves;
    int len = serves->has_ksa ? wire_ksa_status_encode(&serves->ksa, serves->ksa_bytes,
                                                       sizeof serves->ksa_bytes)
                              : 0;
    QKD_ASSERT(len >= 0);
    serves->ksa_len = (uint32_t)len;
    kmc->map.told_at = QKD_NEVER; /* due */
    kmc_map_own(kmc, event, out);
    kmc_status_now(kmc, event, out);
}

int kmc_reach_configure(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_cfg_serves config;
    int err = wire_cfg_serves_decode(&config, event->u.config.bytes, event->u.config.len);
    err = err == 0 ? wire_networks_check(config.networks) : err;
    if (err != 0) {
        return err;
    }
    uint8_t *networks = malloc(config.networks.len + 1);
    if (networks == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (config.networks.len > 0) {
        memcpy(networks, config.networks.at, config.networks.len);
    }
    free(kmc->serves.networks);
    kmc->serves.networks = networks;
    kmc->serves.networks_len = (uint32_t)config.networks.len;
    kmc->serves.is_set = true;
    kmc->serves.is_dynamic = config.has_ksa_bits && config.ksa_bits < WHOLE;
    kmc->serves.has_ksa = config.has_ksa_address && !kmc->serves.is_dynamic;
    kmc->serves.ksa = (struct wire_ksa_status){.ksa = kmc->ksa,
                                               .address = config.ksa_address,
                                               .apart = config.apart};
    if (kmc->started) {
        serves_tell(kmc, event, out);
    }
    return 0;
}

void kmc_reach_ksa_address(struct kmc *kmc, const struct qkd_event *event,
                           const struct chan_message *m, struct qkd_out *out)
{
    struct wire_ksa_address told;
    int err = wire_ksa_address_decode(&told, m->bytes, m->len);
    if (err != 0 || !kmc->serves.is_dynamic) {
        kmc_bad_bytes(kmc, m, err != 0 ? err : QKD_ERR_INVALID, out);
        return;
    }
    kmc->serves.has_ksa = true;
    kmc->serves.ksa.address = told.address;
    kmc->serves.ksa.dynamic = 1;
    serves_tell(kmc, event, out);
}

struct wire_bytes kmc_reach_networks(const struct kmc *kmc)
{
    return (struct wire_bytes){kmc->serves.networks, kmc->serves.networks_len};
}

struct wire_bytes kmc_reach_ksa(const struct kmc *kmc)
{
    return (struct wire_bytes){kmc->serves.ksa_bytes, kmc->serves.ksa_len};
}

/* ---- questions ---- */

static void rsp_send(struct kmc *kmc, const struct qkd_event *event, struct wire_resolve_rsp *rsp,
                     uint64_t id, struct qkd_out *out)
{
    uint8_t bytes[ANSWER_BYTES];
    rsp->head = kmc_head(kmc, QKD_RP_KMI, id);
    rsp->has_term = false;
    int len = wire_resolve_rsp_encode(rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_KMI, .peer = kmc->ksa, .message = bytes, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out); /* lost: the KSA's own timeout ends it */
}

void kmc_reach_refuse(struct kmc *kmc, const struct qkd_event *event,
                      const struct wire_resolve *question, uint64_t id, struct qkd_out *out)
{
    struct wire_resolve_rsp rsp = {.source_id = question->source_id,
                                   .reason = WIRE_REASON_UNREACHABLE};
    if (kmc->map.is_on) {
        struct qkd_time oldest = {event->now.ns - kmc->map.topology.fresh.ns};
        ctl_reach_answer(&kmc->map.reach, question, oldest, &rsp);
    }
    rsp_send(kmc, event, &rsp, id, out);
}

void kmc_reach_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct wire_resolve question;
    int err = wire_resolve_decode(&question, m->bytes, m->len);
    if (err != 0 || question.has_name == question.has_address || m->len > KMC_PENDING_BYTES) {
        kmc_bad_bytes(kmc, m, err != 0 ? err : QKD_ERR_INVALID, out);
        return;
    }
    uint64_t id = question.head.message_id;
    question.source_id = kmc->kma;
    if (kmc_map_decides(kmc) || kmc->config->controller.v == 0) {
        kmc_reach_refuse(kmc, event, &question, id, out); /* the map answers, if there is one */
    } else if (!kmc_question_resolve(kmc, event, &question, out)) {
        struct wire_resolve_rsp rsp = {.source_id = question.source_id,
                                       .reason = WIRE_REASON_OVERLOAD};
        rsp_send(kmc, event, &rsp, id, out);
    }
}

void kmc_reach_answer(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out)
{
    struct wire_resolve_rsp rsp;
    uint64_t id;
    int err = wire_resolve_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
    } else if (kmc_question_resolved(kmc, rsp.head.orig_message_id, &id)) {
        rsp_send(kmc, event, &rsp, id, out);
    }
}
