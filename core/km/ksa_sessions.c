/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key supply at Ak (FG QIT4N D2.3 clause 7.2.1.1b, Tables 7-4, 7-5): intake, checks and answers.
 * The channel has authenticated the application before anything here runs (D23-OP-06); here it is
 * authorised, then its request is looked at. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/crypto/crypto.h"
#include "core/km/ksa_element.h"

static struct ksa_echo echo_of(const struct wire_key_supply *command)
{
    return (struct ksa_echo){
        .message_id = command->head.message_id,
        .source_id = command->source_id,
        .target_id = command->target_id,
        .session_id = command->session_id,
        .application_code = command->application_code,
        .has_key_amount = command->has_key_amount,
        .key_amount = command->key_amount,
        .has_key_id = command->has_key_id,
        .key_id = command->key_id,
        .has_key_size = command->has_key_size,
        .key_size = command->key_size,
    };
}

/* The answer with everything that it repeats of the command (D23-GM-02). */
static struct wire_key_supply_rsp answer_of(struct ksa *ksa, const struct ksa_echo *echo,
                                            uint8_t code)
{
    return (struct wire_key_supply_rsp){
        .head = ksa_head(ksa, QKD_RP_AK, echo->message_id),
        .source_id = echo->source_id,
        .target_id = echo->target_id,
        .session_id = echo->session_id,
        .application_code = echo->application_code,
        .has_key_amount = echo->has_key_amount,
        .key_amount = echo->key_amount,
        .has_key_id = echo->has_key_id,
        .key_id = echo->key_id,
        .has_key_size = echo->has_key_size,
        .key_size = echo->key_size,
        .code = code,
    };
}

static void answer_send(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                        const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    struct ksa_to to = {QKD_RP_AK, app, QKD_SEND_REPLY, NULL};
    (void)KSA_SEND(ksa, event, to, key_supply_rsp, answer, out); /* lost: it was supplied once */
}

static void refusal_send(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                         const struct ksa_echo *echo, uint8_t reason, struct qkd_out *out)
{
    struct wire_key_supply_rsp answer = answer_of(ksa, echo, WIRE_INSUFFICIENT);
    answer.has_reason = true;
    answer.reason = reason;
    answer_send(ksa, event, app, &answer, out);
}

void ksa_answer_refused(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                        const struct ksa_echo *echo, enum wire_reason reason, struct qkd_out *out)
{
    struct ksa_answer memory = {.peer = app,
                                .message_id = echo->message_id,
                                .code = WIRE_INSUFFICIENT,
                                .reason = (uint8_t)reason};
    ksa_recent_answer(&ksa->recent, &memory);
    ksa_account_refused(ksa, event, app);
    refusal_send(ksa, event, app, echo, (uint8_t)reason, out);
}

void ksa_answer_part(struct ksa *ksa, const struct qkd_event *event, const struct ksa_part *part,
                     struct qkd_out *out)
{
    struct wire_key_supply_rsp answer = answer_of(ksa, part->echo, part->code);
    answer.has_key_size = true;
    answer.key_size = part->key_size;
    answer.has_count_id = true;
    answer.count_id = part->count_id;
    answer.has_key_ids = true;
    answer.key_ids = part->ids;
    answer.has_key_data = true;
    answer.key_data = part->keys;
    answer.has_grade = true;
    answer.grade = part->grade;
    answer.has_more_targets = part->more_targets.len > 0;
    answer.more_targets = part->more_targets;
    answer_send(ksa, event, part->app, &answer, out);
}

void ksa_answer_supply(struct ksa *ksa, const struct qkd_event *event,
                       const struct ksa_answer_keys *keys, struct qkd_out *out)
{
    const struct ksa_batch *batch = keys->batch;
    size_t first = keys->place < 0 ? 0 : (size_t)keys->place;
    size_t count = keys->place < 0 ? batch->count : 1;
    size_t len = batch->key_size / 8;
    struct ksa_part part = {
        .app = keys->app,
        .echo = keys->echo,
        .key_size = batch->key_size,
        .grade = batch->grade,
        .code = keys->code,
        .count_id = keys->count_id,
        .ids = {ksa_batch_ids(ksa, batch) + first * KSA_ID_LEN, count * KSA_ID_LEN},
        .keys = {ksa_batch_keys(ksa, batch) + first * len, count * len},
    };
    struct ksa_answer memory = {.peer = keys->app,
                                .message_id = keys->echo->message_id,
                                .code = keys->code,
                                .reason = WIRE_REASON_UNKNOWN_KEY};
    if (keys->code == WIRE_SUFFICIENT) {
        ksa_recent_answer(&ksa->recent, &memory); /* asked again: these keys are gone */
    }
    ksa_account_supplied(ksa, event, keys->app, batch, (uint32_t)count);
    ksa_answer_part(ksa, event, &part, out);
}

void ksa_answer_status(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                       const struct ksa_echo *echo, struct wire_bytes status, struct qkd_out *out)
{
    struct wire_key_supply_rsp answer = answer_of(ksa, echo, WIRE_STATUS_TABLE);
    answer.has_status = true;
    answer.status = status;
    ksa_recent_forget(&ksa->recent, app, echo->message_id); /* asking again is harmless */
    answer_send(ksa, event, app, &answer, out);
}

struct qkd_eid ksa_target_of(const struct ksa *ksa, struct qkd_eid app, struct qkd_eid target)
{
    enum qkd_role role = qkd_eid_role(target);
    const struct ksa_app *entry = ksa_directory_find(ksa, app);
    bool km = role == QKD_ROLE_KMA || role == QKD_ROLE_KSA || role == QKD_ROLE_KMC;
    if (km && entry != NULL && qkd_eid_node(entry->peer_app) == qkd_eid_node(target)) {
        return entry->peer_app;
    }
    return target;
}

bool ksa_source_good(const struct ksa *ksa, struct qkd_eid app, struct qkd_eid source)
{
    return qkd_eid_eq(source, app) || qkd_eid_eq(source, ksa->self) ||
           qkd_eid_eq(source, ksa->kma) || qkd_eid_eq(source, ksa->kmc);
}

/* Whether an application may have keys with those that it names. */
static enum wire_reason target_check(const struct ksa *ksa, const struct ksa_need *need)
{
    enum wire_reason reason = ksa_directory_check(ksa, need->app, need->target);
    reason = reason == WIRE_REASON_NONE ? ksa_access_check(ksa, need->app, need->target) : reason;
    return reason == WIRE_REASON_NONE ? ksa_group_check(ksa, need) : reason;
}

enum wire_reason ksa_request_admit(struct ksa *ksa, const struct qkd_event *event,
                                   const struct ksa_echo *echo, const struct ksa_need *need,
                                   struct qkd_out *out)
{
    enum wire_reason reason = target_check(ksa, need);
    if (reason == WIRE_REASON_NONE) {
        reason = ksa_access_rate(ksa, event, need->app, (uint64_t)need->amount * need->key_size);
    } else if (reason == WIRE_REASON_UNAUTHORIZED || reason == WIRE_REASON_ACCESS_DENIED) {
        chan_report_security(&ksa->reports, event, WIRE_FAULT_DENIED, QKD_RP_AK, out);
    }
    return reason == WIRE_REASON_NONE ? ksa_request_open(ksa, event, echo, need, out) : reason;
}

/* Authorization first, then whether the request makes sense. Fills need when the answer is NONE. */
static enum wire_reason request_check(const struct ksa *ksa, struct qkd_eid app,
                                      const struct wire_key_supply *command, struct ksa_need *need)
{
    const struct ksa_app *entry = ksa_directory_find(ksa, app);
    if (command->application_code == WIRE_FOR_DECRYPTION &&
        (QKDN_MUTANT(RIGHTS_BLIND) || QKDN_MUTANT(PROBE_TELLS) ||
         qkd_is_off(ksa->config->measures_off, QKD_MEASURE_AUTHORIZATION))) {
        return WIRE_REASON_NONE;
    }
    if (entry == NULL || !ksa_source_good(ksa, app, command->source_id) ||
        !qkd_eid_eq(command->head.sender, app) || qkd_eid_node(app) != ksa->config->node) {
        return WIRE_REASON_UNAUTHORIZED;
    }
    uint8_t level = command->has_level && command->level > entry->level ? command->level
                                                                        : entry->level;
    *need = (struct ksa_need){
        .app = app,
        .target = ksa_target_of(ksa, app, command->target_id),
        .key_size = command->has_key_size ? command->key_size : ksa->config->unit_bits,
        .amount = command->key_amount,
        .timeout_ms = command->has_timeout_ms && command->timeout_ms > 0 ? command->timeout_ms
                                                                         : KSA_TIMEOUT_MS,
        .level = level,
        .relay = entry->relay,
        .paths = entry->paths,
        .class_number = entry->class_number,
        .wait = command->has_wait && command->wait != 0,
        .more_targets = command->has_more_targets ? command->more_targets
                                                  : (struct wire_bytes){NULL, 0},
    };
    bool named = !ksa_resolve_wanted(command); /* else it is not known yet who is asked for */
    enum wire_reason reason = WIRE_REASON_NONE;
    if (command->application_code == WIRE_FOR_ENCRYPTION && named) {
        reason = target_check(ksa, need);
    }
    if (reason == WIRE_REASON_NONE && command->has_reserved && command->reserved != 0 &&
        !ksa_session_is_open(ksa, app, need->target, command->session_id)) {
        reason = WIRE_REASON_NO_SESSION;
    }
    bool status = command->has_key_amount && need->amount == 0; /* anybody may ask for it */
    if (status && (reason == WIRE_REASON_UNAUTHORIZED || reason == WIRE_REASON_ACCESS_DENIED)) {
        need->barred = true;
        reason = WIRE_REASON_NONE;
    }
    bool size_good = need->key_size >= KSA_KEY_BITS_LEAST && need->key_size <= KSA_KEY_BITS_MOST &&
                     need->key_size % 8 == 0;
    bool encryption = command->application_code == WIRE_FOR_ENCRYPTION && size_good &&
                      command->has_key_amount && need->amount <= KSA_KEYS_PER_REQUEST &&
                      level <= WIRE_LEVEL_OTP_ONLY &&
                      (!named || qkd_eid_node(need->target) != ksa->config->node);
    bool decryption = command->application_code == WIRE_FOR_DECRYPTION &&
                      (command->has_key_id || command->has_key_ids);
    if (reason == WIRE_REASON_NONE && !encryption && !decryption) {
        reason = WIRE_REASON_BAD_REQUEST;
    }
    return reason;
}

/* A Message ID seen before is not executed twice (D23-GM-04). True if this was one. */
static bool repeated(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                     const struct ksa_echo *echo, struct qkd_out *out)
{
    const struct ksa_answer *known = ksa_recent_find(&ksa->recent, app, echo->message_id);
    if (known == NULL) {
        return false;
    }
    if (known->state == KSA_ANSWER_DONE) {
        refusal_send(ksa, event, app, echo, known->reason, out);
    } else {
        ksa_request_again(ksa, event, app, known, out);
    }
    return true;
}

static void on_key_supply(struct ksa *ksa, const struct qkd_event *event,
                          const struct chan_message *message, struct qkd_out *out)
{
    struct wire_key_supply command;
    int err = wire_key_supply_decode(&command, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    struct qkd_eid app = message->peer;
    struct ksa_echo echo = echo_of(&command);
    struct ksa_need need;
    bool drop;
    enum wire_reason quota = ksa_quota(ksa, event, &(struct ksa_asked){app, echo.message_id},
                                       &drop);
    if (drop) {
        return;
    }
    /* A fetch by ID needs no memory: executed again it finds that its key is gone. */
    if (command.application_code != WIRE_FOR_DECRYPTION) {
        if (repeated(ksa, event, app, &echo, out)) {
            return;
        }
        ksa_recent_add(&ksa->recent, app, echo.message_id);
    }
    enum wire_reason reason = quota != WIRE_REASON_NONE ? quota
                                                        : request_check(ksa, app, &command, &need);
    if (reason == WIRE_REASON_UNAUTHORIZED || reason == WIRE_REASON_ACCESS_DENIED) {
        chan_report_security(&ksa->reports, event, WIRE_FAULT_DENIED, QKD_RP_AK, out);
    }
    if (reason == WIRE_REASON_NONE) {
        if (command.application_code == WIRE_FOR_DECRYPTION && command.has_key_ids) {
            ksa_supply_list(ksa, event, &command, &echo, out);
            return;
        }
        if (command.application_code == WIRE_FOR_DECRYPTION) {
            ksa_supply_by_id(ksa, event, app, &echo, out);
            return;
        }
        if (ksa_resolve_wanted(&command)) {
            reason = ksa_resolve_open(ksa, event, &command, &echo, &need, out);
            if (reason != WIRE_REASON_NONE) {
                ksa_answer_refused(ksa, event, app, &echo, reason, out);
            }
            return;
        }
        bool is_reserved = command.has_reserved && command.reserved != 0; /* its rate is given */
        uint64_t bits = (uint64_t)need.amount * need.key_size;
        if (is_reserved) {
            need.is_guaranteed = ksa->config->class_count > 0 &&
                                 ksa_session_rate(ksa, event, app, command.session_id, bits);
        } else {
            reason = ksa_access_rate(ksa, event, app, bits);
        }
        if (reason == WIRE_REASON_NONE) {
            reason = need.amount == 0 ? ksa_status_open(ksa, event, &echo, &need, out)
                                      : ksa_request_open(ksa, event, &echo, &need, out);
        }
    }
    if (reason != WIRE_REASON_NONE) {
        ksa_answer_refused(ksa, event, app, &echo, reason, out);
    }
}

void ksa_on_application(struct ksa *ksa, const struct qkd_event *event,
                        const struct chan_message *message, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, message->bytes, message->len);
    if (err != QKD_OK) {
        ksa_bad_bytes(ksa, message, err, out);
        return;
    }
    switch (head.command) {
    case WIRE_CMD_KEY_SUPPLY:
        on_key_supply(ksa, event, message, out);
        break;
    case WIRE_CMD_KEY_DELETE:
        ksa_on_delete(ksa, event, message, out);
        break;
    case WIRE_CMD_SESSION_OPEN:
        ksa_on_session_open(ksa, event, message, out);
        break;
    case WIRE_CMD_SESSION_CLOSE:
        ksa_on_session_close(ksa, event, message, out);
        break;
    default:
        if (head.orig_message_id == 0) { /* D23-GM-03: a command that nobody here knows */
            struct ksa_echo echo = {.message_id = head.message_id};
            refusal_send(ksa, event, message->peer, &echo, WIRE_REASON_BAD_REQUEST, out);
        }
    }
}
