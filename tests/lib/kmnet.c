/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network of real elements in a pump: see tests/lib/kmnet.h. */
#include "tests/lib/kmnet.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/app/app.h"
#include "core/controller/controller.h"
#include "core/crypto/crypto.h"
#include "core/km/km.h"
#include "core/module/module.h"
#include "core/wire/codec.h"

PUMP_ELEMENT(km)
PUMP_ELEMENT(mod)
PUMP_ELEMENT(ctl)
PUMP_ELEMENT(mgr)
PUMP_ELEMENT(app)

enum { BOOT_BYTES = 512, HOSTS = 2, MESSAGE_BYTES = 1024 };

static const enum qkd_role roles[] = {QKD_ROLE_KMC, QKD_ROLE_KMA, QKD_ROLE_KSA};

struct kmn_parts {
    struct km_config km_config[KMN_NODES];
    struct km *km[KMN_NODES][HOSTS]; /* the second only with config.two */
    struct mod *mod[KMN_LINKS][2];
    struct qkd_eid mod_eid[KMN_LINKS][2];
    struct app *app[KMN_APPS][2];
    struct ctl *ctl;
    uint8_t boot[KMN_LINKS][BOOT_BYTES];
};

struct qkd_eid kmn_kma(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KMA, 0, node);
}

struct qkd_eid kmn_ksa(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KSA, 0, node);
}

struct qkd_eid kmn_app(const struct kmn *net, uint32_t app, uint32_t end)
{
    return qkd_eid_make(QKD_ROLE_APP, 2 * app + end, net->config.app_ends[app][end]);
}

struct qkd_id kmn_block_id(uint32_t link, uint32_t number)
{
    return (struct qkd_id){{(uint8_t)(link + 1), (uint8_t)(number >> 8), (uint8_t)number}};
}

static struct qkd_eid controller(const struct kmn *net)
{
    return net->config.no_controller ? QKD_NOBODY : qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 0);
}

static struct qkd_eid manager(void)
{
    return qkd_eid_make(QKD_ROLE_MANAGER, 0, 0);
}

/* ---- key managers ---- */

static int start_km(void *self, struct qkd_eid part, const struct qkd_event *event,
                    struct qkd_out *out)
{
    enum km_parts which = qkd_eid_role(part) == QKD_ROLE_KMA   ? KM_KMA
                          : qkd_eid_role(part) == QKD_ROLE_KSA ? KM_KSA
                                                               : KM_KMC;
    return km_start(self, which, event, out);
}

static void km_begin(struct kmn *net, uint32_t node)
{
    struct kmn_parts *parts = net->parts;
    struct km_config config = parts->km_config[node];
    bool two = net->config.two;
    config.parts = two ? KM_KMA | KM_KMC : KM_ALL;
    ck_assert_int_eq(km_new(&config, &parts->km[node][0]), 0);
    config.parts = KM_KSA;
    if (two) {
        ck_assert_int_eq(km_new(&config, &parts->km[node][1]), 0);
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct pump_element element = {.self = parts->km[node][two && roles[i] == QKD_ROLE_KSA],
                                       .step = net->config.step != NULL ? net->config.step
                                                                        : pump_km_step,
                                       .deadline = pump_km_deadline,
                                       .start = start_km};
        pump_add(net->pump, qkd_eid_make(roles[i], 0, node), element);
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        pump_start(net->pump, qkd_eid_make(roles[i], 0, node));
    }
}

static void km_make(struct kmn *net, uint32_t node)
{
    static const char *const names[KMN_NODES] = {"A", "B", "C", "D", "E", "F", "G", "H"};
    struct qkd_span timer = net->config.timer;
    uint32_t requests = net->config.requests > 0 ? net->config.requests : 1024;
    net->parts->km_config[node] = (struct km_config){.node = node,
                                                     .name = names[node],
                                                     .community = "test",
                                                     .controller = controller(net),
                                                     .manager = manager(),
                                                     .unit_bits = 256,
                                                     .batch = 1,
                                                     .lease_bits = 16384,
                                                     .retransmit = qkd_span_ms(200),
                                                     .retries = 5,
                                                     .expiry = qkd_span_s(3600),
                                                     .fetch_within = qkd_span_s(60),
                                                     .timer = timer.ns > 0 ? timer
                                                                           : qkd_span_s(600),
                                                     .status_period = qkd_span_s(1),
                                                     .request_limit = requests,
                                                     .key_limit = 4096,
                                                     .link_limit = KMN_LINKS};
    net->parts->km_config[node].ip[15] = (uint8_t)(node + 1);
    km_begin(net, node);
}

/* ---- configuration ---- */

static void configure_link(struct kmn *net, uint32_t link, uint32_t end)
{
    uint8_t bytes[MESSAGE_BYTES];
    struct kmn_parts *parts = net->parts;
    uint32_t other = net->config.ends[link][1 - end];
    struct qkd_eid kma = kmn_kma(net->config.ends[link][end]);
    struct wire_cfg_link config = {.link = link,
                                   .peer = kmn_kma(other),
                                   .peer_name = {(const uint8_t *)"peer", 4},
                                   .module = parts->mod_eid[link][end],
                                   .peer_module = parts->mod_eid[link][1 - end],
                                   .bootstrap = {parts->boot[link], BOOT_BYTES},
                                   .store_bits = net->config.store_bits > 0 ? net->config.store_bits
                                                                            : 64000000};
    config.peer_ip.b[15] = (uint8_t)(other + 1);
    int len = wire_cfg_link_encode(&config, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_configure(net->pump, kma, bytes, (size_t)len);
    pump_configure(net->pump, qkd_eid_sibling(kma, QKD_ROLE_KMC), bytes, (size_t)len);
    pump_configure(net->pump, config.module, bytes, (size_t)len);
}

/* Both agents of an application, to the KSA at one of its ends. */
static void configure_app(struct kmn *net, uint32_t app, uint32_t at_end)
{
    uint8_t bytes[MESSAGE_BYTES];
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_cfg_app config = {.app = kmn_app(net, app, i),
                                      .name = {(const uint8_t *)"video", 5},
                                      .peer_app = kmn_app(net, app, 1 - i),
                                      .level = WIRE_LEVEL_OTP_ONLY,
                                      .has_relay = net->config.relay != WIRE_RELAY_HOP_BY_HOP,
                                      .relay = net->config.relay,
                                      .has_paths = net->config.paths > 0,
                                      .paths = net->config.paths};
        int len = wire_cfg_app_encode(&config, bytes, sizeof bytes);
        ck_assert_int_gt(len, 0);
        pump_configure(net->pump, kmn_ksa(net->config.app_ends[app][at_end]), bytes, (size_t)len);
    }
}

static void configure_node(struct kmn *net, uint32_t node)
{
    for (uint32_t end = 0; end < 2; end++) {
        for (uint32_t i = 0; i < net->config.links; i++) {
            if (net->config.ends[i][end] == node) {
                configure_link(net, i, end);
            }
        }
        for (uint32_t i = 0; i < net->config.apps; i++) {
            if (net->config.app_ends[i][end] == node) {
                configure_app(net, i, end);
            }
        }
    }
}

void kmn_restart(struct kmn *net, uint32_t node)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        pump_crash(net->pump, qkd_eid_make(roles[i], 0, node));
    }
    for (uint32_t host = 0; host < HOSTS; host++) {
        km_free(net->parts->km[node][host]);
        net->parts->km[node][host] = NULL;
    }
    km_begin(net, node);
    configure_node(net, node);
}

/* ---- the other elements ---- */

static void control_make(struct kmn *net)
{
    struct ctl_config ctl = {.self = controller(net),
                             .routing = CTL_WIDEST,
                             .route_validity = qkd_span_s(10),
                             .status_period = qkd_span_s(1),
                             .retransmit = qkd_span_ms(200),
                             .node_limit = 16,
                             .link_limit = 16};
    struct mgr_config mgr = {
        .self = manager(), .peer_limit = 64, .life_limit = 100000, .alarm_limit = 64};
    ck_assert_int_eq(mgr_new(&mgr, &net->manager), 0);
    pump_add(net->pump, mgr.self,
             (struct pump_element){
                 .self = net->manager, .step = pump_mgr_step, .deadline = pump_mgr_deadline});
    pump_start(net->pump, mgr.self);
    if (net->config.no_controller) {
        return;
    }
    ck_assert_int_eq(ctl_new(&ctl, &net->parts->ctl), 0);
    pump_add(net->pump, ctl.self,
             (struct pump_element){
                 .self = net->parts->ctl, .step = pump_ctl_step, .deadline = pump_ctl_deadline});
    pump_start(net->pump, ctl.self);
}

static void module_make(struct kmn *net, uint32_t link, uint32_t end)
{
    struct mod **mod = &net->parts->mod[link][end];
    struct mod_config config = {.self = net->parts->mod_eid[link][end],
                                .controller = controller(net),
                                .manager = manager(),
                                .retransmit = qkd_span_ms(200),
                                .status_period = qkd_span_s(1),
                                .queue_limit = 16};
    ck_assert_int_eq(mod_new(&config, mod), 0);
    pump_add(
        net->pump, config.self,
        (struct pump_element){.self = *mod, .step = pump_mod_step, .deadline = pump_mod_deadline});
    pump_start(net->pump, config.self);
}

static void app_make(struct kmn *net, uint32_t number, uint32_t end)
{
    struct app **app = &net->parts->app[number][end];
    struct app_config config = {.self = kmn_app(net, number, end),
                                .partner = kmn_app(net, number, 1 - end),
                                .key_bits = 256,
                                .level = WIRE_LEVEL_OTP_ONLY,
                                .timeout = qkd_span_s(5),
                                .retransmit = qkd_span_ms(200),
                                .limit = 100};
    ck_assert_int_eq(app_new(&config, app), 0);
    pump_add(
        net->pump, config.self,
        (struct pump_element){.self = *app, .step = pump_app_step, .deadline = pump_app_deadline});
    pump_start(net->pump, config.self);
}

/* Modules are numbered per node in the order of the links. */
static void modules_number(struct kmn *net)
{
    uint32_t next[KMN_NODES] = {0};
    for (uint32_t i = 0; i < net->config.links; i++) {
        for (uint32_t end = 0; end < 2; end++) {
            uint32_t node = net->config.ends[i][end];
            net->parts->mod_eid[i][end] = qkd_eid_make(QKD_ROLE_MODULE, next[node]++, node);
        }
    }
}

struct kmn *kmn_new(const struct kmn_config *config)
{
    struct kmn *net = calloc(1, sizeof *net);
    ck_assert_ptr_nonnull(net);
    ck_assert_int_eq(crypto_init(), 0);
    net->config = *config;
    net->parts = calloc(1, sizeof *net->parts);
    ck_assert_ptr_nonnull(net->parts);
    net->pump = pump_new(&(struct pump_config){.seed = 7,
                                               .loss_percent = config->loss_percent,
                                               .dup_percent = config->loss_percent,
                                               .reorder_percent = config->loss_percent});
    modules_number(net);
    control_make(net);
    for (uint32_t i = 0; i < config->nodes; i++) {
        km_make(net, i);
    }
    for (uint32_t i = 0; i < config->links; i++) {
        static const uint8_t seed[32] = "bootstrap secrets of the links";
        crypto_expand(net->parts->boot[i], seed, i * 4096, BOOT_BYTES);
        module_make(net, i, 0);
        module_make(net, i, 1);
    }
    for (uint32_t i = 0; i < config->apps; i++) {
        app_make(net, i, 0);
        app_make(net, i, 1);
    }
    for (uint32_t i = 0; i < config->nodes; i++) {
        configure_node(net, i);
    }
    return net;
}

void kmn_free(struct kmn *net)
{
    struct kmn_parts *parts = net->parts;
    for (uint32_t i = 0; i < KMN_NODES; i++) {
        km_free(parts->km[i][0]);
        km_free(parts->km[i][1]);
    }
    for (uint32_t end = 0; end < 2; end++) {
        for (uint32_t i = 0; i < KMN_LINKS; i++) {
            mod_free(parts->mod[i][end]);
        }
        for (uint32_t i = 0; i < KMN_APPS; i++) {
            app_free(parts->app[i][end]);
        }
    }
    ctl_free(parts->ctl);
    mgr_free(net->manager);
    pump_free(net->pump);
    free(parts);
    free(net);
}

struct kmn_config kmn_line(uint32_t nodes)
{
    struct kmn_config config = {.nodes = nodes, .links = nodes - 1, .apps = 1};
    for (uint32_t i = 0; i + 1 < nodes; i++) {
        config.ends[i][0] = i;
        config.ends[i][1] = i + 1;
    }
    config.app_ends[0][1] = nodes - 1;
    return config;
}

/* ---- what tests do ---- */

void kmn_run(struct kmn *net, int64_t ms)
{
    pump_run(net->pump, qkd_span_ms(ms));
}

void kmn_blocks(struct kmn *net)
{
    const struct kmn_config *config = &net->config;
    net->blocks++;
    for (uint32_t i = 0; i < config->links; i++) {
        uint32_t len = (config->block_bytes > 0 ? config->block_bytes : 20000) +
                       i * config->block_step;
        uint8_t seed[32] = {1, 2, (uint8_t)i, (uint8_t)net->blocks, (uint8_t)(net->blocks >> 8)};
        uint8_t *key = malloc(len);
        uint8_t *bytes = malloc(len + MESSAGE_BYTES);
        ck_assert(key != NULL && bytes != NULL);
        crypto_expand(key, seed, 0, len);
        struct wire_q_block block = {.head = {.rp = QKD_RP_Q, .message_id = net->blocks},
                                     .qkd_key_id = kmn_block_id(i, net->blocks),
                                     .key_length = len * 8,
                                     .form = config->key_bits ? 0 : 1,
                                     .key = {config->key_bits ? key : seed,
                                             config->key_bits ? len : sizeof seed},
                                     .rate_bps = 10000};
        for (uint32_t end = 0; end < 2; end++) {
            struct qkd_eid module = net->parts->mod_eid[i][end];
            block.head.sender = qkd_eid_make(QKD_ROLE_DEVICE, qkd_eid_instance(module),
                                             qkd_eid_node(module));
            int n = wire_q_block_encode(&block, bytes, len + MESSAGE_BYTES);
            ck_assert_int_gt(n, 0);
            pump_inject(net->pump, &(struct pump_message){.rp = QKD_RP_Q,
                                                          .from = block.head.sender,
                                                          .to = module,
                                                          .bytes = bytes,
                                                          .len = (size_t)n});
        }
        free(bytes);
        free(key);
    }
}

void kmn_settle(struct kmn *net, uint32_t blocks)
{
    int64_t ms = net->config.loss_percent > 0 ? 10000 : 3000;
    kmn_run(net, ms);
    for (uint32_t i = 0; i < blocks; i++) {
        kmn_blocks(net);
    }
    kmn_run(net, ms);
}

void kmn_ask(struct kmn *net, uint32_t app, uint32_t count)
{
    uint8_t bytes[64];
    struct qkd_eid to = kmn_app(net, app, 0);
    struct wire_load load = {.head = {.rp = QKD_RP_LOAD, .message_id = 1}, .count = count};
    load.head.sender = qkd_eid_make(QKD_ROLE_LOAD, 0, qkd_eid_node(to));
    int len = wire_load_encode(&load, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    pump_inject(net->pump, &(struct pump_message){.rp = QKD_RP_LOAD,
                                                  .from = load.head.sender,
                                                  .to = to,
                                                  .bytes = bytes,
                                                  .len = (size_t)len});
}

size_t kmn_outcomes(const struct kmn *net, unsigned outcome)
{
    size_t n = 0;
    size_t all = pump_report_count(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY);
    for (size_t i = 0; i < all; i++) {
        const struct qkd_report *r = pump_report(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY, i);
        n += r->a == outcome;
        if (r->a != outcome) {
            fprintf(stderr, "outcome %s reason %s\n", wire_outcome_text((unsigned)r->a),
                    wire_reason_text((unsigned)r->b));
        }
    }
    return n;
}
