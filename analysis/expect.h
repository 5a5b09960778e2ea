/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `expect:` lines of a scenario, judged over the summary of its run. A path is a figure of the
 * summary (analysis/fields.c): "served_fraction", "requests.served", "reasons.no_route",
 * "latency_s.p95", "link[BC].pool_min_bits", "application[video].served_fraction". */
#ifndef ANA_EXPECT_H
#define ANA_EXPECT_H

#include "analysis/error.h"
#include "scenarios/outcome.h"

/* The reasons that a request may end with, known to whoever knows the elements. */
struct ana_reasons {
    const char *const *texts;
    size_t count;
};

/* 0, or QKD_ERR_INVALID and what is wrong with the path of this expectation (nothing of that name;
 * then with the nearest name), before any run. */
int ana_expect_check(const struct scn_scenario *scenario, const struct scn_expect *expect,
                     const struct ana_reasons *reasons, struct ana_error *error);

/* Fills summary->verdicts for scenario->expects; returns how many failed. A figure without a value
 * fails whatever it is compared with. */
size_t ana_expect_judge(const struct scn_scenario *scenario, struct scn_summary *summary);

/* Whether `value <compare> number` holds; false if value is NAN. */
bool ana_compare(double value, enum scn_compare compare, double number);

#endif
