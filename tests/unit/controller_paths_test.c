/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller answers to a ROUTE that asks for several routes (multipath relay): all of them or none,
 * without a common node, each promised. Network: the diamond of tests/lib/ctl_net.h, worked out by hand. */
#include <check.h>
#include <stdlib.h>

#include "core/wire/frame.h"
#include "tests/lib/ctl_net.h"

enum { SHARE_BITS = 1504 }; /* of a 256-bit key: 1,488 of a RELAY, and two bytes */

static void begin(void)
{
    ctn_make(CTL_WIDEST);
    ctn_kmcs(4);
    ctn_status_all(ctn_diamond, CTN_COUNT(ctn_diamond));
}

/* The answer to a request for `paths` routes from 1 to 4. */
static struct wire_route_rsp ask(uint8_t paths, uint32_t amount)
{
    struct wire_route_rsp rsp;
    struct wire_route route = ctn_request(1, 4, amount);
    route.has_relay = route.has_paths = true;
    route.relay = WIRE_RELAY_MULTIPATH;
    route.paths = paths;
    size_t before = puppet_count(ctn.kmc[1], WIRE_CMD_ROUTE_RSP);
    PUPPET_SEND(ctn.kmc[1], route, QKD_RP_CK, CTN_CONTROLLER, &route);
    pump_run(ctn.pump, qkd_span_ms(10));
    const struct puppet_message *m = puppet_get(ctn.kmc[1], WIRE_CMD_ROUTE_RSP, before);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    return rsp;
}

static void is_list(struct wire_bytes got, const uint32_t *nodes, size_t count)
{
    ck_assert_uint_eq(got.len, 8 * count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(wire_get_u64(got.at + 8 * i), ctn_kma(nodes[i]).v);
    }
}

/* The link itself, by 2 and by 3: shorter ones first, then lower nodes. */
START_TEST(all_ways_are_told)
{
    begin();
    struct wire_route_rsp rsp = ask(3, 1);
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    is_list(rsp.route, (const uint32_t[]){1, 4}, 2);
    ck_assert(rsp.has_others);
    is_list(rsp.others, (const uint32_t[]){1, 2, 4, 1, 3, 4}, 6);
    ck_assert(rsp.has_validity_ms);
}
END_TEST

START_TEST(fewer_ways_than_asked_for_are_none)
{
    begin();
    struct wire_route_rsp rsp = ask(4, 1);
    ck_assert_uint_eq(rsp.code, WIRE_FAILURE);
    ck_assert_uint_eq(rsp.reason, WIRE_REASON_NO_ROUTE);
    ck_assert(!rsp.has_route && !rsp.has_others);
}
END_TEST

/* The direct link has half a Mbit: it pays for so many shares once, and then no more. With two ways 1-2-4 and
 * 1-3-4 are left. Nothing was promised for what was refused. */
START_TEST(each_way_is_promised)
{
    begin();
    uint32_t amount = (uint32_t)(CTN_MBIT / 2 / SHARE_BITS);
    ck_assert_uint_eq(ask(3, amount).code, WIRE_SUCCESS);
    struct wire_route_rsp rsp = ask(3, amount);
    ck_assert_uint_eq(rsp.code, WIRE_FAILURE);
    ck_assert_uint_eq(rsp.reason, WIRE_REASON_INSUFFICIENT_KEY);
    rsp = ask(2, amount);
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    is_list(rsp.route, (const uint32_t[]){1, 2, 4}, 3);
    is_list(rsp.others, (const uint32_t[]){1, 3, 4}, 3);
    ck_assert_uint_eq(ask(2, amount).code, WIRE_FAILURE); /* 1-2-4 had a Mbit */
}
END_TEST

START_TEST(numbers_of_ways_that_make_no_sense)
{
    static const uint8_t wrong[] = {0, 1, WIRE_PATHS_MAX + 1, 255};
    begin();
    for (size_t i = 0; i < sizeof wrong; i++) {
        struct wire_route_rsp rsp = ask(wrong[i], 1);
        ck_assert_uint_eq(rsp.code, WIRE_FAILURE);
        ck_assert_uint_eq(rsp.reason, WIRE_REASON_BAD_REQUEST);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_paths");
    TCase *tests = tcase_create("controller_paths");
    tcase_add_checked_fixture(tests, ctn_setup, ctn_teardown);
    tcase_add_test(tests, all_ways_are_told);
    tcase_add_test(tests, fewer_ways_than_asked_for_are_none);
    tcase_add_test(tests, each_way_is_promised);
    tcase_add_test(tests, numbers_of_ways_that_make_no_sense);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
