/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/threats.c and scenarios/attacks.c: the table of cells against what ITU-T X.1712 (10/2021),
 * clause 8, lists for each surface (eight links with three threats each, two elements with four, 32 in all of
 * 50), and attackers and measures as scenarios write them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/scenario.h"

#define S INT64_C(1000000000)
#define HEAD                                                                                       \
    "scenario: a\n"                                                                                \
    "duration: 100 s\n"                                                                            \
    "engine: fast\n"                                                                               \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}]\n"                                                                \
    "  links: [{id: AB, ends: [A, B], qkd: {rate: 9 kbit/s}}]\n"                                   \
    "applications: [{id: v, from: A, to: B, key: 256 bit, arrivals: periodic, rate: 1 /s}]\n"

/* ---- the table ---- */

START_TEST(cells_are_those_of_the_text)
{
    uint32_t text[SCN_SURFACES] = {0}, extra[SCN_SURFACES] = {0};
    for (size_t i = 0; i < SCN_CELLS; i++) {
        const struct scn_cell *cell = &scn_cells[i];
        (cell->extra ? extra : text)[cell->surface] |= 1U << cell->threat;
        ck_assert_uint_eq(scn_cell_find(cell->id), i); /* ids are unique */
        ck_assert_str_eq(cell->id + 2, scn_surface_name(cell->surface));
        ck_assert_str_ne(cell->requirements, "");
    }
    uint32_t link = 1U << SCN_THREAT_EAVESDROPPING | 1U << SCN_THREAT_CORRUPTION |
                    1U << SCN_THREAT_DENIAL;
    uint32_t element = 1U << SCN_THREAT_EAVESDROPPING | 1U << SCN_THREAT_CORRUPTION |
                       1U << SCN_THREAT_SPOOFING | 1U << SCN_THREAT_DESTRUCTION;
    for (uint32_t s = 0; s < SCN_SURFACES; s++) {
        ck_assert_uint_eq(text[s], s < SCN_SURFACE_KMA ? link : element);
        ck_assert_uint_eq(text[s] | extra[s], (1U << SCN_THREATS) - 1);
    }
}
END_TEST

START_TEST(variants_belong_to_cells)
{
    for (size_t i = 0; i < scn_variant_count; i++) {
        const struct scn_variant *v = &scn_variants[i];
        ck_assert_uint_lt(scn_cell_find(v->cell), SCN_CELLS);
        ck_assert_uint_eq(scn_variant_find(v->cell, v->name), i); /* names are unique */
        ck_assert_uint_ne(v->off, 0);
        ck_assert_uint_eq(v->off & v->later, 0);
        ck_assert_uint_ge(v->percent, 1);
    }
}
END_TEST

/* ---- scenarios ---- */

static struct scn_scenario *load(const char *text)
{
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int rc = scn_load_text(&input, NULL, &scenario, &errors);
    ck_assert_msg(rc == 0, "%s", errors.count > 0 ? errors.lines[0] : "?");
    scn_errors_fini(&errors);
    return scenario;
}

START_TEST(a_cell_says_what_is_done)
{
    struct scn_scenario *s = load(HEAD "attacks:\n"
                                       "  - {cell: D-K2-1, link: AB, at: 20 s, for: 5 s}\n"
                                       "  - {id: ear, cell: E-A1, application: v}\n"
                                       "  - {cell: D-K2-1, variant: drop, probability: 0.5}\n");
    ck_assert_uint_eq(s->attack_count, 3);
    const struct scn_attack *a = s->attacks;
    ck_assert_str_eq(a[0].id, "attack-1");
    ck_assert_str_eq(a[0].variant, "key-data");
    ck_assert_int_eq(a[0].surface, SCN_SURFACE_K2_1);
    ck_assert_int_eq(a[0].class, SCN_CAPABILITY_A);
    ck_assert_int_eq(a[0].what, SCN_ATTACK_FLIP);
    ck_assert_int_eq(a[0].message, SCN_MESSAGE_RELAY);
    ck_assert_int_eq(a[0].part, SCN_PART_KEYS);
    ck_assert_uint_eq(a[0].link, 0);
    ck_assert_uint_eq(a[0].node, UINT32_MAX);
    ck_assert_int_eq(a[0].at_ns, 20 * S);
    ck_assert_int_eq(a[0].for_ns, 5 * S);
    ck_assert_uint_eq(a[0].mask, 1);
    ck_assert_double_eq(a[0].probability, 1);
    ck_assert_str_eq(a[1].id, "ear");
    ck_assert_int_eq(a[1].for_ns, SCN_FOREVER);
    ck_assert_uint_eq(a[1].application, 0);
    ck_assert_double_eq(a[2].probability, 0.5);
    ck_assert_uint_eq(scn_attack_find(s, "ear"), 1);
    ck_assert_uint_eq(scn_attack_find(s, "eye"), UINT32_MAX);
    ck_assert_uint_eq(s->measures_off, 0);
    scn_free(s);
}
END_TEST

START_TEST(what_is_printed_loads_to_the_same)
{
    struct scn_scenario *s = load(
        HEAD "attacks:\n"
             "  - {cell: D-C, variant: replay, delay: 3 s}\n"
             "  - {surface: M, what: delay, message: report, node: B, probability: 10 %}\n"
             "  - {surface: K2-2, what: listen, class: Q}\n"
             "measures: {relay_tag: off, compare: on}\n");
    ck_assert_int_eq(s->attacks[1].class, SCN_CAPABILITY_A);
    ck_assert_int_eq(s->attacks[1].delay_ns, S / 10);
    ck_assert_uint_eq(s->measures_off, QKD_OFF(RELAY_TAG));
    char *text = scn_print(s);
    struct scn_scenario *again = load(text);
    ck_assert_uint_eq(again->attack_count, s->attack_count);
    ck_assert_mem_eq(again->attacks, s->attacks, s->attack_count * sizeof *s->attacks);
    ck_assert_uint_eq(again->measures_off, s->measures_off);
    ck_assert_ptr_nonnull(strstr(text, "measures: {relay_tag: off}\n"));
    free(text);
    scn_free(again);
    scn_free(s);
    s = load(HEAD);
    text = scn_print(s); /* without attacks nothing is said of them */
    ck_assert_ptr_null(strstr(text, "attacks"));
    ck_assert_ptr_null(strstr(text, "measures"));
    free(text);
    scn_free(s);
}
END_TEST

/* ---- mistakes ---- */

static const struct {
    const char *text, *mistake;
} planted[] = {
    {"attacks: [{at: 1 s}]\n", "t:8:11: expected a cell, or surface and what"},
    {"attacks: [{cell: D-K9}]\n", "t:8:18: unknown cell 'D-K9': expected one such as E-K2-1"},
    {"attacks: [{cell: X-K1}]\n", "t:8:18: no attack of cell X-K1 is available"},
    {"attacks: [{cell: D-C, variant: rout}]\n", "t:8:32: cell D-C has no variant 'rout': expected "
                                                "one such as 'status': did you mean 'route'?"},
    {"attacks: [{cell: D-C, what: drop}]\n", "t:8:29: what is another one than that of the cell"},
    {"attacks: [{surface: K2-1, what: flip, class: P}]\n", "t:8:46: class: expected A"},
    {"attacks: [{surface: K2-1, what: listen, class: A}]\n", "t:8:48: class: expected P or Q"},
    {"attacks: [{surface: K7, what: flip}]\n", "t:8:21: unknown surface 'K7': expected one of K1,"},
    {"attacks: [{cell: D-C, at: 100 s}]\n", "t:8:27: the attack begins when the run is over"},
    {"attacks: [{cell: D-C, delay: 1 s}]\n", "t:8:30: delay is not for what it does"},
    {"attacks: [{cell: E-C, mask: 3}]\n", "t:8:29: mask is not for what it does"},
    {"attacks: [{cell: D-C, mask: 256}]\n", "t:8:29: mask"},
    {"attacks: [{cell: D-C, link: AX}]\n", "t:8:29: unknown link 'AX'"},
    {"attacks: [{cell: D-C, application: v}]\n", "t:8:36: application: expected at surface A1"},
    {"attacks: [{id: x, cell: D-C}, {id: x, cell: E-C}]\n",
     "t:8:36: the attack id 'x' is used twice"},
    {"attacks: [{id: attack-2, cell: D-C}, {cell: E-C}]\n", "attack 'attack-2' is there twice"},
    {"attacks: [{surface: C, what: drop, part: tag}]\n", "t:8:42: part: expected with flip only"},
    {"attacks: [{surface: C, what: drop, variant: status}]\n",
     "t:8:45: variant: expected with a cell only"},
    {"attacks: [{surface: C, what: steal}]\n", "surface: expected A1 or KSA, for steal"},
    {"measures: {relay_tags: off}\n", "t:8:12: unknown key 'relay_tags'"},
    {"measures: {relay_tag: maybe}\n",
     "t:8:23: unknown relay_tag 'maybe': expected one of on, off"},
    {"expect: ['attack[m].accepted == 0']\n", "unknown attack 'm'"},
};

START_TEST(mistakes_are_told)
{
    char text[2048];
    (void)snprintf(text, sizeof text, "%s%s", HEAD, planted[_i].text);
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int rc = scn_load_text(&input, NULL, &scenario, &errors);
    ck_assert_int_ne(rc, 0);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_msg(strstr(errors.lines[0], planted[_i].mistake) != NULL, "%s", errors.lines[0]);
    scn_errors_fini(&errors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_attacks");
    TCase *tests = tcase_create("attacks");
    tcase_add_test(tests, cells_are_those_of_the_text);
    tcase_add_test(tests, variants_belong_to_cells);
    tcase_add_test(tests, a_cell_says_what_is_done);
    tcase_add_test(tests, what_is_printed_loads_to_the_same);
    tcase_add_loop_test(tests, mistakes_are_told, 0, sizeof planted / sizeof planted[0]);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
