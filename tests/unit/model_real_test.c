/* SPDX-License-Identifier: GPL-3.0-or-later */
/* models/real.h: close to the C library's long double functions, which are computed otherwise; and
 * the very same bits on every machine: FOLDED is what an implementation of the same series in Python
 * (IEEE 754 doubles, one rounding per operation, nothing fused) gives. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "models/real.h"

#define VALUES 10000
#define FOLDED UINT64_C(0xcf6274c260a7863f)

static struct qkd_rng rng;

static double between(double low, double high)
{
    return low + (high - low) * qkd_rng_unit(&rng);
}

/* |got - want| / |want| */
static double off(double got, long double want)
{
    return (double)(fabsl(got - want) / fabsl(want));
}

START_TEST(near_the_library)
{
    qkd_rng_init_named(&rng, 1, "real", 0);
    for (int i = 0; i < 20000; i++) {
        double u = qkd_rng_unit(&rng);
        double x = ldexp(between(0.5, 1), (int)between(-60, 60));
        double y = between(-0.99, 3);
        ck_assert_double_lt(off(mdl_log(u), logl(u)), 5e-16);
        ck_assert_double_lt(off(mdl_log(x), logl(x)), 5e-16);
        ck_assert_double_lt(off(mdl_log1p(y), log1pl(y)), 5e-16);
        ck_assert_double_lt(off(mdl_log1p(y * 1e-9), log1pl((long double)(y * 1e-9))), 5e-16);
        double e = between(-40, 40);
        ck_assert_double_lt(off(mdl_exp(y), expl(y)), 5e-16 * (1 + fabs(y)));
        ck_assert_double_lt(off(mdl_exp(e), expl(e)), 1e-15 * fabs(e) + 5e-16);
        double t = between(-3, 3);
        long double angle = 6.283185307179586476925L * (long double)t;
        ck_assert_double_lt((double)fabsl(mdl_cos_turns(t) - cosl(angle)), 1e-15);
        ck_assert_double_lt((double)fabsl(mdl_sin_turns(t) - sinl(angle)), 1e-15);
    }
    qkd_rng_fini(&rng);
}
END_TEST

START_TEST(ends)
{
    ck_assert(mdl_log(1) == 0 && mdl_log1p(0) == 0 && mdl_exp(0) == 1);
    ck_assert(mdl_cos_turns(0) == 1 && mdl_cos_turns(0.5) == -1 && mdl_cos_turns(7) == 1);
    ck_assert(mdl_sin_turns(0.25) == 1 && mdl_sin_turns(-0.25) == -1);
    ck_assert(isinf(mdl_log1p(-1)) && mdl_log1p(-1) < 0);
    ck_assert(mdl_exp(-800) == 0 && isinf(mdl_exp(800)));
    ck_assert_double_lt(off(mdl_log(0x1p-1074), logl(0x1p-1074L)), 5e-16);
    ck_assert_double_lt(off(mdl_log(1.7e308), logl(1.7e308L)), 5e-16);
    ck_assert_double_lt(off(mdl_exp(-700), expl(-700)), 1e-12);
}
END_TEST

/* All results folded into one number (FNV-1a), to be the same in every build and on every machine. */
static uint64_t fold(uint64_t sum, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (sum ^ bits) * UINT64_C(0x100000001b3);
}

START_TEST(same_bits)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (uint64_t i = 1; i <= VALUES; i++) {
        double u = ((double)(i * UINT64_C(0x9e3779b97f4a7c15) >> 11) + 0.5) * 0x1p-53;
        sum = fold(sum, mdl_log(u));
        sum = fold(sum, mdl_log1p(-0.9 * u));
        sum = fold(sum, mdl_exp(-30 * u));
        sum = fold(sum, mdl_cos_turns(3 * u));
        sum = fold(sum, mdl_sin_turns(u));
    }
    ck_assert_msg(sum == FOLDED, "%016" PRIx64, sum);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model real");
    TCase *tc = tcase_create("model real");
    tcase_add_test(tc, near_the_library);
    tcase_add_test(tc, ends);
    tcase_add_test(tc, same_bits);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
