/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Optical switches: which of its links each one serves (own definition; the standard names Cops and its
 * ends).
 *
 *   by schedule   one link after the other, `dwell` each
 *   by demand     after `dwell`, the link with the least key, if it has a quarter less than the one that is
 *                 served; and after 4 times `dwell` the least of the others in any case. A link that made no
 *                 block in such a long turn is left out for 8, 16, ... 128 times `dwell`
 *
 * A link that is maintained is left out. A switch turns to one link at a time: it is told the next one only
 * after it has answered. */
#include "core/base/err.h"
#include "core/base/mutant.h"
#include "core/controller/element.h"

enum {
    MESSAGE_BYTES = 128,
    HYSTERESIS = 4,     /* a part of what the served link has */
    LONGEST_DWELLS = 4, /* on one link, by demand */
    MOST_FRUITLESS = 5  /* 2^(2 + this) times the dwell: the longest that a link is left out */
};

/* ---- choice ---- */

static bool may_serve(const struct ctl *ctl, const struct qkd_event *event, uint32_t lamp)
{
    const struct ctl_lamp *l = &ctl->light.lamps[lamp];
    return !ctl_lamp_maintained(ctl, event, l);
}

static uint32_t next_by_schedule(const struct ctl *ctl, const struct qkd_event *event,
                                 const struct ctl_optical *s)
{
    for (uint32_t i = 1; i <= s->count; i++) {
        uint32_t next = (s->at + i) % s->count;
        if (may_serve(ctl, event, s->lamps[next])) {
            return next;
        }
    }
    return s->at;
}

/* Bits that both ends of a link may use. */
static uint64_t level(const struct ctl *ctl, uint32_t lamp)
{
    const struct ctl_lamp *l = &ctl->light.lamps[lamp];
    const struct ctl_topology *t = &ctl->topology;
    uint32_t slot = ctl_topology_link(t, qkd_eid_node(l->module[0].to), l->link);
    return slot == CTL_NONE ? 0 : t->halves[2 * slot].own + t->halves[2 * slot + 1].own;
}

/* The link with the least key besides the one served; CTL_NONE: none may be served. */
static uint32_t least_other(const struct ctl *ctl, const struct qkd_event *event,
                            const struct ctl_optical *s)
{
    uint32_t best = CTL_NONE;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 1; i < s->count; i++) {
        uint32_t other = (s->at + i) % s->count;
        const struct ctl_lamp *lamp = &ctl->light.lamps[s->lamps[other]];
        uint64_t bits = level(ctl, s->lamps[other]);
        if (bits < least && may_serve(ctl, event, s->lamps[other]) &&
            !qkd_time_before(event->now, lamp->not_before)) {
            best = other;
            least = bits;
        }
    }
    return best;
}

static uint32_t next_by_demand(struct ctl *ctl, const struct qkd_event *event,
                               const struct ctl_optical *s)
{
    struct ctl_lamp *served = &ctl->light.lamps[s->lamps[s->at]];
    uint32_t other = least_other(ctl, event, s);
    if (other == CTL_NONE) {
        return s->at;
    }
    uint64_t own = level(ctl, s->lamps[s->at]);
    int64_t longest_ns = LONGEST_DWELLS * s->dwell.ns;
    bool is_long = event->now.ns - s->since.ns >= longest_ns;
    if (is_long && served->blocks == served->blocks_before) {
        served->fruitless = (uint8_t)(served->fruitless + (served->fruitless < MOST_FRUITLESS));
        struct qkd_span out = qkd_span_ns(s->dwell.ns << (2 + served->fruitless));
        served->not_before = qkd_time_add(event->now, out);
    }
    if (is_long || !may_serve(ctl, event, s->lamps[s->at])) {
        return other;
    }
    return level(ctl, s->lamps[other]) < own - own / HYSTERESIS ? other : s->at;
}

/* ---- commands ---- */

static void light_path_say(struct ctl *ctl, const struct qkd_event *event, struct ctl_optical *s,
                           struct qkd_out *out)
{
    struct ctl_say *say = &s->say;
    if (say->last_id == 0) {
        say->last_id = ctl->next_message_id++;
        say->tries = 0;
    } /* else the same command again, under its Message ID */
    struct wire_light_path command = {
        .head = {.rp = QKD_RP_COPS, .message_id = say->last_id, .sender = ctl->config.self},
        .switch_id = say->to,
        .link = ctl->light.lamps[s->lamps[s->target]].link,
        .has_term = ctl->term.own != 0,
        .term = ctl->term.own};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_light_path_encode(&command, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    say->again_at = ctl_say_again(ctl, event, say);
    say->tries = (uint8_t)(say->tries + (say->tries < UINT8_MAX));
    struct chan_send send = {
        .rp = QKD_RP_COPS, .peer = say->to, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* said again */
}

/* The switch serves a link from now on. */
static void serve(struct ctl *ctl, const struct qkd_event *event, struct ctl_optical *s,
                  uint32_t at)
{
    s->at = at;
    s->since = event->now;
    struct ctl_lamp *lamp = &ctl->light.lamps[s->lamps[at]];
    lamp->blocks_before = lamp->blocks;
}

void ctl_switch_step(struct ctl *ctl, const struct qkd_event *event, struct ctl_optical *s,
                     struct qkd_out *out)
{
    if (!s->is_known || !chan_is_up(ctl->set, QKD_RP_COPS, s->say.to)) {
        return; /* it tells where it stands when it comes up */
    }
    if (s->target == CTL_NONE) {
        s->target = s->at != CTL_NONE ? s->at : 0;
    }
    struct qkd_time turn_at = qkd_time_add(s->since, s->dwell);
    bool is_there = s->at == s->target;
    if (is_there && !qkd_time_before(event->now, turn_at) && !QKDN_MUTANT(SWITCH_STUCK)) {
        s->target = s->by == WIRE_BY_DEMAND ? next_by_demand(ctl, event, s)
                                            : next_by_schedule(ctl, event, s);
        s->say.last_id = 0;
        s->say.again_at = event->now;
    }
    if (s->at == s->target) { /* by demand: looks again with each status */
        ctl_light_wake(ctl, is_there && qkd_time_before(event->now, turn_at) ? turn_at : QKD_NEVER);
        return;
    }
    if (!qkd_time_before(event->now, s->say.again_at)) {
        light_path_say(ctl, event, s, out);
    }
    ctl_light_wake(ctl, s->say.again_at);
}

void ctl_light_path_rsp(struct ctl *ctl, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct ctl_light *light = &ctl->light;
    struct wire_light_path_rsp rsp;
    int err = wire_light_path_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    uint8_t key[8];
    wire_put_u64(key, m->peer.v);
    uint32_t slot = qkd_map_get(&light->by_optical, key);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    struct ctl_optical *s = &light->opticals[slot];
    if (s->say.last_id == 0 || rsp.head.orig_message_id != s->say.last_id) {
        return; /* D23-GM-01: no command in work that this answers */
    }
    s->say.last_id = 0;
    if (rsp.code == WIRE_SUCCESS && light->lamps[s->lamps[s->target]].link == rsp.link) {
        serve(ctl, event, s, s->target);
        ctl_light_wake(ctl, event->now);
    } else { /* it was busy with another command: a new one in a while */
        s->say.again_at = ctl_say_again(ctl, event, &s->say);
        ctl_light_wake(ctl, s->say.again_at);
    }
}

/* ---- status ---- */

/* Which of its links an optical element says that it serves. */
static uint32_t place_of(const struct ctl *ctl, const struct ctl_optical *o, uint32_t link)
{
    for (uint32_t i = 0; i < o->count && link != WIRE_NO_LINK; i++) {
        if (ctl->light.lamps[o->lamps[i]].link == link) {
            return i;
        }
    }
    return CTL_NONE;
}

void ctl_optical_status(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid from,
                        struct wire_bytes opticals, struct qkd_out *out)
{
    struct ctl_light *light = &ctl->light;
    struct wire_optical_status status;
    uint8_t key[8];
    wire_put_u64(key, from.v);
    uint32_t slot = qkd_map_get(&light->by_optical, key);
    if (slot == QKD_MAP_NONE ||
        wire_optical_status_decode(&status, opticals.at, opticals.len) != (int)opticals.len ||
        !qkd_eid_eq(status.optical, from)) {
        return;
    }
    struct ctl_optical *o = &light->opticals[slot];
    uint32_t at = place_of(ctl, o, status.link);
    if (!o->is_known || at != o->at) {
        ctl_light_wake(ctl, event->now);
        o->say.again_at = o->is_known ? o->say.again_at : event->now;
        if (at != CTL_NONE && o->is_switch) {
            serve(ctl, event, o, at);
        }
        o->say.is_known = o->is_switch || (o->say.is_known && at == o->at);
        o->at = at;
    }
    o->is_known = true;
    o->heard = event->now;
    for (uint32_t i = 0; o->is_silent && i < o->count; i++) {
        (void)chan_report_clear(&ctl->reports, event, WIRE_FAULT_OPTICAL_DOWN,
                                light->lamps[o->lamps[i]].link, out);
    }
    o->is_silent = false;
}
