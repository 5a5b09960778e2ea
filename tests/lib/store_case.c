/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A link as a single store of key: see store_case.h. */
#include "tests/lib/store_case.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/arrivals.h"
#include "sim/run.h"

#define ASKED_PER_S 10.0
#define BLOCK_BITS 1536
#define FIXED_BYTES 576 /* reserve, bootstrap and rest of both ends */
#define UNIT_BYTES 160  /* what a unit adds: two keys of 80 bytes */

void store_rows_read(struct store_row rows[STORE_ROWS])
{
    FILE *file = fopen("tests/data/store_blocking.csv", "r");
    ck_assert_ptr_nonnull(file);
    char line[256];
    size_t count = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        struct store_row row = {.poisson = line[0] == 'M'};
        if (line[0] == '#' || strchr("DM", line[0]) == NULL) {
            continue;
        }
        ck_assert_int_eq(sscanf(line + 7, ",%lf,%" SCNu32 ",%lf", &row.rho, &row.k, &row.refused),
                         3);
        ck_assert_uint_lt(count, STORE_ROWS);
        rows[count++] = row;
    }
    (void)fclose(file);
    ck_assert_uint_eq(count, STORE_ROWS);
}

/* ---- the run ---- */

struct tally {
    double *refused; /* of A's requests, by number */
    size_t count, limit;
    uint64_t served[2]; /* keys of A and of B, all of the run */
};

static void on_request(void *ctx, const struct scn_request *request)
{
    struct tally *tally = ctx;
    bool refused = strcmp(request->outcome, "refused") == 0;
    ck_assert_msg(refused || strcmp(request->outcome, "served") == 0, "%s", request->outcome);
    tally->served[request->application] += !refused;
    if (request->counted && request->application == 0) {
        ck_assert_uint_lt(tally->count, tally->limit);
        tally->refused[tally->count++] = refused;
    }
}

static struct scn_scenario *scenario_load(const struct store_row *row, const struct store_run *run,
                                          double length_s)
{
    char text[1200];
    double rate_bps = row->rho * ASKED_PER_S * BLOCK_BITS;
    uint64_t store_bytes = FIXED_BYTES + (uint64_t)UNIT_BYTES * row->k + UNIT_BYTES / 2 - 8;
    int len = snprintf(
        text, sizeof(text),
        "scenario: store\nseed: %" PRIu64 "\nduration: %.0f s\nwarmup: %.0f s\nengine: fast\n"
        "network:\n  nodes: [{id: A}, {id: B}]\n  classical: {latency: 1 us}\n  links:\n"
        "    - {id: AB, ends: [A, B], store: %" PRIu64 " bit,\n"
        "       qkd: {rate: %.0f bit/s, block: %d bit, blocks: %s}}\n"
        "key_management: {bootstrap: 2560 bit, expiry: 3650 d}\n"
        "control: {status_period: 1 h}\n"
        "applications:\n"
        "  - {id: ab, from: A, to: B, arrivals: trace, times: [0 s]}\n"
        "  - {id: ba, from: B, to: A, arrivals: trace, times: [0 s]}\n",
        run->seed, length_s, length_s / 6, 8 * store_bytes, rate_bps, BLOCK_BITS,
        row->poisson ? "poisson" : "regular");
    ck_assert_int_lt(len, (int)sizeof(text));
    ck_assert_double_eq_tol(rate_bps, round(rate_bps), 1e-6);
    struct scn_scenario *scenario;
    struct scn_errors errors;
    struct scn_text from = {"store", text, (size_t)len, NULL};
    int rc = scn_load_text(&from, NULL, &scenario, &errors);
    ck_assert_msg(rc == 0, "%s", errors.count > 0 ? errors.lines[0] : "does not load");
    scn_errors_fini(&errors);
    return scenario;
}

/* Instants of a Poisson process, by the model that serves `arrivals: poisson`. */
static int64_t *times_new(const struct store_run *run, double length_s, size_t *count)
{
    struct qkd_rng rng;
    struct mdl_arrivals arrivals;
    struct mdl_arrivals_params params = {.kind = MDL_ARRIVALS_POISSON,
                                         .rate_per_s = ASKED_PER_S,
                                         .start = {INT64_C(1000000000)},
                                         .stop = {(int64_t)((length_s - 1) * 1e9)}};
    size_t limit = (size_t)(length_s * ASKED_PER_S * 1.1) + 1000;
    int64_t *times_ns = malloc(limit * sizeof(*times_ns));
    ck_assert_ptr_nonnull(times_ns);
    qkd_rng_init_named(&rng, run->seed, "store requests", 0);
    mdl_arrivals_init(&arrivals, &params);
    for (*count = 0;; ++*count) {
        int64_t at_ns = mdl_arrivals_next(&arrivals, &rng).ns;
        if (at_ns == QKD_NEVER.ns) {
            break;
        }
        ck_assert_uint_lt(*count, limit);
        times_ns[*count] = at_ns;
    }
    qkd_rng_fini(&rng);
    return times_ns;
}

/* What was paid with key is what the model knows: per block two tags, per key the key, its compare key
 * and a tag. Nothing expired, was given up, relayed or granted; both ends served alike. */
static void books_check(const struct scn_summary *summary, const struct tally *tally)
{
    const struct scn_bits *bits = &summary->links[0].bits;
    uint64_t keys = tally->served[0] + tally->served[1];
    uint64_t blocks = bits->generated / BLOCK_BITS;
    ck_assert_uint_eq(bits->relayed_as_key, 256 * keys);
    /* a block may be on its way at the end */
    ck_assert_uint_ge(bits->tags + 256, 384 * keys + 256 * blocks);
    ck_assert_uint_le(bits->tags, 384 * keys + 256 * blocks + 256);
    ck_assert_uint_eq(bits->expired + bits->discarded + bits->pads, 0);
    ck_assert_uint_eq(tally->served[0], tally->served[1]);
}

struct batch_result store_case(const struct store_row *row, const struct store_run *run)
{
    double length_s = round((double)run->requests * 1.2 / ASKED_PER_S);
    struct scn_scenario *scenario = scenario_load(row, run, length_s);
    size_t count;
    int64_t *times_ns = times_new(run, length_s, &count);
    int64_t *own_ns[2];
    for (size_t i = 0; i < 2; i++) { /* a list of 100,000 instants is no matter of text */
        own_ns[i] = scenario->applications[i].times_ns;
        scenario->applications[i].times_ns = times_ns;
        scenario->applications[i].times_count = count;
    }
    struct tally tally = {.limit = count};
    tally.refused = malloc(count * sizeof(*tally.refused));
    ck_assert_ptr_nonnull(tally.refused);
    char why[200] = "";
    struct scn_sink sink = {.ctx = &tally, .request = on_request};
    struct sim_options options = {.sink = &sink, .why = why, .why_size = sizeof(why)};
    struct scn_summary summary;
    int rc = sim_run(scenario, &options, &summary);
    ck_assert_msg(rc == 0, "%s", why);
    ck_assert_msg(summary.oracle.violations == 0, "%s", summary.oracle.first);
    books_check(&summary, &tally);
    struct batch_result result = batch_means(tally.refused, tally.count, STORE_BATCHES);
    for (size_t i = 0; i < 2; i++) {
        scenario->applications[i].times_ns = own_ns[i];
    }
    scn_summary_fini(&summary);
    scn_free(scenario);
    free(times_ns);
    free(tally.refused);
    return result;
}

double store_memory(const struct store_row *row)
{
    double turn = 3.14159265358979 / (row->k + 1);
    return (row->poisson ? 1 : 2) / (1 + row->rho - 2 * sqrt(row->rho) * cos(turn));
}

double store_off(const struct store_row *row, const struct batch_result *result,
                 const struct store_run *run)
{
    double error = result->error;
    double expected = row->refused * (double)run->requests;
    if (row->rho > 1 && row->refused < 0.01 && expected * (row->rho - 1) < 100) {
        double count_error = sqrt(expected * (row->rho + 1) / (row->rho - 1));
        error = fmax(error, count_error / (double)run->requests);
    }
    return fabs(result->mean - row->refused) / error;
}

static double judge_once(const struct store_row *row, const struct store_run *run)
{
    struct batch_result result = store_case(row, run);
    double off = store_off(row, &result, run);
    printf("%c/M/1/K rho %-4g K %-3" PRIu32 " requests %6zu refused %.6f error %.6f known %.6f: "
           "off by %.2f errors\n",
           row->poisson ? 'M' : 'D', row->rho, row->k, run->requests, result.mean, result.error,
           row->refused, off);
    return off;
}

double store_judge(const struct store_row *row, const struct store_run *run)
{
    double off = judge_once(row, run);
    if (off > 3) {
        struct store_run again = {run->seed + 1000, 4 * run->requests};
        ck_assert_double_le(judge_once(row, &again), 3);
    }
    return off;
}
