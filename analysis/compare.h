/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run compared with an earlier one: which figures got worse, by more than a tolerance. Which way
 * is worse, and what is compared unless one says otherwise, is one table (docs/ci.md shows it). */
#ifndef ANA_COMPARE_H
#define ANA_COMPARE_H

#include <stdbool.h>

#include "analysis/error.h"
#include "analysis/figures.h"
#include "analysis/json.h"

#define ANA_TOLERANCE 0.05 /* unless one says otherwise: of the earlier value */

/* How far a figure may get worse. */
struct ana_tolerance {
    char figure[SCN_EXPECT_SIZE]; /* name in its scope; "": of all that are compared anyway */
    enum scn_scope scope;
    char pattern[SCN_ID_SIZE]; /* of links or applications; "" for the run */
    bool off;                  /* the figure is not compared */
    bool is_absolute;          /* amount is in the figure's unit, not a share */
    double amount;
};

/* Reads "5%", "latency_s.p95=10%", "link[AB].pool_min_bits=5000", "relay.hops_mean=off". 0, or
 * QKD_ERR_INVALID with what is wrong. */
int ana_tolerance_parse(struct ana_tolerance *tolerance, const char *text, struct ana_error *error);

enum ana_change { ANA_WITHIN, ANA_BETTER, ANA_WORSE };

struct ana_difference {
    char figure[SCN_EXPECT_SIZE]; /* "latency_s.p95", "link[AB].pool_min_bits" */
    double before, after;         /* NAN: no value */
    double slack;                 /* how far it might get worse, in its unit */
    enum ana_change change;
};

struct ana_comparison {
    bool found;                         /* there was an earlier run */
    char note[160];                     /* what to know when reading it; "" */
    char wrong[160];                    /* why it cannot be compared; "" */
    char scenario[SCN_NAME_SIZE];       /* name, */
    char topology[SCN_NAME_SIZE];       /* and file name of the network or "" */
    size_t compared, worse, better;     /* figures */
    struct ana_difference *differences; /* that changed; worse ones first, then better ones */
    size_t count;
};

/* Compares; tolerances later in the list win. 0 or QKD_ERR_NOMEM. */
int ana_compare(const struct ana_figures *before, const struct ana_figures *after,
                const struct ana_tolerance *tolerances, size_t tolerance_count,
                struct ana_comparison *comparison);
void ana_comparison_fini(struct ana_comparison *comparison);

/* A table of what got worse, and how much else changed; nothing if nothing changed. */
void ana_comparison_print(FILE *out, const struct ana_comparison *comparison);
void ana_comparison_json(struct ana_json *json, const char *name,
                         const struct ana_comparison *comparison);

/* A page of all differences of several runs, complete in itself: HTML or Markdown. */
void ana_comparison_page(FILE *out, bool html, const struct ana_comparison *const *comparisons,
                         size_t count);

bool ana_comparison_pack(const struct ana_comparison *comparison, FILE *out);
bool ana_comparison_unpack(struct ana_comparison *comparison, FILE *in);

#endif
