/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The quota of requests (X.1712 O-A1, docs/scenario.md "security"): 4 in a second are taken, 4 more refused with
 * over_rate, and then nothing of the application is opened until the second is over; a request that comes again in
 * the same bytes is no new one. */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/ksa_net.h"

enum { QUOTA = 4 };

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 7);
    net.config[0].app_requests = QUOTA;
    net.config[0].guard =
        (struct qkd_guard_config){.bad_most = 32, .quarantine = {10 * QKD_NS_PER_S}, .checks = 64};
    ksn_start(&net);
    ksn_run(&net, 1500); /* the first second that is counted begins with the first request */
}

static void teardown(void)
{
    ksn_free(&net);
}

static size_t needs(void)
{
    return puppet_count(net.kma[0], WIRE_CMD_KMI_NEED);
}

static size_t answers(void)
{
    return puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP);
}

START_TEST(a_flood_costs_two_quotas)
{
    for (uint64_t i = 0; i < 30; i++) {
        (void)ksn_ask(&net, 1, 256, 5 + i);
        ksn_run(&net, 1);
    }
    ck_assert_uint_eq(needs(), QUOTA);
    ck_assert_uint_eq(answers(), QUOTA); /* refused; the others are under way */
    struct wire_key_supply_rsp last = ksn_answer(net.master);
    ck_assert_uint_eq(last.reason, WIRE_REASON_OVER_RATE);
    ksn_run(&net, 1100);
    (void)ksn_ask(&net, 1, 256, 500);
    ksn_run(&net, 10);
    ck_assert_uint_eq(needs(), QUOTA + 1);
}
END_TEST

START_TEST(repetitions_are_no_new_requests)
{
    struct wire_key_supply command = ksn_command(&net, 1, 256, 5);
    for (int i = 0; i < 3 * QUOTA; i++) {
        PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
        ksn_run(&net, 1);
    }
    ck_assert_uint_eq(answers(), 0); /* none is refused: it is under way */
    (void)ksn_ask(&net, 1, 256, 6);
    ksn_run(&net, 5);
    ck_assert_uint_eq(answers(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ksa_quota");
    TCase *tests = tcase_create("ksa_quota");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_flood_costs_two_quotas);
    tcase_add_test(tests, repetitions_are_no_new_requests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
