/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a daemon says of itself: readiness, metrics, log lines of what its elements report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/messages.h"
#include "emu/base/file.h"
#include "emu/daemon/daemon_state.h"
#include "emu/http/metrics.h"

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

/* ---- health and metrics ---- */

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

/* One number of the text. */
struct row {
    const char *name, *help;
    bool gauge;
    uint64_t value;
};

static int row_add(struct emu_metrics *metrics, const struct row *row)
{
    struct emu_metric_family *family = NULL;
    struct emu_metric_spec spec = {.name = row->name,
                                   .help = row->help,
                                   .type = row->gauge ? EMU_METRIC_GAUGE : EMU_METRIC_COUNTER};
    int rc = emu_metrics_add(metrics, &spec, &family);
    if (rc == 0 && row->gauge) {
        emu_metric_set(emu_metric_of(family, NULL), (double)row->value);
    } else if (rc == 0) {
        emu_metric_count_to(emu_metric_of(family, NULL), row->value);
    }
    return rc;
}

static struct emu_net_counters net_sum(const struct emu_daemon *daemon)
{
    struct emu_net_counters sum = {0};
    for (size_t i = 0; i < daemon->config->peer_count; i++) {
        const struct emu_net_counters *of = emu_net_counters(daemon->net, i);
        sum.frames_in += of->frames_in;
        sum.frames_out += of->frames_out;
        sum.bytes_in += of->bytes_in;
        sum.bytes_out += of->bytes_out;
        sum.frames_dropped += of->frames_dropped;
        sum.dials += of->dials;
    }
    return sum;
}

static int rows_add(const struct emu_daemon *daemon, struct emu_metrics *metrics)
{
    const struct emu_hosted_figures *hosted = emu_hosted_figures(daemon->hosted);
    const struct emu_daemon_figures *own = &daemon->figures;
    struct emu_store_figures store = emu_store_figures(daemon->store);
    struct emu_net_counters net = net_sum(daemon);
    size_t missing = emu_ready_missing(daemon->ready);
    struct emu_e14_counts e14 = {.keys = 0};
    if (daemon->etsi014 != NULL) {
        emu_etsi014_count(daemon->etsi014, &e14);
    }
    const struct row rows[] = {
        {"qkdn_ready", "1 if every channel that the daemon needs is authenticated", true,
         missing == 0},
        {"qkdn_channels_missing", "Channels that are needed and not up", true, missing},
        {"qkdn_incarnation", "How often the daemon was started", true,
         emu_store_incarnation(daemon->store)},
        {"qkdn_steps_total", "Events given to elements", false, hosted->steps},
        {"qkdn_batches_total", "Batches of outputs executed", false, hosted->batches},
        {"qkdn_dropped_total", "Messages dropped while a commit had to wait", false,
         hosted->dropped},
        {"qkdn_store_commits_total", "Durable commits of the key store", false, store.commits},
        {"qkdn_store_refused_total", "Commits that the key store refused", false, own->refused},
        {"qkdn_store_entries_total", "Entries put or deleted", false, store.entries},
        {"qkdn_frames_received_total", "Frames from other daemons", false, net.frames_in},
        {"qkdn_frames_sent_total", "Frames to other daemons", false, net.frames_out},
        {"qkdn_frames_dropped_total", "Frames to other daemons that were dropped", false,
         net.frames_dropped},
        {"qkdn_received_bytes_total", "Bytes of frames from other daemons", false, net.bytes_in},
        {"qkdn_sent_bytes_total", "Bytes of frames to other daemons", false, net.bytes_out},
        {"qkdn_frames_spoofed_total",
         "Frames in the name of an element that the peer does not host", false,
         own->spoofed + own->malformed},
        {"qkdn_authentication_failures_total", "Failed authentications that elements reported",
         false, own->auth_failures},
        {"qkdn_tag_failures_total", "Frames at Kx-1 whose tag did not verify", false,
         own->tag_failures},
        {"qkdn_bad_bytes_total", "Messages that elements refused as malformed", false,
         own->bad_bytes},
        {"qkdn_requests_total", "Requests of the load that ended", false, own->ended},
        {"qkdn_requests_served_total", "Requests of the load that were served", false, own->served},
        {"qkdn_etsi014_keys_total", "Keys handed over by ETSI GS QKD 014", false, e14.keys},
        {"qkdn_etsi014_keys_lost_total", "Keys that came too late for their question", false,
         e14.keys_lost},
        {"qkdn_etsi014_refused_total", "Connections refused by a limit", false, e14.refused},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++) {
        rc = row_add(metrics, &rows[i]);
    }
    return rc;
}

static char *on_metrics(void *ctx, size_t *len)
{
    const struct emu_daemon *daemon = ctx;
    struct emu_metrics *metrics = emu_metrics_new();
    char *text = NULL;
    if (metrics == NULL || rows_add(daemon, metrics) != 0 ||
        emu_metrics_write(metrics, &text, len) != 0) {
        text = NULL;
    }
    emu_metrics_free(metrics);
    return text;
}

/* ---- servers ---- */

/* Certificate, key and authority as PEM text. */
static int etsi014_serve(struct emu_daemon *daemon, const struct emu_file files[3],
                         struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    static const struct emu_e14_limits limits = {.key_size = 0, /* the application's */
                                                 .min_key_size = 64,
                                                 .max_key_size = 4096,
                                                 .max_key_per_request = EMU_E14_IDS_MOST,
                                                 .max_key_count = UINT32_MAX};
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
                                       .metrics = on_metrics};
    return emu_health_new(&health, &daemon->health, why);
}
