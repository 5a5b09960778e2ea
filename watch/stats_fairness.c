/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of fairness: what the applications of a class got, and how evenly (Jain's index). */
#include <math.h>

#include "watch/stats_state.h"

struct sums {
    double x, squares;
    uint64_t count;
};

static void sums_add(struct sums *sums, double x)
{
    sums->x += x;
    sums->squares += x * x;
    sums->count++;
}

static double jain(const struct sums *sums)
{
    return sums->squares > 0 ? sums->x * sums->x / ((double)sums->count * sums->squares) : NAN;
}

static void requests_add(struct scn_requests *to, const struct scn_requests *more)
{
    to->total += more->total;
    to->served += more->served;
    to->refused += more->refused;
    to->timed_out += more->timed_out;
    to->failed += more->failed;
    to->pending += more->pending;
}

/* The less of two, of which either may be unknown. */
static double less(double a, double b)
{
    return isnan(a) || b < a ? b : a;
}

static struct scn_class_summary class_sum(const struct scn_scenario *scenario,
                                          const struct scn_summary *summary, uint32_t class_index)
{
    struct scn_class_summary class = {0};
    struct sums bits = {0};
    struct sums served = {0};
    for (size_t i = 0; i < scenario->application_count; i++) {
        const struct scn_application *app = &scenario->applications[i];
        const struct scn_application_summary *got = &summary->applications[i];
        bool is_of = class_index < scenario->class_count ? app->class_index == class_index
                                                         : app->class_index == UINT32_MAX;
        if (!is_of || got->requests.total == 0) {
            continue;
        }
        class.applications++;
        requests_add(&class.requests, &got->requests);
        class.asked_bits += got->requests.total * app->count * app->key_bits;
        class.supplied_bits += got->supplied_bits;
        sums_add(&bits, (double)got->supplied_bits);
        sums_add(&served, scn_served_fraction(&got->requests));
    }
    class.jain_bits = jain(&bits);
    class.jain_served = jain(&served);
    return class;
}

void watch_fairness_finish(const struct scn_scenario *scenario, struct scn_summary *summary)
{
    summary->class_count = scenario->class_count + 1;
    summary->fairness.jain_bits = summary->fairness.jain_served = NAN;
    for (uint32_t c = 0; c < summary->class_count; c++) {
        summary->classes[c] = class_sum(scenario, summary, c);
        summary->fairness.jain_bits = less(summary->fairness.jain_bits,
                                           summary->classes[c].jain_bits);
        summary->fairness.jain_served = less(summary->fairness.jain_served,
                                             summary->classes[c].jain_served);
    }
}
