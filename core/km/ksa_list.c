/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several keys by ID at Ak: a key-supply command for decryption with a list of KSA-key IDs (ours; see
 * docs/decisions.md). All of them are supplied, in one step and so by one commit, or none is touched.
 * Keys of one size that follow one another in the list are one sub-session; the last one has code
 * 0x02. Where the single fetch says unknown_key to everybody, this one tells a key that is there for
 * others (unauthorized) from one that is not there: ETSI GS QKD 014 clause 5.3 wants both answers. */
#include "core/base/err.h"
#include "core/km/ksa_element.h"

enum { IDS_MOST = KSA_KEYS_PER_REQUEST };

struct listed_key {
    uint32_t slot, place;
};

struct list {
    struct qkd_eid app;
    struct qkd_eid master; /* of each key; QKD_NOBODY: whoever it is */
    const struct ksa_echo *echo;
    bool foreign; /* a key of other applications is among them */
    uint32_t count;
    struct listed_key keys[IDS_MOST];
};

static const struct ksa_batch *batch_of(const struct ksa *ksa, const struct list *list, uint32_t i)
{
    return ksa_batch_at(ksa, list->keys[i].slot);
}

/* The first entry of the list that names what entry i names. */
static uint32_t first_like(const struct list *list, uint32_t i, bool same_place)
{
    uint32_t first = 0;
    while (first < i && (list->keys[first].slot != list->keys[i].slot ||
                         (same_place && list->keys[first].place != list->keys[i].place))) {
        first++;
    }
    return first;
}

/* Finds one key: NONE, UNAUTHORIZED if it is there for somebody else, else UNKNOWN_KEY. */
static enum wire_reason key_look(const struct ksa *ksa, struct list *list, const struct qkd_id *id)
{
    struct listed_key *key = &list->keys[list->count];
    key->slot = ksa_key_find(ksa, id, &key->place);
    if (key->slot == QKD_SLAB_NONE) {
        return WIRE_REASON_UNKNOWN_KEY;
    }
    const struct ksa_batch *batch = ksa_batch_at(ksa, key->slot);
    if (!batch->slave || !qkd_eid_eq(batch->target_app, list->app)) {
        list->foreign = list->foreign || !qkd_eid_eq(batch->source_app, list->app);
        return WIRE_REASON_UNAUTHORIZED;
    }
    bool master = qkd_eid_eq(list->master, QKD_NOBODY) ||
                  qkd_eid_eq(batch->source_app, list->master);
    bool waits = ksa_batch_states(ksa, batch)[key->place] == KSA_KEY_WAITING;
    bool once = first_like(list, list->count, true) == list->count;
    return master && waits && once ? WIRE_REASON_NONE : WIRE_REASON_UNKNOWN_KEY;
}

/* Looks all keys up. One that belongs to others outweighs one that is unknown. */
static enum wire_reason list_look(const struct ksa *ksa, struct list *list,
                                  const struct wire_bytes *ids)
{
    if (ids->len == 0 || ids->len % KSA_ID_LEN != 0 || ids->len > (size_t)IDS_MOST * KSA_ID_LEN) {
        return WIRE_REASON_BAD_REQUEST;
    }
    enum wire_reason worst = WIRE_REASON_NONE;
    for (size_t at = 0; at < ids->len; at += KSA_ID_LEN, list->count++) {
        struct qkd_id id;
        memcpy(id.b, ids->at + at, KSA_ID_LEN);
        enum wire_reason reason = key_look(ksa, list, &id);
        if (reason != WIRE_REASON_NONE && worst != WIRE_REASON_UNAUTHORIZED) {
            worst = reason;
        }
    }
    return worst;
}

/* Copies the entries [from, to) of the list, keys of one size, into `room` for an answer. */
static void part_fill(const struct ksa *ksa, const struct list *list, uint32_t from, uint32_t to,
                      struct ksa_part *part, uint8_t *room)
{
    size_t len = part->key_size / 8;
    size_t ids_len = (size_t)(to - from) * KSA_ID_LEN;
    uint8_t *keys = room + ids_len;
    part->grade = batch_of(ksa, list, from)->grade;
    for (uint32_t i = from; i < to; i++) {
        const struct ksa_batch *batch = batch_of(ksa, list, i);
        uint32_t place = list->keys[i].place;
        memcpy(room + (size_t)(i - from) * KSA_ID_LEN,
               ksa_batch_ids(ksa, batch) + (size_t)place * KSA_ID_LEN, KSA_ID_LEN);
        memcpy(keys + (i - from) * len, ksa_batch_keys(ksa, batch) + place * len, len);
        part->grade = batch->grade == WIRE_METHOD_AES ? WIRE_METHOD_AES : part->grade;
    }
    part->ids = (struct wire_bytes){room, ids_len};
    part->keys = (struct wire_bytes){keys, (to - from) * len};
}

/* Answers all keys of the list, those of one size in a row together. */
static void list_answer(struct ksa *ksa, const struct qkd_event *event, const struct list *list,
                        uint8_t *room, struct qkd_out *out)
{
    struct ksa_part part = {.app = list->app, .echo = list->echo};
    for (uint32_t from = 0, to; from < list->count; from = to) {
        part.key_size = batch_of(ksa, list, from)->key_size;
        for (to = from; to < list->count && batch_of(ksa, list, to)->key_size == part.key_size;) {
            to++;
        }
        part.count_id++;
        part.code = to == list->count ? WIRE_SUFFICIENT : WIRE_SUCCESS;
        part_fill(ksa, list, from, to, &part, room);
        ksa_answer_part(ksa, event, &part, out);
        room += part.ids.len + part.keys.len;
    }
}

/* Behind the entries from `from` on that name keys one behind the other in a batch. */
static uint32_t run_end(const struct list *list, uint32_t from)
{
    uint32_t to = from + 1;
    while (to < list->count && list->keys[to].slot == list->keys[from].slot &&
           list->keys[to].place == list->keys[from].place + (to - from)) {
        to++;
    }
    return to;
}

/* The keys were answered: they are gone, or preserved. A batch can stand in the list many times. */
static void list_supplied(struct ksa *ksa, const struct qkd_event *event, const struct list *list,
                          struct qkd_out *out)
{
    for (uint32_t from = 0, to; from < list->count; from = to) {
        to = run_end(list, from);
        struct ksa_run run = {.batch = batch_of(ksa, list, from),
                              .from = list->keys[from].place,
                              .count = to - from};
        ksa_account_supplied(ksa, event, list->app, run.batch, run.count);
        ksa_life_supplied(ksa, event, &run, out);
        for (uint32_t i = from; i < to; i++) {
            ksa_key_supplied(ksa, list->keys[i].slot, list->keys[i].place, out);
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (first_like(list, i, false) == i) {
            ksa_batch_settle(ksa, list->keys[i].slot, out);
        }
    }
}

void ksa_supply_list(struct ksa *ksa, const struct qkd_event *event,
                     const struct wire_key_supply *command, const struct ksa_echo *echo,
                     struct qkd_out *out)
{
    struct list list = {.app = command->head.sender, .echo = echo};
    if (qkd_eid_role(command->target_id) == QKD_ROLE_APP) {
        list.master = command->target_id;
    }
    enum wire_reason reason = list_look(ksa, &list, &command->key_ids);
    if (list.foreign) {
        chan_report_security(&ksa->reports, event, WIRE_FAULT_DENIED, QKD_RP_AK, out);
    }
    uint8_t *room = NULL;
    if (reason == WIRE_REASON_NONE) {
        size_t len = 0;
        for (uint32_t i = 0; i < list.count; i++) {
            len += KSA_ID_LEN + batch_of(ksa, &list, i)->key_size / 8;
        }
        room = qkd_out_scratch(out, len);
        reason = room == NULL ? WIRE_REASON_OVERLOAD : WIRE_REASON_NONE;
    }
    if (reason != WIRE_REASON_NONE) {
        ksa_answer_refused(ksa, event, list.app, echo, reason, out);
        return;
    }
    list_answer(ksa, event, &list, room, out);
    list_supplied(ksa, event, &list, out);
}
