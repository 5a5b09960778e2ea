/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle's books of one block against a naive model that keeps a state per byte. Random uses,
 * GRANTs and SKIPs that the model calls legal must pass and leave the ledger that the model counts;
 * one that it calls illegal must be found. */
#include <check.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "tests/lib/oracle_rig.h"

enum state { FREE, GRANTED, USED, SKIP_EXPIRED, SKIP_DISCARDED, EXPIRED, DISCARDED, STATES };
enum { OPERATIONS = 400, SEEDS = 40, TAG = 16 };

struct model {
    uint8_t state[RIG_BLOCK_BYTES], owner[RIG_BLOCK_BYTES];
    uint64_t pads, tags, flying; /* of frames: bytes */
};

static bool free_for(const struct model *m, uint32_t side, uint32_t start, uint32_t end)
{
    for (uint32_t i = start; i < end; i++) {
        if (i >= RIG_BLOCK_BYTES || m->state[i] != FREE || m->owner[i] != side) {
            return false;
        }
    }
    return true;
}

static void mark(struct model *m, uint32_t start, uint32_t end, enum state state)
{
    for (uint32_t i = start; i < end; i++) {
        m->state[i] = (uint8_t)state;
    }
}

/* The first place, from a random one on, where `side` has `len` bytes free; false if there is none. */
static bool find(const struct model *m, struct qkd_rng *rng, uint32_t side, uint32_t len,
                 uint32_t *at)
{
    uint32_t from = (uint32_t)qkd_rng_below(rng, RIG_BLOCK_BYTES);
    for (uint32_t i = 0; i < RIG_BLOCK_BYTES; i++) {
        *at = (from + i) % RIG_BLOCK_BYTES;
        if (free_for(m, side, *at, *at + len)) {
            return true;
        }
    }
    return false;
}

static struct rig *begin(struct model *m)
{
    struct rig *rig = rig_new();
    rig_ready(rig);
    for (uint32_t side = 0; side < 2; side++) { /* leases are not at stake here */
        struct wire_p_chunk all = {
            .block = 1, .end = RIG_BLOCK_BYTES, .mine = 1, .lease = RIG_BLOCK_BYTES};
        rig_chunk(rig, 0, side, &all);
    }
    for (uint32_t i = 0; i < RIG_BLOCK_BYTES; i++) {
        m->state[i] = FREE;
        m->owner[i] = i >= RIG_MID;
    }
    m->pads = m->flying = 0;
    m->tags = 2 * TAG; /* of the CONFIRMs, from block 0 */
    return rig;
}

static void use(struct rig *rig, struct model *m, struct qkd_rng *rng, uint32_t side)
{
    static uint32_t len; /* the same for all */
    uint32_t at = 0;
    if (len == 0) {
        struct wire_relay_body body = {.keys = {rig->key, 8}};
        len = (uint32_t)wire_relay_body_size(&body) + TAG;
    }
    if (!find(m, rng, side, len, &at)) {
        return;
    }
    ck_assert_uint_eq(rig_use(rig, 0, side, at), len);
    mark(m, at, at + len, USED);
    if (qkd_rng_below(rng, 10) < 8) {
        rig_deliver(rig);
        m->pads += len - TAG;
        m->tags += TAG;
    } else {
        m->flying += len;
    }
}

/* GRANT or SKIP of [start, end), its tag from a free place outside. True if it was sent. */
static bool govern(struct rig *rig, struct model *m, struct qkd_rng *rng,
                   const struct rig_frame *what)
{
    struct rig_frame frame = *what;
    frame.block = 1;
    frame.length = TAG;
    if (!find(m, rng, frame.side, TAG, &frame.offset)) {
        return false;
    }
    mark(m, frame.offset, frame.offset + TAG, USED);
    rig_frame_send(rig, &frame);
    return true;
}

static bool arrives(struct rig *rig, struct model *m, struct qkd_rng *rng)
{
    if (qkd_rng_below(rng, 10) < 7) {
        rig_deliver(rig);
        m->tags += TAG;
        return true;
    }
    m->flying += TAG;
    return false;
}

static void grant(struct rig *rig, struct model *m, struct qkd_rng *rng, uint32_t side)
{
    uint32_t start = 0;
    uint32_t len = 1 + (uint32_t)qkd_rng_below(rng, 300);
    uint8_t bytes[64];
    if (!find(m, rng, side, len, &start)) {
        return;
    }
    mark(m, start, start + len, GRANTED); /* so that the tag is taken elsewhere */
    struct wire_grant_body body = {.block = 1, .start = start, .end = start + len};
    struct rig_frame frame = {.side = side, .type = WIRE_FRAME_GRANT, .body = bytes};
    frame.body_len = (size_t)wire_grant_body_encode(&body, bytes, sizeof bytes);
    if (!govern(rig, m, rng, &frame)) {
        mark(m, start, start + len, FREE);
    } else if (arrives(rig, m, rng)) {
        mark(m, start, start + len, FREE);
        memset(m->owner + start, 1 - (int)side, len);
    }
}

static void skip(struct rig *rig, struct model *m, struct qkd_rng *rng, uint32_t side)
{
    uint32_t start = 0;
    uint32_t len = 1 + (uint32_t)qkd_rng_below(rng, 100);
    bool old = qkd_rng_below(rng, 2) == 0;
    uint8_t bytes[64];
    if (!find(m, rng, side, len, &start)) {
        return;
    }
    mark(m, start, start + len, old ? SKIP_EXPIRED : SKIP_DISCARDED);
    struct wire_skip_body body = {.block = 1,
                                  .start = start,
                                  .end = start + len,
                                  .reason = old ? WIRE_REASON_EXPIRED : WIRE_REASON_GONE};
    struct rig_frame frame = {.side = side, .type = WIRE_FRAME_SKIP, .body = bytes};
    frame.body_len = (size_t)wire_skip_body_encode(&body, bytes, sizeof bytes);
    if (!govern(rig, m, rng, &frame)) {
        mark(m, start, start + len, FREE);
    } else if (arrives(rig, m, rng)) {
        mark(m, start, start + len, old ? EXPIRED : DISCARDED);
    }
}

static void ledger_agrees(const struct rig *rig, const struct model *m)
{
    uint64_t count[STATES] = {0};
    for (uint32_t i = 0; i < RIG_BLOCK_BYTES; i++) {
        count[m->state[i]]++;
    }
    struct scn_bits b = watch_oracle_link_ledger(rig->oracle, 0);
    uint64_t boot = RIG_BOOT_BYTES - 64 - 2 * TAG; /* stored in block 0 */
    ck_assert_uint_eq(b.stored, 8 * (count[FREE] + boot));
    ck_assert_uint_eq(b.in_flight, 8 * (count[GRANTED] + count[SKIP_EXPIRED] +
                                        count[SKIP_DISCARDED] + m->flying));
    ck_assert_uint_eq(b.expired, 8 * count[EXPIRED]);
    ck_assert_uint_eq(b.discarded, 8 * count[DISCARDED]);
    ck_assert_uint_eq(b.pads, 8 * m->pads);
    ck_assert_uint_eq(b.tags, 8 * m->tags);
}

START_TEST(legal_passes_illegal_is_found)
{
    struct model *m = calloc(1, sizeof *m);
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, (uint64_t)_i, "oracle block", 0);
    struct rig *rig = begin(m);
    for (int i = 0; i < OPERATIONS; i++) {
        uint32_t side = (uint32_t)qkd_rng_below(&rng, 2);
        uint64_t which = qkd_rng_below(&rng, 4);
        if (which < 2) {
            use(rig, m, &rng, side);
        } else {
            (which == 2 ? grant : skip)(rig, m, &rng, side);
        }
        ck_assert_msg(rig_violations(rig) == 0, "seed %d, operation %d: %s", _i, i, rig_first(rig));
    }
    ledger_agrees(rig, m);
    for (int i = 0; i < 50; i++) { /* what is not all free for its user must be found */
        uint32_t side = (uint32_t)qkd_rng_below(&rng, 2);
        uint32_t at = (uint32_t)qkd_rng_below(&rng, RIG_BLOCK_BYTES);
        struct wire_relay_body body = {.keys = {rig->key, 8}};
        uint32_t len = (uint32_t)wire_relay_body_size(&body) + TAG;
        if (!free_for(m, side, at, at + len) && at + len <= RIG_BLOCK_BYTES) {
            uint64_t before = rig_violations(rig);
            (void)rig_use(rig, 0, side, at);
            ck_assert_msg(rig_violations(rig) > before, "seed %d: bytes %u of side %u", _i, at,
                          side);
        }
    }
    ledger_agrees(rig, m); /* what was wrong moved no bits */
    rig_free(rig);
    free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracle_block");
    TCase *model = tcase_create("model");
    tcase_add_loop_test(model, legal_passes_illegal_is_found, 0, SEEDS);
    suite_add_tcase(suite, model);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
