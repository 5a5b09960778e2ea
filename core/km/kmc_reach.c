/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMC: which user networks this KM serves, and at which address its KSA is (FG QIT4N D2.3 clause 7.2.2.1;
 * D23-KR-07, -13). It is configured, or for a KSA whose address is dynamic told by the KSA; the controller
 * learns it with the status, other KMs without a controller with the link state. Questions of the KSA which
 * KM serves an address go to whoever knows: the controller, or the own map. What the controller said last
 * is used on while it is gone, or has just started anew. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/kmc_state.h"

enum { WHOLE = 128, ANSWER_BYTES = 128 };

void kmc_reach_fini(struct kmc *kmc)
{
    free(kmc->serves.networks);
    free(kmc->known);
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

/* ---- what is known ---- */

/* The same bytes for the same question, whoever asks and whenever. */
static uint32_t what_encode(const struct wire_resolve *question, uint8_t what[KMC_PENDING_BYTES])
{
    struct wire_resolve same = *question;
    same.head = (struct wire_head){.rp = QKD_RP_KMI};
    same.source_id = QKD_NOBODY;
    int len = wire_resolve_encode(&same, what, KMC_PENDING_BYTES);
    QKD_ASSERT(len > 0); /* no longer than what came */
    return (uint32_t)len;
}

/* KMC_KNOWN: not known. */
static uint32_t known_find(const struct kmc *kmc, const struct wire_resolve *question)
{
    uint8_t what[KMC_PENDING_BYTES];
    uint32_t len = kmc->known_count > 0 ? what_encode(question, what) : 0;
    for (uint32_t i = 0; i < kmc->known_count; i++) {
        const struct kmc_known *known = &kmc->known[i];
        if (known->what_len == len && memcmp(known->what, what, len) == 0) {
            return i;
        }
    }
    return KMC_KNOWN;
}

/* A place for one more, that of the oldest if there are too many; NULL without memory. */
static struct kmc_known *known_room(struct kmc *kmc)
{
    if (kmc->known_count == kmc->known_cap && kmc->known_cap < KMC_KNOWN) {
        uint32_t cap = kmc->known_cap == 0 ? 2 : 2 * kmc->known_cap;
        struct kmc_known *grown = realloc(kmc->known, cap * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        kmc->known = grown;
        kmc->known_cap = cap;
    }
    if (kmc->known_count < kmc->known_cap) {
        return &kmc->known[kmc->known_count++];
    }
    struct kmc_known *oldest = &kmc->known[kmc->known_next];
    kmc->known_next = (kmc->known_next + 1) % KMC_KNOWN;
    return oldest;
}

/* Takes in what the controller says: who serves it, or that nobody does. */
static void known_take(struct kmc *kmc, const struct wire_resolve *question,
                       const struct wire_resolve_rsp *rsp)
{
    uint32_t at = known_find(kmc, question);
    if (rsp->reason == WIRE_REASON_NONE) {
        struct kmc_known *known = at < KMC_KNOWN ? &kmc->known[at] : known_room(kmc);
        if (known != NULL) { /* else it is asked for again */
            known->what_len = what_encode(question, known->what);
            known->rsp = *rsp;
        }
    } else if (at < KMC_KNOWN && rsp->reason == WIRE_REASON_UNKNOWN_APPLICATION) {
        kmc->known[at].what_len = 0; /* no question is as short */
    }
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

/* Without the controller: what the map knows, or what the controller said last. */
static void answer_own(struct kmc *kmc, const struct qkd_event *event,
                       const struct wire_resolve *question, struct wire_resolve_rsp *rsp)
{
    uint32_t at = known_find(kmc, question);
    if (kmc->map.is_on) {
        struct qkd_time oldest = {event->now.ns - kmc->map.topology.fresh.ns};
        ctl_reach_answer(&kmc->map.reach, question, oldest, rsp);
    } else if (at < KMC_KNOWN) {
        *rsp = kmc->known[at].rsp;
    }
}

bool kmc_reach_is_known(const struct kmc *kmc, const struct wire_resolve *question)
{
    return !kmc->map.is_on && known_find(kmc, question) < KMC_KNOWN;
}

void kmc_reach_refuse(struct kmc *kmc, const struct qkd_event *event,
                      const struct wire_resolve *question, uint64_t id, struct qkd_out *out)
{
    struct wire_resolve_rsp rsp = {.source_id = question->source_id,
                                   .reason = WIRE_REASON_UNREACHABLE};
    answer_own(kmc, event, question, &rsp);
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
    bool is_lost = chan_report_stands(&kmc->reports, WIRE_FAULT_CONTROLLER_LOST, 0);
    if (kmc_map_decides(kmc) || kmc->config->controller.v == 0 ||
        (is_lost && kmc_reach_is_known(kmc, &question))) {
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
    struct kmc_asked asked;
    int err = wire_resolve_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    if (!kmc_question_resolved(kmc, rsp.head.orig_message_id, &asked)) {
        return;
    }
    struct wire_resolve question;
    err = wire_resolve_decode(&question, asked.bytes, asked.len);
    QKD_ASSERT(err == 0); /* our own bytes */
    known_take(kmc, &question, &rsp);
    if (rsp.reason == WIRE_REASON_RESTARTED) { /* it does not know all yet */
        answer_own(kmc, event, &question, &rsp);
    }
    rsp_send(kmc, event, &rsp, asked.ksa_id, out);
}
