/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From identifiers to requests: a ring of the identifiers seen last, each with the request that it
 * belongs to. Messages are read as they were before sealing; a repeated RELAY frame is known by its
 * clear header. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "watch/recorder_state.h"

enum {
    FIRST_NAMES = 4096,
    FRAME_WINDOW = 1024, /* frames in flight on a link, docs/protocol.md */
    BITMAP = 64,         /* frames that a HOP_ACK names one by one */
    SESSION_SPACE = 0xf0,
    FRAME_SPACE = 0xf1,
    ID_LEN = 16
};

/* ---- names ---- */

static struct qkd_id id_of(uint64_t high, uint64_t low)
{
    struct qkd_id id;
    wire_put_u64(id.b, high);
    wire_put_u64(id.b + 8, low);
    return id;
}

/* As applications name their requests (core/app/request.c). */
static struct qkd_id message_name(struct qkd_eid sender, uint64_t message_id)
{
    return id_of(message_id, sender.v);
}

static struct qkd_id session_name(uint64_t session)
{
    return id_of(session, (uint64_t)SESSION_SPACE << 56);
}

/* A frame of `sender` on a link: its incarnation and number. */
static struct qkd_id frame_name(struct qkd_eid sender, uint32_t link, uint32_t epoch, uint32_t seq)
{
    uint64_t end = ((uint64_t)FRAME_SPACE << 56) | ((uint64_t)(link & 0xffffffU) << 32);
    return id_of(((uint64_t)epoch << 32) | seq, end | qkd_eid_node(sender));
}

static struct watch_name *name_find(const struct watch_recorder *recorder, const struct qkd_id *id)
{
    uint32_t slot = qkd_map_get(&recorder->name_map, id);
    return slot == QKD_MAP_NONE ? NULL : &recorder->names[slot];
}

static bool names_grow(struct watch_recorder *recorder)
{
    uint32_t cap = recorder->name_cap == 0 ? FIRST_NAMES : 2 * recorder->name_cap;
    struct watch_name *names = realloc(recorder->names, cap * sizeof(*names));
    if (names == NULL) {
        return false;
    }
    memset(names + recorder->name_cap, 0, (cap - recorder->name_cap) * sizeof(*names));
    recorder->names = names;
    recorder->name_cap = cap;
    return true;
}

/* The entry of an identifier, made if need be in place of the oldest; NULL without memory. */
static struct watch_name *name_put(struct watch_recorder *recorder, const struct qkd_id *id,
                                   uint64_t request)
{
    struct watch_name *name = name_find(recorder, id);
    if (name != NULL) {
        name->request = request;
        return name;
    }
    if (recorder->name_next == recorder->name_cap && recorder->name_cap < WATCH_NAMES &&
        !names_grow(recorder)) {
        recorder->failed = true;
        return NULL;
    }
    QKD_ASSERT(recorder->names != NULL);
    uint32_t slot = recorder->name_next % recorder->name_cap;
    name = &recorder->names[slot];
    if (!qkd_id_is_zero(&name->id)) {
        (void)qkd_map_del(&recorder->name_map, &name->id);
    }
    *name = (struct watch_name){0};
    if (qkd_map_put(&recorder->name_map, id, slot) != 0) {
        recorder->failed = true;
        return NULL;
    }
    recorder->name_next = slot + 1;
    name->id = *id;
    name->request = request;
    return name;
}

static uint64_t request_of(const struct watch_recorder *recorder, struct qkd_id id)
{
    const struct watch_name *name = name_find(recorder, &id);
    if (name != NULL && name->request == 0 && !qkd_id_is_zero(&name->of)) {
        name = name_find(recorder, &name->of);
    }
    return name == NULL ? 0 : name->request;
}

static uint64_t request_of_first(const struct watch_recorder *recorder, struct wire_bytes ids)
{
    struct qkd_id id;
    if (ids.len < sizeof(id.b)) {
        return 0;
    }
    memcpy(id.b, ids.at, sizeof(id.b));
    return request_of(recorder, id);
}

static void ids_put(struct watch_recorder *recorder, struct wire_bytes ids, uint64_t request)
{
    for (size_t i = 0; request != 0 && i + ID_LEN <= ids.len; i += ID_LEN) {
        struct qkd_id id;
        memcpy(id.b, ids.at + i, sizeof(id.b));
        (void)name_put(recorder, &id, request);
    }
}

int watch_recorder_facts(struct watch_recorder *recorder, const struct qkd_out *out,
                         uint64_t opened)
{
    for (size_t i = 0; i < out->report_count; i++) {
        const struct qkd_report *report = &out->report[i];
        if (report->code == QKD_REPORT_REQUEST) {
            (void)name_put(recorder, &report->id, ++opened);
        } else if (report->code == QKD_REPORT_PIECE) {
            struct qkd_eid ksa = qkd_eid_sibling(report->who, QKD_ROLE_KSA);
            struct watch_name *piece = name_put(recorder, &report->id, 0);
            if (piece != NULL) { /* the need itself may be in the same batch of outputs */
                piece->of = message_name(ksa, report->a);
            }
        }
    }
    return recorder->failed ? QKD_ERR_NOMEM : 0;
}

/* ---- messages ---- */

/* The command at hand. */
struct sight {
    struct watch_recorder *recorder;
    const struct watch_recorder_sight *seen;
    struct wire_head head;
    struct watch_reading *reading;
};

#define DECODE(name, m, s)                                                                         \
    (wire_##name##_decode(m, (s)->seen->observed, (s)->seen->send->observed.len) == 0)

static uint64_t read_session(const struct sight *s, uint64_t session)
{
    uint64_t request = s->seen->cause;
    struct qkd_id id = session_name(session);
    if (request == 0) {
        return request_of(s->recorder, id);
    }
    (void)name_put(s->recorder, &id, request);
    return request;
}

/* A request asks its KMA once; what it is asked for later is another request's. */
static uint64_t read_need(const struct sight *s)
{
    struct wire_kmi_need need;
    if (s->seen->cause == 0 || !DECODE(kmi_need, &need, s)) {
        return 0;
    }
    struct qkd_id mark = id_of(s->seen->cause, UINT64_MAX);
    const struct watch_name *known = name_find(s->recorder, &mark);
    if (known != NULL) {
        return 0;
    }
    (void)name_put(s->recorder, &mark, s->seen->cause);
    return s->seen->cause;
}

static uint64_t read_notify(const struct sight *s)
{
    struct wire_supply_notify notify;
    struct wire_sync_item item;
    if (!DECODE(supply_notify, &notify, s) ||
        wire_sync_item_decode(&item, notify.sync.at, notify.sync.len) < 0) {
        return 0;
    }
    uint64_t request = request_of(s->recorder, item.id);
    ids_put(s->recorder, notify.key_ids, request);
    return request;
}

/* The requests whose frames an acknowledgement is the first to name. */
static void read_hop_ack(const struct sight *s)
{
    struct wire_hop_ack ack;
    struct watch_reading *reading = s->reading;
    if (!DECODE(hop_ack, &ack, s)) {
        return;
    }
    reading->link = ack.link;
    uint32_t in_row = 0; /* acknowledged before: below many of them there is no gap */
    for (uint32_t i = 0; i < FRAME_WINDOW + BITMAP && in_row < 2 * BITMAP; i++) {
        bool ahead = i < BITMAP;
        if (ahead && (ack.bitmap >> i & 1U) == 0) {
            continue;
        }
        uint32_t seq = ahead ? ack.next + 1 + i : ack.next - 1 - (i - BITMAP);
        struct qkd_id id = frame_name(s->seen->send->to, ack.link, ack.epoch, seq);
        struct watch_name *frame = name_find(s->recorder, &id);
        if (frame == NULL || frame->acknowledged) {
            in_row += !ahead;
            continue;
        }
        in_row = 0;
        frame->acknowledged = true;
        bool known = frame->request == 0 || reading->count == WATCH_SERVED_MOST;
        for (uint32_t k = 0; k < reading->count && !known; k++) {
            known = reading->requests[k] == frame->request;
        }
        if (!known) {
            reading->requests[reading->count++] = frame->request;
        }
    }
}

/* Reasons are read for their text only. */
#define REASON_OF(name, s, to)                                                                     \
    do {                                                                                           \
        struct wire_##name m;                                                                      \
        (to) = DECODE(name, &m, s) ? m.reason : 0;                                                 \
    } while (0)

static void read_reason(const struct sight *s)
{
    uint8_t *to = &s->reading->reason;
    switch (s->head.command) {
    case WIRE_CMD_KEY_SUPPLY_RSP:
        REASON_OF(key_supply_rsp, s, *to);
        break;
    case WIRE_CMD_KMI_SUPPLY:
        REASON_OF(kmi_supply, s, *to);
        break;
    case WIRE_CMD_KMI_DROP:
        REASON_OF(kmi_drop, s, *to);
        break;
    case WIRE_CMD_ROUTE_RSP:
        REASON_OF(route_rsp, s, *to);
        break;
    case WIRE_CMD_SESSION_RSP:
        REASON_OF(session_rsp, s, *to);
        break;
    case WIRE_CMD_RELAY_DONE:
        REASON_OF(relay_done, s, *to);
        break;
    case WIRE_CMD_SUPPLY_NOTIFY_RSP:
        REASON_OF(supply_notify_rsp, s, *to);
        break;
    default:
        break;
    }
}

#define REQUEST_BY(name, s, expression)                                                            \
    do {                                                                                           \
        struct wire_##name m;                                                                      \
        return DECODE(name, &m, s) ? (expression) : 0;                                             \
    } while (0)

/* The request of a command that is neither repeated nor an answer. */
static uint64_t read_command(const struct sight *s)
{
    struct watch_recorder *r = s->recorder;
    switch (s->head.command) {
    case WIRE_CMD_KMI_NEED:
        return read_need(s);
    case WIRE_CMD_SUPPLY_NOTIFY:
        return read_notify(s);
    case WIRE_CMD_KEY_SUPPLY:
        REQUEST_BY(key_supply, s,
                   m.has_key_id ? request_of(r, m.key_id) : request_of_first(r, m.key_ids));
    case WIRE_CMD_KEY_DELETE:
        REQUEST_BY(key_delete, s, request_of_first(r, m.key_ids));
    case WIRE_CMD_APP_NOTIFY:
        REQUEST_BY(app_notify, s, request_of_first(r, m.key_ids));
    case WIRE_CMD_SESSION:
        REQUEST_BY(session, s, read_session(s, m.session_id));
    case WIRE_CMD_SESSION_RSP:
        REQUEST_BY(session_rsp, s, read_session(s, m.session_id));
    case WIRE_CMD_UPDATE:
        REQUEST_BY(update, s, read_session(s, m.session_id));
    case WIRE_CMD_RELAY_DONE:
        REQUEST_BY(relay_done, s, request_of(r, m.key_id));
    case WIRE_CMD_RELAY_SUM:
        REQUEST_BY(relay_sum, s, request_of(r, m.key_id));
    case WIRE_CMD_RELAY_SUM_ACK:
        REQUEST_BY(relay_sum_ack, s, request_of(r, m.key_id));
    case WIRE_CMD_KMI_FETCH:
        REQUEST_BY(kmi_fetch, s, request_of(r, m.key_id));
    case WIRE_CMD_KMI_DROP:
        REQUEST_BY(kmi_drop, s, request_of(r, m.key_id));
    case WIRE_CMD_ROUTE:
    case WIRE_CMD_GRANT_REQUEST:
    case WIRE_CMD_AUTH:
    case WIRE_CMD_AUTH_RSP:
        return s->seen->cause;
    default:
        return 0;
    }
}

static void read_message(struct sight *s)
{
    const struct qkd_send *send = s->seen->send;
    struct watch_recorder *r = s->recorder;
    if (wire_head_decode(&s->head, s->seen->observed, send->observed.len) != 0) {
        return;
    }
    s->reading->name = wire_command_name(s->head.command);
    if (s->reading->name == NULL) {
        return;
    }
    if (s->head.command == WIRE_CMD_HOP_ACK) {
        read_hop_ack(s);
        return;
    }
    struct qkd_id id = message_name(send->from, s->head.message_id);
    struct watch_name *known = name_find(r, &id);
    uint64_t request = known == NULL ? 0 : known->request;
    uint64_t asked = s->head.orig_message_id;
    if (request == 0 && asked != 0) {
        bool own = s->head.command == WIRE_CMD_KMI_DROP; /* names the need that it takes back */
        request = request_of(r, message_name(own ? send->from : send->to, asked));
    }
    request = request != 0 ? request : read_command(s);
    if (request == 0) {
        return;
    }
    known = name_put(r, &id, request);
    s->reading->sending = known == NULL ? 1 : ++known->sendings;
    s->reading->requests[0] = request;
    s->reading->count = 1;
    read_reason(s);
}

/* ---- frames with pads ---- */

static uint64_t frame_request(const struct sight *s, const struct wire_frame *frame)
{
    struct wire_relay_body relay;
    struct wire_take_body take;
    const uint8_t *plain;
    size_t len;
    switch (frame->type) {
    case WIRE_FRAME_RELAY:
        plain = wire_relay_plain(frame, &len);
        if (wire_relay_body_decode(&relay, plain, len) < 0) {
            return 0;
        }
        s->reading->hop = relay.hop;
        s->reading->attempt = relay.attempt;
        return request_of(s->recorder, relay.key_id);
    case WIRE_FRAME_TAKE:
        return wire_take_body_decode(&take, frame->body, frame->body_len) < 0
                   ? 0
                   : request_of(s->recorder, take.key_id);
    case WIRE_FRAME_GRANT:
        return s->seen->cause;
    default:
        return 0;
    }
}

static void read_frame(const struct sight *s, bool bare)
{
    const struct watch_recorder_sight *seen = s->seen;
    struct wire_frame frame;
    const uint8_t *bytes = seen->observed != NULL ? seen->observed : seen->bytes;
    size_t len = seen->observed != NULL ? seen->send->observed.len : seen->send->bytes.len;
    if (wire_frame_decode(&frame, bytes, len) != 0) {
        return;
    }
    s->reading->name = bare                               ? "RELAY"
                       : frame.type == WIRE_FRAME_TAKE    ? "TAKE"
                       : frame.type == WIRE_FRAME_CONFIRM ? "CONFIRM"
                       : frame.type == WIRE_FRAME_GRANT   ? "GRANT"
                                                          : "SKIP";
    s->reading->link = frame.link;
    struct qkd_id id = frame_name(seen->send->from, frame.link, frame.epoch, frame.seq);
    const struct watch_name *known = name_find(s->recorder, &id);
    uint64_t request = known == NULL ? frame_request(s, &frame) : known->request;
    struct watch_name *name = name_put(s->recorder, &id, request);
    if (name == NULL) {
        return;
    }
    if (frame.type == WIRE_FRAME_RELAY && seen->observed != NULL) {
        name->hop = (uint8_t)s->reading->hop;
        name->attempt = (uint8_t)s->reading->attempt;
    }
    s->reading->hop = name->hop;
    s->reading->attempt = name->attempt;
    name->acknowledged = false; /* repeated: it will be acknowledged once more */
    s->reading->sending = ++name->sendings;
    s->reading->requests[0] = request;
    s->reading->count = request != 0;
}

/* The record layer's own messages, where requests pass. */
static void read_handshake(const struct sight *s)
{
    switch (s->seen->send->rp) {
    case QKD_RP_AK:
    case QKD_RP_KX1:
    case QKD_RP_KX2:
    case QKD_RP_KMI:
    case QKD_RP_CK:
        s->reading->name = "handshake";
        s->reading->requests[0] = s->seen->cause;
        s->reading->count = s->seen->cause != 0;
        break;
    default:
        break;
    }
}

void watch_recorder_read(struct watch_recorder *recorder, const struct watch_recorder_sight *sight,
                         struct watch_reading *reading)
{
    struct sight s = {recorder, sight, {0}, reading};
    const struct qkd_send *send = sight->send;
    bool kx1 = send->rp == QKD_RP_KX1;
    bool bare = kx1 && send->bytes.len > 0 && sight->bytes[0] == WIRE_FRAME_MAGIC;
    if (bare || (kx1 && sight->observed != NULL && sight->observed[0] == WIRE_FRAME_MAGIC)) {
        read_frame(&s, bare);
    } else if (sight->observed != NULL) {
        read_message(&s);
    } else {
        read_handshake(&s);
    }
}
