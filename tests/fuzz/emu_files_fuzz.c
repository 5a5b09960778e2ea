/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a file that the live world reads. The first byte says which one:
 *
 *   c  daemon.yaml (emu/deploy/config.h)        o  opened.store.db (emu/store/seen.h)
 *   d  deployment.json (emu/deploy/deployment.h) w  the write-ahead log of a store (emu/store/wal_check.h)
 *   s  secrets (emu/deploy/secrets.h)            a  attackers.json (emu/attack/attack.h)
 *   p  a certificate, k a private key (emu/net/tls.h)
 *   e  no file, but an instant as in daemon.yaml (emu/deploy/config.h)
 *
 * Properties: what is refused has a reason in words, and gives nothing; a deployment that is read prints, and reads
 * and prints the same once more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/attack/attack.h"
#include "emu/deploy/config.h"
#include "emu/deploy/deployment.h"
#include "emu/deploy/secrets.h"
#include "emu/net/tls.h"
#include "emu/store/seen.h"
#include "emu/store/wal_check.h"

#define PROPERTY(cond) ((cond) ? (void)0 : property_fail(#cond, __LINE__))
#define INPUT_MAX 65536
#define PATH_ROOM 128
#define PAGE_BYTES 512 /* of a store */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void property_fail(const char *cond, int line)
{
    (void)fprintf(stderr, "emu_files_fuzz.c:%d: %s\n", line, cond);
    abort();
}

/* ---- the folder ---- */

static char folder[] = "/tmp/qkdn-fuzz-XXXXXX";
static bool is_made;

static const char scenario_text[] =
    "scenario: f\nduration: 1 h\nengine: fast\n"
    "network: {nodes: [{id: A}, {id: B}], links: [{id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}]}\n"
    "attacks: [{surface: C, what: flip}]\n";

static void path_of(const char *name, char path[PATH_ROOM])
{
    (void)snprintf(path, PATH_ROOM, "%s/%s", folder, name);
}

static void file_write(const char *name, const void *bytes, size_t len)
{
    char path[PATH_ROOM];
    path_of(name, path);
    FILE *file = fopen(path, "wb");
    PROPERTY(file != NULL);
    PROPERTY(len == 0 || fwrite(bytes, 1, len, file) == len);
    PROPERTY(fclose(file) == 0);
    PROPERTY(chmod(path, 0600) == 0);
}

static const char *const names[] = {"scenario.yaml",   "daemon.yaml",  "deployment.json", "secrets",
                                    "opened.store.db", "store.db-wal", "attackers.json",  "pem"};

static void folder_drop(void)
{
    char path[PATH_ROOM];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(names[i], path);
        (void)unlink(path); /* not there if no input was one */
    }
    (void)rmdir(folder);
}

static void folder_make(void)
{
    if (!is_made) {
        PROPERTY(mkdtemp(folder) != NULL);
        PROPERTY(atexit(folder_drop) == 0);
        file_write("scenario.yaml", scenario_text, sizeof scenario_text - 1);
        is_made = true;
    }
}

/* ---- what reads them ---- */

static void check_config(void)
{
    char path[PATH_ROOM];
    struct emu_config *config = NULL;
    struct scn_errors errors;
    path_of("daemon.yaml", path);
    int err = emu_config_load(path, &config, &errors);
    PROPERTY((err == QKD_OK) == (config != NULL));
    PROPERTY((err == QKD_OK) == (errors.count == 0));
    if (config != NULL) {
        PROPERTY(config->scenario != NULL && config->number < emu_place_count(config->scenario));
        PROPERTY(config->peer_count <= EMU_MAX_PEERS);
    }
    scn_errors_fini(&errors);
    emu_config_free(config);
}

static void check_deployment(void)
{
    struct emu_deployment *first = NULL;
    struct emu_deployment *second = NULL;
    struct emu_why why = {""};
    int err = emu_deployment_read(folder, &first, &why);
    PROPERTY((err == QKD_OK) == (first != NULL));
    PROPERTY(err == QKD_OK || why.text[0] != '\0');
    if (first == NULL) {
        return;
    }
    char *text = emu_deployment_print(first);
    PROPERTY(text != NULL); /* names are texts of JSON, so they are UTF-8 */
    file_write("deployment.json", text, strlen(text));
    PROPERTY(emu_deployment_read(folder, &second, &why) == QKD_OK);
    char *again = emu_deployment_print(second);
    PROPERTY(again != NULL && strcmp(text, again) == 0);
    for (uint32_t from = 0; from < second->count; from++) {
        PROPERTY(emu_deployment_way(second, from, 0)[0] != '\0' ||
                 second->daemons[0].listen[0] == '\0' || second->tap_count > 0);
    }
    free(text);
    free(again);
    emu_deployment_free(first);
    emu_deployment_free(second);
}

static void check_secrets(void)
{
    char path[PATH_ROOM];
    struct emu_secrets *secrets = NULL;
    struct emu_why why = {""};
    path_of("secrets", path);
    int err = emu_secrets_load(path, &secrets, &why);
    PROPERTY((err == QKD_OK) == (secrets != NULL));
    PROPERTY(err == QKD_OK || why.text[0] != '\0');
    if (secrets != NULL) {
        PROPERTY(emu_secrets_count(secrets) <= INPUT_MAX / 66); /* bytes of the shortest line */
    }
    emu_secrets_free(secrets);
}

static void check_seen(void)
{
    char store[PATH_ROOM];
    uint32_t count = 0;
    uint32_t again = 0;
    struct emu_why why = {""};
    path_of("store.db", store);
    int err = emu_seen_get(store, &count, &why);
    PROPERTY(err == QKD_OK ? count > 0 : why.text[0] != '\0' && count == 0);
    if (err == QKD_OK) {
        PROPERTY(emu_seen_put(store, count, &why) == QKD_OK);
        PROPERTY(emu_seen_get(store, &again, &why) == QKD_OK && again == count);
    }
}

static void check_log(void)
{
    char store[PATH_ROOM];
    struct emu_why why = {""};
    path_of("store.db", store);
    int err = emu_wal_check(store, PAGE_BYTES, &why);
    PROPERTY(err == QKD_OK || (err == QKD_ERR_FORMAT && why.text[0] != '\0'));
}

/* A report on no attackers of another scenario, or on the one of ours; no daemon has a flight record. */
static void check_attackers(void)
{
    static struct scn_scenario *scenario;
    struct scn_errors errors;
    char path[PATH_ROOM];
    path_of("scenario.yaml", path);
    if (scenario == NULL) {
        PROPERTY(scn_load(path, NULL, &scenario, &errors) == QKD_OK);
        scn_errors_fini(&errors);
    }
    struct emu_deployment none = {.count = 0};
    struct emu_attack_options options = {scenario, &none, folder, 0};
    struct scn_summary summary;
    struct emu_why why = {""};
    PROPERTY(scn_summary_init(&summary, scenario) == QKD_OK);
    int err = emu_attack_judge(&options, NULL, &summary, &why);
    PROPERTY(err == QKD_OK || (err == QKD_ERR_FORMAT && why.text[0] != '\0'));
    if (err == QKD_OK) {
        PROPERTY(summary.attacks[0].rejected <= summary.attacks[0].forged);
    }
    scn_summary_fini(&summary);
}

static void check_pem(bool is_key)
{
    static const char nowhere[] = "/nonexistent/qkdn";
    char path[PATH_ROOM];
    struct emu_tls_context *context = NULL;
    struct emu_why why = {""};
    path_of("pem", path);
    struct emu_tls_files files = {path, path, is_key ? path : nowhere, !is_key};
    int err = emu_tls_context_new(&files, &context, &why);
    PROPERTY((err == QKD_OK) == (context != NULL));
    PROPERTY(err == QKD_OK || why.text[0] != '\0');
    emu_tls_context_free(context);
}

static void check_epoch(const uint8_t *data, size_t size)
{
    char text[SCN_ID_SIZE];
    int64_t ns = -1;
    size_t len = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, len);
    text[len] = '\0';
    PROPERTY(!emu_epoch_parse(text, &ns) || ns >= 0);
}

static const struct {
    char letter;
    const char *name;
    void (*check)(void);
} roles[] = {{'c', "daemon.yaml", check_config}, {'d', "deployment.json", check_deployment},
             {'s', "secrets", check_secrets},    {'o', "opened.store.db", check_seen},
             {'w', "store.db-wal", check_log},   {'a', "attackers.json", check_attackers}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    folder_make();
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (data[0] == (uint8_t)roles[i].letter) {
            file_write(roles[i].name, data + 1, size - 1);
            roles[i].check();
        }
    }
    if (data[0] == 'p' || data[0] == 'k') {
        file_write("pem", data + 1, size - 1);
        check_pem(data[0] == 'k');
    }
    if (data[0] == 'e') {
        check_epoch(data + 1, size - 1);
    }
    return 0;
}
