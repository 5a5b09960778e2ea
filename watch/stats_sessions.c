/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of sessions with a guaranteed rate: what became of them, by what their applications
 * report; and what is reserved on links, by what the controller reports. */
#include <stdlib.h>

#include "watch/stats_state.h"

enum { SESSION_LIMIT = 1 << 22, CHUNK_SESSIONS = 64 };

int watch_sessions_new(struct watch_stats *stats)
{
    qkd_slab_init(&stats->sessions, sizeof(struct watch_session), CHUNK_SESSIONS, SESSION_LIMIT);
    qkd_map_init(&stats->session_map, sizeof(struct qkd_id), SESSION_LIMIT, NULL);
    stats->session_apps = calloc(stats->scenario->application_count + 1,
                                 sizeof(*stats->session_apps));
    stats->reserved = calloc(stats->scenario->link_count + 1, sizeof(*stats->reserved));
    return stats->session_apps == NULL || stats->reserved == NULL ? QKD_ERR_NOMEM : 0;
}

void watch_sessions_free(struct watch_stats *stats)
{
    qkd_slab_fini(&stats->sessions);
    qkd_map_fini(&stats->session_map);
    free(stats->session_apps);
    free(stats->reserved);
}

static struct watch_session *session_at(const struct watch_stats *stats, uint32_t slot)
{
    return qkd_slab_at(&stats->sessions, slot);
}

/* ---- sessions ---- */

static int session_offered(struct watch_stats *stats, int64_t now_ns,
                           const struct qkd_report *report)
{
    uint32_t application = qkd_eid_instance(report->who) / 2;
    if (application >= stats->scenario->application_count) {
        return 0;
    }
    uint32_t slot = qkd_slab_take(&stats->sessions);
    if (slot == QKD_SLAB_NONE || qkd_map_put(&stats->session_map, &report->id, slot) != 0) {
        return QKD_ERR_NOMEM;
    }
    *session_at(stats,
                slot) = (struct watch_session){.id = report->id,
                                               .number = ++stats->session_number,
                                               .rate_bps = report->c,
                                               .application = application,
                                               .start_ns = now_ns,
                                               .admitted_ns = SCN_NO_TIME,
                                               .counted = now_ns >= stats->scenario->warmup_ns};
    return 0;
}

static void tally_add(struct watch_session_tally *tally, const struct watch_session *session,
                      enum qkd_session_event what, unsigned reason)
{
    struct scn_sessions *counts = &tally->counts;
    counts->offered++;
    counts->admitted += session->admitted_ns != SCN_NO_TIME;
    counts->refused += what == QKD_SESSION_REFUSED;
    counts->closed += what == QKD_SESSION_CLOSED;
    counts->broken += what == QKD_SESSION_BROKEN;
    counts->open += what == QKD_SESSION_OFFERED || what == QKD_SESSION_ADMITTED;
    if ((what == QKD_SESSION_REFUSED || what == QKD_SESSION_BROKEN) && reason < SCN_MAX_REASONS) {
        tally->reasons[reason]++;
    }
}

/* Counts a session and forgets it; `what` became of it at last. */
static void session_end(struct watch_stats *stats, int64_t now_ns, uint32_t slot,
                        enum qkd_session_event what, unsigned reason)
{
    static const char *const outcomes[] = {[QKD_SESSION_OFFERED] = "open",
                                           [QKD_SESSION_ADMITTED] = "open",
                                           [QKD_SESSION_REFUSED] = "refused",
                                           [QKD_SESSION_CLOSED] = "closed",
                                           [QKD_SESSION_BROKEN] = "broken"};
    const struct watch_session *session = session_at(stats, slot);
    if (session->counted) {
        tally_add(&stats->session_total, session, what, reason);
        tally_add(&stats->session_apps[session->application], session, what, reason);
    }
    if (stats->sink->session != NULL) {
        bool is_open = what == QKD_SESSION_OFFERED || what == QKD_SESSION_ADMITTED;
        struct scn_session_record record = {.number = session->number,
                                            .application = session->application,
                                            .start_ns = session->start_ns,
                                            .admitted_ns = session->admitted_ns,
                                            .end_ns = is_open ? SCN_NO_TIME : now_ns,
                                            .rate_bps = session->rate_bps,
                                            .outcome = outcomes[what],
                                            .reason = wire_reason_text(reason),
                                            .counted = session->counted};
        stats->sink->session(stats->sink->ctx, &record);
    }
    (void)qkd_map_del(&stats->session_map, &session->id);
    qkd_slab_give(&stats->sessions, slot);
}

int watch_sessions_report(struct watch_stats *stats, int64_t now_ns,
                          const struct qkd_report *report)
{
    if (report->a == QKD_SESSION_OFFERED) {
        return session_offered(stats, now_ns, report);
    }
    uint32_t slot = qkd_map_get(&stats->session_map, &report->id);
    if (slot == QKD_MAP_NONE || report->a > QKD_SESSION_BROKEN) {
        return 0;
    }
    if (report->a == QKD_SESSION_ADMITTED) {
        session_at(stats, slot)->admitted_ns = now_ns;
    } else {
        session_end(stats, now_ns, slot, (enum qkd_session_event)report->a, (unsigned)report->b);
    }
    return 0;
}

/* ---- what is reserved ---- */

static void reserved_pass(const struct watch_stats *stats, int64_t now_ns,
                          struct watch_reserved *reserved)
{
    if (stats->warm) {
        double past_s = (double)(now_ns - reserved->since_ns) / 1e9;
        reserved->bits += (double)reserved->now_bps * past_s;
    }
    reserved->since_ns = now_ns;
}

static void reserved_set(const struct watch_stats *stats, int64_t now_ns,
                         struct watch_reserved *reserved, uint64_t bps)
{
    reserved_pass(stats, now_ns, reserved);
    reserved->now_bps = bps;
    if (stats->warm && bps > reserved->max_bps) {
        reserved->max_bps = bps;
    }
}

void watch_sessions_reserved(struct watch_stats *stats, int64_t now_ns,
                             const struct qkd_report *report)
{
    if (report->a < stats->scenario->link_count) {
        reserved_set(stats, now_ns, &stats->reserved[report->a], report->b);
    }
}

/* Time before the warm-up ended does not count. */
void watch_sessions_warm(struct watch_stats *stats, int64_t now_ns)
{
    for (size_t i = 0; i < stats->scenario->link_count; i++) {
        stats->reserved[i].since_ns = now_ns;
        stats->reserved[i].max_bps = stats->reserved[i].now_bps;
    }
}

void watch_sessions_crash_km(struct watch_stats *stats, int64_t now_ns, uint32_t node)
{
    for (uint32_t slot = 0; slot < stats->sessions.top; slot++) {
        if (!qkd_slab_live(&stats->sessions, slot)) {
            continue;
        }
        const struct watch_session *session = session_at(stats, slot);
        if (stats->scenario->applications[session->application].from == node) {
            bool was_open = session->admitted_ns != SCN_NO_TIME;
            session_end(stats, now_ns, slot, was_open ? QKD_SESSION_BROKEN : QKD_SESSION_REFUSED,
                        WIRE_REASON_RESTARTED);
        }
    }
}

void watch_sessions_crash_controller(struct watch_stats *stats, int64_t now_ns)
{
    for (size_t i = 0; i < stats->scenario->link_count; i++) { /* its table is gone */
        reserved_set(stats, now_ns, &stats->reserved[i], 0);
    }
}

static void tally_give(const struct watch_session_tally *tally, struct scn_sessions *counts,
                       uint64_t *reasons)
{
    *counts = tally->counts;
    for (size_t i = 0; i < SCN_MAX_REASONS; i++) {
        reasons[i] = tally->reasons[i];
    }
}

void watch_sessions_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary)
{
    for (uint32_t slot = 0; slot < stats->sessions.top; slot++) {
        if (qkd_slab_live(&stats->sessions, slot)) {
            session_end(stats, now_ns, slot, QKD_SESSION_OFFERED, WIRE_REASON_NONE);
        }
    }
    tally_give(&stats->session_total, &summary->sessions, summary->session_reasons);
    for (size_t i = 0; i < stats->scenario->application_count; i++) {
        tally_give(&stats->session_apps[i], &summary->applications[i].sessions,
                   summary->applications[i].session_reasons);
    }
    double counted_s = (double)(now_ns - stats->scenario->warmup_ns) / 1e9;
    for (size_t i = 0; i < stats->scenario->link_count; i++) {
        reserved_pass(stats, now_ns, &stats->reserved[i]);
        summary->links[i].reserved_mean_bps = counted_s > 0 ? stats->reserved[i].bits / counted_s
                                                            : 0;
        summary->links[i].reserved_max_bps = stats->reserved[i].max_bps;
        summary->links[i].reserved_end_bps = stats->reserved[i].now_bps;
    }
}
