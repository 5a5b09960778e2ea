/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KMC's state, shared by its files: kmc.c (events), kmc_status.c (links, modules, what the
 * controller is told), kmc_pending.c (requests passed on and not yet answered), kmc_reserve.c
 * (reservations of sessions). Private to kmc. */
#ifndef QKD_KM_KMC_STATE_H
#define QKD_KM_KMC_STATE_H

#include "core/base/map.h"
#include "core/base/slab.h"
#include "core/base/timers.h"
#include "core/channel/reports.h"
#include "core/km/kmc.h"
#include "core/km/kmc_map.h"

#define KMC_SILENT_PERIODS 3
#define KMC_PENDING_BYTES 128 /* the longest request passed on */
#define KMC_KNOWN 64U         /* who serves what: answers kept for when the controller is gone */
#define KMC_RENEW_PERIODS 3
#define KMC_TIMER_RESERVE (UINT64_C(1) << 32)

/* A QKD link of this node: what its KMA and its module said last. */
struct kmc_link {
    uint32_t link;
    struct qkd_eid module;
    struct wire_link_status status;
    bool has_status;
    bool was_sent, sent_up; /* to the controller */
    uint64_t sent_own_bits;
    bool map_up; /* as last flooded */
    uint64_t map_bits;
    struct wire_module_status module_status;
    bool has_module_status;
    uint64_t last_status_id; /* of the module: a status overtaken on the way is not used */
    struct qkd_time module_heard;
};

/* A request that was passed on: ROUTE of the KMA or STOCK of the KSA to the controller, GENERATION of the
 * KMA to a module. */
struct kmc_pending {
    uint64_t kma_id; /* message IDs: the KMA's (STOCK: the KSA's, marked) and ours */
    uint64_t own_id;
    enum qkd_rp rp;
    struct qkd_eid to;
    struct qkd_eid a, b; /* ROUTE, STOCK: source and destination; GENERATION: module and nobody */
    bool stock;          /* STOCK */
    bool resolve;        /* RESOLVE */
    uint8_t tries;
    uint8_t len;
    uint32_t timer;
    uint8_t bytes[KMC_PENDING_BYTES]; /* as sent, for repetition */
};

enum kmc_reserve_state {
    KMC_RESERVE_ASKED,    /* the controller has not answered yet */
    KMC_RESERVE_HELD,     /* renewed every KMC_RENEW_PERIODS */
    KMC_RESERVE_RELEASING /* RELEASE is repeated until answered */
};

/* A reservation that the KSA asked for. */
struct kmc_reserve {
    uint64_t session_id; /* the KSA's number of it */
    uint64_t ksa_id;     /* message ID of its last RESERVE */
    uint64_t sent_id;    /* of our last message about it */
    struct qkd_eid destination;
    uint32_t key_size, key_amount, batch;
    uint64_t rate_bps;
    uint32_t timer;
    uint8_t state; /* enum kmc_reserve_state */
    uint8_t tries;
    bool was_held;
};

/* What this KM serves (kmc_reach.c). */
struct kmc_serves {
    bool is_set; /* configured; else nobody is told of it */
    uint8_t *networks;
    uint32_t networks_len;
    bool is_dynamic, has_ksa;
    struct wire_ksa_status ksa;
    uint8_t ksa_bytes[64]; /* the same, encoded */
    uint32_t ksa_len;
};

/* Who serves something, as the controller said last. */
struct kmc_known {
    uint8_t what[KMC_PENDING_BYTES]; /* the question, without its head's numbers */
    uint32_t what_len;
    struct wire_resolve_rsp rsp;
};

/* A question that was answered, as it was asked. */
struct kmc_asked {
    uint64_t ksa_id; /* the KSA's message ID */
    uint8_t bytes[KMC_PENDING_BYTES];
    uint32_t len;
};

struct kmc {
    const struct km_config *config;
    struct qkd_eid self, kma, ksa;
    struct qkd_eid controller; /* whom it follows */
    uint64_t term;             /* with a standby: of whom it follows; 0: it heard of none */
    struct qkd_time heard;     /* with a standby: the last word of whom it follows */
    struct chan_set *set;
    uint64_t next_message_id;
    struct kmc_link *links;
    uint32_t link_count, link_cap;
    struct qkd_time tick_at;  /* ageing, every status period */
    struct qkd_time push_at;  /* next periodic status to the controller */
    struct qkd_timers timers; /* tag: slot of pending, or KMC_TIMER_RESERVE | slot of reserves */
    struct chan_reports reports;
    struct qkd_map link_map;     /* u32 link -> index */
    struct qkd_span push_period; /* 0: none */
    bool commanded;              /* the controller has sent a STATUS */
    uint32_t push_table;         /* enum wire_status_item */
    uint64_t last_command_id;    /* newest STATUS of the controller obeyed */
    uint64_t last_kma_status_id;
    uint64_t last_table_id;         /* newest ROUTE_TABLE passed on: older ones say what is past */
    struct qkd_time controller_due; /* CONTROLLER_LOST from here on while Ck is not up */
    struct qkd_time manager_heard;  /* last REPORT_ACK, or last time that none was due */
    struct qkd_slab pending;
    struct qkd_map by_kma_id, by_own_id; /* u64 -> slot */
    struct qkd_slab reserves;
    struct qkd_map by_session; /* u64 session ID -> slot of reserves */
    struct kmc_map map;        /* mode distributed */
    struct kmc_serves serves;
    struct kmc_known *known; /* ring of at most KMC_KNOWN */
    uint32_t known_count, known_cap, known_next;
    bool started;
    uint32_t ksa_incarnation;
    struct qkd_rng rng;
};

/* kmc.c */

/* Head of a message of this KMC with the next message ID; orig: Message ID answered, or 0. */
struct wire_head kmc_head(struct kmc *kmc, enum qkd_rp rp, uint64_t orig);
void kmc_bad_bytes(const struct kmc *kmc, const struct chan_message *m, int err,
                   struct qkd_out *out);

/* kmc_term.c */

/* START: whom it followed before. */
void kmc_term_start(struct kmc *kmc, const struct qkd_event *event);
/* Whether a message of a controller is to be obeyed. */
bool kmc_term_admits(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                     uint8_t command, struct qkd_out *out);
/* Every status period: what controllers are told of it. */
void kmc_term_tick(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);

/* kmc_status.c */

int kmc_link_configure(struct kmc *kmc, const struct qkd_event *event);
struct kmc_link *kmc_link_find(const struct kmc *kmc, uint32_t link);
/* STATUS_RSP of the KMA (KMI) or of a module (Kq-2). */
void kmc_status_from_kma(struct kmc *kmc, const struct qkd_event *event,
                         const struct chan_message *m, struct qkd_out *out);
void kmc_status_from_module(struct kmc *kmc, const struct qkd_event *event,
                            const struct chan_message *m, struct qkd_out *out);
/* STATUS of the controller (Ck). */
void kmc_status_command(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);
/* The periodic push when it is due, and the ageing of modules, controller and manager. */
void kmc_status_timeout(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);

/* All of the state, to the controller, now. */
void kmc_status_now(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);

/* kmc_reach.c */

void kmc_reach_fini(struct kmc *kmc);
int kmc_reach_configure(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);
/* KSA_ADDRESS and RESOLVE of the KSA (KMI). */
void kmc_reach_ksa_address(struct kmc *kmc, const struct qkd_event *event,
                           const struct chan_message *m, struct qkd_out *out);
void kmc_reach_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);
/* RESOLVE_RSP (Ck). */
void kmc_reach_answer(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out);
/* Nobody answers: what the map knows, or that nobody can be asked. */
void kmc_reach_refuse(struct kmc *kmc, const struct qkd_event *event,
                      const struct wire_resolve *question, uint64_t id, struct qkd_out *out);
/* Whether the controller has answered this once. */
bool kmc_reach_is_known(const struct kmc *kmc, const struct wire_resolve *question);
/* Records of what is served. */
struct wire_bytes kmc_reach_networks(const struct kmc *kmc);
struct wire_bytes kmc_reach_ksa(const struct kmc *kmc);

/* kmc_reserve.c */

void kmc_reserve_init(struct kmc *kmc, const uint8_t *salt);
void kmc_reserve_fini(struct kmc *kmc);
/* RESERVE and RELEASE of the KSA (KMI). */
void kmc_reserve_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                          const struct chan_message *m, struct qkd_out *out);
void kmc_release_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                          const struct chan_message *m, struct qkd_out *out);
/* Their answers (Ck). */
void kmc_reserve_answer(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);
void kmc_release_answer(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);
/* The KSA is there, perhaps anew: what it reserved before its restart is released. */
void kmc_reserve_ksa_up(struct kmc *kmc, const struct qkd_event *event, uint32_t incarnation,
                        struct qkd_out *out);
/* The controller is there, perhaps anew: it is told at once what is held. */
void kmc_reserve_controller_up(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);
void kmc_reserve_timeout(struct kmc *kmc, const struct qkd_event *event, uint32_t slot,
                         struct qkd_out *out);

/* kmc_pending.c */

void kmc_pending_init(struct kmc *kmc, const uint8_t *salt);
void kmc_pending_fini(struct kmc *kmc);
void kmc_route_from_kma(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);
void kmc_route_answer(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out);
/* Routes that the controller tells unasked: passed on, and acknowledged. */
void kmc_route_table(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                     struct qkd_out *out);
/* A question of the KSA for the controller; false: there is no room for it. */
bool kmc_question_resolve(struct kmc *kmc, const struct qkd_event *event,
                          const struct wire_resolve *question, struct qkd_out *out);
/* It is answered: true, and what was asked. */
bool kmc_question_resolved(struct kmc *kmc, uint64_t own_id, struct kmc_asked *asked);
/* STOCK of the KSA, and the controller's answer to it. */
void kmc_stock_from_ksa(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out);
void kmc_stock_answer(struct kmc *kmc, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out);
/* Asks the controller for what it can only refuse: any answer shows that it is there. */
void kmc_route_probe(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);
/* Questions under way are asked of another controller. */
void kmc_pending_move(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);
void kmc_generation_from_kma(struct kmc *kmc, const struct qkd_event *event,
                             const struct chan_message *m, struct qkd_out *out);
void kmc_generation_answer(struct kmc *kmc, const struct qkd_event *event,
                           const struct chan_message *m, struct qkd_out *out);
void kmc_pending_timeout(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out);

#endif
