/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: files over files: extends, include, remove, and the network of another file. Each
 * test writes its files into a folder of its own; expected values follow from docs/scenario.md. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"

static char folder[64];
static char path[160];
static const char *const names[] = {"top.yaml",      "frag.yaml", "more.yaml", "sub/base.yaml",
                                    "sub/nodes.csv", "sub/t.csv", "sub"};

static const char *path_of(const char *name)
{
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void folder_make(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/qkdn-merge-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(mkdir(path_of("sub"), 0700), 0);
}

static void folder_remove(void)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)remove(path_of(names[i]));
    }
    (void)rmdir(folder);
}

static void file_write(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static struct scn_scenario *load_good(const char *name)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int err = scn_load(path_of(name), NULL, &scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    return scenario;
}

/* The lines of error, joined, without the folder. */
static void refuse(const char *name, const char *expected)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load(path_of(name), NULL, &scenario, &errors), QKD_ERR_INVALID);
    char all[3000] = "";
    size_t len = strlen(folder);
    for (size_t i = 0; i < errors.count; i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : "\n", errors.lines[i]);
    }
    for (char *found; (found = strstr(all, folder)) != NULL;) {
        memmove(found, found + len + 1, strlen(found + len + 1) + 1);
    }
    ck_assert_str_eq(all, expected);
    scn_errors_fini(&errors);
}

/* A folder below, with data files beside it. */
static void base_write(void)
{
    file_write("sub/base.yaml", "scenario: base\nduration: 1 h\nengine: fast\n"
                                "network:\n  nodes: nodes.csv\n  links:\n"
                                "    - {id: AB, ends: [A, B], length: 10 km,\n"
                                "       qkd: {model: trace, trace: t.csv}}\n"
                                "    - {id: BC, ends: [B, C], store: 5 Mbit, qkd: {rate: 5 "
                                "kbit/s, block: 80 kbit}}\n"
                                "applications:\n  - {id: v, from: A, to: C, rate: 1 /s}\n"
                                "  - {id: w, from: A, to: B, rate: 1 /s}\n"
                                "faults: [{at: 1 min, link: AB}, {at: 2 min, link: BC}]\n");
    file_write("sub/nodes.csv", "id,operator\nA,x\nB,x\nC,y\n");
    file_write("sub/t.csv", "0,1000,0\n");
}

START_TEST(layers)
{
    base_write();
    file_write("frag.yaml", "control: {routing: fewest-hops, status_period: 2 s}\n"
                            "faults: [{at: 3 min, node: A}]\nwarmup: 1 min\n");
    file_write("more.yaml", "warmup: 2 min\n");
    file_write("top.yaml", "extends: sub/base.yaml\ninclude: [frag.yaml, more.yaml]\n"
                           "remove: ['applications[w]', 'network.links[BC].store']\n"
                           "scenario: top\nnetwork:\n  nodes: [{id: D}, {id: B, operator: z}]\n"
                           "  links: [{id: CD, ends: [C, D], qkd: {rate: 1 kbit/s}},\n"
                           "          {id: BC, qkd: {rate: 7 kbit/s}}]\n"
                           "  classical:\n"
                           "control: {routing: widest}\n");
    struct scn_scenario *s = load_good("top.yaml");
    ck_assert_str_eq(s->name, "top");
    ck_assert_int_eq(s->duration_ns, INT64_C(3600000000000)); /* of the base */
    ck_assert_int_eq(s->warmup_ns, INT64_C(120000000000));    /* of the later fragment */
    ck_assert_uint_eq(s->node_count, 4); /* the base's order, then what is new */
    ck_assert_str_eq(s->nodes[1].id, "B");
    ck_assert_str_eq(s->nodes[1].operator_id, "z");
    ck_assert_str_eq(s->nodes[2].operator_id, "y");
    ck_assert_str_eq(s->nodes[3].id, "D");
    ck_assert_uint_eq(s->link_count, 3);
    ck_assert_uint_eq(s->links[0].qkd.trace_count, 1); /* its file is beside the base */
    ck_assert_uint_eq(s->links[1].qkd.rate_bps, 7000);
    ck_assert_uint_eq(s->links[1].qkd.block_bits, 80000); /* kept: mappings merge deeply */
    ck_assert_uint_eq(s->links[1].store_bits, 64000000);  /* removed: the default */
    ck_assert_uint_eq(s->application_count, 1);
    ck_assert_uint_eq(s->fault_count, 1); /* lists without ids are replaced as a whole */
    ck_assert_int_eq(s->faults[0].target, SCN_TARGET_NODE);
    ck_assert_int_eq(s->control.routing, SCN_ROUTING_WIDEST);
    ck_assert_int_eq(s->control.status_period_ns, INT64_C(2000000000));
    /* What it resolves to names no other file. */
    char *printed = scn_print(s);
    struct scn_text text = {.name = "printed", .text = printed, .len = strlen(printed)};
    struct scn_scenario *second = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load_text(&text, NULL, &second, &errors), 0);
    scn_errors_fini(&errors);
    char *again = scn_print(second);
    ck_assert_str_eq(printed, again);
    free(printed);
    free(again);
    scn_free(second);
    scn_free(s);
}
END_TEST

/* A generated network of the base, of another size; overrides come last. */
START_TEST(a_base_with_parameters)
{
    file_write("sub/base.yaml",
               "scenario: base\nduration: 1 h\nengine: fast\nnetwork:\n  generate: "
               "{kind: ring, nodes: 5, spacing: 1 km, link: {qkd: {rate: 1 "
               "kbit/s}}}\napplications: [{id: v, from: n0001, to: n0003, rate: 1 "
               "/s}]\n");
    file_write("top.yaml", "extends: sub/base.yaml\nnetwork: {generate: {nodes: 9}}\n");
    struct scn_scenario *s = load_good("top.yaml");
    ck_assert_uint_eq(s->node_count, 9);
    scn_free(s);
    const char *texts[] = {"network.generate.nodes=12", "applications[v].to=n0012"};
    struct scn_sets sets = {.texts = texts, .count = 2};
    struct scn_errors errors;
    ck_assert_int_eq(scn_load(path_of("top.yaml"), &sets, &s, &errors), 0);
    scn_errors_fini(&errors);
    ck_assert_uint_eq(s->node_count, 12);
    ck_assert_uint_eq(s->applications[0].to, 11);
    scn_free(s);
}
END_TEST

/* Links of the classical network have ids though none is written: they merge and are overridden. */
START_TEST(cables)
{
    file_write(
        "sub/base.yaml",
        "scenario: base\nduration: 1 h\nengine: fast\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
        "  classical:\n    switches: [hub]\n    links: [{ends: [A, hub], latency: 1 ms}, {ends: "
        "[B, hub], latency: 2 ms}]\n");
    file_write("top.yaml", "extends: sub/base.yaml\nnetwork: {classical: {links: [{ends: [B, hub], "
                           "bandwidth: 5 Mbit/s}, {ends: [A, B], latency: 9 ms}]}}\n");
    const char *texts[] = {"network.classical.links[A-hub].latency=7 ms"};
    struct scn_sets sets = {.texts = texts, .count = 1};
    struct scn_scenario *s = NULL;
    struct scn_errors errors;
    int err = scn_load(path_of("top.yaml"), &sets, &s, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    ck_assert_uint_eq(s->classical.link_count, 3);
    ck_assert_int_eq(s->classical.links[0].latency_ns, 7000000);
    ck_assert_int_eq(s->classical.links[1].latency_ns, 2000000);
    ck_assert_uint_eq(s->classical.links[1].bandwidth_bps, 5000000);
    ck_assert_str_eq(s->classical.links[2].id, "A-B");
    scn_free(s);
}
END_TEST

/* Mistakes are told where they stand, in whichever file. */
START_TEST(places)
{
    base_write();
    file_write("sub/nodes.csv", "id,operator,latt\nA,x,\nB,x,1\nC,y,\n");
    file_write("frag.yaml", "warmup: 1 km\nsed: 4\n");
    file_write("top.yaml", "extends: sub/base.yaml\ninclude: frag.yaml\n"
                           "network: {links: [{id: AB, stor: 1 Mbit}], nodes: [{id: A}, {id: A}]}\n"
                           "applications: [{id: v, to: Q}]\n");
    refuse("top.yaml",
           "top.yaml:3:28: unknown key 'stor' in link: did you mean 'store'?\n"
           "top.yaml:3:66: the node id 'A' is used twice: first on line 3\n"
           "top.yaml:4:28: unknown node 'Q'\n"
           "frag.yaml:1:9: warmup '1 km' has an unknown unit: expected a time such as '5 s' (units "
           "ns, us, ms, s, min, h, d)\n"
           "frag.yaml:2:1: unknown key 'sed' in scenario: did you mean 'seed'?\n"
           "sub/nodes.csv:3:5: unknown key 'latt' in node: did you mean 'lat'?");
}
END_TEST

START_TEST(circles_and_missing_files)
{
    file_write("top.yaml", "extends: frag.yaml\n");
    file_write("frag.yaml", "include: [more.yaml, none.yaml]\n");
    file_write("more.yaml", "extends: sub/../top.yaml\n");
    refuse("top.yaml", "frag.yaml:1:22: cannot open 'none.yaml': No such file or directory\n"
                       "more.yaml:1:10: 'sub/../top.yaml' is named in a circle: it leads back to "
                       "itself");
    file_write("frag.yaml", "- no mapping\n");
    refuse("top.yaml", "frag.yaml:1:1: expected a mapping of keys to values, such as 'seed: 1'");
    file_write("top.yaml", "include: {a: b}\nextends: [x]\nscenario: s\n");
    refuse("top.yaml", "top.yaml:1:10: include: expected a list of scenario files\n"
                       "top.yaml:2:10: expected the name of a scenario file");
}
END_TEST

START_TEST(removing)
{
    base_write();
    file_write("top.yaml", "extends: sub/base.yaml\n"
                           "remove: ['network.links[XY]', nothing.at.all, 'network.links[AB']\n");
    refuse("top.yaml", "top.yaml:2:10: no item with the id 'XY'\n"
                       "top.yaml:2:31: no 'nothing' to remove in the files under this one\n"
                       "top.yaml:2:47: a '[' needs its ']', then '.' or the end of the path");
    /* Node C cannot go while a link needs it; link and application first. */
    file_write("top.yaml", "extends: sub/base.yaml\nremove: ['network.nodes[C]']\n");
    refuse("top.yaml", "sub/base.yaml:9:26: unknown node 'C'\n"
                       "sub/base.yaml:11:26: unknown node 'C'");
    file_write("top.yaml", "extends: sub/base.yaml\nremove: ['network.nodes[C]', "
                           "'network.links[BC]', 'applications[v]', faults]\n");
    struct scn_scenario *s = load_good("top.yaml");
    ck_assert(s->node_count == 2 && s->link_count == 1 && s->fault_count == 0);
    scn_free(s);
    file_write("top.yaml", "remove: [faults]\nscenario: s\n");
    refuse("top.yaml",
           "top.yaml:1:1: the key 'duration' is missing in scenario: expected the "
           "simulated time\n"
           "top.yaml:1:1: the key 'network' is missing in scenario: expected nodes, QKD "
           "links, classical network\n"
           "top.yaml:1:10: nothing to remove: no file lies under this one");
}
END_TEST

/* Keys given twice in one file are a mistake there, and not an override. */
START_TEST(twice_is_twice)
{
    base_write();
    file_write("top.yaml", "extends: sub/base.yaml\nseed: 2\nseed: 3\nextends: sub/base.yaml\n"
                           "control: {routing: widest, routing: fewest-hops}\n");
    refuse("top.yaml", "top.yaml:3:1: the key 'seed' is given twice: first on line 2\n"
                       "top.yaml:4:1: the key 'extends' is given twice: first on line 1\n"
                       "top.yaml:5:28: the key 'routing' is given twice: first on line 5");
}
END_TEST

/* scn_load_on: the applications of one file on the network of another. */
START_TEST(on_another_network)
{
    base_write();
    file_write("top.yaml", "scenario: on\nduration: 1 min\nnetwork: {nodes: [{id: X}]}\n"
                           "applications: [{id: v, from: A, to: C, rate: 1 /s}]\n");
    struct scn_scenario *s = NULL;
    struct scn_errors errors;
    char network[160];
    (void)snprintf(network, sizeof network, "%s", path_of("sub/base.yaml"));
    int err = scn_load_on(path_of("top.yaml"), network, NULL, &s, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    ck_assert_str_eq(s->name, "on");
    ck_assert_uint_eq(s->node_count, 3);
    ck_assert_uint_eq(s->application_count, 1);
    ck_assert_uint_eq(s->links[0].qkd.trace_count, 1);
    scn_free(s);
    file_write("more.yaml", "scenario: none\n");
    (void)snprintf(network, sizeof network, "%s", path_of("more.yaml"));
    ck_assert_int_eq(scn_load_on(path_of("top.yaml"), network, NULL, &s, &errors), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(errors.lines[errors.count - 1],
                                 "more.yaml:1:1: no 'network' in the file that is to give it"));
    scn_errors_fini(&errors);
}
END_TEST

START_TEST(overrides_cannot_name_files)
{
    base_write();
    const char *texts[] = {"extends=sub/base.yaml"};
    struct scn_sets sets = {.texts = texts, .count = 1};
    struct scn_scenario *s = NULL;
    struct scn_errors errors;
    ck_assert_int_eq(scn_load(path_of("sub/base.yaml"), &sets, &s, &errors), QKD_ERR_INVALID);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_str_eq(errors.lines[0], "--set: extends=sub/base.yaml: 'extends' is for files, not "
                                      "for overrides");
    scn_errors_fini(&errors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_merge");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_test(tcase, layers);
    tcase_add_test(tcase, a_base_with_parameters);
    tcase_add_test(tcase, cables);
    tcase_add_test(tcase, places);
    tcase_add_test(tcase, circles_and_missing_files);
    tcase_add_test(tcase, removing);
    tcase_add_test(tcase, twice_is_twice);
    tcase_add_test(tcase, on_another_network);
    tcase_add_test(tcase, overrides_cannot_name_files);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
