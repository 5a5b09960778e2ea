/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a daemon: configuration, store, loop, and a clean end. */
#include "emu/daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "emu/daemon/daemon_state.h"
#include "emu/store/seen.h"
#include "host/unit.h"

#define EXIT_USAGE 2
#define EXIT_WORK 3
#define FILES 8192

/* Asked to end before the loop runs. */
static volatile sig_atomic_t ended_early;

static void on_early_signal(int number)
{
    (void)number;
    ended_early = 1;
}

/* From the first instant on: no core file with key in it, no look into our memory by others of the same
 * user (ptrace, /proc), and an end that was asked for is a good one. */
static void process_prepare(void)
{
    struct rlimit none = {0, 0};
    struct rlimit files;
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES) {
        files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* SAEs' connections, and two with each peer */
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a full store is an error of its commit */
    (void)signal(SIGTERM, on_early_signal);
    (void)signal(SIGINT, on_early_signal);
}

void emu_daemon_stop(struct emu_daemon *daemon)
{
    if (!daemon->stopping) {
        daemon->stopping = true;
        uv_stop(&daemon->loop);
    }
}

void emu_daemon_fail(struct emu_daemon *daemon, int err, const char *what)
{
    if (err == 0 || daemon->error != 0) {
        return;
    }
    daemon->error = err;
    struct emu_log_field fields[] = {emu_log_text("what", what),
                                     emu_log_text("why", qkd_err_text(err))};
    emu_log(daemon->log, EMU_LOG_ERROR, "failed", fields, 2);
    emu_daemon_stop(daemon);
}

/* ---- from the configuration ---- */

static bool hosts(const struct emu_daemon *daemon, uint32_t unit)
{
    struct qkd_eid eids[3];
    uint32_t parts[3];
    const struct host_unit *of = &daemon->plan->units[unit];
    return host_unit_elements(daemon->plan, of, eids, parts) > 0 &&
           emu_place_of(daemon->plan, eids[0]) == daemon->config->number;
}

static int plan_make(struct emu_daemon *daemon)
{
    int rc = host_plan_new(daemon->config->scenario, &daemon->plan);
    if (rc != 0) {
        return rc;
    }
    daemon->plan->options.report_life = daemon->config->flight[0] != '\0';
    daemon->units = calloc(daemon->plan->unit_count + 1, sizeof(*daemon->units));
    if (daemon->units == NULL) {
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < daemon->plan->unit_count; i++) {
        if (hosts(daemon, i)) {
            daemon->units[daemon->unit_count++] = i;
        }
    }
    daemon->ready = emu_ready_new(daemon->plan, daemon->units, daemon->unit_count);
    rc = daemon->ready == NULL ? QKD_ERR_NOMEM : emu_gauges_new(daemon, &daemon->gauges);
    if (rc == 0 && daemon->config->epoch_ns != EMU_EPOCH_NONE) { /* all daemons have one clock */
        rc = emu_faults_new(daemon->config->scenario, &daemon->cuts);
    }
    return rc;
}

static int log_open(struct emu_daemon *daemon, struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    struct emu_log_options options = {config->daemon,
                                      config->log.file[0] != '\0' ? config->log.file : NULL,
                                      (enum emu_log_level)config->log.level};
    return emu_log_open(&options, &daemon->log, why);
}

/* Pads that a key manager has used must never come back, and only its store knows which. One that is lost is
 * replaced when its operator says so: `incarnation`. *opened: how often a new store counts as opened. */
static int store_missed(const struct emu_daemon *daemon, uint32_t *opened, struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    if (config->kind != EMU_KMD || access(config->store, F_OK) == 0) {
        return 0;
    }
    if (config->incarnation > *opened) {
        *opened = config->incarnation - 1;
    } else if (*opened > 0) {
        return emu_fail(
            why, QKD_ERR_FORMAT,
            "%s: the key store is gone (it was opened %lu times so far): with a new one "
            "pads could be used twice. Bring the file back as it last was, with its -wal "
            "if there was one; if it is lost, write 'incarnation: %lu' into daemon.yaml "
            "and start again: what was in it is lost, each link is of use again with its "
            "next block",
            config->store, (unsigned long)*opened, (unsigned long)*opened + 1);
    }
    return 0;
}

/* Whether it is the store that was there last. */
static int store_recognise(struct emu_daemon *daemon, uint32_t opened, bool is_new,
                           struct emu_why *why)
{
    const char *store = daemon->config->store;
    uint32_t incarnation = emu_store_incarnation(daemon->store);
    if (!is_new && incarnation <= opened) {
        return emu_fail(
            why, QKD_ERR_FORMAT,
            "%s: an older copy of the key store: opened %lu times so far, this one %lu: "
            "pads could be used twice. Bring the file back as it last was; if that is "
            "lost, take this one away, write 'incarnation: %lu' into daemon.yaml and "
            "start again",
            store, (unsigned long)opened, (unsigned long)incarnation - 1,
            (unsigned long)opened + 1);
    }
    if (is_new && incarnation > 1) {
        struct emu_log_field fields[] = {emu_log_uint("incarnation", incarnation)};
        emu_log(daemon->log, EMU_LOG_WARN, "store_replaced", fields, 1);
    }
    return emu_seen_put(store, incarnation, why);
}

static int store_open(struct emu_daemon *daemon, struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    struct emu_unlock unlock;
    const char *file = config->unlock.file[0] != '\0' ? config->unlock.file : NULL;
    const char *variable = file == NULL ? config->unlock.environment : NULL;
    bool is_new = access(config->store, F_OK) != 0;
    uint32_t opened = 0;
    int rc = emu_seen_get(config->store, &opened, why);
    rc = rc == 0 ? store_missed(daemon, &opened, why) : rc;
    rc = rc == 0 ? emu_unlock_read(&unlock, file, variable, why) : rc;
    if (rc != 0) {
        return rc;
    }
    struct emu_store_options options = {
        .path = config->store, .unlock = &unlock, .create = true, .opened = opened};
    rc = emu_store_open(&options, &daemon->store, why);
    emu_unlock_wipe(&unlock);
    return rc == 0 ? store_recognise(daemon, opened, is_new, why) : rc;
}

static int flight_open(struct emu_daemon *daemon, struct emu_why *why)
{
    const struct emu_config *config = daemon->config;
    if (config->flight[0] == '\0') {
        return 0;
    }
    struct emu_log_field fields[] = {emu_log_text("file", config->flight)};
    emu_log(daemon->log, EMU_LOG_WARN, "flight_record_contains_key_material", fields, 1);
    return emu_flight_open(config->flight, config->daemon, &daemon->flight, why);
}

/* Everything but the loop's work. */
static int open_all(struct emu_daemon *daemon, struct emu_why *why)
{
    int rc = log_open(daemon, why);
    if (rc == 0) {
        rc = plan_make(daemon);
        rc = rc == 0 ? 0 : emu_fail(why, rc, "%s", qkd_err_text(rc));
    }
    if (rc == 0) {
        rc = emu_secrets_load(daemon->config->secrets, &daemon->secrets, why);
    }
    if (rc == 0) {
        rc = store_open(daemon, why);
    }
    return rc == 0 ? flight_open(daemon, why) : rc;
}

static void close_all(struct emu_daemon *daemon)
{
    emu_hosted_free(daemon->hosted);
    emu_ready_free(daemon->ready);
    emu_gauges_free(daemon->gauges);
    emu_faults_free(daemon->cuts);
    emu_sae_free(daemon->sae);
    emu_drive_fini(daemon);
    emu_flight_close(daemon->flight);
    emu_store_close(daemon->store);
    emu_secrets_free(daemon->secrets);
    host_plan_free(daemon->plan);
    free(daemon->units);
    free(daemon->peer_of);
    emu_log_close(daemon->log);
}

/* ---- the loop ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct emu_daemon *daemon = handle->data;
    if (number == SIGHUP) { /* the log was moved away */
        (void)emu_log_reopen(daemon->log, NULL);
        return;
    }
    struct emu_log_field fields[] = {emu_log_int("signal", number)};
    emu_log(daemon->log, EMU_LOG_INFO, "stopping", fields, 1);
    emu_daemon_stop(daemon);
}

static void signals_start(struct emu_daemon *daemon)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < 3; i++) {
        QKD_ASSERT(uv_signal_init(&daemon->loop, &daemon->signals[i]) == 0);
        daemon->signals[i].data = daemon;
        QKD_ASSERT(uv_signal_start(&daemon->signals[i], on_signal, numbers[i]) == 0);
    }
}

static int elements_start(struct emu_daemon *daemon, struct emu_why *why)
{
    int64_t epoch_ns = daemon->config->epoch_ns;
    int64_t since_ns = epoch_ns == EMU_EPOCH_NONE ? 0 : emu_wall().ns - epoch_ns;
    daemon->zero_ns = emu_now().ns - since_ns;
    int rc = emu_drive_start(daemon);
    return rc == 0 ? emu_hosted_start(daemon->hosted, why) : rc;
}

static void on_net_stopped(void *ctx)
{
    struct emu_daemon *daemon = ctx;
    daemon->net_stopped = true;
}

/* Closes what lives in the loop, in good order. */
static void loop_end(struct emu_daemon *daemon)
{
    emu_turn_stop(daemon);
    for (int i = 0; i < 3; i++) {
        if (daemon->signals[i].data != NULL) {
            uv_close((uv_handle_t *)&daemon->signals[i], NULL);
        }
    }
    emu_etsi014_free(daemon->etsi014);
    emu_health_free(daemon->health);
    if (daemon->net != NULL) {
        emu_net_stop(daemon->net, on_net_stopped, daemon);
    }
    while (uv_run(&daemon->loop, UV_RUN_DEFAULT) != 0) {
    }
    emu_net_free(daemon->net);
    QKD_ASSERT(uv_loop_close(&daemon->loop) == 0);
}

static int work(struct emu_daemon *daemon, struct emu_why *why)
{
    QKD_ASSERT(uv_loop_init(&daemon->loop) == 0);
    signals_start(daemon);
    int rc = emu_turn_start(daemon, why);
    if (rc == 0) {
        rc = elements_start(daemon, why);
    }
    if (rc == 0) {
        rc = emu_status_start(daemon, why);
    }
    if (rc == 0) {
        struct emu_log_field fields[] = {emu_log_uint("incarnation",
                                                      emu_store_incarnation(daemon->store)),
                                         emu_log_text("listen", daemon->config->listen),
                                         emu_log_uint("units", daemon->unit_count)};
        emu_log(daemon->log, EMU_LOG_INFO, "started", fields, 3);
        if (ended_early == 0) {
            (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
        }
        rc = daemon->error;
        (void)snprintf(why->text, sizeof(why->text), "%s", qkd_err_text(rc));
    }
    loop_end(daemon);
    if (rc == 0 && daemon->flight != NULL) {
        struct emu_flight_entry entry = {.type = EMU_FLIGHT_STOP, .at = emu_now()};
        emu_flight_put(daemon->flight, &entry);
    }
    struct emu_log_field fields[] = {emu_log_bool("ok", rc == 0)};
    emu_log(daemon->log, rc == 0 ? EMU_LOG_INFO : EMU_LOG_ERROR, "stopped", fields, 1);
    return rc;
}

static int run(const char *path, enum emu_kind kind)
{
    process_prepare();
    struct scn_errors errors;
    struct emu_daemon *daemon = calloc(1, sizeof(*daemon));
    if (daemon == NULL || crypto_init() != 0) {
        free(daemon);
        return EXIT_WORK;
    }
    int rc = emu_config_load(path, &daemon->config, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        (void)fprintf(stderr, "%s\n", errors.lines[i]);
    }
    scn_errors_fini(&errors);
    if (rc == 0 && daemon->config->kind != kind) {
        (void)fprintf(stderr, "%s: is the configuration of %s, expected one of a %s\n", path,
                      daemon->config->daemon, emu_kind_name(kind));
        rc = QKD_ERR_INVALID;
    }
    if (rc != 0) {
        emu_config_free(daemon->config);
        free(daemon);
        return rc == QKD_ERR_NOMEM ? EXIT_WORK : EXIT_USAGE;
    }
    rc = open_all(daemon, &daemon->why);
    if (rc == 0) {
        rc = work(daemon, &daemon->why);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "qkdn-%s: %s: %s\n", emu_kind_name(kind), daemon->config->daemon,
                      daemon->why.text);
    }
    close_all(daemon);
    emu_config_free(daemon->config);
    free(daemon);
    return rc == 0 ? 0 : EXIT_WORK;
}

static int usage(enum emu_kind kind, FILE *to)
{
    static const char *const texts[] = {
        [EMU_KMD] = ("the key manager of a node (KMA, KSA, KMC) with its SAEs' agents and, if "
                     "configured, its ETSI GS QKD 014 server"),
        [EMU_CTLD] = "the QKDN controller",
        [EMU_MGRD] = "the QKDN manager",
        [EMU_LINKD] = "both QKD modules of a link, with emulated optics"};
    const char *name = emu_kind_name(kind);
    (void)fprintf(
        to,
        "usage: qkdn-%s CONFIG.yaml\n"
        "Runs %s\nuntil SIGTERM or SIGINT. `qkdn render` writes configurations, `qkdn up` "
        "starts a whole network.\n\n"
        "  -h, --help     this text\n      --version  the version\n\n"
        "Exit codes: 0 ended in good order, 2 bad usage or configuration, 3 failed at "
        "work.\nExample: qkdn render scenarios/line-3.yaml -o net && qkdn-%s net/%s.yaml\n",
        name, texts[kind], name,
        kind == EMU_KMD     ? "kmd.A"
        : kind == EMU_LINKD ? "linkd.AB"
                            : name);
    return to == stdout ? 0 : EXIT_USAGE;
}

int emu_daemon_main(int argc, char **argv, enum emu_kind kind)
{
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        return usage(kind, stdout);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return printf("qkdn-%s %s\n", emu_kind_name(kind), QKDN_VERSION) < 0 ? EXIT_WORK : 0;
    }
    if (argc != 2 || argv[1][0] == '-') {
        return usage(kind, stderr);
    }
    return run(argv[1], kind);
}
