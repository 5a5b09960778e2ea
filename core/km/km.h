/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key manager (FG QIT4N D2.3 clause 7): the host of three elements that meet only in wire messages
 * at KMI: KMA (km/kma.h), KSA (km/ksa.h) and the control and management function KMC (km/kmc.h).
 * The host may serve all three (one process) or some of them (KMA and KMC in one, KSA in another:
 * D23-KR-01); messages between parts of one host are handed over inside the same step, marked
 * QKD_SEND_DELIVERED. Each part has its own store: `owner` of a persist entry names it, and START
 * comes once per part (km_start). */
#ifndef QKD_KM_KM_H
#define QKD_KM_KM_H

#include "core/base/event.h"
#include "core/base/guard.h"
#include "core/base/out.h"

struct km;

enum km_parts { KM_KMA = 1, KM_KSA = 2, KM_KMC = 4, KM_ALL = 7 };

/* What one request may ask for (ETSI GS QKD 014 Table 9). */
enum {
    KSA_KEYS_PER_REQUEST = 128, /* most keys at once */
    KSA_KEY_BITS_LEAST = 64,
    KSA_KEY_BITS_MOST = 4096
};

/* How a KM chooses routes by itself; the same as the controller's. */
enum km_routing {
    KM_FEWEST_HOPS,
    KM_WIDEST,
    KM_LOWEST_DELAY,
    KM_REFILL_TIME,
    KM_LEAST_LOADED,
    KM_K_SHORTEST,
    KM_DISJOINT
};

/* Classes of applications (QoS): by number in CFG_APP, from 1. */
#define KM_CLASSES 16
#define KM_PRIORITY_MOST 7
struct km_class {
    uint8_t priority;      /* 0: the most important */
    uint64_t reserve_bits; /* of each link's key: left by less important classes */
};

struct km_config {
    uint32_t node;         /* node number of the element IDs */
    uint32_t parts;        /* enum km_parts */
    const char *name;      /* hostname, HELLO's Sender ID; copied */
    const char *community; /* HELLO's Community ID; copied */
    uint8_t ip[16];        /* IPv6 or IPv4-mapped */
    uint8_t mac[6];
    struct qkd_eid controller; /* QKD_NOBODY: none */
    struct qkd_eid standby;    /* the controller that may take its place; QKD_NOBODY: none */
    struct qkd_eid manager;    /* QKD_NOBODY: none */
    uint32_t unit_bits;        /* KMA-key unit */
    uint32_t batch;            /* keys per relay frame, 1 ... 256 */
    uint32_t lease_bits;       /* pads reserved ahead by one persisted record: 256 or more */
    struct qkd_span retransmit;
    uint32_t retries;
    struct qkd_span expiry;       /* of key in a pool, from confirmation */
    struct qkd_span fetch_within; /* slave's time to fetch */
    struct qkd_span timer;        /* lifetime of a KMA-key ID (Table 7-9; there in s, rounded up) */
    struct qkd_span status_period;
    bool distributed;        /* it learns the network by itself: kmc_map.h */
    enum km_routing routing; /* this and what follows: of its own routes */
    uint32_t paths;          /* k of k-shortest and disjoint */
    uint64_t low_mark_bits;  /* no route leads over a link that has less */
    struct qkd_span route_validity;
    uint32_t node_limit;          /* most KMs of the network */
    uint32_t network_link_limit;  /* most links of the network */
    bool measure_delay;           /* of KM links, by HELLO and its reply; told to the controller */
    bool pooled;                  /* keys are relayed ahead of need */
    uint32_t pool_low, pool_high; /* keys of a pool: filled up to `high` below `low` */
    uint32_t pool_batch;          /* keys in a frame that fills one */
    bool fallback;                /* hops that cannot pay pads may use AES-256 */
    uint32_t fallback_reserve_bits; /* of each link and side: payload leaves them to it */
    struct qkd_span fallback_rekey; /* longest use of one of its keys */
    bool preserve;                  /* retention: keep supplied keys until deleted or expired */
    uint32_t class_count;           /* 0: key goes to who asks first */
    struct km_class classes[KM_CLASSES];
    bool metadata_clear;    /* relay_metadata: clear (not available yet: refused by km_new) */
    uint32_t request_limit; /* most requests under way per part */
    uint32_t key_limit;     /* most KSA-keys held */
    uint32_t link_limit;
    uint32_t app_requests; /* most requests of an application in a second; 0: any number */
    uint32_t measures_off; /* base/measure.h; 0 outside experiments */
    struct qkd_guard_config guard; /* what peers may cost; zeros: anything */
};

int km_new(const struct km_config *config, struct km **km);
void km_free(struct km *km);

/* START for one part: `part` chooses it; event->u.start.records are that part's alone. */
int km_start(struct km *km, enum km_parts part, const struct qkd_event *event, struct qkd_out *out);

/* RECV and CONFIG go to the part they are addressed to, TIMEOUT and PEER to all that need it. */
int km_step(struct km *km, const struct qkd_event *event, struct qkd_out *out);
struct qkd_time km_deadline(const struct km *km);

#endif
