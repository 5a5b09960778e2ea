/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network that is never left alone: nothing may wear out. Topology: ring of five with small stores and
 * key that expires after a minute; one per cent of the frames lost, twice or late; for 55 of 60
 * simulated minutes something fails every 5 to 40 s for up to 8 s (nodes crash, are cut off, links go
 * dark, silent or both), about 150 times. No violation, every request ends, most are served all the
 * time, and in the last minutes, when nothing fails any more, all. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/lib/sim_case.h"

enum { TEXT = 65536, FAULTS_END_S = 3300, END_S = 3600, QUIET_S = 3330 };

#define LINK(id, a, b)                                                                             \
    "    - {id: " id ", ends: [" a ", " b "], length: 20 km, store: 2 Mbit,\n"                     \
    "       qkd: {rate: 40 kbit/s, block: 100 kbit}}\n"

static const char head[] =
    "scenario: soak\n"
    "seed: 7\n"
    "duration: 3600 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}, {id: E}]\n"
    "  links:\n" LINK("AB", "A", "B") LINK("BC", "B", "C") LINK("CD", "C", "D") LINK("DE", "D", "E")
        LINK("EA", "E",
             "A") "  classical: {loss: 1 %, duplicate: 1 %, reorder: 1 %}\n"
                  "key_management: {expiry: 60 s, batch: 4, fetch_within: 10 s, timer: 60 s}\n"
                  "applications:\n"
                  "  - {id: x, from: A, to: C, rate: 3 /s, count: 2}\n"
                  "  - {id: y, from: D, to: B, rate: 3 /s}\n"
                  "  - {id: z, from: E, to: A, rate: 3 /s, wait: true}\n"
                  "faults:\n";

static void faults(char *text)
{
    static const char *const links[] = {"AB", "BC", "CD", "DE", "EA"};
    static const char *const whats[] = {"crash", "crash", "down", "both", "quantum", "classical"};
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 1, "soak", 0);
    unsigned at_s = 10;
    while (at_s < FAULTS_END_S - 10) {
        unsigned what = (unsigned)qkd_rng_below(&rng, 6);
        unsigned where = (unsigned)qkd_rng_below(&rng, 5);
        size_t len = strlen(text);
        char entity[16];
        (void)snprintf(entity, sizeof(entity), what < 3 ? "node: %.1s" : "link: %s", links[where]);
        (void)snprintf(text + len, TEXT - len, "  - {at: %u ms, for: %u ms, %s, what: %s}\n",
                       at_s * 1000 + (unsigned)qkd_rng_below(&rng, 1000),
                       1 + (unsigned)qkd_rng_below(&rng, 8000), entity, whats[what]);
        at_s += 5 + (unsigned)qkd_rng_below(&rng, 36);
    }
    qkd_rng_fini(&rng);
}

START_TEST(soak)
{
    char *text = malloc(TEXT);
    ck_assert_ptr_nonnull(text);
    memcpy(text, head, sizeof(head));
    faults(text);
    struct case_run *run = case_run_new(text, NULL);
    free(text);
    case_check(run);
    ck_assert_uint_gt(run->scenario->fault_count, 120);
    ck_assert_uint_gt(run->request_count, 30000);
    ck_assert_uint_gt(case_count(run, "served", NULL) * 100, run->request_count * 95);
    int64_t from_ns = QUIET_S * QKD_NS_PER_S;
    int64_t to_ns = (END_S - 6) * QKD_NS_PER_S;
    size_t all = case_count_between(run, NULL, from_ns, to_ns);
    ck_assert_uint_gt(all, 2000);
    ck_assert_uint_ge(case_count_between(run, "served", from_ns, to_ns) + 2, all);
    /* Each restart costs a few tags and the rest of some leases; nothing stays stored for ever. */
    for (size_t i = 0; i < run->summary.link_count; i++) {
        ck_assert(run->summary.links[i].up_end);
        ck_assert_uint_gt(run->summary.links[i].pool_end_bits, 100000);
    }
    case_run_free(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("property_soak");
    TCase *tc = tcase_create("soak");
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, soak);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
