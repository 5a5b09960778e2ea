/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a KSA tells the manager, by way of the KM's control and management function: life-cycle
 * records with the KSA-key metadata of Table 7-1 (FG QIT4N D2.3 clauses 7.1.5, 7.1.6; D23-MD-21 ...
 * 26), and the account of each application. Key bytes are in none of them. */
#include "core/km/ksa_element.h"

/* Each record says what its action adds; the manager's chain of a key has the rest. Reports are half
 * of what a busy network seals. */
static struct wire_life life_of(const struct ksa *ksa, const struct qkd_event *event,
                                enum wire_action action)
{
    return (struct wire_life){.when = event->wall, .at = ksa->self, .action = (uint8_t)action};
}

static struct wire_life received(const struct ksa *ksa, const struct qkd_event *event,
                                 const struct ksa_batch *batch)
{
    struct wire_life life = life_of(ksa, event, WIRE_ACTION_RECEPTION);
    life.key_class = WIRE_CLASS_KMA;
    life.id = batch->kma_id;
    life.has_key_length = life.has_source = life.has_destination = true;
    life.key_length = batch->count * batch->key_size;
    life.source = qkd_eid_sibling(batch->source_app, QKD_ROLE_KMA);
    life.destination = qkd_eid_sibling(batch->target_app, QKD_ROLE_KMA);
    life.has_method = batch->grade != 0;
    life.method = batch->grade;
    return life;
}

void ksa_life_batch(struct ksa *ksa, const struct qkd_event *event, const struct ksa_batch *batch,
                    enum wire_action action, enum wire_reason reason, struct qkd_out *out)
{
    struct wire_life life = life_of(ksa, event, action);
    life.key_class = WIRE_CLASS_KMA;
    life.id = batch->kma_id;
    if (action == WIRE_ACTION_RECEPTION) {
        life = received(ksa, event, batch);
    }
    life.has_reason = reason != WIRE_REASON_NONE;
    life.reason = (uint8_t)reason;
    chan_report_life(&ksa->reports, event, &life, out);
}

void ksa_life_accepted(struct ksa *ksa, const struct qkd_event *event,
                       const struct ksa_batch *batch, struct qkd_out *out)
{
    static const uint8_t then = WIRE_ACTION_AUTHENTICATION;
    struct wire_life life = received(ksa, event, batch);
    life.has_then = true;
    life.then = (struct wire_bytes){&then, 1};
    chan_report_life(&ksa->reports, event, &life, out);
}

/* The IDs of a batch stand one behind the other. */
void ksa_life_keys(struct ksa *ksa, const struct qkd_event *event, const struct ksa_run *run,
                   enum wire_action action, struct qkd_out *out)
{
    const struct ksa_batch *batch = run->batch;
    struct wire_life life = life_of(ksa, event, action);
    uint8_t then = (uint8_t)run->then;
    life.key_class = WIRE_CLASS_KSA;
    life.id = ksa_batch_id(ksa, batch, run->from);
    life.has_more_ids = run->count > 1;
    life.more_ids = (struct wire_bytes){ksa_batch_ids(ksa, batch) +
                                            ((size_t)run->from + 1) * KSA_ID_LEN,
                                        ((size_t)run->count - 1) * KSA_ID_LEN};
    life.has_then = then != 0;
    life.then = (struct wire_bytes){&then, 1};
    if (action == WIRE_ACTION_SYNCHRONIZATION || action == WIRE_ACTION_SUPPLY) {
        life.has_parent = life.has_key_length = true;
        life.parent = batch->kma_id;
        life.key_length = batch->key_size;
        life.has_source_app = life.has_target_app = true;
        life.source_app = batch->source_app;
        life.target_app = batch->target_app;
    }
    if (action == WIRE_ACTION_SUPPLY) {
        const struct ksa_app *app = ksa_directory_find(ksa, batch->slave ? batch->target_app
                                                                         : batch->source_app);
        life.has_method = batch->grade != 0;
        life.method = batch->grade;
        life.has_application = app != NULL;
        if (app != NULL) {
            life.application = app->name;
        }
    }
    chan_report_life(&ksa->reports, event, &life, out);
}

void ksa_life_key(struct ksa *ksa, const struct qkd_event *event, const struct ksa_batch *batch,
                  uint32_t place, enum wire_action action, struct qkd_out *out)
{
    struct ksa_run one = {.batch = batch, .from = place, .count = 1};
    ksa_life_keys(ksa, event, &one, action, out);
}

void ksa_life_supplied(struct ksa *ksa, const struct qkd_event *event, struct ksa_run *run,
                       struct qkd_out *out)
{
    run->then = ksa->config->preserve ? WIRE_ACTION_PRESERVATION : WIRE_ACTION_DELETION;
    ksa_life_keys(ksa, event, run, WIRE_ACTION_SUPPLY, out);
}

/* The first change of a period starts it. */
static void accounts_touch(struct ksa *ksa, const struct qkd_event *event)
{
    if (ksa->account_at.ns == QKD_NEVER.ns) {
        ksa->account_at = qkd_time_add(event->now, ksa->config->status_period);
    }
}

void ksa_account_supplied(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                          const struct ksa_batch *batch, uint32_t keys)
{
    struct ksa_app *entry = ksa_directory_find(ksa, app);
    if (entry == NULL) {
        return;
    }
    uint64_t bits = (uint64_t)keys * batch->key_size;
    entry->keys += keys;
    entry->bits += bits;
    entry->otp_bits += batch->grade == WIRE_METHOD_AES ? 0 : bits;
    accounts_touch(ksa, event);
}

void ksa_account_refused(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app)
{
    struct ksa_app *entry = ksa_directory_find(ksa, app);
    if (entry != NULL) {
        entry->refused++;
        accounts_touch(ksa, event);
    }
}

/* Each report carries what was added since the one before; the manager sums. */
void ksa_accounts_timeout(struct ksa *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    if (qkd_time_before(event->now, ksa->account_at)) {
        return;
    }
    ksa->account_at = QKD_NEVER;
    for (uint32_t slot = 0; slot < ksa->apps.top; slot++) {
        struct ksa_app *entry = qkd_slab_at(&ksa->apps, slot);
        if (entry->keys == 0 && entry->refused == 0) {
            continue;
        }
        struct wire_account_record account = {.app = entry->app,
                                              .peer_app = entry->peer_app,
                                              .keys = entry->keys,
                                              .bits = entry->bits,
                                              .refused = entry->refused,
                                              .otp_bits = entry->otp_bits};
        chan_report_account(&ksa->reports, event, &account, out);
        entry->keys = entry->bits = entry->refused = entry->otp_bits = 0;
    }
}
