/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Engine equality (docs/architecture.md, "Engines"): on uncongested networks both engines give every
 * request the same outcome, reason and route. Requests that a change of all latencies by 1.001 would
 * flip are left to chance: they are found in the fast engine, counted, and not compared. SimGrid runs
 * once per process, so its run is in a child, which sends its requests back through a file. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/world_lib.h"

#ifdef QKDN_HAVE_SIMGRID

static struct lib_run fast, slower, grid;

/* The rates of the shipped files, with loads that make something happen in a minute. */
static const char *const texts[] = {
    /* a line with a neighbour pair, a far pair, and more load than key */
    "scenario: line\nseed: 2\nduration: 60 s\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}, {id: D}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 25 km, qkd: {rate: 300 kbit/s, block: 300 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 40 km, qkd: {rate: 20 kbit/s, block: 100 kbit}}\n"
    "    - {id: CD, ends: [C, D], length: 10 km, qkd: {rate: 300 kbit/s, block: 300 kbit}}\n"
    "applications:\n"
    "  - {id: ad, from: A, to: D, key: 256 bit, arrivals: poisson, rate: 20 /s, timeout: 5 s}\n"
    "  - {id: ab, from: B, to: A, key: 256 bit, count: 4, arrivals: poisson, rate: 5 /s, "
    "timeout: 5 s}\n"
    "  - {id: bd, from: D, to: B, key: 128 bit, arrivals: poisson, rate: 3 /s, wait: true, "
    "timeout: 2 s}\n",
    /* a ring with two ways, faults of every kind, clocks that differ */
    "scenario: ring\nseed: 4\nduration: 60 s\n"
    "network:\n"
    "  nodes:\n"
    "    - {id: A, clock: {drift: 100 ppm}}\n"
    "    - {id: B, clock: {offset: 1 h}}\n"
    "    - {id: C}\n"
    "    - {id: D, clock: {drift: -100 ppm}}\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 25 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 40 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"
    "    - {id: CD, ends: [C, D], length: 10 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"
    "    - {id: DA, ends: [D, A], length: 15 km, qkd: {rate: 100 kbit/s, block: 100 kbit}}\n"
    "applications:\n"
    "  - {id: ac, from: A, to: C, key: 256 bit, arrivals: poisson, rate: 10 /s, timeout: 5 s}\n"
    "  - {id: bd, from: B, to: D, key: 256 bit, arrivals: poisson, rate: 5 /s, timeout: 5 s}\n"
    "faults:\n"
    "  - {at: 10.3 s, link: AB, what: both, for: 8 s}\n"
    "  - {at: 25.7 s, node: C, what: crash, for: 2 s}\n"
    "  - {at: 40.1 s, link: DA, what: quantum, for: 5 s}\n"
    "  - {at: 50.9 s, node: D, what: down, for: 3 s}\n",
};

static struct lib_request *request_find(struct lib_run *run, uint64_t number)
{
    for (size_t i = 0; i < run->request_count; i++) {
        if (run->requests[i].number == number) {
            return &run->requests[i];
        }
    }
    return NULL;
}

static bool same_end(const struct lib_request *a, const struct lib_request *b)
{
    return b != NULL && strcmp(a->outcome, b->outcome) == 0 && strcmp(a->reason, b->reason) == 0 &&
           a->route_count == b->route_count && memcmp(a->route, b->route, sizeof(a->route)) == 0;
}

/* Runs the text in SimGrid in a child; its requests and how it went come back in *grid. */
static void grid_run(const char *text)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        lib_begin(&grid, text);
        grid.options.engine = SCN_ENGINE_SIMGRID;
        lib_go(&grid);
        bool written = fwrite(&grid, sizeof(grid), 1, file) == 1 && fflush(file) == 0;
        _exit(written ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    rewind(file);
    ck_assert_uint_eq(fread(&grid, sizeof(grid), 1, file), 1);
    (void)fclose(file);
    ck_assert_msg(grid.rc == 0, "%s", grid.why);
    ck_assert_msg(grid.summary.oracle.violations == 0, "%s", grid.summary.oracle.first);
}

START_TEST(engines_agree)
{
    lib_run_text(&fast, texts[_i]);
    lib_begin(&slower, texts[_i]);
    for (size_t i = 0; i < slower.scenario->link_count; i++) {
        slower.scenario->links[i].classical_latency_ns +=
            slower.scenario->links[i].classical_latency_ns / 1000;
    }
    slower.scenario->classical.management_latency_ns +=
        slower.scenario->classical.management_latency_ns / 1000;
    lib_go(&slower);
    grid_run(texts[_i]);

    size_t flipped = 0;
    ck_assert_uint_gt(fast.request_count, 500);
    ck_assert_uint_eq(grid.request_count, fast.request_count);
    for (size_t i = 0; i < fast.request_count; i++) {
        const struct lib_request *request = &fast.requests[i];
        if (!same_end(request, request_find(&slower, request->number))) {
            flipped++;
            continue;
        }
        const struct lib_request *other = request_find(&grid, request->number);
        ck_assert_ptr_nonnull(other);
        ck_assert_int_eq(other->start_ns, request->start_ns);
        ck_assert_msg(same_end(request, other),
                      "request %llu at %lld ns: fast %s (%s), simgrid %s (%s)",
                      (unsigned long long)request->number, (long long)request->start_ns,
                      request->outcome, request->reason, other->outcome, other->reason);
    }
    ck_assert_uint_lt(flipped * 20, fast.request_count); /* fewer than 5 % are left to chance */
    lib_end(&fast);
    lib_end(&slower);
}
END_TEST

/* Same seed, same digest, in the simgrid engine as well. */
START_TEST(simgrid_repeats)
{
    grid_run(texts[1]);
    uint64_t digest = grid.summary.trace_digest;
    uint64_t events = grid.summary.events;
    grid_run(texts[1]);
    ck_assert_uint_eq(grid.summary.trace_digest, digest);
    ck_assert_uint_eq(grid.summary.events, events);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("world in both engines");
    TCase *tests = tcase_create("equality");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, engines_agree, 0, sizeof(texts) / sizeof(texts[0]));
    tcase_add_test(tests, simgrid_repeats);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

int main(void)
{
    (void)printf("SimGrid is not in this build: nothing to compare\n");
    return EXIT_SUCCESS;
}

#endif
