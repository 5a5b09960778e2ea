/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle where a node does not fall as a whole: its key manager, the modules of its links and the
 * controller are processes of their own in the live world. What a fall takes away is what lay in the
 * process that fell: rule 1 judges the rest of a block's way by it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/oracle_rig.h"

#define NOT_ASKED "rule 1: answer to a confirmation that was not asked"

static struct rig *rig;

/* KMA B pays its CONFIRM from block 0 of link 0: up to here it may. */
static void lease(uint32_t end)
{
    rig_chunk(rig, 0, 1,
              &(struct wire_p_chunk){
                  .start = RIG_BOOT_MID, .end = RIG_BOOT_BYTES, .mine = 1, .lease = end});
}

static void set_up(void)
{
    rig = rig_new();
    rig_boot(rig);
    rig_generate(rig, 0);
    lease(RIG_BOOT_MID + 16);
}

static void tear_down(void)
{
    rig_free(rig);
}

/* KMA B, on side 1 of link 0, has the block on record. */
static void stored(uint32_t side)
{
    struct wire_p_block record = {.qkd_key_id = rig->block[0], .bytes = RIG_BLOCK_BYTES};
    uint8_t value[256];
    int len = wire_p_block_encode(&record, value, sizeof value);
    ck_assert_int_gt(len, 0);
    struct qkd_persist entry = {.owner = rig_kma(side),
                                .kind = WIRE_PERSIST_BLOCK,
                                .key_len = 20,
                                .value = {0, (uint32_t)len}};
    memcpy(entry.key + 4, rig->block[0].b, sizeof rig->block[0].b);
    watch_oracle_persist(rig->oracle, rig->now_ns, &entry, value);
}

/* What the crash left of the old lease is void. */
static void lease_anew(void)
{
    lease(RIG_BOOT_BYTES);
    rig->side[0][1].boot_next = RIG_BOOT_MID + 16;
}

/* Both files are handed over (once more), then asked and answered. */
static void confirm(void)
{
    rig_file(rig, 0, 0);
    rig_file(rig, 0, 1);
    rig_confirm(rig, 0, 0);
    rig_deliver(rig);
    rig_confirm(rig, 0, 1);
}

/* A module keeps its block until the KMA has it on record: the next KMA gets it again. */
START_TEST(km_alone_loses_no_block_of_its_module)
{
    if (_i == 1) {
        rig_file(rig, 0, 1); /* handed over, not yet on record */
    }
    rig_crash_km(rig, 1);
    lease_anew();
    confirm();
    ck_assert_str_eq(rig_first(rig), "");
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 0);
}
END_TEST

/* With the whole node the module falls, too, and nobody can have the block again. */
START_TEST(node_loses_the_block_of_its_module)
{
    rig_crash(rig, 1);
    lease_anew();
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 8 * RIG_BLOCK_BYTES);
    confirm();
    ck_assert_uint_gt(rig_violations(rig), 0);
    ck_assert_int_eq(strncmp(rig_first(rig), NOT_ASKED, strlen(NOT_ASKED)), 0);
}
END_TEST

/* Both modules of a link fall: a block that one end has neither on record nor on its way is lost. */
START_TEST(modules_lose_what_only_they_had)
{
    if (_i > 0) {
        rig_file(rig, 0, 0);
        stored(0);
    }
    watch_oracle_crash_modules(rig->oracle, rig->now_ns, 1); /* another link */
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 0);
    watch_oracle_crash_modules(rig->oracle, rig->now_ns, 0);
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 8 * RIG_BLOCK_BYTES);
    confirm();
    ck_assert_int_eq(strncmp(rig_first(rig), NOT_ASKED, strlen(NOT_ASKED)), 0);
}
END_TEST

/* The module of one end loses what that end has not on record; the other end's module may yet file. */
START_TEST(module_loses_its_own_only)
{
    rig_file(rig, 0, 1);
    stored(1);
    watch_oracle_crash_module(rig->oracle, rig->now_ns, 0, 1);
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 0);
    if (_i == 0) {
        rig_file(rig, 0, 0);
        rig_confirm(rig, 0, 0);
        rig_deliver(rig);
        rig_confirm(rig, 0, 1);
        ck_assert_str_eq(rig_first(rig), "");
    } else {
        watch_oracle_crash_module(rig->oracle, rig->now_ns, 0, 0);
        ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 8 * RIG_BLOCK_BYTES);
    }
}
END_TEST

/* What both ends have on record, or may still get, is not. */
START_TEST(modules_lose_nothing_else)
{
    rig_file(rig, 0, 0);
    rig_file(rig, 0, 1);
    stored(0);
    if (_i == 1) {
        stored(1);
    }
    watch_oracle_crash_modules(rig->oracle, rig->now_ns, 0);
    rig_confirm(rig, 0, 0);
    rig_deliver(rig);
    rig_confirm(rig, 0, 1);
    ck_assert_str_eq(rig_first(rig), "");
    ck_assert_uint_eq(watch_oracle_link_ledger(rig->oracle, 0).discarded, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracle_parts");
    TCase *parts = tcase_create("parts");
    tcase_add_checked_fixture(parts, set_up, tear_down);
    tcase_add_loop_test(parts, km_alone_loses_no_block_of_its_module, 0, 2);
    tcase_add_test(parts, node_loses_the_block_of_its_module);
    tcase_add_loop_test(parts, modules_lose_what_only_they_had, 0, 2);
    tcase_add_loop_test(parts, module_loses_its_own_only, 0, 2);
    tcase_add_loop_test(parts, modules_lose_nothing_else, 0, 2);
    suite_add_tcase(suite, parts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
