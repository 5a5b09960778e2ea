/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller promises away and takes back, what a route costs, what it says is in stock, and
 * that a request has one answer however often it comes (docs/protocol.md, "Control"). */
#include <check.h>
#include <stdlib.h>

#include "core/wire/frame.h"
#include "tests/lib/ctl_net.h"

START_TEST(promises_are_subtracted_until_the_next_status)
{
    struct ctn_edge line[] = {{.a = 1, .b = 2}, {.a = 2, .b = 3}};
    for (size_t i = 0; i < 2; i++) {
        line[i].a_bits = line[i].b_bits = 2 * ctn_relay_bits(1);
    }
    line[1].a_bits = line[1].b_bits = 100 * ctn_relay_bits(1);
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    ctn_status_all(line, 2);
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3);
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3);
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
    CTN_EXPECT_ROUTE(ctn_ask(3, 1, 1), 3, 2, 1); /* the ctn.other direction is another pool half */
    ctn_status(2, line, 2);                      /* says nothing about 1 -> 2 */
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
    ctn_status(1, line, 2);
    pump_run(ctn.pump, qkd_span_ms(10));
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 2), 1, 2, 3); /* both at once */
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* What the controller answers a STOCK of the KMC at `asker`. */
static struct wire_stock_rsp stock(uint32_t asker, uint32_t from, uint32_t to, uint32_t key_size,
                                   uint32_t batch)
{
    struct wire_stock ask_for = {.source_id = ctn_kma(from),
                                 .destination_id = ctn_kma(to),
                                 .key_size = key_size,
                                 .batch = batch};
    PUPPET_SEND(ctn.kmc[asker], stock, QKD_RP_CK, CTN_CONTROLLER, &ask_for);
    pump_run(ctn.pump, qkd_span_ms(10));
    size_t count = puppet_count(ctn.kmc[asker], WIRE_CMD_STOCK_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(ctn.kmc[asker], WIRE_CMD_STOCK_RSP, count - 1);
    struct wire_stock_rsp rsp;
    ck_assert_int_eq(wire_stock_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.head.orig_message_id, ask_for.head.message_id);
    return rsp;
}

/* A relayed key of 256 bits costs a hop 1,488 bits, a pool unit of neighbours 640 (docs/protocol.md); two
 * keys in a frame save one body. The widest way counts: 1-4-3 with 100 kbit, not 1-2-3 with 50. */
START_TEST(stock_is_what_one_request_could_have)
{
    struct ctn_edge net[] = {{.a = 1, .b = 2, .a_bits = 50000, .b_bits = 50000},
                             {.a = 2, .b = 3, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT},
                             {.a = 1, .b = 4, .a_bits = 100000, .b_bits = 1488},
                             {.a = 4, .b = 3, .a_bits = 200000, .b_bits = 1487}};
    ctn_make(CTL_FEWEST_HOPS);
    ctn_kmcs(5);
    ctn_status_all(net, 4);
    ck_assert_uint_eq(stock(1, 1, 3, 256, 1).keys, 100000 / 1488);
    ck_assert_uint_eq(stock(3, 3, 1, 256, 1).keys, 50000 / 1488);
    ck_assert_uint_eq(stock(1, 1, 2, 256, 1).keys, 50000 / 640);
    /* Neighbours with 1,488 and 1,487 bits: two units each, or 33 keys relayed the long way round. */
    ck_assert_uint_eq(stock(4, 4, 1, 256, 1).keys, 50000 / 1488);
    ck_assert_uint_eq(stock(3, 3, 4, 256, 1).keys, 50000 / 1488);
    ck_assert_uint_eq(stock(1, 1, 3, 256, 2).keys, 2 * (100000 / (1488 + 256)));
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 67), 1, 4,
                     3); /* that many can be had, nothing was promised by asking */
    ck_assert_uint_eq(stock(1, 1, 3, 256, 1).keys,
                      50000 / 1488); /* now the ctn.other way is wider */
    ctn_expect_failure(ctn_ask(1, 3, 34), WIRE_REASON_INSUFFICIENT_KEY);
    ck_assert_uint_eq(stock(1, 1, 5, 256, 1).keys, 0); /* 5 has no link */
    ck_assert_uint_eq(stock(1, 1, 90, 256, 1).keys, 0);
    ck_assert_uint_eq(stock(1, 1, 3, 0, 1).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(stock(1, 1, 1, 256, 1).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(stock(1, 2, 3, 256, 1).reason, WIRE_REASON_UNAUTHORIZED);
}
END_TEST

START_TEST(a_refusal_promises_nothing)
{
    struct ctn_edge line[] = {{.a = 1, .b = 2, .a_bits = ctn_relay_bits(1)}, {.a = 2, .b = 3}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    ctn_status_all(line, 2);
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY); /* 2 -> 3 is empty */
    line[1].a_bits = ctn_relay_bits(1);
    ctn_status(2, line, 2);
    pump_run(ctn.pump, qkd_span_ms(10));
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3);
}
END_TEST

START_TEST(neighbours_pay_pool_units_only)
{
    uint64_t take = wire_take_cost_bits(CTN_KEY_SIZE, 1, 1);
    ck_assert_uint_lt(take, ctn_relay_bits(1));
    struct ctn_edge link[] = {{.a = 1, .b = 2, .a_bits = take, .b_bits = take - 1},
                              {.a = 2, .b = 3, .a_bits = take, .b_bits = take}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    ctn_status_all(link, 2);
    ctn_expect_failure(ctn_ask(2, 1, 1), WIRE_REASON_INSUFFICIENT_KEY); /* one bit short */
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_INSUFFICIENT_KEY); /* relaying costs more */
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
    ctn_expect_failure(ctn_ask(1, 2, 1), WIRE_REASON_INSUFFICIENT_KEY); /* all promised */
}
END_TEST

START_TEST(half_of_the_peers_bits_count)
{
    uint64_t take = wire_take_cost_bits(CTN_KEY_SIZE, 1, 1);
    ctn_make(CTL_WIDEST);
    ctn_kmcs(2);
    for (unsigned short_by = 0; short_by < 2; short_by++) {
        for (uint32_t node = 1; node <= 2; node++) {
            struct wire_link_status status = {.link = 0,
                                              .peer = ctn_kma(3 - node),
                                              .up = 1,
                                              .own_bits = 10,
                                              .peer_bits = 2 * (take - 10 - short_by)};
            uint8_t blob[256];
            int len = wire_link_status_encode(&status, blob, sizeof blob);
            ck_assert_int_gt(len, 0);
            struct wire_status_rsp rsp = {.has_links = true,
                                          .links = {blob, (size_t)len},
                                          .code = WIRE_SUCCESS};
            PUPPET_SEND(ctn.kmc[node], status_rsp, QKD_RP_CK, CTN_CONTROLLER, &rsp);
        }
        pump_run(ctn.pump, qkd_span_ms(10));
        struct ctn_answer got = ctn_ask(1, 2, 1);
        ck_assert_uint_eq(got.code, short_by == 0 ? WIRE_SUCCESS : WIRE_FAILURE);
    }
}
END_TEST

START_TEST(repeated_request_gets_the_same_answer)
{
    struct ctn_edge link[] = {{.a = 1, .b = 2}};
    link[0].a_bits = link[0].b_bits = 2 * wire_take_cost_bits(CTN_KEY_SIZE, 1, 1);
    ctn_make(CTL_WIDEST);
    ctn_kmcs(2);
    ctn_status_all(link, 1);
    struct wire_route route = ctn_request(1, 2, 1);
    for (size_t i = 0; i < 5; i++) {
        PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &route);
        pump_run(ctn.pump, qkd_span_ms(10));
        ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_RSP), i + 1);
        CTN_EXPECT_ROUTE(
            ctn_decode(puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_RSP, i), route.head.message_id), 1, 2);
    }
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2); /* promised once before: one is left */
    ctn_expect_failure(ctn_ask(1, 2, 1), WIRE_REASON_INSUFFICIENT_KEY);
    /* A refusal is repeated too, though it could be served now. */
    struct wire_route refused = ctn_request(1, 2, 3);
    PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &refused);
    pump_run(ctn.pump, qkd_span_ms(10));
    link[0].a_bits *= 100;
    ctn_status_all(link, 1);
    PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &refused);
    pump_run(ctn.pump, qkd_span_ms(10));
    size_t count = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_RSP);
    for (size_t i = count - 2; i < count; i++) {
        ctn_expect_failure(ctn_decode(puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_RSP, i),
                                      refused.head.message_id),
                           WIRE_REASON_INSUFFICIENT_KEY);
    }
}
END_TEST

/* More requests than the ring of answers holds at first; each is remembered while it is young. */
START_TEST(many_requests_are_remembered)
{
    enum { MANY = 300 };
    struct ctn_edge link[] = {{.a = 1, .b = 2, .a_bits = 1000 * CTN_MBIT, .b_bits = 0}};
    ctn_make(CTL_FEWEST_HOPS);
    ctn_kmcs(2);
    ctn_status_all(link, 1);
    uint64_t ids[MANY];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < MANY; i++) {
            struct wire_route route = ctn_request(i % 2 == 0 ? 1 : 2, i % 2 == 0 ? 2 : 1, 1);
            route.head.message_id = round == 0 ? 0 : ids[i];
            PUPPET_SEND(ctn.kmc[1 + i % 2], route, QKD_RP_CK, CTN_CONTROLLER, &route);
            ids[i] = route.head.message_id;
        }
        pump_run(ctn.pump, qkd_span_ms(50));
        link[0].b_bits = 1000 * CTN_MBIT; /* 2 -> 1 could be answered now; what was said stands */
        ctn_status_all(link, 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        struct puppet *asker = ctn.kmc[1 + i % 2];
        ck_assert_uint_eq(puppet_count(asker, WIRE_CMD_ROUTE_RSP), MANY);
        for (size_t round = 0; round < 2; round++) {
            const struct puppet_message *m = puppet_get(asker, WIRE_CMD_ROUTE_RSP,
                                                        i / 2 + round * MANY / 2);
            ck_assert_uint_eq(ctn_decode(m, ids[i]).code, i % 2 == 0 ? WIRE_SUCCESS : WIRE_FAILURE);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_promises");
    TCase *tests = tcase_create("controller_promises");
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, promises_are_subtracted_until_the_next_status);
    tcase_add_test(tests, stock_is_what_one_request_could_have);
    tcase_add_test(tests, a_refusal_promises_nothing);
    tcase_add_test(tests, neighbours_pay_pool_units_only);
    tcase_add_test(tests, half_of_the_peers_bits_count);
    tcase_add_test(tests, repeated_request_gets_the_same_answer);
    tcase_add_test(tests, many_requests_are_remembered);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
