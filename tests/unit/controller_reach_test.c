/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which KM serves which user network (D23-KR-07): the longest prefix of all KMs decides (RFC 4632 clause
 * 3.1), of equals the lower KM; what is withdrawn or has not been said for too long is not used. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/controller/reach.h"

#define KM(node) qkd_eid_make(QKD_ROLE_KMC, 0, (node))
#define AT(s) ((struct qkd_time){(s)*QKD_NS_PER_S})

static struct ctl_reach reach;

static void setup(void)
{
    ctl_reach_init(&reach, 8, NULL);
}

static void teardown(void)
{
    ctl_reach_fini(&reach);
}

/* 10.x.y.z as 16 bytes, IPv4 mapped (RFC 4291 clause 2.5.5.2). */
static struct wire_b16 ten(uint8_t x, uint8_t y, uint8_t z)
{
    struct wire_b16 address = {{0}};
    const uint8_t tail[6] = {0xff, 0xff, 10, x, y, z};
    memcpy(address.b + 10, tail, sizeof tail);
    return address;
}

static size_t put(uint8_t *to, size_t at, const struct wire_user_network *network)
{
    int len = wire_user_network_encode(network, to + at, 256 - at);
    ck_assert_int_gt(len, 0);
    return at + (size_t)len;
}

static size_t prefix(uint8_t *to, size_t at, struct wire_b16 address, uint8_t bits)
{
    return put(to, at,
               &(struct wire_user_network){
                   .has_address = true, .address = address, .has_bits = true, .bits = bits});
}

static int say(uint32_t node, const uint8_t *bytes, size_t len, struct qkd_time at)
{
    return ctl_reach_put(&reach, KM(node), (struct wire_bytes){bytes, len},
                         (struct wire_bytes){NULL, 0}, at);
}

/* The node that serves an address; 0: none. */
static uint32_t who(struct wire_b16 address, struct qkd_time oldest)
{
    struct wire_user_network what = {.has_address = true, .address = address};
    const struct ctl_reach_item *item = ctl_reach_find(&reach, &what, oldest);
    return item == NULL ? 0 : qkd_eid_node(item->km);
}

START_TEST(the_longest_prefix_decides)
{
    uint8_t bytes[256];
    ck_assert_int_eq(say(3, bytes, prefix(bytes, 0, ten(0, 0, 0), 96 + 8), AT(1)), 0);
    size_t len = prefix(bytes, 0, ten(7, 0, 0), 96 + 16);
    ck_assert_int_eq(say(2, bytes, prefix(bytes, len, ten(7, 128, 0), 96 + 17), AT(1)), 0);
    ck_assert_int_eq(say(5, bytes, prefix(bytes, 0, ten(7, 128, 0), 96 + 17), AT(1)), 0);
    ck_assert_int_eq(say(4, bytes, prefix(bytes, 0, ten(7, 1, 2), 128), AT(1)), 0);
    ck_assert_uint_eq(who(ten(9, 9, 9), AT(0)), 3);
    ck_assert_uint_eq(who(ten(7, 0, 1), AT(0)), 2);
    ck_assert_uint_eq(who(ten(7, 129, 1), AT(0)), 2); /* as long at 5: the lower one */
    ck_assert_uint_eq(who(ten(7, 1, 2), AT(0)), 4);
    struct wire_b16 other = {{0x20, 0x01}};
    ck_assert_uint_eq(who(other, AT(0)), 0);
}
END_TEST

START_TEST(withdrawn_and_old)
{
    uint8_t bytes[256];
    ck_assert_int_eq(say(3, bytes, prefix(bytes, 0, ten(0, 0, 0), 96 + 8), AT(1)), 0);
    ck_assert_int_eq(say(4, bytes, prefix(bytes, 0, ten(7, 0, 0), 96 + 16), AT(5)), 0);
    ck_assert_uint_eq(who(ten(7, 0, 1), AT(2)), 4);
    ck_assert_uint_eq(who(ten(8, 0, 1), AT(2)), 0); /* 3 has not said so for too long */
    ck_assert_int_eq(say(4, NULL, 0, AT(6)), 0);
    ck_assert_uint_eq(who(ten(7, 0, 1), AT(2)), 0);
    ck_assert_uint_eq(who(ten(7, 0, 1), AT(1)), 3);
}
END_TEST

START_TEST(names)
{
    uint8_t bytes[256];
    struct wire_user_network lan = {.has_name = true, .name = {(const uint8_t *)"lan-a", 5}};
    ck_assert_int_eq(say(6, bytes, put(bytes, 0, &lan), AT(1)), 0);
    const struct ctl_reach_item *item = ctl_reach_find(&reach, &lan, AT(0));
    ck_assert_ptr_nonnull(item);
    ck_assert_uint_eq(qkd_eid_node(item->km), 6);
    lan.name.len = 4;
    ck_assert_ptr_null(ctl_reach_find(&reach, &lan, AT(0)));
}
END_TEST

/* Bytes of a peer: what is not whole or not good changes nothing. */
START_TEST(malformed)
{
    uint8_t bytes[256];
    size_t len = prefix(bytes, 0, ten(0, 0, 0), 96 + 8);
    ck_assert_int_eq(say(3, bytes, len, AT(1)), 0);
    for (size_t cut = 1; cut < len; cut++) {
        ck_assert_int_eq(say(3, bytes, cut, AT(2)), QKD_ERR_FORMAT);
    }
    ck_assert_int_eq(say(3, bytes, prefix(bytes, 0, ten(0, 0, 0), 129), AT(2)), QKD_ERR_FORMAT);
    struct wire_user_network both = {
        .has_name = true, .name = {(const uint8_t *)"x", 1}, .has_address = true, .has_bits = true};
    ck_assert_int_eq(say(3, bytes, put(bytes, 0, &both), AT(2)), QKD_ERR_FORMAT);
    ck_assert_uint_eq(who(ten(1, 1, 1), AT(1)), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller_reach");
    TCase *tc = tcase_create("reach");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_longest_prefix_decides);
    tcase_add_test(tc, withdrawn_and_old);
    tcase_add_test(tc, names);
    tcase_add_test(tc, malformed);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
