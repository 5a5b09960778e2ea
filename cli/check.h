/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of `qkdn check`: which files to check, one check, many checks in processes of their own. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "analysis/baseline.h"
#include "analysis/check.h"
#include "cli/cli.h"

/* One thing to check. */
struct cli_check_item {
    char *file;
    char *topology; /* NULL: the scenario's own network */
};

struct cli_check_items {
    struct cli_check_item *items;
    size_t count;
    bool failed; /* memory ran out */
};

/* Adds a scenario, or all *.yaml under a folder, in the order of their names; names that begin with a
 * dot are left out. 0, or QKD_ERR_INVALID (nothing there; why in error), QKD_ERR_NOMEM. */
int cli_check_files(struct cli_check_items *items, const char *path, struct ana_error *error);

/* Makes of each item one for each topology in a folder: *.yaml, and pairs X-nodes.csv and
 * X-links.csv, named X. The same errors. */
int cli_check_topologies(struct cli_check_items *items, const char *folder,
                         struct ana_error *error);
void cli_check_items_fini(struct cli_check_items *items);

/* What is the same for all checks. */
struct cli_check_plan {
    const char **sets; /* "path=value" */
    size_t set_count;
    int64_t until_ns;     /* 0: no */
    const char *baseline; /* results to compare with; NULL: none */
    struct ana_tolerance *tolerances;
    size_t tolerance_count;
    bool keep_figures;      /* they are to be stored */
    const char *outputs[3]; /* files that the command writes; NULL: none */
};

/* Loads, runs, judges, compares. Never fails: what goes wrong is in the check. */
void cli_check_run(const struct cli_check_plan *plan, const struct cli_check_item *item,
                   struct ana_check *check);

/* Runs all items, at most `parallel` at a time, each in a process of its own, so that a broken one
 * breaks nothing else. `done` gets the checks in the order of the items, as soon as it is a check's
 * turn, and takes over what is in it. Stops after Ctrl-C: items that were not begun are missing then.
 * 0, QKD_ERR_NOMEM or QKD_ERR_IO (no process could be started). */
struct cli_pool {
    const struct cli_check_plan *plan;
    const struct cli_check_items *items;
    size_t parallel;
    void (*done)(void *ctx, struct ana_check *check);
    void *ctx;
};
int cli_pool_run(const struct cli_pool *pool);

#endif
