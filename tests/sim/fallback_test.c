/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-256 fallback (X.1712 note 5; docs/protocol.md, "AES-256 fallback"): what a hop under AES-256 pays, who gets
 * such keys and who is refused, when a link enters and leaves, what a key of the cipher is used for, and that an
 * attacker who takes key away gets nobody a weaker key than he asked for (F-1 to F-6). The oracle judges each
 * run: nonces, keys of the cipher, grades told.
 * Topology: a line A B C; B C has little key. By hand: a RELAY of a 256-bit key takes 186 bytes, under AES-256 16
 * for its tag, and 32 for each key of the cipher. 8 kbit are 1,000 bytes. */
#include "tests/sim/world_lib.h"

enum { TAG_BITS = 128, CIPHER_KEY_BITS = 256, RELAY_BITS = 1488, KEY_BITS = 256 };

static struct lib_run run;

/* initial: of the link B C, whose light makes 1 bit/s. more: of the scenario. */
static const char *text(const char *initial, const char *key_management, const char *applications)
{
    static char buffer[3072];
    (void)snprintf(
        buffer, sizeof buffer,
        "scenario: line\nduration: 60 s\nengine: fast\n"
        "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"
        "    - {id: AB, ends: [A, B], initial: 4 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BC, ends: [B, C], initial: %s, qkd: {model: rate, rate: 1 bit/s}}\n"
        "key_management: {%s}\n%s",
        initial, key_management, applications);
    return buffer;
}

#define ONE(level)                                                                                 \
    "applications:\n  - {id: x, from: A, to: C, arrivals: periodic, rate: 10 /s, start: 5 s, "     \
    "stop: 15050 ms, level: " level "}\n"

/* 100 keys; B's half of 40 kbit, less what it keeps back, and what it is granted pay 20 at most. All
 * others cross B C under AES-256, which takes a tag each and one key of the cipher. */
START_TEST(a_hop_pays_a_tag_and_once_a_key)
{
    lib_run_text(&run, text("40 kbit", "fallback: aes-256, fallback_reserve: 16 kbit",
                            ONE("otp-preferred")));
    ck_assert_uint_eq(run.summary.requests.total, 100);
    ck_assert_uint_eq(run.summary.requests.served, 100);
    const struct scn_link_summary *bc = &run.summary.links[1];
    ck_assert_uint_eq(bc->frames, 100);
    ck_assert_uint_ge(bc->fallback_frames, 80);
    ck_assert_uint_lt(bc->fallback_frames, 100);
    ck_assert_uint_eq(bc->fallbacks, 1);
    ck_assert_uint_eq(bc->bits.fallback_keys, CIPHER_KEY_BITS);
    ck_assert_uint_eq(bc->bits.pads, (100 - bc->fallback_frames) * (RELAY_BITS - TAG_BITS));
    ck_assert_uint_eq(run.summary.supplied_aes_bits, bc->fallback_frames * KEY_BITS);
    ck_assert_uint_eq(run.summary.supplied_otp_bits, (100 - bc->fallback_frames) * KEY_BITS);
    ck_assert_uint_eq(run.summary.links[0].fallback_frames, 0);
    ck_assert_uint_eq(run.summary.alarms.raised, 1 + bc->exhaustions); /* fallback; pool_low */
    lib_end(&run);
}
END_TEST

/* A key of the cipher serves for 2 s: 10 s of requests take five of them or six. */
START_TEST(keys_of_the_cipher_are_renewed)
{
    lib_run_text(&run, text("40 kbit",
                            "fallback: aes-256, fallback_reserve: 16 kbit, fallback_rekey: 2 s",
                            ONE("any")));
    ck_assert_uint_eq(run.summary.requests.served, 100);
    const struct scn_bits *bits = &run.summary.links[1].bits;
    ck_assert_uint_ge(bits->fallback_keys, 5 * CIPHER_KEY_BITS);
    ck_assert_uint_le(bits->fallback_keys, 6 * CIPHER_KEY_BITS);
    lib_end(&run);
}
END_TEST

/* Refused rather than downgraded; the same where the scenario has no fallback, whatever the level. */
START_TEST(otp_only_is_refused)
{
    static const char *const how[][2] = {{"fallback: aes-256", ONE("otp-only")},
                                         {"fallback: none", ONE("any")}};
    lib_run_text(&run, text("24 kbit", how[_i][0], how[_i][1]));
    ck_assert_uint_gt(run.summary.requests.refused, 80);
    ck_assert_uint_eq(run.summary.requests.served + run.summary.requests.refused, 100);
    ck_assert_uint_eq(run.summary.supplied_aes_bits, 0);
    ck_assert_uint_eq(run.summary.links[1].fallback_frames, 0);
    lib_end(&run);
}
END_TEST

/* Each scheme that pays pads falls back; sums of link keys cannot. Ways of multipath: A B C and A C. */
START_TEST(by_scheme)
{
    static const struct {
        const char *relay, *more;
        bool falls;
    } cases[] = {{"hop-by-hop", "", true},
                 {"hop-by-hop-first-key", "", true},
                 {"destination", "", false},
                 {"hop-by-hop-first-key", "AB", true}};
    char keys[128];
    (void)snprintf(keys, sizeof keys, "fallback: aes-256, fallback_reserve: 16 kbit, relay: %s",
                   cases[_i].relay);
    lib_begin(&run, text("40 kbit", keys, ONE("otp-preferred")));
    if (cases[_i].more[0] != 0) { /* the first link has no key to give, either */
        run.scenario->links[0].initial_bits = 40000;
    }
    lib_go(&run);
    lib_good(&run);
    ck_assert_int_eq(run.summary.supplied_aes_bits > 80 * KEY_BITS, cases[_i].falls);
    ck_assert_int_eq(run.summary.requests.served == 100, cases[_i].falls);
    lib_end(&run);
}
END_TEST

/* Neighbours, too: they then share a drawn key. */
START_TEST(neighbours_fall_back)
{
    lib_run_text(&run, text("40 kbit", "fallback: aes-256, fallback_reserve: 16 kbit",
                            "applications:\n  - {id: x, from: B, to: C, arrivals: periodic, "
                            "rate: 10 /s, start: 5 s, stop: 15050 ms}\n"));
    ck_assert_uint_eq(run.summary.requests.served, 100);
    ck_assert_uint_gt(run.summary.supplied_aes_bits, 80 * KEY_BITS);
    ck_assert_uint_eq(run.summary.keys.drawn + run.summary.keys.relayed_as_key, 100 * KEY_BITS);
    lib_end(&run);
}
END_TEST

/* F-6, O-K2-1: who cuts the light of a link drains it. Nobody gets a key of a lower grade than he takes, those
 * who take AES-256 are still served, and it is seen: an alarm at each entry, which ends when there is key
 * again. */
START_TEST(a_drained_link_is_seen_and_downgrades_nobody)
{
    lib_run_text(&run,
                 "scenario: drain\nduration: 4 min\nengine: fast\n"
                 "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"
                 "    - {id: AB, ends: [A, B], qkd: {model: rate, rate: 100 kbit/s}}\n"
                 "    - {id: BC, ends: [B, C], qkd: {model: rate, rate: 20 kbit/s, block: 20 "
                 "kbit}}\n"
                 "key_management: {fallback: aes-256, store: 200 kbit, fallback_reserve: 32 kbit}\n"
                 "applications:\n"
                 "  - {id: soft, from: A, to: C, arrivals: periodic, rate: 4 /s, start: 20 s}\n"
                 "  - {id: hard, from: A, to: C, arrivals: periodic, rate: 4 /s, start: 20 s, "
                 "level: otp-only}\n"
                 "faults:\n  - {at: 60 s, link: BC, what: quantum, for: 60 s}\n");
    const struct scn_application_summary *apps = run.summary.applications;
    ck_assert_uint_eq(apps[0].requests.served, apps[0].requests.total);
    ck_assert_uint_gt(apps[1].requests.refused, 20);
    ck_assert_uint_gt(apps[1].requests.served, apps[1].requests.total / 2);
    ck_assert_uint_gt(run.summary.supplied_aes_bits, 20 * KEY_BITS);
    ck_assert_uint_ge(run.summary.pools.fallbacks, 1);
    ck_assert_uint_le(run.summary.pools.fallbacks, 4); /* it does not flap */
    ck_assert_uint_eq(run.summary.alarms.raised, run.summary.alarms.cleared);
    lib_end(&run);
}
END_TEST

/* Frames are lost, doubled and held back, and each node falls once: keys of the cipher die with their process. */
START_TEST(in_a_disturbed_network)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        lib_run_lossy(
            &run,
            text("80 kbit",
                 "fallback: aes-256, fallback_reserve: 32 kbit, fallback_rekey: 3 s, "
                 "lease: 512 bit, retransmit: 50 ms}\n"
                 "faults:\n  - {at: 10 s, node: B, what: crash, for: 500 ms}\n"
                 "  - {at: 15 s, node: C, what: crash, for: 500 ms, output: 40}\n"
                 "  - {at: 20 s, node: B, what: crash, for: 500 ms, output: 100}\n"
                 "control: {status_period: 500 ms",
                 "applications:\n  - {id: x, from: A, to: C, arrivals: poisson, rate: 5 /s, "
                 "start: 5 s, stop: 40 s, level: any}\n"),
            seed, 0.03);
        ck_assert_uint_gt(run.summary.links[1].fallback_frames, 30);
        ck_assert_double_ge((double)run.summary.requests.served,
                            0.8 * (double)run.summary.requests.total);
        lib_end(&run);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fallback");
    TCase *tc = tcase_create("worlds");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_hop_pays_a_tag_and_once_a_key);
    tcase_add_test(tc, keys_of_the_cipher_are_renewed);
    tcase_add_loop_test(tc, otp_only_is_refused, 0, 2);
    tcase_add_loop_test(tc, by_scheme, 0, 4);
    tcase_add_test(tc, neighbours_fall_back);
    tcase_add_test(tc, a_drained_link_is_seen_and_downgrades_nobody);
    tcase_add_test(tc, in_a_disturbed_network);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
