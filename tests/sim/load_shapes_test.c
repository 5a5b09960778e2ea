/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The load of a scenario in the fast world: requests come when the scenario's arrivals say so, each
 * application by its own stream; what comes in the warm-up runs but is not counted. */
#include <math.h>

#include "tests/sim/world_lib.h"

#define S INT64_C(1000000000)

#define NETWORK                                                                                    \
    "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"                                   \
    "    - {id: AB, ends: [A, B], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"                       \
    "    - {id: BC, ends: [B, C], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"

static struct lib_run one, two;

/* Fixed periods of 3 s on and 5 s off, from 2 s: no request outside them, 40 /s inside. A day of
 * 40 s with two levels; a sinusoid of the same day that is twice as high at its peak as on the
 * average. Counts within 4 standard errors of their Poisson law. */
START_TEST(requests_come_when_they_should)
{
    lib_run_text(&one, "scenario: t\nduration: 80 s\nengine: fast\n" NETWORK "applications:\n"
                       "  - {id: burst, from: A, to: C, arrivals: on-off, rate: 40 /s, on_time: 3 "
                       "s, off_time: 5 s, periods: fixed, offset: 2 s}\n"
                       "  - {id: shift, from: C, to: A, arrivals: diurnal, day: 40 s, profile: [[0 "
                       "s, 5 /s], [10 s, 50 /s], [30 s, 0]]}\n"
                       "  - {id: wave, from: A, to: B, arrivals: diurnal, day: 40 s, peak: 10 s, "
                       "rate: 40 /s}\n");
    double counts[3] = {0, 0, 0};
    double high[3] = {0, 0, 0}; /* shift: in the second level; wave: in the half around its peak */
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *request = &one.requests[i];
        int64_t in_day_ns = request->start_ns % (40 * S);
        counts[request->application]++;
        if (request->application == 0) {
            ck_assert_int_ge(request->start_ns, 2 * S);
            ck_assert_int_lt((request->start_ns - 2 * S) % (8 * S), 3 * S);
        } else if (request->application == 1) {
            ck_assert_int_lt(in_day_ns, 30 * S);
            high[1] += in_day_ns >= 10 * S ? 1 : 0;
        } else {
            high[2] += in_day_ns < 20 * S ? 1 : 0;
        }
    }
    /* 2 s + 10 cycles of 8 s: ten on periods, the last from 74 s to 77 s. */
    static const double want[3] = {10 * 3 * 40, 2 * (10 * 5 + 20 * 50), 80 * 20};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(counts[i], want[i], 4 * sqrt(want[i]));
    }
    double half = 20 * (0.5 + 1 / acos(-1.0)) * 40; /* 20 s around the peak: 40 (1/2 + 1/pi) /s */
    ck_assert_double_eq_tol(high[1], 2000, 4 * sqrt(2000));
    ck_assert_double_eq_tol(high[2], 2 * half, 4 * sqrt(2 * half));
    ck_assert_uint_eq(one.summary.requests.total, one.request_count);
    ck_assert_uint_gt(one.summary.requests.served, one.request_count * 95 / 100);
    lib_end(&one);
}
END_TEST

/* Another application, of a kind that draws much, changes nobody else's arrivals. */
START_TEST(streams_are_their_own)
{
#define BASE                                                                                       \
    "scenario: t\nduration: 30 s\nengine: fast\n" NETWORK "applications:\n"                        \
    "  - {id: a, from: A, to: C, arrivals: on-off, rate: 20 /s, on_time: 1 s, off_time: 1 s}\n"    \
    "  - {id: b, from: C, to: A, arrivals: diurnal, day: 10 s, rate: 20 /s, peak: 3 s}\n"
    lib_run_text(&one, BASE);
    lib_run_text(&two, BASE "  - {id: c, from: B, to: A, arrivals: diurnal, rate: 30 /s, "
                            "trough: 20 /s, peak: 0}\n");
    size_t matched = 0;
    for (size_t i = 0; i < two.request_count; i++) {
        bool found = two.requests[i].application == 2;
        for (size_t k = 0; k < one.request_count && !found; k++) {
            found = one.requests[k].start_ns == two.requests[i].start_ns &&
                    one.requests[k].application == two.requests[i].application;
        }
        ck_assert(found);
        matched += two.requests[i].application != 2 ? 1 : 0;
    }
    ck_assert_uint_eq(matched, one.request_count);
    ck_assert_uint_gt(matched, 300);
    ck_assert_uint_gt(two.request_count, matched + 300);
    lib_end(&one);
    lib_end(&two);
}
END_TEST

/* ---- seeds ---- */

#define RANDOM                                                                                     \
    "duration: 20 s\nengine: fast\nnetwork:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"     \
    "    - {id: AB, ends: [A, B], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"                       \
    "    - {id: BC, ends: [B, C], qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"                       \
    "  classical: {loss: 1 %, duplicate: 1 %, reorder: 2 %}\napplications:\n"                      \
    "  - {id: a, from: A, to: C, rate: 10 /s}\n  - {id: b, from: C, to: A, rate: 10 /s}\n"

/* RANDOM with this head, and overrides. */
static void seeded_run(struct lib_run *run, const char *head, const char *set)
{
    static char text[2048];
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    (void)snprintf(text, sizeof(text), "scenario: t\n%s\n%s", head, RANDOM);
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    struct scn_sets sets = {.texts = &set, .count = set == NULL ? 0 : 1};
    lib_begin(run, text);
    ck_assert_int_eq(scn_load_text(&input, &sets, &scenario, &errors), 0);
    scn_errors_fini(&errors);
    scn_free(run->scenario);
    run->scenario = scenario;
    lib_go(run);
    lib_good(run);
}

/* Whether the requests of an application came at the same times in both runs. */
static bool same_arrivals(uint32_t application)
{
    size_t i = 0;
    size_t k = 0;
    static int64_t times[2][LIB_REQUESTS];
    size_t counts[2] = {0, 0};
    for (; i < one.request_count; i++) {
        if (one.requests[i].application == application) {
            times[0][counts[0]++] = one.requests[i].start_ns;
        }
    }
    for (; k < two.request_count; k++) {
        if (two.requests[k].application == application) {
            times[1][counts[1]++] = two.requests[k].start_ns;
        }
    }
    if (counts[0] != counts[1]) {
        return false;
    }
    for (size_t n = 0; n < counts[0]; n++) { /* requests are told in the order of their ends */
        bool found = false;
        for (size_t m = 0; m < counts[1] && !found; m++) {
            found = times[0][n] == times[1][m];
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Each stream can be varied alone; what is not varied comes as before. */
START_TEST(one_stream_alone)
{
    static const struct {
        const char *head, *set;
        bool same_run, same_a, same_b;
    } cases[] = {
        {"seed: 5", NULL, true, true, true},
        {"seed: 6", NULL, false, false, false},
        {"seed: 5\nseeds: {arrivals: 5, links: 5, losses: 5, elements: 5}", NULL, true, true, true},
        /* what is left of `seed` when all streams are given: nothing */
        {"seed: 9\nseeds: {arrivals: 5, links: 5, losses: 5, elements: 5}", NULL, true, true, true},
        {"seed: 5\nseeds: {arrivals: 6}", NULL, false, false, false},
        {"seed: 5\nseeds: {links: 6}", NULL, false, true, true},
        {"seed: 5\nseeds: {losses: 6}", NULL, false, true, true},
        {"seed: 5\nseeds: {elements: 6}", NULL, false, true, true},
        {"seed: 5", "applications[a].seed=6", false, false, true},
        {"seed: 5", "applications[a].seed=5", true, true, true},
        {"seed: 9\nseeds: {arrivals: 5}", "applications[b].seed=6", false, true, false},
        {"seed: 5", "network.links[BC].seed=6", false, true, true},
    };
    seeded_run(&one, "seed: 5", NULL);
    ck_assert_uint_gt(one.request_count, 300);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seeded_run(&two, cases[i].head, cases[i].set);
        ck_assert_msg((one.summary.trace_digest == two.summary.trace_digest) == cases[i].same_run,
                      "case %zu: digest", i);
        ck_assert_msg(same_arrivals(0) == cases[i].same_a, "case %zu: a", i);
        ck_assert_msg(same_arrivals(1) == cases[i].same_b, "case %zu: b", i);
        lib_end(&two);
    }
    lib_end(&one);
}
END_TEST

/* ---- warm-up ---- */

/* The same run with and without a warm-up: the same requests with the same ends, the same ledgers;
 * only those that came after the warm-up are counted, in the run and per application. */
START_TEST(warmup_runs_but_is_not_counted)
{
    seeded_run(&one, "seed: 5", NULL);
    seeded_run(&two, "seed: 5\nwarmup: 8 s", NULL);
    ck_assert_uint_eq(one.request_count, two.request_count);
    uint64_t late[2] = {0, 0};
    uint64_t served = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *a = &one.requests[i];
        const struct lib_request *b = &two.requests[i];
        ck_assert_uint_eq(a->number, b->number);
        ck_assert_int_eq(a->start_ns, b->start_ns);
        ck_assert_int_eq(a->end_ns, b->end_ns);
        ck_assert_str_eq(a->outcome, b->outcome);
        late[a->application] += a->start_ns >= 8 * S ? 1 : 0;
        served += a->start_ns >= 8 * S && strcmp(a->outcome, "served") == 0 ? 1 : 0;
    }
    ck_assert_uint_gt(late[0], 80);
    ck_assert_uint_lt(late[0] + late[1], one.request_count - 100);
    ck_assert_uint_eq(one.summary.requests.total, one.request_count);
    ck_assert_uint_eq(two.summary.requests.total, late[0] + late[1]);
    ck_assert_uint_eq(two.summary.requests.served, served);
    ck_assert_uint_eq(two.summary.applications[0].requests.total, late[0]);
    ck_assert_uint_eq(two.summary.applications[1].requests.total, late[1]);
    ck_assert_uint_eq(two.summary.latency.count, served);
    ck_assert_mem_eq(&one.summary.bits, &two.summary.bits, sizeof one.summary.bits);
    ck_assert_mem_eq(&one.summary.keys, &two.summary.keys, sizeof one.summary.keys);
    ck_assert_uint_gt(one.summary.bits.pads, 0);
    /* Pools fill at first: after the warm-up the least level is a higher one. */
    ck_assert_uint_gt(two.summary.links[0].pool_min_bits,
                      one.summary.links[0].pool_min_bits + 1000000);
    ck_assert_uint_eq(one.summary.links[0].pool_end_bits, two.summary.links[0].pool_end_bits);
    lib_end(&one);
    lib_end(&two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load shapes");
    TCase *tc = tcase_create("load");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, requests_come_when_they_should);
    tcase_add_test(tc, streams_are_their_own);
    tcase_add_test(tc, one_stream_alone);
    tcase_add_test(tc, warmup_runs_but_is_not_counted);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
