/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key that can pay no key any more, and alarms about key (docs/protocol.md, "The key of a link"; architecture.md).
 * A frame's pad lies within one chunk: a RELAY of one 256-bit key takes 186 byte of a chunk (1,488 bit), a TAKE
 * 80. What is over is stored, but nobody may count on it. */
#include "tests/sim/world_lib.h"

static struct lib_run run;

/* Blocks of 2 kbit give each end chunks of 125 byte: none carries a RELAY. Over AB would lie the route with more
 * key; once A knows how long its frames are, it tells the controller what there is, and the keys go over C.
 * (Before tails were told apart AB seemed to have megabits: 120 refusals at its pool, as many waits for GRANTs,
 * and 8 requests of 290 refused.) */
START_TEST(tails_lead_no_route)
{
    lib_run_text(&run, "scenario: tails\n"
                       "duration: 5 min\n"
                       "network:\n"
                       "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
                       "  links:\n"
                       "  - {id: AB, ends: [A, B], qkd: {rate: 20 kbit/s, block: 2 kbit}}\n"
                       "  - {id: BD, ends: [B, D], qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
                       "  - {id: AC, ends: [A, C], qkd: {rate: 8 kbit/s, block: 20 kbit}}\n"
                       "  - {id: CD, ends: [C, D], qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
                       "control: {low_mark: 8 kbit}\n"
                       "applications:\n"
                       "  - {id: a, from: A, to: D, rate: 1 /s, start: 30 s}\n");
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    ck_assert_uint_le(run.summary.relay.reroutes, 1);
    ck_assert_uint_le(run.summary.links[0].exhaustions, 1);
    /* A counts nothing there, B what a TAKE could use: 80 of each 125 byte of about half of what is stored. */
    double told = (double)run.summary.links[0].pool_end_bits /
                  (double)run.summary.links[0].bits.stored;
    ck_assert_double_eq_tol(told, 0.32, 0.03);
    lib_end(&run);
}
END_TEST

/* Each block, one in 2 s, is used up at once, and then requests are refused until the next one: pool_low stands
 * and does not swing. When nobody asks any more it is cleared, once, after three status periods. */
START_TEST(pool_low_does_not_swing)
{
    lib_run_text(&run, "scenario: swing\n"
                       "duration: 5 min\n"
                       "network:\n"
                       "  nodes: [{id: A}, {id: B}]\n"
                       "  links:\n"
                       "  - {id: AB, ends: [A, B], qkd: {rate: 4 kbit/s, block: 8 kbit}}\n"
                       "applications:\n"
                       "  - {id: a, from: A, to: B, rate: 20 /s, start: 20 s, stop: 4 min}\n");
    ck_assert_uint_gt(run.summary.requests.total - run.summary.requests.served, 1000);
    ck_assert_uint_ge(run.summary.alarms.raised, 1);
    ck_assert_uint_le(run.summary.alarms.raised, 2); /* each end knows for itself */
    ck_assert_uint_eq(run.summary.alarms.cleared, run.summary.alarms.raised);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("usable");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, tails_lead_no_route);
    tcase_add_test(tests, pool_low_does_not_swing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
