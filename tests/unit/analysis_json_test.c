/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/json: the text that the writer makes, against RFC 8259; numbers as other
 * languages print them (repr), and the property that they read back to the same IEEE 754 double. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/json.h"

START_TEST(nested_styles)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_uint(&json, "most", UINT64_MAX);
    ana_json_int(&json, "least", INT64_MIN);
    ana_json_object(&json, "inner", ANA_JSON_INLINE);
    ana_json_bool(&json, "yes", true);
    ana_json_bool(&json, "no", false);
    ana_json_close(&json);
    ana_json_array(&json, "empty", ANA_JSON_LINES);
    ana_json_close(&json);
    ana_json_array(&json, "list", ANA_JSON_LINES);
    ana_json_string(&json, NULL, "a");
    ana_json_string(&json, NULL, NULL);
    ana_json_close(&json);
    ana_json_close(&json);
    ck_assert(!json.failed);
    ck_assert_str_eq(json.text, "{\n"
                                "  \"most\": 18446744073709551615,\n"
                                "  \"least\": -9223372036854775808,\n"
                                "  \"inner\": {\"yes\": true, \"no\": false},\n"
                                "  \"empty\": [],\n"
                                "  \"list\": [\n"
                                "    \"a\",\n"
                                "    null\n"
                                "  ]\n"
                                "}");
    ana_json_fini(&json);
    ck_assert_ptr_null(json.text);
}
END_TEST

/* RFC 8259 clause 7: quotation mark, reverse solidus and U+0000 to U+001F must be escaped. */
START_TEST(escapes)
{
    struct ana_json json = {0};
    ana_json_string(&json, NULL, "\"\\/\n\t\x01\x1f grün");
    ck_assert_str_eq(json.text, "\"\\\"\\\\/\\n\\u0009\\u0001\\u001f grün\"");
    ana_json_fini(&json);
}
END_TEST

START_TEST(numbers_are_short)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {0.1, "0.1"},
                 {-2.5, "-2.5"},
                 {1.0 / 3, "0.3333333333333333"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e300, "1e+300"},
                 {123456789, "123456789"}};
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ana_double_text(cases[i].value, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(numbers_read_back)
{
    uint64_t bits = 0x9e3779b97f4a7c15U;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005U + 1442695040888963407U;
        double value;
        char text[32];
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            ana_double_text(value, text);
            ck_assert_msg(strtod(text, NULL) == value, "bits %llx", (unsigned long long)bits);
        }
    }
}
END_TEST

/* RFC 8259 clause 6: infinity and NaN are not permitted. */
START_TEST(no_value_is_null)
{
    struct ana_json json = {0};
    ana_json_array(&json, NULL, ANA_JSON_INLINE);
    ana_json_double(&json, NULL, NAN);
    ana_json_double(&json, NULL, INFINITY);
    ana_json_double(&json, NULL, DBL_MAX);
    ana_json_close(&json);
    ck_assert_str_eq(json.text, "[null, null, 1.7976931348623157e+308]");
    ana_json_fini(&json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/json");
    TCase *tests = tcase_create("writer");
    tcase_add_test(tests, nested_styles);
    tcase_add_test(tests, escapes);
    tcase_add_test(tests, numbers_are_short);
    tcase_add_test(tests, numbers_read_back);
    tcase_add_test(tests, no_value_is_null);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
