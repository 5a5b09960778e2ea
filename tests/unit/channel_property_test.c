/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/channel under a hostile network. Topology: two KMAs and the KSA of the first one's node; the
 * KMAs talk at Kx-1, KMA and KSA at KMI. The network loses, duplicates, reorders, flips, misplaces
 * and replays frames from a fixed seed; elements restart at random.
 *
 * Whatever happens: a delivered message was sent by that peer at that reference point to this
 * element, and is delivered at most once, restarts included (design rule 9). When the faults end,
 * every channel works again within a bounded number of retransmission intervals. */
#include <check.h>
#include <stdlib.h>

#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "tests/lib/chan_net.h"

enum { SEEN = 8192, TEXT = 40 };

struct property {
    uint64_t seed;
    uint64_t sent; /* messages handed over: number of the next */
    uint64_t delivered;
    uint64_t ups;
    bool seen[SEEN];               /* by message number */
    uint64_t newest[NET_ELEMENTS]; /* highest number delivered to each element */
};

/* Text of message `number`: number, sender, receiver, reference point, sender's incarnation. */
static void make_text(const struct net *net, uint8_t text[TEXT], uint64_t number, unsigned from,
                      const struct chan_send *send)
{
    memset(text, 0, TEXT);
    wire_put_u64(text, number);
    wire_put_u64(text + 8, net->element[from].eid.v);
    wire_put_u64(text + 16, send->peer.v);
    wire_put_u32(text + 24, (uint32_t)send->rp);
    wire_put_u32(text + 28, net->element[from].incarnation);
}

static int send_one(struct net *net, unsigned from, enum qkd_rp rp, unsigned to)
{
    struct property *property = net->user;
    uint8_t text[TEXT];
    struct chan_send send = {.rp = rp, .peer = net->element[to].eid, .message = text, .len = TEXT};
    make_text(net, text, property->sent, from, &send);
    property->sent++;
    return net_send(net, from, &send);
}

static void check_event(struct net *net, unsigned at, enum chan_event event,
                        const struct chan_message *message)
{
    struct property *property = net->user;
    if (event == CHAN_UP) {
        property->ups++;
        ck_assert_uint_eq(message->len, 0);
        return;
    }
    uint64_t number = wire_get_u64(message->bytes);
    ck_assert_uint_eq(message->len, TEXT);
    ck_assert_uint_lt(number, property->sent);
    ck_assert_uint_eq(wire_get_u64(message->bytes + 8), message->peer.v);
    ck_assert_uint_eq(wire_get_u64(message->bytes + 16), net->element[at].eid.v);
    ck_assert_uint_eq(wire_get_u32(message->bytes + 24), (uint32_t)message->rp);
    ck_assert_uint_eq(wire_get_u32(message->bytes + 28), message->peer_incarnation);
    ck_assert_msg(!property->seen[number], "message %llu delivered twice, seed %llu",
                  (unsigned long long)number, (unsigned long long)property->seed);
    property->seen[number] = true;
    property->delivered++;
    property->newest[at] = number > property->newest[at] ? number : property->newest[at];
}

static const struct {
    unsigned a, b;
    enum qkd_rp rp;
} pairs[2] = {{0, 1, QKD_RP_KX1}, {0, 2, QKD_RP_KMI}};

static void begin(struct net *net, struct property *property, uint64_t seed)
{
    *property = (struct property){.seed = seed};
    net_init(net, seed);
    net->user = property;
    net->on_event = check_event;
    net->element[0].eid = qkd_eid_make(QKD_ROLE_KMA, 0, 1 + (uint32_t)(seed % 2) * 7);
    net->element[1].eid = qkd_eid_make(QKD_ROLE_KMA, 0, 4);
    net->element[2].eid = qkd_eid_sibling(net->element[0].eid, QKD_ROLE_KSA);
    for (unsigned at = 0; at < NET_ELEMENTS; at++) {
        net_start(net, at);
    }
}

/* One random thing an element or the world does. */
static void act(struct net *net, unsigned restart_permille)
{
    unsigned pair = (unsigned)qkd_rng_below(&net->rng, 2);
    bool swap = qkd_rng_below(&net->rng, 2) == 0;
    unsigned from = swap ? pairs[pair].b : pairs[pair].a;
    unsigned to = swap ? pairs[pair].a : pairs[pair].b;
    if (qkd_rng_below(&net->rng, 1000) < restart_permille) {
        net_start(net, from);
    } else if (qkd_rng_below(&net->rng, 20) == 0) {
        net_open(net, from, pairs[pair].rp, net->element[to].eid);
    } else {
        send_one(net, from, pairs[pair].rp, to);
    }
    net_run(net, (int64_t)qkd_rng_below(&net->rng, 6 * QKD_NS_PER_MS));
}

/* With the faults over: sends one message each way on every channel per 10 ms (the retransmission
 * interval) until a fresh one has arrived; the number of rounds it took. */
static unsigned recover(struct net *net, unsigned from, enum qkd_rp rp, unsigned to)
{
    struct property *property = net->user;
    for (unsigned round = 1; round <= 60; round++) {
        uint64_t number = property->sent;
        send_one(net, from, rp, to);
        net_run(net, 10 * QKD_NS_PER_MS);
        if (property->seen[number]) {
            return round;
        }
    }
    return UINT32_MAX;
}

static void check_recovery(struct net *net, uint64_t seed)
{
    net->faults = (struct net_faults){0};
    net_run(net, 20 * QKD_NS_PER_MS); /* what is in flight lands */
    for (unsigned pair = 0; pair < 2; pair++) {
        unsigned a = pairs[pair].a;
        unsigned b = pairs[pair].b;
        /* A pending repetition may be 8 intervals away, then OPEN, ACCEPT and 7-2 fit in one. */
        unsigned there = recover(net, a, pairs[pair].rp, b);
        unsigned back = recover(net, b, pairs[pair].rp, a);
        ck_assert_msg(there <= 20 && back <= 20, "seed %llu pair %u: %u rounds there, %u back",
                      (unsigned long long)seed, pair, there, back);
        ck_assert(chan_is_up(net->element[a].set, pairs[pair].rp, net->element[b].eid));
        ck_assert(chan_is_up(net->element[b].set, pairs[pair].rp, net->element[a].eid));
    }
}

static struct net net;
static struct property property;

static void run_seed(uint64_t seed, const struct net_faults *faults, unsigned restart_permille)
{
    begin(&net, &property, seed);
    net.faults = *faults;
    for (unsigned i = 0; i < 150; i++) {
        act(&net, restart_permille);
    }
    check_recovery(&net, seed);
    net_fini(&net);
}

START_TEST(calm)
{
    static const struct net_faults none = {0};
    run_seed((uint64_t)_i, &none, 0);
    /* In a network without faults nothing is ever lost, refused or repeated. */
    ck_assert_uint_eq(property.delivered, property.sent);
}
END_TEST

START_TEST(lossy)
{
    static const struct net_faults faults = {.lose = 20,
                                             .duplicate = 15,
                                             .jitter_ns = 5 * QKD_NS_PER_MS};
    run_seed((uint64_t)_i + 100, &faults, 0);
    ck_assert_uint_gt(property.delivered, property.sent / 2);
}
END_TEST

START_TEST(hostile)
{
    static const struct net_faults faults = {.lose = 10,
                                             .duplicate = 15,
                                             .flip = 10,
                                             .misplace = 10,
                                             .replay = 30,
                                             .jitter_ns = 8 * QKD_NS_PER_MS};
    run_seed((uint64_t)_i + 200, &faults, 0);
    ck_assert_uint_gt(property.delivered, property.sent / 2);
}
END_TEST

START_TEST(restarts)
{
    static const struct net_faults faults = {.lose = 15,
                                             .duplicate = 15,
                                             .flip = 5,
                                             .misplace = 5,
                                             .replay = 30,
                                             .jitter_ns = 5 * QKD_NS_PER_MS};
    run_seed((uint64_t)_i + 300, &faults, 60);
    ck_assert_uint_gt(property.delivered, 20);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel_property");
    TCase *tests = tcase_create("property");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, calm, 0, 10);
    tcase_add_loop_test(tests, lossy, 0, 40);
    tcase_add_loop_test(tests, hostile, 0, 60);
    tcase_add_loop_test(tests, restarts, 0, 100);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
