/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The quota of requests of one application (O-A1 of X.1712): so many in a second are looked at, as many again are
 * refused, and then its channel is muted until the second is over: nothing of it is opened any
 * more. A request that is asked again counts only where an application asks again, and again. So an
 * application that floods costs a few quotas, and others have the rest. */
#include "core/base/mutant.h"
#include "core/km/ksa_element.h"

enum { HEARD_TIMES = 8 }; /* quotas of messages, repetitions included, before it is muted */

enum wire_reason ksa_quota(struct ksa *ksa, const struct qkd_event *event,
                           const struct ksa_asked *asked, bool *drop)
{
    struct ksa_app *entry = ksa_directory_find(ksa, asked->app);
    uint32_t most = ksa->config->app_requests;
    *drop = false;
    if (most == 0 || entry == NULL || QKDN_MUTANT(QUOTA_BLIND)) {
        return WIRE_REASON_NONE;
    }
    int64_t past_ns = event->now.ns - entry->second.ns;
    if (past_ns < 0 || past_ns >= QKD_NS_PER_S) {
        entry->second = event->now;
        entry->asked = entry->heard = 0;
    }
    bool again = ksa_recent_find(&ksa->recent, asked->app, asked->message_id) != NULL;
    entry->asked += !again;
    entry->heard++;
    if (entry->asked > 2 * (uint64_t)most || entry->heard > HEARD_TIMES * (uint64_t)most) {
        *drop = true;
        chan_mute(ksa->chans, event, QKD_RP_AK, asked->app,
                  qkd_time_add(entry->second, qkd_span_ns(QKD_NS_PER_S)));
    }
    return entry->asked > most && !again ? WIRE_REASON_OVER_RATE : WIRE_REASON_NONE;
}
