/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode: proactive (D23-CT-01): the table of routes that the controller tells KMs without being asked.
 * The network is ctn_diamond without a direct link from 1 to 4: by fewest hops, then the widest
 * bottleneck, 1 goes to 4 by 3; all other pairs but 2 and 3 are neighbours. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ctl_net.h"

enum { COUNT = CTN_DIAMOND_LINKS, LINK_34 = 3, LINK_14 = 4 };

static struct ctn_edge edges[COUNT];
static uint64_t version; /* of the last table read */

static void begin(void)
{
    memcpy(edges, ctn_diamond, sizeof edges);
    edges[LINK_14].a_bits = edges[LINK_14].b_bits = 0;
    ctn_make_as((struct ctn_control){.routing = CTL_FEWEST_HOPS, .mode = CTL_PROACTIVE});
    ctn_kmcs(4);
    ctn_status_all(edges, COUNT);
    pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
    version = 0;
}

static void acknowledge(uint32_t node, const struct puppet_message *m)
{
    struct wire_route_table_ack ack = {.head.orig_message_id = m->head.message_id,
                                       .code = WIRE_SUCCESS};
    PUPPET_SEND(ctn.kmc[node], route_table_ack, QKD_RP_CK, CTN_CONTROLLER, &ack);
    pump_run(ctn.pump, qkd_span_ms(1));
}

/* The newest table of KMC 1 has one route, to 4 by `by`; it is acknowledged. */
static void expect_by(uint32_t by)
{
    size_t count = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE, count - 1);
    struct wire_route_table table;
    struct wire_route_entry entry;
    ck_assert_int_eq(wire_route_table_decode(&table, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(table.head.orig_message_id, 0);
    ck_assert(table.has_version);
    ck_assert_uint_gt(table.version, version);
    version = table.version;
    ck_assert_int_eq(wire_route_entry_decode(&entry, table.entries.at, table.entries.len),
                     (int)table.entries.len);
    ck_assert(qkd_eid_eq(entry.destination_id, ctn_kma(4)));
    ck_assert_uint_eq(entry.route.len, 24);
    ck_assert_uint_eq(wire_get_u64(entry.route.at), ctn_kma(1).v);
    ck_assert_uint_eq(wire_get_u64(entry.route.at + 8), ctn_kma(by).v);
    ck_assert_uint_eq(wire_get_u64(entry.route.at + 16), ctn_kma(4).v);
    acknowledge(1, m);
    puppet_forget(ctn.kmc[1]);
}

START_TEST(told_unasked_and_when_it_changes)
{
    begin();
    expect_by(3);
    pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
    ctn_status_all(edges, COUNT);
    pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS)); /* nothing is new: nothing is said */
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    edges[LINK_34].a_down = true; /* worse: at once */
    ctn_status_all(edges, COUNT);
    expect_by(2);
    edges[LINK_34].a_down = false; /* better: with the next period */
    ctn_status_all(edges, COUNT);
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
    expect_by(3);
}
END_TEST

/* Levels change: looked at again when the validity of routes (10 s) is over. */
START_TEST(computed_again_with_the_validity)
{
    begin();
    expect_by(3);
    edges[LINK_34].a_bits = edges[LINK_34].b_bits = CTN_MBIT / 10;
    unsigned told_at = 0;
    for (unsigned s = 1; s <= 12 && told_at == 0; s++) {
        ctn_status_all(edges, COUNT);
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
        told_at = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE) > 0 ? s : 0;
    }
    ck_assert_uint_ge(told_at, 8);
    ck_assert_uint_le(told_at, 11);
    expect_by(2);
}
END_TEST

/* A KM that did not acknowledge is told its whole part when it is heard of again. */
START_TEST(a_km_that_was_away)
{
    begin();
    ck_assert_uint_gt(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    for (int i = 0; i < 15; i++) { /* 8 tries are over after 9.4 s */
        for (uint32_t node = 2; node <= 4; node++) {
            ctn_status(node, edges, COUNT);
        }
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
    }
    puppet_forget(ctn.kmc[1]);
    pump_run(ctn.pump, qkd_span_s(2));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
    ctn_status_all(edges, COUNT);
    expect_by(3);
}
END_TEST

/* Beside the table a ROUTE is answered as ever. */
START_TEST(asked_all_the_same)
{
    begin();
    expect_by(3);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 3, 4);
    puppet_forget(ctn.kmc[1]);
    pump_run(ctn.pump, qkd_span_ms(500));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_TABLE), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_table");
    TCase *tests = tcase_create("table");
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, told_unasked_and_when_it_changes);
    tcase_add_test(tests, computed_again_with_the_validity);
    tcase_add_test(tests, a_km_that_was_away);
    tcase_add_test(tests, asked_all_the_same);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
