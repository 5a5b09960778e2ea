/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/log: each line is one JSON object by another reader (jansson), with the values that went in;
 * levels; texts of arbitrary bytes. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/log.h"
#include "emu/base/utf8.h"
#include "tests/lib/store_model.h"

static char folder[40], path[64], moved[72];
static struct emu_log *logger;
static struct emu_why why;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_log_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/kmd.A.log", folder);
    snprintf(moved, sizeof moved, "%s.1", path);
    struct emu_log_options options = {.daemon = "kmd.A", .path = path, .level = EMU_LOG_INFO};
    ck_assert_msg(emu_log_open(&options, &logger, &why) == 0, "%s", why.text);
}

static void teardown(void)
{
    emu_log_close(logger);
    unlink(path);
    unlink(moved);
    rmdir(folder);
}

/* The lines of a file as JSON; the caller releases it. */
static json_t *lines_of(const char *name)
{
    static char line[1 << 18];
    json_t *all = json_array();
    FILE *file = fopen(name, "rb");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_error_t error;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        ck_assert_msg(object != NULL, "%s: %s", error.text, line);
        ck_assert(json_is_object(object));
        json_array_append_new(all, object);
    }
    fclose(file);
    return all;
}

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    ck_assert_msg(text != NULL, "no %s", name);
    return text;
}

START_TEST(fields)
{
    struct qkd_id id = {{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x81, 0x23, 0x45, 0x67,
                         0x89, 0xab, 0xcd, 0xef}};
    struct emu_log_field all[] = {
        emu_log_int("i", INT64_MIN),
        emu_log_uint("u", INT64_MAX),
        emu_log_real("r", 0.25),
        emu_log_real("n", NAN),
        emu_log_bool("b", true),
        emu_log_text("t", "say \"hi\"\\\n\t\x01\x7f \xc3\xa4\xf0\x9f\x94\x91"),
        emu_log_text("none", NULL),
        emu_log_eid("who", qkd_eid_make(QKD_ROLE_KMA, 2, 31)),
        emu_log_id("key", &id),
    };
    emu_log(logger, EMU_LOG_WARN, "peer_up", all, sizeof all / sizeof all[0]);
    json_t *lines = lines_of(path);
    ck_assert_uint_eq(json_array_size(lines), 1);
    const json_t *line = json_array_get(lines, 0);
    ck_assert_uint_eq(json_object_size(line), 4 + sizeof all / sizeof all[0]);
    ck_assert_str_eq(text_of(line, "level"), "warn");
    ck_assert_str_eq(text_of(line, "daemon"), "kmd.A");
    ck_assert_str_eq(text_of(line, "event"), "peer_up");
    int year, month, day, hour, minute, second, us;
    char zone;
    ck_assert_int_eq(sscanf(text_of(line, "time"), "%4d-%2d-%2dT%2d:%2d:%2d.%6d%c", &year, &month,
                            &day, &hour, &minute, &second, &us, &zone),
                     8);
    ck_assert(zone == 'Z' && year >= 2024 && strlen(text_of(line, "time")) == 27);
    ck_assert(json_integer_value(json_object_get(line, "i")) == INT64_MIN);
    ck_assert(json_integer_value(json_object_get(line, "u")) == INT64_MAX);
    ck_assert(json_real_value(json_object_get(line, "r")) == 0.25);
    ck_assert(json_is_null(json_object_get(line, "n")));
    ck_assert(json_is_true(json_object_get(line, "b")));
    ck_assert(json_is_null(json_object_get(line, "none")));
    ck_assert_str_eq(text_of(line, "t"), "say \"hi\"\\\n\t\x01\x7f \xc3\xa4\xf0\x9f\x94\x91");
    ck_assert_str_eq(text_of(line, "who"), "KMA 2@31");
    ck_assert_str_eq(text_of(line, "key"), "12345678-9abc-4def-8123-456789abcdef");
    json_decref(lines);
}
END_TEST

START_TEST(levels)
{
    enum emu_log_level level;
    for (int i = EMU_LOG_ERROR; i <= EMU_LOG_DEBUG; i++) {
        ck_assert(emu_log_level_parse(emu_log_level_name((enum emu_log_level)i), &level));
        ck_assert_int_eq(level, i);
        emu_log(logger, (enum emu_log_level)i, "event", NULL, 0);
    }
    ck_assert(!emu_log_level_parse("INFO", &level));
    ck_assert(emu_log_wants(logger, EMU_LOG_INFO) && !emu_log_wants(logger, EMU_LOG_DEBUG));
    emu_log_set_level(logger, EMU_LOG_ERROR);
    emu_log(logger, EMU_LOG_WARN, "event", NULL, 0);
    json_t *lines = lines_of(path);
    ck_assert_uint_eq(json_array_size(lines), 3);
    ck_assert_str_eq(text_of(json_array_get(lines, 2), "level"), "info");
    json_decref(lines);
}
END_TEST

/* Texts of random bytes: the line stays JSON, and what was UTF-8 comes back. */
START_TEST(any_bytes)
{
    uint64_t state = 5;
    for (int round = 0; round < 2000; round++) {
        char text[40];
        size_t len = store_model_next(&state) % (sizeof text - 1);
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)(1 + store_model_next(&state) % 255);
            if (round % 2 == 0) {
                text[i] = (char)(1 + (text[i] & 0x7e)); /* ASCII */
            }
        }
        text[len] = '\0';
        struct emu_log_field field = emu_log_text("t", text);
        emu_log(logger, EMU_LOG_INFO, "text", &field, 1);
        struct emu_log_field copy = emu_log_text("t", "kept");
        emu_log(logger, EMU_LOG_INFO, "next", &copy, 1);
        if (round % 100 != 0) {
            continue;
        }
        json_t *lines = lines_of(path);
        ck_assert_uint_eq(json_array_size(lines), 2 * ((size_t)round + 1));
        if (round % 2 == 0) {
            ck_assert_str_eq(text_of(json_array_get(lines, 2 * (size_t)round), "t"), text);
        }
        json_decref(lines);
    }
    json_decref(lines_of(path)); /* all of them can be read */
    ck_assert_uint_eq(emu_log_lost(logger), 0);
}
END_TEST

START_TEST(long_texts)
{
    static char text[5000];
    struct emu_log_field all[EMU_LOG_FIELDS_MAX];
    char names[EMU_LOG_FIELDS_MAX][16];
    memset(text, '\x01', sizeof text - 1); /* six bytes each */
    for (int i = 0; i < EMU_LOG_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        all[i] = emu_log_text(names[i], text);
    }
    emu_log(logger, EMU_LOG_INFO, "long", all, EMU_LOG_FIELDS_MAX);
    memset(text, 'a', sizeof text - 1);
    memcpy(text + EMU_LOG_TEXT_MAX - 1, "\xc3\xa4", 2); /* the limit falls into it */
    emu_log(logger, EMU_LOG_INFO, "cut", all, 1);
    json_t *lines = lines_of(path);
    ck_assert_uint_eq(json_array_size(lines), 2);
    ck_assert_uint_eq(strlen(text_of(json_array_get(lines, 0), "f15")), EMU_LOG_TEXT_MAX + 3);
    const char *cut = text_of(json_array_get(lines, 1), "f0");
    ck_assert_uint_eq(strlen(cut), EMU_LOG_TEXT_MAX - 1 + 3);
    ck_assert_str_eq(cut + EMU_LOG_TEXT_MAX - 1, "...");
    json_decref(lines);
}
END_TEST

START_TEST(moved_away)
{
    emu_log(logger, EMU_LOG_INFO, "one", NULL, 0);
    ck_assert_int_eq(rename(path, moved), 0);
    emu_log(logger, EMU_LOG_INFO, "two", NULL, 0);
    ck_assert_int_eq(emu_log_reopen(logger, &why), 0);
    emu_log(logger, EMU_LOG_INFO, "three", NULL, 0);
    json_t *old = lines_of(moved);
    json_t *new = lines_of(path);
    ck_assert_uint_eq(json_array_size(old), 2);
    ck_assert_uint_eq(json_array_size(new), 1);
    json_decref(old);
    json_decref(new);
    struct emu_log_options options = {.daemon = "x", .path = "/tmp/no/such/log"};
    struct emu_log *none;
    ck_assert_int_eq(emu_log_open(&options, &none, &why), QKD_ERR_IO);
    ck_assert_ptr_null(none);
    ck_assert_ptr_nonnull(strstr(why.text, "/tmp/no/such/log"));
}
END_TEST

/* Examples of RFC 3629 and the well-known limits of its table. */
START_TEST(utf8)
{
    static const struct {
        const char *bytes;
        size_t len, wanted;
    } cases[] = {
        {"A", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},
        {"\xc1\xbf", 2, 0},
        {"\xc2\x80", 2, 2},
        {"\xc2", 1, 0},
        {"\xc2\x41", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0},
        {"\xef\xbf\xbd", 3, 3},
        {"\xe2\x89", 2, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"\xe2\x89\xa2\xce\x91", 5, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(emu_utf8_length((const unsigned char *)cases[i].bytes, cases[i].len) ==
                          cases[i].wanted,
                      "case %zu", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_log");
    TCase *tcase = tcase_create("emu_log");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, fields);
    tcase_add_test(tcase, levels);
    tcase_add_test(tcase, any_bytes);
    tcase_add_test(tcase, long_texts);
    tcase_add_test(tcase, moved_away);
    tcase_add_test(tcase, utf8);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
