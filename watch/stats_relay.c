/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of relayed keys: which nodes a KMA-key passed, by the frames at Kx-1. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/frame.h"
#include "watch/pooled.h"
#include "watch/stats_state.h"

#define ROUTE_KEPT 2 /* QKD_REPORT_ROUTE: used on without a controller */

enum { FIRST_RELAYS = 64 };

/* ---- routes ---- */

void watch_route_fini(struct watch_route *route)
{
    free(route->many);
    *route = (struct watch_route){0};
}

int watch_route_add(struct watch_route *route, uint32_t node)
{
    if (route->many == NULL && route->len < WATCH_ROUTE_SHORT) {
        route->few[route->len++] = node;
        return 0;
    }
    if (route->many == NULL || route->len == route->cap) {
        uint32_t cap = 2 * (route->len + 1);
        uint32_t *many = realloc(route->many, cap * sizeof(*many));
        if (many == NULL) {
            return QKD_ERR_NOMEM;
        }
        if (route->many == NULL) {
            memcpy(many, route->few, sizeof(route->few));
        }
        route->many = many;
        route->cap = cap;
    }
    route->many[route->len++] = node;
    return 0;
}

int watch_route_set(struct watch_route *route, const uint32_t *nodes, uint32_t len)
{
    if (route->len == len && memcmp(watch_route_nodes(route), nodes, len * sizeof(*nodes)) == 0) {
        return 0;
    }
    route->len = 0;
    int rc = 0;
    for (uint32_t i = 0; i < len && rc == 0; i++) {
        rc = watch_route_add(route, nodes[i]);
    }
    return rc;
}

/* ---- the ring of relayed keys ---- */

struct watch_relay *watch_relay_find(struct watch_stats *stats, const struct qkd_id *kma_key)
{
    uint32_t slot = qkd_map_get(&stats->relay_map, kma_key);
    return slot == QKD_MAP_NONE ? NULL : &stats->relays[slot];
}

/* The entry of a key, made in place of the oldest one if need be; NULL without memory. */
static struct watch_relay *relay_get(struct watch_stats *stats, const struct qkd_id *kma_key)
{
    struct watch_relay *relay = watch_relay_find(stats, kma_key);
    if (relay != NULL) {
        return relay;
    }
    if (stats->relay_next == stats->relay_cap && stats->relay_cap < WATCH_RELAYS) {
        uint32_t cap = stats->relay_cap == 0 ? FIRST_RELAYS : 2 * stats->relay_cap;
        struct watch_relay *relays = realloc(stats->relays, cap * sizeof(*relays));
        if (relays == NULL) {
            return NULL;
        }
        memset(relays + stats->relay_cap, 0, (cap - stats->relay_cap) * sizeof(*relays));
        stats->relays = relays;
        stats->relay_cap = cap;
    }
    QKD_ASSERT(stats->relays != NULL);
    uint32_t slot = stats->relay_next % stats->relay_cap;
    relay = &stats->relays[slot];
    if (!qkd_id_is_zero(&relay->kma_key)) {
        (void)qkd_map_del(&stats->relay_map, &relay->kma_key);
    }
    if (qkd_map_put(&stats->relay_map, kma_key, slot) != 0) {
        relay->kma_key = (struct qkd_id){{0}};
        return NULL;
    }
    stats->relay_next = slot + 1;
    relay->kma_key = *kma_key;
    relay->route.len = 0;
    relay->attempt = 0;
    relay->reroutes = 0;
    relay->shares = 1;
    relay->held = 0;
    return relay;
}

bool watch_relay_leaked(const struct watch_relay *relay)
{
    return relay->held == (1U << relay->shares) - 1;
}

int watch_relay_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    if (report->c == ROUTE_KEPT) {
        stats->kept_routes++;
        stats->kept_oldest_ms = report->d > stats->kept_oldest_ms ? report->d
                                                                  : stats->kept_oldest_ms;
    }
    if (report->b == 0) {
        return 0;
    }
    stats->reroutes++;
    watch_windows_note(stats, now_ns, offsetof(struct watch_window, reroutes));
    if (qkd_id_is_zero(&report->id)) {
        return 0; /* of a flow, not of a key */
    }
    struct watch_relay *relay = relay_get(stats, &report->id);
    if (relay == NULL) {
        return QKD_ERR_NOMEM;
    }
    relay->reroutes++;
    return 0;
}

/* A key leaves a node toward another: its way grows, or starts anew with an attempt. */
static int relay_move(struct watch_stats *stats, const struct qkd_id *kma_key, uint8_t attempt,
                      const struct qkd_send *send)
{
    struct watch_relay *relay = relay_get(stats, kma_key);
    if (relay == NULL) {
        return QKD_ERR_NOMEM;
    }
    uint32_t from = qkd_eid_node(send->from);
    struct watch_route *route = &relay->route;
    bool goes_on = attempt == relay->attempt && route->len > 0 &&
                   watch_route_nodes(route)[route->len - 1] == from;
    relay->attempt = attempt;
    int rc = 0;
    if (!goes_on) {
        route->len = 0;
        rc = watch_route_add(route, from);
    }
    return rc == 0 ? watch_route_add(route, qkd_eid_node(send->to)) : rc;
}

/* A share of a key (one of one: all of it) goes from a node to another: both hold it. A frame that was
 * sent again or lost counts too, as does the key of an attempt that failed: a retry sends the same. In
 * relay to the destination a node on the way holds link keys that the sums make the key of. */
static int share_move(struct watch_stats *stats, const struct qkd_send *send,
                      const struct scn_hop *hop, uint32_t share, uint32_t shares)
{
    const struct scn_node *nodes = stats->scenario->nodes;
    struct watch_relay *relay = relay_get(stats, &hop->kma_key);
    if (relay == NULL) {
        return QKD_ERR_NOMEM;
    }
    bool read = nodes[hop->from].compromised || nodes[hop->to].compromised;
    relay->shares = (uint8_t)shares;
    relay->held |= (uint8_t)(read ? 1U << share : 0);
    /* The way of a key is that of its first share. */
    return share > 0 ? 0 : relay_move(stats, &hop->kma_key, (uint8_t)hop->attempt, send);
}

static void hop_emit(const struct watch_stats *stats, const struct scn_hop *hop)
{
    if (stats->sink->hop != NULL) {
        stats->sink->hop(stats->sink->ctx, hop);
    }
}

int watch_stats_send(struct watch_stats *stats, int64_t now_ns, const struct qkd_send *send,
                     const uint8_t *observed)
{
    struct wire_frame frame;
    struct watch_link_stats *link = NULL;
    if (send->rp != QKD_RP_KX1 || observed == NULL || send->observed.len <= WIRE_FRAME_HEAD_LEN ||
        observed[0] != WIRE_FRAME_MAGIC) {
        return 0;
    }
    if (wire_frame_decode(&frame, observed, send->observed.len) == 0) {
        link = watch_links_at(stats, frame.link);
    }
    if (link == NULL) {
        return 0;
    }
    struct scn_hop hop = {.link = frame.link,
                          .from = qkd_eid_node(send->from),
                          .to = qkd_eid_node(send->to),
                          .sent_ns = now_ns,
                          .block = frame.block,
                          .offset = frame.offset,
                          .tag_bits = 8 * WIRE_FRAME_TAG_LEN,
                          .pad_bits = 8 * ((uint64_t)frame.length - WIRE_FRAME_TAG_LEN)};
    uint32_t share = 0;
    uint32_t shares = 1;
    uint32_t pooled = 0; /* keys that have IDs of their own */
    if (frame.type == WIRE_FRAME_RELAY) {
        struct wire_relay_body body;
        size_t len;
        const uint8_t *plain = wire_relay_plain(&frame, &len);
        if (wire_relay_body_decode(&body, plain, len) < 0) {
            return 0;
        }
        if (frame.method == WIRE_METHOD_AES) {
            watch_links_count(stats, now_ns, frame.link, WATCH_LINK_FALLBACK_FRAMES);
        }
        watch_links_count(stats, now_ns, frame.link, WATCH_LINK_FRAMES);
        watch_links_count(stats, now_ns, frame.link, WATCH_LINK_RELAYED_KEYS);
        share = body.has_share ? body.share : 0;
        shares = body.has_shares ? body.shares : 1;
        pooled = watch_is_pooled(&body) ? body.count : 0;
        hop.kma_key = body.key_id;
        hop.hop = body.hop;
        hop.attempt = body.attempt;
        hop.method = frame.method == WIRE_METHOD_AES ? "aes256" : "otp";
    } else if (frame.type == WIRE_FRAME_TAKE) {
        struct wire_take_body body;
        unsigned end = stats->scenario->links[frame.link].a == hop.from ? 0 : 1;
        bool repeated = frame.epoch == link->last_epoch[end] && frame.seq <= link->last_seq[end];
        if (repeated || wire_take_body_decode(&body, frame.body, frame.body_len) < 0) {
            return 0;
        }
        link->last_epoch[end] = frame.epoch;
        link->last_seq[end] = frame.seq;
        watch_links_count(stats, now_ns, frame.link, WATCH_LINK_RELAYED_KEYS);
        hop.kma_key = body.key_id;
        hop.hop = body.has_hop ? body.hop : 1;
        hop.attempt = 1;
        hop.method = "pool";
    } else {
        return 0;
    }
    hop_emit(stats, &hop);
    int rc = share_move(stats, send, &hop, share, shares);
    for (uint32_t i = 0; rc == 0 && i < pooled; i++) {
        struct scn_hop one = hop;
        watch_pooled_id(&hop.kma_key, i, &one.kma_key);
        rc = share_move(stats, send, &one, share, shares);
    }
    return rc;
}
