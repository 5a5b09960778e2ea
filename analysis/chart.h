/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The message-sequence chart of one request, from the messages of a run that was recorded with
 * --record full: elements are lifelines, messages are arrows in the order of time (in the manner of
 * ITU-T Z.120). Equal results give equal charts.
 *   chart.c          what is drawn, from the database
 *   chart_svg.c      as SVG
 *   chart_mermaid.c  as a Mermaid sequence diagram */
#ifndef ANA_CHART_H
#define ANA_CHART_H

#include <stdio.h>

#include "analysis/results.h"
#include "core/base/id.h"

#define ANA_CHART_MESSAGES 20000 /* of one request */
#define ANA_CHART_NAME 80        /* bytes of a name */

/* An element, in its place from left to right. */
struct ana_chart_element {
    char role[24]; /* KMA, KSA ... application */
    char name[ANA_CHART_NAME];
    char node[ANA_CHART_NAME];
    uint32_t node_index;
    int rank; /* of its place */
};

/* One copy of a message. */
struct ana_chart_message {
    uint64_t number;             /* copies share it */
    int64_t sent_ns, arrived_ns; /* since the request was asked; SCN_NO_TIME: never arrived */
    size_t from, to;             /* elements */
    const char *point;           /* fixed text of core */
    char name[32];
    char reason[32], fate[16]; /* reason "": none */
    uint32_t bytes, hop, attempt, sending, shared;
};

struct ana_chart {
    uint64_t request;
    char title[512]; /* what was asked, by whom, and how it ended */
    struct ana_chart_element *elements;
    size_t element_count;
    struct ana_chart_message *messages; /* by time */
    size_t message_count;
};

/* The number of the request that a KSA-key or KMA-key was supplied for. QKD_ERR_UNKNOWN: there is
 * none, error says why; QKD_ERR_INVALID: damaged results. */
int ana_chart_request(const struct ana_results *results, const struct qkd_id *key,
                      uint64_t *request, struct ana_error *error);

/* QKD_ERR_UNKNOWN: no such request, or none of its messages were recorded; QKD_ERR_INVALID;
 * QKD_ERR_NOMEM. *chart is to be given to ana_chart_fini() after success. */
int ana_chart_load(const struct ana_results *results, uint64_t request, struct ana_chart *chart,
                   struct ana_error *error);
void ana_chart_fini(struct ana_chart *chart);

/* Both write to out; errors of the stream are the caller's to see. 0 or QKD_ERR_NOMEM. */
int ana_chart_svg(const struct ana_chart *chart, FILE *out);
int ana_chart_mermaid(const struct ana_chart *chart, FILE *out);

/* Facts about a message behind its name: "Kx-1, 214 B, hop 1, sent 2 times, lost". */
#define ANA_CHART_FACTS 160
void ana_chart_facts(const struct ana_chart_message *message, char facts[ANA_CHART_FACTS]);

/* "+1.234 ms". */
void ana_chart_time(int64_t ns, char text[32]);

/* Whether the message reached somebody. */
bool ana_chart_arrived(const struct ana_chart_message *message);

#endif
