/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key that grows old, files that never match, pools that cannot pay: a link comes back by itself,
 * and shortage shows in figures and alarms (rules 1 and 6; 7.1.2, clause 9). */
#include "tests/sim/world_lib.h"

static struct lib_run one;

#define TWO(more)                                                                                  \
    "scenario: two\nduration: 3 min\nengine: fast\n"                                               \
    "network:\n  nodes: [{id: A}, {id: B}]\n"                                                      \
    "  links: [{id: AB, ends: [A, B], length: 10 km, qkd: {rate: 50 kbit/s, block: 100 kbit}}]\n"  \
    "applications:\n  - {id: x, from: A, to: B, arrivals: periodic, rate: 2 /s, start: 5 "         \
    "s}\n" more

/* Requests that began in [from, to) seconds, and how many of them were served. */
static size_t began(int64_t from_s, int64_t to_s, size_t *served)
{
    size_t n = 0;
    *served = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *r = &one.requests[i];
        if (r->start_ns >= from_s * INT64_C(1000000000) &&
            r->start_ns < to_s * INT64_C(1000000000)) {
            n++;
            *served += strcmp(r->outcome, "served") == 0;
        }
    }
    return n;
}

/* The light is off for longer than key lives: everything expires but the tags on which the next
 * block is confirmed, and with the light the supply is back. */
START_TEST(back_after_all_key_expired)
{
    size_t served;
    lib_run_text(&one, TWO("key_management: {expiry: 20 s}\n"
                           "faults: [{at: 30 s, link: AB, what: quantum, for: 1 min}]\n"));
    ck_assert_uint_eq(began(60, 85, &served), 50);
    ck_assert_uint_eq(served, 0);
    ck_assert_uint_eq(began(100, 179, &served), 158);
    ck_assert_uint_eq(served, 158);
    ck_assert_uint_gt(one.summary.links[0].bits.expired, 1000000);
    ck_assert_uint_eq(one.summary.links[0].pool_min_bits, 0);
    ck_assert_uint_eq(one.summary.links[0].exhaustions, 1);
    ck_assert_uint_ge(one.summary.alarms.raised, 2); /* no_key, pool_low; at either end */
    ck_assert_uint_eq(one.summary.alarms.cleared, one.summary.alarms.raised);
    lib_end(&one);
}
END_TEST

/* A link that never has key says so: no level, one exhaustion, an alarm, every request refused. */
START_TEST(dark_from_the_start)
{
    size_t served;
    lib_run_text(&one, TWO("faults: [{at: 0 s, link: AB, what: quantum}]\n"));
    ck_assert_uint_gt(began(0, 180, &served), 300);
    ck_assert_uint_eq(served, 0);
    ck_assert_uint_eq(one.summary.links[0].pool_min_bits, 0);
    ck_assert_uint_eq(one.summary.pools.exhaustions, 1);
    ck_assert_uint_ge(one.summary.alarms.raised, 1);
    lib_end(&one);
}
END_TEST

/* One end restarts again and again while its module holds files the full store refused: what the
 * other end has of them can never match, and must not keep room for ever. */
START_TEST(unmatched_files_leave)
{
    size_t served;
    lib_run_text(&one, TWO("key_management: {store: 500 kbit, expiry: 20 s}\n"
                           "faults:\n"
                           "  - {at: 21 s, node: B, what: crash, for: 200 ms}\n"
                           "  - {at: 41 s, node: B, what: crash, for: 200 ms}\n"
                           "  - {at: 61 s, node: B, what: crash, for: 200 ms}\n"
                           "  - {at: 81 s, node: B, what: crash, for: 200 ms}\n"));
    ck_assert_uint_eq(began(120, 179, &served), 118);
    ck_assert_uint_eq(served, 118);
    const struct scn_bits *bits = &one.summary.links[0].bits;
    ck_assert_uint_lt(bits->in_flight, 300000); /* blocks under way, no orphans */
    lib_end(&one);
}
END_TEST

/* Key that was there at the start serves though the light is off, is counted as generated, and comes
 * once, also where an end restarts. */
START_TEST(initial_key_serves_in_the_dark)
{
    size_t served;
    lib_run_text(&one, "scenario: two\nduration: 3 min\nengine: fast\n"
                       "network:\n  nodes: [{id: A}, {id: B}]\n"
                       "  links: [{id: AB, ends: [A, B], length: 10 km, initial: 25 kB,\n"
                       "           qkd: {rate: 50 kbit/s, block: 100 kbit}}]\n"
                       "applications:\n  - {id: x, from: A, to: B, arrivals: periodic, rate: 2 /s, "
                       "start: 5 s}\n"
                       "faults:\n  - {at: 0 s, link: AB, what: quantum}\n"
                       "  - {at: 60 s, node: B, what: crash, for: 1 s}\n");
    ck_assert_uint_eq(one.summary.links[0].bits.generated, 200000);
    ck_assert_uint_eq(began(5, 60, &served), 109);
    ck_assert_uint_eq(served, 109);
    /* A request takes 640 bit: a key and a compare key of 256 bit, a tag of 128. The leases that the
     * crash voids (16 kbit for each end and role), GRANTs and the tags' reserve take the rest. */
    (void)began(5, 180, &served);
    ck_assert_uint_ge(served, (200000 - 4 * 16000 - 2 * 8192) / 640);
    ck_assert_uint_le(served, 200000 / 640);
    lib_end(&one);
}
END_TEST

/* Blocks of 697 bytes, wanted at one end only: what is left of each half after whole tags pays nothing, and must
 * not be counted as the reserve of which the next confirmation is paid. After half an hour the link still gives
 * what it makes: 5,576 bit pay 8 keys of 640 with two tags and a rest; 0.85 of that leaves room for GRANTs. */
START_TEST(crumbs_do_not_starve_a_link)
{
    size_t served;
    lib_run_text(&one,
                 "scenario: crumbs\nduration: 30 min\nengine: fast\n"
                 "control: {status_period: 5 s}\nnetwork:\n  nodes: [{id: A}, {id: B}]\n  links:\n"
                 "    - {id: AB, ends: [B, A], length: 10 km, qkd: {rate: 1116 bit/s, block: 5576 "
                 "bit}}\napplications:\n  - {id: x, from: A, to: B, rate: 2.3 /s}\n");
    (void)began(1300, 1800, &served);
    ck_assert_uint_ge(served, 100 * 8 * 85 / 100);
    lib_end(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scarcity");
    TCase *tc = tcase_create("scarcity");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, back_after_all_key_expired);
    tcase_add_test(tc, dark_from_the_start);
    tcase_add_test(tc, unmatched_files_leave);
    tcase_add_test(tc, initial_key_serves_in_the_dark);
    tcase_add_test(tc, crumbs_do_not_starve_a_link);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
