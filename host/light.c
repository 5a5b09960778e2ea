/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The light of a link as one series of points. A degradation (fault `degraded`) changes all points in
 * its time: the key rate falls in proportion to the transmittance (10^(-loss/10): what a link makes far
 * from its greatest distance, where dark counts are few; own definition) and by the factor given, the
 * QBER grows by what is given. Several at once multiply and add up. As no world has to do anything when
 * one begins, the virtual worlds and the live one have the same light. */
#include "host/light.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "models/real.h"

#define MOST_QBER 0.5
#define NEPER_PER_DB 0.23025850929940458 /* ln(10) / 10 */

static bool concerns(const struct scn_fault *fault, uint32_t link)
{
    return fault->what == SCN_FAULT_DEGRADED && fault->target == SCN_TARGET_LINK &&
           fault->index == link;
}

static int64_t end_of(const struct scn_fault *fault)
{
    return fault->for_ns > INT64_MAX - fault->at_ns ? INT64_MAX : fault->at_ns + fault->for_ns;
}

static int instant_compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* What the model alone says from this instant on; *at: how much of a trace has begun. */
static struct mdl_point model_at(const struct scn_qkd *qkd, int64_t t_ns, size_t *at)
{
    if (qkd->model != SCN_QKD_TRACE) {
        return (struct mdl_point){t_ns, qkd->rate_bps, qkd->qber};
    }
    while (*at < qkd->trace_count && qkd->trace[*at].t_ns <= t_ns) {
        (*at)++;
    }
    return *at == 0
               ? (struct mdl_point){t_ns, 0, 0}
               : (struct mdl_point){t_ns, qkd->trace[*at - 1].rate_bps, qkd->trace[*at - 1].qber};
}

static void degrade(const struct scn_scenario *scenario, uint32_t link, struct mdl_point *point)
{
    double share = 1;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (concerns(fault, link) && fault->at_ns <= point->t_ns && point->t_ns < end_of(fault)) {
            share *= fault->rate * mdl_exp(-fault->loss_db * NEPER_PER_DB);
            point->qber += fault->qber;
        }
    }
    point->qber = point->qber > MOST_QBER ? MOST_QBER : point->qber;
    if (share < 1) {
        point->rate_bps = (uint64_t)((double)point->rate_bps * share);
    }
}

int host_light_points(const struct scn_scenario *scenario, uint32_t link, struct mdl_point **points,
                      size_t *count)
{
    const struct scn_qkd *qkd = &scenario->links[link].qkd;
    bool trace = qkd->model == SCN_QKD_TRACE;
    size_t model = trace ? qkd->trace_count : 1;
    size_t most = model;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        most += concerns(&scenario->faults[i], link) ? 2 : 0;
    }
    int64_t *instants = calloc(most, sizeof(*instants));
    *points = calloc(most, sizeof(**points));
    *count = 0;
    if (instants == NULL || *points == NULL) {
        free(instants);
        free(*points);
        *points = NULL;
        return QKD_ERR_NOMEM;
    }
    size_t used = trace ? 0 : 1; /* a constant rate begins at 0 */
    for (size_t i = 0; i < qkd->trace_count && trace; i++) {
        instants[used++] = qkd->trace[i].t_ns;
    }
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (concerns(fault, link)) {
            instants[used++] = fault->at_ns;
            if (end_of(fault) < INT64_MAX) {
                instants[used++] = end_of(fault);
            }
        }
    }
    qsort(instants, used, sizeof(*instants), instant_compare);
    size_t at = 0;
    for (size_t i = 0; i < used; i++) {
        if (i > 0 && instants[i] == instants[i - 1]) {
            continue;
        }
        struct mdl_point *point = &(*points)[(*count)++];
        *point = model_at(qkd, instants[i], &at);
        if (most > model) {
            degrade(scenario, link, point);
        }
    }
    free(instants);
    return 0;
}
