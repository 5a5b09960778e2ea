/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The usual case of the channel's tests: KMA 0, KMA 1 and an outsider (a KSA) in a chan_net, and what
 * they have received. One net per test program: chc_setup() and chc_teardown() are its checked
 * fixture. */
#ifndef QKD_TESTS_CHAN_CASE_H
#define QKD_TESTS_CHAN_CASE_H

#include "tests/lib/chan_net.h"

extern struct net chc_net;

/* What the elements have received. */
struct chc_got {
    unsigned ups[NET_ELEMENTS];
    unsigned data[NET_ELEMENTS];
    uint32_t incarnation[NET_ELEMENTS]; /* of the peer, in the last event */
    size_t len;
    uint8_t text[NET_FRAME_LEN]; /* last message */
};
extern struct chc_got chc_got;

void chc_setup(void);
void chc_teardown(void);

/* Sends at Kx-1; a channel that is not up is opened first. Returns what chan_send() does. */
int chc_send_text(unsigned from, unsigned to, const char *text);

/* Opens the channel between the KMAs, six frames. */
void chc_bring_up(void);

const struct chan_stats *chc_stats(unsigned at);

/* Frame `index` in the order of sending. */
const struct net_frame *chc_frame(unsigned index);

#endif
