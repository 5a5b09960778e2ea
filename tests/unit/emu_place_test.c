/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which daemon hosts which element (emu/deploy/place.h), on the three nodes in a line that are shipped: five
 * kinds of elements at three nodes and two links, each placed by hand after docs/live.md. */
#include <check.h>
#include <string.h>

#include "emu/deploy/place.h"

static struct scn_scenario *scenario;
static struct host_plan *plan;

static void setup(void)
{
    struct scn_errors errors;
    ck_assert_int_eq(scn_load("scenarios/line-3.yaml", NULL, &scenario, &errors), 0);
    scn_errors_fini(&errors);
    ck_assert_int_eq(host_plan_new(scenario, &plan), 0);
}

static void teardown(void)
{
    host_plan_free(plan);
    scn_free(scenario);
}

static const char *const names[] = {"kmd.A", "kmd.B",    "kmd.C",   "ctld",
                                    "mgrd",  "linkd.AB", "linkd.BC"};
#define COUNT (sizeof names / sizeof names[0])

START_TEST(names_and_numbers)
{
    ck_assert_uint_eq(emu_place_count(scenario), COUNT);
    char name[EMU_PLACE_NAME_SIZE];
    for (uint32_t i = 0; i < COUNT; i++) {
        emu_place_name(scenario, i, name);
        ck_assert_str_eq(name, names[i]);
        ck_assert_uint_eq(emu_place_find(scenario, name), i);
    }
    ck_assert_uint_eq(emu_place_find(scenario, "kmd"), EMU_NOWHERE);
    ck_assert_uint_eq(emu_place_find(scenario, "ctld."), EMU_NOWHERE);
    ck_assert_uint_eq(emu_place_find(scenario, "linkd.A"), EMU_NOWHERE);
    ck_assert_int_eq(emu_place_at(scenario, 6).kind, EMU_LINKD);
    ck_assert_uint_eq(emu_place_at(scenario, 6).index, 1);
    ck_assert_uint_eq(emu_place_node(scenario, 6), 1);
    ck_assert_uint_eq(emu_place_node(scenario, 2), 2);
}
END_TEST

static const char *place(enum qkd_role role, uint32_t instance, uint32_t node)
{
    uint32_t number = emu_place_of(plan, qkd_eid_make(role, instance, node));
    return number == EMU_NOWHERE ? "nowhere" : names[number];
}

START_TEST(elements)
{
    ck_assert_str_eq(place(QKD_ROLE_KMA, 0, 1), "kmd.B");
    ck_assert_str_eq(place(QKD_ROLE_KSA, 0, 2), "kmd.C");
    ck_assert_str_eq(place(QKD_ROLE_KMC, 0, 0), "kmd.A");
    ck_assert_str_eq(place(QKD_ROLE_APP, 0, 0), "kmd.A"); /* video's master */
    ck_assert_str_eq(place(QKD_ROLE_APP, 1, 2), "kmd.C");
    ck_assert_str_eq(place(QKD_ROLE_LOAD, 7, 2), "kmd.C");
    ck_assert_str_eq(place(QKD_ROLE_CONTROLLER, 0, 0), "ctld");
    ck_assert_str_eq(place(QKD_ROLE_MANAGER, 0, 0), "mgrd");
    ck_assert_str_eq(place(QKD_ROLE_MODULE, 0, 0), "linkd.AB");
    ck_assert_str_eq(place(QKD_ROLE_MODULE, 0, 1), "linkd.AB");
    ck_assert_str_eq(place(QKD_ROLE_MODULE, 1, 1), "linkd.BC");
    ck_assert_str_eq(place(QKD_ROLE_DEVICE, 0, 2), "linkd.BC");
    ck_assert_str_eq(place(QKD_ROLE_MODULE, 1, 2), "nowhere");
    ck_assert_str_eq(place(QKD_ROLE_KMA, 0, 3), "nowhere");
    ck_assert_str_eq(place(QKD_ROLE_LOAD, 0, 3), "nowhere");
    ck_assert_str_eq(place(QKD_ROLE_CONTROLLER, 0, 1), "nowhere");
    ck_assert_uint_eq(emu_place_of(plan, QKD_NOBODY), EMU_NOWHERE);
}
END_TEST

/* '+': they talk. Rows and columns as `names`. */
START_TEST(who_talks_to_whom)
{
    static const char *const table[COUNT] = {"-+++++-", "+-+++++", "++-++-+", "+++-+++",
                                             "++++-++", "++-++--", "-++++--"};
    for (uint32_t i = 0; i < COUNT; i++) {
        for (uint32_t k = 0; k < COUNT; k++) {
            ck_assert_msg(emu_place_talk(scenario, i, k) == (table[i][k] == '+'), "%s %s", names[i],
                          names[k]);
        }
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("place");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_and_numbers);
    tcase_add_test(tests, elements);
    tcase_add_test(tests, who_talks_to_whom);
    Suite *suite = suite_create("emu_place");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
