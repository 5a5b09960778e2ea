/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages on their way: a note per message and request from its sending to its arrival or loss,
 * when its row goes to the sink. */
#include "watch/recorder.h"

#include <stdlib.h>

#include "core/wire/codec.h"
#include "watch/recorder_state.h"

enum { NOTE_LIMIT = 1 << 22, NOTE_CHUNK = 256 };

struct watch_recorder *watch_recorder_new(const struct scn_sink *sink)
{
    struct watch_recorder *recorder = calloc(1, sizeof(*recorder));
    if (recorder != NULL) {
        recorder->sink = sink;
        qkd_slab_init(&recorder->notes, sizeof(struct watch_note), NOTE_CHUNK, NOTE_LIMIT);
        qkd_map_init(&recorder->name_map, sizeof(struct qkd_id), WATCH_NAMES, NULL);
    }
    return recorder;
}

void watch_recorder_free(struct watch_recorder *recorder)
{
    if (recorder != NULL) {
        qkd_slab_fini(&recorder->notes);
        qkd_map_fini(&recorder->name_map);
        free(recorder->names);
        free(recorder);
    }
}

bool watch_recorder_failed(const struct watch_recorder *recorder)
{
    return recorder->failed;
}

static struct watch_note *note_at(const struct watch_recorder *recorder, uint32_t handle)
{
    return qkd_slab_at(&recorder->notes, handle - 1);
}

/* A note that follows `after` (0: none) in the chain of one message; its handle. */
static uint32_t note_take(struct watch_recorder *recorder, uint32_t after)
{
    uint32_t slot = qkd_slab_take(&recorder->notes);
    if (slot == QKD_SLAB_NONE) {
        recorder->failed = true;
        return after;
    }
    struct watch_note *note = note_at(recorder, slot + 1);
    note->copies = 1;
    note->next = after;
    note->row.arrived_ns = SCN_NO_TIME;
    return slot + 1;
}

static void emit(const struct watch_recorder *recorder, const struct watch_note *note,
                 const char *fate, int64_t arrived_ns)
{
    if (!note->silent) {
        struct scn_message row = note->row;
        row.fate = fate;
        row.arrived_ns = arrived_ns;
        recorder->sink->message(recorder->sink->ctx, &row);
    }
}

/* One copy of the message is settled. */
static void settle(struct watch_recorder *recorder, uint32_t handle, const char *fate,
                   int64_t arrived_ns)
{
    while (handle != 0) {
        struct watch_note *note = note_at(recorder, handle);
        uint32_t next = note->next;
        emit(recorder, note, fate, arrived_ns);
        note->arrived = note->arrived || arrived_ns != SCN_NO_TIME;
        if (--note->copies == 0) {
            qkd_slab_give(&recorder->notes, handle - 1);
        }
        handle = next;
    }
}

uint32_t watch_recorder_send(struct watch_recorder *recorder,
                             const struct watch_recorder_sight *sight)
{
    const struct qkd_send *send = sight->send;
    struct watch_reading reading = {.link = SCN_NO_INDEX, .sending = 1};
    watch_recorder_read(recorder, sight, &reading);
    if (reading.count == 0) {
        return 0;
    }
    recorder->number++;
    uint32_t handle = 0;
    for (uint32_t i = reading.count; i-- > 0;) {
        uint32_t taken = note_take(recorder, handle);
        if (taken == handle) {
            return handle;
        }
        handle = taken;
        note_at(recorder, handle)->row = (struct scn_message){
            .request = reading.requests[i],
            .number = recorder->number,
            .sent_ns = sight->now_ns,
            .from = send->from,
            .to = send->to,
            .point = qkd_rp_name(send->rp),
            .name = reading.name,
            .bytes = send->bytes.len > 0 ? send->bytes.len : send->observed.len,
            .link = reading.link,
            .hop = reading.hop,
            .attempt = reading.attempt,
            .sending = reading.sending,
            .shared = reading.count,
            .reason = wire_reason_text(reading.reason),
        };
    }
    if ((send->flags & QKD_SEND_DELIVERED) != 0) {
        settle(recorder, handle, "delivered", sight->now_ns);
        return 0;
    }
    return handle;
}

uint32_t watch_recorder_carry(struct watch_recorder *recorder, uint64_t cause)
{
    uint32_t handle = cause == 0 ? 0 : note_take(recorder, 0);
    if (handle != 0) {
        note_at(recorder, handle)->row.request = cause;
        note_at(recorder, handle)->silent = true;
    }
    return handle;
}

void watch_recorder_fate(struct watch_recorder *recorder, uint32_t handle, enum watch_fate fate)
{
    static const char *const texts[] = {[WATCH_FATE_QUEUE] = "queue_full",
                                        [WATCH_FATE_CHANCE] = "lost",
                                        [WATCH_FATE_FAULT] = "cut",
                                        [WATCH_FATE_ROUTE] = "no_path"};
    if (fate != WATCH_FATE_COPIED) {
        settle(recorder, handle, texts[fate], SCN_NO_TIME);
        return;
    }
    while (handle != 0) {
        struct watch_note *note = note_at(recorder, handle);
        note->copies++;
        handle = note->next;
    }
}

uint64_t watch_recorder_arrive(struct watch_recorder *recorder, uint32_t handle, int64_t now_ns,
                               bool present)
{
    if (handle == 0) {
        return 0;
    }
    const struct watch_note *note = note_at(recorder, handle);
    uint64_t request = note->next == 0 ? note->row.request : 0;
    const char *fate = !present ? "absent" : note->arrived ? "duplicate" : "delivered";
    settle(recorder, handle, fate, present ? now_ns : SCN_NO_TIME);
    return request;
}

void watch_recorder_finish(struct watch_recorder *recorder)
{
    for (uint32_t slot = 0; slot < recorder->notes.top; slot++) {
        if (qkd_slab_live(&recorder->notes, slot)) {
            const struct watch_note *note = note_at(recorder, slot + 1);
            for (uint32_t i = 0; i < note->copies; i++) {
                emit(recorder, note, "under_way", SCN_NO_TIME);
            }
        }
    }
}
