/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tap's lines: who, where, what, and the fields that tell messages of one kind apart. */
#include "tests/lib/sim_tap.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/codec.h"
#include "core/wire/frame.h"

enum { LINE = 512 };

struct label {
    struct qkd_id id;
    char text[16];
};

struct tap {
    const struct scn_scenario *scenario;
    struct tap_filter filter;
    char *text;
    size_t len, cap;
    uint32_t lines;
    struct label *labels;
    size_t label_count;
    uint32_t numbers[3]; /* labels given, per class */
};

struct tap *tap_new(const struct scn_scenario *scenario, const struct tap_filter *filter)
{
    struct tap *tap = calloc(1, sizeof(*tap));
    ck_assert_ptr_nonnull(tap);
    tap->scenario = scenario;
    tap->filter = *filter;
    tap->cap = 4096;
    tap->text = calloc(1, tap->cap);
    ck_assert_ptr_nonnull(tap->text);
    return tap;
}

void tap_free(struct tap *tap)
{
    if (tap != NULL) {
        free(tap->text);
        free(tap->labels);
        free(tap);
    }
}

const char *tap_text(const struct tap *tap)
{
    return tap->text;
}

/* ---- writing ---- */

static void put(struct tap *tap, const char *format, ...)
{
    va_list args;
    if (tap->cap - tap->len < LINE) {
        tap->cap *= 2;
        tap->text = realloc(tap->text, tap->cap);
        ck_assert_ptr_nonnull(tap->text);
    }
    va_start(args, format);
    int len = vsnprintf(tap->text + tap->len, tap->cap - tap->len, format, args);
    va_end(args);
    ck_assert(len >= 0 && (size_t)len < LINE);
    tap->len += (size_t)len;
}

static const char *node_name(const struct tap *tap, uint32_t node)
{
    return node < tap->scenario->node_count ? tap->scenario->nodes[node].id : "?";
}

static const char *link_name(const struct tap *tap, uint32_t link)
{
    return link < tap->scenario->link_count ? tap->scenario->links[link].id : "?";
}

/* Link of module `instance` of a node: the node's links in scenario order. */
static uint32_t module_link(const struct tap *tap, uint32_t node, uint32_t instance)
{
    for (uint32_t i = 0; i < tap->scenario->link_count; i++) {
        bool ends = tap->scenario->links[i].a == node || tap->scenario->links[i].b == node;
        if (ends && instance-- == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void put_eid(struct tap *tap, struct qkd_eid eid)
{
    uint32_t node = qkd_eid_node(eid);
    uint32_t instance = qkd_eid_instance(eid);
    enum qkd_role role = qkd_eid_role(eid);
    put(tap, " %s.", node_name(tap, node));
    if (role == QKD_ROLE_MODULE || role == QKD_ROLE_DEVICE) {
        put(tap, "%s(%s)", qkd_role_name(role), link_name(tap, module_link(tap, node, instance)));
    } else if (role == QKD_ROLE_APP && instance / 2 < tap->scenario->application_count) {
        put(tap, "%s", tap->scenario->applications[instance / 2].id);
    } else {
        put(tap, "%s", qkd_role_name(role));
    }
}

/* The name of a key: a letter of its class and a number. */
static void put_id(struct tap *tap, char letter, const struct qkd_id *id)
{
    for (size_t i = 0; i < tap->label_count; i++) {
        if (qkd_id_eq(&tap->labels[i].id, id) && tap->labels[i].text[0] == letter) {
            put(tap, " %s", tap->labels[i].text);
            return;
        }
    }
    tap->labels = realloc(tap->labels, (tap->label_count + 1) * sizeof(*tap->labels));
    ck_assert_ptr_nonnull(tap->labels);
    struct label *label = &tap->labels[tap->label_count++];
    label->id = *id;
    unsigned class = letter == 'Q' ? 0 : letter == 'M' ? 1 : 2;
    (void)snprintf(label->text, sizeof(label->text), "%c%u", letter, ++tap->numbers[class]);
    put(tap, " %s", label->text);
}

static void put_ids(struct tap *tap, char letter, struct wire_bytes ids)
{
    for (size_t i = 0; i + 16 <= ids.len; i += 16) {
        struct qkd_id id;
        memcpy(id.b, ids.at + i, 16);
        put_id(tap, letter, &id);
    }
}

static void put_reason(struct tap *tap, uint8_t reason)
{
    if (reason != WIRE_REASON_NONE) {
        put(tap, " reason %s", wire_reason_text(reason));
    }
}

/* ---- messages, by the commands of wire/messages.h ---- */

#define DECODED(name) wire_##name##_decode(&m, bytes, len) == 0

static void show_auth_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_auth_rsp m;
    if (DECODED(auth_rsp)) {
        put(tap, " code %u", m.code);
    }
}

static void show_key_supply(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_key_supply m;
    if (DECODED(key_supply)) {
        put(tap, " code %u", m.application_code);
        if (m.has_key_amount) {
            put(tap, " amount %u", m.key_amount);
        }
        if (m.has_key_id) {
            put_id(tap, 'S', &m.key_id);
        }
        put_ids(tap, 'S', m.key_ids);
        put(tap, "%s", m.has_wait && m.wait != 0 ? " wait" : "");
    }
}

static void show_key_supply_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_key_supply_rsp m;
    if (DECODED(key_supply_rsp)) {
        put(tap, " code %u", m.code);
        if (m.has_count_id) {
            put(tap, " count %u", m.count_id);
        }
        put_ids(tap, 'S', m.key_ids);
        put(tap, " data %zu", m.key_data.len);
        put(tap, "%s", m.has_status ? " status" : "");
        put_reason(tap, m.reason);
    }
}

static void show_key_delete(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_key_delete m;
    if (DECODED(key_delete)) {
        put_ids(tap, 'S', m.key_ids);
    }
}

static void show_key_delete_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_key_delete_rsp m;
    if (DECODED(key_delete_rsp)) {
        put(tap, " code %u deleted %u", m.code, m.deleted);
    }
}

static void show_status(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_status m;
    if (DECODED(status)) {
        put(tap, " table %u", m.table);
        if (m.has_period_ms) {
            put(tap, " period %u ms", m.period_ms);
        }
    }
}

static void show_status_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_status_rsp m;
    if (!(DECODED(status_rsp))) {
        return;
    }
    put(tap, " table %u code %u%s", m.table, m.code,
        m.head.orig_message_id == 0 ? " pushed" : " answer");
    for (size_t at = 0; at < m.links.len;) {
        struct wire_link_status link;
        int took = wire_link_status_decode(&link, m.links.at + at, m.links.len - at);
        if (took <= 0) {
            break;
        }
        at += (size_t)took;
        put(tap, " %s %s own %" PRIu64 " peer %" PRIu64, link_name(tap, link.link),
            link.up != 0 ? "up" : "down", link.own_bits, link.peer_bits);
    }
    for (size_t at = 0; at < m.modules.len;) {
        struct wire_module_status module;
        int took = wire_module_status_decode(&module, m.modules.at + at, m.modules.len - at);
        if (took <= 0) {
            break;
        }
        at += (size_t)took;
        put(tap, " %s %s", link_name(tap, module.link),
            module.generating != 0 ? "generating" : "stopped");
    }
}

static void put_route(struct tap *tap, struct wire_bytes route)
{
    put(tap, " route");
    for (size_t i = 0; i + 8 <= route.len; i += 8) {
        struct qkd_eid eid = {wire_get_u64(route.at + i)};
        put(tap, " %s", node_name(tap, qkd_eid_node(eid)));
    }
}

static void show_route(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_route m;
    if (DECODED(route)) {
        put(tap, " %s to %s amount %u size %u%s", node_name(tap, qkd_eid_node(m.source_id)),
            node_name(tap, qkd_eid_node(m.destination_id)), m.key_amount, m.key_size,
            m.has_reroute && m.reroute != 0 ? " reroute" : "");
    }
}

static void show_route_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_route_rsp m;
    if (DECODED(route_rsp)) {
        put(tap, " code %u", m.code);
        if (m.has_route) {
            put_route(tap, m.route);
            put(tap, " validity %u ms", m.validity_ms);
        }
        put_reason(tap, m.reason);
    }
}

static void show_generation(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_generation m;
    if (DECODED(generation)) {
        put(tap, " run %u", m.run);
    }
}

static void show_generation_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_generation_rsp m;
    if (DECODED(generation_rsp)) {
        put(tap, " code %u", m.code);
    }
}

static void show_hello(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_hello m;
    if (DECODED(hello)) {
        put(tap, " link %s reply %u epoch %u peer %u next %u%s", link_name(tap, m.link), m.reply,
            m.epoch, m.peer_epoch, m.next_seq, m.has_rx ? " rx" : "");
    }
}

static void show_session(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_session m;
    if (DECODED(session)) {
        put(tap, " %s to %s timer %u s", node_name(tap, qkd_eid_node(m.source_id)),
            node_name(tap, qkd_eid_node(m.destination_id)), m.timer_s);
    }
}

static void show_session_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_session_rsp m;
    if (DECODED(session_rsp)) {
        put(tap, " code %u", m.code);
        put_reason(tap, m.reason);
    }
}

static void show_update(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_update m;
    if (DECODED(update)) {
        put_route(tap, m.route);
        put(tap, " hop %u generation %u qos %u", m.hop, m.generation, m.qos);
    }
}

static void show_relay_done(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_relay_done m;
    if (DECODED(relay_done)) {
        put_id(tap, 'M', &m.key_id);
        put(tap, " attempt %u", m.attempt);
        put_reason(tap, m.reason);
    }
}

static void show_supply_notify(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_supply_notify m;
    struct wire_sync_item item;
    if (DECODED(supply_notify) && wire_sync_item_decode(&item, m.sync.at, m.sync.len) > 0) {
        put_id(tap, 'M', &item.id);
        put(tap, " length %u as", item.length);
        put_ids(tap, 'S', m.key_ids);
    }
}

static void show_supply_notify_rsp(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_supply_notify_rsp m;
    if (DECODED(supply_notify_rsp)) {
        put_id(tap, 'M', &m.key_id);
        put(tap, " match %u", m.match);
        put_reason(tap, m.reason);
    }
}

static void show_kmi_need(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_kmi_need m;
    if (DECODED(kmi_need)) {
        put(tap, " to %s count %u size %u%s", node_name(tap, qkd_eid_node(m.destination_id)),
            m.count, m.key_size, m.wait != 0 ? " wait" : "");
    }
}

static void show_kmi_fetch(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_kmi_fetch m;
    if (DECODED(kmi_fetch)) {
        put_id(tap, 'M', &m.key_id);
    }
}

static void show_kmi_supply(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_kmi_supply m;
    if (DECODED(kmi_supply)) {
        put(tap, " code %u", m.code);
        if (m.has_key_id) {
            put_id(tap, 'M', &m.key_id);
        }
        put(tap, " data %zu", m.key_data.len);
        if (m.has_count_id) {
            put(tap, " count %u%s", m.count_id, m.last != 0 ? " last" : "");
        }
        put_reason(tap, m.reason);
    }
}

static void show_kmi_drop(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_kmi_drop m;
    if (DECODED(kmi_drop)) {
        put_id(tap, 'M', &m.key_id);
        put_reason(tap, m.reason);
    }
}

static void show_key_file(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_key_file m;
    if (DECODED(key_file)) {
        put_id(tap, 'Q', &m.qkd_key_id);
        put(tap, " link %s length %u", link_name(tap, m.link), m.key_length);
    }
}

static void show_key_file_ack(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_key_file_ack m;
    if (DECODED(key_file_ack)) {
        put_id(tap, 'Q', &m.qkd_key_id);
        put(tap, " code %u", m.code);
    }
}

static void show_grant_request(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_grant_request m;
    if (DECODED(grant_request)) {
        put(tap, " link %s wanted %u", link_name(tap, m.link), m.wanted);
    }
}

static void show_hop_ack(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_hop_ack m;
    if (DECODED(hop_ack)) {
        put(tap, " link %s epoch %u next %u bitmap %" PRIx64 "%s", link_name(tap, m.link), m.epoch,
            m.next, m.bitmap, m.gone.len > 0 ? " gone" : "");
    }
}

static void show_q_control(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_q_control m;
    if (DECODED(q_control)) {
        put(tap, " run %u", m.run);
    }
}

static void show_q_noise(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_q_noise m;
    if (DECODED(q_noise)) {
        put(tap, " qber %u ppm", m.qber_ppm);
    }
}

static void show_app_notify(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_app_notify m;
    if (DECODED(app_notify)) {
        put_ids(tap, 'S', m.key_ids);
    }
}

static void put_faults(struct tap *tap, struct wire_bytes records)
{
    for (size_t at = 0; at < records.len;) {
        struct wire_fault_record record;
        int took = wire_fault_record_decode(&record, records.at + at, records.len - at);
        if (took <= 0) {
            break;
        }
        at += (size_t)took;
        put(tap, " %s %s object %" PRIu64, record.raised != 0 ? "raised" : "cleared",
            wire_fault_text(record.fault), record.object);
    }
}

static void show_fault(struct tap *tap, const uint8_t *bytes, size_t len)
{
    struct wire_fault m;
    if (DECODED(fault)) {
        put(tap, " of");
        put_eid(tap, m.source);
        put_faults(tap, m.records);
    }
}

static const struct {
    uint8_t command;
    void (*show)(struct tap *tap, const uint8_t *bytes, size_t len);
} shows[] = {
    {WIRE_CMD_AUTH_RSP, show_auth_rsp},
    {WIRE_CMD_KEY_SUPPLY, show_key_supply},
    {WIRE_CMD_KEY_SUPPLY_RSP, show_key_supply_rsp},
    {WIRE_CMD_KEY_DELETE, show_key_delete},
    {WIRE_CMD_KEY_DELETE_RSP, show_key_delete_rsp},
    {WIRE_CMD_STATUS, show_status},
    {WIRE_CMD_STATUS_RSP, show_status_rsp},
    {WIRE_CMD_ROUTE, show_route},
    {WIRE_CMD_ROUTE_RSP, show_route_rsp},
    {WIRE_CMD_GENERATION, show_generation},
    {WIRE_CMD_GENERATION_RSP, show_generation_rsp},
    {WIRE_CMD_HELLO, show_hello},
    {WIRE_CMD_SESSION, show_session},
    {WIRE_CMD_SESSION_RSP, show_session_rsp},
    {WIRE_CMD_UPDATE, show_update},
    {WIRE_CMD_RELAY_DONE, show_relay_done},
    {WIRE_CMD_SUPPLY_NOTIFY, show_supply_notify},
    {WIRE_CMD_SUPPLY_NOTIFY_RSP, show_supply_notify_rsp},
    {WIRE_CMD_KMI_NEED, show_kmi_need},
    {WIRE_CMD_KMI_FETCH, show_kmi_fetch},
    {WIRE_CMD_KMI_SUPPLY, show_kmi_supply},
    {WIRE_CMD_KMI_DROP, show_kmi_drop},
    {WIRE_CMD_KEY_FILE, show_key_file},
    {WIRE_CMD_KEY_FILE_ACK, show_key_file_ack},
    {WIRE_CMD_GRANT_REQUEST, show_grant_request},
    {WIRE_CMD_HOP_ACK, show_hop_ack},
    {WIRE_CMD_Q_CONTROL, show_q_control},
    {WIRE_CMD_Q_NOISE, show_q_noise},
    {WIRE_CMD_APP_NOTIFY, show_app_notify},
    {WIRE_CMD_FAULT, show_fault},
};

/* ---- frames at Kx-1 that take pads ---- */

static const char *frame_name(uint8_t type)
{
    switch ((enum wire_frame_type)type) {
    case WIRE_FRAME_RELAY:
        return "RELAY";
    case WIRE_FRAME_CONFIRM:
        return "CONFIRM";
    case WIRE_FRAME_GRANT:
        return "GRANT";
    case WIRE_FRAME_SKIP:
        return "SKIP";
    case WIRE_FRAME_TAKE:
        return "TAKE";
    }
    return "frame?";
}

static void show_confirm(struct tap *tap, const struct wire_frame *frame)
{
    struct wire_confirm_body body;
    struct wire_sync_item item;
    if (wire_confirm_body_decode(&body, frame->body, frame->body_len) > 0 &&
        wire_sync_item_decode(&item, body.sync.at, body.sync.len) > 0) {
        put(tap, " : answer %u block %u", body.answer, body.block);
        put_id(tap, 'Q', &item.id);
        put(tap, " length %u", item.length);
    }
}

static void show_body(struct tap *tap, const struct wire_frame *frame)
{
    const uint8_t *at = frame->body;
    size_t len = frame->body_len;
    struct wire_relay_body relay;
    struct wire_take_body take;
    struct wire_grant_body grant;
    struct wire_skip_body skip;
    switch ((enum wire_frame_type)frame->type) {
    case WIRE_FRAME_RELAY:
        if (wire_relay_body_decode(&relay, at, len) > 0) {
            put(tap, " :");
            put_id(tap, 'M', &relay.key_id);
            put(tap, " keys %u hop %u attempt %u", relay.count, relay.hop, relay.attempt);
        }
        break;
    case WIRE_FRAME_TAKE:
        if (wire_take_body_decode(&take, at, len) > 0) {
            put(tap, " :");
            put_id(tap, 'M', &take.key_id);
            put(tap, " keys %u", take.count);
        }
        break;
    case WIRE_FRAME_GRANT:
        if (wire_grant_body_decode(&grant, at, len) > 0) {
            put(tap, " : block %u [%u, %u)", grant.block, grant.start, grant.end);
        }
        break;
    case WIRE_FRAME_SKIP:
        if (wire_skip_body_decode(&skip, at, len) > 0) {
            put(tap, " : block %u [%u, %u)", skip.block, skip.start, skip.end);
            put_reason(tap, skip.reason);
        }
        break;
    case WIRE_FRAME_CONFIRM:
        show_confirm(tap, frame);
        break;
    }
}

static void show_frame(struct tap *tap, const struct wire_frame *frame)
{
    put(tap, " link %s block %u offset %u length %u seq %u", link_name(tap, frame->link),
        frame->block, frame->offset, frame->length, frame->seq);
    show_body(tap, frame);
}

/* ---- the hook ---- */

static bool listed(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strstr(names, name); at != NULL; at = strstr(at + 1, name)) {
        bool starts = at == names || at[-1] == ' ';
        if (starts && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static bool wanted(const struct tap *tap, const char *name)
{
    const struct tap_filter *f = &tap->filter;
    return (f->only == NULL || listed(f->only, name)) &&
           (f->without == NULL || !listed(f->without, name)) &&
           (f->most == 0 || tap->lines < f->most);
}

static void put_head(struct tap *tap, int64_t now_ns, const struct qkd_send *send, const char *name)
{
    put(tap, "[%11.6f s]", (double)now_ns * 1e-9);
    put_eid(tap, send->from);
    put(tap, " >");
    put_eid(tap, send->to);
    put(tap, " %s %s", qkd_rp_name(send->rp), name);
    tap->lines++;
}

void tap_observe(void *ctx, int64_t now_ns, const struct qkd_send *send, const uint8_t *observed)
{
    struct tap *tap = ctx;
    const struct tap_filter *f = &tap->filter;
    if (now_ns < f->from_ns || (f->to_ns != 0 && now_ns >= f->to_ns) ||
        (f->rps != 0 && (f->rps & (1U << send->rp)) == 0)) {
        return;
    }
    size_t len = send->observed.len;
    struct wire_frame frame;
    struct wire_head head;
    const char *name = "?";
    bool is_frame = len > 0 && send->rp == QKD_RP_KX1 && observed[0] == WIRE_FRAME_MAGIC &&
                    wire_frame_decode(&frame, observed, len) == 0;
    bool is_message = !is_frame && len > 0 && wire_head_decode(&head, observed, len) == 0;
    if (is_frame) {
        name = frame_name(frame.type);
    } else if (is_message) {
        name = wire_command_name(head.command) != NULL ? wire_command_name(head.command) : "?";
    } else if (len == 0) {
        name = "handshake";
    }
    if (!wanted(tap, name)) {
        return;
    }
    put_head(tap, now_ns, send, name);
    if (is_frame) {
        show_frame(tap, &frame);
    }
    for (size_t i = 0; is_message && i < sizeof(shows) / sizeof(shows[0]); i++) {
        if (shows[i].command == head.command) {
            shows[i].show(tap, observed, len);
        }
    }
    put(tap, "\n");
}
