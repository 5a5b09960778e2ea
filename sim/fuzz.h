/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks under random faults, judged: what `qkdn fuzz` and the property tests call.
 *
 *   fuzz_plan.c    from a seed, a plan: network, load, faults (each seed uses some of the features)
 *   fuzz_extra.c   what else a plan may have, drawn apart from the rest
 *   fuzz_fallback.c AES-256 where pads cannot be paid, drawn apart
 *   fuzz_ahead.c   pooled supply, drawn apart
 *   fuzz_multicast.c  keys for several nodes, drawn apart
 *   fuzz_address.c  applications named by address, drawn apart
 *   fuzz_optical.c optical switches, relay points, forecast, maintenance, drawn apart
 *   fuzz_relay.c   schemes of key relay, drawn apart again
 *   fuzz_control.c how the controller works, drawn apart again
 *   fuzz_trouble.c faults of further kinds, drawn apart from both
 *   fuzz_poor.c    links with hardly a tag to begin with, drawn apart again
 *   fuzz_sway.c    key to and fro, in pieces, or soon too old; drawn apart again
 *   fuzz_attack.c  attackers, drawn apart
 *   fuzz_print.c   a plan as a scenario file
 *   fuzz_judge.c   a scenario is run and judged: safety all along (watch/oracle.h) ...
 *   fuzz_live.c    ... and liveness once faults have ended (docs/oracle.md, "Liveness")
 *   fuzz_shrink.c  from a plan that fails, a smaller one that still fails
 *
 * The same seed gives the same plan, the same scenario the same verdict. */
#ifndef SIM_FUZZ_H
#define SIM_FUZZ_H

#include <signal.h>

#include "scenarios/scenario.h"

enum {
    SIM_FUZZ_NODES = 12,
    SIM_FUZZ_LINKS = 20,
    SIM_FUZZ_APPS = 10,
    SIM_FUZZ_FAULTS = 8,
    SIM_FUZZ_TROUBLES = 6,
    SIM_FUZZ_RULES = 3,
    SIM_FUZZ_ATTACKS = 4,
    SIM_FUZZ_TEXT = 16384, /* bytes of a plan as a scenario, with its final zero */
    SIM_FUZZ_WHY = 512
};

/* What a seed may use; each seed draws a subset (Groce et al., "Swarm testing", ISSTA 2012). */
enum sim_fuzz_feature {
    SIM_FUZZ_CLOCKS,     /* clocks that are off and drift */
    SIM_FUZZ_IN_BAND,    /* management beside the QKD links */
    SIM_FUZZ_LOSS,       /* frames are lost */
    SIM_FUZZ_DUPLICATE,  /* or arrive twice */
    SIM_FUZZ_REORDER,    /* or late */
    SIM_FUZZ_NARROW,     /* slow classical channels with short queues */
    SIM_FUZZ_LINK_FAULT, /* links without light, frames, or both */
    SIM_FUZZ_DARK,       /* a link that stays without light */
    SIM_FUZZ_CRASH,      /* nodes crash at some instant */
    SIM_FUZZ_OUTPUT,     /* or after one of their outputs */
    SIM_FUZZ_TORN,       /* or in a commit */
    SIM_FUZZ_DOWN,       /* nodes are cut off */
    SIM_FUZZ_DISK,       /* commits are refused */
    SIM_FUZZ_SCARCE,     /* little key at first */
    SIM_FUZZ_TIDE,       /* about as much as is asked for, at first, so that GRANTs go to and fro */
    SIM_FUZZ_STORE,      /* small stores */
    SIM_FUZZ_EXPIRY,     /* key expires soon */
    SIM_FUZZ_TIMERS,     /* keys and IDs live for seconds */
    SIM_FUZZ_TRIES,      /* few or no repetitions */
    SIM_FUZZ_LEASE,      /* short leases */
    SIM_FUZZ_BATCH,      /* several keys per frame */
    SIM_FUZZ_TWO,        /* KMA and KSA in two processes */
    SIM_FUZZ_PRESERVE,   /* supplied keys are preserved */
    SIM_FUZZ_BITS,       /* key files carry their bits */
    SIM_FUZZ_OPPOSITE,   /* pairs that ask in both directions */
    SIM_FUZZ_MANY,       /* several keys per request, long keys */
    SIM_FUZZ_BURSTS,     /* many requests at first */
    SIM_FUZZ_PATIENT,    /* requests that wait for key */
    SIM_FUZZ_EXTRA,      /* from here on fuzz_extra.c: */
    SIM_FUZZ_ACCESS = SIM_FUZZ_EXTRA, /* pairs that are denied */
    SIM_FUZZ_DEMANDS,                 /* applications of a generator */
    SIM_FUZZ_HUB,                     /* a classical network of its own, with a switch */
    SIM_FUZZ_ON_OFF,                  /* bursts between silences */
    SIM_FUZZ_DIURNAL,                 /* rates by the time of a (short) day */
    SIM_FUZZ_PROCESSING,              /* key managers take time */
    SIM_FUZZ_LOW_MARK,                /* links with little key are not for relays */
    SIM_FUZZ_KEEP_ROUTE,              /* routes are kept */
    SIM_FUZZ_INITIAL,                 /* key at the start */
    SIM_FUZZ_UNIT,                    /* units of other lengths than 256 bit */
    SIM_FUZZ_RANDOM_BLOCKS,           /* blocks at random times */
    SIM_FUZZ_SLOW,                    /* channels too slow for liveness to be judged */
    SIM_FUZZ_SESSIONS,                /* sessions with a guaranteed rate */
    SIM_FUZZ_NOISE,                   /* light too noisy for key, for a while */
    SIM_FUZZ_RELAY,                   /* several schemes of key relay; drawn apart: fuzz_relay.c */
    SIM_FUZZ_CONTROL,                 /* any routing; from here on fuzz_control.c */
    SIM_FUZZ_TROUBLE,                 /* from here on fuzz_trouble.c: */
    SIM_FUZZ_DEGRADED = SIM_FUZZ_TROUBLE, /* light gets worse */
    SIM_FUZZ_MODULE,                      /* modules are gone */
    SIM_FUZZ_IMPAIRED,                    /* channels delay, lose and damage frames */
    SIM_FUZZ_ELEMENT,                     /* the controller or the manager is gone */
    SIM_FUZZ_PARTITION,                   /* the management network is in parts */
    SIM_FUZZ_GROUP,                       /* links fail together, and again */
    SIM_FUZZ_RANDOM,                      /* links fail at random */
    SIM_FUZZ_STORE_LOST,                  /* a key manager comes back without its store */
    SIM_FUZZ_TROUBLE_END,
    SIM_FUZZ_POOR = SIM_FUZZ_TROUBLE_END, /* hardly a tag to begin with; drawn apart: fuzz_poor.c */
    SIM_FUZZ_FALLBACK,                    /* AES-256 where pads cannot be paid: fuzz_fallback.c */
    SIM_FUZZ_STANDBY,                     /* two controllers; drawn apart: fuzz_control.c */
    SIM_FUZZ_POOLED,                      /* keys relayed ahead of need: fuzz_ahead.c */
    SIM_FUZZ_MAX_RATE, /* applications with a highest rate; drawn apart: fuzz_control.c */
    SIM_FUZZ_SWAY, /* key goes to and fro by GRANTs, many of them lost; from here on fuzz_sway.c: */
    SIM_FUZZ_PIECES,      /* stores full of pieces almost as long as a frame */
    SIM_FUZZ_AGED,        /* small stores, whose key expires soon */
    SIM_FUZZ_MULTICAST,   /* keys for several nodes: fuzz_multicast.c */
    SIM_FUZZ_CLASSES,     /* classes of applications; drawn apart: fuzz_control.c */
    SIM_FUZZ_ADDRESS,     /* applications named by address: fuzz_address.c */
    SIM_FUZZ_SWITCH,      /* links share a module; from here on fuzz_optical.c: */
    SIM_FUZZ_POINT,       /* quantum relay points */
    SIM_FUZZ_FORECAST,    /* no key where a store will be full */
    SIM_FUZZ_MAINTENANCE, /* links without light, as planned */
    SIM_FUZZ_ATTACK,      /* attackers: fuzz_attack.c */
    SIM_FUZZ_FEATURES
};
_Static_assert(SIM_FUZZ_FEATURES <= 128, "bits of a set of features");

/* A set of features: bit f % 64 of word f / 64. */
struct sim_fuzz_set {
    uint64_t word[2];
};
#define SIM_FUZZ_BIT(feature) (UINT64_C(1) << (feature)) /* of the first word */
#define SIM_FUZZ_ONLY(bits) ((struct sim_fuzz_set){{(bits), 0}})
#define SIM_FUZZ_ALL ((struct sim_fuzz_set){{UINT64_MAX, UINT64_MAX}})
bool sim_fuzz_set_has(struct sim_fuzz_set set, enum sim_fuzz_feature feature);
void sim_fuzz_set_add(struct sim_fuzz_set *set, enum sim_fuzz_feature feature, bool on);
const char *sim_fuzz_feature_name(enum sim_fuzz_feature feature);

/* A scenario in the making. Items that are `off` are left out; indices and names of the others stay. */
struct sim_fuzz_plan {
    uint64_t seed;
    struct sim_fuzz_set features; /* for reports */
    uint32_t node_count, link_count, app_count, fault_count;
    uint32_t class_count; /* priorities 0, 1, 1 */
    struct {
        bool off;
        int32_t offset_s, drift_ppm; /* of its clock */
    } node[SIM_FUZZ_NODES];
    struct {
        bool off, bits;
        uint32_t a, b, km, block_kbit, store_kbit; /* store 0: the default */
        uint32_t first_kbps, then_kbps;            /* rate while things fail, and afterwards */
        uint32_t initial_kbit;
        bool random_blocks;
        uint32_t noise_ms, quiet_ms; /* too noisy from .. to; equal: never */
    } link[SIM_FUZZ_LINKS];
    struct {
        bool off, poisson, wait;
        uint32_t from, to, key_bits, count, tenths_per_s, timeout_s, start_ms, stop_ms;
        enum scn_level level;
        int relay; /* enum scn_relay; -1: the default */
        enum { SIM_FUZZ_STEADY, SIM_FUZZ_BY_BURSTS, SIM_FUZZ_BY_DAY } shape;
        uint32_t on_ms, off_ms, day_ms;
        bool fixed_periods;
        uint32_t max_bps;      /* 0: any */
        uint32_t class_number; /* of the classes, from 1; 0: none */
        uint32_t also;         /* multicast: bits of further nodes */
        uint8_t named;         /* the partner, by: 0 ID, 1 address, 2 user network */
        uint32_t session_bps, hold_ms, session_timeout_s; /* 0: no sessions */
        bool fixed_hold, without_keys;
    } app[SIM_FUZZ_APPS];
    struct {
        bool off, allow;
        enum { SIM_FUZZ_OF_APP, SIM_FUZZ_OF_MASTER, SIM_FUZZ_OF_SLAVE } of;
        uint32_t index; /* application or node, by `of` */
    } rule[SIM_FUZZ_RULES];
    uint32_t rule_count;
    struct {
        uint32_t nodes; /* of these, from the first on, every two; 0: none */
        uint32_t key_bits, hundredths_per_s, timeout_s;
        bool poisson;
    } demand;
    struct {
        bool off;
        enum scn_fault_what what;
        uint32_t at_ms, for_ms; /* for 0: to the end */
        uint32_t index;         /* node or link, by what */
        uint32_t output;        /* 0: none */
    } fault[SIM_FUZZ_FAULTS];
    struct {
        bool off;
        enum sim_fuzz_feature kind;
        uint32_t at_ms, for_ms;
        uint32_t index;   /* link; element: 0 controller, 1 manager, 2 standby */
        uint32_t some;    /* group: bits of links; partition: bits of nodes */
        uint32_t x, y, z; /* by kind, see fuzz_trouble.c */
    } trouble[SIM_FUZZ_TROUBLES];
    uint32_t trouble_count;
    struct {
        bool off;
        uint32_t kind; /* fuzz_attack.c */
        uint32_t at_ms, for_ms, delay_ms, percent, node;
    } attack[SIM_FUZZ_ATTACKS];
    uint32_t attack_count;
    bool outside; /* attackers reach the inside of nodes */
    bool in_band, two, preserve, widest, hub, keep_route;
    struct {
        bool is_set; /* else: what `widest` says, the default */
        enum scn_routing routing;
        uint32_t paths;
        bool proactive;
        bool distributed, alone; /* alone: without a controller */
    } control;
    uint32_t pool_low, pool_high, pool_batch; /* pooled supply; low 0: none */
    uint32_t fallback_kbit, fallback_rekey_s; /* kept for AES-256; 0: none */
    bool addresses; /* nodes serve user networks, and one of them a wider one */
    uint32_t widest_node;
    uint32_t standby; /* node of the second controller, from 1; 0: there is none */
    struct {
        uint32_t links, node; /* bits; 0: there is no switch */
        uint32_t dwell_ms, dark_ms;
        bool by_demand;
    } optical;
    uint32_t points;                                       /* bits of links with a relay point */
    uint32_t forecast_ms;                                  /* 0: none */
    uint32_t processing_ms, low_mark_kbit, unit_bits;      /* 0: the defaults */
    uint32_t loss_pm, duplicate_pm, reorder_pm, jitter_ms; /* pm: of 1000 frames */
    uint32_t bandwidth_kbps, queue_kib;                    /* 0: the defaults */
    uint32_t batch, lease_bits, retries, retransmit_ms, bootstrap_kbit;
    uint32_t expiry_s, fetch_within_s, timer_s;
    uint32_t validity_s, period_ms;
    uint32_t controller, manager; /* nodes */
    uint32_t chaos_end_ms;        /* nothing is meant to fail later */
    uint32_t stop_ms;             /* no light and no request later */
    uint32_t end_ms;
};

void sim_fuzz_plan_make(struct sim_fuzz_plan *plan, uint64_t seed);

/* The same with these features only. What does not disturb: SIM_FUZZ_CALM. */
#define SIM_FUZZ_CALM                                                                              \
    (SIM_FUZZ_BIT(SIM_FUZZ_IN_BAND) | SIM_FUZZ_BIT(SIM_FUZZ_LEASE) |                               \
     SIM_FUZZ_BIT(SIM_FUZZ_BATCH) | SIM_FUZZ_BIT(SIM_FUZZ_PRESERVE) |                              \
     SIM_FUZZ_BIT(SIM_FUZZ_BITS) | SIM_FUZZ_BIT(SIM_FUZZ_OPPOSITE))
void sim_fuzz_plan_limited(struct sim_fuzz_plan *plan, uint64_t seed, struct sim_fuzz_set allowed);

/* The plan as a scenario file. */
void sim_fuzz_print(const struct sim_fuzz_plan *plan, char text[SIM_FUZZ_TEXT]);

enum sim_fuzz_phase {
    SIM_FUZZ_GOOD,
    SIM_FUZZ_SAFETY,   /* a rule was broken, a ledger or a request's end is wrong */
    SIM_FUZZ_LIVENESS, /* something does not come back */
    SIM_FUZZ_ERROR     /* the run itself failed */
};

/* Why a run was not judged for liveness. */
enum sim_fuzz_unjudged {
    SIM_FUZZ_JUDGED,
    SIM_FUZZ_NO_END,    /* a fault does not end */
    SIM_FUZZ_DISK_LONG, /* a disk is full for longer than a status period */
    SIM_FUZZ_TOO_LATE,  /* something failed, or light came back, too late for all to come back */
    SIM_FUZZ_CHANNELS,  /* channels are too slow */
    SIM_FUZZ_SIZE,      /* too many nodes, or arrivals that the judge cannot weigh */
    SIM_FUZZ_UNJUDGED   /* count */
};
const char *sim_fuzz_unjudged_text(enum sim_fuzz_unjudged why);

/* What a run showed. Plain bytes: it is sent between processes. */
struct sim_fuzz_verdict {
    enum sim_fuzz_phase phase;
    char why[SIM_FUZZ_WHY]; /* "" if good; begins with the rule or condition, up to a colon */
    uint64_t checks;        /* of the oracle */
    uint64_t live_checks;   /* liveness conditions that were decided */
    enum sim_fuzz_unjudged unjudged;
    uint64_t requests, served, messages;
    uint64_t crashes, torn, refused; /* nodes crashed, of them in a commit; commits refused */
    double sim_s;
};

/* Runs and judges a scenario. interrupt may be NULL; an interrupted run is judged as an error. */
void sim_fuzz_judge(const struct scn_scenario *scenario, const volatile sig_atomic_t *interrupt,
                    struct sim_fuzz_verdict *verdict);

/* The same for a text; one that does not load is an error. */
void sim_fuzz_judge_text(const char *text, const volatile sig_atomic_t *interrupt,
                         struct sim_fuzz_verdict *verdict);

/* Parts of that: ledgers and violations of a run; the end of one request, in a run that lasted until
 * end_ns. The first failure is kept in *verdict. */
struct scn_summary;
struct scn_request;
void sim_fuzz_summary_judge(const struct scn_scenario *scenario, const struct scn_summary *summary,
                            struct sim_fuzz_verdict *verdict);
void sim_fuzz_request_judge(const struct scn_scenario *scenario, const struct scn_request *request,
                            int64_t end_ns, struct sim_fuzz_verdict *verdict);

/* What is asked of each candidate: does it fail as the plan did? */
struct sim_fuzz_shrink {
    bool (*fails)(void *ctx, const struct sim_fuzz_plan *plan);
    bool (*stop)(void *ctx); /* true: no time left */
    void *ctx;
};

/* Makes the plan smaller while it still fails: drops applications, faults, links and nodes, switches
 * features off, simplifies numbers, ends earlier; until nothing more can go or there is no time.
 * Returns how many candidates were tried. */
uint32_t sim_fuzz_shrink(struct sim_fuzz_plan *plan, const struct sim_fuzz_shrink *shrink);

#endif
