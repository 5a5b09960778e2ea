/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What went wrong in other simulators of key management must not go wrong here. Each test is named
 * by the defect: reports about the nearest peer, QKDNetSim on ns-3 (pairs of applications in both
 * directions between the same two key managers; a site with several network links; pairs that never
 * get a key and are not reported; a cut link that stays on the route).
 *
 * Topologies: rings with a star of classical links, as scenarios/bench; a mesh around one site. */
#include "tests/sim/world_lib.h"

enum { TEXT = 16384 };

#define S INT64_C(1000000000)

static struct lib_run one;
static char text[TEXT];

/* Appends to `text`. */
#define ADD(...) at += snprintf(text + at, sizeof(text) - (size_t)at, __VA_ARGS__)

/* A ring of n sites n1, n2 ... at one switch, links of `rate`; applications and faults follow. */
static int ring(int n, const char *rate)
{
    int at = 0;
    ADD("scenario: ring\nduration: 1 min\nengine: fast\nnetwork:\n  nodes: [");
    for (int i = 1; i <= n; i++) {
        ADD("{id: n%d}, ", i);
    }
    ADD("]\n  links:\n");
    for (int i = 1; i <= n; i++) {
        ADD("    - {id: q%d, ends: [n%d, n%d], qkd: {rate: %s, block: 64 kbit}}\n", i, i, i % n + 1,
            rate);
    }
    ADD("  classical:\n    management: in-band\n    switches: [hub]\n    links:\n");
    for (int i = 1; i <= n; i++) {
        ADD("      - {ends: [n%d, hub], latency: 2 ms, bandwidth: 100 Mbit/s}\n", i);
    }
    ADD("key_management: {processing: 15 ms}\ncontrol: {routing: fewest-hops, low_mark: 20 "
        "kbit}\napplications:\n");
    return at;
}

static size_t count(uint32_t application, const char *outcome)
{
    size_t n = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        n += one.requests[i].application == application &&
             (outcome == NULL || strcmp(one.requests[i].outcome, outcome) == 0);
    }
    return n;
}

/* Two applications in opposite directions, asking at the same instants: between neighbours, two
 * hops apart, and four pairs of them at the same two sites. */
START_TEST(opposite_pairs_at_once)
{
    int at = ring(6, "100 kbit/s");
    static const int ends[][2] = {{1, 2}, {2, 1}, {1, 3}, {3, 1}, {1, 3}, {3, 1}, {1, 3}, {3, 1}};
    for (size_t i = 0; i < 8; i++) {
        ADD("  - {id: a%zu, from: n%d, to: n%d, arrivals: periodic, rate: 5 /s, start: 10 s}\n", i,
            ends[i][0], ends[i][1]);
    }
    lib_run_text(&one, text);
    ck_assert_uint_eq(one.summary.mismatched_pairs, 0);
    for (uint32_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(count(i, NULL), 249); /* 10.2, 10.4 ... 59.8 s */
        ck_assert_uint_eq(count(i, "served"), 249);
    }
    lib_end(&one);
}
END_TEST

/* A site with four QKD links and three classical ones, its applications on all of them at once, in
 * both directions: each leaves by the link that leads to its partner. */
START_TEST(host_with_several_links)
{
    int at = 0;
    ADD("scenario: host\nduration: 1 min\nengine: fast\nnetwork:\n"
        "  nodes: [{id: H}, {id: A}, {id: B}, {id: C}, {id: D}]\n  links:\n");
    for (const char *c = "ABCD"; *c != '\0'; c++) {
        ADD("    - {id: H%c, ends: [H, %c], qkd: {rate: 100 kbit/s, block: 64 kbit}}\n", *c, *c);
    }
    ADD("  classical:\n    switches: [s1, s2, s3]\n    links:\n"
        "      - {ends: [H, s1], latency: 1 ms}\n      - {ends: [H, s2], latency: 2 ms}\n"
        "      - {ends: [H, s3], latency: 3 ms}\n      - {ends: [A, s1], latency: 1 ms}\n"
        "      - {ends: [B, s2], latency: 1 ms}\n      - {ends: [C, s3], latency: 1 ms}\n"
        "      - {ends: [D, s3], latency: 1 ms}\napplications:\n");
    static const char *const pairs[] = {"HA", "HB", "HC", "HD", "AH", "DH", "AB", "CD"};
    for (size_t i = 0; i < 8; i++) {
        ADD("  - {id: a%zu, from: %c, to: %c, arrivals: periodic, rate: 5 /s, start: 10 s}\n", i,
            pairs[i][0], pairs[i][1]);
    }
    lib_run_text(&one, text);
    for (uint32_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(count(i, "served"), 249);
    }
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *r = &one.requests[i];
        bool passes = r->application >= 6; /* A to B and C to D: over H */
        ck_assert_uint_eq(r->route_count, passes ? 3 : 2);
        ck_assert_uint_eq(r->route[1], passes ? 0 : r->application >= 4 ? 0 : r->application + 1);
    }
    lib_end(&one);
}
END_TEST

/* Twenty pairs that start at the same instant: each asks as often as the scenario says, each request
 * has one outcome, and the counts of the summary are those of the records. With key for all, all are
 * served; with key for few, the others are refused with a reason, not lost. */
START_TEST(no_pair_silently_lost)
{
    static const char *const rates[] = {"60 kbit/s", "5 kbit/s"};
    for (size_t k = 0; k < 2; k++) {
        int at = ring(20, rates[k]);
        for (int i = 0; i < 20; i++) {
            ADD("  - {id: a%d, from: n%d, to: n%d, arrivals: periodic, rate: 10 /s, offset: 0, "
                "start: 20 s, stop: 50 s}\n",
                i, i + 1, (i + 2) % 20 + 1);
        }
        lib_run_text(&one, text);
        ck_assert_uint_eq(one.summary.requests.total, 20 * 300);
        ck_assert_uint_eq(one.request_count, 20 * 300);
        ck_assert_uint_eq(one.summary.requests.pending, 0);
        for (uint32_t i = 0; i < 20; i++) {
            ck_assert_uint_eq(count(i, NULL), 300);
            ck_assert_uint_eq(count(i, "served") + count(i, "refused"), 300);
            ck_assert_uint_gt(count(i, "served"), 0);
            ck_assert_uint_eq(one.summary.applications[i].requests.total, 300);
        }
        size_t served = one.summary.requests.served;
        ck_assert(k == 0 ? served == 6000 : served < 3000);
        lib_end(&one);
    }
}
END_TEST

/* A link on the route goes dark. What its pool still holds is used; then every request is served the
 * other way round: at the latest two status periods after the first that could not be paid. */
START_TEST(cut_link_reroutes)
{
    int at = ring(6, "100 kbit/s");
    ADD("  - {id: a, from: n1, to: n3, arrivals: periodic, rate: 10 /s, start: 10 s, stop: 58 s}\n"
        "  - {id: b, from: n3, to: n1, arrivals: periodic, rate: 10 /s, start: 10 s, stop: 58 s}\n"
        "faults:\n  - {at: 30 s, link: q2, what: quantum}\n");
    lib_begin(&one, text);
    one.scenario->links[1].store_bits = 200000;
    lib_go(&one);
    lib_good(&one);
    int64_t first_ns = 0;
    size_t before = 0, after = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *r = &one.requests[i];
        bool served = strcmp(r->outcome, "served") == 0;
        first_ns = !served && (first_ns == 0 || r->start_ns < first_ns) ? r->start_ns : first_ns;
        before += r->start_ns < 30 * S && served && r->route_count == 3 && r->route[1] == 1;
        after += r->start_ns >= 45 * S && served && r->route_count == 5;
    }
    ck_assert_uint_eq(before, 2 * 199); /* 10.1 ... 29.9 s: the short way */
    ck_assert_uint_eq(after, 2 * 130);  /* 45.0 ... 57.9 s: the long way */
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *r = &one.requests[i];
        bool served = strcmp(r->outcome, "served") == 0;
        ck_assert_msg(served || r->start_ns <= first_ns + 2 * S, "request at %lld ms: %s, %s",
                      (long long)(r->start_ns / 1000000), r->outcome, r->reason);
    }
    lib_end(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer defects");
    TCase *tc = tcase_create("peer defects");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, opposite_pairs_at_once);
    tcase_add_test(tc, host_with_several_links);
    tcase_add_test(tc, no_pair_silently_lost);
    tcase_add_test(tc, cut_link_reroutes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
