/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Application agents, a master at node 1 and its slave at node 2, with played KSAs: requests, reports,
 * key IDs handed over, fetches, deletion (FG QIT4N D2.3 Tables 7-4 ... 7-7; docs/protocol.md). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/app/app.h"
#include "core/crypto/crypto.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(app)

#define MASTER qkd_eid_make(QKD_ROLE_APP, 4, 1)
#define SLAVE qkd_eid_make(QKD_ROLE_APP, 5, 2)
#define KSA_A qkd_eid_make(QKD_ROLE_KSA, 0, 1)
#define KSA_B qkd_eid_make(QKD_ROLE_KSA, 0, 2)
#define LOAD qkd_eid_make(QKD_ROLE_LOAD, 0, 1)

static struct {
    struct pump *p;
    struct app *master, *slave;
    struct puppet *a, *b; /* the KSAs */
} w;

static void run(int64_t ms)
{
    pump_run(w.p, qkd_span_ms(ms));
}

static struct app *agent(struct qkd_eid self, struct qkd_eid partner, bool delete_after)
{
    struct app_config config = {.self = self,
                                .partner = partner,
                                .key_bits = 128,
                                .level = WIRE_LEVEL_OTP_ONLY,
                                .wait = true,
                                .timeout = qkd_span_s(1),
                                .retransmit = qkd_span_ms(100),
                                .limit = 3,
                                .delete_after = delete_after};
    struct app *app;
    ck_assert_int_eq(app_new(&config, &app), 0);
    pump_add(
        w.p, self,
        (struct pump_element){.self = app, .step = pump_app_step, .deadline = pump_app_deadline});
    pump_start(w.p, self);
    return app;
}

static void begin(bool delete_after)
{
    memset(&w, 0, sizeof w);
    w.p = pump_new(&(struct pump_config){.seed = 5});
    w.a = puppet_new(w.p, KSA_A);
    w.b = puppet_new(w.p, KSA_B);
    w.master = agent(MASTER, SLAVE, delete_after);
    w.slave = agent(SLAVE, MASTER, delete_after);
    run(100);
    ck_assert(puppet_is_up(w.a, QKD_RP_AK, MASTER) && puppet_is_up(w.b, QKD_RP_AK, SLAVE));
}

static void setup(void)
{
    begin(false);
}

static void teardown(void)
{
    app_free(w.master);
    app_free(w.slave);
    puppet_free(w.a);
    puppet_free(w.b);
    pump_free(w.p);
}

static void load(uint32_t count)
{
    struct wire_load ask = {.head = {.message_id = 1, .sender = LOAD}, .count = count};
    uint8_t bytes[64];
    int len = wire_load_encode(&ask, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_inject(w.p, &(struct pump_message){.rp = QKD_RP_LOAD,
                                            .from = LOAD,
                                            .to = MASTER,
                                            .bytes = bytes,
                                            .len = (size_t)len});
    run(5);
}

/* The n-th key-supply command that a KSA got. */
static struct wire_key_supply command(const struct puppet *ksa, size_t n)
{
    const struct puppet_message *m = puppet_get(ksa, WIRE_CMD_KEY_SUPPLY, n);
    struct wire_key_supply decoded;
    ck_assert_int_eq(wire_key_supply_decode(&decoded, m->bytes.at, m->bytes.len), 0);
    return decoded;
}

/* Answers a command with `count` keys whose IDs are first, first + 1, ... */
static void answer(struct puppet *ksa, const struct wire_key_supply *to, uint8_t code,
                   uint32_t count_id, uint8_t first, uint32_t count)
{
    uint8_t ids[16 * 8] = {0}, keys[16 * 8] = {0};
    ck_assert_uint_le(count, 8);
    for (uint32_t i = 0; i < count; i++) {
        ids[(size_t)16 * i] = (uint8_t)(first + i);
    }
    struct wire_key_supply_rsp rsp = {.head = {.orig_message_id = to->head.message_id},
                                      .source_id = to->source_id,
                                      .target_id = to->target_id,
                                      .session_id = to->session_id,
                                      .application_code = to->application_code,
                                      .has_count_id = true,
                                      .count_id = count_id,
                                      .has_key_ids = true,
                                      .key_ids = {ids, (size_t)16 * count},
                                      .has_key_data = true,
                                      .key_data = {keys, (size_t)16 * count},
                                      .has_grade = true,
                                      .grade = count_id == 2 ? WIRE_METHOD_AES : WIRE_METHOD_OTP,
                                      .code = code};
    PUPPET_SEND(ksa, key_supply_rsp, QKD_RP_AK, to->head.sender, &rsp);
    run(5);
}

static void refuse(struct puppet *ksa, const struct wire_key_supply *to, uint8_t reason)
{
    struct wire_key_supply_rsp rsp = {.head = {.orig_message_id = to->head.message_id},
                                      .session_id = to->session_id,
                                      .has_reason = true,
                                      .reason = reason,
                                      .code = WIRE_INSUFFICIENT};
    PUPPET_SEND(ksa, key_supply_rsp, QKD_RP_AK, to->head.sender, &rsp);
    run(5);
}

static size_t outcomes(void)
{
    return pump_report_count(w.p, QKD_REPORT_OUTCOME, MASTER);
}

static void expect_outcome(size_t n, uint64_t outcome, uint64_t reason, uint64_t bits)
{
    ck_assert_uint_eq(outcomes(), n + 1);
    const struct qkd_report *end = pump_report(w.p, QKD_REPORT_OUTCOME, MASTER, n);
    ck_assert_uint_eq(end->a, outcome);
    ck_assert_uint_eq(end->b, reason);
    ck_assert_uint_eq(end->c, bits);
}

START_TEST(request_of_two_sub_sessions)
{
    load(3);
    struct wire_key_supply asked = command(w.a, 0);
    ck_assert(qkd_eid_eq(asked.source_id, MASTER) && qkd_eid_eq(asked.target_id, SLAVE));
    ck_assert_uint_eq(asked.application_code, WIRE_FOR_ENCRYPTION);
    ck_assert_uint_eq(asked.key_amount, 3);
    ck_assert_uint_eq(asked.key_size, 128);
    ck_assert_uint_eq(asked.level, WIRE_LEVEL_OTP_ONLY);
    ck_assert_uint_eq(asked.wait, 1);
    ck_assert_uint_eq(asked.timeout_ms, 1000);
    const struct qkd_report *opened = pump_report(w.p, QKD_REPORT_REQUEST, MASTER, 0);
    ck_assert_uint_eq(opened->a, 3 * 128);
    ck_assert_uint_eq(opened->b, 3);

    answer(w.a, &asked, WIRE_SUCCESS, 1, 10, 2);
    ck_assert_uint_eq(outcomes(), 0);
    answer(w.a, &asked, WIRE_SUCCESS, 1, 10, 2); /* the same sub-session again */
    answer(w.a, &asked, WIRE_SUFFICIENT, 2, 12, 1);
    expect_outcome(0, WIRE_OUTCOME_SERVED, WIRE_REASON_NONE, 3 * 128);
    const struct qkd_report *end = pump_report(w.p, QKD_REPORT_OUTCOME, MASTER, 0);
    ck_assert(qkd_id_eq(&end->id, &opened->id));
    ck_assert_uint_eq(end->d, WIRE_METHOD_AES); /* the weakest */
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_KEY, MASTER), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct qkd_report *key = pump_report(w.p, QKD_REPORT_KEY, MASTER, i);
        ck_assert(qkd_id_eq(&key->id, &opened->id));
        ck_assert_uint_eq(key->id2.b[0], 10 + i);
    }
    answer(w.a, &asked, WIRE_SUFFICIENT, 3, 20, 1); /* nothing is outstanding any more */
    run(5000);
    ck_assert_uint_eq(outcomes(), 1);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_KEY, MASTER), 3);
    ck_assert_uint_eq(puppet_count(w.a, WIRE_CMD_KEY_DELETE), 0);
}
END_TEST

START_TEST(slave_fetches_by_id)
{
    load(1);
    struct wire_key_supply asked = command(w.a, 0);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 1);
    run(10);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 1);
    struct wire_key_supply fetch = command(w.b, 0);
    ck_assert_uint_eq(fetch.application_code, WIRE_FOR_DECRYPTION);
    ck_assert_uint_eq(fetch.session_id, asked.session_id);
    ck_assert(fetch.has_key_id && !fetch.has_key_ids);
    ck_assert_uint_eq(fetch.key_id.b[0], 10);
    run(100); /* no answer: the same message again */
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 2);
    ck_assert_uint_eq(command(w.b, 1).head.message_id, fetch.head.message_id);
    answer(w.b, &fetch, WIRE_SUFFICIENT, 1, 10, 1);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCHED, SLAVE), 1);
    const struct qkd_report *got = pump_report(w.p, QKD_REPORT_FETCHED, SLAVE, 0);
    ck_assert_uint_eq(got->id.b[0], 10);
    ck_assert_uint_eq(got->a, 128);
    ck_assert(qkd_eid_eq(got->peer, MASTER));
    run(5000);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 2);
}
END_TEST

/* Keys announced together: one command, and an answer counts only with all of them in their order. */
START_TEST(slave_fetches_together)
{
    load(3);
    struct wire_key_supply asked = command(w.a, 0);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 3);
    run(10);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 1);
    struct wire_key_supply fetch = command(w.b, 0);
    ck_assert_uint_eq(fetch.application_code, WIRE_FOR_DECRYPTION);
    ck_assert(fetch.has_key_ids && !fetch.has_key_id);
    ck_assert(qkd_eid_eq(fetch.target_id, MASTER));
    uint8_t ids[48] = {[0] = 10, [16] = 11, [32] = 12};
    ck_assert_mem_eq(fetch.key_ids.at, ids, sizeof ids);
    ck_assert_uint_eq(fetch.key_ids.len, sizeof ids);
    answer(w.b, &fetch, WIRE_SUFFICIENT, 1, 10, 2); /* one is missing */
    answer(w.b, &fetch, WIRE_SUFFICIENT, 1, 11, 3); /* not these */
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCHED, SLAVE), 0);
    answer(w.b, &fetch, WIRE_SUFFICIENT, 1, 10, 3);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCHED, SLAVE), 3);
    for (uint8_t i = 0; i < 3; i++) {
        const struct qkd_report *got = pump_report(w.p, QKD_REPORT_FETCHED, SLAVE, i);
        ck_assert_uint_eq(got->id.b[0], 10U + i);
        ck_assert_uint_eq(got->a, 128);
    }
    answer(w.b, &fetch, WIRE_SUFFICIENT, 1, 10, 3); /* answers nothing any more */
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCHED, SLAVE), 3);
}
END_TEST

/* Refused together, because one is missing: each is asked for alone, within the first one's time. */
START_TEST(slave_fetches_alone_what_is_refused_together)
{
    load(2);
    struct wire_key_supply asked = command(w.a, 0);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 2);
    run(10);
    struct wire_key_supply fetch = command(w.b, 0);
    refuse(w.b, &fetch, WIRE_REASON_UNKNOWN_KEY);
    run(10);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 3);
    struct wire_key_supply first = command(w.b, 1), second = command(w.b, 2);
    ck_assert(first.has_key_id && second.has_key_id);
    ck_assert_uint_eq(first.key_id.b[0], 10);
    ck_assert_uint_eq(second.key_id.b[0], 11);
    answer(w.b, &second, WIRE_SUFFICIENT, 1, 11, 1);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCHED, SLAVE), 1);
    ck_assert_uint_eq(pump_report(w.p, QKD_REPORT_FETCHED, SLAVE, 0)->id.b[0], 11);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCH_FAILED, SLAVE), 0);
    refuse(w.b, &first, WIRE_REASON_UNKNOWN_KEY);
    const struct qkd_report *failed = pump_report(w.p, QKD_REPORT_FETCH_FAILED, SLAVE, 0);
    ck_assert_uint_eq(failed->id.b[0], 10);
    ck_assert_uint_eq(failed->a, WIRE_REASON_UNKNOWN_KEY);
    run(5000);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 3);
}
END_TEST

START_TEST(slave_gives_up_at_the_timeout)
{
    load(2);
    struct wire_key_supply asked = command(w.a, 0);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 2);
    run(1500);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCH_FAILED, SLAVE), 2);
    for (uint8_t i = 0; i < 2; i++) {
        const struct qkd_report *failed = pump_report(w.p, QKD_REPORT_FETCH_FAILED, SLAVE, i);
        ck_assert_uint_eq(failed->id.b[0], 10U + i);
        ck_assert_uint_eq(failed->a, WIRE_REASON_TIMEOUT);
    }
}
END_TEST

START_TEST(outcomes_by_reason)
{
    static const struct {
        uint8_t reason, outcome;
    } cases[] = {
        {WIRE_REASON_INSUFFICIENT_KEY, WIRE_OUTCOME_REFUSED},
        {WIRE_REASON_NO_ROUTE, WIRE_OUTCOME_REFUSED},
        {WIRE_REASON_UNAUTHORIZED, WIRE_OUTCOME_REFUSED},
        {WIRE_REASON_OVERLOAD, WIRE_OUTCOME_REFUSED},
        {WIRE_REASON_POLICY, WIRE_OUTCOME_REFUSED},
        {WIRE_REASON_TIMEOUT, WIRE_OUTCOME_TIMED_OUT},
        {WIRE_REASON_MISMATCH, WIRE_OUTCOME_FAILED},
        {WIRE_REASON_RELAY_FAILED, WIRE_OUTCOME_FAILED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        load(1);
        struct wire_key_supply asked = command(w.a, i);
        refuse(w.a, &asked, cases[i].reason);
        expect_outcome(i, cases[i].outcome, cases[i].reason, 0);
    }
}
END_TEST

/* A part came before the refusal: its bits count. */
START_TEST(refused_after_a_part)
{
    load(3);
    struct wire_key_supply asked = command(w.a, 0);
    answer(w.a, &asked, WIRE_SUCCESS, 1, 10, 2);
    refuse(w.a, &asked, WIRE_REASON_INSUFFICIENT_KEY);
    expect_outcome(0, WIRE_OUTCOME_REFUSED, WIRE_REASON_INSUFFICIENT_KEY, 256);
}
END_TEST

/* The KSA says nothing: the agent's last resort is 2 s after the timeout of 1 s. */
START_TEST(last_resort)
{
    load(1);
    run(2980);
    ck_assert_uint_eq(outcomes(), 0);
    run(20);
    expect_outcome(0, WIRE_OUTCOME_TIMED_OUT, WIRE_REASON_TIMEOUT, 0);
}
END_TEST

START_TEST(limit_is_a_refusal)
{
    for (int i = 0; i < 4; i++) {
        load(1);
    }
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_REQUEST, MASTER), 4);
    expect_outcome(0, WIRE_OUTCOME_REFUSED, WIRE_REASON_OVERLOAD, 0);
    ck_assert(qkd_id_eq(&pump_report(w.p, QKD_REPORT_REQUEST, MASTER, 3)->id,
                        &pump_report(w.p, QKD_REPORT_OUTCOME, MASTER, 0)->id));
    struct wire_key_supply asked = command(w.a, 0);
    refuse(w.a, &asked, WIRE_REASON_NO_ROUTE);
    load(1);
    ck_assert_uint_eq(puppet_count(w.a, WIRE_CMD_KEY_SUPPLY), 4);
}
END_TEST

START_TEST(status_table_ends_a_request_for_nothing)
{
    load(0);
    struct wire_key_supply asked = command(w.a, 0);
    struct wire_key_supply_rsp rsp = {.head = {.orig_message_id = asked.head.message_id},
                                      .session_id = asked.session_id,
                                      .code = WIRE_STATUS_TABLE};
    PUPPET_SEND(w.a, key_supply_rsp, QKD_RP_AK, MASTER, &rsp);
    run(5);
    expect_outcome(0, WIRE_OUTCOME_SERVED, WIRE_REASON_NONE, 0);
}
END_TEST

/* No KSA: refused at the timeout; a command given up is not sent when the KSA comes. */
START_TEST(ksa_is_not_there)
{
    pump_crash(w.p, KSA_A);
    pump_crash(w.p, MASTER);
    app_free(w.master);
    w.master = agent(MASTER, SLAVE, false);
    load(1);
    run(980);
    ck_assert_uint_eq(outcomes(), 0);
    run(20);
    expect_outcome(0, WIRE_OUTCOME_REFUSED, WIRE_REASON_UNREACHABLE, 0);
    load(2);
    puppet_free(w.a);
    w.a = puppet_new(w.p, KSA_A);
    puppet_open(w.a, QKD_RP_AK, MASTER);
    run(500);
    ck_assert_uint_ge(puppet_count(w.a, WIRE_CMD_KEY_SUPPLY), 1);
    struct wire_key_supply asked = command(w.a, 0);
    ck_assert_uint_eq(asked.key_amount, 2);
    for (size_t i = 1; i < puppet_count(w.a, WIRE_CMD_KEY_SUPPLY); i++) {
        ck_assert_uint_eq(command(w.a, i).head.message_id, asked.head.message_id);
    }
}
END_TEST

/* A KSA that comes back with a new channel gets what is outstanding again, the same message. */
START_TEST(ksa_comes_back)
{
    load(1);
    uint64_t id = command(w.a, 0).head.message_id;
    pump_crash(w.p, KSA_A);
    puppet_free(w.a);
    run(50);
    w.a = puppet_new(w.p, KSA_A);
    puppet_open(w.a, QKD_RP_AK, MASTER);
    run(50);
    ck_assert_uint_eq(puppet_count(w.a, WIRE_CMD_KEY_SUPPLY), 1);
    struct wire_key_supply asked = command(w.a, 0);
    ck_assert_uint_eq(asked.head.message_id, id);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 1);
    expect_outcome(0, WIRE_OUTCOME_SERVED, WIRE_REASON_NONE, 128);
}
END_TEST

START_TEST(deletes_after_use)
{
    teardown();
    begin(true);
    load(1);
    struct wire_key_supply asked = command(w.a, 0);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 1);
    run(10);
    struct wire_key_supply fetch = command(w.b, 0);
    answer(w.b, &fetch, WIRE_SUFFICIENT, 1, 10, 1);
    struct wire_key_delete deletion;
    ck_assert_uint_eq(puppet_count(w.a, WIRE_CMD_KEY_DELETE), 1);
    const struct puppet_message *m = puppet_get(w.a, WIRE_CMD_KEY_DELETE, 0);
    ck_assert_int_eq(wire_key_delete_decode(&deletion, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(deletion.application_code, WIRE_FOR_ENCRYPTION);
    ck_assert_uint_eq(deletion.session_id, asked.session_id);
    ck_assert(!deletion.has_key_ids);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_DELETE), 1);
    m = puppet_get(w.b, WIRE_CMD_KEY_DELETE, 0);
    ck_assert_int_eq(wire_key_delete_decode(&deletion, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(deletion.application_code, WIRE_FOR_DECRYPTION);
    ck_assert_uint_eq(deletion.key_ids.len, 16);
    ck_assert_uint_eq(deletion.key_ids.at[0], 10);
}
END_TEST

/* RP_LOAD and RP_APP have no channel: what comes from elsewhere does nothing. */
START_TEST(strangers_are_not_heard)
{
    struct wire_load ask = {.head = {.message_id = 1}, .count = 1};
    struct wire_app_notify notify = {.head = {.message_id = 1}, .key_size = 128};
    static const uint8_t id[16] = {1};
    notify.key_ids = (struct wire_bytes){id, sizeof id};
    uint8_t bytes[128];
    int len = wire_load_encode(&ask, bytes, sizeof bytes);
    pump_inject(w.p, &(struct pump_message){.rp = QKD_RP_LOAD,
                                            .from = SLAVE,
                                            .to = MASTER,
                                            .bytes = bytes,
                                            .len = (size_t)len});
    run(5);
    len = wire_app_notify_encode(&notify, bytes, sizeof bytes);
    pump_inject(w.p, &(struct pump_message){.rp = QKD_RP_APP,
                                            .from = qkd_eid_make(QKD_ROLE_APP, 6, 1),
                                            .to = SLAVE,
                                            .bytes = bytes,
                                            .len = (size_t)len});
    run(50);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_REQUEST, MASTER), 0);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 0);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_BAD_BYTES, QKD_NOBODY), 2);
}
END_TEST

/* ---- an SAE outside ---- */

static struct {
    uint8_t bytes[512];
    size_t len, count;
} sae;

static bool sae_see(void *ctx, const struct pump_message *m)
{
    (void)ctx;
    if (!qkd_eid_eq(m->to, LOAD)) {
        return true;
    }
    ck_assert_uint_le(m->len, sizeof sae.bytes);
    memcpy(sae.bytes, m->bytes, m->len);
    sae.len = m->len;
    sae.count++;
    ck_assert_uint_eq(m->rp, QKD_RP_SAE);
    return false;
}

static struct wire_sae_keys sae_keys(size_t count, uint64_t question)
{
    struct wire_sae_keys keys;
    ck_assert_uint_eq(sae.count, count);
    ck_assert_int_eq(wire_sae_keys_decode(&keys, sae.bytes, sae.len), 0);
    ck_assert_uint_eq(keys.head.orig_message_id, question);
    return keys;
}

#define SAE_ASK(name, message)                                                                     \
    do {                                                                                           \
        uint8_t sae_bytes[256];                                                                    \
        int sae_len = wire_##name##_encode((message), sae_bytes, sizeof sae_bytes);                \
        ck_assert_int_gt(sae_len, 0);                                                              \
        pump_inject(w.p, &(struct pump_message){.rp = QKD_RP_SAE,                                  \
                                                .from = LOAD,                                      \
                                                .to = MASTER,                                      \
                                                .bytes = sae_bytes,                                \
                                                .len = (size_t)sae_len});                          \
        run(5);                                                                                    \
    } while (0)

static void sae_get(uint64_t id, uint32_t number)
{
    SAE_ASK(sae_get, (&(struct wire_sae_get){.head = {.message_id = id},
                                             .number = number,
                                             .has_timeout_ms = true,
                                             .timeout_ms = 300}));
}

static void sae_begin(void)
{
    memset(&sae, 0, sizeof sae);
    pump_tap(w.p, sae_see, NULL);
}

/* All keys or none: those that came before the refusal are not handed over. */
START_TEST(sae_gets_all_or_nothing)
{
    sae_begin();
    sae_get(70, 3);
    struct wire_key_supply asked = command(w.a, 0);
    ck_assert_uint_eq(asked.key_amount, 3);
    ck_assert_uint_eq(asked.key_size, 128);
    ck_assert_uint_eq(asked.timeout_ms, 300);
    ck_assert(qkd_eid_eq(asked.target_id, SLAVE));
    answer(w.a, &asked, WIRE_SUCCESS, 1, 10, 2);
    ck_assert_uint_eq(sae.count, 0);
    refuse(w.a, &asked, WIRE_REASON_INSUFFICIENT_KEY);
    struct wire_sae_keys none = sae_keys(1, 70);
    ck_assert_uint_eq(none.reason, WIRE_REASON_INSUFFICIENT_KEY);
    ck_assert(!none.has_key_data && !none.has_key_ids);

    sae_get(71, 3);
    asked = command(w.a, 1);
    answer(w.a, &asked, WIRE_SUCCESS, 1, 10, 2);
    answer(w.a, &asked, WIRE_SUCCESS, 1, 10, 2); /* again: not counted twice */
    answer(w.a, &asked, WIRE_SUFFICIENT, 2, 12, 1);
    struct wire_sae_keys all = sae_keys(2, 71);
    ck_assert_uint_eq(all.reason, WIRE_REASON_NONE);
    ck_assert_uint_eq(all.key_ids.len, 48);
    ck_assert_uint_eq(all.key_ids.at[0], 10);
    ck_assert_uint_eq(all.key_ids.at[32], 12);
    ck_assert_uint_eq(all.key_data.len, 48);
    ck_assert_uint_eq(all.grade, WIRE_METHOD_AES);

    sae_get(72, 2); /* more keys than asked for */
    asked = command(w.a, 2);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 3);
    ck_assert_uint_eq(sae_keys(3, 72).reason, WIRE_REASON_OVERLOAD);
    sae_get(73, 2); /* fewer, and the KSA says that these are all */
    asked = command(w.a, 3);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 10, 1);
    ck_assert_uint_eq(sae_keys(4, 73).reason, WIRE_REASON_INSUFFICIENT_KEY);
    run(10000);
    ck_assert_uint_eq(sae.count, 4);
    ck_assert_uint_eq(puppet_count(w.b, WIRE_CMD_KEY_SUPPLY), 0); /* the slave was not told */
}
END_TEST

/* A KSA that says nothing: the agent answers by itself, once. Too many questions: at once. */
START_TEST(sae_is_always_answered)
{
    sae_begin();
    for (uint64_t id = 80; id < 83; id++) {
        sae_get(id, 1);
    }
    ck_assert_uint_eq(sae.count, 0);
    sae_get(83, 1);
    ck_assert_uint_eq(sae_keys(1, 83).reason, WIRE_REASON_OVERLOAD);
    run(5000);
    ck_assert_uint_eq(sae.count, 4);
    struct wire_sae_keys last;
    ck_assert_int_eq(wire_sae_keys_decode(&last, sae.bytes, sae.len), 0);
    ck_assert_uint_eq(last.reason, WIRE_REASON_TIMEOUT);
    uint8_t ids[32] = {1};
    SAE_ASK(sae_fetch,
            (&(struct wire_sae_fetch){.head = {.message_id = 90}, .key_ids = {ids, 32}}));
    SAE_ASK(sae_status, (&(struct wire_sae_status){.head = {.message_id = 91}}));
    ck_assert_uint_eq(sae.count, 4);
    run(5000);
    ck_assert_uint_eq(sae.count, 6);
    struct wire_sae_status_rsp status;
    ck_assert_int_eq(wire_sae_status_rsp_decode(&status, sae.bytes, sae.len), 0);
    ck_assert_uint_eq(status.reason, WIRE_REASON_TIMEOUT);
}
END_TEST

/* Keys by ID: only those asked for, in that order; else the answer is not for this question. */
START_TEST(sae_fetch_checks_the_answer)
{
    sae_begin();
    uint8_t ids[48] = {0};
    ids[0] = 10;
    ids[16] = 11;
    ids[32] = 12;
    SAE_ASK(sae_fetch,
            (&(struct wire_sae_fetch){.head = {.message_id = 60}, .key_ids = {ids, 48}}));
    struct wire_key_supply asked = command(w.a, 0);
    ck_assert(asked.has_key_ids && !asked.has_key_id);
    ck_assert_uint_eq(asked.application_code, WIRE_FOR_DECRYPTION);
    ck_assert_uint_eq(asked.key_ids.len, 48);
    answer(w.a, &asked, WIRE_SUFFICIENT, 1, 20, 3);
    ck_assert_uint_eq(sae.count, 0);
    uint8_t keys[48] = {1, 2, 3};
    struct wire_key_supply_rsp rsp = {.head = {.orig_message_id = asked.head.message_id},
                                      .session_id = asked.session_id,
                                      .application_code = WIRE_FOR_DECRYPTION,
                                      .has_count_id = true,
                                      .count_id = 1,
                                      .has_key_size = true,
                                      .key_size = 128,
                                      .has_key_ids = true,
                                      .key_ids = {ids, 48},
                                      .has_key_data = true,
                                      .key_data = {keys, 48},
                                      .code = WIRE_SUFFICIENT};
    PUPPET_SEND(w.a, key_supply_rsp, QKD_RP_AK, MASTER, &rsp);
    run(5);
    struct wire_sae_keys all = sae_keys(1, 60);
    ck_assert_uint_eq(all.reason, WIRE_REASON_NONE);
    ck_assert_mem_eq(all.key_data.at, keys, 48);
    ck_assert_uint_eq(pump_report_count(w.p, QKD_REPORT_FETCHED, MASTER), 3);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("app");
    TCase *c = tcase_create("app");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, request_of_two_sub_sessions);
    tcase_add_test(c, slave_fetches_by_id);
    tcase_add_test(c, slave_fetches_together);
    tcase_add_test(c, slave_fetches_alone_what_is_refused_together);
    tcase_add_test(c, slave_gives_up_at_the_timeout);
    tcase_add_test(c, outcomes_by_reason);
    tcase_add_test(c, refused_after_a_part);
    tcase_add_test(c, last_resort);
    tcase_add_test(c, limit_is_a_refusal);
    tcase_add_test(c, status_table_ends_a_request_for_nothing);
    tcase_add_test(c, ksa_is_not_there);
    tcase_add_test(c, ksa_comes_back);
    tcase_add_test(c, deletes_after_use);
    tcase_add_test(c, strangers_are_not_heard);
    tcase_add_test(c, sae_gets_all_or_nothing);
    tcase_add_test(c, sae_is_always_answered);
    tcase_add_test(c, sae_fetch_checks_the_answer);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
