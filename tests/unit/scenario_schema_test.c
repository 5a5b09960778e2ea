/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: the published JSON Schema is what the tables say, it is JSON, and docs/scenario.md
 * names every key of the tables. Runs in the folder of the project. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/field.h"

/* A whole text file; the caller frees. */
static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

START_TEST(published_schema_is_current)
{
    char *published = file_read("scenarios/scenario.schema.json");
    char *made = scn_schema();
    ck_assert_ptr_nonnull(made);
    ck_assert_msg(strcmp(published, made) == 0, "scenarios/scenario.schema.json is out of date");
    free(published);
    free(made);
}
END_TEST

/* Brackets and quotes of JSON match, by a scanner of its own (depth at most 64). */
START_TEST(schema_is_balanced_json)
{
    char *text = scn_schema();
    char open[64];
    size_t depth = 0;
    bool quoted = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (quoted) {
            c += *c == '\\' ? 1 : 0;
            quoted = *c != '"';
        } else if (*c == '"') {
            quoted = true;
        } else if (*c == '{' || *c == '[') {
            ck_assert_uint_lt(depth, sizeof open);
            open[depth++] = *c;
        } else if (*c == '}' || *c == ']') {
            ck_assert_uint_gt(depth, 0);
            ck_assert_int_eq(open[--depth], *c == '}' ? '{' : '[');
        }
    }
    ck_assert_uint_eq(depth, 0);
    ck_assert(!quoted);
    ck_assert_ptr_nonnull(strstr(text, "https://json-schema.org/draft/2020-12/schema"));
    free(text);
}
END_TEST

/* `key` in the docs: alone in backquotes, or after a dot. */
static bool documented(const char *docs, const char *key)
{
    char forms[4][80];
    (void)snprintf(forms[0], sizeof forms[0], "`%s`", key);
    (void)snprintf(forms[1], sizeof forms[1], ".%s`", key);
    (void)snprintf(forms[2], sizeof forms[2], "{%s: ", key);
    (void)snprintf(forms[3], sizeof forms[3], ", %s: ", key);
    for (size_t i = 0; i < 4; i++) {
        if (strstr(docs, forms[i]) != NULL) {
            return true;
        }
    }
    return false;
}

START_TEST(every_key_is_documented)
{
    char *docs = file_read("docs/scenario.md");
    const struct scn_table *stack[32] = {&scn_table_scenario};
    size_t depth = 1;
    size_t keys = 0;
    while (depth > 0) {
        const struct scn_table *table = stack[--depth];
        for (size_t i = 0; i < table->field_count; i++) {
            const struct scn_field *field = &table->fields[i];
            ck_assert_msg(documented(docs, field->key), "%s of %s is not in docs/scenario.md",
                          field->key, table->name);
            keys++;
            for (const struct scn_word *w = field->words; w != NULL && w->word != NULL; w++) {
                ck_assert_msg(documented(docs, w->word),
                              "the word %s of %s is not in docs/scenario.md", w->word, field->key);
            }
            if (field->table != NULL) {
                ck_assert_uint_lt(depth, 32);
                stack[depth++] = field->table;
            }
        }
    }
    ck_assert_uint_gt(keys, 80);
    free(docs);
}
END_TEST

/* The tables themselves: defaults are readable and in range, every row has a meaning. */
START_TEST(tables_are_sound)
{
    static const char text[] = "scenario: x\nduration: 1 s\nnetwork: {nodes: [{id: A}]}\n";
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t", .text = text, .len = sizeof text - 1};
    ck_assert_int_eq(scn_load_text(&input, NULL, &scenario, &errors), 0);
    scn_free(scenario);
    scn_errors_fini(&errors);
    for (size_t i = 0; i < scn_table_scenario.field_count; i++) {
        ck_assert_ptr_nonnull(scn_table_scenario.fields[i].doc);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario schema");
    TCase *tc = tcase_create("schema");
    tcase_add_test(tc, published_schema_is_current);
    tcase_add_test(tc, schema_is_balanced_json);
    tcase_add_test(tc, every_key_is_documented);
    tcase_add_test(tc, tables_are_sound);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
