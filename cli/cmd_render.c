/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn render`: writes what the daemons of a network need, to start them on one host or several. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/deploy.h"
#include "cli/live_run.h"
#include "cli/options.h"
#include "core/base/err.h"
#include "emu/daemon/hosted.h"
#include "emu/deploy/render.h"
#include "scenarios/context.h"
#include "scenarios/quantity.h"

#define NOTE "contains private keys and secrets; its certificates are for tests only"

enum { OPT_OUT, OPT_PORT, OPT_HOST, OPT_SET, OPT_RUN, OPT_FORCE, OPT_JSON, OPT_QUIET };

static const struct cli_option options[] = {
    {"-o", true},       {"--base-port", true}, {"--host", true},   {"--set", true}, {"--run", true},
    {"--force", false}, {"--json", false},     {"--quiet", false}, {NULL, false}};

static const struct cli_command *const self = &cli_render_command;

struct settings {
    struct emu_render how;
    const char *path; /* of the scenario */
    const char **sets, **hosts;
    size_t set_count, host_count;
    bool json, quiet;
};

/* "+5 s" from now on, or an instant: the scenario's load and optics run from then on, and everything is
 * recorded. */
static bool run_read(struct settings *settings, const char *value)
{
    int64_t wait_ns = 0;
    settings->how.load = EMU_LOAD_SCENARIO;
    settings->how.keys = EMU_KEYS_SCENARIO;
    settings->how.flight = true;
    if (value[0] == '+' && scn_integer_parse(SCN_DIM_TIME, value + 1, &wait_ns) == NULL) {
        settings->how.epoch_ns = emu_wall().ns + wait_ns;
        return true;
    }
    if (emu_epoch_parse(value, &settings->how.epoch_ns)) {
        return true;
    }
    (void)cli_usage(self,
                    "--run '%s': expected '+TIME' such as '+5 s', or an instant such as "
                    "2026-11-22T18:00:00Z",
                    value);
    return false;
}

static bool option_read(void *ctx, int got, const char *value)
{
    struct settings *settings = ctx;
    switch (got) {
    case OPT_OUT:
        settings->how.folder = value;
        return true;
    case OPT_PORT:
        return cli_port_read(self, value, &settings->how.hosts.base_port);
    case OPT_HOST:
        settings->hosts[settings->host_count++] = value;
        return true;
    case OPT_SET:
        settings->sets[settings->set_count++] = value;
        return true;
    case OPT_RUN:
        return run_read(settings, value);
    case OPT_FORCE:
        settings->how.force = true;
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_QUIET:
        settings->quiet = true;
        return true;
    default:
        if (settings->path != NULL) {
            (void)cli_usage(self, "one scenario at a time, not also '%s'", value);
            return false;
        }
        settings->path = value;
        return true;
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_read, settings, exit_code)) {
        return false;
    }
    if (settings->path == NULL || settings->how.folder == NULL || settings->how.folder[0] == '\0') {
        (void)cli_usage(self, settings->path == NULL ? "which scenario file?"
                                                     : "into which folder? -o DIR");
        return false;
    }
    return true;
}

/* ---- hosts ---- */

/* The node with this id; UINT32_MAX and a complaint if there is none. */
static uint32_t node_find(const struct scn_scenario *scenario, const char *id, size_t len)
{
    const char *near[256];
    size_t count = 0;
    char own[SCN_NAME_SIZE];
    (void)snprintf(own, sizeof own, "%.*s", (int)len, id);
    for (uint32_t i = 0; i < scenario->node_count; i++) {
        if (strcmp(scenario->nodes[i].id, own) == 0) {
            return i;
        }
        if (count < sizeof near / sizeof near[0]) {
            near[count++] = scenario->nodes[i].id;
        }
    }
    const char *best = scn_nearest(own, near, count);
    cli_complain(self, "--host: unknown node '%s'%s%s%s", own,
                 best == NULL ? "" : "; did you mean '", best == NULL ? "" : best,
                 best == NULL ? "" : "'?");
    return UINT32_MAX;
}

/* "NODE=HOST", or "HOST" for all the others. */
static bool hosts_take(struct settings *settings, const struct scn_scenario *scenario,
                       const char **nodes)
{
    bool good = true;
    for (size_t i = 0; i < settings->host_count; i++) {
        const char *text = settings->hosts[i];
        const char *equals = strchr(text, '=');
        if (equals == NULL) {
            settings->how.hosts.usual = text;
            continue;
        }
        uint32_t node = node_find(scenario, text, (size_t)(equals - text));
        good = good && node != UINT32_MAX;
        if (node != UINT32_MAX) {
            nodes[node] = equals + 1;
        }
    }
    settings->how.hosts.nodes = nodes;
    return good;
}

/* ---- output ---- */

static void print_json(const struct settings *settings, const struct emu_deployment *deployment)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_string(&json, "folder", settings->how.folder);
    ana_json_string(&json, "scenario", deployment->scenario);
    ana_json_string(&json, "note", NOTE);
    ana_json_array(&json, "hosts", ANA_JSON_LINES);
    for (size_t i = 0; i < deployment->host_count; i++) {
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        ana_json_string(&json, "host", deployment->hosts[i].name);
        ana_json_string(&json, "folder", deployment->hosts[i].root);
        ana_json_close(&json);
    }
    ana_json_close(&json);
    ana_json_array(&json, "daemons", ANA_JSON_LINES);
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_deployed *daemon = &deployment->daemons[i];
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        cli_daemon_json(&json, daemon);
        ana_json_string(&json, "host", deployment->hosts[daemon->host].name);
        ana_json_string(&json, "folder", daemon->folder);
        ana_json_close(&json);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    puts(json.failed ? "" : json.text);
    ana_json_fini(&json);
}

static void print_text(const struct settings *settings, const struct emu_deployment *deployment)
{
    const char *folder = settings->how.folder;
    printf("%s: %zu daemons on %zu host%s; see %s/README\n", folder, deployment->count,
           deployment->host_count, deployment->host_count == 1 ? "" : "s", folder);
    for (size_t i = 0; i < deployment->host_count; i++) {
        const struct emu_host *host = &deployment->hosts[i];
        printf("  %s: %s%s%s/start.sh\n", host->name, folder, host->root[0] == '\0' ? "" : "/",
               host->root);
    }
}

static int render(struct settings *settings, const struct scn_scenario *scenario)
{
    struct emu_deployment *deployment = NULL;
    struct emu_why why = {""};
    const char **nodes = calloc(scenario->node_count, sizeof *nodes);
    int err = QKD_ERR_NOMEM;
    if (nodes == NULL) {
        cli_complain(self, "no memory");
    } else if (!hosts_take(settings, scenario, nodes)) {
        err = QKD_ERR_INVALID;
    } else {
        err = emu_render(scenario, &settings->how, &deployment, &why);
        if (err != QKD_OK) {
            cli_complain(self, "%s", why.text);
        } else if (settings->json) {
            print_json(settings, deployment);
        } else if (!settings->quiet) {
            print_text(settings, deployment);
        }
    }
    if (err == QKD_OK && !settings->quiet) {
        fprintf(stderr, "qkdn render: %s " NOTE "\n", settings->how.folder);
    }
    emu_deployment_free(deployment);
    free(nodes);
    return cli_exit_of(err);
}

static int load_and_render(struct settings *settings)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_sets sets = {settings->sets, settings->set_count};
    int err = cli_scenario_load(settings->path, &sets, &scenario, &errors);
    int code = CLI_BAD_INPUT;
    if (err == QKD_OK && scenario->attack_count > 0) {
        cli_complain(self, "attacks: start.sh starts no attackers: expected none, or qkdn up, "
                           "which starts them");
    } else if (err == QKD_OK && !cli_live_able(self, scenario)) {
        code = CLI_BAD_INPUT;
    } else if (err == QKD_OK) {
        code = render(settings, scenario);
    } else {
        cli_errors_print(&errors);
        code = err == QKD_ERR_NOMEM ? CLI_BROKEN : CLI_BAD_INPUT;
    }
    scn_free(scenario);
    scn_errors_fini(&errors);
    return code;
}

static int run(int argc, char **argv)
{
    struct settings settings = {.how = {.epoch_ns = EMU_EPOCH_NONE}};
    int exit_code = CLI_BROKEN;
    settings.sets = calloc((size_t)argc, sizeof *settings.sets);
    settings.hosts = calloc((size_t)argc, sizeof *settings.hosts);
    if (settings.sets == NULL || settings.hosts == NULL) {
        cli_complain(self, "no memory");
    } else if (settings_read(&settings, argc, argv, &exit_code)) {
        exit_code = load_and_render(&settings);
    }
    free(settings.sets);
    free(settings.hosts);
    return exit_code;
}

const struct cli_command cli_render_command = {
    "render", run, "write configurations, secrets and start scripts of the live world",
    "usage: qkdn render SCENARIO.yaml -o DIR [OPTIONS]\n\n"
    "Writes everything that the daemons of a network need into a new folder: the resolved\n"
    "scenario, a configuration for each daemon, certificates for daemons and SAEs, pairwise\n"
    "secrets, secrets that open the key stores, and start.sh for each host. DIR/README says\n"
    "which file holds what. The certificates are FOR TESTS.\n\n"
    "  -o DIR              the folder, made whole or not at all\n"
    "  --base-port N       daemon number n gets the ports N + 10 n (daemons), + 1 (/healthz and\n"
    "                      /metrics, on 127.0.0.1), + 2 (ETSI GS QKD 014); default: 7100.\n"
    "                      Numbers: key managers in the order of the nodes, controller,\n"
    "                      manager, links in the order of the scenario\n"
    "  --host NODE=HOST    where a node is: a host name or an IP address; repeat it. The folder\n"
    "                      has one part for each host then, to be copied there\n"
    "  --host HOST         where all other nodes are; default: 127.0.0.1\n"
    "  --set PATH=VALUE    change a value of the scenario; repeat it\n"
    "  --run INSTANT       prepare a run for `qkdn judge`: from then on (2026-11-22T18:00:00Z,\n"
    "                      or '+5 s') the scenario's applications ask and its optics shine,\n"
    "                      by its seed; each daemon writes a flight record of all it does,\n"
    "                      which CONTAINS KEY: for tests only\n"
    "  --force             replace DIR if it is a deployment, its key stores included\n"
    "  --json              one object {folder, scenario, note, hosts, daemons} on standard output\n"
    "  --quiet             print nothing but errors\n"
    "  --help              this text\n\n"
    "examples:\n"
    "  qkdn render scenarios/line-3.yaml -o line && qkdn up --dir line\n"
    "  qkdn render scenarios/line-3.yaml -o line --host A=10.0.0.1 --host B=10.0.0.2 \\\n"
    "      --host C=10.0.0.3\n\n"
    "exit codes: 0 made; 2 bad usage or input, DIR is there; 3 a file cannot be written\n"};
