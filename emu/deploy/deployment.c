/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans deployments; keeps them as JSON. */
#include "emu/deploy/deployment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/base/err.h"
#include "emu/deploy/tap.h"
#include "scenarios/context.h"

#define LOOPBACK "127.0.0.1"
#define LAST_PORT 65535

void emu_deployment_free(struct emu_deployment *deployment)
{
    if (deployment != NULL) {
        free(deployment->hosts);
        free(deployment->daemons);
        free(deployment->taps);
        free(deployment);
    }
}

static struct emu_deployment *deployment_new(size_t hosts, size_t daemons)
{
    struct emu_deployment *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->hosts = calloc(hosts + 1, sizeof *made->hosts);
    made->daemons = calloc(daemons + 1, sizeof *made->daemons);
    if (made->hosts == NULL || made->daemons == NULL) {
        emu_deployment_free(made);
        return NULL;
    }
    return made;
}

/* ---- planning ---- */

static const char *host_of(const struct emu_hosts *hosts, uint32_t node)
{
    const char *own = hosts->nodes == NULL ? NULL : hosts->nodes[node];
    const char *usual = hosts->usual == NULL ? LOOPBACK : hosts->usual;
    return own == NULL ? usual : own;
}

static bool host_is_here(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

/* "host:port", with brackets if the host has colons. */
static void address_make(char to[EMU_ADDRESS_SIZE], const char *host, unsigned port)
{
    bool colons = strchr(host, ':') != NULL;
    (void)snprintf(to, EMU_ADDRESS_SIZE, "%s%.253s%s:%u", colons ? "[" : "", host,
                   colons ? "]" : "", port);
}

/* Adds a node's host to the list if it is not there; its index in *index. */
static int host_add(struct emu_deployment *to, const char *host, uint32_t *index,
                    struct emu_why *why)
{
    char address[EMU_ADDRESS_SIZE];
    struct emu_address parts;
    for (*index = 0; *index < to->host_count; (*index)++) {
        if (strcmp(to->hosts[*index].name, host) == 0) {
            return QKD_OK;
        }
    }
    size_t len = strlen(host);
    bool good = len > 0 && len < EMU_HOST_SIZE && strcmp(host, ".") != 0 &&
                strcmp(host, "..") != 0 &&
                strspn(host,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") == len;
    if (good) {
        address_make(address, host, 1);
        good = emu_address_parse(address, &parts, NULL) == QKD_OK;
    }
    if (!good) {
        return emu_fail(why, QKD_ERR_INVALID, "host '%.80s': expected a host name or an IP address",
                        host);
    }
    memcpy(to->hosts[to->host_count++].name, host, len + 1);
    return QKD_OK;
}

static int hosts_plan(struct emu_deployment *to, const struct scn_scenario *scenario,
                      const struct emu_hosts *hosts, struct emu_why *why)
{
    size_t here = 0;
    for (uint32_t n = 0; n < scenario->node_count; n++) {
        uint32_t index = 0;
        int err = host_add(to, host_of(hosts, n), &index, why);
        if (err != QKD_OK) {
            return err;
        }
        here += host_is_here(host_of(hosts, n));
    }
    for (uint32_t n = 0; n < scenario->node_count && here != scenario->node_count; n++) {
        if (host_is_here(host_of(hosts, n))) {
            return emu_fail(why, QKD_ERR_INVALID,
                            "node '%s' is on this machine (%s), which other hosts cannot reach: "
                            "expected a host for each node",
                            scenario->nodes[n].id, host_of(hosts, n));
        }
    }
    for (size_t i = 0; i < to->host_count; i++) {
        if (to->host_count > 1) {
            (void)snprintf(to->hosts[i].root, sizeof to->hosts[i].root, "hosts/%s",
                           to->hosts[i].name);
        }
    }
    return QKD_OK;
}

static int daemon_plan(struct emu_deployment *to, const struct scn_scenario *scenario,
                       const struct emu_hosts *hosts, struct emu_why *why)
{
    uint32_t number = (uint32_t)to->count;
    struct emu_deployed *daemon = &to->daemons[to->count++];
    struct emu_place place = emu_place_at(scenario, number);
    unsigned base = hosts->base_port == 0 ? EMU_BASE_PORT : hosts->base_port;
    unsigned port = base + EMU_PORT_STEP * number;
    const char *host = host_of(hosts, emu_place_node(scenario, number));
    daemon->kind = place.kind;
    emu_place_name(scenario, number, daemon->name);
    if (strlen(daemon->name) >= SCN_ID_SIZE) {
        return emu_fail(why, QKD_ERR_INVALID,
                        "'%s' is too long for a daemon's name: expected at most %d bytes",
                        daemon->name, SCN_ID_SIZE - 1);
    }
    if (port + 2 > LAST_PORT) {
        return emu_fail(why, QKD_ERR_RANGE,
                        "%s: its ports lie beyond %d: expected a base port below %u", daemon->name,
                        LAST_PORT, LAST_PORT - 1 - EMU_PORT_STEP * (emu_place_count(scenario) - 1));
    }
    int err = host_add(to, host, &daemon->host, why);
    const char *root = to->hosts[daemon->host].root;
    (void)snprintf(daemon->folder, sizeof daemon->folder, "%s%s%s", root,
                   root[0] == '\0' ? "" : "/", daemon->name);
    address_make(daemon->listen, host, port);
    address_make(daemon->status, LOOPBACK, port + 1);
    if (place.kind == EMU_KMD) {
        address_make(daemon->etsi014, host, port + 2);
    }
    return err;
}

/* The ways on which attackers stand. SAEs are attacked at the usual port, which the key manager leaves to them. */
static int taps_plan(struct emu_deployment *to, const struct scn_scenario *scenario,
                     const struct emu_hosts *hosts, struct emu_why *why)
{
    unsigned base = hosts->base_port == 0 ? EMU_BASE_PORT : hosts->base_port;
    int err = emu_taps_plan(scenario, &to->taps, &to->tap_count, why);
    if (err == QKD_OK && to->tap_count > 0 && to->host_count != 1) {
        err = emu_fail(why, QKD_ERR_INVALID,
                       "attacks: attackers of the live world stand on one "
                       "machine: expected one host");
    }
    for (size_t i = 0; i < to->tap_count && err == QKD_OK; i++) {
        struct emu_tap *tap = &to->taps[i];
        const struct emu_deployed *daemon = &to->daemons[tap->to];
        unsigned port = base + EMU_PORT_STEP * (unsigned)to->count + (unsigned)i;
        if (port > LAST_PORT) {
            return emu_fail(why, QKD_ERR_RANGE, "ports of attackers lie beyond %d", LAST_PORT);
        }
        address_make(tap->listen, to->hosts[daemon->host].name, port);
        memcpy(tap->target, daemon->listen, sizeof tap->target);
        if (tap->from == EMU_NOWHERE) {
            memcpy(tap->target, tap->listen, sizeof tap->target);
            memcpy(tap->listen, daemon->etsi014, sizeof tap->listen);
        }
    }
    return err;
}

int emu_deployment_plan(const struct scn_scenario *scenario, const struct emu_hosts *hosts,
                        struct emu_deployment **out, struct emu_why *why)
{
    *out = NULL;
    uint32_t count = emu_place_count(scenario);
    if (count > EMU_MAX_DAEMONS) {
        return emu_fail(why, QKD_ERR_RANGE,
                        "the network has %u daemons: at most %d can be deployed", count,
                        EMU_MAX_DAEMONS);
    }
    struct emu_deployment *made = deployment_new(scenario->node_count, count);
    if (made == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "no memory");
    }
    memcpy(made->scenario, scenario->name, sizeof made->scenario);
    int err = hosts_plan(made, scenario, hosts, why);
    while (err == QKD_OK && made->count < count) {
        err = daemon_plan(made, scenario, hosts, why);
    }
    err = err == QKD_OK ? taps_plan(made, scenario, hosts, why) : err;
    if (err != QKD_OK) {
        emu_deployment_free(made);
        return err;
    }
    *out = made;
    return QKD_OK;
}

const char *emu_deployment_way(const struct emu_deployment *deployment, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < deployment->tap_count; i++) {
        if (deployment->taps[i].from == from && deployment->taps[i].to == to) {
            return deployment->taps[i].listen;
        }
    }
    return from == EMU_NOWHERE ? deployment->daemons[to].etsi014 : deployment->daemons[to].listen;
}

const char *emu_deployment_etsi014(const struct emu_deployment *deployment, uint32_t number)
{
    for (size_t i = 0; i < deployment->tap_count; i++) {
        if (deployment->taps[i].from == EMU_NOWHERE && deployment->taps[i].to == number) {
            return deployment->taps[i].target;
        }
    }
    return deployment->daemons[number].etsi014;
}

/* ---- JSON ---- */

static json_t *hosts_json(const struct emu_deployment *deployment)
{
    json_t *list = json_array();
    for (size_t i = 0; i < deployment->host_count; i++) {
        const struct emu_host *host = &deployment->hosts[i];
        json_t *item = json_pack("{s:s, s:s}", "host", host->name, "root", host->root);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *daemons_json(const struct emu_deployment *deployment)
{
    json_t *list = json_array();
    for (size_t i = 0; i < deployment->count; i++) {
        const struct emu_deployed *daemon = &deployment->daemons[i];
        json_t *item = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "name", daemon->name,
                                 "kind", emu_kind_name(daemon->kind), "host", (int)daemon->host,
                                 "folder", daemon->folder, "listen", daemon->listen, "status",
                                 daemon->status, "etsi014", daemon->etsi014);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static const char *name_of(const struct emu_deployment *deployment, uint32_t number)
{
    return number == EMU_NOWHERE ? "" : deployment->daemons[number].name;
}

static json_t *taps_json(const struct emu_deployment *deployment)
{
    json_t *list = json_array();
    for (size_t i = 0; i < deployment->tap_count; i++) {
        const struct emu_tap *tap = &deployment->taps[i];
        json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "from", name_of(deployment, tap->from),
                                 "to", name_of(deployment, tap->to), "listen", tap->listen,
                                 "target", tap->target);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

char *emu_deployment_print(const struct emu_deployment *deployment)
{
    json_t *all = json_pack("{s:i, s:s, s:o, s:o}", "deployment", 1, "scenario",
                            deployment->scenario, "hosts", hosts_json(deployment), "daemons",
                            daemons_json(deployment));
    if (all != NULL && deployment->tap_count > 0 &&
        json_object_set_new(all, "attackers", taps_json(deployment)) != 0) {
        json_decref(all);
        all = NULL;
    }
    char *text = NULL;
    size_t len = 0;
    FILE *file = all == NULL ? NULL : open_memstream(&text, &len);
    bool good = file != NULL && json_dumpf(all, file, JSON_INDENT(2)) == 0 &&
                fputs("\n", file) >= 0;
    if (file != NULL && fclose(file) != 0) {
        good = false;
    }
    json_decref(all);
    if (!good) {
        free(text);
        text = NULL;
    }
    return text;
}

/* Copies a member that must be a text into room bytes. */
static bool text_take(const json_t *object, const char *member, char *to, size_t room)
{
    const char *text = json_string_value(json_object_get(object, member));
    if (text == NULL || strlen(text) >= room) {
        return false;
    }
    memcpy(to, text, strlen(text) + 1);
    return true;
}

/* Folders stay below the deployment's. */
static bool folder_good(const char *folder)
{
    char framed[EMU_PATH_SIZE];
    int len = snprintf(framed, sizeof framed, "/%s/", folder);
    return len > 0 && len < EMU_PATH_SIZE && folder[0] != '/' && strstr(framed, "/../") == NULL;
}

static bool host_take(struct emu_deployment *to, const json_t *item)
{
    struct emu_host *host = &to->hosts[to->host_count++];
    return text_take(item, "host", host->name, sizeof host->name) &&
           text_take(item, "root", host->root, sizeof host->root) && folder_good(host->root);
}

static bool daemon_take(struct emu_deployment *to, const json_t *item)
{
    struct emu_deployed *daemon = &to->daemons[to->count++];
    const json_t *host = json_object_get(item, "host");
    char kind[16];
    bool good = text_take(item, "name", daemon->name, sizeof daemon->name) &&
                text_take(item, "kind", kind, sizeof kind) &&
                text_take(item, "folder", daemon->folder, sizeof daemon->folder) &&
                text_take(item, "listen", daemon->listen, sizeof daemon->listen) &&
                text_take(item, "status", daemon->status, sizeof daemon->status) &&
                text_take(item, "etsi014", daemon->etsi014, sizeof daemon->etsi014) &&
                folder_good(daemon->folder) && json_is_integer(host) &&
                json_integer_value(host) >= 0 &&
                json_integer_value(host) < (json_int_t)to->host_count;
    if (!good) {
        return false;
    }
    daemon->host = (uint32_t)json_integer_value(host);
    for (int i = EMU_KMD; i <= EMU_LINKD; i++) {
        if (strcmp(kind, emu_kind_name((enum emu_kind)i)) == 0) {
            daemon->kind = (enum emu_kind)i;
            return true;
        }
    }
    return false;
}

static bool tap_take(struct emu_deployment *to, const json_t *item)
{
    struct emu_tap *tap = &to->taps[to->tap_count++];
    char from[EMU_PLACE_NAME_SIZE];
    char meant[EMU_PLACE_NAME_SIZE];
    const char *near;
    bool good = text_take(item, "from", from, sizeof from) &&
                text_take(item, "to", meant, sizeof meant) &&
                text_take(item, "listen", tap->listen, sizeof tap->listen) &&
                text_take(item, "target", tap->target, sizeof tap->target);
    if (good) {
        tap->from = from[0] == '\0' ? EMU_NOWHERE : emu_deployment_find(to, from, &near);
        tap->to = emu_deployment_find(to, meant, &near);
    }
    return good && tap->to != EMU_NOWHERE && (from[0] == '\0' || tap->from != EMU_NOWHERE);
}

static bool taps_take(struct emu_deployment *to, const json_t *taps)
{
    size_t count = json_array_size(taps); /* 0: there are none */
    bool good = count <= EMU_MAX_TAPS;
    if (good && count > 0) {
        to->taps = calloc(count, sizeof *to->taps);
        good = to->taps != NULL;
    }
    for (size_t i = 0; good && i < count; i++) {
        good = tap_take(to, json_array_get(taps, i));
    }
    return good;
}

/* NULL: not one of ours, or no memory. */
static struct emu_deployment *deployment_take(const json_t *all)
{
    const json_t *hosts = json_object_get(all, "hosts");
    const json_t *daemons = json_object_get(all, "daemons");
    size_t count = json_array_size(daemons);
    struct emu_deployment *made = NULL;
    if (json_integer_value(json_object_get(all, "deployment")) == 1 && count <= EMU_MAX_DAEMONS &&
        json_array_size(hosts) <= EMU_MAX_DAEMONS) {
        made = deployment_new(json_array_size(hosts), count);
    }
    bool good = made != NULL && text_take(all, "scenario", made->scenario, sizeof made->scenario);
    for (size_t i = 0; good && i < json_array_size(hosts); i++) {
        good = host_take(made, json_array_get(hosts, i));
    }
    for (size_t i = 0; good && i < count; i++) {
        good = daemon_take(made, json_array_get(daemons, i));
    }
    good = good && taps_take(made, json_object_get(all, "attackers"));
    if (!good) {
        emu_deployment_free(made);
        made = NULL;
    }
    return made;
}

int emu_deployment_read(const char *folder, struct emu_deployment **out, struct emu_why *why)
{
    char path[EMU_PATH_SIZE];
    json_error_t error;
    *out = NULL;
    int err = emu_path_join(path, folder, EMU_DEPLOYMENT_FILE, why);
    if (err != QKD_OK) {
        return err;
    }
    json_t *all = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (all == NULL && json_error_code(&error) == json_error_cannot_open_file) {
        return emu_fail(why, QKD_ERR_UNKNOWN, "%s: no deployment (%s cannot be opened)", folder,
                        EMU_DEPLOYMENT_FILE);
    }
    if (all == NULL) {
        return emu_fail(why, QKD_ERR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column,
                        error.text);
    }
    *out = deployment_take(all);
    json_decref(all);
    return *out != NULL ? QKD_OK
                        : emu_fail(why, QKD_ERR_FORMAT, "%s: not as qkdn render writes it", path);
}

uint32_t emu_deployment_find(const struct emu_deployment *deployment, const char *name,
                             const char **near)
{
    const char *words[EMU_MAX_DAEMONS];
    *near = NULL;
    for (size_t i = 0; i < deployment->count; i++) {
        if (strcmp(deployment->daemons[i].name, name) == 0) {
            return (uint32_t)i;
        }
        words[i] = deployment->daemons[i].name;
    }
    *near = scn_nearest(name, words, deployment->count);
    return EMU_NOWHERE;
}
