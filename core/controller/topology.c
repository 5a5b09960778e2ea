/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMs, links and their statuses: see controller/topology.h. Arrays grow by doubling up to their
 * limit; nothing is allocated once every KM and link of the network is known. */
#include "core/controller/topology.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define FIRST_CAP 16
#define NODE_KEY_LEN 4
#define LINK_KEY_LEN 12

void ctl_topology_init(struct ctl_topology *t, uint32_t node_limit, uint32_t link_limit,
                       struct qkd_span fresh)
{
    *t = (struct ctl_topology){.node_limit = node_limit, .link_limit = link_limit, .fresh = fresh};
    qkd_map_init(&t->by_number, NODE_KEY_LEN, node_limit, NULL);
    qkd_map_init(&t->by_link, LINK_KEY_LEN, link_limit, NULL);
}

void ctl_topology_fini(struct ctl_topology *t)
{
    qkd_map_fini(&t->by_number);
    qkd_map_fini(&t->by_link);
    free(t->nodes);
    free(t->links);
    free(t->halves);
    free(t->worse);
    *t = (struct ctl_topology){0};
}

void ctl_topology_salt(struct ctl_topology *t, const uint8_t salt[16])
{
    qkd_map_init(&t->by_number, NODE_KEY_LEN, t->node_limit, salt);
    qkd_map_init(&t->by_link, LINK_KEY_LEN, t->link_limit, salt);
}

/* Doubles an array of `size`-byte items up to `limit`; false at the limit or without memory. */
static bool array_grow(void **items, uint32_t *cap, uint32_t limit, size_t size)
{
    if (*cap >= limit) {
        return false;
    }
    uint32_t to = *cap == 0 ? FIRST_CAP : *cap > limit / 2 ? limit : *cap * 2;
    to = to < limit ? to : limit;
    void *grown = realloc(*items, to * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *cap = to;
    return true;
}

uint32_t ctl_topology_find(const struct ctl_topology *t, uint32_t number)
{
    uint8_t key[NODE_KEY_LEN];
    wire_put_u32(key, number);
    uint32_t slot = qkd_map_get(&t->by_number, key);
    return slot == QKD_MAP_NONE ? CTL_NONE : slot;
}

uint32_t ctl_topology_node(struct ctl_topology *t, uint32_t number)
{
    uint32_t slot = ctl_topology_find(t, number);
    if (slot != CTL_NONE) {
        return slot;
    }
    if (t->node_count == t->node_cap) {
        void *items = t->nodes;
        if (!array_grow(&items, &t->node_cap, t->node_limit, sizeof t->nodes[0])) {
            return CTL_NONE;
        }
        t->nodes = items;
    }
    uint8_t key[NODE_KEY_LEN];
    wire_put_u32(key, number);
    if (qkd_map_put(&t->by_number, key, t->node_count) != 0) {
        return CTL_NONE;
    }
    t->nodes[t->node_count] = (struct ctl_node){.number = number, .first = CTL_NONE};
    return t->node_count++;
}

static void link_key(uint8_t key[LINK_KEY_LEN], uint32_t id, uint32_t low, uint32_t high)
{
    wire_put_u32(key, id);
    wire_put_u32(key + 4, low);
    wire_put_u32(key + 8, high);
}

static bool links_grow(struct ctl_topology *t)
{
    void *links = t->links;
    uint32_t cap = t->link_cap;
    if (!array_grow(&links, &cap, t->link_limit, sizeof t->links[0])) {
        return false;
    }
    t->links = links;
    struct ctl_half *halves = realloc(t->halves, 2 * (size_t)cap * sizeof *halves);
    if (halves == NULL) {
        return false; /* the longer array of links does no harm */
    }
    t->halves = halves;
    uint32_t *worse = realloc(t->worse, cap * sizeof *worse);
    if (worse == NULL) {
        return false;
    }
    t->worse = worse;
    t->link_cap = cap;
    return true;
}

/* Both node numbers are part of the key, so a KM that claims another's link ID makes a link of its
 * own that nobody confirms. */
static int link_add(struct ctl_topology *t, uint32_t id, uint32_t low, uint32_t high)
{
    if (t->link_count == t->link_cap && !links_grow(t)) {
        return t->link_cap >= t->link_limit ? QKD_ERR_LIMIT : QKD_ERR_NOMEM;
    }
    uint8_t key[LINK_KEY_LEN];
    link_key(key, id, t->nodes[low].number, t->nodes[high].number);
    int err = qkd_map_put(&t->by_link, key, t->link_count);
    if (err != 0) {
        return err;
    }
    struct ctl_link *link = &t->links[t->link_count];
    *link = (struct ctl_link){.id = id, .node = {low, high}, .at = {{INT64_MIN}, {INT64_MIN}}};
    for (uint32_t side = 0; side < 2; side++) {
        struct ctl_node *node = &t->nodes[link->node[side]];
        uint32_t half = t->link_count * 2 + side;
        t->halves[half] = (struct ctl_half){.until_ns = INT64_MIN,
                                            .to = link->node[1 - side],
                                            .next = node->first};
        node->first = half;
    }
    t->link_count++;
    return 0;
}

/* Until when a link may be used: both ends up, the older status not yet stale. */
static int64_t link_until(const struct ctl_topology *t, const struct ctl_link *link)
{
    if (!link->up[0] || !link->up[1]) {
        return INT64_MIN;
    }
    return qkd_time_add(qkd_time_min(link->at[0], link->at[1]), t->fresh).ns;
}

/* Reported numbers may be anything. */
static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void ctl_topology_worse(struct ctl_topology *t, uint32_t slot, enum qkd_worse why)
{
    if (!t->links[slot].is_worse) {
        t->links[slot].is_worse = true;
        t->links[slot].why = (uint8_t)why;
        t->worse[t->worse_count++] = slot;
    }
}

void ctl_topology_worse_clear(struct ctl_topology *t)
{
    for (uint32_t i = 0; i < t->worse_count; i++) {
        t->links[t->worse[i]].is_worse = false;
    }
    t->worse_count = 0;
}

/* Sets one of the signs for which a link is avoided. */
static void sign_set(struct ctl_topology *t, uint32_t slot, bool *sign, bool is_on)
{
    struct ctl_link *link = &t->links[slot];
    bool of_tags = sign == &link->attacked[0] || sign == &link->attacked[1];
    bool was = ctl_link_is_noisy(link);
    *sign = is_on;
    bool is = ctl_link_is_noisy(link);
    t->noisy_count += is ? 1 : 0;
    t->noisy_count -= was ? 1 : 0;
    if (is && !was) {
        ctl_topology_worse(t, slot, of_tags ? QKD_WORSE_TAGS : QKD_WORSE_NOISE);
    }
    t->is_better = t->is_better || (was && !is);
}

/* Tags fail when somebody forges frames: as many between two statuses as make a security event. The
 * link is trusted again after as long without a failure as a status is used. A counter that went back
 * began anew with its KM. */
static void tags_take(struct ctl_topology *t, uint32_t slot, uint32_t side,
                      const struct wire_link_status *status, struct qkd_time now)
{
    struct ctl_link *link = &t->links[slot];
    uint64_t before = link->tag_failures[side];
    uint64_t failed = status->tag_failures >= before ? status->tag_failures - before
                                                     : status->tag_failures;
    link->tag_failures[side] = status->tag_failures;
    if (failed > 0) {
        link->attacked_at[side] = now;
    }
    if (failed >= CTL_TAG_FAILURES) {
        sign_set(t, slot, &link->attacked[side], true);
    } else if (link->attacked[side] &&
               !qkd_time_before(now, qkd_time_add(link->attacked_at[side], t->fresh))) {
        sign_set(t, slot, &link->attacked[side], false);
    }
}

int ctl_topology_status(struct ctl_topology *t, uint32_t node,
                        const struct wire_link_status *status, struct qkd_time now)
{
    if (qkd_eid_role(status->peer) != QKD_ROLE_KMA) {
        return QKD_ERR_INVALID;
    }
    uint32_t peer = ctl_topology_find(t, qkd_eid_node(status->peer));
    if (peer == CTL_NONE) {
        return QKD_ERR_UNKNOWN;
    }
    if (peer == node) {
        return QKD_ERR_INVALID;
    }
    bool is_low = t->nodes[node].number < t->nodes[peer].number;
    uint32_t low = is_low ? node : peer;
    uint32_t high = is_low ? peer : node;
    uint8_t key[LINK_KEY_LEN];
    link_key(key, status->link, t->nodes[low].number, t->nodes[high].number);
    uint32_t slot = qkd_map_get(&t->by_link, key);
    if (slot == QKD_MAP_NONE) {
        int err = link_add(t, status->link, low, high);
        if (err != 0) {
            return err;
        }
        slot = t->link_count - 1;
    }
    uint32_t side = is_low ? 0 : 1;
    struct ctl_link *link = &t->links[slot];
    uint64_t grant = status->peer_bits / 2;
    uint64_t both = sum(status->own_bits, status->peer_bits);
    uint64_t mark = link->drained[side] ? sum(t->low_bits, t->low_bits / CTL_MARK_SHARE)
                                        : t->low_bits;
    bool below_mark = both < mark;
    bool was_up = link->up[0] && link->up[1];
    if (was_up && status->up == 0) {
        ctl_topology_worse(t, slot, QKD_WORSE_DOWN);
    } else if (below_mark && !link->drained[side]) {
        ctl_topology_worse(t, slot, QKD_WORSE_LOW);
    }
    bool is_fresh = t->halves[2 * slot].until_ns >= now.ns;
    t->is_better = t->is_better || !is_fresh || (link->drained[side] && !below_mark);
    tags_take(t, slot, side, status, now);
    link->drained[side] = below_mark;
    link->up[side] = status->up != 0;
    link->at[side] = now;
    link->consumed_bps[side] = status->consumption_bps;
    link->stored_bits[side] = status->stored_bits;
    link->promised[side] = 0;
    link->fallback_bits[side] = status->has_fallback_bits ? status->fallback_bits : 0;
    link->delay_ns[side] = status->has_delay_ns ? status->delay_ns : link->delay_ns[side];
    uint64_t available = below_mark ? 0 : sum(status->own_bits, grant);
    struct ctl_half *half = &t->halves[2 * slot + side];
    t->is_better = t->is_better || (half->available < t->pay_bits && available >= t->pay_bits);
    half->own = status->own_bits;
    half->available = available;
    t->halves[2 * slot].until_ns = t->halves[2 * slot + 1].until_ns = link_until(t, link);
    return 0;
}

/* The half edge of link `id` from a node; CTL_NONE if there is none (yet). */
static uint32_t half_of(const struct ctl_topology *t, uint32_t number, uint32_t id)
{
    uint32_t node = ctl_topology_find(t, number);
    uint32_t h = node == CTL_NONE ? CTL_NONE : t->nodes[node].first;
    while (h != CTL_NONE && t->links[h >> 1].id != id) {
        h = t->halves[h].next;
    }
    return h;
}

uint32_t ctl_topology_link(const struct ctl_topology *t, uint32_t number, uint32_t id)
{
    uint32_t h = half_of(t, number, id);
    return h == CTL_NONE ? CTL_NONE : h >> 1;
}

void ctl_topology_noise(struct ctl_topology *t, uint32_t number, uint32_t id, uint32_t qber_ppm)
{
    uint32_t h = half_of(t, number, id);
    if (h != CTL_NONE) {
        bool *noisy = &t->links[h >> 1].noisy[h & 1U];
        uint32_t limit = *noisy ? WIRE_QBER_LIMIT_PPM - WIRE_QBER_LIMIT_PPM / 10
                                : WIRE_QBER_LIMIT_PPM;
        sign_set(t, h >> 1, noisy, qber_ppm > limit);
    }
}

void ctl_topology_rate(struct ctl_topology *t, uint32_t number, uint32_t id, uint64_t rate_bps)
{
    uint32_t h = half_of(t, number, id);
    if (h != CTL_NONE && rate_bps > 0) {
        t->links[h >> 1].rate_bps[h & 1U] = rate_bps;
    }
}

uint64_t ctl_link_rate_bps(const struct ctl_link *link)
{
    uint64_t a = link->rate_bps[0];
    uint64_t b = link->rate_bps[1];
    return a == 0 || (b > 0 && b < a) ? b : a;
}

uint64_t ctl_link_delay_ns(const struct ctl_link *link)
{
    uint64_t a = link->delay_ns[0];
    uint64_t b = link->delay_ns[1];
    return a == 0 ? b : b == 0 ? a : a / 2 + b / 2;
}

uint64_t ctl_link_load_ppm(const struct ctl_topology *t, uint32_t slot)
{
    const struct ctl_link *link = &t->links[slot];
    uint64_t rate = ctl_link_rate_bps(link);
    uint64_t promised = sum(link->promised[0], link->promised[1]);
    uint64_t period_us = (uint64_t)t->fresh.ns / 1000 / CTL_STALE_PERIODS;
    uint64_t per_s = promised < UINT64_MAX / CTL_PPM ? promised * CTL_PPM / (period_us + 1)
                                                     : UINT64_MAX;
    uint64_t used = sum(sum(link->consumed_bps[0], link->consumed_bps[1]), per_s);
    bool is_most = rate == 0 || used >= UINT64_MAX / CTL_PPM ||
                   used * CTL_PPM / rate > CTL_LOAD_MOST_PPM;
    return is_most ? CTL_LOAD_MOST_PPM : used * CTL_PPM / rate;
}

uint64_t ctl_link_capacity_bps(const struct ctl_topology *t, const struct ctl_link *link)
{
    uint64_t rate = ctl_link_rate_bps(link);
    return rate / CTL_PPM * t->reservable_ppm + rate % CTL_PPM * t->reservable_ppm / CTL_PPM;
}

uint64_t ctl_link_residual_bps(const struct ctl_topology *t, const struct ctl_link *link)
{
    uint64_t capacity = ctl_link_capacity_bps(t, link);
    return capacity > link->reserved_bps ? capacity - link->reserved_bps : 0;
}

void ctl_half_promise(struct ctl_topology *t, uint32_t half, uint64_t bits)
{
    struct ctl_half *h = &t->halves[half];
    h->available = h->available > bits ? h->available - bits : 0;
    uint64_t *promised = &t->links[half >> 1].promised[half & 1U];
    *promised = sum(*promised, bits);
}
