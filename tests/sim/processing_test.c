/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_management.processing: what a key manager puts out leaves that much later, in order, its
 * commit included. Topology: a line of three, one key manager between the two of the application.
 *
 * Purpose: the delay appears as often as the protocol says (architecture.md, "One key request
 * through every room"): with a route known, outputs of a key manager follow one another six times
 * between request and key: RELAY of the source, RELAY of the hop, RELAY_DONE of the destination,
 * SUPPLY_NOTIFY of the master, the slave's answer, KEY_SUPPLY_RSP. */
#include "tests/sim/world_lib.h"

enum { STEPS = 6, MS = 1000000 };

static struct lib_run one;

#define LINE(more)                                                                                 \
    "scenario: line\nduration: 2 min\nengine: fast\n"                                              \
    "network:\n  nodes: [{id: A}, {id: B}, {id: C}]\n"                                             \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 50 kbit/s, block: 100 kbit}}\n"       \
    "    - {id: BC, ends: [B, C], length: 10 km, qkd: {rate: 50 kbit/s, block: 100 kbit}}\n"       \
    "applications:\n  - {id: x, from: A, to: C, arrivals: periodic, rate: 2 /s, start: 5 s}\n"     \
    "control: {route_validity: 1 h}\n" more

/* The shortest time from request to key. */
static int64_t fastest_ns(void)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *r = &one.requests[i];
        if (strcmp(r->outcome, "served") == 0 && r->end_ns - r->start_ns < least) {
            least = r->end_ns - r->start_ns;
        }
    }
    return least;
}

START_TEST(six_outputs_make_a_key)
{
    lib_run_text(&one, LINE("key_management: {processing: 0}\n"));
    int64_t without_ns = fastest_ns();
    ck_assert_uint_eq(one.summary.requests.served, 229);
    ck_assert_uint_eq(one.summary.requests.total, 229);
    lib_end(&one);
    static const int64_t processing_ms[] = {1, 15};
    for (size_t i = 0; i < 2; i++) {
        char text[sizeof(LINE("")) + 64];
        (void)snprintf(text, sizeof(text), "%skey_management: {processing: %d ms}\n", LINE(""),
                       (int)processing_ms[i]);
        lib_run_text(&one, text);
        ck_assert_int_eq(fastest_ns() - without_ns, STEPS * processing_ms[i] * MS);
        ck_assert_uint_eq(one.summary.requests.served, 229);
        lib_end(&one);
    }
}
END_TEST

/* What waits at a node that crashes was never committed and never leaves; the oracle, which knows
 * all that left, agrees, and the network comes back. */
START_TEST(crash_drops_what_waits)
{
    lib_run_text(&one, LINE("key_management: {processing: 40 ms}\n"
                            "faults:\n"
                            "  - {at: 30 s, node: B, what: crash, for: 10 ms}\n"
                            "  - {at: 50.02 s, node: C, what: crash, for: 1 ms}\n"
                            "  - {at: 70.01 s, node: A, what: crash, for: 20 ms}\n"
                            "  - {at: 90 s, node: B, what: crash, for: 3 s}\n"));
    size_t served = 0, late = 0;
    for (size_t i = 0; i < one.request_count; i++) {
        const struct lib_request *r = &one.requests[i];
        served += strcmp(r->outcome, "served") == 0;
        late += r->start_ns > INT64_C(95000) * MS && strcmp(r->outcome, "served") != 0;
    }
    ck_assert_uint_eq(one.request_count, 229);
    ck_assert_uint_ge(served, 200);
    ck_assert_uint_eq(late, 0);
    lib_end(&one);
}
END_TEST

/* Two processes per node: what passes from one to the other waits too, and no rule is broken. */
START_TEST(two_processes)
{
    lib_run_text(&one, LINE("key_management: {processing: 15 ms, deployment: two}\n"));
    ck_assert_uint_eq(one.summary.requests.served, 229);
    ck_assert_int_ge(fastest_ns(), (STEPS + 2) * 15 * MS);
    lib_end(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("processing");
    TCase *tc = tcase_create("processing");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, six_outputs_make_a_key);
    tcase_add_test(tc, crash_drops_what_waits);
    tcase_add_test(tc, two_processes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
