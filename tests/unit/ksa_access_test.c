/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The access list of key supply agents (CFG_ACCESS), among played KMAs and applications
 * (tests/lib/ksa_net.h): which rule decides, what each side does with a request that is denied, and
 * that a broken list changes nothing. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lib/ksa_net.h"

static struct ksa_net net;

static void setup(void)
{
    ksn_init(&net, 7);
    ksn_start(&net);
}

static void teardown(void)
{
    ksn_free(&net);
}

/* The directory of one KSA, with the operators and roles of the two nodes. */
static void attributes_give(uint32_t at, uint32_t operator_a, uint32_t operator_b)
{
    for (int i = 0; i < 2; i++) {
        struct wire_cfg_app entry = {.head = {.message_id = 1},
                                     .app = i == 0 ? NET_MASTER : NET_SLAVE,
                                     .peer_app = i == 0 ? NET_SLAVE : NET_MASTER,
                                     .has_operator_id = true,
                                     .operator_id = i == 0 ? operator_a : operator_b,
                                     .has_role = true,
                                     .role = i == 0 ? WIRE_NODE_USER : WIRE_NODE_BORDER};
        uint8_t message[256];
        int len = wire_cfg_app_encode(&entry, message, sizeof message);
        ck_assert_int_gt(len, 0);
        pump_configure(net.p, NET_KSA(at), message, (size_t)len);
    }
}

static uint8_t list[1 << 17];
static uint8_t bytes[sizeof list + 128];

/* A list as CFG_ACCESS in `bytes`; cut: so many bytes of the list are missing at its end. */
static size_t list_encode(const struct wire_access_rule *rules, size_t count, size_t cut)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        int len = wire_access_rule_encode(&rules[i], list + used, sizeof list - used);
        ck_assert_int_gt(len, 0);
        used += (size_t)len;
    }
    struct wire_cfg_access config = {.head = {.message_id = 1}, .rules = {list, used - cut}};
    int len = wire_cfg_access_encode(&config, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

static void list_give(uint32_t at, const struct wire_access_rule *rules, size_t count)
{
    pump_configure(net.p, NET_KSA(at), bytes, list_encode(rules, count, 0));
}

/* What the KSA of A says to a list that it must not take. */
static int list_try(const struct wire_access_rule *rules, size_t count, size_t cut)
{
    struct qkd_event event = {.type = QKD_EV_CONFIG};
    struct qkd_out out;
    qkd_out_init(&out, 1 << 20);
    event.u.config.to = NET_KSA(NET_A);
    event.u.config.len = list_encode(rules, count, cut);
    event.u.config.bytes = bytes;
    int err = ksa_step(net.ksa[0], &event, &out);
    qkd_out_fini(&out);
    return err;
}

/* Whether the master's request passes A's list: a NEED goes to its KMA, or it is refused. */
static bool passes(uint64_t session)
{
    size_t needs = puppet_count(net.kma[0], WIRE_CMD_KMI_NEED);
    size_t answers = puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP);
    (void)ksn_ask(&net, 1, 256, session);
    if (puppet_count(net.kma[0], WIRE_CMD_KMI_NEED) == needs + 1) {
        ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), answers);
        return true;
    }
    ck_assert_uint_eq(puppet_count(net.kma[0], WIRE_CMD_KMI_NEED), needs);
    ck_assert_uint_eq(puppet_count(net.master, WIRE_CMD_KEY_SUPPLY_RSP), answers + 1);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_ACCESS_DENIED);
    return false;
}

#define MOST 1024 /* rules of one list */

#define ALL                                                                                        \
    {                                                                                              \
        .allow = 0                                                                                 \
    }

/* The master at node A (operator 7, user) asks for keys with the slave at B (operator 9, border). */
START_TEST(rules_fit_what_they_name)
{
    static const struct {
        struct wire_access_rule rule; /* a deny rule */
        bool fits;
    } cases[] = {
        {ALL, true},
        {{.has_source_node = true, .source_node = NET_A}, true},
        {{.has_source_node = true, .source_node = NET_B}, false},
        {{.has_target_node = true, .target_node = NET_B}, true},
        {{.has_target_node = true, .target_node = NET_A}, false},
        {{.has_source_operator = true, .source_operator = 7}, true},
        {{.has_source_operator = true, .source_operator = 9}, false},
        {{.has_target_operator = true, .target_operator = 9}, true},
        {{.has_target_operator = true, .target_operator = 7}, false},
        {{.has_source_role = true, .source_role = WIRE_NODE_USER}, true},
        {{.has_source_role = true, .source_role = WIRE_NODE_BORDER}, false},
        {{.has_target_role = true, .target_role = WIRE_NODE_BORDER}, true},
        {{.has_target_role = true, .target_role = WIRE_NODE_RELAY}, false},
        {{.has_source_operator = true,
          .source_operator = 7,
          .has_target_operator = true,
          .target_operator = 9,
          .has_source_role = true,
          .source_role = WIRE_NODE_USER},
         true},
        {{.has_source_operator = true,
          .source_operator = 7,
          .has_target_operator = true,
          .target_operator = 8},
         false},
    };
    attributes_give(NET_A, 7, 9);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        list_give(NET_A, &cases[i].rule, 1);
        ck_assert_msg(passes(100 + i) != cases[i].fits, "case %zu", i);
    }
    for (int target = 0; target < 2; target++) { /* by the application itself */
        struct wire_access_rule rule = {.has_source_id = target == 0,
                                        .source_id = NET_MASTER,
                                        .has_target_id = target == 1,
                                        .target_id = NET_SLAVE};
        list_give(NET_A, &rule, 1);
        ck_assert(!passes(200));
        rule.source_id = NET_OTHER_MASTER;
        rule.target_id = NET_OTHER_SLAVE;
        list_give(NET_A, &rule, 1);
        ck_assert(passes(201));
    }
}
END_TEST

/* The first rule that fits decides; no rule, no list: allowed; a new list replaces the old one. */
START_TEST(first_that_fits_decides)
{
    const struct wire_access_rule four[] = {
        {.allow = 1, .has_source_node = true, .source_node = NET_B},
        {.allow = 1, .has_target_operator = true, .target_operator = 9},
        {.allow = 0, .has_source_node = true, .source_node = NET_A},
        {.allow = 1},
    };
    attributes_give(NET_A, 7, 9);
    ck_assert(passes(1)); /* no list yet */
    list_give(NET_A, four, 4);
    ck_assert(passes(2)); /* the second one */
    list_give(NET_A, four + 2, 2);
    ck_assert(!passes(3));
    list_give(NET_A, four, 1);
    ck_assert(passes(4)); /* none fits */
    list_give(NET_A, four + 2, 1);
    ck_assert(!passes(5));
    attributes_give(NET_A, 0, 0); /* the rules remain when entries are replaced */
    ck_assert(!passes(6));
    list_give(NET_A, four, 0);
    ck_assert(passes(7)); /* the empty list */
}
END_TEST

/* An operator that is not stated fits no rule that names one. */
START_TEST(unstated_fits_nothing)
{
    struct wire_access_rule rule = {.has_source_operator = true, .source_operator = 7};
    list_give(NET_A, &rule, 1);
    ck_assert(passes(1)); /* the directory of ksn_start() states none */
    attributes_give(NET_A, 7, 0);
    ck_assert(!passes(2));
}
END_TEST

/* A list that is cut off, or too long, is refused as a whole: the old one stays in force. */
START_TEST(broken_list_changes_nothing)
{
    static struct wire_access_rule many[MOST + 1];
    for (size_t i = 0; i < MOST + 1; i++) {
        many[i] = (struct wire_access_rule){.allow = 1};
    }
    struct wire_access_rule deny = {.allow = 0};
    list_give(NET_A, &deny, 1);
    ck_assert(!passes(1));
    ck_assert_int_eq(list_try(many, 3, 1), QKD_ERR_SHORT);
    ck_assert(!passes(2));
    ck_assert_int_eq(list_try(many, MOST + 1, 0), QKD_ERR_LIMIT);
    ck_assert(!passes(3));
    list_give(NET_A, many, MOST);
    ck_assert(passes(4));
}
END_TEST

/* The far KSA has a list of its own: it refuses the notification, fetches nothing, and the request
 * ends with that reason; the event is a security event at both. */
START_TEST(far_side_denies)
{
    struct wire_access_rule deny = {.has_source_node = true, .source_node = NET_A};
    list_give(NET_B, &deny, 1);
    uint64_t asked = ksn_ask(&net, 1, 256, 5);
    (void)asked;
    struct ksn_piece piece = {
        .orig = ksn_need(&net), .tag = 3, .count = 1, .key_size = 256, .count_id = 1, .last = true};
    ksn_piece(&net, 0, &piece);
    ksn_run(&net, 50);
    ck_assert_uint_eq(puppet_count(net.kma[1], WIRE_CMD_KMI_FETCH), 0);
    ck_assert_uint_eq(ksn_answer(net.master).code, WIRE_INSUFFICIENT);
    ck_assert_uint_eq(ksn_answer(net.master).reason, WIRE_REASON_ACCESS_DENIED);
    /* The same pair the other way round is not what the rule names. */
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 1, WIRE_FAULT_DENIED), 1);
}
END_TEST

START_TEST(denial_is_a_security_event)
{
    struct wire_access_rule deny = {.allow = 0};
    list_give(NET_A, &deny, 1);
    ck_assert(!passes(1));
    ck_assert(!passes(2));
    ksn_run(&net, 1500);
    ck_assert_uint_eq(ksn_security(&net, 0, WIRE_FAULT_DENIED), 2);
    list_give(NET_A, &deny, 0);
    struct qkd_id id;
    ksn_supply(&net, 9, 1, 3, &id); /* and keys flow again */
}
END_TEST

/* A scenario may have 100,000 application pairs, all between the same two nodes: both agents of each
 * are in the directory of both KSAs. */
START_TEST(directory_holds_the_largest_scenario)
{
    struct qkd_out out;
    qkd_out_init(&out, 1 << 20);
    for (uint32_t i = 0; i < 200000; i++) {
        struct wire_cfg_app entry = {
            .head = {.message_id = 1},
            .app = qkd_eid_make(QKD_ROLE_APP, 1000 + i, i % 2 == 0 ? NET_A : NET_B),
            .peer_app = qkd_eid_make(QKD_ROLE_APP, (1000 + i) ^ 1U, i % 2 == 0 ? NET_B : NET_A)};
        uint8_t message[256];
        int len = wire_cfg_app_encode(&entry, message, sizeof message);
        ck_assert_int_gt(len, 0);
        struct qkd_event event = {.type = QKD_EV_CONFIG};
        event.u.config.to = NET_KSA(NET_A);
        event.u.config.bytes = message;
        event.u.config.len = (size_t)len;
        ck_assert_int_eq(ksa_step(net.ksa[0], &event, &out), 0);
        qkd_out_reset(&out);
    }
    qkd_out_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ksa access");
    TCase *tc = tcase_create("access");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, rules_fit_what_they_name);
    tcase_add_test(tc, first_that_fits_decides);
    tcase_add_test(tc, unstated_fits_nothing);
    tcase_add_test(tc, broken_list_changes_nothing);
    tcase_add_test(tc, far_side_denies);
    tcase_add_test(tc, denial_is_a_security_event);
    tcase_add_test(tc, directory_holds_the_largest_scenario);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
