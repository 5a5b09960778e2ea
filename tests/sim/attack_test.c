/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers in a virtual world: what they read, what they change and what becomes of it, with all measures
 * on and with the one off that stands against them. Counted by hand: two keys of 256 bits a second for 20
 * seconds cross two links, so whoever reads all frames with keys knows 40 keys, 10,240 bits, and sees 80 of
 * them. Who only listens changes nothing: the run is the same, byte for byte. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

#define HEAD "scenario: attacked line\nseed: 1\nduration: 60 s\nengine: fast\n"
#define LINKS                                                                                      \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 20 km, qkd: {rate: 100 kbit/s, block: 128 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 128 kbit}}\n"      \
    "key_management: {deployment: two}\n"                                                          \
    "applications:\n"                                                                              \
    "  - {id: v, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 2 /s, timeout: 5 s}\n"
#define OPEN_LINE                                                                                  \
    HEAD "network:\n  nodes:\n    - {id: A, boundary: outside}\n"                                  \
         "    - {id: B, boundary: outside}\n    - {id: C, boundary: outside}\n" LINKS
#define CLOSED_LINE HEAD "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n" LINKS
#define WHEN "at: 10 s, for: 20 s"

static struct case_run *attacked(const char *text, const char *attack, const char *measures)
{
    char sets[2][256];
    (void)snprintf(sets[0], sizeof sets[0], "attacks=[%s]", attack);
    (void)snprintf(sets[1], sizeof sets[1], "measures={%s}", measures);
    const char *list[] = {sets[0], sets[1], NULL};
    return case_run_new(text, &(struct case_options){.sets = list, .engine = SCN_ENGINE_FAST});
}

static const struct scn_attack_summary *first(const struct case_run *run)
{
    ck_assert_int_eq(run->rc, 0);
    ck_assert_uint_eq(run->summary.oracle.violations, 0);
    return &run->summary.attacks[0];
}

START_TEST(who_listens_changes_nothing)
{
    struct case_run *plain = attacked(OPEN_LINE, "", "");
    struct case_run *tapped = attacked(OPEN_LINE, "{surface: KMA, what: listen, class: Q}", "");
    ck_assert_uint_gt(first(tapped)->read, 0);
    ck_assert_uint_eq(plain->summary.attack_count, 0);
    ck_assert_uint_eq(plain->summary.trace_digest, tapped->summary.trace_digest);
    case_run_free(plain);
    case_run_free(tapped);
}
END_TEST

START_TEST(pads_hide_keys_even_from_the_unbounded)
{
    static const char *const variants[] = {"key-data", "key-data-unbounded", "metadata"};
    for (int i = 0; i < 3; i++) {
        char attack[96];
        (void)snprintf(attack, sizeof attack, "{cell: E-K2-1, variant: %s, " WHEN "}", variants[i]);
        struct case_run *on = attacked(OPEN_LINE, attack, "");
        ck_assert_uint_eq(first(on)->seen, 80);
        ck_assert_uint_eq(first(on)->read, 0);
        ck_assert_uint_eq(first(on)->leaked_bits, 0);
        case_run_free(on);
        struct case_run *off = attacked(OPEN_LINE, attack, "relay_encryption: off");
        ck_assert_uint_eq(first(off)->read, 80);
        ck_assert_uint_eq(first(off)->leaked_keys, 40);
        ck_assert_uint_eq(first(off)->leaked_bits, 10240);
        ck_assert_uint_gt(off->summary.security.violations, 0);
        ck_assert_uint_eq(off->summary.security.measure_count, 1);
        case_run_free(off);
    }
}
END_TEST

START_TEST(records_hide_keys_from_those_who_compute_little)
{
    const char *passive = "{cell: E-A1, " WHEN "}";
    const char *unbounded = "{surface: A1, what: listen, class: Q, message: key-supply, " WHEN "}";
    struct case_run *on = attacked(OPEN_LINE, passive, "");
    ck_assert_uint_eq(first(on)->leaked_bits, 0);
    struct case_run *off = attacked(OPEN_LINE, passive, "record_encryption: off");
    ck_assert_uint_eq(first(off)->leaked_bits, 10240);
    struct case_run *broken = attacked(OPEN_LINE, unbounded, "");
    ck_assert_uint_eq(first(broken)->leaked_bits, 10240);
    case_run_free(on);
    case_run_free(off);
    case_run_free(broken);
}
END_TEST

START_TEST(a_boundary_keeps_them_out)
{
    struct case_run *run = attacked(CLOSED_LINE, "{cell: E-K1, " WHEN "}",
                                    "record_encryption: off");
    ck_assert_uint_gt(first(run)->shielded, 0);
    ck_assert_uint_eq(first(run)->seen, 0);
    ck_assert_uint_eq(first(run)->leaked_bits, 0);
    case_run_free(run);
}
END_TEST

START_TEST(a_tag_stands_against_flipped_bits)
{
    const char *attack = "{cell: D-K2-1, variant: key-data, link: BC, " WHEN ", probability: 0.5}";
    struct case_run *on = attacked(OPEN_LINE, attack, "");
    ck_assert_uint_gt(first(on)->forged, 10);
    ck_assert_uint_eq(first(on)->accepted, 0);
    ck_assert_uint_eq(first(on)->rejected, first(on)->forged);
    ck_assert_uint_eq(on->summary.mismatched_pairs, 0);
    ck_assert_double_ge(first(on)->detect_s, 0);
    ck_assert_uint_eq(on->summary.requests.served,
                      on->summary.requests.total - on->summary.requests.refused);
    case_run_free(on);
    struct case_run *off = attacked(OPEN_LINE, attack, "relay_tag: off");
    ck_assert_uint_gt(first(off)->accepted, 0);
    ck_assert_uint_eq(first(off)->rejected, 0);
    ck_assert_uint_eq(off->summary.mismatched_pairs, 0); /* the comparison sees it */
    ck_assert_double_gt(first(off)->alarm_s, 0);
    case_run_free(off);
    struct case_run *bare = attacked(OPEN_LINE, attack, "relay_tag: off, compare: off");
    ck_assert_uint_eq(bare->summary.mismatched_pairs, first(bare)->accepted);
    case_run_free(bare);
}
END_TEST

START_TEST(records_are_taken_once_and_as_they_were)
{
    static const struct {
        const char *attack, *measure;
    } cases[] = {
        {"{cell: D-K2-2, variant: compare, " WHEN "}", "record_authentication: off"},
        {"{cell: D-K2-2, variant: replay, " WHEN "}", "replay_window: off"},
        {"{cell: D-C, variant: replay, " WHEN ", delay: 7 s}", "replay_window: off"},
        {"{cell: D-K2-1, variant: replay, " WHEN "}", "frame_sequence: off"},
        {"{cell: D-K2-1, variant: splice, " WHEN "}", "relay_tag: off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct case_run *on = attacked(OPEN_LINE, cases[i].attack, "");
        ck_assert_uint_gt(first(on)->forged, 0);
        ck_assert_uint_eq(first(on)->accepted, 0);
        case_run_free(on);
        struct case_run *off = attacked(OPEN_LINE, cases[i].attack, cases[i].measure);
        ck_assert_uint_gt(first(off)->accepted, 0);
        ck_assert_uint_eq(off->summary.security.forgeries_accepted, first(off)->accepted);
        case_run_free(off);
    }
}
END_TEST

/* With all of them on, what is taken for genuine although an attacker made it breaks a rule. */
START_TEST(a_forgery_breaks_a_rule_unless_a_measure_is_off)
{
    for (int off = 0; off < 2; off++) {
        struct case_run *run = attacked(OPEN_LINE, "", off == 1 ? "compare: off" : "");
        struct watch_oracle *oracle = watch_oracle_new(run->scenario);
        watch_oracle_forged(oracle);
        ck_assert_uint_eq(watch_oracle_verdict(oracle)->violations, off == 1 ? 0 : 1);
        watch_oracle_free(oracle);
        case_run_free(run);
    }
}
END_TEST

START_TEST(attackers_meet_only_where_and_when_they_are)
{
    struct case_run *run =
        attacked(OPEN_LINE,
                 "{id: ab, surface: K2-1, what: listen, message: relay, link: AB}, "
                 "{id: late, surface: K2-1, what: listen, at: 59999 ms}, "
                 "{id: b, surface: K1, what: listen, node: B}, "
                 "{id: bc, surface: K1, what: listen, link: BC}",
                 "");
    const struct scn_attack_summary *a = first(run);
    ck_assert_uint_eq(a[0].seen, run->summary.links[0].frames);
    ck_assert_uint_lt(a[1].seen, 10);
    ck_assert_uint_eq(a[2].seen, a[3].seen); /* two modules at B; two of the link; equal rates */
    ck_assert_uint_gt(a[3].seen, 0);
    case_run_free(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attack");
    TCase *tests = tcase_create("attackers");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, who_listens_changes_nothing);
    tcase_add_test(tests, pads_hide_keys_even_from_the_unbounded);
    tcase_add_test(tests, records_hide_keys_from_those_who_compute_little);
    tcase_add_test(tests, a_boundary_keeps_them_out);
    tcase_add_test(tests, a_tag_stands_against_flipped_bits);
    tcase_add_test(tests, records_are_taken_once_and_as_they_were);
    tcase_add_test(tests, a_forgery_breaks_a_rule_unless_a_measure_is_off);
    tcase_add_test(tests, attackers_meet_only_where_and_when_they_are);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
