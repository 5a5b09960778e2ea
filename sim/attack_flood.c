/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Floods. Until it begins, the attacker counts what receivers at its surface are sent, there and anywhere; its
 * victim is the one with the greatest product. Then it sends messages of its own, at a steady rate, in the name of the peer whose message
 * it saw last, or of strangers; it can send, but it cannot take messages of others away. A flood of requests
 * is none of forged messages: a valid application asks, and asks. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/channel/frames.h"
#include "host/load.h"
#include "sim/attack.h"

enum {
    RECEIVERS_MOST = 4096, /* that it counts */
    SAMPLE_MOST = 65536,   /* bytes of a message that it imitates */
    TIMES = 10,            /* the honest load of its victim */
    RATE_LEAST = 1000,     /* messages a second */
    STRANGER_BITS = 20     /* of their numbers */
};

struct receiver {
    struct qkd_eid to;
    uint64_t here; /* messages at the surface */
    uint64_t all;  /* and anywhere */
};

struct sim_flood {
    const struct scn_attack *plan;
    struct qkd_rng rng;
    struct receiver *receivers;
    uint32_t receiver_count, receiver_cap;
    struct qkd_eid victim; /* 0: it has not begun */
    uint64_t rate, sent;
    struct sim_local sample; /* the last message to its victim; its bytes are our own */
    uint8_t *bytes, *text;   /* of the sample, and what was said in it */
    size_t text_len;
};

int sim_flood_new(const struct scn_attack *plan, uint64_t seed, struct sim_flood **flood)
{
    *flood = calloc(1, sizeof **flood);
    if (*flood == NULL) {
        return QKD_ERR_NOMEM;
    }
    (*flood)->plan = plan;
    qkd_rng_init_named(&(*flood)->rng, seed, plan->id, 1);
    return QKD_OK;
}

void sim_flood_free(struct sim_flood *flood)
{
    if (flood != NULL) {
        qkd_rng_fini(&flood->rng);
        free(flood->receivers);
        free(flood->bytes);
        free(flood->text);
        free(flood);
    }
}

uint64_t sim_flood_sent(const struct sim_flood *flood)
{
    return flood->sent;
}

/* ---- before it begins ---- */

static struct receiver *receiver_of(struct sim_flood *flood, struct qkd_eid to)
{
    for (uint32_t i = 0; i < flood->receiver_count; i++) {
        if (qkd_eid_eq(flood->receivers[i].to, to)) {
            return &flood->receivers[i];
        }
    }
    if (flood->receiver_count == flood->receiver_cap) {
        uint32_t cap = flood->receiver_cap == 0 ? 64 : 2 * flood->receiver_cap;
        struct receiver *grown = cap > RECEIVERS_MOST
                                     ? NULL
                                     : realloc(flood->receivers, cap * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        flood->receivers = grown;
        flood->receiver_cap = cap;
    }
    struct receiver *made = &flood->receivers[flood->receiver_count++];
    *made = (struct receiver){.to = to};
    return made;
}

/* Elements of the key management layer and the two that it talks to: what X.1712 is about. */
static bool may_be_victim(struct qkd_eid to)
{
    enum qkd_role role = qkd_eid_role(to);
    return role == QKD_ROLE_KMA || role == QKD_ROLE_KSA || role == QKD_ROLE_KMC ||
           role == QKD_ROLE_CONTROLLER || role == QKD_ROLE_MANAGER;
}

static bool bytes_keep(uint8_t **to, const uint8_t *from, size_t len)
{
    uint8_t *kept = realloc(*to, len > 0 ? len : 1);
    if (kept != NULL) {
        *to = kept;
        if (from != NULL && len > 0) {
            memcpy(kept, from, len);
        }
    }
    return kept != NULL;
}

void sim_flood_see(struct sim_flood *flood, const struct sim_local *message,
                   const struct sim_sight *sight, bool is_here)
{
    if (!may_be_victim(message->to) || message->forged != 0) {
        return;
    }
    if (flood->victim.v == 0) {
        struct receiver *receiver = receiver_of(flood, message->to);
        if (receiver != NULL) {
            receiver->all++;
            receiver->here += is_here;
        }
    }
    bool content = sight->observed != NULL || message->bytes[0] != CHAN_MAGIC;
    bool wanted = flood->victim.v == 0 || qkd_eid_eq(flood->victim, message->to);
    if (flood->plan->flood == SCN_FLOOD_REPLAYED && message->bytes[0] != CHAN_MAGIC) {
        return; /* a relayed key that comes again makes its receiver do little */
    }
    if (is_here && content && wanted && message->len <= SAMPLE_MOST &&
        bytes_keep(&flood->bytes, message->bytes, message->len) &&
        bytes_keep(&flood->text, sight->observed, sight->observed_len)) {
        flood->sample = *message;
        flood->sample.bytes = flood->bytes;
        flood->sample.note = 0;
        flood->text_len = sight->observed_len;
    }
}

/* ---- it floods ---- */

static void victim_choose(struct sim_flood *flood, int64_t now_ns)
{
    const struct receiver *most = NULL;
    for (uint32_t i = 0; i < flood->receiver_count; i++) {
        const struct receiver *one = &flood->receivers[i];
        most = most == NULL || one->here * one->all > most->here * most->all ? one : most;
    }
    if (most != NULL && most->here > 0) {
        flood->victim = most->to;
        uint64_t load = most->all * (uint64_t)QKD_NS_PER_S / (uint64_t)(now_ns > 0 ? now_ns : 1);
        flood->rate = TIMES * load > RATE_LEAST ? TIMES * load : RATE_LEAST;
    } else {
        flood->rate = RATE_LEAST;
    }
    flood->rate = flood->plan->rate > 0 ? flood->plan->rate : flood->rate;
}

/* A handshake that begins, in the name of somebody of the peer's role. */
static void stranger_make(struct sim_flood *flood, struct sim_local *message, uint8_t *bytes)
{
    uint8_t nonce[CHAN_NONCE_LEN];
    uint32_t number = (uint32_t)qkd_rng_below(&flood->rng, UINT64_C(1) << STRANGER_BITS);
    qkd_rng_bytes(&flood->rng, nonce, sizeof nonce);
    struct chan_frame frame = {
        .type = CHAN_FRAME_OPEN, .incarnation = 1, .serial = 1, .nonce = nonce};
    chan_shake_encode(&frame, bytes);
    qkd_rng_bytes(&flood->rng, bytes + CHAN_MACED_LEN, CHAN_SHAKE_LEN - CHAN_MACED_LEN);
    message->from = qkd_eid_make(qkd_eid_role(message->from),
                                 (UINT32_C(1) << STRANGER_BITS) + number,
                                 qkd_eid_node(message->from));
    message->len = CHAN_SHAKE_LEN;
}

/* Writes the next message into bytes, which is as long as the sample and a handshake. */
static bool next_make(struct sim_flood *flood, struct sim_local *message, uint8_t *bytes)
{
    struct sim_sight sight = {message->rp, flood->bytes, message->len,
                              flood->text_len > 0 ? flood->text : NULL, flood->text_len};
    switch (flood->plan->flood) {
    case SCN_FLOOD_JUNK:
        qkd_rng_bytes(&flood->rng, bytes, message->len);
        return true;
    case SCN_FLOOD_FORGED:
        return sim_forge(&flood->rng, &sight, bytes);
    case SCN_FLOOD_REPLAYED:
        memcpy(bytes, flood->bytes, message->len);
        return true;
    case SCN_FLOOD_STRANGERS:
        stranger_make(flood, message, bytes);
        return true;
    case SCN_FLOOD_REQUESTS:
    case SCN_FLOODS:
        break;
    }
    return false;
}

static void one_send(struct sim_world *world, struct sim_flood *flood, uint32_t number)
{
    size_t room = flood->sample.len > CHAN_SHAKE_LEN ? flood->sample.len : CHAN_SHAKE_LEN;
    uint8_t *bytes = flood->bytes == NULL ? NULL : malloc(room);
    struct sim_local message = flood->sample;
    if (bytes != NULL && next_make(flood, &message, bytes)) {
        message.bytes = bytes;
        message.forged = number;
        flood->sent++;
        sim_world_carry(world, &message);
    }
    free(bytes);
}

bool sim_flood_tick(struct sim_world *world, struct sim_flood *flood, uint32_t number,
                    int64_t *next_ns)
{
    int64_t now_ns = sim_world_now(world);
    const struct scn_attack *plan = flood->plan;
    if (flood->rate == 0) {
        victim_choose(flood, now_ns);
    }
    if (plan->flood == SCN_FLOOD_REQUESTS) {
        uint32_t which = plan->application != UINT32_MAX ? plan->application
                                                         : scn_attack_flooder(world->scenario);
        struct host_sender sender = {world, &world->message_id, sim_world_tell};
        host_load_ask(&world->loads[which], &sender);
        flood->sent++;
    } else {
        one_send(world, flood, number);
    }
    *next_ns = now_ns + (int64_t)((uint64_t)QKD_NS_PER_S / flood->rate);
    return plan->for_ns == SCN_FOREVER || *next_ns - plan->at_ns < plan->for_ns;
}

bool sim_flood_reaches(const struct sim_world *world, const struct sim_flood *flood)
{
    return flood->plan->flood == SCN_FLOOD_REQUESTS ||
           (flood->bytes != NULL && !sim_attack_is_shielded(world, &flood->sample));
}
