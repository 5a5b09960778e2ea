/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small network and the records of an invented run of it, for tests of what reads results. Every
 * number is chosen here, so that a test can expect it. */
#ifndef TEST_RESULTS_H
#define TEST_RESULTS_H

#include "scenarios/outcome.h"

/* Requests of the invented run: number n arrives at n seconds; every tenth is refused for
 * insufficient_key; the others are served after n milliseconds over A B C. */
#define TEST_REQUESTS 50

/* Three nodes in a line with coordinates, links AB and BC, applications video (A to C) and mail (C to
 * A), an outage of AB, two expectations. To be freed with scn_free(). */
struct scn_scenario *test_scenario(void);
char *test_scenario_text(void); /* as YAML; to be freed with free() */

/* IDs of the keys of request n, and of the QKD-key of link k. */
struct qkd_id test_ksa_key(unsigned request);
struct qkd_id test_kma_key(unsigned request);
struct qkd_id test_qkd_key(unsigned link);

/* Sends the records of `count` requests into the sink. */
void test_records(const struct scn_sink *sink, unsigned count);

/* Fills the summary of TEST_REQUESTS requests; to be given to scn_summary_fini(). */
void test_summary(const struct scn_scenario *scenario, struct scn_summary *summary);

#endif
