/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON Schema and the loader agree. Over the shipped scenarios and two that use every key: what
 * both accept; then thousands of planted errors (each value taken out, or replaced by each of a
 * dozen others; each mapping given a strange key): what the loader accepts the schema accepts, and
 * what the loader refuses for its structure the schema refuses. References, ranges of quantities and
 * keys that exclude each other only the loader checks. The schema is judged by a checker of its own
 * (tests/lib/schema_check.h). Runs in the folder of the project. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/buffer.h"
#include "scenarios/field.h"
#include "tests/lib/schema_check.h"

static struct scn_ctx ctx;
static struct scn_tree *schema;

static struct scn_tree *parse(const char *text)
{
    struct scn_place at = {.line = 1, .column = 1};
    struct scn_tree *tree = scn_tree_parse(&ctx, text, strlen(text), at);
    ck_assert_msg(tree != NULL, "%s", ctx.mistake_count > 0 ? ctx.mistakes[0].text : "no memory");
    return tree;
}

static void setup(void)
{
    memset(&ctx, 0, sizeof ctx);
    (void)scn_source_add(&ctx, "test");
    char *text = scn_schema();
    ck_assert_ptr_nonnull(text);
    schema = parse(text);
    free(text);
}

static void teardown(void)
{
    free(ctx.mistakes);
    free(ctx.sources);
    free(ctx.folders);
    scn_arena_fini(&ctx.arena);
}

/* ---- the checker itself ---- */

static const struct {
    const char *schema, *value;
    bool valid;
} cases[] = {
    {"{type: string}", "a", true},
    {"{type: string}", "1", false},
    {"{type: string}", "'1'", true},
    {"{type: integer}", "5.0", true},
    {"{type: integer}", "5.5", false},
    {"{type: [number, 'null']}", "~", true},
    {"{type: [number, 'null']}", "true", false},
    {"{type: object, required: [a]}", "{b: 1}", false},
    {"{required: [a]}", "5", true},
    {"{properties: {a: {type: array}}}", "{a: 1}", false},
    {"{properties: {a: {type: array}}}", "{b: 1}", true},
    {"{properties: {a: {}}, additionalProperties: false}", "{b: 1}", false},
    {"{items: {enum: [x, y]}, maxItems: 2}", "[x, y]", true},
    {"{items: {enum: [x, y]}, maxItems: 2}", "[x, z]", false},
    {"{items: {enum: [x, y]}, maxItems: 2}", "[x, y, x]", false},
    {"{minItems: 1}", "[]", false},
    {"{pattern: '^a+$'}", "aab", false},
    {"{pattern: '^a+$'}", "5", true},
    {"{maxLength: 2}", "µµ", true},
    {"{minLength: 1}", "''", false},
    {"{minimum: 0, maximum: 1}", "-0.5", false},
    {"{minimum: 0, maximum: 1}", "1", true},
    {"{anyOf: [{type: string}, {type: array}]}", "{}", false},
    {"{allOf: [{minimum: 1}, {maximum: 2}]}", "3", false},
    {"{if: {required: [a]}, then: {required: [b]}, else: {required: [c]}}", "{a: 1}", false},
    {"{if: {required: [a]}, then: {required: [b]}, else: {required: [c]}}", "{a: 1, b: 1}", true},
    {"{if: {required: [a]}, then: {required: [b]}, else: {required: [c]}}", "{b: 1}", false},
    {"{if: {required: [a]}, then: {required: [b]}, else: {required: [c]}}", "{c: 1}", true},
    {"{properties: {k: {const: x}}}", "{k: y}", false},
};

START_TEST(checker)
{
    char why[200];
    bool valid = schema_check(parse(cases[_i].schema), parse(cases[_i].value), why, sizeof why);
    ck_assert_msg(valid == cases[_i].valid, "case %d: %s", _i, why);
}
END_TEST

/* ---- loader and schema ---- */

static void tree_write(struct scn_buffer *out, const struct scn_tree *tree)
{
    static const char *const bare[] = {"true", "false", "null", NULL};
    if (tree->kind == SCN_TREE_SCALAR) {
        bool plain = tree->plain && tree->text[0] != '\0' &&
                     strspn(tree->text, "0123456789.eE+-") == strlen(tree->text);
        for (size_t i = 0; bare[i] != NULL; i++) {
            plain = plain || (tree->plain && strcmp(tree->text, bare[i]) == 0);
        }
        if (plain) {
            scn_buffer_text(out, tree->text);
        } else if (tree->plain && tree->text[0] == '\0') {
            scn_buffer_text(out, "null");
        } else {
            scn_buffer_quoted(out, tree->text);
        }
        return;
    }
    bool map = tree->kind == SCN_TREE_MAP;
    scn_buffer_text(out, map ? "{" : "[");
    for (const struct scn_tree *child = tree->first; child != NULL; child = child->next) {
        scn_buffer_text(out, child == tree->first ? "" : ", ");
        if (map) {
            scn_buffer_quoted(out, child->key);
            scn_buffer_text(out, ": ");
        }
        tree_write(out, child);
    }
    scn_buffer_text(out, map ? "}" : "]");
}

/* What the loader says of the structure, and the schema can say too. */
static bool structural(const char *message)
{
    static const char *const marks[] = {"unknown key ",        " is missing in ",
                                        "expected a mapping",  "expected a list",
                                        "expected one value",  "has no value",
                                        ": expected one of ",  "has no unit",
                                        "has an unknown unit", "is not a number",
                                        "true or false",       "not available in",
                                        "is no identifier",    NULL};
    for (size_t i = 0; marks[i] != NULL; i++) {
        if (strstr(message, marks[i]) != NULL) {
            return true;
        }
    }
    return false;
}

struct count {
    size_t both_accept, both_refuse, loader_only;
};

/* Compares the two on one text. */
static void compare(const char *text, struct count *count)
{
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text), .folder = "scenarios"};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    char why[200];
    bool loads = scn_load_text(&input, NULL, &scenario, &errors) == 0;
    bool valid = schema_check(schema, parse(text), why, sizeof why);
    bool of_structure = false;
    bool reference = false;
    for (size_t i = 0; i < errors.count; i++) {
        reference = reference || strstr(errors.lines[i], "unknown node") != NULL;
    }
    for (size_t i = 0; i < errors.count; i++) {
        /* Ids made of the ids of nodes are as bad as these. */
        bool made = reference && strstr(errors.lines[i], "is no identifier") != NULL;
        of_structure = of_structure || (structural(errors.lines[i]) && !made);
    }
    ck_assert_msg(!loads || valid, "the loader accepts, the schema refuses (%s): %s", why, text);
    ck_assert_msg(!of_structure || !valid, "the loader refuses (%s), the schema accepts: %s",
                  errors.lines[0], text);
    count->both_accept += loads ? 1 : 0;
    count->both_refuse += !loads && !valid ? 1 : 0;
    count->loader_only += !loads && valid ? 1 : 0;
    scn_free(scenario);
    scn_errors_fini(&errors);
}

static void compare_tree(const struct scn_tree *root, struct count *count)
{
    struct scn_buffer out = {0};
    tree_write(&out, root);
    char *text = scn_buffer_take(&out);
    compare(text, count);
    free(text);
}

static const char *const replacements[] = {"null", "{}",       "[]",    "zz",        "5",   "true",
                                           "[1]",  "{a: 1}",   "'5 s'", "0",         "5.5", "'0.0'",
                                           "''",   "[[1, 2]]", "-1",    "'5 kbit/s'"};

/* Each value in turn is replaced, or left out; each mapping gets a key. Recursion: as deep as the
 * documents below. */
static void mutate(struct scn_tree *root, struct scn_tree *tree, struct count *count)
{
    for (struct scn_tree *child = tree->first; child != NULL; child = child->next) {
        struct scn_tree kept = *child;
        for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++) {
            const struct scn_tree *other = parse(replacements[i]);
            *child = *other;
            child->key = kept.key;
            child->next = kept.next;
            compare_tree(root, count);
        }
        *child = kept;
        mutate(root, child, count);
    }
    struct scn_tree whole = *tree;
    struct scn_tree strange = {.kind = SCN_TREE_SCALAR, .plain = true, .text = "1", .key = "zzz"};
    if (tree->kind == SCN_TREE_MAP) {
        strange.next = tree->first;
        tree->first = &strange;
        compare_tree(root, count);
        *tree = whole;
    }
    for (struct scn_tree *before = NULL, *gone = tree->first; gone != NULL; gone = gone->next) {
        struct scn_tree *next = gone->next;
        if (before == NULL) {
            tree->first = next;
        } else {
            before->next = next;
        }
        tree->count--;
        compare_tree(root, count);
        *tree = whole;
        if (before != NULL) {
            before->next = gone;
        }
        before = gone;
    }
}

static const char all_keys[] =
    "{scenario: x, seed: 1, duration: 1 h, warmup: 1 s, engine: fast, network: {nodes: [{id: A, "
    "name: a, lat: 1, lon: 2, role: user, operator: o, address: q, mac: '02:00:00:00:00:01', "
    "clock: {offset: 1 ms, drift: 1 ppm}, user_networks: [a], boundary: inside}, {id: B}, {id: "
    "C}], links: [{id: AB, ends: [A, B], length: 1 km, loss: 2 dB, qkd: {model: rate, rate: 1 "
    "kbit/s, qber: 0.01, block: 80 kbit, blocks: regular, key_form: seed}, store: 1 Mbit, initial: "
    "0, classical: {latency: 1 ms, bandwidth: 1 Mbit/s}}, {id: BC, ends: [B, C], qkd: {model: "
    "trace, trace: [[0 s, 1 kbit/s, 1 %]]}}], generate: {kind: line, nodes: 3, spacing: 1 km, "
    "prefix: g, link: {qkd: {rate: 1 kbit/s}}}, scale: 2, max_span: 100 km, classical: "
    "{bandwidth: 1 Gbit/s, latency: auto, queue: 1 MiB, management: separate, management_latency: "
    "1 ms, management_bandwidth: 1 Gbit/s, loss: 0, duplicate: 0, reorder: 0, reorder_jitter: 1 "
    "ms}}, key_management: {unit: 256 bit, relay: hop-by-hop, batch: 1}, control: {routing: "
    "widest, "
    "at: A}, management: {at: B}, applications: [{id: v, from: A, to: C, key: 256 bit, count: 1, "
    "arrivals: poisson, rate: 1 /s, level: any, timeout: 1 s, wait: false, start: 0, stop: 1 h}, "
    "{id: t, from: A, to: B, arrivals: trace, times: [1 s, 2 s]}], faults: [{at: 1 s, link: AB, "
    "what: both, for: 1 s}, {at: 1 s, node: A}], expect: [served_fraction > 0.1]}";

static const char other_keys[] =
    "{scenario: x, duration: 1 h, engine: fast, network: {generate: {kind: waxman, nodes: 6, side: "
    "9 km, alpha: 0.5, beta: 0.5, seed: 3, link: {qkd: {rate: 1 kbit/s}}}, classical: {switches: "
    "[hub], management: in-band, links: [{id: a, ends: [n0001, hub], length: 1 km, latency: 1 ms, "
    "bandwidth: 1 Mbit/s}, {ends: [n0002, hub]}, {ends: [n0003, hub]}, {ends: [n0004, hub]}, "
    "{ends: [n0005, hub]}, {ends: [n0006, hub]}]}}, applications: [{id: p, from: n0001, to: n0002, "
    "arrivals: periodic, rate: 1 /s, offset: 1 s}, {id: d, from: n0001, to: n0002, arrivals: "
    "diurnal, rate: 5 /s, trough: 1 /s, peak: 2 h}, {id: o, from: n0002, to: n0003, arrivals: "
    "on-off, rate: 1 /s, on_time: 1 s, off_time: 1 s, periods: fixed}], demands: [{id: all, pairs: "
    "once, nodes: [n0001, n0002], application: {rate: 1 /min}}, {id: g, gravity: 9 kbit/s, "
    "weights: {n0001: 1, n0002: 2}}], access: [{rule: deny, "
    "from: "
    "{node: n0001, role: user}, application: p}], seeds: {arrivals: 5}, faults: [{at: 1 s, "
    "classical_link: a}]}";

START_TEST(planted_errors)
{
    struct scn_tree *root = parse(_i == 0 ? all_keys : other_keys);
    struct count count = {0};
    compare_tree(root, &count);
    ck_assert_uint_eq(count.both_accept, 1);
    mutate(root, root, &count);
    ck_assert_uint_gt(count.both_refuse, 500);
    ck_assert_uint_gt(count.both_accept, 20);
}
END_TEST

START_TEST(shipped_scenarios)
{
    DIR *folder = opendir("scenarios");
    ck_assert_ptr_nonnull(folder);
    struct count count = {0};
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0) {
            continue;
        }
        char path[300];
        (void)snprintf(path, sizeof path, "scenarios/%s", entry->d_name);
        FILE *file = fopen(path, "rb");
        ck_assert_ptr_nonnull(file);
        char *text = calloc(1, 1 << 22);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_gt(fread(text, 1, (1 << 22) - 1, file), 0);
        ck_assert_int_eq(fclose(file), 0);
        compare(text, &count);
        free(text);
    }
    (void)closedir(folder);
    ck_assert_uint_ge(count.both_accept, 4);
    ck_assert_uint_eq(count.both_refuse + count.loader_only, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_agreement");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, checker, 0, sizeof cases / sizeof cases[0]);
    tcase_add_loop_test(tcase, planted_errors, 0, 2);
    tcase_add_test(tcase, shipped_scenarios);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
