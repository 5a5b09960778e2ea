/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions with a guaranteed rate, of known blocking: see session_case.h. */
#include "tests/lib/session_case.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run.h"

#define HOLD_S 0.2     /* mean */
#define LINK_BPS 3720  /* that a session takes */
#define LOCAL_BPS 1488 /* of key, between neighbours */
#define RELAY_BPS 640  /* of key, relayed */
#define WARMUP_S 10.0
#define STREAMS 3

void session_rows_read(struct session_row rows[SESSION_ROWS])
{
    FILE *file = fopen("tests/data/session_blocking.csv", "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    size_t count = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *comma = strchr(line, ',');
        if (line[0] == '#' || comma == NULL) {
            continue;
        }
        struct session_row row = {.is_chain = line[0] == 'c'};
        ck_assert_int_eq(sscanf(comma, ",%lf,%lf,%" SCNu32 ",%lf,%lf", &row.load, &row.through,
                                &row.c, &row.refused, &row.refused_through),
                         5);
        ck_assert_uint_lt(count, SESSION_ROWS);
        rows[count++] = row;
    }
    (void)fclose(file);
    ck_assert_uint_eq(count, SESSION_ROWS);
}

size_t session_count(const struct session_row *row)
{
    double most = row->load + row->through;
    double sessions = 2.0 * SESSION_BATCHES * 10 * most;
    return sessions < 8000 ? 8000 : (size_t)sessions;
}

/* ---- the run ---- */

struct stream {
    double *refused; /* of its counted sessions, by number */
    size_t count, limit;
};

static void on_session(void *ctx, const struct scn_session_record *session)
{
    struct stream *stream = (struct stream *)ctx + session->application;
    if (!session->counted || strcmp(session->outcome, "open") == 0) {
        return;
    }
    bool refused = strcmp(session->outcome, "refused") == 0;
    ck_assert_msg(refused || strcmp(session->outcome, "closed") == 0, "%s", session->outcome);
    ck_assert_str_eq(session->reason, refused ? "no_capacity" : "none");
    ck_assert_uint_lt(stream->count, stream->limit);
    stream->refused[stream->count++] = refused;
}

static int application_print(char *to, size_t size, const char *ends, double load, bool fixed)
{
    bool is_direct = strcmp(ends, "AC") != 0;
    return snprintf(to, size,
                    "  - {id: %s, from: %c, to: %c, key: 256 bit, rate: %.6f /s,\n"
                    "     session: {rate: %d bit/s, hold: %g s, hold_law: %s, keys: none}}\n",
                    ends, ends[0], ends[1], load / HOLD_S, is_direct ? LOCAL_BPS : RELAY_BPS,
                    HOLD_S, fixed ? "fixed" : "exponential");
}

static struct scn_scenario *scenario_load(const struct session_row *row,
                                          const struct session_run *run, double length_s)
{
    char text[2000];
    uint32_t room = run->room > 0 ? run->room : row->c;
    int len =
        snprintf(text, sizeof(text),
                 "scenario: sessions\nseed: %" PRIu64 "\nduration: %.3f s\nwarmup: %.3f s\n"
                 "engine: fast\nnetwork:\n  nodes: [{id: A}, {id: B}, {id: C}]\n"
                 "  classical: {latency: 1 us, management_latency: 1 us}\n  links:\n"
                 "    - {id: AB, ends: [A, B], qkd: {rate: %" PRIu32 " bit/s, block: 8000 bit}}\n"
                 "    - {id: BC, ends: [B, C], qkd: {rate: %" PRIu32 " bit/s, block: 8000 bit}}\n"
                 "control: {status_period: 1 s, reservable: 1}\napplications:\n",
                 run->seed, length_s, WARMUP_S, room * LINK_BPS, room * LINK_BPS);
    ck_assert_int_lt(len, (int)sizeof(text));
    static const char *const ends[] = {"AC", "AB", "BC"};
    for (size_t i = 0; i < (row->is_chain ? STREAMS : 1); i++) {
        double load = row->is_chain && i == 0 ? row->through : row->load;
        len += application_print(text + len, sizeof(text) - (size_t)len, ends[i], load, run->fixed);
        ck_assert_int_lt(len, (int)sizeof(text));
    }
    struct scn_scenario *scenario;
    struct scn_errors errors;
    struct scn_text from = {"sessions", text, (size_t)len, NULL};
    int rc = scn_load_text(&from, NULL, &scenario, &errors);
    ck_assert_msg(rc == 0, "%s", errors.count > 0 ? errors.lines[0] : "does not load");
    scn_errors_fini(&errors);
    return scenario;
}

static double stream_off(const struct stream *stream, const struct session_row *row, double refused)
{
    struct batch_result result = batch_means(stream->refused, stream->count, SESSION_BATCHES);
    double error = result.error;
    double expected = refused * (double)stream->count;
    double use = row->load / row->c;
    if (expected < 100 && use < 1) {
        error = fmax(error, sqrt(expected * (1 + use) / (1 - use)) / (double)stream->count);
    }
    double off = fabs(result.mean - refused) / error;
    printf("%s load %-4g through %-4g c %-3" PRIu32
           " sessions %6zu refused %.6f error %.6f known %.6f: off by %.2f errors\n",
           row->is_chain ? "chain " : "erlang", row->load, row->through, row->c, stream->count,
           result.mean, error, refused, off);
    return off;
}

/* Of all that links can give some was reserved, never more than all; what is carried, load less what
 * is refused, is what Little's law says of it. */
static void links_check(const struct scn_summary *summary, const struct session_row *row,
                        const struct session_run *run)
{
    double through = row->is_chain ? row->through * (1 - row->refused_through) : 0;
    double carried = (row->load * (1 - row->refused) + through) * LINK_BPS;
    for (size_t i = 0; i < summary->link_count; i++) {
        ck_assert_uint_le(summary->links[i].reserved_max_bps, summary->links[i].rate_bps);
        if (run->room == 0) {
            ck_assert_double_eq_tol(summary->links[i].reserved_mean_bps / carried, 1, 0.06);
        }
    }
    ck_assert_uint_eq(summary->sessions.broken, 0);
}

double session_case(const struct session_row *row, const struct session_run *run, double *squares,
                    unsigned *streams)
{
    double least = row->is_chain ? fmin(row->load, row->through) : row->load;
    double length_s = WARMUP_S + (double)run->sessions * HOLD_S / least;
    struct scn_scenario *scenario = scenario_load(row, run, length_s);
    struct stream stream[STREAMS] = {{0}};
    double most = fmax(row->load, row->through) / HOLD_S * length_s;
    for (size_t i = 0; i < STREAMS; i++) {
        stream[i].limit = (size_t)(most * 1.1) + 1000;
        stream[i].refused = malloc(stream[i].limit * sizeof(double));
        ck_assert_ptr_nonnull(stream[i].refused);
    }
    char why[200] = "";
    struct scn_sink sink = {.ctx = stream, .session = on_session};
    struct sim_options options = {.sink = &sink, .why = why, .why_size = sizeof(why)};
    struct scn_summary summary;
    int rc = sim_run(scenario, &options, &summary);
    ck_assert_msg(rc == 0, "%s", why);
    ck_assert_msg(summary.oracle.violations == 0, "%s", summary.oracle.first);
    links_check(&summary, row, run);
    double worst = 0;
    for (size_t i = 0; i < scenario->application_count; i++) {
        double off = stream_off(&stream[i], row,
                                row->is_chain && i == 0 ? row->refused_through : row->refused);
        worst = fmax(worst, off);
        if (squares != NULL && streams != NULL) {
            *squares += off * off;
            *streams += 1;
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        free(stream[i].refused);
    }
    scn_summary_fini(&summary);
    scn_free(scenario);
    return worst;
}

bool session_judge(const struct session_row *row, const struct session_run *run, double *squares,
                   unsigned *streams)
{
    double off = session_case(row, run, squares, streams);
    if (off > 3) {
        struct session_run again = *run;
        again.seed += 1000;
        again.sessions *= 4;
        ck_assert_double_le(session_case(row, &again, NULL, NULL), 3);
    }
    return off > 2;
}
