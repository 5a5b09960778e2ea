/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts of a deployment. Identifiers and hosts have no character that would need an escape within double
 * quotes (scn_id_valid, emu/deploy/deployment.c). */
#include "emu/deploy/render_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* What was written; NULL if anything failed. */
static char *finish(FILE *file, char **text)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(*text);
        *text = NULL;
    }
    return *text;
}

char *emu_render_config(const struct scn_scenario *scenario,
                        const struct emu_deployment *deployment, const struct emu_render *how,
                        uint32_t number)
{
    const struct emu_deployed *daemon = &deployment->daemons[number];
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    if (file == NULL) {
        return NULL;
    }
    fprintf(file,
            "# Made by qkdn render. Files are relative to the folder of this one.\n"
            "daemon: \"%s\"\nscenario: ../scenario.yaml\nlisten: \"%s\"\n"
            "certificates: {authority: ca.crt, certificate: daemon.crt, key: daemon.key}\n"
            "secrets: secrets\nstore: store.db\nunlock: {file: unlock}\n"
            "status: \"%s\"\nlog: {file: log, level: info}\n",
            daemon->name, daemon->listen, daemon->status);
    if (daemon->kind == EMU_KMD) {
        fprintf(file, "etsi014: {listen: \"%s\", identity: uri-or-cn}\nload: %s\n",
                emu_deployment_etsi014(deployment, number),
                how->load == EMU_LOAD_SCENARIO ? "scenario" : "none");
    }
    if (daemon->kind == EMU_LINKD) {
        fprintf(file, "keys: %s\n", how->keys == EMU_KEYS_SCENARIO ? "scenario" : "random");
    }
    if (how->epoch_ns != EMU_EPOCH_NONE) {
        fprintf(file, "epoch: %" PRId64 "\n", how->epoch_ns);
    }
    if (how->flight) {
        fputs("flight: flight # CONTAINS KEY: for tests only\n", file);
    }
    fputs("peers:\n", file);
    for (uint32_t i = 0; i < deployment->count; i++) {
        if (emu_place_talk(scenario, number, i)) {
            fprintf(file, "  - {name: \"%s\", address: \"%s\"}\n", deployment->daemons[i].name,
                    emu_deployment_way(deployment, number, i));
        }
    }
    return finish(file, &text);
}

char *emu_render_start(const struct emu_deployment *deployment, uint32_t host)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    if (file == NULL) {
        return NULL;
    }
    fprintf(
        file,
        "#!/bin/sh\n"
        "# Starts the daemons of host %s and waits for their end; Ctrl-C or SIGTERM ends them.\n"
        "# QKDN_BIN: the folder of their programs, if they are not found in PATH.\n"
        "bin=${QKDN_BIN:+$(cd \"$QKDN_BIN\" && pwd)/}\n"
        "cd \"$(dirname \"$0\")\" || exit 3\n"

        "pids=\n"
        "stop() {\n"
        "    trap '' INT TERM HUP\n"
        "    # shellcheck disable=SC2086\n"
        "    [ -z \"$pids\" ] || kill $pids 2>/dev/null\n"
        "}\n"
        "trap stop INT TERM HUP\n"
        "for daemon in",
        deployment->hosts[host].name);
    for (size_t i = 0; i < deployment->count; i++) {
        if (deployment->daemons[i].host == host) {
            fprintf(file, " %s", deployment->daemons[i].name);
        }
    }
    fputs("; do\n"
          "    \"${bin}qkdn-${daemon%%.*}\" \"$daemon/daemon.yaml\" &\n"
          "    pids=\"$pids $!\"\n"
          "done\n"
          "code=0\n"
          "for pid in $pids; do\n"
          "    while :; do\n"
          "        wait \"$pid\"\n"
          "        ended=$?\n"
          "        kill -0 \"$pid\" 2>/dev/null || break\n"
          "    done\n"
          "    [ \"$ended\" -eq 0 ] || code=3\n"
          "done\n"
          "exit $code\n",
          file);
    return finish(file, &text);
}

static void readme_files(FILE *file, const struct emu_deployment *deployment)
{
    bool several = deployment->host_count > 1;
    const char *at = several ? "hosts/HOST/" : "";
    int pad = several ? 0 : 11;
    fprintf(file,
            "Files\n"
            "  deployment.json           which daemon is where: for qkdn up, status, logs, down\n"
            "  pki/                      the authority, with its private key; SAEs and their keys\n"
            "  %sscenario.yaml%*s  the network, with every default written out\n"
            "  %sstart.sh%*s       starts the daemons of a host\n"
            "  %sDAEMON/%*s        a daemon:\n"
            "    daemon.yaml             its configuration\n"
            "    daemon.crt, ca.crt      its certificate and the authority's\n"
            "    daemon.key     SECRET   its private key\n"
            "    secrets        SECRET   what it shares with each daemon that it talks to\n"
            "    unlock         SECRET   opens its key store\n"
            "    store.db                its key store, encrypted (made at its first start)\n"
            "    log                     its log\n\n",
            at, pad, "", at, pad, "", at, pad, "");
    fputs("Certificates are FOR TESTS ONLY: the authority's key lies in pki/ca.key, without a\n"
          "password. Whoever has it can pass for any daemon and any SAE.\n\n",
          file);
}

static void readme_start(FILE *file, const struct emu_deployment *deployment)
{
    if (deployment->host_count <= 1) {
        fputs("Start: qkdn up --dir THIS-FOLDER, or ./start.sh (QKDN_BIN=FOLDER of the "
              "programs).\n\n",
              file);
        return;
    }
    fputs("Start: copy each folder hosts/HOST to its host, with modes kept (rsync -a), and run\n"
          "its start.sh there (QKDN_BIN=FOLDER of the programs, if they are not in PATH):\n",
          file);
    for (size_t i = 0; i < deployment->host_count; i++) {
        fprintf(file, "  rsync -a hosts/%s/ %s:qkdn/ && ssh %s qkdn/start.sh\n",
                deployment->hosts[i].name, deployment->hosts[i].name, deployment->hosts[i].name);
    }
    fputs("A host needs its own folder only; pki/ stays here.\n\n", file);
}

char *emu_render_readme(const struct scn_scenario *scenario,
                        const struct emu_deployment *deployment)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    if (file == NULL) {
        return NULL;
    }
    fprintf(file, "A deployment of '%s', made by qkdn render.\n\n", scenario->name);
    readme_files(file, deployment);
    readme_start(file, deployment);
    fputs("Addresses (daemons; /healthz and /metrics; ETSI GS QKD 014 for SAEs)\n", file);
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_deployed *daemon = &deployment->daemons[i];
        fprintf(file, "  %-16s %-22s %s%s%s\n", daemon->name, daemon->listen, daemon->status,
                daemon->etsi014[0] == '\0' ? "" : "  ", daemon->etsi014);
    }
    if (scenario->application_count > 0) {
        fputs("\nSAEs: pki/sae.APPLICATION.NODE.crt and .key\n", file);
    }
    return finish(file, &text);
}
