/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The quota of requests of one application (O-A1 of X.1712): so many in a second are looked at, as many again are
 * refused, and then its channel is muted until the second is over: nothing of it is opened any
 * more. So an application that floods costs no more than two quotas, and others have the rest. */
#include "core/base/mutant.h"
#include "core/km/ksa_element.h"

enum wire_reason ksa_quota(struct ksa *ksa, const struct qkd_event *event, struct qkd_eid app,
                           bool *drop)
{
    struct ksa_app *entry = ksa_directory_find(ksa, app);
    uint32_t most = ksa->config->app_requests;
    *drop = false;
    if (most == 0 || entry == NULL || QKDN_MUTANT(QUOTA_BLIND)) {
        return WIRE_REASON_NONE;
    }
    int64_t past_ns = event->now.ns - entry->second.ns;
    if (past_ns < 0 || past_ns >= QKD_NS_PER_S) {
        entry->second = event->now;
        entry->asked = 0;
    }
    entry->asked += entry->asked < UINT32_MAX;
    if (entry->asked > 2 * (uint64_t)most) {
        *drop = true;
        chan_mute(ksa->chans, event, QKD_RP_AK, app,
                  qkd_time_add(entry->second, qkd_span_ns(QKD_NS_PER_S)));
    }
    return entry->asked > most ? WIRE_REASON_OVER_RATE : WIRE_REASON_NONE;
}
