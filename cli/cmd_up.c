/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn up`: starts all daemons of a network on this machine, and stays with them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/choices.h"
#include "cli/deploy.h"
#include "cli/live_run.h"
#include "cli/options.h"
#include "cli/up_text.h"
#include "core/base/err.h"
#include "emu/attack/attack.h"
#include "emu/deploy/render.h"

#define READY_S 60
#define READY_MAX_S 86400
#define POLL_MS 500

enum {
    OPT_DIR,
    OPT_PORT,
    OPT_SET,
    OPT_FORCE,
    OPT_RESTART,
    OPT_DETACH,
    OPT_TIMEOUT,
    OPT_BIN,
    OPT_RUN,
    OPT_OUTPUT,
    OPT_RECORD,
    OPT_UNTIL,
    OPT_KEEP,
    OPT_JSON,
    OPT_QUIET
};

static const struct cli_option options[] = {
    {"--dir", true},      {"--base-port", true}, {"--set", true},     {"--force", false},
    {"--restart", false}, {"--detach", false},   {"--timeout", true}, {"--bin", true},
    {"--run", false},     {"-o", true},          {"--record", true},  {"--until", true},
    {"--keep", false},    {"--json", false},     {"--quiet", false},  {NULL, false}};

static const struct cli_command *const self = &cli_up_command;

static volatile sig_atomic_t signals; /* that ask for the end */

static void on_signal(int number)
{
    (void)number;
    signals++;
}

struct settings {
    struct emu_render render;
    struct emu_fleet_options fleet;
    const char *scenario; /* file; NULL: a deployment that is there */
    const char *dir;
    const char **sets;
    size_t set_count;
    uint64_t ready_s;
    bool detach, json, quiet;
    bool run;  /* the scenario's load, and judge it */
    bool keep; /* its flight records */
    bool timeout_given, record_given;
    struct cli_outcome outcome;
    struct cli_choices choices; /* --until */
    char folder[EMU_PATH_SIZE];
    int tell; /* detached: where to say that all are ready; else -1 */
};

/* ---- the command line ---- */

static bool timeout_read(struct settings *settings, const char *text)
{
    settings->timeout_given = true;
    if (cli_uint(text, &settings->ready_s) && settings->ready_s >= 1 &&
        settings->ready_s <= READY_MAX_S) {
        return true;
    }
    (void)cli_usage(self, "--timeout '%s': expected a number of seconds, 1 to %d", text,
                    READY_MAX_S);
    return false;
}

/* Options of --run. */
static bool run_option_read(struct settings *settings, int got, const char *value)
{
    switch (got) {
    case OPT_RUN:
        settings->run = true;
        return true;
    case OPT_OUTPUT:
        settings->outcome.output = value;
        return true;
    case OPT_UNTIL:
        return cli_choose_until(&settings->choices, self, value);
    case OPT_KEEP:
        settings->keep = true;
        return true;
    default: /* OPT_RECORD */
        settings->record_given = true;
        return cli_choose_record(&settings->outcome.record, self, value);
    }
}

static bool option_read(void *ctx, int got, const char *value)
{
    struct settings *settings = ctx;
    switch (got) {
    case OPT_RUN:
    case OPT_OUTPUT:
    case OPT_RECORD:
    case OPT_UNTIL:
    case OPT_KEEP:
        return run_option_read(settings, got, value);
    case OPT_DIR:
        settings->dir = value;
        return true;
    case OPT_PORT:
        return cli_port_read(self, value, &settings->render.hosts.base_port);
    case OPT_SET:
        settings->sets[settings->set_count++] = value;
        return true;
    case OPT_FORCE:
        settings->render.force = true;
        return true;
    case OPT_RESTART:
        settings->fleet.restart = true;
        return true;
    case OPT_DETACH:
        settings->detach = true;
        return true;
    case OPT_TIMEOUT:
        return timeout_read(settings, value);
    case OPT_BIN:
        settings->fleet.programs = value;
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_QUIET:
        settings->quiet = true;
        return true;
    default:
        if (settings->scenario != NULL) {
            (void)cli_usage(self, "one scenario at a time, not also '%s'", value);
            return false;
        }
        settings->scenario = value;
        return true;
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_read, settings, exit_code)) {
        return false;
    }
    if (settings->scenario == NULL && settings->dir == NULL) {
        (void)cli_usage(self, "which scenario file? or which deployment: --dir DIR");
        return false;
    }
    if (settings->scenario == NULL && (settings->set_count > 0 || settings->render.force ||
                                       settings->render.hosts.base_port != 0)) {
        (void)cli_usage(self, "--set, --force and --base-port are for a new deployment: name a "
                              "scenario file");
        return false;
    }
    if (settings->run &&
        (settings->scenario == NULL || settings->detach || settings->fleet.restart)) {
        (void)cli_usage(self, "--run takes a scenario file, and neither --detach nor --restart");
        return false;
    }
    if (!settings->run && (settings->outcome.output != NULL || settings->choices.until != NULL ||
                           settings->record_given || settings->keep)) {
        (void)cli_usage(self, "-o, --record, --until and --keep are for --run");
        return false;
    }
    return true;
}

/* ---- the deployment ---- */

/* Nobody may run what is about to be replaced. */
static int not_up(const char *folder)
{
    struct emu_fleet_state state;
    int err = emu_fleet_look(folder, &state, NULL);
    pid_t pid = state.pid;
    emu_fleet_state_fini(&state);
    if (err == QKD_OK && pid != 0) {
        cli_complain(self, "%s is up already (process %ld)", folder, (long)pid);
        return CLI_BAD_INPUT;
    }
    return CLI_DONE;
}

/* Where the deployment is to be, and that nobody runs what is there. */
static int place(struct settings *settings)
{
    int code = CLI_DONE;
    if (settings->dir == NULL) {
        settings->render.force = true; /* what is left there is of an earlier `up` */
        code = cli_deploy_place(self, settings->scenario, settings->folder);
        code = code == CLI_DONE ? cli_deploy_claim(self, settings->scenario, settings->folder)
                                : code;
    }
    return code == CLI_DONE ? not_up(settings->folder) : code;
}

static int live_run(struct settings *settings, const struct scn_scenario *scenario)
{
    settings->outcome.force =
        settings->render.force; /* place() may replace its own folder unasked */
    int code = place(settings);
    if (code != CLI_DONE) {
        return code;
    }
    int64_t end_ns = scenario->duration_ns;
    if (settings->choices.until_ns > 0 && settings->choices.until_ns < end_ns) {
        end_ns = settings->choices.until_ns;
    }
    settings->outcome.command = self;
    settings->outcome.json = settings->json;
    settings->outcome.quiet = settings->quiet;
    struct cli_live_run run = {.outcome = &settings->outcome,
                               .scenario = scenario,
                               .hosts = settings->render.hosts,
                               .folder = settings->folder,
                               .force = settings->render.force,
                               .programs = settings->fleet.programs,
                               .lead_ns = settings->timeout_given
                                              ? (int64_t)settings->ready_s * QKD_NS_PER_S
                                              : 0,
                               .keep = settings->keep,
                               .end_ns = end_ns};
    code = cli_live_run(&run);
    if (settings->dir == NULL) {
        cli_deploy_note(settings->scenario, settings->folder);
    }
    return code;
}

static int render(struct settings *settings, const struct scn_scenario *scenario)
{
    struct emu_why why;
    int code = place(settings);
    if (code != CLI_DONE) {
        return code;
    }
    settings->render.folder = settings->folder;
    int err = cli_deploy_check(&settings->fleet, &settings->render, scenario, &why);
    err = err == QKD_OK ? emu_render(scenario, &settings->render, NULL, &why) : err;
    if (err != QKD_OK) {
        cli_complain(self, "%s", why.text);
    } else if (settings->dir == NULL) {
        cli_deploy_note(settings->scenario, settings->folder);
    }
    return cli_exit_of(err);
}

/* Makes the deployment, or takes the one that is there; its scenario. */
static int prepare(struct settings *settings, struct scn_scenario **scenario)
{
    char path[EMU_PATH_SIZE];
    struct emu_why why;
    struct scn_errors errors;
    struct scn_sets sets = {settings->sets, settings->set_count};
    int err = QKD_OK;
    if (settings->dir != NULL) {
        err = emu_path_join(settings->folder, settings->dir, "", &why);
    }
    if (err == QKD_OK && settings->scenario == NULL) {
        err = emu_path_join(path, settings->folder, "scenario.yaml", &why);
    }
    if (err != QKD_OK) {
        cli_complain(self, "%s", why.text);
        return cli_exit_of(err);
    }
    if (settings->scenario == NULL && access(path, F_OK) != 0) {
        return CLI_DONE; /* several hosts, or no deployment: the fleet says so */
    }
    err = cli_scenario_load(settings->scenario == NULL ? path : settings->scenario, &sets, scenario,
                            &errors);
    if (err != QKD_OK) {
        cli_errors_print(&errors);
    }
    scn_errors_fini(&errors);
    if (err != QKD_OK) {
        return err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
    }
    if (!cli_live_able(self, *scenario) ||
        !cli_live_attackers_able(self, *scenario, settings->run)) {
        return CLI_BAD_INPUT;
    }
    return settings->scenario == NULL || settings->run ? CLI_DONE : render(settings, *scenario);
}

/* ---- running ---- */

/* Waits until all are ready, or a signal asks for the end. */
static int await_ready(const struct settings *settings, struct emu_fleet *fleet)
{
    int64_t until = emu_probe_now_ms() + (int64_t)settings->ready_s * 1000;
    while (signals == 0 && emu_probe_now_ms() < until) {
        struct emu_fleet_event event;
        emu_fleet_poll(fleet, POLL_MS, &event);
        if (event.what == EMU_FLEET_READY) {
            return CLI_DONE;
        }
        cli_up_event(self, fleet, &event);
        if (event.what == EMU_FLEET_ENDED && !settings->fleet.restart) {
            return CLI_BROKEN;
        }
    }
    if (signals > 0) {
        return settings->detach ? CLI_BROKEN : CLI_DONE; /* asked for; detached: none is there */
    }
    cli_complain(self, "not ready in %llu s:", (unsigned long long)settings->ready_s);
    cli_up_missing(fleet);
    return CLI_BROKEN;
}

/* Stays until it is asked to end, or a daemon ends that is not to be started again. */
static int stay(const struct settings *settings, struct emu_fleet *fleet)
{
    while (signals == 0) {
        struct emu_fleet_event event;
        emu_fleet_poll(fleet, POLL_MS, &event);
        cli_up_event(self, fleet, &event);
        if (event.what == EMU_FLEET_ENDED && !settings->fleet.restart) {
            return CLI_BROKEN;
        }
    }
    return CLI_DONE;
}

/* Detached: tells whoever waits that all are ready, and lets go of the terminal. */
static void let_go(struct settings *settings)
{
    char path[EMU_PATH_SIZE];
    (void)fflush(stdout);
    if (settings->tell < 0) {
        return;
    }
    int log = emu_path_join(path, settings->folder, "up.log", NULL) == QKD_OK
                  ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                  : -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(log >= 0 ? log : null, STDOUT_FILENO);
    (void)dup2(log >= 0 ? log : null, STDERR_FILENO);
    char done = CLI_DONE;
    (void)!write(settings->tell, &done, 1);
    (void)close(settings->tell);
    settings->tell = -1;
}

static void signals_take(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup */
        (void)sigaction(SIGHUP, &action, NULL);
    }
}

static int fleet_run(struct settings *settings, const struct scn_scenario *scenario)
{
    struct emu_fleet *fleet = NULL;
    struct emu_why why;
    settings->fleet.folder = settings->folder;
    int64_t begun = emu_probe_now_ms();
    pid_t attackers = 0;
    int err = emu_fleet_new(&settings->fleet, &fleet, &why);
    if (err == QKD_OK && scenario != NULL) {
        struct emu_attack_options ways = {scenario, emu_fleet_deployment(fleet), settings->folder,
                                          EMU_EPOCH_NONE};
        err = emu_attack_start(&ways, &attackers, &why);
    }
    err = err == QKD_OK ? emu_fleet_start(fleet, &why) : err;
    if (err != QKD_OK) {
        (void)emu_attack_stop(attackers);
        cli_complain(self, "%s", why.text);
        if (fleet == NULL && settings->scenario != NULL && !settings->render.force) {
            (void)emu_folder_remove(settings->folder, NULL); /* made for this, and of no use */
        }
        emu_fleet_free(fleet);
        return cli_exit_of(err);
    }
    int code = await_ready(settings, fleet);
    bool was_ready = code == CLI_DONE && emu_fleet_is_ready(fleet);
    if (was_ready) {
        struct cli_up up = {fleet, scenario, settings->folder, emu_probe_now_ms() - begun,
                            settings->detach};
        if (settings->json) {
            cli_up_json(&up);
        } else if (!settings->quiet) {
            cli_up_table(&up);
        }
        let_go(settings);
        emu_attack_go(attackers);
        code = stay(settings, fleet);
    }
    if (!emu_attack_stop(attackers)) {
        cli_complain(self, "the attackers ended in disorder");
        code = code == CLI_DONE ? CLI_BROKEN : code;
    }
    bool early = signals > 0 && !was_ready; /* who was still starting has done nothing yet */
    size_t bad = emu_fleet_stop(fleet);
    if (bad > 0 && !early) {
        cli_complain(self, "%zu daemons did not end in good order; see their logs", bad);
        code = code == CLI_DONE ? CLI_BROKEN : code;
    }
    emu_fleet_free(fleet);
    return code;
}

/* Runs it in a process of its own and waits until that says that all are ready, or ends. */
static int detached_run(struct settings *settings, const struct scn_scenario *scenario)
{
    int ends[2];
    char done = CLI_BROKEN;
    int status = 0;
    (void)fflush(stdout);
    if (pipe(ends) != 0) {
        cli_complain(self, "%s", strerror(errno));
        return CLI_BROKEN;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        (void)setsid();
        signals_take();
        settings->tell = ends[1];
        int code = fleet_run(settings, scenario);
        (void)fflush(stdout);
        _exit(code);
    }
    (void)close(ends[1]);
    ssize_t n = 0;
    do {
        n = pid < 0 ? 0 : read(ends[0], &done, 1);
        if (n < 0 && signals > 0) {
            (void)kill(pid, SIGTERM);
        }
    } while (n < 0 && errno == EINTR);
    (void)close(ends[0]);
    if (n == 1) {
        return done;
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : CLI_BROKEN;
}

static int up(int argc, char **argv)
{
    struct settings settings = {.render = {.epoch_ns = EMU_EPOCH_NONE},
                                .ready_s = READY_S,
                                .outcome = {.record = ANA_RECORD_REQUESTS},
                                .tell = -1};
    struct scn_scenario *scenario = NULL;
    int code = CLI_BROKEN;
    settings.sets = calloc((size_t)argc, sizeof *settings.sets);
    if (settings.sets == NULL) {
        cli_complain(self, "no memory");
    } else if (settings_read(&settings, argc, argv, &code)) {
        if (!settings.run) {
            signals_take();
        }
        code = prepare(&settings, &scenario);
        if (code == CLI_DONE && settings.run && scenario != NULL) {
            code = live_run(&settings, scenario);
        } else if (code == CLI_DONE) {
            code = settings.detach ? detached_run(&settings, scenario)
                                   : fleet_run(&settings, scenario);
        }
    }
    scn_free(scenario);
    free(settings.sets);
    return code;
}

const struct cli_command cli_up_command = {
    "up", up, "start all daemons of a network on this machine",
    "usage: qkdn up SCENARIO.yaml [--dir DIR] [OPTIONS]\n"
    "       qkdn up --dir DIR [OPTIONS]\n\n"
    "Writes a deployment of the scenario (see qkdn render), or takes the one in DIR with its key\n"
    "stores; starts a process for each key manager, QKD link, the controller and the manager;\n"
    "waits until every neighbour is authenticated; prints where SAEs get keys. Ctrl-C ends all.\n"
    "No daemon outlives this process.\n\n"
    "  --dir DIR         where the deployment is; default: a folder by the name of the scenario\n"
    "                    in $XDG_RUNTIME_DIR/qkdn or /tmp/qkdn-UID, made anew each time\n"
    "  --force           replace a deployment in DIR\n"
    "  --base-port N     first port, see qkdn render; default: 7100\n"
    "  --set PATH=VALUE  change a value of the scenario; repeat it\n"
    "  --restart         start daemons again that end; else one that ends is the end of all\n"
    "  --detach          go on in the background once all are ready; qkdn down ends it\n"
    "  --timeout S       seconds until all must be ready; default: 60; with --run: the run begins\n"
    "                    then, default: after 3 and 0.3 for each daemon\n"
    "  --bin DIR         folder of qkdn-kmd, qkdn-ctld, qkdn-mgrd and qkdn-linkd; default:\n"
    "                    beside this program, else PATH\n"
    "  --run             run the scenario in real time: its applications ask, its optics shine by\n"
    "                    its seed; then end all and judge what happened as `qkdn run` does, by\n"
    "                    flight records, which contain key and are wiped afterwards\n"
    "  -o FILE           with --run: keep the results in this SQLite database; --force replaces "
    "it\n"
    "  --record LEVEL    with --run: summary, requests (default) or full, see qkdn run\n"
    "  --until TIME      with --run: end at this time, such as '1 min'\n"
    "  --keep            with --run: keep the flight records. They CONTAIN KEY\n"
    "  --json            once ready, one object {folder, scenario, pid, ready_s, daemons}; with\n"
    "                    --run the summary, see qkdn run\n"
    "  --quiet           print nothing but errors\n"
    "  --help            this text\n\n"
    "examples:\n"
    "  qkdn up scenarios/line-3.yaml\n"
    "  qkdn up scenarios/tokyo-2010.yaml --dir tokyo --restart --detach && qkdn status\n"
    "  qkdn up --run scenarios/line-3.yaml --until '2 min' -o line.db --json\n\n"
    "exit codes: 0 ended by Ctrl-C or qkdn down; with --detach: all are ready; 1 (--run) an\n"
    "expectation or a rule failed; 2 bad usage or input, a port in use, up already; 3 a daemon\n"
    "ended, or not ready in time; --run: interrupted (results so far are kept and say so)\n"};
