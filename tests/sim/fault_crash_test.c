/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node crashes between any two outputs (base/out.h: a commit, or one send) and restarts half a
 * second later from what it had persisted. Topology: line A - B - C, KM of A with controller and
 * manager; A asks for keys with C, C with A, A with its neighbour B, every 250 ms.
 *
 * For output n = 1, 1 + stride, ... of the run, in one process per KM and in two: no violation (no
 * pad twice, no key twice, no mismatch, no bit lost), every request ends with a reason, and what is
 * asked four seconds after the crash is served. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/sim_case.h"

static const char scenario[] =
    "scenario: crash\n"
    "seed: 3\n"
    "duration: 11 s\n"
    "engine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B, clock: {offset: 5 s, drift: 100 ppm}}, {id: C}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 50 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 50 kbit}}\n"
    "key_management: {retransmit: 100 ms, lease: 2 kbit, batch: 2}\n"
    "applications:\n"
    "  - {id: east, from: A, to: C, count: 3, arrivals: periodic, rate: 4 /s, start: 1 s}\n"
    "  - {id: west, from: C, to: A, arrivals: periodic, rate: 4 /s, start: 1 s}\n"
    "  - {id: near, from: A, to: B, arrivals: periodic, rate: 4 /s, start: 1 s}\n";

enum { BACK_S = 4, SAMPLES = 150 };

static int64_t crash_ns(const struct case_run *run)
{
    for (size_t i = 0; i < run->event_count; i++) {
        if (strncmp(run->events[i].text, "crash", 5) == 0) {
            return run->events[i].time_ns;
        }
    }
    return -1;
}

/* Whether service is back; the first request that was not served in *bad. */
static bool back(const struct case_run *run, int64_t from_ns, const struct case_request **bad)
{
    size_t served = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        if (r->start_ns >= from_ns && strcmp(r->outcome, "pending") != 0) {
            *bad = r;
            if (strcmp(r->outcome, "served") != 0) {
                return false;
            }
            served++;
        }
    }
    return served > 0;
}

/* "" or what is wrong when the run crashes after output n. */
static void crash_after(uint64_t n, const char *deployment, char *why, size_t why_size)
{
    char set[64];
    (void)snprintf(set, sizeof(set), "key_management.deployment=%s", deployment);
    const char *sets[] = {set, NULL};
    struct case_options options = {.sets = sets,
                                   .hooks = {.crash_output = n, .crash_for_ns = QKD_NS_PER_S / 2}};
    struct case_run *run = case_run_new(scenario, &options);
    char fault[512];
    const struct case_request *bad = NULL;
    int64_t at_ns = crash_ns(run);
    why[0] = '\0';
    case_fault(run, fault, sizeof(fault));
    if (fault[0] != '\0' || at_ns < 0) {
        (void)snprintf(why, why_size, "after output %" PRIu64 " (%s, %.6f s): %s", n, deployment,
                       (double)at_ns * 1e-9, fault);
    } else if (!back(run, at_ns + BACK_S * QKD_NS_PER_S, &bad)) {
        (void)snprintf(why, why_size,
                       "after output %" PRIu64 " (%s, %.6f s): request of %.6f s %s, %s", n,
                       deployment, (double)at_ns * 1e-9,
                       bad == NULL ? -1.0 : (double)bad->start_ns * 1e-9,
                       bad == NULL ? "" : bad->outcome, bad == NULL ? "" : bad->reason);
    }
    case_run_free(run);
}

/* Crashes are spread over the outputs of the first 6 s, so that there is time to come back. */
static uint64_t outputs_to(int64_t until_s)
{
    char set[64];
    (void)snprintf(set, sizeof(set), "duration=%d s", (int)until_s);
    const char *sets[] = {set, NULL};
    struct case_run *run = case_run_new(scenario, &(struct case_options){.sets = sets});
    case_check(run);
    uint64_t outputs = run->outputs;
    case_run_free(run);
    return outputs;
}

/* Samples `part` of 4 interleaved ones. */
static void sample(const char *deployment, unsigned part)
{
    char why[1024];
    uint64_t last = outputs_to(6);
    uint64_t stride = last / SAMPLES;
    ck_assert_uint_ge(stride, 1);
    unsigned failed = 0;
    for (uint64_t n = 1 + part * stride / 4; n <= last; n += stride) {
        crash_after(n, deployment, why, sizeof(why));
        if (why[0] != '\0') {
            (void)fprintf(stderr, "%s\n", why);
            failed++;
        }
    }
    ck_assert_msg(failed == 0, "%u crashes went wrong, the last: %s", failed, why);
}

START_TEST(one_process)
{
    sample("one", (unsigned)_i);
}
END_TEST

START_TEST(two_processes)
{
    sample("two", (unsigned)_i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault_crash");
    TCase *tc = tcase_create("crash");
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, one_process, 0, 2);
    tcase_add_loop_test(tc, two_processes, 2, 4);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
