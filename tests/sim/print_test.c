/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `qkdn validate --show` prints of files that use generate, scale, max_span, a classical network
 * of its own, loads again to the same text and the same run: the digest of every message of the
 * first seconds. (Shipped files and applications of all sorts: resolved_equal_test.c.) */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/scenario.h"
#include "sim/run.h"

#define S INT64_C(1000000000)

static struct scn_scenario *good(int err, struct scn_scenario *scenario, struct scn_errors *errors,
                                 const char *name)
{
    ck_assert_msg(err == 0, "%s: %s", name, errors->count > 0 ? errors->lines[0] : "no message");
    scn_errors_fini(errors);
    return scenario;
}

static struct scn_scenario *load_text(const char *text)
{
    struct scn_text input = {.name = "text", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    return good(err, scenario, &errors, "text");
}

static void digest(const struct scn_scenario *scenario, char hex[17])
{
    char why[256] = "";
    struct sim_options options = {.has_engine = true,
                                  .engine = SCN_ENGINE_FAST,
                                  .until_ns = 3 * S,
                                  .why = why,
                                  .why_size = sizeof why};
    struct scn_summary summary;
    int rc = sim_run(scenario, &options, &summary);
    ck_assert_msg(rc == 0, "%s: %s", scenario->name, why);
    ck_assert_uint_gt(summary.messages, 0);
    (void)snprintf(hex, 17, "%016llx", (unsigned long long)summary.trace_digest);
    scn_summary_fini(&summary);
}

/* Frees the scenario. */
static void same_again(struct scn_scenario *scenario)
{
    char *printed = scn_print(scenario);
    ck_assert_ptr_nonnull(printed);
    static const char *const files[] = {"extends:", "include:", "generate:", ".csv", "max_span"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ck_assert_msg(strstr(printed, files[i]) == NULL, "%s: %s", scenario->name, files[i]);
    }
    struct scn_scenario *second = load_text(printed);
    char *again = scn_print(second);
    ck_assert_ptr_nonnull(again);
    ck_assert_msg(strcmp(printed, again) == 0, "%s", scenario->name);
    char one[17];
    char two[17];
    digest(scenario, one);
    digest(second, two);
    ck_assert_str_eq(one, two);
    free(printed);
    free(again);
    scn_free(scenario);
    scn_free(second);
}

#define HEAD "scenario: p\nduration: 1 min\nengine: fast\nnetwork:\n"
#define LINK "link: {qkd: {rate: 40 kbit/s, block: 65536 bit}, initial: 64 kbit}"
#define PAIRS                                                                                      \
    "applications:\n  - {id: v, from: n0001, to: n0009, rate: 9 /s}\n"                             \
    "  - {id: w, from: n0009, to: n0001, rate: 9 /s}\n"

static const char *const made[] = {
    HEAD "  generate: {kind: ring, nodes: 12, spacing: 7 km, " LINK "}\n" PAIRS,
    HEAD "  generate: {kind: grid, rows: 3, columns: 4, spacing: 7 km, " LINK "}\n"
         "  scale: 1.7\n  max_span: 5 km\n" PAIRS,
    HEAD "  generate: {kind: geometric, nodes: 60, side: 90 km, radius: 9 km, " LINK "}\n" PAIRS,
    HEAD "  generate: {kind: waxman, nodes: 60, side: 90 km, alpha: 0.05, beta: 0.8, seed: 9, " LINK
         "}\n  max_span: 12 km\n" PAIRS,
    HEAD "  generate: {kind: barabasi-albert, nodes: 60, side: 90 km, m: 2, " LINK "}\n" PAIRS,
    HEAD "  nodes: [{id: n0001, user_networks: [a, 10.0.0.0/8]}, {id: n0009, boundary: outside}]\n"
         "  links: [{id: L, ends: [n0001, n0009], qkd: {rate: 40 kbit/s}, initial: 64 kbit}]\n"
         "  classical:\n    switches: [s1, s2]\n    management: in-band\n    links:\n"
         "      - {ends: [n0001, s1], length: 5 km}\n      - {ends: [s1, s2], latency: 3 ms}\n"
         "      - {ends: [s2, n0009], bandwidth: 9 Mbit/s}\n"
         "faults: [{at: 1 s, classical_link: s1-s2, for: 500 ms}]\n" PAIRS,
};

START_TEST(generated)
{
    same_again(load_text(made[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("print");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, generated, 0, sizeof made / sizeof made[0]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
