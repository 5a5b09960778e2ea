/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests to the HTTP server (emu/http/https.h) and their answers. A call that is not answered inside handle() suspends
 * its connection.
 *
 *   on_uri ─▶ call ─ body... ─▶ handle() ─ answered ─▶ queued ─▶ completed: freed
 *                                   │ not yet: suspended ─ emu_https_answer(): resumed ─▶ queued
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "core/base/err.h"
#include "emu/http/https_state.h"

enum {
    BODY_FIRST = 1024,
    DISCARD = 16, /* times body_most of a chunked body are read, so that it can be answered */
    TURN_S = 30   /* the longest wait for one's own earlier requests */
};

void *emu_https_on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
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
    emu_https_wake(https);
}

/* Takes a call out of its client's queue. */
static void queue_leave(struct emu_https_call *call)
{
    struct emu_https_client *client = call->conn->client;
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
    struct emu_https_client *client = call->conn->client;
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
    struct emu_https_client *client = call->conn->client;
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

void emu_https_on_completed(void *cls, struct MHD_Connection *connection, void **context,
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
        (call->conn->tls == NULL || !emu_https_is_somebody(call->conn))) {
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
enum MHD_Result emu_https_on_request(void *cls, struct MHD_Connection *connection, const char *url,
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

void emu_https_queue_sweep(struct emu_https *https, uint64_t now_ms)
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

void emu_https_calls_end(struct emu_https *https)
{
    while (https->suspended != NULL) {
        if (https->suspended->queued) {
            queue_leave(https->suspended);
            https->suspended->handed = true;
        }
        emu_https_answer(https->suspended, &(struct emu_https_answer){.code = 503});
    }
}
