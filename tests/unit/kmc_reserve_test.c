/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reservations that a KMC keeps for its KSA, against a scripted KSA and controller (docs/protocol.md, "Sessions
 * with a guaranteed rate"). */
#include <check.h>
#include <stdlib.h>

#include "core/km/kmc.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(kmc)

enum { NODE = 7, PERIOD_MS = 10000, RETRANSMIT_MS = 200 };

static const struct qkd_eid kmc_eid = {(uint64_t)QKD_ROLE_KMC << 56 | NODE};
static const struct qkd_eid kma_eid = {(uint64_t)QKD_ROLE_KMA << 56 | NODE};
static const struct qkd_eid ksa_eid = {(uint64_t)QKD_ROLE_KSA << 56 | NODE};
static const struct qkd_eid far_eid = {(uint64_t)QKD_ROLE_KMA << 56 | 9};
static const struct qkd_eid controller_eid = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90};

static struct pump *pump;
static struct km_config config;
static struct kmc *kmc;
static struct puppet *ksa, *controller;

static void run(int64_t ms)
{
    pump_run(pump, qkd_span_ms(ms));
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    config = (struct km_config){.node = NODE,
                                .parts = KM_ALL,
                                .name = "km7",
                                .community = "test",
                                .controller = controller_eid,
                                .retransmit = qkd_span_ms(RETRANSMIT_MS),
                                .retries = 5,
                                .status_period = qkd_span_ms(PERIOD_MS),
                                .request_limit = 2,
                                .link_limit = 4};
    ksa = puppet_new(pump, ksa_eid);
    controller = puppet_new(pump, controller_eid);
    ck_assert_int_eq(kmc_new(&config, &kmc), 0);
    pump_add(
        pump, kmc_eid,
        (struct pump_element){.self = kmc, .step = pump_kmc_step, .deadline = pump_kmc_deadline});
    pump_start(pump, kmc_eid);
    puppet_open(ksa, QKD_RP_KMI, kmc_eid);
    run(100);
}

static void teardown(void)
{
    puppet_free(ksa);
    puppet_free(controller);
    kmc_free(kmc);
    pump_free(pump);
}

static void ask(uint64_t session)
{
    struct wire_reserve message = {.source_id = kma_eid,
                                   .destination_id = far_eid,
                                   .session_id = session,
                                   .key_size = 256,
                                   .key_amount = 4,
                                   .batch = 2,
                                   .rate_bps = 5000};
    PUPPET_SEND(ksa, reserve, QKD_RP_KMI, kmc_eid, &message);
    run(10);
}

static void give_up(uint64_t session)
{
    struct wire_release message = {.session_id = session};
    PUPPET_SEND(ksa, release, QKD_RP_KMI, kmc_eid, &message);
    run(10);
}

static struct wire_reserve asked(size_t n)
{
    struct wire_reserve message;
    const struct puppet_message *m = puppet_get(controller, WIRE_CMD_RESERVE, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_reserve_decode(&message, m->bytes.at, m->bytes.len), 0);
    return message;
}

static void answer(uint64_t session, uint8_t reason)
{
    struct wire_reserve_rsp rsp = {.source_id = kma_eid,
                                   .destination_id = far_eid,
                                   .session_id = session,
                                   .has_reason = reason != 0,
                                   .reason = reason,
                                   .code = reason != 0 ? WIRE_FAILURE : WIRE_SUCCESS};
    PUPPET_SEND(controller, reserve_rsp, QKD_RP_CK, kmc_eid, &rsp);
    run(10);
}

static void release_answer(uint64_t session, uint64_t orig)
{
    struct wire_release_rsp rsp = {.head.orig_message_id = orig,
                                   .session_id = session,
                                   .code = WIRE_SUCCESS};
    PUPPET_SEND(controller, release_rsp, QKD_RP_CK, kmc_eid, &rsp);
    run(10);
}

/* The KSA's n-th answer: reason, or NONE. */
static unsigned told(size_t n)
{
    struct wire_reserve_rsp rsp;
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_RESERVE_RSP), n + 1);
    const struct puppet_message *m = puppet_get(ksa, WIRE_CMD_RESERVE_RSP, n);
    ck_assert_int_eq(wire_reserve_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.code == WIRE_SUCCESS, rsp.reason == 0);
    return rsp.reason;
}

static size_t count(uint8_t command)
{
    return puppet_count(controller, command);
}

START_TEST(passed_on_and_answered_once)
{
    ask(1);
    ask(1); /* under way: not passed on again */
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 1);
    struct wire_reserve message = asked(0);
    ck_assert(qkd_eid_eq(message.source_id, kma_eid) &&
              qkd_eid_eq(message.destination_id, far_eid));
    ck_assert_uint_eq(message.session_id, 1);
    ck_assert_uint_eq(message.key_size, 256);
    ck_assert_uint_eq(message.key_amount, 4);
    ck_assert_uint_eq(message.batch, 2);
    ck_assert_uint_eq(message.rate_bps, 5000);
    ck_assert_uint_eq(message.renew, 0);
    answer(1, 0);
    answer(1, 0);
    ck_assert_uint_eq(told(0), WIRE_REASON_NONE);
    ask(1); /* held: answered at once */
    ck_assert_uint_eq(told(1), WIRE_REASON_NONE);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 1);
    ask(2);
    answer(2, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(told(2), WIRE_REASON_NO_CAPACITY);
    answer(3, 0); /* of nobody's */
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 0);
}
END_TEST

/* The KMA has no say in sessions, and there is no room for a third. */
START_TEST(limits)
{
    ask(1);
    ask(2);
    ask(3);
    ck_assert_uint_eq(told(0), WIRE_REASON_OVERLOAD);
    struct puppet *kma = puppet_new(pump, kma_eid);
    struct wire_release message = {.session_id = 1};
    puppet_open(kma, QKD_RP_KMI, kmc_eid);
    run(100);
    PUPPET_SEND(kma, release, QKD_RP_KMI, kmc_eid, &message);
    run(10);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 0);
    puppet_free(kma);
}
END_TEST

START_TEST(no_answer)
{
    pump_cut(pump, kmc_eid, controller_eid, true);
    ask(1);
    run(2900); /* 200 + 400 + 800 + 1600 */
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_RESERVE_RSP), 0);
    run(200);
    ck_assert_uint_eq(told(0), WIRE_REASON_UNREACHABLE);
    /* it may be held all the same: released as soon as can be */
    pump_cut(pump, kmc_eid, controller_eid, false);
    run(1000);
    ck_assert_uint_ge(count(WIRE_CMD_RELEASE), 1);
    release_answer(1, 5);
    size_t sent = count(WIRE_CMD_RELEASE);
    run(10000);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), sent);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 0);
}
END_TEST

START_TEST(renewed_every_third_period)
{
    ask(1);
    answer(1, 0);
    run(3 * PERIOD_MS - 100);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 1);
    run(200);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 2);
    ck_assert_uint_eq(asked(1).renew, 1);
    ck_assert_uint_eq(asked(1).session_id, 1);
    ck_assert_uint_eq(asked(1).rate_bps, 5000);
    answer(1, 0);
    run(3 * PERIOD_MS - 200); /* no answer from here on: it stands, and is asked for again */
    run(2 * 3 * PERIOD_MS);
    ck_assert_uint_ge(count(WIRE_CMD_RESERVE), 2 + 4 + 4);
    ck_assert_uint_eq(told(0), WIRE_REASON_NONE);
    answer(1, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(told(1), WIRE_REASON_NO_CAPACITY);
    size_t sent = count(WIRE_CMD_RESERVE);
    run(4 * PERIOD_MS);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), sent);
}
END_TEST

START_TEST(released_until_it_is_known)
{
    ask(1);
    answer(1, 0);
    give_up(1);
    give_up(1);
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_RELEASE_RSP), 2);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
    run(500);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 2);
    answer(1, 0); /* of an earlier RESERVE */
    release_answer(1, 7);
    run(10000);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 2);
    ck_assert_uint_eq(told(0), WIRE_REASON_NONE);
    give_up(8); /* never heard of: that is well */
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_RELEASE_RSP), 3);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 2);
}
END_TEST

START_TEST(ended_by_the_controller)
{
    ask(1);
    answer(1, 0);
    release_answer(1, 0);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 2);
    ck_assert_uint_eq(asked(1).renew, 1);
    answer(1, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(told(1), WIRE_REASON_NO_CAPACITY);
}
END_TEST

START_TEST(ksa_restarts)
{
    ask(1);
    answer(1, 0);
    puppet_open(ksa, QKD_RP_KMI, kmc_eid); /* the same one: a new channel ends nothing */
    run(100);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 0);
    pump_crash(pump, ksa_eid);
    puppet_free(ksa);
    ksa = puppet_new(pump, ksa_eid);
    puppet_open(ksa, QKD_RP_KMI, kmc_eid);
    run(100);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
}
END_TEST

START_TEST(controller_restarts)
{
    ask(1);
    answer(1, 0);
    pump_crash(pump, controller_eid);
    puppet_free(controller);
    controller = puppet_new(pump, controller_eid);
    puppet_open(controller, QKD_RP_CK, kmc_eid);
    run(100);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 1);
    ck_assert_uint_eq(asked(0).renew, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("KMC reservations");
    TCase *tc = tcase_create("KMC reservations");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, passed_on_and_answered_once);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, no_answer);
    tcase_add_test(tc, renewed_every_third_period);
    tcase_add_test(tc, released_until_it_is_known);
    tcase_add_test(tc, ended_by_the_controller);
    tcase_add_test(tc, ksa_restarts);
    tcase_add_test(tc, controller_restarts);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
