/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key managers, modules, controller, manager and applications in the pump: a key request end to end
 * (FG QIT4N D2.3 clauses 7.1.3 ... 7.1.5), neighbours' pool units, loss, restart of a hop. Topology:
 * a line of three nodes unless a test says otherwise. Each test runs with the key manager in one
 * process (_i = 0) and in two (_i = 1): D23-KR-01. */
#include <check.h>
#include <stdlib.h>

#include "core/wire/codec.h"
#include "tests/lib/kmnet.h"

static struct kmn *net;

static void begin(struct kmn_config config, int two, uint32_t blocks)
{
    config.two = two != 0;
    net = kmn_new(&config);
    kmn_settle(net, blocks);
}

static void end(void)
{
    kmn_free(net);
    net = NULL;
}

static void ask_every(int count, int64_t ms)
{
    for (int i = 0; i < count; i++) {
        kmn_ask(net, 0, 1);
        kmn_run(net, ms);
    }
}

/* The most that a KMA reported as stored on a link. */
static uint64_t stored_bits(void)
{
    uint64_t most = 0;
    size_t all = pump_report_count(net->pump, QKD_REPORT_POOL, QKD_NOBODY);
    for (size_t i = 0; i < all; i++) {
        uint64_t bits = pump_report(net->pump, QKD_REPORT_POOL, QKD_NOBODY, i)->d;
        most = bits > most ? bits : most;
    }
    return most;
}

START_TEST(end_to_end)
{
    begin(kmn_line(3), _i, 1);
    ask_every(10, 1000);
    kmn_run(net, 3000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 10);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY), 10);
    end();
}
END_TEST

START_TEST(with_loss)
{
    struct kmn_config config = kmn_line(3);
    config.loss_percent = 5;
    begin(config, _i, 1);
    ask_every(50, 1000);
    kmn_run(net, 10000);
    ck_assert_uint_ge(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 48);
    end();
}
END_TEST

START_TEST(hop_restarts)
{
    begin(kmn_line(3), _i, 1);
    ask_every(10, 100);
    kmn_restart(net, 1);
    ask_every(10, 100);
    kmn_run(net, 10000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 20);
    end();
}
END_TEST

/* Rule 2: a key manager that has been started 4,096 times more begins its blocks with numbers that older blocks of
 * its store still bear. Those are left out: old and new key is all of use. */
START_TEST(numbers_come_round)
{
    struct kmn_config config = kmn_line(3);
    config.block_bytes = 20000;
    begin(config, _i, 2);
    pump_age(net->pump, 4095);
    kmn_restart(net, 0);
    kmn_restart(net, 1);
    kmn_run(net, 1000);
    kmn_settle(net, 4);
    ck_assert_uint_gt(stored_bits(), 8 * 20000 * 3);
    for (int i = 0; i < 60; i++) { /* 1,488 bits a hop and key: two thirds of all there is */
        kmn_ask(net, 0, 5);
        kmn_run(net, 100);
    }
    kmn_run(net, 5000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 60);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY), 300);
    end();
}
END_TEST

/* D23-RP-04: Ak works without any key relay. Two neighbours, no controller that could give a route. */
START_TEST(neighbours_without_relay)
{
    struct kmn_config config = kmn_line(2);
    config.no_controller = true;
    begin(config, _i, 1);
    ask_every(10, 500);
    kmn_run(net, 3000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 10);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY), 10);
    ck_assert_uint_eq(pump_sent(net->pump, QKD_RP_CK), 0);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_ROUTE, QKD_NOBODY), 0);
    end();
}
END_TEST

/* D23-RP-03, RP-05: other modules, the same key managers: key files that carry bits, of lengths that
 * differ from link to link and are no multiples of the unit. */
START_TEST(other_modules)
{
    struct kmn_config config = kmn_line(3);
    config.key_bits = true;
    config.block_bytes = 7001;
    config.block_step = 1234;
    begin(config, _i, 3);
    ask_every(10, 200);
    kmn_run(net, 3000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 10);
    end();
}
END_TEST

/* D23-KR-02, KR-06: a star of four arms, one application from the hub to each of two leaves (point to
 * multipoint), two from leaf to leaf over it. All at once. */
START_TEST(star)
{
    struct kmn_config config = {.nodes = 5,
                                .links = 4,
                                .apps = 4,
                                .ends = {{0, 1}, {0, 2}, {3, 0}, {4, 0}},
                                .app_ends = {{0, 1}, {0, 2}, {1, 3}, {4, 2}}};
    begin(config, _i, 2);
    for (int i = 0; i < 5; i++) {
        for (uint32_t app = 0; app < config.apps; app++) {
            kmn_ask(net, app, 2);
        }
        kmn_run(net, 300);
    }
    kmn_run(net, 5000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 20);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY), 40);
    end();
}
END_TEST

/* D23-OP-03, OP-04, rule 1: a store with room for little more than one block. The modules keep their
 * next files until room returns, and one-way traffic uses up both halves of what there is. */
START_TEST(full_store_pauses_and_goes_on)
{
    struct kmn_config config = kmn_line(3);
    config.block_bytes = 20000;
    config.store_bits = 8 * 25000;
    begin(config, _i, 3);
    ck_assert_uint_le(stored_bits(), 8 * 25000);
    for (int i = 0; i < 40; i++) {
        kmn_ask(net, 0, 5);
        kmn_run(net, 1000);
    }
    ck_assert_uint_le(stored_bits(), 8 * 25000);
    kmn_run(net, 5000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 40);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY), 200);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("km_line");
    TCase *tc = tcase_create("line");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, end_to_end, 0, 2);
    tcase_add_loop_test(tc, with_loss, 0, 2);
    tcase_add_loop_test(tc, hop_restarts, 0, 2);
    tcase_add_loop_test(tc, numbers_come_round, 0, 2);
    tcase_add_loop_test(tc, neighbours_without_relay, 0, 2);
    tcase_add_loop_test(tc, other_modules, 0, 2);
    tcase_add_loop_test(tc, star, 0, 2);
    tcase_add_loop_test(tc, full_store_pauses_and_goes_on, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
