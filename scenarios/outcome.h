/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run of a scenario gives back: the summary (struct scn_summary, one per run, filled by a
 * world) and the stream of records on the way (struct scn_sink, called by a world). It stands
 * between the worlds, which fill it, and analysis and the command line, which read it; neither needs
 * to know the other. Enum values of core travel as their fixed texts ("served", "no_route"), which
 * live for the whole program.
 *
 * Times are nanoseconds of simulated time since the start of the run unless a name says otherwise.
 * Doubles that have no value (a mean of nothing) are NAN and become null in JSON. */
#ifndef SCN_OUTCOME_H
#define SCN_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/id.h"
#include "scenarios/sampler.h"
#include "scenarios/scenario.h"

#define SCN_SUMMARY_SCHEMA 1   /* of the JSON object; grows when a field changes its meaning */
#define SCN_MAX_REASONS 32     /* most values of the reason enum */
#define SCN_MAX_MEASURES 32    /* most security measures that can be switched off */
#define SCN_VIOLATION_SIZE 256 /* bytes of the first violation's text */
#define SCN_NO_TIME INT64_MIN  /* "did not happen" in a field of type time */
#define SCN_NO_INDEX UINT32_MAX

/* ---- the summary ---- */

/* How counted requests ended. total is the sum of the others. */
struct scn_requests {
    uint64_t total, served, refused, timed_out, failed, pending;
};

/* What became of counted sessions with a guaranteed rate: offered = refused + closed + broken + open.
 */
struct scn_sessions {
    uint64_t offered;
    uint64_t admitted; /* closed, broken, or open and answered */
    uint64_t refused;  /* never admitted */
    uint64_t closed;   /* admitted and lasted as long as they should */
    uint64_t broken;   /* admitted and ended before */
    uint64_t open;     /* admitted or not yet answered at the end of the run */
};

struct scn_reason_count {
    const char *text; /* of the reason enum, "insufficient_key" ... */
    uint64_t count;   /* requests that ended so */
};

/* The link ledger, rule 6, in bits: generated + bootstrap = the sum of all others. Each pair of bits
 * (one at each end) counted once. */
struct scn_bits {
    uint64_t generated, bootstrap;
    uint64_t stored, pads, tags, hash_keys, fallback_keys, postproc_auth, relayed_as_key, expired,
        discarded, in_flight;
};

/* The end-to-end ledger, rule 6, in bits: drawn + relayed_as_key = the sum of all others. */
struct scn_keys {
    uint64_t drawn, relayed_as_key;
    uint64_t supplied, pooled, expired, discarded, in_flight;
};

/* One QKD link. Its pool is the free payload bits of the link, both owners' parts, counted once. */
struct scn_link_summary {
    uint64_t rate_bps;      /* mean key rate that the scenario gives */
    uint64_t pool_min_bits; /* least level after the warm-up */
    double pool_mean_bits;  /* over time, after the warm-up */
    uint64_t pool_end_bits; /* at the end of the run */
    uint64_t exhaustions;   /* times the pool could not pay what was asked of it */
    double empty_s;         /* time with less than one unit, both owners together */
    double down_s;          /* time that at least one end held the link for down */
    bool up_end;            /* both ends hold it for up at the end */
    uint64_t frames;        /* relay frames (first sending) */
    uint64_t retransmissions;
    uint64_t tag_failures;
    uint64_t fallbacks;        /* times that an end began to use AES-256 for want of pads */
    uint64_t fallback_frames;  /* relay frames under AES-256 (first sending) */
    uint64_t relayed_keys;     /* KMA-keys that crossed it or were taken from it */
    double reserved_mean_bps;  /* for sessions, over time, after the warm-up */
    uint64_t reserved_max_bps; /* the most, after the warm-up */
    uint64_t reserved_end_bps; /* at the end of the run */
    struct scn_bits bits;
};

/* A way on which an application's keys came; counted requests only. */
#define SCN_MAX_ROUTES 64 /* of an application that are told apart */
struct scn_route_use {
    uint32_t *nodes; /* indices, the master's first */
    size_t node_count;
    uint64_t served;        /* requests */
    uint64_t periods;       /* times that it was taken up: 1 if it was never left, or not again */
    double first_s, last_s; /* when the first and the last of them were answered */
    double span_s;          /* last_s - first_s */
};

struct scn_application_summary {
    struct scn_requests requests;
    struct scn_sessions sessions;
    uint64_t session_reasons[SCN_MAX_REASONS]; /* of those refused or broken */
    uint64_t reasons[SCN_MAX_REASONS];         /* in the order of scn_summary.reasons */
    uint64_t supplied_keys, supplied_bits;
    uint64_t leaked_bits;   /* of supplied_bits: compromised nodes hold them too */
    double leaked_fraction; /* the same as a share; NAN: none supplied */
    double hops_mean;       /* of served requests */
    uint64_t reroutes;
    struct scn_spread latency, fetch_latency;
    struct scn_route_use *routes; /* in the order of their first use */
    size_t route_count;
    uint64_t other_routes; /* served requests on routes beyond SCN_MAX_ROUTES */
};

/* A class of applications; the last one of a summary: those without a class. Jain's index of x over n
 * applications is (sum of x)^2 / (n * sum of x^2): 1, if all x are equal, down to 1/n (Jain, Chiu and Hawe,
 * DEC-TR-301, 1984). */
struct scn_class_summary {
    uint64_t applications; /* that asked */
    struct scn_requests requests;
    uint64_t asked_bits, supplied_bits;
    double jain_bits;   /* of the key that each was supplied; NAN: none was */
    double jain_served; /* of the share of its requests that was served; NAN */
};

/* One event of the faults: what it did, and how the network got over it. Its pairs are the applications
 * whose last served request depended on what failed (docs/results.md, "fault_events"). */
struct scn_event_summary {
    double at_s, end_s; /* first fault begins; last one ends, NAN: not in the run */
    double detect_s;    /* from at_s to the first report or alarm about it; NAN: none */
    double first_key_s; /* to the first key that one of its pairs asked for afterwards; NAN: none */
    double healed_s;    /* to the same of the last of its pairs; NAN: one was never served again */
    uint64_t applications, healed; /* its pairs; those served again */
    struct scn_requests lost;      /* of these pairs until each was served again, not served */
    uint64_t lost_bits;            /* application key that these asked for */
    double discarded_bits; /* link key given up on links concerned, up to the next event there; NAN:
                              not known */
    uint64_t reasons[SCN_MAX_REASONS]; /* of the lost requests */
};

/* What an attacker met, did and gained (docs/results.md, "attacks"). Ground truth: the world compares
 * what it claims with what was said. */
struct scn_attack_summary {
    uint64_t seen;        /* messages that passed it while it was there */
    uint64_t shielded;    /* that did not, for they stayed within the demarcation boundary */
    uint64_t read;        /* whose text it had */
    uint64_t leaked_keys; /* keys of which it knows bits for certain, each counted once */
    uint64_t leaked_bits; /* these bits */
    uint64_t marked_bits; /* of them those of keys that are marked as not information-theoretically
                            * secure */
    uint64_t touched;     /* messages that it dropped, delayed, changed, repeated */
    uint64_t forged;      /* messages that arrived changed or repeated */
    uint64_t accepted;    /* of these: taken for genuine by the element that got them */
    uint64_t rejected;    /* of these: not */
    double first_s;       /* when it first read or touched a message; NAN: never */
    double detect_s;      /* from then to the first report of an element that noticed; NAN */
    double
        alarm_s; /* to the first alarm of security, or of an outage that it made, at the manager; NAN */
    uint64_t sent;    /* messages of a flood */
    uint64_t missed;  /* reports that the manager has not got */
    uint64_t backlog; /* most messages that waited for a receiver's processor at once */
    double restore_s; /* from its end until all applications were served again; NAN */
};

/* A judged `expect:` line; filled by analysis. */
struct scn_verdict {
    double value; /* NAN if the run gave none */
    bool pass;
};

/* What a struct scn_watch collected. Of the run and of applications: requests that arrived in its
 * window, however long after it they ended; of links: what happened, and how full pools were, in
 * it. Ledgers and what else belongs to the whole run stay zero. */
struct scn_watch_summary {
    bool reached; /* the run came to the window's beginning */
    double via;   /* share of the served requests, of those with a known route, that crossed the
                   * link; NAN if there are none */
    union {       /* by the watch's scope */
        struct scn_summary *run;
        struct scn_link_summary *link;
        struct scn_application_summary *application;
    } of;
};

struct scn_summary {
    /* the run */
    enum scn_engine engine;
    uint64_t seed;
    bool interrupted;     /* stopped before its end; figures are those up to sim_s */
    double sim_s;         /* simulated time that passed */
    double wall_s, cpu_s; /* of the whole process; the command line fills them */
    uint64_t events;      /* steps of elements */
    uint64_t messages;    /* sent between elements, whether or not they left the node */
    uint64_t trace_digest;

    /* requests that arrived after the warm-up */
    struct scn_requests requests;
    struct scn_sessions sessions;
    uint64_t session_reasons[SCN_MAX_REASONS]; /* of those refused or broken; texts: reasons */
    struct scn_reason_count reasons[SCN_MAX_REASONS]; /* all reasons, also those with count 0 */
    size_t reason_count;
    uint64_t supplied_bits;       /* KSA-key bits supplied to masters */
    uint64_t supplied_unanswered; /* bits persisted as supplied whose answer a crash swallowed */
    uint64_t supplied_otp_bits;   /* by grade: every hop a one-time pad, or a neighbour's pool */
    uint64_t supplied_aes_bits;   /* at least one hop under AES-256 */
    uint64_t mismatched_pairs;    /* released key pairs that differ: always 0 unless a rule broke */
    struct scn_spread latency;    /* request in -> key out at the master */
    struct scn_spread fetch_latency; /* request in -> the slave has it too */

    struct {
        double hops_mean; /* links per served request */
        uint64_t frames, retransmissions, reroutes, fallback_frames;
        uint64_t kept_routes; /* times that a KM used a route on when no controller answered */
        double kept_oldest_s; /* oldest of these: since the controller had told it; NAN: none */
    } relay;
    struct {
        double jain_bits, jain_served; /* least over classes; NAN: none asked */
    } fairness;
    struct {
        uint64_t exhaustions, fallbacks;
        double empty_s;    /* summed over links */
        uint64_t min_bits; /* least over links, after the warm-up */
    } pools;
    struct {
        uint64_t events;    /* fault events that hit a pair of applications */
        double detect_s;    /* mean: event -> first element that reports it; NAN if none */
        double first_key_s; /* mean: event -> first key served again to a hit pair; NAN */
    } healing;
    struct scn_bits bits; /* sum over links, whole run */
    struct scn_keys keys; /* whole run */
    struct {
        uint64_t raised, cleared;
    } alarms;
    struct {
        uint64_t auth_failures, forgeries_rejected, forgeries_accepted;
        uint64_t leaked_bits;   /* supplied bits that compromised nodes hold too */
        double leaked_fraction; /* the same as a share of supplied_bits; NAN: none supplied */
        const char *measures_off[SCN_MAX_MEASURES];
        size_t measure_count;
        uint64_t violations;            /* of rules, that measures which are off explain */
        char first[SCN_VIOLATION_SIZE]; /* text of the first of them, "" if none */
    } security;
    struct {
        uint64_t checks, violations;
        double cost_s;                  /* time that the checks took, by samples */
        char first[SCN_VIOLATION_SIZE]; /* text of the first violation, "" if none */
        uint64_t first_event;           /* its event number */
    } oracle;

    struct scn_verdict *verdicts; /* of scenario.expects, same order and count */
    size_t verdict_count;
    struct scn_watch_summary *watches; /* of scenario.watches */
    size_t watch_count;
    struct scn_event_summary *fault_events; /* of the scenario's fault events */
    size_t fault_event_count;
    uint64_t reports;                   /* that the manager has got */
    struct scn_attack_summary *attacks; /* of scenario.attacks */
    size_t attack_count;
    struct scn_link_summary *links; /* of scenario.links */
    size_t link_count;
    struct scn_class_summary classes[SCN_MAX_CLASSES + 1]; /* of scenario.classes, and none */
    size_t class_count;
    struct scn_application_summary *applications; /* of scenario.applications */
    size_t application_count;
};

/* All zero, NAN where nothing is known, arrays sized for the scenario. 0 or QKD_ERR_NOMEM. */
int scn_summary_init(struct scn_summary *summary, const struct scn_scenario *scenario);
void scn_summary_fini(struct scn_summary *summary);

/* served / total, the share of requests that were served; NAN if there were none. */
double scn_served_fraction(const struct scn_requests *requests);

/* ---- the stream of records ---- */

struct scn_key_pair {
    struct qkd_id ksa_key; /* given to the applications */
    struct qkd_id kma_key; /* it was cut from; zero if unknown */
};

/* The way of a key. */
struct scn_way {
    const uint32_t *nodes; /* indices, master's first */
    size_t count;
};

/* One request of a master application, when it has ended or, PENDING, at the end of the run. */
struct scn_request {
    uint64_t number;          /* from 1, in the order of arrival */
    uint32_t application;     /* index in the scenario */
    int64_t start_ns, end_ns; /* asked; answered (SCN_NO_TIME if pending) */
    int64_t fetched_ns;       /* the slave had its last key; SCN_NO_TIME if it never did */
    const char *outcome;      /* served refused timed_out failed pending */
    const char *reason;       /* none ... */
    const char *grade;        /* weakest hop: none otp aes256 pool */
    uint32_t key_bits, keys_asked, keys_supplied;
    uint32_t hops, reroutes; /* hops: of the longest way */
    bool counted;            /* arrived after the warm-up */
    const uint32_t *route;   /* node indices, master's first; NULL if unknown */
    size_t route_count;
    const struct scn_way
        *ways; /* multicast: to further slaves, in the order of their applications */
    size_t way_count;
    const struct scn_key_pair *keys; /* the supplied keys */
    size_t key_count;
};

/* One session with a guaranteed rate, when it has ended or at the end of the run. */
struct scn_session_record {
    uint64_t number;      /* from 1, in the order of arrival */
    uint32_t application; /* index in the scenario */
    int64_t start_ns;     /* asked for */
    int64_t admitted_ns;  /* SCN_NO_TIME: never */
    int64_t end_ns;       /* SCN_NO_TIME: still open at the end of the run */
    uint64_t rate_bps;    /* of application key */
    const char *outcome;  /* refused closed broken open */
    const char *reason;   /* none ... */
    bool counted;         /* arrived after the warm-up */
};

/* One crossing of one link by a relayed or taken key. */
struct scn_hop {
    struct qkd_id kma_key;
    uint32_t link, from, to; /* indices; from and to are nodes */
    int64_t sent_ns;
    uint32_t hop, attempt;  /* from 1 */
    uint32_t block, offset; /* where its pad lies in the link's key: block number, byte */
    uint64_t pad_bits, tag_bits;
    const char *method; /* otp aes256 pool */
};

/* What one end of a link has in its pool at an instant. */
struct scn_pool_sample {
    int64_t time_ns;
    uint32_t link, node;
    uint64_t own_bits, peer_bits; /* free payload, owned by this side and by the other */
    uint64_t stored_bits;         /* all that lies in the store */
    bool up;
    uint64_t usable_bits; /* own ones without tails that pay no key */
};

/* Something that happened to the network, not to one request: a fault begins or ends, a crash, a
 * restart, a violation. */
struct scn_event {
    int64_t time_ns;
    const char *kind;   /* fault_begin fault_end crash restart violation ... */
    const char *entity; /* "link AB", "node C" */
    const char *detail; /* may be "" */
};

/* An alarm of the manager: raised or cleared. */
struct scn_alarm {
    int64_t time_ns;
    struct qkd_eid at; /* the element that saw it */
    const char *fault; /* link_down pool_low ... */
    uint64_t object;   /* link index, reference point or 0, by fault */
    bool raised;
    uint64_t count; /* how often since the last report */
};

/* A life-cycle record of one key as the manager stores it. Fields not concerned: zero, "",
 * SCN_NO_INDEX for link. */
struct scn_life {
    int64_t time_ns; /* by the clock of the element, as ns since the start of the run */
    struct qkd_eid at;
    const char *action;    /* reception storage ... deletion */
    const char *key_class; /* qkd kma ksa */
    struct qkd_id id, parent;
    uint32_t key_bits;
    struct qkd_eid source, destination, source_app, target_app;
    const char *method; /* none otp aes256 pool */
    uint32_t link, hop;
    const char *reason;
};

/* One message between two elements on behalf of one request: once per copy that arrives or is lost. */
struct scn_message {
    uint64_t request;            /* its number */
    uint64_t number;             /* from 1, in the order of sending; copies share it */
    int64_t sent_ns, arrived_ns; /* SCN_NO_TIME: it never arrived */
    struct qkd_eid from, to;
    const char *point;     /* reference point: Ak Kx-1 KMI ... */
    const char *name;      /* KEY_SUPPLY RELAY ... ; handshake: the record layer's own */
    uint32_t bytes;        /* as it left its element, sealed, without transport header */
    uint32_t link;         /* of a frame that takes pads; SCN_NO_INDEX */
    uint32_t hop, attempt; /* of a RELAY frame, from 1; 0 */
    uint32_t sending;      /* 1: first, 2: repeated once ... */
    uint32_t shared;       /* requests that it serves, this one included */
    const char *reason;    /* that an answer gives; none */
    const char *fate;      /* delivered duplicate queue_full lost cut no_path absent under_way */
};

struct scn_progress {
    int64_t now_ns; /* simulated */
    uint64_t events;
    uint64_t requests_ended;
};

/* Where a world puts its records. Any callback may be NULL: the world then does not prepare that
 * record at all. Pointers in a record are valid during the call only, fixed texts excepted. */
struct scn_sink {
    void *ctx;
    void (*request)(void *ctx, const struct scn_request *request);
    void (*session)(void *ctx, const struct scn_session_record *session);
    void (*hop)(void *ctx, const struct scn_hop *hop);
    void (*pool)(void *ctx, const struct scn_pool_sample *sample);
    void (*event)(void *ctx, const struct scn_event *event);
    void (*alarm)(void *ctx, const struct scn_alarm *alarm);
    void (*life)(void *ctx, const struct scn_life *life);
    void (*message)(void *ctx, const struct scn_message *message);
    /* Called every few thousand events and at least every simulated second that does anything; true
     * asks the world to stop cleanly (interrupted = true). Must be cheap. */
    bool (*progress)(void *ctx, const struct scn_progress *progress);
};

#endif
