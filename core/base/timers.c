/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Indexed binary heap ordered by (deadline, sequence): set, move and cancel in O(log n). */
#include "core/base/timers.h"

#include <stdlib.h>

#include "core/base/err.h"

enum { CAP_FIRST = 4 }; /* most elements have few, and they are many */

void qkd_timers_init(struct qkd_timers *timers, uint32_t limit)
{
    *timers = (struct qkd_timers){.free_head = QKD_TIMER_NONE, .limit = limit};
}

void qkd_timers_fini(struct qkd_timers *timers)
{
    free(timers->heap);
    free(timers->where);
    qkd_timers_init(timers, timers->limit);
}

static bool earlier(const struct qkd_timer *a, const struct qkd_timer *b)
{
    return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->seq < b->seq;
}

static void put_at(struct qkd_timers *timers, uint32_t index, struct qkd_timer timer)
{
    timers->heap[index] = timer;
    timers->where[timer.handle] = index;
    if (index == 0) {
        timers->first = timer.at;
    }
}

static void sift_up(struct qkd_timers *timers, uint32_t index)
{
    struct qkd_timer timer = timers->heap[index];
    while (index > 0 && earlier(&timer, &timers->heap[(index - 1) / 2])) {
        put_at(timers, index, timers->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put_at(timers, index, timer);
}

static void sift_down(struct qkd_timers *timers, uint32_t index)
{
    struct qkd_timer timer = timers->heap[index];
    for (uint32_t child = 2 * index + 1; child < timers->count; child = 2 * index + 1) {
        if (child + 1 < timers->count && earlier(&timers->heap[child + 1], &timers->heap[child])) {
            child++;
        }
        if (!earlier(&timers->heap[child], &timer)) {
            break;
        }
        put_at(timers, index, timers->heap[child]);
        index = child;
    }
    put_at(timers, index, timer);
}

/* Doubles the room and chains the new handles, lowest first. */
static bool grow(struct qkd_timers *timers)
{
    uint32_t cap = timers->cap > 0 ? timers->cap : CAP_FIRST / 2;
    cap = cap > timers->limit / 2 ? timers->limit : cap * 2;
    if (cap <= timers->cap) {
        return false;
    }
    struct qkd_timer *heap = realloc(timers->heap, (size_t)cap * sizeof *heap);
    if (heap == NULL) {
        return false;
    }
    timers->heap = heap;
    uint32_t *where = realloc(timers->where, (size_t)cap * sizeof *where);
    if (where == NULL) {
        return false;
    }
    timers->where = where;
    for (uint32_t handle = cap; handle-- > timers->cap;) {
        where[handle] = timers->free_head;
        timers->free_head = handle;
    }
    timers->cap = cap;
    return true;
}

uint32_t qkd_timers_set(struct qkd_timers *timers, struct qkd_time at, uint64_t tag)
{
    if (timers->free_head == QKD_TIMER_NONE && !grow(timers)) {
        return QKD_TIMER_NONE;
    }
    uint32_t handle = timers->free_head;
    timers->free_head = timers->where[handle];
    timers->heap[timers->count] = (struct qkd_timer){at, timers->next_seq++, tag, handle};
    sift_up(timers, timers->count++);
    return handle;
}

/* The heap index of a pending timer. */
static uint32_t index_of(const struct qkd_timers *timers, uint32_t handle)
{
    QKD_ASSERT(handle < timers->cap);
    uint32_t index = timers->where[handle];
    QKD_ASSERT(index < timers->count && timers->heap[index].handle == handle);
    return index;
}

void qkd_timers_move(struct qkd_timers *timers, uint32_t handle, struct qkd_time at)
{
    uint32_t index = index_of(timers, handle);
    timers->heap[index].at = at;
    timers->heap[index].seq = timers->next_seq++;
    sift_up(timers, index);
    sift_down(timers, timers->where[handle]);
}

static void remove_at(struct qkd_timers *timers, uint32_t index)
{
    uint32_t handle = timers->heap[index].handle;
    timers->where[handle] = timers->free_head;
    timers->free_head = handle;
    timers->count--;
    if (index < timers->count) {
        uint32_t moved = timers->heap[timers->count].handle;
        put_at(timers, index, timers->heap[timers->count]);
        sift_up(timers, index);
        sift_down(timers, timers->where[moved]);
    }
}

void qkd_timers_cancel(struct qkd_timers *timers, uint32_t *handle)
{
    if (*handle != QKD_TIMER_NONE) {
        remove_at(timers, index_of(timers, *handle));
        *handle = QKD_TIMER_NONE;
    }
}

bool qkd_timers_pop(struct qkd_timers *timers, struct qkd_time now, uint64_t *tag)
{
    if (qkd_time_before(now, qkd_timers_next(timers))) {
        return false;
    }
    *tag = timers->heap[0].tag;
    remove_at(timers, 0);
    return true;
}
