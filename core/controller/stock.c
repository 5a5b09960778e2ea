/* SPDX-License-Identifier: GPL-3.0-or-later */
/* STOCK: how many keys a request could have now. Nothing is promised. */
#include "core/base/err.h"
#include "core/controller/element.h"
#include "core/wire/frame.h"

#define STOCK_MOST 1000000 /* keys; more need not be told apart */

/* The most keys whose cost `bits` can pay. */
static uint32_t keys_paid(uint64_t (*cost)(uint32_t, uint32_t, uint32_t),
                          const struct wire_stock *stock, uint64_t bits)
{
    uint64_t most = bits / stock->key_size; /* a key costs more than itself */
    uint32_t low = 0;
    uint32_t high = most < STOCK_MOST ? (uint32_t)most : STOCK_MOST;
    while (low < high) {
        uint32_t mid = low + (high - low + 1) / 2;
        if (cost(stock->key_size, mid, stock->batch) <= bits) {
            low = mid;
        } else {
            high = mid - 1;
        }
    }
    return low;
}

/* Keys that one request could have: over the link between neighbours, or over the widest relay route. */
static uint32_t stock_count(struct ctl *ctl, const struct qkd_event *event,
                            const struct wire_stock *stock)
{
    struct ctl_topology *t = &ctl->topology;
    struct ctl_query query = {.source = ctl_topology_find(t, qkd_eid_node(stock->source_id)),
                              .destination = ctl_topology_find(t,
                                                               qkd_eid_node(stock->destination_id)),
                              .relay_bits = wire_relay_cost_bits(stock->key_size, 1, stock->batch),
                              .direct_bits = UINT64_MAX, /* looked at by itself */
                              .paths = ctl->config.paths,
                              .now = event->now};
    if (query.source == CTL_NONE || query.destination == CTL_NONE) {
        return 0;
    }
    uint32_t keys = 0;
    for (uint32_t h = t->nodes[query.source].first; h != CTL_NONE; h = t->halves[h].next) {
        if (t->halves[h].to == query.destination) {
            uint32_t direct = keys_paid(wire_take_cost_bits, stock,
                                        ctl_half_available(t, h, event->now));
            keys = direct > keys ? direct : keys;
        }
    }
    struct ctl_path path;
    if (ctl_route(t, &ctl->search, ctl_route_widest, &query, &path)) {
        uint64_t least = UINT64_MAX;
        for (uint32_t i = 0; i < path.hops; i++) {
            uint64_t bits = ctl_half_available(t, path.halves[i], event->now);
            least = bits < least ? bits : least;
        }
        uint32_t relayed = keys_paid(wire_relay_cost_bits, stock, least);
        keys = relayed > keys ? relayed : keys;
    }
    return keys;
}

void ctl_on_stock(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                  struct qkd_out *out)
{
    struct wire_stock stock;
    int err = wire_stock_decode(&stock, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    struct wire_route like = {.source_id = stock.source_id,
                              .destination_id = stock.destination_id,
                              .key_amount = 1,
                              .key_size = stock.key_size};
    struct wire_stock_rsp rsp = {.head = {.rp = QKD_RP_CK,
                                          .message_id = ctl->next_message_id++,
                                          .orig_message_id = stock.head.message_id,
                                          .sender = ctl->config.self},
                                 .source_id = stock.source_id,
                                 .destination_id = stock.destination_id,
                                 .has_term = ctl->term.own != 0,
                                 .term = ctl->term.own,
                                 .reason = ctl_request_check(ctl, event, &like, m->peer, out)};
    rsp.keys = rsp.reason == WIRE_REASON_NONE ? stock_count(ctl, event, &stock) : 0;
    uint8_t bytes[128];
    int len = wire_stock_rsp_encode(&rsp, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = m->peer, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* what is lost is asked for again */
}
