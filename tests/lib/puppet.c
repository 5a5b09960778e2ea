/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An element played by the test: see tests/lib/puppet.h. */
#include "tests/lib/puppet.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/channel/channel.h"

#define PUPPET_CHANNELS 256

/* Something the test wants sent: it leaves at the puppet's next TIMEOUT, which is at once. */
struct order {
    enum qkd_rp rp;
    struct qkd_eid peer;
    uint8_t *bytes; /* NULL: only open */
    size_t len;
};

struct puppet {
    struct qkd_eid self;
    struct chan_set *set;
    struct qkd_rng rng;
    uint64_t next_id;
    struct order *orders;
    size_t order_count;
    struct puppet_message *inbox;
    size_t inbox_count;
    uint8_t scratch[WIRE_MAX_MESSAGE];
};

static void *grow(void *at, size_t count, size_t size)
{
    void *to = realloc(at, count * size + 1);
    ck_assert_ptr_nonnull(to);
    return to;
}

static uint8_t *copy_bytes(const uint8_t *bytes, size_t len)
{
    uint8_t *to = grow(NULL, len, 1);
    memcpy(to, bytes, len);
    return to;
}

static void keep(struct puppet *u, const struct chan_message *m, struct qkd_time at)
{
    struct puppet_message kept = {.rp = m->rp, .peer = m->peer, .at = at};
    if (wire_head_decode(&kept.head, m->bytes, m->len) != 0) {
        return;
    }
    kept.bytes = (struct wire_bytes){copy_bytes(m->bytes, m->len), m->len};
    u->inbox = grow(u->inbox, u->inbox_count + 1, sizeof *u->inbox);
    u->inbox[u->inbox_count++] = kept;
}

static void orders_run(struct puppet *u, const struct qkd_event *event, struct qkd_out *out)
{
    for (size_t i = 0; i < u->order_count; i++) {
        struct order *o = &u->orders[i];
        if (o->bytes == NULL) {
            (void)chan_open(u->set, event, o->rp, o->peer, out);
            continue;
        }
        struct chan_send send = {.rp = o->rp, .peer = o->peer, .message = o->bytes, .len = o->len};
        (void)chan_send(u->set, event, &send, out);
        free(o->bytes);
    }
    u->order_count = 0;
}

static int puppet_step(void *self, const struct qkd_event *event, struct qkd_out *out)
{
    struct puppet *u = self;
    struct chan_message message;
    struct wire_cfg_peer peer;
    switch (event->type) {
    case QKD_EV_START:
        qkd_rng_init(&u->rng, event->u.start.seed);
        u->next_id = ((uint64_t)event->u.start.incarnation << 40) + 1;
        chan_set_start(u->set, event->u.start.incarnation, &u->rng);
        break;
    case QKD_EV_RECV:
        if (chan_receive(u->set, event, out, &message) == CHAN_DATA) {
            keep(u, &message, event->now);
        }
        break;
    case QKD_EV_TIMEOUT:
        orders_run(u, event, out);
        chan_timeout(u->set, event, out);
        break;
    case QKD_EV_CONFIG:
        if (wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len) == 0) {
            return chan_provision(u->set, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b,
                                  out);
        }
        break;
    case QKD_EV_PEER:
        break;
    }
    return 0;
}

static struct qkd_time puppet_deadline(const void *self)
{
    const struct puppet *u = self;
    return u->order_count > 0 ? (struct qkd_time){0} : chan_deadline(u->set);
}

struct puppet *puppet_new(struct pump *p, struct qkd_eid self)
{
    struct puppet *u = calloc(1, sizeof *u);
    ck_assert_ptr_nonnull(u);
    u->self = self;
    struct chan_config config = {.self = self,
                                 .limit = PUPPET_CHANNELS,
                                 .retransmit = qkd_span_ms(200)};
    ck_assert_int_eq(chan_set_new(&config, &u->set), 0);
    pump_add(p, self,
             (struct pump_element){.self = u, .step = puppet_step, .deadline = puppet_deadline});
    pump_start(p, self);
    return u;
}

void puppet_free(struct puppet *u)
{
    if (u == NULL) {
        return;
    }
    for (size_t i = 0; i < u->order_count; i++) {
        free(u->orders[i].bytes);
    }
    puppet_forget(u);
    free(u->orders);
    free(u->inbox);
    chan_set_free(u->set);
    qkd_rng_fini(&u->rng);
    free(u);
}

uint64_t puppet_id(struct puppet *u)
{
    return u->next_id++;
}

uint8_t *puppet_scratch(struct puppet *u)
{
    return u->scratch;
}

struct qkd_eid puppet_self(const struct puppet *u)
{
    return u->self;
}

static void order_add(struct puppet *u, struct order order)
{
    u->orders = grow(u->orders, u->order_count + 1, sizeof *u->orders);
    u->orders[u->order_count++] = order;
}

void puppet_open(struct puppet *u, enum qkd_rp rp, struct qkd_eid peer)
{
    order_add(u, (struct order){.rp = rp, .peer = peer});
}

void puppet_send(struct puppet *u, enum qkd_rp rp, struct qkd_eid peer, struct wire_bytes message)
{
    order_add(u, (struct order){.rp = rp,
                                .peer = peer,
                                .bytes = copy_bytes(message.at, message.len),
                                .len = message.len});
}

size_t puppet_count(const struct puppet *u, uint8_t command)
{
    size_t count = 0;
    for (size_t i = 0; i < u->inbox_count; i++) {
        count += command == 0 || u->inbox[i].head.command == command ? 1U : 0U;
    }
    return count;
}

const struct puppet_message *puppet_get(const struct puppet *u, uint8_t command, size_t n)
{
    for (size_t i = 0; i < u->inbox_count; i++) {
        if ((command == 0 || u->inbox[i].head.command == command) && n-- == 0) {
            return &u->inbox[i];
        }
    }
    return NULL;
}

void puppet_forget(struct puppet *u)
{
    for (size_t i = 0; i < u->inbox_count; i++) {
        free((void *)u->inbox[i].bytes.at);
    }
    u->inbox_count = 0;
}

bool puppet_is_up(const struct puppet *u, enum qkd_rp rp, struct qkd_eid peer)
{
    return chan_is_up(u->set, rp, peer);
}
