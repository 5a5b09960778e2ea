/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Session control of the QKDN controller against scripted KMCs and modules (docs/protocol.md, "Sessions with
 * a guaranteed rate"). Topology: A(1) - B(2) - C(3) in line and A - C straight, links 0 AB, 1 BC, 2 AC. A key
 * of 256 bit takes 640 bit of a link between neighbours and 1,488 relayed (138 bytes of body, key 32, tag 16). */
#include <check.h>
#include <stdlib.h>

#include "core/controller/controller.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(ctl)

enum { NODES = 3, LINKS = 3, PERIOD_MS = 1000, DIRECT = 640, RELAY = 1488, CAPACITY = 3200 };

static const struct qkd_eid controller = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90};
static const uint32_t ends[LINKS][2] = {{1, 2}, {2, 3}, {1, 3}};

static struct pump *pump;
static struct ctl *ctl;
static struct puppet *kmc[NODES + 1];
static struct puppet *module[LINKS]; /* of the lower end */

static struct qkd_eid eid(enum qkd_role role, uint32_t node)
{
    return qkd_eid_make(role, 0, node);
}

static void controller_add(void)
{
    struct ctl_config config = {.self = controller,
                                .routing = CTL_FEWEST_HOPS,
                                .reservable_ppm = 500000,
                                .route_validity = qkd_span_s(10),
                                .status_period = qkd_span_ms(PERIOD_MS),
                                .retransmit = qkd_span_ms(200),
                                .node_limit = 16,
                                .link_limit = 32};
    ck_assert_int_eq(ctl_new(&config, &ctl), 0);
    pump_add(
        pump, controller,
        (struct pump_element){.self = ctl, .step = pump_ctl_step, .deadline = pump_ctl_deadline});
    pump_start(pump, controller);
}

static void link_status(uint32_t node, uint32_t link)
{
    uint8_t blob[256];
    uint32_t peer = ends[link][0] == node ? ends[link][1] : ends[link][0];
    struct wire_link_status status = {.link = link, .peer = eid(QKD_ROLE_KMA, peer), .up = 1};
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    struct wire_status_rsp rsp = {.has_links = true,
                                  .links = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(kmc[node], status_rsp, QKD_RP_CK, controller, &rsp);
}

static void module_status(uint32_t link, uint64_t rate_bps, uint32_t qber_ppm)
{
    uint8_t blob[256];
    struct wire_module_status status = {.module = puppet_self(module[link]),
                                        .link = link,
                                        .generating = 1,
                                        .rate_bps = rate_bps,
                                        .qber_ppm = qber_ppm};
    int len = wire_module_status_encode(&status, blob, sizeof blob);
    struct wire_status_rsp rsp = {.has_modules = true,
                                  .modules = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(module[link], status_rsp, QKD_RP_CQ, controller, &rsp);
}

/* All KMs but `silent` say what they see, each module its rate. */
static void tell(uint32_t silent)
{
    for (uint32_t link = 0; link < LINKS; link++) {
        for (uint32_t side = 0; side < 2; side++) {
            if (ends[link][side] != silent) {
                link_status(ends[link][side], link);
            }
        }
    }
    pump_run(pump, qkd_span_ms(10));
}

static void periods(unsigned count, uint32_t silent)
{
    for (unsigned i = 0; i < count; i++) {
        tell(silent);
        pump_run(pump, qkd_span_ms(PERIOD_MS - 10));
    }
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    controller_add();
    for (uint32_t i = 1; i <= NODES; i++) {
        kmc[i] = puppet_new(pump, eid(QKD_ROLE_KMC, i));
        puppet_open(kmc[i], QKD_RP_CK, controller);
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        module[i] = puppet_new(pump, qkd_eid_make(QKD_ROLE_MODULE, i, ends[i][0]));
        puppet_open(module[i], QKD_RP_CQ, controller);
    }
    pump_run(pump, qkd_span_ms(100));
    tell(0);
    for (uint32_t i = 0; i < LINKS; i++) {
        module_status(i, 2 * CAPACITY, 0); /* half of it is reservable */
    }
    tell(0);
}

static void teardown(void)
{
    for (uint32_t i = 1; i <= NODES; i++) {
        puppet_free(kmc[i]);
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        puppet_free(module[i]);
    }
    ctl_free(ctl);
    pump_free(pump);
}

/* ---- asking ---- */

static struct wire_reserve request(uint32_t from, uint32_t to, uint64_t session, uint64_t rate_bps)
{
    return (struct wire_reserve){.source_id = eid(QKD_ROLE_KMA, from),
                                 .destination_id = eid(QKD_ROLE_KMA, to),
                                 .session_id = session,
                                 .key_size = 256,
                                 .key_amount = 1,
                                 .batch = 1,
                                 .rate_bps = rate_bps};
}

static struct wire_reserve_rsp ask(uint32_t node, struct wire_reserve message)
{
    size_t before = puppet_count(kmc[node], WIRE_CMD_RESERVE_RSP);
    PUPPET_SEND(kmc[node], reserve, QKD_RP_CK, controller, &message);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(kmc[node], WIRE_CMD_RESERVE_RSP), before + 1);
    const struct puppet_message *m = puppet_get(kmc[node], WIRE_CMD_RESERVE_RSP, before);
    struct wire_reserve_rsp rsp;
    ck_assert_int_eq(wire_reserve_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.session_id, message.session_id);
    ck_assert_uint_eq(rsp.head.orig_message_id, message.head.message_id);
    return rsp;
}

/* Asks for `keys` keys per second; the reason, NONE if it is held. */
static unsigned reserve(uint32_t from, uint32_t to, uint64_t session, unsigned keys)
{
    struct wire_reserve_rsp rsp = ask(from, request(from, to, session, 256 * keys));
    ck_assert_uint_eq(rsp.code == WIRE_SUCCESS, !rsp.has_reason);
    return rsp.reason;
}

static struct wire_release_rsp last_release(uint32_t node)
{
    struct wire_release_rsp rsp;
    size_t count = puppet_count(kmc[node], WIRE_CMD_RELEASE_RSP);
    ck_assert_uint_gt(count, 0);
    const struct puppet_message *m = puppet_get(kmc[node], WIRE_CMD_RELEASE_RSP, count - 1);
    ck_assert_int_eq(wire_release_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    return rsp;
}

/* Code of the answer: 1, it was held until now. */
static unsigned release(uint32_t node, uint64_t session)
{
    struct wire_release message = {.session_id = session};
    PUPPET_SEND(kmc[node], release, QKD_RP_CK, controller, &message);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(last_release(node).session_id, session);
    ck_assert_uint_eq(last_release(node).head.orig_message_id, message.head.message_id);
    return last_release(node).code;
}

/* What the controller last reported as reserved on a link. */
static uint64_t reserved(uint32_t link)
{
    uint64_t bps = 0;
    for (size_t i = 0; i < pump_report_count(pump, QKD_REPORT_RESERVED, controller); i++) {
        const struct qkd_report *report = pump_report(pump, QKD_REPORT_RESERVED, controller, i);
        bps = report->a == link ? report->b : bps;
        ck_assert_uint_eq(report->c, CAPACITY);
        ck_assert_uint_le(report->b, report->c);
    }
    return bps;
}

/* ---- tests ---- */

START_TEST(a_link_is_filled_and_no_more)
{
    struct wire_reserve_rsp rsp = ask(1, request(1, 3, 1, 256));
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.link_bps, DIRECT);
    ck_assert_uint_eq(rsp.links.len, 4);
    ck_assert_uint_eq(wire_get_u32(rsp.links.at), 2);
    /* straight as long as there is room, then over B, then not at all: 5 * 640, 2 * 1488 of 3200 */
    for (uint64_t i = 2; i <= 5; i++) {
        ck_assert_uint_eq(reserve(1, 3, i, 1), WIRE_REASON_NONE);
    }
    ck_assert_uint_eq(reserved(2), CAPACITY);
    rsp = ask(1, request(1, 3, 6, 256));
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.link_bps, RELAY);
    ck_assert_uint_eq(rsp.links.len, 8);
    ck_assert_uint_eq(wire_get_u32(rsp.links.at), 0);
    ck_assert_uint_eq(wire_get_u32(rsp.links.at + 4), 1);
    ck_assert_uint_eq(reserve(3, 1, 7, 1), WIRE_REASON_NONE); /* the other way */
    ck_assert_uint_eq(reserve(1, 3, 8, 1), WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(reserved(0), 2 * RELAY);
    ck_assert_uint_eq(reserved(1), 2 * RELAY);
    /* 224 are left on AB: 89 bit/s of key take 223 of them, 90 would take 225 */
    ck_assert_uint_eq(ask(1, request(1, 2, 9, 90)).reason, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(ask(1, request(1, 2, 10, 89)).link_bps, 223);
}
END_TEST

START_TEST(a_request_said_again_takes_nothing_anew)
{
    for (int i = 0; i < 7; i++) {
        ck_assert_uint_eq(reserve(1, 2, 1, 1), WIRE_REASON_NONE);
    }
    ck_assert_uint_eq(reserved(0), DIRECT);
    ck_assert_uint_eq(reserve(1, 2, 2, 6), WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(release(1, 1), WIRE_SUCCESS);
    /* there would be room now, but not for what was refused a moment ago */
    ck_assert_uint_eq(reserve(1, 2, 2, 5), WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(reserve(1, 2, 3, 5), WIRE_REASON_NONE);
    /* the same ID of another KM is another session: AB is full, over C there is room */
    ck_assert_uint_eq(ask(2, request(2, 1, 3, 256)).links.len, 8);
}
END_TEST

START_TEST(what_is_released_is_so_once)
{
    ck_assert_uint_eq(reserve(1, 2, 1, 2), WIRE_REASON_NONE);
    ck_assert_uint_eq(reserve(1, 2, 2, 1), WIRE_REASON_NONE);
    ck_assert_uint_eq(release(1, 1), WIRE_SUCCESS);
    ck_assert_uint_eq(release(1, 1), WIRE_FAILURE);
    ck_assert_uint_eq(reserved(0), DIRECT);
    ck_assert_uint_eq(release(2, 2), WIRE_FAILURE); /* not B's */
    ck_assert_uint_eq(reserved(0), DIRECT);
    /* what was overtaken on the way holds nothing, renewed or not */
    struct wire_reserve late = request(1, 2, 1, 256);
    ck_assert_uint_eq(ask(1, late).reason, WIRE_REASON_NO_SESSION);
    late.renew = 1;
    ck_assert_uint_eq(ask(1, late).reason, WIRE_REASON_NO_SESSION);
    ck_assert_uint_eq(release(1, 9), WIRE_FAILURE);
    ck_assert_uint_eq(ask(1, request(1, 2, 9, 256)).reason, WIRE_REASON_NO_SESSION);
    ck_assert_uint_eq(reserved(0), DIRECT);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    ck_assert_uint_eq(ask(1, request(2, 3, 1, 256)).reason, WIRE_REASON_UNAUTHORIZED);
    ck_assert_uint_eq(ask(1, request(1, 1, 2, 256)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(ask(1, request(1, 3, 3, 0)).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(ask(1, request(1, 3, 4, UINT64_MAX)).reason, WIRE_REASON_BAD_REQUEST);
    struct wire_reserve none = request(1, 3, 5, 256);
    none.key_amount = 0;
    ck_assert_uint_eq(ask(1, none).reason, WIRE_REASON_BAD_REQUEST);
    ck_assert_uint_eq(ask(1, request(1, 8, 6, 256)).reason, WIRE_REASON_NO_ROUTE);
    ck_assert_uint_eq(ask(1, request(1, 3, 7, UINT64_C(1) << 50)).reason, WIRE_REASON_NO_CAPACITY);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_RESERVED, controller), 0);
}
END_TEST

START_TEST(links_without_rate_or_with_noise_are_avoided)
{
    module_status(2, 0, 0); /* no news: its store may be full */
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(ask(1, request(1, 3, 1, 256)).links.len, 4);
    module_status(2, 2 * CAPACITY, 120000);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(ask(1, request(1, 3, 2, 256)).links.len, 8);
    module_status(2, 2 * CAPACITY, 0);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(ask(1, request(1, 3, 3, 256)).links.len, 4);
    /* less rate than is reserved: what is held stays, nothing is added */
    module_status(2, DIRECT, 0);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(ask(1, request(1, 3, 1, 256)).links.len, 4);
    ck_assert_uint_eq(ask(1, request(1, 3, 4, 1)).links.len, 8);
}
END_TEST

START_TEST(what_is_not_renewed_lapses)
{
    ck_assert_uint_eq(reserve(1, 2, 1, 1), WIRE_REASON_NONE);
    ck_assert_uint_eq(reserve(1, 2, 2, 1), WIRE_REASON_NONE);
    for (int i = 0; i < 4; i++) {
        struct wire_reserve renewal = request(1, 2, 2, 256);
        periods(3, 0);
        renewal.renew = 1;
        ck_assert_uint_eq(ask(1, renewal).code, WIRE_SUCCESS);
    }
    ck_assert_uint_eq(reserved(0), DIRECT);
    struct wire_release_rsp rsp = last_release(1);
    ck_assert_uint_eq(rsp.session_id, 1);
    ck_assert_uint_eq(rsp.head.orig_message_id, 0);
    ck_assert_uint_eq(rsp.reason, WIRE_REASON_EXPIRED);
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    /* taken up again by its KM, while remembered and later */
    struct wire_reserve again = request(1, 2, 1, 256);
    again.renew = 1;
    ck_assert_uint_eq(ask(1, again).code, WIRE_SUCCESS);
    ck_assert_uint_eq(reserved(0), 2 * DIRECT);
    ck_assert_uint_eq(release(1, 1), WIRE_SUCCESS);
}
END_TEST

START_TEST(a_silent_km_loses_its_reservations)
{
    ck_assert_uint_eq(reserve(1, 2, 1, 1), WIRE_REASON_NONE);
    ck_assert_uint_eq(reserve(2, 1, 1, 1), WIRE_REASON_NONE);
    periods(5, 1);
    ck_assert_uint_eq(reserved(0), DIRECT);
    ck_assert_uint_eq(last_release(1).reason, WIRE_REASON_UNREACHABLE);
    ck_assert_uint_eq(reserve(2, 3, 2, 1), WIRE_REASON_NONE);
}
END_TEST

START_TEST(a_km_that_restarted_has_none)
{
    ck_assert_uint_eq(reserve(1, 2, 1, 2), WIRE_REASON_NONE);
    ck_assert_uint_eq(reserve(2, 1, 1, 1), WIRE_REASON_NONE);
    pump_crash(pump, eid(QKD_ROLE_KMC, 1));
    puppet_free(kmc[1]);
    kmc[1] = puppet_new(pump, eid(QKD_ROLE_KMC, 1));
    puppet_open(kmc[1], QKD_RP_CK, controller);
    pump_run(pump, qkd_span_ms(100));
    ck_assert_uint_eq(reserved(0), DIRECT);
}
END_TEST

START_TEST(a_controller_that_restarted_asks_first)
{
    ck_assert_uint_eq(reserve(1, 2, 1, 4), WIRE_REASON_NONE);
    pump_crash(pump, controller);
    ctl_free(ctl);
    controller_add();
    for (int again = 0; again < 3; again++) { /* what is said first only makes new channels */
        for (uint32_t i = 0; i < LINKS; i++) {
            module_status(i, 2 * CAPACITY, 0);
        }
        tell(0);
        pump_run(pump, qkd_span_ms(300));
        tell(0);
    }
    ck_assert_uint_eq(reserve(1, 2, 2, 2), WIRE_REASON_RESTARTED);
    struct wire_reserve again = request(1, 2, 1, 1024);
    again.renew = 1;
    ck_assert_uint_eq(ask(1, again).code, WIRE_SUCCESS);
    periods(4, 0);
    ck_assert_uint_eq(ask(2, request(2, 1, 3, 512)).links.len, 8); /* no room for two on AB */
    ck_assert_uint_eq(reserve(2, 1, 4, 1), WIRE_REASON_NONE);
    ck_assert_uint_eq(reserved(0), CAPACITY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("controller sessions");
    TCase *tc = tcase_create("controller sessions");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_link_is_filled_and_no_more);
    tcase_add_test(tc, a_request_said_again_takes_nothing_anew);
    tcase_add_test(tc, what_is_released_is_so_once);
    tcase_add_test(tc, bad_requests_are_refused);
    tcase_add_test(tc, links_without_rate_or_with_noise_are_avoided);
    tcase_add_test(tc, what_is_not_renewed_lapses);
    tcase_add_test(tc, a_silent_km_loses_its_reservations);
    tcase_add_test(tc, a_km_that_restarted_has_none);
    tcase_add_test(tc, a_controller_that_restarted_asks_first);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
