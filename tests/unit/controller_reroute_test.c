/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rerouting: what the controller tells unasked when a link of a route that it gave becomes worse
 * (D23-CT-04, D23-CT-T2, D23-CT-T4). The network is ctn_diamond: from 1 to 4 the widest route is 1-3-4,
 * the other one 1-2-4 (2-3 pays in one direction only). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ctl_net.h"

enum { COUNT = CTN_DIAMOND_LINKS, LINK_34 = 3, LINK_24 = 1, TAGS = 20 };

static struct ctn_edge edges[COUNT];

static void begin(struct ctn_control control)
{
    memcpy(edges, ctn_diamond, sizeof edges);
    edges[4].a_bits = edges[4].b_bits = 0; /* no direct link from 1 to 4 */
    ctn_make_as(control);
    ctn_kmcs(4);
    ctn_status_all(edges, COUNT);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    puppet_forget(ctn.kmc[1]);
}

/* The newest ROUTE_TABLE that KMC 1 has; with its one entry. */
static struct wire_route_entry table_get(size_t n)
{
    const struct puppet_message *m = puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE, n);
    struct wire_route_table table;
    struct wire_route_entry entry;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_table_decode(&table, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(table.head.orig_message_id, 0);
    ck_assert_uint_eq(table.validity_ms, 10000);
    ck_assert_int_eq(wire_route_entry_decode(&entry, table.entries.at, table.entries.len),
                     (int)table.entries.len);
    ck_assert(qkd_eid_eq(entry.destination_id, ctn_kma(4)));
    return entry;
}

static void expect_nodes(const struct wire_route_entry *entry, uint32_t a, uint32_t b, uint32_t c)
{
    ck_assert(entry->has_route);
    ck_assert_uint_eq(entry->route.len, 24);
    ck_assert_uint_eq(wire_get_u64(entry->route.at), ctn_kma(a).v);
    ck_assert_uint_eq(wire_get_u64(entry->route.at + 8), ctn_kma(b).v);
    ck_assert_uint_eq(wire_get_u64(entry->route.at + 16), ctn_kma(c).v);
}

static void acknowledge(size_t n)
{
    const struct puppet_message *m = puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE, n);
    struct wire_route_table_ack ack = {.head.orig_message_id = m->head.message_id,
                                       .code = WIRE_SUCCESS};
    PUPPET_SEND(ctn.kmc[1], route_table_ack, QKD_RP_CK, CTN_CONTROLLER, &ack);
    pump_run(ctn.pump, qkd_span_ms(1));
}

/* A module at `node` of a link tells its QBER. */
static void qber_tell(struct puppet *module, uint32_t link, uint32_t qber_ppm)
{
    uint8_t blob[256];
    struct wire_module_status status = {
        .module = puppet_self(module), .link = link, .generating = 1, .qber_ppm = qber_ppm};
    int len = wire_module_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.table = WIRE_STATUS_QKD_LINK,
                                  .has_modules = true,
                                  .modules = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(module, status_rsp, QKD_RP_CQ, CTN_CONTROLLER, &rsp);
    pump_run(ctn.pump, qkd_span_ms(5));
}

START_TEST(link_down_moves_the_route)
{
    begin((struct ctn_control){.routing = CTL_WIDEST});
    edges[LINK_34].b_down = true; /* KM 3 does not hear KM 4 */
    ctn_status(3, edges, COUNT);
    pump_run(ctn.pump, qkd_span_ms(5));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 1);
    struct wire_route_entry entry = table_get(0);
    expect_nodes(&entry, 1, 2, 4);
    ck_assert(qkd_eid_eq(entry.failed_from, ctn_kma(3)));
    ck_assert(qkd_eid_eq(entry.failed_to, ctn_kma(4)));
    ck_assert_uint_eq(puppet_count(ctn.kmc[2], WIRE_CMD_ROUTE_TABLE), 0); /* not concerned */
    acknowledge(0);
    pump_run(ctn.pump, qkd_span_s(3));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 1);
}
END_TEST

START_TEST(said_again_until_acknowledged)
{
    begin((struct ctn_control){.routing = CTL_WIDEST});
    edges[LINK_34].b_down = true;
    ctn_status(3, edges, COUNT);
    pump_run(ctn.pump, qkd_span_ms(900)); /* after 200, 200 + 400 ms */
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 3);
    acknowledge(0); /* of one that was said again under another ID: not it */
    pump_run(ctn.pump, qkd_span_ms(700));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 4);
    acknowledge(3);
    pump_run(ctn.pump, qkd_span_s(10));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 4);
}
END_TEST

START_TEST(without_another_route_nothing_is_said)
{
    begin((struct ctn_control){.routing = CTL_WIDEST});
    edges[LINK_24].a_down = true; /* nobody was given a route over it */
    ctn_status(2, edges, COUNT);
    edges[LINK_34].b_down = true;
    ctn_status(3, edges, COUNT);
    pump_run(ctn.pump, qkd_span_ms(5));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    /* over 2-3, which has nothing in that direction, and 1-4, which has nothing */
    ctn_expect_failure(ctn_ask(1, 4, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* A KM that is silent for three periods takes its links with it. */
START_TEST(silent_km)
{
    begin((struct ctn_control){.routing = CTL_WIDEST});
    for (int i = 0; i < 6; i++) { /* all but KM 3 */
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
        ctn_status(1, edges, COUNT);
        ctn_status(2, edges, COUNT);
        ctn_status(4, edges, COUNT);
    }
    pump_run(ctn.pump, qkd_span_ms(5));
    ck_assert_uint_ge(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 1);
    struct wire_route_entry entry = table_get(0);
    expect_nodes(&entry, 1, 2, 4);
}
END_TEST

/* Noisy light: another route where there is one; where there is none, the old one stays. Quiet again a
 * tenth below the limit (11 %): in between nothing changes. */
START_TEST(noise_moves_the_route_if_it_can)
{
    begin((struct ctn_control){.routing = CTL_WIDEST});
    struct puppet *module = puppet_new(ctn.pump, qkd_eid_make(QKD_ROLE_MODULE, 0, 4));
    ctn.other = module;
    puppet_open(module, QKD_RP_CQ, CTN_CONTROLLER);
    pump_run(ctn.pump, qkd_span_ms(20));
    qber_tell(module, LINK_34, 120000);
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 1);
    struct wire_route_entry entry = table_get(0);
    expect_nodes(&entry, 1, 2, 4);
    acknowledge(0);
    for (int i = 0; i < 20; i++) { /* around the limit: it stays noisy, nothing is said */
        qber_tell(module, LINK_34, i % 2 == 0 ? 105000 : 112000);
    }
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 1);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
    qber_tell(module, LINK_34, 98000);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    edges[LINK_24].a_down = true; /* no other one: it stays, its store serves */
    ctn_status(2, edges, COUNT);
    pump_run(ctn.pump, qkd_span_ms(5));
    puppet_forget(ctn.kmc[1]);
    qber_tell(module, LINK_34, 120000);
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
}
END_TEST

static void status_with_tags(uint32_t node, uint64_t failures)
{
    uint8_t blob[512];
    struct wire_link_status status = {.link = LINK_34,
                                      .peer = ctn_kma(node == 3 ? 4 : 3),
                                      .up = 1,
                                      .own_bits = 2 * CTN_MBIT,
                                      .tag_failures = failures};
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.table = WIRE_STATUS_KM_LINK,
                                  .has_links = true,
                                  .links = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(ctn.kmc[node], status_rsp, QKD_RP_CK, CTN_CONTROLLER, &rsp);
    pump_run(ctn.pump, qkd_span_ms(5));
}

START_TEST(tag_failures_move_the_route)
{
    begin((struct ctn_control){.routing = CTL_WIDEST});
    status_with_tags(4, TAGS / 4); /* a few: noise of the line */
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    status_with_tags(4, TAGS / 4 + TAGS);
    struct wire_route_entry entry = table_get(0);
    expect_nodes(&entry, 1, 2, 4);
    acknowledge(0);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
    for (int i = 0; i < 4; i++) { /* quiet for three periods: trusted again */
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
        for (uint32_t node = 1; node <= 3; node++) {
            ctn_status(node, edges, COUNT);
        }
        status_with_tags(4, TAGS / 4 + TAGS);
    }
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
}
END_TEST

/* Exhaustion: under the low mark the route moves; a level that swings around the mark moves it once,
 * and it is used again only well above (a quarter). */
START_TEST(low_mark_does_not_flap)
{
    begin((struct ctn_control){.routing = CTL_WIDEST, .low_mark_bits = CTN_MBIT / 2});
    unsigned moves = 0;
    for (int i = 0; i < 50; i++) {
        uint64_t bits = i % 2 == 0 ? CTN_MBIT * 9 / 20 : CTN_MBIT * 11 / 20;
        edges[LINK_34].a_bits = edges[LINK_34].b_bits = bits;
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS / 2));
        ctn_status_all(edges, COUNT);
        size_t count = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE);
        if (count > 0) {
            acknowledge(count - 1);
            moves += (unsigned)count;
            puppet_forget(ctn.kmc[1]);
        }
        CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 2, 4);
        puppet_forget(ctn.kmc[1]);
    }
    ck_assert_uint_eq(moves, 1);
    edges[LINK_34].a_bits = edges[LINK_34].b_bits = 4 * CTN_MBIT;
    ctn_status_all(edges, COUNT);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_reroute");
    TCase *tests = tcase_create("reroute");
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, link_down_moves_the_route);
    tcase_add_test(tests, said_again_until_acknowledged);
    tcase_add_test(tests, without_another_route_nothing_is_said);
    tcase_add_test(tests, silent_km);
    tcase_add_test(tests, noise_moves_the_route_if_it_can);
    tcase_add_test(tests, tag_failures_move_the_route);
    tcase_add_test(tests, low_mark_does_not_flap);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
