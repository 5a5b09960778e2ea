/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with a guaranteed rate of an application agent, against a scripted KSA (docs/protocol.md, "Sessions
 * with a guaranteed rate"). */
#include <check.h>
#include <stdlib.h>

#include "core/app/app.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(app)

#define MASTER qkd_eid_make(QKD_ROLE_APP, 4, 1)
#define SLAVE qkd_eid_make(QKD_ROLE_APP, 5, 2)
#define KSA qkd_eid_make(QKD_ROLE_KSA, 0, 1)
#define LOAD qkd_eid_make(QKD_ROLE_LOAD, 0, 1)

enum { LIFE_MS = 6000, TIMEOUT_MS = 2000 };

static struct pump *pump;
static struct app *app;
static struct puppet *ksa;

static void run(int64_t ms)
{
    pump_run(pump, qkd_span_ms(ms));
}

/* 512 bit/s: two keys of 128 bit every 500 ms. */
static void begin(bool keys)
{
    pump = pump_new(&(struct pump_config){.seed = 5});
    ksa = puppet_new(pump, KSA);
    struct app_config config = {.self = MASTER,
                                .partner = SLAVE,
                                .key_bits = 128,
                                .timeout = qkd_span_ms(TIMEOUT_MS),
                                .retransmit = qkd_span_ms(100),
                                .limit = 3,
                                .session_rate_bps = 512,
                                .session_keys = keys,
                                .session_timeout = qkd_span_ms(LIFE_MS)};
    ck_assert_int_eq(app_new(&config, &app), 0);
    pump_add(
        pump, MASTER,
        (struct pump_element){.self = app, .step = pump_app_step, .deadline = pump_app_deadline});
    pump_start(pump, MASTER);
    run(100);
}

static void teardown(void)
{
    puppet_free(ksa);
    app_free(app);
    pump_free(pump);
}

static void load(int64_t hold_ms)
{
    struct wire_load ask = {.head = {.rp = QKD_RP_LOAD, .message_id = 1, .sender = LOAD},
                            .count = 2,
                            .has_hold = true,
                            .hold = qkd_span_ms(hold_ms)};
    uint8_t bytes[128];
    int len = wire_load_encode(&ask, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_inject(pump, &(struct pump_message){.rp = QKD_RP_LOAD,
                                             .from = LOAD,
                                             .to = MASTER,
                                             .bytes = bytes,
                                             .len = (size_t)len});
    run(10);
}

static size_t count(uint8_t command)
{
    return puppet_count(ksa, command);
}

static struct wire_session_open said(size_t n)
{
    struct wire_session_open message;
    const struct puppet_message *m = puppet_get(ksa, WIRE_CMD_SESSION_OPEN, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_session_open_decode(&message, m->bytes.at, m->bytes.len), 0);
    return message;
}

static void answer(uint64_t session, uint8_t reason)
{
    struct wire_session_open_rsp rsp = {.source_id = MASTER,
                                        .target_id = SLAVE,
                                        .session_id = session,
                                        .has_reason = reason != 0,
                                        .reason = reason,
                                        .code = reason != 0 ? WIRE_INSUFFICIENT : WIRE_SUCCESS};
    PUPPET_SEND(ksa, session_open_rsp, QKD_RP_AK, MASTER, &rsp);
    run(10);
}

static void closed(uint64_t session)
{
    struct wire_session_close_rsp rsp = {
        .source_id = MASTER, .target_id = SLAVE, .session_id = session, .code = WIRE_SUCCESS};
    PUPPET_SEND(ksa, session_close_rsp, QKD_RP_AK, MASTER, &rsp);
    run(10);
}

/* The n-th report of a session. */
static void reported(size_t n, enum qkd_session_event what, enum wire_reason reason)
{
    const struct qkd_report *report = pump_report(pump, QKD_REPORT_SESSION, MASTER, n);
    ck_assert_ptr_nonnull(report);
    ck_assert_uint_eq(report->a, what);
    ck_assert_uint_eq(report->b, reason);
    ck_assert_uint_eq(report->c, 512);
    ck_assert(qkd_id_eq(&report->id, &pump_report(pump, QKD_REPORT_SESSION, MASTER, 0)->id));
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_SESSION, MASTER), n + 1);
}

START_TEST(a_session_without_keys)
{
    begin(false);
    load(10000);
    struct wire_session_open open = said(0);
    ck_assert(qkd_eid_eq(open.source_id, MASTER) && qkd_eid_eq(open.target_id, SLAVE));
    ck_assert_uint_eq(open.key_size, 128);
    ck_assert_uint_eq(open.key_amount, 2);
    ck_assert_uint_eq(open.rate_bps, 512);
    ck_assert_uint_eq(open.timeout_ms, LIFE_MS);
    reported(0, QKD_SESSION_OFFERED, WIRE_REASON_NONE);
    answer(open.session_id, 0);
    reported(1, QKD_SESSION_ADMITTED, WIRE_REASON_NONE);
    run(9900); /* said again every 2 s */
    ck_assert_uint_eq(count(WIRE_CMD_SESSION_OPEN), 5);
    ck_assert_uint_eq(said(4).session_id, open.session_id);
    ck_assert_uint_eq(count(WIRE_CMD_SESSION_CLOSE), 0);
    run(200);
    reported(2, QKD_SESSION_CLOSED, WIRE_REASON_NONE);
    ck_assert_uint_ge(count(WIRE_CMD_SESSION_CLOSE), 1);
    closed(open.session_id);
    size_t sent = count(WIRE_CMD_SESSION_CLOSE);
    run(20000);
    ck_assert_uint_eq(count(WIRE_CMD_SESSION_CLOSE), sent);
    ck_assert_uint_eq(count(WIRE_CMD_KEY_SUPPLY), 0);
    teardown();
}
END_TEST

START_TEST(keys_at_its_rate)
{
    begin(true);
    load(10100);
    ck_assert_uint_eq(count(WIRE_CMD_KEY_SUPPLY), 0);
    answer(said(0).session_id, 0);
    for (unsigned i = 0; i < 21; i++) { /* at 0, 500, ... 10,000 ms */
        ck_assert_uint_eq(count(WIRE_CMD_KEY_SUPPLY), i + 1);
        struct wire_key_supply m;
        const struct puppet_message *got = puppet_get(ksa, WIRE_CMD_KEY_SUPPLY, i);
        ck_assert_int_eq(wire_key_supply_decode(&m, got->bytes.at, got->bytes.len), 0);
        ck_assert(m.has_reserved && m.reserved == 1);
        ck_assert_uint_eq(m.session_id, said(0).session_id);
        ck_assert_uint_eq(m.key_amount, 2);
        struct wire_key_supply_rsp rsp = {.head.orig_message_id = m.head.message_id,
                                          .source_id = MASTER,
                                          .target_id = SLAVE,
                                          .session_id = m.session_id,
                                          .has_reason = true,
                                          .reason = WIRE_REASON_INSUFFICIENT_KEY,
                                          .code = WIRE_INSUFFICIENT};
        PUPPET_SEND(ksa, key_supply_rsp, QKD_RP_AK, MASTER, &rsp);
        run(500);
    }
    ck_assert_uint_eq(count(WIRE_CMD_KEY_SUPPLY), 21);
    reported(2, QKD_SESSION_CLOSED, WIRE_REASON_NONE);
    teardown();
}
END_TEST

START_TEST(refused_and_broken)
{
    begin(true);
    load(10000);
    answer(said(0).session_id, WIRE_REASON_NO_CAPACITY);
    reported(1, QKD_SESSION_REFUSED, WIRE_REASON_NO_CAPACITY);
    run(20000);
    ck_assert_uint_eq(count(WIRE_CMD_SESSION_OPEN), 1);
    ck_assert_uint_eq(count(WIRE_CMD_KEY_SUPPLY), 0);
    teardown();
    begin(false);
    load(10000);
    answer(said(0).session_id, 0);
    answer(said(0).session_id, WIRE_REASON_EXPIRED);
    reported(2, QKD_SESSION_BROKEN, WIRE_REASON_EXPIRED);
    run(20000);
    ck_assert_uint_eq(count(WIRE_CMD_SESSION_OPEN), 1);
    teardown();
}
END_TEST

START_TEST(no_answer)
{
    begin(false);
    load(10000);
    run(1900);
    ck_assert_uint_ge(count(WIRE_CMD_SESSION_OPEN), 4); /* 100, 200, 400, 800 ms */
    run(100);
    reported(1, QKD_SESSION_REFUSED, WIRE_REASON_TIMEOUT);
    ck_assert_uint_ge(count(WIRE_CMD_SESSION_CLOSE), 1); /* it may be open all the same */
    answer(said(0).session_id, 0);
    run(LIFE_MS + 1000);
    size_t sent = count(WIRE_CMD_SESSION_CLOSE);
    run(20000);
    ck_assert_uint_eq(count(WIRE_CMD_SESSION_CLOSE), sent);
    teardown();
}
END_TEST

START_TEST(most_at_a_time)
{
    begin(false);
    for (int i = 0; i < 4; i++) {
        load(10000);
    }
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_SESSION, MASTER), 5);
    const struct qkd_report *last = pump_report(pump, QKD_REPORT_SESSION, MASTER, 4);
    ck_assert_uint_eq(last->a, QKD_SESSION_REFUSED);
    ck_assert_uint_eq(last->b, WIRE_REASON_OVERLOAD);
    teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("application sessions");
    TCase *tc = tcase_create("application sessions");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_session_without_keys);
    tcase_add_test(tc, keys_at_its_rate);
    tcase_add_test(tc, refused_and_broken);
    tcase_add_test(tc, no_answer);
    tcase_add_test(tc, most_at_a_time);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
