/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole worlds in the fast engine, under the oracle: what a scenario asks for happens, equal seeds
 * give equal runs, what only watches changes nothing, faults and crashes at any place leave every
 * request with a reason and no rule broken. */
#include "core/manager/manager.h"
#include "tests/sim/world_lib.h"

#define NODES_3 "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n"
#define LINKS_2                                                                                    \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {model: rate, rate: 1 Mbit/s, "              \
    "block: 100 kbit}}\n"                                                                          \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {model: rate, rate: 1 Mbit/s, "              \
    "block: 100 kbit}}\n"
#define APP_AC                                                                                     \
    "applications:\n"                                                                              \
    "  - {id: ac, from: A, to: C, key: 256 bit, arrivals: poisson, rate: 10 /s, timeout: 5 s}\n"
#define HEAD "scenario: t\nseed: 3\nwarmup: 2 s\nduration: 12 s\n"
#define STORE "key_management: {store: 4 Mbit}\n"
#define LINE HEAD NODES_3 LINKS_2 STORE APP_AC

static struct lib_run one, two;

static void all_served(const struct lib_run *run)
{
    const struct scn_requests *requests = &run->summary.requests;
    ck_assert_uint_gt(requests->total, 50);
    ck_assert_uint_eq(requests->served + requests->pending, requests->total);
    ck_assert_uint_le(requests->pending, 2);
    ck_assert_uint_eq(run->summary.supplied_bits % 128, 0);
}

/* Nodes in a line: every request after the warm-up is served over B, both sides get the key, and
 * the master's wait is at least the messages that must follow one another over 30 km of 5 us/km:
 * frame there, its completion back, notification there, answer back: 4 x 150 us. */
START_TEST(line_serves)
{
    lib_run_text(&one, LINE);
    all_served(&one);
    ck_assert(one.summary.relay.hops_mean == 2.0);
    ck_assert(one.summary.latency.p50 >= 600e-6);
    ck_assert(one.summary.latency.p50 < 2e-3);
    ck_assert_uint_ge(one.summary.fetch_latency.count + 2, one.summary.requests.served);
    ck_assert_uint_eq(one.summary.mismatched_pairs, 0);
    ck_assert_uint_gt(one.hop_count, 2 * one.summary.requests.served - 4);
    ck_assert_uint_gt(one.pool_count, 40);
    ck_assert_uint_gt(one.life_count, 100);
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *request = &one.requests[i];
        if (strcmp(request->outcome, "served") == 0) {
            ck_assert_uint_eq(request->route_count, 3);
            ck_assert_uint_eq(request->route[0], 0);
            ck_assert_uint_eq(request->route[1], 1);
            ck_assert_uint_eq(request->route[2], 2);
            ck_assert_uint_eq(request->supplied, 1);
        }
    }
    lib_end(&one);
}
END_TEST

/* Neighbours supply pool units: one hop, grade of a pool counts as one-time pad. */
START_TEST(neighbours_serve)
{
    lib_run_text(&one, HEAD NODES_3 LINKS_2 STORE
                 "applications:\n"
                 "  - {id: ab, from: A, to: B, key: 128 bit, count: 4, arrivals: periodic, "
                 "rate: 10 /s, timeout: 5 s}\n");
    all_served(&one);
    ck_assert(one.summary.relay.hops_mean == 1.0);
    ck_assert_uint_eq(one.summary.relay.frames, 0);
    ck_assert_uint_ge(one.summary.applications[0].supplied_keys, 4 * one.summary.requests.served);
    ck_assert_uint_eq(one.summary.supplied_aes_bits, 0);
    lib_end(&one);
}
END_TEST

/* KMA and KSA in two processes (D23-KR-01), management in band, key files with their bits, clocks
 * that are off by hours and drift by up to 200 ppm: the same requests are served. */
START_TEST(variants_serve)
{
    static const char *const variants[] = {
        HEAD NODES_3 LINKS_2 "key_management: {store: 4 Mbit, deployment: two}\n" APP_AC,
        HEAD NODES_3 "  classical: {management: in-band}\n" LINKS_2 STORE APP_AC,
        HEAD NODES_3
        "  links:\n"
        "    - {id: AB, ends: [A, B], qkd: {rate: 1 Mbit/s, block: 100 kbit, key_form: bits}}\n"
        "    - {id: BC, ends: [B, C], qkd: {rate: 1 Mbit/s, block: 100 kbit, key_form: "
        "bits}}\n" STORE APP_AC,
        HEAD "network:\n  nodes:\n"
             "    - {id: A, clock: {offset: 3 h, drift: 200 ppm}}\n"
             "    - {id: B, clock: {offset: -5 h, drift: -200 ppm}}\n"
             "    - {id: C, clock: {drift: 50 ppm}}\n" LINKS_2 STORE APP_AC,
        HEAD NODES_3 LINKS_2 "key_management: {store: 4 Mbit, retention: preserve}\n" APP_AC,
        HEAD NODES_3 LINKS_2 STORE
        "control: {at: C, routing: fewest-hops}\nmanagement: {at: B}\n" APP_AC,
    };
    lib_run_text(&one, variants[_i]);
    all_served(&one);
    lib_end(&one);
}
END_TEST

/* A link that never comes up leaves no path: refused for want of a route, not lost. */
START_TEST(no_path_no_key)
{
    lib_run_text(&one, LINE "faults:\n  - {at: 0 s, link: BC, what: both}\n");
    ck_assert_uint_gt(one.summary.requests.total, 50);
    ck_assert_uint_eq(one.summary.requests.refused, one.summary.requests.total);
    for (size_t i = 0; i < one.request_count; i++) {
        ck_assert_str_eq(one.requests[i].reason, "no_route");
    }
    lib_end(&one);
}
END_TEST

/* ---- equal runs ---- */

#define ROUGH                                                                                      \
    "scenario: rough\nseed: %s\nduration: 20 s\n" NODES_3                                          \
    "  classical: {loss: 0.02, duplicate: 0.02, reorder: 0.1, reorder_jitter: 3 ms}\n" LINKS_2     \
        STORE APP_AC "faults:\n"                                                                   \
    "  - {at: 5 s, link: AB, what: both, for: 2 s}\n"                                              \
    "  - {at: 9 s, node: B, what: crash, for: 1 s}\n"                                              \
    "  - {at: 13 s, node: C, what: down, for: 2 s}\n"                                              \
    "  - {at: 16 s, node: A, what: crash, for: 500 ms}\n"

static void rough_begin(struct lib_run *run, const char *seed)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), ROUGH, seed);
    lib_begin(run, text);
}

/* Every counted request ended somehow or is pending at the end; reasons add up. */
static void accounts_balance(const struct lib_run *run)
{
    const struct scn_requests *requests = &run->summary.requests;
    uint64_t reasons = 0;
    for (size_t i = 0; i < run->summary.reason_count; i++) {
        reasons += run->summary.reasons[i].count;
    }
    ck_assert_uint_eq(requests->total, requests->served + requests->refused + requests->timed_out +
                                           requests->failed + requests->pending);
    ck_assert_uint_eq(reasons, requests->total - requests->pending);
    for (size_t i = 0; i < run->request_count; i++) {
        const struct lib_request *request = &run->requests[i];
        bool pending = strcmp(request->outcome, "pending") == 0;
        bool served = strcmp(request->outcome, "served") == 0;
        ck_assert_int_eq(pending, request->end_ns == SCN_NO_TIME);
        ck_assert_int_eq(strcmp(request->reason, "none") != 0, !pending && !served);
        /* 5 s of its own, and what the agent waits for a KM that does not answer (2 s). */
        ck_assert(pending || request->end_ns - request->start_ns <= INT64_C(7000000000) + 1);
        ck_assert(!pending ||
                  request->start_ns >= run->scenario->duration_ns - INT64_C(7000000000));
    }
}

/* Same seed, same digest and figures; another seed, another digest. Loss, duplication, reordering,
 * faults and crashes included. */
START_TEST(seed_decides)
{
    rough_begin(&one, "11");
    rough_begin(&two, "11");
    lib_go(&one);
    lib_go(&two);
    lib_good(&one);
    lib_good(&two);
    accounts_balance(&one);
    ck_assert_uint_eq(one.summary.trace_digest, two.summary.trace_digest);
    ck_assert_uint_eq(one.summary.events, two.summary.events);
    ck_assert_uint_eq(one.request_count, two.request_count);
    lib_end(&two);
    rough_begin(&two, "12");
    lib_go(&two);
    ck_assert_uint_ne(one.summary.trace_digest, two.summary.trace_digest);
    lib_end(&one);
    lib_end(&two);
}
END_TEST

/* Records and the oracle only watch: without them the run is the same. (Life-cycle records are left
 * out of both: handing them over is asked of the manager.) */
START_TEST(watching_changes_nothing)
{
    rough_begin(&one, "21");
    rough_begin(&two, "21");
    two.options.oracle_off = true;
    two.options.sink = NULL;
    lib_go(&one);
    lib_go(&two);
    lib_good(&one);
    ck_assert_int_eq(two.rc, 0);
    ck_assert_uint_eq(two.request_count, 0);
    ck_assert_uint_eq(two.summary.oracle.checks, 0);
    ck_assert_uint_gt(one.summary.oracle.checks, 1000);
    ck_assert_uint_eq(one.summary.trace_digest, two.summary.trace_digest);
    ck_assert_uint_eq(one.summary.requests.served, two.summary.requests.served);
    lib_end(&one);
    lib_end(&two);
}
END_TEST

/* A second application does not move the first one's arrivals. */
START_TEST(arrivals_are_their_own)
{
    lib_run_text(&one, LINE);
    lib_run_text(&two, LINE "  - {id: ba, from: B, to: A, key: 128 bit, arrivals: poisson, "
                            "rate: 7 /s, timeout: 5 s}\n");
    size_t matched = 0;
    for (size_t i = 0; i < two.request_count; i++) {
        if (two.requests[i].application != 0) {
            continue;
        }
        bool found = false;
        for (size_t k = 0; k < one.request_count && !found; k++) {
            found = one.requests[k].start_ns == two.requests[i].start_ns;
        }
        ck_assert(found);
        matched++;
    }
    ck_assert_uint_eq(matched, one.request_count);
    lib_end(&one);
    lib_end(&two);
}
END_TEST

/* What the manager of a run was told in reports over Mk is what the summary counted by itself: keys
 * per application, the level of each pool, alarms. Half of the keys asked for are not there. */
START_TEST(manager_knows)
{
    lib_begin(&one, "scenario: t\nseed: 5\nduration: 40 s\n" NODES_3 "  links:\n"
                    "    - {id: AB, ends: [A, B], qkd: {rate: 4 kbit/s, block: 4 kbit}}\n"
                    "    - {id: BC, ends: [B, C], qkd: {rate: 8 kbit/s, block: 4 kbit}}\n"
                    "applications:\n"
                    "  - {id: ac, from: A, to: C, rate: 10 /s, stop: 30 s, timeout: 2 s}\n"
                    "  - {id: cb, from: C, to: B, key: 512 bit, rate: 3 /s, stop: 30 s}\n"
                    "  - {id: ba, from: B, to: A, count: 3, rate: 1 /s, stop: 30 s}\n");
    struct sim_world *world = NULL;
    ck_assert_int_eq(scn_summary_init(&one.summary, one.scenario), 0);
    ck_assert_int_eq(sim_world_new(one.scenario, &one.options, &one.summary, &world), 0);
    one.rc = sim_world_run(world);
    lib_good(&one);
    struct qkd_eid manager = qkd_eid_make(QKD_ROLE_MANAGER, 0, one.scenario->management.at);
    const struct mgr *mgr = world->plan->units[host_unit_find(world->plan, manager)].element.mgr;
    for (uint32_t i = 0; i < 3; i++) {
        struct wire_account_record record = {0};
        const struct scn_application_summary *app = &one.summary.applications[i];
        struct qkd_eid master = qkd_eid_make(QKD_ROLE_APP, 2 * i,
                                             one.scenario->applications[i].from);
        ck_assert(mgr_account(mgr, master, &record));
        ck_assert_uint_gt(app->supplied_bits, 1000);
        ck_assert_uint_eq(record.bits, app->supplied_bits);
        ck_assert_uint_eq(record.keys, app->supplied_keys);
        ck_assert_uint_eq(record.otp_bits, app->supplied_bits);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const struct scn_link *link = &one.scenario->links[i];
        struct wire_link_status a = {0};
        struct wire_link_status b = {0};
        ck_assert(mgr_link(mgr, qkd_eid_make(QKD_ROLE_KMA, 0, link->a), i, &a));
        ck_assert(mgr_link(mgr, qkd_eid_make(QKD_ROLE_KMA, 0, link->b), i, &b));
        ck_assert(a.up && b.up);
        uint64_t end_bits = one.summary.links[i].pool_end_bits;
        uint64_t told_bits = a.own_bits + b.own_bits; /* at most two periods (2 s) ago */
        ck_assert_uint_le(told_bits, end_bits + 4096);
        ck_assert_uint_le(end_bits, told_bits + 3 * 8000);
    }
    struct mgr_counts counts = mgr_counts(mgr);
    ck_assert_uint_eq(counts.gaps, 0);
    ck_assert_uint_gt(counts.alarms_raised, 0);
    ck_assert_uint_eq(counts.alarms_raised, one.summary.alarms.raised);
    ck_assert_uint_eq(counts.alarms_cleared, one.summary.alarms.cleared);
    ck_assert_uint_gt(one.summary.requests.refused, 50);
    ck_assert(one.summary.pools.empty_s > 2 && one.summary.pools.exhaustions > 0);
    sim_world_free(world);
    lib_end(&one);
}
END_TEST

/* ---- ends ---- */

static bool stop_at_3_s(void *ctx, const struct scn_progress *progress)
{
    (void)ctx;
    return progress->now_ns >= INT64_C(3000000000);
}

START_TEST(ends_early)
{
    lib_begin(&one, LINE);
    one.sink.progress = stop_at_3_s;
    lib_go(&one);
    lib_good(&one);
    ck_assert(one.summary.interrupted);
    ck_assert(one.summary.sim_s >= 3.0 && one.summary.sim_s < 4.1);
    lib_end(&one);

    static const volatile sig_atomic_t flag = 1;
    lib_begin(&one, LINE);
    one.options.interrupt = &flag;
    lib_go(&one);
    ck_assert(one.summary.interrupted);
    ck_assert(one.summary.sim_s < 2.0);
    lib_end(&one);

    lib_begin(&one, LINE);
    one.options.until_ns = INT64_C(5000000000);
    lib_go(&one);
    lib_good(&one);
    ck_assert(!one.summary.interrupted);
    ck_assert(one.summary.sim_s == 5.0);
    lib_end(&one);
}
END_TEST

/* ---- faults ---- */

/* A quantum fault for half of the run: half of the key is made (30 s at 1 Mbit/s, blocks of
 * 100 kbit, the one in work lost), the other link's is not touched; no frame is lost. */
START_TEST(quantum_fault_stops_key)
{
    lib_run_text(&one, "scenario: t\nseed: 3\nduration: 30 s\n" NODES_3 LINKS_2
                       "key_management: {store: 100 Mbit}\nfaults:\n"
                       "  - {at: 10.05 s, link: AB, what: quantum, for: 10 s}\n");
    uint64_t stopped = one.summary.links[0].bits.generated;
    uint64_t whole = one.summary.links[1].bits.generated;
    ck_assert_uint_ge(whole, 29700000);
    ck_assert_uint_le(whole, 30000000);
    ck_assert_uint_ge(stopped, 29700000 - 10000000 - 200000);
    ck_assert_uint_le(stopped, 30000000 - 10000000);
    ck_assert(one.summary.links[0].down_s < 0.1);
    ck_assert_uint_eq(one.event_count, 2);
    ck_assert_str_eq(one.events[0].kind, "fault_begin");
    ck_assert_str_eq(one.events[0].entity, "link AB");
    ck_assert_int_eq(one.events[0].time_ns, INT64_C(10050000000));
    ck_assert_str_eq(one.events[1].kind, "fault_end");
    lib_end(&one);
}
END_TEST

/* A classical fault: both ends hold the link for down after 3 status periods (of 1 s) of silence and
 * until the fault is over; requests then fail or are refused, and are served again afterwards. */
START_TEST(classical_fault_heals)
{
    lib_run_text(&one,
                 "scenario: t\nseed: 3\nduration: 40 s\nwarmup: 2 s\n" NODES_3 LINKS_2 STORE APP_AC
                 "faults:\n  - {at: 10 s, link: BC, what: classical, for: 10 s}\n");
    accounts_balance(&one);
    ck_assert_uint_eq(one.summary.healing.events, 1);
    ck_assert(one.summary.healing.detect_s >= 1.0 && one.summary.healing.detect_s <= 4.0);
    ck_assert(one.summary.healing.first_key_s >= 10.0 && one.summary.healing.first_key_s <= 13.5);
    ck_assert(one.summary.links[1].down_s >= 6.0 && one.summary.links[1].down_s <= 11.5);
    ck_assert(one.summary.links[0].down_s < 0.1);
    ck_assert(one.summary.links[1].up_end);
    uint64_t late = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        bool served = strcmp(one.requests[i].outcome, "served") == 0;
        late += served && one.requests[i].start_ns > INT64_C(25000000000);
        ck_assert(!served || one.requests[i].start_ns < INT64_C(10000000000) ||
                  one.requests[i].end_ns > INT64_C(20000000000));
    }
    ck_assert_uint_gt(late, 100); /* 15 s at 10 /s */
    lib_end(&one);
}
END_TEST

/* Whoever crashes for a second, for a while nothing goes over it; what was persisted brings it back,
 * and keys flow again. */
START_TEST(crashed_node_comes_back)
{
    static const char *const nodes[] = {"A", "B", "C"};
    char text[2048];
    (void)snprintf(text, sizeof(text),
                   "scenario: t\nseed: 5\nduration: 30 s\nwarmup: 2 s\n" NODES_3 LINKS_2 STORE
                       APP_AC "faults:\n  - {at: 10.5 s, node: %s, what: crash, for: 1 s}\n",
                   nodes[_i]);
    lib_run_text(&one, text);
    accounts_balance(&one);
    ck_assert_uint_eq(one.event_count, 4); /* fault_begin crash fault_end restart */
    ck_assert_str_eq(one.events[1].kind, "crash");
    ck_assert_str_eq(one.events[3].kind, "restart");
    uint64_t late = 0;
    uint64_t served = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        if (one.requests[i].start_ns > INT64_C(20000000000) &&
            one.requests[i].start_ns < INT64_C(29000000000)) {
            late++;
            served += strcmp(one.requests[i].outcome, "served") == 0;
        }
    }
    ck_assert_uint_gt(late, 50);
    ck_assert_uint_eq(served, late);
    lib_end(&one);
}
END_TEST

/* A crash after any single output of a run: 40 places spread over it, whichever node and element
 * comes, under loss. No rule is broken and every request ends. */
START_TEST(crash_between_outputs)
{
    const char *text = "scenario: t\nseed: 8\nduration: 15 s\n" NODES_3
                       "  classical: {loss: 0.01}\n" LINKS_2 STORE APP_AC;
    static uint64_t outputs;
    if (outputs == 0) {
        lib_run_text(&one, text);
        outputs = one.outputs;
        ck_assert_uint_gt(outputs, 2000);
        lib_end(&one);
    }
    for (uint64_t k = 0; k < 10; k++) {
        lib_begin(&one, text);
        one.hooks.crash_output = 1 + outputs * 7 / 10 * ((uint64_t)_i * 10 + k) / 40;
        one.hooks.crash_for_ns = INT64_C(300000000);
        lib_go(&one);
        lib_good(&one);
        accounts_balance(&one);
        ck_assert_uint_eq(one.event_count, 2); /* crash, restart */
        ck_assert_uint_gt(one.summary.requests.served, 40);
        lib_end(&one);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("world");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, line_serves);
    tcase_add_test(tests, neighbours_serve);
    tcase_add_loop_test(tests, variants_serve, 0, 6);
    tcase_add_test(tests, no_path_no_key);
    tcase_add_test(tests, seed_decides);
    tcase_add_test(tests, watching_changes_nothing);
    tcase_add_test(tests, arrivals_are_their_own);
    tcase_add_test(tests, manager_knows);
    tcase_add_test(tests, ends_early);
    tcase_add_test(tests, quantum_fault_stops_key);
    tcase_add_test(tests, classical_fault_heals);
    tcase_add_loop_test(tests, crashed_node_comes_back, 0, 3);
    tcase_add_loop_test(tests, crash_between_outputs, 0, 4);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
