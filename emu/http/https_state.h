/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the HTTP server (emu/http/https.h) keeps, and what its files do for one another: https.c is the loop and the
 * life of the server, https_conns.c who is let in and who goes, https_calls.c requests and their answers. */
#ifndef EMU_HTTPS_STATE_H
#define EMU_HTTPS_STATE_H

#include <sys/socket.h>

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "emu/base/door.h"
#include "emu/http/https.h"

/* Somebody whom certificates name, while connections of his are there. */
struct emu_https_client {
    struct emu_https_client *next;
    unsigned conns;
    unsigned open;                       /* requests of his with handle()'s owner */
    struct emu_https_call *first, *last; /* those that wait for one of them to be answered */
    char name[EMU_IDENTITY_SIZE];
};

/* A connection, from accept to close. */
struct emu_https_conn {
    struct emu_https *https;
    struct emu_https_conn *next, *prev;
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    struct sockaddr_storage from;
    uint64_t since_ms;               /* when it began to wait for a request, or to be answered */
    bool shaken;                     /* the handshake is done; plain: from the start */
    bool looked;                     /* at the certificate; peer says whom it names */
    bool cut;                        /* closed for others, and not gone yet */
    bool waiting;                    /* a call of it is with handle()'s owner */
    struct emu_https_client *client; /* NULL: nobody (yet), or plain */
    char peer[EMU_IDENTITY_SIZE];
};

struct emu_https_call {
    struct emu_https *https;
    struct emu_https_conn *conn;
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
    struct emu_https_conn *conns; /* the newest first */
    struct emu_https_client *clients;
    unsigned conn_count;
    uint64_t refused;
    uint64_t strangers; /* requests of those who are nobody */
    struct emu_https_call *suspended;
};

/* ---- the loop (https.c) ---- */

/* The library has something to do: it works at the next turn of the loop. */
void emu_https_wake(struct emu_https *https);

/* ---- connections (https_conns.c) ---- */

/* Whether the client has proved who it is. */
bool emu_https_is_somebody(struct emu_https_conn *conn);

/* Cuts off who has been sending a request or reading an answer for too long; who is nobody much sooner, in the
 * handshake or behind it. */
void emu_https_conns_sweep(struct emu_https *https, uint64_t now_ms);

/* The library's callbacks. */
enum MHD_Result emu_https_on_accept(void *cls, const struct sockaddr *from, socklen_t len);
void emu_https_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                             enum MHD_ConnectionNotificationCode what);

/* ---- calls (https_calls.c) ---- */

/* Those who have waited for their turn too long are told to come again. */
void emu_https_queue_sweep(struct emu_https *https, uint64_t now_ms);

/* Answers all open calls 503. */
void emu_https_calls_end(struct emu_https *https);

/* The library's callbacks. NOLINTNEXTLINE(readability-function-size) */
enum MHD_Result emu_https_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *upload,
                                     size_t *upload_len, void **context);
void *emu_https_on_uri(void *cls, const char *uri, struct MHD_Connection *connection);
void emu_https_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_RequestTerminationCode why);

#endif
