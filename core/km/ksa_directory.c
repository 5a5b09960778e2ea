/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KSA's directory of applications, by configuration: which KM serves an application (its node,
 * part of its identity), with whom it may share keys, and at which security level. Entries are
 * never taken away, only replaced. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/km/ksa_element.h"

/* The further applications that an entry names. */
static int more_put(struct ksa_app *app, const struct wire_cfg_app *entry)
{
    size_t count = entry->has_more_peers ? entry->more_peers.len / 8 : 0;
    if (entry->has_more_peers && (entry->more_peers.len % 8 != 0 || count > WIRE_TARGETS_MAX)) {
        return QKD_ERR_FORMAT;
    }
    struct qkd_eid *more = count > 0 ? malloc(count * sizeof *more) : NULL;
    if (count > 0 && more == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        more[i] = (struct qkd_eid){wire_get_u64(entry->more_peers.at + 8 * i)};
    }
    free(app->more);
    app->more = more;
    app->more_count = (uint32_t)count;
    return QKD_OK;
}

int ksa_directory_put(struct ksa *ksa, const struct wire_cfg_app *entry)
{
    struct ksa_app *app = ksa_directory_find(ksa, entry->app);
    if (app == NULL) {
        uint32_t slot = qkd_slab_take(&ksa->apps);
        if (slot == QKD_SLAB_NONE) {
            return QKD_ERR_LIMIT;
        }
        int put = qkd_map_put(&ksa->by_app, &entry->app.v, slot);
        if (put != QKD_OK) {
            qkd_slab_give(&ksa->apps, slot);
            return put;
        }
        app = qkd_slab_at(&ksa->apps, slot);
        app->app = entry->app;
    }
    int err = more_put(app, entry);
    if (err != QKD_OK) {
        return err;
    }
    app->peer_app = entry->peer_app;
    app->level = entry->level;
    app->operator_id = entry->operator_id;
    app->community = entry->has_community ? entry->community : 0;
    app->role = entry->role;
    app->relay = entry->has_relay ? entry->relay : WIRE_RELAY_HOP_BY_HOP;
    app->paths = entry->has_paths ? entry->paths : 0;
    app->class_number = entry->has_class_number ? entry->class_number : 0;
    uint64_t max_bps = entry->has_max_bps ? entry->max_bps : 0;
    if (app->rate.max_bps != max_bps) { /* it begins with a full credit */
        app->rate.credit_bits = max_bps;
        app->rate.debt_bits = 0;
    }
    app->rate.max_bps = max_bps;
    app->name = (struct wire_b32){{0}};
    size_t len = entry->name.len < sizeof app->name.b ? entry->name.len : sizeof app->name.b;
    if (len > 0) {
        memcpy(app->name.b, entry->name.at, len);
    }
    return QKD_OK;
}

struct ksa_app *ksa_directory_find(const struct ksa *ksa, struct qkd_eid app)
{
    uint32_t slot = qkd_map_get(&ksa->by_app, &app.v);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&ksa->apps, slot);
}

bool ksa_directory_strict(const struct ksa *ksa, struct qkd_eid app)
{
    const struct ksa_app *entry = ksa_directory_find(ksa, app);
    return entry != NULL && entry->level == WIRE_LEVEL_OTP_ONLY;
}

void ksa_directory_fini(struct ksa *ksa)
{
    for (uint32_t slot = 0; slot < ksa->apps.top; slot++) {
        if (qkd_slab_live(&ksa->apps, slot)) {
            free(((struct ksa_app *)qkd_slab_at(&ksa->apps, slot))->more);
        }
    }
}

static bool is_peer(const struct ksa_app *app, struct qkd_eid other)
{
    bool found = qkd_eid_eq(app->peer_app, other);
    for (uint32_t i = 0; i < app->more_count; i++) {
        found = found || qkd_eid_eq(app->more[i], other);
    }
    return found;
}

enum wire_reason ksa_directory_check(const struct ksa *ksa, struct qkd_eid source,
                                     struct qkd_eid target)
{
    const struct ksa_app *asks = ksa_directory_find(ksa, source);
    const struct ksa_app *other = ksa_directory_find(ksa, target);
    if (other == NULL) {
        return WIRE_REASON_UNKNOWN_APPLICATION;
    }
    bool paired = asks != NULL && is_peer(asks, target) && is_peer(other, source);
    return paired ? WIRE_REASON_NONE : WIRE_REASON_UNAUTHORIZED;
}
