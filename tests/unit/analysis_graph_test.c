/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/graph: what the picture says, read from its DOT and SVG form; where nodes lie; files that
 * must not be overwritten. How it looks is for eyes. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/graph.h"
#include "analysis/graph_place.h"
#include "analysis/graph_style.h"
#include "core/base/err.h"
#include "tests/lib/results.h"

static char folder[] = "/tmp/qkdn_graph_XXXXXX";
static char path[64];
static struct scn_scenario *scenario;
static struct scn_summary summary;

static void setup(void)
{
    strcpy(folder, "/tmp/qkdn_graph_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    scenario = test_scenario();
    test_summary(scenario, &summary);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
    scn_summary_fini(&summary);
    scn_free(scenario);
}

/* Draws to a file of this name and returns the start of what was written. */
static const char *draw(const char *name, const struct scn_summary *results, bool applications)
{
    static char text[1 << 16];
    struct ana_error error = {""};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct ana_graph_options options = {.path = path,
                                        .applications = applications,
                                        .classical = true};
    ck_assert_msg(ana_graph_write(scenario, results, &options, &error) == QKD_OK, "%s", error.text);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* The attributes of an edge in DOT form, from its line to the closing bracket. */
static void edge_of(const char *dot, const char *ends, char edge[4096])
{
    const char *start = strstr(dot, ends);
    ck_assert_msg(start != NULL, "no edge %s in %s", ends, dot);
    const char *end = strstr(start, "];");
    ck_assert_ptr_nonnull(end);
    size_t len = (size_t)(end - start) < 4095 ? (size_t)(end - start) : 4095;
    memcpy(edge, start, len);
    edge[len] = '\0';
}

START_TEST(dot_of_results)
{
    char edge[4096];
    const char *dot = draw("r.dot", &summary, false);
    edge_of(dot, "A -- B", edge); /* down at the end */
    ck_assert_ptr_nonnull(strstr(edge, "style=dashed"));
    ck_assert_ptr_nonnull(strstr(edge, ANA_RED));
    ck_assert_ptr_nonnull(strstr(edge, "100 kbit/s"));
    ck_assert_ptr_nonnull(strstr(edge, "45 km"));
    ck_assert_ptr_nonnull(strstr(edge, "pool 1 Mbit"));
    edge_of(dot, "B -- C", edge);
    ck_assert_ptr_null(strstr(edge, "style=dashed"));
    ck_assert_ptr_nonnull(strstr(edge, "used 10 %"));
    char colour[ANA_COLOUR_SIZE];
    ana_level_colour(2e6 / (double)scenario->links[1].store_bits, colour);
    ck_assert_ptr_nonnull(strstr(edge, colour));
    ck_assert_ptr_null(strstr(dot, "A -- C"));
}
END_TEST

START_TEST(dot_of_a_scenario)
{
    char edge[4096];
    const char *dot = draw("s.dot", NULL, true);
    edge_of(dot, "A -- B", edge); /* a fault is planned */
    ck_assert_ptr_nonnull(strstr(edge, "style=dashed"));
    ck_assert_ptr_nonnull(strstr(edge, "quantum fault at 10 s for 5 s"));
    ck_assert_ptr_null(strstr(edge, "pool"));
    edge_of(dot, "A -- C", edge);
    ck_assert_ptr_nonnull(strstr(edge, "style=dotted"));
}
END_TEST

START_TEST(formats)
{
    ck_assert_ptr_nonnull(strstr(draw("r.svg", &summary, false), "<svg"));
    unlink(path);
    ck_assert(memcmp(draw("r.png", &summary, false), "\x89PNG\r\n\x1a\n", 8) == 0);
    unlink(path);
    struct ana_error error = {""};
    struct ana_graph_options options = {.path = "x.pdf"};
    ck_assert_int_eq(ana_graph_write(scenario, NULL, &options, &error), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, ".svg, .png, .dot, .mmd or .json"));
}
END_TEST

START_TEST(files_are_kept)
{
    struct ana_error error = {""};
    draw("s.dot", NULL, false);
    struct ana_graph_options options = {.path = path};
    ck_assert_int_eq(ana_graph_write(scenario, NULL, &options, &error), QKD_ERR_EXISTS);
    options.force = true;
    ck_assert_int_eq(ana_graph_write(scenario, NULL, &options, &error), QKD_OK);
    options.path = "/nonexistent/x.svg";
    ck_assert_int_eq(ana_graph_write(scenario, NULL, &options, &error), QKD_ERR_IO);
}
END_TEST

/* Names that mean something in DOT and HTML are only text. */
START_TEST(names_are_text)
{
    strcpy(scenario->nodes[0].name, "<B>&\"x\"");
    ck_assert_ptr_nonnull(strstr(draw("s.svg", NULL, false), "&lt;B&gt;&amp;"));
}
END_TEST

/* North is up, east is right, and one degree of longitude at 60 degrees is half one of latitude. */
START_TEST(map_directions)
{
    struct ana_point p[3];
    double lat[] = {60, 60, 61};
    double lon[] = {10, 12, 10};
    for (int i = 0; i < 3; i++) {
        scenario->nodes[i].lat = lat[i] - 0.5; /* middle latitude 60 */
        scenario->nodes[i].lon = lon[i];
    }
    ck_assert(ana_map_points(scenario, true, NULL, p));
    ck_assert(p[1].x > p[0].x && fabs(p[1].y - p[0].y) < 1e-9);
    ck_assert(p[2].y > p[0].y && fabs(p[2].x - p[0].x) < 1e-9);
    ck_assert_double_eq_tol((p[1].x - p[0].x) / (p[2].y - p[0].y), 1.0, 1e-9);
    scenario->nodes[2].has_geo = false;
    ck_assert(!ana_map_points(scenario, true, NULL, p));
}
END_TEST

/* Nodes at one place, or nearly, are drawn apart. */
START_TEST(map_room)
{
    struct ana_point p[3];
    scenario->nodes[0].lat = scenario->nodes[1].lat = 35.7;
    scenario->nodes[0].lon = scenario->nodes[1].lon = 139.5;
    scenario->nodes[2].lat = 36.7;
    ck_assert(ana_map_points(scenario, true, NULL, p));
    ck_assert(hypot(p[0].x - p[1].x, p[0].y - p[1].y) > 1);
    ck_assert(p[2].y > p[0].y && p[2].y > p[1].y);
}
END_TEST

/* A span of 70 relays between A and B, C at the place of A: the relays are dots, the others not; A
 * makes way for C, and the dots stay on the straight line, evenly, as the relays of a span are. */
START_TEST(dots_on_their_way)
{
    static const char yaml[] =
        "scenario: long\nduration: 1 min\nnetwork:\n  max_span: 10 km\n"
        "  nodes: [{id: A, lat: 50, lon: 10}, {id: B, lat: 50, lon: 20}, {id: C, lat: 50, lon: "
        "10}]\n"
        "  links:\n    - {id: AB, ends: [A, B], length: 710 km, qkd: {rate: 1 kbit/s}}\n"
        "    - {id: AC, ends: [A, C], length: 1 km, qkd: {rate: 1 kbit/s}}\n"
        "applications: [{id: x, from: A, to: B, rate: 1 /s, arrivals: periodic, key: 256 bit}]\n";
    struct scn_text text = {"test.yaml", yaml, sizeof yaml - 1, NULL};
    struct scn_scenario *span = NULL;
    struct scn_errors errors;
    bool dot[80];
    struct ana_point p[80];
    ck_assert_msg(scn_load_text(&text, NULL, &span, &errors) == 0, "%s", errors.lines[0]);
    scn_errors_fini(&errors);
    ck_assert_uint_eq(span->node_count, 73);
    ana_graph_dots(span, dot);
    for (size_t i = 0; i < 73; i++) {
        ck_assert_int_eq(dot[i], span->nodes[i].id[1] != '\0'); /* AB.1 ..., not A, B, C */
    }
    ck_assert(ana_map_points(span, false, dot, p));
    ck_assert(hypot(p[0].x - p[2].x, p[0].y - p[2].y) > 0.5);
    for (size_t k = 0; k < span->link_count; k++) {
        uint32_t a = span->links[k].a;
        uint32_t b = span->links[k].b;
        if (b != 2) {
            ck_assert_double_eq_tol(p[b].x - p[a].x, (p[1].x - p[0].x) / 71, 1e-4);
            ck_assert_double_eq_tol(p[b].y - p[a].y, (p[1].y - p[0].y) / 71, 1e-4);
        }
    }
    ana_graph_dots(scenario, dot); /* a small network has none */
    ck_assert(!dot[0] && !dot[1] && !dot[2]);
    scn_free(span);
}
END_TEST

/* Mermaid and JSON hold what the picture shows; names are only text there too. */
START_TEST(text_forms)
{
    strcpy(scenario->nodes[0].name, "<B>&\"x\"");
    const char *text = draw("r.mmd", &summary, true);
    ck_assert_ptr_nonnull(strstr(text, "n0([\"A<br>#60;B#62;#38;#34;x#34;"));
    ck_assert_ptr_nonnull(strstr(text, "n0 -.-|\"100 kbit/s<br>45 km")); /* down at the end */
    ck_assert_ptr_nonnull(strstr(text, "n1 ---|\"1 Mbit/s<br>12 km"));
    ck_assert_ptr_nonnull(strstr(text, "<br>used 10 %\"| n2"));
    ck_assert_ptr_nonnull(strstr(text, "linkStyle 0 stroke:" ANA_RED));
    ck_assert_ptr_nonnull(strstr(text, "n0 -.->|\"video\"| n2"));
    unlink(path);
    text = draw("r.json", &summary, false);
    ck_assert_ptr_nonnull(strstr(text, "\"name\": \"<B>&\\\"x\\\"\""));
    ck_assert_ptr_nonnull(strstr(text, "\"rate_bps\": 100000"));
    ck_assert_ptr_nonnull(strstr(text, "\"pool_end_bits\": 2000000"));
    ck_assert_ptr_nonnull(strstr(text, "\"used\": 0.1, "));
    ck_assert_ptr_nonnull(strstr(text, "{\"what\": \"quantum\", \"at_s\": 10, \"for_s\": 5}"));
    ck_assert_ptr_null(strstr(text, "applications"));
}
END_TEST

/* A classical network of its own, with a switch amid its nodes; a planned fault is red. */
START_TEST(classical_network)
{
    static const char yaml[] =
        "scenario: star\nduration: 1 min\nnetwork:\n"
        "  nodes: [{id: A, lat: 50, lon: 10}, {id: B, lat: 50, lon: 12}]\n"
        "  links: [{id: AB, ends: [A, B], length: 10 km, qkd: {rate: 1 Mbit/s}}]\n"
        "  classical: {switches: [hub], links: [{ends: [A, hub]}, {ends: [B, hub]}]}\n"
        "faults: [{at: 10 s, classical_link: A-hub, what: classical, for: 2 s}]\n";
    struct scn_text text = {"test.yaml", yaml, sizeof yaml - 1, NULL};
    struct scn_scenario *star = NULL;
    struct scn_errors errors;
    struct scn_scenario *kept = scenario;
    char edge[4096];
    ck_assert_msg(scn_load_text(&text, NULL, &star, &errors) == 0, "%s", errors.lines[0]);
    scn_errors_fini(&errors);
    scenario = star;
    const char *drawn = draw("c.dot", NULL, false);
    ck_assert_ptr_nonnull(strstr(drawn, "shape=diamond"));
    edge_of(drawn, "A -- \"switch:hub\"", edge);
    ck_assert_ptr_nonnull(strstr(edge, ANA_RED));
    edge_of(drawn, "B -- \"switch:hub\"", edge);
    ck_assert_ptr_nonnull(strstr(edge, ANA_CLASSICAL));
    unlink(path);
    drawn = draw("c.mmd", NULL, false);
    ck_assert_ptr_nonnull(strstr(drawn, "s0{\"hub\"}\n    n0 -.- s0\n    n1 -.- s0\n"));
    unlink(path);
    drawn = draw("c.json", NULL, false);
    ck_assert_ptr_nonnull(strstr(drawn, "{\"id\": \"A-hub\", \"a\": \"A\", \"b\": \"hub\""));
    scenario = kept;
    scn_free(star);
}
END_TEST

START_TEST(widths_and_colours)
{
    char colour[ANA_COLOUR_SIZE];
    ck_assert_double_eq(ana_rate_width(0), ana_rate_width(1000));
    ck_assert_double_lt(ana_rate_width(1e4), ana_rate_width(1e5));
    ck_assert_double_eq_tol(ana_rate_width(1e6) - ana_rate_width(1e5),
                            ana_rate_width(1e5) - ana_rate_width(1e4), 1e-9);
    for (int i = -1; i <= 12; i++) {
        ana_level_colour(i / 10.0, colour);
        ck_assert_uint_eq(strlen(colour), 7);
        ck_assert_str_ne(colour, ANA_RED); /* that is for what is broken */
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analysis/graph");
    TCase *tests = tcase_create("pictures");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, dot_of_results);
    tcase_add_test(tests, dot_of_a_scenario);
    tcase_add_test(tests, formats);
    tcase_add_test(tests, files_are_kept);
    tcase_add_test(tests, names_are_text);
    tcase_add_test(tests, map_directions);
    tcase_add_test(tests, map_room);
    tcase_add_test(tests, dots_on_their_way);
    tcase_add_test(tests, text_forms);
    tcase_add_test(tests, classical_network);
    tcase_add_test(tests, widths_and_colours);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
