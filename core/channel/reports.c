/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sender of FCAPS and life-cycle reports: see channel/reports.h. A batch is an encoded report whose
 * length, number, message ID and blob length are patched when it leaves; nothing is encoded twice,
 * neither for repetition nor when a KMC passes it on. */
#include "core/channel/reports.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/mutant.h"

/* Where the fields of a report lie (wire_head, bitmap, then WIRE_REPORT_FIELDS). */
enum {
    AT_RP = 1,
    AT_COMMAND = 2,
    AT_LENGTH = 4,
    AT_MESSAGE_ID = 8,
    AT_ORIG_ID = 16,
    AT_SENDER = 24,
    AT_BITMAP = 32,
    AT_SEQ = 36,
    AT_AFTER = 44,
    AT_SOURCE = 52,
    AT_RECORDS_LEN = 60,
    REPORT_HEAD_LEN = 64
};

#define KEPT_STAMP_LEN 8   /* before each kept report: when to send it (again), ns */
#define REPEAT_BYTES 65536 /* repeated at once; the rest follows after REPEAT_PAUSE_MS */
#define REPEAT_PAUSE_MS 50
#define BATCH_FIRST_BYTES 256
#define FLUSH_MIN_BYTES 1024
#define FAULT_LIMIT_DEFAULT 4096
#define INCARNATION_SHIFT 40 /* of message IDs */

static bool is_dropping(const struct chan_reports *r)
{
    return r->config.to.v == 0 || r->set == NULL;
}

/* Grows *bytes to hold need <= limit; doubles from `first`. */
static bool buffer_grow(uint8_t **bytes, uint32_t *cap, uint32_t need, uint32_t limit)
{
    if (need <= *cap) {
        return true;
    }
    if (need > limit) {
        return false;
    }
    uint32_t to = *cap == 0 ? BATCH_FIRST_BYTES : *cap;
    while (to < need) {
        to *= 2;
    }
    to = to < limit ? to : limit;
    uint8_t *grown = realloc(*bytes, to);
    if (grown == NULL) {
        return false;
    }
    *bytes = grown;
    *cap = to;
    return true;
}

int chan_reports_init(struct chan_reports *r, const struct chan_reports_config *config)
{
    *r = (struct chan_reports){0};
    uint32_t flush = config->flush_bytes == 0 ? CHAN_REPORT_FLUSH_BYTES : config->flush_bytes;
    if (flush < FLUSH_MIN_BYTES || flush > WIRE_MAX_MESSAGE || config->period.ns <= 0 ||
        config->keep_bytes > UINT32_MAX / 4) {
        return QKD_ERR_INVALID;
    }
    r->config = *config;
    r->config.flush_bytes = flush;
    if (r->config.fault_limit == 0) {
        r->config.fault_limit = FAULT_LIMIT_DEFAULT;
    }
    r->next_seq = 1;
    r->flush_at = QKD_NEVER;
    r->repeat_at = QKD_NEVER;
    return 0;
}

void chan_reports_fini(struct chan_reports *r)
{
    for (unsigned kind = 0; kind < CHAN_REPORT_KINDS; kind++) {
        free(r->batch[kind].bytes);
    }
    free(r->standing);
    free(r->kept);
    *r = (struct chan_reports){0};
}

void chan_reports_start(struct chan_reports *r, struct chan_set *set, uint64_t *next_message_id)
{
    r->set = set;
    r->next_message_id = next_message_id;
    r->restarted = *next_message_id >> INCARNATION_SHIFT > 1;
    if (r->restarted && !is_dropping(r)) {
        r->flush_at = (struct qkd_time){0};
    }
}

/* ---- kept reports ---- */

static uint32_t kept_entry_len(const struct chan_reports *r, uint32_t at)
{
    return KEPT_STAMP_LEN + wire_get_u32(r->kept + at + KEPT_STAMP_LEN + AT_LENGTH);
}

static struct qkd_time kept_due(const struct chan_reports *r, uint32_t at)
{
    return (struct qkd_time){(int64_t)wire_get_u64(r->kept + at)};
}

/* Moves what is kept to the front of its room. */
static void kept_close_up(struct chan_reports *r)
{
    if (r->kept_head > 0) {
        memmove(r->kept, r->kept + r->kept_head, r->kept_tail - r->kept_head);
        r->kept_tail -= r->kept_head;
        r->kept_head = 0;
    }
}

/* Drops the oldest report that tells of no fault, or else the oldest: what is said of keys is missed in
 * the books, but an alarm whose end is not told would stand for ever. */
static void kept_drop(struct chan_reports *r)
{
    uint32_t at = r->kept_head;
    while (at < r->kept_tail && r->kept[at + KEPT_STAMP_LEN + AT_COMMAND] == WIRE_CMD_FAULT) {
        at += kept_entry_len(r, at);
    }
    at = at < r->kept_tail ? at : r->kept_head;
    uint32_t len = kept_entry_len(r, at);
    memmove(r->kept + r->kept_head + len, r->kept + r->kept_head, at - r->kept_head);
    r->kept_head += len;
    r->lost++;
}

/* Makes room for len bytes behind the tail: moves to the front, grows, or drops the oldest. */
static bool kept_room(struct chan_reports *r, uint32_t len)
{
    if (len > r->config.keep_bytes) {
        return false;
    }
    if (r->kept_tail + len > r->kept_cap) {
        kept_close_up(r);
    }
    if (buffer_grow(&r->kept, &r->kept_cap, r->kept_tail + len, r->config.keep_bytes)) {
        return true;
    }
    while (r->kept_head < r->kept_tail && r->kept_tail - r->kept_head + len > r->kept_cap) {
        kept_drop(r);
    }
    kept_close_up(r);
    return r->kept_tail + len <= r->kept_cap;
}

static uint64_t kept_seq(const struct chan_reports *r, uint32_t at)
{
    return wire_get_u64(r->kept + at + KEPT_STAMP_LEN + AT_SEQ);
}

/* `after`: what the receiver must have before this one; of what we dropped nothing may be waited for. */
static void kept_send(struct chan_reports *r, const struct qkd_event *event, uint8_t *message,
                      uint64_t after, struct qkd_out *out)
{
    wire_put_u64(message + AT_AFTER, after);
    struct chan_send send = {.rp = r->config.rp,
                             .peer = r->config.to,
                             .message = message,
                             .len = wire_get_u32(message + AT_LENGTH)};
    (void)chan_send(r->set, event, &send, out);
}

/* Numbers a complete report and sends it. One that is kept waits in our own room, not in the
 * channel's short queue, until the channel is up. */
static void report_send(struct chan_reports *r, const struct qkd_event *event, uint8_t *message,
                        struct qkd_out *out)
{
    uint32_t len = wire_get_u32(message + AT_LENGTH);
    wire_put_u64(message + AT_MESSAGE_ID, (*r->next_message_id)++);
    wire_put_u64(message + AT_SEQ, r->next_seq++);
    if (r->config.keep_bytes == 0) {
        kept_send(r, event, message, 0, out);
        return;
    }
    bool up = chan_is_up(r->set, r->config.rp, r->config.to);
    bool room = kept_room(r, KEPT_STAMP_LEN + len);
    uint64_t after = r->kept_head < r->kept_tail ? r->kept_last_seq : 0;
    if (room) {
        r->kept_last_seq = wire_get_u64(message + AT_SEQ);
        struct qkd_time again = qkd_time_add(event->now, qkd_span_ms(CHAN_REPORT_REPEAT_MS));
        uint8_t *to = r->kept + r->kept_tail;
        wire_put_u64(to, (uint64_t)(up ? again.ns : event->now.ns));
        memcpy(to + KEPT_STAMP_LEN, message, len);
        r->kept_tail += KEPT_STAMP_LEN + len;
        r->repeat_at = qkd_time_min(r->repeat_at, again);
    } else if (!up) {
        r->lost++;
    }
    if (up) {
        kept_send(r, event, message, after, out);
    } else {
        (void)chan_open(r->set, event, r->config.rp, r->config.to, out);
    }
}

static void kept_repeat(struct chan_reports *r, const struct qkd_event *event, struct qkd_out *out)
{
    struct qkd_time again = qkd_time_add(event->now, qkd_span_ms(CHAN_REPORT_REPEAT_MS));
    if (!chan_is_up(r->set, r->config.rp, r->config.to)) {
        (void)chan_open(r->set, event, r->config.rp, r->config.to, out);
        r->repeat_at = again;
        return;
    }
    uint32_t sent_bytes = 0;
    uint64_t after = 0;
    bool is_due =
        false; /* all behind one that is due: the receiver takes them in their order only */
    r->repeat_at = QKD_NEVER;
    for (uint32_t at = r->kept_head; at < r->kept_tail; at += kept_entry_len(r, at)) {
        is_due = is_due || !qkd_time_before(event->now, kept_due(r, at));
        if (is_due) {
            if (sent_bytes >= REPEAT_BYTES) {
                r->repeat_at = qkd_time_add(event->now, qkd_span_ms(REPEAT_PAUSE_MS));
                return;
            }
            kept_send(r, event, r->kept + at + KEPT_STAMP_LEN, after, out);
            wire_put_u64(r->kept + at, (uint64_t)again.ns);
            sent_bytes += kept_entry_len(r, at);
            r->repeated++;
        }
        after = kept_seq(r, at);
        r->repeat_at = qkd_time_min(r->repeat_at, kept_due(r, at));
    }
}

void chan_reports_ack(struct chan_reports *r, uint64_t seq)
{
    while (r->kept_head < r->kept_tail && kept_seq(r, r->kept_head) <= seq) {
        r->kept_head += kept_entry_len(r, r->kept_head);
    }
    if (r->kept_head == r->kept_tail) {
        r->kept_head = 0;
        r->kept_tail = 0;
        r->repeat_at = QKD_NEVER;
    }
}

bool chan_reports_waiting(const struct chan_reports *r)
{
    return r->kept_head < r->kept_tail;
}

/* ---- batches ---- */

static void batch_close(struct chan_reports *r, const struct qkd_event *event,
                        struct chan_report_batch *batch, struct qkd_out *out)
{
    wire_put_u32(batch->bytes + AT_LENGTH, batch->len);
    wire_put_u32(batch->bytes + AT_RECORDS_LEN, batch->len - REPORT_HEAD_LEN);
    batch->len = 0;
    report_send(r, event, batch->bytes, out);
}

static bool batch_open(struct chan_reports *r, struct chan_report_batch *batch, uint8_t command)
{
    if (!buffer_grow(&batch->bytes, &batch->cap, REPORT_HEAD_LEN, r->config.flush_bytes)) {
        return false;
    }
    /* All six kinds share their layout; the command is patched. */
    struct wire_fault head = {.head = {.rp = (uint8_t)r->config.rp, .sender = r->config.self},
                              .source = r->config.self};
    int len = wire_fault_encode(&head, batch->bytes, batch->cap);
    QKD_ASSERT(len == REPORT_HEAD_LEN);
    batch->bytes[2] = command;
    batch->len = REPORT_HEAD_LEN;
    return true;
}

/* Room for one record of `size` bytes in the batch of `command`, or NULL (counted). */
static uint8_t *record_room(struct chan_reports *r, const struct qkd_event *event, uint8_t command,
                            size_t size, struct qkd_out *out)
{
    struct chan_report_batch *batch = &r->batch[command - WIRE_CMD_FAULT];
    if (size > r->config.flush_bytes - REPORT_HEAD_LEN) {
        r->lost++;
        return NULL;
    }
    if (batch->len + size > r->config.flush_bytes) {
        batch_close(r, event, batch, out);
    }
    if ((batch->len == 0 && !batch_open(r, batch, command)) ||
        !buffer_grow(&batch->bytes, &batch->cap, batch->len + (uint32_t)size,
                     r->config.flush_bytes)) {
        r->lost++;
        return NULL;
    }
    r->flush_at = qkd_time_min(r->flush_at, qkd_time_add(event->now, r->config.period));
    uint8_t *to = batch->bytes + batch->len;
    batch->len += (uint32_t)size;
    return to;
}

#define DEFINE_REPORT(function, record, command)                                                   \
    void function(struct chan_reports *r, const struct qkd_event *event,                           \
                  const struct wire_##record *item, struct qkd_out *out)                           \
    {                                                                                              \
        if (is_dropping(r)) {                                                                      \
            return;                                                                                \
        }                                                                                          \
        size_t size = wire_##record##_size(item);                                                  \
        uint8_t *to = record_room(r, event, (command), size, out);                                 \
        if (to != NULL) {                                                                          \
            int len = wire_##record##_encode(item, to, size);                                      \
            QKD_ASSERT(len == (int)size);                                                          \
        }                                                                                          \
    }
DEFINE_REPORT(chan_report_life, life, WIRE_CMD_METADATA)
DEFINE_REPORT(chan_report_account, account_record, WIRE_CMD_ACCOUNTING)
DEFINE_REPORT(chan_report_link, link_status, WIRE_CMD_PERFORMANCE)
DEFINE_REPORT(chan_report_configuration, link_config, WIRE_CMD_CONFIGURATION)

static void record_encode(struct chan_reports *r, const struct qkd_event *event, uint8_t command,
                          const struct wire_fault_record *record, struct qkd_out *out)
{
    size_t size = wire_fault_record_size(record);
    uint8_t *to = record_room(r, event, command, size, out);
    if (to != NULL) {
        int len = wire_fault_record_encode(record, to, size);
        QKD_ASSERT(len == (int)size);
    }
}

/* A restarted element voids its earlier faults before it raises new ones. */
static void restart_report(struct chan_reports *r, const struct qkd_event *event,
                           struct qkd_out *out)
{
    if (r->restarted) {
        struct wire_fault_record voided = {.when = event->wall, .at = r->config.self};
        r->restarted = false;
        record_encode(r, event, WIRE_CMD_FAULT, &voided, out);
    }
}

static void fault_record(struct chan_reports *r, const struct qkd_event *event, uint8_t command,
                         const struct wire_fault_record *record, struct qkd_out *out)
{
    if (!is_dropping(r)) {
        restart_report(r, event, out);
        record_encode(r, event, command, record, out);
    }
}

static struct wire_fault_record fault_make(const struct chan_reports *r,
                                           const struct qkd_event *event,
                                           const struct chan_report_fault *fault, bool raised)
{
    return (struct wire_fault_record){.when = event->wall,
                                      .at = r->config.self,
                                      .fault = fault->fault,
                                      .object = fault->object,
                                      .raised = raised ? 1 : 0,
                                      .count = fault->count};
}

/* ---- standing faults ---- */

/* Index of (fault, object), or where it belongs. */
static uint32_t standing_find(const struct chan_reports *r, uint8_t fault, uint64_t object,
                              bool *found)
{
    uint32_t low = 0;
    uint32_t high = r->standing_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct chan_report_fault *at = &r->standing[mid];
        if (at->fault < fault || (at->fault == fault && at->object < object)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *found = low < r->standing_count && r->standing[low].fault == fault &&
             r->standing[low].object == object;
    return low;
}

static bool standing_grow(struct chan_reports *r)
{
    if (r->standing_count < r->standing_cap) {
        return true;
    }
    uint32_t cap = r->standing_cap == 0 ? 4 : r->standing_cap * 2;
    cap = cap < r->config.fault_limit ? cap : r->config.fault_limit;
    if (cap <= r->standing_count) {
        return false;
    }
    struct chan_report_fault *grown = realloc(r->standing, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    r->standing = grown;
    r->standing_cap = cap;
    return true;
}

bool chan_report_raise(struct chan_reports *r, const struct qkd_event *event, uint8_t fault,
                       uint64_t object, struct qkd_out *out)
{
    bool found;
    uint32_t at = standing_find(r, fault, object, &found);
    if (found) {
        r->standing[at].count++;
        return false;
    }
    if (!standing_grow(r)) {
        r->lost++;
        return false;
    }
    memmove(&r->standing[at + 1], &r->standing[at],
            (r->standing_count - at) * sizeof r->standing[0]);
    r->standing[at] = (struct chan_report_fault){.object = object, .count = 1, .fault = fault};
    r->standing_count++;
    struct wire_fault_record record = fault_make(r, event, &r->standing[at], true);
    fault_record(r, event, WIRE_CMD_FAULT, &record, out);
    return true;
}

bool chan_report_clear(struct chan_reports *r, const struct qkd_event *event, uint8_t fault,
                       uint64_t object, struct qkd_out *out)
{
    bool found;
    uint32_t at = standing_find(r, fault, object, &found);
    if (!found || QKDN_MUTANT(ALARM_STANDS)) {
        return false;
    }
    struct wire_fault_record record = fault_make(r, event, &r->standing[at], false);
    r->standing_count--;
    memmove(&r->standing[at], &r->standing[at + 1],
            (r->standing_count - at) * sizeof r->standing[0]);
    fault_record(r, event, WIRE_CMD_FAULT, &record, out);
    return true;
}

bool chan_report_stands(const struct chan_reports *r, uint8_t fault, uint64_t object)
{
    bool found;
    (void)standing_find(r, fault, object, &found);
    return found;
}

/* ---- security events ---- */

static void events_flush(struct chan_reports *r, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t i = 0; i < r->event_count; i++) {
        struct wire_fault_record record = fault_make(r, event, &r->events[i], true);
        fault_record(r, event, WIRE_CMD_SECURITY, &record, out);
    }
    r->event_count = 0;
}

static void event_add(struct chan_reports *r, const struct qkd_event *event,
                      const struct chan_report_fault *add, struct qkd_out *out)
{
    if (is_dropping(r)) {
        return;
    }
    for (uint32_t i = 0; i < r->event_count; i++) {
        if (r->events[i].fault == add->fault && r->events[i].object == add->object) {
            r->events[i].count += add->count;
            return;
        }
    }
    if (r->event_count == CHAN_REPORT_EVENTS) {
        events_flush(r, event, out);
    }
    r->events[r->event_count++] = *add;
    r->flush_at = qkd_time_min(r->flush_at, qkd_time_add(event->now, r->config.period));
}

void chan_report_security(struct chan_reports *r, const struct qkd_event *event, uint8_t fault,
                          uint64_t object, struct qkd_out *out)
{
    struct chan_report_fault add = {.object = object, .count = 1, .fault = fault};
    event_add(r, event, &add, out);
}

/* Peers that were put into quarantine, and those whose quarantine is over. */
static void quarantines_tell(struct chan_reports *r, const struct qkd_event *event,
                             struct qkd_out *out)
{
    struct chan_quarantine what;
    while (r->set != NULL && chan_quarantine_next(r->set, &what)) {
        if (what.begins) {
            (void)chan_report_raise(r, event, WIRE_FAULT_PEER_QUARANTINED, what.peer.v, out);
        } else {
            (void)chan_report_clear(r, event, WIRE_FAULT_PEER_QUARANTINED, what.peer.v, out);
        }
    }
}

void chan_report_channels(struct chan_reports *r, const struct qkd_event *event,
                          struct qkd_out *out)
{
    if (r->set == NULL || event->type != QKD_EV_RECV) {
        return;
    }
    const struct chan_stats *stats = chan_stats(r->set);
    struct chan_report_fault add = {.object = event->u.recv.rp};
    if (stats->auth_failures != r->seen_auth_failures) {
        add.fault = WIRE_FAULT_AUTH_FAILURE;
        add.count = stats->auth_failures - r->seen_auth_failures;
        r->seen_auth_failures = stats->auth_failures;
        event_add(r, event, &add, out);
    }
    if (stats->denied != r->seen_denied) {
        add.fault = WIRE_FAULT_DENIED;
        add.count = stats->denied - r->seen_denied;
        r->seen_denied = stats->denied;
        event_add(r, event, &add, out);
    }
    quarantines_tell(r, event, out);
}

/* ---- passing on ---- */

bool chan_report_source(struct wire_bytes message, struct qkd_eid *source)
{
    struct wire_head head;
    if (wire_head_decode(&head, message.at, message.len) != 0 || message.len < REPORT_HEAD_LEN ||
        head.command < WIRE_CMD_FAULT || head.command > WIRE_CMD_METADATA ||
        wire_get_u32(message.at + AT_BITMAP) != 0 ||
        wire_get_u32(message.at + AT_RECORDS_LEN) != message.len - REPORT_HEAD_LEN) {
        return false;
    }
    source->v = wire_get_u64(message.at + AT_SOURCE);
    return true;
}

void chan_report_forward(struct chan_reports *r, const struct qkd_event *event,
                         struct wire_bytes message, struct qkd_out *out)
{
    struct qkd_eid source;
    if (is_dropping(r) || !chan_report_source(message, &source)) {
        return;
    }
    uint8_t *copy = qkd_out_scratch(out, message.len);
    if (copy == NULL) {
        r->lost++;
        return;
    }
    memcpy(copy, message.at, message.len);
    copy[AT_RP] = (uint8_t)r->config.rp;
    wire_put_u64(copy + AT_ORIG_ID, 0);
    wire_put_u64(copy + AT_SENDER, r->config.self.v);
    report_send(r, event, copy, out);
}

/* ---- time ---- */

void chan_reports_flush(struct chan_reports *r, const struct qkd_event *event, struct qkd_out *out)
{
    if (is_dropping(r)) {
        return;
    }
    restart_report(r, event, out);
    events_flush(r, event, out);
    for (unsigned kind = 0; kind < CHAN_REPORT_KINDS; kind++) {
        if (r->batch[kind].len > 0) {
            batch_close(r, event, &r->batch[kind], out);
        }
    }
    r->flush_at = QKD_NEVER;
}

void chan_reports_timeout(struct chan_reports *r, const struct qkd_event *event,
                          struct qkd_out *out)
{
    quarantines_tell(r, event, out);
    if (!qkd_time_before(event->now, r->flush_at)) {
        chan_reports_flush(r, event, out);
    }
    if (!qkd_time_before(event->now, r->repeat_at)) {
        kept_repeat(r, event, out);
    }
}

struct qkd_time chan_reports_deadline(const struct chan_reports *r)
{
    return qkd_time_min(r->flush_at, r->repeat_at);
}
