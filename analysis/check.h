/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The result of checking one scenario: what was checked, point by point, and what came out. It is
 * made where the scenario was run, travels as bytes (a check may run in a process of its own), and
 * is written as TAP, JUnit XML or JSON. */
#ifndef ANA_CHECK_H
#define ANA_CHECK_H

#include <stdio.h>

#include "analysis/compare.h"
#include "analysis/json.h"
#include "scenarios/outcome.h"

enum ana_verdict {
    ANA_PASS,
    ANA_FAIL,  /* an expectation, a rule or a comparison failed */
    ANA_ERROR, /* it could not be judged: a scenario that does not load, a run that broke */
    ANA_SKIP   /* there was nothing to judge */
};

/* One line of a report. */
struct ana_point {
    char *name; /* "runs to its end", "served_fraction >= 0.99" */
    enum ana_verdict verdict;
    bool has_value;
    double value;  /* of an expectation; NAN: the run gave none */
    bool compares; /* with the stored run: check.comparison has the details */
    char *where;   /* "file:line:column" of an expectation; "" */
    char *text;    /* what is wrong, one or more lines; "" */
};

struct ana_check {
    char *file;     /* as given */
    char *topology; /* the file of the network; "": the scenario's own */
    char *scenario; /* its name; "" if it did not load */
    char *engine;   /* "" if it did not run */
    uint64_t seed;
    char *digest; /* trace digest, 16 hexadecimal digits; "" */
    double sim_s, wall_s;
    int exit_code; /* what this check alone makes the command return */
    struct ana_point *points;
    size_t point_count;
    struct ana_figures figures;       /* to be stored; empty if nobody wants them */
    struct ana_comparison comparison; /* with a stored run; empty without one */
    bool failed;                      /* memory ran out: the result is not complete */
    bool overwrites;                  /* a report would go over a file that the scenario names */
};

void ana_check_init(struct ana_check *check, const char *file, const char *topology);
void ana_check_fini(struct ana_check *check);

/* Adds a point; texts are copied. The pointer is valid until the next one is added; NULL without
 * memory. */
struct ana_point *ana_check_add(struct ana_check *check, const char *name, enum ana_verdict verdict,
                                const char *text);

/* Adds a point that failed because of these lines. */
void ana_check_add_lines(struct ana_check *check, const char *name, enum ana_verdict verdict,
                         char *const *lines, size_t count);

/* Adds the points of a run that came to its end, or to its first violation: the rules, and each
 * expectation as judged. Takes name, engine, seed, digest and times from it. */
void ana_check_judge(struct ana_check *check, const struct scn_scenario *scenario,
                     const struct scn_summary *summary);

/* Adds the point of a comparison with a stored run, which moves into the check. */
void ana_check_compared(struct ana_check *check, struct ana_comparison *comparison);

/* "scenarios/line-3.yaml", or "scenarios/line-3.yaml on ring.yaml", for people; to be freed. */
char *ana_check_title(const struct ana_check *check);

/* How many points ended so. */
size_t ana_check_count(const struct ana_check *check, enum ana_verdict verdict);

/* Writes the check as bytes that ana_check_unpack of the same program reads; false: not written. */
bool ana_check_pack(const struct ana_check *check, FILE *out);

/* False if the bytes are no check: the writer did not come to its end. */
bool ana_check_unpack(struct ana_check *check, const char *bytes, size_t len);

/* ---- reports ---- */

/* TAP version 13. `number` is that of the last point so far and is moved on. */
void ana_tap_begin(FILE *out);
void ana_tap_check(FILE *out, const struct ana_check *check, size_t *number);
void ana_tap_end(FILE *out, size_t number);

/* JUnit XML: one testsuite for each check, one testcase for each point. `started` is UTC,
 * "2026-01-31T12:00:00". */
void ana_junit_write(FILE *out, const struct ana_check *checks, size_t count, const char *started);

/* {"schema", "passed", "failed", ..., "checks": [...]}. */
void ana_checks_json(struct ana_json *json, const struct ana_check *checks, size_t count);

#endif
