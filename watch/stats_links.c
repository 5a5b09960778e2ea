/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of links: pool levels over time, adjacencies, alarms. A pool's level
 * is what the two ends own, each by its own report; figures over time start with the warm-up's end.
 *
 * A link that comes up for the first time was not down before, unless a fault hit it already; one
 * that never comes up was down all the time. */
#include <math.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/wire/frame.h"
#include "watch/stats_state.h"

struct watch_link_stats *watch_links_at(struct watch_stats *stats, uint64_t link)
{
    return link < stats->scenario->link_count ? &stats->links[link] : NULL;
}

int watch_links_new(struct watch_stats *stats)
{
    const struct scn_scenario *scenario = stats->scenario;
    stats->links = calloc(scenario->link_count + 1, sizeof(*stats->links));
    stats->first_link = calloc(scenario->node_count + 2, sizeof(*stats->first_link));
    stats->node_links = calloc(2 * scenario->link_count + 1, sizeof(*stats->node_links));
    if (stats->links == NULL || stats->first_link == NULL || stats->node_links == NULL) {
        return QKD_ERR_NOMEM;
    }
    uint32_t *first = stats->first_link; /* while filling: node n's entries end at first[n + 1] */
    for (size_t i = 0; i < scenario->link_count; i++) {
        stats->links[i].figures.min_bits = UINT64_MAX;
        first[scenario->links[i].a + 2]++;
        first[scenario->links[i].b + 2]++;
    }
    for (size_t n = 0; n < scenario->node_count; n++) {
        first[n + 2] += first[n + 1];
    }
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        stats->node_links[first[scenario->links[i].a + 1]++] = i;
        stats->node_links[first[scenario->links[i].b + 1]++] = i;
    }
    return 0;
}

void watch_links_free(struct watch_stats *stats)
{
    free(stats->links);
    free(stats->first_link);
    free(stats->node_links);
}

/* ---- pools ---- */

uint64_t watch_links_level(const struct watch_link_stats *link)
{
    return link->own_bits[0] + link->own_bits[1];
}

static bool level_known(const struct watch_link_stats *link)
{
    return link->known[0] && link->known[1];
}

void watch_link_passed(const struct watch_stats *stats, const struct watch_link_stats *link,
                       double past_s, struct watch_link_figures *figures)
{
    if (!link->was_up) {
        figures->early_s += past_s;
    } else if (!link->up[0] || !link->up[1]) {
        figures->down_s += past_s;
    }
    if (level_known(link)) {
        figures->known_s += past_s;
        figures->bit_s += past_s * (double)watch_links_level(link);
        uint64_t key_bits = wire_relay_cost_bits(stats->scenario->key_management.unit_bits, 1, 1);
        if (link->own_bits[0] < key_bits && link->own_bits[1] < key_bits) {
            figures->empty_s += past_s;
        }
    }
}

/* Accounts the time since the last change. */
static void advance(struct watch_stats *stats, uint32_t number, int64_t now_ns)
{
    struct watch_link_stats *link = &stats->links[number];
    if (stats->warm) {
        double past_s = (double)(now_ns - link->since_ns) / 1e9;
        watch_link_passed(stats, link, past_s, &link->figures);
    }
    watch_windows_passed(stats, number, now_ns);
    link->since_ns = now_ns;
}

static void note_min(const struct watch_stats *stats, struct watch_link_stats *link)
{
    uint64_t level = watch_links_level(link);
    if (stats->warm && level_known(link) && level < link->figures.min_bits) {
        link->figures.min_bits = level;
    }
}

void watch_links_count(struct watch_stats *stats, int64_t now_ns, uint32_t link,
                       enum watch_link_count what)
{
    stats->links[link].figures.counts[what]++;
    watch_windows_count(stats, now_ns, link, what);
}

void watch_links_warm(struct watch_stats *stats, int64_t now_ns)
{
    for (uint32_t i = 0; i < stats->scenario->link_count; i++) {
        advance(stats, i, now_ns);
    }
    stats->warm = true;
    for (size_t i = 0; i < stats->scenario->link_count; i++) {
        note_min(stats, &stats->links[i]);
    }
}

static unsigned end_of(const struct watch_stats *stats, uint64_t link, struct qkd_eid who)
{
    return stats->scenario->links[link].a == qkd_eid_node(who) ? 0 : 1;
}

static void pool_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    struct watch_link_stats *link = watch_links_at(stats, report->a);
    if (link == NULL) {
        return;
    }
    unsigned end = end_of(stats, report->a, report->who);
    advance(stats, (uint32_t)report->a, now_ns);
    link->own_bits[end] = report->e;
    link->known[end] = true;
    note_min(stats, link);
    watch_windows_changed(stats, (uint32_t)report->a, now_ns);
    if (stats->sink->pool != NULL) {
        stats->sink->pool(stats->sink->ctx,
                          &(struct scn_pool_sample){.time_ns = now_ns,
                                                    .link = (uint32_t)report->a,
                                                    .node = qkd_eid_node(report->who),
                                                    .own_bits = report->b,
                                                    .usable_bits = report->e,
                                                    .peer_bits = report->c,
                                                    .stored_bits = report->d,
                                                    .up = link->up[end]});
    }
}

/* ---- up, down, healing ---- */

static void adjacency(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report,
                      bool up)
{
    uint32_t self = qkd_eid_node(report->who);
    uint32_t peer = qkd_eid_node(report->peer);
    if (self >= stats->scenario->node_count) {
        return;
    }
    for (uint32_t i = stats->first_link[self]; i < stats->first_link[self + 1]; i++) {
        uint32_t number = stats->node_links[i];
        const struct scn_link *link = &stats->scenario->links[number];
        if (link->a == peer || link->b == peer) {
            struct watch_link_stats *state = &stats->links[number];
            advance(stats, number, now_ns);
            state->up[link->a == self ? 0 : 1] = up;
            state->was_up = state->was_up || (state->up[0] && state->up[1]);
            watch_windows_changed(stats, number, now_ns);
            watch_detect_neighbour(stats, now_ns, number, self, up);
        }
    }
}

static void alarm_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    bool raised = report->b != 0;
    stats->alarms_raised += raised;
    stats->alarms_cleared += !raised;
    watch_windows_note(stats, now_ns,
                       raised ? offsetof(struct watch_window, alarms_raised)
                              : offsetof(struct watch_window, alarms_cleared));
    watch_detect_alarm(stats, now_ns, report);
    if (stats->sink->alarm != NULL) {
        stats->sink->alarm(stats->sink->ctx,
                           &(struct scn_alarm){.time_ns = now_ns,
                                               .at = report->peer,
                                               .fault = wire_fault_text((unsigned)report->a),
                                               .object = report->c,
                                               .raised = raised,
                                               .count = report->d > 0 ? report->d : 1});
    }
}

static void empty_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    struct watch_link_stats *link = watch_links_at(stats, report->a);
    if (link == NULL) {
        return;
    }
    unsigned end = end_of(stats, report->a, report->who);
    bool empty = report->b != 0;
    if (empty && !link->empty[end]) {
        link->figures.counts[WATCH_LINK_EXHAUSTIONS] += stats->warm;
        watch_windows_count(stats, now_ns, (uint32_t)report->a, WATCH_LINK_EXHAUSTIONS);
    }
    link->empty[end] = empty;
}

void watch_links_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    struct watch_link_stats *link = watch_links_at(stats, report->a);
    switch (report->code) {
    case QKD_REPORT_POOL:
        pool_report(stats, now_ns, report);
        break;
    case QKD_REPORT_POOL_EMPTY:
        empty_report(stats, now_ns, report);
        break;
    case QKD_REPORT_PEER_UP:
    case QKD_REPORT_PEER_DOWN:
        if (report->a == QKD_RP_KX1) {
            adjacency(stats, now_ns, report, report->code == QKD_REPORT_PEER_UP);
        } else if (report->code == QKD_REPORT_PEER_DOWN) {
            watch_detect_peer_down(stats, now_ns, report);
        }
        break;
    case QKD_REPORT_RETRANSMIT:
        if (link != NULL && report->b == WIRE_FRAME_RELAY) {
            watch_links_count(stats, now_ns, (uint32_t)report->a, WATCH_LINK_RETRANSMISSIONS);
        }
        break;
    case QKD_REPORT_TAG_FAILURE:
        stats->tag_failures++;
        if (link != NULL) {
            watch_links_count(stats, now_ns, (uint32_t)report->a, WATCH_LINK_TAG_FAILURES);
            watch_detect_wrong_tag(stats, now_ns, (uint32_t)report->a);
        }
        break;
    case QKD_REPORT_FALLBACK:
        if (link != NULL && report->b == 1) {
            watch_links_count(stats, now_ns, (uint32_t)report->a, WATCH_LINK_FALLBACKS);
        }
        break;
    case QKD_REPORT_REROUTE:
        if (link != NULL) {
            watch_detect_reroute(stats, now_ns, report);
        }
        break;
    case QKD_REPORT_ALARM:
        alarm_report(stats, now_ns, report);
        break;
    default:
        break;
    }
}

/* ---- the end ---- */

void watch_links_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < stats->scenario->link_count; i++) {
        struct watch_link_stats *link = &stats->links[i];
        struct watch_link_figures *figures = &link->figures;
        struct scn_link_summary *to = &summary->links[i];
        advance(stats, i, now_ns);
        to->rate_bps = stats->scenario->links[i].qkd.mean_bps;
        to->pool_end_bits = watch_links_level(link);
        to->pool_min_bits = figures->min_bits == UINT64_MAX ? to->pool_end_bits : figures->min_bits;
        to->pool_mean_bits = figures->known_s > 0 ? figures->bit_s / figures->known_s : NAN;
        to->exhaustions = figures->counts[WATCH_LINK_EXHAUSTIONS];
        to->empty_s = figures->empty_s;
        to->down_s = figures->down_s + (link->hit_early || !link->was_up ? figures->early_s : 0);
        to->up_end = link->up[0] && link->up[1];
        to->frames = figures->counts[WATCH_LINK_FRAMES];
        to->retransmissions = figures->counts[WATCH_LINK_RETRANSMISSIONS];
        to->tag_failures = figures->counts[WATCH_LINK_TAG_FAILURES];
        to->relayed_keys = figures->counts[WATCH_LINK_RELAYED_KEYS];
        to->fallbacks = figures->counts[WATCH_LINK_FALLBACKS];
        to->fallback_frames = figures->counts[WATCH_LINK_FALLBACK_FRAMES];
        summary->pools.fallbacks += to->fallbacks;
        summary->relay.fallback_frames += to->fallback_frames;
        summary->pools.exhaustions += to->exhaustions;
        summary->pools.empty_s += to->empty_s;
        summary->relay.frames += to->frames;
        summary->relay.retransmissions += to->retransmissions;
        if (to->pool_min_bits < least) {
            least = to->pool_min_bits;
        }
    }
    summary->pools.min_bits = stats->scenario->link_count > 0 ? least : 0;
    summary->alarms.raised = stats->alarms_raised;
    summary->alarms.cleared = stats->alarms_cleared;
    summary->security.auth_failures = stats->auth_failures;
    summary->security.forgeries_rejected = stats->tag_failures;
}
