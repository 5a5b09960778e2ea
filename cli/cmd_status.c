/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn status`: which daemons of a deployment run, and which are ready. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/deploy.h"
#include "cli/options.h"
#include "core/base/err.h"
#include "emu/deploy/probe.h"

#define ANSWER_MS 2000
#define LINE_SIZE 2048

static const struct cli_option options[] = {{"--dir", true}, {"--json", false}, {NULL, false}};

static const struct cli_command *const self = &cli_status_command;

struct look {
    const char *folder;
    struct emu_deployment *deployment;
    struct emu_fleet_state state;
    struct emu_probe *probes; /* by number */
    bool ready;               /* all are */
};

/* What the process that runs the deployment says of a daemon; all zero if there is none. */
static struct emu_fleet_daemon seen(const struct look *look, size_t number)
{
    bool known = look->state.pid != 0 && number < look->state.count;
    return known ? look->state.daemons[number] : (struct emu_fleet_daemon){0};
}

static bool is_ready(const struct look *look, size_t number)
{
    return look->probes != NULL && seen(look, number).pid != 0 && look->probes[number].code == 200;
}

/* Why a daemon that is down gave up, as the last line of its log says; "" if that says nothing of the kind
 * (it was killed, or ended in good order). */
static const char *last_word(const struct look *look, size_t number, char line[LINE_SIZE])
{
    char path[EMU_PATH_SIZE];
    char in[EMU_PATH_SIZE];
    line[0] = '\0';
    if (emu_path_join(in, look->folder, look->deployment->daemons[number].folder, NULL) != QKD_OK ||
        emu_path_join(path, in, "log", NULL) != QKD_OK) {
        return line;
    }
    FILE *log = fopen(path, "re");
    if (log == NULL) {
        return line;
    }
    if (fseek(log, 1 - LINE_SIZE, SEEK_END) != 0) {
        rewind(log);
    }
    size_t len = fread(line, 1, LINE_SIZE - 1, log);
    (void)fclose(log);
    while (len > 0 && line[len - 1] == '\n') {
        len--;
    }
    line[len] = '\0';
    const char *last = strrchr(line, '\n');
    last = last == NULL ? line : last + 1;
    return strncmp(last, "qkdn-", strlen("qkdn-")) == 0 ? last : "";
}

/* What a daemon lacks; NULL: nothing, or nobody knows. */
static const char *missing(const struct look *look, size_t number, char line[LINE_SIZE])
{
    if (seen(look, number).pid != 0) {
        return is_ready(look, number) ? NULL : look->probes[number].line;
    }
    const char *word = look->state.pid == 0 ? "" : last_word(look, number, line);
    return word[0] == '\0' ? NULL : word;
}

/* Asks all that run. */
static void ask(struct look *look)
{
    size_t count = look->deployment->count;
    QKD_ASSERT(look->probes != NULL || count == 0);
    bool open = false;
    for (size_t i = 0; i < count; i++) {
        if (seen(look, i).pid != 0) {
            emu_probe_begin(&look->probes[i], look->deployment->daemons[i].status, ANSWER_MS);
            open = true;
        }
    }
    while (open) {
        emu_probe_turn(look->probes, count, 100);
        open = false;
        for (size_t i = 0; i < count; i++) {
            open = open || look->probes[i].open;
        }
    }
    look->ready = look->state.pid != 0;
    for (size_t i = 0; i < count; i++) {
        look->ready = look->ready && is_ready(look, i);
    }
}

static void print_json(const struct look *look)
{
    struct ana_json json = {0};
    char since[32];
    char line[LINE_SIZE];
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_string(&json, "folder", look->folder);
    ana_json_string(&json, "scenario", look->deployment->scenario);
    ana_json_bool(&json, "up", look->state.pid != 0);
    ana_json_bool(&json, "ready", look->ready);
    ana_json_int(&json, "pid", look->state.pid);
    ana_json_array(&json, "daemons", ANA_JSON_LINES);
    for (size_t i = 0; i < look->deployment->count; i++) {
        struct emu_fleet_daemon daemon = seen(look, i);
        cli_instant_text(daemon.since_ns, since);
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        cli_daemon_json(&json, &look->deployment->daemons[i]);
        ana_json_int(&json, "pid", daemon.pid);
        ana_json_string(&json, "since", daemon.pid == 0 ? NULL : since);
        ana_json_uint(&json, "restarts", daemon.restarts);
        ana_json_bool(&json, "ready", is_ready(look, i));
        ana_json_string(&json, "missing", missing(look, i, line));
        ana_json_close(&json);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    puts(json.failed ? "" : json.text);
    ana_json_fini(&json);
}

static void print_table(const struct look *look)
{
    char since[32];
    char line[LINE_SIZE];
    printf("%s: '%s' is %s\n", look->folder, look->deployment->scenario,
           look->state.pid == 0 ? "down"
           : look->ready        ? "ready"
                                : "not ready");
    printf("%-16s %-10s %8s  %-20s %8s  %s\n", "DAEMON", "STATE", "PID", "UP SINCE", "RESTARTS",
           "ADDRESS");
    for (size_t i = 0; i < look->deployment->count; i++) {
        struct emu_fleet_daemon daemon = seen(look, i);
        const struct emu_deployed *plan = &look->deployment->daemons[i];
        cli_instant_text(daemon.since_ns, since);
        char pid[24] = "-";
        if (daemon.pid != 0) {
            (void)snprintf(pid, sizeof pid, "%ld", (long)daemon.pid);
        }
        printf("%-16s %-10s %8s  %-20s %8u  %s%s%s\n", plan->name,
               daemon.pid == 0     ? "down"
               : is_ready(look, i) ? "ready"
                                   : "not ready",
               pid, daemon.pid == 0 ? "-" : since, daemon.restarts, plan->listen,
               plan->etsi014[0] == '\0' ? "" : ", SAEs at ", plan->etsi014);
        const char *what = missing(look, i, line);
        if (what != NULL) {
            printf("    %s\n", what);
        }
    }
}

static int status(const char *folder, bool json)
{
    struct look look = {.folder = folder};
    struct emu_why why = {""};
    int err = emu_deployment_read(folder, &look.deployment, &why);
    if (err == QKD_OK) {
        err = emu_fleet_look(folder, &look.state, &why);
    }
    if (err == QKD_OK) {
        look.probes = calloc(look.deployment->count + 1, sizeof *look.probes);
        err = look.probes == NULL ? emu_fail(&why, QKD_ERR_NOMEM, "no memory") : QKD_OK;
    }
    if (err != QKD_OK) {
        cli_complain(self, "%s", why.text);
    } else {
        ask(&look);
        if (json) {
            print_json(&look);
        } else {
            print_table(&look);
        }
    }
    free(look.probes);
    emu_fleet_state_fini(&look.state);
    emu_deployment_free(look.deployment);
    return err != QKD_OK ? cli_exit_of(err) : look.ready ? CLI_DONE : CLI_BROKEN;
}

static int run(int argc, char **argv)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    struct cli_look look;
    int exit_code;
    return cli_deploy_look(&walk, &look, &exit_code) ? status(look.folder, look.flag) : exit_code;
}

const struct cli_command cli_status_command = {
    "status", run, "which daemons of a network run, and which are ready",
    "usage: qkdn status [--dir DIR] [--json]\n\n"
    "Lists the daemons of a deployment: whether they run and are ready, since when, how often\n"
    "they were started again, where they listen, what is missing if they are not ready, and why\n"
    "they gave up if they are down.\n"
    "Each is asked at its /healthz.\n\n"
    "  --dir DIR  the deployment; default: the only one that is up in the usual place\n"
    "             ($XDG_RUNTIME_DIR/qkdn or /tmp/qkdn-UID)\n"
    "  --json     one object {folder, scenario, up, ready, pid, daemons}; a daemon: {name,\n"
    "             listen, status, etsi014, pid (0: down), since, restarts, ready, missing}\n"
    "  --help     this text\n\n"
    "examples:\n"
    "  qkdn status\n"
    "  qkdn status --json | jq '.daemons[] | select(.ready | not)'\n\n"
    "exit codes: 0 all are ready; 2 bad usage, no deployment, nothing is up; 3 not all are\n"};
