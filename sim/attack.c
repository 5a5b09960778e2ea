/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attackers: which messages they meet, what they do with them, and whether what they made was taken for
 * genuine. Several may stand at one place: all of them listen, and the first in the scenario's order that
 * acts on a message has it. Each has a stream of chance of its own. */
#include "sim/attack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/channel/frames.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"

enum {
    KNOWN_MOST = 1 << 22,   /* keys that an attacker counts */
    HELD_MOST = 1 << 16,    /* messages that attackers hold back at once */
    TWINS_MOST = 1 << 24,   /* messages that attackers repeat */
    LONGEST_SPLICED = 4096, /* bytes of a frame that it keeps */
    SPLICED = 4,            /* of so many lengths */
    ROT_NS = 1000000000     /* how long a machine stands still while its store rots */
};

struct attacker {
    const struct scn_attack *plan;
    struct qkd_rng rng;
    struct sim_knowledge knowledge;
    uint64_t seen, shielded, touched, forged, accepted;
    int64_t first_ns, detect_ns, alarm_ns; /* SIM_NEVER: not yet */
    uint32_t key_bytes;                    /* of the frame seen last */
    struct sim_pose *pose;                 /* pose; else NULL */
    struct {
        uint8_t *bytes;
        size_t len;
    } last[SPLICED]; /* splice: messages before, of different lengths */
    uint32_t last_at;
    struct sim_flood *flood; /* flood; else NULL */
    uint8_t *served;         /* by application: enum served */
    uint32_t unserved;       /* applications that were served before, and not since its end */
    int64_t restore_ns;      /* when all of them were served again; SIM_NEVER */
};

/* A message that will go on later. */
struct held {
    struct sim_local message; /* its bytes are our own */
    uint8_t *bytes;           /* NULL: the slot is free */
};

/* A message and its repetition: that one of them is taken is no more than a delay, if the other is lost. */
struct twin {
    uint32_t attacker, taken;
};

struct sim_attackers {
    struct attacker *all;
    size_t count;
    struct held *held;
    uint32_t held_count, held_cap;
    struct twin *twins;
    uint32_t twin_count, twin_cap;
};

/* ---- life ---- */

/* Whether it is an application that wants something of the keys of others. */
static bool asks(const struct scn_attack *plan)
{
    return plan->what == SCN_ATTACK_STEAL || plan->what == SCN_ATTACK_PROBE ||
           plan->what == SCN_ATTACK_DELETE;
}

/* Whether it is an element itself. */
static bool poses(const struct scn_attack *plan)
{
    return plan->what == SCN_ATTACK_POSE || plan->what == SCN_ATTACK_USURP || asks(plan);
}

/* Whether it begins at a time of its own, not at a message. */
static bool begins(const struct scn_attack *plan)
{
    return poses(plan) || plan->class == SCN_CAPABILITY_X;
}

/* Where an attacker is that no node was named for: the last one; of those who go for keys of others, where the
 * keys of the first application are fetched; of who destroys a KSA, where they are asked for. */
static uint32_t pose_node(const struct sim_world *world, const struct scn_attack *plan)
{
    if (plan->node == UINT32_MAX && asks(plan) && world->scenario->application_count > 0) {
        return world->scenario->applications[0].to;
    }
    if (plan->node == UINT32_MAX && plan->what == SCN_ATTACK_DESTROY &&
        plan->surface == SCN_SURFACE_KSA && world->scenario->application_count > 0) {
        return world->scenario->applications[0].from; /* who begins at Kx-2 */
    }
    return plan->node != UINT32_MAX ? plan->node : (uint32_t)world->scenario->node_count - 1;
}

static int poses_new(struct sim_world *world)
{
    struct sim_attackers *s = world->attackers;
    int err = 0;
    for (size_t i = 0; i < s->count && err == 0; i++) {
        const struct scn_attack *plan = s->all[i].plan;
        if (plan->what == SCN_ATTACK_FLOOD) {
            err = sim_flood_new(plan, world->scenario->seed, &s->all[i].flood);
        }
        if (poses(plan)) {
            err = sim_pose_new(plan, pose_node(world, plan),
                               (uint64_t[2]){world->scenario->seed, i}, &s->all[i].pose);
        }
    }
    return err;
}

int sim_attackers_new(struct sim_world *world)
{
    const struct scn_scenario *scenario = world->scenario;
    if (scenario->attack_count == 0) {
        return 0;
    }
    struct sim_attackers *made = calloc(1, sizeof *made);
    struct attacker *all = calloc(scenario->attack_count, sizeof *all);
    if (made == NULL || all == NULL) {
        free(made);
        free(all);
        return QKD_ERR_NOMEM;
    }
    made->all = all;
    made->count = scenario->attack_count;
    for (size_t i = 0; i < made->count; i++) {
        struct attacker *a = &all[i];
        a->plan = &scenario->attacks[i];
        a->first_ns = a->detect_ns = a->alarm_ns = a->restore_ns = SIM_NEVER;
        a->served = calloc(scenario->application_count + 1, 1);
        a->knowledge.unbounded = a->plan->class == SCN_CAPABILITY_Q;
        qkd_rng_init_named(&a->rng, scenario->seed, a->plan->id, 0);
        qkd_map_init(&a->knowledge.keys, sizeof(struct qkd_id), KNOWN_MOST, NULL);
    }
    world->attackers = made;
    return poses_new(world);
}

void sim_attackers_free(struct sim_world *world)
{
    struct sim_attackers *attackers = world->attackers;
    if (attackers == NULL) {
        return;
    }
    for (size_t i = 0; i < attackers->count; i++) {
        qkd_rng_fini(&attackers->all[i].rng);
        qkd_map_fini(&attackers->all[i].knowledge.keys);
        sim_pose_free(attackers->all[i].pose);
        for (uint32_t k = 0; k < SPLICED; k++) {
            free(attackers->all[i].last[k].bytes);
        }
        sim_flood_free(attackers->all[i].flood);
        free(attackers->all[i].served);
    }
    for (uint32_t i = 0; i < attackers->held_count; i++) {
        free(attackers->held[i].bytes);
    }
    free(attackers->held);
    free(attackers->twins);
    free(attackers->all);
    free(attackers);
    world->attackers = NULL;
}

/* ---- what it does ---- */

static void first_mark(const struct sim_world *world, struct attacker *a)
{
    a->first_ns = a->first_ns == SIM_NEVER ? sim_world_now(world) : a->first_ns;
}

static uint32_t number_of(const struct sim_world *world, const struct attacker *a)
{
    return (uint32_t)(a - world->attackers->all) + 1;
}

/* A number for a message and its repetition; 0 without memory. */
static uint32_t twin_new(struct sim_world *world, const struct attacker *a)
{
    struct sim_attackers *s = world->attackers;
    if (s->twin_count == s->twin_cap) {
        uint32_t cap = s->twin_cap == 0 ? 64 : 2 * s->twin_cap;
        struct twin *grown = cap > TWINS_MOST ? NULL : realloc(s->twins, cap * sizeof *grown);
        if (grown == NULL) {
            sim_world_fail(world, QKD_ERR_LIMIT, "messages that attackers repeat");
            return 0;
        }
        s->twins = grown;
        s->twin_cap = cap;
    }
    s->twins[s->twin_count++] = (struct twin){number_of(world, a) - 1, 0};
    return s->twin_count;
}

/* Keeps a copy of the message, to be sent after the attacker's delay. */
static void hold(struct sim_world *world, const struct attacker *a, const struct sim_local *m,
                 uint32_t twin)
{
    bool forged = twin != 0;
    struct sim_attackers *s = world->attackers;
    uint32_t slot = 0;
    while (slot < s->held_count && s->held[slot].bytes != NULL) {
        slot++;
    }
    if (slot == s->held_cap) {
        uint32_t cap = s->held_cap == 0 ? 16 : 2 * s->held_cap;
        struct held *grown = cap > HELD_MOST ? NULL : realloc(s->held, cap * sizeof *grown);
        if (grown == NULL) {
            sim_world_fail(world, QKD_ERR_LIMIT, "messages that attackers hold back");
            return;
        }
        s->held = grown;
        s->held_cap = cap;
    }
    s->held_count = slot == s->held_count ? slot + 1 : s->held_count;
    struct held *held = &s->held[slot];
    held->bytes = malloc(m->len > 0 ? m->len : 1);
    if (held->bytes == NULL) {
        sim_world_fail(world, QKD_ERR_NOMEM, "messages that attackers hold back");
        return;
    }
    memcpy(held->bytes, m->bytes, m->len);
    held->message = *m;
    held->message.bytes = held->bytes;
    held->message.forged = forged ? number_of(world, a) : 0;
    held->message.twin = twin;
    held->message.note = forged ? 0 : m->note;
    sim_world_post(world, qkd_eid_node(m->from), sim_world_now(world) + a->plan->delay_ns,
                   sim_world_tag(SIM_TIMER_ATTACK, SIM_ATTACK_HELD, slot));
}

void sim_attackers_start(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->attackers->count; i++) {
        const struct scn_attack *plan = world->attackers->all[i].plan;
        if (begins(plan)) {
            sim_world_post(world, pose_node(world, plan), plan->at_ns,
                           sim_world_tag(SIM_TIMER_ATTACK, SIM_ATTACK_BEGINS, i));
        }
        if (plan->what == SCN_ATTACK_FLOOD) {
            sim_world_post(world, 0, plan->at_ns,
                           sim_world_tag(SIM_TIMER_ATTACK, SIM_ATTACK_FLOODS, i));
        }
    }
}

/* ---- at the machine itself ---- */

/* It stops the key manager. */
static void machine_stop(struct sim_world *world, struct attacker *a, uint32_t number)
{
    uint32_t node = pose_node(world, a->plan);
    int64_t back_ns = a->plan->for_ns == SCN_FOREVER && a->plan->what == SCN_ATTACK_ROT
                          ? ROT_NS
                          : a->plan->for_ns;
    a->seen++;
    first_mark(world, a);
    sim_node_crash(world, node);
    if (a->plan->what == SCN_ATTACK_DESTROY) {
        sim_store_destroy(world, a->plan, node);
    }
    if (back_ns < world->scenario->duration_ns - sim_world_now(world)) {
        sim_world_post(world, node, sim_world_now(world) + back_ns,
                       sim_world_tag(SIM_TIMER_ATTACK, SIM_ATTACK_STARTS, number));
    }
}

/* It starts again: with a store that may have rotted, or an empty one. */
static void machine_start(struct sim_world *world, struct attacker *a)
{
    uint32_t node = pose_node(world, a->plan);
    if (a->plan->what == SCN_ATTACK_DESTROY) {
        sim_store_return(world, node);
        return;
    }
    struct sim_rot rot;
    sim_store_rot(world, a->plan, node, &a->rng, &rot);
    a->touched += rot.flipped;
    a->forged += rot.flipped;
    a->accepted += rot.taken;
    if (rot.taken > 0 && world->oracle != NULL) {
        watch_oracle_forged(world->oracle);
    }
    if (rot.flipped > rot.taken) { /* the store does not open: an empty one takes its place */
        a->detect_ns = a->detect_ns == SIM_NEVER ? sim_world_now(world) : a->detect_ns;
        sim_node_store_lose(world, node, false);
    }
    sim_node_restart(world, node);
}

/* An attacker begins; one that poses does unless its victim is where it cannot come. */
static void attack_begin(struct sim_world *world, uint32_t number)
{
    struct attacker *a = &world->attackers->all[number];
    if (a->plan->what == SCN_ATTACK_IMAGE) {
        a->seen += sim_store_image(world, a->plan, &a->rng, &a->knowledge);
        first_mark(world, a);
        return;
    }
    if (a->plan->class == SCN_CAPABILITY_X) {
        machine_stop(world, a, number);
        return;
    }
    bool within = a->plan->surface == SCN_SURFACE_K1 || a->plan->surface == SCN_SURFACE_K3 ||
                  a->plan->surface == SCN_SURFACE_A1 || a->plan->surface == SCN_SURFACE_CM;
    uint32_t node = pose_node(world, a->plan);
    if (within && world->scenario->nodes[node].boundary == SCN_BOUNDARY_INSIDE) {
        a->shielded++;
        return;
    }
    first_mark(world, a);
    sim_pose_begin(world, a->pose, number + 1);
}

bool sim_attackers_are(const struct sim_world *world, struct qkd_eid element)
{
    bool found = false;
    for (size_t i = 0; i < world->attackers->count; i++) {
        const struct sim_pose *pose = world->attackers->all[i].pose;
        found = found || (pose != NULL && qkd_eid_eq(sim_pose_self(pose), element));
    }
    return found;
}

void sim_attackers_deliver(struct sim_world *world, const struct sim_packet *packet)
{
    for (uint32_t i = 0; i < world->attackers->count; i++) {
        struct attacker *a = &world->attackers->all[i];
        if (a->pose != NULL && qkd_eid_eq(sim_pose_self(a->pose), packet->to)) {
            uint64_t won = sim_pose_won(a->pose);
            uint64_t known = a->knowledge.leaked_bits;
            sim_pose_receive(world, a->pose, i + 1, packet, &a->knowledge);
            bool more = a->knowledge.leaked_bits > known || sim_pose_won(a->pose) > won;
            if (more && world->oracle != NULL) {
                watch_oracle_forged(world->oracle);
            }
        }
    }
}

/* One more message of a flood, unless its victim is where it cannot come. */
static void flood_tick(struct sim_world *world, uint32_t number)
{
    struct attacker *a = &world->attackers->all[number];
    int64_t next_ns = 0;
    if (!sim_flood_reaches(world, a->flood)) {
        a->shielded++;
        return;
    }
    first_mark(world, a);
    if (sim_flood_tick(world, a->flood, number + 1, &next_ns)) {
        sim_world_post(world, 0, next_ns,
                       sim_world_tag(SIM_TIMER_ATTACK, SIM_ATTACK_FLOODS, number));
    }
}

void sim_attackers_timer(struct sim_world *world, enum sim_attack_timer what, uint32_t slot)
{
    if (what == SIM_ATTACK_BEGINS) {
        attack_begin(world, slot);
    } else if (what == SIM_ATTACK_STARTS) {
        machine_start(world, &world->attackers->all[slot]);
    } else if (what == SIM_ATTACK_FLOODS) {
        flood_tick(world, slot);
    }
    if (what != SIM_ATTACK_HELD) {
        return;
    }
    struct held *held = &world->attackers->held[slot];
    struct sim_local message = held->message;
    uint8_t *bytes = held->bytes;
    held->bytes = NULL;
    sim_world_carry(world, &message);
    free(bytes);
}

/* Sends on other bytes in the place of a message. */
static void send_changed(struct sim_world *world, const struct attacker *a,
                         const struct sim_local *m, const uint8_t *bytes)
{
    struct sim_local changed = *m;
    changed.bytes = bytes;
    changed.note = a->plan->what == SCN_ATTACK_FORGE ? 0 : m->note;
    changed.forged = number_of(world, a);
    sim_world_carry(world, &changed);
}

/* The bytes [*from, *to) of a part. */
static void part_of(const struct attacker *a, const struct sim_local *m, size_t *from, size_t *to)
{
    bool frame = m->bytes[0] == WIRE_FRAME_MAGIC;
    size_t head = frame ? WIRE_FRAME_HEAD_LEN : CHAN_HEAD_LEN;
    size_t tail = m->len - WIRE_FRAME_TAG_LEN; /* as long as that of a record */
    size_t keys = frame && tail - head > a->key_bytes ? tail - a->key_bytes : tail;
    *from = 0;
    *to = m->len;
    switch (a->plan->part) {
    case SCN_PART_HEAD:
        *to = head;
        break;
    case SCN_PART_BODY:
        *from = head;
        *to = keys;
        break;
    case SCN_PART_KEYS:
        *from = frame ? keys : head;
        *to = tail;
        break;
    case SCN_PART_TAG:
        *from = tail;
        break;
    case SCN_PART_ANY:
    case SCN_PARTS:
        break;
    }
}

static bool flip(struct sim_world *world, struct attacker *a, const struct sim_local *m)
{
    size_t from = 0, to = 0;
    part_of(a, m, &from, &to);
    uint8_t *bytes = from < to ? malloc(m->len) : NULL;
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, m->bytes, m->len);
    size_t at = from + qkd_rng_below(&a->rng, to - from);
    for (size_t i = at; i < at + a->plan->bytes && i < to; i++) {
        bytes[i] ^= (uint8_t)a->plan->mask;
    }
    send_changed(world, a, m, bytes);
    free(bytes);
    return true;
}

/* This one's head goes on with the body and tag of the last one of the same length. */
static bool splice(struct sim_world *world, struct attacker *a, const struct sim_local *m)
{
    size_t head = m->bytes[0] == WIRE_FRAME_MAGIC ? WIRE_FRAME_HEAD_LEN : CHAN_HEAD_LEN;
    if (m->len <= head || m->len > LONGEST_SPLICED) {
        return false;
    }
    uint8_t bytes[LONGEST_SPLICED];
    uint32_t at = 0;
    while (at < SPLICED && a->last[at].len != m->len) {
        at++;
    }
    bool fits = at < SPLICED;
    if (fits) {
        memcpy(bytes, m->bytes, head);
        memcpy(bytes + head, a->last[at].bytes + head, m->len - head);
        fits = memcmp(bytes, m->bytes, m->len) != 0; /* else it is the same one, sent again */
    } else {
        at = a->last_at++ % SPLICED;
    }
    uint8_t *kept = realloc(a->last[at].bytes, m->len);
    if (kept != NULL) {
        memcpy(kept, m->bytes, m->len);
        a->last[at].bytes = kept;
        a->last[at].len = m->len;
    }
    if (fits) {
        send_changed(world, a, m, bytes);
    }
    return fits;
}

/* The message goes on, and after it one in the same name. */
static bool forge(struct sim_world *world, struct attacker *a, const struct sim_local *m,
                  const struct sim_sight *sight)
{
    uint8_t *bytes = malloc(m->len);
    bool made = bytes != NULL && sim_forge(&a->rng, sight, bytes);
    if (made) {
        sim_world_carry(world, m);
        send_changed(world, a, m, bytes);
    }
    free(bytes);
    return made;
}

/* The message goes on, and comes back to who sent it as if its peer had. */
static void reflect(struct sim_world *world, const struct attacker *a, const struct sim_local *m)
{
    struct sim_local back = *m;
    back.from = m->to;
    back.to = m->from;
    back.forged = number_of(world, a);
    back.note = 0;
    sim_world_carry(world, m);
    sim_world_carry(world, &back);
}

static void repeat(struct sim_world *world, const struct attacker *a, const struct sim_local *m)
{
    struct sim_local first = *m;
    first.twin = twin_new(world, a);
    hold(world, a, m, first.twin);
    sim_world_carry(world, &first);
}

/* True: the message has been dealt with. */
static bool act(struct sim_world *world, struct attacker *a, const struct sim_local *m,
                const struct sim_sight *sight)
{
    switch (a->plan->what) {
    case SCN_ATTACK_FLIP:
        return flip(world, a, m);
    case SCN_ATTACK_DROP:
        sim_world_drop(world, m);
        return true;
    case SCN_ATTACK_DELAY:
        hold(world, a, m, 0);
        return true;
    case SCN_ATTACK_REPLAY:
        repeat(world, a, m);
        return true;
    case SCN_ATTACK_SPLICE:
        return splice(world, a, m);
    case SCN_ATTACK_FORGE:
        return forge(world, a, m, sight);
    case SCN_ATTACK_REFLECT:
        reflect(world, a, m);
        return true;
    case SCN_ATTACK_TRUNCATE: {
        struct sim_local half = *m;
        half.len = m->len - (m->len - CHAN_OVERHEAD) / 2;
        send_changed(world, a, &half, m->bytes);
        return true;
    }
    default: /* listens, or is an element itself, or at the machine */
        break;
    }
    return false;
}

/* What the attacker knows of the length of the keys in a frame: sizes are no secret. */
static void keys_measure(struct attacker *a, const struct sim_sight *sight)
{
    struct wire_frame frame;
    struct wire_relay_body body;
    size_t len = 0;
    if (a->plan->what == SCN_ATTACK_FLIP && sight->bytes[0] == WIRE_FRAME_MAGIC &&
        sight->observed != NULL &&
        wire_frame_decode(&frame, sight->observed, sight->observed_len) == QKD_OK) {
        const uint8_t *plain = wire_relay_plain(&frame, &len);
        a->key_bytes = wire_relay_body_decode(&body, plain, len) > 0 ? (uint32_t)body.keys.len : 0;
    }
}

static bool is_there(const struct sim_world *world, const struct attacker *a)
{
    int64_t now_ns = sim_world_now(world);
    return now_ns >= a->plan->at_ns &&
           (a->plan->for_ns == SCN_FOREVER || now_ns - a->plan->at_ns < a->plan->for_ns);
}

/* One attacker and one message, which is where it stands; true: it has taken it. */
static bool meet(struct sim_world *world, struct attacker *a, const struct sim_local *m,
                 const struct sim_sight *sight)
{
    bool changes = a->plan->what == SCN_ATTACK_FLIP || a->plan->what == SCN_ATTACK_REPLAY ||
                   a->plan->what == SCN_ATTACK_SPLICE || a->plan->what == SCN_ATTACK_FORGE ||
                   a->plan->what == SCN_ATTACK_REFLECT || a->plan->what == SCN_ATTACK_TRUNCATE;
    bool content = sight->observed != NULL || m->bytes[0] == WIRE_FRAME_MAGIC ||
                   a->plan->message == SCN_MESSAGE_HANDSHAKE;
    a->seen++;
    if (a->plan->what == SCN_ATTACK_LISTEN) {
        if (sight->observed != NULL && sim_knowledge_read(&a->knowledge, sight)) {
            first_mark(world, a);
        }
        return false;
    }
    keys_measure(a, sight);
    if ((changes && (!content || m->len <= CHAN_OVERHEAD)) ||
        (a->plan->probability < 1 && qkd_rng_unit(&a->rng) >= a->plan->probability) ||
        !act(world, a, m, sight)) {
        return false;
    }
    first_mark(world, a);
    a->touched++;
    return true;
}

/* Keys go to an application: the thief asks for them too, where the other half of them waits. */
static void steal(struct sim_world *world, const struct attacker *a, const struct sim_sight *sight)
{
    struct wire_key_supply_rsp rsp;
    if (a->shielded > 0 ||
        wire_key_supply_rsp_decode(&rsp, sight->observed, sight->observed_len) != QKD_OK ||
        !rsp.has_key_data || rsp.application_code != WIRE_FOR_ENCRYPTION) {
        return;
    }
    struct qkd_id id = rsp.key_id;
    if (rsp.has_key_ids && rsp.key_ids.len >= sizeof id.b) {
        memcpy(id.b, rsp.key_ids.at, sizeof id.b);
    }
    struct sim_prey prey = {id, rsp.source_id, rsp.target_id, rsp.session_id};
    sim_pose_steal(world, a->pose, number_of(world, a), &prey);
}

bool sim_attackers_meet(struct sim_world *world, const struct sim_local *message,
                        const uint8_t *observed, size_t observed_len)
{
    struct sim_attackers *s = world->attackers;
    uint8_t kind = sim_attack_kind(message, observed, observed_len);
    struct sim_sight sight = {message->rp, message->bytes, message->len, observed, observed_len};
    bool taken = false;
    for (size_t i = 0; i < s->count && !taken && message->len > 0; i++) {
        struct attacker *a = &s->all[i];
        if (asks(a->plan) && is_there(world, a) && kind == WIRE_CMD_KEY_SUPPLY_RSP) {
            steal(world, a, &sight);
        }
        if (a->flood != NULL) {
            sim_flood_see(a->flood, message, &sight,
                          sim_attack_wants(world, a->plan, message, kind));
            continue;
        }
        if (a->pose != NULL || a->plan->class == SCN_CAPABILITY_X || !is_there(world, a) ||
            !sim_attack_wants(world, a->plan, message, kind)) {
            continue;
        }
        if (sim_attack_is_shielded(world, message)) {
            a->shielded++;
        } else {
            taken = meet(world, a, message, &sight);
        }
    }
    return taken;
}

/* ---- what became of it ---- */

void sim_attackers_stepped(struct sim_world *world)
{
    struct twin *twin = world->twin == 0 ? NULL : &world->attackers->twins[world->twin - 1];
    struct attacker *a = &world->attackers->all[twin == NULL ? world->forged - 1 : twin->attacker];
    bool taken = false, noticed = false, denied = false;
    for (size_t i = 0; i < world->out.report_count; i++) {
        enum qkd_report_code code = world->out.report[i].code;
        bool handshake = code == QKD_REPORT_TAKEN && world->out.report[i].b == 2;
        /* Who has a credential may open a channel; nobody may by what he recorded. */
        taken = taken || (code == QKD_REPORT_TAKEN && (!handshake || twin != NULL));
        denied = denied || (code == QKD_REPORT_BAD_BYTES &&
                            world->out.report[i].b == (uint64_t)-QKD_ERR_DENIED);
        noticed = noticed || code == QKD_REPORT_AUTH_FAILURE || code == QKD_REPORT_TAG_FAILURE ||
                  code == QKD_REPORT_BAD_BYTES;
    }
    taken = taken && !denied; /* genuine, but of somebody who has no right to say so */
    if (twin != NULL) {
        twin->taken += taken;
        taken = taken && twin->taken > 1;
    }
    a->forged += world->forged != 0;
    a->accepted += taken;
    if (taken && world->oracle != NULL) {
        watch_oracle_forged(world->oracle);
    }
    if (noticed && world->forged != 0 && a->detect_ns == SIM_NEVER) {
        a->detect_ns = sim_world_now(world);
    }
}

void sim_attackers_alarm(struct sim_world *world, const struct qkd_report *report)
{
    bool security = report->a == WIRE_FAULT_KEY_MISMATCH || report->a == WIRE_FAULT_TAG_FAILURE ||
                    report->a == WIRE_FAULT_AUTH_FAILURE || report->a == WIRE_FAULT_DENIED ||
                    report->a == WIRE_FAULT_PEER_QUARANTINED;
    bool outage = report->a == WIRE_FAULT_LINK_DOWN || report->a == WIRE_FAULT_NO_KEY ||
                  report->a == WIRE_FAULT_MODULE_DOWN || report->a == WIRE_FAULT_CONTROLLER_LOST ||
                  report->a == WIRE_FAULT_MANAGER_LOST;
    for (size_t i = 0; i < world->attackers->count && report->b == 1; i++) {
        struct attacker *a = &world->attackers->all[i];
        bool denies = a->plan->what == SCN_ATTACK_DROP || a->plan->what == SCN_ATTACK_FLOOD;
        if ((security || (denies && outage)) && a->first_ns != SIM_NEVER &&
            a->alarm_ns == SIM_NEVER) {
            a->alarm_ns = sim_world_now(world);
        }
    }
}

/* What an attacker notes of an application. */
enum served { SERVED_NEVER, SERVED_BEFORE, SERVED_SINCE };

void sim_attackers_served(struct sim_world *world, struct qkd_eid app)
{
    int64_t now_ns = sim_world_now(world);
    uint32_t number = qkd_eid_instance(app) / 2;
    for (size_t i = 0; i < world->attackers->count && number < world->scenario->application_count;
         i++) {
        struct attacker *a = &world->attackers->all[i];
        if (a->served == NULL) {
            continue;
        }
        if (now_ns < a->plan->at_ns) {
            a->unserved += a->served[number] == SERVED_NEVER;
            a->served[number] = SERVED_BEFORE;
        } else if (a->plan->for_ns != SCN_FOREVER && now_ns >= a->plan->at_ns + a->plan->for_ns &&
                   a->served[number] == SERVED_BEFORE) {
            a->served[number] = SERVED_SINCE;
            a->restore_ns = --a->unserved == 0 ? now_ns : SIM_NEVER;
        }
    }
}

static double seconds(const struct attacker *a, int64_t at_ns)
{
    return at_ns == SIM_NEVER ? NAN : (double)(at_ns - a->first_ns) / 1e9;
}

void sim_attackers_summarise(const struct sim_world *world, struct scn_summary *summary)
{
    for (size_t i = 0; i < world->attackers->count; i++) {
        const struct attacker *a = &world->attackers->all[i];
        summary->attacks[i] = (struct scn_attack_summary){
            .seen = a->seen + (a->pose != NULL ? sim_pose_sent(a->pose) : 0) +
                    (a->flood != NULL ? sim_flood_sent(a->flood) : 0),
            .sent = a->flood != NULL ? sim_flood_sent(a->flood) : 0,
            .missed = world->manager_gaps,
            .backlog = world->work_most,
            .restore_s = a->restore_ns == SIM_NEVER
                             ? NAN
                             : (double)(a->restore_ns - a->plan->at_ns - a->plan->for_ns) / 1e9,
            .shielded = a->shielded,
            .read = a->knowledge.read,
            .leaked_keys = a->knowledge.leaked_keys,
            .leaked_bits = a->knowledge.leaked_bits,
            .marked_bits = a->knowledge.marked_bits,
            .touched = a->touched,
            .forged = a->forged,
            .accepted = a->accepted + (a->pose != NULL ? sim_pose_won(a->pose) : 0),
            .rejected = a->forged - a->accepted,
            .first_s = a->first_ns == SIM_NEVER ? NAN : (double)a->first_ns / 1e9,
            .detect_s = seconds(a, a->detect_ns),
            .alarm_s = seconds(a, a->alarm_ns),
        };
        summary->security.forgeries_accepted += a->accepted;
    }
}
