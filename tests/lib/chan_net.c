/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See chan_net.h. Frames arrive in the order of their time, then of their sending. */
#include "tests/lib/chan_net.h"

#include "core/base/err.h"

void net_init(struct net *net, uint64_t seed)
{
    memset(net, 0, sizeof *net);
    qkd_out_init(&net->out, 1 << 22);
    qkd_rng_init_named(&net->rng, seed, "net", 0);
    net->latency_ns = QKD_NS_PER_MS;
    net->now.ns = QKD_NS_PER_S;
    net->limit = 16;
    for (unsigned i = 0; i < NET_ELEMENTS; i++) {
        net->element[i].provision = true;
    }
}

void net_fini(struct net *net)
{
    for (unsigned i = 0; i < NET_ELEMENTS; i++) {
        chan_set_free(net->element[i].set);
    }
    qkd_out_fini(&net->out);
}

void net_start(struct net *net, unsigned at)
{
    struct net_element *element = &net->element[at];
    struct chan_config config = {.self = element->eid,
                                 .limit = net->limit,
                                 .retransmit = qkd_span_ms(10),
                                 .guard = net->guard};
    chan_set_free(element->set);
    QKD_ASSERT(chan_set_new(&config, &element->set) == QKD_OK);
    uint8_t seed[32];
    qkd_rng_bytes(&net->rng, seed, sizeof seed);
    qkd_rng_init(&element->rng, seed);
    chan_set_start(element->set, ++element->incarnation, &element->rng);
}

void net_secret(enum qkd_rp rp, struct qkd_eid a, struct qkd_eid b, uint8_t secret[32])
{
    uint64_t low = a.v < b.v ? a.v : b.v;
    uint64_t high = a.v < b.v ? b.v : a.v;
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, low, qkd_rp_name(rp), high);
    qkd_rng_bytes(&rng, secret, 32);
}

struct qkd_event net_event(const struct net *net)
{
    return (struct qkd_event){.type = QKD_EV_TIMEOUT, .now = net->now};
}

void net_inject(struct net *net, const struct net_frame *frame, int64_t delay_ns)
{
    for (unsigned i = 0; i < NET_FRAMES; i++) {
        if (net->frame[i].due_ns == 0) {
            net->frame[i] = *frame;
            net->frame[i].due_ns = net->now.ns + delay_ns;
            net->frame[i].order = ++net->next_order;
            return;
        }
    }
}

static bool happens(struct net *net, unsigned percent)
{
    return percent > 0 && qkd_rng_below(&net->rng, 100) < percent;
}

static int64_t delay(struct net *net)
{
    int64_t jitter = net->faults.jitter_ns;
    return net->latency_ns + (jitter > 0 ? (int64_t)qkd_rng_below(&net->rng, (uint64_t)jitter) : 0);
}

/* Sends one frame through the faults. */
static void transmit(struct net *net, const struct net_frame *frame)
{
    net->history[net->frames_sent++ % NET_HISTORY] = *frame;
    if (!happens(net, net->faults.lose)) {
        net_inject(net, frame, delay(net));
    }
    if (happens(net, net->faults.duplicate)) {
        net_inject(net, frame, delay(net));
    }
    if (happens(net, net->faults.flip)) {
        struct net_frame bad = *frame;
        uint64_t bit = qkd_rng_below(&net->rng, 8 * bad.len);
        bad.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        net_inject(net, &bad, delay(net));
    }
    if (happens(net, net->faults.misplace)) {
        struct net_frame bad = *frame;
        bad.rp = qkd_rng_below(&net->rng, 2) == 0 ? QKD_RP_KX1 : QKD_RP_KMI;
        bad.from = net->element[qkd_rng_below(&net->rng, NET_ELEMENTS)].eid;
        bad.to = net->element[qkd_rng_below(&net->rng, NET_ELEMENTS)].eid;
        net_inject(net, &bad, delay(net));
    }
    if (happens(net, net->faults.replay)) {
        uint64_t held = net->frames_sent < NET_HISTORY ? net->frames_sent : NET_HISTORY;
        net_inject(net, &net->history[qkd_rng_below(&net->rng, held)], delay(net));
    }
}

static void count_report(struct net_element *element, const struct qkd_report *report)
{
    element->want_secret += report->code == QKD_REPORT_WANT_SECRET;
    element->peer_up += report->code == QKD_REPORT_PEER_UP;
    element->peer_down += report->code == QKD_REPORT_PEER_DOWN;
    element->auth_failures += report->code == QKD_REPORT_AUTH_FAILURE;
    element->bad_bytes += report->code == QKD_REPORT_BAD_BYTES;
}

/* Executes what a call at element `at` has put into out. */
static void execute(struct net *net, unsigned at)
{
    struct net_element *element = &net->element[at];
    QKD_ASSERT(!net->out.failed);
    for (size_t i = 0; i < net->out.send_count; i++) {
        const struct qkd_send *send = &net->out.send[i];
        struct net_frame frame = {
            .rp = send->rp, .from = send->from, .to = send->to, .len = send->bytes.len};
        QKD_ASSERT(frame.len <= sizeof frame.bytes && qkd_eid_eq(send->from, element->eid));
        memcpy(frame.bytes, qkd_out_at(&net->out, send->bytes), frame.len);
        transmit(net, &frame);
    }
    struct qkd_report wants[8];
    unsigned want_count = 0;
    for (size_t i = 0; i < net->out.report_count; i++) {
        count_report(element, &net->out.report[i]);
        if (net->out.report[i].code == QKD_REPORT_WANT_SECRET && element->provision) {
            QKD_ASSERT(want_count < 8);
            wants[want_count++] = net->out.report[i];
        }
    }
    qkd_out_reset(&net->out);
    for (unsigned i = 0; i < want_count; i++) {
        QKD_ASSERT(net_provision(net, at, (enum qkd_rp)wants[i].a, wants[i].peer) == QKD_OK);
    }
}

int net_send(struct net *net, unsigned at, const struct chan_send *send)
{
    struct qkd_event event = net_event(net);
    int err = chan_send(net->element[at].set, &event, send, &net->out);
    execute(net, at);
    return err;
}

int net_open(struct net *net, unsigned at, enum qkd_rp rp, struct qkd_eid peer)
{
    struct qkd_event event = net_event(net);
    int err = chan_open(net->element[at].set, &event, rp, peer, &net->out);
    execute(net, at);
    return err;
}

void net_greet(struct net *net, unsigned at, enum qkd_rp rp, struct qkd_eid peer)
{
    struct qkd_event event = net_event(net);
    chan_greet(net->element[at].set, &event, rp, peer, &net->out);
    execute(net, at);
}

int net_provision(struct net *net, unsigned at, enum qkd_rp rp, struct qkd_eid peer)
{
    struct qkd_event event = net_event(net);
    uint8_t secret[32];
    net_secret(rp, net->element[at].eid, peer, secret);
    int err = chan_provision(net->element[at].set, &event, rp, peer, secret, &net->out);
    execute(net, at);
    return err;
}

static void deliver(struct net *net, struct net_frame *slot)
{
    struct net_frame frame = *slot;
    slot->due_ns = 0;
    for (unsigned at = 0; at < NET_ELEMENTS; at++) {
        struct net_element *element = &net->element[at];
        if (element->set == NULL || !qkd_eid_eq(element->eid, frame.to)) {
            continue;
        }
        struct qkd_event event = {.type = QKD_EV_RECV, .now = net->now};
        event.u.recv.rp = frame.rp;
        event.u.recv.from = frame.from;
        event.u.recv.to = frame.to;
        event.u.recv.bytes = frame.bytes;
        event.u.recv.len = frame.len;
        struct chan_message message;
        enum chan_event got = chan_receive(element->set, &event, &net->out, &message);
        if (got != CHAN_NONE && net->on_event != NULL) {
            net->on_event(net, at, got, &message);
        }
        execute(net, at);
        return;
    }
}

/* The next frame to arrive, or NULL. */
static struct net_frame *next_frame(struct net *net)
{
    struct net_frame *next = NULL;
    for (unsigned i = 0; i < NET_FRAMES; i++) {
        struct net_frame *f = &net->frame[i];
        if (f->due_ns != 0 && (next == NULL || f->due_ns < next->due_ns ||
                               (f->due_ns == next->due_ns && f->order < next->order))) {
            next = f;
        }
    }
    return next;
}

void net_run(struct net *net, int64_t ns)
{
    int64_t end = net->now.ns + ns;
    for (;;) {
        struct net_frame *frame = next_frame(net);
        int64_t due = frame != NULL ? frame->due_ns : INT64_MAX;
        unsigned timer = NET_ELEMENTS;
        for (unsigned at = 0; at < NET_ELEMENTS; at++) {
            struct net_element *element = &net->element[at];
            if (element->set != NULL && chan_deadline(element->set).ns < due) {
                due = chan_deadline(element->set).ns;
                timer = at;
            }
        }
        if (due > end) {
            net->now.ns = end;
            return;
        }
        net->now.ns = due > net->now.ns ? due : net->now.ns;
        if (timer < NET_ELEMENTS) {
            struct qkd_event event = net_event(net);
            chan_timeout(net->element[timer].set, &event, &net->out);
            execute(net, timer);
        } else if (frame != NULL) {
            deliver(net, frame);
        }
    }
}
