/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `qkdn up` prints. */
#include "cli/up_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/deploy.h"
#include "core/base/err.h"

#define TAIL_LINES 5
#define TAIL_BYTES 4096

/* The deployed key manager of a node. */
static const struct emu_deployed *kmd(const struct cli_up *up, uint32_t node)
{
    return &emu_fleet_deployment(up->fleet)->daemons[node];
}

/* When the slowest link has made its first block: seconds, rounded up; 0 if all have key at the start. */
static double first_block_s(const struct scn_scenario *scenario)
{
    double longest_s = 0;
    for (size_t i = 0; i < scenario->link_count; i++) {
        const struct scn_link *link = &scenario->links[i];
        if (link->initial_bits == 0 && link->qkd.rate_bps > 0) {
            double took_s = (double)link->qkd.block_bits / (double)link->qkd.rate_bps;
            longest_s = took_s > longest_s ? took_s : longest_s;
        }
    }
    return longest_s;
}

static void curl_print(const struct cli_up *up)
{
    if (up->scenario == NULL || up->scenario->application_count == 0) {
        return;
    }
    const struct scn_application *first = &up->scenario->applications[0];
    const char *from = up->scenario->nodes[first->from].id;
    const char *to = up->scenario->nodes[first->to].id;
    printf("\na key for '%s.%s' with '%s.%s':\n"
           "  curl --cacert %s/pki/ca.crt --cert %s/pki/sae.%s.%s.crt \\\n"
           "      --key %s/pki/sae.%s.%s.key \\\n"
           "      https://%s/api/v1/keys/%s.%s/enc_keys\n",
           first->id, from, first->id, to, up->folder, up->folder, first->id, from, up->folder,
           first->id, from, kmd(up, first->from)->etsi014, first->id, to);
    double wait_s = first_block_s(up->scenario);
    if (wait_s > 0) {
        printf("  (503 until the links have made their first key: up to %.0f s)\n", ceil(wait_s));
    }
}

/* Who is not alone. */
static void taps_print(const struct emu_deployment *deployment)
{
    for (size_t i = 0; i < deployment->tap_count; i++) {
        const struct emu_tap *tap = &deployment->taps[i];
        printf("%sattackers stand between %s and %s: at %s instead of %s\n", i == 0 ? "\n" : "",
               tap->from == EMU_NOWHERE ? "SAEs" : deployment->daemons[tap->from].name,
               deployment->daemons[tap->to].name, tap->listen, tap->target);
    }
}

void cli_up_table(const struct cli_up *up)
{
    const struct emu_deployment *deployment = emu_fleet_deployment(up->fleet);
    printf("'%s' is ready: %zu daemons after %.1f s, in %s\n\n", deployment->scenario,
           deployment->count, (double)up->took_ms / 1000, up->folder);
    printf("%-16s %8s  %-22s %-22s %s\n", "DAEMON", "PID", "DAEMONS", "HEALTH, METRICS",
           "SAES (ETSI GS QKD 014)");
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_deployed *daemon = &deployment->daemons[i];
        printf("%-16s %8ld  %-22s %s", daemon->name, (long)emu_fleet_daemon(up->fleet, i)->pid,
               daemon->listen, daemon->status);
        if (daemon->etsi014[0] != '\0') {
            printf("%*s %s", 22 - (int)strlen(daemon->status), "", daemon->etsi014);
        }
        puts("");
    }
    taps_print(deployment);
    curl_print(up);
    puts(up->detached ? "\nqkdn status, qkdn logs -f; qkdn down ends all"
                      : "\nqkdn status, qkdn logs -f; Ctrl-C ends all");
}

void cli_up_json(const struct cli_up *up)
{
    const struct emu_deployment *deployment = emu_fleet_deployment(up->fleet);
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_string(&json, "folder", up->folder);
    ana_json_string(&json, "scenario", deployment->scenario);
    ana_json_int(&json, "pid", getpid());
    ana_json_double(&json, "ready_s", (double)up->took_ms / 1000);
    ana_json_array(&json, "daemons", ANA_JSON_LINES);
    for (size_t i = 0; i < deployment->count; i++) {
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        cli_daemon_json(&json, &deployment->daemons[i]);
        ana_json_int(&json, "pid", emu_fleet_daemon(up->fleet, i)->pid);
        ana_json_close(&json);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    puts(json.failed ? "" : json.text);
    ana_json_fini(&json);
}

/* ---- trouble ---- */

/* The last lines of a daemon's log. */
static void tail_print(const char *folder, const struct emu_deployed *daemon)
{
    char path[EMU_PATH_SIZE];
    char in[EMU_PATH_SIZE];
    char bytes[TAIL_BYTES + 1];
    if (emu_path_join(in, folder, daemon->folder, NULL) != QKD_OK ||
        emu_path_join(path, in, "log", NULL) != QKD_OK) {
        return;
    }
    FILE *log = fopen(path, "re");
    if (log == NULL) {
        return;
    }
    if (fseek(log, -TAIL_BYTES, SEEK_END) != 0) {
        rewind(log);
    }
    size_t len = fread(bytes, 1, TAIL_BYTES, log);
    (void)fclose(log);
    while (len > 0 && bytes[len - 1] == '\n') {
        len--;
    }
    bytes[len] = '\0';
    size_t at = len;
    for (int lines = 0; at > 0 && lines < TAIL_LINES; at--) {
        lines += bytes[at - 1] == '\n';
    }
    const char *from = bytes + at + (at > 0 || bytes[0] == '\n' ? 1 : 0);
    fprintf(stderr, "%s%s", from, len > 0 ? "\n" : "");
}

void cli_up_event(const struct cli_command *command, const struct emu_fleet *fleet,
                  const struct emu_fleet_event *event)
{
    const struct emu_deployed *daemon = &emu_fleet_deployment(fleet)->daemons[event->daemon];
    if (event->what == EMU_FLEET_ENDED && WIFSIGNALED(event->status)) {
        cli_complain(command, "%s was ended by signal %d (%s)", daemon->name,
                     WTERMSIG(event->status), strsignal(WTERMSIG(event->status)));
    } else if (event->what == EMU_FLEET_ENDED) {
        cli_complain(command, "%s ended with exit code %d; its last log lines:", daemon->name,
                     WEXITSTATUS(event->status));
        tail_print(emu_fleet_folder(fleet), daemon);
    } else if (event->what == EMU_FLEET_RESTARTED) {
        cli_complain(command, "%s was started again (%u)", daemon->name,
                     emu_fleet_daemon(fleet, event->daemon)->restarts);
    } else if (event->what == EMU_FLEET_UNREADY) {
        cli_complain(command, "%s is not ready: %s", daemon->name,
                     emu_fleet_daemon(fleet, event->daemon)->missing);
    } else if (event->what == EMU_FLEET_READY) {
        cli_complain(command, "all are ready again");
    }
}

void cli_up_missing(const struct emu_fleet *fleet)
{
    const struct emu_deployment *deployment = emu_fleet_deployment(fleet);
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_fleet_daemon *daemon = emu_fleet_daemon(fleet, i);
        if (!daemon->ready) {
            fprintf(stderr, "  %s: %s\n", deployment->daemons[i].name, daemon->missing);
        }
    }
}
