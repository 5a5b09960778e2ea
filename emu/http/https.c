/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP server: see emu/http/https.h. libmicrohttpd shows one epoll descriptor to the loop; it and a timer for what
 * it wants to do by itself drive MHD_run(). */
#include "emu/http/https.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/http/https_state.h"

enum {
    HANDLES = 3,
    SWEEP_MS = 1000,
    HEADERS_MOST = 16384,
    HANDSHAKE_S = 5,
    HANDSHAKES_PER_S = 25, /* 5 % of a slow processor */
    BURST_S = 4,           /* what so many seconds allow may begin at once */
    WAIT_S = 10,           /* the longest wait for its beginning */
    EAGER_MOST = 16,
    EAGER_PAUSE_MS = 10,
    QUEUE = 256, /* connections that wait for their handshake to begin */
    CROWD = 32,  /* connections that wait to be closed for others, beyond those allowed */
    OPEN_MOST = 64
};

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

/* Lets the library work, and asks it when it wants to again. While a client takes its time over a TLS handshake
 * the library wants to at once, for ever: what the client sends shows at the descriptor all the same, so beyond a
 * few turns in a row it has to wait. */
static void run(struct emu_https *https)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    (void)MHD_run(https->daemon);
    if (MHD_get_timeout(https->daemon, &wait_ms) != MHD_YES) {
        (void)uv_timer_stop(&https->timer);
        return;
    }
    https->eager = wait_ms == 0 ? https->eager + 1 : 0;
    if (https->eager > EAGER_MOST) {
        wait_ms = https->eager > 2 * EAGER_MOST ? EAGER_PAUSE_MS : 1;
    }
    (void)uv_timer_start(&https->timer, on_timer, wait_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct emu_https *https = poll->data;
    (void)status;
    (void)events;
    https->eager = 0;
    run(https);
}

void emu_https_wake(struct emu_https *https)
{
    https->eager = 0;
    (void)uv_timer_start(&https->timer, on_timer, 0, 0);
}

/* The door lets somebody in. The library asks emu_https_on_accept(), and closes what it does not take. */
static void on_enter(void *ctx, int fd, const struct sockaddr *from, socklen_t len)
{
    struct emu_https *https = ctx;
    (void)MHD_add_connection(https->daemon, fd, from, len);
    emu_https_wake(https);
}

static void on_sweep(uv_timer_t *timer)
{
    struct emu_https *https = timer->data;
    uint64_t now_ms = uv_now(https->config.loop);
    emu_https_conns_sweep(https, now_ms);
    emu_https_queue_sweep(https, now_ms);
}

/* ---- life ---- */

static void log_nothing(void *cls, const char *format, va_list arguments)
{
    (void)cls;
    (void)format;
    (void)arguments; /* what clients do wrong is theirs to know; ours is counted above */
}

static int daemon_start(struct emu_https *https, struct emu_why *why)
{
    const struct emu_https_config *config = &https->config;
    bool tls = config->certificate != NULL;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ERROR_LOG | (tls ? (unsigned)MHD_USE_TLS : 0U);
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)config->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)config->key},
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, (void *)(uintptr_t)config->trust},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem nothing[] = {{MHD_OPTION_END, 0, NULL}};
    https->daemon = MHD_start_daemon(flags, 0, emu_https_on_accept, https, emu_https_on_request,
                                     https, MHD_OPTION_EXTERNAL_LOGGER, log_nothing, NULL,
                                     MHD_OPTION_CONNECTION_LIMIT, config->connections_most + CROWD,
                                     MHD_OPTION_CONNECTION_TIMEOUT, config->idle_s,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MOST,
                                     MHD_OPTION_URI_LOG_CALLBACK, emu_https_on_uri, https,
                                     MHD_OPTION_NOTIFY_COMPLETED, emu_https_on_completed, https,
                                     MHD_OPTION_NOTIFY_CONNECTION, emu_https_on_connection, https,
                                     MHD_OPTION_ARRAY, tls ? secure : nothing, MHD_OPTION_END);
    if (https->daemon == NULL) {
        return emu_fail(why, QKD_ERR_INVALID, "cannot start the HTTP server at %s%s",
                        config->listen,
                        tls ? ": certificate, key or trusted certificates are no good" : "");
    }
    return QKD_OK;
}

/* Takes the listening socket over. */
static int door_open(struct emu_https *https, int fd, struct emu_why *why)
{
    const struct emu_https_config *config = &https->config;
    struct emu_door_config door = {.loop = config->loop,
                                   .fd = fd,
                                   .per_s = config->certificate == NULL ? 0
                                                                        : config->handshakes_per_s,
                                   .burst = BURST_S * config->handshakes_per_s,
                                   .queue = QUEUE,
                                   .wait_ms = 1000 * WAIT_S,
                                   .enter = on_enter,
                                   .ctx = https};
    int err = emu_door_open(&door, &https->door);
    return err == QKD_OK ? err : emu_fail(why, err, "cannot poll the HTTP server's socket");
}

static int loop_join(struct emu_https *https, struct emu_why *why)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(https->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_loop_t *loop = https->config.loop;
    int err = info == NULL ? UV_EINVAL : uv_poll_init(loop, &https->poll, info->epoll_fd);
    if (err != 0) {
        return emu_fail(why, QKD_ERR_IO, "cannot poll the HTTP server: %s", uv_strerror(err));
    }
    (void)uv_timer_init(loop, &https->timer);
    (void)uv_timer_init(loop, &https->sweep);
    https->poll.data = https->timer.data = https->sweep.data = https;
    https->open_handles = HANDLES;
    (void)uv_poll_start(&https->poll, UV_READABLE, on_poll);
    (void)uv_timer_start(&https->timer, on_timer, 0, 0);
    (void)uv_timer_start(&https->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return QKD_OK;
}

int emu_https_new(const struct emu_https_config *config, struct emu_https **https,
                  struct emu_why *why)
{
    struct emu_https *made = calloc(1, sizeof *made);
    *https = NULL;
    if (made == NULL) {
        return emu_fail(why, QKD_ERR_NOMEM, "out of memory");
    }
    made->config = *config;
    if (config->per_address_most == 0) {
        made->config.per_address_most = (config->connections_most + 1) / 2;
    }
    if (config->handshake_s == 0) {
        made->config.handshake_s = config->idle_s < HANDSHAKE_S ? config->idle_s : HANDSHAKE_S;
    }
    if (config->handshakes_per_s == 0) {
        made->config.handshakes_per_s = HANDSHAKES_PER_S;
    }
    if (config->per_client_most == 0) {
        made->config.per_client_most = (config->connections_most + 1) / 2;
    }
    if (config->open_most == 0) {
        made->config.open_most = OPEN_MOST;
    }
    int fd = -1;
    int err = emu_listen(config->listen, &fd, why);
    made->port = (uint16_t)(err == QKD_OK ? emu_port_of(fd) : 0);
    err = err == QKD_OK ? daemon_start(made, why) : err;
    err = err == QKD_OK ? door_open(made, fd, why) : err;
    if (err == QKD_OK) {
        err = loop_join(made, why);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    if (err != QKD_OK) {
        emu_door_close(made->door);
        if (made->daemon != NULL) {
            MHD_stop_daemon(made->daemon);
        }
        free(made);
        return err;
    }
    *https = made;
    return QKD_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct emu_https *https = handle->data;
    if (--https->open_handles == 0) {
        free(https);
    }
}

void emu_https_free(struct emu_https *https)
{
    if (https == NULL) {
        return;
    }
    https->closing = true;
    emu_door_close(https->door);
    emu_https_calls_end(https);
    (void)MHD_run(https->daemon); /* takes the resumed connections in: it may not stop with any */
    (void)uv_poll_stop(&https->poll);
    MHD_stop_daemon(https->daemon);
    uv_close((uv_handle_t *)&https->poll, on_closed);
    uv_close((uv_handle_t *)&https->timer, on_closed);
    uv_close((uv_handle_t *)&https->sweep, on_closed);
}

uint16_t emu_https_port(const struct emu_https *https)
{
    return https->port;
}

unsigned emu_https_connections(const struct emu_https *https)
{
    return https->conn_count;
}

uint64_t emu_https_refused(const struct emu_https *https)
{
    return https->refused + emu_door_turned_away(https->door);
}

uint64_t emu_https_strangers(const struct emu_https *https)
{
    return https->strangers;
}

uint64_t emu_https_begun(const struct emu_https *https)
{
    return emu_door_entered(https->door);
}
