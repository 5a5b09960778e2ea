/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QKDN manager: the element. D2.3 clauses 7.1.6 and 9; docs/protocol.md, "Management".
 *
 * Reports of one sender are stored in the order of their numbers and once: a duplicate is only
 * acknowledged again, and one is stored once all that its sender still keeps before it is (it names
 * the last of these): so nothing that can come is missed, and nothing is waited for that was dropped.
 * Acknowledgements are cumulative and leave together, ACK_DELAY_MS after the first report they
 * answer. */
#include "core/manager/manager.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/channel/reports.h"
#include "core/crypto/crypto.h"
#include "core/manager/alarms.h"
#include "core/manager/life.h"
#include "core/wire/life.h"

#define ACK_DELAY_MS 100
#define INCARNATION_SHIFT 40 /* of message IDs */
#define RETRANSMIT_MS 200    /* of handshake messages */
#define TABLE_CHUNK 32
#define ACCOUNT_LIMIT (1U << 20) /* applications accounted for */
#define LINK_LIMIT (1U << 20)    /* ends of links reported on */
#define ACK_BYTES 64
#define LINK_KEY_LEN 12

/* A reporting element, by its channel. */
struct peer {
    struct qkd_eid eid;
    enum qkd_rp rp;
    uint32_t incarnation;
    uint64_t next_seq; /* not stored yet */
    bool is_ack_due;
    uint32_t next_due; /* list of peers with is_ack_due, in order; QKD_SLAB_NONE ends it */
};

/* One end of a link: its latest performance and configuration. */
struct link_end {
    struct wire_link_status status;
    struct wire_link_config config;
    bool has_status, has_config;
};

struct mgr {
    struct mgr_config config;
    struct chan_set *set;
    struct qkd_rng rng;
    uint64_t next_message_id;
    bool is_restarted; /* senders may begin anywhere: what they sent before was acknowledged */
    struct qkd_slab peers, accounts, links;
    struct qkd_map peer_map, account_map, link_map; /* eid; app; KMA and link -> slot */
    uint32_t due_first, due_last;
    struct qkd_time ack_at;
    struct mgr_lives lives;
    struct mgr_alarms alarms;
    uint64_t reports, gaps;
    uint64_t seen_auth_failures, seen_denied; /* of chan_stats() */
};

int mgr_new(const struct mgr_config *config, struct mgr **result)
{
    *result = NULL;
    if (qkd_eid_role(config->self) != QKD_ROLE_MANAGER || config->peer_limit == 0 ||
        config->alarm_limit == 0) {
        return QKD_ERR_INVALID;
    }
    struct mgr *mgr = calloc(1, sizeof *mgr);
    if (mgr == NULL) {
        return QKD_ERR_NOMEM;
    }
    mgr->config = *config;
    struct chan_config channels = {.self = config->self,
                                   .limit = config->peer_limit,
                                   .retransmit = qkd_span_ms(RETRANSMIT_MS),
                                   .off = config->measures_off,
                                   .guard = config->guard};
    int err = chan_set_new(&channels, &mgr->set);
    if (err != 0) {
        free(mgr);
        return err;
    }
    qkd_slab_init(&mgr->peers, sizeof(struct peer), TABLE_CHUNK, config->peer_limit);
    qkd_slab_init(&mgr->accounts, sizeof(struct wire_account_record), TABLE_CHUNK, ACCOUNT_LIMIT);
    qkd_slab_init(&mgr->links, sizeof(struct link_end), TABLE_CHUNK, LINK_LIMIT);
    qkd_map_init(&mgr->peer_map, 8, config->peer_limit, NULL);
    qkd_map_init(&mgr->account_map, 8, ACCOUNT_LIMIT, NULL);
    qkd_map_init(&mgr->link_map, LINK_KEY_LEN, LINK_LIMIT, NULL);
    mgr_lives_init(&mgr->lives, config->life_limit);
    mgr_alarms_init(&mgr->alarms, config->self, config->alarm_limit);
    mgr->due_first = QKD_SLAB_NONE;
    mgr->ack_at = QKD_NEVER;
    *result = mgr;
    return 0;
}

void mgr_free(struct mgr *mgr)
{
    if (mgr == NULL) {
        return;
    }
    chan_set_free(mgr->set);
    qkd_slab_fini(&mgr->peers);
    qkd_slab_fini(&mgr->accounts);
    qkd_slab_fini(&mgr->links);
    qkd_map_fini(&mgr->peer_map);
    qkd_map_fini(&mgr->account_map);
    qkd_map_fini(&mgr->link_map);
    mgr_lives_fini(&mgr->lives);
    mgr_alarms_fini(&mgr->alarms);
    qkd_rng_fini(&mgr->rng);
    free(mgr);
}

static void bad_bytes(const struct mgr *mgr, const struct chan_message *m, int err,
                      struct qkd_out *out)
{
    struct qkd_report report = {.code = QKD_REPORT_BAD_BYTES,
                                .who = mgr->config.self,
                                .peer = m->peer,
                                .a = m->rp,
                                .b = (uint64_t)-err};
    qkd_out_report(out, &report);
}

/* The item of `key` in a table, taken anew (zeroed) if there is none; NULL at the limit or without
 * memory. */
static void *table_item(struct qkd_slab *slab, struct qkd_map *map, const uint8_t *key)
{
    uint32_t slot = qkd_map_get(map, key);
    if (slot == QKD_MAP_NONE) {
        slot = qkd_slab_take(slab);
        if (slot == QKD_SLAB_NONE) {
            return NULL;
        }
        if (qkd_map_put(map, key, slot) != 0) {
            qkd_slab_give(slab, slot);
            return NULL;
        }
    }
    return qkd_slab_at(slab, slot);
}

static void *table_find(const struct qkd_slab *slab, const struct qkd_map *map, const uint8_t *key)
{
    uint32_t slot = qkd_map_get(map, key);
    return slot == QKD_MAP_NONE ? NULL : qkd_slab_at(slab, slot);
}

static void link_key(uint8_t key[LINK_KEY_LEN], struct qkd_eid kma, uint32_t link)
{
    wire_put_u64(key, kma.v);
    wire_put_u32(key + 8, link);
}

/* ---- storing records: one function per kind ---- */

/* One record of a report on its way into the store. */
struct intake {
    struct mgr *mgr;
    const struct qkd_event *event;
    struct qkd_out *out;
    struct qkd_eid source;
    struct wire_bytes record; /* encoded */
};

static void fault_store(const struct intake *in, const struct wire_fault_record *record)
{
    if (qkd_eid_node(record->at) == qkd_eid_node(in->source)) {
        mgr_alarms_fault(&in->mgr->alarms, record, in->event->now, in->out);
    }
}

static void security_store(const struct intake *in, const struct wire_fault_record *record)
{
    if (qkd_eid_node(record->at) == qkd_eid_node(in->source)) {
        mgr_alarms_security(&in->mgr->alarms, record, in->event->now, in->out);
    }
}

/* Hands one row of a record out. */
static void life_tell(const struct intake *in, const struct wire_life *row)
{
    struct qkd_report report = {.code = QKD_REPORT_LIFE,
                                .who = in->mgr->config.self,
                                .peer = in->source,
                                .id = row->id,
                                .bytes = qkd_out_reserve(in->out, wire_life_size(row))};
    if (report.bytes.len > 0) {
        int len = wire_life_encode(row, qkd_out_at(in->out, report.bytes), report.bytes.len);
        QKD_ASSERT(len == (int)report.bytes.len);
        qkd_out_report(in->out, &report);
    }
}

static void life_store(const struct intake *in, const struct wire_life *record)
{
    size_t rows = wire_life_rows(record);
    for (size_t i = 0; i < rows; i++) {
        struct wire_life row = wire_life_row(record, i);
        mgr_lives_add(&in->mgr->lives, &row);
        if (in->mgr->config.report_life) {
            life_tell(in, &row);
        }
    }
}

static bool life_is_good(const struct wire_life *record)
{
    return wire_life_rows(record) > 0;
}

/* Increments (channel/reports.h); the peer is that of the last one. */
static void account_store(const struct intake *in, const struct wire_account_record *record)
{
    uint8_t key[8];
    wire_put_u64(key, record->app.v);
    struct wire_account_record *sum = table_item(&in->mgr->accounts, &in->mgr->account_map, key);
    if (sum != NULL) {
        sum->app = record->app;
        sum->peer_app = record->peer_app;
        sum->keys += record->keys;
        sum->bits += record->bits;
        sum->refused += record->refused;
        sum->otp_bits += record->otp_bits;
    }
}

static struct link_end *link_item(const struct intake *in, uint32_t link)
{
    uint8_t key[LINK_KEY_LEN];
    link_key(key, qkd_eid_sibling(in->source, QKD_ROLE_KMA), link);
    return table_item(&in->mgr->links, &in->mgr->link_map, key);
}

static void performance_store(const struct intake *in, const struct wire_link_status *record)
{
    struct link_end *end = link_item(in, record->link);
    if (end != NULL) {
        end->status = *record;
        end->has_status = true;
    }
}

static void configuration_store(const struct intake *in, const struct wire_link_config *record)
{
    struct link_end *end = link_item(in, record->link);
    if (end != NULL) {
        end->config = *record;
        end->has_config = true;
    }
}

#define ANY_IS_GOOD(record) true

/* Two passes over a blob of records: are they all well formed; then store each. */
#define DEFINE_STORE(name, wire_name, is_good, store)                                              \
    static int name(struct intake *in, struct wire_bytes blob)                                     \
    {                                                                                              \
        struct wire_##wire_name record;                                                            \
        for (int pass = 0; pass < 2; pass++) {                                                     \
            for (size_t at = 0; at < blob.len; at += in->record.len) {                             \
                int len = wire_##wire_name##_decode(&record, blob.at + at, blob.len - at);         \
                if (len <= 0 || !is_good(&record)) {                                               \
                    return len < 0 ? len : QKD_ERR_FORMAT;                                         \
                }                                                                                  \
                in->record = (struct wire_bytes){blob.at + at, (size_t)len};                       \
                if (pass == 1) {                                                                   \
                    store(in, &record);                                                            \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        return 0;                                                                                  \
    }
DEFINE_STORE(faults_store, fault_record, ANY_IS_GOOD, fault_store)
DEFINE_STORE(securities_store, fault_record, ANY_IS_GOOD, security_store)
DEFINE_STORE(lives_store, life, life_is_good, life_store)
DEFINE_STORE(accounts_store, account_record, ANY_IS_GOOD, account_store)
DEFINE_STORE(performances_store, link_status, ANY_IS_GOOD, performance_store)
DEFINE_STORE(configurations_store, link_config, ANY_IS_GOOD, configuration_store)

/* ---- reports: numbers, then records ---- */

/* The six messages share one layout; decoded into the same struct. */
struct report {
    uint64_t seq, after;
    struct qkd_eid source;
    struct wire_bytes records;
    int (*store)(struct intake *in, struct wire_bytes blob);
};

#define CASE_REPORT(NAME, name, store_)                                                            \
    case WIRE_CMD_##NAME: {                                                                        \
        struct wire_##name message;                                                                \
        err = wire_##name##_decode(&message, m->bytes, m->len);                                    \
        *report = (struct report){message.seq, message.after, message.source, message.records,     \
                                  (store_)};                                                       \
        return err;                                                                                \
    }

static int report_decode(const struct chan_message *m, struct report *report)
{
    struct wire_head head;
    int err = wire_head_decode(&head, m->bytes, m->len);
    if (err != 0) {
        return err;
    }
    switch (head.command) {
        CASE_REPORT(FAULT, fault, faults_store)
        CASE_REPORT(CONFIGURATION, configuration, configurations_store)
        CASE_REPORT(ACCOUNTING, accounting, accounts_store)
        CASE_REPORT(PERFORMANCE, performance, performances_store)
        CASE_REPORT(SECURITY, security, securities_store)
        CASE_REPORT(METADATA, metadata, lives_store)
    default:
        return QKD_ERR_UNKNOWN;
    }
}

static void ack_due(struct mgr *mgr, uint32_t slot, struct qkd_time now)
{
    struct peer *peer = qkd_slab_at(&mgr->peers, slot);
    if (peer->is_ack_due) {
        return;
    }
    peer->is_ack_due = true;
    peer->next_due = QKD_SLAB_NONE;
    if (mgr->due_first == QKD_SLAB_NONE) {
        mgr->due_first = slot;
        mgr->ack_at = qkd_time_add(now, qkd_span_ms(ACK_DELAY_MS));
    } else {
        struct peer *last = qkd_slab_at(&mgr->peers, mgr->due_last);
        last->next_due = slot;
    }
    mgr->due_last = slot;
}

static void acks_send(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out)
{
    while (mgr->due_first != QKD_SLAB_NONE) {
        struct peer *peer = qkd_slab_at(&mgr->peers, mgr->due_first);
        mgr->due_first = peer->next_due;
        peer->is_ack_due = false;
        if (!chan_is_up(mgr->set, peer->rp, peer->eid)) {
            continue; /* what would wait for the channel would count for the next incarnation */
        }
        struct wire_report_ack ack = {.head = {.rp = (uint8_t)peer->rp,
                                               .message_id = mgr->next_message_id++,
                                               .sender = mgr->config.self},
                                      .seq = peer->next_seq - 1};
        uint8_t bytes[ACK_BYTES];
        int len = wire_report_ack_encode(&ack, bytes, sizeof bytes);
        QKD_ASSERT(len > 0);
        struct chan_send send = {
            .rp = peer->rp, .peer = peer->eid, .message = bytes, .len = (size_t)len};
        (void)chan_send(mgr->set, event, &send, out); /* lost: the report comes again */
    }
    mgr->ack_at = QKD_NEVER;
}

/* Whether the report is the next one to store: all that its sender still keeps before it is stored. */
static bool seq_accept(struct mgr *mgr, struct peer *peer, const struct report *report)
{
    if (report->seq < peer->next_seq || report->after >= peer->next_seq ||
        report->seq == UINT64_MAX) {
        return false;
    }
    bool is_first = mgr->is_restarted && peer->next_seq == 1;
    mgr->gaps += is_first ? 0 : report->seq - peer->next_seq;
    peer->next_seq = report->seq + 1;
    return true;
}

/* A KM reports for its own parts, a module and the controller for themselves. */
static bool source_is_allowed(const struct chan_message *m, struct qkd_eid source)
{
    return m->rp == QKD_RP_MK ? qkd_eid_node(source) == qkd_eid_node(m->peer)
                              : qkd_eid_eq(source, m->peer);
}

/* Each incarnation numbers its reports from 1. */
static void peer_begin(struct peer *peer, const struct chan_message *m)
{
    if (peer->eid.v == 0 || peer->incarnation != m->peer_incarnation) {
        peer->eid = m->peer;
        peer->rp = m->rp;
        peer->incarnation = m->peer_incarnation;
        peer->next_seq = 1;
    }
}

/* A channel is up: an acknowledgement that is still due must not count for a new incarnation. */
static void on_up(struct mgr *mgr, const struct chan_message *m)
{
    uint8_t key[8];
    wire_put_u64(key, m->peer.v);
    struct peer *peer = table_find(&mgr->peers, &mgr->peer_map, key);
    if (peer != NULL) {
        peer_begin(peer, m);
    }
}

static void on_report(struct mgr *mgr, const struct qkd_event *event, const struct chan_message *m,
                      struct qkd_out *out)
{
    struct report report = {0};
    int err = report_decode(m, &report);
    if (err != 0) {
        bad_bytes(mgr, m, err, out);
        return;
    }
    uint8_t key[8];
    wire_put_u64(key, m->peer.v);
    struct peer *peer = table_item(&mgr->peers, &mgr->peer_map, key);
    if (peer == NULL) {
        return;
    }
    peer_begin(peer, m);
    ack_due(mgr, qkd_map_get(&mgr->peer_map, key), event->now);
    if (!seq_accept(mgr, peer, &report)) {
        return;
    }
    mgr->reports++;
    struct intake in = {.mgr = mgr, .event = event, .out = out, .source = report.source};
    err = source_is_allowed(m, report.source) ? report.store(&in, report.records) : QKD_ERR_DENIED;
    if (err != 0) {
        bad_bytes(mgr, m, err, out);
    }
}

/* What the channels refused since the last event is a security event of the manager's own. */
/* Peers that this element itself has put into quarantine. */
static void quarantines_watch(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_quarantine what;
    while (chan_quarantine_next(mgr->set, &what)) {
        struct wire_fault_record record = {.when = event->wall,
                                           .at = mgr->config.self,
                                           .fault = WIRE_FAULT_PEER_QUARANTINED,
                                           .object = what.peer.v,
                                           .raised = what.begins ? 1 : 0,
                                           .count = 1};
        mgr_alarms_fault(&mgr->alarms, &record, event->now, out);
    }
}

static void channels_watch(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out)
{
    const struct chan_stats *stats = chan_stats(mgr->set);
    struct wire_fault_record record = {
        .when = event->wall, .at = mgr->config.self, .object = event->u.recv.rp, .raised = 1};
    if (stats->auth_failures != mgr->seen_auth_failures) {
        record.fault = WIRE_FAULT_AUTH_FAILURE;
        mgr_alarms_security(&mgr->alarms, &record, event->now, out);
    }
    if (stats->denied != mgr->seen_denied) {
        record.fault = WIRE_FAULT_DENIED;
        mgr_alarms_security(&mgr->alarms, &record, event->now, out);
    }
    mgr->seen_auth_failures = stats->auth_failures;
    mgr->seen_denied = stats->denied;
    quarantines_watch(mgr, event, out);
}

/* ---- events ---- */

static void on_start(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out)
{
    uint8_t salt[16];
    qkd_rng_init(&mgr->rng, event->u.start.seed);
    qkd_rng_bytes(&mgr->rng, salt, sizeof salt);
    qkd_map_init(&mgr->peer_map, 8, mgr->config.peer_limit, salt);
    qkd_map_init(&mgr->account_map, 8, ACCOUNT_LIMIT, salt);
    qkd_map_init(&mgr->link_map, LINK_KEY_LEN, LINK_LIMIT, salt);
    mgr_alarms_salt(&mgr->alarms, salt);
    crypto_wipe(salt, sizeof salt);
    mgr->next_message_id = ((uint64_t)event->u.start.incarnation << INCARNATION_SHIFT) + 1;
    mgr->is_restarted = event->u.start.incarnation > 1;
    chan_set_start(mgr->set, event->u.start.incarnation, &mgr->rng);
    /* The controller opens this channel at its own start and may have nothing to say for long: until it
     * has, it does not know that its manager came back without the session. */
    if (mgr->is_restarted && mgr->config.controller.v != 0) {
        (void)chan_open(mgr->set, event, QKD_RP_MC, mgr->config.controller, out);
    }
    if (mgr->is_restarted && mgr->config.standby.v != 0) {
        (void)chan_open(mgr->set, event, QKD_RP_MC, mgr->config.standby, out);
    }
}

static int on_config(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out)
{
    struct wire_head head;
    int err = wire_head_decode(&head, event->u.config.bytes, event->u.config.len);
    if (err != 0 || head.command != WIRE_CMD_CFG_PEER) {
        return err;
    }
    struct wire_cfg_peer peer;
    err = wire_cfg_peer_decode(&peer, event->u.config.bytes, event->u.config.len);
    if (err == 0) {
        err = chan_provision(mgr->set, event, (enum qkd_rp)peer.rp, peer.peer, peer.secret.b, out);
    }
    crypto_wipe(&peer, sizeof peer);
    return err;
}

int mgr_step(struct mgr *mgr, const struct qkd_event *event, struct qkd_out *out)
{
    struct chan_message message;
    switch (event->type) {
    case QKD_EV_START:
        on_start(mgr, event, out);
        return 0;
    case QKD_EV_RECV:
        switch (chan_receive(mgr->set, event, out, &message)) {
        case CHAN_UP:
            on_up(mgr, &message);
            break;
        case CHAN_DATA:
            on_report(mgr, event, &message, out);
            break;
        case CHAN_NONE:
            break;
        }
        channels_watch(mgr, event, out);
        return 0;
    case QKD_EV_TIMEOUT:
        chan_timeout(mgr->set, event, out);
        quarantines_watch(mgr, event, out);
        if (!qkd_time_before(event->now, mgr->ack_at)) {
            acks_send(mgr, event, out);
        }
        if (!qkd_time_before(event->now, mgr->alarms.sweep_at)) {
            mgr_alarms_sweep(&mgr->alarms, event->now, out);
        }
        return 0;
    case QKD_EV_CONFIG:
        return on_config(mgr, event, out);
    case QKD_EV_PEER:
        return 0;
    }
    return QKD_ERR_INVALID;
}

struct qkd_time mgr_deadline(const struct mgr *mgr)
{
    struct qkd_time own = qkd_time_min(mgr->ack_at, mgr->alarms.sweep_at);
    return qkd_time_min(own, chan_deadline(mgr->set));
}

/* ---- queries ---- */

size_t mgr_trace(const struct mgr *mgr, const struct qkd_id *key_id, struct wire_life *records,
                 size_t cap)
{
    return mgr_lives_trace(&mgr->lives, key_id, records, cap);
}

bool mgr_account(const struct mgr *mgr, struct qkd_eid app, struct wire_account_record *record)
{
    uint8_t key[8];
    wire_put_u64(key, app.v);
    const struct wire_account_record *sum = table_find(&mgr->accounts, &mgr->account_map, key);
    if (sum != NULL) {
        *record = *sum;
    }
    return sum != NULL;
}

static const struct link_end *link_find(const struct mgr *mgr, struct qkd_eid kma, uint32_t link)
{
    uint8_t key[LINK_KEY_LEN];
    link_key(key, kma, link);
    return table_find(&mgr->links, &mgr->link_map, key);
}

bool mgr_link(const struct mgr *mgr, struct qkd_eid kma, uint32_t link,
              struct wire_link_status *status)
{
    const struct link_end *end = link_find(mgr, kma, link);
    if (end == NULL || !end->has_status) {
        return false;
    }
    *status = end->status;
    return true;
}

bool mgr_link_configuration(const struct mgr *mgr, struct qkd_eid kma, uint32_t link,
                            struct wire_link_config *config)
{
    const struct link_end *end = link_find(mgr, kma, link);
    if (end == NULL || !end->has_config) {
        return false;
    }
    *config = end->config;
    return true;
}

struct mgr_counts mgr_counts(const struct mgr *mgr)
{
    return (struct mgr_counts){.alarms_raised = mgr->alarms.raised,
                               .alarms_cleared = mgr->alarms.cleared,
                               .alarms_standing = mgr->alarms.raised - mgr->alarms.cleared,
                               .reports = mgr->reports,
                               .gaps = mgr->gaps,
                               .life_records = mgr->lives.stored,
                               .life_dropped = mgr->lives.dropped};
}
