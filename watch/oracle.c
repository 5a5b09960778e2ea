/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Oracle of the virtual worlds: entry points, verdict, own cost. What is checked where is drawn in
 * oracle_state.h; docs/oracle.md explains it. */
#include "watch/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/crypto/crypto.h"
#include "watch/oracle_state.h"

enum { LOST_AFTER_S = 300, FLOWS = 4, LONGEST_S = 400000000 }; /* of lost_after() */
enum {
    PREEMPTED_NS = 50000, /* a call that took longer was interrupted, or was an audit */
    AUDIT_SHARE = 16,     /* calls per item that an audit looks at, so that it never weighs much */
    BOOT_KEYS = 64,       /* bytes of block 0 before its pads: two hash keys, HELLO key */
    COST_STRIDE = 251,    /* one call of so many is timed; prime, so that it meets all kinds */
    SLAB_KEYS = 256,      /* items per piece of memory */
    SLAB_BLOCKS = 64,
    MOST = 1 << 28 /* of blocks, messages, keys */
};

/* ---- own cost ---- */

static int64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * QKD_NS_PER_S + t.tv_nsec;
}

/* Every entry: time moves, audits fall due. Gives the clock if this call is timed, else 0. */
static int64_t enter(struct watch_oracle *o, int64_t now_ns)
{
    int64_t start = ++o->calls % COST_STRIDE == 0 ? clock_ns() : 0;
    if (o->deleted_count > 0 && now_ns > o->deleted_ns) {
        watch_orc_flush(o);
    }
    o->now_ns = now_ns;
    if (o->calls >= o->audit_at) {
        uint64_t live = (uint64_t)o->ksa_keys.live + o->blocks.live;
        uint64_t pause = AUDIT_SHARE * live;
        o->audit_at = o->calls + (pause > WATCH_ORC_AUDIT ? pause : WATCH_ORC_AUDIT);
        watch_orc_audit(o);
    }
    return start;
}

static void leave(struct watch_oracle *o, int64_t start)
{
    if (start != 0) {
        int64_t took = clock_ns() - start - o->clock_cost_ns;
        took = took < PREEMPTED_NS ? took : 0;
        o->cost_ns += took > 0 ? (uint64_t)took * COST_STRIDE : 0;
    }
}

/* What two readings of the clock take by themselves: the least of some. */
static int64_t clock_cost(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 32; i++) {
        int64_t start = clock_ns();
        int64_t took = clock_ns() - start;
        least = took < least ? took : least;
    }
    return least;
}

uint64_t watch_oracle_cost_ns(const struct watch_oracle *oracle)
{
    return oracle->cost_ns;
}

/* ---- life ---- */

static bool links_new(struct watch_oracle *o)
{
    size_t count = o->scenario->link_count;
    o->links = calloc(count > 0 ? count : 1, sizeof *o->links);
    if (o->links == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct scn_link *link = &o->scenario->links[i];
        uint32_t low = link->a < link->b ? link->a : link->b;
        uint32_t high = link->a < link->b ? link->b : link->a;
        o->links[i].boot_block = QKD_SLAB_NONE;
        o->links[i].side[0].kma = qkd_eid_make(QKD_ROLE_KMA, 0, low);
        o->links[i].side[1].kma = qkd_eid_make(QKD_ROLE_KMA, 0, high);
    }
    return true;
}

/* How long a frame may be under way: a full queue of the slowest channel, shared by a few flows, and
 * some time for latency and jitter. */
static int64_t lost_after(const struct scn_scenario *scenario)
{
    const struct scn_classical *net = &scenario->classical;
    uint64_t slowest = net->bandwidth_bps;
    for (size_t i = 0; i < scenario->link_count; i++) {
        uint64_t bps = scenario->links[i].classical_bandwidth_bps;
        slowest = bps < slowest ? bps : slowest;
    }
    for (size_t i = 0; i < net->link_count; i++) {
        uint64_t bps = net->links[i].bandwidth_bps;
        slowest = bps < slowest ? bps : slowest;
    }
    double queue_s = 8.0 * (double)net->queue_bytes / (double)slowest;
    double wait_s = LOST_AFTER_S + FLOWS * queue_s;
    return wait_s < LONGEST_S ? (int64_t)(wait_s * 1e9) : INT64_C(1000000000) * LONGEST_S;
}

struct watch_oracle *watch_oracle_new(const struct scn_scenario *scenario)
{
    struct watch_oracle *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return NULL;
    }
    const struct scn_key_management *km = &scenario->key_management;
    o->scenario = scenario;
    o->clock_cost_ns = clock_cost();
    o->unit_bytes = km->unit_bits >= 8 ? km->unit_bits / 8 : 1;
    o->horizon_ns = km->timer_ns + 2 * km->fetch_within_ns + 10 * QKD_NS_PER_S;
    o->lost_after_ns = lost_after(scenario);
    o->mail_first = o->mail_last = o->key_first = o->key_last = QKD_SLAB_NONE;
    qkd_slab_init(&o->blocks, sizeof(struct watch_orc_block), SLAB_BLOCKS, MOST);
    qkd_slab_init(&o->mails, sizeof(struct watch_orc_mail), SLAB_KEYS, MOST);
    qkd_slab_init(&o->kma_keys, sizeof(struct watch_orc_kma_key), SLAB_KEYS, MOST);
    qkd_slab_init(&o->ksa_keys, sizeof(struct watch_orc_ksa_key), SLAB_KEYS, MOST);
    qkd_map_init(&o->block_by_id, sizeof(struct qkd_id), MOST, NULL);
    qkd_map_init(&o->block_by_number, 8, MOST, NULL);
    qkd_map_init(&o->mail_by_tail, 8, MOST, NULL);
    qkd_map_init(&o->kma_by_id, sizeof(struct qkd_id), MOST, NULL);
    qkd_slab_init(&o->shares, sizeof(struct watch_orc_shares), 4, MOST);
    qkd_map_init(&o->shares_by_id, sizeof(struct qkd_id), MOST, NULL);
    qkd_map_init(&o->ksa_by_id, sizeof(struct qkd_id), MOST, NULL);
    o->is_multicast = watch_orc_multicast_any(scenario);
    qkd_slab_init(&o->draws, sizeof(struct watch_orc_draw), SLAB_KEYS, MOST);
    qkd_map_init(&o->draw_by_hash, 8, MOST, NULL);
    watch_orc_session_init(o);
    watch_orc_place_init(o);
    if (!links_new(o) || watch_orc_term_init(o) != 0 || watch_orc_rate_init(o) != 0 ||
        watch_orc_fair_init(o) != 0 || watch_orc_guarantee_init(o) != 0 ||
        watch_orc_hops_init(o) != 0 || watch_orc_light_init(o) != 0) {
        watch_oracle_free(o);
        return NULL;
    }
    return o;
}

void watch_oracle_free(struct watch_oracle *oracle)
{
    if (oracle == NULL) {
        return;
    }
    for (uint32_t i = 0; i < oracle->blocks.top; i++) {
        if (qkd_slab_live(&oracle->blocks, i)) {
            watch_orc_block_free(oracle, i);
        }
    }
    for (size_t i = 0; oracle->links != NULL && i < oracle->scenario->link_count; i++) {
        free(oracle->links[i].side[0].ring);
        free(oracle->links[i].side[1].ring);
    }
    watch_orc_session_fini(oracle);
    watch_orc_term_fini(oracle);
    watch_orc_fair_free(oracle);
    watch_orc_guarantee_free(oracle);
    watch_orc_hops_free(oracle);
    free(oracle->rates);
    free(oracle->light);
    free(oracle->links);
    free(oracle->deleted);
    qkd_slab_fini(&oracle->blocks);
    qkd_slab_fini(&oracle->mails);
    qkd_slab_fini(&oracle->kma_keys);
    qkd_slab_fini(&oracle->shares);
    qkd_map_fini(&oracle->shares_by_id);
    qkd_slab_fini(&oracle->ksa_keys);
    qkd_map_fini(&oracle->block_by_id);
    qkd_map_fini(&oracle->block_by_number);
    qkd_map_fini(&oracle->mail_by_tail);
    qkd_map_fini(&oracle->kma_by_id);
    qkd_map_fini(&oracle->ksa_by_id);
    qkd_slab_fini(&oracle->draws);
    qkd_map_fini(&oracle->draw_by_hash);
    crypto_wipe(oracle, sizeof *oracle);
    free(oracle);
}

/* ---- verdict ---- */

struct line {
    char *to;
    size_t size, len;
};

static void add(struct line *line, const char *before, const char *text)
{
    int n = snprintf(line->to + line->len, line->size - line->len, "%s%s", before, text);
    line->len += n > 0 ? (size_t)n : 0;
    line->len = line->len < line->size ? line->len : line->size - 1;
}

static void add_eid(const struct watch_oracle *o, struct line *line, const char *before,
                    struct qkd_eid eid)
{
    if (eid.v == 0) {
        return;
    }
    uint32_t node = qkd_eid_node(eid);
    add(line, before, qkd_role_name(qkd_eid_role(eid)));
    add(line, " ", node < o->scenario->node_count ? o->scenario->nodes[node].id : "?");
}

static void add_number(struct line *line, const char *before, unsigned long number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lu", number);
    add(line, before, text);
}

/* Whether a measure that the scenario switches off explains a violation: what it alone prevents, or
 * anything once a message of an attacker was taken for genuine. */
static bool is_excused(const struct watch_oracle *o, const char *what)
{
    static const struct {
        enum qkd_measure measure;
        const char *rule; /* what the text of the violation begins with */
    } rules[] = {
        {QKD_MEASURE_RECORD_ENCRYPTION, "leak:"},
        {QKD_MEASURE_AUTHORIZATION, "rule 5:"},
        {QKD_MEASURE_RELAY_ENCRYPTION, "leak:"},
        {QKD_MEASURE_RELAY_ENCRYPTION, "rule 3: body is not the plain text under its pad"},
        {QKD_MEASURE_FULL_TAGS, "rule 3: tag is not that of header and body"},
        {QKD_MEASURE_FRESH_START, "rule"}, /* who uses numbers again breaks any of them */
    };
    uint32_t off = o->scenario->measures_off;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && off != 0; i++) {
        if (qkd_is_off(off, rules[i].measure) &&
            strncmp(what, rules[i].rule, strlen(rules[i].rule)) == 0) {
            return true;
        }
    }
    return off != 0 && o->forged;
}

void watch_oracle_forged(struct watch_oracle *oracle)
{
    oracle->forged = true;
    if (oracle->scenario->measures_off == 0) {
        watch_orc_fail(oracle, "security: an element took a forged message for genuine", NULL);
    }
}

static void scene_write(const struct watch_oracle *o, struct line *to,
                        const struct watch_orc_scene *scene)
{
    struct line line = *to;
    add_eid(o, &line, "; ", scene->from);
    add_eid(o, &line, " -> ", scene->to);
    if (scene->rp != 0) {
        add(&line, " at ", qkd_rp_name((enum qkd_rp)scene->rp));
    }
    const char *command = scene->command != 0 ? wire_command_name(scene->command) : NULL;
    if (command != NULL) {
        add(&line, " ", command);
    }
    if (scene->link < o->scenario->link_count && (scene->rp == 0 || scene->has_range)) {
        add(&line, ", link ", o->scenario->links[scene->link].id);
    }
    if (scene->has_range) {
        add_number(&line, ", block ", scene->block);
        add_number(&line, ", bytes ", scene->start);
        add_number(&line, " to ", scene->end);
        add_number(&line, ", frame ", scene->seq);
    }
    if (scene->id != NULL) {
        char id[37];
        qkd_id_format(scene->id, id);
        add(&line, ", key ", id);
    }
}

void watch_orc_fail(struct watch_oracle *o, const char *what, const struct watch_orc_scene *scene)
{
    struct watch_oracle_verdict *v = &o->verdict;
    bool excused = is_excused(o, what);
    uint64_t before = excused ? v->excused++ : v->violations++;
    if (before > 0) {
        return;
    }
    v->first_ns = excused ? v->first_ns : o->now_ns;
    struct line line = {excused ? v->excused_first : v->first, sizeof v->first, 0};
    add(&line, "", what);
    if (scene != NULL) {
        scene_write(o, &line, scene);
    }
}

const struct watch_oracle_verdict *watch_oracle_verdict(const struct watch_oracle *oracle)
{
    return &oracle->verdict;
}

/* ---- key comes in ---- */

void watch_oracle_config_link(struct watch_oracle *oracle, uint32_t link,
                              const struct wire_bytes *secret, const uint8_t *seed)
{
    const uint8_t *bootstrap = secret->at;
    size_t len = secret->len;
    if (link >= oracle->scenario->link_count || oracle->links[link].bootstrap > 0 ||
        len < BOOT_KEYS || len > UINT32_MAX / 8) {
        return;
    }
    struct watch_orc_link *l = &oracle->links[link];
    struct wire_q_block boot = {.form = seed != NULL, .key_length = (uint32_t)(8 * len)};
    boot.key = seed != NULL ? (struct wire_bytes){seed, 32} : (struct wire_bytes){bootstrap, len};
    uint32_t slot = watch_orc_block_new(oracle, link, &boot);
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    uint32_t half = (uint32_t)(len - BOOT_KEYS) / 2;
    memcpy(l->side[0].hash_key, bootstrap, sizeof l->side[0].hash_key);
    memcpy(l->side[1].hash_key, bootstrap + 16, sizeof l->side[1].hash_key);
    watch_orc_leak_add(&oracle->leak, bootstrap, len);
    l->bootstrap = len;
    l->boot_block = slot;
    l->bytes[WATCH_ORC_HASH_KEYS] = l->settled[WATCH_ORC_HASH_KEYS] = BOOT_KEYS;
    l->bytes[WATCH_ORC_IN_FLIGHT] += len - BOOT_KEYS;
    watch_orc_block_halve(oracle, slot, 0, BOOT_KEYS, BOOT_KEYS + half - half % 16);
    watch_orc_block_confirmed(oracle, slot);
}

/* The block is new to the oracle: remembers it. */
static uint32_t block_first(struct watch_oracle *o, uint32_t link, const struct wire_q_block *block)
{
    uint32_t slot = watch_orc_block_new(o, link, block);
    if (slot != QKD_SLAB_NONE) {
        if (qkd_map_put(&o->block_by_id, &block->qkd_key_id, slot) != 0) {
            watch_orc_fail(o, "oracle: out of memory for blocks", NULL);
        }
        watch_orc_leak_add(&o->leak, block->key.at, block->key.len);
    }
    return slot;
}

static void block_given(struct watch_oracle *o, uint32_t link, const struct wire_q_block *from,
                        struct qkd_eid module)
{
    uint32_t side = watch_orc_side_of(o, link, qkd_eid_sibling(module, QKD_ROLE_KMA));
    struct watch_orc_scene scene = {.to = module, .link = link, .id = &from->qkd_key_id};
    if (!watch_orc_check(o, side < 2, "rule 1: key for a module of another link", &scene)) {
        return;
    }
    uint32_t slot = qkd_map_get(&o->block_by_id, &from->qkd_key_id);
    if (slot == QKD_MAP_NONE) {
        slot = block_first(o, link, from);
    }
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    struct watch_orc_block *block = watch_orc_block_at(o, slot);
    block->modules |= (uint8_t)(1U << side);
    if (block->modules == 3 && !block->generated) {
        block->generated = true;
        o->links[link].generated += block->bytes;
        o->links[link].bytes[WATCH_ORC_IN_FLIGHT] += block->bytes;
    }
}

void watch_oracle_block(struct watch_oracle *oracle, int64_t now_ns, uint32_t link,
                        const struct wire_q_block *block, struct qkd_eid module)
{
    int64_t start = enter(oracle, now_ns);
    if (link < oracle->scenario->link_count) {
        block_given(oracle, link, block, module);
        watch_orc_light_block(oracle, link, block, module);
        struct watch_orc_link *l = &oracle->links[link];
        l->rate_bps = block->rate_bps > l->rate_bps ? block->rate_bps : l->rate_bps;
    }
    leave(oracle, start);
}

/* ---- bytes in, records, bytes out ---- */

static void mail_delivered(struct watch_oracle *o, const struct watch_oracle_frame *frame)
{
    struct watch_orc_mail mail;
    if (!watch_orc_mail_take(o, watch_orc_word(frame->bytes + frame->len - 8), frame->to, &mail)) {
        return;
    }
    switch ((enum watch_orc_mail_kind)mail.kind) {
    case WATCH_ORC_MAIL_FRAME:
        watch_orc_frame_meant(o, &mail);
        break;
    case WATCH_ORC_MAIL_ACK:
        watch_orc_ack_meant(o, &mail);
        break;
    case WATCH_ORC_MAIL_MATCH:
        watch_orc_match_meant(o, &mail);
        break;
    }
}

void watch_oracle_deliver(struct watch_oracle *oracle, int64_t now_ns,
                          const struct watch_oracle_frame *frame)
{
    int64_t start = enter(oracle, now_ns);
    if (oracle->deleted_count > 0) {
        watch_orc_flush(oracle); /* a new step begins */
    }
    if (frame->len >= 8 && (frame->rp == QKD_RP_KX1 || frame->rp == QKD_RP_KX2)) {
        if (frame->bytes[0] == WIRE_FRAME_MAGIC) {
            watch_orc_relay_delivered(oracle, frame);
        } else {
            mail_delivered(oracle, frame);
        }
    }
    leave(oracle, start);
}

void watch_oracle_persist(struct watch_oracle *oracle, int64_t now_ns,
                          const struct qkd_persist *entry, const uint8_t *value)
{
    int64_t start = enter(oracle, now_ns);
    switch (entry->kind) {
    case WIRE_PERSIST_CHUNK:
        watch_orc_persist_chunk(oracle, entry, value);
        break;
    case WIRE_PERSIST_BLOCK:
        watch_orc_persist_block(oracle, entry, value);
        break;
    case WIRE_PERSIST_TERM:
        watch_orc_term_persist(oracle, entry);
        break;
    case WIRE_PERSIST_KEY:
        watch_orc_persist_key(oracle, entry, value);
        break;
    default:
        break;
    }
    leave(oracle, start);
}

void watch_oracle_lose(struct watch_oracle *oracle, int64_t now_ns, const struct qkd_persist *entry)
{
    struct qkd_persist deletion = *entry;
    deletion.del = true;
    oracle->losing = true;
    watch_oracle_persist(oracle, now_ns, &deletion, NULL);
    oracle->losing = false;
}

static void message_sent(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                         const uint8_t *observed)
{
    watch_orc_term_sent(o, send, observed);
    switch (observed[2]) {
    case WIRE_CMD_Q_LIGHT:
        watch_orc_light_sent(o, send, observed);
        break;
    case WIRE_CMD_HOP_ACK:
        watch_orc_ack_sent(o, send, bytes, observed);
        break;
    case WIRE_CMD_SESSION:
        watch_orc_hops_session(o, send, observed);
        break;
    case WIRE_CMD_RELAY_DONE:
        watch_orc_hops_done(o, send, observed);
        break;
    case WIRE_CMD_RELAY_SUM:
        watch_orc_sum(o, send, observed);
        break;
    case WIRE_CMD_SUPPLY_NOTIFY:
        watch_orc_notify(o, send, observed);
        break;
    case WIRE_CMD_SUPPLY_NOTIFY_RSP:
        watch_orc_notify_rsp(o, send, bytes, observed);
        break;
    case WIRE_CMD_KEY_SUPPLY_RSP:
        watch_orc_supply(o, send, observed);
        break;
    case WIRE_CMD_KEY_FILE:
        watch_orc_key_file(o, send, observed);
        break;
    case WIRE_CMD_KMI_NEED:
    case WIRE_CMD_KMI_SUPPLY:
        watch_orc_fair(o, send, observed, observed[2]);
        watch_orc_guarantee(o, send, observed, observed[2]);
        break;
    case WIRE_CMD_RESERVE:
        watch_orc_reserve(o, send, observed);
        break;
    case WIRE_CMD_RESERVE_RSP:
        watch_orc_reserve_rsp(o, send, observed);
        break;
    case WIRE_CMD_RELEASE_RSP:
        watch_orc_release_rsp(o, send, observed);
        break;
    case WIRE_CMD_METADATA:
        watch_orc_life(o, send, observed);
        break;
    default:
        break;
    }
}

/* Where messages travel as they are: no reference points of the standards. */
static bool open_at(enum qkd_rp rp)
{
    return rp == QKD_RP_Q || rp == QKD_RP_LOAD || rp == QKD_RP_APP || rp == QKD_RP_SAE;
}

static void sent(struct watch_oracle *o, const struct qkd_send *send, const uint8_t *bytes,
                 const uint8_t *observed)
{
    struct watch_orc_scene scene = {.from = send->from, .to = send->to, .rp = send->rp};
    watch_orc_place_check(o, send, observed);
    bool bare = send->rp == QKD_RP_KX1 && bytes[0] == WIRE_FRAME_MAGIC;
    bool open = open_at(send->rp);
    if (bare || (send->rp == QKD_RP_KX1 && observed != NULL && observed[0] == WIRE_FRAME_MAGIC)) {
        watch_orc_frame_sent(o, send, bytes, observed);
    } else if (observed != NULL && send->observed.len >= WIRE_HEAD_LEN) {
        message_sent(o, send, bytes, observed);
    }
    if (observed != NULL && !bare && !open) {
        bool clear = send->bytes.len == send->observed.len &&
                     memcmp(bytes, observed, send->bytes.len) == 0;
        (void)watch_orc_check(o, !clear, "rule 9: message outside the record layer", &scene);
    }
    if (qkd_eid_node(send->from) != qkd_eid_node(send->to)) {
        (void)watch_orc_check(o, !watch_orc_leak_found(&o->leak, bytes, send->bytes.len),
                              "leak: key bits in clear on a link", &scene);
    }
}

void watch_oracle_send(struct watch_oracle *oracle, int64_t now_ns, const struct qkd_send *send,
                       const uint8_t *bytes, const uint8_t *observed)
{
    int64_t start = enter(oracle, now_ns);
    if (send->bytes.len > 0) {
        sent(oracle, send, bytes, send->observed.len > 0 ? observed : NULL);
    }
    leave(oracle, start);
}

/* ---- crash, end ---- */

static void km_crash(struct watch_oracle *o, uint32_t node, bool modules)
{
    watch_orc_flush(o);
    watch_orc_block_crash(o, node, modules);
    watch_orc_frame_crash(o, node);
    watch_orc_key_crash(o, node);
    watch_orc_rate_crash(o, node);
    watch_orc_fair_crash(o, node);
    watch_orc_guarantee_crash(o, node);
    watch_orc_hops_crash(o, node);
}

/* Of two controllers the next term begins with an empty table. */
static void controller_crash(struct watch_oracle *o, uint32_t node)
{
    bool is_alone = o->scenario->control.standby == SCN_NO_NODE;
    if (is_alone && node == o->scenario->control.at) {
        watch_orc_session_crash(o);
    }
    watch_orc_term_crash(o, node);
}

void watch_oracle_crash(struct watch_oracle *oracle, int64_t now_ns, uint32_t node)
{
    int64_t start = enter(oracle, now_ns);
    km_crash(oracle, node, true);
    controller_crash(oracle, node);
    leave(oracle, start);
}

void watch_oracle_crash_km(struct watch_oracle *oracle, int64_t now_ns, uint32_t node)
{
    int64_t start = enter(oracle, now_ns);
    km_crash(oracle, node, false);
    leave(oracle, start);
}

void watch_oracle_crash_module(struct watch_oracle *oracle, int64_t now_ns, uint32_t link,
                               uint32_t node)
{
    int64_t start = enter(oracle, now_ns);
    watch_orc_module_crash(oracle, link, qkd_eid_node(oracle->links[link].side[1].kma) == node);
    leave(oracle, start);
}

void watch_oracle_crash_modules(struct watch_oracle *oracle, int64_t now_ns, uint32_t link)
{
    int64_t start = enter(oracle, now_ns);
    watch_orc_module_crash(oracle, link, 0);
    watch_orc_module_crash(oracle, link, 1);
    leave(oracle, start);
}

void watch_oracle_crash_controller(struct watch_oracle *oracle, int64_t now_ns, uint32_t node)
{
    int64_t start = enter(oracle, now_ns);
    controller_crash(oracle, node);
    leave(oracle, start);
}

void watch_oracle_restart(struct watch_oracle *oracle, int64_t now_ns, uint32_t node)
{
    (void)node; /* what a restart must not do again was noted at the crash */
    leave(oracle, enter(oracle, now_ns));
}

void watch_oracle_finish(struct watch_oracle *oracle, int64_t now_ns)
{
    int64_t start = enter(oracle, now_ns);
    watch_orc_flush(oracle);
    watch_orc_key_age(oracle);
    watch_orc_ledger_finish(oracle);
    leave(oracle, start);
}

/* ---- summary ---- */

static void bits_add(struct scn_bits *sum, const struct scn_bits *bits)
{
    sum->generated += bits->generated;
    sum->bootstrap += bits->bootstrap;
    sum->stored += bits->stored;
    sum->pads += bits->pads;
    sum->tags += bits->tags;
    sum->hash_keys += bits->hash_keys;
    sum->fallback_keys += bits->fallback_keys;
    sum->postproc_auth += bits->postproc_auth;
    sum->relayed_as_key += bits->relayed_as_key;
    sum->expired += bits->expired;
    sum->discarded += bits->discarded;
    sum->in_flight += bits->in_flight;
}

void watch_oracle_summarise(const struct watch_oracle *oracle, struct scn_summary *summary)
{
    const struct watch_oracle_verdict *verdict = watch_oracle_verdict(oracle);
    for (uint32_t i = 0; i < oracle->scenario->link_count; i++) {
        summary->links[i].bits = watch_oracle_link_ledger(oracle, i);
        bits_add(&summary->bits, &summary->links[i].bits);
    }
    summary->keys = watch_oracle_key_ledger(oracle);
    summary->supplied_unanswered = verdict->supplied_unanswered;
    summary->mismatched_pairs = verdict->mismatched_pairs;
    summary->security.violations = verdict->excused;
    memcpy(summary->security.first, verdict->excused_first, sizeof summary->security.first);
    summary->oracle.checks = verdict->checks;
    summary->oracle.violations = verdict->violations;
    summary->oracle.cost_s = (double)watch_oracle_cost_ns(oracle) / 1e9;
    (void)snprintf(summary->oracle.first, sizeof(summary->oracle.first), "%s", verdict->first);
}
