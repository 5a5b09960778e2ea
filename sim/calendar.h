/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calendar: what is to happen when, in order of (time, sequence of asking). It holds posted items
 * in a 4-ary heap and at most one entry per unit for its deadline in an indexed heap. A deadline
 * that moves later stays where it is until it comes up: elements move theirs at nearly every step,
 * mostly later. */
#ifndef SIM_CALENDAR_H
#define SIM_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

enum sim_due_kind {
    SIM_DUE_PACKET, /* u.packet has come to its end */
    SIM_DUE_TIMER,  /* u.tag was posted */
    SIM_DUE_WAKE    /* u.unit's deadline, now unset */
};

struct sim_due {
    enum sim_due_kind kind;
    int64_t at_ns;
    union {
        void *packet;
        uint64_t tag;
        uint32_t unit; /* its label */
    } u;
};

struct sim_calendar_item {
    int64_t at_ns;
    uint64_t order; /* sequence number * 2 + (1 for timers) */
    union {
        void *packet;
        uint64_t tag;
    } u;
};

struct sim_calendar_wake {
    int64_t at_ns; /* not later than the unit's deadline */
    uint64_t order;
    uint32_t unit;
};

struct sim_calendar_unit {
    int64_t deadline_ns;
    uint32_t where; /* index in wakes, or UINT32_MAX */
    uint32_t label; /* the owner's number of it */
};

struct sim_calendar {
    struct sim_calendar_item *items;
    size_t item_count, item_cap;
    struct sim_calendar_wake *wakes;
    struct sim_calendar_unit *units;
    uint32_t wake_count, unit_count, unit_cap; /* wakes has room for unit_cap */
    uint64_t order;
};

/* Zero-initialise; fini frees. */
void sim_calendar_fini(struct sim_calendar *calendar);

/* Adds a unit without deadline: its number here, UINT32_MAX without memory. */
uint32_t sim_calendar_unit_add(struct sim_calendar *calendar, uint32_t label);
void sim_calendar_deadline(struct sim_calendar *calendar, uint32_t unit, int64_t at_ns);

/* 0 or QKD_ERR_NOMEM. */
int sim_calendar_packet(struct sim_calendar *calendar, int64_t at_ns, void *packet);
int sim_calendar_timer(struct sim_calendar *calendar, int64_t at_ns, uint64_t tag);

/* When the first thing is due; INT64_MAX if there is none. */
int64_t sim_calendar_next(struct sim_calendar *calendar);

/* Takes the first thing; there must be one (sim_calendar_next() said so). */
struct sim_due sim_calendar_pop(struct sim_calendar *calendar);

#endif
