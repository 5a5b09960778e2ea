/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration of a daemon: a YAML file (keys in docs/live.md), read, checked and put together
 * with the scenario that it names. It tells where a daemon is, listens and keeps its files; what its
 * elements do stands in the scenario alone. It contains no secret, only names of files with them. */
#ifndef EMU_CONFIG_H
#define EMU_CONFIG_H

#include "emu/base/address.h"
#include "emu/deploy/place.h"
#include "emu/net/identity.h"
#include "scenarios/scenario.h"

#define EMU_FILE_SIZE 1024                   /* bytes of a file's path, with its final zero */
#define EMU_ADDRESS_SIZE (EMU_HOST_SIZE + 8) /* "[host]:port" */
#define EMU_EPOCH_NONE INT64_MIN
#define EMU_MAX_PEERS 100000

enum emu_keys { EMU_KEYS_RANDOM, EMU_KEYS_SCENARIO };
enum emu_load { EMU_LOAD_NONE, EMU_LOAD_SCENARIO };

struct emu_config_peer {
    char name[EMU_PLACE_NAME_SIZE];
    char address[EMU_ADDRESS_SIZE]; /* where it listens */
    uint32_t number;                /* of the daemon, see emu/deploy/place.h */
};

/* Files are paths that hold from the current folder: relative ones of the file are put behind its folder.
 * "" stands for what is not given. */
struct emu_config {
    char daemon[EMU_PLACE_NAME_SIZE]; /* its name */
    uint32_t number;                  /* and number, see emu/deploy/place.h */
    enum emu_kind kind;
    uint32_t index; /* of its node (kmd, ctld, mgrd) or link (linkd) */
    struct scn_scenario *scenario;
    char scenario_file[EMU_FILE_SIZE];
    char listen[EMU_ADDRESS_SIZE]; /* for daemons */
    struct emu_config_peer *peers; /* in the order of the file */
    size_t peer_count;
    struct {
        char authority[EMU_FILE_SIZE], certificate[EMU_FILE_SIZE], key[EMU_FILE_SIZE];
    } certificates;
    char secrets[EMU_FILE_SIZE]; /* pairwise, see emu/deploy/secrets.h */
    char store[EMU_FILE_SIZE];
    uint32_t
        incarnation; /* kmd: the first of a store that is made in place of a lost one; 0: none */
    struct {
        char file[EMU_FILE_SIZE]; /* one of both is given */
        char environment[SCN_ID_SIZE];
    } unlock;
    struct {
        char listen[EMU_ADDRESS_SIZE];    /* "": no ETSI GS QKD 014 */
        enum emu_identity_field identity; /* where an SAE's ID stands in its certificate */
    } etsi014;                            /* kmd only */
    char status[EMU_ADDRESS_SIZE];        /* /healthz and /metrics, HTTP; "": none */
    struct {
        char file[EMU_FILE_SIZE]; /* "": standard error */
        int level;                /* 0 error, 1 warn, 2 info, 3 debug */
    } log;
    char flight[EMU_FILE_SIZE]; /* flight record: contains key; for tests only */
    char epoch[SCN_ID_SIZE];    /* as written */
    int64_t epoch_ns;           /* the run's time 0, ns since 1970 UTC; EMU_EPOCH_NONE: the start */
    enum emu_keys keys;         /* linkd: bits from fresh chance, or from the scenario's seeds */
    enum emu_load load;         /* kmd: whether the scenario's applications ask for keys */
};

/* 0 and *out (to be freed with emu_config_free), or *out = NULL and QKD_ERR_INVALID, QKD_ERR_IO or
 * QKD_ERR_NOMEM with all that is wrong, in the file and in its scenario, in *errors. *errors is initialised
 * here in every case and must be given to scn_errors_fini. */
int emu_config_load(const char *path, struct emu_config **out, struct scn_errors *errors);

/* NULL: nothing. */
void emu_config_free(struct emu_config *config);

/* Reads an instant: nanoseconds since 1970 UTC, or RFC 3339 with up to nine digits of a second
 * ("2026-11-22T18:00:00.5Z", "...+01:00"). false: it is none, or before 1970 or after 2261. */
bool emu_epoch_parse(const char *text, int64_t *epoch_ns);

#endif
