/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions of SAEs as messages to their agents, and the answers back. */
#include "emu/daemon/sae.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "emu/deploy/place.h"

enum {
    FRONT = 1,           /* instance of the ETSI server among those that act for SAEs */
    MESSAGE_BYTES = 256, /* of a question without key IDs */
    ID_LEN = sizeof(struct qkd_id)
};

/* An SAE ID and its agent. */
struct entry {
    char name[EMU_E14_SAE_SIZE];
    uint32_t agent;
};

struct emu_sae {
    const struct host_plan *plan;
    uint32_t node;
    struct emu_hosted *hosted;
    struct emu_etsi014 *server;
    struct entry *entries; /* by name */
    uint32_t count;
    int error;
};

static int entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

int emu_sae_new(const struct host_plan *plan, uint32_t node, struct emu_hosted *hosted,
                struct emu_sae **to)
{
    struct emu_sae *sae = calloc(1, sizeof(*sae));
    uint32_t agents = 2 * (uint32_t)plan->scenario->application_count;
    struct entry *entries = calloc(agents + 1, sizeof(*entries));
    if (sae == NULL || entries == NULL) {
        free(sae);
        free(entries);
        return QKD_ERR_NOMEM;
    }
    *sae = (struct emu_sae){.plan = plan, .node = node, .hosted = hosted, .entries = entries};
    for (uint32_t i = 0; i < agents; i++) {
        uint32_t at = qkd_eid_node(host_agent_eid(plan, i));
        int len = snprintf(entries[sae->count].name, sizeof(entries[0].name), "%s.%s",
                           plan->scenario->applications[i / 2].id, plan->scenario->nodes[at].id);
        entries[sae->count].agent = i;
        if (len > 0 && (size_t)len < sizeof(entries[0].name)) { /* a longer ID is in no request */
            sae->count++;
        }
    }
    qsort(entries, sae->count, sizeof(*entries), entry_compare);
    *to = sae;
    return 0;
}

void emu_sae_free(struct emu_sae *sae)
{
    if (sae != NULL) {
        free(sae->entries);
        free(sae);
    }
}

void emu_sae_serve(struct emu_sae *sae, struct emu_etsi014 *server)
{
    sae->server = server;
}

int emu_sae_error(const struct emu_sae *sae)
{
    return sae->error;
}

/* The agent of an SAE ID, QKD_NOBODY if there is none. */
static struct qkd_eid agent_of(const struct emu_sae *sae, const char *name)
{
    struct entry wanted = {.agent = 0};
    if (strlen(name) >= sizeof(wanted.name)) {
        return QKD_NOBODY;
    }
    memcpy(wanted.name, name, strlen(name) + 1);
    const struct entry *found = bsearch(&wanted, sae->entries, sae->count, sizeof(wanted),
                                        entry_compare);
    return found == NULL ? QKD_NOBODY : host_agent_eid(sae->plan, found->agent);
}

/* The agents of who asks and about whom, or the reason why there is no answer. */
static enum wire_reason parties(const struct emu_sae *sae, const struct emu_e14_question *question,
                                struct qkd_eid *own, struct qkd_eid *other)
{
    *own = agent_of(sae, question->sae);
    *other = agent_of(sae, question->other);
    if (own->v == 0 || qkd_eid_node(*own) != sae->node) {
        return WIRE_REASON_UNAUTHORIZED; /* not an SAE of this site */
    }
    return other->v == 0 ? WIRE_REASON_UNKNOWN_APPLICATION : WIRE_REASON_NONE;
}

static struct wire_head head_of(const struct emu_sae *sae, uint64_t ticket)
{
    return (struct wire_head){.rp = QKD_RP_SAE,
                              .message_id = ticket,
                              .sender = qkd_eid_make(QKD_ROLE_LOAD, FRONT, sae->node)};
}

/* Hands a question to an agent; len: what its encoder said. Whether it was taken. */
static bool ask(struct emu_sae *sae, struct qkd_eid agent, const uint8_t *bytes, int len)
{
    QKD_ASSERT(len > 0);
    struct host_message message = {.rp = QKD_RP_SAE,
                                   .from = qkd_eid_make(QKD_ROLE_LOAD, FRONT, sae->node),
                                   .to = agent,
                                   .bytes = bytes,
                                   .len = (size_t)len};
    int rc = emu_hosted_recv(sae->hosted, &message);
    if (rc != 0 && rc != QKD_ERR_AGAIN && sae->error == 0) {
        sae->error = rc;
    }
    return rc == 0;
}

static void on_get(void *ctx, const struct emu_e14_question *question,
                   const struct emu_e14_enc *enc)
{
    struct emu_sae *sae = ctx;
    struct qkd_eid own;
    struct qkd_eid other;
    uint8_t more[8 * EMU_E14_SLAVES_MOST];
    enum wire_reason reason = parties(sae, question, &own, &other);
    for (uint32_t i = 0; i < enc->slave_count; i++) {
        struct qkd_eid slave = agent_of(sae, enc->slaves[i]);
        reason = reason == WIRE_REASON_NONE && slave.v == 0 ? WIRE_REASON_UNKNOWN_APPLICATION
                                                            : reason;
        wire_put_u64(more + (size_t)8 * i, slave.v);
    }
    if (reason == WIRE_REASON_NONE) {
        struct wire_sae_get get = {.head = head_of(sae, question->ticket),
                                   .target = other,
                                   .number = enc->number,
                                   .has_key_size = enc->size > 0, /* else the agent's own */
                                   .key_size = enc->size,
                                   .has_more_targets = enc->slave_count > 0,
                                   .more_targets = {more, (size_t)8 * enc->slave_count}};
        uint8_t bytes[MESSAGE_BYTES];
        if (ask(sae, own, bytes, wire_sae_get_encode(&get, bytes, sizeof(bytes)))) {
            return;
        }
        reason = WIRE_REASON_OVERLOAD;
    }
    (void)emu_etsi014_keys(sae->server, question->ticket, reason, NULL);
}

static void on_fetch(void *ctx, const struct emu_e14_question *question,
                     const struct emu_e14_dec *dec)
{
    struct emu_sae *sae = ctx;
    struct qkd_eid own;
    struct qkd_eid other;
    enum wire_reason reason = parties(sae, question, &own, &other);
    if (reason == WIRE_REASON_NONE) {
        struct wire_sae_fetch fetch = {.head = head_of(sae, question->ticket),
                                       .source = other,
                                       .key_ids = {dec->ids[0].b, (size_t)dec->count * ID_LEN}};
        uint8_t bytes[MESSAGE_BYTES + EMU_E14_IDS_MOST * ID_LEN];
        if (ask(sae, own, bytes, wire_sae_fetch_encode(&fetch, bytes, sizeof(bytes)))) {
            return;
        }
        reason = WIRE_REASON_OVERLOAD;
    }
    (void)emu_etsi014_keys(sae->server, question->ticket, reason, NULL);
}

static void on_status(void *ctx, const struct emu_e14_question *question)
{
    struct emu_sae *sae = ctx;
    struct qkd_eid own;
    struct qkd_eid other;
    enum wire_reason reason = parties(sae, question, &own, &other);
    if (reason == WIRE_REASON_NONE) {
        struct wire_sae_status status = {.head = head_of(sae, question->ticket), .target = other};
        uint8_t bytes[MESSAGE_BYTES];
        if (ask(sae, own, bytes, wire_sae_status_encode(&status, bytes, sizeof(bytes)))) {
            return;
        }
        reason = WIRE_REASON_OVERLOAD;
    }
    (void)emu_etsi014_status(sae->server, question->ticket, reason, NULL);
}

struct emu_e14_backend emu_sae_backend(struct emu_sae *sae)
{
    return (struct emu_e14_backend){sae, on_get, on_fetch, on_status};
}

/* ---- answers ---- */

static void keys_answer(struct emu_sae *sae, const uint8_t *bytes, size_t len)
{
    struct wire_sae_keys answer;
    uint32_t sizes_bits[EMU_E14_IDS_MOST];
    struct qkd_id ids[EMU_E14_IDS_MOST];
    if (wire_sae_keys_decode(&answer, bytes, len) != 0) {
        return;
    }
    uint64_t ticket = answer.head.orig_message_id;
    size_t count = answer.has_key_ids ? answer.key_ids.len / ID_LEN : 0;
    if (answer.reason != WIRE_REASON_NONE) {
        (void)emu_etsi014_keys(sae->server, ticket, (enum wire_reason)answer.reason, NULL);
        return;
    }
    QKD_ASSERT(count <= EMU_E14_IDS_MOST && answer.has_key_data &&
               answer.key_sizes.len == count * sizeof(sizes_bits[0]));
    memcpy(ids, answer.key_ids.at, count * ID_LEN);
    for (size_t i = 0; i < count; i++) {
        sizes_bits[i] = wire_get_u32(answer.key_sizes.at + sizeof(sizes_bits[0]) * i);
    }
    struct emu_e14_keys keys = {(uint32_t)count, ids, sizes_bits, answer.key_data.at};
    (void)emu_etsi014_keys(sae->server, ticket, WIRE_REASON_NONE, &keys);
}

static void status_answer(struct emu_sae *sae, const uint8_t *bytes, size_t len)
{
    struct wire_sae_status_rsp answer;
    struct wire_key_status table;
    if (wire_sae_status_rsp_decode(&answer, bytes, len) != 0) {
        return;
    }
    uint64_t ticket = answer.head.orig_message_id;
    const struct scn_scenario *scenario = sae->plan->scenario;
    if (answer.reason != WIRE_REASON_NONE || !answer.has_status ||
        wire_key_status_decode(&table, answer.status.at, answer.status.len) < 0 ||
        qkd_eid_node(table.source_km) >= scenario->node_count ||
        qkd_eid_node(table.target_km) >= scenario->node_count) {
        enum wire_reason reason = answer.reason != WIRE_REASON_NONE
                                      ? (enum wire_reason)answer.reason
                                      : WIRE_REASON_UNREACHABLE;
        (void)emu_etsi014_status(sae->server, ticket, reason, NULL);
        return;
    }
    /* E14-T4: the KME ID is what the KME's certificate says. */
    char source[EMU_PLACE_NAME_SIZE];
    char target[EMU_PLACE_NAME_SIZE];
    emu_place_name(scenario, qkd_eid_node(table.source_km), source);
    emu_place_name(scenario, qkd_eid_node(table.target_km), target);
    struct emu_e14_status status = {
        .source_kme = source,
        .target_kme = target,
        .key_size = table.key_size,
        .stored_key_count = table.stored_key_count,
        .max_key_count = table.max_key_count,
        .max_key_per_request = table.max_key_per_request,
        .max_key_size = table.max_key_size,
        .min_key_size = table.min_key_size,
        .max_sae_id_count = table.max_sae_id_count,
    };
    (void)emu_etsi014_status(sae->server, ticket, WIRE_REASON_NONE, &status);
}

void emu_sae_answer(struct emu_sae *sae, const uint8_t *bytes, size_t len)
{
    struct wire_head head;
    if (sae->server == NULL || wire_head_decode(&head, bytes, len) != 0) {
        return;
    }
    if (head.command == WIRE_CMD_SAE_KEYS) {
        keys_answer(sae, bytes, len);
    } else {
        status_answer(sae, bytes, len);
    }
}
