/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a daemon is ready (emu/daemon/ready.h), at the key manager in the middle of line-3, by its reports.
 * It needs, counted by hand after docs/architecture.md: at Kx-1 a channel and an adjacency with each of two neighbours,
 * Kq-1 and Kq-2 with each of two modules, Ck and Mk. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/km/km.h"
#include "emu/daemon/ready.h"
#include "host/unit.h"

enum { NEEDED = 10, MIDDLE = 1 };

static struct scn_scenario *scenario;
static struct host_plan *plan;
static struct emu_ready *ready;
static struct qkd_eid kma, left, right;

static void setup(void)
{
    struct scn_errors errors;
    ck_assert_int_eq(scn_load("scenarios/line-3.yaml", NULL, &scenario, &errors), 0);
    scn_errors_fini(&errors);
    ck_assert_int_eq(host_plan_new(scenario, &plan), 0);
    uint32_t unit = 0;
    while (plan->units[unit].kind != HOST_UNIT_KM || plan->units[unit].node != MIDDLE) {
        unit++;
    }
    ready = emu_ready_new(plan, &unit, 1);
    ck_assert_ptr_nonnull(ready);
    kma = qkd_eid_make(QKD_ROLE_KMA, 0, MIDDLE);
    left = qkd_eid_make(QKD_ROLE_KMA, 0, 0);
    right = qkd_eid_make(QKD_ROLE_KMA, 0, 2);
}

static void teardown(void)
{
    emu_ready_free(ready);
    host_plan_free(plan);
    scn_free(scenario);
}

/* The b of a report of KMAs about their adjacency is 1, of channels 0 (core/base/out.h). */
static void tell(bool up, struct qkd_eid peer, bool adjacency)
{
    struct qkd_report report = {.code = up ? QKD_REPORT_PEER_UP : QKD_REPORT_PEER_DOWN,
                                .who = kma,
                                .peer = peer,
                                .a = QKD_RP_KX1,
                                .b = adjacency};
    emu_ready_report(ready, &report);
}

START_TEST(needs)
{
    ck_assert_uint_eq(emu_ready_needed(ready), NEEDED);
    ck_assert_uint_eq(emu_ready_missing(ready), NEEDED);
}
END_TEST

/* A neighbour that is authenticated and has no key with us is not enough; each is lost and found by itself. */
START_TEST(neighbours)
{
    char text[128];
    tell(true, left, false);
    ck_assert_uint_eq(emu_ready_missing(ready), NEEDED - 1);
    ck_assert(emu_ready_missing_text(ready, 0, text, sizeof text));
    ck_assert_str_eq(text, "KMA of B - KMA of A at Kx-1, key not agreed");
    tell(true, left, true);
    tell(true, left, true);
    ck_assert_uint_eq(emu_ready_missing(ready), NEEDED - 2);
    tell(false, left, false);
    ck_assert_uint_eq(emu_ready_missing(ready), NEEDED - 1);
    ck_assert(emu_ready_missing_text(ready, 0, text, sizeof text));
    ck_assert_str_eq(text, "KMA of B - KMA of A at Kx-1");
    tell(true, left, false);
    tell(false, left, true);
    tell(false, right, true);
    ck_assert_uint_eq(emu_ready_missing(ready), NEEDED - 1);
    tell(true, qkd_eid_make(QKD_ROLE_KMA, 0, 9), true); /* no neighbour */
    ck_assert_uint_eq(emu_ready_missing(ready), NEEDED - 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emu_ready");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, needs);
    tcase_add_test(c, neighbours);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
