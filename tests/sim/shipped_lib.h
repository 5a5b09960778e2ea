/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a shipped scenario as `qkdn run` does and judges its expectations. */
#ifndef QKD_TESTS_SHIPPED_LIB_H
#define QKD_TESTS_SHIPPED_LIB_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/expect.h"
#include "sim/run.h"

struct shipped {
    struct scn_scenario *scenario;
    struct scn_summary summary;
    size_t failed; /* expectations */
};

/* Overrides as for --set; NULL: none. To be given to shipped_end(). */
static inline void shipped_run(struct shipped *run, const char *path, const struct scn_sets *sets,
                               enum scn_engine engine)
{
    struct scn_errors errors;
    char why[256] = "";
    int err = scn_load(path, sets, &run->scenario, &errors);
    ck_assert_msg(err == 0, "%s", errors.count > 0 ? errors.lines[0] : "no message");
    scn_errors_fini(&errors);
    struct sim_options options = {
        .has_engine = true, .engine = engine, .why = why, .why_size = sizeof(why)};
    ck_assert_msg(sim_run(run->scenario, &options, &run->summary) == 0, "%s: %s", path, why);
    ck_assert_msg(run->summary.oracle.violations == 0, "%s: %s", path, run->summary.oracle.first);
    ck_assert_uint_gt(run->summary.oracle.checks, 0);
    run->failed = ana_expect_judge(run->scenario, &run->summary);
}

static inline void shipped_end(struct shipped *run)
{
    scn_summary_fini(&run->summary);
    scn_free(run->scenario);
}

/* Runs it and ends the test at the first expectation that does not hold. */
static inline void shipped_check(const char *path, enum scn_engine engine)
{
    struct shipped run;
    shipped_run(&run, path, NULL, engine);
    ck_assert_uint_gt(run.scenario->expect_count, 0);
    for (size_t i = 0; i < run.summary.verdict_count; i++) {
        ck_assert_msg(run.summary.verdicts[i].pass, "%s: %s (is %g)", path,
                      run.scenario->expects[i].text, run.summary.verdicts[i].value);
    }
    ck_assert_uint_eq(run.failed, 0);
    shipped_end(&run);
}

#endif
