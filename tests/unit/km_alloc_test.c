/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole key managers under a heap that is counted. Topology: a line of three nodes, one application
 * from end to end, the key manager in one process (_i = 0) or two (_i = 1). No allocation per
 * message once warm; when any one allocation of a step fails, the step says so, its outputs are
 * dropped with the element, and the node that starts again from what it persisted goes on: every
 * request ends, both ends hold the same keys. START and CONFIG are the host's own and must not
 * fail; km_new() is tried apart. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/km/km.h"
#include "core/wire/codec.h"
#include "tests/lib/alloc_count.h"
#include "tests/lib/kmnet.h"

static struct kmn *net;
static uint64_t allocations; /* of all steps so far */
static int64_t fail_at;      /* allocation that shall fail, from now; negative: none */
static bool down;            /* the step that failed belonged to node down_node */
static uint32_t down_node;

static uint32_t node_of(const struct qkd_event *event)
{
    return qkd_eid_node(event->u.recv.to);
}

static int counted_step(void *km, const struct qkd_event *event, struct qkd_out *out)
{
    /* Only of RECV is the node known, and the world may not fail at CONFIG. */
    bool may_fail = event->type == QKD_EV_RECV && fail_at >= 0;
    alloc_count_begin_failing(may_fail ? fail_at : -1);
    int err = km_step(km, event, out);
    int64_t used = (int64_t)alloc_count_end();
    allocations += (uint64_t)used;
    if (!may_fail) {
        return err;
    }
    bool has_failed = used > fail_at;
    fail_at = has_failed ? -1 : fail_at - used;
    if (has_failed && (err != 0 || out->failed)) {
        ck_assert(err == 0 || err == QKD_ERR_NOMEM);
        qkd_out_reset(out);
        out->failed = false;
        down = true;
        down_node = node_of(event);
        return 0;
    }
    return err;
}

static bool is_down(void *ctx)
{
    (void)ctx;
    return down;
}

static void run(int64_t ms)
{
    struct qkd_time end = qkd_time_add(pump_now(net->pump), qkd_span_ms(ms));
    while (pump_until(net->pump, is_down, NULL, qkd_time_sub(end, pump_now(net->pump)))) {
        down = false;
        kmn_restart(net, down_node);
    }
}

static void begin(int two, int64_t fail)
{
    struct kmn_config config = kmn_line(3);
    config.two = two != 0;
    config.requests = 32;
    config.step = counted_step;
    fail_at = fail;
    down = false;
    allocations = 0;
    net = kmn_new(&config);
    run(3000);
    kmn_blocks(net);
    run(3000);
}

static void ask(int rounds, uint32_t count)
{
    for (int i = 0; i < rounds; i++) {
        kmn_ask(net, 0, count);
        run(200);
    }
    run(6000);
}

START_TEST(nothing_in_the_steady_state)
{
    begin(_i, -1);
    for (int i = 0; i < 40; i++) {
        kmn_blocks(net);
        run(100);
    }
    ask(400, 2); /* longer than the 60 s for which keys wait */
    ck_assert_uint_gt(allocations, 0);
    allocations = 0;
    ask(100, 2);
    ck_assert_uint_eq(allocations, 0);
    ck_assert_uint_eq(kmn_outcomes(net, WIRE_OUTCOME_SERVED), 500);
    kmn_free(net);
}
END_TEST

/* The n-th report of a kind has the fields of the n-th of another: keys in pairs are the same. */
static bool was_supplied(const struct qkd_id *key)
{
    size_t all = pump_report_count(net->pump, QKD_REPORT_KEY, QKD_NOBODY);
    for (size_t i = 0; i < all; i++) {
        if (qkd_id_eq(&pump_report(net->pump, QKD_REPORT_KEY, QKD_NOBODY, i)->id2, key)) {
            return true;
        }
    }
    return false;
}

static void check_ends(size_t requests)
{
    size_t all = pump_report_count(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY);
    ck_assert_uint_eq(all, requests);
    for (size_t i = 0; i < all; i++) {
        const struct qkd_report *r = pump_report(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY, i);
        ck_assert_uint_ne(r->b, WIRE_REASON_MISMATCH);
    }
    size_t fetched = pump_report_count(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY);
    for (size_t i = 0; i < fetched; i++) {
        ck_assert(was_supplied(&pump_report(net->pump, QKD_REPORT_FETCHED, QKD_NOBODY, i)->id));
    }
    ck_assert_uint_eq(pump_report_count(net->pump, QKD_REPORT_TAG_FAILURE, QKD_NOBODY), 0);
}

static size_t served(void)
{
    size_t n = 0;
    size_t all = pump_report_count(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY);
    for (size_t i = 0; i < all; i++) {
        n += pump_report(net->pump, QKD_REPORT_OUTCOME, QKD_NOBODY, i)->a == WIRE_OUTCOME_SERVED;
    }
    return n;
}

START_TEST(any_allocation_fails)
{
    uint64_t failures = 0;
    for (int64_t n = 0;; n++) {
        begin(_i, n);
        ask(10, 2);
        bool has_failed = fail_at < 0;
        size_t before = served();
        ask(3, 1);
        check_ends(13);
        ck_assert_msg(served() == before + 3, "allocation %d: not served afterwards", (int)n);
        kmn_free(net);
        if (!has_failed) {
            break;
        }
        failures++;
    }
    ck_assert_uint_gt(failures, 20);
}
END_TEST

/* Each allocation of km_new() fails once. */
START_TEST(new_without_memory)
{
    struct km_config config = {.parts = _i == 0 ? KM_ALL : KM_KSA,
                               .name = "km",
                               .community = "test",
                               .unit_bits = 256,
                               .batch = 1,
                               .lease_bits = 16384,
                               .retransmit = qkd_span_ms(200),
                               .retries = 5,
                               .expiry = qkd_span_s(3600),
                               .fetch_within = qkd_span_s(60),
                               .timer = qkd_span_s(600),
                               .status_period = qkd_span_s(1),
                               .request_limit = 64,
                               .key_limit = 64,
                               .link_limit = 4};
    struct km *km = NULL;
    int64_t n = 0;
    int err;
    do {
        alloc_count_begin_failing(n++);
        err = km_new(&config, &km);
        (void)alloc_count_end();
        ck_assert(err == 0 || err == QKD_ERR_NOMEM);
    } while (err != 0);
    km_free(km);
    ck_assert_int_gt(n, _i == 0 ? 7 : 3);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("km_alloc");
    TCase *tc = tcase_create("alloc");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, nothing_in_the_steady_state, 0, 2);
    tcase_add_loop_test(tc, any_allocation_fails, 0, 2);
    tcase_add_loop_test(tc, new_without_memory, 0, 2);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
