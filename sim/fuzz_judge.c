/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a scenario and judges its safety: no violation of a rule, ledgers that add up, requests that
 * end with an outcome and a reason. What must come back is in fuzz_live.c. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "sim/fuzz_record.h"
#include "sim/world.h"

enum {
    NOTICED = 16,      /* so many forged messages cannot all be lost */
    FLOOD_TOLD = 1000, /* messages of a flood that somebody must be told of */
    FLOOD_SERVED = 95  /* percent of honest requests while there is one */
};

#define ANSWER_NS (3 * QKD_NS_PER_S) /* for the answer to come after a request's time-out */

void sim_fuzz_fail(struct sim_fuzz_verdict *verdict, enum sim_fuzz_phase phase, const char *format,
                   ...)
{
    if (verdict->phase != SIM_FUZZ_GOOD) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(verdict->why, sizeof(verdict->why), format, args);
    va_end(args);
    verdict->phase = phase;
}

/* ---- what the run tells ---- */

/* Room for one more; NULL without memory. */
static void *more(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return items;
    }
    *cap = *cap == 0 ? 64 : 2 * *cap;
    return realloc(items, *cap * size);
}

static void on_request(void *ctx, const struct scn_request *request)
{
    struct sim_fuzz_record *r = ctx;
    void *grown = more(r->requests, r->request_count, &r->request_cap, sizeof(*r->requests));
    if (grown == NULL) {
        r->no_memory = true;
        return;
    }
    r->requests = grown;
    r->requests[r->request_count++] =
        (struct sim_fuzz_request){.number = request->number,
                                  .application = request->application,
                                  .start_ns = request->start_ns,
                                  .end_ns = request->end_ns,
                                  .fetched_ns = request->fetched_ns,
                                  .outcome = request->outcome,
                                  .reason = request->reason,
                                  .keys_asked = request->keys_asked,
                                  .keys_supplied = request->keys_supplied};
}

static void on_session(void *ctx, const struct scn_session_record *session)
{
    struct sim_fuzz_record *r = ctx;
    void *grown = more(r->sessions, r->session_count, &r->session_cap, sizeof(*r->sessions));
    if (grown == NULL) {
        r->no_memory = true;
        return;
    }
    r->sessions = grown;
    r->sessions[r->session_count++] = (struct sim_fuzz_session){.number = session->number,
                                                                .application = session->application,
                                                                .start_ns = session->start_ns,
                                                                .outcome = session->outcome,
                                                                .reason = session->reason};
}

static void note_add(struct sim_fuzz_record *r, const struct sim_fuzz_note *note)
{
    void *grown = more(r->notes, r->note_count, &r->note_cap, sizeof(*r->notes));
    if (grown == NULL) {
        r->no_memory = true;
        return;
    }
    r->notes = grown;
    r->notes[r->note_count++] = *note;
}

static void on_event(void *ctx, const struct scn_event *event)
{
    struct sim_fuzz_record *r = ctx;
    bool crash = strcmp(event->kind, "crash") == 0;
    struct sim_fuzz_note note = {.time_ns = event->time_ns,
                                 .kind = crash ? SIM_FUZZ_NOTE_CRASH : SIM_FUZZ_NOTE_RESTART};
    if (!crash && strcmp(event->kind, "restart") != 0) {
        return;
    }
    const char *id = event->entity + strlen("node ");
    while (note.node < r->scenario->node_count &&
           strcmp(r->scenario->nodes[note.node].id, id) != 0) {
        note.node++;
    }
    note_add(r, &note);
}

static void on_alarm(void *ctx, const struct scn_alarm *alarm)
{
    note_add(ctx, &(struct sim_fuzz_note){.time_ns = alarm->time_ns,
                                          .kind = SIM_FUZZ_NOTE_ALARM,
                                          .at = alarm->at,
                                          .fault = alarm->fault,
                                          .object = alarm->object,
                                          .raised = alarm->raised});
}

static void on_pool(void *ctx, const struct scn_pool_sample *sample)
{
    struct sim_fuzz_record *r = ctx;
    if (sample->link < r->scenario->link_count) {
        bool second = sample->node == r->scenario->links[sample->link].b;
        struct sim_fuzz_pool *pool = &r->pools[2 * sample->link + second];
        pool->last[1] = pool->last[0];
        pool->last[0] = *sample;
        pool->count++;
        pool->most_bits = sample->stored_bits > pool->most_bits ? sample->stored_bits
                                                                : pool->most_bits;
    }
}

/* ---- safety ---- */

static uint64_t link_found(const struct scn_bits *bits)
{
    return bits->stored + bits->pads + bits->tags + bits->hash_keys + bits->fallback_keys +
           bits->postproc_auth + bits->relayed_as_key + bits->expired + bits->discarded +
           bits->in_flight;
}

static void ledgers_judge(const struct scn_scenario *scenario, const struct scn_summary *summary,
                          struct sim_fuzz_verdict *verdict)
{
    for (size_t i = 0; i < summary->link_count; i++) {
        const struct scn_bits *bits = &summary->links[i].bits;
        if (bits->generated + bits->bootstrap != link_found(bits)) {
            sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                          "rule 6: link ledger of %s: %" PRIu64 " bits made, %" PRIu64 " found",
                          scenario->links[i].id, bits->generated + bits->bootstrap,
                          link_found(bits));
        }
        if (bits->bootstrap != scenario->key_management.bootstrap_bits) {
            sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY, "rule 6: bootstrap of %s is not in the ledger",
                          scenario->links[i].id);
        }
    }
    const struct scn_keys *keys = &summary->keys;
    uint64_t found = keys->supplied + keys->pooled + keys->expired + keys->discarded +
                     keys->in_flight;
    if (keys->drawn + keys->relayed_as_key != found) {
        sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                      "rule 6: end-to-end ledger: %" PRIu64 " bits made, %" PRIu64 " found",
                      keys->drawn + keys->relayed_as_key, found);
    }
}

/* With all measures on no attacker has what it must not, and one who changes much is noticed. */
static void attacks_judge(const struct scn_scenario *scenario, const struct scn_summary *summary,
                          struct sim_fuzz_verdict *verdict)
{
    for (size_t i = 0; i < summary->attack_count; i++) {
        const struct scn_attack *attack = &scenario->attacks[i];
        const struct scn_attack_summary *a = &summary->attacks[i];
        bool knows = attack->class != SCN_CAPABILITY_Q && a->leaked_bits > 0;
        bool alters = attack->what == SCN_ATTACK_FLIP || attack->what == SCN_ATTACK_FORGE;
        if (knows || a->accepted > 0) {
            sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                          "security: %s knows %" PRIu64 " bits, had %" PRIu64 " forgeries accepted",
                          attack->id, a->leaked_bits, a->accepted);
        }
        if (alters && a->rejected >= NOTICED && isnan(a->detect_s)) {
            sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                          "security: nobody notices that %s forged %" PRIu64 " messages",
                          attack->id, a->forged);
        }
    }
}

/* A flood that is no larger than what elements are made for: no processor is full, somebody is told, and honest
 * applications lose at most 5 % of their requests. */
static void floods_judge(const struct scn_scenario *scenario, const struct scn_summary *summary,
                         struct sim_fuzz_verdict *verdict)
{
    uint64_t total = summary->requests.total, served = summary->requests.served;
    bool floods = false;
    for (size_t i = 0; i < summary->attack_count; i++) {
        const struct scn_attack *attack = &scenario->attacks[i];
        const struct scn_attack_summary *a = &summary->attacks[i];
        bool is_bad = attack->flood == SCN_FLOOD_JUNK || attack->flood == SCN_FLOOD_FORGED;
        if (attack->what != SCN_ATTACK_FLOOD) {
            continue;
        }
        floods = true;
        if (a->backlog >= scenario->security.backlog) {
            sim_fuzz_fail(verdict, SIM_FUZZ_LIVENESS, "flood: a processor has no room left");
        }
        if (is_bad && a->sent >= FLOOD_TOLD && isnan(a->alarm_s)) {
            sim_fuzz_fail(verdict, SIM_FUZZ_LIVENESS, "flood: nobody is told of %s", attack->id);
        }
        if (attack->flood == SCN_FLOOD_REQUESTS) {
            uint32_t which = attack->application != UINT32_MAX ? attack->application
                                                               : scn_attack_flooder(scenario);
            total -= summary->applications[which].requests.total;
            served -= summary->applications[which].requests.served;
        }
    }
    if (floods && served * 100 < total * FLOOD_SERVED) {
        sim_fuzz_fail(verdict, SIM_FUZZ_LIVENESS,
                      "flood: %" PRIu64 " of %" PRIu64 " honest requests are served", served,
                      total);
    }
}

void sim_fuzz_summary_judge(const struct scn_scenario *scenario, const struct scn_summary *summary,
                            struct sim_fuzz_verdict *verdict)
{
    if (summary->oracle.violations > 0) {
        sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY, "%s (event %" PRIu64 ", %.9f s)",
                      summary->oracle.first, summary->oracle.first_event, summary->sim_s);
        return;
    }
    if (summary->oracle.checks == 0 || summary->mismatched_pairs != 0 ||
        summary->security.forgeries_accepted != 0 || summary->security.leaked_bits != 0) {
        sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                      "summary: checks %" PRIu64 ", mismatched pairs %" PRIu64,
                      summary->oracle.checks, summary->mismatched_pairs);
    }
    attacks_judge(scenario, summary, verdict);
    floods_judge(scenario, summary, verdict);
    ledgers_judge(scenario, summary, verdict);
}

static bool side_fits(const struct scn_scenario *scenario, const struct scn_access_side *side,
                      uint32_t node)
{
    const struct scn_node *n = &scenario->nodes[node];
    return (side->node == UINT32_MAX || side->node == node) &&
           (side->operator_id[0] == '\0' || strcmp(side->operator_id, n->operator_id) == 0) &&
           (side->community[0] == '\0' || strcmp(side->community, n->community) == 0) &&
           ((int)side->role < 0 || side->role == n->role);
}

static bool pair_denied(const struct scn_scenario *scenario, uint32_t application, uint32_t from,
                        uint32_t to)
{
    for (size_t i = 0; i < scenario->access_count; i++) {
        const struct scn_access *rule = &scenario->access[i];
        if ((rule->application == UINT32_MAX || rule->application == application) &&
            side_fits(scenario, &rule->from, from) && side_fits(scenario, &rule->to, to)) {
            return rule->verb == SCN_DENY;
        }
    }
    return false;
}

bool sim_fuzz_denied(const struct scn_scenario *scenario, uint32_t application)
{
    bool denied = false;
    const struct scn_application *apps = scenario->applications;
    for (size_t i = application; i < scenario->application_count; i++) {
        if (i == application || apps[i].of == application + 1) { /* all slaves of a key or none */
            denied = denied ||
                     pair_denied(scenario, application, apps[application].from, apps[i].to);
        }
    }
    return denied;
}

/* Who is denied gets no key, and nobody else is told so. */
static void access_judge(const struct sim_fuzz_record *record, const struct sim_fuzz_request *r,
                         struct sim_fuzz_verdict *verdict)
{
    bool denied = sim_fuzz_denied(record->scenario, r->application);
    bool told = strcmp(r->reason, "access_denied") == 0 ||
                (strcmp(r->reason, "over_share") == 0 && record->scenario->class_count == 0) ||
                (strcmp(r->reason, "over_rate") == 0 && record->scenario->security.requests == 0 &&
                 record->scenario->applications[r->application].max_bps == 0);
    if (denied ? r->keys_supplied > 0 || r->fetched_ns != SCN_NO_TIME : told) {
        sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                      "access: request %" PRIu64 " of %.6f s of a pair that is %s: %s, %s",
                      r->number, (double)r->start_ns * 1e-9, denied ? "denied" : "allowed",
                      r->outcome, r->reason);
    }
}

/* Whether an attacker may take answers of a KSA from an application: their keys are lost. */
static bool answers_lost(const struct scn_scenario *scenario)
{
    for (size_t i = 0; i < scenario->attack_count; i++) {
        const struct scn_attack *attack = &scenario->attacks[i];
        bool at_ak = attack->surface == SCN_SURFACE_A1 || attack->surface == SCN_SURFACE_KSA;
        if (at_ak && scn_attack_disturbs(attack)) {
            return true;
        }
    }
    return false;
}

static bool request_good(const struct scn_scenario *scenario, const struct scn_request *request)
{
    if (strcmp(request->outcome, "served") == 0) {
        bool all = request->keys_supplied == request->keys_asked;
        return strcmp(request->reason, "none") == 0 && request->end_ns != SCN_NO_TIME &&
               (all || (request->keys_supplied < request->keys_asked && answers_lost(scenario)));
    }
    if (strcmp(request->outcome, "pending") == 0) {
        return request->end_ns == SCN_NO_TIME;
    }
    return strcmp(request->reason, "none") != 0 && strcmp(request->reason, "?") != 0 &&
           request->end_ns >= request->start_ns;
}

void sim_fuzz_request_judge(const struct scn_scenario *scenario, const struct scn_request *request,
                            int64_t end_ns, struct sim_fuzz_verdict *verdict)
{
    int64_t patience_ns = scenario->applications[request->application].timeout_ns;
    bool open = strcmp(request->outcome, "pending") == 0 &&
                request->start_ns + patience_ns + ANSWER_NS <= end_ns;
    if (open || !request_good(scenario, request)) {
        sim_fuzz_fail(verdict, SIM_FUZZ_SAFETY,
                      "request end: request %" PRIu64 " of %.6f s: %s, %s, %" PRIu32 " of %" PRIu32
                      " keys",
                      request->number, (double)request->start_ns * 1e-9, request->outcome,
                      request->reason, request->keys_supplied, request->keys_asked);
    }
}

static void requests_judge(const struct sim_fuzz_record *record, struct sim_fuzz_verdict *verdict)
{
    int64_t end_ns = (int64_t)(record->summary.sim_s * 1e9);
    for (size_t i = 0; i < record->request_count; i++) {
        const struct sim_fuzz_request *r = &record->requests[i];
        sim_fuzz_request_judge(record->scenario,
                               &(struct scn_request){.number = r->number,
                                                     .application = r->application,
                                                     .start_ns = r->start_ns,
                                                     .end_ns = r->end_ns,
                                                     .outcome = r->outcome,
                                                     .reason = r->reason,
                                                     .keys_asked = r->keys_asked,
                                                     .keys_supplied = r->keys_supplied},
                               end_ns, verdict);
        access_judge(record, r, verdict);
        verdict->served += strcmp(r->outcome, "served") == 0;
    }
    verdict->requests = record->request_count;
}

/* ---- runs ---- */

static void judge(const struct sim_fuzz_record *record, struct sim_fuzz_verdict *verdict)
{
    const struct scn_summary *summary = &record->summary;
    verdict->checks = summary->oracle.checks;
    verdict->messages = summary->messages;
    verdict->sim_s = summary->sim_s;
    for (size_t i = 0; i < record->note_count; i++) {
        verdict->crashes += record->notes[i].kind == SIM_FUZZ_NOTE_CRASH;
    }
    if (record->no_memory || summary->interrupted) {
        sim_fuzz_fail(verdict, SIM_FUZZ_ERROR, "%s",
                      summary->interrupted ? "interrupted" : "no memory");
        return;
    }
    sim_fuzz_summary_judge(record->scenario, summary, verdict);
    if (summary->oracle.violations == 0) {
        requests_judge(record, verdict);
        sim_fuzz_live(record, verdict);
    }
}

static void run(struct sim_fuzz_record *record, const struct sim_options *options,
                struct sim_fuzz_verdict *verdict)
{
    struct sim_world *world = NULL;
    int rc = sim_world_new(record->scenario, options, &record->summary, &world);
    rc = rc == 0 ? sim_world_run(world) : rc;
    if (rc != 0) {
        sim_fuzz_fail(verdict, SIM_FUZZ_ERROR, "error: %s", options->why);
    } else {
        verdict->torn = world->torn;
        verdict->refused = world->refused;
        judge(record, verdict);
    }
    sim_world_free(world);
}

void sim_fuzz_judge(const struct scn_scenario *scenario, const volatile sig_atomic_t *interrupt,
                    struct sim_fuzz_verdict *verdict)
{
    char why[256] = "";
    struct sim_fuzz_record record = {.scenario = scenario};
    struct scn_sink sink = {.ctx = &record,
                            .request = on_request,
                            .session = on_session,
                            .pool = on_pool,
                            .event = on_event,
                            .alarm = on_alarm};
    struct sim_options options = {.has_engine = true,
                                  .engine = SCN_ENGINE_FAST,
                                  .sink = &sink,
                                  .interrupt = interrupt,
                                  .why = why,
                                  .why_size = sizeof(why)};
    *verdict = (struct sim_fuzz_verdict){.phase = SIM_FUZZ_GOOD};
    record.pools = calloc(2 * scenario->link_count + 1, sizeof(*record.pools));
    if (record.pools == NULL || scn_summary_init(&record.summary, scenario) != 0) {
        sim_fuzz_fail(verdict, SIM_FUZZ_ERROR, "no memory");
    } else {
        run(&record, &options, verdict);
    }
    scn_summary_fini(&record.summary);
    free(record.pools);
    free(record.requests);
    free(record.notes);
    free(record.sessions);
}

void sim_fuzz_judge_text(const char *text, const volatile sig_atomic_t *interrupt,
                         struct sim_fuzz_verdict *verdict)
{
    struct scn_text from = {.name = "fuzz", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    *verdict = (struct sim_fuzz_verdict){.phase = SIM_FUZZ_GOOD};
    if (scn_load_text(&from, NULL, &scenario, &errors) == 0) {
        sim_fuzz_judge(scenario, interrupt, verdict);
    } else {
        sim_fuzz_fail(verdict, SIM_FUZZ_ERROR, "does not load: %s",
                      errors.count > 0 ? errors.lines[0] : "no memory");
    }
    scn_errors_fini(&errors);
    scn_free(scenario);
}
