/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calendar: two heaps under one order. */
#include "sim/calendar.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/base/err.h"

enum { ARITY = 4, FIRST_CAP = 64 };

#define NOWHERE UINT32_MAX

void sim_calendar_fini(struct sim_calendar *calendar)
{
    free(calendar->items);
    free(calendar->wakes);
    free(calendar->units);
    *calendar = (struct sim_calendar){0};
}

/* ---- posted items ---- */

static bool item_before(const struct sim_calendar_item *a, const struct sim_calendar_item *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static int item_push(struct sim_calendar *calendar, struct sim_calendar_item item)
{
    if (calendar->item_count == calendar->item_cap) {
        size_t cap = calendar->item_cap == 0 ? FIRST_CAP : 2 * calendar->item_cap;
        struct sim_calendar_item *items = realloc(calendar->items, cap * sizeof(*items));
        if (items == NULL) {
            return QKD_ERR_NOMEM;
        }
        calendar->items = items;
        calendar->item_cap = cap;
    }
    struct sim_calendar_item *items = calendar->items;
    size_t at = calendar->item_count++;
    while (at > 0) {
        size_t up = (at - 1) / ARITY;
        if (!item_before(&item, &items[up])) {
            break;
        }
        items[at] = items[up];
        at = up;
    }
    items[at] = item;
    return 0;
}

static struct sim_calendar_item item_pop(struct sim_calendar *calendar)
{
    struct sim_calendar_item *items = calendar->items;
    struct sim_calendar_item top = items[0];
    size_t count = --calendar->item_count;
    struct sim_calendar_item last = items[count];
    size_t at = 0;
    for (;;) {
        size_t child = at * ARITY + 1;
        if (child >= count) {
            break;
        }
        size_t end = child + ARITY < count ? child + ARITY : count;
        size_t least = child;
        for (size_t i = child + 1; i < end; i++) {
            if (item_before(&items[i], &items[least])) {
                least = i;
            }
        }
        if (!item_before(&items[least], &last)) {
            break;
        }
        items[at] = items[least];
        at = least;
    }
    items[at] = last;
    return top;
}

int sim_calendar_packet(struct sim_calendar *calendar, int64_t at_ns, void *packet)
{
    struct sim_calendar_item item = {.at_ns = at_ns, .order = calendar->order++ * 2};
    item.u.packet = packet;
    return item_push(calendar, item);
}

int sim_calendar_timer(struct sim_calendar *calendar, int64_t at_ns, uint64_t tag)
{
    struct sim_calendar_item item = {.at_ns = at_ns, .order = calendar->order++ * 2 + 1};
    item.u.tag = tag;
    return item_push(calendar, item);
}

/* ---- deadlines ---- */

static bool wake_before(const struct sim_calendar_wake *a, const struct sim_calendar_wake *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void wake_place(struct sim_calendar *calendar, uint32_t at, struct sim_calendar_wake wake)
{
    calendar->wakes[at] = wake;
    calendar->units[wake.unit].where = at;
}

static void wake_up(struct sim_calendar *calendar, uint32_t at, struct sim_calendar_wake wake)
{
    while (at > 0) {
        uint32_t up = (at - 1) / 2;
        if (!wake_before(&wake, &calendar->wakes[up])) {
            break;
        }
        wake_place(calendar, at, calendar->wakes[up]);
        at = up;
    }
    wake_place(calendar, at, wake);
}

static void wake_down(struct sim_calendar *calendar, uint32_t at, struct sim_calendar_wake wake)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= calendar->wake_count) {
            break;
        }
        if (child + 1 < calendar->wake_count &&
            wake_before(&calendar->wakes[child + 1], &calendar->wakes[child])) {
            child++;
        }
        if (!wake_before(&calendar->wakes[child], &wake)) {
            break;
        }
        wake_place(calendar, at, calendar->wakes[child]);
        at = child;
    }
    wake_place(calendar, at, wake);
}

static void wake_drop_first(struct sim_calendar *calendar)
{
    calendar->units[calendar->wakes[0].unit].where = NOWHERE;
    calendar->wake_count--;
    if (calendar->wake_count > 0) {
        wake_down(calendar, 0, calendar->wakes[calendar->wake_count]);
    }
}

uint32_t sim_calendar_unit_add(struct sim_calendar *calendar, uint32_t label)
{
    if (calendar->unit_count == calendar->unit_cap) {
        uint32_t cap = calendar->unit_cap == 0 ? 4 : 2 * calendar->unit_cap;
        struct sim_calendar_unit *units = realloc(calendar->units, cap * sizeof(*units));
        if (units == NULL) {
            return NOWHERE;
        }
        calendar->units = units;
        struct sim_calendar_wake *wakes = realloc(calendar->wakes, cap * sizeof(*wakes));
        if (wakes == NULL) {
            return NOWHERE;
        }
        calendar->wakes = wakes;
        calendar->unit_cap = cap;
    }
    calendar->units[calendar->unit_count] =
        (struct sim_calendar_unit){.deadline_ns = INT64_MAX, .where = NOWHERE, .label = label};
    return calendar->unit_count++;
}

void sim_calendar_deadline(struct sim_calendar *calendar, uint32_t unit, int64_t at_ns)
{
    struct sim_calendar_unit *u = &calendar->units[unit];
    u->deadline_ns = at_ns;
    if (at_ns == INT64_MAX) {
        return;
    }
    if (u->where == NOWHERE) {
        struct sim_calendar_wake wake = {at_ns, calendar->order++, unit};
        wake_up(calendar, calendar->wake_count++, wake);
    } else if (at_ns < calendar->wakes[u->where].at_ns) {
        struct sim_calendar_wake wake = {at_ns, calendar->order++, unit};
        wake_up(calendar, u->where, wake);
    }
}

/* Brings the first wake to its true time. */
static void wake_settle(struct sim_calendar *calendar)
{
    while (calendar->wake_count > 0) {
        struct sim_calendar_wake *first = &calendar->wakes[0];
        int64_t deadline_ns = calendar->units[first->unit].deadline_ns;
        if (deadline_ns == first->at_ns) {
            return;
        }
        if (deadline_ns == INT64_MAX) {
            wake_drop_first(calendar);
        } else {
            struct sim_calendar_wake wake = {deadline_ns, calendar->order++, first->unit};
            wake_down(calendar, 0, wake);
        }
    }
}

/* ---- both ---- */

static bool wake_is_first(const struct sim_calendar *calendar)
{
    if (calendar->wake_count == 0 || calendar->item_count == 0) {
        return calendar->wake_count > 0;
    }
    const struct sim_calendar_wake *wake = &calendar->wakes[0];
    const struct sim_calendar_item *item = &calendar->items[0];
    return wake->at_ns < item->at_ns ||
           (wake->at_ns == item->at_ns && wake->order < item->order / 2);
}

int64_t sim_calendar_next(struct sim_calendar *calendar)
{
    wake_settle(calendar);
    int64_t next_ns = calendar->item_count > 0 ? calendar->items[0].at_ns : INT64_MAX;
    if (calendar->wake_count > 0 && calendar->wakes[0].at_ns < next_ns) {
        next_ns = calendar->wakes[0].at_ns;
    }
    return next_ns;
}

struct sim_due sim_calendar_pop(struct sim_calendar *calendar)
{
    wake_settle(calendar);
    struct sim_due due = {0};
    if (wake_is_first(calendar)) {
        due.kind = SIM_DUE_WAKE;
        due.at_ns = calendar->wakes[0].at_ns;
        struct sim_calendar_unit *unit = &calendar->units[calendar->wakes[0].unit];
        due.u.unit = unit->label;
        unit->deadline_ns = INT64_MAX;
        wake_drop_first(calendar);
        return due;
    }
    struct sim_calendar_item item = item_pop(calendar);
    due.at_ns = item.at_ns;
    if (item.order % 2 == 1) {
        due.kind = SIM_DUE_TIMER;
        due.u.tag = item.u.tag;
    } else {
        due.kind = SIM_DUE_PACKET;
        due.u.packet = item.u.packet;
    }
    return due;
}
