/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Access rules of a scenario in the fast world: the key managers refuse what a rule denies, with a
 * reason of its own and nothing spent; everything else is served; a restarted node still obeys. */
#include "tests/sim/world_lib.h"

#define NETWORK                                                                                    \
    "scenario: t\nduration: 10 s\nengine: fast\nnetwork:\n  nodes:\n"                              \
    "    - {id: A, operator: north, community: bank}\n    - {id: B, operator: north}\n"            \
    "    - {id: C, operator: south, role: border}\n    - {id: D, operator: south, community: "     \
    "bank}\n"                                                                                      \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"                       \
    "    - {id: BC, ends: [B, C], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"                       \
    "    - {id: CD, ends: [C, D], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"                       \
    "applications:\n"                                                                              \
    "  - {id: ab, from: A, to: B, rate: 10 /s}\n"                                                  \
    "  - {id: ac, from: A, to: C, rate: 10 /s}\n"                                                  \
    "  - {id: ad, from: A, to: D, rate: 10 /s}\n"                                                  \
    "  - {id: da, from: D, to: A, rate: 10 /s}\n"                                                  \
    "  - {id: dc, from: D, to: C, rate: 10 /s}\n"

enum { AB, AC, AD, DA, DC, COUNT };

static struct lib_run one;

/* Runs with a list of rules; denied: one letter per application, 'd' or '.'. All requests of an
 * application that is denied end so, at once, with nothing supplied; none of another one does. */
static void check(const char *rules, const char *denied)
{
    static char text[4096];
    uint64_t requests[COUNT] = {0};
    (void)snprintf(text, sizeof(text), "%saccess:\n%s", NETWORK, rules);
    lib_run_text(&one, text);
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *request = &one.requests[i];
        bool refused = strcmp(request->reason, "access_denied") == 0;
        ck_assert_msg(refused == (denied[request->application] == 'd'),
                      "'%s': application %u: %s %s", rules, request->application, request->outcome,
                      request->reason);
        ck_assert(!refused || strcmp(request->outcome, "refused") == 0);
        ck_assert(!refused || request->supplied == 0);
        ck_assert(!refused || request->end_ns - request->start_ns < INT64_C(100000000));
        requests[request->application]++;
    }
    for (size_t i = 0; i < COUNT; i++) {
        const struct scn_application_summary *app = &one.summary.applications[i];
        ck_assert_uint_gt(requests[i], 50);
        ck_assert_uint_eq(app->supplied_bits > 0, denied[i] != 'd');
        ck_assert(denied[i] != 'd' || app->requests.refused == app->requests.total);
    }
    ck_assert_uint_eq(one.summary.alarms.raised > 0, strchr(denied, 'd') != NULL);
    lib_end(&one);
}

START_TEST(rules_by_node_operator_role_application)
{
    static const struct {
        const char *rules, *denied;
    } cases[] = {
        {"  - {rule: allow}\n", "....."},
        {"  - {rule: deny}\n", "ddddd"},
        {"  - {rule: deny, from: {node: A}, to: {node: D}}\n", "..d.."},
        {"  - {rule: deny, from: {operator: south}}\n", "...dd"},
        {"  - {rule: deny, from: {operator: north}, to: {operator: south}}\n", ".dd.."},
        {"  - {rule: deny, to: {role: border}}\n", ".d..d"},
        {"  - {rule: deny, application: da}\n", "...d."},
        {"  - {rule: deny, from: {community: bank}, to: {community: bank}}\n", "..dd."},
        {"  - {rule: allow, from: {community: bank}, to: {community: bank}}\n"
         "  - {rule: deny, from: {community: bank}}\n",
         "dd..d"},
        {"  - {rule: allow, application: ad}\n  - {rule: deny, to: {operator: south}}\n", ".d..d"},
        {"  - {rule: allow, from: {operator: north}, to: {operator: north}}\n"
         "  - {rule: allow, from: {operator: south}, to: {operator: south}}\n  - {rule: deny}\n",
         ".ddd."},
    };
    check(cases[_i].rules, cases[_i].denied);
}
END_TEST

/* A node that comes back is given the list again. */
START_TEST(restarted_node_obeys)
{
    lib_run_text(&one, NETWORK "access:\n  - {rule: deny, from: {node: A}, to: {node: D}}\n"
                               "faults:\n  - {at: 3 s, node: A, what: crash, for: 1 s}\n"
                               "  - {at: 3 s, node: D, what: crash, for: 500 ms}\n");
    size_t late = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *request = &one.requests[i];
        if (request->application == AD) {
            ck_assert_str_ne(request->outcome, "served");
            late += request->start_ns > INT64_C(5000000000) ? 1 : 0;
            ck_assert(request->start_ns < INT64_C(5000000000) ||
                      strcmp(request->reason, "access_denied") == 0);
        }
    }
    ck_assert_uint_gt(late, 20);
    ck_assert_uint_gt(one.summary.applications[AC].requests.served, 50);
    lib_end(&one);
}
END_TEST

/* A rule that names one of a multicast refuses all of it, as it is all or nothing, and nobody else: neither
 * another multicast with an application at that node nor a pair to it. An allowance goes before. Here both
 * key managers read the rule: the master's, that of the node named, and that of another one. */
START_TEST(one_of_a_multicast)
{
    static const struct {
        const char *rules, *denied;
    } cases[] = {
        {"  - {rule: deny, application: conf.D}\n", "d.."},
        {"  - {rule: deny, application: conf}\n", "d.."},
        {"  - {rule: deny, application: conf.D, from: {node: A, operator: north, community: bank}, "
         "to: {node: D, operator: south, community: bank}, level: otp-preferred}\n",
         "d.."},
        {"  - {rule: deny, application: talk.D}\n", ".d."},
        {"  - {rule: allow, application: conf.D}\n  - {rule: deny, to: {node: D}}\n", ".dd"},
        {"  - {rule: allow, application: conf}\n  - {rule: deny}\n", ".dd"},
    };
    static const char *const ids[] = {"conf", "talk", "ad"};
    static char text[4096];
    size_t end = (size_t)(strstr(NETWORK, "applications:") - NETWORK);
    (void)snprintf(text, sizeof text,
                   "%.*sapplications:\n"
                   "  - {id: conf, from: A, to: B, also: [C, D], rate: 10 /s, start: 2 s}\n"
                   "  - {id: talk, from: A, to: C, also: [D], rate: 10 /s, start: 2 s}\n"
                   "  - {id: ad, from: A, to: D, rate: 10 /s, start: 2 s}\naccess:\n%s",
                   (int)end, NETWORK, cases[_i].rules);
    lib_run_text(&one, text);
    for (size_t k = 0; k < 3; k++) {
        uint64_t requests = 0;
        bool denied = cases[_i].denied[k] == 'd';
        for (size_t i = 0; i < one.request_count; i++) {
            const struct lib_request *r = &one.requests[i];
            bool is_its = strcmp(one.scenario->applications[r->application].id, ids[k]) == 0;
            bool refused = strcmp(r->reason, "access_denied") == 0;
            requests += is_its;
            ck_assert_msg(!is_its || refused == denied, "%s: %s %s", ids[k], r->outcome, r->reason);
            ck_assert_msg(!is_its || (r->supplied > 0) == !denied, "%s: %s %s", ids[k], r->outcome,
                          r->reason);
        }
        ck_assert_uint_gt(requests, 50);
    }
    lib_end(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tc = tcase_create("access");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, rules_by_node_operator_role_application, 0, 9);
    tcase_add_test(tc, restarted_node_obeys);
    tcase_add_loop_test(tc, one_of_a_multicast, 0, 6);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
