/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions of an SAE outside (QKD_RP_SAE): keys to encrypt with, keys by ID, the status table. Each
 * is a command at Ak like those of the load, and is answered once: with all its keys or with none.
 * Keys that come in several sub-sessions (FG QIT4N D2.3 Table 7-5) are kept until the last has come,
 * then handed over and wiped. Questions do not survive the agent; their keys are lost then. */
#include <stdlib.h>

#include "core/app/element.h"
#include "core/base/err.h"
#include "core/crypto/crypto.h"

enum { ID_LEN = sizeof(struct qkd_id), SIZE_LEN = 4, KEY_BYTES_MOST = 512 };

static struct app_sae *sae_at(const struct app *app, uint32_t slot)
{
    return qkd_slab_at(&app->saes, slot);
}

/* ---- answers ---- */

static void reply(struct app *app, const struct app_sae *sae, struct qkd_slice slice,
                  uint32_t flags, struct qkd_out *out)
{
    qkd_out_send(out, &(struct qkd_send){.rp = QKD_RP_SAE,
                                         .flags = QKD_SEND_REPLY | flags,
                                         .from = app->config.self,
                                         .to = sae->front,
                                         .bytes = slice,
                                         .observed = slice});
}

static struct wire_head head_of(struct app *app, uint64_t orig)
{
    return (struct wire_head){.rp = QKD_RP_SAE,
                              .message_id = app->next_message_id++,
                              .orig_message_id = orig,
                              .sender = app->config.self};
}

static void reply_keys(struct app *app, const struct app_sae *sae, enum wire_reason reason,
                       struct qkd_out *out)
{
    bool keyed = reason == WIRE_REASON_NONE;
    struct wire_sae_keys message = {.head = head_of(app, sae->message_id),
                                    .reason = (uint8_t)reason};
    if (keyed) {
        const uint8_t *sizes = sae->room + (size_t)sae->wanted * ID_LEN;
        message.has_key_ids = message.has_key_sizes = message.has_key_data = true;
        message.key_ids = (struct wire_bytes){sae->room, (size_t)sae->wanted * ID_LEN};
        message.key_sizes = (struct wire_bytes){sizes, (size_t)sae->wanted * SIZE_LEN};
        message.key_data = (struct wire_bytes){sizes + (size_t)sae->wanted * SIZE_LEN,
                                               sae->key_len};
        message.has_grade = true;
        message.grade = sae->grade;
    }
    struct qkd_slice slice = qkd_out_reserve(out, wire_sae_keys_size(&message));
    if (slice.len > 0) {
        int len = wire_sae_keys_encode(&message, qkd_out_at(out, slice), slice.len);
        QKD_ASSERT(len == (int)slice.len);
        reply(app, sae, slice, keyed ? QKD_SEND_KEYS : 0, out);
    }
}

static void reply_status(struct app *app, const struct app_sae *sae, enum wire_reason reason,
                         const struct wire_bytes *status, struct qkd_out *out)
{
    struct wire_sae_status_rsp message = {.head = head_of(app, sae->message_id),
                                          .reason = (uint8_t)reason,
                                          .has_status = status != NULL};
    if (status != NULL) {
        message.status = *status;
    }
    struct qkd_slice slice = qkd_out_reserve(out, wire_sae_status_rsp_size(&message));
    if (slice.len > 0) {
        int len = wire_sae_status_rsp_encode(&message, qkd_out_at(out, slice), slice.len);
        QKD_ASSERT(len == (int)slice.len);
        reply(app, sae, slice, 0, out);
    }
}

void app_sae_answer(struct app *app, const struct app_command *command, enum wire_reason reason,
                    struct qkd_out *out)
{
    const struct app_sae *sae = sae_at(app, command->sae);
    if (reason == WIRE_REASON_NONE && sae->count != sae->wanted) {
        reason = WIRE_REASON_INSUFFICIENT_KEY; /* the KSA said that this was all */
    }
    reply_keys(app, sae, reason, out);
}

/* ---- keys that come ---- */

/* Room for all IDs and sizes and for `more` bytes of keys beyond those that are there. */
static bool room_make(struct app_sae *sae, size_t more)
{
    if (sae->room != NULL && more <= sae->key_cap - sae->key_len) {
        return true;
    }
    size_t front = (size_t)sae->wanted * (ID_LEN + SIZE_LEN);
    size_t cap = sae->room == NULL ? more : 2 * (sae->key_len + more);
    uint8_t *room = malloc(front + cap);
    if (room == NULL) {
        return false;
    }
    if (sae->room != NULL) {
        memcpy(room, sae->room, front + sae->key_len);
        crypto_wipe(sae->room, front + sae->key_cap);
        free(sae->room);
    }
    sae->room = room;
    sae->key_cap = cap;
    return true;
}

bool app_sae_keys(struct app *app, const struct app_command *command,
                  const struct wire_key_supply_rsp *answer)
{
    struct app_sae *sae = sae_at(app, command->sae);
    uint32_t count = (uint32_t)(answer->key_ids.len / ID_LEN);
    size_t each = answer->key_data.len / count;
    if (count > sae->wanted - sae->count || !room_make(sae, answer->key_data.len)) {
        return false;
    }
    uint8_t *sizes = sae->room + (size_t)sae->wanted * ID_LEN;
    uint8_t *keys = sizes + (size_t)sae->wanted * SIZE_LEN;
    memcpy(sae->room + (size_t)sae->count * ID_LEN, answer->key_ids.at, answer->key_ids.len);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_u32(sizes + (size_t)(sae->count + i) * SIZE_LEN, (uint32_t)(each * 8));
    }
    memcpy(keys + sae->key_len, answer->key_data.at, answer->key_data.len);
    sae->grade = app_grade_weaker(sae->grade, answer->grade);
    sae->key_len += answer->key_data.len;
    sae->count += count;
    return true;
}

/* Whether a sub-session of fetched keys is new and names the keys that come next. */
static bool part_good(const struct app_command *command, const struct app_sae *sae,
                      const struct wire_key_supply_rsp *answer)
{
    size_t count = answer->key_ids.len / ID_LEN;
    return answer->has_key_ids && answer->has_key_data && answer->count_id == command->parts + 1 &&
           count > 0 && answer->key_ids.len % ID_LEN == 0 && count <= sae->wanted - sae->count &&
           memcmp(answer->key_ids.at, sae->ids + (size_t)sae->count * ID_LEN,
                  answer->key_ids.len) == 0 &&
           answer->key_data.len > 0 && answer->key_data.len <= count * KEY_BYTES_MOST &&
           answer->key_data.len == count * (answer->key_size / 8);
}

static void report_fetched(const struct app *app, const struct app_sae *sae, struct qkd_out *out)
{
    for (uint32_t i = 0; i < sae->count; i++) {
        const uint8_t *sizes = sae->room + (size_t)sae->wanted * ID_LEN;
        struct qkd_report report = {.code = QKD_REPORT_FETCHED,
                                    .who = app->config.self,
                                    .peer = sae->other,
                                    .a = wire_get_u32(sizes + (size_t)i * SIZE_LEN)};
        memcpy(report.id.b, sae->room + (size_t)i * ID_LEN, ID_LEN);
        qkd_out_report(out, &report);
    }
}

static void fetch_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                           const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    struct app_sae *sae = sae_at(app, command->sae);
    enum wire_reason reason = WIRE_REASON_NONE;
    (void)event;
    if (answer->code == WIRE_INSUFFICIENT) {
        reason = answer->reason != 0 ? (enum wire_reason)answer->reason : WIRE_REASON_UNKNOWN_KEY;
    } else if ((answer->code != WIRE_SUCCESS && answer->code != WIRE_SUFFICIENT) ||
               !part_good(command, sae, answer)) {
        return;
    } else if (!app_sae_keys(app, command, answer)) {
        reason = WIRE_REASON_OVERLOAD;
    } else {
        command->parts = answer->count_id;
        if (answer->code == WIRE_SUCCESS) {
            return; /* more to come */
        }
        report_fetched(app, sae, out);
    }
    app_sae_answer(app, command, reason, out);
    app_command_end(app, slot);
}

void app_sae_answered(struct app *app, const struct qkd_event *event, uint32_t slot,
                      const struct wire_key_supply_rsp *answer, struct qkd_out *out)
{
    const struct app_command *command = app_command_at(app, slot);
    if (command->kind == APP_FETCH_LIST) {
        fetch_answered(app, event, slot, answer, out);
        return;
    }
    if (answer->code == WIRE_STATUS_TABLE && answer->has_status) {
        reply_status(app, sae_at(app, command->sae), WIRE_REASON_NONE, &answer->status, out);
    } else if (answer->code == WIRE_INSUFFICIENT) {
        reply_status(app, sae_at(app, command->sae),
                     answer->reason != 0 ? (enum wire_reason)answer->reason
                                         : WIRE_REASON_BAD_REQUEST,
                     NULL, out);
    } else {
        return;
    }
    app_command_end(app, slot);
}

void app_sae_timeout(struct app *app, const struct qkd_event *event, uint32_t slot,
                     struct qkd_out *out)
{
    const struct app_command *command = app_command_at(app, slot);
    enum wire_reason reason = command->sent ? WIRE_REASON_TIMEOUT : WIRE_REASON_UNREACHABLE;
    (void)event;
    if (command->kind == APP_FETCH_LIST) {
        app_sae_answer(app, command, reason, out);
    } else {
        reply_status(app, sae_at(app, command->sae), reason, NULL, out);
    }
    app_command_end(app, slot);
}

/* ---- questions ---- */

void app_sae_end(struct app *app, uint32_t slot)
{
    struct app_sae *sae = sae_at(app, slot);
    if (sae->room != NULL) {
        crypto_wipe(sae->room, (size_t)sae->wanted * (ID_LEN + SIZE_LEN) + sae->key_cap);
        free(sae->room);
    }
    free(sae->ids);
    qkd_slab_give(&app->saes, slot);
}

void app_sae_fini(struct app *app)
{
    for (uint32_t slot = 0; slot < app->saes.top; slot++) {
        if (qkd_slab_live(&app->saes, slot)) {
            app_sae_end(app, slot);
        }
    }
    qkd_slab_fini(&app->saes);
}

/* Ties a question to the command that serves it; false: no room. */
static bool sae_begin(struct app *app, uint32_t slot, const struct app_sae *asked)
{
    uint32_t sae = qkd_slab_take(&app->saes);
    if (sae != QKD_SLAB_NONE) {
        *sae_at(app, sae) = *asked;
        app_command_at(app, slot)->sae = sae;
    }
    return sae != QKD_SLAB_NONE;
}

static void get_asked(struct app *app, const struct qkd_event *event, struct app_sae *asked,
                      const struct wire_sae_get *get, struct qkd_out *out)
{
    uint32_t own_ms = (uint32_t)(app->config.timeout.ns / QKD_NS_PER_MS);
    uint32_t key_size = get->has_key_size ? get->key_size : app->config.key_bits;
    bool shorter = get->has_timeout_ms && get->timeout_ms > 0 && get->timeout_ms < own_ms;
    asked->timeout_ms = shorter ? get->timeout_ms : own_ms;
    asked->wanted = get->number;
    bool fits = !get->has_more_targets ||
                (get->more_targets.len % 8 == 0 && get->more_targets.len <= sizeof asked->more);
    if (get->number == 0 || get->number > APP_SAE_NUMBER_MOST || key_size == 0 || !fits) {
        reply_keys(app, asked, WIRE_REASON_BAD_REQUEST, out);
        return;
    }
    if (get->has_more_targets && get->more_targets.len > 0) {
        memcpy(asked->more, get->more_targets.at, get->more_targets.len);
        asked->more_len = (uint32_t)get->more_targets.len;
    }
    uint32_t slot = app_request_begin(app, event, get->number, key_size, 1 + asked->more_len / 8,
                                      out);
    if (slot == QKD_SLAB_NONE) {
        reply_keys(app, asked, WIRE_REASON_OVERLOAD, out);
    } else if (!sae_begin(app, slot, asked)) {
        app_request_refuse(app, event, slot, WIRE_REASON_OVERLOAD, out);
        reply_keys(app, asked, WIRE_REASON_OVERLOAD, out);
    } else {
        app_command_send(app, event, slot, out);
    }
}

static void fetch_asked(struct app *app, const struct qkd_event *event, struct app_sae *asked,
                        const struct wire_sae_fetch *fetch, struct qkd_out *out)
{
    size_t len = fetch->key_ids.len;
    if (len == 0 || len % ID_LEN != 0 || len > (size_t)APP_SAE_NUMBER_MOST * ID_LEN) {
        reply_keys(app, asked, WIRE_REASON_BAD_REQUEST, out);
        return;
    }
    asked->wanted = (uint32_t)(len / ID_LEN);
    uint32_t slot = app_command_begin(app, event, APP_FETCH_LIST, app->config.timeout);
    asked->ids = slot == QKD_SLAB_NONE ? NULL : malloc(len);
    if (asked->ids == NULL || !sae_begin(app, slot, asked)) {
        free(asked->ids);
        if (slot != QKD_SLAB_NONE) {
            app_command_end(app, slot);
        }
        reply_keys(app, asked, WIRE_REASON_OVERLOAD, out);
        return;
    }
    memcpy(asked->ids, fetch->key_ids.at, len);
    app_command_at(app, slot)->session_id = app_command_at(app, slot)->message_id;
    app_command_send(app, event, slot, out);
}

static void status_asked(struct app *app, const struct qkd_event *event,
                         const struct app_sae *asked, struct qkd_out *out)
{
    uint32_t slot = app_command_begin(app, event, APP_STATUS, app->config.timeout);
    if (slot == QKD_SLAB_NONE || !sae_begin(app, slot, asked)) {
        if (slot != QKD_SLAB_NONE) {
            app_command_end(app, slot);
        }
        reply_status(app, asked, WIRE_REASON_OVERLOAD, NULL, out);
        return;
    }
    app_command_at(app, slot)->key_size = app->config.key_bits;
    app_command_at(app, slot)->session_id = app_command_at(app, slot)->message_id;
    app_command_send(app, event, slot, out);
}

/* The other SAE: whom the question names, or the agent's partner. */
static struct qkd_eid other_of(const struct app *app, struct qkd_eid named)
{
    return qkd_eid_eq(named, QKD_NOBODY) ? app->config.partner : named;
}

bool app_sae_asked(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    struct qkd_eid from = event->u.recv.from;
    const uint8_t *bytes = event->u.recv.bytes;
    size_t len = event->u.recv.len;
    struct wire_head head;
    union {
        struct wire_sae_get get;
        struct wire_sae_fetch fetch;
        struct wire_sae_status status;
    } u;
    if (qkd_eid_role(from) != QKD_ROLE_LOAD ||
        qkd_eid_node(from) != qkd_eid_node(app->config.self) ||
        wire_head_decode(&head, bytes, len) != QKD_OK) {
        return false;
    }
    struct app_sae asked = {.front = from, .message_id = head.message_id};
    switch (head.command) {
    case WIRE_CMD_SAE_GET:
        if (wire_sae_get_decode(&u.get, bytes, len) != QKD_OK) {
            return false;
        }
        asked.other = other_of(app, u.get.target);
        get_asked(app, event, &asked, &u.get, out);
        return true;
    case WIRE_CMD_SAE_FETCH:
        if (wire_sae_fetch_decode(&u.fetch, bytes, len) != QKD_OK) {
            return false;
        }
        asked.other = other_of(app, u.fetch.source);
        fetch_asked(app, event, &asked, &u.fetch, out);
        return true;
    case WIRE_CMD_SAE_STATUS:
        if (wire_sae_status_decode(&u.status, bytes, len) != QKD_OK) {
            return false;
        }
        asked.other = other_of(app, u.status.target);
        status_asked(app, event, &asked, out);
        return true;
    default:
        return false;
    }
}
