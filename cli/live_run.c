/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A live run: render, start, wait for time 0, crash and restart what the scenario says, stop, judge. */
#include "cli/live_run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/deploy.h"
#include "cli/judge.h"
#include "cli/progress.h"
#include "core/base/err.h"
#include "emu/attack/attack.h"
#include "emu/daemon/hosted.h"
#include "emu/deploy/fleet.h"
#include "emu/deploy/folder.h"
#include "emu/deploy/place.h"
#include "emu/deploy/render.h"
#include "emu/deploy/tap.h"

enum { POLL_MS = 100 };

#define LEAD_NS (3 * QKD_NS_PER_S)
#define LEAD_PER_DAEMON_NS (300 * QKD_NS_PER_MS) /* opening a key store takes CPU time on purpose */

/* What one fault of the scenario does to a daemon. */
enum stage { TO_COME, HOLDS, OVER };

struct live {
    const struct cli_live_run *run;
    struct emu_deployment *deployment;
    struct emu_fleet *fleet;
    int64_t epoch_ns;
    uint8_t *stages; /* enum stage of each fault */
    bool broken;     /* a daemon ended that should not have */
    pid_t attackers; /* 0: there are none */
};

int64_t cli_live_lead_ns(const struct scn_scenario *scenario)
{
    return LEAD_NS + LEAD_PER_DAEMON_NS * emu_place_count(scenario);
}

static int64_t run_time_ns(const struct live *live)
{
    return emu_wall().ns - live->epoch_ns;
}

/* ---- faults ---- */

/* A crash of a node is that of its key manager; controller and manager are daemons, too. */
static bool fault_is_ours(const struct scn_fault *fault)
{
    return (fault->target == SCN_TARGET_NODE || fault->target == SCN_TARGET_ELEMENT) &&
           fault->what == SCN_FAULT_CRASH && fault->output == 0;
}

/* Light, classical links and nodes that are down are made by the daemons themselves. */
static bool fault_is_theirs(const struct scn_fault *fault)
{
    switch (fault->what) {
    case SCN_FAULT_DEGRADED:
    case SCN_FAULT_QUANTUM:
    case SCN_FAULT_CLASSICAL:
    case SCN_FAULT_BOTH:
        return fault->target == SCN_TARGET_LINK || fault->target == SCN_TARGET_CLASSICAL;
    case SCN_FAULT_DOWN:
        return fault->target == SCN_TARGET_NODE;
    default:
        return false;
    }
}

static const char *entity_of(const struct scn_scenario *scenario, const struct scn_fault *fault)
{
    switch (fault->target) {
    case SCN_TARGET_LINK:
        return scenario->links[fault->index].id;
    case SCN_TARGET_NODE:
        return scenario->nodes[fault->index].id;
    case SCN_TARGET_CLASSICAL:
        return scenario->classical.links[fault->index].id;
    case SCN_TARGET_ELEMENT:
        return scn_element_name(fault->element);
    }
    return "?";
}

/* The daemon that crashes; numbers as in emu/deploy/place.h. */
static size_t daemon_of(const struct scn_scenario *scenario, const struct scn_fault *fault)
{
    return fault->target == SCN_TARGET_NODE
               ? fault->index
               : emu_place_of_element(scenario, (enum scn_fault_element)fault->element);
}

bool cli_live_able(const struct cli_command *self, const struct scn_scenario *scenario)
{
    if (scenario->measures_off != 0) {
        cli_complain(self,
                     "measures: they are never off in the live world: expected all of them on");
    }
    bool is_plain = scn_optical_count(scenario) == 0;
    if (!is_plain) {
        cli_complain(self, "network: the live world has no optical switches and relay points: "
                           "expected a scenario without them");
    }
    return is_plain && scenario->measures_off == 0;
}

bool cli_live_attackers_able(const struct cli_command *self, const struct scn_scenario *scenario,
                             bool run)
{
    bool good = true;
    for (size_t i = 0; i < scenario->attack_count; i++) {
        const struct scn_attack *attack = &scenario->attacks[i];
        const char *unable = emu_attack_unable(attack);
        if (unable == NULL && run && attack->surface == SCN_SURFACE_A1) {
            unable = "in a run applications ask within their key managers, and nothing passes at "
                     "A1: expected C or M, or qkdn up without --run and SAEs of your own";
        }
        if (unable != NULL) {
            cli_complain(self, "attack '%s': %s", attack->id, unable);
            good = false;
        }
    }
    return good;
}

/* Names each fault that this world cannot make; whether there is none. */
static bool faults_check(const struct cli_live_run *run)
{
    const struct scn_scenario *scenario = run->scenario;
    bool good = true;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (fault->at_ns < run->end_ns && !fault_is_ours(fault) && !fault_is_theirs(fault)) {
            cli_complain(
                run->outcome->command,
                "fault %zu (%s of %s, %" PRId64 " s): the live world cannot make it: "
                "expected quantum, degraded, classical or both of a link, down or a plain crash of "
                "a node",
                i + 1, scn_fault_name(fault->what), entity_of(scenario, fault),
                fault->at_ns / QKD_NS_PER_S);
            good = false;
        }
    }
    return good;
}

static int fault_tick(struct live *live, size_t number, int64_t now_ns, struct emu_why *why)
{
    const struct scn_fault *fault = &live->run->scenario->faults[number];
    size_t daemon = daemon_of(live->run->scenario, fault);
    if (live->stages[number] == TO_COME && fault->at_ns <= now_ns) {
        live->stages[number] = HOLDS;
        return emu_fleet_signal(live->fleet, daemon, SIGKILL);
    }
    if (live->stages[number] == HOLDS && fault->for_ns != SCN_FOREVER &&
        fault->at_ns + fault->for_ns <= now_ns && emu_fleet_daemon(live->fleet, daemon)->pid == 0) {
        live->stages[number] = OVER;
        return emu_fleet_restart(live->fleet, daemon, why);
    }
    return 0;
}

/* Whether a daemon is down because the scenario wants it so. */
static bool is_crashed(const struct live *live, size_t daemon)
{
    const struct scn_scenario *scenario = live->run->scenario;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        if (live->stages[i] == HOLDS && daemon_of(scenario, &scenario->faults[i]) == daemon) {
            return true;
        }
    }
    return false;
}

/* ---- the run ---- */

static void ended(struct live *live, const struct emu_fleet_event *event)
{
    if (is_crashed(live, event->daemon)) {
        return;
    }
    live->broken = true;
    const char *name = live->deployment->daemons[event->daemon].name;
    if (WIFSIGNALED(event->status)) {
        cli_complain(live->run->outcome->command, "%s was ended by signal %d", name,
                     WTERMSIG(event->status));
    } else {
        cli_complain(live->run->outcome->command, "%s ended with code %d, see %s/%s/log", name,
                     WEXITSTATUS(event->status), live->run->folder,
                     live->deployment->daemons[event->daemon].folder);
    }
}

static void step(struct live *live, struct emu_why *why)
{
    struct emu_fleet_event event = {.what = EMU_FLEET_NOTHING};
    emu_fleet_poll(live->fleet, POLL_MS, &event);
    if (event.what == EMU_FLEET_ENDED) {
        ended(live, &event);
    }
    int64_t now_ns = run_time_ns(live);
    const struct scn_scenario *scenario = live->run->scenario;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        if (fault_is_ours(&scenario->faults[i]) && fault_tick(live, i, now_ns, why) != 0) {
            cli_complain(live->run->outcome->command, "fault %zu: %s", i + 1, why->text);
            live->broken = true;
        }
    }
}

static void show(const struct live *live)
{
    if (!live->run->outcome->quiet && isatty(STDERR_FILENO)) {
        int64_t now_ns = run_time_ns(live);
        (void)fprintf(stderr, "\rlive: %" PRId64 " s of %" PRId64 " s  ", now_ns / QKD_NS_PER_S,
                      live->run->end_ns / QKD_NS_PER_S);
    }
}

static void show_end(const struct live *live)
{
    if (!live->run->outcome->quiet && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%40s\r", "");
    }
}

/* Until everything is ready; false: it is not when the run begins. */
static bool wait_ready(struct live *live, struct emu_why *why)
{
    while (!live->broken && cli_interrupted == 0 && !emu_fleet_is_ready(live->fleet) &&
           run_time_ns(live) < 0) {
        step(live, why);
        show(live);
    }
    if (live->broken || cli_interrupted != 0 || emu_fleet_is_ready(live->fleet)) {
        return !live->broken && cli_interrupted == 0;
    }
    for (size_t i = 0; i < live->deployment->count; i++) {
        const struct emu_fleet_daemon *daemon = emu_fleet_daemon(live->fleet, i);
        if (!daemon->ready) {
            cli_complain(live->run->outcome->command, "not ready when the run began: %s: %s",
                         live->deployment->daemons[i].name, daemon->missing);
        }
    }
    return false;
}

static int judge(const struct live *live, int64_t ended_ns)
{
    const struct cli_live_run *run = live->run;
    bool early = ended_ns < run->end_ns;
    struct cli_judge what = {.outcome = run->outcome,
                             .scenario = run->scenario,
                             .folder = run->folder,
                             .deployment = live->deployment,
                             .epoch_ns = live->epoch_ns,
                             .end_ns = early ? ended_ns : run->end_ns,
                             .interrupted = early};
    int exit_code = cli_judge_run(&what);
    return live->broken ? CLI_BROKEN : exit_code;
}

static void attackers_stop(struct live *live)
{
    if (!emu_attack_stop(live->attackers)) {
        cli_complain(live->run->outcome->command, "the attackers ended in disorder");
        live->broken = true;
    }
    live->attackers = 0;
}

static int play(struct live *live, struct emu_why *why)
{
    if (live->run->end_ns <= live->run->scenario->warmup_ns) {
        cli_complain(live->run->outcome->command,
                     "note: the run ends within the scenario's warm-up: no request will count");
    }
    cli_signals_catch();
    struct emu_attack_options attackers = {live->run->scenario, live->deployment, live->run->folder,
                                           live->epoch_ns};
    int err = emu_attack_start(&attackers, &live->attackers, why);
    err = err == 0 ? emu_fleet_start(live->fleet, why) : err;
    if (err != 0) {
        cli_complain(live->run->outcome->command, "%s", why->text);
        return cli_exit_of(err);
    }
    bool ready = wait_ready(live, why);
    while (ready && !live->broken && cli_interrupted == 0 &&
           run_time_ns(live) < live->run->end_ns) {
        step(live, why);
        show(live);
    }
    int64_t ended_ns = run_time_ns(live);
    show_end(live);
    attackers_stop(live);
    (void)emu_fleet_stop(live->fleet);
    return ready && ended_ns > 0 ? judge(live, ended_ns) : CLI_BROKEN;
}

/* Their key is in the clear: they go as soon as they are judged. */
static void flights_remove(const struct live *live)
{
    const struct cli_live_run *run = live->run;
    struct emu_why why;
    char path[EMU_PATH_SIZE + sizeof(live->deployment->daemons[0].folder) + 16];
    if (run->keep) {
        cli_complain(run->outcome->command,
                     "note: the flight records are kept, AND CONTAIN KEY: %s/*/flight",
                     run->folder);
        return;
    }
    for (size_t i = 0; i < live->deployment->count; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s/flight", run->folder,
                       live->deployment->daemons[i].folder);
        if (emu_file_shred(path, &why) != 0) {
            cli_complain(run->outcome->command, "%s; it contains key", why.text);
        }
    }
}

int cli_live_run(const struct cli_live_run *run)
{
    struct live live = {.run = run};
    struct emu_why why = {.text = ""};
    if (!faults_check(run)) {
        return CLI_BAD_INPUT;
    }
    live.epoch_ns = emu_wall().ns +
                    (run->lead_ns > 0 ? run->lead_ns : cli_live_lead_ns(run->scenario));
    live.stages = calloc(run->scenario->fault_count + 1, sizeof(*live.stages));
    struct emu_render how = {.folder = run->folder,
                             .force = run->force,
                             .hosts = run->hosts,
                             .epoch_ns = live.epoch_ns,
                             .keys = EMU_KEYS_SCENARIO,
                             .load = EMU_LOAD_SCENARIO,
                             .flight = true};
    struct emu_fleet_options options = {.folder = run->folder, .programs = run->programs};
    int err = live.stages == NULL ? emu_fail(&why, QKD_ERR_NOMEM, "no memory")
                                  : cli_deploy_check(&options, &how, run->scenario, &why);
    err = err == 0 ? emu_render(run->scenario, &how, &live.deployment, &why) : err;
    if (err == 0) {
        err = emu_fleet_new(&options, &live.fleet, &why);
        if (err != 0 && !run->force) {
            (void)emu_folder_remove(run->folder, NULL); /* made for this, and of no use */
        }
    }
    int exit_code;
    if (err == 0) {
        exit_code = play(&live, &why);
    } else {
        cli_complain(run->outcome->command, "%s", why.text);
        exit_code = err == QKD_ERR_EXISTS ? CLI_BAD_INPUT : cli_exit_of(err);
    }
    attackers_stop(&live);
    emu_fleet_free(live.fleet);
    if (live.deployment != NULL) {
        flights_remove(&live);
    }
    emu_deployment_free(live.deployment);
    free(live.stages);
    return exit_code;
}
