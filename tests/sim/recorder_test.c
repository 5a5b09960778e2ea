/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which messages were sent for a request (watch/recorder.h). Expected sequences are those of
 * docs/protocol.md, "A key request, end to end"; sums are checked against what other observers of
 * the same run count: hop records, engine statistics, requests. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

enum { MOST_MESSAGES = 200000, MOST_REQUESTS = 4000, TEXT_SIZE = 1024 };

#define NETWORK                                                                                    \
    "scenario: t\nseed: 5\nduration: 40 s\nnetwork:\n"                                             \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"                                             \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"        \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 1 Mbit/s, block: 100 kbit}}\n"
#define APP(to, more)                                                                              \
    "applications:\n  - {id: x, from: A, to: " to ", key: 256 bit, arrivals: periodic, "           \
    "rate: 2 /s, start: 5 s" more "}\n"

static struct {
    struct scn_message messages[MOST_MESSAGES];
    size_t count;
    struct scn_request requests[MOST_REQUESTS]; /* without what they point to */
    size_t request_count;
    size_t relay_hops, taken_hops;
    struct scn_summary summary;
    struct sim_engine_stats net;
} run;

static void on_message(void *ctx, const struct scn_message *message)
{
    (void)ctx;
    ck_assert_uint_lt(run.count, MOST_MESSAGES);
    run.messages[run.count++] = *message;
}

static void on_request(void *ctx, const struct scn_request *request)
{
    (void)ctx;
    ck_assert_uint_lt(run.request_count, MOST_REQUESTS);
    run.requests[run.request_count++] = *request;
}

static void on_hop(void *ctx, const struct scn_hop *hop)
{
    (void)ctx;
    *(strcmp(hop->method, "pool") == 0 ? &run.taken_hops : &run.relay_hops) += 1;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct scn_message *)a)->number;
    uint64_t y = ((const struct scn_message *)b)->number;
    return (x > y) - (x < y);
}

static void run_text(const char *yaml, bool record)
{
    struct scn_text text = {.name = "test", .text = yaml, .len = strlen(yaml)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    ck_assert_msg(scn_load_text(&text, NULL, &scenario, &errors) == 0, "%s", errors.lines[0]);
    scn_errors_fini(&errors);
    memset(&run, 0, sizeof run);
    struct scn_sink sink = {.request = on_request,
                            .hop = on_hop,
                            .message = record ? on_message : NULL};
    struct sim_options options = {.has_engine = true, .engine = SCN_ENGINE_FAST, .sink = &sink};
    struct sim_world *world = NULL;
    ck_assert_int_eq(scn_summary_init(&run.summary, scenario), 0);
    ck_assert_int_eq(sim_world_new(scenario, &options, &run.summary, &world), 0);
    ck_assert_int_eq(sim_world_run(world), 0);
    run.net = *sim_engine_stats(world->engine);
    sim_world_free(world);
    qsort(run.messages, run.count, sizeof run.messages[0], by_number);
    scn_free(scenario);
}

static void run_end(void)
{
    scn_summary_fini(&run.summary);
}

/* Names of a request's messages in the order of sending, blanks between. */
static const char *names_of(uint64_t request, char text[TEXT_SIZE])
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < run.count; i++) {
        if (run.messages[i].request == request) {
            len += (size_t)snprintf(text + len, TEXT_SIZE - len, "%s%s", len == 0 ? "" : " ",
                                    run.messages[i].name);
        }
    }
    return text;
}

#define SUPPLIED                                                                                   \
    "SUPPLY_NOTIFY KMI_FETCH KMI_SUPPLY SUPPLY_NOTIFY_RSP KEY_SUPPLY_RSP APP_NOTIFY "              \
    "KEY_SUPPLY KEY_SUPPLY_RSP"

/* Over one relay, route cached: each hop's frame, its acknowledgement 20 ms later, no controller. */
START_TEST(relayed)
{
    char text[TEXT_SIZE];
    run_text(NETWORK APP("C", ""), true);
    ck_assert_uint_ge(run.request_count, 69);
    for (size_t i = 0; i < run.request_count; i++) {
        const struct scn_request *request = &run.requests[i];
        ck_assert_str_eq(request->outcome, "served");
        const char *names = names_of(request->number, text);
        if (strstr(names, "ROUTE") == NULL) {
            ck_assert_str_eq(names,
                             "KEY_SUPPLY KMI_NEED RELAY RELAY RELAY_DONE KMI_SUPPLY " SUPPLIED
                             " HOP_ACK HOP_ACK");
        }
    }
    /* The first one also asks for a route, makes the session, and opens the channels. */
    const char *first = names_of(1, text);
    const char *const needs[] = {"KMI_NEED ROUTE ROUTE ROUTE_RSP ROUTE_RSP",
                                 "SESSION",
                                 "UPDATE",
                                 "SESSION_RSP",
                                 "handshake",
                                 SUPPLIED};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        ck_assert_msg(strstr(first, needs[i]) != NULL, "no %s in %s", needs[i], first);
    }
    run_end();
}
END_TEST

/* Neighbours supply pool units: one TAKE, nothing drawn, no session. */
START_TEST(taken)
{
    char text[TEXT_SIZE];
    run_text(NETWORK APP("B", ""), true);
    ck_assert_str_eq(names_of(30, text),
                     "KEY_SUPPLY KMI_NEED TAKE RELAY_DONE KMI_SUPPLY " SUPPLIED " HOP_ACK");
    run_end();
}
END_TEST

/* A refused request: down to the element that refused, and back. */
START_TEST(refused)
{
    char text[TEXT_SIZE];
    run_text(NETWORK "faults: [{at: 10 s, link: BC, what: both, for: 30 s}]\n" APP("C", ""), true);
    const struct scn_request *last = &run.requests[run.request_count - 1];
    ck_assert_str_eq(last->outcome, "refused");
    ck_assert_str_eq(names_of(last->number, text),
                     "KEY_SUPPLY KMI_NEED ROUTE ROUTE ROUTE_RSP ROUTE_RSP KMI_SUPPLY "
                     "KEY_SUPPLY_RSP");
    for (size_t i = 0; i < run.count; i++) {
        if (run.messages[i].request == last->number &&
            strstr(run.messages[i].name, "RSP") != NULL) {
            ck_assert_str_eq(run.messages[i].reason, last->reason);
        }
    }
    run_end();
}
END_TEST

/* What a message came to is said once per copy; times and reasons agree with it. */
static void rows_hold(void)
{
    for (size_t i = 0; i < run.count; i++) {
        const struct scn_message *m = &run.messages[i];
        bool arrived = strcmp(m->fate, "delivered") == 0 || strcmp(m->fate, "duplicate") == 0;
        ck_assert_int_eq(arrived, m->arrived_ns != SCN_NO_TIME);
        ck_assert(!arrived || m->arrived_ns >= m->sent_ns);
        ck_assert(m->request >= 1 && m->request <= run.request_count);
        ck_assert_uint_ge(m->sending, 1);
        ck_assert_uint_ge(m->shared, 1);
    }
}

/* Messages (not copies) of that name in their first sending. */
static size_t first_sendings(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < run.count; i++) {
        const struct scn_message *m = &run.messages[i];
        bool copy = i > 0 && run.messages[i - 1].number == m->number;
        count += !copy && m->sending == 1 && strcmp(m->name, name) == 0;
    }
    return count;
}

static size_t with_fate(const char *fate)
{
    size_t count = 0;
    for (size_t i = 0; i < run.count; i++) {
        count += strcmp(run.messages[i].fate, fate) == 0 && run.messages[i].shared == 1;
    }
    return count;
}

/* Loss, duplicates, many requests at once, several keys each: as many RELAY frames as the hop
 * records say, all of some request; nothing lost that the engine did not lose. */
START_TEST(disturbed)
{
    run_text(NETWORK "  classical: {loss: 0.05, duplicate: 0.05}\n"
                     "key_management: {batch: 4, retransmit: 50 ms}\n"
                     "applications:\n"
                     "  - {id: x, from: A, to: C, key: 256 bit, arrivals: poisson, rate: 30 /s, "
                     "count: 6, start: 5 s}\n"
                     "  - {id: y, from: C, to: A, key: 256 bit, arrivals: poisson, rate: 30 /s, "
                     "start: 5 s}\n"
                     "  - {id: z, from: B, to: A, key: 256 bit, arrivals: poisson, rate: 5 /s, "
                     "start: 5 s}\n",
             true);
    rows_hold();
    ck_assert_uint_gt(run.summary.requests.served, 1000);
    ck_assert_uint_gt(run.relay_hops, 4000);
    ck_assert_uint_eq(first_sendings("RELAY"), run.relay_hops);
    ck_assert_uint_eq(first_sendings("TAKE"), run.taken_hops);
    ck_assert_uint_eq(first_sendings("KMI_NEED"), run.request_count);
    ck_assert_uint_gt(with_fate("lost"), 100);
    ck_assert_uint_le(with_fate("lost"), run.net.dropped_chance);
    ck_assert_uint_gt(with_fate("duplicate"), 100);
    run_end();
}
END_TEST

/* Watching changes nothing. */
START_TEST(same_run)
{
    run_text(NETWORK APP("C", ""), true);
    uint64_t digest = run.summary.trace_digest;
    run_end();
    run_text(NETWORK APP("C", ""), false);
    ck_assert_uint_eq(run.count, 0);
    ck_assert_uint_eq(run.summary.trace_digest, digest);
    run_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recorder");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, relayed);
    tcase_add_test(tests, taken);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, disturbed);
    tcase_add_test(tests, same_run);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
