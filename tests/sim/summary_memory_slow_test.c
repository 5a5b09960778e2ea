/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run that keeps figures only (--record summary) takes no more memory when it is three times as
 * long: most resident memory of two runs, each in a process of its own, after everything that has a
 * limit (stores, remembered keys, blocks until they expire) has reached it. Exact quantiles alone would take 3 MiB more. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "analysis/store.h"
#include "sim/run.h"
#include "tests/lib/sim_case.h"

#define LINE                                                                                       \
    "scenario: long\nduration: 10 min\nkey_management: {store: 2 Mbit, expiry: 20 s}\nnetwork:\n"  \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"                                             \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 2 Mbit/s, block: 200 kbit}}\n"        \
    "    - {id: BC, ends: [B, C], length: 10 km, qkd: {rate: 2 Mbit/s, block: 200 kbit}}\n"        \
    "applications:\n"                                                                              \
    "  - {id: x, from: A, to: C, key: 256 bit, arrivals: poisson, rate: 300 /s, start: 5 s}\n"

enum { GROWTH_KIB = 1024 };

struct result {
    int rc;
    uint64_t served;
    int64_t most_kib;
};

static void run_for(void *ctx, int fd)
{
    const int64_t *until_s = ctx;
    struct scn_text text = {.name = "test", .text = LINE, .len = sizeof LINE - 1};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_summary summary;
    struct scn_sink sink = {0};
    struct ana_store *store = NULL;
    struct ana_error error = {""};
    char path[] = "/tmp/qkdn_memory_XXXXXX";
    struct result result = {.rc = scn_load_text(&text, NULL, &scenario, &errors)};
    scn_errors_fini(&errors);
    int file = mkstemp(path);
    if (result.rc != 0 || file < 0) {
        _exit(2);
    }
    struct ana_store_options keep = {path, true, ANA_RECORD_SUMMARY, NULL};
    result.rc = ana_store_open(&keep, scenario, &store, &error);
    if (result.rc == 0) {
        ana_store_sink(store, &sink);
        struct sim_options options = {.has_engine = true,
                                      .engine = SCN_ENGINE_FAST,
                                      .sink = &sink,
                                      .until_ns = *until_s * INT64_C(1000000000)};
        result.rc = scn_summary_init(&summary, scenario);
        result.rc = result.rc == 0 ? sim_run(scenario, &options, &summary) : result.rc;
        result.served = summary.requests.served;
        int end = ana_store_finish(store, &summary, &error);
        result.rc = result.rc == 0 ? end : result.rc;
    }
    (void)close(file);
    (void)unlink(path);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    result.most_kib = usage.ru_maxrss;
    _exit(write(fd, &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
}

static struct result measured(int64_t until_s)
{
    struct result result = {.rc = -1};
    ck_assert_int_eq(case_fork(run_for, &until_s, &result, sizeof result), sizeof result);
    ck_assert_int_eq(result.rc, 0);
    return result;
}

START_TEST(three_times_as_long)
{
    struct result one = measured(180);
    struct result three = measured(540);
    ck_assert_uint_gt(one.served, 50000);
    ck_assert_uint_gt(three.served, 3 * one.served);
    ck_assert_msg(three.most_kib <= one.most_kib + GROWTH_KIB, "%lld KiB, then %lld KiB",
                  (long long)one.most_kib, (long long)three.most_kib);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory of a run");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, three_times_as_long);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
