/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which links make key, and what their modules and relay points are told: see controller/light.h. */
#include "core/controller/light.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/controller/element.h"

enum {
    MESSAGE_BYTES = 128,
    MOST_BACKOFF = 3, /* 2^3 times the first repetition */
    FULL_SHARE = 8,   /* made again this part of the store below full, by forecast */
    HOLD_PERIODS = 3  /* a module that was stopped by forecast runs again if nobody says it again */
};

void ctl_light_init(struct ctl *ctl)
{
    uint32_t links = ctl->config.link_limit;
    ctl->light = (struct ctl_light){.due = QKD_NEVER};
    qkd_map_init(&ctl->light.by_module, 8, 2 * links, NULL);
    qkd_map_init(&ctl->light.by_link, 4, links, NULL);
    qkd_map_init(&ctl->light.by_optical, 8, 2 * links, NULL);
}

void ctl_light_fini(struct ctl *ctl)
{
    struct ctl_light *light = &ctl->light;
    for (uint32_t i = 0; i < light->lamp_count; i++) {
        free(light->lamps[i].windows);
    }
    free(light->lamps);
    free(light->opticals);
    qkd_map_fini(&light->by_module);
    qkd_map_fini(&light->by_link);
    qkd_map_fini(&light->by_optical);
    *light = (struct ctl_light){.due = QKD_NEVER};
}

void ctl_light_wake(struct ctl *ctl, struct qkd_time at)
{
    ctl->light.due = qkd_time_min(ctl->light.due, at);
}

/* ---- configuration ---- */

/* Room for one more item; false without memory. */
static bool grow(void **items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap) {
        return true;
    }
    uint32_t more = *cap == 0 ? 4 : 2 * *cap;
    void *grown = realloc(*items, more * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *cap = more;
    return true;
}

static int eid_put(struct qkd_map *map, struct qkd_eid eid, uint32_t slot)
{
    uint8_t key[8];
    wire_put_u64(key, eid.v);
    return qkd_map_put(map, key, slot);
}

static uint32_t eid_get(const struct qkd_map *map, struct qkd_eid eid)
{
    uint8_t key[8];
    wire_put_u64(key, eid.v);
    return qkd_map_get(map, key);
}

static uint32_t lamp_find(const struct ctl_light *light, uint32_t link)
{
    uint8_t key[4];
    wire_put_u32(key, link);
    return qkd_map_get(&light->by_link, key);
}

static bool windows_valid(struct wire_bytes windows)
{
    struct wire_window window;
    for (size_t at = 0; at < windows.len;) {
        int len = wire_window_decode(&window, windows.at + at, windows.len - at);
        if (len <= 0 || window.to.ns <= window.from.ns) {
            return false;
        }
        at += (size_t)len;
    }
    return true;
}

static int lamp_add(struct ctl *ctl, const struct wire_cfg_light *config)
{
    struct ctl_light *light = &ctl->light;
    struct qkd_eid modules[2] = {config->module_a, config->module_b};
    uint8_t key[4];
    void *lamps = light->lamps;
    if (!windows_valid(config->windows) || light->lamp_count == ctl->config.link_limit ||
        lamp_find(light, config->link) != QKD_MAP_NONE) {
        return QKD_ERR_INVALID;
    }
    if (!grow(&lamps, light->lamp_count, &light->lamp_cap, sizeof *light->lamps)) {
        return QKD_ERR_NOMEM;
    }
    light->lamps = lamps;
    uint32_t slot = light->lamp_count;
    wire_put_u32(key, config->link);
    int err = qkd_map_put(&light->by_link, key, slot);
    for (uint32_t end = 0; end < 2 && err == 0; end++) {
        err = eid_put(&light->by_module, modules[end], 2 * slot + end);
    }
    if (err != 0) {
        return err;
    }
    struct ctl_lamp *lamp = &light->lamps[slot];
    *lamp = (struct ctl_lamp){.link = config->link,
                              .store_bits = config->store_bits,
                              .optical_switch = CTL_NONE,
                              .relay_point = CTL_NONE,
                              .not_before = {INT64_MIN}};
    for (uint32_t end = 0; end < 2; end++) {
        lamp->module[end] =
            (struct ctl_say){.to = modules[end], .rp = QKD_RP_CQ, .again_at = QKD_NEVER};
    }
    if (config->windows.len > 0) {
        lamp->windows = malloc(config->windows.len);
        if (lamp->windows == NULL) {
            return QKD_ERR_NOMEM;
        }
        memcpy(lamp->windows, config->windows.at, config->windows.len);
        lamp->windows_len = config->windows.len;
    }
    light->lamp_count++;
    return 0;
}

static int optical_add(struct ctl *ctl, const struct wire_cfg_optical *config)
{
    struct ctl_light *light = &ctl->light;
    bool is_switch = qkd_eid_role(config->optical) == QKD_ROLE_SWITCH;
    size_t count = config->links.len / 4;
    void *opticals = light->opticals;
    if (config->links.len % 4 != 0 || count == 0 || count > CTL_OPTICAL_LINKS ||
        (is_switch && (!config->has_dwell || config->dwell.ns <= 0)) ||
        (!is_switch && count != 1) ||
        eid_get(&light->by_optical, config->optical) != QKD_MAP_NONE) {
        return QKD_ERR_INVALID;
    }
    if (!grow(&opticals, light->optical_count, &light->optical_cap, sizeof *light->opticals)) {
        return QKD_ERR_NOMEM;
    }
    light->opticals = opticals;
    struct ctl_optical made = {.say = {.to = config->optical,
                                       .rp = is_switch ? QKD_RP_COPS : QKD_RP_CQRP,
                                       .again_at = QKD_NEVER},
                               .is_switch = is_switch,
                               .by = config->by,
                               .dwell = config->dwell,
                               .count = (uint32_t)count,
                               .at = CTL_NONE,
                               .target = CTL_NONE};
    for (size_t i = 0; i < count; i++) {
        made.lamps[i] = lamp_find(light, wire_get_u32(config->links.at + 4 * i));
        if (made.lamps[i] == QKD_MAP_NONE) {
            return QKD_ERR_INVALID; /* CFG_LIGHT comes first */
        }
    }
    int err = eid_put(&light->by_optical, config->optical, light->optical_count);
    for (size_t i = 0; i < count && err == 0; i++) {
        struct ctl_lamp *lamp = &light->lamps[made.lamps[i]];
        *(is_switch ? &lamp->optical_switch : &lamp->relay_point) = light->optical_count;
    }
    light->opticals[light->optical_count] = made;
    light->optical_count += err == 0;
    return err;
}

int ctl_light_config(struct ctl *ctl, const struct qkd_event *event)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err == 0 && head.command == WIRE_CMD_CFG_LIGHT) {
        struct wire_cfg_light lamp;
        err = wire_cfg_light_decode(&lamp, event->u.config.bytes, event->u.config.len);
        err = err == 0 ? lamp_add(ctl, &lamp) : err;
    } else if (err == 0) {
        struct wire_cfg_optical optical;
        err = wire_cfg_optical_decode(&optical, event->u.config.bytes, event->u.config.len);
        err = err == 0 ? optical_add(ctl, &optical) : err;
        if (err == 0) {
            ctl->light.opticals[ctl->light.optical_count - 1].heard = event->now;
        }
    }
    ctl_light_wake(ctl, event->now);
    return err;
}

/* ---- what is said ---- */

static void say_forget(struct ctl_say *say)
{
    say->is_known = false;
    say->last_id = 0;
    say->tries = 0;
    say->again_at = QKD_NEVER;
}

struct qkd_time ctl_say_again(const struct ctl *ctl, const struct qkd_event *event,
                              const struct ctl_say *say)
{
    uint32_t shift = say->tries < MOST_BACKOFF ? say->tries : MOST_BACKOFF;
    return qkd_time_add(event->now, qkd_span_ns(ctl->config.retransmit.ns << shift));
}

/* GENERATION to a module or relay point; hold: how long a stop is valid, 0: until the next word. */
static void generation_say(struct ctl *ctl, const struct qkd_event *event, struct ctl_say *say,
                           struct qkd_span hold, struct qkd_out *out)
{
    int64_t hold_ms = hold.ns / QKD_NS_PER_MS;
    struct wire_generation command = {.head = {.rp = (uint8_t)say->rp,
                                               .message_id = ctl->next_message_id++,
                                               .sender = ctl->config.self},
                                      .module_id = say->to,
                                      .run = say->asked,
                                      .has_term = ctl->term.own != 0,
                                      .term = ctl->term.own,
                                      .has_hold_ms = hold_ms > 0 && !say->asked,
                                      .hold_ms = hold_ms > UINT32_MAX ? UINT32_MAX
                                                                      : (uint32_t)hold_ms};
    uint8_t bytes[MESSAGE_BYTES];
    int len = wire_generation_encode(&command, bytes, sizeof bytes);
    QKD_ASSERT(len > 0);
    say->first_id = say->last_id == 0 ? command.head.message_id : say->first_id;
    say->last_id = command.head.message_id;
    say->again_at = ctl_say_again(ctl, event, say);
    say->tries = (uint8_t)(say->tries + (say->tries < UINT8_MAX));
    struct chan_send send = {.rp = say->rp, .peer = say->to, .message = bytes, .len = (size_t)len};
    (void)chan_send(ctl->set, event, &send, out); /* said again */
}

/* Makes a receiver do what is wanted of it. */
static void say_step(struct ctl *ctl, const struct qkd_event *event, struct ctl_say *say,
                     bool wanted, struct qkd_span hold, struct qkd_out *out)
{
    if (!chan_is_up(ctl->set, say->rp, say->to)) {
        return; /* it is told when it comes up */
    }
    bool is_due = !qkd_time_before(event->now, say->again_at);
    bool is_new = say->last_id != 0 ? say->asked != wanted : !say->is_known || say->state != wanted;
    if (is_new) {
        say->last_id = 0;
        say->tries = 0;
        say->asked = wanted;
    }
    if (is_new || is_due) {
        generation_say(ctl, event, say, hold, out);
    }
    ctl_light_wake(ctl, say->again_at);
}

void ctl_light_on_rsp(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out)
{
    struct ctl_light *light = &ctl->light;
    struct wire_generation_rsp rsp;
    int err = wire_generation_rsp_decode(&rsp, m->bytes, m->len);
    if (err != 0) {
        ctl_bad_bytes(ctl, m, err, out);
        return;
    }
    bool is_module = m->rp == QKD_RP_CQ;
    uint32_t slot = eid_get(is_module ? &light->by_module : &light->by_optical, m->peer);
    if (slot == QKD_MAP_NONE) {
        return;
    }
    struct ctl_say *say = is_module ? &light->lamps[slot / 2].module[slot % 2]
                                    : &light->opticals[slot].say;
    uint64_t id = rsp.head.orig_message_id;
    if (rsp.code != WIRE_SUCCESS || say->last_id == 0 || id < say->first_id || id > say->last_id) {
        return;
    }
    say->is_known = true;
    say->state = say->asked;
    say->last_id = 0;
    say->tries = 0;
    /* A stop that was said for some time is said again within it. */
    say->again_at = QKD_NEVER;
    if (is_module && !say->asked && light->lamps[slot / 2].is_full) {
        say->again_at = qkd_time_add(event->now, ctl->config.status_period);
    }
    if (!is_module) {
        light->opticals[slot].at = say->state ? 0 : CTL_NONE;
    }
    ctl_light_wake(ctl, event->now);
}

/* ---- what is wanted ---- */

/* The window of maintenance that is open, or opens within a status period; false: none. */
static bool window_find(const struct ctl *ctl, const struct qkd_event *event,
                        const struct ctl_lamp *lamp, struct wire_window *window)
{
    for (size_t at = 0; at < lamp->windows_len;) {
        int len = wire_window_decode(window, lamp->windows + at, lamp->windows_len - at);
        QKD_ASSERT(len > 0); /* windows_valid() */
        at += (size_t)len;
        if (event->wall.ns >= window->from.ns - ctl->config.status_period.ns &&
            event->wall.ns < window->to.ns) {
            return true;
        }
    }
    return false;
}

bool ctl_lamp_maintained(const struct ctl *ctl, const struct qkd_event *event,
                         const struct ctl_lamp *lamp)
{
    struct wire_window window;
    return window_find(ctl, event, lamp, &window);
}

/* When a window opens or closes next, by the clock of this controller. */
static struct qkd_time window_next(const struct ctl *ctl, const struct qkd_event *event,
                                   const struct ctl_lamp *lamp)
{
    struct qkd_time next = QKD_NEVER;
    struct wire_window window;
    for (size_t at = 0; at < lamp->windows_len;) {
        int len = wire_window_decode(&window, lamp->windows + at, lamp->windows_len - at);
        QKD_ASSERT(len > 0);
        at += (size_t)len;
        int64_t changes[2] = {window.from.ns - ctl->config.status_period.ns, window.to.ns};
        for (size_t i = 0; i < 2; i++) {
            if (changes[i] > event->wall.ns) {
                struct qkd_span wait = qkd_span_ns(changes[i] - event->wall.ns);
                next = qkd_time_min(next, qkd_time_add(event->now, wait));
            }
        }
    }
    return next;
}

static void lamp_step(struct ctl *ctl, const struct qkd_event *event, struct ctl_lamp *lamp,
                      struct qkd_out *out)
{
    struct ctl_light *light = &ctl->light;
    uint32_t slot = (uint32_t)(lamp - light->lamps);
    struct wire_window window;
    bool is_lit = true;
    if (lamp->optical_switch != CTL_NONE) {
        const struct ctl_optical *s = &light->opticals[lamp->optical_switch];
        is_lit = s->at != CTL_NONE && s->at == s->target && s->lamps[s->at] == slot;
    }
    bool is_maintained = window_find(ctl, event, lamp, &window);
    bool is_wanted = !is_maintained && !lamp->is_full;
    if (lamp->relay_point != CTL_NONE) {
        struct ctl_optical *point = &light->opticals[lamp->relay_point];
        say_step(ctl, event, &point->say, is_wanted, (struct qkd_span){0}, out);
        is_lit = is_lit && (point->at != CTL_NONE || point->is_silent);
    }
    struct qkd_span hold = {0};
    if (is_lit && is_maintained) {
        hold = qkd_span_ns(window.to.ns - event->wall.ns);
    } else if (is_lit && lamp->is_full) {
        hold = qkd_span_ns(HOLD_PERIODS * ctl->config.status_period.ns);
    }
    for (uint32_t end = 0; end < 2; end++) {
        say_step(ctl, event, &lamp->module[end], is_wanted && is_lit, hold, out);
    }
    ctl_light_wake(ctl, window_next(ctl, event, lamp));
}

void ctl_light_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct ctl_light *light = &ctl->light;
    light->due = QKD_NEVER;
    if (!ctl_in_charge(ctl)) {
        return;
    }
    for (uint32_t i = 0; i < light->optical_count; i++) {
        if (light->opticals[i].is_switch) {
            ctl_switch_step(ctl, event, &light->opticals[i], out);
        }
    }
    for (uint32_t i = 0; i < light->lamp_count; i++) {
        lamp_step(ctl, event, &light->lamps[i], out);
    }
}

/* ---- statuses, time ---- */

void ctl_light_end(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t i = 0; i < ctl->light.optical_count; i++) {
        struct ctl_optical *optical = &ctl->light.opticals[i];
        for (uint32_t k = 0; k < optical->count; k++) {
            (void)chan_report_clear(&ctl->reports, event, WIRE_FAULT_OPTICAL_DOWN,
                                    ctl->light.lamps[optical->lamps[k]].link, out);
        }
        optical->is_silent = false;
    }
}

void ctl_light_begin(struct ctl *ctl, const struct qkd_event *event)
{
    struct ctl_light *light = &ctl->light;
    for (uint32_t i = 0; i < light->lamp_count; i++) {
        say_forget(&light->lamps[i].module[0]);
        say_forget(&light->lamps[i].module[1]);
    }
    for (uint32_t i = 0; i < light->optical_count; i++) {
        struct ctl_optical *optical = &light->opticals[i];
        say_forget(&optical->say);
        optical->is_known = false;
        optical->at = optical->target = CTL_NONE;
        optical->heard = event->now;
    }
    ctl_light_wake(ctl, event->now);
}

void ctl_light_up(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid peer)
{
    struct ctl_light *light = &ctl->light;
    uint32_t module = eid_get(&light->by_module, peer);
    uint32_t optical = eid_get(&light->by_optical, peer);
    if (module != QKD_MAP_NONE) {
        say_forget(&light->lamps[module / 2].module[module % 2]);
    }
    if (optical != QKD_MAP_NONE) {
        say_forget(&light->opticals[optical].say);
        light->opticals[optical].is_known = false;
    }
    if (module != QKD_MAP_NONE || optical != QKD_MAP_NONE) {
        ctl_light_wake(ctl, event->now);
    }
}

uint64_t ctl_light_status(struct ctl *ctl, const struct wire_module_status *status)
{
    struct ctl_light *light = &ctl->light;
    uint32_t slot = light->lamp_count == 0 ? QKD_MAP_NONE
                                           : eid_get(&light->by_module, status->module);
    if (slot == QKD_MAP_NONE || light->lamps[slot / 2].link != status->link) {
        return status->rate_bps;
    }
    struct ctl_lamp *lamp = &light->lamps[slot / 2];
    if (status->blocks != lamp->seen[slot % 2]) {
        lamp->seen[slot % 2] = status->blocks;
        lamp->blocks++;
        lamp->fruitless = 0;
    }
    return lamp->optical_switch == CTL_NONE
               ? status->rate_bps
               : status->rate_bps / light->opticals[lamp->optical_switch].count;
}

/* Whether the store of a link will be full `forecast` from now, as it fills and is used today. A store that is
 * not half full of what can pay keys is never waited for: what is short of key now would stay so, and tails
 * make room for key only where a store is really full. */
static void forecast(struct ctl *ctl, struct ctl_lamp *lamp)
{
    const struct ctl_topology *t = &ctl->topology;
    uint32_t slot = ctl_topology_link(t, qkd_eid_node(lamp->module[0].to), lamp->link);
    if (slot == CTL_NONE || ctl->config.forecast.ns == 0) {
        return;
    }
    const struct ctl_link *link = &t->links[slot];
    double span_s = (double)ctl->config.forecast.ns / (double)QKD_NS_PER_S;
    double used_bps = (double)link->consumed_bps[0] + (double)link->consumed_bps[1];
    double stored = (double)(link->stored_bits[0] > link->stored_bits[1] ? link->stored_bits[0]
                                                                         : link->stored_bits[1]);
    double level = stored + span_s * ((double)ctl_link_rate_bps(link) - used_bps);
    double most = (double)lamp->store_bits;
    double usable = (double)t->halves[2 * slot].own + (double)t->halves[2 * slot + 1].own;
    bool will_be = lamp->is_full ? level > most - most / FULL_SHARE : level >= most;
    lamp->is_full = will_be && usable >= most / 2;
}

static void silence(struct ctl *ctl, const struct qkd_event *event, struct ctl_optical *optical,
                    struct qkd_out *out)
{
    struct qkd_time limit = qkd_time_add(optical->heard, ctl_stale_after(ctl));
    if (optical->is_silent || qkd_time_before(event->now, limit)) {
        return;
    }
    optical->is_silent = true;
    for (uint32_t i = 0; i < optical->count; i++) {
        (void)chan_report_raise(&ctl->reports, event, WIRE_FAULT_OPTICAL_DOWN,
                                ctl->light.lamps[optical->lamps[i]].link, out);
    }
}

void ctl_light_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    struct ctl_light *light = &ctl->light;
    for (uint32_t i = 0; i < light->optical_count; i++) {
        silence(ctl, event, &light->opticals[i], out);
    }
    for (uint32_t i = 0; i < light->lamp_count; i++) {
        forecast(ctl, &light->lamps[i]);
    }
    if (light->lamp_count > 0) {
        ctl_light_step(ctl, event, out);
    }
}
