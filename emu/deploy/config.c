/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads a daemon's configuration, with the loader of scenario files, and checks what goes beyond one
 * key: that there is such a daemon in the scenario, that its peers are others, that addresses are some. */
#include "emu/deploy/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "emu/deploy/config_table.h"

void emu_config_free(struct emu_config *config)
{
    if (config != NULL) {
        scn_free(config->scenario);
        scn_mem_free(config->peers);
        free(config);
    }
}

/* Where a value is written; the whole file if it is not. */
static struct scn_place place_of(const struct scn_tree *map, const char *key)
{
    const struct scn_tree *value = scn_tree_find(map, key);
    return value == NULL ? (struct scn_place){0} : value->place;
}

/* ---- addresses and files ---- */

static void address_check(struct scn_ctx *ctx, const struct scn_tree *map, const char *key,
                          const char *address)
{
    struct emu_address parts;
    struct emu_why why;
    if (address[0] != '\0' && emu_address_parse(address, &parts, &why) != QKD_OK) {
        scn_mistake(ctx, place_of(map, key), "%s %s", key, why.text);
    }
}

/* Puts a relative path behind the folder of the configuration. */
static void file_place(struct scn_ctx *ctx, const struct scn_tree *map, const char *key,
                       char file[EMU_FILE_SIZE])
{
    if (file[0] == '\0' || file[0] == '/' || ctx->folder[0] == '\0') {
        return;
    }
    char name[EMU_FILE_SIZE];
    memcpy(name, file, sizeof name);
    const char *slash = strcmp(ctx->folder, "/") == 0 ? "" : "/";
    int len = snprintf(file, EMU_FILE_SIZE, "%s%s%s", ctx->folder, slash, name);
    if (len < 0 || len >= EMU_FILE_SIZE) {
        scn_mistake(ctx, place_of(map, key), "%s: the path is too long: expected at most %d bytes",
                    key, EMU_FILE_SIZE - 1);
    }
}

static void files_place(struct scn_ctx *ctx, const struct scn_tree *root, struct emu_config *config)
{
    const struct scn_tree *certificates = scn_tree_find(root, "certificates");
    file_place(ctx, root, "scenario", config->scenario_file);
    file_place(ctx, certificates, "authority", config->certificates.authority);
    file_place(ctx, certificates, "certificate", config->certificates.certificate);
    file_place(ctx, certificates, "key", config->certificates.key);
    file_place(ctx, root, "secrets", config->secrets);
    file_place(ctx, root, "store", config->store);
    file_place(ctx, scn_tree_find(root, "unlock"), "file", config->unlock.file);
    file_place(ctx, scn_tree_find(root, "log"), "file", config->log.file);
    file_place(ctx, root, "flight", config->flight);
}

/* ---- names ---- */

/* The daemon with this name; EMU_NOWHERE and a mistake, with the nearest name, if there is none. */
static uint32_t daemon_find(struct scn_ctx *ctx, const struct scn_scenario *scenario,
                            const char *name, struct scn_place place)
{
    uint32_t number = name[0] == '\0' ? EMU_NOWHERE : emu_place_find(scenario, name);
    if (number != EMU_NOWHERE || name[0] == '\0') {
        return number; /* "": a mistake is recorded already */
    }
    uint32_t count = emu_place_count(scenario);
    char(*names)[EMU_PLACE_NAME_SIZE] = scn_ctx_new(ctx, (size_t)count * sizeof *names);
    const char **words = scn_ctx_new(ctx, (size_t)count * sizeof *words);
    if (names == NULL || words == NULL) {
        return EMU_NOWHERE;
    }
    for (uint32_t i = 0; i < count; i++) {
        emu_place_name(scenario, i, names[i]);
        words[i] = names[i];
    }
    char hint[SCN_NAME_SIZE];
    const char *near = scn_nearest(name, words, count);
    scn_mistake(ctx, place, "the scenario has no daemon '%s'%s", name,
                near == NULL ? ": expected kmd.NODE, ctld, ctld.standby, mgrd or linkd.LINK"
                             : scn_hint(hint, near));
    return EMU_NOWHERE;
}

static void peers_check(struct scn_ctx *ctx, struct emu_config *config)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        struct emu_config_peer *peer = &config->peers[i];
        struct scn_place place = scn_place_of(ctx, SCN_KIND_PEER, i, "name");
        const struct scn_tree *item = ctx->items[SCN_KIND_PEER].trees[i];
        address_check(ctx, item, "address", peer->address);
        peer->number = config->scenario == NULL
                           ? EMU_NOWHERE
                           : daemon_find(ctx, config->scenario, peer->name, place);
        if (peer->name[0] != '\0' && strcmp(peer->name, config->daemon) == 0) {
            scn_mistake(ctx, place, "the daemon '%s' is its own peer: expected others only",
                        peer->name);
        }
    }
}

/* ---- the rest ---- */

/* What only one kind of daemon has. */
static void kind_check(struct scn_ctx *ctx, const struct scn_tree *root,
                       const struct emu_config *config)
{
    static const struct {
        const char *key;
        enum emu_kind kind;
    } rows[] = {
        {"etsi014", EMU_KMD}, {"incarnation", EMU_KMD}, {"load", EMU_KMD}, {"keys", EMU_LINKD}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct scn_tree *value = scn_tree_find(root, rows[i].key);
        if (value != NULL && config->kind != rows[i].kind) {
            scn_mistake(ctx, value->key_place, "the key '%s' is for a %s: '%s' is none",
                        rows[i].key, emu_kind_name(rows[i].kind), config->daemon);
        }
    }
}

static void rest_check(struct scn_ctx *ctx, const struct scn_tree *root, struct emu_config *config)
{
    address_check(ctx, root, "listen", config->listen);
    address_check(ctx, root, "status", config->status);
    address_check(ctx, scn_tree_find(root, "etsi014"), "listen", config->etsi014.listen);
    const struct scn_tree *unlock = scn_tree_find(root, "unlock");
    if (unlock != NULL && unlock->kind == SCN_TREE_MAP &&
        (config->unlock.file[0] == '\0') == (config->unlock.environment[0] == '\0')) {
        scn_mistake(ctx, unlock->place, "unlock: expected either file or environment");
    }
    if (config->incarnation > 0 && config->flight[0] != '\0') {
        scn_mistake(ctx, place_of(root, "incarnation"),
                    "incarnation and flight: a run in which a store was lost cannot be judged: "
                    "expected one of them");
    }
    config->epoch_ns = EMU_EPOCH_NONE;
    if (config->epoch[0] != '\0' && !emu_epoch_parse(config->epoch, &config->epoch_ns)) {
        scn_mistake(ctx, place_of(root, "epoch"),
                    "epoch '%s' is no instant: expected nanoseconds since 1970 UTC, or one such as "
                    "2026-11-22T18:00:00Z",
                    config->epoch);
    }
}

/* Finds the daemon in its scenario, and says what it is. */
static void self_find(struct scn_ctx *ctx, const struct scn_tree *root, struct emu_config *config)
{
    if (config->scenario == NULL) {
        return;
    }
    config->number = daemon_find(ctx, config->scenario, config->daemon, place_of(root, "daemon"));
    if (config->number != EMU_NOWHERE) {
        struct emu_place place = emu_place_at(config->scenario, config->number);
        config->kind = place.kind;
        config->index = place.index;
        kind_check(ctx, root, config);
    }
}

static void config_read(struct scn_ctx *ctx, const struct scn_tree *root, struct emu_config *config,
                        struct scn_errors *scenario_errors)
{
    if (root->kind != SCN_TREE_MAP) {
        scn_mistake(ctx, root->place,
                    "expected a mapping of keys to values, such as 'daemon: kmd.A'");
        return;
    }
    scn_decode_section(ctx, &emu_table_config, root, root->place, config);
    if (ctx->no_memory) {
        return;
    }
    files_place(ctx, root, config);
    if (config->scenario_file[0] != '\0') {
        (void)scn_load(config->scenario_file, NULL, &config->scenario, scenario_errors);
    }
    self_find(ctx, root, config);
    peers_check(ctx, config);
    rest_check(ctx, root, config);
}

/* Moves the lines of `from` behind those of `to`. */
static void errors_join(struct scn_errors *to, struct scn_errors *from)
{
    size_t count = to->count + from->count;
    char **lines = from->count == 0 ? NULL : scn_mem_resize(to->lines, count, sizeof *lines);
    to->omitted += from->omitted + (lines == NULL ? from->count : 0);
    if (lines != NULL) {
        to->lines = lines;
        memcpy(lines + to->count, from->lines, from->count * sizeof *lines);
        to->count = count;
        from->count = 0;
    }
    scn_errors_fini(from);
}

int emu_config_load(const char *path, struct emu_config **out, struct scn_errors *errors)
{
    struct scn_ctx ctx = {.folder = NULL};
    struct scn_errors scenario_errors = {0};
    *out = NULL;
    *errors = (struct scn_errors){0};
    struct emu_config *config = calloc(1, sizeof *config);
    size_t len = 0;
    char *text = scn_ctx_open(&ctx, path, &len);
    ctx.no_memory = ctx.no_memory || config == NULL;
    if (text != NULL && config != NULL) {
        struct scn_place at = {.source = 0, .line = 1, .column = 1};
        const struct scn_tree *root = scn_tree_parse(&ctx, text, len, at);
        if (root != NULL) {
            config_read(&ctx, root, config, &scenario_errors);
        }
    }
    int err = scn_ctx_finish(&ctx, errors);
    errors_join(errors, &scenario_errors);
    if (err == 0 && (config == NULL || config->scenario == NULL)) {
        err = QKD_ERR_INVALID;
    }
    if (err == 0) {
        *out = config;
    } else {
        emu_config_free(config);
    }
    return err;
}
