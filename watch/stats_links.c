/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of links: pool levels over time, and how the network heals after faults. A pool's level
 * is what the two ends own, each by its own report; figures over time start with the warm-up's end.
 *
 * A link that comes up for the first time was not down before, unless a fault hit it already; one
 * that never comes up was down all the time.
 *
 * A fault is `in use` if the last served request of some application went over what it breaks. It is
 * detected when a KMA at its edge reports the neighbour down or the manager raises an alarm about
 * the link, of a kind that such a fault causes. It is healed when such an application is served a
 * request that it made afterwards. */
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
    link->own_bits[end] = report->b;
    link->known[end] = true;
    note_min(stats, link);
    watch_windows_changed(stats, (uint32_t)report->a, now_ns);
    if (stats->sink->pool != NULL) {
        stats->sink->pool(stats->sink->ctx,
                          &(struct scn_pool_sample){.time_ns = now_ns,
                                                    .link = (uint32_t)report->a,
                                                    .node = qkd_eid_node(report->who),
                                                    .own_bits = report->b,
                                                    .peer_bits = report->c,
                                                    .stored_bits = report->d,
                                                    .up = link->up[end]});
    }
}

/* ---- up, down, healing ---- */

static bool fault_touches(const struct watch_stats *stats, const struct scn_fault *fault,
                          uint32_t a, uint32_t b)
{
    if (fault->target == SCN_TARGET_ELEMENT || fault->what == SCN_FAULT_PARTITION) {
        return false; /* no link is hit */
    }
    if (fault->target == SCN_TARGET_NODE) {
        return fault->index == a || fault->index == b;
    }
    if (fault->target == SCN_TARGET_CLASSICAL) {
        /* Who is silent is not always at its ends; between switches it can be anybody. */
        const struct scn_classical_link *cable = &stats->scenario->classical.links[fault->index];
        bool backbone = cable->a >= stats->scenario->node_count &&
                        cable->b >= stats->scenario->node_count;
        return backbone || cable->a == a || cable->a == b || cable->b == a || cable->b == b;
    }
    const struct scn_link *link = &stats->scenario->links[fault->index];
    return (link->a == a && link->b == b) || (link->a == b && link->b == a);
}

/* What is seen of a fault. */
enum sight { SIGHT_LINK, SIGHT_MODULE, SIGHT_NO_KEY };

/* Whether a fault of this kind looks so: without the quantum channel a module stops and no key comes;
 * without the classical one, or the node, the neighbour is silent. */
static bool fault_shows(const struct scn_fault *fault, enum sight sight)
{
    switch (fault->what) {
    case SCN_FAULT_BOTH:
        return true;
    case SCN_FAULT_QUANTUM:
        return sight != SIGHT_LINK;
    case SCN_FAULT_CLASSICAL:
        return sight == SIGHT_LINK;
    case SCN_FAULT_CRASH:
    case SCN_FAULT_DOWN:
    case SCN_FAULT_TORN:
    case SCN_FAULT_DISK_FULL:
        return sight != SIGHT_NO_KEY;
    case SCN_FAULT_DEGRADED:
        return sight == SIGHT_NO_KEY;
    case SCN_FAULT_MODULE:
        return sight != SIGHT_LINK;
    case SCN_FAULT_IMPAIRED:
        return sight == SIGHT_LINK;
    case SCN_FAULT_PARTITION:
    case SCN_FAULT_WHATS:
        break;
    }
    return false;
}

static void detected(struct watch_stats *stats, int64_t now_ns, uint32_t a, uint32_t b,
                     enum sight sight)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < stats->open_count; i++) {
        uint32_t fault = stats->open_faults[i];
        const struct scn_fault *planned = &stats->scenario->faults[fault];
        if (fault_shows(planned, sight) && fault_touches(stats, planned, a, b)) {
            stats->faults[fault].detect_ns = now_ns;
        } else {
            stats->open_faults[left++] = fault;
        }
    }
    stats->open_count = left;
}

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
        }
    }
    if (!up) {
        detected(stats, now_ns, self, peer, SIGHT_LINK);
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
    bool of_fault = report->a == WIRE_FAULT_LINK_DOWN || report->a == WIRE_FAULT_MODULE_DOWN ||
                    report->a == WIRE_FAULT_NO_KEY;
    if (raised && of_fault && report->c < stats->scenario->link_count) {
        const struct scn_link *link = &stats->scenario->links[report->c];
        enum sight sight = report->a == WIRE_FAULT_LINK_DOWN
                               ? SIGHT_LINK
                               : (report->a == WIRE_FAULT_NO_KEY ? SIGHT_NO_KEY : SIGHT_MODULE);
        detected(stats, now_ns, link->a, link->b, sight);
    }
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
        }
        break;
    case QKD_REPORT_ALARM:
        alarm_report(stats, now_ns, report);
        break;
    default:
        break;
    }
}

static bool route_uses(const struct watch_stats *stats, const struct watch_route *route,
                       const struct scn_fault *fault)
{
    const uint32_t *nodes = watch_route_nodes(route);
    for (uint32_t i = 0; i + 1 < route->len; i++) {
        if (fault_touches(stats, fault, nodes[i], nodes[i + 1])) {
            return true;
        }
    }
    return false;
}

void watch_stats_fault(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault)
{
    uint32_t number = (uint32_t)(fault - stats->scenario->faults);
    struct watch_fault_stats *state = &stats->faults[number];
    state->at_ns = now_ns;
    stats->open_faults[stats->open_count++] = number;
    for (size_t i = 0; i < stats->scenario->link_count; i++) {
        const struct scn_link *link = &stats->scenario->links[i];
        bool hit = fault_shows(fault, SIGHT_LINK) && fault_touches(stats, fault, link->a, link->b);
        stats->links[i].hit_early = stats->links[i].hit_early || (hit && !stats->links[i].was_up);
    }
    for (size_t i = 0; i < stats->scenario->application_count; i++) {
        if (route_uses(stats, &stats->apps[i].route, fault)) {
            stats->apps[i].fault = number;
            state->in_use = true;
        }
    }
}

void watch_healing_served(struct watch_stats *stats, const struct watch_request *request)
{
    struct watch_app_stats *app = &stats->apps[request->application];
    if (app->fault == SCN_NO_INDEX) {
        return;
    }
    struct watch_fault_stats *fault = &stats->faults[app->fault];
    if (request->start_ns < fault->at_ns) {
        return;
    }
    if (fault->key_ns == SCN_NO_TIME) {
        fault->key_ns = request->end_ns;
    }
    app->fault = SCN_NO_INDEX;
}

/* ---- the end ---- */

static void healing_finish(const struct watch_stats *stats, struct scn_summary *summary)
{
    double detect_s = 0;
    double key_s = 0;
    uint64_t detections = 0;
    uint64_t keys = 0;
    for (size_t i = 0; i < stats->scenario->fault_count; i++) {
        const struct watch_fault_stats *fault = &stats->faults[i];
        summary->healing.events += fault->in_use;
        if (fault->in_use && fault->detect_ns != SCN_NO_TIME) {
            detect_s += (double)(fault->detect_ns - fault->at_ns) / 1e9;
            detections++;
        }
        if (fault->in_use && fault->key_ns != SCN_NO_TIME) {
            key_s += (double)(fault->key_ns - fault->at_ns) / 1e9;
            keys++;
        }
    }
    summary->healing.detect_s = detections > 0 ? detect_s / (double)detections : NAN;
    summary->healing.first_key_s = keys > 0 ? key_s / (double)keys : NAN;
}

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
    healing_finish(stats, summary);
}
