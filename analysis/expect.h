/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `expect:` lines of a scenario, judged over the summary of its run. A figure is one of the summary
 * (analysis/fields.c): "served_fraction", "requests.served", "reasons.no_route", "latency_s.p95",
 * "link[BC].pool_min_bits", "application[video].served_fraction"; or the least, greatest, mean or sum
 * of one over several links or applications; of the whole run or of a window of it. */
#ifndef ANA_EXPECT_H
#define ANA_EXPECT_H

#include "analysis/error.h"
#include "scenarios/outcome.h"

/* The reasons that a request may end with, known to whoever knows the elements. */
struct ana_reasons {
    const char *const *texts;
    size_t count;
};

/* 0, or QKD_ERR_INVALID and what is wrong with the figure of this expectation (nothing of that name;
 * then with the nearest name), before any run. */
int ana_expect_check(const struct scn_scenario *scenario, const struct scn_expect *expect,
                     const struct ana_reasons *reasons, struct ana_error *error);

/* Fills summary->verdicts for scenario->expects; returns how many failed. A figure without a value
 * fails whatever it is compared with. */
size_t ana_expect_judge(const struct scn_scenario *scenario, struct scn_summary *summary);

/* The value that an expectation is about; NAN if the run gave none. */
double ana_expect_value(const struct scn_scenario *scenario, const struct scn_summary *summary,
                        const struct scn_expect *expect);

/* Whether `value <compare> number` holds, the tolerance of the expectation included; false if value
 * is NAN. */
bool ana_expect_holds(const struct scn_expect *expect, double value);

#endif
