/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/trace: the life of a key of the invented run, as text and as JSON. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/store.h"
#include "analysis/trace.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static char folder[] = "/tmp/qkdn_trace_XXXXXX";
static char path[64];
static struct scn_scenario *scenario;

static void write_run(enum ana_record record)
{
    struct ana_store_options options = {path, true, record, NULL};
    struct ana_store *store;
    struct ana_error error = {""};
    struct scn_sink sink = {0};
    struct scn_summary summary;
    ck_assert_msg(ana_store_open(&options, scenario, &store, &error) == QKD_OK, "%s", error.text);
    ana_store_sink(store, &sink);
    test_records(&sink, TEST_REQUESTS);
    test_summary(scenario, &summary);
    ck_assert_msg(ana_store_finish(store, &summary, &error) == QKD_OK, "%s", error.text);
    scn_summary_fini(&summary);
}

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_trace_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.db", folder);
    scenario = test_scenario();
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
    scn_free(scenario);
}

typedef int trace_function(const struct ana_results *, const struct qkd_id *, FILE *,
                           struct ana_error *);

/* What the function prints about a key, into text[8192]; its error code. */
static int trace(trace_function *function, struct qkd_id id, char text[8192],
                 struct ana_error *error)
{
    struct ana_results *results;
    ck_assert_msg(ana_results_open(path, &results, error) == QKD_OK, "%s", error->text);
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    int err = function(results, &id, file, error);
    rewind(file);
    text[fread(text, 1, 8191, file)] = '\0';
    fclose(file);
    ana_results_close(results);
    return err;
}

START_TEST(text_of_a_ksa_key)
{
    char text[8192];
    struct ana_error error;
    write_run(ANA_RECORD_FULL);
    ck_assert_int_eq(trace(ana_trace_print, test_ksa_key(7), text, &error), QKD_OK);
    ck_assert_str_eq(
        text,
        "KSA-key 00000007-5a5a-5a5a-5a5a-5a5a5a5a5a5a\n"
        "  request 7 of video, A to C: asked at 7.000000 s, served after 7.000 ms, fetched after "
        "14.000 ms, otp, 2 hops, by A B C\n"
        "        7.007000 s  KSA at A        supply, 256 bit, with 00000007\n"
        "  KMA-key 00000007-aaaa-aaaa-aaaa-aaaaaaaaaaaa\n"
        "    request 7 of video, A to C: asked at 7.000000 s, served after 7.000 ms, fetched after "
        "14.000 ms, otp, 2 hops, by A B C\n"
        "    hop 1, A to B over AB: sent at 7.000000 s, otp, 1024 bit of pad and 128 bit of tag "
        "from block 3, byte 700\n"
        "    hop 2, B to C over BC: sent at 7.001000 s, otp, 1024 bit of pad and 128 bit of tag "
        "from block 3, byte 700\n"
        "          7.000000 s  KMA at A        relay over AB, otp, hop 1, 256 bit, with 00000000\n"
        "          7.001000 s  KMA at B        relay over BC, otp, hop 2, 256 bit, with 00000001\n"
        "    QKD-key 00000000-0d0d-0d0d-0d0d-0d0d0d0d0d0d\n"
        "    QKD-key 00000001-0d0d-0d0d-0d0d-0d0d0d0d0d0d\n");
}
END_TEST

START_TEST(json_of_a_kma_key)
{
    char text[8192];
    struct ana_error error;
    write_run(ANA_RECORD_FULL);
    ck_assert_int_eq(trace(ana_trace_json, test_kma_key(7), text, &error), QKD_OK);
    static const char *const parts[] = {
        "{\n  \"key\": \"00000007-aaaa-aaaa-aaaa-aaaaaaaaaaaa\",\n  \"class\": \"kma\",",
        "{\"hop\": 2, \"from_node\": \"B\", \"to_node\": \"C\", \"link\": \"BC\", \"sent_s\": "
        "7.001, \"attempt\": 1, \"method\": \"otp\", \"pad_bits\": 1024, \"tag_bits\": 128, "
        "\"block\": 3, \"offset\": 700}",
        "\"parents\": [\n", "\"key\": \"00000001-0d0d-0d0d-0d0d-0d0d0d0d0d0d\"",
        "\"class\": \"qkd\""};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(strstr(text, parts[i]) != NULL, "%s is not in %s", parts[i], text);
    }
}
END_TEST

START_TEST(unknown_key)
{
    char text[8192];
    struct ana_error error = {""};
    write_run(ANA_RECORD_FULL);
    ck_assert_int_eq(trace(ana_trace_print, test_ksa_key(10), text, &error), QKD_ERR_UNKNOWN);
    ck_assert_str_eq(text, "");
    ck_assert_ptr_nonnull(strstr(error.text, "no key 0000000a-5a5a"));
    ck_assert_ptr_null(strstr(error.text, "--record"));
    ck_assert_int_eq(trace(ana_trace_json, test_ksa_key(10), text, &error), QKD_ERR_UNKNOWN);
    ck_assert_str_eq(text, "");
}
END_TEST

/* With less recorded, what is known is shown, and what would show more is said. */
START_TEST(lower_levels)
{
    char text[8192];
    struct ana_error error = {""};
    write_run(ANA_RECORD_REQUESTS);
    ck_assert_int_eq(trace(ana_trace_print, test_ksa_key(7), text, &error), QKD_OK);
    ck_assert_ptr_nonnull(strstr(text, "KMA-key 00000007-aaaa"));
    ck_assert_ptr_nonnull(strstr(text, "need --record full"));
    write_run(ANA_RECORD_SUMMARY);
    ck_assert_int_eq(trace(ana_trace_print, test_ksa_key(7), text, &error), QKD_ERR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(error.text, "--record summary"));
}
END_TEST

/* Bytes changed anywhere in the database: an error or an answer, never a crash. */
START_TEST(damaged_anywhere)
{
    static unsigned char good[1 << 20], bad[1 << 20];
    write_run(ANA_RECORD_FULL);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(good, 1, sizeof good, file);
    fclose(file);
    ck_assert(len > 4096 && len < sizeof good);
    uint64_t random = 12345;
    int refused = 0;
    for (int round = 0; round < 300; round++) {
        memcpy(bad, good, len);
        for (int i = 0; i < 20; i++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            bad[(random >> 20) % len] = (unsigned char)(random >> 56);
        }
        file = fopen(path, "wb");
        ck_assert(file != NULL && fwrite(bad, 1, len, file) == len && fclose(file) == 0);
        struct ana_results *results;
        struct ana_error error = {""};
        struct qkd_id id = test_ksa_key(7);
        int err = ana_results_open(path, &results, &error);
        FILE *out = tmpfile();
        ck_assert_ptr_nonnull(out);
        if (err == QKD_OK) {
            err = ana_trace_print(results, &id, out, &error);
            ana_results_close(results);
        }
        fclose(out);
        refused += err != QKD_OK;
        ck_assert_msg(err == QKD_OK || error.text[0] != '\0', "round %d: no reason given", round);
    }
    ck_assert_int_gt(refused, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/trace");
    TCase *tests = tcase_create("keys");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, text_of_a_ksa_key);
    tcase_add_test(tests, json_of_a_kma_key);
    tcase_add_test(tests, unknown_key);
    tcase_add_test(tests, lower_levels);
    tcase_add_test(tests, damaged_anywhere);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
