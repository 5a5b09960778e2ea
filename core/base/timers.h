/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Timers: an indexed binary heap of (deadline, sequence, tag). Equal deadlines fire in the order
 * they were set. A handle stays valid until the timer fires or is cancelled. */
#ifndef QKD_BASE_TIMERS_H
#define QKD_BASE_TIMERS_H

#include "core/base/time.h"

#define QKD_TIMER_NONE UINT32_MAX

struct qkd_timer {
    struct qkd_time at;
    uint64_t seq;
    uint64_t tag; /* what the owner wants back */
    uint32_t handle;
};

struct qkd_timers {
    struct qkd_timer *heap;
    uint32_t *where; /* handle -> heap index, or next free handle */
    uint32_t count, cap;
    uint32_t free_head;
    uint32_t limit;
    uint64_t next_seq;
    struct qkd_time first; /* that of heap[0], found without another load; void while count is 0 */
};

void qkd_timers_init(struct qkd_timers *timers, uint32_t limit);

/* Forgets all timers and frees the memory; may be used again. */
void qkd_timers_fini(struct qkd_timers *timers);

/* Sets a timer; its handle, or QKD_TIMER_NONE when the limit or memory is reached. */
uint32_t qkd_timers_set(struct qkd_timers *timers, struct qkd_time at, uint64_t tag);

/* Moves a pending timer. */
void qkd_timers_move(struct qkd_timers *timers, uint32_t handle, struct qkd_time at);

/* Cancels a pending timer and sets *handle to QKD_TIMER_NONE; does nothing if it is NONE. */
void qkd_timers_cancel(struct qkd_timers *timers, uint32_t *handle);

/* The earliest deadline, QKD_NEVER if there is none. */
static inline struct qkd_time qkd_timers_next(const struct qkd_timers *timers)
{
    return timers->count > 0 ? timers->first : QKD_NEVER;
}

/* Takes the earliest timer if it is due at `now`; false if none is. */
bool qkd_timers_pop(struct qkd_timers *timers, struct qkd_time now, uint64_t *tag);

#endif
