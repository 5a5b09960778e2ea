/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alarms standing: see manager/alarms.h. */
#include "core/manager/alarms.h"

#define KEY_LEN 17 /* element, object, fault */
#define CHUNK 32
#define SWEEP_S 10

struct alarm {
    struct qkd_eid at;
    uint64_t object;
    struct qkd_time last; /* last report of it */
    uint8_t fault;
    bool is_security;
};

void mgr_alarms_init(struct mgr_alarms *alarms, struct qkd_eid self, uint32_t limit)
{
    *alarms = (struct mgr_alarms){.self = self, .sweep_at = QKD_NEVER};
    qkd_slab_init(&alarms->slab, sizeof(struct alarm), CHUNK, limit);
    qkd_map_init(&alarms->map, KEY_LEN, limit, NULL);
}

void mgr_alarms_fini(struct mgr_alarms *alarms)
{
    qkd_slab_fini(&alarms->slab);
    qkd_map_fini(&alarms->map);
}

void mgr_alarms_salt(struct mgr_alarms *alarms, const uint8_t salt[16])
{
    qkd_map_init(&alarms->map, KEY_LEN, alarms->slab.limit, salt);
}

static void alarm_key(uint8_t key[KEY_LEN], const struct alarm *alarm)
{
    wire_put_u64(key, alarm->at.v);
    wire_put_u64(key + 8, alarm->object);
    key[16] = alarm->fault;
}

static struct alarm *alarm_at(const struct mgr_alarms *alarms, uint32_t slot)
{
    return qkd_slab_at(&alarms->slab, slot);
}

static void tell(struct mgr_alarms *alarms, const struct alarm *alarm, bool raised,
                 struct qkd_out *out)
{
    struct qkd_report report = {.code = QKD_REPORT_ALARM,
                                .who = alarms->self,
                                .peer = alarm->at,
                                .a = alarm->fault,
                                .b = raised ? 1 : 0,
                                .c = alarm->object};
    qkd_out_report(out, &report);
    alarms->raised += raised ? 1 : 0;
    alarms->cleared += raised ? 0 : 1;
}

/* The manager's own alarm about having no room for more; it takes no room itself. */
static void full_set(struct mgr_alarms *alarms, bool is_full, struct qkd_out *out)
{
    if (alarms->is_full != is_full) {
        struct alarm own = {.at = alarms->self, .fault = WIRE_FAULT_STORE_LIMIT};
        alarms->is_full = is_full;
        tell(alarms, &own, is_full, out);
    }
}

static void alarm_raise(struct mgr_alarms *alarms, const struct alarm *raised, struct qkd_out *out)
{
    uint8_t key[KEY_LEN];
    alarm_key(key, raised);
    uint32_t slot = qkd_map_get(&alarms->map, key);
    if (slot != QKD_MAP_NONE) {
        struct alarm *standing = alarm_at(alarms, slot);
        standing->last = raised->last;
        standing->is_security = standing->is_security && raised->is_security;
        return;
    }
    slot = qkd_slab_take(&alarms->slab);
    if (slot == QKD_SLAB_NONE || qkd_map_put(&alarms->map, key, slot) != 0) {
        if (slot != QKD_SLAB_NONE) {
            qkd_slab_give(&alarms->slab, slot);
        }
        full_set(alarms, true, out);
        return;
    }
    *alarm_at(alarms, slot) = *raised;
    tell(alarms, raised, true, out);
}

static void alarm_clear(struct mgr_alarms *alarms, uint32_t slot, struct qkd_out *out)
{
    const struct alarm *alarm = alarm_at(alarms, slot);
    uint8_t key[KEY_LEN];
    alarm_key(key, alarm);
    (void)qkd_map_del(&alarms->map, key);
    tell(alarms, alarm, false, out);
    qkd_slab_give(&alarms->slab, slot);
    full_set(alarms, false, out);
}

/* In slot order, so that two equal runs say the same. */
static void element_void(struct mgr_alarms *alarms, struct qkd_eid at, struct qkd_out *out)
{
    for (uint32_t slot = 0; slot < alarms->slab.top; slot++) {
        if (qkd_slab_live(&alarms->slab, slot) && qkd_eid_eq(alarm_at(alarms, slot)->at, at) &&
            !alarm_at(alarms, slot)->is_security) {
            alarm_clear(alarms, slot, out);
        }
    }
}

void mgr_alarms_fault(struct mgr_alarms *alarms, const struct wire_fault_record *record,
                      struct qkd_time now, struct qkd_out *out)
{
    struct alarm alarm = {
        .at = record->at, .object = record->object, .last = now, .fault = record->fault};
    if (record->fault == 0) {
        element_void(alarms, record->at, out);
        return;
    }
    if (record->raised != 0) {
        alarm_raise(alarms, &alarm, out);
        return;
    }
    uint8_t key[KEY_LEN];
    alarm_key(key, &alarm);
    uint32_t slot = qkd_map_get(&alarms->map, key);
    if (slot != QKD_MAP_NONE) {
        alarm_clear(alarms, slot, out);
    }
}

void mgr_alarms_security(struct mgr_alarms *alarms, const struct wire_fault_record *record,
                         struct qkd_time now, struct qkd_out *out)
{
    struct alarm alarm = {.at = record->at,
                          .object = record->object,
                          .last = now,
                          .fault = record->fault,
                          .is_security = true};
    alarm_raise(alarms, &alarm, out);
    alarms->sweep_at = qkd_time_min(alarms->sweep_at, qkd_time_add(now, qkd_span_s(SWEEP_S)));
}

void mgr_alarms_sweep(struct mgr_alarms *alarms, struct qkd_time now, struct qkd_out *out)
{
    bool is_any_left = false;
    for (uint32_t slot = 0; slot < alarms->slab.top; slot++) {
        if (!qkd_slab_live(&alarms->slab, slot) || !alarm_at(alarms, slot)->is_security) {
            continue;
        }
        struct qkd_time quiet = qkd_time_add(alarm_at(alarms, slot)->last,
                                             qkd_span_s(MGR_SECURITY_QUIET_S));
        if (qkd_time_before(now, quiet)) {
            is_any_left = true;
        } else {
            alarm_clear(alarms, slot, out);
        }
    }
    alarms->sweep_at = is_any_left ? qkd_time_add(now, qkd_span_s(SWEEP_S)) : QKD_NEVER;
}
