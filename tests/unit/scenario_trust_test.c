/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: the loader against the published JSON Schema, read by a validator of its own: both
 * accept all shipped files and both say the same of thousands of random changes to rich ones, but
 * for the rules of tests/lib/schema_rules.c; what is accepted prints so that it loads to the same
 * hash. Runs in the folder of the project. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"
#include "tests/lib/json_schema.h"
#include "tests/lib/scenario_mutate.h"
#include "tests/lib/schema_rules.h"

enum { PATH_BYTES = 512, TEXT_MAX = 4 << 20 };

static struct js_value *schema;

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    char *text = calloc(1, TEXT_MAX);
    ck_assert_ptr_nonnull(text);
    size_t len = fread(text, 1, TEXT_MAX - 1, file);
    ck_assert_uint_lt(len, TEXT_MAX - 1);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

static void setup(void)
{
    char *text = file_read("scenarios/scenario.schema.json");
    schema = js_parse(text, strlen(text));
    ck_assert_ptr_nonnull(schema);
    free(text);
}

static void teardown(void)
{
    js_free(schema);
}

/* ---- shipped files ---- */

struct walk {
    size_t files;
    void (*visit)(const char *path);
};

/* Visits the .yaml files below a folder, at most three deep. */
static void walk(struct walk *w, const char *folder, int depth)
{
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s", folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[PATH_BYTES];
        struct stat info;
        (void)snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        size_t len = strlen(path);
        if (entry->d_name[0] == '.' || stat(path, &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode) && depth < 3) {
            walk(w, path, depth + 1);
        } else if (len > 5 && strcmp(path + len - 5, ".yaml") == 0) {
            w->visit(path);
            w->files++;
        }
    }
    ck_assert_int_eq(closedir(dir), 0);
}

/* A scenario's print loads to the same hash; files that stand for themselves alone. */
static void prints_the_same(const struct scn_scenario *scenario, const char *what)
{
    char hash[65];
    char again[65];
    char *printed = scn_print(scenario);
    ck_assert_ptr_nonnull(printed);
    ck_assert_int_eq(scn_hash(scenario, hash), 0);
    struct scn_scenario *second = NULL;
    struct scn_errors errors;
    struct scn_text text = {.name = "printed", .text = printed, .len = strlen(printed)};
    int err = scn_load_text(&text, NULL, &second, &errors);
    ck_assert_msg(err == 0, "%s: %s", what, errors.count > 0 ? errors.lines[0] : "");
    ck_assert_int_eq(scn_hash(second, again), 0);
    ck_assert_msg(strcmp(hash, again) == 0, "%s prints to something else:\n%s", what, printed);
    scn_errors_fini(&errors);
    scn_free(second);
    free(printed);
}

static void shipped_visit(const char *path)
{
    char why[200];
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int err = scn_load(path, NULL, &scenario, &errors);
    char *text = file_read(path);
    struct js_value *value = js_parse(text, strlen(text));
    ck_assert_msg(value != NULL, "%s", path);
    bool whole = js_find(value, "scenario") != NULL; /* a part for others has no name */
    ck_assert_msg(err == 0 || !whole, "%s", errors.count > 0 ? errors.lines[0] : path);
    ck_assert_msg(!whole || js_valid(schema, value, why), "%s: the schema refuses it: %s", path,
                  why);
    if (scenario != NULL && scenario->node_count <= 2000) {
        prints_the_same(scenario, path);
        char *printed = scn_print(scenario);
        struct js_value *resolved = js_parse(printed, strlen(printed));
        ck_assert_ptr_nonnull(resolved);
        ck_assert_msg(js_valid(schema, resolved, why), "%s, resolved: %s", path, why);
        js_free(resolved);
        free(printed);
    }
    js_free(value);
    free(text);
    scn_free(scenario);
    scn_errors_fini(&errors);
}

START_TEST(shipped_files)
{
    struct walk w = {0, shipped_visit};
    walk(&w, "scenarios", 0);
    printf("%zu shipped files\n", w.files);
    ck_assert_uint_ge(w.files, 4);
}
END_TEST

/* ---- random changes ---- */

static const char *const rich[] = {
    "scenario: rich\nseed: 3\nseeds: {arrivals: 4}\nduration: 10 min\nwarmup: 1 min\nengine: fast\n"
    "network:\n  nodes:\n"
    "    - {id: A, name: a, lat: 1, lon: 2.5, role: user, operator: x, address: here,\n"
    "       mac: '02:00:00:00:00:01', clock: {offset: 1 ms, drift: 2 ppm}}\n"
    "    - {id: B}\n    - {id: C, role: border}\n  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, loss: 3 dB, store: 1 Mbit, initial: 8 kbit,\n"
    "       qkd: {rate: 9 kbit/s, qber: 2 %, block: 8 kbit}, classical: {latency: 1 ms}}\n"
    "    - {id: BC, ends: [B, C], qkd: {model: trace, trace: [[0 s, 9 kbit/s, 0], [1 min, 0, 1 "
    "%]]}}\n"
    "  classical: {latency: auto, queue: 1 MiB, management: in-band, loss: 0.01}\n"
    "key_management: {unit: 256 bit, batch: 4, retention: preserve, deployment: two}\n"
    "control: {routing: key-aware, at: B, low_mark: 1 kbit}\nmanagement: {at: A}\n"
    "applications:\n"
    "  - {id: v, from: A, to: C, rate: 1 /s, wait: true, count: 2, level: any, stop: 5 min}\n"
    "  - {id: o, from: A, to: C, arrivals: on-off, key_rate: 1 kbit/s, on_time: 1 s, off_time: 2 "
    "s}\n"
    "  - {id: d, from: C, to: A, arrivals: diurnal, profile: [[0, 1 /s], [1 h, 2 /h]]}\n"
    "  - {id: t, from: C, to: A, arrivals: trace, times: [1 s, 2 s]}\n"
    "demands:\n  - {id: g, gravity: 1 kbit/s, weights: {A: 1, B: 2, C: 0.5}}\n"
    "  - {id: p, pairs: once, nodes: [A, B], application: {volume: 1 Mbit, timeout: 1 s}}\n"
    "access:\n  - {rule: allow, application: v}\n  - {rule: deny, from: {operator: x}, to: {role: "
    "border}}\n"
    "faults:\n  - {at: 1 min, link: AB, what: both, for: 5 s}\n  - {at: 2 min, node: B}\n"
    "expect:\n  - served_fraction >= 0.5\nattacks: []\nmeasures: {}\n",
    "scenario: made\nduration: 1 min\nnetwork:\n"
    "  generate: {kind: grid, rows: 2, columns: 3, spacing: 10 km, prefix: n, link: {qkd: {rate: 5 "
    "kbit/s}}}\n  scale: 1.5\n  max_span: 12 km\n"
    "demands: [{id: all, pairs: all, application: {rate: 1 /min, arrivals: periodic}}]\n",
};

/* What the two say of a document. */
struct verdicts {
    size_t both_accept, both_refuse, rules[32], wrong;
};

static void compare(const struct js_value *document, struct verdicts *v, uint64_t seed)
{
    char why[200];
    char *text = js_print(document);
    bool accepted = js_valid(schema, document, why);
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "random", .text = text, .len = strlen(text)};
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    if (err == 0 && !accepted) {
        fprintf(stderr, "seed %llu: the loader accepts, the schema says '%s':\n%s",
                (unsigned long long)seed, why, text);
        v->wrong++;
    }
    bool twice = false; /* then each reads another value of the key */
    for (size_t i = 0; i < errors.count; i++) {
        twice = twice || strstr(errors.lines[i], "is given twice") != NULL;
    }
    for (size_t i = 0; accepted && !twice && i < errors.count; i++) {
        size_t rule = schema_rule_of(errors.lines[i]);
        if (rule == SIZE_MAX) {
            fprintf(stderr, "seed %llu: the schema accepts, the loader says '%s':\n%s",
                    (unsigned long long)seed, errors.lines[i], text);
            v->wrong++;
        } else {
            v->rules[rule]++;
        }
    }
    v->both_accept += err == 0 ? 1 : 0;
    v->both_refuse += !accepted ? 1 : 0;
    if (err == 0 && scenario->node_count + scenario->application_count < 1000) {
        prints_the_same(scenario, text);
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
    free(text);
}

START_TEST(random_changes)
{
    struct js_value *document = js_parse(rich[_i], strlen(rich[_i]));
    struct verdicts v = {0};
    ck_assert_ptr_nonnull(document);
    compare(document, &v, 0);
    ck_assert_uint_eq(v.both_accept, 1);
    const char *runs = getenv("QKDN_TRUST_RUNS");
    uint64_t count = runs == NULL ? 3000 : strtoull(runs, NULL, 10);
    for (uint64_t seed = 1; seed <= count; seed++) {
        uint64_t state = seed * 1000 + (uint64_t)_i;
        struct js_value *changed = js_copy(document);
        for (uint64_t n = 1 + mutate_below(&state, 3); n > 0; n--) {
            mutate_once(changed, &state);
        }
        compare(changed, &v, seed);
        js_free(changed);
    }
    printf("accepted %zu, refused by both %zu", v.both_accept, v.both_refuse);
    for (size_t i = 0; schema_rule_name(i) != NULL; i++) {
        printf(", %zu", v.rules[i]);
    }
    printf(" by rules of the loader's own\n");
    ck_assert_uint_eq(v.wrong, 0);
    ck_assert_uint_gt(v.both_accept, count / 20);
    ck_assert_uint_gt(v.both_refuse, count / 4);
    js_free(document);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario trust");
    TCase *tc = tcase_create("trust");
    tcase_set_timeout(tc, 100);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, shipped_files);
    tcase_add_loop_test(tc, random_changes, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
