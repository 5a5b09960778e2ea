/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes random scenarios and says what their runs must show. */
#include "tests/lib/sim_random.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/lib/sim_case.h"

enum { NODES = 8, LINKS = 28 };

struct writer {
    char *text;
    size_t len;
    struct qkd_rng rng;
    enum random_kind kind;
    uint32_t nodes, links;
    uint32_t end[LINKS][2];
};

static const char *const names[NODES] = {"A", "B", "C", "D", "E", "F", "G", "H"};
static const char *const kinds[RANDOM_KINDS] = {"calm", "lossy", "faulty", "scarce", "crash"};

const char *random_kind_name(enum random_kind kind)
{
    return kinds[kind];
}

static void put(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(w->text + w->len, RANDOM_TEXT - w->len, format, args);
    va_end(args);
    ck_assert(len >= 0 && w->len + (size_t)len < RANDOM_TEXT);
    w->len += (size_t)len;
}

/* Uniform in [low, high]. */
static unsigned between(struct writer *w, unsigned low, unsigned high)
{
    return low + (unsigned)qkd_rng_below(&w->rng, high - low + 1);
}

static bool one_in(struct writer *w, unsigned n)
{
    return qkd_rng_below(&w->rng, n) == 0;
}

static const char *pick(struct writer *w, const char *const *words, unsigned count)
{
    return words[qkd_rng_below(&w->rng, count)];
}

/* ---- topology ---- */

static void join(struct writer *w, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < w->links; i++) {
        if ((w->end[i][0] == a && w->end[i][1] == b) || (w->end[i][0] == b && w->end[i][1] == a)) {
            return;
        }
    }
    bool swap = one_in(w, 2);
    w->end[w->links][0] = swap ? b : a;
    w->end[w->links][1] = swap ? a : b;
    w->links++;
}

/* A line, a ring, or a random tree with a few chords. */
static void topology(struct writer *w)
{
    w->nodes = between(w, 2, NODES);
    unsigned shape = between(w, 0, 2);
    for (uint32_t i = 1; i < w->nodes; i++) {
        join(w, shape == 2 ? (uint32_t)qkd_rng_below(&w->rng, i) : i - 1, i);
    }
    if (shape == 1 && w->nodes > 2) {
        join(w, w->nodes - 1, 0);
    }
    for (unsigned chords = shape == 2 ? between(w, 0, 3) : 0; chords > 0; chords--) {
        uint32_t a = between(w, 0, w->nodes - 1);
        uint32_t b = between(w, 0, w->nodes - 1);
        if (a != b) {
            join(w, a, b);
        }
    }
}

static void put_node(struct writer *w, uint32_t node)
{
    put(w, "    - {id: %s", names[node]);
    if (w->kind != RANDOM_CALM && one_in(w, 2)) {
        put(w, ", clock: {offset: %s%u s, drift: %s%u ppm}", one_in(w, 2) ? "-" : "",
            between(w, 0, 86400), one_in(w, 2) ? "-" : "", between(w, 0, 200));
    }
    put(w, "}\n");
}

static void put_link(struct writer *w, uint32_t link)
{
    unsigned kbps = w->kind == RANDOM_SCARCE ? between(w, 2, 40) : between(w, 200, 600);
    const char *a = names[w->end[link][0]];
    const char *b = names[w->end[link][1]];
    put(w, "    - {id: %s%s, ends: [%s, %s], length: %u km, ", a, b, a, b, between(w, 1, 100));
    put(w, "qkd: {rate: %u kbit/s, block: %u kbit, key_form: %s}}\n", kbps,
        kbps * between(w, 1, 4) / 2, one_in(w, 4) ? "bits" : "seed");
}

static void put_network(struct writer *w)
{
    put(w, "network:\n  nodes:\n");
    for (uint32_t i = 0; i < w->nodes; i++) {
        put_node(w, i);
    }
    put(w, "  links:\n");
    for (uint32_t i = 0; i < w->links; i++) {
        put_link(w, i);
    }
    put(w, "  classical: {management: %s", one_in(w, 3) ? "in-band" : "separate");
    if (w->kind != RANDOM_CALM) {
        unsigned most = w->kind == RANDOM_LOSSY ? 100 : 30; /* in 0.1 % */
        put(w, ", loss: %.1f %%, duplicate: %.1f %%, reorder: %.1f %%, reorder_jitter: %u ms",
            between(w, 0, most) / 10.0, between(w, 0, most) / 10.0, between(w, 0, most) / 10.0,
            between(w, 1, 50));
    }
    put(w, "}\n");
}

static void put_policy(struct writer *w)
{
    static const char *const deployments[] = {"one", "two"};
    static const char *const routings[] = {"widest", "fewest-hops"};
    static const char *const retentions[] = {"delete", "preserve"};
    static const char *const leases[] = {"1 kbit", "4 kbit", "16 kbit"};
    put(w, "key_management: {batch: %u, deployment: %s, retention: %s, lease: %s",
        between(w, 1, 16), pick(w, deployments, 2), pick(w, retentions, 2), pick(w, leases, 3));
    if (w->kind == RANDOM_SCARCE) {
        put(w, ", retries: %u, retransmit: %u ms, expiry: %u s, fetch_within: %u s, timer: %u s",
            between(w, 0, 5), between(w, 50, 400), between(w, 3, 60), between(w, 1, 60),
            between(w, 2, 600));
        put(w, ", store: %u kbit", between(w, 160, 400));
    } else {
        put(w, ", retries: 8, retransmit: %u ms", between(w, 50, 200));
    }
    put(w, "}\ncontrol: {routing: %s, route_validity: %u s, status_period: %u ms, at: %s}\n",
        pick(w, routings, 2), between(w, 0, 10), between(w, 500, 1000),
        names[between(w, 0, w->nodes - 1)]);
    put(w, "management: {at: %s}\n", names[between(w, 0, w->nodes - 1)]);
}

/* ---- load ---- */

static void put_application(struct writer *w, unsigned number, uint32_t from, uint32_t to)
{
    static const char *const levels[] = {"otp-only", "otp-preferred", "any"};
    bool scarce = w->kind == RANDOM_SCARCE;
    put(w, "  - {id: app%u, from: %s, to: %s, key: %u bit, count: %u, ", number, names[from],
        names[to], 64 * between(w, 1, 8), between(w, 1, 5));
    put(w, "arrivals: %s, rate: %.1f /s, level: %s, timeout: %u s, wait: %s, start: %u s}\n",
        one_in(w, 2) ? "poisson" : "periodic", between(w, 2, scarce ? 40 : 20) / 10.0,
        pick(w, levels, 3), scarce ? between(w, 1, 5) : 8, one_in(w, 3) ? "true" : "false",
        scarce ? between(w, 0, 3) : 5);
}

static void put_applications(struct writer *w)
{
    put(w, "applications:\n");
    unsigned count = between(w, 1, 4);
    for (unsigned i = 0; i < count; i++) {
        uint32_t from = between(w, 0, w->nodes - 1);
        uint32_t to = (from + between(w, 1, w->nodes - 1)) % w->nodes;
        put_application(w, 2 * i, from, to);
        if (one_in(w, 3)) {
            put_application(w, 2 * i + 1, to, from); /* the opposite pair */
        }
    }
}

static void put_fault(struct writer *w)
{
    static const char *const link_faults[] = {"both", "quantum", "classical"};
    static const char *const node_faults[] = {"crash", "crash", "down"};
    bool scarce = w->kind == RANDOM_SCARCE;
    unsigned at_ms = between(w, scarce ? 0 : 5000, scarce ? 30000 : 12000);
    unsigned most_ms = scarce ? 6000 : RANDOM_FAULTS_END_S * 1000 - at_ms;
    put(w, "  - {at: %u ms, for: %u ms, ", at_ms, between(w, 1, most_ms));
    if (one_in(w, 2)) {
        uint32_t link = between(w, 0, w->links - 1);
        put(w, "link: %s%s, what: %s}\n", names[w->end[link][0]], names[w->end[link][1]],
            pick(w, link_faults, 3));
    } else {
        put(w, "node: %s, what: %s}\n", names[between(w, 0, w->nodes - 1)],
            pick(w, node_faults, 3));
    }
}

void random_scenario(enum random_kind kind, uint64_t seed, char text[RANDOM_TEXT])
{
    struct writer w = {.text = text, .kind = kind};
    qkd_rng_init_named(&w.rng, seed, kinds[kind], 0);
    text[0] = '\0';
    put(&w, "scenario: %s %" PRIu64 "\nseed: %" PRIu64 "\nduration: %d s\nengine: fast\n",
        kinds[kind], seed, seed, RANDOM_END_S);
    topology(&w);
    put_network(&w);
    put_policy(&w);
    put_applications(&w);
    if (kind == RANDOM_FAULTY || (kind == RANDOM_SCARCE && one_in(&w, 2))) {
        put(&w, "faults:\n");
        for (unsigned i = between(&w, 1, 4); i > 0; i--) {
            put_fault(&w);
        }
    }
    qkd_rng_fini(&w.rng);
}

/* ---- judgement ---- */

/* From when on all is to be served. */
static int64_t served_from_ns(enum random_kind kind, const struct case_run *run)
{
    int64_t last_ns = kind == RANDOM_FAULTY ? RANDOM_FAULTS_END_S * QKD_NS_PER_S : -1;
    for (size_t i = 0; i < run->event_count && kind == RANDOM_CRASH; i++) {
        bool restart = strncmp(run->events[i].text, "restart", 7) == 0;
        last_ns = restart ? run->events[i].time_ns : last_ns;
    }
    return last_ns < 0 ? 0 : last_ns + RANDOM_RECOVERY_S * QKD_NS_PER_S;
}

/* What each kind promises of requests that come when nothing has failed for a while and that had
 * all their patience before the end: they are served. Status reports are not repeated and a question
 * for a route only three times, so by chance all of them are lost: then there rightly is no route for
 * a moment, or no controller. Where a tenth of all frames is lost, one request per run may have lost
 * every repetition of something within its time-out. */
static void judge_service(enum random_kind kind, const struct case_run *run, char *why,
                          size_t why_size)
{
    int64_t from_ns = served_from_ns(kind, run);
    int64_t to_ns = (RANDOM_END_S - 9) * QKD_NS_PER_S;
    unsigned all = 0;
    unsigned unrouted = 0;
    bool excused = false;
    for (size_t i = 0; i < run->request_count && why[0] == '\0'; i++) {
        const struct case_request *r = &run->requests[i];
        if (r->start_ns < from_ns || r->start_ns >= to_ns) {
            continue;
        }
        all++;
        bool blind = kind != RANDOM_CALM &&
                     (strcmp(r->reason, "no_route") == 0 || strcmp(r->reason, "unreachable") == 0);
        unrouted += blind;
        bool unlucky = kind == RANDOM_LOSSY && strcmp(r->outcome, "timed_out") == 0 && !excused;
        excused = excused || unlucky;
        if (!blind && !unlucky && strcmp(r->outcome, "served") != 0) {
            (void)snprintf(why, why_size, "request %" PRIu64 " of %.6f s was not served: %s, %s",
                           r->number, (double)r->start_ns * 1e-9, r->outcome, r->reason);
        }
    }
    if (why[0] == '\0' && unrouted * 10 > all) {
        (void)snprintf(why, why_size, "%u of %u requests found no route or no controller", unrouted,
                       all);
    }
}

const char *random_judge(enum random_kind kind, uint64_t seed, char *why, size_t why_size)
{
    char fault[512];
    char *text = malloc(RANDOM_TEXT);
    ck_assert_ptr_nonnull(text);
    random_scenario(kind, seed, text);
    struct case_options options = {0};
    if (kind == RANDOM_CRASH) {
        struct qkd_rng rng;
        qkd_rng_init_named(&rng, seed, "crash point", 0);
        options.hooks.crash_output = 1 + qkd_rng_below(&rng, 6000);
        options.hooks.crash_for_ns = (int64_t)(1 + qkd_rng_below(&rng, 3000)) * QKD_NS_PER_MS;
        qkd_rng_fini(&rng);
    }
    struct case_run *run = case_run_new(text, &options);
    case_fault(run, fault, sizeof(fault));
    if (fault[0] == '\0' && kind != RANDOM_SCARCE) {
        judge_service(kind, run, fault, sizeof(fault));
    }
    why[0] = '\0';
    if (fault[0] != '\0') {
        (void)snprintf(why, why_size, "%s %" PRIu64 ": %s", kinds[kind], seed, fault);
    }
    case_run_free(run);
    free(text);
    return why;
}
