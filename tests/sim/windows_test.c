/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of windows (watch/stats_windows.c) against the records of the same run: requests, pool samples
 * and hops from the sink are searched for each window, plainly and after the fact. Windows that cut
 * a run into parts add up to the whole, the window of the whole run is the whole run, windows change
 * nothing in a run, and both engines agree on them.
 *
 * Topology: a triangle whose two-hop way A B C is wide and whose direct link AC is narrow; AB fails
 * from 100 s to 160 s. */
#include <math.h>
#include <unistd.h>

#include "tests/lib/sim_case.h"
#include "tests/sim/world_lib.h"

#define S INT64_C(1000000000)

static const char head[] =
    "scenario: windows\nseed: 5\nduration: 300 s\nwarmup: 10 s\nengine: fast\n"
    "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n  links:\n"
    "    - {id: AB, ends: [A, B], length: 45 km, qkd: {rate: 20 kbit/s, block: 40 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 12 km, qkd: {rate: 30 kbit/s, block: 40 kbit}}\n"
    "    - {id: AC, ends: [A, C], length: 12 km, qkd: {rate: 3 kbit/s, block: 20 kbit}}\n"
    "applications:\n  - {id: video, from: A, to: C, rate: 12 /s}\n"
    "  - {id: mail, from: A, to: B, rate: 2 /s, wait: true}\n"
    "faults: [{at: 100 s, link: AB, for: 1 min}]\n"
    "expect:\n";

/* ---- records ---- */

enum { SAMPLES = 200000, FRAMES = 200000 };

static struct {
    struct lib_run run;
    struct scn_pool_sample samples[SAMPLES];
    size_t sample_count;
    struct scn_hop hops[FRAMES];
    size_t hop_count;
} one;

static void on_pool(void *ctx, const struct scn_pool_sample *sample)
{
    (void)ctx;
    ck_assert_uint_lt(one.sample_count, SAMPLES);
    one.samples[one.sample_count++] = *sample;
}

static void on_hop(void *ctx, const struct scn_hop *hop)
{
    (void)ctx;
    ck_assert_uint_lt(one.hop_count, FRAMES);
    one.hops[one.hop_count++] = *hop;
}

static void run_with(const char *expects)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s", head, expects);
    one.sample_count = one.hop_count = 0;
    lib_begin(&one.run, text);
    one.run.sink.pool = on_pool;
    one.run.sink.hop = on_hop;
    lib_go(&one.run);
    lib_good(&one.run);
}

/* What the run says of expectation i: the only figure that it watches. */
static const struct scn_watch_summary *watch_of(size_t i)
{
    const struct scn_expect *expect = &one.run.scenario->expects[i];
    ck_assert_uint_eq(expect->watch_count, 1);
    ck_assert(one.run.summary.watches[expect->watch].reached);
    return &one.run.summary.watches[expect->watch];
}

/* ---- requests ---- */

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool over(const struct lib_request *request, const struct scn_link *link)
{
    for (uint32_t i = 0; i + 1 < request->route_count; i++) {
        uint32_t x = request->route[i];
        uint32_t y = request->route[i + 1];
        if ((x == link->a && y == link->b) || (x == link->b && y == link->a)) {
            return true;
        }
    }
    return false;
}

struct found {
    uint64_t total, served, refused, timed_out, supplied, hops, via;
    double p95_s, max_s;
};

/* Requests of an application (UINT32_MAX: of all) that arrived in [from, to). */
static struct found search(uint32_t application, int64_t from_ns, int64_t to_ns, uint32_t via)
{
    static int64_t took_ns[LIB_REQUESTS];
    struct found found = {0};
    for (size_t i = 0; i < one.run.request_count; i++) {
        const struct lib_request *r = &one.run.requests[i];
        if ((application != UINT32_MAX && r->application != application) || r->start_ns < from_ns ||
            r->start_ns >= to_ns) {
            continue;
        }
        found.total++;
        found.refused += strcmp(r->outcome, "refused") == 0;
        found.timed_out += strcmp(r->outcome, "timed_out") == 0;
        if (strcmp(r->outcome, "served") == 0) {
            took_ns[found.served++] = r->end_ns - r->start_ns;
            found.supplied += r->supplied;
            found.hops += r->route_count - 1;
            found.via += over(r, &one.run.scenario->links[via]);
        }
    }
    ck_assert_uint_gt(found.served, 0);
    qsort(took_ns, found.served, sizeof *took_ns, compare_ns);
    size_t rank = (found.served * 95 + 99) / 100; /* nearest rank */
    found.p95_s = (double)took_ns[rank - 1] / 1e9;
    found.max_s = (double)took_ns[found.served - 1] / 1e9;
    return found;
}

START_TEST(requests_of_windows)
{
    static const int64_t edges[][2] = {
        {0, 20 * S}, {50 * S, 100 * S}, {100 * S, 160 * S}, {170 * S, 300 * S}};
    run_with("  - application[video].via[AB] from 0 s to 20 s >= 0\n"
             "  - application[video].via[AB] from 50 s to 100 s >= 0\n"
             "  - application[video].via[AB] from 100 s to 160 s >= 0\n"
             "  - application[video].via[AB] from 170 s >= 0\n"
             "  - via[AB] from 0 s to 20 s >= 0\n"
             "  - via[AB] from 50 s to 100 s >= 0\n"
             "  - via[AB] from 100 s to 160 s >= 0\n"
             "  - via[AB] from 170 s >= 0\n");
    for (size_t i = 0; i < 4; i++) {
        struct found want = search(0, edges[i][0], edges[i][1], 0);
        const struct scn_watch_summary *watch = watch_of(i);
        const struct scn_application_summary *got = watch->of.application;
        ck_assert_uint_eq(got->requests.total, want.total);
        ck_assert_uint_eq(got->requests.served, want.served);
        ck_assert_uint_eq(got->requests.refused, want.refused);
        ck_assert_uint_eq(got->requests.timed_out, want.timed_out);
        ck_assert_uint_eq(got->supplied_keys, want.supplied);
        ck_assert_uint_eq(got->supplied_bits, 256 * want.supplied);
        ck_assert_double_eq_tol(got->hops_mean, (double)want.hops / (double)want.served, 1e-12);
        ck_assert_double_eq_tol(watch->via, (double)want.via / (double)want.served, 1e-12);
        ck_assert_double_eq(got->latency.p95, want.p95_s);
        ck_assert_double_eq(got->latency.max, want.max_s);

        want = search(UINT32_MAX, edges[i][0], edges[i][1], 0);
        const struct scn_summary *run = watch_of(4 + i)->of.run;
        ck_assert_uint_eq(run->requests.total, want.total);
        ck_assert_uint_eq(run->requests.served, want.served);
        ck_assert_uint_eq(run->supplied_bits, 256 * want.supplied);
        ck_assert_double_eq(run->latency.p95, want.p95_s);
        ck_assert_double_eq_tol(watch_of(4 + i)->via, (double)want.via / (double)want.served,
                                1e-12);
    }
    /* Not a test of nothing: the way changed with the fault. */
    ck_assert_double_gt(watch_of(1)->via, 0.5);
    ck_assert_double_lt(watch_of(2)->via, 0.05);
    lib_end(&one.run);
}
END_TEST

/* ---- pools ---- */

struct levels {
    uint64_t least, end;
    double mean;
};

/* The levels of a link in [from, to): both ends' own bits, by their samples. */
static struct levels levels_of(uint32_t link, int64_t from_ns, int64_t to_ns)
{
    struct levels levels = {UINT64_MAX, 0, 0};
    uint64_t own[2] = {0, 0};
    bool known[2] = {false, false};
    double bit_s = 0;
    double known_s = 0;
    int64_t since_ns = 0;
    for (size_t i = 0; i <= one.sample_count; i++) {
        bool last = i == one.sample_count;
        const struct scn_pool_sample *sample = &one.samples[last ? 0 : i];
        if (!last && sample->link != link) {
            continue;
        }
        int64_t now_ns = last ? 300 * S : sample->time_ns;
        int64_t a_ns = since_ns > from_ns ? since_ns : from_ns;
        int64_t b_ns = now_ns < to_ns ? now_ns : to_ns;
        uint64_t level = own[0] + own[1];
        if (b_ns > a_ns) { /* it was so for a part of the window */
            levels.end = level;
            if (known[0] && known[1]) {
                bit_s += (double)level * (double)(b_ns - a_ns) / 1e9;
                known_s += (double)(b_ns - a_ns) / 1e9;
                levels.least = level < levels.least ? level : levels.least;
            }
        }
        if (!last) {
            unsigned end = sample->node == one.run.scenario->links[link].a ? 0 : 1;
            own[end] = sample->usable_bits;
            known[end] = true;
            since_ns = now_ns;
            level = own[0] + own[1];
            if (now_ns >= from_ns && now_ns < to_ns) { /* an instant counts too */
                levels.end = level;
                if (known[0] && known[1]) {
                    levels.least = level < levels.least ? level : levels.least;
                }
            }
        }
    }
    levels.mean = bit_s / known_s;
    return levels;
}

static uint64_t crossings(uint32_t link, int64_t from_ns, int64_t to_ns)
{
    uint64_t count = 0;
    for (size_t i = 0; i < one.hop_count; i++) {
        const struct scn_hop *hop = &one.hops[i];
        count += hop->link == link && hop->sent_ns >= from_ns && hop->sent_ns < to_ns;
    }
    return count;
}

START_TEST(links_in_windows)
{
    static const int64_t edges[][2] = {{20 * S, 50 * S}, {90 * S, 120 * S}, {150 * S, 300 * S + 1}};
    run_with("  - link[AB].pool_min_bits from 20 s to 50 s >= 0\n"
             "  - link[AB].pool_min_bits from 90 s to 120 s >= 0\n"
             "  - link[AB].pool_min_bits from 150 s >= 0\n"
             "  - link[AC].pool_min_bits from 20 s to 50 s >= 0\n"
             "  - link[AC].pool_min_bits from 90 s to 120 s >= 0\n"
             "  - link[AC].pool_min_bits from 150 s >= 0\n"
             "  - pools.min_bits from 90 s to 120 s >= 0\n");
    for (size_t i = 0; i < 6; i++) {
        uint32_t link = one.run.scenario->expects[i].index;
        int64_t from_ns = edges[i % 3][0];
        int64_t to_ns = edges[i % 3][1];
        struct levels want = levels_of(link, from_ns, to_ns);
        const struct scn_link_summary *got = watch_of(i)->of.link;
        ck_assert_uint_eq(got->pool_min_bits, want.least);
        ck_assert_uint_eq(got->pool_end_bits, want.end);
        ck_assert_double_eq_tol(got->pool_mean_bits, want.mean, 1e-6 * want.mean);
        ck_assert_uint_eq(got->relayed_keys, crossings(link, from_ns, to_ns));
    }
    /* AB is down from its detection to its return: the greater part of the fault. */
    ck_assert_double_eq(watch_of(0)->of.link->down_s, 0);
    ck_assert(watch_of(0)->of.link->up_end && !watch_of(1)->of.link->up_end);
    ck_assert_double_gt(watch_of(1)->of.link->down_s, 15);
    ck_assert_double_lt(watch_of(1)->of.link->down_s, 20);
    uint64_t least = UINT64_MAX;
    for (uint32_t link = 0; link < 3; link++) {
        struct levels levels = levels_of(link, 90 * S, 120 * S);
        least = levels.least < least ? levels.least : least;
    }
    ck_assert_uint_eq(watch_of(6)->of.run->pools.min_bits, least);
    lib_end(&one.run);
}
END_TEST

/* ---- windows among themselves ---- */

START_TEST(window_of_the_whole_run)
{
    run_with("  - requests.total from 10 s >= 0\n"
             "  - application[mail].requests.total from 10 s >= 0\n"
             "  - link[AC].frames from 10 s >= 0\n");
    const struct scn_summary *whole = &one.run.summary;
    const struct scn_summary *run = watch_of(0)->of.run;
    ck_assert_mem_eq(&run->requests, &whole->requests, sizeof run->requests);
    ck_assert_mem_eq(run->reasons, whole->reasons, sizeof run->reasons);
    ck_assert_uint_eq(run->supplied_bits, whole->supplied_bits);
    ck_assert_double_eq(run->latency.p99, whole->latency.p99);
    ck_assert_double_eq(run->fetch_latency.mean, whole->fetch_latency.mean);
    ck_assert_double_eq(run->relay.hops_mean, whole->relay.hops_mean);
    ck_assert_uint_eq(run->pools.exhaustions, whole->pools.exhaustions);
    ck_assert_uint_eq(run->pools.min_bits, whole->pools.min_bits);
    ck_assert_double_eq_tol(run->pools.empty_s, whole->pools.empty_s, 1e-9);
    const struct scn_application_summary *mail = watch_of(1)->of.application;
    ck_assert_mem_eq(&mail->requests, &whole->applications[1].requests, sizeof mail->requests);
    ck_assert_double_eq(mail->latency.mean, whole->applications[1].latency.mean);
    ck_assert_uint_eq(mail->reroutes, whole->applications[1].reroutes);
    const struct scn_link_summary *link = watch_of(2)->of.link;
    ck_assert_uint_eq(link->pool_min_bits, whole->links[2].pool_min_bits);
    ck_assert_uint_eq(link->pool_end_bits, whole->links[2].pool_end_bits);
    ck_assert_double_eq_tol(link->pool_mean_bits, whole->links[2].pool_mean_bits, 1e-6);
    ck_assert_uint_eq(link->exhaustions, whole->links[2].exhaustions);
    ck_assert_double_eq_tol(link->down_s, whole->links[2].down_s, 1e-9);
    lib_end(&one.run);
}
END_TEST

START_TEST(parts_add_up)
{
    uint64_t total = 0;
    uint64_t frames = 0;
    uint64_t raised = 0;
    double down_s = 0;
    run_with("  - requests.total from 0 s to 70.123 s >= 0\n"
             "  - requests.total from 70.123 s to 130 s >= 0\n"
             "  - requests.total from 130 s >= 0\n"
             "  - link[AB].frames from 0 s to 70.123 s >= 0\n"
             "  - link[AB].frames from 70.123 s to 130 s >= 0\n"
             "  - link[AB].frames from 130 s >= 0\n"
             "  - requests.total from 0 s >= 0\n");
    for (size_t i = 0; i < 3; i++) {
        total += watch_of(i)->of.run->requests.total;
        raised += watch_of(i)->of.run->alarms.raised;
        frames += watch_of(3 + i)->of.link->frames;
        down_s += watch_of(3 + i)->of.link->down_s;
    }
    ck_assert_uint_eq(total, one.run.request_count);
    ck_assert_uint_eq(watch_of(6)->of.run->requests.total, total);
    ck_assert_uint_gt(raised, 0);
    ck_assert_uint_eq(raised, one.run.summary.alarms.raised);
    ck_assert_uint_eq(frames, one.run.summary.links[0].frames);
    ck_assert_double_eq_tol(down_s, one.run.summary.links[0].down_s, 1e-9);
    lib_end(&one.run);
}
END_TEST

static const char several[] = "  - application[video].via[AB] from 50 s to 100 s >= 0\n"
                              "  - served_fraction from 100 s to 160 s >= 0\n"
                              "  - latency_s.p95 from 100 s to 160 s >= 0\n"
                              "  - link[AC].pool_min_bits from 50 s to 90 s >= 0\n"
                              "  - link[AC].relayed_keys from 50 s to 90 s >= 0\n"
                              "  - min(link[*].pool_end_bits) to 60 s >= 0\n";

/* Nor do they need the end: a run that stops before a window says nothing of it. */
START_TEST(windows_change_nothing)
{
    run_with("  - served_fraction > 0\n");
    uint64_t digest = one.run.summary.trace_digest;
    lib_end(&one.run);
    run_with(several);
    ck_assert_uint_eq(one.run.summary.trace_digest, digest);
    lib_end(&one.run);
    char text[4096];
    snprintf(text, sizeof text, "%s%s", head, several);
    lib_begin(&one.run, text);
    one.run.options.until_ns = 80 * S;
    lib_go(&one.run);
    lib_good(&one.run);
    ck_assert(one.run.summary.watches[0].reached);
    ck_assert(!one.run.summary.watches[one.run.scenario->expects[1].watch].reached);
    lib_end(&one.run);
}
END_TEST

#ifdef QKDN_HAVE_SIMGRID

enum { FIGURES = 6 };

static void figures_take(double figures[FIGURES])
{
    const struct scn_summary *summary = &one.run.summary;
    const struct scn_watch_summary *watches = summary->watches;
    const struct scn_expect *expects = one.run.scenario->expects;
    figures[0] = watches[expects[0].watch].via;
    figures[1] = (double)watches[expects[1].watch].of.run->requests.served;
    figures[2] = watches[expects[2].watch].of.run->latency.p95;
    figures[3] = (double)watches[expects[3].watch].of.link->pool_min_bits;
    figures[4] = (double)watches[expects[4].watch].of.link->relayed_keys;
    figures[5] = (double)watches[expects[5].watch + 1].of.link->pool_end_bits;
}

static void grid_run(void *ctx, int fd)
{
    double figures[FIGURES];
    char text[4096];
    (void)ctx;
    snprintf(text, sizeof text, "%s%s", head, several);
    lib_begin(&one.run, text);
    one.run.options.engine = SCN_ENGINE_SIMGRID;
    lib_go(&one.run);
    lib_good(&one.run);
    figures_take(figures);
    ck_assert_int_eq(write(fd, figures, sizeof figures), sizeof figures);
}

/* Latencies differ by nanoseconds, and few requests meet another level for that
 * (docs/architecture.md, "Engines"). */
START_TEST(both_engines)
{
    double fast[FIGURES], grid[FIGURES];
    run_with(several);
    figures_take(fast);
    lib_end(&one.run);
    ck_assert_int_eq(case_fork(grid_run, NULL, grid, sizeof grid), sizeof grid);
    for (size_t i = 0; i < FIGURES; i++) {
        ck_assert_double_eq_tol(grid[i], fast[i], 0.01 * fast[i]);
    }
}
END_TEST

#endif

int main(void)
{
    Suite *suite = suite_create("sim/windows");
    TCase *tests = tcase_create("windows");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, requests_of_windows);
    tcase_add_test(tests, links_in_windows);
    tcase_add_test(tests, window_of_the_whole_run);
    tcase_add_test(tests, parts_add_up);
    tcase_add_test(tests, windows_change_nothing);
#ifdef QKDN_HAVE_SIMGRID
    tcase_add_test(tests, both_engines);
#endif
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
