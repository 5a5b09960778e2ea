/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN controller against scripted KMCs, modules and a manager (FG QIT4N D2.3 clause 8; Tables 8-1
 * to 8-4; docs/protocol.md, "Control"): what it asks and believes, whom it obeys, and a network that
 * loses. Routes by hand: controller_choice_test.c; promises and stock: controller_promises_test.c;
 * routes on random graphs: controller_route_test.c. */
#include <check.h>
#include <stdlib.h>

#include "core/wire/frame.h"
#include "tests/lib/ctl_net.h"

/* ---- status ---- */

START_TEST(asks_status_of_whoever_comes_up)
{
    ctn_make(CTL_WIDEST);
    ctn_kmcs(1);
    struct qkd_eid module = qkd_eid_make(QKD_ROLE_MODULE, 0, 1);
    ctn.other = puppet_new(ctn.pump, module);
    puppet_open(ctn.other, QKD_RP_CQ, CTN_CONTROLLER);
    pump_run(ctn.pump, qkd_span_ms(100));
    struct puppet *asked[] = {ctn.kmc[1], ctn.other};
    for (size_t i = 0; i < CTN_COUNT(asked); i++) {
        struct wire_status status;
        ck_assert_uint_eq(puppet_count(asked[i], WIRE_CMD_STATUS), 1);
        const struct puppet_message *m = puppet_get(asked[i], WIRE_CMD_STATUS, 0);
        ck_assert_int_eq(wire_status_decode(&status, m->bytes.at, m->bytes.len), 0);
        ck_assert(status.has_period_ms);
        ck_assert_uint_eq(status.period_ms, CTN_PERIOD_MS);
        ck_assert_uint_ne(status.table, 0);
    }
    /* Silent for 3 periods: asked again, every period. */
    pump_run(ctn.pump, qkd_span_ms(5 * CTN_PERIOD_MS));
    ck_assert_uint_ge(puppet_count(ctn.kmc[1], WIRE_CMD_STATUS), 2);
    ck_assert_uint_ge(puppet_count(ctn.other, WIRE_CMD_STATUS), 2);
}
END_TEST

START_TEST(both_ends_must_report_up)
{
    static const struct ctn_edge up[] = {{.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    static const struct ctn_edge down[] = {
        {.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT, .b_down = true}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(2);
    ctn_expect_failure(ctn_ask(1, 2, 1), WIRE_REASON_NO_ROUTE);
    ctn_status(1, up, 1);
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_ask(1, 2, 1), WIRE_REASON_NO_ROUTE);
    ctn_status(2, down, 1);
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_ask(1, 2, 1), WIRE_REASON_NO_ROUTE);
    ctn_status(2, up, 1);
    pump_run(ctn.pump, qkd_span_ms(10));
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
}
END_TEST

START_TEST(overtaken_status_is_not_used)
{
    static const struct ctn_edge rich[] = {
        {.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    static const struct ctn_edge poor[] = {{.a = 1, .b = 2, .a_bits = 0, .b_bits = 0}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(2);
    ctn_status_all(rich, 1);
    struct wire_status_rsp late = {.head.message_id = puppet_id(ctn.kmc[1])};
    uint8_t blob[256];
    struct wire_link_status status = {.link = 0, .peer = ctn_kma(2), .up = 1, .own_bits = CTN_MBIT};
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    late.has_links = true;
    late.links = (struct wire_bytes){blob, (size_t)len};
    late.code = WIRE_SUCCESS;
    ctn_status_all(poor, 1);
    PUPPET_SEND(ctn.kmc[1], status_rsp, QKD_RP_CK, CTN_CONTROLLER, &late);
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_ask(1, 2, 1), WIRE_REASON_INSUFFICIENT_KEY);
}
END_TEST

/* ---- silence ---- */

/* Records of `fault` that the manager has got: raised less cleared. Acknowledges them all. */
static int standing(uint8_t fault)
{
    int count = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < puppet_count(ctn.other, WIRE_CMD_FAULT); i++) {
        const struct puppet_message *m = puppet_get(ctn.other, WIRE_CMD_FAULT, i);
        struct wire_fault report;
        ck_assert_int_eq(wire_fault_decode(&report, m->bytes.at, m->bytes.len), 0);
        struct wire_report_ack ack = {.seq = report.seq};
        PUPPET_SEND(ctn.other, report_ack, QKD_RP_MC, CTN_CONTROLLER, &ack);
        for (size_t at = 0; report.seq > seen && at < report.records.len;) {
            struct wire_fault_record record;
            int len = wire_fault_record_decode(&record, report.records.at + at,
                                               report.records.len - at);
            ck_assert_int_gt(len, 0);
            ck_assert_uint_eq(record.at.v, CTN_CONTROLLER.v);
            at += (size_t)len;
            count += record.fault == fault ? (record.raised != 0 ? 1 : -1) : 0;
        }
        seen = report.seq > seen ? report.seq : seen;
    }
    pump_run(ctn.pump, qkd_span_ms(10));
    return count;
}

START_TEST(silent_km_is_not_used)
{
    static const struct ctn_edge line[] = {
        {.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT},
        {.a = 2, .b = 3, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    ctn.other = puppet_new(ctn.pump, CTN_MANAGER);
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    ctn_status_all(line, 2);
    for (int i = 0; i < 5; i++) { /* node 3 says nothing any more */
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS / 2));
        ctn_status(1, line, 2);
        ctn_status(2, line, 2);
    }
    pump_run(ctn.pump, qkd_span_ms(10));
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3); /* 2.5 periods */
    pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS / 2));
    ctn_status(1, line, 2);
    ctn_status(2, line, 2);
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_NO_ROUTE); /* 3 periods */
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
    for (int i = 0; i < 3; i++) {
        pump_run(ctn.pump, qkd_span_ms(CTN_PERIOD_MS));
        ctn_status(1, line, 2);
        ctn_status(2, line, 2);
    }
    ck_assert_int_eq(standing(WIRE_FAULT_LINK_DOWN), 1); /* link 2-3, though silent for long */
    puppet_forget(ctn.other);
    ctn_status_all(line, 2);
    CTN_EXPECT_ROUTE(ctn_ask(1, 3, 1), 1, 2, 3);
    pump_run(ctn.pump, qkd_span_ms(2 * CTN_PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_LINK_DOWN), -1);
}
END_TEST

/* ---- who may ask what ---- */

START_TEST(kmc_asks_for_its_own_kma_only)
{
    struct ctn_edge link[] = {{.a = 1, .b = 2}};
    link[0].a_bits = link[0].b_bits = wire_take_cost_bits(CTN_KEY_SIZE, 1, 1);
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    ctn_status_all(link, 1);
    struct wire_route route = ctn_request(1, 2, 1);
    PUPPET_SEND(ctn.kmc[3], route, QKD_RP_CK, CTN_CONTROLLER, &route);
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_decode(puppet_get(ctn.kmc[3], WIRE_CMD_ROUTE_RSP, 0),
                                  route.head.message_id),
                       WIRE_REASON_UNAUTHORIZED);
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2); /* nothing was promised */
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    struct ctn_edge link[] = {{.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(2);
    ctn_status_all(link, 1);
    ctn_expect_failure(ctn_ask(1, 1, 1), WIRE_REASON_BAD_REQUEST);
    ctn_expect_failure(ctn_ask(1, 2, 0), WIRE_REASON_BAD_REQUEST);
    ctn_expect_failure(ctn_ask(1, 77, 1), WIRE_REASON_NO_ROUTE);
    ctn_expect_failure(ctn_ask(1, 2, UINT32_MAX), WIRE_REASON_INSUFFICIENT_KEY);
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
}
END_TEST

START_TEST(bad_bytes_change_nothing)
{
    struct ctn_edge link[] = {{.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(2);
    ctn_status_all(link, 1);
    /* a good record that says `down`, then a torn one: neither counts */
    struct wire_link_status status = {.link = 0, .peer = ctn_kma(2), .up = 0};
    uint8_t blob[512];
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    memcpy(blob + len, blob, (size_t)len);
    struct wire_status_rsp rsp = {.has_links = true,
                                  .links = {blob, 2 * (size_t)len - 1},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(ctn.kmc[1], status_rsp, QKD_RP_CK, CTN_CONTROLLER, &rsp);
    /* a command that nobody sends to a controller */
    struct wire_key_supply supply = {.application_code = 1};
    PUPPET_SEND(ctn.kmc[1], key_supply, QKD_RP_CK, CTN_CONTROLLER, &supply);
    puppet_send(ctn.kmc[1], QKD_RP_CK, CTN_CONTROLLER,
                (struct wire_bytes){(const uint8_t *)"junk", 4});
    pump_run(ctn.pump, qkd_span_ms(10));
    ck_assert_uint_eq(pump_report_count(ctn.pump, QKD_REPORT_BAD_BYTES, CTN_CONTROLLER), 3);
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
}
END_TEST

/* A KM that claims a link between two others, or to a KM that denies it, gains nothing. */
START_TEST(claimed_links_need_both_ends)
{
    static const struct ctn_edge honest[] = {
        {.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    static const struct ctn_edge claimed[] = {
        {.a = 3, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT},
        {.a = 3, .b = 1, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    ctn_status(3, claimed, 2); /* link 0 is 1-2 in truth */
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_status_all(honest, 1);
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
    ctn_status(3, claimed, 2);
    pump_run(ctn.pump, qkd_span_ms(10));
    ctn_expect_failure(ctn_ask(1, 3, 1), WIRE_REASON_NO_ROUTE);
    CTN_EXPECT_ROUTE(ctn_ask(1, 2, 1), 1, 2);
}
END_TEST

/* ---- a network that loses, doubles and reorders ---- */

START_TEST(loss_only_delays)
{
    static const struct ctn_edge line[] = {
        {.a = 1, .b = 2, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT},
        {.a = 2, .b = 3, .a_bits = CTN_MBIT, .b_bits = CTN_MBIT}};
    pump_set_chances(ctn.pump, 20, 10, 10);
    ctn_make(CTL_WIDEST);
    ctn_kmcs(3);
    for (int i = 0; i < 10; i++) {
        pump_run(ctn.pump, qkd_span_ms(500));
        ctn_status_all(line, 2);
    }
    unsigned served = 0;
    for (int i = 0; i < 20; i++) {
        struct wire_route route = ctn_request(1, 3, 1);
        for (int again = 0; again < 6; again++) {
            ctn_status_all(line, 2);
            PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &route);
            pump_run(ctn.pump, qkd_span_ms(200));
        }
        size_t count = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_RSP);
        for (size_t k = 0; k < count; k++) {
            const struct puppet_message *m = puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_RSP, k);
            if (m->head.orig_message_id == route.head.message_id) {
                CTN_EXPECT_ROUTE(ctn_decode(m, route.head.message_id), 1, 2, 3);
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
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, asks_status_of_whoever_comes_up);
    tcase_add_test(tests, both_ends_must_report_up);
    tcase_add_test(tests, overtaken_status_is_not_used);
    tcase_add_test(tests, silent_km_is_not_used);
    tcase_add_test(tests, kmc_asks_for_its_own_kma_only);
    tcase_add_test(tests, bad_requests_are_refused);
    tcase_add_test(tests, bad_bytes_change_nothing);
    tcase_add_test(tests, claimed_links_need_both_ends);
    tcase_add_test(tests, loss_only_delays);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
