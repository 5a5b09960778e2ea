/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chance and time are replayed: the same seed gives the same run, message by message (the digest
 * covers every one), also in another process with other addresses; another seed gives another run;
 * an application that is added does not change when the others ask; KMA and KSA in one process or in
 * two serve the same requests the same way (D23-KR-01). */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fuzz.h"
#include "tests/lib/sim_case.h"

static const char *program; /* argv[0] */

static struct case_run *run_of(uint64_t features, uint64_t seed, const char *set)
{
    struct sim_fuzz_plan plan;
    char *text = malloc(SIM_FUZZ_TEXT);
    ck_assert_ptr_nonnull(text);
    sim_fuzz_plan_limited(&plan, seed, SIM_FUZZ_ONLY(features));
    sim_fuzz_print(&plan, text);
    const char *sets[] = {set, NULL};
    struct case_run *run = case_run_new(text, &(struct case_options){.sets = sets});
    free(text);
    case_check(run);
    return run;
}

static uint64_t digest_of(uint64_t features, uint64_t seed, const char *set)
{
    struct case_run *run = run_of(features, seed, set);
    uint64_t digest = run->summary.trace_digest;
    case_run_free(run);
    return digest;
}

START_TEST(same_seed)
{
    uint64_t seed = (uint64_t)_i;
    ck_assert_uint_eq(digest_of(UINT32_MAX, seed, NULL), digest_of(UINT32_MAX, seed, NULL));
}
END_TEST

START_TEST(other_seed)
{
    /* The same network and load pattern; only the seed of chance differs. */
    uint64_t digest[3];
    for (unsigned i = 0; i < 3; i++) {
        char set[32];
        (void)snprintf(set, sizeof(set), "seed=%u", 100 + i);
        digest[i] = digest_of(UINT32_MAX, (uint64_t)_i, set);
    }
    ck_assert(digest[0] != digest[1] && digest[1] != digest[2] && digest[0] != digest[2]);
}
END_TEST

/* Runs this program again with an argument; what it prints. */
static uint64_t digest_elsewhere(void)
{
    char command[1024];
    uint64_t digest = 0;
    (void)snprintf(command, sizeof(command), "'%s' digest", program);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_int_eq(fscanf(pipe, "%" SCNx64, &digest), 1);
    ck_assert_int_eq(pclose(pipe), 0);
    return digest;
}

START_TEST(other_process)
{
    uint64_t digest = digest_of(UINT32_MAX, 2, NULL);
    ck_assert_uint_eq(digest, digest_elsewhere());
    ck_assert_uint_eq(digest, digest_elsewhere());
}
END_TEST

#define TWO                                                                                        \
    "scenario: streams\n"                                                                          \
    "seed: 9\n"                                                                                    \
    "duration: 60 s\n"                                                                             \
    "engine: fast\n"                                                                               \
    "network:\n"                                                                                   \
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"                                                       \
    "  links:\n"                                                                                   \
    "    - {id: AB, ends: [A, B], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"      \
    "applications:\n"                                                                              \
    "  - {id: one, from: A, to: C, rate: 2 /s}\n"                                                  \
    "  - {id: two, from: C, to: B, rate: 3 /s}\n"

START_TEST(streams)
{
    struct case_run *without = case_run_new(TWO, NULL);
    struct case_run *with = case_run_new(TWO "  - {id: three, from: B, to: A, rate: 5 /s}\n", NULL);
    case_check(without);
    case_check(with);
    ck_assert_uint_gt(with->request_count, without->request_count);
    for (uint32_t app = 0; app < 2; app++) {
        size_t k = 0;
        size_t found = 0;
        for (size_t i = 0; i < without->request_count; i++) {
            if (without->requests[i].application != app) {
                continue;
            }
            /* requests are listed as they end: look for the instant */
            for (k = 0; k < with->request_count; k++) {
                if (with->requests[k].application == app &&
                    with->requests[k].start_ns == without->requests[i].start_ns) {
                    found++;
                    break;
                }
            }
            ck_assert_msg(k < with->request_count, "application %u: %" PRId64 " ns moved", app,
                          without->requests[i].start_ns);
        }
        ck_assert_uint_gt(found, 50);
    }
    case_run_free(without);
    case_run_free(with);
}
END_TEST

static const struct case_request *numbered(const struct case_run *run, uint64_t number)
{
    for (size_t i = 0; i < run->request_count; i++) {
        if (run->requests[i].number == number) {
            return &run->requests[i];
        }
    }
    return NULL;
}

/* Loss would fall on different frames (hand-overs inside a node take other message numbers and other
 * turns at equal instants), so only networks without chance are compared. */
START_TEST(deployments)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct case_run *one = run_of(SIM_FUZZ_CALM, seed, "key_management.deployment=one");
        struct case_run *two = run_of(SIM_FUZZ_CALM, seed, "key_management.deployment=two");
        ck_assert_uint_gt(one->request_count, 0);
        ck_assert_uint_eq(one->request_count, two->request_count);
        for (size_t i = 0; i < one->request_count; i++) {
            const struct case_request *a = &one->requests[i];
            const struct case_request *b = numbered(two, a->number);
            ck_assert_ptr_nonnull(b);
            ck_assert_str_eq(a->outcome, b->outcome);
            ck_assert_str_eq(a->reason, b->reason);
            ck_assert_uint_eq(a->keys_supplied, b->keys_supplied);
            ck_assert_uint_eq(a->hops, b->hops);
        }
        case_run_free(one);
        case_run_free(two);
    }
}
END_TEST

START_TEST(print_digest)
{
    (void)printf("%016" PRIx64 "\n", digest_of(UINT32_MAX, 2, NULL));
    (void)fflush(stdout);
}
END_TEST

int main(int argc, char **argv)
{
    program = argv[0];
    bool print = argc > 1 && strcmp(argv[1], "digest") == 0;
    Suite *suite = suite_create("determinism");
    TCase *tc = tcase_create("determinism");
    tcase_set_timeout(tc, 60);
    if (print) {
        tcase_add_test(tc, print_digest);
    } else {
        tcase_add_loop_test(tc, same_seed, 1, 25);
        tcase_add_loop_test(tc, other_seed, 1, 6);
        tcase_add_test(tc, other_process);
        tcase_add_test(tc, streams);
        tcase_add_test(tc, deployments);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, print ? CK_SILENT : CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
