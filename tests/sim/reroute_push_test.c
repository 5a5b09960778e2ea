/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rerouting unasked (D23-CT-T4): KMs hold routes that are valid for an hour; only what the controller
 * tells them can move them before something fails.
 *
 *   S - A - T        2 hops: fewest hops
 *   S - B - C - T    3 hops */
#include "tests/sim/world_lib.h"

static struct lib_run run;

static const char network[] =
    "scenario: pushes\n"
    "duration: 36 s\n"
    "network:\n"
    "  nodes: [{id: S}, {id: A}, {id: B}, {id: C}, {id: T}]\n"
    "  links:\n"
    "  - {id: SA, ends: [S, A], initial: 8 Mbit, qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  - {id: AT, ends: [A, T], initial: 400 kbit, qkd: {rate: 4 kbit/s, block: 4 kbit}}\n"
    "  - {id: SB, ends: [S, B], initial: 8 Mbit, qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  - {id: BC, ends: [B, C], initial: 8 Mbit, qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "  - {id: CT, ends: [C, T], initial: 8 Mbit, qkd: {rate: 20 kbit/s, block: 20 kbit}}\n"
    "applications:\n"
    "  - {id: v, from: S, to: T, key: 256 bit, arrivals: periodic, rate: 10 /s, start: 5 s, stop: "
    "33 s}\n"
    "control: {routing: fewest-hops, route_validity: 1 h";

static void run_with(const char *rest)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s", network, rest);
    lib_run_text(&run, text);
    ck_assert_uint_gt(run.request_count, 250);
}

/* Times the route changes, and the instant of the first change in seconds. */
static unsigned changes(double *first_s)
{
    unsigned count = 0;
    for (size_t i = 1; i < run.request_count; i++) {
        if (run.requests[i].route_count != run.requests[i - 1].route_count) {
            *first_s = count == 0 ? 1e-9 * (double)run.requests[i].start_ns : *first_s;
            count++;
        }
    }
    return count;
}

/* A relayed key costs 1488 bits a hop: 10 a second take 14.88 kbit/s; A-T, which makes 4 kbit/s, falls by
 * about 10.9 kbit/s from 400 kbit (and 5 s of 4 kbit/s) and passes 250 kbit some 15 s after the start.
 * All requests are served: the route is left before it cannot pay; and it is not taken again. */
START_TEST(exhaustion_moves_it_in_time)
{
    double at_s = 0;
    run_with(", low_mark: 250 kbit}\n");
    for (size_t i = 0; i < run.request_count; i++) {
        ck_assert_str_eq(run.requests[i].outcome, "served");
    }
    ck_assert_uint_eq(changes(&at_s), 1);
    ck_assert_double_ge(at_s, 15);
    ck_assert_double_le(at_s, 26);
    ck_assert_uint_ge(run.summary.relay.reroutes, 1);
    lib_end(&run);
}
END_TEST

/* Without a mark nobody has a reason to leave it within the run. */
START_TEST(without_a_mark_it_stays)
{
    double at_s = 0;
    run_with("}\n");
    ck_assert_uint_eq(changes(&at_s), 0);
    lib_end(&run);
}
END_TEST

/* Noisy light from 10 s to 12 s: the route moves when the module says so, and does not come back. */
START_TEST(noise_moves_it_at_once)
{
    double at_s = 0;
    char text[4096];
    snprintf(text, sizeof text, "%s}\n", network);
    char *where = strstr(text, "qkd: {rate: 4 kbit/s, block: 4 kbit}");
    ck_assert_ptr_nonnull(where);
    char changed[4096];
    snprintf(changed, sizeof changed,
             "%.*sqkd: {model: trace, trace: [[0 s, 4 kbit/s, 0.02], "
             "[10 s, 0 bit/s, 0.2], [12 s, 4 kbit/s, 0.02]], block: 4 kbit}%s",
             (int)(where - text), text, where + strlen("qkd: {rate: 4 kbit/s, block: 4 kbit}"));
    lib_run_text(&run, changed);
    ck_assert_uint_eq(changes(&at_s), 1);
    ck_assert_double_ge(at_s, 10);
    ck_assert_double_le(at_s, 10.3);
    lib_end(&run);
}
END_TEST

/* A block that is complete at the very instant at which the light becomes noisy (12 s: blocks come every
 * second) tells of the light before; the link stays noisy, and is not used when routes are asked anew. */
START_TEST(a_last_quiet_block_does_not_clear_the_noise)
{
    double at_s = 0;
    char text[4096];
    static const char plain[] = "qkd: {rate: 4 kbit/s, block: 4 kbit}";
    const char *where = strstr(network, plain);
    ck_assert_ptr_nonnull(where);
    snprintf(text, sizeof text,
             "%.*sqkd: {model: trace, trace: [[0 s, 4 kbit/s, 0.02], [12 s, 0 bit/s, 0.2]], "
             "block: 4 kbit}%s}\n",
             (int)(where - network), network, where + strlen(plain));
    memcpy(strstr(text, "validity: 1 h"), "validity: 2 s", strlen("validity: 1 h"));
    lib_run_text(&run, text);
    ck_assert_uint_eq(changes(&at_s), 1);
    ck_assert_double_ge(at_s, 12);
    ck_assert_double_le(at_s, 12.3);
    lib_end(&run);
}
END_TEST

/* The controller is away from 10 s to 30 s and the routes end every 2 s: KMs go on with what they have.
 * Nothing fails but what waits for an answer of the controller too long, which is asked four times in 3 s:
 * with time-outs of 10 s nothing at all. */
START_TEST(goes_on_without_a_controller)
{
    double at_s = 0;
    char text[4096];
    snprintf(text, sizeof text, "%s", network);
    char *where = strstr(text, "route_validity: 1 h");
    ck_assert_ptr_nonnull(where);
    strcpy(where, "route_validity: 2 s}\n"
                  "faults:\n  - {at: 10 s, element: controller, what: crash, for: 20 s}\n");
    char *stop = strstr(text, "stop: 33 s");
    ck_assert_ptr_nonnull(stop);
    char longer[4096];
    snprintf(longer, sizeof longer, "%.*stimeout: 10 s, %s", (int)(stop - text), text, stop);
    lib_run_text(&run, longer);
    ck_assert_uint_gt(run.request_count, 250);
    /* 20 s without a controller, routes for 3 periods of 1 s at a time; the oldest was told before it went. */
    ck_assert_uint_ge(run.summary.relay.kept_routes, 4);
    ck_assert_double_ge(run.summary.relay.kept_oldest_s, 15);
    ck_assert_double_le(run.summary.relay.kept_oldest_s, 25);
    for (size_t i = 0; i < run.request_count; i++) {
        ck_assert_msg(strcmp(run.requests[i].outcome, "served") == 0, "at %.1f s: %s %s",
                      1e-9 * (double)run.requests[i].start_ns, run.requests[i].outcome,
                      run.requests[i].reason);
    }
    ck_assert_uint_eq(changes(&at_s), 0);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reroute push");
    TCase *tests = tcase_create("runs");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, exhaustion_moves_it_in_time);
    tcase_add_test(tests, without_a_mark_it_stays);
    tcase_add_test(tests, noise_moves_it_at_once);
    tcase_add_test(tests, a_last_quiet_block_does_not_clear_the_noise);
    tcase_add_test(tests, goes_on_without_a_controller);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
