/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: routes that the controller tells before, or without, being asked (D23-CT-01, -04). Without a
 * version: other routes for flows whose route is no good any more. With one (mode proactive): a table
 * of routes by destination, which flows use without asking; each of its routes holds until another one
 * is told, and its version never goes back. Lost with a restart: the controller tells it whole when the
 * KM comes back. */
#include "core/km/kma_internal.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_LIMIT 65536
#define TABLE_CHUNK 16

static struct kma_flow *flow_at(struct kma *kma, uint32_t slot)
{
    return qkd_slab_at(&kma->flows, slot);
}

static struct kma_table_route *table_find(struct kma *kma, struct qkd_eid destination)
{
    uint8_t key[8];
    wire_put_u64(key, destination.v);
    uint32_t slot = qkd_map_get(&kma->table_map, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(&kma->table, slot);
}

void kma_table_init(struct kma *kma, const uint8_t *salt)
{
    qkd_slab_init(&kma->table, sizeof(struct kma_table_route), TABLE_CHUNK, TABLE_LIMIT);
    qkd_map_init(&kma->table_map, 8, TABLE_LIMIT, salt);
}

void kma_table_fini(struct kma *kma)
{
    for (uint32_t i = 0; i < kma->table.top; i++) {
        if (qkd_slab_live(&kma->table, i)) {
            free(((struct kma_table_route *)qkd_slab_at(&kma->table, i))->route);
        }
    }
    qkd_slab_fini(&kma->table);
    qkd_map_fini(&kma->table_map);
}

static struct kma_table_route *table_add(struct kma *kma, struct qkd_eid destination)
{
    uint8_t key[8];
    wire_put_u64(key, destination.v);
    uint32_t slot = qkd_slab_take(&kma->table);
    if (slot == QKD_SLAB_NONE) {
        return NULL;
    }
    if (qkd_map_put(&kma->table_map, key, slot) != 0) {
        qkd_slab_give(&kma->table, slot);
        return NULL;
    }
    struct kma_table_route *entry = qkd_slab_at(&kma->table, slot);
    *entry = (struct kma_table_route){.destination = destination};
    return entry;
}

/* False: it is not newer than what is there, or there is no memory; nothing changes. */
static bool table_put(const struct kma_step *s, const struct wire_route_entry *told,
                      uint64_t version)
{
    struct kma_table_route *entry = table_find(s->kma, told->destination_id);
    entry = entry == NULL ? table_add(s->kma, told->destination_id) : entry;
    if (entry == NULL || !told->has_route || version < entry->version ||
        told->route.len > (size_t)8 * (KMA_HOP_MAX + 1)) {
        return false;
    }
    uint8_t *route = realloc(entry->route, told->route.len + 1);
    if (route == NULL) {
        return false;
    }
    memcpy(route, told->route.at, told->route.len);
    entry->route = route;
    entry->len = (uint32_t)told->route.len;
    entry->version = version;
    entry->at = s->event->now;
    return true;
}

static bool leads_over(const struct kma_flow *flow, struct qkd_eid from, struct qkd_eid to)
{
    for (uint32_t i = 0; i + 1 < flow->all_len; i++) { /* no hop leads out of the destination */
        if (qkd_eid_eq(flow->route[i], from) && qkd_eid_eq(flow->route[i + 1], to) &&
            !qkd_eid_eq(from, flow->destination)) {
            return true;
        }
    }
    return false;
}

/* Another route for a flow. What is under way on the old one goes on: its hops know the session until
 * its Timer; what is lost there is relayed anew, on the new route. */
static void flow_move(const struct kma_step *s, uint32_t slot, const struct wire_route_entry *told,
                      const struct wire_route_table *table)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    bool same;
    bool alive = flow->session != 0 && qkd_time_before(s->event->now, flow->session_until);
    struct wire_route_rsp like = {.has_route = told->has_route, .route = told->route};
    uint32_t total = alive ? kma_route_usable(s, flow, &like) : 0; /* 0: several were asked for */
    bool taken = total > 0 && kma_route_take(flow, &like, total, &same);
    if (taken) {
        flow->validity = qkd_span_ms((int64_t)table->validity_ms);
        flow->route_at = s->event->now;
        flow->route_until = table->has_version ? QKD_NEVER : kma_after(s, flow->validity);
        flow->by_table = table->has_version;
        if (same) {
            return;
        }
        kma_report(s, (struct qkd_report){.code = QKD_REPORT_ROUTE,
                                          .peer = flow->destination,
                                          .a = flow->route_len - 1,
                                          .b = 1,
                                          .c = 1});
        kma_session_begin(s, slot, flow->direct);
        return;
    }
    flow->route_until = s->event->now;
    qkd_timers_cancel(&s->kma->timers, &flow->timer);
    flow->state = KMA_FLOW_IDLE;
    kma_flow_go(s, slot); /* asks, if anything waits for a route */
}

static void entry_receive(const struct kma_step *s, const struct wire_route_entry *told,
                          const struct wire_route_table *table)
{
    if (table->has_version && !table_put(s, told, table->version)) {
        return;
    }
    for (uint32_t slot = 0; slot < s->kma->flows.top; slot++) {
        const struct kma_flow *flow = qkd_slab_live(&s->kma->flows, slot) ? flow_at(s->kma, slot)
                                                                          : NULL;
        bool is_any = told->destination_id.v == 0; /* whatever leads over that hop */
        bool is_concerned = flow != NULL && !flow->direct &&
                            (flow->state == KMA_FLOW_READY || flow->state == KMA_FLOW_SETUP) &&
                            (is_any || qkd_eid_eq(flow->destination, told->destination_id)) &&
                            ((table->has_version && flow->by_table) ||
                             leads_over(flow, told->failed_from, told->failed_to));
        if (is_concerned) {
            flow_move(s, slot, told, table);
        }
    }
}

void kma_table_receive(const struct kma_step *s, const struct wire_route_table *table)
{
    struct wire_route_entry told;
    for (size_t at = 0; at < table->entries.len;) {
        int len = wire_route_entry_decode(&told, table->entries.at + at, table->entries.len - at);
        if (len <= 0) {
            return;
        }
        at += (size_t)len;
        entry_receive(s, &told, table);
    }
}

bool kma_table_use(const struct kma_step *s, uint32_t slot)
{
    struct kma_flow *flow = flow_at(s->kma, slot);
    const struct kma_table_route *entry = table_find(s->kma, flow->destination);
    bool same;
    if (entry == NULL || entry->route == NULL || flow->wanted > 1) { /* several: asked for */
        return false;
    }
    struct wire_route_rsp like = {.has_route = true, .route = {entry->route, entry->len}};
    uint32_t total = kma_route_usable(s, flow, &like);
    if (total == 0 || !kma_route_take(flow, &like, total, &same)) {
        return false;
    }
    bool alive = flow->session != 0 && qkd_time_before(s->event->now, flow->session_until);
    flow->by_table = true;
    flow->route_at = entry->at;
    flow->route_until = QKD_NEVER;
    kma_report(s, (struct qkd_report){.code = QKD_REPORT_ROUTE,
                                      .peer = flow->destination,
                                      .a = flow->route_len - 1,
                                      .c = 3,
                                      .d = entry->version});
    if (same && alive) {
        flow->state = KMA_FLOW_READY;
        kma_need_run(s, slot);
    } else {
        kma_session_begin(s, slot, !alive || flow->direct);
    }
    return true;
}
