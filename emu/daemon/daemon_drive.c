/* SPDX-License-Identifier: GPL-3.0-or-later */
/* By the clock: the optics of a link make blocks at the modelled rate in real time, and the load asks
 * its agents for keys at the scenario's instants. Run time 0 is the configuration's epoch, or the start:
 * no light and no load before it. */
#include <stdlib.h>

#include <sodium.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "emu/daemon/daemon_state.h"

enum {
    BLOCKS_PER_TURN = 4, /* beyond these the next turn goes on: messages want their turn, too */
    ASKED_PER_TURN = 16,
    MISSED_S = 5 /* requests that are later than this are left out: the daemon was halted */
};

static struct qkd_time run_time(const struct emu_daemon *daemon)
{
    return (struct qkd_time){emu_now().ns - daemon->zero_ns};
}

static void on_message(void *ctx, const struct host_message *message)
{
    struct emu_daemon *daemon = ctx;
    int rc = emu_hosted_recv(daemon->hosted, message);
    emu_daemon_fail(daemon, rc == QKD_ERR_AGAIN ? 0 : rc, "optics or load");
}

static struct host_sender sender_of(struct emu_daemon *daemon)
{
    return (struct host_sender){daemon, emu_hosted_message_id(daemon->hosted), on_message};
}

/* ---- optics ---- */

/* Which end of the link a device is at. */
static uint32_t end_of(const struct emu_daemon *daemon, struct qkd_eid device)
{
    const struct scn_link *link = &daemon->config->scenario->links[daemon->config->index];
    return qkd_eid_node(device) == link->b ? 1 : 0;
}

static struct qkd_eid device_of(const struct emu_daemon *daemon, uint32_t end)
{
    const struct host_plan *plan = daemon->plan;
    const struct host_unit *unit = &plan->units[plan->modules[daemon->config->index][end]];
    return qkd_eid_make(QKD_ROLE_DEVICE, unit->instance, unit->node);
}

/* Run time 0: the light goes on where it was wanted before. */
static void light_up(struct emu_daemon *daemon, struct qkd_time now)
{
    daemon->dark = false;
    for (uint32_t end = 0; end < 2 && daemon->error == 0; end++) {
        struct qkd_eid device = device_of(daemon, end);
        struct wire_q_control control = {
            .head = {.rp = QKD_RP_Q, .message_id = 1, .sender = device}, .run = 1};
        uint8_t bytes[WIRE_HEAD_LEN + 32];
        int len = wire_q_control_encode(&control, bytes, sizeof(bytes));
        QKD_ASSERT(len > 0);
        struct host_optics_calls calls = {sender_of(daemon), NULL};
        struct host_message message = {
            .rp = QKD_RP_Q, .to = device, .bytes = bytes, .len = (size_t)len};
        if (daemon->wanted[end]) {
            emu_daemon_fail(daemon, host_optics_control(&daemon->optics, now, &message, &calls),
                            "optics");
        }
    }
}

/* Hands over what the optics have made until now. */
static void optics_tick(struct emu_daemon *daemon, struct qkd_time now)
{
    struct host_optics_calls calls = {sender_of(daemon), NULL};
    while (host_optics_noise_due(&daemon->optics).ns <= now.ns) {
        host_optics_noise(&daemon->optics, &calls);
    }
    for (int i = 0; i < BLOCKS_PER_TURN && daemon->error == 0 &&
                    host_optics_block_due(&daemon->optics).ns <= now.ns;
         i++) {
        emu_daemon_fail(daemon, host_optics_block(&daemon->optics, &calls), "optics");
    }
}

void emu_drive_control(struct emu_daemon *daemon, const struct qkd_send *send, const uint8_t *bytes)
{
    struct wire_q_control control;
    if (daemon->dark && wire_q_control_decode(&control, bytes, send->bytes.len) == 0) {
        daemon->wanted[end_of(daemon, send->to)] = control.run != 0;
        return;
    }
    struct host_optics_calls calls = {sender_of(daemon), NULL};
    struct qkd_time now = run_time(daemon);
    optics_tick(daemon, now); /* a block may have been done in the turn that this command ends */
    struct host_message message = {
        .rp = send->rp, .from = send->from, .to = send->to, .bytes = bytes, .len = send->bytes.len};
    int rc = host_optics_control(&daemon->optics, now, &message, &calls);
    emu_daemon_fail(daemon, rc, "optics");
}

/* ---- faults on the light ---- */

static bool fault_concerns(const struct emu_daemon *daemon, const struct scn_fault *fault)
{
    const struct scn_link *link = &daemon->config->scenario->links[daemon->config->index];
    if (fault->target == SCN_TARGET_NODE) { /* a node that is down gets no light */
        return fault->what == SCN_FAULT_DOWN &&
               (fault->index == link->a || fault->index == link->b);
    }
    return fault->target == SCN_TARGET_LINK && fault->index == daemon->config->index &&
           (fault->what == SCN_FAULT_QUANTUM || fault->what == SCN_FAULT_BOTH);
}

static int64_t fault_end_ns(const struct scn_fault *fault)
{
    return fault->for_ns == SCN_FOREVER
               ? QKD_NEVER.ns
               : qkd_time_add((struct qkd_time){fault->at_ns}, qkd_span_ns(fault->for_ns)).ns;
}

static void fault_note(struct emu_daemon *daemon, bool begins)
{
    emu_log(daemon->log, EMU_LOG_WARN, begins ? "light_cut" : "light_back", NULL, 0);
}

/* Begins and ends what is due, also what passed while the daemon was not there. */
static void faults_tick(struct emu_daemon *daemon, struct qkd_time now)
{
    const struct scn_scenario *scenario = daemon->config->scenario;
    struct host_optics_calls calls = {sender_of(daemon), NULL};
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (!fault_concerns(daemon, fault)) {
            continue;
        }
        if (daemon->faults[i] == EMU_FAULT_TO_COME && fault->at_ns <= now.ns) {
            daemon->faults[i] = EMU_FAULT_HOLDS;
            host_optics_break(&daemon->optics, now);
            fault_note(daemon, true);
        }
        if (daemon->faults[i] == EMU_FAULT_HOLDS && fault_end_ns(fault) <= now.ns) {
            daemon->faults[i] = EMU_FAULT_OVER;
            host_optics_mend(&daemon->optics, now, &calls);
            fault_note(daemon, false);
        }
    }
}

static struct qkd_time faults_due(const struct emu_daemon *daemon)
{
    const struct scn_scenario *scenario = daemon->config->scenario;
    struct qkd_time at = QKD_NEVER;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (!fault_concerns(daemon, fault) || daemon->faults[i] == EMU_FAULT_OVER) {
            continue;
        }
        int64_t due_ns = daemon->faults[i] == EMU_FAULT_TO_COME ? fault->at_ns
                                                                : fault_end_ns(fault);
        at = qkd_time_min(at, (struct qkd_time){due_ns});
    }
    return at;
}

/* A restarted link never makes the bits of an earlier start again. */
static int optics_start(struct emu_daemon *daemon)
{
    struct scn_scenario *scenario = daemon->config->scenario;
    uint32_t link = daemon->config->index;
    daemon->dark = run_time(daemon).ns < 0;
    daemon->faults = calloc(scenario->fault_count + 1, sizeof(*daemon->faults));
    if (daemon->faults == NULL) {
        return QKD_ERR_NOMEM;
    }
    uint32_t incarnation = emu_store_incarnation(daemon->store);
    if (incarnation > 1) { /* other bits by the scenario's seed than before */
        uint64_t seed = scn_link_seed(scenario, link);
        seed += UINT64_C(0x9e3779b97f4a7c15) * (incarnation - 1);
        scenario->links[link].seed = (int64_t)(seed & INT64_MAX);
    }
    int rc = host_optics_init(&daemon->optics, daemon->plan, link);
    if (rc == 0 && daemon->config->keys == EMU_KEYS_RANDOM) {
        uint8_t seed[32];
        randombytes_buf(seed, sizeof(seed));
        host_optics_reseed(&daemon->optics, seed);
        crypto_wipe(seed, sizeof(seed));
    }
    daemon->optics.stocked = incarnation > 1; /* the initial key is given once */
    return rc;
}

/* ---- load ---- */

static int load_start(struct emu_daemon *daemon)
{
    const struct scn_scenario *scenario = daemon->config->scenario;
    size_t all = scenario->application_count;
    daemon->loads = calloc(all + 1, sizeof(*daemon->loads));
    daemon->load_at = calloc(all + 1, sizeof(*daemon->load_at));
    if (daemon->loads == NULL || daemon->load_at == NULL) {
        return QKD_ERR_NOMEM;
    }
    struct qkd_time now = run_time(daemon);
    for (uint32_t i = 0; i < all; i++) {
        if (scenario->applications[i].from != daemon->config->index) {
            continue;
        }
        struct host_load *load = &daemon->loads[daemon->load_count];
        host_load_init(load, daemon->plan, i);
        struct qkd_time at = host_load_next(load);
        while (at.ns < now.ns) { /* passed while the daemon was not there */
            at = host_load_next(load);
        }
        daemon->load_at[daemon->load_count++] = at;
    }
    return 0;
}

int emu_drive_start(struct emu_daemon *daemon)
{
    if (daemon->config->kind == EMU_LINKD) {
        return optics_start(daemon);
    }
    if (daemon->config->kind == EMU_KMD && daemon->config->load == EMU_LOAD_SCENARIO) {
        return load_start(daemon);
    }
    return 0;
}

void emu_drive_fini(struct emu_daemon *daemon)
{
    if (daemon->config->kind == EMU_LINKD) {
        host_optics_fini(&daemon->optics);
    }
    for (uint32_t i = 0; i < daemon->load_count; i++) {
        host_load_fini(&daemon->loads[i]);
    }
    free(daemon->loads);
    free(daemon->load_at);
    free(daemon->faults);
}

/* ---- ticks ---- */

static bool has_optics(const struct emu_daemon *daemon)
{
    return daemon->config->kind == EMU_LINKD && daemon->optics.plan != NULL;
}

/* Asks for what is due. What was missed while the daemon was halted is left out, as what passes while it is
 * not there (load_start): its users have given up. */
static void load_tick(struct emu_daemon *daemon, uint32_t number, struct qkd_time now)
{
    struct host_sender sender = sender_of(daemon);
    struct qkd_time *at = &daemon->load_at[number];
    struct qkd_time since = qkd_time_add(now, qkd_span_s(-MISSED_S));
    uint64_t missed = 0;
    for (; at->ns < since.ns; missed++) {
        *at = host_load_next(&daemon->loads[number]);
    }
    for (int n = 0; n < ASKED_PER_TURN && at->ns <= now.ns && daemon->error == 0; n++) {
        host_load_ask(&daemon->loads[number], &sender);
        *at = host_load_next(&daemon->loads[number]);
    }
    if (missed > 0) {
        struct emu_log_field fields[] = {emu_log_uint("requests", missed)};
        emu_log(daemon->log, EMU_LOG_WARN, "load_missed", fields, 1);
    }
}

void emu_drive_tick(struct emu_daemon *daemon)
{
    struct qkd_time now = run_time(daemon);
    if (daemon->dark && now.ns >= 0) {
        light_up(daemon, now);
    }
    if (has_optics(daemon) && !daemon->dark) {
        optics_tick(daemon, now); /* a fault does not stop what was done before it */
        faults_tick(daemon, now);
    }
    for (uint32_t i = 0; i < daemon->load_count; i++) {
        load_tick(daemon, i, now);
    }
}

struct qkd_time emu_drive_deadline(const struct emu_daemon *daemon)
{
    struct qkd_time at = QKD_NEVER;
    if (has_optics(daemon)) {
        at = daemon->dark ? (struct qkd_time){0}
                          : qkd_time_min(host_optics_noise_due(&daemon->optics),
                                         host_optics_block_due(&daemon->optics));
        at = qkd_time_min(at, faults_due(daemon));
    }
    for (uint32_t i = 0; i < daemon->load_count; i++) {
        at = qkd_time_min(at, daemon->load_at[i]);
    }
    return qkd_time_add(at, qkd_span_ns(daemon->zero_ns));
}
