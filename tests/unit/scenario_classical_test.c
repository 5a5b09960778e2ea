/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: a classical network of its own: switches, links, defaults, faults, who must reach
 * whom; printing and loading again gives the same. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"

#define HEAD                                                                                       \
    "scenario: c\nduration: 1 min\nengine: fast\nnetwork:\n"                                       \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"                                                       \
    "  links: [{id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}, {id: BC, ends: [B, C], qkd: "        \
    "{rate: 1 kbit/s}}]\n"

static struct scn_scenario *load(const char *text)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    return scenario;
}

static void refuse(const char *text, const char *expected)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    ck_assert_int_eq(scn_load_text(&input, NULL, &scenario, &errors), QKD_ERR_INVALID);
    char all[2000] = "";
    for (size_t i = 0; i < errors.count; i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : "\n", errors.lines[i]);
    }
    ck_assert_str_eq(all, expected);
    scn_errors_fini(&errors);
}

START_TEST(star)
{
    struct scn_scenario *s = load(
        HEAD
        "  scale: 2\n  classical:\n    bandwidth: 5 Mbit/s\n    switches: [hub, 7]\n    links:\n"
        "      - {ends: [A, hub], latency: 2 ms, bandwidth: 100 Mbit/s}\n"
        "      - {id: b, ends: [hub, B], length: 10 km}\n"
        "      - {ends: [C, 7]}\n"
        "      - {id: b2, ends: ['7', hub], latency: auto}\n"
        "faults:\n"
        "  - {at: 1 s, classical_link: A-hub}\n"
        "  - {at: 2 s, link: AB}\n"
        "  - {at: 3 s, classical_link: b, what: classical, for: 1 s}\n");
    ck_assert_uint_eq(s->classical.switch_count, 2);
    ck_assert_str_eq(s->classical.switches[1].id, "7");
    ck_assert_uint_eq(s->classical.link_count, 4);
    const struct scn_classical_link *c = s->classical.links;
    ck_assert_str_eq(c[0].id, "A-hub");
    ck_assert(c[0].a == 0 && c[0].b == 3 && c[1].a == 3 && c[1].b == 1);
    ck_assert(c[2].a == 2 && c[2].b == 4 && c[3].a == 4 && c[3].b == 3);
    ck_assert_int_eq(c[0].latency_ns, 2000000);
    ck_assert_int_eq(c[1].latency_ns, 100000); /* 5 us per km of twice 10 km */
    ck_assert_int_eq(c[2].latency_ns, 5000);   /* the least */
    ck_assert_uint_eq(c[0].bandwidth_bps, 100000000);
    ck_assert_uint_eq(c[3].bandwidth_bps, 5000000);
    ck_assert(s->faults[0].target == SCN_TARGET_CLASSICAL && s->faults[0].index == 0);
    ck_assert_int_eq(s->faults[0].what, SCN_FAULT_CLASSICAL);
    ck_assert_int_eq(s->faults[1].what, SCN_FAULT_QUANTUM); /* light is all that it has */
    ck_assert_uint_eq(s->faults[2].index, 1);
    char *printed = scn_print(s);
    struct scn_scenario *second = load(printed);
    char *again = scn_print(second);
    ck_assert_str_eq(printed, again);
    ck_assert_ptr_nonnull(strstr(printed, "classical_link: \"A-hub\""));
    free(printed);
    free(again);
    scn_free(second);
    scn_free(s);
}
END_TEST

START_TEST(mistakes)
{
    refuse(HEAD "  classical:\n    switches: [hub, B, hub]\n    links:\n"
                "      - {ends: [A, hup]}\n      - {ends: [hub, hub]}\n"
                "      - {ends: [A, hub]}\n      - {ends: [A, hub]}\n",
           "t:8:21: 'B' is a node: expected another name for the switch\n"
           "t:8:24: the switch id 'hub' is used twice: first on line 8\n"
           "t:10:20: unknown node or switch 'hup': did you mean 'hub'?\n"
           "t:11:16: the link joins 'hub' to itself: expected two ends\n"
           "t:13:9: the classical link id 'A-hub' is used twice: first on line 12");
    refuse(HEAD "  classical: {switches: [hub]}\n",
           "t:7:26: switches, but no classical links: expected 'links' that lead to them");
    /* C is not in the classical network; nor can it reach the controller in band. */
    refuse(HEAD "  classical: {links: [{ends: [A, B]}]}\n",
           "t:6:73: no path in the classical network joins 'B' and 'C'");
    refuse(HEAD "  classical: {management: in-band, links: [{ends: [A, B]}]}\n",
           "t:5:34: management is in-band, and no path in the classical network joins 'C' and the "
           "controller at 'A'\n"
           "t:6:73: no path in the classical network joins 'B' and 'C'");
    refuse("scenario: c\nduration: 1 s\nnetwork: {nodes: [{id: A}, {id: B}], classical: "
           "{management: in-band}}\nmanagement: {at: B}\n",
           "t:3:24: management is in-band, and no path in the classical network joins 'A' and the "
           "manager at 'B'\n"
           "t:3:33: management is in-band, and no path in the classical network joins 'B' and the "
           "controller at 'A'");
}
END_TEST

#define WHOLE "  classical: {links: [{ends: [A, B]}, {ends: [B, C]}]}\n"

START_TEST(what_a_fault_hits)
{
    refuse(HEAD WHOLE "faults:\n  - {at: 1 s, link: AB, what: both}\n"
                      "  - {at: 1 s, classical_link: A-B, what: quantum}\n"
                      "  - {at: 1 s, classical_link: A-C}\n"
                      "  - {at: 1 s, link: AB, classical_link: A-B}\n",
           "t:9:31: what 'both' is not for this link: expected quantum, degraded, module, "
           "optical-switch, relay-point or maintenance, as network.classical.links gives the "
           "classical network\n"
           "t:10:42: what 'quantum' is not for a classical link: expected classical or impaired\n"
           "t:11:31: unknown classical link 'A-C': did you mean 'A-B'?\n"
           "t:12:41: expected a link, a node, a classical link, an element or a group: more than "
           "one is given");
    refuse("scenario: c\nduration: 1 s\nnetwork:\n  nodes: [{id: A}, {id: B}]\n  links: [{id: AB, "
           "ends: [A, B], classical: {latency: 1 ms}, qkd: {rate: 1 kbit/s}}]\n"
           "  classical: {links: [{ends: [A, B]}]}\nfaults: [{at: 0, classical_link: AB}]\n",
           "t:5:45: there is no channel beside the link: network.classical.links gives the "
           "classical network\n"
           "t:7:34: unknown classical link 'AB': did you mean 'A-B'?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_classical");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, star);
    tcase_add_test(tcase, mistakes);
    tcase_add_test(tcase, what_a_fault_hits);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
