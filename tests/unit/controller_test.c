/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN controller against scripted KMCs, modules and a manager (FG QIT4N D2.3 clause 8; Tables 8-1
 * to 8-4; docs/protocol.md, "Control"). Small graphs are worked out by hand below; the Cambridge and
 * SECOQC facts are quoted where they are used. Routes on random graphs: controller_route_test.c. */
#include <check.h>
#include <stdlib.h>

#include "core/controller/controller.h"
#include "core/wire/frame.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(ctl)

enum { NODES_MAX = 8, PERIOD_MS = 1000, KEY_SIZE = 256 };

static const struct qkd_eid controller = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90};
static const struct qkd_eid manager = {(uint64_t)QKD_ROLE_MANAGER << 56 | 91};

/* A link of the test network: the bits that each end owns, and whether it says that it is up. */
struct edge {
    uint32_t a, b; /* node numbers */
    uint64_t a_bits, b_bits;
    bool a_down, b_down;
};

static struct pump *pump;
static struct ctl *ctl;
static struct puppet *kmc[NODES_MAX + 1]; /* by node number, from 1 */
static struct puppet *other;              /* a manager or a module */

static struct qkd_eid kma_of(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KMA, 0, node);
}

/* What a scenario says under `control`. */
struct control {
    enum ctl_routing routing;
    bool keep_route;
    uint64_t low_mark_bits;
};

static void controller_make_as(struct control control)
{
    struct ctl_config config = {.self = controller,
                                .manager = manager,
                                .routing = control.routing,
                                .keep_route = control.keep_route,
                                .low_mark_bits = control.low_mark_bits,
                                .route_validity = qkd_span_s(10),
                                .status_period = qkd_span_ms(PERIOD_MS),
                                .retransmit = qkd_span_ms(200),
                                .node_limit = 16,
                                .link_limit = 32};
    ck_assert_int_eq(ctl_new(&config, &ctl), 0);
    pump_add(
        pump, controller,
        (struct pump_element){.self = ctl, .step = pump_ctl_step, .deadline = pump_ctl_deadline});
    pump_start(pump, controller);
}

static void controller_make(enum ctl_routing routing)
{
    controller_make_as((struct control){.routing = routing});
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
}

static void teardown(void)
{
    for (uint32_t i = 0; i <= NODES_MAX; i++) {
        puppet_free(kmc[i]);
        kmc[i] = NULL;
    }
    puppet_free(other);
    other = NULL;
    ctl_free(ctl);
    pump_free(pump);
}

static void kmcs_make(uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        kmc[i] = puppet_new(pump, qkd_eid_make(QKD_ROLE_KMC, 0, i));
        puppet_open(kmc[i], QKD_RP_CK, controller);
    }
    pump_run(pump, qkd_span_ms(100));
}

/* KMC `node` pushes the status of its ends of the edges. */
static void status_push(uint32_t node, const struct edge *edges, size_t count)
{
    uint8_t blob[4096];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const struct edge *e = &edges[i];
        if (e->a != node && e->b != node) {
            continue;
        }
        bool is_a = e->a == node;
        struct wire_link_status status = {.link = (uint32_t)i,
                                          .peer = kma_of(is_a ? e->b : e->a),
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
    PUPPET_SEND(kmc[node], status_rsp, QKD_RP_CK, controller, &rsp);
}

static void status_push_all(const struct edge *edges, size_t count)
{
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        if (kmc[i] != NULL) {
            status_push(i, edges, count);
        }
    }
    pump_run(pump, qkd_span_ms(10));
}

struct answer {
    unsigned code, reason, hops;
    uint32_t validity_ms;
    uint32_t nodes[NODES_MAX];
};

static struct answer answer_decode(const struct puppet_message *m, uint64_t orig)
{
    struct wire_route_rsp rsp;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.head.orig_message_id, orig);
    ck_assert_uint_eq(rsp.has_route, rsp.code == WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.has_validity_ms, rsp.code == WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.has_reason, rsp.code == WIRE_FAILURE);
    struct answer answer = {.code = rsp.code, .reason = rsp.reason, .validity_ms = rsp.validity_ms};
    if (rsp.has_route) {
        ck_assert_uint_eq(rsp.route.len % 8, 0);
        ck_assert_uint_ge(rsp.route.len, 16);
        ck_assert_uint_le(rsp.route.len, 8 * NODES_MAX);
        answer.hops = (unsigned)(rsp.route.len / 8 - 1);
        for (size_t i = 0; i <= answer.hops; i++) {
            struct qkd_eid eid = {wire_get_u64(rsp.route.at + 8 * i)};
            ck_assert_uint_eq(eid.v, kma_of(qkd_eid_node(eid)).v);
            answer.nodes[i] = qkd_eid_node(eid);
        }
        ck_assert_uint_eq(rsp.source_id.v, kma_of(answer.nodes[0]).v);
        ck_assert_uint_eq(rsp.destination_id.v, kma_of(answer.nodes[answer.hops]).v);
    }
    return answer;
}

static struct wire_route request_make(uint32_t from, uint32_t to, uint32_t amount)
{
    return (struct wire_route){.source_id = kma_of(from),
                               .destination_id = kma_of(to),
                               .key_amount = amount,
                               .key_size = KEY_SIZE,
                               .batch = 1};
}

static struct answer ask(uint32_t from, uint32_t to, uint32_t amount)
{
    struct wire_route route = request_make(from, to, amount);
    size_t before = puppet_count(kmc[from], WIRE_CMD_ROUTE_RSP);
    PUPPET_SEND(kmc[from], route, QKD_RP_CK, controller, &route);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(kmc[from], WIRE_CMD_ROUTE_RSP), before + 1);
    return answer_decode(puppet_get(kmc[from], WIRE_CMD_ROUTE_RSP, before), route.head.message_id);
}

static void expect_route(struct answer got, const uint32_t *nodes, unsigned hops)
{
    ck_assert_uint_eq(got.code, WIRE_SUCCESS);
    ck_assert_uint_eq(got.hops, hops);
    for (unsigned i = 0; i <= hops; i++) {
        ck_assert_uint_eq(got.nodes[i], nodes[i]);
    }
    ck_assert_uint_eq(got.validity_ms, 10000);
}

static void expect_failure(struct answer got, unsigned reason)
{
    ck_assert_uint_eq(got.code, WIRE_FAILURE);
    ck_assert_uint_eq(got.reason, reason);
}

#define EXPECT_ROUTE(got, ...)                                                                     \
    expect_route((got), (const uint32_t[]){__VA_ARGS__},                                           \
                 sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t) - 1)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MBIT UINT64_C(1000000)

static uint64_t relay_bits(uint32_t amount)
{
    return wire_relay_cost_bits(KEY_SIZE, amount, 1);
}

/* ---- status ---- */

START_TEST(asks_status_of_whoever_comes_up)
{
    controller_make(CTL_WIDEST);
    kmcs_make(1);
    struct qkd_eid module = qkd_eid_make(QKD_ROLE_MODULE, 0, 1);
    other = puppet_new(pump, module);
    puppet_open(other, QKD_RP_CQ, controller);
    pump_run(pump, qkd_span_ms(100));
    struct puppet *asked[] = {kmc[1], other};
    for (size_t i = 0; i < COUNT(asked); i++) {
        struct wire_status status;
        ck_assert_uint_eq(puppet_count(asked[i], WIRE_CMD_STATUS), 1);
        const struct puppet_message *m = puppet_get(asked[i], WIRE_CMD_STATUS, 0);
        ck_assert_int_eq(wire_status_decode(&status, m->bytes.at, m->bytes.len), 0);
        ck_assert(status.has_period_ms);
        ck_assert_uint_eq(status.period_ms, PERIOD_MS);
        ck_assert_uint_ne(status.table, 0);
    }
    /* Silent for 3 periods: asked again, every period. */
    pump_run(pump, qkd_span_ms(5 * PERIOD_MS));
    ck_assert_uint_ge(puppet_count(kmc[1], WIRE_CMD_STATUS), 2);
    ck_assert_uint_ge(puppet_count(other, WIRE_CMD_STATUS), 2);
}
END_TEST

/*      2          1-2, 2-4: 1 Mbit; 1-3, 3-4: 2 Mbit; 1-4: 0.5 Mbit (direct)
 *    / | \        2-3: 9 Mbit, from 3 to 2 only
 *   1--+--4       From 1 to 4: fewest hops is the direct link; widest is 1-3-4 (2 Mbit).
 *    \ | /        From 2 to 1: direct (1 Mbit). From 3 to 4 by widest: 3-4.
 *      3                                                                             */
static const struct edge diamond[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT},
                                      {.a = 2, .b = 4, .a_bits = MBIT, .b_bits = MBIT},
                                      {.a = 1, .b = 3, .a_bits = 2 * MBIT, .b_bits = 2 * MBIT},
                                      {.a = 4, .b = 3, .a_bits = 2 * MBIT, .b_bits = 2 * MBIT},
                                      {.a = 4, .b = 1, .a_bits = MBIT / 2, .b_bits = MBIT / 2},
                                      {.a = 2, .b = 3, .a_bits = 0, .b_bits = 9 * MBIT}};

START_TEST(fewest_hops_by_hand)
{
    controller_make(CTL_FEWEST_HOPS);
    kmcs_make(4);
    status_push_all(diamond, COUNT(diamond));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 4);
    EXPECT_ROUTE(ask(2, 1, 1), 2, 1);
    EXPECT_ROUTE(ask(3, 2, 1), 3, 2); /* 9 Mbit that way */
    status_push_all(diamond, COUNT(diamond));
    EXPECT_ROUTE(ask(2, 3, 1), 2, 1, 3); /* none this way: 2-1-3 and 2-4-3 are 1 Mbit, 1 < 4 */
    /* 0.5 Mbit cannot pay for these; of 1-2-4 and 1-3-4 the wider is taken. */
    uint32_t amount = (uint32_t)(MBIT / 2 / wire_take_cost_bits(KEY_SIZE, 1, 1)) + 1;
    ck_assert_uint_lt(relay_bits(amount), 2 * MBIT);
    EXPECT_ROUTE(ask(1, 4, amount), 1, 3, 4);
}
END_TEST

START_TEST(widest_by_hand)
{
    controller_make(CTL_WIDEST);
    kmcs_make(4);
    status_push_all(diamond, COUNT(diamond));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    EXPECT_ROUTE(ask(3, 2, 1), 3, 2);
    status_push_all(diamond, COUNT(diamond));
    EXPECT_ROUTE(ask(1, 2, 1), 1, 3, 2); /* 2 Mbit against 1 */
    status_push_all(diamond, COUNT(diamond));
    EXPECT_ROUTE(ask(2, 1, 1), 2, 1); /* 2-4 is 1 Mbit too: least hops */
}
END_TEST

START_TEST(both_ends_must_report_up)
{
    static const struct edge up[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT}};
    static const struct edge down[] = {
        {.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT, .b_down = true}};
    controller_make(CTL_WIDEST);
    kmcs_make(2);
    expect_failure(ask(1, 2, 1), WIRE_REASON_NO_ROUTE);
    status_push(1, up, 1);
    pump_run(pump, qkd_span_ms(10));
    expect_failure(ask(1, 2, 1), WIRE_REASON_NO_ROUTE);
    status_push(2, down, 1);
    pump_run(pump, qkd_span_ms(10));
    expect_failure(ask(1, 2, 1), WIRE_REASON_NO_ROUTE);
    status_push(2, up, 1);
    pump_run(pump, qkd_span_ms(10));
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
}
END_TEST

START_TEST(overtaken_status_is_not_used)
{
    static const struct edge rich[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT}};
    static const struct edge poor[] = {{.a = 1, .b = 2, .a_bits = 0, .b_bits = 0}};
    controller_make(CTL_WIDEST);
    kmcs_make(2);
    status_push_all(rich, 1);
    struct wire_status_rsp late = {.head.message_id = puppet_id(kmc[1])};
    uint8_t blob[256];
    struct wire_link_status status = {.link = 0, .peer = kma_of(2), .up = 1, .own_bits = MBIT};
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    late.has_links = true;
    late.links = (struct wire_bytes){blob, (size_t)len};
    late.code = WIRE_SUCCESS;
    status_push_all(poor, 1);
    PUPPET_SEND(kmc[1], status_rsp, QKD_RP_CK, controller, &late);
    pump_run(pump, qkd_span_ms(10));
    expect_failure(ask(1, 2, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* ---- costs and promises ---- */

START_TEST(promises_are_subtracted_until_the_next_status)
{
    struct edge line[] = {{.a = 1, .b = 2}, {.a = 2, .b = 3}};
    for (size_t i = 0; i < 2; i++) {
        line[i].a_bits = line[i].b_bits = 2 * relay_bits(1);
    }
    line[1].a_bits = line[1].b_bits = 100 * relay_bits(1);
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    status_push_all(line, 2);
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3);
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3);
    expect_failure(ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
    EXPECT_ROUTE(ask(3, 1, 1), 3, 2, 1); /* the other direction is another pool half */
    status_push(2, line, 2);             /* says nothing about 1 -> 2 */
    pump_run(pump, qkd_span_ms(10));
    expect_failure(ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
    status_push(1, line, 2);
    pump_run(pump, qkd_span_ms(10));
    EXPECT_ROUTE(ask(1, 3, 2), 1, 2, 3); /* both at once */
    expect_failure(ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* What the controller answers a STOCK of the KMC at `asker`. */
static struct wire_stock_rsp stock(uint32_t asker, uint32_t from, uint32_t to, uint32_t key_size,
                                   uint32_t batch)
{
    struct wire_stock ask_for = {.source_id = kma_of(from),
                                 .destination_id = kma_of(to),
                                 .key_size = key_size,
                                 .batch = batch};
    PUPPET_SEND(kmc[asker], stock, QKD_RP_CK, controller, &ask_for);
    pump_run(pump, qkd_span_ms(10));
    size_t count = puppet_count(kmc[asker], WIRE_CMD_STOCK_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(kmc[asker], WIRE_CMD_STOCK_RSP, count - 1);
    struct wire_stock_rsp rsp;
    ck_assert_int_eq(wire_stock_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.head.orig_message_id, ask_for.head.message_id);
    return rsp;
}

/* A relayed key of 256 bits costs a hop 1,488 bits, a pool unit of neighbours 640 (docs/protocol.md); two
 * keys in a frame save one body. The widest way counts: 1-4-3 with 100 kbit, not 1-2-3 with 50. */
START_TEST(stock_is_what_one_request_could_have)
{
    struct edge net[] = {{.a = 1, .b = 2, .a_bits = 50000, .b_bits = 50000},
                         {.a = 2, .b = 3, .a_bits = MBIT, .b_bits = MBIT},
                         {.a = 1, .b = 4, .a_bits = 100000, .b_bits = 1488},
                         {.a = 4, .b = 3, .a_bits = 200000, .b_bits = 1487}};
    controller_make(CTL_FEWEST_HOPS);
    kmcs_make(5);
    status_push_all(net, 4);
    ck_assert_uint_eq(stock(1, 1, 3, 256, 1).keys, 100000 / 1488);
    ck_assert_uint_eq(stock(3, 3, 1, 256, 1).keys, 50000 / 1488);
    ck_assert_uint_eq(stock(1, 1, 2, 256, 1).keys, 50000 / 640);
    /* Neighbours with 1,488 and 1,487 bits: two units each, or 33 keys relayed the long way round. */
    ck_assert_uint_eq(stock(4, 4, 1, 256, 1).keys, 50000 / 1488);
    ck_assert_uint_eq(stock(3, 3, 4, 256, 1).keys, 50000 / 1488);
    ck_assert_uint_eq(stock(1, 1, 3, 256, 2).keys, 2 * (100000 / (1488 + 256)));
    EXPECT_ROUTE(ask(1, 3, 67), 1, 4, 3); /* that many can be had, nothing was promised by asking */
    ck_assert_uint_eq(stock(1, 1, 3, 256, 1).keys, 50000 / 1488); /* now the other way is wider */
    expect_failure(ask(1, 3, 34), WIRE_REASON_INSUFFICIENT_KEY);
    ck_assert_uint_eq(stock(1, 1, 5, 256, 1).keys, 0); /* 5 has no link */
    ck_assert_uint_eq(stock(1, 1, 90, 256, 1).keys, 0);
    ck_assert_uint_eq(stock(1, 1, 3, 0, 1).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(stock(1, 1, 1, 256, 1).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(stock(1, 2, 3, 256, 1).reason, WIRE_REASON_UNAUTHORIZED);
}
END_TEST

START_TEST(a_refusal_promises_nothing)
{
    struct edge line[] = {{.a = 1, .b = 2, .a_bits = relay_bits(1)}, {.a = 2, .b = 3}};
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    status_push_all(line, 2);
    expect_failure(ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY); /* 2 -> 3 is empty */
    line[1].a_bits = relay_bits(1);
    status_push(2, line, 2);
    pump_run(pump, qkd_span_ms(10));
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3);
}
END_TEST

START_TEST(neighbours_pay_pool_units_only)
{
    uint64_t take = wire_take_cost_bits(KEY_SIZE, 1, 1);
    ck_assert_uint_lt(take, relay_bits(1));
    struct edge link[] = {{.a = 1, .b = 2, .a_bits = take, .b_bits = take - 1},
                          {.a = 2, .b = 3, .a_bits = take, .b_bits = take}};
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    status_push_all(link, 2);
    expect_failure(ask(2, 1, 1), WIRE_REASON_INSUFFICIENT_KEY); /* one bit short */
    expect_failure(ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY); /* relaying costs more */
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
    expect_failure(ask(1, 2, 1), WIRE_REASON_INSUFFICIENT_KEY); /* all promised */
}
END_TEST

START_TEST(half_of_the_peers_bits_count)
{
    uint64_t take = wire_take_cost_bits(KEY_SIZE, 1, 1);
    controller_make(CTL_WIDEST);
    kmcs_make(2);
    for (unsigned short_by = 0; short_by < 2; short_by++) {
        for (uint32_t node = 1; node <= 2; node++) {
            struct wire_link_status status = {.link = 0,
                                              .peer = kma_of(3 - node),
                                              .up = 1,
                                              .own_bits = 10,
                                              .peer_bits = 2 * (take - 10 - short_by)};
            uint8_t blob[256];
            int len = wire_link_status_encode(&status, blob, sizeof blob);
            ck_assert_int_gt(len, 0);
            struct wire_status_rsp rsp = {.has_links = true,
                                          .links = {blob, (size_t)len},
                                          .code = WIRE_SUCCESS};
            PUPPET_SEND(kmc[node], status_rsp, QKD_RP_CK, controller, &rsp);
        }
        pump_run(pump, qkd_span_ms(10));
        struct answer got = ask(1, 2, 1);
        ck_assert_uint_eq(got.code, short_by == 0 ? WIRE_SUCCESS : WIRE_FAILURE);
    }
}
END_TEST

START_TEST(repeated_request_gets_the_same_answer)
{
    struct edge link[] = {{.a = 1, .b = 2}};
    link[0].a_bits = link[0].b_bits = 2 * wire_take_cost_bits(KEY_SIZE, 1, 1);
    controller_make(CTL_WIDEST);
    kmcs_make(2);
    status_push_all(link, 1);
    struct wire_route route = request_make(1, 2, 1);
    for (size_t i = 0; i < 5; i++) {
        PUPPET_SEND(kmc[1], route, QKD_RP_CK, controller, &route);
        pump_run(pump, qkd_span_ms(10));
        ck_assert_uint_eq(puppet_count(kmc[1], WIRE_CMD_ROUTE_RSP), i + 1);
        EXPECT_ROUTE(
            answer_decode(puppet_get(kmc[1], WIRE_CMD_ROUTE_RSP, i), route.head.message_id), 1, 2);
    }
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2); /* promised once before: one is left */
    expect_failure(ask(1, 2, 1), WIRE_REASON_INSUFFICIENT_KEY);
    /* A refusal is repeated too, though it could be served now. */
    struct wire_route refused = request_make(1, 2, 3);
    PUPPET_SEND(kmc[1], route, QKD_RP_CK, controller, &refused);
    pump_run(pump, qkd_span_ms(10));
    link[0].a_bits *= 100;
    status_push_all(link, 1);
    PUPPET_SEND(kmc[1], route, QKD_RP_CK, controller, &refused);
    pump_run(pump, qkd_span_ms(10));
    size_t count = puppet_count(kmc[1], WIRE_CMD_ROUTE_RSP);
    for (size_t i = count - 2; i < count; i++) {
        expect_failure(answer_decode(puppet_get(kmc[1], WIRE_CMD_ROUTE_RSP, i),
                                     refused.head.message_id),
                       WIRE_REASON_INSUFFICIENT_KEY);
    }
}
END_TEST

/* More requests than the ring of answers holds at first; each is remembered while it is young. */
START_TEST(many_requests_are_remembered)
{
    enum { MANY = 300 };
    struct edge link[] = {{.a = 1, .b = 2, .a_bits = 1000 * MBIT, .b_bits = 0}};
    controller_make(CTL_FEWEST_HOPS);
    kmcs_make(2);
    status_push_all(link, 1);
    uint64_t ids[MANY];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < MANY; i++) {
            struct wire_route route = request_make(i % 2 == 0 ? 1 : 2, i % 2 == 0 ? 2 : 1, 1);
            route.head.message_id = round == 0 ? 0 : ids[i];
            PUPPET_SEND(kmc[1 + i % 2], route, QKD_RP_CK, controller, &route);
            ids[i] = route.head.message_id;
        }
        pump_run(pump, qkd_span_ms(50));
        link[0].b_bits = 1000 * MBIT; /* 2 -> 1 could be answered now; what was said stands */
        status_push_all(link, 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        struct puppet *asker = kmc[1 + i % 2];
        ck_assert_uint_eq(puppet_count(asker, WIRE_CMD_ROUTE_RSP), MANY);
        for (size_t round = 0; round < 2; round++) {
            const struct puppet_message *m = puppet_get(asker, WIRE_CMD_ROUTE_RSP,
                                                        i / 2 + round * MANY / 2);
            ck_assert_uint_eq(answer_decode(m, ids[i]).code,
                              i % 2 == 0 ? WIRE_SUCCESS : WIRE_FAILURE);
        }
    }
}
END_TEST

/* ---- low mark, kept routes ---- */

START_TEST(no_route_below_the_low_mark)
{
    struct edge edges[COUNT(diamond)];
    memcpy(edges, diamond, sizeof edges);
    controller_make_as((struct control){.routing = CTL_FEWEST_HOPS, .low_mark_bits = MBIT});
    kmcs_make(4);
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4); /* 1-4 has half a Mbit; 1 Mbit itself is not below */
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
    edges[3].a_bits = edges[3].b_bits = MBIT - 1; /* 3-4 */
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
    edges[0].a_bits = MBIT - 1; /* 1 -> 2: the other direction may still serve */
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 2, 4);
    EXPECT_ROUTE(ask(2, 1, 1), 2, 1);
    edges[1].a_bits = 0; /* 2 -> 4 */
    status_push_all(edges, COUNT(edges));
    expect_failure(ask(1, 4, 1), WIRE_REASON_INSUFFICIENT_KEY);
    edges[3].a_down = edges[3].b_down = edges[1].a_down = edges[1].b_down = true;
    edges[4].a_down = edges[4].b_down = true;
    status_push_all(edges, COUNT(edges));
    expect_failure(ask(1, 4, 1), WIRE_REASON_NO_ROUTE); /* no link leads to 4 */
    memcpy(edges, diamond, sizeof edges);
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
}
END_TEST

/* Both pools together count: a GRANT moves key between them. */
START_TEST(low_mark_counts_both_pools)
{
    controller_make_as((struct control){.routing = CTL_WIDEST, .low_mark_bits = 2 * MBIT});
    kmcs_make(2);
    for (uint64_t lacks = 0; lacks < 2; lacks++) {
        for (uint32_t node = 1; node <= 2; node++) {
            struct wire_link_status status = {.link = 0,
                                              .peer = kma_of(3 - node),
                                              .up = 1,
                                              .own_bits = MBIT / 2,
                                              .peer_bits = 3 * MBIT / 2 - lacks};
            uint8_t blob[256];
            int len = wire_link_status_encode(&status, blob, sizeof blob);
            ck_assert_int_gt(len, 0);
            struct wire_status_rsp rsp = {.has_links = true,
                                          .links = {blob, (size_t)len},
                                          .code = WIRE_SUCCESS};
            PUPPET_SEND(kmc[node], status_rsp, QKD_RP_CK, controller, &rsp);
        }
        pump_run(pump, qkd_span_ms(10));
        ck_assert_uint_eq(ask(1, 2, 1).code, lacks == 0 ? WIRE_SUCCESS : WIRE_FAILURE);
    }
}
END_TEST

/* The diamond's 1-2-4 becomes wider than 1-3-4, which is kept until 3 -> 4 cannot pay. */
START_TEST(a_kept_route_is_left_only_when_it_cannot_pay)
{
    for (int keep = 0; keep < 2; keep++) {
        struct edge edges[COUNT(diamond)];
        memcpy(edges, diamond, sizeof edges);
        controller_make_as((struct control){.routing = CTL_WIDEST, .keep_route = keep != 0});
        kmcs_make(4);
        status_push_all(edges, COUNT(edges));
        EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
        edges[0].a_bits = edges[1].a_bits = 3 * MBIT;
        status_push_all(edges, COUNT(edges));
        if (keep == 0) {
            EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
            teardown();
            setup();
            continue;
        }
        EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
        EXPECT_ROUTE(ask(4, 1, 1), 4, 3, 1); /* another pair */
        EXPECT_ROUTE(ask(2, 4, 1), 2, 4);
        edges[3].b_bits = relay_bits(1) - 1;
        status_push_all(edges, COUNT(edges));
        EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
        edges[3].b_bits = 100 * MBIT;
        edges[2].a_bits = 100 * MBIT;
        status_push_all(edges, COUNT(edges));
        EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
        EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
        edges[1].b_down = true;
        status_push_all(edges, COUNT(edges));
        EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    }
}
END_TEST

/* Reports are a period old: a KM may know better that its route cannot pay. */
START_TEST(a_route_that_failed_is_not_kept)
{
    struct edge edges[COUNT(diamond)];
    memcpy(edges, diamond, sizeof edges);
    controller_make_as((struct control){.routing = CTL_WIDEST, .keep_route = true});
    kmcs_make(4);
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    edges[0].a_bits = edges[1].a_bits = 3 * MBIT;
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    struct wire_route again = request_make(1, 4, 1);
    again.has_reroute = true;
    again.reroute = 1;
    PUPPET_SEND(kmc[1], route, QKD_RP_CK, controller, &again);
    pump_run(pump, qkd_span_ms(10));
    size_t count = puppet_count(kmc[1], WIRE_CMD_ROUTE_RSP);
    EXPECT_ROUTE(answer_decode(puppet_get(kmc[1], WIRE_CMD_ROUTE_RSP, count - 1),
                               again.head.message_id),
                 1, 2, 4);
    EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4); /* kept from now on */
}
END_TEST

START_TEST(a_kept_route_is_promised_each_time)
{
    struct edge line[] = {{.a = 1, .b = 2}, {.a = 2, .b = 3}};
    for (size_t i = 0; i < 2; i++) {
        line[i].a_bits = line[i].b_bits = 2 * relay_bits(1);
    }
    controller_make_as((struct control){.routing = CTL_WIDEST, .keep_route = true});
    kmcs_make(3);
    status_push_all(line, 2);
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3);
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3);
    expect_failure(ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* ---- noisy light ---- */

/* The module of `node` at link `id` tells its QBER (Table 8-2); speaker: the module it says it is. */
static void module_tells(uint32_t node, uint32_t id, uint32_t qber_ppm, uint32_t speaker)
{
    if (other == NULL) {
        other = puppet_new(pump, qkd_eid_make(QKD_ROLE_MODULE, 0, node));
        puppet_open(other, QKD_RP_CQ, controller);
        pump_run(pump, qkd_span_ms(10));
    }
    struct wire_module_status status = {.module = qkd_eid_make(QKD_ROLE_MODULE, 0, speaker),
                                        .link = id,
                                        .generating = 1,
                                        .qber_ppm = qber_ppm};
    uint8_t blob[256];
    int len = wire_module_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.table = WIRE_STATUS_QKD_LINK,
                                  .has_modules = true,
                                  .modules = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(other, status_rsp, QKD_RP_CQ, controller, &rsp);
    pump_run(pump, qkd_span_ms(10));
}

/* The diamond's widest way from 1 to 4 is 1-3-4. Link 2 is 1-3. */
START_TEST(noisy_links_are_avoided_while_there_is_another)
{
    struct edge edges[COUNT(diamond)];
    memcpy(edges, diamond, sizeof edges);
    controller_make_as((struct control){.routing = CTL_WIDEST, .keep_route = _i == 1});
    kmcs_make(4);
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 2, 110000, 1); /* the limit, not above it */
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 2, 150000, 2); /* nobody speaks for another */
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 77, 150000, 1); /* a link that nobody knows */
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 2, 150000, 1);
    EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
    EXPECT_ROUTE(ask(3, 4, 1), 3, 4);
    edges[0].a_down = edges[4].b_down = true; /* only 1-3 is left */
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    edges[0].a_down = edges[4].b_down = false;
    status_push_all(edges, COUNT(edges));
    EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
    module_tells(1, 2, 20000, 1);
    status_push_all(edges, COUNT(edges));
    if (_i == 0) {
        EXPECT_ROUTE(ask(1, 4, 1), 1, 3, 4);
    } else {
        EXPECT_ROUTE(ask(1, 4, 1), 1, 2, 4);
    }
}
END_TEST

/* ---- silence ---- */

/* Records of `fault` that the manager has got: raised less cleared. Acknowledges them all. */
static int standing(uint8_t fault)
{
    int count = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < puppet_count(other, WIRE_CMD_FAULT); i++) {
        const struct puppet_message *m = puppet_get(other, WIRE_CMD_FAULT, i);
        struct wire_fault report;
        ck_assert_int_eq(wire_fault_decode(&report, m->bytes.at, m->bytes.len), 0);
        struct wire_report_ack ack = {.seq = report.seq};
        PUPPET_SEND(other, report_ack, QKD_RP_MC, controller, &ack);
        for (size_t at = 0; report.seq > seen && at < report.records.len;) {
            struct wire_fault_record record;
            int len = wire_fault_record_decode(&record, report.records.at + at,
                                               report.records.len - at);
            ck_assert_int_gt(len, 0);
            ck_assert_uint_eq(record.at.v, controller.v);
            at += (size_t)len;
            count += record.fault == fault ? (record.raised != 0 ? 1 : -1) : 0;
        }
        seen = report.seq > seen ? report.seq : seen;
    }
    pump_run(pump, qkd_span_ms(10));
    return count;
}

START_TEST(silent_km_is_not_used)
{
    static const struct edge line[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT},
                                       {.a = 2, .b = 3, .a_bits = MBIT, .b_bits = MBIT}};
    other = puppet_new(pump, manager);
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    status_push_all(line, 2);
    for (int i = 0; i < 5; i++) { /* node 3 says nothing any more */
        pump_run(pump, qkd_span_ms(PERIOD_MS / 2));
        status_push(1, line, 2);
        status_push(2, line, 2);
    }
    pump_run(pump, qkd_span_ms(10));
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3); /* 2.5 periods */
    pump_run(pump, qkd_span_ms(PERIOD_MS / 2));
    status_push(1, line, 2);
    status_push(2, line, 2);
    pump_run(pump, qkd_span_ms(10));
    expect_failure(ask(1, 3, 1), WIRE_REASON_NO_ROUTE); /* 3 periods */
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
    for (int i = 0; i < 3; i++) {
        pump_run(pump, qkd_span_ms(PERIOD_MS));
        status_push(1, line, 2);
        status_push(2, line, 2);
    }
    ck_assert_int_eq(standing(WIRE_FAULT_LINK_DOWN), 1); /* link 2-3, though silent for long */
    puppet_forget(other);
    status_push_all(line, 2);
    EXPECT_ROUTE(ask(1, 3, 1), 1, 2, 3);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_LINK_DOWN), -1);
}
END_TEST

/* ---- who may ask what ---- */

START_TEST(kmc_asks_for_its_own_kma_only)
{
    struct edge link[] = {{.a = 1, .b = 2}};
    link[0].a_bits = link[0].b_bits = wire_take_cost_bits(KEY_SIZE, 1, 1);
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    status_push_all(link, 1);
    struct wire_route route = request_make(1, 2, 1);
    PUPPET_SEND(kmc[3], route, QKD_RP_CK, controller, &route);
    pump_run(pump, qkd_span_ms(10));
    expect_failure(answer_decode(puppet_get(kmc[3], WIRE_CMD_ROUTE_RSP, 0), route.head.message_id),
                   WIRE_REASON_UNAUTHORIZED);
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2); /* nothing was promised */
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    struct edge link[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT}};
    controller_make(CTL_WIDEST);
    kmcs_make(2);
    status_push_all(link, 1);
    expect_failure(ask(1, 1, 1), WIRE_REASON_BAD_REQUEST);
    expect_failure(ask(1, 2, 0), WIRE_REASON_BAD_REQUEST);
    expect_failure(ask(1, 77, 1), WIRE_REASON_NO_ROUTE);
    expect_failure(ask(1, 2, UINT32_MAX), WIRE_REASON_INSUFFICIENT_KEY);
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
}
END_TEST

START_TEST(bad_bytes_change_nothing)
{
    struct edge link[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT}};
    controller_make(CTL_WIDEST);
    kmcs_make(2);
    status_push_all(link, 1);
    /* a good record that says `down`, then a torn one: neither counts */
    struct wire_link_status status = {.link = 0, .peer = kma_of(2), .up = 0};
    uint8_t blob[512];
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    memcpy(blob + len, blob, (size_t)len);
    struct wire_status_rsp rsp = {.has_links = true,
                                  .links = {blob, 2 * (size_t)len - 1},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(kmc[1], status_rsp, QKD_RP_CK, controller, &rsp);
    /* a command that nobody sends to a controller */
    struct wire_key_supply supply = {.application_code = 1};
    PUPPET_SEND(kmc[1], key_supply, QKD_RP_CK, controller, &supply);
    puppet_send(kmc[1], QKD_RP_CK, controller, (struct wire_bytes){(const uint8_t *)"junk", 4});
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_BAD_BYTES, controller), 3);
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
}
END_TEST

/* A KM that claims a link between two others, or to a KM that denies it, gains nothing. */
START_TEST(claimed_links_need_both_ends)
{
    static const struct edge honest[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT}};
    static const struct edge claimed[] = {{.a = 3, .b = 2, .a_bits = MBIT, .b_bits = MBIT},
                                          {.a = 3, .b = 1, .a_bits = MBIT, .b_bits = MBIT}};
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    status_push(3, claimed, 2); /* link 0 is 1-2 in truth */
    pump_run(pump, qkd_span_ms(10));
    status_push_all(honest, 1);
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
    status_push(3, claimed, 2);
    pump_run(pump, qkd_span_ms(10));
    expect_failure(ask(1, 3, 1), WIRE_REASON_NO_ROUTE);
    EXPECT_ROUTE(ask(1, 2, 1), 1, 2);
}
END_TEST

/* ---- published networks ---- */

/* One fact of a published network, with all pools filled by 1000 s of its links' mean rates: hops of
 * the route with fewest hops and its bottleneck, hops and bottleneck of the widest route, bit/s.
 * Computed from the published rates by a program of its own, not by this one. */
struct fact {
    uint32_t a, b;
    unsigned min_hops;
    uint64_t min_hop_bps;
    unsigned widest_hops;
    uint64_t widest_bps;
};

static void check_facts(enum ctl_routing routing, const struct edge *edges, size_t edge_count,
                        const struct fact *facts, size_t fact_count)
{
    controller_make(routing);
    kmcs_make(6);
    for (size_t i = 0; i < 2 * fact_count; i++) {
        const struct fact *fact = &facts[i / 2];
        bool is_back = i % 2 == 1;
        status_push_all(edges, edge_count); /* takes the promises back */
        struct answer got = is_back ? ask(fact->b, fact->a, 1) : ask(fact->a, fact->b, 1);
        ck_assert_uint_eq(got.code, WIRE_SUCCESS);
        uint64_t bottleneck = UINT64_MAX;
        for (unsigned hop = 0; hop < got.hops; hop++) {
            uint64_t bits = 0;
            for (size_t e = 0; e < edge_count; e++) {
                bool is_this = (edges[e].a == got.nodes[hop] && edges[e].b == got.nodes[hop + 1]) ||
                               (edges[e].b == got.nodes[hop] && edges[e].a == got.nodes[hop + 1]);
                bits = is_this ? edges[e].a_bits : bits;
            }
            ck_assert_uint_gt(bits, 0);
            bottleneck = bits < bottleneck ? bits : bottleneck;
        }
        bool is_widest = routing == CTL_WIDEST;
        ck_assert_uint_eq(got.hops, is_widest ? fact->widest_hops : fact->min_hops);
        ck_assert_uint_eq(bottleneck, 1000 * (is_widest ? fact->widest_bps : fact->min_hop_bps));
    }
}

#define RATED(a_, b_, bps)                                                                         \
    {                                                                                              \
        .a = (a_), .b = (b_), .a_bits = UINT64_C(1000) * (bps), .b_bits = UINT64_C(1000) * (bps)   \
    }

/* Cambridge: Dynes et al., npj Quantum Information 5:101 (2019), 580-day mean rates.
 * 1 CAPE, 2 ENGI, 3 TREL. */
static const struct edge cambridge[] = {RATED(1, 3, 2580000), RATED(3, 2, 2400000),
                                        RATED(2, 1, 2220000)};
static const struct fact cambridge_facts[] = {{1, 2, 1, 2220000, 2, 2400000},
                                              {1, 3, 1, 2580000, 1, 2580000},
                                              {2, 3, 1, 2400000, 1, 2400000}};

/* SECOQC: Peev et al., New Journal of Physics 11:075001 (2009), links with a published rate.
 * 1 BRT, 2 ERD, 3 FOR, 4 GUD, 5 SIE. */
static const struct edge secoqc[] = {RATED(5, 1, 3100), RATED(5, 2, 2500), RATED(2, 3, 17000),
                                     RATED(2, 4, 8000), RATED(2, 1, 1000)};
static const struct fact secoqc_facts[] = {{1, 2, 1, 1000, 2, 2500},   {1, 3, 2, 1000, 3, 2500},
                                           {1, 4, 2, 1000, 3, 2500},   {1, 5, 1, 3100, 1, 3100},
                                           {2, 3, 1, 17000, 1, 17000}, {2, 4, 1, 8000, 1, 8000},
                                           {2, 5, 1, 2500, 1, 2500},   {3, 4, 2, 8000, 2, 8000},
                                           {3, 5, 2, 2500, 2, 2500},   {4, 5, 2, 2500, 2, 2500}};

START_TEST(published_networks)
{
    enum ctl_routing routing = _i % 2 == 0 ? CTL_FEWEST_HOPS : CTL_WIDEST;
    if (_i < 2) {
        check_facts(routing, cambridge, COUNT(cambridge), cambridge_facts, COUNT(cambridge_facts));
    } else {
        check_facts(routing, secoqc, COUNT(secoqc), secoqc_facts, COUNT(secoqc_facts));
    }
}
END_TEST

/* ---- a network that loses, doubles and reorders ---- */

START_TEST(loss_only_delays)
{
    static const struct edge line[] = {{.a = 1, .b = 2, .a_bits = MBIT, .b_bits = MBIT},
                                       {.a = 2, .b = 3, .a_bits = MBIT, .b_bits = MBIT}};
    pump_set_chances(pump, 20, 10, 10);
    controller_make(CTL_WIDEST);
    kmcs_make(3);
    for (int i = 0; i < 10; i++) {
        pump_run(pump, qkd_span_ms(500));
        status_push_all(line, 2);
    }
    unsigned served = 0;
    for (int i = 0; i < 20; i++) {
        struct wire_route route = request_make(1, 3, 1);
        for (int again = 0; again < 6; again++) {
            status_push_all(line, 2);
            PUPPET_SEND(kmc[1], route, QKD_RP_CK, controller, &route);
            pump_run(pump, qkd_span_ms(200));
        }
        size_t count = puppet_count(kmc[1], WIRE_CMD_ROUTE_RSP);
        for (size_t k = 0; k < count; k++) {
            const struct puppet_message *m = puppet_get(kmc[1], WIRE_CMD_ROUTE_RSP, k);
            if (m->head.orig_message_id == route.head.message_id) {
                EXPECT_ROUTE(answer_decode(m, route.head.message_id), 1, 2, 3);
                served++;
                break;
            }
        }
    }
    ck_assert_uint_eq(served, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller");
    TCase *tests = tcase_create("controller");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, asks_status_of_whoever_comes_up);
    tcase_add_test(tests, fewest_hops_by_hand);
    tcase_add_test(tests, widest_by_hand);
    tcase_add_test(tests, both_ends_must_report_up);
    tcase_add_test(tests, overtaken_status_is_not_used);
    tcase_add_test(tests, promises_are_subtracted_until_the_next_status);
    tcase_add_test(tests, stock_is_what_one_request_could_have);
    tcase_add_test(tests, a_refusal_promises_nothing);
    tcase_add_test(tests, neighbours_pay_pool_units_only);
    tcase_add_test(tests, half_of_the_peers_bits_count);
    tcase_add_test(tests, repeated_request_gets_the_same_answer);
    tcase_add_test(tests, many_requests_are_remembered);
    tcase_add_test(tests, no_route_below_the_low_mark);
    tcase_add_test(tests, low_mark_counts_both_pools);
    tcase_add_test(tests, a_kept_route_is_left_only_when_it_cannot_pay);
    tcase_add_test(tests, a_route_that_failed_is_not_kept);
    tcase_add_test(tests, a_kept_route_is_promised_each_time);
    tcase_add_loop_test(tests, noisy_links_are_avoided_while_there_is_another, 0, 2);
    tcase_add_test(tests, silent_km_is_not_used);
    tcase_add_test(tests, kmc_asks_for_its_own_kma_only);
    tcase_add_test(tests, bad_requests_are_refused);
    tcase_add_test(tests, bad_bytes_change_nothing);
    tcase_add_test(tests, claimed_links_need_both_ends);
    tcase_add_loop_test(tests, published_networks, 0, 4);
    tcase_add_test(tests, loss_only_delays);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
