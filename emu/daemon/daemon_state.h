/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A daemon's parts. For daemon*.c only. */
#ifndef EMU_DAEMON_STATE_H
#define EMU_DAEMON_STATE_H

#include <uv.h>

#include "core/crypto/crypto.h"
#include "emu/base/log.h"
#include "emu/daemon/hosted.h"
#include "emu/daemon/ready.h"
#include "emu/daemon/sae.h"
#include "emu/deploy/config.h"
#include "emu/deploy/secrets.h"
#include "emu/http/health.h"
#include "emu/net/net.h"
#include "host/load.h"
#include "host/optics.h"

enum emu_fault_state { EMU_FAULT_TO_COME, EMU_FAULT_HOLDS, EMU_FAULT_OVER };

/* Counted for metrics beside what the parts count themselves. */
struct emu_daemon_figures {
    uint64_t spoofed;       /* frames of a peer in the name of an element that it does not host */
    uint64_t malformed;     /* frames too short for their head */
    uint64_t cut;           /* frames that a fault of the scenario took */
    uint64_t refused;       /* commits that the store refused */
    uint64_t served, ended; /* requests of SAEs and of the load: with key, in all */
    uint64_t auth_failures, bad_bytes, tag_failures;
};

struct emu_daemon {
    uv_loop_t loop;
    struct emu_config *config;
    struct host_plan *plan;
    uint32_t *units; /* numbers in the plan */
    uint32_t unit_count;
    struct emu_secrets *secrets;
    struct emu_store *store;
    struct emu_flight *flight; /* NULL: none is kept */
    struct emu_log *log;
    struct emu_net *net;
    uint32_t *peer_of; /* of a daemon's number: its index in config->peers; EMU_NOWHERE: none */
    struct emu_hosted *hosted;
    struct emu_ready *ready;
    bool was_ready;
    struct emu_sae *sae;               /* kmd with ETSI GS QKD 014 */
    struct emu_identity_rule identity; /* where an SAE's certificate says who it is */
    struct emu_etsi014 *etsi014;
    struct emu_health *health;
    struct emu_gauges *gauges; /* metrics */
    struct emu_faults *cuts;   /* in a run with faults of the classical network; else NULL */

    struct host_optics optics; /* linkd */
    bool dark;                 /* before run time 0: what the modules want is only noted */
    bool wanted[2];            /* then */
    uint8_t *faults;           /* linkd, of each fault of the scenario: enum emu_fault_state */
    struct host_load *loads;   /* kmd: of the applications that start here */
    struct qkd_time *load_at;  /* when each asks next, run time */
    uint32_t load_count;

    int64_t zero_ns; /* emu_now() at the run's time 0 */
    uv_prepare_t turn;
    uv_timer_t timer; /* the next deadline of whatever kind */
    uv_signal_t signals[3];
    uint64_t refusals;             /* of commits, in a row: 0, the store takes them */
    struct qkd_time refused_until; /* when the next try is due */
    struct qkd_time refusal_told;  /* when the log was told last */
    struct emu_why refusal;
    struct qkd_time strangers_since; /* of the count of their faulty connections in the log */
    uint64_t strangers_told, strangers_passed;
    bool stopping, net_stopped;
    int error;
    struct emu_why why;
    struct emu_daemon_figures figures;
};

/* ---- daemon.c ---- */

/* The first error ends the daemon; 0 does nothing. */
void emu_daemon_fail(struct emu_daemon *daemon, int err, const char *what);
void emu_daemon_stop(struct emu_daemon *daemon);

/* ---- daemon_turn.c ---- */

int emu_turn_start(struct emu_daemon *daemon, struct emu_why *why);
void emu_turn_stop(struct emu_daemon *daemon);

/* ---- daemon_drive.c ---- */

int emu_drive_start(struct emu_daemon *daemon);
void emu_drive_fini(struct emu_daemon *daemon);

/* What is due by the clock; the next instant by emu_now(). */
void emu_drive_tick(struct emu_daemon *daemon);
struct qkd_time emu_drive_deadline(const struct emu_daemon *daemon);

/* A module commands its device. */
void emu_drive_control(struct emu_daemon *daemon, const struct qkd_send *send,
                       const uint8_t *bytes);

/* ---- daemon_status.c ---- */

int emu_status_start(struct emu_daemon *daemon, struct emu_why *why);

/* Logs and counts a report of an element. */
void emu_status_report(struct emu_daemon *daemon, const struct qkd_report *report);

/* ---- daemon_faults.c ---- */

struct emu_faults;
int emu_faults_new(const struct scn_scenario *scenario, struct emu_faults **faults); /* or NOMEM */
void emu_faults_free(struct emu_faults *faults); /* NULL: nothing */

/* Whether a fault takes the frame between these elements at this instant of the run. */
bool emu_faults_take(struct emu_faults *faults, struct qkd_time now, enum qkd_rp rp,
                     const struct qkd_eid ends[2]);

/* ---- daemon_gauges.c ---- */

/* Metrics of this daemon; QKD_ERR_NOMEM. Before the first turn. */
int emu_gauges_new(const struct emu_daemon *daemon, struct emu_gauges **gauges);
void emu_gauges_free(struct emu_gauges *gauges); /* NULL is allowed */

void emu_gauges_commit(struct emu_gauges *gauges, struct qkd_span took);
void emu_gauges_pool(struct emu_gauges *gauges, const struct qkd_report *report);

/* ctx: the daemon. The text of /metrics, the caller's to free; NULL without memory. */
char *emu_gauges_text(void *ctx, size_t *len);

#endif
