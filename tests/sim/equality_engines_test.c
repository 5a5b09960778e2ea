/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two engines agree (fast and simgrid): on uncongested networks every request has the same
 * outcome, reason and route. What depends on a hair's breadth of latency does not count: requests
 * whose outcome flips in the fast engine when all latencies are longer by a thousandth are listed and
 * left out (there may be few of them). Topology: random networks without loss (sim/fuzz.h)
 * and one with faults. The simgrid engine runs once per process: every run is one of its own. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/fuzz.h"
#include "tests/lib/sim_case.h"

enum { REQUESTS = 4096 };

struct job {
    const char *text;
    enum scn_engine engine;
    bool stretched;
};

static void stretch(struct scn_scenario *scenario)
{
    for (size_t i = 0; i < scenario->link_count; i++) {
        scenario->links[i].classical_latency_ns += scenario->links[i].classical_latency_ns / 1000;
    }
    scenario->classical.management_latency_ns += scenario->classical.management_latency_ns / 1000;
}

/* In the child: runs and writes the requests, whose texts are fixed ones of this program. */
static void run_job(void *ctx, int fd)
{
    const struct job *job = ctx;
    char why[512];
    struct case_run *run =
        case_run_new(job->text, &(struct case_options){.engine = job->engine,
                                                       .adjust = job->stretched ? stretch : NULL});
    case_fault(run, why, sizeof(why));
    if (why[0] != '\0' || run->request_count > REQUESTS) {
        (void)fprintf(stderr, "%s engine: %s\n", scn_engine_name(job->engine), why);
        _exit(1);
    }
    size_t len = run->request_count * sizeof(*run->requests);
    const char *at = (const char *)run->requests;
    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put <= 0) {
            _exit(1);
        }
        at += put;
        len -= (size_t)put;
    }
    case_run_free(run);
}

static int by_arrival(const void *a, const void *b)
{
    const struct case_request *x = a;
    const struct case_request *y = b;
    if (x->start_ns != y->start_ns) {
        return x->start_ns < y->start_ns ? -1 : 1;
    }
    if (x->application != y->application) {
        return x->application < y->application ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The requests of a run by instant and application: the engines may take up what happens at one
 * instant at different nodes in another order. */
static size_t requests_of(const char *text, enum scn_engine engine, bool stretched,
                          struct case_request *to)
{
    struct job job = {text, engine, stretched};
    int64_t len = case_fork(run_job, &job, to, REQUESTS * sizeof(*to));
    ck_assert_msg(len >= 0, "a run failed");
    size_t count = (size_t)len / sizeof(*to);
    qsort(to, count, sizeof(*to), by_arrival);
    return count;
}

static bool same(const struct case_request *a, const struct case_request *b)
{
    return a->application == b->application && a->start_ns == b->start_ns &&
           strcmp(a->outcome, b->outcome) == 0 && strcmp(a->reason, b->reason) == 0 &&
           a->keys_supplied == b->keys_supplied && a->hops == b->hops &&
           a->route_count == b->route_count &&
           memcmp(a->route, b->route, a->route_count * sizeof(a->route[0])) == 0;
}

static void compare(const char *text)
{
    struct case_request *fast = calloc(3 * (size_t)REQUESTS, sizeof(*fast));
    ck_assert_ptr_nonnull(fast);
    struct case_request *grid = fast + REQUESTS;
    struct case_request *slow = grid + REQUESTS;
    size_t count = requests_of(text, SCN_ENGINE_FAST, false, fast);
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_eq(requests_of(text, SCN_ENGINE_SIMGRID, false, grid), count);
    ck_assert_uint_eq(requests_of(text, SCN_ENGINE_FAST, true, slow), count);
    size_t flips = 0;
    for (size_t i = 0; i < count; i++) {
        const struct case_request *f = &fast[i];
        if (!same(f, &slow[i])) {
            (void)fprintf(stderr, "left out: request %" PRIu64 " of %.6f s flips: %s, %s\n",
                          f->number, (double)f->start_ns * 1e-9, f->outcome, slow[i].outcome);
            flips++;
            continue;
        }
        ck_assert_msg(same(f, &grid[i]),
                      "request %" PRIu64 " of %.6f s: fast %s %s %u hops, simgrid %s %s %u hops",
                      f->number, (double)f->start_ns * 1e-9, f->outcome, f->reason, f->hops,
                      grid[i].outcome, grid[i].reason, grid[i].hops);
    }
    ck_assert_uint_le(flips * 20, count);
    free(fast);
}

START_TEST(calm)
{
    static char text[SIM_FUZZ_TEXT];
    struct sim_fuzz_plan plan;
    sim_fuzz_plan_limited(&plan, (uint64_t)_i, SIM_FUZZ_ONLY(SIM_FUZZ_CALM));
    sim_fuzz_print(&plan, text);
    compare(text);
}
END_TEST

/* A ring of four that loses a link, a node for a while, and gets both back. */
START_TEST(faults)
{
    compare("scenario: faults\n"
            "seed: 2\n"
            "duration: 30 s\n"
            "network:\n"
            "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
            "  links:\n"
            "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 90 kbit/s, block: 90 kbit}}\n"
            "    - {id: BC, ends: [B, C], length: 11 km, qkd: {rate: 90 kbit/s, block: 90 kbit}}\n"
            "    - {id: AD, ends: [A, D], length: 12 km, qkd: {rate: 60 kbit/s, block: 60 kbit}}\n"
            "    - {id: DC, ends: [D, C], length: 13 km, qkd: {rate: 60 kbit/s, block: 60 kbit}}\n"
            "applications:\n"
            "  - {id: across, from: A, to: C, rate: 4 /s, count: 2}\n"
            "  - {id: back, from: C, to: A, rate: 1 /s}\n"
            "  - {id: near, from: B, to: A, rate: 2 /s}\n"
            "faults:\n"
            "  - {at: 8.123 s, for: 5 s, link: BC, what: both}\n"
            "  - {at: 18.321 s, for: 2 s, node: D, what: crash}\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("equality_engines");
    TCase *tc = tcase_create("engines");
    tcase_set_timeout(tc, 60);
#ifdef QKDN_HAVE_SIMGRID
    tcase_add_loop_test(tc, calm, 1, 13);
    tcase_add_test(tc, faults);
#else
    (void)calm;
    (void)faults;
    (void)printf("built without SimGrid: nothing to compare\n");
#endif
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
