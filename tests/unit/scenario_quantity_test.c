/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/quantity: numbers with units are exact, refused when they cannot be, and printed so
 * that they read back. Expected values are the definitions of the units. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "scenarios/quantity.h"

struct integer_case {
    enum scn_dimension dimension;
    const char *text;
    int64_t value;
};

static const struct integer_case good[] = {
    {SCN_DIM_TIME, "5 s", INT64_C(5000000000)},
    {SCN_DIM_TIME, "5s", INT64_C(5000000000)},
    {SCN_DIM_TIME, "5  ms", 5000000},
    {SCN_DIM_TIME, "1.5 us", 1500},
    {SCN_DIM_TIME, "1.5 \xc2\xb5s", 1500},
    {SCN_DIM_TIME, "0.000000001 s", 1},
    {SCN_DIM_TIME, "-3 min", INT64_C(-180000000000)},
    {SCN_DIM_TIME, "1e-9 s", 1},
    {SCN_DIM_TIME, "2E3 ns", 2000},
    {SCN_DIM_TIME, "+1 h", INT64_C(3600000000000)},
    {SCN_DIM_TIME, "1 d", INT64_C(86400000000000)},
    {SCN_DIM_TIME, "0", 0},
    {SCN_DIM_TIME, "0.00", 0},
    {SCN_DIM_TIME, "0e5", 0},
    {SCN_DIM_RATE, "304 kbit/s", 304000},
    {SCN_DIM_RATE, "81.7 kbit/s", 81700},
    {SCN_DIM_RATE, "2.58 Mbit/s", 2580000},
    {SCN_DIM_RATE, "410 bit/s", 410},
    {SCN_DIM_RATE, "0.001 Gbit/s", 1000000},
    {SCN_DIM_BITS, "64 Mbit", 64000000},
    {SCN_DIM_BITS, ".5 kbit", 500},
    {SCN_DIM_BITS, "5.5 MiB", 46137344},
    {SCN_DIM_BITS, "3 B", 24},
    {SCN_DIM_BITS, "1.5 kB", 12000},
    {SCN_DIM_BITS, "1 GiB", INT64_C(8589934592)},
    {SCN_DIM_BYTES, "1 MiB", 1048576},
    {SCN_DIM_BYTES, "0.5 KiB", 512},
    {SCN_DIM_BYTES, "1 MB", 1000000},
    {SCN_DIM_LENGTH, "10.6 km", 10600},
    {SCN_DIM_LENGTH, "80 m", 80},
    {SCN_DIM_NUMBER, "9223372036854775807", INT64_MAX},
};

START_TEST(integers_are_exact)
{
    int64_t value = 0;
    const char *why = scn_integer_parse(good[_i].dimension, good[_i].text, &value);
    ck_assert_msg(why == NULL, "%s %s", good[_i].text, why == NULL ? "" : why);
    ck_assert_int_eq(value, good[_i].value);
}
END_TEST

struct bad_case {
    enum scn_dimension dimension;
    const char *text;
    const char *why;
};

static const struct bad_case bad[] = {
    {SCN_DIM_TIME, "", "is not a number"},
    {SCN_DIM_TIME, "s", "is not a number"},
    {SCN_DIM_TIME, "- 5 s", "is not a number"},
    {SCN_DIM_TIME, ". s", "is not a number"},
    {SCN_DIM_TIME, "5", "has no unit"},
    {SCN_DIM_TIME, "5 ", "has no unit"},
    {SCN_DIM_TIME, "5 S", "has an unknown unit"},
    {SCN_DIM_TIME, "5 s s", "has an unknown unit"},
    {SCN_DIM_TIME, "1,5 s", "has an unknown unit"},
    {SCN_DIM_TIME, "0x10 s", "has an unknown unit"},
    {SCN_DIM_TIME, "5 km", "has an unknown unit"},
    {SCN_DIM_TIME, "0.3 ns", "is finer than the smallest unit"},
    {SCN_DIM_TIME, "1.0000000001 s", "is finer than the smallest unit"},
    {SCN_DIM_TIME, "9223372036854775807 s", "is too large"},
    {SCN_DIM_TIME, "1e300 s", "is too large"},
    {SCN_DIM_TIME, "1e99999 s", "has too many digits"},
    {SCN_DIM_NUMBER, "9223372036854775808", "has too many digits"},
    {SCN_DIM_NUMBER, "12 bit", "has an unknown unit"},
    {SCN_DIM_BITS, "64 Mb", "has an unknown unit"},
    {SCN_DIM_BITS, "64 mbit", "has an unknown unit"},
};

START_TEST(bad_integers_are_refused)
{
    int64_t value = 42;
    const char *why = scn_integer_parse(bad[_i].dimension, bad[_i].text, &value);
    ck_assert_msg(why != NULL, "%s was read", bad[_i].text);
    ck_assert_str_eq(why, bad[_i].why);
    ck_assert_int_eq(value, 42);
}
END_TEST

START_TEST(reals)
{
    double value = 0;
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_LOSS, "14.5 dB", &value));
    ck_assert(value >= 14.5 && value <= 14.5);
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_FRACTION, "2.7 %", &value));
    ck_assert(value >= 0.027 && value <= 0.027); /* as if 0.027 were written */
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_FRACTION, "0.1", &value));
    ck_assert(value >= 0.1 && value <= 0.1);
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_FRACTION, "1e1 %", &value));
    ck_assert(value >= 0.1 && value <= 0.1);
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_FREQUENCY, "30 /min", &value));
    ck_assert(value >= 0.5 && value <= 0.5);
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_FREQUENCY, "36 /h", &value));
    ck_assert(value >= 0.01 && value <= 0.01);
    ck_assert_ptr_null(scn_real_parse(SCN_DIM_PPM, "-20 ppm", &value));
    ck_assert(value >= -20 && value <= -20);
    ck_assert_ptr_nonnull(scn_real_parse(SCN_DIM_PPM, "20", &value));
    ck_assert_ptr_nonnull(scn_real_parse(SCN_DIM_REAL, "nan", &value));
    ck_assert_ptr_nonnull(scn_real_parse(SCN_DIM_REAL, "inf", &value));
    ck_assert_ptr_nonnull(scn_real_parse(SCN_DIM_REAL, "1e999", &value));
    ck_assert_ptr_nonnull(scn_real_parse(SCN_DIM_REAL, "0x1p3", &value));
    ck_assert_ptr_nonnull(scn_real_parse(
        SCN_DIM_REAL, "1.000000000000000000000000000000000000000000000000000000000", &value));
}
END_TEST

/* Whatever is printed reads back: random values of every size, every dimension. */
START_TEST(printed_values_read_back)
{
    enum scn_dimension dimension = (enum scn_dimension)_i;
    struct qkd_rng rng;
    char text[SCN_QUANTITY_SIZE];
    qkd_rng_init_named(&rng, 3, "quantity", (uint64_t)_i);
    for (int i = 0; i < 20000; i++) {
        uint64_t word = qkd_rng_u64(&rng);
        unsigned shift = 1 + (unsigned)qkd_rng_below(&rng, 62);
        /* Of every size, some with trailing zeros, below 10^18 (the limit of 18 digits). */
        int64_t value = (int64_t)(word >> shift) % INT64_C(1000000000000000);
        value *= i % 2 == 0 ? 1 : 1000;
        if (dimension < SCN_DIM_INTEGERS) {
            int64_t back = -1;
            scn_integer_print(dimension, value, text);
            ck_assert_ptr_null(scn_integer_parse(dimension, text, &back));
            ck_assert_int_eq(back, value);
            double part = (double)(value % 1000000) / 1000; /* a real number in its units */
            double read = -1;
            scn_real_print(dimension, part, text);
            ck_assert_ptr_null(scn_real_parse(dimension, text, &read));
            ck_assert_msg(read >= part && read <= part, "%s", text);
        } else if (dimension > SCN_DIM_INTEGERS) {
            double real = (double)value / 1e9 * qkd_rng_unit(&rng);
            double back = -1;
            scn_real_print(dimension, real, text);
            ck_assert_ptr_null(scn_real_parse(dimension, text, &back));
            ck_assert(back >= real && back <= real);
        }
    }
}
END_TEST

START_TEST(printed_in_the_largest_whole_unit)
{
    static const struct integer_case cases[] = {{SCN_DIM_TIME, "90 s", INT64_C(90000000000)},
                                                {SCN_DIM_TIME, "2 min", INT64_C(120000000000)},
                                                {SCN_DIM_TIME, "1500 ns", 1500},
                                                {SCN_DIM_TIME, "0 ns", 0},
                                                {SCN_DIM_BYTES, "1 MiB", 1048576},
                                                {SCN_DIM_BYTES, "3 MB", 3000000},
                                                {SCN_DIM_BITS, "81700 bit", 81700},
                                                {SCN_DIM_BITS, "8388608 bit", 8388608},
                                                {SCN_DIM_BITS, "0 bit", 0},
                                                {SCN_DIM_LENGTH, "45 km", 45000},
                                                {SCN_DIM_NUMBER, "1000", 1000},
                                                {SCN_DIM_RATE, "304 kbit/s", 304000}};
    char text[SCN_QUANTITY_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scn_integer_print(cases[i].dimension, cases[i].value, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario quantity");
    TCase *tc = tcase_create("quantity");
    tcase_add_loop_test(tc, integers_are_exact, 0, (int)(sizeof good / sizeof good[0]));
    tcase_add_loop_test(tc, bad_integers_are_refused, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(tc, reals);
    tcase_add_loop_test(tc, printed_values_read_back, 0, SCN_DIM_COUNT);
    tcase_add_test(tc, printed_in_the_largest_whole_unit);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
