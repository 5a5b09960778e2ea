/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base/rng: the stream is RFC 8439's keystream (appendix A.1, test vectors 1 and 2), cut in
 * any way; bounded draws are unbiased; named streams are independent of one another. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/lib/hex.h"

START_TEST(rng_is_chacha20)
{
    static const uint8_t seed[32];
    uint8_t want[128];
    uint8_t got[128];
    hex_bytes("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
              "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
              "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
              "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
              want, sizeof want);
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    qkd_rng_bytes(&rng, got, sizeof got);
    ck_assert_mem_eq(got, want, sizeof want);
    qkd_rng_init(&rng, seed);
    ck_assert_uint_eq(qkd_rng_u64(&rng), UINT64_C(0x903df1a0ade0b876));
    qkd_rng_fini(&rng);
    for (unsigned i = 0; i < 32; i++) {
        ck_assert_uint_eq(rng.key[i], 0);
    }
}
END_TEST

/* The stream does not depend on how it is cut into requests. */
START_TEST(rng_any_cut)
{
    static const uint8_t seed[32] = "rng cut test";
    static uint8_t whole[20000];
    static uint8_t part[700];
    struct qkd_rng rng;
    struct qkd_rng cuts;
    qkd_rng_init(&rng, seed);
    qkd_rng_bytes(&rng, whole, sizeof whole);
    qkd_rng_init(&rng, seed);
    qkd_rng_init_named(&cuts, 1, "cuts", (uint64_t)_i);
    for (size_t at = 0; at < sizeof whole;) {
        size_t len = (size_t)qkd_rng_below(&cuts, _i == 0 ? 9 : sizeof part);
        len = len < sizeof whole - at ? len : sizeof whole - at;
        qkd_rng_bytes(&rng, part, len);
        ck_assert_mem_eq(part, whole + at, len);
        at += len;
    }
}
END_TEST

/* Chi-square over 6 values, 60,000 draws: 5 degrees of freedom, the 0.999 quantile is 20.5. */
START_TEST(rng_below_uniform)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 5, "dice", 0);
    double hits[6] = {0};
    for (int i = 0; i < 60000; i++) {
        hits[qkd_rng_below(&rng, 6)] += 1;
    }
    double chi = 0;
    for (int i = 0; i < 6; i++) {
        chi += (hits[i] - 10000) * (hits[i] - 10000) / 10000;
    }
    ck_assert_double_lt(chi, 20.5);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(qkd_rng_below(&rng, 1), 0);
        ck_assert_uint_lt(qkd_rng_below(&rng, (UINT64_C(1) << 63) + 1), (UINT64_C(1) << 63) + 1);
    }
}
END_TEST

/* Mean 1/2, variance 1/12: five standard errors of 100,000 draws. */
START_TEST(rng_unit_moments)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 5, "unit", 0);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < 100000; i++) {
        double u = qkd_rng_unit(&rng);
        ck_assert(u > 0.0 && u < 1.0);
        sum += u;
        squares += (u - 0.5) * (u - 0.5);
    }
    ck_assert_double_eq_tol(sum / 100000, 0.5, 5 * 0.000913);
    ck_assert_double_eq_tol(squares / 100000, 1.0 / 12, 5 * 0.000236);
}
END_TEST

START_TEST(rng_names)
{
    static const struct {
        uint64_t seed;
        const char *name;
        uint64_t index;
    } streams[] = {{1, "link", 0}, {1, "link", 1}, {2, "link", 0}, {1, "lin", 0}, {1, "", 0}};
    uint64_t first[5];
    for (unsigned i = 0; i < 5; i++) {
        struct qkd_rng rng;
        qkd_rng_init_named(&rng, streams[i].seed, streams[i].name, streams[i].index);
        first[i] = qkd_rng_u64(&rng);
        for (unsigned j = 0; j < i; j++) {
            ck_assert_uint_ne(first[i], first[j]);
        }
        qkd_rng_init_named(&rng, streams[i].seed, streams[i].name, streams[i].index);
        ck_assert_uint_eq(qkd_rng_u64(&rng), first[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_rng");
    TCase *tests = tcase_create("rng");
    tcase_add_test(tests, rng_is_chacha20);
    tcase_add_loop_test(tests, rng_any_cut, 0, 2);
    tcase_add_test(tests, rng_below_uniform);
    tcase_add_test(tests, rng_unit_moments);
    tcase_add_test(tests, rng_names);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
