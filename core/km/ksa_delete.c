/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key deletion at Ak (FG QIT4N D2.3 clause 7.2.1.1c, Tables 7-6, 7-7): the keys of one session on
 * the side that the application code names, or those of them that are listed. What remains of a
 * deleted key are its records at the manager. The other side's copy goes by its own policy. */
#include "core/base/err.h"
#include "core/base/measure.h"
#include "core/base/mutant.h"
#include "core/km/ksa_element.h"

enum { IDS_MOST = KSA_KEYS_PER_REQUEST };

/* Deletes one key if the command may; 1 or 0. */
static uint32_t key_delete(struct ksa *ksa, const struct qkd_event *event, uint32_t slot,
                           uint32_t place, struct qkd_out *out)
{
    const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
    if (ksa_batch_states(ksa, batch)[place] == KSA_KEY_GONE) {
        return 0;
    }
    ksa_life_key(ksa, event, batch, place, WIRE_ACTION_DELETION, out);
    ksa_key_gone(ksa, slot, place, out);
    return 1;
}

static uint32_t delete_session(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                               const struct wire_key_delete *command, struct qkd_out *out)
{
    bool slave = command->application_code == WIRE_FOR_DECRYPTION;
    uint32_t deleted = 0;
    uint32_t slot = ksa_session_find(ksa, app, command->session_id, slave);
    while (slot != QKD_SLAB_NONE) {
        uint32_t next = ksa_batch_at(ksa, slot)->next;
        uint32_t count = ksa_batch_at(ksa, slot)->count;
        for (uint32_t place = 0; place < count; place++) {
            deleted += key_delete(ksa, event, slot, place, out);
        }
        ksa_batch_settle(ksa, slot, out);
        slot = next;
    }
    return deleted;
}

static uint32_t delete_listed(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                              const struct wire_key_delete *command, struct qkd_out *out)
{
    bool slave = command->application_code == WIRE_FOR_DECRYPTION;
    uint32_t deleted = 0;
    for (size_t at = 0; at < command->key_ids.len; at += KSA_ID_LEN) {
        struct qkd_id id;
        uint32_t place = 0;
        memcpy(id.b, command->key_ids.at + at, KSA_ID_LEN);
        uint32_t slot = ksa_key_find(ksa, &id, &place);
        if (slot == QKD_SLAB_NONE) {
            continue;
        }
        const struct ksa_batch *batch = ksa_batch_at(ksa, slot);
        struct qkd_eid owner = slave ? batch->target_app : batch->source_app;
        bool own = batch->slave == slave && batch->session_id == command->session_id &&
                   qkd_eid_eq(owner, app);
        if (own || QKDN_MUTANT(DELETE_ANYBODY) ||
            qkd_is_off(ksa->config->measures_off, QKD_MEASURE_AUTHORIZATION)) {
            deleted += key_delete(ksa, event, slot, place, out);
            ksa_batch_settle(ksa, slot, out);
        }
    }
    return deleted;
}

static void answer_send(struct ksa *ksa, const struct qkd_event *event,
                        const struct ksa_answer *answer, const struct wire_key_delete *command,
                        struct qkd_out *out)
{
    struct wire_key_delete_rsp message = {
        .head = ksa_head(ksa, QKD_RP_AK, answer->message_id),
        .source_id = command->source_id,
        .target_id = command->target_id,
        .session_id = command->session_id,
        .application_code = command->application_code,
        .has_deleted = answer->code == WIRE_SUCCESS,
        .deleted = answer->deleted,
        .code = answer->code,
    };
    struct ksa_to to = {QKD_RP_AK, answer->peer, QKD_SEND_REPLY, NULL};
    (void)KSA_SEND(ksa, event, to, key_delete_rsp, &message, out); /* lost: asked again */
}

static bool command_good(const struct ksa *ksa, struct qkd_eid app,
                         const struct wire_key_delete *command)
{
    if (QKDN_MUTANT(DELETE_ANYBODY) ||
        qkd_is_off(ksa->config->measures_off, QKD_MEASURE_AUTHORIZATION)) {
        return command->key_ids.len % KSA_ID_LEN == 0;
    }
    bool code = command->application_code == WIRE_FOR_ENCRYPTION ||
                command->application_code == WIRE_FOR_DECRYPTION;
    return code && ksa_directory_find(ksa, app) != NULL && qkd_eid_eq(command->head.sender, app) &&
           command->key_ids.len % KSA_ID_LEN == 0 &&
           command->key_ids.len <= (size_t)IDS_MOST * KSA_ID_LEN;
}

void ksa_on_delete(struct ksa *ksa, const struct qkd_event *event,
                   const struct chan_message *message, struct qkd_out *out)
{
    struct wire_key_delete command;
    int err = wire_key_delete_decode(&command, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    struct qkd_eid app = message->peer;
    const struct ksa_answer *known = ksa_recent_find(&ksa->recent, app, command.head.message_id);
    if (known != NULL) {
        if (known->state == KSA_ANSWER_DONE) {
            answer_send(ksa, event, known, &command, out); /* D23-GM-04 */
        }
        return;
    }
    ksa_recent_add(&ksa->recent, app, command.head.message_id);
    struct ksa_answer answer = {.peer = app,
                                .message_id = command.head.message_id,
                                .code = WIRE_FAILURE};
    if (command_good(ksa, app, &command)) {
        answer.deleted = command.has_key_ids ? delete_listed(ksa, event, app, &command, out)
                                             : delete_session(ksa, event, app, &command, out);
        answer.code = answer.deleted > 0 ? WIRE_SUCCESS : WIRE_FAILURE;
    }
    ksa_recent_answer(&ksa->recent, &answer);
    answer_send(ksa, event, &answer, &command, out);
}
