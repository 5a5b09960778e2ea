/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schemes of key relay on the wire of real elements (FG QIT4N D2.3 clause 7.1.3): that both ends get the
 * same key, which bits the key is made of, and what each hop pays, to the bit. Topology: a line of four nodes
 * A B C D, keys from A to D. The bits of a block are known here: they are the key stream of the seed that
 * tests/lib/kmnet.c hands to both modules. Costs by hand from docs/protocol.md, "Frames at Kx-1": 138 bytes of
 * body and metadata, 32 of key, 16 of tag; or 32 of key, 32 of compare key, 16 of tag. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "tests/lib/kmnet.h"

enum {
    NODES = 4,
    LINKS = NODES - 1,
    KEY_BYTES = 32,
    SECRET_BYTES = KEY_BYTES + WIRE_COMPARE_LEN,
    KEYS = 20,
    RELAY_BITS = 8 * (138 + 32 + 16),
    TAKE_BITS = 8 * (32 + 32 + 16),
    SHARE_BITS = RELAY_BITS + 16, /* which share, of how many */
    WAYS = 3,                     /* over which A and E below are joined */
    WAYS_MOST = 4,
    RING_LINKS = 6
};

/* What the tap has seen of one key. */
struct seen_key {
    struct qkd_id id;
    uint8_t taken[LINKS][SECRET_BYTES]; /* link key named by TAKE frames */
    uint8_t relayed[LINKS][SECRET_BYTES];
    unsigned takes[LINKS], relays[LINKS];
    uint8_t sum[LINKS][SECRET_BYTES]; /* of the link and the next */
    unsigned sums[LINKS];
    uint8_t share[WAYS_MOST][SECRET_BYTES];
    unsigned carried[RING_LINKS]; /* bit per share that crossed the link */
    unsigned shares;
};

static struct {
    struct seen_key key[KEYS];
    size_t keys;
    uint64_t paid_bits[RING_LINKS];
    bool cut;  /* RELAY frames on a link are lost */
    bool dark; /* all between A and the other end of it is lost */
    size_t cut_link;
    unsigned drop_takes; /* so many TAKE frames are lost */
    unsigned drop_sums;  /* and RELAY_SUM */
} seen;

static struct kmn *net;

static struct seen_key *key_of(const struct qkd_id *id)
{
    for (size_t i = 0; i < seen.keys; i++) {
        if (qkd_id_eq(&seen.key[i].id, id)) {
            return &seen.key[i];
        }
    }
    ck_assert_uint_lt(seen.keys, KEYS);
    seen.key[seen.keys].id = *id;
    return &seen.key[seen.keys++];
}

/* Key bytes of a link's first block, which all pads here are from. */
static void link_key(const struct wire_frame *frame, uint8_t *to, size_t len)
{
    uint8_t seed[32] = {1, 2, (uint8_t)frame->link, 1};
    ck_assert_uint_eq(frame->block & 0xfffff, 1);
    crypto_expand(to, seed, frame->offset, len);
}

static void frame_see(const struct wire_frame *frame)
{
    struct wire_take_body take;
    struct wire_relay_body body;
    if (frame->type == WIRE_FRAME_TAKE) {
        ck_assert_int_gt(wire_take_body_decode(&take, frame->body, frame->body_len), 0);
        struct seen_key *key = key_of(&take.key_id);
        key->takes[frame->link]++;
        ck_assert_uint_eq(frame->length, SECRET_BYTES + WIRE_FRAME_TAG_LEN);
        link_key(frame, key->taken[frame->link], SECRET_BYTES);
    } else if (frame->type == WIRE_FRAME_RELAY) {
        ck_assert_int_gt(wire_relay_body_decode(&body, frame->body, frame->body_len), 0);
        struct seen_key *key = key_of(&body.key_id);
        ck_assert_uint_eq(body.keys.len, KEY_BYTES);
        if (body.has_share) {
            ck_assert_uint_lt(frame->link, RING_LINKS);
            ck_assert_uint_eq(body.shares, net->config.paths);
            ck_assert_uint_lt(body.share, net->config.paths);
            key->carried[frame->link] |= 1U << body.share;
            key->shares |= 1U << body.share;
            memcpy(key->share[body.share], body.keys.at, KEY_BYTES);
            memcpy(key->share[body.share] + KEY_BYTES, body.compare.b, WIRE_COMPARE_LEN);
            seen.paid_bits[frame->link] += 8 * (uint64_t)frame->length;
            return;
        }
        key->relays[frame->link]++;
        memcpy(key->relayed[frame->link], body.keys.at, KEY_BYTES);
        memcpy(key->relayed[frame->link] + KEY_BYTES, body.compare.b, WIRE_COMPARE_LEN);
    } else {
        return;
    }
    seen.paid_bits[frame->link] += 8 * (uint64_t)frame->length;
}

/* RELAY_SUM goes from a node on the way straight to the last one. */
static bool sum_see(const struct pump_message *m)
{
    struct wire_relay_sum sum;
    if (wire_relay_sum_decode(&sum, m->observed, m->observed_len) != 0) {
        return true;
    }
    if (seen.drop_sums > 0) {
        seen.drop_sums--;
        return false;
    }
    uint32_t link = qkd_eid_node(m->from) - 1; /* that leads to this node */
    struct seen_key *key = key_of(&sum.key_id);
    ck_assert(qkd_eid_eq(m->to, kmn_kma(NODES - 1)));
    ck_assert_uint_eq(sum.hop, link + 1);
    ck_assert_uint_eq(sum.sum.len, SECRET_BYTES);
    memcpy(key->sum[link], sum.sum.at, SECRET_BYTES);
    key->sums[link]++;
    return true;
}

static bool tap(void *ctx, const struct pump_message *m)
{
    (void)ctx;
    struct wire_frame frame;
    struct wire_head head;
    uint32_t far = (uint32_t)seen.cut_link / 2 + 1;
    if (m->rp == QKD_RP_KX1 && seen.dark &&
        qkd_eid_node(m->from) + qkd_eid_node(m->to) == far && /* A is 0 */
        (qkd_eid_node(m->from) == 0 || qkd_eid_node(m->to) == 0)) {
        return false;
    }
    if (m->rp == QKD_RP_KX1 && seen.cut && m->bytes[0] == WIRE_FRAME_MAGIC &&
        wire_get_u32(m->bytes + 4) == seen.cut_link) {
        return false; /* also what is sent again, which is not observed */
    }
    if (m->rp != QKD_RP_KX1 || m->observed == NULL) {
        return true;
    }
    if (m->observed[0] != WIRE_FRAME_MAGIC) {
        bool is_sum = wire_head_decode(&head, m->observed, m->observed_len) == 0 &&
                      head.command == WIRE_CMD_RELAY_SUM;
        return is_sum ? sum_see(m) : true;
    }
    ck_assert_int_eq(wire_frame_decode(&frame, m->observed, m->observed_len), 0);
    if (frame.type == WIRE_FRAME_TAKE && seen.drop_takes > 0) {
        seen.drop_takes--;
        return false;
    }
    frame_see(&frame);
    return true;
}

static void begin(uint8_t relay)
{
    memset(&seen, 0, sizeof seen);
    struct kmn_config config = kmn_line(NODES);
    config.relay = relay;
    net = kmn_new(&config);
    pump_tap(net->pump, tap, NULL);
    kmn_settle(net, 1);
}

static void serve(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kmn_ask(net, 0, 1);
        kmn_run(net, 500);
    }
    kmn_run(net, 3000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), count); /* compared at Kx-2 */
    ck_assert_uint_eq(seen.keys, count);
}

static void end(void)
{
    kmn_free(net);
    net = NULL;
}

/* A: n + m + t on each link. */
START_TEST(random_key_pays_each_hop_in_full)
{
    begin(WIRE_RELAY_HOP_BY_HOP);
    serve(KEYS);
    for (size_t i = 0; i < LINKS; i++) {
        ck_assert_uint_eq(seen.paid_bits[i], (uint64_t)KEYS * RELAY_BITS);
    }
    end();
}
END_TEST

/* A': the key is the first link's, and pads are paid from the second link on. */
START_TEST(first_key_is_the_first_links)
{
    begin(WIRE_RELAY_FIRST_KEY);
    serve(KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        const struct seen_key *key = &seen.key[i];
        ck_assert_uint_eq(key->takes[0], 1);
        ck_assert_uint_eq(key->relays[0] + key->takes[1] + key->takes[2], 0);
        for (size_t link = 1; link < LINKS; link++) {
            ck_assert_uint_eq(key->relays[link], 1);
            ck_assert_mem_eq(key->relayed[link], key->taken[0], SECRET_BYTES);
        }
    }
    ck_assert_uint_eq(seen.paid_bits[0], (uint64_t)KEYS * TAKE_BITS);
    ck_assert_uint_eq(seen.paid_bits[1], (uint64_t)KEYS * RELAY_BITS);
    ck_assert_uint_eq(seen.paid_bits[2], (uint64_t)KEYS * RELAY_BITS);
    end();
}
END_TEST

/* A TAKE that is lost comes again as it was: no second range is paid. */
START_TEST(first_key_survives_loss)
{
    begin(WIRE_RELAY_FIRST_KEY);
    seen.drop_takes = 2;
    serve(1);
    ck_assert_uint_eq(seen.drop_takes, 0);
    ck_assert_uint_eq(seen.paid_bits[0], TAKE_BITS);
    ck_assert_mem_eq(seen.key[0].relayed[2], seen.key[0].taken[0], SECRET_BYTES);
    end();
}
END_TEST

/* A node on the way falls: keys asked for afterwards are served again. */
START_TEST(first_key_after_a_crash_on_the_way)
{
    begin(WIRE_RELAY_FIRST_KEY);
    serve(2);
    kmn_restart(net, 1);
    kmn_run(net, 5000);
    kmn_ask(net, 0, 1);
    kmn_run(net, 5000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 3);
    end();
}
END_TEST

/* B: each link names as much key as the first one's, and nothing is padded; what goes to the destination is
 * the sum of two links' keys, so that it can take all but the first from what it knows of the last. */
START_TEST(destination_sums_link_keys)
{
    begin(WIRE_RELAY_DESTINATION);
    serve(KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        const struct seen_key *key = &seen.key[i];
        uint8_t got[SECRET_BYTES];
        memcpy(got, key->taken[LINKS - 1], sizeof got);
        for (size_t link = 0; link < LINKS; link++) {
            ck_assert_uint_eq(key->takes[link], 1);
            ck_assert_uint_eq(key->relays[link], 0);
            ck_assert_uint_eq(key->sums[link], link < LINKS - 1);
            for (size_t k = 0; link < LINKS - 1 && k < SECRET_BYTES; k++) {
                ck_assert_uint_eq(key->sum[link][k], key->taken[link][k] ^ key->taken[link + 1][k]);
                got[k] ^= key->sum[link][k];
            }
        }
        ck_assert_mem_eq(got, key->taken[0], SECRET_BYTES);
    }
    for (size_t link = 0; link < LINKS; link++) {
        ck_assert_uint_eq(seen.paid_bits[link], (uint64_t)KEYS * TAKE_BITS);
    }
    end();
}
END_TEST

/* A sum that is lost is said again: nothing is paid twice. */
START_TEST(destination_survives_loss)
{
    begin(WIRE_RELAY_DESTINATION);
    seen.drop_sums = 2; /* the first of each node on the way */
    seen.drop_takes = 1;
    serve(1);
    ck_assert_uint_eq(seen.drop_sums, 0);
    for (size_t link = 0; link < LINKS; link++) {
        ck_assert_uint_eq(seen.paid_bits[link], TAKE_BITS);
    }
    end();
}
END_TEST

/* A sum that never comes: the key fails as a whole, and another is made of other bits. */
START_TEST(destination_begins_anew_without_a_sum)
{
    begin(WIRE_RELAY_DESTINATION);
    seen.drop_sums = 8; /* more than both nodes repeat before the source misses the key */
    kmn_ask(net, 0, 1);
    kmn_run(net, 8000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 1);
    ck_assert_uint_ge(seen.keys, 2);
    ck_assert(memcmp(seen.key[0].taken[0], seen.key[1].taken[0], SECRET_BYTES) != 0);
    end();
}
END_TEST

START_TEST(destination_after_a_crash_on_the_way)
{
    begin(WIRE_RELAY_DESTINATION);
    serve(2);
    for (uint32_t node = 1; node < NODES; node++) {
        kmn_restart(net, node);
        kmn_run(net, 5000);
        kmn_ask(net, 0, 1);
        kmn_run(net, 5000);
        ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 2 + node);
    }
    end();
}
END_TEST

/* A and E joined by three nodes: links 2i and 2i + 1 are way i. */
static void begin_ring(uint8_t paths)
{
    memset(&seen, 0, sizeof seen);
    struct kmn_config config = {.nodes = WAYS + 2,
                                .links = RING_LINKS,
                                .apps = 1,
                                .app_ends = {{0, WAYS + 1}},
                                .relay = WIRE_RELAY_MULTIPATH,
                                .paths = paths};
    for (uint32_t i = 0; i < WAYS; i++) {
        config.ends[2 * i][1] = config.ends[2 * i + 1][0] = i + 1;
        config.ends[2 * i + 1][1] = WAYS + 1;
    }
    net = kmn_new(&config);
    pump_tap(net->pump, tap, NULL);
    kmn_settle(net, 1);
}

/* D: a share per way, each link pays for one, and no node on the way sees two. */
START_TEST(multipath_sends_a_share_per_way)
{
    begin_ring(WAYS);
    serve(KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        const struct seen_key *key = &seen.key[i];
        unsigned ways = 0;
        ck_assert_uint_eq(key->shares, (1U << WAYS) - 1);
        for (size_t way = 0; way < WAYS; way++) {
            ck_assert_uint_eq(key->carried[2 * way], key->carried[2 * way + 1]);
            ck_assert_uint_eq(ways & key->carried[2 * way], 0);
            ways |= key->carried[2 * way];
            for (size_t other = 0; other < way; other++) {
                ck_assert_mem_ne(key->share[way], key->share[other], KEY_BYTES);
            }
        }
    }
    for (size_t link = 0; link < RING_LINKS; link++) {
        ck_assert_uint_eq(seen.paid_bits[link], (uint64_t)KEYS * SHARE_BITS);
    }
    end();
}
END_TEST

/* More ways than there are: refused, whatever the links hold. */
START_TEST(multipath_needs_all_its_ways)
{
    begin_ring(WAYS + 1);
    kmn_ask(net, 0, 1);
    kmn_run(net, 8000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_REFUSED), 1);
    ck_assert_uint_eq(seen.keys, 0);
    end();
}
END_TEST

/* A share that never comes: no key, though the others are there; the next try is another key. */
START_TEST(multipath_misses_one_share)
{
    begin_ring(WAYS);
    seen.cut_link = 2;
    seen.cut = true;
    kmn_ask(net, 0, 1);
    kmn_run(net, 3000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 0);
    ck_assert_uint_gt(seen.keys, 0);
    seen.cut = false;
    kmn_run(net, 8000);
    kmn_ask(net, 0, 1);
    kmn_run(net, 5000);
    ck_assert_uint_ge(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 1);
    end();
}
END_TEST

/* Two of three ways, and one of them fails: the third is taken, but never for a share of a key of which a share
 * has gone before. So no link, and no node on the way, carries two shares of one key. */
START_TEST(multipath_keeps_each_share_to_its_way)
{
    begin_ring(2);
    kmn_ask(net, 0, 1);
    kmn_run(net, 1000);
    for (size_t link = 0; link < RING_LINKS; link += 2) {
        if (seen.key[0].carried[link] != 0) {
            seen.cut_link = link; /* the last of both ways */
        }
    }
    seen.dark = true;
    for (size_t i = 0; i < 5; i++) {
        kmn_ask(net, 0, 1);
        kmn_run(net, 3000);
    }
    ck_assert_uint_ge(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 2);
    unsigned used = 0;
    for (size_t i = 0; i < seen.keys; i++) {
        for (size_t link = 0; link < RING_LINKS; link++) {
            unsigned carried = seen.key[i].carried[link];
            ck_assert_uint_eq(carried & (carried - 1), 0);
            ck_assert(link % 2 == 0 || (carried & ~seen.key[i].carried[link - 1]) == 0);
            used |= carried != 0 ? 1U << link : 0;
        }
    }
    ck_assert_uint_eq(used & 0x15, 0x15); /* all three first links */
    end();
}
END_TEST

START_TEST(multipath_after_crashes)
{
    begin_ring(WAYS);
    serve(2);
    for (uint32_t node = 1; node <= WAYS + 1; node++) {
        kmn_restart(net, node);
        kmn_run(net, 5000);
        kmn_ask(net, 0, 1);
        kmn_run(net, 5000);
        ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 2 + node);
    }
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay schemes");
    TCase *tc = tcase_create("relay schemes");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, random_key_pays_each_hop_in_full);
    tcase_add_test(tc, first_key_is_the_first_links);
    tcase_add_test(tc, first_key_survives_loss);
    tcase_add_test(tc, first_key_after_a_crash_on_the_way);
    tcase_add_test(tc, destination_sums_link_keys);
    tcase_add_test(tc, destination_survives_loss);
    tcase_add_test(tc, destination_begins_anew_without_a_sum);
    tcase_add_test(tc, destination_after_a_crash_on_the_way);
    tcase_add_test(tc, multipath_sends_a_share_per_way);
    tcase_add_test(tc, multipath_needs_all_its_ways);
    tcase_add_test(tc, multipath_misses_one_share);
    tcase_add_test(tc, multipath_keeps_each_share_to_its_way);
    tcase_add_test(tc, multipath_after_crashes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
