/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of a run: follows requests, relayed keys, pools and faults by what elements report,
 * send and persist; feeds the sink; fills the summary. It steers nothing. */
#ifndef WATCH_STATS_H
#define WATCH_STATS_H

#include "core/base/out.h"
#include "scenarios/outcome.h"

struct watch_stats;

/* What is watched; all must outlive it. */
struct watch_stats_config {
    const struct scn_scenario *scenario;
    const struct scn_sink *sink;
    int64_t epoch_ns; /* UTC at the start of the run, ns */
    /* Bits of a link that have been discarded so far; NULL: not known. */
    uint64_t (*discarded)(void *ctx, uint32_t link);
    void *discarded_ctx;
};

struct watch_stats *watch_stats_new(const struct watch_stats_config *config); /* NULL: no memory */
void watch_stats_free(struct watch_stats *stats);

/* One report of an element; bytes as report->bytes says. 0 or QKD_ERR_NOMEM. */
int watch_stats_report(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report,
                       const uint8_t *bytes);

/* A message before sealing (send->observed; NULL if there is none): of interest are frames at Kx-1 that
 * take pads. 0 or QKD_ERR_NOMEM. */
int watch_stats_send(struct watch_stats *stats, int64_t now_ns, const struct qkd_send *send,
                     const uint8_t *observed);

/* A KSA's key record (WIRE_PERSIST_KEY). */
int watch_stats_key(struct watch_stats *stats, int64_t now_ns, const struct qkd_persist *entry,
                    const uint8_t *value);

/* A fault of the scenario begins: which pairs does it hit? It ends. */
void watch_stats_fault(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault);
void watch_stats_fault_end(struct watch_stats *stats, int64_t now_ns,
                           const struct scn_fault *fault);

/* The application agents at a node are gone: their requests end here. */
int watch_stats_crash(struct watch_stats *stats, int64_t now_ns, uint32_t node);
int watch_stats_crash_km(struct watch_stats *stats, int64_t now_ns, uint32_t node);
void watch_stats_crash_controller(struct watch_stats *stats, int64_t now_ns);

void watch_stats_warm(struct watch_stats *stats, int64_t now_ns); /* the warm-up is over */

/* End of the run: open requests are pending; fills requests, latencies, relay, pools, healing,
 * alarms, security, links (ledgers excepted) and applications of the summary. */
int watch_stats_finish(struct watch_stats *stats, int64_t now_ns, struct scn_summary *summary);

uint64_t watch_stats_opened(const struct watch_stats *stats); /* requests */
uint64_t watch_stats_ended(const struct watch_stats *stats);

#endif
