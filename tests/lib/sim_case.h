/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run of a scenario given as text, with everything a test wants to know of it afterwards. The
 * oracle is always on. Errors of the test itself (a scenario that does not load) end the test. */
#ifndef QKD_TESTS_SIM_CASE_H
#define QKD_TESTS_SIM_CASE_H

#include "sim/world.h"
#include "tests/lib/sim_tap.h"

enum { CASE_ROUTE = 16, CASE_TEXT = 96 };

/* A copy of struct scn_request; texts are fixed ones of core. */
struct case_request {
    uint64_t number;
    uint32_t application;
    int64_t start_ns, end_ns, fetched_ns;
    const char *outcome, *reason, *grade;
    uint32_t keys_asked, keys_supplied, hops, reroutes;
    uint32_t route[CASE_ROUTE]; /* node indices; the first of them if there are more */
    uint32_t route_count;
};

struct case_event {
    int64_t time_ns;
    char text[CASE_TEXT]; /* "crash node B", "alarm raised link_down" */
};

struct case_life {
    int64_t time_ns;
    struct qkd_eid at;
    const char *action, *key_class, *method;
    struct qkd_id id, parent;
    uint32_t key_bits, link;
};

struct case_run {
    struct scn_scenario *scenario;
    struct scn_summary summary;
    int rc;        /* of the world */
    char why[256]; /* when rc is not 0 */
    uint64_t outputs;
    struct sim_engine_stats net;
    struct case_request *requests;
    size_t request_count;
    struct case_event *events; /* of the network and, as text, alarms */
    size_t event_count;
    struct case_life *life;
    size_t life_count;
    struct tap *tap; /* NULL without a filter */
};

struct case_options {
    const char *const *sets; /* "path=value" overrides, NULL after the last; NULL: none */
    enum scn_engine engine;  /* fast by default, whatever the scenario says */
    struct sim_hooks hooks;
    void (*adjust)(struct scn_scenario *scenario); /* what a file cannot say; NULL: nothing */
    const struct tap_filter *tap; /* watch the messages: overrides the observe hook */
    bool keep_life;               /* also collect life-cycle records */
};

/* options may be NULL. */
struct case_run *case_run_new(const char *yaml, const struct case_options *options);
void case_run_free(struct case_run *run);

/* "" or what is wrong with a run whatever its scenario: an error, a violation, a ledger that does
 * not balance, a request without outcome or reason, a mismatch. Returns `why`. */
const char *case_fault(const struct case_run *run, char *why, size_t why_size);

/* Ends the test with what is wrong. */
void case_check(const struct case_run *run);

/* Requests that ended so (reason NULL: any) and arrived in [from_ns, to_ns). */
size_t case_count(const struct case_run *run, const char *outcome, const char *reason);
size_t case_count_between(const struct case_run *run, const char *outcome, int64_t from_ns,
                          int64_t to_ns);

/* Events whose text begins so. */
size_t case_events(const struct case_run *run, const char *text);

/* One line per request, for failures: number, application, times, outcome, reason. To stderr. */
void case_print(const struct case_run *run);

/* Runs fn(ctx, fd) in a process of its own and reads what it writes to fd: the simgrid engine runs
 * once per process, and a broken assertion must not end the others. Returns the bytes read, or -1
 * if the process did not end with exit status 0 or wrote more than cap. */
int64_t case_fork(void (*fn)(void *ctx, int fd), void *ctx, void *to, size_t cap);

#endif
