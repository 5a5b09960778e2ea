/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of the world alone: node clocks against exact rational arithmetic, the store against a plain
 * list, the digest's sensitivity, the packet pool, the statistics of links. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/crypto/crypto.h"
#include "core/wire/frame.h"
#include "models/wide.h"
#include "sim/clock.h"
#include "sim/packet.h"
#include "sim/store.h"
#include "watch/stats_state.h"
#include "watch/trace.h"

/* ---- clocks ---- */

/* floor(t * (10^9 + ppb) / 10^9) in 128 bits: what a clock that shows 0 at 0 shows at t. */
static int64_t exact(int64_t t_ns, int64_t ppb)
{
    struct mdl_wide product = mdl_wide_mul((uint64_t)t_ns, (uint64_t)(1000000000 + ppb));
    uint64_t up = mdl_wide_div_up(product, 1000000000);
    struct mdl_wide back = mdl_wide_mul(up, 1000000000);
    return (int64_t)(mdl_wide_less(product, back) ? up - 1 : up);
}

/* Both clocks show offset + elapsed, rounded down, for any drift from -10 % to 10 % and up to ten
 * years; the inverse is the first instant. */
START_TEST(clock_is_exact)
{
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 4, "clock test", (uint64_t)_i);
    for (int i = 0; i < 2000; i++) {
        struct sim_clock clock = {
            .drift_ppb = (int64_t)qkd_rng_below(&rng, 200000001) - 100000000,
            .mono_ns = (int64_t)qkd_rng_below(&rng, 1000000000000),
            .wall_ns = SIM_EPOCH_NS,
        };
        uint64_t range = UINT64_C(1) << (1 + qkd_rng_below(&rng, 58));
        int64_t t_ns =
            (int64_t)qkd_rng_below(&rng, range < 315360000000000000U ? range : 315360000000000000U);
        int64_t elapsed_ns = exact(t_ns, clock.drift_ppb);
        ck_assert_int_eq(sim_clock_mono(&clock, t_ns).ns, clock.mono_ns + elapsed_ns);
        ck_assert_int_eq(sim_clock_wall(&clock, t_ns).ns, SIM_EPOCH_NS + elapsed_ns);

        struct qkd_time want = {clock.mono_ns + elapsed_ns + (int64_t)qkd_rng_below(&rng, 3)};
        int64_t first_ns = sim_clock_when(&clock, want);
        ck_assert_int_ge(sim_clock_mono(&clock, first_ns).ns, want.ns);
        ck_assert(first_ns == 0 || sim_clock_mono(&clock, first_ns - 1).ns < want.ns);
    }
}
END_TEST

START_TEST(clock_ends)
{
    struct sim_clock clock = {.drift_ppb = -5, .mono_ns = 1000};
    ck_assert_int_eq(sim_clock_when(&clock, QKD_NEVER), INT64_MAX);
    ck_assert_int_eq(sim_clock_when(&clock, (struct qkd_time){0}), 0);
    ck_assert_int_eq(sim_clock_when(&clock, (struct qkd_time){1000}), 0);
}
END_TEST

/* ---- store ---- */

enum { OWNERS = 2, KEYS = 40, VALUE_MAX = 200 };

struct plain {
    bool live;
    uint8_t kind, key_len, value_len;
    uint8_t key[32];
    uint8_t value[VALUE_MAX];
};

static struct qkd_persist persist_of(const struct plain *plain, uint32_t owner)
{
    struct qkd_persist persist = {.owner = qkd_eid_make(QKD_ROLE_KMA, owner, 3),
                                  .kind = plain->kind,
                                  .key_len = plain->key_len,
                                  .value = {0, plain->value_len}};
    memcpy(persist.key, plain->key, sizeof(persist.key));
    return persist;
}

static int plain_order(const void *a, const void *b)
{
    const struct plain *x = a;
    const struct plain *y = b;
    if (x->kind != y->kind) {
        return x->kind - y->kind;
    }
    size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = memcmp(x->key, y->key, len);
    return order != 0 ? order : x->key_len - y->key_len;
}

static void store_check(const struct sim_store *store, const struct plain *model, uint32_t owner)
{
    struct plain live[KEYS];
    size_t want = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (model[i].live) {
            live[want++] = model[i];
        }
    }
    qsort(live, want, sizeof(live[0]), plain_order);
    struct qkd_record *records = NULL;
    size_t count = 0;
    struct qkd_eid eid = qkd_eid_make(QKD_ROLE_KMA, owner, 3);
    ck_assert_int_eq(sim_store_records(store, eid, &records, &count), 0);
    ck_assert_uint_eq(count, want);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(records[i].kind, live[i].kind);
        ck_assert_uint_eq(records[i].key_len, live[i].key_len);
        ck_assert_mem_eq(records[i].key, live[i].key, live[i].key_len);
        ck_assert_uint_eq(records[i].value_len, live[i].value_len);
        if (live[i].value_len > 0) {
            ck_assert_mem_eq(records[i].value, live[i].value, live[i].value_len);
        }
    }
    free(records);
}

/* Random puts, replacements and deletions for two owners of one node: the records that START would
 * hand back are those of a plain list, in (kind, key) order. */
START_TEST(store_against_a_list)
{
    static struct plain model[OWNERS][KEYS];
    memset(model, 0, sizeof(model));
    struct sim_store store = {0};
    struct qkd_rng rng;
    qkd_rng_init_named(&rng, 9, "store test", (uint64_t)_i);
    for (uint32_t owner = 0; owner < OWNERS; owner++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            /* Few distinct bytes, so that prefixes and equal keys of other kinds occur. */
            struct plain *plain = &model[owner][i];
            plain->kind = (uint8_t)(1 + i % 3);
            plain->key_len = (uint8_t)(1 + i / 3);
            memset(plain->key, (int)(i % 2), plain->key_len);
            plain->key[0] = (uint8_t)(i % 5);
        }
    }
    for (int step = 0; step < 3000; step++) {
        uint32_t owner = (uint32_t)qkd_rng_below(&rng, OWNERS);
        struct plain *plain = &model[owner][qkd_rng_below(&rng, KEYS)];
        struct qkd_persist persist = persist_of(plain, owner);
        if (qkd_rng_below(&rng, 3) == 0) {
            persist.del = true;
            plain->live = false;
            ck_assert_int_eq(sim_store_apply(&store, &persist, NULL), 0);
        } else {
            plain->live = true;
            plain->value_len = (uint8_t)qkd_rng_below(&rng, VALUE_MAX);
            qkd_rng_bytes(&rng, plain->value, plain->value_len);
            persist = persist_of(plain, owner);
            ck_assert_int_eq(sim_store_apply(&store, &persist, plain->value), 0);
        }
        if (step % 100 == 0) {
            store_check(&store, model[0], 0);
            store_check(&store, model[1], 1);
        }
    }
    sim_store_fini(&store);
}
END_TEST

/* ---- digest ---- */

enum { EVENTS = 100 };

static uint64_t digest_of(int change, uint32_t events)
{
    struct watch_trace trace = {0};
    uint8_t bytes[40];
    for (uint32_t i = 0; i < events; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        struct watch_trace_event event = {.now_ns = 1000 * (int64_t)i,
                                          .from = {i},
                                          .to = {i + 1},
                                          .what = 4,
                                          .bytes = bytes,
                                          .len = sizeof(bytes)};
        if (i == 50) {
            event.now_ns += change == 1;
            event.from.v += change == 2;
            event.to.v += change == 3;
            event.what += change == 4;
            event.len -= change == 5;
            bytes[39] ^= change == 6;
        }
        watch_trace_add(&trace, &event);
    }
    return watch_trace_digest(&trace);
}

/* Whatever changes in one event in the middle, or at the end, changes the digest; nothing else. */
START_TEST(digest_sees_everything)
{
    uint64_t same = digest_of(0, EVENTS);
    ck_assert_uint_eq(digest_of(0, EVENTS), same);
    for (int change = 1; change <= 6; change++) {
        ck_assert_uint_ne(digest_of(change, EVENTS), same);
    }
    ck_assert_uint_ne(digest_of(0, EVENTS - 1), same);
    ck_assert_uint_ne(digest_of(0, 0), same);
}
END_TEST

/* ---- packets ---- */

/* Sizes from 0 to the maximum come back with their bytes; what is given back is used again. */
START_TEST(packets_by_size)
{
    struct sim_pool *pool = sim_pool_new();
    ck_assert_ptr_nonnull(pool);
    static const size_t sizes[] = {0, 1, 128, 129, 4096, 65536, 65537, SIM_PACKET_MAX};
    struct sim_packet *packets[8];
    for (size_t i = 0; i < 8; i++) {
        packets[i] = sim_pool_take(pool, sizes[i]);
        ck_assert_ptr_nonnull(packets[i]);
        ck_assert_uint_eq(packets[i]->len, sizes[i]);
        memset(packets[i]->bytes, (int)i + 1, sizes[i]);
    }
    ck_assert_ptr_null(sim_pool_take(pool, SIM_PACKET_MAX + 1));
    for (size_t i = 0; i < 8; i++) {
        for (size_t k = 0; k < sizes[i]; k += 97) {
            ck_assert_uint_eq(packets[i]->bytes[k], i + 1);
        }
    }
    struct sim_packet *copy = sim_pool_copy(pool, packets[4]);
    ck_assert_mem_eq(copy->bytes, packets[4]->bytes, 4096);
    ck_assert_uint_eq(sim_pool_live(pool), 9);
    sim_pool_give(pool, copy);
    ck_assert_ptr_eq(sim_pool_take(pool, 3000), copy);
    sim_pool_free(pool);
}
END_TEST

/* ---- statistics of links ---- */

static const char two_links[] = "scenario: t\nduration: 100 s\nnetwork:\n"
                                "  nodes: [{id: A}, {id: B}, {id: C}]\n"
                                "  links:\n"
                                "    - {id: AB, ends: [A, B], qkd: {rate: 1 Mbit/s}}\n"
                                "    - {id: BC, ends: [B, C], qkd: {rate: 1 Mbit/s}}\n"
                                "applications:\n  - {id: v, from: A, to: B, rate: 1 /s}\n";

/* A report at a second of the run. */
static void tell(struct watch_stats *stats, double at_s, const struct qkd_report *report)
{
    ck_assert_int_eq(watch_stats_report(stats, (int64_t)(at_s * 1e9), report, NULL), 0);
}

static struct qkd_eid kma_at(uint32_t node)
{
    return qkd_eid_make(QKD_ROLE_KMA, 0, node);
}

static void tell_adjacency(struct watch_stats *stats, double at_s, uint32_t a, bool up)
{
    for (uint32_t i = 0; i < 2; i++) { /* both ends of the link of nodes a and a + 1 */
        tell(stats, at_s,
             &(struct qkd_report){.code = up ? QKD_REPORT_PEER_UP : QKD_REPORT_PEER_DOWN,
                                  .who = kma_at(a + i),
                                  .peer = kma_at(a + 1 - i),
                                  .a = QKD_RP_KX1});
    }
}

static void tell_pool(struct watch_stats *stats, double at_s, uint32_t node, uint64_t bits)
{
    tell(stats, at_s,
         &(struct qkd_report){.code = QKD_REPORT_POOL,
                              .who = kma_at(node),
                              .peer = kma_at(1 - node),
                              .b = bits,
                              .e = bits});
}

static void tell_alarm(struct watch_stats *stats, double at_s, uint64_t fault)
{
    tell(stats, at_s,
         &(struct qkd_report){.code = QKD_REPORT_ALARM, .peer = kma_at(0), .a = fault, .b = 1});
}

struct stats_case {
    struct scn_scenario *scenario;
    struct watch_stats *stats;
    struct scn_sink sink;
    struct scn_summary summary;
};

static void stats_begin(struct stats_case *c, const char *faults)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), "%s%s", two_links, faults);
    struct scn_errors errors;
    struct scn_text from = {"test", text, strlen(text), NULL};
    memset(c, 0, sizeof(*c));
    ck_assert_int_eq(scn_load_text(&from, NULL, &c->scenario, &errors), 0);
    scn_errors_fini(&errors);
    c->stats = watch_stats_new(
        &(struct watch_stats_config){.scenario = c->scenario, .sink = &c->sink});
    ck_assert_ptr_nonnull(c->stats);
    ck_assert_int_eq(scn_summary_init(&c->summary, c->scenario), 0);
    watch_stats_warm(c->stats, 0);
}

static void stats_end(struct stats_case *c)
{
    watch_stats_free(c->stats);
    scn_summary_fini(&c->summary);
    scn_free(c->scenario);
}

/* A link is down since it first came up; one that never does, or that a fault hit before, always. */
START_TEST(down_after_up)
{
    struct stats_case c;
    bool fault = _i == 1;
    stats_begin(&c, fault ? "faults:\n  - {at: 1 s, link: AB, what: classical, for: 1 s}\n" : "");
    if (fault) {
        watch_stats_fault(c.stats, 1000000000, &c.scenario->faults[0]);
    }
    tell_adjacency(c.stats, 4, 0, true);
    tell_adjacency(c.stats, 20, 0, false);
    tell_adjacency(c.stats, 26, 0, true);
    ck_assert_int_eq(watch_stats_finish(c.stats, 100000000000, &c.summary), 0);
    ck_assert(fabs(c.summary.links[0].down_s - (fault ? 10.0 : 6.0)) < 1e-9);
    ck_assert(fabs(c.summary.links[1].down_s - 100.0) < 1e-9);
    ck_assert(c.summary.links[0].up_end && !c.summary.links[1].up_end);
    stats_end(&c);
}
END_TEST

/* A pool is empty while neither end can pay a hop of one unit: two halves do not make one. */
START_TEST(empty_pool)
{
    struct stats_case c;
    const uint64_t cost = wire_relay_cost_bits(256, 1, 1);
    ck_assert_uint_ge(cost, 256 + 128); /* the key and a tag at least */
    stats_begin(&c, "");
    tell_pool(c.stats, 1, 0, 5000);
    tell_pool(c.stats, 1, 1, cost - 1);
    tell_pool(c.stats, 11, 0, cost - 1); /* here empty */
    tell_pool(c.stats, 14, 1, cost);     /* up to here */
    tell_pool(c.stats, 20, 1, 0);
    tell_pool(c.stats, 27, 0, cost + 50);
    ck_assert_int_eq(watch_stats_finish(c.stats, 100000000000, &c.summary), 0);
    ck_assert(fabs(c.summary.links[0].empty_s - 10.0) < 1e-9);
    ck_assert_uint_eq(c.summary.links[0].pool_min_bits, cost - 1);
    ck_assert_uint_eq(c.summary.links[0].pool_end_bits, cost + 50);
    stats_end(&c);
}
END_TEST

/* A fault is detected by what it causes, not by a pool that is low, nor by another kind of alarm. */
START_TEST(fault_detected_by_its_kind)
{
    static const struct {
        const char *fault;
        uint64_t not_by[3], by;
        size_t not_count;
    } cases[] = {
        {"link: AB, what: quantum",
         {WIRE_FAULT_POOL_LOW, WIRE_FAULT_LINK_DOWN, WIRE_FAULT_MODULE_DOWN},
         WIRE_FAULT_NO_KEY,
         3},
        {"link: AB, what: module, end: A",
         {WIRE_FAULT_POOL_LOW, WIRE_FAULT_LINK_DOWN, WIRE_FAULT_QBER_HIGH},
         WIRE_FAULT_MODULE_DOWN,
         3},
        {"link: AB, what: classical",
         {WIRE_FAULT_POOL_LOW, WIRE_FAULT_NO_KEY, WIRE_FAULT_MODULE_DOWN},
         WIRE_FAULT_LINK_DOWN,
         3},
        {"link: AB, what: degraded, loss: 3 dB",
         {WIRE_FAULT_POOL_LOW, WIRE_FAULT_QBER_HIGH, WIRE_FAULT_LINK_DOWN},
         WIRE_FAULT_NO_KEY,
         3},
        {"link: AB", {WIRE_FAULT_POOL_LOW}, WIRE_FAULT_NO_KEY, 1},
        {"node: B", {WIRE_FAULT_POOL_LOW, WIRE_FAULT_QBER_HIGH}, WIRE_FAULT_MODULE_DOWN, 2},
        {"node: B, what: down", {WIRE_FAULT_POOL_LOW}, WIRE_FAULT_LINK_DOWN, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stats_case c;
        char text[128];
        (void)snprintf(text, sizeof(text), "faults:\n  - {at: 10 s, %s, for: 9 s}\n",
                       cases[i].fault);
        stats_begin(&c, text);
        static const uint32_t route[] = {0, 1}; /* of the last served request */
        ck_assert_int_eq(watch_route_set(&c.stats->apps[0].route, route, 2), 0);
        watch_stats_fault(c.stats, 10000000000, &c.scenario->faults[0]);
        for (size_t k = 0; k < cases[i].not_count; k++) {
            tell_alarm(c.stats, 11 + (double)k, cases[i].not_by[k]);
        }
        tell_alarm(c.stats, 17, cases[i].by);
        tell_alarm(c.stats, 18, cases[i].by);
        ck_assert_int_eq(watch_stats_finish(c.stats, 100000000000, &c.summary), 0);
        ck_assert_uint_eq(c.summary.healing.events, 1);
        ck_assert_msg(fabs(c.summary.healing.detect_s - 7.0) < 1e-9, "case %zu: %g s", i,
                      c.summary.healing.detect_s);
        stats_end(&c);
    }
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("world parts");
    TCase *tests = tcase_create("parts");
    tcase_add_loop_test(tests, clock_is_exact, 0, 5);
    tcase_add_test(tests, clock_ends);
    tcase_add_loop_test(tests, store_against_a_list, 0, 10);
    tcase_add_test(tests, digest_sees_everything);
    tcase_add_test(tests, packets_by_size);
    tcase_add_loop_test(tests, down_after_up, 0, 2);
    tcase_add_test(tests, empty_pool);
    tcase_add_test(tests, fault_detected_by_its_kind);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
