/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A controller in a pump among puppets: KMCs that push the status of the links of a small test
 * network and ask for routes, and one more element, a manager or a module. One net per test program:
 * ctn_setup() and ctn_teardown() are its checked fixture. */
#ifndef QKD_TESTS_CTL_NET_H
#define QKD_TESTS_CTL_NET_H

#include <check.h>

#include "core/controller/controller.h"
#include "tests/lib/puppet.h"

enum { CTN_NODES_MAX = 8, CTN_PERIOD_MS = 1000, CTN_KEY_SIZE = 256 };

#define CTN_CONTROLLER ((struct qkd_eid){(uint64_t)QKD_ROLE_CONTROLLER << 56 | 90})
#define CTN_MANAGER ((struct qkd_eid){(uint64_t)QKD_ROLE_MANAGER << 56 | 91})
#define CTN_MBIT UINT64_C(1000000)
#define CTN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A link of the test network: the bits that each end owns, and whether it says that it is up. */
struct ctn_edge {
    uint32_t a, b; /* node numbers */
    uint64_t a_bits, b_bits;
    bool a_down, b_down;
};

/*      2          1-2, 2-4: 1 Mbit; 1-3, 3-4: 2 Mbit; 1-4: 0.5 Mbit (direct)
 *    / | \        2-3: 9 Mbit, from 3 to 2 only
 *   1--+--4       From 1 to 4: fewest hops is the direct link; widest is 1-3-4 (2 Mbit).
 *    \ | /        From 2 to 1: direct (1 Mbit). From 3 to 4 by widest: 3-4.
 *      3                                                                             */
enum { CTN_DIAMOND_LINKS = 6 };
extern const struct ctn_edge ctn_diamond[CTN_DIAMOND_LINKS];

struct ctn {
    struct pump *pump;
    struct ctl *ctl;
    struct puppet *kmc[CTN_NODES_MAX + 1]; /* by node number, from 1 */
    struct puppet *other;                  /* a manager or a module */
};
extern struct ctn ctn;

void ctn_setup(void);
void ctn_teardown(void);

struct qkd_eid ctn_kma(uint32_t node);

/* What a scenario says under `control`. */
struct ctn_control {
    enum ctl_routing routing;
    enum ctl_mode mode;
    bool keep_route;
    uint64_t low_mark_bits;
};

void ctn_make_as(struct ctn_control control);
void ctn_make(enum ctl_routing routing);

/* KMCs of the nodes 1 ... count, their channels up. */
void ctn_kmcs(uint32_t count);

/* KMC `node`, or every KMC, pushes the status of its ends of the edges; edge i is link i. */
void ctn_status(uint32_t node, const struct ctn_edge *edges, size_t count);
void ctn_status_all(const struct ctn_edge *edges, size_t count);

/* A ROUTE from the KMA at `from` to that at `to`; asks it of the controller. */
struct ctn_answer {
    unsigned code, reason, hops;
    uint32_t validity_ms;
    uint32_t nodes[CTN_NODES_MAX];
};
struct wire_route ctn_request(uint32_t from, uint32_t to, uint32_t amount);
struct ctn_answer ctn_ask(uint32_t from, uint32_t to, uint32_t amount);

/* The answer in a message, which must be the one to the request `orig`. */
struct ctn_answer ctn_decode(const struct puppet_message *m, uint64_t orig);

void ctn_expect_route(struct ctn_answer got, const uint32_t *nodes, unsigned hops);
void ctn_expect_failure(struct ctn_answer got, unsigned reason);
#define CTN_EXPECT_ROUTE(got, ...)                                                                 \
    ctn_expect_route((got), (const uint32_t[]){__VA_ARGS__},                                       \
                     sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t) - 1)

/* What `amount` relayed keys cost a hop. */
uint64_t ctn_relay_bits(uint32_t amount);

#endif
