/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The summary as a table for people: what was asked, what was served, why not, and where key was
 * short. Long lists of links and applications are cut to those that matter most. */
#include "analysis/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/events.h"
#include "analysis/text.h"

#define MOST_ROWS 12

static void print_count_line(FILE *out, const char *name, uint64_t count, uint64_t total)
{
    if (count > 0) {
        fprintf(out, "    %-20s %12" PRIu64 "  %5.1f %%\n", name, count,
                100.0 * (double)count / (double)total);
    }
}

static void print_requests(const struct scn_summary *summary, FILE *out)
{
    const struct scn_requests *r = &summary->requests;
    char fraction[32] = "-";
    if (r->total > 0) {
        snprintf(fraction, sizeof fraction, "%.2f %%", 100.0 * scn_served_fraction(r));
    }
    fprintf(out, "\nRequests %" PRIu64 ", served %s\n", r->total, fraction);
    print_count_line(out, "served", r->served, r->total);
    print_count_line(out, "refused", r->refused, r->total);
    print_count_line(out, "timed out", r->timed_out, r->total);
    print_count_line(out, "failed", r->failed, r->total);
    print_count_line(out, "pending at the end", r->pending, r->total);
    bool headed = false;
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (summary->reasons[i].count > 0 && strcmp(summary->reasons[i].text, "none") != 0) {
            fputs(headed ? "" : "  because of\n", out);
            headed = true;
            print_count_line(out, summary->reasons[i].text, summary->reasons[i].count, r->total);
        }
    }
}

/* Nothing where no session was asked for. */
static void print_sessions(const struct scn_summary *summary, FILE *out)
{
    const struct scn_sessions *s = &summary->sessions;
    if (s->offered == 0) {
        return;
    }
    fprintf(out, "\nSessions %" PRIu64 ", admitted %.2f %%\n", s->offered,
            100.0 * (double)s->admitted / (double)s->offered);
    print_count_line(out, "closed", s->closed, s->offered);
    print_count_line(out, "open", s->open, s->offered);
    print_count_line(out, "refused", s->refused, s->offered);
    print_count_line(out, "broken", s->broken, s->offered);
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (summary->session_reasons[i] > 0) {
            fprintf(out, "        %-20s %10" PRIu64 "\n", summary->reasons[i].text,
                    summary->session_reasons[i]);
        }
    }
}

static void print_spread(FILE *out, const char *name, const struct scn_spread *spread)
{
    char mean[ANA_TEXT_SIZE], p50[ANA_TEXT_SIZE], p95[ANA_TEXT_SIZE], max[ANA_TEXT_SIZE];
    if (spread->count > 0) {
        fprintf(out, "    %-20s mean %s, median %s, 95 %% %s, most %s\n", name,
                ana_seconds_text(spread->mean, mean), ana_seconds_text(spread->p50, p50),
                ana_seconds_text(spread->p95, p95), ana_seconds_text(spread->max, max));
    }
}

static void print_service(const struct scn_summary *summary, FILE *out)
{
    char text[ANA_TEXT_SIZE];
    fprintf(out, "\nKey supplied %s", ana_bits_text((double)summary->supplied_bits, text));
    if (summary->security.leaked_bits > 0) {
        fprintf(out, ", of it %s known to compromised nodes",
                ana_bits_text((double)summary->security.leaked_bits, text));
    }
    if (summary->supplied_aes_bits > 0) {
        fprintf(out, ", of it %s over AES-256 hops",
                ana_bits_text((double)summary->supplied_aes_bits, text));
    }
    fputs("\n", out);
    print_spread(out, "master has it", &summary->latency);
    print_spread(out, "slave has it too", &summary->fetch_latency);
    if (!isnan(summary->relay.hops_mean)) {
        fprintf(out,
                "    %-20s %.2f hops, %" PRIu64 " frames, %" PRIu64 " again, %" PRIu64
                " reroutes\n",
                "relay", summary->relay.hops_mean, summary->relay.frames,
                summary->relay.retransmissions, summary->relay.reroutes);
    }
}

/* ---- lists ---- */

/* A row to print: index in the scenario and how much it matters (more is first). */
struct row {
    size_t index;
    double weight;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    if (x->weight != y->weight) {
        return x->weight > y->weight ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

static int compare_index(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* The MOST_ROWS heaviest rows, in the order of the scenario. Returns how many there are. */
static size_t rows_choose(struct row *rows, size_t count)
{
    size_t shown = count < MOST_ROWS ? count : MOST_ROWS;
    qsort(rows, count, sizeof *rows, compare_rows);
    qsort(rows, shown, sizeof *rows, compare_index);
    return shown;
}

static void print_link(const struct scn_scenario *scenario, const struct scn_summary *summary,
                       size_t i, FILE *out)
{
    const struct scn_link *link = &scenario->links[i];
    const struct scn_link_summary *s = &summary->links[i];
    char ends[2 * SCN_ID_SIZE + 4], rate[ANA_TEXT_SIZE], used[ANA_TEXT_SIZE], least[ANA_TEXT_SIZE],
        end[ANA_TEXT_SIZE];
    snprintf(ends, sizeof ends, "%s-%s", scenario->nodes[link->a].id, scenario->nodes[link->b].id);
    double pads = (double)(s->bits.pads + s->bits.tags + s->bits.relayed_as_key);
    fprintf(out, "    %-14.14s %-18.18s %13s %11s %11s %11s %8" PRIu64 "%s\n", link->id, ends,
            ana_rate_text((double)s->rate_bps, rate), ana_bits_text(pads, used),
            ana_bits_text((double)s->pool_min_bits, least),
            ana_bits_text((double)s->pool_end_bits, end), s->exhaustions,
            s->up_end ? "" : "  down");
}

static void print_links(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        struct row *rows, FILE *out)
{
    for (size_t i = 0; i < summary->link_count; i++) {
        const struct scn_link_summary *s = &summary->links[i];
        double made = (double)(s->bits.generated + s->bits.bootstrap) + 1;
        double emptiness = 1.0 - (double)s->pool_end_bits / made;
        rows[i] = (struct row){i, (double)s->exhaustions + emptiness + (s->up_end ? 0 : 1e18)};
    }
    size_t shown = rows_choose(rows, summary->link_count);
    fprintf(out, "\n    %-14s %-18s %13s %11s %11s %11s %8s\n", "Link", "", "key rate", "used",
            "pool least", "pool end", "short");
    for (size_t i = 0; i < shown; i++) {
        print_link(scenario, summary, rows[i].index, out);
    }
    if (shown < summary->link_count) {
        fprintf(out, "    ... and %zu links with more key left\n", summary->link_count - shown);
    }
}

static void print_applications(const struct scn_scenario *scenario,
                               const struct scn_summary *summary, struct row *rows, FILE *out)
{
    size_t count = 0; /* without those that get the keys of others */
    for (size_t i = 0; i < summary->application_count; i++) {
        const struct scn_requests *r = &summary->applications[i].requests;
        if (scenario->applications[i].of == 0) {
            rows[count++] = (struct row){i, (double)(r->total - r->served)};
        }
    }
    size_t shown = rows_choose(rows, count);
    fprintf(out, "\n    %-14s %-18s %13s %11s %11s %11s\n", "Application", "", "requests", "served",
            "key", "latency 95%");
    for (size_t i = 0; i < shown; i++) {
        const struct scn_application *app = &scenario->applications[rows[i].index];
        const struct scn_application_summary *s = &summary->applications[rows[i].index];
        char ends[2 * SCN_ID_SIZE + 20], key[ANA_TEXT_SIZE], late[ANA_TEXT_SIZE];
        char more[16] = "";
        if (app->members > 0) {
            snprintf(more, sizeof more, " +%u", (unsigned)app->members);
        }
        snprintf(ends, sizeof ends, "%s-%s%s", scenario->nodes[app->from].id,
                 scenario->nodes[app->to].id, more);
        double fraction = scn_served_fraction(&s->requests);
        fprintf(out, "    %-14.14s %-18.18s %13" PRIu64 " %9.2f %% %11s %11s\n", app->id, ends,
                s->requests.total, isnan(fraction) ? 0.0 : 100.0 * fraction,
                ana_bits_text((double)s->supplied_bits, key),
                ana_seconds_text(s->latency.p95, late));
    }
    if (shown < count) {
        fprintf(out, "    ... and %zu applications with fewer requests unserved\n", count - shown);
    }
}

/* Only where there are classes. */
static void print_classes(const struct scn_scenario *scenario, const struct scn_summary *summary,
                          FILE *out)
{
    fprintf(out, "\n    %-14s %-18s %13s %11s %11s %11s\n", "Class", "", "requests", "served",
            "key", "Jain");
    for (size_t i = 0; i < summary->class_count; i++) {
        const struct scn_class_summary *s = &summary->classes[i];
        char key[ANA_TEXT_SIZE], who[64];
        if (s->applications == 0) {
            continue;
        }
        snprintf(who, sizeof who, "%" PRIu64 " applications", s->applications);
        double fraction = scn_served_fraction(&s->requests);
        fprintf(out, "    %-14.14s %-18.18s %13" PRIu64 " %9.2f %% %11s %11.3f\n",
                i < scenario->class_count ? scenario->classes[i].id : "(none)", who,
                s->requests.total, isnan(fraction) ? 0.0 : 100.0 * fraction,
                ana_bits_text((double)s->supplied_bits, key),
                isnan(s->jain_bits) ? 0.0 : s->jain_bits);
    }
}

static void print_lists(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        FILE *out)
{
    size_t most = summary->link_count > summary->application_count ? summary->link_count
                                                                   : summary->application_count;
    struct row *rows = calloc(most + 1, sizeof *rows);
    if (rows == NULL) {
        fputs("\n(no memory for the lists of links and applications)\n", out);
        return;
    }
    if (summary->link_count > 0) {
        print_links(scenario, summary, rows, out);
    }
    if (scenario->class_count > 0) {
        print_classes(scenario, summary, out);
    }
    if (summary->application_count > 0) {
        print_applications(scenario, summary, rows, out);
    }
    free(rows);
}

/* ---- faults ---- */

/* Seconds, or "-" for what did not happen. */
static const char *span_text(double seconds, char text[ANA_TEXT_SIZE])
{
    return isnan(seconds) ? "-" : ana_seconds_text(seconds, text);
}

static void print_event(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        size_t i, FILE *out)
{
    const struct scn_event_summary *event = &summary->fault_events[i];
    char entity[ANA_EVENT_TEXT_SIZE], at[ANA_TEXT_SIZE], detect[ANA_TEXT_SIZE];
    char first[ANA_TEXT_SIZE], key[ANA_TEXT_SIZE];
    struct ana_event_text text = ana_event_text(scenario, i, entity);
    fprintf(out, "    %-14.14s %-24.24s %-11.11s %9s %9s %9s %6" PRIu64 " %8" PRIu64 " %11s\n",
            scn_event_name(scenario, i), entity, text.what, span_text(event->at_s, at),
            span_text(event->detect_s, detect), span_text(event->first_key_s, first),
            event->applications, event->lost.total,
            isnan(event->discarded_bits) ? "-" : ana_bits_text(event->discarded_bits, key));
}

/* The first MOST_ROWS events; nothing if there are none. */
static void print_events(const struct scn_scenario *scenario, const struct scn_summary *summary,
                         FILE *out)
{
    size_t shown = 0;
    size_t more = 0;
    for (size_t i = 0; i < summary->fault_event_count; i++) {
        const struct scn_event_summary *event = &summary->fault_events[i];
        if (isnan(event->at_s)) {
            continue;
        }
        if (shown == MOST_ROWS) {
            more++;
            continue;
        }
        if (shown++ == 0) {
            fprintf(out, "\n    %-14s %-24s %-11s %9s %9s %9s %6s %8s %11s\n", "Event", "", "",
                    "at", "detected", "key again", "pairs", "unserved", "key lost");
        }
        print_event(scenario, summary, i, out);
    }
    if (more > 0) {
        fprintf(out, "    ... and %zu events later\n", more);
    }
}

/* The first MOST_ROWS attacks; nothing if there are none. */
static void print_attacks(const struct scn_scenario *scenario, const struct scn_summary *summary,
                          FILE *out)
{
    for (size_t i = 0; i < summary->attack_count && i < MOST_ROWS; i++) {
        const struct scn_attack_summary *a = &summary->attacks[i];
        const struct scn_attack *attack = &scenario->attacks[i];
        char bits[ANA_TEXT_SIZE], detect[ANA_TEXT_SIZE];
        if (i == 0) {
            fprintf(out, "\n    %-16s %-8s %-20s %8s %8s %8s %11s %9s %8s %9s\n", "Attack", "cell",
                    "variant", "met", "shielded", "read", "key leaked", "forged", "accepted",
                    "detected");
        }
        fprintf(out,
                "    %-16.16s %-8s %-20.20s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %11s %9" PRIu64
                " %8" PRIu64 " %9s\n",
                attack->id, attack->cell < SCN_CELLS ? scn_cells[attack->cell].id : "",
                attack->variant, a->seen, a->shielded, a->read,
                ana_bits_text((double)a->leaked_bits, bits), a->forged, a->accepted,
                span_text(a->detect_s, detect));
    }
    if (summary->attack_count > MOST_ROWS) {
        fprintf(out, "    ... and %zu attacks more\n", summary->attack_count - MOST_ROWS);
    }
}

/* ---- verdicts ---- */

static void print_watch(const struct scn_summary *summary, FILE *out)
{
    if (summary->healing.events > 0) {
        char detect[ANA_TEXT_SIZE], first[ANA_TEXT_SIZE];
        fprintf(out,
                "\nFaults that hit somebody %" PRIu64
                ", first report after %s, key again after %s (means)",
                summary->healing.events, ana_seconds_text(summary->healing.detect_s, detect),
                ana_seconds_text(summary->healing.first_key_s, first));
    }
    fprintf(out, "\nAlarms %" PRIu64 " raised, %" PRIu64 " cleared\n", summary->alarms.raised,
            summary->alarms.cleared);
    for (size_t i = 0; i < summary->security.measure_count; i++) {
        fprintf(out, "SECURITY MEASURE OFF: %s\n", summary->security.measures_off[i]);
    }
    if (summary->security.violations > 0) {
        fprintf(out, "SECURITY %" PRIu64 " broken rules for want of them, the first: %s\n",
                summary->security.violations, summary->security.first);
    }
    fprintf(out, "Oracle %" PRIu64 " checks, %" PRIu64 " violations", summary->oracle.checks,
            summary->oracle.violations);
    if (summary->wall_s > 0) {
        fprintf(out, ", about %.0f %% of the time",
                100.0 * summary->oracle.cost_s / summary->wall_s);
    }
    fputs("\n", out);
    if (summary->oracle.violations > 0) {
        fprintf(out, "    first at event %" PRIu64 " (seed %" PRIu64 "): %s\n",
                summary->oracle.first_event, summary->seed, summary->oracle.first);
    }
}

static void print_verdicts(const struct scn_scenario *scenario, const struct scn_summary *summary,
                           FILE *out)
{
    if (summary->verdict_count > 0) {
        fputs("Expectations\n", out);
    }
    for (size_t i = 0; i < summary->verdict_count; i++) {
        char value[32] = "no value";
        if (!isnan(summary->verdicts[i].value)) {
            snprintf(value, sizeof value, "%.6g", summary->verdicts[i].value);
        }
        fprintf(out, "    %s  %s  (%s)\n", summary->verdicts[i].pass ? "pass" : "FAIL",
                scenario->expects[i].text, value);
    }
}

/* How long it was. Only a virtual world can repeat a run, so only it has a digest. */
static void print_extent(const struct scn_summary *summary, FILE *out)
{
    char sim[ANA_TEXT_SIZE], wall[ANA_TEXT_SIZE];
    (void)ana_seconds_text(summary->sim_s, sim);
    if (summary->engine == SCN_ENGINE_LIVE) {
        fprintf(out, "%s live; %" PRIu64 " messages, %" PRIu64 " events\n", sim, summary->messages,
                summary->events);
        return;
    }
    fprintf(out,
            "%s simulated in %s; %" PRIu64 " messages, %" PRIu64 " events; digest %016" PRIx64 "\n",
            sim, ana_seconds_text(summary->wall_s, wall), summary->messages, summary->events,
            summary->trace_digest);
}

void ana_summary_print(const struct scn_scenario *scenario, const struct scn_summary *summary,
                       FILE *out)
{
    fprintf(out, "%s: nodes %zu, links %zu, applications %zu; engine %s, seed %" PRIu64 "\n",
            scenario->name, scenario->node_count, scenario->link_count, scenario->application_count,
            scn_engine_name(summary->engine), summary->seed);
    print_extent(summary, out);
    if (summary->interrupted) {
        fputs("INTERRUPTED: the figures are those up to here\n", out);
    }
    print_requests(summary, out);
    print_sessions(summary, out);
    print_service(summary, out);
    print_lists(scenario, summary, out);
    print_events(scenario, summary, out);
    print_attacks(scenario, summary, out);
    print_watch(summary, out);
    print_verdicts(scenario, summary, out);
}
