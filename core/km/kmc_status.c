/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the KMC knows of its links and modules, what it tells the controller of them (clause 8.1.1,
 * Tables 8-1, 8-2), and whose silence it watches.
 *
 * The controller is told every period of its STATUS command, and at once when a link came, went up
 * or down, or when its key fell to half or rose to double of what it was last told. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/km/kmc_state.h"

#define LINKS_PER_MESSAGE 200U   /* more links take more messages */
#define LINK_RECORD_BYTES 160U   /* room for one encoded wire_link_status */
#define MODULE_RECORD_BYTES 96U  /* room for one encoded wire_module_status */
#define MESSAGE_EXTRA_BYTES 128U /* a STATUS_RSP besides its records */
#define KM_ITEMS                                                                                   \
    (WIRE_STATUS_KEY_AMOUNT | WIRE_STATUS_CONSUMPTION | WIRE_STATUS_KM_LINK | WIRE_STATUS_KEY_RATE)
#define ALL_ITEMS (KM_ITEMS | WIRE_STATUS_QKD_LINK | WIRE_STATUS_DELAY)
#define MANAGER_PATIENCE_MS 2000 /* beyond the silent periods: reports repeat after 1 s */

static struct qkd_span silence(const struct kmc *kmc)
{
    return qkd_span_ns(KMC_SILENT_PERIODS * kmc->config->status_period.ns);
}

/* ---- links ---- */

struct kmc_link *kmc_link_find(const struct kmc *kmc, uint32_t link)
{
    uint8_t key[4];
    wire_put_u32(key, link);
    uint32_t index = qkd_map_get(&kmc->link_map, key);
    return index == QKD_MAP_NONE ? NULL : &kmc->links[index];
}

static struct kmc_link *link_add(struct kmc *kmc, uint32_t link)
{
    if (kmc->link_count == kmc->link_cap) {
        uint32_t cap = kmc->link_cap == 0 ? 2 : kmc->link_cap * 2;
        struct kmc_link *grown = realloc(kmc->links, cap * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        kmc->links = grown;
        kmc->link_cap = cap;
    }
    uint8_t key[4];
    wire_put_u32(key, link);
    if (qkd_map_put(&kmc->link_map, key, kmc->link_count) != 0) {
        return NULL;
    }
    struct kmc_link *added = &kmc->links[kmc->link_count++];
    *added = (struct kmc_link){.link = link};
    return added;
}

int kmc_link_configure(struct kmc *kmc, const struct qkd_event *event)
{
    struct wire_cfg_link config;
    int err = wire_cfg_link_decode(&config, event->u.config.bytes, event->u.config.len);
    if (err != 0) {
        return err;
    }
    struct kmc_link *link = kmc_link_find(kmc, config.link);
    if (link == NULL) {
        link = link_add(kmc, config.link);
    }
    if (link == NULL) {
        return kmc->link_count >= kmc->config->link_limit ? QKD_ERR_LIMIT : QKD_ERR_NOMEM;
    }
    link->module = config.module;
    link->module_heard = event->now;
    return 0;
}

/* ---- telling the controller ---- */

/* What to tell: the answer to a command (orig) or a push (0), all links or those changed. */
struct status_order {
    uint64_t orig;
    uint32_t table;
    bool only_changed;
};

static bool link_is_changed(const struct kmc_link *link)
{
    uint64_t own = link->status.own_bits;
    uint64_t sent = link->sent_own_bits;
    return link->has_status && (!link->was_sent || link->sent_up != (link->status.up != 0) ||
                                (own != sent && (own <= sent / 2 || own / 2 >= sent)));
}

/* Where the parts of a message lie in working memory. */
struct status_room {
    uint8_t *links, *modules, *message;
    size_t message_bytes;
};

static bool status_room(const struct kmc *kmc, struct status_room *room, struct qkd_out *out)
{
    size_t links = kmc->link_count < LINKS_PER_MESSAGE ? kmc->link_count : LINKS_PER_MESSAGE;
    size_t records = links * (LINK_RECORD_BYTES + MODULE_RECORD_BYTES);
    room->message_bytes = records + MESSAGE_EXTRA_BYTES + kmc->serves.networks_len +
                          kmc->serves.ksa_len;
    room->links = qkd_out_scratch(out, records + room->message_bytes);
    if (room->links == NULL) {
        return false;
    }
    room->modules = room->links + links * LINK_RECORD_BYTES;
    room->message = room->links + records;
    return true;
}

/* Appends the link's records to the two blobs. */
static void link_encode(struct kmc_link *link, const struct status_order *order,
                        const struct status_room *room, struct wire_status_rsp *rsp)
{
    if (link->has_status && (order->table & KM_ITEMS) != 0) {
        struct wire_link_status status = link->status;
        status.has_delay_ns = status.has_delay_ns && (order->table & WIRE_STATUS_DELAY) != 0;
        int len = wire_link_status_encode(&status, room->links + rsp->links.len, LINK_RECORD_BYTES);
        QKD_ASSERT(len > 0);
        rsp->links.len += (size_t)len;
        link->was_sent = true;
        link->sent_up = link->status.up != 0;
        link->sent_own_bits = link->status.own_bits;
    }
    if (link->has_module_status && (order->table & WIRE_STATUS_QKD_LINK) != 0) {
        int len = wire_module_status_encode(&link->module_status, room->modules + rsp->modules.len,
                                            MODULE_RECORD_BYTES);
        QKD_ASSERT(len > 0);
        rsp->modules.len += (size_t)len;
    }
}

static void status_send(struct kmc *kmc, const struct qkd_event *event,
                        const struct status_room *room, struct wire_status_rsp *rsp,
                        struct qkd_out *out)
{
    rsp->has_networks = kmc->serves.is_set;
    rsp->networks = kmc_reach_networks(kmc);
    rsp->has_ksa = kmc->serves.has_ksa;
    rsp->ksa = kmc_reach_ksa(kmc);
    rsp->has_links = rsp->links.len > 0;
    rsp->has_modules = rsp->modules.len > 0;
    int len = wire_status_rsp_encode(rsp, room->message, room->message_bytes);
    QKD_ASSERT(len > 0);
    struct chan_send send = {
        .rp = QKD_RP_CK, .peer = kmc->controller, .message = room->message, .len = (size_t)len};
    (void)chan_send(kmc->set, event, &send, out); /* the next one comes in a period */
}

static void status_tell(struct kmc *kmc, const struct qkd_event *event,
                        const struct status_order *order, struct qkd_out *out)
{
    struct status_room room;
    if (!status_room(kmc, &room, out)) {
        return;
    }
    uint32_t next = 0;
    bool is_due = !order->only_changed;
    do {
        struct wire_status_rsp rsp = {.table = order->table,
                                      .links.at = room.links,
                                      .modules.at = room.modules,
                                      .code = order->table != 0 ? WIRE_SUCCESS : WIRE_FAILURE};
        for (uint32_t put = 0; next < kmc->link_count && put < LINKS_PER_MESSAGE; next++) {
            struct kmc_link *link = &kmc->links[next];
            if (!order->only_changed || link_is_changed(link)) {
                link_encode(link, order, &room, &rsp);
                put++;
            }
        }
        if (is_due || rsp.links.len > 0) {
            rsp.head = kmc_head(kmc, QKD_RP_CK, order->orig);
            status_send(kmc, event, &room, &rsp, out);
        }
    } while (next < kmc->link_count);
}

/* The periodic push; nothing is queued for a controller that cannot be reached. */
static void status_push(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    kmc->push_at = qkd_time_add(event->now, kmc->push_period);
    if (chan_is_up(kmc->set, QKD_RP_CK, kmc->controller)) {
        struct status_order order = {.table = kmc->push_table};
        status_tell(kmc, event, &order, out);
    }
}

void kmc_status_now(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    if (kmc->push_at.ns != QKD_NEVER.ns) {
        status_push(kmc, event, out);
    }
}

void kmc_status_command(struct kmc *kmc, const struct qkd_event *event,
                        const struct chan_message *m, struct qkd_out *out)
{
    struct wire_status command;
    int err = wire_status_decode(&command, m->bytes, m->len);
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    struct status_order order = {.orig = command.head.message_id,
                                 .table = command.table & ALL_ITEMS};
    kmc->commanded = true;
    bool is_new = command.head.message_id > kmc->last_command_id;
    if (is_new && order.table != 0 && command.has_period_ms) {
        kmc->last_command_id = command.head.message_id;
        kmc->push_table = order.table;
        kmc->push_period = qkd_span_ms(command.period_ms);
        kmc->push_at = command.period_ms == 0 ? QKD_NEVER
                                              : qkd_time_add(event->now, kmc->push_period);
    }
    status_tell(kmc, event, &order, out);
}

/* ---- what the KMA and the modules say ---- */

void kmc_status_from_kma(struct kmc *kmc, const struct qkd_event *event,
                         const struct chan_message *m, struct qkd_out *out)
{
    struct wire_status_rsp rsp;
    int err = wire_status_rsp_decode(&rsp, m->bytes, m->len);
    if (err == 0 && rsp.head.message_id <= kmc->last_kma_status_id) {
        return;
    }
    for (size_t at = 0; err == 0 && at < rsp.links.len;) {
        struct wire_link_status status;
        int len = wire_link_status_decode(&status, rsp.links.at + at, rsp.links.len - at);
        if (len < 0) {
            err = len;
            break;
        }
        at += (size_t)len;
        struct kmc_link *link = kmc_link_find(kmc, status.link);
        if (link != NULL) {
            link->status = status;
            link->has_status = true;
        }
    }
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
        return;
    }
    kmc->last_kma_status_id = rsp.head.message_id;
    kmc_map_own(kmc, event, out);
    if (kmc->push_at.ns == QKD_NEVER.ns) {
        return;
    }
    /* A push that is about due goes now, so that what the controller knows is not a period old. */
    struct qkd_span half = {(kmc->push_period.ns < kmc->config->status_period.ns
                                 ? kmc->push_period.ns
                                 : kmc->config->status_period.ns) /
                            2};
    if (!qkd_time_before(qkd_time_add(event->now, half), kmc->push_at)) {
        status_push(kmc, event, out);
    } else if (chan_is_up(kmc->set, QKD_RP_CK, kmc->controller)) {
        struct status_order order = {.table = kmc->push_table, .only_changed = true};
        status_tell(kmc, event, &order, out);
    }
}

static void module_take(struct kmc *kmc, const struct qkd_event *event, struct kmc_link *link,
                        const struct wire_module_status *status, struct qkd_out *out)
{
    link->module_status = *status;
    link->has_module_status = true;
    link->module_heard = event->now;
    (void)chan_report_clear(&kmc->reports, event, WIRE_FAULT_MODULE_DOWN, link->link, out);
    if (status->qber_ppm > WIRE_QBER_LIMIT_PPM) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_QBER_HIGH, link->link, out);
    } else {
        (void)chan_report_clear(&kmc->reports, event, WIRE_FAULT_QBER_HIGH, link->link, out);
    }
}

void kmc_status_from_module(struct kmc *kmc, const struct qkd_event *event,
                            const struct chan_message *m, struct qkd_out *out)
{
    struct wire_status_rsp rsp;
    int err = wire_status_rsp_decode(&rsp, m->bytes, m->len);
    for (size_t at = 0; err == 0 && at < rsp.modules.len;) {
        struct wire_module_status status;
        int len = wire_module_status_decode(&status, rsp.modules.at + at, rsp.modules.len - at);
        if (len < 0) {
            err = len;
            break;
        }
        at += (size_t)len;
        struct kmc_link *link = kmc_link_find(kmc, status.link);
        bool is_own = link != NULL && qkd_eid_eq(link->module, m->peer) &&
                      qkd_eid_eq(status.module, m->peer);
        if (!is_own) {
            err = QKD_ERR_INVALID; /* a module speaks for itself only */
        } else if (rsp.head.message_id > link->last_status_id) {
            link->last_status_id = rsp.head.message_id;
            module_take(kmc, event, link, &status, out);
        }
    }
    if (err != 0) {
        kmc_bad_bytes(kmc, m, err, out);
    }
}

/* ---- time ---- */

static void watch_modules(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    for (uint32_t i = 0; i < kmc->link_count; i++) {
        const struct kmc_link *link = &kmc->links[i];
        struct qkd_time due = qkd_time_add(link->module_heard, silence(kmc));
        if (link->module.v != 0 && qkd_time_before(due, event->now)) {
            if (!qkd_is_off(kmc->config->measures_off, QKD_MEASURE_STALE_STATUS)) {
                (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_MODULE_DOWN, link->link,
                                        out);
            }
        }
    }
}

static void watch_controller(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    if (kmc->config->controller.v == 0) {
        return;
    }
    bool is_due = !qkd_time_before(event->now, kmc->controller_due);
    if (!chan_is_up(kmc->set, QKD_RP_CK, kmc->controller)) {
        if (is_due) { /* it may have restarted and lost its handshake with us: nobody else tries again */
            (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_CONTROLLER_LOST, 0, out);
            (void)chan_open(kmc->set, event, QKD_RP_CK, kmc->controller, out);
        }
        return;
    }
    if (chan_report_stands(&kmc->reports, WIRE_FAULT_CONTROLLER_LOST, 0)) {
        kmc_route_probe(kmc, event, out); /* a route was not answered: nothing else may be asked */
    }
    if (!kmc->commanded && is_due) {
        /* It commands us once it holds the channel for up. If it restarted before it did, only a
         * message of ours makes it notice that we are there. */
        struct status_order order = {.table = KM_ITEMS};
        status_tell(kmc, event, &order, out);
    }
    if (kmc->commanded || is_due) {
        kmc->controller_due = qkd_time_add(event->now, silence(kmc));
    }
}

static void watch_manager(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    if (!chan_reports_waiting(&kmc->reports)) {
        kmc->manager_heard = event->now;
        return;
    }
    struct qkd_time due = qkd_time_add(qkd_time_add(kmc->manager_heard, silence(kmc)),
                                       qkd_span_ms(MANAGER_PATIENCE_MS));
    if (!qkd_time_before(event->now, due)) {
        (void)chan_report_raise(&kmc->reports, event, WIRE_FAULT_MANAGER_LOST, 0, out);
    }
}

void kmc_status_timeout(struct kmc *kmc, const struct qkd_event *event, struct qkd_out *out)
{
    if (!qkd_time_before(event->now, kmc->push_at)) {
        status_push(kmc, event, out);
    }
    if (!qkd_time_before(event->now, kmc->tick_at)) {
        watch_modules(kmc, event, out);
        watch_controller(kmc, event, out);
        kmc_term_tick(kmc, event, out);
        watch_manager(kmc, event, out);
        kmc->tick_at = qkd_time_add(event->now, kmc->config->status_period);
    }
}
