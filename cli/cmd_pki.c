/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn pki`: certificates for tests of the live world. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/json.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/err.h"
#include "emu/net/identity.h"
#include "emu/net/pki.h"

#define DAY_S INT64_C(86400)
#define DAYS_MAX 36500
#define NOTE "for tests only: the CA's key lies in the folder, without a password"

enum { OPT_CA, OPT_DAEMON, OPT_HOST, OPT_SAE, OPT_DAYS, OPT_FORCE, OPT_JSON, OPT_QUIET };

static const struct cli_option options[] = {
    {"--ca", false},    {"--daemon", true}, {"--host", true},   {"--sae", true}, {"--days", true},
    {"--force", false}, {"--json", false},  {"--quiet", false}, {NULL, false}};

static const struct cli_command *const self = &cli_pki_command;

struct settings {
    struct emu_pki pki;
    struct emu_pki_subject *subjects; /* the CA first, if it is asked for */
    size_t count;
    const char **hosts; /* of all daemons, one after the other */
    size_t host_count;
    bool json, quiet;
};

/* ---- the command line ---- */

static void subject_add(struct settings *settings, enum emu_pki_kind kind, const char *name)
{
    settings->subjects[settings->count++] =
        (struct emu_pki_subject){kind, name, settings->hosts + settings->host_count, 0};
}

static bool host_read(struct settings *settings, const char *host)
{
    struct emu_pki_subject *last = settings->count == 0 ? NULL
                                                        : &settings->subjects[settings->count - 1];
    if (last == NULL || last->kind != EMU_PKI_DAEMON) {
        cli_usage(self, "--host '%s': expected after the --daemon that is reached there", host);
        return false;
    }
    settings->hosts[settings->host_count++] = host;
    last->host_count++;
    return true;
}

static bool days_read(struct settings *settings, const char *text)
{
    uint64_t days;
    if (!cli_uint(text, &days) || days < 1 || days > DAYS_MAX) {
        cli_usage(self, "--days '%s': expected a number from 1 to %d", text, DAYS_MAX);
        return false;
    }
    settings->pki.for_s = (int64_t)days * DAY_S;
    return true;
}

static bool option_read(void *ctx, int got, const char *value)
{
    struct settings *settings = ctx;
    switch (got) {
    case OPT_CA:
        subject_add(settings, EMU_PKI_CA, NULL);
        return true;
    case OPT_DAEMON:
        subject_add(settings, EMU_PKI_DAEMON, value);
        return true;
    case OPT_HOST:
        return host_read(settings, value);
    case OPT_SAE:
        subject_add(settings, EMU_PKI_SAE, value);
        return true;
    case OPT_DAYS:
        return days_read(settings, value);
    case OPT_FORCE:
        settings->pki.force = true;
        return true;
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_QUIET:
        settings->quiet = true;
        return true;
    default:
        if (settings->pki.folder != NULL) {
            cli_usage(self, "one folder at a time, not also '%s'", value);
            return false;
        }
        settings->pki.folder = value;
        return true;
    }
}

static bool is_same(const struct emu_pki_subject *a, const struct emu_pki_subject *b)
{
    return a->kind == b->kind &&
           (a->name == NULL || b->name == NULL || strcmp(a->name, b->name) == 0);
}

/* Two subjects of the same kind and name would be written into the same files. */
static bool subjects_differ(const struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct emu_pki_subject *subject = &settings->subjects[i];
        for (size_t j = 0; j < i; j++) {
            if (is_same(subject, &settings->subjects[j])) {
                cli_usage(self, "'%s' twice", subject->name == NULL ? "--ca" : subject->name);
                return false;
            }
        }
    }
    return true;
}

/* Certificates are signed by the CA that will be there, so it is made first. */
static void ca_first(struct settings *settings)
{
    for (size_t i = 1; i < settings->count; i++) {
        if (settings->subjects[i].kind == EMU_PKI_CA) {
            struct emu_pki_subject ca = settings->subjects[i];
            memmove(settings->subjects + 1, settings->subjects, i * sizeof ca);
            settings->subjects[0] = ca;
        }
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    if (!cli_take_all(&walk, option_read, settings, exit_code)) {
        return false;
    }
    if (settings->pki.folder == NULL || settings->count == 0) {
        cli_usage(self, settings->pki.folder == NULL ? "which folder?"
                                                     : "what for? --ca, --daemon NAME or --sae ID");
        return false;
    }
    ca_first(settings);
    return subjects_differ(settings);
}

/* ---- making them ---- */

/* Everything that can be seen beforehand, so that a mistake leaves nothing half-made. */
static int check(const struct settings *settings, struct emu_why *why)
{
    const struct emu_pki_subject ca = {.kind = EMU_PKI_CA};
    struct emu_pki_files files;
    struct stat st;
    int result = QKD_OK;
    for (size_t i = 0; i < settings->count; i++) {
        int err = emu_pki_check(&settings->pki, &settings->subjects[i], why);
        if (err != QKD_OK) {
            cli_complain(self, "%s", why->text);
            result = err;
        }
    }
    if (result == QKD_OK && settings->subjects[0].kind != EMU_PKI_CA &&
        emu_pki_files(settings->pki.folder, &ca, &files, why) == QKD_OK &&
        (stat(files.certificate, &st) != 0 || stat(files.key, &st) != 0)) {
        cli_complain(self, "%s: no CA in this folder; make one first, or add --ca",
                     settings->pki.folder);
        result = QKD_ERR_UNKNOWN;
    }
    return result;
}

static int make_all(const struct settings *settings, struct emu_why *why)
{
    for (size_t i = 0; i < settings->count; i++) {
        int err = emu_pki_make(&settings->pki, &settings->subjects[i], why);
        if (err != QKD_OK) {
            cli_complain(self, "%s", why->text);
            return err;
        }
    }
    return QKD_OK;
}

static const char *kind_text(enum emu_pki_kind kind)
{
    return kind == EMU_PKI_CA ? "ca" : kind == EMU_PKI_DAEMON ? "daemon" : "sae";
}

static void print_json(const struct settings *settings)
{
    struct ana_json json = {0};
    ana_json_object(&json, NULL, ANA_JSON_LINES);
    ana_json_string(&json, "folder", settings->pki.folder);
    ana_json_string(&json, "note", NOTE);
    ana_json_array(&json, "certificates", ANA_JSON_LINES);
    for (size_t i = 0; i < settings->count; i++) {
        const struct emu_pki_subject *subject = &settings->subjects[i];
        struct emu_pki_files files;
        char uri[EMU_URI_SIZE];
        (void)emu_pki_files(settings->pki.folder, subject, &files, NULL);
        if (subject->kind != EMU_PKI_CA) {
            emu_identity_uri(subject->kind == EMU_PKI_SAE ? &emu_identity_sae
                                                          : &emu_identity_daemon,
                             subject->name, uri);
        }
        ana_json_object(&json, NULL, ANA_JSON_INLINE);
        ana_json_string(&json, "kind", kind_text(subject->kind));
        ana_json_string(&json, "name", subject->name);
        ana_json_string(&json, "uri", subject->kind == EMU_PKI_CA ? NULL : uri);
        ana_json_string(&json, "certificate", files.certificate);
        ana_json_string(&json, "key", files.key);
        ana_json_close(&json);
    }
    ana_json_close(&json);
    ana_json_close(&json);
    puts(json.failed ? "" : json.text);
    ana_json_fini(&json);
}

static void print_files(const struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        struct emu_pki_files files;
        (void)emu_pki_files(settings->pki.folder, &settings->subjects[i], &files, NULL);
        printf("%s\n%s\n", files.certificate, files.key);
    }
}

static int run(const struct settings *settings)
{
    struct emu_why why;
    int err = check(settings, &why);
    if (err == QKD_OK && mkdir(settings->pki.folder, 0777) != 0 && errno != EEXIST) {
        cli_complain(self, "%s: cannot be made: %s", settings->pki.folder, strerror(errno));
        err = QKD_ERR_IO;
    }
    if (err == QKD_OK) {
        err = make_all(settings, &why);
    }
    if (err != QKD_OK) {
        return cli_exit_of(err);
    }
    if (settings->json) {
        print_json(settings);
    } else if (!settings->quiet) {
        print_files(settings);
    }
    if (!settings->quiet) {
        fprintf(stderr, "qkdn pki: THESE CERTIFICATES ARE " NOTE "\n");
    }
    return CLI_DONE;
}

static int pki(int argc, char **argv)
{
    struct settings settings = {0};
    int exit_code = CLI_BROKEN;
    settings.subjects = calloc((size_t)argc, sizeof *settings.subjects);
    settings.hosts = calloc((size_t)argc, sizeof *settings.hosts);
    if (settings.subjects == NULL || settings.hosts == NULL) {
        cli_complain(self, "no memory");
    } else if (settings_read(&settings, argc, argv, &exit_code)) {
        exit_code = run(&settings);
    }
    free(settings.subjects);
    free(settings.hosts);
    return exit_code;
}

const struct cli_command cli_pki_command = {
    "pki", pki, "certificates for tests of the live world",
    "usage: qkdn pki FOLDER [--ca] [--daemon NAME [--host HOST]...]... [--sae ID]... [OPTIONS]\n\n"
    "Makes a certification authority, and certificates from it: for daemons, which talk to each\n"
    "other over TLS 1.3, and for SAEs, the clients of ETSI GS QKD 014. Keys are on P-256. These\n"
    "are FOR TESTS: the authority's key lies in the folder, without a password.\n\n"
    "  --ca           make the authority: ca.crt and ca.key\n"
    "  --daemon NAME  a daemon's, such as kmd.A: kmd.A.crt and kmd.A.key, for client and server\n"
    "  --host HOST    host name or IP address where the daemon before it is reached; repeat it\n"
    "  --sae ID       an SAE's: sae.ID.crt and sae.ID.key, for clients only\n"
    "  --days N       how long they are valid; default: 3650 the authority, 365 others\n"
    "  --force        replace existing files; a new authority makes older certificates void\n"
    "  --json         one object {folder, note, certificates} on standard output\n"
    "  --quiet        print nothing but errors\n"
    "  --help         this text\n\n"
    "examples:\n"
    "  qkdn pki pki --ca --daemon kmd.A --host localhost --host 127.0.0.1 --sae alice\n"
    "  qkdn pki pki --sae bob --days 7\n"
    "  curl --cacert pki/ca.crt --cert pki/sae.alice.crt --key pki/sae.alice.key \\\n"
    "      https://localhost:7443/api/v1/keys/bob/status\n\n"
    "exit codes: 0 made; 2 bad usage, an existing file, no authority; 3 a file cannot be "
    "written\n"};
