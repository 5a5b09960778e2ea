/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps of units and what follows from them: commit, sends, reports, in this order (base/out.h). */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "host/configure.h"
#include "host/unit.h"
#include "sim/attack.h"
#include "sim/late.h"
#include "sim/work.h"
#include "sim/world.h"
#include "watch/stats.h"

enum {
    APP_NOTIFY_BYTES = 64, /* what an application's own message takes on the wire */
    IDLE_LIMIT = 21        /* fruitless time-outs are at most 2^20 ns apart */
};

/* ---- outputs ---- */

/* Whether a fault that waits for outputs of this node strikes at this one. */
static bool struck(struct sim_world *world, uint32_t number, enum scn_fault_what what)
{
    struct sim_node *node = &world->nodes[number];
    if (node->armed == 0 || world->scenario->faults[node->armed - 1].what != what ||
        --node->armed_left > 0) {
        return false;
    }
    sim_node_strike(world, number);
    return true;
}

/* Counts an output; true if a fault or a hook crashed its node. */
static bool output_done(struct sim_world *world, uint32_t node)
{
    if (++world->outputs != world->hooks.crash_output) {
        return struck(world, node, SCN_FAULT_CRASH);
    }
    sim_node_crash(world, node);
    sim_world_post(world, node, sim_world_now(world) + world->hooks.crash_for_ns,
                   sim_world_tag(SIM_TIMER_RESTART, 0, node));
    return true;
}

static void commit(struct sim_world *world, uint32_t node)
{
    const struct qkd_out *out = &world->out;
    int64_t now_ns = sim_world_now(world);
    for (size_t i = 0; i < out->persist_count; i++) {
        const struct qkd_persist *entry = &out->persist[i];
        const uint8_t *value = qkd_out_at(out, entry->value);
        if (world->oracle != NULL) {
            watch_oracle_persist(world->oracle, now_ns, entry, value);
        }
        int rc = sim_store_apply(&world->nodes[node].store, entry, value);
        if (rc == 0 && entry->kind == WIRE_PERSIST_KEY && !entry->del) {
            rc = watch_stats_key(world->stats, now_ns, entry, value);
        }
        sim_world_fail(world, rc, "store");
    }
}

static enum sim_plane plane_of(const struct sim_world *world, enum qkd_rp rp)
{
    return host_is_management(world->scenario, rp) ? SIM_PLANE_MANAGEMENT : SIM_PLANE_DATA;
}

/* The packet's bytes go to the end of the queue of this instant. */
static void queue(struct sim_world *world, struct sim_packet *packet)
{
    packet->next = NULL;
    if (world->last != NULL) {
        world->last->next = packet;
    } else {
        world->first = packet;
    }
    world->last = packet;
}

static struct sim_packet *packet_make(struct sim_world *world, const struct sim_local *local)
{
    struct sim_packet *packet = sim_pool_take(world->pool, local->len);
    if (packet == NULL) {
        sim_world_fail(world, QKD_ERR_NOMEM, "packet");
        return NULL;
    }
    packet->kind = (uint8_t)local->kind;
    packet->rp = (uint8_t)local->rp;
    packet->note = local->note;
    packet->from = local->from;
    packet->to = local->to;
    packet->forged = local->forged;
    packet->twin = local->twin;
    if (local->len > 0) {
        memcpy(packet->bytes, local->bytes, local->len);
    }
    return packet;
}

void sim_world_local(struct sim_world *world, const struct sim_local *local)
{
    struct sim_packet *packet = packet_make(world, local);
    if (packet != NULL) {
        queue(world, packet);
    }
}

/* The recorder's handle of a message, 0 if it is not recorded. */
static uint32_t note_of(const struct sim_world *world, const struct qkd_send *send,
                        const uint8_t *observed)
{
    if (world->recorder == NULL) {
        return 0;
    }
    struct watch_recorder_sight sight = {send, qkd_out_at(&world->out, send->bytes), observed,
                                         sim_world_now(world), world->cause};
    return watch_recorder_send(world->recorder, &sight);
}

void sim_world_carry(struct sim_world *world, const struct sim_local *message)
{
    uint32_t node = qkd_eid_node(message->from);
    uint32_t to_node = qkd_eid_node(message->to);
    if (to_node == node) {
        sim_world_local(world, message);
        return;
    }
    struct sim_packet *packet = packet_make(world, message);
    if (packet != NULL) {
        bool is_app = message->rp == QKD_RP_APP; /* applications talk over a transport of theirs */
        packet->from_node = node;
        packet->to_node = to_node;
        packet->plane = (uint8_t)plane_of(world, message->rp);
        packet->checked = is_app;
        packet->wire_len = is_app ? APP_NOTIFY_BYTES : packet->len + SIM_TRANSPORT_BYTES;
        (void)sim_engine_send(world->engine, packet);
    }
}

void sim_world_drop(struct sim_world *world, const struct sim_local *message)
{
    if (message->note != 0) {
        watch_recorder_fate(world->recorder, message->note, WATCH_FATE_CHANCE);
    }
}

static void transport(struct sim_world *world, const struct qkd_send *send, uint32_t note)
{
    const uint8_t *bytes = qkd_out_at(&world->out, send->bytes);
    if (send->rp == QKD_RP_Q && qkd_eid_role(send->to) == QKD_ROLE_DEVICE) {
        if (host_optical_of_device(world->plan, send->to) != SCN_NO_OPTICAL) {
            sim_optical_control(world, send->to, bytes, send->bytes.len);
        } else {
            sim_device_control(world, send->to, bytes, send->bytes.len);
        }
        return;
    }
    uint32_t to_node = qkd_eid_node(send->to);
    if (to_node >= world->scenario->node_count) {
        if (note != 0) { /* nobody there */
            (void)watch_recorder_arrive(world->recorder, note, sim_world_now(world), false);
        }
        return;
    }
    struct sim_local local = {.kind = SIM_PACKET_MESSAGE,
                              .rp = send->rp,
                              .from = send->from,
                              .to = send->to,
                              .bytes = bytes,
                              .len = send->bytes.len,
                              .note = note};
    const uint8_t *text = send->observed.len > 0 ? qkd_out_at(&world->out, send->observed) : NULL;
    if (world->attackers != NULL && sim_attackers_meet(world, &local, text, send->observed.len)) {
        return;
    }
    sim_world_carry(world, &local);
}

static void send_one(struct sim_world *world, const struct qkd_send *send)
{
    const struct qkd_out *out = &world->out;
    const uint8_t *observed = send->observed.len > 0 ? qkd_out_at(out, send->observed) : NULL;
    world->messages++;
    bool outside = world->attackers != NULL && sim_attackers_are(world, send->to);
    if (world->oracle != NULL &&
        !outside) { /* what is said to an attacker is no part of the network */
        watch_oracle_send(world->oracle, sim_world_now(world), send, qkd_out_at(out, send->bytes),
                          observed);
    }
    if (world->hooks.observe != NULL) {
        world->hooks.observe(world->hooks.observe_ctx, sim_world_now(world), send, observed);
    }
    sim_world_fail(world, watch_stats_send(world->stats, sim_world_now(world), send, observed),
                   "statistics");
    uint32_t note = note_of(world, send, observed);
    if ((send->flags & QKD_SEND_DELIVERED) == 0) {
        transport(world, send, note);
    }
}

static void report_one(struct sim_world *world, const struct qkd_report *report)
{
    if (report->code == QKD_REPORT_WANT_SECRET) {
        sim_world_introduce(world, (enum qkd_rp)report->a, report->who, report->peer);
        return;
    }
    if (report->code == QKD_REPORT_ALARM && world->attackers != NULL) {
        sim_attackers_alarm(world, report);
    }
    if (report->code == QKD_REPORT_OUTCOME && world->attackers != NULL &&
        report->a == WIRE_OUTCOME_SERVED) {
        sim_attackers_served(world, report->who);
    }
    sim_world_fail(world,
                   watch_stats_report(world->stats, sim_world_now(world), report,
                                      qkd_out_at(&world->out, report->bytes)),
                   "statistics");
}

static void execute(struct sim_world *world, uint32_t node)
{
    struct qkd_out *out = &world->out;
    bool crashed = false;
    if (out->persist_count > 0) {
        crashed = struck(world, node, SCN_FAULT_TORN);
        world->torn += crashed;
        if (!crashed) {
            commit(world, node);
            crashed = output_done(world, node);
        }
    }
    if (world->recorder != NULL && !crashed) {
        sim_world_fail(world,
                       watch_recorder_facts(world->recorder, out, watch_stats_opened(world->stats)),
                       "messages");
    }
    for (size_t i = 0; i < out->send_count && !crashed; i++) {
        send_one(world, &out->send[i]);
        crashed = output_done(world, node);
    }
    for (size_t i = 0; i < out->report_count && !crashed; i++) {
        report_one(world, &out->report[i]);
    }
    qkd_out_reset(out);
}

/* ---- commits that are refused ---- */

enum { HELD_LIMIT = 256 << 20 /* bytes that may wait at one node */ };

static struct qkd_slice slice_copy(struct qkd_out *to, const struct qkd_out *from,
                                   struct qkd_slice slice)
{
    return slice.len > 0 ? qkd_out_copy(to, qkd_out_at(from, slice), slice.len)
                         : (struct qkd_slice){0};
}

/* Appends a batch to what waits: it becomes part of the commit to come. */
static void hold(struct sim_world *world, struct qkd_out *held)
{
    struct qkd_out *out = &world->out;
    world->refused += out->persist_count > 0;
    if (held->arena_limit == 0) {
        qkd_out_init(held, HELD_LIMIT);
    }
    for (size_t i = 0; i < out->persist_count; i++) {
        struct qkd_persist entry = out->persist[i];
        entry.value = slice_copy(held, out, entry.value);
        qkd_out_put(held, &entry);
    }
    for (size_t i = 0; i < out->send_count; i++) {
        struct qkd_send send = out->send[i];
        send.bytes = slice_copy(held, out, send.bytes);
        send.observed = slice_copy(held, out, send.observed);
        qkd_out_send(held, &send);
    }
    for (size_t i = 0; i < out->report_count; i++) {
        struct qkd_report report = out->report[i];
        report.bytes = slice_copy(held, out, report.bytes);
        qkd_out_report(held, &report);
    }
    qkd_out_reset(out);
    sim_world_fail(world, held->failed ? QKD_ERR_LIMIT : 0, "outputs that wait for a commit");
}

/* A refused commit, and after it all outputs of the node: their order must stay. */
static bool must_wait(const struct sim_world *world, uint32_t number)
{
    const struct sim_node *node = &world->nodes[number];
    const struct qkd_out *held = &node->held;
    return node->disk_full > 0 &&
           (world->out.persist_count > 0 || held->persist_count > 0 || held->send_count > 0);
}

void sim_node_execute(struct sim_world *world, uint32_t number)
{
    if (must_wait(world, number)) {
        hold(world, &world->nodes[number].held);
    } else {
        execute(world, number);
    }
}

void sim_node_release(struct sim_world *world, uint32_t number)
{
    struct qkd_out *held = &world->nodes[number].held;
    struct qkd_out empty = world->out;
    world->out = *held;
    *held = empty;
    if (world->out.arena_limit > 0) {
        execute(world, number);
    }
    empty = *held;
    *held = world->out;
    world->out = empty;
}

void sim_node_forget(struct sim_world *world, uint32_t number)
{
    qkd_out_reset(&world->nodes[number].held);
    sim_late_forget(world, number);
}

void sim_unit_forget(struct sim_world *world, uint32_t node, struct qkd_eid element)
{
    struct qkd_out *held = &world->nodes[node].held;
    size_t persists = 0;
    for (size_t i = 0; i < held->persist_count; i++) {
        if (!qkd_eid_eq(held->persist[i].owner, element)) {
            held->persist[persists++] = held->persist[i];
        }
    }
    held->persist_count = persists;
    size_t sends = 0;
    for (size_t i = 0; i < held->send_count; i++) {
        if (!qkd_eid_eq(held->send[i].from, element)) {
            held->send[sends++] = held->send[i];
        }
    }
    held->send_count = sends;
    size_t reports = 0;
    for (size_t i = 0; i < held->report_count; i++) {
        if (!qkd_eid_eq(held->report[i].who, element)) {
            held->report[reports++] = held->report[i];
        }
    }
    held->report_count = reports;
}

static void mark_dirty(struct sim_world *world, uint32_t number)
{
    struct sim_unit *unit = &world->units[number];
    if (!unit->dirty) {
        unit->dirty = true;
        world->dirty[world->dirty_count++] = number;
    }
}

void sim_unit_step(struct sim_world *world, uint32_t number, struct qkd_event *event, uint32_t part)
{
    const struct host_unit *unit = &world->plan->units[number];
    const struct sim_clock *clock = &world->nodes[unit->node].clock;
    int64_t now_ns = sim_world_now(world);
    event->now = sim_clock_mono(clock, now_ns);
    event->wall = sim_clock_wall(clock, now_ns);
    world->events++;
    mark_dirty(world, number);
    int rc = host_unit_step(&world->plan->units[number], event, part, &world->out);
    if (rc != 0) {
        qkd_out_reset(&world->out);
        sim_world_fail(world, rc, host_unit_name(unit));
        return;
    }
    if (world->forged != 0 || world->twin != 0) {
        sim_attackers_stepped(world);
    }
    world->step_ns = world->scenario->security.work_ns > 0 ? sim_work_cost(world) : 0;
    if (!sim_late_hold(world, number)) {
        sim_node_execute(world, unit->node);
    }
}

/* ---- delivery ---- */

static void deliver(struct sim_world *world, const struct sim_packet *packet, uint32_t number)
{
    bool present = number != HOST_NO_UNIT && world->plan->units[number].element.any != NULL;
    int64_t now_ns = sim_world_now(world);
    if (packet->note != 0) {
        world->cause = watch_recorder_arrive(world->recorder, packet->note, now_ns, present);
    }
    if (!present) {
        if (world->attackers != NULL) {
            sim_attackers_deliver(world, packet);
        }
        return;
    }
    struct qkd_event event = {.type = QKD_EV_RECV};
    if (packet->kind == SIM_PACKET_CONFIG) {
        event.type = QKD_EV_CONFIG;
        event.u.config.to = packet->to;
        event.u.config.bytes = packet->bytes;
        event.u.config.len = packet->len;
    } else {
        event.u.recv.rp = (enum qkd_rp)packet->rp;
        event.u.recv.from = packet->from;
        event.u.recv.to = packet->to;
        event.u.recv.bytes = packet->bytes;
        event.u.recv.len = packet->len;
        event.u.recv.told = packet->forged != 0 || packet->twin != 0;
        if (world->oracle != NULL && packet->rp != QKD_RP_Q) {
            struct watch_oracle_frame frame = {(enum qkd_rp)packet->rp, packet->from, packet->to,
                                               packet->bytes, packet->len};
            watch_oracle_deliver(world->oracle, now_ns, &frame);
        }
    }
    watch_trace_add(&world->trace, &(struct watch_trace_event){.now_ns = now_ns,
                                                               .from = packet->from,
                                                               .to = packet->to,
                                                               .what = packet->rp,
                                                               .bytes = packet->bytes,
                                                               .len = packet->len});
    world->forged = packet->forged;
    world->twin = packet->twin;
    sim_unit_step(world, number, &event, 0);
    world->forged = 0;
    world->twin = 0;
    if (packet->kind == SIM_PACKET_MESSAGE && world->step_ns > 0) {
        sim_work_spend(world, number, world->step_ns);
    }
}

static void packet_done(struct sim_world *world, struct sim_packet *packet)
{
    if (packet->rp == QKD_RP_Q || packet->kind == SIM_PACKET_CONFIG) {
        crypto_wipe(packet->bytes, packet->len); /* key material in the open */
    }
    sim_pool_give(world->pool, packet);
}

/* Asks the engine for the unit's next time-out. An element that stays due although it was told is
 * told again, each time a little later. */
static void arm(struct sim_world *world, uint32_t number)
{
    struct sim_unit *unit = &world->units[number];
    unit->dirty = false;
    const struct host_unit *hosted = &world->plan->units[number];
    if (hosted->element.any == NULL) {
        return;
    }
    int64_t at_ns = sim_clock_when(&world->nodes[hosted->node].clock, host_unit_deadline(hosted));
    int64_t now_ns = sim_world_now(world);
    if (at_ns > now_ns) {
        unit->idle = 0;
    } else {
        at_ns = unit->idle == 0 ? now_ns : now_ns + (INT64_C(1) << (unit->idle - 1));
    }
    sim_engine_deadline(world->engine, number, at_ns);
}

void sim_world_drain(struct sim_world *world)
{
    while (world->first != NULL) {
        struct sim_packet *packet = world->first;
        world->first = packet->next;
        if (world->first == NULL) {
            world->last = NULL;
        }
        uint32_t number = host_unit_find(world->plan, packet->to);
        if (world->error == 0) {
            if (number != HOST_NO_UNIT && sim_work_waits(world, number, packet)) {
                continue;
            }
            deliver(world, packet, number);
            world->cause = 0;
        }
        packet_done(world, packet);
    }
    for (uint32_t i = 0; i < world->dirty_count; i++) {
        arm(world, world->dirty[i]);
    }
    world->dirty_count = 0;
}

void sim_world_work(struct sim_world *world, uint32_t number)
{
    struct sim_packet *packet = sim_work_next(world, number);
    if (packet != NULL && world->error == 0) {
        deliver(world, packet, number);
        world->cause = 0;
    }
    if (packet != NULL) {
        packet_done(world, packet);
    }
    sim_work_go_on(world, number);
}

void sim_world_on_deliver(void *ctx, struct sim_packet *packet)
{
    struct sim_world *world = ctx;
    queue(world, packet);
    sim_world_drain(world);
}

void sim_world_on_wake(void *ctx, uint32_t number)
{
    struct sim_world *world = ctx;
    struct sim_unit *unit = &world->units[number];
    if (world->plan->units[number].element.any == NULL) {
        return;
    }
    if (unit->idle < IDLE_LIMIT) {
        unit->idle++;
    }
    struct qkd_event event = {.type = QKD_EV_TIMEOUT};
    sim_unit_step(world, number, &event, 0);
    sim_world_drain(world);
}

/* ---- secrets ---- */

static bool secret_known(const struct sim_unit *unit, const struct sim_secret *secret)
{
    for (uint32_t i = unit->secret_count; i-- > 0;) {
        const struct sim_secret *known = &unit->secrets[i];
        if (known->rp == secret->rp && known->self.v == secret->self.v &&
            known->peer.v == secret->peer.v) {
            return true;
        }
    }
    return false;
}

static int secret_add(struct sim_unit *unit, const struct sim_secret *secret)
{
    if (unit->secret_count == unit->secret_cap) {
        uint32_t cap = unit->secret_cap == 0 ? 4 : 2 * unit->secret_cap;
        struct sim_secret *secrets = realloc(unit->secrets, cap * sizeof(*secrets));
        if (secrets == NULL) {
            return QKD_ERR_NOMEM;
        }
        unit->secrets = secrets;
        unit->secret_cap = cap;
    }
    unit->secrets[unit->secret_count++] = *secret;
    return 0;
}

/* Where a secret that is being given goes. */
struct giving {
    struct sim_world *world;
    uint32_t note; /* the recorder's handle */
};

static void on_secret(void *ctx, const struct host_message *message)
{
    const struct giving *giving = ctx;
    sim_world_local(giving->world, &(struct sim_local){.kind = SIM_PACKET_CONFIG,
                                                       .to = message->to,
                                                       .bytes = message->bytes,
                                                       .len = message->len,
                                                       .note = giving->note});
}

static void secret_give(struct sim_world *world, const struct sim_secret *given)
{
    bool first = given->self.v < given->peer.v;
    uint64_t numbers[3] = {given->rp, first ? given->self.v : given->peer.v,
                           first ? given->peer.v : given->self.v};
    struct giving giving = {world, 0};
    if (world->recorder != NULL) {
        giving.note = watch_recorder_carry(world->recorder, world->cause);
    }
    uint8_t secret[32];
    sim_world_derive(world, "pairwise secret", numbers, secret);
    struct host_sender sender = {&giving, &world->message_id, on_secret};
    struct qkd_eid sides[2] = {given->self, given->peer};
    int rc = host_configure_peer(&sender, (enum qkd_rp)given->rp, sides, secret);
    sim_world_fail(world, rc, "pairwise secret");
    crypto_wipe(secret, sizeof(secret));
}

void sim_world_introduce(struct sim_world *world, enum qkd_rp rp, struct qkd_eid a,
                         struct qkd_eid b)
{
    struct sim_secret sides[2] = {{.self = a, .peer = b, .rp = rp},
                                  {.self = b, .peer = a, .rp = rp}};
    uint32_t units[2] = {host_unit_find(world->plan, a), host_unit_find(world->plan, b)};
    if (units[0] == HOST_NO_UNIT || units[1] == HOST_NO_UNIT) {
        return; /* nobody is there: no secret */
    }
    bool known = secret_known(&world->units[units[0]], &sides[0]);
    for (uint32_t i = 0; i < 2; i++) {
        struct sim_unit *unit = &world->units[units[i]];
        if (!known) {
            sim_world_fail(world, secret_add(unit, &sides[i]), "pairwise secret");
        }
        if (world->plan->units[units[i]].element.any != NULL) {
            secret_give(world, &sides[i]);
        }
    }
}

void sim_unit_introduce_again(struct sim_world *world, uint32_t number, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sim_secret secret = world->units[number].secrets[i];
        secret_give(world, &secret);
    }
}
