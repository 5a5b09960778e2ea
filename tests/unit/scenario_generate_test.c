/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: the keys generate, scale and max_span of a network: what nodes and links a file gets
 * by them, that printing and loading again gives the same, and their mistakes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"

#define HEAD "scenario: g\nduration: 1 min\nengine: fast\n"

/* Loads a text that must be good; what it prints must load again and print the same. */
static struct scn_scenario *load(const char *text)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t.yaml", .text = text, .len = strlen(text)};
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    char *printed = scn_print(scenario);
    struct scn_scenario *second = NULL;
    struct scn_text again = {.name = "printed", .text = printed, .len = strlen(printed)};
    err = scn_load_text(&again, NULL, &second, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    char *twice = scn_print(second);
    ck_assert_str_eq(printed, twice);
    ck_assert_ptr_null(strstr(printed, "generate"));
    ck_assert_ptr_null(strstr(printed, "max_span"));
    scn_free(second);
    free(printed);
    free(twice);
    return scenario;
}

/* Loads a text that must be bad; its lines of error, joined, must be these. */
static void refuse(const char *text, const char *expected)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "t", .text = text, .len = strlen(text)};
    ck_assert_int_eq(scn_load_text(&input, NULL, &scenario, &errors), QKD_ERR_INVALID);
    char all[2000] = "";
    for (size_t i = 0; i < errors.count; i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : "\n", errors.lines[i]);
    }
    ck_assert_str_eq(all, expected);
    scn_errors_fini(&errors);
}

START_TEST(ring_with_template)
{
    struct scn_scenario *s = load(
        HEAD "network:\n"
             "  generate: {kind: ring, nodes: 5, spacing: 10 km, link: {qkd: {rate: 20 kbit/s,\n"
             "    block: 65536 bit}, store: 3 Mbit, classical: {bandwidth: 1 Mbit/s}}}\n"
             "applications: [{id: v, from: n0001, to: n0003, rate: 1 /s}]\n");
    ck_assert_uint_eq(s->node_count, 5);
    ck_assert_uint_eq(s->link_count, 5);
    ck_assert_str_eq(s->nodes[4].id, "n0005");
    ck_assert_str_eq(s->links[0].id, "n0001-n0002");
    ck_assert_str_eq(s->links[1].id, "n0001-n0005");
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(s->links[i].length_m, 10000);
        ck_assert_double_eq_tol(s->links[i].loss_db, 2, 1e-12); /* 0.2 dB/km */
        ck_assert_uint_eq(s->links[i].qkd.rate_bps, 20000);
        ck_assert_uint_eq(s->links[i].qkd.block_bits, 65536);
        ck_assert_uint_eq(s->links[i].store_bits, 3000000);
        ck_assert_uint_eq(s->links[i].classical_bandwidth_bps, 1000000);
    }
    ck_assert_uint_eq(s->applications[0].to, 2);
    ck_assert_int_eq(s->nodes[2].role, SCN_ROLE_USER);
    scn_free(s);
}
END_TEST

/* Written nodes come first, and links may join them to generated ones. */
START_TEST(beside_written_nodes)
{
    struct scn_scenario *s = load(
        HEAD "network:\n"
             "  nodes: [{id: A}]\n"
             "  links: [{id: up, ends: [A, x0004], qkd: {rate: 1 kbit/s}}]\n"
             "  generate: {kind: grid, rows: 2, columns: 3, spacing: 1 km, prefix: x,\n"
             "    link: {qkd: {rate: 20 kbit/s}}}\n"
             "applications: [{id: v, from: A, to: x0001, rate: 1 /s}]\n");
    ck_assert_uint_eq(s->node_count, 7);
    ck_assert_uint_eq(s->link_count, 8); /* 1 written; 2 * 2 + 3 in the grid */
    ck_assert_str_eq(s->nodes[0].id, "A");
    ck_assert_uint_eq(s->links[0].b, 4);
    ck_assert_uint_eq(s->control.at, 0);
    scn_free(s);
}
END_TEST

/* A network of a random kind. */
static struct scn_scenario *random_load(const char *kind, int nodes, int seed)
{
    char text[500];
    (void)snprintf(text, sizeof text,
                   HEAD "seed: 1\nnetwork:\n"
                        "  generate: {kind: %s, nodes: %d, side: 300 km, seed: %d,\n"
                        "    link: {qkd: {rate: 1 kbit/s}}}\n"
                        "applications: [{id: v, from: n0001, to: n%04d, rate: 1 /s}]\n",
                   kind, nodes, seed, nodes);
    struct scn_scenario *s = load(text);
    ck_assert_uint_eq(s->node_count, (size_t)nodes);
    ck_assert_uint_ge(s->link_count, s->node_count - 1);
    ck_assert(s->nodes[s->node_count - 1].has_geo);
    return s;
}

/* Every random kind; its own seed decides, and more than 9,999 nodes have ids. */
START_TEST(random_kinds)
{
    static const char *const kinds[] = {"geometric, radius: 9 km", "waxman, alpha: 0.02, beta: 0.8",
                                        "barabasi-albert, m: 2"};
    for (size_t i = 0; i < 3; i++) {
        char hex[3][65];
        for (int k = 0; k < 3; k++) {
            struct scn_scenario *s = random_load(kinds[i], 300, k == 0 ? 0 : 1);
            ck_assert_int_eq(scn_hash(s, hex[k]), 0);
            scn_free(s);
        }
        ck_assert_str_eq(hex[1], hex[2]);
        ck_assert_str_ne(hex[0], hex[1]);
    }
    scn_free(random_load(kinds[2], 10001, 1));
}
END_TEST

START_TEST(generate_mistakes)
{
    refuse(HEAD "network:\n  generate: {kind: waxman, nodes: 5, side: 1 km, alpha: 0.1, m: 2,\n"
                "    link: {qkd: {rate: 1 kbit/s}}}\n"
                "applications: [{id: v, from: n0001, to: n0002, rate: 1 /s}]\n",
           "t:5:13: the key 'beta' is missing in generate: kind waxman needs it\n"
           "t:5:65: m has no meaning for kind waxman");
    refuse(HEAD "network:\n  generate: {kind: ring, nodes: 2, spacing: 1 km, link: {qkd: {rate: "
                "1 kbit/s}}}\n",
           "t:5:33: a ring has at least 3 nodes");
    refuse(HEAD "network:\n  generate: {kind: grid, nodes: 5, rows: 2, columns: 2, spacing: 1 km,\n"
                "    link: {qkd: {rate: 1 kbit/s}}}\n",
           "t:5:33: nodes is not rows times columns: expected 4");
    refuse(HEAD "network:\n  generate: {kind: barabasi-albert, nodes: 5, side: 1 km, m: 5,\n"
                "    link: {qkd: {rate: 1 kbit/s}}}\n",
           "t:5:62: m must be less than nodes");
    /* A mistake in the template is told once, not for each link. */
    refuse(HEAD "network:\n  generate: {kind: line, nodes: 50, spacing: 1 km,\n"
                "    link: {qkd: {rate: 1 kbit}, qdk: x, stor: 1 Mbit}}\n",
           "t:6:24: rate '1 kbit' has an unknown unit: expected a rate such as '304 kbit/s' (units "
           "bit/s, kbit/s, Mbit/s, Gbit/s)\n"
           "t:6:33: unknown key 'qdk' in link of generate: did you mean 'qkd'?\n"
           "t:6:41: unknown key 'stor' in link of generate: did you mean 'store'?");
    refuse(HEAD "network:\n  generate: {kind: line, nodes: 50, spacing: 1 km,\n"
                "    link: {qkd: {rate: 1 kbit/s, block: 1 Gbit}, store: 1 Mbit}}\n",
           "t:6:41: a block of 1000000000 bit never fits in the store of 1000000 bit");
    refuse(HEAD "network:\n  generate: {kind: geometric, nodes: 2000, side: 1 km, radius: 5 km,\n"
                "    link: {qkd: {rate: 1 kbit/s}}}\n",
           "t:5:13: more than 400000 links would be generated: expected fewer nodes, or a network "
           "with fewer links per node");
    refuse(HEAD "network:\n  nodes: [{id: n0002}]\n  generate: {kind: line, nodes: 2, spacing: "
                "1 km, link: {qkd: {rate: 1 kbit/s}}}\n",
           "t:6:13: the node id 'n0002' is used twice: first on line 5");
    refuse(HEAD "network: {links: []}\n", "t:4:10: no nodes: expected at least one, in 'nodes' or "
                                          "by 'generate'");
}
END_TEST

#define AB "  nodes: [{id: A, lat: 10, lon: 20, operator: op}, {id: B, lat: 13, lon: 26}]\n"

/* 50.001 km times 2 is 100.002 km: in spans of at most 40 km that is three of 33.334 km. */
START_TEST(scale_then_spans)
{
    struct scn_scenario *s = load(
        HEAD "network:\n" AB "  links: [{id: AB, ends: [A, B], length: 50.001 km, loss: 12 dB,\n"
             "    qkd: {rate: 20 kbit/s}, classical: {latency: 100 ns}}]\n"
             "  scale: 2\n  max_span: 40 km\n"
             "faults: [{at: 1 s, link: AB.2}, {at: 1 s, node: AB.1}]\n");
    ck_assert_uint_eq(s->node_count, 4);
    ck_assert_uint_eq(s->link_count, 3);
    int64_t latency_ns = 0;
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(s->links[i].length_m, 33334);
        ck_assert_double_eq_tol(s->links[i].loss_db, 8, 1e-9); /* 2 * 12 dB in three parts */
        ck_assert_uint_eq(s->links[i].qkd.rate_bps, 20000);    /* of each span */
        latency_ns += s->links[i].classical_latency_ns;
        ck_assert_uint_eq(s->links[i].a, i == 0 ? 0 : i + 1);
        ck_assert_uint_eq(s->links[i].b, i == 2 ? 1 : i + 2);
    }
    ck_assert_int_eq(latency_ns, 100);
    ck_assert_str_eq(s->links[0].id, "AB.1");
    ck_assert_str_eq(s->links[2].id, "AB.3");
    ck_assert_str_eq(s->nodes[2].id, "AB.1");
    ck_assert_str_eq(s->nodes[3].id, "AB.2");
    ck_assert_str_eq(s->nodes[2].operator_id, "op");
    ck_assert_int_eq(s->nodes[2].role, SCN_ROLE_RELAY);
    ck_assert_double_eq_tol(s->nodes[2].lat, 11, 1e-6);
    ck_assert_double_eq_tol(s->nodes[3].lon, 24, 1e-6);
    scn_free(s);
}
END_TEST

/* 100 m in spans of at most 33 m: 4 spans of 25 m; of at most 30 m in 7 spans of 200 m: 4 of 29 and
 * 3 of 28. A link that is not longer stays as it is; without a loss the default is by length. */
START_TEST(even_spans)
{
    static const struct {
        const char *length;
        const char *most;
        size_t spans;
        int64_t total_m, first_m, last_m;
    } cases[] = {{"100 m", "33 m", 4, 100, 25, 25},
                 {"200 m", "30 m", 7, 200, 29, 28},
                 {"40 km", "40 km", 1, 40000, 40000, 40000},
                 {"0", "1 m", 1, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[500];
        (void)snprintf(text, sizeof text,
                       HEAD "network:\n" AB "  max_span: %s\n  links: [{id: AB, ends: [A, B], "
                            "length: %s, qkd: {rate: 20 kbit/s}}]\n",
                       cases[i].most, cases[i].length);
        struct scn_scenario *s = load(text);
        ck_assert_uint_eq(s->link_count, cases[i].spans);
        ck_assert_uint_eq(s->node_count, cases[i].spans + 1);
        int64_t total_m = 0;
        for (size_t k = 0; k < s->link_count; k++) {
            total_m += s->links[k].length_m;
            ck_assert_double_eq_tol(s->links[k].loss_db, 0.0002 * (double)s->links[k].length_m,
                                    1e-12);
        }
        ck_assert_int_eq(total_m, cases[i].total_m);
        ck_assert_int_eq(s->links[0].length_m, cases[i].first_m);
        ck_assert_int_eq(s->links[s->link_count - 1].length_m, cases[i].last_m);
        scn_free(s);
    }
}
END_TEST

/* An anchor's children are shared by its aliases: each link is scaled once. */
START_TEST(aliases_are_scaled_once)
{
    struct scn_scenario *s = load(
        HEAD
        "network:\n  scale: 3\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"
        "    - {id: AB, ends: [A, B], length: &l 10 km, loss: 1 dB, qkd: &q {rate: 1 kbit/s}}\n"
        "    - {id: BC, ends: [B, C], length: *l, qkd: *q}\n");
    ck_assert_int_eq(s->links[0].length_m, 30000);
    ck_assert_int_eq(s->links[1].length_m, 30000);
    ck_assert_double_eq_tol(s->links[0].loss_db, 3, 1e-12);
    ck_assert_double_eq_tol(s->links[1].loss_db, 6, 1e-12); /* 0.2 dB/km */
    scn_free(s);
}
END_TEST

START_TEST(span_mistakes)
{
    refuse(HEAD "network:\n" AB "  scale: 0\n  max_span: 10\n  links: [{id: AB, ends: [A, B], "
                "length: 9 km, qkd: {rate: 1 kbit/s}}]\n",
           "t:6:10: scale '0' is out of range: expected 1e-06 to 1000000\n"
           "t:7:13: max_span '10' has no unit: expected a length such as '25 km' "
           "(units m, km)");
    refuse(HEAD "network:\n" AB "  scale: 1000\n  links: [{id: AB, ends: [A, B], length: 2000 km, "
                "qkd: {rate: 1 kbit/s}}]\n",
           "t:7:42: length times scale is out of range: expected at most 1000000 km");
    refuse(HEAD "network:\n" AB "  max_span: 1 m\n  links: [{id: AB, ends: [A, B], "
                "length: 2000 km, qkd: {rate: 1 kbit/s}}]\n",
           "t:7:11: max_span makes 2000000 spans of this link: more than 400000 links or 100000 "
           "nodes in all");
    refuse(HEAD "network:\n" AB "  max_span: 5 km\n  links: [{id: AB, ends: [A, B], "
                "length: 9 km, qkd: {rate: 1 kbit/s}}]\nfaults: [{at: 1 s, link: AB}]\n",
           "t:8:26: link 'AB' was cut into spans by max_span: expected 'AB.1' or one of the "
           "following");
    refuse(HEAD "network:\n" AB "  max_span: 5 km\n  links: [{id: AB, ends: [A, B], "
                "length: 9 km, qkd: {rate: 1 kbit/s}}]\nexpect: ['link[AB].down_s < 1']\n",
           "t:8:10: 'link[AB].down_s < 1': link 'AB' was cut into spans by max_span: expected "
           "'AB.1' or another one, or all of them as in min(link[AB.*].pool_min_bits)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_generate");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, ring_with_template);
    tcase_add_test(tcase, beside_written_nodes);
    tcase_add_test(tcase, random_kinds);
    tcase_add_test(tcase, generate_mistakes);
    tcase_add_test(tcase, scale_then_spans);
    tcase_add_test(tcase, even_spans);
    tcase_add_test(tcase, aliases_are_scaled_once);
    tcase_add_test(tcase, span_mistakes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
