/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scenarios/: the figures in the shipped files against the published ones, which stand here a second
 * time, with their sources; and the figures that a file says it assumes, by the formula it gives.
 * Whether the runs satisfy their expectations: the test check.scenarios. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/scenario.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOTHING (-1.0) /* not published */

static struct scn_scenario *s;

static void load(const char *path)
{
    struct scn_errors errors;
    int err = scn_load(path, NULL, &s, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    ck_assert_uint_gt(s->expect_count, 0);
}

static void teardown(void)
{
    scn_free(s);
    s = NULL;
}

static uint32_t node_of(const char *id)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (strcmp(s->nodes[i].id, id) == 0) {
            return i;
        }
    }
    ck_abort_msg("no node %s", id);
    return UINT32_MAX;
}

/* The link between two nodes, whatever its name. */
static const struct scn_link *link_of(const char *a, const char *b)
{
    uint32_t x = node_of(a);
    uint32_t y = node_of(b);
    for (size_t i = 0; i < s->link_count; i++) {
        const struct scn_link *link = &s->links[i];
        if ((link->a == x && link->b == y) || (link->a == y && link->b == x)) {
            return link;
        }
    }
    return NULL;
}

/* ---- networks with published links ---- */

struct row {
    const char *a, *b;
    double km, db, bps, qber;
};

static void check_rows(const struct row *rows, size_t count)
{
    ck_assert_uint_eq(s->link_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        const struct scn_link *link = link_of(row->a, row->b);
        ck_assert_msg(link != NULL, "no link %s-%s", row->a, row->b);
        ck_assert_int_eq(link->length_m, lround(row->km * 1000));
        if (row->db >= 0) {
            ck_assert_double_eq_tol(link->loss_db, row->db, 1e-12);
        } else { /* the default: standard fibre */
            ck_assert_double_eq_tol(link->loss_db, 0.2 * row->km, 1e-9);
        }
        if (row->bps >= 0) {
            ck_assert_uint_eq(link->qkd.rate_bps, (uint64_t)lround(row->bps));
        }
        ck_assert_double_eq_tol(link->qkd.qber, row->qber >= 0 ? row->qber : 0, 1e-12);
    }
}

/* Dynes et al., npj Quantum Information 5:101 (2019): averages over 580 days. */
static const struct row cambridge[] = {{"CAPE", "TREL", 10.6, 3.9, 2.58e6, NOTHING},
                                       {"TREL", "ENGI", 9.8, 4.2, 2.40e6, NOTHING},
                                       {"ENGI", "CAPE", 5.0, 2.5, 2.22e6, NOTHING}};

/* Sasaki et al., Optics Express 19:10387 (2011), sections 3.1 to 3.5 and figure 1b. */
static const struct row tokyo[] = {{"K1", "O1", 45, 14.5, 81700, .027},
                                   {"K1", "K2", 90, 27, 2100, .023},
                                   {"O1", "O2", 24, 13, 2000, .045},
                                   {"K2", "O2", 45, 14.5, 304000, NOTHING},
                                   {"O2", "HONGO", 13, 11, 410, .02}};

/* Peev et al., New Journal of Physics 11:075001 (2009), sections 3.1 to 3.6 and figure 2. */
static const struct row secoqc[] = {{"SIE", "BRT", 32, 7.5, 3100, .026},
                                    {"SIE", "ERD", 16, NOTHING, 2500, .035},
                                    {"ERD", "FOR", .08, NOTHING, 17000, .023},
                                    {"ERD", "GUD", 6, 2.8, 8000, NOTHING},
                                    {"ERD", "BRT", 25, 5.75, 1000, NOTHING}};

/* Martin et al., npj Quantum Information 10:80 (2024), figures 2 and 3: lengths and losses only. */
static const struct row madqci[] = {{"Quiron", "Quijote", 24.5, 8.72, NOTHING, NOTHING},
                                    {"Quijote", "Quintin", 24.1, 7.47, NOTHING, NOTHING},
                                    {"Quijote", "Quevedo", 7.8, 1.4, NOTHING, NOTHING},
                                    {"Quevedo", "Norte", 3.9, 3, NOTHING, NOTHING},
                                    {"Norte", "Concepcion", 8.1, 2.9, NOTHING, NOTHING},
                                    {"Norte", "Distrito", 15, 8.3, NOTHING, NOTHING},
                                    {"Concepcion", "Distrito", 15.3, 14.3, NOTHING, NOTHING},
                                    {"Quevedo", "Quijano", 33.1, 11.8, NOTHING, NOTHING},
                                    {"Quijano", "Quinto", 1.9, 2.0, NOTHING, NOTHING}};

START_TEST(published_links)
{
    static const struct {
        const char *path;
        const struct row *rows;
        size_t count, nodes;
    } networks[] = {{"scenarios/cambridge-2019.yaml", cambridge, COUNT(cambridge), 3},
                    {"scenarios/tokyo-2010.yaml", tokyo, COUNT(tokyo), 5},
                    {"scenarios/secoqc-2008.yaml", secoqc, COUNT(secoqc), 5},
                    {"scenarios/madqci-2024.yaml", madqci, COUNT(madqci), 9}};
    for (size_t i = 0; i < COUNT(networks); i++) {
        load(networks[i].path);
        ck_assert_uint_eq(s->node_count, networks[i].nodes);
        check_rows(networks[i].rows, networks[i].count);
        teardown();
    }
}
END_TEST

/* Assumed in the file: 160 bit/s at 23 dB (Clason et al., arXiv:2606.06107), linear in the
 * transmittance. */
START_TEST(madqci_rates_follow_their_formula)
{
    load("scenarios/madqci-2024.yaml");
    for (size_t i = 0; i < COUNT(madqci); i++) {
        const struct scn_link *link = link_of(madqci[i].a, madqci[i].b);
        double bps = 160 * pow(10, (23 - madqci[i].db) / 10);
        ck_assert_uint_eq(link->qkd.rate_bps, (uint64_t)lround(bps));
    }
}
END_TEST

/* Peev et al. 2009, section 5.1.2. */
START_TEST(secoqc_rerouting)
{
    static const struct {
        const char *a, *b;
        double mib;
    } stores[] = {{"ERD", "FOR", 12}, {"ERD", "BRT", 5.5}, {"SIE", "ERD", 6.6},
                  {"SIE", "BRT", 6},  {"ERD", "GUD", 3.8}, {"BRT", "GUD", 4.9}};
    load("scenarios/secoqc-rerouting.yaml");
    ck_assert_uint_eq(s->node_count, 5);
    ck_assert_uint_eq(s->link_count, COUNT(stores));
    for (size_t i = 0; i < COUNT(stores); i++) {
        const struct scn_link *link = link_of(stores[i].a, stores[i].b);
        ck_assert_ptr_nonnull(link);
        ck_assert_uint_eq(link->initial_bits, (uint64_t)floor(stores[i].mib * 1024 * 1024) * 8);
        ck_assert_uint_le(link->initial_bits, link->store_bits);
        ck_assert_int_gt(s->key_management.expiry_ns, s->duration_ns);
    }
    const struct scn_qkd *forum = &link_of("ERD", "FOR")->qkd;
    ck_assert_uint_eq(forum->trace_count, 2);
    ck_assert_int_eq(forum->trace[0].t_ns, 0);
    ck_assert_uint_eq(forum->trace[0].rate_bps, 8192);
    ck_assert_int_eq(forum->trace[1].t_ns, INT64_C(45) * 60 * 1000000000);
    ck_assert_uint_eq(forum->trace[1].rate_bps, 0);
    ck_assert_uint_eq(s->control.low_mark_bits, 2 * 1024 * 1024 * 8);
    ck_assert_int_eq(s->control.routing, SCN_ROUTING_FEWEST_HOPS);
    /* What a link loses: key, compare key, tag, and a body of 138 bytes less the compare key
     * (docs/protocol.md), once per frame of four keys. */
    const struct scn_application *app = &s->applications[0];
    double frame_bits = 4 * 4096 + 138 * 8 + 128;
    ck_assert_uint_eq(app->key_bits, 4096);
    ck_assert_uint_eq(app->count, 4);
    ck_assert_uint_eq(s->key_management.batch, 4);
    ck_assert_double_eq_tol(app->rate_per_s * frame_bits, 8192, 0.001);
}
END_TEST

/* Sasaki et al. 2011, section 4: 128 kbit/s from K1 to O2; the links are those of the table above, three
 * with their rates, K1-K2 as a series that begins and ends with its own. */
START_TEST(tokyo_attack)
{
    load("scenarios/tokyo-2010-attack.yaml");
    ck_assert_uint_eq(s->link_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct row *row = &tokyo[i];
        const struct scn_link *link = link_of(row->a, row->b);
        ck_assert_int_eq(link->length_m, lround(row->km * 1000));
        ck_assert_double_eq_tol(link->loss_db, row->db, 1e-12);
        bool is_attacked = strcmp(row->b, "K2") == 0;
        ck_assert_int_eq(link->qkd.model, is_attacked ? SCN_QKD_TRACE : SCN_QKD_RATE);
        for (size_t k = 0; k < link->qkd.trace_count; k++) {
            const struct mdl_point *point = &link->qkd.trace[k];
            ck_assert_uint_eq(point->rate_bps, (uint64_t)lround(row->bps));
            ck_assert_double_eq_tol(point->qber, k == 1 ? 0.15 : row->qber, 1e-12);
        }
        if (!is_attacked) {
            ck_assert_uint_eq(link->qkd.rate_bps, (uint64_t)lround(row->bps));
        }
    }
    const struct scn_application *app = &s->applications[0];
    ck_assert_double_eq_tol(app->rate_per_s * app->key_bits * app->count, 128000, 1e-6);
}
END_TEST

/* ---- long links in spans ---- */

/* Spans of link `id`: "id.1", "id.2" ...; or the link itself. Their length together. */
static int64_t spans_m(const char *id, size_t *count)
{
    size_t len = strlen(id);
    int64_t sum_m = 0;
    *count = 0;
    for (size_t i = 0; i < s->link_count; i++) {
        const struct scn_link *link = &s->links[i];
        bool is_span = strncmp(link->id, id, len) == 0 &&
                       (link->id[len] == '\0' ||
                        (link->id[len] == '.' &&
                         strspn(link->id + len + 1, "0123456789") == strlen(link->id + len + 1)));
        if (is_span) {
            sum_m += link->length_m;
            (*count)++;
            ck_assert_int_le(link->length_m, 70000);
            ck_assert_uint_eq(link->qkd.rate_bps, 20000);
        }
    }
    return sum_m;
}

/* Chen et al., J. Lightwave Technology 37:4155 (2019); XLRON's table nsfnet_deeprmsa. */
START_TEST(nsfnet)
{
    static const char *const names[] = {"",   "WA", "CA1", "CA2", "UT", "CO", "TX", "NE",
                                        "IL", "PA", "GA",  "MI",  "NY", "NJ", "DC"};
    static const struct {
        int a, b, km;
    } links[] = {{1, 2, 1050},  {1, 3, 1500},  {1, 8, 2400},  {2, 3, 600},   {2, 4, 750},
                 {3, 6, 1800},  {4, 5, 600},   {4, 11, 1950}, {5, 6, 1200},  {5, 7, 600},
                 {6, 10, 1050}, {6, 14, 1800}, {7, 8, 750},   {7, 10, 1350}, {8, 9, 750},
                 {9, 10, 750},  {9, 12, 300},  {9, 13, 300},  {11, 12, 600}, {11, 13, 750},
                 {12, 14, 300}, {13, 14, 150}};
    load("scenarios/nsfnet-14.yaml");
    size_t total = 0;
    for (size_t i = 0; i < COUNT(links); i++) {
        char id[16];
        size_t count;
        (void)snprintf(id, sizeof id, "%s-%s", names[links[i].a], names[links[i].b]);
        ck_assert_int_eq(spans_m(id, &count), links[i].km * 1000);
        ck_assert_uint_eq(count, (size_t)(links[i].km + 69) / 70); /* fewest of at most 70 km */
        total += count;
    }
    ck_assert_uint_eq(s->link_count, total);
    ck_assert_uint_eq(s->node_count, 14 + total - COUNT(links));
}
END_TEST

/* Great circle on a sphere of 6371 km. */
static double great_circle_km(const struct scn_node *a, const struct scn_node *b)
{
    double rad = acos(-1.0) / 180;
    double dlat = sin((b->lat - a->lat) * rad / 2);
    double dlon = sin((b->lon - a->lon) * rad / 2);
    double h = dlat * dlat + cos(a->lat * rad) * cos(b->lat * rad) * dlon * dlon;
    return 2 * 6371 * asin(sqrt(h));
}

/* Knight et al., IEEE JSAC 29:1765 (2011), data set Geant2012: 40 nodes and 61 links, of which three
 * have no coordinates at one end. The lengths are those between the coordinates. */
START_TEST(geant)
{
    static const char *const links[] = {
        "NL-BE", "NL-DK", "NL-DE", "NL-UK", "NL-LT", "BE-IE", "DK-IS", "DK-NO", "DK-DE", "DK-EE",
        "DK-SE", "DK-RU", "PL-DE", "PL-CZ", "PL-LT", "DE-CZ", "DE-LU", "DE-CH", "DE-CY", "DE-IL",
        "DE-AT", "DE-RU", "CZ-SK", "LU-FR", "FR-CH", "FR-ES", "FR-UK", "CH-IT", "CH-ES", "IT-ES",
        "IT-MT", "IT-AT", "IT-GR", "BG-TR", "BG-MK", "BG-RO", "BG-HU", "BG-GR", "RO-HU", "RO-TR",
        "GR-AT", "CY-UK", "IL-LT", "ME-HR", "HU-RS", "HU-HR", "HU-SK", "SK-AT", "PT-ES", "PT-UK",
        "HR-SL", "SL-AT", "LT-LV", "IS-UK", "IE-UK", "NO-SE", "SE-FI", "EE-LV"};
    load("scenarios/geant.yaml");
    size_t total = 0;
    ck_assert_uint_eq(COUNT(links), 61 - 3);
    for (size_t i = 0; i < COUNT(links); i++) {
        char a[3] = {links[i][0], links[i][1], '\0'};
        size_t count;
        double km = great_circle_km(&s->nodes[node_of(a)], &s->nodes[node_of(links[i] + 3)]);
        int64_t length_m = spans_m(links[i], &count);
        ck_assert_double_eq_tol((double)length_m / 1000, km, 0.01);
        ck_assert_uint_eq(count, (size_t)((length_m + 69999) / 70000));
        total += count;
    }
    ck_assert_uint_eq(s->link_count, total);
    ck_assert_uint_eq(s->node_count, 40 - 3 + total - COUNT(links));
}
END_TEST

/* ---- Hefei ---- */

static void name_make(char *name, size_t size, const char *kind, int number)
{
    (void)snprintf(name, size, "%s-%d", kind, number);
}

/* Chen T-Y et al., npj Quantum Information 7 (2021): UA-1 to 5, 6 to 7, 8 to 13 at three optical
 * switches, UB-1 to 12, 13 to 17, 18 to 27 at three relays. A switch is a link between any two of its
 * users, and one from each to its relay. */
START_TEST(hefei)
{
    static const int last_ua[] = {0, 5, 7, 13};
    static const int last_ub[] = {0, 12, 17, 27};
    static const uint64_t shared_bps[] = {0, 8000, 20000, 6667};
    char a[16];
    char b[16];
    size_t links = 0;
    load("scenarios/hefei-46.yaml");
    ck_assert_uint_eq(s->node_count, 46 - 3);
    for (int part = 1; part <= 3; part++) {
        name_make(b, sizeof b, "TR", part);
        for (int i = last_ub[part - 1] + 1; i <= last_ub[part]; i++, links++) {
            name_make(a, sizeof a, "UB", i);
            ck_assert_uint_eq(link_of(a, b)->qkd.rate_bps, 40000);
        }
        for (int i = last_ua[part - 1] + 1; i <= last_ua[part]; i++, links++) {
            name_make(a, sizeof a, "UA", i);
            name_make(b, sizeof b, "TR", part);
            ck_assert_uint_eq(link_of(a, b)->qkd.rate_bps, shared_bps[part]);
            for (int k = i + 1; k <= last_ua[part]; k++, links++) {
                name_make(b, sizeof b, "UA", k);
                ck_assert_uint_eq(link_of(a, b)->qkd.rate_bps, shared_bps[part]);
            }
        }
        name_make(a, sizeof a, "TR", part);
        name_make(b, sizeof b, "TR", part % 3 + 1);
        ck_assert_uint_eq(link_of(a, b)->qkd.rate_bps, 100000);
        links++;
        /* 40 kbit/s of a device, shared by those it can be switched to */
        int partners = last_ua[part] - last_ua[part - 1];
        ck_assert_uint_eq(shared_bps[part], (uint64_t)lround(40000.0 / partners));
    }
    ck_assert_uint_eq(s->link_count, links);
    double bps = 0;
    ck_assert_uint_eq(s->application_count, 11);
    for (size_t i = 0; i < s->application_count; i++) {
        const struct scn_application *app = &s->applications[i];
        bps += app->rate_per_s * app->key_bits * app->count;
        ck_assert_int_eq(app->start_ns, s->applications[0].start_ns);
        ck_assert_int_eq(app->stop_ns, s->applications[0].stop_ns);
        for (size_t k = 0; k < i; k++) { /* nobody is in two calls */
            const struct scn_application *other = &s->applications[k];
            ck_assert(app->from != other->from && app->from != other->to &&
                      app->to != other->from && app->to != other->to);
        }
    }
    ck_assert_double_eq_tol(bps, 11 * 16000, 1e-6);
}
END_TEST

START_TEST(generated)
{
    load("scenarios/grid-1000.yaml");
    ck_assert_uint_eq(s->node_count, 1000);
    ck_assert_uint_eq(s->link_count, 25 * 39 + 24 * 40);
    teardown();
    load("scenarios/nation-10k.yaml");
    ck_assert_uint_eq(s->node_count, 10000);
    int64_t longest_m = 0;
    for (size_t i = 0; i < s->link_count; i++) {
        longest_m = s->links[i].length_m > longest_m ? s->links[i].length_m : longest_m;
    }
    ck_assert_uint_eq(s->link_count, 21371);
    ck_assert_int_eq(longest_m, 18481);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shipped scenarios");
    TCase *tc = tcase_create("figures");
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, published_links);
    tcase_add_test(tc, madqci_rates_follow_their_formula);
    tcase_add_test(tc, secoqc_rerouting);
    tcase_add_test(tc, tokyo_attack);
    tcase_add_test(tc, nsfnet);
    tcase_add_test(tc, geant);
    tcase_add_test(tc, hefei);
    tcase_add_test(tc, generated);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
