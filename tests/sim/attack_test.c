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

static struct case_run *attacked_in(enum scn_engine engine, const char *text, const char *attack,
                                    const char *measures)
{
    char sets[2][256];
    (void)snprintf(sets[0], sizeof sets[0], "attacks=[%s]", attack);
    (void)snprintf(sets[1], sizeof sets[1], "measures={%s}", measures);
    const char *list[] = {sets[0], sets[1], NULL};
    return case_run_new(text, &(struct case_options){.sets = list, .engine = engine});
}

static struct case_run *attacked(const char *text, const char *attack, const char *measures)
{
    return attacked_in(SCN_ENGINE_FAST, text, attack, measures);
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

/* Ten seconds of forged frames: with a tag they cost nothing, without it they use up pads of honest ones. */
START_TEST(a_forged_frame_burns_no_pad)
{
    const char *attack = "{cell: O-K2-1, variant: forged-frames, " WHEN "}";
    struct case_run *benign = attacked(OPEN_LINE, "", "");
    struct case_run *on = attacked(OPEN_LINE, attack, "");
    ck_assert_uint_gt(first(on)->forged, 0);
    ck_assert_uint_eq(first(on)->rejected, first(on)->forged);
    ck_assert_uint_eq(on->summary.requests.served, benign->summary.requests.served);
    ck_assert_uint_eq(on->summary.bits.pads, benign->summary.bits.pads);
    ck_assert_uint_eq(on->summary.bits.discarded, benign->summary.bits.discarded);
    struct case_run *off = attacked(OPEN_LINE, attack, "relay_tag: off");
    ck_assert_uint_gt(first(off)->accepted, 0);
    ck_assert_uint_lt(off->summary.requests.served, benign->summary.requests.served);
    case_run_free(benign);
    case_run_free(on);
    case_run_free(off);
}
END_TEST

/* A credential is not a right: refused as denied (not as unauthenticated), and told to the manager. */
START_TEST(a_wrong_role_is_denied)
{
    static const char *const cells[] = {"S-K1", "S-K2-1", "S-K3",  "S-A1",  "S-K2-2",
                                        "S-C",  "S-M",    "S-C&M", "S-KMA", "S-KSA"};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        char attack[96];
        (void)snprintf(attack, sizeof attack, "{cell: %s, variant: wrong-role, at: 10 s}",
                       cells[i]);
        struct case_run *on = attacked(OPEN_LINE, attack, "");
        ck_assert_uint_gt(first(on)->forged, 0);
        ck_assert_uint_eq(first(on)->accepted, 0);
        ck_assert_double_lt(first(on)->alarm_s, 2.0);
        ck_assert_uint_gt(case_events(on, "alarm raised denied"), 0);
        ck_assert_uint_eq(case_events(on, "alarm raised auth_failure"), 0);
        case_run_free(on);
        struct case_run *off = attacked(OPEN_LINE, attack, "authorization: off");
        ck_assert_uint_gt(first(off)->accepted, 0);
        case_run_free(off);
    }
}
END_TEST

#ifdef QKDN_HAVE_SIMGRID
/* One cell for each surface, in the other engine; one run in each process. */
static const struct {
    const char *cell, *variant, *measures;
} grid[] = {
    {"E-K1", "key-data", "record_encryption: off"},
    {"D-K2-1", "key-data", "relay_tag: off"},
    {"E-K3", "key-data", "record_encryption: off"},
    {"S-A1", "wrong-role", "authorization: off"},
    {"D-K2-2", "compare", "record_authentication: off"},
    {"D-C", "replay", "replay_window: off"},
    {"S-M", "without-credentials", "record_encryption: off, record_authentication: off"},
    {"D-C&M", "status", "record_authentication: off"},
    {"S-KMA", "as-module", "record_encryption: off, record_authentication: off"},
    {"S-KSA", "keys-of-others", "authorization: off"},
};

START_TEST(all_surfaces_in_simgrid)
{
    bool off = _i % 2 == 1;
    char attack[96];
    (void)snprintf(attack, sizeof attack, "{cell: %s, variant: %s, " WHEN "}", grid[_i / 2].cell,
                   grid[_i / 2].variant);
    struct case_run *run = attacked_in(SCN_ENGINE_SIMGRID, OPEN_LINE, attack,
                                       off ? grid[_i / 2].measures : "");
    const struct scn_attack_summary *a = first(run);
    ck_assert_uint_gt(a->seen, 0);
    ck_assert_int_eq(a->leaked_bits > 0 || a->accepted > 0, off);
    case_run_free(run);
}
END_TEST
#endif

/* An application of its own right asks for all 40 keys of another pair, as soon as they are there. */
START_TEST(keys_of_others_stay_theirs)
{
    const char *attack = "{cell: S-KSA, variant: keys-of-others, " WHEN "}";
    struct case_run *benign = attacked(OPEN_LINE, "", "");
    struct case_run *on = attacked(OPEN_LINE, attack, "");
    ck_assert_uint_eq(first(on)->seen, 41); /* one attempt to open, 40 questions */
    ck_assert_uint_eq(first(on)->leaked_bits, 0);
    ck_assert_uint_eq(on->summary.requests.served, benign->summary.requests.served);
    ck_assert_uint_gt(case_events(on, "alarm raised denied"), 0);
    struct case_run *off = attacked(OPEN_LINE, attack, "authorization: off");
    ck_assert_uint_eq(first(off)->leaked_bits, 10240);
    case_run_free(benign);
    case_run_free(on);
    case_run_free(off);
}
END_TEST

/* An image of all stores: sealed values give nothing away, open ones every bit of key in store. The run goes
 * on as if nothing had been, byte for byte. */
START_TEST(a_stolen_store_tells_nothing)
{
    struct case_run *plain = attacked(OPEN_LINE, "", "");
    struct case_run *on = attacked(OPEN_LINE, "{cell: E-KMA, variant: store-image, at: 30 s}", "");
    ck_assert_uint_gt(first(on)->seen, 0);
    ck_assert_uint_eq(first(on)->read, 0);
    ck_assert_uint_eq(first(on)->leaked_bits, 0);
    ck_assert_uint_eq(plain->summary.trace_digest, on->summary.trace_digest);
    struct case_run *off = attacked(OPEN_LINE, "{cell: E-KMA, variant: store-image, at: 30 s}",
                                    "storage_protection: off");
    ck_assert_uint_eq(first(off)->read, first(off)->seen);
    /* 100 kbit/s for at most 30 s on each of two links: each block lies at both ends, and counts once */
    ck_assert_uint_gt(first(off)->leaked_bits, 2 * 2000000);
    ck_assert_uint_le(first(off)->leaked_bits, 2 * 3000000);
    case_run_free(plain);
    case_run_free(on);
    case_run_free(off);
}
END_TEST

/* The last node stands still for a second, and bits flip on its disk: what is sealed does not open, and the
 * store is not used any more; what is not is believed. Keys are served again in either case. */
START_TEST(a_store_that_rots_is_noticed)
{
    const char *attack = "{cell: D-KMA, variant: store-rots, at: 10 s, for: 1 s}";
    struct case_run *on = attacked(OPEN_LINE, attack, "");
    ck_assert_uint_gt(first(on)->forged, 0);
    ck_assert_uint_eq(first(on)->accepted, 0);
    ck_assert_double_eq_tol(first(on)->detect_s, 1.0, 1e-6);
    ck_assert_uint_gt(on->summary.requests.served, 90);
    struct case_run *off = attacked(OPEN_LINE, attack, "storage_protection: off");
    ck_assert_uint_eq(first(off)->accepted, first(off)->forged);
    ck_assert_uint_eq(off->summary.mismatched_pairs, 0); /* tags do not verify under rotten pads */
    case_run_free(on);
    case_run_free(off);
}
END_TEST

/* Destroyed with its store for two seconds: no number is used again, and keys are served after. */
START_TEST(who_was_destroyed_comes_back)
{
    static const char *const cells[] = {"KMA", "KSA"};
    for (int i = 0; i < 2; i++) {
        char attack[96];
        (void)snprintf(attack, sizeof attack,
                       "{surface: %s, what: destroy, at: 10 s, for: 2 s, node: C}", cells[i]);
        struct case_run *on = attacked(OPEN_LINE, attack, "");
        ck_assert_uint_eq(first(on)->seen, 1);
        ck_assert_uint_gt(on->summary.requests.served, 100);
        ck_assert_uint_eq(on->summary.mismatched_pairs, 0);
        struct case_run *off = attacked(OPEN_LINE, attack, "fresh_start: off");
        ck_assert_uint_lt(off->summary.requests.served, on->summary.requests.served);
        case_run_free(on);
        case_run_free(off);
    }
}
END_TEST

/* An application that asks whether keys of others are there, or to delete them. */
START_TEST(keys_of_others_stay_unseen_and_where_they_are)
{
    static const char *const variants[] = {"{cell: E-KSA, variant: id-probing, " WHEN "}",
                                           "{cell: D-KSA, variant: deletes-keys-of-others, " WHEN
                                           "}"};
    for (int i = 0; i < 2; i++) {
        struct case_run *on = attacked(OPEN_LINE, variants[i], "");
        ck_assert_uint_eq(first(on)->accepted, 0);
        struct case_run *off = attacked(OPEN_LINE, variants[i], "authorization: off");
        ck_assert_uint_eq(first(off)->accepted, 40); /* two keys a second for 20 seconds */
        case_run_free(on);
        case_run_free(off);
    }
}
END_TEST

/* What no measure stands against, because it does no harm: frames out of order lose nothing, nor do lost key
 * files while the store lasts; a lost answer is a lost key, which nobody else gets. */
START_TEST(order_and_loss_do_no_harm)
{
    struct case_run *benign = attacked(OPEN_LINE, "", "");
    static const char *const attacks[] = {
        "{surface: K2-1, what: delay, message: relay, delay: 300 ms, probability: 0.5, " WHEN "}",
        "{surface: K1, what: drop, message: key-file, probability: 0.5, " WHEN "}",
        "{surface: A1, what: drop, message: key-supply, probability: 0.5, " WHEN "}",
    };
    for (int i = 0; i < 3; i++) {
        struct case_run *run = attacked(OPEN_LINE, attacks[i], "");
        ck_assert_uint_gt(first(run)->touched, 10);
        ck_assert_uint_eq(run->summary.mismatched_pairs, 0);
        if (i < 2) {
            ck_assert_uint_eq(run->summary.requests.served, benign->summary.requests.served);
        }
        case_run_free(run);
    }
    case_run_free(benign);
}
END_TEST

/* Downgrade: little key on B C, so that most keys cross it under AES-256. Who breaks that knows exactly those,
 * and each of them was told as not information-theoretically secure. */
START_TEST(what_aes_gives_away_is_marked)
{
    struct case_run *run = attacked(
        "scenario: downgrade\nseed: 1\nduration: 60 s\nengine: fast\n"
        "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"
        "    - {id: AB, ends: [A, B], initial: 4 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BC, ends: [B, C], initial: 40 kbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "key_management: {fallback: aes-256, fallback_reserve: 16 kbit}\n"
        "applications:\n  - {id: x, from: A, to: C, arrivals: periodic, rate: 10 /s, start: 5 s, "
        "stop: 15050 ms, level: otp-preferred}\n",
        "{cell: E-K2-1, variant: key-data-unbounded}", "");
    ck_assert_uint_gt(first(run)->leaked_bits, 0);
    ck_assert_uint_eq(first(run)->leaked_bits, run->summary.supplied_aes_bits);
    ck_assert_uint_eq(first(run)->marked_bits, first(run)->leaked_bits);
    case_run_free(run);
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
#ifdef QKDN_HAVE_SIMGRID
    tcase_add_loop_test(tests, all_surfaces_in_simgrid, 0, 2 * sizeof grid / sizeof grid[0]);
#endif
    tcase_add_test(tests, a_forged_frame_burns_no_pad);
    tcase_add_test(tests, a_wrong_role_is_denied);
    tcase_add_test(tests, keys_of_others_stay_theirs);
    tcase_add_test(tests, a_stolen_store_tells_nothing);
    tcase_add_test(tests, a_store_that_rots_is_noticed);
    tcase_add_test(tests, who_was_destroyed_comes_back);
    tcase_add_test(tests, keys_of_others_stay_unseen_and_where_they_are);
    tcase_add_test(tests, order_and_loss_do_no_harm);
    tcase_add_test(tests, what_aes_gives_away_is_marked);
    tcase_add_test(tests, a_forgery_breaks_a_rule_unless_a_measure_is_off);
    tcase_add_test(tests, attackers_meet_only_where_and_when_they_are);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
