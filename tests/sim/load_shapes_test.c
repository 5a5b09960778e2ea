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

int main(void)
{
    Suite *suite = suite_create("load shapes");
    TCase *tc = tcase_create("load");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, requests_come_when_they_should);
    tcase_add_test(tc, streams_are_their_own);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
