/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From flight records to results. */
#include "cli/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "emu/attack/attack.h"
#include "emu/deploy/place.h"
#include "emu/deploy/secrets.h"
#include "emu/flight/replay.h"

#define PATH_SIZE 1200

/* Files of all daemons, and their names. */
struct flights {
    char (*paths)[PATH_SIZE];
    const char **list;
    size_t count;
};

static int flights_name(const struct cli_judge *judge, struct flights *flights)
{
    flights->count = judge->deployment->count;
    flights->paths = calloc(flights->count, sizeof(*flights->paths));
    flights->list = calloc(flights->count, sizeof(*flights->list));
    if (flights->paths == NULL || flights->list == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < flights->count; i++) {
        (void)snprintf(flights->paths[i], PATH_SIZE, "%s/%s/flight", judge->folder,
                       judge->deployment->daemons[i].folder);
        flights->list[i] = flights->paths[i];
    }
    return 0;
}

static void flights_fini(struct flights *flights)
{
    free(flights->paths);
    free(flights->list);
}

/* As the key manager at the first end of the link derived it. */
static void on_bootstrap(void *ctx, uint32_t link, uint8_t *to, size_t len)
{
    const struct cli_judge *judge = ctx;
    const struct scn_link *of = &judge->scenario->links[link];
    char name[EMU_PLACE_NAME_SIZE];
    char path[PATH_SIZE];
    struct emu_secrets *secrets = NULL;
    memset(to, 0, len);
    /* The number of a node's key manager is the node's. */
    (void)snprintf(path, sizeof(path), "%s/%s/secrets", judge->folder,
                   judge->deployment->daemons[of->a].folder);
    if (emu_secrets_load(path, &secrets, NULL) == 0) {
        emu_place_name(judge->scenario, of->b, name);
        (void)emu_secrets_bootstrap(secrets, name, of->id, to, len);
    }
    emu_secrets_free(secrets);
}

static int replay(const struct cli_judge *judge, const struct host_plan *plan,
                  const struct flights *flights, struct ana_store *store)
{
    struct cli_judge copy = *judge;
    struct emu_replay what = {.plan = plan,
                              .flights = flights->list,
                              .flight_count = flights->count,
                              .epoch_ns = judge->epoch_ns,
                              .end_ns = judge->end_ns,
                              .ctx = &copy,
                              .bootstrap = on_bootstrap};
    if (store != NULL) {
        ana_store_sink(store, &what.sink);
    }
    struct scn_summary summary;
    struct emu_why why;
    int err = emu_replay_run(&what, &summary, &why);
    if (err == 0 && judge->scenario->attack_count > 0) {
        struct emu_attack_options attackers = {judge->scenario, judge->deployment, judge->folder,
                                               judge->epoch_ns};
        err = emu_attack_judge(&attackers, flights->list, &summary, &why);
    }
    int exit_code = CLI_BROKEN;
    if (err == 0) {
        summary.interrupted = judge->interrupted;
        exit_code = cli_outcome_conclude(judge->outcome, judge->scenario, &summary, store);
    } else {
        cli_complain(judge->outcome->command, "%s", why.text);
        exit_code = err == QKD_ERR_INVALID ? CLI_BAD_INPUT : CLI_BROKEN;
        if (store != NULL) {
            ana_store_abandon(store);
        }
    }
    scn_summary_fini(&summary);
    return exit_code;
}

int cli_judge_run(const struct cli_judge *judge)
{
    struct flights flights = {0};
    struct host_plan *plan = NULL;
    struct ana_store *store = NULL;
    int exit_code = CLI_BROKEN;
    if (host_plan_new(judge->scenario, &plan) != 0 || flights_name(judge, &flights) != 0) {
        cli_complain(judge->outcome->command, "no memory");
    } else {
        exit_code = cli_outcome_open(judge->outcome, judge->scenario, &store);
        if (exit_code == CLI_DONE) {
            exit_code = replay(judge, plan, &flights, store);
        }
    }
    flights_fini(&flights);
    host_plan_free(plan);
    return exit_code;
}
