/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which route the controller chooses, on small graphs worked out by hand: fewest hops, widest, the low
 * mark, kept routes, noisy light; and on the Cambridge and SECOQC networks, whose facts are quoted
 * where they are used. Routes on random graphs: controller_route_test.c. */
#include <check.h>
#include <stdlib.h>

#include "core/wire/frame.h"
#include "tests/lib/ctl_net.h"

/* ---- fewest hops and widest ---- */

START_TEST(fewest_hops_by_hand)
{
    ctn_make(CTL_FEWEST_HOPS);
    ctn_kmcs(4);
    ctn_status_all(ctn_diamond, CTN_COUNT(ctn_diamond));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 4);
    CTN_EXPECT_ROUTE(ctn_ask(2, 1, 1), 2, 1);
    CTN_EXPECT_ROUTE(ctn_ask(3, 2, 1), 3, 2); /* 9 Mbit that way */
    ctn_status_all(ctn_diamond, CTN_COUNT(ctn_diamond));
    CTN_EXPECT_ROUTE(ctn_ask(2, 3, 1), 2, 1,
                     3); /* none this way: 2-1-3 and 2-4-3 are 1 Mbit, 1 < 4 */
    /* 0.5 Mbit cannot pay for these; of 1-2-4 and 1-3-4 the wider is taken. */
    uint32_t amount = (uint32_t)(CTN_MBIT / 2 / wire_take_cost_bits(CTN_KEY_SIZE, 1, 1)) + 1;
    ck_assert_uint_lt(ctn_relay_bits(amount), 2 * CTN_MBIT);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, amount), 1, 3, 4);
}
END_TEST

START_TEST(widest_by_hand)
{
    ctn_make(CTL_WIDEST);
    ctn_kmcs(4);
    ctn_status_all(ctn_diamond, CTN_COUNT(ctn_diamond));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    CTN_EXPECT_ROUTE(ctn_ask(3, 2, 1), 3, 2);
    ctn_status_all(ctn_diamond, CTN_COUNT(ctn_diamond));
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 3, 2); /* 2 Mbit against 1 */
    ctn_status_all(ctn_diamond, CTN_COUNT(ctn_diamond));
    CTN_EXPECT_ROUTE(ctn_ask(2, 1, 1), 2, 1); /* 2-4 is 1 Mbit too: least hops */
}
END_TEST

/* ---- low mark, kept routes ---- */

START_TEST(no_route_below_the_low_mark)
{
    struct ctn_edge edges[CTN_COUNT(ctn_diamond)];
    memcpy(edges, ctn_diamond, sizeof edges);
    ctn_make_as((struct ctn_control){.routing = CTL_FEWEST_HOPS, .low_mark_bits = CTN_MBIT});
    ctn_kmcs(4);
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3,
                     4); /* 1-4 has half a Mbit; 1 Mbit itself is not below */
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
    edges[3].a_bits = edges[3].b_bits = CTN_MBIT - 1; /* 3-4 */
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
    edges[0].a_bits = CTN_MBIT - 1; /* 1 -> 2: the ctn.other direction may still serve */
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 2, 4);
    CTN_EXPECT_ROUTE(ctn_ask(2, 1, 1), 2, 1);
    edges[1].a_bits = 0; /* 2 -> 4 */
    ctn_status_all(edges, CTN_COUNT(edges));
    ctn_expect_failure(ctn_ask(1, 4, 1), WIRE_REASON_INSUFFICIENT_KEY);
    edges[3].a_down = edges[3].b_down = edges[1].a_down = edges[1].b_down = true;
    edges[4].a_down = edges[4].b_down = true;
    ctn_status_all(edges, CTN_COUNT(edges));
    ctn_expect_failure(ctn_ask(1, 4, 1), WIRE_REASON_NO_ROUTE); /* no link leads to 4 */
    memcpy(edges, ctn_diamond, sizeof edges);
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
}
END_TEST

/* Both pools together count: a GRANT moves key between them. */
START_TEST(low_mark_counts_both_pools)
{
    ctn_make_as((struct ctn_control){.routing = CTL_WIDEST, .low_mark_bits = 2 * CTN_MBIT});
    ctn_kmcs(2);
    for (uint64_t lacks = 0; lacks < 2; lacks++) {
        for (uint32_t node = 1; node <= 2; node++) {
            struct wire_link_status status = {.link = 0,
                                              .peer = ctn_kma(3 - node),
                                              .up = 1,
                                              .own_bits = CTN_MBIT / 2,
                                              .peer_bits = 3 * CTN_MBIT / 2 - lacks};
            uint8_t blob[256];
            int len = wire_link_status_encode(&status, blob, sizeof blob);
            ck_assert_int_gt(len, 0);
            struct wire_status_rsp rsp = {.has_links = true,
                                          .links = {blob, (size_t)len},
                                          .code = WIRE_SUCCESS};
            PUPPET_SEND(ctn.kmc[node], status_rsp, QKD_RP_CK, CTN_CONTROLLER, &rsp);
        }
        pump_run(ctn.pump, qkd_span_ms(10));
        ck_assert_uint_eq(ctn_ask(1, 2, 1).code, lacks == 0 ? WIRE_SUCCESS : WIRE_FAILURE);
    }
}
END_TEST

/* The diamond's 1-2-4 becomes wider than 1-3-4, which is kept until 3 -> 4 cannot pay. */
START_TEST(a_kept_route_is_left_only_when_it_cannot_pay)
{
    for (int keep = 0; keep < 2; keep++) {
        struct ctn_edge edges[CTN_COUNT(ctn_diamond)];
        memcpy(edges, ctn_diamond, sizeof edges);
        ctn_make_as((struct ctn_control){.routing = CTL_WIDEST, .keep_route = keep != 0});
        ctn_kmcs(4);
        ctn_status_all(edges, CTN_COUNT(edges));
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
        edges[0].a_bits = edges[1].a_bits = 3 * CTN_MBIT;
        ctn_status_all(edges, CTN_COUNT(edges));
        if (keep == 0) {
            CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
            ctn_teardown();
            ctn_setup();
            continue;
        }
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
        CTN_EXPECT_ROUTE(ctn_ask(4, 1, 1), 4, 3, 1); /* another pair */
        CTN_EXPECT_ROUTE(ctn_ask(2, 4, 1), 2, 4);
        edges[3].b_bits = ctn_relay_bits(1) - 1;
        ctn_status_all(edges, CTN_COUNT(edges));
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
        edges[3].b_bits = 100 * CTN_MBIT;
        edges[2].a_bits = 100 * CTN_MBIT;
        ctn_status_all(edges, CTN_COUNT(edges));
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
        edges[1].b_down = true;
        ctn_status_all(edges, CTN_COUNT(edges));
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    }
}
END_TEST

/* Reports are a period old: a KM may know better that its route cannot pay. */
START_TEST(a_route_that_failed_is_not_kept)
{
    struct ctn_edge edges[CTN_COUNT(ctn_diamond)];
    memcpy(edges, ctn_diamond, sizeof edges);
    ctn_make_as((struct ctn_control){.routing = CTL_WIDEST, .keep_route = true});
    ctn_kmcs(4);
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    edges[0].a_bits = edges[1].a_bits = 3 * CTN_MBIT;
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    struct wire_route again = ctn_request(1, 4, 1);
    again.has_reroute = true;
    again.reroute = 1;
    PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &again);
    pump_run(ctn.pump, qkd_span_ms(10));
    size_t count = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_RSP);
    CTN_EXPECT_ROUTE(ctn_decode(puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_RSP, count - 1),
                                again.head.message_id),
                     1, 2, 4);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4); /* kept from now on */
}
END_TEST

START_TEST(a_kept_route_is_promised_each_time)
{
    struct ctn_edge line[] = {{.a = 1, .b = 2}, {.a = 2, .b = 3}};
    for (size_t i = 0; i < 2; i++) {
        line[i].a_bits = line[i].b_bits = 2 * ctn_relay_bits(1);
    }
    ctn_make_as((struct ctn_control){.routing = CTL_WIDEST, .keep_route = true});
    ctn_kmcs(3);
    ctn_status_all(line, 2);
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3);
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3);
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* ---- noisy light ---- */

/* The module of `node` at link `id` tells its QBER (Table 8-2); speaker: the module it says it is. */
static void module_tells(uint32_t node, uint32_t id, uint32_t qber_ppm, uint32_t speaker)
{
    if (ctn.other == NULL) {
        ctn.other = puppet_new(ctn.pump, qkd_eid_make(QKD_ROLE_MODULE, 0, node));
        puppet_open(ctn.other, QKD_RP_CQ, CTN_CONTROLLER);
        pump_run(ctn.pump, qkd_span_ms(10));
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
    PUPPET_SEND(ctn.other, status_rsp, QKD_RP_CQ, CTN_CONTROLLER, &rsp);
    pump_run(ctn.pump, qkd_span_ms(10));
}

/* The diamond's widest way from 1 to 4 is 1-3-4. Link 2 is 1-3. */
START_TEST(noisy_links_are_avoided_while_there_is_another)
{
    struct ctn_edge edges[CTN_COUNT(ctn_diamond)];
    memcpy(edges, ctn_diamond, sizeof edges);
    ctn_make_as((struct ctn_control){.routing = CTL_WIDEST, .keep_route = _i == 1});
    ctn_kmcs(4);
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 2, 110000, 1); /* the limit, not above it */
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 2, 150000, 2); /* nobody speaks for another */
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 77, 150000, 1); /* a link that nobody knows */
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    module_tells(1, 2, 150000, 1);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
    CTN_EXPECT_ROUTE(ctn_ask(3, 4, 1), 3, 4);
    edges[0].a_down = edges[4].b_down = true; /* only 1-3 is left */
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    edges[0].a_down = edges[4].b_down = false;
    ctn_status_all(edges, CTN_COUNT(edges));
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
    module_tells(1, 2, 20000, 1);
    ctn_status_all(edges, CTN_COUNT(edges));
    if (_i == 0) {
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    } else {
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
    }
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

static void check_facts(enum ctl_routing routing, const struct ctn_edge *edges, size_t edge_count,
                        const struct fact *facts, size_t fact_count)
{
    ctn_make(routing);
    ctn_kmcs(6);
    for (size_t i = 0; i < 2 * fact_count; i++) {
        const struct fact *fact = &facts[i / 2];
        bool is_back = i % 2 == 1;
        ctn_status_all(edges, edge_count); /* takes the promises back */
        struct ctn_answer got = is_back ? ctn_ask(fact->b, fact->a, 1)
                                        : ctn_ask(fact->a, fact->b, 1);
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
static const struct ctn_edge cambridge[] = {RATED(1, 3, 2580000), RATED(3, 2, 2400000),
                                            RATED(2, 1, 2220000)};
static const struct fact cambridge_facts[] = {{1, 2, 1, 2220000, 2, 2400000},
                                              {1, 3, 1, 2580000, 1, 2580000},
                                              {2, 3, 1, 2400000, 1, 2400000}};

/* SECOQC: Peev et al., New Journal of Physics 11:075001 (2009), links with a published rate.
 * 1 BRT, 2 ERD, 3 FOR, 4 GUD, 5 SIE. */
static const struct ctn_edge secoqc[] = {RATED(5, 1, 3100), RATED(5, 2, 2500), RATED(2, 3, 17000),
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
        check_facts(routing, cambridge, CTN_COUNT(cambridge), cambridge_facts,
                    CTN_COUNT(cambridge_facts));
    } else {
        check_facts(routing, secoqc, CTN_COUNT(secoqc), secoqc_facts, CTN_COUNT(secoqc_facts));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_choice");
    TCase *tests = tcase_create("controller_choice");
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, fewest_hops_by_hand);
    tcase_add_test(tests, widest_by_hand);
    tcase_add_test(tests, no_route_below_the_low_mark);
    tcase_add_test(tests, low_mark_counts_both_pools);
    tcase_add_test(tests, a_kept_route_is_left_only_when_it_cannot_pay);
    tcase_add_test(tests, a_route_that_failed_is_not_kept);
    tcase_add_test(tests, a_kept_route_is_promised_each_time);
    tcase_add_loop_test(tests, noisy_links_are_avoided_while_there_is_another, 0, 2);
    tcase_add_loop_test(tests, published_networks, 0, 4);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
