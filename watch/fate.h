/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a network did with a message that it did not simply deliver: engines tell, the recorder
 * writes it down. */
#ifndef WATCH_FATE_H
#define WATCH_FATE_H

enum watch_fate {
    WATCH_FATE_COPIED, /* there is one more of it */
    WATCH_FATE_QUEUE,  /* dropped: its channel is full */
    WATCH_FATE_CHANCE, /* lost */
    WATCH_FATE_FAULT,  /* dropped: a link or node is down, at departure or arrival */
    WATCH_FATE_ROUTE   /* dropped: no path */
};

#endif
