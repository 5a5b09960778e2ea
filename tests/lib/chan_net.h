/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A few channel sets joined by a network that can lose, duplicate, delay, flip, misdirect and replay
 * frames, all from one seed. For tests of core/channel. */
#ifndef QKD_TESTS_CHAN_NET_H
#define QKD_TESTS_CHAN_NET_H

#include "core/channel/channel.h"

#define NET_ELEMENTS 3
#define NET_FRAMES 1024 /* in flight */
#define NET_HISTORY 256 /* remembered for replay */
#define NET_FRAME_LEN 320

struct net_frame {
    int64_t due_ns; /* when it arrives; 0: free */
    uint64_t order;
    enum qkd_rp rp;
    struct qkd_eid from, to;
    size_t len;
    uint8_t bytes[NET_FRAME_LEN];
};

/* What happens to a frame, in percent of frames. */
struct net_faults {
    unsigned lose;
    unsigned duplicate;
    unsigned flip;     /* one bit, as an extra copy */
    unsigned misplace; /* an extra copy under another reference point or sender */
    unsigned replay;   /* an old frame arrives again */
    int64_t jitter_ns; /* delay is latency + [0, jitter) */
};

struct net_element {
    struct qkd_eid eid;
    struct chan_set *set;
    struct qkd_rng rng;
    uint32_t incarnation;
    bool provision; /* answers WANT_SECRET at once */
    uint64_t want_secret, peer_up, peer_down, auth_failures, bad_bytes; /* reports seen */
};

struct net {
    struct net_element element[NET_ELEMENTS];
    struct qkd_out out;
    struct qkd_rng rng;
    struct qkd_time now;
    int64_t latency_ns;
    struct net_faults faults;
    struct qkd_guard_config guard; /* of elements started from now on */
    uint32_t limit;                /* the same: channels */
    struct net_frame frame[NET_FRAMES];
    struct net_frame history[NET_HISTORY];
    uint64_t frames_sent; /* by elements */
    uint64_t next_order;
    /* called for CHAN_UP and CHAN_DATA; `at` is the element's index */
    void (*on_event)(struct net *net, unsigned at, enum chan_event event,
                     const struct chan_message *message);
    void *user;
};

/* Elements must then be given their eid and started. Retransmit interval: 10 ms, latency 1 ms. */
void net_init(struct net *net, uint64_t seed);
void net_fini(struct net *net);

/* (Re)starts element `at`: all it had is gone, its incarnation grows. */
void net_start(struct net *net, unsigned at);

/* The pairwise secret of two elements at a reference point. */
void net_secret(enum qkd_rp rp, struct qkd_eid a, struct qkd_eid b, uint8_t secret[32]);

/* chan_send(), chan_open(), chan_greet() and chan_provision() at element `at`, and what follows from them. */
int net_send(struct net *net, unsigned at, const struct chan_send *send);
int net_open(struct net *net, unsigned at, enum qkd_rp rp, struct qkd_eid peer);
void net_greet(struct net *net, unsigned at, enum qkd_rp rp, struct qkd_eid peer);
int net_provision(struct net *net, unsigned at, enum qkd_rp rp, struct qkd_eid peer);

/* Puts a frame on its way. */
void net_inject(struct net *net, const struct net_frame *frame, int64_t delay_ns);

/* Runs for `ns` of virtual time. */
void net_run(struct net *net, int64_t ns);

/* An event at the present time, for calls that do not go through the network. */
struct qkd_event net_event(const struct net *net);

#endif
