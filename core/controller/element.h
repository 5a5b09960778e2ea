/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The controller's state, shared by its files: controller.c (events), status.c (KMs and modules, what
 * they tell), request.c (ROUTE), stock.c (STOCK), pushes.c and table.c (routes unasked), sessions.c
 * (reservations at Ck). Private to the room. */
#ifndef QKD_CONTROLLER_ELEMENT_H
#define QKD_CONTROLLER_ELEMENT_H

#include "core/base/slab.h"
#include "core/channel/reports.h"
#include "core/controller/answers.h"
#include "core/controller/controller.h"
#include "core/controller/given.h"
#include "core/controller/kept.h"
#include "core/controller/light.h"
#include "core/controller/reach.h"
#include "core/controller/reserve.h"
#include "core/controller/term.h"

#define CTL_YOUNG_ANSWER_S 10 /* a KMC repeats a request for less than this */

/* A KMC, module, optical switch or relay point that has authenticated itself. */
struct ctl_peer {
    struct qkd_eid eid;
    struct qkd_time heard;   /* last status */
    uint64_t last_status_id; /* message ID: statuses overtaken on the way are not used */
    uint32_t node;           /* slot in the topology; CTL_NONE: no KMC */
    uint32_t incarnation;    /* of its channel */
    bool silent;             /* for CTL_STALE_PERIODS */
    struct qkd_time push_at; /* routes to be told that it has not acknowledged: said again then */
    uint8_t push_tries;
    bool push_rest;    /* proactive: it did not answer, and is told all when it is heard of */
    bool hears_nobody; /* said at said_at: it has no controller */
    struct qkd_time said_at;
    bool obeys; /* it answered a STATUS of this session: it knows its period */
};

struct ctl {
    struct ctl_config config;
    struct chan_set *set;
    struct qkd_rng rng;
    struct ctl_term term; /* with another controller */
    struct chan_reports reports;
    struct ctl_topology topology;
    struct ctl_reach reach; /* user networks */
    struct ctl_search search;
    struct ctl_answers answers;
    struct ctl_kept kept; /* used with config.keep_route */
    struct ctl_given given;
    struct ctl_light light;
    struct qkd_time push_at;  /* the earliest of the peers */
    struct qkd_time table_at; /* proactive: all routes are computed again then */
    uint64_t table_version;
    struct ctl_reserve reserve;
    struct qkd_time admit_from; /* no new session before: what was reserved is still being told */
    struct qkd_slab peers;
    struct qkd_map peer_map; /* eid -> slot */
    struct qkd_time sweep_at;
    uint64_t next_message_id;
};

/* controller.c */
void ctl_bad_bytes(const struct ctl *ctl, const struct chan_message *m, int err,
                   struct qkd_out *out);

/* Forgets all that KMs told, and all that they were promised. */
void ctl_state_forget(struct ctl *ctl);

/* How long what a KM told is believed. */
struct qkd_span ctl_stale_after(const struct ctl *ctl);

/* status.c */

/* NULL: it has not authenticated itself. */
struct ctl_peer *ctl_peer_find(const struct ctl *ctl, struct qkd_eid eid);

/* A KMC's or module's channel is up. */
void ctl_on_up(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
               struct qkd_out *out);
void ctl_on_status(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                   struct qkd_out *out);

/* All who are there are commanded to tell their status. */
void ctl_command_all(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* Once per status period. */
void ctl_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* stock.c */
/* resolve.c */
void ctl_reach_take(struct ctl *ctl, const struct qkd_event *event, const struct ctl_peer *peer,
                    const struct wire_status_rsp *rsp);
void ctl_on_resolve(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out);

void ctl_on_stock(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                  struct qkd_out *out);

/* request.c */

void ctl_on_route(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                  struct qkd_out *out);

/* Why a KMC may not ask this; NONE if it may. */
uint8_t ctl_request_check(struct ctl *ctl, const struct qkd_event *event,
                          const struct wire_route *route, struct qkd_eid asker,
                          struct qkd_out *out);

/* The configured routing. */
ctl_routing_fn *ctl_routing_of(const struct ctl *ctl);

/* The best route under the rules that bind, which give way one after the other where nothing is left:
 * no link to be avoided, and after a route that could not pay, no hope of a GRANT. */
bool ctl_route_best(struct ctl *ctl, struct ctl_query *query, bool after_failure,
                    struct ctl_path *path);

/* pushes.c */

/* Finds other routes for those that lead over links that have become worse, and tells their KMs. */
void ctl_reroute(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);
void ctl_on_table_ack(struct ctl *ctl, const struct chan_message *m, struct qkd_out *out);
/* What is due is said again. */
void ctl_pushes_repeat(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);
/* KMs to whom nothing was said yet of some route are told it. */
void ctl_pushes_tell(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

/* table.c */

/* mode proactive: computes all routes again if that is due, and tells what is new. */
void ctl_table_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);
/* mode proactive: tells a KM its whole part of the table. */
void ctl_table_to(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                  struct qkd_out *out);

/* pushes.c */

/* Forgets routes that are over. */
void ctl_pushes_sweep(struct ctl *ctl, const struct qkd_event *event);

/* sessions.c */
void ctl_sessions_start(struct ctl *ctl, const struct qkd_event *event);
/* No new session until all KMs have told what they hold. */
void ctl_sessions_grace(struct ctl *ctl, const struct qkd_event *event);
void ctl_on_reserve(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out);
void ctl_on_release(struct ctl *ctl, const struct qkd_event *event, const struct chan_message *m,
                    struct qkd_out *out);

/* Ends all reservations of a KM that restarted, or that is not heard of. */
void ctl_sessions_drop(struct ctl *ctl, const struct qkd_event *event, struct qkd_eid kmc,
                       enum wire_reason reason, struct qkd_out *out);

/* Once per status period: ends what was not renewed, forgets what ended long ago. */
void ctl_sessions_sweep(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

#endif
