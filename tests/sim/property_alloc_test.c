/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steady state of a whole fast world: no allocation per message (docs/architecture.md, "Scale").
 * Topology: line A - B - C - D with relayed keys in both directions and a neighbour pair, oracle on.
 * Allocations of our own objects are counted over 60 simulated seconds after 60 of warm-up. What
 * remains is growth toward limits, in chunks: the KSA's memory of answered commands (128 at a time,
 * core/km/ksa_recent.h), quantiles of the statistics, and a few calls per key block. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/alloc_count.h"
#include "tests/lib/sim_case.h"

static const char scenario[] =
    "scenario: steady\n"
    "seed: 4\n"
    "duration: 122 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 2 Mbit/s}, store: 100 Mbit}\n"
    "    - {id: BC, ends: [B, C], length: 10 km, qkd: {rate: 2 Mbit/s}, store: 100 Mbit}\n"
    "    - {id: CD, ends: [C, D], length: 10 km, qkd: {rate: 2 Mbit/s}, store: 100 Mbit}\n"
    "key_management: {fetch_within: 5 s, timer: 10 s}\n"
    "applications:\n"
    "  - {id: east, from: A, to: D, rate: 100 /s}\n"
    "  - {id: west, from: D, to: A, rate: 50 /s}\n"
    "  - {id: near, from: B, to: C, rate: 50 /s}\n";

enum { FROM_S = 60, TO_S = 120 };

struct count {
    uint64_t messages, allocations;
    bool counting;
};

/* Check's assertions allocate, so none is used here. */
static void observe(void *ctx, int64_t now_ns, const struct qkd_send *send, const uint8_t *observed)
{
    struct count *count = ctx;
    (void)send;
    (void)observed;
    if (now_ns < FROM_S * QKD_NS_PER_S) {
        return;
    }
    if (!count->counting && count->messages == 0) {
        count->counting = true;
        alloc_count_begin();
    }
    if (count->counting && now_ns >= TO_S * QKD_NS_PER_S) {
        count->counting = false;
        count->allocations = alloc_count_end();
    }
    count->messages += count->counting;
}

START_TEST(steady)
{
    struct count count = {0};
    /* Without the collector of records, which would allocate in this process. */
    struct scn_text text = {.name = "test", .text = scenario, .len = sizeof(scenario) - 1};
    struct scn_scenario *loaded = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load_text(&text, NULL, &loaded, &errors), 0);
    scn_errors_fini(&errors);
    struct scn_summary summary;
    ck_assert_int_eq(scn_summary_init(&summary, loaded), 0);
    struct sim_world *world = NULL;
    ck_assert_int_eq(sim_world_new(loaded, &(struct sim_options){0}, &summary, &world), 0);
    sim_world_hook(world, &(struct sim_hooks){.observe = observe, .observe_ctx = &count});
    ck_assert_int_eq(sim_world_run(world), 0);
    ck_assert_uint_eq(summary.oracle.violations, 0);
    ck_assert_uint_gt(summary.requests.served, 10000);
    ck_assert(!count.counting);
    ck_assert_uint_gt(count.messages, 50000);
    ck_assert_msg(count.allocations * 400 < count.messages,
                  "%" PRIu64 " allocations for %" PRIu64 " messages", count.allocations,
                  count.messages);
    sim_world_free(world);
    scn_summary_fini(&summary);
    scn_free(loaded);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("property_alloc");
    TCase *tc = tcase_create("alloc");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, steady);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
