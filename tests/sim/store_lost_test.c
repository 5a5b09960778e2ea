/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A key manager comes back without its store. Line A - B - C; A asks for keys with C, C with A, A with B,
 * every 250 ms; B relays. A node crashes at some instant, half a second later it is back with an empty
 * store. No violation (no pad twice: the initial secret of a link is not taken in again), every request
 * ends with a reason, and what is asked four seconds after the return is served: fresh blocks pay for
 * their own confirmation, as no tag is left. The key of both links that was lost is in the books. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

static const char scenario[] =
    "scenario: a store is lost\n"
    "seed: 3\n"
    "duration: 12 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B, clock: {offset: 5 s, drift: 100 ppm}}, {id: C}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 50 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 50 kbit}}\n"
    "key_management: {retransmit: 100 ms, lease: 2 kbit, batch: 2}\n"
    "applications:\n"
    "  - {id: east, from: A, to: C, count: 3, arrivals: periodic, rate: 4 /s, start: 1 s}\n"
    "  - {id: west, from: C, to: A, arrivals: periodic, rate: 4 /s, start: 1 s}\n"
    "  - {id: near, from: A, to: B, arrivals: periodic, rate: 4 /s, start: 1 s}\n"
    "faults:\n";

enum { FIRST_MS = 300, STEP_MS = 190, LAST_MS = 6000, DOWN_MS = 500, BACK_MS = 4000 };

static struct case_run *run_with(const char *faults, const char *deployment)
{
    char text[4096];
    char set[64];
    (void)snprintf(text, sizeof text, "%s%s", scenario, faults);
    (void)snprintf(set, sizeof set, "key_management.deployment=%s", deployment);
    const char *sets[] = {set, NULL};
    return case_run_new(text, &(struct case_options){.sets = sets});
}

static void check_back(const struct case_run *run, int64_t from_ms)
{
    int64_t from_ns = from_ms * 1000000;
    int64_t end_ns = INT64_C(11500000000); /* later ones may be under way at the end */
    size_t served = case_count_between(run, "served", from_ns, end_ns);
    size_t other = case_count_between(run, "refused", from_ns, end_ns) +
                   case_count_between(run, "timeout", from_ns, end_ns);
    ck_assert_uint_gt(served, 0);
    ck_assert_msg(other == 0, "%zu requests from %d ms on were not served", other, (int)from_ms);
}

/* At any instant, at the relay and at an end, in one process and in two. */
START_TEST(any_instant)
{
    static const char *const nodes[] = {"A", "B", "C"};
    const char *node = nodes[_i % 3];
    for (int at_ms = FIRST_MS; at_ms < LAST_MS; at_ms += STEP_MS) {
        char fault[128];
        (void)snprintf(fault, sizeof fault,
                       "  - {at: %d ms, node: %s, what: store-lost, for: %d ms}\n", at_ms, node,
                       DOWN_MS);
        struct case_run *run = run_with(fault, _i < 3 ? "one" : "two");
        case_check(run);
        check_back(run, at_ms + DOWN_MS + BACK_MS);
        case_run_free(run);
    }
}
END_TEST

/* The books: what the store held is discarded, at both links of the relay. */
START_TEST(lost_key_is_in_the_books)
{
    struct case_run *with = run_with("  - {at: 5 s, node: B, what: store-lost, for: 500 ms}\n",
                                     "one");
    struct case_run *without = run_with("  - {at: 5 s, node: B, what: crash, for: 500 ms}\n",
                                        "one");
    case_check(with);
    case_check(without);
    for (uint32_t link = 0; link < 2; link++) {
        /* 5 s of 100 kbit/s less what was used: 10 keys/s cost about 8 kbit/s. */
        uint64_t lost = with->summary.links[link].bits.discarded;
        ck_assert_uint_gt(lost, 300000);
        ck_assert_uint_le(lost, 500000 + 4096);
        ck_assert_uint_lt(without->summary.links[link].bits.discarded, 100000);
    }
    case_run_free(with);
    case_run_free(without);
}
END_TEST

/* Twice at the same node, at both ends of a link at once, and while it is down already. */
START_TEST(again_and_together)
{
    static const char *const faults[] = {"  - {at: 2 s, node: B, what: store-lost, for: 500 ms}\n"
                                         "  - {at: 5 s, node: B, what: store-lost, for: 500 ms}\n",
                                         "  - {at: 5 s, node: A, what: store-lost, for: 500 ms}\n"
                                         "  - {at: 5 s, node: B, what: store-lost, for: 500 ms}\n",
                                         "  - {at: 4900 ms, node: B, what: crash, for: 600 ms}\n"
                                         "  - {at: 5 s, node: B, what: store-lost, for: 300 ms}\n"};
    struct case_run *run = run_with(faults[_i], "one");
    case_check(run);
    check_back(run, 5500 + BACK_MS);
    case_run_free(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_lost");
    TCase *tc = tcase_create("store");
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, any_instant, 0, 6);
    tcase_add_test(tc, lost_key_is_in_the_books);
    tcase_add_loop_test(tc, again_and_together, 0, 3);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
