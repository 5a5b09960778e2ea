/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every item of the tables of FG QIT4N D2.3 that describe messages (7-1 to 7-10, 8-1 to 8-4) has a
 * field that reaches the other side. ITEM() names the requirement, and the last test compares the
 * names with tests/tidy/d23_ids.txt, so that no row of these tables can be forgotten. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/wire/codec.h"

#define BYTES_MAX 1024
#define ITEMS_MAX 256
#define BYTES(s) ((struct wire_bytes){(const uint8_t *)(s), sizeof(s) - 1})

struct items {
    const char *id[ITEMS_MAX];
    size_t count;
};

/* Asserts that an item arrived, and remembers that it was looked at. */
#define ITEM(items, name, cond)                                                                    \
    do {                                                                                           \
        ck_assert_msg((cond), "%s: %s", (name), #cond);                                            \
        ck_assert_uint_lt((items)->count, ITEMS_MAX);                                              \
        (items)->id[(items)->count++] = (name);                                                    \
    } while (0)

/* Sends `in` through encoder and decoder; `out` is what arrives. */
#define PASS(name, in, out)                                                                        \
    do {                                                                                           \
        static uint8_t passed[BYTES_MAX];                                                          \
        int passed_len = wire_##name##_encode((in), passed, sizeof passed);                        \
        ck_assert_int_gt(passed_len, 0);                                                           \
        ck_assert_int_ge(wire_##name##_decode((out), passed, (size_t)passed_len), 0);              \
    } while (0)

static bool is(struct wire_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.at, text, bytes.len) == 0;
}

static struct qkd_eid eid(uint64_t v)
{
    return (struct qkd_eid){v};
}

static struct qkd_id id(uint8_t v)
{
    struct qkd_id made;
    memset(made.b, v, sizeof made.b);
    return made;
}

static bool is_id(struct qkd_id a, uint8_t v)
{
    struct qkd_id b = id(v);
    return qkd_id_eq(&a, &b);
}

static bool is_fill(const uint8_t *at, size_t len, uint8_t v)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != v) {
            return false;
        }
    }
    return len > 0;
}

static struct wire_head head(uint64_t message, uint64_t answers, uint64_t sender)
{
    return (
        struct wire_head){.message_id = message, .orig_message_id = answers, .sender = eid(sender)};
}

/* Group 1 of Table 7-1 travels with the key file; group 2 and 3 are what a KMA keeps and hands on. */
static void table_7_1_qkd_and_kma_key(struct items *items)
{
    struct wire_key_file file = {.has_qkd_key_id = true,
                                 .qkd_key_id = id(1),
                                 .has_key_length = true,
                                 .key_length = 1024,
                                 .has_module_id = true,
                                 .module_id = eid(2),
                                 .has_matching_module_id = true,
                                 .matching_module_id = eid(3),
                                 .has_generated = true,
                                 .generated = {4},
                                 .has_hash = true};
    struct wire_key_file f;
    memset(file.hash.b, 5, 32);
    PASS(key_file, &file, &f);
    ITEM(items, "D23-MD-01", f.has_qkd_key_id && is_id(f.qkd_key_id, 1));
    ITEM(items, "D23-MD-02", f.has_key_length && f.key_length == 1024);
    ITEM(items, "D23-MD-03", f.has_module_id && f.module_id.v == 2);
    ITEM(items, "D23-MD-04", f.has_matching_module_id && f.matching_module_id.v == 3);
    ITEM(items, "D23-MD-05", f.has_generated && f.generated.ns == 4);
    ITEM(items, "D23-MD-06", f.has_hash && is_fill(f.hash.b, 32, 5));

    struct wire_key_metadata metadata = {.has_kma_key_id = true,
                                         .kma_key_id = id(6),
                                         .has_key_length = true,
                                         .key_length = 256,
                                         .has_key_type = true,
                                         .key_type = WIRE_FOR_DECRYPTION,
                                         .has_kma_id = true,
                                         .kma_id = eid(7),
                                         .has_matching_kma_id = true,
                                         .matching_kma_id = eid(8),
                                         .has_generated = true,
                                         .generated = {9},
                                         .has_module_id = true,
                                         .module_id = eid(10),
                                         .has_matching_module_id = true,
                                         .matching_module_id = eid(11),
                                         .has_hash = true,
                                         .has_relay_source = true,
                                         .relay_source = eid(13),
                                         .has_relay_destination = true,
                                         .relay_destination = eid(14),
                                         .has_relayed = true,
                                         .relayed = {15},
                                         .has_method = true,
                                         .method = WIRE_METHOD_OTP};
    struct wire_key_metadata k;
    memset(metadata.hash.b, 12, 32);
    PASS(key_metadata, &metadata, &k);
    ITEM(items, "D23-MD-07", k.has_kma_key_id && is_id(k.kma_key_id, 6));
    ITEM(items, "D23-MD-08", k.has_key_length && k.key_length == 256);
    ITEM(items, "D23-MD-09", k.has_key_type && k.key_type == 2);
    ITEM(items, "D23-MD-10", k.has_kma_id && k.kma_id.v == 7);
    ITEM(items, "D23-MD-11", k.has_matching_kma_id && k.matching_kma_id.v == 8);
    ITEM(items, "D23-MD-12", k.has_generated && k.generated.ns == 9);
    ITEM(items, "D23-MD-13", k.has_module_id && k.module_id.v == 10);
    ITEM(items, "D23-MD-14", k.has_matching_module_id && k.matching_module_id.v == 11);
    ITEM(items, "D23-MD-15", k.has_hash && is_fill(k.hash.b, 32, 12));
    ITEM(items, "D23-MD-16", k.has_relay_source && k.relay_source.v == 13);
    ITEM(items, "D23-MD-17", k.has_relay_destination && k.relay_destination.v == 14);
    ITEM(items, "D23-MD-18", k.has_relayed && k.relayed.ns == 15);
    ITEM(items, "D23-MD-19", k.has_method && k.method == 1);
}

/* Group 2 inside a relayed key, and group 4, which the life-cycle record of a supply carries. */
static void table_7_1_relayed_and_ksa_key(struct items *items)
{
    uint8_t inner[128];
    struct wire_relay_metadata of_key = {.kma_key_id = id(16),
                                         .key_type = WIRE_FOR_ENCRYPTION,
                                         .matching_kma_id = eid(17),
                                         .generated = {18}};
    int inner_len = wire_relay_metadata_encode(&of_key, inner, sizeof inner);
    ck_assert_int_gt(inner_len, 0);
    struct wire_relay_body body = {.metadata = {inner, (size_t)inner_len}};
    struct wire_relay_body b;
    struct wire_relay_metadata m;
    PASS(relay_body, &body, &b);
    ITEM(items, "D23-MD-20",
         wire_relay_metadata_decode(&m, b.metadata.at, b.metadata.len) == inner_len &&
             is_id(m.kma_key_id, 16) && m.key_type == 1 && m.matching_kma_id.v == 17 &&
             m.generated.ns == 18);

    struct wire_life life = {.when = {19},
                             .action = WIRE_ACTION_SUPPLY,
                             .key_class = WIRE_CLASS_KSA,
                             .id = id(20),
                             .has_key_length = true,
                             .key_length = 512,
                             .has_source_app = true,
                             .source_app = eid(21),
                             .has_target_app = true,
                             .target_app = eid(22)};
    struct wire_life l;
    PASS(life, &life, &l);
    ITEM(items, "D23-MD-21", is_id(l.id, 20));
    ITEM(items, "D23-MD-22", l.has_key_length && l.key_length == 512);
    ITEM(items, "D23-MD-23", l.when.ns == 19 && l.action == WIRE_ACTION_SUPPLY);
    ITEM(items, "D23-MD-25", l.has_source_app && l.source_app.v == 21);
    ITEM(items, "D23-MD-26", l.has_target_app && l.target_app.v == 22);

    /* the name belongs to the application's identity: the directory entry carries it */
    struct wire_cfg_app app = {.app = eid(21), .name = BYTES("alice")};
    struct wire_cfg_app a;
    PASS(cfg_app, &app, &a);
    ITEM(items, "D23-MD-24", is(a.name, "alice") && a.app.v == 21);
}

static void tables_7_2_and_7_3(struct items *items)
{
    struct wire_auth command = {.head = head(1, 0, 2), .info = BYTES("proof")};
    struct wire_auth_rsp answer = {.head = head(3, 1, 4), .code = WIRE_FAILURE};
    struct wire_auth c;
    struct wire_auth_rsp a;
    PASS(auth, &command, &c);
    PASS(auth_rsp, &answer, &a);
    ITEM(items, "D23-AU-01", c.head.message_id == 1 && a.head.message_id == 3);
    ITEM(items, "D23-AU-02", a.head.orig_message_id == c.head.message_id);
    ITEM(items, "D23-AU-03", c.head.command == WIRE_CMD_AUTH);
    ITEM(items, "D23-AU-04", c.head.sender.v == 2 && a.head.sender.v == 4);
    ITEM(items, "D23-AU-05", is(c.info, "proof"));
    ITEM(items, "D23-AU-06", a.code == 2);
}

static void tables_7_4_and_7_5(struct items *items)
{
    struct wire_key_supply command = {.head = head(1, 0, 2),
                                      .source_id = eid(3),
                                      .target_id = eid(4),
                                      .session_id = 5,
                                      .application_code = WIRE_FOR_DECRYPTION,
                                      .has_key_amount = true,
                                      .key_amount = 6,
                                      .has_key_id = true,
                                      .key_id = id(7),
                                      .has_key_size = true,
                                      .key_size = 256};
    struct wire_key_supply_rsp answer = {.head = head(8, 1, 9),
                                         .source_id = eid(3),
                                         .target_id = eid(4),
                                         .session_id = 5,
                                         .application_code = WIRE_FOR_DECRYPTION,
                                         .has_key_amount = true,
                                         .key_amount = 6,
                                         .has_key_id = true,
                                         .key_id = id(7),
                                         .has_key_size = true,
                                         .key_size = 256,
                                         .has_count_id = true,
                                         .count_id = 10,
                                         .has_key_data = true,
                                         .key_data = BYTES("key"),
                                         .code = WIRE_STATUS_TABLE};
    struct wire_key_supply c;
    struct wire_key_supply_rsp a;
    PASS(key_supply, &command, &c);
    PASS(key_supply_rsp, &answer, &a);
    ITEM(items, "D23-KS-01", c.head.message_id == 1 && a.head.message_id == 8);
    ITEM(items, "D23-KS-02", a.head.orig_message_id == 1);
    ITEM(items, "D23-KS-03", c.head.command == WIRE_CMD_KEY_SUPPLY);
    ITEM(items, "D23-KS-04", c.head.sender.v == 2 && a.head.sender.v == 9);
    ITEM(items, "D23-KS-05", c.source_id.v == 3 && a.source_id.v == 3);
    ITEM(items, "D23-KS-06", c.target_id.v == 4 && a.target_id.v == 4);
    ITEM(items, "D23-KS-07", c.session_id == 5 && a.session_id == 5);
    ITEM(items, "D23-KS-08", c.application_code == 2 && a.application_code == 2);
    ITEM(items, "D23-KS-09", c.key_amount == 6 && a.key_amount == 6);
    ITEM(items, "D23-KS-10", is_id(c.key_id, 7) && is_id(a.key_id, 7));
    ITEM(items, "D23-KS-11", c.key_size == 256 && a.key_size == 256);
    ITEM(items, "D23-KS-12", a.has_count_id && a.count_id == 10);
    ITEM(items, "D23-KS-13", a.has_key_data && is(a.key_data, "key"));
    ITEM(items, "D23-KS-14", a.code == 4);
}

/* The response code that Table 7-6 prints in the command is not sent (anomaly AN-5). */
static void tables_7_6_and_7_7(struct items *items)
{
    struct wire_key_delete command = {.head = head(1, 0, 2),
                                      .source_id = eid(3),
                                      .target_id = eid(4),
                                      .session_id = 5,
                                      .application_code = WIRE_FOR_ENCRYPTION};
    struct wire_key_delete_rsp answer = {.head = head(6, 1, 7),
                                         .source_id = eid(3),
                                         .target_id = eid(4),
                                         .session_id = 5,
                                         .application_code = WIRE_FOR_ENCRYPTION,
                                         .code = WIRE_SUCCESS};
    struct wire_key_delete c;
    struct wire_key_delete_rsp a;
    PASS(key_delete, &command, &c);
    PASS(key_delete_rsp, &answer, &a);
    ITEM(items, "D23-KD-01", c.head.message_id == 1 && a.head.message_id == 6);
    ITEM(items, "D23-KD-02", a.head.orig_message_id == 1);
    ITEM(items, "D23-KD-03", c.head.command == WIRE_CMD_KEY_DELETE);
    ITEM(items, "D23-KD-04", c.head.sender.v == 2 && a.head.sender.v == 7);
    ITEM(items, "D23-KD-05",
         c.source_id.v == 3 && c.target_id.v == 4 && a.source_id.v == 3 && a.target_id.v == 4);
    ITEM(items, "D23-KD-06", c.session_id == 5 && a.session_id == 5);
    ITEM(items, "D23-KD-07", c.application_code == 1 && a.application_code == 1);
    ITEM(items, "D23-KD-08", a.code == 1);
}

static void tables_7_8_to_7_10(struct items *items)
{
    struct wire_hello hello = {.sender_name = BYTES("km1"), .community = BYTES("ring")};
    struct wire_hello h;
    memset(hello.sender_ip.b, 1, 16);
    memset(hello.auth_info.b, 2, 32);
    PASS(hello, &hello, &h);
    ITEM(items, "D23-HS-01", is_fill(h.sender_ip.b, 16, 1));
    ITEM(items, "D23-HS-02", is(h.sender_name, "km1"));
    ITEM(items, "D23-HS-03", is(h.community, "ring"));
    ITEM(items, "D23-HS-04", is_fill(h.auth_info.b, 32, 2));

    struct wire_session session = {.session_id = 3, .timer_s = 4};
    struct wire_session s;
    memset(session.key_id_hash.b, 5, 32);
    PASS(session, &session, &s);
    ITEM(items, "D23-HS-05", s.session_id == 3);
    ITEM(items, "D23-HS-06", s.timer_s == 4);
    ITEM(items, "D23-HS-07", is_fill(s.key_id_hash.b, 32, 5));

    struct wire_update update = {.key_id = id(8), .qos = WIRE_LEVEL_OTP_ONLY};
    struct wire_update u;
    memset(update.sender_ip.b, 6, 16);
    memset(update.receiver_ip.b, 7, 16);
    PASS(update, &update, &u);
    ITEM(items, "D23-HS-08", is_fill(u.sender_ip.b, 16, 6));
    ITEM(items, "D23-HS-09", is_fill(u.receiver_ip.b, 16, 7));
    ITEM(items, "D23-HS-10", is_id(u.key_id, 8));
    ITEM(items, "D23-HS-11", u.qos == 2);
}

static void tables_8_1_and_8_2(struct items *items)
{
    uint8_t values[256];
    struct wire_link_status link = {
        .link = 6, .up = 1, .own_bits = 7, .rate_bps = 8, .consumption_bps = 9};
    int len = wire_link_status_encode(&link, values, sizeof values);
    ck_assert_int_gt(len, 0);
    struct wire_status command = {.head = head(1, 0, 2),
                                  .has_period_ms = true,
                                  .period_ms = 3,
                                  .table = WIRE_STATUS_KEY_AMOUNT | WIRE_STATUS_CONSUMPTION |
                                           WIRE_STATUS_KM_LINK | WIRE_STATUS_KEY_RATE |
                                           WIRE_STATUS_QKD_LINK};
    struct wire_status_rsp answer = {.head = head(4, 1, 5),
                                     .table = WIRE_STATUS_KEY_AMOUNT,
                                     .has_links = true,
                                     .links = {values, (size_t)len},
                                     .code = WIRE_SUCCESS};
    struct wire_status c;
    struct wire_status_rsp a;
    struct wire_link_status l;
    PASS(status, &command, &c);
    PASS(status_rsp, &answer, &a);
    ITEM(items, "D23-CT-05", c.head.message_id == 1);
    ITEM(items, "D23-CT-06", c.head.command == WIRE_CMD_STATUS);
    ITEM(items, "D23-CT-07", c.head.sender.v == 2);
    ITEM(items, "D23-CT-08", c.has_period_ms && c.period_ms == 3);
    ITEM(items, "D23-CT-09", c.table == 31); /* the five parameters the table names */
    ITEM(items, "D23-CT-10", a.head.message_id == 4);
    ITEM(items, "D23-CT-11", a.head.orig_message_id == 1);
    ITEM(items, "D23-CT-12", a.head.command == WIRE_CMD_STATUS_RSP);
    ITEM(items, "D23-CT-13", a.head.sender.v == 5);
    ITEM(items, "D23-CT-14",
         a.table == 1 && wire_link_status_decode(&l, a.links.at, a.links.len) == len &&
             l.link == 6 && l.up == 1 && l.own_bits == 7 && l.rate_bps == 8 &&
             l.consumption_bps == 9);
    ITEM(items, "D23-CT-15", a.code == 1);
}

static void tables_8_3_and_8_4(struct items *items)
{
    struct wire_route command = {
        .head = head(1, 0, 2), .source_id = eid(3), .destination_id = eid(4), .key_amount = 5};
    struct wire_route_rsp answer = {.head = head(6, 1, 7),
                                    .source_id = eid(3),
                                    .destination_id = eid(4),
                                    .has_route = true,
                                    .route = BYTES("hop1....hop2...."),
                                    .code = WIRE_SUCCESS};
    struct wire_route c;
    struct wire_route_rsp a;
    PASS(route, &command, &c);
    PASS(route_rsp, &answer, &a);
    ITEM(items, "D23-CT-16", c.head.message_id == 1);
    ITEM(items, "D23-CT-17", c.head.command == WIRE_CMD_ROUTE);
    ITEM(items, "D23-CT-18", c.head.sender.v == 2);
    ITEM(items, "D23-CT-19", c.source_id.v == 3);
    ITEM(items, "D23-CT-20", c.destination_id.v == 4);
    ITEM(items, "D23-CT-21", c.key_amount == 5);
    ITEM(items, "D23-CT-22", a.head.message_id == 6);
    ITEM(items, "D23-CT-23", a.head.orig_message_id == 1);
    ITEM(items, "D23-CT-24", a.head.command == WIRE_CMD_ROUTE_RSP);
    ITEM(items, "D23-CT-25", a.head.sender.v == 7);
    ITEM(items, "D23-CT-26",
         a.source_id.v == 3 && a.destination_id.v == 4 && is(a.route, "hop1....hop2...."));
    ITEM(items, "D23-CT-27", a.code == 1);
}

static void all_tables(struct items *items)
{
    table_7_1_qkd_and_kma_key(items);
    table_7_1_relayed_and_ksa_key(items);
    tables_7_2_and_7_3(items);
    tables_7_4_and_7_5(items);
    tables_7_6_and_7_7(items);
    tables_7_8_to_7_10(items);
    tables_8_1_and_8_2(items);
    tables_8_3_and_8_4(items);
}

static bool is_item_of_a_table(const char *requirement)
{
    if (strstr(requirement, "-T") != NULL) {
        return false;
    }
    static const char *const prefixes[] = {"D23-MD-", "D23-AU-", "D23-KS-", "D23-KD-", "D23-HS-"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(requirement, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    /* CT-01 ... 04 are procedures, -T rows are tests, the rest are rows of Tables 8-1 to 8-4 */
    return strncmp(requirement, "D23-CT-", 7) == 0 && strtol(requirement + 7, NULL, 10) >= 5;
}

START_TEST(every_item_reaches_the_other_side)
{
    struct items items = {.count = 0};
    all_tables(&items);
    /* 26 of Table 7-1, 6 + 14 + 8 of 7-2 to 7-7, 11 of 7-8 to 7-10, 23 of 8-1 to 8-4 */
    ck_assert_uint_eq(items.count, 26 + 6 + 14 + 8 + 11 + 23);
}
END_TEST

START_TEST(no_item_is_forgotten)
{
    struct items items = {.count = 0};
    char line[128];
    unsigned wanted = 0;
    all_tables(&items);
    FILE *list = fopen("tests/tidy/d23_ids.txt", "r"); /* tests run at the top of the sources */
    ck_assert_ptr_nonnull(list);
    while (fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (!is_item_of_a_table(line)) {
            continue;
        }
        bool seen = false;
        for (size_t i = 0; i < items.count; i++) {
            seen = seen || strcmp(items.id[i], line) == 0;
        }
        ck_assert_msg(seen, "%s has no field", line);
        wanted++;
    }
    (void)fclose(list);
    ck_assert_uint_eq(wanted, items.count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_items");
    TCase *tc = tcase_create("D2.3 tables");
    tcase_add_test(tc, every_item_reaches_the_other_side);
    tcase_add_test(tc, no_item_is_forgotten);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
