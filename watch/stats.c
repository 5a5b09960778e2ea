/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of requests: from the master's question to the slave's last key. A request is open from
 * its REQUEST report to its OUTCOME; its record goes to the sink when the slave has fetched (or
 * failed to fetch) every key, or can fetch it no more, at the latest at the end of the run. */
#include "watch/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "watch/stats_state.h"

enum {
    OPEN_LIMIT = 1 << 22, /* requests followed at a time */
    KEY_LIMIT = 1 << 22,  /* KSA-keys followed at a time */
    CHUNK_ITEMS = 64
};

static const char *const method_texts[] = {[WIRE_METHOD_NONE] = "none",
                                           [WIRE_METHOD_OTP] = "otp",
                                           [WIRE_METHOD_AES] = "aes256",
                                           [WIRE_METHOD_POOL] = "pool"};

static const char *method_text(uint64_t method)
{
    return method < sizeof(method_texts) / sizeof(method_texts[0]) ? method_texts[method] : "?";
}

/* ---- new, free ---- */

struct watch_stats *watch_stats_new(const struct watch_stats_config *config)
{
    const struct scn_scenario *scenario = config->scenario;
    struct watch_stats *stats = calloc(1, sizeof(*stats));
    if (stats == NULL) {
        return NULL;
    }
    stats->scenario = scenario;
    stats->sink = config->sink;
    stats->epoch_ns = config->epoch_ns;
    stats->oldest_key = stats->newest_key = QKD_SLAB_NONE;
    qkd_slab_init(&stats->requests, sizeof(struct watch_request), CHUNK_ITEMS, OPEN_LIMIT);
    qkd_slab_init(&stats->keys, sizeof(struct watch_key), CHUNK_ITEMS, KEY_LIMIT);
    qkd_map_init(&stats->request_map, sizeof(struct qkd_id), OPEN_LIMIT, NULL);
    qkd_map_init(&stats->key_map, sizeof(struct qkd_id), KEY_LIMIT, NULL);
    qkd_map_init(&stats->relay_map, sizeof(struct qkd_id), WATCH_RELAYS, NULL);
    stats->apps = calloc(scenario->application_count + 1, sizeof(*stats->apps));
    stats->discarded = config->discarded;
    stats->discarded_ctx = config->discarded_ctx;
    if (stats->apps == NULL || watch_healing_new(stats) != 0 || watch_links_new(stats) != 0 ||
        watch_windows_new(stats) != 0 || watch_sessions_new(stats) != 0) {
        watch_stats_free(stats);
        return NULL;
    }
    for (size_t i = 0; i < scenario->application_count; i++) {
        stats->apps[i].event = SCN_NO_INDEX;
    }
    return stats;
}

static void request_fini(struct watch_request *request)
{
    watch_route_fini(&request->route);
    free(request->keys);
    request->keys = NULL;
    watch_multicast_fini(request);
}

void watch_stats_free(struct watch_stats *stats)
{
    if (stats == NULL) {
        return;
    }
    for (uint32_t i = 0; i < stats->requests.top; i++) {
        if (qkd_slab_live(&stats->requests, i)) {
            request_fini(qkd_slab_at(&stats->requests, i));
        }
    }
    for (uint32_t i = 0; i < stats->keys.top; i++) {
        if (qkd_slab_live(&stats->keys, i)) {
            free(((struct watch_key *)qkd_slab_at(&stats->keys, i))->more);
        }
    }
    for (size_t i = 0; stats->apps != NULL && i < stats->scenario->application_count; i++) {
        watch_tally_fini(&stats->apps[i].tally);
        watch_route_fini(&stats->apps[i].route);
        watch_routes_fini(&stats->apps[i].routes);
    }
    for (uint32_t i = 0; i < stats->relay_cap; i++) {
        watch_route_fini(&stats->relays[i].route);
    }
    watch_tally_fini(&stats->total);
    watch_windows_free(stats);
    watch_sessions_free(stats);
    qkd_slab_fini(&stats->requests);
    qkd_slab_fini(&stats->keys);
    qkd_map_fini(&stats->request_map);
    qkd_map_fini(&stats->key_map);
    qkd_map_fini(&stats->relay_map);
    free(stats->relays);
    free(stats->apps);
    watch_links_free(stats);
    watch_healing_free(stats);
    free(stats);
}

uint64_t watch_stats_opened(const struct watch_stats *stats)
{
    return stats->number;
}

uint64_t watch_stats_ended(const struct watch_stats *stats)
{
    return stats->ended;
}

/* ---- the life of a request ---- */

static struct watch_request *request_at(const struct watch_stats *stats, uint32_t slot)
{
    return qkd_slab_at(&stats->requests, slot);
}

static int request_open(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    uint32_t application = qkd_eid_instance(report->who) / 2;
    if (application >= stats->scenario->application_count) {
        return 0;
    }
    uint32_t slot = qkd_slab_take(&stats->requests);
    if (slot == QKD_SLAB_NONE || qkd_map_put(&stats->request_map, &report->id, slot) != 0) {
        return QKD_ERR_NOMEM;
    }
    struct watch_request *request = request_at(stats, slot);
    request->id = report->id;
    request->number = ++stats->number;
    request->application = application;
    request->start_ns = now_ns;
    request->end_ns = request->fetched_ns = SCN_NO_TIME;
    request->asked = (uint32_t)report->b;
    request->slaves = report->c > 1 ? (uint32_t)report->c : 1;
    request->counted = now_ns >= stats->scenario->warmup_ns;
    return 0;
}

static void request_emit(struct watch_stats *stats, const struct watch_request *request)
{
    if (stats->sink->request == NULL) {
        return;
    }
    const struct watch_route *route = &request->route;
    struct scn_way ways[SCN_TARGETS_MAX];
    for (uint32_t i = 0; i < request->way_count; i++) {
        ways[i] = (struct scn_way){watch_route_nodes(&request->ways[i].route),
                                   request->ways[i].route.len};
    }
    struct scn_request record = {
        .number = request->number,
        .application = request->application,
        .start_ns = request->start_ns,
        .end_ns = request->end_ns,
        .fetched_ns = request->fetched_ns,
        .outcome = wire_outcome_text(request->outcome),
        .reason = wire_reason_text(request->reason),
        .grade = method_text(request->grade),
        .key_bits = stats->scenario->applications[request->application].key_bits,
        .keys_asked = request->asked,
        .keys_supplied = request->supplied,
        .hops = watch_request_hops(request),
        .reroutes = request->reroutes,
        .counted = request->counted,
        .route = route->len > 0 ? watch_route_nodes(route) : NULL,
        .route_count = route->len,
        .ways = ways,
        .way_count = request->way_count,
        .keys = request->keys != NULL ? request->keys : &request->one,
        .key_count = request->key_count,
    };
    stats->sink->request(stats->sink->ctx, &record);
}

static void request_close(struct watch_stats *stats, uint32_t slot)
{
    struct watch_request *request = request_at(stats, slot);
    request_emit(stats, request);
    (void)qkd_map_del(&stats->request_map, &request->id);
    request_fini(request);
    qkd_slab_give(&stats->requests, slot);
}

/* Closes a request that has ended and waits for nothing more. */
static void request_settle(struct watch_stats *stats, uint32_t slot)
{
    const struct watch_request *request = request_at(stats, slot);
    if (request->ended && request->fetched + request->missed >= request->supplied) {
        request_close(stats, slot);
    }
}

static int request_route(struct watch_stats *stats, struct watch_request *request,
                         const struct watch_key *key)
{
    const struct watch_relay *relay = watch_relay_find(stats, &key->kma_key);
    bool leaked = relay != NULL && watch_relay_leaked(relay);
    int rc = key->more_count > 0 ? watch_multicast_ways(stats, request, key, &leaked) : 0;
    request->leaked += leaked;
    if (rc != 0) {
        return rc;
    }
    if (relay == NULL || relay->route.len == 0 || request->route.len > 0) {
        return 0;
    }
    request->reroutes += relay->reroutes;
    return watch_route_set(&request->route, watch_route_nodes(&relay->route), relay->route.len);
}

/* Counts a decided request; pending ones are counted at the end. */
static void request_count(struct watch_stats *stats, const struct watch_request *request)
{
    if (request->counted) {
        watch_tally_ended(&stats->total, request);
        watch_tally_ended(&stats->apps[request->application].tally, request);
    }
    watch_windows_ended(stats, request);
}

static int request_served(struct watch_stats *stats, const struct watch_request *request)
{
    struct watch_app_stats *app = &stats->apps[request->application];
    int rc = 0;
    if (request->route.len > 0) {
        rc = watch_route_set(&app->route, watch_route_nodes(&request->route), request->route.len);
    }
    if (request->counted && rc == 0) {
        rc = watch_tally_served(&stats->total, request);
        int rc_app = watch_tally_served(&app->tally, request);
        rc = rc != 0 ? rc : rc_app;
        rc = rc != 0 ? rc : watch_routes_served(&app->routes, &request->route, request->end_ns);
    }
    rc = rc != 0 ? rc : watch_multicast_served(stats, request);
    return rc != 0 ? rc : watch_windows_served(stats, request);
}

static int request_end(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    uint32_t slot = qkd_map_get(&stats->request_map, &report->id);
    if (slot == QKD_MAP_NONE) {
        return 0;
    }
    struct watch_request *request = request_at(stats, slot);
    if (request->ended) {
        return 0;
    }
    request->ended = true;
    request->end_ns = now_ns;
    request->outcome = (uint8_t)report->a;
    request->reason = (uint8_t)report->b;
    request->grade = (uint8_t)report->d;
    request->bits = report->c;
    stats->ended++;
    request_count(stats, request);
    watch_healing_ended(stats, request);
    int rc = request->outcome == WIRE_OUTCOME_SERVED ? request_served(stats, request) : 0;
    request_settle(stats, slot);
    return rc;
}

/* ---- keys ---- */

static struct watch_key *key_at(const struct watch_stats *stats, uint32_t slot)
{
    return qkd_slab_at(&stats->keys, slot);
}

static void key_drop(struct watch_stats *stats, uint32_t slot)
{
    const struct watch_key *key = key_at(stats, slot);
    *(key->older == QKD_SLAB_NONE ? &stats->oldest_key
                                  : &key_at(stats, key->older)->newer) = key->newer;
    *(key->newer == QKD_SLAB_NONE ? &stats->newest_key
                                  : &key_at(stats, key->newer)->older) = key->older;
    (void)qkd_map_del(&stats->key_map, &key->ksa_key);
    free(key->more);
    qkd_slab_give(&stats->keys, slot);
}

/* Keys that the slave can fetch no more, because nobody told it or a crash swallowed the answer. The
 * slave's KSA has wiped them after fetch_within; its clock may drift, so twice that is waited. */
static void keys_expire(struct watch_stats *stats, int64_t now_ns)
{
    int64_t keep_ns = 2 * stats->scenario->key_management.fetch_within_ns + QKD_NS_PER_S;
    while (stats->oldest_key != QKD_SLAB_NONE &&
           key_at(stats, stats->oldest_key)->since_ns < now_ns - keep_ns) {
        uint32_t request = key_at(stats, stats->oldest_key)->request;
        key_drop(stats, stats->oldest_key);
        if (request != QKD_SLAB_NONE) {
            request_at(stats, request)->missed++;
            request_settle(stats, request);
        }
    }
}

static int key_get(struct watch_stats *stats, int64_t now_ns, const struct qkd_id *ksa_key,
                   uint32_t *slot)
{
    *slot = qkd_map_get(&stats->key_map, ksa_key);
    if (*slot != QKD_MAP_NONE) {
        return 0;
    }
    keys_expire(stats, now_ns);
    *slot = qkd_slab_take(&stats->keys);
    if (*slot == QKD_SLAB_NONE || qkd_map_put(&stats->key_map, ksa_key, *slot) != 0) {
        return QKD_ERR_NOMEM;
    }
    *key_at(stats, *slot) = (struct watch_key){.ksa_key = *ksa_key,
                                               .request = QKD_SLAB_NONE,
                                               .older = stats->newest_key,
                                               .newer = QKD_SLAB_NONE,
                                               .since_ns = now_ns};
    *(stats->newest_key == QKD_SLAB_NONE ? &stats->oldest_key
                                         : &key_at(stats, stats->newest_key)->newer) = *slot;
    stats->newest_key = *slot;
    return 0;
}

int watch_stats_key(struct watch_stats *stats, int64_t now_ns, const struct qkd_persist *entry,
                    const uint8_t *value)
{
    struct wire_p_key record;
    if (wire_p_key_decode(&record, value, entry->value.len) < 0) {
        return 0;
    }
    uint32_t application = qkd_eid_instance(record.target_app) / 2;
    bool further = record.slave != 0 && record.state == WIRE_KEY_WAITING &&
                   application < stats->scenario->application_count &&
                   stats->scenario->applications[application].of > 0;
    if (!further && (record.slave != 0 || record.state != WIRE_KEY_SUPPLIED)) {
        return 0;
    }
    uint32_t slot = QKD_SLAB_NONE;
    int rc = key_get(stats, now_ns, &record.key_id, &slot);
    if (rc == 0 && further) {
        rc = watch_multicast_held(key_at(stats, slot), application, &record.parent);
    } else if (rc == 0) {
        key_at(stats, slot)->kma_key = record.parent;
    }
    return rc;
}

static int request_key_add(struct watch_request *request, const struct watch_key *key)
{
    struct scn_key_pair pair = {key->ksa_key, key->kma_key};
    if (request->key_count == 0) {
        request->one = pair;
        request->key_count = 1;
        return 0;
    }
    if (request->keys == NULL || request->key_count == request->key_cap) {
        uint32_t cap = 2 * request->key_count + 2;
        struct scn_key_pair *keys = realloc(request->keys, cap * sizeof(*keys));
        if (keys == NULL) {
            return QKD_ERR_NOMEM;
        }
        keys[0] = request->keys == NULL ? request->one : keys[0];
        request->keys = keys;
        request->key_cap = cap;
    }
    request->keys[request->key_count++] = pair;
    return 0;
}

/* The master has a key. */
static int key_supplied(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    uint32_t request_slot = qkd_map_get(&stats->request_map, &report->id);
    uint32_t slot = QKD_SLAB_NONE;
    int rc = key_get(stats, now_ns, &report->id2, &slot);
    if (rc != 0 || request_slot == QKD_MAP_NONE) {
        return rc;
    }
    struct watch_key *key = key_at(stats, slot);
    struct watch_request *request = request_at(stats, request_slot);
    key->request = request_slot;
    request->supplied++;
    rc = request_route(stats, request, key);
    if (rc == 0 && stats->sink->request != NULL) {
        rc = request_key_add(request, key);
    }
    return rc;
}

/* The slave has a key, or gave it up. */
static int key_fetched(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    uint32_t slot = qkd_map_get(&stats->key_map, &report->id);
    if (slot == QKD_MAP_NONE) {
        return 0;
    }
    uint32_t request_slot = key_at(stats, slot)->request;
    bool failed = report->code == QKD_REPORT_FETCH_FAILED;
    if (request_slot != QKD_SLAB_NONE && !failed &&
        ++key_at(stats, slot)->fetches < request_at(stats, request_slot)->slaves) {
        return 0; /* others are still to have it */
    }
    key_drop(stats, slot);
    if (request_slot == QKD_SLAB_NONE) {
        return 0;
    }
    struct watch_request *request = request_at(stats, request_slot);
    int rc = 0;
    if (failed) {
        request->missed++;
    } else {
        int64_t took_ns = now_ns - request->start_ns;
        request->fetched++;
        if (request->counted) {
            rc = watch_tally_fetched(&stats->total, took_ns);
            int rc_app = watch_tally_fetched(&stats->apps[request->application].tally, took_ns);
            rc = rc != 0 ? rc : rc_app;
        }
        rc = rc != 0 ? rc : watch_windows_fetched(stats, request, took_ns);
        if (request->fetched == request->asked) {
            request->fetched_ns = now_ns;
        }
    }
    request_settle(stats, request_slot);
    return rc;
}

/* ---- reports ---- */

static void life_emit(const struct watch_stats *stats, const struct wire_life *life)
{
    static const char *const classes[] = {"", "qkd", "kma", "ksa"};
    struct scn_life record = {
        .time_ns = life->when.ns - stats->epoch_ns,
        .at = life->at,
        .action = wire_action_text(life->action),
        .key_class = life->key_class <= WIRE_CLASS_KSA ? classes[life->key_class] : "",
        .id = life->id,
        .parent = life->parent,
        .key_bits = life->key_length,
        .source = life->source,
        .destination = life->destination,
        .source_app = life->source_app,
        .target_app = life->target_app,
        .method = method_text(life->method),
        .link = life->has_link ? life->link : SCN_NO_INDEX,
        .hop = life->hop,
        .reason = wire_reason_text(life->has_reason ? life->reason : WIRE_REASON_NONE),
    };
    stats->sink->life(stats->sink->ctx, &record);
}

static void life_report(const struct watch_stats *stats, const struct qkd_report *report,
                        const uint8_t *bytes)
{
    struct wire_life life;
    if (stats->sink->life != NULL && wire_life_decode(&life, bytes, report->bytes.len) > 0) {
        life_emit(stats, &life);
    }
}

int watch_stats_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report,
                       const uint8_t *bytes)
{
    switch (report->code) {
    case QKD_REPORT_REQUEST:
        return request_open(stats, now_ns, report);
    case QKD_REPORT_OUTCOME:
        return request_end(stats, now_ns, report);
    case QKD_REPORT_KEY:
        return key_supplied(stats, now_ns, report);
    case QKD_REPORT_FETCHED:
    case QKD_REPORT_FETCH_FAILED:
        return key_fetched(stats, now_ns, report);
    case QKD_REPORT_ROUTE:
        return watch_relay_report(stats, now_ns, report);
    case QKD_REPORT_LIFE:
        life_report(stats, report, bytes);
        return 0;
    case QKD_REPORT_SESSION:
        return watch_sessions_report(stats, now_ns, report);
    case QKD_REPORT_TERM:
        if (report->a != 0) { /* the one in charge begins with an empty table */
            watch_stats_crash_controller(stats, now_ns);
        }
        return 0;
    case QKD_REPORT_RESERVED:
        watch_sessions_reserved(stats, now_ns, report);
        return 0;
    case QKD_REPORT_AUTH_FAILURE:
        stats->auth_failures++;
        watch_windows_note(stats, now_ns, offsetof(struct watch_window, auth_failures));
        return 0;
    default:
        watch_links_report(stats, now_ns, report);
        return 0;
    }
}

void watch_stats_warm(struct watch_stats *stats, int64_t now_ns)
{
    watch_links_warm(stats, now_ns);
    watch_sessions_warm(stats, now_ns);
}

void watch_stats_crash_controller(struct watch_stats *stats, int64_t now_ns)
{
    watch_sessions_crash_controller(stats, now_ns);
}

int watch_stats_crash(struct watch_stats *stats, int64_t now_ns, uint32_t node)
{
    if (node == stats->scenario->control.at && stats->scenario->control.standby == SCN_NO_NODE) {
        watch_stats_crash_controller(stats, now_ns);
    }
    return watch_stats_crash_km(stats, now_ns, node);
}

int watch_stats_crash_km(struct watch_stats *stats, int64_t now_ns, uint32_t node)
{
    int rc = 0;
    watch_sessions_crash_km(stats, now_ns, node);
    for (uint32_t slot = 0; slot < stats->requests.top && rc == 0; slot++) {
        if (!qkd_slab_live(&stats->requests, slot)) {
            continue;
        }
        const struct watch_request *request = request_at(stats, slot);
        if (!request->ended && stats->scenario->applications[request->application].from == node) {
            struct qkd_report report = {
                .code = QKD_REPORT_OUTCOME,
                .id = request->id,
                .a = WIRE_OUTCOME_FAILED,
                .b = WIRE_REASON_RESTARTED,
                .c = (uint64_t)request->supplied *
                     stats->scenario->applications[request->application].key_bits};
            rc = request_end(stats, now_ns, &report);
        }
    }
    return rc;
}

/* ---- the end ---- */

int watch_stats_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary)
{
    for (uint32_t slot = 0; slot < stats->requests.top; slot++) {
        if (!qkd_slab_live(&stats->requests, slot)) {
            continue;
        }
        const struct watch_request *request = request_at(stats, slot);
        if (!request->ended) {
            request_count(stats, request); /* outcome is PENDING */
        }
        request_close(stats, slot);
    }
    for (size_t i = 0; i < stats->scenario->application_count; i++) {
        watch_tally_application(&stats->apps[i].tally, &summary->applications[i]);
        watch_routes_finish(&stats->apps[i].routes, &summary->applications[i]);
    }
    watch_tally_run(&stats->total, summary);
    summary->relay.reroutes = stats->reroutes;
    summary->relay.kept_routes = stats->kept_routes;
    summary->relay.kept_oldest_s = stats->kept_routes > 0 ? (double)stats->kept_oldest_ms * 1e-3
                                                          : NAN;
    watch_fairness_finish(stats->scenario, summary);
    watch_links_finish(stats, now_ns, summary);
    watch_healing_finish(stats, summary);
    watch_windows_finish(stats, now_ns, summary);
    watch_sessions_finish(stats, now_ns, summary);
    return 0;
}
