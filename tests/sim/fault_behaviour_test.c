/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of requests and of key when something fails: outcomes and reasons as docs/protocol.md
 * and docs/terms.md give them, oracle on. Topology, unless a test says otherwise: line A - B - C,
 * fibres of 10 and 20 km, 100 kbit/s and one block of 100 kbit a second, controller and manager at A;
 * a first request at 4.5 s crosses A-B at 4.500907 s and B-C at 4.500959 s (golden trace
 * 7.1.4_supply). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

#define HEAD(seconds)                                                                              \
    "scenario: faults\n"                                                                           \
    "duration: " seconds " s\n"                                                                    \
    "engine: fast\n"
#define LINE                                                                                       \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"                                                       \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"
#define ONE_REQUEST                                                                                \
    "applications:\n"                                                                              \
    "  - {id: video, from: A, to: C, arrivals: trace, times: [4.5 s]}\n"

static struct case_run *checked(const char *yaml, const struct case_options *options)
{
    struct case_run *run = case_run_new(yaml, options);
    case_check(run);
    return run;
}

static void ck_ended(const struct case_request *request, const char *outcome, const char *reason)
{
    ck_assert_msg(strcmp(request->outcome, outcome) == 0 && strcmp(request->reason, reason) == 0,
                  "%s, %s; wanted: %s, %s", request->outcome, request->reason, outcome, reason);
}

static double seconds(const struct case_request *request)
{
    return (double)(request->end_ns - request->start_ns) * 1e-9;
}

/* ---- links ---- */

/* B-C breaks while the key is between A and B, and comes back within the frame's repetitions (0.2,
 * 0.4, 0.8 ... s): the same frame arrives late. */
START_TEST(link_breaks_mid_relay)
{
    struct case_run *run = checked(HEAD("12") LINE ONE_REQUEST
                                   "faults: [{at: 4.50093 s, for: 2 s, link: BC, what: both}]\n",
                                   NULL);
    ck_assert_uint_eq(run->request_count, 1);
    ck_ended(&run->requests[0], "served", "none");
    ck_assert(seconds(&run->requests[0]) > 2 && seconds(&run->requests[0]) < 4);
    ck_assert_uint_gt(run->summary.relay.retransmissions, 0);
    case_run_free(run);
}
END_TEST

/* It stays broken: B gives up after 5 repetitions (0.05 * (1 + 2 + 4 + 8 + 8 + 8) = 1.55 s) and says so
 * to A, whose controller has no other way. */
START_TEST(link_stays_broken)
{
    struct case_run *run = checked(HEAD("15") LINE
                                   "key_management: {retransmit: 50 ms}\n" ONE_REQUEST
                                   "faults: [{at: 4.50093 s, link: BC, what: both}]\n",
                                   NULL);
    ck_assert_uint_eq(run->request_count, 1);
    const struct case_request *r = &run->requests[0];
    bool said = strcmp(r->reason, "relay_failed") == 0 || strcmp(r->reason, "timeout") == 0 ||
                strcmp(r->reason, "no_route") == 0;
    ck_assert_msg(strcmp(r->outcome, "served") != 0 && said, "%s, %s", r->outcome, r->reason);
    ck_assert(seconds(r) < 6);
    case_run_free(run);
}
END_TEST

/* The relay of a ring is gone for good: three silent periods later the key goes the other way. (A
 * broken link would also cut the classical route between the ends, which is static.) */
START_TEST(relay_gone_in_ring)
{
    struct case_run *run = checked(HEAD("20") "network:\n"
                                              "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
                                              "  links:\n"
                                              "    - {id: AB, ends: [A, B], length: 10 km, qkd: "
                                              "{rate: 90 kbit/s, block: 90 kbit}}\n"
                                              "    - {id: BC, ends: [B, C], length: 10 km, qkd: "
                                              "{rate: 90 kbit/s, block: 90 kbit}}\n"
                                              "    - {id: AD, ends: [A, D], length: 10 km, qkd: "
                                              "{rate: 60 kbit/s, block: 60 kbit}}\n"
                                              "    - {id: DC, ends: [D, C], length: 10 km, qkd: "
                                              "{rate: 60 kbit/s, block: 60 kbit}}\n"
                                              "applications:\n"
                                              "  - {id: video, from: A, to: C, arrivals: periodic, "
                                              "rate: 5 /s, start: 4 s, stop: 14 s}\n"
                                              "faults: [{at: 6.05 s, node: B, what: crash}]\n",
                                   NULL);
    ck_assert_uint_eq(case_count_between(run, "served", 0, 6 * QKD_NS_PER_S),
                      case_count_between(run, NULL, 0, 6 * QKD_NS_PER_S));
    ck_assert_uint_eq(case_count_between(run, "served", 11 * QKD_NS_PER_S, 14 * QKD_NS_PER_S), 15);
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        bool late = r->start_ns > 11 * QKD_NS_PER_S;
        if (late || r->start_ns < 6 * QKD_NS_PER_S) {
            ck_assert_uint_eq(r->route_count, 3);
            ck_assert_uint_eq(r->route[1], late ? 3 : 1); /* over D, over B */
        }
    }
    ck_assert_uint_ge(case_events(run, "alarm raised link_down"), 2); /* A and C */
    case_run_free(run);
}
END_TEST

/* No light, but frames: what is stored serves on, then nothing. */
START_TEST(light_fails)
{
    struct case_run *run = checked(
        HEAD("30") "network:\n"
                   "  nodes: [{id: A}, {id: B}]\n"
                   "  links:\n"
                   "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 10 kbit/s, block: 10 "
                   "kbit}}\n"
                   "applications:\n"
                   "  - {id: near, from: A, to: B, arrivals: periodic, rate: 10 /s, start: 5 s}\n"
                   "faults: [{at: 8 s, for: 15 s, link: AB, what: quantum}]\n",
        NULL);
    /* A key costs 640 bits: 32 and 32 bytes and a tag; 8 s make 80 kbit, of which 3 s used 19. What is
     * left lasts until about 17 s. */
    ck_assert_uint_eq(case_count_between(run, "served", 0, 12 * QKD_NS_PER_S),
                      case_count_between(run, NULL, 0, 12 * QKD_NS_PER_S));
    ck_assert_uint_eq(case_count(run, "refused", "insufficient_key"),
                      case_count(run, "refused", NULL));
    ck_assert_uint_gt(case_count(run, "refused", NULL), 5);
    ck_assert_uint_eq(case_count_between(run, "served", 27 * QKD_NS_PER_S, 29 * QKD_NS_PER_S), 20);
    case_run_free(run);
}
END_TEST

/* ---- nodes ---- */

/* The relay dies with the key on its way, and comes back from what it persisted. */
START_TEST(relay_crashes_mid_relay)
{
    struct case_run *run = checked(HEAD("15") LINE ONE_REQUEST
                                   "faults: [{at: 4.50093 s, for: 500 ms, node: B, what: crash}]\n",
                                   NULL);
    ck_assert_uint_eq(run->request_count, 1);
    ck_ended(&run->requests[0], "served", "none");
    ck_assert(seconds(&run->requests[0]) > 0.5);
    case_run_free(run);
}
END_TEST

/* The asking node dies: the request does not survive it. */
START_TEST(source_crashes)
{
    struct case_run *run = checked(HEAD("15") LINE ONE_REQUEST
                                   "faults: [{at: 4.50093 s, for: 500 ms, node: A, what: crash}]\n",
                                   NULL);
    ck_assert_uint_eq(run->request_count, 1);
    ck_ended(&run->requests[0], "failed", "restarted");
    case_run_free(run);
}
END_TEST

/* The far end is gone: the request ends at its own time-out. */
START_TEST(destination_gone)
{
    struct case_run *run =
        checked(HEAD("15") LINE ONE_REQUEST "faults: [{at: 4.4 s, node: C, what: down}]\n", NULL);
    ck_assert_uint_eq(run->request_count, 1);
    const struct case_request *r = &run->requests[0];
    ck_assert_str_ne(r->outcome, "served");
    ck_assert_msg(strcmp(r->reason, "unreachable") == 0 || strcmp(r->reason, "timeout") == 0, "%s",
                  r->reason);
    ck_assert(seconds(r) < 6);
    case_run_free(run);
}
END_TEST

/* Without its controller (node B here) a KM still serves neighbours (D23-RP-04) and pairs whose route it has, and refuses the rest
 * with a reason. */
START_TEST(controller_gone)
{
    struct case_run *run = checked(HEAD("25") "network:\n"
                                              "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
                                              "  links:\n"
                                              "    - {id: AB, ends: [A, B], length: 10 km, qkd: "
                                              "{rate: 90 kbit/s, block: 90 kbit}}\n"
                                              "    - {id: AC, ends: [A, C], length: 10 km, qkd: "
                                              "{rate: 90 kbit/s, block: 90 kbit}}\n"
                                              "    - {id: CD, ends: [C, D], length: 10 km, qkd: "
                                              "{rate: 90 kbit/s, block: 90 kbit}}\n"
                                              "control: {at: B, route_validity: 1 s}\n"
                                              "applications:\n"
                                              "  - {id: near, from: A, to: C, arrivals: periodic, "
                                              "rate: 2 /s, start: 4 s, stop: 18 s}\n"
                                              "  - {id: far, from: A, to: D, arrivals: periodic, "
                                              "rate: 2 /s, start: 4 s, stop: 18 s}\n"
                                              "  - {id: new, from: D, to: A, arrivals: periodic, "
                                              "rate: 2 /s, start: 11 s, stop: 18 s}\n"
                                              "faults: [{at: 8 s, node: B, what: crash}]\n",
                                   NULL);
    size_t late = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        if (r->application < 2) {
            ck_ended(r, "served", "none");
        } else {
            ck_assert_str_ne(r->outcome, "served");
            ck_assert_str_eq(r->reason, "unreachable");
            late++;
        }
    }
    ck_assert_uint_gt(late, 10);
    case_run_free(run);
}
END_TEST

/* ---- frames ---- */

/* Every third frame lost, every tenth twice or late: slow, but nothing breaks, nothing comes twice. */
START_TEST(bad_network)
{
    struct case_run *run = checked(
        HEAD("40") LINE
        "  classical: {loss: 0.33, duplicate: 0.1, reorder: 0.1, reorder_jitter: 20 ms}\n"
        "key_management: {retransmit: 50 ms, retries: 20}\n"
        "applications:\n"
        "  - {id: video, from: A, to: C, count: 3, arrivals: periodic, rate: 2 /s, start: 8 s,\n"
        "     stop: 28 s, timeout: 10 s}\n",
        NULL);
    ck_assert_uint_eq(run->request_count, 39);
    ck_assert_uint_gt(run->net.dropped_chance, 500);
    ck_assert_uint_ge(case_count(run, "served", NULL) + case_count(run, "refused", "no_route") +
                          case_count(run, "refused", "unreachable"),
                      38);
    ck_assert_uint_ge(case_count(run, "served", NULL), 20);
    case_run_free(run);
}
END_TEST

/* ---- key ---- */

/* A store takes three blocks; the KM has the module pause before a fourth is made (7.1.1: nothing is
 * refused), and has it run again as soon as enough key was used. */
START_TEST(store_full)
{
    struct tap_filter filter = {.only = "Q_CONTROL KEY_FILE_ACK GENERATION",
                                .rps = TAP_RP(Q) | TAP_RP(KQ1) | TAP_RP(KQ2)};
    struct case_run *run = checked(
        HEAD("30") "network:\n"
                   "  nodes: [{id: A}, {id: B}]\n"
                   "  links:\n"
                   "    - {id: AB, ends: [A, B], length: 10 km, store: 42 kbit, qkd: {rate: 10 "
                   "kbit/s, block: "
                   "10 kbit}}\n"
                   "applications:\n"
                   "  - {id: near, from: A, to: B, arrivals: periodic, rate: 5 /s, start: 15 s}\n",
        &(struct case_options){.tap = &filter});
    const char *text = tap_text(run->tap);
    const char *full = strstr(text, "GENERATION run 0");
    ck_assert_ptr_null(strstr(text, "code 3"));
    ck_assert_ptr_nonnull(full);
    const char *stop = strstr(full, "Q_CONTROL run 0");
    ck_assert_ptr_nonnull(stop);
    const char *resume = strstr(stop, "GENERATION run 1");
    ck_assert_ptr_nonnull(resume);
    ck_assert_ptr_nonnull(strstr(resume, "Q_CONTROL run 1"));
    /* Three blocks beside the bootstrap (4 kbit) fit; 15 s of use at 3.2 kbit/s make room for 48 kbit.
     * Without the pause 290 kbit would be made. */
    ck_assert_uint_ge(run->summary.bits.generated, 30000 + 40000);
    ck_assert_uint_le(run->summary.bits.generated, 30000 + 60000);
    ck_assert_uint_eq(case_events(run, "alarm"), 0); /* a full store is no fault */
    case_run_free(run);
}
END_TEST

/* Key that nobody used within `expiry` is gone at both ends. */
START_TEST(key_expires)
{
    struct case_run *run =
        checked(HEAD("30") "network:\n"
                           "  nodes: [{id: A}, {id: B}]\n"
                           "  links:\n"
                           "    - {id: AB, ends: [A, B], length: 10 km, qkd: {model: trace, block: "
                           "10 kbit,\n"
                           "       trace: [[0 s, 10 kbit/s, 0], [5 s, 0, 0]]}}\n"
                           "key_management: {expiry: 10 s}\n"
                           "applications:\n"
                           "  - {id: near, from: A, to: B, arrivals: trace, times: [10 s, 25 s]}\n",
                NULL);
    ck_ended(&run->requests[0], "served", "none");
    ck_ended(&run->requests[1], "refused", "insufficient_key");
    ck_assert_uint_gt(run->summary.bits.expired, 40000);
    ck_assert_uint_eq(run->summary.bits.generated, 50000);
    case_run_free(run);
}
END_TEST

static size_t life_count(const struct case_run *run, const char *action, const char *key_class)
{
    size_t n = 0;
    for (size_t i = 0; i < run->life_count; i++) {
        n += strcmp(run->life[i].action, action) == 0 &&
             strcmp(run->life[i].key_class, key_class) == 0;
    }
    return n;
}

static struct case_run *retained(const char *retention, bool delete_after)
{
    char set[64];
    (void)snprintf(set, sizeof(set), "key_management.retention=%s", retention);
    const char *sets[] = {set, NULL};
    struct case_run *run = checked(HEAD("15") LINE
                                   "key_management: {expiry: 3 s, fetch_within: 1 s}\n" ONE_REQUEST,
                                   &(struct case_options){.sets = sets,
                                                          .keep_life = true,
                                                          .hooks = {.delete_after = delete_after}});
    ck_ended(&run->requests[0], "served", "none");
    ck_assert_uint_eq(life_count(run, "supply", "ksa"), 2); /* master, slave */
    return run;
}

/* Retention (7.1.5, 7.1.6): with `delete` both ends delete the key as they supply it; with `preserve`
 * they keep it for `expiry` or until the application deletes it. */
START_TEST(retention)
{
    struct case_run *run = retained("delete", false);
    ck_assert_uint_eq(life_count(run, "deletion", "ksa"), 2);
    ck_assert_uint_eq(life_count(run, "preservation", "ksa"), 0);
    case_run_free(run);
    run = retained("preserve", false);
    ck_assert_uint_eq(life_count(run, "preservation", "ksa"), 2);
    ck_assert_uint_eq(life_count(run, "deletion", "ksa"), 0);
    ck_assert_uint_eq(life_count(run, "expiry", "ksa"), 2);
    case_run_free(run);
    run = retained("preserve", true);
    ck_assert_uint_eq(life_count(run, "deletion", "ksa"), 2);
    ck_assert_uint_eq(life_count(run, "expiry", "ksa"), 0);
    case_run_free(run);
}
END_TEST

/* The slave never hears of its key: after `fetch_within` the key at its KM is gone. */
START_TEST(slave_never_fetches)
{
    struct case_run *run = checked(HEAD("15") LINE
                                   "key_management: {fetch_within: 2 s}\n" ONE_REQUEST
                                   "faults: [{at: 4.50213 s, for: 5 s, node: C, what: down}]\n",
                                   &(struct case_options){.keep_life = true});
    ck_ended(&run->requests[0], "served", "none");
    ck_assert_int_eq(run->requests[0].fetched_ns, SCN_NO_TIME);
    size_t expired = 0;
    for (size_t i = 0; i < run->life_count; i++) {
        const struct case_life *life = &run->life[i];
        expired += strcmp(life->action, "expiry") == 0 && strcmp(life->key_class, "ksa") == 0 &&
                   qkd_eid_node(life->at) == 2;
    }
    ck_assert_uint_eq(expired, 1);
    case_run_free(run);
}
END_TEST

/* Short of key: refused at once, or with `wait` served when the first block comes (1 s). */
START_TEST(waiting_for_key)
{
    struct case_run *run = checked(
        HEAD("5") "network:\n"
                  "  nodes: [{id: A}, {id: B}]\n"
                  "  links:\n"
                  "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 10 kbit/s, block: 10 "
                  "kbit}}\n"
                  "applications:\n"
                  "  - {id: now, from: A, to: B, arrivals: trace, times: [500 ms]}\n"
                  "  - {id: later, from: A, to: B, arrivals: trace, times: [500 ms], wait: true}\n"
                  "  - {id: brief, from: A, to: B, arrivals: trace, times: [500 ms], wait: true,\n"
                  "     timeout: 200 ms}\n",
        NULL);
    ck_assert_uint_eq(run->request_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct case_request *r = &run->requests[i];
        if (r->application == 0) {
            ck_ended(r, "refused", "insufficient_key");
            ck_assert(seconds(r) < 0.21); /* at most the wait for a GRANT */
        } else if (r->application == 1) {
            ck_ended(r, "served", "none");
            ck_assert(seconds(r) > 0.5 && seconds(r) < 2);
        } else {
            ck_ended(r, "timed_out", "timeout");
            ck_assert(seconds(r) >= 0.2 && seconds(r) < 0.5);
        }
    }
    case_run_free(run);
}
END_TEST

/* ---- nothing to do ---- */

START_TEST(no_applications)
{
    struct case_run *run = checked(HEAD("20") LINE, NULL);
    ck_assert_uint_eq(run->request_count, 0);
    ck_assert_uint_eq(run->summary.requests.total, 0);
    ck_assert_uint_eq(run->summary.keys.drawn, 0);
    /* 19 blocks of each link are made and confirmed; the one of 20 s may just miss the end */
    ck_assert_uint_ge(run->summary.bits.generated, 2 * 19 * 100000);
    ck_assert_uint_eq(run->summary.bits.pads, 0);
    ck_assert_uint_gt(run->summary.bits.tags, 0);
    case_run_free(run);
}
END_TEST

START_TEST(no_requests)
{
    struct case_run *run = checked(
        HEAD("10") LINE "applications:\n"
                        "  - {id: video, from: A, to: C, arrivals: periodic, rate: 0.01 /s}\n",
        NULL);
    ck_assert_uint_eq(run->request_count, 0);
    ck_assert_uint_eq(run->summary.requests.total, 0);
    case_run_free(run);
}
END_TEST

START_TEST(single_node)
{
    struct case_run *run = case_run_new(HEAD("5") "network:\n  nodes: [{id: A}]\n  links: []\n",
                                        NULL);
    ck_assert_int_eq(run->rc, 0);
    ck_assert_uint_eq(run->summary.oracle.violations, 0);
    case_run_free(run);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {link_breaks_mid_relay,
                                  link_stays_broken,
                                  relay_gone_in_ring,
                                  light_fails,
                                  relay_crashes_mid_relay,
                                  source_crashes,
                                  destination_gone,
                                  controller_gone,
                                  bad_network,
                                  store_full,
                                  key_expires,
                                  retention,
                                  slave_never_fetches,
                                  waiting_for_key,
                                  no_applications,
                                  no_requests,
                                  single_node};
    Suite *suite = suite_create("fault_behaviour");
    TCase *tc = tcase_create("faults");
    tcase_set_timeout(tc, 30);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(tc, tests[i]);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
