/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the statistics remember. For stats*.c only. */
#ifndef WATCH_STATS_STATE_H
#define WATCH_STATS_STATE_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/wire/codec.h"
#include "watch/stats.h"

#define WATCH_ROUTE_SHORT 8 /* nodes of a route kept without an allocation */

/* A list of nodes that a key passed. */
struct watch_route {
    uint32_t few[WATCH_ROUTE_SHORT];
    uint32_t *many; /* instead of few, once it was longer */
    uint32_t len, cap;
};

static inline const uint32_t *watch_route_nodes(const struct watch_route *route)
{
    return route->many != NULL ? route->many : route->few;
}

/* Multicast: the way of a key to one of the further slaves. */
struct watch_way {
    uint32_t application; /* the slave's */
    struct watch_route route;
};

/* A request that has not ended, or whose keys the slave has not all fetched. */
struct watch_request {
    struct qkd_id id;
    uint64_t number;
    uint32_t application;
    int64_t start_ns, end_ns, fetched_ns;
    uint8_t outcome, reason, grade;
    bool counted, ended;
    uint32_t asked, supplied, fetched, missed; /* keys; fetched: by all slaves */
    uint32_t slaves;
    uint32_t reroutes;
    uint32_t leaked; /* keys that compromised nodes hold */
    uint64_t bits;   /* supplied */
    struct watch_route route;
    struct watch_way *ways; /* SCN_TARGETS_MAX, or NULL */
    uint32_t way_count;
    struct scn_key_pair one; /* if only one key */
    struct scn_key_pair *keys;
    uint32_t key_count, key_cap;
};

/* Multicast: the KMA-key that brought it to a further slave. */
struct watch_parent {
    uint32_t application;
    struct qkd_id kma_key;
};

/* A KSA-key on its way from the master's KSA to the slave's agent. */
struct watch_key {
    struct qkd_id ksa_key, kma_key;
    struct watch_parent *more; /* SCN_TARGETS_MAX of further slaves, or NULL */
    uint32_t more_count;
    uint32_t request;      /* slot, or QKD_SLAB_NONE while the master was not answered */
    uint32_t fetches;      /* by slaves, so far */
    uint32_t older, newer; /* in the order of their supply */
    int64_t since_ns;
};

/* A KMA-key on its way: the last WATCH_RELAYS of them are remembered. */
#define WATCH_RELAYS 65536
struct watch_relay {
    struct qkd_id kma_key;
    struct watch_route route;
    uint8_t attempt;
    uint8_t reroutes;
    uint8_t shares, held; /* multipath: how many; bit per share that a compromised node held */
};

/* What requests add up to: all counted ones, those of an application, those of a watch. */
struct watch_tally {
    struct scn_requests requests;
    uint64_t reasons[SCN_MAX_REASONS];
    uint64_t supplied_keys, otp_bits, aes_bits, leaked_bits;
    uint64_t hops, hops_known;
    uint64_t reroutes;
    struct scn_sampler latency, fetch;
};

/* The routes of an application; `last`: of its last served request. */
struct watch_app_routes {
    struct scn_route_use *uses;
    uint32_t count, cap, last;
    uint64_t served, other;
};

struct watch_app_stats {
    struct watch_tally tally;
    struct watch_route route; /* of the last served request */
    struct watch_app_routes routes;
    uint32_t event;  /* that it suffers from; SCN_NO_INDEX: none */
    bool waits;      /* for a key asked for since the event began, or since one was lost to it */
    int64_t back_ns; /* when it got one */
};

/* What is counted at links. */
enum watch_link_count {
    WATCH_LINK_EXHAUSTIONS,
    WATCH_LINK_FRAMES,
    WATCH_LINK_RETRANSMISSIONS,
    WATCH_LINK_TAG_FAILURES,
    WATCH_LINK_RELAYED_KEYS,
    WATCH_LINK_FALLBACKS,
    WATCH_LINK_FALLBACK_FRAMES,
    WATCH_LINK_COUNTS
};

/* What a link did: since the warm-up (counts but exhaustions: since the start), or in a window. */
struct watch_link_figures {
    double bit_s, known_s, empty_s, down_s;
    double early_s; /* before it first came up */
    uint64_t min_bits;
    uint64_t counts[WATCH_LINK_COUNTS];
};

struct watch_link_stats {
    uint64_t own_bits[2];                /* per end: bits it owns that can pay keys */
    uint32_t last_seq[2], last_epoch[2]; /* of TAKE frames */
    bool known[2], up[2], empty[2];
    bool was_up, hit_early; /* both ends up once; hit by a fault before that */
    int64_t since_ns;       /* figures hold up to here */
    struct watch_link_figures figures;
};

/* What a struct scn_watch of the scenario collects. */
struct watch_window {
    const struct scn_watch *plan;
    struct watch_tally tally;          /* of the run, of an application */
    uint64_t via, via_known;           /* served requests: over the link, with a known route */
    struct watch_link_figures figures; /* of a link; of the run: over all links */
    uint64_t end_bits;                 /* of a link, at the window's end */
    bool end_up;
    uint64_t reroutes, alarms_raised, alarms_cleared, auth_failures; /* of the run */
};

/* A session that has not ended. */
struct watch_session {
    struct qkd_id id;
    uint64_t number;
    uint64_t rate_bps;
    uint32_t application;
    int64_t start_ns, admitted_ns;
    bool counted;
};

/* What sessions of an application, or of all, add up to. */
struct watch_session_tally {
    struct scn_sessions counts;
    uint64_t reasons[SCN_MAX_REASONS];
};

/* What is reserved on a link. */
struct watch_reserved {
    uint64_t now_bps, max_bps;
    int64_t since_ns;
    double bits; /* time integral after the warm-up */
};

/* What is known of an event of the faults. */
struct watch_event_stats {
    int64_t at_ns, end_ns, detect_ns, key_ns, healed_ns; /* SCN_NO_TIME: not yet */
    uint32_t open;                                       /* faults that last */
    uint32_t pairs, healed;                              /* applications */
    struct scn_requests lost;
    uint64_t lost_bits, discarded_bits;
    uint64_t reasons[SCN_MAX_REASONS];
};

/* What is seen of a fault: signs of links, then of nodes. */
enum watch_sight {
    WATCH_SIGHT_LINK,    /* a neighbour is silent */
    WATCH_SIGHT_MODULE,  /* a module is silent */
    WATCH_SIGHT_NO_KEY,  /* no key comes */
    WATCH_SIGHT_NOISE,   /* a QBER is high */
    WATCH_SIGHT_DAMAGE,  /* a tag is wrong */
    WATCH_SIGHT_LOW,     /* so little key is left that routes leave it */
    WATCH_SIGHT_OPTICAL, /* a switch or relay point is silent */
    WATCH_SIGHT_OF_LINKS,
    WATCH_SIGHT_CONTROLLER = WATCH_SIGHT_OF_LINKS, /* the controller is silent to a node */
    WATCH_SIGHT_MANAGER,                           /* the manager is */
    WATCH_SIGHT_COUNT
};

struct watch_stats {
    const struct scn_scenario *scenario;
    const struct scn_sink *sink;
    int64_t epoch_ns;
    bool warm;
    struct qkd_slab requests, keys;
    struct qkd_map request_map, key_map, relay_map;
    uint32_t oldest_key, newest_key; /* slots; QKD_SLAB_NONE */
    struct watch_relay *relays;      /* ring */
    uint32_t relay_cap, relay_next;
    uint64_t number, ended;
    uint64_t reroutes;
    uint64_t kept_routes, kept_oldest_ms; /* routes used on without a controller */
    struct watch_tally total;
    struct watch_app_stats *apps;
    struct watch_link_stats *links;
    uint32_t
        *first_link; /* links of node n: node_links[first_link[n]] .. [first_link[n + 1] - 1] */
    uint32_t *node_links;
    struct watch_event_stats *events; /* of the faults, by number */
    struct watch_detect *detect;      /* of stats_detect.c; NULL: nothing fails */
    uint32_t *culprits;               /* by link: the event that touched it last; SCN_NO_INDEX */
    uint64_t *before; /* by link: what had been discarded there when it began, bits */
    uint64_t (*discarded)(void *ctx, uint32_t link); /* as in watch_stats_config */
    void *discarded_ctx;
    struct qkd_slab sessions; /* struct watch_session */
    struct qkd_map session_map;
    uint64_t session_number;
    struct watch_session_tally session_total;
    struct watch_session_tally *session_apps;
    struct watch_reserved *reserved; /* by link */
    uint64_t alarms_raised, alarms_cleared, auth_failures, tag_failures;
    struct watch_window *watches;   /* of scenario.watches */
    struct watch_window **by_scope; /* the same: of the run, then of links, then of applications */
    uint32_t run_watches;           /* first of by_scope */
    uint32_t *link_watches; /* of link i: by_scope[link_watches[i]] .. [link_watches[i + 1] - 1] */
    uint32_t *app_watches;  /* the same for applications */
};

/* ---- stats_relay.c ---- */
int watch_route_set(struct watch_route *route, const uint32_t *nodes, uint32_t len);
int watch_route_add(struct watch_route *route, uint32_t node);
void watch_route_fini(struct watch_route *route);
struct watch_relay *watch_relay_find(struct watch_stats *stats, const struct qkd_id *kma_key);
/* Whether compromised nodes hold the key, or all of its shares. */
bool watch_relay_leaked(const struct watch_relay *relay);
int watch_relay_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report);

/* ---- stats_multicast.c ---- */

/* A further slave's KSA holds the key, under the KMA-key `parent`. */
int watch_multicast_held(struct watch_key *key, uint32_t application, const struct qkd_id *parent);
/* The master has the key: the ways that it took to further slaves become the request's. *leaked is set
 * if compromised nodes hold it on one of them. */
int watch_multicast_ways(struct watch_stats *stats, struct watch_request *request,
                         const struct watch_key *key, bool *leaked);
/* A request with ways is served: they are the routes of its slaves' applications. */
int watch_multicast_served(struct watch_stats *stats, const struct watch_request *request);
void watch_multicast_fini(struct watch_request *request);
/* Links of the longest way; 0: not known. */
uint32_t watch_request_hops(const struct watch_request *request);

/* ---- stats_routes.c ---- */
int watch_routes_served(struct watch_app_routes *routes, const struct watch_route *route,
                        int64_t end_ns);
void watch_routes_finish(struct watch_app_routes *routes, struct scn_application_summary *to);
void watch_routes_fini(struct watch_app_routes *routes);

/* ---- stats_sessions.c ---- */
int watch_sessions_new(struct watch_stats *stats);
void watch_sessions_free(struct watch_stats *stats);
int watch_sessions_report(struct watch_stats *stats, int64_t now_ns,
                          const struct qkd_report *report);
void watch_sessions_reserved(struct watch_stats *stats, int64_t now_ns,
                             const struct qkd_report *report);
void watch_sessions_crash_km(struct watch_stats *stats, int64_t now_ns, uint32_t node);
void watch_sessions_crash_controller(struct watch_stats *stats, int64_t now_ns);
void watch_sessions_warm(struct watch_stats *stats, int64_t now_ns);
void watch_sessions_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary);

/* ---- stats_links.c ---- */
int watch_links_new(struct watch_stats *stats);
void watch_links_free(struct watch_stats *stats);
void watch_links_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report);
void watch_links_warm(struct watch_stats *stats, int64_t now_ns);
void watch_links_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary);
struct watch_link_stats *watch_links_at(struct watch_stats *stats, uint64_t link);

uint64_t watch_links_level(const struct watch_link_stats *link);
void watch_links_count(struct watch_stats *stats, int64_t now_ns, uint32_t link,
                       enum watch_link_count what);

/* ---- stats_healing.c ---- */
int watch_healing_new(struct watch_stats *stats);
void watch_healing_free(struct watch_stats *stats);

/* A request has ended: was its pair waiting since a fault? */
void watch_healing_ended(struct watch_stats *stats, const struct watch_request *request);

void watch_healing_finish(struct watch_stats *stats, struct scn_summary *summary);

/* ---- stats_detect.c ---- */

/* Signs that elements give, and the fault behind each. What elements tell changes nothing if nothing
 * fails in the scenario. */
int watch_detect_new(struct watch_stats *stats);
void watch_detect_free(struct watch_stats *stats);
void watch_detect_begin(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault);
void watch_detect_end(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault);
void watch_detect_neighbour(struct watch_stats *stats, int64_t now_ns, uint32_t link, uint32_t node,
                            bool up);
void watch_detect_alarm(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report);
void watch_detect_peer_down(struct watch_stats *stats, int64_t now_ns,
                            const struct qkd_report *report);
void watch_detect_wrong_tag(struct watch_stats *stats, int64_t now_ns, uint32_t link);
void watch_detect_reroute(struct watch_stats *stats, int64_t now_ns,
                          const struct qkd_report *report);

/* Whether a fault is of the link between these nodes, or of one of them; whether it takes what stands
 * at node `at` from another on the management network; whether neighbours may hear nothing. */
bool watch_fault_touches(const struct scn_scenario *scenario, const struct scn_fault *fault,
                         uint32_t a, uint32_t b);
bool watch_fault_parts(const struct scn_scenario *scenario, const struct scn_fault *fault,
                       uint32_t at, uint32_t node);
bool watch_fault_silences(const struct scn_fault *fault);

/* ---- stats_tally.c ---- */
void watch_tally_ended(struct watch_tally *tally, const struct watch_request *request);
int watch_tally_served(struct watch_tally *tally, const struct watch_request *request);
int watch_tally_fetched(struct watch_tally *tally, int64_t took_ns);
void watch_tally_application(struct watch_tally *tally, struct scn_application_summary *to);
void watch_tally_run(struct watch_tally *tally, struct scn_summary *to);
void watch_tally_fini(struct watch_tally *tally);

/* ---- stats_windows.c ---- */

/* Watches that the scenario asks for. A window holds an instant if from <= instant < to. Windows need
 * no timers: what is constant for a while is accounted to windows afterwards, so that they change
 * nothing in a run. */
int watch_windows_new(struct watch_stats *stats);
void watch_windows_free(struct watch_stats *stats);
void watch_windows_ended(struct watch_stats *stats, const struct watch_request *request);
int watch_windows_served(struct watch_stats *stats, const struct watch_request *request);
int watch_windows_fetched(struct watch_stats *stats, const struct watch_request *request,
                          int64_t took_ns);
void watch_windows_count(struct watch_stats *stats, int64_t now_ns, uint32_t link,
                         enum watch_link_count what);

/* A link was from since_ns to now_ns as it is now; and: from now on it is as it is now. */
void watch_windows_passed(struct watch_stats *stats, uint32_t link, int64_t now_ns);
void watch_windows_changed(struct watch_stats *stats, uint32_t link, int64_t now_ns);

/* Something of the run: counts in the member at this offset of struct watch_window. */
void watch_windows_note(struct watch_stats *stats, int64_t now_ns, size_t member);

/* After all else: fills summary->watches. */
void watch_windows_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary);

/* Time that a link passed as it is now, [since_ns, now_ns), added to figures. */
void watch_link_passed(const struct watch_stats *stats, const struct watch_link_stats *link,
                       double past_s, struct watch_link_figures *figures);

/* stats_fairness.c: what classes got, from what their applications got. */
void watch_fairness_finish(const struct scn_scenario *scenario, struct scn_summary *summary);

#endif
