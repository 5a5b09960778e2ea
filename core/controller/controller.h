/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN controller (FG QIT4N D2.3 clause 8): authenticated status of KMs (Ck) and modules (Cq),
 * topology, routes for key relay on request. A route is answered only if every hop can pay its full
 * cost by the last status, less what was promised since, and lies above the low mark.
 * See docs/protocol.md, "Control". */
#ifndef QKD_CONTROLLER_CONTROLLER_H
#define QKD_CONTROLLER_CONTROLLER_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/out.h"

struct ctl;

enum ctl_routing {
    CTL_FEWEST_HOPS,
    CTL_WIDEST,
    CTL_LOWEST_DELAY, /* KMs measure delays only if they are told so: km_config */
    CTL_REFILL_TIME,
    CTL_LEAST_LOADED,
    CTL_K_SHORTEST,
    CTL_DISJOINT
};

enum ctl_mode {
    CTL_ON_REQUEST,
    CTL_PROACTIVE /* routes between all pairs of KMs are told unasked: table.c */
};

struct ctl_config {
    struct qkd_eid self;    /* role CONTROLLER */
    struct qkd_eid manager; /* QKD_NOBODY: none */
    struct qkd_eid other;   /* the controller that shares this network; QKD_NOBODY: alone */
    bool is_first;          /* of the two: in charge from the beginning */
    enum ctl_routing routing;
    enum ctl_mode mode;
    uint32_t unit_bits;      /* proactive: routes are for one key of this length */
    uint32_t paths;          /* k of k-shortest and disjoint: 1 ... CTL_PATHS_MAX; 0: 3 */
    bool keep_route;         /* two KMs keep their route while every hop can pay */
    uint64_t low_mark_bits;  /* no route leads over a link that has less; 0: any that can pay */
    uint32_t reservable_ppm; /* share of a link's key rate that sessions may reserve */
    struct qkd_span route_validity;
    struct qkd_span status_period; /* asked of KMs and modules; 3 periods of silence: stale */
    struct qkd_span retransmit;
    uint32_t measures_off;    /* base/measure.h; 0 outside experiments */
    struct qkd_guard_config guard; /* what peers may cost; zeros: anything */
    uint32_t node_limit;      /* most KMs; with another controller: how many there are */
    uint32_t link_limit;      /* most KM links */
    uint32_t optical_limit;   /* most optical switches and relay points */
    struct qkd_span forecast; /* links that will be full so soon stop making key; 0: none does */
};

int ctl_new(const struct ctl_config *config, struct ctl **result);
void ctl_free(struct ctl *ctl);
int ctl_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time ctl_deadline(const struct ctl *ctl);

#endif
