/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a key of AES-256 has served its time (core/km/kma_fallback.c). Limits: 2^32 frames, 2^36 bytes or T seconds,
 * whichever comes first (rule F-3 of the fallback policy, X.1712 note 5); NIST SP 800-38D clause 8.3 allows 2^32
 * invocations. */
#include <check.h>
#include <stdlib.h>

#include "core/km/kma_internal.h"

static const struct qkd_time begin = {1000};
static const struct qkd_span rekey = {5000};

static struct kma_fallback fresh(void)
{
    return (struct kma_fallback){.tx.is_there = true, .since = begin};
}

START_TEST(none_is_there)
{
    struct kma_fallback f = fresh();
    f.tx.is_there = false;
    ck_assert(kma_fallback_due(&f, begin, 1, rekey));
}
END_TEST

START_TEST(frames)
{
    struct kma_fallback f = fresh();
    f.count = 4294967295; /* the next is the last */
    ck_assert(!kma_fallback_due(&f, begin, 1, rekey));
    f.count = 4294967296;
    ck_assert(kma_fallback_due(&f, begin, 1, rekey));
}
END_TEST

START_TEST(bytes)
{
    struct kma_fallback f = fresh();
    f.bytes = 68719476736 - 200;
    ck_assert(!kma_fallback_due(&f, begin, 200, rekey));
    ck_assert(kma_fallback_due(&f, begin, 201, rekey));
}
END_TEST

START_TEST(seconds)
{
    struct kma_fallback f = fresh();
    ck_assert(!kma_fallback_due(&f, (struct qkd_time){5999}, 1, rekey));
    ck_assert(kma_fallback_due(&f, (struct qkd_time){6000}, 1, rekey));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("km_fallback");
    TCase *tc = tcase_create("due");
    tcase_add_test(tc, none_is_there);
    tcase_add_test(tc, frames);
    tcase_add_test(tc, bytes);
    tcase_add_test(tc, seconds);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
