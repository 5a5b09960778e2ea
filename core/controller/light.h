/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Generation control: which links shall make key now (docs/protocol.md, "Generation control"). Private to
 * the room.
 *
 *   light.c         each link under control: its modules are told to run or to stand (Cq), and so is its
 *                   quantum relay point (Cqrp): not while it is maintained, not while the forecast of its
 *                   store says full, not while its switch serves another link
 *   light_switch.c  each optical switch: which of its links is served, by schedule or by demand (Cops)
 *
 * A command is said again until it is acknowledged, and anew when its receiver comes back. Nothing of this
 * is persisted: who restarts learns from the statuses where switches and relay points stand. */
#ifndef QKD_CONTROLLER_LIGHT_H
#define QKD_CONTROLLER_LIGHT_H

#include "core/base/event.h"
#include "core/base/map.h"
#include "core/base/out.h"
#include "core/wire/codec.h"

#define CTL_OPTICAL_LINKS 64 /* most links of a switch */

struct ctl;
struct chan_message;

/* One receiver of commands, and what is known of its state. */
struct ctl_say {
    struct qkd_eid to;
    enum qkd_rp rp;
    bool is_known; /* `state` was acknowledged since its channel came up */
    bool state;
    bool asked;                 /* what the command in work wants, if one is */
    uint64_t first_id, last_id; /* the command in work: Message IDs of all its tries; 0: none */
    uint8_t tries;
    struct qkd_time again_at; /* of the command in work; of one that has to be renewed */
};

/* A link under control. */
struct ctl_lamp {
    uint32_t link;
    uint64_t store_bits; /* limit of its store at each end */
    struct ctl_say module[2];
    uint8_t *windows; /* of maintenance: wire_window records; NULL: none */
    size_t windows_len;
    uint32_t optical_switch, relay_point; /* in ctl_light.opticals; CTL_NONE: it has none */
    uint64_t seen[2];                     /* blocks of each module, as it said last */
    uint64_t blocks;                      /* how often that grew */
    uint64_t blocks_before;               /* the same when its switch turned to it */
    uint8_t fruitless;                    /* turns in a row that made no block */
    struct qkd_time not_before; /* the switch does not turn to it again, after such turns */
    bool is_full;               /* forecast */
};

/* An optical switch or a quantum relay point. */
struct ctl_optical {
    struct ctl_say say; /* relay point: `state`: it is active */
    bool is_switch;
    uint8_t by; /* enum wire_switching */
    struct qkd_span dwell;
    uint32_t lamps[CTL_OPTICAL_LINKS]; /* that it serves */
    uint32_t count;
    uint32_t at, target;   /* switch: which of them it serves, and is to serve; CTL_NONE */
    struct qkd_time since; /* switch: it serves it */
    bool is_known;         /* it told where it stands, since its channel came up */
    struct qkd_time heard;
    bool is_silent;
};

struct ctl_light {
    struct ctl_lamp *lamps;
    struct ctl_optical *opticals;
    uint32_t lamp_count, optical_count;
    uint32_t lamp_cap, optical_cap;
    struct qkd_map by_module;  /* element ID -> 2 * lamp + end */
    struct qkd_map by_link;    /* u32 -> lamp */
    struct qkd_map by_optical; /* element ID */
    struct qkd_time due;       /* something is to be said or decided then */
};

void ctl_light_init(struct ctl *ctl);
void ctl_light_fini(struct ctl *ctl);

/* CONFIG. 0 or a negative error. */
int ctl_light_config(struct ctl *ctl, const struct qkd_event *event);

/* This controller is in charge from now on: nothing is known of anybody. */
void ctl_light_begin(struct ctl *ctl, const struct qkd_event *event);
/* Another controller is in charge: whose silence is its business. */
void ctl_light_end(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* What is due. */
void ctl_light_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* Once per status period: forecasts, silence. */
void ctl_light_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* The channel of a module, switch or relay point is up. */
void ctl_light_up(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid peer);

/* GENERATION_RSP at Cq or Cqrp. */
void ctl_light_on_rsp(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out);

/* A module's status; what of its rate is this link's, of modules that several share. */
uint64_t ctl_light_status(struct ctl *ctl, const struct wire_module_status *status);

/* ---- light_switch.c ---- */

/* Where a switch or relay point stands, as it says. */
void ctl_optical_status(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid from,
                        struct wire_bytes opticals, struct qkd_out *out);

/* LIGHT_PATH_RSP. */
void ctl_light_path_rsp(struct ctl *ctl, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);

/* Decides where a switch is to stand, and tells it. */
void ctl_switch_step(struct ctl *ctl, const struct qkd_event *event, struct ctl_optical *optical,
                     struct qkd_out *out);

/* ---- shared by both ---- */

void ctl_light_wake(struct ctl *ctl, struct qkd_time at);

/* When an unanswered command is said again. */
struct qkd_time ctl_say_again(const struct ctl *ctl, const struct qkd_event *event,
                              const struct ctl_say *say);

/* Whether a link is being maintained, or is about to be. */
bool ctl_lamp_maintained(const struct ctl *ctl, const struct qkd_event *event,
                         const struct ctl_lamp *lamp);

#endif
