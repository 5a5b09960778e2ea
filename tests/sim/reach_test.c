/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests that name the other application by its address (docs/protocol.md, "Who serves whom"; D23-KR-07):
 * found by the longest prefix, with a controller, and without one by link state; gone with its KM, and back
 * with it. D23-KR-13: the KSA's address, static or dynamic, with its KM or apart, is known with it.
 * Topology: A, C and D around B. */
#include "tests/sim/world_lib.h"

static struct lib_run run;

static const char *text(const char *control, const char *rest)
{
    static char buffer[3072];
    (void)snprintf(
        buffer, sizeof buffer,
        "scenario: reach\nduration: 60 s\nengine: fast\n"
        "network:\n  nodes:\n"
        "    - {id: A, user_networks: [10.1.0.0/16, lan-a], ksa_address: 10.9.0.0/24}\n"
        "    - {id: B, ksa_address: 10.9.1.7}\n"
        "    - {id: C, user_networks: [10.3.0.0/16, \"2001:db8::/32\"]}\n"
        "    - {id: D, user_networks: [10.0.0.0/8, lan-d]}\n  links:\n"
        "    - {id: AB, ends: [A, B], initial: 8 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BC, ends: [B, C], initial: 8 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "    - {id: BD, ends: [B, D], initial: 8 Mbit, qkd: {model: rate, rate: 1 bit/s}}\n"
        "control: {%s}\nmanagement: {at: B}\n"
        "applications:\n"
        "  - {id: x, from: A, to: C, address: 10.3.4.5, rate: 4 /s, start: 10 s}\n"
        "  - {id: y, from: A, to: D, address: lan-d, rate: 2 /s, start: 10 s}\n"
        "  - {id: z, from: C, to: D, address: 10.77.0.1, rate: 2 /s, start: 10 s}\n"
        "  - {id: w, from: D, to: C, address: \"2001:db8:1::5\", rate: 2 /s, start: 10 s}\n%s",
        control, rest);
    return buffer;
}

static const char *const modes[] = {"at: B", "at: B, mode: distributed",
                                    "controller: false, mode: distributed"};

START_TEST(found_by_address)
{
    lib_run_text(&run, text(modes[_i], ""));
    ck_assert_uint_gt(run.summary.requests.total, 300);
    ck_assert_uint_eq(run.summary.requests.served, run.summary.requests.total);
    lib_end(&run);
}
END_TEST

/* C is gone for twenty seconds. After three status periods nobody knows who serves 10.3.4.5: the shorter
 * prefix of D holds it, and A has no partner there. When C is back its word is, too. */
START_TEST(gone_with_its_km)
{
    lib_run_text(&run,
                 text(modes[_i], "faults:\n  - {at: 20 s, node: C, what: crash, for: 20 s}\n"));
    size_t unknown = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        int64_t start_s = r->start_ns / QKD_NS_PER_S;
        bool is_x = r->application == 0;
        if (is_x && start_s >= 25 && start_s < 40) {
            ck_assert_msg(strcmp(r->reason, "unknown_application") == 0, "%s at %lld s", r->reason,
                          (long long)start_s);
            unknown++;
        }
        if (r->application == 1 || start_s >= 46) {
            ck_assert_msg(strcmp(r->outcome, "served") == 0, "%s of %u at %lld s", r->reason,
                          r->application, (long long)start_s);
        }
    }
    ck_assert_uint_gt(unknown, 30);
    lib_end(&run);
}
END_TEST

/* The controller is gone from 20 s on, for twenty seconds (its process, or it starts anew at once): what was
 * resolved once is resolved on, as routes are kept; where link state tells it, it is told anyway. Only `v`,
 * which asks for the first time meanwhile, waits for the controller, and until that knows all again (four
 * status periods), but not in mode distributed. */
START_TEST(goes_on_without_controller)
{
    static const char *const with[] = {"at: B", "at: B, mode: proactive",
                                       "at: B, mode: distributed"};
    static const char *const faults[] = {
        "  - {id: v, from: A, to: D, address: 10.200.0.1, rate: 2 /s, start: 27 s}\n"
        "faults:\n  - {at: 20 s, element: controller, for: 20 s}\n",
        "faults:\n  - {at: 20 s, element: controller, for: 1 ms}\n"
        "  - {at: 30 s, element: controller, for: 10 ms}\n"};
    lib_run_text(&run, text(with[_i / 2], faults[_i % 2]));
    size_t early = 0;
    for (size_t i = 0; i < run.request_count; i++) {
        const struct lib_request *r = &run.requests[i];
        int64_t start_s = r->start_ns / QKD_NS_PER_S;
        bool is_new = r->application == 4 && start_s < 45 && _i / 2 < 2;
        early += is_new && strcmp(r->reason, "unreachable") == 0;
        ck_assert_msg(is_new || strcmp(r->outcome, "served") == 0, "%s of %u at %lld s", r->reason,
                      r->application, (long long)start_s);
    }
    ck_assert_msg(_i / 2 == 2 || _i % 2 == 1 || early > 15, "%zu", early);
    lib_end(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reach");
    TCase *tc = tcase_create("worlds");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, found_by_address, 0, 3);
    tcase_add_loop_test(tc, gone_with_its_km, 0, 3);
    tcase_add_loop_test(tc, goes_on_without_controller, 0, 6);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
