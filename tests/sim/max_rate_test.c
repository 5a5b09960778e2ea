/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Highest rates of applications, and access by level (docs/scenario.md): who asks for more than `max_rate` is
 * refused what is beyond it, and his neighbours notice nothing. A line of three nodes with key in plenty; the
 * figures are those of a bucket that holds one second: rate * time + one second's, in whole keys. */
#include "tests/sim/world_lib.h"

static struct lib_run run;

static const char network[] =
    "scenario: quota\n"
    "duration: 100 s\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "  - {id: AB, ends: [A, B], initial: 4 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "  - {id: BC, ends: [B, C], initial: 4 Mbit, qkd: {rate: 40 kbit/s, block: 40 kbit}}\n"
    "applications:\n"
    "  - {id: flood, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 20 /s, start: 10 s, "
    "stop: 90 s, max_rate: 512 bit/s, level: any}\n"
    "  - {id: calm, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 2 /s, start: 10 s, "
    "stop: 90 s, level: otp-only}\n"
    "  - {id: large, from: B, to: C, key: 4096 bit, arrivals: periodic, rate: 1 /s, start: 10 s, "
    "stop: 90 s, max_rate: 1024 bit/s}\n";

static size_t ended(uint32_t application, const char *outcome, const char *reason)
{
    size_t count = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        count += r->application == application && strcmp(r->outcome, outcome) == 0 &&
                         strcmp(r->reason, reason) == 0
                     ? 1
                     : 0;
    }
    return count;
}

static size_t asked(uint32_t application)
{
    size_t count = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        count += run.requests[i].application == application ? 1 : 0;
    }
    return count;
}

/* flood: 2 keys a second and 2 in advance: 162 in 80 s. large: a key is four seconds' worth and passes
 * with a full bucket, then once the debt of three seconds is paid and the bucket full again: 20. */
START_TEST(beyond_it_is_refused)
{
    lib_run_text(&run, network);
    size_t flood = ended(0, "served", "none");
    ck_assert_uint_ge(flood, 159);
    ck_assert_uint_le(flood, 162);
    ck_assert_uint_eq(flood + ended(0, "refused", "over_rate"), asked(0));
    ck_assert_uint_eq(ended(1, "served", "none"), asked(1));
    size_t large = ended(2, "served", "none");
    ck_assert_uint_ge(large, 15);
    ck_assert_uint_le(large, 21);
    ck_assert_uint_eq(large + ended(2, "refused", "over_rate"), asked(2));
    lib_end(&run);
}
END_TEST

START_TEST(access_by_level)
{
    char text[4096];
    snprintf(text, sizeof text, "%saccess:\n  - {rule: deny, level: otp-only}\n", network);
    lib_run_text(&run, text);
    ck_assert_uint_eq(ended(1, "refused", "access_denied"), asked(1));
    ck_assert_uint_gt(asked(1), 150);
    ck_assert_uint_ge(ended(0, "served", "none"), 159);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("max_rate");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, beyond_it_is_refused);
    tcase_add_test(tests, access_by_level);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
