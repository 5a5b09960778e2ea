/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of two controllers is in charge: docs/protocol.md, "A standby controller". One controller of a
 * network of four KMs; its rival and the KMCs are puppets. */
#include <stdlib.h>

#include "tests/lib/ctl_net.h"

PUMP_ELEMENT(ctl)

#define RIVAL ((struct qkd_eid){(uint64_t)QKD_ROLE_CONTROLLER << 56 | 92})

enum { KMS = 4 };

static void controller_make(bool is_first)
{
    struct ctl_config config = {.self = CTN_CONTROLLER,
                                .manager = CTN_MANAGER,
                                .other = RIVAL,
                                .is_first = is_first,
                                .routing = CTL_FEWEST_HOPS,
                                .route_validity = qkd_span_s(10),
                                .status_period = qkd_span_ms(CTN_PERIOD_MS),
                                .retransmit = qkd_span_ms(200),
                                .node_limit = KMS,
                                .link_limit = 32};
    ck_assert_int_eq(ctl_new(&config, &ctn.ctl), 0);
    pump_add(ctn.pump, CTN_CONTROLLER,
             (struct pump_element){
                 .self = ctn.ctl, .step = pump_ctl_step, .deadline = pump_ctl_deadline});
    pump_start(ctn.pump, CTN_CONTROLLER);
}

static void network_make(bool is_first)
{
    controller_make(is_first);
    ctn.other = puppet_new(ctn.pump, RIVAL);
    puppet_open(ctn.other, QKD_RP_CX, CTN_CONTROLLER);
    ctn_kmcs(KMS);
}

static void term_say(struct puppet *who, enum qkd_rp rp, struct wire_term term)
{
    PUPPET_SEND(who, term, rp, CTN_CONTROLLER, &term);
    pump_run(ctn.pump, qkd_span_ms(10));
}

static void rival_says(uint64_t term, uint8_t active)
{
    term_say(ctn.other, QKD_RP_CX, (struct wire_term){.term = term, .active = active});
}

static void km_says(uint32_t node, uint64_t term, uint8_t active)
{
    term_say(ctn.kmc[node], QKD_RP_CK, (struct wire_term){.term = term, .active = active});
}

/* The terms that it began, and ended (0), so far. */
static uint64_t term_now(void)
{
    size_t count = pump_report_count(ctn.pump, QKD_REPORT_TERM, CTN_CONTROLLER);
    return count == 0 ? 0 : pump_report(ctn.pump, QKD_REPORT_TERM, CTN_CONTROLLER, count - 1)->a;
}

static uint64_t term_kept(void)
{
    struct wire_p_term kept;
    ck_assert_uint_eq(pump_persisted_count(ctn.pump, CTN_CONTROLLER), 1);
    const struct qkd_record *record = pump_persisted(ctn.pump, CTN_CONTROLLER, 0);
    ck_assert_int_gt(wire_p_term_decode(&kept, record->value, record->value_len), 0);
    return kept.term;
}

static uint64_t status_term(uint32_t node)
{
    struct wire_status status = {0};
    size_t count = puppet_count(ctn.kmc[node], WIRE_CMD_STATUS);
    if (count > 0) {
        const struct puppet_message *m = puppet_get(ctn.kmc[node], WIRE_CMD_STATUS, count - 1);
        ck_assert_int_eq(wire_status_decode(&status, m->bytes.at, m->bytes.len), 0);
    }
    return status.term;
}

START_TEST(the_first_begins_at_once)
{
    network_make(true);
    ck_assert_uint_eq(term_now(), 1);
    ck_assert_uint_eq(term_kept(), 1);
    ck_assert_uint_eq(status_term(1), 1);
    ctn_status_all(ctn_diamond, CTN_DIAMOND_LINKS);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 4);
    pump_run(ctn.pump, qkd_span_s(2));
    ck_assert_uint_ge(puppet_count(ctn.kmc[2], WIRE_CMD_TERM), 2); /* it is heard every period */
}
END_TEST

START_TEST(the_standby_waits)
{
    network_make(false);
    pump_run(ctn.pump, qkd_span_s(10));
    ck_assert_uint_eq(term_now(), 0);
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_STATUS), 0);
    ctn_status_all(ctn_diamond, CTN_DIAMOND_LINKS);
    struct wire_route route = ctn_request(1, 4, 1);
    PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &route);
    pump_run(ctn.pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_RSP), 0);
}
END_TEST

/* One KM of four that hears nobody is not enough, two are; one that hears the other does not count. */
START_TEST(a_majority_calls_it)
{
    network_make(false);
    pump_run(ctn.pump, qkd_span_s(4));
    km_says(1, 1, 0);
    km_says(2, 1, 1);
    ck_assert_uint_eq(term_now(), 0);
    km_says(2, 1, 0);
    ck_assert_uint_eq(term_now(), 2); /* even: not of the other one */
    ck_assert_uint_eq(term_kept(), 2);
    ck_assert_uint_eq(status_term(3), 2);
}
END_TEST

START_TEST(votes_do_not_last)
{
    network_make(false);
    km_says(1, 1, 0);
    pump_run(ctn.pump, qkd_span_s(4));
    km_says(2, 1, 0);
    ck_assert_uint_eq(term_now(), 0); /* what the first said then does not count any more */
    rival_says(1, 1);                 /* it is there, but for whom? */
    km_says(1, 1, 0);
    ck_assert_uint_eq(term_now(), 2);
}
END_TEST

/* _i 0: a KM tells of a higher term; 1: its bearer does. */
START_TEST(a_higher_term_ends_it)
{
    network_make(true);
    ctn_status_all(ctn_diamond, CTN_DIAMOND_LINKS);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 4);
    if (_i == 0) {
        km_says(2, 2, 1);
    } else {
        rival_says(2, 1);
    }
    ck_assert_uint_eq(term_now(), 0);
    puppet_forget(ctn.kmc[1]);
    struct wire_route route = ctn_request(1, 4, 1);
    PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &route);
    pump_run(ctn.pump, qkd_span_s(2));
    ck_assert_uint_eq(puppet_count(ctn.kmc[1], 0), 0); /* nothing at all */
}
END_TEST

/* It begins again above all that it knows of, and asks all KMs anew. */
START_TEST(it_comes_back_in_a_new_term)
{
    network_make(true);
    rival_says(6, 1);
    ck_assert_uint_eq(term_now(), 0);
    rival_says(6, 0); /* that one has fallen, and is back */
    ck_assert_uint_eq(term_now(), 7);
    ck_assert_uint_eq(status_term(4), 7);
    ctn_status_all(ctn_diamond, CTN_DIAMOND_LINKS);
    CTN_EXPECT_ROUTE(ctn_ask(1, 4, 1), 1, 4);
}
END_TEST

START_TEST(no_term_twice_over_a_restart)
{
    network_make(true);
    ck_assert_uint_eq(term_now(), 1);
    pump_crash(ctn.pump, CTN_CONTROLLER);
    ctl_free(ctn.ctl);
    controller_make(true);
    pump_run(ctn.pump, qkd_span_ms(100));
    ck_assert_uint_eq(pump_report_count(ctn.pump, QKD_REPORT_TERM, CTN_CONTROLLER), 1);
    puppet_open(ctn.other, QKD_RP_CX, CTN_CONTROLLER);
    pump_run(ctn.pump, qkd_span_s(1));
    rival_says(1, 0);
    ck_assert_uint_eq(term_now(), 3);
    ck_assert_uint_eq(term_kept(), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_term");
    TCase *tests = tcase_create("terms");
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, the_first_begins_at_once);
    tcase_add_test(tests, the_standby_waits);
    tcase_add_test(tests, a_majority_calls_it);
    tcase_add_test(tests, votes_do_not_last);
    tcase_add_loop_test(tests, a_higher_term_ends_it, 0, 2);
    tcase_add_test(tests, it_comes_back_in_a_new_term);
    tcase_add_test(tests, no_term_twice_over_a_restart);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
