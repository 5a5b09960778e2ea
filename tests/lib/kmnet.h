/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network of real elements in a pump: key managers, module agents, controller, manager and
 * application agents, joined by QKD links whose blocks the test delivers. Node 0 has the controller
 * and the manager. Link i joins ends[i]; application i has its master agent (instance 2 i) at
 * apps[i][0] and its slave (2 i + 1) at apps[i][1]. */
#ifndef QKD_TESTS_KMNET_H
#define QKD_TESTS_KMNET_H

#include "core/manager/manager.h"
#include "tests/lib/pump.h"

enum { KMN_NODES = 8, KMN_LINKS = 8, KMN_APPS = 4 };

struct kmn_config {
    uint32_t nodes, links, apps;
    uint32_t ends[KMN_LINKS][2];
    uint32_t app_ends[KMN_APPS][2];
    bool two;              /* KMA and KMC in one process, KSA in another */
    bool no_controller;    /* no relay: neighbours only */
    bool key_bits;         /* key files carry bits; else a seed */
    uint32_t block_bytes;  /* of a block of link 0; 0: 20000 */
    uint32_t store_bits;   /* per link and end; 0: 64 Mbit */
    uint32_t requests;     /* limit of each part; 0: 1024 */
    uint32_t block_step;   /* so many bytes more with each link */
    unsigned loss_percent; /* also of duplicates and reordering */
    struct qkd_span timer; /* of a KMA-key ID; 0: 10 min */
    uint8_t relay, paths;  /* enum wire_relay, of all applications; multipath: ways */
    /* Steps a key manager, or what stands between it and the pump; NULL: km_step(). */
    int (*step)(void *km, const struct qkd_event *event, struct qkd_out *out);
};

struct kmn {
    struct kmn_config config;
    struct pump *pump;
    struct mgr *manager;
    struct kmn_parts *parts;
    uint32_t blocks; /* delivered per link */
};

struct kmn *kmn_new(const struct kmn_config *config);
void kmn_free(struct kmn *net);

/* The configuration of a line of `nodes` nodes with one application from end to end. */
struct kmn_config kmn_line(uint32_t nodes);

void kmn_run(struct kmn *net, int64_t ms);

/* One block of key on every link; QKD-key IDs {link + 1, number, 0 ...}. */
void kmn_blocks(struct kmn *net);

/* Runs until everybody knows everybody, with `blocks` blocks on every link. */
void kmn_settle(struct kmn *net, uint32_t blocks);

/* Application `app` asks for `count` keys in one request. */
void kmn_ask(struct kmn *net, uint32_t app, uint32_t count);

/* All elements of the key manager of a node are lost and start again from what they persisted. */
void kmn_restart(struct kmn *net, uint32_t node);

/* Requests that ended so; others are named on standard error. */
size_t kmn_outcomes(const struct kmn *net, unsigned outcome);

struct qkd_eid kmn_kma(uint32_t node);
struct qkd_eid kmn_ksa(uint32_t node);
struct qkd_eid kmn_app(const struct kmn *net, uint32_t app, uint32_t end);
struct qkd_id kmn_block_id(uint32_t link, uint32_t number); /* number from 1 */

#endif
