/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP server: see emu/http/https.h. libmicrohttpd shows one epoll descriptor to the loop; it and a timer for what
 * it wants to do by itself drive MHD_run(). A call that is not answered inside handle() suspends its connection.
 *
 *   uri_came ─▶ call ─ body... ─▶ handle() ─ answered ─▶ queued ─▶ completed: freed
 *                                     │ not yet: suspended ─ emu_https_answer(): resumed ─▶ queued
 */
#include "emu/http/https.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <sodium.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/base/door.h"

enum {
    HANDLES = 3,
    SWEEP_MS = 1000,
    BODY_FIRST = 1024,
    HEADERS_MOST = 16384,
    HANDSHAKE_S = 5,
    HANDSHAKES_PER_S = 25, /* 5 % of a slow processor */
    BURST_S = 4,           /* what so many seconds allow may begin at once */
    WAIT_S = 10,           /* the longest wait for its beginning */
    EAGER_MOST = 16,
    EAGER_PAUSE_MS = 10,
    QUEUE = 256,  /* connections that wait for their handshake to begin */
    CROWD = 32,   /* connections that wait to be closed for others, beyond those allowed */
    DISCARD = 16, /* times body_most of a chunked body are read, so that it can be answered */
    OPEN_MOST = 64,
    TURN_S = 30 /* the longest wait for one's own earlier requests */
};

/* Somebody whom certificates name, while connections of his are there. */
struct client {
    struct client *next;
    unsigned conns;
    unsigned open;                       /* requests of his with handle()'s owner */
    struct emu_https_call *first, *last; /* those that wait for one of them to be answered */
    char name[EMU_IDENTITY_SIZE];
};

/* A connection, from accept to close. */
struct conn {
    struct emu_https *https;
    struct conn *next, *prev;
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    struct sockaddr_storage from;
    uint64_t since_ms;     /* when it began to wait for a request, or to be answered */
    bool shaken;           /* the handshake is done; plain: from the start */
    bool looked;           /* at the certificate; peer says whom it names */
    bool cut;              /* closed for others, and not gone yet */
    bool waiting;          /* a call of it is with handle()'s owner */
    struct client *client; /* NULL: nobody (yet), or plain */
    char peer[EMU_IDENTITY_SIZE];
};

struct emu_https_call {
    struct emu_https *https;
    struct conn *conn;
    struct MHD_Connection *connection;
    struct MHD_Response *response;      /* when answered */
    struct emu_https_call *next, *prev; /* of those suspended */
    char *uri;
    char *body;
    size_t len, cap;
    size_t discarded; /* bytes of a chunked body that became too long */
    unsigned code;
    struct emu_https_call *after; /* in the client's queue */
    bool begun, handed, suspended;
    bool queued;   /* waits for its turn; suspended */
    bool admitted; /* is one of the client's open requests */
};

struct emu_https {
    struct emu_https_config config;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer, sweep;
    unsigned open_handles;
    bool closing; /* takes no more requests */
    struct emu_door *door;
    unsigned eager; /* turns in a row after which the library wanted the next one at once */
    uint16_t port;
    struct conn *conns; /* the newest first */
    struct client *clients;
    unsigned conn_count;
    uint64_t refused;
    uint64_t strangers; /* requests of those who are nobody */
    struct emu_https_call *suspended;
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

/* Whether TLS is agreed. The library does not say; of channel bindings (RFC 5929), which we have no use for,
 * GnuTLS does: there is none before the handshake is done. */
static bool is_shaken(struct conn *conn)
{
    if (!conn->shaken) {
        gnutls_datum_t binding = {0};
        conn->shaken = conn->tls == NULL ||
                       gnutls_session_channel_binding(conn->tls, GNUTLS_CB_TLS_SERVER_END_POINT,
                                                      &binding) !=
                           GNUTLS_E_CHANNEL_BINDING_NOT_AVAILABLE;
        gnutls_free(binding.data);
    }
    return conn->shaken;
}

/* Whom the certificate of a finished handshake names: one of the authority, in its time, for clients; else
 * nobody. The handshake asks for a certificate and does not look at it: who has none that is good gets an answer
 * to each request, 401, not a broken connection (ETSI GS QKD 014, Tables 4, 6, 8). */
static void peer_look(struct conn *conn)
{
    static const char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st want = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                  .data = (unsigned char *)(uintptr_t)purpose};
    unsigned status = 1;
    unsigned count = 0;
    conn->looked = true;
    const gnutls_datum_t *der = gnutls_certificate_get_peers(conn->tls, &count);
    if (der == NULL || count == 0 ||
        gnutls_certificate_verify_peers(conn->tls, &want, 1, &status) != GNUTLS_E_SUCCESS ||
        status != 0 ||
        emu_identity_get_der(der[0].data, der[0].size, conn->https->config.identity, conn->peer) !=
            QKD_OK) {
        conn->peer[0] = '\0';
    }
}

/* The oldest of a client's other connections on which nothing is under way is closed. */
static void oldest_close(const struct conn *conn)
{
    struct conn *oldest = NULL;
    for (struct conn *other = conn->next; other != NULL; other = other->next) {
        oldest = other->client == conn->client && !other->waiting && !other->cut ? other : oldest;
    }
    if (oldest != NULL) {
        oldest->cut = true;
        (void)shutdown(oldest->fd, SHUT_RDWR);
    } else {
        (void)shutdown(conn->fd, SHUT_RDWR);
    }
    conn->https->refused++;
}

/* Joins a connection with the others of the same name. Without memory it is nobody's. */
static void client_join(struct conn *conn)
{
    struct emu_https *https = conn->https;
    struct client *client = https->clients;
    while (client != NULL && strcmp(client->name, conn->peer) != 0) {
        client = client->next;
    }
    if (client == NULL) {
        client = calloc(1, sizeof *client);
        if (client == NULL) {
            conn->peer[0] = '\0';
            return;
        }
        memcpy(client->name, conn->peer, sizeof client->name);
        client->next = https->clients;
        https->clients = client;
    }
    conn->client = client;
    if (++client->conns > https->config.per_client_most) {
        oldest_close(conn);
    }
}

static void client_leave(struct conn *conn)
{
    struct client *client = conn->client;
    if (client == NULL || --client->conns > 0) {
        return;
    }
    struct client **at = &conn->https->clients;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    free(client);
}

/* Whether the client has proved who it is. */
static bool is_somebody(struct conn *conn)
{
    if (conn->tls == NULL) {
        return true;
    }
    if (!is_shaken(conn)) {
        return false;
    }
    if (!conn->looked) {
        peer_look(conn);
        if (conn->peer[0] != '\0') {
            client_join(conn);
        }
    }
    return conn->peer[0] != '\0';
}

/* The door lets somebody in. The library asks on_accept(), and closes what it does not take. */
static void on_enter(void *ctx, int fd, const struct sockaddr *from, socklen_t len)
{
    struct emu_https *https = ctx;
    (void)MHD_add_connection(https->daemon, fd, from, len);
    https->eager = 0;
    (void)uv_timer_start(&https->timer, on_timer, 0, 0);
}

/* ---- connections ---- */

/* Whether a connection from there may come in. When all places are taken, the oldest of those who are nobody, in
 * the handshake or behind it, goes: silence must not keep out who has a certificate. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *from, socklen_t len)
{
    struct emu_https *https = cls;
    struct conn *oldest = NULL;
    unsigned of_host = 0;
    unsigned places = 0;
    struct sockaddr_storage host = {0};
    memcpy(&host, from, len < sizeof host ? len : sizeof host);
    for (struct conn *conn = https->conns; conn != NULL; conn = conn->next) {
        if (!conn->cut) {
            places++;
            of_host += emu_same_host(&conn->from, &host);
            oldest = is_somebody(conn) ? oldest : conn;
        }
    }
    bool full = places >= https->config.connections_most;
    if (of_host >= https->config.per_address_most || (full && oldest == NULL)) {
        https->refused++;
        return MHD_NO;
    }
    if (full) {
        https->refused++;
        oldest->cut = true;
        (void)shutdown(oldest->fd, SHUT_RDWR);
    }
    return MHD_YES;
}

static void conn_open(struct emu_https *https, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection,
                                                                 MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct conn *conn = calloc(1, sizeof *conn);
    gnutls_session_t session = NULL;
    *context = conn;
    if (https->config.certificate != NULL) {
        const union MHD_ConnectionInfo *tls =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (tls != NULL && tls->tls_session != NULL) {
            session = tls->tls_session;
            gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        }
    }
    if (conn == NULL || fd == NULL) {
        return; /* its requests are refused */
    }
    conn->https = https;
    conn->fd = fd->connect_fd;
    conn->tls = session;
    if (from != NULL && from->client_addr != NULL) {
        memcpy(&conn->from, from->client_addr,
               from->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                        : sizeof(struct sockaddr_in));
    }
    conn->since_ms = uv_now(https->config.loop);
    conn->next = https->conns;
    if (conn->next != NULL) {
        conn->next->prev = conn;
    }
    https->conns = conn;
    https->conn_count++;
}

static void conn_close(struct emu_https *https, struct conn *conn)
{
    if (conn == NULL || conn->https == NULL) {
        free(conn);
        return;
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    }
    *(conn->prev != NULL ? &conn->prev->next : &https->conns) = conn->next;
    https->conn_count--;
    client_leave(conn);
    free(conn);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn_open(cls, connection, context);
    } else {
        conn_close(cls, *context);
        *context = NULL;
    }
}

/* ---- calls ---- */

static void *uri_came(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct emu_https_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->https = cls;
    call->connection = connection;
    call->uri = strdup(uri);
    return call;
}

static void body_drop(struct emu_https_call *call)
{
    if (call->body != NULL) {
        sodium_memzero(call->body, call->cap);
        free(call->body);
        call->body = NULL;
    }
    call->len = call->cap = 0;
}

static void suspend(struct emu_https_call *call)
{
    struct emu_https *https = call->https;
    call->suspended = true;
    call->next = https->suspended;
    call->prev = NULL;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    https->suspended = call;
    MHD_suspend_connection(call->connection);
}

static void resume(struct emu_https_call *call)
{
    struct emu_https *https = call->https;
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    *(call->prev != NULL ? &call->prev->next : &https->suspended) = call->next;
    call->suspended = false;
    MHD_resume_connection(call->connection);
    https->eager = 0;
    (void)uv_timer_start(&https->timer, on_timer, 0, 0);
}

/* Takes a call out of its client's queue. */
static void queue_leave(struct emu_https_call *call)
{
    struct client *client = call->conn->client;
    struct emu_https_call *before = NULL;
    for (struct emu_https_call *at = client->first; at != call; at = at->after) {
        before = at;
    }
    *(before != NULL ? &before->after : &client->first) = call->after;
    client->last = client->last == call ? before : client->last;
    call->queued = false;
}

/* Whether a client may have this request open, too; else it waits for its turn. */
static bool admit(struct emu_https_call *call)
{
    struct client *client = call->conn->client;
    if (client == NULL || call->admitted) {
        return true;
    }
    if (client->open < call->https->config.open_most) {
        client->open++;
        call->admitted = true;
        return true;
    }
    call->conn->since_ms = uv_now(call->https->config.loop);
    call->after = NULL;
    *(client->last != NULL ? &client->last->after : &client->first) = call;
    client->last = call;
    call->queued = true;
    suspend(call);
    return false;
}

/* An open request is answered: the client's next has its turn. */
static void admitted_end(struct emu_https_call *call)
{
    if (!call->admitted) {
        return;
    }
    struct client *client = call->conn->client;
    struct emu_https_call *next = client->first;
    call->admitted = false;
    client->open--;
    if (next != NULL && !call->https->closing) {
        queue_leave(next);
        next->admitted = true;
        client->open++;
        resume(next);
    }
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct emu_https_call *call = *context;
    (void)cls;
    (void)connection;
    (void)why;
    *context = NULL;
    if (call == NULL) {
        return;
    }
    if (call->conn != NULL) {
        admitted_end(call); /* the client has gone before its turn was used */
        call->conn->waiting = false;
        call->conn->since_ms = uv_now(call->https->config.loop);
    }
    if (call->response != NULL) {
        MHD_destroy_response(call->response);
    }
    body_drop(call);
    free(call->uri);
    free(call);
}

static bool body_add(struct emu_https_call *call, const char *bytes, size_t len)
{
    if (len > call->cap - call->len) {
        size_t cap = 2 * (call->len + len) > BODY_FIRST ? 2 * (call->len + len) : BODY_FIRST;
        char *body = malloc(cap);
        if (body == NULL) {
            return false;
        }
        size_t had = call->len;
        if (had > 0) {
            memcpy(body, call->body, had);
        }
        body_drop(call);
        call->body = body;
        call->cap = cap;
        call->len = had;
    }
    memcpy(call->body + call->len, bytes, len);
    call->len += len;
    return true;
}

struct sent_body {
    size_t len;
    char *bytes;
};

static void sent_free(void *cls)
{
    struct sent_body *sent = cls;
    sodium_memzero(sent->bytes, sent->len);
    free(sent->bytes);
    free(sent);
}

static struct MHD_Response *response_of(const struct emu_https_answer *answer)
{
    struct MHD_Response *response = NULL;
    if (answer->body == NULL || answer->len == 0) {
        free(answer->body);
        static char none[1];
        response = MHD_create_response_from_buffer(0, none, MHD_RESPMEM_PERSISTENT);
    } else {
        struct sent_body *sent = malloc(sizeof *sent);
        if (sent != NULL) {
            *sent = (struct sent_body){answer->len, answer->body};
            response = MHD_create_response_from_buffer_with_free_callback_cls(answer->len,
                                                                              answer->body,
                                                                              sent_free, sent);
        }
        if (response == NULL) {
            sodium_memzero(answer->body, answer->len);
            free(answer->body);
            free(sent);
        }
    }
    if (response != NULL && answer->type != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    }
    if (response != NULL && answer->close) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    if (response != NULL && answer->allow != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    }
    return response;
}

void emu_https_answer(struct emu_https_call *call, const struct emu_https_answer *answer)
{
    QKD_ASSERT(call->handed && call->code == 0);
    call->response = response_of(answer);
    call->code = (unsigned)answer->code;
    admitted_end(call);
    if (call->suspended) {
        resume(call);
    }
}

/* Gives the answer to the library; MHD_NO closes the connection. */
static enum MHD_Result queue(struct emu_https_call *call)
{
    return call->response == NULL
               ? MHD_NO
               : MHD_queue_response(call->connection, call->code, call->response);
}

/* The request is whole. */
static enum MHD_Result hand_over(struct emu_https_call *call, const char *method)
{
    struct emu_https *https = call->https;
    struct emu_https_request request = {.method = method,
                                        .uri = call->uri,
                                        .body = call->body,
                                        .body_len = call->len,
                                        .peer = call->conn->peer};
    call->conn->waiting = true;
    if (!admit(call)) {
        return MHD_YES;
    }
    call->handed = true;
    https->config.handle(https->config.ctx, call, &request);
    body_drop(call);
    if (call->code != 0) {
        call->conn->waiting = false;
        call->conn->since_ms = uv_now(https->config.loop);
        return queue(call);
    }
    suspend(call);
    return MHD_YES;
}

/* What the headers say about the length of the body. */
struct framing {
    unsigned lengths, encodings;
    bool bad; /* a length that is no number */
    unsigned long long length;
};

/* The library's signature. */
static enum MHD_Result framing_read(void *cls, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct framing *framing = cls;
    (void)kind;
    if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        framing->encodings++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        const char *digits = value == NULL ? "" : value;
        framing->lengths++;
        framing->bad = framing->bad || digits[0] == '\0' ||
                       digits[strspn(digits, "0123456789")] != '\0';
        framing->length = framing->bad ? 0 : strtoull(digits, NULL, 10);
    }
    return MHD_YES;
}

/* Refuses a request by itself, and closes. */
static enum MHD_Result refuse(struct emu_https_call *call, const char *text)
{
    struct emu_https_answer answer = {.code = MHD_HTTP_BAD_REQUEST,
                                      .type = "application/json",
                                      .body = strdup(text),
                                      .len = strlen(text),
                                      .close = true};
    call->response = response_of(&answer);
    call->code = MHD_HTTP_BAD_REQUEST;
    return queue(call);
}

#define TOO_LONG "{\"message\":\"the request body is too long\"}"

/* Who is nobody is told so before anything else is looked at, learns nothing, and is let go. */
static enum MHD_Result refuse_stranger(struct emu_https_call *call)
{
    struct emu_https_answer answer = {.code = MHD_HTTP_UNAUTHORIZED, .close = true};
    call->https->strangers++;
    call->response = response_of(&answer);
    call->code = MHD_HTTP_UNAUTHORIZED;
    return queue(call);
}

/* The headers are there. A body that is announced as too long is refused without being read, and one whose
 * end is said in two ways (RFC 9112 clause 6.3: a smuggled request may stand behind it). */
static enum MHD_Result begin(struct emu_https_call *call)
{
    struct framing framing = {0};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    call->begun = true;
    call->conn = info == NULL ? NULL : info->socket_context;
    if (call->conn == NULL || call->conn->https == NULL || call->uri == NULL) {
        return MHD_NO;
    }
    if (call->https->config.certificate != NULL &&
        (call->conn->tls == NULL || !is_somebody(call->conn))) {
        return refuse_stranger(call);
    }
    (void)MHD_get_connection_values(call->connection, MHD_HEADER_KIND, framing_read, &framing);
    if (framing.bad || framing.lengths + framing.encodings > 1) {
        return refuse(call, "{\"message\":\"the length of the request body is not clear\"}");
    }
    return framing.length > call->https->config.body_most ? refuse(call, TOO_LONG) : MHD_YES;
}

/* A piece of the body. The library takes no answer before the end of it: what is too much is read, within
 * limits, and thrown away. */
static enum MHD_Result body_came(struct emu_https_call *call, const char *bytes, size_t len)
{
    size_t most = call->https->config.body_most;
    if (call->discarded == 0 && len <= most - call->len) {
        return body_add(call, bytes, len) ? MHD_YES : MHD_NO;
    }
    body_drop(call);
    call->discarded += len;
    return call->discarded <= DISCARD * most ? MHD_YES : MHD_NO;
}

/* The library's signature. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **context)
{
    struct emu_https_call *call = *context;
    (void)cls;
    (void)connection;
    (void)url;
    (void)version;
    if (call == NULL || (call->https->closing && !call->handed)) {
        return MHD_NO;
    }
    if (!call->begun) {
        return begin(call);
    }
    if (*upload_len > 0) {
        enum MHD_Result good = body_came(call, upload, *upload_len);
        *upload_len = 0;
        return good;
    }
    if (call->code != 0) { /* resumed */
        call->conn->waiting = false;
        call->conn->since_ms = uv_now(call->https->config.loop);
        return queue(call);
    }
    if (call->discarded > 0) {
        return refuse(call, TOO_LONG);
    }
    return call->handed ? MHD_YES : hand_over(call, method);
}

/* Those who have waited for their turn too long are told to come again. */
static void queue_sweep(struct emu_https *https, uint64_t now_ms)
{
    static const char text[] = "{\"message\":\"error on KME: overload\"}";
    struct emu_https_call *next;
    for (struct emu_https_call *call = https->suspended; call != NULL; call = next) {
        next = call->next;
        if (call->queued && now_ms - call->conn->since_ms > UINT64_C(1000) * TURN_S) {
            queue_leave(call);
            call->handed = true;
            emu_https_answer(call, &(struct emu_https_answer){.code = MHD_HTTP_SERVICE_UNAVAILABLE,
                                                              .type = "application/json",
                                                              .body = strdup(text),
                                                              .len = sizeof text - 1});
        }
    }
}

/* Cuts off who has been sending a request or reading an answer for too long; who is nobody much sooner, in the
 * handshake or behind it. */
static void on_sweep(uv_timer_t *timer)
{
    struct emu_https *https = timer->data;
    uint64_t now_ms = uv_now(https->config.loop);
    for (struct conn *conn = https->conns; conn != NULL; conn = conn->next) {
        uint64_t most_s = is_somebody(conn) ? https->config.idle_s : https->config.handshake_s;
        if (!conn->waiting && now_ms - conn->since_ms > 1000 * most_s) {
            (void)shutdown(conn->fd, SHUT_RDWR);
        }
    }
    queue_sweep(https, now_ms);
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
    https->daemon = MHD_start_daemon(
        flags, 0, on_accept, https, on_request, https, MHD_OPTION_EXTERNAL_LOGGER, log_nothing,
        NULL, MHD_OPTION_CONNECTION_LIMIT, config->connections_most + CROWD,
        MHD_OPTION_CONNECTION_TIMEOUT, config->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_MOST, MHD_OPTION_URI_LOG_CALLBACK, uri_came, https,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, https, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, https, MHD_OPTION_ARRAY, tls ? secure : nothing, MHD_OPTION_END);
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
    while (https->suspended != NULL) {
        if (https->suspended->queued) {
            queue_leave(https->suspended);
            https->suspended->handed = true;
        }
        emu_https_answer(https->suspended, &(struct emu_https_answer){.code = 503});
    }
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
