/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KM's control and management function against a scripted KMA, KSA, module, controller and
 * manager: docs/protocol.md, "Control" and "Management"; FG QIT4N D2.3 Tables 8-1 to 8-4. */
#include <check.h>
#include <stdlib.h>

#include "core/km/kmc.h"
#include "tests/lib/puppet.h"

PUMP_ELEMENT(kmc)

enum { NODE = 7, LINK = 3, PERIOD_MS = 1000, RETRANSMIT_MS = 200 };

static const struct qkd_eid kmc_eid = {(uint64_t)QKD_ROLE_KMC << 56 | NODE};
static const struct qkd_eid kma_eid = {(uint64_t)QKD_ROLE_KMA << 56 | NODE};
static const struct qkd_eid ksa_eid = {(uint64_t)QKD_ROLE_KSA << 56 | NODE};
static const struct qkd_eid module_eid = {(uint64_t)QKD_ROLE_MODULE << 56 | NODE};
static const struct qkd_eid neighbour = {(uint64_t)QKD_ROLE_KMA << 56 | 8};
static const struct qkd_eid controller_eid = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90};
static const struct qkd_eid manager_eid = {(uint64_t)QKD_ROLE_MANAGER << 56 | 91};

static struct pump *pump;
static struct km_config config;
static struct kmc *kmc;
static struct puppet *kma, *ksa, *module, *controller, *manager;

static void link_configure(uint32_t link, struct qkd_eid its_module)
{
    struct wire_cfg_link message = {.head.message_id = 1,
                                    .link = link,
                                    .peer = neighbour,
                                    .module = its_module,
                                    .store_bits = 1000000};
    uint8_t bytes[512];
    int len = wire_cfg_link_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(pump, kmc_eid, bytes, (size_t)len);
}

static void kmc_make(void)
{
    ck_assert_int_eq(kmc_new(&config, &kmc), 0);
    pump_add(
        pump, kmc_eid,
        (struct pump_element){.self = kmc, .step = pump_kmc_step, .deadline = pump_kmc_deadline});
    pump_start(pump, kmc_eid);
    link_configure(LINK, module_eid);
}

static void setup(void)
{
    pump = pump_new(&(struct pump_config){.seed = 1});
    config = (struct km_config){.node = NODE,
                                .parts = KM_ALL,
                                .name = "km7",
                                .community = "test",
                                .controller = controller_eid,
                                .manager = manager_eid,
                                .retransmit = qkd_span_ms(RETRANSMIT_MS),
                                .retries = 5,
                                .status_period = qkd_span_ms(PERIOD_MS),
                                .request_limit = 4,
                                .link_limit = 4};
    kma = puppet_new(pump, kma_eid);
    ksa = puppet_new(pump, ksa_eid);
    module = puppet_new(pump, module_eid);
    controller = puppet_new(pump, controller_eid);
    manager = puppet_new(pump, manager_eid);
    kmc_make();
    puppet_open(kma, QKD_RP_KMI, kmc_eid);
    puppet_open(ksa, QKD_RP_KMI, kmc_eid);
    puppet_open(module, QKD_RP_KQ2, kmc_eid);
    pump_run(pump, qkd_span_ms(100));
}

static void teardown(void)
{
    puppet_free(kma);
    puppet_free(ksa);
    puppet_free(module);
    puppet_free(controller);
    puppet_free(manager);
    kmc_free(kmc);
    pump_free(pump);
}

/* ---- faults as the manager sees them ---- */

/* Records of `fault` on `object` so far: raised less cleared. Acknowledges every report. */
static int standing(uint8_t fault, uint64_t object)
{
    int count = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < puppet_count(manager, 0); i++) {
        const struct puppet_message *m = puppet_get(manager, 0, i);
        struct wire_fault report;
        if (wire_fault_decode(&report, m->bytes.at, m->bytes.len) != 0) {
            continue;
        }
        for (size_t at = 0; report.seq > seen && at < report.records.len;) {
            struct wire_fault_record record;
            int len = wire_fault_record_decode(&record, report.records.at + at,
                                               report.records.len - at);
            ck_assert_int_gt(len, 0);
            at += (size_t)len;
            bool is_it = record.fault == fault && record.object == object;
            count += is_it ? (record.raised != 0 ? 1 : -1) : 0;
        }
        seen = report.seq > seen ? report.seq : seen;
    }
    struct wire_report_ack ack = {.seq = UINT64_MAX};
    PUPPET_SEND(manager, report_ack, QKD_RP_MK, kmc_eid, &ack);
    pump_run(pump, qkd_span_ms(10));
    return count;
}

static uint64_t security_count(uint8_t fault, uint64_t object)
{
    uint64_t count = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < puppet_count(manager, WIRE_CMD_SECURITY); i++) {
        const struct puppet_message *m = puppet_get(manager, WIRE_CMD_SECURITY, i);
        struct wire_security report;
        ck_assert_int_eq(wire_security_decode(&report, m->bytes.at, m->bytes.len), 0);
        for (size_t at = 0; report.seq > seen && at < report.records.len;) {
            struct wire_fault_record record;
            int len = wire_fault_record_decode(&record, report.records.at + at,
                                               report.records.len - at);
            ck_assert_int_gt(len, 0);
            at += (size_t)len;
            count += record.fault == fault && record.object == object ? record.count : 0;
        }
        seen = report.seq > seen ? report.seq : seen;
    }
    return count;
}

/* ---- status ---- */

static void kma_status(uint8_t up, uint64_t own_bits)
{
    struct wire_link_status status = {
        .link = LINK, .peer = neighbour, .up = up, .own_bits = own_bits, .peer_bits = 5};
    uint8_t blob[256];
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.has_links = true,
                                  .links = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(kma, status_rsp, QKD_RP_KMI, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(5));
}

static void module_status(uint32_t qber_ppm, struct qkd_eid says)
{
    struct wire_module_status status = {
        .module = says, .link = LINK, .generating = 1, .rate_bps = 1000, .qber_ppm = qber_ppm};
    uint8_t blob[256];
    int len = wire_module_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.has_modules = true,
                                  .modules = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(module, status_rsp, QKD_RP_KQ2, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(5));
}

static struct wire_status_rsp status_decode(size_t n)
{
    struct wire_status_rsp rsp;
    const struct puppet_message *m = puppet_get(controller, WIRE_CMD_STATUS_RSP, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_status_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.head.sender.v, kmc_eid.v);
    return rsp;
}

static struct wire_link_status link_decode(const struct wire_status_rsp *rsp)
{
    struct wire_link_status status;
    int len = wire_link_status_decode(&status, rsp->links.at, rsp->links.len);
    ck_assert_int_eq(len, (int)rsp->links.len); /* one record */
    return status;
}

static uint64_t command(bool has_period, uint32_t period_ms, uint32_t table)
{
    struct wire_status status = {.has_period_ms = has_period,
                                 .period_ms = period_ms,
                                 .table = table};
    PUPPET_SEND(controller, status, QKD_RP_CK, kmc_eid, &status);
    pump_run(pump, qkd_span_ms(10));
    return status.head.message_id;
}

#define statuses() puppet_count(controller, WIRE_CMD_STATUS_RSP)

START_TEST(status_once_on_command)
{
    kma_status(1, 4000);
    ck_assert_uint_eq(statuses(), 0); /* nobody asked */
    uint64_t id = command(false, 0, WIRE_STATUS_KEY_AMOUNT);
    ck_assert_uint_eq(statuses(), 1);
    struct wire_status_rsp rsp = status_decode(0);
    ck_assert_uint_eq(rsp.head.orig_message_id, id);
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    ck_assert(!rsp.has_modules);
    struct wire_link_status link = link_decode(&rsp);
    ck_assert_uint_eq(link.link, LINK);
    ck_assert_uint_eq(link.peer.v, neighbour.v);
    ck_assert_uint_eq(link.own_bits, 4000);
    ck_assert_uint_eq(link.peer_bits, 5);
    ck_assert_uint_eq(link.up, 1);
    pump_run(pump, qkd_span_ms(3 * PERIOD_MS));
    ck_assert_uint_eq(statuses(), 1);
    id = command(false, 0, 64); /* no such item */
    rsp = status_decode(1);
    ck_assert_uint_eq(rsp.head.orig_message_id, id);
    ck_assert_uint_eq(rsp.code, WIRE_FAILURE);
    ck_assert(!rsp.has_links);
}
END_TEST

START_TEST(status_every_period_until_stopped)
{
    kma_status(1, 4000);
    command(true, 500, WIRE_STATUS_KEY_AMOUNT);
    size_t before = statuses();
    pump_run(pump, qkd_span_ms(5 * 500));
    ck_assert_uint_eq(statuses(), before + 5);
    ck_assert_uint_eq(status_decode(before).head.orig_message_id, 0); /* pushed */
    command(true, 0, WIRE_STATUS_KEY_AMOUNT);
    before = statuses();
    pump_run(pump, qkd_span_ms(5000));
    ck_assert_uint_eq(statuses(), before);
}
END_TEST

/* Between two periodic pushes: up or down and a halved pool at once, small changes not. */
START_TEST(changes_are_pushed_at_once)
{
    kma_status(1, 4000);
    command(true, 60000, WIRE_STATUS_KEY_AMOUNT);
    size_t before = statuses();
    kma_status(1, 3000);
    kma_status(1, 2001);
    ck_assert_uint_eq(statuses(), before);
    kma_status(1, 2000);
    ck_assert_uint_eq(statuses(), before + 1);
    kma_status(0, 2000);
    ck_assert_uint_eq(statuses(), before + 2);
    struct wire_status_rsp rsp = status_decode(before + 1);
    ck_assert_uint_eq(link_decode(&rsp).up, 0);
    kma_status(0, 2000);
    ck_assert_uint_eq(statuses(), before + 2);
    kma_status(1, 3999);
    ck_assert_uint_eq(statuses(), before + 3);
    kma_status(1, 7998); /* doubled */
    ck_assert_uint_eq(statuses(), before + 4);
}
END_TEST

START_TEST(modules_are_told_of_on_demand)
{
    module_status(30000, module_eid);
    command(false, 0, WIRE_STATUS_QKD_LINK);
    struct wire_status_rsp rsp = status_decode(0);
    ck_assert(rsp.has_modules && !rsp.has_links);
    struct wire_module_status status;
    ck_assert_int_eq(wire_module_status_decode(&status, rsp.modules.at, rsp.modules.len),
                     (int)rsp.modules.len);
    ck_assert_uint_eq(status.qber_ppm, 30000);
    ck_assert_uint_eq(status.module.v, module_eid.v);
}
END_TEST

START_TEST(silent_module_raises_a_fault)
{
    for (int i = 0; i < 5; i++) {
        module_status(30000, module_eid);
        pump_run(pump, qkd_span_ms(PERIOD_MS));
    }
    ck_assert_int_eq(standing(WIRE_FAULT_MODULE_DOWN, LINK), 0);
    pump_run(pump, qkd_span_ms(5 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_MODULE_DOWN, LINK), 1);
    pump_run(pump, qkd_span_ms(5 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_MODULE_DOWN, LINK), 1);
    module_status(30000, module_eid);
    pump_run(pump, qkd_span_ms(3 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_MODULE_DOWN, LINK), 0);
}
END_TEST

START_TEST(high_qber_raises_a_fault)
{
    module_status(110000, module_eid); /* 11 % is the limit, not above it */
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_QBER_HIGH, LINK), 0);
    module_status(110001, module_eid);
    module_status(120000, module_eid);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_QBER_HIGH, LINK), 1);
    module_status(50000, module_eid);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_QBER_HIGH, LINK), 0);
}
END_TEST

START_TEST(a_module_speaks_for_itself_only)
{
    struct qkd_eid another = qkd_eid_make(QKD_ROLE_MODULE, 1, NODE);
    module_status(990000, another);
    command(false, 0, WIRE_STATUS_QKD_LINK);
    struct wire_status_rsp rsp = status_decode(0);
    ck_assert(!rsp.has_modules);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_BAD_BYTES, kmc_eid), 1);
}
END_TEST

/* ---- routes ---- */

static struct wire_route route_ask(uint64_t id)
{
    struct wire_route route = {.head.message_id = id,
                               .source_id = kma_eid,
                               .destination_id = neighbour,
                               .key_amount = 2,
                               .key_size = 256,
                               .batch = 1,
                               .has_level = true,
                               .level = WIRE_LEVEL_OTP_ONLY};
    PUPPET_SEND(kma, route, QKD_RP_KMI, kmc_eid, &route);
    pump_run(pump, qkd_span_ms(10));
    return route;
}

static struct wire_route route_at_controller(size_t n)
{
    struct wire_route route;
    const struct puppet_message *m = puppet_get(controller, WIRE_CMD_ROUTE, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_decode(&route, m->bytes.at, m->bytes.len), 0);
    return route;
}

static struct wire_route_rsp route_at_kma(size_t n)
{
    struct wire_route_rsp rsp;
    const struct puppet_message *m = puppet_get(kma, WIRE_CMD_ROUTE_RSP, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_route_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    return rsp;
}

static void route_answer(uint64_t orig, struct qkd_eid source)
{
    uint8_t nodes[16];
    wire_put_u64(nodes, kma_eid.v);
    wire_put_u64(nodes + 8, neighbour.v);
    struct wire_route_rsp rsp = {.head.orig_message_id = orig,
                                 .source_id = source,
                                 .destination_id = neighbour,
                                 .has_route = true,
                                 .route = {nodes, sizeof nodes},
                                 .has_validity_ms = true,
                                 .validity_ms = 1234,
                                 .code = WIRE_SUCCESS};
    PUPPET_SEND(controller, route_rsp, QKD_RP_CK, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(10));
}

START_TEST(route_is_passed_on_and_answered)
{
    struct wire_route asked = route_ask(0);
    (void)route_ask(asked.head.message_id); /* impatient: not doubled */
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE), 1);
    struct wire_route got = route_at_controller(0);
    ck_assert_uint_eq(got.head.sender.v, kmc_eid.v);
    ck_assert_uint_eq(got.source_id.v, kma_eid.v);
    ck_assert_uint_eq(got.destination_id.v, neighbour.v);
    ck_assert_uint_eq(got.key_amount, 2);
    ck_assert_uint_eq(got.key_size, 256);
    ck_assert(got.has_level && got.level == WIRE_LEVEL_OTP_ONLY && !got.has_reroute);
    route_answer(got.head.message_id, neighbour); /* about another source: not believed */
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 0);
    route_answer(got.head.message_id, kma_eid);
    route_answer(got.head.message_id, kma_eid); /* doubled by the network */
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
    struct wire_route_rsp rsp = route_at_kma(0);
    ck_assert_uint_eq(rsp.head.orig_message_id, asked.head.message_id);
    ck_assert_uint_eq(rsp.code, WIRE_SUCCESS);
    ck_assert_uint_eq(rsp.validity_ms, 1234);
    ck_assert_uint_eq(rsp.route.len, 16);
    ck_assert_uint_eq(wire_get_u64(rsp.route.at + 8), neighbour.v);
    pump_run(pump, qkd_span_s(10));
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE), 1);
}
END_TEST

static uint64_t table_tell(uint64_t id, uint64_t orig)
{
    struct wire_route_table table = {.head.message_id = id,
                                     .head.orig_message_id = orig,
                                     .validity_ms = 10000,
                                     .has_version = true,
                                     .version = id};
    PUPPET_SEND(controller, route_table, QKD_RP_CK, kmc_eid, &table);
    pump_run(pump, qkd_span_ms(10));
    return id;
}

/* Routes told unasked (D23-CT-04): passed on once, acknowledged each time; one that was overtaken, or
 * that claims to answer something (D23-CT-T2), is not taken: what a KM knows never goes back. */
START_TEST(table_is_passed_on_and_acknowledged)
{
    uint64_t base = UINT64_C(1) << 50;
    (void)table_tell(base + 5, 0);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_TABLE), 1);
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE_TABLE_ACK), 1);
    ck_assert_uint_eq(puppet_get(controller, WIRE_CMD_ROUTE_TABLE_ACK, 0)->head.orig_message_id,
                      base + 5);
    (void)table_tell(base + 5, 0); /* doubled by the network */
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_TABLE), 1);
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE_TABLE_ACK), 2);
    (void)table_tell(base + 3, 0);
    (void)table_tell(base + 6, 17);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_TABLE), 1);
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE_TABLE_ACK), 2);
    (void)table_tell(base + 7, 0);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_TABLE), 2);
}
END_TEST

/* ---- stock ---- */

static struct wire_stock stock_ask(uint64_t id)
{
    struct wire_stock stock = {.head.message_id = id,
                               .source_id = kma_eid,
                               .destination_id = neighbour,
                               .key_size = 256,
                               .batch = 3};
    PUPPET_SEND(ksa, stock, QKD_RP_KMI, kmc_eid, &stock);
    pump_run(pump, qkd_span_ms(10));
    return stock;
}

static struct wire_stock_rsp stock_at_ksa(size_t n)
{
    const struct puppet_message *m = puppet_get(ksa, WIRE_CMD_STOCK_RSP, n);
    struct wire_stock_rsp rsp;
    ck_assert_int_eq(wire_stock_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    return rsp;
}

static void stock_answer(uint64_t orig, struct qkd_eid source, uint32_t keys)
{
    struct wire_stock_rsp rsp = {.head.orig_message_id = orig,
                                 .source_id = source,
                                 .destination_id = neighbour,
                                 .keys = keys};
    PUPPET_SEND(controller, stock_rsp, QKD_RP_CK, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(10));
}

/* A ROUTE of the KMA and a STOCK of the KSA under the same Message ID are two requests. */
START_TEST(stock_is_passed_on_and_answered)
{
    struct wire_route route = route_ask(0);
    struct wire_stock asked = stock_ask(route.head.message_id);
    (void)stock_ask(asked.head.message_id); /* impatient: not doubled */
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_STOCK), 1);
    struct wire_stock got;
    const struct puppet_message *m = puppet_get(controller, WIRE_CMD_STOCK, 0);
    ck_assert_int_eq(wire_stock_decode(&got, m->bytes.at, m->bytes.len), 0);
    ck_assert(qkd_eid_eq(got.source_id, kma_eid) && qkd_eid_eq(got.destination_id, neighbour));
    ck_assert_uint_eq(got.key_size, 256);
    ck_assert_uint_eq(got.batch, 3);
    stock_answer(got.head.message_id, neighbour, 8);                  /* of another KMA */
    stock_answer(route_at_controller(0).head.message_id, kma_eid, 8); /* of the route */
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_STOCK_RSP), 0);
    route_answer(got.head.message_id, kma_eid); /* a route is no answer to it either */
    stock_answer(got.head.message_id, kma_eid, 7);
    stock_answer(got.head.message_id, kma_eid, 9);
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_STOCK_RSP), 1);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 0);
    ck_assert_uint_eq(stock_at_ksa(0).keys, 7);
    ck_assert_uint_eq(stock_at_ksa(0).head.orig_message_id, asked.head.message_id);
    route_answer(route_at_controller(0).head.message_id, kma_eid);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
    struct wire_stock stolen = {.source_id = kma_eid, .destination_id = neighbour, .key_size = 1};
    PUPPET_SEND(kma, stock, QKD_RP_KMI, kmc_eid, &stolen); /* a KMA asks for routes */
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_STOCK), 1);
}
END_TEST

START_TEST(stock_without_an_answer)
{
    struct wire_stock asked = stock_ask(0);
    pump_run(pump, qkd_span_s(4));
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_STOCK), 4);
    ck_assert_uint_eq(puppet_count(ksa, WIRE_CMD_STOCK_RSP), 1);
    ck_assert_uint_eq(stock_at_ksa(0).keys, 0);
    ck_assert_uint_eq(stock_at_ksa(0).reason, WIRE_REASON_UNREACHABLE);
    ck_assert_uint_eq(stock_at_ksa(0).head.orig_message_id, asked.head.message_id);
}
END_TEST

START_TEST(route_is_repeated_then_refused)
{
    struct wire_route asked = route_ask(0);
    pump_run(pump, qkd_span_s(10));
    /* and 3 retransmits; then questions that show whether the controller is back, one per period */
    size_t questions = puppet_count(controller, WIRE_CMD_ROUTE);
    ck_assert_uint_ge(questions, 4 + 10000 / PERIOD_MS - 4);
    for (size_t i = 0; i < questions; i++) {
        struct wire_route route = route_at_controller(i);
        bool probe = qkd_eid_eq(route.source_id, route.destination_id);
        ck_assert(probe == (i >= 4) && qkd_eid_eq(route.source_id, kma_eid));
    }
    uint64_t id = route_at_controller(0).head.message_id;
    struct qkd_time first = puppet_get(controller, WIRE_CMD_ROUTE, 0)->at;
    static const int after_ms[] = {0, 200, 600, 1400};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(route_at_controller(i).head.message_id, id);
        struct qkd_time at = puppet_get(controller, WIRE_CMD_ROUTE, i)->at;
        ck_assert_int_eq(qkd_time_sub(at, first).ns, after_ms[i] * QKD_NS_PER_MS);
    }
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
    struct wire_route_rsp rsp = route_at_kma(0);
    ck_assert_uint_eq(rsp.head.orig_message_id, asked.head.message_id);
    ck_assert_uint_eq(rsp.code, WIRE_FAILURE);
    ck_assert_uint_eq(rsp.reason, WIRE_REASON_UNREACHABLE);
    ck_assert_int_eq(standing(WIRE_FAULT_CONTROLLER_LOST, 0), 1);
    route_answer(id, kma_eid); /* too late for the KMA, but the controller lives */
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
    questions = puppet_count(controller, WIRE_CMD_ROUTE);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_CONTROLLER_LOST, 0), 0);
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE), questions);
}
END_TEST

START_TEST(too_many_routes_are_refused)
{
    for (unsigned i = 0; i < 9; i++) { /* request_limit + link_limit is 8 */
        (void)route_ask(0);
    }
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE), 8);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
    ck_assert_uint_eq(route_at_kma(0).reason, WIRE_REASON_OVERLOAD);
}
END_TEST

START_TEST(controller_out_of_reach_is_a_fault)
{
    pump_crash(pump, kmc_eid);
    kmc_free(kmc);
    pump_cut(pump, kmc_eid, controller_eid, true);
    kmc_make();
    pump_run(pump, qkd_span_ms(6 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_CONTROLLER_LOST, 0), 1);
    pump_cut(pump, kmc_eid, controller_eid, false);
    pump_run(pump, qkd_span_s(10));
    ck_assert_int_eq(standing(WIRE_FAULT_CONTROLLER_LOST, 0), 0);
}
END_TEST

START_TEST(without_controller_routes_are_refused)
{
    pump_crash(pump, kmc_eid);
    kmc_free(kmc);
    config.controller = QKD_NOBODY;
    kmc_make();
    for (int i = 0; i < 5 && puppet_count(kma, WIRE_CMD_ROUTE_RSP) == 0; i++) {
        (void)route_ask(0); /* the first ones, of the session that the crash ended, are lost */
        pump_run(pump, qkd_span_s(2));
    }
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 1);
    ck_assert_uint_eq(route_at_kma(0).reason, WIRE_REASON_UNREACHABLE);
    pump_run(pump, qkd_span_s(10));
    ck_assert_int_eq(standing(WIRE_FAULT_CONTROLLER_LOST, 0), 0);
}
END_TEST

/* ---- key generation control ---- */

static struct wire_generation generation_ask(uint8_t run, struct qkd_eid to)
{
    struct wire_generation ask = {.module_id = to, .run = run};
    PUPPET_SEND(kma, generation, QKD_RP_KMI, kmc_eid, &ask);
    pump_run(pump, qkd_span_ms(10));
    return ask;
}

static struct wire_generation generation_at_module(size_t n)
{
    struct wire_generation got;
    const struct puppet_message *m = puppet_get(module, WIRE_CMD_GENERATION, n);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(wire_generation_decode(&got, m->bytes.at, m->bytes.len), 0);
    return got;
}

START_TEST(generation_reaches_the_module_and_back)
{
    struct wire_generation asked = generation_ask(1, module_eid);
    pump_run(pump, qkd_span_ms(RETRANSMIT_MS));
    ck_assert_uint_eq(puppet_count(module, WIRE_CMD_GENERATION), 2); /* repeated */
    struct wire_generation got = generation_at_module(0);
    ck_assert_uint_eq(got.run, 1);
    ck_assert_uint_eq(got.head.message_id, generation_at_module(1).head.message_id);
    struct wire_generation_rsp rsp = {.head.orig_message_id = got.head.message_id,
                                      .module_id = module_eid,
                                      .code = WIRE_SUCCESS};
    PUPPET_SEND(module, generation_rsp, QKD_RP_KQ2, kmc_eid, &rsp);
    pump_run(pump, qkd_span_s(5));
    ck_assert_uint_eq(puppet_count(module, WIRE_CMD_GENERATION), 2);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_GENERATION_RSP), 1);
    ck_assert_uint_eq(puppet_get(kma, WIRE_CMD_GENERATION_RSP, 0)->head.orig_message_id,
                      asked.head.message_id);
}
END_TEST

START_TEST(newer_generation_supersedes_older)
{
    (void)generation_ask(0, module_eid);
    (void)generation_ask(1, module_eid);
    pump_run(pump, qkd_span_ms(3 * RETRANSMIT_MS + 20));
    size_t count = puppet_count(module, WIRE_CMD_GENERATION);
    ck_assert_uint_eq(count, 4); /* 0, 1, 1 again, 1 again */
    for (size_t i = 1; i < count; i++) {
        ck_assert_uint_eq(generation_at_module(i).run, 1);
    }
}
END_TEST

START_TEST(generation_for_a_foreign_module_is_refused)
{
    struct qkd_eid foreign = qkd_eid_make(QKD_ROLE_MODULE, 0, 8);
    struct wire_generation asked = generation_ask(1, foreign);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_GENERATION_RSP), 1);
    const struct puppet_message *m = puppet_get(kma, WIRE_CMD_GENERATION_RSP, 0);
    struct wire_generation_rsp rsp;
    ck_assert_int_eq(wire_generation_rsp_decode(&rsp, m->bytes.at, m->bytes.len), 0);
    ck_assert_uint_eq(rsp.code, WIRE_FAILURE);
    ck_assert_uint_eq(rsp.head.orig_message_id, asked.head.message_id);
}
END_TEST

/* ---- management ---- */

static void metadata_send(struct puppet *from, struct qkd_eid source, uint32_t link)
{
    struct wire_life life = {.at = source,
                             .action = WIRE_ACTION_RELAY,
                             .key_class = WIRE_CLASS_KMA,
                             .has_link = true,
                             .link = link};
    uint8_t blob[256];
    int len = wire_life_encode(&life, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_metadata report = {.seq = 1000 + link,
                                   .source = source,
                                   .records = {blob, (size_t)len}};
    PUPPET_SEND(from, metadata, QKD_RP_KMI, kmc_eid, &report);
    pump_run(pump, qkd_span_ms(10));
}

START_TEST(reports_are_renumbered_and_passed_on)
{
    pump_run(pump, qkd_span_ms(500)); /* Mk is up */
    metadata_send(kma, kma_eid, 1);
    metadata_send(ksa, ksa_eid, 2);
    metadata_send(kma, kma_eid, 3);
    ck_assert_uint_eq(puppet_count(manager, WIRE_CMD_METADATA), 3);
    struct qkd_eid sources[] = {kma_eid, ksa_eid, kma_eid};
    for (size_t i = 0; i < 3; i++) {
        const struct puppet_message *m = puppet_get(manager, WIRE_CMD_METADATA, i);
        struct wire_metadata got;
        struct wire_life life;
        ck_assert_int_eq(wire_metadata_decode(&got, m->bytes.at, m->bytes.len), 0);
        ck_assert_uint_eq(got.seq, i + 1);
        ck_assert_uint_eq(got.source.v, sources[i].v);
        ck_assert_uint_eq(got.head.sender.v, kmc_eid.v);
        ck_assert_int_gt(wire_life_decode(&life, got.records.at, got.records.len), 0);
        ck_assert_uint_eq(life.link, i + 1);
        ck_assert_uint_eq(life.at.v, sources[i].v);
    }
}
END_TEST

START_TEST(nobody_reports_in_anothers_name)
{
    pump_run(pump, qkd_span_ms(500));
    metadata_send(ksa, kma_eid, 1);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_uint_eq(puppet_count(manager, WIRE_CMD_METADATA), 0);
    ck_assert_uint_eq(security_count(WIRE_FAULT_DENIED, QKD_RP_KMI), 1);
}
END_TEST

START_TEST(ksa_may_not_do_what_a_kma_does)
{
    struct wire_route route = {.source_id = kma_eid, .destination_id = neighbour};
    PUPPET_SEND(ksa, route, QKD_RP_KMI, kmc_eid, &route);
    pump_run(pump, qkd_span_ms(10));
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE), 0);
    ck_assert_uint_eq(pump_report_count(pump, QKD_REPORT_BAD_BYTES, kmc_eid), 1);
}
END_TEST

START_TEST(a_foreign_kma_is_denied)
{
    struct puppet *foreign = puppet_new(pump, neighbour);
    struct wire_route route = {.source_id = neighbour, .destination_id = kma_eid};
    PUPPET_SEND(foreign, route, QKD_RP_KMI, kmc_eid, &route);
    pump_run(pump, qkd_span_ms(3 * PERIOD_MS));
    ck_assert_uint_eq(puppet_count(controller, WIRE_CMD_ROUTE), 0);
    ck_assert_uint_eq(security_count(WIRE_FAULT_DENIED, QKD_RP_KMI), 1);
    puppet_free(foreign);
    pump_crash(pump, neighbour);
}
END_TEST

/* D23-CT-T2: another controller than the own one is authenticated, but nothing is told or obeyed. */
START_TEST(a_foreign_controller_is_denied)
{
    struct qkd_eid other = qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 55);
    struct puppet *foreign = puppet_new(pump, other);
    struct wire_status status = {.has_period_ms = true,
                                 .period_ms = 100,
                                 .table = WIRE_STATUS_KEY_AMOUNT};
    struct wire_route_rsp rsp = {
        .head.orig_message_id = 1, .source_id = kma_eid, .destination_id = neighbour, .code = 1};
    kma_status(1, 4000);
    PUPPET_SEND(foreign, status, QKD_RP_CK, kmc_eid, &status);
    PUPPET_SEND(foreign, route_rsp, QKD_RP_CK, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(3 * PERIOD_MS));
    ck_assert_uint_eq(puppet_count(foreign, WIRE_CMD_STATUS_RSP), 0);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 0);
    ck_assert_uint_eq(security_count(WIRE_FAULT_DENIED, QKD_RP_CK), 2);
    puppet_free(foreign);
    pump_crash(pump, other);
}
END_TEST

START_TEST(silent_manager_raises_a_fault)
{
    pump_run(pump, qkd_span_ms(500));
    metadata_send(kma, kma_eid, 1); /* never acknowledged */
    pump_run(pump, qkd_span_ms(7 * PERIOD_MS));
    /* told as soon as it is heard of again: raised, then cleared by standing()'s REPORT_ACK */
    ck_assert_int_eq(standing(WIRE_FAULT_MANAGER_LOST, 0), 1);
    pump_run(pump, qkd_span_ms(2 * PERIOD_MS));
    ck_assert_int_eq(standing(WIRE_FAULT_MANAGER_LOST, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kmc");
    TCase *tests = tcase_create("kmc");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, stock_is_passed_on_and_answered);
    tcase_add_test(tests, stock_without_an_answer);
    tcase_add_test(tests, status_once_on_command);
    tcase_add_test(tests, status_every_period_until_stopped);
    tcase_add_test(tests, changes_are_pushed_at_once);
    tcase_add_test(tests, modules_are_told_of_on_demand);
    tcase_add_test(tests, silent_module_raises_a_fault);
    tcase_add_test(tests, high_qber_raises_a_fault);
    tcase_add_test(tests, a_module_speaks_for_itself_only);
    tcase_add_test(tests, route_is_passed_on_and_answered);
    tcase_add_test(tests, table_is_passed_on_and_acknowledged);
    tcase_add_test(tests, route_is_repeated_then_refused);
    tcase_add_test(tests, too_many_routes_are_refused);
    tcase_add_test(tests, controller_out_of_reach_is_a_fault);
    tcase_add_test(tests, without_controller_routes_are_refused);
    tcase_add_test(tests, generation_reaches_the_module_and_back);
    tcase_add_test(tests, newer_generation_supersedes_older);
    tcase_add_test(tests, generation_for_a_foreign_module_is_refused);
    tcase_add_test(tests, reports_are_renumbered_and_passed_on);
    tcase_add_test(tests, nobody_reports_in_anothers_name);
    tcase_add_test(tests, ksa_may_not_do_what_a_kma_does);
    tcase_add_test(tests, a_foreign_kma_is_denied);
    tcase_add_test(tests, a_foreign_controller_is_denied);
    tcase_add_test(tests, silent_manager_raises_a_fault);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
