/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON Schema and the loader agree on planted errors, one by one: in two scenarios that use
 * every key, each value is taken out, or replaced by each of a dozen others, and each mapping is
 * given a strange key. What the loader accepts the schema accepts, and what the loader refuses for
 * its structure the schema refuses. (Random changes and shipped files: scenario_trust_test.c.) The
 * validator, tests/lib/json_schema.h, is tested here too. Runs in the folder of the project. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/scenario.h"
#include "tests/lib/json_schema.h"

static struct js_value *schema;

static struct js_value *parse(const char *text)
{
    struct js_value *value = js_parse(text, strlen(text));
    ck_assert_msg(value != NULL, "%s", text);
    return value;
}

static void setup(void)
{
    char *text = scn_schema();
    ck_assert_ptr_nonnull(text);
    schema = parse(text);
    free(text);
}

static void teardown(void)
{
    js_free(schema);
}

/* ---- the validator: by the specification, json-schema.org, draft 2020-12 ---- */

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

START_TEST(validator)
{
    char why[200] = "";
    struct js_value *rule = parse(cases[_i].schema);
    struct js_value *value = parse(cases[_i].value);
    bool valid = js_valid(rule, value, why);
    ck_assert_msg(valid == cases[_i].valid, "case %d: %s", _i, why);
    js_free(rule);
    js_free(value);
}
END_TEST

/* ---- loader and schema ---- */

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
    size_t both_accept, both_refuse;
};

/* Compares the two on one document. */
static void compare(const struct js_value *root, struct count *count)
{
    char *text = js_print(root);
    ck_assert_ptr_nonnull(text);
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text), .folder = "scenarios"};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    char why[200] = "";
    bool loads = scn_load_text(&input, NULL, &scenario, &errors) == 0;
    bool valid = js_valid(schema, root, why);
    bool reference = false;
    bool of_structure = false;
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
    scn_free(scenario);
    scn_errors_fini(&errors);
    free(text);
}

static const char *const replacements[] = {"null", "{}",       "[]",    "zz",        "5",   "true",
                                           "[1]",  "{a: 1}",   "'5 s'", "0",         "5.5", "'0.0'",
                                           "''",   "[[1, 2]]", "-1",    "'5 kbit/s'"};

/* Recursion: as deep as the documents below. */
static void plant(const struct js_value *root, struct js_value *tree, struct count *count)
{
    for (size_t i = 0; i < tree->count; i++) {
        struct js_value *kept = tree->items[i];
        for (size_t k = 0; k < sizeof replacements / sizeof replacements[0]; k++) {
            tree->items[i] = parse(replacements[k]);
            tree->items[i]->key = kept->key;
            compare(root, count);
            tree->items[i]->key = NULL;
            js_free(tree->items[i]);
        }
        tree->items[i] = tree->items[tree->count - 1]; /* the order of keys means nothing */
        tree->count--;
        compare(root, count);
        tree->count++;
        tree->items[i] = kept;
        plant(root, kept, count);
    }
    if (tree->kind == JS_OBJECT) {
        js_append(tree, "zzz", js_scalar("1", true));
        compare(root, count);
        js_free(tree->items[--tree->count]);
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
    "ms}, risk_groups: [{id: r, links: [AB], nodes: [C]}]}, key_management: {unit: 256 bit, relay: "
    "hop-by-hop, batch: 1}, control: {routing: "
    "widest, "
    "at: A}, management: {at: B}, applications: [{id: v, from: A, to: C, key: 256 bit, count: 1, "
    "arrivals: poisson, rate: 1 /s, level: any, timeout: 1 s, wait: false, start: 0, stop: 1 h}, "
    "{id: t, from: A, to: B, arrivals: trace, times: [1 s, 2 s]}], faults: [{at: 1 s, link: AB, "
    "what: both, for: 1 s}, {at: 1 s, node: A}, {at: 1 s, link: [AB, BC], what: degraded, loss: 1 "
    "dB, qber: 1 %, rate: 0.5, event: e, every: 9 s, for: 1 s, until: 1 min}, {mtbf: 1 h, mttr: 1 "
    "s, node: '*', what: down}, {at: 1 s, link: AB, what: module, end: A}, {at: 1 s, link: AB, "
    "what: impaired, delay: 1 s, frame_loss: 0.5, frame_corruption: 0.5}, {at: 1 s, element: "
    "controller}, {at: 1 s, group: r}], expect: [served_fraction > 0.1]}";

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
    struct js_value *root = parse(_i == 0 ? all_keys : other_keys);
    struct count count = {0};
    compare(root, &count);
    ck_assert_uint_eq(count.both_accept, 1);
    plant(root, root, &count);
    ck_assert_uint_gt(count.both_refuse, 500);
    ck_assert_uint_gt(count.both_accept, 20);
    js_free(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_agreement");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, validator, 0, sizeof cases / sizeof cases[0]);
    tcase_add_loop_test(tcase, planted_errors, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
