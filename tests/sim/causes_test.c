/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes routes move, in each mode of control: a link that fails, a pool below the low mark, noisy light,
 * wrong tags. Of each event the run tells when it was seen and when the next key came (fault_events); and
 * routes behave: no node twice (no loop), all is served once it is over (no black hole), one change and no
 * second (no flapping). Two ways from A to C, by B and by D. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world_lib.h"

static const struct cause {
    const char *name, *fault;
    double detect_s;    /* at most */
    double first_key_s; /* the same */
    double rate_per_s;
    bool loses; /* requests may be lost until then */
} causes[] = {
    /* Neighbours are silent for three status periods; then requests that wait are routed anew. */
    {"link", "what: both", 5, 8, 8.329, true},
    /* 100 kbit/s of light are gone; 8.3 keys a second take 12.4 kbit/s of what is stored, down to the mark. */
    {"low mark", "what: quantum", 40, 1, 8.329, false},
    /* The modules say so with the next block, or at once (Q_NOISE). */
    {"noise", "what: degraded, qber: 15 %", 3, 1, 8.329, false},
    /* A third of the frames is damaged, more than the 16 a second that are taken for an attack. */
    {"tags", "what: impaired, frame_corruption: 0.35", 3, 3, 61.329, true},
};
static const char *const modes[] = {"on-request", "proactive", "distributed"};

enum { CAUSES = sizeof causes / sizeof causes[0], MODES = sizeof modes / sizeof modes[0] };

static struct lib_run run;

/* Keys take the way by D, which has more key; all else between A and C goes by B, which is nearer: a cut of AD
 * does not cut off A from C. */
static void run_with(const char *mode, const struct cause *cause)
{
    char text[4096];
    snprintf(
        text, sizeof text,
        "scenario: causes\nduration: 120 s\nengine: fast\nnetwork:\n"
        "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
        "  links:\n"
        "    - {id: AB, ends: [A, B], length: 10 km, store: 400 kbit, qkd: {rate: 100 kbit/s, "
        "block: "
        "50 kbit}}\n"
        "    - {id: BC, ends: [B, C], length: 10 km, store: 400 kbit, qkd: {rate: 100 kbit/s, "
        "block: "
        "50 kbit}}\n"
        "    - {id: AD, ends: [A, D], length: 40 km, store: 600 kbit, initial: 300 kbit, qkd: "
        "{rate: "
        "100 kbit/s, block: 50 kbit}}\n"
        "    - {id: DC, ends: [D, C], length: 40 km, store: 600 kbit, initial: 300 kbit, qkd: "
        "{rate: "
        "100 kbit/s, block: 50 kbit}}\n"
        "control: {mode: %s, at: C, route_validity: 2 s, routing: widest, keep_route: true, "
        "low_mark: "
        "150 kbit}\n"
        "applications:\n"
        "  - {id: video, from: A, to: C, arrivals: periodic, rate: %.3f /s, start: 10 s, stop: "
        "110 s}\n"
        "faults: [{at: 40.1 s, for: 60 s, link: AD, %s, event: w}]\n",
        mode, cause->rate_per_s, cause->fault);
    lib_run_text(&run, text);
}

static const char *context(const char *mode, const struct cause *cause)
{
    static char text[64];
    snprintf(text, sizeof text, "%s, %s", mode, cause->name);
    return text;
}

/* Times that the way of served requests changed between two instants. */
static uint32_t changes(double from_s, double to_s)
{
    uint32_t count = 0;
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        double at_s = 1e-9 * (double)r->start_ns;
        if (at_s < from_s || at_s >= to_s || strcmp(r->outcome, "served") != 0) {
            continue;
        }
        ck_assert_uint_eq(r->route_count, 3); /* A, B or D, C: no loop, no detour */
        ck_assert_uint_ne(r->route[1], r->route[0]);
        ck_assert_uint_ne(r->route[1], r->route[2]);
        count += last != UINT32_MAX && r->route[1] != last;
        last = r->route[1];
    }
    return count;
}

START_TEST(seen_and_healed)
{
    const struct cause *cause = &causes[_i / MODES];
    const char *mode = modes[_i % MODES];
    run_with(mode, cause);
    const struct scn_event_summary *event =
        &run.summary.fault_events[scn_event_find(run.scenario, "w")];
    const char *what = context(mode, cause);
    ck_assert_msg(event->applications == 1 && event->healed == 1, "%s: not hit", what);
    ck_assert_msg(event->detect_s > 0 && event->detect_s <= cause->detect_s,
                  "%s: detected after %.3f s", what, event->detect_s);
    ck_assert_msg(event->first_key_s > 0 && event->first_key_s <= cause->first_key_s,
                  "%s: key after %.3f s", what, event->first_key_s);
    ck_assert_msg(cause->loses || event->lost.total == 0, "%s: %.0f lost", what,
                  (double)event->lost.total);
    double settled_s = 40.1 + cause->detect_s + cause->first_key_s;
    ck_assert_msg(cause->loses || changes(30, 100) == 1, "%s: not one change", what);
    ck_assert_msg(changes(10, 40) + changes(settled_s, 100) == 0, "%s: it flaps", what);
    size_t late = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        late += r->start_ns > INT64_C(90000000000) && strcmp(r->outcome, "served") != 0;
    }
    ck_assert_msg(late == 0, "%s: %zu not served long after", what, late);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("causes");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, seen_and_healed, 0, CAUSES * MODES);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
