/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Agents of an optical switch and of a quantum relay point between played controllers and optics
 * (docs/protocol.md, "Generation control": own definition, whose rules are the expected values here). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/module/optical.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(mod_optical)

enum { NODE = 4, SWITCHING_MS = 500 };

#define SWITCH qkd_eid_make(QKD_ROLE_SWITCH, 0, NODE)
#define POINT qkd_eid_make(QKD_ROLE_RELAY_POINT, 1, NODE)
#define DEVICE qkd_eid_make(QKD_ROLE_DEVICE, MOD_OPTICAL_DEVICES, NODE)
#define FIRST qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 1)
#define SECOND qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 2)

static struct {
    struct pump *p;
    struct mod_optical *optical;
    struct qkd_eid self;
    struct puppet *first, *second;
    bool lit[10];
    unsigned changes;
} w;

static bool device_tap(void *ctx, const struct pump_message *m)
{
    struct wire_q_light light;
    (void)ctx;
    if (m->rp == QKD_RP_Q && qkd_eid_eq(m->to, DEVICE) &&
        wire_q_light_decode(&light, m->bytes, m->len) == 0) {
        ck_assert_uint_lt(light.link, 10);
        w.lit[light.link] = light.on == 1;
        w.changes++;
    }
    return true;
}

static void run(int64_t ms)
{
    pump_run(w.p, qkd_span_ms(ms));
}

static unsigned lit(void)
{
    unsigned which = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < 10; i++) {
        count += w.lit[i];
        which = w.lit[i] ? i : which;
    }
    ck_assert_uint_le(count, 1);
    return which;
}

static void make(struct qkd_eid self, const uint32_t *links, size_t count)
{
    memset(&w, 0, sizeof w);
    w.self = self;
    struct mod_optical_config config = {.self = self,
                                        .device = DEVICE,
                                        .controller = FIRST,
                                        .standby = SECOND,
                                        .retransmit = qkd_span_ms(100),
                                        .status_period = qkd_span_s(1),
                                        .switching = qkd_span_ms(SWITCHING_MS)};
    w.p = pump_new(&(struct pump_config){.seed = 5});
    pump_tap(w.p, device_tap, NULL);
    w.first = puppet_new(w.p, FIRST);
    w.second = puppet_new(w.p, SECOND);
    ck_assert_int_eq(mod_optical_new(&config, &w.optical), 0);
    pump_add(w.p, self,
             (struct pump_element){.self = w.optical,
                                   .step = pump_mod_optical_step,
                                   .deadline = pump_mod_optical_deadline});
    pump_start(w.p, self);
    uint8_t bytes[128], list[16];
    for (size_t i = 0; i < count; i++) {
        wire_put_u32(list + 4 * i, links[i]);
    }
    struct wire_cfg_optical served = {.head = {.message_id = 1},
                                      .optical = self,
                                      .links = {list, 4 * count}};
    int len = wire_cfg_optical_encode(&served, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(w.p, self, bytes, (size_t)len);
    run(100);
    enum qkd_rp rp = qkd_eid_eq(self, SWITCH) ? QKD_RP_COPS : QKD_RP_CQRP;
    ck_assert(puppet_is_up(w.first, rp, self));
    ck_assert(puppet_is_up(w.second, rp, self));
}

static void teardown(void)
{
    mod_optical_free(w.optical);
    puppet_free(w.first);
    puppet_free(w.second);
    pump_free(w.p);
}

static uint64_t turn(struct puppet *by, uint64_t id, uint32_t link, uint64_t term)
{
    struct wire_light_path command = {.head = {.message_id = id},
                                      .switch_id = w.self,
                                      .link = link,
                                      .has_term = term > 0,
                                      .term = term};
    PUPPET_SEND(by, light_path, QKD_RP_COPS, w.self, &command);
    return command.head.message_id;
}

/* The code of the last answer, which must be to `id`; 0: none has come. */
static unsigned answer(struct puppet *by, uint64_t id)
{
    size_t count = puppet_count(by, WIRE_CMD_LIGHT_PATH_RSP);
    if (count == 0) {
        return 0;
    }
    const struct puppet_message *m = puppet_get(by, WIRE_CMD_LIGHT_PATH_RSP, count - 1);
    struct wire_light_path_rsp rsp;
    ck_assert_int_eq(wire_light_path_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(m->head.orig_message_id, id);
    return rsp.code;
}

/* Where the last status says that it stands. */
static uint32_t told(struct puppet *by)
{
    size_t count = puppet_count(by, WIRE_CMD_STATUS_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(by, WIRE_CMD_STATUS_RSP, count - 1);
    struct wire_status_rsp rsp;
    struct wire_optical_status status;
    ck_assert_int_eq(wire_status_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_int_gt(wire_optical_status_decode(&status, rsp.opticals.at, rsp.opticals.len), 0);
    ck_assert(qkd_eid_eq(status.optical, w.self));
    return status.link;
}

static void switch_make(void)
{
    make(SWITCH, (const uint32_t[]){3, 5, 7}, 3);
}

/* Dark at the start; a turn takes the switching time, is answered when it is done, and told. */
START_TEST(turns)
{
    switch_make();
    uint64_t id = turn(w.first, 0, 5, 0);
    run(SWITCHING_MS - 50);
    ck_assert_uint_eq(lit(), 0);
    ck_assert_uint_eq(answer(w.first, id), 0);
    run(100);
    ck_assert_uint_eq(lit(), 5);
    ck_assert_uint_eq(answer(w.first, id), WIRE_SUCCESS);
    ck_assert_uint_eq(told(w.first), 5);
    ck_assert_uint_eq(told(w.second), 5);
    id = turn(w.first, 0, 3, 0);
    run(50);
    ck_assert_uint_eq(lit(), 0);
    run(SWITCHING_MS);
    ck_assert_uint_eq(lit(), 3);
    puppet_forget(w.first);
    unsigned changes = w.changes;
    ck_assert_uint_eq(turn(w.first, id, 3, 0), id); /* said again: answered, not done again */
    run(50);
    ck_assert_uint_eq(answer(w.first, id), WIRE_SUCCESS);
    id = turn(w.first, 0, 3, 0); /* it is there: no light is lost */
    run(50);
    ck_assert_uint_eq(answer(w.first, id), WIRE_SUCCESS);
    ck_assert_uint_eq(w.changes, changes);
}
END_TEST

/* One command at a time; late ones, links of others and foreign switches change nothing. */
START_TEST(refuses)
{
    switch_make();
    uint64_t first = turn(w.first, 0, 5, 0);
    run(50);
    uint64_t id = turn(w.first, 0, 7, 0); /* busy */
    run(50);
    ck_assert_uint_eq(answer(w.first, id), WIRE_FAILURE);
    (void)turn(w.first, first, 5, 0); /* said again: it is in work, and answered once */
    run(SWITCHING_MS);
    ck_assert_uint_eq(lit(), 5);
    ck_assert_uint_eq(puppet_count(w.first, WIRE_CMD_LIGHT_PATH_RSP), 2);
    uint64_t newest = turn(w.first, 0, 7, 0);
    run(SWITCHING_MS + 50);
    ck_assert_uint_eq(lit(), 7);
    ck_assert_uint_gt(newest, first);
    (void)turn(w.first, first, 5, 0); /* it comes late */
    run(SWITCHING_MS + 50);
    ck_assert_uint_eq(answer(w.first, first), WIRE_FAILURE);
    ck_assert_uint_eq(lit(), 7);
    id = turn(w.first, 0, 4, 0); /* not its link */
    run(SWITCHING_MS + 50);
    ck_assert_uint_eq(answer(w.first, id), WIRE_FAILURE);
    ck_assert_uint_eq(lit(), 7);
}
END_TEST

/* Of two controllers that of the higher term is obeyed. */
START_TEST(terms)
{
    switch_make();
    (void)turn(w.first, 0, 5, 1);
    run(SWITCHING_MS + 50);
    uint64_t id = turn(w.second, 0, 3, 2);
    run(SWITCHING_MS + 50);
    ck_assert_uint_eq(answer(w.second, id), WIRE_SUCCESS);
    ck_assert_uint_eq(lit(), 3);
    id = turn(w.first, 0, 5, 1);
    run(SWITCHING_MS + 50);
    ck_assert_uint_eq(answer(w.first, id), WIRE_FAILURE);
    ck_assert_uint_eq(lit(), 3);
    id = turn(w.first, 0, 5, 3);
    run(SWITCHING_MS + 50);
    ck_assert_uint_eq(answer(w.first, id), WIRE_SUCCESS);
    ck_assert_uint_eq(lit(), 5);
}
END_TEST

static void activate(struct puppet *by, uint64_t id, unsigned run_it)
{
    struct wire_generation command = {.head = {.message_id = id},
                                      .module_id = w.self,
                                      .run = (uint8_t)run_it};
    PUPPET_SEND(by, generation, QKD_RP_CQRP, w.self, &command);
    run(50);
}

START_TEST(relay_point)
{
    make(POINT, (const uint32_t[]){6}, 1);
    ck_assert_uint_eq(lit(), 0);
    uint64_t early = puppet_id(w.first);
    activate(w.first, 0, 1);
    ck_assert_uint_eq(lit(), 6);
    ck_assert_uint_eq(puppet_count(w.first, WIRE_CMD_GENERATION_RSP), 1);
    ck_assert_uint_eq(told(w.first), 6);
    activate(w.first, early, 0); /* overtaken on its way: answered, not obeyed */
    ck_assert_uint_eq(puppet_count(w.first, WIRE_CMD_GENERATION_RSP), 2);
    ck_assert_uint_eq(lit(), 6);
    activate(w.first, 0, 0);
    ck_assert_uint_eq(lit(), 0);
    ck_assert_uint_eq(told(w.first), WIRE_NO_LINK);
    activate(w.first, 0, 2); /* no such command */
    ck_assert_uint_eq(lit(), 0);
    struct wire_light_path path = {.switch_id = w.self, .link = 6};
    PUPPET_SEND(w.first, light_path, QKD_RP_CQRP, w.self, &path); /* not for relay points */
    run(50);
    ck_assert_uint_eq(lit(), 0);
}
END_TEST

/* STATUS is answered with the OrigMessage ID, then comes every period, then no more. */
START_TEST(status_by_period)
{
    switch_make();
    struct wire_status order = {.has_period_ms = true,
                                .period_ms = 300,
                                .table = WIRE_STATUS_QKD_LINK};
    puppet_forget(w.first);
    PUPPET_SEND(w.first, status, QKD_RP_COPS, w.self, &order);
    run(1000);
    ck_assert_uint_eq(puppet_count(w.first, WIRE_CMD_STATUS_RSP), 4); /* 0, 300, 600, 900 ms */
    ck_assert_uint_eq(puppet_get(w.first, WIRE_CMD_STATUS_RSP, 0)->head.orig_message_id,
                      order.head.message_id);
    ck_assert_uint_eq(puppet_get(w.first, WIRE_CMD_STATUS_RSP, 1)->head.orig_message_id, 0);
    order = (struct wire_status){.has_period_ms = true, .table = WIRE_STATUS_QKD_LINK};
    PUPPET_SEND(w.first, status, QKD_RP_COPS, w.self, &order);
    run(50);
    puppet_forget(w.first);
    run(5000);
    ck_assert_uint_eq(puppet_count(w.first, WIRE_CMD_STATUS_RSP), 0);
}
END_TEST

START_TEST(bad_configurations)
{
    struct mod_optical *made = NULL;
    struct mod_optical_config good = {.self = SWITCH,
                                      .device = DEVICE,
                                      .retransmit = qkd_span_ms(100),
                                      .status_period = qkd_span_s(1)};
    struct mod_optical_config bad = good;
    bad.self = qkd_eid_make(QKD_ROLE_MODULE, 0, NODE);
    ck_assert_int_lt(mod_optical_new(&bad, &made), 0);
    bad = good;
    bad.switching = qkd_span_ms(-1);
    ck_assert_int_lt(mod_optical_new(&bad, &made), 0);
    ck_assert_ptr_null(made);
    ck_assert_int_eq(mod_optical_new(&good, &made), 0);
    mod_optical_free(made);
    mod_optical_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optical");
    TCase *tests = tcase_create("agents");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, turns);
    tcase_add_test(tests, refuses);
    tcase_add_test(tests, terms);
    tcase_add_test(tests, relay_point);
    tcase_add_test(tests, status_by_period);
    suite_add_tcase(suite, tests);
    TCase *bare = tcase_create("configurations");
    tcase_add_test(bare, bad_configurations);
    suite_add_tcase(suite, bare);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
