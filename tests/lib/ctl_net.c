/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A controller among puppets: see tests/lib/ctl_net.h. */
#include "tests/lib/ctl_net.h"

#include "core/wire/frame.h"

PUMP_ELEMENT(ctl)

#define MBIT CTN_MBIT

struct ctn ctn;

const struct ctn_edge ctn_diamond[CTN_DIAMOND_LINKS] = {
    {.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT},
    {.a = 2, .b = 4, .a_bits = MBIT, .b_bits = MBIT},
    {.a = 1, .b = 3, .a_bits = 2 * MBIT, .b_bits = 2 * MBIT},
    {.a = 4, .b = 3, .a_bits = 2 * MBIT, .b_bits = 2 * MBIT},
    {.a = 4, .b = 1, .a_bits = MBIT / 2, .b_bits = MBIT / 2},
    {.a = 2, .b = 3, .a_bits = 0, .b_bits = 9 * MBIT}};

struct qkd_eid ctn_kma(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KMA, 0, node);
}

void ctn_make_as(struct ctn_control control)
{
    struct ctl_config config = {.self = CTN_CONTROLLER,
                                .manager = CTN_MANAGER,
                                .routing = control.routing,
                                .mode = control.mode,
                                .unit_bits = CTN_KEY_SIZE,
                                .keep_route = control.keep_route,
                                .low_mark_bits = control.low_mark_bits,
                                .route_validity = qkd_span_s(10),
                                .status_period = qkd_span_ms(CTN_PERIOD_MS),
                                .retransmit = qkd_span_ms(200),
                                .node_limit = 16,
                                .link_limit = 32};
    ck_assert_int_eq(ctl_new(&config, &ctn.ctl), 0);
    pump_add(ctn.pump, CTN_CONTROLLER,
             (struct pump_element){
                 .self = ctn.ctl, .step = pump_ctl_step, .deadline = pump_ctl_deadline});
    pump_start(ctn.pump, CTN_CONTROLLER);
}

void ctn_make(enum ctl_routing routing)
{
    ctn_make_as((struct ctn_control){.routing = routing});
}

void ctn_setup(void)
{
    ctn = (struct ctn){.pump = pump_new(&(struct pump_config){.seed = 1})};
}

void ctn_teardown(void)
{
    for (uint32_t i = 0; i <= CTN_NODES_MAX; i++) {
        puppet_free(ctn.kmc[i]);
    }
    puppet_free(ctn.other);
    ctl_free(ctn.ctl);
    pump_free(ctn.pump);
    ctn = (struct ctn){0};
}

void ctn_kmcs(uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        ctn.kmc[i] = puppet_new(ctn.pump, qkd_eid_make(QKD_ROLE_KMC, 0, i));
        puppet_open(ctn.kmc[i], QKD_RP_CK, CTN_CONTROLLER);
    }
    pump_run(ctn.pump, qkd_span_ms(100));
}

void ctn_status(uint32_t node, const struct ctn_edge *edges, size_t count)
{
    uint8_t blob[4096];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const struct ctn_edge *e = &edges[i];
        if (e->a != node && e->b != node) {
            continue;
        }
        bool is_a = e->a == node;
        struct wire_link_status status = {.link = (uint32_t)i,
                                          .peer = ctn_kma(is_a ? e->b : e->a),
                                          .up = is_a ? !e->a_down : !e->b_down,
                                          .own_bits = is_a ? e->a_bits : e->b_bits,
                                          .peer_bits = 0};
        int record = wire_link_status_encode(&status, blob + len, sizeof blob - len);
        ck_assert_int_gt(record, 0);
        len += (size_t)record;
    }
    struct wire_status_rsp rsp = {.table = WIRE_STATUS_KEY_AMOUNT,
                                  .has_links = true,
                                  .links = {blob, len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(ctn.kmc[node], status_rsp, QKD_RP_CK, CTN_CONTROLLER, &rsp);
}

void ctn_status_all(const struct ctn_edge *edges, size_t count)
{
    for (uint32_t i = 1; i <= CTN_NODES_MAX; i++) {
        if (ctn.kmc[i] != NULL) {
            ctn_status(i, edges, count);
        }
    }
    pump_run(ctn.pump, qkd_span_ms(10));
}

struct ctn_answer ctn_decode(const struct puppet_message *m, uint64_t orig)
{
    struct wire_route_rsp rsp;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.head.orig_message_id, orig);
    ck_assert_uint_eq(rsp.has_route, rsp.code == WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.has_validity_ms, rsp.code == WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.has_reason, rsp.code == WIRE_FAILURE);
    struct ctn_answer answer = {.code = rsp.code,
                                .reason = rsp.reason,
                                .validity_ms = rsp.validity_ms};
    if (rsp.has_route) {
        ck_assert_uint_eq(rsp.route.len % 8, 0);
        ck_assert_uint_ge(rsp.route.len, 16);
        ck_assert_uint_le(rsp.route.len, 8 * CTN_NODES_MAX);
        answer.hops = (unsigned)(rsp.route.len / 8 - 1);
        for (size_t i = 0; i <= answer.hops; i++) {
            struct qkd_eid eid = {wire_get_u64(rsp.route.at + 8 * i)};
            ck_assert_uint_eq(eid.v, ctn_kma(qkd_eid_node(eid)).v);
            answer.nodes[i] = qkd_eid_node(eid);
        }
        ck_assert_uint_eq(rsp.source_id.v, ctn_kma(answer.nodes[0]).v);
        ck_assert_uint_eq(rsp.destination_id.v, ctn_kma(answer.nodes[answer.hops]).v);
    }
    return answer;
}

struct wire_route ctn_request(uint32_t from, uint32_t to, uint32_t amount)
{
    return (struct wire_route){.source_id = ctn_kma(from),
                               .destination_id = ctn_kma(to),
                               .key_amount = amount,
                               .key_size = CTN_KEY_SIZE,
                               .batch = 1};
}

struct ctn_answer ctn_ask(uint32_t from, uint32_t to, uint32_t amount)
{
    struct wire_route route = ctn_request(from, to, amount);
    size_t before = puppet_count(ctn.kmc[from], WIRE_CMD_ROUTE_RSP);
    PUPPET_SEND(ctn.kmc[from], route, QKD_RP_CK, CTN_CONTROLLER, &route);
    pump_run(ctn.pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(ctn.kmc[from], WIRE_CMD_ROUTE_RSP), before + 1);
    return ctn_decode(puppet_get(ctn.kmc[from], WIRE_CMD_ROUTE_RSP, before), route.head.message_id);
}

void ctn_expect_route(struct ctn_answer got, const uint32_t *nodes, unsigned hops)
{
    ck_assert_uint_eq(got.code, WIRE_SUCCESS);
    ck_assert_uint_eq(got.hops, hops);
    for (unsigned i = 0; i <= hops; i++) {
        ck_assert_uint_eq(got.nodes[i], nodes[i]);
    }
    ck_assert_uint_eq(got.validity_ms, 10000);
}

void ctn_expect_failure(struct ctn_answer got, unsigned reason)
{
    ck_assert_uint_eq(got.code, WIRE_FAILURE);
    ck_assert_uint_eq(got.reason, reason);
}

uint64_t ctn_relay_bits(uint32_t amount)
{
    return wire_relay_cost_bits(CTN_KEY_SIZE, amount, 1);
}
