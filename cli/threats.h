/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The threats of X.1712 run one by one (docs/security.md). Each attack of a cell runs with the measure that
 * stands against it switched off, where it must succeed, and with all measures on, where it must not. Where a
 * later stage catches what the first one let pass, there is a further run without that stage too; where the
 * surface lies within a node, one more with the node inside the demarcation boundary. */
#ifndef CLI_THREATS_H
#define CLI_THREATS_H

#include <stdio.h>

#include "scenarios/outcome.h"
#include "scenarios/scenario.h"

enum cli_threat_verdict {
    CLI_THREAT_PASS,
    CLI_THREAT_PARTLY,     /* what was run passes, but not all of its attacks have been built */
    CLI_THREAT_FAIL,       /* it succeeds although all measures are on, or a rule was broken */
    CLI_THREAT_VACUOUS,    /* it does not succeed without the measure either: nothing is shown */
    CLI_THREAT_NO_TRAFFIC, /* nothing passed that it could have touched */
    CLI_THREAT_NOT_RUN     /* no attack of this cell has been built */
};

enum cli_threat_kind {
    CLI_THREAT_OFF,
    CLI_THREAT_ON,
    CLI_THREAT_LATER,  /* without the later stage, too */
    CLI_THREAT_INSIDE, /* measure off, node inside the boundary */
    CLI_THREAT_KINDS
};

/* What one run showed. */
struct cli_threat_run {
    bool done;
    double gain; /* the figure that shows success; the attack succeeded if it is above 0 */
    uint64_t served, total, violations, excused;
    /* Requests of others than the attacker that a benign run serves, and key spent beyond what a benign run
     * spends for as many keys: where one with the same measures was run, and of the run with all on. */
    uint64_t honest_lost, waste_bits;
    uint64_t mismatched; /* pairs of supplied keys that differ */
    struct scn_attack_summary attack;
};

struct cli_threat {
    size_t variant; /* in scn_variants */
    struct cli_threat_run run[CLI_THREAT_KINDS];
    enum cli_threat_verdict verdict;
};

/* How often forged frames are accepted: [0] with tags of 8 bits, [1] with full ones. */
struct cli_tags {
    bool done;
    uint64_t tries[2], accepted[2];
    double expected, spread; /* of the former, where each try succeeds with 2^-8 */
    double most_95;          /* of the latter: 3 / tries, if none did */
    double bound;            /* of one try, by proof */
    bool short_good, full_good;
};

/* Where they run. */
struct cli_threats {
    const char *network; /* "line", "random", or a scenario file */
    uint64_t seed;
    uint64_t base_served, base_total; /* of the benign run, which must be without fault */
    uint64_t base_spent_bits;
    int64_t at_ns, for_ns;  /* when attacks are there, unless the attack says for how long */
    uint32_t flooder;       /* application that floods in floods of requests */
    struct cli_threat *all; /* of scn_variants, those wanted */
    size_t count;
    bool wanted[SCN_CELLS];
    struct cli_tags tags;
    struct scn_errors errors; /* of the scenario */
    char why[256];            /* when cli_threats_run() fails */
};

/* Runs the attacks of the cells with a true flag, in the order of the tables. 0, QKD_ERR_INVALID (the
 * scenario: errors), or the error of a run (why). cli_threats_fini() in every case. */
int cli_threats_run(struct cli_threats *threats, const bool wanted[SCN_CELLS]);
void cli_threats_fini(struct cli_threats *threats);

/* threats_tags.c: fills tags. As above. */
int cli_threats_tags(struct cli_threats *threats);

/* Of all its variants: the worst; NOT_RUN if it has none. */
enum cli_threat_verdict cli_threats_cell(const struct cli_threats *threats, size_t cell);

const char *cli_threat_verdict_name(enum cli_threat_verdict verdict);
const char *cli_threat_kind_name(enum cli_threat_kind kind);

/* The overrides that replay a run: attacks=[...], measures={...} and what messages cost, security={...}. */
struct cli_threat_sets {
    char attacks[256], measures[256], costs[256];
};
void cli_threat_sets(const struct cli_threats *threats, const struct scn_variant *variant,
                     enum cli_threat_kind kind, struct cli_threat_sets *sets);

/* ---- requirements SReq.1 to 25 ---- */

enum { CLI_REQUIREMENTS = 25 };
bool cli_requirement_is_required(int number); /* "is required to", not "is recommended" */
const char *cli_requirement_text(int number);
/* Whether a cell is evidence for it. */
bool cli_requirement_has(int number, size_t cell);

/* Of all cells that are evidence for a requirement: "pass", "partly", "fail", "not run". */
const char *cli_requirement_verdict(const struct cli_threats *threats, int number);

/* ---- threats_points.c: D2.3, clause 10 ---- */

enum cli_property {
    CLI_CONFIDENTIALITY,
    CLI_INTEGRITY,
    CLI_AUTHENTICATION,
    CLI_AUTHORIZATION,
    CLI_AVAILABILITY,
    CLI_ACCOUNTABILITY,
    CLI_PROPERTIES
};
extern const char *const cli_property_names[CLI_PROPERTIES];

struct cli_point {
    const char *name;
    enum scn_surface surface; /* SCN_SURFACES: none of X.1712 */
    const char *between;
};
enum { CLI_POINTS = 14 };
extern const struct cli_point cli_points[CLI_POINTS];

struct cli_point_verdict {
    enum cli_threat_verdict verdict; /* the worst of the attacks that speak for it */
    size_t attacks;                  /* so many */
};
struct cli_point_verdict cli_point_judge(const struct cli_threats *threats,
                                         const struct cli_point *point, enum cli_property property);

/* The verdict in words; "not in X.1712" where none of its surfaces is. */
const char *cli_point_text(const struct cli_threats *threats, const struct cli_point *point,
                           enum cli_property property);

/* ---- threats_page.c, threats_junit.c, threats_json.c ---- */

/* False: no memory. */
bool cli_threats_json(FILE *out, const struct cli_threats *threats);

/* One page of HTML that needs nothing else. */
void cli_threats_page(FILE *out, const struct cli_threats *threats);

/* JUnit XML: a suite for each cell, a case for each attack. False: no memory. */
bool cli_threats_junit(FILE *out, const struct cli_threats *threats, const char *started);

#endif
