/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host of KMA, KSA and KMC: gives each event to the part it is for, and hands messages between parts
 * of this host over within the same step, so that they are one commit. See km.h. */
#include "core/km/km.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/kma.h"
#include "core/km/kmc.h"
#include "core/km/ksa.h"

#define NAME_MAX_LEN 64
#define BATCH_MAX 256
#define HANDOVERS_MAX 100000 /* a chain of hand-overs longer than this is a programming error */

enum { PARTS = 3 };

static const enum qkd_role roles[PARTS] = {QKD_ROLE_KMA, QKD_ROLE_KSA, QKD_ROLE_KMC};

/* What each step needs comes first. */
struct km {
    struct kma *kma;
    struct ksa *ksa;
    struct kmc *kmc;
    struct qkd_time due[PARTS]; /* deadline of each part, as its last step left it: who asks for the
                                   host's deadline need not look into parts that did nothing */
    struct km_config config;
    char name[NAME_MAX_LEN];
    char community[NAME_MAX_LEN];
};

static bool config_valid(const struct km_config *c)
{
    for (uint32_t i = 0; i < c->class_count && i < KM_CLASSES; i++) {
        if (c->classes[i].priority > KM_PRIORITY_MOST) {
            return false;
        }
    }
    return c->parts != 0 && (c->parts & ~(uint32_t)KM_ALL) == 0 && c->unit_bits >= 64 &&
           c->unit_bits % 8 == 0 && c->batch >= 1 && c->batch <= BATCH_MAX &&
           c->lease_bits >= 256 && c->lease_bits % 8 == 0 && c->retransmit.ns > 0 &&
           c->expiry.ns > 0 && c->fetch_within.ns > 0 && c->timer.ns > 0 &&
           c->status_period.ns > 0 && !c->metadata_clear && c->request_limit > 0 &&
           c->key_limit > 0 && c->link_limit > 0 && c->class_count <= KM_CLASSES &&
           strlen(c->name) < NAME_MAX_LEN && strlen(c->community) < NAME_MAX_LEN;
}

int km_new(const struct km_config *config, struct km **to)
{
    if (!config_valid(config)) {
        return QKD_ERR_INVALID;
    }
    struct km *km = calloc(1, sizeof *km);
    if (km == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (size_t i = 0; i < PARTS; i++) {
        km->due[i] = QKD_NEVER;
    }
    km->config = *config;
    memcpy(km->name, config->name, strlen(config->name));
    memcpy(km->community, config->community, strlen(config->community));
    km->config.name = km->name;
    km->config.community = km->community;
    int err = 0;
    if (config->parts & KM_KMA) {
        err = kma_new(&km->config, &km->kma);
    }
    if (err == 0 && (config->parts & KM_KSA)) {
        err = ksa_new(&km->config, &km->ksa);
    }
    if (err == 0 && (config->parts & KM_KMC)) {
        err = kmc_new(&km->config, &km->kmc);
    }
    if (err != 0) {
        km_free(km);
        return err;
    }
    *to = km;
    return 0;
}

void km_free(struct km *km)
{
    if (km != NULL) {
        kma_free(km->kma);
        ksa_free(km->ksa);
        kmc_free(km->kmc);
        free(km);
    }
}

static bool serves(const struct km *km, enum qkd_role role)
{
    return (role == QKD_ROLE_KMA && km->kma != NULL) || (role == QKD_ROLE_KSA && km->ksa != NULL) ||
           (role == QKD_ROLE_KMC && km->kmc != NULL);
}

static int part_step(struct km *km, enum qkd_role role, const struct qkd_event *event,
                     struct qkd_out *out)
{
    int err = QKD_ERR_UNKNOWN;
    if (role == QKD_ROLE_KMA && km->kma != NULL) {
        err = kma_step(km->kma, event, out);
        km->due[0] = kma_deadline(km->kma);
    } else if (role == QKD_ROLE_KSA && km->ksa != NULL) {
        err = ksa_step(km->ksa, event, out);
        km->due[1] = ksa_deadline(km->ksa);
    } else if (role == QKD_ROLE_KMC && km->kmc != NULL) {
        err = kmc_step(km->kmc, event, out);
        km->due[2] = kmc_deadline(km->kmc);
    }
    return err;
}

/* Hands over what the parts sent one another since entry `from`, and what that causes. */
static int hand_over(struct km *km, const struct qkd_event *cause, size_t from, struct qkd_out *out)
{
    size_t first = from;
    int err = 0;
    for (size_t i = from; i < out->send_count && err == 0; i++) {
        struct qkd_send send = out->send[i];
        if (qkd_eid_node(send.to) != km->config.node || !serves(km, qkd_eid_role(send.to)) ||
            (send.flags & QKD_SEND_DELIVERED) != 0) {
            continue;
        }
        QKD_ASSERT(i - first < HANDOVERS_MAX);
        out->send[i].flags |= QKD_SEND_DELIVERED;
        uint8_t *handed = qkd_out_scratch(out, send.bytes.len); /* the arena may move */
        if (handed == NULL) {
            return QKD_ERR_NOMEM;
        }
        memcpy(handed, qkd_out_at(out, send.bytes), send.bytes.len);
        struct qkd_event event = {.type = QKD_EV_RECV, .now = cause->now, .wall = cause->wall};
        event.u.recv.rp = send.rp;
        event.u.recv.from = send.from;
        event.u.recv.to = send.to;
        event.u.recv.bytes = handed;
        event.u.recv.len = send.bytes.len;
        err = part_step(km, qkd_eid_role(send.to), &event, out);
    }
    return err;
}

int km_start(struct km *km, enum km_parts part, const struct qkd_event *event, struct qkd_out *out)
{
    size_t from = out->send_count;
    enum qkd_role role = part == KM_KMA   ? QKD_ROLE_KMA
                         : part == KM_KSA ? QKD_ROLE_KSA
                                          : QKD_ROLE_KMC;
    int err = part_step(km, role, event, out);
    return err != 0 ? err : hand_over(km, event, from, out);
}

int km_step(struct km *km, const struct qkd_event *event, struct qkd_out *out)
{
    size_t from = out->send_count;
    int err = 0;
    if (event->type == QKD_EV_RECV) {
        err = part_step(km, qkd_eid_role(event->u.recv.to), event, out);
    } else if (event->type == QKD_EV_CONFIG) {
        err = part_step(km, qkd_eid_role(event->u.config.to), event, out);
    } else {
        for (size_t i = 0; i < PARTS && err == 0; i++) {
            bool early = event->type == QKD_EV_TIMEOUT && qkd_time_before(event->now, km->due[i]);
            if (!early && serves(km, roles[i])) {
                err = part_step(km, roles[i], event, out);
            }
        }
    }
    return err != 0 ? err : hand_over(km, event, from, out);
}

struct qkd_time km_deadline(const struct km *km)
{
    return qkd_time_min(qkd_time_min(km->due[0], km->due[1]), km->due[2]);
}
