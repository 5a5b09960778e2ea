/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom of two controllers a KM follows: docs/protocol.md, "A standby controller". One KMC against a
 * scripted KMA and two scripted controllers. */
#include <check.h>
#include <stdlib.h>

#include "core/km/kmc.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(kmc)

enum { NODE = 7, PERIOD_MS = 1000 };

static const struct qkd_eid kmc_eid = {(uint64_t)QKD_ROLE_KMC << 56 | NODE};
static const struct qkd_eid kma_eid = {(uint64_t)QKD_ROLE_KMA << 56 | NODE};
static const struct qkd_eid far_eid = {(uint64_t)QKD_ROLE_KMA << 56 | 9};
static const struct qkd_eid first_eid = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90};
static const struct qkd_eid second_eid = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 91};

static struct pump *pump;
static struct km_config config;
static struct kmc *kmc;
static struct puppet *kma, *first, *second;

static void kmc_make(void)
{
    ck_assert_int_eq(kmc_new(&config, &kmc), 0);
    pump_add(
        pump, kmc_eid,
        (struct pump_element){.self = kmc, .step = pump_kmc_step, .deadline = pump_kmc_deadline});
    pump_start(pump, kmc_eid);
    puppet_open(kma, QKD_RP_KMI, kmc_eid);
    puppet_open(first, QKD_RP_CK, kmc_eid);
    puppet_open(second, QKD_RP_CK, kmc_eid);
    pump_run(pump, qkd_span_ms(300));
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    config = (struct km_config){.node = NODE,
                                .parts = KM_ALL,
                                .name = "km7",
                                .community = "test",
                                .controller = first_eid,
                                .standby = second_eid,
                                .retransmit = qkd_span_ms(200),
                                .retries = 5,
                                .unit_bits = 256,
                                .status_period = qkd_span_ms(PERIOD_MS),
                                .request_limit = 4,
                                .link_limit = 4};
    kma = puppet_new(pump, kma_eid);
    first = puppet_new(pump, first_eid);
    second = puppet_new(pump, second_eid);
    kmc_make();
}

static void teardown(void)
{
    puppet_free(kma);
    puppet_free(first);
    puppet_free(second);
    kmc_free(kmc);
    pump_free(pump);
}

/* STATUS of a term; whether it was obeyed. */
static bool commands(struct puppet *controller, uint64_t term)
{
    size_t before = puppet_count(controller, WIRE_CMD_STATUS_RSP);
    struct wire_status status = {.table = WIRE_STATUS_KEY_AMOUNT,
                                 .has_term = term > 0,
                                 .term = term};
    PUPPET_SEND(controller, status, QKD_RP_CK, kmc_eid, &status);
    pump_run(pump, qkd_span_ms(10));
    return puppet_count(controller, WIRE_CMD_STATUS_RSP) > before;
}

/* ROUTE_TABLE of a term; whether the KMA was told, which must be when it is acknowledged. */
static bool pushes(struct puppet *controller, uint64_t term)
{
    size_t told = puppet_count(kma, WIRE_CMD_ROUTE_TABLE);
    size_t acks = puppet_count(controller, WIRE_CMD_ROUTE_TABLE_ACK);
    struct wire_route_table table = {.validity_ms = 1000, .has_term = term > 0, .term = term};
    PUPPET_SEND(controller, route_table, QKD_RP_CK, kmc_eid, &table);
    pump_run(pump, qkd_span_ms(10));
    bool is_told = puppet_count(kma, WIRE_CMD_ROUTE_TABLE) > told;
    ck_assert_int_eq(is_told, puppet_count(controller, WIRE_CMD_ROUTE_TABLE_ACK) > acks);
    return is_told;
}

static struct wire_term last_term(const struct puppet *controller)
{
    struct wire_term term = {0};
    size_t count = puppet_count(controller, WIRE_CMD_TERM);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(controller, WIRE_CMD_TERM, count - 1);
    ck_assert_int_eq(wire_term_decode(&term, m->bytes.at, m->bytes.len), 0);
    return term;
}

START_TEST(highest_term_is_obeyed_others_are_told)
{
    ck_assert(commands(first, 1));
    ck_assert(pushes(first, 1));
    ck_assert(commands(second, 2));
    ck_assert(pushes(second, 2));
    ck_assert(!pushes(first, 1));
    ck_assert(!commands(first, 1));
    ck_assert(!pushes(first, 2)); /* nor two in the same term */
    ck_assert_uint_eq(last_term(first).term, 2);
    ck_assert_uint_eq(last_term(first).active, 1);
    ck_assert(!pushes(second, 0)); /* nor what has none */
    ck_assert(pushes(second, 2));
    ck_assert(pushes(first, 3));
    ck_assert(!pushes(second, 2));
    ck_assert_uint_eq(last_term(second).term, 3);
}
END_TEST

START_TEST(it_is_not_forgotten)
{
    ck_assert(commands(first, 1));
    ck_assert(commands(second, 4));
    pump_crash(pump, kmc_eid);
    kmc_free(kmc);
    kmc_make();
    ck_assert(!commands(first, 3));
    ck_assert(!pushes(first, 3));
    ck_assert(commands(second, 4));
    ck_assert(pushes(second, 4));
}
END_TEST

START_TEST(questions_go_to_who_takes_over)
{
    ck_assert(commands(first, 1));
    struct wire_route route = {.source_id = kma_eid,
                               .destination_id = far_eid,
                               .key_amount = 1,
                               .key_size = 256,
                               .batch = 1};
    PUPPET_SEND(kma, route, QKD_RP_KMI, kmc_eid, &route);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(first, WIRE_CMD_ROUTE), 1);
    ck_assert_uint_eq(puppet_count(second, WIRE_CMD_ROUTE), 0);
    ck_assert(commands(second, 2));
    ck_assert_uint_eq(puppet_count(second, WIRE_CMD_ROUTE), 1);
    uint64_t asked = puppet_get(second, WIRE_CMD_ROUTE, 0)->head.message_id;
    struct wire_route_rsp rsp = {.head.orig_message_id = asked,
                                 .source_id = kma_eid,
                                 .destination_id = far_eid,
                                 .has_reason = true,
                                 .reason = WIRE_REASON_NO_ROUTE,
                                 .code = WIRE_FAILURE,
                                 .has_term = true,
                                 .term = 1};
    PUPPET_SEND(first, route_rsp, QKD_RP_CK, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 0); /* it was overtaken */
    rsp.head.message_id = 0;
    rsp.term = 2;
    PUPPET_SEND(second, route_rsp, QKD_RP_CK, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
}
END_TEST

/* Both are told that nobody is heard, after three periods of silence and at the next tick. */
START_TEST(silence_is_told_to_both)
{
    ck_assert(commands(first, 1));
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_uint_eq(last_term(second).active, 1);
    ck_assert_uint_eq(last_term(second).term, 1);
    ck_assert_uint_eq(puppet_count(first, WIRE_CMD_TERM), 0);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_uint_eq(last_term(second).active, 0);
    ck_assert_uint_eq(last_term(first).active, 0);
    struct wire_term beat = {.term = 1, .active = 1};
    PUPPET_SEND(first, term, QKD_RP_CK, kmc_eid, &beat);
    pump_run(pump, qkd_span_ms(PERIOD_MS));
    ck_assert_uint_eq(last_term(second).active, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kmc_term");
    TCase *tests = tcase_create("terms");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, highest_term_is_obeyed_others_are_told);
    tcase_add_test(tests, it_is_not_forgotten);
    tcase_add_test(tests, questions_go_to_who_takes_over);
    tcase_add_test(tests, silence_is_told_to_both);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
