/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of requests added up: outcomes, reasons, keys, hops, latencies. */
#include <math.h>
#include <string.h>

#include "watch/stats_state.h"

void watch_tally_ended(struct watch_tally *tally, const struct watch_request *request)
{
    uint64_t *const counts[] = {&tally->requests.pending, &tally->requests.served,
                                &tally->requests.refused, &tally->requests.timed_out,
                                &tally->requests.failed};
    tally->requests.total++;
    (*counts[request->outcome < WIRE_OUTCOME_COUNT ? request->outcome : WIRE_OUTCOME_FAILED])++;
    if (request->outcome != WIRE_OUTCOME_PENDING && request->reason < SCN_MAX_REASONS) {
        tally->reasons[request->reason]++;
    }
    tally->reroutes += request->reroutes;
    if (request->ended) {
        *(request->grade == WIRE_METHOD_AES ? &tally->aes_bits : &tally->otp_bits) += request->bits;
        tally->supplied_keys += request->supplied;
        tally->leaked_bits += request->supplied > 0
                                  ? request->bits / request->supplied * request->leaked
                                  : 0; /* the keys of a request are of one size */
    }
}

int watch_tally_served(struct watch_tally *tally, const struct watch_request *request)
{
    if (request->route.len > 0) {
        tally->hops += watch_request_hops(request);
        tally->hops_known++;
    }
    return scn_sampler_add(&tally->latency, request->end_ns - request->start_ns);
}

int watch_tally_fetched(struct watch_tally *tally, int64_t took_ns)
{
    return scn_sampler_add(&tally->fetch, took_ns);
}

static double leaked_fraction(const struct watch_tally *tally)
{
    uint64_t supplied = tally->otp_bits + tally->aes_bits;
    return supplied > 0 ? (double)tally->leaked_bits / (double)supplied : NAN;
}

static double hops_mean(const struct watch_tally *tally)
{
    return tally->hops_known > 0 ? (double)tally->hops / (double)tally->hops_known : NAN;
}

void watch_tally_application(struct watch_tally *tally, struct scn_application_summary *to)
{
    to->requests = tally->requests;
    memcpy(to->reasons, tally->reasons, sizeof(to->reasons));
    to->supplied_keys = tally->supplied_keys;
    to->supplied_bits = tally->otp_bits + tally->aes_bits;
    to->leaked_bits = tally->leaked_bits;
    to->leaked_fraction = leaked_fraction(tally);
    to->hops_mean = hops_mean(tally);
    to->reroutes = tally->reroutes;
    scn_sampler_spread(&tally->latency, &to->latency);
    scn_sampler_spread(&tally->fetch, &to->fetch_latency);
}

void watch_tally_run(struct watch_tally *tally, struct scn_summary *to)
{
    to->requests = tally->requests;
    to->reason_count = WIRE_REASON_COUNT;
    for (unsigned i = 0; i < WIRE_REASON_COUNT; i++) {
        to->reasons[i] = (struct scn_reason_count){wire_reason_text(i), tally->reasons[i]};
    }
    to->supplied_bits = tally->otp_bits + tally->aes_bits;
    to->supplied_otp_bits = tally->otp_bits;
    to->supplied_aes_bits = tally->aes_bits;
    to->security.leaked_bits = tally->leaked_bits;
    to->security.leaked_fraction = leaked_fraction(tally);
    to->relay.hops_mean = hops_mean(tally);
    scn_sampler_spread(&tally->latency, &to->latency);
    scn_sampler_spread(&tally->fetch, &to->fetch_latency);
}

void watch_tally_fini(struct watch_tally *tally)
{
    scn_sampler_fini(&tally->latency);
    scn_sampler_fini(&tally->fetch);
}
