/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Liveness: what must be so again once nothing fails any more (docs/oracle.md, "Liveness").
 *
 *   faults ... | quiet | recovery | requests are judged | dark: no more key | settled, end
 *                                                         ^ alarms            ^ stores
 */
#include <inttypes.h>
#include <string.h>

#include "core/wire/frame.h"
#include "sim/fuzz_record.h"

#define NEVER INT64_MAX
#define BURST_BITS 1e6        /* of reports in-band: 200 ms on the narrowest channel */
#define BURST_MESSAGES 16     /* that wait at a key manager */
#define NARROWEST_BPS 5000000 /* reports must not hold up answers for a retransmission time */
#define NOISY 0.11            /* QBER at which no key is made */
#define GRACE_NS (QKD_NS_PER_S / 2)
#define FETCH_NS (2 * QKD_NS_PER_S) /* for the slave to have the key that the master has */

enum {
    PERIODS = 4,    /* status periods until all know of one another again */
    TRIES = 16,     /* retransmission times until channels and sessions are made again */
    RICH = 5,       /* the same, so that no request may find too little */
    BLOCKS = 2,     /* blocks until every link has key */
    RANDOM = 8,     /* the same where they come at random */
    TURNS = 4,      /* the longest of a link, by demand, in times of `dwell` */
    PLENTY = 2,     /* key made, over key asked for */
    BURST = 3,      /* sessions at once, over their mean number */
    SETTLED = 3,    /* status periods without change at the end */
    EXCUSED = 4,    /* refusals of a pair when a link's last key goes */
    NODES_MOST = 64 /* of scenarios that are judged */
};

struct live {
    const struct sim_fuzz_record *record;
    const struct scn_scenario *scenario;
    struct sim_fuzz_verdict *verdict;
    int64_t quiet_ns, from_ns; /* nothing fails; all must have come back */
    int64_t dark_ns;           /* a link makes no key any more */
    int64_t end_ns;
    uint64_t need_bps;
    bool rich; /* so much key that chance in the arrivals cannot exhaust a link */
    uint32_t excused[NODES_MOST]; /* refusals, by application */
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A link that stays without light: the network is what is left without it. */
static bool gone(const struct live *l, uint32_t link)
{
    for (size_t i = 0; i < l->scenario->fault_count; i++) {
        const struct scn_fault *fault = &l->scenario->faults[i];
        if (fault->target == SCN_TARGET_LINK && fault->index == link &&
            fault->what == SCN_FAULT_QUANTUM && fault->for_ns == SCN_FOREVER) {
            return true;
        }
    }
    return false;
}

/* ---- when ---- */

/* When the planned faults have ended; those that wait for an output are seen by their crash. NEVER,
 * and why. */
static int64_t faults_end(struct live *l)
{
    int64_t end_ns = 0;
    for (size_t i = 0; i < l->scenario->fault_count; i++) {
        const struct scn_fault *fault = &l->scenario->faults[i];
        bool dark = fault->target == SCN_TARGET_LINK && fault->what == SCN_FAULT_QUANTUM;
        if (fault->output > 0 || fault->what == SCN_FAULT_TORN) {
            continue;
        }
        if (fault->for_ns == SCN_FOREVER && !dark) {
            l->verdict->unjudged = SIM_FUZZ_NO_END;
            return NEVER;
        }
        /* What a key manager does for so long without being heard costs it tags that are never sent. */
        if (fault->what == SCN_FAULT_DISK_FULL &&
            fault->for_ns > l->scenario->control.status_period_ns) {
            l->verdict->unjudged = SIM_FUZZ_DISK_LONG;
            return NEVER;
        }
        int64_t lasts_ns = fault->for_ns == SCN_FOREVER ? 0 : fault->for_ns;
        end_ns = later(end_ns, fault->at_ns + lasts_ns);
    }
    for (size_t i = 0; i < l->scenario->attack_count;
         i++) { /* a flood may cost a few: floods_judge() */
        const struct scn_attack *attack = &l->scenario->attacks[i];
        bool lasts = attack->what == SCN_ATTACK_FLOOD && attack->for_ns != SCN_FOREVER;
        end_ns = lasts ? later(end_ns, attack->at_ns + attack->for_ns) : end_ns;
    }
    return end_ns;
}

/* When those attackers have gone that do more than look and ask. */
static int64_t attacks_end(struct live *l)
{
    int64_t end_ns = 0;
    for (size_t i = 0; i < l->scenario->attack_count; i++) {
        const struct scn_attack *attack = &l->scenario->attacks[i];
        if (!scn_attack_disturbs(attack)) {
            continue;
        }
        if (attack->for_ns == SCN_FOREVER) {
            l->verdict->unjudged = SIM_FUZZ_NO_END;
            return NEVER;
        }
        end_ns = later(end_ns, attack->at_ns + attack->for_ns + attack->delay_ns);
    }
    return end_ns;
}

/* When all nodes that crashed were back. */
static int64_t restarts_end(struct live *l)
{
    int64_t end_ns = 0;
    int64_t down = 0;
    for (size_t i = 0; i < l->record->note_count; i++) {
        const struct sim_fuzz_note *note = &l->record->notes[i];
        if (note->kind != SIM_FUZZ_NOTE_ALARM) {
            down += note->kind == SIM_FUZZ_NOTE_CRASH ? 1 : -1;
            end_ns = later(end_ns, note->time_ns);
        }
    }
    if (down > 0) {
        l->verdict->unjudged = SIM_FUZZ_TOO_LATE;
    }
    return down > 0 ? NEVER : end_ns;
}

/* When the last light that is too noisy for key is quiet again, if it is. */
static int64_t noise_end(const struct live *l)
{
    int64_t end_ns = 0;
    for (uint32_t i = 0; i < l->scenario->link_count; i++) {
        const struct scn_qkd *qkd = &l->scenario->links[i].qkd;
        for (size_t k = 0; qkd->model == SCN_QKD_TRACE && k + 1 < qkd->trace_count; k++) {
            bool noisy = qkd->trace[k].qber >= NOISY;
            end_ns = noisy ? later(end_ns, qkd->trace[k + 1].t_ns) : end_ns;
        }
    }
    return end_ns;
}

static int64_t chance_end(struct live *l)
{
    const struct scn_classical *c = &l->scenario->classical;
    bool chance = c->loss > 0 || c->duplicate > 0 || c->reorder > 0;
    if (!chance) {
        return 0;
    }
    if (c->disturbed_until_ns == SCN_AUTO) {
        l->verdict->unjudged = SIM_FUZZ_NO_END;
        return NEVER;
    }
    return c->disturbed_until_ns + c->reorder_jitter_ns;
}

/* Requests per second while most is asked for; less than 0: not known. */
static double requests_per_s(const struct scn_application *app)
{
    if (app->arrivals == SCN_ARRIVALS_TRACE || app->profile_count > 0) {
        return -1;
    }
    if (app->session.rate_bps == 0) {
        return app->rate_per_s;
    }
    double open = app->rate_per_s * (double)app->session.hold_ns * 1e-9 * BURST;
    return open * (double)app->session.rate_bps / app->key_bits / app->count;
}

/* Key that is asked for from quiet_ns on, in bit/s of every link. */
static uint64_t need_bps(const struct live *l)
{
    double sum = 0;
    for (size_t i = 0; i < l->scenario->application_count; i++) {
        const struct scn_application *app = &l->scenario->applications[i];
        double rate = app->of > 0 ? 0 : requests_per_s(app);
        if (rate < 0) {
            l->verdict->unjudged = SIM_FUZZ_SIZE;
            return UINT64_MAX;
        }
        uint64_t bits = wire_relay_cost_bits(app->key_bits, app->count,
                                             l->scenario->key_management.batch);
        sum += app->stop_ns > l->quiet_ns ? (double)bits * rate * (1 + app->members) : 0;
    }
    return (uint64_t)sum + 1;
}

/* What the links of a switch get of its time, in turns. */
static uint64_t turns(const struct scn_scenario *s, uint32_t link, int64_t *cycle_ns)
{
    uint32_t number = scn_optical_of(s, link, true);
    *cycle_ns = 0;
    if (number == SCN_NO_OPTICAL) {
        return 1;
    }
    const struct scn_optical *optical = scn_optical_at(s, number);
    *cycle_ns = (int64_t)optical->link_count * (optical->dwell_ns + optical->switching_ns);
    return (uint64_t)(*cycle_ns / optical->dwell_ns) + 1;
}

/* How long a link of a switch may wait for its first turn, once all else is well. By demand one that was dark
 * for long is left out for about as long (controller/light_switch.c). */
static int64_t turn_wait_ns(const struct live *l, uint32_t link, int64_t cycle_ns)
{
    uint32_t number = scn_optical_of(l->scenario, link, true);
    bool by_demand = number != SCN_NO_OPTICAL &&
                     scn_optical_at(l->scenario, number)->by == SCN_BY_DEMAND;
    return by_demand ? TURNS * cycle_ns + l->quiet_ns : 2 * cycle_ns;
}

/* The key rate that a link can count on, of the rate that it makes while it is lit. */
static uint64_t made_bps(const struct scn_scenario *s, uint32_t link, uint64_t rate_bps)
{
    int64_t cycle_ns;
    return rate_bps / turns(s, link, &cycle_ns);
}

static uint64_t rate_at(const struct scn_scenario *s, uint32_t link, int64_t t_ns)
{
    const struct scn_qkd *qkd = &s->links[link].qkd;
    uint64_t rate_bps = qkd->model == SCN_QKD_RATE ? qkd->rate_bps : 0;
    for (size_t i = 0; qkd->model == SCN_QKD_TRACE && i < qkd->trace_count; i++) {
        rate_bps = qkd->trace[i].t_ns <= t_ns ? qkd->trace[i].rate_bps : rate_bps;
    }
    return made_bps(s, link, rate_bps);
}

/* When a link first makes less than plenty after t_ns; t_ns if it does so then. */
static int64_t plenty_until(const struct live *l, uint32_t link, int64_t t_ns)
{
    const struct scn_qkd *qkd = &l->scenario->links[link].qkd;
    if (rate_at(l->scenario, link, t_ns) / PLENTY < l->need_bps) {
        return t_ns;
    }
    for (size_t i = 0; qkd->model == SCN_QKD_TRACE && i < qkd->trace_count; i++) {
        uint64_t rate_bps = made_bps(l->scenario, link, qkd->trace[i].rate_bps);
        if (qkd->trace[i].t_ns > t_ns && rate_bps / PLENTY < l->need_bps) {
            return qkd->trace[i].t_ns;
        }
    }
    return NEVER;
}

/* Light may come back later than all else. */
static void light_wait(struct live *l)
{
    for (uint32_t i = 0; i < l->scenario->link_count; i++) {
        const struct scn_qkd *qkd = &l->scenario->links[i].qkd;
        for (size_t k = 0; !gone(l, i) && qkd->model == SCN_QKD_TRACE && k < qkd->trace_count;
             k++) {
            bool poor = rate_at(l->scenario, i, l->quiet_ns) / PLENTY < l->need_bps;
            uint64_t rate_bps = made_bps(l->scenario, i, qkd->trace[k].rate_bps);
            l->quiet_ns = poor && rate_bps / PLENTY >= l->need_bps
                              ? later(l->quiet_ns, qkd->trace[k].t_ns)
                              : l->quiet_ns;
        }
    }
}

/* Whether an exchange is given up sooner than a burst passes: one of reports on a channel, or one of
 * messages at a key manager that takes its time for each. */
static bool hasty(const struct scn_scenario *s)
{
    const struct scn_key_management *km = &s->key_management;
    double patience_s = 0;
    for (uint32_t i = 0; i <= km->retries; i++) {
        patience_s += (double)km->retransmit_ns * 1e-9 * (1U << (i < 3 ? i : 3));
    }
    double burst_s = BURST_BITS / (double)s->classical.bandwidth_bps +
                     BURST_MESSAGES * (double)km->processing_ns * 1e-9;
    return patience_s < burst_s;
}

/* Store of a link that comes back above the low mark, by a quarter, once it was below, whatever lies in
 * it: the last blocks do not fit, and half of the rest may be in pieces or reserved. */
static uint64_t mark_needs(const struct scn_scenario *s, const struct scn_qkd *qkd)
{
    uint64_t mark = s->control.low_mark_bits;
    return mark == 0 ? 0 : 2 * (mark + mark / 4) + BLOCKS * qkd->block_bits;
}

/* Whether a link holds what multicasts take at once, several times: a frame for each slave, of one end, of
 * whose halves of blocks only whole frames are of use. With a forecast, which keeps stores low, what all
 * applications take at once. */
static bool holds_bursts(const struct scn_scenario *s, const struct scn_qkd *qkd,
                         uint64_t store_bits)
{
    uint64_t burst = 0;
    uint64_t longest = 1;
    for (size_t i = 0; i < s->application_count; i++) {
        const struct scn_application *app = &s->applications[i];
        if (app->of == 0 && (app->members > 0 || s->control.forecast_ns > 0)) {
            uint64_t bits = wire_relay_cost_bits(app->key_bits, app->count,
                                                 s->key_management.batch);
            burst += bits * (1 + app->members);
            longest = bits > longest ? bits : longest;
        }
    }
    uint64_t half = qkd->block_bits / 2;
    uint64_t blocks = store_bits / qkd->block_bits;
    uint64_t whole = blocks > BLOCKS ? (blocks - BLOCKS) * 2 * (half / longest) * longest : 0;
    return burst == 0 || whole >= RICH * burst;
}

/* What one link means for the times, and for how rich all are. */
static void link_weigh(struct live *l, uint32_t link, int64_t *block_ns)
{
    const struct scn_scenario *s = l->scenario;
    const struct scn_qkd *qkd = &s->links[link].qkd;
    int64_t cycle_ns;
    uint64_t slower = turns(s, link, &cycle_ns);
    int64_t until_ns = plenty_until(l, link, l->quiet_ns);
    l->dark_ns = until_ns < l->dark_ns ? until_ns : l->dark_ns;
    uint64_t rate_bps = rate_at(s, link, l->quiet_ns) + 1;
    bool random = qkd->blocks == SCN_BLOCKS_POISSON;
    int64_t each_ns = (int64_t)((double)qkd->block_bits * 1e9 / (double)rate_bps);
    /* What it promised of a link the controller counts as spent until it is told anew; what a switch lets
     * wait lives on its store. With a forecast half of that may be kept empty. */
    int64_t without_ns = s->control.status_period_ns + TURNS * cycle_ns;
    double asked = (double)l->need_bps * (double)without_ns * 1e-9;
    uint64_t store_bits = s->links[link].store_bits / (s->control.forecast_ns > 0 ? 2 : 1);
    bool roomy = (double)store_bits >= RICH * asked && store_bits >= mark_needs(s, qkd) &&
                 holds_bursts(s, qkd, store_bits);
    l->rich = l->rich && !random && roomy && rate_bps / RICH >= l->need_bps;
    int64_t wait_ns = slower > 1 ? turn_wait_ns(l, link, cycle_ns) : 0;
    *block_ns = later(*block_ns, (random ? RANDOM : BLOCKS) * each_ns + wait_ns);
}

/* Fills in the times; false: there is nothing to judge, and why. */
static bool times_find(struct live *l)
{
    const struct scn_scenario *s = l->scenario;
    l->quiet_ns = later(later(faults_end(l), restarts_end(l)), later(chance_end(l), noise_end(l)));
    l->quiet_ns = later(l->quiet_ns, attacks_end(l));
    if (l->quiet_ns == NEVER) {
        return false;
    }
    if (s->node_count > NODES_MOST || s->classical.bandwidth_bps < NARROWEST_BPS || hasty(s)) {
        bool many = s->node_count > NODES_MOST;
        l->verdict->unjudged = many ? SIM_FUZZ_SIZE : SIM_FUZZ_CHANNELS;
        return false;
    }
    l->need_bps = need_bps(l);
    if (l->need_bps == UINT64_MAX) {
        return false;
    }
    light_wait(l);
    int64_t block_ns = 0;
    l->rich = true;
    l->dark_ns = l->end_ns;
    for (uint32_t i = 0; i < s->link_count; i++) {
        if (!gone(l, i)) {
            link_weigh(l, i, &block_ns);
        }
    }
    l->from_ns = l->quiet_ns + PERIODS * s->control.status_period_ns +
                 TRIES * s->key_management.retransmit_ns + block_ns + GRACE_NS;
    if (l->from_ns >= l->dark_ns) {
        l->verdict->unjudged = SIM_FUZZ_TOO_LATE;
    }
    return l->from_ns < l->dark_ns;
}

/* ---- requests ---- */

/* Whether links with light join two nodes, also without another node and without their own link; from
 * or to as `without`: nothing is left out. */
static bool joined(const struct live *l, uint32_t from, uint32_t to, uint32_t without)
{
    bool direct = without == from || without == to;
    uint64_t reached = UINT64_C(1) << from;
    for (size_t round = 0; round < l->scenario->node_count; round++) {
        for (uint32_t i = 0; i < l->scenario->link_count; i++) {
            const struct scn_link *link = &l->scenario->links[i];
            uint64_t both = UINT64_C(1) << link->a | UINT64_C(1) << link->b;
            uint64_t ends = UINT64_C(1) << from | UINT64_C(1) << to;
            bool out = link->a == without || link->b == without || both == ends;
            bool leads = !gone(l, i) && (direct || !out);
            reached |= leads && (reached & both) != 0 ? both : 0;
        }
    }
    return (reached >> to & 1) != 0;
}

/* Whether keys of an application can get through: with multipath by two ways without a common node, of
 * which there are two if no node and no link of theirs separates the ends (Menger 1927). More ways are not
 * drawn, and not judged. */
static bool joined_enough(const struct live *l, const struct scn_application *app)
{
    uint32_t paths = scn_paths_of(l->scenario, app);
    bool enough = paths <= 2 && joined(l, app->from, app->to, app->from);
    for (uint32_t node = 0; paths == 2 && node < l->scenario->node_count; node++) {
        bool is_end = node == app->from || node == app->to;
        enough = enough && (is_end || joined(l, app->from, app->to, node));
    }
    return enough;
}

/* The same for all slaves of an application. */
static bool all_joined(const struct live *l, uint32_t application)
{
    const struct scn_application *apps = l->scenario->applications;
    bool all = true;
    for (size_t i = application; i < l->scenario->application_count; i++) {
        all = all &&
              ((i != application && apps[i].of != application + 1) || joined_enough(l, &apps[i]));
    }
    return all;
}

static bool any_gone(const struct live *l)
{
    for (uint32_t i = 0; i < l->scenario->link_count; i++) {
        if (gone(l, i)) {
            return true;
        }
    }
    return false;
}

/* The last key of a link without light is used up at some moment: what is asked until the controller
 * has heard of it may be refused. */
static bool excused(struct live *l, const struct sim_fuzz_request *r)
{
    bool of_session = l->scenario->applications[r->application].session.rate_bps > 0;
    if (of_session && strcmp(r->reason, "no_session") == 0) {
        return true; /* its session is over; sessions are judged below */
    }
    bool short_of_key = strcmp(r->reason, "insufficient_key") == 0 ||
                        (l->scenario->applications[r->application].wait &&
                         strcmp(r->reason, "timeout") == 0);
    bool short_of_ways = strcmp(r->reason, "no_route") == 0 && /* one of them is below the mark */
                         l->scenario->control.low_mark_bits > 0 &&
                         scn_paths_of(l->scenario, &l->scenario->applications[r->application]) > 1;
    if ((short_of_key || short_of_ways) && !l->rich) {
        return true; /* several at once may be more than a link holds */
    }
    return strcmp(r->reason, "insufficient_key") == 0 && any_gone(l) &&
           l->excused[r->application % NODES_MOST]++ < EXCUSED;
}

/* All that is asked in time is served in its time, and reaches the slave. */
static void requests_live(struct live *l)
{
    for (size_t i = 0; i < l->record->request_count; i++) {
        const struct sim_fuzz_request *r = &l->record->requests[i];
        const struct scn_application *app = &l->scenario->applications[r->application];
        if (r->start_ns < l->from_ns || r->start_ns >= l->dark_ns ||
            r->start_ns + app->timeout_ns + FETCH_NS > l->end_ns ||
            !all_joined(l, r->application) || excused(l, r) ||
            sim_fuzz_denied(l->scenario, r->application)) {
            continue;
        }
        if ((app->max_bps > 0 || l->scenario->security.requests > 0) &&
            strcmp(r->reason, "over_rate") == 0) {
            continue;
        }
        bool is_less = strcmp(r->reason, "over_share") == 0 ||
                       (app->wait && strcmp(r->reason, "timeout") == 0);
        if (l->scenario->class_count > 0 && is_less) {
            continue; /* more important ones save key first */
        }
        l->verdict->live_checks++;
        if (strcmp(r->outcome, "served") != 0) {
            sim_fuzz_fail(l->verdict, SIM_FUZZ_LIVENESS,
                          "not served: request %" PRIu64 " of %s at %.6f s, %.3f s after the last "
                          "fault: %s, %s",
                          r->number, app->id, (double)r->start_ns * 1e-9,
                          (double)(r->start_ns - l->quiet_ns) * 1e-9, r->outcome, r->reason);
        } else if (r->fetched_ns == SCN_NO_TIME) {
            sim_fuzz_fail(l->verdict, SIM_FUZZ_LIVENESS,
                          "not fetched: request %" PRIu64 " of %s at %.6f s: the slave did not get "
                          "its keys",
                          r->number, app->id, (double)r->start_ns * 1e-9);
        }
    }
}

/* Who asks for a session in time is admitted, or there is no capacity; and it is not broken. What the
 * controller knew of capacity may be older: it learns of light that came back from the modules. */
static void sessions_live(struct live *l)
{
    for (size_t i = 0; i < l->record->session_count; i++) {
        const struct sim_fuzz_session *r = &l->record->sessions[i];
        const struct scn_application *app = &l->scenario->applications[r->application];
        if (r->start_ns < l->from_ns || r->start_ns + app->timeout_ns >= l->dark_ns ||
            !joined_enough(l, app) || sim_fuzz_denied(l->scenario, r->application)) {
            continue;
        }
        l->verdict->live_checks++;
        bool full = strcmp(r->outcome, "refused") == 0 && strcmp(r->reason, "no_capacity") == 0;
        bool good = full || strcmp(r->outcome, "closed") == 0 || strcmp(r->outcome, "open") == 0;
        if (!good) {
            sim_fuzz_fail(l->verdict, SIM_FUZZ_LIVENESS,
                          "session: %" PRIu64
                          " of %s at %.6f s, %.3f s after the last fault: %s, %s",
                          r->number, app->id, (double)r->start_ns * 1e-9,
                          (double)(r->start_ns - l->quiet_ns) * 1e-9, r->outcome, r->reason);
        }
    }
}

/* ---- alarms ---- */

/* A store that is full, at one end, stops the source, and the module at the other end misses blocks. */
static bool full(const struct live *l, uint32_t link)
{
    const struct scn_link *given = &l->scenario->links[link];
    const struct sim_fuzz_pool *ends = &l->record->pools[2 * (size_t)link];
    uint64_t most_bits = ends[0].most_bits > ends[1].most_bits ? ends[0].most_bits
                                                               : ends[1].most_bits;
    return most_bits + BLOCKS * given->qkd.block_bits > given->store_bits;
}

/* Alarms of events clear themselves after a minute of quiet: they are not judged. */
static bool alarm_judged(const struct live *l, const struct sim_fuzz_note *note)
{
    static const char *const states[] = {"link_down",       "pool_low",     "no_key",
                                         "module_down",     "qber_high",    "optical_down",
                                         "controller_lost", "manager_lost", "store_limit"};
    bool of_link = note->object < l->scenario->link_count;
    bool of_gone = of_link && gone(l, (uint32_t)note->object);
    bool of_full = of_link && strcmp(note->fault, "no_key") == 0 && full(l, (uint32_t)note->object);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(note->fault, states[i]) == 0) {
            bool by_link = i < 6;
            bool by_load = strcmp(note->fault, "pool_low") == 0 && !l->rich;
            return !by_load && (!by_link || (!of_gone && !of_full));
        }
    }
    return false;
}

/* Alarms for want of key: load raises them, and only light clears them. */
static bool alarm_of_key(const struct sim_fuzz_note *note)
{
    return strcmp(note->fault, "no_key") == 0 || strcmp(note->fault, "pool_low") == 0;
}

/* Whether the manager alone crashes after this. */
static bool manager_crashes(const struct live *l, int64_t after_ns)
{
    for (size_t i = 0; i < l->scenario->fault_count; i++) {
        const struct scn_fault *fault = &l->scenario->faults[i];
        if (fault->element == SCN_ELEMENT_MANAGER && fault->at_ns >= after_ns) {
            return true;
        }
    }
    return false;
}

/* Whether an alarm was cleared after it was raised, or forgotten by a manager that crashed. A report
 * may wait for one that is lost, so they have until the end. */
static bool alarm_over(const struct live *l, size_t raised)
{
    const struct sim_fuzz_note *alarm = &l->record->notes[raised];
    if (manager_crashes(l, alarm->time_ns)) {
        return true;
    }
    for (size_t i = raised + 1; i < l->record->note_count; i++) {
        const struct sim_fuzz_note *note = &l->record->notes[i];
        if (note->kind == SIM_FUZZ_NOTE_CRASH && note->node == l->scenario->management.at) {
            return true;
        }
        if (note->kind == SIM_FUZZ_NOTE_ALARM && !note->raised && note->at.v == alarm->at.v &&
            note->object == alarm->object && strcmp(note->fault, alarm->fault) == 0) {
            return true;
        }
    }
    return false;
}

/* What was raised before all came back is cleared. */
static void alarms_live(struct live *l)
{
    for (size_t i = 0; i < l->record->note_count; i++) {
        const struct sim_fuzz_note *note = &l->record->notes[i];
        if (note->kind != SIM_FUZZ_NOTE_ALARM || !note->raised ||
            note->time_ns >= (alarm_of_key(note) ? l->quiet_ns : l->from_ns) ||
            !alarm_judged(l, note)) {
            continue;
        }
        l->verdict->live_checks++;
        if (!alarm_over(l, i)) {
            uint32_t node = qkd_eid_node(note->at);
            sim_fuzz_fail(l->verdict, SIM_FUZZ_LIVENESS,
                          "alarm stands: %s, raised by the %s of %s (object %" PRIu64 ") at %.6f s",
                          note->fault, qkd_role_name(qkd_eid_role(note->at)),
                          node < l->scenario->node_count ? l->scenario->nodes[node].id : "?",
                          note->object, (double)note->time_ns * 1e-9);
        }
    }
}

/* ---- links and stores ---- */

/* No light, no request and no change for a while: both ends must tell the same of their key. */
static bool settled(const struct live *l, const struct sim_fuzz_pool *pool)
{
    int64_t period_ns = l->scenario->control.status_period_ns;
    const struct scn_pool_sample *now = &pool->last[0];
    const struct scn_pool_sample *before = &pool->last[1];
    return pool->count > 1 && before->time_ns > l->dark_ns &&
           now->time_ns > l->end_ns - SETTLED * period_ns && now->own_bits == before->own_bits &&
           now->peer_bits == before->peer_bits;
}

/* A link that stays dark after one of its key managers lost its store: no tag is left to say so. */
static bool mute(const struct live *l, uint32_t link)
{
    bool lost = false;
    for (size_t i = 0; i < l->scenario->fault_count; i++) {
        const struct scn_fault *fault = &l->scenario->faults[i];
        lost = lost || (fault->what == SCN_FAULT_STORE_LOST &&
                        (fault->index == l->scenario->links[link].a ||
                         fault->index == l->scenario->links[link].b));
    }
    for (size_t i = 0; i < l->scenario->attack_count; i++) {
        const struct scn_attack *attack = &l->scenario->attacks[i];
        lost = lost || attack->class == SCN_CAPABILITY_X; /* wherever */
    }
    return lost && gone(l, link);
}

static void links_live(struct live *l)
{
    for (uint32_t i = 0; i < l->scenario->link_count; i++) {
        const char *id = l->scenario->links[i].id;
        const struct sim_fuzz_pool *ends = &l->record->pools[2 * (size_t)i];
        const struct scn_pool_sample *a = &ends[0].last[0];
        const struct scn_pool_sample *b = &ends[1].last[0];
        l->verdict->live_checks++;
        if (!l->record->summary.links[i].up_end) {
            sim_fuzz_fail(l->verdict, SIM_FUZZ_LIVENESS, "link down: %s does not come back", id);
        }
        if (!settled(l, &ends[0]) || !settled(l, &ends[1]) || mute(l, i)) {
            continue;
        }
        l->verdict->live_checks++;
        if (a->own_bits != b->peer_bits || a->peer_bits != b->own_bits) {
            sim_fuzz_fail(l->verdict, SIM_FUZZ_LIVENESS,
                          "stores differ: link %s: %" PRIu64 " and %" PRIu64 " free bits at %s, "
                          "%" PRIu64 " and %" PRIu64 " at %s",
                          id, a->own_bits, a->peer_bits, l->scenario->nodes[a->node].id,
                          b->peer_bits, b->own_bits, l->scenario->nodes[b->node].id);
        }
    }
}

void sim_fuzz_live(const struct sim_fuzz_record *record, struct sim_fuzz_verdict *verdict)
{
    struct live l = {.record = record,
                     .scenario = record->scenario,
                     .verdict = verdict,
                     .end_ns = (int64_t)(record->summary.sim_s * 1e9)};
    if (times_find(&l)) {
        requests_live(&l);
        sessions_live(&l);
        alarms_live(&l);
        links_live(&l);
    }
}

const char *sim_fuzz_unjudged_text(enum sim_fuzz_unjudged why)
{
    static const char *const texts[SIM_FUZZ_UNJUDGED] = {
        [SIM_FUZZ_JUDGED] = "judged",
        [SIM_FUZZ_NO_END] = "faults without end",
        [SIM_FUZZ_DISK_LONG] = "a disk full for too long",
        [SIM_FUZZ_TOO_LATE] = "no time left after the last fault",
        [SIM_FUZZ_CHANNELS] = "slow channels",
        [SIM_FUZZ_SIZE] = "size or arrivals"};
    return texts[why];
}
