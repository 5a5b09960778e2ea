/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of a daemon's configuration: one row each (see scenarios/field.h). */
#include "emu/deploy/config_table.h"

#include "scenarios/rows.h"

#define TEXT(name, member, ...)                                                                    \
    {                                                                                              \
        .key = name, .type = SCN_T_TEXT, AT(member), .room = sizeof(((struct STRUCT *)0)->member), \
        __VA_ARGS__                                                                                \
    }
#define SECTION(name, under, ...)                                                                  \
    {                                                                                              \
        .key = name, .type = SCN_T_SECTION, .table = under, __VA_ARGS__                            \
    }

static const struct scn_word words_identity[] = {{"uri-or-cn", EMU_IDENTITY_URI_OR_CN},
                                                 {"uri", EMU_IDENTITY_URI},
                                                 {"cn", EMU_IDENTITY_CN},
                                                 {NULL, 0}};
static const struct scn_word words_level[] = {
    {"error", 0}, {"warn", 1}, {"info", 2}, {"debug", 3}, {NULL, 0}};
static const struct scn_word words_keys[] = {{"random", EMU_KEYS_RANDOM},
                                             {"scenario", EMU_KEYS_SCENARIO},
                                             {NULL, 0}};
static const struct scn_word words_load[] = {{"none", EMU_LOAD_NONE},
                                             {"scenario", EMU_LOAD_SCENARIO},
                                             {NULL, 0}};

#define STRUCT emu_config_peer
static const struct scn_field peer_fields[] = {
    {.key = "name",
     .doc = "the name of a daemon, such as kmd.B",
     .type = SCN_T_ID,
     AT(name),
     .required = true},
    TEXT("address", address, .doc = "where it listens: HOST:PORT", .required = true),
};
static TABLE(peer_table, "peer", peer_fields, emu_config_peer, SCN_KIND_PEER);
#undef STRUCT

#define STRUCT emu_config
static const struct scn_field certificates_fields[] = {
    TEXT("authority", certificates.authority, .doc = "the file with the authority's certificate",
         .required = true),
    TEXT("certificate", certificates.certificate, .doc = "the file with this daemon's certificate",
         .required = true),
    TEXT("key", certificates.key, .doc = "the file with its private key", .required = true),
};
static TABLE(certificates_table, "certificates", certificates_fields, emu_config, SCN_KIND_NONE);

static const struct scn_field unlock_fields[] = {
    TEXT("file", unlock.file, .doc = "a file with the secret that opens the store"),
    TEXT("environment", unlock.environment,
         .doc = "instead of file: a variable of the environment"),
};
static TABLE(unlock_table, "unlock", unlock_fields, emu_config, SCN_KIND_NONE);

static const struct scn_field etsi014_fields[] = {
    TEXT("listen", etsi014.listen, .doc = "where SAEs find the HTTPS server: HOST:PORT",
         .required = true),
    WORD("identity", etsi014.identity, words_identity, "uri-or-cn",
         "where an SAE's ID stands in its certificate"),
};
static TABLE(etsi014_table, "etsi014", etsi014_fields, emu_config, SCN_KIND_NONE);

static const struct scn_field log_fields[] = {
    TEXT("file", log.file,
         .doc = "the file that log lines are appended to; default: standard error"),
    WORD("level", log.level, words_level, "info", "the least weighty lines that are written"),
};
static TABLE(log_table, "log", log_fields, emu_config, SCN_KIND_NONE);

static const struct scn_field config_fields[] = {
    {.key = "daemon",
     .doc = "the name of this daemon: kmd.NODE, ctld, ctld.standby, mgrd or linkd.LINK",
     .type = SCN_T_ID,
     AT(daemon),
     .required = true},
    TEXT("scenario", scenario_file, .doc = "the scenario file", .required = true),
    TEXT("listen", listen, .doc = "where other daemons find this one: HOST:PORT", .required = true),
    {.key = "peers",
     .doc = "the daemons that this one speaks to",
     .type = SCN_T_LIST,
     AT(peers),
     .count_offset = offsetof(struct emu_config, peer_count),
     .table = &peer_table,
     .limit = EMU_MAX_PEERS},
    SECTION("certificates", &certificates_table, .doc = "authority, certificate and key",
            .required = true),
    TEXT("secrets", secrets, .doc = "the file with the pairwise secrets", .required = true),
    TEXT("store", store, .doc = "the file of the key store", .required = true),
    NUM("incarnation", incarnation, SCN_T_U32, SCN_DIM_NUMBER, 2, 4095, .unset = 0,
        .doc =
            "kmd: its store is lost, a new one begins with this incarnation; more than any before"),
    SECTION("unlock", &unlock_table, .doc = "the secret that opens the store: file or environment",
            .required = true),
    SECTION("etsi014", &etsi014_table, .doc = "the interface for SAEs"),
    TEXT("status", status, .doc = "where /healthz and /metrics are: HOST:PORT"),
    SECTION("log", &log_table, .doc = "the log"),
    TEXT("flight", flight, .doc = "for tests: a record of all events, with key bits"),
    TEXT("epoch", epoch, .doc = "the run's time 0: an instant; default: when the daemon starts"),
    WORD("keys", keys, words_keys, "random",
         "linkd: key bits from fresh chance or from the scenario's seeds"),
    WORD("load", load, words_load, "none", "kmd: whether the scenario's applications ask for keys"),
};
#undef STRUCT

const struct scn_table emu_table_config = {.name = "the configuration of a daemon",
                                           .fields = config_fields,
                                           .field_count = COUNT_OF(config_fields),
                                           .item_bytes = sizeof(struct emu_config)};
