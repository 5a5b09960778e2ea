/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What compromised relays know of supplied keys, against counting by hand. S and D are joined by four ways of
 * three relays each; three of the twelve relays are compromised, all 220 choices of three in turn. A key in k
 * shares over k of the ways is known if each of these has a compromised relay. For any k given ways the number of
 * choices that hit them all is, by inclusion and exclusion over the ways that are missed (m of k: 12 - 3 m relays
 * are left to choose three from),
 *   k = 1: C(12,3) - C(9,3) = 136        k = 2: C(12,3) - 2 C(9,3) + C(6,3) = 72
 *   k = 3: 3^3 = 27 (one on each)        k = 4: 0 (three relays are on three ways at most)
 * whatever the routes are, as long as each pair keeps its own. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

enum { WAYS = 4, RELAYS = 12, FIRST_RELAY = 2, CHOICES = 220 };

static uint32_t chosen[3];

static void compromise(struct scn_scenario *scenario)
{
    for (int i = 0; i < 3; i++) {
        scenario->nodes[FIRST_RELAY + chosen[i]].compromised = true;
    }
}

/* Of 220 choices, those that know the keys of an application. */
static const struct {
    const char *relay;
    int known;
} schemes[] = {{"relay: hop-by-hop", 136},         {"relay: hop-by-hop-first-key", 136},
               {"relay: destination", 136},        {"relay: multipath, paths: 2", 72},
               {"relay: multipath, paths: 3", 27}, {"relay: multipath, paths: 4", 0}};
enum { SCHEMES = sizeof schemes / sizeof schemes[0] };

/* Nodes S, D, then the relays of way 0, way 1 and so on; an application for each scheme. */
static void network(char *text, size_t size)
{
    int len = snprintf(text, size,
                       "scenario: readers\nseed: 1\nduration: 3 s\nwarmup: 1 s\nengine: fast\n"
                       "network:\n  nodes:\n    - {id: S}\n    - {id: D}\n");
    for (int i = 0; i < RELAYS; i++) {
        len += snprintf(text + len, size - (size_t)len, "    - {id: R%d}\n", i);
    }
    len += snprintf(text + len, size - (size_t)len, "  links:\n");
    for (int way = 0; way < WAYS; way++) {
        for (int hop = 0; hop < 4; hop++) {
            char a[8] = "S";
            char b[8] = "D";
            if (hop > 0) {
                (void)snprintf(a, sizeof a, "R%d", 3 * way + hop - 1);
            }
            if (hop < 3) {
                (void)snprintf(b, sizeof b, "R%d", 3 * way + hop);
            }
            len += snprintf(text + len, size - (size_t)len,
                            "    - {id: w%d%d, ends: [%s, %s], length: 10 km, initial: 200 kbit, "
                            "qkd: {rate: 10 kbit/s}}\n",
                            way, hop, a, b);
        }
    }
    len += snprintf(text + len, size - (size_t)len, "control: {keep_route: true}\napplications:\n");
    for (int i = 0; i < SCHEMES; i++) {
        len += snprintf(text + len, size - (size_t)len,
                        "  - {id: app%d, from: S, to: D, arrivals: periodic, rate: 2 /s, %s}\n", i,
                        schemes[i].relay);
    }
}

/* Adds what each application's keys are known by this choice: none of them, or all. */
static void count(const char *text, int known[SCHEMES])
{
    struct case_run *run = case_run_new(text, &(struct case_options){.adjust = compromise});
    uint64_t leaked = 0;
    ck_assert_int_eq(run->rc, 0);
    for (int i = 0; i < SCHEMES; i++) {
        const struct scn_application_summary *app = &run->summary.applications[i];
        ck_assert_uint_gt(app->supplied_bits, 0);
        ck_assert(app->leaked_bits == 0 || app->leaked_bits == app->supplied_bits);
        ck_assert_double_eq(app->leaked_fraction, app->leaked_bits > 0 ? 1 : 0);
        known[i] += app->leaked_bits > 0;
        leaked += app->leaked_bits;
    }
    ck_assert_uint_eq(run->summary.security.leaked_bits, leaked);
    case_run_free(run);
}

START_TEST(by_counting)
{
    char text[8192];
    int known[SCHEMES] = {0};
    int choices = 0;
    network(text, sizeof text);
    for (chosen[0] = 0; chosen[0] < RELAYS; chosen[0]++) {
        for (chosen[1] = chosen[0] + 1; chosen[1] < RELAYS; chosen[1]++) {
            for (chosen[2] = chosen[1] + 1; chosen[2] < RELAYS; chosen[2]++) {
                count(text, known);
                choices++;
            }
        }
    }
    ck_assert_int_eq(choices, CHOICES);
    for (int i = 0; i < SCHEMES; i++) {
        ck_assert_msg(known[i] == schemes[i].known, "%s: %d choices know the key, not %d",
                      schemes[i].relay, known[i], schemes[i].known);
    }
}
END_TEST

/* Nobody is compromised: nothing is known; an end of the pair is: all of it. */
START_TEST(none_and_ends)
{
    char text[8192];
    network(text, sizeof text);
    struct case_run *run = case_run_new(text, NULL);
    case_check(run);
    ck_assert_uint_eq(run->summary.security.leaked_bits, 0);
    case_run_free(run);
    char *end = strstr(text, "{id: D}");
    ck_assert_ptr_nonnull(end);
    char with[8192];
    (void)snprintf(with, sizeof with, "%.*s{id: D, compromised: true}%s", (int)(end - text), text,
                   end + strlen("{id: D}"));
    run = case_run_new(with, NULL);
    ck_assert_uint_gt(run->summary.supplied_bits, 0);
    ck_assert_uint_eq(run->summary.security.leaked_bits, run->summary.supplied_bits);
    case_run_free(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compromised");
    TCase *tc = tcase_create("compromised");
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, by_counting);
    tcase_add_test(tc, none_and_ends);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
