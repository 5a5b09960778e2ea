/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two ends of one link's pool against a naive model of one flag per byte: random takes, deliveries
 * in any order, GRANTs, SKIPs and restarts from what was persisted. No byte is ever used twice, both
 * ends read the same bytes, and every byte is accounted for (rules 1, 2, 6). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/event.h"
#include "core/base/rng.h"
#include "core/crypto/crypto.h"
#include "core/km/pool.h"

#define BLOCKS 6
#define BLOCK_BYTES 4096
#define PENDING 64
#define RECORDS 256

/* What one end persisted. */
struct disk {
    struct qkd_record record[RECORDS];
    uint8_t value[RECORDS][256];
    size_t count;
};

struct end {
    struct km_store store;
    struct km_pool pool;
    struct disk disk;
    struct qkd_out out;
};

/* A frame under way from one end to the other. */
struct flight {
    uint32_t block;
    struct km_range range;
    uint8_t bytes[128];
    int from;
};

static struct km_range gone;                  /* of a GRANT: void since a restart */
static uint8_t used[BLOCKS + 1][BLOCK_BYTES]; /* by allocation, SKIP or loss at a restart */

static void disk_apply(struct end *e)
{
    for (size_t i = 0; i < e->out.persist_count; i++) {
        const struct qkd_persist *p = &e->out.persist[i];
        size_t at = 0;
        while (at < e->disk.count && (e->disk.record[at].kind != p->kind ||
                                      memcmp(e->disk.record[at].key, p->key, sizeof p->key) != 0)) {
            at++;
        }
        if (p->del) {
            ck_assert_uint_lt(at, e->disk.count); /* nothing is deleted that was never put */
            e->disk.count--;
            e->disk.record[at] = e->disk.record[e->disk.count];
            memcpy(e->disk.value[at], e->disk.value[e->disk.count], sizeof e->disk.value[at]);
            continue;
        }
        if (at == e->disk.count) {
            e->disk.count++;
        }
        ck_assert_uint_le(e->disk.count, RECORDS);
        ck_assert_uint_le(p->value.len, sizeof e->disk.value[at]);
        e->disk.record[at] = (struct qkd_record){.kind = p->kind, .key_len = p->key_len};
        memcpy(e->disk.record[at].key, p->key, sizeof p->key);
        memcpy(e->disk.value[at], qkd_out_at(&e->out, p->value), p->value.len);
        e->disk.record[at].value_len = p->value.len;
    }
    qkd_out_reset(&e->out);
}

static void end_open(struct end *e, int which)
{
    km_store_init(&e->store, 64, 256);
    km_pool_init(&e->pool, &e->store, qkd_eid_make(QKD_ROLE_KMA, 0, (uint32_t)which), 3, 512);
    e->pool.key_bytes = 48;
}

static void end_close(struct end *e)
{
    km_pool_fini(&e->pool);
    km_store_fini(&e->store);
}

static void add_block(struct end *e, uint32_t number, bool lower)
{
    uint8_t seed[32] = {9, (uint8_t)number};
    struct km_block block = {.number = number, .bytes = BLOCK_BYTES, .form = 1};
    block.id.b[0] = (uint8_t)number;
    uint32_t slot = km_pool_add(&e->pool, &block, seed, &e->out);
    ck_assert_uint_ne(slot, QKD_SLAB_NONE);
    struct km_confirm confirm = {
        .slot = slot, .number = number, .mid = BLOCK_BYTES / 2, .lower = lower};
    ck_assert_int_eq(km_pool_confirm(&e->pool, &confirm, &e->out), 0);
    disk_apply(e);
}

static void mark_used(uint32_t block, struct km_range r)
{
    for (uint32_t i = r.start; i < r.end; i++) {
        ck_assert_msg(used[block][i] == 0, "byte %u of block %u used twice", i, block);
        used[block][i] = 1;
    }
}

static bool take(struct end *e, int which, struct qkd_rng *rng, struct flight *f)
{
    struct km_take t;
    uint32_t len = 16 + (uint32_t)qkd_rng_below(rng, 100);
    if (km_pool_take(&e->pool, len, false, &e->out, &t) != 0) {
        return false;
    }
    *f = (struct flight){.block = t.block, .range = {t.offset, t.offset + len}, .from = which};
    km_pool_read(&e->pool, t.block_slot, &f->range, true, f->bytes);
    km_pool_settle(&e->pool, &t, &e->out);
    disk_apply(e);
    mark_used(f->block, f->range);
    return true;
}

static void deliver(struct end *e, const struct flight *f)
{
    uint32_t slot = QKD_SLAB_NONE;
    uint8_t bytes[128];
    int err = km_pool_rx_check(&e->pool, f->block, &f->range, &slot);
    if (err == 0) {
        km_pool_read(&e->pool, slot, &f->range, false, bytes);
        ck_assert_mem_eq(bytes, f->bytes, f->range.end - f->range.start);
        if (km_pool_rx_mark(&e->pool, f->block, &f->range, &e->out) == 0) {
            ck_assert_int_ne(km_pool_rx_check(&e->pool, f->block, &f->range, &slot), 0);
        }
    }
    disk_apply(e);
}

static int by_kind(const void *a, const void *b)
{
    const struct qkd_record *x = *(const struct qkd_record *const *)a;
    const struct qkd_record *y = *(const struct qkd_record *const *)b;
    return (int)x->kind - (int)y->kind;
}

/* Drops the end and builds it again from its disk; what was leased and unused is lost. */
static void restart(struct end *e, int which)
{
    const struct qkd_record *order[RECORDS];
    end_close(e);
    end_open(e, which);
    for (size_t i = 0; i < e->disk.count; i++) {
        order[i] = &e->disk.record[i];
    }
    qsort(order, e->disk.count, sizeof order[0], by_kind);
    for (size_t i = 0; i < e->disk.count; i++) {
        const uint8_t *value = e->disk.value[order[i] - e->disk.record];
        struct wire_p_block block;
        struct wire_p_chunk chunk;
        if (order[i]->kind == WIRE_PERSIST_BLOCK) {
            ck_assert_int_gt(wire_p_block_decode(&block, value, order[i]->value_len), 0);
            ck_assert_int_eq(km_pool_recover_block(&e->pool, &block, (struct qkd_time){0}), 0);
        } else {
            ck_assert_int_gt(wire_p_chunk_decode(&chunk, value, order[i]->value_len), 0);
            ck_assert_int_eq(km_pool_recover_chunk(&e->pool, &chunk, &e->out), 0);
        }
    }
    km_pool_recovered(&e->pool, &e->out);
    disk_apply(e);
}

static void grant(struct end *from, struct end *to, struct qkd_rng *rng)
{
    struct wire_grant_body g;
    uint32_t want = 32 + (uint32_t)qkd_rng_below(rng, 600);
    if (km_pool_grant(&from->pool, &(struct km_grant_ask){.want = want, .unit = 32}, &from->out,
                      &g)) {
        disk_apply(from);
        ck_assert_uint_ge(g.end - g.start, 32);
        if (km_pool_granted(&to->pool, &g, &to->out, &gone)) {
            ck_assert(!km_pool_granted(&to->pool, &g, &to->out, &gone)); /* sent again: no effect */
        }
        disk_apply(to);
    }
}

/* Free bytes as the chunks say, against the running sums. */
static void audit(struct end *e)
{
    static const uint64_t pieces[] = {80, 48, 186, 16, 100}; /* one more than sums are kept */
    uint64_t own = 0;
    uint64_t usable[5] = {0};
    for (uint32_t i = 0; i < e->pool.count; i++) {
        const struct km_chunk *c = km_pool_chunk(&e->pool, i);
        uint64_t bytes = c->end - c->next;
        for (uint32_t k = 0; k < c->range_count; k++) {
            ck_assert_uint_gt(c->range[k].start, c->next);
            bytes -= c->range[k].end - c->range[k].start;
        }
        ck_assert_uint_le(c->next, c->lease);
        own += c->mine ? bytes : 0;
        for (uint32_t k = 0; k < 5; k++) {
            usable[k] += c->mine && c->block != 0 ? bytes / pieces[k] * pieces[k] : 0;
        }
        for (uint32_t b = c->next; c->mine && b < c->end; b++) {
            ck_assert_msg(used[c->block][b] == 0, "byte %u of block %u is free but used", b,
                          c->block);
        }
    }
    ck_assert_uint_eq(own, e->pool.own_free);
    uint64_t most = km_pool_payload_free(&e->pool);
    for (uint32_t k = own % 2 == 0 ? 0 : 1; k < 5; k++) {
        ck_assert_uint_eq(km_pool_usable(&e->pool, pieces[k]), usable[k] < most ? usable[k] : most);
    }
}

START_TEST(random_life)
{
    struct qkd_rng rng;
    struct end ends[2] = {0};
    static struct flight flights[PENDING];
    uint32_t flying = 0;
    uint32_t takes = 0;
    memset(used, 0, sizeof used);
    qkd_rng_init_named(&rng, (uint64_t)_i, "pool", 0);
    for (int w = 0; w < 2; w++) {
        qkd_out_init(&ends[w].out, 1 << 20);
        end_open(&ends[w], w);
        for (uint32_t b = 1; b <= BLOCKS; b++) {
            add_block(&ends[w], b, w == 0);
        }
    }
    for (int step = 0; step < 3000; step++) {
        int w = (int)qkd_rng_below(&rng, 2);
        uint64_t dice = qkd_rng_below(&rng, 100);
        if (dice < 45 && flying < PENDING) {
            bool ok = take(&ends[w], w, &rng, &flights[flying]);
            flying += ok;
            takes += ok;
        } else if (dice < 90 && flying > 0) {
            uint32_t k = (uint32_t)qkd_rng_below(&rng, flying);
            deliver(&ends[1 - flights[k].from], &flights[k]);
            if (qkd_rng_below(&rng, 4) != 0) { /* else it stays: delivered again later */
                flights[k] = flights[--flying];
            }
        } else if (dice < 97) {
            grant(&ends[w], &ends[1 - w], &rng);
        } else if (dice < 98) {
            restart(&ends[w], w);
        }
        if (step % 64 == 0) {
            audit(&ends[w]);
        }
    }
    ck_assert_uint_gt(takes, 100);
    for (int w = 0; w < 2; w++) {
        end_close(&ends[w]);
        qkd_out_fini(&ends[w].out);
    }
}
END_TEST

/* A SKIP that there is no room to note is not to be acknowledged: the owner would take these bytes for given
 * up at both ends. The lowest gap always has room. */
START_TEST(skip_waits_for_room)
{
    struct end e = {0};
    qkd_out_init(&e.out, 1 << 20);
    end_open(&e, 1);
    add_block(&e, 1, false); /* [0, 2048) belongs to the peer */
    const struct km_range later = {1500, 1600};
    for (uint32_t i = 1; i < KM_POOL_RANGES; i++) { /* one place is left, for the SKIP's own pads */
        ck_assert(km_pool_rx_skip_fits(&e.pool, 1, &later));
        ck_assert_int_eq(
            km_pool_rx_mark(&e.pool, 1, &(struct km_range){100 * i, 100 * i + 50}, &e.out), 0);
    }
    ck_assert(!km_pool_rx_skip_fits(&e.pool, 1, &later));
    ck_assert(!km_pool_rx_skip_fits(&e.pool, 1, &(struct km_range){1500, 2048}));
    ck_assert(km_pool_rx_skip_fits(&e.pool, 1, &(struct km_range){750, 900})); /* joins the last */
    ck_assert(km_pool_rx_skip_fits(&e.pool, 1, &(struct km_range){0, 100}));
    ck_assert(km_pool_rx_skip_fits(&e.pool, 2, &later)); /* nothing of that block is here */
    km_pool_rx_skip(&e.pool, 1, &(struct km_range){0, 100}, &e.out);
    ck_assert(km_pool_rx_skip_fits(&e.pool, 1, &later));
    end_close(&e);
    qkd_out_fini(&e.out);
}
END_TEST

START_TEST(skip_closes_gaps)
{
    struct end e = {0};
    qkd_out_init(&e.out, 1 << 20);
    end_open(&e, 1);
    add_block(&e, 1, false); /* [0, 2048) belongs to the peer */
    struct km_range first = {0, 100};
    struct km_range later = {300, 400};
    uint32_t slot;
    ck_assert_int_eq(km_pool_rx_mark(&e.pool, 1, &first, &e.out), 0);
    ck_assert_int_eq(km_pool_rx_mark(&e.pool, 1, &later, &e.out), 0);
    ck_assert_uint_eq(e.pool.peer_free, 2048 - 200);
    km_pool_rx_skip(&e.pool, 1, &(struct km_range){50, 350}, &e.out);
    ck_assert_uint_eq(e.pool.peer_free, 2048 - 400);
    ck_assert_uint_eq(km_pool_chunk(&e.pool, 0)->next, 400);
    ck_assert_int_eq(km_pool_rx_check(&e.pool, 1, &(struct km_range){100, 116}, &slot),
                     QKD_ERR_REPLAY);
    km_pool_rx_skip(&e.pool, 1, &(struct km_range){1000, UINT32_MAX}, &e.out);
    ck_assert_uint_eq(e.pool.peer_free, 600);
    km_pool_rx_skip(&e.pool, 1, &(struct km_range){0, UINT32_MAX}, &e.out);
    ck_assert_uint_eq(e.pool.peer_free, 0);
    ck_assert_uint_eq(e.pool.count, 1); /* our own half is still there */
    ck_assert_int_eq(km_pool_rx_check(&e.pool, 1, &first, &slot), QKD_ERR_UNKNOWN);
    end_close(&e);
    qkd_out_fini(&e.out);
}
END_TEST

/* A GRANT crosses the one that gives the same bytes back: the first, sent again because its
 * acknowledgement was lost, must not be obeyed a second time, or both ends would own them. */
START_TEST(crossing_grants)
{
    struct end *a = calloc(2, sizeof *a);
    ck_assert_ptr_nonnull(a);
    struct end *b = a + 1;
    for (int i = 0; i < 2; i++) {
        qkd_out_init(&a[i].out, 1 << 20);
        end_open(&a[i], i);
        add_block(&a[i], 1, i == 0);
    }
    struct wire_grant_body there;
    struct wire_grant_body back;
    ck_assert(
        km_pool_grant(&a->pool, &(struct km_grant_ask){.want = 320, .unit = 32}, &a->out, &there));
    ck_assert(km_pool_granted(&b->pool, &there, &b->out, &gone));
    do { /* from the tail of the newest own chunk: until it is the one that came */
        ck_assert(km_pool_grant(&b->pool, &(struct km_grant_ask){.want = BLOCK_BYTES, .unit = 32},
                                &b->out, &back));
    } while (back.start != there.start);
    ck_assert_uint_eq(back.end, there.end);
    ck_assert(km_pool_grant_stands(&a->pool, &there)); /* it does not know yet: sends again */
    ck_assert(!km_pool_granted(&b->pool, &there, &b->out, &gone));
    ck_assert(km_pool_grant_stands(&b->pool, &back));
    ck_assert(km_pool_granted(&a->pool, &back, &a->out, &gone));
    ck_assert(!km_pool_grant_stands(&a->pool, &there));
    ck_assert(!km_pool_granted(&a->pool, &back, &a->out, &gone));
    for (int i = 0; i < 2; i++) {
        disk_apply(&a[i]);
        qkd_out_fini(&a[i].out);
        end_close(&a[i]);
    }
    free(a);
}
END_TEST

/* GRANTs from the tail of one chunk arrive in the wrong order: both count, or the bytes of the one
 * that was overtaken would be nobody's. */
START_TEST(overtaken_grants)
{
    struct end *a = calloc(2, sizeof *a);
    ck_assert_ptr_nonnull(a);
    struct end *b = a + 1;
    for (int i = 0; i < 2; i++) {
        qkd_out_init(&a[i].out, 1 << 20);
        end_open(&a[i], i);
        add_block(&a[i], 1, i == 0);
    }
    uint64_t own = b->pool.own_free;
    struct wire_grant_body grants[3];
    for (int i = 0; i < 3; i++) {
        ck_assert(km_pool_grant(&a->pool, &(struct km_grant_ask){.want = 320, .unit = 32}, &a->out,
                                &grants[i]));
    }
    ck_assert(km_pool_granted(&b->pool, &grants[1], &b->out, &gone));
    ck_assert(km_pool_granted(&b->pool, &grants[2], &b->out, &gone));
    ck_assert(km_pool_granted(&b->pool, &grants[0], &b->out, &gone));
    ck_assert_uint_eq(b->pool.own_free, own + 960);
    ck_assert_uint_eq(b->pool.peer_free, a->pool.own_free);
    ck_assert_uint_eq(b->pool.own_free, a->pool.peer_free);
    disk_apply(b);
    restart(b, 1); /* what it persisted says the same */
    ck_assert_uint_eq(b->pool.own_free, own + 960);
    ck_assert_uint_eq(b->pool.peer_free, a->pool.own_free);
    for (int i = 0; i < 2; i++) {
        disk_apply(&a[i]);
        qkd_out_fini(&a[i].out);
        end_close(&a[i]);
    }
    free(a);
}
END_TEST

START_TEST(reserve_is_kept)
{
    struct end e = {0};
    struct km_take t;
    qkd_out_init(&e.out, 1 << 20);
    end_open(&e, 0);
    add_block(&e, 1, true);
    ck_assert_uint_eq(km_pool_payload_free(&e.pool), 2048 - KM_POOL_RESERVE);
    ck_assert_int_eq(km_pool_take(&e.pool, 2048 - KM_POOL_RESERVE, false, &e.out, &t), 0);
    ck_assert_int_eq(km_pool_take(&e.pool, 16, false, &e.out, &t), QKD_ERR_INSUFFICIENT);
    for (int i = 0; i < KM_POOL_RESERVE / 16; i++) { /* the 16 tags of rule 1 */
        ck_assert_int_eq(km_pool_take(&e.pool, 16, true, &e.out, &t), 0);
    }
    ck_assert_int_eq(km_pool_take(&e.pool, 16, true, &e.out, &t), QKD_ERR_INSUFFICIENT);
    end_close(&e);
    qkd_out_fini(&e.out);
}
END_TEST

/* Halves of 2048 bytes pay 25 keys of 80 and have 48 bytes over: three tags from the first half, three
 * from the second, and only then one that costs a key. */
START_TEST(tags_cost_no_key)
{
    static const uint32_t want[][2] = {{1, 0}, {1, 16}, {1, 32}, {2, 0}, {2, 16}, {2, 32}, {1, 48}};
    static struct end e;
    end_open(&e, 0);
    e.pool.key_bytes = 80;
    add_block(&e, 1, true);
    add_block(&e, 2, true);
    struct km_take t;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        ck_assert_int_eq(km_pool_take(&e.pool, 16, true, &e.out, &t), 0);
        ck_assert_uint_eq(t.block, want[i][0]);
        ck_assert_uint_eq(t.offset, want[i][1]);
        disk_apply(&e);
    }
    /* 1984 bytes are left of the first half: 24 keys; the tail of 64 is no place for one. */
    for (uint32_t i = 0; i <= 24; i++) {
        ck_assert_int_eq(km_pool_take(&e.pool, 80, false, &e.out, &t), 0);
        ck_assert_uint_eq(t.block, i < 24 ? 1 : 2);
    }
    disk_apply(&e);
    ck_assert_int_eq(km_pool_take(&e.pool, 16, true, &e.out, &t), 0);
    ck_assert_uint_eq(t.block, 1);
    disk_apply(&e);
    end_close(&e);
}
END_TEST

/* What is left of a chunk after whole tags pays nothing and is no reserve: a half of 2048 bytes in pieces of 87
 * has 23 of them and 47 bytes over, of which 32 pay two tags. */
START_TEST(crumbs_are_no_reserve)
{
    static struct end e;
    end_open(&e, 0);
    for (uint32_t i = 1; i <= BLOCKS; i++) {
        add_block(&e, i, true);
    }
    struct km_take t;
    while (km_pool_take(&e.pool, 87, false, &e.out, &t) == 0) {
        disk_apply(&e);
    }
    unsigned tags = 0;
    while (km_pool_take(&e.pool, 16, true, &e.out, &t) == 0) {
        km_pool_settle(&e.pool, &t, &e.out);
        disk_apply(&e);
        tags++;
    }
    ck_assert_uint_ge(tags, KM_POOL_RESERVE / 16);
    ck_assert_uint_eq(km_pool_tag_bytes(&e.pool), 0);
    ck_assert_uint_gt(e.pool.own_free, 0);
    end_close(&e);
}
END_TEST

/* After a crash the receiver knows less than the owner of what is left: it leased ahead. A GRANT of such
 * bytes makes it owner of the rest, and both agree once the owner was told. */
START_TEST(grant_over_a_void_lease)
{
    struct end *a = calloc(2, sizeof *a);
    ck_assert_ptr_nonnull(a);
    struct end *b = a + 1;
    for (int i = 0; i < 2; i++) {
        qkd_out_init(&a[i].out, 1 << 20);
        end_open(&a[i], i);
        add_block(&a[i], 1, i == 0);
    }
    struct km_take t;
    struct wire_grant_body g;
    ck_assert_int_eq(km_pool_take(&a->pool, 16, true, &a->out, &t), 0);
    struct km_range tag = {t.offset, t.offset + 16};
    ck_assert_int_eq(km_pool_rx_mark(&b->pool, 1, &tag, &b->out), 0);
    disk_apply(b);
    restart(b, 1);
    struct km_grant_ask ask = {.want = BLOCK_BYTES, .unit = 32};
    ck_assert(km_pool_grant(&a->pool, &ask, &a->out, &g));
    ck_assert(km_pool_granted(&b->pool, &g, &b->out, &gone));
    ck_assert_uint_eq(gone.start, 16);
    ck_assert_uint_eq(gone.end, 512); /* the lease of end_open() */
    km_pool_rx_skip(&a->pool, 1, &gone, &a->out);
    ck_assert_uint_eq(a->pool.peer_free, b->pool.own_free);
    ck_assert_uint_eq(a->pool.own_free, b->pool.peer_free);
    disk_apply(b);
    restart(b, 1);
    ck_assert_uint_eq(a->pool.peer_free, b->pool.own_free);
    for (int i = 0; i < 2; i++) {
        disk_apply(&a[i]);
        qkd_out_fini(&a[i].out);
        end_close(&a[i]);
    }
    free(a);
}
END_TEST

/* What is asked for a frame comes in one piece that is long enough, and leaves no piece that is not. */
START_TEST(a_piece_is_granted_whole)
{
    static struct end e;
    struct wire_grant_body g;
    struct km_take t;
    end_open(&e, 0);
    add_block(&e, 1, true);
    add_block(&e, 2, true);
    uint32_t half = BLOCK_BYTES / 2;
    struct km_grant_ask ask = {.want = half / 2 + 32, .piece = half / 2 + 32, .unit = 32};
    /* half a chunk and some: the rest would be too short for such a piece */
    ck_assert(km_pool_grant(&e.pool, &ask, &e.out, &g));
    ck_assert_uint_eq(g.block, 2);
    ck_assert_uint_eq(g.end - g.start, half);
    /* too short by now: kept */
    ck_assert_int_eq(km_pool_take(&e.pool, half / 2, false, &e.out, &t), 0);
    ck_assert_uint_lt(half - half / 2, ask.piece);
    ck_assert(!km_pool_grant(&e.pool, &ask, &e.out, &g));
    /* but given where any length is of use */
    ask.piece = 0;
    ck_assert(km_pool_grant(&e.pool, &ask, &e.out, &g));
    ck_assert_uint_eq(g.block, 1);
    end_close(&e);
}
END_TEST

/* A question paid by its own block: each tag once, also over restarts, before and after the block is
 * confirmed, and never of the bootstrap, whose number a file without a number has, too. */
START_TEST(questions_take_each_byte_once)
{
    static struct end e;
    qkd_out_init(&e.out, 1 << 20);
    end_open(&e, 0);
    add_block(&e, 0, true); /* stands for the bootstrap */
    uint8_t seed[32] = {7};
    struct km_block block = {.number = 5, .bytes = BLOCK_BYTES, .form = 1, .id.b = {5}};
    struct km_block other = {.bytes = BLOCK_BYTES, .form = 1, .id.b = {6}};
    ck_assert_uint_ne(km_pool_add(&e.pool, &other, seed, &e.out), QKD_SLAB_NONE);
    ck_assert_uint_ne(km_pool_add(&e.pool, &block, seed, &e.out), QKD_SLAB_NONE);
    disk_apply(&e);
    struct km_take t;
    uint32_t mid = BLOCK_BYTES / 2;
    for (uint32_t k = 0; k < KM_POOL_ASKS; k++) {
        uint32_t slot = km_pool_find(&e.pool, &block.id);
        ck_assert_int_eq(km_pool_take_ask(&e.pool, slot, mid, &e.out, &t), 0);
        ck_assert_uint_eq(t.block, 5);
        ck_assert_uint_eq(t.offset, 16 * k);
        ck_assert_uint_eq(e.out.persist_count, 1); /* before anything can leave */
        disk_apply(&e);
        if (k % 3 == 1) {
            restart(&e, 0);
        }
    }
    uint32_t slot = km_pool_find(&e.pool, &block.id);
    ck_assert_int_eq(km_pool_take_ask(&e.pool, slot, mid, &e.out, &t), QKD_ERR_INSUFFICIENT);
    struct km_confirm confirm = {.slot = slot, .number = 5, .mid = mid, .lower = true};
    ck_assert_int_eq(km_pool_confirm(&e.pool, &confirm, &e.out), 0);
    disk_apply(&e);
    restart(&e, 0);
    ck_assert_uint_eq(km_pool_own(&e.pool, e.pool.own_count - 1)->next, 16 * KM_POOL_ASKS);
    ck_assert_uint_eq(km_pool_own(&e.pool, 0)->next, 0);
    end_close(&e);
    qkd_out_fini(&e.out);
}
END_TEST

/* A file that leaves unconfirmed takes the record of its questions with it; a short one asks less. */
START_TEST(questions_of_a_dropped_file_are_forgotten)
{
    static struct end e;
    qkd_out_init(&e.out, 1 << 20);
    end_open(&e, 0);
    uint8_t seed[32] = {7};
    struct km_block block = {.number = 5, .bytes = 96, .form = 1, .id.b = {5}};
    uint32_t slot = km_pool_add(&e.pool, &block, seed, &e.out);
    struct km_take t;
    ck_assert_int_eq(km_pool_take_ask(&e.pool, slot, 48, &e.out, &t), 0);
    ck_assert_int_eq(km_pool_take_ask(&e.pool, slot, 48, &e.out, &t), 0);
    ck_assert_int_eq(km_pool_take_ask(&e.pool, slot, 48, &e.out, &t), QKD_ERR_INSUFFICIENT);
    disk_apply(&e);
    ck_assert_uint_eq(e.disk.count, 2);
    km_pool_drop(&e.pool, slot, &e.out);
    disk_apply(&e);
    ck_assert_uint_eq(e.disk.count, 0);
    end_close(&e);
    qkd_out_fini(&e.out);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, random_life, 0, 40);
    tcase_add_test(tc, skip_closes_gaps);
    tcase_add_test(tc, skip_waits_for_room);
    tcase_add_test(tc, crossing_grants);
    tcase_add_test(tc, overtaken_grants);
    tcase_add_test(tc, reserve_is_kept);
    tcase_add_test(tc, tags_cost_no_key);
    tcase_add_test(tc, crumbs_are_no_reserve);
    tcase_add_test(tc, a_piece_is_granted_whole);
    tcase_add_test(tc, grant_over_a_void_lease);
    tcase_add_test(tc, questions_take_each_byte_once);
    tcase_add_test(tc, questions_of_a_dropped_file_are_forgotten);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
