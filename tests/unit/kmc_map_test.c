/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode: distributed, one KMC against a scripted KMA: docs/protocol.md, "Distributed" (D23-KR-09). The network
 * that it is told of:
 *
 *   7 ─── 8 ─── 9 ─── 5        KMs by node number; links 1 (7-8), 2 (8-9), 3 (7-6), 4 (6-5), 5 (9-5)
 *    ╲─── 6 ─────────╱ */
#include <check.h>
#include <stdlib.h>

#include "core/km/kmc.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(kmc)

enum { NODE = 7, PERIOD_MS = 1000, MBIT = 1000000 };

#define KMA(n) ((struct qkd_eid){(uint64_t)QKD_ROLE_KMA << 56 | (n)})
#define KMC(n) ((struct qkd_eid){(uint64_t)QKD_ROLE_KMC << 56 | (n)})

static struct pump *pump;
static struct km_config config;
static struct kmc *kmc;
static struct puppet *kma;

static void link_configure(uint32_t link, uint32_t peer)
{
    struct wire_cfg_link message = {
        .head.message_id = 1, .link = link, .peer = KMA(peer), .store_bits = MBIT};
    uint8_t bytes[512];
    int len = wire_cfg_link_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(pump, KMC(NODE), bytes, (size_t)len);
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    config = (struct km_config){.node = NODE,
                                .parts = KM_ALL,
                                .name = "km7",
                                .community = "test",
                                .retransmit = qkd_span_ms(200),
                                .retries = 5,
                                .unit_bits = 256,
                                .status_period = qkd_span_ms(PERIOD_MS),
                                .distributed = true,
                                .routing = KM_FEWEST_HOPS,
                                .paths = 3,
                                .route_validity = qkd_span_s(10),
                                .node_limit = 16,
                                .network_link_limit = 16,
                                .request_limit = 4,
                                .link_limit = 4};
    kma = puppet_new(pump, KMA(NODE));
    ck_assert_int_eq(kmc_new(&config, &kmc), 0);
    pump_add(
        pump, KMC(NODE),
        (struct pump_element){.self = kmc, .step = pump_kmc_step, .deadline = pump_kmc_deadline});
    pump_start(pump, KMC(NODE));
    link_configure(1, 8);
    link_configure(3, 6);
    puppet_open(kma, QKD_RP_KMI, KMC(NODE));
    pump_run(pump, qkd_span_ms(100));
}

static void teardown(void)
{
    puppet_free(kma);
    kmc_free(kmc);
    pump_free(pump);
}

/* A link as the KM at its start sees it. */
struct edge {
    uint32_t link, peer;
    bool down;
};

static size_t edges_encode(const struct edge *edges, size_t count, uint8_t blob[1024])
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        struct wire_link_status status = {.link = edges[i].link,
                                          .peer = KMA(edges[i].peer),
                                          .up = !edges[i].down,
                                          .own_bits = MBIT};
        int made = wire_link_status_encode(&status, blob + len, 1024 - len);
        ck_assert_int_gt(made, 0);
        len += (size_t)made;
    }
    return len;
}

static void own_status(struct edge first, struct edge second)
{
    uint8_t blob[1024];
    const struct edge edges[] = {first, second};
    struct wire_status_rsp rsp = {.has_links = true,
                                  .links = {blob, edges_encode(edges, 2, blob)},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(kma, status_rsp, QKD_RP_KMI, KMC(NODE), &rsp);
    pump_run(pump, qkd_span_ms(5));
}

/* What KM `origin` says, by way of neighbour 8. */
static void said(uint32_t origin, uint64_t seq, uint32_t age_ms, const struct edge edges[2])
{
    uint8_t blob[1024];
    struct wire_link_state state = {.origin = KMC(origin),
                                    .seq = seq,
                                    .age_ms = age_ms,
                                    .links = {blob, edges_encode(edges, 2, blob)},
                                    .has_neighbour = true,
                                    .neighbour = KMA(8)};
    PUPPET_SEND(kma, link_state, QKD_RP_KMI, KMC(NODE), &state);
    pump_run(pump, qkd_span_ms(5));
}

static const struct edge of8[2] = {{1, 7, false}, {2, 9, false}};
static const struct edge of9[2] = {{2, 8, false}, {5, 5, false}};
static const struct edge of6[2] = {{3, 7, false}, {4, 5, false}};
static const struct edge of5[2] = {{4, 6, false}, {5, 9, false}};

/* LINK_STATE that the KMA was given so far; the n-th of them. */
static struct wire_link_state told(size_t n)
{
    struct wire_link_state state;
    const struct puppet_message *m = puppet_get(kma, WIRE_CMD_LINK_STATE, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_link_state_decode(&state, m->bytes.at, m->bytes.len), 0);
    return state;
}

#define told_count() puppet_count(kma, WIRE_CMD_LINK_STATE)

static struct wire_route_rsp ask(uint32_t to, uint32_t not_from, uint32_t not_to)
{
    size_t before = puppet_count(kma, WIRE_CMD_ROUTE_RSP);
    struct wire_route route = {.source_id = KMA(NODE),
                               .destination_id = KMA(to),
                               .key_amount = 1,
                               .key_size = 256,
                               .batch = 1,
                               .has_reroute = not_from != 0,
                               .reroute = 1,
                               .has_failed_from = not_from != 0,
                               .failed_from = KMA(not_from),
                               .has_failed_to = not_from != 0,
                               .failed_to = KMA(not_to)};
    PUPPET_SEND(kma, route, QKD_RP_KMI, KMC(NODE), &route);
    pump_run(pump, qkd_span_ms(5));
    struct wire_route_rsp rsp;
    const struct puppet_message *m = puppet_get(kma, WIRE_CMD_ROUTE_RSP, before);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.head.orig_message_id, route.head.message_id);
    return rsp;
}

static void expect_way(struct wire_route_rsp rsp, const uint32_t *nodes, size_t count)
{
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.route.len, 8 * count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(wire_get_u64(rsp.route.at + 8 * i), KMA(nodes[i]).v);
    }
}

static void all_said(void)
{
    own_status((struct edge){1, 8, false}, (struct edge){3, 6, false});
    said(8, 1, 0, of8);
    said(9, 1, 0, of9);
    said(6, 1, 0, of6);
    said(5, 1, 0, of5);
}

START_TEST(own_state_is_flooded)
{
    own_status((struct edge){1, 8, true}, (struct edge){3, 6, false});
    ck_assert_uint_eq(told_count(), 1);
    struct wire_link_state first = told(0);
    ck_assert_uint_eq(first.origin.v, KMC(NODE).v);
    ck_assert(!first.has_neighbour);
    own_status((struct edge){1, 8, true}, (struct edge){3, 6, false});
    ck_assert_uint_eq(told_count(), 1); /* no news, not due */
    own_status((struct edge){1, 8, false}, (struct edge){3, 6, false});
    ck_assert_uint_eq(told_count(), 3); /* to 8 what is kept, then the news to all */
    ck_assert_uint_eq(told(1).only, 1);
    ck_assert_uint_eq(told(1).neighbour.v, KMA(8).v);
    ck_assert_uint_gt(told(2).seq, first.seq);
    pump_run(pump, qkd_span_ms(PERIOD_MS));
    own_status((struct edge){1, 8, false}, (struct edge){3, 6, false});
    ck_assert_uint_eq(told_count(), 4); /* due */
}
END_TEST

START_TEST(news_travel_on_once)
{
    own_status((struct edge){1, 8, false}, (struct edge){3, 6, false});
    puppet_forget(kma);
    said(9, 5, 100, of9);
    ck_assert_uint_eq(told_count(), 1);
    ck_assert_uint_eq(told(0).origin.v, KMC(9).v);
    ck_assert_uint_eq(told(0).seq, 5);
    ck_assert_uint_eq(told(0).neighbour.v, KMA(8).v); /* not back */
    ck_assert(!told(0).has_only);
    ck_assert_uint_ge(told(0).age_ms, 100);
    said(9, 5, 0, of9);    /* by another way */
    said(9, 4, 0, of9);    /* overtaken */
    said(5, 9, 5000, of5); /* too old */
    ck_assert_uint_eq(told_count(), 1);
    said(9, 6, 0, of9);
    ck_assert_uint_eq(told_count(), 2);
}
END_TEST

/* Somebody sends a number of ours that we have not reached: our next word is above it. */
START_TEST(own_word_is_the_last)
{
    own_status((struct edge){1, 8, false}, (struct edge){3, 6, false});
    uint64_t high = told(told_count() - 1).seq + 1000;
    said(NODE, high, 0, of8);
    own_status((struct edge){1, 8, false}, (struct edge){3, 6, false});
    ck_assert_uint_eq(told(told_count() - 1).seq, high + 1);
    ck_assert_uint_eq(told(told_count() - 1).origin.v, KMC(NODE).v);
}
END_TEST

START_TEST(routes_of_its_own)
{
    all_said();
    expect_way(ask(5, 0, 0), (const uint32_t[]){7, 6, 5}, 3);
    expect_way(ask(9, 0, 0), (const uint32_t[]){7, 8, 9}, 3);
    expect_way(ask(5, 6, 5), (const uint32_t[]){7, 8, 9, 5}, 4); /* around the hop that failed */
    ck_assert_uint_eq(ask(4, 0, 0).reason, WIRE_REASON_NO_ROUTE);
    pump_run(pump, qkd_span_ms(4 * PERIOD_MS)); /* nobody has said anything since */
    ck_assert_uint_eq(ask(5, 0, 0).reason, WIRE_REASON_NO_ROUTE);
}
END_TEST

/* One end says that link 4 is down: the KMA is to ask again for what leads over it, and gets the other
 * way. A link counts only while both ends say that it is up. */
START_TEST(what_is_worse_is_asked_for_again)
{
    all_said();
    puppet_forget(kma);
    const struct edge down[2] = {{4, 6, true}, {5, 9, false}};
    said(5, 2, 0, down);
    const struct puppet_message *m = puppet_get(kma, WIRE_CMD_ROUTE_TABLE, 0);
    struct wire_route_table table;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_table_decode(&table, m->bytes.at, m->bytes.len), 0);
    unsigned seen = 0;
    for (size_t at = 0; at < table.entries.len;) {
        struct wire_route_entry entry;
        int len = wire_route_entry_decode(&entry, table.entries.at + at, table.entries.len - at);
        ck_assert_int_gt(len, 0);
        at += (size_t)len;
        ck_assert_uint_eq(entry.destination_id.v, 0);
        ck_assert(!entry.has_route);
        seen |= entry.failed_from.v == KMA(6).v && entry.failed_to.v == KMA(5).v ? 1U : 0;
        seen |= entry.failed_from.v == KMA(5).v && entry.failed_to.v == KMA(6).v ? 2U : 0;
    }
    ck_assert_uint_eq(seen, 3);
    expect_way(ask(5, 0, 0), (const uint32_t[]){7, 8, 9, 5}, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kmc_map");
    TCase *tests = tcase_create("maps");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, own_state_is_flooded);
    tcase_add_test(tests, news_travel_on_once);
    tcase_add_test(tests, own_word_is_the_last);
    tcase_add_test(tests, routes_of_its_own);
    tcase_add_test(tests, what_is_worse_is_asked_for_again);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
