/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Applications named by address at the master's KSA, and the KSA's own address (docs/protocol.md, "Who
 * serves whom"; D23-KR-07, -13). KSA A among a played KMC, KMA and master (tests/lib/ksa_net.h). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ksa_net.h"

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 5);
    ksn_start(&net);
}

static void teardown(void)
{
    ksn_free(&net);
}

static const uint8_t address[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 2, 3, 4};

static void ask(uint32_t amount)
{
    struct wire_key_supply command = ksn_command(&net, amount, 256, 77);
    command.target_id = QKD_NOBODY;
    command.has_target_address = true;
    memcpy(command.target_address.b, address, sizeof address);
    PUPPET_SEND(net.master, key_supply, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
}

/* The KMC's answer to the newest question. */
static void answer(uint32_t node, uint8_t reason)
{
    size_t count = puppet_count(net.kmc[0], WIRE_CMD_RESOLVE);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(net.kmc[0], WIRE_CMD_RESOLVE, count - 1);
    struct wire_resolve question;
    ck_assert_int_eq(wire_resolve_decode(&question, m->bytes.at, m->bytes.len), 0);
    ck_assert(question.has_address && !question.has_name);
    ck_assert_mem_eq(question.address.b, address, sizeof address);
    struct wire_resolve_rsp rsp = {.head = {.orig_message_id = m->head.message_id},
                                   .source_id = question.source_id,
                                   .km_id = reason == 0 ? NET_KMA(node) : QKD_NOBODY,
                                   .reason = reason};
    PUPPET_SEND(net.kmc[0], resolve_rsp, QKD_RP_KMI, NET_KSA(NET_A), &rsp);
    ksn_run(&net, 10);
}

/* B serves the address: the need is for the partner there. */
START_TEST(the_partner_there_is_meant)
{
    ask(2);
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 0);
    answer(NET_B, WIRE_REASON_NONE);
    struct wire_kmi_need need;
    const struct puppet_message *m = puppet_get(net.kma[0], WIRE_CMD_KMI_NEED, 0);
    ck_assert_int_eq(wire_kmi_need_decode(&need, m->bytes.at, m->bytes.len), 0);
    ck_assert(qkd_eid_eq(need.target_app, NET_SLAVE));
    ck_assert_uint_eq(need.count, 2);
    ck_assert_uint_le(need.timeout_ms, 5000);
    ck_assert_uint_gt(need.timeout_ms, 4900);
}
END_TEST

/* Nobody serves it; one who does, but the master has no partner there; nobody answers. */
START_TEST(refused)
{
    ask(1);
    answer(0, WIRE_REASON_UNKNOWN_APPLICATION);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_UNKNOWN_APPLICATION);
    ask(1);
    answer(NET_C, WIRE_REASON_NONE);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 2);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_UNKNOWN_APPLICATION);
    ask(1);
    ksn_run(&net, 6000);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), 3);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_TIMEOUT);
    answer(NET_B, WIRE_REASON_NONE); /* too late */
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), 0);
    ask(0); /* the status names applications */
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_BAD_REQUEST);
}
END_TEST

static void serve(uint8_t bits)
{
    struct wire_cfg_serves config = {
        .head = {.message_id = 1}, .has_ksa_address = true, .has_ksa_bits = true, .ksa_bits = bits};
    memcpy(config.ksa_address.b, address, 13); /* 10.0.0.0 */
    uint8_t bytes[128];
    int len = wire_cfg_serves_encode(&config, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(net.p, NET_KSA(NET_A), bytes, (size_t)len);
    ksn_run(&net, 10);
}

static struct wire_ksa_address told(void)
{
    struct wire_ksa_address here;
    size_t count = puppet_count(net.kmc[0], WIRE_CMD_KSA_ADDRESS);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(net.kmc[0], WIRE_CMD_KSA_ADDRESS, count - 1);
    ck_assert_int_eq(wire_ksa_address_decode(&here, m->bytes.at, m->bytes.len), 0);
    return here;
}

/* A dynamic address is in its prefix, is told, and is another one after a restart; a static one is not told
 * by the KSA: it is configured. */
START_TEST(a_dynamic_address_is_told)
{
    serve(128);
    ck_assert_uint_eq(puppet_count(net.kmc[0], WIRE_CMD_KSA_ADDRESS), 0);
    serve(96 + 8);
    struct wire_ksa_address first = told();
    ck_assert_mem_eq(first.address.b, address, 13);
    ck_assert_mem_ne(first.address.b + 13, "\0\0\0", 3);
    ksn_restart(&net, 0);
    serve(96 + 8);
    struct wire_ksa_address second = told();
    ck_assert_mem_eq(second.address.b, address, 13);
    ck_assert_mem_ne(first.address.b, second.address.b, 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ksa_resolve");
    TCase *tc = tcase_create("resolve");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_partner_there_is_meant);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, a_dynamic_address_is_told);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
