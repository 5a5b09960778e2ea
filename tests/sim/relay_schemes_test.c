/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schemes of key relay in whole worlds (docs/protocol.md, "Schemes of key relay"): what links and keys are booked
 * as, to the bit; by scenario and by application; under crashes and losses. The oracle judges every run: the same
 * key at both ends, no key bits on a link, and that a key crosses the network as its application asks.
 * Topology: a line A B C D. Costs by hand: a RELAY of a 256-bit key takes 138 + 32 bytes of pad and 16 of tag, a
 * TAKE 32 of key, 32 of compare key (booked as tags) and 16 of tag. */
#include "tests/sim/world_lib.h"

enum { KEYS = 300, BODY_BITS = 8 * (138 + 32), KEY_BITS = 256, COMPARE_BITS = 256, TAG_BITS = 128 };

static struct lib_run run;

/* KEYS requests of one key from A to D; then nothing more. */
static const char *text(const char *key_management, const char *application)
{
    static char buffer[2048];
    (void)snprintf(
        buffer, sizeof buffer,
        "scenario: line\nduration: 60 s\nengine: fast\n"
        "network:\n  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n  links:\n"
        "    - {id: AB, ends: [A, B], initial: 1 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BC, ends: [B, C], initial: 1 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: CD, ends: [C, D], initial: 1 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "key_management: {%s}\n"
        "applications:\n"
        "  - {id: x, from: A, to: D, arrivals: periodic, rate: 10 /s, start: 5 s, "
        "stop: 35050 ms%s}\n",
        key_management, application);
    return buffer;
}

static void all_served(uint64_t keys)
{
    ck_assert_uint_eq(run.summary.requests.total, keys);
    ck_assert_uint_eq(run.summary.requests.served, keys);
    ck_assert_uint_eq(run.summary.keys.supplied, keys * KEY_BITS);
}

/* Bits of tags on a link beside those of frames with keys: confirmations, in whole tags. */
static uint64_t other_tags(size_t link, uint64_t of_keys)
{
    uint64_t tags = run.summary.links[link].bits.tags;
    ck_assert_uint_ge(tags, of_keys);
    ck_assert_uint_eq((tags - of_keys) % TAG_BITS, 0);
    return tags - of_keys;
}

static void link_relayed(size_t link, uint64_t keys)
{
    const struct scn_bits *bits = &run.summary.links[link].bits;
    ck_assert_uint_eq(bits->pads, keys * BODY_BITS);
    ck_assert_uint_eq(bits->relayed_as_key, 0);
    ck_assert_uint_le(other_tags(link, keys * TAG_BITS), 100 * TAG_BITS);
}

static void link_taken(size_t link, uint64_t keys)
{
    const struct scn_bits *bits = &run.summary.links[link].bits;
    ck_assert_uint_eq(bits->pads, 0);
    ck_assert_uint_eq(bits->relayed_as_key, keys * KEY_BITS);
    ck_assert_uint_le(other_tags(link, keys * (COMPARE_BITS + TAG_BITS)), 100 * TAG_BITS);
}

START_TEST(random_key_is_drawn_and_padded)
{
    lib_run_text(&run, text("relay: hop-by-hop", ""));
    all_served(KEYS);
    ck_assert_uint_eq(run.summary.keys.drawn, KEYS * KEY_BITS);
    ck_assert_uint_eq(run.summary.keys.relayed_as_key, 0);
    for (size_t link = 0; link < 3; link++) {
        link_relayed(link, KEYS);
    }
    lib_end(&run);
}
END_TEST

static void first_key_asserts(void)
{
    all_served(KEYS);
    ck_assert_uint_eq(run.summary.keys.drawn, 0);
    ck_assert_uint_eq(run.summary.keys.relayed_as_key, KEYS * KEY_BITS);
    link_taken(0, KEYS);
    link_relayed(1, KEYS);
    link_relayed(2, KEYS);
}

START_TEST(first_key_is_booked_as_key_of_the_first_link)
{
    lib_run_text(&run, text("relay: hop-by-hop-first-key", ""));
    first_key_asserts();
    lib_end(&run);
}
END_TEST

/* What the application says outweighs the scenario. */
START_TEST(application_chooses)
{
    lib_run_text(&run, text("relay: hop-by-hop", ", relay: hop-by-hop-first-key"));
    first_key_asserts();
    lib_end(&run);
}
END_TEST

/* Frames are lost, doubled and held back, and each node falls once: what both ends get is still the same. */
static void disturbed(const char *relay, double least_fraction)
{
    char keys[512];
    (void)snprintf(keys, sizeof keys,
                   "relay: %s, batch: 4, retransmit: 50 ms}\n"
                   "faults:\n  - {at: 10 s, node: B, what: crash, for: 500 ms}\n"
                   "  - {at: 15 s, node: C, what: crash, for: 500 ms, output: 40}\n"
                   "  - {at: 20 s, node: D, what: crash, for: 500 ms}\n"
                   "  - {at: 25 s, node: A, what: crash, for: 500 ms, output: 100}\n"
                   "control: {status_period: 500 ms",
                   relay);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        lib_begin(&run, text(keys, ", count: 6"));
        run.scenario->seed = seed;
        run.scenario->classical.loss = run.scenario->classical.duplicate = 0.03;
        run.scenario->classical.reorder = 0.05;
        lib_go(&run);
        lib_good(&run);
        ck_assert_double_ge((double)run.summary.requests.served,
                            least_fraction * (double)run.summary.requests.total);
        lib_end(&run);
    }
}

/* The first link gives the key, the others pads of the same length, compare key included. */
START_TEST(destination_pays_no_metadata)
{
    lib_run_text(&run, text("relay: destination", ""));
    all_served(KEYS);
    ck_assert_uint_eq(run.summary.keys.drawn, 0);
    ck_assert_uint_eq(run.summary.keys.relayed_as_key, KEYS * KEY_BITS);
    link_taken(0, KEYS);
    for (size_t link = 1; link < 3; link++) {
        const struct scn_bits *bits = &run.summary.links[link].bits;
        ck_assert_uint_eq(bits->pads, KEYS * (KEY_BITS + COMPARE_BITS));
        ck_assert_uint_eq(bits->relayed_as_key, 0);
        ck_assert_uint_le(other_tags(link, KEYS * TAG_BITS), 100 * TAG_BITS);
    }
    lib_end(&run);
}
END_TEST

/* k n in all: each link of each way pays for a share, with two bytes that number it. */
START_TEST(multipath_pays_a_share_on_each_link)
{
    enum { WAYS = 3, SHARE_BODY_BITS = BODY_BITS + 16 };
    char net[2048];
    size_t len = (size_t)snprintf(net, sizeof net,
                                  "scenario: ways\nduration: 60 s\nengine: fast\nnetwork:\n"
                                  "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}, {id: E}]\n"
                                  "  links:\n");
    for (unsigned i = 0; i < 2 * WAYS; i++) {
        len += (size_t)snprintf(net + len, sizeof net - len,
                                "    - {id: L%u, ends: [%c, %c], initial: 1 Mbit, qkd: {model: "
                                "rate, rate: 1 bit/s}}\n",
                                i, i % 2 == 0 ? 'A' : 'E', 'B' + (int)i / 2);
    }
    (void)snprintf(net + len, sizeof net - len,
                   "key_management: {relay: multipath, paths: 2}\n"
                   "applications:\n"
                   "  - {id: x, from: A, to: E, arrivals: periodic, rate: 10 /s, start: 5 s, "
                   "stop: 35050 ms, paths: 3}\n");
    lib_run_text(&run, net);
    all_served(KEYS);
    ck_assert_uint_eq(run.summary.keys.drawn, KEYS * KEY_BITS); /* once, not once per share */
    for (size_t link = 0; link < 2 * (size_t)WAYS; link++) {
        const struct scn_bits *bits = &run.summary.links[link].bits;
        ck_assert_uint_eq(bits->pads, KEYS * SHARE_BODY_BITS);
        ck_assert_uint_le(other_tags(link, KEYS * TAG_BITS), 100 * TAG_BITS);
    }
    lib_end(&run);
}
END_TEST

/* On a line there is one way: no key, and nothing is spent. */
START_TEST(multipath_without_a_second_way)
{
    lib_run_text(&run, text("relay: multipath", ""));
    ck_assert_uint_eq(run.summary.requests.refused, KEYS);
    ck_assert_uint_eq(run.summary.bits.pads, 0);
    lib_end(&run);
}
END_TEST

START_TEST(destination_in_a_disturbed_network)
{
    disturbed("destination", 0.5);
}
END_TEST

START_TEST(first_key_in_a_disturbed_network)
{
    disturbed("hop-by-hop-first-key", 0.5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay schemes");
    TCase *tc = tcase_create("relay schemes");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, random_key_is_drawn_and_padded);
    tcase_add_test(tc, first_key_is_booked_as_key_of_the_first_link);
    tcase_add_test(tc, application_chooses);
    tcase_add_test(tc, first_key_in_a_disturbed_network);
    tcase_add_test(tc, destination_pays_no_metadata);
    tcase_add_test(tc, destination_in_a_disturbed_network);
    tcase_add_test(tc, multipath_pays_a_share_on_each_link);
    tcase_add_test(tc, multipath_without_a_second_way);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
