/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands of an application agent at Ak (FG QIT4N D2.3 Tables 7-4 and 7-6): key supply for
 * encryption (0x01) and decryption (0x02), and key deletion. Commands wait here, not in the
 * channel, until it is up, so that one that was given up meanwhile is never sent. */
#include "core/app/element.h"
#include "core/base/err.h"

#include <string.h>

enum { COMMAND_BYTES = 256 }; /* enough for every command but a fetch of many keys */

uint32_t app_command_begin(struct app *app, const struct qkd_event *event, enum app_kind kind,
                           struct qkd_span life)
{
    uint32_t slot = qkd_slab_take(&app->commands);
    if (slot == QKD_SLAB_NONE) {
        return slot;
    }
    struct app_command *command = app_command_at(app, slot);
    command->kind = (uint8_t)kind;
    command->end = qkd_time_add(event->now, life);
    command->next_unsent = command->sae = command->list = QKD_SLAB_NONE;
    command->message_id = app->next_message_id++;
    command->timer = qkd_timers_set(&app->timers, command->end, slot);
    if (command->timer == QKD_TIMER_NONE ||
        qkd_map_put(&app->by_id, &command->message_id, slot) != QKD_OK) {
        qkd_timers_cancel(&app->timers, &command->timer);
        qkd_slab_give(&app->commands, slot);
        return QKD_SLAB_NONE;
    }
    app->requests += kind == APP_REQUEST;
    return slot;
}

/* Takes a command out of the line of those that wait for the channel. */
static void unsent_remove(struct app *app, uint32_t slot)
{
    uint32_t before = QKD_SLAB_NONE;
    uint32_t i = app->first_unsent;
    while (i != QKD_SLAB_NONE && i != slot) {
        before = i;
        i = app_command_at(app, i)->next_unsent;
    }
    if (i == QKD_SLAB_NONE) {
        return;
    }
    uint32_t next = app_command_at(app, slot)->next_unsent;
    if (before == QKD_SLAB_NONE) {
        app->first_unsent = next;
    } else {
        app_command_at(app, before)->next_unsent = next;
    }
    if (app->last_unsent == slot) {
        app->last_unsent = before;
    }
}

void app_command_end(struct app *app, uint32_t slot)
{
    struct app_command *command = app_command_at(app, slot);
    if (command->unsent) {
        unsent_remove(app, slot);
    }
    app->requests -= command->kind == APP_REQUEST;
    if (command->sae != QKD_SLAB_NONE) {
        app_sae_end(app, command->sae);
    }
    if (command->list != QKD_SLAB_NONE) {
        qkd_slab_give(&app->lists, command->list);
    }
    (void)qkd_map_del(&app->by_id, &command->message_id);
    qkd_timers_cancel(&app->timers, &command->timer);
    qkd_slab_give(&app->commands, slot);
}

uint32_t app_command_find(const struct app *app, uint64_t message_id)
{
    return qkd_map_get(&app->by_id, &message_id);
}

static struct wire_head head_of(const struct app *app, const struct app_command *command)
{
    return (struct wire_head){.rp = QKD_RP_AK,
                              .message_id = command->message_id,
                              .sender = app->config.self};
}

static void supply_encryption(const struct app *app, const struct app_command *command,
                              const struct app_sae *sae, struct wire_key_supply *message)
{
    message->application_code = WIRE_FOR_ENCRYPTION;
    message->has_key_amount = true;
    message->key_amount = command->count;
    message->has_level = true;
    message->level = app->config.level;
    message->has_timeout_ms = true;
    message->timeout_ms = sae != NULL ? sae->timeout_ms
                                      : (uint32_t)(app->config.timeout.ns / QKD_NS_PER_MS);
    message->has_wait = true;
    message->wait = app->config.wait;
    if (app->config.by_address && sae == NULL) {
        const char *name = app->config.network;
        bool is_name = name != NULL;
        message->target_id = QKD_NOBODY;
        message->has_target_address = !is_name;
        memcpy(message->target_address.b, app->config.address, sizeof message->target_address.b);
        message->has_target_network = is_name;
        message->target_network = (struct wire_bytes){(const uint8_t *)name,
                                                      is_name ? strlen(name) : 0};
    }
    message->more_targets = app_command_more(app, command);
    message->has_more_targets = command->kind == APP_REQUEST && message->more_targets.len > 0;
    message->has_reserved = command->reserved;
    message->reserved = command->reserved;
}

/* The message of a key-supply command; what it points at is the command's. */
static struct wire_key_supply supply_of(const struct app *app, const struct app_command *command)
{
    const struct app_sae *sae = command->sae == QKD_SLAB_NONE
                                    ? NULL
                                    : qkd_slab_at(&app->saes, command->sae);
    struct wire_key_supply message = {
        .head = head_of(app, command),
        .source_id = app->config.self,
        .target_id = app_command_other(app, command),
        .session_id = command->session_id,
        .has_key_size = command->kind != APP_FETCH_LIST && command->list == QKD_SLAB_NONE,
        .key_size = command->key_size,
    };
    if (command->kind == APP_REQUEST || command->kind == APP_STATUS) {
        supply_encryption(app, command, sae, &message);
    } else if (command->list != QKD_SLAB_NONE) {
        message.application_code = WIRE_FOR_DECRYPTION;
        message.has_key_ids = true;
        message.key_ids = app_command_ids(app, command);
    } else if (command->kind == APP_FETCH_LIST) {
        QKD_ASSERT(sae != NULL); /* only an SAE fetches so */
        message.application_code = WIRE_FOR_DECRYPTION;
        message.has_key_ids = true;
        message.key_ids = (struct wire_bytes){sae->ids,
                                              (size_t)sae->wanted * sizeof(struct qkd_id)};
    } else {
        message.application_code = WIRE_FOR_DECRYPTION;
        message.has_key_id = true;
        message.key_id = command->key_id;
    }
    return message;
}

/* A master deletes the keys of a session, a slave one key: others of it may not be fetched yet. */
static int encode_delete(const struct app *app, const struct app_command *command, uint8_t *to,
                         size_t cap)
{
    bool one = !qkd_id_is_zero(&command->key_id);
    struct wire_key_delete message = {
        .head = head_of(app, command),
        .source_id = app->config.self,
        .target_id = app->config.partner,
        .session_id = command->session_id,
        .application_code = one ? WIRE_FOR_DECRYPTION : WIRE_FOR_ENCRYPTION,
        .has_key_ids = one,
        .key_ids = {command->key_id.b, one ? sizeof command->key_id.b : 0},
    };
    return wire_key_delete_encode(&message, to, cap);
}

static void transmit(struct app *app, const struct qkd_event *event, struct app_command *command,
                     struct qkd_out *out)
{
    uint8_t small[COMMAND_BYTES];
    uint8_t *bytes = small;
    int len;
    if (command->kind == APP_DELETE) {
        len = encode_delete(app, command, small, sizeof small);
    } else {
        struct wire_key_supply message = supply_of(app, command);
        size_t size = wire_key_supply_size(&message);
        bytes = size <= sizeof small ? small : qkd_out_scratch(out, size);
        len = bytes == NULL ? QKD_ERR_NOMEM : wire_key_supply_encode(&message, bytes, size);
    }
    QKD_ASSERT(len > 0 || bytes == NULL);
    if (len > 0) {
        struct chan_send send = {QKD_RP_AK, app->ksa, bytes, (size_t)len, 0};
        (void)chan_send(app->chans, event, &send, out); /* lost: the command's timer knows */
    }
    command->sent = true;
    command->tries++;
}

void app_command_send(struct app *app, const struct qkd_event *event, uint32_t slot,
                      struct qkd_out *out)
{
    struct app_command *command = app_command_at(app, slot);
    if (chan_is_up(app->chans, QKD_RP_AK, app->ksa)) {
        transmit(app, event, command, out);
        return;
    }
    if (command->sent || command->unsent) {
        return; /* a repetition: the next one may find the channel up */
    }
    command->unsent = true;
    if (app->last_unsent == QKD_SLAB_NONE) {
        app->first_unsent = slot;
    } else {
        app_command_at(app, app->last_unsent)->next_unsent = slot;
    }
    app->last_unsent = slot;
    (void)chan_open(app->chans, event, QKD_RP_AK, app->ksa, out);
}

/* The KSA may have lost what it was sent before, with its channel: it answers a Message ID that it
 * knows without executing it again. */
static void sent_repeat(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < app->commands.top; slot++) {
        if (qkd_slab_live(&app->commands, slot) && app_command_at(app, slot)->sent) {
            transmit(app, event, app_command_at(app, slot), out);
        }
    }
}

void app_connected(struct app *app, const struct qkd_event *event, struct qkd_out *out)
{
    sent_repeat(app, event, out);
    while (app->first_unsent != QKD_SLAB_NONE) {
        struct app_command *command = app_command_at(app, app->first_unsent);
        app->first_unsent = command->next_unsent;
        command->next_unsent = QKD_SLAB_NONE;
        command->unsent = false;
        transmit(app, event, command, out);
    }
    app->last_unsent = QKD_SLAB_NONE;
}
