/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A deployment: which daemons a network has, on which hosts, at which ports, in which folders. It is made
 * from a scenario (emu/deploy/render.h writes it out), kept in the file deployment.json, and read from there.
 *
 * Ports are fixed by the number of a daemon (emu/deploy/place.h), so that everybody can tell them:
 *   base + 10 n      other daemons      base + 10 n + 2  SAEs: ETSI GS QKD 014 over HTTPS (kmd)
 *   base + 10 n + 1  /healthz, /metrics
 *
 * Where attackers of the scenario stand in the way (emu/deploy/tap.h), they have ports behind those of all
 * daemons: base + 10 count + k.
 *
 * A host's daemons lie together in its root, the folder of the deployment if there is one host only, else
 * hosts/HOST in it: scenario.yaml, start.sh, and a folder NAME for each daemon (see docs/live.md). */
#ifndef EMU_DEPLOYMENT_H
#define EMU_DEPLOYMENT_H

#include "emu/deploy/config.h"
#include "emu/deploy/folder.h"

#define EMU_BASE_PORT 7100
#define EMU_PORT_STEP 10
#define EMU_MAX_DAEMONS 500
#define EMU_DEPLOYMENT_FILE "deployment.json"

/* Where nodes are. A daemon of a link is where the link's end a is. */
struct emu_hosts {
    const char *usual;        /* NULL: 127.0.0.1 */
    const char *const *nodes; /* by node, NULL: the usual one; or NULL: all are there */
    uint16_t base_port;       /* 0: EMU_BASE_PORT */
};

struct emu_deployed {
    char name[EMU_PLACE_NAME_SIZE];
    enum emu_kind kind;
    uint32_t host;                                        /* index */
    char folder[EMU_HOST_SIZE + EMU_PLACE_NAME_SIZE + 8]; /* in the deployment's */
    char listen[EMU_ADDRESS_SIZE];
    char status[EMU_ADDRESS_SIZE];  /* always on the machine itself, 127.0.0.1 */
    char etsi014[EMU_ADDRESS_SIZE]; /* kmd; else "" */
};

struct emu_host {
    char name[EMU_HOST_SIZE]; /* without brackets */
    char root[EMU_HOST_SIZE + 8];
};

/* A way on which attackers stand: who dials reaches them, and they reach who was meant. */
struct emu_tap {
    uint32_t from;                 /* number of the daemon that dials; EMU_NOWHERE: SAEs */
    uint32_t to;                   /* of the one that is meant */
    char listen[EMU_ADDRESS_SIZE]; /* where the attackers wait */
    char target[EMU_ADDRESS_SIZE]; /* where who is meant listens */
};

struct emu_deployment {
    char scenario[SCN_NAME_SIZE]; /* its name */
    struct emu_host *hosts;       /* in the order in which nodes name them */
    size_t host_count;
    struct emu_deployed *daemons; /* by number */
    size_t count;
    struct emu_tap *taps; /* where attackers stand */
    size_t tap_count;
};

/* Decides everything; writes nothing. QKD_ERR_INVALID: a host is none, an identifier is too long for a
 * daemon's name, some nodes are on this machine and some on others; QKD_ERR_RANGE: too many daemons, or
 * ports beyond 65535; QKD_ERR_NOMEM. */
int emu_deployment_plan(const struct scn_scenario *scenario, const struct emu_hosts *hosts,
                        struct emu_deployment **out, struct emu_why *why);

/* Where daemon `from` finds daemon `to` (EMU_NOWHERE: where SAEs do): an attacker, if one stands there. */
const char *emu_deployment_way(const struct emu_deployment *deployment, uint32_t from, uint32_t to);

/* Where a key manager itself listens for SAEs. */
const char *emu_deployment_etsi014(const struct emu_deployment *deployment, uint32_t number);

/* As JSON; to be freed with free(). NULL without memory. */
char *emu_deployment_print(const struct emu_deployment *deployment);

/* Reads deployment.json of a folder. QKD_ERR_UNKNOWN: there is none; QKD_ERR_FORMAT; QKD_ERR_IO;
 * QKD_ERR_NOMEM. */
int emu_deployment_read(const char *folder, struct emu_deployment **out, struct emu_why *why);

/* NULL: nothing. */
void emu_deployment_free(struct emu_deployment *deployment);

/* The number of a daemon by its name; EMU_NOWHERE and the nearest name (or NULL) if there is none. */
uint32_t emu_deployment_find(const struct emu_deployment *deployment, const char *name,
                             const char **near);

#endif
