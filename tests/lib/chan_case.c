/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two KMAs and an outsider: see tests/lib/chan_case.h. */
#include "tests/lib/chan_case.h"

#include <check.h>
#include <string.h>

struct net chc_net;
struct chc_got chc_got;

static void record_event(struct net *n, unsigned at, enum chan_event event,
                         const struct chan_message *message)
{
    ck_assert_ptr_eq(n, &chc_net);
    chc_got.ups[at] += event == CHAN_UP;
    chc_got.data[at] += event == CHAN_DATA;
    chc_got.incarnation[at] = message->peer_incarnation;
    chc_got.len = message->len;
    if (message->len > 0) {
        memcpy(chc_got.text, message->bytes, message->len);
    }
}

void chc_setup(void)
{
    memset(&chc_got, 0, sizeof chc_got);
    net_init(&chc_net, 1);
    chc_net.on_event = record_event;
    chc_net.element[0].eid = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    chc_net.element[1].eid = qkd_eid_make(QKD_ROLE_KMA, 0, 2);
    chc_net.element[2].eid = qkd_eid_make(QKD_ROLE_KSA, 0, 3);
    for (unsigned at = 0; at < NET_ELEMENTS; at++) {
        net_start(&chc_net, at);
    }
}

void chc_teardown(void)
{
    net_fini(&chc_net);
}

int chc_send_text(unsigned from, unsigned to, const char *text)
{
    struct chan_send send = {.rp = QKD_RP_KX1,
                             .peer = chc_net.element[to].eid,
                             .message = (const uint8_t *)text,
                             .len = strlen(text)};
    return net_send(&chc_net, from, &send);
}

void chc_bring_up(void)
{
    ck_assert_int_eq(net_provision(&chc_net, 1, QKD_RP_KX1, chc_net.element[0].eid), 0);
    ck_assert_int_eq(net_open(&chc_net, 0, QKD_RP_KX1, chc_net.element[1].eid), 0);
    net_run(&chc_net, 40 * QKD_NS_PER_MS);
    ck_assert(chan_is_up(chc_net.element[0].set, QKD_RP_KX1, chc_net.element[1].eid));
    ck_assert(chan_is_up(chc_net.element[1].set, QKD_RP_KX1, chc_net.element[0].eid));
}

const struct chan_stats *chc_stats(unsigned at)
{
    return chan_stats(chc_net.element[at].set);
}

const struct net_frame *chc_frame(unsigned index)
{
    ck_assert_uint_lt(index, chc_net.frames_sent);
    return &chc_net.history[index];
}
