/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers of the live world: where they stand (emu/deploy/tap.h), on the three nodes in a line that are shipped,
 * by hand after docs/live.md; and the search in what a listener saw (emu/attack/find.h), on texts made here. */
#include <check.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "emu/attack/find.h"
#include "emu/deploy/tap.h"

enum { KMD_A, KMD_B, KMD_C, CTLD, MGRD, LINKD_AB };

static struct scn_scenario *load(const char *attacks)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    const char *const list[] = {attacks};
    struct scn_sets sets = {list, 1};
    ck_assert_int_eq(scn_load("scenarios/line-3.yaml", &sets, &scenario, &errors), 0);
    scn_errors_fini(&errors);
    return scenario;
}

static size_t taps(const char *attacks, struct emu_deployment **deployment)
{
    struct scn_scenario *scenario = load(attacks);
    struct emu_hosts hosts = {.base_port = 9000};
    ck_assert_int_eq(emu_deployment_plan(scenario, &hosts, deployment, NULL), 0);
    scn_free(scenario);
    return (*deployment)->tap_count;
}

/* Both directions of each of three key managers with the controller: the manager's ways stay as they are. */
START_TEST(at_c)
{
    struct emu_deployment *d;
    ck_assert_uint_eq(taps("attacks=[{surface: C, what: listen}]", &d), 6);
    ck_assert_str_eq(d->daemons[CTLD].listen, "127.0.0.1:9030");
    ck_assert_str_ne(emu_deployment_way(d, KMD_A, CTLD), "127.0.0.1:9030");
    ck_assert_str_ne(emu_deployment_way(d, CTLD, KMD_A), "127.0.0.1:9000");
    ck_assert_str_eq(emu_deployment_way(d, MGRD, CTLD), "127.0.0.1:9030");
    ck_assert_str_eq(emu_deployment_way(d, LINKD_AB, CTLD), "127.0.0.1:9030");
    ck_assert_str_eq(emu_deployment_way(d, KMD_A, MGRD), "127.0.0.1:9040");
    ck_assert_str_eq(emu_deployment_way(d, KMD_A, KMD_B), "127.0.0.1:9010");
    ck_assert_str_eq(emu_deployment_etsi014(d, KMD_A), "127.0.0.1:9002");
    emu_deployment_free(d);
}
END_TEST

/* One node's key manager; SAEs find attackers where they expect their key manager, which has moved. */
START_TEST(at_m_and_a1_of_one_node)
{
    struct emu_deployment *d;
    ck_assert_uint_eq(taps("attacks=[{surface: M, what: drop, node: B}, {surface: A1, what: flip, "
                           "node: C}]",
                           &d),
                      3);
    ck_assert_str_eq(emu_deployment_way(d, KMD_A, MGRD), "127.0.0.1:9040");
    ck_assert_str_ne(emu_deployment_way(d, KMD_B, MGRD), "127.0.0.1:9040");
    ck_assert_str_ne(emu_deployment_way(d, MGRD, KMD_B), "127.0.0.1:9010");
    ck_assert_str_eq(emu_deployment_way(d, EMU_NOWHERE, KMD_C), "127.0.0.1:9022");
    ck_assert_str_ne(emu_deployment_etsi014(d, KMD_C), "127.0.0.1:9022");
    ck_assert_str_eq(emu_deployment_etsi014(d, KMD_A), "127.0.0.1:9002");
    for (size_t i = 0; i < d->tap_count; i++) { /* behind the ports of all seven daemons */
        const char *own = d->taps[i].from == EMU_NOWHERE ? d->taps[i].target : d->taps[i].listen;
        ck_assert_int_eq(strncmp(own, "127.0.0.1:907", 13), 0);
    }
    emu_deployment_free(d);
}
END_TEST

START_TEST(what_cannot_be)
{
    struct scn_scenario *s = load(
        "attacks=[{surface: K2-1, what: flip}, {surface: C, what: listen, "
        "class: Q}, {surface: C, what: drop, link: AB}, {surface: A1, what: "
        "steal}, {surface: M, what: pose}]");
    for (size_t i = 0; i < s->attack_count; i++) {
        ck_assert_msg((emu_attack_unable(&s->attacks[i]) == NULL) == (i == 4), "attack %zu", i);
    }
    scn_free(s);
}
END_TEST

static void draw(uint8_t *to, size_t len, uint64_t number)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 1, "find", number);
    qkd_rng_bytes(&rng, to, len);
    qkd_rng_fini(&rng);
}

/* 31 bytes of a text in a row are found wherever they begin; one wrong bit in each 16 hides it. */
START_TEST(pieces_are_found)
{
    enum { LEN = 100, HAY = 4096 };
    uint8_t text[LEN];
    uint8_t hay[HAY];
    draw(text, LEN, 1);
    for (size_t from = 0; from + 31 <= 96; from++) { /* 96: the last whole piece ends there */
        struct emu_find *find = emu_find_new();
        ck_assert_int_eq(emu_find_add(find, text, LEN), 0);
        draw(hay, HAY, 2);
        ck_assert_uint_eq(emu_find_in(find, hay, HAY), 0);
        memcpy(hay + 1001 + from, text + from, 31);
        ck_assert_uint_eq(emu_find_in(find, hay, HAY), 1);
        ck_assert_uint_eq(emu_find_in(find, hay, HAY), 0); /* counted once */
        emu_find_free(find);
    }
    struct emu_find *find = emu_find_new();
    ck_assert_int_eq(emu_find_add(find, text, LEN), 0);
    draw(hay, HAY, 2);
    memcpy(hay + 7, text, LEN);
    for (size_t at = 5; at < LEN; at += 8) {
        hay[7 + at] ^= 1;
    }
    ck_assert_uint_eq(emu_find_in(find, hay, HAY), 0);
    emu_find_free(find);
}
END_TEST

/* Texts of little content and short ones are not looked for, and this is told. */
START_TEST(what_says_little_is_left_out)
{
    static const uint8_t zeros[64] = {1, 2, 3};
    uint8_t text[64];
    struct emu_find *find = emu_find_new();
    draw(text, sizeof text, 3);
    ck_assert_int_eq(emu_find_add(find, zeros, sizeof zeros), 0);
    ck_assert_int_eq(emu_find_add(find, text, 15), 0);
    ck_assert_int_eq(emu_find_add(find, text, 16), 0);
    ck_assert_uint_eq(emu_find_texts(find), 3);
    ck_assert_uint_eq(emu_find_sought(find), 1);
    ck_assert_uint_eq(emu_find_in(find, zeros, sizeof zeros), 0);
    ck_assert_uint_eq(emu_find_in(find, text, 16), 1);
    emu_find_free(find);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_attack");
    TCase *tests = tcase_create("places and search");
    tcase_add_test(tests, at_c);
    tcase_add_test(tests, at_m_and_a1_of_one_node);
    tcase_add_test(tests, what_cannot_be);
    tcase_add_test(tests, pieces_are_found);
    tcase_add_test(tests, what_says_little_is_left_out);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
