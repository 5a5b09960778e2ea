/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks under random faults, judged: what `qkdn fuzz` and the property tests call.
 *
 *   fuzz_plan.c    from a seed, a plan: network, load, faults (each seed uses some of the features)
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
    SIM_FUZZ_FEATURES
};
const char *sim_fuzz_feature_name(enum sim_fuzz_feature feature);

/* A scenario in the making. Items that are `off` are left out; indices and names of the others stay. */
struct sim_fuzz_plan {
    uint64_t seed;
    uint32_t features; /* bits 1 << enum sim_fuzz_feature; for reports */
    uint32_t node_count, link_count, app_count, fault_count;
    struct {
        bool off;
        int32_t offset_s, drift_ppm; /* of its clock */
    } node[SIM_FUZZ_NODES];
    struct {
        bool off, bits;
        uint32_t a, b, km, block_kbit, store_kbit; /* store 0: the default */
        uint32_t first_kbps, then_kbps;            /* rate while things fail, and afterwards */
    } link[SIM_FUZZ_LINKS];
    struct {
        bool off, poisson, wait;
        uint32_t from, to, key_bits, count, tenths_per_s, timeout_s, start_ms, stop_ms;
        enum scn_level level;
    } app[SIM_FUZZ_APPS];
    struct {
        bool off;
        enum scn_fault_what what;
        uint32_t at_ms, for_ms; /* for 0: to the end */
        uint32_t index;         /* node or link, by what */
        uint32_t output;        /* 0: none */
    } fault[SIM_FUZZ_FAULTS];
    bool in_band, two, preserve, widest;
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
    (1U << SIM_FUZZ_IN_BAND | 1U << SIM_FUZZ_LEASE | 1U << SIM_FUZZ_BATCH |                        \
     1U << SIM_FUZZ_PRESERVE | 1U << SIM_FUZZ_BITS | 1U << SIM_FUZZ_OPPOSITE)
void sim_fuzz_plan_limited(struct sim_fuzz_plan *plan, uint64_t seed, uint32_t allowed);

/* The plan as a scenario file. */
void sim_fuzz_print(const struct sim_fuzz_plan *plan, char text[SIM_FUZZ_TEXT]);

enum sim_fuzz_phase {
    SIM_FUZZ_GOOD,
    SIM_FUZZ_SAFETY,   /* a rule was broken, a ledger or a request's end is wrong */
    SIM_FUZZ_LIVENESS, /* something does not come back */
    SIM_FUZZ_ERROR     /* the run itself failed */
};

/* What a run showed. Plain bytes: it is sent between processes. */
struct sim_fuzz_verdict {
    enum sim_fuzz_phase phase;
    char why[SIM_FUZZ_WHY]; /* "" if good; begins with the rule or condition, up to a colon */
    uint64_t checks;        /* of the oracle */
    uint64_t live_checks;   /* liveness conditions that were decided */
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
