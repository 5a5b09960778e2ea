/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests whose slave never hears of its keys do not stay open: their records come while the run goes
 * on, soon after the keys can be fetched no more. The application's own message that names the keys is
 * sent once (docs/protocol.md), so each that is lost leaves such a request behind. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run.h"

#define SECOND INT64_C(1000000000)
#define LOSSY                                                                                      \
    "scenario: lossy\nduration: 60 s\nkey_management: {fetch_within: 2 s}\nnetwork:\n"             \
    "  nodes: [{id: A}, {id: B}]\n"                                                                \
    "  links: [{id: AB, ends: [A, B], length: 10 km, qkd: {rate: 1 Mbit/s, block: 100 kbit}}]\n"   \
    "  classical: {loss: 0.2}\n"                                                                   \
    "applications:\n  - {id: x, from: A, to: B, key: 256 bit, arrivals: periodic, rate: 20 /s, "   \
    "start: 5 s}\n"

static struct {
    int64_t newest_ns; /* start of the newest request that has a record */
    int64_t latest_ns; /* longest that a record came after that of a later request */
    size_t served, never_fetched;
} seen;

static void on_request(void *ctx, const struct scn_request *request)
{
    (void)ctx;
    int64_t after_ns = seen.newest_ns - request->start_ns;
    seen.latest_ns = after_ns > seen.latest_ns ? after_ns : seen.latest_ns;
    seen.newest_ns = request->start_ns > seen.newest_ns ? request->start_ns : seen.newest_ns;
    bool served = strcmp(request->outcome, "served") == 0;
    seen.served += served;
    seen.never_fetched += served && request->fetched_ns == SCN_NO_TIME;
}

START_TEST(records_come_soon)
{
    struct scn_text text = {.name = "test", .text = LOSSY, .len = sizeof LOSSY - 1};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_summary summary;
    ck_assert_msg(scn_load_text(&text, NULL, &scenario, &errors) == 0, "%s", errors.lines[0]);
    scn_errors_fini(&errors);
    struct scn_sink sink = {.request = on_request};
    struct sim_options options = {.has_engine = true, .engine = SCN_ENGINE_FAST, .sink = &sink};
    ck_assert_int_eq(sim_run(scenario, &options, &summary), 0);
    ck_assert_uint_eq(summary.oracle.violations, 0);
    ck_assert_uint_gt(seen.served, 900);
    ck_assert_uint_gt(seen.never_fetched, 100);
    /* Twice fetch_within and a second from the supply, and what the supply itself took. */
    ck_assert_int_le(seen.latest_ns, 5 * SECOND + (int64_t)(summary.latency.max * 1e9) + SECOND);
    scn_summary_fini(&summary);
    scn_free(scenario);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("open requests");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, records_come_soon);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
