/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario, resolved: what a world is built from. Every default is filled in, every name is an
 * index, every quantity is an integer in the unit its name says (doubles only where physical).
 * The loader (scn_load) fills it; nothing changes it afterwards. The file's keys, units, defaults
 * and ranges are in docs/scenario.md; they come from the tables in scenarios/tables.c. */
#ifndef SCN_SCENARIO_H
#define SCN_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/measure.h"
#include "models/arrivals.h"
#include "models/link.h"
#include "scenarios/threats.h"

#define SCN_ID_SIZE 64                  /* bytes of an identifier, with its final zero */
#define SCN_NAME_SIZE 128               /* bytes of a free text, with its final zero */
#define SCN_MAX_NODES 100000            /* most nodes */
#define SCN_MAX_SIMGRID_NODES 1000      /* most of them in the simgrid engine */
#define SCN_MAX_FILE_BITS (8 * 1000000) /* most bits of one QKD-key file that carries its bits */
#define SCN_MAX_SEED_BITS UINT64_C(4000000000) /* most of one that carries a seed */
#define SCN_MAX_LINKS 400000                   /* most QKD links, and most classical links */
#define SCN_MAX_APPLICATIONS 100000
#define SCN_MAX_FAULTS 100000
#define SCN_MAX_ACCESS 1000
#define SCN_MAX_CLASSES 16
#define SCN_MAX_ATTACKS 1000
#define SCN_MAX_OPTICALS 10000 /* most optical switches, and most relay points */
#define SCN_MAX_SWITCH_LINKS 64
#define SCN_MAX_DEMANDS 1000
#define SCN_MAX_EXPECTS 1000
#define SCN_EXPECT_SIZE 320       /* bytes of an expectation, with its final zero */
#define SCN_MAX_WATCHES 1000000   /* most links, applications and runs watched for expectations */
#define SCN_MAX_POINTS 1000000    /* most points of one trace */
#define SCN_MAX_BYTES (64U << 20) /* most bytes of one input file */
#define SCN_MAX_ERRORS 1000       /* most errors that are listed */
#define SCN_FOREVER INT64_MAX     /* a fault that lasts to the end of the run */
#define SCN_AUTO (-1)             /* a time that the links decide, or that has no meaning */

/* Who runs a scenario. LIVE is no engine of a scenario, but where results may come from. */
enum scn_engine { SCN_ENGINE_FAST, SCN_ENGINE_SIMGRID, SCN_ENGINE_LIVE };

enum scn_node_role {
    SCN_ROLE_USER,  /* serves applications (default when an application ends there) */
    SCN_ROLE_RELAY, /* only relays (default otherwise) */
    SCN_ROLE_BORDER /* meets another operator's network */
};

/* A user network that a node serves: a name, or a prefix such as 10.1.0.0/16. */
struct scn_user_network {
    char name[SCN_ID_SIZE];
};

/* Where a node is, seen from the security demarcation boundary of X.1712. */
enum scn_boundary {
    SCN_BOUNDARY_INSIDE, /* in a protected place: its inner interfaces need no further protection */
    SCN_BOUNDARY_OUTSIDE /* they can be reached */
};

struct scn_node {
    char id[SCN_ID_SIZE];          /* unique */
    char name[SCN_NAME_SIZE];      /* what people call it; default: the id */
    char operator_id[SCN_ID_SIZE]; /* who runs it; default "default" (key `operator`) */
    char community[SCN_ID_SIZE];   /* whose users it serves: for access rules */
    char address[SCN_NAME_SIZE];   /* location or network address, table 7-1; "" if not given */
    uint8_t mac[6];                /* hardware address, valid if has_mac */
    bool has_mac;
    bool has_geo;    /* lat and lon are given */
    double lat, lon; /* degrees, WGS 84; 0 without has_geo */
    enum scn_node_role role;
    struct scn_user_network *user_networks; /* that it serves, in the order of the file */
    size_t user_network_count;
    char *
        ksa_address; /* of its KSA: an address, or with a length the prefix that it is drawn in; or NULL */
    enum scn_boundary boundary;
    bool compromised;        /* an attacker reads all key it holds; it follows the protocol */
    int64_t clock_offset_ns; /* UTC shown by the node's clock minus true UTC, at time 0 */
    double clock_drift_ppm;  /* rate of the node's clocks minus 1, in 1e-6 */
};

enum scn_qkd_model {
    SCN_QKD_RATE, /* a constant key rate */
    SCN_QKD_TRACE /* a measured or invented series */
};

enum scn_blocks {
    SCN_BLOCKS_REGULAR, /* complete at multiples of block / rate */
    SCN_BLOCKS_POISSON  /* a Poisson process of the same mean rate */
};

enum scn_key_form {
    SCN_KEY_SEED, /* key files carry a 32-byte seed that both ends expand (virtual worlds) */
    SCN_KEY_BITS  /* key files carry the bits */
};

struct scn_qkd {
    enum scn_qkd_model model;
    uint64_t rate_bps;   /* model rate: > 0; model trace: 0 */
    uint64_t mean_bps;   /* rate_bps, or the mean of the trace over the duration, rounded */
    double qber;         /* model rate: fraction; model trace: 0 */
    uint64_t block_bits; /* bits of one QKD-key file: a multiple of 8, > 0 */
    enum scn_blocks blocks;
    enum scn_key_form key_form;
    struct mdl_point *trace; /* model trace: points in increasing time; else NULL */
    size_t trace_count;
};

struct scn_link {
    char id[SCN_ID_SIZE]; /* unique */
    uint32_t a, b;        /* node indices, a != b, in the order of `ends` */
    int64_t length_m;     /* 0 if not given */
    double loss_db;       /* default 0.2 dB/km of length */
    struct scn_qkd qkd;
    uint64_t store_bits;          /* limit of the key store at each end */
    uint64_t initial_bits;        /* key that both ends hold at the start: one QKD-key file */
    int64_t classical_latency_ns; /* one way, of the classical channel beside this link */
    uint64_t
        classical_bandwidth_bps; /* of that channel, each direction; both 0 with classical.links,
                                       * where there is none */
    int64_t seed;                /* of its key; SCN_AUTO: seeds.links */
};

/* How an optical switch decides which of its links it serves. */
enum scn_switching { SCN_BY_SCHEDULE, SCN_BY_DEMAND };

/* An optical switch, which joins several links to the one module that they share at a node, or the
 * quantum relay point of a link. */
struct scn_optical {
    char id[SCN_ID_SIZE]; /* unique among its kind */
    uint32_t at;          /* node where it is; of a relay point: where its agent is */
    uint32_t *links;      /* that it serves; of a relay point: one */
    size_t link_count;
    enum scn_switching by; /* switch */
    int64_t dwell_ns;      /* switch: least time on each link */
    int64_t switching_ns;  /* switch: without light, when it turns */
};

enum scn_management_net {
    SCN_MANAGEMENT_SEPARATE, /* Ck and Mk travel over a network of their own: one hop */
    SCN_MANAGEMENT_IN_BAND   /* Ck and Mk share the classical channels beside the QKD links */
};

/* A switch of a classical network of its own: it forwards frames and is no node of the QKDN. */
struct scn_switch {
    char id[SCN_ID_SIZE]; /* unique, and no node's */
};

/* A link of a classical network of its own. */
struct scn_classical_link {
    char id[SCN_ID_SIZE];   /* unique among them; default: the ids of its ends, joined by "-" */
    uint32_t a, b;          /* a node's index, or node_count + a switch's; a != b */
    int64_t length_m;       /* 0 if not given */
    int64_t latency_ns;     /* one way */
    uint64_t bandwidth_bps; /* each direction */
};

struct scn_classical {
    uint64_t bandwidth_bps; /* default of every link, each direction */
    int64_t latency_ns;     /* of every link; SCN_AUTO: 5 us per km of length, at least 5 us */
    uint64_t queue_bytes;   /* what one directed channel holds before it drops */
    enum scn_management_net management;
    int64_t management_latency_ns;     /* one way, any pair of nodes; used when separate */
    uint64_t management_bandwidth_bps; /* each directed pair; used when separate */
    double loss;                       /* probability that a frame between nodes is lost */
    double duplicate;                  /* probability that it arrives twice */
    double reorder;                    /* probability that it is held back ... */
    int64_t reorder_jitter_ns;         /* ... by a uniform time up to this */
    struct scn_switch *switches;
    size_t switch_count;
    struct scn_classical_link *links; /* the classical network; none: it is beside the QKD links */
    size_t link_count;
    int64_t disturbed_until_ns; /* from here on none of the three; SCN_AUTO: never */
};

enum scn_relay {
    SCN_RELAY_HOP_BY_HOP,  /* a random key, from hop to hop */
    SCN_RELAY_FIRST_KEY,   /* the first link's key, from hop to hop */
    SCN_RELAY_DESTINATION, /* sums of link keys, sent straight to the destination */
    SCN_RELAY_MULTIPATH,   /* shares over routes without a common node */
    SCN_RELAY_COUNT
};

enum scn_supply {
    SCN_SUPPLY_ON_DEMAND, /* keys are relayed when they are asked for */
    SCN_SUPPLY_POOLED     /* and ahead of need */
};

enum scn_fallback {
    SCN_FALLBACK_NONE,  /* no pad, no relay */
    SCN_FALLBACK_AES256 /* AES-256 by policy, marked per hop */
};

enum scn_retention {
    SCN_RETENTION_DELETE,  /* supplied keys are wiped at once */
    SCN_RETENTION_PRESERVE /* kept for expiry_ns */
};

enum scn_relay_metadata {
    SCN_METADATA_OTP,  /* IDs and endpoints of a relay frame are under the pad */
    SCN_METADATA_CLEAR /* they are in clear, under the tag */
};

enum scn_deployment {
    SCN_DEPLOYMENT_ONE, /* KMA and KSA of a node are one process */
    SCN_DEPLOYMENT_TWO  /* they are two */
};

struct scn_key_management {
    uint32_t unit_bits;  /* KMA-key unit, a multiple of 8 */
    uint64_t store_bits; /* default of every link's store */
    enum scn_relay relay;
    uint32_t paths; /* of multipath relay; 0: 2, see scn_paths_of() */
    enum scn_supply supply;
    uint32_t pool_low, pool_high, pool_batch;
    enum scn_fallback fallback;
    int64_t fallback_reserve_bits, fallback_rekey_ns;
    uint64_t bootstrap_bits; /* initial secret per link, a multiple of 8 */
    uint64_t lease_bits;     /* one persisted pad reservation, a multiple of 8 */
    uint32_t batch;          /* most keys per relay frame */
    int64_t retransmit_ns;
    uint32_t retries;
    int64_t expiry_ns;       /* age at which unused key expires */
    int64_t fetch_within_ns; /* how long a supplied key waits for the slave */
    enum scn_retention retention;
    int64_t timer_ns; /* life of a KMA-key ID (D23-KR-03) */
    enum scn_relay_metadata relay_metadata;
    enum scn_deployment deployment;
    int64_t processing_ns; /* how late every output of a KM leaves */
};

enum scn_routing {
    SCN_ROUTING_FEWEST_HOPS,
    SCN_ROUTING_WIDEST,
    SCN_ROUTING_LOWEST_DELAY,
    SCN_ROUTING_REFILL_TIME,
    SCN_ROUTING_LEAST_LOADED,
    SCN_ROUTING_K_SHORTEST,
    SCN_ROUTING_DISJOINT,
    SCN_ROUTING_COUNT
};

enum scn_control_mode {
    SCN_MODE_ON_REQUEST,
    SCN_MODE_PROACTIVE,   /* routes are told before they are asked for */
    SCN_MODE_DISTRIBUTED, /* KMs learn the network by themselves; a controller's routes win */
    SCN_MODE_COUNT
};

#define SCN_NO_NODE UINT32_MAX

struct scn_control {
    enum scn_routing routing;
    uint32_t paths; /* among which k-shortest and disjoint choose */
    enum scn_control_mode mode;
    int64_t route_validity_ns;
    int64_t status_period_ns;
    uint64_t low_mark_bits; /* no route leads over a link that stores less; 0: any link may serve */
    double reservable;      /* share of a link's key rate that sessions may reserve */
    bool keep_route;        /* two KMs keep their route while all its hops can pay */
    uint32_t at;            /* node of the QKDN controller; default: the first node */
    bool is_there;          /* there is a controller */
    int64_t forecast_ns;    /* links that will be full so soon stop making key; 0: none does */
    uint32_t standby;       /* node of the controller that may take its place; SCN_NO_NODE: none */
};

/* What elements let others cost them, and, for floods, what messages cost their receivers. */
struct scn_security {
    uint32_t bad_frames;   /* of one source in a second; more: quarantine */
    int64_t quarantine_ns; /* how long */
    uint32_t checks;       /* failing checks of tags of one source in a second, for nothing */
    uint32_t requests;     /* of an application in a second; 0: any number */
    int64_t retry_ns;      /* an unanswered request is asked again; 0: never */
    int64_t work_ns;   /* processor time of a message that leads to something; 0: none is counted */
    int64_t check_ns;  /* of a look at a tag; SCN_AUTO: work / 50 */
    int64_t screen_ns; /* of any message; SCN_AUTO: work / 1000 */
    uint32_t backlog;  /* messages that may wait for a processor */
};

struct scn_management {
    uint32_t at; /* node of the QKDN manager; default: the controller's node */
};

enum scn_arrivals {
    SCN_ARRIVALS_POISSON,
    SCN_ARRIVALS_PERIODIC,
    SCN_ARRIVALS_TRACE,
    SCN_ARRIVALS_ON_OFF, /* Poisson bursts between silences */
    SCN_ARRIVALS_DIURNAL /* Poisson, its rate by the time of day */
};

enum scn_periods { SCN_PERIODS_EXPONENTIAL, SCN_PERIODS_FIXED };

enum scn_level {
    SCN_LEVEL_ANY,           /* AES-256 hops are welcome */
    SCN_LEVEL_OTP_PREFERRED, /* one-time pad where it can be paid */
    SCN_LEVEL_OTP_ONLY       /* refuse rather than downgrade */
};

/* Seeds of single streams of chance; SCN_AUTO: the scenario's seed. */
struct scn_seeds {
    int64_t arrivals; /* of all applications */
    int64_t links;    /* of all QKD links: key, its IDs, when random blocks are complete */
    int64_t losses;   /* which frames are lost, doubled, held back */
    int64_t elements; /* what elements of core draw, and their pairwise secrets */
    int64_t faults;   /* when what fails at random fails */
};

enum scn_session_keys { SCN_SESSION_AT_RATE, SCN_SESSION_NO_KEYS };

/* Sessions with a guaranteed rate, one per arrival. */
struct scn_session {
    uint64_t rate_bps; /* of application key; 0: no sessions, an arrival is a request */
    int64_t hold_ns;   /* (mean) time that one lasts */
    enum scn_periods hold_law;
    enum scn_session_keys keys;
    int64_t timeout_ns; /* without a word of the application */
};

/* Multicast: applications that get the same keys, and keys of one request, at most. */
#define SCN_TARGETS_MAX 16
#define SCN_MULTICAST_KEYS_MAX 64

/* A class of applications (QoS). */
struct scn_class {
    char id[SCN_ID_SIZE];
    uint32_t priority;    /* 0: the most important */
    int64_t reserve_bits; /* of each link, left by less important classes */
    int64_t min_bps;      /* guaranteed to each session; 0: none */
    int64_t max_bps;      /* of each application outside sessions; 0: any */
    int64_t timeout_ns;   /* 0: not given */
    bool wait;
};

struct scn_application {
    char id[SCN_ID_SIZE]; /* unique */
    uint32_t from, to;    /* node indices (master, slave), from != to */
    uint32_t of;       /* multicast: 1 + index of the application whose keys it gets; 0: own ones */
    uint32_t members;  /* multicast: applications that get the keys of this one, too */
    uint32_t key_bits; /* of one key, a multiple of 8 */
    uint32_t count;    /* keys per request */
    enum scn_arrivals arrivals;
    double rate_per_s; /* requests; on-off: while on; diurnal: at the peak; 0 if something else says
                          it: trace, diurnal with a profile */
    double key_rate_bps;  /* as written; then it made rate_per_s and is 0 */
    uint64_t volume_bits; /* the same */
    int64_t offset_ns; /* after start_ns: periodic: first request; on-off with fixed periods: first
                          on period; else SCN_AUTO */
    int64_t *times_ns; /* trace: instants since the start of the run, not decreasing */
    size_t times_count;
    int64_t on_ns, off_ns;              /* on-off: (mean) lengths; else 0 */
    enum scn_periods periods;           /* on-off: their law; else -1 */
    double trough_per_s;                /* diurnal without profile: the least rate; else -1 */
    int64_t peak_ns;                    /* diurnal without profile: time of day; else SCN_AUTO */
    int64_t day_ns;                     /* diurnal: length of a day; else 0 */
    struct mdl_arrivals_level *profile; /* diurnal: rates by time of day, or NULL */
    size_t profile_count;
    enum scn_level level;
    int relay;      /* enum scn_relay; -1: that of key_management, see scn_relay_of() */
    uint32_t paths; /* 0: those of key_management, see scn_paths_of() */
    int64_t timeout_ns;
    uint32_t class_index; /* UINT32_MAX: none */
    int64_t max_bps;      /* key that it may ask for outside sessions, at most; 0: any */
    bool wait;            /* queue up to the time-out when refused for want of key */
    char *
        address; /* of the slave in a user network, by which the master names it; NULL: by its ID */
    struct scn_session session;
    int64_t start_ns; /* no request before */
    int64_t stop_ns;  /* none at or after; at most the duration */
    int64_t seed;     /* of its arrivals; SCN_AUTO: seeds.arrivals */
};

/* Whom an access rule speaks of: all that is named must be so. */
struct scn_access_side {
    uint32_t node;                 /* UINT32_MAX: any */
    char operator_id[SCN_ID_SIZE]; /* of the node; "": any */
    char community[SCN_ID_SIZE];   /* the same */
    enum scn_node_role role;       /* of the node; -1: any */
};

enum scn_verb { SCN_ALLOW, SCN_DENY };

/* A rule of the key managers' access lists. */
struct scn_access {
    enum scn_verb verb;
    struct scn_access_side from, to; /* the application that asks, and its partner */
    uint32_t application;            /* index of the pair; UINT32_MAX: any */
    int level;                       /* enum scn_level of the application; -1: any */
};

enum scn_target {
    SCN_TARGET_LINK,
    SCN_TARGET_NODE,
    SCN_TARGET_CLASSICAL,
    SCN_TARGET_ELEMENT /* the controller or the manager, at their nodes */
};

/* The elements that a fault may name. */
enum scn_fault_element { SCN_ELEMENT_CONTROLLER, SCN_ELEMENT_MANAGER, SCN_ELEMENT_STANDBY };

enum scn_fault_what {
    SCN_FAULT_BOTH,      /* link: no light and no classical frame */
    SCN_FAULT_QUANTUM,   /* link: no light */
    SCN_FAULT_CLASSICAL, /* link: no classical frame */
    SCN_FAULT_CRASH,     /* node: drop all elements; restart from what was persisted; controller,
                            manager: it is gone, and starts anew */
    SCN_FAULT_DOWN,      /* node: cut off, elements keep their memory */
    SCN_FAULT_TORN,      /* node: crash in a commit, of which nothing is durable (torn-commit) */
    SCN_FAULT_STORE_LOST, /* node: crash, and all that its key manager had persisted is lost (store-lost) */
    SCN_FAULT_DISK_FULL, /* node: commits are refused until it ends; all outputs wait for them */
    SCN_FAULT_DEGRADED,  /* link: more loss, more QBER, less key */
    SCN_FAULT_MODULE,    /* link: the module at one end is gone, and starts anew */
    SCN_FAULT_IMPAIRED,  /* link, classical link: frames are delayed, lost, corrupted */
    SCN_FAULT_PARTITION, /* node: on the management network it reaches only the nodes that the same
                            event cuts off with it */
    SCN_FAULT_SWITCH,    /* link: the agent of its optical switch is gone, and starts anew */
    SCN_FAULT_POINT,     /* link: its quantum relay point is gone, and starts anew */
    SCN_FAULT_MAINTENANCE, /* link: no light, as the controller knew */
    SCN_FAULT_WHATS
};

struct scn_tree;

/* One thing that fails once. What a file says of groups, repetition and chance has become such
 * faults when it is loaded; together they are an event (fault.event). */
struct scn_fault {
    int64_t at_ns;
    int64_t for_ns; /* > 0; SCN_FOREVER if the file says nothing */
    enum scn_target target;
    uint32_t index; /* of the link, node or classical link */
    enum scn_fault_what what;
    uint64_t output; /* crash: after this many outputs of the node (commits, sends) from at_ns on;
                        torn-commit: in place of this many-th commit; 0: crash at once, or 1 */
    char event[SCN_ID_SIZE]; /* faults of the same name are one event; "": an event of its own */
    uint32_t event_number;   /* of 0 to fault_events - 1, in the order of the faults */
    int element;             /* enum scn_fault_element; -1 if another thing fails */
    uint32_t end;            /* module: the node where it is */
    double loss_db;          /* degraded: more than before; key rate x 10^(-loss_db / 10) */
    double qber;             /* degraded: more than before, a fraction */
    double rate;             /* degraded: the key rate is multiplied by this too */
    int64_t delay_ns;        /* impaired: more than before, one way */
    double frame_loss;       /* impaired: probability per frame */
    double frame_corruption; /* impaired: probability per frame */
    /* While loading only; then unset. */
    const struct scn_tree *many; /* several targets: a list of ids, or a pattern */
    const struct scn_tree *group;
    int64_t every_ns, until_ns, mtbf_ns, mttr_ns;
};

/* Somebody at a reference point (docs/security.md). What a cell says of it has been filled in. */
struct scn_attack {
    char id[SCN_ID_SIZE];      /* unique */
    uint32_t cell;             /* index in scn_cells; SCN_CELLS: none is named */
    char variant[SCN_ID_SIZE]; /* of the cell; "" without one */
    enum scn_surface surface;
    enum scn_capability class;
    enum scn_attack_what what;
    enum scn_message_kind message;
    enum scn_part part;
    uint32_t link, node, application; /* where; UINT32_MAX: not said */
    int64_t at_ns, for_ns;            /* > 0; SCN_FOREVER */
    double probability;               /* of each message that it could touch */
    int64_t delay_ns;                 /* delay, replay: how much later */
    uint32_t mask;                    /* flip: of each byte */
    uint32_t bytes;                   /* flip: so many in a row */
    enum scn_flood flood;             /* flood: of what */
    uint32_t rate;                    /* flood: messages a second; 0: by the load of its victim */
};

enum scn_compare { SCN_LT, SCN_LE, SCN_EQ, SCN_NE, SCN_GE, SCN_GT };

/* Whose figure an expectation judges. */
enum scn_scope {
    SCN_SCOPE_RUN,
    SCN_SCOPE_LINK,
    SCN_SCOPE_APPLICATION,
    SCN_SCOPE_EVENT,
    SCN_SCOPE_ATTACK
};

enum scn_aggregate { SCN_OF_ONE, SCN_OF_MIN, SCN_OF_MAX, SCN_OF_MEAN, SCN_OF_SUM };

/* Figures that a world collects beside those of the whole run: of the requests that arrive, and of
 * what links do, from one instant up to another. */
struct scn_watch {
    enum scn_scope scope;   /* not of an event */
    uint32_t index;         /* of the link or application; 0 for the run */
    uint32_t via;           /* not of a link: counts served requests that crossed this link too;
                             * UINT32_MAX: none */
    int64_t from_ns, to_ns; /* from < to; to: SCN_FOREVER is the end of the run */
};

struct scn_expect {
    char text[SCN_EXPECT_SIZE];   /* as written, spaces normalised */
    char figure[SCN_EXPECT_SIZE]; /* a name in its scope: "latency_s.p95"; "via" */
    enum scn_scope scope;
    enum scn_aggregate aggregate;
    char pattern[SCN_ID_SIZE]; /* id of the link or application; with an aggregate `*` in it stands
                                * for any text; "" for the run */
    uint32_t index;            /* what `pattern` names; 0 for the run or with an aggregate */
    bool has_window;
    int64_t from_ns, to_ns; /* the window; as struct scn_watch */
    char via[SCN_ID_SIZE];  /* figure via: the link; else "" */
    uint32_t watch;         /* first of its watches, one for each that `pattern` matches, ... */
    uint32_t watch_count;   /* ... 0: a figure of the whole run */
    enum scn_compare compare;
    double number;
    double tolerance; /* of == and !=: what differs by no more is equal; else 0 */
    char *where;      /* "file:line:column", or the override that gave it */
};

struct scn_scenario {
    char name[SCN_NAME_SIZE];
    uint64_t seed;
    struct scn_seeds seeds;
    int64_t duration_ns; /* > 0 */
    int64_t warmup_ns;   /* < duration_ns */
    enum scn_engine engine;
    struct scn_node *nodes;
    size_t node_count; /* at least 1 */
    struct scn_link *links;
    size_t link_count;
    struct scn_optical *optical_switches;
    size_t optical_switch_count;
    struct scn_optical *relay_points;
    size_t relay_point_count;
    struct scn_classical classical;
    struct scn_key_management key_management;
    struct scn_control control;
    struct scn_management management;
    struct scn_security security;
    struct scn_class *classes;
    size_t class_count;
    struct scn_application *applications;
    size_t application_count;
    struct scn_access *access; /* in the order of the file: the first that fits decides */
    size_t access_count;
    struct scn_fault *faults; /* in the order of the file */
    size_t fault_count;
    uint32_t fault_events;  /* how many events they are */
    uint32_t *event_firsts; /* of each event its first fault; NULL: no faults */
    struct scn_attack *attacks;
    size_t attack_count;
    int measures[QKD_MEASURE_COUNT]; /* which security measures stand, 1: all, but in experiments */
    uint32_t measures_off;           /* the others, as base/measure.h has them */
    struct scn_expect *expects;
    size_t expect_count;
    struct scn_watch *watches; /* of the expectations */
    size_t watch_count;
};

/* What was wrong, one line of text each: "file:line:column: what, and what was expected". */
struct scn_errors {
    char **lines;
    size_t count;
    size_t omitted; /* errors beyond SCN_MAX_ERRORS, or for which no memory was left */
    char **sources; /* what was read, whether wrong or not: names of files, also texts of --set */
    size_t source_count;
};

/* Overrides: "path=value" texts such as "control.routing=widest" or
 * "applications[video].rate=10 /s"; their errors start with "--set". */
struct scn_sets {
    const char *const *texts;
    size_t count;
};

/* Reads a scenario file and the data files that it names (relative to its folder). sets may be
 * NULL. 0 and *out (to be freed with scn_free), or *out = NULL and QKD_ERR_INVALID, QKD_ERR_IO or
 * QKD_ERR_NOMEM with what was wrong in *errors (which may be empty only without memory). *errors is
 * initialised here in every case and must be given to scn_errors_fini. */
int scn_load(const char *path, const struct scn_sets *sets, struct scn_scenario **out,
             struct scn_errors *errors);

/* The same on the network of another scenario file (its section `network`, with what it extends and
 * includes), which takes the place of the scenario's own before the overrides; a network "X" without
 * a file of that name is that of the tables X-nodes.csv and X-links.csv. network NULL: its own. */
int scn_load_on(const char *path, const char *network, const struct scn_sets *sets,
                struct scn_scenario **out, struct scn_errors *errors);

/* A text in memory, for scn_load_text. */
struct scn_text {
    const char *name;   /* of the "file", in messages */
    const char *text;   /* YAML or JSON, no final zero needed */
    size_t len;         /* bytes */
    const char *folder; /* of the data files; NULL: naming one is an error */
};

/* The same from memory. */
int scn_load_text(const struct scn_text *text, const struct scn_sets *sets,
                  struct scn_scenario **out, struct scn_errors *errors);

void scn_free(struct scn_scenario *scenario);
void scn_errors_fini(struct scn_errors *errors);

/* The resolved scenario as YAML that loads to the same scenario (traces are written out, so it
 * names no other file); zero-terminated, to be freed with free(); NULL without memory. */
char *scn_print(const struct scn_scenario *scenario);

/* SHA-256 of scn_print, 64 hexadecimal digits: equal scenarios, however written, hash equally.
 * 0 or QKD_ERR_NOMEM. */
int scn_hash(const struct scn_scenario *scenario, char hex[65]);

/* The JSON Schema (2020-12) of scenario files; to be freed with free(); NULL without memory. */
char *scn_schema(void);

/* The seeds that hold for one application, one link, and a stream of scenario->seeds. */
uint64_t scn_application_seed(const struct scn_scenario *scenario, size_t application);
uint64_t scn_link_seed(const struct scn_scenario *scenario, size_t link);
uint64_t scn_stream_seed(const struct scn_scenario *scenario, int64_t given);

/* The application that floods its KSA with requests where none is named: the last that shares the node of its
 * master with another one, or the last. */
uint32_t scn_attack_flooder(const struct scn_scenario *scenario);

/* Whether it does more than look and ask: then what it meets is not as it would be without it. */
bool scn_attack_disturbs(const struct scn_attack *attack);

/* Number of an attack by its id; UINT32_MAX if there is none. */
uint32_t scn_attack_find(const struct scn_scenario *scenario, const char *id);
/* Optical switches and, behind them, relay points have one numbering. */
#define SCN_NO_OPTICAL UINT32_MAX
uint32_t scn_optical_count(const struct scn_scenario *scenario);
const struct scn_optical *scn_optical_at(const struct scn_scenario *scenario, uint32_t number);

/* Number of a link's optical switch, or of its relay point; SCN_NO_OPTICAL: it has none. */
uint32_t scn_optical_of(const struct scn_scenario *scenario, uint32_t link, bool is_switch);

/* Index of a link by id; UINT32_MAX if there is none. Linear search. */
uint32_t scn_link_find(const struct scn_scenario *scenario, const char *id);

/* Index of an application by id; UINT32_MAX if there is none. Linear search. */
uint32_t scn_application_find(const struct scn_scenario *scenario, const char *id);

/* The name of an event, and its number by its name; "" and UINT32_MAX if there is none. */
const char *scn_event_name(const struct scn_scenario *scenario, size_t event);
uint32_t scn_event_find(const struct scn_scenario *scenario, const char *name);

/* Whether an id matches a pattern, in which `*` stands for any text. */
bool scn_pattern_matches(const char *pattern, const char *id);

/* The words of the file for enum values; never NULL. */
/* How the keys of an application cross more than one link. */
/* An address as 16 bytes, IPv4 mapped; a prefix, its bits, -1: it is none. */
bool scn_address_read(const char *text, uint8_t bytes[16]);
int scn_prefix_read(const char *text, uint8_t bytes[16]);

enum scn_relay scn_relay_of(const struct scn_scenario *scenario, const struct scn_application *app);

/* Over how many routes: 1, but with multipath relay. */
uint32_t scn_paths_of(const struct scn_scenario *scenario, const struct scn_application *app);

const char *scn_engine_name(enum scn_engine engine);
const char *scn_role_name(enum scn_node_role role);
const char *scn_level_name(enum scn_level level);
const char *scn_relay_name(enum scn_relay relay);
const char *scn_routing_name(enum scn_routing routing);
const char *scn_fault_name(enum scn_fault_what what);

/* What a fault is of, as events are told: "link AB", "node A", "classical link AB", "controller". */
#define SCN_ENTITY_SIZE (SCN_ID_SIZE + 16)
void scn_fault_entity(const struct scn_scenario *scenario, const struct scn_fault *fault,
                      char text[SCN_ENTITY_SIZE]);
const char *scn_element_name(int element); /* enum scn_fault_element */

#endif
