/* SPDX-License-Identifier: GPL-3.0-or-later */
/* KMA: QKD links and their neighbours at Kx-1. Adjacency by HELLO (Table 7-8), reconciliation of
 * pools after a restart or an outage, keep-alive, status of links (Table 8-1). */
#include "core/base/mutant.h"
#include "core/km/kma_internal.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_SHIFT 3 /* rates are averaged over about 8 status periods */
#define DELAY_SHARE 8  /* of a new sample in the smoothed round trip */
#define LOW_PERIODS 3  /* status periods without a refusal that end pool_low */

struct kma_link *kma_link_make(const struct kma_step *s, uint32_t id)
{
    struct kma *kma = s->kma;
    uint32_t index = qkd_map_get(&kma->link_by_id, &id);
    if (index != QKD_MAP_NONE) {
        return &kma->links[index];
    }
    if (kma->link_count == kma->config->link_limit) {
        return NULL;
    }
    if (kma->link_count == kma->link_cap) {
        uint32_t cap = kma->link_cap == 0 ? 2 : kma->link_cap * 2;
        struct kma_link *links = realloc(kma->links, cap * sizeof *links);
        if (links == NULL) {
            return NULL;
        }
        kma->links = links;
        kma->link_cap = cap;
    }
    if (qkd_map_put(&kma->link_by_id, &id, kma->link_count) != 0) {
        return NULL;
    }
    struct kma_link *link = &kma->links[kma->link_count++];
    memset(link, 0, sizeof *link);
    link->id = id;
    link->seq = link->oldest = 1;
    link->rto_timer = link->ack_timer = QKD_TIMER_NONE;
    km_pool_init(&link->pool, &kma->store, kma->self, id, kma->config->lease_bits / 8);
    link->pool.spare_bytes = kma->config->fallback ? kma->config->fallback_reserve_bits / 8 : 0;
    link->pool.key_bytes = (uint32_t)(wire_take_cost_bits(kma->config->unit_bits, 1, 1) / 8);
    return link;
}

enum { SEED_LEN = 32 };

static uint32_t bootstrap_bytes(const struct wire_cfg_link *config)
{
    return config->has_expanded ? config->expanded : (uint32_t)config->bootstrap.len;
}

/* Takes the initial secret in as block 0, once in the life of the store: its pads must never come
 * back after they were used up. */
static int take_bootstrap(const struct kma_step *s, struct kma_link *link,
                          const struct wire_cfg_link *config)
{
    uint32_t len = bootstrap_bytes(config);
    uint8_t key[24] = "bootstrap";
    uint8_t hash[32];
    uint64_t low = link->lower ? s->kma->self.v : link->peer.v;
    wire_put_u32(key + 12, link->id);
    wire_put_u64(key + 16, low);
    struct crypto_part part = {key, sizeof key};
    int err = crypto_sha256(&part, 1, hash);
    struct km_block block = {.bytes = len,
                             .form = config->has_expanded,
                             .stored_wall = s->event->wall};
    memcpy(block.id.b, hash, sizeof block.id.b);
    uint32_t slot = err != 0 ? QKD_SLAB_NONE
                             : km_pool_add(&link->pool, &block, config->bootstrap.at, s->out);
    if (slot == QKD_SLAB_NONE) {
        return QKD_ERR_LIMIT;
    }
    uint32_t half = (len - KM_BOOT_KEYS) / 2;
    struct km_confirm confirm = {.slot = slot,
                                 .first = KM_BOOT_KEYS,
                                 .mid = KM_BOOT_KEYS + half - half % CRYPTO_TAG_LEN,
                                 .lower = link->lower,
                                 .now = s->event->now};
    err = km_pool_confirm(&link->pool, &confirm, s->out);
    struct qkd_persist mark = {.owner = s->kma->self, .kind = WIRE_PERSIST_FRAME, .key_len = 12};
    struct wire_p_frame record = {.link = link->id, .block = KMA_BOOT_MARK};
    wire_put_u32(mark.key, link->id);
    wire_put_u32(mark.key + 4, KMA_BOOT_MARK);
    mark.value = qkd_out_reserve(s->out, wire_p_frame_size(&record));
    if (mark.value.len > 0) {
        (void)wire_p_frame_encode(&record, qkd_out_at(s->out, mark.value), mark.value.len);
    }
    qkd_out_put(s->out, &mark);
    return err;
}

int kma_link_configure(const struct kma_step *s, const struct wire_cfg_link *config)
{
    struct kma *kma = s->kma;
    uint32_t boot_len = bootstrap_bytes(config);
    if (boot_len < KM_BOOT_KEYS + 2 * CRYPTO_TAG_LEN || boot_len > KMA_FRAME_MAX ||
        (config->has_expanded && config->bootstrap.len != SEED_LEN)) {
        return QKD_ERR_RANGE;
    }
    struct kma_link *link = kma_link_make(s, config->link);
    if (link == NULL) {
        return QKD_ERR_LIMIT;
    }
    int err = qkd_map_put(&kma->link_by_peer, &config->peer.v, (uint32_t)(link - kma->links));
    if (err != 0) {
        return err;
    }
    if (kma->config->fallback && link->fallback == NULL) {
        link->fallback = calloc(1, sizeof *link->fallback);
        if (link->fallback == NULL) {
            return QKD_ERR_NOMEM;
        }
    }
    uint8_t boot[KM_BOOT_KEYS];
    if (config->has_expanded) {
        crypto_expand(boot, config->bootstrap.at, 0, sizeof boot);
    } else {
        memcpy(boot, config->bootstrap.at, sizeof boot);
    }
    link->peer = config->peer;
    link->module = config->module;
    link->peer_module = config->peer_module;
    memcpy(link->peer_ip, config->peer_ip.b, sizeof link->peer_ip);
    size_t n = config->peer_name.len < sizeof link->peer_name - 1 ? config->peer_name.len
                                                                  : sizeof link->peer_name - 1;
    memcpy(link->peer_name, config->peer_name.at, n);
    link->store_bytes = config->store_bits / 8;
    if (!kma_share_new(kma, link)) {
        return QKD_ERR_NOMEM;
    }
    link->lower = kma->self.v < link->peer.v;
    memcpy(link->tx_key, boot + (link->lower ? 0 : 16), 16);
    memcpy(link->rx_key, boot + (link->lower ? 16 : 0), 16);
    if (QKDN_MUTANT(TAG_HASH_KEY)) {
        memcpy(link->lower ? link->rx_key : link->tx_key, boot, 16);
    }
    memcpy(link->hello_key, boot + 32, 32);
    crypto_wipe(boot, sizeof boot);
    link->heard = s->event->now;
    if (!link->booted && !kma->replaced) { /* else no tags: the next block pays its confirmation */
        err = take_bootstrap(s, link, config);
        link->booted = err == 0;
    }
    link->configured = err == 0;
    struct wire_link_config record = {.link = link->id,
                                      .a = kma->self,
                                      .b = link->peer,
                                      .module = link->module,
                                      .store_bits = config->store_bits};
    chan_report_configuration(&kma->reports, s->event, &record, s->out);
    if (err == 0 && link->lower) {
        (void)chan_open(kma->chan, s->event, QKD_RP_KX1, link->peer, s->out);
    }
    return err;
}

/* ---- HELLO ---- */

static void hello_auth(const struct kma_link *link, struct qkd_eid from, struct qkd_eid to,
                       const struct wire_hello *hello, uint8_t mac[32])
{
    uint8_t fixed[48] = "hello";
    wire_put_u64(fixed + 8, from.v);
    wire_put_u64(fixed + 16, to.v);
    wire_put_u32(fixed + 24, hello->link);
    wire_put_u32(fixed + 28, hello->epoch);
    wire_put_u32(fixed + 32, hello->peer_epoch);
    wire_put_u32(fixed + 36, hello->next_seq);
    wire_put_u32(fixed + 40, hello->reply);
    wire_put_u32(fixed + 44, hello->has_rx);
    uint8_t more[12];
    wire_put_u32(more, hello->has_own ? (uint32_t)hello->own.len + 1 : 0);
    wire_put_u32(more + 4, hello->has_unmatched ? (uint32_t)hello->unmatched.len + 1 : 0);
    wire_put_u32(more + 8, hello->has_unknown ? (uint32_t)hello->unknown.len + 1 : 0);
    struct crypto_part parts[] = {{fixed, sizeof fixed},
                                  {hello->sender_ip.b, sizeof hello->sender_ip.b},
                                  {hello->sender_name.at, hello->sender_name.len},
                                  {hello->community.at, hello->community.len},
                                  {hello->rx.at, hello->rx.len},
                                  {more, sizeof more},
                                  {hello->own.at, hello->own.len},
                                  {hello->unmatched.at, hello->unmatched.len},
                                  {hello->unknown.at, hello->unknown.len}};
    enum { PARTS = sizeof parts / sizeof parts[0], ALWAYS = 5 };
    bool any = hello->has_own || hello->has_unmatched || hello->has_unknown;
    crypto_hmac(link->hello_key, parts, any ? PARTS : ALWAYS, mac);
}

/* What we can still decrypt: chunks of the peer, and all of blocks whose confirmation is open. */
static uint8_t *rx_list(const struct kma_link *link, size_t *len, struct qkd_out *out)
{
    const struct km_pool *pool = &link->pool;
    struct wire_rx_state state = {0};
    size_t each = wire_rx_state_size(&state);
    uint8_t *list = qkd_out_scratch(out, (pool->count + (size_t)pool->waiting_count) * each + 1);
    *len = 0;
    if (list == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct km_chunk *c = km_pool_chunk(pool, i);
        state = (struct wire_rx_state){.block = c->block, .offset = c->next, .end = c->end};
        if (!c->mine && *len + each < WIRE_MAX_MESSAGE / 2) {
            *len += (size_t)wire_rx_state_encode(&state, list + *len, each);
        }
    }
    for (uint32_t i = 0; i < pool->waiting_count; i++) {
        const struct km_block *b = km_pool_block(pool, pool->waiting[i]);
        state = (struct wire_rx_state){.block = b->number}; /* waits: all of it can still come */
        if (b->number != 0 && *len + each < WIRE_MAX_MESSAGE / 2) {
            *len += (size_t)wire_rx_state_encode(&state, list + *len, each);
        }
    }
    return list;
}

/* A HELLO of our own, or the reply to that of a message ID (0: our own). */
struct hello_order {
    bool reply; /* as the message says: the peer knows our incarnation */
    bool list;
    uint64_t orig;
    const struct wire_hello *answers; /* NULL: none */
};

static void hello_send(const struct kma_step *s, struct kma_link *link,
                       const struct hello_order *order)
{
    const struct km_config *config = s->kma->config;
    if (!chan_is_up(s->kma->chan, QKD_RP_KX1, link->peer)) {
        /* None is said for later: each would make the adjacency anew, and spend tags on it. */
        (void)chan_open(s->kma->chan, s->event, QKD_RP_KX1, link->peer, s->out);
        return;
    }
    struct wire_hello hello = {
        .head = kma_head(s->kma, QKD_RP_KX1, config->measure_delay ? order->orig : 0),
        .sender_name = {(const uint8_t *)config->name, strlen(config->name)},
        .community = {(const uint8_t *)config->community, strlen(config->community)},
        .link = link->id,
        .epoch = s->kma->incarnation,
        .peer_epoch = link->known ? link->peer_epoch : 0,
        .next_seq = link->oldest,
        .reply = order->reply,
        .has_rx = order->list || !link->up};
    memcpy(hello.sender_ip.b, config->ip, sizeof config->ip);
    if (hello.has_rx) {
        hello.rx.at = rx_list(link, &hello.rx.len, s->out);
        if (hello.rx.at == NULL) {
            return;
        }
    }
    if (order->answers != NULL && order->answers->has_unmatched) {
        kma_match_answer(s, link, order->answers->unmatched, &hello);
    }
    kma_match_tell(s, link, &hello);
    if (order->orig == 0) {
        link->hello_asked = hello.head.message_id;
        link->hello_asked_at = s->event->now;
    }
    hello_auth(link, s->kma->self, link->peer, &hello, hello.auth_info.b);
    KMA_SEND(s, hello, QKD_RP_KX1, link->peer, &hello);
}

/* The round trip of a HELLO, smoothed as in RFC 6298. */
static void delay_take(const struct kma_step *s, struct kma_link *link,
                       const struct wire_hello *hello)
{
    if (link->hello_asked == 0 || hello->head.orig_message_id != link->hello_asked) {
        return;
    }
    link->hello_asked = 0;
    int64_t round_ns = qkd_time_sub(s->event->now, link->hello_asked_at).ns;
    uint64_t sample = round_ns > 0 ? (uint64_t)round_ns : 1;
    uint64_t old = link->round_trip_ns;
    link->round_trip_ns = old == 0 ? sample : old - old / DELAY_SHARE + sample / DELAY_SHARE;
}

static bool hello_valid(const struct kma_step *s, const struct kma_link *link,
                        const struct wire_hello *hello)
{
    uint8_t mac[32];
    const char *community = s->kma->config->community;
    bool same = hello->community.len == strlen(community) &&
                memcmp(hello->community.at, community, hello->community.len) == 0;
    hello_auth(link, link->peer, s->kma->self, hello, mac);
    if (!crypto_equal(mac, hello->auth_info.b, sizeof mac)) {
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_AUTH_FAILURE, QKD_RP_KX1,
                             s->out);
        return false;
    }
    if (!same || memcmp(hello->sender_ip.b, link->peer_ip, sizeof link->peer_ip) != 0) {
        chan_report_security(&s->kma->reports, s->event, WIRE_FAULT_DENIED, QKD_RP_KX1, s->out);
        return false;
    }
    return true;
}

/* The state the peer lists for the own chunk [start, end) of a block; false: it lists none. */
static bool rx_listed(struct wire_bytes list, const struct km_chunk *c, uint32_t *offset)
{
    struct wire_rx_state state;
    for (size_t at = 0; at < list.len;) {
        int n = wire_rx_state_decode(&state, list.at + at, list.len - at);
        if (n <= 0) {
            return false;
        }
        if (state.block == c->block && state.end == 0) { /* not confirmed there */
            *offset = c->start;
            return true;
        }
        if (state.block == c->block && state.offset < c->end && state.end > c->start) {
            *offset = state.offset > c->start ? state.offset : c->start;
            return true;
        }
        at += (size_t)n;
    }
    return false;
}

/* Blocks whose answer was lost: a restart of the peer, who has confirmed them, may have made some of our
 * half void. Nothing of that is taken once the answer comes. */
static void reconcile_asked(const struct kma_step *s, struct kma_link *link, struct wire_bytes list)
{
    for (uint32_t i = 0; link->lower && i < link->pool.waiting_count; i++) {
        struct km_block *b = km_pool_block(&link->pool, link->pool.waiting[i]);
        struct km_chunk half = {.block = b->number, .end = kma_file_half(s, b)};
        uint32_t offset = 0;
        if (rx_listed(list, &half, &offset) && offset > b->asked[1]) {
            b->asked[1] = offset;
        }
    }
}

/* Own chunks: what the peer cannot decrypt is given up; all below `next` is closed by SKIP. */
static void reconcile_own(const struct kma_step *s, struct kma_link *link, struct wire_bytes list)
{
    for (uint32_t i = link->pool.count; i-- > 0;) { /* backwards: SKIPs may empty older chunks */
        if (i >= link->pool.count || !km_pool_chunk(&link->pool, i)->mine) {
            continue;
        }
        const struct km_chunk *c = km_pool_chunk(&link->pool, i);
        uint32_t block = c->block;
        uint32_t start = c->start;
        uint32_t offset = start; /* not listed: closed whole, if the list was made too early */
        uint32_t end = c->end;
        bool listed = rx_listed(list, c, &offset);
        uint32_t upto = listed ? offset : end;
        uint32_t next = c->next > upto ? c->next : upto;
        struct km_range gone;
        if (km_pool_forget(&link->pool, block, start, upto, s->out, &gone)) {
            link->n.discarded += 8 * (uint64_t)(gone.end - gone.start);
        }
        if (offset < next) {
            kma_skip_send(s, link, block, &(struct km_range){offset, next}, WIRE_REASON_GONE);
        }
    }
}

/* Chunks the peer still holds open for us and we have no more: closed whole. */
static void reconcile_lost(const struct kma_step *s, struct kma_link *link, struct wire_bytes list)
{
    struct wire_rx_state state;
    for (size_t at = 0; at < list.len;) {
        int n = wire_rx_state_decode(&state, list.at + at, list.len - at);
        if (n <= 0) {
            return;
        }
        at += (size_t)n;
        if (state.end == 0) {
            kma_file_awaited(s, link, &state);
        }
        uint32_t from = state.offset;
        for (uint32_t i = 0; i < link->pool.count && from < state.end; i++) {
            const struct km_chunk *c = km_pool_chunk(&link->pool, i);
            if (c->block != state.block || c->end <= from || c->start >= state.end) {
                continue;
            }
            if (c->start > from) {
                break; /* a hole before it: used up here */
            }
            from = c->end;
        }
        uint32_t end = state.end;
        for (uint32_t i = 0; i < link->pool.count; i++) {
            const struct km_chunk *c = km_pool_chunk(&link->pool, i);
            if (c->block == state.block && c->start >= from && c->start < end) {
                end = c->start;
            }
        }
        for (uint32_t i = 0; i < link->pool.waiting_count; i++) {
            /* Block 0 never waits; a file that the peer has yet to number has number 0 too. */
            if (state.block != 0 &&
                km_pool_block(&link->pool, link->pool.waiting[i])->number == state.block) {
                from = end; /* not confirmed here: nothing was used */
            }
        }
        if (from < end) {
            kma_skip_send(s, link, state.block, &(struct km_range){from, end}, WIRE_REASON_GONE);
        }
    }
}

static void adjacency_up(const struct kma_step *s, struct kma_link *link,
                         const struct wire_hello *hello)
{
    bool was_up = link->up;
    link->up = true;
    kma_frame_void(s, link);
    kma_fallback_void(link);
    if (QKDN_MUTANT(SEQ_RESET)) {
        link->seq = link->oldest = 1;
    }
    kma_skip_forget(s, link);
    if (!QKDN_MUTANT(HELLO_BLIND)) {
        reconcile_asked(s, link, hello->rx);
        reconcile_own(s, link, hello->rx);
    }
    if (!was_up) {
        kma_match_lost(s, link, hello);
    }
    reconcile_lost(s, link, hello->rx);
    kma_grant_resend(s, link);
    kma_file_confirm_all(s, link);
    if (!was_up) {
        (void)chan_report_clear(&s->kma->reports, s->event, WIRE_FAULT_LINK_DOWN, link->id, s->out);
        kma_report(s, (struct qkd_report){
                          .code = QKD_REPORT_PEER_UP, .peer = link->peer, .a = QKD_RP_KX1, .b = 1});
        kma_link_status(s);
    }
}

void kma_link_hello(const struct kma_step *s, struct qkd_eid peer, const struct wire_hello *hello)
{
    struct kma_link *link = kma_link_of(s->kma, peer);
    if (link == NULL || !link->configured || hello->link != link->id ||
        !hello_valid(s, link, hello) || (link->known && hello->epoch < link->peer_epoch)) {
        return;
    }
    bool fresh = !link->known || hello->epoch > link->peer_epoch;
    if (fresh) {
        link->known = true;
        link->peer_epoch = hello->epoch;
        link->up = false;
        link->rx_next = hello->next_seq;
        memset(link->rx_seen, 0, sizeof link->rx_seen);
        memset(link->gone, 0, sizeof link->gone);
        link->ack_due = 0;
        link->confirm_count = 0;
        qkd_timers_cancel(&s->kma->timers, &link->ack_timer);
    }
    link->heard = s->event->now;
    delay_take(s, link, hello);
    bool mutual = hello->peer_epoch == s->kma->incarnation;
    if (mutual) {
        kma_frame_closed(link, hello->next_seq);
    }
    /* One that was overtaken tells of a state that is past: what it does not list may be there now. */
    bool overtaken = hello->head.message_id <= link->hello_id;
    link->hello_id = overtaken ? link->hello_id : hello->head.message_id;
    bool join = mutual && !overtaken && hello->has_rx && (!hello->reply || !link->up);
    bool list = hello->has_rx || !link->up;
    if (join) {
        adjacency_up(s, link, hello);
    }
    if (mutual && !overtaken && hello->has_unknown && link->up) {
        kma_match_answered(s, link, hello->unknown);
    }
    if (!hello->reply || !mutual) {
        hello_send(s, link,
                   &(struct hello_order){.reply = mutual,
                                         .list = list,
                                         .orig = hello->head.message_id,
                                         .answers = overtaken ? NULL : hello});
    }
}

void kma_link_channel_up(const struct kma_step *s, struct qkd_eid peer)
{
    struct kma_link *link = kma_link_of(s->kma, peer);
    if (link != NULL && link->configured) {
        hello_send(s, link, &(struct hello_order){.orig = 0});
    }
}

/* ---- status and time ---- */

void kma_link_exhausted(const struct kma_step *s, struct kma_link *link)
{
    link->refused_at = s->event->now;
    if (!link->empty) {
        link->empty = true;
        (void)chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_POOL_LOW, link->id, s->out);
        kma_report(s,
                   (struct qkd_report){
                       .code = QKD_REPORT_POOL_EMPTY, .peer = link->peer, .a = link->id, .b = 1});
    }
}

void kma_link_mark(const struct kma_step *s, struct kma_link *link)
{
    uint64_t mine = km_pool_payload_free(&link->pool);
    uint64_t theirs = km_pool_peer_payload(&link->pool);
    if (mine < (mine + theirs) / 4) {
        kma_grant_want(s, link, (theirs - mine) / 2, KM_SHARE_NONE);
    }
}

uint32_t kma_link_piece(const struct kma *kma, const struct kma_link *link)
{
    uint32_t a = link->frame_least[0];
    uint32_t b = link->frame_least[1];
    uint32_t least = a == 0 || (b > 0 && b < a) ? b : a;
    return least > 0 ? least : (uint32_t)(wire_take_cost_bits(kma->config->unit_bits, 1, 1) / 8);
}

/* The fault is over when nothing has been refused for some periods and a key could be paid: key that comes in
 * blocks and goes at once would raise and clear it with each of them. */
static void recovered(const struct kma_step *s, struct kma_link *link)
{
    struct qkd_span hold = qkd_span_ns(LOW_PERIODS * s->kma->config->status_period.ns);
    uint64_t one_key = kma_link_piece(s->kma, link); /* as long as the shortest of late */
    if (link->empty && !qkd_time_before(s->event->now, qkd_time_add(link->refused_at, hold)) &&
        km_pool_usable(&link->pool, one_key) >= one_key) {
        link->empty = false;
        (void)chan_report_clear(&s->kma->reports, s->event, WIRE_FAULT_POOL_LOW, link->id, s->out);
        kma_report(s, (struct qkd_report){
                          .code = QKD_REPORT_POOL_EMPTY, .peer = link->peer, .a = link->id});
    }
}

static void periods_shift(struct kma_link *link)
{
    link->missing = 0;
    link->frame_most[1] = link->frame_most[0];
    link->frame_most[0] = 0;
    if (link->frame_least[0] > 0) {
        link->frame_least[1] = link->frame_least[0];
        link->frame_least[0] = 0;
    }
}

static struct wire_link_status status_of(const struct kma *kma, struct kma_link *link)
{
    uint64_t delay_ns = link->round_trip_ns / 2;
    uint32_t piece = kma_link_piece(kma,
                                    link); /* tails that pay no key are not told as if they did */
    return (struct wire_link_status){.link = link->id,
                                     .peer = link->peer,
                                     .up = link->up,
                                     .own_bits = 8 * km_pool_usable(&link->pool, piece),
                                     .peer_bits = 8 * km_pool_peer_usable(&link->pool, piece),
                                     .stored_bits = 8 * km_pool_stored(&link->pool),
                                     .rate_bps = link->n.rate_bps,
                                     .consumption_bps = link->n.consumption_bps,
                                     .generated_bits = link->n.generated,
                                     .pad_bits = link->n.pads,
                                     .tag_bits = link->n.tags,
                                     .relayed_as_key_bits = link->n.relayed_as_key,
                                     .expired_bits = link->n.expired,
                                     .discarded_bits = link->n.discarded,
                                     .retransmissions = link->n.retransmissions,
                                     .tag_failures = link->n.tag_failures,
                                     .has_delay_ns = kma->config->measure_delay && delay_ns > 0,
                                     .delay_ns = delay_ns < UINT32_MAX ? (uint32_t)delay_ns
                                                                       : UINT32_MAX,
                                     .has_fallback = link->fallback != NULL,
                                     .fallback = link->fallback != NULL && link->fallback->is_on,
                                     .has_fallback_bits = link->fallback != NULL,
                                     .fallback_bits = 8 * km_pool_fallback_free(&link->pool),
                                     .has_fallback_key_bits = link->fallback != NULL,
                                     .fallback_key_bits = link->n.fallback_keys};
}

void kma_link_status(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    bool fallback = kma->config->fallback;
    struct wire_link_status probe = {.has_delay_ns = kma->config->measure_delay,
                                     .has_fallback = fallback,
                                     .has_fallback_bits = fallback,
                                     .has_fallback_key_bits = fallback};
    size_t each = wire_link_status_size(&probe);
    size_t len = 0;
    uint8_t *list = qkd_out_scratch(s->out, kma->link_count * each + 1);
    if (list == NULL) {
        return;
    }
    for (uint32_t i = 0; i < kma->link_count; i++) {
        if (kma->links[i].configured) {
            struct wire_link_status status = status_of(kma, &kma->links[i]);
            len += (size_t)wire_link_status_encode(&status, list + len, each);
        }
    }
    struct wire_status_rsp rsp = {.head = kma_head(kma, QKD_RP_KMI, 0),
                                  .table = WIRE_STATUS_KEY_AMOUNT | WIRE_STATUS_CONSUMPTION |
                                           WIRE_STATUS_KM_LINK | WIRE_STATUS_KEY_RATE,
                                  .has_links = true,
                                  .links = {list, len},
                                  .code = WIRE_SUCCESS};
    KMA_SEND(s, status_rsp, QKD_RP_KMI, qkd_eid_sibling(kma->self, QKD_ROLE_KMC), &rsp);
}

static void average(uint64_t *rate_bps, uint64_t bits, int64_t period_ns)
{
    uint64_t now_bps = (uint64_t)((double)bits * 1e9 / (double)period_ns);
    *rate_bps = *rate_bps == 0
                    ? now_bps
                    : *rate_bps - (*rate_bps >> STATUS_SHIFT) + (now_bps >> STATUS_SHIFT);
}

static void link_tick(const struct kma_step *s, struct kma_link *link)
{
    struct qkd_span period = s->kma->config->status_period;
    int64_t silence = qkd_time_sub(s->event->now, link->heard).ns;
    uint64_t consumed = link->n.pads + link->n.tags + link->n.relayed_as_key +
                        link->n.fallback_keys;
    average(&link->n.rate_bps, link->n.generated - link->n.last_generated, period.ns);
    average(&link->n.consumption_bps, consumed - link->n.last_consumed, period.ns);
    link->n.last_generated = link->n.generated;
    link->n.last_consumed = consumed;
    link->n.tag_failures_period = 0;
    if (silence > KMA_SILENCE_PERIODS * period.ns) {
        link->up = false;
        if (chan_report_raise(&s->kma->reports, s->event, WIRE_FAULT_LINK_DOWN, link->id, s->out)) {
            kma_report(s, (struct qkd_report){.code = QKD_REPORT_PEER_DOWN,
                                              .peer = link->peer,
                                              .a = QKD_RP_KX1,
                                              .b = 1});
        }
    }
    hello_send(s, link, &(struct hello_order){.orig = 0});
    if (link->up) {
        kma_skip_resend(s, link);
        kma_expire(s, link);
        kma_trim(s, link);
        periods_shift(link);
        kma_grant_resend(s, link);
        kma_file_confirm_again(s, link);
        kma_link_mark(s, link);
        recovered(s, link);
        kma_fallback_tick(s, link);
        kma_file_room(s, link);
    }
    struct wire_link_status status = status_of(s->kma, link);
    chan_report_link(&s->kma->reports, s->event, &status, s->out);
    kma_report(s, (struct qkd_report){.code = QKD_REPORT_POOL,
                                      .peer = link->peer,
                                      .a = link->id,
                                      .b = 8 * km_pool_payload_free(&link->pool),
                                      .c = 8 * km_pool_peer_payload(&link->pool),
                                      .d = status.stored_bits,
                                      .e = status.own_bits});
}

void kma_link_tick(const struct kma_step *s)
{
    struct kma *kma = s->kma;
    for (uint32_t i = 0; i < kma->link_count; i++) {
        if (kma->links[i].configured) {
            link_tick(s, &kma->links[i]);
            kma_frame_tick(s, &kma->links[i]);
        }
    }
    kma_link_status(s);
}
