/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invented run for tests. */
#include "tests/lib/results.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define MS INT64_C(1000000)

static const char yaml[] =
    "scenario: test line\nseed: 42\nduration: 100 s\nengine: fast\n"
    "network:\n  nodes:\n"
    "    - {id: A, lat: 35.7, lon: 139.5}\n    - {id: B, lat: 35.7, lon: 139.7}\n"
    "    - {id: C, lat: 35.8, lon: 139.8, role: user}\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 45 km, qkd: {model: rate, rate: 100 kbit/s}}\n"
    "    - {id: BC, ends: [B, C], length: 12 km, qkd: {model: rate, rate: 1 Mbit/s}}\n"
    "applications:\n"
    "  - {id: video, from: A, to: C, key: 256 bit, arrivals: poisson, rate: 1 /s}\n"
    "  - {id: mail, from: C, to: A, key: 128 bit, arrivals: poisson, rate: 1 /s}\n"
    "faults:\n  - {at: 10 s, link: AB, what: quantum, for: 5 s}\n"
    "expect:\n  - served_fraction >= 0.85\n  - link[BC].pool_min_bits > 4000\n";

struct scn_scenario *test_scenario(void)
{
    struct scn_text text = {"test.yaml", yaml, sizeof yaml - 1, NULL};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int err = scn_load_text(&text, NULL, &scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no memory");
    scn_errors_fini(&errors);
    return scenario;
}

char *test_scenario_text(void)
{
    char *text = malloc(sizeof yaml);
    ck_assert_ptr_nonnull(text);
    return memcpy(text, yaml, sizeof yaml);
}

static struct qkd_id key_id(uint8_t class_byte, unsigned number)
{
    struct qkd_id id;
    memset(id.b, class_byte, sizeof id.b);
    id.b[0] = (uint8_t)(number >> 24);
    id.b[1] = (uint8_t)(number >> 16);
    id.b[2] = (uint8_t)(number >> 8);
    id.b[3] = (uint8_t)number;
    return id;
}

struct qkd_id test_ksa_key(unsigned request)
{
    return key_id(0x5a, request);
}

struct qkd_id test_kma_key(unsigned request)
{
    return key_id(0xaa, request);
}

struct qkd_id test_qkd_key(unsigned link)
{
    return key_id(0x0d, link);
}

static void send_life(const struct scn_sink *sink, struct scn_life life)
{
    life.method = life.method == NULL ? "none" : life.method;
    life.reason = "none";
    life.key_bits = 256;
    sink->life(sink->ctx, &life);
}

/* Hops and life cycle of a served request. */
static void send_travel(const struct scn_sink *sink, unsigned n)
{
    for (uint32_t k = 0; k < 2; k++) {
        struct scn_hop hop = {.kma_key = test_kma_key(n),
                              .link = k,
                              .from = k,
                              .to = k + 1,
                              .sent_ns = n * SECOND + k * MS,
                              .hop = k + 1,
                              .attempt = 1,
                              .block = 3,
                              .offset = 100 * n,
                              .pad_bits = 1024,
                              .tag_bits = 128,
                              .method = "otp"};
        if (sink->hop != NULL) {
            sink->hop(sink->ctx, &hop);
        }
        if (sink->life != NULL) {
            send_life(sink, (struct scn_life){.time_ns = hop.sent_ns,
                                              .at = qkd_eid_make(QKD_ROLE_KMA, 0, k),
                                              .action = "relay",
                                              .key_class = "kma",
                                              .id = hop.kma_key,
                                              .parent = test_qkd_key(k),
                                              .method = "otp",
                                              .link = k,
                                              .hop = k + 1});
        }
    }
    if (sink->life != NULL) {
        send_life(sink, (struct scn_life){.time_ns = n * SECOND + n * MS,
                                          .at = qkd_eid_make(QKD_ROLE_KSA, 0, 0),
                                          .action = "supply",
                                          .key_class = "ksa",
                                          .id = test_ksa_key(n),
                                          .parent = test_kma_key(n),
                                          .source_app = qkd_eid_make(QKD_ROLE_APP, 0, 0),
                                          .target_app = qkd_eid_make(QKD_ROLE_APP, 1, 2),
                                          .link = SCN_NO_INDEX});
    }
}

/* A question and its answer, which is lost once. */
static void send_messages(const struct scn_sink *sink, unsigned n)
{
    struct scn_message message = {.request = n,
                                  .number = 3 * n,
                                  .sent_ns = n * SECOND,
                                  .arrived_ns = n * SECOND,
                                  .from = qkd_eid_make(QKD_ROLE_APP, 0, 0),
                                  .to = qkd_eid_make(QKD_ROLE_KSA, 0, 0),
                                  .point = "Ak",
                                  .name = "KEY_SUPPLY",
                                  .bytes = 107,
                                  .link = SCN_NO_INDEX,
                                  .sending = 1,
                                  .shared = 1,
                                  .reason = "none",
                                  .fate = "delivered"};
    sink->message(sink->ctx, &message);
    message.from = qkd_eid_make(QKD_ROLE_KMA, 0, 0);
    message.to = qkd_eid_make(QKD_ROLE_KMA, 0, 1);
    message.point = "Kx-1";
    message.name = "RELAY";
    message.link = 0;
    message.hop = message.attempt = 1;
    for (uint32_t i = 1; i <= 2; i++) {
        message.number++;
        message.sending = i;
        message.sent_ns += (i - 1) * 200 * MS;
        message.arrived_ns = i == 1 ? SCN_NO_TIME : message.sent_ns + MS;
        message.fate = i == 1 ? "lost" : "delivered";
        sink->message(sink->ctx, &message);
    }
}

static void send_request(const struct scn_sink *sink, unsigned n)
{
    static const uint32_t route[] = {0, 1, 2};
    bool served = n % 10 != 0;
    struct scn_key_pair keys = {test_ksa_key(n), test_kma_key(n)};
    struct scn_request request = {.number = n,
                                  .start_ns = n * SECOND,
                                  .end_ns = n * SECOND + n * MS,
                                  .fetched_ns = served ? n * SECOND + 2 * n * MS : SCN_NO_TIME,
                                  .outcome = served ? "served" : "refused",
                                  .reason = served ? "none" : "insufficient_key",
                                  .grade = served ? "otp" : "none",
                                  .key_bits = 256,
                                  .keys_asked = 1,
                                  .keys_supplied = served ? 1 : 0,
                                  .hops = served ? 2 : 0,
                                  .counted = true,
                                  .route = served ? route : NULL,
                                  .route_count = served ? 3 : 0,
                                  .keys = &keys,
                                  .key_count = served ? 1 : 0};
    if (sink->request != NULL) {
        sink->request(sink->ctx, &request);
    }
    if (served) {
        send_travel(sink, n);
    }
    if (sink->message != NULL) {
        send_messages(sink, n);
    }
}

void test_records(const struct scn_sink *sink, unsigned count)
{
    for (unsigned n = 1; n <= count; n++) {
        send_request(sink, n);
        if (sink->pool != NULL) {
            struct scn_pool_sample sample = {n * SECOND, n % 2, n % 2, 1000,
                                             2000,       3256,  true,  1000};
            sink->pool(sink->ctx, &sample);
        }
    }
    if (sink->event != NULL) {
        struct scn_event event = {10 * SECOND, "fault_begin", "link AB", "quantum"};
        sink->event(sink->ctx, &event);
    }
    if (sink->alarm != NULL) {
        struct scn_alarm alarm = {11 * SECOND, qkd_eid_make(QKD_ROLE_KMC, 0, 1),
                                  "link_down", 0,
                                  true,        1};
        sink->alarm(sink->ctx, &alarm);
    }
}

void test_summary(const struct scn_scenario *scenario, struct scn_summary *summary)
{
    ck_assert_int_eq(scn_summary_init(summary, scenario), 0);
    summary->sim_s = 100;
    summary->trace_digest = 0x0123456789abcdef;
    summary->reason_count = 2;
    summary->reasons[0] = (struct scn_reason_count){"none", 45};
    summary->reasons[1] = (struct scn_reason_count){"insufficient_key", 5};
    summary->requests = (struct scn_requests){.total = 50, .served = 45, .refused = 5};
    summary->supplied_bits = UINT64_C(45) * 256;
    summary->latency = (struct scn_spread){45, 0.025, 0.024, 0.048, 0.049, 0.049};
    summary->relay.hops_mean = 2;
    summary->oracle.checks = 1234;
    summary->oracle.cost_s = 0.125;
    for (size_t i = 0; i < summary->link_count; i++) {
        struct scn_link_summary *link = &summary->links[i];
        link->pool_min_bits = 4000 + i;
        link->pool_mean_bits = 5000.5;
        link->pool_end_bits = 1000000 * (i + 1);
        link->up_end = i == 1;
        link->bits = (struct scn_bits){.generated = 1000000, .stored = 900000, .pads = 100000};
    }
    struct scn_application_summary *video = &summary->applications[0];
    video->requests = summary->requests;
    video->reasons[1] = 5;
    video->supplied_bits = summary->supplied_bits;
}
