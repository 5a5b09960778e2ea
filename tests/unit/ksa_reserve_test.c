/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with a guaranteed rate at a KSA, against a scripted application and KMC (tests/lib/ksa_net.h;
 * docs/protocol.md, "Sessions with a guaranteed rate"). */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/ksa_net.h"

enum { LIFE_MS = 6000 };

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 1);
    ksn_start(&net);
}

static void teardown(void)
{
    ksn_free(&net);
}

static struct wire_session_open opening(uint64_t session)
{
    return (struct wire_session_open){.source_id = NET_MASTER,
                                      .target_id = NET_SLAVE,
                                      .session_id = session,
                                      .key_size = 256,
                                      .key_amount = 2,
                                      .rate_bps = 1000,
                                      .timeout_ms = LIFE_MS};
}

static void open_as(struct puppet *app, struct wire_session_open message)
{
    PUPPET_SEND(app, session_open, QKD_RP_AK, NET_KSA(NET_A), &message);
    ksn_run(&net, 10);
}

static void session_open(uint64_t session)
{
    open_as(net.master, opening(session));
}

static void session_close(uint64_t session)
{
    struct wire_session_close message = {.source_id = NET_MASTER,
                                         .target_id = NET_SLAVE,
                                         .session_id = session};
    PUPPET_SEND(net.master, session_close, QKD_RP_AK, NET_KSA(NET_A), &message);
    ksn_run(&net, 10);
}

static size_t answers(const struct puppet *app)
{
    return puppet_count(app, WIRE_CMD_SESSION_OPEN_RSP);
}

/* The newest answer: reason, or NONE. */
static unsigned answered(const struct puppet *app, uint64_t session)
{
    struct wire_session_open_rsp rsp;
    ck_assert_uint_gt(answers(app), 0);
    const struct puppet_message *m = puppet_get(app, WIRE_CMD_SESSION_OPEN_RSP, answers(app) - 1);
    ck_assert_int_eq(wire_session_open_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.session_id, session);
    ck_assert_uint_eq(rsp.code, rsp.has_reason ? WIRE_INSUFFICIENT : WIRE_SUCCESS);
    return rsp.reason;
}

static size_t count(uint8_t command)
{
    return puppet_count(net.kmc[0], command);
}

static struct wire_reserve reserved(size_t n)
{
    struct wire_reserve message;
    const struct puppet_message *m = puppet_get(net.kmc[0], WIRE_CMD_RESERVE, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_reserve_decode(&message, m->bytes.at, m->bytes.len), 0);
    return message;
}

static void kmc_says(uint64_t number, uint8_t reason)
{
    struct wire_reserve_rsp rsp = {.source_id = NET_KMA(NET_A),
                                   .destination_id = NET_KMA(NET_B),
                                   .session_id = number,
                                   .has_reason = reason != 0,
                                   .reason = reason,
                                   .code = reason != 0 ? WIRE_FAILURE : WIRE_SUCCESS};
    PUPPET_SEND(net.kmc[0], reserve_rsp, QKD_RP_KMI, NET_KSA(NET_A), &rsp);
    ksn_run(&net, 10);
}

static void kmc_has_released(void)
{
    struct wire_release message;
    const struct puppet_message *m = puppet_get(net.kmc[0], WIRE_CMD_RELEASE,
                                                count(WIRE_CMD_RELEASE) - 1);
    ck_assert_int_eq(wire_release_decode(&message, m->bytes.at, m->bytes.len), 0);
    struct wire_release_rsp rsp = {.head.orig_message_id = message.head.message_id,
                                   .session_id = message.session_id,
                                   .code = WIRE_SUCCESS};
    PUPPET_SEND(net.kmc[0], release_rsp, QKD_RP_KMI, NET_KSA(NET_A), &rsp);
    ksn_run(&net, 10);
}

/* Opens a session that is admitted. */
static void admitted(uint64_t session)
{
    session_open(session);
    kmc_says(reserved(count(WIRE_CMD_RESERVE) - 1).session_id, 0);
    ck_assert_uint_eq(answered(net.master, session), WIRE_REASON_NONE);
}

START_TEST(opened_and_closed)
{
    session_open(5);
    ck_assert_uint_eq(answers(net.master), 0);
    struct wire_reserve message = reserved(0);
    ck_assert(qkd_eid_eq(message.source_id, NET_KMA(NET_A)));
    ck_assert(qkd_eid_eq(message.destination_id, NET_KMA(NET_B)));
    ck_assert_uint_eq(message.key_size, 256);
    ck_assert_uint_eq(message.key_amount, 2);
    ck_assert_uint_eq(message.batch, net.config[0].batch);
    ck_assert_uint_eq(message.rate_bps, 1000);
    ck_assert_uint_eq(message.renew, 0);
    kmc_says(message.session_id, 0);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_NONE);
    session_close(5);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_SESSION_CLOSE_RSP), 1);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
    kmc_has_released();
    ksn_run(&net, 20000);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
    session_close(5); /* said again: closed is closed */
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_SESSION_CLOSE_RSP), 2);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
    /* the same ID may be used again: for the KMC it is another session */
    session_open(5);
    ck_assert_uint_ne(reserved(count(WIRE_CMD_RESERVE) - 1).session_id, message.session_id);
}
END_TEST

START_TEST(refused)
{
    session_open(5);
    kmc_says(reserved(0).session_id, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_NO_CAPACITY);
    ksn_run(&net, 20000);
    ck_assert_uint_eq(answers(net.master), 1);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 0);
}
END_TEST

START_TEST(checks)
{
    struct wire_session_open bad = opening(1);
    bad.rate_bps = 0;
    open_as(net.master, bad);
    ck_assert_uint_eq(answered(net.master, 1), WIRE_REASON_BAD_REQUEST);
    bad = opening(2);
    bad.key_size = 8;
    open_as(net.master, bad);
    ck_assert_uint_eq(answered(net.master, 2), WIRE_REASON_BAD_REQUEST);
    bad = opening(3);
    bad.timeout_ms = 999;
    open_as(net.master, bad);
    ck_assert_uint_eq(answered(net.master, 3), WIRE_REASON_BAD_REQUEST);
    bad = opening(4);
    bad.target_id = NET_OTHER_SLAVE;
    open_as(net.master, bad);
    ck_assert_uint_eq(answered(net.master, 4), WIRE_REASON_UNAUTHORIZED);
    bad = opening(5);
    bad.target_id = qkd_eid_make(QKD_ROLE_APP, 77, NET_B);
    open_as(net.master, bad);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_UNKNOWN_APPLICATION);
    open_as(net.unlisted, opening(6));
    ck_assert_uint_eq(answered(net.unlisted, 6), WIRE_REASON_UNAUTHORIZED);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 0);
}
END_TEST

START_TEST(kept_by_saying_so)
{
    admitted(5);
    for (int i = 0; i < 5; i++) {
        ksn_run(&net, LIFE_MS - 1000);
        session_open(5);
        ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_NONE);
    }
    ck_assert_uint_eq(answers(net.master), 6);
    ck_assert_uint_eq(count(WIRE_CMD_RESERVE), 1);
    ksn_run(&net, LIFE_MS);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_EXPIRED);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
    ksn_run(&net, 5000); /* until the KMC has it */
    ck_assert_uint_ge(count(WIRE_CMD_RELEASE), 3);
    kmc_has_released();
    size_t sent = count(WIRE_CMD_RELEASE);
    ksn_run(&net, 20000);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), sent);
}
END_TEST

START_TEST(ended_from_above)
{
    admitted(5);
    kmc_says(reserved(0).session_id, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_NO_CAPACITY);
    ksn_run(&net, 20000);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 0);
    ck_assert_uint_eq(answers(net.master), 2);
}
END_TEST

START_TEST(no_answer_of_the_kmc)
{
    session_open(5);
    ksn_run(&net, 30000);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_UNREACHABLE);
    ck_assert_uint_eq(answers(net.master), 1);
    ck_assert_uint_ge(count(WIRE_CMD_RESERVE), 2);
    ck_assert_uint_ge(count(WIRE_CMD_RELEASE), 1);
    for (size_t i = 1; i < count(WIRE_CMD_RESERVE); i++) {
        ck_assert_uint_eq(reserved(i).session_id, reserved(0).session_id);
    }
}
END_TEST

/* Keys within a session only while it is open, and only with its partner. */
START_TEST(keys_within_a_session)
{
    struct wire_key_supply command = ksn_command(&net, 1, 256, 5);
    command.has_reserved = true;
    command.reserved = 1;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_NO_SESSION);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 0);
    admitted(5);
    command.head.message_id = 0;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 1);
    session_close(5);
    command.head.message_id = 0;
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_NO_SESSION);
}
END_TEST

START_TEST(application_restarts)
{
    admitted(5);
    puppet_open(net.master, QKD_RP_AK, NET_KSA(NET_A)); /* a new channel alone ends nothing */
    ksn_run(&net, 100);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 0);
    pump_crash(net.p, NET_MASTER);
    puppet_free(net.master);
    net.master = puppet_new(net.p, NET_MASTER);
    puppet_open(net.master, QKD_RP_AK, NET_KSA(NET_A));
    ksn_run(&net, 50);
    ck_assert_uint_eq(count(WIRE_CMD_RELEASE), 1);
    kmc_has_released();
    ck_assert_uint_eq(answers(net.master), 0);
}
END_TEST

START_TEST(kmc_restarts)
{
    admitted(5);
    pump_crash(net.p, NET_KMC(NET_A));
    puppet_free(net.kmc[0]);
    net.kmc[0] = puppet_new(net.p, NET_KMC(NET_A));
    puppet_open(net.kmc[0], QKD_RP_KMI, NET_KSA(NET_A));
    ksn_run(&net, 100);
    ck_assert_uint_ge(count(WIRE_CMD_RESERVE), 1);
    ck_assert_uint_eq(reserved(0).renew, 1);
    kmc_says(reserved(0).session_id, 0);
    ck_assert_uint_eq(answers(net.master), 1); /* it has noticed nothing */
    session_open(5);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_NONE);
    ksn_run(&net, LIFE_MS + 1000);
    ck_assert_uint_eq(answered(net.master, 5), WIRE_REASON_EXPIRED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("KSA sessions");
    TCase *tc = tcase_create("KSA sessions");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, opened_and_closed);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, checks);
    tcase_add_test(tc, kept_by_saying_so);
    tcase_add_test(tc, ended_from_above);
    tcase_add_test(tc, no_answer_of_the_kmc);
    tcase_add_test(tc, keys_within_a_session);
    tcase_add_test(tc, application_restarts);
    tcase_add_test(tc, kmc_restarts);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
