/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a scenario for a test and collects its records. */
#include "tests/lib/sim_case.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Room for one more item of an array that doubles; ends the test without memory. */
static void *more(void *items, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0) {
        return items;
    }
    void *grown = realloc(items, (count == 0 ? 1 : 2 * count) * size);
    ck_assert_ptr_nonnull(grown);
    return grown;
}

/* ---- the sink ---- */

static void on_request(void *ctx, const struct scn_request *request)
{
    struct case_run *run = ctx;
    run->requests = more(run->requests, run->request_count, sizeof(*run->requests));
    struct case_request *to = &run->requests[run->request_count++];
    *to = (struct case_request){.number = request->number,
                                .application = request->application,
                                .start_ns = request->start_ns,
                                .end_ns = request->end_ns,
                                .fetched_ns = request->fetched_ns,
                                .outcome = request->outcome,
                                .reason = request->reason,
                                .grade = request->grade,
                                .keys_asked = request->keys_asked,
                                .keys_supplied = request->keys_supplied,
                                .hops = request->hops,
                                .reroutes = request->reroutes};
    for (size_t i = 0; i < request->route_count && i < CASE_ROUTE; i++) {
        to->route[to->route_count++] = request->route[i];
    }
}

static struct case_event *event_new(struct case_run *run, int64_t time_ns)
{
    run->events = more(run->events, run->event_count, sizeof(*run->events));
    struct case_event *event = &run->events[run->event_count++];
    event->time_ns = time_ns;
    return event;
}

static void on_event(void *ctx, const struct scn_event *event)
{
    struct case_event *to = event_new(ctx, event->time_ns);
    (void)snprintf(to->text, sizeof(to->text), "%s %s %.40s", event->kind, event->entity,
                   event->detail);
}

static void on_alarm(void *ctx, const struct scn_alarm *alarm)
{
    const struct case_run *run = ctx;
    struct case_event *to = event_new(ctx, alarm->time_ns);
    uint32_t node = qkd_eid_node(alarm->at);
    (void)snprintf(to->text, sizeof(to->text), "alarm %s %s %s %s %" PRIu64,
                   alarm->raised ? "raised" : "cleared", alarm->fault,
                   node < run->scenario->node_count ? run->scenario->nodes[node].id : "?",
                   qkd_role_name(qkd_eid_role(alarm->at)), alarm->object);
}

static void on_life(void *ctx, const struct scn_life *life)
{
    struct case_run *run = ctx;
    run->life = more(run->life, run->life_count, sizeof(*run->life));
    run->life[run->life_count++] = (struct case_life){.time_ns = life->time_ns,
                                                      .at = life->at,
                                                      .action = life->action,
                                                      .key_class = life->key_class,
                                                      .method = life->method,
                                                      .id = life->id,
                                                      .parent = life->parent,
                                                      .key_bits = life->key_bits,
                                                      .link = life->link};
}

/* ---- runs ---- */

static struct scn_scenario *load(const char *yaml, const char *const *sets)
{
    struct scn_text text = {.name = "test", .text = yaml, .len = strlen(yaml)};
    struct scn_sets all = {.texts = sets};
    while (sets != NULL && sets[all.count] != NULL) {
        all.count++;
    }
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    int rc = scn_load_text(&text, &all, &scenario, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        (void)fprintf(stderr, "%s\n", errors.lines[i]);
    }
    scn_errors_fini(&errors);
    ck_assert_msg(rc == 0, "the scenario of the test does not load:\n%s", yaml);
    return scenario;
}

struct case_run *case_run_new(const char *yaml, const struct case_options *options)
{
    static const struct case_options none;
    if (options == NULL) {
        options = &none;
    }
    struct case_run *run = calloc(1, sizeof(*run));
    ck_assert_ptr_nonnull(run);
    run->scenario = load(yaml, options->sets);
    if (options->adjust != NULL) {
        options->adjust(run->scenario);
    }
    struct scn_sink sink = {.ctx = run,
                            .request = on_request,
                            .event = on_event,
                            .alarm = on_alarm,
                            .life = options->keep_life ? on_life : NULL};
    struct sim_options sim = {.has_engine = true,
                              .engine = options->engine,
                              .sink = &sink,
                              .why = run->why,
                              .why_size = sizeof(run->why)};
    ck_assert_int_eq(scn_summary_init(&run->summary, run->scenario), 0);
    struct sim_world *world = NULL;
    run->rc = sim_world_new(run->scenario, &sim, &run->summary, &world);
    if (run->rc == 0) {
        struct sim_hooks hooks = options->hooks;
        if (options->tap != NULL) {
            run->tap = tap_new(run->scenario, options->tap);
            hooks.observe = tap_observe;
            hooks.observe_ctx = run->tap;
        }
        sim_world_hook(world, &hooks);
        run->rc = sim_world_run(world);
        run->outputs = world->outputs;
        run->net = *sim_engine_stats(world->engine);
    }
    sim_world_free(world);
    return run;
}

void case_run_free(struct case_run *run)
{
    if (run == NULL) {
        return;
    }
    scn_summary_fini(&run->summary);
    tap_free(run->tap);
    scn_free(run->scenario);
    free(run->requests);
    free(run->events);
    free(run->life);
    free(run);
}

/* ---- judgement ---- */

static uint64_t link_spent(const struct scn_bits *bits)
{
    return bits->stored + bits->pads + bits->tags + bits->hash_keys + bits->fallback_keys +
           bits->postproc_auth + bits->relayed_as_key + bits->expired + bits->discarded +
           bits->in_flight;
}

static const char *ledger_fault(const struct case_run *run, char *why, size_t why_size)
{
    for (size_t i = 0; i < run->summary.link_count; i++) {
        const struct scn_bits *bits = &run->summary.links[i].bits;
        if (bits->generated + bits->bootstrap != link_spent(bits)) {
            (void)snprintf(why, why_size, "link ledger of %s: %" PRIu64 " made, %" PRIu64 " found",
                           run->scenario->links[i].id, bits->generated + bits->bootstrap,
                           link_spent(bits));
            return why;
        }
        if (bits->bootstrap != run->scenario->key_management.bootstrap_bits) {
            (void)snprintf(why, why_size, "bootstrap of %s is not in the ledger",
                           run->scenario->links[i].id);
            return why;
        }
    }
    const struct scn_keys *keys = &run->summary.keys;
    uint64_t found = keys->supplied + keys->pooled + keys->expired + keys->discarded +
                     keys->in_flight;
    if (keys->drawn + keys->relayed_as_key != found) {
        (void)snprintf(why, why_size, "end-to-end ledger: %" PRIu64 " made, %" PRIu64 " found",
                       keys->drawn + keys->relayed_as_key, found);
    }
    return why;
}

static bool request_good(const struct case_request *request)
{
    if (strcmp(request->outcome, "served") == 0) {
        return strcmp(request->reason, "none") == 0 && request->end_ns != SCN_NO_TIME &&
               request->keys_supplied == request->keys_asked;
    }
    if (strcmp(request->outcome, "pending") == 0) {
        return request->end_ns == SCN_NO_TIME;
    }
    return strcmp(request->reason, "none") != 0 && strcmp(request->reason, "?") != 0 &&
           request->end_ns >= request->start_ns;
}

/* A request may be pending at the end only if its time-out (and a second, for the answer to come)
 * had not yet passed. */
static bool pending_good(const struct case_run *run, const struct case_request *request)
{
    int64_t end_ns = (int64_t)(run->summary.sim_s * 1e9);
    int64_t patience_ns = run->scenario->applications[request->application].timeout_ns;
    return strcmp(request->outcome, "pending") != 0 ||
           request->start_ns + patience_ns + 3 * QKD_NS_PER_S > end_ns;
}

const char *case_fault(const struct case_run *run, char *why, size_t why_size)
{
    why[0] = '\0';
    const struct scn_summary *summary = &run->summary;
    if (run->rc != 0) {
        (void)snprintf(why, why_size, "error %d: %s", run->rc, run->why);
        return why;
    }
    if (summary->oracle.violations > 0) {
        (void)snprintf(why, why_size, "violation at event %" PRIu64 ", %.9f s: %s",
                       summary->oracle.first_event, summary->sim_s, summary->oracle.first);
        return why;
    }
    if (summary->oracle.checks == 0 || summary->mismatched_pairs != 0 ||
        summary->security.forgeries_accepted != 0 || summary->security.leaked_bits != 0) {
        (void)snprintf(why, why_size, "checks %" PRIu64 ", mismatched pairs %" PRIu64,
                       summary->oracle.checks, summary->mismatched_pairs);
        return why;
    }
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *request = &run->requests[i];
        if (!request_good(request) || !pending_good(run, request)) {
            (void)snprintf(why, why_size, "request %" PRIu64 " of %.6f s: %s, %s, %u of %u keys",
                           request->number, (double)request->start_ns * 1e-9, request->outcome,
                           request->reason, request->keys_supplied, request->keys_asked);
            return why;
        }
    }
    return ledger_fault(run, why, why_size);
}

void case_check(const struct case_run *run)
{
    char why[512];
    case_fault(run, why, sizeof(why));
    if (why[0] != '\0') {
        case_print(run);
    }
    ck_assert_msg(why[0] == '\0', "%s", why);
}

size_t case_count(const struct case_run *run, const char *outcome, const char *reason)
{
    size_t n = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        n += strcmp(run->requests[i].outcome, outcome) == 0 &&
             (reason == NULL || strcmp(run->requests[i].reason, reason) == 0);
    }
    return n;
}

size_t case_count_between(const struct case_run *run, const char *outcome, int64_t from_ns,
                          int64_t to_ns)
{
    size_t n = 0;
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *request = &run->requests[i];
        n += (outcome == NULL || strcmp(request->outcome, outcome) == 0) &&
             request->start_ns >= from_ns && request->start_ns < to_ns;
    }
    return n;
}

size_t case_events(const struct case_run *run, const char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < run->event_count; i++) {
        n += strncmp(run->events[i].text, text, strlen(text)) == 0;
    }
    return n;
}

void case_print(const struct case_run *run)
{
    for (size_t i = 0; i < run->request_count; i++) {
        const struct case_request *r = &run->requests[i];
        (void)fprintf(stderr, "%4" PRIu64 " %-10s %12.6f %12.6f %-9s %-16s %u/%u hops %u",
                      r->number, run->scenario->applications[r->application].id,
                      (double)r->start_ns * 1e-9,
                      r->end_ns == SCN_NO_TIME ? -1.0 : (double)r->end_ns * 1e-9, r->outcome,
                      r->reason, r->keys_supplied, r->keys_asked, r->hops);
        (void)fprintf(stderr, " reroutes %u grade %s\n", r->reroutes, r->grade);
    }
    for (size_t i = 0; i < run->event_count; i++) {
        (void)fprintf(stderr, "%12.6f %s\n", (double)run->events[i].time_ns * 1e-9,
                      run->events[i].text);
    }
}

/* ---- processes ---- */

static void child(void (*fn)(void *ctx, int fd), void *ctx, const int fds[2])
{
    (void)close(fds[0]);
    fn(ctx, fds[1]);
    (void)close(fds[1]);
    _exit(0);
}

int64_t case_fork(void (*fn)(void *ctx, int fd), void *ctx, void *to, size_t cap)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        child(fn, ctx, fds);
    }
    (void)close(fds[1]);
    size_t len = 0;
    ssize_t got = 0;
    while (len < cap && (got = read(fds[0], (char *)to + len, cap - len)) > 0) {
        len += (size_t)got;
    }
    char extra;
    bool whole = len < cap || read(fds[0], &extra, 1) == 0;
    (void)close(fds[0]);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return whole && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? (int64_t)len : -1;
}
