/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key managers, modules, controller, manager and applications of a line of nodes in the pump: a key
 * request end to end (7.1.3 ... 7.1.5), neighbours' pool units, loss, restart of a hop. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/app/app.h"
#include "core/base/err.h"
#include "core/controller/controller.h"
#include "core/crypto/crypto.h"
#include "core/km/km.h"
#include "core/manager/manager.h"
#include "core/module/module.h"
#include "core/wire/codec.h"
#include "tests/lib/pump.h"

PUMP_ELEMENT(km)
PUMP_ELEMENT(mod)
PUMP_ELEMENT(ctl)
PUMP_ELEMENT(mgr)
PUMP_ELEMENT(app)

#define NODES 3
#define BLOCK_BYTES 20000

struct line {
    struct pump *p;
    struct km *km[NODES];
    struct km_config config[NODES];
    struct mod *mod[2 * (NODES - 1)];
    struct ctl *ctl;
    struct mgr *mgr;
    struct app *app[2];
    uint8_t boot[NODES - 1][512];
    uint32_t blocks;
};

static int start_km(void *self, struct qkd_eid part, const struct qkd_event *event,
                    struct qkd_out *out)
{
    enum km_parts which = qkd_eid_role(part) == QKD_ROLE_KMA   ? KM_KMA
                          : qkd_eid_role(part) == QKD_ROLE_KSA ? KM_KSA
                                                               : KM_KMC;
    return km_start(self, which, event, out);
}

static struct qkd_eid eid(enum qkd_role role, uint32_t instance, uint32_t node)
{
    return qkd_eid_make(role, instance, node);
}

static struct qkd_eid ctl_eid(void)
{
    return eid(QKD_ROLE_CONTROLLER, 0, 0);
}

static struct qkd_eid mgr_eid(void)
{
    return eid(QKD_ROLE_MANAGER, 0, 0);
}

/* The module of a link at its left (0) or right (1) end. */
static struct qkd_eid mod_eid(uint32_t link, uint32_t end)
{
    return end == 0 ? eid(QKD_ROLE_MODULE, link == 0 ? 0 : 1, link)
                    : eid(QKD_ROLE_MODULE, 0, link + 1);
}

static void configure_link(struct line *l, uint32_t link, uint32_t end)
{
    uint8_t bytes[1024];
    uint32_t node = link + end;
    uint32_t other = link + 1 - end;
    struct wire_cfg_link cfg = {.link = link,
                                .peer = eid(QKD_ROLE_KMA, 0, other),
                                .peer_name = {(const uint8_t *)"peer", 4},
                                .module = mod_eid(link, end),
                                .peer_module = mod_eid(link, 1 - end),
                                .bootstrap = {l->boot[link], sizeof l->boot[link]},
                                .store_bits = 64000000};
    cfg.peer_ip.b[15] = (uint8_t)(other + 1);
    int len = wire_cfg_link_encode(&cfg, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(l->p, eid(QKD_ROLE_KMA, 0, node), bytes, (size_t)len);
    pump_configure(l->p, eid(QKD_ROLE_KMC, 0, node), bytes, (size_t)len);
    pump_configure(l->p, mod_eid(link, end), bytes, (size_t)len);
}

static void configure_app(struct line *l, uint32_t node, uint32_t which)
{
    uint8_t bytes[128];
    struct qkd_eid app[2] = {eid(QKD_ROLE_APP, 0, 0), eid(QKD_ROLE_APP, 1, NODES - 1)};
    struct wire_cfg_app cfg = {.app = app[which],
                               .name = {(const uint8_t *)"video", 5},
                               .peer_app = app[1 - which],
                               .level = WIRE_LEVEL_OTP_ONLY};
    int len = wire_cfg_app_encode(&cfg, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(l->p, eid(QKD_ROLE_KSA, 0, node), bytes, (size_t)len);
}

static void start_node(struct line *l, uint32_t node)
{
    struct pump_element e = {
        .self = l->km[node], .step = pump_km_step, .deadline = pump_km_deadline, .start = start_km};
    static const enum qkd_role roles[] = {QKD_ROLE_KMC, QKD_ROLE_KMA, QKD_ROLE_KSA};
    for (int i = 0; i < 3; i++) {
        pump_add(l->p, eid(roles[i], 0, node), e);
    }
    for (int i = 0; i < 3; i++) {
        pump_start(l->p, eid(roles[i], 0, node));
    }
}

static void make_km(struct line *l, uint32_t node)
{
    ck_assert_int_eq(km_new(&l->config[node], &l->km[node]), 0);
}

static struct line *line_new(unsigned loss_percent)
{
    struct line *l = calloc(1, sizeof *l);
    ck_assert_int_eq(crypto_init(), 0);
    l->p = pump_new(&(struct pump_config){.seed = 7,
                                          .loss_percent = loss_percent,
                                          .dup_percent = loss_percent,
                                          .reorder_percent = loss_percent});
    static const char *names[] = {"A", "B", "C"};
    for (uint32_t i = 0; i + 1 < NODES; i++) {
        crypto_expand(l->boot[i], (const uint8_t *)"0123456789abcdef0123456789abcdef", i * 4096,
                      sizeof l->boot[i]);
    }
    struct ctl_config ctl = {.self = ctl_eid(),
                             .routing = CTL_WIDEST,
                             .route_validity = qkd_span_s(10),
                             .status_period = qkd_span_s(1),
                             .retransmit = qkd_span_ms(200),
                             .node_limit = 16,
                             .link_limit = 16};
    struct mgr_config mgr = {
        .self = mgr_eid(), .peer_limit = 64, .life_limit = 100000, .alarm_limit = 64};
    ck_assert_int_eq(ctl_new(&ctl, &l->ctl), 0);
    ck_assert_int_eq(mgr_new(&mgr, &l->mgr), 0);
    pump_add(l->p, ctl_eid(),
             (struct pump_element){
                 .self = l->ctl, .step = pump_ctl_step, .deadline = pump_ctl_deadline});
    pump_add(l->p, mgr_eid(),
             (struct pump_element){
                 .self = l->mgr, .step = pump_mgr_step, .deadline = pump_mgr_deadline});
    pump_start(l->p, ctl_eid());
    pump_start(l->p, mgr_eid());
    for (uint32_t i = 0; i < NODES; i++) {
        l->config[i] = (struct km_config){.node = i,
                                          .parts = KM_ALL,
                                          .name = names[i],
                                          .community = "test",
                                          .controller = ctl_eid(),
                                          .manager = mgr_eid(),
                                          .unit_bits = 256,
                                          .batch = 1,
                                          .lease_bits = 16384,
                                          .retransmit = qkd_span_ms(200),
                                          .retries = 5,
                                          .expiry = qkd_span_s(3600),
                                          .fetch_within = qkd_span_s(60),
                                          .timer = qkd_span_s(600),
                                          .status_period = qkd_span_s(1),
                                          .request_limit = 1024,
                                          .key_limit = 4096,
                                          .link_limit = 8};
        l->config[i].ip[15] = (uint8_t)(i + 1);
        make_km(l, i);
        start_node(l, i);
    }
    for (uint32_t i = 0; i + 1 < NODES; i++) {
        for (uint32_t end = 0; end < 2; end++) {
            struct mod_config mod = {.self = mod_eid(i, end),
                                     .controller = ctl_eid(),
                                     .manager = mgr_eid(),
                                     .retransmit = qkd_span_ms(200),
                                     .status_period = qkd_span_s(1),
                                     .queue_limit = 16};
            ck_assert_int_eq(mod_new(&mod, &l->mod[2 * i + end]), 0);
            pump_add(l->p, mod.self,
                     (struct pump_element){.self = l->mod[2 * i + end],
                                           .step = pump_mod_step,
                                           .deadline = pump_mod_deadline});
            pump_start(l->p, mod.self);
            configure_link(l, i, end);
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t node = i == 0 ? 0 : NODES - 1;
        struct app_config app = {.self = eid(QKD_ROLE_APP, i, node),
                                 .partner = eid(QKD_ROLE_APP, 1 - i, i == 0 ? NODES - 1 : 0),
                                 .key_bits = 256,
                                 .level = WIRE_LEVEL_OTP_ONLY,
                                 .timeout = qkd_span_s(5),
                                 .retransmit = qkd_span_ms(200),
                                 .limit = 100};
        ck_assert_int_eq(app_new(&app, &l->app[i]), 0);
        pump_add(l->p, app.self,
                 (struct pump_element){
                     .self = l->app[i], .step = pump_app_step, .deadline = pump_app_deadline});
        pump_start(l->p, app.self);
        configure_app(l, 0, i);
        configure_app(l, NODES - 1, i);
    }
    return l;
}

static void line_free(struct line *l)
{
    for (uint32_t i = 0; i < NODES; i++) {
        km_free(l->km[i]);
    }
    for (uint32_t i = 0; i < 2 * (NODES - 1); i++) {
        mod_free(l->mod[i]);
    }
    for (uint32_t i = 0; i < 2; i++) {
        app_free(l->app[i]);
    }
    ctl_free(l->ctl);
    mgr_free(l->mgr);
    pump_free(l->p);
    free(l);
}

/* One block of key on every link. */
static void blocks(struct line *l)
{
    for (uint32_t i = 0; i + 1 < NODES; i++) {
        uint8_t seed[32] = {1, 2, (uint8_t)i, (uint8_t)l->blocks};
        uint8_t bytes[256];
        struct wire_q_block block = {.head = {.rp = QKD_RP_Q, .message_id = 1},
                                     .key_length = BLOCK_BYTES * 8,
                                     .form = 1,
                                     .key = {seed, sizeof seed},
                                     .rate_bps = 10000};
        block.qkd_key_id.b[0] = (uint8_t)(i + 1);
        block.qkd_key_id.b[1] = (uint8_t)++l->blocks;
        for (uint32_t end = 0; end < 2; end++) {
            struct qkd_eid device = qkd_eid_make(QKD_ROLE_DEVICE, qkd_eid_instance(mod_eid(i, end)),
                                                 qkd_eid_node(mod_eid(i, end)));
            block.head.sender = device;
            int len = wire_q_block_encode(&block, bytes, sizeof bytes);
            ck_assert_int_gt(len, 0);
            pump_inject(l->p, &(struct pump_message){.rp = QKD_RP_Q,
                                                     .from = device,
                                                     .to = mod_eid(i, end),
                                                     .bytes = bytes,
                                                     .len = (size_t)len});
        }
    }
}

static void load(struct line *l, uint32_t count)
{
    uint8_t bytes[64];
    struct qkd_eid to = eid(QKD_ROLE_APP, 0, 0);
    struct wire_load msg = {.head = {.rp = QKD_RP_LOAD, .message_id = 1}, .count = count};
    msg.head.sender = eid(QKD_ROLE_LOAD, 0, 0);
    int len = wire_load_encode(&msg, bytes, sizeof bytes);
    pump_inject(l->p, &(struct pump_message){.rp = QKD_RP_LOAD,
                                             .from = msg.head.sender,
                                             .to = to,
                                             .bytes = bytes,
                                             .len = (size_t)len});
}

static size_t outcomes(struct line *l, unsigned outcome)
{
    size_t n = 0;
    size_t all = pump_report_count(l->p, QKD_REPORT_OUTCOME, QKD_NOBODY);
    for (size_t i = 0; i < all; i++) {
        const struct qkd_report *r = pump_report(l->p, QKD_REPORT_OUTCOME, QKD_NOBODY, i);
        n += r->a == outcome;
        if (r->a != outcome) {
            fprintf(stderr, "outcome %s reason %s\n", wire_outcome_text((unsigned)r->a),
                    wire_reason_text((unsigned)r->b));
        }
    }
    return n;
}

START_TEST(end_to_end)
{
    struct line *l = line_new(0);
    pump_run(l->p, qkd_span_s(3));
    blocks(l);
    pump_run(l->p, qkd_span_s(3));
    for (int i = 0; i < 10; i++) {
        load(l, 1);
        pump_run(l->p, qkd_span_s(1));
    }
    pump_run(l->p, qkd_span_s(3));
    ck_assert_uint_eq(outcomes(l, WIRE_OUTCOME_SERVED), 10);
    ck_assert_uint_eq(pump_report_count(l->p, QKD_REPORT_FETCHED, QKD_NOBODY), 10);
    line_free(l);
}
END_TEST

START_TEST(with_loss)
{
    struct line *l = line_new(5);
    pump_run(l->p, qkd_span_s(10));
    blocks(l);
    pump_run(l->p, qkd_span_s(10));
    for (int i = 0; i < 50; i++) {
        load(l, 1);
        pump_run(l->p, qkd_span_s(1));
    }
    pump_run(l->p, qkd_span_s(10));
    ck_assert_uint_ge(outcomes(l, WIRE_OUTCOME_SERVED), 48);
    line_free(l);
}
END_TEST

START_TEST(hop_restarts)
{
    struct line *l = line_new(0);
    pump_run(l->p, qkd_span_s(3));
    blocks(l);
    pump_run(l->p, qkd_span_s(3));
    for (int i = 0; i < 20; i++) {
        load(l, 1);
        pump_run(l->p, qkd_span_ms(100));
        if (i == 10) {
            static const enum qkd_role roles[] = {QKD_ROLE_KMC, QKD_ROLE_KMA, QKD_ROLE_KSA};
            for (int k = 0; k < 3; k++) {
                pump_crash(l->p, eid(roles[k], 0, 1));
            }
            km_free(l->km[1]);
            make_km(l, 1);
            start_node(l, 1);
            configure_link(l, 0, 1);
            configure_link(l, 1, 0);
        }
    }
    pump_run(l->p, qkd_span_s(10));
    ck_assert_uint_eq(outcomes(l, WIRE_OUTCOME_SERVED), 20);
    line_free(l);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("km_line");
    TCase *tc = tcase_create("line");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, end_to_end);
    tcase_add_test(tc, with_loss);
    tcase_add_test(tc, hop_restarts);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
