/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Optics: finished blocks go to both modules, with the same bits and the same ID. */
#include "host/optics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "host/light.h"

enum { MESSAGE_BYTES = 256 /* of a Q_BLOCK without its key */ };

#define PPM 1e6

static const struct scn_qkd *qkd_of(const struct host_optics *optics)
{
    return &optics->plan->scenario->links[optics->link].qkd;
}

/* The next point at which the light becomes too noisy for key, or quiet again. */
static void noise_seek(struct host_optics *optics, size_t from)
{
    struct mdl_link_params params = {.points = optics->points, .count = optics->point_count};
    optics->noise_at = mdl_link_noise_change(&params, from, optics->noisy);
}

int host_optics_init(struct host_optics *optics, const struct host_plan *plan, uint32_t link)
{
    *optics = (struct host_optics){.plan = plan, .link = link, .lost = true};
    int rc = host_light_points(plan->scenario, link, &optics->points, &optics->point_count);
    if (rc != 0) {
        return rc;
    }
    uint64_t seed = scn_link_seed(plan->scenario, link);
    qkd_rng_init_named(&optics->rng, seed, "QKD link", link);
    qkd_rng_init_named(&optics->instants, seed, "QKD link instants", link);
    optics->commanded = host_optics_commanded(plan->scenario, link);
    if (optics->commanded) {
        optics->dark |= scn_optical_of(plan->scenario, link, true) != SCN_NO_OPTICAL
                            ? HOST_DARK_SWITCH
                            : 0;
        optics->dark |= scn_optical_of(plan->scenario, link, false) != SCN_NO_OPTICAL
                            ? HOST_DARK_POINT
                            : 0;
    }
    noise_seek(optics, 0);
    return 0;
}

void host_optics_fini(struct host_optics *optics)
{
    free(optics->points);
    optics->points = NULL;
    qkd_rng_fini(&optics->rng);
    qkd_rng_fini(&optics->instants);
}

void host_optics_reseed(struct host_optics *optics, const uint8_t seed[32])
{
    qkd_rng_fini(&optics->rng);
    qkd_rng_init(&optics->rng, seed);
}

static bool runs(const struct host_optics *optics)
{
    return optics->run[0] && optics->run[1] && optics->broken == 0 && optics->dark == 0;
}

struct qkd_time host_optics_block_due(const struct host_optics *optics)
{
    return runs(optics) ? mdl_link_next_block(&optics->model).done : QKD_NEVER;
}

struct qkd_time host_optics_noise_due(const struct host_optics *optics)
{
    return optics->noise_at < optics->point_count
               ? (struct qkd_time){optics->points[optics->noise_at].t_ns}
               : QKD_NEVER;
}

/* Starts or stops the light as its modules and faults say. lose: the block in work is gone. */
static void update(struct host_optics *optics, struct qkd_time now, bool lose)
{
    if (!runs(optics)) {
        if (!optics->lost) {
            mdl_link_pause(&optics->model, now);
        }
        optics->lost = optics->lost || lose;
        return;
    }
    if (optics->lost) {
        const struct scn_qkd *qkd = qkd_of(optics);
        struct mdl_link_params params = {.points = optics->points,
                                         .count = optics->point_count,
                                         .block_bits = qkd->block_bits,
                                         .poisson = qkd->blocks == SCN_BLOCKS_POISSON
                                                        ? &optics->instants
                                                        : NULL};
        mdl_link_init(&optics->model, &params, now);
        optics->lost = false;
    } else {
        mdl_link_resume(&optics->model, now);
    }
}

/* A message from the device of an end to its module. */
static struct host_message message_make(const struct host_optics *optics, uint32_t end)
{
    const struct host_unit *unit = &optics->plan->units[optics->plan->modules[optics->link][end]];
    return (struct host_message){.rp = QKD_RP_Q,
                                 .from = qkd_eid_make(QKD_ROLE_DEVICE, unit->instance, unit->node),
                                 .to = host_module_eid(unit->node, unit->instance)};
}

/* Tells a module that wants light how noisy it is. */
static void noise_tell(const struct host_optics *optics, uint32_t end,
                       const struct host_optics_calls *calls)
{
    if (!optics->was_noisy || !optics->run[end] || optics->broken > 0) {
        return;
    }
    struct host_message message = message_make(optics, end);
    struct wire_q_noise noise = {
        .head = {.rp = QKD_RP_Q, .message_id = ++*calls->sender.message_id, .sender = message.from},
        .qber_ppm = (uint32_t)lround(optics->qber * PPM)};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_q_noise_encode(&noise, bytes, sizeof(bytes));
    QKD_ASSERT(len > 0);
    message.bytes = bytes;
    message.len = (size_t)len;
    calls->sender.give(calls->sender.ctx, &message);
}

void host_optics_noise(struct host_optics *optics, const struct host_optics_calls *calls)
{
    optics->noisy = !optics->noisy;
    optics->was_noisy = true;
    optics->qber = optics->points[optics->noise_at].qber;
    noise_seek(optics, optics->noise_at);
    noise_tell(optics, 0, calls);
    noise_tell(optics, 1, calls);
}

void host_optics_break(struct host_optics *optics, struct qkd_time now)
{
    optics->broken++;
    update(optics, now, true);
}

void host_optics_mend(struct host_optics *optics, struct qkd_time now,
                      const struct host_optics_calls *calls)
{
    optics->broken--;
    update(optics, now, false);
    noise_tell(optics, 0, calls);
    noise_tell(optics, 1, calls);
}

void host_optics_stop(struct host_optics *optics, struct qkd_time now, uint8_t end)
{
    optics->run[end] = false;
    optics->told[end] = false;
    update(optics, now, true);
}

bool host_optics_commanded(const struct scn_scenario *scenario, uint32_t link)
{
    return scn_optical_count(scenario) > 0 &&
           (scn_optical_of(scenario, link, true) != SCN_NO_OPTICAL ||
            scn_optical_of(scenario, link, false) != SCN_NO_OPTICAL);
}

void host_optics_light(struct host_optics *optics, struct qkd_time now, enum host_dark why, bool on)
{
    unsigned dark = on ? optics->dark & ~(unsigned)why : optics->dark | (unsigned)why;
    optics->dark = (uint8_t)dark;
    if (!optics->lost && dark != 0) {
        mdl_link_freeze(&optics->model, now);
    } else if (!optics->lost) {
        mdl_link_thaw(&optics->model, now);
    }
    update(optics, now, false);
}

uint32_t host_optics_light_read(const struct host_plan *plan, uint32_t number,
                                const struct host_message *message, bool *on)
{
    const struct scn_optical *optical = scn_optical_at(plan->scenario, number);
    struct wire_q_light light;
    if (wire_q_light_decode(&light, message->bytes, message->len) != 0) {
        return HOST_NO_LINK;
    }
    *on = light.on == 1;
    for (size_t i = 0; i < optical->link_count; i++) {
        if (optical->links[i] == light.link) {
            return light.link;
        }
    }
    return HOST_NO_LINK;
}

static uint64_t rate_at(const struct host_optics *optics, int64_t t_ns)
{
    uint64_t rate_bps = 0;
    for (size_t i = 0; i < optics->point_count && optics->points[i].t_ns <= t_ns; i++) {
        rate_bps = optics->points[i].rate_bps;
    }
    return rate_bps;
}

static int block_deliver(const struct host_optics *optics, struct wire_q_block *block,
                         struct wire_bytes room, const struct host_optics_calls *calls)
{
    for (uint32_t end = 0; end < 2; end++) {
        struct host_message message = message_make(optics, end);
        block->head = (struct wire_head){.rp = QKD_RP_Q,
                                         .message_id = ++*calls->sender.message_id,
                                         .sender = message.from};
        int len = wire_q_block_encode(block, (uint8_t *)room.at, room.len);
        if (len < 0) {
            return len;
        }
        message.bytes = room.at;
        message.len = (size_t)len;
        if (calls->block != NULL) {
            calls->block(calls->sender.ctx, optics->link, block, message.to);
        }
        calls->sender.give(calls->sender.ctx, &message);
    }
    return 0;
}

/* Hands a new block of block->key_length bits to both modules. */
static int block_make(struct host_optics *optics, struct wire_q_block *block,
                      const struct host_optics_calls *calls)
{
    bool seed_form = qkd_of(optics)->key_form == SCN_KEY_SEED;
    size_t key_len = seed_form ? 32 : (size_t)(block->key_length / 8);
    size_t cap = key_len + MESSAGE_BYTES;
    uint8_t seed[32];
    uint8_t *bytes = malloc(cap + key_len);
    if (bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    block->form = seed_form ? 1 : 0;
    block->key = (struct wire_bytes){bytes + cap, key_len};
    qkd_rng_bytes(&optics->rng, block->qkd_key_id.b, sizeof(block->qkd_key_id.b));
    qkd_rng_bytes(&optics->rng, seed, sizeof(seed));
    if (seed_form) {
        memcpy(bytes + cap, seed, sizeof(seed));
    } else {
        crypto_expand(bytes + cap, seed, 0, key_len);
    }
    int rc = block_deliver(optics, block, (struct wire_bytes){bytes, cap}, calls);
    crypto_wipe(seed, sizeof(seed));
    crypto_wipe(bytes, cap + key_len);
    free(bytes);
    return rc;
}

int host_optics_block(struct host_optics *optics, const struct host_optics_calls *calls)
{
    const struct scn_qkd *qkd = qkd_of(optics);
    struct mdl_block done = mdl_link_next_block(&optics->model);
    mdl_link_take_block(&optics->model);
    struct wire_q_block block = {
        .key_length = (uint32_t)qkd->block_bits,
        .qber_ppm = (uint32_t)lround(done.qber * PPM),
        .rate_bps = rate_at(optics, done.done.ns),
    };
    int rc = block_make(optics, &block, calls);
    if (optics->noisy && block.qber_ppm <= WIRE_QBER_LIMIT_PPM) {
        noise_tell(optics, 0, calls); /* the block is of the light before: it says nothing of now */
        noise_tell(optics, 1, calls);
    }
    return rc;
}

/* The key that both ends hold at the start, once in a run: its light need not shine for it. */
static int initial_deliver(struct host_optics *optics, const struct host_optics_calls *calls)
{
    uint64_t bits = optics->plan->scenario->links[optics->link].initial_bits;
    bool ready = optics->commanded ? optics->told[0] && optics->told[1]
                                   : optics->run[0] && optics->run[1];
    if (bits == 0 || optics->stocked || !ready) {
        return 0;
    }
    optics->stocked = true;
    struct wire_q_block block = {.key_length = (uint32_t)bits};
    return block_make(optics, &block, calls);
}

int host_optics_control(struct host_optics *optics, struct qkd_time now,
                        const struct host_message *message, const struct host_optics_calls *calls)
{
    struct wire_q_control control;
    if (wire_q_control_decode(&control, message->bytes, message->len) != 0) {
        return 0;
    }
    uint32_t end = 0;
    for (uint32_t i = 0; i < 2; i++) {
        end = message_make(optics, i).from.v == message->to.v ? i : end;
    }
    optics->run[end] = control.run != 0;
    optics->told[end] = true;
    int rc = initial_deliver(optics, calls);
    update(optics, now, false);
    noise_tell(optics, end, calls);
    return rc;
}
