/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a world: made from a scenario, booted at time 0, run to its end, summed up. */
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/manager/manager.h"
#include "core/wire/codec.h"
#include "sim/attack.h"
#include "sim/late.h"
#include "sim/memory.h"
#include "sim/work.h"
#include "watch/stats.h"

enum {
    OUT_LIMIT = 16 << 20, /* bytes that one step may put out */
    POLL_EVERY = 4096     /* callbacks between looks at the interrupt flag */
};

/* ---- small services ---- */

void sim_world_fail(struct sim_world *world, int err, const char *what)
{
    if (err == 0 || world->error != 0) {
        return;
    }
    world->error = err;
    if (world->options.why != NULL && world->options.why_size > 0) {
        (void)snprintf(world->options.why, world->options.why_size, "%s at %.9f s: %s", what,
                       (double)(world->engine != NULL ? sim_world_now(world) : 0) * 1e-9,
                       qkd_err_text(err));
    }
    if (world->engine != NULL) {
        sim_engine_stop(world->engine);
    }
}

void sim_world_post(struct sim_world *world, uint32_t node, int64_t at_ns, uint64_t tag)
{
    sim_world_fail(world, sim_engine_post(world->engine, node, at_ns, tag), "timer");
}

void sim_world_note(struct sim_world *world, const char *kind, const char *entity,
                    const char *detail)
{
    watch_trace_add(&world->trace, &(struct watch_trace_event){.now_ns = sim_world_now(world),
                                                               .what = UINT32_MAX,
                                                               .bytes = (const uint8_t *)entity,
                                                               .len = strlen(entity)});
    if (world->sink.event != NULL) {
        world->sink.event(world->sink.ctx, &(struct scn_event){.time_ns = sim_world_now(world),
                                                               .kind = kind,
                                                               .entity = entity,
                                                               .detail = detail});
    }
}

void sim_world_derive(const struct sim_world *world, const char *name, const uint64_t numbers[3],
                      uint8_t to[32])
{
    uint8_t text[24];
    for (int i = 0; i < 3; i++) {
        wire_put_u64(text + 8 * i, numbers[i]);
    }
    struct crypto_part parts[2] = {{name, strlen(name)}, {text, sizeof(text)}};
    crypto_hmac(world->secret, parts, 2, to);
}

void sim_world_bootstrap_seed(const struct sim_world *world, uint32_t link, uint8_t seed[32])
{
    uint64_t numbers[3] = {link, 0, 0};
    sim_world_derive(world, "bootstrap", numbers, seed);
}

/* ---- callbacks ---- */

static void stop(struct sim_world *world, bool interrupted)
{
    world->interrupted = world->interrupted || interrupted;
    sim_engine_stop(world->engine);
}

/* After each callback: has a rule been broken, does somebody want to know or to end it? */
static void tick(struct sim_world *world)
{
    world->callbacks++;
    if (world->verdict != NULL && world->verdict->violations > 0) {
        stop(world, false);
    }
    int64_t now_ns = sim_world_now(world);
    bool poll = world->callbacks % POLL_EVERY == 0;
    if (!poll && now_ns - world->progress_ns < QKD_NS_PER_S) {
        return;
    }
    world->progress_ns = now_ns;
    if (world->options.interrupt != NULL && *world->options.interrupt != 0) {
        stop(world, true);
    }
    if (world->sink.progress != NULL) {
        struct scn_progress progress = {.now_ns = now_ns,
                                        .events = world->events,
                                        .requests_ended = watch_stats_ended(world->stats)};
        if (world->sink.progress(world->sink.ctx, &progress)) {
            stop(world, true);
        }
    }
}

static void on_deliver(void *ctx, struct sim_packet *packet)
{
    sim_world_on_deliver(ctx, packet);
    tick(ctx);
}

static void on_wake(void *ctx, uint32_t unit)
{
    sim_world_on_wake(ctx, unit);
    tick(ctx);
}

static void oracle_bootstrap(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    size_t len = (size_t)(scenario->key_management.bootstrap_bits / 8);
    uint8_t seed[32];
    uint8_t *secret = malloc(len > 0 ? len : 1);
    if (secret == NULL) {
        sim_world_fail(world, QKD_ERR_NOMEM, "bootstrap secret");
        return;
    }
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        bool is_seed = scenario->links[i].qkd.key_form == SCN_KEY_SEED;
        sim_world_bootstrap_seed(world, i, seed);
        crypto_expand(secret, seed, 0, len);
        watch_oracle_config_link(world->oracle, i, &(struct wire_bytes){secret, len},
                                 is_seed ? seed : NULL);
    }
    crypto_wipe(seed, sizeof seed);
    crypto_wipe(secret, len);
    free(secret);
}

static void boot_node(struct sim_world *world, uint32_t number)
{
    if (world->nodes[number].incarnation == 0) { /* else it was started before */
        sim_node_start(world, number);
    }
}

/* Starts the next group of nodes. A large network starts in groups: handshakes take memory while they
 * last, and all at once would be the peak of the run. Controller and manager come first, then the
 * highest numbers: neighbours' channels are opened by the lower one, who then finds the other. */
static void boot_group(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    uint32_t count = (uint32_t)scenario->node_count;
    bool large = count > SIM_BOOT_GROUP;
    if (large && world->booted == 0) {
        boot_node(world, scenario->control.at);
        boot_node(world, scenario->management.at);
        if (scenario->control.standby != SCN_NO_NODE) {
            boot_node(world, scenario->control.standby);
        }
    }
    for (uint32_t i = 0; i < SIM_BOOT_GROUP && world->booted < count && world->error == 0; i++) {
        uint32_t place = world->booted++;
        boot_node(world, large ? count - 1 - place : place);
    }
    if (world->booted < count && world->error == 0) {
        sim_world_post(world, 0, sim_world_now(world) + SIM_BOOT_GROUP_NS,
                       sim_world_tag(SIM_TIMER_BOOT, 0, 0));
    }
}

static void boot(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    if (world->booted > 0) {
        boot_group(world);
        return;
    }
    if (world->oracle != NULL) {
        oracle_bootstrap(world);
    }
    boot_group(world);
    sim_devices_start(world);
    sim_faults_start(world);
    if (world->attackers != NULL) {
        sim_attackers_start(world);
    }
    sim_world_post(world, 0, scenario->warmup_ns, sim_world_tag(SIM_TIMER_WARM, 0, 0));
    if (scenario->classical.disturbed_until_ns != SCN_AUTO) {
        sim_world_post(world, 0, scenario->classical.disturbed_until_ns,
                       sim_world_tag(SIM_TIMER_CALM, 0, 0));
    }
}

static void on_timer(void *ctx, uint64_t tag)
{
    struct sim_world *world = ctx;
    uint32_t index = (uint32_t)tag;
    switch ((enum sim_timer)(tag >> 56)) {
    case SIM_TIMER_BOOT:
        boot(world);
        break;
    case SIM_TIMER_BLOCK:
        sim_device_timer(world, index, (uint32_t)(tag >> 32) & 0xffffffU);
        break;
    case SIM_TIMER_NOISE:
        sim_noise_timer(world, index);
        break;
    case SIM_TIMER_LOAD:
        sim_load_timer(world, index);
        break;
    case SIM_TIMER_FAULT_BEGIN:
        sim_fault_begin(world, index);
        break;
    case SIM_TIMER_FAULT_END:
        sim_fault_end(world, index);
        break;
    case SIM_TIMER_RESTART:
        sim_node_restart(world, index);
        break;
    case SIM_TIMER_LATE:
        sim_late_timer(world, index);
        break;
    case SIM_TIMER_CALM:
        sim_net_calm(world->net);
        break;
    case SIM_TIMER_ATTACK:
        sim_attackers_timer(world, (enum sim_attack_timer)(tag >> 32 & 0xffffffU), index);
        break;
    case SIM_TIMER_WORK:
        sim_world_work(world, index);
        break;
    case SIM_TIMER_WARM:
        watch_stats_warm(world->stats, sim_world_now(world));
        break;
    }
    sim_world_drain(world);
    tick(world);
}

/* ---- new, run, free ---- */

static int net_new(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    const struct scn_classical *classical = &scenario->classical;
    uint32_t link_count = 0;
    struct host_cable *links = host_cables_new(scenario, &link_count);
    if (links == NULL) {
        return QKD_ERR_NOMEM;
    }
    struct sim_net_config config = {
        .node_count = (uint32_t)scenario->node_count,
        .switch_count = (uint32_t)classical->switch_count,
        .shortest = classical->link_count > 0,
        .links = links,
        .link_count = link_count,
        .queue_bytes = classical->queue_bytes,
        .management_latency_ns = classical->management_latency_ns,
        .management_bandwidth_bps = classical->management_bandwidth_bps,
        .loss = classical->loss,
        .duplicate = classical->duplicate,
        .reorder = classical->reorder,
        .reorder_jitter_ns = classical->reorder_jitter_ns,
        .seed = scn_stream_seed(scenario, scenario->seeds.losses),
        .hubs = {scenario->control.at, scenario->management.at, scenario->control.standby},
    };
    int rc = sim_net_new(&config, &world->net);
    free(links);
    return rc;
}

/* Pairs that talk much beside neighbours: the ends of applications and, in band, controller and
 * manager with everybody. The caller frees *pairs. */
static int pairs_new(const struct scn_scenario *scenario, struct sim_pair **pairs, size_t *count)
{
    bool in_band = scenario->classical.management == SCN_MANAGEMENT_IN_BAND;
    *count = 0;
    *pairs = calloc(scenario->application_count + 3 * scenario->node_count, sizeof(**pairs));
    if (*pairs == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < scenario->application_count; i++) {
        const struct scn_application *app = &scenario->applications[i];
        (*pairs)[(*count)++] = (struct sim_pair){app->from, app->to};
    }
    for (uint32_t n = 0; n < scenario->node_count && in_band; n++) {
        (*pairs)[(*count)++] = (struct sim_pair){scenario->control.at, n};
        (*pairs)[(*count)++] = (struct sim_pair){scenario->management.at, n};
        if (scenario->control.standby != SCN_NO_NODE) {
            (*pairs)[(*count)++] = (struct sim_pair){scenario->control.standby, n};
        }
    }
    return 0;
}

static void on_fate(void *ctx, const struct sim_packet *packet, enum watch_fate fate)
{
    const struct sim_world *world = ctx;
    if (packet->note != 0) {
        watch_recorder_fate(world->recorder, packet->note, fate);
    }
}

static int engine_new(struct sim_world *world)
{
    struct sim_pair *pairs = NULL;
    size_t pair_count = 0;
    int rc = pairs_new(world->scenario, &pairs, &pair_count);
    if (rc != 0) {
        return rc;
    }
    struct sim_engine_config config = {
        .kind = world->options.has_engine ? world->options.engine : world->scenario->engine,
        .net = world->net,
        .pool = world->pool,
        .keep_platform = world->options.keep_platform,
        .pairs = pairs,
        .pair_count = pair_count,
        .calls = {world, on_deliver, on_wake, on_timer},
        .fate = world->recorder == NULL ? NULL : on_fate,
        .why = world->options.why,
        .why_size = world->options.why_size,
    };
    world->summary->engine = config.kind;
    rc = sim_engine_new(&config, &world->engine);
    free(pairs);
    return rc;
}

static uint64_t on_discarded(void *ctx, uint32_t link)
{
    const struct sim_world *world = ctx;
    return watch_oracle_link_ledger(world->oracle, link).discarded;
}

static int world_fill(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    world->pool = sim_pool_new();
    world->stats = watch_stats_new(
        &(struct watch_stats_config){.scenario = scenario,
                                     .sink = &world->sink,
                                     .epoch_ns = SIM_EPOCH_NS,
                                     .discarded = world->options.oracle_off ? NULL : on_discarded,
                                     .discarded_ctx = world});
    if (world->pool == NULL || world->stats == NULL) {
        return QKD_ERR_NOMEM;
    }
    if (world->sink.message != NULL) {
        world->recorder = watch_recorder_new(&world->sink);
        if (world->recorder == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    if (!world->options.oracle_off) {
        world->oracle = watch_oracle_new(scenario);
        if (world->oracle == NULL) {
            return QKD_ERR_NOMEM;
        }
        world->verdict = watch_oracle_verdict(world->oracle);
    }
    int rc = net_new(world);
    if (rc == 0) {
        rc = engine_new(world);
    }
    rc = rc == 0 ? sim_attackers_new(world) : rc;
    return rc == 0 ? sim_world_build(world) : rc;
}

int sim_world_new(const struct scn_scenario *scenario, const struct sim_options *options,
                  struct scn_summary *summary, struct sim_world **world_out)
{
    *world_out = NULL;
    int rc = crypto_init();
    struct sim_world *world = rc == 0 ? calloc(1, sizeof(*world)) : NULL;
    if (world == NULL) {
        return rc == 0 ? QKD_ERR_NOMEM : rc;
    }
    world->scenario = scenario;
    world->options = *options;
    world->summary = summary;
    if (options->sink != NULL) {
        world->sink = *options->sink;
    }
    qkd_out_init(&world->out, OUT_LIMIT);
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, scn_stream_seed(scenario, scenario->seeds.elements), "world", 0);
    qkd_rng_bytes(&rng, world->secret, sizeof(world->secret));
    qkd_rng_fini(&rng);
    world->end_ns = scenario->duration_ns;
    if (options->until_ns > 0 && options->until_ns < world->end_ns) {
        world->end_ns = options->until_ns;
    }
    rc = world_fill(world);
    if (rc != 0) {
        if (rc == QKD_ERR_NOMEM) {
            sim_world_fail(world, rc, "world");
        }
        sim_world_free(world);
        return rc;
    }
    *world_out = world;
    return 0;
}

void sim_world_free(struct sim_world *world)
{
    if (world == NULL) {
        return;
    }
    for (uint32_t i = 0; world->units != NULL && i < world->plan->unit_count; i++) {
        free(world->units[i].secrets);
    }
    for (size_t i = 0; i < world->scenario->node_count && world->nodes != NULL; i++) {
        sim_store_fini(&world->nodes[i].store);
        qkd_out_fini(&world->nodes[i].held);
    }
    sim_late_free(world);
    sim_work_free(world);
    sim_attackers_free(world);
    sim_devices_free(world);
    sim_engine_free(world->engine);
    sim_net_free(world->net);
    sim_pool_free(world->pool);
    watch_stats_free(world->stats);
    watch_recorder_free(world->recorder);
    watch_oracle_free(world->oracle);
    qkd_out_fini(&world->out);
    host_plan_free(world->plan);
    free(world->nodes);
    free(world->units);
    free(world->dirty);
    crypto_wipe(world->secret, sizeof(world->secret));
    free(world);
}

void sim_world_hook(struct sim_world *world, const struct sim_hooks *hooks)
{
    world->hooks = *hooks;
    world->plan->options.delete_after = hooks->delete_after;
}

static void oracle_summary(struct sim_world *world)
{
    struct scn_summary *summary = world->summary;
    watch_oracle_summarise(world->oracle, summary);
    if (summary->oracle.violations > 0) {
        summary->oracle.first_event = world->events;
        sim_world_note(world, "violation", "", summary->oracle.first);
    }
}

/* What the manager has got, and what it knows to be missing. */
static void manager_look(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->plan->unit_count; i++) {
        const struct host_unit *unit = &world->plan->units[i];
        if (unit->kind == HOST_UNIT_MANAGER && unit->element.any != NULL) {
            struct mgr_counts counts = mgr_counts(unit->element.mgr);
            world->manager_gaps += counts.gaps;
            world->summary->reports += counts.reports;
        }
    }
}

int sim_world_run(struct sim_world *world)
{
    struct scn_summary *summary = world->summary;
    sim_world_post(world, 0, 0, sim_world_tag(SIM_TIMER_BOOT, 0, 0));
    int rc = sim_engine_run(world->engine, world->end_ns);
    sim_world_fail(world, rc, "engine");
    int64_t now_ns = sim_world_now(world);
    if (world->oracle != NULL) {
        if (world->verdict->violations == 0 && world->error == 0) {
            watch_oracle_finish(world->oracle, now_ns);
        }
        oracle_summary(world);
    }
    if (world->recorder != NULL) {
        watch_recorder_finish(world->recorder);
        sim_world_fail(world, watch_recorder_failed(world->recorder) ? QKD_ERR_NOMEM : 0,
                       "messages");
    }
    sim_world_fail(world, watch_stats_finish(world->stats, now_ns, summary), "statistics");
    manager_look(world);
    if (world->attackers != NULL) {
        sim_attackers_summarise(world, summary);
    }
    summary->seed = world->scenario->seed;
    summary->interrupted = world->interrupted;
    summary->sim_s = (double)now_ns / 1e9;
    summary->events = world->events;
    summary->messages = world->messages;
    summary->trace_digest = watch_trace_digest(&world->trace);
    return world->error;
}

int sim_run(const struct scn_scenario *scenario, const struct sim_options *options,
            struct scn_summary *summary)
{
    int rc = scn_summary_init(summary, scenario);
    if (rc != 0) {
        return rc;
    }
    struct sim_world *world = NULL;
    sim_memory_expect(scenario);
    rc = sim_world_new(scenario, options, summary, &world);
    if (rc == 0) {
        rc = sim_world_run(world);
    }
    sim_world_free(world);
    return rc;
}
