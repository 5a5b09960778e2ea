/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of controller, KMC and manager: no allocation per message once warm, and no harm when any
 * single allocation fails. A real controller, KMC and manager; KMA, a second KMC and a module are
 * played. Allocations are counted inside the step() of the element under test only. */
#include <check.h>
#include <stdlib.h>

#include "core/controller/controller.h"
#include "core/km/kmc.h"
#include "core/manager/manager.h"
#include "tests/lib/alloc_count.h"
#include "tests/lib/puppet.h"

enum { PERIOD_MS = 1000, LINK = 3, UNDER_CONTROLLER, UNDER_KMC, UNDER_MANAGER };

static const struct qkd_eid kmc_eid = {(uint64_t)QKD_ROLE_KMC << 56 | 7};
static const struct qkd_eid kma_eid = {(uint64_t)QKD_ROLE_KMA << 56 | 7};
static const struct qkd_eid module_eid = {(uint64_t)QKD_ROLE_MODULE << 56 | 7};
static const struct qkd_eid far_kmc = {(uint64_t)QKD_ROLE_KMC << 56 | 8};
static const struct qkd_eid far_kma = {(uint64_t)QKD_ROLE_KMA << 56 | 8};
static const struct qkd_eid controller_eid = {(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90};
static const struct qkd_eid manager_eid = {(uint64_t)QKD_ROLE_MANAGER << 56 | 91};

static struct pump *pump;
static struct ctl *ctl;
static struct kmc *kmc;
static struct mgr *mgr;
static struct puppet *kma, *far, *module;
static struct km_config km_config;
static int under_test;   /* UNDER_... */
static uint64_t counted; /* allocations of the element under test */
static int64_t fail_at;  /* allocation of it to fail, counted from now; negative: none */

/* One step of an element; counts, or makes the chosen allocation fail. What a failing step returns
 * or leaves half done is what the world would drop; START and CONFIG are the world's own and must
 * not fail. */
#define COUNTED(name, which)                                                                       \
    static int counted_##name##_step(void *self, const struct qkd_event *event,                    \
                                     struct qkd_out *out)                                          \
    {                                                                                              \
        bool is_chosen = under_test == (which) && event->type != QKD_EV_START &&                   \
                         event->type != QKD_EV_CONFIG;                                             \
        if (!is_chosen) {                                                                          \
            return name##_step(self, event, out);                                                  \
        }                                                                                          \
        alloc_count_begin_failing(fail_at);                                                        \
        int err = name##_step(self, event, out);                                                   \
        int64_t used = (int64_t)alloc_count_end();                                                 \
        counted += (uint64_t)used;                                                                 \
        bool has_failed = fail_at >= 0 && used > fail_at;                                          \
        fail_at = has_failed ? -1 : fail_at >= 0 ? fail_at - used : fail_at;                       \
        if (has_failed && (err < 0 || out->failed)) {                                              \
            qkd_out_reset(out);                                                                    \
            out->failed = false;                                                                   \
            err = 0;                                                                               \
        }                                                                                          \
        return err;                                                                                \
    }                                                                                              \
    static struct qkd_time counted_##name##_deadline(const void *self)                             \
    {                                                                                              \
        return name##_deadline(self);                                                              \
    }
COUNTED(ctl, UNDER_CONTROLLER)
COUNTED(kmc, UNDER_KMC)
COUNTED(mgr, UNDER_MANAGER)

static void link_configure(void)
{
    struct wire_cfg_link message = {
        .head.message_id = 1, .link = LINK, .peer = far_kma, .module = module_eid};
    uint8_t bytes[512];
    int len = wire_cfg_link_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(pump, kmc_eid, bytes, (size_t)len);
}

static void elements_make(void)
{
    struct ctl_config ctl_config = {.self = controller_eid,
                                    .manager = manager_eid,
                                    .routing = CTL_WIDEST,
                                    .route_validity = qkd_span_s(10),
                                    .status_period = qkd_span_ms(PERIOD_MS),
                                    .retransmit = qkd_span_ms(200),
                                    .node_limit = 4,
                                    .link_limit = 4};
    struct mgr_config mgr_config = {.self = manager_eid,
                                    .peer_limit = 8,
                                    .life_limit = 64,
                                    .alarm_limit = 16,
                                    .report_life = true};
    km_config = (struct km_config){.node = 7,
                                   .parts = KM_ALL,
                                   .name = "km7",
                                   .community = "test",
                                   .controller = controller_eid,
                                   .manager = manager_eid,
                                   .retransmit = qkd_span_ms(200),
                                   .retries = 5,
                                   .status_period = qkd_span_ms(PERIOD_MS),
                                   .request_limit = 16,
                                   .link_limit = 4};
    ck_assert_int_eq(ctl_new(&ctl_config, &ctl), 0);
    ck_assert_int_eq(mgr_new(&mgr_config, &mgr), 0);
    ck_assert_int_eq(kmc_new(&km_config, &kmc), 0);
    pump_add(pump, manager_eid,
             (struct pump_element){
                 .self = mgr, .step = counted_mgr_step, .deadline = counted_mgr_deadline});
    pump_add(pump, controller_eid,
             (struct pump_element){
                 .self = ctl, .step = counted_ctl_step, .deadline = counted_ctl_deadline});
    pump_add(pump, kmc_eid,
             (struct pump_element){
                 .self = kmc, .step = counted_kmc_step, .deadline = counted_kmc_deadline});
    pump_start(pump, manager_eid);
    pump_start(pump, controller_eid);
    pump_start(pump, kmc_eid);
    link_configure();
}

static void world_make(int which, int64_t fail)
{
    under_test = which;
    fail_at = fail;
    counted = 0;
    pump = pump_new(&(struct pump_config){.seed = 1});
    elements_make();
    kma = puppet_new(pump, kma_eid);
    module = puppet_new(pump, module_eid);
    far = puppet_new(pump, far_kmc);
    puppet_open(kma, QKD_RP_KMI, kmc_eid);
    puppet_open(module, QKD_RP_KQ2, kmc_eid);
    puppet_open(far, QKD_RP_CK, controller_eid);
    pump_run(pump, qkd_span_ms(500));
}

static void world_drop(void)
{
    puppet_free(kma);
    puppet_free(module);
    puppet_free(far);
    ctl_free(ctl);
    kmc_free(kmc);
    mgr_free(mgr);
    pump_free(pump);
}

static void status_send(struct puppet *from, enum qkd_rp rp, struct qkd_eid to, struct qkd_eid peer)
{
    struct wire_link_status status = {
        .link = LINK, .peer = peer, .up = 1, .own_bits = 1000000, .peer_bits = 1000000};
    uint8_t blob[256];
    int len = wire_link_status_encode(&status, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.has_links = true,
                                  .links = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(from, status_rsp, rp, to, &rsp);
}

/* Half a second of all that happens: statuses, a route, generation control, reports. */
static void half_second(uint32_t round)
{
    status_send(kma, QKD_RP_KMI, kmc_eid, far_kma);
    status_send(far, QKD_RP_CK, controller_eid, kma_eid);
    struct wire_module_status says = {.module = module_eid,
                                      .link = LINK,
                                      .qber_ppm = round % 4 == 0 ? 120000 : 10000};
    uint8_t blob[4096];
    int len = wire_module_status_encode(&says, blob, sizeof blob);
    ck_assert_int_gt(len, 0);
    struct wire_status_rsp rsp = {.has_modules = true,
                                  .modules = {blob, (size_t)len},
                                  .code = WIRE_SUCCESS};
    PUPPET_SEND(module, status_rsp, QKD_RP_KQ2, kmc_eid, &rsp);
    pump_run(pump, qkd_span_ms(20));
    struct wire_route route = {.source_id = kma_eid,
                               .destination_id = far_kma,
                               .key_amount = 1,
                               .key_size = 256,
                               .batch = 1};
    PUPPET_SEND(kma, route, QKD_RP_KMI, kmc_eid, &route);
    struct wire_generation run = {.module_id = module_eid, .run = 1};
    PUPPET_SEND(kma, generation, QKD_RP_KMI, kmc_eid, &run);
    size_t used = 0;
    for (uint32_t i = 0; i < 20; i++) {
        struct wire_life life = {.at = kma_eid, .action = 1, .key_class = 1};
        wire_put_u32(life.id.b, round * 20 + i);
        len = wire_life_encode(&life, blob + used, sizeof blob - used);
        ck_assert_int_gt(len, 0);
        used += (size_t)len;
    }
    struct wire_metadata report = {.source = kma_eid, .records = {blob, used}};
    PUPPET_SEND(kma, metadata, QKD_RP_KMI, kmc_eid, &report);
    pump_run(pump, qkd_span_ms(480));
    puppet_forget(module);
}

START_TEST(no_allocation_once_warm)
{
    world_make(_i, -1);
    for (uint32_t round = 0; round < 60; round++) {
        half_second(round);
    }
    ck_assert_uint_gt(counted, 0);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 60);
    ck_assert_uint_gt(mgr_counts(mgr).life_dropped, 0); /* the ring is full */
    counted = 0;
    for (uint32_t round = 60; round < 120; round++) {
        half_second(round);
    }
    ck_assert_uint_eq(counted, 0);
    ck_assert_uint_eq(puppet_count(kma, WIRE_CMD_ROUTE_RSP), 120);
    world_drop();
}
END_TEST

START_TEST(any_allocation_may_fail)
{
    world_make(_i, -1);
    for (uint32_t round = 0; round < 6; round++) {
        half_second(round);
    }
    int64_t all = (int64_t)counted;
    world_drop();
    ck_assert_int_gt(all, 0);
    for (int64_t n = 0; n < all; n++) {
        world_make(_i, n);
        uint32_t round = 0;
        while (round < 60 && (round < 6 || puppet_count(kma, WIRE_CMD_ROUTE_RSP) == 0 ||
                              mgr_counts(mgr).life_records == 0)) {
            half_second(round++);
        }
        ck_assert_msg(fail_at == -1, "allocation %ld of %ld did not happen", (long)n, (long)all);
        ck_assert_msg(puppet_count(kma, WIRE_CMD_ROUTE_RSP) > 0, "no route after failing %ld",
                      (long)n);
        ck_assert_msg(mgr_counts(mgr).life_records > 0, "no records after failing %ld", (long)n);
        world_drop();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control_alloc");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, no_allocation_once_warm, UNDER_CONTROLLER, UNDER_MANAGER + 1);
    tcase_add_loop_test(tests, any_allocation_may_fail, UNDER_CONTROLLER, UNDER_MANAGER + 1);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
