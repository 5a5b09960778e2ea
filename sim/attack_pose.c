/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An attacker with a valid credential that was given to it for another purpose: it is an element of a
 * role that has no business at a reference point, holds a pairwise secret with its victim there, opens a
 * channel as the protocol wants it, and, if that comes up, sends a command. Or it is an application that has
 * every right to ask, and asks for keys of others, whose IDs it knows. The record layer is the one that all
 * elements use. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/wire/codec.h"
#include "host/configure.h"
#include "sim/attack.h"

enum {
    INSTANCE = 0xfff000, /* no element of a scenario has such a number, or a higher one */
    OUT_LIMIT = 1 << 20,
    MESSAGE_MOST = 512,
    RETRANSMIT_MS = 200
};

struct sim_pose {
    struct qkd_eid self, victim;
    enum qkd_rp rp;
    struct chan_set *set;
    struct qkd_rng rng;
    struct qkd_out out;
    uint64_t sent, won;
    bool thief; /* an application of its own right, which asks for keys of others */
    enum scn_attack_what what;
    uint8_t answer[MESSAGE_MOST]; /* probe: the last one, without what differs in any case */
    size_t answer_len;
};

/* Who speaks to whom, by surface: a role that is not meant there. */
static const struct {
    enum qkd_rp rp;
    enum qkd_role self, victim;
} poses[SCN_SURFACES] = {
    [SCN_SURFACE_K1] = {QKD_RP_KQ1, QKD_ROLE_APP, QKD_ROLE_KMA},
    [SCN_SURFACE_K2_1] = {QKD_RP_KX1, QKD_ROLE_KSA, QKD_ROLE_KMA},
    [SCN_SURFACE_K3] = {QKD_RP_KMI, QKD_ROLE_APP, QKD_ROLE_KMA},
    [SCN_SURFACE_A1] = {QKD_RP_AK, QKD_ROLE_MODULE, QKD_ROLE_KSA},
    [SCN_SURFACE_K2_2] = {QKD_RP_KX2, QKD_ROLE_APP, QKD_ROLE_KSA},
    [SCN_SURFACE_C] = {QKD_RP_CK, QKD_ROLE_APP, QKD_ROLE_KMC},
    [SCN_SURFACE_M] = {QKD_RP_MK, QKD_ROLE_APP, QKD_ROLE_KMC},
    [SCN_SURFACE_CM] = {QKD_RP_KQ2, QKD_ROLE_APP, QKD_ROLE_KMC},
    [SCN_SURFACE_KMA] = {QKD_RP_KX1, QKD_ROLE_APP, QKD_ROLE_KMA},
    [SCN_SURFACE_KSA] = {QKD_RP_KX2, QKD_ROLE_MODULE, QKD_ROLE_KSA},
};

/* The same of who has the right role, but is not the one that is meant. */
static const struct {
    enum qkd_rp rp;
    enum qkd_role self, victim;
} usurpers[SCN_SURFACES] = {
    [SCN_SURFACE_K3] = {QKD_RP_KMI, QKD_ROLE_KSA, QKD_ROLE_KMA},
    [SCN_SURFACE_KMA] = {QKD_RP_KMI, QKD_ROLE_KSA, QKD_ROLE_KMA},
    [SCN_SURFACE_KSA] = {QKD_RP_KMI, QKD_ROLE_KMA, QKD_ROLE_KSA},
    [SCN_SURFACE_C] = {QKD_RP_CK, QKD_ROLE_CONTROLLER, QKD_ROLE_KMC},
    [SCN_SURFACE_M] = {QKD_RP_MK, QKD_ROLE_MANAGER, QKD_ROLE_KMC},
    [SCN_SURFACE_CM] = {QKD_RP_KQ2, QKD_ROLE_MODULE, QKD_ROLE_KMC},
};

int sim_pose_new(const struct scn_attack *plan, uint32_t node, const uint64_t seed[2],
                 struct sim_pose **pose)
{
    enum scn_surface surface = plan->surface;
    bool usurps = plan->what == SCN_ATTACK_USURP;
    bool thief = plan->what != SCN_ATTACK_POSE && !usurps;
    *pose = NULL;
    struct sim_pose *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return QKD_ERR_NOMEM;
    }
    made->what = plan->what;
    made->rp = thief ? QKD_RP_AK : usurps ? usurpers[surface].rp : poses[surface].rp;
    made->victim = qkd_eid_make(thief    ? QKD_ROLE_KSA
                                : usurps ? usurpers[surface].victim
                                         : poses[surface].victim,
                                0, node);
    made->self = qkd_eid_make(thief    ? QKD_ROLE_APP
                              : usurps ? usurpers[surface].self
                                       : poses[surface].self,
                              INSTANCE + (uint32_t)seed[1],
                              !usurps    ? node
                              : node > 0 ? node - 1
                                         : 1);
    made->thief = thief;
    qkd_rng_init_named(&made->rng, seed[0] + seed[1], "pose", (uint64_t)surface);
    qkd_out_init(&made->out, OUT_LIMIT);
    /* It does not mind whom it talks to. */
    struct chan_config config = {.self = made->self,
                                 .limit = 4,
                                 .retransmit = qkd_span_ms(RETRANSMIT_MS),
                                 .off = QKD_OFF(AUTHORIZATION)};
    int err = chan_set_new(&config, &made->set);
    if (err != QKD_OK) {
        sim_pose_free(made);
        return err;
    }
    chan_set_start(made->set, 1, &made->rng);
    *pose = made;
    return QKD_OK;
}

void sim_pose_free(struct sim_pose *pose)
{
    if (pose != NULL) {
        chan_set_free(pose->set);
        qkd_out_fini(&pose->out);
        qkd_rng_fini(&pose->rng);
        free(pose);
    }
}

struct qkd_eid sim_pose_self(const struct sim_pose *pose)
{
    return pose->self;
}

uint64_t sim_pose_sent(const struct sim_pose *pose)
{
    return pose->sent;
}

/* The command that it sends: one that the victim would act on if it came from the right role. */
static int command_write(const struct sim_pose *pose, uint8_t bytes[MESSAGE_MOST])
{
    struct wire_head head = {.rp = (uint8_t)pose->rp, .message_id = 1, .sender = pose->self};
    if (pose->rp == QKD_RP_AK) {
        struct wire_key_supply ask = {.head = head,
                                      .source_id = pose->self,
                                      .target_id = pose->self,
                                      .session_id = 1,
                                      .application_code = WIRE_FOR_ENCRYPTION,
                                      .has_key_amount = true,
                                      .key_amount = 1,
                                      .has_key_size = true,
                                      .key_size = 256};
        return wire_key_supply_encode(&ask, bytes, MESSAGE_MOST);
    }
    if (pose->rp == QKD_RP_KMI) {
        struct wire_kmi_fetch ask = {.head = head,
                                     .source_app = pose->self,
                                     .target_app = pose->self};
        return wire_kmi_fetch_encode(&ask, bytes, MESSAGE_MOST);
    }
    struct wire_status ask = {.head = head, .table = UINT32_MAX >> 1};
    return wire_status_encode(&ask, bytes, MESSAGE_MOST);
}

/* Sends on what its channel wants said. What a thief says is genuine: it is who it says. */
static void flush(struct sim_world *world, struct sim_pose *pose, uint32_t number)
{
    for (size_t i = 0; i < pose->out.send_count; i++) {
        const struct qkd_send *send = &pose->out.send[i];
        sim_world_carry(world, &(struct sim_local){.kind = SIM_PACKET_MESSAGE,
                                                   .rp = send->rp,
                                                   .from = send->from,
                                                   .to = send->to,
                                                   .bytes = qkd_out_at(&pose->out, send->bytes),
                                                   .len = send->bytes.len,
                                                   .forged = pose->thief ? 0 : number});
    }
    qkd_out_reset(&pose->out);
}

static void on_secret(void *ctx, const struct host_message *message)
{
    sim_world_local(ctx, &(struct sim_local){.kind = SIM_PACKET_CONFIG,
                                             .to = message->to,
                                             .bytes = message->bytes,
                                             .len = message->len});
}

void sim_pose_begin(struct sim_world *world, struct sim_pose *pose, uint32_t number)
{
    uint8_t secret[32];
    uint64_t numbers[3] = {pose->rp, pose->self.v, pose->victim.v};
    sim_world_derive(world, "credential of an attacker", numbers, secret);
    struct host_sender sender = {world, &world->message_id, on_secret};
    struct qkd_eid sides[2] = {pose->victim, pose->self};
    sim_world_fail(world, host_configure_peer(&sender, pose->rp, sides, secret), "credential");
    sim_world_drain(world);
    struct qkd_event event = {.type = QKD_EV_TIMEOUT,
                              .now = {sim_world_now(world)},
                              .wall = {sim_world_now(world)}};
    int err = chan_provision(pose->set, &event, pose->rp, pose->victim, secret, &pose->out);
    if (err == QKD_OK) {
        err = chan_open(pose->set, &event, pose->rp, pose->victim, &pose->out);
    }
    sim_world_fail(world, err, "credential");
    pose->sent++;
    flush(world, pose, number);
}

/* len: what an encoder said. */
static void command_send(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                         const uint8_t *bytes, int len)
{
    struct qkd_event event = {.type = QKD_EV_TIMEOUT, .now = {sim_world_now(world)}};
    struct chan_send send = {
        .rp = pose->rp, .peer = pose->victim, .message = bytes, .len = len > 0 ? (size_t)len : 0};
    if (len > 0 && chan_send(pose->set, &event, &send, &pose->out) == QKD_OK) {
        pose->sent++;
    }
    flush(world, pose, number);
}

/* Two answers in a row are to the same question, but for the ID asked for: of a key that is there, and of
 * one that is nowhere. What of them must differ is blanked; all else that does tells of the key. */
static void answer_hold(struct sim_pose *pose, const struct chan_message *message)
{
    struct wire_key_supply_rsp rsp;
    uint8_t bytes[MESSAGE_MOST];
    if (wire_key_supply_rsp_decode(&rsp, message->bytes, message->len) != QKD_OK) {
        return;
    }
    bool second = rsp.head.orig_message_id % 2 == 0;
    rsp.head.message_id = rsp.head.orig_message_id = 0;
    rsp.key_id = (struct qkd_id){{0}};
    int len = wire_key_supply_rsp_encode(&rsp, bytes, sizeof bytes);
    if (len <= 0) {
        return;
    }
    if (second && pose->answer_len > 0) {
        pose->won += (size_t)len != pose->answer_len ||
                     memcmp(bytes, pose->answer, (size_t)len) != 0;
        pose->answer_len = 0;
    } else if (!second) {
        memcpy(pose->answer, bytes, (size_t)len);
        pose->answer_len = (size_t)len;
    }
}

uint64_t sim_pose_won(const struct sim_pose *pose)
{
    return pose->won;
}

void sim_pose_receive(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                      const struct sim_packet *packet, struct sim_knowledge *knowledge)
{
    struct qkd_event event = {.type = QKD_EV_RECV,
                              .now = {sim_world_now(world)},
                              .wall = {sim_world_now(world)}};
    event.u.recv.rp = (enum qkd_rp)packet->rp;
    event.u.recv.from = packet->from;
    event.u.recv.to = packet->to;
    event.u.recv.bytes = packet->bytes;
    event.u.recv.len = packet->len;
    struct chan_message message;
    enum chan_event what = chan_receive(pose->set, &event, &pose->out, &message);
    if (what == CHAN_DATA && pose->what == SCN_ATTACK_PROBE) {
        answer_hold(pose, &message);
    } else if (what == CHAN_DATA && pose->what == SCN_ATTACK_DELETE) {
        struct wire_key_delete_rsp rsp;
        pose->won += wire_key_delete_rsp_decode(&rsp, message.bytes, message.len) == QKD_OK &&
                     rsp.has_deleted && rsp.deleted > 0;
    } else if (what == CHAN_DATA) {
        sim_knowledge_told(knowledge, (enum qkd_rp)packet->rp, message.bytes, message.len);
    }
    flush(world, pose, number);
    if (what == CHAN_UP && !pose->thief) {
        uint8_t bytes[MESSAGE_MOST];
        command_send(world, pose, number, bytes, command_write(pose, bytes));
    }
}

static void supply_ask(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                       const struct qkd_id *id)
{
    uint8_t bytes[MESSAGE_MOST];
    struct wire_key_supply ask = {
        .head = {.rp = QKD_RP_AK, .message_id = pose->sent, .sender = pose->self},
        .source_id = pose->self,
        .target_id = pose->self,
        .session_id = 1,
        .application_code = WIRE_FOR_DECRYPTION,
        .has_key_id = true,
        .key_id = *id};
    command_send(world, pose, number, bytes, wire_key_supply_encode(&ask, bytes, MESSAGE_MOST));
}

static void delete_ask(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                       const struct sim_prey *prey)
{
    uint8_t bytes[MESSAGE_MOST];
    struct wire_key_delete ask = {
        .head = {.rp = QKD_RP_AK, .message_id = pose->sent, .sender = pose->self},
        .source_id = prey->source,
        .target_id = prey->target,
        .session_id = prey->session_id,
        .application_code = WIRE_FOR_DECRYPTION,
        .has_key_ids = true,
        .key_ids = {prey->id.b, sizeof prey->id.b}};
    command_send(world, pose, number, bytes, wire_key_delete_encode(&ask, bytes, MESSAGE_MOST));
}

void sim_pose_steal(struct sim_world *world, struct sim_pose *pose, uint32_t number,
                    const struct sim_prey *prey)
{
    if (!chan_is_up(pose->set, pose->rp, pose->victim)) {
        return;
    }
    if (pose->what == SCN_ATTACK_DELETE) {
        delete_ask(world, pose, number, prey);
        return;
    }
    supply_ask(world, pose, number, &prey->id);
    if (pose->what == SCN_ATTACK_PROBE) {
        struct qkd_id nowhere;
        qkd_rng_bytes(&pose->rng, nowhere.b, sizeof nowhere.b);
        supply_ask(world, pose, number, &nowhere);
    }
}
