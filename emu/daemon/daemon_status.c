/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a daemon says of itself: readiness, and log lines of what its elements report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/km/km.h"
#include "core/wire/messages.h"
#include "emu/base/file.h"
#include "emu/daemon/daemon_state.h"

#define PEM_MOST (1U << 20) /* bytes */

/* ---- reports ---- */

static void peer_report(struct emu_daemon *daemon, const struct qkd_report *report)
{
    bool up = report->code == QKD_REPORT_PEER_UP;
    struct emu_log_field fields[] = {emu_log_eid("who", report->who),
                                     emu_log_eid("peer", report->peer),
                                     emu_log_text("at", qkd_rp_name((enum qkd_rp)report->a))};
    emu_log(daemon->log, EMU_LOG_INFO, up ? "peer_up" : "peer_down", fields, 3);
    emu_ready_report(daemon->ready, report);
    bool ready = emu_ready_missing(daemon->ready) == 0;
    if (ready != daemon->was_ready) {
        daemon->was_ready = ready;
        emu_log(daemon->log, EMU_LOG_INFO, ready ? "ready" : "not_ready", NULL, 0);
    }
}

static void outcome_report(struct emu_daemon *daemon, const struct qkd_report *report)
{
    daemon->figures.ended++;
    daemon->figures.served += report->a == WIRE_OUTCOME_SERVED;
    struct emu_log_field fields[] = {emu_log_eid("who", report->who),
                                     emu_log_id("request", &report->id),
                                     emu_log_uint("outcome", report->a),
                                     emu_log_uint("reason", report->b),
                                     emu_log_uint("bits", report->c)};
    emu_log(daemon->log, EMU_LOG_DEBUG, "request_ended", fields, 5);
}

static void trouble_report(struct emu_daemon *daemon, const struct qkd_report *report,
                           const char *event)
{
    struct emu_log_field fields[] = {emu_log_eid("who", report->who),
                                     emu_log_eid("peer", report->peer),
                                     emu_log_uint("a", report->a), emu_log_uint("b", report->b)};
    emu_log(daemon->log, EMU_LOG_WARN, event, fields, 4);
}

void emu_status_report(struct emu_daemon *daemon, const struct qkd_report *report)
{
    switch (report->code) {
    case QKD_REPORT_PEER_UP:
    case QKD_REPORT_PEER_DOWN:
        peer_report(daemon, report);
        break;
    case QKD_REPORT_OUTCOME:
        outcome_report(daemon, report);
        break;
    case QKD_REPORT_BAD_BYTES:
        daemon->figures.bad_bytes++;
        trouble_report(daemon, report, "bad_bytes");
        break;
    case QKD_REPORT_AUTH_FAILURE:
        daemon->figures.auth_failures++;
        trouble_report(daemon, report, "authentication_failure");
        break;
    case QKD_REPORT_TAG_FAILURE:
        daemon->figures.tag_failures++;
        trouble_report(daemon, report, "tag_failure");
        break;
    case QKD_REPORT_ALARM: {
        struct emu_log_field fields[] = {emu_log_eid("element", report->peer),
                                         emu_log_uint("fault", report->a),
                                         emu_log_bool("raised", report->b == 1)};
        emu_log(daemon->log, EMU_LOG_WARN, "alarm", fields, 3);
        break;
    }
    case QKD_REPORT_POOL:
        emu_gauges_pool(daemon->gauges, report);
        break;
    case QKD_REPORT_POOL_EMPTY: {
        struct emu_log_field fields[] = {emu_log_eid("who", report->who),
                                         emu_log_uint("link", report->a),
                                         emu_log_bool("exhausted", report->b == 1)};
        emu_log(daemon->log, EMU_LOG_INFO, "pool", fields, 3);
        break;
    }
    default:
        break;
    }
}

/* ---- health ---- */

static bool on_healthy(void *ctx, struct emu_why *why)
{
    const struct emu_daemon *daemon = ctx;
    size_t missing = emu_ready_missing(daemon->ready);
    if (daemon->refusals > 0) {
        (void)emu_fail(why, 0, "the key store refuses commits: %s", daemon->refusal.text);
        return false;
    }
    if (missing == 0) {
        return true;
    }
    char text[256];
    if (!emu_ready_missing_text(daemon->ready, 0, text, sizeof(text))) {
        text[0] = '\0';
    }
    (void)emu_fail(why, 0, "%zu of %zu channels are not up: %s%s", missing,
                   emu_ready_needed(daemon->ready), text, missing > 1 ? ", ..." : "");
    return false;
}

/* ---- servers ---- */

/* Certificate, key and authority as PEM text. */
static int etsi014_serve(struct emu_daemon *daemon, const struct emu_file files[3],
                         struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    static const struct emu_e14_limits limits = {.key_size = 0, /* the application's */
                                                 .min_key_size = KSA_KEY_BITS_LEAST,
                                                 .max_key_size = KSA_KEY_BITS_MOST,
                                                 .max_key_per_request = KSA_KEYS_PER_REQUEST,
                                                 .max_key_count = UINT32_MAX,
                                                 .max_sae_id_count = EMU_E14_SLAVES_MOST};
    struct emu_identity_rule rule = emu_identity_sae;
    rule.field = config->etsi014.identity;
    daemon->identity = rule;
    struct emu_etsi014_config server = {
        .https = {.loop = &daemon->loop,
                  .listen = config->etsi014.listen,
                  .certificate = (const char *)files[0].bytes,
                  .key = (const char *)files[1].bytes,
                  .trust = (const char *)files[2].bytes,
                  .identity = &daemon->identity,
                  .body_most = 65536,
                  .connections_most = 1024,
                  .idle_s = 60},
        .limits = limits,
        .backend = emu_sae_backend(daemon->sae),
    };
    int rc = emu_etsi014_new(&server, &daemon->etsi014, why);
    if (rc == 0) {
        emu_sae_serve(daemon->sae, daemon->etsi014);
    }
    return rc;
}

static int etsi014_start(struct emu_daemon *daemon, struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    if (config->etsi014.listen[0] == '\0') {
        return 0;
    }
    int rc = emu_sae_new(daemon->plan, config->index, daemon->hosted, &daemon->sae);
    if (rc != 0) {
        return emu_fail(why, rc, "out of memory");
    }
    const char *paths[3] = {config->certificates.certificate, config->certificates.key,
                            config->certificates.authority};
    struct emu_file files[3] = {{.bytes = NULL}};
    for (int i = 0; i < 3 && rc == 0; i++) {
        const struct emu_file_rule rule = {i == 1 ? "a private key" : NULL, PEM_MOST};
        rc = emu_file_read(paths[i], &rule, &files[i], why);
    }
    rc = rc == 0 ? etsi014_serve(daemon, files, why) : rc;
    for (int i = 0; i < 3; i++) {
        emu_file_wipe(&files[i]);
    }
    return rc;
}

int emu_status_start(struct emu_daemon *daemon, struct emu_why *why)
{
    int rc = etsi014_start(daemon, why);
    if (rc != 0 || daemon->config->status[0] == '\0') {
        return rc;
    }
    struct emu_health_config health = {.loop = &daemon->loop,
                                       .listen = daemon->config->status,
                                       .ctx = daemon,
                                       .healthy = on_healthy,
                                       .metrics = emu_gauges_text};
    return emu_health_new(&health, &daemon->health, why);
}
