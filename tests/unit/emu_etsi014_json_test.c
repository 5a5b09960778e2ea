/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies and URLs of ETSI GS QKD 014 V1.1.1: expected bytes from its clauses 5 and 6 (Tables 9 ... 13 and their
 * examples), base64 from RFC 4648 clause 10. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/etsi014/etsi014_json.h"

/* The limits of the standard's own example of Table 9, but for the number per request. */
static const struct emu_e14_limits limits = {.key_size = 352,
                                             .min_key_size = 64,
                                             .max_key_size = 1024,
                                             .max_key_per_request = 128,
                                             .max_key_count = 100000};

/* Compares and frees. */
static void expect_text(char *text, size_t len, const char *want)
{
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(len, strlen(want));
    ck_assert_mem_eq(text, want, len);
    free(text);
}

/* Table 9, in its order, with the values of the standard's example. */
START_TEST(status_bytes)
{
    struct emu_e14_status status = {.source_kme = "AAAABBBBCCCCDDDD",
                                    .target_kme = "EEEEFFFFGGGGHHHH",
                                    .master_sae = "IIIIJJJJKKKKLLLL",
                                    .slave_sae = "MMMM\"NNNN/OOOOPPPP",
                                    .key_size = 352,
                                    .stored_key_count = 25000,
                                    .max_key_count = 100000,
                                    .max_key_per_request = 128,
                                    .max_key_size = 1024,
                                    .min_key_size = 64};
    size_t len;
    char *text = emu_e14_status_write(&status, &len);
    expect_text(text, len,
                "{\"source_KME_ID\":\"AAAABBBBCCCCDDDD\",\"target_KME_ID\":\"EEEEFFFFGGGGHHHH\","
                "\"master_SAE_ID\":\"IIIIJJJJKKKKLLLL\",\"slave_SAE_ID\":\"MMMM\\\"NNNN/OOOOPPPP\","
                "\"key_size\":352,\"stored_key_count\":25000,\"max_key_count\":100000,"
                "\"max_key_per_request\":128,\"max_key_size\":1024,\"min_key_size\":64,"
                "\"max_SAE_ID_count\":0}");
}
END_TEST

/* Table 11: keys, key_ID in lower case, key in padded base64 ("foobar", "fooba", "f" of RFC 4648). */
START_TEST(key_container_bytes)
{
    struct qkd_id ids[3];
    ck_assert(qkd_id_parse("BC490419-7D60-487F-ADC1-4DDCC177C139", &ids[0]));
    ck_assert(qkd_id_parse("0a782fb5-3434-48fe-aa4d-14f41d46cf92", &ids[1]));
    ck_assert(qkd_id_parse("00000000-0000-4000-8000-000000000001", &ids[2]));
    uint32_t sizes[] = {48, 40, 8};
    struct emu_e14_keys keys = {3, ids, sizes, (const uint8_t *)"foobarfoobaf"};
    size_t len;
    char *text = emu_e14_keys_write(&keys, &len);
    expect_text(text, len,
                "{\"keys\":[{\"key_ID\":\"bc490419-7d60-487f-adc1-4ddcc177c139\",\"key\":"
                "\"Zm9vYmFy\"},{\"key_ID\":\"0a782fb5-3434-48fe-aa4d-14f41d46cf92\",\"key\":"
                "\"Zm9vYmE=\"},{\"key_ID\":\"00000000-0000-4000-8000-000000000001\",\"key\":"
                "\"Zg==\"}]}");
    keys.count = 0;
    text = emu_e14_keys_write(&keys, &len);
    expect_text(text, len, "{\"keys\":[]}");
}
END_TEST

/* Table 13 and its example. */
START_TEST(error_bytes)
{
    struct emu_e14_error error = {.code = 400, .message = EMU_E14_TEXT_MANDATORY};
    size_t len;
    char *text = emu_e14_error_write(&error, &len);
    expect_text(text, len,
                "{\"message\":\"not all extension_mandatory parameters are supported\"}");
    (void)snprintf(error.name, sizeof error.name, "extension_mandatory_unsupported");
    (void)snprintf(error.value, sizeof error.value, "abc_route_type is not supported");
    text = emu_e14_error_write(&error, &len);
    expect_text(text, len,
                "{\"message\":\"not all extension_mandatory parameters are supported\","
                "\"details\":[{\"extension_mandatory_unsupported\":"
                "\"abc_route_type is not supported\"}]}");
}
END_TEST

struct enc_case {
    const char *body;
    uint32_t number, size; /* 0: refused, with message */
    const char *message;
};

static void check_enc(const struct enc_case *c)
{
    struct emu_e14_enc enc = {0};
    struct emu_e14_error error = {0};
    bool good = emu_e14_enc_body(c->body, strlen(c->body), &limits, &enc, &error);
    ck_assert_msg(good == (c->number != 0), "%s: %s", c->body, error.message);
    ck_assert_msg(!good || (enc.number == c->number && enc.size == c->size), "%s", c->body);
    ck_assert_msg(good || (error.code == 400 && strcmp(error.message, c->message) == 0),
                  "%s: %d %s", c->body, error.code, error.message);
}

/* Table 10 and clause 6.2: everything may be absent; what is not known is ignored. */
START_TEST(key_request_accepted)
{
    static const struct enc_case cases[] = {
        {"", 1, 352, NULL},
        {" \r\n\t ", 1, 352, NULL},
        {"{}", 1, 352, NULL},
        {"{\"number\":3,\"size\":1024}", 3, 1024, NULL},
        {"{\"number\":128}", 128, 352, NULL},
        {"{\"size\":64}", 1, 64, NULL},
        {"{\"number\":null,\"size\":null}", 1, 352, NULL},
        {"{\"additional_slave_SAE_IDs\":[],\"extension_mandatory\":[],"
         "\"extension_optional\":[]}",
         1, 352, NULL},
        {"{\"additional_target_sae_ids\":[\"X\"],\"\\u00e9\":{\"a\":[1,2]}}", 1, 352, NULL},
        {"{\"extension_optional\":[{\"abc_max_age\":30000},{\"x\":null}]}", 1, 352, NULL},
        {"{\"extension_mandatory\":[{}]}", 1, 352, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_enc(&cases[i]);
    }
}
END_TEST

START_TEST(key_request_refused)
{
    static const struct enc_case cases[] = {
        {"{\"number\":129}", 0, 0, "number shall be 1 to 128"},
        {"{\"number\":0}", 0, 0, "number shall be 1 to 128"},
        {"{\"number\":-1}", 0, 0, "number shall be 1 to 128"},
        {"{\"number\":\"3\"}", 0, 0, "number shall be an integer"},
        {"{\"number\":3.0}", 0, 0, "number shall be an integer"},
        {"{\"number\":true}", 0, 0, "number shall be an integer"},
        {"{\"number\":4294967297}", 0, 0, "number shall be 1 to 128"},
        {"{\"number\":99999999999999999999999}", 0, 0, "the request body is not valid JSON"},
        {"{\"size\":257}", 0, 0, "size shall be a multiple of 8"},
        {"{\"size\":56}", 0, 0, "size shall be 64 to 1024"},
        {"{\"size\":1032}", 0, 0, "size shall be 64 to 1024"},
        {"{\"size\":0}", 0, 0, "size shall be 64 to 1024"},
        {"{\"size\":-8}", 0, 0, "size shall be 64 to 1024"},
        {"{\"size\":[]}", 1, 352, NULL}, /* an empty list is nothing */
        {"{\"size\":{}}", 0, 0, "size shall be an integer"},
        {"{\"additional_slave_SAE_IDs\":[\"X\"]}", 0, 0,
         "additional_slave_SAE_IDs: max_SAE_ID_count is 0"},
        {"{\"additional_slave_SAE_IDs\":\"X\"}", 0, 0,
         "additional_slave_SAE_IDs shall be an array of strings"},
        {"{\"extension_mandatory\":[{\"abc_route_type\":\"direct\"}]}", 0, 0,
         "not all extension_mandatory parameters are supported"},
        {"{\"extension_mandatory\":{\"abc_route_type\":\"direct\"}}", 0, 0,
         "extension_mandatory shall be an array of objects"},
        {"{\"extension_optional\":[1]}", 0, 0, "extension_optional shall be an array of objects"},
        {"[]", 0, 0, "the request body shall be a JSON object"},
        {"{\"number\":1", 0, 0, "the request body is not valid JSON"},
        {"{\"number\":1,\"number\":2}", 0, 0, "the request body is not valid JSON"},
        {"{\"number\":1}x", 0, 0, "the request body is not valid JSON"},
        {"\xff", 0, 0, "the request body is not valid JSON"},
        {"{\"\xff\":1}", 0, 0, "the request body is not valid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_enc(&cases[i]);
    }
    struct emu_e14_enc enc;
    struct emu_e14_error error;
    struct emu_e14_limits two = limits;
    two.max_sae_id_count = 2;
    const char *slaves = "{\"number\":2,\"additional_slave_SAE_IDs\":[\"X\",\"y/\\u00e9\"]}";
    ck_assert(emu_e14_enc_body(slaves, strlen(slaves), &two, &enc, &error));
    ck_assert_uint_eq(enc.slave_count, 2);
    ck_assert_str_eq(enc.slaves[0], "X");
    ck_assert_str_eq(enc.slaves[1], "y/\xc3\xa9");
    slaves = "{\"additional_slave_SAE_IDs\":[\"X\",\"Y\",\"Z\"]}";
    ck_assert(!emu_e14_enc_body(slaves, strlen(slaves), &two, &enc, &error));
    ck_assert_str_eq(error.message, "additional_slave_SAE_IDs: max_SAE_ID_count is 2");
    const char *named = "{\"extension_mandatory\":[{},{\"abc_route_type\":\"direct\"}]}";
    ck_assert(!emu_e14_enc_body(named, strlen(named), &limits, &enc, &error));
    ck_assert_str_eq(error.name, "extension_mandatory_unsupported");
    ck_assert_str_eq(error.value, "abc_route_type is not supported");
    char wide[600] = "{\"extension_mandatory\":[{\"x";
    for (size_t at = strlen(wide), i = 0; i < 200; i++, at += 2) {
        memcpy(wide + at, "\xc3\xa9", 3); /* a name that is cut must not be cut in a character */
    }
    memcpy(wide + strlen(wide), "\":1}]}", 7);
    ck_assert(!emu_e14_enc_body(wide, strlen(wide), &limits, &enc, &error));
    size_t len;
    char *text = emu_e14_error_write(&error, &len);
    ck_assert_ptr_nonnull(text);
    free(text);
    char nul[] = "{\"number\":1}\0";
    ck_assert(!emu_e14_enc_body(nul, sizeof nul - 1, &limits, &enc, &error));
}
END_TEST

static bool dec(const char *body, struct emu_e14_dec *got, struct emu_e14_error *error)
{
    return emu_e14_dec_body(body, strlen(body), 3, got, error);
}

/* Table 12. */
START_TEST(key_ids)
{
    static struct emu_e14_dec got;
    struct emu_e14_error error;
    char text[37];
    ck_assert(dec("{\"key_IDs\":[{\"key_ID\":\"bc490419-7d60-487f-adc1-4ddcc177c139\"},"
                  "{\"key_ID\":\"0A782FB5-3434-48FE-AA4D-14F41D46CF92\","
                  "\"key_ID_extension\":{\"x\":1}}],\"key_IDs_extension\":{},\"y\":2}",
                  &got, &error));
    ck_assert_uint_eq(got.count, 2);
    qkd_id_format(&got.ids[1], text);
    ck_assert_str_eq(text, "0a782fb5-3434-48fe-aa4d-14f41d46cf92");
    static const struct {
        const char *body, *message;
    } bad[] = {
        {"", "key_IDs is missing"},
        {"{}", "key_IDs is missing"},
        {"{\"key_IDs\":[]}", "key_IDs is missing"},
        {"{\"key_IDs\":null}", "key_IDs is missing"},
        {"{\"key_IDs\":\"bc490419-7d60-487f-adc1-4ddcc177c139\"}",
         "key_IDs shall be an array of objects"},
        {"{\"key_IDs\":[\"bc490419-7d60-487f-adc1-4ddcc177c139\"]}",
         "key_IDs shall be an array of objects"},
        {"{\"key_IDs\":[{}]}", "key_ID shall be a string"},
        {"{\"key_IDs\":[{\"key_ID\":7}]}", "key_ID shall be a string"},
        {"{\"key_IDs\":[{\"key_ID\":\"bc490419-7d60-487f-adc1-4ddcc177c13\"}]}",
         "key_ID shall be a UUID"},
        {"{\"key_IDs\":[{\"key_ID\":\"{bc490419-7d60-487f-adc1-4ddcc177c139}\"}]}",
         "key_ID shall be a UUID"},
        {"{\"key_IDs\":[{\"key_ID\":\"\"},{\"key_ID\":\"\"},{\"key_ID\":\"\"},{\"key_ID\":\"\"}]}",
         "key_IDs: at most 3"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!dec(bad[i].body, &got, &error), "%s", bad[i].body);
        ck_assert_int_eq(error.code, 400);
        ck_assert_str_eq(error.message, bad[i].message);
    }
}
END_TEST

/* Tables 2 ... 7 and E14-16, E14-17. */
START_TEST(targets)
{
    static const struct {
        const char *uri, *http_method;
        int code; /* 0: read */
        enum emu_e14_method method;
        const char *sae, *query;
    } cases[] = {
        {"/api/v1/keys/B/status", "GET", 0, EMU_E14_STATUS, "B", ""},
        {"/api/v1/keys/B/enc_keys?number=3&size=1024", "GET", 0, EMU_E14_ENC_KEYS, "B",
         "number=3&size=1024"},
        {"/api/v1/keys/B/enc_keys", "POST", 0, EMU_E14_ENC_KEYS, "B", ""},
        {"/api/v1/keys/video.A/dec_keys?", "POST", 0, EMU_E14_DEC_KEYS, "video.A", ""},
        {"/api/v1/keys/a%2Fb%20c%3F%23%25%c3%bc/status", "GET", 0, EMU_E14_STATUS,
         "a/b c?#%\xc3\xbc", ""},
        {"/api/v1/keys/a+b/status", "GET", 0, EMU_E14_STATUS, "a+b", ""},
        {"/api/v1/keys/B/status", "POST", 405, EMU_E14_STATUS, NULL, NULL},
        {"/api/v1/keys/B/enc_keys", "PUT", 405, EMU_E14_ENC_KEYS, NULL, NULL},
        {"/api/v1/keys/B/dec_keys", "HEAD", 405, EMU_E14_DEC_KEYS, NULL, NULL},
        {"/api/v1/keys/B/dec_keys", "get", 405, EMU_E14_DEC_KEYS, NULL, NULL},
        {"/api/v1/keys/B/dec_key", "GET", 404, 0, NULL, NULL},
        {"/api/v1/keys/B/enc_keys/", "GET", 404, 0, NULL, NULL},
        {"/api/v1/keys/B", "GET", 404, 0, NULL, NULL},
        {"/api/v1/keys//status", "GET", 404, 0, NULL, NULL},
        {"/api/v1/keys/", "GET", 404, 0, NULL, NULL},
        {"/api/v2/keys/B/status", "GET", 404, 0, NULL, NULL},
        {"/api/v1/keys/a/b/status", "GET", 404, 0, NULL, NULL},
        {"/", "GET", 404, 0, NULL, NULL},
        {"", "GET", 404, 0, NULL, NULL},
        {"*", "OPTIONS", 404, 0, NULL, NULL},
        {"/api/v1/keys/a%2/status", "GET", 400, EMU_E14_STATUS, NULL, NULL},
        {"/api/v1/keys/a%/status", "GET", 400, EMU_E14_STATUS, NULL, NULL},
        {"/api/v1/keys/a%zz/status", "GET", 400, EMU_E14_STATUS, NULL, NULL},
        {"/api/v1/keys/a%00b/status", "GET", 400, EMU_E14_STATUS, NULL, NULL},
        {"/api/v1/keys/a%0ab/status", "GET", 400, EMU_E14_STATUS, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct emu_e14_target target;
        struct emu_e14_error error = {0};
        bool good = emu_e14_target_read(cases[i].uri, cases[i].http_method, &target, &error);
        ck_assert_msg(good == (cases[i].code == 0) && error.code == cases[i].code, "%s: %d",
                      cases[i].uri, error.code);
        if (good) {
            ck_assert_int_eq(target.method, cases[i].method);
            ck_assert_str_eq(target.sae, cases[i].sae);
            ck_assert_str_eq(target.query, cases[i].query);
        }
    }
    char uri[300] = "/api/v1/keys/";
    memset(uri + 13, 'x', 250);
    memcpy(uri + 263, "/status", 8);
    struct emu_e14_target target;
    struct emu_e14_error error;
    ck_assert(!emu_e14_target_read(uri, "GET", &target, &error));
    ck_assert_int_eq(error.code, 400);
}
END_TEST

/* E14-G1 ... G5 and row 17 of the ambiguities: other parameters need POST. */
START_TEST(queries)
{
    static const struct {
        const char *query;
        uint32_t number, size; /* 0: refused */
    } cases[] = {
        {"", 1, 352},
        {"number=3&size=1024", 3, 1024},
        {"size=64", 1, 64},
        {"&number=2&", 2, 352},
        {"number=129", 0, 0},
        {"number=", 0, 0},
        {"number", 0, 0},
        {"number=-1", 0, 0},
        {"number=%31", 0, 0},
        {"number=1x", 0, 0},
        {"number=1&number=1", 0, 0},
        {"size=257", 0, 0},
        {"size=56", 0, 0},
        {"Number=1", 0, 0},
        {"number=9999999999", 0, 0},
        {"x=1", 0, 0},
        {"additional_slave_SAE_IDs=X", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct emu_e14_enc enc = {0};
        struct emu_e14_error error = {0};
        bool good = emu_e14_enc_query(cases[i].query, &limits, &enc, &error);
        ck_assert_msg(good == (cases[i].number != 0), "%s", cases[i].query);
        ck_assert_msg(!good || (enc.number == cases[i].number && enc.size == cases[i].size), "%s",
                      cases[i].query);
        ck_assert_msg(good || (error.code == 400 && error.message[0] != '\0'), "%s",
                      cases[i].query);
    }
    static struct emu_e14_dec got;
    struct emu_e14_error error;
    const char *one = "key_ID=bc490419-7d60-487f-adc1-4ddcc177c139";
    ck_assert(emu_e14_dec_query(one, &got, &error));
    ck_assert_uint_eq(got.count, 1);
    ck_assert_uint_eq(got.ids[0].b[0], 0xbc);
    static const char *const bad[] = {
        "",
        "key_ID=",
        "key_ID",
        "key_IDs=bc490419-7d60-487f-adc1-4ddcc177c139",
        "key_ID=bc490419-7d60-487f-adc1-4ddcc177c139&key_ID=bc490419-7d60-487f-adc1-4ddcc177c139",
        "key_ID=bc490419-7d60-487f-adc1-4ddcc177c139&x=1",
        "key_ID=bc490419x7d60-487f-adc1-4ddcc177c139",
        "key_ID=bc490419-7d60-487f-adc1-4ddcc177c1399"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!emu_e14_dec_query(bad[i], &got, &error), "%s", bad[i]);
        ck_assert_int_eq(error.code, 400);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emu_etsi014_json");
    TCase *c = tcase_create("json");
    tcase_add_test(c, status_bytes);
    tcase_add_test(c, key_container_bytes);
    tcase_add_test(c, error_bytes);
    tcase_add_test(c, key_request_accepted);
    tcase_add_test(c, key_request_refused);
    tcase_add_test(c, key_ids);
    tcase_add_test(c, targets);
    tcase_add_test(c, queries);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
