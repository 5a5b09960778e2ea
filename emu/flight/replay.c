/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flight records into oracle, statistics and recorder. */
#include "emu/flight/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/map.h"
#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "emu/deploy/place.h"
#include "emu/flight/events.h"
#include "emu/flight/flight.h"
#include "watch/oracle.h"
#include "watch/recorder.h"
#include "watch/stats.h"

enum { UNDER_WAY_LIMIT = 1 << 22 /* messages sent and not yet arrived */ };

/* An entry kept until its batch is known to be durable. */
struct kept {
    struct emu_flight_entry entry;
    uint8_t *bytes; /* what the entry's byte strings point into */
};

struct list {
    struct kept *at;
    size_t count, cap;
};

/* What is known of one daemon. */
struct source {
    struct emu_place place;
    struct list batch;   /* since the last COMMIT */
    struct list records; /* of a START that is being read */
    uint32_t starts;
    bool starting;
};

/* A recorded message on its way: those of equal bytes in the order of sending. */
struct under_way {
    uint32_t handle, next; /* index + 1 */
};

struct player {
    const struct emu_replay *replay;
    struct scn_summary *summary;
    struct watch_oracle *oracle;
    struct watch_stats *stats;
    struct watch_recorder *recorder; /* NULL: messages are not wanted */
    struct emu_events *events;       /* faults */
    struct source *sources;
    struct qkd_map sent; /* hash of a message -> first of under_way, index + 1 */
    struct under_way *under_way;
    uint32_t under_way_count, under_way_cap;
    int64_t zero_ns; /* CLOCK_MONOTONIC of the run's time 0 */
    bool has_zero, warm;
    uint64_t cause; /* request of the message that was handed over last */
    int64_t now_ns;
};

/* ---- kept entries ---- */

static struct emu_flight_bytes *strings_of(struct emu_flight_entry *entry, size_t n)
{
    switch (entry->type) {
    case EMU_FLIGHT_RECORD:
    case EMU_FLIGHT_PERSIST:
        return n == 0 ? &entry->u.persist.value : NULL;
    case EMU_FLIGHT_RECV:
    case EMU_FLIGHT_SEND:
        return n == 0 ? &entry->u.message.bytes : n == 1 ? &entry->u.message.observed : NULL;
    case EMU_FLIGHT_REPORT:
        return n == 0 ? &entry->u.report.bytes : NULL;
    default:
        return NULL;
    }
}

static int list_add(struct list *list, const struct emu_flight_entry *entry)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 64 : 2 * list->cap;
        struct kept *at = realloc(list->at, cap * sizeof(*at));
        if (at == NULL) {
            return QKD_ERR_NOMEM;
        }
        list->at = at;
        list->cap = cap;
    }
    struct kept *kept = &list->at[list->count];
    *kept = (struct kept){.entry = *entry};
    size_t len = 0;
    struct emu_flight_bytes *string;
    for (size_t n = 0; (string = strings_of(&kept->entry, n)) != NULL; n++) {
        len += string->len;
    }
    kept->bytes = malloc(len + 1);
    if (kept->bytes == NULL) {
        return QKD_ERR_NOMEM;
    }
    size_t at = 0;
    for (size_t n = 0; (string = strings_of(&kept->entry, n)) != NULL; n++) {
        if (string->len > 0) {
            memcpy(kept->bytes + at, string->at, string->len);
        }
        string->at = kept->bytes + at;
        at += string->len;
    }
    list->count++;
    return 0;
}

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct emu_flight_bytes *string;
        for (size_t n = 0; (string = strings_of(&list->at[i].entry, n)) != NULL; n++) {
            crypto_wipe(list->at[i].bytes + (string->at - list->at[i].bytes), string->len);
        }
        free(list->at[i].bytes);
    }
    list->count = 0;
}

/* ---- messages under way, for the recorder ---- */

static struct qkd_id message_hash(const struct emu_flight_entry *entry)
{
    static const uint8_t keys[2][16] = {{1}, {2}};
    uint8_t ends[17] = {entry->u.message.rp};
    wire_put_u64(ends + 1, entry->u.message.from.v);
    wire_put_u64(ends + 9, entry->u.message.to.v);
    struct qkd_id hash;
    wire_put_u64(hash.b,
                 crypto_hash64(keys[0], ends, sizeof(ends)) ^
                     crypto_hash64(keys[0], entry->u.message.bytes.at, entry->u.message.bytes.len));
    wire_put_u64(hash.b + 8,
                 crypto_hash64(keys[1], entry->u.message.bytes.at, entry->u.message.bytes.len));
    return hash;
}

static int under_way_add(struct player *player, const struct emu_flight_entry *entry,
                         uint32_t handle)
{
    if (player->under_way_count == player->under_way_cap) {
        uint32_t cap = player->under_way_cap == 0 ? 1024 : 2 * player->under_way_cap;
        struct under_way *grown = realloc(player->under_way, cap * sizeof(*grown));
        if (grown == NULL) {
            return QKD_ERR_NOMEM;
        }
        player->under_way = grown;
        player->under_way_cap = cap;
    }
    uint32_t own = ++player->under_way_count;
    player->under_way[own - 1] = (struct under_way){handle, 0};
    struct qkd_id hash = message_hash(entry);
    uint32_t first = qkd_map_get(&player->sent, &hash);
    if (first == QKD_MAP_NONE) {
        return qkd_map_put(&player->sent, &hash, own);
    }
    while (player->under_way[first - 1].next != 0) {
        first = player->under_way[first - 1].next;
    }
    player->under_way[first - 1].next = own;
    return 0;
}

static uint32_t under_way_take(struct player *player, const struct emu_flight_entry *entry)
{
    struct qkd_id hash = message_hash(entry);
    uint32_t first = qkd_map_get(&player->sent, &hash);
    if (first == QKD_MAP_NONE) {
        return 0;
    }
    struct under_way taken = player->under_way[first - 1];
    if (taken.next != 0) {
        (void)qkd_map_put(&player->sent, &hash, taken.next);
    } else {
        (void)qkd_map_del(&player->sent, &hash);
    }
    return taken.handle;
}

/* ---- a batch ---- */

static struct qkd_persist persist_of(const struct emu_flight_entry *entry)
{
    struct qkd_persist persist = {.owner = entry->u.persist.owner,
                                  .del = entry->u.persist.del != 0,
                                  .kind = entry->u.persist.kind,
                                  .key_len = entry->u.persist.key_len,
                                  .value = {0, (uint32_t)entry->u.persist.value.len}};
    memcpy(persist.key, entry->u.persist.key, sizeof(persist.key));
    return persist;
}

static int play_persist(struct player *player, const struct emu_flight_entry *entry)
{
    struct qkd_persist persist = persist_of(entry);
    const uint8_t *value = entry->u.persist.value.at;
    watch_oracle_persist(player->oracle, player->now_ns, &persist, value);
    if (persist.kind == WIRE_PERSIST_KEY && !persist.del) {
        return watch_stats_key(player->stats, player->now_ns, &persist, value);
    }
    return 0;
}

static void play_block(struct player *player, const struct emu_flight_entry *entry)
{
    struct wire_q_block block;
    struct qkd_eid module = entry->u.message.to;
    const struct host_plan *plan = player->replay->plan;
    uint32_t place = emu_place_of(plan, module);
    if (place != EMU_NOWHERE &&
        wire_q_block_decode(&block, entry->u.message.bytes.at, entry->u.message.bytes.len) == 0) {
        watch_oracle_block(player->oracle, player->now_ns,
                           emu_place_at(plan->scenario, place).index, &block, module);
    }
}

static void play_recv(struct player *player, const struct emu_flight_entry *entry)
{
    if (entry->u.message.rp == QKD_RP_Q) {
        play_block(player, entry);
        return;
    }
    struct watch_oracle_frame frame = {(enum qkd_rp)entry->u.message.rp, entry->u.message.from,
                                       entry->u.message.to, entry->u.message.bytes.at,
                                       entry->u.message.bytes.len};
    watch_oracle_deliver(player->oracle, player->now_ns, &frame);
    player->cause = 0;
    uint32_t handle = player->recorder == NULL ? 0 : under_way_take(player, entry);
    if (handle != 0) {
        player->cause = watch_recorder_arrive(player->recorder, handle, player->now_ns, true);
    }
}

static int play_send(struct player *player, const struct emu_flight_entry *entry)
{
    struct qkd_send send = {.rp = (enum qkd_rp)entry->u.message.rp,
                            .flags = entry->u.message.flags,
                            .from = entry->u.message.from,
                            .to = entry->u.message.to,
                            .bytes = {0, (uint32_t)entry->u.message.bytes.len},
                            .observed = {0, (uint32_t)entry->u.message.observed.len}};
    const uint8_t *bytes = entry->u.message.bytes.at;
    const uint8_t *observed = send.observed.len > 0 ? entry->u.message.observed.at : NULL;
    player->summary->messages++;
    watch_oracle_send(player->oracle, player->now_ns, &send, bytes, observed);
    int rc = watch_stats_send(player->stats, player->now_ns, &send, observed);
    if (rc == 0 && player->recorder != NULL) {
        struct watch_recorder_sight sight = {&send, bytes, observed, player->now_ns, player->cause};
        uint32_t handle = watch_recorder_send(player->recorder, &sight);
        rc = handle == 0 ? 0 : under_way_add(player, entry, handle);
    }
    return rc;
}

/* The recorder takes in the reports of a step before its sends. */
static int play_facts(struct player *player, const struct list *list, size_t from)
{
    struct qkd_out facts;
    qkd_out_init(&facts, 0);
    for (size_t i = from; i < list->count; i++) {
        const struct emu_flight_entry *entry = &list->at[i].entry;
        if (entry->type == EMU_FLIGHT_REPORT) {
            qkd_out_report(&facts, &entry->u.report.report);
        } else if (entry->type == EMU_FLIGHT_RECV) {
            break;
        }
    }
    int rc = facts.failed ? QKD_ERR_NOMEM
                          : watch_recorder_facts(player->recorder, &facts,
                                                 watch_stats_opened(player->stats));
    qkd_out_fini(&facts);
    return rc;
}

static int play_report(struct player *player, const struct emu_flight_entry *entry)
{
    if (entry->u.report.report.code == QKD_REPORT_WANT_SECRET) {
        return 0;
    }
    return watch_stats_report(player->stats, player->now_ns, &entry->u.report.report,
                              entry->u.report.bytes.at);
}

/* All of a batch, step after step. */
static int play_batch(struct player *player, const struct list *list)
{
    int rc = 0;
    bool facts = player->recorder != NULL; /* are due */
    player->cause = 0;
    for (size_t i = 0; i < list->count && rc == 0; i++) {
        const struct emu_flight_entry *entry = &list->at[i].entry;
        player->summary->events += entry->type == EMU_FLIGHT_RECV;
        if (entry->type == EMU_FLIGHT_RECV) {
            play_recv(player, entry);
            facts = player->recorder != NULL;
        } else if (entry->type == EMU_FLIGHT_PERSIST) {
            rc = play_persist(player, entry);
        } else if (facts) {
            rc = play_facts(player, list, i);
            facts = false;
        }
        if (rc == 0 && entry->type == EMU_FLIGHT_SEND) {
            rc = play_send(player, entry);
        } else if (rc == 0 && entry->type == EMU_FLIGHT_REPORT) {
            rc = play_report(player, entry);
        }
    }
    return rc;
}

/* ---- starts and crashes ---- */

static bool same_key(const struct emu_flight_entry *a, const struct emu_flight_entry *b)
{
    return a->u.persist.owner.v == b->u.persist.owner.v && a->u.persist.kind == b->u.persist.kind &&
           a->u.persist.key_len == b->u.persist.key_len &&
           memcmp(a->u.persist.key, b->u.persist.key, a->u.persist.key_len) == 0;
}

/* Whether what the store handed back is as this entry left it. */
static bool entry_held(const struct list *records, const struct emu_flight_entry *entry)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct emu_flight_entry *record = &records->at[i].entry;
        if (same_key(record, entry)) {
            return entry->u.persist.del == 0 &&
                   record->u.persist.value.len == entry->u.persist.value.len &&
                   memcmp(record->u.persist.value.at, entry->u.persist.value.at,
                          entry->u.persist.value.len) == 0;
        }
    }
    return entry->u.persist.del != 0;
}

/* Whether a batch without a COMMIT reached the store: a commit is all or nothing. One that had
 * nothing to persist left no trace there. */
static bool batch_held(const struct source *source)
{
    const struct list *batch = &source->batch;
    bool any = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct emu_flight_entry *entry = &batch->at[i].entry;
        bool last = entry->type == EMU_FLIGHT_PERSIST;
        any = any || last;
        for (size_t j = i + 1; j < batch->count && last; j++) {
            last = batch->at[j].entry.type != EMU_FLIGHT_PERSIST ||
                   !same_key(entry, &batch->at[j].entry);
        }
        if (last && !entry_held(&source->records, entry)) {
            return false;
        }
    }
    return any;
}

static void note(const struct player *player, const char *kind, const struct source *source)
{
    const struct scn_sink *sink = &player->replay->sink;
    if (sink->event != NULL) {
        const struct scn_scenario *scenario = player->replay->plan->scenario;
        const char *kind_name = emu_kind_name(source->place.kind);
        const char *id = source->place.kind == EMU_LINKD ? scenario->links[source->place.index].id
                                                         : scenario->nodes[source->place.index].id;
        char entity[EMU_PLACE_NAME_SIZE];
        (void)snprintf(entity, sizeof(entity), "%s %s", kind_name, id);
        sink->event(sink->ctx, &(struct scn_event){player->now_ns, kind, entity, ""});
    }
}

/* What fell with the daemon. */
static int source_crashed(struct player *player, const struct source *source)
{
    uint32_t index = source->place.index;
    switch (source->place.kind) {
    case EMU_KMD:
        watch_oracle_crash_km(player->oracle, player->now_ns, index);
        return watch_stats_crash_km(player->stats, player->now_ns, index);
    case EMU_LINKD:
        watch_oracle_crash_modules(player->oracle, player->now_ns, index);
        return 0;
    case EMU_CTLD:
        watch_oracle_crash_controller(player->oracle, player->now_ns, index);
        if (player->replay->plan->scenario->control.standby == SCN_NO_NODE) {
            watch_stats_crash_controller(player->stats, player->now_ns);
        }
        return 0;
    case EMU_MGRD: /* steers nothing that is watched */
        return 0;
    }
    return 0;
}

/* The daemon is there again: settles what the kill left open. */
static int source_restarted(struct player *player, struct source *source)
{
    int rc = 0;
    if (batch_held(source)) { /* its steps took place; nothing of them left */
        for (size_t i = 0; i < source->batch.count && rc == 0; i++) {
            const struct emu_flight_entry *entry = &source->batch.at[i].entry;
            if (entry->type == EMU_FLIGHT_RECV) {
                play_recv(player, entry);
            }
            rc = entry->type == EMU_FLIGHT_PERSIST ? play_persist(player, entry) : 0;
        }
    }
    list_clear(&source->batch);
    list_clear(&source->records);
    source->starting = false;
    if (rc != 0 || source->starts == 1) {
        return rc;
    }
    note(player, "crash", source);
    rc = source_crashed(player, source);
    note(player, "restart", source);
    return rc;
}

/* ---- the whole ---- */

/* Monotonic clocks of one boot of one machine agree; UTC may be set meanwhile, but not by this much. */
#define CLOCKS_APART_NS (10 * QKD_NS_PER_S)

/* false: the record is of another machine, or of another boot, than the others. */
static bool clock_set(struct player *player, const struct emu_flight_entry *entry)
{
    int64_t zero_ns = entry->at.ns - (entry->u.start.wall.ns - player->replay->epoch_ns);
    if (!player->has_zero) {
        player->zero_ns = zero_ns;
        player->has_zero = true;
    }
    int64_t apart_ns = zero_ns - player->zero_ns;
    return apart_ns < CLOCKS_APART_NS && apart_ns > -CLOCKS_APART_NS;
}

/* A fault begins or ends, as in a virtual world. */
static void event_show(struct player *player, const struct emu_event *event)
{
    const struct scn_scenario *scenario = player->replay->plan->scenario;
    const struct scn_fault *fault = &scenario->faults[event->fault];
    const struct scn_sink *sink = &player->replay->sink;
    char entity[SCN_ENTITY_SIZE];
    player->now_ns = event->at_ns > player->now_ns ? event->at_ns : player->now_ns;
    scn_fault_entity(scenario, fault, entity);
    if (sink->event != NULL) {
        sink->event(sink->ctx,
                    &(struct scn_event){player->now_ns, event->begins ? "fault_begin" : "fault_end",
                                        entity, scn_fault_name(fault->what)});
    }
    if (event->begins) {
        watch_stats_fault(player->stats, player->now_ns, fault);
    } else {
        watch_stats_fault_end(player->stats, player->now_ns, fault);
    }
}

static void clock_move(struct player *player, const struct emu_flight_entry *entry)
{
    int64_t now_ns = entry->at.ns - player->zero_ns;
    int64_t until_ns = now_ns < player->replay->end_ns ? now_ns : player->replay->end_ns - 1;
    struct emu_event event;
    while (emu_events_next(player->events, until_ns, &event)) {
        event_show(player, &event);
    }
    player->now_ns = now_ns > player->now_ns ? now_ns : player->now_ns;
    if (!player->warm && player->now_ns >= player->replay->plan->scenario->warmup_ns) {
        player->warm = true;
        watch_stats_warm(player->stats, player->now_ns);
    }
}

static int play(struct player *player, struct source *source, const struct emu_flight_entry *entry)
{
    int rc = 0;
    if (source->starting && entry->type != EMU_FLIGHT_RECORD) {
        rc = source_restarted(player, source);
    }
    if (rc != 0) {
        return rc;
    }
    switch (entry->type) {
    case EMU_FLIGHT_START:
        source->starts++;
        source->starting = true;
        return 0;
    case EMU_FLIGHT_RECORD:
        return list_add(&source->records, entry);
    case EMU_FLIGHT_COMMIT:
        rc = play_batch(player, &source->batch);
        list_clear(&source->batch);
        return rc;
    case EMU_FLIGHT_RECV:
    case EMU_FLIGHT_PERSIST:
    case EMU_FLIGHT_SEND:
    case EMU_FLIGHT_REPORT:
        return list_add(&source->batch, entry);
    case EMU_FLIGHT_WALL:
    case EMU_FLIGHT_STOP:
        return 0;
    }
    return 0;
}

static int play_all(struct player *player, struct emu_flight_merge *merge, struct emu_why *why)
{
    const struct watch_oracle_verdict *verdict = watch_oracle_verdict(player->oracle);
    struct emu_flight_entry entry;
    size_t from = 0;
    int rc = emu_flight_merge_next(merge, &entry, &from, why);
    while (rc == 1 && verdict->violations == 0) {
        if (entry.type == EMU_FLIGHT_START && !clock_set(player, &entry)) {
            return emu_fail(
                why, QKD_ERR_INVALID,
                "%s: was begun on another machine, or in another boot of it, than the records "
                "before: "
                "instants are of a clock that starts with the machine, and do not compare. Judge "
                "the "
                "daemons of one machine and boot: take the flight files of older runs away",
                player->replay->flights[from]);
        }
        clock_move(player, &entry);
        if (player->now_ns > player->replay->end_ns) {
            player->now_ns = player->replay->end_ns;
            return 0;
        }
        rc = play(player, &player->sources[from], &entry);
        if (rc != 0) {
            return emu_fail(why, rc, "%s", qkd_err_text(rc));
        }
        rc = emu_flight_merge_next(merge, &entry, &from, why);
    }
    return rc < 0 ? rc : 0;
}

static int bootstrap_show(struct player *player)
{
    const struct emu_replay *replay = player->replay;
    const struct scn_scenario *scenario = replay->plan->scenario;
    size_t len = (size_t)(scenario->key_management.bootstrap_bits / 8);
    uint8_t *secret = malloc(len + 1);
    if (secret == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        replay->bootstrap(replay->ctx, i, secret, len);
        watch_oracle_config_link(player->oracle, i, &(struct wire_bytes){secret, len}, NULL);
    }
    crypto_wipe(secret, len);
    free(secret);
    return 0;
}

static uint64_t on_discarded(void *ctx, uint32_t link)
{
    const struct player *player = ctx;
    return watch_oracle_link_ledger(player->oracle, link).discarded;
}

static int player_init(struct player *player, const struct emu_flight_merge *merge,
                       struct emu_why *why)
{
    const struct emu_replay *replay = player->replay;
    const struct scn_scenario *scenario = replay->plan->scenario;
    struct watch_stats_config stats = {.scenario = scenario,
                                       .sink = &replay->sink,
                                       .epoch_ns = replay->epoch_ns,
                                       .discarded = on_discarded,
                                       .discarded_ctx = player};
    qkd_map_init(&player->sent, sizeof(struct qkd_id), UNDER_WAY_LIMIT, NULL);
    player->oracle = watch_oracle_new(scenario);
    player->stats = watch_stats_new(&stats);
    player->recorder = replay->sink.message == NULL ? NULL : watch_recorder_new(&replay->sink);
    player->sources = calloc(replay->flight_count + 1, sizeof(*player->sources));
    if (player->oracle == NULL || player->stats == NULL || player->sources == NULL ||
        (replay->sink.message != NULL && player->recorder == NULL)) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < replay->flight_count; i++) {
        const char *name = emu_flight_reader_name(emu_flight_merge_reader(merge, i));
        uint32_t number = emu_place_find(scenario, name);
        if (number == EMU_NOWHERE) {
            return emu_fail(why, QKD_ERR_FORMAT, "%s: is of %s, which the scenario does not have",
                            replay->flights[i], name);
        }
        player->sources[i].place = emu_place_at(scenario, number);
    }
    int rc = emu_events_new(replay, &player->events, why);
    return rc == 0 ? bootstrap_show(player) : rc;
}

static void player_fini(struct player *player)
{
    for (size_t i = 0; player->sources != NULL && i < player->replay->flight_count; i++) {
        list_clear(&player->sources[i].batch);
        list_clear(&player->sources[i].records);
        free(player->sources[i].batch.at);
        free(player->sources[i].records.at);
    }
    free(player->sources);
    free(player->under_way);
    qkd_map_fini(&player->sent);
    watch_oracle_free(player->oracle);
    watch_stats_free(player->stats);
    watch_recorder_free(player->recorder);
    emu_events_free(player->events);
}

static int conclude(struct player *player, struct emu_why *why)
{
    struct scn_summary *summary = player->summary;
    if (watch_oracle_verdict(player->oracle)->violations == 0) {
        watch_oracle_finish(player->oracle, player->now_ns);
    }
    watch_oracle_summarise(player->oracle, summary);
    if (player->recorder != NULL) {
        watch_recorder_finish(player->recorder);
    }
    int rc = watch_stats_finish(player->stats, player->now_ns, summary);
    if (rc == 0 && player->recorder != NULL && watch_recorder_failed(player->recorder)) {
        rc = QKD_ERR_NOMEM;
    }
    summary->engine = SCN_ENGINE_LIVE;
    summary->seed = player->replay->plan->scenario->seed;
    summary->sim_s = (double)player->now_ns / 1e9;
    return rc == 0 ? 0 : emu_fail(why, rc, "%s", qkd_err_text(rc));
}

int emu_replay_run(const struct emu_replay *replay, struct scn_summary *summary,
                   struct emu_why *why)
{
    int rc = scn_summary_init(summary, replay->plan->scenario);
    if (rc != 0) {
        return emu_fail(why, rc, "out of memory");
    }
    struct player player = {.replay = replay, .summary = summary};
    struct emu_flight_merge *merge = NULL;
    rc = emu_flight_merge_open(replay->flights, replay->flight_count, &merge, why);
    if (rc == 0) {
        rc = player_init(&player, merge, why);
        if (rc == 0) {
            rc = play_all(&player, merge, why);
        }
        if (rc == 0) {
            rc = conclude(&player, why);
        }
        player_fini(&player);
    }
    emu_flight_merge_free(merge);
    return rc;
}
