/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a relayed key leaves on the links, in its metadata and at the manager (FG QIT4N D2.3 clauses
 * 7.1.3 ... 7.1.6, Table 7-1), and its IDs (clause 7.2.2). Topology: a line of four nodes A B C D, keys
 * from A to D, unless a test says otherwise. The bits of a block are known here: they are the key
 * stream of the seed that tests/lib/kmnet.c hands to both modules. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "tests/lib/kmnet.h"

enum { NODES = 4, FRAMES_MAX = 256, BYTES_MAX = 512, RECORDS_MAX = 64, IDS_MAX = 512 };

/* What the tap has seen. */
static struct {
    struct {
        struct qkd_eid from, to;
        uint8_t bytes[BYTES_MAX], observed[BYTES_MAX];
        size_t len;
    } frame[FRAMES_MAX]; /* RELAY, first sendings */
    size_t frames;
    struct {
        struct qkd_eid kma;
        struct wire_key_metadata metadata;
    } supply[IDS_MAX]; /* KMI_SUPPLY with a key */
    size_t supplies;
    struct qkd_id base[IDS_MAX]; /* of UPDATE */
    size_t bases;
    bool drop_done;         /* RELAY_DONE is lost */
    int64_t drop_notify_ns; /* SUPPLY_NOTIFY is lost before this instant */
} seen;

static struct kmn *net;

static void supply_see(const struct pump_message *m)
{
    struct wire_kmi_supply supply;
    struct wire_key_metadata metadata;
    if (wire_kmi_supply_decode(&supply, m->observed, m->observed_len) == 0 && supply.has_key_data) {
        ck_assert(supply.has_metadata && seen.supplies < IDS_MAX);
        ck_assert_int_eq(wire_key_metadata_decode(&metadata, supply.metadata.at,
                                                  supply.metadata.len),
                         (int)supply.metadata.len);
        seen.supply[seen.supplies].kma = m->from;
        seen.supply[seen.supplies++].metadata = metadata;
    }
}

static bool tap(void *ctx, const struct pump_message *m)
{
    (void)ctx;
    struct wire_head head;
    struct wire_update update;
    if (m->observed == NULL) {
        return true;
    }
    if (m->rp == QKD_RP_KX1 && m->observed[0] == WIRE_FRAME_MAGIC) {
        if (m->observed[1] == WIRE_FRAME_RELAY) {
            ck_assert(seen.frames < FRAMES_MAX && m->len <= BYTES_MAX);
            ck_assert_uint_eq(m->len, m->observed_len);
            memcpy(seen.frame[seen.frames].bytes, m->bytes, m->len);
            memcpy(seen.frame[seen.frames].observed, m->observed, m->len);
            seen.frame[seen.frames].from = m->from;
            seen.frame[seen.frames].to = m->to;
            seen.frame[seen.frames++].len = m->len;
        }
        return true;
    }
    if (wire_head_decode(&head, m->observed, m->observed_len) != 0) {
        return true;
    }
    if (m->rp == QKD_RP_KMI && head.command == WIRE_CMD_KMI_SUPPLY) {
        supply_see(m);
    }
    if (m->rp == QKD_RP_KX1 && head.command == WIRE_CMD_UPDATE &&
        wire_update_decode(&update, m->observed, m->observed_len) == 0 && update.hop == 1) {
        ck_assert_uint_eq(update.qos, WIRE_LEVEL_OTP_ONLY); /* HS-11: what kmnet asks for */
        ck_assert(seen.bases < IDS_MAX);
        seen.base[seen.bases++] = update.key_id;
    }
    if (head.command == WIRE_CMD_SUPPLY_NOTIFY && pump_now(net->pump).ns < seen.drop_notify_ns) {
        return false;
    }
    return !(seen.drop_done && head.command == WIRE_CMD_RELAY_DONE);
}

static void begin(const struct kmn_config *config)
{
    memset(&seen, 0, sizeof seen);
    net = kmn_new(config);
    pump_tap(net->pump, tap, NULL);
    kmn_settle(net, 1);
}

static void line_begin(void)
{
    struct kmn_config config = kmn_line(NODES);
    begin(&config);
}

static void end(void)
{
    kmn_free(net);
    net = NULL;
}

static void serve(uint32_t app, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kmn_ask(net, app, 1);
        kmn_run(net, 500);
    }
    kmn_run(net, 3000);
}

/* Records of one key at the manager. */
static size_t trace(const struct qkd_id *id, struct wire_life records[RECORDS_MAX])
{
    size_t count = mgr_trace(net->manager, id, records, RECORDS_MAX);
    ck_assert_uint_le(count, RECORDS_MAX);
    return count;
}

/* The record of an action by an element; NULL: none. */
static const struct wire_life *find(const struct wire_life *records, size_t count, unsigned action,
                                    struct qkd_eid at)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].action == action && qkd_eid_eq(records[i].at, at)) {
            return &records[i];
        }
    }
    return NULL;
}

/* D23-OP-08, OP-09: every byte of the body, metadata and key data, is under the pad of the link's
 * QKD-key, and the header names no key. */
START_TEST(pad_covers_key_and_metadata)
{
    line_begin();
    serve(0, 5);
    ck_assert_uint_eq(seen.frames, 5 * (NODES - 1));
    for (size_t i = 0; i < seen.frames; i++) {
        struct wire_frame sealed, clear;
        struct wire_relay_body body;
        ck_assert_int_eq(wire_frame_decode(&sealed, seen.frame[i].bytes, seen.frame[i].len), 0);
        ck_assert_int_eq(wire_frame_decode(&clear, seen.frame[i].observed, seen.frame[i].len), 0);
        ck_assert_int_eq(wire_relay_body_decode(&body, clear.body, clear.body_len),
                         (int)clear.body_len);
        uint8_t seed[32] = {1, 2, (uint8_t)sealed.link, 1};
        uint8_t pad[BYTES_MAX];
        crypto_expand(pad, seed, sealed.offset, sealed.body_len);
        for (size_t k = 0; k < sealed.body_len; k++) {
            ck_assert_uint_eq(sealed.body[k] ^ pad[k], clear.body[k]);
        }
        for (size_t k = 0; k + 16 <= seen.frame[i].len; k++) {
            ck_assert(memcmp(seen.frame[i].bytes + k, body.key_id.b, 16) != 0);
        }
    }
    end();
}
END_TEST

/* Bits that a KMA has stored on a link, by its last report. */
static uint64_t stored_bits(uint32_t node, uint32_t link)
{
    size_t all = pump_report_count(net->pump, QKD_REPORT_POOL, kmn_kma(node));
    for (size_t i = all; i-- > 0;) {
        const struct qkd_report *r = pump_report(net->pump, QKD_REPORT_POOL, kmn_kma(node), i);
        if (r->a == link) {
            return r->d;
        }
    }
    ck_abort_msg("no report of this link");
}

/* D23-OP-09: the pool of each link falls by what the frames carry and 128 bits for each tag. */
START_TEST(pool_pays_body_and_tag)
{
    uint64_t before[NODES - 1], paid[NODES - 1] = {0};
    line_begin();
    for (uint32_t i = 0; i < NODES - 1; i++) {
        before[i] = stored_bits(i, i);
        ck_assert_uint_eq(before[i], stored_bits(i + 1, i));
    }
    serve(0, 7);
    for (size_t i = 0; i < seen.frames; i++) {
        struct wire_frame frame;
        ck_assert_int_eq(wire_frame_decode(&frame, seen.frame[i].bytes, seen.frame[i].len), 0);
        ck_assert_uint_eq(frame.length, frame.body_len + 16);
        paid[frame.link] += 8 * (frame.body_len + 16);
    }
    for (uint32_t i = 0; i < NODES - 1; i++) {
        ck_assert_uint_gt(paid[i], 0);
        ck_assert_uint_eq(stored_bits(i, i), before[i] - paid[i]);
        ck_assert_uint_eq(stored_bits(i + 1, i), before[i] - paid[i]);
    }
    end();
}
END_TEST

/* D23-OP-10, OP-11, OP-12: node i records hop i and nothing else, and a pad that is another key. */
START_TEST(each_node_records_its_own_hop)
{
    line_begin();
    serve(0, 3);
    ck_assert_uint_eq(seen.supplies, 6);
    for (size_t i = 0; i < seen.supplies; i++) {
        struct wire_life records[RECORDS_MAX];
        size_t count = trace(&seen.supply[i].metadata.kma_key_id, records);
        size_t relays = 0;
        for (size_t k = 0; k < count; k++) {
            relays += records[k].action == WIRE_ACTION_RELAY;
        }
        ck_assert_uint_eq(relays, NODES - 1);
        for (uint32_t node = 1; node < NODES; node++) {
            const struct wire_life *r = find(records, count, WIRE_ACTION_RELAY, kmn_kma(node));
            struct qkd_id pad = kmn_block_id(node - 1, 1);
            ck_assert_ptr_nonnull(r);
            ck_assert(r->has_source && qkd_eid_eq(r->source, kmn_kma(node - 1)));
            ck_assert(r->has_destination && qkd_eid_eq(r->destination, kmn_kma(node)));
            ck_assert(r->has_hop && r->hop == node);
            ck_assert(r->has_method && r->method == WIRE_METHOD_OTP);
            ck_assert(r->has_parent && qkd_id_eq(&r->parent, &pad));
            ck_assert(!qkd_id_eq(&r->parent, &r->id));
            ck_assert_int_gt(r->when.ns, 0);
        }
    }
    end();
}
END_TEST

/* D23-OP-11, MD-16 ... 19: the relay information of the last hop is kept with the key. */
START_TEST(relay_information_is_kept_with_the_key)
{
    line_begin();
    serve(0, 2);
    size_t far = 0;
    for (size_t i = 0; i < seen.supplies; i++) {
        const struct wire_key_metadata *m = &seen.supply[i].metadata;
        if (!qkd_eid_eq(seen.supply[i].kma, kmn_kma(NODES - 1))) {
            continue;
        }
        far++;
        ck_assert(m->has_relay_source && qkd_eid_eq(m->relay_source, kmn_kma(NODES - 2)));
        ck_assert(m->has_relay_destination && qkd_eid_eq(m->relay_destination, kmn_kma(NODES - 1)));
        ck_assert(m->has_relayed && m->has_generated && m->relayed.ns > m->generated.ns);
        ck_assert(m->has_method && m->method == WIRE_METHOD_OTP);
    }
    ck_assert_uint_eq(far, 2);
    end();
}
END_TEST

/* D23-MD-13, MD-14: the modules of the link by which the key left its source or reached its end. */
static void check_modules(const struct wire_key_metadata *m, uint32_t link, unsigned side)
{
    struct qkd_eid modules[2] = {qkd_eid_make(QKD_ROLE_MODULE, link > 0, link),
                                 qkd_eid_make(QKD_ROLE_MODULE, 0, link + 1)};
    ck_assert(m->has_module_id && qkd_eid_eq(m->module_id, modules[side]));
    ck_assert(m->has_matching_module_id && qkd_eid_eq(m->matching_module_id, modules[1 - side]));
}

/* D23-MD-T4: what one side holds for encryption, the other holds for decryption, under the same ID,
 * relayed (_i = 0) and from neighbours' pools (_i = 1). */
START_TEST(key_types_are_opposite)
{
    struct kmn_config config = kmn_line(_i == 0 ? NODES : 2);
    begin(&config);
    serve(0, 3);
    struct qkd_eid ends[2] = {kmn_kma(0), kmn_kma(config.nodes - 1)};
    ck_assert_uint_eq(seen.supplies, 6);
    for (size_t i = 0; i < seen.supplies; i++) {
        const struct wire_key_metadata *m = &seen.supply[i].metadata;
        unsigned side = qkd_eid_eq(seen.supply[i].kma, ends[1]);
        size_t pairs = 0;
        ck_assert(m->has_kma_key_id && m->has_key_type && m->has_key_length);
        ck_assert_uint_eq(m->key_type, side == 0 ? WIRE_FOR_ENCRYPTION : WIRE_FOR_DECRYPTION);
        ck_assert_uint_eq(m->key_length, 256);
        ck_assert(m->has_kma_id && qkd_eid_eq(m->kma_id, ends[side]));
        ck_assert(m->has_matching_kma_id && qkd_eid_eq(m->matching_kma_id, ends[1 - side]));
        check_modules(m, side == 0 ? 0 : config.nodes - 2, side);
        for (size_t k = 0; k < seen.supplies; k++) {
            pairs += k != i && qkd_id_eq(&seen.supply[k].metadata.kma_key_id, &m->kma_key_id) &&
                     seen.supply[k].metadata.key_type != m->key_type;
        }
        ck_assert_uint_eq(pairs, 1);
    }
    end();
}
END_TEST

/* The QKD-key of a link: made by both modules; received, stored, synchronised, formatted by both KMAs. */
static void check_block(uint32_t link, const struct qkd_id *id)
{
    static const unsigned actions[] = {WIRE_ACTION_RECEPTION, WIRE_ACTION_STORAGE,
                                       WIRE_ACTION_SYNCHRONIZATION, WIRE_ACTION_FORMATTING};
    struct wire_life records[RECORDS_MAX];
    size_t count = trace(id, records);
    for (uint32_t node = link; node <= link + 1; node++) {
        struct qkd_eid module = qkd_eid_make(QKD_ROLE_MODULE, node > 0 && node == link, node);
        ck_assert_ptr_nonnull(find(records, count, WIRE_ACTION_GENERATION, module));
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
            const struct wire_life *r = find(records, count, actions[i], kmn_kma(node));
            ck_assert_ptr_nonnull(r);
            ck_assert_uint_eq(r->key_class, WIRE_CLASS_QKD);
        }
    }
}

/* D23-OP-18: from any KSA-key that an application got, the manager leads back to the QKD-keys. */
START_TEST(every_key_is_traced_to_its_qkd_keys)
{
    line_begin();
    serve(0, 4);
    size_t keys = pump_report_count(net->pump, QKD_REPORT_KEY, QKD_NOBODY);
    ck_assert_uint_eq(keys, 4);
    for (size_t i = 0; i < keys; i++) {
        struct wire_life ksa[RECORDS_MAX], kma[RECORDS_MAX];
        struct qkd_id id = pump_report(net->pump, QKD_REPORT_KEY, QKD_NOBODY, i)->id2;
        size_t count = trace(&id, ksa);
        for (unsigned side = 0; side < 2; side++) {
            struct qkd_eid at = kmn_ksa(side == 0 ? 0 : NODES - 1);
            const struct wire_life *r = find(ksa, count, WIRE_ACTION_SUPPLY, at);
            ck_assert_ptr_nonnull(find(ksa, count, WIRE_ACTION_SYNCHRONIZATION, at));
            ck_assert_ptr_nonnull(find(ksa, count, WIRE_ACTION_DELETION, at)); /* its copy */
            ck_assert_ptr_nonnull(r);
            ck_assert_uint_eq(r->key_class, WIRE_CLASS_KSA);
            ck_assert(r->has_source_app && qkd_eid_eq(r->source_app, kmn_app(net, 0, 0)));
            ck_assert(r->has_target_app && qkd_eid_eq(r->target_app, kmn_app(net, 0, 1)));
            ck_assert(r->has_key_length && r->key_length == 256 && r->has_parent);
        }
        struct qkd_id parent = ksa[0].parent;
        count = trace(&parent, kma);
        ck_assert_ptr_nonnull(find(kma, count, WIRE_ACTION_GENERATION, kmn_kma(0)));
        ck_assert_ptr_nonnull(find(kma, count, WIRE_ACTION_SUPPLY, kmn_kma(0)));
        ck_assert_ptr_nonnull(find(kma, count, WIRE_ACTION_SUPPLY, kmn_kma(NODES - 1)));
        ck_assert_ptr_nonnull(find(kma, count, WIRE_ACTION_AUTHENTICATION, kmn_ksa(0)));
        for (uint32_t node = 1; node < NODES; node++) {
            const struct wire_life *r = find(kma, count, WIRE_ACTION_RELAY, kmn_kma(node));
            ck_assert_ptr_nonnull(r);
            check_block(node - 1, &r->parent);
        }
    }
    end();
}
END_TEST

/* The only KMA-key that was relayed: what the manager has about it. */
static size_t only_key(struct wire_life records[RECORDS_MAX])
{
    struct wire_frame frame;
    struct wire_relay_body body;
    ck_assert_int_eq(wire_frame_decode(&frame, seen.frame[0].observed, seen.frame[0].len), 0);
    ck_assert_int_gt(wire_relay_body_decode(&body, frame.body, frame.body_len), 0);
    return trace(&body.key_id, records);
}

/* D23-HS-T2: with a Timer of 2 s, a key whose completion is lost can be used by neither side after it,
 * although its request would still wait. */
START_TEST(id_ends_with_its_timer)
{
    struct kmn_config config = kmn_line(3);
    config.timer = qkd_span_s(2);
    begin(&config);
    seen.drop_done = true;
    kmn_ask(net, 0, 1);
    kmn_run(net, 4500);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY), 1);
    const struct qkd_report *outcome = pump_report(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY, 0);
    ck_assert_uint_eq(outcome->b, WIRE_REASON_EXPIRED);
    kmn_run(net, 3000);
    ck_assert_uint_ge(seen.frames, 2);
    struct wire_life records[RECORDS_MAX];
    size_t count = only_key(records);
    ck_assert_ptr_nonnull(find(records, count, WIRE_ACTION_EXPIRY, kmn_kma(2)));
    ck_assert_ptr_null(find(records, count, WIRE_ACTION_SUPPLY, kmn_kma(0)));
    ck_assert_ptr_null(find(records, count, WIRE_ACTION_SUPPLY, kmn_kma(2)));
    end();
}
END_TEST

/* D23-HS-T2: with a Timer of 1.3 s, the notification that comes after 1.4 s (its third repetition) finds
 * the key not usable, before the sweep of the next status period takes it away. */
START_TEST(id_ends_before_it_is_swept)
{
    struct kmn_config config = kmn_line(3);
    struct wire_life records[RECORDS_MAX];
    config.timer = qkd_span_ms(1300);
    begin(&config);
    kmn_run(net, 50);
    seen.drop_notify_ns = pump_now(net->pump).ns + 1300 * QKD_NS_PER_MS;
    kmn_ask(net, 0, 1);
    kmn_run(net, 4000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 0);
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY), 1);
    size_t count = only_key(records);
    ck_assert_ptr_nonnull(find(records, count, WIRE_ACTION_SUPPLY, kmn_kma(0)));
    ck_assert_ptr_null(find(records, count, WIRE_ACTION_SUPPLY, kmn_kma(2)));
    ck_assert_ptr_nonnull(find(records, count, WIRE_ACTION_EXPIRY, kmn_kma(2)));
    end();
}
END_TEST

static bool id_in(const struct qkd_id *ids, size_t count, const struct qkd_id *id)
{
    for (size_t i = 0; i < count; i++) {
        if (qkd_id_eq(&ids[i], id)) {
            return true;
        }
    }
    return false;
}

/* D23-KR-05, KR-08, MD-07: three application pairs over the same pair of key managers, one of them the
 * other way: no ID comes twice, and both ends know a key by the same one. */
START_TEST(pairs_share_no_id)
{
    struct kmn_config config = kmn_line(3);
    config.apps = 3;
    for (uint32_t i = 0; i < 3; i++) {
        config.app_ends[i][i == 2] = 0;
        config.app_ends[i][i != 2] = 2;
    }
    begin(&config);
    for (int i = 0; i < 10; i++) {
        for (uint32_t app = 0; app < 3; app++) {
            kmn_ask(net, app, 2);
        }
        kmn_run(net, 300);
    }
    kmn_run(net, 3000);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 30);
    ck_assert_uint_eq(seen.supplies, 2 * 60);
    ck_assert_uint_ge(seen.bases, 3);
    for (size_t i = 0; i < seen.bases; i++) {
        ck_assert(!id_in(seen.base, i, &seen.base[i]));
    }
    struct qkd_id at_source[IDS_MAX], at_destination[IDS_MAX];
    size_t sources = 0, destinations = 0;
    for (size_t i = 0; i < seen.supplies; i++) {
        const struct wire_key_metadata *m = &seen.supply[i].metadata;
        if (m->key_type == WIRE_FOR_ENCRYPTION) {
            ck_assert(!id_in(at_source, sources, &m->kma_key_id));
            at_source[sources++] = m->kma_key_id;
        } else {
            at_destination[destinations++] = m->kma_key_id;
        }
    }
    ck_assert_uint_eq(sources, 60);
    ck_assert_uint_eq(destinations, 60);
    for (size_t i = 0; i < destinations; i++) {
        ck_assert(id_in(at_source, sources, &at_destination[i]));
    }
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("km_relay");
    TCase *tc = tcase_create("relay");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, pad_covers_key_and_metadata);
    tcase_add_test(tc, pool_pays_body_and_tag);
    tcase_add_test(tc, each_node_records_its_own_hop);
    tcase_add_test(tc, relay_information_is_kept_with_the_key);
    tcase_add_loop_test(tc, key_types_are_opposite, 0, 2);
    tcase_add_test(tc, every_key_is_traced_to_its_qkd_keys);
    tcase_add_test(tc, id_ends_with_its_timer);
    tcase_add_test(tc, id_ends_before_it_is_swept);
    tcase_add_test(tc, pairs_share_no_id);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
